/* SPDX-License-Identifier: Apache-2.0 */
/* Every way to end things, inside every callback of data channels, while both sides send; nothing comes after the end,
 * nothing is left, and what could not be sent is told. */
#include "support/channels.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum deed { CLOSE, CLOSE_ALL, PAUSE_AND_CLOSE, OPEN_MORE, DISCONNECT, SHUTDOWN, DESTROY, DEEDS };
enum place { AT_OPEN, AT_DATA, AT_LOW, AT_WRITABLE, AT_CLOSED, PLACES };

struct scene {
    enum deed deed;
    enum place place;
    uint16_t channel;
    atomic_bool done, destroyed, sent;
    atomic_int after; /* callbacks after destroy */
};

static void act(struct rmt_side *s) {
    struct scene *scene = s->user;
    rm_channel_options o;
    uint16_t id;
    if (atomic_exchange(&scene->done, true))
        return;
    switch (scene->deed) {
    case CLOSE_ALL:
        for (uint16_t i = 0; i < 8; i++)
            (void)rm_webrtc_close_channel(s->t, s->other, i);
        break;
    case PAUSE_AND_CLOSE:
        (void)rm_webrtc_pause_channel(s->t, s->other, scene->channel, true);
        /* fall through */
    case CLOSE:
        (void)rm_webrtc_close_channel(s->t, s->other, scene->channel);
        break;
    case OPEN_MORE:
        rm_channel_options_init(&o);
        for (int i = 0; i < 10; i++) {
            RMT_REQUIRE(rm_webrtc_open_channel(s->t, s->other, &o, &id) == RM_OK);
            RMT_REQUIRE(rm_webrtc_send_data(s->t, s->other, id, true, "now", 3) == RM_OK);
        }
        break;
    case DISCONNECT:
        rm_webrtc_disconnect_peer(s->t, s->other);
        break;
    case SHUTDOWN:
        rm_webrtc_shutdown(s->t);
        break;
    case DESTROY:
    case DEEDS:
        atomic_store(&scene->destroyed, true);
        rm_webrtc_destroy(&s->t);
        break;
    }
}

/* As much as is taken: what comes of it depends on the deed. */
static void send_some(rm_webrtc *t, const char *peer, uint16_t id, int most) {
    static const uint8_t bytes[70000];
    rm_err err = RM_OK;
    for (int i = 0; i < most && !err; i++)
        err = rm_webrtc_send_data(t, peer, id, true, bytes, sizeof bytes);
    RMT_REQUIRE(err == RM_OK || err == RM_E_AGAIN || err == RM_E_STATE || err == RM_E_NOT_FOUND || err == RM_E_CLOSED);
}

static void on_data(struct rmt_side *s, uint16_t channel, bool binary, const uint8_t *data, size_t size) {
    struct scene *scene = s->user;
    (void)data;
    if (atomic_load(&scene->destroyed)) {
        atomic_fetch_add(&scene->after, 1);
    } else if (!binary && size == 2) { /* "go": here, as destroying is for a thread that alone makes calls */
        send_some(s->t, s->other, channel, scene->place == AT_WRITABLE ? INT_MAX : 20);
        atomic_store(&scene->sent, true);
    } else if (scene->place == AT_DATA && channel == scene->channel)
        act(s);
}

static void on_event(struct rmt_side *s, const rm_event *ev) {
    static const rm_event_type types[PLACES] = {[AT_OPEN] = RM_EV_CHANNEL,
                                                [AT_LOW] = RM_EV_CHANNEL_LOW,
                                                [AT_WRITABLE] = RM_EV_CHANNEL_WRITABLE,
                                                [AT_CLOSED] = RM_EV_CHANNEL_CLOSED};
    struct scene *scene = s->user;
    if (atomic_load(&scene->destroyed))
        atomic_fetch_add(&scene->after, 1);
    else if (ev->type == types[scene->place] && strcmp(ev->detail, "control") != 0)
        act(s);
}

static void one(const struct rmi_signaling_thread *server, enum deed deed, enum place place) {
    static struct rmt_couple c;
    static struct scene scene;
    char room[32];
    snprintf(room, sizeof room, "scene-%d-%d", (int)deed, (int)place);
    memset(&scene, 0, sizeof scene);
    scene.deed = deed;
    scene.place = place;
    scene.channel = UINT16_MAX;
    rmt_couple_open(&c, server, room, NULL);
    struct rmt_side *a = &c.side[0], *b = &c.side[1];
    rm_webrtc *t = a->t; /* the callback may null the other while it is used here */
    rm_channel_options o;
    rm_channel_options_init(&o);
    o.label = "scene";
    RMT_REQUIRE(rm_webrtc_open_channel(b->t, b->other, &o, &scene.channel) == RM_OK);
    RMT_AWAIT(b, b->at[scene.channel].opened == 1);
    RMT_AWAIT(a, a->at[scene.channel].opened == 1);
    RMT_REQUIRE(rm_webrtc_set_buffered_low(t, "b", scene.channel, 0) == RM_OK);
    pthread_mutex_lock(&a->mutex);
    a->user = &scene;
    a->on_data = on_data;
    a->on_event = on_event;
    pthread_mutex_unlock(&a->mutex);
    if (place == AT_OPEN) {
        uint16_t more;
        RMT_REQUIRE(rm_webrtc_open_channel(b->t, b->other, &o, &more) == RM_OK);
    } else if (place != AT_DATA) {
        /* So much that it must wait, and then need not any more. */
        RMT_REQUIRE(rm_webrtc_pause_channel(b->t, "a", scene.channel, place == AT_WRITABLE) == RM_OK);
        RMT_REQUIRE(rm_webrtc_send_data(b->t, "a", scene.channel, false, "go", 2) == RM_OK);
        RMT_AWAIT(a, atomic_load(&scene.sent));
        RMT_REQUIRE(place != AT_WRITABLE || rm_webrtc_pause_channel(b->t, "a", scene.channel, false) == RM_OK);
    }
    send_some(b->t, "a", scene.channel, 200);
    if (place == AT_CLOSED)
        RMT_REQUIRE(rm_webrtc_close_channel(b->t, "a", scene.channel) == RM_OK);
    RMT_AWAIT(a, atomic_load(&scene.done));
    RMT_AWAIT(b, b->at[scene.channel].closed == (deed != OPEN_MORE || place == AT_CLOSED));
    RMT_REQUIRE(atomic_load(&scene.after) == 0);
    if (deed == DESTROY) /* its own thread ends it: not under the feet of the callback that is under way */
        for (int i = 0; i < 10000 && rmt_threads() > 4; i++)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    rmt_couple_close(&c);
    RMT_REQUIRE(atomic_load(&scene.after) == 0);
}

int main(void) {
    struct rmi_signaling_thread server;
    rmt_server_start(&server);
    one(&server, CLOSE, AT_DATA);
    const long threads = rmt_threads(), descriptors = rmt_open_descriptors();
    for (int deed = 0; deed < DEEDS; deed++)
        for (int place = 0; place < PLACES; place++)
            one(&server, (enum deed)deed, (enum place)place);
    for (int i = 0; i < 5000 && (rmt_threads() > threads || rmt_open_descriptors() > descriptors); i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    printf("threads %ld -> %ld, descriptors %ld -> %ld\n", threads, rmt_threads(), descriptors, rmt_open_descriptors());
    RMT_REQUIRE(rmt_threads() <= threads && rmt_open_descriptors() <= descriptors);
    rmi_signaling_thread_stop(&server);
    return 0;
}
