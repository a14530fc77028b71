/* SPDX-License-Identifier: Apache-2.0 */
/* Scaling, converting, coding, resampling and mixing: once things run, without a heap call of the process, whoever
 * makes it, but for what codec libraries do inside. Under a sanitizer, which has a heap of its own, calls are not
 * counted. */
#include "codec/codec_testkit.h"
#include "frame/pool.h"
#include "nodes/nodes_testkit.h"
#include "support/heap_count.h"

#define WARM_UP 130 /* two key frames, whose buffers are the largest */
#define ROUNDS 300
#define CHUNK 480 /* 10 ms at 48 kHz */
/* How many buffers are in use at one time depends on the threads: a rare moment with one more than ever before
 * allocates that one, which then stays. */
#define RARE 10

/* Heap calls of a run after the warm-up. */
struct count {
    size_t begin;
};

static void note(struct count *c, int round) {
    if (round != WARM_UP)
        return;
    c->begin = atomic_load(&heap_calls);
#ifndef HEAP_IS_ANOTHERS
    assert_true(c->begin > 0); /* it does count */
#endif
}

static size_t calls_since(const struct count *c) {
    return atomic_load(&heap_calls) - c->begin;
}

static rm_runtime_data *draw(struct rmi_frame_pool *pool, struct kit_source *s, int t) {
    rm_runtime_data *d = NULL;
    struct rmi_codec_picture p = kit_source_draw(s, t);
    assert_int_equal(rmi_frame_pool_video(pool, (uint32_t)p.width, (uint32_t)p.height, (int64_t)t * 1000000 / 30, &d),
                     RM_OK);
    const rm_video *v = rm_runtime_data_video(d);
    for (uint32_t i = 0; i < 3; i++)
        for (int y = 0; y < (i ? p.height / 2 : p.height); y++)
            memcpy(rm_runtime_data_write_plane(d, i) + (size_t)y * v->strides[i], p.plane[i] + y * p.stride[i],
                   (size_t)(i ? p.width / 2 : p.width));
    return d;
}

static size_t run_video(const char *nodes, const char *connections) {
    struct rmi_frame_pool_config config = {.max_buffers = 64};
    struct rmi_frame_pool *pool = NULL;
    struct kit_source s;
    struct kit_rig rig;
    struct count c = {0};
    kit_source_init(&s, 320, 180, 12);
    assert_int_equal(rmi_frame_pool_create(&config, &pool), RM_OK);
    assert_int_equal(kit_open(&rig, nodes, connections), RM_OK);
    for (int t = 0; t < WARM_UP + ROUNDS; t++) {
        note(&c, t);
        rm_runtime_data *out = kit_pass(&rig, draw(pool, &s, t));
        rm_runtime_data_unref(&out);
    }
    size_t calls = calls_since(&c);
    assert_int_equal(rig.errors, 0);
    kit_close(&rig);
    rmi_frame_pool_destroy(&pool);
    kit_source_fini(&s);
    return calls;
}

static void pictures(void **state) {
    (void)state;
    size_t calls = run_video("{id: a, node_type: VideoScaler, params: {target_width: 160}},"
                             "{id: b, node_type: VideoFormatConverter, params: {target_format: Rgb24}},"
                             "{id: c, node_type: VideoFormatConverter, params: {target_format: NV12}},"
                             "{id: d, node_type: VideoFlip}, {id: e, node_type: VideoFormatConverter}",
                             "{from: a, to: b}, {from: b, to: c}, {from: c, to: d}, {from: d, to: e}");
    print_message("pictures: %d, %zu heap calls\n", ROUNDS, calls);
    assert_true(calls <= RARE);
}

