/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include "codec/bits.h"
#include "codec/codec.h"
#include "codec/codec_testkit.h"
#include "frame/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define FPS 30
#define FRAME_US (RMI_SEC(1) / FPS)

static const enum rmi_codec_id codecs[] = {RMI_CODEC_VP8, RMI_CODEC_VP9, RMI_CODEC_H264};
#define CODECS (sizeof codecs / sizeof *codecs)

static struct rmi_video_encoder *new_encoder(enum rmi_codec_id id, uint32_t bps) {
    struct rmi_video_encoder_config config = {.bitrate_bps = bps, .fps = FPS};
    struct rmi_video_encoder *e = NULL;
    assert_int_equal(rmi_video_encoder_create(id, &config, &e), RM_OK);
    return e;
}

static struct rmi_video_decoder *new_decoder(enum rmi_codec_id id) {
    struct rmi_video_decoder_config config = {0};
    struct rmi_video_decoder *d = NULL;
    assert_int_equal(rmi_video_decoder_create(id, &config, &d), RM_OK);
    return d;
}

static const char *name_of(enum rmi_codec_id id) {
    return rmi_codec_by_id(id)->name;
}

static void picture_survives_the_round_trip(void **state) {
    (void)state;
    for (size_t c = 0; c < CODECS; c++) {
        struct kit_source s;
        kit_source_init(&s, 640, 360, 12);
        struct rmi_video_encoder *e = new_encoder(codecs[c], 1500000);
        struct rmi_video_decoder *d = new_decoder(codecs[c]);
        double worst = 99, sum = 0;
        for (int t = 0; t < 60; t++) {
            struct rmi_codec_picture in = kit_source_draw(&s, t), out;
            struct rmi_encoded_video frame;
            assert_int_equal(rmi_video_encoder_encode(e, &in, t * FRAME_US, &frame), RM_OK);
            assert_int_equal(frame.key, t == 0);
            assert_int_equal(rmi_video_decoder_decode(d, frame.data, frame.len, t * FRAME_US, &out), RM_OK);
            assert_int_equal(out.width, 640);
            assert_int_equal(out.height, 360);
            assert_int_equal(out.buf != NULL, codecs[c] == RMI_CODEC_VP9);
            double psnr = kit_psnr(&in, &out);
            worst = psnr < worst ? psnr : worst;
            sum += psnr;
        }
        print_message("%s: PSNR mean %.1f dB, worst %.1f dB\n", name_of(codecs[c]), sum / 60, worst);
        assert_true(worst > 30);
        rmi_video_encoder_destroy(&e);
        rmi_video_decoder_destroy(&d);
        assert_null(e);
        assert_null(d);
        kit_source_fini(&s);
    }
}

/* A VP9 picture may be kept while decoding goes on, and survives the decoder. */
static void kept_vp9_pictures_stay_as_they_were(void **state) {
    (void)state;
    enum { KEPT = 30 };
    struct kit_source s;
    kit_source_init(&s, 320, 180, 24);
    struct rmi_video_encoder *e = new_encoder(RMI_CODEC_VP9, 800000);
    struct rmi_video_decoder *d = new_decoder(RMI_CODEC_VP9);
    struct rmi_codec_picture kept[KEPT];
    uint32_t sums[KEPT];
    for (int round = 0; round < 2; round++) {
        for (int t = 0; t < KEPT; t++) {
            struct rmi_codec_picture in = kit_source_draw(&s, t);
            struct rmi_encoded_video frame;
            assert_int_equal(rmi_video_encoder_encode(e, &in, (round * KEPT + t) * FRAME_US, &frame), RM_OK);
            struct rmi_codec_picture out;
            assert_int_equal(rmi_video_decoder_decode(d, frame.data, frame.len, 0, &out), RM_OK);
            if (round > 0)
                continue;
            kept[t] = out;
            rmi_buf_ref(out.buf);
            sums[t] = 0;
            for (int y = 0; y < 180; y++)
                for (int x = 0; x < 320; x++)
                    sums[t] = sums[t] * 31 + out.plane[0][y * out.stride[0] + x];
        }
    }
    rmi_video_decoder_destroy(&d);
    for (int t = 0; t < KEPT; t++) {
        uint32_t sum = 0;
        for (int y = 0; y < 180; y++)
            for (int x = 0; x < 320; x++)
                sum = sum * 31 + kept[t].plane[0][y * kept[t].stride[0] + x];
        assert_int_equal(sum, sums[t]);
        rmi_buf_unref(&kept[t].buf);
    }
    rmi_video_encoder_destroy(&e);
    kit_source_fini(&s);
}

