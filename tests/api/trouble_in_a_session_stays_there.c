/* SPDX-License-Identifier: Apache-2.0 */
/* A session whose node fails for one peer and is slow for another: the other peers go on in it, a second session with
 * the same peers notices nothing; and sessions, and the transport, that end inside callbacks. */
#include "base/time.h"
#include "io/loop.h"
#include "support/media.h"
#include <remotemedia/webrtc_session.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 60000
#define SLOW_US 100000 /* for each fourth chunk of 10 ms */
#define PLAY_MS 3000

/* ---- a node that is picky ---- */

static atomic_uint slow_chunks;

static rm_err picky(void *state, rm_node_context *context, rm_runtime_data *input) {
    const char *id = rm_runtime_data_stream_id(input);
    (void)state;
    if (id && !strcmp(id, "bad")) {
        rm_node_fail(context, "not from %s", id);
        return RM_E_UNSUPPORTED;
    }
    if (id && !strcmp(id, "slow") && atomic_fetch_add(&slow_chunks, 1) % 4 == 0) {
        struct timespec t = {.tv_nsec = SLOW_US * 1000L};
        nanosleep(&t, NULL);
    }
    return rm_node_emit(context, rm_runtime_data_ref(input));
}

static const rm_node_class picky_class = {.abi_version = RM_NODE_ABI_VERSION,
                                          .struct_size = sizeof(rm_node_class),
                                          .name = "PickyNode",
                                          .summary = "fails for one, slow for another",
                                          .process = picky};

static const char troubled[] = "version: v1\n"
                               "metadata: {name: troubled}\n"
                               "nodes: [{id: picky, node_type: PickyNode}]\n"
                               "connections: []\n";
static const char sound[] = "version: v1\n"
                            "metadata: {name: sound}\n"
                            "nodes: [{id: out, node_type: PassThrough}]\n"
                            "connections: []\n";

/* ---- who takes part ---- */

enum { GOOD, BAD, SLOW, PEERS };
static const char *const ids[PEERS] = {"good", "bad", "slow"};

struct watch {
    atomic_uint outputs[PEERS]; /* by origin */
    atomic_uint errors, slow_told, others;
    _Atomic(rm_webrtc *) destroy_transport;
    atomic_bool destroy_session, ended;
};

static void on_event(const rm_event *ev, void *user) {
    struct watch *w = user;
    if (ev->type != RM_EV_PIPELINE)
        return;
    RMT_REQUIRE(!ev->peer_id[0]);
    if (strncmp(ev->detail, "troubled: node picky", 20) != 0)
        atomic_fetch_add(&w->others, 1);
    else if (ev->err == RM_E_LIMIT)
        atomic_fetch_add(&w->slow_told, 1);
    else if (ev->err == RM_E_UNSUPPORTED && strstr(ev->detail, "not from bad"))
        atomic_fetch_add(&w->errors, 1);
}

static void on_output(rm_webrtc_session *session, const char *output_id, const char *origin,
                      const rm_transport_data *output, void *user) {
    struct watch *w = user;
    RMT_REQUIRE(output->data && output_id[0] && rm_webrtc_session_id(session)[0]);
    RMT_REQUIRE(!atomic_load(&w->ended)); /* nothing comes after the end */
    for (int i = 0; i < PEERS; i++)
        if (!strcmp(origin, ids[i]))
            atomic_fetch_add(&w->outputs[i], 1);
    rm_webrtc *t = atomic_exchange(&w->destroy_transport, NULL);
    if (atomic_exchange(&w->destroy_session, false)) {
        atomic_store(&w->ended, true);
        rm_webrtc_destroy_session(&session);
    } else if (t) {
        atomic_store(&w->ended, true);
        rm_webrtc_destroy(&t);
    }
}

static rm_webrtc_session *open_session(rm_webrtc *t, const char *id, const char *yaml, rm_node_registry *registry,
                                       struct watch *w) {
    rm_webrtc_session_config c;
    rm_webrtc_session *session = NULL;
    char detail[RM_DETAIL_MAX];
    rm_webrtc_session_config_init(&c);
    c.session_id = id;
    c.manifest = rmt_manifest(yaml);
    c.registry = registry;
    c.policy = RM_ROUTING_UNICAST;
    c.on_output = on_output;
    c.user = w;
    rm_err err = rm_webrtc_create_session(t, &c, &session, detail, sizeof detail);
    if (err)
        fprintf(stderr, "%s\n", detail);
    RMT_REQUIRE(err == RM_OK);
    rm_manifest_unref(&c.manifest);
    return session;
}

