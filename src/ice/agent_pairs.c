/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/agent_private.h"

#include <string.h>

/* Lines of the pair table in the log; the log's own limit is 50 records a second. */
#define PAIR_TABLE_LINES 32

struct ice_cand *rmi_ice_local_at(struct rmi_ice_agent *a, const struct ice_pair *p) {
    return &a->locals[p->local];
}

const struct ice_cand *rmi_ice_remote_of(const struct rmi_ice_agent *a, const struct ice_pair *p) {
    return p->old ? &a->old_remote : &a->remotes[p->remote];
}

struct ice_cand *rmi_ice_find_base(struct rmi_ice_agent *a, rmi_base_id base) {
    for (size_t i = 0; i < ICE_LOCALS; i++)
        if (a->locals[i].used && a->locals[i].is_base && a->locals[i].base == base)
            return &a->locals[i];
    return NULL;
}

struct ice_cand *rmi_ice_find_remote(struct rmi_ice_agent *a, const struct rmi_addr *addr) {
    for (size_t i = 0; i < RMI_ICE_REMOTE_MAX; i++)
        if (a->remotes[i].used && rmi_addr_equal(&a->remotes[i].addr, addr))
            return &a->remotes[i];
    return NULL;
}

struct ice_cand *rmi_ice_new_cand(struct ice_cand *list, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!list[i].used) {
            memset(&list[i], 0, sizeof list[i]);
            list[i].used = true;
            return &list[i];
        }
    return NULL;
}

struct ice_pair *rmi_ice_find_pair(struct rmi_ice_agent *a, rmi_base_id base, const struct rmi_addr *to) {
    for (size_t i = 0; i < a->pairs_end; i++)
        if (a->pairs[i].used && a->pairs[i].base == base && rmi_addr_equal(&a->pairs[i].to, to))
            return &a->pairs[i];
    return NULL;
}

bool rmi_ice_is_relayed(const struct rmi_ice_agent *a, const struct ice_pair *p) {
    return a->locals[p->local].type == RMI_CAND_RELAY || rmi_ice_remote_of(a, p)->type == RMI_CAND_RELAY;
}

bool rmi_ice_is_wanted(const struct rmi_ice_agent *a, const struct ice_pair *p) {
    if (a->selected == ICE_NONE)
        return true;
    const struct ice_pair *sel = &a->pairs[a->selected];
    return p->priority > sel->priority && rmi_ice_is_relayed(a, sel) && !rmi_ice_is_relayed(a, p);
}

/* RFC 8445 6.1.2.3: 2^32 * MIN(G,D) + 2 * MAX(G,D) + (G > D ? 1 : 0), G the controlling agent's candidate. */
static uint64_t pair_priority(const struct rmi_ice_agent *a, const struct ice_cand *local,
                              const struct ice_cand *remote) {
    const uint64_t g = a->controlling ? local->priority : remote->priority;
    const uint64_t d = a->controlling ? remote->priority : local->priority;
    const uint64_t lo = g < d ? g : d;
    const uint64_t hi = g < d ? d : g;
    return (lo << 32) + 2 * hi + (g > d ? 1 : 0);
}

static bool same_foundation(const struct rmi_ice_agent *a, const struct ice_pair *p, const struct ice_pair *q) {
    return strcmp(a->locals[p->local].foundation, a->locals[q->local].foundation) == 0 &&
           strcmp(rmi_ice_remote_of(a, p)->foundation, rmi_ice_remote_of(a, q)->foundation) == 0;
}

/* RFC 8445 6.1.2.6 and RFC 8838 12: one pair of a foundation is waiting, the others follow its fate. */
static enum ice_pair_state first_state(const struct rmi_ice_agent *a, const struct ice_pair *p) {
    enum ice_pair_state state = ICE_WAITING;
    for (size_t i = 0; i < a->pairs_end; i++) {
        const struct ice_pair *q = &a->pairs[i];
        if (!q->used || q == p || !same_foundation(a, p, q))
            continue;
        if (q->state == ICE_SUCCEEDED)
            return ICE_WAITING;
        /* One that was sent twice without an answer holds nobody back any more (see rmi_ice_unfreeze). */
        if (q->state == ICE_WAITING || (q->state == ICE_IN_PROGRESS && q->round < 2))
            state = ICE_FROZEN;
    }
    return state;
}

