/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/agent_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* RFC 8839 5.4 */
#define UFRAG_MIN 4
#define PWD_MIN 22

static void new_credentials(struct rmi_ice_agent *a) {
    rmi_rng_ice_chars(&a->rng, a->cur.local.ufrag, RMI_ICE_UFRAG_LEN);
    rmi_rng_ice_chars(&a->rng, a->cur.local.pwd, RMI_ICE_PWD_LEN);
}

rm_err rmi_ice_create(const struct rmi_ice_config *config, struct rmi_ice_agent **out) {
    if (!config || !out || !config->rng.fill || !config->sink.send || config->liveness_us < 0 ||
        config->failed_us < 0 || config->ta_us < 0)
        return RM_E_INVALID_ARG;
    struct rmi_ice_agent *a = calloc(1, sizeof *a);
    if (!a)
        return RM_E_NO_MEMORY;
    a->rng = config->rng;
    a->log = config->log;
    a->sink = config->sink;
    (void)snprintf(a->name, sizeof a->name, "%s", config->name ? config->name : "");
    a->controlling = config->controlling;
    a->relay_only = config->relay_only;
    a->tag = config->tag;
    a->liveness_us = config->liveness_us ? rmi_max64(config->liveness_us, ICE_LIVENESS_MIN_US) : ICE_LIVENESS_US;
    a->failed_us = config->failed_us ? config->failed_us : ICE_FAILED_US;
    a->ta_us = config->ta_us ? config->ta_us : ICE_TA_US;
    a->tiebreaker = rmi_rng_u64(&a->rng);
    a->budget_us = a->old_drop_us = a->due_us = RMI_NEVER;
    rmi_ice_clear_pairs(a);
    new_credentials(a);
    *out = a;
    return RM_OK;
}

void rmi_ice_destroy(struct rmi_ice_agent **a) {
    if (!a || !*a)
        return;
    explicit_bzero(*a, sizeof **a); /* passwords */
    free(*a);
    *a = NULL;
}

void rmi_ice_close(struct rmi_ice_agent *a) {
    if (a->state == RMI_ICE_CLOSED)
        return;
    rmi_ice_clear_pairs(a);
    a->old.used = false;
    a->early_count = 0;
    a->budget_us = a->old_drop_us = a->due_us = RMI_NEVER;
    rmi_ice_set_state(a, RMI_ICE_CLOSED, RM_OK, "closed");
}

const char *rmi_ice_local_ufrag(const struct rmi_ice_agent *a) {
    return a->restart_offered ? a->next.local.ufrag : a->cur.local.ufrag;
}
const char *rmi_ice_local_pwd(const struct rmi_ice_agent *a) {
    return a->restart_offered ? a->next.local.pwd : a->cur.local.pwd;
}
const char *rmi_ice_remote_ufrag(const struct rmi_ice_agent *a) {
    return a->cur.remote.ufrag;
}
bool rmi_ice_is_controlling(const struct rmi_ice_agent *a) {
    return a->controlling;
}
enum rmi_ice_state rmi_ice_state_of(const struct rmi_ice_agent *a) {
    return a->state;
}

/* ---- local candidates ---- */

static void fill_cand(struct ice_cand *c, const struct rmi_candidate *from) {
    memcpy(c->foundation, from->foundation, sizeof c->foundation);
    c->foundation[sizeof c->foundation - 1] = '\0';
    c->type = from->type;
    c->priority = from->priority;
    c->addr = from->addr;
    c->related = from->related;
}

static bool usable(const struct rmi_candidate *c) {
    return c->udp && c->component == 1 && c->priority != 0 && c->addr.family != 0 && c->addr.port != 0 &&
           rmi_addr_classify(&c->addr) != RMI_ADDR_UNUSABLE;
}

static size_t used_pairs(const struct rmi_ice_agent *a) {
    size_t n = 0;
    for (size_t i = 0; i < a->pairs_end; i++)
        n += a->pairs[i].used;
    return n;
}

/* Pairs of a base are made from its host or relayed candidate; until that is known, from what there is. */
static bool becomes_base(struct rmi_ice_agent *a, struct ice_cand *c) {
    struct ice_cand *base = rmi_ice_find_base(a, c->base);
    if (!base) {
        c->is_base = true;
        return true;
    }
    const bool real = base->type == RMI_CAND_HOST || base->type == RMI_CAND_RELAY;
    if (real || (c->type != RMI_CAND_HOST && c->type != RMI_CAND_RELAY))
        return false;
    base->is_base = false;
    c->is_base = true;
    for (size_t i = 0; i < a->pairs_end; i++)
        if (a->pairs[i].used && a->pairs[i].base == c->base)
            a->pairs[i].local = (uint8_t)(c - a->locals);
    if (a->old.used && a->old.base == c->base)
        a->old.local = (uint8_t)(c - a->locals);
    rmi_ice_reprioritise(a);
    return true;
}

