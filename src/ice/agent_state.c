/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/agent_private.h"

#include <string.h>

#define BIT(s) (1u << (s))

const char *rmi_ice_state_name(enum rmi_ice_state s) {
    static const char *const names[] = {"new", "checking", "connected", "disconnected", "failed", "closed"};
    return (size_t)s < sizeof names / sizeof names[0] ? names[s] : "?";
}

/* Targets allowed from each state; the table is in agent_private.h. */
static const unsigned allowed[] = {
    [RMI_ICE_NEW] = BIT(RMI_ICE_CHECKING) | BIT(RMI_ICE_CLOSED),
    [RMI_ICE_CHECKING] = BIT(RMI_ICE_CONNECTED) | BIT(RMI_ICE_FAILED) | BIT(RMI_ICE_CLOSED),
    [RMI_ICE_CONNECTED] = BIT(RMI_ICE_DISCONNECTED) | BIT(RMI_ICE_FAILED) | BIT(RMI_ICE_CLOSED),
    [RMI_ICE_DISCONNECTED] = BIT(RMI_ICE_CONNECTED) | BIT(RMI_ICE_FAILED) | BIT(RMI_ICE_CLOSED),
    [RMI_ICE_FAILED] = BIT(RMI_ICE_CHECKING) | BIT(RMI_ICE_CLOSED),
    [RMI_ICE_CLOSED] = 0,
};

void rmi_ice_post(struct rmi_ice_agent *a, enum rmi_ice_event_type type, rm_err err) {
    if (a->event_count == ICE_EVENTS_MAX) {
        /* Only a caller that never polls gets here; the newest events say what is true now. */
        a->event_first = (a->event_first + 1) % ICE_EVENTS_MAX;
        a->event_count--;
    }
    a->events[(a->event_first + a->event_count++) % ICE_EVENTS_MAX] =
        (struct rmi_ice_event){.type = type, .state = a->state, .err = err};
}

bool rmi_ice_poll_event(struct rmi_ice_agent *a, struct rmi_ice_event *out) {
    if (a->event_count == 0)
        return false;
    *out = a->events[a->event_first];
    a->event_first = (a->event_first + 1) % ICE_EVENTS_MAX;
    a->event_count--;
    return true;
}

void rmi_ice_set_state(struct rmi_ice_agent *a, enum rmi_ice_state to, rm_err err, const char *reason) {
    if (!(allowed[a->state] & BIT(to))) {
        ICE_LOG(a, RM_LOG_ERROR, "peer=%s ice %s->%s is not allowed (%s)", a->name, rmi_ice_state_name(a->state),
                rmi_ice_state_name(to), reason);
        return;
    }
    ICE_LOG(a, RM_LOG_INFO, "peer=%s ice %s->%s (%s)", a->name, rmi_ice_state_name(a->state), rmi_ice_state_name(to),
            reason);
    a->state = to;
    rmi_ice_post(a, RMI_ICE_EV_STATE, err);
}

void rmi_ice_drop_old(struct rmi_ice_agent *a) {
    a->old.used = false;
    a->old_drop_us = RMI_NEVER;
    if (!a->restart_pending) {
        a->have_prev = false;
        explicit_bzero(&a->prev, sizeof a->prev);
    }
}

void rmi_ice_fail(struct rmi_ice_agent *a, rm_err err, const char *reason) {
    rmi_ice_log_pairs(a);
    a->selected = a->previous = ICE_NONE;
    a->old.used = false;
    a->early_count = 0;
    a->budget_us = a->nominate_us = RMI_NEVER;
    rmi_ice_set_state(a, RMI_ICE_FAILED, err, reason);
}

void rmi_ice_arm_budget(struct rmi_ice_agent *a, int64_t now_us) {
    if (a->selected != ICE_NONE)
        return;
    a->budget_us = now_us + a->failed_us;
    if (a->state == RMI_ICE_DISCONNECTED) /* restart after restart must not keep alive what nobody answers */
        a->budget_us = rmi_min64(a->budget_us, a->alive_us + ICE_CONSENT_EXPIRY_US + a->failed_us);
    a->budget_extended = false;
}

