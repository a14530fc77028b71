/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SDP_JSEP_PRIVATE_H
#define RMI_SDP_JSEP_PRIVATE_H

#include "sdp/jsep.h"

#define JSEP_NONE (-1)
#define JSEP_PT_COUNT 128
#define JSEP_RTP_PROTO "UDP/TLS/RTP/SAVPF"
#define JSEP_SCTP_PROTO "UDP/DTLS/SCTP"
#define JSEP_SCTP_FMT "webrtc-datachannel"
#define JSEP_OLD_SCTP_PROTO "DTLS/SCTP"
#define JSEP_MEDIA_PORT 9 /* discard: the address comes from ICE (RFC 8829 5.2.1) */
#define JSEP_CODEC_TEXT_MAX 96
#define JSEP_NAME_MAX 64

/* What the application, or a section of the remote, wants to carry. Its place in the table is the handle. */
struct jsep_transceiver {
    bool used;
    bool stopped;     /* ended by either side; kept until no section refers to it */
    bool from_remote; /* made to receive what the remote brought; the application has not sent on it */
    bool provisional; /* made by the remote offer that is still pending */
    enum rmi_media_kind kind;
    enum rmi_direction want;
    enum rmi_direction negotiated_want; /* what we wanted when it was last negotiated */
    char stream[RMI_JSEP_ID_MAX + 1];
    char track[RMI_JSEP_ID_MAX + 1];
    uint32_t ssrc, rtx_ssrc;
};

/* The numbers under which each codec and extension travels. */
struct jsep_numbers {
    int16_t pt[RMI_JSEP_CODEC_COUNT];
    int16_t rtx[RMI_JSEP_CODEC_COUNT]; /* of sound: redundancy */
    uint8_t ext[RMI_JSEP_EXT_COUNT];
};

struct jsep_section {
    char mid[RMI_SDP_MID_MAX + 1];
    enum rmi_media_kind kind;
    bool dead; /* port 0 */
    int transceiver;
    enum rmi_direction direction;        /* negotiated, ours */
    enum rmi_direction remote_direction; /* as the remote wrote it */
    enum rmi_direction offered_want;
    struct jsep_numbers offered; /* by our last offer */
    struct rmi_jsep_codec codecs[RMI_JSEP_CODECS_PER_MEDIA];
    size_t codec_count;
    uint8_t ext[RMI_JSEP_EXT_COUNT];
    bool rtcp_rsize;
    unsigned ecn; /* RMI_ECN_BY_*: as agreed, one; 0 = none */
    bool ecn_send, ecn_receive;
};

struct jsep_transport {
    const char *ufrag, *pwd;
    const char *fingerprints[RMI_SDP_FINGERPRINT_MAX];
    size_t fingerprint_count;
    bool trickle, end_of_candidates;
    const struct rmi_candidate *candidates;
    size_t candidate_count;
};

/* One state of the negotiation. Everything in it points into `remote`, which it owns. */
struct jsep_view {
    struct rmi_sdp *remote; /* NULL before the first remote description */
    size_t count;
    struct jsep_numbers numbers;
    struct jsep_transport transport;
    bool has_role, dtls_client;
    struct jsep_section sections[RMI_SDP_MEDIA_MAX]; /* the last, see jsep_copy_view */
};

struct rmi_jsep {
    struct rmi_rng rng;
    struct rmi_log *log;
    char name[JSEP_NAME_MAX + 1];
    char cname[RMI_JSEP_ID_MAX + 1];
    bool polite, prefer_first, accept_data, ecn, no_audio, no_video;
    enum rmi_jsep_codec_id video[RMI_JSEP_CODEC_COUNT];
    size_t video_count;

    enum rmi_jsep_state state;
    uint64_t session_id, version;
    uint32_t next_mid;
    struct jsep_transceiver transceivers[RMI_JSEP_MEDIA_MAX];
    struct jsep_view current; /* as last agreed */
    struct jsep_view pending; /* valid while not stable; without `remote` in have-local-offer */
    struct jsep_view scratch; /* the next one, until it is known to be good */
    bool rolled_back, ice_restarted, fingerprints_changed;

