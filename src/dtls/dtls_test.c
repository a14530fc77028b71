/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/time.h"
#include "dtls/dtls_private.h"
#include "support/dtls_pair.h"
#include "support/virtual_crypto.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct rmt_dtls_options fast = {.seed = 1, .delay_us = RMI_MS(10), .rtt_us = RMI_MS(20)};

static void assert_keys_cross(const struct rmt_dtls_pair *pair, enum rmi_srtp_profile profile) {
    struct rmi_srtp_keys client, server;
    assert_int_equal(rmi_dtls_export_srtp(pair->end[RMT_CLIENT].dtls, &client), RM_OK);
    assert_int_equal(rmi_dtls_export_srtp(pair->end[RMT_SERVER].dtls, &server), RM_OK);
    assert_int_equal(client.profile, profile);
    assert_int_equal(server.profile, profile);
    assert_int_equal(client.len, profile == RMI_SRTP_AEAD_AES_128_GCM ? 28 : 30);
    assert_int_equal(server.len, client.len);
    assert_memory_equal(client.local, server.remote, client.len);
    assert_memory_equal(client.remote, server.local, client.len);
    assert_memory_not_equal(client.local, client.remote, client.len);
}

static void connects_and_exports_keys(void **state) {
    (void)state;
    struct rmt_dtls_pair pair;
    rmt_dtls_pair_init(&pair, &fast);
    struct rmi_srtp_keys keys;
    assert_int_equal(rmi_dtls_export_srtp(pair.end[RMT_CLIENT].dtls, &keys), RM_E_STATE);
    assert_int_equal(rmi_dtls_send(pair.end[RMT_CLIENT].dtls, 0, (const uint8_t *)"x", 1), RM_E_STATE);
    rmt_dtls_pair_start(&pair);
    rmt_dtls_pair_run(&pair, RMI_SEC(5));
    assert_true(rmt_dtls_pair_connected(&pair));
    assert_int_equal(pair.end[RMT_CLIENT].connected, 1);
    assert_int_equal(pair.end[RMT_SERVER].connected, 1);
    /* two round trips and nothing sent twice */
    assert_int_equal(pair.end[RMT_CLIENT].connected_us, RMI_MS(40));
    assert_int_equal(rmi_dtls_next_deadline(pair.end[RMT_CLIENT].dtls), RMI_NEVER);
    struct rmi_dtls_stats stats;
    rmi_dtls_get_stats(pair.end[RMT_CLIENT].dtls, &stats);
    assert_int_equal(stats.retransmissions, 0);
    assert_int_equal(stats.drops, 0);
    assert_int_equal(stats.datagrams_out, pair.end[RMT_CLIENT].sent);
    assert_true(SSL_get_extms_support(pair.end[RMT_CLIENT].dtls->ssl) == 1);
    assert_int_equal(SSL_version(pair.end[RMT_SERVER].dtls->ssl), DTLS1_2_VERSION);
    assert_keys_cross(&pair, RMI_SRTP_AEAD_AES_128_GCM);
    rmt_dtls_pair_fini(&pair);
}

static void last_flight_is_repeated_until_data_comes(void **state) {
    (void)state;
    for (int data = 0; data < 2; data++) {
        struct rmt_dtls_pair pair;
        rmt_dtls_pair_init(&pair, &fast);
        rmt_dtls_pair_start(&pair);
        rmt_dtls_pair_run(&pair, RMI_SEC(5));
        unsigned sent = pair.end[RMT_SERVER].sent;
        if (data)
            assert_int_equal(rmi_dtls_send(pair.end[RMT_CLIENT].dtls, pair.now_us, (const uint8_t *)"x", 1), RM_OK);
        rmt_dtls_pair_run_all(&pair, RMI_SEC(5));
        assert_int_equal(pair.end[RMT_SERVER].sent - sent, data ? 0 : 3);
        assert_true(rmt_dtls_pair_connected(&pair));
        assert_int_equal(rmi_dtls_next_deadline(pair.end[RMT_SERVER].dtls), RMI_NEVER);
        rmt_dtls_pair_fini(&pair);
    }
}

