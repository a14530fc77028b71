/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/bits.h"
#include "codec/codec_testkit.h"
#include "codec/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

typedef rm_err (*parse_fn)(const uint8_t *, size_t, struct rmi_video_header *);

/* Every length and every single flipped bit: exact-size copies, so that a sanitizer sees each byte too far. */
static void sweep(parse_fn parse, const uint8_t *data, size_t len) {
    struct rmi_video_header h;
    for (size_t n = 0; n <= len; n++) {
        uint8_t *copy = malloc(n ? n : 1);
        assert_non_null(copy);
        memcpy(copy, data, n);
        (void)parse(copy, n, &h);
        for (size_t bit = 0; bit < 8 * n; bit++) {
            copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
            rm_err err = parse(copy, n, &h);
            if (!err && h.has_size)
                assert_true(h.width > 0 && h.height > 0);
            copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        free(copy);
    }
}

static void bits_come_in_order(void **state) {
    (void)state;
    static const uint8_t data[] = {0xa5, 0x00, 0x00, 0x03, 0x01, 0xff};
    struct rmi_bits b = rmi_bits_init(data, sizeof data, false);
    assert_int_equal(rmi_bits_get(&b, 4), 0xa);
    assert_int_equal(rmi_bits_get(&b, 12), 0x500);
    assert_int_equal(rmi_bits_get(&b, 32), 0x000301ff);
    assert_false(b.failed);
    assert_int_equal(rmi_bits_get(&b, 1), 0);
    assert_true(b.failed);
    b = rmi_bits_init(data, sizeof data, true); /* 03 after two zeros is not there */
    assert_int_equal(rmi_bits_get(&b, 32), 0xa5000001);
    assert_int_equal(rmi_bits_get(&b, 8), 0xff);
    assert_int_equal(rmi_bits_get(&b, 1), 0);
    assert_true(b.failed);
}

static void golomb_codes(void **state) {
    (void)state;
    static const uint32_t values[] = {0, 1, 2, 3, 7, 8, 254, 255, 65535, 0x7fffffff, 0xfffffffe};
    static const int32_t is_signed[] = {0, 1, -1, 2, 4, -4, -127, 128, 32768, 0x40000000, -0x7fffffff};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct kit_bits w = {0};
        kit_put_ue(&w, values[i]);
        struct rmi_bits b = rmi_bits_init(w.data, kit_bytes(&w), false);
        assert_int_equal(rmi_bits_ue(&b), values[i]);
        b = rmi_bits_init(w.data, kit_bytes(&w), false);
        assert_int_equal(rmi_bits_se(&b), is_signed[i]);
        assert_false(b.failed);
    }
    static const uint8_t zeros[8] = {0}; /* longer than any code */
    struct rmi_bits b = rmi_bits_init(zeros, sizeof zeros, false);
    assert_int_equal(rmi_bits_ue(&b), 0);
    assert_true(b.failed);
}

static void limits_hold_either_way_round(void **state) {
    (void)state;
    struct rmi_codec_limits l = rmi_codec_limits_default();
    assert_true(rmi_codec_limits_admit(&l, 1920, 1088));
    assert_true(rmi_codec_limits_admit(&l, 1088, 1920));
    assert_false(rmi_codec_limits_admit(&l, 1921, 1088));
    assert_false(rmi_codec_limits_admit(&l, 1920, 1089));
    assert_false(rmi_codec_limits_admit(&l, 1500, 1500));
    assert_false(rmi_codec_limits_admit(&l, 0, 100));
    assert_false(rmi_codec_limits_admit(&l, UINT32_MAX, 1));
}

static void vp8_headers(void **state) {
    (void)state;
    /* key frame, version 0, shown, first partition of 4 bytes, 320 x 180 with scale bits set */
    uint8_t key[] = {0x90, 0x00, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x41, 0xb4, 0x80, 1, 2, 3, 4};
    struct rmi_video_header h;
    assert_int_equal(rmi_vp8_parse_header(key, sizeof key, &h), RM_OK);
    assert_true(h.key && h.has_size);
    assert_int_equal(h.width, 320);
    assert_int_equal(h.height, 180);
    assert_int_equal(h.pictures, 1);
    assert_int_equal(rmi_vp8_parse_header(key, sizeof key - 1, &h), RM_E_PARSE); /* partition cut */
    sweep(rmi_vp8_parse_header, key, sizeof key);
    static const uint8_t inter[] = {0x11, 0x00, 0x00, 0};
    assert_int_equal(rmi_vp8_parse_header(inter, sizeof inter, &h), RM_OK);
    assert_false(h.key || h.has_size);
    key[3] = 0;
    assert_int_equal(rmi_vp8_parse_header(key, sizeof key, &h), RM_E_PARSE);
    key[3] = 0x9d;
    key[6] = key[7] = 0; /* no width */
    assert_int_equal(rmi_vp8_parse_header(key, sizeof key, &h), RM_E_PARSE);
    assert_int_equal(rmi_vp8_parse_header(NULL, 0, &h), RM_E_PARSE);
}

