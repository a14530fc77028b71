/* SPDX-License-Identifier: Apache-2.0 */
/* What goes into a shared session and comes out of it: peers that come and go, their media, and streams for them. */
#include "webrtc/session_private.h"

#include <remotemedia/webrtc_data.h>
#include <stdlib.h>
#include <string.h>

#define STREAM_FORGOTTEN_US RMI_SEC(10) /* a stream that was silent for so long gives its place to another */

/* ---- in ---- */

rm_err rmi_session_input(rm_webrtc_session *s, rm_runtime_data *data) {
    const rm_transport_data input = {.data = data, .sequence = atomic_fetch_add(&s->sequence, 1), .has_sequence = true};
    const rm_err err = rm_stream_session_send_input(s->stream, &input);
    if (err)
        atomic_fetch_add(&s->refused, 1);
    return err;
}

/* From the sound thread and the lanes, for each chunk and picture. */
void rmi_sessions_deliver(struct rmi_media_peer *p, rm_runtime_data *data) {
    if (atomic_load(&p->member.count) == 0)
        return;
    const int kind = rm_runtime_data_type(data) == RM_DATA_AUDIO ? RMI_RTP_AUDIO : RMI_RTP_VIDEO;
    rm_webrtc_session *sessions[RM_WEBRTC_SESSIONS_MAX];
    pthread_mutex_lock(&p->mutex);
    const unsigned count = atomic_load(&p->member.count);
    for (unsigned i = 0; i < count; i++) {
        sessions[i] = p->member.sessions[i];
        rmi_session_hold(sessions[i]);
    }
    pthread_mutex_unlock(&p->mutex);
    for (unsigned i = 0; i < count; i++) {
        if (sessions[i]->take[kind])
            rmi_session_input(sessions[i], data); /* what it refuses is counted there */
        rmi_session_release(sessions[i]);
    }
}

/* ---- streams, with the session's mutex ---- */

/* Nobody is sent it any more: whom it was chosen for gets again what is sent to all. */
static void let_go(struct rmi_media_peer *p, enum rmi_rtp_kind kind, uint64_t stream) {
    struct rmi_media *m = p->media;
    pthread_mutex_lock(&m->sessions.choice_mutex);
    if (rmi_stream_unchoose(&p->member.chosen[kind].choice, stream))
        rmi_media_ask_route(p, kind, m->all, NULL); /* without memory it keeps silence, until it is sent something */
    pthread_mutex_unlock(&m->sessions.choice_mutex);
}

static void end_stream(rm_webrtc_session *s, size_t at) {
    struct rmi_session_stream *stream = s->streams[at];
    for (size_t i = 0; i < s->member_count; i++)
        if (s->members[i]->media)
            let_go(s->members[i]->media, stream->kind, stream->number);
    rmi_media_output_destroy(&stream->output);
    free(stream);
    s->streams[at] = s->streams[--s->stream_count];
}

void rmi_session_end_streams(rm_webrtc_session *s, const char *stream_id) {
    for (size_t i = s->stream_count; i-- > 0;)
        if (!stream_id || !strcmp(s->streams[i]->stream_id, stream_id))
            end_stream(s, i);
}

static struct rmi_session_stream *find_stream(rm_webrtc_session *s, enum rmi_rtp_kind kind, const char *output_id,
                                              const char *stream_id) {
    for (size_t i = 0; i < s->stream_count; i++) {
        struct rmi_session_stream *stream = s->streams[i];
        if (stream->kind == kind && !strcmp(stream->output_id, output_id) && !strcmp(stream->stream_id, stream_id))
            return stream;
    }
    return NULL;
}

static void make_room(rm_webrtc_session *s, int64_t now_us) {
    for (size_t i = s->stream_count; i-- > 0;)
        if (now_us - s->streams[i]->last_us > STREAM_FORGOTTEN_US)
            end_stream(s, i);
}

