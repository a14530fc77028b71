/* SPDX-License-Identifier: Apache-2.0 */
#include "sink.h"

#include "base/histogram.h"
#include "base/time.h"
#include "io/loop.h"
#include "marker.h"
#include "plugin_path.h"
#include "stamp.h"
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PEERS_MAX RM_PEERS_MAX
#define THREADS_MAX (2 * PEERS_MAX)
#define SAMPLES_MAX 16384 /* ages kept: nine minutes of pictures; then the oldest give way */

#define NOTE_EVERY_US RMI_MS(100) /* the clock of a thread is a system call */

struct ages {
    double *ms;
    size_t count, next;
};

struct source { /* one peer */
    char peer_id[RM_PEER_ID_MAX];
    struct marker_detector *detector;
    struct rmi_histogram video, audio; /* ages, us: constant memory however long it runs */
    rm_stream_session *recording;
    bool record_tried;
};

struct bringer { /* a thread that calls */
    pthread_t thread;
    int64_t noted_us;
    double cpu_s; /* of all its life, when it last called */
};

struct sink {
    struct sink_config config;
    rm_pipeline_runner *runner; /* for recordings */
    /* Sound comes on a thread of its own, before which all others give way: it has its own mutex, so that it never
     * waits for one of theirs that was interrupted with theirs. */
    pthread_mutex_t
        sound_mutex; /* of what is of sound: detectors, `audio` and its histograms, chunks, sound_noted_us */
    struct ages audio;
    uint64_t chunks;
    int64_t sound_noted_us;
    pthread_mutex_t mutex;            /* of all else */
    struct source sources[PEERS_MAX]; /* those there are stay */
    atomic_size_t source_count;
    struct bringer bringers[THREADS_MAX];
    size_t bringer_count;
    struct ages video;
    uint64_t pictures;
    int64_t first_picture_us;
    rm_runtime_data *last_picture;
    rm_err record_error;
    char record_detail[RM_RUN_DETAIL_MAX];
};

/* ---- ages ---- */

