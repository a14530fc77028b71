/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/rtp_session_testkit.h"
#include <math.h>

static const struct rmi_cc_limits limits = {.min_bps = 50e3, .start_bps = 500e3, .max_bps = 4e6};

/* Of side 0. */
struct wire {
    uint64_t video, padding, video_bytes;
    int64_t first_us, last_us, sound_late_us, sound_due_us;
};

static void watch(struct kit *kit, int from, bool rtcp, const uint8_t *data, size_t len) {
    struct wire *w = kit->ctx;
    struct rmi_rtp_packet p;
    if (rtcp || from != 0)
        return;
    assert_int_equal(rmi_rtp_parse(data, len, &p), RM_OK);
    if (p.ssrc == KIT_SSRC_AUDIO(0))
        w->sound_late_us = rmi_max64(w->sound_late_us, kit->now_us - w->sound_due_us);
    w->padding += p.padding > 0;
    if (p.ssrc != KIT_SSRC_VIDEO(0))
        return;
    w->first_us = w->video ? w->first_us : kit->now_us;
    w->last_us = kit->now_us;
    w->video++;
    w->video_bytes += len;
}

static struct kit *begin(uint64_t seed, struct wire *w) {
    struct kit *kit = kit_create_limited(seed, &limits);
    *w = (struct wire){0};
    kit->on_wire = watch;
    kit->ctx = w;
    return kit;
}

/* Pictures by an encoder that obeys, 30 a second, and sound each 20 ms, from side 0. */
static void run(struct kit *kit, struct wire *w, int seconds, double most_bps) {
    static const int frame_us = 33000, sound_us = 20000;
    int64_t picture_at = kit->now_us, sound_at = kit->now_us;
    const int64_t until = kit->now_us + RMI_SEC(seconds);
    while (kit->now_us < until) {
        const double bps = kit->side[0].rate.video_bps < most_bps ? kit->side[0].rate.video_bps : most_bps;
        if (kit->now_us >= picture_at && bps > 0)
            (void)kit_media(kit, 0, RMI_PAYLOAD_VP8, (uint32_t)(picture_at / 1000 * 90), (size_t)(bps * frame_us / 8e6),
                            false);
        if (kit->now_us >= picture_at)
            picture_at += frame_us;
        if (kit->now_us >= sound_at) {
            w->sound_due_us = kit->now_us;
            assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_OPUS, (uint32_t)(sound_at / 1000 * 48), 100, false), RM_OK);
            sound_at += sound_us;
        }
        kit_run(kit, rmi_min64(rmi_min64(picture_at, sound_at), until));
    }
}

static void a_large_picture_is_spread_and_sound_is_not(void **state) {
    (void)state;
    struct wire w;
    struct kit *kit = begin(1, &w);
    for (int side = 0; side < 2; side++) { /* no probes, which would raise the pace */
        kit->side[side].media[0].ext[RMI_JSEP_EXT_TWCC] = kit->side[side].media[1].ext[RMI_JSEP_EXT_TWCC] = 0;
        kit_apply(kit, side);
    }
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_VP8, 0, 30000, true), RM_OK);
    assert_in_range(w.video, 2, 4); /* 10 ms at 1.25 Mbit/s */
    w.sound_due_us = kit->now_us;
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_OPUS, 0, 100, false), RM_OK);
    kit_run_for(kit, RMI_MS(500));
    assert_int_equal(w.video, 28);
    assert_int_equal(w.sound_late_us, 0);
    assert_in_range(w.last_us - w.first_us, RMI_MS(150), RMI_MS(220)); /* 31 kB at 1.25 Mbit/s */
    assert_int_equal(w.padding, 0);
    assert_int_equal(kit->side[1].media_in[RMI_RTP_VIDEO], 28);
    assert_int_equal(kit->side[1].wrong, 0);
    kit_destroy(kit);
}

