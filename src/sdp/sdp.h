/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SDP_SDP_H
#define RMI_SDP_SDP_H

#include "base/sbuf.h"
#include "net/candidate.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A session description as data (RFC 8866 with the WebRTC attributes). All strings and arrays belong to the struct
 * rmi_sdp that they hang from; strings are never NULL ("" = absent). Limits hold for parsing and for building. */
#define RMI_SDP_TEXT_MAX 65536 /* the signaling protocol's limit for one description */
#define RMI_SDP_LINE_MAX 4096
#define RMI_SDP_MEDIA_MAX 32
#define RMI_SDP_CODEC_MAX 64 /* Chromium offers about 50 for video */
#define RMI_SDP_EXTMAP_MAX 32
#define RMI_SDP_CANDIDATE_MAX 64 /* further candidates are skipped and counted, not an error */
#define RMI_SDP_FINGERPRINT_MAX 8
#define RMI_SDP_SSRC_MAX 32
#define RMI_SDP_FID_MAX 16
#define RMI_SDP_GROUP_MAX RMI_SDP_MEDIA_MAX
#define RMI_SDP_TOKEN_MAX 256 /* ufrag, pwd, codec name, uri, msid parts, fingerprint, cname */
#define RMI_SDP_MID_MAX 32    /* travels in a header extension: more than 16 needs two-byte headers (RFC 8285 4.2) */

enum rmi_media_kind { RMI_MEDIA_AUDIO, RMI_MEDIA_VIDEO, RMI_MEDIA_DATA, RMI_MEDIA_OTHER };

/* Bit 0: sends, bit 1: receives (seen from whoever wrote the description). */
enum rmi_direction {
    RMI_DIR_INACTIVE = 0,
    RMI_DIR_SENDONLY = 1,
    RMI_DIR_RECVONLY = 2,
    RMI_DIR_SENDRECV = 3,
};
#define RMI_DIR_SEND_BIT 1U
#define RMI_DIR_RECV_BIT 2U

enum rmi_sdp_setup { RMI_SETUP_NONE, RMI_SETUP_ACTPASS, RMI_SETUP_ACTIVE, RMI_SETUP_PASSIVE, RMI_SETUP_HOLDCONN };

/* Feedback flags of a codec (a=rtcp-fb). */
#define RMI_FB_NACK 0x01U
#define RMI_FB_NACK_PLI 0x02U
#define RMI_FB_CCM_FIR 0x04U
#define RMI_FB_TRANSPORT_CC 0x08U
#define RMI_FB_GOOG_REMB 0x10U
#define RMI_FB_NACK_ECN 0x20U /* RFC 6679 6.2 */

/* How the use of ECN may begin (RFC 6679 7.2): by some marked packets and what is reported of them, by checks of ICE,
 * at once. */
#define RMI_ECN_BY_RTP 0x01U
#define RMI_ECN_BY_ICE 0x02U
#define RMI_ECN_BY_LEAP 0x04U

#define RMI_SDP_NO_PT (-1)

struct rmi_sdp_codec {
    uint8_t pt;       /* 0..127 */
    const char *name; /* as spelled in the rtpmap; "" when the type is dynamic and has no rtpmap */
    uint32_t clock;
    uint8_t channels; /* 1 unless given */
    const char *fmtp; /* parameters after the payload type, or "" */
    uint32_t feedback;
    int16_t apt; /* the media payload type an rtx entry belongs to, else RMI_SDP_NO_PT */
};

struct rmi_sdp_extmap {
    uint8_t id; /* 1..255 */
    enum rmi_direction direction;
    const char *uri;
};

struct rmi_sdp_ssrc {
    uint32_t ssrc;
    const char *cname;
};

struct rmi_sdp_fid {
    uint32_t media_ssrc, rtx_ssrc;
};

