/* SPDX-License-Identifier: Apache-2.0 */
/* `rmrtc bench --role`: what runs in a measured process. Not for people, so it is in no help text. */
#include "bench_role.h"

#include "bench.h"
#include "bench_loop.h"
#include "heap_count.h"
#include "publish.h"
#include "sink.h"
#include "webrtc/media.h"
#include "webrtc/webrtc_private.h"
#include <jansson.h>
#include <remotemedia/webrtc_media.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define WAIT_MS 15000
#define LOOK_EVERY_NS 1000000 /* while waiting: not while measuring */
#define WORD_MAX 32

struct role {
    rm_webrtc_config config;
    const char *id, *publish, *take, *connect;
    bool pipeline, blur, copy, count_heap;
    uint32_t audio_chunk_ms;
    size_t transports; /* in this process, each on its own: ID, ID-1, ... */
    size_t peers;      /* that each waits for */
    rm_webrtc *t[RM_PEERS_MAX];
    struct publisher *publisher[RM_PEERS_MAX];
    struct bench_loop *loop;
    struct sink *sink;
    atomic_size_t ready, connected;
    _Atomic uint64_t pictures, chunks;
};

/* ---- what it is told ---- */

static bool set_codec(struct role *r, const char *value) {
    r->config.video_codec = !strcmp(value, "vp9") ? RM_VIDEO_VP9 : !strcmp(value, "vp8") ? RM_VIDEO_VP8 : RM_VIDEO_H264;
    return true;
}

static bool set_number(struct role *r, const char *name, uint32_t value) {
    if (!strcmp(name, "kbps"))
        r->config.target_bitrate_kbps = value;
    else if (!strcmp(name, "audio"))
        r->config.enable_audio = value != 0;
    else if (!strcmp(name, "video"))
        r->config.enable_video = value != 0;
    else if (!strcmp(name, "chunk_ms"))
        r->audio_chunk_ms = value;
    else if (!strcmp(name, "frame_us"))
        r->config.audio_frame_us = value;
    else if (!strcmp(name, "copy"))
        r->copy = value != 0;
    else if (!strcmp(name, "transports"))
        r->transports = value;
    else if (!strcmp(name, "peers"))
        r->peers = value;
    else
        return false;
    return true;
}

static bool set(struct role *r, const char *arg) {
    const char *equals = strchr(arg, '=');
    if (!equals)
        return false;
    char name[WORD_MAX];
    const char *value = equals + 1;
    snprintf(name, sizeof name, "%.*s", (int)(equals - arg), arg);
    if (!strcmp(name, "url"))
        r->config.signaling_url = value;
    else if (!strcmp(name, "id"))
        r->id = value;
    else if (!strcmp(name, "publish"))
        r->publish = value;
    else if (!strcmp(name, "take"))
        r->take = value;
    else if (!strcmp(name, "allow"))
        r->config.allowed_peers = value;
    else if (!strcmp(name, "connect")) {
        r->connect = value;
        r->config.auto_connect = false;
    } else if (!strcmp(name, "pipeline")) {
        r->pipeline = true;
        r->blur = !strcmp(value, "blur");
    } else if (!strcmp(name, "codec"))
        return set_codec(r, value);
    else
        return set_number(r, name, (uint32_t)strtoul(value, NULL, 10));
    return true;
}

/* ---- what it does ---- */

static void on_event(const rm_event *ev, void *user) {
    struct role *r = user;
    if (ev->type == RM_EV_SIGNALING && ev->signaling == RM_SIGNALING_READY)
        atomic_fetch_add(&r->ready, 1);
    if (ev->type == RM_EV_PEER_STATE && ev->peer_state == RM_PEER_CONNECTED)
        atomic_fetch_add(&r->connected, 1);
    if (ev->type == RM_EV_PIPELINE && ev->err)
        fprintf(stderr, "rmrtc bench: %s: %s\n", r->id, ev->detail);
}

static void on_media(const char *peer_id, rm_runtime_data *data, void *user) {
    struct role *r = user;
    if (rm_runtime_data_video(data))
        atomic_fetch_add(&r->pictures, 1);
    else
        atomic_fetch_add(&r->chunks, 1);
    if (r->sink)
        sink_media(peer_id, data, r->sink);
}

static rm_err set_pipeline(struct role *r, rm_webrtc *t) {
    /* As examples/pipelines/blur.yaml and echo.yaml, which an installed tool has not at hand. */
    static const char blur[] = "{\"version\":\"v1\",\"metadata\":{\"name\":\"blur\"},\"nodes\":[{\"id\":\"blur\","
                               "\"node_type\":\"BackgroundBlurNode\",\"params\":{\"strength\":0.5,\"threshold\":10,"
                               "\"adaptation_rate\":0.5}}],\"connections\":[]}";
    static const char echo[] = "{\"version\":\"v1\",\"metadata\":{\"name\":\"echo\"},\"nodes\":[{\"id\":\"echo\","
                               "\"node_type\":\"PassThrough\"}],\"connections\":[]}";
    const char *text = r->blur ? blur : echo;
    rm_manifest *manifest = NULL;
    rm_err err = rm_manifest_parse(text, strlen(text), NULL, &manifest);
    if (!err)
        err = rm_webrtc_set_pipeline(t, manifest, NULL, NULL, 0);
    rm_manifest_unref(&manifest);
    return err;
}

