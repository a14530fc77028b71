/* SPDX-License-Identifier: Apache-2.0 */
#include "echo.h"
#include "file_receive.h"
#include "file_wire.h"
#include "mix.h"
#include "pipeline.h"
#include "png_write.h"
#include "publish.h"
#include "rmrtc.h"
#include "sink.h"
#include "stamp.h"
#include "view.h"

#include "base/time.h"
#include "io/loop.h"
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <remotemedia/webrtc_data.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "usage: rmrtc join URL [OPTIONS]\n"
    "\n"
    "Join a room on the signaling server at URL (ws:// or wss://) and connect to everybody in it. Shows a line for "
    "each\n"
    "peer with the time of each step. Ends on Ctrl-C; the exit code is 0 only if a peer was connected.\n"
    "\n"
    "  --peer-id ID       our id, 1..64 characters of A-Z a-z 0-9 _ -; default: a random one\n"
    "  --room R           room to join; default: the server's common room\n"
    "  --token TEXT       access token for the server\n"
    "  --stun URL         stun:HOST[:PORT], up to 8 times; none is needed on a LAN\n"
    "  --turn URL         turn:USER:PASSWORD@HOST[:PORT], up to 8 times\n"
    "  --relay-only       use TURN relays only\n"
    "  --bind ADDRESS     use this local address only\n"
    "  --ca FILE          PEM authorities to trust for wss://\n"
    "  --max-peers N      connections at once, 1..64; default 10; who is one too many is told so\n"
    "  --allow-peers IDS  connect with these only, separated by commas; default everybody\n"
    "  --deny-peers IDS   connect with none of these; goes before --allow-peers\n"
    "\n"
    "media:\n"
    "  --publish SOURCE   send \"test\" (a moving picture and sound) or a media file in a loop\n"
    "  --stamp            write the time into a file's pictures and sound, so that receivers can tell their age\n"
    "  --settle S         leave out the ages of the first S seconds with pictures; default 0\n"
    "  --pipeline FILE    run each peer's media through a session of this manifest (JSON or YAML) and send it back\n"
    "  --mix              be the conference: each peer hears the sum of all others and of --publish; what is recorded\n"
    "                     is the sum of all. Others join with --allow-peers and our id, else they also hear each "
    "other\n"
    "                     directly. With --pipeline: that manifest, in one session for all peers\n"
    "  --receive WHAT     audio, video, none or all (default) of what peers send, e.g. all,180p for small pictures: "
    "what\n"
    "                     is not taken is not decoded, and peers are asked not to send it\n"
    "  --load FILE.so     node types from a shared object, up to 8 times\n"
    "  --record FILE      write what is received (.mkv .mp4 .webm ...)\n"
    "  --snapshot FILE    the last received picture as PNG, when leaving\n"
    "  --snapshot-sent FILE  the sent picture that one was made of (by its stamp; else the last one)\n"
    "  --video-codec C    h264 (default), vp8 or vp9 first\n"
    "  --bitrate KBPS     of video, 50..50000; default 2000; falls below when peers report losses\n"
    "  --size WxH         of the test picture, or to scale a file to\n"
    "  --fps N            1..60; default 30, or the file's up to that\n"
    "  --audio-frame MS   length of sound packets: 5, 10 (default) or 20\n"
    "  --jitter-buffer MS ceiling of the receivers' delay, 50..200; default 50\n"
    "  --preset NAME      low-latency, high-quality or mobile-network; later options change it\n"
    "  --no-audio, --no-video\n"
    "\n"
    "  --allow-control PEERS  ids separated by commas, or \"*\": who may change the pipeline session it has here\n"
    "                     (`rmrtc control`); default nobody\n"
    "  --echo             send every message of a data channel back\n"
    "  --save-files DIR   store files that peers send (`rmrtc send --file`); none is replaced\n"
    "  --save-max MB      of one file, 1..1000000; default 4294\n"
    "  --await-picture    leave as soon as a picture has come\n"
    "  --duration S       leave after S seconds\n"
    "  --until-connected N  leave as soon as N peers are connected\n"
    "  --json             one JSON line a second and a summary at the end, nothing else on standard output\n";

