/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of a call through a pipeline: how soon it begins and how old sound and pictures are that come back. */
#include "bench_call.h"

#include "base/time.h"
#include <string.h>
#include <time.h>

#define BEGIN_MS 1000 /* left out of the ages: adaptation, first key frame */
#define CALL_MS 6000  /* twelve markers */

void bench_sleep(int ms) {
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static bool start_one(struct bench_child *c, const char *url, const char *id, const char *const *args) {
    const char *all[BENCH_CHILD_ARGS + 1] = {url, id};
    size_t n = 2;
    for (size_t i = 0; args[i] && n < BENCH_CHILD_ARGS; i++)
        all[n++] = args[i];
    return bench_child_start(c, all);
}

bool bench_call_start(struct bench_call *c, const char *const *a, const char *const *b) {
    char url[sizeof c->server.url + 4];
    memset(c, 0, sizeof *c);
    c->has_server = bench_server_start(&c->server);
    snprintf(url, sizeof url, "url=%s", c->server.url);
    bool ok = c->has_server && start_one(&c->b, url, "id=b", b);
    c->started_us = rmi_now_us();
    ok = ok && start_one(&c->a, url, "id=a", a);
    if (!ok)
        bench_call_stop(c);
    return ok;
}

void bench_call_stop(struct bench_call *c) {
    bench_child_stop(&c->a);
    bench_child_stop(&c->b);
    if (c->has_server)
        rmi_signaling_thread_stop(&c->server);
    c->has_server = false;
}

/* ---- windows ---- */

bool bench_window_take(struct bench_window *w, struct bench_child *c, int ms) {
    w->before = bench_child_ask(c, "look");
    bench_sleep(ms);
    w->after = bench_child_ask(c, "look");
    if (w->before && w->after)
        return true;
    bench_window_free(w);
    return false;
}

double bench_window_grown(const struct bench_window *w, const char *name) {
    return json_number_value(json_object_get(w->after, name)) - json_number_value(json_object_get(w->before, name));
}

double bench_window_cpu(const struct bench_window *w) {
    double used_s = bench_window_grown(w, "cpu_s") - bench_window_grown(w, "source_cpu_s");
    return 100.0 * used_s * (double)RMI_SEC(1) / bench_window_grown(w, "now_us");
}

void bench_window_free(struct bench_window *w) {
    json_decref(w->before);
    json_decref(w->after);
    *w = (struct bench_window){0};
}

/* ---- figures ---- */

bool bench_first_picture(struct bench *b) {
    static const char *const a[] = {"publish=test", "take=ages", NULL}, *const pipeline[] = {"pipeline=blur", NULL};
    double ms[BENCH_RUNS_MAX];
    for (size_t i = 0; i < b->runs; i++) {
        struct bench_call c;
        if (!bench_call_start(&c, a, pipeline))
            return false;
        double first_us = bench_child_number(&c.a, "picture", "first_picture_us");
        ms[i] = (first_us - (double)c.started_us) / 1000;
        bench_call_stop(&c);
        if (isnan(first_us))
            return false;
    }
    bench_report(b, &(struct figure){"SC-001", "first_processed_picture", "ms", bench_percentile(ms, b->runs, 50), 2000,
                                     300, b->runs});
    return true;
}

/* Medians of the runs' 95th percentiles. NULL args end a list. */
static bool ages(struct bench *b, const char *const *a, const char *const *pipeline, const char *name,
                 const char *count, double *median_ms, size_t *n) {
    double ms[BENCH_RUNS_MAX];
    *n = 0;
    for (size_t i = 0; i < b->runs; i++) {
        struct bench_call c;
        if (!bench_call_start(&c, a, pipeline))
            return false;
        json_decref(bench_child_ask(&c.a, "connected"));
        bench_sleep(BEGIN_MS);
        json_decref(bench_child_ask(&c.a, "forget"));
        bench_sleep(CALL_MS);
        json_t *seen = bench_child_ask(&c.a, "look");
        ms[i] = json_number_value(json_object_get(seen, name));
        size_t samples = (size_t)json_integer_value(json_object_get(seen, count));
        json_decref(seen);
        bench_call_stop(&c);
        if (!samples) {
            fprintf(stderr, "rmrtc bench: nothing came back\n");
            return false;
        }
        *n += samples;
    }
    *median_ms = bench_percentile(ms, b->runs, 50);
    return true;
}

static bool sound(struct bench *b, const char *metric, const char *chunk, const char *frame, const char *video,
                  double goal) {
    const char *const a[] = {"publish=test", "take=ages", chunk, frame, video, NULL};
    const char *const pipeline[] = {"pipeline=blur", frame, video, NULL};
    double ms;
    size_t n;
    if (!ages(b, a, pipeline, "audio_p95_ms", "audio_ages", &ms, &n))
        return false;
    bench_report(b, &(struct figure){"SC-002", metric, "ms", ms, 50, goal, n});
    return true;
}

bool bench_sound(struct bench *b) {
    bool ok = sound(b, "audio_there_and_back_p95_10ms", "chunk_ms=10", "frame_us=10000", "video=0", 35);
    ok = sound(b, "audio_there_and_back_p95_5ms", "chunk_ms=5", "frame_us=5000", "video=0", 25) && ok;
    return sound(b, "audio_beside_video_p95_10ms", "chunk_ms=10", "frame_us=10000", "video=1", 35) && ok;
}

static bool pictures(struct bench *b, const char *metric, const char *codec, double goal) {
    const char *const a[] = {"publish=test", "take=ages", "audio=0", "kbps=1500", codec, NULL};
    const char *const pipeline[] = {"pipeline=blur", "audio=0", "kbps=1500", codec, NULL};
    double ms;
    size_t n;
    if (!ages(b, a, pipeline, "video_p95_ms", "video_ages", &ms, &n))
        return false;
    bench_report(b, &(struct figure){"SC-003", metric, "ms", ms, 100, goal, n});
    return true;
}

bool bench_pictures(struct bench *b) {
    bool ok = pictures(b, "video_there_and_back_p95_h264", "codec=h264", 40);
    ok = pictures(b, "video_there_and_back_p95_vp8", "codec=vp8", 60) && ok;
    return pictures(b, "video_there_and_back_p95_vp9", "codec=vp9", 60) && ok;
}
