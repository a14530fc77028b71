/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"
#include "rmrtc.h"
#include "stamp.h"

#include "base/time.h"
#include "bench.h"
#include "io/loop.h"
#include "webrtc/signaling_thread.h"
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_PEERS 10
#define DEFAULT_DURATION_S 10
#define DEFAULT_WIDTH 320
#define DEFAULT_HEIGHT 180
#define DEFAULT_FPS 15
#define DEFAULT_KBPS 150
#define DEFAULT_CHUNK_MS 10
#define CONNECT_MS 30000 /* ICE gives up far earlier, and a try or two after that are over */
#define SETTLE_MS 2000   /* left out of the figures: first key frames, jitter buffers that adapt */
#define LOOK_MS 100
#define LINE_EVERY_US RMI_SEC(5) /* where there is no terminal */

static const char help[] =
    "usage: rmrtc load [URL] [OPTIONS]\n"
    "\n"
    "Participants in this one process join a room on the signaling server at URL and connect to one another, as so "
    "many\n"
    "processes would. Without URL there is a server of its own for as long as it runs. In the end it prints a line "
    "for\n"
    "each with the time to its last connection, rates, loss, ages of the sound and pictures that came, and the lowest\n"
    "score of its connections; then CPU time and memory of all. The exit code is 0 only if all pairs were connected.\n"
    "\n"
    "  --peers N          1..64; default 10\n"
    "  --publish SOURCE   everybody sends \"test\" or a media file in a loop; default: only connections are made.\n"
    "                     It is drawn or read once for all, and encoded by each\n"
    "  --duration S       how long after all are connected; default 10\n"
    "  --room R           default: the server's common room\n"
    "  --size WxH         of the pictures; default 320x180\n"
    "  --fps N            1..60; default 15\n"
    "  --bitrate KBPS     of video, 50..50000; default 150\n"
    "  --audio-frame MS   length of sound packets: 5, 10 (default) or 20\n"
    "  --no-audio, --no-video\n"
    "  --ramp MS          from one join to the next; default 0: all at once. Media begins with the last\n"
    "  --json             one JSON object for each participant and one with totals, nothing else on standard output\n"
    "\n"
    "Figures leave out the first two seconds. Ten participants are about what two cores carry.\n";

/* ---- options ---- */

static bool set_number(const char *name, const char *arg, long lo, long hi, uint32_t *out) {
    long v;
    if (!parse_number(name, arg, lo, hi, &v))
        return false;
    *out = (uint32_t)v;
    return true;
}

static bool set_peers(struct load *l, const char *arg) {
    long v;
    if (!parse_number("--peers", arg, 1, RM_PEERS_MAX, &v))
        return false;
    l->count = (size_t)v;
    return true;
}

static bool set_fps(struct load *l, const char *arg) {
    return set_number("--fps", arg, 1, 60, &l->publish.fps) &&
           set_number("--fps", arg, 1, 60, &l->config.video_framerate_fps);
}

static bool set_audio_frame(struct load *l, const char *arg) {
    if (!set_number("--audio-frame", arg, 5, 20, &l->publish.audio_chunk_ms))
        return false;
    l->config.audio_frame_us = l->publish.audio_chunk_ms * 1000;
    return true;
}

/* False: the message is printed. */
static bool set_option(struct load *l, int o, const char *arg) {
    switch (o) {
    case 'p':
        return set_peers(l, arg);
    case 'P':
        l->publish.source = arg;
        return true;
    case 'd':
        return parse_number("--duration", arg, 1, 30L * 24 * 3600, &l->duration_s);
    case 'r':
        l->config.room = arg;
        return true;
    case 'X':
        return parse_size("--size", arg, STAMP_WIDTH_MIN, STAMP_HEIGHT_MIN, &l->publish.width, &l->publish.height);
    case 'F':
        return set_fps(l, arg);
    case 'B':
        return set_number("--bitrate", arg, 50, 50000, &l->config.target_bitrate_kbps);
    case 'A':
        return set_audio_frame(l, arg);
    case 'R':
        return parse_number("--ramp", arg, 0, 60000, &l->ramp_ms);
    case 'x':
        l->config.enable_audio = false;
        return true;
    case 'y':
        l->config.enable_video = false;
        return true;
    case 'j':
        l->json = true;
        return true;
    default:
        fputs(help, stderr);
        return false;
    }
}

/* ---- participants ---- */