struct rmi_sdp_media {
    enum rmi_media_kind kind;
    const char *kind_name; /* the word after m= */
    uint16_t port;
    const char *proto;
    const char *fmt; /* the format list as text (payload types, or "webrtc-datachannel") */
    const char *mid;
    enum rmi_direction direction;
    bool rtcp_mux, rtcp_rsize, bundle_only;
    const char *ice_ufrag, *ice_pwd; /* own or inherited from the session level */
    bool trickle;
    bool end_of_candidates;
    enum rmi_sdp_setup setup;
    const char *tls_id;
    const char *fingerprints[RMI_SDP_FINGERPRINT_MAX]; /* "sha-256 AA:BB:.."; own, else inherited */
    size_t fingerprint_count;
    struct rmi_candidate *candidates;
    size_t candidate_count;
    size_t candidates_skipped; /* malformed, or past RMI_SDP_CANDIDATE_MAX */
    struct rmi_sdp_codec *codecs;
    size_t codec_count;
    struct rmi_sdp_extmap *extmaps;
    size_t extmap_count;
    unsigned ecn;                 /* RMI_ECN_BY_*; 0 = no a=ecn-capable-rtp (RFC 6679 6.1), or none that is known */
    bool ecn_no_set, ecn_no_read; /* mode=readonly, mode=setonly */
    bool ecn_summary;             /* a=rtcp-xr:ecn-sum */
    const char *msid_stream, *msid_track; /* "" = no a=msid; stream "-" = in no stream */
    struct rmi_sdp_ssrc *ssrcs;
    size_t ssrc_count;
    struct rmi_sdp_fid *fids;
    size_t fid_count;
    int32_t sctp_port;        /* -1 = not given */
    int64_t max_message_size; /* -1 = not given, 0 = unlimited (RFC 8841 6) */
};

struct rmi_sdp_block;

struct rmi_sdp {
    uint64_t origin_id, origin_version;
    /* Our own attribute "a=x-answers:ID VERSION": in an answer, the o= id and version of the offer it answers. Others
     * ignore it and send none (all zero); between ours it tells a late answer for a peer id's former holder from one
     * for us. */
    bool has_answers;
    uint64_t answers_id, answers_version;
    const char *bundle[RMI_SDP_GROUP_MAX]; /* mids of the BUNDLE group */
    size_t bundle_count;
    bool has_bundle;
    bool extmap_allow_mixed;
    bool ice_lite;
    struct rmi_sdp_media *media;
    size_t media_count;
    struct rmi_sdp_block *blocks; /* owner of all memory; private */
};

/* Where parsing stopped: 1-based line number and what is wrong there. */
struct rmi_sdp_fault {
    size_t line;
    char text[160];
};

/* RM_E_SDP: malformed. RM_E_TOO_BIG: one of the limits above. RM_E_NO_MEMORY. On an error *out is NULL and *fault
 * (may be NULL) says where. Unknown attributes and malformed candidates are skipped. CRLF and LF both end a line. */
rm_err rmi_sdp_parse(const char *text, size_t len, struct rmi_sdp **out, struct rmi_sdp_fault *fault);
/* NULL is fine. */
void rmi_sdp_free(struct rmi_sdp *sdp);
/* Appends the description to `out` with CRLF line ends; failure shows in out->failed. What parse() understands comes
 * back the same, except that session-level ICE and DTLS attributes are written in each media section. */
void rmi_sdp_write(const struct rmi_sdp *sdp, struct rmi_sbuf *out);

/* Building. An empty description; NULL without memory. */
struct rmi_sdp *rmi_sdp_create(void);
/* Zeroed memory, or a copy of n bytes of text with a NUL, that lives as long as the description. NULL without memory.
 */
void *rmi_sdp_alloc(struct rmi_sdp *sdp, size_t size);
const char *rmi_sdp_text(struct rmi_sdp *sdp, const char *text, size_t n);
/* A new section at the end with all strings "", sctp_port and max_message_size -1, candidates none. NULL: limit or
 * memory. Pointers to earlier sections end with this call (the list may move); the same holds for the lists below. */
struct rmi_sdp_media *rmi_sdp_add_media(struct rmi_sdp *sdp, const char *kind_name);
/* A zeroed entry at the end of the section's list, strings "". NULL: limit or memory. */
struct rmi_sdp_codec *rmi_sdp_add_codec(struct rmi_sdp *sdp, struct rmi_sdp_media *m);
struct rmi_sdp_extmap *rmi_sdp_add_extmap(struct rmi_sdp *sdp, struct rmi_sdp_media *m);
struct rmi_sdp_ssrc *rmi_sdp_add_ssrc(struct rmi_sdp *sdp, struct rmi_sdp_media *m);
struct rmi_sdp_fid *rmi_sdp_add_fid(struct rmi_sdp *sdp, struct rmi_sdp_media *m);
struct rmi_candidate *rmi_sdp_add_candidate(struct rmi_sdp *sdp, struct rmi_sdp_media *m);

/* Whether `mid` is in the BUNDLE group. */
bool rmi_sdp_bundled(const struct rmi_sdp *sdp, const char *mid);
const struct rmi_sdp_codec *rmi_sdp_codec_by_pt(const struct rmi_sdp_media *m, int pt);
/* The value of one parameter ("apt", "profile-id"; any letter case) in a fmtp text: its start and length, or NULL. */
const char *rmi_sdp_fmtp_param(const char *fmtp, const char *name, size_t *len);

#endif
