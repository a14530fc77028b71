/* SPDX-License-Identifier: Apache-2.0 */
#include "support/heap_count.h"

#include "peer/rtp_session_testkit.h"
#include "rtp/ext.h"
#include "rtp/rtp_testkit.h"

/* Congestion control reads what the remote says, too. */
static const struct rmi_cc_limits limits = {.min_bps = 50e3, .start_bps = 1e6, .max_bps = 4e6};

#define CHURN 10000

/* A packet to side 1, as an authenticated but ill-meaning remote writes it. */
static struct rmi_rtp_packet packet(uint8_t pt, uint32_t ssrc, uint16_t seq) {
    static const uint8_t payload[] = {0x10, 1, 2, 3};
    return (struct rmi_rtp_packet){.pt = pt,
                                   .ssrc = ssrc,
                                   .seq = seq,
                                   .timestamp = seq * 3000U,
                                   .payload = payload,
                                   .payload_len = sizeof payload};
}

static void input(struct kit *kit, const struct rmi_rtp_packet *p) {
    uint8_t out[RMI_DATAGRAM_MTU];
    const size_t len = rmi_rtp_write(p, out, sizeof out);
    assert_true(len > 0);
    rmi_rtp_session_input(kit->side[1].session, kit->now_us, false, RMI_ECN_NOT_ECT, out, len);
    kit_run_for(kit, 100);
}

static void input_plain(struct kit *kit, uint8_t pt, uint32_t ssrc, uint16_t seq) {
    const struct rmi_rtp_packet p = packet(pt, ssrc, seq);
    input(kit, &p);
}

static void input_with_mid(struct kit *kit, uint8_t pt, uint32_t ssrc, uint16_t seq, const char *mid) {
    struct rmi_rtp_packet p = packet(pt, ssrc, seq);
    const struct rmi_rtp_ext_ids ids = {.mid = KIT_EXT_MID};
    struct rmi_rtp_ext_values values = {.has_mid = true};
    struct rmi_rtp_ext_storage storage;
    memcpy(values.mid, mid, strlen(mid));
    assert_true(rmi_rtp_ext_add(&p, &ids, &values, &storage));
    input(kit, &p);
}

static void input_rtx(struct kit *kit, uint16_t rtx_seq, uint16_t original) {
    struct rmi_rtp_packet p = packet(KIT_PT_VP8_RTX, KIT_SSRC_RTX(0), rtx_seq);
    const uint8_t payload[] = {(uint8_t)(original >> 8), (uint8_t)original, 9, 9};
    p.payload = payload;
    input(kit, &p);
}

static uint64_t video_in(const struct kit *kit) {
    return kit->side[1].media_in[RMI_RTP_VIDEO];
}
static uint64_t dropped(const struct kit *kit) {
    return kit_stats(kit, 1).in[RMI_RTP_VIDEO].dropped;
}

static void one_byte_payloads_and_less(void **state) {
    (void)state;
    struct kit *kit = kit_create_limited(1, &limits);
    input_plain(kit, KIT_PT_VP8, KIT_SSRC_VIDEO(0), 1);
    struct rmi_rtp_packet p = packet(KIT_PT_VP8, KIT_SSRC_VIDEO(0), 2);
    p.payload_len = 1;
    input(kit, &p);
    assert_true(video_in(kit) == 2 && kit->side[1].last.len == 1 && !kit->side[1].last.padding);
    p.seq++;
    p.payload_len = 0;
    p.padding = 200; /* a probe: nothing in it, but its number counts */
    input(kit, &p);
    assert_true(video_in(kit) == 3 && kit->side[1].last.len == 0 && kit->side[1].last.padding);
    p = packet(KIT_PT_VP8_RTX, KIT_SSRC_RTX(0), 1);
    p.payload_len = 1; /* no room for a number */
    input(kit, &p);
    assert_int_equal(kit_stats(kit, 1).rtp_malformed, 1);
    p.seq++;
    p.payload_len = 0;
    p.padding = 100;
    input(kit, &p);
    assert_true(video_in(kit) == 3 && kit_stats(kit, 1).in[RMI_RTP_VIDEO].rtx_packets == 2);
    p = packet(KIT_PT_OPUS, KIT_SSRC_AUDIO(0), 1);
    p.payload_len = 1;
    input(kit, &p);
    assert_int_equal(kit->side[1].media_in[RMI_RTP_AUDIO], 1);
    kit_destroy(kit);
}

