/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include "codec/codec.h"
#include "codec/codec_testkit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const enum rmi_codec_id codecs[] = {RMI_CODEC_VP8, RMI_CODEC_VP9, RMI_CODEC_H264};
#define CODECS (sizeof codecs / sizeof *codecs)
#define FRAMES 6

struct clip {
    uint8_t *data[FRAMES];
    size_t len[FRAMES];
};

/* The first frame is a key frame, the others are not. */
static struct clip record(enum rmi_codec_id id, int width, int height) {
    struct clip clip;
    struct kit_source s;
    kit_source_init(&s, width, height, 24);
    struct rmi_video_encoder_config config = {.bitrate_bps = 300000, .fps = 30};
    struct rmi_video_encoder *e = NULL;
    assert_int_equal(rmi_video_encoder_create(id, &config, &e), RM_OK);
    for (int t = 0; t < FRAMES; t++) {
        struct rmi_codec_picture in = kit_source_draw(&s, t);
        struct rmi_encoded_video frame;
        assert_int_equal(rmi_video_encoder_encode(e, &in, t * RMI_MS(33), &frame), RM_OK);
        assert_int_equal(frame.key, t == 0);
        clip.data[t] = malloc(frame.len);
        assert_non_null(clip.data[t]);
        memcpy(clip.data[t], frame.data, frame.len);
        clip.len[t] = frame.len;
    }
    rmi_video_encoder_destroy(&e);
    kit_source_fini(&s);
    return clip;
}

static void forget(struct clip *clip) {
    for (int t = 0; t < FRAMES; t++)
        free(clip->data[t]);
}

static struct rmi_video_decoder *new_decoder(enum rmi_codec_id id, struct rmi_codec_limits limits) {
    struct rmi_video_decoder_config config = {.limits = limits};
    struct rmi_video_decoder *d = NULL;
    assert_int_equal(rmi_video_decoder_create(id, &config, &d), RM_OK);
    return d;
}

static const struct rmi_codec_limits defaults;

static rm_err feed(struct rmi_video_decoder *d, const struct clip *clip, int t) {
    struct rmi_codec_picture out;
    return rmi_video_decoder_decode(d, clip->data[t], clip->len[t], 0, &out);
}

/* Whatever comes, the decoder survives, and a good key frame brings it back. */
static void try_bytes(struct rmi_video_decoder *d, const struct clip *clip, const uint8_t *bytes, size_t len) {
    struct rmi_codec_picture out;
    int64_t ever_later = 0; /* the pixel rate has a test of its own */
    uint8_t *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    struct rmi_video_decoder_stats stats;
    rmi_video_decoder_get_stats(d, &stats);
    ever_later = RMI_SEC(1) * (int64_t)(stats.decoded + stats.malformed + stats.refused + stats.dropped_waiting);
    rm_err err = rmi_video_decoder_decode(d, copy, len, ever_later, &out);
    if (!err) {
        unsigned sum = 0; /* the whole picture may be read */
        for (int y = 0; y < out.height; y++)
            for (int x = 0; x < out.width; x++)
                sum += out.plane[0][y * out.stride[0] + x];
        assert_true(sum > 0 || out.width > 0);
    }
    free(copy);
    (void)clip;
}

