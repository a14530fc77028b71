/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/history.h"
#include "base/time.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PACKETS_MAX 0x7fff
#define PACKET_BYTES_MAX 2048
#define US_PER_S 1000000
#define BITS 8
#define BURST_US RMI_MS(500) /* a key frame's worth of repairs at once, no more */

struct entry {
    bool used;
    bool resent;
    uint16_t seq;
    uint16_t len;
    int64_t resent_us;
};

struct rmi_rtp_history {
    size_t slots; /* a power of two, so that slots go on in order over the wrap of the number */
    size_t packet_bytes;
    int64_t resend_bps;
    int64_t tokens; /* bits x US_PER_S: whole numbers at any rate */
    int64_t filled_us;
    bool started;
    struct rmi_rtp_history_stats stats;
    struct entry *entries;
    uint8_t *bytes;
};

static int64_t cost_of(size_t bytes) {
    return (int64_t)bytes * BITS * US_PER_S;
}

/* Always enough for one packet: a low budget sends rarely, not never. */
static int64_t bucket_size(const struct rmi_rtp_history *h) {
    return rmi_max64(h->resend_bps * BURST_US, cost_of(h->packet_bytes));
}

rm_err rmi_rtp_history_create(const struct rmi_rtp_history_config *config, struct rmi_rtp_history **out) {
    if (config->packets == 0 || config->packets > PACKETS_MAX || config->packet_bytes == 0 ||
        config->packet_bytes > PACKET_BYTES_MAX)
        return RM_E_INVALID_ARG;
    struct rmi_rtp_history *h = calloc(1, sizeof *h);
    if (!h)
        return RM_E_NO_MEMORY;
    h->slots = 1;
    while (h->slots < config->packets)
        h->slots *= 2;
    h->packet_bytes = config->packet_bytes;
    h->entries = calloc(h->slots, sizeof *h->entries);
    h->bytes = malloc(h->slots * h->packet_bytes);
    if (!h->entries || !h->bytes) {
        rmi_rtp_history_destroy(&h);
        return RM_E_NO_MEMORY;
    }
    rmi_rtp_history_set_budget(h, config->resend_bps);
    h->tokens = bucket_size(h);
    *out = h;
    return RM_OK;
}

void rmi_rtp_history_destroy(struct rmi_rtp_history **history) {
    struct rmi_rtp_history *h = *history;
    *history = NULL;
    if (!h)
        return;
    free(h->entries);
    free(h->bytes);
    free(h);
}

void rmi_rtp_history_set_budget(struct rmi_rtp_history *h, uint32_t resend_bps) {
    h->resend_bps = resend_bps;
    h->tokens = rmi_min64(h->tokens, bucket_size(h));
}

void rmi_rtp_history_clear(struct rmi_rtp_history *h) {
    for (size_t i = 0; i < h->slots; i++)
        h->entries[i].used = false;
}

struct rmi_rtp_history_stats rmi_rtp_history_stats(const struct rmi_rtp_history *h) {
    return h->stats;
}

static void refill(struct rmi_rtp_history *h, int64_t now_us) {
    if (!h->started) {
        h->started = true;
        h->filled_us = now_us;
    }
    int64_t elapsed = rmi_min64(rmi_max64(now_us - h->filled_us, 0), US_PER_S);
    h->filled_us = rmi_max64(h->filled_us, now_us);
    h->tokens = rmi_min64(h->tokens + elapsed * h->resend_bps, bucket_size(h));
}

rm_err rmi_rtp_history_put(struct rmi_rtp_history *h, uint16_t seq, const uint8_t *packet, size_t len, int64_t now_us) {
    if (len == 0)
        return RM_E_INVALID_ARG;
    if (len > h->packet_bytes)
        return RM_E_TOO_BIG;
    refill(h, now_us);
    size_t i = seq & (h->slots - 1);
    h->entries[i] = (struct entry){.used = true, .seq = seq, .len = (uint16_t)len};
    memcpy(h->bytes + i * h->packet_bytes, packet, len);
    h->stats.put++;
    return RM_OK;
}

rm_err rmi_rtp_history_resend(struct rmi_rtp_history *h, uint16_t seq, int64_t now_us, int64_t rtt_us,
                              const uint8_t **packet, size_t *len) {
    size_t i = seq & (h->slots - 1);
    struct entry *e = &h->entries[i];
    if (!e->used || e->seq != seq) {
        h->stats.not_found++;
        return RM_E_NOT_FOUND;
    }
    if (e->resent && now_us - e->resent_us < rtt_us) {
        h->stats.too_soon++;
        return RM_E_AGAIN;
    }
    refill(h, now_us);
    if (h->resend_bps == 0 || h->tokens < cost_of(e->len)) {
        h->stats.over_budget++;
        return RM_E_LIMIT;
    }
    h->tokens -= cost_of(e->len);
    e->resent = true;
    e->resent_us = now_us;
    h->stats.resent++;
    *packet = h->bytes + i * h->packet_bytes;
    *len = e->len;
    return RM_OK;
}
