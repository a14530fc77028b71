/* SPDX-License-Identifier: Apache-2.0 */
/* Pipelines on a transport: what comes back is really processed; set before the start, while running, replaced,
 * removed, refused; and the transport as a pipeline transport of its own. */
#include "support/media.h"

#include <math.h>
#include <remotemedia/transport.h>
#include <stdio.h>
#include <string.h>

#define PATIENCE_MS 30000

/* As examples/pipelines/mirror.yaml, which the tests of the examples check. */
static const char mirror[] = "version: v1\n"
                             "metadata: {name: mirror}\n"
                             "nodes: [{id: picture, node_type: VideoFlip, params: {direction: horizontal}},\n"
                             "        {id: sound, node_type: AudioGainNode, params: {gain_db: -20}}]\n"
                             "connections: [{from: picture, to: sound}]\n";
static const char echo[] = "version: v1\n"
                           "metadata: {name: echo}\n"
                           "nodes: [{id: echo, node_type: PassThrough}]\n"
                           "connections: []\n";
static const char levels[] = "version: v1\n"
                             "metadata: {name: levels}\n"
                             "nodes: [{id: level, node_type: AudioLevelNode, params: {pass_audio: true}}]\n"
                             "connections: []\n";
static const char refused[] = "version: v1\n"
                              "metadata: {name: refused}\n"
                              "nodes: [{id: wrong, node_type: VideoFlop}]\n"
                              "connections: []\n";
static const char bad_params[] = "version: v1\n"
                                 "metadata: {name: refused}\n"
                                 "nodes: [{id: loud, node_type: AudioGainNode, params: {gain_db: 4000}}]\n"
                                 "connections: []\n";

struct wanted {
    struct rmt_call *call;
    bool mirrored;
    double rms_from, rms_to;
    uint64_t pictures, chunks; /* more than these */
};

static bool a_sees(void *ctx) {
    const struct wanted *w = ctx;
    struct rmt_heard h = rmt_heard_of(&w->call->ear_a, "b");
    bool mirrored = h.left > h.right + 60, plain = h.right > h.left + 60;
    return (w->mirrored ? mirrored : plain) && h.rms > w->rms_from && h.rms < w->rms_to && h.pictures > w->pictures &&
           h.chunks > w->chunks;
}

static bool b_hears(void *ctx) {
    const struct wanted *w = ctx;
    struct rmt_heard h = rmt_heard_of(&w->call->ear_b, "a");
    return h.pictures > w->pictures && h.chunks > w->chunks;
}

static void set(rm_webrtc *t, const char *yaml) {
    char detail[RM_DETAIL_MAX];
    rm_manifest *m = yaml ? rmt_manifest(yaml) : NULL;
    rm_err err = rm_webrtc_set_pipeline(t, m, NULL, detail, sizeof detail);
    if (err)
        fprintf(stderr, "%s\n", detail);
    RMT_REQUIRE(err == RM_OK && detail[0] == '\0');
    rm_manifest_unref(&m); /* the transport has its own hold */
}

static void refuse(rm_webrtc *t, const char *yaml, const char *node, const char *why) {
    char detail[RM_DETAIL_MAX];
    rm_manifest *m = rmt_manifest(yaml);
    RMT_REQUIRE(rm_webrtc_set_pipeline(t, m, NULL, detail, sizeof detail) == RM_E_CONFIG);
    if (!strstr(detail, node) || !strstr(detail, why))
        fprintf(stderr, "detail: %s\n", detail);
    RMT_REQUIRE(strstr(detail, node) && strstr(detail, why));
    RMT_REQUIRE(rm_webrtc_set_pipeline(t, m, NULL, NULL, 0) == RM_E_CONFIG);
    rm_manifest_unref(&m);
}