static rm_err open_stream(rm_webrtc_session *s, enum rmi_rtp_kind kind, const char *output_id, const char *stream_id,
                          int64_t now_us, struct rmi_session_stream **out) {
    make_room(s, now_us);
    if (s->stream_count == RM_WEBRTC_SESSION_STREAMS_MAX)
        return RM_E_LIMIT;
    struct rmi_session_stream **streams = realloc(s->streams, (s->stream_count + 1) * sizeof *streams);
    if (!streams)
        return RM_E_NO_MEMORY;
    s->streams = streams;
    struct rmi_session_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return RM_E_NO_MEMORY;
    stream->kind = kind;
    memcpy(stream->output_id, output_id, strnlen(output_id, sizeof stream->output_id - 1));
    memcpy(stream->stream_id, stream_id, strnlen(stream_id, sizeof stream->stream_id - 1));
    stream->number = atomic_fetch_add(&s->media->sessions.streams, 1) + 1;
    rm_err err = rmi_media_output_create(s->media, stream->output_id, &stream->output);
    if (err) {
        free(stream);
        return err;
    }
    s->streams[s->stream_count++] = stream;
    *out = stream;
    return RM_OK;
}

/* ---- whom an item goes to, with the session's mutex ---- */

struct hit {
    struct rmi_media_peer *peer; /* reference */
    rm_route_target target;
};

static const char *origin_of(rm_webrtc_session *s, const char *stream_id) {
    const struct rmi_session_member *member = stream_id[0] ? rmi_session_find_member(s, stream_id) : NULL;
    return member && member->media ? member->id : NULL;
}

/* All who are there, behind whatever answers them. */
static size_t everybody(const rm_webrtc_session *s, rm_route_target out[RM_ROUTER_PEERS_MAX]) {
    size_t count = 0;
    for (size_t i = 0; i < s->member_count && count < RM_ROUTER_PEERS_MAX; i++)
        if (s->members[i]->media)
            out[count++] = (rm_route_target){.peer_id = s->members[i]->id, .user = s->members[i]};
    return count;
}

static size_t targets_of(rm_webrtc_session *s, bool media, const char *output_id, const char *stream_id,
                         rm_route_target out[RM_ROUTER_PEERS_MAX]) {
    rm_route_query query = {.output_id = output_id, .origin = origin_of(s, stream_id)};
    size_t count = 0;
    const bool one = rm_session_router_policy(s->router) == RM_ROUTING_UNICAST;
    if (!s->echo && !one)
        query.exclude = query.origin;
    if (rm_session_router_targets(s->router, &query, out, RM_ROUTER_PEERS_MAX, &count))
        return 0;
    return count == 0 && one && media && s->listeners && !stream_id[0] ? everybody(s, out) : count;
}

/* Whether the peer is sent this stream; asks for its route when that is new. */
static bool choose(struct rmi_session_stream *stream, const rm_route_target *target, struct rmi_media_peer *p,
                   int64_t now_us) {
    struct rmi_media *m = p->media;
    struct rmi_stream_choice *choice = &p->member.chosen[stream->kind].choice;
    rm_quality *cap = &p->member.chosen[stream->kind].cap;
    pthread_mutex_lock(&m->sessions.choice_mutex);
    const bool same = choice->stream == stream->number && !memcmp(cap, &target->quality, sizeof *cap);
    bool is_chosen = rmi_stream_choose(choice, stream->number, target->priority, now_us);
    if (is_chosen && !same) {
        *cap = target->quality;
        is_chosen = !rmi_media_ask_route(p, stream->kind, stream->output, cap);
        if (!is_chosen)
            rmi_stream_unchoose(choice, stream->number); /* no memory: with the next item */
    }
    pthread_mutex_unlock(&m->sessions.choice_mutex);
    return is_chosen;
}

void rmi_session_revise(rm_webrtc_session *s) {
    rm_route_target targets[RM_ROUTER_PEERS_MAX];
    for (size_t i = s->stream_count; i-- > 0;) {
        const struct rmi_session_stream *stream = s->streams[i];
        const size_t count = targets_of(s, true, stream->output_id, stream->stream_id, targets);
        for (size_t k = 0; k < s->member_count; k++) {
            const struct rmi_session_member *member = s->members[k];
            bool wanted = false;
            for (size_t t = 0; t < count; t++)
                wanted |= targets[t].user == member;
            if (member->media && !wanted)
                let_go(member->media, stream->kind, stream->number);
        }
        if (count == 0)
            end_stream(s, i);
    }
}

/* ---- out ---- */

static void count_results(rm_webrtc_session *s, const struct hit *hits, size_t count, rm_err err) {
    pthread_mutex_lock(&s->mutex);
    for (size_t i = 0; i < count; i++)
        rm_session_router_count(s->router, &hits[i].target, err);
    *(err ? &s->failed : &s->sent) += count;
    pthread_mutex_unlock(&s->mutex);
}

