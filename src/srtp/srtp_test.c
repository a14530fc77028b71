/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "srtp/srtp_testkit.h"
#include "support/srtp_reference.h"
#include <pthread.h>

/* ---- vectors ---- */

/* RFC 3711 B.3 */
static void reference_derives_the_keys_of_the_rfc(void **state) {
    (void)state;
    uint8_t master[30], expect[32];
    unhex("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6", master);
    struct rmt_srtp_session_keys keys = rmt_srtp_session(false, false, master);
    assert_memory_equal(keys.key, expect, unhex("C61E7A93744F39EE10734AFE3FF7A087", expect));
    assert_memory_equal(keys.salt, expect, unhex("30CBBC08863D8C85D49DB34A9AE1", expect));
    assert_memory_equal(keys.auth, expect, unhex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4", expect));
}

/* RFC 3711 B.2: the keystream, seen by encrypting zeros with SSRC, ROC and sequence number 0. */
static void reference_makes_the_keystream_of_the_rfc(void **state) {
    (void)state;
    struct rmt_srtp_session_keys keys = {.gcm = false};
    uint8_t packet[12 + 48 + 16] = {0}, expect[48];
    unhex("2B7E151628AED2A6ABF7158809CF4F3C", keys.key);
    unhex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD", keys.salt);
    rmt_srtp_protect(&keys, packet, 12 + 48, 12, 0);
    unhex("E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0", expect);
    assert_memory_equal(packet + 12, expect, sizeof expect);
}

/* RFC 7714 16.1.1 and 17.1: session keys given, no derivation. */
static void reference_seals_the_packets_of_the_rfc(void **state) {
    (void)state;
    struct rmt_srtp_session_keys keys = {.gcm = true};
    uint8_t packet[128], expect[128];
    unhex("000102030405060708090a0b0c0d0e0f", keys.key);
    unhex("517569642070726f2071756f", keys.salt);
    size_t len = unhex("8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070"
                       "61727465 73207472 6573",
                       packet);
    size_t want = unhex("8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a"
                        "51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
                        expect);
    assert_int_equal(rmt_srtp_protect(&keys, packet, len, 12, 0), want);
    assert_memory_equal(packet, expect, want);
    /* 16.1.3: all of it only authenticated */
    len = unhex("8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070"
                "61727465 73207472 6573",
                packet);
    unhex("22493f82 d2bce397 e9d79e3b 19aa4216", expect);
    assert_int_equal(rmt_srtp_protect(&keys, packet, len, len, 0), len + 16);
    assert_memory_equal(packet + len, expect, 16);
    len = unhex("81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef"
                "deadbeef deadbeef",
                packet);
    want = unhex("81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda 4ce09b46"
                 "86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
                 expect);
    assert_int_equal(rmt_srtp_protect_rtcp(&keys, packet, len, 0x5d4), want);
    assert_memory_equal(packet, expect, want);
}

/* The master key of RFC 3711 B.3, a packet in common use among implementations. */
static void known_packet(void **state) {
    (void)state;
    uint8_t master[30], packet[BUFFER], expect[64];
    struct rmi_srtp *s;
    unhex("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6", master);
    struct rmi_srtp_keying keying = {CM, master, master, 30};
    assert_int_equal(rmi_srtp_create(&keying, &s), RM_OK);
    size_t len = unhex("800f1234 decafbad cafebabe abababab abababab abababab abababab", packet);
    size_t want =
        unhex("800f1234 decafbad cafebabe 4e55dc4c e79978d8 8ca4d215 949d2402 b78d6acc 99ea179b 8dbb", expect);
    assert_int_equal(rmi_srtp_protect_rtp(s, packet, &len, sizeof packet), RM_OK);
    assert_int_equal(len, want);
    assert_memory_equal(packet, expect, want);
    assert_int_equal(rmi_srtp_unprotect_rtp(s, packet, &len), RM_OK);
    assert_int_equal(len, 28);
    rmi_srtp_destroy(&s);
}

/* Every header shape, compared with the reference byte for byte, and back. */
static void every_header_shape_matches_the_reference(void **state) {
    (void)state;
    for (size_t p = 0; p < 2; p++) {
        struct ends e = ends_create(profiles[p]);
        struct rmt_srtp_session_keys keys = rmt_srtp_session(profiles[p] == GCM, false, e.key_a);
        uint16_t seq = 100;
        for (size_t csrc = 0; csrc < 16; csrc++) {
            for (int words = -1; words <= 20; words++) {
                for (size_t payload = 0; payload < 40; payload += 13, seq++) {
                    uint8_t plain[BUFFER], packet[BUFFER], expect[BUFFER];
                    size_t header = 12 + csrc * 4 + (words < 0 ? 0 : 4 + (size_t)words * 4);
                    size_t len = make_rtp(plain, 0x1234, seq, header - 12 + payload);
                    plain[0] = (uint8_t)(0x80 | (words < 0 ? 0 : 0x10) | csrc);
                    if (words >= 0) {
                        plain[12 + csrc * 4 + 2] = 0;
                        plain[12 + csrc * 4 + 3] = (uint8_t)words;
                    }
                    memcpy(packet, plain, len);
                    memcpy(expect, plain, len);
                    size_t n = len;
                    assert_int_equal(rmi_srtp_protect_rtp(e.a, packet, &n, BUFFER), RM_OK);
                    assert_int_equal(n, rmt_srtp_protect(&keys, expect, len, header, 0));
                    assert_memory_equal(packet, expect, n);
                    assert_int_equal(rmi_srtp_unprotect_rtp(e.b, packet, &n), RM_OK);
                    assert_int_equal(n, len);
                    assert_memory_equal(packet, plain, len);
                }
            }
        }
        ends_destroy(&e);
    }
}

static void rtcp_matches_the_reference(void **state) {
    (void)state;
    for (size_t p = 0; p < 2; p++) {
        struct ends e = ends_create(profiles[p]);
        struct rmt_srtp_session_keys keys = rmt_srtp_session(profiles[p] == GCM, true, e.key_a);
        for (uint32_t i = 1; i < 60; i++) {
            uint8_t plain[BUFFER], packet[BUFFER], expect[BUFFER];
            size_t len = make_rtcp(plain, 77, i), n = len;
            memcpy(packet, plain, len);
            memcpy(expect, plain, len);
            assert_int_equal(rmi_srtp_protect_rtcp(e.a, packet, &n, BUFFER), RM_OK);
            assert_int_equal(n, rmt_srtp_protect_rtcp(&keys, expect, len, i));
            assert_memory_equal(packet, expect, n);
            assert_int_equal(rmi_srtp_unprotect_rtcp(e.b, packet, &n), RM_OK);
            assert_int_equal(n, len);
            assert_memory_equal(packet, plain, len);
            memcpy(packet, expect, n = len + (profiles[p] == GCM ? 20 : 14));
            assert_int_equal(rmi_srtp_unprotect_rtcp(e.b, packet, &n), RM_E_SRTP_REPLAY);
        }
        ends_destroy(&e);
    }
}

/* ---- replay, order, wrap ---- */

static void replays_are_refused(void **state) {
    (void)state;
    for (size_t p = 0; p < 2; p++) {
        struct ends e = ends_create(profiles[p]);
        static uint8_t packets[1200][128];
        size_t len = 0;
        for (uint16_t i = 0; i < 1200; i++)
            len = sent(e.a, packets[i], 9, 1000 + i);
        assert_int_equal(received(e.b, packets[0], len), RM_OK);
        assert_int_equal(received(e.b, packets[0], len), RM_E_SRTP_REPLAY);
        assert_int_equal(received(e.b, packets[1199], len), RM_OK);
        /* newest less 1,023 is the last inside the window */
        assert_int_equal(received(e.b, packets[1199 - 1024], len), RM_E_SRTP_REPLAY);
        for (int i = 1198; i > 1199 - 1024; i--) {
            assert_int_equal(received(e.b, packets[i], len), RM_OK);
            assert_int_equal(received(e.b, packets[i], len), RM_E_SRTP_REPLAY);
        }
        struct rmi_srtp_stats stats;
        rmi_srtp_get_stats(e.b, &stats);
        assert_int_equal(stats.replays, 1 + 1 + 1023);
        assert_int_equal(stats.unprotected_packets, 2 + 1023);
        assert_int_equal(stats.auth_failures, 0);
        ends_destroy(&e);
    }
}

static void a_packet_can_be_sent_again(void **state) {
    (void)state;
    for (size_t p = 0; p < 2; p++) {
        struct ends e = ends_create(profiles[p]);
        uint8_t first[BUFFER], again[BUFFER];
        size_t len = sent(e.a, first, 5, 10);
        for (uint16_t i = 11; i < 500; i++)
            sent(e.a, again, 5, i);
        assert_int_equal(sent(e.a, again, 5, 10), len);
        assert_memory_equal(first, again, len);
        ends_destroy(&e);
    }
}

/* Sequence numbers pass 65535 several times, with loss at the boundary and late packets from before it; each SSRC has a
 * rollover counter of its own. */
static void sequence_numbers_wrap(void **state) {
    (void)state;
    for (size_t p = 0; p < 2; p++) {
        for (unsigned lost = 0; lost < 40; lost += 13) {
            struct ends e = ends_create(profiles[p]);
            struct rmt_srtp_session_keys keys = rmt_srtp_session(profiles[p] == GCM, false, e.key_a);
            for (uint32_t index = 65500 - 30000;
                 index<4 * 65536; index += index % 65536> 100 && index % 65536 < 65400 ? 97 : 1) {
                uint8_t packet[BUFFER], expect[BUFFER], other[BUFFER];
                size_t len = sent(e.a, packet, 1, (uint16_t)index);
                make_rtp(expect, 1, (uint16_t)index, 40);
                rmt_srtp_protect(&keys, expect, 52, 12, index >> 16);
                assert_memory_equal(packet, expect, len);
                size_t other_len = sent(e.a, other, 2, (uint16_t)(index / 8)); /* wraps at other times */
                uint32_t from_wrap = (index + lost / 2) % 65536;
                if (from_wrap >= lost)
                    assert_int_equal(received(e.b, packet, len), RM_OK);
                rm_err err = received(e.b, other, other_len);
                assert_true(err == RM_OK || err == RM_E_SRTP_REPLAY);
            }
            struct rmi_srtp_stats stats;
            rmi_srtp_get_stats(e.b, &stats);
            assert_int_equal(stats.auth_failures, 0);
            ends_destroy(&e);
        }
    }
}

static void reordering_at_the_wrap(void **state) {
    (void)state;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 4);
    for (int round = 0; round < 100; round++) {
        struct ends e = ends_create(profiles[round % 2]);
        static uint8_t packets[64][128];
        size_t len = 0, order[64];
        for (size_t i = 0; i < 64; i++) {
            len = sent(e.a, packets[i], 3, (uint16_t)(65504 + i));
            order[i] = i;
        }
        for (size_t i = 1; i < 64; i++) { /* shuffle, but the first stays: it sets the receiver's counter */
            size_t k = 1 + rmi_prng_next(&prng) % 63, swap = order[i];
            order[i] = order[k];
            order[k] = swap;
        }
        for (size_t i = 0; i < 64; i++)
            assert_int_equal(received(e.b, packets[order[i]], len), RM_OK);
        ends_destroy(&e);
    }
}

