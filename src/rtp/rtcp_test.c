/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
#include "rtp/rtcp.h"
#include "rtp/rtp_testkit.h"
#include "rtp/twcc.h"

#define ROOM 2048

static struct rmi_rtcp_report report_of(uint32_t ssrc) {
    return (struct rmi_rtcp_report){ssrc, 64, -5, 0x10203, 77, 0x11223344, 65536};
}

/* One of each, as a peer would send it. */
static size_t one_of_each(uint8_t *out, size_t cap) {
    struct rmi_wr w = rmi_wr_init(out, cap);
    struct rmi_rtcp_sender_info info = {UINT64_C(0x0102030405060708), 9, 10, 11};
    struct rmi_rtcp_report reports[] = {report_of(1), report_of(2)};
    const uint16_t lost[] = {65534, 65535, 0, 14, 15, 100};
    const uint32_t ssrcs[] = {5, 6};
    const struct rmi_rtcp_ecn ecn[] = {{37, 0x10009, 1000000, 2, 3, 4, 5, 6}, {38, 0, 7, 8, 65535, 9, 10, 11}};
    rmi_rtcp_write_sr(&w, 21, &info, reports, 2);
    rmi_rtcp_write_rr(&w, 22, reports, 1);
    rmi_rtcp_write_sdes(&w, 23, "cname", "0");
    assert_int_equal(rmi_rtcp_write_nack(&w, 24, 34, lost, 6), 6);
    rmi_rtcp_write_pli(&w, 25, 35);
    rmi_rtcp_write_fir(&w, 26, 36, 200);
    rmi_rtcp_write_remb(&w, 27, 2500000, ssrcs, 2);
    rmi_rtcp_write_bye(&w, ssrcs, 2, "done");
    rmi_rtcp_write_ecn(&w, 28, &ecn[0]);
    rmi_rtcp_write_ecn_summary(&w, 29, ecn, 2);
    assert_false(w.failed);
    return w.pos;
}

static bool text_is(struct rmi_rtcp_text t, const char *want) {
    return t.data && t.len == strlen(want) && memcmp(t.data, want, t.len) == 0;
}

static void reports_and_descriptions_go_there_and_back(void **state) {
    (void)state;
    uint8_t out[ROOM];
    struct rmi_rtcp_reader r;
    struct rmi_rtcp_item i;
    size_t len = one_of_each(out, sizeof out);
    assert_int_equal(rmi_rtcp_begin(&r, out, len), RM_OK);
    assert_int_equal(rmi_rtcp_next(&r, &i), RM_OK);
    assert_int_equal(i.kind, RMI_RTCP_SR);
    assert_true(i.sender_ssrc == 21 && i.sender.ntp == UINT64_C(0x0102030405060708) && i.sender.rtp_time == 9);
    assert_true(i.sender.packets == 10 && i.sender.octets == 11 && i.count == 2);
    assert_true(i.u.report[1].ssrc == 2 && i.u.report[1].fraction_lost == 64 && i.u.report[1].lost == -5);
    assert_true(i.u.report[1].highest_seq == 0x10203 && i.u.report[1].jitter == 77);
    assert_true(i.u.report[1].last_sr == 0x11223344 && i.u.report[1].delay_since_sr == 65536);
    assert_int_equal(rmi_rtcp_next(&r, &i), RM_OK);
    assert_true(i.kind == RMI_RTCP_RR && i.sender_ssrc == 22 && i.count == 1);
    assert_int_equal(rmi_rtcp_next(&r, &i), RM_OK);
    assert_true(i.kind == RMI_RTCP_SDES && i.count == 1 && i.u.sdes[0].ssrc == 23);
    assert_true(text_is(i.u.sdes[0].cname, "cname") && text_is(i.u.sdes[0].mid, "0"));
}

