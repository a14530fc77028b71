/* SPDX-License-Identifier: Apache-2.0 */
#include "support/heap_count.h"

#include "peer/rtp_session_testkit.h"
#include "rtp/ext.h"
#include "rtp/source.h"

#define OPUS_TICKS 960
#define OPUS_US RMI_MS(20)

struct watch {
    struct rmi_rtp_packet p;
    struct rmi_rtp_ext_values ext;
    uint64_t rtp;
    uint64_t marked;
    bool has_twcc;
    uint16_t twcc;
    uint8_t bytes[RMI_DATAGRAM_MTU];
};

/* The transport-wide number goes up by one with each packet, whichever stream it is of. */
static void watch_rtp(struct kit *kit, int from, bool rtcp, const uint8_t *data, size_t len) {
    struct watch *w = kit->ctx;
    const struct rmi_rtp_ext_ids ids = {KIT_EXT_MID, KIT_EXT_TWCC, KIT_EXT_ABS, KIT_EXT_LEVEL};
    if (rtcp || from != 0)
        return;
    memcpy(w->bytes, data, len);
    assert_int_equal(rmi_rtp_parse(w->bytes, len, &w->p), RM_OK);
    rmi_rtp_ext_read(&w->p, &ids, &w->ext);
    assert_true(w->ext.has_twcc && w->ext.has_abs_send_time && w->ext.has_mid);
    assert_true(!w->has_twcc || w->ext.twcc == (uint16_t)(w->twcc + 1));
    assert_int_equal(w->ext.abs_send_time, rmi_abs_send_time_of(kit->now_us));
    w->has_twcc = true;
    w->twcc = w->ext.twcc;
    w->marked += w->p.marker;
    w->rtp++;
}

static void packets_carry_numbers_and_extensions(void **state) {
    (void)state;
    struct kit *kit = kit_create(1);
    struct watch w = {0};
    kit->on_wire = watch_rtp;
    kit->ctx = &w;
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_OPUS, 5000, 100, false), RM_OK);
    const struct rmi_rtp_packet first = w.p;
    assert_true(w.p.pt == KIT_PT_OPUS && w.p.ssrc == KIT_SSRC_AUDIO(0) && !w.p.marker && w.p.payload_len == 100);
    assert_true(first.seq < 0x8000);
    assert_true(w.ext.has_audio_level && w.ext.voice && w.ext.audio_level == 42);
    assert_string_equal(w.ext.mid, "0");
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_VP8, 77, 5000, true), RM_OK);
    const struct rmi_rtp_packet video = w.p;
    assert_true(w.p.pt == KIT_PT_VP8 && w.p.ssrc == KIT_SSRC_VIDEO(0) && w.p.marker);
    assert_true(!w.ext.has_audio_level && w.marked == 1 && w.rtp == 6);
    assert_string_equal(w.ext.mid, "1");
    kit_run_for(kit, OPUS_US);
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_OPUS, 5000 + OPUS_TICKS, 1, false), RM_OK); /* 1 byte is legal */
    assert_true(w.p.seq == (uint16_t)(first.seq + 1) && w.p.timestamp == first.timestamp + OPUS_TICKS);
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_H264, 77 + 3000, 2000, true), RM_OK); /* any codec in use */
    assert_true(w.p.pt == KIT_PT_H264 && w.p.timestamp == video.timestamp + 3000 &&
                w.p.seq == (uint16_t)(video.seq + 2));
    assert_true(first.timestamp != 5000 && video.timestamp != 77); /* 2^-32 each */
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_VP9, 0, 2000, false), RM_E_UNSUPPORTED);
    kit_run_for(kit, RMI_SEC(1));
    const struct kit_side *b = &kit->side[1];
    assert_true(b->media_in[RMI_RTP_AUDIO] == 2 && b->media_in[RMI_RTP_VIDEO] == 7 && b->wrong == 0);
    const struct rmi_rtp_session_stats out = kit_stats(kit, 0), in = kit_stats(kit, 1);
    assert_true(out.out[RMI_RTP_AUDIO].packets == 2 && out.out[RMI_RTP_AUDIO].bytes == 101);
    assert_true(out.out[RMI_RTP_VIDEO].frames == 2 && out.out[RMI_RTP_VIDEO].key_frames == 2);
    assert_true(in.in[RMI_RTP_VIDEO].bytes == out.out[RMI_RTP_VIDEO].bytes);
    assert_true(in.in[RMI_RTP_VIDEO].active && in.in[RMI_RTP_VIDEO].format == RMI_PAYLOAD_H264);
    assert_true(in.in[RMI_RTP_AUDIO].ssrc == KIT_SSRC_AUDIO(0) && in.rtp_unknown == 0);
    kit_destroy(kit);
}

