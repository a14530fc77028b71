/* SPDX-License-Identifier: Apache-2.0 */
/* Repairs of sound: copies of earlier frames travel with later ones (RFC 2198), as many as the losses call for, and
 * those that the remote misses. A retransmission of its own would cost a datagram for each frame of some 40 bytes;
 * a copy costs four bytes more than the frame, and comes with the next one, 10 or 20 ms later. */
#include "peer/rtp_session_private.h"
#include "rtp/payload/opus.h"
#include "rtp/payload/red.h"

/* Losses are looked at over so many packets, and so long. */
#define WINDOW_PACKETS 100
#define WINDOW_US RMI_MS(500)
/* Up quickly, for what is lost until then is heard; down slowly, for bursts come again. */
#define LOSS_RISE 0.5
#define LOSS_FALL 0.2
/* Transport-wide feedback tells more than reports; they count when it stays away. */
#define FEEDBACK_GONE_US RMI_SEC(2)
#define COPIES_MOST 2
/* All copies of a packet: those of its level, and what was asked for. */
#define BLOCKS_MOST 8
_Static_assert(BLOCKS_MOST < RMI_RED_BLOCKS_MAX, "and the packet's own");
/* Sound and its copies together leave half of the path to the pictures. Where losses are what limits it, they are what
 * is to be repaired, and the rate that they leave says little: 30 % lost by a bad radio link leave 50 kbit/s of 10
 * Mbit/s. */
#define SOUND_SHARE 0.5
#define SOUND_SHARE_ALONE 0.9 /* when for a while there have been none */
#define PICTURES_GONE_US RMI_SEC(2)
#define BITS 8.0
#define HEADERS_BYTES 68 /* of a datagram with sound: IPv4, UDP, RTP, its extensions, the authentication tag */

/* Losses (after what came before) from which on there are so many copies, and below which no more. One copy: a single
 * loss in forty is heard as a rustle. Two: with one, of 8 % two in a row still leave 0.6 %. */
static const struct { double on, off; } levels[COPIES_MOST] = {{0.025, 0.01}, {0.08, 0.05}};

/* ---- how much is lost ---- */

static void note_loss(struct rmi_rtp_session *s, double loss) {
    struct rtps_red *red = &s->red;
    red->loss += (loss - red->loss) * (loss > red->loss ? LOSS_RISE : LOSS_FALL);
    while (red->copies < COPIES_MOST && red->loss >= levels[red->copies].on)
        red->copies++;
    while (red->copies > 0 && red->loss < levels[red->copies - 1].off)
        red->copies--;
}

static void note_packets(struct rmi_rtp_session *s, int64_t now_us, unsigned lost, unsigned packets) {
    struct rtps_red *red = &s->red;
    red->lost += lost;
    red->packets += packets;
    if (red->packets < WINDOW_PACKETS || now_us - red->window_us < WINDOW_US)
        return;
    note_loss(s, (double)red->lost / red->packets);
    red->lost = red->packets = 0;
    red->window_us = now_us;
}

void rtps_red_feedback(struct rmi_rtp_session *s, int64_t now_us, unsigned lost, unsigned packets) {
    s->red.has_feedback = true;
    s->red.feedback_us = now_us;
    note_packets(s, now_us, lost, packets);
}

/* What is new since the report before. Both numbers come from afar: nonsense is no loss. */
void rtps_red_report(struct rmi_rtp_session *s, int64_t now_us, const struct rmi_rtcp_report *report) {
    struct rtps_red *red = &s->red;
    const uint32_t packets = report->highest_seq - red->reported_seq;
    const int64_t lost = (int64_t)report->lost - red->reported_lost;
    const bool first = !red->has_report, told = red->has_feedback && now_us - red->feedback_us <= FEEDBACK_GONE_US;
    red->has_report = true;
    red->reported_seq = report->highest_seq;
    red->reported_lost = report->lost;
    if (!first && !told && packets > 0 && packets <= UINT16_MAX && lost <= packets)
        note_packets(s, now_us, lost > 0 ? (unsigned)lost : 0, packets);
}

/* ---- what the remote asked for ---- */

bool rtps_red_ask(struct rmi_rtp_session *s, uint16_t seq) {
    struct rtps_red *red = &s->red;
    for (unsigned i = 0; i < red->asked_count; i++)
        if (red->asked[i] == seq)
            return true;
    if (red->asked_count == RTPS_RED_ASKED_MAX)
        return false;
    red->asked[red->asked_count++] = seq;
    return true;
}

static bool was_asked(const struct rtps_red *red, uint16_t seq) {
    for (unsigned i = 0; i < red->asked_count; i++)
        if (red->asked[i] == seq)
            return true;
    return false;
}

/* ---- copies ---- */

/* For frames of so many samples. */
static unsigned copies_of(struct rmi_rtp_session *s, uint32_t ticks) {
    const double bytes = (double)rtps_rate_sum(s->out[RMI_RTP_AUDIO].rate.sent);
    unsigned copies = s->red.copies;
    if (copies == 0 || !s->pace.on || s->pace.told.limited_by == RMI_CC_BY_LOSS)
        return copies;
    const double headers = (double)RMI_OPUS_CLOCK_HZ / ticks * HEADERS_BYTES;
    const bool pictures =
        s->pace.picture_us && s->out[RMI_RTP_AUDIO].last_sent_us - s->pace.picture_us < PICTURES_GONE_US;
    const double share = pictures ? SOUND_SHARE : SOUND_SHARE_ALONE;
    while (copies > 0 && BITS * (headers + bytes * (copies + 1)) > share * s->pace.told.target_bps)
        copies--;
    return copies;
}