static bool any_candidate(const struct ice_cand *list, size_t n, bool relay_only) {
    for (size_t i = 0; i < n; i++)
        if (list[i].used && (!relay_only || list[i].type == RMI_CAND_RELAY))
            return true;
    return false;
}

static rm_err why_failed(const struct rmi_ice_agent *a) {
    if (!any_candidate(a->locals, ICE_LOCALS, false))
        return RM_E_ICE_NO_CANDIDATES;
    if (a->state == RMI_ICE_DISCONNECTED)
        return RM_E_ICE_CONSENT; /* it worked once: the paths are not to blame */
    const bool relay =
        any_candidate(a->locals, ICE_LOCALS, true) || any_candidate(a->remotes, RMI_ICE_REMOTE_MAX, true);
    /* Without a single remote candidate a relay would not have helped. */
    return !relay && any_candidate(a->remotes, RMI_ICE_REMOTE_MAX, false) ? RM_E_ICE_NO_RELAY : RM_E_ICE_FAILED;
}

/* RFC 8863: only time decides that no pair works, since a check from the remote side can still bring one. */
static void budget_over(struct rmi_ice_agent *a, int64_t now_us) {
    bool valid = false;
    for (size_t i = 0; i < a->pairs_end; i++)
        valid = valid || (a->pairs[i].used && a->pairs[i].valid);
    if (valid && !a->budget_extended && a->state == RMI_ICE_CHECKING) {
        /* The path works; the controlling side has yet to nominate, and gets as much time again. */
        a->budget_us = now_us + a->failed_us;
        a->budget_extended = true;
        return;
    }
    /* A connection that stood is given up when nobody answers any more, not before: as without a restart. */
    const int64_t until = a->alive_us + ICE_CONSENT_EXPIRY_US;
    if (a->state == RMI_ICE_DISCONNECTED && a->alive_us && now_us < until) {
        a->budget_us = until;
        return;
    }
    a->budget_us = RMI_NEVER;
    if (a->state == RMI_ICE_CONNECTED) { /* a restart that came to nothing; the old pair still works */
        ICE_LOG(a, RM_LOG_WARN, "peer=%s the ice restart found no pair; the old one stays in use", a->name);
        return;
    }
    rmi_ice_fail(a, why_failed(a),
                 a->local_done && a->remote_done ? "no pair works" : "no pair works, candidates incomplete");
}

void rmi_ice_run(struct rmi_ice_agent *a, int64_t now_us) {
    a->due_us = RMI_NEVER;
    if (a->old_drop_us <= now_us)
        rmi_ice_drop_old(a);
    if (a->state == RMI_ICE_CONNECTED || a->state == RMI_ICE_DISCONNECTED)
        rmi_ice_run_consent(a, now_us);
    if (a->budget_us <= now_us)
        budget_over(a, now_us);
    if (a->state == RMI_ICE_NEW || a->state == RMI_ICE_FAILED || a->state == RMI_ICE_CLOSED)
        return;
    if (a->nominate_us <= now_us)
        rmi_ice_consider_nomination(a, now_us);
    rmi_ice_run_checks(a, now_us);
    a->due_us =
        rmi_min64(rmi_min64(a->old_drop_us, a->budget_us), rmi_min64(a->nominate_us, rmi_ice_checks_deadline(a)));
}

void rmi_ice_timeout(struct rmi_ice_agent *a, int64_t now_us) {
    if (a->state != RMI_ICE_CLOSED)
        rmi_ice_run(a, now_us);
}

int64_t rmi_ice_next_deadline(const struct rmi_ice_agent *a) {
    return rmi_min64(a->due_us, rmi_ice_consent_deadline(a));
}
