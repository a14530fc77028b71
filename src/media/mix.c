/* SPDX-License-Identifier: Apache-2.0 */
#include "media/mix.h"

/* Plain loops without calls: the compiler turns them into vector instructions. Not-a-number is not equal to itself. */

static inline float number(float v) {
    return v == v ? v : 0;
}

static inline float clipped(float v) {
    v = v > 1 ? 1 : v;
    v = v < -1 ? -1 : v;
    return number(v);
}

void rmi_mix_add(float *into, const float *from, size_t n, float gain) {
    for (size_t i = 0; i < n; i++)
        into[i] += gain * number(from[i]);
}

void rmi_mix_clip(float *pcm, size_t n) {
    for (size_t i = 0; i < n; i++)
        pcm[i] = clipped(pcm[i]);
}

void rmi_mix_minus(float *out, const float *sum, const float *own, size_t n) {
    for (size_t i = 0; i < n; i++)
        out[i] = clipped(sum[i] - number(own[i]));
}

void rmi_mix_gain(float *pcm, size_t samples, int channels, float from, float to) {
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
