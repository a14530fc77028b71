/* SPDX-License-Identifier: Apache-2.0 */
/* The narrow encoder beside the other: a listener that changes between them hears one sound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "base/time.h"
#include "session/audio_sender.h"
#include <math.h>
#include <string.h>

#define TAU 6.28318530717958647692
#define RATE 48000
#define HZ 800.0
#define AMPLITUDE 0.4
#define WINDOW 120 /* samples: two periods of HZ */
#define HEARD (RATE * 60)
#define NARROW_TICKS 960

struct listener {
    struct rmi_audio_share_peer place;
    struct rmi_audio_decoder *decoder; /* NULL: only times are looked at */
    uint32_t next;                     /* where what it got ends */
    bool begun, gaps;
    size_t n, narrow_n, full_made, narrow_made, narrow_bytes;
    uint64_t changes;
    int64_t capture_us;
    float heard[HEARD];
    size_t heard_n;
};

static struct listener ear; /* too large for a stack */

static void take(struct listener *l, bool narrow, const struct rmi_rtp_batch *b) {
    const uint8_t *data = b->data + b->payload[0].offset;
    const size_t len = b->payload[0].len, ticks = rmi_opus_packet_samples(data, len, RATE);
    const enum rmi_audio_sending before = l->place.sending;
    *(narrow ? &l->narrow_made : &l->full_made) += 1;
    l->narrow_bytes += narrow ? len : 0;
    assert_true(!narrow || ticks >= NARROW_TICKS);
    if (!rmi_audio_share_pass(&l->place, narrow, b)) {
        l->changes += before != l->place.sending;
        return;
    }
    l->changes += before != l->place.sending;
    if (l->begun) {
        assert_true(b->timestamp == l->next || (l->gaps && (int32_t)(b->timestamp - l->next) > 0));
        assert_true(b->capture_us > l->capture_us);
    }
    l->begun = true;
    l->next = b->timestamp + (uint32_t)ticks;
    l->capture_us = b->capture_us;
    l->n++;
    l->narrow_n += narrow;
    if (l->decoder) {
        size_t samples = 0;
        assert_true(l->heard_n + ticks <= HEARD);
        assert_int_equal(
            rmi_audio_decoder_decode(l->decoder, data, len, l->heard + l->heard_n, HEARD - l->heard_n, &samples),
            RM_OK);
        l->heard_n += samples;
    }
}

static void on_full(void *ctx, const struct rmi_rtp_batch *b) {
    take(ctx, false, b);
}

static void on_narrow(void *ctx, const struct rmi_rtp_batch *b) {
    take(ctx, true, b);
}

static struct rmi_audio_sender *create(uint32_t frame_us, bool heard) {
    struct rmi_audio_sender_config c;
    struct rmi_audio_sender *s = NULL;
    rmi_audio_sender_config_init(&c);
    c.encoder.bitrate_bps = 64000;
    c.encoder.frame_us = frame_us;
    c.encoder.use = frame_us <= 10000 ? RMI_AUDIO_USE_LOW_DELAY : RMI_AUDIO_USE_VOICE;
    c.on_batch = on_full;
    c.on_narrow = on_narrow;
    c.ctx = &ear;
    memset(&ear, 0, sizeof ear);
    const struct rmi_audio_decoder_config listener = {.rate_hz = RATE, .channels = 1};
    if (heard)
        assert_int_equal(rmi_audio_decoder_create(RMI_CODEC_OPUS, &listener, &ear.decoder), RM_OK);
    assert_int_equal(rmi_audio_sender_create(&c, &s), RM_OK);
    return s;
}

static void end(struct rmi_audio_sender **s) {
    rmi_audio_decoder_destroy(&ear.decoder);
    rmi_audio_sender_destroy(s);
}

/* A tone of so many samples, `at` the first of them. */
static void speak(struct rmi_audio_sender *s, uint64_t *at, size_t n, int64_t own_us) {
    rm_buf *buf = NULL;
    rm_runtime_data *data = NULL;
    assert_int_equal(rm_buf_create(n * sizeof(float), &buf), RM_OK);
    float *pcm = (float *)(void *)rm_buf_write(buf);
    for (size_t i = 0; i < n; i++)
        pcm[i] = (float)(AMPLITUDE * sin(TAU * HZ * (double)(*at + i) / RATE));
    *at += n;
    assert_int_equal(rm_runtime_data_create_audio(buf, 0, n, RATE, 1, &data), RM_OK);
    if (own_us >= 0)
        rm_runtime_data_set_timestamp_us(data, own_us);
    assert_int_equal(rmi_audio_sender_input(s, data, RMI_SEC(1) + (int64_t)(*at * 1000000 / RATE)), RM_OK);
    rm_runtime_data_unref(&data);
    rm_buf_unref(&buf);
}