static struct kit_bits vp9_key(uint32_t width, uint32_t height) {
    struct kit_bits b = {0};
    kit_put(&b, 2, 2);
    kit_put(&b, 0, 2); /* profile 0 */
    kit_put(&b, 0, 1); /* show_existing_frame */
    kit_put(&b, 0, 1); /* key frame */
    kit_put(&b, 1, 1); /* show_frame */
    kit_put(&b, 0, 1); /* error_resilient */
    kit_put(&b, 0x498342, 24);
    kit_put(&b, 2, 3); /* BT.709 */
    kit_put(&b, 0, 1);
    kit_put(&b, width - 1, 16);
    kit_put(&b, height - 1, 16);
    return b;
}

/* An inter frame that gives its size, or takes one from a reference. */
static struct kit_bits vp9_inter(uint32_t width, uint32_t height, bool own_size) {
    struct kit_bits b = {0};
    kit_put(&b, 2, 2);
    kit_put(&b, 0, 2);
    kit_put(&b, 0, 1);
    kit_put(&b, 1, 1);
    kit_put(&b, 1, 1);
    kit_put(&b, 1, 1);
    kit_put(&b, 0xff, 8);
    kit_put(&b, 0, 12);
    if (own_size) {
        kit_put(&b, 0, 3);
        kit_put(&b, width - 1, 16);
        kit_put(&b, height - 1, 16);
    } else {
        kit_put(&b, 1, 1);
    }
    return b;
}

static void vp9_headers(void **state) {
    (void)state;
    struct rmi_video_header h;
    struct kit_bits key = vp9_key(1280, 720), own = vp9_inter(65536, 65536, true), ref = vp9_inter(1, 1, false);
    assert_int_equal(rmi_vp9_parse_header(key.data, kit_bytes(&key), &h), RM_OK);
    assert_true(h.key && h.has_size);
    assert_int_equal(h.width, 1280);
    assert_int_equal(h.height, 720);
    sweep(rmi_vp9_parse_header, key.data, kit_bytes(&key));
    assert_int_equal(rmi_vp9_parse_header(own.data, kit_bytes(&own), &h), RM_OK);
    assert_true(!h.key && h.has_size);
    assert_int_equal(h.width, 65536);
    sweep(rmi_vp9_parse_header, own.data, kit_bytes(&own));
    assert_int_equal(rmi_vp9_parse_header(ref.data, kit_bytes(&ref), &h), RM_OK);
    assert_false(h.key || h.has_size);
    key.data[0] |= 0x20; /* profile 1 */
    assert_int_equal(rmi_vp9_parse_header(key.data, kit_bytes(&key), &h), RM_E_UNSUPPORTED);
    key.data[0] = 0;
    assert_int_equal(rmi_vp9_parse_header(key.data, kit_bytes(&key), &h), RM_E_PARSE);
    static const uint8_t existing[] = {0x88 | 3};
    assert_int_equal(rmi_vp9_parse_header(existing, sizeof existing, &h), RM_OK);
    assert_false(h.key || h.has_size);
}

