/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/agent_private.h"

struct ice_pair *rmi_ice_path(struct rmi_ice_agent *a) {
    if (a->selected != ICE_NONE)
        return &a->pairs[a->selected];
    return a->old.used && a->restart_pending ? &a->old : NULL;
}

#define GAP_SHIFT 3 /* smoothing of gaps: 1/8 */

void rmi_ice_heard(struct rmi_ice_agent *a, int64_t now_us, const struct ice_pair *p) {
    if (!p || p != rmi_ice_path(a))
        return;
    a->gap_us += (now_us - a->last_rx_us - a->gap_us) / (1 << GAP_SHIFT);
    a->last_rx_us = now_us;
    a->doubted = false;
    if (a->state == RMI_ICE_DISCONNECTED)
        rmi_ice_set_state(a, RMI_ICE_CONNECTED, RM_OK, "heard again");
}

static int64_t next_consent(const struct rmi_ice_agent *a, int64_t now_us) {
    return now_us + (int64_t)rmi_rng_range(&a->rng, ICE_CONSENT_MIN_US, ICE_CONSENT_MAX_US);
}

void rmi_ice_select(struct rmi_ice_agent *a, int64_t now_us, struct ice_pair *p, const char *reason) {
    const int slot = (int)(p - a->pairs);
    if (a->selected == slot)
        return;
    if (a->selected != ICE_NONE)
        a->pairs[a->selected].nominating = false;
    a->previous = a->selected;
    a->selected = slot;
    a->switched_us = a->last_rx_us = a->alive_us = now_us;
    a->doubted = false;
    p->consent_us = next_consent(a, now_us);
    a->budget_us = a->nominate_us = RMI_NEVER;
    if (a->restart_pending) {
        /* The remote side may still use the old path until it has selected too. */
        a->restart_pending = false;
        a->old_drop_us = now_us + ICE_OLD_LINGER_US;
    }
    for (size_t i = 0; i < a->pairs_end; i++) { /* RFC 8445 8.1.2: checks that can change nothing end */
        struct ice_pair *q = &a->pairs[i];
        if (q->used && q->state == ICE_IN_PROGRESS && !rmi_ice_is_wanted(a, q))
            q->state = ICE_WAITING;
    }
    char from[RMI_ADDR_TEXT_MAX];
    char to[RMI_ADDR_TEXT_MAX];
    const struct ice_cand *local = rmi_ice_local_at(a, p);
    ICE_LOG(a, RM_LOG_INFO, "peer=%s selected %s %s -> %s %s, rtt %lld us (%s)", a->name,
            rmi_cand_type_name(local->type), rmi_addr_text(&local->addr, from),
            rmi_cand_type_name(rmi_ice_remote_of(a, p)->type), rmi_addr_text(&p->to, to), (long long)p->rtt_us, reason);
    rmi_ice_post(a, RMI_ICE_EV_SELECTED_PAIR, RM_OK);
    if (a->state != RMI_ICE_CONNECTED)
        rmi_ice_set_state(a, RMI_ICE_CONNECTED, RM_OK, reason);
}

/* A peer that nominates regularly sends a plain check on a pair first: its latest word counts. One that puts
 * USE-CANDIDATE into every check (RFC 5245 8.1.1.2) means the best of all pairs that work. */
void rmi_ice_on_nominated(struct rmi_ice_agent *a, int64_t now_us, struct ice_pair *p) {
    p->nominate_on_success = false;
    p->nominated = true;
    if (a->selected == ICE_NONE) {
        rmi_ice_select(a, now_us, p, "nominated by the remote side");
        return;
    }
    const struct ice_pair *sel = &a->pairs[a->selected];
    if (p == sel)
        return;
    const bool late = (int)(p - a->pairs) == a->previous && now_us - a->switched_us < ICE_SWITCH_HOLD_US;
    /* Equal priorities: the same peer-reflexive candidate behind a new NAT binding. */
    const bool better = p->plain_check_received || p->priority >= sel->priority;
    if (a->state == RMI_ICE_DISCONNECTED || !sel->nominated || (better && !late))
        rmi_ice_select(a, now_us, p, "nominated anew by the remote side");
}

