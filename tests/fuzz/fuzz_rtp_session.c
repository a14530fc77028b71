/* SPDX-License-Identifier: Apache-2.0 */
/* An RTP session among what a remote sends, what is published, time and negotiation in any order. Events of a byte each
 * (low 3 bits: kind, the rest: its argument) and their fields. */
#include "base/cursor.h"
#include "base/time.h"
#include "net/datagram.h"
#include "peer/rtp_session.h"
#include "rtp/packet.h"
#include "rtp/rtcp.h"
#include "srtp/srtp.h"
#include <stdlib.h>
#include <string.h>

#define PT_OPUS 111
#define PT_VP8 96
#define PT_RTX 97
#define OUR_AUDIO 1
#define OUR_VIDEO 2
#define OUR_RTX 3
#define THEIR_VIDEO 12
#define THEIR_RTX 13
#define HISTORY 16
#define FRAME_MAX 4000
#define SECTIONS 3
/* What retransmission may take, see rtp_session_send.c: a quarter of a second's bytes and two datagrams. Seconds that
 * overlap make it twice that at most. */
#define RESEND_LEAST (2 * RMI_DATAGRAM_MTU)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct state {
    struct rmi_rtp_session *session;
    struct rmi_frame_pool *pool;
    struct rmi_prng prng;
    int64_t start, now, key_asked;
    bool refuses;
    uint32_t timestamp;
    uint16_t newest; /* of our pictures */
    uint64_t sent, resent;
    struct rmi_jsep_media media[SECTIONS];
    struct rmi_sdp_ssrc ssrcs[2];
    struct rmi_sdp_fid fid;
    const uint8_t *input; /* while it is being read */
    size_t input_len;
};

static void check(bool good) {
    if (!good)
        abort();
}

static rm_err on_send(void *ctx, int64_t now_us, bool rtcp, uint8_t *data, size_t len, size_t cap) {
    struct state *s = ctx;
    check(now_us == s->now && len > 0 && len + RMI_SRTP_TRAILER_MAX <= cap);
    memset(data - RMI_HEADROOM, 0, RMI_HEADROOM);
    memset(data + len, 0, cap - len);
    if (s->refuses)
        return RM_E_STATE;
    if (rtcp) {
        struct rmi_rtcp_reader r;
        check(len <= RMI_DATAGRAM_MTU && rmi_rtcp_begin(&r, data, len) == RM_OK);
        return RM_OK;
    }
    struct rmi_rtp_packet p;
    check(rmi_rtp_parse(data, len, &p) == RM_OK);
    check(p.ssrc == OUR_AUDIO || p.ssrc == OUR_VIDEO || p.ssrc == OUR_RTX);
    if (p.ssrc == OUR_RTX)
        s->resent += p.payload_len;
    else
        s->sent += p.payload_len;
    if (p.ssrc == OUR_VIDEO)
        s->newest = p.seq;
    return RM_OK;
}

static void on_media(void *ctx, const struct rmi_rtp_in *in) {
    struct state *s = ctx;
    check(in->kind < RMI_RTP_KINDS && (in->kind == RMI_RTP_AUDIO) == (in->format == RMI_PAYLOAD_OPUS));
    check(in->payload >= s->input && in->payload + in->len <= s->input + s->input_len);
    check(in->padding == (in->len == 0) && in->arrival_us == s->now);
    check(in->ssrc != OUR_AUDIO && in->ssrc != OUR_VIDEO && in->ssrc != OUR_RTX);
    if (in->marker) /* as the receivers do */
        rmi_rtp_session_done_before(s->session, in->kind, in->seq);
}

static void on_key_request(void *ctx, int64_t now_us) {
    struct state *s = ctx;
    check(now_us - s->key_asked >= RMI_MS(300));
    s->key_asked = now_us;
}

