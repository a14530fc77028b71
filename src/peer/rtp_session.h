/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_PEER_RTP_SESSION_H
#define RMI_PEER_RTP_SESSION_H

#include "base/log.h"
#include "base/rng.h"
#include "cc/share.h"
#include "net/datagram.h"
#include "rtp/batch.h"
#include "rtp/ecn.h"
#include "rtp/ext.h"
#include "sdp/jsep.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RTP and RTCP of one connection (RFC 3550, RFC 8834): numbers and header extensions of what is sent, sources and
 * losses of what is received, reports, feedback and retransmission both ways. Pure; one thread (the network's).
 * Decoding, waiting for order and playing are the receivers' (src/session). */
struct rmi_rtp_session;

enum rmi_rtp_kind { RMI_RTP_AUDIO, RMI_RTP_VIDEO, RMI_RTP_KINDS };

/* A received media packet. Pointers are valid during the call. */
struct rmi_rtp_in {
    enum rmi_rtp_kind kind;
    enum rmi_payload_format format;
    uint32_t ssrc, timestamp;
    uint16_t seq;
    bool marker;
    bool repaired; /* came by retransmission, or as a copy in a later packet */
    bool padding;  /* no payload, but its number counts */
    bool has_audio_level, voice;
    uint8_t audio_level;
    const uint8_t *payload;
    size_t len;
    int64_t arrival_us;
};

/* What may be sent now, as congestion control has it. */
struct rmi_rtp_rate {
    double target_bps; /* everything, in whole datagrams */
    double video_bps;  /* pictures as the encoder makes them, after sound, repairs and headers; 0: none at all */
    double loss;       /* 0..1, recent */
    int64_t rtt_us;    /* 0: unknown */
    enum rmi_cc_limit limited_by;
};

struct rmi_rtp_session_ops {
    /* As rmi_pc_send: `data` has RMI_HEADROOM in front and `cap` bytes. */
    rm_err (*send)(void *ctx, int64_t now_us, bool rtcp, uint8_t *data, size_t len, size_t cap);
    /* The same for RTP, as ECT(0). NULL: no ECN, whatever was negotiated. */
    rm_err (*send_ect)(void *ctx, int64_t now_us, uint8_t *data, size_t len, size_t cap);
    void (*on_media)(void *ctx, const struct rmi_rtp_in *packet);
    /* The remote wants a key frame of ours (PLI or FIR, coalesced: at most one call each 300 ms). */
    void (*on_key_request)(void *ctx, int64_t now_us);
    /* A sender report of the remote: ties its timestamps to its clock (for lip sync). */
    void (*on_sender_report)(void *ctx, enum rmi_rtp_kind kind, uint64_t ntp, uint32_t timestamp);
    /* The remote stream of this kind ended (BYE). */
    void (*on_bye)(void *ctx, enum rmi_rtp_kind kind);
    /* Another rate, or another reason for it. May be NULL. */
    void (*on_rate)(void *ctx, int64_t now_us, const struct rmi_rtp_rate *rate);
};

struct rmi_rtp_session_config {
    struct rmi_rng rng;
    struct rmi_log *log;
    const char *name; /* remote peer, for log lines; copied */
    struct rmi_rtp_session_ops ops;
    void *ctx;
    bool rtcp_reports;        /* SR/RR/SDES; feedback (NACK, PLI, TWCC) is sent all the same where negotiated */
    int64_t rtcp_interval_us; /* mean time between reports, randomised by RFC 3550 6.3.1; 0 = 1 s */
    int64_t unix_offset_us;   /* add to now_us for the time of day: NTP stamps of sender reports */
    /* Congestion control and pacing. All zeros: packets leave as they come. */
    struct rmi_cc_limits limits;
    const struct rmi_cc_ops *cc; /* NULL: rmi_cc_gcc */
    struct rmi_cc_share *share;  /* of the connections that leave by the same way; NULL: alone */
    double weight;               /* of its part of what it shares, with these and with others; 0 = 1 */
    int64_t sound_wait_us;  /* how late sound may be at most to be of use to its receiver: a repair that cannot come
                               sooner is not asked for; 0 = 50 ms */
    size_t history_packets; /* most video packets kept for retransmission, power of two; 0 = 1024. They are kept for
                               a second and a round trip, as references: pools of batches need room for that */
};

rm_err rmi_rtp_session_create(const struct rmi_rtp_session_config *config, struct rmi_rtp_session **out);
void rmi_rtp_session_destroy(struct rmi_rtp_session **session);

/* Takes over what was negotiated (again, after each negotiation; running streams go on, with their numbers). */
void rmi_rtp_session_negotiated(struct rmi_rtp_session *s, int64_t now_us, const struct rmi_jsep_result *result);
/* What we may send now: the codec the remote wants most among those in `result`. False: nothing of this kind. */
bool rmi_rtp_session_send_format(const struct rmi_rtp_session *s, enum rmi_rtp_kind kind,
                                 enum rmi_payload_format *format);
/* Whether this format may be sent. `fmtp` (may be NULL) receives the remote's parameters, never NULL then; they are
 * valid until the next negotiation. */
bool rmi_rtp_session_accepts(const struct rmi_rtp_session *s, enum rmi_payload_format format, const char **fmtp);

/* Losses of the sound that we send are mended by its codec's own FEC or not at all: the remote can make use of it
 * (useinbandfec, RFC 7587 6.1), and takes no copies. */
bool rmi_rtp_session_needs_fec(const struct rmi_rtp_session *s);
/* Copies of each frame of sound that its losses call for; 0: the remote takes none. */
unsigned rmi_rtp_session_copies(const struct rmi_rtp_session *s);

/* One unprotected packet from the connection (rmi_pc_on_packet), with the ECN field it came with. */
void rmi_rtp_session_input(struct rmi_rtp_session *s, int64_t now_us, bool rtcp, enum rmi_ecn ecn, uint8_t *data,
                           size_t len);
/* Sends every packet of a batch; of pictures, with congestion control, those that may leave now, the others in their
 * time. RM_E_STATE: not connected (of pictures, on_key_request is called when it works again);
 * RM_E_UNSUPPORTED: the format is not negotiated. */
rm_err rmi_rtp_session_send(struct rmi_rtp_session *s, int64_t now_us, const struct rmi_rtp_batch *batch);
/* The local way it goes: only connections of the same one share (struct rmi_cc_member). */
void rmi_rtp_session_set_uplink(struct rmi_rtp_session *s, uint32_t uplink);
/* False: there is no congestion control. */
bool rmi_rtp_session_get_rate(const struct rmi_rtp_session *s, struct rmi_rtp_rate *out);
/* Ask the remote for a key frame of its video: PLI, or FIR where only that is negotiated. At most one in 300 ms. */
void rmi_rtp_session_ask_key(struct rmi_rtp_session *s, int64_t now_us);
/* The receiver of this kind has no use for numbers before `seq` any more: stop asking for them. */
void rmi_rtp_session_done_before(struct rmi_rtp_session *s, enum rmi_rtp_kind kind, uint16_t seq);
/* BYE for our streams, before a connection is closed. */
void rmi_rtp_session_bye(struct rmi_rtp_session *s, int64_t now_us);

int64_t rmi_rtp_session_next_deadline(const struct rmi_rtp_session *s);
void rmi_rtp_session_timeout(struct rmi_rtp_session *s, int64_t now_us);

/* W3C statistics names where they exist (RTCInboundRtpStreamStats, RTCOutboundRtpStreamStats, RTCRemoteInbound...). */
struct rmi_rtp_stream_stats {
    bool active;
    enum rmi_payload_format format;
    uint32_t ssrc;
    uint64_t packets, bytes; /* payload bytes, as in W3C bytesSent/bytesReceived */
    uint64_t frames;         /* sent batches; 0 for received */
    int64_t packets_lost;    /* cumulative: in: ours; out: as the remote reports */
    double fraction_lost;    /* 0..1, last interval */
    double loss;             /* out: of all that we send, 0..1, smoothed; by transport-wide feedback or reports */
    int64_t jitter_us;       /* in: ours; out: as the remote reports */
    uint64_t nacks, plis, firs, retransmitted, rtx_packets, key_frames;
    uint64_t ce;        /* packets marked as congestion: that came; of ours, as the remote reports */
    uint64_t redundant; /* copies of sound (RFC 2198): sent; received and of use */
    /* in: unknown payload type, a stranger's SSRC, far out of sequence, came already by the other way (first-hand or
     * retransmitted); out: asked for again and not sent (no RTX, too old, too soon, over the budget). */
    uint64_t dropped;
};
struct rmi_rtp_session_stats {
    struct rmi_rtp_stream_stats in[RMI_RTP_KINDS], out[RMI_RTP_KINDS];
    int64_t rtt_us; /* from report blocks; 0: unknown */
    uint64_t remb_bps;
    double available_outgoing_bps; /* W3C availableOutgoingBitrate: the target; 0: no congestion control */
    int64_t pacer_delay_us;        /* of the packet that waited longest and still does */
    uint64_t probes, padding_packets, padding_bytes, pacer_dropped, breaker_trips;
    uint64_t rtcp_in, rtcp_out, rtcp_malformed, rtp_malformed, twcc_sent, twcc_received;
    enum rmi_ecn_state ecn; /* of what we send */
    uint32_t ecn_failures;
    uint64_t rtp_unknown; /* packets of no section of ours, and our own that came back */
};
void rmi_rtp_session_get_stats(const struct rmi_rtp_session *s, struct rmi_rtp_session_stats *out);

#endif
