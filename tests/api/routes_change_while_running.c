/* SPDX-License-Identifier: Apache-2.0 */
/* A session with named outputs: who gets which, in which quality, follows its routes while everything flows; members
 * come and go; it is saved, ended and restored; and one session's trouble is not another's. */
#include "base/time.h"
#include "io/loop.h"
#include "support/media.h"
#include <math.h>
#include <remotemedia/data_json.h>
#include <remotemedia/webrtc_session.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 60000
#define WIDTH 640
#define HEIGHT 360
#define SMALL_WIDTH 320
#define SMALL_HEIGHT 180
#define VIEWERS 4
#define AMPLITUDE 0.5F
#define SENT_RMS ((double)AMPLITUDE * M_SQRT1_2)
#define PROOF 15       /* items that show that something flows; */
#define SILENCE_MS 700 /* nothing for so long: it does not */

/* Three outputs of the same: as it is, mirrored, and at a tenth. */
static const char outputs[] = "version: v1\n"
                              "metadata: {name: outputs}\n"
                              "nodes: [{id: plain, node_type: PassThrough},\n"
                              "        {id: mirror, node_type: VideoFlip, params: {direction: horizontal}},\n"
                              "        {id: quiet, node_type: AudioGainNode, params: {gain_db: -20}}]\n"
                              "connections: []\n";

struct viewer {
    const char *id;
    rm_webrtc *t;
    struct rmt_ear ear;
    atomic_uint texts, others; /* messages */
};

struct stage {
    rm_webrtc *t;
    rm_webrtc_session *session;
    struct rmt_source source;
    struct viewer viewers[VIEWERS];
};

static void on_message(const char *peer_id, const char *label, rm_runtime_data *message, void *user) {
    struct viewer *v = RMI_CONTAINER_OF((struct rmt_ear *)user, struct viewer, ear);
    const rm_text *text = rm_runtime_data_text(message);
    (void)label;
    RMT_REQUIRE(!strcmp(peer_id, "source"));
    atomic_fetch_add(text && !strcmp(text->text, "hello") ? &v->texts : &v->others, 1);
}

static void join(struct viewer *v, const struct rmi_signaling_thread *s, const char *id) {
    rm_webrtc_config c;
    rm_event ev;
    rmt_ear_init(&v->ear);
    v->id = id;
    rmt_config(&c, s, id);
    c.max_peers = RM_PEERS_MESH;
    c.allowed_peers = "source";
    c.on_media = rmt_on_media;
    c.on_message = on_message;
    c.user = &v->ear;
    v->t = rmt_join(&c);
    RMT_REQUIRE(rmt_wait(v->t, RM_EV_PEER_STATE, RM_PEER_CONNECTED, &ev, PATIENCE_MS));
}

static struct rmt_heard heard(struct viewer *v) {
    return rmt_heard_of(&v->ear, "source");
}

/* ---- what somebody should get ---- */

enum look { NOTHING, PLAIN, MIRRORED };

struct want {
    struct viewer *v;
    enum look look;
    bool quiet;
    uint32_t width_max; /* 0: any */
    struct rmt_heard from;
};

static bool has_it(void *ctx) {
    const struct want *w = ctx;
    const struct rmt_heard h = heard(w->v);
    const bool mirrored = h.left > h.right + 60, plain = h.right > h.left + 60;
    const double rms = h.rms / (w->quiet ? SENT_RMS / 10 : SENT_RMS);
    return (w->look == MIRRORED ? mirrored : plain) && h.pictures > w->from.pictures + PROOF &&
           h.chunks > w->from.chunks + PROOF && rms > 0.7 && rms < 1.4 && (!w->width_max || h.width <= w->width_max);
}

static void gets(struct stage *s, size_t viewer, enum look look, bool quiet, uint32_t width_max) {
    struct want w = {&s->viewers[viewer], look, quiet, width_max, heard(&s->viewers[viewer])};
    if (!rmt_play(&s->source, 1, has_it, &w, PATIENCE_MS)) {
        const struct rmt_heard h = heard(w.v);
        fprintf(stderr, "%s: %d|%d, rms %.3f, width %u, %d pictures and %d chunks more\n", w.v->id, h.left, h.right,
                h.rms, h.width, (int)(h.pictures - w.from.pictures), (int)(h.chunks - w.from.chunks));
        RMT_REQUIRE(!"gets");
    }
}

/* Nothing more comes; what is on its way may still. */
static void gets_nothing(struct stage *s, size_t viewer) {
    struct viewer *v = &s->viewers[viewer];
    RMT_REQUIRE(rmt_play(&s->source, 1, NULL, NULL, SILENCE_MS));
    const struct rmt_heard before = heard(v);
    const rm_media_stats sent = rmt_stats(s->t, v->id);
    RMT_REQUIRE(rmt_play(&s->source, 1, NULL, NULL, SILENCE_MS));
    const struct rmt_heard after = heard(v);
    const rm_media_stats now = rmt_stats(s->t, v->id);
    RMT_REQUIRE(now.audio_out.frames == sent.audio_out.frames && now.video_out.frames == sent.video_out.frames);
    RMT_REQUIRE(after.pictures == before.pictures);
}

