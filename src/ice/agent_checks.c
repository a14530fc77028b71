/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/agent_private.h"

#include <string.h>

/* Room for a check with the longest credentials: 20 + USERNAME 520 + PRIORITY 8 + role 12 + USE-CANDIDATE 4 +
 * MESSAGE-INTEGRITY 24 + FINGERPRINT 8 = 596. */
#define CHECK_MAX 640
#define TAIL_ROOM 64 /* promised by struct rmi_sink */
#define ERROR_ROLE_CONFLICT 487
#define RTT_SHIFT 3        /* RFC 6298 2: alpha = 1/8 */
#define TYPE_PREF_SHIFT 24 /* RFC 8445 5.1.2.1 */

static void tag_to(uint8_t *out, uint32_t tag) {
    out[0] = (uint8_t)(tag >> 24);
    out[1] = (uint8_t)(tag >> 16);
    out[2] = (uint8_t)(tag >> 8);
    out[3] = (uint8_t)tag;
}

static struct ice_gen *gen_of(struct rmi_ice_agent *a, const struct ice_pair *p) {
    return p->old ? &a->prev : &a->cur;
}

static bool can_check(const struct rmi_ice_agent *a) {
    return a->cur.remote_set &&
           (a->state == RMI_ICE_CHECKING || a->state == RMI_ICE_CONNECTED || a->state == RMI_ICE_DISCONNECTED);
}

/* The transaction of this transmission: the newest again, or a new one when that would say something else. */
static struct ice_txn *transaction(struct rmi_ice_agent *a, int64_t now_us, struct ice_pair *p, bool fresh) {
    /* The selected pair's checks repeat USE-CANDIDATE, so that a peer that missed or mixed up a nomination follows. */
    const bool selected = a->selected != ICE_NONE && p == &a->pairs[a->selected];
    const bool use = a->controlling && !p->old && (p->nominating || selected);
    struct ice_txn *last = &p->txns[(p->txn_next + ICE_TXNS - 1) % ICE_TXNS];
    if (!fresh && last->used && last->use_candidate == use && last->controlling == a->controlling)
        return last;
    struct ice_txn *t = &p->txns[p->txn_next];
    p->txn_next = (uint8_t)((p->txn_next + 1) % ICE_TXNS);
    memset(t, 0, sizeof *t);
    t->used = true;
    t->use_candidate = use;
    t->controlling = a->controlling;
    t->first_us = now_us;
    rmi_rng_fill(&a->rng, t->id, sizeof t->id);
    return t;
}

void rmi_ice_send_check(struct rmi_ice_agent *a, int64_t now_us, struct ice_pair *p, bool fresh) {
    struct ice_gen *g = gen_of(a, p);
    struct ice_txn *t = transaction(a, now_us, p, fresh);
    uint8_t txid[RMI_STUN_TXID];
    tag_to(txid, a->tag);
    memcpy(txid + sizeof a->tag, t->id, sizeof t->id);

    char username[2 * RMI_ICE_UFRAG_MAX + 2];
    const size_t rlen = strlen(g->remote.ufrag);
    const size_t llen = strlen(g->local.ufrag);
    memcpy(username, g->remote.ufrag, rlen);
    username[rlen] = ':';
    memcpy(username + rlen + 1, g->local.ufrag, llen);
    /* RFC 8445 7.1.1: the priority a peer-reflexive candidate learned from this check would have. */
    const uint32_t priority = (a->locals[p->local].priority & ((1u << TYPE_PREF_SHIFT) - 1)) | ICE_PRFLX_PREF
                                                                                                   << TYPE_PREF_SHIFT;

    uint8_t buf[RMI_HEADROOM + CHECK_MAX + TAIL_ROOM];
    struct rmi_stun_builder b;
    rmi_stun_begin(&b, buf + RMI_HEADROOM, CHECK_MAX, RMI_STUN_REQUEST, RMI_STUN_BINDING, txid);
    rmi_stun_add_bytes(&b, RMI_STUN_A_USERNAME, username, rlen + 1 + llen);
    rmi_stun_add_u32(&b, RMI_STUN_A_PRIORITY, priority);
    rmi_stun_add_u64(&b, t->controlling ? RMI_STUN_A_ICE_CONTROLLING : RMI_STUN_A_ICE_CONTROLLED, a->tiebreaker);
    if (t->use_candidate)
        rmi_stun_add_bytes(&b, RMI_STUN_A_USE_CANDIDATE, NULL, 0);
    const size_t len = rmi_stun_finish(&b, (const uint8_t *)g->remote.pwd, strlen(g->remote.pwd), true);
    t->sends++;
    p->checks_sent++;
    p->last_check_us = now_us;
    a->stats.checks_sent++;
    if (len)
        a->sink.send(a->sink.ctx, p->base, &p->to, buf + RMI_HEADROOM, len);
}

