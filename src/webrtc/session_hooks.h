/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_WEBRTC_SESSION_HOOKS_H
#define RMI_WEBRTC_SESSION_HOOKS_H

#include "base/list.h"
#include "peer/endpoint.h"
#include "session/stream_choice.h"
#include <pthread.h>
#include <remotemedia/webrtc_session.h>
#include <stdatomic.h>

/* What shared sessions (session_private.h) keep in the media part of a transport and in its peers, and when they are
 * called there. */
struct rmi_media;
struct rmi_media_peer;

struct rmi_media_sessions {
    struct rmi_list open; /* of struct rm_webrtc_session; this and the counters with media->mutex */
    size_t count;
    size_t live;                       /* not freed yet */
    atomic_uint takers[RMI_RTP_KINDS]; /* open ones that members' media of this kind goes into */
    _Atomic uint64_t streams;          /* numbers given so far */
    pthread_mutex_t choice_mutex;      /* of what peers are sent, and of asking for it: before media->mutex */
};

struct rmi_media_member {
    atomic_uint count; /* changed with the peer's mutex */
    struct rm_webrtc_session *sessions[RM_WEBRTC_SESSIONS_MAX];
    struct {
        struct rmi_stream_choice choice;
        rm_quality cap;
    } chosen[RMI_RTP_KINDS]; /* with choice_mutex */
};

void rmi_sessions_init(struct rmi_media_sessions *s);
/* Ends those that are left, and waits until all are freed; when no media thread is left. */
void rmi_sessions_fini(struct rmi_media *m);
/* Network thread: it is in media->peers; it is off that list and `closing`. */
void rmi_sessions_peer_up(struct rmi_media_peer *p);
void rmi_sessions_peer_down(struct rmi_media_peer *p);
/* Any media thread: something that the peer has sent. */
void rmi_sessions_deliver(struct rmi_media_peer *p, rm_runtime_data *data);

#endif