static rm_node_registry *registry_with_picky(void) {
    rm_node_registry *registry = NULL;
    RMT_REQUIRE(rm_node_registry_create(&registry) == RM_OK);
    RMT_REQUIRE(rm_node_registry_add(registry, &picky_class, NULL, 0) == RM_OK);
    return registry;
}

/* ---- trouble ---- */

struct calls {
    struct watch *calm, *troubled;
};

static bool trouble_was_seen(void *ctx) {
    struct calls *c = ctx;
    return atomic_load(&c->troubled->errors) > 20 && atomic_load(&c->troubled->slow_told) > 0 &&
           atomic_load(&c->troubled->outputs[GOOD]) > 0 && atomic_load(&c->calm->outputs[GOOD]) > 100;
}

static void trouble_stays_in_its_session(const struct rmi_signaling_thread *s) {
    static struct watch calm, trouble;
    struct rmt_source sources[PEERS];
    struct rmt_ear ears[PEERS];
    rm_webrtc *peers[PEERS];
    rm_webrtc_config c;
    rm_event ev;
    rm_node_registry *registry = registry_with_picky();
    rmt_config(&c, s, "host");
    c.room = "trouble";
    c.max_peers = RM_PEERS_MESH;
    c.enable_video = false;
    c.on_event = on_event;
    c.user = &trouble;
    rm_webrtc *host = rmt_join(&c);
    rm_webrtc_session *second = open_session(host, "calm", sound, NULL, &calm);
    rm_webrtc_session *first = open_session(host, "troubled", troubled, registry, &trouble);
    rm_node_registry_destroy(&registry);
    RMT_REQUIRE(rm_webrtc_session_count(host) == 2);
    for (int i = 0; i < PEERS; i++) {
        rmt_ear_init(&ears[i]);
        rmt_config(&c, s, ids[i]);
        c.room = "trouble";
        c.max_peers = RM_PEERS_MESH;
        c.enable_video = false;
        c.allowed_peers = "host";
        c.on_media = rmt_on_media;
        c.user = &ears[i];
        peers[i] = rmt_join(&c);
        RMT_REQUIRE(rmt_wait(peers[i], RM_EV_PEER_STATE, RM_PEER_CONNECTED, &ev, PATIENCE_MS));
        sources[i] = (struct rmt_source){.t = peers[i], .sound_us = 10000, .amplitude = 0.5F};
    }
    struct calls watched = {&calm, &trouble};
    const bool seen = rmt_play(sources, PEERS, trouble_was_seen, &watched, PATIENCE_MS);
    if (!seen)
        fprintf(stderr, "errors %u, slow %u, others %u; of good %u and %u\n", atomic_load(&trouble.errors),
                atomic_load(&trouble.slow_told), atomic_load(&trouble.others), atomic_load(&trouble.outputs[GOOD]),
                atomic_load(&calm.outputs[GOOD]));
    RMT_REQUIRE(seen);
    RMT_REQUIRE(rmt_play(sources, PEERS, NULL, NULL, PLAY_MS));
    rm_session_info bad, good;
    RMT_REQUIRE(rm_webrtc_session_get_info(first, &bad) == RM_OK && rm_webrtc_session_get_info(second, &good) == RM_OK);
    printf("troubled: %u of good, %u of slow, %llu errors, %llu lost; calm: %u of good, %llu lost\n",
           atomic_load(&trouble.outputs[GOOD]), atomic_load(&trouble.outputs[SLOW]),
           (unsigned long long)bad.node_errors, (unsigned long long)bad.dropped, atomic_load(&calm.outputs[GOOD]),
           (unsigned long long)good.dropped);
    RMT_REQUIRE(bad.active && bad.node_errors > 0 && bad.dropped > 0);
    RMT_REQUIRE(atomic_load(&trouble.outputs[BAD]) == 0);
    RMT_REQUIRE(good.dropped == 0 && good.node_errors == 0 && good.refused == 0 && atomic_load(&trouble.others) == 0);
    RMT_REQUIRE(good.outputs + PEERS >= good.inputs); /* all but what is at work just now */
    for (int i = 0; i < PEERS; i++)
        RMT_REQUIRE(atomic_load(&calm.outputs[i]) > 0);

    /* The calm one was there first: without it the other's sound gets through. */
    RMT_REQUIRE(rmt_heard_of(&ears[GOOD], "host").chunks > 100 && bad.held > 0);
    rm_webrtc_destroy_session(&second);
    const uint64_t sent = bad.sent;
    for (int64_t end_us = rmi_now_us() + RMI_MS(PATIENCE_MS); bad.sent == sent;) {
        RMT_REQUIRE(rmi_now_us() < end_us);
        rmt_play(sources, PEERS, NULL, NULL, 100);
        RMT_REQUIRE(rm_webrtc_session_get_info(first, &bad) == RM_OK);
    }

    /* A session ends inside its callback, while others hand things over. */
    atomic_store(&trouble.destroy_session, true);
    for (int64_t end_us = rmi_now_us() + RMI_MS(PATIENCE_MS); rm_webrtc_session_count(host) > 0;) {
        RMT_REQUIRE(rmi_now_us() < end_us);
        rmt_play(sources, PEERS, NULL, NULL, 20);
    }
    RMT_REQUIRE(rmt_play(sources, PEERS, NULL, NULL, 200));
    rm_webrtc_destroy(&host);
    for (int i = 0; i < PEERS; i++) {
        rm_webrtc_destroy(&peers[i]);
        rmt_ear_fini(&ears[i]);
    }
}