void rmi_ice_trigger(struct rmi_ice_agent *a, struct ice_pair *p) {
    if (p->state != ICE_SUCCEEDED)
        p->state = ICE_WAITING;
    if (!p->trigger_seq)
        p->trigger_seq = ++a->trigger_count;
}

/* ---- scheduling ---- */

static bool is_resending(const struct rmi_ice_agent *a, const struct ice_pair *p) {
    return p->nominating || (p->state == ICE_IN_PROGRESS && rmi_ice_is_wanted(a, p));
}

/* While disconnected every pair is asked now and then, whatever became of it before. */
static bool is_probed(const struct rmi_ice_agent *a, const struct ice_pair *p) {
    const bool selected = a->selected != ICE_NONE && p == &a->pairs[a->selected];
    return a->state == RMI_ICE_DISCONNECTED && !selected && !is_resending(a, p) &&
           !(p->state == ICE_WAITING && rmi_ice_is_wanted(a, p));
}

static int64_t expires_us(const struct rmi_ice_agent *a, const struct ice_pair *p) {
    const int64_t own = p->started_us + a->failed_us;
    return a->budget_us == RMI_NEVER ? own : rmi_max64(own, a->budget_us);
}

static int64_t rto(const struct rmi_ice_agent *a, const struct ice_pair *p) {
    int64_t t = ICE_RTO_US;
    if (p->rtt_us)
        t = rmi_max64(ICE_RTO_MIN_US, rmi_min64(ICE_RTO_KNOWN_MAX_US, p->rtt_us + p->rtt_us / 4));
    const int64_t most = a->state == RMI_ICE_DISCONNECTED ? ICE_PROBE_US : ICE_RTO_MAX_US;
    for (uint32_t i = ICE_RTO_STEADY; i < p->round && t < most; i++)
        t = rmi_min64(2 * t, most);
    int64_t active = 0;
    for (size_t i = 0; i < a->pairs_end; i++) {
        const struct ice_pair *q = &a->pairs[i];
        if (q->used && (q->state == ICE_WAITING || q->state == ICE_IN_PROGRESS) && rmi_ice_is_wanted(a, q))
            active++;
    }
    return rmi_max64(t, a->ta_us * active); /* RFC 8445 14.3 */
}

static void pace(struct rmi_ice_agent *a, int64_t now_us) {
    a->pace_us = rmi_max64(a->pace_us, now_us) + a->ta_us;
}

static void begin_check(struct rmi_ice_agent *a, int64_t now_us, struct ice_pair *p) {
    p->trigger_seq = 0;
    p->started_us = now_us;
    p->round = 1;
    if (p->state != ICE_SUCCEEDED)
        p->state = ICE_IN_PROGRESS;
    rmi_ice_send_check(a, now_us, p, true);
    p->resend_us = now_us + rto(a, p);
    pace(a, now_us);
}

