/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_PEER_RTP_SESSION_PRIVATE_H
#define RMI_PEER_RTP_SESSION_PRIVATE_H

#include "base/cursor.h"
#include "base/time.h"
#include "cc/breaker.h"
#include "cc/history.h"
#include "cc/pacer.h"
#include "net/datagram.h"
#include "peer/rtp_session.h"
#include "rtp/nack.h"
#include "rtp/payload/red.h"
#include "rtp/rtcp.h"
#include "rtp/source.h"
#include "rtp/twcc.h"

#define RTPS_CLOCK_AUDIO 48000
#define RTPS_CLOCK_VIDEO 90000
#define RTPS_US_PER_S 1000000
#define RTPS_NAME_MAX 128
#define RTPS_LINES_MAX 8                 /* RTP sections followed; what belongs to more of them is unknown */
#define RTPS_KEY_INTERVAL_US RMI_MS(300) /* between key frame requests, both ways; libwebrtc's figure, too */
#define RTPS_RTT_UNKNOWN_US RMI_MS(100)  /* until a report says better */
#define RTPS_RTT_LEAST_US RMI_MS(5)      /* below, timers and not paths decide when packets come */
#define RTPS_RTT_MOST_US RMI_SEC(1)      /* above, a repair comes too late for a conversation */
#define RTPS_FRESH_US RMI_SEC(2)         /* queues come and go in less */
#define RTPS_NACK_REORDER_US RMI_MS(5)   /* grace for packets that overtook each other, before they are asked for */
#define RTPS_SEEN_WINDOW 1024            /* numbers of which we know whether they came: three seconds of 720p */
#define RTPS_FRAMES_PER_S_LEAST 8        /* sound: packets of 120 ms at most (RFC 7587 4.2) */
#define RTPS_NONE (-1)

/* ---- what was negotiated ---- */

struct rtps_codec {
    enum rmi_payload_format format;
    uint8_t pt_send, pt_recv;
    int16_t rtx_send, rtx_recv; /* of repairs: pictures sent again, sound with copies; RMI_SDP_NO_PT: none */
    uint32_t feedback;
    char *fmtp; /* the remote's; owned, may be NULL */
};

/* One m= section with sound or pictures. */
struct rtps_line {
    enum rmi_rtp_kind kind;
    bool sends, receives;
    bool rsize;
    bool ecn_send, ecn_receive; /* our packets may be ECT; the remote's may, and it wants to know of them */
    char mid[RMI_SDP_MID_MAX + 1];
    char cname[RMI_JSEP_ID_MAX + 1];
    uint32_t ssrc, rtx_ssrc; /* ours */
    struct rmi_rtp_ext_ids ext;
    struct rtps_codec codec[RMI_JSEP_CODECS_PER_MEDIA];
    size_t codec_count;
    uint32_t remote[RMI_SDP_SSRC_MAX];
    size_t remote_count;
    struct rmi_sdp_fid fid[RMI_SDP_FID_MAX];
    size_t fid_count;
};

/* ---- sending ---- */

/* A sent packet, as a reference to its batch. */
struct rtps_sent {
    const struct rmi_rtp_batch *batch; /* NULL: free */
    uint32_t index;
    uint16_t seq;
    bool resent;
    int64_t sent_us, resent_us;
};

/* Sent packets of the last second, oldest first: a ring by number. */
struct rtps_history {
    struct rtps_sent *slot;
    size_t slots; /* a power of two; 0: none */
    uint16_t oldest, next;
};

#define RTPS_RATE_SLOTS 10
#define RTPS_RATE_SLOT_US RMI_MS(100)

/* Bytes of the last second, first-hand and again, in tenths of it. */
struct rtps_rate {
    int64_t slot; /* of now, counted from time 0 */
    uint32_t sent[RTPS_RATE_SLOTS], resent[RTPS_RATE_SLOTS];
};

/* Congestion control and pacing (rtp_session_pace.c). */
struct rtps_pace {
    bool on;
    struct rmi_cc cc;
    struct rmi_pacer pacer;
    struct rmi_cc_member member;
    struct rmi_cc_history history;
    bool has_reference;
    int64_t reference;       /* of the last feedback, unwrapped */
    bool sent;               /* something: there is a path to probe */
    int64_t picture_us;      /* when the last picture was handed over */
    int64_t frame_us;        /* between the last two */
    struct rtps_rate others; /* bytes on the wire: sound as `sent`, repairs as `resent` */
    struct rmi_breaker breaker;
    int64_t broken_until_us; /* no pictures */
    bool video_off;
    struct rmi_rtp_rate told;
    double high_bps; /* the target that what waits was made for */
    int64_t high_us;
    int64_t next_us;
};

