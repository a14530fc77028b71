/* SPDX-License-Identifier: Apache-2.0 */
/* A peer with a valid connection sends nonsense as media: payloads of each format, of every first byte and many
 * lengths, damaged pictures, time stamps that jump. It is counted, the receiver lives, and real media is heard
 * afterwards. */
#include "support/media.h"

#include "base/rng.h"
#include "io/loop.h"
#include "webrtc/media_private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 30000
#define PAYLOADS 8       /* in a batch */
#define LENGTH_MOST 1100 /* of a payload */
#define ROUNDS 256       /* batches of each format: every first byte */

/* ---- sending what an encoder never would ---- */

struct nonsense {
    rm_webrtc *t;
    const char *peer;
    const struct rmi_rtp_batch *batch;
    rm_err err;
};

static void send_now(void *ctx) {
    struct nonsense *n = ctx;
    struct rmi_media_peer *p = rmi_media_find(n->t->media, n->peer);
    RMT_REQUIRE(p != NULL);
    n->err = rmi_rtp_session_send(p->rtp, rmi_now_us(), n->batch);
    rmi_media_peer_unref(p);
    rmi_webrtc_after(n->t);
}

/* A batch as rmi_rtp_batch_create would lay it out, but with payloads that no packetizer makes. */
static const struct rmi_rtp_batch *make(enum rmi_payload_format format, uint32_t timestamp, uint8_t first,
                                        struct rmi_rng *rng) {
    rm_buf *buf = NULL;
    size_t table = sizeof(struct rmi_rtp_batch), data = table + PAYLOADS * sizeof(struct rmi_rtp_payload), at = 0;
    RMT_REQUIRE(rm_buf_create(data + PAYLOADS * LENGTH_MOST, &buf) == RM_OK);
    uint8_t *bytes = rm_buf_write(buf);
    struct rmi_rtp_batch *b = (struct rmi_rtp_batch *)(void *)bytes;
    struct rmi_rtp_payload *payloads = (struct rmi_rtp_payload *)(void *)(bytes + table);
    for (uint32_t i = 0; i < PAYLOADS; i++) {
        uint16_t len = (uint16_t)(i == 0 ? 1 : i == 1 ? 2 : rmi_rng_range(rng, 1, LENGTH_MOST)); /* one byte too */
        for (uint16_t k = 0; k < len; k++)
            bytes[data + at + k] = (uint8_t)rmi_rng_u32(rng);
        bytes[data + at] = first;
        payloads[i] = (struct rmi_rtp_payload){.offset = (uint32_t)at, .len = len, .marker = rmi_rng_u32(rng) & 1};
        at += len;
    }
    *b = (struct rmi_rtp_batch){.format = format,
                                .timestamp = timestamp,
                                .capture_us = rmi_now_us(),
                                .count = PAYLOADS,
                                .bytes = at,
                                .buf = buf,
                                .payload = payloads,
                                .data = bytes + data};
    return b;
}

static uint64_t send_nonsense(rm_webrtc *t, enum rmi_payload_format format, struct rmi_rng *rng) {
    uint64_t sent = 0;
    uint32_t timestamp = rmi_rng_u32(rng);
    for (int i = 0; i < ROUNDS; i++) {
        timestamp += i % 16 ? 3000 : rmi_rng_u32(rng); /* jumps, back too */
        struct nonsense n = {.t = t, .peer = "b", .batch = make(format, timestamp, (uint8_t)i, rng)};
        RMT_REQUIRE(rmi_webrtc_call(t, send_now, &n) == RM_OK);
        RMT_REQUIRE(n.err == RM_OK);
        sent += PAYLOADS;
        rmi_rtp_batch_unref(&n.batch);
    }
    return sent;
}

/* ---- being heard ---- */

struct wanted {
    struct rmt_call *call;
    uint64_t packets, pictures, chunks;
};

static bool packets_came(void *ctx) {
    const struct wanted *w = ctx;
    rm_media_stats s = rmt_stats(w->call->b, "a");
    return s.audio_in.packets + s.video_in.packets >= w->packets;
}

static bool media_came(void *ctx) {
    const struct wanted *w = ctx;
    struct rmt_heard h = rmt_heard_of(&w->call->ear_b, "a");
    return h.pictures > w->pictures + 5 && h.chunks > w->chunks + 20 && h.right > h.left + 60 && h.rms > 0.2;
}

static void require_media(struct rmt_call *call, struct rmt_source *source) {
    struct rmt_heard h = rmt_heard_of(&call->ear_b, "a");
    struct wanted w = {.call = call, .pictures = h.pictures, .chunks = h.chunks};
    RMT_REQUIRE(rmt_play(source, 1, media_came, &w, PATIENCE_MS));
}

int main(void) {
    static const struct {
        enum rmi_payload_format format;
        const char *name;
    } formats[] = {
        {RMI_PAYLOAD_OPUS, "Opus"}, {RMI_PAYLOAD_VP8, "VP8"}, {RMI_PAYLOAD_VP9, "VP9"}, {RMI_PAYLOAD_H264, "H.264"}};
    struct rmi_signaling_thread s;
    struct rmt_call call;
    struct rmi_prng prng;
    rm_event ev;
    rmi_prng_seed(&prng, 12);
    struct rmi_rng rng = rmi_prng_rng(&prng);
    rmt_server_start(&s);
    rmt_call_prepare(&call, &s, "garbage");
    rmt_call_connect(&call);
    struct rmt_source source = {
        .t = call.a, .width = 320, .height = 180, .fps = 30, .sound_us = 10000, .amplitude = 0.5F};
    require_media(&call, &source);
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        rm_media_stats before = rmt_stats(call.b, "a");
        uint64_t heard = before.audio_in.packets + before.video_in.packets;
        uint64_t sent = send_nonsense(call.a, formats[i].format, &rng);
        /* So many at once may overflow a socket's buffer: a quarter of them must have come. */
        struct wanted w = {.call = &call, .packets = heard + sent / 4};
        RMT_REQUIRE(rmt_play(NULL, 0, packets_came, &w, PATIENCE_MS));
        require_media(&call, &source);
        rm_media_stats after = rmt_stats(call.b, "a");
        bool audio = formats[i].format == RMI_PAYLOAD_OPUS;
        uint64_t dropped = audio ? after.audio_in.frames_dropped - before.audio_in.frames_dropped
                                 : after.video_in.frames_dropped - before.video_in.frames_dropped;
        printf("%s: %llu packets of nonsense sent, %llu came, %llu frames dropped\n", formats[i].name,
               (unsigned long long)sent, (unsigned long long)(after.audio_in.packets + after.video_in.packets - heard),
               (unsigned long long)dropped);
        RMT_REQUIRE(dropped > 0);
    }
    while (!rm_webrtc_poll(call.b, &ev, 0))
        RMT_REQUIRE(ev.type != RM_EV_PEER_STATE || ev.peer_state == RM_PEER_CONNECTED); /* nobody was thrown out */
    rmt_call_end(&call);
    rmi_signaling_thread_stop(&s);
    return 0;
}