static void feedback_goes_there_and_back(void **state) {
    (void)state;
    uint8_t out[ROOM], command;
    struct rmi_rtcp_reader r;
    struct rmi_rtcp_item i;
    uint32_t ssrc;
    size_t len = one_of_each(out, sizeof out);
    assert_int_equal(rmi_rtcp_begin(&r, out, len), RM_OK);
    for (int n = 0; n < 4; n++)
        assert_int_equal(rmi_rtcp_next(&r, &i), RM_OK);
    assert_true(i.kind == RMI_RTCP_NACK && i.sender_ssrc == 24 && i.media_ssrc == 34 && i.count == 3);
    struct rmi_rtcp_nack_reader nack;
    uint16_t got[8];
    rmi_rtcp_nack_begin(&nack, &i);
    assert_int_equal(rmi_rtcp_nack_next(&nack, got, 2), 2); /* in two goes */
    assert_int_equal(rmi_rtcp_nack_next(&nack, got + 2, 6), 4);
    assert_int_equal(rmi_rtcp_nack_next(&nack, got, 0), 0);
    const uint16_t want[] = {65534, 65535, 0, 14, 15, 100};
    assert_memory_equal(got, want, sizeof want);
    assert_int_equal(rmi_rtcp_next(&r, &i), RM_OK);
    assert_true(i.kind == RMI_RTCP_PLI && i.sender_ssrc == 25 && i.media_ssrc == 35);
    assert_int_equal(rmi_rtcp_next(&r, &i), RM_OK);
    assert_true(i.kind == RMI_RTCP_FIR && i.count == 1);
    assert_true(rmi_rtcp_fir_at(&i, 0, &ssrc, &command) && ssrc == 36 && command == 200);
    assert_false(rmi_rtcp_fir_at(&i, 1, &ssrc, &command));
    assert_int_equal(rmi_rtcp_next(&r, &i), RM_OK);
    assert_true(i.kind == RMI_RTCP_REMB && i.bitrate_bps == 2500000 && i.count == 2);
    assert_true(rmi_rtcp_remb_at(&i, 1, &ssrc) && ssrc == 6);
    assert_false(rmi_rtcp_remb_at(&i, 2, &ssrc) || rmi_rtcp_fir_at(&i, 0, &ssrc, &command));
    assert_int_equal(rmi_rtcp_next(&r, &i), RM_OK);
    assert_true(i.kind == RMI_RTCP_BYE && i.count == 2 && i.u.bye[1] == 6 && text_is(i.reason, "done"));
    assert_int_equal(rmi_rtcp_next(&r, &i), RM_OK);
    assert_int_equal(rmi_rtcp_next(&r, &i), RM_OK); /* ECN: below */
    assert_int_equal(rmi_rtcp_next(&r, &i), RM_E_AGAIN);
}

/* Reads everything; nothing points outside, no list is endless. */
static void read_all(const uint8_t *data, size_t len, void *ctx) {
    (void)ctx;
    struct rmi_rtcp_reader r;
    struct rmi_rtcp_item i;
    size_t steps = 0;
    if (rmi_rtcp_begin(&r, data, len) != RM_OK)
        return;
    rm_err err;
    while ((err = rmi_rtcp_next(&r, &i)) != RM_E_AGAIN) {
        assert_true(++steps <= len / 4);
        if (err != RM_OK)
            continue;
        uint32_t ssrc;
        uint8_t command;
        size_t n = 0;
        while (rmi_rtcp_fir_at(&i, n, &ssrc, &command) || rmi_rtcp_remb_at(&i, n, &ssrc))
            assert_true(++n <= len);
        struct rmi_rtcp_nack_reader nack;
        uint16_t seq[7];
        size_t got, total = 0;
        rmi_rtcp_nack_begin(&nack, &i);
        while ((got = rmi_rtcp_nack_next(&nack, seq, 7)) > 0)
            total += got;
        assert_true(total <= len / 4 * 17);
        struct rmi_rtcp_text texts[] = {i.reason, i.kind == RMI_RTCP_SDES && i.count ? i.u.sdes[0].cname : i.reason};
        for (size_t t = 0; t < 2; t++)
            if (texts[t].data)
                assert_true(texts[t].data >= data && texts[t].data + texts[t].len <= data + len);
        struct rmi_twcc_reader twcc;
        struct rmi_twcc_arrival arrival;
        if (rmi_twcc_begin(&twcc, &i) == RM_OK)
            for (n = 0; rmi_twcc_next(&twcc, &arrival);)
                assert_true(++n <= len);
    }
}

