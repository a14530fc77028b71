/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
#include "codec/audio.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PI 3.14159265358979
#define RATE 48000
#define SECONDS 2
#define MAX_SAMPLES 5760 /* 120 ms at 48 kHz */

/* Something like a voice: a gliding tone with overtones in syllables. High, because Opus turns the phase of the lowest
 * tones of a voice (its high-pass filter). */
static void draw(float *pcm, size_t samples, uint32_t rate, int channels, size_t from) {
    for (size_t i = 0; i < samples; i++) {
        double t = (double)(from + i) / rate;
        double phase = 2 * PI * (500 * t + 20 * sin(2 * PI * 0.7 * t));
        double syllable = 0.5 - 0.5 * cos(2 * PI * 4 * t);
        double v = 0.3 * syllable * (sin(phase) + 0.6 * sin(2 * phase) + 0.4 * sin(3 * phase) + 0.2 * sin(5 * phase));
        for (int c = 0; c < channels; c++)
            *pcm++ = (float)(c ? 0.7 * v : v);
    }
}

static double correlation(const float *a, const float *b, size_t n) {
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        ab += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
}

static struct rmi_audio_encoder_config config_of(uint32_t rate, int channels, uint32_t frame_us) {
    struct rmi_audio_encoder_config config;
    rmi_audio_encoder_config_init(&config);
    config.rate_hz = rate;
    config.channels = channels;
    config.frame_us = frame_us;
    config.bitrate_bps = 64000 * (uint32_t)channels;
    return config;
}

static struct rmi_audio_encoder *new_encoder(const struct rmi_audio_encoder_config *config) {
    struct rmi_audio_encoder *e = NULL;
    assert_int_equal(rmi_audio_encoder_create(RMI_CODEC_OPUS, config, &e), RM_OK);
    return e;
}

static struct rmi_audio_decoder *new_decoder(uint32_t rate, int channels) {
    struct rmi_audio_decoder_config config = {.rate_hz = rate, .channels = channels};
    struct rmi_audio_decoder *d = NULL;
    assert_int_equal(rmi_audio_decoder_create(RMI_CODEC_OPUS, &config, &d), RM_OK);
    return d;
}

/* What comes back, moved by the look-ahead, against what went in. */
static double round_trip(const struct rmi_audio_encoder_config *config) {
    size_t total = SECONDS * config->rate_hz, n = (size_t)config->channels;
    float *in = malloc(total * n * sizeof *in), *out = calloc(total * n, sizeof *out);
    assert_true(in && out);
    struct rmi_audio_encoder *e = new_encoder(config);
    struct rmi_audio_decoder *d = new_decoder(config->rate_hz, config->channels);
    size_t frame = rmi_audio_encoder_frame_samples(e), at = 0;
    assert_int_equal((uint64_t)frame * 1000000, (uint64_t)config->rate_hz * config->frame_us);
    draw(in, total, config->rate_hz, config->channels, 0);
    for (; at + frame <= total; at += frame) {
        uint8_t packet[RMI_AUDIO_PACKET_MAX];
        size_t len, samples;
        assert_int_equal(rmi_audio_encoder_encode(e, in + at * n, frame, packet, sizeof packet, &len), RM_OK);
        assert_int_equal(rmi_opus_packet_samples(packet, len, config->rate_hz), frame);
        assert_int_equal(rmi_audio_decoder_decode(d, packet, len, out + at * n, frame, &samples), RM_OK);
        assert_int_equal(samples, frame);
    }
    size_t delay = rmi_audio_encoder_lookahead_samples(e), skip = config->rate_hz / 5;
    double c = correlation(in + skip * n, out + (skip + delay) * n, (at - delay - skip) * n);
    rmi_audio_encoder_destroy(&e);
    rmi_audio_decoder_destroy(&d);
    free(in);
    free(out);
    return c;
}

static void sound_survives_at_every_rate_and_frame_length(void **state) {
    static const uint32_t rates[] = {8000, 12000, 16000, 24000, 48000};
    static const uint32_t frames[] = {2500, 5000, 10000, 20000, 40000, 60000};
    double worst = 1;
    (void)state;
    for (size_t r = 0; r < 5; r++)
        for (size_t f = 0; f < 6; f++)
            for (int channels = 1; channels <= 2; channels++)
                for (int use = RMI_AUDIO_USE_VOICE; use <= RMI_AUDIO_USE_LOW_DELAY; use++) {
                    struct rmi_audio_encoder_config config = config_of(rates[r], channels, frames[f]);
                    config.use = (enum rmi_audio_use)use;
                    double c = round_trip(&config);
                    worst = c < worst ? c : worst;
                    if (c < 0.9)
                        print_message("%u Hz, %u us, %d channels, use %d: %.3f\n", rates[r], frames[f], channels, use,
                                      c);
                    assert_true(c > 0.9);
                }
    print_message("worst correlation %.4f\n", worst);
}

