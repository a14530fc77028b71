/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_BASE_LOG_H
#define RMI_BASE_LOG_H

#include <remotemedia/error.h>
#include <remotemedia/log.h>
#include <stddef.h>
#include <stdint.h>

/* A log is an object handed to each protocol object (no global state). NULL is a valid, silent log everywhere. */
struct rmi_log;

enum rmi_log_module {
    RMI_LOG_BASE,
    RMI_LOG_NET,
    RMI_LOG_ICE,
    RMI_LOG_TURN,
    RMI_LOG_DTLS,
    RMI_LOG_SRTP,
    RMI_LOG_SCTP,
    RMI_LOG_SDP,
    RMI_LOG_SIGNALING,
    RMI_LOG_PEER,
    RMI_LOG_SESSION,
    RMI_LOG_RTP,
    RMI_LOG_CC,
    RMI_LOG_CODEC,
    RMI_LOG_RUNTIME,
    RMI_LOG_IO,
    RMI_LOG_APP,
    RMI_LOG_MODULE_COUNT
};

typedef int64_t (*rmi_now_fn)(void *ctx);

struct rmi_log_config {
    rm_log_fn sink; /* NULL: stderr, "12.345678 W ice: message" */
    void *sink_user;
    rmi_now_fn now; /* clock for record times and the rate limit; NULL: records carry 0 and nothing is limited */
    void *now_ctx;
    rm_log_level level; /* level for modules that `spec` does not name */
    const char *spec;   /* e.g. "ice:debug,dtls:trace" or "debug" or "info,ice:trace" (value of RM_LOG); NULL = none */
};

/* RM_E_PARSE: spec malformed (unknown module or level); *out stays untouched. RM_E_NO_MEMORY. */
rm_err rmi_log_create(const struct rmi_log_config *config, struct rmi_log **out);
void rmi_log_destroy(struct rmi_log **log);

/* Whether a record of this level would be shown: guard for costly arguments. False for NULL. */
int rmi_log_enabled(const struct rmi_log *log, enum rmi_log_module module, rm_log_level level);

/* Write one record (formatted to at most 1,000 bytes). Rate-limited per module and level: error/warn/info 50 a second,
 * debug/trace 5,000 a second; what is dropped is counted in the next shown record's `suppressed`. */
void rmi_log(struct rmi_log *log, enum rmi_log_module module, rm_log_level level, const char *fmt, ...) RM_PRINTF(4, 5);

const char *rmi_log_module_name(enum rmi_log_module module);

#endif
