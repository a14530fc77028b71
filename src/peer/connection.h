/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_PEER_CONNECTION_H
#define RMI_PEER_CONNECTION_H

#include "base/log.h"
#include "base/rng.h"
#include "dtls/dtls.h"
#include "ice/agent.h"
#include "ice/mux.h"
#include "net/candidate.h"
#include "net/datagram.h"
#include "sdp/jsep.h"
#include "srtp/srtp.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One peer connection: negotiation (sdp), connectivity (ice), keys (dtls) and packet protection (srtp) composed into
 * one object. Pure: descriptions, candidates and datagrams in; datagrams through the sink, events and a deadline out.
 * One thread. */
struct rmi_pc;

enum rmi_pc_state { /* W3C RTCPeerConnectionState */
                    RMI_PC_NEW,
                    RMI_PC_CONNECTING,
                    RMI_PC_CONNECTED,
                    RMI_PC_DISCONNECTED, /* nothing received for the liveness time; may recover */
                    RMI_PC_FAILED,
                    RMI_PC_CLOSED
};

struct rmi_pc_config {
    struct rmi_rng rng;
    struct rmi_log *log;
    const char *name;     /* remote peer id, for log lines; copied */
    struct rmi_sink sink; /* outgoing datagrams; base may be a relay base */
    struct rmi_mux *mux;  /* ufrags, tag and sources are registered here; must outlive the connection */
    void *mux_owner;
    struct rmi_dtls_cert *cert; /* a reference is taken */
    bool offerer;               /* makes the first offer: ICE controlling (RFC 8445 6.1.1) */
    bool polite;                /* perfect negotiation role */
    bool relay_only;
    bool audio, video, data;            /* media sections to offer */
    bool ecn;                           /* of media, where the remote wants it, too */
    enum rmi_jsep_codec_id video_first; /* preferred video codec */
    int64_t liveness_us;                /* 0 = 2 s */
    int64_t ice_timeout_us;             /* 0 = 10 s */
    const char *stream_id;              /* msid stream and CNAME: our own peer id; copied */
};

enum rmi_pc_event_type {
    RMI_PC_EV_STATE,             /* state, err, detail */
    RMI_PC_EV_LOCAL_DESCRIPTION, /* sdp_type, sdp: send it to the peer */
    RMI_PC_EV_LOCAL_CANDIDATE,   /* text ("" = end of candidates), mid, mline */
    RMI_PC_EV_RESOLVE,           /* hostname, resolve_id: answer with rmi_pc_resolved */
    RMI_PC_EV_SELECTED_PAIR,     /* ask rmi_pc_ice for it */
    RMI_PC_EV_SILENCE            /* the path may be lost: as RMI_ICE_EV_SILENCE */
};

struct rmi_pc_event {
    enum rmi_pc_event_type type;
    enum rmi_pc_state state;
    rm_err err;
    char detail[256];
    enum rmi_sdp_type sdp_type;
    char *sdp; /* the receiver of the event frees it */
    char text[RMI_CAND_TEXT_MAX];
    char mid[RMI_SDP_TOKEN_MAX];
    int mline;
    uint32_t resolve_id;
    char hostname[RMI_CAND_HOST_MAX];
};

/* When each step was first reached, on the caller's clock; 0 = not yet. */
struct rmi_pc_steps {
    int64_t created_us;
    int64_t negotiated_us;    /* offer and answer both applied */
    int64_t gathered_us;      /* first local candidate */
    int64_t checking_us;      /* ICE state checking */
    int64_t ice_connected_us; /* a pair answers */
    int64_t dtls_us;          /* DTLS handshake done, fingerprint verified */
    int64_t connected_us;     /* all of it */
};

struct rmi_pc_stats {
    uint64_t packets_in, packets_out, bytes_in, bytes_out;
    uint64_t drop_unvalidated; /* not STUN, from a source no check has validated */
    uint64_t drop_unknown;     /* no known packet kind */
    uint64_t drop_srtp;        /* failed authentication, replay, or before keys */
    uint64_t drop_candidates;  /* malformed or unsupported remote candidates */
    uint64_t dtls_stashed;     /* early DTLS kept until its pair was validated */
};

/* Receives unprotected packets with the ECN field they came with: `data` is valid and writable during the call. */
typedef void (*rmi_pc_packet_fn)(void *ctx, int64_t now_us, bool rtcp, enum rmi_ecn ecn, uint8_t *data, size_t len);

rm_err rmi_pc_create(const struct rmi_pc_config *config, int64_t now_us, struct rmi_pc **out);
void rmi_pc_destroy(struct rmi_pc **pc);
void rmi_pc_on_packet(struct rmi_pc *pc, rmi_pc_packet_fn fn, void *ctx);
/* Receives the payload of each DTLS record (SCTP, RFC 8261), valid during the call. */
typedef void (*rmi_pc_data_fn)(void *ctx, int64_t now_us, const uint8_t *data, size_t len);
void rmi_pc_on_data(struct rmi_pc *pc, rmi_pc_data_fn fn, void *ctx);
/* One record, at most RMI_DTLS_PAYLOAD_MAX bytes. RM_E_STATE: not connected; RM_E_TOO_BIG; RM_E_INVALID_ARG. */
rm_err rmi_pc_send_data(struct rmi_pc *pc, int64_t now_us, const uint8_t *data, size_t len);
/* DTLS close_notify, stop ICE, state CLOSED. Idempotent. */
void rmi_pc_close(struct rmi_pc *pc, int64_t now_us);