#define RTPS_RED_ASKED_MAX 8 /* more at once are a burst that ends before their copies could leave */

/* Copies of sound for what is lost of it (rtp_session_red.c). */
struct rtps_red {
    double loss;     /* of what we send, 0..1, smoothed */
    unsigned copies; /* of each frame that it calls for */
    unsigned lost, packets;
    int64_t window_us;
    bool has_feedback, has_report;
    int64_t feedback_us;
    uint32_t reported_seq;
    int32_t reported_lost;
    uint16_t asked[RTPS_RED_ASKED_MAX]; /* the remote misses these */
    unsigned asked_count;
};

/* Congestion marks (rtp_session_ecn.c). */
struct rtps_ecn {
    bool news; /* for the remote */
    struct rmi_ecn_path path;
    struct rmi_ecn_seen seen[RMI_RTP_KINDS], seen_rtx; /* what the remote has said of our streams */
};

struct rtps_out {
    int line;     /* that we send on, RTPS_NONE */
    bool started; /* the numbers below are set */
    bool missed;  /* a picture could not be sent, and those after it may need it */
    uint32_t ssrc, rtx_ssrc;
    uint16_t seq, rtx_seq;
    uint32_t timestamp_offset;
    enum rmi_payload_format format; /* of the last batch */
    uint32_t last_timestamp;        /* as sent; sender reports go on from it */
    int64_t last_capture_us;
    int64_t last_sent_us;
    uint32_t sr_packets, sr_octets; /* since the start of this SSRC, modulo 2^32 (RFC 3550 6.4.1) */
    bool has_key_asked;
    int64_t key_asked_us; /* last on_key_request */
    bool key_since;       /* a key frame was sent since then, */
    int64_t key_sent_us;  /* at this time */
    bool key_pending;     /* one more when the interval is over */
    bool has_fir_seq;
    uint8_t fir_seq;
    struct rtps_history history;
    struct rtps_rate rate;
    struct rmi_rtp_stream_stats stats;
};

/* ---- receiving ---- */

struct rtps_in {
    int line;      /* that we receive on, RTPS_NONE */
    bool has_ssrc; /* a stream runs */
    uint32_t ssrc; /* its */
    bool has_rtx;
    uint32_t rtx_ssrc; /* learned or told */
    bool has_bye;      /* stragglers of a stream that ended must not begin it anew */
    uint32_t bye_ssrc;
    int64_t bye_us;
    int64_t last_us;
    uint16_t newest;                      /* of the numbers in `seen` */
    uint64_t seen[RTPS_SEEN_WINDOW / 64]; /* bit by number: it came, in one way or the other */
    struct rmi_nack nack;
    uint32_t timestamp; /* of `newest`, and */
    int64_t frame_us;   /* sound: between it and the one before, when both came */
    bool has_asked;
    int64_t asked_us; /* last key frame request of ours */
    uint8_t fir_seq;
    struct rmi_rtp_stream_stats stats;
};

struct rmi_rtp_session {
    struct rmi_rtp_session_config config;
    char name[RTPS_NAME_MAX];
    struct rtps_line line[RTPS_LINES_MAX];
    int line_count;
    struct rmi_rtp_ext_ids ext_in; /* the same in all sections of a bundle (RFC 8843 9.1) */
    bool twcc_in;                  /* the remote wants transport-wide feedback */
    struct rtps_out out[RMI_RTP_KINDS];
    struct rtps_in in[RMI_RTP_KINDS];
    struct rmi_rtp_sources sources;
    uint16_t twcc_seq;
    struct rmi_twcc_recorder twcc;
    uint32_t twcc_media_ssrc;
    int64_t twcc_at;   /* next feedback */
    int64_t report_at; /* next report; RMI_NEVER before the first packet */
    int64_t reported_us;
    unsigned reports;     /* so far, up to the number of early ones */
    bool ended;           /* BYE was said */
    int64_t rtt_us;       /* smoothed; 0: unknown */
    int64_t fresh_rtt_us; /* follows a queue that fills; 0: unknown */
    int64_t fresh_us;     /* when it was seen */
    struct rmi_rtp_session_stats stats;
    struct rtps_pace pace;
    struct rtps_red red;
    struct rtps_ecn ecn;
    /* A packet under construction, RMI_HEADROOM in front and room behind for what a relay adds (net/datagram.h). */
    uint8_t packet[RMI_HEADROOM + RMI_DATAGRAM_MAX + RMI_HEADROOM];
};