static void on_event(const rm_event *ev, void *user) {
    struct load_peer *p = user;
    if (ev->type == RM_EV_PEER_STATE && ev->peer_state == RM_PEER_CONNECTED)
        atomic_store(&p->last_connected_us, rmi_now_us());
    if (ev->err)
        atomic_store(&p->last_error, ev->err);
    if (ev->type == RM_EV_SIGNALING && ev->signaling == RM_SIGNALING_FAILED)
        atomic_store(&p->refused, true);
}

static void on_media(const char *peer_id, rm_runtime_data *data, void *user) {
    struct load_peer *p = user;
    sink_media(peer_id, data, p->sink);
}

static rm_err create_peer(struct load *l, size_t i) {
    static const struct sink_config none = {0};
    char detail[RM_DETAIL_MAX];
    struct load_peer *p = &l->peers[i];
    rm_webrtc_config c = l->config;
    snprintf(p->id, sizeof p->id, "load-%d-%zu", (int)getpid(), i + 1);
    c.peer_id = p->id;
    c.user = p;
    c.on_event = on_event;
    c.on_media = l->publish.source ? on_media : NULL;
    c.log_level = i ? RM_LOG_ERROR : RM_LOG_WARN; /* what they warn of, one warns of for all */
    rm_err err = sink_create(&none, &p->sink, detail, sizeof detail);
    return err ? err : rm_webrtc_create(&c, &p->t);
}

/* False: interrupted. */
static bool pause_ms(int signal_fd, int ms) {
    struct pollfd p = {.fd = signal_fd, .events = POLLIN};
    return poll(&p, 1, ms) <= 0;
}

static bool start_peers(struct load *l, int signal_fd) {
    rm_err err = RM_OK;
    bool go_on = true;
    for (size_t i = 0; !err && i < l->count; i++)
        err = create_peer(l, i);
    for (size_t i = 0; !err && go_on && i < l->count; i++) {
        l->peers[i].started_us = rmi_now_us();
        err = rm_webrtc_start(l->peers[i].t);
        go_on = i + 1 == l->count || !l->ramp_ms || pause_ms(signal_fd, (int)l->ramp_ms);
    }
    if (err)
        fprintf(stderr, "rmrtc load: %s\n", rm_strerror(err));
    return !err && go_on;
}

static bool start_publisher(struct load *l) {
    char detail[RM_RUN_DETAIL_MAX];
    if (!l->publish.source)
        return true;
    for (size_t i = 1; i < l->count; i++)
        l->others[i - 1] = l->peers[i].t;
    l->publish.transport = l->peers[0].t;
    l->publish.others = l->others;
    l->publish.other_count = l->count - 1;
    l->publish.audio = l->config.enable_audio;
    l->publish.video = l->config.enable_video;
    l->publish.stamp = true;
    rm_err err = publisher_start(&l->publish, &l->publisher, detail, sizeof detail);
    if (err)
        fprintf(stderr, "rmrtc load: --publish: %s\n", detail);
    return !err;
}

static void stop(struct load *l) {
    publisher_stop(&l->publisher);
    for (size_t i = 0; i < l->count; i++)
        rm_webrtc_shutdown(l->peers[i].t); /* all leave at once, not one after the other */
    for (size_t i = 0; i < l->count; i++) {
        rm_webrtc_destroy(&l->peers[i].t);
        sink_destroy(&l->peers[i].sink);
    }
}

/* ---- how far it is ---- */

struct line {
    bool tty;
    int64_t shown_us;
};

static size_t pairs(const struct load *l) {
    size_t ends = 0;
    for (size_t i = 0; i < l->count; i++)
        ends += load_connections(l, &l->peers[i]);
    return ends / 2;
}

static size_t pairs_wanted(const struct load *l) {
    return l->count * (l->count - 1) / 2;
}

static void show(struct line *line, const struct load *l, const char *text) {
    const int64_t now_us = rmi_now_us();
    if (now_us - line->shown_us < (line->tty ? RMI_SEC(1) : LINE_EVERY_US))
        return;
    line->shown_us = now_us;
    fprintf(stderr, "%s%zu of %zu pairs connected; %s%s", line->tty ? "\r\033[K" : "", pairs(l), pairs_wanted(l), text,
            line->tty ? "" : "\n");
}

/* Somebody will never be in the room. */
static bool anybody_refused(const struct load *l) {
    for (size_t i = 0; i < l->count; i++)
        if (atomic_load(&l->peers[i].refused))
            return true;
    return false;
}

/* False: interrupted, or it cannot be. */
static bool await_pairs(struct load *l, struct line *line, int signal_fd) {
    const int64_t end_us = rmi_now_us() + RMI_MS(CONNECT_MS);
    bool go_on = true;
    while (go_on && pairs(l) < pairs_wanted(l) && rmi_now_us() < end_us) {
        show(line, l, "connecting");
        go_on = pause_ms(signal_fd, LOOK_MS) && !anybody_refused(l);
    }
    return go_on;
}