static uint32_t route(rm_webrtc_session *session, const char *output, const char *to, uint32_t priority) {
    rm_output_route r;
    uint32_t id = 0;
    rm_output_route_init(&r);
    r.output_id = output;
    r.target_peers = &to;
    r.target_count = 1;
    r.priority = priority;
    RMT_REQUIRE(rm_webrtc_session_add_route(session, &r, &id) == RM_OK);
    return id;
}

static void set_route(rm_webrtc_session *session, uint32_t id, const char *output, const char *to, uint32_t priority,
                      bool small) {
    rm_output_route r;
    rm_output_route_init(&r);
    r.output_id = output;
    r.target_peers = &to;
    r.target_count = 1;
    r.priority = priority;
    if (small)
        r.quality = (rm_quality){RM_TIER_CUSTOM, 200, SMALL_WIDTH, SMALL_HEIGHT};
    RMT_REQUIRE(rm_webrtc_session_set_route(session, id, &r) == RM_OK);
}

static rm_session_info info(rm_webrtc_session *session) {
    rm_session_info i;
    RMT_REQUIRE(rm_webrtc_session_get_info(session, &i) == RM_OK);
    return i;
}

/* ---- the stage ---- */

static rm_webrtc_session_config session_config(rm_manifest *manifest) {
    rm_webrtc_session_config c;
    rm_webrtc_session_config_init(&c);
    c.session_id = "show";
    c.manifest = manifest;
    c.policy = RM_ROUTING_SELECTIVE;
    return c;
}

static void set_up(struct stage *stage, const struct rmi_signaling_thread *s) {
    rm_webrtc_config c;
    rm_event ev;
    memset(stage, 0, sizeof *stage);
    rmt_config(&c, s, "source");
    stage->t = rmt_join(&c);
    RMT_REQUIRE(rmt_wait(stage->t, RM_EV_SIGNALING, RM_SIGNALING_READY, &ev, PATIENCE_MS));
    rm_manifest *m = rmt_manifest(outputs);
    rm_webrtc_session_config sc = session_config(m);
    RMT_REQUIRE(rm_webrtc_create_session(stage->t, &sc, &stage->session, NULL, 0) == RM_OK);
    rm_webrtc_session *second = NULL;
    char detail[RM_DETAIL_MAX];
    RMT_REQUIRE(rm_webrtc_create_session(stage->t, &sc, &second, detail, sizeof detail) == RM_E_EXISTS && !second);
    rm_manifest_unref(&m);
    RMT_REQUIRE(rm_webrtc_get_session(stage->t, "show") == stage->session && rm_webrtc_session_count(stage->t) == 1);
    RMT_REQUIRE(!rm_webrtc_get_session(stage->t, "other"));
    static const char *const ids[] = {"a", "b", "c"};
    for (size_t i = 0; i < 3; i++)
        join(&stage->viewers[i], s, ids[i]);
    stage->source = (struct rmt_source){.t = stage->t,
                                        .session = stage->session,
                                        .width = WIDTH,
                                        .height = HEIGHT,
                                        .fps = 30,
                                        .sound_us = 10000,
                                        .amplitude = AMPLITUDE};
}