static void sweeps(void **state) {
    (void)state;
    uint8_t out[ROOM];
    rtp_sweep(read_all, out, one_of_each(out, sizeof out), NULL);
}

/* Asterisk's 4-byte RTCP, GPAC #3638 (unknown type, large length): every type and count at every length. */
static void every_type_at_every_length(void **state) {
    (void)state;
    uint8_t packet[512];
    for (unsigned type = 192; type <= 223; type++) {
        for (unsigned first = 0x80; first <= 0xbf; first++) {
            for (size_t len = 0; len <= sizeof packet; len = len < 44 ? len + 1 : len + 52) {
                memset(packet, (int)(len & 1 ? 0xff : 0), sizeof packet);
                packet[0] = (uint8_t)first;
                packet[1] = (uint8_t)type;
                packet[2] = 0;
                packet[3] = len >= 4 ? (uint8_t)(len / 4 - 1) : 0;
                rtp_boxed(read_all, packet, len, NULL);
            }
        }
    }
}

static void lengths_have_to_tile_the_datagram(void **state) {
    (void)state;
    struct rmi_rtcp_reader r;
    struct rmi_rtcp_item i;
    const uint8_t good[] = {0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2};
    for (size_t len = 0; len < sizeof good; len++)
        assert_int_equal(rmi_rtcp_begin(&r, good, len), RM_E_PARSE);
    assert_int_equal(rmi_rtcp_next(&r, &i), RM_E_AGAIN); /* a refused datagram is empty */
    assert_int_equal(rmi_rtcp_begin(&r, good, sizeof good), RM_OK);
    const uint8_t version[] = {0x41, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2};
    assert_int_equal(rmi_rtcp_begin(&r, version, sizeof version), RM_E_PARSE);
    const uint8_t trailing[] = {0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0x81};
    assert_int_equal(rmi_rtcp_begin(&r, trailing, sizeof trailing), RM_E_PARSE);
}

static void padding_is_left_out(void **state) {
    (void)state;
    struct rmi_rtcp_reader r;
    struct rmi_rtcp_item i;
    uint8_t packet[] = {0xa1, 206, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 4, 0x80, 201, 0, 1, 0, 0, 0, 9};
    assert_int_equal(rmi_rtcp_begin(&r, packet, sizeof packet), RM_OK); /* of the first, too */
    assert_int_equal(rmi_rtcp_next(&r, &i), RM_OK);
    assert_true(i.kind == RMI_RTCP_PLI && i.media_ssrc == 2);
    assert_int_equal(rmi_rtcp_next(&r, &i), RM_OK);
    assert_int_equal(i.kind, RMI_RTCP_RR);
    for (unsigned padding = 0; padding <= 255; padding++) {
        packet[15] = (uint8_t)padding;
        bool good = padding >= 1 && padding <= 12;
        assert_int_equal(rmi_rtcp_begin(&r, packet, 16), good ? RM_OK : RM_E_PARSE);
        if (good) /* more than 4 leave too little for a PLI */
            assert_int_equal(rmi_rtcp_next(&r, &i), padding <= 4 ? RM_OK : RM_E_PARSE);
    }
}

