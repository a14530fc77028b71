/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REMOTEMEDIA_WEBRTC_H
#define REMOTEMEDIA_WEBRTC_H

#include <remotemedia/error.h>
#include <remotemedia/export.h>
#include <remotemedia/log.h>
#include <remotemedia/webrtc_config.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A mesh participant: joins a room on a signaling server and connects to every peer in it.
 *
 *     rm_webrtc_config c;
 *     rm_webrtc_config_init(&c);
 *     c.signaling_url = "ws://127.0.0.1:8080/ws";
 *     rm_webrtc *t = NULL;
 *     if (rm_webrtc_create(&c, &t) || rm_webrtc_start(t)) ...
 *     rm_event ev;
 *     while (!rm_webrtc_poll(t, &ev, -1)) { if (ev.type == RM_EV_PEER_STATE) ... }
 *     rm_webrtc_destroy(&t);
 *
 * Threads: every function may be called from any thread unless it says otherwise; work is done on one network thread
 * that rm_webrtc_start makes. Events come by rm_webrtc_poll, or by a callback on the network thread. */
typedef struct rm_webrtc rm_webrtc;

typedef enum rm_peer_state { /* W3C RTCPeerConnectionState */
                             RM_PEER_NEW = 0,
                             RM_PEER_CONNECTING = 1,
                             RM_PEER_CONNECTED = 2,
                             RM_PEER_DISCONNECTED = 3, /* nothing heard for liveness_ms; may come back */
                             RM_PEER_FAILED = 4,       /* it is over: err and detail say why; resources are released.
                                                          RM_EV_RECONNECTING follows if another is tried */
                             RM_PEER_CLOSED = 5
} rm_peer_state;

typedef enum rm_signaling_state {
    RM_SIGNALING_DOWN = 0, /* not connected; retried with back-off */
    RM_SIGNALING_CONNECTING = 1,
    RM_SIGNALING_READY = 2, /* announced in the room */
    RM_SIGNALING_FAILED = 3 /* given up: refused for good (room full, id taken, bad certificate) */
} rm_signaling_state;

typedef enum rm_event_type {                       /* unknown values may come from newer libraries: ignore them */
                             RM_EV_SIGNALING = 1,  /* signaling; err and detail when it is down or failed */
                             RM_EV_PEER_FOUND = 2, /* peer_id is in the room */
                             RM_EV_PEER_STATE = 3, /* peer_id, peer_state; err and detail when failed */
                             RM_EV_PEER_LEFT = 4,  /* peer_id left the signaling server; a running connection goes on */
                             RM_EV_ERROR = 5,   /* err, detail; peer_id or "": something failed, nothing else changed */
                             RM_EV_STOPPED = 6, /* after rm_webrtc_shutdown: the last event */
                             RM_EV_PIPELINE = 7,     /* err, detail: a node of peer_id's session failed, was too slow
                                                       (RM_E_LIMIT) or ended it; or the session could not be made */
                             RM_EV_RECONNECTING = 8, /* peer_id, attempt, delay_ms, detail. Attempt 0 follows
                                                        RM_PEER_DISCONNECTED: ICE restarts on the same connection, which
                                                        keeps keys, channels and session. From 1, after a failure: a new
                                                        connection. While signaling is down it waits longer */
                             RM_EV_RECOVERED = 9,    /* peer_id, attempt, recovery_ms: follows RM_PEER_CONNECTED where
                                                        RM_PEER_DISCONNECTED or a failure came before */
                             RM_EV_CHANNEL = 10, /* peer_id, channel, detail: the data channel of this label is open */
                             RM_EV_CHANNEL_CLOSED = 11, /* peer_id, channel; err and detail unless all was delivered */
                             RM_EV_CHANNEL_LOW = 12,    /* peer_id, channel: see rm_webrtc_set_buffered_low */
                             RM_EV_CHANNEL_WRITABLE = 13, /* peer_id, channel: after RM_E_AGAIN, there is room again */
                             RM_EV_BANDWIDTH = 14, /* peer_id, bandwidth, available_bps: the way to it has room for less
                                                     or for more than before */
                             RM_EV_CONTROL = 15 /* peer_id, err, detail: it has changed the session it has here, or was
                                                   refused that (webrtc_control.h) */
} rm_event_type;

typedef enum rm_bandwidth { /* what congestion control leaves of target_bitrate_kbps for pictures to a peer */
                            RM_BANDWIDTH_FULL = 0,
                            RM_BANDWIDTH_LIMITED = 1, /* less: fewer bits, then fewer and smaller pictures */
                            RM_BANDWIDTH_NO_PICTURES =
                                2 /* enough for sound at best; pictures come back by themselves */
} rm_bandwidth;

typedef struct rm_event {
    rm_event_type type;
    int64_t time_us; /* monotonic clock */
    char peer_id[RM_PEER_ID_MAX];
    rm_signaling_state signaling;
    rm_peer_state peer_state;
    rm_err err;
    char detail[RM_DETAIL_MAX];
    uint32_t attempt;     /* the one to come; RM_EV_RECOVERED: how many were made here, 0 on the same connection */
    uint32_t delay_ms;    /* from now to the attempt */
    uint32_t recovery_ms; /* from the loss to now */
    uint16_t channel;     /* of events of data channels */
    rm_bandwidth bandwidth;
    double available_bps; /* bits a second for all that is sent to the peer */
} rm_event;