/* Without a copy into the type that pipelines pass on; and in the steady state the same few buffers come round. */
static void vp9_pictures_become_frames_where_they_lie(void **state) {
    enum { BUFFERS_MAX = 16 };
    (void)state;
    struct kit_source s;
    kit_source_init(&s, 320, 180, 24);
    struct rmi_video_encoder *e = new_encoder(RMI_CODEC_VP9, 800000);
    struct rmi_video_decoder *d = new_decoder(RMI_CODEC_VP9);
    struct rmi_frame_pool_config pool_config = {.max_buffers = 2};
    struct rmi_frame_pool *pool = NULL;
    const struct rmi_buf *seen[BUFFERS_MAX] = {NULL};
    assert_int_equal(rmi_frame_pool_create(&pool_config, &pool), RM_OK);
    rm_runtime_data *last = NULL;
    for (int t = 0; t < 120; t++) {
        struct rmi_codec_picture in = kit_source_draw(&s, t), out;
        struct rmi_encoded_video frame;
        size_t offsets[3], strides[3];
        assert_int_equal(rmi_video_encoder_encode(e, &in, t * FRAME_US, &frame), RM_OK);
        assert_int_equal(rmi_video_decoder_decode(d, frame.data, frame.len, t * FRAME_US, &out), RM_OK);
        for (int i = 0; i < 3; i++) {
            offsets[i] = (size_t)(out.plane[i] - out.buf->data);
            strides[i] = (size_t)out.stride[i];
        }
        rm_runtime_data *data = NULL;
        assert_int_equal(rmi_frame_pool_wrap_video(pool, out.buf, offsets, strides, RM_PIXEL_I420, 320, 180, 0, &data),
                         RM_OK);
        assert_ptr_equal(rm_runtime_data_buf(data), out.buf);
        rm_runtime_data_unref(&last); /* the picture before stays in use for a while */
        last = data;
        int i = 0;
        while (i < BUFFERS_MAX && seen[i] && seen[i] != out.buf)
            i++;
        assert_in_range(i, 0, BUFFERS_MAX - 1);
        seen[i] = out.buf;
    }
    rmi_video_decoder_destroy(&d);
    rm_runtime_data_unref(&last);
    rmi_frame_pool_destroy(&pool);
    rmi_video_encoder_destroy(&e);
    kit_source_fini(&s);
}

static size_t encode_seconds(struct rmi_video_encoder *e, struct kit_source *s, int *t, int seconds) {
    size_t bytes = 0;
    for (int end = *t + seconds * FPS; *t < end; ++*t) {
        struct rmi_codec_picture in = kit_source_draw(s, *t);
        struct rmi_encoded_video frame;
        rm_err err = rmi_video_encoder_encode(e, &in, *t * FRAME_US, &frame);
        if (err == RM_E_AGAIN)
            continue;
        assert_int_equal(err, RM_OK);
        assert_int_equal(frame.key, *t == 0);
        bytes += frame.len;
    }
    return bytes;
}