static void what_may_be_sent_is_told(void **state) {
    (void)state;
    struct kit *kit = kit_create(2);
    struct rmi_rtp_session *s = kit->side[0].session;
    enum rmi_payload_format format;
    const char *fmtp = NULL;
    assert_true(rmi_rtp_session_send_format(s, RMI_RTP_VIDEO, &format) && format == RMI_PAYLOAD_VP8);
    assert_true(rmi_rtp_session_accepts(s, RMI_PAYLOAD_H264, &fmtp));
    assert_string_equal(fmtp, "a=b");
    assert_true(rmi_rtp_session_accepts(s, RMI_PAYLOAD_OPUS, NULL));
    assert_false(rmi_rtp_session_accepts(s, RMI_PAYLOAD_VP9, NULL));
    kit->side[0].media[0].direction = RMI_DIR_RECVONLY;
    kit->side[0].media[1].rejected = true;
    kit_apply(kit, 0);
    assert_false(rmi_rtp_session_send_format(s, RMI_RTP_AUDIO, &format));
    assert_false(rmi_rtp_session_accepts(s, RMI_PAYLOAD_H264, &fmtp));
    struct rmi_rtp_session *none = NULL;
    const struct rmi_rtp_session_config bad = {
        .ops = {.send = kit_send, .on_media = kit_on_media}, .rng = rmi_prng_rng(&kit->prng), .history_packets = 1000};
    assert_int_equal(rmi_rtp_session_create(&bad, &none), RM_E_INVALID_ARG);
    assert_null(none);
    kit_destroy(kit);
}

/* Sound both ways with losses: round trip, losses and jitter as they are, within the first second and after ten. */
static void reports_tell_round_trip_and_losses(void **state) {
    (void)state;
    struct kit *kit = kit_create(3);
    kit->delay_us = RMI_MS(37);
    kit->loss_rtp = 100;
    uint32_t timestamp = 0xfffff000U; /* wraps soon */
    for (int i = 0; i < 1500; i++) {
        for (int side = 0; side < 2; side++)
            assert_int_equal(kit_media(kit, side, RMI_PAYLOAD_OPUS, timestamp, 80, false), RM_OK);
        timestamp += OPUS_TICKS;
        kit_run_for(kit, OPUS_US);
        if (i == 60) /* after 1.2 s */
            assert_in_range(kit_stats(kit, 0).rtt_us, RMI_MS(73), RMI_MS(75));
    }
    kit_run_for(kit, RMI_MS(50));
    for (int side = 0; side < 2; side++) {
        const struct rmi_rtp_session_stats here = kit_stats(kit, side), there = kit_stats(kit, !side);
        assert_in_range(here.rtt_us, RMI_MS(73), RMI_MS(75));
        const struct rmi_rtp_stream_stats *out = &here.out[RMI_RTP_AUDIO], *in = &there.in[RMI_RTP_AUDIO];
        assert_int_equal(out->packets, 1500);
        /* The link counts losses exactly; the last packets may be missing from what is expected. */
        assert_in_range(in->packets_lost, (int64_t)kit->side[side].lost - 3, kit->side[side].lost);
        assert_int_equal(in->packets + kit->side[side].lost, 1500);
        assert_in_range(out->packets_lost, in->packets_lost - 20, in->packets_lost);
        assert_true(out->fraction_lost > 0.01 && out->fraction_lost < 0.4);
        assert_true(in->fraction_lost > 0.01 && in->fraction_lost < 0.4);
        assert_true(in->jitter_us < 100 && out->jitter_us < 100); /* a constant delay */
        assert_in_range(kit->side[side].sender_reports[RMI_RTP_AUDIO], 20, 50);
        assert_int_equal(kit->side[side].wrong, 0);
        assert_true(here.rtcp_malformed == 0 && here.rtp_malformed == 0 && here.rtp_unknown == 0);
    }
    kit_destroy(kit);
}

/* A sender report ties the timestamp of the samples taken at its time to that time of day. */
static void sender_reports_tie_the_clocks(void **state) {
    (void)state;
    struct kit *kit = kit_create(4);
    uint32_t first_in = 0;
    const int64_t start = kit->now_us;
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_OPUS, i * OPUS_TICKS, 80, false), RM_OK);
        kit_run_for(kit, OPUS_US);
        if (i == 1)
            first_in = kit->side[1].last.timestamp - i * OPUS_TICKS;
    }
    assert_true(kit->side[1].sender_reports[RMI_RTP_AUDIO] >= 2);
    const int64_t at = rmi_ntp_diff_us(kit->side[1].sr_ntp, rmi_ntp_of_unix_us(start + KIT_UNIX_US));
    const int64_t media = (int64_t)(kit->side[1].sr_timestamp - first_in) * 1000000 / 48000;
    assert_in_range(at - media + 1000, 900, 1100);
    /* The receiver sends nothing: it reports as a receiver, and cannot know a round trip. */
    assert_true(kit_stats(kit, 0).rtt_us > 0 && kit_stats(kit, 1).rtt_us == 0);
    assert_int_equal(kit->side[0].sender_reports[RMI_RTP_AUDIO], 0);
    kit_destroy(kit);
}

