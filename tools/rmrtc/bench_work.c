/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of work done: CPU time, and memory of decoders. Everything at the pace of a camera: encoding without pauses
 * takes up to half less (measured). */
#include "bench_call.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BEGIN_MS                                                                                                       \
    2500 /* left out: connecting, a key frame (two seconds at most of an encoded loop), the rate control settling */
#define CALL_MS 5000
#define SENDERS 4

enum side { SIDE_A, SIDE_B };

/* Medians of CPU in percent of one core, and of pictures a second. */
struct work {
    double cpu, drawing, fps, bps;
};

/* One run. */
static bool work_once(const char *const *a, const char *const *b, enum side side, struct work *out) {
    struct bench_call c;
    struct bench_window w;
    if (!bench_call_start(&c, a, b))
        return false;
    struct bench_child *child = side == SIDE_A ? &c.a : &c.b;
    json_decref(bench_child_ask(&c.a, "connected"));
    bench_sleep(BEGIN_MS);
    bool ok = bench_window_take(&w, child, CALL_MS);
    if (ok) {
        double s = bench_window_grown(&w, "now_us") / 1e6;
        double frames = bench_window_grown(&w, "frames_out") > 0 ? bench_window_grown(&w, "frames_out")
                                                                 : bench_window_grown(&w, "pictures");
        *out = (struct work){.cpu = bench_window_cpu(&w),
                             .drawing = 100.0 * bench_window_grown(&w, "source_cpu_s") / s,
                             .fps = frames / s,
                             .bps = json_number_value(json_object_get(w.after, "video_bps"))};
        ok = bench_window_grown(&w, "video_in") + bench_window_grown(&w, "video_out") > 0;
        if (!ok)
            fprintf(stderr, "rmrtc bench: no pictures were sent\n");
        bench_window_free(&w);
    }
    bench_call_stop(&c);
    return ok;
}

static bool work(struct bench *bench, const char *const *a, const char *const *b, enum side side, struct work *out) {
    double cpu[BENCH_RUNS_MAX], drawing[BENCH_RUNS_MAX], fps[BENCH_RUNS_MAX], bps[BENCH_RUNS_MAX];
    for (size_t i = 0; i < bench->runs; i++) {
        struct work one;
        if (!work_once(a, b, side, &one))
            return false;
        cpu[i] = one.cpu;
        drawing[i] = one.drawing;
        fps[i] = one.fps;
        bps[i] = one.bps;
    }
    *out = (struct work){bench_percentile(cpu, bench->runs, 50), bench_percentile(drawing, bench->runs, 50),
                         bench_percentile(fps, bench->runs, 50), bench_percentile(bps, bench->runs, 50)};
    return true;
}

static void report(struct bench *b, const char *id, const char *metric, double value, double limit, double goal) {
    bench_report(b, &(struct figure){id, metric, "%", value, limit, goal, b->runs});
}

static bool sending(struct bench *b, const char *metric, const char *codec, double goal, struct work *w) {
    const char *const a[] = {"publish=test", "audio=0", "kbps=1500", codec, NULL};
    const char *const other[] = {"audio=0", codec, NULL}; /* takes it in and decodes nothing */
    if (!work(b, a, other, SIDE_A, w))
        return false;
    report(b, "SC-006", metric, w->cpu, 30, goal);
    return true;
}

bool bench_sending(struct bench *b) {
    static const char *const loop[] = {"publish=encoded", "audio=0", "kbps=1500", "codec=h264", NULL};
    static const char *const idle[] = {"audio=0", "codec=h264", NULL};
    static const char *const decode[] = {"audio=0", "codec=h264", "take=count", NULL};
    struct work w;
    bool ok = sending(b, "send_cpu_h264", "codec=h264", 12, &w);
    if (ok) { /* not in the figure above */
        report(b, "SC-006", "drawing_cpu", w.drawing, NAN, NAN);
        bench_report(b, &(struct figure){"SC-006", "send_rate_h264", "bps", w.bps, NAN, NAN, b->runs});
        bench_report(b, &(struct figure){"SC-006", "send_pictures_h264", "fps", w.fps, NAN, NAN, b->runs});
    }
    ok = sending(b, "send_cpu_vp8", "codec=vp8", 25, &w) && ok;
    ok = sending(b, "send_cpu_vp9", "codec=vp9", 25, &w) && ok;
    bool one = work(b, loop, idle, SIDE_A, &w);
    if (one)
        report(b, "SC-006", "send_cpu_no_codec", w.cpu, NAN, 0.6);
    bool two = work(b, loop, idle, SIDE_B, &w);
    if (two)
        report(b, "SC-006", "receive_cpu_no_codec", w.cpu, NAN, 0.3);
    bool three = work(b, loop, decode, SIDE_B, &w);
    if (three)
        report(b, "SC-006", "receive_cpu_h264", w.cpu, NAN, NAN);
    return ok && one && two && three;
}