/* Make an offer; it comes as RMI_PC_EV_LOCAL_DESCRIPTION. RM_E_STATE while one is outstanding. */
rm_err rmi_pc_offer(struct rmi_pc *pc, int64_t now_us);
/* The same with new ICE credentials (RFC 8445 9); DTLS and SRTP stay. */
rm_err rmi_pc_restart_ice(struct rmi_pc *pc, int64_t now_us);
/* An offer (the answer comes as an event) or an answer. Errors as rmi_jsep_set_remote; the connection is unchanged
 * then. */
rm_err rmi_pc_remote_description(struct rmi_pc *pc, int64_t now_us, enum rmi_sdp_type type, const char *sdp, size_t len,
                                 char detail[256]);
/* Candidate text as signaled; "" = end of candidates. Kept (bounded) while no remote description is known.
 * RM_E_PARSE, RM_E_UNSUPPORTED, RM_E_LIMIT: counted, the connection is unchanged. */
rm_err rmi_pc_remote_candidate(struct rmi_pc *pc, int64_t now_us, const char *text, size_t len);
/* addr NULL: the name did not resolve; the candidate is skipped. */
void rmi_pc_resolved(struct rmi_pc *pc, int64_t now_us, uint32_t resolve_id, const struct rmi_addr *addr);

/* From the gatherer. */
void rmi_pc_local_candidate(struct rmi_pc *pc, int64_t now_us, rmi_base_id base, const struct rmi_candidate *c);
void rmi_pc_local_done(struct rmi_pc *pc, int64_t now_us);
/* Signal every local candidate once more: the server threw them away because the peer was not ready. */
void rmi_pc_repost_candidates(struct rmi_pc *pc);
/* The offer could not be sent: take it back (and the ICE restart with it). RM_E_STATE: none is outstanding. */
rm_err rmi_pc_offer_lost(struct rmi_pc *pc, int64_t now_us);
void rmi_pc_base_gone(struct rmi_pc *pc, int64_t now_us, rmi_base_id base);

void rmi_pc_input(struct rmi_pc *pc, int64_t now_us, rmi_base_id base, const struct rmi_addr *from, enum rmi_ecn ecn,
                  uint8_t *data, size_t len);
/* One RTP or RTCP packet in the clear, in a buffer with RMI_HEADROOM in front and `cap` bytes in all, protected in
 * place and sent. RM_E_STATE: not connected. */
rm_err rmi_pc_send(struct rmi_pc *pc, int64_t now_us, bool rtcp, uint8_t *data, size_t len, size_t cap);
/* One RTP packet likewise, as ECT(0) where the sink can do that. */
rm_err rmi_pc_send_ect(struct rmi_pc *pc, int64_t now_us, uint8_t *data, size_t len, size_t cap);

int64_t rmi_pc_next_deadline(const struct rmi_pc *pc);
void rmi_pc_timeout(struct rmi_pc *pc, int64_t now_us);
bool rmi_pc_poll_event(struct rmi_pc *pc, struct rmi_pc_event *out);

/* Why no relay is at hand (a TURN error): told instead of "no pair works" if ICE fails. */
void rmi_pc_set_relay_error(struct rmi_pc *pc, rm_err err);
/* Final: state FAILED with this error and detail; used when signaling ends the attempt. */
void rmi_pc_abort(struct rmi_pc *pc, int64_t now_us, rm_err err, const char *detail);
/* When sound or pictures were sent or received last; 0: never. */
int64_t rmi_pc_media_us(const struct rmi_pc *pc);
enum rmi_pc_state rmi_pc_state_of(const struct rmi_pc *pc);
const char *rmi_pc_state_name(enum rmi_pc_state s);
rm_err rmi_pc_error(const struct rmi_pc *pc);             /* why it failed; RM_OK otherwise */
const char *rmi_pc_error_detail(const struct rmi_pc *pc); /* "" unless failed */
const struct rmi_pc_steps *rmi_pc_steps_of(const struct rmi_pc *pc);
const struct rmi_ice_agent *rmi_pc_ice(const struct rmi_pc *pc);
const struct rmi_jsep_result *rmi_pc_negotiated(const struct rmi_pc *pc);
/* Grows with each description of the remote that was applied: then rmi_pc_negotiated may say something new. */
uint32_t rmi_pc_negotiations(const struct rmi_pc *pc);
void rmi_pc_get_stats(const struct rmi_pc *pc, struct rmi_pc_stats *out);
enum rmi_srtp_profile rmi_pc_srtp_profile(const struct rmi_pc *pc);
/* Whether a description comes from the session this connection talks to: same o= id, or none known yet. */
bool rmi_pc_same_session(const struct rmi_pc *pc, const char *sdp, size_t len);
/* The o= ids of our descriptions and of the remote's (0 = none known yet): name this connection among those with the
 * same peer. */
uint64_t rmi_pc_session(const struct rmi_pc *pc);
uint64_t rmi_pc_remote_session(const struct rmi_pc *pc);
/* An offer of ours waits for its answer. */
bool rmi_pc_offer_outstanding(const struct rmi_pc *pc);

#endif