/* A pair where there was none gives the checks their full time. */
static void after_pairing(struct rmi_ice_agent *a, int64_t now_us, size_t pairs_before) {
    if (pairs_before == 0 && used_pairs(a) != 0)
        rmi_ice_arm_budget(a, now_us);
    rmi_ice_run(a, now_us);
}

rm_err rmi_ice_add_local(struct rmi_ice_agent *a, int64_t now_us, rmi_base_id base, const struct rmi_candidate *c) {
    if (a->state == RMI_ICE_CLOSED)
        return RM_E_STATE;
    if (base == 0)
        return RM_E_INVALID_ARG;
    if (!usable(c))
        return RM_E_UNSUPPORTED;
    if (a->relay_only && c->type != RMI_CAND_RELAY)
        return RM_OK;
    size_t gathered = 0;
    for (size_t i = 0; i < ICE_LOCALS; i++) {
        struct ice_cand *l = &a->locals[i];
        if (!l->used)
            continue;
        if (l->base == base && rmi_addr_equal(&l->addr, &c->addr)) {
            if (l->type == RMI_CAND_PRFLX) /* a check discovered it before the STUN server did */
                fill_cand(l, c);
            return RM_OK;
        }
        if (c->type == RMI_CAND_SRFLX && l->type == c->type && l->base == base && !l->is_base &&
            strcmp(l->foundation, c->foundation) == 0) { /* the same base, behind a new mapping */
            fill_cand(l, c);
            return RM_OK;
        }
        gathered += l->type != RMI_CAND_PRFLX;
    }
    struct ice_cand *l = gathered < RMI_ICE_LOCAL_MAX ? rmi_ice_new_cand(a->locals, ICE_LOCALS) : NULL;
    if (!l)
        return RM_E_LIMIT;
    fill_cand(l, c);
    l->base = base;
    a->stats.local_candidates++;
    const size_t before = used_pairs(a);
    if (becomes_base(a, l))
        rmi_ice_pair_local(a, l);
    after_pairing(a, now_us, before);
    return RM_OK;
}

void rmi_ice_remove_base(struct rmi_ice_agent *a, int64_t now_us, rmi_base_id base) {
    if (a->state == RMI_ICE_CLOSED)
        return;
    const struct ice_pair *path = rmi_ice_path(a);
    const bool lost = path && path->base == base;
    if (a->old.used && a->old.base == base)
        a->old.used = false;
    for (size_t i = 0; i < a->pairs_end; i++)
        if (a->pairs[i].used && a->pairs[i].base == base)
            rmi_ice_drop_pair(a, &a->pairs[i]);
    for (size_t i = 0; i < ICE_LOCALS; i++)
        if (a->locals[i].used && a->locals[i].base == base) {
            a->locals[i].used = false;
            a->stats.local_candidates--;
        }
    if (lost) {
        rmi_ice_path_lost(a, now_us, "the base of the selected pair is gone");
        rmi_ice_consider_nomination(a, now_us);
    }
    if (a->state != RMI_ICE_NEW)
        rmi_ice_run(a, now_us);
}

void rmi_ice_local_done(struct rmi_ice_agent *a, int64_t now_us) {
    a->local_done = true;
    rmi_ice_timeout(a, now_us);
}

/* ---- the remote side ---- */

rm_err rmi_ice_set_remote(struct rmi_ice_agent *a, int64_t now_us, const char *ufrag, const char *pwd, bool lite) {
    if (!ufrag || !pwd)
        return RM_E_INVALID_ARG;
    const size_t ulen = strnlen(ufrag, RMI_ICE_UFRAG_MAX + 1);
    const size_t plen = strnlen(pwd, RMI_ICE_PWD_MAX + 1);
    if (ulen < UFRAG_MIN || ulen > RMI_ICE_UFRAG_MAX || plen < PWD_MIN || plen > RMI_ICE_PWD_MAX)
        return RM_E_INVALID_ARG;
    if (a->state == RMI_ICE_CLOSED)
        return RM_E_STATE;
    if (a->cur.remote_set && strcmp(a->cur.remote.ufrag, ufrag) == 0 && strcmp(a->cur.remote.pwd, pwd) == 0)
        return RM_OK;
    if (a->restart_offered)
        rmi_ice_next_generation(a);
    if (a->cur.remote_set)
        return RM_E_STATE;
    memcpy(a->cur.remote.ufrag, ufrag, ulen + 1);
    memcpy(a->cur.remote.pwd, pwd, plen + 1);
    a->cur.remote_set = true;
    a->remote_lite = lite;
    if (lite)
        a->controlling = true; /* RFC 8445 6.1.1 */
    /* Failed: the old pair lost its consent while the answer to our restart was on its way. */
    if (a->state == RMI_ICE_NEW || a->state == RMI_ICE_FAILED)
        rmi_ice_set_state(a, RMI_ICE_CHECKING, RM_OK, "remote description");
    rmi_ice_arm_budget(a, now_us);
    rmi_ice_replay_early(a, now_us);
    rmi_ice_run(a, now_us);
    return RM_OK;
}