/* As libwebrtc and Pion write it: three packets, one chunk, three deltas, then padding of three bytes. */
static void feedback_padded_by_single_bytes_is_read(void **state) {
    (void)state;
    const uint8_t packet[] = {0xaf, 205, 0, 6, 0, 0, 0,    1,    0, 0, 0, 2, 0x01, 0x02,
                              0,    3,   0, 0, 5, 0, 0x20, 0x03, 4, 8, 8, 0, 0,    3};
    struct rmi_rtcp_reader r;
    struct rmi_rtcp_item i;
    struct rmi_twcc_reader feedback;
    struct rmi_twcc_arrival arrival;
    assert_int_equal(rmi_rtcp_begin(&r, packet, sizeof packet), RM_OK);
    assert_int_equal(rmi_rtcp_next(&r, &i), RM_OK);
    assert_int_equal(rmi_twcc_begin(&feedback, &i), RM_OK);
    for (uint16_t seq = 0x102; seq < 0x105; seq++) {
        assert_true(rmi_twcc_next(&feedback, &arrival));
        assert_int_equal(arrival.seq, seq);
    }
    assert_int_equal(arrival.since_reference_us, 20 * RMI_TWCC_TICK_US);
    assert_false(rmi_twcc_next(&feedback, &arrival));
}

static void a_malformed_packet_does_not_hide_the_next(void **state) {
    (void)state;
    const uint8_t packet[] = {0x81, 201, 0, 1, 0, 0, 0, 1, 0x81, 206, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4};
    struct rmi_rtcp_reader r;
    struct rmi_rtcp_item i;
    assert_int_equal(rmi_rtcp_begin(&r, packet, sizeof packet), RM_OK);
    assert_int_equal(rmi_rtcp_next(&r, &i), RM_E_PARSE); /* a report that is not there */
    assert_int_equal(rmi_rtcp_next(&r, &i), RM_OK);
    assert_true(i.kind == RMI_RTCP_PLI && i.media_ssrc == 4);
}

static void xr_and_unknown_kinds_are_stepped_over(void **state) {
    (void)state;
    const uint8_t packet[] = {0x80, 207, 0,   1,   1,   2,    3,    4,   0x80, 204, 0, 2, 0, 0, 0,
                              1,    'a', 'p', 'p', '!', 0x9f, 206,  0,   2,    0,   0, 0, 1, 0, 0,
                              0,    2,   0,   219, 0,   0,    0x80, 201, 0,    1,   0, 0, 0, 7};
    uint8_t fixed[sizeof packet];
    memcpy(fixed, packet, sizeof packet);
    fixed[32] = 0x80; /* an unknown type without a body */
    struct rmi_rtcp_reader r;
    struct rmi_rtcp_item i;
    assert_int_equal(rmi_rtcp_begin(&r, packet, sizeof packet), RM_E_PARSE);
    assert_int_equal(rmi_rtcp_begin(&r, fixed, sizeof fixed), RM_OK);
    for (int n = 0; n < 4; n++) {
        assert_int_equal(rmi_rtcp_next(&r, &i), RM_OK);
        assert_int_equal(i.kind, RMI_RTCP_OTHER);
    }
    assert_int_equal(rmi_rtcp_next(&r, &i), RM_OK);
    assert_true(i.kind == RMI_RTCP_RR && i.sender_ssrc == 7 && i.count == 0);
}

/* PJSIP CVE-2021-43804: length of a BYE reason; and of SDES items likewise. */
static bool ecn_is(const struct rmi_rtcp_ecn *e, uint32_t highest) {
    return e->ssrc == 37 && e->highest_seq == highest && e->ect0 == 1000000 && e->ect1 == 2 && e->ce == 3 &&
           e->not_ect == 4 && e->lost == 5 && e->duplicates == 6;
}