/* ---- nomination when controlling ---- */

static struct ice_pair *best_valid(struct rmi_ice_agent *a) {
    struct ice_pair *best = NULL;
    for (size_t i = 0; i < a->pairs_end; i++) {
        struct ice_pair *p = &a->pairs[i];
        if (!p->used || !p->valid || p->state != ICE_SUCCEEDED)
            continue;
        /* What worked before the silence may be dead as well. */
        if (a->state == RMI_ICE_DISCONNECTED && p->last_response_us < a->disconnected_us)
            continue;
        if (!best || p->priority > best->priority)
            best = p;
    }
    return best;
}

static bool worth_waiting(const struct rmi_ice_agent *a, int64_t now_us, const struct ice_pair *best) {
    const bool direct = !rmi_ice_is_relayed(a, best);
    const bool silent = now_us >= a->last_rx_us + a->liveness_us / ICE_ELSEWHERE_DIV;
    const bool was_silent = a->disconnected_us && now_us < a->disconnected_us + ICE_CONSENT_EXPIRY_US;
    if (direct && a->restart_pending && (silent || was_silent)) /* the call stands still: anything is better */
        return false;
    if (direct && (rmi_ice_remote_of(a, best)->type == RMI_CAND_HOST || best->rtt_us <= ICE_NEAR_RTT_US))
        return false;
    for (size_t i = 0; i < a->pairs_end; i++) {
        const struct ice_pair *p = &a->pairs[i];
        const bool open = p->state == ICE_FROZEN || p->state == ICE_WAITING || p->state == ICE_IN_PROGRESS;
        if (p->used && open && p->priority > best->priority)
            return true;
    }
    return false;
}

static void nominate(struct rmi_ice_agent *a, int64_t now_us, struct ice_pair *p, const char *reason) {
    p->nominating = true;
    rmi_ice_trigger(a, p);
    /* The pair is valid, so it may carry data now (RFC 8445 12.1); waiting for the answer would cost a round trip. */
    rmi_ice_select(a, now_us, p, reason);
}

void rmi_ice_consider_nomination(struct rmi_ice_agent *a, int64_t now_us) {
    if (!a->controlling)
        return;
    struct ice_pair *best = best_valid(a);
    if (!best) {
        a->nominate_us = RMI_NEVER;
        return;
    }
    if (a->selected == ICE_NONE) {
        if (worth_waiting(a, now_us, best) && now_us < a->nominate_us) {
            if (a->nominate_us == RMI_NEVER)
                a->nominate_us = now_us + rmi_max64(ICE_NOMINATE_WAIT_US, 2 * best->rtt_us);
            return;
        }
        nominate(a, now_us, best, "nominated");
        return;
    }
    struct ice_pair *sel = &a->pairs[a->selected];
    if (best == sel)
        return;
    /* RFC 8445 8.1.1 nominates once. We leave a relay for a direct path, and a silent pair for one that answers; peers
     * follow, because they take the latest nomination (or, the older ones, that of the highest priority). */
    if (a->state == RMI_ICE_DISCONNECTED)
        nominate(a, now_us, best, "the selected pair is silent");
    else if (rmi_ice_is_wanted(a, best))
        nominate(a, now_us, best, "a direct pair works");
}

/* ---- consent and liveness ---- */

void rmi_ice_note_received(struct rmi_ice_agent *a, int64_t now_us, rmi_base_id base, const struct rmi_addr *from) {
    struct ice_pair *path = rmi_ice_path(a);
    if (path && path->base == base && rmi_addr_equal(&path->to, from)) {
        rmi_ice_heard(a, now_us, path);
        return;
    }
    if (!path || !a->controlling || now_us < a->last_rx_us + a->liveness_us / ICE_ELSEWHERE_DIV)
        return;
    struct ice_pair *p = rmi_ice_find_pair(a, base, from);
    if (!p || !p->valid || p->state != ICE_SUCCEEDED)
        return;
    nominate(a, now_us, p, "the peer is heard on this pair only");
    rmi_ice_run(a, now_us);
}

