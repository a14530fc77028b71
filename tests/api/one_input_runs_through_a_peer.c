/* SPDX-License-Identifier: Apache-2.0 */
/* rm_webrtc_execute: every kind of data there and back, large ones, many at once, and each way in which it can fail. */
#include "support/media.h"

#include <pthread.h>
#include <remotemedia/data_json.h>
#include <remotemedia/webrtc_control.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 20000
#define THREADS 8
#define ROUNDS 25
#define CROWD 24 /* more than a peer may have waiting and running at once */

/* ---- nodes ---- */

static atomic_bool gate_open;
static atomic_int at_gate;
static pthread_mutex_t gate_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_moved = PTHREAD_COND_INITIALIZER;

static void set_gate(bool open) {
    pthread_mutex_lock(&gate_mutex);
    atomic_store(&gate_open, open);
    pthread_cond_broadcast(&gate_moved);
    pthread_mutex_unlock(&gate_mutex);
}

static rm_err await_gate(void *state, rm_node_context *context, rm_runtime_data *input) {
    (void)state;
    pthread_mutex_lock(&gate_mutex);
    atomic_fetch_add(&at_gate, 1);
    pthread_cond_broadcast(&gate_moved);
    while (!atomic_load(&gate_open))
        pthread_cond_wait(&gate_moved, &gate_mutex);
    atomic_fetch_sub(&at_gate, 1);
    pthread_mutex_unlock(&gate_mutex);
    return rm_node_emit(context, rm_runtime_data_ref(input));
}

static void await_at_gate(int count) {
    pthread_mutex_lock(&gate_mutex);
    while (atomic_load(&at_gate) < count)
        pthread_cond_wait(&gate_moved, &gate_mutex);
    pthread_mutex_unlock(&gate_mutex);
}

static rm_err fail(void *state, rm_node_context *context, rm_runtime_data *input) {
    (void)state;
    (void)input;
    rm_node_fail(context, "not today");
    return RM_E_IO;
}

static rm_err swallow(void *state, rm_node_context *context, rm_runtime_data *input) {
    (void)state;
    (void)context;
    (void)input;
    return RM_OK;
}

#define CLASS(NAME, PROCESS)                                                                                           \
    {                                                                                                                  \
        .abi_version = RM_NODE_ABI_VERSION, .struct_size = sizeof(rm_node_class), .name = NAME, .process = PROCESS,    \
        .summary = "of a test"                                                                                         \
    }
static const rm_node_class classes[] = {CLASS("Gate", await_gate), CLASS("Fails", fail), CLASS("Swallows", swallow)};

static void set_pipeline(rm_webrtc *t, const char *node_type) {
    char yaml[256], detail[RM_DETAIL_MAX];
    rm_node_registry *registry = NULL;
    snprintf(yaml, sizeof yaml,
             "version: v1\nmetadata: {name: test}\nconnections: []\nnodes: [{id: one, node_type: %s}]\n", node_type);
    rm_manifest *m = rmt_manifest(yaml);
    RMT_REQUIRE(rm_node_registry_create(&registry) == RM_OK);
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        RMT_REQUIRE(rm_node_registry_add(registry, &classes[i], detail, sizeof detail) == RM_OK);
    RMT_REQUIRE(rm_webrtc_set_pipeline(t, m, registry, detail, sizeof detail) == RM_OK);
    rm_node_registry_destroy(&registry);
    rm_manifest_unref(&m);
}

/* ---- a couple: "a" asks, "b" runs ---- */

struct couple {
    rm_webrtc *a, *b;
};

