/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/turn_private.h"

#include "base/cursor.h"
#include "net/demux.h"
#include <stdlib.h>
#include <string.h>

#define CHANNEL_HEADER 4 /* RFC 8656 12.4 */
#define ATTR_HEADER 4
#define XOR_ADDR_4 12 /* attribute with an IPv4 address */
#define XOR_ADDR_6 24
#define LENGTH_AT 2 /* of the header's length field */

struct waiting {
    struct rmi_list node;
    size_t len;
    uint8_t bytes[]; /* headroom, payload, room behind */
};

/* --- keeping --- */

static struct turn_perm *find_perm(struct rmi_turn *t, const struct rmi_addr *addr) {
    RMI_LIST_FOREACH (node, tmp, &t->perms) {
        struct turn_perm *p = RMI_CONTAINER_OF(node, struct turn_perm, node);
        if (rmi_addr_equal_ip(&p->ip, addr))
            return p;
    }
    return NULL;
}

static void drop_perm(struct rmi_turn *t, struct turn_perm *p) {
    rmi_list_remove(&p->node);
    t->stats.permissions--;
    free(p);
}

static void drop_queue(struct turn_dest *d) {
    struct rmi_list *node;
    while ((node = rmi_list_pop_front(&d->queue)) != NULL)
        free(RMI_CONTAINER_OF(node, struct waiting, node));
    d->queued = 0;
}

static void drop_dest(struct rmi_turn *t, struct turn_dest *d) {
    drop_queue(d);
    d->perm->users--;
    rmi_list_remove(&d->node);
    t->stats.destinations--;
    free(d);
}

void rmi_turn_peers_clear(struct rmi_turn *t) {
    while (!rmi_list_empty(&t->dests))
        drop_dest(t, RMI_CONTAINER_OF(t->dests.next, struct turn_dest, node));
    while (!rmi_list_empty(&t->perms))
        drop_perm(t, RMI_CONTAINER_OF(t->perms.next, struct turn_perm, node));
}

/* A channel number stays with its address until its quarantine is over, so the destination is kept so long, too. */
static bool dest_is_idle(const struct turn_dest *d, int64_t now_us) {
    return now_us >= d->last_used + TURN_IDLE && !d->txn.active &&
           (d->channel == 0 || now_us >= d->channel_until + TURN_CHANNEL_QUARANTINE);
}

static void sweep(struct rmi_turn *t, int64_t now_us) {
    RMI_LIST_FOREACH (node, tmp, &t->dests) {
        struct turn_dest *d = RMI_CONTAINER_OF(node, struct turn_dest, node);
        if (dest_is_idle(d, now_us))
            drop_dest(t, d);
    }
    RMI_LIST_FOREACH (perm_node, perm_tmp, &t->perms) {
        struct turn_perm *p = RMI_CONTAINER_OF(perm_node, struct turn_perm, node);
        if (p->users == 0 && !p->txn.active && now_us >= p->until)
            drop_perm(t, p);
    }
    bool any = !rmi_list_empty(&t->dests) || !rmi_list_empty(&t->perms);
    t->sweep_at = any ? now_us + TURN_SWEEP : RMI_NEVER;
}

static struct turn_perm *make_perm(struct rmi_turn *t, const struct rmi_addr *addr) {
    struct turn_perm *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->ip = *addr;
    p->ip.port = 0; /* RFC 8656 10.1: ignored by the server */
    p->renew_at = RMI_NEVER;
    p->txn.perm = p;
    rmi_list_push_back(&t->perms, &p->node);
    t->stats.permissions++;
    return p;
}

