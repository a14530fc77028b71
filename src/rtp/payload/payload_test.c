/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
#include "rtp/payload/payload.h"
#include "rtp/rtp_testkit.h"

#define FRAMES 400
#define PACKETS 8192
#define MAX_PAYLOAD 300
#define MAX_FRAME 6000

/* A stream of frames of one format, as packets and as what has to come out. */
struct stream {
    uint8_t frame[FRAMES][MAX_FRAME];
    size_t frame_len[FRAMES];
    bool key[FRAMES];
    uint8_t payload[PACKETS][MAX_PAYLOAD];
    size_t payload_len[PACKETS];
    bool marker[PACKETS];
    size_t frame_of[PACKETS];
    size_t first_packet[FRAMES + 1];
    size_t packets;
};

static size_t make_frame(enum rmi_payload_format format, struct rmi_rng *rng, uint8_t *out, bool key) {
    size_t len = 3 + rmi_rng_range(rng, 0, key ? MAX_FRAME - 40 : 1500);
    rmi_rng_fill(rng, out, len);
    for (size_t i = 0; i < len; i++)
        out[i] |= 2; /* no start codes by chance */
    switch (format) {
    case RMI_PAYLOAD_OPUS:
        len = len > MAX_PAYLOAD ? MAX_PAYLOAD : len;
        out[0] = 0x78;
        break;
    case RMI_PAYLOAD_VP8:
        out[0] = key ? out[0] & 0xfe : out[0] | 1;
        break;
    case RMI_PAYLOAD_VP9:
        break;
    case RMI_PAYLOAD_H264: {
        const uint8_t sets[] = {0, 0, 0, 1, 0x67, 0x42, 0xe0, 0x1f, 0, 0, 0, 1, 0x68, 0xce};
        const uint8_t slice[] = {0, 0, 0, 1, key ? 0x65 : 0x41, 0x9a};
        memmove(out + sizeof sets + sizeof slice, out, len);
        size_t at = key ? sizeof sets : 0;
        memcpy(out, sets, at);
        memcpy(out + at, slice, sizeof slice);
        memmove(out + at + sizeof slice, out + sizeof sets + sizeof slice, len);
        len += at + sizeof slice;
        break;
    }
    }
    return len;
}

static void make_stream(struct stream *s, enum rmi_payload_format format, bool flexible, uint64_t seed) {
    struct rmi_prng prng;
    rmi_prng_seed(&prng, seed);
    struct rmi_rng rng = rmi_prng_rng(&prng);
    s->packets = 0;
    for (size_t f = 0; f < FRAMES; f++) {
        s->key[f] = f % 30 == 0;
        s->frame_len[f] = make_frame(format, &rng, s->frame[f], s->key[f]);
        s->first_packet[f] = s->packets;
        struct rmi_packetizer_frame frame = {
            .data = s->frame[f], .len = s->frame_len[f], .max_payload = MAX_PAYLOAD, .key_frame = s->key[f]};
        if (format == RMI_PAYLOAD_VP8)
            frame.u.vp8 = (struct rmi_vp8_send){.has_picture_id = true, .picture_id = f & 0x7fff};
        if (format == RMI_PAYLOAD_VP9)
            frame.u.vp9 = (struct rmi_vp9_send){
                .flexible = flexible, .picture_id = f & 0x7fff, .refs = 1, .p_diff = {1}, .width = 640, .height = 360};
        if (format == RMI_PAYLOAD_H264)
            frame.u.h264_mode = 1;
        struct rmi_packetizer p;
        bool last = false;
        assert_int_equal(rmi_packetizer_begin(&p, format, &frame), RM_OK);
        while ((s->payload_len[s->packets] = rmi_packetizer_next(&p, s->payload[s->packets], &last)) > 0) {
            assert_true(s->payload_len[s->packets] <= MAX_PAYLOAD);
            s->marker[s->packets] = last;
            s->frame_of[s->packets++] = f;
            assert_true(s->packets < PACKETS);
        }
        assert_true(last);
    }
    s->first_packet[FRAMES] = s->packets;
}