static void processed_pictures_come_back(const struct rmi_signaling_thread *s) {
    static const double sent = 0.5 * M_SQRT1_2; /* rms of what is played */
    struct rmt_call call;
    rmt_call_prepare(&call, s, "pipeline");
    call.config_b.on_output = rmt_on_output;
    rmt_call_connect(&call);
    struct rmt_source source = {
        .t = call.a, .width = 320, .height = 180, .fps = 30, .sound_us = 10000, .amplitude = 0.5F};
    struct wanted w = {.call = &call};
    RMT_REQUIRE(rm_webrtc_set_pipeline(NULL, NULL, NULL, NULL, 0) == RM_E_INVALID_ARG);

    /* While running: 20 dB are a tenth. */
    RMT_REQUIRE(rmt_play(&source, 1, b_hears, &w, PATIENCE_MS));
    set(call.b, mirror);
    w = (struct wanted){.call = &call, .mirrored = true, .rms_from = sent * 0.08, .rms_to = sent * 0.13};
    RMT_REQUIRE(rmt_play(&source, 1, a_sees, &w, PATIENCE_MS));
    rm_media_stats b = rmt_stats(call.b, "a");
    RMT_REQUIRE(b.pipeline_inputs > 0 && b.pipeline_outputs > 0 && b.pipeline_errors == 0);
    RMT_REQUIRE(b.audio_level > sent * 0.8 && b.audio_level < sent * 1.2);
    RMT_REQUIRE(rmt_stats(call.a, "b").audio_level < sent * 0.2);
    RMT_REQUIRE(call.ear_b.outputs > 0);
    struct rmt_heard direct = rmt_heard_of(&call.ear_b, "a");

    /* Refused ones change nothing. */
    refuse(call.b, refused, "VideoFlop", "VideoFlip");
    refuse(call.b, bad_params, "nodes[0].params.gain_db", "4000");
    struct rmt_heard now = rmt_heard_of(&call.ear_a, "b");
    w.pictures = now.pictures + 10;
    w.chunks = now.chunks + 20;
    RMT_REQUIRE(rmt_play(&source, 1, a_sees, &w, PATIENCE_MS));

    /* With a pipeline on_media is not called. */
    RMT_REQUIRE(rmt_heard_of(&call.ear_b, "a").pictures <= direct.pictures + 1);

    /* Replaced: no longer mirrored, full sound. */
    set(call.b, echo);
    w = (struct wanted){.call = &call, .rms_from = sent * 0.8, .rms_to = sent * 1.2};
    RMT_REQUIRE(rmt_play(&source, 1, a_sees, &w, PATIENCE_MS));

    /* Removed: on_media hears again, and nothing more comes back. */
    set(call.b, NULL);
    direct = rmt_heard_of(&call.ear_b, "a");
    w = (struct wanted){.call = &call, .pictures = direct.pictures + 10, .chunks = direct.chunks + 10};
    RMT_REQUIRE(rmt_play(&source, 1, b_hears, &w, PATIENCE_MS));
    uint64_t packets = rmt_stats(call.b, "a").video_out.packets;
    direct = rmt_heard_of(&call.ear_b, "a");
    w = (struct wanted){.call = &call, .pictures = direct.pictures + 10, .chunks = direct.chunks + 10};
    RMT_REQUIRE(rmt_play(&source, 1, b_hears, &w, PATIENCE_MS));
    RMT_REQUIRE(rmt_stats(call.b, "a").video_out.packets == packets);

    /* What is sent to all reaches the peer again. */
    struct rmt_source own = source;
    own.t = call.b;
    own.refused = own.pictures = own.chunks = 0;
    now = rmt_heard_of(&call.ear_a, "b");
    w = (struct wanted){.call = &call,
                        .rms_from = sent * 0.8,
                        .rms_to = sent * 1.2,
                        .pictures = now.pictures + 10,
                        .chunks = now.chunks + 10};
    RMT_REQUIRE(rmt_play(&own, 1, a_sees, &w, PATIENCE_MS));
    rmt_call_end(&call);
}

static bool outputs_came(void *ctx) {
    struct rmt_ear *ear = ctx;
    pthread_mutex_lock(&ear->mutex);
    bool many = ear->outputs >= 40; /* sound, and JSON of it */
    pthread_mutex_unlock(&ear->mutex);
    return many;
}