static void probes_find_a_fast_path(void **state) {
    (void)state;
    struct wire w;
    struct kit *kit = begin(2, &w);
    assert_true(kit->side[0].rates == 1 && kit->side[0].rate.target_bps == 500e3);
    run(kit, &w, 1, 400e3);
    kit_run_for(kit, RMI_MS(30));
    const struct rmi_rtp_session_stats stats = kit_stats(kit, 0);
    assert_true(kit->side[0].rate.target_bps == 4e6);
    assert_true(stats.available_outgoing_bps == 4e6);
    assert_in_range(stats.probes, 2, 5);
    assert_int_equal(stats.padding_packets, w.padding);
    assert_true(w.padding > 10);
    /* The padding reaches nobody. */
    assert_int_equal(kit->side[1].wrong, 0);
    assert_int_equal(kit->side[1].media_in[RMI_RTP_VIDEO], w.video);
    assert_int_equal(kit_stats(kit, 1).in[RMI_RTP_VIDEO].dropped, 0);
    run(kit, &w, 20, 400e3); /* and nothing more is probed for */
    assert_int_equal(kit_stats(kit, 0).probes, stats.probes);
    kit_destroy(kit);
}

static void a_slow_link_is_filled_and_not_overrun(void **state) {
    (void)state;
    struct wire w;
    struct kit *kit = begin(3, &w);
    kit->link_bps = 1e6;
    run(kit, &w, 10, 4e6);
    const uint64_t lost = kit->side[0].lost;
    w.video_bytes = 0;
    run(kit, &w, 30, 4e6);
    assert_int_equal(kit->side[0].lost, lost);
    const double bps = (double)w.video_bytes * 8 / 30;
    assert_true(bps > 0.8e6 && bps < 1e6);
    assert_int_equal(w.sound_late_us, 0);
    assert_int_equal(kit->side[0].rate.limited_by, RMI_CC_BY_DELAY);
    /* A path of 100 kbit/s has room for sound only. */
    kit->link_bps = 100e3;
    run(kit, &w, 15, 4e6);
    const uint64_t before = kit->side[1].media_in[RMI_RTP_AUDIO];
    run(kit, &w, 10, 4e6);
    assert_true(kit->side[1].media_in[RMI_RTP_AUDIO] - before > 480);
    /* And pictures come back. */
    kit->link_bps = 2e6;
    run(kit, &w, 40, 4e6);
    assert_true(kit->side[0].rate.video_bps > 500e3);
    assert_int_equal(kit->side[1].wrong, 0);
    kit_destroy(kit);
}

/* Where the path is full a large picture waits here, not in its queue. */
static void a_full_path_is_not_overrun_by_a_large_picture(void **state) {
    (void)state;
    struct wire w;
    struct kit *kit = begin(3, &w);
    kit->link_bps = 1e6;
    run(kit, &w, 20, 4e6);
    assert_int_equal(kit->side[0].rate.limited_by, RMI_CC_BY_DELAY);
    const double target_bps = kit->side[0].rate.target_bps;
    kit_run_for(kit, RMI_MS(100));
    w.video = 0;
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_VP8, 1000000, 30000, true), RM_OK);
    kit_run_for(kit, RMI_MS(600));
    assert_int_equal(w.video, 28);
    assert_true((double)(w.last_us - w.first_us) > 30000 * 8e6 / (1.2 * target_bps) - RMI_MS(15));
    kit_destroy(kit);
}

/* What waits was made for a path that is gone: it makes room, and a key frame is asked for. */
static void a_large_fall_of_the_rate_empties_the_queue(void **state) {
    (void)state;
    struct wire w;
    struct kit *kit = begin(10, &w);
    kit->link_bps = 3e6;
    run(kit, &w, 10, 4e6);
    kit->link_bps = 200e3;
    const uint64_t keys = kit->side[0].key_requests;
    for (int i = 0; i < 8; i++) { /* an encoder that is told too late */
        (void)kit_media(kit, 0, RMI_PAYLOAD_VP8, 2000000 + (uint32_t)i * 9000, 30000, false);
        kit_run_for(kit, RMI_MS(100));
    }
    kit_run_for(kit, RMI_MS(1000));
    run(kit, &w, 1, 4e6);
    assert_true(kit->side[0].key_requests > keys);
    assert_true(kit_stats(kit, 0).pacer_delay_us < RMI_MS(500));
    assert_int_equal(w.sound_late_us, 0);
    assert_int_equal(kit->side[1].wrong, 0);
    kit_destroy(kit);
}

