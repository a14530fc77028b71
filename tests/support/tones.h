/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMT_TONES_H
#define RMT_TONES_H

#include <pthread.h>
#include <remotemedia/webrtc_media.h>
#include <stdint.h>

/* Participants told apart by their tones: number i has RMT_TONE_HZ(i). Whole numbers, so that a second holds whole
 * periods; not of a packet, else what a codec adds would lie on the tones of others. */
#define RMT_TONE_RATE 48000
#define RMT_TONE_HZ(i) (307.0 + 211.0 * (double)(i))
#define RMT_TONE_WINDOW 480                   /* 10 ms, one chunk */
#define RMT_TONE_KEPT (200 * RMT_TONE_WINDOW) /* 2 s */

/* A chunk of it, the `chunk`th. The caller's reference. */
rm_runtime_data *rmt_tone_chunk(unsigned tone, float amplitude, uint64_t chunk);
/* Amplitude of a tone in `count` samples, windowed (Hann). */
double rmt_tone_amplitude(const float *pcm, size_t count, double hz);

/* The last that was heard of one stream. */
struct rmt_tape {
    pthread_mutex_t mutex;
    float pcm[RMT_TONE_KEPT];
    uint64_t samples;
};
void rmt_tape_init(struct rmt_tape *tape);
void rmt_tape_add(struct rmt_tape *tape, const rm_audio *audio); /* mono, 48 kHz */
uint64_t rmt_tape_length(struct rmt_tape *tape);
/* Mean amplitude of a tone in the last 2 s, over windows of 100 ms; 0 as long as there is less. */
double rmt_tape_tone(struct rmt_tape *tape, double hz);
/* The same for one that should not be there: over windows of 500 ms, in which noise counts less. */
double rmt_tape_absent(struct rmt_tape *tape, double hz);

#endif
