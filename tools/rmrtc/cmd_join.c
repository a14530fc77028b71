/* SPDX-License-Identifier: Apache-2.0 */
#include "rmrtc.h"
#include "view.h"

#include "io/loop.h"
#include <getopt.h>
#include <poll.h>
#include <remotemedia/webrtc.h>
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
    "  --video-codec C    vp9 (default), vp8 or h264 first\n"
    "  --duration S       leave after S seconds\n"
    "  --until-connected N  leave as soon as N peers are connected\n"
    "  --json             one JSON line a second and a summary at the end, nothing else on standard output\n";

struct join {
    rm_webrtc_config config;
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
    case 'v':
        if (parse_codec(arg, &j->config.video_codec))
            return true;
        fprintf(stderr, "rmrtc join: --video-codec: \"%s\" is none of vp9, vp8, h264\n", arg);
        return false;
    case 'd':
        return parse_number("--duration", arg, 1, 30L * 24 * 3600, &j->duration_s);
    case 'u':
        return parse_number("--until-connected", arg, 1, RM_PEERS_MAX, &j->until_connected);
    case 'j':
        j->json = true;
        return true;
    default:
        fputs(help, stderr);
        return false;
    }
}

/* Takes every waiting event. False: the transport has stopped. */
static bool take_events(rm_webrtc *t, struct view *view) {
    rm_event ev;
    rm_err err;
    while ((err = rm_webrtc_poll(t, &ev, 0)) == RM_OK)
        view_event(view, &ev);
    return err == RM_E_AGAIN;
}

static int watch(struct join *j, rm_webrtc *t, int signal_fd) {
    struct view view;
    view_init(&view, t, j->json);
    int64_t start = rmi_now_us(), next_line = start + 1000000;
    bool leaving = false;
    for (;;) {
        if (!take_events(t, &view))
            break;
        int64_t now = rmi_now_us();
        view_refresh(&view);
        bool over = (j->duration_s && now - start >= j->duration_s * 1000000) || view.signaling_failed ||
                    (j->until_connected && view.connected_now >= (size_t)j->until_connected);
        if (over && !leaving) {
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
        poll(p, leaving ? 1 : 2, wait_us > 0 ? (int)(wait_us / 1000) + 1 : 0);
        if (!leaving && (p[1].revents & POLLIN)) {
            leaving = true;
            view_finish(&view);
            rm_webrtc_shutdown(t);
        }
    }
    view_summary(&view);
    return view.ever_connected ? EXIT_SUCCESS : EXIT_FAILURE;
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
                                            {"video-codec", required_argument, NULL, 'v'},
                                            {"duration", required_argument, NULL, 'd'},
                                            {"until-connected", required_argument, NULL, 'u'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct join j = {0};
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
    int signal_fd = open_signal_fd();
    rm_webrtc *t = NULL;
    rm_err err = rm_webrtc_create(&j.config, &t);
    if (!err)
        err = rm_webrtc_start(t);
    int code = EXIT_FAILURE;
    if (err)
        fprintf(stderr, "rmrtc join: %s\n", rm_strerror(err));
    else
        code = watch(&j, t, signal_fd);
    rm_webrtc_destroy(&t);
    close(signal_fd);
    return code;
}

const struct command cmd_join = {"join", "join a room and connect to every peer in it", run};
