/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/histogram.h"
#include "base/rng.h"
#include "base/time.h"
#include "jitter/video.h"
#include <string.h>

#define RATE 90000
#define FRAME_TICKS 3000

static struct rmi_video_buffer *new_buffer(bool repair) {
    struct rmi_video_buffer *b = NULL;
    const struct rmi_video_buffer_config c = {
        .clock_rate = RATE, .packets = 1024, .max_delay_us = RMI_MS(500), .repair = repair};
    assert_int_equal(rmi_video_buffer_create(&c, &b), RM_OK);
    return b;
}

/* Packet `k` of `n` of frame `f`, the stream's packet number `seq`. */
static struct rmi_video_packet packet(int64_t seq, int64_t f, unsigned k, unsigned n, bool key, int64_t now) {
    return (struct rmi_video_packet){.ssrc = 1,
                                     .seq = (uint16_t)seq,
                                     .timestamp = (uint32_t)(f * FRAME_TICKS),
                                     .first = k == 0,
                                     .marker = k == n - 1,
                                     .key = key,
                                     .arrival_us = now};
}

static void put(struct rmi_video_buffer *b, int64_t seq, int64_t f, unsigned k, unsigned n, bool key, int64_t now) {
    const struct rmi_video_packet p = packet(seq, f, k, n, key, now);
    assert_int_equal(rmi_video_buffer_insert(b, &p), RMI_VIDEO_STORED);
}

static void expect_frame(struct rmi_video_buffer *b, int64_t now, int64_t f, size_t count, bool key) {
    struct rmi_video_frame frame;
    assert_true(rmi_video_buffer_pop(b, now, &frame));
    assert_int_equal(frame.timestamp, (uint32_t)(f * FRAME_TICKS));
    assert_int_equal(frame.count, count);
    assert_int_equal(frame.key, key);
    rmi_video_frame_release(&frame);
}

static void expect_none(struct rmi_video_buffer *b, int64_t now) {
    struct rmi_video_frame frame;
    assert_false(rmi_video_buffer_pop(b, now, &frame));
}

static void whole_frames_come_at_once(void **state) {
    (void)state;
    struct rmi_video_buffer *b = new_buffer(true);
    for (int64_t f = 0; f < 100; f++) {
        const int64_t now = f * 33333;
        for (unsigned k = 0; k < 3; k++) {
            expect_none(b, now);
            put(b, 65500 + f * 3 + k, f + 1431600, k, 3, f == 0, now);
        }
        expect_frame(b, now, f + 1431600, 3, f == 0);
        assert_false(rmi_video_buffer_take_keyframe_request(b, now));
        assert_int_equal(rmi_video_buffer_next_deadline(b, now), RMI_NEVER);
    }
    assert_int_equal(rmi_video_buffer_get_stats(b).restarts, 1);
    rmi_video_buffer_destroy(&b);
}

static void a_repair_in_time_costs_nothing_else(void **state) {
    (void)state;
    struct rmi_video_buffer *b = new_buffer(true);
    rmi_video_buffer_set_rtt(b, RMI_MS(100));
    put(b, 0, 0, 0, 2, true, 0);
    put(b, 1, 0, 1, 2, true, 0);
    expect_frame(b, 0, 0, 2, true);
    put(b, 2, 1, 0, 3, false, RMI_MS(33));
    put(b, 4, 1, 2, 3, false, RMI_MS(33));
    put(b, 5, 2, 0, 1, false, RMI_MS(66));
    expect_none(b, RMI_MS(140));
    assert_int_equal(rmi_video_buffer_next_deadline(b, RMI_MS(140)), RMI_MS(33 + 405));
    put(b, 3, 1, 1, 3, false, RMI_MS(140));
    expect_frame(b, RMI_MS(140), 1, 3, false);
    expect_frame(b, RMI_MS(140), 2, 1, false);
    assert_false(rmi_video_buffer_take_keyframe_request(b, RMI_MS(140)));
    assert_int_equal(rmi_video_buffer_get_stats(b).losses, 0);
    rmi_video_buffer_destroy(&b);
}