static void drop_hits(struct hit *hits, size_t count) {
    for (size_t i = 0; i < count; i++)
        rmi_media_peer_unref(hits[i].peer);
}

static void take_hit(struct hit *hits, size_t *count, const rm_route_target *target, struct rmi_media_peer *p) {
    if (*count == RM_PEERS_MAX)
        return; /* more cannot be connected */
    hits[*count] = (struct hit){.peer = rmi_media_peer_ref(p), .target = *target};
    hits[(*count)++].target.peer_id = p->id; /* lives as long as the reference */
}

static void fail_target(rm_webrtc_session *s, const rm_route_target *target, rm_err err) {
    rm_session_router_count(s->router, target, err);
    s->failed++;
}

/* The peers that get this item, with references; *output, too. */
static size_t route_media(rm_webrtc_session *s, enum rmi_rtp_kind kind, const char *output_id, const char *stream_id,
                          struct hit hits[RM_PEERS_MAX], struct rmi_media_output **output) {
    rm_route_target targets[RM_ROUTER_PEERS_MAX];
    const int64_t now_us = rmi_now_us();
    const size_t count = targets_of(s, true, output_id, stream_id, targets);
    s->unwanted += count == 0;
    struct rmi_session_stream *stream = find_stream(s, kind, output_id, stream_id);
    const rm_err err = stream || count == 0 ? RM_OK : open_stream(s, kind, output_id, stream_id, now_us, &stream);
    size_t hit_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct rmi_media_peer *p = ((struct rmi_session_member *)targets[i].user)->media;
        if (err || !atomic_load(&p->can[kind]))
            fail_target(s, &targets[i], err ? err : RM_E_UNSUPPORTED);
        else if (!atomic_load(&p->own[kind].used) && choose(stream, &targets[i], p, now_us))
            take_hit(hits, &hit_count, &targets[i], p);
        else
            s->held++;
    }
    if (stream)
        stream->last_us = now_us;
    if (hit_count > 0)
        *output = rmi_media_output_ref(stream->output);
    return hit_count;
}

static void send_media(rm_webrtc_session *s, enum rmi_rtp_kind kind, const char *output_id, const char *stream_id,
                       rm_runtime_data *data) {
    struct hit hits[RM_PEERS_MAX];
    struct rmi_media_output *output = NULL;
    pthread_mutex_lock(&s->mutex);
    const size_t count = route_media(s, kind, output_id, stream_id, hits, &output);
    pthread_mutex_unlock(&s->mutex);
    if (count == 0)
        return;
    const rm_err err =
        kind == RMI_RTP_AUDIO ? rmi_media_output_audio(output, data) : rmi_media_output_video(output, data);
    count_results(s, hits, count, err);
    drop_hits(hits, count);
    rmi_media_output_unref(output);
}

static void send_messages(rm_webrtc_session *s, const char *output_id, const char *stream_id, rm_runtime_data *data) {
    struct rm_webrtc *t = s->media->t;
    rm_route_target targets[RM_ROUTER_PEERS_MAX];
    struct hit hits[RM_PEERS_MAX];
    size_t count = 0;
    pthread_mutex_lock(&s->mutex);
    const size_t found = targets_of(s, false, output_id, stream_id, targets);
    s->unwanted += found == 0;
    for (size_t i = 0; i < found && t->config.enable_data_channel; i++)
        take_hit(hits, &count, &targets[i], ((struct rmi_session_member *)targets[i].user)->media);
    pthread_mutex_unlock(&s->mutex);
    for (size_t i = 0; i < count; i++)
        count_results(s, &hits[i], 1, rm_webrtc_send_message(t, hits[i].peer->id, data));
    drop_hits(hits, count);
}

static void show(rm_webrtc_session *s, const char *output_id, const char *origin, const rm_transport_data *output) {
    struct rmi_media_call own, media;
    if (s->on_output && rmi_session_enter(s, &own, &media)) {
        s->on_output(s, output_id, origin, output, s->user);
        rmi_session_leave(s, &own, &media);
    }
}

