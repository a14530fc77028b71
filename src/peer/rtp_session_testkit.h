/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_PEER_RTP_SESSION_TESTKIT_H
#define RMI_PEER_RTP_SESSION_TESTKIT_H

#include "base/time.h"
#include "net/datagram.h"
#include "peer/rtp_session.h"
#include "rtp/packet.h"
#include "rtp/payload/red.h"
#include "rtp/rtcp.h"
#include "rtp/twcc.h"
#include "srtp/srtp.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* after the headers it needs */

/* Two sessions on a link in virtual time that loses and delays. Not encrypted: that is the connection's. */
#define KIT_PT_OPUS 111
#define KIT_PT_RED 63
#define KIT_PT_VP8 96
#define KIT_PT_VP8_RTX 97
#define KIT_PT_H264 102
#define KIT_PT_H264_RTX 103
#define KIT_EXT_LEVEL 1
#define KIT_EXT_ABS 2
#define KIT_EXT_TWCC 3
#define KIT_EXT_MID 4
#define KIT_SSRC_AUDIO(side) (1000U + (uint32_t)(side)*10000)
#define KIT_SSRC_VIDEO(side) (2000U + (uint32_t)(side)*10000)
#define KIT_SSRC_RTX(side) (3000U + (uint32_t)(side)*10000)
#define KIT_UNIX_US (INT64_C(1790000000) * 1000000)
#define KIT_FLIGHT 4096
#define KIT_MAX_PAYLOAD 1100
#define KIT_PAYLOAD_SALT 31
#define KIT_WIRE_EXTRA 44 /* IP, UDP and an authentication tag */

struct kit;

struct kit_side {
    struct kit *kit;
    int id;
    struct rmi_rtp_session *session;
    struct rmi_jsep_media media[RMI_RTP_KINDS + 1];
    struct rmi_sdp_ssrc remote_ssrc[RMI_RTP_KINDS + 1][2];
    struct rmi_sdp_fid remote_fid;
    struct rmi_jsep_result result;
    bool refuses; /* not connected */
    /* what came */
    uint64_t media_in[RMI_RTP_KINDS], repaired, key_requests, byes[RMI_RTP_KINDS], sender_reports[RMI_RTP_KINDS];
    uint64_t wrong; /* not what was sent under this number, or twice */
    uint64_t sr_ntp;
    uint32_t sr_timestamp;
    struct rmi_rtp_in last;
    uint64_t rates;
    struct rmi_rtp_rate rate; /* the last one told */
    /* what went out first-hand: a check sum by number; 0: nothing, or it came */
    uint32_t sent_sum[RMI_RTP_KINDS][0x10000];
    uint64_t ecn_in[RMI_ECN_MASK + 1]; /* packets of media by ECN field */
    uint64_t rtp_out, rtcp_out, rtx_out, red_out, lost, rtp_out_bytes, rtx_out_bytes;
};

struct kit_flight {
    int64_t at_us;
    int to;
    bool rtcp;
    enum rmi_ecn ecn;
    size_t len;
    uint8_t data[RMI_DATAGRAM_MTU + 100];
};

struct kit {
    int64_t now_us;
    int64_t delay_us;
    double link_bps;              /* 0: unlimited; else a queue of 300 ms in each direction, which then has an order */
    int64_t free_us[2];           /* by sender */
    unsigned loss_rtp, loss_rtcp; /* of 1000 */
    struct rmi_prng prng;
    struct rmi_frame_pool *pool;
    struct kit_side side[2];
    size_t head, count;
    struct kit_flight *flight; /* a ring */
    /* The ECN field that a packet of media has on the far side; RMI_ECN_NOT_ECT + 4: lost. NULL: as it was sent. */
    int (*on_ecn)(struct kit *kit, int from, enum rmi_ecn ecn);
    /* Sees all that is sent, before it is lost. */
    void (*on_wire)(struct kit *kit, int from, bool rtcp, const uint8_t *data, size_t len);
    void *ctx;
};

