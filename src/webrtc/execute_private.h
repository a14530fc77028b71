/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_WEBRTC_EXECUTE_PRIVATE_H
#define RMI_WEBRTC_EXECUTE_PRIVATE_H

#include "base/list.h"
#include "runtime/runner.h"
#include "webrtc/webrtc_private.h"
#include <remotemedia/webrtc_control.h>

/* Unary execution: DataBuffer messages on a channel of its own. Metadata says what each is: the number of a request, or
 * of the request that it answers, and then perhaps an error, whose sentence is the data. */
#define RMI_EXECUTE_CHANNEL "remotemedia-execute"
#define RMI_EXECUTE_OURS "rm."
#define RMI_EXECUTE_SEQUENCE "sequence"
#define RMI_EXECUTE_REQUEST "rm.request"
#define RMI_EXECUTE_ANSWER "rm.answer"
#define RMI_EXECUTE_TIMEOUT "rm.timeout_ms"
#define RMI_EXECUTE_ERROR "rm.error"
#define RMI_EXECUTE_NUMBER_MAX 24 /* characters of a 64-bit number and a NUL */

#define RMI_EXECUTE_WORKERS 4    /* runs at a time; their sessions have threads of their own */
#define RMI_EXECUTE_JOBS 64      /* that wait, of all peers */
#define RMI_EXECUTE_PEER_JOBS 16 /* that wait or run, of one peer: leaves room for others */
#define RMI_EXECUTE_JOB_BYTES ((size_t)64 << 20)

/* A request of a peer: waits, or runs. */
struct rmi_execute_job {
    struct rmi_list node;
    char peer_id[RM_PEER_ID_MAX];
    uint16_t channel;
    char number[RMI_EXECUTE_NUMBER_MAX];
    struct rmi_buf *request;
    struct rmi_unary unary; /* while it runs */
};

/* A request of ours; on the stack of who waits for it. */
struct rmi_execute_call {
    struct rmi_list node;
    const char *peer_id;
    uint64_t number;
    uint16_t channel;
    bool done;
    rm_err err;
    struct rmi_buf *reply;
};

struct rmi_execute_channel {
    struct rmi_list node;
    char peer_id[RM_PEER_ID_MAX];
    uint16_t id;
};

struct rmi_execute {
    struct rm_webrtc *t;
    pthread_mutex_t open_mutex; /* one opens a channel at a time; before `mutex`, never on the network thread */
    pthread_mutex_t mutex;      /* of all below */
    pthread_cond_t changed;     /* monotonic */
    bool stopped;
    unsigned writable; /* counts the times that some channel had room again */
    struct rmi_list channels, calls;
    uint64_t numbers;
    size_t callers; /* inside rm_webrtc_execute */
    struct rmi_list waiting, running;
    size_t waiting_count, waiting_bytes;
    pthread_t workers[RMI_EXECUTE_WORKERS];
    size_t worker_count, idle;
};

/* Sends a message, waiting for room until the deadline. RM_E_TIMEOUT, and what rm_webrtc_send_data_buf gives. */
rm_err rmi_execute_send(struct rmi_execute *e, const char *peer_id, uint16_t channel, struct rmi_buf *message,
                        int64_t until_us);
/* All but what is ours; NULL: nothing. RM_E_NO_MEMORY. */
rm_err rmi_execute_strip(const rm_metadata *in, rm_metadata **out);
/* `text` as a whole number; false: it is none. */
bool rmi_execute_number(const char *text, uint64_t *out);

/* execute_serve.c */
/* A request came. Takes a reference to `message`. */
void rmi_execute_take(struct rmi_execute *e, const char *peer_id, uint16_t channel, const char *number,
                      struct rmi_buf *message);
void rmi_execute_forget(struct rmi_execute *e, const char *peer_id, uint16_t channel); /* the channel is closed */
void rmi_execute_stop_workers(struct rmi_execute *e);

#endif
