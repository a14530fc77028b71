/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "base/time.h"
#include "jitter/audio.h"
#include <string.h>

#define RATE 48000
#define TICKS 960 /* 20 ms */
#define CHUNK 480

static struct rmi_audio_buffer *new_buffer(int64_t max_delay_us) {
    struct rmi_audio_buffer *b = NULL;
    const struct rmi_audio_buffer_config c = {.clock_rate = RATE, .chunk_ticks = CHUNK, .max_delay_us = max_delay_us};
    assert_int_equal(rmi_audio_buffer_create(&c, &b), RM_OK);
    return b;
}

static struct rmi_audio_packet packet(int64_t n, int64_t now) {
    return (struct rmi_audio_packet){
        .ssrc = 1, .seq = (uint16_t)n, .timestamp = (uint32_t)(n * TICKS), .duration = TICKS, .arrival_us = now};
}

static enum rmi_audio_verdict put(struct rmi_audio_buffer *b, int64_t n, int64_t now) {
    const struct rmi_audio_packet p = packet(n, now);
    return rmi_audio_buffer_insert(b, &p);
}

static struct rmi_audio_decision pull(struct rmi_audio_buffer *b, int64_t now, uint32_t store) {
    struct rmi_audio_decision d;
    rmi_audio_buffer_pull(b, now, store, &d);
    return d;
}

#define EXPECT_PLAY(b, now, n)                                                                                         \
    do {                                                                                                               \
        const struct rmi_audio_decision d_ = pull(b, now, 0);                                                          \
        assert_int_equal(d_.action, RMI_AUDIO_PLAY);                                                                   \
        assert_int_equal(d_.seq, (uint16_t)(n));                                                                       \
    } while (0)

static void configurations_are_checked(void **state) {
    (void)state;
    static const struct rmi_audio_buffer_config bad[] = {
        {.clock_rate = 0, .chunk_ticks = 480},
        {.clock_rate = RATE, .chunk_ticks = 0},
        {.clock_rate = RATE, .chunk_ticks = RATE},
        {.clock_rate = RATE, .chunk_ticks = 480, .max_delay_us = -1},
        {.clock_rate = RATE, .chunk_ticks = 480, .max_delay_us = RMI_SEC(2)},
        {.clock_rate = RATE, .chunk_ticks = 480, .max_delay_us = 5, .min_delay_us = 6},
    };
    struct rmi_audio_buffer *b = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(rmi_audio_buffer_create(&bad[i], &b), RM_E_INVALID_ARG);
    assert_int_equal(rmi_audio_buffer_create(NULL, &b), RM_E_INVALID_ARG);
    rmi_audio_buffer_destroy(&b);
    rmi_audio_buffer_destroy(NULL);
}

static void nothing_is_played_before_the_first_packet(void **state) {
    (void)state;
    struct rmi_audio_buffer *b = new_buffer(RMI_MS(200));
    assert_int_equal(pull(b, 0, 0).action, RMI_AUDIO_WAIT);
    assert_int_equal(rmi_audio_buffer_next_due(b), RMI_NEVER);
    struct rmi_av_timing timing;
    rmi_audio_buffer_timing(b, &timing);
    assert_false(timing.valid);
    assert_int_equal(put(b, 0, RMI_MS(3)), RMI_AUDIO_STORED);
    EXPECT_PLAY(b, RMI_MS(10), 0);
    assert_int_equal(pull(b, RMI_MS(20), CHUNK).action, RMI_AUDIO_WAIT); /* there is a chunk in store */
    assert_int_equal(rmi_audio_buffer_next_due(b), RMI_MS(23));
    rmi_audio_buffer_timing(b, &timing);
    assert_true(timing.valid);
    assert_int_equal(timing.earliest_us, RMI_MS(3));
    rmi_audio_buffer_destroy(&b);
}