static inline uint32_t kit_sum(const uint8_t *data, size_t len, uint32_t timestamp) {
    uint32_t sum = timestamp ^ 1;
    for (size_t i = 0; i < len; i++)
        sum = sum * KIT_PAYLOAD_SALT + data[i];
    return sum ? sum : 1;
}

static inline void kit_note_sent(struct kit_side *side, const uint8_t *data, size_t len) {
    struct rmi_rtp_packet p;
    assert_int_equal(rmi_rtp_parse(data, len, &p), RM_OK);
    if (p.ssrc == KIT_SSRC_RTX(side->id)) {
        side->rtx_out++;
        side->rtx_out_bytes += len;
        return;
    }
    const enum rmi_rtp_kind kind = p.ssrc == KIT_SSRC_AUDIO(side->id) ? RMI_RTP_AUDIO : RMI_RTP_VIDEO;
    if (p.pt == KIT_PT_RED) {
        struct rmi_red red;
        assert_int_equal(rmi_red_parse(p.payload, p.payload_len, &red), RM_OK);
        p.payload = red.block[red.count - 1].data;
        p.payload_len = red.block[red.count - 1].len;
        side->red_out++;
    }
    side->sent_sum[kind][p.seq] = kit_sum(p.payload, p.payload_len, p.timestamp);
    side->rtp_out++;
    side->rtp_out_bytes += len;
}

/* In order of arrival: the two directions have queues of their own. */
static inline void kit_fly(struct kit *kit, int64_t at_us, int to, bool rtcp, enum rmi_ecn ecn, const uint8_t *data,
                           size_t len) {
    assert_true(kit->count < KIT_FLIGHT && len <= sizeof kit->flight[0].data);
    size_t i = kit->count++;
    for (; i > 0 && kit->flight[(kit->head + i - 1) % KIT_FLIGHT].at_us > at_us; i--)
        kit->flight[(kit->head + i) % KIT_FLIGHT] = kit->flight[(kit->head + i - 1) % KIT_FLIGHT];
    struct kit_flight *f = &kit->flight[(kit->head + i) % KIT_FLIGHT];
    *f = (struct kit_flight){.at_us = at_us, .to = to, .rtcp = rtcp, .ecn = ecn, .len = len};
    memcpy(f->data, data, len);
}

static inline rm_err kit_send_as(struct kit_side *side, int64_t now_us, bool rtcp, int ecn, uint8_t *data, size_t len,
                                 size_t cap) {
    struct kit *kit = side->kit;
    assert_true(now_us == kit->now_us);
    assert_true(len > 0 && len + RMI_SRTP_TRAILER_MAX <= cap);
    memset(data - RMI_HEADROOM, 0, RMI_HEADROOM); /* it is ours */
    memset(data + len, 0, cap - len);
    if (side->refuses)
        return RM_E_STATE;
    if (rtcp)
        side->rtcp_out++;
    else
        kit_note_sent(side, data, len);
    if (kit->on_wire)
        kit->on_wire(kit, side->id, rtcp, data, len);
    if (rmi_prng_next(&kit->prng) % 1000 < (rtcp ? kit->loss_rtcp : kit->loss_rtp)) {
        side->lost++;
        return RM_OK;
    }
    if (kit->on_ecn && !rtcp)
        ecn = kit->on_ecn(kit, side->id, (enum rmi_ecn)ecn);
    if (ecn > RMI_ECN_MASK) {
        side->lost++;
        return RM_OK;
    }
    int64_t at_us = now_us;
    if (kit->link_bps > 0) {
        int64_t *free_us = &kit->free_us[side->id];
        at_us = rmi_max64(now_us, *free_us);
        if (at_us - now_us > RMI_MS(300)) {
            side->lost++;
            return RM_OK;
        }
        *free_us = at_us = at_us + (int64_t)((double)(len + KIT_WIRE_EXTRA) * 8e6 / kit->link_bps);
    }
    kit_fly(kit, at_us + kit->delay_us, !side->id, rtcp, (enum rmi_ecn)ecn, data, len);
    return RM_OK;
}

