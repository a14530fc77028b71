/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/rtp_session_private.h"
#include "rtp/rtx.h"
#include "srtp/srtp.h"
#include <string.h>

/* Packets stay this long, and a round trip, for retransmission. Longer waits no receiver, and the frames lie in pools
 * that others need. */
#define HISTORY_AGE_US RMI_SEC(1)
/* Retransmissions take at most this part of what is sent: losses up to 20 % and their repairs' losses. */
#define RESEND_SHARE 4
/* And this much in any second, so that a stream that hardly sends can be repaired: two datagrams. */
#define RESEND_LEAST (2 * RMI_DATAGRAM_MTU)
#define NACK_BATCH 64

/* ---- rate ---- */

static void rate_advance(struct rtps_rate *r, int64_t now_us) {
    const int64_t slot = now_us / RTPS_RATE_SLOT_US;
    if (slot - r->slot >= RTPS_RATE_SLOTS) {
        *r = (struct rtps_rate){.slot = slot};
        return;
    }
    while (r->slot < slot) {
        r->slot++;
        r->sent[r->slot % RTPS_RATE_SLOTS] = r->resent[r->slot % RTPS_RATE_SLOTS] = 0;
    }
}

void rtps_rate_note(struct rtps_rate *r, int64_t now_us, size_t bytes, bool again) {
    rate_advance(r, now_us);
    (again ? r->resent : r->sent)[r->slot % RTPS_RATE_SLOTS] += (uint32_t)bytes;
}

uint64_t rtps_rate_sum(const uint32_t *bytes) {
    uint64_t sum = 0;
    for (int i = 0; i < RTPS_RATE_SLOTS; i++)
        sum += bytes[i];
    return sum;
}

/* ---- history ---- */

static void drop_oldest(struct rtps_history *h) {
    struct rtps_sent *oldest = &h->slot[h->oldest & (h->slots - 1)];
    rmi_rtp_batch_unref(&oldest->batch);
    h->oldest++;
}

void rtps_history_clear(struct rtps_out *o) {
    while (o->history.oldest != o->history.next)
        drop_oldest(&o->history);
}

static void history_expire(struct rmi_rtp_session *s, struct rtps_history *h, int64_t now_us) {
    const int64_t age = HISTORY_AGE_US + rtps_repair_rtt(s);
    while (h->oldest != h->next && now_us - h->slot[h->oldest & (h->slots - 1)].sent_us > age)
        drop_oldest(h);
}

/* Numbers come one after the other, so that all between oldest and next are there. */
static void history_add(struct rtps_history *h, int64_t now_us, uint16_t seq, const struct rmi_rtp_batch *batch,
                        uint32_t index) {
    if (h->slots == 0)
        return;
    if (h->oldest == h->next)
        h->oldest = h->next = seq;
    if ((uint16_t)(h->next - h->oldest) == h->slots)
        drop_oldest(h);
    h->slot[seq & (h->slots - 1)] =
        (struct rtps_sent){.batch = rmi_rtp_batch_ref(batch), .index = index, .seq = seq, .sent_us = now_us};
    h->next++;
}

static struct rtps_sent *history_find(struct rtps_history *h, uint16_t seq) {
    if ((uint16_t)(seq - h->oldest) >= (uint16_t)(h->next - h->oldest))
        return NULL;
    return &h->slot[seq & (h->slots - 1)];
}

/* ---- packets ---- */

struct outgoing {
    uint8_t pt;
    uint16_t seq;
    uint32_t ssrc;
    bool again; /* retransmission of this number */
    uint16_t original;
    const struct rmi_red *red; /* in place of the payload; NULL: none */
};

/* Header, extensions and payload `i` of the batch into the session's room. 0: it does not fit. */
static size_t write_packet(struct rmi_rtp_session *s, int64_t now_us, const struct rtps_line *line,
                           const struct rtps_out *o, const struct outgoing *to, const struct rmi_rtp_batch *batch,
                           uint32_t i) {
    const struct rmi_rtp_payload *payload = &batch->payload[i];
    struct rmi_rtp_packet p = {.marker = payload->marker,
                               .pt = to->pt,
                               .seq = to->seq,
                               .timestamp = batch->timestamp + o->timestamp_offset,
                               .ssrc = to->ssrc};
    struct rmi_rtp_ext_values values = {.has_mid = line->mid[0] != 0,
                                        .has_twcc = true,
                                        .twcc = s->twcc_seq,
                                        .has_abs_send_time = true,
                                        .abs_send_time = rmi_abs_send_time_of(now_us),
                                        .has_audio_level = batch->has_audio_level,
                                        .voice = batch->voice,
                                        .audio_level = batch->audio_level};
    struct rmi_rtp_ext_storage storage;
    _Static_assert(sizeof values.mid == sizeof line->mid, "the same limit in SDP and in packets");
    if (values.has_mid)
        memcpy(values.mid, line->mid, sizeof values.mid);
    if (!rmi_rtp_ext_add(&p, &line->ext, &values, &storage))
        return 0;
    struct rmi_wr w = rmi_wr_init(rtps_room(s), RTPS_PACKET_CAP - RMI_SRTP_TRAILER_MAX);
    w.pos = rmi_rtp_write_header(&p, w.data, w.cap);
    if (w.pos == 0)
        return 0;
    if (to->again)
        rmi_wr_u16(&w, to->original);
    if (to->red)
        rmi_red_write(&w, to->red);
    else
        rmi_wr_bytes(&w, batch->data + payload->offset, payload->len);
    return w.failed ? 0 : w.pos;
}

