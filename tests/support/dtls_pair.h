/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMT_SUPPORT_DTLS_PAIR_H
#define RMT_SUPPORT_DTLS_PAIR_H

#include "base/rng.h"
#include "dtls/dtls.h"

/* A DTLS client and a server joined by a lossy link, in virtual time, repeatable from a seed. */
enum rmt_dtls_side { RMT_CLIENT, RMT_SERVER };

#define RMT_DTLS_QUEUE 1024
#define RMT_DTLS_PACKET_MAX 1500

struct rmt_dtls_packet {
    int64_t at_us;
    enum rmt_dtls_side to;
    size_t len;
    uint8_t data[RMT_DTLS_PACKET_MAX];
};

struct rmt_dtls_end {
    struct rmi_dtls *dtls;
    struct rmt_dtls_pair *pair;
    unsigned sent;        /* datagrams */
    int64_t connected_us; /* -1: not yet */
    unsigned connected, failed, closed;
    rm_err err;
    char detail[160];
    unsigned messages; /* application data received */
    size_t message_len;
    uint8_t message[2048]; /* the last */
};

struct rmt_dtls_options {
    uint64_t seed;
    int64_t delay_us;  /* one way */
    int64_t jitter_us; /* added, uniform from 0: reorders */
    int64_t rtt_us;    /* told to both sides */
    int64_t timeout_us;
    unsigned loss_permille, duplicate_permille;
    bool no_fingerprints;          /* the test sets them itself */
    struct rmi_dtls_cert *cert[2]; /* NULL: new ones */
    struct rmi_log *log;
};

struct rmt_dtls_pair {
    struct rmt_dtls_end end[2];
    struct rmi_dtls_cert *cert[2];
    struct rmt_dtls_options options;
    struct rmi_prng prng;
    int64_t now_us, wall_offset_us;
    struct rmt_dtls_packet *queue;
    size_t queued;
    size_t longest;
    uint64_t wire_hash;
    /* Sees every datagram sent (`index` counts those of its side); may change it; false loses it. */
    bool (*on_wire)(struct rmt_dtls_pair *pair, enum rmt_dtls_side from, unsigned index, uint8_t *data, size_t *len);
    void *user;
};

void rmt_dtls_pair_init(struct rmt_dtls_pair *pair, const struct rmt_dtls_options *options);
/* Start both sides. */
void rmt_dtls_pair_start(struct rmt_dtls_pair *pair);
/* Run until both are connected or ended, or until `until_us`. */
void rmt_dtls_pair_run(struct rmt_dtls_pair *pair, int64_t until_us);
/* Run until `until_us`, whatever the states. */
void rmt_dtls_pair_run_all(struct rmt_dtls_pair *pair, int64_t until_us);
void rmt_dtls_pair_fini(struct rmt_dtls_pair *pair);
/* Hand bytes to a side now, as if they came from the other. */
void rmt_dtls_pair_inject(struct rmt_dtls_pair *pair, enum rmt_dtls_side to, const uint8_t *data, size_t len);
/* Take the events of both sides. */
void rmt_dtls_pair_drain(struct rmt_dtls_pair *pair);
bool rmt_dtls_pair_connected(const struct rmt_dtls_pair *pair);

#endif