static inline rm_err kit_send(void *ctx, int64_t now_us, bool rtcp, uint8_t *data, size_t len, size_t cap) {
    return kit_send_as(ctx, now_us, rtcp, RMI_ECN_NOT_ECT, data, len, cap);
}

static inline rm_err kit_send_ect(void *ctx, int64_t now_us, uint8_t *data, size_t len, size_t cap) {
    return kit_send_as(ctx, now_us, false, RMI_ECN_ECT0, data, len, cap);
}

static inline void kit_on_media(void *ctx, const struct rmi_rtp_in *packet) {
    struct kit_side *side = ctx;
    struct kit_side *from = &side->kit->side[!side->id];
    side->media_in[packet->kind]++;
    side->repaired += packet->repaired;
    uint32_t *sum = &from->sent_sum[packet->kind][packet->seq];
    side->wrong += *sum != kit_sum(packet->payload, packet->len, packet->timestamp);
    *sum = 0;
    side->last = *packet;
    side->last.payload = NULL;
}

static inline void kit_on_key(void *ctx, int64_t now_us) {
    (void)now_us;
    ((struct kit_side *)ctx)->key_requests++;
}

static inline void kit_on_sr(void *ctx, enum rmi_rtp_kind kind, uint64_t ntp, uint32_t timestamp) {
    struct kit_side *side = ctx;
    side->sender_reports[kind]++;
    side->sr_ntp = ntp;
    side->sr_timestamp = timestamp;
}

static inline void kit_on_bye(void *ctx, enum rmi_rtp_kind kind) {
    ((struct kit_side *)ctx)->byes[kind]++;
}

static inline struct rmi_jsep_codec kit_codec(enum rmi_jsep_codec_id id, uint8_t pt, int16_t rtx) {
    return (struct rmi_jsep_codec){.id = id,
                                   .name = "codec",
                                   .pt_send = pt,
                                   .pt_recv = pt,
                                   .rtx_send = rtx,
                                   .rtx_recv = rtx,
                                   .fmtp = "a=b",
                                   .feedback = id == RMI_JSEP_OPUS ? RMI_FB_TRANSPORT_CC
                                                                   : RMI_FB_NACK | RMI_FB_NACK_PLI | RMI_FB_CCM_FIR |
                                                                         RMI_FB_TRANSPORT_CC | RMI_FB_GOOG_REMB};
}

/* Sound and pictures both ways, all extensions and feedback. */
static inline void kit_result(struct kit_side *side) {
    const int other = !side->id;
    struct rmi_jsep_media base = {.direction = RMI_DIR_SENDRECV, .rtcp_rsize = true, .cname = "someone"};
    base.ext[RMI_JSEP_EXT_MID] = KIT_EXT_MID;
    base.ext[RMI_JSEP_EXT_TWCC] = KIT_EXT_TWCC;
    base.ext[RMI_JSEP_EXT_ABS_SEND_TIME] = KIT_EXT_ABS;
    struct rmi_jsep_media *a = &side->media[0], *v = &side->media[1];
    *a = *v = base;
    a->kind = RMI_MEDIA_AUDIO;
    a->mid = "0";
    a->ext[RMI_JSEP_EXT_AUDIO_LEVEL] = KIT_EXT_LEVEL;
    a->codecs[0] = kit_codec(RMI_JSEP_OPUS, KIT_PT_OPUS, RMI_SDP_NO_PT);
    a->codec_count = 1;
    a->ssrc = KIT_SSRC_AUDIO(side->id);
    side->remote_ssrc[0][0].ssrc = KIT_SSRC_AUDIO(other);
    a->remote_ssrcs = side->remote_ssrc[0];
    a->remote_ssrc_count = 1;
    v->kind = RMI_MEDIA_VIDEO;
    v->mline = 1;
    v->mid = "1";
    v->codecs[0] = kit_codec(RMI_JSEP_VP8, KIT_PT_VP8, KIT_PT_VP8_RTX);
    v->codecs[1] = kit_codec(RMI_JSEP_H264, KIT_PT_H264, KIT_PT_H264_RTX);
    v->codec_count = 2;
    v->ssrc = KIT_SSRC_VIDEO(side->id);
    v->rtx_ssrc = KIT_SSRC_RTX(side->id);
    side->remote_ssrc[1][0].ssrc = KIT_SSRC_VIDEO(other);
    side->remote_ssrc[1][1].ssrc = KIT_SSRC_RTX(other);
    side->remote_fid = (struct rmi_sdp_fid){.media_ssrc = KIT_SSRC_VIDEO(other), .rtx_ssrc = KIT_SSRC_RTX(other)};
    v->remote_ssrcs = side->remote_ssrc[1];
    v->remote_ssrc_count = 2;
    v->remote_fids = &side->remote_fid;
    v->remote_fid_count = 1;
    side->result = (struct rmi_jsep_result){.state = RMI_JSEP_STABLE, .media = side->media, .media_count = 2};
}

