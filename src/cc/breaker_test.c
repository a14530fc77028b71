/* SPDX-License-Identifier: Apache-2.0 */
#include "cc/breaker.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define FRAME_US 33333
#define PACKETS_PER_FRAME 4

struct kit {
    struct rmi_breaker b;
    int64_t now_us;
    uint32_t highest;
};

/* A second of pictures at about 1.1 Mbit/s, then a report. `arrives`: the numbers go on. */
static enum rmi_breaker_cause second(struct kit *k, double lost, bool arrives, int64_t rtt_us) {
    for (int frame = 0; frame < 30; frame++) {
        k->now_us += FRAME_US;
        for (int i = 0; i < PACKETS_PER_FRAME; i++)
            rmi_breaker_sent(&k->b, k->now_us, 1150);
    }
    k->highest += arrives ? 30 * PACKETS_PER_FRAME : 0;
    return rmi_breaker_reported(&k->b, k->now_us, lost, k->highest, rtt_us, FRAME_US);
}

static enum rmi_breaker_cause seconds(struct kit *k, int n, double lost, bool arrives, int64_t rtt_us) {
    enum rmi_breaker_cause cause = RMI_BREAKER_CLOSED;
    for (int i = 0; i < n && cause == RMI_BREAKER_CLOSED; i++)
        cause = second(k, lost, arrives, rtt_us);
    return cause;
}

static void a_working_path_trips_nothing(void **state) {
    (void)state;
    struct kit k = {.now_us = RMI_SEC(100)};
    assert_int_equal(seconds(&k, 300, 0, true, RMI_MS(50)), RMI_BREAKER_CLOSED);
    assert_int_equal(seconds(&k, 300, 0.05, true, RMI_MS(100)), RMI_BREAKER_CLOSED); /* TCP: 0.46 Mbit/s */
    assert_int_equal(rmi_breaker_timeout(&k.b, k.now_us), RMI_BREAKER_CLOSED);
}

/* 1.1 Mbit/s at 40 % loss and 400 ms: TCP would get 45 kbit/s, so a tenth of this is the limit. */
static void ten_times_what_tcp_gets_is_too_much(void **state) {
    (void)state;
    struct kit k = {.now_us = RMI_SEC(100)};
    (void)seconds(&k, 10, 0, true, RMI_MS(400));
    const int64_t from_us = k.now_us;
    assert_int_equal(seconds(&k, 30, 0.4, true, RMI_MS(400)), RMI_BREAKER_CONGESTION);
    assert_in_range(k.now_us - from_us, RMI_MS(900), RMI_SEC(10));
    /* It begins anew: a tenth of the rate is not tripped. */
    for (int i = 0; i < 60; i++) {
        for (int n = 0; n < 12; n++)
            rmi_breaker_sent(&k.b, k.now_us += RMI_SEC(1) / 12, 1150);
        k.highest += 12;
        assert_int_equal(rmi_breaker_reported(&k.b, k.now_us, 0.4, k.highest, RMI_MS(400), FRAME_US),
                         RMI_BREAKER_CLOSED);
    }
}

static void five_reports_without_progress_are_a_dead_path(void **state) {
    (void)state;
    struct kit k = {.now_us = RMI_SEC(100)};
    (void)seconds(&k, 10, 0, true, RMI_MS(50));
    assert_int_equal(seconds(&k, 4, 0, false, RMI_MS(50)), RMI_BREAKER_CLOSED);
    assert_int_equal(seconds(&k, 1, 0, true, RMI_MS(50)), RMI_BREAKER_CLOSED); /* it goes on: counted anew */
    assert_int_equal(seconds(&k, 4, 0, false, RMI_MS(50)), RMI_BREAKER_CLOSED);
    assert_int_equal(seconds(&k, 2, 0, false, RMI_MS(50)), RMI_BREAKER_MEDIA_TIMEOUT);
    /* What is not sent does not arrive either. */
    for (int i = 0; i < 30; i++)
        assert_int_equal(rmi_breaker_reported(&k.b, k.now_us += RMI_SEC(1), 0, k.highest, RMI_MS(50), FRAME_US),
                         RMI_BREAKER_CLOSED);
}

static void silence_for_fifteen_seconds_trips(void **state) {
    (void)state;
    struct kit k = {.now_us = RMI_SEC(100)};
    assert_int_equal(rmi_breaker_next_deadline(&k.b), RMI_NEVER);
    for (int i = 0; i < 400; i++) /* a remote without RTCP is left alone */
        rmi_breaker_sent(&k.b, k.now_us += RMI_MS(100), 100);
    assert_int_equal(rmi_breaker_next_deadline(&k.b), RMI_NEVER);
    rmi_breaker_heard(&k.b, k.now_us);
    const int64_t deadline_us = k.now_us + RMI_SEC(15);
    assert_int_equal(rmi_breaker_next_deadline(&k.b), deadline_us);
    while (k.now_us < deadline_us) {
        assert_int_equal(rmi_breaker_timeout(&k.b, k.now_us), RMI_BREAKER_CLOSED);
        rmi_breaker_sent(&k.b, k.now_us += RMI_MS(100), 100);
    }
    assert_int_equal(rmi_breaker_timeout(&k.b, k.now_us), RMI_BREAKER_RTCP_TIMEOUT);
    assert_int_equal(rmi_breaker_next_deadline(&k.b), RMI_NEVER); /* until something is sent again */
    rmi_breaker_sent(&k.b, k.now_us += RMI_SEC(30), 100);
    assert_int_equal(rmi_breaker_next_deadline(&k.b), k.now_us + RMI_SEC(15));
}

static void a_pause_is_no_silence(void **state) {
    (void)state;
    struct kit k = {.now_us = RMI_SEC(100)};
    (void)seconds(&k, 3, 0, true, RMI_MS(50));
    assert_int_equal(rmi_breaker_timeout(&k.b, k.now_us + RMI_SEC(20)), RMI_BREAKER_CLOSED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_working_path_trips_nothing),
        cmocka_unit_test(ten_times_what_tcp_gets_is_too_much),
        cmocka_unit_test(five_reports_without_progress_are_a_dead_path),
        cmocka_unit_test(silence_for_fifteen_seconds_trips),
        cmocka_unit_test(a_pause_is_no_silence),
    };
    return cmocka_run_group_tests_name("cc.breaker", tests, NULL, NULL);
}
