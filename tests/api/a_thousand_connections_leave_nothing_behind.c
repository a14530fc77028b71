/* SPDX-License-Identifier: Apache-2.0 */
/* 1,000 times: join, connect, close, over real sockets in one process. No descriptor, thread or byte stays. */
#include "support/api.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WARM_UP 50
#define CYCLES 1000
#define SETTLED_MS 200
/* Bytes in use waver a little with the state of tables at the moment of reading; one leaked block a cycle, 24 bytes at
 * the least, would show as 24,000. */
#define SLACK_BYTES (8 * 1024)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNTS_BYTES 0 /* the sanitizer's allocator has no mallinfo2; its own leak check looks at the bytes */
#else
#define COUNTS_BYTES 1
#endif

struct resources {
    long descriptors, threads;
    size_t bytes;
};

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

/* The server closes its last connection a moment after it told the host of the end: wait until no descriptor has gone
 * for a while. */
static void settle(void) {
    long lowest = rmt_open_descriptors();
    for (int quiet = 0; quiet < SETTLED_MS; quiet++) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        long now = rmt_open_descriptors();
        if (now < lowest)
            quiet = 0;
        lowest = now < lowest ? now : lowest;
    }
}

static struct resources measure(void) {
    settle();
    struct resources r = {.descriptors = rmt_open_descriptors(), .threads = rmt_threads()};
#if COUNTS_BYTES
    struct mallinfo2 m = mallinfo2();
    r.bytes = m.uordblks + m.hblkhd;
#endif
    return r;
}

/* mallinfo2 looks at the main arena only, and counts what waits in the threads' caches as in use: without either, its
 * figure is exact. The cache can be switched off only before the program starts. */
static void count_exactly(char **argv) {
#if COUNTS_BYTES
    static const char name[] = "GLIBC_TUNABLES", value[] = "glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1";
    const char *now = getenv(name);
    if (now && !strcmp(now, value))
        return;
    setenv(name, value, 1);
    execv("/proc/self/exe", argv);
    RMT_REQUIRE(!"the test could not start itself again");
#else
    (void)argv;
#endif
}

int main(int argc, char **argv) {
    (void)argc;
    count_exactly(argv);
    struct rmi_signaling_thread s;
    rmt_server_start(&s);
    rm_webrtc_config c;
    rmt_config(&c, &s, "host");
    rm_webrtc *host = rmt_join(&c);
    rm_event ev;
    RMT_REQUIRE(rmt_wait(host, RM_EV_SIGNALING, RM_SIGNALING_READY, &ev, 5000));
    for (int i = 0; i < WARM_UP; i++)
        cycle(&s, host, i);
    struct resources before = measure();
    for (int i = 0; i < CYCLES; i++)
        cycle(&s, host, WARM_UP + i);
    struct resources after = measure();
    printf("%d cycles: descriptors %ld -> %ld, threads %ld -> %ld, bytes in use %zu -> %zu\n", CYCLES,
           before.descriptors, after.descriptors, before.threads, after.threads, before.bytes, after.bytes);
    RMT_REQUIRE(after.descriptors <= before.descriptors);
    RMT_REQUIRE(after.threads <= before.threads);
    RMT_REQUIRE(after.bytes <= before.bytes + SLACK_BYTES);
    rm_webrtc_destroy(&host);
    rmi_signaling_thread_stop(&s);
    return 0;
}