void rmi_ice_unfreeze(struct rmi_ice_agent *a, const struct ice_pair *like) {
    for (size_t i = 0; i < a->pairs_end; i++) {
        struct ice_pair *q = &a->pairs[i];
        if (q->used && q->state == ICE_FROZEN && same_foundation(a, like, q))
            q->state = ICE_WAITING;
    }
}

/* A slot for a pair of this priority: a free one, or that of the worst pair nobody relies on (RFC 8445 6.1.2.5). */
static struct ice_pair *pair_slot(struct rmi_ice_agent *a, uint64_t priority) {
    for (size_t i = 0; i < RMI_ICE_PAIRS_MAX; i++)
        if (!a->pairs[i].used) {
            if (i >= a->pairs_end)
                a->pairs_end = i + 1;
            return &a->pairs[i];
        }
    struct ice_pair *worst = NULL;
    for (size_t i = 0; i < RMI_ICE_PAIRS_MAX; i++) {
        struct ice_pair *q = &a->pairs[i];
        if (!q->valid && !q->trigger_seq && (!worst || q->priority < worst->priority))
            worst = q;
    }
    if (!worst || worst->priority >= priority)
        return NULL;
    rmi_ice_drop_pair(a, worst);
    return worst;
}

struct ice_pair *rmi_ice_make_pair(struct rmi_ice_agent *a, const struct ice_cand *local,
                                   const struct ice_cand *remote) {
    const uint64_t priority = pair_priority(a, local, remote);
    struct ice_pair *p = pair_slot(a, priority);
    if (!p) {
        a->stats.drop_limit++;
        return NULL;
    }
    memset(p, 0, sizeof *p);
    p->local = (uint8_t)(local - a->locals);
    p->remote = (uint8_t)(remote - a->remotes);
    p->base = local->base;
    p->to = remote->addr;
    if (p->to.scope == 0)
        p->to.scope = local->addr.scope; /* a link-local destination is reached on the interface of the base */
    p->priority = priority;
    p->resend_us = p->probe_us = 0;
    p->used = true;
    p->state = first_state(a, p);
    return p;
}

/* Pairs that cannot work are not made: they would only use up checks. */
static bool compatible(const struct ice_cand *local, const struct ice_cand *remote) {
    const struct rmi_addr *l = &local->addr;
    const struct rmi_addr *r = &remote->addr;
    if (l->family != r->family)
        return false;
    const enum rmi_addr_class lc = rmi_addr_classify(l);
    const enum rmi_addr_class rc = rmi_addr_classify(r);
    if ((lc == RMI_ADDR_LOOPBACK) != (rc == RMI_ADDR_LOOPBACK))
        return false;
    if (l->family != 6)
        return true;
    if ((lc == RMI_ADDR_LINK_LOCAL) != (rc == RMI_ADDR_LINK_LOCAL))
        return false;
    return lc != RMI_ADDR_LINK_LOCAL || l->scope == 0 || r->scope == 0 || l->scope == r->scope;
}

static void pair_both(struct rmi_ice_agent *a, const struct ice_cand *local, const struct ice_cand *remote) {
    if (compatible(local, remote) && !rmi_ice_find_pair(a, local->base, &remote->addr))
        (void)rmi_ice_make_pair(a, local, remote);
}

void rmi_ice_pair_local(struct rmi_ice_agent *a, const struct ice_cand *local) {
    for (size_t i = 0; i < RMI_ICE_REMOTE_MAX; i++)
        if (a->remotes[i].used)
            pair_both(a, local, &a->remotes[i]);
}

void rmi_ice_pair_remote(struct rmi_ice_agent *a, const struct ice_cand *remote) {
    for (size_t i = 0; i < ICE_LOCALS; i++)
        if (a->locals[i].used && a->locals[i].is_base)
            pair_both(a, &a->locals[i], remote);
}