static void exports_keys_of_the_older_profile(void **state) {
    (void)state;
    for (int side = 0; side < 2; side++) {
        struct rmt_dtls_pair pair;
        rmt_dtls_pair_init(&pair, &fast);
        assert_int_equal(SSL_set_tlsext_use_srtp(pair.end[side].dtls->ssl, "SRTP_AES128_CM_SHA1_80"), 0);
        rmt_dtls_pair_start(&pair);
        rmt_dtls_pair_run(&pair, RMI_SEC(5));
        assert_true(rmt_dtls_pair_connected(&pair));
        assert_keys_cross(&pair, RMI_SRTP_AES128_CM_SHA1_80);
        rmt_dtls_pair_fini(&pair);
    }
}

static void no_common_profile_gives_no_keys(void **state) {
    (void)state;
    struct rmt_dtls_pair pair;
    rmt_dtls_pair_init(&pair, &fast);
    assert_int_equal(SSL_set_tlsext_use_srtp(pair.end[RMT_CLIENT].dtls->ssl, "SRTP_AEAD_AES_256_GCM"), 0);
    rmt_dtls_pair_start(&pair);
    rmt_dtls_pair_run(&pair, RMI_SEC(5));
    struct rmi_srtp_keys keys;
    assert_int_equal(rmi_dtls_export_srtp(pair.end[RMT_CLIENT].dtls, &keys), RM_E_SRTP_PROFILE);
    rmt_dtls_pair_fini(&pair);
}

static void application_data_flows_both_ways(void **state) {
    (void)state;
    struct rmt_dtls_pair pair;
    uint8_t data[RMI_DTLS_PAYLOAD_MAX + 1];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7);
    rmt_dtls_pair_init(&pair, &fast);
    rmt_dtls_pair_start(&pair);
    rmt_dtls_pair_run(&pair, RMI_SEC(5));
    unsigned sent = 0;
    for (size_t len = 1; len <= RMI_DTLS_PAYLOAD_MAX; len += len < 1100 ? 83 : 1, sent++) {
        for (int side = 0; side < 2; side++)
            assert_int_equal(rmi_dtls_send(pair.end[side].dtls, pair.now_us, data, len), RM_OK);
        rmt_dtls_pair_run_all(&pair, pair.now_us + RMI_MS(20));
        for (int side = 0; side < 2; side++) {
            assert_int_equal(pair.end[side].messages, sent + 1);
            assert_int_equal(pair.end[side].message_len, len);
            assert_memory_equal(pair.end[side].message, data, len);
        }
    }
    assert_int_equal(pair.longest, RMI_DATAGRAM_MTU);
    struct rmi_dtls *client = pair.end[RMT_CLIENT].dtls;
    assert_int_equal(rmi_dtls_send(client, pair.now_us, data, sizeof data), RM_E_TOO_BIG);
    assert_int_equal(rmi_dtls_send(client, pair.now_us, data, 0), RM_E_INVALID_ARG);
    rmt_dtls_pair_fini(&pair);
}

static bool queue_more(struct rmt_dtls_pair *pair, enum rmt_dtls_side from, unsigned index, uint8_t *data,
                       size_t *len) {
    (void)index;
    if (from == RMT_CLIENT)
        rmi_dtls_input(pair->end[RMT_SERVER].dtls, pair->now_us, data, *len);
    return false;
}

/* A caller that does not poll loses data, never memory, and still learns of the end. */
static void unpolled_data_is_bounded(void **state) {
    (void)state;
    struct rmt_dtls_pair pair;
    uint8_t data[1000] = {0};
    rmt_dtls_pair_init(&pair, &fast);
    rmt_dtls_pair_start(&pair);
    rmt_dtls_pair_run(&pair, RMI_SEC(5));
    pair.on_wire = queue_more;
    for (int i = 0; i < 500; i++)
        assert_int_equal(rmi_dtls_send(pair.end[RMT_CLIENT].dtls, pair.now_us, data, i % 2 ? sizeof data : 1), RM_OK);
    rmi_dtls_close(pair.end[RMT_CLIENT].dtls, pair.now_us);
    rmt_dtls_pair_drain(&pair);
    struct rmi_dtls_stats stats;
    rmi_dtls_get_stats(pair.end[RMT_SERVER].dtls, &stats);
    assert_true(pair.end[RMT_SERVER].messages > 0);
    assert_int_equal(pair.end[RMT_SERVER].messages + stats.drops, 500);
    assert_int_equal(pair.end[RMT_SERVER].closed, 1);
    rmt_dtls_pair_fini(&pair);
}