static void damaged_frames_are_survived(void **state) {
    (void)state;
    for (size_t c = 0; c < CODECS; c++) {
        struct clip clip = record(codecs[c], 64, 48);
        struct rmi_video_decoder *d = new_decoder(codecs[c], defaults);
        struct rmi_prng prng;
        struct rmi_codec_picture out;
        rmi_prng_seed(&prng, 5);
        for (int t = 0; t < 2; t++) { /* the key frame, and one that builds on it */
            for (size_t n = 0; n <= clip.len[t]; n++) {
                if (t == 1)
                    (void)feed(d, &clip, 0);
                try_bytes(d, &clip, clip.data[t], n);
            }
            for (int i = 0; i < 800; i++) {
                /* headers take most of the flips: that is where sizes and lengths are */
                size_t bits = 8 * (i % 2 && clip.len[t] > 40 ? 40 : clip.len[t]);
                size_t a = rmi_prng_next(&prng) % bits, b = rmi_prng_next(&prng) % bits;
                clip.data[t][a / 8] ^= (uint8_t)(1 << a % 8);
                clip.data[t][b / 8] ^= (uint8_t)(1 << b % 8);
                if (t == 1)
                    (void)feed(d, &clip, 0);
                try_bytes(d, &clip, clip.data[t], clip.len[t]);
                clip.data[t][b / 8] ^= (uint8_t)(1 << b % 8);
                clip.data[t][a / 8] ^= (uint8_t)(1 << a % 8);
            }
        }
        rmi_video_decoder_wait_for_key(d);
        assert_int_equal(rmi_video_decoder_decode(d, clip.data[0], clip.len[0], RMI_SEC(1000000), &out), RM_OK);
        assert_int_equal(out.width, 64);
        assert_int_equal(rmi_video_decoder_decode(d, clip.data[1], clip.len[1], RMI_SEC(1000000), &out), RM_OK);
        struct rmi_video_decoder_stats stats;
        rmi_video_decoder_get_stats(d, &stats);
        assert_true(stats.malformed > 100);
        rmi_video_decoder_destroy(&d);
        forget(&clip);
    }
}

static void nothing_is_decoded_before_a_key_frame(void **state) {
    (void)state;
    for (size_t c = 0; c < CODECS; c++) {
        struct clip clip = record(codecs[c], 64, 48);
        struct rmi_video_decoder *d = new_decoder(codecs[c], defaults);
        assert_true(rmi_video_decoder_needs_key(d));
        assert_int_equal(feed(d, &clip, 1), RM_E_STATE);
        assert_int_equal(feed(d, &clip, 0), RM_OK);
        assert_false(rmi_video_decoder_needs_key(d));
        assert_int_equal(feed(d, &clip, 1), RM_OK);
        rmi_video_decoder_wait_for_key(d); /* 2 was lost */
        assert_int_equal(feed(d, &clip, 3), RM_E_STATE);
        assert_int_equal(feed(d, &clip, 0), RM_OK);
        struct rmi_codec_picture out;
        assert_int_equal(rmi_video_decoder_decode(d, clip.data[0], 0, 0, &out), RM_E_PARSE);
        assert_int_equal(feed(d, &clip, 1), RM_E_STATE); /* damage means waiting as well */
        struct rmi_video_decoder_stats stats;
        rmi_video_decoder_get_stats(d, &stats);
        assert_int_equal(stats.decoded, 3);
        assert_int_equal(stats.dropped_waiting, 3);
        assert_int_equal(stats.malformed, 1);
        assert_int_equal(stats.restarts, 0);
        rmi_video_decoder_destroy(&d);
        forget(&clip);
    }
}

static void pictures_over_the_limit_are_refused(void **state) {
    (void)state;
    struct rmi_codec_limits small = {.max_width = 320, .max_height = 192, .max_pixels_per_s = UINT64_C(1) << 40};
    for (size_t c = 0; c < CODECS; c++) {
        struct clip fits = record(codecs[c], 320, 180), standing = record(codecs[c], 180, 320);
        struct clip big = record(codecs[c], 352, 180);
        struct rmi_video_decoder *d = new_decoder(codecs[c], small);
        assert_int_equal(feed(d, &big, 0), RM_E_TOO_BIG);
        assert_int_equal(feed(d, &big, 1), RM_E_STATE);
        assert_int_equal(feed(d, &fits, 0), RM_OK);
        assert_int_equal(feed(d, &standing, 0), RM_OK);
        assert_int_equal(feed(d, &big, 0), RM_E_TOO_BIG);
        assert_true(rmi_video_decoder_needs_key(d));
        assert_int_equal(feed(d, &fits, 0), RM_OK);
        assert_int_equal(feed(d, &fits, 1), RM_OK);
        rmi_video_decoder_destroy(&d);
        forget(&fits);
        forget(&standing);
        forget(&big);
    }
}

