/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
#include "rtp/rtp_testkit.h"
#include "rtp/twcc.h"

#define MS 1000
#define ROOM 1200

static rm_err open_feedback(const uint8_t *data, size_t len, struct rmi_twcc_reader *r) {
    struct rmi_rtcp_reader rtcp;
    struct rmi_rtcp_item item;
    if (rmi_rtcp_begin(&rtcp, data, len) != RM_OK || rmi_rtcp_next(&rtcp, &item) != RM_OK)
        return RM_E_PARSE;
    return rmi_twcc_begin(r, &item);
}

/* header(12) base(2) count(2) reference(3) feedback(1) */
#define FEEDBACK(words, base, count, ref)                                                                              \
    0x8f, 205, 0, words, 0, 0, 0, 1, 0, 0, 0, 2, (base) >> 8, (base)&0xff, (count) >> 8, (count)&0xff,                 \
        (ref) >> 16 & 0xff, (ref) >> 8 & 0xff, (ref)&0xff, 7

static void all_kinds_of_chunk_parse(void **state) {
    (void)state;
    /* run of 3 small; run of 2 lost; 1-bit vector 10000000000001; 2-bit vector 01 10 00 00 00 00 01 (7). */
    const uint8_t packet[] = {FEEDBACK(9, 0xfffe, 26, 0xfffffe),
                              0x20,
                              3,
                              0,
                              2,
                              0xa0,
                              0x01,
                              0xd8,
                              0x01,
                              1,
                              2,
                              3,
                              4,
                              5,
                              6,
                              0xff,
                              0xfe,
                              8,
                              0,
                              0,
                              0};
    struct rmi_twcc_reader r;
    struct rmi_twcc_arrival a;
    assert_int_equal(open_feedback(packet, sizeof packet, &r), RM_OK);
    assert_int_equal(r.base_seq, 0xfffe);
    assert_int_equal(r.count, 26);
    assert_int_equal(r.feedback_count, 7);
    assert_int_equal(r.reference, -2);
    static const struct {
        uint16_t seq;
        int64_t ticks;
    } want[] = {{0xfffe, 1}, {0xffff, 3}, {0, 6}, {3, 10}, {16, 15}, {17, 21}, {18, 19}, {23, 27}};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        assert_true(rmi_twcc_next(&r, &a));
        assert_int_equal(a.seq, want[i].seq);
        assert_int_equal(a.since_reference_us, want[i].ticks * RMI_TWCC_TICK_US);
    }
    assert_false(rmi_twcc_next(&r, &a));
}

static void the_reserved_symbol_is_refused(void **state) {
    (void)state;
    struct rmi_twcc_reader r;
    const uint8_t run[] = {FEEDBACK(5, 1, 1, 0), 0x60, 1, 1, 1};
    assert_int_equal(open_feedback(run, sizeof run, &r), RM_E_PARSE);
    const uint8_t vector[] = {FEEDBACK(6, 1, 3, 0), 0xd7, 0x00, 1, 1, 1, 1, 1, 1}; /* 01 01 11 */
    assert_int_equal(open_feedback(vector, sizeof vector, &r), RM_E_PARSE);
    const uint8_t unused[] = {FEEDBACK(6, 1, 2, 0), 0xd7, 0x00, 1, 1, 1, 1, 1, 1}; /* past the count: not a symbol */
    assert_int_equal(open_feedback(unused, sizeof unused, &r), RM_OK);
}

static void broken_feedback_is_refused(void **state) {
    (void)state;
    struct rmi_twcc_reader r;
    const uint8_t none[] = {FEEDBACK(5, 1, 0, 0), 0x20, 1, 1, 1};
    assert_int_equal(open_feedback(none, sizeof none, &r), RM_E_PARSE);
    const uint8_t no_chunks[] = {FEEDBACK(4, 1, 1, 0)};
    assert_int_equal(open_feedback(no_chunks, sizeof no_chunks, &r), RM_E_PARSE);
    const uint8_t few_deltas[] = {FEEDBACK(5, 1, 3, 0), 0x20, 3, 1, 1};
    assert_int_equal(open_feedback(few_deltas, sizeof few_deltas, &r), RM_E_PARSE);
    const uint8_t few_chunks[] = {FEEDBACK(5, 1, 100, 0), 0, 50, 0, 49};
    assert_int_equal(open_feedback(few_chunks, sizeof few_chunks, &r), RM_E_PARSE);
    const uint8_t empty_runs[] = {FEEDBACK(6, 1, 1, 0), 0x20, 0, 0, 0, 0x20, 1, 5, 0};
    assert_int_equal(open_feedback(empty_runs, sizeof empty_runs, &r), RM_OK); /* useless, but harmless */
}

