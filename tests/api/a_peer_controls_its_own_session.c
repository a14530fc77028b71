/* SPDX-License-Identifier: Apache-2.0 */
/* Control messages: who may, what they do, what is answered, and that a fault changes nothing. */
#include "support/media.h"

#include <pthread.h>
#include <remotemedia/webrtc_control.h>
#include <remotemedia/webrtc_data.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATIENCE_MS 20000
#define SOUND_US 10000

static const char quiet[] = "version: v1\nmetadata: {name: quiet}\nconnections: []\n"
                            "nodes: [{id: gain, node_type: AudioGainNode, params: {gain_db: -20}}]\n";
static const char same_json[] =
    "{\"version\":\"v1\",\"metadata\":{\"name\":\"same\"},\"connections\":[{\"from\":\"in\","
    "\"to\":\"out\"}],\"nodes\":[{\"id\":\"in\",\"node_type\":\"PassThrough\"},"
    "{\"id\":\"out\",\"node_type\":\"PassThrough\"}]}";
static const char two_faults[] = "version: v1\nmetadata: {name: wrong}\nconnections: []\n"
                                 "nodes: [{id: a, node_type: AudioGainNod},\n"
                                 "        {id: b, node_type: AudioGainNode, params: {gain_db: 4000}}]\n";

/* The last answer that came, copied. */
struct answers {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    size_t count;
    rm_control_answer last;
    char action[32], detail[1024], session_id[64], state[32], message_type[64], json[256], node0[64];
};

static void on_control(const rm_control_answer *a, void *user) {
    struct answers *s = user;
    pthread_mutex_lock(&s->mutex);
    s->last = *a;
    snprintf(s->action, sizeof s->action, "%s", a->action);
    snprintf(s->detail, sizeof s->detail, "%s", a->detail);
    snprintf(s->session_id, sizeof s->session_id, "%s", a->session_id);
    snprintf(s->state, sizeof s->state, "%s", a->state);
    snprintf(s->message_type, sizeof s->message_type, "%s", a->message_type);
    snprintf(s->json, sizeof s->json, "%s", a->json);
    snprintf(s->node0, sizeof s->node0, "%s", a->nodes ? a->nodes[0] : "");
    s->count++;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

/* "a" has a session at "b". */
struct pair {
    rm_webrtc *a, *b;
    struct answers at_a, at_b;
    struct rmt_ear ear;
    struct rmt_source sound;
};

static void answers_init(struct answers *s) {
    memset(s, 0, sizeof *s);
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->changed, NULL);
}

static void await_count(struct answers *s, size_t count) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_MS / 1000;
    int late = 0;
    pthread_mutex_lock(&s->mutex);
    while (s->count < count && !late)
        late = pthread_cond_timedwait(&s->changed, &s->mutex, &until);
    RMT_REQUIRE(s->count >= count);
    pthread_mutex_unlock(&s->mutex);
}

/* `user` of "a" is the pair. */
static void a_media(const char *peer_id, rm_runtime_data *data, void *user) {
    rmt_on_media(peer_id, data, &((struct pair *)user)->ear);
}
static void a_control(const rm_control_answer *answer, void *user) {
    on_control(answer, &((struct pair *)user)->at_a);
}

static void join_both(struct pair *p, const struct rmi_signaling_thread *s) {
    rm_webrtc_config c;
    rm_event ev;
    memset(p, 0, sizeof *p);
    answers_init(&p->at_a);
    answers_init(&p->at_b);
    rmt_ear_init(&p->ear);
    rmt_config(&c, s, "b");
    c.on_control = on_control;
    c.user = &p->at_b;
    c.control_peers = "somebody,else";
    RMT_REQUIRE(rm_webrtc_create(&c, &p->b) == RM_OK);
    rm_manifest *m = rmt_manifest(quiet);
    RMT_REQUIRE(rm_webrtc_set_pipeline(p->b, m, NULL, NULL, 0) == RM_OK);
    rm_manifest_unref(&m);
    RMT_REQUIRE(rm_webrtc_start(p->b) == RM_OK);
    RMT_REQUIRE(rmt_wait(p->b, RM_EV_SIGNALING, RM_SIGNALING_READY, &ev, PATIENCE_MS));
    rmt_config(&c, s, "a");
    c.on_control = a_control;
    c.on_media = a_media;
    c.user = p;
    p->a = rmt_join(&c);
    RMT_REQUIRE(rmt_wait(p->a, RM_EV_CHANNEL, 0, &ev, PATIENCE_MS));
    p->sound = (struct rmt_source){.t = p->a, .sound_us = SOUND_US, .amplitude = 0.5f};
}

