/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline.h"
#include "rmrtc.h"

#include <getopt.h>
#include <poll.h>
#include <remotemedia/serve.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "usage: rmrtc serve MANIFEST [OPTIONS]\n"
    "\n"
    "Serve a pipeline to the clients of the RemoteMedia SDK: signaling server and the peer \"remotemedia-server\" in "
    "one\n"
    "process. Each client that makes an offer to it has a session of its own: sound and pictures go through it and "
    "back,\n"
    "protobuf DataBuffers come and go on any data channel, control.* methods and the channel \"remotemedia-control\" "
    "look\n"
    "into it. Clients may also call one another. Shows a line for each peer that comes and goes; ends on Ctrl-C.\n"
    "\n"
    "  --listen [ADDR:]PORT  numeric address and port, default 127.0.0.1:8080; 0.0.0.0 is every address, port 0 any "
    "free\n"
    "                        one. Without --token everybody who can reach it may use the pipeline\n"
    "  --manifest FILE       the same as MANIFEST\n"
    "  --max-peers N         clients at a time, 1..64; default 10\n"
    "  --token TEXT          require this `token` member in peer.announce\n"
    "  --cert FILE           PEM certificate chain: serve wss:// (with --key)\n"
    "  --key FILE            PEM private key\n"
    "  --stun-servers LIST   stun:HOST[:PORT], separated by commas; none is needed on a LAN or with a public address\n"
    "  --turn URL            turn:USER:PASSWORD@HOST[:PORT], up to 8 times\n"
    "  --bind ADDRESS        media on this local address only\n"
    "  --jitter-buffer-ms N  ceiling of the receivers' delay, 50..200; default 50\n"
    "  --audio-frame MS      length of sound packets: 5, 10 or 20 (default: the SDK's own, and all that aiortc 1.4 "
    "takes)\n"
    "  --video-codec C       h264 (default), vp8 or vp9 first\n"
    "  --enable-data-channel true|false  default true\n"
    "  --load FILE.so        node types from a shared object, up to 8 times\n"
    "  --mode websocket      accepted for the SDK's command lines; grpc is not there\n"
    "  --verbose             log every connection (the same as RM_LOG=debug)\n"
    "\n"
    "Environment, where an option is not given: WEBRTC_PIPELINE_MANIFEST, WEBRTC_MAX_PEERS, "
    "WEBRTC_ENABLE_DATA_CHANNEL,\n"
    "WEBRTC_JITTER_BUFFER_MS, WEBRTC_MODE.\n";

#define LOADS_MAX 8
/* What RemoteMedia's server sends; aiortc 1.4 stops decoding at another length. */
#define SDK_AUDIO_FRAME_US 20000

struct serve {
    rm_webrtc_config config;
    rm_serve_config serve;
    char host[64];
    char *stun; /* what config.stun_servers points into */
    const char *manifest, *loads[LOADS_MAX];
    size_t load_count;
};

/* An address to listen on that stands for all of them is none to connect to: then this machine's own. */
static const char *reachable(const char *host) {
    return strcmp(host, "0.0.0.0") == 0 ? "127.0.0.1" : strcmp(host, "::") == 0 ? "::1" : host;
}

static void print_address(const struct serve *s, const rm_webrtc *t) {
    const char *host = reachable(s->host);
    const bool v6 = strchr(host, ':') != NULL;
    printf("listening on ws%s://%s%s%s:%u/ws\n", s->serve.cert_file ? "s" : "", v6 ? "[" : "", host, v6 ? "]" : "",
           rm_webrtc_served_port(t));
    printf("clients: peer.announce, then peer.offer to \"%s\"%s; pipeline %s\n", rm_webrtc_local_peer_id(t),
           s->serve.token ? ", with the token" : "", s->manifest);
    fflush(stdout);
}

static void print_event(const rm_event *ev) {
    switch (ev->type) {
    case RM_EV_PEER_STATE:
        printf("peer %s %s%s%s\n", ev->peer_id, rm_peer_state_name(ev->peer_state), ev->err ? ": " : "",
               ev->err ? ev->detail : "");
        break;
    case RM_EV_CHANNEL:
        printf("peer %s opened channel %u \"%s\"\n", ev->peer_id, ev->channel, ev->detail);
        break;
    case RM_EV_PIPELINE:
    case RM_EV_ERROR:
        printf("%s%s%s: %s\n", ev->peer_id[0] ? "peer " : "", ev->peer_id,
               ev->type == RM_EV_PIPELINE ? " pipeline" : "", ev->detail);
        break;
    default:
        return;
    }
    fflush(stdout);
}

