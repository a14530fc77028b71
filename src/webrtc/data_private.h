/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_WEBRTC_DATA_PRIVATE_H
#define RMI_WEBRTC_DATA_PRIVATE_H

#include "base/buf.h"
#include "base/list.h"
#include "io/loop.h"
#include "sctp/channels.h"
#include "webrtc/channel_hook.h"
#include <pthread.h>
#include <remotemedia/webrtc_data.h>
#include <stdatomic.h>

/* Data channels between the application's threads and the network thread. Senders put messages into the queue of a
 * channel under one short lock; the network thread moves them on when the association has little of that channel left,
 * so that no channel fills the buffer that all share. */

#define RMI_DATA_AHEAD_MAX ((size_t)256 << 10) /* bytes of a channel that the association has and did not send */
#define RMI_DATA_AHEAD_LOW ((size_t)128 << 10) /* it is given more: 10 ms at 100 Mbit/s */

struct rmi_data_message {
    struct rmi_list node;
    const uint8_t *data;
    size_t len;
    struct rmi_buf *buf; /* whose bytes these are; NULL: behind this */
    int64_t until_us;    /* of a channel with a lifetime: not sent any more then */
    bool binary;
};

struct rmi_data_peer;
struct rmi_data_channel {
    struct rmi_data_peer *peer;
    uint16_t id;
    uint32_t lifetime_ms; /* RMI_DATA_FOR_EVER: no limit */
    const struct rmi_channel_hook *hooks[RMI_CHANNEL_HOOKS_MAX];
    size_t hook_count;
    bool told_open, is_control;
    uint64_t expired;
    size_t threshold; /* what the association tells at */
    /* guarded by the mutex */
    struct rmi_list ready; /* in rmi_data.ready */
    struct rmi_list queue;
    size_t queued_bytes, queued_count;
    size_t low;       /* RMI_DATA_NO_LOW: nobody asked */
    bool above_low;   /* an event is due when it falls */
    bool blocked;     /* RM_E_AGAIN was given */
    bool closing;     /* asked for here */
    bool close_begun; /* and on its way */
    bool paused, pause_changed;
    char label[]; /* for ever the same */
};
#define RMI_DATA_NO_LOW SIZE_MAX
#define RMI_DATA_FOR_EVER UINT32_MAX

struct rmi_data_peer {
    struct rmi_list node;
    struct rmi_data *data;
    char id[RM_PEER_ID_MAX];
    struct rmi_channels *channels; /* network thread only */
    size_t message_max;
    bool dirty; /* network thread only: to be flushed */
    struct rmi_data_channel *at[RMI_SCTP_STREAMS];
    struct rmi_data_channel *main; /* for rm_webrtc_send_message */
};

struct rmi_data {
    struct rm_webrtc *t;
    struct rmi_channel_hook hooks[RMI_CHANNEL_HOOKS_MAX];
    size_t hook_count;
    atomic_bool asked; /* something is ready */
    pthread_mutex_t mutex;
    struct rmi_list peers, ready;
    struct rmi_job job;
    bool running; /* the loop is there */
    bool in_run;  /* network thread only */
};

/* data_queue.c; with the mutex held: */
struct rmi_data_peer *rmi_data_find(struct rmi_data *d, const char *peer_id);
/* The network thread looks at the channel soon. */
void rmi_data_ask(struct rmi_data_channel *c);
/* Without it, on the network thread: */
void rmi_data_drop_queue(struct rmi_data_channel *c);
/* Tells what fell to the threshold, or where there is room again. */
void rmi_data_tell_room(struct rmi_data_channel *c);

/* data.c */
void rmi_data_emit(struct rmi_data_channel *c, rm_event_type type, rm_err err, const char *detail);

#endif