/* ---- hostile input ---- */

static void every_short_length_is_refused(void **state) {
    (void)state;
    for (size_t p = 0; p < 2; p++) {
        struct ends e = ends_create(profiles[p]);
        uint8_t rtp[BUFFER], rtcp[BUFFER];
        size_t rtp_len = sent(e.a, rtp, 1, 1), rtcp_len = make_rtcp(rtcp, 1, 40);
        assert_int_equal(rmi_srtp_protect_rtcp(e.a, rtcp, &rtcp_len, BUFFER), RM_OK);
        for (size_t n = 0; n <= 64 && n < rtp_len; n++) {
            uint8_t exact[64];
            size_t len = n;
            memcpy(exact + sizeof exact - n, rtp, n); /* ends with the array, so that a sanitizer sees a read past it */
            assert_int_not_equal(rmi_srtp_unprotect_rtp(e.b, exact + sizeof exact - n, &len), RM_OK);
            memcpy(exact + sizeof exact - n, rtcp, n);
            len = n;
            assert_int_not_equal(rmi_srtp_unprotect_rtcp(e.b, exact + sizeof exact - n, &len), RM_OK);
        }
        size_t tag = profiles[p] == GCM ? 16 : 10;
        for (size_t n = 0; n < 12 + tag; n++) {
            size_t len = n;
            uint8_t copy[64];
            memcpy(copy, rtp, n);
            assert_int_equal(rmi_srtp_unprotect_rtp(e.b, copy, &len), RM_E_PARSE);
        }
        for (size_t n = 0; n < 8 + tag + 4; n++) {
            size_t len = n;
            uint8_t copy[64];
            memcpy(copy, rtcp, n);
            assert_int_equal(rmi_srtp_unprotect_rtcp(e.b, copy, &len), RM_E_PARSE);
        }
        assert_int_equal(received(e.b, rtp, rtp_len), RM_OK);
        ends_destroy(&e);
    }
}

