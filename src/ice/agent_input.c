/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/agent_private.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_MAX 256
#define TAIL_ROOM 64 /* promised by struct rmi_sink */
#define ERROR_UNKNOWN_ATTRIBUTE 420
#define ERROR_ROLE_CONFLICT 487
#define NOT_LOCAL_PREF 65535 /* of a peer-reflexive candidate whose sender named no priority */

/* The user name of a check to us is "our ufrag:their ufrag" (RFC 8445 7.2.2). */
static bool split_username(const struct rmi_stun_msg *m, size_t *local_len, const char **remote, size_t *remote_len) {
    if (!m->username)
        return false;
    const char *colon = memchr(m->username, ':', m->username_len);
    if (!colon)
        return false;
    *local_len = (size_t)(colon - m->username);
    *remote = colon + 1;
    *remote_len = m->username_len - *local_len - 1;
    return *remote_len >= 1 && *remote_len <= RMI_ICE_UFRAG_MAX;
}

static bool same_text(const char *text, const char *bytes, size_t len) {
    return strlen(text) == len && memcmp(text, bytes, len) == 0;
}

static struct ice_gen *gen_of_check(struct rmi_ice_agent *a, const struct rmi_stun_msg *m) {
    size_t local_len;
    size_t remote_len;
    const char *remote;
    if (!split_username(m, &local_len, &remote, &remote_len))
        return NULL;
    struct ice_gen *g = same_text(a->cur.local.ufrag, m->username, local_len)                          ? &a->cur
                        : a->have_prev && same_text(a->prev.local.ufrag, m->username, local_len)       ? &a->prev
                        : a->restart_offered && same_text(a->next.local.ufrag, m->username, local_len) ? &a->next
                                                                                                       : NULL;
    if (g && g->remote_set && !same_text(g->remote.ufrag, remote, remote_len))
        return NULL;
    return g;
}

static void answer(struct rmi_ice_agent *a, const struct ice_gen *g, rmi_base_id base, const struct rmi_addr *to,
                   const struct rmi_stun_msg *m, uint16_t error) {
    uint8_t buf[RMI_HEADROOM + ANSWER_MAX + TAIL_ROOM];
    struct rmi_stun_builder b;
    rmi_stun_begin(&b, buf + RMI_HEADROOM, ANSWER_MAX, error ? RMI_STUN_ERROR : RMI_STUN_SUCCESS, RMI_STUN_BINDING,
                   m->txid);
    if (error == 0)
        rmi_stun_add_xor_addr(&b, RMI_STUN_A_XOR_MAPPED_ADDRESS, to);
    else
        rmi_stun_add_error(&b, error, error == ERROR_ROLE_CONFLICT ? "Role Conflict" : "Unknown Attribute");
    if (error == ERROR_UNKNOWN_ATTRIBUTE) {
        const uint8_t attr[2] = {(uint8_t)(m->unknown_attr >> 8), (uint8_t)m->unknown_attr};
        rmi_stun_add_bytes(&b, RMI_STUN_A_UNKNOWN_ATTRIBUTES, attr, sizeof attr);
    }
    const size_t len = rmi_stun_finish(&b, (const uint8_t *)g->local.pwd, strlen(g->local.pwd), true);
    if (len)
        a->sink.send(a->sink.ctx, base, to, buf + RMI_HEADROOM, len);
}

/* RFC 8445 7.3.1.1. True: the sender has to give in and was told so. */
static bool resolve_role(struct rmi_ice_agent *a, const struct ice_gen *g, rmi_base_id base,
                         const struct rmi_addr *from, const struct rmi_stun_msg *m) {
    const bool conflict = a->controlling ? m->ice_controlling : m->ice_controlled;
    if (!conflict)
        return false;
    /* The larger tiebreaker gets to be controlling; towards a lite peer we are controlling in any case. */
    const bool larger = a->tiebreaker >= m->tiebreaker || a->remote_lite;
    if (a->controlling == larger) {
        a->stats.role_conflicts++;
        answer(a, g, base, from, m, ERROR_ROLE_CONFLICT);
        return true;
    }
    rmi_ice_switch_role(a, larger);
    return false;
}

