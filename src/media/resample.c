/* SPDX-License-Identifier: Apache-2.0 */
#include "media/resample.h"
#include <math.h>
#include <speex/speex_resampler.h>
#include <stdint.h>
#include <stdlib.h>

#define MILLION 1000000
/* speexdsp multiplies the old denominator by the new one in 32 bits when the ratio changes. */
#define TERM_MAX 65535
#define EXACT 1e-9   /* what is left of a continued fraction that has ended */
#define OUT_SPARE 64 /* samples a change of the filter's length may free at once, and rounding */

struct rmi_resampler {
    SpeexResamplerState *lib;
    uint32_t from_hz, to_hz;
};

struct fraction {
    uint64_t num, den;
};

static double distance(struct fraction f, double ratio) {
    return fabs((double)f.num / (double)f.den - ratio);
}

/* The fraction nearest to `ratio` whose terms fit, by its continued fraction: the last convergent that fits, or what
 * lies on the way to the next one. */
static struct fraction fraction_of(double ratio) {
    struct fraction before = {0, 1}, last = {1, 0};
    double rest = ratio;
    for (;;) {
        uint64_t whole = rest < TERM_MAX + 1.0 ? (uint64_t)rest : TERM_MAX + 1;
        struct fraction next = {whole * last.num + before.num, whole * last.den + before.den};
        if (next.num > TERM_MAX || next.den > TERM_MAX)
            break;
        before = last;
        last = next;
        if (rest - (double)whole < EXACT)
            return last;
        rest = 1 / (rest - (double)whole);
    }
    uint64_t by_num = (TERM_MAX - before.num) / last.num, by_den = (TERM_MAX - before.den) / last.den;
    uint64_t steps = by_num < by_den ? by_num : by_den;
    struct fraction between = {steps * last.num + before.num, steps * last.den + before.den};
    return between.den > 0 && distance(between, ratio) < distance(last, ratio) ? between : last;
}

static rm_err set_ratio(struct rmi_resampler *r, int ppm) {
    struct fraction f = fraction_of((double)r->from_hz / r->to_hz * MILLION / (MILLION + ppm));
    int err = speex_resampler_set_rate_frac(r->lib, (spx_uint32_t)f.num, (spx_uint32_t)f.den, r->from_hz, r->to_hz);
    if (err == RESAMPLER_ERR_ALLOC_FAILED)
        return RM_E_NO_MEMORY;
    return err ? RM_E_INTERNAL : RM_OK;
}

rm_err rmi_resampler_create(uint32_t from_hz, uint32_t to_hz, int channels, int quality, struct rmi_resampler **out) {
    if (from_hz < RMI_RESAMPLE_RATE_MIN_HZ || from_hz > RMI_RESAMPLE_RATE_MAX_HZ || to_hz < RMI_RESAMPLE_RATE_MIN_HZ ||
        to_hz > RMI_RESAMPLE_RATE_MAX_HZ || channels < 1 || channels > RMI_RESAMPLE_CHANNELS_MAX || quality < 0 ||
        quality > RMI_RESAMPLE_QUALITY_MAX)
        return RM_E_INVALID_ARG;
    struct rmi_resampler *r = calloc(1, sizeof *r);
    int err = 0;
    if (!r)
        return RM_E_NO_MEMORY;
    r->from_hz = from_hz;
    r->to_hz = to_hz;
    r->lib = speex_resampler_init((spx_uint32_t)channels, from_hz, to_hz, quality, &err);
    if (!r->lib) {
        free(r);
        return RM_E_NO_MEMORY;
    }
    *out = r;
    return RM_OK;
}

void rmi_resampler_destroy(struct rmi_resampler **r) {
    if (!r || !*r)
        return;
    speex_resampler_destroy((*r)->lib);
    free(*r);
    *r = NULL;
}

rm_err rmi_resampler_run(struct rmi_resampler *r, const float *in, size_t *in_samples, float *out,
                         size_t *out_samples) {
    if (*in_samples > UINT32_MAX || *out_samples > UINT32_MAX)
        return RM_E_INVALID_ARG;
    spx_uint32_t taken = (spx_uint32_t)*in_samples, given = (spx_uint32_t)*out_samples;
    if (speex_resampler_process_interleaved_float(r->lib, in, &taken, out, &given))
        return RM_E_INTERNAL;
    *in_samples = taken;
    *out_samples = given;
    return RM_OK;
}

size_t rmi_resampler_out_max(const struct rmi_resampler *r, size_t in_samples) {
    double most = (double)in_samples * r->to_hz / r->from_hz * (MILLION + RMI_RESAMPLE_NUDGE_MAX_PPM) / MILLION;
    return (size_t)most + OUT_SPARE;
}

rm_err rmi_resampler_nudge(struct rmi_resampler *r, int ppm) {
    if (ppm < -RMI_RESAMPLE_NUDGE_MAX_PPM || ppm > RMI_RESAMPLE_NUDGE_MAX_PPM)
        return RM_E_INVALID_ARG;
    return set_ratio(r, ppm);
}

size_t rmi_resampler_delay(const struct rmi_resampler *r) {
    int samples = speex_resampler_get_output_latency(r->lib);
    return samples > 0 ? (size_t)samples : 0;
}

void rmi_resampler_reset(struct rmi_resampler *r) {
    speex_resampler_reset_mem(r->lib);
}
