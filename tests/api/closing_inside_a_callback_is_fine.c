/* SPDX-License-Identifier: Apache-2.0 */
/* Every kind of ending from inside the event callback, at each kind of event: destroy, shutdown, disconnect; and calls
 * of every function from other threads while it happens. No callback comes after destroy has returned. */
#include "support/api.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum deed { DESTROY, SHUTDOWN, DISCONNECT, PEERS_THEN_DESTROY };

struct subject {
    rm_webrtc *t;
    enum deed deed;
    rm_event_type at;
    int state; /* of the peer or of signaling, at that event */
    sem_t done;
    atomic_int after; /* callbacks after destroy returned */
    bool destroyed;
};

static void act(struct subject *s, const rm_event *ev) {
    rm_peer_info info[4];
    size_t count = 0;
    switch (s->deed) {
    case PEERS_THEN_DESTROY:
        RMT_REQUIRE(rm_webrtc_peers(s->t, info, 4, &count) == RM_OK);
        RMT_REQUIRE(rm_webrtc_connect_peer(s->t, "nobody") == RM_OK);
        /* fall through */
    case DESTROY:
        s->destroyed = true;
        rm_webrtc_destroy(&s->t);
        break;
    case SHUTDOWN:
        rm_webrtc_shutdown(s->t);
        rm_webrtc_shutdown(s->t);
        break;
    case DISCONNECT:
        rm_webrtc_disconnect_peer(s->t, ev->peer_id);
        break;
    }
    if (s->deed != SHUTDOWN)
        sem_post(&s->done);
}

static void on_event(const rm_event *ev, void *user) {
    struct subject *s = user;
    if (s->destroyed) {
        atomic_fetch_add(&s->after, 1);
        return;
    }
    bool match = ev->type == s->at && (ev->type != RM_EV_PEER_STATE || (int)ev->peer_state == s->state) &&
                 (ev->type != RM_EV_SIGNALING || (int)ev->signaling == s->state);
    if (s->deed == SHUTDOWN && ev->type == RM_EV_STOPPED)
        sem_post(&s->done);
    else if (match)
        act(s, ev); /* behind this the subject may be gone: whoever waits for it goes on */
}

static void wait_done(sem_t *sem) {
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 10;
    RMT_REQUIRE(sem_timedwait(sem, &end) == 0);
}

static void one(const struct rmi_signaling_thread *server, enum deed deed, rm_event_type at, int state) {
    struct subject s = {.deed = deed, .at = at, .state = state};
    sem_init(&s.done, 0, 0);
    rm_webrtc_config c;
    /* A name of its own for each: destroying inside a callback ends later, on the transport's thread, and until then
     * the server knows the former one. */
    char name[32];
    snprintf(name, sizeof name, "subject-%d-%d-%d", (int)deed, (int)at, state);
    rmt_config(&c, server, name);
    c.on_event = on_event;
    c.user = &s;
    RMT_REQUIRE(rm_webrtc_create(&c, &s.t) == RM_OK);
    rm_webrtc *t = s.t;
    RMT_REQUIRE(rm_webrtc_start(t) == RM_OK);
    wait_done(&s.done);
    if (!s.destroyed)
        rm_webrtc_destroy(&s.t);
    sem_destroy(&s.done);
    RMT_REQUIRE(atomic_load(&s.after) == 0);
}

struct hammer {
    rm_webrtc *t;
    atomic_bool stop;
};

static void *hammer_main(void *ctx) {
    struct hammer *h = ctx;
    rm_peer_info info[4];
    size_t count;
    while (!atomic_load(&h->stop)) {
        rm_webrtc_peers(h->t, info, 4, &count);
        rm_webrtc_connect_peer(h->t, "host");
        rm_webrtc_restart_ice(h->t, "host");
        rm_webrtc_disconnect_peer(h->t, "host");
        rm_webrtc_fd(h->t);
        rm_webrtc_local_peer_id(h->t);
    }
    return NULL;
}

/* Other threads call while the transport connects, shuts down and is stopped; destroy itself comes when they are
 * through. */
static void under_fire(const struct rmi_signaling_thread *server) {
    rm_webrtc_config c;
    rmt_config(&c, server, "hammered");
    struct hammer h = {.t = rmt_join(&c)};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        RMT_REQUIRE(pthread_create(&threads[i], NULL, hammer_main, &h) == 0);
    rm_event ev;
    RMT_REQUIRE(rmt_wait(h.t, RM_EV_SIGNALING, RM_SIGNALING_READY, &ev, 10000));
    rm_webrtc_shutdown(h.t);
    RMT_REQUIRE(rmt_wait(h.t, RM_EV_STOPPED, 0, &ev, 10000));
    RMT_REQUIRE(rm_webrtc_poll(h.t, &ev, -1) == RM_E_CLOSED);
    atomic_store(&h.stop, true);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    rm_webrtc_destroy(&h.t);
}

int main(void) {
    struct rmi_signaling_thread server;
    rmt_server_start(&server);
    rm_webrtc_config c;
    rmt_config(&c, &server, "host");
    rm_webrtc *host = rmt_join(&c);
    rm_event ev;
    RMT_REQUIRE(rmt_wait(host, RM_EV_SIGNALING, RM_SIGNALING_READY, &ev, 5000));
    long threads = rmt_threads(), descriptors = rmt_open_descriptors();
    static const enum deed deeds[] = {DESTROY, SHUTDOWN, PEERS_THEN_DESTROY};
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        one(&server, deeds[i], RM_EV_SIGNALING, RM_SIGNALING_CONNECTING);
        one(&server, deeds[i], RM_EV_SIGNALING, RM_SIGNALING_READY);
        one(&server, deeds[i], RM_EV_PEER_FOUND, 0);
        one(&server, deeds[i], RM_EV_PEER_STATE, RM_PEER_CONNECTING);
        one(&server, deeds[i], RM_EV_PEER_STATE, RM_PEER_CONNECTED);
    }
    one(&server, DISCONNECT, RM_EV_PEER_STATE, RM_PEER_CONNECTING);
    one(&server, DISCONNECT, RM_EV_PEER_STATE, RM_PEER_CONNECTED);
    under_fire(&server);
    /* Transports destroyed inside a callback end on their own thread: wait for those to be gone, then count. */
    for (int i = 0; i < 5000 && (rmt_threads() > threads || rmt_open_descriptors() > descriptors); i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    printf("threads %ld -> %ld, descriptors %ld -> %ld\n", threads, rmt_threads(), descriptors, rmt_open_descriptors());
    RMT_REQUIRE(rmt_threads() <= threads);
    RMT_REQUIRE(rmt_open_descriptors() <= descriptors);
    rm_webrtc_destroy(&host);
    rmi_signaling_thread_stop(&server);
    return 0;
}
