/* SPDX-License-Identifier: Apache-2.0 */
/* 100 MB on one channel beside sound and small messages of another: nothing of the sound is lost in the end, every
 * small message comes in order, and the bytes are the same. Figures of delay are those of `rmrtc bench DATA`. */
#include "support/channels.h"
#include "support/media.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PIECE ((size_t)64 << 10)
#define PIECES 1600 /* 100 MiB */
#define PLAY_MS 60000

struct world {
    struct rmt_couple c;
    uint16_t bulk, small;
    struct rmt_ear ear;
    uint64_t hash; /* of what was sent */
    uint32_t sent; /* small messages */
    atomic_bool bulk_over;
};

static uint32_t next_small; /* that is due at the receiver; its network thread's */

static void in_order(struct rmt_side *s, uint16_t channel, bool binary, const uint8_t *data, size_t size) {
    const struct world *w = s->user;
    uint32_t number;
    if (channel != w->small)
        return;
    RMT_REQUIRE(binary && size == sizeof number);
    memcpy(&number, data, sizeof number);
    RMT_REQUIRE(number == next_small);
    next_small++;
}

static void *send_bulk(void *ctx) {
    struct world *w = ctx;
    uint8_t *bytes = malloc(PIECE);
    RMT_REQUIRE(bytes != NULL);
    w->hash = RMT_HASH_BEGIN;
    for (uint32_t i = 0; i < PIECES; i++) {
        for (size_t k = 0; k < PIECE; k += sizeof i)
            memcpy(bytes + k, &(uint32_t){i * 2654435761U + (uint32_t)k}, sizeof i);
        w->hash = rmt_hash(w->hash, bytes, PIECE);
        rmt_send_all(&w->c.side[0], w->bulk, true, bytes, PIECE);
    }
    atomic_store(&w->bulk_over, true);
    free(bytes);
    return NULL;
}

static void *send_small(void *ctx) {
    struct world *w = ctx;
    while (!atomic_load(&w->bulk_over)) {
        rmt_send_all(&w->c.side[0], w->small, true, &w->sent, sizeof w->sent);
        w->sent++;
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL); /* its pace: 500 a second */
    }
    return NULL;
}

static void on_media(const char *peer_id, rm_runtime_data *data, void *user) {
    struct rmt_side *s = user;
    rmt_on_media(peer_id, data, &((struct world *)s->user)->ear);
}

static struct world world;

static void tune(rm_webrtc_config *config, int side) {
    world.c.side[side].user = &world;
    config->on_media = side ? on_media : NULL;
}

static bool all_came(void *ctx) {
    struct world *w = ctx;
    struct rmt_side *b = &w->c.side[1];
    pthread_mutex_lock(&b->mutex);
    const bool all =
        b->at[w->bulk].messages == PIECES && atomic_load(&w->bulk_over) && b->at[w->small].messages == w->sent;
    pthread_mutex_unlock(&b->mutex);
    return all;
}

static bool has_sound(void *ctx) {
    struct world *w = ctx;
    return rmt_heard_of(&w->ear, "a").chunks > 50;
}

static uint16_t open_one(struct world *w, const char *label, rm_channel_priority priority) {
    rm_channel_options o;
    uint16_t id;
    rm_channel_options_init(&o);
    o.label = label;
    o.priority = priority;
    RMT_REQUIRE(rm_webrtc_open_channel(w->c.side[0].t, "b", &o, &id) == RM_OK);
    RMT_AWAIT(&w->c.side[1], w->c.side[1].at[id].opened == 1);
    return id;
}

int main(void) {
    struct world *w = &world;
    struct rmi_signaling_thread server;
    pthread_t bulk, small;
    rmt_server_start(&server);
    rmt_ear_init(&w->ear);
    rmt_couple_open(&w->c, &server, "transfer", tune);
    w->bulk = open_one(w, "bulk", RM_CHANNEL_PRIORITY_VERY_LOW);
    w->small = open_one(w, "small", RM_CHANNEL_PRIORITY_HIGH);
    w->c.side[1].on_data = in_order;
    struct rmt_source source = {.t = w->c.side[0].t, .sound_us = 10000, .amplitude = 0.5F};
    RMT_REQUIRE(rmt_play(&source, 1, has_sound, w, PLAY_MS));
    RMT_REQUIRE(pthread_create(&bulk, NULL, send_bulk, w) == 0 && pthread_create(&small, NULL, send_small, w) == 0);
    RMT_REQUIRE(rmt_play(&source, 1, all_came, w, PLAY_MS));
    pthread_join(bulk, NULL);
    pthread_join(small, NULL);
    RMT_REQUIRE(rmt_play(&source, 1, NULL, NULL, 200));
    const rm_media_stats stats = rmt_stats(w->c.side[1].t, "a");
    rm_data_stats data;
    RMT_REQUIRE(rm_webrtc_data_stats(w->c.side[0].t, "b", &data) == RM_OK);
    printf(
        "%llu chunks of sound, %lld packets lost, %llu of %llu samples concealed; %u small messages; %llu parts sent "
        "again\n",
        (unsigned long long)source.chunks, (long long)stats.audio_in.packets_lost,
        (unsigned long long)stats.concealed_samples, (unsigned long long)stats.total_samples, w->sent,
        (unsigned long long)data.retransmissions);
    RMT_REQUIRE(w->c.side[1].at[w->bulk].hash == w->hash);
    RMT_REQUIRE(w->sent > 0 && next_small == w->sent);
    RMT_REQUIRE(stats.audio_in.packets_lost == 0);
    rmt_couple_close(&w->c);
    rmt_ear_fini(&w->ear);
    rmi_signaling_thread_stop(&server);
    return 0;
}