static void numbers_wrap(void **state) {
    (void)state;
    struct kit *kit = kit_create(5);
    kit->delay_us = RMI_MS(1);
    uint32_t timestamp = 0xffff0000U;
    for (int i = 0; i < 70000; i++) {
        assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_OPUS, timestamp, 3, false), RM_OK);
        timestamp += OPUS_TICKS;
        kit_run_for(kit, RMI_MS(2));
    }
    const struct rmi_rtp_session_stats in = kit_stats(kit, 1);
    assert_true(kit->side[1].media_in[RMI_RTP_AUDIO] == 70000 && kit->side[1].wrong == 0);
    assert_true(in.in[RMI_RTP_AUDIO].packets_lost == 0 && in.in[RMI_RTP_AUDIO].dropped == 0);
    assert_int_equal(kit_stats(kit, 0).out[RMI_RTP_AUDIO].packets_lost, 0);
    kit_destroy(kit);
}

static void nothing_goes_before_the_connection(void **state) {
    (void)state;
    struct kit *kit = kit_create(6);
    struct watch w = {0};
    kit->on_wire = watch_rtp;
    kit->ctx = &w;
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_VP8, 0, 5000, true), RM_OK);
    const uint16_t before = w.p.seq;
    kit->side[0].refuses = true;
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_VP8, 3000, 5000, true), RM_E_STATE);
    kit_run_for(kit, RMI_SEC(3));
    kit->side[0].refuses = false;
    assert_int_equal(kit->side[0].key_requests, 0);
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_VP8, 6000, 500, false), RM_OK);
    assert_int_equal(w.p.seq, (uint16_t)(before + 2)); /* one is left out for what is missing; no transport-wide one */
    assert_int_equal(kit->side[0].key_requests, 1);
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_VP8, 9000, 500, true), RM_OK);
    assert_int_equal(w.p.seq, (uint16_t)(before + 3));
    kit_destroy(kit);
}

static void bye_ends_streams(void **state) {
    (void)state;
    struct kit *kit = kit_create(7);
    uint32_t timestamp = 0;
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_OPUS, 0, 80, false), RM_OK);
    kit_video(kit, 0, 5, &timestamp);
    assert_int_equal(kit_media(kit, 1, RMI_PAYLOAD_OPUS, 0, 80, false), RM_OK);
    kit_run_for(kit, RMI_MS(100));
    rmi_rtp_session_bye(kit->side[0].session, kit->now_us);
    rmi_rtp_session_bye(kit->side[0].session, kit->now_us); /* said once */
    assert_true(rmi_rtp_session_next_deadline(kit->side[0].session) == RMI_NEVER);
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_OPUS, OPUS_TICKS, 80, false), RM_E_STATE);
    kit_run_for(kit, RMI_MS(100));
    assert_true(kit->side[1].byes[RMI_RTP_AUDIO] == 1 && kit->side[1].byes[RMI_RTP_VIDEO] == 1);
    assert_false(kit_stats(kit, 1).in[RMI_RTP_AUDIO].active);
    assert_false(kit_stats(kit, 0).out[RMI_RTP_AUDIO].active);
    assert_int_equal(kit->side[0].byes[RMI_RTP_AUDIO], 0);
    kit_destroy(kit);
}

/* Whoever never sent a packet says nothing. */
static void no_bye_without_a_stream(void **state) {
    (void)state;
    struct kit *kit = kit_create(8);
    rmi_rtp_session_bye(kit->side[0].session, kit->now_us);
    assert_int_equal(kit->side[0].rtcp_out, 0);
    kit_destroy(kit);
}

