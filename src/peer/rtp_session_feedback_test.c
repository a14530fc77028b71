/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/rtp_session_testkit.h"
#include "rtp/ext.h"
#include "rtp/source.h"

#define FRAMES 600

/* What crosses the wire from side 1, taken apart. */
struct seen {
    uint64_t nack, pli, fir, twcc, alone;
    uint32_t pli_ssrc;
    uint8_t fir_seq;
};

static void watch_rtcp(struct kit *kit, int from, bool rtcp, const uint8_t *data, size_t len) {
    struct seen *seen = kit->ctx;
    struct rmi_rtcp_reader r;
    struct rmi_rtcp_item item;
    if (!rtcp || from != 1)
        return;
    assert_int_equal(rmi_rtcp_begin(&r, data, len), RM_OK);
    for (size_t i = 0; rmi_rtcp_next(&r, &item) == RM_OK; i++) {
        uint32_t ssrc;
        seen->alone += i == 0 && item.kind != RMI_RTCP_SR && item.kind != RMI_RTCP_RR;
        seen->nack += item.kind == RMI_RTCP_NACK;
        seen->twcc += item.kind == RMI_RTCP_TWCC;
        if (item.kind == RMI_RTCP_PLI) {
            seen->pli++;
            seen->pli_ssrc = item.media_ssrc;
        }
        if (item.kind == RMI_RTCP_FIR) {
            seen->fir++;
            assert_true(rmi_rtcp_fir_at(&item, 0, &ssrc, &seen->fir_seq) && ssrc == KIT_SSRC_VIDEO(0));
        }
    }
}

/* A tenth of all packets lost, retransmissions and requests among them: everything arrives, and once. */
static void retransmission_repairs(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct kit *kit = kit_create(seed);
        kit->loss_rtp = kit->loss_rtcp = 100;
        uint32_t timestamp = 0;
        kit_video(kit, 0, FRAMES, &timestamp);
        /* The last packets' loss shows only with the next ones. */
        kit->loss_rtp = 0;
        kit_video(kit, 0, 1, &timestamp);
        kit_run_for(kit, RMI_SEC(1));
        const struct kit_side *a = &kit->side[0], *b = &kit->side[1];
        const struct rmi_rtp_session_stats out = kit_stats(kit, 0), in = kit_stats(kit, 1);
        assert_int_equal(b->wrong, 0);
        assert_in_range(b->media_in[RMI_RTP_VIDEO], a->rtp_out - 2, a->rtp_out); /* ten tries, all lost: 10^-7 */
        assert_true(b->repaired > FRAMES / 2 && b->repaired == in.in[RMI_RTP_VIDEO].retransmitted);
        assert_int_equal(out.out[RMI_RTP_VIDEO].retransmitted, a->rtx_out);
        assert_true(a->rtx_out_bytes < a->rtp_out_bytes / 4);
        assert_true(out.out[RMI_RTP_VIDEO].nacks > 0 && in.in[RMI_RTP_VIDEO].nacks >= out.out[RMI_RTP_VIDEO].nacks);
        /* Losses are told as they were before the repair: congestion is judged by them. */
        assert_in_range(in.in[RMI_RTP_VIDEO].packets_lost, a->rtp_out / 20, a->rtp_out / 5);
        kit_destroy(kit);
    }
}

/* A hole is asked for after a short grace, and again when the answer is overdue. */
static void a_repair_takes_a_round_trip(void **state) {
    (void)state;
    struct kit *kit = kit_create(20);
    uint32_t timestamp = 0;
    kit_video(kit, 0, 60, &timestamp);
    kit_video(kit, 1, 60, &timestamp); /* both know the round trip now: 40 ms */
    for (int lost_again = 0; lost_again < 2; lost_again++) {
        kit_run_for(kit, RMI_MS(500));
        const uint64_t before = kit->side[1].media_in[RMI_RTP_VIDEO];
        kit->loss_rtp = 1000;
        assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_VP8, timestamp += 3000, 500, false), RM_OK);
        kit->loss_rtp = 0;
        assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_VP8, timestamp += 3000, 500, false), RM_OK);
        kit_run_for(kit, kit->delay_us + RMI_MS(1)); /* the hole shows */
        kit->loss_rtp = lost_again ? 1000 : 0;
        kit_run_for(kit, RMI_MS(30)); /* asked for, and answered */
        kit->loss_rtp = 0;
        assert_int_equal(kit->side[1].media_in[RMI_RTP_VIDEO], before + 1);
        kit_run_for(kit, lost_again ? RMI_MS(75) : RMI_MS(16));
        assert_int_equal(kit->side[1].media_in[RMI_RTP_VIDEO], before + 2);
    }
    kit_destroy(kit);
}

