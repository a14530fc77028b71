/* SPDX-License-Identifier: Apache-2.0 */
/* Peers whose connection failed: they are called again while they are in the room. */
#include "peer/endpoint_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Records kept; beyond that the oldest is forgotten, and with it the attempts. */
#define RECOVERIES_MAX RMI_MESH_PEERS_MAX
/* Both sides call again, so that it takes only one that can; whoever made the last offer goes first by this much, which
 * spares the two most collisions. */
#define OTHER_SIDE_US RMI_SEC(2)

/* From a failure until the peer leaves, says goodbye or is given up. */
struct rmi_ep_recovery {
    struct rmi_list node;
    char id[RMI_PEER_ID_MAX];
    struct rmi_reconnect tries;
    bool down; /* failed, and not connected since */
    bool here; /* in the room, as far as signaling has told */
    int64_t failed_us;
    int64_t due_us; /* of the next offer; RMI_NEVER: one is under way */
};

static struct rmi_ep_recovery *find(const struct rmi_endpoint *ep, const char *peer_id) {
    const struct rmi_list *head = &ep->recoveries;
    for (struct rmi_list *n = head->next; n != head; n = n->next) {
        struct rmi_ep_recovery *r = RMI_CONTAINER_OF(n, struct rmi_ep_recovery, node);
        if (!strcmp(r->id, peer_id))
            return r;
    }
    return NULL;
}

static void forget(struct rmi_endpoint *ep, struct rmi_ep_recovery *r) {
    rmi_list_remove(&r->node);
    ep->recovery_count--;
    free(r);
}

static struct rmi_ep_recovery *add(struct rmi_endpoint *ep, const char *peer_id) {
    struct rmi_ep_recovery *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    if (ep->recovery_count == RECOVERIES_MAX)
        forget(ep, RMI_CONTAINER_OF(ep->recoveries.next, struct rmi_ep_recovery, node));
    snprintf(r->id, sizeof r->id, "%s", peer_id);
    r->due_us = RMI_NEVER;
    rmi_list_push_back(&ep->recoveries, &r->node);
    ep->recovery_count++;
    return r;
}

static void schedule(struct rmi_endpoint *ep, struct rmi_ep_recovery *r, int64_t later_us) {
    const struct rmi_reconnect_policy *policy = &ep->config.reconnect;
    int64_t delay_us;
    if (!rmi_reconnect_next(&r->tries, policy, &ep->config.rng, ep->now_us, &delay_us)) {
        rmi_log(ep->config.log, RMI_LOG_PEER, RM_LOG_WARN, "peer=%s given up after %u attempts", r->id,
                r->tries.attempts);
        forget(ep, r);
        return;
    }
    delay_us += later_us;
    r->due_us = ep->now_us + delay_us;
    const bool open = rmi_reconnect_circuit(&r->tries, ep->now_us) == RMI_CIRCUIT_OPEN;
    if (open)
        rmi_log(ep->config.log, RMI_LOG_PEER, RM_LOG_WARN, "peer=%s circuit open: %u failures in a row", r->id,
                r->tries.failures);
    struct rmi_endpoint_event *ev = rmi_ep_post(ep, RMI_EP_EV_RECONNECTING, r->id);
    if (!ev)
        return;
    ev->attempt = r->tries.attempts;
    ev->duration_us = delay_us;
    snprintf(ev->detail, sizeof ev->detail, "attempt %u of %u%s", r->tries.attempts, policy->max_retries,
             open ? ", after a pause: too many failures in a row" : "");
}

void rmi_ep_recovery_failed(struct rmi_endpoint *ep, const struct rmi_ep_peer *p) {
    if (!ep->config.reconnect.max_retries || ep->closed)
        return;
    struct rmi_ep_recovery *r = find(ep, p->id);
    if (p->left || !rmi_reconnect_is_worth_it(rmi_pc_error(p->pc))) {
        if (r)
            forget(ep, r);
        return;
    }
    if (!r)
        r = add(ep, p->id);
    if (!r)
        return;
    if (!r->down)
        r->failed_us = ep->now_us;
    r->down = r->here = true;
    schedule(ep, r, p->offerer ? 0 : OTHER_SIDE_US);
}