static void vp9_superframes_count_their_largest_picture(void **state) {
    (void)state;
    struct kit_bits key = vp9_key(320, 180), big = vp9_inter(640, 100, true);
    size_t a = kit_bytes(&key), b = kit_bytes(&big), n = 0;
    uint8_t data[128];
    memcpy(data, key.data, a);
    memcpy(data + a, big.data, b);
    n = a + b;
    data[n++] = 0xc1; /* two frames, sizes of one byte */
    data[n++] = (uint8_t)a;
    data[n++] = (uint8_t)b;
    data[n++] = 0xc1;
    struct rmi_video_header h;
    assert_true(rmi_vp9_has_index(data, n));
    assert_int_equal(rmi_vp9_parse_header(data, n, &h), RM_OK);
    assert_true(h.key);
    assert_int_equal(h.pictures, 2);
    assert_int_equal(h.width, 640);
    assert_int_equal(h.height, 180);
    sweep(rmi_vp9_parse_header, data, n);
    data[n - 2] = (uint8_t)(b + 1); /* over the end */
    assert_int_equal(rmi_vp9_parse_header(data, n, &h), RM_E_PARSE);
    data[n - 2] = 0;
    assert_int_equal(rmi_vp9_parse_header(data, n, &h), RM_E_PARSE);
    assert_false(rmi_vp9_has_index(data, a));
}

static struct kit_bits sps_of(uint32_t profile, uint32_t mbs_wide, uint32_t mbs_high, uint32_t refs, uint32_t crop) {
    struct kit_bits b = {0};
    kit_put(&b, 0x67, 8);
    kit_put(&b, profile, 8);
    kit_put(&b, 0xc0, 8);
    kit_put(&b, 31, 8);
    kit_put_ue(&b, 0); /* id */
    if (profile == 100) {
        kit_put_ue(&b, 1); /* 4:2:0 */
        kit_put_ue(&b, 0);
        kit_put_ue(&b, 0);
        kit_put(&b, 0, 1);
        kit_put(&b, 1, 1);  /* a scaling matrix */
        kit_put(&b, 1, 1);  /* its first list: the default, by a delta to zero */
        kit_put_ue(&b, 16); /* se(-8) */
        kit_put(&b, 0, 7);
    }
    kit_put_ue(&b, 0); /* frame_num */
    kit_put_ue(&b, 2); /* order */
    kit_put_ue(&b, refs);
    kit_put(&b, 0, 1);
    kit_put_ue(&b, mbs_wide - 1);
    kit_put_ue(&b, mbs_high - 1);
    kit_put(&b, 1, 1); /* frames only */
    kit_put(&b, 1, 1);
    kit_put(&b, crop > 0, 1);
    if (crop > 0) {
        kit_put_ue(&b, 0);
        kit_put_ue(&b, 0);
        kit_put_ue(&b, 0);
        kit_put_ue(&b, crop);
    }
    kit_put(&b, 0, 1); /* no VUI */
    kit_put(&b, 1, 1);
    return b;
}

static rm_err parse_sps(struct kit_bits b, struct rmi_h264_sps *s) {
    return rmi_h264_parse_sps(b.data, kit_bytes(&b), s);
}

