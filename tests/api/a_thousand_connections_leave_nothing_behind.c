/* SPDX-License-Identifier: Apache-2.0 */
/* 1,000 times: join, connect, close, over real sockets in one process. No descriptor, thread or byte stays. */
#include "support/api.h"
#include "support/resources.h"

#include <stdio.h>
#include <string.h>

#define WARM_UP 50
#define CYCLES 1000
/* Bytes in use waver a little with the state of tables at the moment of reading; one leaked block a cycle, 24 bytes at
 * the least, would show as 24,000. */
#define SLACK_BYTES (8 * 1024)

static void cycle(const struct rmi_signaling_thread *s, rm_webrtc *host, int i) {
    char id[32];
    snprintf(id, sizeof id, "c%d", i);
    rm_webrtc_config c;
    rmt_config(&c, s, id);
    rm_webrtc *t = rmt_join(&c);
    rm_event ev;
    RMT_REQUIRE(rmt_wait(t, RM_EV_PEER_STATE, RM_PEER_CONNECTED, &ev, 5000));
    rm_webrtc_destroy(&t);
    RMT_REQUIRE(t == NULL);
    do /* the host has freed its side, and the server heard of the end */
        RMT_REQUIRE(rmt_wait(host, RM_EV_PEER_LEFT, 0, &ev, 5000));
    while (strcmp(ev.peer_id, id) != 0);
}

int main(int argc, char **argv) {
    (void)argc;
    rmt_count_exactly(argv);
    struct rmi_signaling_thread s;
    rmt_server_start(&s);
    rm_webrtc_config c;
    rmt_config(&c, &s, "host");
    rm_webrtc *host = rmt_join(&c);
    rm_event ev;
    RMT_REQUIRE(rmt_wait(host, RM_EV_SIGNALING, RM_SIGNALING_READY, &ev, 5000));
    for (int i = 0; i < WARM_UP; i++)
        cycle(&s, host, i);
    struct rmt_resources before = rmt_measure();
    for (int i = 0; i < CYCLES; i++)
        cycle(&s, host, WARM_UP + i);
    struct rmt_resources after = rmt_measure();
    printf("%d cycles: descriptors %ld -> %ld, threads %ld -> %ld, bytes in use %zu -> %zu\n", CYCLES,
           before.descriptors, after.descriptors, before.threads, after.threads, before.bytes, after.bytes);
    RMT_REQUIRE(after.descriptors <= before.descriptors);
    RMT_REQUIRE(after.threads <= before.threads);
    RMT_REQUIRE(after.bytes <= before.bytes + SLACK_BYTES);
    rm_webrtc_destroy(&host);
    rmi_signaling_thread_stop(&s);
    return 0;
}
