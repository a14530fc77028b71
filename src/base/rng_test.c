/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The reference stream of xoshiro256** from the state 1, 2, 3, 4, worked out by hand for the first two numbers:
 * rotl(2 * 5, 7) * 9 = 11520; then s[1] becomes 2 ^ 3 ^ 1 = 0, which gives 0. The rest is from the authors' C file. */
static void known_stream(void **state) {
    (void)state;
    static const uint64_t expected[] = {11520, 0, 1509978240, UINT64_C(1215971899390074240)};
    struct rmi_prng p = {.s = {1, 2, 3, 4}};
    for (size_t i = 0; i < 4; i++)
        assert_true(rmi_prng_next(&p) == expected[i]);
}

static void same_seed_same_stream(void **state) {
    (void)state;
    struct rmi_prng a, b, c;
    rmi_prng_seed(&a, 42);
    rmi_prng_seed(&b, 42);
    rmi_prng_seed(&c, 43);
    bool differs = false;
    for (int i = 0; i < 100; i++) {
        uint64_t v = rmi_prng_next(&a);
        assert_true(v == rmi_prng_next(&b));
        differs = differs || v != rmi_prng_next(&c);
    }
    assert_true(differs);
}

/* Gives the prepared bytes in turn. */
struct script {
    const uint8_t *bytes;
    size_t len, at;
};
static void script_fill(void *ctx, void *out, size_t n) {
    struct script *s = ctx;
    uint8_t *p = out;
    for (size_t i = 0; i < n; i++)
        p[i] = s->bytes[s->at++ % s->len];
}

static void numbers_take_bytes_in_order(void **state) {
    (void)state;
    const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct script s = {bytes, sizeof bytes, 0};
    struct rmi_rng rng = {script_fill, &s};
    assert_int_equal(rmi_rng_u32(&rng), 0x01020304);
    s.at = 0;
    assert_true(rmi_rng_u64(&rng) == UINT64_C(0x0102030405060708));
    rmi_rng_fill(&rng, NULL, 0);
}

static void range_is_uniform_and_bounded(void **state) {
    (void)state;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 7);
    struct rmi_rng rng = rmi_prng_rng(&prng);
    unsigned counts[10] = {0};
    for (int i = 0; i < 100000; i++) {
        uint64_t v = rmi_rng_range(&rng, 5, 14);
        assert_in_range(v, 5, 14);
        counts[v - 5]++;
    }
    for (int i = 0; i < 10; i++)
        assert_in_range(counts[i], 9600, 10400); /* 10,000 expected, standard deviation 95 */
    assert_int_equal(rmi_rng_range(&rng, 9, 9), 9);
    bool high = false;
    for (int i = 0; i < 64; i++)
        high = high || rmi_rng_range(&rng, 0, UINT64_MAX) > UINT64_MAX / 2;
    assert_true(high);
}

/* With 2^63 + 1 results, 2^64 mod count is 2^63 - 1: a raw value below that must be drawn again. */
static void range_refuses_the_biased_part(void **state) {
    (void)state;
    const uint8_t bytes[] = {0, 0, 0, 0, 0, 0, 0, 1, 0x80, 0, 0, 0, 0, 0, 0, 5};
    struct script s = {bytes, sizeof bytes, 0};
    struct rmi_rng rng = {script_fill, &s};
    uint64_t v = rmi_rng_range(&rng, 0, UINT64_C(1) << 63);
    assert_int_equal(s.at, 16);
    assert_true(v == 4);
}

static void ice_chars(void **state) {
    (void)state;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 1);
    struct rmi_rng rng = rmi_prng_rng(&prng);
    char out[1001 + 1];
    out[1001] = 'x';
    rmi_rng_ice_chars(&rng, out, 1000);
    assert_int_equal(strlen(out), 1000);
    assert_int_equal(out[1001], 'x');
    assert_int_equal(strspn(out, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"), 1000);
    unsigned distinct = 0;
    for (int c = 1; c < 128; c++)
        distinct += strchr(out, c) != NULL;
    assert_int_equal(distinct, 64);
    rmi_rng_ice_chars(&rng, out, 0);
    assert_string_equal(out, "");
}

static void uuid_form(void **state) {
    (void)state;
    const uint8_t ones[] = {0xff};
    struct script s = {ones, 1, 0};
    struct rmi_rng rng = {script_fill, &s};
    char out[37];
    rmi_rng_uuid(&rng, out);
    assert_string_equal(out, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    const uint8_t zero[] = {0};
    s = (struct script){zero, 1, 0};
    rmi_rng_uuid(&rng, out);
    assert_string_equal(out, "00000000-0000-4000-8000-000000000000");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_stream),
        cmocka_unit_test(same_seed_same_stream),
        cmocka_unit_test(numbers_take_bytes_in_order),
        cmocka_unit_test(range_is_uniform_and_bounded),
        cmocka_unit_test(range_refuses_the_biased_part),
        cmocka_unit_test(ice_chars),
        cmocka_unit_test(uuid_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
