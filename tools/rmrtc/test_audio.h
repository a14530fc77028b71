/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_TEST_AUDIO_H
#define RMRTC_TEST_AUDIO_H

#include <remotemedia/data.h>
#include <stddef.h>
#include <stdint.h>

/* Test sound at 48 kHz: a quiet steady tone, and a marker (marker.h) whenever the capture clock passes a multiple of
 * half a second. Whoever hears a marker on the same clock knows how old it is. One thread per object; chunks go
 * anywhere. */

#define TEST_AUDIO_RATE_HZ 48000
#define TEST_AUDIO_CHANNELS_MAX 2

struct test_audio;

/* channels 1 or 2 (both alike), chunks of 5, 10 or 20 ms; the first sample is captured at start_us >= 0.
 * RM_E_INVALID_ARG, RM_E_NO_MEMORY. */
rm_err test_audio_create(uint32_t channels, uint32_t chunk_ms, int64_t start_us, struct test_audio **out);
void test_audio_destroy(struct test_audio **ta);
/* The next chunk, timed with the capture of its first sample. RM_E_LIMIT: chunks are held up further on, the memory of
 * all is in use; this one is left out, the clock goes on. RM_E_NO_MEMORY: likewise. */
rm_err test_audio_next(struct test_audio *ta, rm_runtime_data **out);
/* When the next chunk is complete, as a microphone would have it. */
int64_t test_audio_due_us(const struct test_audio *ta);
/* When a sample (per channel, counted from 0) is captured. */
int64_t test_audio_capture_us(const struct test_audio *ta, uint64_t sample);
/* The first sample of the nth marker, from 0. */
uint64_t test_audio_marker_sample(const struct test_audio *ta, uint64_t n);
/* One channel of `count` samples from `sample` on, as sent. */
void test_audio_reference(const struct test_audio *ta, uint64_t sample, float *out, size_t count);

#endif
