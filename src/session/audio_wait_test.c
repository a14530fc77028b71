/* SPDX-License-Identifier: Apache-2.0 */
/* A late packet is waited for without looking for it again and again. In virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "session/audio_link_testkit.h"

#define LATE_US RMI_MS(7) /* before the packet behind it comes */
#define CHUNK_SAMPLES 480

/* A second into a calm stream, whose pulls find their packets as they come, the packet that is due next is kept back.
 */
static struct link_flight begin(struct link *l) {
    const struct link_config c = calm();
    link_open(l, &c);
    link_run_until(l, RMI_SEC(1));
    assert_true(l->flying >= 2);
    const struct link_flight f = l->flights[0];
    memmove(l->flights, l->flights + 1, --l->flying * sizeof *l->flights);
    assert_false(rmi_audio_receiver_is_waiting(l->receiver));
    return f;
}

static void give(struct link *l, struct link_flight *f, bool repaired) {
    rmi_audio_receiver_insert(l->receiver, f->ssrc, f->seq, f->timestamp, l->now_us, f->buf, 0, f->len, repaired);
    rmi_buf_unref(&f->buf);
}

static uint64_t concealed_samples(const struct link *l) {
    struct rmi_audio_receiver_stats s;
    rmi_audio_receiver_get_stats(l->receiver, &s);
    return s.concealed_samples;
}

static void a_late_packet_is_played_when_it_comes(void **state) {
    (void)state;
    struct link l;
    struct link_flight f = begin(&l);
    link_run_until(&l, f.arrival_us + LATE_US);
    assert_true(rmi_audio_receiver_is_waiting(l.receiver));
    /* Until then there is nothing to look for. */
    assert_in_range(rmi_audio_receiver_next_pull(l.receiver), f.arrival_us + RMI_MS(38), f.arrival_us + RMI_MS(42));
    give(&l, &f, false);
    link_run_until(&l, f.arrival_us + LATE_US);
    assert_int_equal(l.last_pull_us, f.arrival_us + LATE_US);
    assert_false(rmi_audio_receiver_is_waiting(l.receiver));
    link_run_until(&l, RMI_SEC(2));
    assert_int_equal(concealed_samples(&l), 0);
    link_close(&l);
}

static void a_copy_behind_the_next_packet_is_still_in_time(void **state) {
    (void)state;
    struct link l;
    struct link_flight f = begin(&l);
    const int64_t next_us = l.flights[0].arrival_us;
    link_run_until(&l, next_us);
    assert_true(rmi_audio_receiver_is_waiting(l.receiver)); /* that it came is not enough: a copy may be in it */
    assert_true(rmi_audio_receiver_next_pull(l.receiver) > next_us);
    give(&l, &f, true);
    link_run_until(&l, RMI_SEC(2));
    assert_int_equal(concealed_samples(&l), 0);
    link_close(&l);
}

static void what_is_lost_is_given_up_when_the_next_packet_comes(void **state) {
    (void)state;
    struct link l;
    struct link_flight f = begin(&l);
    const int64_t next_us = l.flights[0].arrival_us;
    rmi_buf_unref(&f.buf);
    link_run_until(&l, next_us + RMI_MS(1));
    assert_int_equal(concealed_samples(&l), CHUNK_SAMPLES);
    assert_in_range(l.last_pull_us, next_us, next_us + RMI_MS(1));
    link_run_until(&l, RMI_SEC(2));
    assert_int_equal(concealed_samples(&l), CHUNK_SAMPLES);
    link_close(&l);
}

static void who_stops_is_waited_for_only_so_long(void **state) {
    (void)state;
    struct link l;
    struct link_flight f = begin(&l);
    rmi_buf_unref(&f.buf);
    while (l.flying > 0)
        rmi_buf_unref(&l.flights[--l.flying].buf);
    l.muted = true;
    link_run_until(&l, f.arrival_us + RMI_MS(42));
    assert_int_equal(concealed_samples(&l), CHUNK_SAMPLES);
    link_run_until(&l, RMI_SEC(3));
    assert_int_equal(rmi_audio_receiver_next_pull(l.receiver), RMI_NEVER);
    assert_false(rmi_audio_receiver_is_waiting(l.receiver));
    link_close(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_late_packet_is_played_when_it_comes),
        cmocka_unit_test(a_copy_behind_the_next_packet_is_still_in_time),
        cmocka_unit_test(what_is_lost_is_given_up_when_the_next_packet_comes),
        cmocka_unit_test(who_stops_is_waited_for_only_so_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
