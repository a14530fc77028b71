/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_MEDIA_MIX_H
#define RMI_MEDIA_MIX_H

#include <stddef.h>

/* Interleaved floats in -1..1; `n` counts values, all channels together. Not-a-number counts as silence. */

/* into += gain * from, not clipped: sum everything first, clip once. */
void rmi_mix_add(float *restrict into, const float *restrict from, size_t n, float gain);
/* Saturates at -1 and 1. */
void rmi_mix_clip(float *pcm, size_t n);
/* Limits nonsense to 60 dB above full scale, so that sums have no infinities; returns the largest size. */
float rmi_mix_sane(float *pcm, size_t n);
/* Sum of squares. */
float rmi_mix_energy(const float *pcm, size_t n);
/* out = sum - own, not clipped: what a participant hears of a sum it is part of. Both are sane. */
void rmi_mix_minus(float *restrict out, const float *restrict sum, const float *restrict own, size_t n);
/* A gain that moves evenly from `from` to `to` over the samples, so that a change does not click. */
void rmi_mix_gain(float *pcm, size_t samples, int channels, float from, float to);
/* Mono to all channels, all to mono (mean), or the first ones, the rest silent. */
void rmi_mix_channels(float *out, int out_channels, const float *in, int in_channels, size_t samples);

#endif
