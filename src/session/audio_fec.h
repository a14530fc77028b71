/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SESSION_AUDIO_FEC_H
#define RMI_SESSION_AUDIO_FEC_H

#include <stdbool.h>
#include <stdint.h>

/* Whether one encoder of sound shall put coarse copies of each frame into the next packet (Opus in-band FEC), by what
 * its receivers lose. For those that take no copies of ours (RFC 2198), which are better: they cost the others nothing.
 * All zeros: off. Pure; one thread. */
struct rmi_audio_fec {
    bool on, turning;
    int64_t since_us; /* turning: the losses have called for the other since then */
};

/* Losses below this are heard as a rustle at most. */
#define RMI_AUDIO_FEC_ON_LOSS 0.03
#define RMI_AUDIO_FEC_OFF_LOSS 0.01
#define RMI_AUDIO_FEC_ON_US 2000000
#define RMI_AUDIO_FEC_OFF_US 10000000
/* What the encoder is told, in steps. Less than ten leaves it without copies below 40 kbit/s, and from 25 on it does
 * the same for all (libopus 1.3.1, measured). */
#define RMI_AUDIO_FEC_PERCENT_MIN 10
#define RMI_AUDIO_FEC_PERCENT_MAX 25
#define RMI_AUDIO_FEC_PERCENT_STEP 5

/* To be called about once a second. `loss`: 0..1, the most that one of these receivers loses; 0: there is none. Returns
 * the loss in percent that the encoder shall expect; 0: no FEC. */
int rmi_audio_fec_step(struct rmi_audio_fec *f, int64_t now_us, double loss);

#endif
