/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REMOTEMEDIA_WEBRTC_SESSION_H
#define REMOTEMEDIA_WEBRTC_SESSION_H

#include <remotemedia/router.h>
#include <remotemedia/webrtc_media.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One pipeline for several peers: a conference, a broadcast, effects by turns.
 *
 * What the members of a session send goes into its pipeline, decoded, with the peer's id as stream id. What the
 * pipeline puts out goes to members, by routes and a policy (<remotemedia/router.h>). An output is named by the node it
 * comes from; an item of it whose stream id is that of a member answers that one, its origin.
 *
 *     rm_webrtc_session_config c;
 *     rm_webrtc_session_config_init(&c);
 *     c.manifest = mix;                   // AudioMixerNode, mode both: for each stream the sum of all others
 *     c.policy = RM_ROUTING_UNICAST;      // each item to its origin
 *     c.listeners = true;                 // and the sum of all to those who send nothing
 *     rm_webrtc_create_session(t, &c, &session, detail, sizeof detail);
 *
 * What is sent. A stream of sound or pictures (an output's items of one stream id) is encoded once for all peers that
 * get it, pictures once in each quality that is needed; what nobody gets is not encoded. JSON, text and binary data go
 * as messages (rm_webrtc_send_message) unless data channels are switched off; other kinds cannot be sent and count as
 * failed.
 *
 * One stream at a time. A peer hears one stream of sound and sees one of pictures: of several (outputs, stream ids,
 * sessions) that reach it, that of the route with the highest priority (RM_ROUTER_PRIORITY_DEFAULT without one); of
 * equals the one that was first, until it is silent for a second. What an application sends to this peer itself, and
 * the answers of a pipeline of its own (rm_webrtc_set_pipeline), go before all of them; what is sent to all reaches a
 * peer again when its sessions send it nothing of that kind any more: with the end of the session or of its membership,
 * or when routes change.
 *
 * Several sessions may run at once, and a peer be a member of several: each gets its media, and none disturbs another.
 * A node that is slow or fails is dealt with as in <remotemedia/runner.h> and told by RM_EV_PIPELINE with an empty
 * peer_id, the session's id at the beginning of detail.
 *
 * Threads: every function may be called from any thread, also inside callbacks; none waits for the network or for a
 * node but those that make or end a session. A session ends with rm_webrtc_destroy_session, or with the transport. */
typedef struct rm_webrtc_session rm_webrtc_session;

#define RM_WEBRTC_SESSION_ID_MAX 65 /* 1..64 characters of A-Z a-z 0-9 _ - and a NUL */
#define RM_WEBRTC_SESSIONS_MAX 64   /* of a transport */
/* Sounds and pictures for peers, of a session at once; items of those beyond count as failed. */
#define RM_WEBRTC_SESSION_STREAMS_MAX 256

/* One output of the pipeline, of any kind, also when nobody is sent it. `output_id`: the node it comes from; `origin`:
 * the member it answers, or "". On a thread of the session; must return soon. The strings and `output` are valid during
 * the call (take a reference of its data to keep it). Every function of webrtc*.h may be called inside it,
 * rm_webrtc_destroy_session and rm_webrtc_destroy included. */
typedef void (*rm_session_output_fn)(rm_webrtc_session *session, const char *output_id, const char *origin,
                                     const rm_transport_data *output, void *user);

/* Fill with rm_webrtc_session_config_init, then change what is needed. */
typedef struct rm_webrtc_session_config {
    uint32_t struct_size;       /* set by rm_webrtc_session_config_init */
    const char *session_id;     /* NULL (default): a UUID */
    rm_manifest *manifest;      /* needed; a reference is taken */
    rm_node_registry *registry; /* NULL (default): the built-in nodes */
    rm_routing_policy policy;   /* default RM_ROUTING_BROADCAST */
    bool auto_peers;            /* every peer is a member as long as it is connected; default true */
    bool take_audio;            /* members' sound goes in; default true */
    bool take_video;            /* members' pictures go in; default true. What no session takes is not decoded for it */
    bool echo;                  /* by the policies for many, an item goes to its origin, too; default false: nobody gets
                                   back what it has sent, unless the policy for one says so */
    /* By the policy for one, sound and pictures without a stream id go to the members whom nothing answers, who only
     * listen: the sum of a conference, of which each of those who speak has one without itself. Default false. */
    bool listeners;
    rm_session_output_fn on_output; /* NULL (default): not told */
    void *user;                     /* handed to it */
} rm_webrtc_session_config;

RM_API void rm_webrtc_session_config_init(rm_webrtc_session_config *config);

/* Makes the session with all its nodes, on this thread. Before rm_webrtc_start, too. `detail` (may be NULL) receives a
 * sentence on failure. The session is the caller's until rm_webrtc_destroy_session or rm_webrtc_destroy.
 *  RM_E_CONFIG       a field is out of its range; the manifest does not fit the registry, or a node refused its
 *                    parameters
 *  RM_E_EXISTS       there is a session of this id
 *  RM_E_LIMIT        RM_WEBRTC_SESSIONS_MAX
 *  RM_E_CLOSED       the transport has stopped
 *  RM_E_INVALID_ARG, RM_E_NO_MEMORY, and whatever error a node returns; nothing has changed */
RM_API rm_err rm_webrtc_create_session(rm_webrtc *t, const rm_webrtc_session_config *config, rm_webrtc_session **out,
                                       char *detail, size_t detail_size);
/* Ends it: no callback begins any more, and those on other threads have ended when it returns. Its members hear and see
 * again what is sent to all. Nulls; NULL is harmless. No other call for this session may run at the same time. */
RM_API void rm_webrtc_destroy_session(rm_webrtc_session **session);

/* The open session of this id, or NULL. It lives until somebody destroys it. */
RM_API rm_webrtc_session *rm_webrtc_get_session(rm_webrtc *t, const char *session_id);
/* Open sessions. */
RM_API size_t rm_webrtc_session_count(rm_webrtc *t);
/* Valid as long as the session. */
RM_API const char *rm_webrtc_session_id(const rm_webrtc_session *session);

/* A peer becomes a member: at once if it is connected, else when it comes; with auto_peers that needs no call. One that
 * was added stays a member, with its counters, over any number of connections; one that is a member only by auto_peers
 * leaves with its connection.
 *  RM_E_EXISTS       was added before
 *  RM_E_LIMIT        RM_ROUTER_PEERS_MAX
 *  RM_E_INVALID_ARG  not a peer id
 *  RM_E_NO_MEMORY */
RM_API rm_err rm_webrtc_session_add_peer(rm_webrtc_session *session, const char *peer_id);
/* From now on nothing of it goes in and nothing goes to it; its streams run dry in the pipeline. With auto_peers it is
 * a member again with its next connection. RM_E_NOT_FOUND, RM_E_INVALID_ARG. */
RM_API rm_err rm_webrtc_session_remove_peer(rm_webrtc_session *session, const char *peer_id);

typedef struct rm_session_peer {
    char peer_id[RM_PEER_ID_MAX];
    bool connected;        /* else it is waited for */
    uint64_t sent, failed; /* outputs for it */
} rm_session_peer;
/* Members in the order in which they came, at most `cap`; *count is how many there are. RM_E_INVALID_ARG. */
RM_API rm_err rm_webrtc_session_peers(rm_webrtc_session *session, rm_session_peer *out, size_t cap, size_t *count);

/* A source of the application: a camera, a file, a text. Its stream id should be none of a peer. Never blocks; the data
 * is referenced, not copied. Sound and pictures without an arrival time get that of the call.
 *  RM_E_AGAIN        data that may not be lost finds no room in the pipeline: try again later
 *  RM_E_CLOSED       a node has ended the session
 *  RM_E_INVALID_ARG, RM_E_NO_MEMORY */
RM_API rm_err rm_webrtc_session_send_input(rm_webrtc_session *session, rm_runtime_data *data);

/* Routes as in <remotemedia/router.h>, with its errors; they count from the next item on. A tier limits the pictures of
 * the peers it names; what their connections carry limits them as well. */
RM_API rm_err rm_webrtc_session_add_route(rm_webrtc_session *session, const rm_output_route *route, uint32_t *route_id);
RM_API rm_err rm_webrtc_session_set_route(rm_webrtc_session *session, uint32_t route_id, const rm_output_route *route);
RM_API rm_err rm_webrtc_session_activate_route(rm_webrtc_session *session, uint32_t route_id, bool active);
RM_API rm_err rm_webrtc_session_remove_route(rm_webrtc_session *session, uint32_t route_id);
/* In order of their numbers. What `out` points to is valid until that route is changed, by whatever thread. */
RM_API rm_err rm_webrtc_session_route(rm_webrtc_session *session, size_t index, uint32_t *route_id,
                                      rm_output_route *out, uint64_t *routed);
RM_API rm_err rm_webrtc_session_set_policy(rm_webrtc_session *session, rm_routing_policy policy); /* RM_E_INVALID_ARG */

typedef struct rm_session_info {
    char session_id[RM_WEBRTC_SESSION_ID_MAX];
    rm_routing_policy policy;
    bool active;                /* false: a node has ended it */
    size_t peers, connected;    /* members */
    size_t routes;              /* active ones and others */
    size_t streams;             /* sounds and pictures that go to peers now */
    uint64_t inputs, refused;   /* items that went into the pipeline, and that it did not take */
    uint64_t outputs, unwanted; /* items that came out; those among them that nobody was to get */
    /* Once for each peer. Failed: this kind was not negotiated with it, or what sending gave; held: something else of
     * this kind went before. */
    uint64_t sent, failed, held;
    uint64_t node_errors, dropped; /* dropped: lost in front of slow nodes */
} rm_session_info;
/* RM_E_INVALID_ARG. */
RM_API rm_err rm_webrtc_session_get_info(rm_webrtc_session *session, rm_session_info *out);

/* The session as JSON: its id, policy, members, routes and counters; not the pipeline's inner state. NUL-terminated;
 * free with rm_json_free (<remotemedia/data_json.h>). RM_E_INVALID_ARG, RM_E_NO_MEMORY. */
RM_API rm_err rm_webrtc_session_save(rm_webrtc_session *session, char **out, size_t *size);
/* A session as it was saved, in this or in another process: id (unless `config` has one), policy, members and whether
 * all are, routes and counters are those of `text`, all else that of `config`. Members are waited for. Routes
 * are numbered anew, in their order. Errors of
 * rm_webrtc_create_session, and
 *  RM_E_PARSE    no JSON, or a member is missing or out of its range
 *  RM_E_TOO_BIG  longer than RM_ROUTER_JSON_MAX, or more in it than there may be */
RM_API rm_err rm_webrtc_restore_session(rm_webrtc *t, const rm_webrtc_session_config *config, const char *text,
                                        size_t size, rm_webrtc_session **out, char *detail, size_t detail_size);

#ifdef __cplusplus
}
#endif

#endif
