/* SPDX-License-Identifier: Apache-2.0 */
/* Candidates that overtook the offer they belong to: kept for it, a few and not for long. */
#include "peer/endpoint_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of all peers together, as anybody in the room can send them: a mesh of ten that starts at once has a few from each.
 */
#define EARLY_MAX 64
/* What is later than this is not about the same offer. */
#define EARLY_US RMI_SEC(10)

struct early {
    struct rmi_list node;
    char id[RMI_PEER_ID_MAX];
    int64_t at_us;
    char text[]; /* NUL-terminated */
};

static void forget(struct rmi_endpoint *ep, struct early *e) {
    rmi_list_remove(&e->node);
    ep->early_count--;
    free(e);
}

void rmi_ep_early_keep(struct rmi_endpoint *ep, const char *peer_id, const char *text) {
    const size_t len = strlen(text);
    if (!len || len >= RMI_CAND_TEXT_MAX || ep->closed || ep->peer_count >= ep->config.max_peers ||
        !rmi_access_permits(&ep->access, peer_id))
        return; /* the end of candidates is no news before their beginning */
    struct early *e = malloc(sizeof *e + len + 1);
    if (!e)
        return;
    snprintf(e->id, sizeof e->id, "%s", peer_id);
    e->at_us = ep->now_us;
    memcpy(e->text, text, len + 1);
    if (ep->early_count == EARLY_MAX)
        forget(ep, RMI_CONTAINER_OF(ep->early.next, struct early, node));
    rmi_list_push_back(&ep->early, &e->node);
    ep->early_count++;
}

void rmi_ep_early_take(struct rmi_endpoint *ep, struct rmi_ep_peer *p) {
    RMI_LIST_FOREACH (node, next, &ep->early) {
        struct early *e = RMI_CONTAINER_OF(node, struct early, node);
        const bool fresh = ep->now_us - e->at_us <= EARLY_US;
        const bool theirs = !strcmp(e->id, p->id);
        if (fresh && theirs)
            rmi_pc_remote_candidate(p->pc, ep->now_us, e->text, strlen(e->text)); /* waits there for the offer */
        if (!fresh || theirs)
            forget(ep, e);
    }
}

void rmi_ep_early_clear(struct rmi_endpoint *ep) {
    while (!rmi_list_empty(&ep->early))
        forget(ep, RMI_CONTAINER_OF(ep->early.next, struct early, node));
}