static void negotiating_again_keeps_the_numbers(void **state) {
    (void)state;
    struct kit *kit = kit_create(9);
    struct watch w = {0};
    kit->on_wire = watch_rtp;
    kit->ctx = &w;
    struct rmi_jsep_media *video = &kit->side[0].media[1], *theirs = &kit->side[1].media[1];
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_VP8, 0, 500, true), RM_OK);
    const struct rmi_rtp_packet first = w.p;
    /* another payload type, at once; the remote knows already */
    video->codecs[0].pt_send = theirs->codecs[0].pt_recv = 100;
    kit_apply(kit, 1);
    kit_apply(kit, 0);
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_VP8, 3000, 500, true), RM_OK);
    assert_true(w.p.pt == 100 && w.p.seq == (uint16_t)(first.seq + 1) && w.p.ssrc == first.ssrc &&
                w.p.timestamp == first.timestamp + 3000);
    /* held: nothing goes out, the rest runs on */
    video->direction = RMI_DIR_RECVONLY;
    kit_apply(kit, 0);
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_VP8, 6000, 500, true), RM_E_UNSUPPORTED);
    assert_int_equal(rmi_frame_pool_stats(kit->pool).in_use, 0); /* and nothing is kept to be sent again */
    kit_run_for(kit, RMI_SEC(1));
    video->direction = RMI_DIR_SENDRECV;
    kit_apply(kit, 0);
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_VP8, 9000, 500, true), RM_OK);
    assert_true(w.p.seq == (uint16_t)(first.seq + 2) && w.p.timestamp == first.timestamp + 9000);
    kit_run_for(kit, RMI_MS(100));
    assert_int_equal(kit->side[1].media_in[RMI_RTP_VIDEO], 2); /* the first was of a type no longer theirs */
    assert_int_equal(kit_stats(kit, 1).in[RMI_RTP_VIDEO].dropped, 1);
    /* no longer received: dropped, and counted */
    theirs->direction = RMI_DIR_SENDONLY;
    kit_apply(kit, 1);
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_VP8, 12000, 500, true), RM_OK);
    kit_run_for(kit, RMI_MS(100));
    assert_int_equal(kit->side[1].media_in[RMI_RTP_VIDEO], 2);
    assert_int_equal(kit_stats(kit, 1).in[RMI_RTP_VIDEO].dropped, 2);
    /* another SSRC is another stream */
    video->ssrc = KIT_SSRC_VIDEO(0) + 7;
    kit_apply(kit, 0);
    assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_VP8, 15000, 500, true), RM_OK);
    assert_int_equal(w.p.ssrc, KIT_SSRC_VIDEO(0) + 7);
    kit_destroy(kit);
}

/* A machine that slept for a year: nothing overflows, and the call goes on. */
static void a_year_passes(void **state) {
    (void)state;
    struct kit *kit = kit_create(11);
    uint32_t timestamp[2] = {0, 0x80000000U};
    for (uint32_t years = 0; years < 3; years++) {
        for (uint32_t i = 0; i < 60; i++) {
            for (int side = 0; side < 2; side++) {
                assert_int_equal(kit_media(kit, side, RMI_PAYLOAD_OPUS, (years * 100 + i) * 1600, 80, false), RM_OK);
                kit_video(kit, side, 1, &timestamp[side]);
            }
        }
        assert_in_range(kit_stats(kit, 0).rtt_us, RMI_MS(39), RMI_MS(41));
        kit->now_us += (int64_t)365 * 24 * 3600 * 1000000;
        kit_run_for(kit, RMI_SEC(2));
    }
    assert_true(kit->side[0].wrong == 0 && kit->side[1].wrong == 0);
    assert_int_equal(kit->side[1].media_in[RMI_RTP_AUDIO], 180);
    assert_int_equal(kit->side[1].media_in[RMI_RTP_VIDEO], kit->side[0].rtp_out - 180);
    kit_destroy(kit);
}

/* Ten seconds of everything, with losses, after one second to warm up. */
static void the_steady_state_allocates_nothing(void **state) {
    (void)state;
    struct kit *kit = kit_create(10);
    kit->loss_rtp = kit->loss_rtcp = 50;
    uint32_t timestamp[2] = {0};
    size_t before = 0;
    for (uint32_t i = 0; i < 330; i++) {
        if (i == 45)
            before = atomic_load(&heap_calls);
        for (int side = 0; side < 2; side++) {
            assert_int_equal(kit_media(kit, side, RMI_PAYLOAD_OPUS, i * OPUS_TICKS, 80, false), RM_OK);
            kit_video(kit, side, 1, &timestamp[side]);
        }
    }
#ifndef HEAP_IS_ANOTHERS
    assert_int_equal(atomic_load(&heap_calls) - before, 0);
#endif
    assert_true(before > 0 || atomic_load(&heap_calls) == 0);
    assert_true(kit->side[0].repaired > 100 && kit->side[1].repaired > 100);
    /* Only about a second of pictures is kept. */
    assert_in_range(rmi_frame_pool_stats(kit->pool).peak, 20, 90);
    kit_destroy(kit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_carry_numbers_and_extensions),
        cmocka_unit_test(what_may_be_sent_is_told),
        cmocka_unit_test(reports_tell_round_trip_and_losses),
        cmocka_unit_test(sender_reports_tie_the_clocks),
        cmocka_unit_test(numbers_wrap),
        cmocka_unit_test(nothing_goes_before_the_connection),
        cmocka_unit_test(bye_ends_streams),
        cmocka_unit_test(no_bye_without_a_stream),
        cmocka_unit_test(negotiating_again_keeps_the_numbers),
        cmocka_unit_test(the_steady_state_allocates_nothing),
        cmocka_unit_test(a_year_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
