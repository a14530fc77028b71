/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes that fail, under each policy; one that hangs and one that is slow: the peer they serve gets what the policy
 * says, the application is told, and another peer's call goes on as if nothing were. */
#include "support/media.h"

#include "base/time.h"
#include "io/loop.h"
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PATIENCE_MS 30000
#define HANG_MS 2000
#define SLOW_MS 100

/* ---- the bad nodes: each fails, hangs or is slow with pictures of "bad" only ---- */

static bool is_bad(rm_runtime_data *input) {
    const char *from = rm_runtime_data_stream_id(input);
    return rm_runtime_data_video(input) && from && !strcmp(from, "bad");
}

static void busy(int64_t ms) {
    struct timespec t = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

static rm_err break_on(void *state, rm_node_context *context, rm_runtime_data *input) {
    (void)state;
    if (is_bad(input)) {
        rm_node_fail(context, "a picture too many");
        return RM_E_IO;
    }
    return rm_node_emit(context, rm_runtime_data_ref(input));
}

static rm_err make_flag(rm_node_context *context, const rm_node_params *params, void **state) {
    (void)context;
    (void)params;
    rm_buf *flag = NULL;
    rm_err err = rm_buf_create(1, &flag);
    *state = flag;
    return err;
}

static void free_flag(void *state) {
    rm_buf *flag = state;
    rm_buf_unref(&flag);
}

static rm_err hang_once(void *state, rm_node_context *context, rm_runtime_data *input) {
    uint8_t *hung = rm_buf_write(state);
    if (is_bad(input) && !*hung) {
        *hung = 1;
        busy(HANG_MS);
    }
    return rm_node_emit(context, rm_runtime_data_ref(input));
}

static rm_err be_slow(void *state, rm_node_context *context, rm_runtime_data *input) {
    (void)state;
    if (is_bad(input))
        busy(SLOW_MS);
    return rm_node_emit(context, rm_runtime_data_ref(input));
}

#define CLASS(NAME, PROCESS)                                                                                           \
    {                                                                                                                  \
        .abi_version = RM_NODE_ABI_VERSION, .struct_size = sizeof(rm_node_class), .name = NAME, .process = PROCESS,    \
        .summary = "of a test", .create = make_flag, .destroy = free_flag                                              \
    }
static const rm_node_class classes[] = {CLASS("Breaks", break_on), CLASS("Hangs", hang_once), CLASS("Slow", be_slow)};

/* ---- a room: "a" runs the pipeline for "bad" and "good" ---- */

struct room {
    rm_webrtc *t, *bad, *good;
    struct rmt_ear ear_bad, ear_good;
    struct rmt_source sources[2];
    struct rmt_heard before; /* what "good" had heard when it was asked last */
    rm_err expected;         /* of an RM_EV_PIPELINE; a busy machine adds others */
    rm_event ev;             /* the last such one */
    uint64_t events;
};

static rm_webrtc *join(const struct rmi_signaling_thread *s, const char *name, const char *room, struct rmt_ear *ear) {
    rm_webrtc_config c;
    rm_event ev;
    rmt_ear_init(ear);
    rmt_config(&c, s, name);
    c.room = room;
    c.on_media = rmt_on_media;
    c.user = ear;
    rm_webrtc *t = rmt_join(&c);
    do
        RMT_REQUIRE(rmt_wait(t, RM_EV_PEER_STATE, RM_PEER_CONNECTED, &ev, PATIENCE_MS));
    while (strcmp(ev.peer_id, "a") != 0);
    return t;
}

static void room_open(struct room *r, const struct rmi_signaling_thread *s, const char *node_type, const char *policy) {
    char yaml[512];
    char detail[RM_DETAIL_MAX];
    rm_webrtc_config c;
    rm_node_registry *registry = NULL;
    memset(r, 0, sizeof *r);
    snprintf(yaml, sizeof yaml,
             "version: v1\nmetadata: {name: bad}\nconnections: []\n"
             "nodes: [{id: bad-one, node_type: %s, params: {on_error: %s}}]\n",
             node_type, policy);
    rm_manifest *m = rmt_manifest(yaml);
    RMT_REQUIRE(rm_node_registry_create(&registry) == RM_OK);
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        RMT_REQUIRE(rm_node_registry_add(registry, &classes[i], detail, sizeof detail) == RM_OK);
    rmt_config(&c, s, "a");
    c.room = node_type;
    RMT_REQUIRE(rm_webrtc_create(&c, &r->t) == RM_OK);
    RMT_REQUIRE(rm_webrtc_set_pipeline(r->t, m, registry, detail, sizeof detail) == RM_OK);
    rm_node_registry_destroy(&registry); /* the transport keeps its own hold */
    rm_manifest_unref(&m);
    RMT_REQUIRE(rm_webrtc_start(r->t) == RM_OK);
    RMT_REQUIRE(rmt_wait(r->t, RM_EV_SIGNALING, RM_SIGNALING_READY, &r->ev, PATIENCE_MS));
    r->bad = join(s, "bad", node_type, &r->ear_bad);
    r->good = join(s, "good", node_type, &r->ear_good);
    r->sources[0] = (struct rmt_source){
        .t = r->bad, .to = "a", .width = 160, .height = 96, .fps = 30, .sound_us = 10000, .amplitude = 0.5F};
    r->sources[1] = r->sources[0];
    r->sources[1].t = r->good;
}

static void room_close(struct room *r) {
    rm_webrtc_destroy(&r->t);
    rm_webrtc_destroy(&r->bad);
    rm_webrtc_destroy(&r->good);
    rmt_ear_fini(&r->ear_bad);
    rmt_ear_fini(&r->ear_good);
}

static void take_events(struct room *r) {
    rm_event ev;
    while (!rm_webrtc_poll(r->t, &ev, 0))
        if (ev.type == RM_EV_PIPELINE && ev.err == r->expected) {
            r->ev = ev;
            r->events++;
        }
}

static bool told(void *ctx) {
    struct room *r = ctx;
    take_events(r);
    return r->events > 0;
}

/* Twenty further pictures and chunks of the good peer: its call is untouched. */
static bool good_goes_on(void *ctx) {
    struct room *r = ctx;
    struct rmt_heard h = rmt_heard_of(&r->ear_good, "a");
    return h.pictures >= r->before.pictures + 20 && h.chunks >= r->before.chunks + 20;
}

static void require_good(struct room *r) {
    r->before = rmt_heard_of(&r->ear_good, "a");
    RMT_REQUIRE(rmt_play(r->sources, 2, good_goes_on, r, PATIENCE_MS));
}

static bool bad_hears(void *ctx) {
    struct room *r = ctx;
    return rmt_heard_of(&r->ear_bad, "a").chunks >= 20;
}

static bool bad_sees(void *ctx) {
    struct room *r = ctx;
    return rmt_heard_of(&r->ear_bad, "a").pictures >= 5;
}

static bool is_told_of_the_node(const struct room *r) {
    return !strcmp(r->ev.peer_id, "bad") && strstr(r->ev.detail, "bad-one") &&
           strstr(r->ev.detail, "a picture too many");
}

static void failing(const struct rmi_signaling_thread *s, const char *policy) {
    struct room r;
    room_open(&r, s, "Breaks", policy);
    r.expected = RM_E_IO;
    RMT_REQUIRE(rmt_play(r.sources, 2, told, &r, PATIENCE_MS));
    RMT_REQUIRE(is_told_of_the_node(&r));
    bool drop = !strcmp(policy, "drop"), stop = !strcmp(policy, "stop"), mute = !strcmp(policy, "mute");
    if (!stop)
        RMT_REQUIRE(rmt_play(r.sources, 2, bad_hears, &r, PATIENCE_MS)); /* its sound does not fail */
    if (!stop && !drop)
        RMT_REQUIRE(rmt_play(r.sources, 2, bad_sees, &r, PATIENCE_MS));
    require_good(&r);
    struct rmt_heard h = rmt_heard_of(&r.ear_bad, "a");
    if (drop || stop)
        RMT_REQUIRE(h.pictures == 0);
    else if (mute)
        RMT_REQUIRE(h.left < 40 && h.right < 40); /* black */
    else
        RMT_REQUIRE(h.right > h.left + 60); /* as it was sent */
    rm_media_stats bad = rmt_stats(r.t, "bad"), good = rmt_stats(r.t, "good");
    printf("%s: %llu errors, %llu pictures back\n", policy, (unsigned long long)bad.pipeline_errors,
           (unsigned long long)h.pictures);
    RMT_REQUIRE(bad.pipeline_errors > 0 && good.pipeline_errors == 0);
    room_close(&r);
}

/* What it hangs on costs its own peer a pause, and nobody else anything; destroying waits no longer than it hangs. */
static void hanging(const struct rmi_signaling_thread *s) {
    struct room r;
    room_open(&r, s, "Hangs", "drop");
    int64_t began_us = rmi_now_us();
    require_good(&r);
    printf("while a node hangs for %d ms, the other peer's call took %lld ms for 20 pictures\n", HANG_MS,
           (long long)((rmi_now_us() - began_us) / 1000));
    RMT_REQUIRE(rmt_play(r.sources, 2, bad_sees, &r, PATIENCE_MS)); /* goes on by itself */
    RMT_REQUIRE(rmt_stats(r.t, "bad").pipeline_dropped > 0);
    RMT_REQUIRE(rmt_stats(r.t, "good").pipeline_dropped == 0);
    room_close(&r);

    room_open(&r, s, "Hangs", "drop");
    require_good(&r);
    began_us = rmi_now_us();
    rm_webrtc_destroy(&r.t);
    RMT_REQUIRE(rmi_now_us() - began_us < RMI_MS(HANG_MS) + RMI_SEC(1));
    room_close(&r);
}

static void slow(const struct rmi_signaling_thread *s) {
    struct room r;
    room_open(&r, s, "Slow", "drop");
    r.expected = RM_E_LIMIT;
    RMT_REQUIRE(rmt_play(r.sources, 2, told, &r, PATIENCE_MS));
    RMT_REQUIRE(!strcmp(r.ev.peer_id, "bad") && strstr(r.ev.detail, "bad-one"));
    RMT_REQUIRE(rmt_play(r.sources, 2, bad_sees, &r, PATIENCE_MS));
    require_good(&r);
    RMT_REQUIRE(rmt_stats(r.t, "bad").pipeline_dropped > 0);
    RMT_REQUIRE(rmt_stats(r.t, "good").pipeline_dropped == 0);
    room_close(&r);
}

int main(void) {
    struct rmi_signaling_thread s;
    rmt_server_start(&s);
    failing(&s, "drop");
    failing(&s, "passthrough");
    failing(&s, "mute");
    failing(&s, "stop");
    hanging(&s);
    slow(&s);
    rmi_signaling_thread_stop(&s);
    return 0;
}