static void without_repair_a_key_frame_is_asked_for(void **state) {
    (void)state;
    struct rmi_video_buffer *b = new_buffer(true);
    rmi_video_buffer_set_rtt(b, RMI_MS(48));
    put(b, 0, 0, 0, 1, true, 0);
    expect_frame(b, 0, 0, 1, true);
    put(b, 2, 2, 0, 1, false, RMI_MS(66));
    expect_none(b, RMI_MS(66 + 209));
    assert_false(rmi_video_buffer_take_keyframe_request(b, RMI_MS(66 + 209)));
    expect_none(b, RMI_MS(66 + 210));
    assert_true(rmi_video_buffer_take_keyframe_request(b, RMI_MS(66 + 210)));
    for (int64_t ms = 277; ms < 776; ms += 10)
        assert_false(rmi_video_buffer_take_keyframe_request(b, RMI_MS(ms)));
    assert_int_equal(rmi_video_buffer_next_deadline(b, RMI_MS(300)), RMI_MS(776));
    assert_true(rmi_video_buffer_take_keyframe_request(b, RMI_MS(776)));
    put(b, 10, 10, 0, 2, false, RMI_MS(780)); /* of no use */
    put(b, 12, 11, 0, 2, true, RMI_MS(790));
    assert_false(rmi_video_buffer_take_keyframe_request(b, RMI_MS(1300))); /* it is coming */
    put(b, 13, 11, 1, 2, true, RMI_MS(1301));
    struct rmi_video_frame frame;
    assert_true(rmi_video_buffer_pop(b, RMI_MS(1301), &frame));
    assert_true(frame.key && frame.after_loss);
    assert_int_equal(frame.timestamp, 11 * FRAME_TICKS);
    put(b, 14, 12, 0, 1, false, RMI_MS(1333));
    assert_true(rmi_video_buffer_pop(b, RMI_MS(1333), &frame));
    assert_false(frame.after_loss);
    rmi_video_buffer_destroy(&b);
}

static void a_whole_key_frame_replaces_what_is_missing(void **state) {
    (void)state;
    struct rmi_video_buffer *b = new_buffer(true);
    put(b, 0, 0, 0, 1, true, 0);
    expect_frame(b, 0, 0, 1, true);
    put(b, 2, 2, 0, 2, true, RMI_MS(66));
    expect_none(b, RMI_MS(66));
    put(b, 3, 2, 1, 2, true, RMI_MS(67));
    expect_frame(b, RMI_MS(67), 2, 2, true);
    assert_false(rmi_video_buffer_take_keyframe_request(b, RMI_MS(67)));
    rmi_video_buffer_destroy(&b);
}

static void a_disposable_frame_is_lost_alone(void **state) {
    (void)state;
    struct rmi_video_buffer *b = new_buffer(false);
    put(b, 0, 0, 0, 1, true, 0);
    expect_frame(b, 0, 0, 1, true);
    struct rmi_video_packet p = packet(1, 1, 0, 3, false, RMI_MS(33));
    p.disposable = true;
    rmi_video_buffer_insert(b, &p);
    put(b, 3, 1, 2, 3, false, RMI_MS(33));
    put(b, 4, 2, 0, 1, false, RMI_MS(40));
    expect_none(b, RMI_MS(52));
    expect_frame(b, RMI_MS(53), 2, 1, false);
    assert_false(rmi_video_buffer_take_keyframe_request(b, RMI_MS(53)));
    rmi_video_buffer_destroy(&b);
}

static void a_stream_joined_late_asks_at_once(void **state) {
    (void)state;
    struct rmi_video_buffer *b = new_buffer(true);
    assert_false(rmi_video_buffer_take_keyframe_request(b, 0));
    put(b, 100, 7, 1, 3, false, RMI_MS(5));
    assert_false(rmi_video_buffer_take_keyframe_request(b, RMI_MS(5)));
    assert_int_equal(rmi_video_buffer_next_deadline(b, RMI_MS(5)), RMI_MS(25));
    assert_true(rmi_video_buffer_take_keyframe_request(b, RMI_MS(25)));
    /* But not when it was a key frame whose first packet was overtaken. */
    struct rmi_video_buffer *c = new_buffer(true);
    put(c, 1, 0, 1, 2, false, 0);
    put(c, 0, 0, 0, 2, true, RMI_MS(2));
    expect_frame(c, RMI_MS(2), 0, 2, true);
    assert_false(rmi_video_buffer_take_keyframe_request(c, RMI_MS(25)));
    rmi_video_buffer_destroy(&b);
    rmi_video_buffer_destroy(&c);
}

