/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REMOTEMEDIA_BUS_H
#define REMOTEMEDIA_BUS_H

#include <remotemedia/data.h>
#include <remotemedia/error.h>
#include <remotemedia/export.h>
#include <remotemedia/runner.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The control bus of a session: look at what goes into a node or comes out of it, put something in, switch nodes off,
 * decide on single items.
 *
 *     rm_tap *tap = NULL;
 *     rm_stream_session_tap(session, "transcribe.out", NULL, &tap);
 *     rm_tap_item item;
 *     while (!rm_tap_recv(tap, &item, -1)) { ... rm_tap_item_clear(&item); }
 *     rm_tap_destroy(&tap);
 *
 * Topics: "NODE.in" and "NODE.out", or with a port "NODE.in.PORT". A port's items are JSON envelopes inside the
 * pipeline (<remotemedia/data_json.h>): a tap on "NODE.out.PORT" is shown what is in the envelopes of that port, one on
 * "NODE.out" everything else.
 *
 * A pipeline never waits for a tap: each has a bounded ring, the oldest items give way and are counted. It waits for an
 * intercept, but not longer than its deadline. Without either, a node's item costs two reads of a flag.
 * Threads: any function from any thread. */
typedef struct rm_tap rm_tap;

#define RM_TAPS_MAX 64              /* of a session at a time */
#define RM_TAP_RING_DEFAULT 1024    /* as RemoteMedia */
#define RM_TAP_RING_MAX 65536       /* items */
#define RM_INTERCEPT_DEFAULT_MS 50  /* as RemoteMedia */
#define RM_INTERCEPT_MAX_MS 1000    /* longer, and a forgotten intercept would look like a dead pipeline */
#define RM_TAP_BYTES_MAX (16 << 20) /* waiting in one ring; the oldest give way beyond */

typedef struct rm_tap_config {
    uint32_t struct_size; /* set by rm_tap_config_init */
    uint32_t ring_size;   /* items, 1..RM_TAP_RING_MAX; default 1024 */
    bool media;           /* sound and pictures with their samples and pixels (copied); default false: only described */
    bool intercept;       /* every item waits for rm_tap_answer; media come with their data. Default false */
    uint32_t deadline_ms; /* for the answer, then the item passes; 0 (default): 50; at most RM_INTERCEPT_MAX_MS */
    /* Items have come, or the tap has ended: call rm_tap_recv until RM_E_AGAIN. On a thread of the session; must not
     * block. Functions of this header may be called inside it. NULL (default): not told. */
    void (*on_ready)(rm_tap *tap, void *user);
    void *user;
} rm_tap_config;

RM_API void rm_tap_config_init(rm_tap_config *config);

typedef struct rm_tap_item {
    uint64_t id; /* for rm_tap_answer; 0: not an intercept */
    rm_data_type type;
    rm_runtime_data *data; /* a reference of the caller's; NULL: media that are only described */
    size_t size;           /* bytes: of text and JSON as text, of samples, of all planes */
    uint32_t sample_rate;  /* of sound, Hz; else 0 */
    uint32_t channels;     /* of sound; else 0 */
    int64_t time_us;       /* monotonic clock: when it went by */
    uint64_t skipped;      /* items lost before this one because the ring was full */
} rm_tap_item;

/* `config` may be NULL. An intercept's address takes one intercept only.
 *  RM_E_INVALID_ARG  NULL, a malformed topic, a value out of its range
 *  RM_E_NOT_FOUND    no such node
 *  RM_E_EXISTS       intercepted already
 *  RM_E_LIMIT        RM_TAPS_MAX taps exist
 *  RM_E_CLOSED       the session is closed
 *  RM_E_NO_MEMORY */
RM_API rm_err rm_stream_session_tap(rm_stream_session *session, const char *topic, const rm_tap_config *config,
                                    rm_tap **out);
/* The next item; waits at most timeout_ms (0: not at all, -1: for ever). rm_tap_item_clear it.
 *  RM_E_AGAIN    timeout_ms is 0 and there is none
 *  RM_E_TIMEOUT  none came in time
 *  RM_E_CLOSED   all are taken, and the session is closed */
RM_API rm_err rm_tap_recv(rm_tap *tap, rm_tap_item *item, int timeout_ms);
RM_API void rm_tap_item_clear(rm_tap_item *item); /* NULL is harmless */

typedef enum rm_tap_decision { RM_TAP_PASS = 1, RM_TAP_REPLACE = 2, RM_TAP_DROP = 3 } rm_tap_decision;
/* Decides on an intercepted item. `replacement`: for RM_TAP_REPLACE; a reference is taken.
 *  RM_E_NOT_FOUND    answered already, or its deadline is over: it has passed
 *  RM_E_INVALID_ARG */
RM_API rm_err rm_tap_answer(rm_tap *tap, uint64_t id, rm_tap_decision decision, rm_runtime_data *replacement);
/* Ends it and nulls the pointer; an item that waits for an answer passes. No on_ready comes after (inside on_ready:
 * after the callback has returned). May outlive the session. Accepts NULL. */
RM_API void rm_tap_destroy(rm_tap **tap);

/* Puts data into a node: "NODE.in" as if a predecessor had sent it, "NODE.in.PORT" in an envelope (JSON, text and
 * binary only). Port "barge_in" is the library's own: the node's call under way is cancelled (rm_node_cancelled),
 * and what it still emits is dropped. A reference is taken.
 *  RM_E_INVALID_ARG  NULL, no topic of an input
 *  RM_E_NOT_FOUND    no such node
 *  RM_E_UNSUPPORTED  this kind of data has no envelope, or the node takes none
 *  RM_E_AGAIN        the node's queue is full of data that may not be lost
 *  RM_E_CLOSED, RM_E_NO_MEMORY */
RM_API rm_err rm_stream_session_publish(rm_stream_session *session, const char *topic, rm_runtime_data *data);

typedef enum rm_node_state {
    RM_NODE_ENABLED = 1,
    RM_NODE_BYPASS = 2,  /* its inputs are passed on as they are */
    RM_NODE_DISABLED = 3 /* its inputs are dropped, and what it emits */
} rm_node_state;

/* From the next item on. RM_E_NOT_FOUND: no such node. RM_E_INVALID_ARG. */
RM_API rm_err rm_stream_session_set_node_state(rm_stream_session *session, const char *node_id, rm_node_state state);
/* RM_E_NOT_FOUND: no such node. */
RM_API rm_err rm_stream_session_node_state(const rm_stream_session *session, const char *node_id, rm_node_state *out);
RM_API const char *rm_node_state_name(rm_node_state state); /* "enabled" "bypass" "disabled"; "unknown" */

/* Throws away the sound that waits in front of the session's nodes and for recv_output, e.g. when somebody interrupts
 * the one who speaks. Returns how many chunks. */
RM_API uint64_t rm_stream_session_flush_audio(rm_stream_session *session);

#ifdef __cplusplus
}
#endif

#endif
