/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SCTP_GOODPUT_TESTKIT_H
#define RMI_SCTP_GOODPUT_TESTKIT_H

#include "sctp/chunk.h"
#include "sctp/pair_testkit.h"

/* A transfer over a pair of links in virtual time, and small messages on a stream beside it. The rate of a link counts
 * whole IP packets. Messages are numbered, and a hash of all bytes is compared at the end. Header-only, for
 * goodput_test.c and `rmrtc bench DATA`. */

#define TEST_BULK 1
#define TEST_SMALL 2
#define TEST_SMALL_EVERY_US RMI_MS(50)
#define TEST_LATENCIES 4096

struct test_load {
    double mbit;
    int loss_permille;
    int64_t rtt_us, queue_us, warm_us, measured_us;
    uint64_t bytes; /* of the transfer; 0: as many as go in warm_us + measured_us */
    size_t message; /* bytes of each, at least 8 */
    bool no_interleaving, small, gentle;
    /* what came of it */
    double payload_mbit; /* after warm_us */
    double percent;      /* of what the link carries after all headers, with full packets */
    int64_t took_us;     /* with `bytes`: until all was there */
    int64_t latency_us[TEST_LATENCIES];
    size_t latencies;
    bool wrong, failed; /* lost, doubled, changed or out of order; the association ended */
    /* inside */
    uint8_t *buffer;
    int64_t next_small_us;
    uint64_t sent, got, got_warm, hash[2], number[2][2]; /* numbers of the next message: bulk and small; out and in */
};

static inline uint64_t test_hash(uint64_t hash, const uint8_t *data, size_t len) {
    uint64_t word;
    for (; len >= sizeof word; data += sizeof word, len -= sizeof word) {
        memcpy(&word, data, sizeof word);
        hash = (hash ^ word) * 0x100000001b3U;
        hash ^= hash >> 29;
    }
    for (; len > 0; data++, len--)
        hash = (hash ^ *data) * 0x100000001b3U;
    return hash;
}

static inline void test_load_event(struct test_pair *p, int side, const struct rmi_sctp_event *e) {
    struct test_load *l = p->user;
    uint64_t number;
    int64_t sent_us;
    (void)side;
    l->failed = l->failed || e->type == RMI_SCTP_EV_FAILED;
    if (e->type != RMI_SCTP_EV_MESSAGE)
        return;
    const bool small = e->stream == TEST_SMALL;
    memcpy(&number, e->data, sizeof number);
    l->wrong = l->wrong || number != l->number[1][small]++;
    if (!small) {
        l->hash[1] = test_hash(l->hash[1], e->data, e->len);
        l->got += e->len;
        return;
    }
    memcpy(&sent_us, e->data + sizeof number, sizeof sent_us);
    if (l->latencies < TEST_LATENCIES)
        l->latency_us[l->latencies++] = p->now_us - sent_us;
}

static inline void test_load_step(struct test_pair *p, int side) {
    struct test_load *l = p->user;
    if (side != 0 || rmi_sctp_state_of(p->end[0].a) != RMI_SCTP_ESTABLISHED)
        return;
    while (l->bytes == 0 || l->sent < l->bytes) {
        const size_t len = l->bytes && l->bytes - l->sent < l->message ? (size_t)(l->bytes - l->sent) : l->message;
        memcpy(l->buffer, &l->number[0][0], sizeof l->number[0][0]);
        if (rmi_sctp_send(p->end[0].a, p->now_us, TEST_BULK, 53, NULL, l->buffer, len))
            break;
        l->number[0][0]++;
        l->hash[0] = test_hash(l->hash[0], l->buffer, len);
        l->sent += len;
    }
    if (!l->small || p->now_us < l->next_small_us)
        return;
    uint8_t bytes[16];
    memcpy(bytes, &l->number[0][1], 8);
    memcpy(bytes + 8, &p->now_us, 8);
    if (rmi_sctp_send(p->end[0].a, p->now_us, TEST_SMALL, 53, NULL, bytes, sizeof bytes))
        return;
    l->number[0][1]++;
    l->next_small_us = p->now_us + TEST_SMALL_EVERY_US;
}

/* What a link of this rate carries when each packet is full. */
static inline double test_load_most_mbit(const struct test_load *l) {
    const double packet = RMI_SCTP_PACKET_MAX & ~3;
    const double payload =
        packet - RMI_SCTP_HEADER_BYTES - (l->no_interleaving ? RMI_SCTP_DATA_BYTES : RMI_SCTP_I_DATA_BYTES);
    return l->mbit * payload / (packet + TEST_HEADERS);
}

static inline void test_load_run(struct test_load *l) {
    const struct test_link_config link = {.rate_bps = (int64_t)(l->mbit * 1e6),
                                          .delay_us = l->rtt_us / 2,
                                          .queue_us = l->queue_us,
                                          .headers = TEST_HEADERS,
                                          .loss_permille = l->loss_permille};
    const size_t buffer = 2 * l->message > 4U << 20 ? 2 * l->message : 4U << 20;
    struct rmi_sctp_config config[2] = {{.no_interleaving = l->no_interleaving}, {.name = "b"}};
    for (int i = 0; i < 2; i++) {
        config[i].message_in_max = config[i].message_out_max = l->message;
        config[i].send_buffer = config[i].recv_buffer = buffer;
    }
    struct test_pair p = {.on_event = test_load_event, .on_step = test_load_step, .user = l};
    l->buffer = malloc(l->message);
    if (!l->buffer)
        abort();
    for (size_t i = 0; i < l->message; i++)
        l->buffer[i] = (uint8_t)(i * 31 + i / 251);
    test_pair_open(&p, 1, &link, config);
    rmi_sctp_set_gentle(p.end[0].a, l->gentle);
    const int64_t begin_us = p.now_us;
    test_pair_start(&p);
    test_pair_run(&p, begin_us + l->warm_us);
    l->got_warm = l->got;
    if (l->bytes == 0) {
        test_pair_run(&p, p.now_us + l->measured_us);
        l->payload_mbit = (double)(l->got - l->got_warm) * 8 / (double)l->measured_us;
    } else {
        const int64_t until_us = begin_us + RMI_SEC(3600);
        while (l->got < l->bytes && !l->failed && test_pair_step(&p, until_us)) {
        }
        l->took_us = p.now_us - begin_us;
        l->payload_mbit = (double)(l->got - l->got_warm) * 8 / (double)(l->took_us - l->warm_us);
        l->small = false;
        test_pair_run(&p, p.now_us + RMI_SEC(5));
        l->wrong = l->wrong || l->hash[0] != l->hash[1] || l->got != l->bytes;
    }
    l->percent = 100 * l->payload_mbit / test_load_most_mbit(l);
    test_pair_close(&p);
    free(l->buffer);
}

static inline int test_by_value(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Nearest rank, in microseconds. Sorts. */
static inline int64_t test_load_latency(struct test_load *l, int percent) {
    if (l->latencies == 0)
        return RMI_NEVER;
    qsort(l->latency_us, l->latencies, sizeof l->latency_us[0], test_by_value);
    return l->latency_us[(l->latencies - 1) * (size_t)percent / 100];
}

#endif