static void resend_check(struct rmi_ice_agent *a, int64_t now_us, struct ice_pair *p) {
    p->round++;
    /* Freezing spares checks that would fail alike; a lost check must not hold back a whole foundation. */
    rmi_ice_unfreeze(a, p);
    rmi_ice_send_check(a, now_us, p, false);
    p->resend_us = now_us + rto(a, p);
    pace(a, now_us);
}

static struct ice_pair *next_triggered(struct rmi_ice_agent *a) {
    struct ice_pair *best = NULL;
    for (size_t i = 0; i < a->pairs_end; i++) {
        struct ice_pair *p = &a->pairs[i];
        if (p->used && p->trigger_seq && (!best || p->trigger_seq < best->trigger_seq))
            best = p;
    }
    return best;
}

/* RFC 8445 6.1.4.2: the best waiting pair; when there is none and nothing runs either, the best frozen one. */
static struct ice_pair *next_waiting(struct rmi_ice_agent *a) {
    struct ice_pair *waiting = NULL;
    struct ice_pair *frozen = NULL;
    bool running = false;
    for (size_t i = 0; i < a->pairs_end; i++) {
        struct ice_pair *p = &a->pairs[i];
        if (!p->used || !rmi_ice_is_wanted(a, p))
            continue;
        running = running || p->state == ICE_IN_PROGRESS;
        if (p->state == ICE_WAITING && (!waiting || p->priority > waiting->priority))
            waiting = p;
        if (p->state == ICE_FROZEN && (!frozen || p->priority > frozen->priority))
            frozen = p;
    }
    return waiting ? waiting : running ? NULL : frozen;
}

static struct ice_pair *next_resend(struct rmi_ice_agent *a, int64_t now_us) {
    struct ice_pair *best = NULL;
    for (size_t i = 0; i < a->pairs_end; i++) {
        struct ice_pair *p = &a->pairs[i];
        if (p->used && is_resending(a, p) && p->resend_us <= now_us && (!best || p->resend_us < best->resend_us))
            best = p;
    }
    return best;
}

static struct ice_pair *next_probe(struct rmi_ice_agent *a, int64_t now_us) {
    for (size_t i = 0; i < a->pairs_end; i++) {
        struct ice_pair *p = &a->pairs[i];
        if (p->used && is_probed(a, p) && p->probe_us <= now_us)
            return p;
    }
    return NULL;
}

static bool send_one(struct rmi_ice_agent *a, int64_t now_us) {
    struct ice_pair *p = next_triggered(a);
    if (p && a->pace_us <= now_us + ICE_TRIGGERED_AHEAD * a->ta_us) {
        begin_check(a, now_us, p);
        return true;
    }
    if (a->pace_us > now_us)
        return false;
    if ((p = next_waiting(a))) {
        begin_check(a, now_us, p);
        return true;
    }
    if ((p = next_resend(a, now_us))) {
        resend_check(a, now_us, p);
        return true;
    }
    if ((p = next_probe(a, now_us))) {
        p->probe_us = now_us + ICE_PROBE_US;
        rmi_ice_send_check(a, now_us, p, true);
        pace(a, now_us);
        return true;
    }
    return false;
}

void rmi_ice_run_checks(struct rmi_ice_agent *a, int64_t now_us) {
    if (!can_check(a))
        return;
    for (size_t i = 0; i < a->pairs_end; i++) {
        struct ice_pair *p = &a->pairs[i];
        if (p->used && p->state == ICE_IN_PROGRESS && rmi_ice_is_wanted(a, p) && now_us >= expires_us(a, p)) {
            p->state = ICE_PAIR_FAILED;
            rmi_ice_unfreeze(a, p);
        }
    }
    while (send_one(a, now_us))
        ; /* every transmission moves pace_us ahead, so this ends */
}