/* RM_E_INVALID_ARG (a NULL), RM_E_CONFIG (see rm_webrtc_config_check; also logged), RM_E_NO_MEMORY, RM_E_IO. *out is
 * set only on RM_OK. Opens no socket. */
RM_API rm_err rm_webrtc_create(const rm_webrtc_config *config, rm_webrtc **out);

/* Starts the network thread: opens the UDP sockets, joins the room. RM_E_STATE: already started. RM_E_IO: no thread or
 * no socket could be had. Does not wait for the network. */
RM_API rm_err rm_webrtc_start(rm_webrtc *t);

/* Leaves the room and closes every connection, in the background; RM_EV_STOPPED follows. Idempotent, non-blocking. */
RM_API void rm_webrtc_shutdown(rm_webrtc *t);

/* Shuts down if needed, frees everything and sets *t to NULL. Waits for its threads (milliseconds, and as long as a
 * node of a pipeline is at an input), so that no callback comes after it has returned. Inside a callback it does not
 * wait: the threads end by themselves after it, no callback begins any more (but for last log lines), and one that is
 * under way on another thread may end after it has returned. NULL and pointers to NULL are fine. No other call may run
 * at the same time.
 */
RM_API void rm_webrtc_destroy(rm_webrtc **t);

/* The id we announce. Valid until destroy. */
RM_API const char *rm_webrtc_local_peer_id(const rm_webrtc *t);

/* Connect to a peer in the room (with auto_connect this happens by itself). The result comes as RM_EV_PEER_STATE, or
 * RM_EV_ERROR with RM_E_EXISTS, RM_E_LIMIT (max_peers), RM_E_DENIED (denied_peers, allowed_peers) or RM_E_STATE
 * (signaling is down). RM_E_INVALID_ARG: malformed id. RM_E_STATE: not started. */
RM_API rm_err rm_webrtc_connect_peer(rm_webrtc *t, const char *peer_id);
/* Close the connection to a peer, or end the attempts to reconnect to it; RM_EV_PEER_STATE closed follows, or
 * RM_EV_ERROR with RM_E_NOT_FOUND. */
RM_API rm_err rm_webrtc_disconnect_peer(rm_webrtc *t, const char *peer_id);
/* Find a new network path to a peer while its connection lives on (ICE restart, RFC 8445 section 9). Errors as above.
 */
RM_API rm_err rm_webrtc_restart_ice(rm_webrtc *t, const char *peer_id);
/* Other lists instead of allowed_peers and denied_peers, with the same meaning; both are copied. Connections with peers
 * that they do not permit end: RM_PEER_FAILED with RM_E_DENIED, here and there, and nobody tries again. Who is
 * permitted now may call, or be called by rm_webrtc_connect_peer. Done on the network thread, soon. RM_E_INVALID_ARG:
 * an entry is neither "*" nor an id; RM_E_LIMIT: more than RM_ACCESS_IDS_MAX of them; RM_E_NO_MEMORY: all is as before.
 * RM_E_STATE: not started. RM_E_CLOSED: stopped. */
RM_API rm_err rm_webrtc_set_peer_access(rm_webrtc *t, const char *allowed_peers, const char *denied_peers);

/* The next event. timeout_ms 0 = do not wait, negative = wait for ever. RM_E_AGAIN: none in that time. RM_E_CLOSED: the
 * transport has stopped and every event has been taken. RM_E_STATE: events go to on_event. At most 1,024 events wait;
 * older ones are dropped first, state of peers can always be had from rm_webrtc_peers. */
RM_API rm_err rm_webrtc_poll(rm_webrtc *t, rm_event *event, int timeout_ms);
/* A descriptor that is readable while events wait, for poll() or an own loop. Owned by the transport. */
RM_API int rm_webrtc_fd(const rm_webrtc *t);

typedef struct rm_peer_info {
    char peer_id[RM_PEER_ID_MAX];
    rm_peer_state state;
    rm_err err; /* why it failed, else RM_OK */
    char detail[RM_DETAIL_MAX];
    char local_type[8],
        remote_type[8]; /* candidate types of the selected pair: host srflx prflx relay; "" = none yet */
    char local_address[64], remote_address[64];
    double rtt_ms;            /* of the selected pair, smoothed; 0 = unknown */
    const char *srtp_profile; /* "AEAD_AES_128_GCM", "AES128_CM_SHA1_80" or "" */
    /* Milliseconds from signaling ready (or from the connection's creation, if later) to each step; negative = not
     * reached. */
    double negotiated_ms, gathered_ms, checking_ms, ice_ms, dtls_ms, connected_ms;
    uint64_t packets_in, packets_out, bytes_in, bytes_out, packets_dropped;
    uint32_t candidate_pairs;
} rm_peer_info;

/* Fills at most `cap` entries, sets *count to the number of peers known (also those beyond cap, and the failed ones of
 * the last minute). Takes a consistent picture on the network thread and waits for it; inside on_event it answers at
 * once. RM_E_STATE: not started. RM_E_CLOSED: stopped. */
RM_API rm_err rm_webrtc_peers(rm_webrtc *t, rm_peer_info *out, size_t cap, size_t *count);

RM_API const char *rm_peer_state_name(rm_peer_state state);           /* "connected" ...; never NULL */
RM_API const char *rm_signaling_state_name(rm_signaling_state state); /* "ready" ...; never NULL */
RM_API const char *rm_bandwidth_name(rm_bandwidth bandwidth);         /* "bandwidth limited" ...; never NULL */

#ifdef __cplusplus
}
#endif

#endif
