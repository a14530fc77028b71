/* SPDX-License-Identifier: Apache-2.0 */
/* Shared sessions: their life, members and routes (webrtc_session.h). */
#include "webrtc/session_private.h"

#include "io/random.h"
#include "signaling/dialect.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void rm_webrtc_session_config_init(rm_webrtc_session_config *config) {
    *config = (rm_webrtc_session_config){.struct_size = (uint32_t)sizeof *config,
                                         .policy = RM_ROUTING_BROADCAST,
                                         .auto_peers = true,
                                         .take_audio = true,
                                         .take_video = true};
}

void rmi_session_hold(rm_webrtc_session *s) {
    atomic_fetch_add(&s->refs, 1);
}

static void free_session(rm_webrtc_session *s) {
    struct rmi_media *m = s->media;
    for (size_t i = 0; i < s->member_count; i++)
        free(s->members[i]);
    free(s->members);
    free(s->streams); /* none is left */
    rm_session_router_destroy(&s->router);
    if (s->stream)
        rmi_session_unref(s->stream);
    pthread_cond_destroy(&s->left);
    pthread_mutex_destroy(&s->mutex);
    free(s);
    pthread_mutex_lock(&m->mutex);
    m->sessions.live--;
    pthread_cond_broadcast(&m->ended);
    pthread_mutex_unlock(&m->mutex);
}

void rmi_session_release(rm_webrtc_session *s) {
    if (atomic_fetch_sub(&s->refs, 1) == 1)
        free_session(s);
}

/* ---- members ---- */

struct rmi_session_member *rmi_session_find_member(rm_webrtc_session *s, const char *peer_id) {
    for (size_t i = 0; i < s->member_count; i++)
        if (!strcmp(s->members[i]->id, peer_id))
            return s->members[i];
    return NULL;
}

/* Known to the router, and away. */
static rm_err let_know(rm_webrtc_session *s, const char *peer_id) {
    const rm_err err = rm_session_router_add_peer(s->router, peer_id, NULL);
    return err ? err : rm_session_router_leave_peer(s->router, peer_id);
}

rm_err rmi_session_new_member(rm_webrtc_session *s, const char *peer_id, bool added, struct rmi_session_member **out) {
    struct rmi_session_member **members = realloc(s->members, (s->member_count + 1) * sizeof *members);
    if (!members)
        return RM_E_NO_MEMORY;
    s->members = members;
    struct rmi_session_member *member = calloc(1, sizeof *member);
    const rm_err err = member ? let_know(s, peer_id) : RM_E_NO_MEMORY;
    if (err) {
        free(member);
        return err;
    }
    memcpy(member->id, peer_id, strlen(peer_id) + 1);
    member->added = added;
    s->members[s->member_count++] = member;
    if (out)
        *out = member;
    return RM_OK;
}

void rmi_session_drop_member(rm_webrtc_session *s, const char *peer_id) {
    rm_session_router_remove_peer(s->router, peer_id);
    for (size_t i = 0; i < s->member_count; i++)
        if (!strcmp(s->members[i]->id, peer_id)) {
            free(s->members[i]);
            s->members[i] = s->members[--s->member_count];
            return;
        }
}

rm_err rm_webrtc_session_add_peer(rm_webrtc_session *session, const char *peer_id) {
    if (!session || !peer_id || !rmi_sig_id_valid(peer_id))
        return RM_E_INVALID_ARG;
    struct rmi_media_peer *p = rmi_media_find(session->media, peer_id);
    pthread_mutex_lock(&session->mutex);
    struct rmi_session_member *member = rmi_session_find_member(session, peer_id);
    rm_err err = RM_OK;
    if (member && member->added)
        err = RM_E_EXISTS;
    else if (member)
        member->added = true;
    else
        err = rmi_session_new_member(session, peer_id, true, NULL);
    if (!err && p) /* one that has just gone is closing already */
        rmi_session_connect(session, p);
    pthread_mutex_unlock(&session->mutex);
    if (p)
        rmi_media_peer_unref(p);
    return err;
}