/* What a receiver's place makes of it. */
static void want(struct rmi_audio_sender *s, bool narrow, uint32_t bps) {
    const bool now = ear.place.sending == RMI_AUDIO_NARROW;
    ear.place.narrow = narrow;
    const struct rmi_audio_make make = {
        .full = !narrow || !now, .narrow_bps = narrow || now ? bps : 0, .change = narrow != now};
    rmi_audio_sender_make(s, &make);
}

/* How loud windows are from here on, least and most, and the largest sample. */
static void loudness(size_t from, double *least, double *most, double *peak) {
    *least = 1e9;
    *most = *peak = 0;
    for (size_t at = from; at + WINDOW <= ear.heard_n; at += WINDOW / 4) {
        double sum = 0;
        for (size_t i = at; i < at + WINDOW; i++) {
            sum += (double)ear.heard[i] * (double)ear.heard[i];
            *peak = fmax(*peak, fabs((double)ear.heard[i]));
        }
        *least = fmin(*least, sqrt(sum / WINDOW));
        *most = fmax(*most, sqrt(sum / WINDOW));
    }
}

/* There and back: neither a hole nor a crack, and only the encoder that somebody hears works. */
static void a_listener_hears_no_change(void **state) {
    (void)state;
    const double loud = AMPLITUDE / sqrt(2);
    struct rmi_audio_sender *s = create(10000, true);
    uint64_t at = 0;
    for (int turn = 0; turn < 7; turn++) {
        const bool narrow = turn % 2;
        const size_t from = ear.heard_n + (turn ? 0 : RATE / 10);
        want(s, narrow, 32000);
        for (int i = 0; i < 12; i++)
            speak(s, &at, 480, -1);
        want(s, narrow, 32000);
        assert_int_equal(ear.place.sending, narrow ? RMI_AUDIO_NARROW : RMI_AUDIO_FULL);
        const size_t full = ear.full_made, less = ear.narrow_made;
        for (int i = 0; i < 40; i++)
            speak(s, &at, 480, -1);
        assert_in_range(ear.full_made - full, narrow ? 0 : 40, narrow ? 2 : 40);
        assert_in_range(ear.narrow_made - less, narrow ? 20 : 0, narrow ? 20 : 1);
        double least, most, peak;
        loudness(from, &least, &most, &peak);
        print_message("turn %d: windows %.3f..%.3f, peak %.3f\n", turn, least, most, peak);
        assert_true(least > 0.6 * loud && most < 1.4 * loud && peak < 1.5 * AMPLITUDE);
    }
    assert_int_equal(ear.changes, 7);
    end(&s);
}

/* Both encoders at work for others for long: the listener's changes are as soft. */
static void encoders_that_are_long_at_work_can_be_changed_between(void **state) {
    (void)state;
    const double loud = AMPLITUDE / sqrt(2);
    struct rmi_audio_sender *s = create(10000, true);
    uint64_t at = 0;
    for (int turn = 0; turn < 8; turn++) {
        ear.place.narrow = turn % 2;
        const struct rmi_audio_make both = {.full = true, .narrow_bps = 24000, .change = turn > 0};
        rmi_audio_sender_make(s, &both);
        const size_t from = ear.heard_n + (turn ? 0 : RATE / 10);
        for (int i = 0; i < 50; i++)
            speak(s, &at, 480, -1);
        double least, most, peak;
        loudness(from, &least, &most, &peak);
        print_message("turn %d: windows %.3f..%.3f, peak %.3f\n", turn, least, most, peak);
        assert_true(least > 0.6 * loud && most < 1.4 * loud && peak < 1.5 * AMPLITUDE);
    }
    assert_int_equal(ear.changes, 8);
    assert_in_range(ear.full_made, 398, 400);
    end(&s);
}