static struct turn_dest *make_dest(struct rmi_turn *t, int64_t now_us, const struct rmi_addr *addr) {
    if (t->stats.destinations >= TURN_DESTS_MAX)
        sweep(t, now_us);
    struct turn_perm *p = find_perm(t, addr);
    if (t->stats.destinations >= TURN_DESTS_MAX || (!p && !(p = make_perm(t, addr))))
        return NULL;
    struct turn_dest *d = calloc(1, sizeof *d);
    if (!d)
        return NULL; /* a permission without users goes with the next sweep */
    d->addr = *addr;
    d->perm = p;
    p->users++;
    d->renew_at = RMI_NEVER;
    d->txn.dest = d;
    rmi_list_init(&d->queue);
    rmi_list_push_front(&t->dests, &d->node);
    t->stats.destinations++;
    t->sweep_at = rmi_min64(t->sweep_at, now_us + TURN_SWEEP);
    t->deadline = rmi_min64(t->deadline, t->sweep_at);
    return d;
}

/* The busiest destinations are in front: the search is short for media. */
static struct turn_dest *find_dest(struct rmi_turn *t, const struct rmi_addr *addr) {
    RMI_LIST_FOREACH (node, tmp, &t->dests) {
        struct turn_dest *d = RMI_CONTAINER_OF(node, struct turn_dest, node);
        if (rmi_addr_equal(&d->addr, addr)) {
            rmi_list_remove(&d->node);
            rmi_list_push_front(&t->dests, &d->node);
            return d;
        }
    }
    return NULL;
}

static struct turn_dest *find_channel(const struct rmi_turn *t, uint16_t channel) {
    RMI_LIST_FOREACH (node, tmp, &t->dests) {
        struct turn_dest *d = RMI_CONTAINER_OF(node, struct turn_dest, node);
        if (d->channel == channel)
            return d;
    }
    return NULL;
}

struct turn_txn *rmi_turn_find_txn(struct rmi_turn *t, const uint8_t *txid) {
    if (t->txn.active && memcmp(t->txn.txid, txid, RMI_STUN_TXID) == 0)
        return &t->txn;
    RMI_LIST_FOREACH (node, tmp, &t->perms) {
        struct turn_perm *p = RMI_CONTAINER_OF(node, struct turn_perm, node);
        if (p->txn.active && memcmp(p->txn.txid, txid, RMI_STUN_TXID) == 0)
            return &p->txn;
    }
    RMI_LIST_FOREACH (dest_node, dest_tmp, &t->dests) {
        struct turn_dest *d = RMI_CONTAINER_OF(dest_node, struct turn_dest, node);
        if (d->txn.active && memcmp(d->txn.txid, txid, RMI_STUN_TXID) == 0)
            return &d->txn;
    }
    return NULL;
}

/* --- permissions and channels --- */

static void ask_permission(struct rmi_turn *t, int64_t now_us, struct turn_perm *p) {
    p->renew_at = RMI_NEVER;
    if (!p->txn.active)
        rmi_turn_txn_start(t, &p->txn, TURN_PERMIT, now_us, now_us, now_us + t->cfg.timeout_us);
}

static void ask_channel(struct rmi_turn *t, int64_t now_us, struct turn_dest *d) {
    d->renew_at = RMI_NEVER;
    if (d->txn.active)
        return;
    if (d->channel == 0) {
        /* There are more numbers than destinations, so a free one is found. */
        while (find_channel(t, t->next_channel))
            t->next_channel = t->next_channel == TURN_CHANNEL_LAST ? TURN_CHANNEL_FIRST : t->next_channel + 1;
        d->channel = t->next_channel;
    }
    if (d->channel_state == TURN_CHANNEL_NONE)
        d->channel_state = TURN_CHANNEL_BINDING;
    /* Lost answers leave it open whether the server bound it: its quarantine counts from the last attempt. */
    d->channel_until = rmi_max64(d->channel_until, now_us + TURN_CHANNEL_LIFE);
    rmi_turn_txn_start(t, &d->txn, TURN_BIND, now_us, now_us, now_us + t->cfg.timeout_us);
}

