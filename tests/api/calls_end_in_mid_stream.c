/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to media when something goes away in the middle of it: either side, a whole process, the signaling
 * server, a node; and the transport itself, destroyed inside each of its callbacks. */
#include "support/media.h"

#include "base/time.h"
#include "io/loop.h"
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 30000
#define CLEAN_UP_MS 1000
#define LIVENESS_MS 2000 /* the default */

static struct rmt_source both_kinds(rm_webrtc *t) {
    return (struct rmt_source){.t = t, .width = 320, .height = 180, .fps = 30, .sound_us = 10000, .amplitude = 0.5F};
}

struct flow {
    struct rmt_ear *ear;
    const char *from;
    struct rmt_heard since;
};

static bool flows(void *ctx) {
    const struct flow *f = ctx;
    struct rmt_heard h = rmt_heard_of(f->ear, f->from);
    return h.pictures > f->since.pictures + 5 && h.chunks > f->since.chunks + 20;
}

static void require_flow(struct rmt_source *sources, size_t count, struct rmt_ear *ear, const char *from) {
    struct flow f = {.ear = ear, .from = from, .since = rmt_heard_of(ear, from)};
    RMT_REQUIRE(rmt_play(sources, count, flows, &f, PATIENCE_MS));
}

/* ---- either side is destroyed ---- */

static int64_t timed_destroy(rm_webrtc **t) {
    int64_t began_us = rmi_now_us();
    rm_webrtc_destroy(t);
    return (rmi_now_us() - began_us) / 1000;
}

static void either_side_is_destroyed(const struct rmi_signaling_thread *s, bool sender) {
    struct rmt_call call;
    rm_event ev;
    rmt_call_prepare(&call, s, "destroyed");
    rmt_call_connect(&call);
    struct rmt_source source = both_kinds(call.a);
    require_flow(&source, 1, &call.ear_b, "a");
    int64_t took_ms = timed_destroy(sender ? &call.a : &call.b);
    printf("%s destroyed in mid-stream in %lld ms\n", sender ? "sender" : "receiver", (long long)took_ms);
    RMT_REQUIRE(took_ms < CLEAN_UP_MS);
    RMT_REQUIRE(rmt_wait(sender ? call.b : call.a, RM_EV_PEER_STATE, RM_PEER_CLOSED, &ev, CLEAN_UP_MS));
    if (!sender) { /* nobody is there to miss it */
        RMT_REQUIRE(rmt_play(&source, 1, NULL, NULL, 200) && source.refused == 0);
        RMT_REQUIRE(timed_destroy(&call.a) < CLEAN_UP_MS);
    }
    rmt_call_end(&call);
}

/* ---- a process is killed ---- */

static int play_for_ever(const char *url) {
    struct rmi_signaling_thread s = {0};
    rm_webrtc_config c;
    snprintf(s.url, sizeof s.url, "%s", url);
    rmt_config(&c, &s, "victim");
    c.room = "killed";
    struct rmt_source source = both_kinds(rmt_join(&c));
    rmt_play(&source, 1, NULL, NULL, PATIENCE_MS);
    return 0;
}