static void negotiate(struct state *s, unsigned variant) {
    static const struct rmi_jsep_codec opus = {
        .id = RMI_JSEP_OPUS, .pt_send = PT_OPUS, .pt_recv = PT_OPUS, .rtx_send = -1, .rtx_recv = -1, .fmtp = ""};
    struct rmi_jsep_codec vp8 = {
        .id = RMI_JSEP_VP8, .pt_send = PT_VP8, .pt_recv = PT_VP8, .fmtp = "x", .feedback = ~0U};
    struct rmi_jsep_media *a = &s->media[0], *v = &s->media[1];
    vp8.rtx_send = vp8.rtx_recv = variant & 1 ? RMI_SDP_NO_PT : PT_RTX;
    *a =
        (struct rmi_jsep_media){.kind = RMI_MEDIA_AUDIO, .mid = "0", .ssrc = OUR_AUDIO, .cname = "c", .codec_count = 1};
    *v =
        (struct rmi_jsep_media){.kind = RMI_MEDIA_VIDEO, .mid = "1", .ssrc = OUR_VIDEO, .cname = "c", .codec_count = 1};
    a->codecs[0] = opus;
    v->codecs[0] = vp8;
    v->rtx_ssrc = OUR_RTX;
    a->direction = RMI_DIR_SENDRECV;
    v->direction = variant & 2 ? RMI_DIR_RECVONLY : RMI_DIR_SENDRECV;
    a->rtcp_rsize = v->rtcp_rsize = a->ecn_receive = v->ecn_receive = variant & 4;
    for (size_t i = 0; i < 2; i++)
        for (int e = 0; e < RMI_JSEP_EXT_COUNT; e++)
            s->media[i].ext[e] = (uint8_t)(e + 1);
    if (!(variant & 8)) {
        s->ssrcs[0].ssrc = THEIR_VIDEO;
        s->ssrcs[1].ssrc = THEIR_RTX;
        s->fid = (struct rmi_sdp_fid){.media_ssrc = THEIR_VIDEO, .rtx_ssrc = THEIR_RTX};
        v->remote_ssrcs = s->ssrcs;
        v->remote_ssrc_count = 2;
        v->remote_fids = &s->fid;
        v->remote_fid_count = 1;
    }
    s->media[2] = *v;
    s->media[2].mid = "2";
    s->media[2].direction = RMI_DIR_RECVONLY;
    const struct rmi_jsep_result result = {.media = s->media, .media_count = variant & 16 ? SECTIONS : 2};
    rmi_rtp_session_negotiated(s->session, s->now, &result);
}

/* In a block of exactly that size, so that one byte too many is seen. */
static void input(struct state *s, bool rtcp, const uint8_t *bytes, size_t len) {
    uint8_t *box = malloc(len ? len : 1);
    check(box);
    if (len)
        memcpy(box, bytes, len);
    s->input = box;
    s->input_len = len;
    rmi_rtp_session_input(s->session, s->now, rtcp, (enum rmi_ecn)(len & RMI_ECN_MASK), box, len);
    free(box);
}

static void media(struct state *s, struct rmi_rd *r, unsigned arg) {
    static const uint8_t pts[] = {PT_VP8, PT_RTX, PT_OPUS, PT_VP8 + 30};
    static const uint32_t ssrcs[] = {THEIR_VIDEO, THEIR_RTX, 99, OUR_VIDEO};
    uint8_t out[64];
    const uint8_t payload[] = {rmi_rd_u8(r), rmi_rd_u8(r), 1, 2};
    const struct rmi_rtp_packet p = {.pt = pts[arg & 3],
                                     .ssrc = ssrcs[arg >> 2 & 3],
                                     .marker = arg >> 4,
                                     .seq = rmi_rd_u16(r),
                                     .payload = payload,
                                     .payload_len = sizeof payload};
    input(s, false, out, rmi_rtp_write(&p, out, sizeof out));
}

