/* SPDX-License-Identifier: Apache-2.0 */
#include "support/dtls_pair.h"
#include "base/time.h"
#include "support/virtual_crypto.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FNV_OFFSET 0xcbf29ce484222325u
#define FNV_PRIME 0x100000001b3u

static void hash_bytes(struct rmt_dtls_pair *pair, const uint8_t *data, size_t len) {
    for (size_t i = 0; i < len; i++)
        pair->wire_hash = (pair->wire_hash ^ data[i]) * FNV_PRIME;
}

static bool chance(struct rmt_dtls_pair *pair, unsigned permille) {
    return rmi_prng_next(&pair->prng) % 1000 < permille;
}

static void enqueue(struct rmt_dtls_pair *pair, enum rmt_dtls_side to, const uint8_t *data, size_t len) {
    if (pair->queued == RMT_DTLS_QUEUE)
        return;
    struct rmt_dtls_packet *p = &pair->queue[pair->queued++];
    int64_t jitter = pair->options.jitter_us;
    p->at_us = pair->now_us + pair->options.delay_us;
    if (jitter > 0)
        p->at_us += (int64_t)(rmi_prng_next(&pair->prng) % (uint64_t)jitter);
    p->to = to;
    p->len = len;
    memcpy(p->data, data, len);
}

static void on_send(void *ctx, uint8_t *data, size_t len) {
    struct rmt_dtls_end *from = ctx;
    struct rmt_dtls_pair *pair = from->pair;
    enum rmt_dtls_side side = from == &pair->end[RMT_CLIENT] ? RMT_CLIENT : RMT_SERVER;
    unsigned index = from->sent++;
    uint8_t copy[RMT_DTLS_PACKET_MAX];
    if (len > pair->longest)
        pair->longest = len;
    if (len > sizeof copy)
        abort();
    hash_bytes(pair, data, len);
    memcpy(copy, data, len);
    if (pair->on_wire && !pair->on_wire(pair, side, index, copy, &len))
        return;
    if (chance(pair, pair->options.loss_permille))
        return;
    enqueue(pair, !side, copy, len);
    if (chance(pair, pair->options.duplicate_permille))
        enqueue(pair, !side, copy, len);
}

static void set_time(struct rmt_dtls_pair *pair, int64_t now_us) {
    pair->now_us = now_us;
    rmt_virtual_time_set(now_us + pair->wall_offset_us);
}

void rmt_dtls_pair_init(struct rmt_dtls_pair *pair, const struct rmt_dtls_options *options) {
    memset(pair, 0, sizeof *pair);
    pair->options = *options;
    pair->wire_hash = FNV_OFFSET;
    pair->queue = calloc(RMT_DTLS_QUEUE, sizeof *pair->queue);
    rmi_prng_seed(&pair->prng, options->seed);
    rmt_virtual_rand_seed(options->seed);
    set_time(pair, 0);
    for (int side = 0; side < 2; side++) {
        struct rmt_dtls_end *end = &pair->end[side];
        end->pair = pair;
        end->connected_us = -1;
        if (options->cert[side])
            pair->cert[side] = rmi_dtls_cert_ref(options->cert[side]);
        else if (rmi_dtls_cert_create(RMT_VIRTUAL_EPOCH_S, &pair->cert[side]) != RM_OK)
            abort();
        struct rmi_dtls_config config = {
            .cert = pair->cert[side],
            .log = options->log,
            .name = side == RMT_CLIENT ? "client" : "server",
            .client = side == RMT_CLIENT,
            .rtt_us = options->rtt_us,
            .timeout_us = options->timeout_us,
            .send = on_send,
            .send_ctx = end,
        };
        if (!pair->queue || rmi_dtls_create(&config, &end->dtls) != RM_OK)
            abort();
    }
    for (int side = 0; side < 2 && !options->no_fingerprints; side++) {
        struct rmi_fingerprint f;
        rmi_dtls_cert_fingerprint(pair->cert[!side], &f);
        if (rmi_dtls_set_remote_fingerprints(pair->end[side].dtls, 0, &f, 1) != RM_OK)
            abort();
    }
}

