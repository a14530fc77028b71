/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX 1000
#define LEVEL_COUNT (RM_LOG_TRACE + 1)
#define LIMIT_WINDOW_US INT64_C(1000000)
#define LIMIT_NORMAL 50   /* records of a module and level each second: readable by a person */
#define LIMIT_DETAIL 5000 /* debug and trace: enough for a packet log, not enough to fill a disk in minutes */
#define SPEC_TERM_MAX 32  /* the longest valid term is "signaling:debug" */

/* The rate limit of one module and level. Atomic because a worker thread may log through the same object; a race at
 * the turn of a window lets a few records more through, which is harmless. */
struct limit {
    _Atomic int64_t window_start_us;
    atomic_uint shown;
    atomic_uint suppressed;
};

struct rmi_log {
    rm_log_fn sink;
    void *sink_user;
    rmi_now_fn now;
    void *now_ctx;
    rm_log_level levels[RMI_LOG_MODULE_COUNT];
    struct limit limits[RMI_LOG_MODULE_COUNT][LEVEL_COUNT];
};

static const char *const module_names[RMI_LOG_MODULE_COUNT] = {
    [RMI_LOG_BASE] = "base",   [RMI_LOG_NET] = "net",         [RMI_LOG_ICE] = "ice", [RMI_LOG_TURN] = "turn",
    [RMI_LOG_DTLS] = "dtls",   [RMI_LOG_SRTP] = "srtp",       [RMI_LOG_SDP] = "sdp", [RMI_LOG_SIGNALING] = "signaling",
    [RMI_LOG_PEER] = "peer",   [RMI_LOG_SESSION] = "session", [RMI_LOG_RTP] = "rtp", [RMI_LOG_CC] = "cc",
    [RMI_LOG_CODEC] = "codec", [RMI_LOG_RUNTIME] = "runtime", [RMI_LOG_IO] = "io",   [RMI_LOG_APP] = "app",
    [RMI_LOG_SCTP] = "sctp",
};

static const char *const level_names[LEVEL_COUNT] = {"none", "error", "warn", "info", "debug", "trace"};

const char *rmi_log_module_name(enum rmi_log_module module) {
    return (unsigned)module < RMI_LOG_MODULE_COUNT ? module_names[module] : "unknown";
}

static int find_name(const char *const *names, size_t count, const char *text) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], text) == 0)
            return (int)i;
    return -1;
}

/* One term of the specification: "module:level", or a level for every module not named. */
static bool apply_term(const char *term, rm_log_level *fallback, rm_log_level levels[], bool named[]) {
    const char *colon = strchr(term, ':');
    int level = find_name(level_names, LEVEL_COUNT, colon ? colon + 1 : term);
    if (level < 0)
        return false;
    if (!colon) {
        *fallback = (rm_log_level)level;
        return true;
    }
    char name[SPEC_TERM_MAX];
    memcpy(name, term, (size_t)(colon - term));
    name[colon - term] = '\0';
    int module = find_name(module_names, RMI_LOG_MODULE_COUNT, name);
    if (module < 0)
        return false;
    levels[module] = (rm_log_level)level;
    named[module] = true;
    return true;
}

static rm_err parse_spec(const char *spec, rm_log_level fallback, rm_log_level levels[]) {
    bool named[RMI_LOG_MODULE_COUNT] = {false};
    while (spec && *spec) {
        size_t n = strcspn(spec, ",");
        char term[SPEC_TERM_MAX];
        if (n >= sizeof term)
            return RM_E_PARSE;
        memcpy(term, spec, n);
        term[n] = '\0';
        if (!apply_term(term, &fallback, levels, named))
            return RM_E_PARSE;
        spec += n;
        if (*spec == ',' && *++spec == '\0')
            return RM_E_PARSE; /* nothing after the last comma */
    }
    for (size_t i = 0; i < RMI_LOG_MODULE_COUNT; i++)
        if (!named[i])
            levels[i] = fallback;
    return RM_OK;
}