static rm_err feed(struct rmi_depacketizer *d, const struct stream *s, size_t i, uint16_t base,
                   struct rmi_depacketizer_frame *out) {
    uint8_t *box = malloc(s->payload_len[i]);
    assert_non_null(box);
    memcpy(box, s->payload[i], s->payload_len[i]);
    struct rmi_rtp_packet p = {.seq = (uint16_t)(base + i),
                               .marker = s->marker[i],
                               .timestamp = 0xffffff00U + (uint32_t)s->frame_of[i] * 3000,
                               .payload = box,
                               .payload_len = s->payload_len[i]};
    rm_err err = rmi_depacketizer_input(d, &p, out);
    free(box);
    return err;
}

static void check_frame(const struct stream *s, enum rmi_payload_format format, size_t i,
                        const struct rmi_depacketizer_frame *out) {
    size_t f = s->frame_of[i];
    assert_int_equal(out->len, s->frame_len[f]);
    assert_memory_equal(out->data, s->frame[f], out->len);
    assert_true(out->timestamp == 0xffffff00U + (uint32_t)f * 3000);
    if (format != RMI_PAYLOAD_OPUS)
        assert_int_equal(out->key_frame, s->key[f]);
    if (out->has_picture_id)
        assert_int_equal(out->picture_id, f);
    if (format == RMI_PAYLOAD_OPUS)
        assert_int_equal(out->samples, 960);
}

/* With loss and duplicates: what comes out is exactly the frames all of whose packets arrived, whole and in order, and
 * a gap is told whenever frames are missing in between. */
static void run(enum rmi_payload_format format, bool flexible, unsigned loss, uint64_t seed) {
    static struct stream s;
    make_stream(&s, format, flexible, seed);
    struct rmi_prng prng;
    rmi_prng_seed(&prng, seed + 1000);
    struct rmi_rng rng = rmi_prng_rng(&prng);
    struct rmi_depacketizer *d = NULL;
    struct rmi_depacketizer_frame out;
    assert_int_equal(rmi_depacketizer_create(format, MAX_FRAME + 100, &d), RM_OK);
    uint16_t base = (uint16_t)rmi_rng_u32(&rng);
    size_t given = 0, whole = 0, next_frame = 0;
    bool complete = true;
    for (size_t i = 0; i < s.packets; i++) {
        size_t f = s.frame_of[i];
        complete = complete || i == s.first_packet[f];
        if (rmi_rng_range(&rng, 0, 99) < loss) {
            complete = false;
            continue;
        }
        bool ends = i + 1 == s.first_packet[f + 1];
        rm_err err = feed(d, &s, i, base, &out);
        assert_int_equal(err, complete && ends ? RM_OK : RM_E_AGAIN);
        whole += complete && ends;
        if (err == RM_OK) {
            check_frame(&s, format, i, &out);
            assert_int_equal(out.gap_before, f != next_frame);
            assert_true(out.first_seq == (uint16_t)(base + s.first_packet[f]) && out.last_seq == (uint16_t)(base + i));
            next_frame = f + 1;
            given++;
        }
        if (rmi_rng_range(&rng, 0, 9) == 0)
            assert_int_equal(feed(d, &s, i - rmi_rng_range(&rng, 0, i > 5 ? 5 : 0), base, &out), RM_E_AGAIN);
    }
    assert_int_equal(given, whole);
    struct rmi_depacketizer_stats stats = rmi_depacketizer_stats(d);
    assert_true(stats.frames == given && stats.malformed == 0 && stats.too_big == 0);
    if (loss == 0)
        assert_true(given == FRAMES && stats.incomplete == 0);
    rmi_depacketizer_destroy(&d);
    assert_null(d);
}

static void whole_frames_come_out_whatever_is_lost(void **state) {
    (void)state;
    for (int format = RMI_PAYLOAD_OPUS; format <= RMI_PAYLOAD_H264; format++)
        for (unsigned loss = 0; loss <= 30; loss += 5)
            for (int flexible = 0; flexible <= (format == RMI_PAYLOAD_VP9); flexible++)
                run((enum rmi_payload_format)format, flexible, loss, loss + 1);
}