static void routes_are_followed(struct stage *s) {
    gets_nothing(s, 0);
    RMT_REQUIRE(info(s->session).sent == 0 && info(s->session).unwanted > 0 && info(s->session).streams == 0);
    const uint32_t plain = route(s->session, "plain", "a", 5);
    route(s->session, "mirror", "b", 5);
    gets(s, 0, PLAIN, false, 0);
    gets(s, 1, MIRRORED, false, 0);
    gets_nothing(s, 2);

    /* The higher priority wins, and gives way again. */
    const uint32_t other = route(s->session, "mirror", "a", 9);
    gets(s, 0, MIRRORED, false, 0);
    RMT_REQUIRE(info(s->session).held > 0);
    set_route(s->session, other, "mirror", "a", 1, false);
    gets(s, 0, PLAIN, false, 0);
    RMT_REQUIRE(rm_webrtc_session_remove_route(s->session, other) == RM_OK);
    RMT_REQUIRE(rm_webrtc_session_remove_route(s->session, other) == RM_E_NOT_FOUND);
    gets(s, 0, PLAIN, false, 0);

    /* On and off. */
    const uint32_t quiet = route(s->session, "quiet", "c", 5);
    gets(s, 2, PLAIN, true, 0);
    RMT_REQUIRE(rm_webrtc_session_activate_route(s->session, quiet, false) == RM_OK);
    gets_nothing(s, 2);
    RMT_REQUIRE(rm_webrtc_session_activate_route(s->session, quiet, true) == RM_OK);
    gets(s, 2, PLAIN, true, 0);

    /* A tier for one; the others keep theirs. */
    set_route(s->session, plain, "plain", "a", 5, true);
    gets(s, 0, PLAIN, false, SMALL_WIDTH);
    RMT_REQUIRE(heard(&s->viewers[2]).width == WIDTH);
    set_route(s->session, plain, "plain", "a", 5, false);
    struct want large = {.v = &s->viewers[0], .look = PLAIN, .from = heard(&s->viewers[0])};
    for (int64_t end_us = rmi_now_us() + RMI_MS(PATIENCE_MS); heard(large.v).width != WIDTH;) {
        RMT_REQUIRE(rmi_now_us() < end_us);
        rmt_play(&s->source, 1, NULL, NULL, 100);
    }

    /* Without a route it gets what is sent to all again. */
    RMT_REQUIRE(rm_webrtc_session_remove_route(s->session, plain) == RM_OK);
    gets_nothing(s, 0);
    s->source.session = NULL;
    struct want w = {.v = &s->viewers[0], .look = PLAIN, .from = heard(&s->viewers[0])};
    RMT_REQUIRE(rmt_play(&s->source, 1, has_it, &w, PATIENCE_MS));
    s->source.session = s->session;
    RMT_REQUIRE(route(s->session, "plain", "a", 5) > plain);
    gets(s, 0, PLAIN, false, 0);
}

static void say_hello(struct stage *s) {
    rm_runtime_data *text = NULL;
    RMT_REQUIRE(rm_runtime_data_create_text("hello", 5, NULL, &text) == RM_OK);
    RMT_REQUIRE(rm_webrtc_session_send_input(s->session, text) == RM_OK);
    rm_runtime_data_unref(&text);
}

static unsigned texts(struct viewer *v) {
    return atomic_load(&v->texts);
}

/* Other data goes the same ways, as messages: each has a route from one output. */
static void words_go_by_routes(struct stage *s) {
    const int64_t end_us = rmi_now_us() + RMI_MS(PATIENCE_MS);
    unsigned said = 0;
    while (!texts(&s->viewers[0]) || !texts(&s->viewers[1]) || !texts(&s->viewers[2])) { /* channels may still open */
        RMT_REQUIRE(rmi_now_us() < end_us);
        say_hello(s);
        said++;
        usleep(50000);
    }
    const rm_session_info before = info(s->session);
    const unsigned heard_before = texts(&s->viewers[0]);
    RMT_REQUIRE(heard_before <= said);
    RMT_REQUIRE(rm_webrtc_session_remove_peer(s->session, "a") == RM_OK);
    for (unsigned more = texts(&s->viewers[1]); texts(&s->viewers[1]) < more + 3; usleep(50000)) {
        RMT_REQUIRE(rmi_now_us() < end_us);
        say_hello(s);
    }
    RMT_REQUIRE(texts(&s->viewers[0]) <= heard_before + 1); /* that was on its way */
    RMT_REQUIRE(rm_webrtc_session_add_peer(s->session, "a") == RM_OK && info(s->session).sent > before.sent);
    RMT_REQUIRE(!atomic_load(&s->viewers[0].others) && !atomic_load(&s->viewers[1].others));
    gets(s, 0, PLAIN, false, 0);
}

static void members_come_and_go(struct stage *s, const struct rmi_signaling_thread *server) {
    rm_session_peer peers[8];
    size_t count = 0;
    rm_event ev;
    RMT_REQUIRE(rm_webrtc_session_peers(s->session, peers, 8, &count) == RM_OK && count == 3);
    RMT_REQUIRE(rm_webrtc_session_remove_peer(s->session, "b") == RM_OK);
    RMT_REQUIRE(rm_webrtc_session_remove_peer(s->session, "b") == RM_E_NOT_FOUND);
    gets_nothing(s, 1);
    gets(s, 2, PLAIN, true, 0); /* others are left alone */
    RMT_REQUIRE(rm_webrtc_session_add_peer(s->session, "b") == RM_OK);
    RMT_REQUIRE(rm_webrtc_session_add_peer(s->session, "b") == RM_E_EXISTS);
    RMT_REQUIRE(rm_webrtc_session_add_peer(s->session, "no such id!") == RM_E_INVALID_ARG);
    gets(s, 1, MIRRORED, false, 0);

    /* Named before it is there. */
    route(s->session, "mirror", "d", 5);
    join(&s->viewers[3], server, "d");
    gets(s, 3, MIRRORED, false, 0);
    rm_webrtc_destroy(&s->viewers[2].t);
    RMT_REQUIRE(rmt_wait(s->t, RM_EV_PEER_STATE, RM_PEER_CLOSED, &ev, PATIENCE_MS));
    RMT_REQUIRE(info(s->session).peers == 3 && info(s->session).connected == 3);
    gets(s, 0, PLAIN, false, 0);
}