/* Key frames that claim 16,383 x 16,383 and the like, as headers alone. */
static void huge_claims_are_refused_unseen(void **state) {
    (void)state;
    static const uint8_t vp8[] = {0x10, 0x00, 0x00, 0x9d, 0x01, 0x2a, 0xff, 0x3f, 0xff, 0x3f, 0, 0, 0, 0};
    static const uint8_t vp9[] = {0x82, 0x49, 0x83, 0x42, 0x4f, 0xff, 0xf7, 0xff, 0xf0, 0, 0, 0, 0, 0};
    struct rmi_codec_picture out;
    struct rmi_video_decoder *d = new_decoder(RMI_CODEC_VP8, defaults);
    assert_int_equal(rmi_video_decoder_decode(d, vp8, sizeof vp8, 0, &out), RM_E_TOO_BIG);
    rmi_video_decoder_destroy(&d);
    d = new_decoder(RMI_CODEC_VP9, defaults);
    assert_int_equal(rmi_video_decoder_decode(d, vp9, sizeof vp9, 0, &out), RM_E_TOO_BIG);
    rmi_video_decoder_destroy(&d);
    struct kit_bits sps = {0};
    kit_put(&sps, 1, 32);
    kit_put(&sps, 0x6742c01f, 32);
    kit_put_ue(&sps, 0);
    kit_put_ue(&sps, 0);
    kit_put_ue(&sps, 2);
    kit_put_ue(&sps, 0); /* no references: a claim the memory cap does not catch */
    kit_put(&sps, 0, 1);
    kit_put_ue(&sps, 1023);
    kit_put_ue(&sps, 1023);
    kit_put(&sps, 0x34, 6); /* frames only, direct 8x8, no cropping, no VUI, stop bit */
    kit_put(&sps, 0x00000165, 32);
    kit_put(&sps, 0x88, 8);
    struct rmi_video_decoder_stats stats;
    d = new_decoder(RMI_CODEC_H264, defaults);
    rm_err err = rmi_video_decoder_decode(d, sps.data, kit_bytes(&sps), 0, &out);
    rmi_video_decoder_get_stats(d, &stats);
    rmi_video_decoder_destroy(&d);
    assert_int_equal(err, RM_E_TOO_BIG);
    assert_int_equal(stats.refused, 1);
}

static void pixels_per_second_are_metered(void **state) {
    (void)state;
    enum { PER_SECOND = 10 };
    struct rmi_codec_limits slow = {.max_width = 64, .max_height = 64, .max_pixels_per_s = 64 * 48 * PER_SECOND};
    for (size_t c = 0; c < CODECS; c++) {
        struct clip clip = record(codecs[c], 64, 48);
        struct rmi_video_decoder *d = new_decoder(codecs[c], slow);
        struct rmi_codec_picture out;
        int ok = 0;
        for (int i = 0; i < 20; i++) { /* all at once: a second's worth goes through */
            rm_err err = rmi_video_decoder_decode(d, clip.data[0], clip.len[0], 77, &out);
            assert_true(err == RM_OK || err == RM_E_LIMIT);
            ok += err == RM_OK;
        }
        assert_int_equal(ok, PER_SECOND);
        assert_true(rmi_video_decoder_needs_key(d));
        for (int i = 0; i < 50; i++) { /* then twice the rate: half of it */
            rm_err err = rmi_video_decoder_decode(d, clip.data[0], clip.len[0], 77 + (i + 1) * RMI_MS(50), &out);
            ok += err == RM_OK;
        }
        assert_in_range(ok - PER_SECOND, 24, 25);
        /* a clock that steps back gives nothing away */
        assert_int_equal(rmi_video_decoder_decode(d, clip.data[0], clip.len[0], 0, &out), RM_E_LIMIT);
        rmi_video_decoder_destroy(&d);
        forget(&clip);
    }
}