/* What the libraries allocate for each frame, counted alone. */
static size_t library_calls(enum rmi_codec_id id) {
    struct rmi_video_encoder_config ec = {.bitrate_bps = 500000, .fps = 30};
    struct rmi_video_decoder_config dc = {.limits = {.max_width = 0}};
    struct rmi_video_encoder *e = NULL;
    struct rmi_video_decoder *d = NULL;
    struct kit_source s;
    struct count c = {0};
    kit_source_init(&s, 320, 180, 12);
    assert_int_equal(rmi_video_encoder_create(id, &ec, &e), RM_OK);
    assert_int_equal(rmi_video_decoder_create(id, &dc, &d), RM_OK);
    for (int t = 0; t < WARM_UP + ROUNDS; t++) {
        struct rmi_codec_picture in = kit_source_draw(&s, t), out;
        struct rmi_encoded_video frame;
        note(&c, t);
        if (t % 60 == 0)
            rmi_video_encoder_request_key(e);
        assert_int_equal(rmi_video_encoder_encode(e, &in, (int64_t)t * 1000000 / 30, &frame), RM_OK);
        assert_int_equal(rmi_video_decoder_decode(d, frame.data, frame.len, (int64_t)t * 1000000 / 30, &out), RM_OK);
    }
    size_t calls = calls_since(&c);
    rmi_video_encoder_destroy(&e);
    rmi_video_decoder_destroy(&d);
    kit_source_fini(&s);
    return calls;
}

static void coding(void **state) {
    (void)state;
    static const struct {
        const char *name;
        enum rmi_codec_id id;
    } rows[] = {{"Vp8", RMI_CODEC_VP8}, {"Vp9", RMI_CODEC_VP9}, {"H264", RMI_CODEC_H264}};
    for (size_t i = 0; i < 3; i++) {
        char nodes[256];
        snprintf(nodes, sizeof nodes,
                 "{id: e, node_type: VideoEncoder, params: {codec: %s, bitrate: 500000}},"
                 "{id: d, node_type: VideoDecoder}",
                 rows[i].name);
        size_t calls = run_video(nodes, "{from: e, to: d}"), library = library_calls(rows[i].id);
        print_message("%s: %d frames, %zu heap calls, the codecs alone %zu\n", rows[i].name, ROUNDS, calls, library);
        assert_true(calls <= library + RARE);
    }
}

static rm_runtime_data *chunk(struct rmi_frame_pool *pool, const char *id, int t) {
    rm_runtime_data *d = NULL;
    assert_int_equal(rmi_frame_pool_audio(pool, CHUNK, 48000, 1, &d), RM_OK);
    float *pcm = rm_runtime_data_write_samples(d);
    for (int i = 0; i < CHUNK; i++)
        pcm[i] = (float)sin((t * CHUNK + i) * 0.05);
    assert_int_equal(rm_runtime_data_set_stream_id(d, id), RM_OK);
    assert_int_equal(rm_runtime_data_set_timestamp_us(d, (int64_t)t * 10000), RM_OK);
    return d;
}

/* Three voices, too loud together, to 16 kHz stereo. */
static void sound(void **state) {
    (void)state;
    static const char *const ids[] = {"a", "b", "c"};
    struct rmi_frame_pool_config config = {.max_buffers = 64};
    struct rmi_frame_pool *pool = NULL;
    struct kit_rig rig;
    struct count c = {0};
    assert_int_equal(rmi_frame_pool_create(&config, &pool), RM_OK);
    assert_int_equal(kit_open(&rig,
                              "{id: m, node_type: AudioMixerNode},"
                              "{id: r, node_type: FastResampleNode, params: {target_rate: 16000, channels: 2}},"
                              "{id: k, node_type: AudioChunkerNode, params: {chunk_size: 160}},"
                              "{id: g, node_type: AudioGainNode, params: {gain_db: -3}}",
                              "{from: m, to: r}, {from: r, to: k}, {from: k, to: g}"),
                     RM_OK);
    for (int t = 0; t < WARM_UP + ROUNDS; t++) {
        note(&c, t);
        for (size_t i = 0; i < 3; i++)
            kit_send(&rig, chunk(pool, ids[i], t));
        if (t == 0) /* the filter swings in: nothing is complete yet */
            continue;
        rm_runtime_data *out = kit_take(&rig);
        assert_int_equal(rm_runtime_data_audio(out)->frame_count, 160);
        rm_runtime_data_unref(&out);
    }
    size_t calls = calls_since(&c);
    print_message("sound: %d chunks of three voices, %zu heap calls\n", ROUNDS, calls);
    assert_true(calls <= RARE);
    assert_int_equal(rig.errors, 0);
    kit_close(&rig);
    rmi_frame_pool_destroy(&pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures),
        cmocka_unit_test(coding),
        cmocka_unit_test(sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
