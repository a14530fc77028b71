/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RUNTIME_RUNNER_PRIVATE_H
#define RMI_RUNTIME_RUNNER_PRIVATE_H

#include "runtime/bus.h"
#include "runtime/manifest_private.h"
#include "runtime/node_data.h"
#include "runtime/queue.h"
#include "runtime/runner.h"
#include <pthread.h>
#include <stdatomic.h>

struct rm_pipeline_runner {
    atomic_size_t refs; /* the application's and one for each session */
    rm_node_registry *registry;
    pthread_mutex_t mutex; /* guards rng */
    struct rmi_rng rng;
    size_t max_sessions;
    atomic_size_t sessions; /* not yet freed */
};

/* What was told of losses; told at most once a second. */
struct rmi_loss {
    uint64_t told;
    int64_t told_us;
};

/* What a node sees of its session. */
struct rm_node_context {
    struct rm_stream_session *session;
    struct rmi_run_node *node;
    const rm_transport_data *current;             /* the input being processed */
    char detail[RM_RUN_DETAIL_MAX];               /* of rm_node_fail */
    struct rmi_frame_pool *pools[RMI_NODE_POOLS]; /* made at the first use; the node's thread only */
};

struct rmi_run_node {
    const struct rmi_manifest_node *info;
    const rm_node_class *node_class;
    void *state;
    bool has_state; /* create was called with success */
    enum rmi_on_error on_error;
    struct rm_node_context context;
    struct rmi_lane *lane;
    struct rmi_run_node **successors;
    size_t successor_count;
    rm_transport_data last; /* sequence and metadata of the last input, for what flush emits; without data */
    atomic_uint watch;      /* enum rmi_bus_side of those who look; guarded by the bus for changes */
    atomic_int switched;    /* rm_node_state */
    atomic_bool barged;     /* what it does now is to end, and what it emits is dropped */
    /* Guarded by the session's mutex: */
    struct rmi_queue queue;
    size_t open_inputs; /* predecessors (of a source: the session's input) that may still send */
    bool flushed;
    struct rmi_loss loss;
    uint64_t received, emitted, processed, errors;
    int64_t busy_us, longest_us;
};

/* A thread and the nodes it serves. */
struct rmi_lane {
    struct rm_stream_session *session;
    pthread_t thread;
    bool started;
    pthread_cond_t wake;         /* with the session's mutex */
    struct rmi_run_node **nodes; /* in topological order */
    size_t node_count;
    size_t turn; /* the node that is looked at first */
};

struct rm_stream_session {
    atomic_size_t refs; /* the application's and one for each lane */
    struct rm_pipeline_runner *runner;
    struct rm_manifest *manifest;
    char id[RM_SESSION_ID_MAX];
    rm_stream_session_config config;
    struct rmi_bus bus;
    struct rmi_run_node *nodes;
    size_t node_count;
    struct rmi_lane
        *lanes; /* the first serves all nodes without a thread of their own; lanes without nodes do not run */
    size_t lane_count;
    atomic_bool closed;     /* nothing is processed any more */
    atomic_bool destroyed;  /* no callback any more */
    pthread_mutex_t mutex;  /* guards what follows, and the parts of nodes named above */
    pthread_cond_t changed; /* an output came, or the state changed; monotonic clock */
    struct rmi_queue outputs;
    bool input_ended, finished;
    bool input_refused; /* and nobody was told of room since */
    size_t open_sinks;  /* sinks that may still send */
    size_t lanes_running;
    struct rmi_loss loss; /* of outputs */
    rm_err first_err;     /* of a node */
    char first_detail[RM_RUN_DETAIL_MAX];
};

int64_t rmi_run_now_us(void);
struct timespec rmi_run_timespec(int64_t us);
/* Whether the node works on this kind of data; others pass it by. */
bool rmi_node_accepts(const rm_node_class *c, const rm_runtime_data *data);
/* Fills a text, cut to its size; NULL is harmless. */
void rmi_run_detail(char *detail, size_t size, const char *format, ...) RM_PRINTF(3, 4);

/* Makes nodes and lanes from the manifest; what was made is freed with the session on failure. */
rm_err rmi_session_build(struct rm_stream_session *s, char *detail, size_t detail_size);
rm_err rmi_session_start_lanes(struct rm_stream_session *s);
/* As rm_stream_session_destroy, but gives up waiting for threads at `until_us`; they end on their own. */
void rmi_session_abandon(struct rm_stream_session *s, int64_t until_us);

/* Puts an item into a node's queue and wakes its lane; under the mutex. */
void rmi_node_push_locked(struct rmi_run_node *n, const rm_transport_data *item);
/* Releases what the node has lost, and tells of it if it is time; not under the mutex. */
void rmi_node_settle_loss(struct rmi_run_node *n);
/* Releases what a queue of the session has lost. Under the mutex, which is let go meanwhile. */
void rmi_session_release_dead(struct rm_stream_session *s, struct rmi_queue *q);
/* One output of the session, which `n` made, to the callback or into the queue. Not under the mutex. */
void rmi_session_output(struct rmi_run_node *n, const rm_transport_data *item);
void rmi_session_tell(struct rm_stream_session *s, const rm_run_event *event);
void *rmi_lane_main(void *lane);

/* The same kind of data, silent or black. RM_E_UNSUPPORTED: there is no such thing for it. */
rm_err rmi_mute(const rm_runtime_data *in, rm_runtime_data **out);

#endif