/* The answer to what was just sent. */
static const struct answers *answer(struct pair *p, rm_err err, uint64_t request) {
    RMT_REQUIRE(err == RM_OK && request > 0);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_MS / 1000;
    int late = 0;
    pthread_mutex_lock(&p->at_a.mutex);
    while (p->at_a.last.request != request && !late)
        late = pthread_cond_timedwait(&p->at_a.changed, &p->at_a.mutex, &until);
    RMT_REQUIRE(p->at_a.last.request == request);
    pthread_mutex_unlock(&p->at_a.mutex);
    return &p->at_a;
}

/* The answer to a call whose number goes to `n`. */
#define ANSWER(call) (call_err = (call), answer(p, call_err, n))

static rm_event told(struct pair *p) {
    rm_event ev;
    RMT_REQUIRE(rmt_wait(p->b, RM_EV_CONTROL, 0, &ev, PATIENCE_MS));
    RMT_REQUIRE(!strcmp(ev.peer_id, "a"));
    return ev;
}

struct heard_want {
    struct pair *p;
    double from, to;
    uint64_t chunks;
};

static bool hears(void *ctx) {
    const struct heard_want *w = ctx;
    const struct rmt_heard h = rmt_heard_of(&w->p->ear, "b");
    return h.rms > w->from && h.rms < w->to && h.chunks > w->chunks;
}

/* Sound that comes back is this loud, and comes. */
static void await_level(struct pair *p, double from, double to) {
    struct heard_want w = {.p = p, .from = from, .to = to, .chunks = rmt_heard_of(&p->ear, "b").chunks + 10};
    RMT_REQUIRE(rmt_play(&p->sound, 1, hears, &w, PATIENCE_MS));
}
#define LOUD 0.25, 0.45    /* 0.5 / sqrt(2) */
#define QUIET 0.02, 0.05   /* 20 dB less */
#define QUIETER 0.08, 0.15 /* 10 dB less */

static rm_err reconfigure(struct pair *p, const char *manifest, uint64_t *request) {
    return rm_webrtc_reconfigure_peer(p->a, "b", manifest, strlen(manifest), request);
}

static void without_leave_nothing_happens(struct pair *p) {
    uint64_t n = 0;
    rm_err call_err;
    const struct answers *s = ANSWER(reconfigure(p, same_json, &n));
    RMT_REQUIRE(s->last.type == RM_CONTROL_REFUSED && s->last.err == RM_E_DENIED && !strcmp(s->action, "Reconfigure"));
    rm_event ev = told(p);
    RMT_REQUIRE(ev.err == RM_E_DENIED && strstr(ev.detail, "Reconfigure"));
    s = ANSWER(rm_webrtc_pause_peer(p->a, "b", &n));
    RMT_REQUIRE(s->last.type == RM_CONTROL_REFUSED && s->last.err == RM_E_DENIED && !strcmp(s->action, "Pause"));
    RMT_REQUIRE(told(p).err == RM_E_DENIED);
    do
        s = ANSWER(rm_webrtc_get_peer_status(p->a, "b", &n));
    while (!strcmp(s->state, "starting"));
    RMT_REQUIRE(s->last.type == RM_CONTROL_STATUS && !strcmp(s->state, "running"));
    RMT_REQUIRE(s->last.node_count == 1 && !strcmp(s->node0, "gain") && s->last.timestamp_ms > 0);
    await_level(p, QUIET);
}

static void with_leave_it_does(struct pair *p) {
    uint64_t n = 0;
    rm_err call_err;
    const struct answers *s = ANSWER(reconfigure(p, same_json, &n));
    RMT_REQUIRE(s->last.type == RM_CONTROL_DONE && !strcmp(s->action, "Reconfigure") && s->session_id[0]);
    RMT_REQUIRE(s->last.node_count == 2 && !strcmp(s->node0, "in"));
    rm_event ev = told(p);
    RMT_REQUIRE(ev.err == RM_OK && strstr(ev.detail, s->session_id));
    await_level(p, LOUD);
    s = ANSWER(reconfigure(p, quiet, &n)); /* YAML */
    RMT_REQUIRE(s->last.type == RM_CONTROL_DONE);
    (void)told(p);
    await_level(p, QUIET);
    static const char params[] = "{\"gain_db\":-10}";
    s = ANSWER(rm_webrtc_set_peer_params(p->a, "b", "gain", params, sizeof params - 1, &n));
    RMT_REQUIRE(s->last.type == RM_CONTROL_DONE && !strcmp(s->node0, "gain"));
    (void)told(p);
    await_level(p, QUIETER);
}

