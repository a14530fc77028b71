/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_MEDIA_MIX_LIMIT_H
#define RMI_MEDIA_MIX_LIMIT_H

#include <stddef.h>
#include <stdint.h>

/* Keeps a sum within full scale: what fits is left as it is, bit for bit; what does not is turned down, so that the
 * waves keep their shape. It looks at one frame at a time and adds no delay. */
struct rmi_mix_limit {
    float gain; /* 1: nothing to do. Begin with rmi_mix_limit_init */
};

void rmi_mix_limit_init(struct rmi_mix_limit *l);
/* Afterwards every value is a number in -1..1. Values beyond 1000 count as 1000, not-a-number as silence. */
void rmi_mix_limit_run(struct rmi_mix_limit *l, float *pcm, size_t samples, int channels, uint32_t rate_hz);

#endif