static void join_both(struct couple *c, const struct rmi_signaling_thread *s, const char *room, const char *node_type) {
    rm_webrtc_config config;
    rm_event ev;
    rmt_config(&config, s, "b");
    config.room = room;
    RMT_REQUIRE(rm_webrtc_create(&config, &c->b) == RM_OK);
    if (node_type)
        set_pipeline(c->b, node_type);
    RMT_REQUIRE(rm_webrtc_start(c->b) == RM_OK);
    RMT_REQUIRE(rmt_wait(c->b, RM_EV_SIGNALING, RM_SIGNALING_READY, &ev, PATIENCE_MS));
    rmt_config(&config, s, "a");
    config.room = room;
    c->a = rmt_join(&config);
    RMT_REQUIRE(rmt_wait(c->a, RM_EV_CHANNEL, 0, &ev, PATIENCE_MS));
}

static void part(struct couple *c) {
    rm_webrtc_destroy(&c->a);
    rm_webrtc_destroy(&c->b);
}

static rm_transport_data text_input(const char *text) {
    rm_transport_data in = {0};
    RMT_REQUIRE(rm_runtime_data_create_text(text, strlen(text), NULL, &in.data) == RM_OK);
    return in;
}

static rm_err ask(struct couple *c, const char *text, int timeout_ms, char *detail, size_t size) {
    rm_transport_data in = text_input(text), out = {0};
    rm_err err = rm_webrtc_execute(c->a, "b", &in, timeout_ms, &out, detail, size);
    if (!err) {
        const rm_text *back = rm_runtime_data_text(out.data);
        RMT_REQUIRE(back && !strcmp(back->text, text));
    }
    rm_transport_data_clear(&out);
    rm_transport_data_clear(&in);
    return err;
}

/* ---- what works ---- */

static const char *const kinds[] = {
    "{\"Audio\":{\"samples\":[0,0.5,-0.5,1],\"sample_rate\":48000,\"channels\":2,\"stream_id\":\"mic\","
    "\"timestamp_us\":7,\"arrival_ts_us\":9,\"metadata\":{\"a\":1}}}",
    "{\"Video\":{\"pixel_data\":[0,1,2,3,4,255],\"width\":2,\"height\":2,\"format\":\"I420\",\"frame_number\":7,"
    "\"timestamp_us\":8,\"is_keyframe\":false,\"stream_id\":\"cam\"}}",
    "{\"Video\":{\"pixel_data\":[9],\"width\":1280,\"height\":720,\"format\":\"Encoded\",\"codec\":\"Vp9\","
    "\"frame_number\":1,\"timestamp_us\":1,\"is_keyframe\":true}}",
    "{\"Image\":{\"data\":[1,2],\"format\":\"Png\",\"width\":3,\"height\":5,\"timestamp_us\":1,\"metadata\":\"x\"}}",
    "{\"Tensor\":{\"data\":[1,2,3,4],\"shape\":[1,1],\"dtype\":0,\"metadata\":[]}}",
    "{\"Numpy\":{\"data\":[1,2,3,4],\"shape\":[2,1],\"dtype\":\"int16\",\"strides\":[2,2],\"c_contiguous\":true,"
    "\"f_contiguous\":false}}",
    "{\"Json\":{\"a\":[1,2.5,\"x\",null]}}",
    "{\"Text\":\"\\u0000\\u0003uuigr\\u00fc\\u00df dich\"}",
    "{\"Binary\":[]}",
    "{\"ControlMessage\":{\"message_type\":{\"type\":\"BatchHint\",\"suggested_batch_size\":5},\"timestamp_ms\":1,"
    "\"metadata\":{}}}",
    "{\"File\":{\"path\":\"/a/b\",\"size\":0,\"offset\":1}}",
};

