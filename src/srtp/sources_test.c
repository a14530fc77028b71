/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "srtp/srtp_private.h"
#include "srtp/srtp_testkit.h"

/* RFC 3711 appendix A, word for word in its own terms. */
static int64_t index_of_the_appendix(uint16_t seq, uint16_t s_l, int64_t roc) {
    int64_t v = roc;
    if (s_l < 32768) {
        if (seq - s_l > 32768)
            v = roc - 1;
    } else if (s_l - 32768 > seq) {
        v = roc + 1;
    }
    return v * 65536 + seq;
}

static void indices_are_guessed_as_in_the_rfc(void **state) {
    (void)state;
    static const uint16_t edges[] = {0, 1, 2, 32766, 32767, 32768, 32769, 32770, 65533, 65534, 65535, 20000, 50000};
    static const uint64_t rocs[] = {0, 1, 2, 65535, UINT32_MAX - 1, UINT32_MAX};
    size_t n = sizeof edges / sizeof *edges;
    for (size_t r = 0; r < sizeof rocs / sizeof *rocs; r++) {
        for (size_t i = 0; i < n; i++) {
            for (size_t k = 0; k < n; k++) {
                struct rmi_srtp_window w = {.newest = rocs[r] << 16 | edges[i], .started = true};
                int64_t want = index_of_the_appendix(edges[k], edges[i], (int64_t)rocs[r]);
                uint64_t got;
                bool ok = rmi_srtp_guess_index(&w, edges[k], &got);
                if (want < 0)
                    want += 65536; /* no counter before the first: the packet is ahead */
                assert_int_equal(ok, want >> 48 == 0);
                assert_int_equal(got, want);
            }
        }
    }
    struct rmi_srtp_window fresh = {.started = false};
    for (size_t k = 0; k < n; k++) {
        uint64_t got;
        assert_true(rmi_srtp_guess_index(&fresh, edges[k], &got));
        assert_int_equal(got, edges[k]);
    }
}

/* The window against a list of everything ever seen. */
static void the_window_remembers_exactly(void **state) {
    (void)state;
    static uint8_t seen[200000];
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 11);
    for (uint64_t start = 0; start <= 70000; start += 35000) {
        struct rmi_srtp_window w = {.started = false};
        uint64_t newest = start;
        memset(seen, 0, sizeof seen);
        for (int step = 0; step < 20000; step++) {
            uint64_t r = rmi_prng_next(&prng), index = newest + (r >> 8) % 5;
            if (r % 100 == 0)
                index = newest + (r >> 8) % 1500; /* a leap, over the whole window at times */
            else if (r % 3 == 0)
                index = newest - ((r >> 8) % 1100 < newest ? (r >> 8) % 1100 : newest);
            if (index >= sizeof seen)
                break;
            bool old = w.started && newest > index && newest - index > 1023;
            assert_int_equal(rmi_srtp_window_reaches(&w, index), !old);
            assert_int_equal(rmi_srtp_window_admits(&w, index), !old && !seen[index]);
            if (old || seen[index])
                continue;
            rmi_srtp_window_add(&w, index);
            seen[index] = 1;
            if (index > newest)
                newest = index;
            assert_false(rmi_srtp_window_admits(&w, index));
            assert_int_equal(w.newest, step == 0 ? index : newest);
            newest = w.newest;
        }
    }
}

static void the_source_unused_longest_makes_room(void **state) {
    (void)state;
    struct rmi_srtp_sources t = {0};
    for (uint32_t i = 0; i < 8; i++) {
        struct rmi_srtp_source *s = rmi_srtp_sources_add(&t, 100 + i, 8);
        assert_non_null(s);
        rmi_srtp_sources_touch(&t, s);
        rmi_srtp_window_add(&s->rtp, i);
    }
    rmi_srtp_sources_touch(&t, rmi_srtp_sources_find(&t, 100));
    rmi_srtp_sources_touch(&t, rmi_srtp_sources_find(&t, 102));
    static const uint32_t order[] = {101, 103, 104, 105, 106, 107, 100, 102, 200};
    for (uint32_t i = 0; i < sizeof order / sizeof *order; i++) {
        assert_non_null(rmi_srtp_sources_find(&t, order[i]));
        struct rmi_srtp_source *s = rmi_srtp_sources_add(&t, 200 + i, 8);
        assert_null(rmi_srtp_sources_find(&t, order[i]));
        assert_false(s->rtp.started); /* nothing of the one before */
        rmi_srtp_sources_touch(&t, s);
        assert_int_equal(t.count, 8);
    }
    rmi_srtp_sources_release(&t);
}

static void a_busy_source_stays(void **state) {
    (void)state;
    struct ends e = ends_create(GCM);
    uint8_t packet[BUFFER], busy[BUFFER];
    for (uint16_t i = 0; i < 3 * RMI_SRTP_SOURCES_IN_MAX; i++) {
        size_t len = sent(e.a, busy, 1, i); /* it has the first place of the table */
        assert_int_equal(received(e.b, busy, len), RM_OK);
        size_t other = sent(e.a, packet, 1000 + i, 1);
        assert_int_equal(received(e.b, packet, other), RM_OK);
        assert_int_equal(received(e.b, busy, len), RM_E_SRTP_REPLAY);
    }
    ends_destroy(&e);
}