void rmi_ep_recovery_up(struct rmi_endpoint *ep, const struct rmi_ep_peer *p) {
    struct rmi_ep_recovery *r = find(ep, p->id);
    if (!r || !r->down)
        return;
    r->down = false;
    r->due_us = RMI_NEVER;
    rmi_reconnect_up(&r->tries, ep->now_us);
    struct rmi_endpoint_event *ev = rmi_ep_post(ep, RMI_EP_EV_RECOVERED, r->id);
    if (!ev)
        return;
    ev->attempt = r->tries.attempts;
    ev->duration_us = ep->now_us - r->failed_us;
}

void rmi_ep_recovery_begun(struct rmi_endpoint *ep, const char *peer_id) {
    struct rmi_ep_recovery *r = find(ep, peer_id);
    if (r)
        r->due_us = RMI_NEVER;
}

void rmi_ep_recovery_resume(struct rmi_endpoint *ep, const char *peer_id) {
    struct rmi_ep_recovery *r = find(ep, peer_id);
    if (r && r->down)
        r->due_us = ep->now_us;
}

void rmi_ep_recovery_asked(struct rmi_endpoint *ep, const char *peer_id) {
    struct rmi_ep_recovery *r = find(ep, peer_id);
    if (r)
        r->tries = (struct rmi_reconnect){0};
}

bool rmi_ep_recovery_cancel(struct rmi_endpoint *ep, const char *peer_id) {
    struct rmi_ep_recovery *r = find(ep, peer_id);
    if (!r)
        return false;
    bool due = r->due_us != RMI_NEVER;
    forget(ep, r);
    return due;
}

void rmi_ep_recovery_all_away(struct rmi_endpoint *ep) {
    RMI_LIST_FOREACH (node, next, &ep->recoveries) {
        RMI_CONTAINER_OF(node, struct rmi_ep_recovery, node)->here = false;
    }
}

void rmi_ep_recovery_here(struct rmi_endpoint *ep, const char *peer_id) {
    struct rmi_ep_recovery *r = find(ep, peer_id);
    if (r)
        r->here = true;
}

void rmi_ep_recovery_clear(struct rmi_endpoint *ep) {
    while (!rmi_list_empty(&ep->recoveries))
        forget(ep, RMI_CONTAINER_OF(ep->recoveries.next, struct rmi_ep_recovery, node));
}

/* The earliest that can be done now: offers need signaling, and somebody to get them. */
static struct rmi_ep_recovery *earliest(const struct rmi_endpoint *ep) {
    struct rmi_ep_recovery *first = NULL;
    if (rmi_sig_client_state(ep->sig) != RMI_SIG_READY)
        return NULL;
    const struct rmi_list *head = &ep->recoveries;
    for (struct rmi_list *n = head->next; n != head; n = n->next) {
        struct rmi_ep_recovery *r = RMI_CONTAINER_OF(n, struct rmi_ep_recovery, node);
        if (r->here && r->due_us != RMI_NEVER && (!first || r->due_us < first->due_us))
            first = r;
    }
    return first;
}

int64_t rmi_ep_recovery_deadline(const struct rmi_endpoint *ep) {
    const struct rmi_ep_recovery *r = earliest(ep);
    return r ? r->due_us : RMI_NEVER;
}

static void call_again(struct rmi_endpoint *ep, struct rmi_ep_recovery *r) {
    char id[RMI_PEER_ID_MAX];
    memcpy(id, r->id, sizeof id); /* a failure may end the record */
    r->due_us = RMI_NEVER;
    if (rmi_ep_find(ep, id))
        return;
    rmi_log(ep->config.log, RMI_LOG_PEER, RM_LOG_INFO, "peer=%s called again, attempt %u", id, r->tries.attempts);
    rm_err err = rmi_ep_offer_to(ep, id);
    if (err == RM_E_DENIED) { /* not permitted any more */
        forget(ep, r);
        return;
    }
    r = err ? find(ep, id) : NULL;
    if (!r || r->due_us != RMI_NEVER)
        return; /* under way; or it failed as a connection, which has been seen to */
    struct rmi_endpoint_event *ev = rmi_ep_post(ep, RMI_EP_EV_ERROR, id);
    if (ev) {
        ev->err = err;
        snprintf(ev->detail, sizeof ev->detail, "%s", rm_strerror(err));
    }
    schedule(ep, r, 0);
}

void rmi_ep_recovery_run(struct rmi_endpoint *ep) {
    struct rmi_ep_recovery *r;
    while ((r = earliest(ep)) && r->due_us <= ep->now_us)
        call_again(ep, r);
}
