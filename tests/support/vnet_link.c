/* SPDX-License-Identifier: Apache-2.0 */
#include "support/vnet_private.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_QUEUE_US RMI_MS(200) /* as tests/net/netlab: a home router's usual depth */
#define DEFAULT_REORDER_US RMI_MS(10)
#define NS_PER_S 1000000000
#define NS_PER_US 1000
#define CODEL_INTERVAL_US RMI_MS(100)

bool rmt_chance(struct rmi_prng *g, uint32_t ppm) {
    return rmt_below(g, RMT_PPM_ONE) < ppm;
}

/* Multiply and shift: the bias is below n / 2^32, and the result depends on nothing but the draw. */
uint64_t rmt_below(struct rmi_prng *g, uint64_t n) {
    uint64_t draw = rmi_prng_next(g);
    return n <= UINT32_MAX ? (draw >> 32) * n >> 32 : draw % n;
}

static void seed(struct rmi_prng *g, const struct rmt_wire *w, const char *effect) {
    char name[sizeof w->name + 16];
    snprintf(name, sizeof name, "%s/%s", w->name, effect);
    rmi_prng_seed(g, rmt_vnet_sub_seed(w->v, name));
}

void rmt_wire_init(struct rmt_wire *w, struct rmt_vnet *v, const char *name) {
    *w = (struct rmt_wire){.v = v};
    snprintf(w->name, sizeof w->name, "%s", name);
    seed(&w->loss, w, "loss");
    seed(&w->burst, w, "burst");
    seed(&w->jitter, w, "jitter");
    seed(&w->reorder, w, "reorder");
    seed(&w->dup, w, "dup");
    seed(&w->corrupt, w, "corrupt");
    seed(&w->mark, w, "mark");
}

void rmt_wire_set(struct rmt_wire *w, const struct rmt_link *link) {
    if (link->rate_bps < 0 || link->delay_us < 0 || link->jitter_us < 0 || link->queue_us < 0)
        rmt_vnet_fail(w->v, "link %s: a negative setting", w->name);
    if (link->ge_enter == 0)
        w->bad = false;
    w->link = *link;
}

struct rmt_link rmt_wire_get(const struct rmt_wire *w) {
    return w->link;
}

struct rmt_link_stats rmt_wire_stats(const struct rmt_wire *w) {
    return w->stats;
}

int64_t rmt_wire_wait_us(const struct rmt_wire *w) {
    return rmi_max64(w->free_ns / NS_PER_US - rmt_vnet_now(w->v), 0);
}

void rmt_wire_blackhole(struct rmt_wire *w, int64_t from_us, int64_t to_us) {
    if (w->window_count == RMT_WINDOWS_MAX)
        rmt_vnet_fail(w->v, "link %s: more than %d blackhole windows", w->name, RMT_WINDOWS_MAX);
    w->windows[w->window_count].from_us = from_us;
    w->windows[w->window_count++].to_us = to_us;
}

void rmt_wire_clear_blackholes(struct rmt_wire *w) {
    w->window_count = 0;
}

static bool blackholed(struct rmt_wire *w, int64_t now_us) {
    for (size_t i = 0; i < w->window_count; i++) {
        if (w->windows[i].to_us <= now_us) /* over for good: its place can be used again */
            w->windows[i--] = w->windows[--w->window_count];
        else if (w->windows[i].from_us <= now_us)
            return true;
    }
    return false;
}

/* When the packet is on the wire with its last bit, or -1: the queue is full. */
static int64_t transmit(struct rmt_wire *w, int64_t now_us, size_t len) {
    const struct rmt_link *l = &w->link;
    if (l->rate_bps == 0)
        return now_us;
    int64_t now_ns = now_us * NS_PER_US;
    int64_t start_ns = rmi_max64(w->free_ns, now_ns);
    int64_t wait_us = (start_ns - now_ns) / NS_PER_US;
    if (wait_us > (l->queue_us ? l->queue_us : DEFAULT_QUEUE_US))
        return -1;
    w->stats.wait_max_us = rmi_max64(w->stats.wait_max_us, wait_us);
    w->free_ns = start_ns + (int64_t)(len + l->overhead) * 8 * NS_PER_S / l->rate_bps;
    return (w->free_ns + NS_PER_US - 1) / NS_PER_US;
}

/* RFC 8289 5: marks where that drops. */
static bool codel_marks(struct rmt_wire *w, int64_t wait_us) {
    const int64_t now_us = w->v->now_us;
    if (wait_us < w->link.codel_us) {
        w->above_us = 0;
        w->mark_count = 0;
        return false;
    }
    if (w->above_us == 0)
        w->above_us = w->mark_us = now_us + CODEL_INTERVAL_US;
    if (now_us < w->mark_us)
        return false;
    w->mark_us += (int64_t)((double)CODEL_INTERVAL_US / sqrt(++w->mark_count));
    return true;
}