static void bitrate_follows_within_two_seconds(void **state) {
    static const uint32_t rates[] = {1000000, 400000, 1500000, 600000};
    (void)state;
    for (size_t c = 0; c < CODECS; c++) {
        struct kit_source s;
        kit_source_init(&s, 480, 270, 24);
        struct rmi_video_encoder *e = new_encoder(codecs[c], rates[0]);
        int t = 0;
        for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
            struct rmi_video_encoder_config config = {.bitrate_bps = rates[i], .fps = FPS};
            assert_int_equal(rmi_video_encoder_configure(e, &config), RM_OK);
            encode_seconds(e, &s, &t, 2);
            double bps = (double)encode_seconds(e, &s, &t, 3) * 8 / 3;
            print_message("%s: target %u, %.0f bit/s (%+.1f %%)\n", name_of(codecs[c]), rates[i], bps,
                          (bps / rates[i] - 1) * 100);
            assert_true(fabs(bps / rates[i] - 1) < 0.1);
        }
        rmi_video_encoder_destroy(&e);
        kit_source_fini(&s);
    }
}

static void key_frame_comes_when_asked(void **state) {
    (void)state;
    for (size_t c = 0; c < CODECS; c++) {
        struct kit_source s;
        kit_source_init(&s, 320, 180, 24);
        struct rmi_video_encoder *e = new_encoder(codecs[c], 500000);
        for (int t = 0; t < 30; t++) {
            struct rmi_codec_picture in = kit_source_draw(&s, t), out;
            struct rmi_encoded_video frame;
            if (t == 10 || t == 11 || t == 20)
                rmi_video_encoder_request_key(e);
            assert_int_equal(rmi_video_encoder_encode(e, &in, t * FRAME_US, &frame), RM_OK);
            assert_int_equal(frame.key, t == 0 || t == 10 || t == 11 || t == 20);
            if (!frame.key)
                continue;
            /* each one is a place to start */
            struct rmi_video_decoder *d = new_decoder(codecs[c]);
            assert_int_equal(rmi_video_decoder_decode(d, frame.data, frame.len, 0, &out), RM_OK);
            assert_true(kit_psnr(&in, &out) > 30);
            rmi_video_decoder_destroy(&d);
        }
        rmi_video_encoder_destroy(&e);
        kit_source_fini(&s);
    }
}

static int pick(struct rmi_prng *p, int lo, int hi) {
    struct rmi_rng rng = rmi_prng_rng(p);
    return (int)rmi_rng_range(&rng, (uint64_t)lo, (uint64_t)hi);
}

static void random_reconfigurations_keep_the_stream_decodable(void **state) {
    (void)state;
    for (size_t c = 0; c < CODECS; c++) {
        struct kit_source s;
        struct rmi_prng prng;
        rmi_prng_seed(&prng, 99 + c);
        kit_source_init(&s, 320, 240, 40);
        struct rmi_video_encoder *e = new_encoder(codecs[c], 500000);
        struct rmi_video_decoder *d = new_decoder(codecs[c]);
        bool reason = true;
        int64_t pts = -5000000;
        for (int t = 0; t < 400; t++) {
            int what = pick(&prng, 0, 19);
            if (what == 0) {
                kit_source_size(&s, pick(&prng, 16, 700), pick(&prng, 16, 500));
                reason = true;
            } else if (what == 1) {
                rmi_video_encoder_request_key(e);
                reason = true;
            } else if (what < 6) {
                struct rmi_video_encoder_config config = {.bitrate_bps = (uint32_t)pick(&prng, 10, 8000) * 1000,
                                                          .fps = pick(&prng, 1, 240)};
                if (codecs[c] != RMI_CODEC_H264)
                    config.speed = pick(&prng, 5, 9);
                assert_int_equal(rmi_video_encoder_configure(e, &config), RM_OK);
            }
            pts += pick(&prng, 0, 9) ? pick(&prng, 1, 200000) : pick(&prng, 0, 10) * 100000000 - 500000000;
            struct rmi_codec_picture in = kit_source_draw(&s, t), out;
            struct rmi_encoded_video frame;
            rm_err err = rmi_video_encoder_encode(e, &in, pts, &frame);
            if (err == RM_E_AGAIN)
                continue;
            assert_int_equal(err, RM_OK);
            assert_int_equal(frame.key, reason);
            reason = false;
            assert_int_equal(rmi_video_decoder_decode(d, frame.data, frame.len, t * RMI_SEC(1), &out), RM_OK);
            int even = codecs[c] == RMI_CODEC_H264 ? ~1 : ~0;
            assert_int_equal(out.width, s.width & even);
            assert_int_equal(out.height, s.height & even);
        }
        rmi_video_encoder_destroy(&e);
        rmi_video_decoder_destroy(&d);
        kit_source_fini(&s);
    }
}

