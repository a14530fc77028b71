/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_MEDIA_STRETCH_H
#define RMI_MEDIA_STRETCH_H

#include <stddef.h>
#include <stdint.h>

/* Makes sound a little longer or shorter at the same pitch: a piece is repeated or left out where the waveform before
 * and behind it is alike, with a cross-fade over the joint (as in WSOLA). No memory of its own. */

/* What fits at least this well (1: the same waveform on both sides) is not heard as a joint. */
#define RMI_STRETCH_FIT_GOOD 0.9
/* Anything goes: noise, or sound that must give way. */
#define RMI_STRETCH_FIT_ANY (-1.0)

/* Counts are per channel. */
struct rmi_stretch {
    uint32_t rate_hz;
    int channels;
    const float *pcm; /* interleaved */
    size_t samples;
    ptrdiff_t want; /* > 0: samples to add, < 0: to leave out */
    size_t most;    /* of either; 0: no more than wanted */
    double fit;     /* do nothing rather than join what fits worse; silence always fits */
};

/* Writes samples + result to `out`, which has room for samples + most (or + want) and does not overlap `pcm`. Returns
 * what was changed: 0 (a plain copy), or of the sign of `want`, from 1.25 ms to `most`, or exactly `want` where that
 * fits. One call joins once: far more than half of what is there cannot go. */
ptrdiff_t rmi_stretch_run(const struct rmi_stretch *s, float *out);

#endif