/* Until a signal, and then until everything is closed. */
static void watch(rm_webrtc *t, int signal_fd) {
    struct pollfd p[2] = {{.fd = rm_webrtc_fd(t), .events = POLLIN}, {.fd = signal_fd, .events = POLLIN}};
    for (bool leaving = false;;) {
        rm_event ev;
        rm_err err;
        while (!(err = rm_webrtc_poll(t, &ev, 0)))
            print_event(&ev);
        if (err == RM_E_CLOSED)
            return;
        poll(p, leaving ? 1 : 2, -1);
        if (!leaving && (p[1].revents & POLLIN)) {
            leaving = true;
            rm_webrtc_shutdown(t);
        }
    }
}

static int serve(struct serve *s) {
    int signal_fd = open_signal_fd();
    rm_webrtc *t = NULL;
    rm_err err = rm_webrtc_create(&s->config, &t);
    bool ok = !err && pipeline_set("serve", t, s->manifest, s->loads, s->load_count);
    if (ok)
        err = rm_webrtc_serve(t, &s->serve);
    if (err) /* what else it could be has been checked */
        fprintf(stderr, "rmrtc serve: --listen: \"%s\" is not a numeric address\n", s->host);
    if (ok && !err && (err = rm_webrtc_start(t)))
        fprintf(stderr,
                err == RM_E_IO ? "rmrtc serve: cannot listen on %s:%u: is the port taken, the address not of this "
                                 "machine, or a file of --cert and --key not readable?\n"
                               : "rmrtc serve: cannot listen on %s:%u: %s\n",
                s->host, s->serve.port, rm_strerror(err));
    ok = ok && !err;
    if (ok) {
        print_address(s, t);
        watch(t, signal_fd);
    }
    rm_webrtc_destroy(&t);
    close(signal_fd);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- command line ---- */

static bool parse_flag(const char *option, const char *text, bool *out) {
    *out = !strcmp(text, "true") || !strcmp(text, "1");
    if (*out || !strcmp(text, "false") || !strcmp(text, "0"))
        return true;
    fprintf(stderr, "rmrtc serve: %s: \"%s\" is neither true nor false\n", option, text);
    return false;
}

static bool parse_mode(const char *option, const char *text) {
    if (!strcmp(text, "websocket"))
        return true;
    fprintf(stderr, "rmrtc serve: %s: there is no mode \"%s\", only websocket\n", option, text);
    return false;
}

static bool parse_audio_frame(struct serve *s, const char *text) {
    long ms;
    if (!parse_number("--audio-frame", text, 5, 20, &ms))
        return false;
    s->config.audio_frame_us = (uint32_t)ms * 1000; /* the check of the configuration knows which lengths there are */
    return true;
}

static bool parse_codec(const char *text, rm_video_codec *out) {
    static const char *const names[] = {[RM_VIDEO_VP9] = "vp9", [RM_VIDEO_VP8] = "vp8", [RM_VIDEO_H264] = "h264"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(text, names[i])) {
            *out = (rm_video_codec)i;
            return true;
        }
    fprintf(stderr, "rmrtc serve: --video-codec: \"%s\" is none of h264, vp8, vp9\n", text);
    return false;
}

static bool parse_address(struct serve *s, const char *text) {
    long number;
    if (!strchr(text, ':')) {
        if (!parse_number("--listen", text, 0, UINT16_MAX, &number))
            return false;
        s->serve.port = (uint16_t)number;
        return true;
    }
    if (parse_listen(text, s->host, sizeof s->host, &s->serve.port))
        return true;
    fprintf(stderr, "rmrtc serve: --listen: \"%s\" is not [ADDR:]PORT\n", text);
    return false;
}

static bool parse_stun(struct serve *s, const char *text) {
    free(s->stun);
    s->config.stun_server_count = 0;
    s->stun = strdup(text);
    for (char *at = s->stun, *rest; at && *at; at = rest) {
        if ((rest = strchr(at, ',')))
            *rest++ = '\0';
        if (s->config.stun_server_count == RM_SERVERS_MAX) {
            fprintf(stderr, "rmrtc serve: --stun-servers: at most %d\n", RM_SERVERS_MAX);
            return false;
        }
        s->config.stun_servers[s->config.stun_server_count++] = at;
    }
    return s->stun != NULL;
}

static bool parse_peers(struct serve *s, const char *option, const char *text) {
    long number;
    if (!parse_number(option, text, 1, RM_PEERS_MAX, &number))
        return false;
    s->config.max_peers = (uint32_t)number;
    return true;
}

static bool parse_jitter(struct serve *s, const char *option, const char *text) {
    long number;
    if (!parse_number(option, text, 50, 200, &number)) /* RemoteMedia's range */
        return false;
    s->config.jitter_buffer_size_ms = (uint32_t)number;
    return true;
}

static bool read_environment(struct serve *s) {
    const char *value;
    s->manifest = getenv("WEBRTC_PIPELINE_MANIFEST");
    return (!(value = getenv("WEBRTC_MAX_PEERS")) || parse_peers(s, "WEBRTC_MAX_PEERS", value)) &&
           (!(value = getenv("WEBRTC_JITTER_BUFFER_MS")) || parse_jitter(s, "WEBRTC_JITTER_BUFFER_MS", value)) &&
           (!(value = getenv("WEBRTC_ENABLE_DATA_CHANNEL")) ||
            parse_flag("WEBRTC_ENABLE_DATA_CHANNEL", value, &s->config.enable_data_channel)) &&
           (!(value = getenv("WEBRTC_MODE")) || parse_mode("WEBRTC_MODE", value));
}

static bool add_to_list(const char *option, const char **list, size_t *count, size_t max, const char *value) {
    if (*count == max) {
        fprintf(stderr, "rmrtc serve: %s: at most %zu\n", option, max);
        return false;
    }
    list[(*count)++] = value;
    return true;
}

static bool add_turn(struct serve *s, const char *url) {
    if (s->config.turn_server_count == RM_SERVERS_MAX) {
        fprintf(stderr, "rmrtc serve: --turn: at most %d\n", RM_SERVERS_MAX);
        return false;
    }
    s->config.turn_servers[s->config.turn_server_count++].url = url;
    return true;
}

static bool set_option(struct serve *s, int o, const char *value) {
    switch (o) {
    case 'l':
        return parse_address(s, value);
    case 'f':
        s->manifest = value;
        return true;
    case 'n':
        return parse_peers(s, "--max-peers", value);
    case 't':
        s->serve.token = value;
        return true;
    case 'c':
        s->serve.cert_file = value;
        return true;
    case 'k':
        s->serve.key_file = value;
        return true;
    case 's':
        return parse_stun(s, value);
    case 'T':
        return add_turn(s, value);
    case 'b':
        s->config.bind_address = value;
        return true;
    case 'j':
        return parse_jitter(s, "--jitter-buffer-ms", value);
    case 'A':
        return parse_audio_frame(s, value);
    case 'C':
        return parse_codec(value, &s->config.video_codec);
    case 'd':
        return parse_flag("--enable-data-channel", value, &s->config.enable_data_channel);
    case 'L':
        return add_to_list("--load", s->loads, &s->load_count, LOADS_MAX, value);
    case 'm':
        return parse_mode("--mode", value);
    case 'v':
        s->config.log_level = RM_LOG_DEBUG;
        return true;
    default:
        fputs(help, stderr);
        return false;
    }
}

/* False: the message is printed. */
static bool check(const struct serve *s) {
    char faults[1024];
    if (!s->manifest)
        fprintf(stderr, "rmrtc serve: a MANIFEST is needed, e.g. examples/pipelines/echo.yaml\n");
    else if (!s->serve.cert_file != !s->serve.key_file)
        fprintf(stderr, "rmrtc serve: --cert and --key go together\n");
    else if (rm_webrtc_config_check(&s->config, faults, sizeof faults))
        fprintf(stderr, "rmrtc serve:\n%s", faults);
    else
        return true;
    return false;
}

static int run(int argc, char **argv) {
    static const struct option options[] = {{"listen", required_argument, NULL, 'l'},
                                            {"manifest", required_argument, NULL, 'f'},
                                            {"max-peers", required_argument, NULL, 'n'},
                                            {"token", required_argument, NULL, 't'},
                                            {"cert", required_argument, NULL, 'c'},
                                            {"key", required_argument, NULL, 'k'},
                                            {"stun-servers", required_argument, NULL, 's'},
                                            {"turn", required_argument, NULL, 'T'},
                                            {"bind", required_argument, NULL, 'b'},
                                            {"jitter-buffer-ms", required_argument, NULL, 'j'},
                                            {"audio-frame", required_argument, NULL, 'A'},
                                            {"video-codec", required_argument, NULL, 'C'},
                                            {"enable-data-channel", required_argument, NULL, 'd'},
                                            {"load", required_argument, NULL, 'L'},
                                            {"mode", required_argument, NULL, 'm'},
                                            {"verbose", no_argument, NULL, 'v'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct serve s = {.host = "127.0.0.1"};
    rm_webrtc_config_init(&s.config);
    rm_serve_config_init(&s.serve);
    s.config.audio_frame_us = SDK_AUDIO_FRAME_US;
    s.serve.address = s.host;
    bool ok = read_environment(&s);
    int o;
    while (ok && (o = getopt_long(argc, argv, "hm:", options, NULL)) != -1) {
        if (o == 'h') {
            fputs(help, stdout);
            free(s.stun);
            return EXIT_SUCCESS;
        }
        ok = set_option(&s, o, optarg);
    }
    if (ok && optind < argc)
        s.manifest = argv[optind++];
    if (ok && optind < argc) {
        fprintf(stderr, "rmrtc serve: unexpected argument \"%s\"\n", argv[optind]);
        ok = false;
    }
    const int code = ok && check(&s) ? serve(&s) : EXIT_USAGE;
    free(s.stun);
    return code;
}

const struct command cmd_serve = {"serve", "serve a pipeline to the clients of the RemoteMedia SDK", run};