static void repairs_go_through_the_pacer(void **state) {
    (void)state;
    struct wire w;
    struct kit *kit = begin(4, &w);
    kit->loss_rtp = 50;
    run(kit, &w, 20, 1e6);
    kit->loss_rtp = 0;
    run(kit, &w, 1, 1e6);
    const struct rmi_rtp_session_stats out = kit_stats(kit, 0);
    assert_int_equal(kit->side[1].wrong, 0);
    assert_true(out.out[RMI_RTP_VIDEO].retransmitted > 50);
    assert_in_range(kit->side[1].media_in[RMI_RTP_VIDEO], w.video - 8, w.video);
    assert_true(kit->side[0].rate.loss < 0.08);
    kit_destroy(kit);
}

/* Without a path everything that waits is dropped, and a key frame asked for when it is back. */
static void a_lost_path_empties_the_queue(void **state) {
    (void)state;
    struct wire w;
    struct kit *kit = begin(5, &w);
    run(kit, &w, 2, 1e6);
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_VP8, 1000000, 30000, true), RM_OK);
    kit->side[0].refuses = true;
    kit_run_for(kit, RMI_MS(500));
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_VP8, 1003000, 30000, false), RM_E_STATE);
    assert_int_equal(rmi_frame_pool_stats(kit->pool).in_use <= 80, 1);
    kit->side[0].refuses = false;
    const uint64_t keys = kit->side[0].key_requests;
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_VP8, 1006000, 3000, false), RM_OK);
    kit_run_for(kit, RMI_MS(500));
    assert_int_equal(kit->side[0].key_requests, keys + 1);
    assert_int_equal(kit->side[1].wrong, 0);
    kit_destroy(kit);
}

static void what_waits_at_the_end_is_freed(void **state) {
    (void)state;
    struct wire w;
    struct kit *kit = begin(6, &w);
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_VP8, 0, 30000, true), RM_OK);
    assert_int_equal(kit_media(kit, 1, RMI_PAYLOAD_VP8, 0, 30000, true), RM_OK);
    rmi_rtp_session_bye(kit->side[1].session, kit->now_us);
    kit_run_for(kit, RMI_MS(10));
    kit_destroy(kit); /* looks into the pool */
}

static void pictures_that_pile_up_are_dropped_at_the_limit(void **state) {
    (void)state;
    struct wire w;
    struct kit *kit = begin(7, &w);
    int refused = 0;
    for (int i = 0; i < 400; i++)
        refused += kit_media(kit, 0, RMI_PAYLOAD_VP8, (uint32_t)i * 3000, 30000, i == 0) == RM_E_LIMIT;
    assert_in_range(refused, 1, 3);
    kit_run_for(kit, RMI_SEC(4));
    assert_int_equal(kit_stats(kit, 0).pacer_delay_us, 0);
    assert_int_equal(kit->side[0].key_requests, 1);
    assert_int_equal(kit->side[1].wrong, 0);
    kit_destroy(kit);
}

static void without_retransmission_nothing_pads(void **state) {
    (void)state;
    struct wire w;
    struct kit *kit = begin(8, &w);
    for (int side = 0; side < 2; side++) {
        for (size_t c = 0; c < 2; c++)
            kit->side[side].media[1].codecs[c].rtx_send = kit->side[side].media[1].codecs[c].rtx_recv = RMI_SDP_NO_PT;
        kit_apply(kit, side);
    }
    run(kit, &w, 10, 4e6);
    assert_int_equal(w.padding, 0);
    assert_int_equal(kit_stats(kit, 0).probes, 0);
    assert_true(kit->side[0].rate.target_bps > 800e3); /* 8 % a second */
    kit_destroy(kit);
}

/* Reports that say ten times what TCP would do at such losses: RFC 8083. */
static void the_circuit_breaker_ends_pictures_and_not_sound(void **state) {
    (void)state;
    struct wire w;
    const struct rmi_cc_limits fixed = {.min_bps = 4e6, .start_bps = 4e6, .max_bps = 4e6};
    struct kit *kit = kit_create_limited(9, &fixed); /* a control that cannot do its work */
    w = (struct wire){0};
    kit->on_wire = watch;
    kit->ctx = &w;
    kit->delay_us = RMI_MS(150);
    kit->loss_rtp = 300;
    run(kit, &w, 20, 3.5e6);
    assert_true(kit_stats(kit, 0).breaker_trips >= 1);
    assert_true(kit->side[0].rate.video_bps == 0);
    const uint64_t video = w.video, sound = kit->side[1].media_in[RMI_RTP_AUDIO];
    kit->loss_rtp = 0;
    run(kit, &w, 5, 3.5e6);
    assert_int_equal(w.video, video);
    assert_true(kit->side[1].media_in[RMI_RTP_AUDIO] > sound + 200);
    run(kit, &w, 40, 3.5e6);
    assert_true(w.video > video + 1000); /* tried again */
    assert_true(kit->side[0].rate.video_bps > 0);
    kit_destroy(kit);
}