/* Both directions at once, and codecs that change under way. */
static void retransmission_follows_the_codec(void **state) {
    (void)state;
    struct kit *kit = kit_create(21);
    kit->loss_rtp = 100;
    uint32_t timestamp = 0;
    for (int i = 0; i < 300; i++) {
        const enum rmi_payload_format format = i % 2 ? RMI_PAYLOAD_VP8 : RMI_PAYLOAD_H264;
        assert_int_equal(kit_media(kit, 0, format, timestamp, 8000, i == 0), RM_OK);
        assert_int_equal(kit_media(kit, 1, format, timestamp, 8000, i == 0), RM_OK);
        timestamp += 3000;
        kit_run_for(kit, RMI_MS(33));
    }
    kit_run_for(kit, RMI_SEC(1));
    for (int side = 0; side < 2; side++) {
        assert_int_equal(kit->side[side].wrong, 0);
        assert_in_range(kit->side[side].media_in[RMI_RTP_VIDEO], kit->side[!side].rtp_out - 4,
                        kit->side[!side].rtp_out);
    }
    kit_destroy(kit);
}

static void without_rtx_nothing_is_sent_again(void **state) {
    (void)state;
    struct kit *kit = kit_create(22);
    for (int side = 0; side < 2; side++) {
        for (size_t c = 0; c < 2; c++)
            kit->side[side].media[1].codecs[c].rtx_send = kit->side[side].media[1].codecs[c].rtx_recv = RMI_SDP_NO_PT;
        kit_apply(kit, side);
    }
    kit->loss_rtp = 100;
    uint32_t timestamp = 0;
    kit_video(kit, 0, 100, &timestamp);
    assert_true(kit->side[0].rtx_out == 0 && kit->side[1].repaired == 0);
    assert_true(kit_stats(kit, 0).out[RMI_RTP_VIDEO].nacks > 10 && kit_stats(kit, 0).out[RMI_RTP_VIDEO].dropped > 10);
    kit_destroy(kit);
}

/* What the receiver has played, or will not play, is not asked for. */
static void what_is_done_with_is_not_asked_for(void **state) {
    (void)state;
    struct kit *kit = kit_create(23);
    struct seen seen = {0};
    kit->on_wire = watch_rtcp;
    kit->ctx = &seen;
    uint32_t timestamp = 0;
    kit_video(kit, 0, 2, &timestamp);
    const uint16_t last = kit->side[1].last.seq;
    kit->loss_rtp = 1000;
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_VP8, timestamp, 500, false), RM_OK);
    kit->loss_rtp = 0;
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_VP8, timestamp + 3000, 500, false), RM_OK);
    kit_run_for(kit, kit->delay_us + RMI_MS(1));
    rmi_rtp_session_done_before(kit->side[1].session, RMI_RTP_VIDEO, (uint16_t)(last + 2));
    kit_run_for(kit, RMI_SEC(1));
    assert_int_equal(seen.nack, 0);
    kit_destroy(kit);
}