/* The VUI of an SPS as our encoder writes it (H.264 7.3.2.1.1, E.1.1). */
static void check_h264_colour(const uint8_t *nal, size_t len) {
    assert_true(len > 4);
    struct rmi_bits r = rmi_bits_init(nal + 1, len - 1, true);
    assert_int_equal(rmi_bits_get(&r, 8), 66); /* Baseline has no chroma format in front */
    rmi_bits_get(&r, 16);
    rmi_bits_ue(&r); /* id */
    rmi_bits_ue(&r); /* length of frame numbers */
    if (rmi_bits_ue(&r) == 0)
        rmi_bits_ue(&r); /* picture order */
    rmi_bits_ue(&r);     /* references */
    rmi_bits_get(&r, 1);
    rmi_bits_ue(&r);
    rmi_bits_ue(&r);
    assert_int_equal(rmi_bits_get(&r, 1), 1); /* frames only */
    rmi_bits_get(&r, 1);
    for (int crop = rmi_bits_get(&r, 1) ? 4 : 0; crop > 0; crop--)
        rmi_bits_ue(&r);
    assert_int_equal(rmi_bits_get(&r, 1), 1);         /* VUI */
    assert_int_equal(rmi_bits_get(&r, 2), 0);         /* no aspect ratio, no overscan */
    assert_int_equal(rmi_bits_get(&r, 1), 1);         /* video signal type */
    assert_int_equal(rmi_bits_get(&r, 3), 5);         /* unspecified format */
    assert_int_equal(rmi_bits_get(&r, 1), 0);         /* limited range */
    assert_int_equal(rmi_bits_get(&r, 1), 1);         /* colour description: */
    assert_int_equal(rmi_bits_get(&r, 24), 0x060606); /* SMPTE 170M, which is BT.601 */
    assert_false(r.failed);
}

static void colours_are_said_to_be_bt601(void **state) {
    (void)state;
    struct kit_source s;
    kit_source_init(&s, 320, 180, 12);
    for (size_t c = 0; c < CODECS; c++) {
        struct rmi_video_encoder *e = new_encoder(codecs[c], 500000);
        struct rmi_codec_picture in = kit_source_draw(&s, 0);
        struct rmi_encoded_video frame;
        assert_int_equal(rmi_video_encoder_encode(e, &in, 0, &frame), RM_OK);
        if (codecs[c] == RMI_CODEC_VP9) /* behind frame marker, flags and sync code: color_space */
            assert_int_equal(frame.data[4] >> 5, 1);
        if (codecs[c] == RMI_CODEC_H264) {
            struct rmi_h264_unit unit;
            uint8_t *copy = malloc(RMI_H264_NORMAL_MAX(frame.len));
            size_t len;
            assert_non_null(copy);
            assert_int_equal(rmi_h264_normalise(frame.data, frame.len, &unit, copy, &len), RM_OK);
            assert_non_null(unit.sps);
            check_h264_colour(unit.sps, unit.sps_len);
            free(copy);
        } /* VP8 has one meaning only (RFC 6386 9.2) */
        rmi_video_encoder_destroy(&e);
    }
    kit_source_fini(&s);
}

