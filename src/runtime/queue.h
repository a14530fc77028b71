/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RUNTIME_QUEUE_H
#define RMI_RUNTIME_QUEUE_H

#include <remotemedia/transport_data.h>

/* A bounded queue that stays usable for media when its reader is slow. When full it loses the oldest audio or raw
 * video; of encoded video everything up to the next key frame, because what is between cannot be decoded. Data of other
 * kinds is never lost: when only that is in the queue, the newcomer is refused. Not locked: its owner does that. */
#define RMI_QUEUE_STREAMS_MAX 8

struct rmi_queue {
    rm_transport_data *items; /* a ring */
    size_t capacity, head, count;
    uint32_t skipping[RMI_QUEUE_STREAMS_MAX]; /* encoded streams (hash of their id) whose frames wait for a key frame */
    size_t skip_count;
    uint64_t lost;
    /* What was lost, still to be released: that runs the free function of a buffer, the application's code, and the
     * queue is locked when it loses something. Room for capacity + 1. */
    rm_transport_data *dead;
    size_t dead_count;
};

rm_err rmi_queue_init(struct rmi_queue *q, size_t capacity);
void rmi_queue_fini(struct rmi_queue *q);
/* Whether push would refuse this: full of data that may not be lost, and so is this. */
bool rmi_queue_refuses(const struct rmi_queue *q, const rm_runtime_data *data);
/* Takes references of its own. What is lost, the newcomer perhaps, is counted. RM_E_AGAIN: refused. */
rm_err rmi_queue_push(struct rmi_queue *q, const rm_transport_data *item);
/* Hands the references over. False: empty. */
bool rmi_queue_pop(struct rmi_queue *q, rm_transport_data *out);
/* Everything that waits is to be released; it does not count as lost. */
void rmi_queue_drop_all(struct rmi_queue *q);
/* The same for the sound in it; returns how many items. */
size_t rmi_queue_drop_audio(struct rmi_queue *q);
/* Hands over at most `max` references to be released, without the lock; returns how many. 0: no more. */
size_t rmi_queue_take_dead(struct rmi_queue *q, rm_transport_data *out, size_t max);

#endif