static void ecn_goes_there_and_back(void **state) {
    (void)state;
    uint8_t out[ROOM];
    struct rmi_rtcp_reader r;
    struct rmi_rtcp_item i;
    int found = 0;
    assert_int_equal(rmi_rtcp_begin(&r, out, one_of_each(out, sizeof out)), RM_OK);
    while (rmi_rtcp_next(&r, &i) == RM_OK) {
        if (i.kind != RMI_RTCP_ECN)
            continue;
        const bool summary = i.type == 207;
        assert_int_equal(i.sender_ssrc, summary ? 29 : 28);
        assert_int_equal(i.count, summary ? 2 : 1);
        assert_true(ecn_is(&i.u.ecn[0], summary ? 0 : 0x10009));
        assert_true(!summary || (i.u.ecn[1].ssrc == 38 && i.u.ecn[1].ce == 65535 && i.u.ecn[1].duplicates == 11));
        found++;
    }
    assert_int_equal(found, 2);
}

/* Blocks before and behind it, one of a length that is no multiple of five, and more entries than are kept. */
static void a_summary_of_ecn_is_found_among_other_blocks(void **state) {
    (void)state;
    static const struct rmi_rtcp_ecn ecn[RMI_RTCP_COUNT_MAX + 1] = {{.ssrc = 37}};
    uint8_t out[ROOM];
    struct rmi_rtcp_reader r;
    struct rmi_rtcp_item i;
    static const uint8_t xr[] = {0x80, 207, 0, 16, 0, 0, 0, 9, 4, 0, 0,  2,  1,  2,  3,  4,  5,  6,  7,  8, 13, 0, 0,
                                 4,    1,   2, 3,  4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 13, 0,  0, 5,  0, 0,
                                 0,    37,  0, 0,  0, 1, 0, 0, 0, 2, 0,  3,  0,  4,  0,  5,  0,  6,  99, 0, 0,  0};
    assert_int_equal(rmi_rtcp_begin(&r, xr, sizeof xr), RM_OK);
    assert_int_equal(rmi_rtcp_next(&r, &i), RM_OK);
    assert_true(i.kind == RMI_RTCP_ECN && i.count == 1 && i.u.ecn[0].ssrc == 37 && i.u.ecn[0].ect0 == 1);
    assert_true(i.u.ecn[0].ce == 3 && i.u.ecn[0].not_ect == 4 && i.u.ecn[0].lost == 5 && i.u.ecn[0].duplicates == 6);
    struct rmi_wr w = rmi_wr_init(out, sizeof out);
    rmi_rtcp_write_ecn_summary(&w, 1, NULL, 0); /* says that ECN is understood */
    assert_int_equal(rmi_rtcp_begin(&r, out, w.pos), RM_OK);
    assert_int_equal(rmi_rtcp_next(&r, &i), RM_OK);
    assert_true(i.kind == RMI_RTCP_ECN && i.count == 0 && w.pos == 12);
    w = rmi_wr_init(out, sizeof out);
    rmi_rtcp_write_ecn_summary(&w, 1, ecn, RMI_RTCP_COUNT_MAX);
    out[3] += 5, out[11] += 5; /* one more */
    memset(out + w.pos, 0, 20);
    assert_int_equal(rmi_rtcp_begin(&r, out, w.pos + 20), RM_OK);
    assert_int_equal(rmi_rtcp_next(&r, &i), RM_OK);
    assert_true(i.kind == RMI_RTCP_ECN && i.count == RMI_RTCP_COUNT_MAX && i.u.ecn[0].ssrc == 37);
    w = rmi_wr_init(out, sizeof out);
    rmi_rtcp_write_ecn_summary(&w, 1, ecn, RMI_RTCP_COUNT_MAX + 1);
    assert_true(w.failed);
}

