/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_JITTER_AUDIO_SIM_TESTKIT_H
#define RMI_JITTER_AUDIO_SIM_TESTKIT_H

#include "base/histogram.h"
#include "jitter/audio.h"
#include <stdbool.h>
#include <stdint.h>

/* A sender, a bad network and a player around one audio buffer, in virtual time. */
struct audio_sim_config {
    uint64_t seed;
    int64_t duration_us;
    uint32_t packet_ms, chunk_ms;
    int64_t base_delay_us;
    int64_t jitter_us; /* each packet 0..this later, evenly spread */
    bool keep_order;   /* jitter as in a queue: nobody overtakes */
    double loss;       /* of single packets */
    double burst;      /* mean length of bursts (Gilbert); 0 or 1: single losses */
    double reorder;    /* share that is held back by 1..3 packets */
    double duplicate;  /* share that comes twice */
    double drift_ppm;  /* sender's clock against the player's; positive: fast */
    double phase;      /* 0..1: where in a chunk the first packet comes */
    bool fec;
    bool no_resampling;
    int64_t pull_jitter_us; /* the player's own timer is 0..this late */
    unsigned redundancy;    /* RFC 2198: so many older packets repeated in each */
    uint16_t first_seq;
    uint32_t first_timestamp;
    int64_t max_delay_us;
    int64_t warm_up_us;            /* not counted */
    int64_t stall_at_us, stall_us; /* the network delivers nothing in between, then all at once */
    /* A queue before a link: it fills within half its length, holds what is sent for as long, and empties in twice. */
    int64_t queue_at_us, queue_for_us, queue_us;
};

struct audio_sim_result {
    struct rmi_audio_buffer_stats stats;
    struct rmi_histogram delay; /* of played packets, over the base delay */
    uint64_t sent, counted_ticks, concealed_ticks, stretched_ticks, longest_gap_ticks, waits;
    int64_t last_bad_us; /* when something was invented or silent for the last time */
    bool in_order, once;
};

void audio_sim_run(const struct audio_sim_config *config, struct audio_sim_result *out);
double audio_sim_concealed(const struct audio_sim_result *r); /* share of the time */
void audio_sim_print(const char *what, const struct audio_sim_result *r);

#endif