struct joined {
    size_t len;
    uint8_t bytes[RMI_DATAGRAM_MAX];
};

static bool join_datagrams(struct rmt_dtls_pair *pair, enum rmt_dtls_side from, unsigned index, uint8_t *data,
                           size_t *len) {
    struct joined *joined = pair->user;
    (void)index;
    if (from != RMT_CLIENT)
        return true;
    assert_true(joined->len + *len <= sizeof joined->bytes);
    memcpy(joined->bytes + joined->len, data, *len);
    joined->len += *len;
    return false;
}

/* Other stacks may put several into one, and a forged one or the end of the connection can be among them. */
static void all_records_of_a_datagram_are_read(void **state) {
    (void)state;
    for (int forged = 0; forged < 2; forged++) {
        struct rmt_dtls_pair pair;
        struct joined joined = {0};
        uint8_t data[] = {1, 2, 3};
        rmt_dtls_pair_init(&pair, &fast);
        rmt_dtls_pair_start(&pair);
        rmt_dtls_pair_run(&pair, RMI_SEC(5));
        pair.on_wire = join_datagrams;
        pair.user = &joined;
        struct rmi_dtls *client = pair.end[RMT_CLIENT].dtls;
        assert_int_equal(rmi_dtls_send(client, pair.now_us, data, 1), RM_OK);
        assert_int_equal(rmi_dtls_send(client, pair.now_us, data, 2), RM_OK);
        joined.bytes[joined.len - 1] ^= (uint8_t)forged;
        assert_int_equal(rmi_dtls_send(client, pair.now_us, data, 3), RM_OK);
        rmi_dtls_close(client, pair.now_us);
        rmi_dtls_input(pair.end[RMT_SERVER].dtls, pair.now_us, joined.bytes, joined.len);
        rmt_dtls_pair_drain(&pair);
        assert_int_equal(pair.end[RMT_SERVER].messages, forged ? 2 : 3);
        assert_int_equal(pair.end[RMT_SERVER].message_len, 3);
        assert_int_equal(pair.end[RMT_SERVER].closed, 1);
        rmt_dtls_pair_fini(&pair);
    }
}

static void close_notify_reaches_the_peer(void **state) {
    (void)state;
    for (int side = 0; side < 2; side++) {
        struct rmt_dtls_pair pair;
        rmt_dtls_pair_init(&pair, &fast);
        rmt_dtls_pair_start(&pair);
        rmt_dtls_pair_run(&pair, RMI_SEC(5));
        rmi_dtls_close(pair.end[side].dtls, pair.now_us);
        unsigned sent = pair.end[side].sent;
        rmi_dtls_close(pair.end[side].dtls, pair.now_us);
        assert_int_equal(pair.end[side].sent, sent);
        rmt_dtls_pair_run_all(&pair, pair.now_us + RMI_SEC(1));
        assert_int_equal(pair.end[!side].closed, 1);
        assert_int_equal(pair.end[side].closed, 0);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(rmi_dtls_state_of(pair.end[i].dtls), RMI_DTLS_CLOSED);
            assert_int_equal(rmi_dtls_send(pair.end[i].dtls, pair.now_us, (const uint8_t *)"x", 1), RM_E_STATE);
            assert_int_equal(rmi_dtls_next_deadline(pair.end[i].dtls), RMI_NEVER);
        }
        rmt_dtls_pair_fini(&pair);
    }
}

struct lose {
    enum rmt_dtls_side from;
    unsigned index;
    bool done;
};

static bool lose_one(struct rmt_dtls_pair *pair, enum rmt_dtls_side from, unsigned index, uint8_t *data, size_t *len) {
    struct lose *lose = pair->user;
    (void)data, (void)len;
    if (from != lose->from || index != lose->index)
        return true;
    lose->done = true;
    return false;
}

static void each_lost_datagram_is_repaired_soon(void **state) {
    (void)state;
    int lost = 0;
    for (int side = 0; side < 2; side++) {
        for (unsigned index = 0;; index++) {
            struct lose lose = {side, index, false};
            struct rmt_dtls_pair pair;
            rmt_dtls_pair_init(&pair, &fast);
            pair.on_wire = lose_one;
            pair.user = &lose;
            rmt_dtls_pair_start(&pair);
            rmt_dtls_pair_run(&pair, RMI_SEC(5));
            assert_true(rmt_dtls_pair_connected(&pair));
            /* 40 ms without loss, first timer 50 ms */
            assert_true(pair.now_us <= RMI_MS(40 + 50 + 20));
            rmt_dtls_pair_fini(&pair);
            if (!lose.done)
                break;
            lost++;
        }
    }
    assert_true(lost >= 4);
}

