/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REMOTEMEDIA_RUNNER_H
#define REMOTEMEDIA_RUNNER_H

#include <remotemedia/data.h>
#include <remotemedia/error.h>
#include <remotemedia/export.h>
#include <remotemedia/manifest.h>
#include <remotemedia/node.h>
#include <remotemedia/transport_data.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Runs pipelines, with or without WebRTC.
 *
 *     rm_pipeline_runner *runner = NULL;
 *     rm_pipeline_runner_create(NULL, &runner);
 *     rm_stream_session *session = NULL;
 *     rm_pipeline_runner_create_stream_session(runner, manifest, NULL, &session);
 *     rm_stream_session_send_input(session, &input);
 *     rm_stream_session_recv_output(session, &output, 1000);
 *
 * Threads: every function may be called from any thread. Each session has one worker thread, and one more for each node
 * that may be slow (RM_NODE_OWN_THREAD, or `own_thread: true` in the node's params). The worker takes one item from
 * each of its nodes in turn. Every node has a bounded queue: a node that is slower than its input loses the oldest
 * audio or raw video, or encoded video up to the next key frame; this is counted and told, and holds up nobody else.
 * Data (text, JSON, binary, control, files) is not thrown away: rm_stream_session_send_input answers RM_E_AGAIN
 * instead.
 *
 * Params that every node has beside its own:
 *   on_error    what follows when it fails: drop (default) the input; passthrough: forward the input as it is; mute:
 *               forward silence or a black picture instead; stop: end the session. `on_error` in the manifest's
 * metadata is the default for all nodes queue_size  items waiting for it, 1..4096, default 64 own_thread  give it a
 * thread of its own, default as its type says */
typedef struct rm_pipeline_runner rm_pipeline_runner;
typedef struct rm_stream_session rm_stream_session;

#define RM_SESSION_ID_MAX 37 /* a UUID and a NUL */
#define RM_RUN_DETAIL_MAX 256

typedef enum rm_run_event_type { /* unknown values may come from newer libraries: ignore them */
                                 RM_RUN_EV_NODE_ERROR = 1,  /* node_id, err, detail: the node's policy was applied */
                                 RM_RUN_EV_NODE_SLOW = 2,   /* node_id, count: items it lost since the session began; at
                                                               most once a second for each node */
                                 RM_RUN_EV_OUTPUT_LOST = 3, /* count: outputs lost, because nobody took them */
                                 RM_RUN_EV_FINISHED = 4,    /* the input ended and every output was produced */
                                 RM_RUN_EV_STOPPED = 5,     /* node_id, err, detail: policy stop ended the session */
                                 RM_RUN_EV_NODE_LOADING = 6, /* node_id: is being made, on the thread that makes the
                                                                session, before that is known to anybody */
                                 RM_RUN_EV_INPUT_ROOM = 7    /* after RM_E_AGAIN of send_input: try again */
} rm_run_event_type;

typedef struct rm_run_event {
    rm_run_event_type type;
    const char *session_id;
    const char *node_id; /* "" when it is about no node */
    rm_err err;
    const char *detail; /* a sentence, "" without an error */
    uint64_t count;
} rm_run_event;

/* Called on a thread of the session, or, for what send_input finds, on its caller's; never under a lock. Every function
 * of this header may be called inside it, rm_stream_session_destroy included. Strings are valid during the call. */
typedef void (*rm_run_event_fn)(const rm_run_event *event, void *user);
/* One output; it stays the library's (take a reference of its data to keep it). Same rules. */
typedef void (*rm_run_output_fn)(rm_stream_session *session, const rm_transport_data *output, void *user);
/* The same with the id of the node it comes from, as in the manifest. */
typedef void (*rm_run_node_output_fn)(rm_stream_session *session, const char *node_id, const rm_transport_data *output,
                                      void *user);

typedef struct rm_pipeline_runner_config {
    uint32_t struct_size;       /* set by rm_pipeline_runner_config_init */
    rm_node_registry *registry; /* NULL (default): the built-in nodes */
    uint32_t max_sessions;      /* open at once, 1..100000; default 1024 */
} rm_pipeline_runner_config;

RM_API void rm_pipeline_runner_config_init(rm_pipeline_runner_config *config);
/* `config` may be NULL. RM_E_INVALID_ARG, RM_E_CONFIG (a field out of its range), RM_E_NO_MEMORY. */
RM_API rm_err rm_pipeline_runner_create(const rm_pipeline_runner_config *config, rm_pipeline_runner **out);
/* Gives up the caller's hold and nulls the pointer; open sessions go on and keep what they need. Accepts NULL. */
RM_API void rm_pipeline_runner_destroy(rm_pipeline_runner **runner);

/* One input, the first output: opens a session, sends, waits at most timeout_ms (-1: for ever), closes. `output` is
 * filled on RM_OK (rm_transport_data_clear it). `detail` (may be NULL) receives a sentence on failure.
 *  RM_E_CONFIG     the manifest does not fit the registry, or a node refused its parameters
 *  RM_E_TIMEOUT    no output in time; a node that still works is left to end on a thread of its own
 *  RM_E_NOT_FOUND  the pipeline ended without an output and without an error
 *  RM_E_LIMIT      max_sessions are open
 *  RM_E_INVALID_ARG, RM_E_NO_MEMORY, and whatever error a node returns */
RM_API rm_err rm_pipeline_runner_execute_unary(rm_pipeline_runner *runner, rm_manifest *manifest,
                                               const rm_transport_data *input, int timeout_ms,
                                               rm_transport_data *output, char *detail, size_t detail_size);

typedef struct rm_stream_session_config {
    uint32_t struct_size; /* set by rm_stream_session_config_init */
    uint32_t
        output_queue_size; /* outputs waiting for recv_output, 1..65536; default 256. The oldest media is lost first */
    rm_run_event_fn on_event;             /* NULL (default): not told */
    rm_run_output_fn on_output;           /* NULL (default): outputs wait for recv_output */
    void *user;                           /* handed to all */
    rm_run_node_output_fn on_node_output; /* in the place of on_output; NULL (default) */
} rm_stream_session_config;

RM_API void rm_stream_session_config_init(rm_stream_session_config *config);

/* Makes every node (in the manifest's order, on this thread), then starts. `config` may be NULL. The session holds the
 * manifest. `detail` (may be NULL) receives a sentence on failure. Errors as of execute_unary, except the time-out. */
RM_API rm_err rm_pipeline_runner_create_stream_session(rm_pipeline_runner *runner, rm_manifest *manifest,
                                                       const rm_stream_session_config *config, rm_stream_session **out,
                                                       char *detail, size_t detail_size);

/* The session's UUID. Valid as long as the session. */
RM_API const char *rm_stream_session_id(const rm_stream_session *session);
/* Hands one input to every source node; never blocks. The data is referenced, not copied.
 *  RM_E_AGAIN        a source's queue is full of data that may not be lost: nothing was taken; RM_RUN_EV_INPUT_ROOM
 *                    follows
 *  RM_E_CLOSED       closed, stopped, or the input was ended
 *  RM_E_INVALID_ARG, RM_E_NO_MEMORY */
RM_API rm_err rm_stream_session_send_input(rm_stream_session *session, const rm_transport_data *input);
/* No more input: nodes emit what they hold back, then RM_RUN_EV_FINISHED. RM_E_CLOSED: was called before, or closed. */
RM_API rm_err rm_stream_session_end_input(rm_stream_session *session);
/* The next output; waits at most timeout_ms (0: not at all, -1: for ever). rm_transport_data_clear it.
 *  RM_E_AGAIN    timeout_ms is 0 and none is there
 *  RM_E_TIMEOUT  none came in time
 *  RM_E_CLOSED   all are taken and none will come
 *  RM_E_STATE    outputs go to on_output */
RM_API rm_err rm_stream_session_recv_output(rm_stream_session *session, rm_transport_data *output, int timeout_ms);
/* Inputs that wait are dropped, outputs that wait can still be taken. Does not block; may be called many times. */
RM_API void rm_stream_session_close(rm_stream_session *session);
/* Whether inputs are accepted. */
RM_API bool rm_stream_session_is_active(const rm_stream_session *session);
/* Closes, waits for the nodes to end what they are at, frees, and nulls the pointer; no callback comes after. Inside a
 * callback of this session it waits for the other threads only and the rest is freed when the callback returns. */
RM_API void rm_stream_session_destroy(rm_stream_session **session);

typedef struct rm_node_stats {
    const char *node_id;
    uint64_t received, emitted, dropped, errors; /* dropped: lost in front of it, because it was slow */
    uint64_t processed;                          /* inputs it has finished, errors included */
    size_t queued;                               /* waiting now */
    int64_t busy_us, longest_us;                 /* time spent inside the node: in all, for one input */
} rm_node_stats;

/* Figures of a node (the manifest's order). RM_E_NOT_FOUND: index out of range. */
RM_API rm_err rm_stream_session_node_stats(const rm_stream_session *session, size_t index, rm_node_stats *out);

#ifdef __cplusplus
}
#endif

#endif