static rm_err emit(struct rmi_rtp_session *s, int64_t now_us, const struct rtps_line *line, size_t len,
                   uint32_t cluster, bool again) {
    const struct rmi_rtp_session_ops *ops = &s->config.ops;
    if (len == 0)
        return RM_E_TOO_BIG;
    const rm_err err = rtps_ecn_mark(s, now_us, line, again)
                           ? ops->send_ect(s->config.ctx, now_us, rtps_room(s), len, RTPS_PACKET_CAP)
                           : ops->send(s->config.ctx, now_us, false, rtps_room(s), len, RTPS_PACKET_CAP);
    if (err == RM_E_STATE)
        return err;
    rtps_pace_sent(s, now_us, line, len, cluster);
    if (line->ext.twcc)
        s->twcc_seq++;
    return err;
}

static void count_sent(struct rtps_out *o, int64_t now_us, const struct rmi_rtp_payload *payload) {
    o->stats.packets++;
    o->stats.bytes += payload->len;
    o->sr_packets++;
    o->sr_octets += payload->len;
    o->last_sent_us = now_us;
    rtps_rate_note(&o->rate, now_us, payload->len, false);
}

static void count_batch(struct rtps_out *o, int64_t now_us, const struct rmi_rtp_batch *batch) {
    o->stats.frames++;
    o->stats.format = batch->format;
    o->last_timestamp = batch->timestamp + o->timestamp_offset;
    o->last_capture_us = batch->capture_us;
    if (batch->key_frame) {
        o->stats.key_frames++;
        o->key_since = true;
        o->key_sent_us = now_us;
    }
}

/* Sending works again after a picture, or a part of one, was refused. The number left out tells the remote that
 * something is missing, for it would decode what comes without what it needs; and a key frame replaces it. */
static void make_up(struct rmi_rtp_session *s, int64_t now_us, struct rtps_out *o, bool key_frame) {
    o->missed = false;
    rtps_history_clear(o);
    o->seq++;
    if (!key_frame)
        rtps_key_wanted(s, now_us);
}

rm_err rtps_send_first(struct rmi_rtp_session *s, int64_t now_us, enum rmi_rtp_kind kind,
                       const struct rmi_rtp_batch *batch, uint32_t index, uint32_t cluster, size_t *len) {
    struct rtps_out *o = &s->out[kind];
    const struct rtps_line *line = rtps_line_of(s, o->line);
    const struct rtps_codec *codec = rtps_codec_of(line, batch->format);
    if (!codec)
        return RM_E_UNSUPPORTED;
    struct rmi_red red;
    struct outgoing to = {.pt = codec->pt_send, .seq = (uint16_t)(o->seq + (o->missed ? 1 : 0)), .ssrc = o->ssrc};
    if (kind == RMI_RTP_AUDIO && codec->rtx_send != RMI_SDP_NO_PT &&
        rtps_red_build(s, codec, batch, index, to.seq, &red)) {
        to.pt = (uint8_t)codec->rtx_send;
        to.red = &red;
    }
    *len = write_packet(s, now_us, line, o, &to, batch, index);
    const rm_err err = emit(s, now_us, line, *len, cluster, false);
    if (err == RM_E_STATE) { /* nothing was protected, so the number is still free */
        o->missed = kind == RMI_RTP_VIDEO && o->stats.packets > 0;
        return err;
    }
    if (o->missed)
        make_up(s, now_us, o, batch->key_frame);
    if (!err)
        count_sent(o, now_us, &batch->payload[index]);
    if (codec->rtx_send != RMI_SDP_NO_PT)
        history_add(&o->history, now_us, o->seq, batch, index);
    else
        rtps_history_clear(o); /* of the codec before */
    o->seq++;
    return err;
}