static uint32_t ticks_of(const struct rmi_rtp_batch *batch, uint32_t index) {
    struct rmi_opus_info info;
    const struct rmi_rtp_payload *p = &batch->payload[index];
    return rmi_opus_parse(batch->data + p->offset, p->len, &info) ? 0 : info.samples;
}

/* The frame that is `back` numbers older. A copy is known by the time between the two, so behind a silence, or after
 * frames of another length, there is none. False: none. */
static bool add_copy(struct rmi_red *red, const struct rtps_history *h, const struct rmi_rtp_batch *batch, uint16_t seq,
                     uint32_t back, uint32_t ticks, uint8_t pt) {
    const struct rtps_sent *sent = &h->slot[(uint16_t)(seq - back) & (h->slots - 1)];
    const uint32_t offset = batch->timestamp - sent->batch->timestamp;
    const struct rmi_rtp_payload *p = &sent->batch->payload[sent->index];
    if (offset != back * ticks || offset > RMI_RED_OFFSET_MAX || p->len > RMI_RED_LEN_MAX ||
        sent->batch->format != batch->format)
        return false;
    red->block[red->count++] = (struct rmi_red_block){
        .pt = pt, .offset = (uint16_t)offset, .data = sent->batch->data + p->offset, .len = p->len};
    return true;
}

bool rtps_red_build(struct rmi_rtp_session *s, const struct rtps_codec *codec, const struct rmi_rtp_batch *batch,
                    uint32_t index, uint16_t seq, struct rmi_red *out) {
    struct rtps_out *o = &s->out[RMI_RTP_AUDIO];
    const struct rtps_history *h = &o->history;
    const struct rmi_rtp_payload *own = &batch->payload[index];
    const uint32_t ticks = s->red.copies > 0 || s->red.asked_count > 0 ? ticks_of(batch, index) : 0;
    out->count = 0;
    if (ticks == 0 || h->slots == 0 || h->next != seq)
        return false;
    const unsigned copies = copies_of(s, ticks);
    size_t room = RMI_DATAGRAM_MTU / 2, bytes = own->len; /* far from any limit, with all headers */
    const uint32_t kept = (uint16_t)(h->next - h->oldest), most = RMI_RED_OFFSET_MAX / ticks;
    for (uint32_t back = kept < most ? kept : most; back > 0 && out->count < BLOCKS_MOST; back--) {
        if (back > copies && !was_asked(&s->red, (uint16_t)(seq - back)))
            continue;
        const size_t len = out->count;
        if (add_copy(out, h, batch, seq, back, ticks, codec->pt_send) && (bytes += out->block[len].len) > room)
            out->count = len;
    }
    s->red.asked_count = 0;
    if (out->count == 0)
        return false;
    o->stats.redundant += out->count;
    out->block[out->count++] =
        (struct rmi_red_block){.pt = codec->pt_send, .data = batch->data + own->offset, .len = own->len};
    return true;
}

/* ---- received ---- */

/* How many numbers before its packet a copy was sent first. Of frames of one length the time says it, whatever was left
 * out between; else they are taken for neighbours. */
static uint32_t age_of(const struct rmi_red *red, size_t i, uint32_t ticks) {
    const uint16_t offset = red->block[i].offset;
    return ticks && offset % ticks == 0 ? offset / ticks : (uint32_t)(red->count - 1 - i);
}

void rtps_red_input(struct rmi_rtp_session *s, int64_t now_us, struct rtps_in *in, const struct rtps_codec *codec,
                    struct rmi_rtp_packet *p, const struct rmi_rtp_ext_values *ext) {
    struct rmi_red red;
    struct rmi_opus_info info;
    if (rmi_red_parse(p->payload, p->payload_len, &red) != RM_OK) {
        s->stats.rtp_malformed++;
        return;
    }
    const struct rmi_red_block *own = &red.block[red.count - 1];
    if (own->pt != codec->pt_recv) {
        in->stats.dropped++;
        return;
    }
    p->payload = own->data;
    p->payload_len = own->len;
    if (!rtps_input_media(s, now_us, in, codec, p, ext))
        return;
    const uint32_t ticks = rmi_opus_parse(own->data, own->len, &info) ? 0 : info.samples;
    for (size_t i = red.count - 1; i-- > 0;) {
        const struct rmi_red_block *b = &red.block[i];
        const struct rmi_rtp_packet copy = {.pt = b->pt,
                                            .seq = (uint16_t)(p->seq - age_of(&red, i, ticks)),
                                            .timestamp = p->timestamp - b->offset,
                                            .ssrc = p->ssrc,
                                            .payload = b->data,
                                            .payload_len = b->len};
        if (b->pt == codec->pt_recv && b->len > 0 && b->offset > 0)
            rtps_input_copy(s, now_us, in, codec, &copy);
    }
}