    struct rmi_jsep_result result;
    struct rmi_jsep_media media[RMI_SDP_MEDIA_MAX];
};

/* jsep.c */
void jsep_set_state(struct rmi_jsep *j, enum rmi_jsep_state state, const char *reason);
/* A free slot made into a transceiver with its sources drawn; JSEP_NONE when the table is full. */
int jsep_new_transceiver(struct rmi_jsep *j, enum rmi_media_kind kind, enum rmi_direction want);
/* The section of `view` that carries a transceiver, or JSEP_NONE. */
int jsep_section_of(const struct jsep_view *view, int transceiver);
bool jsep_in_use(const struct jsep_view *view, int transceiver);
/* The view that the next description builds on or that is being agreed. */
const struct jsep_view *jsep_newest(const struct rmi_jsep *j);
void jsep_drop_provisional(struct rmi_jsep *j);
/* Replace `pending` or `current` by `next`, whose content moves; the old one is freed. */
/* With as many sections as there are: a call has three of 32. Those behind them are begun afresh when they are used. */
void jsep_copy_view(struct jsep_view *to, const struct jsep_view *from);
void jsep_install(struct jsep_view *place, struct jsep_view *next);
/* After the newest exchange is agreed: `pending` becomes `current`, stable. */
void jsep_agree(struct rmi_jsep *j, const char *reason);
enum rmi_direction jsep_reverse(enum rmi_direction direction);

/* jsep_codec.c */
struct jsep_codec_info {
    const char *name;
    enum rmi_media_kind kind;
    uint32_t clock;
    uint8_t channels;
    int16_t pt, rtx;   /* in a first offer */
    uint32_t feedback; /* besides that of ECN */
};
const struct jsep_codec_info *jsep_codec_info(enum rmi_jsep_codec_id id);
const char *jsep_ext_uri(enum rmi_jsep_ext ext);
bool jsep_ext_applies(enum rmi_jsep_ext ext, enum rmi_media_kind kind);
/* Codecs of ours for a kind, most wanted first; the count is returned. */
size_t jsep_codec_list(const struct rmi_jsep *j, enum rmi_media_kind kind, enum rmi_jsep_codec_id *out);
void jsep_default_numbers(struct jsep_numbers *n);
/* Common codecs of a remote section in its order. `offered`: the numbers of our offer when this is the answer to it,
 * else NULL. */
size_t jsep_match_codecs(const struct rmi_jsep *j, const struct rmi_sdp_media *m, const struct jsep_numbers *offered,
                         struct rmi_jsep_codec *out);
/* RMI_FB_* of ours, and the ways of ECN that we offer. */
uint32_t jsep_feedback(const struct rmi_jsep *j, enum rmi_jsep_codec_id id);
unsigned jsep_ecn_offer(const struct rmi_jsep *j);
/* Whether and how ECN is used in a section of the remote, whose codecs are matched. */
void jsep_match_ecn(const struct rmi_jsep *j, const struct rmi_sdp_media *m, struct jsep_section *s);
void jsep_match_extensions(const struct rmi_sdp_media *m, const struct jsep_numbers *offered,
                           uint8_t out[RMI_JSEP_EXT_COUNT]);
/* Take over the remote's numbers, then move ours that collide with anything in use to free ones. */
void jsep_settle_numbers(struct jsep_view *view);
/* Our fmtp text: for an offer with remote = NULL, else as an answer to the remote's. */
void jsep_local_fmtp(enum rmi_jsep_codec_id id, const char *remote, char *out, size_t cap);
/* "video: ours VP9,VP8,H264; theirs AV1,H265". */
void jsep_mismatch_text(const struct rmi_jsep *j, const struct rmi_sdp_media *m, char *out, size_t cap);

#endif