static rm_err send_now(struct rmi_rtp_session *s, int64_t now_us, enum rmi_rtp_kind kind,
                       const struct rmi_rtp_batch *batch) {
    rm_err first = RM_OK;
    for (uint32_t i = 0; i < batch->count; i++) {
        size_t len;
        const rm_err err = rtps_send_first(s, now_us, kind, batch, i, RMI_CC_NO_PROBE, &len);
        if (err == RM_E_STATE)
            return err;
        first = first ? first : err;
    }
    return first;
}

rm_err rmi_rtp_session_send(struct rmi_rtp_session *s, int64_t now_us, const struct rmi_rtp_batch *batch) {
    const enum rmi_rtp_kind kind = batch->format == RMI_PAYLOAD_OPUS ? RMI_RTP_AUDIO : RMI_RTP_VIDEO;
    struct rtps_out *o = &s->out[kind];
    if (s->ended)
        return RM_E_STATE;
    if (!rtps_codec_of(rtps_line_of(s, o->line), batch->format))
        return RM_E_UNSUPPORTED;
    history_expire(s, &o->history, now_us);
    const bool paced = s->pace.on && kind == RMI_RTP_VIDEO;
    const rm_err err = paced ? rtps_pace_batch(s, now_us, batch) : send_now(s, now_us, kind, batch);
    if (err == RM_E_STATE)
        return err;
    count_batch(o, now_us, batch);
    rtps_wake_reports(s, now_us);
    return err;
}

/* ---- retransmission (RFC 4588) ---- */

enum resend { RESENT, REFUSED, SPENT };

rm_err rtps_send_again(struct rmi_rtp_session *s, int64_t now_us, enum rmi_rtp_kind kind, uint16_t seq,
                       uint32_t cluster, size_t *len) {
    struct rtps_out *o = &s->out[kind];
    struct rtps_sent *sent = history_find(&o->history, seq);
    const struct rtps_line *line = rtps_line_of(s, o->line);
    const struct rtps_codec *codec = sent ? rtps_codec_of(line, sent->batch->format) : NULL;
    if (!codec || codec->rtx_send == RMI_SDP_NO_PT || !o->rtx_ssrc)
        return RM_E_UNSUPPORTED;
    const struct outgoing to = {
        .pt = (uint8_t)codec->rtx_send, .seq = o->rtx_seq, .ssrc = o->rtx_ssrc, .again = true, .original = seq};
    *len = write_packet(s, now_us, line, o, &to, sent->batch, sent->index);
    const rm_err err = emit(s, now_us, line, *len, cluster, true);
    o->rtx_seq += err != RM_E_STATE;
    return err;
}

static enum resend resend(struct rmi_rtp_session *s, int64_t now_us, enum rmi_rtp_kind kind, uint16_t seq) {
    struct rtps_out *o = &s->out[kind];
    struct rtps_sent *sent = history_find(&o->history, seq);
    const struct rtps_codec *codec = sent ? rtps_codec_of(rtps_line_of(s, o->line), sent->batch->format) : NULL;
    size_t len;
    if (!codec || codec->rtx_send == RMI_SDP_NO_PT || (kind == RMI_RTP_VIDEO && !o->rtx_ssrc))
        return REFUSED;
    if (sent->resent && now_us - sent->resent_us < rtps_repair_rtt(s))
        return REFUSED; /* the copy may still arrive */
    const size_t bytes = RMI_RTX_OSN + sent->batch->payload[sent->index].len;
    rate_advance(&o->rate, now_us);
    if (rtps_rate_sum(o->rate.resent) + bytes > rtps_rate_sum(o->rate.sent) / RESEND_SHARE + RESEND_LEAST)
        return SPENT;
    const rm_err err = kind == RMI_RTP_AUDIO ? (rtps_red_ask(s, seq) ? RM_OK : RM_E_LIMIT)
                       : s->pace.on          ? rtps_pace_again(s, now_us, seq, bytes)
                                             : rtps_send_again(s, now_us, kind, seq, RMI_CC_NO_PROBE, &len);
    if (err == RM_E_STATE)
        return SPENT;
    /* Its first repair was lost, too. A picture that waits for a second round trip stands still, one that waits for a
     * third does so for long: two copies are few bytes, for few repairs are lost. */
    if (sent->resent && s->pace.on && kind == RMI_RTP_VIDEO && !err && rtps_pace_again(s, now_us, seq, bytes) == RM_OK)
        rtps_rate_note(&o->rate, now_us, bytes, true);
    rtps_rate_note(&o->rate, now_us, bytes, true);
    sent->resent = true;
    sent->resent_us = now_us;
    return err ? REFUSED : RESENT;
}