rm_err rm_webrtc_session_remove_peer(rm_webrtc_session *session, const char *peer_id) {
    rm_router_peer known;
    rm_err err = RM_E_NOT_FOUND;
    if (!session || !peer_id)
        return RM_E_INVALID_ARG;
    pthread_mutex_lock(&session->mutex);
    struct rmi_session_member *member = rmi_session_find_member(session, peer_id);
    if (member)
        rmi_session_disconnect(session, member);
    for (size_t i = 0; err && !rm_session_router_peer(session->router, i, &known); i++)
        err = strcmp(known.peer_id, peer_id) ? RM_E_NOT_FOUND : RM_OK;
    rmi_session_drop_member(session, peer_id);
    pthread_mutex_unlock(&session->mutex);
    return err;
}

rm_err rm_webrtc_session_peers(rm_webrtc_session *session, rm_session_peer *out, size_t cap, size_t *count) {
    rm_router_peer p;
    if (!session || !count || (cap && !out))
        return RM_E_INVALID_ARG;
    pthread_mutex_lock(&session->mutex);
    for (*count = 0; !rm_session_router_peer(session->router, *count, &p); (*count)++) {
        if (*count >= cap)
            continue;
        rm_session_peer *to = &out[*count];
        *to = (rm_session_peer){.connected = p.present, .sent = p.sent, .failed = p.failed};
        snprintf(to->peer_id, sizeof to->peer_id, "%s", p.peer_id);
    }
    pthread_mutex_unlock(&session->mutex);
    return RM_OK;
}

/* ---- making and ending ---- */

/* Not one open session has this id, and there is room: it is among them from now on. */
static rm_err enlist(rm_webrtc_session *s) {
    struct rmi_media *m = s->media;
    rm_err err = RM_OK;
    pthread_mutex_lock(&m->mutex);
    RMI_LIST_FOREACH (node, next, &m->sessions.open) {
        if (!strcmp(RMI_CONTAINER_OF(node, rm_webrtc_session, node)->id, s->id))
            err = RM_E_EXISTS;
    }
    if (m->stopped)
        err = RM_E_CLOSED;
    else if (!err && m->sessions.count == RM_WEBRTC_SESSIONS_MAX)
        err = RM_E_LIMIT;
    if (!err) {
        rmi_list_push_back(&m->sessions.open, &s->node);
        m->sessions.count++;
        for (int k = 0; k < RMI_RTP_KINDS; k++)
            atomic_fetch_add(&m->sessions.takers[k], s->take[k]);
    }
    pthread_mutex_unlock(&m->mutex);
    return err;
}

static void delist(rm_webrtc_session *s) {
    struct rmi_media *m = s->media;
    pthread_mutex_lock(&m->mutex);
    if (s->node.next) {
        rmi_list_remove(&s->node);
        m->sessions.count--;
        for (int k = 0; k < RMI_RTP_KINDS; k++)
            atomic_fetch_sub(&m->sessions.takers[k], s->take[k]);
    }
    pthread_mutex_unlock(&m->mutex);
}

/* The peers that are connected already. Others come by rmi_sessions_peer_up, which knows the session by now. */
static void take_members(rm_webrtc_session *s) {
    struct rmi_media *m = s->media;
    struct rmi_media_peer *peers[RM_PEERS_MAX];
    size_t count = 0;
    pthread_mutex_lock(&m->mutex);
    RMI_LIST_FOREACH (node, next, &m->peers) {
        if (count < RM_PEERS_MAX)
            peers[count++] = rmi_media_peer_ref(RMI_CONTAINER_OF(node, struct rmi_media_peer, node));
    }
    pthread_mutex_unlock(&m->mutex);
    for (size_t i = 0; i < count; i++) {
        pthread_mutex_lock(&s->mutex);
        rmi_session_connect(s, peers[i]);
        pthread_mutex_unlock(&s->mutex);
        rmi_media_peer_unref(peers[i]);
    }
}

static void disband(rm_webrtc_session *s) {
    pthread_mutex_lock(&s->mutex);
    for (size_t i = 0; i < s->member_count; i++)
        rmi_session_disconnect(s, s->members[i]);
    rmi_session_end_streams(s, NULL);
    pthread_mutex_unlock(&s->mutex);
}