static rm_err start_transport(struct role *r, size_t i) {
    char id[RM_PEER_ID_MAX];
    if (i == 0)
        snprintf(id, sizeof id, "%s", r->id);
    else
        snprintf(id, sizeof id, "%s-%zu", r->id, i);
    rm_webrtc_config c = r->config;
    c.peer_id = id;
    rm_err err = rm_webrtc_create(&c, &r->t[i]);
    if (!err && r->copy)
        rmi_media_copy_sound(r->t[i]->media);
    if (!err && r->pipeline)
        err = set_pipeline(r, r->t[i]);
    return err ? err : rm_webrtc_start(r->t[i]);
}

static rm_err start_publisher(struct role *r, size_t i) {
    char detail[RM_RUN_DETAIL_MAX] = "";
    struct publisher_config pc = {.transport = r->t[i],
                                  .source = r->publish,
                                  .audio_chunk_ms = r->audio_chunk_ms,
                                  .audio = r->config.enable_audio,
                                  .video = r->config.enable_video,
                                  .width = BENCH_WIDTH,
                                  .height = BENCH_HEIGHT};
    rm_err err = publisher_start(&pc, &r->publisher[i], detail, sizeof detail);
    if (err)
        fprintf(stderr, "rmrtc bench: %s\n", detail);
    return err;
}

static rm_err start(struct role *r) {
    char detail[RM_DETAIL_MAX] = "";
    struct sink_config sc = {0};
    bool encoded = r->publish && !strcmp(r->publish, "encoded");
    rm_err err = RM_OK;
    if (r->take)
        r->config.on_media = on_media;
    if (r->take && !strcmp(r->take, "ages"))
        err = sink_create(&sc, &r->sink, detail, sizeof detail);
    if (!err && encoded)
        err = bench_loop_create(r->config.video_codec, r->config.target_bitrate_kbps * 1000, &r->loop);
    for (size_t i = 0; !err && i < r->transports; i++)
        err = start_transport(r, i);
    for (size_t i = 0; !err && r->publish && !encoded && i < r->transports; i++)
        err = start_publisher(r, i);
    if (!err && encoded)
        err = bench_loop_start(r->loop, r->t, r->transports);
    if (err)
        fprintf(stderr, "rmrtc bench: %s: %s\n", r->id, rm_strerror(err));
    return err;
}

static void quiet(struct role *r) {
    for (size_t i = 0; i < RM_PEERS_MAX; i++)
        publisher_stop(&r->publisher[i]);
    bench_loop_destroy(&r->loop);
}

static void stop(struct role *r) {
    quiet(r);
    for (size_t i = 0; i < RM_PEERS_MAX; i++)
        rm_webrtc_destroy(&r->t[i]);
    sink_destroy(&r->sink);
}

/* ---- what it answers ---- */

struct sums {
    uint64_t audio_in, audio_out, video_in, video_out, audio_lost, video_frames_in, video_frames_out;
    uint64_t inputs, outputs, dropped, errors;
    double video_bps, video_fps;
    uint32_t encoders;
};

static void add_peer(struct sums *s, const rm_media_stats *m) {
    s->audio_in += m->audio_in.packets;
    s->audio_out += m->audio_out.packets;
    s->video_in += m->video_in.packets;
    s->video_out += m->video_out.packets;
    s->audio_lost += m->audio_in.packets_lost > 0 ? (uint64_t)m->audio_in.packets_lost : 0;
    s->video_frames_in += m->video_in.frames;
    s->video_frames_out += m->video_out.frames;
    s->inputs += m->pipeline_inputs;
    s->outputs += m->pipeline_outputs;
    s->dropped += m->pipeline_dropped;
    s->errors += m->pipeline_errors;
    s->video_bps += m->video_out.bitrate_bps;
    s->video_fps += m->video_out.fps;
    s->encoders = m->video_encoders;
}

static void sum_up(struct role *r, struct sums *s) {
    rm_peer_info peers[RM_PEERS_MAX];
    rm_media_stats m;
    size_t count = 0;
    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < r->transports; i++) {
        if (rm_webrtc_peers(r->t[i], peers, RM_PEERS_MAX, &count))
            continue;
        for (size_t k = 0; k < count && k < RM_PEERS_MAX; k++)
            if (!rm_webrtc_get_stats(r->t[i], peers[k].peer_id, &m))
                add_peer(s, &m);
    }
}

