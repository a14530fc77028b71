/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct capture {
    int64_t now_us;
    unsigned count;
    uint32_t suppressed;
    int64_t time_us;
    rm_log_level level;
    char module[16];
    char message[1100];
};

static void on_record(const rm_log_record *record, void *user) {
    struct capture *c = user;
    c->count++;
    c->suppressed = record->suppressed;
    c->time_us = record->time_us;
    c->level = record->level;
    strncpy(c->module, record->module, sizeof c->module - 1);
    strncpy(c->message, record->message, sizeof c->message - 1);
}

static int64_t capture_now(void *ctx) {
    return ((struct capture *)ctx)->now_us;
}

static struct rmi_log *make(struct capture *c, rm_log_level level, const char *spec) {
    struct rmi_log_config config = {
        .sink = on_record, .sink_user = c, .now = capture_now, .now_ctx = c, .level = level, .spec = spec};
    struct rmi_log *log = NULL;
    assert_int_equal(rmi_log_create(&config, &log), RM_OK);
    return log;
}

static void null_log_is_silent(void **state) {
    (void)state;
    rmi_log(NULL, RMI_LOG_ICE, RM_LOG_ERROR, "%d", 1);
    assert_false(rmi_log_enabled(NULL, RMI_LOG_ICE, RM_LOG_ERROR));
    struct rmi_log *log = NULL;
    rmi_log_destroy(&log);
    rmi_log_destroy(NULL);
}

static void record_has_all_fields(void **state) {
    (void)state;
    struct capture c = {.now_us = 12345678};
    struct rmi_log *log = make(&c, RM_LOG_WARN, NULL);
    rmi_log(log, RMI_LOG_ICE, RM_LOG_WARN, "pair %d failed", 3);
    assert_int_equal(c.count, 1);
    assert_int_equal(c.time_us, 12345678);
    assert_int_equal(c.level, RM_LOG_WARN);
    assert_string_equal(c.module, "ice");
    assert_string_equal(c.message, "pair 3 failed");
    assert_int_equal(c.suppressed, 0);
    rmi_log(log, RMI_LOG_ICE, RM_LOG_INFO, "hidden");
    rmi_log(log, RMI_LOG_ICE, RM_LOG_NONE, "hidden");
    assert_int_equal(c.count, 1);
    rmi_log_destroy(&log);
    assert_null(log);
}

static void spec_sets_levels(void **state) {
    (void)state;
    struct capture c = {0};
    struct rmi_log *log = make(&c, RM_LOG_WARN, "ice:debug,dtls:trace");
    assert_true(rmi_log_enabled(log, RMI_LOG_ICE, RM_LOG_DEBUG));
    assert_false(rmi_log_enabled(log, RMI_LOG_ICE, RM_LOG_TRACE));
    assert_true(rmi_log_enabled(log, RMI_LOG_DTLS, RM_LOG_TRACE));
    assert_true(rmi_log_enabled(log, RMI_LOG_SDP, RM_LOG_WARN));
    assert_false(rmi_log_enabled(log, RMI_LOG_SDP, RM_LOG_INFO));
    rmi_log_destroy(&log);
    log = make(&c, RM_LOG_ERROR, "ice:none,info"); /* the order of terms does not matter */
    assert_false(rmi_log_enabled(log, RMI_LOG_ICE, RM_LOG_ERROR));
    assert_true(rmi_log_enabled(log, RMI_LOG_SDP, RM_LOG_INFO));
    rmi_log_destroy(&log);
    log = make(&c, RM_LOG_ERROR, "debug");
    assert_true(rmi_log_enabled(log, RMI_LOG_APP, RM_LOG_DEBUG));
    rmi_log_destroy(&log);
}

