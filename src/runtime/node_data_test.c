/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/runner_testkit.h"
#include "support/heap_count.h"

#include <string.h>

#define HELD 300 /* more than any pool has */
#define WARM_UP 20
#define ROUNDS 500

/* What the test node found out; the session's thread writes, the test reads after the output came. */
struct findings {
    size_t made, distinct;
    rm_err odd, empty, no_out, rate;
};

static struct findings found;

static rm_err make_like(rm_node_context *context, rm_runtime_data *input, rm_runtime_data **out) {
    const rm_audio *a = rm_runtime_data_audio(input);
    const rm_video *v = rm_runtime_data_video(input);
    if (a)
        return rm_node_new_audio(context, a->sample_count, a->sample_rate, a->channels, out);
    return rm_node_new_video(context, v->width, v->height, rm_runtime_data_timestamp_us(input), out);
}

static rm_err make(void *state, rm_node_context *context, rm_runtime_data *input) {
    (void)state;
    rm_runtime_data *out = NULL;
    rm_err err = make_like(context, input, &out);
    return err ? err : rm_node_emit(context, out);
}

/* Holds far more at once than the pool has: each is memory of its own. */
static rm_err hold(void *state, rm_node_context *context, rm_runtime_data *input) {
    (void)state;
    rm_runtime_data *held[HELD] = {NULL};
    struct findings f = {0};
    for (size_t i = 0; i < HELD; i++)
        if (!make_like(context, input, &held[i])) {
            uint8_t *bytes = rm_runtime_data_write_bytes(held[i]);
            memcpy(bytes, &i, sizeof i);
            f.made += bytes != NULL;
        }
    for (size_t i = 0; i < HELD; i++) {
        f.distinct += held[i] && !memcmp(rm_runtime_data_write_bytes(held[i]), &i, sizeof i);
        rm_runtime_data_unref(&held[i]);
    }
    rm_runtime_data *out = NULL;
    f.odd = rm_node_new_video(context, 15, 16, 0, &out);
    f.empty = rm_node_new_audio(context, 0, 48000, 1, &out);
    f.rate = rm_node_new_audio(context, 10, 0, 1, &out);
    f.no_out = rm_node_new_audio(context, 10, 48000, 1, NULL);
    found = f;
    return out ? RM_E_INTERNAL : rm_node_emit(context, rm_runtime_data_ref(input));
}

static const rm_node_class classes[] = {
    {RMT_HEAD, .name = "Make", .accepts = "audio,video", .process = make},
    {RMT_HEAD, .name = "Hold", .accepts = "audio,video", .process = hold},
};

static rm_stream_session *open_session(const char *type, rm_pipeline_runner **runner) {
    char nodes[64];
    rm_node_registry *registry = NULL;
    rm_stream_session *s = NULL;
    assert_int_equal(rmi_registry_create(&registry), RM_OK);
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        assert_int_equal(rm_node_registry_add(registry, &classes[i], NULL, 0), RM_OK);
    rmi_prng_seed(&prng, 7);
    struct rmi_runner_config config = {.registry = registry, .rng = rmi_prng_rng(&prng), .max_sessions = 1};
    assert_int_equal(rmi_runner_create(&config, runner), RM_OK);
    rm_node_registry_destroy(&registry);
    snprintf(nodes, sizeof nodes, "{id: n, node_type: %s}", type);
    rm_manifest *m = rmt_manifest("", nodes, "");
    assert_int_equal(rm_pipeline_runner_create_stream_session(*runner, m, NULL, &s, NULL, 0), RM_OK);
    rm_manifest_unref(&m);
    return s;
}

static rm_runtime_data *pass(rm_stream_session *s, rm_runtime_data *data) {
    rm_transport_data in = {.data = data}, out = {0};
    assert_int_equal(rm_stream_session_send_input(s, &in), RM_OK);
    rm_transport_data_clear(&in);
    assert_int_equal(rm_stream_session_recv_output(s, &out, RMT_LONG_MS), RM_OK);
    rm_runtime_data *result = rm_runtime_data_ref(out.data);
    rm_transport_data_clear(&out);
    return result;
}

static rm_runtime_data *sound(void) {
    rm_buf *buf = NULL;
    rm_runtime_data *d = NULL;
    assert_int_equal(rm_buf_create(480 * sizeof(float), &buf), RM_OK);
    assert_int_equal(rm_runtime_data_create_audio(buf, 0, 480, 48000, 2, &d), RM_OK);
    assert_int_equal(rm_runtime_data_set_stream_id(d, "mic"), RM_OK);
    assert_int_equal(rm_runtime_data_set_arrival_us(d, 77), RM_OK);
    assert_int_equal(rm_runtime_data_set_metadata(d, "{\"a\":1}"), RM_OK);
    rm_buf_unref(&buf);
    return d;
}