void rmi_session_on_output(rm_stream_session *stream, const char *node_id, const rm_transport_data *output,
                           void *user) {
    rm_webrtc_session *s = user;
    const char *id = rm_runtime_data_stream_id(output->data), *stream_id = id ? id : "";
    char origin[RM_PEER_ID_MAX] = "";
    (void)stream;
    if (atomic_load(&s->closing))
        return;
    rmi_session_hold(s); /* the application may end it inside its callback */
    pthread_mutex_lock(&s->mutex);
    s->outputs++;
    const char *member = origin_of(s, stream_id);
    if (member)
        memcpy(origin, member, strlen(member) + 1);
    pthread_mutex_unlock(&s->mutex);
    switch (rm_runtime_data_type(output->data)) {
    case RM_DATA_AUDIO:
        send_media(s, RMI_RTP_AUDIO, node_id, stream_id, output->data);
        break;
    case RM_DATA_VIDEO:
        send_media(s, RMI_RTP_VIDEO, node_id, stream_id, output->data);
        break;
    default:
        send_messages(s, node_id, stream_id, output->data);
        break;
    }
    show(s, node_id, origin, output);
    rmi_session_release(s);
}

/* ---- members that come and go; on the network thread, or where a session or a member is new ---- */

/* Into the list that rmi_sessions_deliver reads. There is room: a transport has no more sessions. */
static void attach(rm_webrtc_session *s, struct rmi_media_peer *p) {
    pthread_mutex_lock(&p->mutex);
    const unsigned count = atomic_load(&p->member.count);
    p->member.sessions[count] = s;
    rmi_session_hold(s);
    atomic_store(&p->member.count, count + 1);
    pthread_mutex_unlock(&p->mutex);
}

static void detach(rm_webrtc_session *s, struct rmi_media_peer *p) {
    pthread_mutex_lock(&p->mutex);
    const unsigned count = atomic_load(&p->member.count);
    for (unsigned i = 0; i < count; i++)
        if (p->member.sessions[i] == s) {
            p->member.sessions[i] = p->member.sessions[count - 1];
            atomic_store(&p->member.count, count - 1);
            rmi_session_release(s); /* not the last: the caller has one */
            break;
        }
    pthread_mutex_unlock(&p->mutex);
}

void rmi_session_connect(rm_webrtc_session *s, struct rmi_media_peer *p) {
    struct rmi_session_member *member = rmi_session_find_member(s, p->id);
    if (atomic_load(&s->closing) || atomic_load(&p->closing) || (!member && !s->auto_peers) ||
        (member && member->media))
        return;
    if (!member && rmi_session_new_member(s, p->id, false, &member))
        return; /* no room: it stays outside, as the list of peers shows */
    if (rm_session_router_add_peer(s->router, p->id, member))
        return;
    member->media = rmi_media_peer_ref(p);
    attach(s, p);
}

void rmi_session_disconnect(rm_webrtc_session *s, struct rmi_session_member *member) {
    struct rmi_media_peer *p = member->media;
    if (!p)
        return;
    rm_session_router_leave_peer(s->router, member->id);
    for (size_t i = 0; i < s->stream_count; i++)
        let_go(p, s->streams[i]->kind, s->streams[i]->number);
    rmi_session_end_streams(s, member->id);
    member->media = NULL;
    detach(s, p);
    rmi_media_peer_unref(p);
    rmi_session_revise(s);
}

/* Each open session, held and with its mutex. */
static void for_each(struct rmi_media *m, void (*fn)(rm_webrtc_session *s, struct rmi_media_peer *p),
                     struct rmi_media_peer *p) {
    rm_webrtc_session *sessions[RM_WEBRTC_SESSIONS_MAX];
    size_t count = 0;
    pthread_mutex_lock(&m->mutex);
    RMI_LIST_FOREACH (node, next, &m->sessions.open) {
        sessions[count] = RMI_CONTAINER_OF(node, rm_webrtc_session, node);
        rmi_session_hold(sessions[count++]);
    }
    pthread_mutex_unlock(&m->mutex);
    for (size_t i = 0; i < count; i++) {
        pthread_mutex_lock(&sessions[i]->mutex);
        fn(sessions[i], p);
        pthread_mutex_unlock(&sessions[i]->mutex);
        rmi_session_release(sessions[i]);
    }
}

void rmi_sessions_peer_up(struct rmi_media_peer *p) {
    for_each(p->media, rmi_session_connect, p);
}

static void disconnect(rm_webrtc_session *s, struct rmi_media_peer *p) {
    struct rmi_session_member *member = rmi_session_find_member(s, p->id);
    if (!member || member->media != p)
        return;
    rmi_session_disconnect(s, member);
    if (!member->added)
        rmi_session_drop_member(s, p->id);
}

void rmi_sessions_peer_down(struct rmi_media_peer *p) {
    for_each(p->media, disconnect, p);
}
