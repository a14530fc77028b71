/* SPDX-License-Identifier: Apache-2.0 */
/* Repairs of sound: copies in later packets (RFC 2198), by measured loss and on request. */
#include "peer/rtp_session_testkit.h"

#define FRAME_US RMI_MS(20)
#define FRAME_TICKS 960
#define FRAME_BYTES 60
#define SETTLE_FRAMES 600 /* 12 s: losses are known, and early silence forgotten */
#define FRAMES 1500

static void with_red(struct kit *kit) {
    for (int i = 0; i < 2; i++) {
        struct rmi_jsep_codec *opus = &kit->side[i].media[0].codecs[0];
        opus->rtx_send = opus->rtx_recv = KIT_PT_RED;
        opus->feedback |= RMI_FB_NACK;
        kit_apply(kit, i);
    }
}

/* Sound from side 0, and answers of side 1, whose reports tell side 0 of losses. */
static void sound(struct kit *kit, size_t frames, uint32_t *timestamp) {
    for (size_t i = 0; i < frames; i++) {
        assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_OPUS, *timestamp, FRAME_BYTES, true), RM_OK);
        assert_int_equal(kit_media(kit, 1, RMI_PAYLOAD_OPUS, *timestamp, FRAME_BYTES, true), RM_OK);
        *timestamp += FRAME_TICKS;
        kit_run_for(kit, FRAME_US);
    }
}

struct figures {
    uint64_t sent, came, red, repaired;
};

static struct figures figures_of(const struct kit *kit) {
    const struct rmi_rtp_session_stats out = kit_stats(kit, 0);
    return (struct figures){.sent = out.out[RMI_RTP_AUDIO].packets,
                            .came = kit->side[1].media_in[RMI_RTP_AUDIO],
                            .red = kit->side[0].red_out,
                            .repaired = kit->side[1].repaired};
}

/* Random losses of so many in a thousand. What is left is theirs with as many copies as that calls for. */
static void copies_follow_the_losses(void **state) {
    (void)state;
    static const struct {
        unsigned loss;
        unsigned copies;
        double left_most;
    } rows[] = {{0, 0, 0.0}, {5, 0, 0.015}, {50, 1, 0.008}, {150, 2, 0.012}, {300, 2, 0.05}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct kit *kit = kit_create(i + 1);
        uint32_t timestamp = 0;
        with_red(kit);
        kit->delay_us = RMI_MS(100); /* too far away to ask */
        kit->loss_rtp = kit->loss_rtcp = rows[i].loss;
        sound(kit, SETTLE_FRAMES, &timestamp);
        const struct figures before = figures_of(kit);
        sound(kit, FRAMES, &timestamp);
        const struct figures after = figures_of(kit);
        const double left = 1 - (double)(after.came - before.came) / FRAMES;
        const double copies = (double)(after.red - before.red) / FRAMES;
        print_message("loss %4.1f %%: %3.0f %% of packets with copies, %.2f %% left\n", rows[i].loss / 10.0,
                      copies * 100, left * 100);
        assert_true(left <= rows[i].left_most);
        assert_int_equal(kit->side[1].wrong, 0); /* each frame once, with its own number and time */
        assert_true(rows[i].copies ? copies > 0.9 : copies < 0.3);
        assert_int_equal(kit_stats(kit, 1).in[RMI_RTP_AUDIO].redundant, kit->side[1].repaired);
        kit_destroy(kit);
    }
}

/* Losses end, and the copies with them. */
static void copies_end_with_the_losses(void **state) {
    (void)state;
    struct kit *kit = kit_create(9);
    uint32_t timestamp = 0;
    with_red(kit);
    kit->loss_rtp = 100;
    sound(kit, SETTLE_FRAMES, &timestamp);
    assert_true(kit->side[0].red_out > SETTLE_FRAMES / 2);
    kit->loss_rtp = 0;
    sound(kit, FRAMES + FRAMES, &timestamp); /* reports come once a second, and count for a fifth each */
    const uint64_t before = kit->side[0].red_out;
    sound(kit, FRAMES, &timestamp);
    assert_int_equal(kit->side[0].red_out, before);
    kit_destroy(kit);
}