/* However many requests of whatever packets come: a quarter of what was sent, and two datagrams a second. */
static void a_nack_storm_is_no_amplifier(void **state) {
    (void)state;
    struct kit *kit = kit_create(24);
    uint32_t timestamp = 0;
    uint8_t storm[RMI_DATAGRAM_MTU];
    for (int i = 0; i < 300; i++) {
        kit_video(kit, 0, 1, &timestamp);
        for (int times = 0; times < 10; times++) { /* all 65,536 numbers over and over */
            struct rmi_wr w = rmi_wr_init(storm, sizeof storm);
            uint16_t seq[1024];
            for (size_t n = 0; n < 1024; n++)
                seq[n] = (uint16_t)((size_t)(i * 10 + times) * 1024 + n);
            (void)rmi_rtcp_write_nack(&w, 1, KIT_SSRC_VIDEO(0), seq, 1024);
            rmi_rtp_session_input(kit->side[0].session, kit->now_us, true, RMI_ECN_NOT_ECT, storm, w.pos);
        }
    }
    const struct kit_side *a = &kit->side[0];
    const uint64_t seconds = 10 + 1;
    assert_true(a->rtx_out > 100);
    /* Headers come on top of the bytes that are counted. */
    assert_true(a->rtx_out_bytes <= a->rtp_out_bytes / 4 + seconds * 2 * RMI_DATAGRAM_MTU + a->rtx_out * 40);
    assert_true(kit_stats(kit, 0).out[RMI_RTP_VIDEO].dropped > 1000000);
    /* Once a round trip for each packet, also when the budget has room. */
    kit_run_for(kit, RMI_SEC(5));
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_VP8, timestamp, 100, false), RM_OK);
    kit_run_for(kit, RMI_MS(50));
    const uint64_t before = a->rtx_out;
    for (int times = 0; times < 20; times++) {
        struct rmi_wr w = rmi_wr_init(storm, sizeof storm);
        assert_int_equal(rmi_rtcp_write_nack(&w, 1, KIT_SSRC_VIDEO(0), &kit->side[1].last.seq, 1), 1);
        rmi_rtp_session_input(kit->side[0].session, kit->now_us, true, RMI_ECN_NOT_ECT, storm, w.pos);
    }
    assert_int_equal(a->rtx_out, before + 1);
    kit_destroy(kit);
}

/* A path that has become 300 ms longer, for one who sends nothing and hears of no round trip: repairs tell him, and he
 * no longer asks again and again for what is on its way; what is missed within a part of a round trip shares a message.
 */
static void repairs_tell_how_long_the_path_has_become(void **state) {
    (void)state;
    struct kit *kit = kit_create(26);
    struct seen seen = {0};
    uint32_t timestamp = 0;
    for (int i = 0; i < 90; i++) { /* both know a round trip of 40 ms */
        kit_video(kit, 0, 1, &timestamp);
        kit_video(kit, 1, 1, &timestamp);
    }
    kit->delay_us = RMI_MS(170);
    kit_video(kit, 0, 15, &timestamp);
    kit->on_wire = watch_rtcp;
    kit->ctx = &seen;
    kit->loss_rtp = 300;
    const struct rmi_rtp_stream_stats before = kit_stats(kit, 0).out[RMI_RTP_VIDEO];
    kit_video(kit, 0, 30, &timestamp);
    kit->loss_rtp = 0;
    kit_run_for(kit, RMI_SEC(1));
    const struct rmi_rtp_stream_stats after = kit_stats(kit, 0).out[RMI_RTP_VIDEO];
    assert_true(after.retransmitted - before.retransmitted > 50);
    assert_true(after.dropped - before.dropped < 100); /* it was 212 with the round trip of before */
    assert_in_range(seen.nack, 1, 50);
    kit_destroy(kit);
}

static void key_requests_are_few(void **state) {
    (void)state;
    struct kit *kit = kit_create(25);
    struct seen seen = {0};
    kit->on_wire = watch_rtcp;
    kit->ctx = &seen;
    uint32_t timestamp = 0;
    kit_video(kit, 0, 30, &timestamp); /* the round trip becomes known */
    /* asked every 10 ms for 3 s: once in 300 ms */
    for (int i = 0; i < 300; i++) {
        rmi_rtp_session_ask_key(kit->side[1].session, kit->now_us);
        kit_run_for(kit, RMI_MS(10));
    }
    kit_run_for(kit, RMI_SEC(1));
    assert_true(seen.pli == 10 && seen.fir == 0 && seen.pli_ssrc == KIT_SSRC_VIDEO(0));
    assert_int_equal(kit_stats(kit, 1).in[RMI_RTP_VIDEO].plis, 10);
    assert_int_equal(kit_stats(kit, 0).out[RMI_RTP_VIDEO].plis, 10);
    assert_int_equal(kit->side[0].key_requests, 10);
    kit_destroy(kit);
}