enum recovery { SILENCE, CONCEAL, FEC };

/* Energy of the error against the same stream without loss, relative to the energy of the stream. */
static double error_with(enum recovery how, unsigned *copies) {
    struct rmi_audio_encoder_config config = config_of(RATE, 1, 20000);
    config.fec = true;
    config.loss_percent = 20;
    config.bitrate_bps = 24000;
    struct rmi_audio_encoder *e = new_encoder(&config);
    struct rmi_audio_decoder *clean = new_decoder(RATE, 1), *lossy = new_decoder(RATE, 1);
    enum { FRAME = RATE / 50, COUNT = 50 * 6 };
    static float in[FRAME], want[FRAME], held[FRAME], got[FRAME];
    double error = 0, energy = 0;
    bool lost = false;
    for (int i = 0; i < COUNT; i++) {
        uint8_t packet[RMI_AUDIO_PACKET_MAX];
        size_t len, samples;
        draw(in, FRAME, RATE, 1, (size_t)i * FRAME);
        assert_int_equal(rmi_audio_encoder_encode(e, in, FRAME, packet, sizeof packet, &len), RM_OK);
        *copies += rmi_opus_packet_has_fec(packet, len);
        if (lost) {
            memset(got, 0, sizeof got);
            if (how == FEC)
                assert_int_equal(rmi_audio_decoder_decode_fec(lossy, packet, len, got, FRAME), RM_OK);
            else if (how == CONCEAL)
                assert_int_equal(rmi_audio_decoder_conceal(lossy, got, FRAME), RM_OK);
            for (int k = 0; k < FRAME; k++) {
                error += ((double)got[k] - held[k]) * ((double)got[k] - held[k]);
                energy += (double)held[k] * held[k];
            }
        }
        assert_int_equal(rmi_audio_decoder_decode(clean, packet, len, want, FRAME, &samples), RM_OK);
        lost = i % 5 == 3;
        if (lost)
            memcpy(held, want, sizeof held);
        else
            assert_int_equal(rmi_audio_decoder_decode(lossy, packet, len, got, FRAME, &samples), RM_OK);
    }
    rmi_audio_encoder_destroy(&e);
    rmi_audio_decoder_destroy(&clean);
    rmi_audio_decoder_destroy(&lossy);
    return error / energy;
}

static void lost_frames_come_back_from_the_copy(void **state) {
    (void)state;
    unsigned copies = 0;
    double silence = error_with(SILENCE, &copies), conceal = error_with(CONCEAL, &copies),
           fec = error_with(FEC, &copies);
    print_message("relative error of lost frames: silence %.2f, concealed %.2f, FEC %.2f\n", silence, conceal, fec);
    assert_true(copies > 600);
    assert_true(silence > 0.99);
    assert_true(conceal < 0.8 * silence);
    assert_true(fec < 0.5 * conceal);
}

static void packets_without_a_copy_say_so(void **state) {
    (void)state;
    struct rmi_audio_encoder_config config = config_of(RATE, 1, 20000);
    struct rmi_audio_encoder *e = new_encoder(&config);
    static float in[RATE / 50];
    uint8_t packet[RMI_AUDIO_PACKET_MAX];
    size_t len;
    for (int i = 0; i < 20; i++) {
        draw(in, RATE / 50, RATE, 1, (size_t)i * RATE / 50);
        assert_int_equal(rmi_audio_encoder_encode(e, in, RATE / 50, packet, sizeof packet, &len), RM_OK);
        assert_false(rmi_opus_packet_has_fec(packet, len));
    }
    rmi_audio_encoder_destroy(&e);
}

static size_t bytes_in_a_second(struct rmi_audio_encoder *e, size_t from, bool silent) {
    size_t frame = rmi_audio_encoder_frame_samples(e), sum = 0;
    static float in[MAX_SAMPLES];
    uint8_t packet[RMI_AUDIO_PACKET_MAX];
    for (size_t at = 0; at < RATE; at += frame) {
        size_t len;
        if (silent)
            memset(in, 0, frame * sizeof *in);
        else
            draw(in, frame, RATE, 1, from + at);
        assert_int_equal(rmi_audio_encoder_encode(e, in, frame, packet, sizeof packet, &len), RM_OK);
        sum += len;
    }
    return sum;
}

