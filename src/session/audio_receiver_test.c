/* SPDX-License-Identifier: Apache-2.0 */
/* Sound from a sender to a receiver, in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "session/audio_link_testkit.h"

/* ---- sound ---- */

static void sound_comes_through_as_it_was(void **state) {
    (void)state;
    static const uint32_t rates[] = {8000, 12000, 16000, 24000, 48000}, frames[] = {5000, 10000, 20000};
    struct link l;
    for (size_t r = 0; r < 5; r++)
        for (size_t f = 0; f < 3; f++)
            for (int channels = 1; channels <= 2; channels++) {
                struct link_config c = calm();
                double delay = 0;
                struct rmi_audio_receiver_stats s;
                struct rmi_audio_sender_stats out;
                c.encoder = encoder(frames[f], rates[r], channels);
                c.source_rate = c.receiver.rate_hz = rates[r];
                c.source_chunk_us = frames[f];
                c.source_channels = c.receiver.channels = channels;
                link_open(&l, &c);
                link_run_until(&l, RMI_SEC(2));
                const double fit = link_correlation(&l, 0.5, 1, &delay);
                rmi_audio_receiver_get_stats(l.receiver, &s);
                rmi_audio_sender_get_stats(l.sender, &out);
                print_message("%5u Hz, %2u ms, %d channels: %.4f at %.2f ms\n", rates[r], frames[f] / 1000, channels,
                              fit, delay * 1000);
                assert_true(fit > 0.98);
                assert_true(fabs(delay - (double)out.lookahead_us / 1e6) < 0.5e-3);
                assert_int_equal(s.chunk_us, frames[f]);
                assert_int_equal(s.copied_chunks, 0);
                assert_int_equal(s.concealed_samples, 0);
                link_close(&l);
            }
}

static void a_thousand_chunks_a_second(void **state) {
    (void)state;
    struct link l;
    struct link_config c = calm();
    double delay = 0;
    c.source_chunk_us = 1000;
    c.encoder.complexity = 0;
    const struct rmi_audio_receiver_stats s = run(&l, &c, "chunks of us", c.source_chunk_us);
    assert_int_equal(s.concealed_samples, 0);
    assert_true(s.chunks > 990);
    assert_true(link_correlation(&l, 1, 1, &delay) > 0.98);
    link_close(&l);
}

static void chunks_and_packets_of_all_lengths(void **state) {
    (void)state;
    static const uint32_t lengths[] = {2500, 5000, 10000, 20000};
    struct link l;
    for (size_t packet = 0; packet < 4; packet++)
        for (size_t chunk = 0; chunk < 4; chunk++) {
            struct link_config c = wideband();
            double delay = 0;
            c.encoder = encoder(lengths[packet], 16000, 1);
            c.source_chunk_us = lengths[packet];
            c.receiver.chunk_us = lengths[chunk];
            c.jitter_us = 500;
            c.duration_us = RMI_SEC(3);
            const struct rmi_audio_receiver_stats s = run(&l, &c, "chunks of us", lengths[chunk]);
            assert_int_equal(s.concealed_samples, 0);
            assert_true(link_correlation(&l, 1, 1, &delay) > 0.98);
            /* What a chunk needs beyond its newest packet has come before; what is left of a packet waits for its turn.
             */
            const uint32_t left = lengths[packet] > lengths[chunk] ? lengths[packet] - lengths[chunk] : 0;
            assert_true(ms(&l.added, 95) <= left / 1000.0 * 1.04 + 1.5);
            link_close(&l);
        }
}

/* ---- things that happen ---- */

static void switch_at_two_seconds(void *link, int64_t step) {
    struct link *l = link;
    if (step == 200) {
        l->ssrc++;
        l->seq += 30000;
        l->timestamp_offset += 123456789;
    }
}

static void leap_at_two_seconds(void *link, int64_t step) {
    struct link *l = link;
    if (step == 200)
        l->timestamp_offset += 48000 * 3600;
}

static void other_streams_take_over(void **state) {
    (void)state;
    void (*const events[])(void *, int64_t) = {switch_at_two_seconds, leap_at_two_seconds};
    struct link l;
    for (int i = 0; i < 2; i++) {
        struct link_config c = calm();
        c.duration_us = RMI_SEC(4);
        c.on_step = events[i];
        const struct rmi_audio_receiver_stats s = run(&l, &c, "another stream", i);
        assert_int_equal(s.buffer.restarts, 2);
        assert_true(s.chunks >= 395);
        assert_true(s.concealed_samples <= 2 * 480);
        /* The time of chunks went on evenly. */
        assert_true(l.time_back_us <= 0);
        assert_in_range(l.last_time_us, RMI_MS(3900), RMI_MS(4000));
        assert_true(ms(&l.added, 99) <= 2);
        link_close(&l);
    }
}