static void a_retransmission_counts_once(void **state) {
    (void)state;
    struct kit *kit = kit_create_limited(2, &limits);
    input_rtx(kit, 1, 9); /* before there is a stream */
    assert_true(video_in(kit) == 0 && dropped(kit) == 1);
    input_plain(kit, KIT_PT_VP8, KIT_SSRC_VIDEO(0), 10);
    input_plain(kit, KIT_PT_VP8, KIT_SSRC_VIDEO(0), 13);
    input_rtx(kit, 2, 11);
    assert_true(video_in(kit) == 3 && kit->side[1].last.repaired && kit->side[1].last.seq == 11);
    assert_int_equal(kit->side[1].last.ssrc, KIT_SSRC_VIDEO(0));
    input_rtx(kit, 3, 11);
    input_plain(kit, KIT_PT_VP8, KIT_SSRC_VIDEO(0), 11); /* the original was slow */
    input_rtx(kit, 4, 13);                               /* never missing */
    input_rtx(kit, 5, (uint16_t)(13 - 1024));            /* from another age */
    input_rtx(kit, 6, 13 + 1024);
    assert_true(video_in(kit) == 3 && dropped(kit) == 6);
    input_plain(kit, KIT_PT_VP8, KIT_SSRC_VIDEO(0), 12);
    assert_true(video_in(kit) == 4 && !kit->side[1].last.repaired);
    /* announced: another SSRC of this payload type is none of ours */
    input_plain(kit, KIT_PT_VP8_RTX, 4711, 1);
    assert_int_equal(dropped(kit), 7);
    kit_destroy(kit);
}

static void what_is_not_ours_is_counted(void **state) {
    (void)state;
    struct kit *kit = kit_create_limited(3, &limits);
    input_plain(kit, KIT_PT_VP8, KIT_SSRC_VIDEO(1), 1); /* our own come back */
    input_plain(kit, KIT_PT_VP8_RTX, KIT_SSRC_RTX(1), 1);
    input_plain(kit, 50, 4711, 1);                   /* a payload type nobody negotiated */
    input_with_mid(kit, KIT_PT_VP8, 4711, 1, "xyz"); /* a section we do not have */
    assert_int_equal(kit_stats(kit, 1).rtp_unknown, 4);
    input_plain(kit, 50, KIT_SSRC_VIDEO(0), 1); /* the stream is known, its format is not */
    input_with_mid(kit, KIT_PT_OPUS, 4711, 1, "1");
    assert_true(dropped(kit) == 2 && video_in(kit) == 0);
    assert_int_equal(kit_stats(kit, 1).rtp_unknown, 4);
    kit_destroy(kit);
}

/* By SSRC as announced, by section, by payload type: three ways to the same stream. */
static void streams_are_found_three_ways(void **state) {
    (void)state;
    for (int way = 0; way < 3; way++) {
        struct kit *kit = kit_create_limited(4, &limits);
        struct rmi_jsep_media *video = &kit->side[1].media[1];
        if (way != 0)
            video->remote_ssrc_count = video->remote_fid_count = 0;
        kit_apply(kit, 1);
        if (way == 1)
            input_with_mid(kit, KIT_PT_VP8, 99, 7, "1");
        else
            input_plain(kit, KIT_PT_VP8, way ? 99 : KIT_SSRC_VIDEO(0), 7);
        assert_int_equal(video_in(kit), 1);
        if (way) { /* its RTX by payload type */
            struct rmi_rtp_packet p = packet(KIT_PT_VP8_RTX, 100, 500);
            const uint8_t payload[] = {0, 6, 1};
            p.payload = payload;
            p.payload_len = sizeof payload;
            input(kit, &p);
            assert_true(video_in(kit) == 2 && kit->side[1].last.seq == 6 && kit->side[1].last.ssrc == 99);
        }
        kit_destroy(kit);
    }
}