void rm_webrtc_destroy_session(rm_webrtc_session **session) {
    rm_webrtc_session *s = session ? *session : NULL;
    if (!s)
        return;
    *session = NULL;
    delist(s);
    atomic_store(&s->closing, true);
    disband(s);
    rm_stream_session *stream = s->stream; /* s->stream stays for those who are handing something over */
    rm_stream_session_destroy(&stream);
    rmi_session_await_calls(s);
    rmi_session_release(s);
}

static rm_err fail(rm_err err, char *detail, size_t size, const char *format, ...) RM_PRINTF(4, 5);
static rm_err fail(rm_err err, char *detail, size_t size, const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (detail && size)
        vsnprintf(detail, size, format, args);
    va_end(args);
    return err;
}

static rm_err check(const rm_webrtc_session_config *c, const char *id, char *detail, size_t size) {
    if (c->struct_size != sizeof *c)
        return fail(RM_E_CONFIG, detail, size, "struct_size: call rm_webrtc_session_config_init first");
    if (!c->manifest)
        return fail(RM_E_CONFIG, detail, size, "manifest: a session needs one (rm_manifest_load)");
    if (id && !rmi_sig_id_valid(id))
        return fail(RM_E_CONFIG, detail, size, "session_id: 1 to 64 characters of A-Z a-z 0-9 _ -");
    if (c->policy < RM_ROUTING_UNICAST || c->policy > RM_ROUTING_SELECTIVE)
        return fail(RM_E_CONFIG, detail, size, "policy: none of rm_routing_policy");
    return RM_OK;
}

/* An empty session without a pipeline. */
static rm_err allocate(rm_webrtc *t, const rm_webrtc_session_config *c, const char *id, rm_webrtc_session **out) {
    rm_webrtc_session *s = calloc(1, sizeof *s);
    if (!s)
        return RM_E_NO_MEMORY;
    s->media = t->media;
    atomic_init(&s->refs, 1);
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->left, NULL);
    rmi_list_init(&s->calls);
    s->take[RMI_RTP_AUDIO] = c->take_audio;
    s->take[RMI_RTP_VIDEO] = c->take_video;
    s->echo = c->echo;
    s->listeners = c->listeners;
    s->auto_peers = c->auto_peers;
    s->on_output = c->on_output;
    s->user = c->user;
    if (id) {
        snprintf(s->id, sizeof s->id, "%s", id);
    } else {
        struct rmi_rng rng = rmi_system_rng();
        char uuid[37];
        rmi_rng_uuid(&rng, uuid);
        snprintf(s->id, sizeof s->id, "%s", uuid);
    }
    pthread_mutex_lock(&s->media->mutex);
    s->media->sessions.live++;
    pthread_mutex_unlock(&s->media->mutex);
    *out = s;
    return RM_OK;
}

static rm_err open_stream(rm_webrtc_session *s, const rm_webrtc_session_config *c, char *detail, size_t size) {
    rm_pipeline_runner_config rc;
    rm_stream_session_config sc;
    rm_pipeline_runner *runner = NULL;
    rm_pipeline_runner_config_init(&rc);
    rm_stream_session_config_init(&sc);
    rc.registry = c->registry;
    sc.on_node_output = rmi_session_on_output;
    sc.on_event = rmi_session_on_event;
    sc.user = s;
    rm_err err = rm_pipeline_runner_create(&rc, &runner);
    if (!err)
        err = rm_pipeline_runner_create_stream_session(runner, c->manifest, &sc, &s->stream, detail, size);
    if (!err)
        rmi_session_ref(s->stream);
    rm_pipeline_runner_destroy(&runner); /* the session keeps what it needs */
    return err;
}