static bool over_rate(struct rmi_ice_agent *a, int64_t now_us) {
    if (now_us - a->rx_window_us >= RMI_SEC(1)) {
        a->rx_window_us = now_us;
        a->rx_window_count = 0;
    }
    return ++a->rx_window_count > ICE_RX_CHECKS_PER_SECOND;
}

static struct ice_cand *learn_remote(struct rmi_ice_agent *a, const struct rmi_addr *from, uint32_t priority) {
    struct ice_cand *c = NULL;
    size_t learned = 0;
    for (size_t i = 0; i < RMI_ICE_REMOTE_MAX; i++)
        learned += a->remotes[i].used && a->remotes[i].type == RMI_CAND_PRFLX;
    if (learned < ICE_PRFLX_MAX && from->port != 0 && rmi_addr_classify(from) != RMI_ADDR_UNUSABLE)
        c = rmi_ice_new_cand(a->remotes, RMI_ICE_REMOTE_MAX);
    if (!c) {
        a->stats.drop_limit++;
        return NULL;
    }
    c->type = RMI_CAND_PRFLX;
    c->addr = *from;
    c->priority = priority;
    /* RFC 8445 7.3.1.3: a foundation unlike any other; '~' is no ice-char, so no signaled one can be equal. */
    (void)snprintf(c->foundation, sizeof c->foundation, "~%u", ++a->prflx_count);
    a->stats.remote_candidates++;
    char text[RMI_ADDR_TEXT_MAX];
    ICE_LOG(a, RM_LOG_DEBUG, "peer=%s peer-reflexive remote candidate %s", a->name, rmi_addr_text(from, text));
    return c;
}

void rmi_ice_on_check(struct rmi_ice_agent *a, int64_t now_us, rmi_base_id base, const struct rmi_addr *from,
                      uint32_t priority, bool use_candidate) {
    const struct ice_cand *local = rmi_ice_find_base(a, base);
    if (!local)
        return; /* the base went away meanwhile */
    struct ice_pair *p = rmi_ice_find_pair(a, base, from);
    if (!p) {
        const struct ice_cand *remote = rmi_ice_find_remote(a, from);
        if (!remote)
            remote = learn_remote(a, from, priority);
        p = remote ? rmi_ice_make_pair(a, local, remote) : NULL;
    }
    if (!p)
        return;
    p->check_received = true;
    p->plain_check_received = p->plain_check_received || !use_candidate;
    rmi_ice_heard(a, now_us, p);
    if (p->state != ICE_SUCCEEDED)
        rmi_ice_trigger(a, p);
    if (!use_candidate || a->controlling)
        return;
    if (p->valid)
        rmi_ice_on_nominated(a, now_us, p);
    else
        p->nominate_on_success = true;
}

static void keep_early(struct rmi_ice_agent *a, rmi_base_id base, const struct rmi_addr *from,
                       const struct rmi_stun_msg *m, uint32_t priority) {
    struct ice_early *e = NULL;
    for (size_t i = 0; i < a->early_count && !e; i++)
        if (a->early[i].base == base && rmi_addr_equal(&a->early[i].from, from))
            e = &a->early[i];
    if (!e && a->early_count < ICE_EARLY_MAX) {
        e = &a->early[a->early_count++];
        memset(e, 0, sizeof *e);
    }
    if (!e) {
        a->stats.drop_limit++;
        return;
    }
    size_t local_len;
    size_t remote_len;
    const char *remote;
    if (!split_username(m, &local_len, &remote, &remote_len))
        return; /* gen_of_check has seen to it */
    e->base = base;
    e->from = *from;
    e->priority = priority;
    e->use_candidate = e->use_candidate || m->use_candidate;
    memcpy(e->remote_ufrag, remote, remote_len);
    e->remote_ufrag[remote_len] = '\0';
}

void rmi_ice_replay_early(struct rmi_ice_agent *a, int64_t now_us) {
    for (size_t i = 0; i < a->early_count; i++) {
        const struct ice_early *e = &a->early[i];
        if (strcmp(e->remote_ufrag, a->cur.remote.ufrag) == 0)
            rmi_ice_on_check(a, now_us, e->base, &e->from, e->priority, e->use_candidate);
        else
            a->stats.drop_integrity++;
    }
    a->early_count = 0;
}

