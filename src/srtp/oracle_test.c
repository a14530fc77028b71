/* SPDX-License-Identifier: Apache-2.0 */
/* This module and libsrtp2 side by side: same bytes out, same verdict on what comes in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "srtp/srtp_private.h"
#include "srtp/srtp_testkit.h"
#include <srtp2/srtp.h>

struct both {
    struct ends e;
    srtp_t out, in; /* keyed like the way from e.a to e.b */
};

static srtp_t oracle(uint16_t profile, srtp_ssrc_type_t type, const uint8_t *key) {
    srtp_policy_t policy;
    srtp_t session;
    uint8_t copy[SRTP_MAX_KEY_LEN] = {0};
    memset(&policy, 0, sizeof policy);
    memcpy(copy, key, profile == GCM ? 28 : 30);
    if (profile == GCM) {
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp);
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp);
    } else {
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtp);
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtcp);
    }
    policy.ssrc.type = type;
    policy.key = copy;
    policy.window_size = RMI_SRTP_REPLAY_WINDOW;
    policy.allow_repeat_tx = 1;
    assert_int_equal(srtp_create(&session, &policy), srtp_err_status_ok);
    return session;
}

static struct both both_create(uint16_t profile) {
    struct both b = {.e = ends_create(profile)};
    b.out = oracle(profile, ssrc_any_outbound, b.e.key_a);
    b.in = oracle(profile, ssrc_any_inbound, b.e.key_a);
    return b;
}

static void both_destroy(struct both *b) {
    srtp_dealloc(b->out);
    srtp_dealloc(b->in);
    ends_destroy(&b->e);
}

/* Both protect `plain`; same verdict, same bytes, which are left in `sealed`. The length, 0 when refused. */
static size_t both_protect(struct both *b, bool rtcp, const uint8_t *plain, size_t len, uint8_t *sealed) {
    uint8_t theirs[BUFFER];
    size_t n = len;
    int m = (int)len;
    memcpy(sealed, plain, len);
    memcpy(theirs, plain, len);
    rm_err err =
        rtcp ? rmi_srtp_protect_rtcp(b->e.a, sealed, &n, BUFFER) : rmi_srtp_protect_rtp(b->e.a, sealed, &n, BUFFER);
    srtp_err_status_t status = rtcp ? srtp_protect_rtcp(b->out, theirs, &m) : srtp_protect(b->out, theirs, &m);
    assert_int_equal(err == RM_OK, status == srtp_err_status_ok);
    if (err != RM_OK)
        return 0;
    assert_int_equal(n, m);
    assert_memory_equal(sealed, theirs, n);
    return n;
}

/* Both unprotect; same verdict, same bytes. */
static rm_err both_unprotect(struct both *b, bool rtcp, const uint8_t *sealed, size_t len, uint8_t *plain,
                             size_t *out) {
    uint8_t theirs[BUFFER];
    int m = (int)len;
    *out = len;
    memcpy(plain, sealed, len);
    memcpy(theirs, sealed, len);
    rm_err err = rtcp ? rmi_srtp_unprotect_rtcp(b->e.b, plain, out) : rmi_srtp_unprotect_rtp(b->e.b, plain, out);
    srtp_err_status_t status = rtcp ? srtp_unprotect_rtcp(b->in, theirs, &m) : srtp_unprotect(b->in, theirs, &m);
    switch (status) {
    case srtp_err_status_ok:
        assert_int_equal(err, RM_OK);
        assert_int_equal(*out, m);
        assert_memory_equal(plain, theirs, (size_t)m);
        break;
    case srtp_err_status_replay_fail:
    case srtp_err_status_replay_old:
        assert_int_equal(err, RM_E_SRTP_REPLAY);
        break;
    default:
        assert_true(err == RM_E_SRTP_AUTH || err == RM_E_PARSE);
        break;
    }
    return err;
}

static size_t shape(struct rmi_prng *prng, uint8_t *out, uint32_t ssrc, uint16_t seq) {
    size_t csrc = rmi_prng_next(prng) % 16, words = rmi_prng_next(prng) % 30, payload = rmi_prng_next(prng) % 1300;
    bool extension = rmi_prng_next(prng) & 1;
    size_t len = make_rtp(out, ssrc, seq, csrc * 4 + (extension ? 4 + words * 4 : 0) + payload);
    out[0] = (uint8_t)(0x80 | (extension ? 0x10 : 0) | csrc);
    if (extension) {
        out[12 + csrc * 4 + 2] = 0;
        out[12 + csrc * 4 + 3] = (uint8_t)words;
    }
    return len;
}

static void every_length_and_shape_agrees(void **state) {
    (void)state;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 1);
    for (size_t p = 0; p < 2; p++) {
        struct both b = both_create(profiles[p]);
        uint8_t plain[BUFFER], sealed[BUFFER], opened[BUFFER];
        for (unsigned i = 0; i < 3000; i++) {
            bool rtcp = i % 5 == 4;
            size_t len = rtcp ? make_rtcp(plain, i % 7, 4 * (rmi_prng_next(&prng) % 300)) : 0;
            if (!rtcp && i < 1500)
                len = make_rtp(plain, 1, (uint16_t)i, i);
            else if (!rtcp)
                len = shape(&prng, plain, 1 + i % 3, (uint16_t)i);
            size_t n = both_protect(&b, rtcp, plain, len, sealed), back;
            assert_true(n > len);
            assert_int_equal(both_unprotect(&b, rtcp, sealed, n, opened, &back), RM_OK);
            assert_int_equal(back, len);
            assert_memory_equal(opened, plain, len);
            assert_int_equal(both_unprotect(&b, rtcp, sealed, n, opened, &back), RM_E_SRTP_REPLAY);
        }
        both_destroy(&b);
    }
}