static void send_channel(struct rmi_turn *t, int64_t now_us, const struct turn_dest *d, uint8_t *data, size_t len) {
    struct rmi_wr w = rmi_wr_init(data - CHANNEL_HEADER, CHANNEL_HEADER);
    rmi_wr_u16(&w, d->channel);
    rmi_wr_u16(&w, (uint16_t)len); /* padding is optional over UDP, RFC 8656 12.5 */
    t->stats.sent_channel++;
    rmi_turn_transmit(t, now_us, data - CHANNEL_HEADER, CHANNEL_HEADER + len);
}

/* The header grows backward into the headroom, so the payload is not copied. */
static void send_indication(struct rmi_turn *t, int64_t now_us, const struct rmi_addr *to, uint8_t *data, size_t len) {
    size_t head = RMI_STUN_HEADER + (to->family == 4 ? XOR_ADDR_4 : XOR_ADDR_6) + ATTR_HEADER;
    size_t padding = (4 - (len & 3)) & 3;
    uint8_t *start = data - head;
    struct rmi_wr id = rmi_wr_init(t->indication_id, sizeof t->indication_id);
    rmi_wr_u32(&id, ++t->indications); /* nobody answers an indication: a number that changes is enough */
    struct rmi_stun_builder b;
    rmi_stun_begin(&b, start, head, RMI_STUN_INDICATION, RMI_STUN_SEND, t->indication_id);
    rmi_stun_add_xor_addr(&b, RMI_STUN_A_XOR_PEER_ADDRESS, to);
    struct rmi_wr w = rmi_wr_init(start, head);
    w.pos = b.len;
    w.failed = b.failed;
    rmi_wr_u16(&w, RMI_STUN_A_DATA);
    rmi_wr_u16(&w, (uint16_t)len);
    rmi_wr_patch_u16(&w, LENGTH_AT, (uint16_t)(head - RMI_STUN_HEADER + len + padding));
    if (w.failed)
        return;
    memset(data + len, 0, padding);
    t->stats.sent_indication++;
    rmi_turn_transmit(t, now_us, start, head + len + padding);
}

static void forward(struct rmi_turn *t, int64_t now_us, struct turn_dest *d, uint8_t *data, size_t len) {
    bool bound = d->channel_state == TURN_CHANNEL_BOUND && now_us < d->bound_until;
    /* Checks go out by indication: most of their destinations never become a path worth a channel. */
    bool wanted = d->channel_state == TURN_CHANNEL_NONE || d->channel_state == TURN_CHANNEL_BOUND;
    if (!bound && wanted && rmi_packet_kind_of(data, len) != RMI_PACKET_STUN)
        ask_channel(t, now_us, d);
    if (bound)
        send_channel(t, now_us, d, data, len);
    else
        send_indication(t, now_us, &d->addr, data, len);
}

static void wait_for_permission(struct rmi_turn *t, struct turn_dest *d, const uint8_t *data, size_t len) {
    struct waiting *w = d->queued < TURN_QUEUE_MAX ? malloc(sizeof *w + RMI_HEADROOM + len + RMI_HEADROOM) : NULL;
    if (!w) {
        t->stats.drop_queue++;
        return;
    }
    w->node = (struct rmi_list){0};
    w->len = len;
    memcpy(w->bytes + RMI_HEADROOM, data, len);
    rmi_list_push_back(&d->queue, &w->node);
    d->queued++;
}

static void flush(struct rmi_turn *t, int64_t now_us, struct turn_dest *d) {
    struct rmi_list *node;
    while ((node = rmi_list_pop_front(&d->queue)) != NULL) {
        struct waiting *w = RMI_CONTAINER_OF(node, struct waiting, node);
        forward(t, now_us, d, w->bytes + RMI_HEADROOM, w->len);
        free(w);
    }
    d->queued = 0;
}