static void text_lengths_stay_within_their_packet(void **state) {
    (void)state;
    uint8_t bye[] = {0x81, 203, 0, 2, 0, 0, 0, 1, 0, 'a', 'b', 'c', 0x80, 201, 0, 1, 0, 0, 0, 7};
    uint8_t sdes[] = {0x81, 202, 0, 3, 0, 0, 0, 1, 1, 0, 'a', 'b', 'c', 'd', 0, 0, 0x80, 201, 0, 1, 0, 0, 0, 7};
    struct rmi_rtcp_reader r;
    struct rmi_rtcp_item i;
    for (unsigned len = 0; len <= 255; len++) {
        bye[8] = (uint8_t)len;
        assert_int_equal(rmi_rtcp_begin(&r, bye, sizeof bye), RM_OK);
        assert_int_equal(rmi_rtcp_next(&r, &i), len <= 3 ? RM_OK : RM_E_PARSE);
        sdes[9] = (uint8_t)len;
        assert_int_equal(rmi_rtcp_begin(&r, sdes, sizeof sdes), RM_OK);
        rm_err err = rmi_rtcp_next(&r, &i);
        if (len > 6)
            assert_int_equal(err, RM_E_PARSE);
        if (len == 4)
            assert_int_equal(err, RM_OK);
        assert_int_equal(rmi_rtcp_next(&r, &i), RM_OK);
        assert_int_equal(i.kind, RMI_RTCP_RR);
    }
}

static void remb_saturates(void **state) {
    (void)state;
    static const uint64_t rates[] = {0, 1, 0x3ffff, 0x40000, 30000, UINT64_C(1) << 63, UINT64_MAX};
    uint8_t out[64];
    struct rmi_rtcp_reader r;
    struct rmi_rtcp_item i;
    for (size_t n = 0; n < sizeof rates / sizeof rates[0]; n++) {
        struct rmi_wr w = rmi_wr_init(out, sizeof out);
        rmi_rtcp_write_remb(&w, 1, rates[n], NULL, 0);
        assert_int_equal(rmi_rtcp_begin(&r, out, w.pos), RM_OK);
        assert_int_equal(rmi_rtcp_next(&r, &i), RM_OK);
        assert_true(i.bitrate_bps <= rates[n] && rates[n] - i.bitrate_bps <= rates[n] >> 17);
    }
    memset(out + 17, 0xff, 3); /* 0x3ffff << 63 */
    assert_int_equal(rmi_rtcp_begin(&r, out, 20), RM_OK);
    assert_int_equal(rmi_rtcp_next(&r, &i), RM_OK);
    assert_true(i.bitrate_bps == UINT64_MAX);
    out[16] = 1; /* an SSRC that is not there */
    assert_int_equal(rmi_rtcp_begin(&r, out, 20), RM_OK);
    assert_int_equal(rmi_rtcp_next(&r, &i), RM_E_PARSE);
}

static void losses_are_clamped_to_24_bits(void **state) {
    (void)state;
    static const int32_t values[][2] = {
        {0x7fffff, 0x7fffff}, {0x800000, 0x7fffff}, {-0x800000, -0x800000}, {INT32_MIN, -0x800000}, {-1, -1}};
    for (size_t n = 0; n < sizeof values / sizeof values[0]; n++) {
        uint8_t out[64];
        struct rmi_wr w = rmi_wr_init(out, sizeof out);
        struct rmi_rtcp_report report = {.lost = values[n][0]};
        struct rmi_rtcp_reader r;
        struct rmi_rtcp_item i;
        rmi_rtcp_write_rr(&w, 1, &report, 1);
        assert_int_equal(rmi_rtcp_begin(&r, out, w.pos), RM_OK);
        assert_int_equal(rmi_rtcp_next(&r, &i), RM_OK);
        assert_int_equal(i.u.report[0].lost, values[n][1]);
    }
}

