/* SPDX-License-Identifier: Apache-2.0 */
/* FastResampleNode, and which node types there are. */
#include "nodes/nodes_testkit.h"

#include <math.h>

#define TWO_PI 6.283185307179586
#define FREQUENCY 1000.0

/* `frames` of a tone from sample `from` on, in all channels. */
static rm_runtime_data *tone(uint32_t rate, uint32_t channels, size_t from, size_t frames, const char *id, bool timed) {
    float *pcm = calloc(frames * channels + 1, sizeof *pcm);
    assert_non_null(pcm);
    for (size_t i = 0; i < frames * channels; i++)
        pcm[i] = (float)(0.5 * sin(TWO_PI * FREQUENCY * (double)(from + i / channels) / rate));
    rm_runtime_data *d = kit_audio(pcm, frames * channels, rate, channels, id,
                                   timed ? (int64_t)(1000000 + from * 1000000 / rate) : RM_NO_VALUE);
    free(pcm);
    return d;
}

struct row {
    const char *params;
    uint32_t from, to, channels_in, channels_out;
    size_t chunk, chunks;
};

/* Every sample of the output is the tone at its own time: length, frequency and delay are right. */
static void check_row(const struct row *row, bool timed) {
    struct kit_rig rig;
    size_t got = 0, edge = row->to / 50; /* 20 ms in which the filter swings in and out */
    double worst = 0;
    assert_int_equal(kit_open_one(&rig, "FastResampleNode", row->params), RM_OK);
    for (size_t i = 0; i < row->chunks; i++)
        kit_send(&rig, tone(row->from, row->channels_in, i * row->chunk, row->chunk, "mic", timed));
    rm_stream_session_end_input(rig.session);
    size_t total = (row->chunk * row->chunks * row->to + row->from / 2) / row->from;
    for (rm_runtime_data *out; (out = kit_take(&rig)) != NULL;) {
        const rm_audio *a = rm_runtime_data_audio(out);
        assert_int_equal(a->sample_rate, row->to);
        assert_int_equal(a->channels, row->channels_out);
        assert_string_equal(rm_runtime_data_stream_id(out), "mic");
        if (timed)
            assert_true(llabs(rm_runtime_data_timestamp_us(out) - (int64_t)(1000000 + got * 1000000 / row->to)) <= 2);
        else
            assert_int_equal(rm_runtime_data_timestamp_us(out), RM_NO_VALUE);
        for (size_t k = 0; k < a->frame_count; k++, got++)
            for (size_t c = 0; c < a->channels && got > edge && got + edge < total; c++)
                worst = fmax(worst, fabs(a->samples[k * a->channels + c] -
                                         0.5 * sin(TWO_PI * FREQUENCY * (double)got / row->to)));
        rm_runtime_data_unref(&out);
    }
    assert_int_equal(got, total);
    if (worst > 0.02)
        fail_msg("%u to %u Hz: %g off", row->from, row->to, worst);
    assert_int_equal(rig.errors, 0);
    kit_close(&rig);
}

static void resampled_sound_keeps_length_and_frequency(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"{source_rate: 48000, target_rate: 16000}", 48000, 16000, 1, 1, 480, 40},
        {"{sourceRate: auto, targetRate: 48000, quality: low}", 16000, 48000, 1, 1, 160, 40},
        {"{target_rate: 44100, quality: High}", 48000, 44100, 2, 2, 960, 30},
        {"{target_rate: 48000}", 44100, 48000, 2, 2, 441, 60},
        {"{target_rate: 8000, channels: 1}", 48000, 8000, 2, 1, 123, 50},
        {"{target_rate: 192000, channels: 2}", 8000, 192000, 1, 2, 80, 30},
        {"{target_rate: 24000}", 48000, 24000, 1, 1, 7, 60},
        {"{target_rate: 16000, channels: 2}", 16000, 16000, 1, 2, 160, 20}, /* channels only */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(&rows[i], true);
        check_row(&rows[i], false);
    }
}

static void resampler_passes_the_right_rate_on(void **state) {
    (void)state;
    static const char *const params[] = {"{target_rate: 48000}", "{}", "{target_rate: auto, source_rate: 48000}"};
    for (size_t i = 0; i < 3; i++) {
        struct kit_rig rig;
        assert_int_equal(kit_open_one(&rig, "FastResampleNode", params[i]), RM_OK);
        rm_runtime_data *in = tone(48000, 1, 0, 480, NULL, true), *out = kit_pass(&rig, rm_runtime_data_ref(in));
        assert_ptr_equal(in, out);
        rm_runtime_data_unref(&in);
        rm_runtime_data_unref(&out);
        kit_close(&rig);
    }
}