/* ---- the transport ends inside a callback of a session ---- */

static void the_transport_ends_inside(const struct rmi_signaling_thread *s, bool start) {
    static struct watch w;
    rm_webrtc_config c;
    rm_webrtc *t = NULL;
    rm_runtime_data *text = NULL;
    memset(&w, 0, sizeof w);
    rmt_config(&c, s, "short");
    c.max_peers = RM_PEERS_MESH;
    RMT_REQUIRE(rm_webrtc_create(&c, &t) == RM_OK);
    RMT_REQUIRE(!start || rm_webrtc_start(t) == RM_OK);
    const long threads = start ? 0 : rmt_threads();
    rm_webrtc_session *session = open_session(t, "only", sound, NULL, &w);
    RMT_REQUIRE(rm_runtime_data_create_text("end", 3, NULL, &text) == RM_OK);
    atomic_store(&w.destroy_transport, t);
    RMT_REQUIRE(rm_webrtc_session_send_input(session, text) == RM_OK);
    for (int64_t end_us = rmi_now_us() + RMI_MS(PATIENCE_MS); !atomic_load(&w.ended);) {
        RMT_REQUIRE(rmi_now_us() < end_us);
        usleep(1000);
    }
    for (int64_t end_us = rmi_now_us() + RMI_MS(PATIENCE_MS); !start && rmt_threads() > threads;) {
        RMT_REQUIRE(rmi_now_us() < end_us);
        usleep(1000);
    }
    rm_runtime_data_unref(&text);
}

/* Faults of the arguments, by their error. */
static void faults_are_told(const struct rmi_signaling_thread *s) {
    rm_webrtc_config c;
    rm_webrtc_session_config sc;
    rm_webrtc_session *session = NULL;
    rm_webrtc *t = NULL;
    char detail[RM_DETAIL_MAX];
    rmt_config(&c, s, "faults");
    c.max_peers = RM_PEERS_MESH;
    RMT_REQUIRE(rm_webrtc_create(&c, &t) == RM_OK);
    rm_webrtc_session_config_init(&sc);
    RMT_REQUIRE(rm_webrtc_create_session(t, &sc, &session, detail, sizeof detail) == RM_E_CONFIG);
    RMT_REQUIRE(strstr(detail, "manifest"));
    sc.manifest = rmt_manifest(troubled); /* no such node among the built-in ones */
    RMT_REQUIRE(rm_webrtc_create_session(t, &sc, &session, detail, sizeof detail) == RM_E_CONFIG);
    RMT_REQUIRE(strstr(detail, "PickyNode"));
    sc.session_id = "not an id";
    RMT_REQUIRE(rm_webrtc_create_session(t, &sc, &session, detail, sizeof detail) == RM_E_CONFIG);
    RMT_REQUIRE(strstr(detail, "session_id"));
    sc.session_id = NULL;
    sc.policy = (rm_routing_policy)0;
    RMT_REQUIRE(rm_webrtc_create_session(t, &sc, &session, detail, sizeof detail) == RM_E_CONFIG);
    RMT_REQUIRE(strstr(detail, "policy"));
    sc.struct_size = 3;
    RMT_REQUIRE(rm_webrtc_create_session(t, &sc, &session, detail, sizeof detail) == RM_E_CONFIG);
    RMT_REQUIRE(rm_webrtc_create_session(NULL, &sc, &session, NULL, 0) == RM_E_INVALID_ARG && !session);
    RMT_REQUIRE(rm_webrtc_session_count(t) == 0);
    rm_manifest_unref(&sc.manifest);
    rm_webrtc_destroy(&t);
}

int main(void) {
    struct rmi_signaling_thread s;
    rmt_server_start(&s);
    faults_are_told(&s);
    trouble_stays_in_its_session(&s);
    the_transport_ends_inside(&s, false);
    the_transport_ends_inside(&s, true);
    rmi_signaling_thread_stop(&s);
    return 0;
}
