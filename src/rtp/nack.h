/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RTP_NACK_H
#define RMI_RTP_NACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The packets a receiver misses, and when to ask for them (RFC 4585 6.2.1). */
#define RMI_NACK_MAX 256 /* missing at one time: more is an outage, which a key frame ends sooner */

struct rmi_nack_entry {
    uint16_t seq;
    uint8_t tries;
    int64_t since_us;           /* when its absence was seen */
    int64_t first_us, asked_us; /* asked for, and last */
    int64_t due_us;
};

struct rmi_nack_config {
    int64_t reorder_us; /* grace before the first request; 0 asks at once */
    uint8_t tries;      /* requests for each packet, at least 1 */
    int64_t echo_us;    /* each request is followed by another one after so long, where requests are lost; 0: no */
    int64_t apart_us;   /* messages are so far apart: what is missed meanwhile joins the next; 0: any number of them */
    int64_t worth_us;   /* what cannot be here so soon after it was missed is not asked for (any more); 0: no limit */
};

struct rmi_nack {
    struct rmi_nack_config config;
    bool started;
    uint16_t newest;
    bool gave_up;    /* since last asked: something stays missing */
    int64_t next_us; /* no message before */
    unsigned budget; /* numbers that may be asked for: one for each packet that came, so that a storm of losses is not
                        answered by one of requests; echoes are free, they are answered once */
    size_t count;
    uint64_t recovered;
    uint64_t abandoned;
    struct rmi_nack_entry missing[RMI_NACK_MAX]; /* oldest first */
};

void rmi_nack_init(struct rmi_nack *n, const struct rmi_nack_config *config);
/* A packet arrived, first-hand or by retransmission. */
void rmi_nack_input(struct rmi_nack *n, uint16_t seq, int64_t now_us);
/* How long the answer to a request for this number took, if it is here now; 0: not known. Where several were sent, it
 * is not known which of them is answered (Karn's rule for TCP, RFC 6298 3); unless the last went out less than
 * `least_us` ago, which is too soon: then it is taken for the first one's. */
int64_t rmi_nack_answer_us(const struct rmi_nack *n, uint16_t seq, int64_t now_us, int64_t least_us);
/* Numbers to ask for now, oldest first; each comes again after retry_us (a round trip) until its tries are used up. */
size_t rmi_nack_due(struct rmi_nack *n, int64_t now_us, int64_t retry_us, uint16_t *out, size_t cap);
int64_t rmi_nack_next_deadline(const struct rmi_nack *n);
/* Everything before seq is of no more use: played out, or a key frame begins there. */
void rmi_nack_forget_before(struct rmi_nack *n, uint16_t seq);
/* Whether packets were given up since the last call: a video receiver then needs a key frame. */
bool rmi_nack_take_gave_up(struct rmi_nack *n);

#endif