static rm_runtime_data *picture(void) {
    rm_buf *buf = NULL;
    rm_runtime_data *d = NULL;
    size_t size = rm_video_packed_size(RM_PIXEL_NV12, 34, 18);
    assert_int_equal(rm_buf_create(size, &buf), RM_OK);
    assert_int_equal(rm_runtime_data_create_video(buf, 0, RM_PIXEL_NV12, 34, 18, 9, 5000, &d), RM_OK);
    assert_int_equal(rm_runtime_data_set_stream_id(d, "cam"), RM_OK);
    rm_buf_unref(&buf);
    return d;
}

static void frames_carry_what_the_input_carries_and_outlive_the_session(void **state) {
    (void)state;
    rm_pipeline_runner *runner = NULL;
    rm_stream_session *s = open_session("Make", &runner);
    rm_runtime_data *a = pass(s, sound()), *v = pass(s, picture());
    rm_stream_session_destroy(&s);
    rm_pipeline_runner_destroy(&runner);
    assert_int_equal(rm_runtime_data_audio(a)->frame_count, 240);
    assert_string_equal(rm_runtime_data_stream_id(a), "mic");
    assert_string_equal(rm_runtime_data_metadata(a), "{\"a\":1}");
    assert_int_equal(rm_runtime_data_arrival_us(a), 77);
    assert_int_equal(rm_runtime_data_timestamp_us(a), RM_NO_VALUE);
    rm_runtime_data_write_samples(a)[479] = 1;
    const rm_video *video = rm_runtime_data_video(v);
    assert_int_equal(video->format, RM_PIXEL_I420);
    assert_int_equal(video->width, 34);
    assert_int_equal(video->height, 18);
    assert_int_equal(video->frame_number, 9);
    assert_string_equal(rm_runtime_data_stream_id(v), "cam");
    assert_int_equal(rm_runtime_data_timestamp_us(v), 5000);
    for (uint32_t p = 0; p < 3; p++) {
        size_t rows = p ? 9 : 18, width = p ? 17 : 34;
        memset(rm_runtime_data_write_plane(v, p) + (rows - 1) * video->strides[p], 1, width);
    }
    rm_runtime_data_unref(&a);
    rm_runtime_data_unref(&v);
}

static void beyond_the_pool_frames_come_from_the_heap(void **state) {
    (void)state;
    rm_pipeline_runner *runner = NULL;
    rm_stream_session *s = open_session("Hold", &runner);
    for (int i = 0; i < 2; i++) {
        rm_runtime_data *d = pass(s, i ? picture() : sound());
        rm_runtime_data_unref(&d);
        assert_int_equal(found.made, HELD);
        assert_int_equal(found.distinct, HELD);
        assert_int_equal(found.odd, RM_E_INVALID_ARG);
        assert_int_equal(found.empty, RM_E_INVALID_ARG);
        assert_int_equal(found.rate, RM_E_INVALID_ARG);
        assert_int_equal(found.no_out, RM_E_INVALID_ARG);
    }
    rm_stream_session_destroy(&s);
    rm_pipeline_runner_destroy(&runner);
}

static void steady_state_makes_no_heap_call(void **state) {
    (void)state;
    rm_pipeline_runner *runner = NULL;
    rm_stream_session *s = open_session("Make", &runner);
    rm_runtime_data *a = sound(), *v = picture();
    size_t before = 0;
    for (int i = 0; i < WARM_UP + ROUNDS; i++) {
        if (i == WARM_UP)
            before = atomic_load(&heap_calls);
        rm_runtime_data *out = pass(s, rm_runtime_data_ref(a));
        rm_runtime_data_unref(&out);
        out = pass(s, rm_runtime_data_ref(v));
        rm_runtime_data_unref(&out);
    }
    size_t calls = atomic_load(&heap_calls) - before;
    print_message("%d frames, %zu heap calls\n", 2 * ROUNDS, calls);
    assert_true(calls <= 4); /* a rare moment with one more buffer in use than ever before allocates that one */
    rm_runtime_data_unref(&a);
    rm_runtime_data_unref(&v);
    rm_stream_session_destroy(&s);
    rm_pipeline_runner_destroy(&runner);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_carry_what_the_input_carries_and_outlive_the_session),
        cmocka_unit_test(beyond_the_pool_frames_come_from_the_heap),
        cmocka_unit_test(steady_state_makes_no_heap_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
