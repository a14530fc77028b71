/* SPDX-License-Identifier: Apache-2.0 */
/* Connections whose path fell silent: ICE restarts through signaling while consent lives. The old path is asked all the
 * while, so that a short outage heals by itself; DTLS, SRTP and SCTP know nothing of it. */
#include "peer/endpoint_private.h"

#include <stdio.h>
#include <string.h>

/* Once more when a restart came to nothing: an offer, its answer and a check of every pair take less on paths worth
 * having. Up to a quarter more, against collisions. */
#define RESTART_AGAIN_US RMI_SEC(8)
#define JITTER_PART 4
/* ... and once more so soon when the first one was made on mere doubt. */
#define RESTART_SOON_US RMI_SEC(3)
/* Later ones would only prolong the wait of those whom nobody answers any more: consent ends it 30 s after the last
 * answer, that is up to 28 s after the loss was noticed, and checks of a restart take 9.5 s. */
#define RESTARTS_FOR_US RMI_SEC(16)
/* Gone from the room, and silent: dead, or about to be back on another network, which takes a signaling reconnect. */
#define LEFT_GRACE_US RMI_SEC(3)
/* While a path is lost servers are asked this often for our address as they see it: a NAT may have forgotten us. */
#define REFRESH_US RMI_SEC(1)
/* A receipt of the signaling server takes less. */
#define MUTE_US RMI_SEC(1)

static void refresh(struct rmi_endpoint *ep) {
    if (ep->now_us < ep->refreshed_us + REFRESH_US)
        return;
    ep->refreshed_us = ep->now_us;
    rmi_gather_refresh(ep->gather, ep->now_us);
}

/* A restart costs a few messages and nothing else: it may turn out needless, but not come late. */
void rmi_ep_path_doubted(struct rmi_endpoint *ep, struct rmi_ep_peer *p) {
    refresh(ep);
    if (!ep->closed && (!p->restarted_us || ep->now_us >= p->restarted_us + RESTART_AGAIN_US))
        p->restart_us = ep->now_us;
}

void rmi_ep_path_lost(struct rmi_endpoint *ep, struct rmi_ep_peer *p) {
    if (ep->closed)
        return;
    if (!p->lost_us)
        p->lost_us = ep->now_us;
    p->restarts = 0;
    p->restart_us = p->restarted_us ? rmi_max64(ep->now_us, p->restarted_us + RESTART_SOON_US) : ep->now_us;
    refresh(ep);
    struct rmi_endpoint_event *ev = rmi_ep_post(ep, RMI_EP_EV_RECONNECTING, p->id);
    if (ev)
        snprintf(ev->detail, sizeof ev->detail, "the path is silent: ICE restart");
}

void rmi_ep_path_back(struct rmi_endpoint *ep, struct rmi_ep_peer *p) {
    if (!p->lost_us)
        return;
    struct rmi_endpoint_event *ev = rmi_ep_post(ep, RMI_EP_EV_RECOVERED, p->id);
    if (ev)
        ev->duration_us = ep->now_us - p->lost_us;
    p->lost_us = 0;
    p->restart_us = RMI_NEVER;
    rmi_ep_path_network_back(ep);
    if (p->rtp)
        rmi_rtp_session_ask_key(p->rtp, ep->now_us); /* what came in between is gone for good */
    if (p->sctp)
        rmi_sctp_path_back(p->sctp, ep->now_us);
}

/* A connection to the server that is only being made, or that a restart's offer was written to without so much as a
 * receipt, may wait long for its next packet: the system doubles that time. */
static bool signaling_waits(const struct rmi_endpoint *ep) {
    struct rmi_sig_client_stats sig;
    rmi_sig_client_stats(ep->sig, &sig);
    if (rmi_sig_client_state(ep->sig) != RMI_SIG_READY)
        return true;
    const struct rmi_list *head = &ep->peers;
    for (const struct rmi_list *n = head->next; n != head; n = n->next) {
        const struct rmi_ep_peer *p = RMI_CONTAINER_OF(n, struct rmi_ep_peer, node);
        if (rmi_pc_offer_outstanding(p->pc) && p->restarted_us && p->heard == sig.messages_in &&
            ep->now_us >= p->restarted_us + MUTE_US)
            return true;
    }
    return false;
}

void rmi_ep_path_network_back(struct rmi_endpoint *ep) {
    if (!ep->closed && signaling_waits(ep))
        rmi_sig_client_renew(ep->sig, ep->now_us, "the network is back");
}

void rmi_ep_path_retry(struct rmi_endpoint *ep, struct rmi_ep_peer *p) {
    if (p->lost_us)
        p->restart_us = ep->now_us;
}

static int64_t gone_us(const struct rmi_ep_peer *p) {
    return p->left && p->lost_us ? rmi_max64(p->left_us, p->lost_us) + LEFT_GRACE_US : RMI_NEVER;
}

/* An offer needs signaling, and somebody to get it. */
static int64_t restart_due_us(const struct rmi_endpoint *ep, const struct rmi_ep_peer *p) {
    return !p->left && rmi_sig_client_state(ep->sig) == RMI_SIG_READY ? p->restart_us : RMI_NEVER;
}

int64_t rmi_ep_path_deadline(const struct rmi_endpoint *ep, const struct rmi_ep_peer *p) {
    const int64_t refresh_us = p->lost_us ? ep->refreshed_us + REFRESH_US : RMI_NEVER;
    return rmi_min64(refresh_us, rmi_min64(gone_us(p), restart_due_us(ep, p)));
}

static void restart(struct rmi_endpoint *ep, struct rmi_ep_peer *p) {
    struct rmi_sig_client_stats sig;
    rmi_sig_client_stats(ep->sig, &sig);
    const bool mute = p->restarts > 0 && sig.messages_in == p->heard; /* not even a receipt for the last offer */
    const int64_t again_us = ep->now_us + RESTART_AGAIN_US +
                             (int64_t)rmi_rng_range(&ep->config.rng, 0, (uint64_t)(RESTART_AGAIN_US / JITTER_PART));
    p->restarted_us = ep->now_us;
    p->restart_us = p->lost_us && again_us - p->lost_us <= RESTARTS_FOR_US ? again_us : RMI_NEVER;
    p->heard = sig.messages_in;
    if (rmi_pc_offer_outstanding(p->pc))
        rmi_pc_offer_lost(p->pc, ep->now_us);
    if (mute) {
        p->restarts = 0;
        rmi_sig_client_renew(ep->sig, ep->now_us, "the server does not answer"); /* announced, it goes on */
        return;
    }
    if (!rmi_pc_restart_ice(p->pc, ep->now_us))
        p->restarts++;
}

void rmi_ep_path_run(struct rmi_endpoint *ep, struct rmi_ep_peer *p) {
    if (p->lost_us)
        refresh(ep);
    if (gone_us(p) <= ep->now_us)
        rmi_pc_close(p->pc, ep->now_us);
    else if (restart_due_us(ep, p) <= ep->now_us)
        restart(ep, p);
}

void rmi_endpoint_network_changed(struct rmi_endpoint *ep, int64_t now_us, bool signaling_moved) {
    ep->now_us = now_us;
    if (ep->closed)
        return;
    refresh(ep);
    RMI_LIST_FOREACH (node, next, &ep->peers) {
        rmi_ep_path_retry(ep, RMI_CONTAINER_OF(node, struct rmi_ep_peer, node));
    }
    if (signaling_moved)
        rmi_sig_client_renew(ep->sig, now_us, "the address of the connection is gone");
    else
        rmi_ep_path_network_back(ep);
    rmi_ep_settle(ep);
}
