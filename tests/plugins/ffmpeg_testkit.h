/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMT_FFMPEG_TESTKIT_H
#define RMT_FFMPEG_TESTKIT_H

/* Synthetic sound and pictures, a pipeline of one node from the plug-in, and what came out of it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <remotemedia/runner.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RATE 48000
#define CHUNK 480 /* 10 ms */
#define FPS 30
#define WIDTH 320
#define HEIGHT 240
#define TONE_HZ 1000.0
#define US 1000000
#define SEEN_MAX 4096
#define PI 3.14159265358979323846

static char folder[64]; /* of this run's files */

static inline const char *in_folder(const char *name) {
    static char paths[8][128]; /* several are used in one expression */
    static unsigned turn;
    char *path = paths[turn++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static inline int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- synthetic media ---- */

/* A textured picture that moves by two pixels from frame to frame: the sum of a row and a column. */
struct texture {
    double column[2 * WIDTH], row[2 * HEIGHT];
};

static inline void make_texture(unsigned width, unsigned height, uint64_t frame, struct texture *out) {
    assert_true(width <= 2 * WIDTH && height <= 2 * HEIGHT);
    for (unsigned x = 0; x < width; x++)
        out->column[x] = 126 + 50 * sin((x * WIDTH / width + 2.0 * (double)frame) / 17);
    for (unsigned y = 0; y < height; y++)
        out->row[y] = 40 * cos(y * HEIGHT / height / 11.0 + (double)frame / 20);
}

static inline rm_runtime_data *make_picture(unsigned width, unsigned height, uint64_t frame, int64_t time_us) {
    rm_buf *buf = NULL;
    rm_runtime_data *data = NULL;
    assert_int_equal(rm_buf_create(rm_video_packed_size(RM_PIXEL_I420, width, height), &buf), RM_OK);
    uint8_t *p = rm_buf_write(buf);
    struct texture texture;
    make_texture(width, height, frame, &texture);
    for (unsigned y = 0; y < height; y++)
        for (unsigned x = 0; x < width; x++)
            *p++ = (uint8_t)(texture.column[x] + texture.row[y]);
    memset(p, 110, (size_t)width * height / 4);
    memset(p + (size_t)width * height / 4, 140, (size_t)width * height / 4);
    assert_int_equal(rm_runtime_data_create_video(buf, 0, RM_PIXEL_I420, width, height, frame, time_us, &data), RM_OK);
    rm_buf_unref(&buf);
    return data;
}

static inline rm_runtime_data *make_sound(uint64_t chunk, int64_t time_us) {
    rm_buf *buf = NULL;
    rm_runtime_data *data = NULL;
    assert_int_equal(rm_buf_create(CHUNK * sizeof(float), &buf), RM_OK);
    float *samples = (float *)(void *)rm_buf_write(buf);
    for (unsigned i = 0; i < CHUNK; i++)
        samples[i] = (float)(0.4 * sin(2 * PI * TONE_HZ * (double)(chunk * CHUNK + i) / RATE));
    assert_int_equal(rm_runtime_data_create_audio(buf, 0, CHUNK, RATE, 1, &data), RM_OK);
    assert_int_equal(rm_runtime_data_set_timestamp_us(data, time_us), RM_OK);
    rm_buf_unref(&buf);
    return data;
}

/* dB, of the luma of the frame with this number; 99 when equal. */
static inline double psnr(const rm_video *v, uint64_t frame) {
    double sum = 0;
    struct texture texture;
    make_texture(v->width, v->height, frame, &texture);
    for (unsigned y = 0; y < v->height; y++)
        for (unsigned x = 0; x < v->width; x++) {
            double d = v->planes[0][y * v->strides[0] + x] - floor(texture.column[x] + texture.row[y]);
            sum += d * d;
        }
    sum /= (double)v->width * v->height;
    return sum > 0 ? 10 * log10(255.0 * 255.0 / sum) : 99;
}

/* ---- a pipeline of one node ---- */

/* What came out. Written by the session's thread, read by the test when the session has ended. */
struct seen {
    atomic_int audio, video, outputs;
    int64_t audio_us[SEEN_MAX], video_us[SEEN_MAX];
    unsigned width, height, rate, channels, chunk;
    double psnr_sum, psnr_min;
    float *sound; /* the first channel, chunk after chunk */
    size_t sound_len, sound_room;
    int stop_after; /* outputs; 0: never */
    rm_err err;
    char detail[256];
    sem_t done; /* finished, or stopped by stop_after */
};

static inline void keep_sound(struct seen *seen, const rm_audio *a) {
    if (seen->sound_len + a->frame_count > seen->sound_room) {
        seen->sound_room = 2 * (seen->sound_len + a->frame_count);
        seen->sound = realloc(seen->sound, seen->sound_room * sizeof *seen->sound);
        assert_non_null(seen->sound);
    }
    for (size_t i = 0; i < a->frame_count; i++)
        seen->sound[seen->sound_len++] = a->samples[i * a->channels];
}

static inline void on_output(rm_stream_session *session, const rm_transport_data *output, void *user) {
    struct seen *seen = user;
    const rm_audio *a = rm_runtime_data_audio(output->data);
    const rm_video *v = rm_runtime_data_video(output->data);
    int64_t at = rm_runtime_data_timestamp_us(output->data);
    if (a && atomic_load(&seen->audio) < SEEN_MAX) {
        seen->audio_us[atomic_fetch_add(&seen->audio, 1)] = at;
        seen->rate = a->sample_rate;
        seen->channels = a->channels;
        seen->chunk = (unsigned)a->frame_count;
        keep_sound(seen, a);
    } else if (v && atomic_load(&seen->video) < SEEN_MAX) {
        double db = psnr(v, (uint64_t)atomic_load(&seen->video));
        seen->psnr_sum += db;
        seen->psnr_min = atomic_load(&seen->video) == 0 || db < seen->psnr_min ? db : seen->psnr_min;
        seen->video_us[atomic_fetch_add(&seen->video, 1)] = at;
        seen->width = v->width;
        seen->height = v->height;
    }
    if (atomic_fetch_add(&seen->outputs, 1) + 1 == seen->stop_after) {
        rm_stream_session_close(session);
        sem_post(&seen->done);
    }
}

static inline void on_event(const rm_run_event *event, void *user) {
    struct seen *seen = user;
    if (event->type == RM_RUN_EV_NODE_ERROR && !seen->err) {
        seen->err = event->err;
        snprintf(seen->detail, sizeof seen->detail, "%s", event->detail);
    }
    if (event->type == RM_RUN_EV_FINISHED)
        sem_post(&seen->done);
}

static rm_pipeline_runner *runner;

static inline int open_plugin(void **state) {
    (void)state;
    char detail[256] = "";
    rm_node_registry *registry = NULL;
    rm_pipeline_runner_config config;
    rm_pipeline_runner_config_init(&config);
    snprintf(folder, sizeof folder, "/tmp/rm-ffmpeg-XXXXXX");
    if (!mkdtemp(folder) || rm_node_registry_create(&registry))
        return -1;
    if (rm_node_registry_load(registry, RM_TEST_FFMPEG, detail, sizeof detail)) {
        fprintf(stderr, "%s\n", detail);
        return -1;
    }
    config.registry = registry;
    rm_err err = rm_pipeline_runner_create(&config, &runner);
    rm_node_registry_destroy(&registry);
    return err;
}

static inline int close_plugin(void **state) {
    (void)state;
    char command[128];
    rm_pipeline_runner_destroy(&runner);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* A session of one node; `params` is the inside of a JSON object. NULL with seen->err and seen->detail. */
static inline rm_stream_session *open_node(const char *type, const char *params, struct seen *seen) {
    char text[1024];
    rm_manifest *manifest = NULL;
    rm_stream_session *session = NULL;
    rm_stream_session_config config;
    rm_stream_session_config_init(&config);
    config.on_event = on_event;
    config.on_output = on_output;
    config.user = seen;
    int len = snprintf(text, sizeof text,
                       "{\"version\": \"v1\", \"metadata\": {\"name\": \"t\"}, \"nodes\": [{\"id\": \"n\", "
                       "\"node_type\": \"%s\", \"params\": {\"queue_size\": 4096, %s}}], \"connections\": []}",
                       type, params);
    assert_in_range(len, 1, sizeof text - 1);
    assert_int_equal(rm_manifest_parse(text, (size_t)len, NULL, &manifest), RM_OK);
    seen->err = rm_pipeline_runner_create_stream_session(runner, manifest, &config, &session, seen->detail,
                                                         sizeof seen->detail);
    rm_manifest_unref(&manifest);
    return session;
}

/* Takes the data. */
static inline void send_data(rm_stream_session *session, rm_runtime_data *data) {
    rm_transport_data item = {.data = data};
    assert_int_equal(rm_stream_session_send_input(session, &item), RM_OK);
    rm_transport_data_clear(&item);
}

/* Ends the input, waits for the end of the output, and destroys the session. */
static inline void end_session(rm_stream_session **session, struct seen *seen) {
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 60; /* "never" for a test that works */
    rm_stream_session_end_input(*session);
    assert_int_equal(sem_timedwait(&seen->done, &deadline), 0);
    rm_stream_session_destroy(session);
}

static inline struct seen *new_seen(void) {
    struct seen *seen = calloc(1, sizeof *seen);
    assert_non_null(seen);
    assert_int_equal(sem_init(&seen->done, 0, 0), 0);
    return seen;
}

static inline void free_seen(struct seen *seen) {
    sem_destroy(&seen->done);
    free(seen->sound);
    free(seen);
}

/* ---- what the tests do with it ---- */

/* Sound and pictures of `ms`, in order of time, from `sound_from_ms` and `video_from_ms` on (-1: not at all). */
static inline void write_media(const char *path, const char *params, int ms, int sound_from_ms, int video_from_ms,
                               struct seen *seen) {
    char all[512];
    snprintf(all, sizeof all, "\"path\": \"%s\"%s%s", path, params[0] ? ", " : "", params);
    rm_stream_session *session = open_node("MediaWriterNode", all, seen);
    assert_string_equal(seen->detail, "");
    uint64_t chunk = 0, frame = 0;
    for (int at = 0; at < ms; at++) {
        while (video_from_ms >= 0 && at >= video_from_ms && video_from_ms + (int64_t)frame * 1000 / FPS <= at) {
            send_data(session, make_picture(WIDTH, HEIGHT, frame, video_from_ms * 1000 + (int64_t)frame * US / FPS));
            frame++;
        }
        if (sound_from_ms >= 0 && at >= sound_from_ms && (at - sound_from_ms) % 10 == 0) {
            send_data(session, make_sound(chunk, at * 1000));
            chunk++;
        }
    }
    end_session(&session, seen);
}

/* Reads a file, not in real time. */
static inline struct seen *read_media(const char *path, const char *params) {
    char all[512];
    struct seen *seen = new_seen();
    snprintf(all, sizeof all, "\"path\": \"%s\", \"pace\": false%s%s", path, params[0] ? ", " : "", params);
    rm_stream_session *session = open_node("MediaReaderNode", all, seen);
    assert_string_equal(seen->detail, "");
    rm_runtime_data *start = NULL;
    assert_int_equal(rm_runtime_data_create_json("{}", 2, &start), RM_OK);
    send_data(session, start);
    end_session(&session, seen);
    return seen;
}

/* How much of the sound is the tone: 1 all, 0 nothing of it. */
static inline double tone_share(const float *sound, size_t len, double hz, unsigned rate) {
    double re = 0, im = 0, energy = 0;
    for (size_t i = 0; i < len; i++) {
        re += sound[i] * cos(2 * PI * hz * (double)i / rate);
        im += sound[i] * sin(2 * PI * hz * (double)i / rate);
        energy += (double)sound[i] * sound[i];
    }
    return energy > 0 ? 2 * (re * re + im * im) / ((double)len * energy) : 0;
}

#endif