/* The client starts while nobody listens yet: no second-long gap. */
static void early_client_hello_is_sent_again(void **state) {
    (void)state;
    struct rmt_dtls_pair pair;
    rmt_dtls_pair_init(&pair, &fast);
    rmi_dtls_start(pair.end[RMT_CLIENT].dtls, 0);
    rmt_dtls_pair_run_all(&pair, RMI_MS(30)); /* the server drops what comes before its start */
    rmi_dtls_start(pair.end[RMT_SERVER].dtls, pair.now_us);
    rmt_dtls_pair_run(&pair, RMI_SEC(5));
    assert_true(rmt_dtls_pair_connected(&pair));
    assert_true(pair.now_us <= RMI_MS(50 + 40));
    rmt_dtls_pair_fini(&pair);
}

static bool lose_all(struct rmt_dtls_pair *pair, enum rmt_dtls_side from, unsigned index, uint8_t *data, size_t *len) {
    int64_t *times = pair->user;
    (void)data, (void)len;
    if (from == RMT_CLIENT && index < 16)
        times[index] = pair->now_us;
    return false;
}

static void backoff_starts_at_twice_the_round_trip_and_doubles(void **state) {
    (void)state;
    static const struct {
        int64_t rtt_us, first_us;
    } cases[] = {{0, RMI_MS(50)},          {RMI_MS(10), RMI_MS(50)}, {RMI_MS(100), RMI_MS(200)},
                 {RMI_SEC(3), RMI_SEC(1)}, {-1, RMI_MS(50)},         {INT64_MAX, RMI_SEC(1)}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct rmt_dtls_options options = fast;
        options.rtt_us = cases[c].rtt_us;
        struct rmt_dtls_pair pair;
        int64_t times[16] = {0};
        rmt_dtls_pair_init(&pair, &options);
        pair.on_wire = lose_all;
        pair.user = times;
        rmt_dtls_pair_start(&pair);
        rmt_dtls_pair_run_all(&pair, RMI_SEC(30));
        int64_t backoff = cases[c].first_us;
        unsigned sent = pair.end[RMT_CLIENT].sent;
        assert_true(sent > 5 && sent < 16);
        for (unsigned i = 1; i < sent; i++) { /* thrice the first, then doubling */
            assert_int_equal(times[i] - times[i - 1], backoff);
            if (i > 3)
                backoff = rmi_min64(2 * backoff, RMI_SEC(4));
        }
        assert_int_equal(pair.end[RMT_CLIENT].failed, 1);
        assert_int_equal(pair.end[RMT_CLIENT].err, RM_E_DTLS_TIMEOUT);
        assert_int_equal(pair.end[RMT_SERVER].err, RM_E_DTLS_TIMEOUT);
        assert_string_equal(pair.end[RMT_SERVER].detail, "nothing was received");
        rmt_dtls_pair_fini(&pair);
    }
}