static void padding_and_missing_markers(void **state) {
    (void)state;
    struct rmi_video_buffer *b = new_buffer(true);
    put(b, 0, 0, 0, 1, true, 0);
    struct rmi_video_packet pad = packet(1, 0, 1, 9, false, 0);
    pad.padding = true;
    rmi_video_buffer_insert(b, &pad);
    expect_frame(b, 0, 0, 1, true);
    put(b, 2, 1, 0, 9, false, RMI_MS(33)); /* no marker */
    put(b, 3, 1, 1, 9, false, RMI_MS(33));
    expect_none(b, RMI_MS(33));
    put(b, 4, 2, 0, 1, false, RMI_MS(66));
    expect_frame(b, RMI_MS(66), 1, 2, false);
    expect_frame(b, RMI_MS(66), 2, 1, false);
    rmi_video_buffer_destroy(&b);
}

static void the_decoder_can_ask(void **state) {
    (void)state;
    struct rmi_video_buffer *b = new_buffer(true);
    put(b, 0, 0, 0, 1, true, 0);
    expect_frame(b, 0, 0, 1, true);
    rmi_video_buffer_require_keyframe(b, RMI_MS(10));
    assert_true(rmi_video_buffer_take_keyframe_request(b, RMI_MS(10)));
    put(b, 1, 1, 0, 1, false, RMI_MS(33));
    expect_none(b, RMI_MS(33));
    put(b, 2, 2, 0, 1, true, RMI_MS(66));
    expect_frame(b, RMI_MS(66), 2, 1, true);
    rmi_video_buffer_destroy(&b);
}

static void sync_holds_frames_back(void **state) {
    (void)state;
    struct rmi_video_buffer *b = new_buffer(true);
    struct rmi_av_timing timing;
    rmi_video_buffer_timing(b, &timing);
    assert_false(timing.valid);
    rmi_video_buffer_set_sync_delay(b, RMI_MS(50));
    put(b, 0, 0, 0, 1, true, RMI_MS(100));
    expect_frame(b, RMI_MS(100), 0, 1, true);
    put(b, 1, 3, 0, 1, false, RMI_MS(220)); /* 20 ms late */
    assert_int_equal(rmi_video_buffer_next_deadline(b, RMI_MS(220)), RMI_MS(250));
    expect_none(b, RMI_MS(249));
    expect_frame(b, RMI_MS(250), 3, 1, false);
    rmi_video_buffer_timing(b, &timing);
    assert_true(timing.valid);
    assert_int_equal(timing.timestamp, 3 * FRAME_TICKS);
    assert_int_equal(timing.earliest_us, RMI_MS(200));
    assert_int_equal(timing.delay_us, RMI_MS(50));
    rmi_video_buffer_destroy(&b);
}

static void references_are_given_back(void **state) {
    (void)state;
    struct rmi_video_buffer *b = new_buffer(true);
    struct rmi_buf *buf = rmi_buf_alloc(16, NULL);
    for (int64_t i = 0; i < 50; i++) {
        struct rmi_video_packet p = packet(i * 2, i, 0, 2, i == 0, i * 1000);
        p.buf = buf;
        rmi_video_buffer_insert(b, &p);
        rmi_video_buffer_insert(b, &p); /* a duplicate takes none */
    }
    assert_false(rmi_buf_is_single(buf));
    rmi_video_buffer_destroy(&b);
    assert_true(rmi_buf_is_single(buf));
    rmi_buf_unref(&buf);
}

static void configurations_are_checked(void **state) {
    (void)state;
    struct rmi_video_buffer *b = NULL;
    const struct rmi_video_buffer_config good = {.clock_rate = RATE, .packets = 64, .max_delay_us = RMI_MS(100)};
    struct rmi_video_buffer_config c = good;
    c.packets = 1000;
    assert_int_equal(rmi_video_buffer_create(&c, &b), RM_E_INVALID_ARG);
    c = good;
    c.max_delay_us = RMI_SEC(2);
    assert_int_equal(rmi_video_buffer_create(&c, &b), RM_E_INVALID_ARG);
    c = good;
    c.clock_rate = 0;
    assert_int_equal(rmi_video_buffer_create(&c, &b), RM_E_INVALID_ARG);
    assert_int_equal(rmi_video_buffer_create(NULL, &b), RM_E_INVALID_ARG);
    assert_null(b);
    rmi_video_buffer_destroy(&b);
    rmi_video_buffer_destroy(NULL);
}

/* A sender, a lossy network with repair, in 1 ms steps: known-failures.md 13. */
struct flight {
    struct rmi_video_packet p;
    int64_t sent_us;
};
struct link {
    struct rmi_prng prng;
    struct flight flights[8192];
    size_t count;
    double loss;
    int64_t rtt_us, jitter_us;
};

static double chance(struct link *l) {
    return (double)(rmi_prng_next(&l->prng) >> 11) / (double)(1ULL << 53);
}