static void settings_change_while_running(void **state) {
    (void)state;
    struct rmi_audio_encoder_config config = config_of(RATE, 1, 10000);
    config.use = RMI_AUDIO_USE_MUSIC;
    struct rmi_audio_encoder *e = new_encoder(&config);
    static const uint32_t rates[] = {96000, 32000, 64000};
    for (size_t i = 0; i < 3; i++) {
        config.bitrate_bps = rates[i];
        assert_int_equal(rmi_audio_encoder_configure(e, &config), RM_OK);
        bytes_in_a_second(e, 0, false);
        double bps = 8.0 * (double)(bytes_in_a_second(e, RATE, false) + bytes_in_a_second(e, 2 * RATE, false)) / 2;
        print_message("target %u: %.0f bit/s\n", rates[i], bps);
        assert_true(fabs(bps / rates[i] - 1) < 0.1);
    }
    config.frame_us = 40000; /* frame lengths may change, too */
    config.dtx = true;
    assert_int_equal(rmi_audio_encoder_configure(e, &config), RM_OK);
    assert_int_equal(rmi_audio_encoder_frame_samples(e), RATE / 25);
    bytes_in_a_second(e, 0, true);
    size_t quiet = bytes_in_a_second(e, 0, true);
    print_message("silence with DTX: %zu bytes in a second\n", quiet);
    assert_true(quiet < 400); /* silence costs next to nothing */
    config.channels = 2;
    assert_int_equal(rmi_audio_encoder_configure(e, &config), RM_E_INVALID_ARG);
    rmi_audio_encoder_destroy(&e);
}

static void random_reconfigurations_stay_decodable(void **state) {
    static const uint32_t frames[] = {2500, 5000, 10000, 20000, 40000, 60000};
    static float in[2 * MAX_SAMPLES], out[2 * MAX_SAMPLES];
    (void)state;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 3);
    struct rmi_rng rng = rmi_prng_rng(&prng);
    struct rmi_audio_encoder_config config = config_of(RATE, 2, 20000);
    struct rmi_audio_encoder *e = new_encoder(&config);
    struct rmi_audio_decoder *d = new_decoder(16000, 1); /* whatever the receiver likes */
    size_t at = 0;
    for (int i = 0; i < 500; i++) {
        config.frame_us = frames[rmi_rng_range(&rng, 0, 5)];
        config.bitrate_bps = (uint32_t)rmi_rng_range(&rng, RMI_AUDIO_BITRATE_MIN_BPS, RMI_AUDIO_BITRATE_MAX_BPS);
        config.complexity = (int)rmi_rng_range(&rng, 0, 10);
        config.loss_percent = (int)rmi_rng_range(&rng, 0, 100);
        config.fec = rmi_rng_range(&rng, 0, 1);
        config.dtx = rmi_rng_range(&rng, 0, 1);
        assert_int_equal(rmi_audio_encoder_configure(e, &config), RM_OK);
        size_t frame = rmi_audio_encoder_frame_samples(e), len, samples;
        uint8_t packet[RMI_AUDIO_PACKET_MAX];
        draw(in, frame, RATE, 2, at);
        at += frame;
        assert_int_equal(rmi_audio_encoder_encode(e, in, frame, packet, sizeof packet, &len), RM_OK);
        if (len == 0)
            continue;
        assert_int_equal(rmi_audio_decoder_decode(d, packet, len, out, MAX_SAMPLES, &samples), RM_OK);
        assert_int_equal(samples, frame / 3);
    }
    rmi_audio_encoder_destroy(&e);
    rmi_audio_decoder_destroy(&d);
}

