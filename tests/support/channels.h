/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMT_CHANNELS_H
#define RMT_CHANNELS_H

#include "support/api.h"
#include <pthread.h>
#include <remotemedia/webrtc_data.h>

/* Two transports on loopback that remember what comes on each data channel. */

#define RMT_CHANNEL_LAST 64
struct rmt_channel {
    int opened, closed, low, writable;
    rm_err closed_err;
    char label[RM_DETAIL_MAX], closed_detail[RM_DETAIL_MAX];
    uint64_t messages, bytes;
    bool last_binary;
    size_t last_size;
    uint8_t last[RMT_CHANNEL_LAST]; /* its beginning */
    uint64_t hash;                  /* of all bytes in order */
};
struct rmt_side {
    rm_webrtc *t;
    const char *id, *other; /* "a" and "b" */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct rmt_channel at[RM_CHANNELS_MAX];
    int errors, peer_ended, stopped;
    uint64_t messages; /* to on_message */
    /* If set, called before the above is updated, without the mutex held. */
    void (*on_data)(struct rmt_side *s, uint16_t channel, bool binary, const uint8_t *data, size_t size);
    void (*on_event)(struct rmt_side *s, const rm_event *ev);
    void *user;
};
struct rmt_couple {
    struct rmt_side side[2];
};

/* `tune` (may be NULL) changes the configuration of a side before it starts. Returns when "control" is open on both. */
void rmt_couple_open(struct rmt_couple *c, const struct rmi_signaling_thread *s, const char *room,
                     void (*tune)(rm_webrtc_config *config, int side));
void rmt_couple_close(struct rmt_couple *c);
/* Waits with s->mutex held; ends the test when nothing changes for too long. */
void rmt_side_wait(struct rmt_side *s, const char *what, const char *file, int line);
#define RMT_AWAIT(s, cond)                                                                                             \
    do {                                                                                                               \
        pthread_mutex_lock(&(s)->mutex);                                                                               \
        while (!(cond))                                                                                                \
            rmt_side_wait((s), #cond, __FILE__, __LINE__);                                                             \
        pthread_mutex_unlock(&(s)->mutex);                                                                             \
    } while (0)
/* Sends; waits for room as long as it must. */
void rmt_send_all(struct rmt_side *s, uint16_t channel, bool binary, const void *data, size_t size);
#define RMT_HASH_BEGIN 14695981039346656037ULL
uint64_t rmt_hash(uint64_t hash, const void *data, size_t size); /* FNV-1a, by words of 8 bytes */

#endif