static int compare_times(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

#define LOSS_SEEDS 200

static void random_loss_is_overcome(void **state) {
    (void)state;
    struct rmi_dtls_cert *cert[2];
    rmt_virtual_rand_seed(3);
    assert_int_equal(rmi_dtls_cert_create(RMT_VIRTUAL_EPOCH_S, &cert[0]), RM_OK);
    assert_int_equal(rmi_dtls_cert_create(RMT_VIRTUAL_EPOCH_S, &cert[1]), RM_OK);
    for (unsigned loss = 0; loss <= 500; loss += 100) {
        static int64_t times[LOSS_SEEDS];
        for (unsigned seed = 0; seed < LOSS_SEEDS; seed++) {
            struct rmt_dtls_options options = {.seed = seed + 1,
                                               .delay_us = RMI_MS(50),
                                               .rtt_us = RMI_MS(100),
                                               .timeout_us = RMI_SEC(60),
                                               .loss_permille = loss,
                                               .cert = {cert[0], cert[1]}};
            struct rmt_dtls_pair pair;
            rmt_dtls_pair_init(&pair, &options);
            rmt_dtls_pair_start(&pair);
            rmt_dtls_pair_run(&pair, RMI_SEC(60));
            if (!rmt_dtls_pair_connected(&pair))
                print_message("loss %u seed %u: client %s, server %s\n", loss, seed, pair.end[0].detail,
                              pair.end[1].detail);
            assert_true(rmt_dtls_pair_connected(&pair));
            assert_true(pair.longest <= RMI_DATAGRAM_MTU);
            times[seed] = pair.now_us;
            rmt_dtls_pair_fini(&pair);
        }
        qsort(times, LOSS_SEEDS, sizeof *times, compare_times);
        int64_t p99 = times[LOSS_SEEDS * 99 / 100 - 1];
        print_message("loss %2u %%: p50 %4lld ms, p99 %5lld ms, max %5lld ms\n", loss / 10,
                      (long long)(times[LOSS_SEEDS / 2] / 1000), (long long)(p99 / 1000),
                      (long long)(times[LOSS_SEEDS - 1] / 1000));
        if (loss <= 300)
            assert_true(p99 < RMI_SEC(3));
    }
    rmi_dtls_cert_unref(&cert[0]);
    rmi_dtls_cert_unref(&cert[1]);
}

static void reordering_and_duplication_do_no_harm(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct rmt_dtls_options options = {.seed = seed,
                                           .delay_us = RMI_MS(5),
                                           .jitter_us = RMI_MS(200),
                                           .rtt_us = RMI_MS(10),
                                           .loss_permille = 100,
                                           .duplicate_permille = 500};
        struct rmt_dtls_pair pair;
        rmt_dtls_pair_init(&pair, &options);
        rmt_dtls_pair_start(&pair);
        rmt_dtls_pair_run(&pair, RMI_SEC(20));
        assert_true(rmt_dtls_pair_connected(&pair));
        assert_keys_cross(&pair, RMI_SRTP_AEAD_AES_128_GCM);
        rmt_dtls_pair_run_all(&pair, pair.now_us + RMI_SEC(1));
        assert_true(rmt_dtls_pair_connected(&pair));
        assert_int_equal(pair.end[RMT_CLIENT].connected, 1);
        assert_int_equal(pair.end[RMT_SERVER].connected, 1);
        /* each datagram twice, delivered once */
        pair.options.duplicate_permille = 1000;
        pair.options.loss_permille = 0;
        for (int i = 0; i < 10; i++)
            assert_int_equal(rmi_dtls_send(pair.end[RMT_CLIENT].dtls, pair.now_us, (const uint8_t *)"hello", 5), RM_OK);
        rmt_dtls_pair_run_all(&pair, pair.now_us + RMI_SEC(1));
        assert_int_equal(pair.end[RMT_SERVER].messages, 10);
        rmt_dtls_pair_fini(&pair);
    }
}

/* Certificates larger than a datagram, in both directions. */
static void large_certificates_are_fragmented(void **state) {
    (void)state;
    struct rmi_dtls_cert *cert;
    rmt_virtual_rand_seed(11);
    EVP_PKEY *key = EVP_RSA_gen(4096);
    assert_non_null(key);
    assert_int_equal(rmi_dtls_cert_from_key(key, RMT_VIRTUAL_EPOCH_S, &cert), RM_OK);
    EVP_PKEY_free(key);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct rmt_dtls_options options = fast;
        options.seed = seed;
        options.cert[0] = options.cert[1] = cert;
        options.loss_permille = seed > 1 ? 200 : 0;
        options.jitter_us = seed > 1 ? RMI_MS(20) : 0;
        struct rmt_dtls_pair pair;
        rmt_dtls_pair_init(&pair, &options);
        rmt_dtls_pair_start(&pair);
        rmt_dtls_pair_run(&pair, RMI_SEC(20));
        assert_true(rmt_dtls_pair_connected(&pair));
        assert_true(pair.longest > 1100 && pair.longest <= RMI_DATAGRAM_MTU);
        assert_string_equal(SSL_get_cipher_name(pair.end[0].dtls->ssl), "ECDHE-RSA-AES128-GCM-SHA256");
        rmt_dtls_pair_fini(&pair);
    }
    rmi_dtls_cert_unref(&cert);
}