static void every_kind_crosses(struct couple *c) {
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        rm_transport_data in = {.sequence = UINT64_MAX - i, .has_sequence = i % 2 == 0}, out = {0};
        char detail[RM_DETAIL_MAX], *before = NULL, *after = NULL;
        size_t size;
        RMT_REQUIRE(rm_runtime_data_from_json(kinds[i], strlen(kinds[i]), &in.data, detail, sizeof detail) == RM_OK);
        RMT_REQUIRE(rm_metadata_create(&in.metadata) == RM_OK);
        RMT_REQUIRE(rm_metadata_set(in.metadata, "user", "42") == RM_OK);
        rm_err err = rm_webrtc_execute(c->a, "b", &in, PATIENCE_MS, &out, detail, sizeof detail);
        if (err)
            fprintf(stderr, "%s: %s: %s\n", kinds[i], rm_err_name(err), detail);
        RMT_REQUIRE(err == RM_OK && !detail[0]);
        RMT_REQUIRE(out.has_sequence == in.has_sequence && (!in.has_sequence || out.sequence == in.sequence));
        RMT_REQUIRE(rm_metadata_count(out.metadata) == 1 && !strcmp(rm_metadata_get(out.metadata, "user"), "42"));
        RMT_REQUIRE(rm_runtime_data_to_json(in.data, &before, &size, NULL, 0) == RM_OK);
        RMT_REQUIRE(rm_runtime_data_to_json(out.data, &after, &size, NULL, 0) == RM_OK);
        RMT_REQUIRE(!strcmp(before, after));
        rm_json_free(&before);
        rm_json_free(&after);
        rm_transport_data_clear(&out);
        rm_transport_data_clear(&in);
    }
}

static void a_picture_crosses(struct couple *c) {
    const size_t size = rm_video_packed_size(RM_PIXEL_I420, 1280, 720);
    rm_transport_data in = {0}, out = {0};
    rm_buf *pixels = NULL;
    char detail[RM_DETAIL_MAX];
    RMT_REQUIRE(rm_buf_create(size, &pixels) == RM_OK);
    for (size_t i = 0; i < size; i++)
        rm_buf_write(pixels)[i] = (uint8_t)(i * 31 >> 3);
    RMT_REQUIRE(rm_runtime_data_create_video(pixels, 0, RM_PIXEL_I420, 1280, 720, 3, 4, &in.data) == RM_OK);
    RMT_REQUIRE(rm_webrtc_execute(c->a, "b", &in, PATIENCE_MS, &out, detail, sizeof detail) == RM_OK);
    const rm_video *v = rm_runtime_data_video(out.data);
    RMT_REQUIRE(v && v->width == 1280 && v->size == size && !memcmp(v->data, rm_buf_data(pixels), size));
    rm_transport_data_clear(&out);
    rm_transport_data_clear(&in);
    rm_buf_unref(&pixels);
}

/* As large as it may be; and a little more than the channel can ever take. */
static void the_largest_crosses(struct couple *c) {
    static const size_t sizes[] = {(size_t)16 << 20, ((size_t)24 << 20) + 1};
    for (int i = 0; i < 2; i++) {
        rm_transport_data in = {0}, out = {0};
        rm_buf *bytes = NULL;
        RMT_REQUIRE(rm_buf_create(sizes[i], &bytes) == RM_OK);
        rm_buf_write(bytes)[sizes[i] - 1] = 7;
        RMT_REQUIRE(rm_runtime_data_create_binary(bytes, 0, sizes[i], &in.data) == RM_OK);
        rm_err err = rm_webrtc_execute(c->a, "b", &in, PATIENCE_MS, &out, NULL, 0);
        RMT_REQUIRE(err == (i ? RM_E_TOO_BIG : RM_OK));
        size_t n = 0;
        const uint8_t *back = err ? NULL : rm_runtime_data_bytes(out.data, &n);
        RMT_REQUIRE(err || (n == sizes[i] && back[n - 1] == 7));
        rm_transport_data_clear(&out);
        rm_transport_data_clear(&in);
        rm_buf_unref(&bytes);
    }
}

struct asker {
    struct couple *c;
    int number;
    rm_err err;
    pthread_t thread;
};