static void transmit(struct link *l, struct rmi_video_packet p, int64_t now) {
    /* NACK: the receiver notices one packet later, asks, and gets it a round trip after; the same for the repair. */
    int64_t at = now + l->rtt_us / 2 + (int64_t)(chance(l) * (double)l->jitter_us);
    for (unsigned tries = 0; chance(l) < l->loss; tries++) {
        at += l->rtt_us + RMI_MS(10);
        if (tries == 3)
            return;
    }
    assert_true(l->count < sizeof l->flights / sizeof *l->flights);
    p.arrival_us = at;
    l->flights[l->count++] = (struct flight){.p = p, .sent_us = now};
    if (chance(l) < 0.05) {
        p.arrival_us += RMI_MS(3);
        l->flights[l->count++] = (struct flight){.p = p, .sent_us = now};
    }
}

static void deliver(struct link *l, struct rmi_video_buffer *b, int64_t now) {
    for (size_t i = 0; i < l->count;) {
        if (l->flights[i].p.arrival_us > now) {
            i++;
            continue;
        }
        rmi_video_buffer_insert(b, &l->flights[i].p);
        l->flights[i] = l->flights[--l->count];
    }
}

struct outcome {
    struct rmi_histogram freeze, delay;
    uint64_t sent, shown;
};

static void run_call(double loss, int64_t jitter_us, uint64_t seed, struct outcome *out) {
    static struct link l;
    memset(&l, 0, sizeof l);
    memset(out, 0, sizeof *out);
    l.loss = loss;
    l.rtt_us = RMI_MS(100);
    l.jitter_us = jitter_us;
    rmi_prng_seed(&l.prng, seed);
    struct rmi_video_buffer *b = new_buffer(true);
    rmi_video_buffer_set_rtt(b, l.rtt_us);
    int64_t seq = 60000, frame_no = 0, key_at = 0, last_shown = -1, last_frame = -1, last_asked = -RMI_SEC(1);
    bool decodable = false;
    for (int64_t now = 0; now < RMI_SEC(120); now += RMI_MS(1)) {
        if (now >= frame_no * 100000 / 3) {
            const bool key = key_at <= now;
            const unsigned n = key ? 40 : 1 + (unsigned)(rmi_prng_next(&l.prng) % 8);
            for (unsigned k = 0; k < n; k++)
                transmit(&l, packet(seq++, frame_no, k, n, key, 0), now);
            frame_no++;
            if (key)
                key_at = INT64_MAX;
        }
        deliver(&l, b, now);
        struct rmi_video_frame frame;
        while (rmi_video_buffer_pop(b, now, &frame)) {
            const int64_t f = frame.timestamp / FRAME_TICKS;
            assert_true(f > last_frame); /* in order, once */
            assert_true(frame.key || (decodable && f == last_frame + 1));
            assert_true(frame.packets[0].first && frame.packets[frame.count - 1].marker);
            for (size_t i = 1; i < frame.count; i++)
                assert_int_equal(frame.packets[i].seq, (uint16_t)(frame.packets[i - 1].seq + 1));
            decodable = true;
            last_frame = f;
            if (last_shown >= 0 && now - last_shown > RMI_MS(67)) /* two frames' time: a viewer may notice */
                rmi_histogram_add(&out->freeze, (uint64_t)(now - last_shown));
            last_shown = now;
            rmi_histogram_add(&out->delay, (uint64_t)(now - f * 100000 / 3 - l.rtt_us / 2));
            out->shown++;
        }
        if (rmi_video_buffer_take_keyframe_request(b, now)) {
            assert_true(now - last_asked >= RMI_MS(500));
            last_asked = now;
            if (key_at == INT64_MAX)
                key_at = now + l.rtt_us / 2;
        }
        assert_true(rmi_video_buffer_next_deadline(b, now) >= now);
    }
    out->sent = (uint64_t)frame_no;
    const struct rmi_video_buffer_stats s = rmi_video_buffer_get_stats(b);
    assert_true(s.held_peak <= 1024);
    print_message("loss %4.1f %%, jitter %2lld ms: shown %.2f %%, delay p50 %.0f p95 %.0f p99 %.0f ms, freezes %llu "
                  "p50 %.0f p95 %.0f max %.0f ms, key frames asked %llu\n",
                  100 * loss, (long long)jitter_us / 1000, 100 * (double)out->shown / (double)out->sent,
                  (double)rmi_histogram_percentile(&out->delay, 50) / 1e3,
                  (double)rmi_histogram_percentile(&out->delay, 95) / 1e3,
                  (double)rmi_histogram_percentile(&out->delay, 99) / 1e3, (unsigned long long)out->freeze.count,
                  (double)rmi_histogram_percentile(&out->freeze, 50) / 1e3,
                  (double)rmi_histogram_percentile(&out->freeze, 95) / 1e3, (double)out->freeze.max / 1e3,
                  (unsigned long long)s.keyframe_requests);
    rmi_video_buffer_destroy(&b);
}