static void same_seed_same_bytes(void **state) {
    (void)state;
    uint64_t hash[3];
    struct rmt_dtls_options options = fast;
    options.loss_permille = 300;
    options.seed = 77;
    for (int i = 0; i < 4; i++) {
        struct rmt_dtls_pair pair;
        options.seed = i < 3 ? 77 : 78;
        rmt_dtls_pair_init(&pair, &options);
        rmt_dtls_pair_start(&pair);
        rmt_dtls_pair_run(&pair, RMI_SEC(20));
        assert_true(rmt_dtls_pair_connected(&pair));
        if (i < 3)
            hash[i] = pair.wire_hash;
        else
            assert_true(pair.wire_hash != hash[0]);
        rmt_dtls_pair_fini(&pair);
    }
    assert_true(hash[0] == hash[1]);
    assert_true(hash[0] == hash[2]);
}

/* The wall clock is set while the handshake runs: forward costs nothing but early retransmissions, and neither
 * direction makes us spin or sleep. */
static void wall_clock_steps_do_not_break_it(void **state) {
    (void)state;
    static const int64_t steps[] = {RMI_SEC(3600), -RMI_MS(700)};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct lose lose = {RMT_CLIENT, 0, false};
        struct rmt_dtls_pair pair;
        rmt_dtls_pair_init(&pair, &fast);
        pair.on_wire = lose_one;
        pair.user = &lose;
        rmt_dtls_pair_start(&pair);
        pair.wall_offset_us = steps[i];
        rmt_dtls_pair_run(&pair, RMI_SEC(5));
        assert_true(rmt_dtls_pair_connected(&pair));
        assert_true(pair.now_us <= RMI_MS(50 + 40) + rmi_max64(0, -steps[i]) + RMI_MS(50));
        assert_true(pair.end[RMT_CLIENT].sent < 10);
        rmt_dtls_pair_fini(&pair);
    }
}

/* A day back: OpenSSL's timer does not fire again, but our own deadline still ends it. */
static void handshake_ends_in_time_whatever_the_wall_clock(void **state) {
    (void)state;
    struct rmt_dtls_pair pair;
    int64_t times[16] = {0};
    rmt_dtls_pair_init(&pair, &fast);
    pair.on_wire = lose_all;
    pair.user = times;
    rmt_dtls_pair_start(&pair);
    pair.wall_offset_us = -RMI_SEC(86400);
    rmt_dtls_pair_run_all(&pair, RMI_SEC(20));
    assert_int_equal(pair.end[RMT_CLIENT].err, RM_E_DTLS_TIMEOUT);
    assert_int_equal(pair.end[RMT_SERVER].err, RM_E_DTLS_TIMEOUT);
    rmt_dtls_pair_fini(&pair);
}

static void bad_configurations_are_refused(void **state) {
    (void)state;
    struct rmi_dtls *d = NULL;
    struct rmi_dtls_config config = {0};
    assert_int_equal(rmi_dtls_create(&config, &d), RM_E_INVALID_ARG);
    assert_null(d);
    rmi_dtls_destroy(&d);
    rmi_dtls_destroy(NULL);
    rmi_dtls_cert_unref(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connects_and_exports_keys),
        cmocka_unit_test(last_flight_is_repeated_until_data_comes),
        cmocka_unit_test(exports_keys_of_the_older_profile),
        cmocka_unit_test(no_common_profile_gives_no_keys),
        cmocka_unit_test(application_data_flows_both_ways),
        cmocka_unit_test(unpolled_data_is_bounded),
        cmocka_unit_test(all_records_of_a_datagram_are_read),
        cmocka_unit_test(close_notify_reaches_the_peer),
        cmocka_unit_test(each_lost_datagram_is_repaired_soon),
        cmocka_unit_test(early_client_hello_is_sent_again),
        cmocka_unit_test(backoff_starts_at_twice_the_round_trip_and_doubles),
        cmocka_unit_test(random_loss_is_overcome),
        cmocka_unit_test(reordering_and_duplication_do_no_harm),
        cmocka_unit_test(large_certificates_are_fragmented),
        cmocka_unit_test(same_seed_same_bytes),
        cmocka_unit_test(wall_clock_steps_do_not_break_it),
        cmocka_unit_test(handshake_ends_in_time_whatever_the_wall_clock),
        cmocka_unit_test(bad_configurations_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