void rmi_turn_send(struct rmi_turn *t, int64_t now_us, const struct rmi_addr *to, uint8_t *data, size_t len) {
    if (t->state != RMI_TURN_READY || to->family != t->relayed.family || to->port == 0 || len > RMI_DATAGRAM_MAX)
        return;
    struct turn_dest *d = find_dest(t, to);
    if (!d && !(d = make_dest(t, now_us, to))) {
        t->stats.drop_queue++;
        return;
    }
    struct turn_perm *p = d->perm;
    d->last_used = p->last_used = now_us;
    if (p->state != TURN_PERM_ASKING && now_us >= p->until)
        p->state = TURN_PERM_ASKING;
    if (p->state == TURN_PERM_GRANTED) {
        forward(t, now_us, d, data, len);
    } else if (p->state == TURN_PERM_ASKING) {
        wait_for_permission(t, d, data, len);
        ask_permission(t, now_us, p);
    } else {
        t->stats.drop_permission++;
    }
}

void rmi_turn_perm_granted(struct rmi_turn *t, int64_t now_us, struct turn_perm *p) {
    p->state = TURN_PERM_GRANTED;
    p->until = now_us + TURN_PERMISSION_LIFE;
    p->renew_at = now_us + TURN_PERMISSION_RENEW;
    t->deadline = rmi_min64(t->deadline, p->renew_at);
    RMI_LIST_FOREACH (node, tmp, &t->dests) {
        struct turn_dest *d = RMI_CONTAINER_OF(node, struct turn_dest, node);
        if (d->perm == p)
            flush(t, now_us, d);
    }
}

void rmi_turn_perm_refused(struct rmi_turn *t, int64_t now_us, struct turn_perm *p, uint16_t code) {
    if (code == 0)
        rmi_turn_probe(t, now_us);
    if (p->state == TURN_PERM_GRANTED && now_us < p->until) {
        p->renew_at = now_us + TURN_RENEW_AGAIN;
        t->deadline = rmi_min64(t->deadline, p->renew_at);
        return;
    }
    RMI_LIST_FOREACH (node, tmp, &t->dests) {
        struct turn_dest *d = RMI_CONTAINER_OF(node, struct turn_dest, node);
        if (d->perm != p)
            continue;
        t->stats.drop_permission += d->queued;
        drop_queue(d);
    }
    char text[RMI_ADDR_TEXT_MAX];
    rmi_log(t->cfg.log, RMI_LOG_TURN, RM_LOG_INFO, "no permission for %s: code %u", rmi_addr_ip_text(&p->ip, text),
            code);
    /* A refusal is remembered; silence is not, the next payload asks again. */
    p->state = code ? TURN_PERM_REFUSED : TURN_PERM_ASKING;
    p->until = code ? now_us + TURN_PERMISSION_LIFE : now_us;
}

void rmi_turn_channel_bound(struct rmi_turn *t, int64_t now_us, struct turn_dest *d) {
    d->channel_state = TURN_CHANNEL_BOUND;
    d->bound_until = now_us + TURN_CHANNEL_LIFE;
    d->channel_until = d->bound_until;
    d->renew_at = now_us + TURN_CHANNEL_RENEW;
    t->deadline = rmi_min64(t->deadline, d->renew_at);
}

void rmi_turn_channel_refused(struct rmi_turn *t, int64_t now_us, struct turn_dest *d, uint16_t code) {
    if (code == 0)
        rmi_turn_probe(t, now_us);
    if (d->channel_state == TURN_CHANNEL_BOUND && now_us < d->bound_until) {
        d->renew_at = now_us + TURN_RENEW_AGAIN;
        t->deadline = rmi_min64(t->deadline, d->renew_at);
        return;
    }
    /* Refused: indications do as well. Unanswered: the next payload asks again, with the same number. */
    d->channel_state = code ? TURN_CHANNEL_REFUSED : TURN_CHANNEL_NONE;
}

/* --- time --- */

static int64_t renew_deadline(const struct turn_txn *x, int64_t renew_at) {
    return x->active ? rmi_turn_txn_deadline(x) : renew_at;
}