/* What may be written of a packet; the trailer of SRTP comes on top of it. */
#define RTPS_PACKET_CAP RMI_DATAGRAM_MAX

static inline const struct rtps_line *rtps_line_of(const struct rmi_rtp_session *s, int line) {
    return line == RTPS_NONE ? NULL : &s->line[line];
}
static inline uint8_t *rtps_room(struct rmi_rtp_session *s) {
    return s->packet + RMI_HEADROOM;
}
/* For decisions about repairs. */
static inline int64_t rtps_repair_rtt(const struct rmi_rtp_session *s) {
    int64_t rtt = s->rtt_us ? s->rtt_us : RTPS_RTT_UNKNOWN_US;
    return rmi_min64(rmi_max64(rtt, RTPS_RTT_LEAST_US), RTPS_RTT_MOST_US);
}
/* For when to ask again: too soon only adds to the queue that the answer waits in. */
static inline int64_t rtps_fresh_rtt(const struct rmi_rtp_session *s, int64_t now_us) {
    if (s->fresh_rtt_us == 0 || now_us - s->fresh_us > RTPS_FRESH_US)
        return rtps_repair_rtt(s);
    return rmi_min64(rmi_max64(s->fresh_rtt_us, RTPS_RTT_LEAST_US), RTPS_RTT_MOST_US);
}
static inline uint32_t rtps_clock(enum rmi_rtp_kind kind) {
    return kind == RMI_RTP_AUDIO ? RTPS_CLOCK_AUDIO : RTPS_CLOCK_VIDEO;
}
/* NULL: no such codec. */
const struct rtps_codec *rtps_codec_of(const struct rtps_line *line, enum rmi_payload_format format);

/* rtp_session_send.c */
void rtps_history_clear(struct rtps_out *o);
void rtps_rate_note(struct rtps_rate *r, int64_t now_us, size_t bytes, bool again);
uint64_t rtps_rate_sum(const uint32_t *bytes); /* of a second */
/* One packet of a batch, first-hand. RM_E_STATE: not connected; RM_E_UNSUPPORTED: no longer negotiated. Its length. */
rm_err rtps_send_first(struct rmi_rtp_session *s, int64_t now_us, enum rmi_rtp_kind kind,
                       const struct rmi_rtp_batch *batch, uint32_t index, uint32_t cluster, size_t *len);
/* And again, if it is still at hand. */
rm_err rtps_send_again(struct rmi_rtp_session *s, int64_t now_us, enum rmi_rtp_kind kind, uint16_t seq,
                       uint32_t cluster, size_t *len);
/* RFC 4588 has room for padding without a payload. RM_E_UNSUPPORTED: nothing to carry it. */
rm_err rtps_send_padding(struct rmi_rtp_session *s, int64_t now_us, size_t bytes, uint32_t cluster, size_t *len);
bool rtps_can_pad(const struct rmi_rtp_session *s);
/* The remote misses these packets. */
void rtps_resend(struct rmi_rtp_session *s, int64_t now_us, enum rmi_rtp_kind kind, const struct rmi_rtcp_item *nack);

/* rtp_session_receive.c */
void rtps_input_rtp(struct rmi_rtp_session *s, int64_t now_us, enum rmi_ecn ecn, const uint8_t *data, size_t len);
/* Feedback is due, as soon as there may be some again. */
void rtps_wake_feedback(struct rmi_rtp_session *s, int64_t now_us);
void rtps_in_end(struct rtps_in *in); /* the stream ended; another may begin */
/* A packet of the stream, first-hand. False: it is not of the stream. */
bool rtps_input_media(struct rmi_rtp_session *s, int64_t now_us, struct rtps_in *in, const struct rtps_codec *codec,
                      const struct rmi_rtp_packet *p, const struct rmi_rtp_ext_values *ext);
/* A copy of one, which may be there already. */
void rtps_input_copy(struct rmi_rtp_session *s, int64_t now_us, struct rtps_in *in, const struct rtps_codec *codec,
                     const struct rmi_rtp_packet *p);

/* rtp_session_red.c */
void rtps_red_input(struct rmi_rtp_session *s, int64_t now_us, struct rtps_in *in, const struct rtps_codec *codec,
                    struct rmi_rtp_packet *p, const struct rmi_rtp_ext_values *ext);
/* The payload with the copies that are to go with it. False: none, send it as it is. */
bool rtps_red_build(struct rmi_rtp_session *s, const struct rtps_codec *codec, const struct rmi_rtp_batch *batch,
                    uint32_t index, uint16_t seq, struct rmi_red *out);