static void calls_over_lossy_networks(void **state) {
    (void)state;
    static const double losses[] = {0, 0.01, 0.03, 0.05, 0.10};
    struct outcome o;
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++) {
        for (int64_t jitter = 0; jitter <= 30; jitter += 15) {
            run_call(losses[i], RMI_MS(jitter), i * 10 + (uint64_t)jitter, &o);
            assert_true(rmi_histogram_percentile(&o.freeze, 95) < (uint64_t)RMI_MS(300));
            assert_true(o.shown * 10 > o.sent * 9);
            if (losses[i] == 0 && jitter == 0) {
                assert_int_equal(o.freeze.count, 0);
                assert_true(o.delay.max <= (uint64_t)RMI_MS(1));
                assert_true(o.shown + 3 >= o.sent);
            }
        }
    }
}

/* Anything at all: nothing breaks, what comes out is in order, memory stays bounded. */
static void hostile_packets_are_survived(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct rmi_prng prng;
        rmi_prng_seed(&prng, seed);
        const struct rmi_video_buffer_config c = {
            .clock_rate = RATE, .packets = 64, .max_delay_us = RMI_MS(200), .repair = seed & 1};
        struct rmi_video_buffer *b = NULL;
        assert_int_equal(rmi_video_buffer_create(&c, &b), RM_OK);
        struct rmi_buf *buf = rmi_buf_alloc(4, NULL);
        int64_t now = 0, asked = -RMI_SEC(1);
        uint16_t seq = 0;
        for (int step = 0; step < 20000; step++) {
            const uint64_t r = rmi_prng_next(&prng);
            now += (int64_t)(r % 2000);
            seq = (r >> 8) % 50 == 0 ? (uint16_t)(r >> 20) : (uint16_t)(seq + (r >> 16) % 5 - 1);
            const struct rmi_video_packet p = {.ssrc = (r >> 24) % 500 == 0,
                                               .seq = seq,
                                               .timestamp = (r >> 9) % 40 == 0 ? (uint32_t)(r >> 32) : seq / 4 * 3000U,
                                               .marker = r >> 60 & 1,
                                               .first = r >> 61 & 1,
                                               .key = r >> 62 & 1,
                                               .padding = (r >> 50) % 10 == 0,
                                               .disposable = r >> 63,
                                               .arrival_us = now,
                                               .buf = buf};
            rmi_video_buffer_insert(b, &p);
            struct rmi_video_frame frame;
            if (r >> 40 & 3)
                while (rmi_video_buffer_pop(b, now, &frame)) {
                    assert_true(frame.count > 0 && frame.count <= 64);
                    for (size_t i = 1; i < frame.count; i++)
                        assert_true((int16_t)(frame.packets[i].seq - frame.packets[i - 1].seq) > 0);
                    rmi_video_frame_release(&frame);
                }
            if (rmi_video_buffer_take_keyframe_request(b, now)) {
                assert_true(now - asked >= RMI_MS(500));
                asked = now;
            }
            assert_true(rmi_video_buffer_next_deadline(b, now) >= now);
            assert_true(rmi_video_buffer_get_stats(b).held <= 64);
        }
        rmi_video_buffer_destroy(&b);
        assert_true(rmi_buf_is_single(buf));
        rmi_buf_unref(&buf);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_frames_come_at_once),
        cmocka_unit_test(a_repair_in_time_costs_nothing_else),
        cmocka_unit_test(without_repair_a_key_frame_is_asked_for),
        cmocka_unit_test(a_whole_key_frame_replaces_what_is_missing),
        cmocka_unit_test(a_disposable_frame_is_lost_alone),
        cmocka_unit_test(a_stream_joined_late_asks_at_once),
        cmocka_unit_test(padding_and_missing_markers),
        cmocka_unit_test(the_decoder_can_ask),
        cmocka_unit_test(sync_holds_frames_back),
        cmocka_unit_test(references_are_given_back),
        cmocka_unit_test(configurations_are_checked),
        cmocka_unit_test(calls_over_lossy_networks),
        cmocka_unit_test(hostile_packets_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