static inline void kit_apply(struct kit *kit, int side) {
    rmi_rtp_session_negotiated(kit->side[side].session, kit->now_us, &kit->side[side].result);
}

static inline void kit_on_rate(void *ctx, int64_t now_us, const struct rmi_rtp_rate *rate) {
    struct kit_side *side = ctx;
    assert_true(now_us == side->kit->now_us);
    side->rates++;
    side->rate = *rate;
}

/* limits NULL: without congestion control. */
static inline struct kit *kit_create_limited(uint64_t seed, const struct rmi_cc_limits *limits) {
    struct kit *kit = calloc(1, sizeof *kit);
    assert_non_null(kit);
    kit->flight = calloc(KIT_FLIGHT, sizeof *kit->flight);
    assert_non_null(kit->flight);
    kit->now_us = RMI_SEC(100);
    kit->delay_us = RMI_MS(20);
    rmi_prng_seed(&kit->prng, seed);
    const struct rmi_frame_pool_config pool = {.max_buffers = 1024};
    assert_int_equal(rmi_frame_pool_create(&pool, &kit->pool), RM_OK);
    for (int i = 0; i < 2; i++) {
        struct kit_side *side = &kit->side[i];
        side->kit = kit;
        side->id = i;
        const struct rmi_rtp_session_config config = {.rng = rmi_prng_rng(&kit->prng),
                                                      .name = i ? "b" : "a",
                                                      .ops = {.send = kit_send,
                                                              .send_ect = kit_send_ect,
                                                              .on_media = kit_on_media,
                                                              .on_key_request = kit_on_key,
                                                              .on_sender_report = kit_on_sr,
                                                              .on_bye = kit_on_bye,
                                                              .on_rate = kit_on_rate},
                                                      .limits = limits ? *limits : (struct rmi_cc_limits){0},
                                                      .ctx = side,
                                                      .rtcp_reports = true,
                                                      .unix_offset_us = KIT_UNIX_US};
        assert_int_equal(rmi_rtp_session_create(&config, &side->session), RM_OK);
        kit_result(side);
        kit_apply(kit, i);
    }
    return kit;
}

static inline struct kit *kit_create(uint64_t seed) {
    return kit_create_limited(seed, NULL);
}

static inline void kit_destroy(struct kit *kit) {
    for (int i = 0; i < 2; i++)
        rmi_rtp_session_destroy(&kit->side[i].session);
    assert_int_equal(rmi_frame_pool_stats(kit->pool).in_use, 0); /* no batch is forgotten */
    rmi_frame_pool_destroy(&kit->pool);
    free(kit->flight);
    free(kit);
}

