/* SPDX-License-Identifier: Apache-2.0 */
#include "support/tones.h"

#include "support/api.h"
#include <complex.h>
#include <math.h>
#include <string.h>

#define WINDOW (10 * (size_t)RMT_TONE_WINDOW)
#define LONG_WINDOW (50 * (size_t)RMT_TONE_WINDOW)

rm_runtime_data *rmt_tone_chunk(unsigned tone, float amplitude, uint64_t chunk) {
    rm_buf *buf = NULL;
    rm_runtime_data *data = NULL;
    RMT_REQUIRE(rm_buf_create(RMT_TONE_WINDOW * sizeof(float), &buf) == RM_OK);
    float *pcm = (float *)(void *)rm_buf_write(buf);
    for (size_t i = 0; i < RMT_TONE_WINDOW; i++) {
        const uint64_t at = (chunk * RMT_TONE_WINDOW + i) % RMT_TONE_RATE;
        pcm[i] = amplitude * (float)sin(2 * M_PI * RMT_TONE_HZ(tone) * (double)at / RMT_TONE_RATE);
    }
    RMT_REQUIRE(rm_runtime_data_create_audio(buf, 0, RMT_TONE_WINDOW, RMT_TONE_RATE, 1, &data) == RM_OK);
    rm_buf_unref(&buf);
    return data;
}

double rmt_tone_amplitude(const float *pcm, size_t count, double hz) {
    const double complex step = cexp(-2 * M_PI * hz / RMT_TONE_RATE * I), bell = cexp(2 * M_PI / (double)count * I);
    double complex turn = 1, hann = cexp(M_PI / (double)count * I), sum = 0;
    double weight = 0;
    for (size_t i = 0; i < count; i++) {
        const double w = 0.5 - 0.5 * creal(hann);
        sum += w * (double)pcm[i] * turn;
        weight += w;
        turn *= step;
        hann *= bell;
    }
    return 2 * cabs(sum) / weight;
}

void rmt_tape_init(struct rmt_tape *tape) {
    memset(tape, 0, sizeof *tape);
    pthread_mutex_init(&tape->mutex, NULL);
}

void rmt_tape_add(struct rmt_tape *tape, const rm_audio *audio) {
    RMT_REQUIRE(audio->channels == 1 && audio->sample_rate == RMT_TONE_RATE);
    pthread_mutex_lock(&tape->mutex);
    for (size_t i = 0; i < audio->frame_count; i++)
        tape->pcm[tape->samples++ % RMT_TONE_KEPT] = audio->samples[i];
    pthread_mutex_unlock(&tape->mutex);
}

uint64_t rmt_tape_length(struct rmt_tape *tape) {
    pthread_mutex_lock(&tape->mutex);
    const uint64_t samples = tape->samples;
    pthread_mutex_unlock(&tape->mutex);
    return samples;
}

/* On a copy: who adds to the tape is not held up. */
static double tone(struct rmt_tape *tape, double hz, size_t window) {
    static _Thread_local float line[RMT_TONE_KEPT];
    double sum = 0;
    pthread_mutex_lock(&tape->mutex);
    const uint64_t end = tape->samples;
    for (size_t i = 0; i < RMT_TONE_KEPT; i++)
        line[i] = tape->pcm[(end + i) % RMT_TONE_KEPT];
    pthread_mutex_unlock(&tape->mutex);
    for (size_t at = 0; at < RMT_TONE_KEPT; at += window)
        sum += rmt_tone_amplitude(line + at, window, hz);
    return end < RMT_TONE_KEPT ? 0 : sum / (RMT_TONE_KEPT / window);
}

double rmt_tape_tone(struct rmt_tape *tape, double hz) {
    return tone(tape, hz, WINDOW);
}

double rmt_tape_absent(struct rmt_tape *tape, double hz) {
    return tone(tape, hz, LONG_WINDOW);
}