#define LOADS_MAX 8
#define SETTLE_MAX_S 3600
#define RECEIVE_HEIGHT_MAX 4096
#define DEFAULT_CHUNK_MS 10 /* as the default packets */

struct join {
    rm_webrtc_config config;
    struct publisher_config publish;
    const char *pipeline, *record, *snapshot, *snapshot_sent, *loads[LOADS_MAX];
    size_t load_count;
    bool await_picture, echo, mix;
    rm_subscription receive;
    const char *save_files;
    long save_max_mb;            /* 0: the default */
    struct echo *channel_echo;   /* of channels but "control" */
    struct file_receiver *files; /* NULL: none are stored */
    rm_webrtc *transport;        /* for callbacks */
    struct sink *sink;
    struct publisher *publisher;
    long settle_s;
    long duration_s;      /* 0 = until a signal */
    long until_connected; /* 0 = not used */
    bool json;
};

static bool parse_codec(const char *text, rm_video_codec *out) {
    if (!strcmp(text, "vp9"))
        *out = RM_VIDEO_VP9;
    else if (!strcmp(text, "vp8"))
        *out = RM_VIDEO_VP8;
    else if (!strcmp(text, "h264"))
        *out = RM_VIDEO_H264;
    else
        return false;
    return true;
}

static bool add_server(struct join *j, bool turn, const char *url) {
    rm_webrtc_config *c = &j->config;
    size_t *count = turn ? &c->turn_server_count : &c->stun_server_count;
    if (*count == RM_SERVERS_MAX) {
        fprintf(stderr, "rmrtc join: at most %d %s servers\n", RM_SERVERS_MAX, turn ? "TURN" : "STUN");
        return false;
    }
    if (turn)
        c->turn_servers[(*count)++].url = url;
    else
        c->stun_servers[(*count)++] = url;
    return true;
}

static bool parse_preset(struct join *j, const char *name) {
    static const struct {
        const char *name;
        void (*init)(rm_webrtc_config *);
    } presets[] = {{"low-latency", rm_webrtc_config_init_low_latency},
                   {"high-quality", rm_webrtc_config_init_high_quality},
                   {"mobile-network", rm_webrtc_config_init_mobile_network}};
    for (size_t i = 0; i < sizeof presets / sizeof presets[0]; i++)
        if (!strcmp(name, presets[i].name)) {
            presets[i].init(&j->config);
            return true;
        }
    fprintf(stderr, "rmrtc join: --preset: \"%s\" is none of low-latency, high-quality, mobile-network\n", name);
    return false;
}

/* A number option into a 32-bit field. */
static bool set_number(const char *name, const char *arg, long lo, long hi, long factor, uint32_t *out) {
    long v;
    if (!parse_number(name, arg, lo, hi, &v))
        return false;
    *out = (uint32_t)(v * factor);
    return true;
}

static bool set_media_number(struct join *j, int o, const char *arg) {
    switch (o) {
    case 'B':
        return set_number("--bitrate", arg, 50, 50000, 1, &j->config.target_bitrate_kbps);
    case 'F':
        return set_number("--fps", arg, 1, 60, 1, &j->publish.fps) &&
               set_number("--fps", arg, 1, 60, 1, &j->config.video_framerate_fps);
    case 'A':
        return set_number("--audio-frame", arg, 5, 20, 1, &j->publish.audio_chunk_ms) &&
               set_number("--audio-frame", arg, 5, 20, 1000, &j->config.audio_frame_us);
    case 'Z':
        return parse_number("--settle", arg, 0, SETTLE_MAX_S, &j->settle_s);
    case 'J':
        return set_number("--jitter-buffer", arg, 50, 200, 1, &j->config.jitter_buffer_size_ms);
    default:
        fputs(help, stderr);
        return false;
    }
}