rm_err rmi_log_create(const struct rmi_log_config *config, struct rmi_log **out) {
    rm_log_level levels[RMI_LOG_MODULE_COUNT];
    rm_err err = parse_spec(config->spec, config->level, levels);
    if (err)
        return err;
    struct rmi_log *log = calloc(1, sizeof *log);
    if (!log)
        return RM_E_NO_MEMORY;
    log->sink = config->sink;
    log->sink_user = config->sink_user;
    log->now = config->now;
    log->now_ctx = config->now_ctx;
    memcpy(log->levels, levels, sizeof levels);
    for (size_t m = 0; m < RMI_LOG_MODULE_COUNT; m++)
        for (size_t l = 0; l < LEVEL_COUNT; l++)
            atomic_store(&log->limits[m][l].window_start_us, INT64_MAX); /* the first record opens the first window */
    *out = log;
    return RM_OK;
}

void rmi_log_destroy(struct rmi_log **log) {
    if (!log)
        return;
    free(*log);
    *log = NULL;
}

int rmi_log_enabled(const struct rmi_log *log, enum rmi_log_module module, rm_log_level level) {
    if (!log || (unsigned)module >= RMI_LOG_MODULE_COUNT || level <= RM_LOG_NONE || level > RM_LOG_TRACE)
        return 0;
    return level <= log->levels[module];
}

/* Whether the rate limit lets this record through. */
static bool limit_take(struct limit *limit, rm_log_level level, int64_t now_us) {
    int64_t start = atomic_load(&limit->window_start_us);
    if (now_us < start || now_us - start >= LIMIT_WINDOW_US) {
        atomic_store(&limit->window_start_us, now_us);
        atomic_store(&limit->shown, 0);
    }
    unsigned allowed = level >= RM_LOG_DEBUG ? LIMIT_DETAIL : LIMIT_NORMAL;
    if (atomic_fetch_add(&limit->shown, 1) < allowed)
        return true;
    atomic_fetch_sub(&limit->shown, 1);
    atomic_fetch_add(&limit->suppressed, 1);
    return false;
}

/* Length of the well-formed UTF-8 sequence at s (RFC 3629 section 4), 0 when it is none. */
static size_t utf8_length(const unsigned char *s) {
    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    unsigned low = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
    unsigned high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
    if (s[1] < low || s[1] > high)
        return 0;
    size_t n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    for (size_t i = 2; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

/* Text from a peer may stand in a message: keep the record one line of valid UTF-8 without terminal control codes. */
static void sanitize(char *text) {
    unsigned char *s = (unsigned char *)text;
    while (*s) {
        size_t n = utf8_length(s);
        if (n == 0 || *s < 0x20 || *s == 0x7f || (*s == 0xc2 && s[1] < 0xa0)) {
            size_t bad = n ? n : 1;
            memset(s, '?', bad);
            n = bad;
        }
        s += n;
    }
}

static void write_stderr(const rm_log_record *record) {
    static const char letters[LEVEL_COUNT + 1] = "-EWIDT";
    long long seconds = (long long)(record->time_us / 1000000);
    long long micros = (long long)(record->time_us % 1000000);
    if (record->suppressed)
        fprintf(stderr, "%lld.%06lld %c %s: %s (%u more were suppressed)\n", seconds, micros, letters[record->level],
                record->module, record->message, (unsigned)record->suppressed);
    else
        fprintf(stderr, "%lld.%06lld %c %s: %s\n", seconds, micros, letters[record->level], record->module,
                record->message);
}

void rmi_log(struct rmi_log *log, enum rmi_log_module module, rm_log_level level, const char *fmt, ...) {
    if (!rmi_log_enabled(log, module, level))
        return;
    struct limit *limit = &log->limits[module][level];
    int64_t now_us = log->now ? log->now(log->now_ctx) : 0;
    if (log->now && !limit_take(limit, level, now_us))
        return;
    char message[MESSAGE_MAX + 1];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    if (n < 0)
        return;
    sanitize(message);
    rm_log_record record = {
        .time_us = now_us,
        .level = level,
        .module = module_names[module],
        .message = message,
        .suppressed = atomic_exchange(&limit->suppressed, 0),
    };
    if (log->sink)
        log->sink(&record, log->sink_user);
    else
        write_stderr(&record);
}