static void hostile_packets_are_survived(void **state) {
    (void)state;
    struct rmi_audio_encoder_config config = config_of(RATE, 1, 20000);
    config.fec = true;
    config.loss_percent = 10;
    config.bitrate_bps = 24000;
    struct rmi_audio_encoder *e = new_encoder(&config);
    struct rmi_audio_decoder *d = new_decoder(RATE, 2);
    float in[RATE / 50], *out = malloc(2 * MAX_SAMPLES * sizeof *out);
    uint8_t packet[RMI_AUDIO_PACKET_MAX];
    size_t len = 0, samples;
    assert_non_null(out);
    for (int i = 0; i < 10; i++) {
        draw(in, RATE / 50, RATE, 1, (size_t)i * RATE / 50);
        assert_int_equal(rmi_audio_encoder_encode(e, in, RATE / 50, packet, sizeof packet, &len), RM_OK);
    }
    for (size_t n = 0; n <= len; n++) {
        uint8_t *copy = malloc(n ? n : 1);
        assert_non_null(copy);
        memcpy(copy, packet, n);
        for (size_t i = 0; i <= n; i++) {
            if (i < n)
                copy[i] ^= (uint8_t)(i * 37 + 1);
            (void)rmi_opus_packet_has_fec(copy, n);
            rm_err err = rmi_audio_decoder_decode(d, copy, n, out, MAX_SAMPLES, &samples);
            assert_true(err == RM_OK || err == RM_E_PARSE || err == RM_E_INTERNAL);
            if (!err)
                assert_int_equal(samples, rmi_opus_packet_samples(copy, n, RATE));
            (void)rmi_audio_decoder_decode_fec(d, copy, n, out, RATE / 50);
            if (i < n)
                copy[i] ^= (uint8_t)(i * 37 + 1);
        }
        free(copy);
    }
    for (int toc = 0; toc < 256; toc++) { /* one byte of every kind */
        uint8_t one = (uint8_t)toc;
        (void)rmi_audio_decoder_decode(d, &one, 1, out, MAX_SAMPLES, &samples);
        (void)rmi_opus_packet_has_fec(&one, 1);
    }
    assert_int_equal(rmi_audio_decoder_decode(d, NULL, 0, out, MAX_SAMPLES, &samples), RM_E_PARSE);
    assert_int_equal(rmi_audio_decoder_decode(d, packet, len, out, RATE / 50 - 1, &samples), RM_E_TOO_BIG);
    assert_int_equal(rmi_audio_decoder_conceal(d, out, 100), RM_E_INVALID_ARG);
    assert_int_equal(rmi_audio_decoder_conceal(d, out, MAX_SAMPLES + 120), RM_E_INVALID_ARG);
    assert_int_equal(rmi_audio_decoder_conceal(d, out, MAX_SAMPLES), RM_OK);
    rmi_audio_decoder_reset(d);
    assert_int_equal(rmi_audio_decoder_decode(d, packet, len, out, MAX_SAMPLES, &samples), RM_OK);
    rmi_audio_encoder_destroy(&e);
    rmi_audio_decoder_destroy(&d);
    free(out);
}

static void wrong_arguments_are_refused(void **state) {
    (void)state;
    struct rmi_audio_encoder *e = NULL;
    struct rmi_audio_encoder_config good = config_of(RATE, 1, 10000), bad = good;
    bad.rate_hz = 44100;
    assert_int_equal(rmi_audio_encoder_create(RMI_CODEC_OPUS, &bad, &e), RM_E_INVALID_ARG);
    bad = good;
    bad.frame_us = 15000;
    assert_int_equal(rmi_audio_encoder_create(RMI_CODEC_OPUS, &bad, &e), RM_E_INVALID_ARG);
    bad = good;
    bad.channels = 3;
    assert_int_equal(rmi_audio_encoder_create(RMI_CODEC_OPUS, &bad, &e), RM_E_INVALID_ARG);
    assert_int_equal(rmi_audio_encoder_create(RMI_CODEC_VP8, &good, &e), RM_E_UNSUPPORTED);
    assert_null(e);
    e = new_encoder(&good);
    float in[RATE / 100] = {0};
    uint8_t packet[RMI_AUDIO_PACKET_MAX];
    size_t len;
    assert_int_equal(rmi_audio_encoder_encode(e, in, 479, packet, sizeof packet, &len), RM_E_INVALID_ARG);
    rmi_audio_encoder_destroy(&e);
    rmi_audio_encoder_destroy(&e);
    struct rmi_audio_decoder_config config = {.rate_hz = 44100, .channels = 1};
    struct rmi_audio_decoder *d = NULL;
    assert_int_equal(rmi_audio_decoder_create(RMI_CODEC_OPUS, &config, &d), RM_E_INVALID_ARG);
    rmi_audio_decoder_destroy(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_survives_at_every_rate_and_frame_length),
        cmocka_unit_test(lost_frames_come_back_from_the_copy),
        cmocka_unit_test(packets_without_a_copy_say_so),
        cmocka_unit_test(settings_change_while_running),
        cmocka_unit_test(random_reconfigurations_stay_decodable),
        cmocka_unit_test(hostile_packets_are_survived),
        cmocka_unit_test(wrong_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
