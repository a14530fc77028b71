/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REMOTEMEDIA_WEBRTC_CONTROL_H
#define REMOTEMEDIA_WEBRTC_CONTROL_H

#include <remotemedia/transport_data.h>
#include <remotemedia/webrtc.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Control of a peer's pipeline from here, and running one input through it.
 *
 * What is controlled is the session that the peer's pipeline (its rm_webrtc_set_pipeline) runs for us, never anybody
 * else's, and until the connection ends or the peer sets another pipeline. On the wire these are RemoteMedia's control
 * messages on the channel "control", {"action":"Pause"} ... in a Json message, so that its peers can send them, too.
 *
 * Reconfiguring, pausing and resuming need the peer's leave: its config.control_peers, or rm_webrtc_allow_control. A
 * peer that may reconfigure may run every node type of the registry with any parameters: give it to whom you trust.
 * Everybody may ask for the status, ping, send custom messages and execute. What a peer has done here, or was refused,
 * is told by RM_EV_CONTROL. */

typedef enum rm_control_answer_type { /* unknown values may come from newer libraries: ignore them */
                                      RM_CONTROL_DONE = 1,    /* action; nodes and session_id of Reconfigure */
                                      RM_CONTROL_REFUSED = 2, /* action, err, detail: nothing has changed */
                                      RM_CONTROL_STATUS = 3,  /* state, nodes, timestamp_ms */
                                      RM_CONTROL_PONG = 4,    /* rtt_ms, timestamp_ms */
                                      RM_CONTROL_CUSTOM = 5   /* message_type, json: asked for by nobody */
} rm_control_answer_type;

/* Strings are valid during the call, and "" where there is none. */
typedef struct rm_control_answer {
    rm_control_answer_type type;
    const char *peer_id;
    uint64_t request;   /* what the call gave; 0: the answer does not say */
    const char *action; /* "Reconfigure" "Pause" "Resume" */
    rm_err err;         /* RM_E_DENIED: no leave; RM_E_STATE: no pipeline; RM_E_CONFIG: faults; RM_E_LIMIT: too many at
                           once; ... */
    const char *detail; /* one line for each fault: FILE:LINE:COLUMN: FIELD: MESSAGE */
    const char *session_id;
    const char *state; /* "starting" "running" "paused" "idle" (no pipeline) */
    const char *const *nodes;
    size_t node_count;    /* the peer may tell the number alone: `nodes` is NULL then */
    int64_t timestamp_ms; /* the peer's clock, Unix time */
    double rtt_ms;        /* from the call to the answer */
    const char *message_type;
    const char *json;
} rm_control_answer;

/* The functions below send and do not wait; the answer comes to config.on_control. `request` (may be NULL) receives a
 * number above 0 for it. Errors as of rm_webrtc_send_message, and RM_E_INVALID_ARG; RM_E_PARSE, RM_E_TOO_BIG: JSON. */

/* A new manifest, JSON or YAML. The running session goes on until the new one is ready; then everything that comes goes
 * to the new one, while the old one ends what it has, in this order. */
RM_API rm_err rm_webrtc_reconfigure_peer(rm_webrtc *t, const char *peer_id, const char *manifest, size_t size,
                                         uint64_t *request);
/* The same for one node: `params`, a JSON object, replaces the members it has; others stay. Our extension. */
RM_API rm_err rm_webrtc_set_peer_params(rm_webrtc *t, const char *peer_id, const char *node_id, const char *params,
                                        size_t size, uint64_t *request);
/* Paused, nothing of ours reaches the session and nothing it puts out comes back; it begins again with key frames. */
RM_API rm_err rm_webrtc_pause_peer(rm_webrtc *t, const char *peer_id, uint64_t *request);
RM_API rm_err rm_webrtc_resume_peer(rm_webrtc *t, const char *peer_id, uint64_t *request);
RM_API rm_err rm_webrtc_get_peer_status(rm_webrtc *t, const char *peer_id, uint64_t *request);
RM_API rm_err rm_webrtc_ping_peer(rm_webrtc *t, const char *peer_id, uint64_t *request);
/* For the application at the other side: RM_CONTROL_CUSTOM there, or a JSON message without config.on_control. `json`
 * NULL: null. */
RM_API rm_err rm_webrtc_send_custom(rm_webrtc *t, const char *peer_id, const char *message_type, const char *json,
                                    size_t size);

/* Gives a peer leave to control the session it has here, or takes it; "*": everybody of whom nothing else is said. It
 * need not be connected. RM_E_INVALID_ARG, RM_E_LIMIT (RM_CONTROL_PEERS_MAX named). Any time, any thread. */
#define RM_CONTROL_PEERS_MAX 256
RM_API rm_err rm_webrtc_allow_control(rm_webrtc *t, const char *peer_id, bool allow);

/* Runs one input through a fresh session of the peer's pipeline; waits for its first output, at most timeout_ms (-1:
 * for ever). All kinds of data cross, up to RM_MESSAGE_PAYLOAD_MAX, on a data channel "remotemedia-execute" that is
 * opened the first time. `output` is filled on RM_OK (rm_transport_data_clear it): the peer's answer, with the sequence
 * and metadata of the output. `detail` (may be NULL) receives a sentence on failure. Many at once are fine, the peer
 * runs a few of them at a time.
 *  RM_E_INVALID_ARG  NULL, no data, or metadata named "sequence" or "rm...." (ours)
 *  RM_E_STATE        not started; called inside a callback on the network thread, which must not wait; or the peer has
 *                    no pipeline
 *  RM_E_NOT_FOUND    the peer is not connected; or its pipeline ended without an output
 *  RM_E_TIMEOUT      no answer in time; what comes later is dropped
 *  RM_E_LIMIT        the peer has too many waiting, or there are here: again later
 *  RM_E_CLOSED       the connection or the transport ended before the answer
 *  RM_E_TOO_BIG      the input or the output, or metadata
 *  RM_E_UNSUPPORTED  no data channels; or data that the peer does not know
 *  RM_E_NO_MEMORY, and whatever error a node of the pipeline gives */
RM_API rm_err rm_webrtc_execute(rm_webrtc *t, const char *peer_id, const rm_transport_data *input, int timeout_ms,
                                rm_transport_data *output, char *detail, size_t detail_size);

#ifdef __cplusplus
}
#endif

#endif
