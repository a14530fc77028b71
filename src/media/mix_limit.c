/* SPDX-License-Identifier: Apache-2.0 */
#include "media/mix_limit.h"
#include "media/mix.h"
#include <math.h>

/* A sum over full scale is turned down to this. What exceeds before the gain has come down is bent, not cut. */
#define KNEE 0.9F
#define RELEASE_S 0.2F /* the gain comes back by the part of what is missing that has passed of this */
#define SETTLED 1e-3F  /* so close to 1 it is 1 */

void rmi_mix_limit_init(struct rmi_mix_limit *l) {
    l->gain = 1;
}

static float bend(float v) {
    float size = fabsf(v);
    return size <= KNEE ? v : copysignf(KNEE + (1 - KNEE) * tanhf((size - KNEE) / (1 - KNEE)), v);
}

void rmi_mix_limit_run(struct rmi_mix_limit *l, float *pcm, size_t samples, int channels, uint32_t rate_hz) {
    size_t n = samples * (size_t)channels;
    float from = l->gain, back = (float)samples / ((float)rate_hz * RELEASE_S), peak = rmi_mix_sane(pcm, n);
    float wanted = peak > 1 ? KNEE / peak : 1, released = from + (1 - from) * (back < 1 ? back : 1);
    l->gain = wanted < released ? wanted : released > 1 - SETTLED ? 1 : released;
    if (from < 1 || l->gain < 1)
        rmi_mix_gain(pcm, samples, channels, from, l->gain);
    if (peak * fmaxf(from, l->gain) > 1)
        for (size_t i = 0; i < n; i++)
            pcm[i] = bend(pcm[i]);
}