static void copies_and_late_packets_are_told_apart(void **state) {
    (void)state;
    struct rmi_audio_buffer *b = new_buffer(RMI_MS(200));
    for (int64_t n = 65530; n < 65534; n++)
        put(b, n, RMI_MS(20) * (n - 65530));
    assert_int_equal(put(b, 65532, RMI_MS(61)), RMI_AUDIO_DUPLICATE);
    EXPECT_PLAY(b, RMI_MS(62), 65530);
    EXPECT_PLAY(b, RMI_MS(62), 65531);
    assert_int_equal(put(b, 65531, RMI_MS(63)), RMI_AUDIO_DUPLICATE); /* played */
    EXPECT_PLAY(b, RMI_MS(80), 65532);
    EXPECT_PLAY(b, RMI_MS(80), 65533);
    put(b, 65536, RMI_MS(120));
    assert_int_equal(pull(b, RMI_MS(125), 0).action, RMI_AUDIO_CONCEAL);
    put(b, 65535, RMI_MS(126)); /* overtaken, but in time */
    assert_int_equal(pull(b, RMI_MS(135), 0).action, RMI_AUDIO_CONCEAL);
    EXPECT_PLAY(b, RMI_MS(145), 65535);
    assert_int_equal(put(b, 65534, RMI_MS(146)), RMI_AUDIO_LATE);
    assert_int_equal(put(b, 65529, RMI_MS(146)), RMI_AUDIO_LATE);
    EXPECT_PLAY(b, RMI_MS(165), 65536);
    const struct rmi_audio_buffer_stats s = rmi_audio_buffer_get_stats(b);
    assert_int_equal(s.duplicates, 2);
    assert_int_equal(s.late, 2);
    assert_int_equal(s.held, 0);
    assert_int_equal(s.concealed_ticks, 960);
    rmi_audio_buffer_destroy(&b);
}

static void fec_comes_before_its_carrier(void **state) {
    (void)state;
    struct rmi_audio_buffer *b = new_buffer(RMI_MS(200));
    struct rmi_buf *buf = rmi_buf_alloc(8, NULL);
    put(b, 0, 0);
    EXPECT_PLAY(b, 0, 0);
    struct rmi_audio_packet p = packet(3, RMI_MS(41)); /* 1 and 2 are lost, 3 early */
    p.fec = true;
    p.buf = buf;
    p.offset = 2;
    p.len = 6;
    assert_int_equal(rmi_audio_buffer_insert(b, &p), RMI_AUDIO_STORED);
    struct rmi_audio_decision d = pull(b, RMI_MS(42), 0);
    assert_int_equal(d.action, RMI_AUDIO_CONCEAL); /* 1 */
    assert_int_equal(d.duration, CHUNK);
    assert_int_equal(d.timestamp, TICKS);
    assert_false(d.comfort_noise);
    assert_int_equal(pull(b, RMI_MS(52), 0).action, RMI_AUDIO_CONCEAL);
    d = pull(b, RMI_MS(62), 0);
    assert_int_equal(d.action, RMI_AUDIO_FEC); /* 2 */
    assert_ptr_equal(d.buf, buf);
    assert_int_equal(d.offset, 2);
    assert_int_equal(d.len, 6);
    assert_int_equal(d.duration, TICKS);
    assert_int_equal(d.timestamp, 2 * TICKS);
    assert_int_equal(d.seq, 2);
    rmi_buf_unref(&d.buf);
    d = pull(b, RMI_MS(82), 0);
    assert_int_equal(d.action, RMI_AUDIO_PLAY);
    assert_int_equal(d.seq, 3);
    assert_int_equal(d.waited_us, RMI_MS(41));
    rmi_buf_unref(&d.buf);
    assert_true(rmi_buf_is_single(buf));
    rmi_buf_unref(&buf);
    rmi_audio_buffer_destroy(&b);
}

static void silence_is_not_loss(void **state) {
    (void)state;
    struct rmi_audio_buffer *b = new_buffer(RMI_MS(200));
    struct rmi_audio_packet p = packet(0, 0);
    p.dtx = true;
    rmi_audio_buffer_insert(b, &p);
    EXPECT_PLAY(b, 0, 0);
    for (int64_t t = 20; t < 400; t += 10) {
        const struct rmi_audio_decision d = pull(b, RMI_MS(t), 0);
        assert_int_equal(d.action, RMI_AUDIO_CONCEAL);
        assert_true(d.comfort_noise);
    }
    /* The next comes 400 ms of the sender's clock later, and is played when it comes. */
    p = packet(1, RMI_MS(401));
    p.timestamp = 20 * TICKS;
    rmi_audio_buffer_insert(b, &p);
    EXPECT_PLAY(b, RMI_MS(410), 1);
    struct rmi_audio_buffer_stats s = rmi_audio_buffer_get_stats(b);
    assert_int_equal(s.concealed_ticks, 0);
    assert_int_equal(s.starved, 0);
    assert_int_equal(s.restarts, 1);
    assert_true(s.comfort_ticks > 0);
    /* Nothing for a second: it is over. */
    assert_int_equal(pull(b, RMI_MS(1400), 0).action, RMI_AUDIO_CONCEAL);
    assert_int_equal(pull(b, RMI_MS(1410), 0).action, RMI_AUDIO_WAIT);
    assert_int_equal(pull(b, RMI_MS(1420), 0).action, RMI_AUDIO_WAIT);
    p = packet(2, RMI_MS(5001));
    p.timestamp = 250 * TICKS;
    rmi_audio_buffer_insert(b, &p);
    EXPECT_PLAY(b, RMI_MS(5010), 2);
    rmi_audio_buffer_destroy(&b);
}

