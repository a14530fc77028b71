/* SPDX-License-Identifier: Apache-2.0 */
#include "publish.h"

#include "base/time.h"
#include "io/loop.h"
#include "io/priority.h"
#include "marker.h"
#include "plugin_path.h"
#include "stamp.h"
#include "test_audio.h"
#include "test_video.h"
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TEST_WIDTH 1280
#define TEST_HEIGHT 720
#define TEST_FPS 30
#define PICTURES_KEPT 16 /* half a second: those whose processed ones come back now are among them */

struct publisher {
    struct publisher_config config;
    atomic_ullong pictures, chunks, refused;
    atomic_int last_error;
    _Atomic int64_t source_cpu_ns;
    /* Test source: sound does not wait for pictures. */
    bool has_sound_thread, has_picture_thread;
    pthread_t sound_thread, picture_thread;
    atomic_bool stop;
    struct test_video *video;
    struct test_audio *audio;
    /* A file. */
    rm_pipeline_runner *runner;
    rm_stream_session *session;
    int64_t reader_cpu_ns; /* of its thread when it last had sent something */
    uint64_t stamped;      /* pictures */
    int64_t audio_zero_us; /* when its first sample would have come out of a microphone; 0: not known yet */
    uint64_t samples;
    float *marker[MARKER_KINDS]; /* at marker_rate_hz */
    uint32_t marker_rate_hz;
    pthread_mutex_t mutex;
    rm_runtime_data *kept[PICTURES_KEPT]; /* the last ones; only one unless they are to be kept */
    size_t kept_count, last_kept;
    char failure[RM_RUN_DETAIL_MAX];
};

static void note(struct publisher *p, rm_err err, atomic_ullong *count) {
    atomic_fetch_add(count, 1);
    if (err) {
        atomic_fetch_add(&p->refused, 1);
        atomic_store(&p->last_error, err);
    }
}

static void keep_picture(struct publisher *p, rm_runtime_data *data) {
    pthread_mutex_lock(&p->mutex);
    p->last_kept = (p->last_kept + 1) % p->kept_count;
    rm_runtime_data *old = p->kept[p->last_kept];
    p->kept[p->last_kept] = rm_runtime_data_ref(data);
    pthread_mutex_unlock(&p->mutex);
    rm_runtime_data_unref(&old);
}

/* The mix knows our sound by our id. */
static rm_err send_to_mix(struct publisher *p, rm_runtime_data *data) {
    rm_runtime_data *ours = NULL;
    rm_err err = rm_runtime_data_share(data, &ours);
    if (!err)
        err = rm_runtime_data_set_stream_id(ours, rm_webrtc_local_peer_id(p->config.transport));
    if (!err)
        err = rm_webrtc_session_send_input(p->config.mix, ours);
    rm_runtime_data_unref(&ours);
    return err;
}

static void send_to(struct publisher *p, rm_webrtc *t, rm_runtime_data *data) {
    if (rm_runtime_data_video(data) && p->config.video)
        note(p, rm_webrtc_send_video(t, NULL, data), &p->pictures);
    else if (rm_runtime_data_audio(data) && p->config.audio && p->config.mix)
        note(p, send_to_mix(p, data), &p->chunks);
    else if (rm_runtime_data_audio(data) && p->config.audio)
        note(p, rm_webrtc_send_audio(t, NULL, data), &p->chunks);
}

static void send_data(struct publisher *p, rm_runtime_data *data) {
    if (rm_runtime_data_video(data))
        keep_picture(p, data);
    send_to(p, p->config.transport, data);
    for (size_t i = 0; i < p->config.other_count; i++)
        send_to(p, p->config.others[i], data);
}

/* ---- the test source ---- */