/* False: a fault of the wire swallows it. `wait_us`: in the queue. */
static bool pass_ecn(struct rmt_wire *w, struct rmt_packet *p, int64_t wait_us) {
    const struct rmt_link *l = &w->link;
    if (p->ecn == RMI_ECN_NOT_ECT)
        return true;
    if (l->ecn_drop)
        return false;
    uint32_t ppm = l->ecn_flood ? RMT_PPM_ONE : 0;
    if (l->mark_full_us && wait_us >= l->mark_full_us)
        ppm = RMT_PPM_ONE;
    else if (l->mark_full_us && wait_us > l->mark_from_us)
        ppm = (uint32_t)((wait_us - l->mark_from_us) * RMT_PPM_ONE / (l->mark_full_us - l->mark_from_us));
    if (l->codel_us && codel_marks(w, wait_us))
        ppm = RMT_PPM_ONE;
    if (p->ecn != RMI_ECN_CE && ppm && rmt_chance(&w->mark, ppm)) {
        p->ecn = RMI_ECN_CE;
        w->stats.marked++;
    }
    if (l->ecn_clear)
        p->ecn = RMI_ECN_NOT_ECT;
    return true;
}

static bool lost(struct rmt_wire *w) {
    const struct rmt_link *l = &w->link;
    bool gone = rmt_chance(&w->loss, l->loss_ppm);
    if (l->ge_enter) {
        if (rmt_chance(&w->burst, w->bad ? l->ge_leave : l->ge_enter))
            w->bad = !w->bad;
        if (rmt_chance(&w->burst, w->bad ? l->ge_bad : l->ge_good))
            gone = true;
    }
    return gone;
}

/* When the packet leaves. *ordered: those behind it may not leave before. */
static int64_t due_time(struct rmt_wire *w, int64_t sent_us, bool *ordered) {
    const struct rmt_link *l = &w->link;
    int64_t due = sent_us + l->delay_us;
    if (l->jitter_us)
        due += (int64_t)rmt_below(&w->jitter, (uint64_t)(2 * l->jitter_us + 1)) - l->jitter_us;
    due = rmi_max64(due, sent_us);
    *ordered = !rmt_chance(&w->reorder, l->reorder_p);
    if (!*ordered) {
        w->stats.reordered++;
        return due + (l->reorder_us ? l->reorder_us : DEFAULT_REORDER_US);
    }
    if (!l->allow_reorder)
        due = rmi_max64(due, w->last_due_us);
    return due;
}

static void leave(struct rmt_wire *w, struct rmt_packet *p, int64_t sent_us, rmt_task_fn next, bool direct) {
    bool ordered;
    int64_t due_us = due_time(w, sent_us, &ordered);
    w->stats.out++;
    w->stats.out_bytes += p->len;
    /* An earlier packet may leave in this very instant, as an event still to come: then this one queues behind it. */
    if (direct && due_us <= w->v->now_us && w->last_due_us < w->v->now_us) {
        next(p, w->v->now_us);
        return;
    }
    if (ordered)
        w->last_due_us = rmi_max64(w->last_due_us, due_us);
    rmt_queue_add(w->v, (struct rmt_event){.when = due_us, .fn = next, .ctx = p, .drop = rmt_packet_free});
}

static void drop(struct rmt_wire *w, struct rmt_packet *p, uint64_t *counter, const char *why) {
    (*counter)++;
    rmt_trace_drop(w->v, p, w->name, why);
    rmt_packet_free(p);
}

void rmt_wire_pass(struct rmt_wire *w, struct rmt_packet *p, rmt_task_fn next, bool direct) {
    int64_t now_us = w->v->now_us;
    w->stats.in++;
    w->stats.in_bytes += p->len;
    if (blackholed(w, now_us)) {
        drop(w, p, &w->stats.blackholed, "blackhole");
        return;
    }
    if (w->link.mtu && p->len > w->link.mtu) {
        drop(w, p, &w->stats.too_big, "too big");
        return;
    }
    const int64_t wait_us = rmt_wire_wait_us(w);
    int64_t sent_us = transmit(w, now_us, p->len);
    if (sent_us < 0) {
        drop(w, p, &w->stats.queue_dropped, "queue full");
        return;
    }
    if (!pass_ecn(w, p, wait_us)) {
        drop(w, p, &w->stats.lost, "ECN");
        return;
    }
    if (lost(w)) {
        drop(w, p, &w->stats.lost, "lost");
        return;
    }
    if (rmt_chance(&w->corrupt, w->link.corrupt_p) && p->len > 0) {
        uint64_t bit = rmt_below(&w->corrupt, (uint64_t)p->len * 8);
        p->data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        w->stats.corrupted++;
    }
    if (rmt_chance(&w->dup, w->link.dup_p)) {
        struct rmt_packet *copy = rmt_packet_new(p->v, &p->from, &p->to, p->data, p->len);
        copy->ecn = p->ecn;
        copy->origin = p->origin;
        copy->to_iface = p->to_iface;
        copy->to_host = p->to_host;
        copy->nat = p->nat;
        copy->realm = p->realm;
        w->stats.duplicated++;
        leave(w, copy, sent_us, next, direct);
    }
    leave(w, p, sent_us, next, direct);
}