static void feedback(struct state *s, struct rmi_rd *r, unsigned arg) {
    uint8_t out[256];
    struct rmi_wr w = rmi_wr_init(out, sizeof out);
    const uint16_t first = (uint16_t)(s->newest - rmi_rd_u16(r)); /* the first numbers are random */
    uint16_t seq[8];
    for (uint16_t i = 0; i < 8; i++)
        seq[i] = (uint16_t)(first + i * (arg & 7));
    const uint32_t ours = arg & 8 ? OUR_AUDIO : OUR_VIDEO, theirs = THEIR_VIDEO;
    if (arg & 16)
        rmi_rtcp_write_bye(&w, &theirs, 1, NULL);
    rmi_rtcp_write_pli(&w, THEIR_VIDEO, ours);
    (void)rmi_rtcp_write_nack(&w, THEIR_VIDEO, ours, seq, 8);
    rmi_rtcp_write_fir(&w, THEIR_VIDEO, ours, (uint8_t)first);
    input(s, true, out, w.pos);
}

static void publish(struct state *s, struct rmi_rd *r, unsigned arg) {
    uint8_t bytes[FRAME_MAX] = {0x78};
    const bool sound = arg & 1;
    const struct rmi_packetizer_frame frame = {
        .data = bytes, .len = sound ? 20 : 1 + rmi_rd_u16(r) % FRAME_MAX, .max_payload = 500, .key_frame = arg & 2};
    const struct rmi_rtp_batch head = {.format = sound ? RMI_PAYLOAD_OPUS : RMI_PAYLOAD_VP8,
                                       .timestamp = s->timestamp += 3000,
                                       .capture_us = s->now,
                                       .key_frame = arg & 2,
                                       .has_audio_level = arg & 4,
                                       .audio_level = 5};
    const struct rmi_rtp_batch *batch = NULL;
    check(rmi_rtp_batch_create(s->pool, &head, &frame, &batch) == RM_OK);
    (void)rmi_rtp_session_send(s->session, s->now, batch);
    rmi_rtp_batch_unref(&batch);
}

static void let_time_pass(struct state *s, unsigned arg) {
    s->now += (int64_t)arg * arg * 2000; /* 0 .. 1.9 s */
    rmi_rtp_session_timeout(s->session, s->now);
    check(rmi_rtp_session_next_deadline(s->session) > s->now);
}

static void event(struct state *s, struct rmi_rd *r) {
    const uint8_t head = rmi_rd_u8(r);
    const unsigned arg = head >> 3;
    switch (head & 7) {
    case 0:
    case 1: { /* bytes as they are */
        struct rmi_rd raw = rmi_rd_sub(r, rmi_rd_u8(r));
        input(s, head & 1, raw.data, raw.failed ? 0 : raw.len);
        break;
    }
    case 2:
        media(s, r, arg);
        break;
    case 3:
        feedback(s, r, arg);
        break;
    case 4:
        publish(s, r, arg);
        break;
    case 5:
        let_time_pass(s, arg);
        break;
    case 6:
        negotiate(s, arg);
        break;
    default:
        s->refuses = arg & 1;
        if (arg & 2)
            rmi_rtp_session_ask_key(s->session, s->now);
        if (arg == 31)
            rmi_rtp_session_bye(s->session, s->now);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rmi_rd r = rmi_rd_init(data, size);
    struct state s = {.start = RMI_SEC(10), .now = RMI_SEC(10)};
    rmi_prng_seed(&s.prng, 1);
    const struct rmi_frame_pool_config pool = {.max_buffers = 4 * HISTORY};
    const struct rmi_rtp_session_config config = {
        .rng = rmi_prng_rng(&s.prng),
        .ops = {.send = on_send, .on_media = on_media, .on_key_request = on_key_request},
        .ctx = &s,
        .rtcp_reports = true,
        .history_packets = HISTORY};
    check(rmi_frame_pool_create(&pool, &s.pool) == RM_OK && rmi_rtp_session_create(&config, &s.session) == RM_OK);
    while (rmi_rd_left(&r) > 0)
        event(&s, &r);
    const uint64_t seconds = (uint64_t)((s.now - s.start) / RMI_SEC(1));
    check(s.resent <= s.sent / 2 + RESEND_LEAST * 2 * (seconds + 1));
    rmi_rtp_session_destroy(&s.session);
    check(rmi_frame_pool_stats(s.pool).in_use == 0);
    rmi_frame_pool_destroy(&s.pool);
    return 0;
}
