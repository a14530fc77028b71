/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_WEBRTC_SESSION_PRIVATE_H
#define RMI_WEBRTC_SESSION_PRIVATE_H

#include "runtime/runner.h"
#include "webrtc/media_private.h"
#include <remotemedia/webrtc_session.h>

/* A member, connected or waited for. The session's router knows it, too. */
struct rmi_session_member {
    char id[RM_PEER_ID_MAX];
    bool added;                   /* by the application, not by auto_peers alone */
    struct rmi_media_peer *media; /* reference while it is connected, else NULL */
};

/* The items of one kind that one node puts out with one stream id. */
struct rmi_session_stream {
    uint64_t number; /* of the transport's streams, from 1 */
    char output_id[RM_ROUTER_ID_MAX];
    char stream_id[RM_STREAM_ID_MAX]; /* "": none */
    enum rmi_rtp_kind kind;
    struct rmi_media_output *output;
    int64_t last_us;
};

struct rm_webrtc_session {
    struct rmi_list node; /* media->sessions, with media->mutex */
    struct rmi_media *media;
    atomic_uint refs; /* the application's, and of threads that work with it */
    char id[RM_WEBRTC_SESSION_ID_MAX];
    bool take[RMI_RTP_KINDS], echo, listeners;
    rm_session_output_fn on_output;
    void *user;
    rm_stream_session *stream; /* memory as long as this one */
    atomic_bool closing;
    _Atomic uint64_t sequence, refused; /* inputs so far; those not taken */

    pthread_mutex_t mutex; /* of all below. Before choice_mutex, media->mutex and those of peers */
    pthread_cond_t left;   /* a callback has returned */
    struct rmi_list calls;
    bool auto_peers;
    rm_session_router *router;
    struct rmi_session_member **members;
    size_t member_count, member_cap;
    struct rmi_session_stream **streams;
    size_t stream_count;
    uint64_t outputs, unwanted, sent, failed, held, node_errors;
};

void rmi_session_hold(rm_webrtc_session *s);
void rmi_session_release(rm_webrtc_session *s);

/* session.c; with the session's mutex. NULL: none. */
struct rmi_session_member *rmi_session_find_member(rm_webrtc_session *s, const char *peer_id);
/* Known to the router, waited for. RM_E_EXISTS: is one; RM_E_LIMIT, RM_E_INVALID_ARG, RM_E_NO_MEMORY. */
rm_err rmi_session_new_member(rm_webrtc_session *s, const char *peer_id, bool added, struct rmi_session_member **out);

void rmi_session_drop_member(rm_webrtc_session *s, const char *peer_id); /* disconnected */

/* session_media.c */
void rmi_session_on_output(rm_stream_session *stream, const char *node_id, const rm_transport_data *output, void *user);
rm_err rmi_session_input(rm_webrtc_session *s, rm_runtime_data *data);
/* With the mutex: what goes to whom has changed; who gets a stream no more is let go, and a stream that goes to nobody
 * ends. */
void rmi_session_revise(rm_webrtc_session *s);
/* With the mutex: all streams, or those with this stream id, end. */
void rmi_session_end_streams(rm_webrtc_session *s, const char *stream_id);
/* With the mutex: the connected peer, if it is one that is to be a member; a member's connection has ended. */
void rmi_session_connect(rm_webrtc_session *s, struct rmi_media_peer *p);
void rmi_session_disconnect(rm_webrtc_session *s, struct rmi_session_member *member);

/* session_events.c: callbacks of the application. False: none begins any more. */
bool rmi_session_enter(rm_webrtc_session *s, struct rmi_media_call *own, struct rmi_media_call *media);
void rmi_session_leave(rm_webrtc_session *s, struct rmi_media_call *own, struct rmi_media_call *media);
void rmi_session_await_calls(rm_webrtc_session *s); /* but those of this thread */
void rmi_session_on_event(const rm_run_event *event, void *user);

/* session_json.c: what a snapshot has beside the router. */
struct rmi_session_snapshot {
    json_t *root;
    rm_session_router *router;
};
/* RM_E_PARSE, RM_E_TOO_BIG, RM_E_NO_MEMORY; `detail` says where. */
rm_err rmi_session_read(const char *text, size_t size, struct rmi_session_snapshot *out, char *detail,
                        size_t detail_size);
void rmi_session_snapshot_fini(struct rmi_session_snapshot *snapshot);
const char *rmi_session_snapshot_id(const struct rmi_session_snapshot *snapshot);
/* Takes the router, members and counters over into a new session. */
rm_err rmi_session_apply(rm_webrtc_session *s, struct rmi_session_snapshot *snapshot);

#endif