int64_t rmi_turn_peers_deadline(const struct rmi_turn *t) {
    int64_t at = t->sweep_at;
    RMI_LIST_FOREACH (node, tmp, &t->perms) {
        const struct turn_perm *p = RMI_CONTAINER_OF(node, struct turn_perm, node);
        at = rmi_min64(at, renew_deadline(&p->txn, p->renew_at));
    }
    RMI_LIST_FOREACH (dest_node, dest_tmp, &t->dests) {
        const struct turn_dest *d = RMI_CONTAINER_OF(dest_node, struct turn_dest, node);
        at = rmi_min64(at, renew_deadline(&d->txn, d->renew_at));
    }
    return at;
}

static void perm_tick(struct rmi_turn *t, int64_t now_us, struct turn_perm *p) {
    rmi_turn_txn_tick(t, &p->txn, now_us);
    if (t->state != RMI_TURN_READY || now_us < p->renew_at)
        return;
    p->renew_at = RMI_NEVER;
    if (now_us < p->last_used + TURN_IDLE)
        ask_permission(t, now_us, p);
}

static void dest_tick(struct rmi_turn *t, int64_t now_us, struct turn_dest *d) {
    rmi_turn_txn_tick(t, &d->txn, now_us);
    if (t->state != RMI_TURN_READY || now_us < d->renew_at)
        return;
    d->renew_at = RMI_NEVER;
    if (now_us < d->last_used + TURN_IDLE)
        ask_channel(t, now_us, d);
}

/* Each step may end the allocation, and with it both lists. */
void rmi_turn_peers_tick(struct rmi_turn *t, int64_t now_us) {
    RMI_LIST_FOREACH (node, tmp, &t->perms) {
        perm_tick(t, now_us, RMI_CONTAINER_OF(node, struct turn_perm, node));
        if (t->state != RMI_TURN_READY)
            return;
    }
    RMI_LIST_FOREACH (dest_node, dest_tmp, &t->dests) {
        dest_tick(t, now_us, RMI_CONTAINER_OF(dest_node, struct turn_dest, node));
        if (t->state != RMI_TURN_READY)
            return;
    }
    if (now_us >= t->sweep_at)
        sweep(t, now_us);
}

/* --- payloads from peers --- */

enum rmi_gather_verdict rmi_turn_on_channel_data(struct rmi_turn *t, uint8_t *data, size_t len,
                                                 struct rmi_gather_inner *inner) {
    struct rmi_rd r = rmi_rd_init(data, len);
    uint16_t channel = rmi_rd_u16(&r);
    uint16_t n = rmi_rd_u16(&r);
    const uint8_t *payload = rmi_rd_bytes(&r, n); /* what follows is padding */
    const struct turn_dest *d = payload ? find_channel(t, channel) : NULL;
    /* The server may use a channel before its answer has come through: to have asked is enough. */
    if (!d || d->channel_state == TURN_CHANNEL_REFUSED) {
        t->stats.drop_malformed += !payload;
        t->stats.drop_channel += payload != NULL;
        return RMI_GATHER_CONSUMED;
    }
    t->stats.received_channel++;
    *inner = (struct rmi_gather_inner){.from = d->addr, .data = data + (payload - data), .len = n};
    return RMI_GATHER_RELAYED;
}

enum rmi_gather_verdict rmi_turn_on_data(struct rmi_turn *t, uint8_t *data, const struct rmi_stun_msg *m,
                                         struct rmi_gather_inner *inner) {
    if (m->xor_peer.family == 0 || !m->has_data || m->unknown_attr != 0) {
        t->stats.drop_malformed++;
        return RMI_GATHER_CONSUMED;
    }
    /* Indications are not signed: what we did not ask for is not believed (RFC 8656 11.4). */
    const struct turn_perm *p = find_perm(t, &m->xor_peer);
    if (!p || p->state == TURN_PERM_REFUSED) {
        t->stats.drop_permission++;
        return RMI_GATHER_CONSUMED;
    }
    t->stats.received_indication++;
    *inner = (struct rmi_gather_inner){.from = m->xor_peer, .data = data + (m->data - data), .len = m->data_len};
    return RMI_GATHER_RELAYED;
}