/* WHAT[,HEIGHTp]. Bits are not limited: those of pictures of that size are what peers have for them. */
static bool parse_receive(const char *arg, rm_subscription *out) {
    static const struct {
        const char *name;
        bool audio, video;
    } kinds[] = {{"all", true, true}, {"audio", true, false}, {"video", false, true}, {"none", false, false}};
    const size_t len = strcspn(arg, ",");
    int height = 0, end = 0;
    const bool limited = arg[len] == ',';
    const bool ok = !limited || (sscanf(arg + len, ",%5dp%n", &height, &end) == 1 && end > 0 &&
                                 !arg[len + (size_t)end] && height >= STAMP_HEIGHT_MIN && height <= RECEIVE_HEIGHT_MAX);
    for (size_t i = 0; ok && i < sizeof kinds / sizeof kinds[0]; i++)
        if (strlen(kinds[i].name) == len && !strncmp(arg, kinds[i].name, len)) {
            *out = (rm_subscription){.audio = kinds[i].audio, .video = kinds[i].video};
            if (limited)
                out->max = (rm_quality){.tier = RM_TIER_CUSTOM,
                                        .bitrate_kbps = RM_ROUTER_BITRATE_KBPS_MAX,
                                        .width = (uint32_t)height * 16 / 9,
                                        .height = (uint32_t)height};
            return true;
        }
    fprintf(stderr, "rmrtc join: --receive: \"%s\" is none of all, audio, video, none, with ,%dp .. ,%dp behind it\n",
            arg, STAMP_HEIGHT_MIN, RECEIVE_HEIGHT_MAX);
    return false;
}

static bool set_media_option(struct join *j, int o, const char *arg) {
    switch (o) {
    case 'P':
        j->publish.source = arg;
        return true;
    case 'T':
        j->publish.stamp = true;
        return true;
    case 'L':
        j->pipeline = arg;
        return true;
    case 'I':
        j->mix = true;
        return true;
    case 'W':
        return parse_receive(arg, &j->receive);
    case 'l':
        if (j->load_count < LOADS_MAX)
            j->loads[j->load_count++] = arg;
        return true;
    case 'O':
        j->record = arg;
        return true;
    case 'S':
        j->snapshot = arg;
        return true;
    case 'N':
        j->snapshot_sent = arg;
        return true;
    case 'v':
        if (parse_codec(arg, &j->config.video_codec))
            return true;
        fprintf(stderr, "rmrtc join: --video-codec: \"%s\" is none of vp9, vp8, h264\n", arg);
        return false;
    case 'X':
        return parse_size("--size", arg, STAMP_WIDTH_MIN, STAMP_HEIGHT_MIN, &j->publish.width, &j->publish.height);
    case 'E':
        return parse_preset(j, arg);
    case 'x':
        j->config.enable_audio = false;
        return true;
    case 'y':
        j->config.enable_video = false;
        return true;
    case 'w':
        j->await_picture = true;
        return true;
    case 'e':
        j->echo = true;
        return true;
    case 'G':
        j->config.control_peers = arg;
        return true;
    case 'D':
        j->save_files = arg;
        return true;
    case 'M':
        return parse_number("--save-max", arg, 1, 1000000, &j->save_max_mb);
    default:
        return set_media_number(j, o, arg);
    }
}

static bool parse_count(const char *option, const char *arg, long most, uint32_t *out) {
    long number;
    if (!parse_number(option, arg, 1, most, &number))
        return false;
    *out = (uint32_t)number;
    return true;
}

/* False: the message is printed. */
static bool set_option(struct join *j, int o, const char *arg) {
    switch (o) {
    case 'p':
        j->config.peer_id = arg;
        return true;
    case 'r':
        j->config.room = arg;
        return true;
    case 'k':
        j->config.token = arg;
        return true;
    case 's':
        return add_server(j, false, arg);
    case 't':
        return add_server(j, true, arg);
    case 'R':
        j->config.relay_only = true;
        return true;
    case 'b':
        j->config.bind_address = arg;
        return true;
    case 'c':
        j->config.ca_file = arg;
        return true;
    case 'd':
        return parse_number("--duration", arg, 1, 30L * 24 * 3600, &j->duration_s);
    case 'u':
        return parse_number("--until-connected", arg, 1, RM_PEERS_MAX, &j->until_connected);
    case 'm':
        return parse_count("--max-peers", arg, RM_PEERS_MAX, &j->config.max_peers);
    case 'a':
        j->config.allowed_peers = arg;
        return true;
    case 'n':
        j->config.denied_peers = arg;
        return true;
    case 'j':
        j->json = true;
        return true;
    default:
        return set_media_option(j, o, arg);
    }
}