static void add_age(struct ages *a, int64_t us) {
    if (!a->ms) {
        if (!(a->ms = malloc(SAMPLES_MAX * sizeof *a->ms)))
            return;
        memset(a->ms, 0,
               SAMPLES_MAX * sizeof *a->ms); /* resident from the start: whoever watches memory sees no growth */
    }
    a->ms[a->next] = (double)us / 1000.0;
    a->next = (a->next + 1) % SAMPLES_MAX;
    if (a->count < SAMPLES_MAX)
        a->count++;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A copy to be sorted without the mutex; without memory, of nothing. */
static struct ages copy_of(const struct ages *a) {
    struct ages copy = {.ms = a->count ? malloc(a->count * sizeof *a->ms) : NULL};
    if (copy.ms) {
        copy.count = a->count;
        memcpy(copy.ms, a->ms, a->count * sizeof *a->ms);
    }
    return copy;
}

/* Takes the copy. */
static void summarise(struct ages *copy, struct sink_latency *out) {
    memset(out, 0, sizeof *out);
    if (copy->count == 0)
        return;
    qsort(copy->ms, copy->count, sizeof *copy->ms, compare);
    out->n = copy->count;
    out->p50_ms = copy->ms[copy->count / 2];
    out->p95_ms = copy->ms[copy->count * 95 / 100];
    out->max_ms = copy->ms[copy->count - 1];
    free(copy->ms);
}

/* ---- recording ---- */

static void on_record_event(const rm_run_event *event, void *user) {
    struct sink *s = user;
    if (!event->err)
        return;
    pthread_mutex_lock(&s->mutex);
    s->record_error = event->err;
    snprintf(s->record_detail, sizeof s->record_detail, "%s", event->detail);
    pthread_mutex_unlock(&s->mutex);
}

/* NAME.EXT, or NAME-PEER.EXT for all but the first. */
static void record_path(const struct sink *s, const struct source *source, char *out, size_t size) {
    const char *name = s->config.record, *dot = strrchr(name, '.');
    if (source == s->sources || !dot || strchr(dot, '/'))
        snprintf(out, size, "%s", name);
    else
        snprintf(out, size, "%.*s-%s%s", (int)(dot - name), name, source->peer_id, dot);
}

static rm_err record_manifest(const char *path, rm_manifest **out) {
    json_t *manifest = json_pack("{s:s, s:{s:s}, s:[{s:s, s:s, s:{s:s, s:s}}], s:[]}", "version", "v1", "metadata",
                                 "name", "record", "nodes", "id", "writer", "node_type", "MediaWriterNode", "params",
                                 "path", path, "on_error", "drop", "connections");
    char *text = manifest ? json_dumps(manifest, 0) : NULL;
    rm_err err = text ? rm_manifest_parse(text, strlen(text), NULL, out) : RM_E_NO_MEMORY;
    free(text);
    json_decref(manifest);
    return err;
}

static rm_err open_recording(struct sink *s, struct source *source, char *detail, size_t detail_size) {
    char path[4096];
    rm_manifest *manifest = NULL;
    rm_stream_session_config sc;
    rm_stream_session_config_init(&sc);
    sc.on_event = on_record_event;
    sc.output_queue_size = 1; /* nobody takes what the writer passes on: it shall not keep the receiver's buffers */
    sc.user = s;
    record_path(s, source, path, sizeof path);
    rm_err err = record_manifest(path, &manifest);
    if (!err)
        err =
            rm_pipeline_runner_create_stream_session(s->runner, manifest, &sc, &source->recording, detail, detail_size);
    rm_manifest_unref(&manifest);
    return err;
}

/* With the mutex. The session, or NULL. */
static rm_stream_session *recording_of(struct sink *s, struct source *source) {
    if (s->config.record && !source->record_tried) {
        source->record_tried = true;
        rm_err err = open_recording(s, source, s->record_detail, sizeof s->record_detail);
        if (err)
            s->record_error = err;
    }
    return source->recording;
}

/* The file is complete when the session has finished: its writer has flushed. */
static void end_recording(rm_stream_session **recording) {
    if (!*recording)
        return;
    rm_transport_data ignored;
    rm_stream_session_end_input(*recording);
    while (!rm_stream_session_recv_output(*recording, &ignored, -1))
        rm_transport_data_clear(&ignored);
    rm_stream_session_destroy(recording);
}

/* ---- what comes in ---- */

static struct source *find_source(struct sink *s, const char *peer_id) {
    const size_t count = atomic_load(&s->source_count);
    for (size_t i = 0; i < count; i++)
        if (!strcmp(s->sources[i].peer_id, peer_id))
            return &s->sources[i];
    return NULL;
}

/* Without a mutex but the first time. */
static struct source *source_of(struct sink *s, const char *peer_id) {
    struct source *source = find_source(s, peer_id);
    if (source)
        return source;
    pthread_mutex_lock(&s->mutex);
    const size_t count = atomic_load(&s->source_count);
    source = find_source(s, peer_id);
    if (!source && count < PEERS_MAX) {
        source = &s->sources[count];
        snprintf(source->peer_id, sizeof source->peer_id, "%s", peer_id);
        atomic_store(&s->source_count, count + 1); /* only now is it found */
    }
    pthread_mutex_unlock(&s->mutex);
    return source;
}

/* A thread that has ended keeps its sum, unless a new one got its number: then the sum of that counts on. */
static void note_thread(struct sink *s, int64_t now_us) {
    struct timespec t;
    size_t i = 0;
    while (i < s->bringer_count && !pthread_equal(s->bringers[i].thread, pthread_self()))
        i++;
    if (i == THREADS_MAX || (i < s->bringer_count && now_us - s->bringers[i].noted_us < NOTE_EVERY_US) ||
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t))
        return;
    if (i == s->bringer_count)
        s->bringers[s->bringer_count++].thread = pthread_self();
    s->bringers[i].noted_us = now_us;
    s->bringers[i].cpu_s = (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Rounding may make an age negative. */
static void note_age(struct ages *all, struct rmi_histogram *own, int64_t us) {
    add_age(all, us);
    rmi_histogram_add(own, (uint64_t)rmi_max64(us, 0));
}

static void take_picture(struct sink *s, struct source *source, rm_runtime_data *data, const rm_video *video,
                         int64_t now_us) {
    int64_t stamped_us;
    uint8_t frame;
    const bool stamped = stamp_read(video, &stamped_us, &frame);
    rm_runtime_data *before;
    pthread_mutex_lock(&s->mutex);
    s->pictures++;
    if (!s->first_picture_us)
        s->first_picture_us = now_us;
    before = s->last_picture;
    s->last_picture = rm_runtime_data_ref(data);
    if (stamped)
        note_age(&s->video, &source->video, stamp_age_us(now_us, stamped_us));
    note_thread(s, now_us);
    pthread_mutex_unlock(&s->mutex);
    rm_runtime_data_unref(&before);
}

static void look_for_markers(struct sink *s, struct source *source, const rm_audio *audio, int64_t now_us) {
    struct marker_heard heard;
    if (!source->detector && marker_detector_create(audio->sample_rate, &source->detector))
        return;
    if (marker_detector_feed(source->detector, audio, now_us))
        return;
    while (marker_detector_next(source->detector, &heard))
        note_age(&s->audio, &source->audio, marker_latency_us(&heard));
}

static void take_chunk(struct sink *s, struct source *source, const rm_audio *audio, int64_t now_us) {
    pthread_mutex_lock(&s->sound_mutex);
    s->chunks++;
    look_for_markers(s, source, audio, now_us);
    const bool note = now_us - s->sound_noted_us >= NOTE_EVERY_US;
    s->sound_noted_us = note ? now_us : s->sound_noted_us;
    pthread_mutex_unlock(&s->sound_mutex);
    if (!note)
        return;
    pthread_mutex_lock(&s->mutex);
    note_thread(s, now_us);
    pthread_mutex_unlock(&s->mutex);
}

static rm_stream_session *recording_for(struct sink *s, struct source *source) {
    if (!s->config.record)
        return NULL;
    pthread_mutex_lock(&s->mutex);
    rm_stream_session *recording = recording_of(s, source);
    pthread_mutex_unlock(&s->mutex);
    return recording;
}

void sink_media(const char *peer_id, rm_runtime_data *data, void *sink) {
    struct sink *s = sink;
    const rm_video *video = rm_runtime_data_video(data);
    const rm_audio *audio = rm_runtime_data_audio(data);
    int64_t now_us = rmi_now_us();
    struct source *source = source_of(s, peer_id);
    if (!source)
        return;
    if (video)
        take_picture(s, source, data, video, now_us);
    else if (audio)
        take_chunk(s, source, audio, now_us);
    rm_stream_session *recording = recording_for(s, source);
    if (recording) {
        rm_transport_data input = {.data = data};
        rm_stream_session_send_input(recording, &input); /* a stopped one has told its error by event */
    }
}

/* ---- life ---- */

rm_err sink_create(const struct sink_config *config, struct sink **out, char *detail, size_t detail_size) {
    struct sink *s = calloc(1, sizeof *s);
    if (!s)
        return RM_E_NO_MEMORY;
    s->config = *config;
    pthread_mutex_init(&s->mutex, NULL);
    pthread_mutex_init(&s->sound_mutex, NULL);
    rm_err err = RM_OK;
    if (config->record) {
        rm_node_registry *registry = plugin_registry();
        rm_pipeline_runner_config rc;
        rm_pipeline_runner_config_init(&rc);
        rc.registry = registry;
        if (registry && !rm_node_registry_find(registry, "MediaWriterNode")) {
            err = RM_E_UNSUPPORTED;
            snprintf(detail, detail_size,
                     "recording needs the plug-in rm_ffmpeg.so, which is not there: install "
                     "FFmpeg's development packages and build again");
        } else {
            err = registry ? rm_pipeline_runner_create(&rc, &s->runner) : RM_E_NO_MEMORY;
        }
        rm_node_registry_destroy(&registry);
    }
    if (err)
        sink_destroy(&s);
    else
        *out = s;
    return err;
}

void sink_destroy(struct sink **ps) {
    struct sink *s = *ps;
    if (!s)
        return;
    *ps = NULL;
    for (size_t i = 0; i < s->source_count; i++) {
        end_recording(&s->sources[i].recording);
        marker_detector_destroy(&s->sources[i].detector);
    }
    rm_pipeline_runner_destroy(&s->runner);
    rm_runtime_data_unref(&s->last_picture);
    free(s->video.ms);
    free(s->audio.ms);
    pthread_mutex_destroy(&s->mutex);
    pthread_mutex_destroy(&s->sound_mutex);
    free(s);
}

void sink_get_stats(struct sink *s, struct sink_stats *out) {
    pthread_mutex_lock(&s->mutex);
    *out = (struct sink_stats){
        .pictures = s->pictures, .first_picture_us = s->first_picture_us, .record_error = s->record_error};
    for (size_t i = 0; i < s->bringer_count; i++)
        out->threads_cpu_s += s->bringers[i].cpu_s;
    memcpy(out->record_detail, s->record_detail, sizeof out->record_detail);
    struct ages video = copy_of(&s->video);
    pthread_mutex_unlock(&s->mutex);
    pthread_mutex_lock(&s->sound_mutex);
    out->chunks = s->chunks;
    struct ages audio = copy_of(&s->audio);
    pthread_mutex_unlock(&s->sound_mutex);
    summarise(&video, &out->video);
    summarise(&audio, &out->audio);
}

static struct sink_latency latency_of(const struct rmi_histogram *h) {
    return (struct sink_latency){.n = (size_t)h->count,
                                 .p50_ms = (double)rmi_histogram_percentile(h, 50) / 1000,
                                 .p95_ms = (double)rmi_histogram_percentile(h, 95) / 1000,
                                 .max_ms = (double)h->max / 1000};
}

size_t sink_get_sources(struct sink *s, struct sink_source *out, size_t cap) {
    const size_t all = atomic_load(&s->source_count), count = all < cap ? all : cap;
    for (size_t i = 0; i < count; i++)
        memcpy(out[i].peer_id, s->sources[i].peer_id, sizeof out[i].peer_id);
    pthread_mutex_lock(&s->mutex);
    for (size_t i = 0; i < count; i++)
        out[i].video = latency_of(&s->sources[i].video);
    pthread_mutex_unlock(&s->mutex);
    pthread_mutex_lock(&s->sound_mutex);
    for (size_t i = 0; i < count; i++)
        out[i].audio = latency_of(&s->sources[i].audio);
    pthread_mutex_unlock(&s->sound_mutex);
    return count;
}

void sink_forget_ages(struct sink *s) {
    const size_t count = atomic_load(&s->source_count);
    pthread_mutex_lock(&s->mutex);
    s->video.count = s->video.next = 0;
    for (size_t i = 0; i < count; i++)
        rmi_histogram_reset(&s->sources[i].video);
    pthread_mutex_unlock(&s->mutex);
    pthread_mutex_lock(&s->sound_mutex);
    s->audio.count = s->audio.next = 0;
    for (size_t i = 0; i < count; i++)
        rmi_histogram_reset(&s->sources[i].audio);
    pthread_mutex_unlock(&s->sound_mutex);
}

rm_runtime_data *sink_last_picture(struct sink *s) {
    pthread_mutex_lock(&s->mutex);
    rm_runtime_data *picture = s->last_picture ? rm_runtime_data_ref(s->last_picture) : NULL;
    pthread_mutex_unlock(&s->mutex);
    return picture;
}
