/* SPDX-License-Identifier: Apache-2.0 */
/* Messages on data channels: every kind both ways, an answer from inside the callback, sizes, modes and errors. */
#include "support/api.h"

#include <pthread.h>
#include <remotemedia/webrtc_data.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATIENCE_MS 20000
#define BURST 200

struct inbox {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    rm_webrtc *t;
    bool echo;
    size_t count;
    char label[64];
    rm_runtime_data *last;
};

static void on_message(const char *peer_id, const char *label, rm_runtime_data *message, void *user) {
    struct inbox *in = user;
    if (in->echo)
        RMT_REQUIRE(rm_webrtc_send_message(in->t, peer_id, message) == RM_OK);
    pthread_mutex_lock(&in->mutex);
    in->count++;
    snprintf(in->label, sizeof in->label, "%s", label);
    rm_runtime_data_unref(&in->last);
    in->last = rm_runtime_data_ref(message);
    pthread_cond_broadcast(&in->changed);
    pthread_mutex_unlock(&in->mutex);
}

static void inbox_init(struct inbox *in, bool echo) {
    memset(in, 0, sizeof *in);
    pthread_mutex_init(&in->mutex, NULL);
    pthread_cond_init(&in->changed, NULL);
    in->echo = echo;
}

static void inbox_fini(struct inbox *in) {
    rm_runtime_data_unref(&in->last);
    pthread_cond_destroy(&in->changed);
    pthread_mutex_destroy(&in->mutex);
}

static void await(struct inbox *in, size_t count) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_MS / 1000;
    int late = 0;
    pthread_mutex_lock(&in->mutex);
    while (in->count < count && !late)
        late = pthread_cond_timedwait(&in->changed, &in->mutex, &until);
    bool there = in->count >= count;
    pthread_mutex_unlock(&in->mutex);
    RMT_REQUIRE(there);
}

struct pair {
    struct inbox in[2];
    rm_webrtc *t[2];
};

static void pair_open(struct pair *p, const struct rmi_signaling_thread *s, const char *room,
                      rm_data_channel_mode mode) {
    for (int i = 0; i < 2; i++) {
        rm_webrtc_config c;
        inbox_init(&p->in[i], i == 1);
        rmt_config(&c, s, i ? "b" : "a");
        c.room = room;
        c.data_channel_mode = mode;
        c.on_message = on_message;
        c.user = &p->in[i];
        p->t[i] = rmt_join(&c);
        p->in[i].t = p->t[i];
        rm_event ev;
        if (i == 0)
            RMT_REQUIRE(rmt_wait(p->t[0], RM_EV_SIGNALING, RM_SIGNALING_READY, &ev, PATIENCE_MS));
    }
    for (int i = 0; i < 2; i++) {
        rm_event ev;
        RMT_REQUIRE(rmt_wait(p->t[i], RM_EV_CHANNEL, 0, &ev, PATIENCE_MS));
        RMT_REQUIRE(!strcmp(ev.detail, "control") && !strcmp(ev.peer_id, i ? "a" : "b"));
    }
}

static void pair_close(struct pair *p) {
    for (int i = 0; i < 2; i++) {
        rm_webrtc_destroy(&p->t[i]);
        inbox_fini(&p->in[i]);
    }
}

/* Sent, and back from the other side's callback, the same. */
static void round_trip(struct pair *p, rm_runtime_data *message, size_t count) {
    size_t n, m;
    RMT_REQUIRE(rm_webrtc_send_message(p->t[0], "b", message) == RM_OK);
    await(&p->in[0], count);
    const uint8_t *sent = rm_runtime_data_bytes(message, &n), *back = rm_runtime_data_bytes(p->in[0].last, &m);
    RMT_REQUIRE(rm_runtime_data_type(p->in[0].last) == rm_runtime_data_type(message));
    RMT_REQUIRE(n == m && !memcmp(sent, back, n));
    RMT_REQUIRE(!strcmp(p->in[0].label, "control"));
    rm_runtime_data_unref(&message);
}

static rm_runtime_data *binary_of(size_t size) {
    rm_buf *buf = NULL;
    rm_runtime_data *d = NULL;
    RMT_REQUIRE(rm_buf_create(size, &buf) == RM_OK);
    for (size_t i = 0; i < size; i++)
        rm_buf_write(buf)[i] = (uint8_t)(i * 7);
    RMT_REQUIRE(rm_runtime_data_create_binary(buf, 0, size, &d) == RM_OK);
    rm_buf_unref(&buf);
    return d;
}

