/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of the steady state: heap calls, and chunks of sound that come too fast to be lost. */
#include "bench_call.h"

#include "base/time.h"
#include <ctype.h>
#include <remotemedia/runner.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- SC-009 ---- */

#define WARM_MS 3000 /* pools grow to what the call needs */
#define HEAP_MS 5000 /* 500 chunks there, 500 back */

/* Heap calls of the pipeline's process, for whatever reason, for one chunk that came in and went out again. */
static bool heap_calls(struct bench *b, const char *copy, double *each, size_t *chunks) {
    const char *const a[] = {"publish=test", "take=count", "video=0", NULL};
    const char *const pipeline[] = {"pipeline=echo", "video=0", copy, NULL};
    double calls[BENCH_RUNS_MAX];
    *chunks = 0;
    for (size_t i = 0; i < b->runs; i++) {
        struct bench_call c;
        if (!bench_call_start(&c, a, pipeline))
            return false;
        json_decref(bench_child_ask(&c.a, "connected"));
        bench_sleep(WARM_MS);
        json_t *before = bench_child_ask(&c.b, "count");
        double first = json_number_value(json_object_get(before, "inputs"));
        double calls_before = json_number_value(json_object_get(before, "heap"));
        json_decref(before);
        bench_sleep(HEAP_MS);
        json_t *after = bench_child_ask(&c.b, "look");
        double inputs = json_number_value(json_object_get(after, "inputs")) - first;
        calls[i] = (json_number_value(json_object_get(after, "heap")) - calls_before) / inputs;
        json_decref(after);
        bench_call_stop(&c);
        if (!before || !after || inputs < 1)
            return false;
        *chunks += (size_t)inputs;
    }
    *each = bench_percentile(calls, b->runs, 50);
    return true;
}

bool bench_heap(struct bench *b) {
    double shared, copied;
    size_t n, n_copied;
    if (!heap_calls(b, "copy=0", &shared, &n) || !heap_calls(b, "copy=1", &copied, &n_copied))
        return false;
    bench_report(b, &(struct figure){"SC-009", "heap_calls_per_chunk", "", shared, copied / 2, 0, n});
    bench_report(b, &(struct figure){"SC-009", "heap_calls_per_chunk_copying", "", copied, NAN, NAN, n_copied});
    return true;
}

/* ---- SC-010 ---- */

size_t bench_count_code(FILE *f) {
    char line[512];
    size_t n = 0;
    bool comment = false;
    while (fgets(line, sizeof line, f)) {
        bool code = false;
        for (const char *p = line; *p; p++) {
            if (comment) {
                comment = strncmp(p, "*/", 2) != 0;
                p += !comment;
            } else if (!strncmp(p, "//", 2)) {
                break;
            } else if (!strncmp(p, "/*", 2)) {
                comment = true;
                p++;
            } else {
                code = code || !isspace((unsigned char)*p);
            }
        }
        n += code;
    }
    return n;
}

bool bench_code(struct bench *b) {
    FILE *f = fopen("examples/01_blur_call.c", "r");
    if (!f) {
        fprintf(stderr, "rmrtc bench: SC-010: no examples/01_blur_call.c here; not counted\n");
        return true;
    }
    size_t n = bench_count_code(f);
    fclose(f);
    bench_report(b, &(struct figure){"SC-010", "example_lines_of_code", "", (double)n, 50, 40, 1});
    return true;
}

/* ---- SC-011 ---- */

#define PEERS 10
#define RATE_HZ 48000
#define CHUNKS_PER_S 1000
#define SECONDS 5
#define END_MS 2000

struct rate {
    rm_pipeline_runner *runner;
    rm_stream_session *sessions[PEERS];
    atomic_size_t outputs;
    size_t refused;
};

static void count_output(rm_stream_session *session, const rm_transport_data *output, void *user) {
    struct rate *r = user;
    (void)session;
    if (rm_runtime_data_audio(output->data))
        atomic_fetch_add(&r->outputs, 1);
}

static rm_err open_sessions(struct rate *r) {
    static const char gain[] = "{\"version\":\"v1\",\"metadata\":{\"name\":\"gain\"},\"nodes\":[{\"id\":\"gain\","
                               "\"node_type\":\"AudioGainNode\",\"params\":{\"gain_db\":-6}}],\"connections\":[]}";
    rm_manifest *manifest = NULL;
    rm_err err = rm_manifest_parse(gain, strlen(gain), NULL, &manifest);
    if (!err)
        err = rm_pipeline_runner_create(NULL, &r->runner);
    rm_stream_session_config sc;
    rm_stream_session_config_init(&sc);
    sc.on_output = count_output;
    sc.user = r;
    for (size_t i = 0; !err && i < PEERS; i++)
        err = rm_pipeline_runner_create_stream_session(r->runner, manifest, &sc, &r->sessions[i], NULL, 0);
    rm_manifest_unref(&manifest);
    return err;
}