/* Everything that happens until then. */
static inline void kit_run(struct kit *kit, int64_t until_us) {
    for (;;) {
        int64_t at = kit->count ? kit->flight[kit->head].at_us : RMI_NEVER;
        for (int i = 0; i < 2; i++)
            at = rmi_min64(at, rmi_rtp_session_next_deadline(kit->side[i].session));
        if (at > until_us)
            break;
        kit->now_us = rmi_max64(kit->now_us, at);
        if (kit->count && kit->flight[kit->head].at_us <= kit->now_us) {
            struct kit_flight *f = &kit->flight[kit->head];
            kit->head = (kit->head + 1) % KIT_FLIGHT;
            kit->count--;
            kit->side[f->to].ecn_in[f->ecn] += !f->rtcp;
            rmi_rtp_session_input(kit->side[f->to].session, kit->now_us, f->rtcp, f->ecn, f->data, f->len);
        }
        for (int i = 0; i < 2; i++) {
            struct rmi_rtp_session *s = kit->side[i].session;
            if (rmi_rtp_session_next_deadline(s) <= kit->now_us)
                rmi_rtp_session_timeout(s, kit->now_us);
            assert_true(rmi_rtp_session_next_deadline(s) > kit->now_us); /* what is due was done */
        }
    }
    kit->now_us = until_us;
}

static inline void kit_run_for(struct kit *kit, int64_t us) {
    kit_run(kit, kit->now_us + us);
}

static inline const struct rmi_rtp_batch *kit_batch(struct kit *kit, enum rmi_payload_format format, uint32_t timestamp,
                                                    size_t len, bool key) {
    static const uint8_t idr[] = {0, 0, 0, 1, 0x65};
    uint8_t bytes[32 * KIT_MAX_PAYLOAD];
    struct rmi_rng rng = rmi_prng_rng(&kit->prng);
    assert_true(len <= sizeof bytes);
    rmi_rng_fill(&rng, bytes, len);
    struct rmi_packetizer_frame frame = {.data = bytes, .len = len, .max_payload = KIT_MAX_PAYLOAD, .key_frame = key};
    if (format == RMI_PAYLOAD_OPUS)
        bytes[0] = 0x78; /* one frame of 20 ms */
    if (format == RMI_PAYLOAD_H264) {
        for (size_t i = 0; i < len; i++)
            bytes[i] |= 2; /* no start codes by chance */
        memcpy(bytes, idr, sizeof idr);
        frame.u.h264_mode = 1;
    }
    const struct rmi_rtp_batch head = {.format = format,
                                       .timestamp = timestamp,
                                       .capture_us = kit->now_us,
                                       .key_frame = key,
                                       .has_audio_level = format == RMI_PAYLOAD_OPUS,
                                       .voice = true,
                                       .audio_level = 42};
    const struct rmi_rtp_batch *batch = NULL;
    assert_int_equal(rmi_rtp_batch_create(kit->pool, &head, &frame, &batch), RM_OK);
    return batch;
}

static inline rm_err kit_media(struct kit *kit, int side, enum rmi_payload_format format, uint32_t timestamp,
                               size_t len, bool key) {
    const struct rmi_rtp_batch *batch = kit_batch(kit, format, timestamp, len, key);
    const rm_err err = rmi_rtp_session_send(kit->side[side].session, kit->now_us, batch);
    rmi_rtp_batch_unref(&batch);
    return err;
}

static inline struct rmi_rtp_session_stats kit_stats(const struct kit *kit, int side) {
    struct rmi_rtp_session_stats stats;
    rmi_rtp_session_get_stats(kit->side[side].session, &stats);
    return stats;
}

/* `frames` pictures of about ten packets, 30 a second, from this side. */
static inline void kit_video(struct kit *kit, int side, size_t frames, uint32_t *timestamp) {
    for (size_t i = 0; i < frames; i++) {
        assert_int_equal(kit_media(kit, side, RMI_PAYLOAD_VP8, *timestamp, 10000, i == 0), RM_OK);
        *timestamp += 3000;
        kit_run_for(kit, 33333);
    }
}

#endif
