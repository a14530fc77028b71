/* SPDX-License-Identifier: Apache-2.0 */
#include "test_audio.h"

#include "base/time.h"
#include "frame/pool.h"
#include "marker.h"
#include <math.h>
#include <stdlib.h>

#define PI 3.14159265358979323846
#define RATE TEST_AUDIO_RATE_HZ /* the sound repeats every second: as many samples */
#define SPACING ((uint64_t)RATE * MARKER_SPACING_US / RMI_SEC(1))
#define TONE_HZ 400          /* a whole number, for a second without a seam */
#define TONE_AMPLITUDE 0.02f /* -34 dBFS: heard, and nothing that hides a marker */
#define MARKER_AMPLITUDE 0.3f
#define POOL_BUFFERS 128 /* more than a second may wait in queues */

struct test_audio {
    uint32_t channels;
    size_t chunk; /* samples per channel */
    int64_t start_us;
    uint64_t next;
    uint64_t phase; /* place of the first sample in the second */
    struct rmi_frame_pool *pool;
    float second[RATE]; /* from a whole second of the clock on */
};

static void draw_second(float *out) {
    float marker[RATE / 100]; /* MARKER_US */
    size_t n = marker_samples(RATE);
    for (size_t i = 0; i < RATE; i++)
        out[i] = TONE_AMPLITUDE * (float)sin(2 * PI * TONE_HZ * (double)i / RATE);
    for (int k = 0; k < MARKER_KINDS; k++) {
        marker_draw((enum marker_kind)k, RATE, marker);
        for (size_t i = 0; i < n; i++)
            out[(uint64_t)k * SPACING + i] += MARKER_AMPLITUDE * marker[i];
    }
}

rm_err test_audio_create(uint32_t channels, uint32_t chunk_ms, int64_t start_us, struct test_audio **out) {
    bool chunk_valid = chunk_ms == 5 || chunk_ms == 10 || chunk_ms == 20;
    if (channels < 1 || channels > TEST_AUDIO_CHANNELS_MAX || !chunk_valid || start_us < 0)
        return RM_E_INVALID_ARG;
    struct test_audio *ta = calloc(1, sizeof *ta);
    if (!ta)
        return RM_E_NO_MEMORY;
    rm_err err = rmi_frame_pool_create(&(struct rmi_frame_pool_config){.max_buffers = POOL_BUFFERS}, &ta->pool);
    if (err) {
        free(ta);
        return err;
    }
    ta->channels = channels;
    ta->chunk = RATE / 1000 * chunk_ms;
    ta->start_us = start_us;
    /* Markers begin with the first sample captured when a whole or half second has come. */
    uint64_t to_go = (uint64_t)(RMI_SEC(1) - start_us % RMI_SEC(1)) % RMI_SEC(1);
    uint64_t first = (to_go * RATE + RMI_SEC(1) - 1) / RMI_SEC(1);
    ta->phase = (RATE - first) % RATE;
    draw_second(ta->second);
    *out = ta;
    return RM_OK;
}

void test_audio_destroy(struct test_audio **ta) {
    if (!ta || !*ta)
        return;
    rmi_frame_pool_destroy(&(*ta)->pool);
    free(*ta);
    *ta = NULL;
}

rm_err test_audio_next(struct test_audio *ta, rm_runtime_data **out) {
    uint64_t first = ta->next;
    ta->next += ta->chunk;
    rm_runtime_data *data = NULL;
    rm_err err = rmi_frame_pool_audio(ta->pool, ta->chunk * ta->channels, RATE, ta->channels, &data);
    if (err)
        return err;
    float *samples = rm_runtime_data_write_samples(data);
    for (size_t i = 0; i < ta->chunk; i++)
        for (uint32_t c = 0; c < ta->channels; c++)
            *samples++ = ta->second[(ta->phase + first + i) % RATE];
    rm_runtime_data_set_timestamp_us(data, test_audio_capture_us(ta, first));
    *out = data;
    return RM_OK;
}

int64_t test_audio_due_us(const struct test_audio *ta) {
    return test_audio_capture_us(ta, ta->next + ta->chunk);
}

int64_t test_audio_capture_us(const struct test_audio *ta, uint64_t sample) {
    return ta->start_us + (int64_t)(sample / RATE * (uint64_t)RMI_SEC(1) + sample % RATE * (uint64_t)RMI_SEC(1) / RATE);
}

uint64_t test_audio_marker_sample(const struct test_audio *ta, uint64_t n) {
    return (SPACING - ta->phase % SPACING) % SPACING + n * SPACING;
}

void test_audio_reference(const struct test_audio *ta, uint64_t sample, float *out, size_t count) {
    for (size_t i = 0; i < count; i++)
        out[i] = ta->second[(ta->phase + sample + i) % RATE];
}