/* The demo's clip: $RM_CLIP, or where scripts/demo-media.sh keeps it. False: not there. */
static bool find_clip(char *out, size_t size) {
    const char *clip = getenv("RM_CLIP"), *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (clip)
        snprintf(out, size, "publish=%s", clip);
    else
        snprintf(out, size, "publish=%s%s/remotemedia-webrtc/big-buck-bunny-720p30-1.mp4",
                 cache  ? cache
                 : home ? home
                        : "",
                 cache ? "" : "/.cache");
    return !access(strchr(out, '=') + 1, R_OK);
}

bool bench_processing(struct bench *b) {
    static const char *const talk[] = {"publish=encoded", "audio=0", "kbps=1500", "codec=h264", NULL};
    static const char *const pipeline[] = {"pipeline=blur", "audio=0", "kbps=1500", "codec=h264", NULL};
    char publish[4096];
    struct work w;
    bool ok = work(b, talk, pipeline, SIDE_B, &w);
    if (ok) {
        report(b, "SC-006b", "pipeline_cpu_h264_talking_head", w.cpu, NAN, 20);
        bench_report(b, &(struct figure){"SC-006b", "pipeline_pictures", "fps", w.fps, NAN, NAN, b->runs});
    }
    if (!find_clip(publish, sizeof publish)) {
        fprintf(stderr, "rmrtc bench: SC-006b: no clip for full motion; scripts/demo-media.sh gets it\n");
        return ok;
    }
    const char *const clip[] = {publish, "audio=0", "kbps=1500", "codec=h264", NULL};
    bool moving = work(b, clip, pipeline, SIDE_B, &w);
    if (moving)
        report(b, "SC-006b", "pipeline_cpu_h264_full_motion", w.cpu, NAN, 30);
    return ok && moving;
}

/* ---- memory: one peer's decoder more, and four more than that ---- */

static bool decoding_memory(struct bench *b, const char *metric, const char *codec) {
    const char *const one[] = {"publish=encoded", "audio=0", "kbps=1500", codec, NULL};
    const char *const host[] = {"take=count", "audio=0", codec, NULL};
    double mb[BENCH_RUNS_MAX];
    for (size_t i = 0; i < b->runs; i++) {
        struct bench_call c;
        struct bench_child more;
        if (!bench_call_start(&c, one, host))
            return false;
        char url[sizeof c.server.url + 4], transports[32];
        snprintf(url, sizeof url, "url=%s", c.server.url);
        snprintf(transports, sizeof transports, "transports=%d", SENDERS);
        const char *const args[] = {url,   "id=c",     "connect=b", "publish=encoded", "audio=0", "kbps=1500",
                                    codec, transports, NULL};
        json_decref(bench_child_ask(&c.a, "connected"));
        bench_sleep(BEGIN_MS);
        double before_kib = bench_child_number(&c.b, "picture", "rss_kib");
        bool ok = !isnan(before_kib) && bench_child_start(&more, args);
        if (ok) {
            json_decref(bench_child_ask(&more, "connected"));
            bench_sleep(BEGIN_MS);
            mb[i] = (bench_child_number(&c.b, "look", "rss_kib") - before_kib) / 1024 / SENDERS;
            bench_child_stop(&more);
        }
        bench_call_stop(&c);
        if (!ok)
            return false;
    }
    bench_report(
        b, &(struct figure){"SC-007", metric, "MB", bench_percentile(mb, b->runs, 50), 100, 12, SENDERS * b->runs});
    return true;
}

bool bench_decoding_memory(struct bench *b) {
    bool ok = decoding_memory(b, "rss_per_720p_receiver_h264", "codec=h264");
    ok = decoding_memory(b, "rss_per_720p_receiver_vp8", "codec=vp8") && ok;
    return decoding_memory(b, "rss_per_720p_receiver_vp9", "codec=vp9") && ok;
}