/* Some bytes that claim tens of thousands of packets: refused, or one step per run. */
static void run_length_bombs_do_not_burst(void **state) {
    (void)state;
    struct rmi_twcc_reader r;
    struct rmi_twcc_arrival a;
    const uint8_t all[] = {FEEDBACK(8, 1, 0xffff, 0),
                           0x1f,
                           0xff,
                           0x1f,
                           0xff,
                           0x1f,
                           0xff,
                           0x1f,
                           0xff,
                           0x1f,
                           0xff,
                           0x1f,
                           0xff,
                           0x1f,
                           0xff,
                           0x1f,
                           0xff};
    assert_int_equal(open_feedback(all, sizeof all, &r), RM_E_PARSE);
    const uint8_t half[] = {
        FEEDBACK(8, 1, 0x7fff, 0), 0x1f, 0xff, 0x1f, 0xff, 0x1f, 0xff, 0x1f, 0xff, 0x20, 3, 1, 1, 1, 0, 0, 0};
    assert_int_equal(open_feedback(half, sizeof half, &r), RM_OK);
    size_t received = 0;
    while (rmi_twcc_next(&r, &a)) {
        received++;
        assert_int_equal(a.seq, 1 + 4 * 0x1fff + received - 1);
    }
    assert_int_equal(received, 3);
    const uint8_t all_received[] = {FEEDBACK(5, 1, 0x1fff, 0), 0x3f, 0xff, 1, 1};
    assert_int_equal(open_feedback(all_received, sizeof all_received, &r), RM_E_PARSE); /* without their deltas */
}

static void references_unwrap(void **state) {
    (void)state;
    assert_int_equal(rmi_twcc_unwrap_reference(0x7fffff, -0x800000), 0x800000);
    assert_int_equal(rmi_twcc_unwrap_reference(0x800000, 0x7fffff), 0x7fffff);
    int64_t last = 0;
    for (int64_t real = 0; real < 5 * 0x1000000; real += 0x3fffff) {
        uint32_t wire = (uint32_t)real & 0xffffff;
        last = rmi_twcc_unwrap_reference(last, wire & 0x800000 ? (int32_t)wire - 0x1000000 : (int32_t)wire);
        assert_true(last == real);
    }
}

/* What was recorded, and what the feedback says about it. */
struct book {
    int64_t sent_us[0x10000]; /* -1: never arrived */
    int said[0x10000];
    int64_t reference;
    bool has_reference;
    size_t covered;
};

static void read_into(struct book *b, const uint8_t *data, size_t len) {
    struct rmi_twcc_reader r;
    struct rmi_twcc_arrival a;
    assert_int_equal(open_feedback(data, len, &r), RM_OK);
    b->reference = b->has_reference ? rmi_twcc_unwrap_reference(b->reference, r.reference) : r.reference;
    b->has_reference = true;
    b->covered += r.count;
    while (rmi_twcc_next(&r, &a)) {
        int64_t at = b->reference * RMI_TWCC_REFERENCE_US + a.since_reference_us;
        assert_true(b->sent_us[a.seq] >= 0);
        int64_t error = b->sent_us[a.seq] - at;
        assert_true(error >= 0 && error < RMI_TWCC_TICK_US);
        b->said[a.seq]++;
    }
}

static void drain(struct rmi_twcc_recorder *rec, struct book *b, size_t cap) {
    uint8_t out[2048];
    size_t len;
    while ((len = rmi_twcc_build(rec, 1, 2, out, cap)) > 0) {
        assert_true(len <= cap && len % 4 == 0);
        read_into(b, out, len);
    }
    assert_false(rmi_twcc_pending(rec));
}

/* Loss, reordering, jitter and silences of up to 30 s: every arrival is reported with its time, nothing else is. */
static void everything_recorded_is_reported(void **state) {
    (void)state;
    static struct book b;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct rmi_prng prng;
        rmi_prng_seed(&prng, seed);
        struct rmi_rng rng = rmi_prng_rng(&prng);
        struct rmi_twcc_recorder rec;
        rmi_twcc_recorder_init(&rec);
        memset(&b, 0, sizeof b);
        for (size_t i = 0; i < 0x10000; i++)
            b.sent_us[i] = -1;
        int64_t now = (int64_t)rmi_rng_range(&rng, 0, 1) * 1000 * MS;
        uint16_t base = (uint16_t)rmi_rng_u32(&rng);
        unsigned loss = (unsigned)(seed * 7 % 100);
        size_t arrived = 0, cap = seed % 2 ? ROOM : RMI_TWCC_BUILD_MIN;
        for (size_t i = 0; i < 20000; i++) {
            size_t reordered = i ^ (rmi_rng_range(&rng, 0, 9) == 0 ? 3U : 0U);
            uint16_t seq = (uint16_t)(base + reordered);
            now += (int64_t)rmi_rng_range(&rng, 0, rmi_rng_range(&rng, 0, 999) ? 5 * MS : 30000 * MS);
            if (rmi_rng_range(&rng, 0, 99) >= loss && b.sent_us[seq] < 0) {
                rmi_twcc_record(&rec, seq, now);
                b.sent_us[seq] = now;
                arrived++;
            }
            if (rmi_rng_range(&rng, 0, 49) == 0)
                drain(&rec, &b, cap);
        }
        drain(&rec, &b, cap);
        size_t said = 0;
        for (size_t i = 0; i < 0x10000; i++)
            said += b.said[i] > 0;
        assert_int_equal(said, arrived);
    }
}

