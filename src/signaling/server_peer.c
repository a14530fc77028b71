/* SPDX-License-Identifier: Apache-2.0 */
/* The server's own peer: offers to it are answered in the result of their request. */
#include "server_private.h"

#include "base/err.h"
#include <stdlib.h>
#include <string.h>

#define EARLY_MAX 64 /* candidates before the first offer; a browser with ten addresses gathers about forty */

bool rmi_sig_server_has_own(const struct rmi_sig_server *s) {
    return s->own_id[0] != '\0';
}

struct conn *rmi_sig_server_anywhere(const struct rmi_sig_server *s, const char *peer_id) {
    RMI_LIST_FOREACH (at, next, &s->rooms) {
        struct conn *c = rmi_sig_server_member(RMI_CONTAINER_OF(at, struct room, node), peer_id);
        if (c)
            return c;
    }
    return NULL;
}

struct conn *rmi_sig_server_target(const struct rmi_sig_server *s, const struct conn *from, const char *peer_id) {
    if (from->own)
        return rmi_sig_server_anywhere(s, peer_id);
    if (s->own && s->own->room && strcmp(peer_id, s->own_id) == 0)
        return s->own;
    return rmi_sig_server_member(from->room, peer_id);
}

static void settle(struct conn *c) {
    json_decref(c->offer_id);
    c->offer_id = NULL;
    c->offer_waits = false;
    c->offer_until_us = RMI_NEVER;
}

static void refuse(struct rmi_sig_server *s, struct conn *c, int code, const char *message, const char *reason) {
    size_t len = 0;
    json_t *data = reason ? json_pack("{s:s}", "reason", reason) : NULL;
    char *text = rmi_rpc_write_error(c->offer_id, code, message, data, &len);
    settle(c);
    s->stats.errors++;
    rmi_sig_server_say(s, c, text, len);
}

void rmi_sig_server_hold_offer(struct rmi_sig_server *s, int64_t now_us, struct conn *c, json_t *id) {
    if (c->offer_waits)
        refuse(s, c, RMI_RPC_NEGOTIATION_IN_PROGRESS, "a newer offer took the place of this one", NULL);
    c->offered = c->offer_waits = true;
    c->offer_id = json_incref(id);
    c->offer_number = s->own_sent; /* it was the last */
    c->offer_until_us = now_us + s->config.mode.answer_timeout_us;
    s->deadline = rmi_min64(s->deadline, c->offer_until_us);
    for (size_t i = 0; i < json_array_size(c->early) && s->own; i++)
        rmi_sig_server_notify(s, s->own, RMI_SIG_M_CANDIDATE, json_incref(json_array_get(c->early, i)));
    json_decref(c->early);
    c->early = NULL;
}

/* What the own peer says now was written before it saw the offer that waits. */
static bool is_older(const struct rmi_sig_server *s, const struct conn *c) {
    return s->own_took < c->offer_number;
}

bool rmi_sig_server_answer_offer(struct rmi_sig_server *s, struct conn *c, const char *sdp) {
    if (!c->offer_waits || is_older(s, c))
        return c->offer_waits;
    size_t len = 0;
    json_t *result =
        json_pack("{s:s, s:s, s:s, s:s}", "type", "answer", "sdp", sdp, "from", s->own_id, "to", c->peer_id);
    char *text = rmi_rpc_write_result(c->offer_id, result, &len);
    settle(c);
    rmi_sig_server_say(s, c, text, len);
    return true;
}

bool rmi_sig_server_refuse_offer(struct rmi_sig_server *s, struct conn *c, const char *reason) {
    if (!c->offer_waits || is_older(s, c))
        return c->offer_waits;
    const rm_err err = rmi_err_by_name(reason, RM_E_INTERNAL);
    const int code = err == RM_E_LIMIT                            ? RMI_RPC_SESSION_LIMIT
                     : err == RM_E_SDP || err == RM_E_SDP_PROFILE ? RMI_RPC_OFFER_INVALID
                                                                  : rmi_rpc_code_of_err(err);
    refuse(s, c, code, rm_strerror(err), reason);
    return true;
}

void rmi_sig_server_expire_offer(struct rmi_sig_server *s, int64_t now_us, struct conn *c) {
    if (c->offer_waits && now_us >= c->offer_until_us)
        refuse(s, c, RMI_RPC_CONNECTION_TIMEOUT, "no answer in time", NULL);
}

void rmi_sig_server_hold_candidate(struct conn *c, json_t *params) {
    if (!c->early)
        c->early = json_array();
    if (json_array_size(c->early) >= EARLY_MAX)
        json_decref(params);
    else
        json_array_append_new(c->early, params); /* takes it, also on failure */
}