static rm_err give(struct rmi_depacketizer *d, uint16_t seq, uint32_t timestamp, bool marker, const uint8_t *payload,
                   size_t len, struct rmi_depacketizer_frame *out) {
    struct rmi_rtp_packet p = {
        .seq = seq, .marker = marker, .timestamp = timestamp, .payload = payload, .payload_len = len};
    return rmi_depacketizer_input(d, &p, out);
}

static void a_frame_that_never_ends_stays_within_its_limit(void **state) {
    (void)state;
    struct rmi_depacketizer *d = NULL;
    struct rmi_depacketizer_frame out;
    static const uint8_t first[1000] = {0x10}, later[1000] = {0};
    assert_int_equal(rmi_depacketizer_create(RMI_PAYLOAD_VP8, 100000, &d), RM_OK);
    size_t too_big = 0;
    for (uint32_t i = 0; i < 70000; i++) {
        rm_err err = give(d, (uint16_t)i, 5, false, i ? later : first, 1000, &out);
        assert_true(err == RM_E_AGAIN || err == RM_E_TOO_BIG);
        too_big += err == RM_E_TOO_BIG;
    }
    assert_int_equal(too_big, 1);
    assert_true(rmi_depacketizer_stats(d).too_big == 1 && rmi_depacketizer_stats(d).incomplete == 1);
    assert_int_equal(give(d, (uint16_t)70000, 6, true, first, 1000, &out), RM_OK);
    assert_true(out.gap_before);
    rmi_depacketizer_destroy(&d);
}

/* Two spatial layers are one picture; without its base layer there is none. */
static void layers_of_a_vp9_picture_belong_together(void **state) {
    (void)state;
    struct rmi_depacketizer *d = NULL;
    struct rmi_depacketizer_frame out;
    const uint8_t base[] = {0xac, 5, 0x00, 1, 'b'}, upper[] = {0xac, 5, 0x03, 1, 'u'}; /* I L B E */
    assert_int_equal(rmi_depacketizer_create(RMI_PAYLOAD_VP9, 100, &d), RM_OK);
    assert_int_equal(give(d, 1, 1, false, base, sizeof base, &out), RM_E_AGAIN);
    assert_int_equal(give(d, 2, 1, true, upper, sizeof upper, &out), RM_OK);
    assert_true(out.len == 2 && out.key_frame && memcmp(out.data, "bu", 2) == 0);
    assert_int_equal(give(d, 4, 2, true, upper, sizeof upper, &out), RM_E_AGAIN);
    assert_int_equal(give(d, 5, 3, false, base, sizeof base, &out), RM_E_AGAIN);
    const uint8_t unfinished[] = {0xa8, 5, 0x03, 1, 'u'};
    assert_int_equal(give(d, 6, 3, true, unfinished, sizeof unfinished, &out), RM_E_PARSE); /* marker, but no E */
    assert_int_equal(give(d, 7, 4, false, unfinished, sizeof unfinished, &out), RM_E_AGAIN);
    assert_int_equal(give(d, 8, 4, true, upper, sizeof upper, &out), RM_E_PARSE); /* B inside a layer frame */
    rmi_depacketizer_destroy(&d);
}

static void a_new_frame_without_an_end_of_the_old_drops_it(void **state) {
    (void)state;
    struct rmi_depacketizer *d = NULL;
    struct rmi_depacketizer_frame out;
    const uint8_t start[] = {0x10, 0}, inside[] = {0x00, 0};
    assert_int_equal(rmi_depacketizer_create(RMI_PAYLOAD_VP8, 100, &d), RM_OK);
    assert_int_equal(give(d, 1, 1, false, start, 2, &out), RM_E_AGAIN);
    assert_int_equal(give(d, 2, 2, false, start, 2, &out), RM_E_AGAIN);
    assert_int_equal(give(d, 3, 2, false, NULL, 0, &out), RM_E_AGAIN); /* padding */
    assert_int_equal(give(d, 4, 2, true, inside, 2, &out), RM_OK);
    assert_true(out.len == 2 && out.gap_before && out.timestamp == 2 && out.first_seq == 2 && out.last_seq == 4);
    assert_int_equal(give(d, 5, 3, false, start, 2, &out), RM_E_AGAIN);
    assert_int_equal(give(d, 6, 3, true, start, 2, &out), RM_E_PARSE); /* a second beginning */
    assert_int_equal(give(d, 7, 4, false, start, 2, &out), RM_E_AGAIN);
    rmi_depacketizer_reset(d);
    assert_int_equal(give(d, 5, 5, true, start, 2, &out), RM_OK); /* an older number is fine now */
    assert_true(out.gap_before);
    rmi_depacketizer_destroy(&d);
}