/* Created, or restored from a snapshot, of which the router and the members are taken. */
static rm_err make(rm_webrtc *t, const rm_webrtc_session_config *c, struct rmi_session_snapshot *snapshot,
                   rm_webrtc_session **out, char *detail, size_t size) {
    const char *id = c->session_id || !snapshot ? c->session_id : rmi_session_snapshot_id(snapshot);
    rm_webrtc_session *s = NULL;
    rm_err err = check(c, id, detail, size);
    if (!err)
        err = allocate(t, c, id, &s);
    if (err)
        return err;
    err = snapshot ? rmi_session_apply(s, snapshot) : rm_session_router_create(c->policy, &s->router);
    if (!err)
        err = open_stream(s, c, detail, size);
    if (!err)
        err = enlist(s);
    if (err) {
        rm_webrtc_destroy_session(&s);
        return err;
    }
    take_members(s);
    *out = s;
    return RM_OK;
}

rm_err rm_webrtc_create_session(rm_webrtc *t, const rm_webrtc_session_config *config, rm_webrtc_session **out,
                                char *detail, size_t detail_size) {
    if (!t || !config || !out)
        return RM_E_INVALID_ARG;
    fail(RM_OK, detail, detail_size, "%s", "");
    return make(t, config, NULL, out, detail, detail_size);
}

rm_err rm_webrtc_restore_session(rm_webrtc *t, const rm_webrtc_session_config *config, const char *text, size_t size,
                                 rm_webrtc_session **out, char *detail, size_t detail_size) {
    struct rmi_session_snapshot snapshot = {0};
    if (!t || !config || !text || !out)
        return RM_E_INVALID_ARG;
    fail(RM_OK, detail, detail_size, "%s", "");
    rm_err err = rmi_session_read(text, size, &snapshot, detail, detail_size);
    if (!err)
        err = make(t, config, &snapshot, out, detail, detail_size);
    rmi_session_snapshot_fini(&snapshot);
    return err;
}

void rmi_sessions_init(struct rmi_media_sessions *s) {
    rmi_list_init(&s->open);
    pthread_mutex_init(&s->choice_mutex, NULL);
}

void rmi_sessions_fini(struct rmi_media *m) {
    for (;;) {
        pthread_mutex_lock(&m->mutex);
        struct rmi_list *node = rmi_list_empty(&m->sessions.open) ? NULL : m->sessions.open.next;
        pthread_mutex_unlock(&m->mutex);
        if (!node)
            break;
        rm_webrtc_session *s = RMI_CONTAINER_OF(node, rm_webrtc_session, node);
        rm_webrtc_destroy_session(&s);
    }
    pthread_mutex_lock(&m->mutex);
    while (m->sessions.live > 0) /* a callback that is to return */
        pthread_cond_wait(&m->ended, &m->mutex);
    pthread_mutex_unlock(&m->mutex);
    pthread_mutex_destroy(&m->sessions.choice_mutex);
}

/* ---- looking for one ---- */

rm_webrtc_session *rm_webrtc_get_session(rm_webrtc *t, const char *session_id) {
    rm_webrtc_session *found = NULL;
    if (!t || !session_id)
        return NULL;
    pthread_mutex_lock(&t->media->mutex);
    RMI_LIST_FOREACH (node, next, &t->media->sessions.open) {
        rm_webrtc_session *s = RMI_CONTAINER_OF(node, rm_webrtc_session, node);
        if (!strcmp(s->id, session_id))
            found = s;
    }
    pthread_mutex_unlock(&t->media->mutex);
    return found;
}

size_t rm_webrtc_session_count(rm_webrtc *t) {
    if (!t)
        return 0;
    pthread_mutex_lock(&t->media->mutex);
    const size_t count = t->media->sessions.count;
    pthread_mutex_unlock(&t->media->mutex);
    return count;
}

const char *rm_webrtc_session_id(const rm_webrtc_session *session) {
    return session ? session->id : "";
}

/* ---- input, figures ---- */

/* Nodes that go by arrival times need them of all: of what the application has made itself, too. */
static rm_err send_now(rm_webrtc_session *session, rm_runtime_data *data) {
    rm_runtime_data *stamped = NULL;
    rm_err err = rm_runtime_data_share(data, &stamped);
    if (!err)
        err = rm_runtime_data_set_arrival_us(stamped, rmi_now_us());
    if (!err)
        err = rmi_session_input(session, stamped);
    rm_runtime_data_unref(&stamped);
    return err;
}