static void malformed_specs_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"loud",
                                      "ice:",
                                      ":debug",
                                      "ice:loud",
                                      "moon:debug",
                                      "ice:debug:trace",
                                      ",info",
                                      "info,",
                                      "info,,debug",
                                      "ICE:debug",
                                      "a-name-that-is-much-longer-than-any-module:debug"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct rmi_log_config config = {.level = RM_LOG_WARN, .spec = bad[i]};
        struct rmi_log *log = NULL;
        assert_int_equal(rmi_log_create(&config, &log), RM_E_PARSE);
        assert_null(log);
    }
    for (int m = 0; m < RMI_LOG_MODULE_COUNT; m++)
        assert_true(strlen(rmi_log_module_name((enum rmi_log_module)m)) >= 2);
    assert_string_equal(rmi_log_module_name(RMI_LOG_MODULE_COUNT), "unknown");
}

static void rate_limit_counts_what_it_drops(void **state) {
    (void)state;
    struct capture c = {.now_us = 1000};
    struct rmi_log *log = make(&c, RM_LOG_DEBUG, NULL);
    for (int i = 0; i < 60; i++)
        rmi_log(log, RMI_LOG_ICE, RM_LOG_WARN, "storm");
    assert_int_equal(c.count, 50);
    rmi_log(log, RMI_LOG_ICE, RM_LOG_ERROR, "another level has its own limit");
    rmi_log(log, RMI_LOG_DTLS, RM_LOG_WARN, "and so has another module");
    assert_int_equal(c.count, 52);
    c.now_us += 999999;
    rmi_log(log, RMI_LOG_ICE, RM_LOG_WARN, "storm");
    assert_int_equal(c.count, 52);
    c.now_us += 1;
    rmi_log(log, RMI_LOG_ICE, RM_LOG_WARN, "after");
    assert_int_equal(c.count, 53);
    assert_int_equal(c.suppressed, 11);
    rmi_log(log, RMI_LOG_ICE, RM_LOG_WARN, "after");
    assert_int_equal(c.suppressed, 0);
    c.count = 0;
    for (int i = 0; i < 5100; i++)
        rmi_log(log, RMI_LOG_ICE, RM_LOG_DEBUG, "packet");
    assert_int_equal(c.count, 5000);
    rmi_log_destroy(&log);
}

static void without_a_clock_nothing_is_limited(void **state) {
    (void)state;
    struct capture c = {0};
    struct rmi_log_config config = {.sink = on_record, .sink_user = &c, .level = RM_LOG_WARN};
    struct rmi_log *log = NULL;
    assert_int_equal(rmi_log_create(&config, &log), RM_OK);
    for (int i = 0; i < 60; i++)
        rmi_log(log, RMI_LOG_ICE, RM_LOG_WARN, "storm");
    assert_int_equal(c.count, 60);
    assert_int_equal(c.time_us, 0);
    rmi_log_destroy(&log);
}

static void messages_are_one_clean_line(void **state) {
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"a\nb\r\tc\x1b[31m\x7f", "a?b??c?[31m?"},
        {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\xff\xc3(\xc0\xaf", "??"
                              "(??"},             /* not UTF-8, a cut sequence, an overlong one */
        {"\xed\xa0\x80 \xc2\x9b", "??? ??"},      /* a surrogate, a C1 control */
        {"\xf4\x90\x80\x80 \xe2\x82", "???? ??"}, /* above U+10FFFF, cut at the end */
    };
    struct capture c = {0};
    struct rmi_log *log = make(&c, RM_LOG_WARN, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        memset(c.message, 0, sizeof c.message);
        rmi_log(log, RMI_LOG_SDP, RM_LOG_WARN, "%s", cases[i].in);
        assert_string_equal(c.message, cases[i].out);
    }
    rmi_log(log, RMI_LOG_SDP, RM_LOG_WARN, "%*d", 100000, 1);
    assert_int_equal(strlen(c.message), 1000);
    rmi_log_destroy(&log);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_log_is_silent),
        cmocka_unit_test(record_has_all_fields),
        cmocka_unit_test(spec_sets_levels),
        cmocka_unit_test(malformed_specs_are_refused),
        cmocka_unit_test(rate_limit_counts_what_it_drops),
        cmocka_unit_test(without_a_clock_nothing_is_limited),
        cmocka_unit_test(messages_are_one_clean_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
