/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SESSION_QUALITY_H
#define RMI_SESSION_QUALITY_H

#include <stdbool.h>

/* How good a call with one peer is, 0..100; from 50 on it is acceptable. What comes from the peer counts, and where
 * nothing comes what the peer says of ours.
 *
 * Sound follows the E-model (ITU-T G.107, G.113): R = 93.2 - Id - Ie, of 93.2.
 *   Id = 0.024 d + 0.11 max(d - 177.3, 0), of the delay d in ms one way: half the round trip and the jitter buffer.
 *   Ie = 95 p / (p + 10), of the share p in per cent that is invented instead of heard.
 * Pictures: 100, times 1 - 2 x the share of the time in which they stand still, times fps / 15 where fewer come; less
 * Id, of their own delay. The call is as good as the worse of both, less two points for each per cent of packets lost
 * above five. */
struct rmi_quality_input {
    bool sound, pictures; /* come just now */
    double rtt_ms;        /* 0: unknown */
    double sound_buffer_ms, picture_buffer_ms;
    double concealed; /* share of the sound, 0..1 */
    double frozen;    /* share of the time, 0..1 */
    double fps;       /* of pictures */
    double loss;      /* share of packets, before repairs, the worse direction, 0..1 */
};

struct rmi_quality {
    double sound, pictures, score; /* 0..100; of what does not come 0 */
};

/* Values out of range are taken for the nearest in it. */
struct rmi_quality rmi_quality_of(const struct rmi_quality_input *in);

#endif
