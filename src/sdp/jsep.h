/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SDP_JSEP_H
#define RMI_SDP_JSEP_H

#include "base/log.h"
#include "base/rng.h"
#include "net/candidate.h"
#include "sdp/sdp.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Offer/answer with one peer (RFC 8829) over one bundled transport, with the W3C "perfect negotiation" rule for
 * colliding offers. Pure: text in, text and a result out; the caller owns transports, timers and signaling. */
struct rmi_jsep;

enum rmi_sdp_type { RMI_SDP_OFFER, RMI_SDP_ANSWER, RMI_SDP_PRANSWER /* treated as an answer */, RMI_SDP_ROLLBACK };

enum rmi_jsep_state { RMI_JSEP_STABLE, RMI_JSEP_HAVE_LOCAL_OFFER, RMI_JSEP_HAVE_REMOTE_OFFER };

enum rmi_jsep_codec_id {
    RMI_JSEP_OPUS,
    RMI_JSEP_VP9,
    RMI_JSEP_VP8,
    RMI_JSEP_H264,
    RMI_JSEP_CODEC_COUNT,
};

enum rmi_jsep_ext {
    RMI_JSEP_EXT_MID,
    RMI_JSEP_EXT_TWCC, /* transport-wide congestion control */
    RMI_JSEP_EXT_ABS_SEND_TIME,
    RMI_JSEP_EXT_AUDIO_LEVEL,
    RMI_JSEP_EXT_COUNT,
};

#define RMI_JSEP_MEDIA_MAX RMI_SDP_MEDIA_MAX /* media added here plus media that the remote brought */
#define RMI_JSEP_ID_MAX 64                   /* stream, track and cname length */
#define RMI_JSEP_DETAIL_MAX 256
#define RMI_JSEP_SCTP_PORT 5000
#define RMI_JSEP_MAX_MESSAGE_SIZE (24 << 20) /* what RemoteMedia allows, 16 MiB, in base64 */

struct rmi_jsep_config {
    struct rmi_rng rng;
    struct rmi_log *log;
    const char *name; /* the remote peer, for log lines; copied */
    bool polite;
    /* Video codecs to offer and accept, most wanted first; count 0 = VP9, VP8, H264. */
    enum rmi_jsep_codec_id video[RMI_JSEP_CODEC_COUNT];
    size_t video_count;
    /* An answer keeps the offerer's codec order; with this set video[0] comes first when it is common. */
    bool prefer_first;
    bool data_channel;       /* offer a data section, and accept one */
    bool ecn;                /* offer and accept ECN of media (RFC 6679) */
    bool no_audio, no_video; /* refuse the remote's sections of this kind, instead of receiving what they bring */
    const char *cname;       /* copied; 1..RMI_JSEP_ID_MAX characters without spaces */
};

/* RM_E_INVALID_ARG, RM_E_NO_MEMORY; *out is untouched then. */
rm_err rmi_jsep_create(const struct rmi_jsep_config *config, struct rmi_jsep **out);
void rmi_jsep_destroy(struct rmi_jsep **j);

/* Something to send and/or receive; takes effect with the next offer or answer. *index (may be NULL) is its handle,
 * which stays the same through every renegotiation and rollback. Ids may be NULL: no stream ("-"), a generated track.
 * RM_E_INVALID_ARG: kind not audio or video, an id with spaces or too long. RM_E_LIMIT. */
rm_err rmi_jsep_add_media(struct rmi_jsep *j, enum rmi_media_kind kind, enum rmi_direction direction,
                          const char *stream_id, const char *track_id, int *index);
/* RM_E_NOT_FOUND: no such handle, or stopped. */
rm_err rmi_jsep_set_direction(struct rmi_jsep *j, int index, enum rmi_direction direction);
/* End it for good: its section is offered with port 0 and may be recycled afterwards. RM_E_NOT_FOUND. */
rm_err rmi_jsep_stop_media(struct rmi_jsep *j, int index);

/* The local side of the one transport, as it is now. For an ICE restart pass new ufrag and pwd. */
struct rmi_jsep_local {
    const char *ufrag, *pwd;
    const char *fingerprint; /* "sha-256 AA:BB:.." */
    const struct rmi_candidate *candidates;
    size_t candidate_count;
    bool end_of_candidates;
};

/* Makes the offer AND applies it: have-local-offer. *sdp is the caller's (free()). RM_E_STATE: not stable.
 * RM_E_INVALID_ARG: nothing to offer (no media was added, no data channel) or `local` incomplete. RM_E_TOO_BIG: the
 * text would exceed RMI_SDP_TEXT_MAX. RM_E_NO_MEMORY. On an error nothing changed. */
rm_err rmi_jsep_create_offer(struct rmi_jsep *j, const struct rmi_jsep_local *local, char **sdp);
/* The same for the answer: only in have-remote-offer, then stable. */
rm_err rmi_jsep_create_answer(struct rmi_jsep *j, const struct rmi_jsep_local *local, char **sdp);