static void faults_change_nothing(struct pair *p) {
    uint64_t n = 0;
    rm_err call_err;
    const struct answers *s = ANSWER(reconfigure(p, two_faults, &n));
    RMT_REQUIRE(s->last.type == RM_CONTROL_REFUSED && s->last.err == RM_E_CONFIG);
    RMT_REQUIRE(strstr(s->detail, "AudioGainNod\"") && strstr(s->detail, "gain_db") && strchr(s->detail, '\n'));
    RMT_REQUIRE(told(p).err == RM_E_CONFIG);
    s = ANSWER(reconfigure(p, "no manifest at all", &n));
    RMT_REQUIRE(s->last.type == RM_CONTROL_REFUSED && s->detail[0]);
    (void)told(p);
    s = ANSWER(rm_webrtc_set_peer_params(p->a, "b", "nobody", "{}", 2, &n));
    RMT_REQUIRE(s->last.type == RM_CONTROL_REFUSED && strstr(s->detail, "nobody"));
    (void)told(p);
    s = ANSWER(rm_webrtc_set_peer_params(p->a, "b", "gain", "{\"gain_db\":\"much\"}", 18, &n));
    RMT_REQUIRE(s->last.type == RM_CONTROL_REFUSED && strstr(s->detail, "gain_db"));
    (void)told(p);
    await_level(p, QUIETER);
    RMT_REQUIRE(rm_webrtc_set_peer_params(p->a, "b", "gain", "[]", 2, &n) == RM_E_PARSE);
    RMT_REQUIRE(rm_webrtc_pause_peer(p->a, "nobody", &n) == RM_E_NOT_FOUND);
    RMT_REQUIRE(rm_webrtc_allow_control(p->b, "not an id", true) == RM_E_INVALID_ARG);
}

static void a_pause_stops_what_comes_back(struct pair *p) {
    uint64_t n = 0;
    rm_err call_err;
    const struct answers *s = ANSWER(rm_webrtc_pause_peer(p->a, "b", &n));
    RMT_REQUIRE(s->last.type == RM_CONTROL_DONE && !strcmp(s->action, "Pause"));
    (void)told(p);
    s = ANSWER(rm_webrtc_get_peer_status(p->a, "b", &n));
    RMT_REQUIRE(!strcmp(s->state, "paused"));
    rmt_play(&p->sound, 1, NULL, NULL, 300); /* what was under way is through then */
    const uint64_t in = rmt_stats(p->b, "a").pipeline_inputs, out = rmt_stats(p->b, "a").pipeline_outputs;
    rmt_play(&p->sound, 1, NULL, NULL, 300);
    RMT_REQUIRE(rmt_stats(p->b, "a").pipeline_inputs == in && rmt_stats(p->b, "a").pipeline_outputs == out);
    s = ANSWER(rm_webrtc_resume_peer(p->a, "b", &n));
    RMT_REQUIRE(s->last.type == RM_CONTROL_DONE && !strcmp(s->action, "Resume"));
    (void)told(p);
    await_level(p, QUIETER);
}

static void anybody_may_ping_and_talk(struct pair *p) {
    uint64_t n = 0;
    rm_err call_err;
    const struct answers *s = ANSWER(rm_webrtc_ping_peer(p->a, "b", &n));
    RMT_REQUIRE(s->last.type == RM_CONTROL_PONG && s->last.rtt_ms > 0 && s->last.timestamp_ms > 0);
    const size_t before = p->at_b.count;
    RMT_REQUIRE(rm_webrtc_send_custom(p->a, "b", "greeting", "{\"a\":1}", 7) == RM_OK);
    await_count(&p->at_b, before + 1);
    RMT_REQUIRE(p->at_b.last.type == RM_CONTROL_CUSTOM && !strcmp(p->at_b.message_type, "greeting"));
    RMT_REQUIRE(!strcmp(p->at_b.json, "{\"a\":1}"));
}

