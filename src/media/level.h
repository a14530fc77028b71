/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_MEDIA_LEVEL_H
#define RMI_MEDIA_LEVEL_H

#include <stddef.h>
#include <stdint.h>

/* Loudness relative to overload (dBov, RFC 6464): 0 is a full-scale square wave, -127 silence or less. */
#define RMI_LEVEL_FLOOR_DBOV (-127.0)

struct rmi_level {
    double rms, peak; /* linear, 0..1 for samples in -1..1 */
    double rms_dbov, peak_dbov;
};

/* Of `n` values, all channels together; not-a-number counts as silence. n = 0 is silence. */
struct rmi_level rmi_level_measure(const float *pcm, size_t n);
/* As in the RTP header extension for audio levels (RFC 6464): 0 loudest .. 127 silence. */
uint8_t rmi_level_rfc6464(const struct rmi_level *level);
/* Back to a linear one: 1 loudest .. 0 silence (127). */
double rmi_level_amplitude(uint8_t rfc6464);

#endif