static void every_flipped_bit_is_refused(void **state) {
    (void)state;
    for (size_t p = 0; p < 2; p++) {
        struct ends e = ends_create(profiles[p]);
        uint8_t rtp[BUFFER], rtcp[BUFFER], copy[BUFFER];
        size_t rtp_len = sent(e.a, rtp, 1, 20000), rtcp_len = make_rtcp(rtcp, 1, 40);
        assert_int_equal(rmi_srtp_protect_rtcp(e.a, rtcp, &rtcp_len, BUFFER), RM_OK);
        for (size_t bit = 0; bit < rtp_len * 8; bit++) {
            size_t len = rtp_len;
            memcpy(copy, rtp, len);
            copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_not_equal(rmi_srtp_unprotect_rtp(e.b, copy, &len), RM_OK);
        }
        for (size_t bit = 0; bit < rtcp_len * 8; bit++) {
            size_t len = rtcp_len;
            memcpy(copy, rtcp, len);
            copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_not_equal(rmi_srtp_unprotect_rtcp(e.b, copy, &len), RM_OK);
        }
        struct rmi_srtp_stats stats;
        rmi_srtp_get_stats(e.b, &stats);
        assert_int_equal(stats.unprotected_packets, 0);
        /* and none of it harms the real ones */
        assert_int_equal(rmi_srtp_unprotect_rtcp(e.b, rtcp, &rtcp_len), RM_OK);
        assert_int_equal(received(e.b, rtp, rtp_len), RM_OK);
        ends_destroy(&e);
    }
}