rm_err rmi_ice_add_remote(struct rmi_ice_agent *a, int64_t now_us, const struct rmi_candidate *c) {
    if (a->state == RMI_ICE_CLOSED || !a->cur.remote_set)
        return RM_E_STATE;
    if (c->ufrag[0] && strcmp(c->ufrag, a->cur.remote.ufrag) != 0)
        return RM_OK; /* of another generation */
    if (c->udp && c->addr.family == 0 && c->hostname[0])
        return RM_E_RESOLVE;
    if (!usable(c)) {
        a->stats.drop_limit++;
        return RM_E_UNSUPPORTED;
    }
    struct ice_cand *r = rmi_ice_find_remote(a, &c->addr);
    if (r) {
        if (r->type == RMI_CAND_PRFLX) { /* a check was faster than signaling */
            fill_cand(r, c);
            rmi_ice_reprioritise(a);
        }
        rmi_ice_pair_remote(a, r); /* the check came to one base only */
        rmi_ice_run(a, now_us);
        return RM_OK;
    }
    r = rmi_ice_new_cand(a->remotes, RMI_ICE_REMOTE_MAX);
    if (!r) {
        a->stats.drop_limit++;
        return RM_E_LIMIT;
    }
    fill_cand(r, c);
    a->stats.remote_candidates++;
    const size_t before = used_pairs(a);
    rmi_ice_pair_remote(a, r);
    after_pairing(a, now_us, before);
    return RM_OK;
}

void rmi_ice_remote_done(struct rmi_ice_agent *a, int64_t now_us) {
    a->remote_done = true;
    rmi_ice_timeout(a, now_us);
}

/* ---- what the caller asks ---- */

static const struct ice_pair *best_valid(const struct rmi_ice_agent *a) {
    const struct ice_pair *best = NULL;
    for (size_t i = 0; i < a->pairs_end; i++) {
        const struct ice_pair *p = &a->pairs[i];
        if (p->used && p->valid && (!best || p->priority > best->priority))
            best = p;
    }
    return best;
}

static const struct ice_pair *route_pair(const struct rmi_ice_agent *a) {
    if (a->state == RMI_ICE_FAILED || a->state == RMI_ICE_CLOSED)
        return NULL;
    if (a->selected != ICE_NONE)
        return &a->pairs[a->selected];
    if (a->old.used && a->restart_pending)
        return &a->old;
    return best_valid(a);
}

bool rmi_ice_route(const struct rmi_ice_agent *a, rmi_base_id *base, struct rmi_addr *to) {
    const struct ice_pair *p = route_pair(a);
    if (!p)
        return false;
    *base = p->base;
    *to = p->to;
    return true;
}

int64_t rmi_ice_route_rtt_us(const struct rmi_ice_agent *a) {
    const struct ice_pair *p = route_pair(a);
    return p ? p->rtt_us : 0;
}

bool rmi_ice_selected_pair(const struct rmi_ice_agent *a, struct rmi_ice_pair_info *out) {
    if (a->selected != ICE_NONE)
        rmi_ice_pair_to_info(a, &a->pairs[a->selected], out);
    else if (a->old.used && a->restart_pending)
        rmi_ice_pair_to_info(a, &a->old, out);
    else
        return false;
    return true;
}

size_t rmi_ice_pairs(const struct rmi_ice_agent *a, struct rmi_ice_pair_info *out, size_t cap) {
    size_t n = 0;
    for (size_t i = 0; i < a->pairs_end && n < cap; i++)
        if (a->pairs[i].used)
            rmi_ice_pair_to_info(a, &a->pairs[i], &out[n++]);
    return n;
}

void rmi_ice_get_stats(const struct rmi_ice_agent *a, struct rmi_ice_stats *out) {
    *out = a->stats;
    out->pairs = (uint32_t)used_pairs(a);
}
