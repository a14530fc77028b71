/* SPDX-License-Identifier: Apache-2.0 */
#include "echo.h"

#include "base/list.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One message that waits for room in its paused channel. */
struct waiting {
    struct rmi_list node;
    char peer_id[RM_PEER_ID_MAX];
    uint16_t channel;
    bool binary;
    size_t size;
    uint8_t data[];
};

struct echo {
    pthread_mutex_t mutex; /* data comes on the network thread, events are taken on another */
    struct rmi_list waiting;
};

struct echo *echo_create(void) {
    struct echo *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    pthread_mutex_init(&e->mutex, NULL);
    rmi_list_init(&e->waiting);
    return e;
}

void echo_destroy(struct echo **pe) {
    struct echo *e = *pe;
    if (!e)
        return;
    RMI_LIST_FOREACH (node, next, &e->waiting)
        free(RMI_CONTAINER_OF(node, struct waiting, node));
    pthread_mutex_destroy(&e->mutex);
    free(e);
    *pe = NULL;
}

static void tell(const char *peer_id, uint16_t channel, rm_err err) {
    fprintf(stderr, "rmrtc join: --echo: %s on channel %u: %s\n", peer_id, channel, rm_strerror(err));
}

void echo_data(struct echo *e, rm_webrtc *t, const char *peer_id, uint16_t channel, bool binary, const uint8_t *data,
               size_t size) {
    pthread_mutex_lock(&e->mutex); /* so that an event cannot come between */
    rm_err err = rm_webrtc_send_data(t, peer_id, channel, binary, data, size);
    struct waiting *w = err == RM_E_AGAIN ? malloc(sizeof *w + size) : NULL;
    if (w) {
        *w = (struct waiting){.channel = channel, .binary = binary, .size = size};
        snprintf(w->peer_id, sizeof w->peer_id, "%s", peer_id);
        memcpy(w->data, data, size);
        rmi_list_push_back(&e->waiting, &w->node);
        err = rm_webrtc_pause_channel(t, peer_id, channel, true);
    }
    pthread_mutex_unlock(&e->mutex);
    if (err)
        tell(peer_id, channel, err);
}

/* Whether it is done with. */
static bool try_again(rm_webrtc *t, const struct waiting *w, bool closed) {
    const rm_err err = closed ? RM_OK : rm_webrtc_send_data(t, w->peer_id, w->channel, w->binary, w->data, w->size);
    if (err == RM_E_AGAIN)
        return false;
    if (err)
        tell(w->peer_id, w->channel, err);
    (void)rm_webrtc_pause_channel(t, w->peer_id, w->channel, false);
    return true;
}

void echo_event(struct echo *e, rm_webrtc *t, const rm_event *ev) {
    const bool closed = ev->type == RM_EV_CHANNEL_CLOSED;
    if (!closed && ev->type != RM_EV_CHANNEL_WRITABLE)
        return;
    pthread_mutex_lock(&e->mutex);
    RMI_LIST_FOREACH (node, next, &e->waiting) {
        struct waiting *w = RMI_CONTAINER_OF(node, struct waiting, node);
        if (w->channel != ev->channel || strcmp(w->peer_id, ev->peer_id) != 0 || !try_again(t, w, closed))
            continue;
        rmi_list_remove(node);
        free(w);
    }
    pthread_mutex_unlock(&e->mutex);
}