static void frames_of_20_ms_later_on(void *link, int64_t step) {
    struct link *l = link;
    struct rmi_audio_encoder_config c = l->c.encoder;
    c.frame_us = step / 200 % 2 ? 20000 : 10000;
    if (step % 200 == 0)
        assert_int_equal(rmi_audio_sender_configure(l->sender, &c), RM_OK);
}

static void chunks_follow_the_packets_length(void **state) {
    (void)state;
    struct link l;
    struct link_config c = calm();
    c.on_step = frames_of_20_ms_later_on;
    link_open(&l, &c);
    for (int64_t s = 1; s <= 6; s++) {
        struct rmi_audio_receiver_stats stats;
        link_run_until(&l, RMI_SEC(2) * s - RMI_MS(100));
        rmi_audio_receiver_get_stats(l.receiver, &stats);
        assert_int_equal(stats.chunk_us, s % 2 ? 10000 : 20000);
        assert_true(stats.concealed_samples <= 960 * (uint64_t)s);
    }
    link_close(&l);
}

static float words(double t, int channel) {
    return fmod(t, 2) < 0.8 ? link_music(t, channel) : 0;
}

static void silence_is_not_sent_and_is_no_loss(void **state) {
    (void)state;
    struct link l;
    struct link_config c = wideband();
    struct rmi_audio_sender_stats out;
    c.encoder.use = RMI_AUDIO_USE_VOICE;
    c.encoder.complexity = 5;
    c.encoder.dtx = true;
    c.signal = words;
    c.duration_us = MINUTE;
    const struct rmi_audio_receiver_stats s = run(&l, &c, "pauses", 0);
    rmi_audio_sender_get_stats(l.sender, &out);
    print_message("%llu frames sent, %llu silent ones not\n", (unsigned long long)out.frames,
                  (unsigned long long)out.silent_frames);
    assert_true(out.silent_frames > 1000);
    assert_true(s.buffer.comfort_ticks > 48000 * 20);
    assert_true(concealed(&s) < 0.002);
    assert_true(ms(&l.added, 50) < 2);
    assert_true(s.chunks > 2950);
    link_close(&l);
}

static void a_source_that_pauses_and_comes_back(void **state) {
    (void)state;
    struct link l;
    struct link_config c = calm();
    link_open(&l, &c);
    link_run_until(&l, RMI_SEC(2));
    l.muted = true;
    link_run_until(&l, RMI_SEC(5));
    assert_true(rmi_audio_receiver_next_pull(l.receiver) == RMI_NEVER);
    l.muted = false;
    rmi_histogram_reset(&l.added);
    l.worst_step_us = l.last_pull_us = 0;
    const struct rmi_audio_receiver_stats s = finish(&l, "pause", 0);
    struct rmi_audio_sender_stats out;
    rmi_audio_sender_get_stats(l.sender, &out);
    assert_int_equal(out.gaps, 1);
    assert_true(ms(&l.added, 99) <= 2);
    assert_in_range(l.last_time_us, RMI_MS(9900), RMI_MS(10000));
    assert_in_range(s.chunks, 790, 810); /* with the second in which it might come back */
    link_close(&l);
}

static void put(struct rmi_audio_receiver *r, uint32_t ssrc, uint16_t seq, uint32_t ts, int64_t now, const void *data,
                size_t len) {
    struct rmi_buf *buf = rmi_buf_alloc(len + 1, NULL);
    if (len)
        memcpy(buf->data, data, len);
    buf->len = len;
    rmi_audio_receiver_insert(r, ssrc, seq, ts, now, buf, 0, (uint32_t)len, false);
    rmi_buf_unref(&buf);
}

static uint64_t drain(struct rmi_audio_receiver *r, int64_t until_us) {
    uint64_t chunks = 0;
    int64_t at;
    while ((at = rmi_audio_receiver_next_pull(r)) <= until_us) {
        rm_runtime_data *d = NULL;
        chunks += rmi_audio_receiver_pull(r, at, &d) == RM_OK;
        rm_runtime_data_unref(&d);
    }
    return chunks;
}