/* 1-byte payloads of every value, alone and as the middle of a frame, to every format; and random ones. */
static void hostile_payloads_are_survived(void **state) {
    (void)state;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 11);
    struct rmi_rng rng = rmi_prng_rng(&prng);
    for (int format = RMI_PAYLOAD_OPUS; format <= RMI_PAYLOAD_H264; format++) {
        struct rmi_depacketizer *d = NULL;
        struct rmi_depacketizer_frame out;
        assert_int_equal(rmi_depacketizer_create((enum rmi_payload_format)format, 3000, &d), RM_OK);
        uint16_t seq = 0;
        for (uint32_t i = 0; i < 60000; i++) {
            size_t len = i < 2048 ? 1 : rmi_rng_range(&rng, 0, 40);
            uint8_t *box = malloc(len ? len : 1);
            assert_non_null(box);
            rmi_rng_fill(&rng, box, len);
            if (i < 2048)
                box[0] = (uint8_t)i;
            seq = (uint16_t)(seq + (rmi_rng_range(&rng, 0, 9) ? 1 : rmi_rng_u32(&rng)));
            rm_err err =
                give(d, seq, (uint32_t)rmi_rng_range(&rng, 0, 1), rmi_rng_range(&rng, 0, 3) == 0, box, len, &out);
            free(box);
            assert_true(err == RM_OK || err == RM_E_AGAIN || err == RM_E_PARSE || err == RM_E_TOO_BIG);
            if (err == RM_OK)
                assert_true(out.len > 0 && out.len <= 3000);
        }
        rmi_depacketizer_destroy(&d);
    }
}

static void arguments_are_checked(void **state) {
    (void)state;
    struct rmi_depacketizer *d = NULL;
    struct rmi_packetizer p;
    static const uint8_t frame[] = {0x78, 1};
    assert_int_equal(rmi_depacketizer_create(RMI_PAYLOAD_VP8, 0, &d), RM_E_INVALID_ARG);
    assert_int_equal(rmi_depacketizer_create(RMI_PAYLOAD_VP8, ((size_t)1 << 26) + 1, &d), RM_E_INVALID_ARG);
    assert_int_equal(rmi_depacketizer_create((enum rmi_payload_format)9, 100, &d), RM_E_INVALID_ARG);
    assert_null(d);
    rmi_depacketizer_destroy(&d);
    struct rmi_packetizer_frame f = {.data = frame, .len = sizeof frame, .max_payload = 63};
    assert_int_equal(rmi_packetizer_begin(&p, RMI_PAYLOAD_OPUS, &f), RM_E_INVALID_ARG);
    f.max_payload = 0x10000;
    assert_int_equal(rmi_packetizer_begin(&p, RMI_PAYLOAD_OPUS, &f), RM_E_INVALID_ARG);
    f.max_payload = 64;
    assert_int_equal(rmi_packetizer_begin(&p, RMI_PAYLOAD_OPUS, &f), RM_OK);
    assert_int_equal(rmi_packetizer_begin(&p, (enum rmi_payload_format)9, &f), RM_E_INVALID_ARG);
    f.len = 0;
    assert_int_equal(rmi_packetizer_begin(&p, RMI_PAYLOAD_VP8, &f), RM_E_INVALID_ARG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_frames_come_out_whatever_is_lost),
        cmocka_unit_test(a_frame_that_never_ends_stays_within_its_limit),
        cmocka_unit_test(layers_of_a_vp9_picture_belong_together),
        cmocka_unit_test(a_new_frame_without_an_end_of_the_old_drops_it),
        cmocka_unit_test(hostile_payloads_are_survived),
        cmocka_unit_test(arguments_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