static bool run_on(struct load *l, struct line *line, int signal_fd) {
    char text[128], totals[64];
    const int64_t end_us = l->begun_us + RMI_SEC(l->duration_s);
    int64_t now_us;
    bool go_on = true;
    while (go_on && (now_us = rmi_now_us()) < end_us) {
        load_totals_text(l, totals, sizeof totals);
        snprintf(text, sizeof text, "%lld of %ld s; %s", (long long)((now_us - l->begun_us) / RMI_SEC(1)),
                 l->duration_s, totals);
        show(line, l, text);
        go_on = pause_ms(signal_fd, (int)rmi_min64((end_us - now_us) / 1000 + 1, LOOK_MS));
    }
    return go_on;
}

static bool measure(struct load *l, int signal_fd) {
    struct line line = {.tty = isatty(STDERR_FILENO)};
    bool go_on = await_pairs(l, &line, signal_fd) && pause_ms(signal_fd, SETTLE_MS);
    if (go_on) {
        load_begin(l);
        run_on(l, &line, signal_fd);
    }
    if (line.tty && line.shown_us)
        fputs("\r\033[K", stderr);
    const bool all = pairs(l) == pairs_wanted(l);
    load_report(l);
    char detail[RM_RUN_DETAIL_MAX];
    const bool ended = l->publisher && publisher_failed(l->publisher, detail, sizeof detail);
    if (ended)
        fprintf(stderr, "rmrtc load: --publish: %s\n", detail);
    return all && !ended;
}

static int load(struct load *l) {
    struct rmi_signaling_thread server;
    const int signal_fd = open_signal_fd();
    if (l->own_server) {
        if (!bench_server_start(&server)) {
            close(signal_fd);
            return EXIT_FAILURE;
        }
        l->config.signaling_url = server.url;
        l->config.bind_address = "127.0.0.1";
    }
    bool ok = start_peers(l, signal_fd) && start_publisher(l) && measure(l, signal_fd);
    stop(l);
    if (l->own_server)
        rmi_signaling_thread_stop(&server);
    close(signal_fd);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void init(struct load *l) {
    l->count = DEFAULT_PEERS;
    l->duration_s = DEFAULT_DURATION_S;
    l->publish = (struct publisher_config){
        .width = DEFAULT_WIDTH, .height = DEFAULT_HEIGHT, .fps = DEFAULT_FPS, .audio_chunk_ms = DEFAULT_CHUNK_MS};
    rm_webrtc_config_init(&l->config);
    l->config.target_bitrate_kbps = DEFAULT_KBPS;
}

/* False: the message is printed. */
static bool take_url(struct load *l, int count, char **urls) {
    char faults[1024];
    if (count > 1) {
        fprintf(stderr, "rmrtc load: one URL at most, e.g. ws://127.0.0.1:8080/ws\n");
        return false;
    }
    l->own_server = count == 0;
    if (count)
        l->config.signaling_url = urls[0];
    if (l->count > l->config.max_peers)
        l->config.max_peers = RM_PEERS_MAX;
    if (!rm_webrtc_config_check(&l->config, faults, sizeof faults))
        return true;
    fprintf(stderr, "rmrtc load:\n%s", faults);
    return false;
}

static int run(int argc, char **argv) {
    static const struct option options[] = {
        {"peers", required_argument, NULL, 'p'},    {"publish", required_argument, NULL, 'P'},
        {"duration", required_argument, NULL, 'd'}, {"room", required_argument, NULL, 'r'},
        {"size", required_argument, NULL, 'X'},     {"fps", required_argument, NULL, 'F'},
        {"bitrate", required_argument, NULL, 'B'},  {"audio-frame", required_argument, NULL, 'A'},
        {"no-audio", no_argument, NULL, 'x'},       {"no-video", no_argument, NULL, 'y'},
        {"ramp", required_argument, NULL, 'R'},     {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0}};
    struct load *l = calloc(1, sizeof *l);
    if (!l)
        return EXIT_FAILURE;
    init(l);
    int o, code = -1;
    while (code < 0 && (o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (o == 'h') {
            fputs(help, stdout);
            code = EXIT_SUCCESS;
        } else if (!set_option(l, o, optarg))
            code = EXIT_USAGE;
    }
    if (code < 0)
        code = take_url(l, argc - optind, argv + optind) ? load(l) : EXIT_USAGE;
    free(l);
    return code;
}

const struct command cmd_load = {"load", "many participants in one process, and what they take", run};