/* Nothing that fails authentication makes, moves or pushes out anything. */
static void strangers_change_no_state(void **state) {
    (void)state;
    for (size_t p = 0; p < 2; p++) {
        struct ends e = ends_create(profiles[p]);
        uint8_t packet[BUFFER];
        for (uint32_t i = 0; i < RMI_SRTP_SOURCES_IN_MAX; i++) {
            size_t len = sent(e.a, packet, i, 30000);
            assert_int_equal(received(e.b, packet, len), RM_OK);
        }
        static struct rmi_srtp_source before[RMI_SRTP_SOURCES_IN_MAX];
        memcpy(before, e.b->sources_in.list, sizeof before);
        uint64_t clock = e.b->sources_in.clock;
        for (uint32_t i = 0; i < 3000; i++) { /* known and unknown sources, near and far sequence numbers */
            size_t len = make_rtp(packet, i % 256, (uint16_t)(i * 77), 60);
            assert_int_not_equal(rmi_srtp_unprotect_rtp(e.b, packet, &len), RM_OK);
            len = make_rtcp(packet, i % 256, 60);
            assert_int_not_equal(rmi_srtp_unprotect_rtcp(e.b, packet, &len), RM_OK);
        }
        assert_int_equal(e.b->sources_in.count, RMI_SRTP_SOURCES_IN_MAX);
        assert_int_equal(e.b->sources_in.clock, clock);
        assert_memory_equal(e.b->sources_in.list, before, sizeof before);
        ends_destroy(&e);
    }
}

static void indices_end(void **state) {
    (void)state;
    for (size_t p = 0; p < 2; p++) {
        struct ends e = ends_create(profiles[p]);
        uint8_t packet[BUFFER], copy[BUFFER];
        size_t len = sent(e.a, packet, 1, 1);
        assert_int_equal(received(e.b, packet, len), RM_OK);
        e.a->sources_out.list[0].rtp.newest = e.b->sources_in.list[0].rtp.newest = RMI_SRTP_INDEX_MAX - 1;
        len = sent(e.a, packet, 1, 0xffff);
        assert_int_equal(received(e.b, packet, len), RM_OK);
        len = make_rtp(packet, 1, 0, 40);
        memcpy(copy, packet, len);
        assert_int_equal(rmi_srtp_protect_rtp(e.a, packet, &len, BUFFER), RM_E_LIMIT);
        assert_memory_equal(packet, copy, len); /* not a byte was encrypted under a spent index */
        assert_int_equal(received(e.b, packet, len), RM_E_SRTP_AUTH);
        sent(e.a, packet, 2, 0); /* each source has its own */

        for (uint32_t left = 2; left-- > 0;) {
            e.a->sources_out.list[0].rtcp.newest = RMI_SRTCP_INDEX_MAX - left;
            len = make_rtcp(packet, 1, 40);
            assert_int_equal(rmi_srtp_protect_rtcp(e.a, packet, &len, BUFFER), left ? RM_OK : RM_E_LIMIT);
            if (left)
                assert_int_equal(rmi_srtp_unprotect_rtcp(e.b, packet, &len), RM_OK);
        }
        assert_int_equal(e.b->sources_in.list[0].rtcp.newest, RMI_SRTCP_INDEX_MAX);
        ends_destroy(&e);
    }
}

static void own_sources_are_never_forgotten(void **state) {
    (void)state;
    struct ends e = ends_create(GCM);
    uint8_t packet[BUFFER];
    for (uint32_t i = 0; i < RMI_SRTP_SOURCES_OUT_MAX; i++)
        sent(e.a, packet, i, 7);
    size_t len = make_rtp(packet, RMI_SRTP_SOURCES_OUT_MAX, 7, 40);
    assert_int_equal(rmi_srtp_protect_rtp(e.a, packet, &len, BUFFER), RM_E_LIMIT);
    for (uint32_t i = 0; i < RMI_SRTP_SOURCES_OUT_MAX; i++)
        assert_int_equal(e.a->sources_out.list[i].rtp.newest, 7);
    ends_destroy(&e);
}

/* An own packet from before the window is refused: the other side would not take it. */
static void a_packet_sent_too_late_is_refused(void **state) {
    (void)state;
    struct ends e = ends_create(CM);
    uint8_t packet[BUFFER];
    sent(e.a, packet, 1, 2000);
    sent(e.a, packet, 1, 2000 - 1023);
    size_t len = make_rtp(packet, 1, 2000 - 1024, 40);
    assert_int_equal(rmi_srtp_protect_rtp(e.a, packet, &len, BUFFER), RM_E_SRTP_REPLAY);
    ends_destroy(&e);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(indices_are_guessed_as_in_the_rfc),
        cmocka_unit_test(the_window_remembers_exactly),
        cmocka_unit_test(the_source_unused_longest_makes_room),
        cmocka_unit_test(a_busy_source_stays),
        cmocka_unit_test(strangers_change_no_state),
        cmocka_unit_test(indices_end),
        cmocka_unit_test(own_sources_are_never_forgotten),
        cmocka_unit_test(a_packet_sent_too_late_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