static void a_leap_forward_costs_one_window(void **state) {
    (void)state;
    static struct book b;
    struct rmi_twcc_recorder rec;
    memset(&b, 0, sizeof b);
    rmi_twcc_recorder_init(&rec);
    assert_false(rmi_twcc_pending(&rec));
    for (unsigned i = 0; i < 4; i++) {
        uint16_t seq = (uint16_t)(i * 30000);
        b.sent_us[seq] = i * MS;
        rmi_twcc_record(&rec, seq, i * MS);
    }
    drain(&rec, &b, RMI_TWCC_BUILD_MIN);
    assert_true(b.covered <= RMI_TWCC_WINDOW);
    rmi_twcc_record(&rec, (uint16_t)(3 * 30000 - RMI_TWCC_WINDOW), 5 * MS); /* older than the window */
    assert_false(rmi_twcc_pending(&rec));
    rmi_twcc_record(&rec, (uint16_t)(3 * 30000), 6 * MS); /* again */
    assert_false(rmi_twcc_pending(&rec));
}

/* 100 packets a second each way cost little: all received with small deltas is one run chunk. */
static void the_packing_is_dense(void **state) {
    (void)state;
    struct rmi_twcc_recorder rec;
    uint8_t out[ROOM];
    rmi_twcc_recorder_init(&rec);
    for (uint16_t i = 0; i < 100; i++)
        rmi_twcc_record(&rec, i, i * 10 * MS);
    assert_int_equal(rmi_twcc_build(&rec, 1, 2, out, sizeof out), 20 + 2 + 100 + 2);
    for (uint16_t i = 100; i < 200; i += 2) /* every other one lost: 1-bit vectors */
        rmi_twcc_record(&rec, i, i * 10 * MS);
    size_t len = rmi_twcc_build(&rec, 1, 2, out, sizeof out);
    assert_true(len <= 20 + 2 * 8 + 50 + 3);
    assert_int_equal(rmi_twcc_build(&rec, 1, 2, out, sizeof out), 0);
    rmi_twcc_record(&rec, 300, 4000 * MS);
    assert_int_equal(rmi_twcc_build(&rec, 1, 2, out, RMI_TWCC_BUILD_MIN - 1), 0);
    assert_true(rmi_twcc_build(&rec, 1, 2, out, RMI_TWCC_BUILD_MIN) > 0);
}

static void read_whatever(const uint8_t *data, size_t len, void *ctx) {
    (void)ctx;
    struct rmi_twcc_reader r;
    struct rmi_twcc_arrival a;
    size_t n = 0;
    if (open_feedback(data, len, &r) != RM_OK)
        return;
    while (rmi_twcc_next(&r, &a))
        assert_true(++n <= len);
    assert_false(r.deltas.failed || r.chunks.failed);
    assert_int_equal(rmi_rd_left(&r.deltas), 0);
}

static void sweeps(void **state) {
    (void)state;
    struct rmi_twcc_recorder rec;
    uint8_t out[ROOM];
    rmi_twcc_recorder_init(&rec);
    for (uint16_t i = 0; i < 90; i++)
        if (i % 7 && i % 30 > 3)
            rmi_twcc_record(&rec, i, i * (i > 70 ? 100 : 10) * MS);
    rtp_sweep(read_whatever, out, rmi_twcc_build(&rec, 1, 2, out, sizeof out), NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_kinds_of_chunk_parse),
        cmocka_unit_test(the_reserved_symbol_is_refused),
        cmocka_unit_test(broken_feedback_is_refused),
        cmocka_unit_test(run_length_bombs_do_not_burst),
        cmocka_unit_test(references_unwrap),
        cmocka_unit_test(everything_recorded_is_reported),
        cmocka_unit_test(a_leap_forward_costs_one_window),
        cmocka_unit_test(the_packing_is_dense),
        cmocka_unit_test(sweeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