/* At any moment, in chunks of any length, with frames of every length: what a listener gets is one row. */
static void whenever_it_changes_nothing_is_missing(void **state) {
    (void)state;
    static const uint32_t frames[] = {2500, 5000, 10000, 20000, 40000, 60000};
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 7);
    for (size_t f = 0; f < sizeof frames / sizeof *frames; f++) {
        struct rmi_audio_sender *s = create(frames[f], false);
        uint64_t at = 0;
        bool narrow = false;
        for (int i = 0; i < 1500; i++) {
            if (rmi_prng_next(&prng) % 20 == 0)
                narrow = !narrow;
            want(s, narrow, 16000 + 1000 * (uint32_t)(rmi_prng_next(&prng) % 48));
            speak(s, &at, 1 + (size_t)(rmi_prng_next(&prng) % 1500), -1);
        }
        print_message("%u us: %llu changes, %zu narrow of %zu\n", frames[f], (unsigned long long)ear.changes,
                      ear.narrow_n, ear.n);
        assert_true(ear.changes > 30 && ear.narrow_n > 50 && ear.n - ear.narrow_n > 50);
        end(&s);
    }
}

static void the_bitrate_is_followed(void **state) {
    (void)state;
    static const uint32_t bps[] = {48000, 32000, 16000};
    struct rmi_audio_sender *s = create(10000, false);
    uint64_t at = 0;
    for (size_t i = 0; i < sizeof bps / sizeof *bps; i++) {
        want(s, true, bps[i]);
        for (int n = 0; n < 20; n++)
            speak(s, &at, 480, -1);
        want(s, true, bps[i]);
        const size_t before = ear.narrow_bytes;
        for (int n = 0; n < 200; n++)
            speak(s, &at, 480, -1);
        const double measured = 8.0 * (double)(ear.narrow_bytes - before) / 2;
        print_message("%u bit/s set, %.0f made\n", bps[i], measured);
        assert_true(measured > 0.6 * bps[i] && measured < 1.15 * bps[i]);
    }
    end(&s);
}

/* A part of a narrow frame goes out before a gap, and what comes after it is at its own time. */
static void gaps_leave_gaps(void **state) {
    (void)state;
    struct rmi_audio_sender *s = create(10000, false);
    uint64_t at = 0;
    int64_t own_us = 0;
    want(s, true, 32000);
    for (int i = 0; i < 20; i++, own_us += 10000)
        speak(s, &at, 480, own_us);
    want(s, true, 32000);
    ear.gaps = true;
    for (int turn = 0; turn < 4; turn++) {
        for (int i = 0; i < 7 + turn; i++, own_us += 10000)
            speak(s, &at, 480, own_us);
        const uint32_t said = (uint32_t)(own_us / 1000 * 48), gap_ticks = 4800;
        assert_in_range(said - ear.next, 0, 480); /* half a frame waits at most */
        own_us += 100000;
        for (int i = 0; i < 2; i++, own_us += 10000) {
            speak(s, &at, 480, own_us);
            if (i == 0)
                assert_in_range(ear.next - said, 0, 480); /* that half went out, with silence behind it */
        }
        assert_int_equal(ear.next, said + gap_ticks + 2 * 480); /* a whole frame of the two */
    }
    end(&s);
}

/* Another length of the other's frames: the narrow encoder begins anew, and until then there is the other. */
static void it_survives_another_length_of_frames(void **state) {
    (void)state;
    struct rmi_audio_sender *s = create(10000, false);
    struct rmi_audio_encoder_config c;
    uint64_t at = 0;
    rmi_audio_encoder_config_init(&c);
    c.rate_hz = 0;
    c.channels = 0;
    for (int turn = 0; turn < 6; turn++) {
        want(s, true, 32000);
        for (int i = 0; i < 31; i++)
            speak(s, &at, 480, -1);
        c.use = turn % 2 ? RMI_AUDIO_USE_LOW_DELAY : RMI_AUDIO_USE_VOICE;
        c.frame_us = turn % 2 ? 10000 : 40000;
        c.fec = turn % 2 == 0;
        ear.begun = false; /* what was collected is gone */
        ear.place.sending = RMI_AUDIO_NOTHING;
        assert_int_equal(rmi_audio_sender_configure(s, &c), RM_OK);
    }
    want(s, false, 0);
    for (int i = 0; i < 20; i++)
        speak(s, &at, 480, -1);
    assert_true(ear.n > 50 && ear.narrow_n > 10);
    end(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listener_hears_no_change),
        cmocka_unit_test(encoders_that_are_long_at_work_can_be_changed_between),
        cmocka_unit_test(whenever_it_changes_nothing_is_missing),
        cmocka_unit_test(the_bitrate_is_followed),
        cmocka_unit_test(gaps_leave_gaps),
        cmocka_unit_test(it_survives_another_length_of_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