static void broken_headers_are_refused(void **state) {
    (void)state;
    struct ends e = ends_create(GCM);
    for (unsigned csrc = 0; csrc < 16; csrc++) {
        for (uint32_t words = 0; words <= 65535; words += words < 40 ? 1 : 4099) {
            for (size_t len = 12; len < 120; len += 9) {
                uint8_t packet[BUFFER];
                size_t n = make_rtp(packet, 1, 1, len - 12);
                packet[0] = (uint8_t)(0x90 | csrc);
                if (16 + csrc * 4 <= len) {
                    packet[12 + csrc * 4 + 2] = (uint8_t)(words >> 8);
                    packet[12 + csrc * 4 + 3] = (uint8_t)words;
                }
                bool whole = 16 + csrc * 4 + words * 4 <= len;
                uint8_t copy[BUFFER];
                memcpy(copy, packet, n);
                assert_int_not_equal(rmi_srtp_unprotect_rtp(e.b, copy, &n), RM_OK);
                n = len;
                assert_int_equal(rmi_srtp_protect_rtp(e.a, packet, &n, BUFFER), whole ? RM_OK : RM_E_PARSE);
            }
        }
    }
    uint8_t packet[BUFFER];
    for (unsigned version = 0; version < 4; version++) {
        size_t len = make_rtp(packet, 1, 2, 30);
        packet[0] = (uint8_t)(version << 6);
        assert_int_equal(rmi_srtp_protect_rtp(e.a, packet, &len, BUFFER), version == 2 ? RM_OK : RM_E_PARSE);
        len = make_rtcp(packet, 1, 30);
        packet[0] = (uint8_t)(version << 6);
        assert_int_equal(rmi_srtp_protect_rtcp(e.a, packet, &len, BUFFER), version == 2 ? RM_OK : RM_E_PARSE);
    }
    ends_destroy(&e);
}