/* Apply what the remote sent. `detail` always becomes a text ("" on success).
 *   RM_E_NEGOTIATION_IN_PROGRESS  its offer collides with ours and we are impolite: ignored; await its answer
 *   RM_E_STATE                    an answer or rollback without an offer, an answer that names another offer than ours
 *                                 (a=x-answers, see sdp.h), or a second offer before our answer
 *   RM_E_SDP, RM_E_TOO_BIG        malformed or unacceptable
 *   RM_E_SDP_PROFILE              no section has an acceptable transport protocol
 *   RM_E_CODEC_MISMATCH           no section has a common codec; detail names both lists
 * On any error the state, the result and a pending local offer stay as they were. A polite side that meets a colliding
 * offer takes its own back (result: rolled_back) and is in have-remote-offer. */
rm_err rmi_jsep_set_remote(struct rmi_jsep *j, enum rmi_sdp_type type, const char *text, size_t len,
                           char detail[RMI_JSEP_DETAIL_MAX]);
/* Take back a pending local or remote offer. RM_E_STATE: stable already. */
rm_err rmi_jsep_rollback(struct rmi_jsep *j);

struct rmi_jsep_codec {
    enum rmi_jsep_codec_id id;
    const char *name; /* "opus", "VP9", "VP8", "H264": static */
    uint8_t pt_send;  /* what we put in packets */
    uint8_t pt_recv;  /* what the remote puts in its packets */
    int16_t rtx_send; /* payload types of repairs, RMI_SDP_NO_PT = none: retransmission of pictures (RFC 4588),
                         redundant sound (RFC 2198) */
    int16_t rtx_recv;
    uint32_t clock;
    uint8_t channels;
    const char *fmtp;  /* the remote's: what it wants to receive */
    uint32_t feedback; /* RMI_FB_*, common to both */
};

#define RMI_JSEP_CODECS_PER_MEDIA RMI_JSEP_CODEC_COUNT

struct rmi_jsep_media {
    int mline;  /* index in the description */
    int handle; /* as from rmi_jsep_add_media, or of a receiving one made for the remote's section; -1 when rejected
                 * without ever being ours */
    enum rmi_media_kind kind;
    const char *mid;
    bool rejected;                                           /* port 0, by either side; nothing below counts then */
    enum rmi_direction direction;                            /* negotiated, seen from us: send bit = we may send */
    struct rmi_jsep_codec codecs[RMI_JSEP_CODECS_PER_MEDIA]; /* most wanted first: send with codecs[0] */
    size_t codec_count;
    uint8_t ext[RMI_JSEP_EXT_COUNT]; /* header extension ids, 1..14; 0 = not negotiated */
    bool rtcp_rsize;
    bool ecn_send, ecn_receive; /* the remote reads ECN marks and reports them; it may set them, and wants reports */
    uint32_t ssrc, rtx_ssrc;    /* ours; rtx_ssrc 0 for audio */
    const char *cname;          /* ours */
    const struct rmi_sdp_ssrc *remote_ssrcs;
    size_t remote_ssrc_count;
    const struct rmi_sdp_fid *remote_fids;
    size_t remote_fid_count;
    const char *remote_stream, *remote_track; /* a=msid, "" = none */
};

struct rmi_jsep_result {
    enum rmi_jsep_state state;
    bool negotiation_needed; /* make an offer when stable */

    /* From the newest remote description, pending or not. Empty before the first. */
    bool has_remote;
    const char *remote_ufrag, *remote_pwd;
    bool remote_ice_lite, remote_trickle;
    const char *const *remote_fingerprints; /* "sha-256 AA:BB:.." */
    size_t remote_fingerprint_count;
    const struct rmi_candidate *remote_candidates;
    size_t remote_candidate_count;
    bool remote_end_of_candidates;
    bool dtls_client;          /* we send the ClientHello; final when stable */
    bool has_data;             /* a data section is accepted */
    uint16_t sctp_port;        /* the remote's */
    uint64_t max_message_size; /* the remote's; 0 = no limit; 65536 when not given (RFC 8841 6.1) */

    /* Of the last successful set_remote(). */
    bool rolled_back;             /* our own pending offer was given up for the remote's */
    bool ice_restarted_by_remote; /* ufrag and pwd both differ from the description before (also in the answer to an
                                   * offer that restarted from our side) */
    bool fingerprints_changed;    /* the remote's certificate is another one than before */

    /* In m-line order. Stable: as negotiated. have-local-offer: as negotiated before it. have-remote-offer: as an
     * answer made now would have it. */
    const struct rmi_jsep_media *media;
    size_t media_count;
};

/* Never NULL; it and all it points to are valid until the next call that changes j. */
const struct rmi_jsep_result *rmi_jsep_result(struct rmi_jsep *j);
uint64_t rmi_jsep_session_id(const struct rmi_jsep *j); /* of o= in our descriptions */

/* The m-line that trickled candidates are labelled with: index and mid of the bundle's first section in the newest
 * description, pending ones included. RM_E_STATE before any description. */
rm_err rmi_jsep_transport_mline(const struct rmi_jsep *j, int *mline, const char **mid);

#endif