/* What a pipeline puts out, for the table, recordings and snapshots. */
static void on_output(const char *peer_id, const rm_transport_data *output, void *user) {
    struct join *j = user;
    sink_media(peer_id, output->data, j->sink);
}

static void on_media(const char *peer_id, rm_runtime_data *data, void *user) {
    struct join *j = user;
    sink_media(peer_id, data, j->sink);
}

static void on_message(const char *peer_id, const char *label, rm_runtime_data *message, void *user) {
    struct join *j = user;
    rm_err err = rm_webrtc_send_message(j->transport, peer_id, message);
    if (err)
        fprintf(stderr, "rmrtc join: --echo: %s on %s: %s\n", peer_id, label, rm_strerror(err));
}

static void on_channel_data(const char *peer_id, uint16_t channel, const char *label, bool binary, const uint8_t *data,
                            size_t size, void *user) {
    struct join *j = user;
    if (!strcmp(label, FILE_CHANNEL) && j->files)
        file_receiver_data(j->files, peer_id, channel, binary, data, size);
    else if (j->channel_echo)
        echo_data(j->channel_echo, j->transport, peer_id, channel, binary, data, size);
}

/* Takes every waiting event. False: the transport has stopped. */
static bool take_events(struct join *j, struct view *view) {
    rm_event ev;
    rm_err err;
    while ((err = rm_webrtc_poll(j->transport, &ev, 0)) == RM_OK) {
        view_event(view, &ev);
        if (j->channel_echo)
            echo_event(j->channel_echo, j->transport, &ev);
        if (j->files)
            file_receiver_event(j->files, &ev);
    }
    return err == RM_E_AGAIN;
}

static bool is_over(const struct join *j, const struct view *view, int64_t run_us) {
    return (j->duration_s && run_us >= j->duration_s * 1000000) || view->signaling_failed ||
           (j->until_connected && view->connected_now >= (size_t)j->until_connected) ||
           (j->await_picture && view->received.pictures > 0) ||
           (j->publisher && publisher_failed(j->publisher, NULL, 0));
}

/* What has ended in vain, once the picture is over or while it runs. */
static bool media_failed(struct join *j, struct view *view) {
    char detail[RM_RUN_DETAIL_MAX];
    bool failed = false;
    if (j->publisher && publisher_failed(j->publisher, detail, sizeof detail)) {
        fprintf(stderr, "rmrtc join: --publish: %s\n", detail);
        failed = true;
    }
    if (view->received.record_error) {
        fprintf(stderr, "rmrtc join: --record: %s\n", view->received.record_detail);
        failed = true;
    }
    return failed;
}

