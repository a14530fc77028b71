/* SPDX-License-Identifier: Apache-2.0 */
#include "media/mix.h"
#include <math.h>

/* Loops of a constant number of turns without calls: the compiler turns them into vector instructions, at -O2 too.
 * Not-a-number is not equal to itself. */
#define LANES 16
#define VALUE_MAX 1000.0F

static inline float number(float v) {
    return v == v ? v : 0;
}

static inline float within(float v, float most) {
    v = v > most ? most : v;
    v = v < -most ? -most : v;
    return number(v);
}

void rmi_mix_add(float *restrict into, const float *restrict from, size_t n, float gain) {
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            into[i + j] += gain * number(from[i + j]);
    for (; i < n; i++)
        into[i] += gain * number(from[i]);
}

void rmi_mix_clip(float *pcm, size_t n) {
    for (size_t i = 0; i < n; i++)
        pcm[i] = within(pcm[i], 1);
}

float rmi_mix_sane(float *pcm, size_t n) {
    float most[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++) {
            float v = within(pcm[i + j], VALUE_MAX), size = fabsf(v);
            pcm[i + j] = v;
            most[j] = size > most[j] ? size : most[j];
        }
    for (; i < n; i++) {
        pcm[i] = within(pcm[i], VALUE_MAX);
        most[0] = fmaxf(most[0], fabsf(pcm[i]));
    }
    for (size_t j = 1; j < LANES; j++)
        most[0] = fmaxf(most[0], most[j]);
    return most[0];
}

float rmi_mix_energy(const float *pcm, size_t n) {
    float sum[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            sum[j] += pcm[i + j] * pcm[i + j];
    for (; i < n; i++)
        sum[0] += pcm[i] * pcm[i];
    for (size_t j = 1; j < LANES; j++)
        sum[0] += sum[j];
    return sum[0];
}

void rmi_mix_minus(float *restrict out, const float *restrict sum, const float *restrict own, size_t n) {
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            out[i + j] = sum[i + j] - own[i + j];
    for (; i < n; i++)
        out[i] = sum[i] - own[i];
}

static void scale(float *pcm, size_t n, float gain) {
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            pcm[i + j] *= gain;
    for (; i < n; i++)
        pcm[i] *= gain;
}

void rmi_mix_gain(float *pcm, size_t samples, int channels, float from, float to) {
    if (from == to) {
        scale(pcm, samples * (size_t)channels, to);
        return;
    }
    float step = samples > 0 ? (to - from) / (float)samples : 0;
    for (size_t i = 0; i < samples; i++) {
        float gain = from + step * (float)(i + 1);
        for (int c = 0; c < channels; c++)
            *pcm++ *= gain;
    }
}

static float mean(const float *in, int channels) {
    float sum = 0;
    for (int c = 0; c < channels; c++)
        sum += in[c];
    return sum / (float)channels;
}

void rmi_mix_channels(float *out, int out_channels, const float *in, int in_channels, size_t samples) {
    for (size_t i = 0; i < samples; i++, in += in_channels, out += out_channels)
        for (int c = 0; c < out_channels; c++) {
            if (in_channels == 1)
                out[c] = in[0];
            else if (out_channels == 1)
                out[c] = mean(in, in_channels);
            else
                out[c] = c < in_channels ? in[c] : 0;
        }
}