/* Set before the start; without on_media, so that only the pipeline has a use for what comes. */
static void set_before_the_start(const struct rmi_signaling_thread *s) {
    struct rmt_call call;
    rm_event ev;
    rmt_call_prepare(&call, s, "before");
    call.config_b.on_media = NULL;
    call.config_b.on_output = rmt_on_output;
    RMT_REQUIRE(rm_webrtc_create(&call.config_b, &call.b) == RM_OK);
    refuse(call.b, refused, "VideoFlop", "VideoFlip");
    set(call.b, levels);
    RMT_REQUIRE(rm_webrtc_start(call.b) == RM_OK);
    RMT_REQUIRE(rmt_wait(call.b, RM_EV_SIGNALING, RM_SIGNALING_READY, &ev, PATIENCE_MS));
    call.a = rmt_join(&call.config_a);
    RMT_REQUIRE(rmt_wait(call.a, RM_EV_PEER_STATE, RM_PEER_CONNECTED, &ev, PATIENCE_MS));
    struct rmt_source source = {.t = call.a, .sound_us = 10000, .amplitude = 0.5F};
    RMT_REQUIRE(rmt_play(&source, 1, outputs_came, &call.ear_b, PATIENCE_MS));
    RMT_REQUIRE(rmt_heard_of(&call.ear_a, "b").chunks > 0);
    rmt_call_end(&call);
}

/* ---- the same code over two transports ---- */

static const char sum[] = "version: v1\n"
                          "metadata: {name: sum}\n"
                          "nodes: [{id: sum, node_type: CalculatorNode}]\n"
                          "connections: []\n";
static const char request[] = "{\"operation\":\"multiply\",\"operands\":[6,7]}";

static void use_transport(rm_pipeline_transport transport) {
    rm_transport_data in = {.sequence = 9, .has_sequence = true}, out = {0};
    rm_stream_session *session = NULL;
    char detail[RM_RUN_DETAIL_MAX];
    rm_manifest *m = rmt_manifest(sum), *bad = rmt_manifest(refused);
    RMT_REQUIRE(transport.ops->struct_size >= sizeof(rm_pipeline_transport_ops));
    RMT_REQUIRE(rm_runtime_data_create_json(request, strlen(request), &in.data) == RM_OK);
    RMT_REQUIRE(rm_pipeline_transport_execute(transport, m, &in, 10000, &out, detail, sizeof detail) == RM_OK);
    RMT_REQUIRE(strstr(rm_runtime_data_json(out.data), "\"result\":42.0") && out.sequence == 9);
    rm_transport_data_clear(&out);
    RMT_REQUIRE(rm_pipeline_transport_execute(transport, bad, &in, 10000, &out, detail, sizeof detail) == RM_E_CONFIG);
    RMT_REQUIRE(strstr(detail, "VideoFlop"));
    RMT_REQUIRE(rm_pipeline_transport_stream(transport, bad, NULL, &session, detail, sizeof detail) == RM_E_CONFIG);
    RMT_REQUIRE(rm_pipeline_transport_stream(transport, m, NULL, &session, detail, sizeof detail) == RM_OK);
    for (int i = 0; i < 10; i++) {
        RMT_REQUIRE(rm_stream_session_send_input(session, &in) == RM_OK);
        RMT_REQUIRE(rm_stream_session_recv_output(session, &out, 10000) == RM_OK);
        rm_transport_data_clear(&out);
    }
    rm_stream_session_destroy(&session);
    rm_transport_data_clear(&in);
    rm_manifest_unref(&m);
    rm_manifest_unref(&bad);
}

static void transports_are_alike(const struct rmi_signaling_thread *s) {
    rm_pipeline_runner *runner = NULL;
    rm_webrtc *t = NULL;
    rm_webrtc_config c;
    RMT_REQUIRE(rm_pipeline_runner_create(NULL, &runner) == RM_OK);
    rmt_config(&c, s, "transport");
    RMT_REQUIRE(rm_webrtc_create(&c, &t) == RM_OK);
    use_transport(rm_pipeline_runner_transport(runner));
    use_transport(rm_webrtc_pipeline_transport(t)); /* needs no start */
    RMT_REQUIRE(rm_webrtc_start(t) == RM_OK);
    use_transport(rm_webrtc_pipeline_transport(t));
    rm_webrtc_destroy(&t);
    rm_pipeline_runner_destroy(&runner);
}

int main(void) {
    struct rmi_signaling_thread s;
    rmt_server_start(&s);
    processed_pictures_come_back(&s);
    set_before_the_start(&s);
    transports_are_alike(&s);
    rmi_signaling_thread_stop(&s);
    return 0;
}