static uint64_t sent_to(rm_webrtc_session *session, const char *id) {
    rm_session_peer peers[8];
    size_t count = 0;
    RMT_REQUIRE(rm_webrtc_session_peers(session, peers, 8, &count) == RM_OK);
    for (size_t i = 0; i < count; i++)
        if (!strcmp(peers[i].peer_id, id))
            return peers[i].sent;
    RMT_REQUIRE(!"a member");
    return 0;
}

static void it_is_saved_and_restored(struct stage *s) {
    char *text = NULL, detail[RM_DETAIL_MAX];
    size_t size = 0;
    rm_manifest *m = rmt_manifest(outputs);
    rm_webrtc_session_config c = session_config(m);
    rm_webrtc_session *again = NULL;
    c.session_id = NULL; /* the snapshot's */
    c.policy = RM_ROUTING_BROADCAST;
    RMT_REQUIRE(rm_webrtc_session_save(s->session, &text, &size) == RM_OK && strlen(text) == size);
    const rm_session_info before = info(s->session);
    const uint64_t to_b = sent_to(s->session, "b");
    RMT_REQUIRE(rm_webrtc_restore_session(s->t, &c, text, size, &again, detail, sizeof detail) == RM_E_EXISTS);
    rm_webrtc_destroy_session(&s->session);
    RMT_REQUIRE(!s->session && rm_webrtc_session_count(s->t) == 0);
    for (size_t cut = 1; cut < size; cut += 7)
        RMT_REQUIRE(rm_webrtc_restore_session(s->t, &c, text, size - cut, &again, detail, sizeof detail) ==
                        RM_E_PARSE &&
                    detail[0]);
    RMT_REQUIRE(rm_webrtc_restore_session(s->t, &c, text, size, &s->session, detail, sizeof detail) == RM_OK);
    rm_manifest_unref(&m);
    const rm_session_info after = info(s->session);
    RMT_REQUIRE(!strcmp(after.session_id, "show") && after.policy == RM_ROUTING_SELECTIVE);
    RMT_REQUIRE(after.routes == before.routes && after.peers == before.peers && after.connected == 3);
    RMT_REQUIRE(after.sent >= before.sent && after.inputs >= before.inputs && after.held >= before.held);
    RMT_REQUIRE(sent_to(s->session, "b") >= to_b && to_b > 0);
    s->source.session = s->session;
    gets(s, 1, MIRRORED, false, 0);
    gets(s, 0, PLAIN, false, 0);
    RMT_REQUIRE(sent_to(s->session, "b") > to_b && info(s->session).sent > before.sent);

    /* What was added stays added. */
    char *second = NULL;
    RMT_REQUIRE(rm_webrtc_session_save(s->session, &second, NULL) == RM_OK);
    const char *one = strstr(text, "\"members\":[\""), *two = strstr(second, "\"members\":[\"");
    RMT_REQUIRE(one && two && !strncmp(one, two, strcspn(one, "]")));
    rm_json_free(&text);
    rm_json_free(&second);
}

static void policies_change(struct stage *s) {
    RMT_REQUIRE(rm_webrtc_session_set_policy(s->session, RM_ROUTING_BROADCAST) == RM_OK);
    RMT_REQUIRE(rm_webrtc_session_set_policy(s->session, (rm_routing_policy)9) == RM_E_INVALID_ARG);
    gets(s, 3, MIRRORED, false, 0); /* by its route; "quiet" has one as well, which names nobody who is here */
    RMT_REQUIRE(rm_webrtc_session_set_policy(s->session, RM_ROUTING_UNICAST) == RM_OK);
    gets(s, 0, PLAIN, false, 0);
    gets(s, 1, MIRRORED, false, 0); /* the first that a route names */
    gets_nothing(s, 3);
    rm_webrtc_destroy_session(&s->session);
    rm_webrtc_destroy_session(&s->session);
}

int main(void) {
    struct rmi_signaling_thread server;
    static struct stage s;
    rmt_server_start(&server);
    set_up(&s, &server);
    routes_are_followed(&s);
    words_go_by_routes(&s);
    members_come_and_go(&s, &server);
    it_is_saved_and_restored(&s);
    policies_change(&s);
    for (size_t i = 0; i < VIEWERS; i++) {
        rm_webrtc_destroy(&s.viewers[i].t);
        rmt_ear_fini(&s.viewers[i].ear);
    }
    rm_webrtc_destroy(&s.t);
    rmi_signaling_thread_stop(&server);
    return 0;
}