static void on_request(struct rmi_ice_agent *a, int64_t now_us, rmi_base_id base, const struct rmi_addr *from,
                       const struct rmi_stun_msg *m) {
    struct ice_gen *g = gen_of_check(a, m);
    if (!g || !m->has_integrity || !rmi_stun_check_integrity(m, (const uint8_t *)g->local.pwd, strlen(g->local.pwd))) {
        a->stats.drop_integrity++;
        return;
    }
    if (!m->has_fingerprint) {
        a->stats.drop_malformed++;
        return;
    }
    /* Not our base: with relay_only that is every host base, which must not give itself away by an answer. */
    if (!rmi_ice_find_base(a, base)) {
        a->stats.drop_unmatched++;
        return;
    }
    if (over_rate(a, now_us)) {
        a->stats.drop_limit++;
        return;
    }
    a->stats.checks_received++;
    if (m->unknown_attr) {
        answer(a, g, base, from, m, ERROR_UNKNOWN_ATTRIBUTE);
        return;
    }
    if (g == &a->prev) { /* kept alive for the remote side's consent; nothing new is learned from it */
        answer(a, g, base, from, m, 0);
        if (a->old.used && a->old.base == base && rmi_addr_equal(&a->old.to, from))
            rmi_ice_heard(a, now_us, &a->old);
        return;
    }
    if (resolve_role(a, g, base, from, m))
        return;
    answer(a, g, base, from, m, 0);
    const uint32_t priority =
        m->has_priority && m->priority ? m->priority : rmi_candidate_priority(RMI_CAND_PRFLX, NOT_LOCAL_PREF, 1);
    if (g->remote_set)
        rmi_ice_on_check(a, now_us, base, from, priority, m->use_candidate);
    else
        keep_early(a, base, from, m, priority);
}

void rmi_ice_input(struct rmi_ice_agent *a, int64_t now_us, rmi_base_id base, const struct rmi_addr *from,
                   const uint8_t *data, size_t len) {
    /* A failed agent answers no more: an answer would tell the other side that the path is in use (RFC 7675 5.2). */
    if (a->state == RMI_ICE_CLOSED || a->state == RMI_ICE_FAILED)
        return;
    struct rmi_stun_msg m;
    if (rmi_stun_parse(data, len, &m) != RM_OK || m.method != RMI_STUN_BINDING) {
        a->stats.drop_malformed++;
        return;
    }
    switch (m.cls) {
    case RMI_STUN_REQUEST:
        on_request(a, now_us, base, from, &m);
        break;
    case RMI_STUN_SUCCESS:
    case RMI_STUN_ERROR:
        rmi_ice_on_response(a, now_us, base, from, &m);
        break;
    case RMI_STUN_INDICATION:
        return; /* RFC 8445 11: a keep-alive, unauthenticated, says nothing */
    }
    rmi_ice_run(a, now_us);
}

enum rmi_ice_source rmi_ice_source_of(const struct rmi_ice_agent *a, rmi_base_id base, const struct rmi_addr *from) {
    enum rmi_ice_source source = RMI_ICE_SOURCE_UNKNOWN;
    if (a->state == RMI_ICE_CLOSED || a->state == RMI_ICE_FAILED)
        return source;
    if (a->old.used && a->old.base == base && rmi_addr_equal(&a->old.to, from))
        return RMI_ICE_SOURCE_VALID;
    for (size_t i = 0; i < a->pairs_end; i++) {
        const struct ice_pair *p = &a->pairs[i];
        if (!p->used || p->base != base || !rmi_addr_equal(&p->to, from))
            continue;
        if (p->valid)
            return RMI_ICE_SOURCE_VALID;
        if (p->check_received)
            source = RMI_ICE_SOURCE_PENDING;
    }
    for (size_t i = 0; i < a->early_count; i++)
        if (a->early[i].base == base && rmi_addr_equal(&a->early[i].from, from))
            source = RMI_ICE_SOURCE_PENDING;
    return source;
}