static int watch(struct join *j, rm_webrtc *t, int signal_fd) {
    struct view view;
    view_init(&view, t, j->json);
    view.sink = j->sink;
    view.publisher = j->publisher;
    view.settle_us = RMI_SEC(j->settle_s);
    int64_t start = rmi_now_us(), next_line = start + 1000000;
    bool leaving = false;
    for (;;) {
        if (!take_events(j, &view))
            break;
        int64_t now = rmi_now_us();
        view_refresh(&view);
        if (!leaving && is_over(j, &view, now - start)) {
            leaving = true;
            view_finish(&view); /* the last picture, while connections still stand */
            rm_webrtc_shutdown(t);
        }
        if (!leaving && now >= next_line) {
            view_tick(&view, now - start);
            next_line += 1000000;
        }
        int64_t wait_us = next_line - now;
        if (!leaving && j->duration_s && start + j->duration_s * 1000000 - now < wait_us)
            wait_us = start + j->duration_s * 1000000 - now;
        struct pollfd p[2] = {{.fd = rm_webrtc_fd(t), .events = POLLIN}, {.fd = signal_fd, .events = POLLIN}};
        int wait_ms = wait_us > 0 ? (int)(wait_us / 1000) + 1 : 0;
        poll(p, leaving ? 1 : 2, leaving ? -1 : wait_ms); /* leaving: until the transport says that it has stopped */
        if (!leaving && (p[1].revents & POLLIN)) {
            leaving = true;
            view_finish(&view);
            rm_webrtc_shutdown(t);
        }
    }
    view_summary(&view);
    bool failed = media_failed(j, &view);
    return view.ever_connected && !failed ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- data channels ---- */

/* False: the message is printed. */
static bool open_channels(struct join *j) {
    char detail[RM_DETAIL_MAX] = "";
    rm_err err = RM_OK;
    if (j->save_files)
        err = file_receiver_create(j->save_files,
                                   j->save_max_mb ? (uint64_t)j->save_max_mb * 1000000 : FILE_SIZE_MAX_DEFAULT,
                                   &j->files, detail, sizeof detail);
    if (!err && j->echo && !(j->channel_echo = echo_create()))
        err = RM_E_NO_MEMORY;
    if (err)
        fprintf(stderr, "rmrtc join: --save-files: %s\n", detail[0] ? detail : rm_strerror(err));
    j->config.on_message = j->echo ? on_message : NULL;
    j->config.on_channel_data = j->echo || j->files ? on_channel_data : NULL;
    return !err;
}

/* ---- media ---- */

/* False: the message is printed. */
static bool open_sink(struct join *j) {
    char detail[RM_DETAIL_MAX] = "";
    struct sink_config sc = {.record = j->record};
    rm_err err = sink_create(&sc, &j->sink, detail, sizeof detail);
    if (err)
        fprintf(stderr, "rmrtc join: %s\n", detail[0] ? detail : rm_strerror(err));
    j->config.user = j;
    j->config.on_media = j->pipeline || j->mix ? NULL : on_media;
    j->config.on_output = j->pipeline && !j->mix ? on_output : NULL;
    return !err;
}

/* The pipeline of each peer, or one for all. False: the message is printed. */
static bool open_pipeline(struct join *j, rm_webrtc *t) {
    const struct mix_config mc = {
        .command = "join", .pipeline = j->pipeline, .loads = j->loads, .load_count = j->load_count, .sink = j->sink};
    if (j->mix)
        return mix_open(t, &mc, &j->publish.mix);
    return !j->pipeline || pipeline_set("join", t, j->pipeline, j->loads, j->load_count);
}

static bool open_publisher(struct join *j, rm_webrtc *t) {
    if (!j->publish.source)
        return true;
    char detail[RM_RUN_DETAIL_MAX];
    j->publish.transport = t;
    j->publish.audio = j->config.enable_audio;
    j->publish.video = j->config.enable_video;
    j->publish.keep = j->snapshot_sent != NULL;
    rm_err err = publisher_start(&j->publish, &j->publisher, detail, sizeof detail);
    if (err)
        fprintf(stderr, "rmrtc join: --publish: %s\n", detail);
    return !err;
}

static bool save(const char *path, rm_runtime_data *picture, const char *which) {
    bool ok = false;
    if (!picture)
        fprintf(stderr, "rmrtc join: %s: no picture was %s\n", path, which);
    else if (png_write(path, rm_runtime_data_video(picture)))
        fprintf(stderr, "rmrtc join: %s could not be written: %s\n", path, strerror(errno));
    else
        ok = true;
    rm_runtime_data_unref(&picture);
    return ok;
}

static bool save_snapshots(struct join *j) {
    bool ok = true;
    rm_runtime_data *received = sink_last_picture(j->sink);
    const rm_video *like = received ? rm_runtime_data_video(received) : NULL;
    if (j->snapshot_sent && j->publisher)
        ok = save(j->snapshot_sent, publisher_picture(j->publisher, like), "sent");
    if (j->snapshot)
        ok = save(j->snapshot, received, "received") && ok;
    else
        rm_runtime_data_unref(&received);
    return ok;
}

static int join(struct join *j) {
    int signal_fd = open_signal_fd();
    rm_webrtc *t = NULL;
    if (!open_sink(j) || !open_channels(j)) {
        file_receiver_destroy(&j->files);
        sink_destroy(&j->sink);
        close(signal_fd);
        return EXIT_FAILURE;
    }
    rm_err err = rm_webrtc_create(&j->config, &t);
    bool ok = !err && open_pipeline(j, t);
    j->transport = t;
    if (ok && j->files)
        file_receiver_start(j->files, t);
    if (ok)
        err = rm_webrtc_subscribe(t, NULL, &j->receive);
    if (ok && !err)
        err = rm_webrtc_start(t);
    if (err)
        fprintf(stderr, "rmrtc join: %s\n", rm_strerror(err));
    int code = EXIT_FAILURE;
    if (ok && !err && open_publisher(j, t)) {
        code = watch(j, t, signal_fd);
        if (!save_snapshots(j))
            code = EXIT_FAILURE;
    }
    publisher_stop(&j->publisher);
    file_receiver_stop(j->files);
    rm_webrtc_destroy(&t);
    file_receiver_destroy(&j->files);
    echo_destroy(&j->channel_echo);
    sink_destroy(&j->sink);
    close(signal_fd);
    return code;
}

static int run(int argc, char **argv) {
    static const struct option options[] = {{"peer-id", required_argument, NULL, 'p'},
                                            {"room", required_argument, NULL, 'r'},
                                            {"token", required_argument, NULL, 'k'},
                                            {"stun", required_argument, NULL, 's'},
                                            {"turn", required_argument, NULL, 't'},
                                            {"relay-only", no_argument, NULL, 'R'},
                                            {"bind", required_argument, NULL, 'b'},
                                            {"ca", required_argument, NULL, 'c'},
                                            {"max-peers", required_argument, NULL, 'm'},
                                            {"allow-peers", required_argument, NULL, 'a'},
                                            {"deny-peers", required_argument, NULL, 'n'},
                                            {"video-codec", required_argument, NULL, 'v'},
                                            {"duration", required_argument, NULL, 'd'},
                                            {"until-connected", required_argument, NULL, 'u'},
                                            {"publish", required_argument, NULL, 'P'},
                                            {"stamp", no_argument, NULL, 'T'},
                                            {"settle", required_argument, NULL, 'Z'},
                                            {"pipeline", required_argument, NULL, 'L'},
                                            {"mix", no_argument, NULL, 'I'},
                                            {"receive", required_argument, NULL, 'W'},
                                            {"load", required_argument, NULL, 'l'},
                                            {"record", required_argument, NULL, 'O'},
                                            {"snapshot", required_argument, NULL, 'S'},
                                            {"snapshot-sent", required_argument, NULL, 'N'},
                                            {"bitrate", required_argument, NULL, 'B'},
                                            {"size", required_argument, NULL, 'X'},
                                            {"fps", required_argument, NULL, 'F'},
                                            {"audio-frame", required_argument, NULL, 'A'},
                                            {"jitter-buffer", required_argument, NULL, 'J'},
                                            {"preset", required_argument, NULL, 'E'},
                                            {"no-audio", no_argument, NULL, 'x'},
                                            {"no-video", no_argument, NULL, 'y'},
                                            {"await-picture", no_argument, NULL, 'w'},
                                            {"echo", no_argument, NULL, 'e'},
                                            {"allow-control", required_argument, NULL, 'G'},
                                            {"save-files", required_argument, NULL, 'D'},
                                            {"save-max", required_argument, NULL, 'M'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct join j = {.publish = {.audio_chunk_ms = DEFAULT_CHUNK_MS}, .receive = {.audio = true, .video = true}};
    rm_webrtc_config_init(&j.config);
    int o;
    while ((o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (o == 'h') {
            fputs(help, stdout);
            return EXIT_SUCCESS;
        }
        if (!set_option(&j, o, optarg))
            return EXIT_USAGE;
    }
    if (optind + 1 != argc) {
        fprintf(stderr, "rmrtc join: exactly one URL is needed, e.g. ws://127.0.0.1:8080/ws\n");
        return EXIT_USAGE;
    }
    j.config.signaling_url = argv[optind];
    char faults[1024];
    if (rm_webrtc_config_check(&j.config, faults, sizeof faults)) {
        fprintf(stderr, "rmrtc join:\n%s", faults);
        return EXIT_USAGE;
    }
    return join(&j);
}

const struct command cmd_join = {"join", "join a room and connect to every peer in it", run};