static void *ask_often(void *ctx) {
    struct asker *a = ctx;
    char text[32], detail[RM_DETAIL_MAX];
    for (int i = 0; i < ROUNDS && !a->err; i++) {
        snprintf(text, sizeof text, "%d of %d", i, a->number);
        a->err = ask(a->c, text, PATIENCE_MS, detail, sizeof detail);
    }
    return NULL;
}

static void many_at_once(struct couple *c) {
    struct asker askers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        askers[i] = (struct asker){.c = c, .number = i};
        RMT_REQUIRE(pthread_create(&askers[i].thread, NULL, ask_often, &askers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(askers[i].thread, NULL);
        RMT_REQUIRE(askers[i].err == RM_OK);
    }
}

/* ---- what does not ---- */

static void faults_are_told(struct couple *c) {
    char detail[RM_DETAIL_MAX];
    rm_transport_data in = text_input("x"), out = {0}, empty = {0};
    RMT_REQUIRE(rm_webrtc_execute(c->a, "nobody", &in, 100, &out, detail, sizeof detail) == RM_E_NOT_FOUND);
    RMT_REQUIRE(detail[0]);
    RMT_REQUIRE(rm_webrtc_execute(c->a, "b", &empty, 100, &out, NULL, 0) == RM_E_INVALID_ARG);
    RMT_REQUIRE(rm_webrtc_execute(NULL, "b", &in, 100, &out, NULL, 0) == RM_E_INVALID_ARG);
    static const char *const reserved[] = {"sequence", "rm.request"};
    for (int i = 0; i < 2; i++) {
        RMT_REQUIRE(rm_metadata_create(&in.metadata) == RM_OK);
        RMT_REQUIRE(rm_metadata_set(in.metadata, reserved[i], "1") == RM_OK);
        RMT_REQUIRE(rm_webrtc_execute(c->a, "b", &in, 100, &out, NULL, 0) == RM_E_INVALID_ARG);
        rm_metadata_unref(&in.metadata);
    }
    set_pipeline(c->b, "Fails");
    RMT_REQUIRE(ask(c, "x", PATIENCE_MS, detail, sizeof detail) == RM_E_IO);
    RMT_REQUIRE(strstr(detail, "one") && strstr(detail, "not today"));
    set_pipeline(c->b, "Swallows");
    RMT_REQUIRE(ask(c, "x", PATIENCE_MS, detail, sizeof detail) == RM_E_NOT_FOUND);
    RMT_REQUIRE(rm_webrtc_set_pipeline(c->b, NULL, NULL, NULL, 0) == RM_OK);
    RMT_REQUIRE(ask(c, "x", PATIENCE_MS, detail, sizeof detail) == RM_E_STATE);
    RMT_REQUIRE(strstr(detail, "no pipeline"));
    rm_transport_data_clear(&in);
}

static void a_slow_peer_is_not_waited_for(struct couple *c) {
    char detail[RM_DETAIL_MAX];
    set_gate(false);
    set_pipeline(c->b, "Gate");
    RMT_REQUIRE(ask(c, "x", 200, detail, sizeof detail) == RM_E_TIMEOUT);
    RMT_REQUIRE(detail[0]);
    set_gate(true); /* what comes now is nobody's */
    RMT_REQUIRE(ask(c, "y", PATIENCE_MS, detail, sizeof detail) == RM_OK);
}

static void *ask_once(void *ctx) {
    struct asker *a = ctx;
    char text[32];
    snprintf(text, sizeof text, "%d", a->number);
    a->err = ask(a->c, text, PATIENCE_MS, NULL, 0);
    return NULL;
}

static void a_crowd_is_held_off(struct couple *c) {
    struct asker askers[CROWD];
    int done = 0, refused = 0;
    set_gate(false);
    for (int i = 0; i < CROWD; i++) {
        askers[i] = (struct asker){.c = c, .number = i};
        RMT_REQUIRE(pthread_create(&askers[i].thread, NULL, ask_once, &askers[i]) == 0);
    }
    await_at_gate(4); /* as many as run at a time: the others wait, or are refused */
    while (ask(c, "one more", 300, NULL, 0) != RM_E_LIMIT) /* all of them are there */
        continue;
    set_gate(true);
    for (int i = 0; i < CROWD; i++) {
        pthread_join(askers[i].thread, NULL);
        done += askers[i].err == RM_OK;
        refused += askers[i].err == RM_E_LIMIT;
    }
    RMT_REQUIRE(done + refused == CROWD && done > 0 && refused > 0);
}

/* The runner leaves, or the asker, while the input is in the pipeline. */
static void an_end_is_no_wait(const struct rmi_signaling_thread *s, bool asker_ends) {
    struct couple c;
    struct asker one = {.c = &c};
    join_both(&c, s, asker_ends ? "ends-here" : "ends-there", "Gate");
    set_gate(false);
    RMT_REQUIRE(pthread_create(&one.thread, NULL, ask_once, &one) == 0);
    await_at_gate(1);
    if (asker_ends)
        rm_webrtc_shutdown(c.a);
    else
        RMT_REQUIRE(rm_webrtc_disconnect_peer(c.b, "a") == RM_OK);
    pthread_join(one.thread, NULL);
    RMT_REQUIRE(one.err == RM_E_CLOSED);
    set_gate(true); /* a node that is at work is waited for */
    part(&c);
}

struct inside {
    rm_webrtc *t;
    atomic_int err;
};

static void on_message(const char *peer_id, const char *label, rm_runtime_data *message, void *user) {
    struct inside *in = user;
    rm_transport_data input = {.data = message}, output = {0};
    (void)label;
    atomic_store(&in->err, rm_webrtc_execute(in->t, peer_id, &input, 1000, &output, NULL, 0));
}

static void a_callback_may_not_wait(const struct rmi_signaling_thread *s) {
    struct inside in = {.err = 1};
    rm_webrtc_config config;
    rm_event ev;
    rmt_config(&config, s, "c");
    config.room = "inside";
    config.on_message = on_message;
    config.user = &in;
    in.t = rmt_join(&config);
    rmt_config(&config, s, "d");
    config.room = "inside";
    rm_webrtc *d = rmt_join(&config);
    RMT_REQUIRE(rmt_wait(d, RM_EV_CHANNEL, 0, &ev, PATIENCE_MS));
    rm_transport_data text = text_input("hello");
    RMT_REQUIRE(rm_webrtc_send_custom(d, "c", "x", NULL, 0) == RM_OK); /* without on_control: a message */
    while (atomic_load(&in.err) == 1)
        RMT_REQUIRE(rmt_wait(d, RM_EV_ERROR, 0, &ev, 10) == false);
    RMT_REQUIRE(atomic_load(&in.err) == RM_E_STATE);
    rm_transport_data_clear(&text);
    rm_webrtc_destroy(&d);
    rm_webrtc_destroy(&in.t);
}

int main(void) {
    struct rmi_signaling_thread s;
    struct couple c;
    char detail[RM_DETAIL_MAX];
    rmt_server_start(&s);
    join_both(&c, &s, "room", "PassThrough");
    every_kind_crosses(&c);
    a_picture_crosses(&c);
    the_largest_crosses(&c);
    many_at_once(&c);
    faults_are_told(&c);
    a_slow_peer_is_not_waited_for(&c);
    a_crowd_is_held_off(&c);
    rm_webrtc_shutdown(c.a);
    rm_err err;
    do /* until it has shut down */
        err = ask(&c, "x", 1000, detail, sizeof detail);
    while (err == RM_OK);
    RMT_REQUIRE(err == RM_E_CLOSED || err == RM_E_NOT_FOUND);
    part(&c);
    an_end_is_no_wait(&s, false);
    an_end_is_no_wait(&s, true);
    a_callback_may_not_wait(&s);
    rmi_signaling_thread_stop(&s);
    return 0;
}
