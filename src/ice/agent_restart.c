/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/agent_private.h"

#include <string.h>

static void keep_generation(struct rmi_ice_agent *a) {
    a->prev = a->cur;
    a->have_prev = true;
    memcpy(a->prev_remotes, a->remotes, sizeof a->prev_remotes);
    a->state_before_restart = a->state;
    a->old.used = false;
    if (a->selected == ICE_NONE)
        return;
    a->old = a->pairs[a->selected];
    a->old_remote = a->remotes[a->old.remote];
    a->old.old = true;
    a->old.nominating = false;
    a->old.trigger_seq = 0;
}

void rmi_ice_restart(struct rmi_ice_agent *a, int64_t now_us) {
    if (a->state == RMI_ICE_CLOSED)
        return;
    /* A second restart before the first one came to a pair keeps the pair that still works. */
    if (!a->restart_pending)
        keep_generation(a);
    a->rollback_lost = a->restart_pending && a->remote_changed;
    memset(&a->cur, 0, sizeof a->cur);
    rmi_rng_ice_chars(&a->rng, a->cur.local.ufrag, RMI_ICE_UFRAG_LEN);
    rmi_rng_ice_chars(&a->rng, a->cur.local.pwd, RMI_ICE_PWD_LEN);
    rmi_ice_clear_pairs(a);
    memset(a->remotes, 0, sizeof a->remotes);
    a->stats.remote_candidates = 0;
    a->early_count = 0;
    a->remote_done = false;
    a->restart_pending = true;
    a->remote_changed = false;
    a->old_drop_us = a->budget_us = RMI_NEVER;
    a->stats.restarts++;
    ICE_LOG(a, RM_LOG_INFO, "peer=%s ice restart", a->name);
    if (a->state == RMI_ICE_FAILED)
        rmi_ice_set_state(a, RMI_ICE_CHECKING, RM_OK, "restart");
    rmi_ice_run(a, now_us);
}

/* The old pair takes its place in the list made anew. */
static void reinstate(struct rmi_ice_agent *a) {
    const struct ice_cand *local = rmi_ice_find_base(a, a->old.base);
    const struct ice_cand *remote = rmi_ice_find_remote(a, &a->old_remote.addr);
    struct ice_pair *p = rmi_ice_find_pair(a, a->old.base, &a->old.to);
    if (!p && local && remote)
        p = rmi_ice_make_pair(a, local, remote);
    if (!p)
        return;
    const uint8_t l = p->local;
    const uint8_t r = p->remote;
    const uint64_t priority = p->priority;
    *p = a->old;
    p->old = false;
    p->local = l;
    p->remote = r;
    p->priority = priority;
    a->selected = (int)(p - a->pairs);
}

rm_err rmi_ice_restart_rollback(struct rmi_ice_agent *a, int64_t now_us) {
    if (!a->restart_pending || a->remote_changed || a->rollback_lost || a->state == RMI_ICE_CLOSED)
        return RM_E_STATE;
    a->cur = a->prev;
    a->restart_pending = false;
    memcpy(a->remotes, a->prev_remotes, sizeof a->remotes);
    a->stats.remote_candidates = 0;
    for (size_t i = 0; i < RMI_ICE_REMOTE_MAX; i++)
        if (a->remotes[i].used) {
            a->stats.remote_candidates++;
            rmi_ice_pair_remote(a, &a->remotes[i]);
        }
    if (a->old.used)
        reinstate(a);
    rmi_ice_drop_old(a);
    a->early_count = 0;
    ICE_LOG(a, RM_LOG_INFO, "peer=%s ice restart rolled back", a->name);
    if (a->state_before_restart == RMI_ICE_FAILED && a->state == RMI_ICE_CHECKING)
        rmi_ice_fail(a, RM_E_ICE_FAILED, "restart rolled back");
    else if (a->cur.remote_set)
        rmi_ice_arm_budget(a, now_us); /* does nothing while a pair is selected */
    rmi_ice_run(a, now_us);
    return RM_OK;
}