int64_t rmi_ice_checks_deadline(const struct rmi_ice_agent *a) {
    int64_t due = RMI_NEVER;
    bool frozen = false;
    bool running = false;
    if (!can_check(a))
        return due;
    for (size_t i = 0; i < a->pairs_end; i++) {
        const struct ice_pair *p = &a->pairs[i];
        if (!p->used)
            continue;
        if (p->trigger_seq)
            due = rmi_min64(due, a->pace_us - ICE_TRIGGERED_AHEAD * a->ta_us);
        else if (p->state == ICE_WAITING && rmi_ice_is_wanted(a, p))
            due = rmi_min64(due, a->pace_us);
        if (is_resending(a, p))
            due = rmi_min64(due, rmi_max64(a->pace_us, p->resend_us));
        if (p->state == ICE_IN_PROGRESS && rmi_ice_is_wanted(a, p))
            due = rmi_min64(due, expires_us(a, p));
        if (is_probed(a, p))
            due = rmi_min64(due, rmi_max64(a->pace_us, p->probe_us));
        if (rmi_ice_is_wanted(a, p)) {
            frozen = frozen || p->state == ICE_FROZEN;
            running = running || p->state == ICE_IN_PROGRESS;
        }
    }
    if (frozen && !running) /* then the next turn is theirs */
        due = rmi_min64(due, a->pace_us);
    return due;
}

/* ---- responses ---- */

static struct ice_txn *txn_in(struct ice_pair *p, const uint8_t *id) {
    for (size_t i = 0; i < ICE_TXNS; i++)
        if (p->txns[i].used && memcmp(p->txns[i].id, id, ICE_TXN_RANDOM) == 0)
            return &p->txns[i];
    return NULL;
}

static struct ice_txn *find_txn(struct rmi_ice_agent *a, const struct rmi_stun_msg *m, struct ice_pair **pair) {
    uint8_t tag[sizeof a->tag];
    tag_to(tag, a->tag);
    if (memcmp(m->txid, tag, sizeof tag) != 0)
        return NULL;
    const uint8_t *id = m->txid + sizeof tag;
    struct ice_txn *t;
    for (size_t i = 0; i < a->pairs_end; i++)
        if (a->pairs[i].used && (t = txn_in(&a->pairs[i], id))) {
            *pair = &a->pairs[i];
            return t;
        }
    *pair = &a->old;
    return a->old.used ? txn_in(&a->old, id) : NULL;
}

void rmi_ice_switch_role(struct rmi_ice_agent *a, bool controlling) {
    if (a->controlling == controlling)
        return;
    a->controlling = controlling;
    a->stats.role_conflicts++;
    a->nominate_us = RMI_NEVER;
    for (size_t i = 0; i < a->pairs_end; i++)
        a->pairs[i].nominating = a->pairs[i].nominate_on_success = false;
    rmi_ice_reprioritise(a); /* G and D changed sides */
    ICE_LOG(a, RM_LOG_INFO, "peer=%s role conflict: now %s", a->name, controlling ? "controlling" : "controlled");
}

static void fail_check(struct rmi_ice_agent *a, struct ice_pair *p, const char *why) {
    if (p->old || p->valid)
        return; /* consent decides about a pair that has worked */
    p->state = ICE_PAIR_FAILED;
    p->trigger_seq = 0;
    rmi_ice_unfreeze(a, p);
    char text[RMI_ADDR_TEXT_MAX];
    ICE_LOG(a, RM_LOG_DEBUG, "peer=%s check to %s failed: %s", a->name, rmi_addr_text(&p->to, text), why);
}

static void on_error(struct rmi_ice_agent *a, struct ice_pair *p, const struct ice_txn *t, uint16_t code) {
    if (code == ERROR_ROLE_CONFLICT && !p->old) {
        /* RFC 8445 7.2.5.1. A lite peer is always controlled (6.1.1), so its 487 would be a mistake. */
        if (a->remote_lite) {
            fail_check(a, p, "role conflict with a lite peer");
            return;
        }
        if (t->controlling == a->controlling)
            rmi_ice_switch_role(a, !t->controlling);
        rmi_ice_trigger(a, p);
        return;
    }
    fail_check(a, p, "error response");
}

