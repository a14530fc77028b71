/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_MARKER_H
#define RMRTC_MARKER_H

#include <remotemedia/data.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Markers in sound: 10 ms sweeps between 1 and 3.5 kHz with soft ends, of which even Opus for voice at 24 kbit/s keeps
 * the shape. They rise where the capture clock passes a whole second and fall at the half seconds, so that a latency up
 * to a second is told without doubt. For test sound: music and speech may hold something alike now and then. */

#define MARKER_US 10000
#define MARKER_SPACING_US 500000

enum marker_kind { MARKER_RISING, MARKER_FALLING, MARKER_KINDS };

#define MARKER_RATE_MIN_HZ 16000 /* lower, a marker between two samples is not alike enough */
#define MARKER_RATE_MAX_HZ 96000

/* Samples of a marker. */
size_t marker_samples(uint32_t rate_hz);
/* Full scale, with soft ends; marker_samples() values. */
void marker_draw(enum marker_kind kind, uint32_t rate_hz, float *out);

struct marker_heard {
    int64_t heard_us; /* when its first sample is played */
    enum marker_kind kind;
    double similarity; /* of its shape to the one sent: 1 is undamaged */
};

struct marker_detector;

/* RM_E_INVALID_ARG: the rate. RM_E_NO_MEMORY. One thread per object. */
rm_err marker_detector_create(uint32_t rate_hz, struct marker_detector **out);
void marker_detector_destroy(struct marker_detector **md);
/* Received sound, chunk by chunk, all channels heard together; first_us is when its first sample is played. A marker
 * that a gap or the player has damaged is not found, rather than found at a wrong time. Once two came MARKER_SPACING_US
 * apart, the next is looked for where it is expected, and elsewhere only if it is not there: a fifth of the work.
 * RM_E_INVALID_ARG: another sample rate. */
rm_err marker_detector_feed(struct marker_detector *md, const rm_audio *audio, int64_t first_us);
/* The next marker found, known 20 ms after its end, or up to 300 ms where one was expected later; the oldest are
 * forgotten if nobody asks. */
bool marker_detector_next(struct marker_detector *md, struct marker_heard *out);
/* Age of a marker when heard, on the clock of its capture: -10..990 ms (a little below zero is rounding). */
int64_t marker_latency_us(const struct marker_heard *heard);

#endif