void rmi_ice_drop_pair(struct rmi_ice_agent *a, struct ice_pair *p) {
    const int slot = (int)(p - a->pairs);
    /* Its foundation may have waited for it. */
    rmi_ice_unfreeze(a, p);
    p->used = false;
    if (a->selected == slot)
        a->selected = ICE_NONE;
    if (a->previous == slot)
        a->previous = ICE_NONE;
}

void rmi_ice_clear_pairs(struct rmi_ice_agent *a) {
    /* Those from pairs_end on have never been written: their pages need not be there. */
    memset(a->pairs, 0, a->pairs_end * sizeof a->pairs[0]);
    a->pairs_end = 0;
    a->selected = a->previous = ICE_NONE;
    a->nominate_us = RMI_NEVER;
}

void rmi_ice_reprioritise(struct rmi_ice_agent *a) {
    for (size_t i = 0; i < a->pairs_end; i++) {
        struct ice_pair *p = &a->pairs[i];
        if (p->used)
            p->priority = pair_priority(a, &a->locals[p->local], &a->remotes[p->remote]);
    }
}

static const char *pair_state_name(enum ice_pair_state s) {
    static const char *const names[] = {"frozen", "waiting", "in-progress", "succeeded", "failed"};
    return names[s];
}

static void cand_to_public(const struct ice_cand *c, struct rmi_candidate *out) {
    memset(out, 0, sizeof *out);
    memcpy(out->foundation, c->foundation, sizeof out->foundation);
    out->component = 1;
    out->udp = true;
    out->priority = c->priority;
    out->addr = c->addr;
    out->type = c->type;
    out->related = c->related;
}

void rmi_ice_pair_to_info(const struct rmi_ice_agent *a, const struct ice_pair *p, struct rmi_ice_pair_info *out) {
    memset(out, 0, sizeof *out);
    const struct ice_cand *local = &a->locals[p->local];
    /* RFC 8445 7.2.5.3.1: the local candidate of a valid pair is the mapped address. */
    if (p->mapped.family)
        for (size_t i = 0; i < ICE_LOCALS; i++) {
            const struct ice_cand *c = &a->locals[i];
            if (c->used && c->base == p->base && rmi_addr_equal(&c->addr, &p->mapped)) {
                local = c;
                break;
            }
        }
    cand_to_public(local, &out->local);
    cand_to_public(rmi_ice_remote_of(a, p), &out->remote);
    out->base = p->base;
    out->rtt_us = p->rtt_us;
    out->state = pair_state_name(p->state);
    out->nominated = p->nominated;
    out->selected = p->old || (a->selected != ICE_NONE && p == &a->pairs[a->selected]);
    out->valid = p->valid;
    out->checks_sent = p->checks_sent;
    out->responses = p->responses;
}

void rmi_ice_log_pairs(struct rmi_ice_agent *a) {
    size_t lines = 0;
    for (size_t i = 0; i < a->pairs_end; i++) {
        const struct ice_pair *p = &a->pairs[i];
        if (!p->used)
            continue;
        if (lines++ == PAIR_TABLE_LINES) {
            ICE_LOG(a, RM_LOG_INFO, "peer=%s ... more pairs are not shown", a->name);
            return;
        }
        char from[RMI_ADDR_TEXT_MAX];
        char to[RMI_ADDR_TEXT_MAX];
        const struct ice_cand *l = &a->locals[p->local];
        const struct ice_cand *r = &a->remotes[p->remote];
        ICE_LOG(a, RM_LOG_INFO, "peer=%s pair %s %s -> %s %s: %s%s, %u checks, %u responses%s", a->name,
                rmi_cand_type_name(l->type), rmi_addr_text(&l->addr, from), rmi_cand_type_name(r->type),
                rmi_addr_text(&r->addr, to), pair_state_name(p->state), p->valid ? " valid" : "", p->checks_sent,
                p->responses, p->check_received ? ", heard from it" : "");
    }
    if (lines == 0)
        ICE_LOG(a, RM_LOG_INFO, "peer=%s no pairs: %u local and %u remote candidates", a->name,
                a->stats.local_candidates, a->stats.remote_candidates);
}