static void a_nack_takes_what_fits(void **state) {
    (void)state;
    uint16_t seqs[400];
    for (size_t i = 0; i < 400; i++)
        seqs[i] = (uint16_t)(65000 + 20 * i); /* an entry for each */
    uint8_t out[100];
    struct rmi_wr w = rmi_wr_init(out, sizeof out);
    assert_int_equal(rmi_rtcp_write_nack(&w, 1, 2, seqs, 400), (100 - 12) / 4);
    assert_false(w.failed);
    read_all(out, w.pos, NULL);
    w = rmi_wr_init(out, 15);
    assert_int_equal(rmi_rtcp_write_nack(&w, 1, 2, seqs, 400), 0);
    assert_true(w.failed);
    w = rmi_wr_init(out, sizeof out);
    assert_int_equal(rmi_rtcp_write_nack(&w, 1, 2, seqs, 0), 0);
    assert_true(w.failed);
}

static void too_many_entries_and_too_little_room_fail(void **state) {
    (void)state;
    static const struct rmi_rtcp_report reports[32];
    static const uint32_t ssrcs[256];
    static const struct rmi_rtcp_sender_info info;
    uint8_t out[ROOM];
    char text[257];
    memset(text, 'a', 256);
    text[256] = '\0';
    struct rmi_wr w = rmi_wr_init(out, sizeof out);
    rmi_rtcp_write_rr(&w, 1, reports, 32);
    assert_true(w.failed);
    w = rmi_wr_init(out, sizeof out);
    rmi_rtcp_write_sr(&w, 1, &info, reports, 32);
    assert_true(w.failed);
    w = rmi_wr_init(out, sizeof out);
    rmi_rtcp_write_bye(&w, ssrcs, 32, NULL);
    assert_true(w.failed);
    w = rmi_wr_init(out, sizeof out);
    rmi_rtcp_write_remb(&w, 1, 1, ssrcs, 256);
    assert_true(w.failed);
    w = rmi_wr_init(out, sizeof out);
    rmi_rtcp_write_sdes(&w, 1, text, NULL);
    assert_true(w.failed);
    for (size_t cap = 0; cap < 12; cap++) {
        w = rmi_wr_init(out, cap);
        rmi_rtcp_write_pli(&w, 1, 2);
        assert_true(w.failed);
    }
}

static void random_bytes_are_survived(void **state) {
    (void)state;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 7);
    struct rmi_rng rng = rmi_prng_rng(&prng);
    static const uint8_t types[] = {200, 201, 202, 203, 205, 206, 207};
    static const uint8_t formats[] = {0, 1, 2, 4, 8, 15, 31};
    for (int n = 0; n < 20000; n++) {
        uint8_t packet[256];
        size_t words = rmi_rng_range(&rng, 0, 62);
        rmi_rng_fill(&rng, packet, sizeof packet);
        packet[0] = 0x80 | formats[rmi_rng_range(&rng, 0, sizeof formats - 1)];
        packet[1] = types[rmi_rng_range(&rng, 0, sizeof types - 1)];
        packet[2] = 0;
        packet[3] = (uint8_t)words;
        rtp_boxed(read_all, packet, 4 * (words + 1), NULL);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_and_descriptions_go_there_and_back),
        cmocka_unit_test(feedback_goes_there_and_back),
        cmocka_unit_test(sweeps),
        cmocka_unit_test(every_type_at_every_length),
        cmocka_unit_test(lengths_have_to_tile_the_datagram),
        cmocka_unit_test(padding_is_left_out),
        cmocka_unit_test(feedback_padded_by_single_bytes_is_read),
        cmocka_unit_test(a_malformed_packet_does_not_hide_the_next),
        cmocka_unit_test(xr_and_unknown_kinds_are_stepped_over),
        cmocka_unit_test(ecn_goes_there_and_back),
        cmocka_unit_test(a_summary_of_ecn_is_found_among_other_blocks),
        cmocka_unit_test(text_lengths_stay_within_their_packet),
        cmocka_unit_test(remb_saturates),
        cmocka_unit_test(losses_are_clamped_to_24_bits),
        cmocka_unit_test(a_nack_takes_what_fits),
        cmocka_unit_test(too_many_entries_and_too_little_room_fail),
        cmocka_unit_test(random_bytes_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