rm_err rm_webrtc_session_send_input(rm_webrtc_session *session, rm_runtime_data *data) {
    if (!session || !data)
        return RM_E_INVALID_ARG;
    const rm_data_type type = rm_runtime_data_type(data);
    const bool live = type == RM_DATA_AUDIO || type == RM_DATA_VIDEO;
    return live && rm_runtime_data_arrival_us(data) < 0 ? send_now(session, data) : rmi_session_input(session, data);
}

rm_err rm_webrtc_session_get_info(rm_webrtc_session *session, rm_session_info *out) {
    rm_webrtc_session *s = session;
    rm_router_peer p;
    rm_output_route route;
    rm_node_stats node;
    uint32_t id;
    if (!s || !out)
        return RM_E_INVALID_ARG;
    *out = (rm_session_info){.active = rm_stream_session_is_active(s->stream)};
    memcpy(out->session_id, s->id, sizeof out->session_id);
    pthread_mutex_lock(&s->mutex);
    out->policy = rm_session_router_policy(s->router);
    for (; !rm_session_router_peer(s->router, out->peers, &p); out->peers++)
        out->connected += p.present;
    while (!rm_session_router_route(s->router, out->routes, &id, &route, NULL))
        out->routes++;
    out->streams = s->stream_count;
    out->refused = atomic_load(&s->refused);
    out->inputs = atomic_load(&s->sequence) - out->refused;
    out->outputs = s->outputs;
    out->unwanted = s->unwanted;
    out->sent = s->sent;
    out->failed = s->failed;
    out->held = s->held;
    out->node_errors = s->node_errors;
    pthread_mutex_unlock(&s->mutex);
    for (size_t i = 0; !rm_stream_session_node_stats(s->stream, i, &node); i++)
        out->dropped += node.dropped;
    return RM_OK;
}

/* ---- routes: what the router does, under the lock, and what follows for streams that flow ---- */

#define WITH_ROUTER(session, call)                                                                                     \
    do {                                                                                                               \
        if (!(session))                                                                                                \
            return RM_E_INVALID_ARG;                                                                                   \
        pthread_mutex_lock(&(session)->mutex);                                                                         \
        const rm_err err = (call);                                                                                     \
        if (!err)                                                                                                      \
            rmi_session_revise(session);                                                                               \
        pthread_mutex_unlock(&(session)->mutex);                                                                       \
        return err;                                                                                                    \
    } while (0)

rm_err rm_webrtc_session_add_route(rm_webrtc_session *session, const rm_output_route *route, uint32_t *route_id) {
    WITH_ROUTER(session, rm_session_router_add_route(session->router, route, route_id));
}

rm_err rm_webrtc_session_set_route(rm_webrtc_session *session, uint32_t route_id, const rm_output_route *route) {
    WITH_ROUTER(session, rm_session_router_set_route(session->router, route_id, route));
}

rm_err rm_webrtc_session_activate_route(rm_webrtc_session *session, uint32_t route_id, bool active) {
    WITH_ROUTER(session, rm_session_router_activate_route(session->router, route_id, active));
}

rm_err rm_webrtc_session_remove_route(rm_webrtc_session *session, uint32_t route_id) {
    WITH_ROUTER(session, rm_session_router_remove_route(session->router, route_id));
}

rm_err rm_webrtc_session_set_policy(rm_webrtc_session *session, rm_routing_policy policy) {
    WITH_ROUTER(session, rm_session_router_set_policy(session->router, policy));
}

rm_err rm_webrtc_session_route(rm_webrtc_session *session, size_t index, uint32_t *route_id, rm_output_route *out,
                               uint64_t *routed) {
    if (!session || !route_id || !out)
        return RM_E_INVALID_ARG;
    pthread_mutex_lock(&session->mutex);
    const rm_err err = rm_session_router_route(session->router, index, route_id, out, routed);
    pthread_mutex_unlock(&session->mutex);
    return err;
}