static void hostile_packets_are_counted_and_survived(void **state) {
    (void)state;
    const struct rmi_audio_receiver_config config = {.rate_hz = 8000, .channels = 2, .max_delay_us = RMI_MS(200)};
    struct rmi_audio_receiver *r = NULL;
    struct rmi_audio_receiver_stats s;
    struct rmi_prng prng;
    uint8_t data[64];
    rmi_prng_seed(&prng, 11);
    assert_int_equal(rmi_audio_receiver_create(&config, &r), RM_OK);
    put(r, 1, 0, 0, 0, "", 0);
    rmi_audio_receiver_insert(r, 1, 1, 0, 0, NULL, 0, 4, false);
    struct rmi_buf *buf = rmi_buf_alloc(4, NULL);
    buf->len = 4;
    rmi_audio_receiver_insert(r, 1, 1, 0, 0, buf, 2, 3, false);
    rmi_audio_receiver_insert(r, 1, 1, 0, 0, buf, UINT32_MAX, UINT32_MAX, false);
    rmi_buf_unref(&buf);
    rmi_audio_receiver_get_stats(r, &s);
    assert_int_equal(s.malformed, 4);
    assert_true(rmi_audio_receiver_next_pull(r) == RMI_NEVER);
    int64_t now = 0;
    for (unsigned toc = 0; toc < 256; toc++, now += 10000) {
        data[0] = (uint8_t)toc;
        put(r, 1, (uint16_t)toc, toc * 480, now, data, 1);
        drain(r, now);
    }
    uint32_t ssrc = 1, ts = 0;
    for (unsigned i = 0; i < 20000; i++, now += 2500) {
        const uint64_t dice = rmi_prng_next(&prng);
        for (size_t k = 0; k < sizeof data; k++)
            data[k] = (uint8_t)rmi_prng_next(&prng);
        ts = dice % 50 == 0 ? (uint32_t)(dice >> 32) : ts + 480;
        ssrc += dice % 97 == 0;
        put(r, ssrc, (uint16_t)(dice % 31 == 0 ? dice >> 20 : i), ts, now, data, (dice >> 8) % sizeof data);
        drain(r, now);
    }
    rmi_audio_receiver_get_stats(r, &s);
    print_message("hostile: %llu malformed, %llu restarts, %llu implausible, %llu chunks\n",
                  (unsigned long long)s.malformed, (unsigned long long)s.buffer.restarts,
                  (unsigned long long)s.buffer.implausible, (unsigned long long)s.chunks);
    assert_true(s.malformed > 1000 && s.buffer.restarts > 100);
    drain(r, now + RMI_SEC(10));
    assert_true(rmi_audio_receiver_next_pull(r) == RMI_NEVER);
    rmi_audio_receiver_destroy(&r);
}

static void late_pulls_are_made_up_for(void **state) {
    (void)state;
    struct link l;
    struct link_config c = calm();
    c.duration_us = RMI_SEC(7);
    link_open(&l, &c);
    link_run_until(&l, RMI_SEC(1));
    /* The caller sleeps for 300 ms; packets come all the same. */
    const int64_t wake = l.now_us + RMI_MS(300);
    while (link_step_us(&l, l.step) <= wake) {
        l.now_us = link_step_us(&l, l.step);
        link_speak(&l);
        l.step++;
    }
    while (l.flying && l.flights[0].arrival_us <= wake)
        link_arrive(&l);
    l.now_us = wake;
    l.c.settle_us = RMI_SEC(4);
    finish(&l, "slept, ms", 300);
    assert_true(ms(&l.added, 95) <= 3);
    link_close(&l);
}

static void nothing_arrives_for_300_ms(void *link, int64_t step) {
    struct link *l = link;
    (void)step;
    for (size_t i = 0; i < l->flying; i++)
        if (l->flights[i].arrival_us > RMI_SEC(1) && l->flights[i].arrival_us < RMI_MS(1300))
            l->flights[i].arrival_us = RMI_MS(1300);
}

static void a_stalled_network_leaves_no_delay_behind(void **state) {
    (void)state;
    struct link l;
    struct link_config c = calm();
    c.duration_us = MINUTE;
    c.settle_us = MINUTE - RMI_SEC(5); /* it is expected again for as long as the jitter buffer remembers */
    c.signal = hum;
    c.on_step = nothing_arrives_for_300_ms;
    const struct rmi_audio_receiver_stats s = run(&l, &c, "stalled, ms", 300);
    assert_true(ms(&l.added, 95) <= 3);
    assert_true(s.concealed_samples <= 48 * 320);
    link_close(&l);
}

static void lip_sync_holds_sound_back(void **state) {
    (void)state;
    struct link l;
    struct link_config c = calm();
    struct rmi_av_timing timing;
    link_open(&l, &c);
    link_run_until(&l, RMI_SEC(1));
    for (int64_t delay = 0; delay <= 100; delay += 10) { /* as fast as sync asks for it */
        rmi_audio_receiver_set_sync_delay(l.receiver, RMI_MS(delay));
        link_run_until(&l, l.now_us + RMI_MS(100));
    }
    l.c.settle_us = l.now_us + RMI_SEC(1);
    rmi_histogram_reset(&l.behind);
    const struct rmi_audio_receiver_stats s = finish(&l, "sync, ms", 100);
    rmi_audio_receiver_timing(l.receiver, &timing);
    assert_true(timing.valid);
    assert_in_range(timing.delay_us, RMI_MS(90), RMI_MS(110));
    assert_int_equal(s.concealed_samples, 0);
    link_close(&l);
}