/* Two streams in turn, one of which changes its rate: each is as long as it should be. */
static void resampler_keeps_streams_apart(void **state) {
    (void)state;
    struct kit_rig rig;
    size_t got[2] = {0};
    assert_int_equal(kit_open_one(&rig, "FastResampleNode", "{target_rate: 16000}"), RM_OK);
    for (size_t i = 0; i < 20; i++) {
        uint32_t rate = i < 10 ? 48000 : 32000;
        kit_send(&rig, tone(rate, 1, i * rate / 100, rate / 100, "a", true));
        kit_send(&rig, tone(24000, 2, i * 240, 240, "b", true));
    }
    rm_stream_session_end_input(rig.session);
    for (rm_runtime_data *out; (out = kit_take(&rig)) != NULL;) {
        bool b = !strcmp(rm_runtime_data_stream_id(out), "b");
        int64_t expected = 1000000 + (int64_t)(got[b] * 1000000 / 16000);
        assert_true(llabs(rm_runtime_data_timestamp_us(out) - expected) <= 2);
        assert_int_equal(rm_runtime_data_audio(out)->channels, b ? 2 : 1);
        got[b] += rm_runtime_data_audio(out)->frame_count;
        rm_runtime_data_unref(&out);
    }
    assert_int_equal(got[0], 20 * 160);
    assert_int_equal(got[1], 20 * 160);
    kit_close(&rig);
}

static void resampler_says_what_is_wrong(void **state) {
    (void)state;
    struct kit_rig rig;
    assert_int_equal(kit_open_one(&rig, "FastResampleNode", "{source_rate: 48000, target_rate: 16000}"), RM_OK);
    kit_refused(&rig, tone(44100, 1, 0, 441, NULL, true), RM_E_UNSUPPORTED,
                "the input has 44100 Hz, source_rate says 48000");
    kit_close(&rig);
    assert_int_equal(kit_open_one(&rig, "FastResampleNode", "{target_rate: 16000}"), RM_OK);
    kit_refused(&rig, tone(48000, 17, 0, 10, NULL, true), RM_E_UNSUPPORTED, "cannot resample 17 channels of 48000 Hz");
    kit_close(&rig);
}

static void odd_times_and_empty_chunks_do_no_harm(void **state) {
    (void)state;
    static const int64_t times[] = {INT64_MAX, 0, INT64_MAX - 1, INT64_MAX / 2, RM_NO_VALUE, 5};
    float pcm[480] = {NAN, INFINITY, -INFINITY};
    struct kit_rig rig;
    assert_int_equal(kit_open_one(&rig, "FastResampleNode", "{target_rate: 16000}"), RM_OK);
    for (size_t i = 0; i < 6; i++) {
        kit_send(&rig, kit_audio(pcm, 480, 48000, 1, NULL, times[i]));
        kit_send(&rig, kit_audio(pcm, 0, 48000, 1, NULL, times[i]));
    }
    rm_stream_session_end_input(rig.session);
    size_t got = 0;
    for (rm_runtime_data *out; (out = kit_take(&rig)) != NULL;) {
        got += rm_runtime_data_audio(out)->frame_count;
        rm_runtime_data_unref(&out);
    }
    assert_int_equal(got, 6 * 160);
    assert_int_equal(rig.errors, 0);
    kit_close(&rig);
}

static void node_types_have_their_names_of_remotemedia(void **state) {
    (void)state;
    static const char *const names[] = {
        "PassThrough",    "VideoFlip",           "VideoScaler",      "VideoFormatConverter",
        "VideoEncoder",   "VideoDecoder",        "FastResampleNode", "AudioChunkerNode",
        "AudioLevelNode", "SilenceDetectorNode", "CalculatorNode", /* ours: */
        "AudioGainNode",  "AudioMixerNode",
    };
    rm_node_registry *registry = NULL;
    assert_int_equal(rm_node_registry_create(&registry), RM_OK);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const rm_node_class *c = rm_node_registry_find(registry, names[i]);
        if (!c)
            fail_msg("%s is missing", names[i]);
        assert_string_equal(c->name, names[i]);
    }
    assert_int_equal(rm_node_registry_find(registry, "VideoEncoder")->flags, RM_NODE_OWN_THREAD);
    assert_int_equal(rm_node_registry_find(registry, "VideoDecoder")->flags, RM_NODE_OWN_THREAD);
    rm_node_registry_destroy(&registry);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resampled_sound_keeps_length_and_frequency),
        cmocka_unit_test(resampler_passes_the_right_rate_on),
        cmocka_unit_test(resampler_keeps_streams_apart),
        cmocka_unit_test(resampler_says_what_is_wrong),
        cmocka_unit_test(odd_times_and_empty_chunks_do_no_harm),
        cmocka_unit_test(node_types_have_their_names_of_remotemedia),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