static void input_pli(struct kit *kit) {
    uint8_t out[64];
    struct rmi_wr w = rmi_wr_init(out, sizeof out);
    rmi_rtcp_write_pli(&w, 1, KIT_SSRC_VIDEO(0));
    rmi_rtp_session_input(kit->side[0].session, kit->now_us, true, RMI_ECN_NOT_ECT, out, w.pos);
}

/* Of a storm one request in 300 ms is passed on; one that knows of the key frame in between is not forgotten. */
static void a_pli_storm_is_coalesced(void **state) {
    (void)state;
    struct kit *kit = kit_create(26);
    uint32_t timestamp = 0;
    kit_video(kit, 0, 60, &timestamp);
    for (int i = 0; i < 1000; i++) {
        input_pli(kit);
        kit_run_for(kit, RMI_MS(1));
    }
    assert_int_equal(kit->side[0].key_requests, 4);
    kit_run_for(kit, RMI_SEC(1));
    assert_int_equal(kit->side[0].key_requests, 4);
    input_pli(kit);
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_VP8, timestamp, 3000, true), RM_OK);
    kit_run_for(kit, RMI_MS(20));
    input_pli(kit); /* it was under way before the key frame can have arrived */
    kit_run_for(kit, RMI_SEC(1));
    assert_int_equal(kit->side[0].key_requests, 5);
    input_pli(kit);
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_VP8, timestamp + 3000, 3000, true), RM_OK);
    kit_run_for(kit, RMI_MS(100));
    input_pli(kit); /* that one was lost */
    assert_int_equal(kit->side[0].key_requests, 6);
    kit_run_for(kit, RMI_SEC(1));
    assert_int_equal(kit->side[0].key_requests, 7);
    kit_destroy(kit);
}

static void fir_where_pli_is_not_spoken(void **state) {
    (void)state;
    struct kit *kit = kit_create(27);
    struct seen seen = {0};
    kit->on_wire = watch_rtcp;
    kit->ctx = &seen;
    struct rmi_jsep_media *video = &kit->side[1].media[1];
    video->codecs[0].feedback = RMI_FB_NACK | RMI_FB_CCM_FIR;
    kit_apply(kit, 1);
    uint32_t timestamp = 0;
    rmi_rtp_session_ask_key(kit->side[1].session, kit->now_us); /* the SSRC is known from the description */
    kit_run_for(kit, RMI_MS(400));
    const uint8_t first = seen.fir_seq;
    kit_video(kit, 0, 1, &timestamp);
    rmi_rtp_session_ask_key(kit->side[1].session, kit->now_us);
    kit_run_for(kit, RMI_MS(400));
    assert_true(seen.fir == 2 && seen.pli == 0 && seen.fir_seq == (uint8_t)(first + 1));
    assert_int_equal(kit->side[0].key_requests, 2);
    assert_int_equal(kit_stats(kit, 0).out[RMI_RTP_VIDEO].firs, 2);
    /* the same number again is a repetition */
    uint8_t out[64];
    struct rmi_wr w = rmi_wr_init(out, sizeof out);
    rmi_rtcp_write_fir(&w, 1, KIT_SSRC_VIDEO(0), seen.fir_seq);
    rmi_rtp_session_input(kit->side[0].session, kit->now_us, true, RMI_ECN_NOT_ECT, out, w.pos);
    assert_int_equal(kit->side[0].key_requests, 2);
    /* neither negotiated: silence */
    video->codecs[0].feedback = RMI_FB_NACK;
    kit_apply(kit, 1);
    kit_run_for(kit, RMI_SEC(1));
    rmi_rtp_session_ask_key(kit->side[1].session, kit->now_us);
    assert_true(seen.fir == 2 && seen.pli == 0);
    kit_destroy(kit);
}