static void a_process_is_killed(const struct rmi_signaling_thread *s) {
    rm_webrtc_config c;
    rm_event ev;
    struct rmt_ear ear;
    rmt_ear_init(&ear);
    rmt_config(&c, s, "survivor");
    c.room = "killed";
    c.on_media = rmt_on_media;
    c.user = &ear;
    rm_webrtc *t = rmt_join(&c);
    RMT_REQUIRE(rmt_wait(t, RM_EV_SIGNALING, RM_SIGNALING_READY, &ev, PATIENCE_MS));
    pid_t child = rmt_spawn("victim", s->url);
    require_flow(NULL, 0, &ear, "victim");
    RMT_REQUIRE(!kill(child, SIGKILL));
    int64_t killed_us = rmi_now_us();
    int status;
    RMT_REQUIRE(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    RMT_REQUIRE(rmt_wait(t, RM_EV_PEER_STATE, RM_PEER_DISCONNECTED, &ev, LIVENESS_MS + CLEAN_UP_MS));
    printf("a killed peer is told after %lld ms\n", (long long)((rmi_now_us() - killed_us) / 1000));
    RMT_REQUIRE(timed_destroy(&t) < CLEAN_UP_MS);
    rmt_ear_fini(&ear);
}

/* ---- the signaling server is killed ---- */

/* A server in a process of its own, which tells its address through the descriptor it is given. */
static int serve(const char *descriptor) {
    struct rmi_signaling_thread s;
    rmt_server_start(&s);
    RMT_REQUIRE(write(atoi(descriptor), s.url, sizeof s.url) == (ssize_t)sizeof s.url);
    pause();
    return 0;
}

static void the_signaling_server_is_killed(void) {
    struct rmi_signaling_thread s = {0};
    struct rmt_call call;
    rm_event ev;
    int ends[2], status;
    char descriptor[16];
    RMT_REQUIRE(!pipe(ends));
    snprintf(descriptor, sizeof descriptor, "%d", ends[1]);
    pid_t server = rmt_spawn("server", descriptor);
    RMT_REQUIRE(read(ends[0], s.url, sizeof s.url) == (ssize_t)sizeof s.url);
    close(ends[0]);
    close(ends[1]);
    rmt_call_prepare(&call, &s, "server");
    rmt_call_connect(&call);
    struct rmt_source sources[2] = {both_kinds(call.a), both_kinds(call.b)};
    require_flow(sources, 2, &call.ear_b, "a");
    RMT_REQUIRE(!kill(server, SIGKILL) && waitpid(server, &status, 0) == server);
    RMT_REQUIRE(rmt_wait(call.a, RM_EV_SIGNALING, RM_SIGNALING_DOWN, &ev, PATIENCE_MS));
    require_flow(sources, 2, &call.ear_b, "a");
    require_flow(sources, 2, &call.ear_a, "b");
    RMT_REQUIRE(timed_destroy(&call.a) < CLEAN_UP_MS);
    RMT_REQUIRE(timed_destroy(&call.b) < CLEAN_UP_MS);
    rmt_call_end(&call);
}

/* ---- destroyed inside a callback ---- */

enum where { IN_SOUND, IN_PICTURE, IN_OUTPUT, IN_EVENT, IN_PIPELINE_EVENT, IN_NO_SESSION };

struct subject {
    enum where where;
    rm_webrtc *t;
    sem_t done;
    atomic_bool destroyed, gone; /* gone: the peer has been told */
    atomic_int after;            /* callbacks since then; before, one that was under way on another thread may end */
};

static void at(struct subject *s, bool here) {
    if (atomic_load(&s->gone))
        atomic_fetch_add(&s->after, 1);
    if (here && !atomic_load(&s->destroyed)) {
        rm_webrtc_destroy(&s->t);
        RMT_REQUIRE(s->t == NULL);
        atomic_store(&s->destroyed, true);
        sem_post(&s->done);
    }
}

static void subject_media(const char *peer_id, rm_runtime_data *data, void *user) {
    struct subject *s = user;
    (void)peer_id;
    at(s, s->where == (rm_runtime_data_audio(data) ? IN_SOUND : IN_PICTURE));
}

static void subject_output(const char *peer_id, const struct rm_transport_data *output, void *user) {
    struct subject *s = user;
    (void)peer_id;
    (void)output;
    at(s, s->where == IN_OUTPUT);
}

static void subject_event(const struct rm_event *ev, void *user) {
    struct subject *s = user;
    at(s, (s->where == IN_EVENT && ev->type == RM_EV_PEER_STATE && ev->peer_state == RM_PEER_CONNECTED) ||
              (s->where >= IN_PIPELINE_EVENT && ev->type == RM_EV_PIPELINE));
}

static bool is_done(void *ctx) {
    return sem_trywait(ctx) == 0;
}

static const char echo[] = "version: v1\nmetadata: {name: echo}\nconnections: []\n"
                           "nodes: [{id: echo, node_type: PassThrough}]\n";

static rm_err fail_always(void *state, rm_node_context *context, rm_runtime_data *input) {
    (void)state;
    (void)context;
    (void)input;
    return RM_E_IO;
}

static rm_err need_file(rm_node_context *context, const rm_node_params *params, void **state) {
    (void)context;
    *state = NULL;
    return access(rm_node_params_string(params, "path", ""), R_OK) ? RM_E_IO : RM_OK;
}

static const rm_node_param needs_params[] = {
    {.name = "path", .type = RM_PARAM_STRING, .required = true, .summary = "a file that must be there"}};
static const rm_node_class fails = {.abi_version = RM_NODE_ABI_VERSION,
                                    .struct_size = sizeof(rm_node_class),
                                    .name = "Fails",
                                    .summary = "of a test",
                                    .params = needs_params,
                                    .param_count = 1,
                                    .create = need_file,
                                    .process = fail_always};

/* With IN_NO_SESSION the manifest can be tried, but no session of it can be made later. */
static void set_pipeline(rm_webrtc *t, enum where where) {
    rm_node_registry *registry = NULL;
    char detail[RM_DETAIL_MAX], path[] = "/tmp/rmt-node-XXXXXX", failing[256];
    int file = mkstemp(path);
    RMT_REQUIRE(file >= 0);
    snprintf(failing, sizeof failing,
             "version: v1\nmetadata: {name: fails}\nconnections: []\n"
             "nodes: [{id: fails, node_type: Fails, params: {path: %s}}]\n",
             where == IN_NO_SESSION ? path : "/");
    rm_manifest *m = rmt_manifest(where == IN_OUTPUT ? echo : failing);
    RMT_REQUIRE(rm_node_registry_create(&registry) == RM_OK);
    RMT_REQUIRE(rm_node_registry_add(registry, &fails, detail, sizeof detail) == RM_OK);
    RMT_REQUIRE(rm_webrtc_set_pipeline(t, m, registry, detail, sizeof detail) == RM_OK);
    RMT_REQUIRE(!close(file) && !unlink(path));
    rm_manifest_unref(&m);
    rm_node_registry_destroy(&registry);
}

static void destroyed_inside(const struct rmi_signaling_thread *server, enum where where) {
    struct subject s = {.where = where};
    rm_webrtc_config c, pc;
    rm_event ev;
    char room[32];
    snprintf(room, sizeof room, "inside-%d", (int)where);
    sem_init(&s.done, 0, 0);
    rmt_config(&c, server, "subject");
    rmt_config(&pc, server, "player");
    c.room = pc.room = room;
    c.on_media = subject_media;
    c.on_output = subject_output;
    c.on_event = subject_event;
    c.user = &s;
    RMT_REQUIRE(rm_webrtc_create(&c, &s.t) == RM_OK);
    if (where == IN_OUTPUT || where >= IN_PIPELINE_EVENT)
        set_pipeline(s.t, where);
    rm_webrtc *player = rmt_join(&pc);
    RMT_REQUIRE(rmt_wait(player, RM_EV_SIGNALING, RM_SIGNALING_READY, &ev, PATIENCE_MS));
    RMT_REQUIRE(rm_webrtc_start(s.t) == RM_OK);
    struct rmt_source source = both_kinds(player);
    RMT_REQUIRE(rmt_play(&source, 1, is_done, &s.done, PATIENCE_MS));
    RMT_REQUIRE(rmt_wait(player, RM_EV_PEER_STATE, RM_PEER_CLOSED, &ev, CLEAN_UP_MS)); /* it really ends */
    atomic_store(&s.gone, true);
    rm_webrtc_destroy(&player);
    RMT_REQUIRE(atomic_load(&s.after) == 0);
    sem_destroy(&s.done);
}

/* ---- */

int main(int argc, char **argv) {
    if (argc == 3)
        return strcmp(argv[1], "server") ? play_for_ever(argv[2]) : serve(argv[2]);
    struct rmi_signaling_thread s;
    rmt_server_start(&s);
    long threads = rmt_threads(), descriptors = rmt_open_descriptors();
    either_side_is_destroyed(&s, true);
    either_side_is_destroyed(&s, false);
    a_process_is_killed(&s);
    the_signaling_server_is_killed();
    for (enum where w = IN_SOUND; w <= IN_NO_SESSION; w++)
        destroyed_inside(&s, w);
    /* Transports destroyed inside a callback end on their own threads. */
    int waited_ms = 0;
    for (; waited_ms < CLEAN_UP_MS && (rmt_threads() > threads || rmt_open_descriptors() > descriptors); waited_ms++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    printf("threads %ld -> %ld, descriptors %ld -> %ld, after %d ms\n", threads, rmt_threads(), descriptors,
           rmt_open_descriptors(), waited_ms);
    RMT_REQUIRE(rmt_threads() <= threads && rmt_open_descriptors() <= descriptors);
    rmi_signaling_thread_stop(&s);
    return 0;
}
