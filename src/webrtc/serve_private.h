/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_WEBRTC_SERVE_PRIVATE_H
#define RMI_WEBRTC_SERVE_PRIVATE_H

#include "frame/control_frame.h"
#include "webrtc/channel_hook.h"
#include "webrtc/media_private.h"
#include "webrtc/serve.h"
#include "webrtc/signaling_host.h"
#include <jansson.h>
#include <remotemedia/bus.h>
#include <remotemedia/webrtc_data.h>

/* Everything is the network thread's, unless it says otherwise. */

#define RMI_SERVE_TOPIC_MAX 272 /* id, ".out.", port */
#define RMI_SERVE_TAPS_MAX 64   /* of one client */
#define RMI_SERVE_SYSTEM "__system__"
#define RMI_SERVE_CONTROL "remotemedia-control"

struct rmi_serve_text {
    struct rmi_list node;
    uint64_t took; /* messages to the endpoint that it had taken then */
    size_t len;
    char text[];
};

struct rmi_serve_message { /* came while nobody could take it */
    struct rmi_list node;
    size_t len;
    uint8_t data[];
};

struct rmi_serve_channel {
    struct rmi_list node; /* of its peer, in order of opening */
    struct rmi_serve_peer *peer;
    uint16_t id;
    bool control;
    struct rmi_list held; /* messages that wait for the session; the channel is paused meanwhile */
    bool greeted;         /* of a control channel: hello has come */
    char attach_id[RMI_CONTROL_ID_MAX];
};

/* Somebody who looks at a topic: over the WebSocket, or on a control channel. */
struct rmi_serve_tap {
    struct rmi_list node; /* of its peer */
    struct rmi_serve_peer *peer;
    struct rmi_serve_channel *channel; /* NULL: the WebSocket */
    struct rmi_control_addr addr;      /* with a channel */
    bool audio, intercept;
    uint32_t deadline_ms;
    rm_tap *tap;    /* NULL: there is no session just now, or the topic is the system's */
    rm_tap *before; /* of the session that another has taken the place of, until it has put out all it had; or NULL */
    char session_id[RM_SESSION_ID_MAX]; /* at which the topic was looked up last */
    uint64_t number;                    /* never 0, in this transport */
    uint64_t skipped;
    atomic_bool ready; /* set by the session's threads */
    char topic[RMI_SERVE_TOPIC_MAX];
};

struct rmi_serve_peer {
    struct rmi_list node; /* changed under the mutex */
    struct rmi_serve *serve;
    char id[RM_PEER_ID_MAX];
    bool announced;
    rm_peer_state state;
    bool told_state; /* `state` was told once */
    struct rmi_list channels, taps;
    size_t tap_count;
    int output_channel; /* guarded by the mutex: that of the data plane which was opened last; -1: none */
};

struct rmi_serve_item { /* news of another thread */
    struct rmi_list node;
    enum rmi_serve_news news;
    char peer_id[RM_PEER_ID_MAX];
    char node_id[RMI_CONTROL_ID_MAX];
    char message[RM_DETAIL_MAX];
};

struct rmi_serve {
    struct rm_webrtc *t;
    char *address, *cert_file, *key_file, *token;
    uint16_t port;
    struct rmi_signaling_host *host;
    struct rmi_job job;
    bool opening, open; /* the endpoint's signaling */
    struct rmi_list to_core, to_endpoint;
    uint64_t took;
    int64_t unix_offset_us;
    uint64_t last_tap;

    pthread_mutex_t mutex; /* of what follows, and output_channel */
    struct rmi_list peers, news;
    size_t news_count;
    bool running; /* the loop is there */
};

/* serve.c */
void rmi_serve_ask(struct rmi_serve *s); /* any thread: the job runs soon */
struct rmi_serve_peer *rmi_serve_find(struct rmi_serve *s, const char *peer_id);
struct rmi_serve_peer *rmi_serve_get(struct rmi_serve *s, const char *peer_id); /* made if need be; NULL: no memory */
void rmi_serve_reap(struct rmi_serve_peer *p);                                  /* frees it if nothing holds it */
int64_t rmi_serve_unix_ms(const struct rmi_serve *s, int64_t at_us);

/* The session of a peer, held until rmi_serve_release. NULL: there is none just now. */
struct rmi_serve_session {
    struct rmi_media_peer *media;
    rm_stream_session *session;
    unsigned turn;
};
rm_stream_session *rmi_serve_hold(struct rmi_serve *s, const char *peer_id, struct rmi_serve_session *out);
void rmi_serve_release(struct rmi_serve_session *held);

/* serve_data.c: the data plane */
rm_err rmi_serve_data_hook(struct rmi_serve *s);
void rmi_serve_data_resume(struct rmi_serve_peer *p); /* the session may take what is held */
void rmi_serve_channel_free(struct rmi_serve_channel *c);

/* serve_frames.c: the channel "remotemedia-control" */
void rmi_serve_frame(struct rmi_serve_channel *c, rm_stream_session *session, const uint8_t *data, size_t len);
void rmi_serve_frame_refuse(struct rmi_serve_channel *c); /* there is no session, and will be none */
void rmi_serve_frame_item(struct rmi_serve_tap *tap, rm_tap_item *item);
void rmi_serve_frame_closed(struct rmi_serve_channel *c);

/* serve_taps.c */
/* RM_E_LIMIT; with a session the errors of rm_stream_session_tap. `out` is in the peer's list. */
rm_err rmi_serve_tap_add(struct rmi_serve_peer *p, const struct rmi_serve_tap *wanted, rm_stream_session *session,
                         struct rmi_serve_tap **out);
void rmi_serve_tap_remove(struct rmi_serve_tap *tap);
struct rmi_serve_tap *rmi_serve_tap_find(struct rmi_serve_peer *p, const struct rmi_serve_channel *c, const char *topic,
                                         bool intercept);
/* Whoever looks over the WebSocket looks at this session from here on: before anything goes into it. */
void rmi_serve_taps_follow(struct rmi_serve_peer *p, rm_stream_session *session);
void rmi_serve_taps_attach(struct rmi_serve_peer *p); /* a new session may be there */
void rmi_serve_taps_drain(struct rmi_serve_peer *p);
void rmi_serve_taps_end(struct rmi_serve_peer *p, const struct rmi_serve_channel *c); /* NULL: the WebSocket's */

/* serve_rpc.c: JSON-RPC */
int rmi_serve_method(void *serve, const char *peer_id, const char *method, json_t *params, json_t **result,
                     const char **reason);
void rmi_serve_rpc_item(struct rmi_serve_tap *tap, const rm_tap_item *item);
void rmi_serve_rpc_system(struct rmi_serve_peer *p, const struct rmi_serve_item *item);

#endif