/* Of two sections of a kind the first is ours to receive; payload types that both use say nothing. */
static void a_second_section_is_kept_apart(void **state) {
    (void)state;
    struct kit *kit = kit_create_limited(5, &limits);
    struct kit_side *side = &kit->side[1];
    side->media[2] = side->media[1];
    side->media[2].mid = "2";
    side->media[2].ssrc = 77;
    side->media[2].rtx_ssrc = 78;
    side->media[2].remote_ssrc_count = side->media[2].remote_fid_count = 0;
    side->result.media_count = 3;
    kit_apply(kit, 1);
    input_with_mid(kit, KIT_PT_VP8, 4711, 1, "2");
    assert_true(video_in(kit) == 0 && dropped(kit) == 1);
    input_plain(kit, KIT_PT_VP8, 4712, 1);
    assert_true(video_in(kit) == 0 && kit_stats(kit, 1).rtp_unknown == 1);
    input_with_mid(kit, KIT_PT_VP8, 4713, 1, "1");
    input_plain(kit, KIT_PT_VP8, 4713, 2); /* known by now */
    input_plain(kit, KIT_PT_VP8, KIT_SSRC_VIDEO(0), 1);
    assert_int_equal(video_in(kit), 3);
    kit_destroy(kit);
}

static void strangers_do_not_take_the_place_of_an_announced_stream(void **state) {
    (void)state;
    struct kit *kit = kit_create_limited(6, &limits);
    input_plain(kit, KIT_PT_VP8, KIT_SSRC_VIDEO(0), 1);
    input_plain(kit, KIT_PT_VP8, 4711, 1);
    assert_true(video_in(kit) == 1 && dropped(kit) == 1);
    kit_run_for(kit, RMI_SEC(2)); /* silent: the remote may have changed its mind */
    input_plain(kit, KIT_PT_VP8, 4711, 2);
    assert_true(video_in(kit) == 2 && kit_stats(kit, 1).in[RMI_RTP_VIDEO].ssrc == 4711);
    input_plain(kit, KIT_PT_VP8, KIT_SSRC_VIDEO(0), 2); /* the announced one always may */
    assert_true(video_in(kit) == 3 && kit_stats(kit, 1).in[RMI_RTP_VIDEO].ssrc == KIT_SSRC_VIDEO(0));
    kit_destroy(kit);
}

/* A new SSRC in each packet, of each kind, media and RTX: memory is what it was, and a real stream goes on after. */
static void ssrc_churn_costs_no_memory(void **state) {
    (void)state;
    for (int have_announced = 0; have_announced < 2; have_announced++) {
        struct kit *kit = kit_create_limited(7, &limits);
        if (!have_announced)
            for (size_t m = 0; m < 2; m++)
                kit->side[1].media[m].remote_ssrc_count = kit->side[1].media[m].remote_fid_count = 0;
        kit_apply(kit, 1);
        input_plain(kit, KIT_PT_VP8, KIT_SSRC_VIDEO(0), 1);
        const size_t before = atomic_load(&heap_calls);
        for (uint32_t i = 0; i < CHURN; i++) {
            const uint8_t pt[] = {KIT_PT_VP8, KIT_PT_OPUS, KIT_PT_VP8_RTX};
            input_plain(kit, pt[i % 3], 1000000 + i, (uint16_t)(i * 7));
            if (i % 100 == 0)
                input_plain(kit, KIT_PT_VP8, KIT_SSRC_VIDEO(0), (uint16_t)(2 + i / 100));
        }
        assert_int_equal(atomic_load(&heap_calls), before);
        const uint64_t so_far = video_in(kit);
        assert_true(have_announced ? so_far == 101 : so_far > 3000);
        input_plain(kit, KIT_PT_VP8, KIT_SSRC_VIDEO(0), 200);
        input_plain(kit, KIT_PT_VP8, KIT_SSRC_VIDEO(0), 201);
        assert_int_equal(video_in(kit), so_far + 2);
        /* and all of them in one report at most */
        const uint64_t rtcp = kit->side[1].rtcp_out;
        kit_run_for(kit, RMI_SEC(2));
        assert_true(kit->side[1].rtcp_out > rtcp);
        kit_destroy(kit);
    }
}

/* A jump far out of sequence is believed when it goes on from there (RFC 3550 A.1); nothing in between is asked for. */
static void numbers_that_jump(void **state) {
    (void)state;
    struct kit *kit = kit_create_limited(8, &limits);
    input_plain(kit, KIT_PT_VP8, KIT_SSRC_VIDEO(0), 100);
    input_plain(kit, KIT_PT_VP8, KIT_SSRC_VIDEO(0), 30000);
    assert_true(video_in(kit) == 1 && dropped(kit) == 1);
    input_plain(kit, KIT_PT_VP8, KIT_SSRC_VIDEO(0), 30001);
    input_plain(kit, KIT_PT_VP8, KIT_SSRC_VIDEO(0), 30002);
    assert_int_equal(video_in(kit), 3);
    kit_run_for(kit, RMI_SEC(1));
    assert_int_equal(kit_stats(kit, 1).in[RMI_RTP_VIDEO].nacks, 0);
    kit_destroy(kit);
}