static void estimate(struct kit *kit, uint64_t bps, bool of_sound_too) {
    uint8_t out[64];
    struct rmi_wr w = rmi_wr_init(out, sizeof out);
    const uint32_t ssrcs[] = {KIT_SSRC_VIDEO(0), KIT_SSRC_AUDIO(0)};
    rmi_rtcp_write_remb(&w, 1, bps, ssrcs, of_sound_too ? 2 : 1);
    rmi_rtp_session_input(kit->side[0].session, kit->now_us, true, RMI_ECN_NOT_ECT, out, w.pos);
}

/* As aiortc does: its estimate counts pictures only. */
static void an_estimate_of_pictures_is_theirs_alone(void **state) {
    (void)state;
    struct wire w;
    struct kit *kit = begin(11, &w);
    run(kit, &w, 2, 150e3); /* sound of 72 kbit/s with all headers */
    estimate(kit, 200000, true);
    const double with_sound = kit->side[0].rate.video_bps;
    assert_int_equal(kit->side[0].rate.limited_by, RMI_CC_BY_REMB);
    assert_true(with_sound > 100e3 && with_sound < 130e3);
    estimate(kit, 200000, false);
    assert_true(fabs(kit->side[0].rate.video_bps - 200e3 * 0.94) < 2e3);
    kit_destroy(kit);
}

/* A receiver that estimates from pictures has nothing to say while there are none: they may not end for good. */
static void where_nothing_probes_pictures_stay_at_the_least(void **state) {
    (void)state;
    struct wire w;
    struct kit *kit = begin(12, &w);
    for (int side = 0; side < 2; side++) {
        kit->side[side].media[0].ext[RMI_JSEP_EXT_TWCC] = kit->side[side].media[1].ext[RMI_JSEP_EXT_TWCC] = 0;
        kit_apply(kit, side);
    }
    run(kit, &w, 2, 150e3);
    estimate(kit, 60000, true);
    assert_true(kit->side[0].rate.video_bps == 50e3);
    const uint64_t before = w.video;
    run(kit, &w, 3, 150e3);
    assert_true(w.video > before + 60);
    /* With a way to probe they do end. */
    for (int side = 0; side < 2; side++) {
        kit->side[side].media[0].ext[RMI_JSEP_EXT_TWCC] = kit->side[side].media[1].ext[RMI_JSEP_EXT_TWCC] =
            KIT_EXT_TWCC;
        kit_apply(kit, side);
    }
    estimate(kit, 61000, true);
    assert_true(kit->side[0].rate.video_bps == 0);
    kit_destroy(kit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_estimate_of_pictures_is_theirs_alone),
        cmocka_unit_test(where_nothing_probes_pictures_stay_at_the_least),
        cmocka_unit_test(a_large_picture_is_spread_and_sound_is_not),
        cmocka_unit_test(probes_find_a_fast_path),
        cmocka_unit_test(a_slow_link_is_filled_and_not_overrun),
        cmocka_unit_test(a_full_path_is_not_overrun_by_a_large_picture),
        cmocka_unit_test(a_large_fall_of_the_rate_empties_the_queue),
        cmocka_unit_test(repairs_go_through_the_pacer),
        cmocka_unit_test(a_lost_path_empties_the_queue),
        cmocka_unit_test(what_waits_at_the_end_is_freed),
        cmocka_unit_test(pictures_that_pile_up_are_dropped_at_the_limit),
        cmocka_unit_test(without_retransmission_nothing_pads),
        cmocka_unit_test(the_circuit_breaker_ends_pictures_and_not_sound),
    };
    return cmocka_run_group_tests_name("peer.rtp_session_pace", tests, NULL, NULL);
}
