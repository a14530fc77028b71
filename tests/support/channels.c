/* SPDX-License-Identifier: Apache-2.0 */
#include "support/channels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATIENCE_S 60
#define FNV_PRIME 1099511628211ULL

uint64_t rmt_hash(uint64_t hash, const void *data, size_t size) {
    const uint8_t *bytes = data;
    for (; size >= 8; bytes += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        hash = (hash ^ word) * FNV_PRIME;
        hash ^= hash >> 32;
    }
    for (; size > 0; bytes++, size--)
        hash = (hash ^ *bytes) * FNV_PRIME;
    return hash;
}

void rmt_side_wait(struct rmt_side *s, const char *what, const char *file, int line) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    const int late = pthread_cond_timedwait(&s->changed, &s->mutex, &until);
    rmt_require(!late, what, file, line);
}

static void note_event(struct rmt_side *s, const rm_event *ev) {
    struct rmt_channel *c = &s->at[ev->channel];
    switch ((int)ev->type) {
    case RM_EV_CHANNEL:
        c->opened++;
        c->hash = RMT_HASH_BEGIN;
        snprintf(c->label, sizeof c->label, "%s", ev->detail);
        break;
    case RM_EV_CHANNEL_CLOSED:
        c->closed++;
        c->closed_err = ev->err;
        snprintf(c->closed_detail, sizeof c->closed_detail, "%s", ev->detail);
        break;
    case RM_EV_CHANNEL_LOW:
        c->low++;
        break;
    case RM_EV_CHANNEL_WRITABLE:
        c->writable++;
        break;
    case RM_EV_ERROR:
        s->errors++;
        break;
    case RM_EV_STOPPED:
        s->stopped++;
        break;
    case RM_EV_PEER_STATE:
        s->peer_ended += ev->peer_state >= RM_PEER_FAILED;
        break;
    default:
        break;
    }
}

static void on_event(const rm_event *ev, void *user) {
    struct rmt_side *s = user;
    if (s->on_event)
        s->on_event(s, ev);
    pthread_mutex_lock(&s->mutex);
    note_event(s, ev);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

static void on_data(const char *peer_id, uint16_t channel, const char *label, bool binary, const uint8_t *data,
                    size_t size, void *user) {
    struct rmt_side *s = user;
    struct rmt_channel *c = &s->at[channel];
    RMT_REQUIRE(!strcmp(peer_id, s->other) && data != NULL);
    if (s->on_data)
        s->on_data(s, channel, binary, data, size);
    pthread_mutex_lock(&s->mutex);
    RMT_REQUIRE(!strcmp(label, c->label));
    c->messages++;
    c->bytes += size;
    c->last_binary = binary;
    c->last_size = size;
    memcpy(c->last, data, size < sizeof c->last ? size : sizeof c->last);
    c->hash = rmt_hash(c->hash, data, size);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

static void on_message(const char *peer_id, const char *label, rm_runtime_data *message, void *user) {
    struct rmt_side *s = user;
    (void)label;
    (void)message;
    RMT_REQUIRE(!strcmp(peer_id, s->other));
    pthread_mutex_lock(&s->mutex);
    s->messages++;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

static bool control_is_open(const struct rmt_side *s) {
    for (size_t i = 0; i < RM_CHANNELS_MAX; i++)
        if (s->at[i].opened > s->at[i].closed && !strcmp(s->at[i].label, "control"))
            return true;
    return false;
}

void rmt_couple_open(struct rmt_couple *c, const struct rmi_signaling_thread *server, const char *room,
                     void (*tune)(rm_webrtc_config *config, int side)) {
    for (int i = 0; i < 2; i++) {
        struct rmt_side *s = &c->side[i];
        s->id = i ? "b" : "a";
        s->other = i ? "a" : "b";
        pthread_mutex_init(&s->mutex, NULL);
        pthread_cond_init(&s->changed, NULL);
        rm_webrtc_config config;
        rmt_config(&config, server, s->id);
        config.room = room;
        config.on_event = on_event;
        config.on_channel_data = on_data;
        config.on_message = on_message;
        config.user = s;
        if (tune)
            tune(&config, i);
        RMT_REQUIRE(rm_webrtc_create(&config, &s->t) == RM_OK);
        RMT_REQUIRE(rm_webrtc_start(s->t) == RM_OK);
    }
    for (int i = 0; i < 2; i++)
        RMT_AWAIT(&c->side[i], control_is_open(&c->side[i]));
}

void rmt_couple_close(struct rmt_couple *c) {
    for (int i = 0; i < 2; i++)
        rm_webrtc_destroy(&c->side[i].t);
    for (int i = 0; i < 2; i++) {
        pthread_cond_destroy(&c->side[i].changed);
        pthread_mutex_destroy(&c->side[i].mutex);
    }
    memset(c, 0, sizeof *c);
}

void rmt_send_all(struct rmt_side *s, uint16_t channel, bool binary, const void *data, size_t size) {
    for (;;) {
        const int before = s->at[channel].writable; /* written by one thread; an older one makes the wait shorter */
        const rm_err err = rm_webrtc_send_data(s->t, s->other, channel, binary, data, size);
        RMT_REQUIRE(err == RM_OK || err == RM_E_AGAIN);
        if (!err)
            return;
        RMT_AWAIT(s, s->at[channel].writable != before);
    }
}