/* Bytes appended to a VP9 frame are another frame to libvpx, unless it is told where the first one ends. */
static void frames_hidden_behind_a_vp9_frame_stay_unseen(void **state) {
    (void)state;
    struct clip small = record(RMI_CODEC_VP9, 64, 48), big = record(RMI_CODEC_VP9, 640, 480);
    struct rmi_codec_limits limits = {.max_width = 64, .max_height = 64, .max_pixels_per_s = 1000000};
    struct rmi_video_decoder *d = new_decoder(RMI_CODEC_VP9, limits);
    size_t len = small.len[0] + big.len[0];
    uint8_t *both = malloc(len);
    assert_non_null(both);
    memcpy(both, small.data[0], small.len[0]);
    memcpy(both + small.len[0], big.data[0], big.len[0]);
    struct rmi_codec_picture out = {0};
    rm_err err = rmi_video_decoder_decode(d, both, len, 0, &out);
    assert_true(err != RM_OK || out.width == 64);
    assert_int_equal(feed(d, &small, 0), RM_OK);
    free(both);
    rmi_video_decoder_destroy(&d);
    forget(&small);
    forget(&big);
}

static void another_sps_means_another_h264_decoder(void **state) {
    (void)state;
    struct clip a = record(RMI_CODEC_H264, 64, 48), b = record(RMI_CODEC_H264, 320, 180);
    struct rmi_video_decoder *d = new_decoder(RMI_CODEC_H264, defaults);
    struct rmi_video_decoder_stats stats;
    struct rmi_codec_picture out;
    assert_int_equal(feed(d, &a, 0), RM_OK);
    assert_int_equal(feed(d, &a, 0), RM_OK); /* the same one again: nothing changes */
    rmi_video_decoder_get_stats(d, &stats);
    assert_int_equal(stats.restarts, 0);
    /* The new SPS alone, then a picture of the old stream: what overran openh264's buffers. */
    size_t sps_end = 4;
    while (memcmp(b.data[0] + sps_end, "\0\0\0\1", 4) != 0)
        sps_end++;
    assert_int_equal(rmi_video_decoder_decode(d, b.data[0], sps_end, 0, &out), RM_E_AGAIN);
    assert_true(rmi_video_decoder_needs_key(d));
    assert_int_equal(feed(d, &a, 1), RM_E_STATE);
    assert_int_equal(feed(d, &b, 0), RM_OK);
    rmi_video_decoder_get_stats(d, &stats);
    assert_int_equal(stats.restarts, 1);
    assert_int_equal(feed(d, &b, 1), RM_OK);
    /* The new SPS in one unit with a picture that is no IDR. */
    uint8_t *mixed = malloc(sps_end + b.len[1]);
    assert_non_null(mixed);
    memcpy(mixed, a.data[0], sps_end);
    memcpy(mixed + sps_end, b.data[1], b.len[1]);
    assert_int_equal(rmi_video_decoder_decode(d, mixed, sps_end + b.len[1], 0, &out), RM_E_STATE);
    assert_int_equal(feed(d, &b, 1), RM_E_STATE);
    assert_int_equal(feed(d, &a, 0), RM_OK);
    free(mixed);
    rmi_video_decoder_destroy(&d);
    forget(&a);
    forget(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_frames_are_survived),
        cmocka_unit_test(nothing_is_decoded_before_a_key_frame),
        cmocka_unit_test(pictures_over_the_limit_are_refused),
        cmocka_unit_test(huge_claims_are_refused_unseen),
        cmocka_unit_test(pixels_per_second_are_metered),
        cmocka_unit_test(frames_hidden_behind_a_vp9_frame_stay_unseen),
        cmocka_unit_test(another_sps_means_another_h264_decoder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