/* Without reduced-size RTCP every packet begins with a report; with it, feedback goes alone. */
static void feedback_is_compound_where_it_must_be(void **state) {
    (void)state;
    for (int rsize = 0; rsize < 2; rsize++) {
        struct kit *kit = kit_create(28);
        struct seen seen = {0};
        kit->on_wire = watch_rtcp;
        kit->ctx = &seen;
        kit->side[1].media[0].rtcp_rsize = kit->side[1].media[1].rtcp_rsize = rsize;
        kit_apply(kit, 1);
        kit->loss_rtp = 100;
        uint32_t timestamp = 0;
        kit_video(kit, 0, 60, &timestamp);
        rmi_rtp_session_ask_key(kit->side[1].session, kit->now_us);
        kit_run_for(kit, RMI_SEC(1));
        assert_true(seen.nack > 10 && seen.twcc > 10 && seen.pli == 1);
        assert_int_equal(seen.alone, rsize ? seen.nack + seen.twcc + seen.pli : 0);
        assert_true(kit->side[1].wrong == 0 && kit_stats(kit, 0).rtcp_malformed == 0);
        kit_destroy(kit);
    }
}

/* ---- transport-wide feedback ---- */

struct arrivals {
    int64_t sent_us[4096];     /* by transport-wide number; 0: none */
    bool told[4096];           /* by feedback, as arrived */
    uint64_t covered, arrived; /* numbers in feedback */
    int64_t last_us;
    uint8_t next_count;
    bool started;
};

static void read_feedback(struct kit *kit, struct arrivals *a, const uint8_t *data, size_t len) {
    struct rmi_rtcp_reader r;
    struct rmi_rtcp_item item;
    assert_int_equal(rmi_rtcp_begin(&r, data, len), RM_OK);
    while (rmi_rtcp_next(&r, &item) == RM_OK) {
        struct rmi_twcc_reader twcc;
        struct rmi_twcc_arrival arrival;
        if (item.kind != RMI_RTCP_TWCC)
            continue;
        assert_int_equal(rmi_twcc_begin(&twcc, &item), RM_OK);
        assert_true(item.media_ssrc == KIT_SSRC_VIDEO(0) || item.media_ssrc == KIT_SSRC_AUDIO(0));
        assert_true(!a->started || twcc.feedback_count == a->next_count);
        a->next_count = (uint8_t)(twcc.feedback_count + 1);
        assert_true(!a->started || kit->now_us - a->last_us <= RMI_MS(200));
        a->started = true;
        a->last_us = kit->now_us;
        a->covered += twcc.count;
        while (rmi_twcc_next(&twcc, &arrival)) {
            const int64_t at = (int64_t)twcc.reference * RMI_TWCC_REFERENCE_US + arrival.since_reference_us;
            assert_false(a->told[arrival.seq]);
            a->told[arrival.seq] = true;
            a->arrived++;
            assert_true(a->sent_us[arrival.seq] > 0);
            const int64_t expected = a->sent_us[arrival.seq] + kit->delay_us;
            assert_in_range(at - expected + RMI_TWCC_TICK_US, 0, 2 * RMI_TWCC_TICK_US);
        }
    }
}

static void watch_arrivals(struct kit *kit, int from, bool rtcp, const uint8_t *data, size_t len) {
    struct arrivals *a = kit->ctx;
    struct rmi_rtp_packet p;
    struct rmi_rtp_ext_values ext;
    const struct rmi_rtp_ext_ids ids = {.twcc = KIT_EXT_TWCC};
    if (from == 1 && rtcp) {
        read_feedback(kit, a, data, len);
    } else if (from == 0 && !rtcp) {
        assert_int_equal(rmi_rtp_parse(data, len, &p), RM_OK);
        rmi_rtp_ext_read(&p, &ids, &ext);
        assert_true(ext.has_twcc && ext.twcc < 4096);
        a->sent_us[ext.twcc] = kit->now_us;
    }
}

