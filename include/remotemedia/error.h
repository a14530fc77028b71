/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REMOTEMEDIA_ERROR_H
#define REMOTEMEDIA_ERROR_H

#include <remotemedia/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Every error: name, value, one sentence that says what happened and what to do.
 * Values are stable: a number is never reused for another meaning. */
#define RM_ERROR_LIST(X)                                                                                               \
    X(RM_OK, 0, "success")                                                                                             \
    X(RM_E_INVALID_ARG, -1, "an argument is out of its documented range; correct the call")                            \
    X(RM_E_NO_MEMORY, -2, "memory could not be allocated; the object is unchanged")                                    \
    X(RM_E_STATE, -3, "the object's state does not allow this call; see the call's documentation")                     \
    X(RM_E_AGAIN, -4, "nothing available now; try again after the next event")                                         \
    X(RM_E_NOT_FOUND, -5, "no such object; check the id")                                                              \
    X(RM_E_EXISTS, -6, "an object with this id already exists; choose another id")                                     \
    X(RM_E_LIMIT, -7, "a configured limit is reached; raise it or free something")                                     \
    X(RM_E_TIMEOUT, -8, "no answer in time; check that the other side is reachable")                                   \
    X(RM_E_CLOSED, -9, "the object is closed")                                                                         \
    X(RM_E_UNSUPPORTED, -10, "the other side asks for something this library does not have")                           \
    X(RM_E_PARSE, -11, "malformed input; the detail names the place")                                                  \
    X(RM_E_TOO_BIG, -12, "input exceeds the documented size limit")                                                    \
    X(RM_E_INTERNAL, -13, "internal error; please report it with a log at level debug")                                \
    X(RM_E_IO, -14, "the operating system refused an input/output call; the detail has its reason")                    \
    X(RM_E_CONFIG, -15, "the configuration is invalid; the detail names each field")                                   \
    X(RM_E_RESOLVE, -16, "a host name could not be resolved; check the name and the resolver")                         \
    X(RM_E_TLS, -17, "the TLS handshake or certificate check failed; pass the right CA file")                          \
    X(RM_E_DENIED, -18, "not allowed; its owner can (control_peers, allowed_peers, denied_peers)")                     \
    X(RM_E_SIGNALING, -30, "the signaling server closed or refused the connection; check its URL")                     \
    X(RM_E_RPC_PARSE, -31, "the signaling server could not parse our message (-32700)")                                \
    X(RM_E_RPC_INVALID_REQUEST, -32, "the signaling server refused the request (-32600)")                              \
    X(RM_E_RPC_METHOD_NOT_FOUND, -33, "the signaling server does not know the method (-32601)")                        \
    X(RM_E_RPC_INVALID_PARAMS, -34, "the signaling server refused the parameters (-32602); is the peer id free?")      \
    X(RM_E_RPC_INTERNAL, -35, "the signaling server failed internally (-32603)")                                       \
    X(RM_E_PEER_NOT_FOUND, -36, "the peer is not connected to the signaling server (-32000)")                          \
    X(RM_E_SESSION_LIMIT, -37, "the room is full (-32001); raise max_peers or choose another room")                    \
    X(RM_E_OFFER_INVALID, -38, "the session description offer was refused (-32002)")                                   \
    X(RM_E_ANSWER_INVALID, -39, "the session description answer was refused (-32003)")                                 \
    X(RM_E_ICE_CANDIDATE_INVALID, -40, "an ICE candidate was refused (-32004)")                                        \
    X(RM_E_NEGOTIATION_IN_PROGRESS, -41, "a negotiation with this peer is already running (-32005)")                   \
    X(RM_E_CONNECTION_TIMEOUT, -42, "the peer did not connect in time (-32006)")                                       \
    X(RM_E_CODEC_MISMATCH, -43, "no common codec (-32007); the detail names both lists")                               \
    X(RM_E_RPC_OTHER, -44, "the signaling server answered with an error code unknown here")                            \
    X(RM_E_ICE_FAILED, -50, "no candidate pair works; the detail has the table of pairs")                              \
    X(RM_E_ICE_NO_RELAY, -51, "no direct path and no TURN relay; configure a turn: server on both or either side")     \
    X(RM_E_ICE_CONSENT, -52, "the peer stopped answering consent checks (RFC 7675)")                                   \
    X(RM_E_ICE_NO_CANDIDATES, -53, "no local candidate could be gathered; is there a network interface?")              \
    X(RM_E_STUN_TIMEOUT, -54, "the STUN server does not answer; check its address and UDP egress")                     \
    X(RM_E_TURN_AUTH, -55, "the TURN server refused the credentials (401)")                                            \
    X(RM_E_TURN_QUOTA, -56, "the TURN server is out of allocations (486 or 508)")                                      \
    X(RM_E_TURN_TIMEOUT, -57, "the TURN server does not answer; check its address and UDP egress")                     \
    X(RM_E_TURN_REFUSED, -58, "the TURN server refused the allocation; the detail has its code")                       \
    X(RM_E_DTLS_HANDSHAKE, -60, "the DTLS handshake failed; the detail has the alert")                                 \
    X(RM_E_DTLS_FINGERPRINT, -61, "the peer's certificate does not match its signaled fingerprint; do not trust it")   \
    X(RM_E_DTLS_TIMEOUT, -62, "the DTLS handshake did not finish in time")                                             \
    X(RM_E_SRTP_PROFILE, -63, "no common SRTP protection profile")                                                     \
    X(RM_E_SRTP_AUTH, -64, "an SRTP packet failed authentication and was dropped")                                     \
    X(RM_E_SRTP_REPLAY, -65, "an SRTP packet was a replay and was dropped")                                            \
    X(RM_E_SDP, -70, "the session description is malformed or unacceptable; the detail names the line")                \
    X(RM_E_SDP_PROFILE, -71, "a media section is not UDP/TLS/RTP/SAVPF or UDP/DTLS/SCTP; plain RTP is refused")

typedef enum rm_err {
#define RM_ERROR_ENUM(name, value, text) name = value,
    RM_ERROR_LIST(RM_ERROR_ENUM)
#undef RM_ERROR_ENUM
} rm_err;

/* The name of an error, for logs and JSON, e.g. "RM_E_TIMEOUT"; "RM_E_UNKNOWN" for a value not in the list.
 * Never NULL; static storage. Any thread. */
RM_API const char *rm_err_name(rm_err err);

/* One English sentence: what happened and the remedy. Never NULL; static storage. Any thread. */
RM_API const char *rm_strerror(rm_err err);

#ifdef __cplusplus
}
#endif

#endif