static void a_new_source_or_clock_starts_over(void **state) {
    (void)state;
    struct rmi_audio_buffer *b = new_buffer(RMI_MS(200));
    for (int64_t n = 0; n < 5; n++)
        put(b, n, RMI_MS(20) * n);
    EXPECT_PLAY(b, RMI_MS(80), 0);
    struct rmi_audio_packet p = packet(40000, RMI_MS(100));
    p.ssrc = 2;
    assert_int_equal(rmi_audio_buffer_insert(b, &p), RMI_AUDIO_STORED);
    assert_int_equal(put(b, 5, RMI_MS(101)), RMI_AUDIO_IMPLAUSIBLE); /* of the source before */
    EXPECT_PLAY(b, RMI_MS(110), 40000);
    p.seq++;
    p.timestamp += 123456789; /* the clock leaps */
    p.arrival_us = RMI_MS(120);
    assert_int_equal(rmi_audio_buffer_insert(b, &p), RMI_AUDIO_STORED);
    EXPECT_PLAY(b, RMI_MS(130), 40001);
    const struct rmi_audio_buffer_stats s = rmi_audio_buffer_get_stats(b);
    assert_int_equal(s.restarts, 3);
    assert_int_equal(s.held, 0);
    rmi_audio_buffer_destroy(&b);
}

/* known-failures.md 25: a consumer that stands still for ten seconds. */
static void a_slow_consumer_loses_the_oldest(void **state) {
    (void)state;
    struct rmi_audio_buffer *b = new_buffer(RMI_MS(200));
    struct rmi_buf *buf = rmi_buf_alloc(8, NULL);
    int64_t n = 0;
    for (; n < 500; n++) {
        struct rmi_audio_packet p = packet(n, RMI_MS(20) * n);
        p.buf = buf;
        rmi_audio_buffer_insert(b, &p);
        assert_true(rmi_audio_buffer_get_stats(b).held <= 256);
    }
    struct rmi_audio_decision d = pull(b, RMI_MS(20) * n, 0);
    assert_int_equal(d.action, RMI_AUDIO_PLAY);
    assert_true(d.seq >= 500 - 16); /* ceiling and 100 ms */
    rmi_buf_unref(&d.buf);
    rmi_audio_buffer_destroy(&b);
    assert_true(rmi_buf_is_single(buf));
    rmi_buf_unref(&buf);
}

static void sync_delay_is_held(void **state) {
    (void)state;
    struct rmi_audio_buffer *b = new_buffer(RMI_MS(50));
    rmi_audio_buffer_set_sync_delay(b, RMI_MS(105));
    int64_t store = 0, now = 0;
    for (int64_t n = 0; now < RMI_SEC(5); now += RMI_MS(10)) {
        for (; RMI_MS(20) * n <= now; n++)
            put(b, n, RMI_MS(20) * n);
        while (store < CHUNK) {
            const struct rmi_audio_decision d = pull(b, now, (uint32_t)store);
            if (d.action == RMI_AUDIO_WAIT)
                store = CHUNK;
            else
                store += (int32_t)d.duration + d.stretch_ticks;
        }
        store -= CHUNK;
    }
    assert_in_range(rmi_audio_buffer_get_stats(b).delay_us, RMI_MS(100), RMI_MS(112));
    assert_int_equal(rmi_audio_buffer_get_stats(b).target_us, RMI_MS(100));
    rmi_audio_buffer_set_sync_delay(b, RMI_SEC(100));
    assert_int_equal(rmi_audio_buffer_get_stats(b).target_us, RMI_AV_SYNC_MAX_US);
    rmi_audio_buffer_destroy(&b);
}