/* A mapped address that is none of our candidates is a peer-reflexive local one (RFC 8445 7.2.5.3.1). Nothing is paired
 * with it, as its base already is. */
static void learn_mapped(struct rmi_ice_agent *a, struct ice_pair *p, const struct rmi_addr *mapped) {
    p->mapped = *mapped;
    const struct ice_cand *base = &a->locals[p->local];
    for (size_t i = 0; i < ICE_LOCALS; i++)
        if (a->locals[i].used && a->locals[i].base == p->base && rmi_addr_equal(&a->locals[i].addr, mapped))
            return;
    struct ice_cand *c = rmi_ice_new_cand(a->locals, ICE_LOCALS);
    if (!c)
        return; /* for information only */
    c->base = p->base;
    c->type = RMI_CAND_PRFLX;
    c->addr = *mapped;
    c->related = base->addr;
    c->priority = (base->priority & ((1u << TYPE_PREF_SHIFT) - 1)) | ICE_PRFLX_PREF << TYPE_PREF_SHIFT;
    memcpy(c->foundation, base->foundation, sizeof c->foundation);
    a->stats.local_candidates++;
}

static void on_success(struct rmi_ice_agent *a, int64_t now_us, struct ice_pair *p, const struct ice_txn *t,
                       const struct rmi_addr *mapped) {
    const int64_t sample = rmi_max64(now_us - t->first_us, 1);
    if (p->rtt_us == 0)
        p->rtt_us = sample;
    else if (t->sends == 1) /* Karn: the answer to a repeated request says nothing */
        p->rtt_us += (sample - p->rtt_us) / (1 << RTT_SHIFT);
    p->last_response_us = now_us;
    p->responses++;
    a->stats.responses_received++;
    if (p == rmi_ice_path(a))
        a->alive_us = now_us;
    rmi_ice_heard(a, now_us, p);
    if (p->old)
        return;
    if (p->state != ICE_SUCCEEDED)
        p->trigger_seq = 0;
    p->state = ICE_SUCCEEDED;
    if (!p->valid) {
        p->valid = true;
        learn_mapped(a, p, mapped);
        rmi_ice_unfreeze(a, p);
    }
    if (t->use_candidate && a->controlling) {
        p->nominated = true;
        p->nominating = false;
    }
    /* While the selected pair is silent, one that was nominated too and answers is taken without further ado. */
    if (!a->controlling && (p->nominate_on_success || (p->nominated && a->state == RMI_ICE_DISCONNECTED)))
        rmi_ice_on_nominated(a, now_us, p);
    rmi_ice_consider_nomination(a, now_us);
}

void rmi_ice_on_response(struct rmi_ice_agent *a, int64_t now_us, rmi_base_id base, const struct rmi_addr *from,
                         const struct rmi_stun_msg *m) {
    struct ice_pair *p = NULL;
    struct ice_txn *found = find_txn(a, m, &p);
    if (!found) {
        a->stats.drop_unmatched++;
        return;
    }
    const struct ice_gen *g = gen_of(a, p);
    if (!m->has_integrity || !rmi_stun_check_integrity(m, (const uint8_t *)g->remote.pwd, strlen(g->remote.pwd))) {
        a->stats.drop_integrity++;
        return;
    }
    if (!m->has_fingerprint || (m->cls == RMI_STUN_SUCCESS && m->xor_mapped.family == 0)) {
        a->stats.drop_malformed++;
        return;
    }
    const struct ice_txn t = *found;
    found->used = false;
    if (base != p->base || !rmi_addr_equal(from, &p->to)) { /* RFC 8445 7.2.5.2.1 */
        a->stats.drop_unmatched++;
        fail_check(a, p, "answer from another address");
    } else if (m->cls == RMI_STUN_ERROR) {
        on_error(a, p, &t, m->error_code);
    } else {
        on_success(a, now_us, p, &t, &m->xor_mapped);
    }
}