static void damage_is_judged_alike(void **state) {
    (void)state;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 2);
    for (size_t p = 0; p < 2; p++) {
        struct both b = both_create(profiles[p]);
        uint8_t plain[BUFFER], sealed[BUFFER], opened[BUFFER];
        size_t back;
        for (unsigned i = 0; i < 4000; i++) {
            bool rtcp = i % 3 == 2;
            size_t len = rtcp ? make_rtcp(plain, 5, 80) : shape(&prng, plain, 4, (uint16_t)i);
            size_t n = both_protect(&b, rtcp, plain, len, sealed);
            size_t at = 1 + rmi_prng_next(&prng) % (n - 1); /* the first byte has its own tests: header shapes differ */
            sealed[at] ^= (uint8_t)(1u << rmi_prng_next(&prng) % 8);
            assert_int_not_equal(both_unprotect(&b, rtcp, sealed, n, opened, &back), RM_OK);
        }
        struct rmi_srtp_stats stats;
        rmi_srtp_get_stats(b.e.b, &stats);
        assert_int_equal(stats.unprotected_packets, 0);
        assert_true(stats.auth_failures > 3900);
        both_destroy(&b);
    }
}

#define KEPT 2048
struct kept {
    uint8_t data[128];
    size_t len;
};

/* Several sources over a network that loses, repeats and reorders beyond the window, through many wraps. */
static void verdicts_agree_over_a_bad_network(void **state) {
    (void)state;
    static struct kept kept[KEPT];
    for (unsigned round = 0; round < 4; round++) {
        struct rmi_prng prng;
        rmi_prng_seed(&prng, 100 + round);
        struct both b = both_create(profiles[round % 2]);
        uint32_t index[3] = {65500, 1000, 40000};
        unsigned accepted = 0, replayed = 0;
        for (unsigned i = 0; i < 30000; i++) {
            uint64_t r = rmi_prng_next(&prng);
            size_t source = i % 3, back;
            uint8_t plain[BUFFER], sealed[BUFFER];
            index[source] += 1 + (r & 0xff) % 20 + (r % 500 == 0 ? 20000 : 0);
            struct kept *k = &kept[i % KEPT];
            k->len =
                both_protect(&b, false, plain, make_rtp(plain, (uint32_t)source, (uint16_t)index[source], 30), sealed);
            assert_true(k->len > 0);
            memcpy(k->data, sealed, k->len);
            if ((r >> 10) % 10 < 7)
                accepted += both_unprotect(&b, false, k->data, k->len, plain, &back) == RM_OK;
            if ((r >> 20) % 10 < 4) { /* an earlier one: late, repeated or far too old */
                k = &kept[(r >> 32) % (i < KEPT ? i + 1 : KEPT)];
                replayed += both_unprotect(&b, false, k->data, k->len, plain, &back) == RM_E_SRTP_REPLAY;
            }
        }
        assert_true(accepted > 15000);
        assert_true(replayed > 3000);
        both_destroy(&b);
    }
}

/* The sender's counters: sent again, sent late, sent too late, leaps to either side of half the range. */
static void senders_agree_on_the_counter(void **state) {
    (void)state;
    for (unsigned round = 0; round < 4; round++) {
        struct rmi_prng prng;
        rmi_prng_seed(&prng, 200 + round);
        struct both b = both_create(profiles[round % 2]);
        uint16_t seq = (uint16_t)rmi_prng_next(&prng);
        unsigned refused = 0;
        for (unsigned i = 0; i < 20000; i++) {
            uint64_t r = rmi_prng_next(&prng);
            uint16_t use = seq;
            uint8_t plain[BUFFER], sealed[BUFFER];
            if (r % 10 < 6)
                use = seq = (uint16_t)(seq + (r >> 8) % 9);
            else if (r % 10 < 9)
                use = (uint16_t)(seq - (r >> 8) % 1200);
            else if (r % 50 == 9)
                use = seq = (uint16_t)(seq + (r >> 8) % 32768);
            refused += both_protect(&b, false, plain, make_rtp(plain, 9, use, 20), sealed) == 0;
        }
        assert_true(refused > 100);
        both_destroy(&b);
    }
}

static int start_oracle(void **state) {
    (void)state;
    return srtp_init() == srtp_err_status_ok ? 0 : -1;
}

static int stop_oracle(void **state) {
    (void)state;
    return srtp_shutdown() == srtp_err_status_ok ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_and_shape_agrees),
        cmocka_unit_test(damage_is_judged_alike),
        cmocka_unit_test(verdicts_agree_over_a_bad_network),
        cmocka_unit_test(senders_agree_on_the_counter),
    };
    return cmocka_run_group_tests(tests, start_oracle, stop_oracle);
}