/* A remote without RTX repeats in its own stream, perhaps long after; that is no new start. */
static void late_repeats_in_the_stream(void **state) {
    (void)state;
    struct kit *kit = kit_create_limited(9, &limits);
    for (uint16_t i = 0; i < 500; i++)
        if (i != 100 && i != 101 && i != 102)
            input_plain(kit, KIT_PT_VP8, KIT_SSRC_VIDEO(0), i);
    for (uint16_t i = 100; i < 103; i++) {
        input_plain(kit, KIT_PT_VP8, KIT_SSRC_VIDEO(0), i);
        assert_true(kit->side[1].last.seq == i && kit->side[1].last.repaired);
    }
    input_plain(kit, KIT_PT_VP8, KIT_SSRC_VIDEO(0), 500);
    assert_int_equal(video_in(kit), 501);
    const struct rmi_rtp_stream_stats in = kit_stats(kit, 1).in[RMI_RTP_VIDEO];
    assert_true(in.dropped == 0 && in.packets_lost == 3);
    kit_destroy(kit);
}

static void stragglers_do_not_undo_a_bye(void **state) {
    (void)state;
    struct kit *kit = kit_create_limited(10, &limits);
    uint8_t bye[64];
    const uint32_t ssrcs[] = {4711, KIT_SSRC_VIDEO(0), KIT_SSRC_RTX(0), KIT_SSRC_VIDEO(1)};
    input_plain(kit, KIT_PT_VP8, KIT_SSRC_VIDEO(0), 1);
    for (int times = 0; times < 3; times++) {
        struct rmi_wr w = rmi_wr_init(bye, sizeof bye);
        rmi_rtcp_write_bye(&w, ssrcs, 4, "because");
        rmi_rtp_session_input(kit->side[1].session, kit->now_us, true, RMI_ECN_NOT_ECT, bye, w.pos);
    }
    assert_int_equal(kit->side[1].byes[RMI_RTP_VIDEO], 1);
    input_plain(kit, KIT_PT_VP8, KIT_SSRC_VIDEO(0), 2);
    assert_true(video_in(kit) == 1 && !kit_stats(kit, 1).in[RMI_RTP_VIDEO].active);
    assert_int_equal(kit_media(kit, 1, RMI_PAYLOAD_VP8, 0, 500, true), RM_OK); /* ours is ours */
    kit_run_for(kit, RMI_SEC(1));
    input_plain(kit, KIT_PT_VP8, KIT_SSRC_VIDEO(0), 3); /* it began again */
    assert_int_equal(video_in(kit), 2);
    kit_destroy(kit);
}

/* Reports that lie about the round trip move it within bounds only; those about others are ignored. */
static void lying_reports(void **state) {
    (void)state;
    struct kit *kit = kit_create_limited(11, &limits);
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_VP8, 0, 500, true), RM_OK);
    kit_run_for(kit, RMI_SEC(1));
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 1);
    for (int i = 0; i < 20000; i++) {
        uint8_t out[64];
        struct rmi_wr w = rmi_wr_init(out, sizeof out);
        const struct rmi_rtcp_report r = {.ssrc = KIT_SSRC_VIDEO(0) + (i % 4 == 0),
                                          .fraction_lost = (uint8_t)rmi_prng_next(&prng),
                                          .lost = RMI_RTCP_LOST_MIN,
                                          .jitter = UINT32_MAX,
                                          .last_sr = (uint32_t)rmi_prng_next(&prng),
                                          .delay_since_sr = (uint32_t)rmi_prng_next(&prng)};
        rmi_rtcp_write_rr(&w, 7, &r, 1);
        rmi_rtp_session_input(kit->side[0].session, kit->now_us, true, RMI_ECN_NOT_ECT, out, w.pos);
    }
    const struct rmi_rtp_session_stats stats = kit_stats(kit, 0);
    assert_in_range(stats.rtt_us, 1, RMI_SEC(60));
    assert_true(stats.out[RMI_RTP_VIDEO].jitter_us > 0 && stats.out[RMI_RTP_VIDEO].fraction_lost < 1.0);
    kit_destroy(kit);
}

/* ---- every length, every byte turned ---- */

struct target {
    struct kit *kit;
    bool rtcp;
};