static double seconds(struct timeval t) {
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double source_cpu_s(const struct role *r) {
    double sum = 0;
    for (size_t i = 0; i < RM_PEERS_MAX; i++) {
        struct publisher_stats p = {0};
        if (r->publisher[i])
            publisher_get_stats(r->publisher[i], &p);
        sum += p.source_cpu_s;
    }
    return sum;
}

static void answer(struct role *r) {
    struct rusage used;
    heap_count_switch(false); /* this answer is no part of the call */
    getrusage(RUSAGE_SELF, &used);
    int64_t now_us = rmi_now_us();
    struct sums s;
    struct sink_stats k = {0};
    sum_up(r, &s);
    if (r->sink)
        sink_get_stats(r->sink, &k);
    json_t *o = json_pack("{s:f, s:f, s:f, s:I, s:I, s:I, s:I}", "now_us", (double)now_us, "cpu_s",
                          seconds(used.ru_utime) + seconds(used.ru_stime), "source_cpu_s", source_cpu_s(r), "rss_kib",
                          (json_int_t)bench_rss_kib(), "heap", (json_int_t)heap_count(), "pictures",
                          (json_int_t)atomic_load(&r->pictures), "chunks", (json_int_t)atomic_load(&r->chunks));
    json_object_update_new(o, json_pack("{s:f, s:I, s:f, s:I, s:f}", "first_picture_us", (double)k.first_picture_us,
                                        "video_ages", (json_int_t)k.video.n, "video_p95_ms", k.video.p95_ms,
                                        "audio_ages", (json_int_t)k.audio.n, "audio_p95_ms", k.audio.p95_ms));
    json_object_update_new(o, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "audio_in",
                                        (json_int_t)s.audio_in, "audio_out", (json_int_t)s.audio_out, "video_in",
                                        (json_int_t)s.video_in, "video_out", (json_int_t)s.video_out, "audio_lost",
                                        (json_int_t)s.audio_lost, "frames_in", (json_int_t)s.video_frames_in,
                                        "frames_out", (json_int_t)s.video_frames_out, "inputs", (json_int_t)s.inputs,
                                        "outputs", (json_int_t)s.outputs, "dropped", (json_int_t)s.dropped, "errors",
                                        (json_int_t)s.errors, "video_bps", s.video_bps, "video_fps", s.video_fps));
    json_object_set_new(o, "encoders", json_integer(s.encoders));
    char *text = o ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    puts(text ? text : "{}");
    fflush(stdout);
    free(text);
    json_decref(o);
    heap_count_switch(r->count_heap);
}

static bool wait_for(const atomic_size_t *value, size_t wanted) {
    int64_t end = rmi_now_us() + (int64_t)WAIT_MS * 1000;
    while (atomic_load(value) < wanted) {
        if (rmi_now_us() > end)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = LOOK_EVERY_NS}, NULL);
    }
    return true;
}

static bool wait_for_picture(struct role *r) {
    int64_t end = rmi_now_us() + (int64_t)WAIT_MS * 1000;
    while (atomic_load(&r->pictures) == 0) {
        if (rmi_now_us() > end)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = LOOK_EVERY_NS}, NULL);
    }
    return true;
}

/* False: it did not come. */
static bool obey(struct role *r, const char *word) {
    if (!strcmp(word, "connected"))
        return wait_for(&r->connected, r->transports * r->peers);
    if (!strcmp(word, "picture"))
        return wait_for_picture(r);
    if (!strcmp(word, "forget") && r->sink)
        sink_forget_ages(r->sink);
    if (!strcmp(word, "count"))
        return r->count_heap = heap_count_switch(true);
    if (!strcmp(word, "quiet"))
        quiet(r);
    return true;
}

int bench_role(int argc, char **argv) {
    struct role *r = calloc(1, sizeof *r);
    if (!r)
        return EXIT_FAILURE;
    rm_webrtc_config_init(&r->config);
    r->config.bind_address = "127.0.0.1";
    r->config.max_peers = RM_PEERS_MAX;
    r->config.on_event = on_event;
    r->config.user = r;
    r->audio_chunk_ms = r->config.audio_frame_us / 1000;
    r->transports = r->peers = 1;
    bool ok = true;
    for (int i = 0; i < argc; i++)
        ok = set(r, argv[i]) && ok;
    ok = ok && r->id && r->transports <= RM_PEERS_MAX && !start(r) && wait_for(&r->ready, r->transports);
    for (size_t i = 0; ok && r->connect && i < r->transports; i++)
        ok = !rm_webrtc_connect_peer(r->t[i], r->connect);
    char word[WORD_MAX];
    while (ok && fgets(word, sizeof word, stdin)) {
        word[strcspn(word, "\n")] = '\0';
        ok = obey(r, word);
        if (ok)
            answer(r);
    }
    stop(r);
    free(r);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
