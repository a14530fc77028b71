/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_MEDIA_RESAMPLE_H
#define RMI_MEDIA_RESAMPLE_H

#include <remotemedia/error.h>
#include <stddef.h>
#include <stdint.h>

/* Sample rate conversion of interleaved floats, with a ratio that can be nudged while running (clock drift). One thread
 * per object. */
struct rmi_resampler;

#define RMI_RESAMPLE_RATE_MIN_HZ 1000
#define RMI_RESAMPLE_RATE_MAX_HZ 384000
#define RMI_RESAMPLE_CHANNELS_MAX 16
#define RMI_RESAMPLE_QUALITY_MAX 10
#define RMI_RESAMPLE_QUALITY_LIVE 4 /* about 2 ms of delay at 48 to 16 kHz (measured: 3 has 1.5, 5 has 2.5) */
#define RMI_RESAMPLE_NUDGE_MAX_PPM 20000
#define RMI_RESAMPLE_NUDGE_STEP_PPM 16 /* the library's fractions: near the nominal ratio it has no finer steps */

/* quality 0..RMI_RESAMPLE_QUALITY_MAX. RM_E_INVALID_ARG, RM_E_NO_MEMORY. */
rm_err rmi_resampler_create(uint32_t from_hz, uint32_t to_hz, int channels, int quality, struct rmi_resampler **out);
void rmi_resampler_destroy(struct rmi_resampler **r);
/* Counts are per channel. Takes up to *in_samples and gives up to *out_samples; both are set to what was done. With
 * room for rmi_resampler_out_max(), all input is taken. */
rm_err rmi_resampler_run(struct rmi_resampler *r, const float *in, size_t *in_samples, float *out, size_t *out_samples);
size_t rmi_resampler_out_max(const struct rmi_resampler *r, size_t in_samples);
/* Gives `ppm` millionths more (or fewer, when negative) samples than the nominal ratio, rounded
 * to RMI_RESAMPLE_NUDGE_STEP_PPM or better: whoever steers by it closes the loop over what came out. */
rm_err rmi_resampler_nudge(struct rmi_resampler *r, int ppm);
/* By how many output samples the sound is delayed. */
size_t rmi_resampler_delay(const struct rmi_resampler *r);
/* Forget the sound so far. */
void rmi_resampler_reset(struct rmi_resampler *r);

#endif