static void every_kind_and_size(struct pair *p) {
    rm_runtime_data *d = NULL;
    RMT_REQUIRE(rm_runtime_data_create_json("{\"action\":\"Mine\",\"timestamp_ms\":5}", 34, &d) == RM_OK);
    round_trip(p, d, 1);
    RMT_REQUIRE(rm_runtime_data_create_text("gr\xc3\xbc\xc3\x9f \"Gott\"", 15, NULL, &d) == RM_OK);
    round_trip(p, d, 2);
    round_trip(p, binary_of(0), 3);
    round_trip(p, binary_of(1), 4);
    round_trip(p, binary_of(150000), 5);
    d = binary_of(RM_MESSAGE_BYTES_MAX); /* a third more as base64 */
    RMT_REQUIRE(rm_webrtc_send_message(p->t[0], "b", d) == RM_E_TOO_BIG);
    rm_runtime_data_unref(&d);
}

static void many_in_order(struct pair *p) {
    char text[32];
    size_t before = p->in[0].count;
    for (int i = 0; i < BURST; i++) {
        rm_runtime_data *d = NULL;
        int n = snprintf(text, sizeof text, "%d", i);
        RMT_REQUIRE(rm_runtime_data_create_json(text, (size_t)n, &d) == RM_OK);
        RMT_REQUIRE(rm_webrtc_send_message(p->t[0], "b", d) == RM_OK);
        rm_runtime_data_unref(&d);
    }
    await(&p->in[0], before + BURST);
    RMT_REQUIRE(!strcmp(rm_runtime_data_json(p->in[0].last), "199"));
}

static void errors(struct pair *p, const struct rmi_signaling_thread *s) {
    rm_runtime_data *d = binary_of(3), *sound = NULL;
    rm_buf *buf = NULL;
    RMT_REQUIRE(rm_buf_create(8, &buf) == RM_OK);
    RMT_REQUIRE(rm_runtime_data_create_audio(buf, 0, 2, 48000, 1, &sound) == RM_OK);
    RMT_REQUIRE(rm_webrtc_send_message(p->t[0], "b", sound) == RM_E_UNSUPPORTED);
    RMT_REQUIRE(rm_webrtc_send_message(p->t[0], "nobody", d) == RM_E_NOT_FOUND);
    RMT_REQUIRE(rm_webrtc_send_message(p->t[0], NULL, d) == RM_E_INVALID_ARG);
    RMT_REQUIRE(rm_webrtc_send_message(NULL, "b", d) == RM_E_INVALID_ARG);
    RMT_REQUIRE(rm_webrtc_send_message(p->t[0], "b", NULL) == RM_E_INVALID_ARG);
    rm_webrtc_config c;
    rm_webrtc *off = NULL;
    rmt_config(&c, s, "off");
    RMT_REQUIRE(rm_webrtc_create(&c, &off) == RM_OK);
    RMT_REQUIRE(rm_webrtc_send_message(off, "b", d) == RM_E_STATE);
    rm_webrtc_destroy(&off);
    c.data_channel_mode = (rm_data_channel_mode)2;
    RMT_REQUIRE(rm_webrtc_create(&c, &off) == RM_E_CONFIG);
    c.data_channel_mode = RM_DATA_CHANNEL_UNRELIABLE;
    c.enable_data_channel = false;
    RMT_REQUIRE(rm_webrtc_create(&c, &off) == RM_OK);
    RMT_REQUIRE(rm_webrtc_send_message(off, "b", d) == RM_E_UNSUPPORTED);
    rm_webrtc_destroy(&off);
    rm_buf_unref(&buf);
    rm_runtime_data_unref(&sound);
    rm_runtime_data_unref(&d);
}

int main(void) {
    struct rmi_signaling_thread s;
    struct pair p;
    rmt_server_start(&s);
    pair_open(&p, &s, "reliable", RM_DATA_CHANNEL_RELIABLE);
    every_kind_and_size(&p);
    many_in_order(&p);
    errors(&p, &s);
    pair_close(&p);
    pair_open(&p, &s, "unreliable", RM_DATA_CHANNEL_UNRELIABLE);
    every_kind_and_size(&p);
    pair_close(&p);
    rmi_signaling_thread_stop(&s);
    puts("messages of every kind cross and come back");
    return 0;
}