/* One chunk of a millisecond to each session. */
static rm_err send_chunks(struct rate *r, uint64_t n) {
    for (size_t i = 0; i < PEERS; i++) {
        rm_buf *buf = NULL;
        rm_transport_data input = {.sequence = n, .has_sequence = true};
        rm_err err = rm_buf_create(RATE_HZ / CHUNKS_PER_S * sizeof(float), &buf);
        if (!err)
            err = rm_runtime_data_create_audio(buf, 0, RATE_HZ / CHUNKS_PER_S, RATE_HZ, 1, &input.data);
        rm_buf_unref(&buf);
        if (err)
            return err;
        r->refused += rm_stream_session_send_input(r->sessions[i], &input) != RM_OK;
        rm_transport_data_clear(&input);
    }
    return RM_OK;
}

static bool chunks_through_pipelines(struct bench *b) {
    struct rate *r = calloc(1, sizeof *r);
    rm_err err = r ? open_sessions(r) : RM_E_NO_MEMORY;
    int64_t start_us = rmi_now_us();
    for (uint64_t n = 0; !err && n < CHUNKS_PER_S * SECONDS; n++) {
        int64_t at_us = start_us + (int64_t)(n * RMI_SEC(1) / CHUNKS_PER_S);
        struct timespec at = {.tv_sec = (time_t)(at_us / RMI_SEC(1)), .tv_nsec = (long)(at_us % RMI_SEC(1)) * 1000};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
        err = send_chunks(r, n);
    }
    const size_t sent = (size_t)PEERS * CHUNKS_PER_S * SECONDS;
    double took_s = (double)(rmi_now_us() - start_us) / 1e6;
    for (int i = 0; r && i < END_MS && atomic_load(&r->outputs) < sent; i++)
        bench_sleep(1);
    for (size_t i = 0; r && i < PEERS; i++)
        rm_stream_session_destroy(&r->sessions[i]);
    if (!err) {
        bench_report(b, &(struct figure){"SC-011", "pcm_chunks_lost", "", (double)(sent - atomic_load(&r->outputs)), 0,
                                         0, sent});
        bench_report(b, &(struct figure){"SC-011", "pcm_chunks_per_s_and_peer", "/s", (double)sent / PEERS / took_s,
                                         NAN, NAN, sent});
    }
    if (r)
        rm_pipeline_runner_destroy(&r->runner);
    free(r);
    return !err;
}

static double number(const json_t *o, const char *name) {
    return json_number_value(json_object_get(o, name));
}

/* Ten peers send Opus frames of 2.5 ms, 400 packets a second each (a connection carries one stream of sound), which
 * come back through a pipeline of each. */
static bool packets_on_the_wire(struct bench *b) {
    static const char *const peers[] = {"publish=test",  "take=count",    "video=0",   "chunk_ms=10",
                                        "frame_us=2500", "transports=10", "connect=b", NULL};
    static const char *const host[] = {"pipeline=echo", "video=0", "frame_us=2500", NULL};
    struct bench_call c;
    if (!bench_call_start(&c, peers, host))
        return false;
    json_decref(bench_child_ask(&c.a, "connected"));
    bench_sleep(SECONDS * 1000);
    json_decref(bench_child_ask(&c.a, "quiet"));
    bench_sleep(1000); /* what is on its way arrives */
    json_t *a = bench_child_ask(&c.a, "look"), *h = bench_child_ask(&c.b, "look");
    bool ok = a && h && number(a, "audio_out") > 0;
    if (ok) {
        double lost = number(a, "audio_out") - number(h, "audio_in") + number(h, "audio_out") - number(a, "audio_in");
        double dropped = number(h, "dropped") + number(h, "errors");
        size_t sent = (size_t)(number(a, "audio_out") + number(h, "audio_out"));
        bench_report(b, &(struct figure){"SC-011", "opus_packets_lost_2_5ms", "", lost, 0, 0, sent});
        bench_report(b, &(struct figure){"SC-011", "pipeline_chunks_lost_2_5ms", "", dropped, 0, 0,
                                         (size_t)number(h, "inputs")});
    }
    json_decref(a);
    json_decref(h);
    bench_call_stop(&c);
    return ok;
}

bool bench_rate(struct bench *b) {
    bool ok = chunks_through_pipelines(b);
    return packets_on_the_wire(b) && ok;
}
