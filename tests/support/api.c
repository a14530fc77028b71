/* SPDX-License-Identifier: Apache-2.0 */
#include "support/api.h"

#include "io/loop.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

void rmt_require(bool ok, const char *what, const char *file, int line) {
    if (ok)
        return;
    fprintf(stderr, "FAIL %s:%d: %s\n", file, line, what);
    exit(1);
}

void rmt_server_start(struct rmi_signaling_thread *s) {
    /* One host answers a newcomer every few milliseconds: more than the server allows a peer by default. */
    struct rmi_signaling_host_config c = {
        .host = "127.0.0.1", .max_peers = RM_PEERS_MAX, .messages_per_second = 100000};
    RMT_REQUIRE(rmi_signaling_thread_start(s, &c) == RM_OK);
}

void rmt_config(rm_webrtc_config *c, const struct rmi_signaling_thread *s, const char *peer_id) {
    rm_webrtc_config_init(c);
    c->signaling_url = s->url;
    c->peer_id = peer_id;
    c->bind_address = "127.0.0.1";
    c->max_peers = RM_PEERS_MAX;
}

rm_webrtc *rmt_join(const rm_webrtc_config *c) {
    rm_webrtc *t = NULL;
    RMT_REQUIRE(rm_webrtc_create(c, &t) == RM_OK);
    RMT_REQUIRE(rm_webrtc_start(t) == RM_OK);
    return t;
}

bool rmt_wait(rm_webrtc *t, rm_event_type type, int state, rm_event *ev, int timeout_ms) {
    int64_t end = rmi_now_us() + (int64_t)timeout_ms * 1000;
    for (;;) {
        int64_t left = (end - rmi_now_us()) / 1000;
        if (left <= 0 || rm_webrtc_poll(t, ev, (int)left))
            return false;
        if (ev->type == type && (type != RM_EV_PEER_STATE || (int)ev->peer_state == state) &&
            (type != RM_EV_SIGNALING || (int)ev->signaling == state))
            return true;
    }
}

static long entries(const char *dir) {
    DIR *d = opendir(dir);
    long n = 0;
    RMT_REQUIRE(d != NULL);
    for (const struct dirent *e = readdir(d); e; e = readdir(d))
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

long rmt_open_descriptors(void) {
    return entries("/proc/self/fd");
}

long rmt_threads(void) {
    return entries("/proc/self/task");
}