static void feedback_tells_arrivals_exactly(void **state) {
    (void)state;
    struct kit *kit = kit_create(29);
    struct arrivals a = {0};
    kit->on_wire = watch_arrivals;
    kit->ctx = &a;
    kit->loss_rtp = 50;
    uint32_t timestamp = 0;
    for (uint32_t i = 0; i < 250; i++) {
        assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_OPUS, i * 960, 80, false), RM_OK);
        kit_video(kit, 0, 1, &timestamp);
    }
    kit->loss_rtp = 0;
    kit_video(kit, 0, 1, &timestamp);
    kit_run_for(kit, RMI_SEC(1));
    const struct kit_side *side = &kit->side[0];
    const uint64_t sent = side->rtp_out + side->rtx_out;
    assert_int_equal(a.arrived, sent - side->lost);
    assert_in_range(a.covered, sent - 1, sent); /* the first one may have been lost */
    const struct rmi_rtp_session_stats out = kit_stats(kit, 0), in = kit_stats(kit, 1);
    assert_true(in.twcc_sent > 50 && out.twcc_received == in.twcc_sent);
    /* 8 s and a bit, twenty a second at most: each waits for the first packet after the one before */
    assert_in_range(in.twcc_sent, 110, 180);
    kit_destroy(kit);
}

static void no_feedback_where_none_is_agreed(void **state) {
    (void)state;
    struct kit *kit = kit_create(30);
    for (size_t m = 0; m < 2; m++)
        for (size_t c = 0; c < 2; c++)
            kit->side[1].media[m].codecs[c].feedback = 0;
    kit_apply(kit, 1);
    kit->loss_rtp = 100;
    uint32_t timestamp = 0;
    kit_video(kit, 0, 60, &timestamp);
    assert_true(kit_stats(kit, 1).twcc_sent == 0 && kit_stats(kit, 1).in[RMI_RTP_VIDEO].nacks == 0);
    kit_destroy(kit);
}

static void estimates_have_a_floor(void **state) {
    (void)state;
    struct kit *kit = kit_create(31);
    const struct {
        uint64_t told, kept;
    } cases[] = {{0, 10000}, {1, 10000}, {2500000, 2500000}, {UINT64_MAX / 2, UINT64_MAX / 2}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t out[64];
        struct rmi_wr w = rmi_wr_init(out, sizeof out);
        const uint32_t ssrc = KIT_SSRC_VIDEO(0);
        rmi_rtcp_write_remb(&w, 1, cases[i].told, &ssrc, 1);
        rmi_rtp_session_input(kit->side[0].session, kit->now_us, true, RMI_ECN_NOT_ECT, out, w.pos);
        const uint64_t kept = kit_stats(kit, 0).remb_bps;
        assert_true(kept <= cases[i].kept && kept >= cases[i].kept - cases[i].kept / 1000); /* an 18-bit mantissa */
    }
    kit_destroy(kit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retransmission_repairs),
        cmocka_unit_test(a_repair_takes_a_round_trip),
        cmocka_unit_test(retransmission_follows_the_codec),
        cmocka_unit_test(without_rtx_nothing_is_sent_again),
        cmocka_unit_test(what_is_done_with_is_not_asked_for),
        cmocka_unit_test(a_nack_storm_is_no_amplifier),
        cmocka_unit_test(repairs_tell_how_long_the_path_has_become),
        cmocka_unit_test(key_requests_are_few),
        cmocka_unit_test(a_pli_storm_is_coalesced),
        cmocka_unit_test(fir_where_pli_is_not_spoken),
        cmocka_unit_test(feedback_is_compound_where_it_must_be),
        cmocka_unit_test(feedback_tells_arrivals_exactly),
        cmocka_unit_test(no_feedback_where_none_is_agreed),
        cmocka_unit_test(estimates_have_a_floor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
