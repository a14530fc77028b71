/* SPDX-License-Identifier: Apache-2.0 */
/* 200 times: join, connect, sound and pictures through a pipeline and back, close in mid-stream; with every codec in
 * turn. No descriptor, thread or byte stays, and each end takes less than a second. */
#include "support/media.h"
#include "support/resources.h"

#include "base/time.h"
#include "io/loop.h"
#include <stdio.h>
#include <string.h>

#define WARM_UP 12
#define CYCLES 200
#define PATIENCE_MS 30000
#define CLEAN_UP_MS 1000
/* Bytes in use waver a little with the state of tables at the moment of reading; one leaked block a cycle, 24 bytes at
 * the least, would show as 4,800. */
#define SLACK_BYTES (4 * 1024)

static const char echo[] = "version: v1\n"
                           "metadata: {name: echo}\n"
                           "nodes: [{id: echo, node_type: PassThrough}]\n"
                           "connections: []\n";

struct scene {
    struct rmi_signaling_thread s;
    rm_webrtc *host; /* runs the pipeline all the time */
    struct rmt_ear ear;
    int64_t slowest_us;
};

static bool both_came(void *ctx) {
    struct rmt_heard h = rmt_heard_of(ctx, "host");
    return h.pictures >= 2 && h.chunks >= 2;
}

static void cycle(struct scene *x, int i) {
    static const rm_video_codec codecs[] = {RM_VIDEO_H264, RM_VIDEO_VP8, RM_VIDEO_VP9};
    char id[32];
    rm_webrtc_config c;
    rm_event ev;
    struct rmt_ear ear;
    snprintf(id, sizeof id, "guest-%d", i);
    rmt_ear_init(&ear);
    rmt_config(&c, &x->s, id);
    c.video_codec = codecs[i % 3];
    c.on_media = rmt_on_media;
    c.user = &ear;
    rm_webrtc *t = rmt_join(&c);
    RMT_REQUIRE(rmt_wait(t, RM_EV_PEER_STATE, RM_PEER_CONNECTED, &ev, PATIENCE_MS));
    struct rmt_source source = {.t = t, .width = 160, .height = 96, .fps = 60, .sound_us = 10000, .amplitude = 0.5F};
    RMT_REQUIRE(rmt_play(&source, 1, both_came, &ear, PATIENCE_MS));
    int64_t began_us = rmi_now_us();
    rm_webrtc_destroy(&t);
    do /* the host has ended its session and freed its side, and the server heard of the end */
        RMT_REQUIRE(rmt_wait(x->host, RM_EV_PEER_LEFT, 0, &ev, CLEAN_UP_MS));
    while (strcmp(ev.peer_id, id) != 0);
    x->slowest_us = rmi_max64(x->slowest_us, rmi_now_us() - began_us);
    rmt_ear_fini(&ear);
}

int main(int argc, char **argv) {
    (void)argc;
    struct scene x = {0};
    rm_webrtc_config c;
    rm_event ev;
    rmt_count_exactly(argv);
    rmt_server_start(&x.s);
    rmt_config(&c, &x.s, "host");
    RMT_REQUIRE(rm_webrtc_create(&c, &x.host) == RM_OK);
    rm_manifest *m = rmt_manifest(echo);
    RMT_REQUIRE(rm_webrtc_set_pipeline(x.host, m, NULL, NULL, 0) == RM_OK);
    rm_manifest_unref(&m);
    RMT_REQUIRE(rm_webrtc_start(x.host) == RM_OK);
    RMT_REQUIRE(rmt_wait(x.host, RM_EV_SIGNALING, RM_SIGNALING_READY, &ev, PATIENCE_MS));
    for (int i = 0; i < WARM_UP; i++)
        cycle(&x, i);
    struct rmt_resources before = rmt_measure();
    x.slowest_us = 0;
    for (int i = 0; i < CYCLES; i++)
        cycle(&x, WARM_UP + i);
    struct rmt_resources after = rmt_measure();
    printf("%d calls: descriptors %ld -> %ld, threads %ld -> %ld, bytes in use %zu -> %zu; slowest end %lld ms\n",
           CYCLES, before.descriptors, after.descriptors, before.threads, after.threads, before.bytes, after.bytes,
           (long long)(x.slowest_us / 1000));
    RMT_REQUIRE(after.descriptors <= before.descriptors);
    RMT_REQUIRE(after.threads <= before.threads);
    RMT_REQUIRE(after.bytes <= before.bytes + SLACK_BYTES);
    RMT_REQUIRE(x.slowest_us < RMI_MS(CLEAN_UP_MS));
    rm_webrtc_destroy(&x.host);
    rmi_signaling_thread_stop(&x.s);
    return 0;
}
