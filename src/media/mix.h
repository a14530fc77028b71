/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_MEDIA_MIX_H
#define RMI_MEDIA_MIX_H

#include <stddef.h>

/* Interleaved floats in -1..1; `n` counts values, all channels together. Not-a-number counts as silence. */

/* into += gain * from, not clipped: sum everything first, clip once. */
void rmi_mix_add(float *into, const float *from, size_t n, float gain);
/* Saturates at -1 and 1. */
void rmi_mix_clip(float *pcm, size_t n);
/* out = clip(sum - own): what a participant hears of a sum (unclipped) it is part of. out may be own or sum. */
void rmi_mix_minus(float *out, const float *sum, const float *own, size_t n);
/* A gain that moves evenly from `from` to `to` over the samples, so that a change does not click. */
void rmi_mix_gain(float *pcm, size_t samples, int channels, float from, float to);
/* Mono to all channels, all to mono (mean), or the first ones, the rest silent. */
void rmi_mix_channels(float *out, int out_channels, const float *in, int in_channels, size_t samples);

#endif
