/* SPDX-License-Identifier: Apache-2.0 */
/* Who looks at what of a client's session: subscriptions outlive the session, their taps do not. */
#include "webrtc/serve_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 64 /* items of one tap in a turn of the loop: others want their turn, too */

static void on_ready(rm_tap *tap, void *user) {
    struct rmi_serve_tap *t = user;
    (void)tap;
    atomic_store(&t->ready, true);
    rmi_serve_ask(t->peer->serve);
}

static rm_err attach(struct rmi_serve_tap *t, rm_stream_session *session) {
    rm_tap_config c;
    rm_tap_config_init(&c);
    c.media = t->audio;
    c.intercept = t->intercept;
    c.deadline_ms = t->deadline_ms;
    c.on_ready = on_ready;
    c.user = t;
    snprintf(t->session_id, sizeof t->session_id, "%s", rm_stream_session_id(session));
    return strcmp(t->topic, RMI_SERVE_SYSTEM) ? rm_stream_session_tap(session, t->topic, &c, &t->tap) : RM_OK;
}

rm_err rmi_serve_tap_add(struct rmi_serve_peer *p, const struct rmi_serve_tap *wanted, rm_stream_session *session,
                         struct rmi_serve_tap **out) {
    if (p->tap_count >= RMI_SERVE_TAPS_MAX)
        return RM_E_LIMIT;
    struct rmi_serve_tap *t = calloc(1, sizeof *t);
    if (!t)
        return RM_E_NO_MEMORY;
    *t = *wanted;
    t->peer = p;
    t->number = ++p->serve->last_tap;
    atomic_init(&t->ready, false);
    rm_err err = session ? attach(t, session) : RM_OK;
    if (err) {
        free(t);
        return err;
    }
    rmi_list_push_back(&p->taps, &t->node);
    p->tap_count++;
    *out = t;
    return RM_OK;
}

void rmi_serve_tap_remove(struct rmi_serve_tap *t) {
    rm_tap_destroy(&t->before);
    rm_tap_destroy(&t->tap);
    rmi_list_remove(&t->node);
    t->peer->tap_count--;
    free(t);
}

struct rmi_serve_tap *rmi_serve_tap_find(struct rmi_serve_peer *p, const struct rmi_serve_channel *c, const char *topic,
                                         bool intercept) {
    RMI_LIST_FOREACH (node, next, &p->taps) {
        struct rmi_serve_tap *t = RMI_CONTAINER_OF(node, struct rmi_serve_tap, node);
        if (t->channel == c && t->intercept == intercept && !strcmp(t->topic, topic))
            return t;
    }
    return NULL;
}

void rmi_serve_taps_end(struct rmi_serve_peer *p, const struct rmi_serve_channel *c) {
    RMI_LIST_FOREACH (node, next, &p->taps) {
        struct rmi_serve_tap *t = RMI_CONTAINER_OF(node, struct rmi_serve_tap, node);
        if (t->channel == c)
            rmi_serve_tap_remove(t);
    }
}

void rmi_serve_taps_follow(struct rmi_serve_peer *p, rm_stream_session *session) {
    RMI_LIST_FOREACH (node, next, &p->taps) {
        struct rmi_serve_tap *t = RMI_CONTAINER_OF(node, struct rmi_serve_tap, node);
        if (t->channel || !strcmp(t->session_id, rm_stream_session_id(session)))
            continue; /* a channel's ends with its session */
        if (t->tap) { /* the session before still puts out what it has */
            rm_tap_destroy(&t->before);
            t->before = t->tap;
            t->tap = NULL;
        }
        const rm_err err = attach(t, session);
        if (err && err != RM_E_CLOSED)
            rmi_log(p->serve->t->log, RMI_LOG_APP, RM_LOG_WARN, "peer=%s subscription %s not taken up: %s", p->id,
                    t->topic, rm_strerror(err));
    }
}

void rmi_serve_taps_attach(struct rmi_serve_peer *p) {
    struct rmi_serve_session held;
    rm_stream_session *session = rmi_serve_hold(p->serve, p->id, &held);
    if (!session)
        return;
    rmi_serve_taps_follow(p, session);
    rmi_serve_release(&held);
}

/* False: its session has ended. */
static bool drain(struct rmi_serve_tap *t, rm_tap *tap) {
    rm_err err = RM_OK;
    for (int i = 0; i < BATCH && !err; i++) {
        rm_tap_item item;
        err = rm_tap_recv(tap, &item, 0);
        if (err)
            break;
        if (t->channel)
            rmi_serve_frame_item(t, &item);
        else
            rmi_serve_rpc_item(t, &item);
        rm_tap_item_clear(&item);
    }
    if (!err)
        on_ready(tap, t); /* there may be more */
    return err != RM_E_CLOSED;
}

void rmi_serve_taps_drain(struct rmi_serve_peer *p) {
    for (struct rmi_list *node = p->taps.next; node != &p->taps;) {
        struct rmi_serve_tap *t = RMI_CONTAINER_OF(node, struct rmi_serve_tap, node);
        node = node->next;
        if (!atomic_exchange(&t->ready, false))
            continue;
        if (t->before && !drain(t, t->before))
            rm_tap_destroy(&t->before);
        if (!t->tap || drain(t, t->tap))
            continue;
        rm_tap_destroy(&t->tap);
        if (t->channel) {
            rmi_serve_frame_closed(t->channel); /* with all that it looked at */
            node = p->taps.next;
        } else {
            rmi_serve_taps_attach(p); /* the next session may be there already */
        }
    }
}