static void go_disconnected(struct rmi_ice_agent *a, int64_t now_us, const char *reason) {
    a->disconnected_us = now_us;
    for (size_t i = 0; i < a->pairs_end; i++)
        a->pairs[i].probe_us = now_us;
    rmi_ice_set_state(a, RMI_ICE_DISCONNECTED, RM_OK, reason);
}

void rmi_ice_path_lost(struct rmi_ice_agent *a, int64_t now_us, const char *reason) {
    if (a->state == RMI_ICE_CONNECTED)
        go_disconnected(a, now_us, reason);
    if (a->cur.remote_set)
        rmi_ice_arm_budget(a, now_us);
}

static void consent_expired(struct rmi_ice_agent *a, int64_t now_us, struct ice_pair *path) {
    if (path->old && a->budget_us != RMI_NEVER) { /* the restart is under way: its own budget decides */
        rmi_ice_drop_old(a);
        if (a->state == RMI_ICE_CONNECTED)
            go_disconnected(a, now_us, "consent on the old pair expired");
        return;
    }
    rmi_ice_fail(a, RM_E_ICE_CONSENT, "consent expired");
}

/* RFC 7675 5.1 asks every 5 s. With idle media that would tell nothing about the last 2 s, so silence is asked sooner.
 */
static int64_t path_check_us(const struct rmi_ice_agent *a, const struct ice_pair *path) {
    const int64_t silent = a->last_rx_us + a->liveness_us / ICE_IDLE_FIRST_DIV;
    const int64_t late = path->last_response_us + ICE_CONSENT_LATE_US;
    return rmi_min64(path->consent_us,
                     rmi_max64(rmi_min64(silent, late), path->last_check_us + a->liveness_us / ICE_IDLE_NEXT_DIV));
}

static int64_t doubt_us(const struct rmi_ice_agent *a) {
    const bool busy = a->gap_us < ICE_BUSY_GAP_US && !a->doubted && a->state == RMI_ICE_CONNECTED;
    return busy ? a->last_rx_us + a->liveness_us / ICE_DOUBT_DIV : RMI_NEVER;
}

void rmi_ice_run_consent(struct rmi_ice_agent *a, int64_t now_us) {
    struct ice_pair *path = rmi_ice_path(a);
    if (!path)
        return;
    if (now_us >= path->last_response_us + ICE_CONSENT_EXPIRY_US) {
        consent_expired(a, now_us, path);
        return;
    }
    if (now_us >= doubt_us(a)) {
        a->doubted = true;
        rmi_ice_post(a, RMI_ICE_EV_SILENCE, RM_OK);
    }
    if (a->state == RMI_ICE_CONNECTED && now_us >= a->last_rx_us + a->liveness_us)
        go_disconnected(a, now_us, "silence");
    if (now_us >= path_check_us(a, path)) {
        path->consent_us = next_consent(a, now_us);
        rmi_ice_send_check(a, now_us, path, true);
    }
}

int64_t rmi_ice_consent_deadline(const struct rmi_ice_agent *a) {
    const struct ice_pair *path = a->selected != ICE_NONE             ? &a->pairs[a->selected]
                                  : a->old.used && a->restart_pending ? &a->old
                                                                      : NULL;
    if (!path || (a->state != RMI_ICE_CONNECTED && a->state != RMI_ICE_DISCONNECTED))
        return RMI_NEVER;
    int64_t due = rmi_min64(path->last_response_us + ICE_CONSENT_EXPIRY_US, path_check_us(a, path));
    if (a->state == RMI_ICE_CONNECTED)
        due = rmi_min64(due, rmi_min64(doubt_us(a), a->last_rx_us + a->liveness_us));
    return due;
}