/* The next packet is to carry a copy of this one. False: too many are asked for. */
bool rtps_red_ask(struct rmi_rtp_session *s, uint16_t seq);
/* What became of packets of ours, by transport-wide feedback and by reports. */
void rtps_red_feedback(struct rmi_rtp_session *s, int64_t now_us, unsigned lost, unsigned packets);
void rtps_red_report(struct rmi_rtp_session *s, int64_t now_us, const struct rmi_rtcp_report *report);

/* rtp_session_ecn.c */
void rtps_ecn_negotiated(struct rtps_line *line, const struct rmi_jsep_media *m);
void rtps_ecn_start(struct rmi_rtp_session *s, int64_t now_us);
/* Whether the packet that is sent now on this line is to be ECT(0). `again`: it, or what it repeats, was sent before.
 */
bool rtps_ecn_mark(struct rmi_rtp_session *s, int64_t now_us, const struct rtps_line *line, bool again);
/* A packet of this source came so marked. */
void rtps_ecn_received(struct rmi_rtp_session *s, int64_t now_us, const struct rtps_line *line, uint32_t ssrc,
                       enum rmi_ecn ecn);
/* Appends feedback about streams that have news, and the summary of those that are reported on. */
void rtps_ecn_write_feedback(struct rmi_rtp_session *s, struct rmi_wr *w, uint32_t sender);
void rtps_ecn_write_summary(const struct rmi_rtp_session *s, struct rmi_wr *w, uint32_t sender,
                            const struct rmi_rtcp_report *reports, size_t n);
void rtps_ecn_input(struct rmi_rtp_session *s, int64_t now_us, const struct rmi_rtcp_item *item);
void rtps_ecn_feedback(struct rmi_rtp_session *s, int64_t now_us, unsigned packets, unsigned lost);

/* rtp_session_rtcp.c */
/* A round trip was seen: of a report, of feedback, or from a request to its repair. */
void rtps_note_fresh_rtt(struct rmi_rtp_session *s, int64_t now_us, int64_t sample_us);
void rtps_input_rtcp(struct rmi_rtp_session *s, int64_t now_us, const uint8_t *data, size_t len);

/* The remote needs a key frame of ours. */
void rtps_key_wanted(struct rmi_rtp_session *s, int64_t now_us);
void rtps_key_timeout(struct rmi_rtp_session *s, int64_t now_us);

/* rtp_session_pace.c */
/* Takes up congestion control once something may be sent. */
void rtps_pace_negotiated(struct rmi_rtp_session *s, int64_t now_us);
void rtps_pace_fini(struct rmi_rtp_session *s);
void rtps_pace_clear(struct rmi_rtp_session *s); /* drops what waits */
/* The packets of a picture; as many as may leave do. */
rm_err rtps_pace_batch(struct rmi_rtp_session *s, int64_t now_us, const struct rmi_rtp_batch *batch);
rm_err rtps_pace_again(struct rmi_rtp_session *s, int64_t now_us, uint16_t seq, size_t bytes);
rm_err rtps_pace_run(struct rmi_rtp_session *s, int64_t now_us);
/* A datagram of media left, with its transport-wide number where it has one. */
void rtps_pace_sent(struct rmi_rtp_session *s, int64_t now_us, const struct rtps_line *line, size_t len,
                    uint32_t cluster);
void rtps_pace_feedback(struct rmi_rtp_session *s, int64_t now_us, struct rmi_twcc_reader *feedback);
void rtps_pace_report(struct rmi_rtp_session *s, int64_t now_us, enum rmi_rtp_kind kind,
                      const struct rmi_rtcp_report *report, int64_t rtt_us);
/* Packets of ours as congestion; false_ones: all are, whatever is sent. */
void rtps_pace_marked(struct rmi_rtp_session *s, int64_t now_us, bool false_ones);
void rtps_pace_remb(struct rmi_rtp_session *s, int64_t now_us, const struct rmi_rtcp_item *item);
void rtps_pace_heard(struct rmi_rtp_session *s, int64_t now_us); /* any RTCP */
void rtps_pace_timeout(struct rmi_rtp_session *s, int64_t now_us);

/* rtp_session_report.c: what we send */
/* Media runs: the first report is due soon. */
void rtps_wake_reports(struct rmi_rtp_session *s, int64_t now_us);
void rtps_send_report(struct rmi_rtp_session *s, int64_t now_us);
void rtps_send_nacks(struct rmi_rtp_session *s, int64_t now_us, enum rmi_rtp_kind kind);
void rtps_send_twcc(struct rmi_rtp_session *s, int64_t now_us);

#endif