/* Anything at all. */
static void chunks_may_change_their_length(void **state) {
    (void)state;
    struct rmi_audio_buffer *b = new_buffer(RMI_MS(100));
    assert_int_equal(rmi_audio_buffer_set_chunk(b, 0), RM_E_INVALID_ARG);
    assert_int_equal(rmi_audio_buffer_set_chunk(b, RATE), RM_E_INVALID_ARG);
    put(b, 0, 0);
    EXPECT_PLAY(b, 0, 0);
    put(b, 1, RMI_MS(10));
    /* With a chunk of the old length in store nothing is to be done, with half of a longer one there is. */
    assert_int_equal(pull(b, RMI_MS(10), CHUNK).action, RMI_AUDIO_WAIT);
    assert_int_equal(rmi_audio_buffer_set_chunk(b, 2 * CHUNK), RM_OK);
    assert_int_equal(pull(b, RMI_MS(10), CHUNK).action, RMI_AUDIO_PLAY);
    rmi_audio_buffer_destroy(&b);
}

static void hostile_packets_are_survived(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct rmi_prng prng;
        rmi_prng_seed(&prng, seed);
        struct rmi_audio_buffer *b = new_buffer(RMI_MS((int64_t)(seed % 4) * 66));
        struct rmi_buf *buf = rmi_buf_alloc(4, NULL);
        int64_t now = 0, last = -1;
        uint16_t seq = (uint16_t)rmi_prng_next(&prng);
        uint64_t restarts = 0;
        for (int step = 0; step < 20000; step++) {
            const uint64_t r = rmi_prng_next(&prng);
            now += r & 1 ? (int64_t)(r >> 1) % 20000 : 0;
            seq = (r >> 8) % 60 == 0 ? (uint16_t)(r >> 20) : (uint16_t)(seq + (r >> 16) % 5 - 1);
            const struct rmi_audio_packet p = {.ssrc = (r >> 24) % 300 == 0,
                                               .seq = seq,
                                               .timestamp = (r >> 9) % 30 == 0 ? (uint32_t)(r >> 32) : seq * 960U,
                                               .duration = (r >> 12) % 9 == 0 ? (uint32_t)(r >> 30) % 7000 : 960,
                                               .fec = r >> 60 & 1,
                                               .dtx = r >> 61 & 1,
                                               .redundant = r >> 62 & 1,
                                               .arrival_us = now,
                                               .buf = buf};
            rmi_audio_buffer_insert(b, &p);
            const struct rmi_audio_buffer_stats s = rmi_audio_buffer_get_stats(b);
            assert_true(s.held <= 256);
            if (s.restarts != restarts)
                last = -1;
            restarts = s.restarts;
            rmi_audio_buffer_set_sync_delay(b, (int64_t)(r >> 40) - (1 << 20));
            for (uint32_t store = (uint32_t)(r >> 3) % CHUNK, turns = 0; store < CHUNK && (r >> 50 & 1); turns++) {
                struct rmi_audio_decision d = pull(b, now, store);
                assert_true(turns < 1000);
                if (d.action == RMI_AUDIO_WAIT)
                    break;
                assert_true(d.duration > 0 && d.duration <= RATE / 8);
                assert_true((int64_t)d.duration + d.stretch_ticks > 0);
                if (d.action == RMI_AUDIO_PLAY) { /* in order, once */
                    assert_true(last < 0 || (int16_t)(d.seq - (uint16_t)last) > 0);
                    last = d.seq;
                }
                store += d.duration;
                rmi_buf_unref(&d.buf);
            }
        }
        rmi_audio_buffer_destroy(&b);
        assert_true(rmi_buf_is_single(buf));
        rmi_buf_unref(&buf);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configurations_are_checked),
        cmocka_unit_test(nothing_is_played_before_the_first_packet),
        cmocka_unit_test(copies_and_late_packets_are_told_apart),
        cmocka_unit_test(fec_comes_before_its_carrier),
        cmocka_unit_test(silence_is_not_loss),
        cmocka_unit_test(a_new_source_or_clock_starts_over),
        cmocka_unit_test(a_slow_consumer_loses_the_oldest),
        cmocka_unit_test(sync_delay_is_held),
        cmocka_unit_test(chunks_may_change_their_length),
        cmocka_unit_test(hostile_packets_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