static void chunks_say_where_they_are_from(void **state) {
    (void)state;
    struct link l;
    struct link_config c = calm();
    rm_runtime_data *held[80] = {0}, *chunk = NULL;
    size_t n = 0;
    c.receiver.stream_id = "mic";
    link_open(&l, &c);
    link_run_until(&l, RMI_SEC(1));
    rm_err err;
    while ((err = rmi_audio_receiver_pull(l.receiver, rmi_audio_receiver_next_pull(l.receiver), &chunk)) == RM_OK ||
           err == RM_E_AGAIN) {
        if (err)
            continue; /* it waits for a late packet */
        assert_string_equal(rm_runtime_data_stream_id(chunk), "mic");
        assert_int_equal(rm_runtime_data_audio(chunk)->frame_count, 480);
        assert_true(rm_runtime_data_timestamp_us(chunk) >= RMI_MS(900));
        assert_true(rm_runtime_data_arrival_us(chunk) <= l.now_us);
        assert_true(n < 80);
        held[n++] = chunk;
        chunk = NULL;
    }
    /* All chunks of the pool are held now. */
    struct rmi_audio_receiver_stats s;
    rmi_audio_receiver_get_stats(l.receiver, &s);
    assert_int_equal(n, 64);
    assert_int_equal(s.lost_chunks, 1);
    for (size_t i = 0; i < n; i++)
        rm_runtime_data_unref(&held[i]);
    do
        err = rmi_audio_receiver_pull(l.receiver, rmi_audio_receiver_next_pull(l.receiver), &chunk);
    while (err == RM_E_AGAIN && rmi_audio_receiver_next_pull(l.receiver) != RMI_NEVER);
    assert_int_equal(err, RM_OK);
    rm_runtime_data_unref(&chunk);
    link_close(&l);
}

static void nothing_arrives_for_30_ms(void *link, int64_t step) {
    struct link *l = link;
    (void)step;
    for (size_t i = 0; i < l->flying; i++)
        if (l->flights[i].arrival_us > RMI_SEC(1) && l->flights[i].arrival_us < RMI_MS(1030))
            l->flights[i].arrival_us = RMI_MS(1030);
}

/* Sound goes on at the pace it was made at: what comes late is not filled for, and so no later chunk is delayed by it.
 */
static void late_packets_do_not_lengthen_the_stream(void **state) {
    (void)state;
    struct link l;
    struct link_config c = calm();
    c.duration_us = RMI_SEC(20);
    c.on_step = nothing_arrives_for_30_ms;
    const struct rmi_audio_receiver_stats s = run(&l, &c, "late, ms", 30);
    assert_int_equal(s.concealed_samples, 0);
    assert_in_range(s.chunks, 1990, 2000);
    link_close(&l);
}

static void wrong_settings_are_refused(void **state) {
    (void)state;
    const struct rmi_audio_receiver_config wrong[] = {
        {.rate_hz = 44100},
        {.channels = 3},
        {.channels = -1},
        {.chunk_us = 7000},
        {.chunk_us = 60000},
        {.max_delay_us = -1},
        {.max_delay_us = RMI_SEC(2)},
        {.stream_id = "0123456789012345678901234567890123456789012345678901234567890123456"},
        {.stream_id = "\xff"}};
    struct rmi_audio_receiver *r = NULL;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(rmi_audio_receiver_create(&wrong[i], &r), RM_E_INVALID_ARG);
    assert_int_equal(rmi_audio_receiver_create(NULL, &r), RM_E_INVALID_ARG);
    assert_null(r);
    rmi_audio_receiver_destroy(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_comes_through_as_it_was),
        cmocka_unit_test(a_thousand_chunks_a_second),
        cmocka_unit_test(chunks_and_packets_of_all_lengths),
        cmocka_unit_test(other_streams_take_over),
        cmocka_unit_test(chunks_follow_the_packets_length),
        cmocka_unit_test(silence_is_not_sent_and_is_no_loss),
        cmocka_unit_test(a_source_that_pauses_and_comes_back),
        cmocka_unit_test(hostile_packets_are_counted_and_survived),
        cmocka_unit_test(late_pulls_are_made_up_for),
        cmocka_unit_test(a_stalled_network_leaves_no_delay_behind),
        cmocka_unit_test(lip_sync_holds_sound_back),
        cmocka_unit_test(chunks_say_where_they_are_from),
        cmocka_unit_test(late_packets_do_not_lengthen_the_stream),
        cmocka_unit_test(wrong_settings_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
