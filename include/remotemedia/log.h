/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REMOTEMEDIA_LOG_H
#define REMOTEMEDIA_LOG_H

#include <remotemedia/export.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Severity, most severe first. A level includes all before it. */
typedef enum rm_log_level {
    RM_LOG_NONE = 0,
    RM_LOG_ERROR = 1,
    RM_LOG_WARN = 2,
    RM_LOG_INFO = 3,
    RM_LOG_DEBUG = 4,
    RM_LOG_TRACE = 5
} rm_log_level;

/* One log record. All strings are valid during the callback only. */
typedef struct rm_log_record {
    int64_t time_us; /* monotonic clock of the object that logs, in microseconds */
    rm_log_level level;
    const char *module;  /* "ice", "dtls", "signaling" ... as in RM_LOG */
    const char *message; /* one line, no newline, UTF-8; never holds a key, password or token */
    uint32_t suppressed; /* records of this module and level dropped by the rate limit since the last one shown */
} rm_log_record;

/* Receives log records. Called on the thread that logs (the network thread for protocol modules), never under a lock
 * of the library; must not block. `user` is the pointer given with the callback. */
typedef void (*rm_log_fn)(const rm_log_record *record, void *user);

#ifdef __cplusplus
}
#endif

#endif