static void drain_end(struct rmt_dtls_pair *pair, struct rmt_dtls_end *end) {
    struct rmi_dtls_event event;
    while (rmi_dtls_poll_event(end->dtls, &event)) {
        switch (event.type) {
        case RMI_DTLS_EV_CONNECTED:
            end->connected++;
            end->connected_us = pair->now_us;
            break;
        case RMI_DTLS_EV_FAILED:
            end->failed++;
            end->err = event.err;
            snprintf(end->detail, sizeof end->detail, "%s", event.detail);
            break;
        case RMI_DTLS_EV_CLOSED:
            end->closed++;
            break;
        case RMI_DTLS_EV_DATA:
            end->messages++;
            end->message_len = event.len;
            memcpy(end->message, event.data, event.len < sizeof end->message ? event.len : sizeof end->message);
            break;
        }
    }
}

void rmt_dtls_pair_drain(struct rmt_dtls_pair *pair) {
    drain_end(pair, &pair->end[RMT_CLIENT]);
    drain_end(pair, &pair->end[RMT_SERVER]);
}

void rmt_dtls_pair_start(struct rmt_dtls_pair *pair) {
    rmi_dtls_start(pair->end[RMT_SERVER].dtls, pair->now_us);
    rmi_dtls_start(pair->end[RMT_CLIENT].dtls, pair->now_us);
    rmt_dtls_pair_drain(pair);
}

bool rmt_dtls_pair_connected(const struct rmt_dtls_pair *pair) {
    return rmi_dtls_state_of(pair->end[RMT_CLIENT].dtls) == RMI_DTLS_CONNECTED &&
           rmi_dtls_state_of(pair->end[RMT_SERVER].dtls) == RMI_DTLS_CONNECTED;
}

static bool settled(const struct rmt_dtls_pair *pair) {
    return rmi_dtls_state_of(pair->end[RMT_CLIENT].dtls) >= RMI_DTLS_CONNECTED &&
           rmi_dtls_state_of(pair->end[RMT_SERVER].dtls) >= RMI_DTLS_CONNECTED;
}

/* Index of the next packet; the earliest sent of those due at the same time. */
static size_t next_packet(const struct rmt_dtls_pair *pair) {
    size_t best = 0;
    for (size_t i = 1; i < pair->queued; i++)
        if (pair->queue[i].at_us < pair->queue[best].at_us)
            best = i;
    return best;
}

static void deliver(struct rmt_dtls_pair *pair, size_t index) {
    struct rmt_dtls_packet packet = pair->queue[index];
    pair->queued--;
    memmove(&pair->queue[index], &pair->queue[index + 1], (pair->queued - index) * sizeof packet);
    rmi_dtls_input(pair->end[packet.to].dtls, pair->now_us, packet.data, packet.len);
}

static void run(struct rmt_dtls_pair *pair, int64_t until_us, bool stop_when_settled) {
    while (!(stop_when_settled && settled(pair))) {
        size_t packet = next_packet(pair);
        int64_t next = pair->queued ? pair->queue[packet].at_us : RMI_NEVER;
        for (int side = 0; side < 2; side++)
            next = rmi_min64(next, rmi_dtls_next_deadline(pair->end[side].dtls));
        if (next > until_us)
            break;
        set_time(pair, rmi_max64(next, pair->now_us));
        if (pair->queued && pair->queue[packet].at_us <= pair->now_us)
            deliver(pair, packet);
        for (int side = 0; side < 2; side++)
            if (rmi_dtls_next_deadline(pair->end[side].dtls) <= pair->now_us)
                rmi_dtls_timeout(pair->end[side].dtls, pair->now_us);
        rmt_dtls_pair_drain(pair);
    }
    if (!stop_when_settled)
        set_time(pair, rmi_max64(until_us, pair->now_us));
}

void rmt_dtls_pair_run(struct rmt_dtls_pair *pair, int64_t until_us) {
    run(pair, until_us, true);
}

void rmt_dtls_pair_run_all(struct rmt_dtls_pair *pair, int64_t until_us) {
    run(pair, until_us, false);
}

void rmt_dtls_pair_inject(struct rmt_dtls_pair *pair, enum rmt_dtls_side to, const uint8_t *data, size_t len) {
    rmi_dtls_input(pair->end[to].dtls, pair->now_us, data, len);
    rmt_dtls_pair_drain(pair);
}

void rmt_dtls_pair_fini(struct rmt_dtls_pair *pair) {
    for (int side = 0; side < 2; side++) {
        rmi_dtls_destroy(&pair->end[side].dtls);
        rmi_dtls_cert_unref(&pair->cert[side]);
    }
    free(pair->queue);
}