void rtps_resend(struct rmi_rtp_session *s, int64_t now_us, enum rmi_rtp_kind kind, const struct rmi_rtcp_item *nack) {
    struct rtps_out *o = &s->out[kind];
    struct rmi_rtcp_nack_reader reader;
    uint16_t seq[NACK_BATCH];
    size_t n;
    bool spent = s->ended || o->line == RTPS_NONE;
    rmi_rtcp_nack_begin(&reader, nack);
    while ((n = rmi_rtcp_nack_next(&reader, seq, NACK_BATCH)) > 0) {
        for (size_t i = 0; i < n; i++) {
            const enum resend done = spent ? SPENT : resend(s, now_us, kind, seq[i]);
            spent = spent || done == SPENT;
            if (done == RESENT) {
                o->stats.retransmitted++;
                o->stats.rtx_packets += kind == RMI_RTP_VIDEO;
            } else {
                o->stats.dropped++;
            }
        }
    }
}

/* ---- padding ---- */

/* The codec whose retransmission stream can carry it: of the last picture, or of those to come. */
static const struct rtps_codec *padding_codec(const struct rmi_rtp_session *s) {
    const struct rtps_out *o = &s->out[RMI_RTP_VIDEO];
    const struct rtps_line *line = rtps_line_of(s, o->line);
    const struct rtps_codec *codec = !line             ? NULL
                                     : o->stats.frames ? rtps_codec_of(line, o->stats.format)
                                                       : line->codec;
    return codec && codec->rtx_send != RMI_SDP_NO_PT && o->rtx_ssrc ? codec : NULL;
}

bool rtps_can_pad(const struct rmi_rtp_session *s) {
    return !s->ended && padding_codec(s) != NULL;
}

rm_err rtps_send_padding(struct rmi_rtp_session *s, int64_t now_us, size_t bytes, uint32_t cluster, size_t *len) {
    struct rtps_out *o = &s->out[RMI_RTP_VIDEO];
    const struct rtps_line *line = rtps_line_of(s, o->line);
    const struct rtps_codec *codec = padding_codec(s);
    if (!codec)
        return RM_E_UNSUPPORTED;
    struct rmi_rtp_packet p = {.pt = (uint8_t)codec->rtx_send,
                               .seq = o->rtx_seq,
                               .timestamp = o->last_timestamp,
                               .ssrc = o->rtx_ssrc,
                               .padding = (uint8_t)(bytes < UINT8_MAX ? bytes : UINT8_MAX)};
    struct rmi_rtp_ext_values values = {.has_mid = line->mid[0] != 0,
                                        .has_twcc = true,
                                        .twcc = s->twcc_seq,
                                        .has_abs_send_time = true,
                                        .abs_send_time = rmi_abs_send_time_of(now_us)};
    struct rmi_rtp_ext_storage storage;
    if (values.has_mid)
        memcpy(values.mid, line->mid, sizeof values.mid);
    if (!rmi_rtp_ext_add(&p, &line->ext, &values, &storage))
        return RM_E_UNSUPPORTED;
    *len = rmi_rtp_write(&p, rtps_room(s), RTPS_PACKET_CAP - RMI_SRTP_TRAILER_MAX);
    const rm_err err = emit(s, now_us, line, *len, cluster, true);
    if (err == RM_E_STATE)
        return err;
    o->rtx_seq++;
    s->stats.padding_packets++;
    s->stats.padding_bytes += p.padding;
    return err;
}

/* ---- key frames asked of us ---- */

static void tell_key_wanted(struct rmi_rtp_session *s, int64_t now_us, struct rtps_out *o) {
    o->has_key_asked = true;
    o->key_asked_us = now_us;
    o->key_pending = o->key_since = false;
    if (s->config.ops.on_key_request)
        s->config.ops.on_key_request(s->config.ctx, now_us);
}

void rtps_key_wanted(struct rmi_rtp_session *s, int64_t now_us) {
    struct rtps_out *o = &s->out[RMI_RTP_VIDEO];
    if (o->line == RTPS_NONE || s->ended)
        return;
    if (!o->has_key_asked || now_us - o->key_asked_us >= RTPS_KEY_INTERVAL_US)
        tell_key_wanted(s, now_us, o);
    else if (o->key_since && now_us - o->key_sent_us >= rtps_repair_rtt(s))
        o->key_pending = true; /* it knows of the key frame it was given, and needs another one */
}

void rtps_key_timeout(struct rmi_rtp_session *s, int64_t now_us) {
    struct rtps_out *o = &s->out[RMI_RTP_VIDEO];
    if (o->key_pending && now_us - o->key_asked_us >= RTPS_KEY_INTERVAL_US)
        tell_key_wanted(s, now_us, o);
}
