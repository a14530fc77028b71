/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/agent_private.h"

#include <string.h>

void rmi_ice_restart(struct rmi_ice_agent *a, int64_t now_us) {
    if (a->state == RMI_ICE_CLOSED)
        return;
    memset(&a->next, 0, sizeof a->next);
    rmi_rng_ice_chars(&a->rng, a->next.local.ufrag, RMI_ICE_UFRAG_LEN);
    rmi_rng_ice_chars(&a->rng, a->next.local.pwd, RMI_ICE_PWD_LEN);
    a->restart_offered = true;
    a->early_count = 0;
    a->stats.restarts++;
    ICE_LOG(a, RM_LOG_INFO, "peer=%s ice restart", a->name);
    rmi_ice_run(a, now_us);
}

static void keep_generation(struct rmi_ice_agent *a) {
    a->prev = a->cur;
    a->have_prev = true;
    a->old.used = false;
    if (a->selected == ICE_NONE)
        return;
    a->old = a->pairs[a->selected];
    a->old_remote = a->remotes[a->old.remote];
    a->old.old = true;
    a->old.nominating = false;
    a->old.trigger_seq = 0;
}

void rmi_ice_next_generation(struct rmi_ice_agent *a) {
    /* A second restart before the first one came to a pair keeps the pair that still works. */
    if (!a->restart_pending)
        keep_generation(a);
    a->cur = a->next;
    a->restart_offered = false;
    explicit_bzero(&a->next, sizeof a->next);
    rmi_ice_clear_pairs(a);
    memset(a->remotes, 0, sizeof a->remotes);
    a->stats.remote_candidates = 0;
    a->remote_done = false;
    a->restart_pending = true;
    a->old_drop_us = a->budget_us = RMI_NEVER;
}

rm_err rmi_ice_restart_rollback(struct rmi_ice_agent *a, int64_t now_us) {
    if (!a->restart_offered || a->state == RMI_ICE_CLOSED)
        return RM_E_STATE;
    a->restart_offered = false;
    explicit_bzero(&a->next, sizeof a->next);
    a->early_count = 0;
    ICE_LOG(a, RM_LOG_INFO, "peer=%s ice restart rolled back", a->name);
    rmi_ice_run(a, now_us);
    return RM_OK;
}