static void wrong_arguments_are_refused(void **state) {
    (void)state;
    struct kit_source s;
    kit_source_init(&s, 64, 64, 0);
    struct rmi_video_encoder *e = NULL;
    struct rmi_encoded_video frame;
    const struct rmi_video_encoder_config bad[] = {{.bitrate_bps = 0, .fps = 30},
                                                   {.bitrate_bps = 500000, .fps = 0},
                                                   {.bitrate_bps = 500000, .fps = 1000},
                                                   {.bitrate_bps = 500000, .fps = NAN},
                                                   {.bitrate_bps = 500000, .fps = 30, .speed = 99}};
    for (size_t c = 0; c < CODECS; c++)
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
            assert_int_equal(rmi_video_encoder_create(codecs[c], &bad[i], &e), RM_E_INVALID_ARG);
    struct rmi_video_encoder_config good = {.bitrate_bps = 500000, .fps = 30};
    assert_int_equal(rmi_video_encoder_create(RMI_CODEC_OPUS, &good, &e), RM_E_UNSUPPORTED);
    assert_int_equal(rmi_video_encoder_create(RMI_CODEC_COUNT, &good, &e), RM_E_UNSUPPORTED);
    assert_null(e);
    e = new_encoder(RMI_CODEC_VP8, 500000);
    assert_int_equal(rmi_video_encoder_configure(e, &bad[0]), RM_E_INVALID_ARG);
    struct rmi_codec_picture in = kit_source_draw(&s, 0), broken = in;
    broken.plane[2] = NULL;
    assert_int_equal(rmi_video_encoder_encode(e, &broken, 0, &frame), RM_E_INVALID_ARG);
    broken = in;
    broken.stride[0] = 63;
    assert_int_equal(rmi_video_encoder_encode(e, &broken, 0, &frame), RM_E_INVALID_ARG);
    broken = in;
    broken.width = 8;
    assert_int_equal(rmi_video_encoder_encode(e, &broken, 0, &frame), RM_E_INVALID_ARG);
    assert_int_equal(rmi_video_encoder_encode(e, &in, 0, &frame), RM_OK);
    rmi_video_encoder_destroy(&e);
    rmi_video_encoder_destroy(&e);
    rmi_video_encoder_destroy(NULL);
    struct rmi_video_decoder_config half = {.limits = {.max_width = 100}};
    struct rmi_video_decoder *d = NULL;
    assert_int_equal(rmi_video_decoder_create(RMI_CODEC_VP8, &half, &d), RM_E_INVALID_ARG);
    rmi_video_decoder_destroy(&d);
    kit_source_fini(&s);
}

static void table_finds_codecs_by_name(void **state) {
    (void)state;
    assert_int_equal(rmi_codec_by_name("h264")->id, RMI_CODEC_H264);
    assert_int_equal(rmi_codec_by_name("vp8")->id, RMI_CODEC_VP8);
    assert_int_equal(rmi_codec_by_name("Opus")->rtp_clock_hz, 48000);
    assert_int_equal(rmi_codec_by_name("VP9")->rtp_clock_hz, 90000);
    assert_null(rmi_codec_by_name("AV1"));
    assert_null(rmi_codec_by_name(NULL));
    assert_null(rmi_codec_by_id(RMI_CODEC_COUNT));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(picture_survives_the_round_trip),
        cmocka_unit_test(kept_vp9_pictures_stay_as_they_were),
        cmocka_unit_test(vp9_pictures_become_frames_where_they_lie),
        cmocka_unit_test(bitrate_follows_within_two_seconds),
        cmocka_unit_test(key_frame_comes_when_asked),
        cmocka_unit_test(random_reconfigurations_keep_the_stream_decodable),
        cmocka_unit_test(colours_are_said_to_be_bt601),
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(table_finds_codecs_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