static void read_hostile(const uint8_t *data, size_t len, void *ctx) {
    struct target *t = ctx;
    uint8_t *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    if (len)
        memcpy(copy, data, len);
    rmi_rtp_session_input(t->kit->side[1].session, t->kit->now_us, t->rtcp, RMI_ECN_NOT_ECT, copy, len);
    free(copy);
    kit_run_for(t->kit, 50);
}

static void sweeps(void **state) {
    (void)state;
    struct kit *kit = kit_create_limited(12, &limits);
    struct target t = {.kit = kit};
    uint32_t timestamp = 0;
    for (int side = 0; side < 2; side++)
        kit_video(kit, side, 3, &timestamp);
    uint8_t out[1024];
    struct rmi_rtp_packet p = packet(KIT_PT_VP8, KIT_SSRC_VIDEO(0), (uint16_t)(kit->side[1].last.seq + 1));
    const struct rmi_rtp_ext_ids ids = {KIT_EXT_MID, KIT_EXT_TWCC, KIT_EXT_ABS, KIT_EXT_LEVEL};
    const struct rmi_rtp_ext_values values = {.has_mid = true, .mid = "1", .has_twcc = true, .has_abs_send_time = true};
    struct rmi_rtp_ext_storage storage;
    assert_true(rmi_rtp_ext_add(&p, &ids, &values, &storage));
    p.csrc_count = 2;
    p.padding = 8;
    rtp_sweep(read_hostile, out, rmi_rtp_write(&p, out, sizeof out), &t);
    p.pt = KIT_PT_VP8_RTX;
    p.ssrc = KIT_SSRC_RTX(0);
    rtp_sweep(read_hostile, out, rmi_rtp_write(&p, out, sizeof out), &t);
    const uint32_t ours = KIT_SSRC_VIDEO(1);
    const uint16_t seq[] = {65535, 0, 5, 100};
    const struct rmi_rtcp_report r = {.ssrc = ours, .last_sr = 1};
    const struct rmi_rtcp_sender_info info = {.ntp = 1};
    struct rmi_twcc_recorder recorder;
    rmi_twcc_recorder_init(&recorder);
    for (uint16_t i = 0; i < 20; i++)
        rmi_twcc_record(&recorder, (uint16_t)(i * 3), kit->now_us + i * 70000);
    struct rmi_wr w = rmi_wr_init(out, sizeof out);
    rmi_rtcp_write_sr(&w, KIT_SSRC_VIDEO(0), &info, &r, 1);
    rmi_rtcp_write_sdes(&w, KIT_SSRC_VIDEO(0), "x", "1");
    (void)rmi_rtcp_write_nack(&w, 1, ours, seq, 4);
    rmi_rtcp_write_pli(&w, 1, ours);
    rmi_rtcp_write_fir(&w, 1, ours, 3);
    rmi_rtcp_write_remb(&w, 1, 1000000, &ours, 1);
    w.pos += rmi_twcc_build(&recorder, 1, ours, out + w.pos, sizeof out - w.pos);
    rmi_rtcp_write_bye(&w, &(const uint32_t){4711}, 1, "end");
    assert_false(w.failed);
    t.rtcp = true;
    rtp_sweep(read_hostile, out, w.pos, &t);
    const struct rmi_rtp_session_stats stats = kit_stats(kit, 1);
    assert_true(stats.rtp_malformed > 50 && stats.rtcp_malformed > 100);
    assert_true(stats.twcc_received > 100 && stats.out[RMI_RTP_VIDEO].plis > 100);
    /* still alive */
    const uint64_t before = video_in(kit);
    kit_run_for(kit, RMI_SEC(2));
    kit_video(kit, 0, 3, &timestamp);
    kit_run_for(kit, RMI_MS(100));
    assert_true(video_in(kit) >= before + 20);
    kit_destroy(kit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_byte_payloads_and_less),
        cmocka_unit_test(a_retransmission_counts_once),
        cmocka_unit_test(what_is_not_ours_is_counted),
        cmocka_unit_test(streams_are_found_three_ways),
        cmocka_unit_test(a_second_section_is_kept_apart),
        cmocka_unit_test(strangers_do_not_take_the_place_of_an_announced_stream),
        cmocka_unit_test(ssrc_churn_costs_no_memory),
        cmocka_unit_test(numbers_that_jump),
        cmocka_unit_test(late_repeats_in_the_stream),
        cmocka_unit_test(stragglers_do_not_undo_a_bye),
        cmocka_unit_test(lying_reports),
        cmocka_unit_test(sweeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