static void h264_parameter_sets(void **state) {
    (void)state;
    struct rmi_h264_sps s;
    assert_int_equal(parse_sps(sps_of(66, 120, 68, 1, 4), &s), RM_OK);
    assert_int_equal(s.width, 1920);
    assert_int_equal(s.height, 1088);
    assert_int_equal(s.shown_height, 1080);
    assert_int_equal(s.ref_frames, 1);
    assert_int_equal(s.profile_idc, 66);
    assert_int_equal(parse_sps(sps_of(100, 80, 45, 4, 0), &s), RM_OK);
    assert_int_equal(s.width, 1280);
    assert_int_equal(s.shown_height, 720);
    assert_int_equal(parse_sps(sps_of(110, 80, 45, 4, 0), &s), RM_E_UNSUPPORTED); /* high 10 */
    assert_int_equal(parse_sps(sps_of(66, 120, 68, 5, 0), &s), RM_E_UNSUPPORTED); /* memory of references */
    assert_int_equal(parse_sps(sps_of(66, 120, 68, 17, 0), &s), RM_E_PARSE);
    assert_int_equal(parse_sps(sps_of(66, 4000, 4000, 1, 0), &s), RM_E_PARSE);
    assert_int_equal(parse_sps(sps_of(66, 1, 1, 1, 8), &s), RM_E_PARSE); /* all cropped away */
    struct kit_bits good = sps_of(66, 20, 12, 1, 6);
    for (size_t n = 0; n <= kit_bytes(&good); n++) {
        uint8_t *copy = malloc(n ? n : 1);
        assert_non_null(copy);
        memcpy(copy, good.data, n);
        for (size_t bit = 0; bit < 8 * n; bit++) {
            copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
            rm_err err = rmi_h264_parse_sps(copy, n, &s);
            if (!err)
                assert_true(s.width >= 16 && s.width <= 16384 && s.shown_width > 0 && s.shown_width <= s.width &&
                            s.shown_height > 0 && s.shown_height <= s.height);
            copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        free(copy);
    }
}

static void h264_units_keep_what_a_decoder_needs(void **state) {
    (void)state;
    struct kit_bits sps = sps_of(66, 20, 12, 1, 0);
    size_t sps_len = kit_bytes(&sps), n = 0, out_len;
    uint8_t data[256], out[RMI_H264_NORMAL_MAX(sizeof data)];
    static const uint8_t aud[] = {0, 0, 0, 1, 9, 0xf0, 0, 0, 1}, sei[] = {0, 0, 1, 6, 5, 1, 0xff, 0x80};
    static const uint8_t pps[] = {0, 0, 0, 1, 0x68, 0xce, 0x80}, idr[] = {0, 0, 1, 0x65, 0x88, 0x84, 0, 0};
    memcpy(data, aud, sizeof aud);
    n = sizeof aud;
    memcpy(data + n, sps.data, sps_len);
    n += sps_len;
    memcpy(data + n, pps, sizeof pps);
    n += sizeof pps;
    memcpy(data + n, sei, sizeof sei);
    n += sizeof sei;
    memcpy(data + n, idr, sizeof idr);
    n += sizeof idr;
    struct rmi_h264_unit u;
    assert_int_equal(rmi_h264_normalise(data, n, &u, out, &out_len), RM_OK);
    assert_true(u.idr && u.slices);
    assert_int_equal(u.sps_len, sps_len);
    assert_int_equal(u.sps_info.width, 320);
    assert_int_equal(out_len, 4 + sps_len + 4 + 3 + 4 + 3); /* no AUD, no SEI, no trailing zeros */
    static const uint8_t tail[] = {0, 0, 0, 1, 0x65, 0x88, 0x84};
    assert_memory_equal(out + out_len - sizeof tail, tail, sizeof tail);
    for (size_t len = 0; len <= n; len++) {
        uint8_t *copy = malloc(len ? len : 1), *room = malloc(RMI_H264_NORMAL_MAX(len));
        assert_true(copy && room);
        memcpy(copy, data, len);
        (void)rmi_h264_normalise(copy, len, &u, room, &out_len);
        for (size_t i = 0; i < len; i++)
            for (int flip = 1; flip < 256; flip = flip * 4 + 3) {
                copy[i] ^= (uint8_t)flip;
                (void)rmi_h264_normalise(copy, len, &u, room, &out_len);
                copy[i] ^= (uint8_t)flip;
            }
        free(copy);
        free(room);
    }
    memcpy(data + n, aud, 4); /* a second SPS behind a slice */
    memcpy(data + n + 4, sps.data, sps_len);
    assert_int_equal(rmi_h264_normalise(data, n + 4 + sps_len, &u, out, &out_len), RM_E_PARSE);
    static const uint8_t part[] = {0, 0, 1, 0x62, 1, 2}, none[] = {1, 2, 3, 4};
    assert_int_equal(rmi_h264_normalise(part, sizeof part, &u, out, &out_len), RM_E_UNSUPPORTED);
    assert_int_equal(rmi_h264_normalise(none, sizeof none, &u, out, &out_len), RM_E_PARSE);
    assert_int_equal(rmi_h264_normalise(NULL, 0, &u, out, &out_len), RM_E_PARSE);
    uint8_t tiny[60]; /* the worst growth: NAL units of one byte */
    for (size_t i = 0; i < sizeof tiny; i += 4)
        tiny[i] = tiny[i + 1] = 0, tiny[i + 2] = 1, tiny[i + 3] = 0x68;
    assert_int_equal(rmi_h264_normalise(tiny, sizeof tiny, &u, out, &out_len), RM_OK);
    assert_int_equal(out_len, 75);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_come_in_order),
        cmocka_unit_test(golomb_codes),
        cmocka_unit_test(limits_hold_either_way_round),
        cmocka_unit_test(vp8_headers),
        cmocka_unit_test(vp9_headers),
        cmocka_unit_test(vp9_superframes_count_their_largest_picture),
        cmocka_unit_test(h264_parameter_sets),
        cmocka_unit_test(h264_units_keep_what_a_decoder_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