/* RemoteMedia's other payloads, and what is no message of ours. */
static void text_and_bytes_may_hold_it(struct pair *p) {
    static const char ask[] = "{\"action\":\"GetStatus\"}";
    for (int binary = 0; binary < 2; binary++) {
        rm_runtime_data *d = NULL;
        rm_buf *buf = NULL;
        const size_t before = p->at_a.count;
        RMT_REQUIRE(rm_buf_copy(ask, sizeof ask - 1, &buf) == RM_OK);
        RMT_REQUIRE((binary ? rm_runtime_data_create_binary(buf, 0, sizeof ask - 1, &d)
                            : rm_runtime_data_create_text(ask, sizeof ask - 1, NULL, &d)) == RM_OK);
        RMT_REQUIRE(rm_webrtc_send_message(p->a, "b", d) == RM_OK);
        await_count(&p->at_a, before + 1);
        RMT_REQUIRE(p->at_a.last.type == RM_CONTROL_STATUS && p->at_a.last.request == 0);
        rm_runtime_data_unref(&d);
        rm_buf_unref(&buf);
    }
}

static void leave_can_be_taken_back(struct pair *p) {
    uint64_t n = 0;
    rm_err call_err;
    RMT_REQUIRE(rm_webrtc_allow_control(p->b, "a", false) == RM_OK);
    const struct answers *s = ANSWER(rm_webrtc_pause_peer(p->a, "b", &n));
    RMT_REQUIRE(s->last.err == RM_E_DENIED);
    (void)told(p);
    RMT_REQUIRE(rm_webrtc_allow_control(p->b, "*", true) == RM_OK); /* of "a" something else is said */
    s = ANSWER(rm_webrtc_pause_peer(p->a, "b", &n));
    RMT_REQUIRE(s->last.err == RM_E_DENIED);
    (void)told(p);
}

/* The application's word is the last. */
static void the_application_replaces_it(struct pair *p) {
    uint64_t n = 0;
    rm_err call_err;
    rm_manifest *m = rmt_manifest(same_json);
    RMT_REQUIRE(rm_webrtc_set_pipeline(p->b, m, NULL, NULL, 0) == RM_OK);
    rm_manifest_unref(&m);
    await_level(p, LOUD);
    RMT_REQUIRE(rm_webrtc_allow_control(p->b, "a", true) == RM_OK);
    RMT_REQUIRE(rm_webrtc_set_pipeline(p->b, NULL, NULL, NULL, 0) == RM_OK);
    const struct answers *s = ANSWER(rm_webrtc_pause_peer(p->a, "b", &n));
    RMT_REQUIRE(s->last.type == RM_CONTROL_REFUSED && s->last.err == RM_E_STATE);
    (void)told(p);
    s = ANSWER(reconfigure(p, same_json, &n));
    RMT_REQUIRE(s->last.type == RM_CONTROL_REFUSED && s->last.err == RM_E_STATE);
}

static void the_configuration_is_checked(const struct rmi_signaling_thread *s) {
    rm_webrtc_config c;
    char faults[256];
    rmt_config(&c, s, "x");
    c.control_peers = "good,not good";
    RMT_REQUIRE(rm_webrtc_config_check(&c, faults, sizeof faults) == RM_E_CONFIG && strstr(faults, "entry 2"));
    c.control_peers = "*";
    RMT_REQUIRE(rm_webrtc_config_check(&c, faults, sizeof faults) == RM_OK);
}

int main(void) {
    struct rmi_signaling_thread s;
    struct pair p;
    rmt_server_start(&s);
    the_configuration_is_checked(&s);
    join_both(&p, &s);
    without_leave_nothing_happens(&p);
    RMT_REQUIRE(rm_webrtc_allow_control(p.b, "a", true) == RM_OK);
    with_leave_it_does(&p);
    faults_change_nothing(&p);
    a_pause_stops_what_comes_back(&p);
    anybody_may_ping_and_talk(&p);
    text_and_bytes_may_hold_it(&p);
    leave_can_be_taken_back(&p);
    the_application_replaces_it(&p);
    rm_webrtc_destroy(&p.a);
    rm_webrtc_destroy(&p.b);
    rmt_ear_fini(&p.ear);
    rmi_signaling_thread_stop(&s);
    return 0;
}