/* One frame is lost, and the next one brings it when the way is short; else nobody asks. */
static void sound_is_asked_for_where_it_can_come_in_time(void **state) {
    (void)state;
    static const struct {
        int64_t delay_us;
        bool repaired;
    } rows[] = {{RMI_MS(1), true}, {RMI_MS(60), false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct kit *kit = kit_create(20);
        uint32_t timestamp = 0;
        with_red(kit);
        kit->delay_us = rows[i].delay_us;
        sound(kit, 100, &timestamp); /* the round trip is known */
        kit_run_for(kit, RMI_MS(200));
        const uint64_t before = kit->side[1].media_in[RMI_RTP_AUDIO];
        kit->loss_rtp = 1000;
        assert_int_equal(kit_media(kit, 0, RMI_PAYLOAD_OPUS, timestamp, FRAME_BYTES, true), RM_OK);
        timestamp += FRAME_TICKS;
        kit->loss_rtp = 0;
        kit_run_for(kit, FRAME_US);
        sound(kit, 10, &timestamp);
        kit_run_for(kit, RMI_MS(200));
        assert_int_equal(kit->side[1].media_in[RMI_RTP_AUDIO] - before, rows[i].repaired ? 11 : 10);
        assert_int_equal(kit->side[1].repaired, rows[i].repaired);
        assert_int_equal(kit->side[0].red_out, rows[i].repaired);
        assert_int_equal(kit_stats(kit, 1).in[RMI_RTP_AUDIO].nacks, rows[i].repaired);
        assert_int_equal(kit_stats(kit, 0).out[RMI_RTP_AUDIO].retransmitted, rows[i].repaired);
        assert_int_equal(kit->side[1].wrong, 0);
        kit_destroy(kit);
    }
}

/* Behind a silence the time between two packets does not tell how many numbers are between them. */
static void nothing_is_copied_over_a_silence(void **state) {
    (void)state;
    struct kit *kit = kit_create(30);
    uint32_t timestamp = 0;
    with_red(kit);
    kit->loss_rtp = 200;
    sound(kit, SETTLE_FRAMES, &timestamp);
    for (int i = 0; i < 100; i++) {
        sound(kit, 1, &timestamp);
        const uint64_t before = kit->side[0].red_out;
        timestamp += 3 * FRAME_TICKS;
        sound(kit, 1, &timestamp);
        assert_int_equal(kit->side[0].red_out, before);
        sound(kit, 1, &timestamp);
        assert_int_equal(kit->side[0].red_out, before + 1);
        timestamp += FRAME_TICKS / 2;
    }
    assert_int_equal(kit->side[1].wrong, 0);
    kit_destroy(kit);
}

/* A remote that knows no redundancy gets none, however much is lost. */
static void without_agreement_there_are_no_copies(void **state) {
    (void)state;
    struct kit *kit = kit_create(40);
    uint32_t timestamp = 0;
    kit->loss_rtp = 200;
    sound(kit, SETTLE_FRAMES, &timestamp);
    assert_int_equal(kit->side[0].red_out, 0);
    assert_int_equal(kit_stats(kit, 1).in[RMI_RTP_AUDIO].nacks, 0);
    kit_destroy(kit);
}

/* In-band FEC is for those who say that they use it, and who know nothing better. */
static void fec_is_for_those_without_copies(void **state) {
    (void)state;
    struct kit *kit = kit_create(41);
    struct rmi_jsep_codec *opus = &kit->side[0].media[0].codecs[0];
    static const struct {
        const char *fmtp;
        bool needs;
    } rows[] = {{"minptime=10;useinbandfec=1", true},
                {"minptime=10; UseInbandFec=1", true},
                {"useinbandfec=0", false},
                {"useinbandfec=10", false},
                {"useinbandfec", false},
                {"minptime=10", false},
                {"", false},
                {NULL, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        opus->fmtp = rows[i].fmtp;
        kit_apply(kit, 0);
        assert_int_equal(rmi_rtp_session_needs_fec(kit->side[0].session), rows[i].needs);
    }
    opus->fmtp = rows[0].fmtp;
    with_red(kit);
    assert_false(rmi_rtp_session_needs_fec(kit->side[0].session));
    kit->side[0].media[0].direction = RMI_DIR_RECVONLY;
    kit_apply(kit, 0);
    assert_false(rmi_rtp_session_needs_fec(kit->side[0].session));
    kit_destroy(kit);
}

/* ---- hostile ---- */

static void hand_in(struct kit *kit, uint16_t seq, const uint8_t *payload, size_t len) {
    uint8_t packet[256];
    const struct rmi_rtp_packet p = {.pt = KIT_PT_RED,
                                     .seq = seq,
                                     .timestamp = seq * (uint32_t)FRAME_TICKS,
                                     .ssrc = KIT_SSRC_AUDIO(0),
                                     .payload = payload,
                                     .payload_len = len};
    const size_t n = rmi_rtp_write(&p, packet, sizeof packet);
    assert_true(n > 0);
    rmi_rtp_session_input(kit->side[1].session, kit->now_us, false, RMI_ECN_NOT_ECT, packet, n);
}

static void what_is_malformed_is_counted(void **state) {
    (void)state;
    struct kit *kit = kit_create(50);
    with_red(kit);
    static const uint8_t good[] = {0xef, 0x0f, 0x00, 0x02, 0x6f, 0x78, 1, 0x78, 2, 3};
    /* The copy's own number: 960 ticks are one frame. */
    kit->side[0].sent_sum[RMI_RTP_AUDIO][100] = kit_sum(good + 7, 3, 100 * FRAME_TICKS);
    kit->side[0].sent_sum[RMI_RTP_AUDIO][99] = kit_sum(good + 5, 2, 99 * FRAME_TICKS);
    hand_in(kit, 100, good, sizeof good);
    assert_int_equal(kit->side[1].media_in[RMI_RTP_AUDIO], 2);
    assert_int_equal(kit->side[1].wrong, 0);
    hand_in(kit, 100, good, sizeof good); /* twice: nothing more */
    assert_int_equal(kit->side[1].media_in[RMI_RTP_AUDIO], 2);
    for (size_t len = 0; len < 7; len++)
        hand_in(kit, 101, good, len);
    assert_true(kit_stats(kit, 1).rtp_malformed > 0);
    static const uint8_t other[] = {0x60, 1, 2, 3}; /* of another payload type */
    static const uint8_t ahead[] = {0xef, 0,    0,    2, 0xe0, 0x0f, 0,
                                    2,    0x6f, 0x78, 1, 0x78, 1,    0x78}; /* time 0, type 96 */
    hand_in(kit, 102, other, sizeof other);
    assert_int_equal(kit->side[1].media_in[RMI_RTP_AUDIO], 2);
    kit->side[0].sent_sum[RMI_RTP_AUDIO][103] = kit_sum(ahead + 13, 1, 103 * FRAME_TICKS);
    hand_in(kit, 103, ahead, sizeof ahead);
    assert_int_equal(kit->side[1].media_in[RMI_RTP_AUDIO], 3);
    assert_int_equal(kit->side[1].wrong, 0);
    kit_destroy(kit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_follow_the_losses),
        cmocka_unit_test(copies_end_with_the_losses),
        cmocka_unit_test(sound_is_asked_for_where_it_can_come_in_time),
        cmocka_unit_test(nothing_is_copied_over_a_silence),
        cmocka_unit_test(without_agreement_there_are_no_copies),
        cmocka_unit_test(fec_is_for_those_without_copies),
        cmocka_unit_test(what_is_malformed_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