static void too_little_room_is_refused(void **state) {
    (void)state;
    struct ends e = ends_create(GCM);
    uint8_t packet[BUFFER];
    for (size_t room = 0; room <= RMI_SRTP_TRAILER_MAX; room++) {
        size_t len = make_rtp(packet, 1, (uint16_t)(room + 1), 100), n = len;
        rm_err want = room < RMI_SRTP_TRAILER_MAX ? RM_E_TOO_BIG : RM_OK;
        assert_int_equal(rmi_srtp_protect_rtp(e.a, packet, &n, len + room), want);
        assert_true(want == RM_OK || n == len);
        len = n = make_rtcp(packet, 1, 100);
        assert_int_equal(rmi_srtp_protect_rtcp(e.a, packet, &n, len + room), want);
    }
    size_t len = make_rtp(packet, 1, 99, 100);
    assert_int_equal(rmi_srtp_protect_rtp(e.a, packet, &len, 0), RM_E_TOO_BIG);
    ends_destroy(&e);
}

/* A peer that invents sources cannot make us keep them all; the busy one is never the one that goes. */
static void sources_are_bounded(void **state) {
    (void)state;
    struct ends e = ends_create(GCM);
    uint8_t packet[BUFFER], old[BUFFER];
    size_t old_len = sent(e.a, old, 7, 1);
    assert_int_equal(received(e.b, old, old_len), RM_OK);
    for (uint16_t i = 0; i < 1000; i++) {
        size_t len = sent(e.a, packet, 0x10000 + i, 1);
        assert_int_equal(received(e.b, packet, len), RM_OK);
        len = sent(e.a, packet, 8, i + 1);
        assert_int_equal(received(e.b, packet, len), RM_OK);
        assert_int_equal(received(e.b, packet, len), RM_E_SRTP_REPLAY);
    }
    /* the first source was forgotten long ago, replay window and all */
    assert_int_equal(received(e.b, old, old_len), RM_OK);
    ends_destroy(&e);
}

static void wrong_keys_and_directions_fail(void **state) {
    (void)state;
    for (size_t p = 0; p < 2; p++) {
        struct ends e = ends_create(profiles[p]), other = ends_create(profiles[!p]);
        uint8_t packet[BUFFER];
        size_t len = sent(e.a, packet, 1, 1);
        assert_int_equal(received(e.a, packet, len), RM_E_SRTP_AUTH);
        assert_int_equal(received(other.b, packet, len), RM_E_SRTP_AUTH);
        assert_int_equal(received(e.b, packet, len), RM_OK);
        ends_destroy(&e);
        ends_destroy(&other);
    }
    uint8_t key[30] = {0};
    struct rmi_srtp *s = NULL;
    static const struct rmi_srtp_keying bad[] = {{0x0000, NULL, NULL, 30}, {0x0002, NULL, NULL, 30},
                                                 {0x0005, NULL, NULL, 0},  {CM, NULL, NULL, 28},
                                                 {GCM, NULL, NULL, 30},    {0x0008, NULL, NULL, 44}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct rmi_srtp_keying keying = {bad[i].profile, key, key, bad[i].len};
        assert_int_equal(rmi_srtp_create(&keying, &s), RM_E_SRTP_PROFILE);
        assert_int_equal(rmi_srtp_create(&bad[i], &s), RM_E_INVALID_ARG);
    }
    assert_null(s);
    rmi_srtp_destroy(&s);
}

static void *create_and_destroy(void *arg) {
    (void)arg;
    for (int i = 0; i < 20; i++) {
        struct ends e = ends_create(profiles[i % 2]);
        ends_destroy(&e);
    }
    return NULL;
}

static void objects_on_several_threads(void **state) {
    (void)state;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, create_and_destroy, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_on_several_threads),
        cmocka_unit_test(reference_derives_the_keys_of_the_rfc),
        cmocka_unit_test(reference_makes_the_keystream_of_the_rfc),
        cmocka_unit_test(reference_seals_the_packets_of_the_rfc),
        cmocka_unit_test(known_packet),
        cmocka_unit_test(every_header_shape_matches_the_reference),
        cmocka_unit_test(rtcp_matches_the_reference),
        cmocka_unit_test(replays_are_refused),
        cmocka_unit_test(a_packet_can_be_sent_again),
        cmocka_unit_test(sequence_numbers_wrap),
        cmocka_unit_test(reordering_at_the_wrap),
        cmocka_unit_test(every_short_length_is_refused),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(broken_headers_are_refused),
        cmocka_unit_test(too_little_room_is_refused),
        cmocka_unit_test(sources_are_bounded),
        cmocka_unit_test(wrong_keys_and_directions_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