static void sleep_until(int64_t at_us) {
    struct timespec at = {.tv_sec = (time_t)(at_us / RMI_SEC(1)), .tv_nsec = (long)(at_us % RMI_SEC(1)) * 1000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static int64_t thread_cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * RMI_SEC(1000) + t.tv_nsec;
}

static void note_cpu(struct publisher *p, int64_t before_ns) {
    atomic_fetch_add(&p->source_cpu_ns, thread_cpu_ns() - before_ns);
}

static void *sound_main(void *ctx) {
    struct publisher *p = ctx;
    rmi_prefer_this_thread(); /* as threads that take sound from a microphone are */
    while (!atomic_load(&p->stop)) {
        rm_runtime_data *data = NULL;
        sleep_until(test_audio_due_us(p->audio));
        int64_t before_ns = thread_cpu_ns();
        rm_err err = test_audio_next(p->audio, &data);
        note_cpu(p, before_ns);
        if (err)
            note(p, err, &p->chunks);
        else
            send_data(p, data);
        rm_runtime_data_unref(&data);
    }
    return NULL;
}

static void *picture_main(void *ctx) {
    struct publisher *p = ctx;
    while (!atomic_load(&p->stop)) {
        rm_runtime_data *data = NULL;
        if (test_video_due_us(p->video) > rmi_now_us())
            sleep_until(test_video_due_us(p->video));
        int64_t before_ns = thread_cpu_ns();
        rm_err err = test_video_next(p->video, rmi_now_us(), &data);
        note_cpu(p, before_ns);
        if (err)
            note(p, err, &p->pictures);
        else
            send_data(p, data);
        rm_runtime_data_unref(&data);
    }
    return NULL;
}

static rm_err start_test(struct publisher *p) {
    const struct publisher_config *c = &p->config;
    rm_err err = test_video_create(c->width ? c->width : TEST_WIDTH, c->height ? c->height : TEST_HEIGHT,
                                   c->fps ? c->fps : TEST_FPS, &p->video);
    if (!err)
        err = test_audio_create(1, c->audio_chunk_ms, rmi_now_us(), &p->audio);
    if (!err && c->audio) {
        p->has_sound_thread = !pthread_create(&p->sound_thread, NULL, sound_main, p);
        err = p->has_sound_thread ? RM_OK : RM_E_IO;
    }
    if (!err && c->video) {
        p->has_picture_thread = !pthread_create(&p->picture_thread, NULL, picture_main, p);
        err = p->has_picture_thread ? RM_OK : RM_E_IO;
    }
    return err;
}

/* ---- a file, through a pipeline of one node ---- */

#define MARKER_GAIN 0.25f /* heard through speech by the detector, and not too loud for people */

static void stamp_picture(struct publisher *p, rm_runtime_data *data) {
    const rm_video *v = rm_runtime_data_video(data);
    uint8_t *luma = rm_runtime_data_write_plane(data, 0); /* NULL: somebody shares it */
    if (!luma || v->plane_count != RM_PLANES_MAX ||
        !stamp_draw(luma, v->strides[0], v->width, v->height, rmi_now_us(), (uint8_t)p->stamped++))
        return;
    for (uint32_t plane = 1; plane < v->plane_count; plane++) { /* neutral, as the reader wants it */
        uint8_t *chroma = rm_runtime_data_write_plane(data, plane);
        memset(chroma, 128, v->strides[plane] * (stamp_rows(v->height) / 2));
    }
}

static bool make_markers(struct publisher *p, uint32_t rate_hz) {
    if (p->marker_rate_hz == rate_hz)
        return true;
    for (int k = 0; k < MARKER_KINDS; k++) {
        float *m = realloc(p->marker[k], marker_samples(rate_hz) * sizeof *m);
        if (!m)
            return false;
        p->marker[k] = m;
        marker_draw((enum marker_kind)k, rate_hz, m);
    }
    p->marker_rate_hz = rate_hz;
    return true;
}

/* The marker, if any, that sample `n` of the stream lies in: they begin where the capture clock passes half seconds. */
static float marker_at(const struct publisher *p, uint64_t n, size_t length) {
    int64_t us = p->audio_zero_us + (int64_t)(n * RMI_SEC(1) / p->marker_rate_hz);
    int64_t begin_us = us - us % MARKER_SPACING_US;
    size_t i = (size_t)((us - begin_us) * p->marker_rate_hz / RMI_SEC(1));
    return i < length ? p->marker[begin_us % RMI_SEC(1) ? MARKER_FALLING : MARKER_RISING][i] : 0.0f;
}

static void mark_sound(struct publisher *p, rm_runtime_data *data) {
    const rm_audio *a = rm_runtime_data_audio(data);
    float *samples = rm_runtime_data_write_samples(data);
    if (!samples || a->sample_rate < MARKER_RATE_MIN_HZ || a->sample_rate > MARKER_RATE_MAX_HZ ||
        !make_markers(p, a->sample_rate))
        return;
    if (!p->audio_zero_us) /* a microphone hands a chunk over when its last sample is taken */
        p->audio_zero_us = rmi_now_us() - (int64_t)(a->frame_count * RMI_SEC(1) / a->sample_rate);
    size_t length = marker_samples(a->sample_rate);
    for (size_t i = 0; i < a->frame_count; i++) {
        float add = MARKER_GAIN * marker_at(p, p->samples + i, length);
        for (uint32_t c = 0; c < a->channels; c++)
            samples[i * a->channels + c] += add;
    }
    p->samples += a->frame_count;
}

/* On the thread that reads and decodes, and does nothing else than this and sending. */
static void on_output(rm_stream_session *session, const rm_transport_data *output, void *user) {
    struct publisher *p = user;
    (void)session;
    if (p->config.stamp && rm_runtime_data_video(output->data))
        stamp_picture(p, output->data);
    else if (p->config.stamp && rm_runtime_data_audio(output->data))
        mark_sound(p, output->data);
    atomic_fetch_add(&p->source_cpu_ns, thread_cpu_ns() - p->reader_cpu_ns);
    send_data(p, output->data);
    p->reader_cpu_ns = thread_cpu_ns();
}

static void on_event(const rm_run_event *event, void *user) {
    struct publisher *p = user;
    if (!event->err)
        return;
    atomic_store(&p->last_error, event->err);
    pthread_mutex_lock(&p->mutex);
    snprintf(p->failure, sizeof p->failure, "%s", event->detail);
    pthread_mutex_unlock(&p->mutex);
}

static rm_err load_manifest(const struct publisher_config *c, rm_manifest **out) {
    json_t *params = json_pack("{s:s, s:b, s:b, s:i, s:i, s:f, s:i, s:s}", "path", c->source, "loop", 1, "pace", 1,
                               "width", (int)c->width, "height", (int)c->height, "framerate", (double)c->fps,
                               "audio_chunk_ms", (int)c->audio_chunk_ms, "on_error", "stop");
    json_t *manifest =
        json_pack("{s:s, s:{s:s}, s:[{s:s, s:s, s:o}], s:[]}", "version", "v1", "metadata", "name", "publish", "nodes",
                  "id", "reader", "node_type", "MediaReaderNode", "params", params, "connections");
    char *text = manifest ? json_dumps(manifest, 0) : NULL;
    rm_err err = text ? rm_manifest_parse(text, strlen(text), NULL, out) : RM_E_NO_MEMORY;
    free(text);
    json_decref(manifest);
    return err;
}

static rm_err open_file(struct publisher *p, rm_node_registry *registry, char *detail, size_t detail_size) {
    rm_manifest *manifest = NULL;
    rm_pipeline_runner_config rc;
    rm_pipeline_runner_config_init(&rc);
    rc.registry = registry;
    rm_err err = load_manifest(&p->config, &manifest);
    if (!err)
        err = rm_pipeline_runner_create(&rc, &p->runner);
    rm_stream_session_config sc;
    rm_stream_session_config_init(&sc);
    sc.on_output = on_output;
    sc.on_event = on_event;
    sc.user = p;
    if (!err)
        err = rm_pipeline_runner_create_stream_session(p->runner, manifest, &sc, &p->session, detail, detail_size);
    rm_manifest_unref(&manifest);
    return err;
}

static rm_err start_file(struct publisher *p, char *detail, size_t detail_size) {
    if (access(p->config.source, R_OK)) {
        snprintf(detail, detail_size, "%s cannot be read; give a media file, or \"test\"", p->config.source);
        return RM_E_NOT_FOUND;
    }
    rm_node_registry *registry = plugin_registry();
    if (!registry)
        return RM_E_NO_MEMORY;
    rm_err err = RM_E_UNSUPPORTED;
    if (!rm_node_registry_find(registry, "MediaReaderNode"))
        snprintf(detail, detail_size,
                 "media files need the plug-in rm_ffmpeg.so, which is not there: install FFmpeg's "
                 "development packages and build again, or name its folder in RM_PLUGINS");
    else
        err = open_file(p, registry, detail, detail_size);
    rm_node_registry_destroy(&registry);
    if (err)
        return err;
    rm_transport_data start = {0};
    err = rm_runtime_data_create_text(p->config.source, strlen(p->config.source), NULL, &start.data);
    if (!err)
        err = rm_stream_session_send_input(p->session, &start);
    rm_transport_data_clear(&start);
    return err;
}

/* ---- life ---- */

rm_err publisher_start(const struct publisher_config *config, struct publisher **out, char *detail,
                       size_t detail_size) {
    struct publisher *p = calloc(1, sizeof *p);
    if (!p)
        return RM_E_NO_MEMORY;
    p->config = *config;
    p->kept_count = config->keep ? PICTURES_KEPT : 1;
    pthread_mutex_init(&p->mutex, NULL);
    detail[0] = '\0';
    rm_err err = !strcmp(config->source, "test") ? start_test(p) : start_file(p, detail, detail_size);
    if (err) {
        if (!detail[0])
            snprintf(detail, detail_size, "%s", rm_strerror(err));
        publisher_stop(&p);
        return err;
    }
    *out = p;
    return RM_OK;
}

void publisher_stop(struct publisher **pp) {
    struct publisher *p = *pp;
    if (!p)
        return;
    *pp = NULL;
    atomic_store(&p->stop, true);
    if (p->has_sound_thread)
        pthread_join(p->sound_thread, NULL);
    if (p->has_picture_thread)
        pthread_join(p->picture_thread, NULL);
    rm_stream_session_destroy(&p->session);
    rm_pipeline_runner_destroy(&p->runner);
    test_video_destroy(&p->video);
    test_audio_destroy(&p->audio);
    for (size_t i = 0; i < p->kept_count; i++)
        rm_runtime_data_unref(&p->kept[i]);
    for (int k = 0; k < MARKER_KINDS; k++)
        free(p->marker[k]);
    pthread_mutex_destroy(&p->mutex);
    free(p);
}

void publisher_get_stats(const struct publisher *p, struct publisher_stats *out) {
    *out = (struct publisher_stats){.pictures = atomic_load(&p->pictures),
                                    .chunks = atomic_load(&p->chunks),
                                    .refused = atomic_load(&p->refused),
                                    .last_error = (rm_err)atomic_load(&p->last_error),
                                    .source_cpu_s = (double)atomic_load(&p->source_cpu_ns) / 1e9};
}

rm_runtime_data *publisher_picture(struct publisher *p, const rm_video *like) {
    int64_t time_us, like_us;
    uint8_t frame, like_frame;
    bool wanted = like && stamp_read(like, &like_us, &like_frame);
    pthread_mutex_lock(&p->mutex);
    rm_runtime_data *picture = p->kept[p->last_kept];
    for (size_t i = 0; wanted && i < p->kept_count; i++)
        if (p->kept[i] && stamp_read(rm_runtime_data_video(p->kept[i]), &time_us, &frame) && time_us == like_us)
            picture = p->kept[i];
    rm_runtime_data_ref(picture);
    pthread_mutex_unlock(&p->mutex);
    return picture;
}

bool publisher_failed(struct publisher *p, char *detail, size_t detail_size) {
    pthread_mutex_lock(&p->mutex);
    bool failed = p->failure[0] != '\0';
    snprintf(detail, detail_size, "%s", p->failure);
    pthread_mutex_unlock(&p->mutex);
    return failed;
}
