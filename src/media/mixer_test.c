/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
#include "base/time.h"
#include "media/mixer.h"
#include "support/heap_count.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define TWO_PI 6.283185307179586
#define RATE 48000
#define SOURCES 10
#define FRAME_US 10000
#define FRAME 480
/* A whole number of waves of all tones, which are multiples of 100 Hz. */
#define WINDOW 4800

/* A sender: a tone by a clock of its own, in chunks that come when they are full, and a little later. */
struct sender {
    struct rmi_mixer_source *source;
    const char *id;
    double hz, level, ppm;
    uint32_t rate;
    int channels;
    size_t chunk;
    int64_t start_us, jitter_us, clock_us; /* clock_us: what its clock says at start_us, or -1 */
    size_t sent;
    int64_t arrived_us;
};

struct room {
    struct rmi_mixer *m;
    struct rmi_prng prng;
    struct sender senders[SOURCES];
    size_t count;
    int64_t now_us;
    /* What each listener heard last: the last one hears all. */
    float heard[SOURCES + 1][WINDOW * 2];
    size_t frames;
    float peak;      /* of anything that was heard */
    float step_most; /* the largest step from a sample to the next one */
    int64_t made_us, gap_most_us;
};

static void open_room(struct room *r, uint32_t frame_us, int channels) {
    struct rmi_mixer_config c = {.rate_hz = RATE,
                                 .channels = channels,
                                 .frame_us = frame_us,
                                 .sources_max = SOURCES,
                                 .ahead_ms = 200,
                                 .slack_us = 2500};
    memset(r, 0, sizeof *r);
    r->now_us = RMI_SEC(10);
    rmi_prng_seed(&r->prng, 5);
    assert_int_equal(rmi_mixer_create(&c, &r->m), RM_OK);
}

static struct sender *enter(struct room *r, double hz, double level) {
    static const char *const names[SOURCES] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
    struct sender *s = &r->senders[r->count];
    *s = (struct sender){.id = names[r->count],
                         .hz = hz,
                         .level = level,
                         .rate = RATE,
                         .channels = 1,
                         .chunk = FRAME,
                         .start_us = r->now_us,
                         .clock_us = 1000000 + (int64_t)r->count * 33333333};
    r->count++;
    return s;
}

static int64_t next_arrival(struct room *r, struct sender *s) {
    if (s->arrived_us <= 0) {
        double us = (double)(s->sent + s->chunk) * 1e6 / s->rate / (1 + s->ppm * 1e-6);
        uint64_t late = s->jitter_us > 0 ? rmi_prng_next(&r->prng) % (uint64_t)s->jitter_us : 0;
        s->arrived_us = s->start_us + (int64_t)us + (int64_t)late;
    }
    return s->arrived_us;
}

static void send_chunk(struct room *r, struct sender *s) {
    float pcm[4096];
    assert_true(s->chunk * (size_t)s->channels <= 4096);
    for (size_t i = 0; i < s->chunk * (size_t)s->channels; i++)
        pcm[i] =
            (float)(s->level * sin(TWO_PI * s->hz * (double)((s->sent + i / (size_t)s->channels) % s->rate) / s->rate));
    if (!s->source)
        assert_int_equal(rmi_mixer_add(r->m, s->id, s->rate, s->channels, &s->source), RM_OK);
    int64_t time_us = s->clock_us < 0 ? -1 : s->clock_us + (int64_t)(s->sent * 1000000 / s->rate);
    assert_int_equal(rmi_mixer_input(s->source, pcm, s->chunk, time_us, r->now_us), RM_OK);
    s->sent += s->chunk;
    s->arrived_us = 0;
}

static void hear(struct room *r, size_t who, const float *pcm, size_t values, size_t channels) {
    float *heard = r->heard[who];
    for (size_t i = 0; i < values; i++) {
        float before = i < channels ? heard[WINDOW * channels - channels + i] : pcm[i - channels];
        if (r->frames > 0)
            r->step_most = fmaxf(r->step_most, fabsf(pcm[i] - before));
        r->peak = fmaxf(r->peak, fabsf(pcm[i]));
        assert_true(isfinite(pcm[i]));
    }
    memmove(heard, heard + values, (WINDOW * channels - values) * sizeof *heard);
    memcpy(heard + WINDOW * channels - values, pcm, values * sizeof *pcm);
}

static void listen(struct room *r, size_t channels) {
    size_t values = rmi_mixer_frame_samples(r->m) * channels;
    for (size_t i = 0; i < r->count; i++)
        if (r->senders[i].source)
            hear(r, i, rmi_mixer_minus(r->senders[i].source), values, channels);
    hear(r, SOURCES, rmi_mixer_mix(r->m), values, channels);
    if (r->frames > 0 && r->now_us - r->made_us > r->gap_most_us)
        r->gap_most_us = r->now_us - r->made_us;
    r->made_us = r->now_us;
    r->frames++;
}

static void run(struct room *r, int64_t us, size_t channels) {
    const int64_t until = r->now_us + us;
    for (;;) {
        int64_t next = rmi_mixer_next_deadline(r->m);
        struct sender *who = NULL;
        for (size_t i = 0; i < r->count; i++)
            if (next_arrival(r, &r->senders[i]) < next) {
                who = &r->senders[i];
                next = who->arrived_us;
            }
        if (next > until)
            break;
        r->now_us = rmi_max64(r->now_us, next);
        if (who)
            send_chunk(r, who);
        while (rmi_mixer_pull(r->m, r->now_us))
            listen(r, channels);
    }
    r->now_us = until;
}

/* How loud a tone is: 1 for a full-scale sine. Of the first channel. */
static double tone_in(const float *pcm, size_t channels, double hz) {
    double w = 2 * cos(TWO_PI * hz / RATE), a = 0, b = 0;
    for (size_t i = 0; i < WINDOW; i++) {
        /* Hann's window: a tone whose clock drifts stays out of the others' places. */
        double c = pcm[i * channels] * (1 - cos(TWO_PI * (double)i / WINDOW)) + w * a - b;
        b = a;
        a = c;
    }
    return 2 * sqrt(fabs(a * a + b * b - w * a * b)) / WINDOW;
}

static void near(double a, double b, double tolerance) {
    if (!(fabs(a - b) <= tolerance))
        fail_msg("%g, not %g", a, b);
}

static double hz_of(size_t i) {
    return 400 + 300 * (double)i;
}

static void everybody_hears_all_others(struct room *r, double level, size_t channels) {
    for (size_t who = 0; who < r->count; who++)
        for (size_t i = 0; i < r->count; i++) {
            double got = tone_in(r->heard[who], channels, hz_of(i));
            if (i == who && got > level * 1e-3) /* -60 dB */
                fail_msg("%zu hears itself: %g", who, got);
            if (i != who)
                near(got, level, level * 0.02);
        }
    for (size_t i = 0; i < r->count; i++)
        near(tone_in(r->heard[SOURCES], channels, hz_of(i)), level, level * 0.02);
}

/* Ten, whose chunks come at different moments. The step of the mix stays that of ten tones: nothing clicks. */
static void ten_hear_each_other(void **state) {
    (void)state;
    static struct room r;
    float step = 0;
    open_room(&r, FRAME_US, 1);
    for (size_t i = 0; i < SOURCES; i++) {
        struct sender *s = enter(&r, hz_of(i), 0.05);
        s->start_us += (int64_t)(i * 1370);
        s->jitter_us = 1000;
        step += (float)(0.05 * TWO_PI * s->hz / RATE);
    }
    run(&r, RMI_SEC(3), 1);
    everybody_hears_all_others(&r, 0.05, 1);
    assert_in_range(r.frames, 298, 300);
    assert_true(r.step_most <= step * 1.1F);
    for (size_t i = 0; i < SOURCES; i++) {
        struct rmi_mixer_source_stats st = rmi_mixer_source_stats(r.senders[i].source);
        assert_true(st.active && st.concealed == 0 && st.late == 0);
        assert_in_range(st.ahead_us, 0, 12000);
        assert_in_range(st.level, 28, 30); /* -26 dB, and 3 of a sine */
    }
    rmi_mixer_destroy(&r.m);
}

/* Frames of 5 and 20 ms, chunks of 2.5 to 60 ms and an odd one, other rates, stereo. */
static void sizes_rates_and_channels_may_differ(void **state) {
    (void)state;
    static const size_t chunks[] = {120, 331, 960, 160, 2880, 441};
    static const uint32_t rates[] = {48000, 48000, 48000, 16000, 48000, 44100};
    static const uint32_t frames[] = {5000, 10000, 20000};
    static struct room r;
    for (size_t f = 0; f < 3; f++)
        for (int channels = 1; channels <= 2; channels++) {
            open_room(&r, frames[f], channels);
            for (size_t i = 0; i < 6; i++) {
                struct sender *s = enter(&r, hz_of(i), 0.1);
                s->chunk = chunks[i];
                s->rate = rates[i];
                s->channels = i % 2 ? channels : 1;
                s->clock_us = i == 3 ? -1 : s->clock_us;
                s->start_us += (int64_t)(i * 3111);
            }
            run(&r, RMI_SEC(15), (size_t)channels); /* delay that turned out to be too much is gone by then */
            everybody_hears_all_others(&r, 0.1, (size_t)channels);
            for (size_t i = 0; i < 6; i++) {
                struct rmi_mixer_source_stats st = rmi_mixer_source_stats(r.senders[i].source);
                assert_in_range(st.ahead_us, 0, (int64_t)(chunks[i] * 1000000 / rates[i]) + frames[f] + 5000);
            }
            rmi_mixer_destroy(&r.m);
        }
}

/* Ten minutes of clocks that differ by 600 ppm, which is 360 ms: nobody is late, nobody's delay grows, nothing clicks,
 * and the others' clocks are found out. */
static void clocks_that_drift_are_followed(void **state) {
    (void)state;
    static const double ppm[] = {-300, 300, 0};
    static struct room r;
    float step = 0;
    open_room(&r, FRAME_US, 1);
    for (size_t i = 0; i < 3; i++) {
        struct sender *s = enter(&r, hz_of(i), 0.1);
        s->ppm = ppm[i];
        s->jitter_us = 2000;
        s->start_us += (int64_t)(i * 2500);
        step += (float)(0.1 * TWO_PI * s->hz / RATE);
    }
    run(&r, RMI_SEC(20), 1);
    uint64_t concealed[3], moved[3];
    int64_t most_us = 0;
    for (size_t i = 0; i < 3; i++) {
        concealed[i] = rmi_mixer_source_stats(r.senders[i].source).concealed;
        moved[i] = rmi_mixer_source_stats(r.senders[i].source).moved;
    }
    r.step_most = 0;
    r.gap_most_us = 0;
    double ppm_mean[3] = {0};
    for (size_t t = 0; t < 580; t++) {
        run(&r, RMI_SEC(1), 1);
        for (size_t i = 0; i < 3; i++) {
            struct rmi_mixer_source_stats st = rmi_mixer_source_stats(r.senders[i].source);
            most_us = rmi_max64(most_us, st.ahead_us);
            ppm_mean[i] += st.drift_ppm / 580.0;
        }
    }
    print_message("ahead at most %lld us, frames at most %lld us apart, ppm %.0f %.0f %.0f\n", (long long)most_us,
                  (long long)r.gap_most_us, ppm_mean[0], ppm_mean[1], ppm_mean[2]);
    for (size_t i = 0; i < 3; i++) {
        struct rmi_mixer_source_stats st = rmi_mixer_source_stats(r.senders[i].source);
        assert_int_equal(st.concealed, concealed[i]);
        assert_int_equal(st.moved, moved[i]);
        near(ppm_mean[i], -ppm[i], 20);
    }
    assert_true(most_us < 24000); /* a chunk, a frame, and a little */
    assert_true(r.gap_most_us < 25000);
    assert_true(r.step_most <= step * 1.1F);
    everybody_hears_all_others(&r, 0.1, 1);
    rmi_mixer_destroy(&r.m);
}

/* Who joins fades in, who is removed fades out: the steps stay those of the tones, and it is over at once. */
static void joining_and_leaving_do_not_click(void **state) {
    (void)state;
    static struct room r;
    float step = (float)(0.3 * TWO_PI * (hz_of(0) + hz_of(1)) / RATE);
    open_room(&r, FRAME_US, 1);
    enter(&r, hz_of(0), 0.3);
    run(&r, RMI_SEC(1), 1);
    for (size_t t = 0; t < 20; t++) { /* at other phases of both tones each time */
        run(&r, 1234, 1);
        struct sender *s = enter(&r, hz_of(1), 0.3);
        run(&r, RMI_MS(333), 1);
        assert_true(tone_in(r.heard[0], 1, hz_of(1)) > 0.25);
        assert_non_null(rmi_mixer_find(r.m, s->id));
        rmi_mixer_remove(&s->source);
        assert_null(rmi_mixer_find(r.m, s->id));
        r.count--;
        run(&r, RMI_MS(20) + RMI_MS(100), 1); /* the window is 100 ms */
        assert_true(tone_in(r.heard[0], 1, hz_of(1)) < 1e-3);
    }
    assert_true(r.step_most <= step * 1.1F);
    /* Who just stops is faded out too, is waited for a while, and may come again. */
    struct sender *s = enter(&r, hz_of(1), 0.3);
    run(&r, RMI_MS(333), 1);
    for (size_t t = 0; t < 5; t++) {
        r.count = 1;
        run(&r, RMI_MS(400), 1);
        assert_false(rmi_mixer_source_stats(s->source).active);
        assert_true(tone_in(r.heard[0], 1, hz_of(1)) < 1e-3);
        s->start_us += RMI_MS(400) + (int64_t)t * 777;
        r.count = 2;
        run(&r, RMI_MS(300), 1);
        assert_true(tone_in(r.heard[SOURCES], 1, hz_of(1)) > 0.29);
    }
    assert_true(r.step_most <= step * 1.1F);
    assert_true(r.gap_most_us < 25000);
    rmi_mixer_destroy(&r.m);
}

/* A chunk that comes too late is faded over; a source that is late from now on is moved once; a burst is not. */
static void lateness_is_concealed(void **state) {
    (void)state;
    static struct room r;
    float step = (float)(0.3 * TWO_PI * (hz_of(0) + hz_of(1)) / RATE);
    open_room(&r, FRAME_US, 1);
    enter(&r, hz_of(0), 0.3);
    struct sender *s = enter(&r, hz_of(1), 0.3);
    s->start_us += 3000;
    run(&r, RMI_SEC(1), 1);
    assert_int_equal(rmi_mixer_source_stats(s->source).concealed, 0);
    s->start_us += RMI_MS(60); /* from now on */
    s->arrived_us = 0;
    run(&r, RMI_SEC(10), 1);
    struct rmi_mixer_source_stats late = rmi_mixer_source_stats(s->source);
    assert_in_range(late.concealed, 480, 6 * 480);
    assert_in_range(late.moved, 1, 2);
    assert_true(late.ahead_us < 25000);
    near(tone_in(r.heard[0], 1, hz_of(1)), 0.3, 0.006);
    s->start_us -= RMI_MS(60); /* what waited comes at once */
    s->arrived_us = 0;
    run(&r, RMI_SEC(60), 1);
    struct rmi_mixer_source_stats again = rmi_mixer_source_stats(s->source);
    assert_int_equal(again.concealed, late.concealed);
    assert_true(again.ahead_us < 25000); /* led back, without a hole */
    near(tone_in(r.heard[0], 1, hz_of(1)), 0.3, 0.006);
    assert_true(r.step_most <= step * 1.1F);
    rmi_mixer_destroy(&r.m);
}

/* Far more than may wait: what is oldest goes, once, without a click. */
static void who_is_too_far_ahead_is_cut(void **state) {
    (void)state;
    static struct room r;
    float step = (float)(0.3 * TWO_PI * (hz_of(0) + hz_of(1)) / RATE);
    open_room(&r, FRAME_US, 1);
    enter(&r, hz_of(0), 0.3);
    struct sender *s = enter(&r, hz_of(1), 0.3);
    run(&r, RMI_SEC(1), 1);
    s->start_us -= RMI_MS(500);
    s->arrived_us = 0;
    run(&r, RMI_MS(300), 1);
    struct rmi_mixer_source_stats st = rmi_mixer_source_stats(s->source);
    assert_in_range(st.too_early, 300 * 48, 480 * 48);
    assert_in_range(st.ahead_us, 1000, 200000);
    assert_int_equal(st.concealed, 0);
    assert_true(r.step_most <= step * 1.5F); /* the joint may be where the wave turns */
    rmi_mixer_destroy(&r.m);
}

/* One source alone goes through as it is, at once, with its own times; also with pauses, repetitions and jumps. */
static void one_source_is_not_touched(void **state) {
    (void)state;
    static struct room r;
    struct rmi_mixer_source *s = NULL;
    float pcm[FRAME];
    int64_t time_us = 5000000;
    open_room(&r, FRAME_US, 1);
    assert_int_equal(rmi_mixer_add(r.m, "a", RATE, 1, &s), RM_OK);
    assert_int_equal(rmi_mixer_next_deadline(r.m), RMI_NEVER);
    for (size_t t = 0; t < 300; t++, time_us += FRAME_US) {
        for (size_t i = 0; i < FRAME; i++)
            pcm[i] = (float)(0.9 * sin((double)(t * FRAME + i) * 0.05));
        assert_int_equal(rmi_mixer_input(s, pcm, FRAME, time_us, time_us + FRAME_US), RM_OK);
        assert_true(rmi_mixer_pull(r.m, time_us + FRAME_US));
        assert_int_equal(rmi_mixer_frame_time_us(r.m), time_us);
        const float *mix = rmi_mixer_mix(r.m);
        for (size_t i = t == 0 ? 240 : 0; i < FRAME; i++)
            near(mix[i], pcm[i], 1e-6);
        for (size_t i = 0; i < FRAME; i++)
            near(rmi_mixer_minus(s)[i], 0, 1e-6);
        assert_false(rmi_mixer_pull(r.m, time_us + FRAME_US));
    }
    /* The same once more: it has been heard. */
    assert_int_equal(rmi_mixer_input(s, pcm, FRAME, time_us - FRAME_US, time_us), RM_OK);
    assert_false(rmi_mixer_pull(r.m, time_us));
    assert_int_equal(rmi_mixer_source_stats(s).late, FRAME);
    /* A pause of 50 ms by its times, which is not filled. */
    assert_int_equal(rmi_mixer_input(s, pcm, FRAME, time_us + 50000, time_us + 60000), RM_OK);
    assert_true(rmi_mixer_pull(r.m, time_us + 60000));
    assert_int_equal(rmi_mixer_frame_time_us(r.m), time_us + 50000);
    assert_false(rmi_mixer_pull(r.m, time_us + 60000));
    /* Half a frame waits until it is clear that nothing comes. */
    assert_int_equal(rmi_mixer_input(s, pcm, FRAME / 2, -1, time_us + 65000), RM_OK);
    int64_t due = rmi_mixer_next_deadline(r.m);
    assert_in_range(due, time_us + 70000, time_us + 90000);
    assert_false(rmi_mixer_pull(r.m, due - 1));
    assert_true(rmi_mixer_pull(r.m, due));
    assert_false(rmi_mixer_pull(r.m, due + 1000000));
    /* At the end, what is left. */
    assert_int_equal(rmi_mixer_input(s, pcm, 100, -1, due + 2000000), RM_OK);
    assert_true(rmi_mixer_flush(r.m));
    assert_int_equal(rmi_mixer_frame_filled(r.m), 100);
    assert_false(rmi_mixer_flush(r.m));
    rmi_mixer_destroy(&r.m);
}

/* Parts of one recording, which come one after the other, are put together sample by sample. */
static void equal_clocks_stay_together(void **state) {
    (void)state;
    static struct room r;
    struct rmi_mixer_source *s[2] = {NULL, NULL};
    float pcm[FRAME];
    open_room(&r, FRAME_US, 1);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(rmi_mixer_add(r.m, i ? "b" : "a", RATE, 1, &s[i]), RM_OK);
    for (size_t t = 0; t < 1000; t++)
        for (size_t k = 0; k < 2; k++) {
            for (size_t i = 0; i < FRAME; i++)
                pcm[i] = (float)(0.4 * sin((double)(t * FRAME + i) * 0.05));
            int64_t time_us = (int64_t)t * FRAME_US;
            assert_int_equal(rmi_mixer_input(s[k], pcm, FRAME, time_us, time_us + (int64_t)k * 3000), RM_OK);
            bool made = rmi_mixer_pull(r.m, time_us + (int64_t)k * 3000);
            assert_int_equal(made, t == 0 ? k == 0 : k == 1);
            for (size_t i = 0; made && t > 1 && i < FRAME; i++)
                near(rmi_mixer_mix(r.m)[i], 2 * pcm[i], 1e-6);
        }
    assert_int_equal(rmi_mixer_source_stats(s[1]).drift_ppm, 0);
    rmi_mixer_destroy(&r.m);
}

static void gains_and_mute_change_smoothly(void **state) {
    (void)state;
    static struct room r;
    open_room(&r, FRAME_US, 1);
    struct sender *a = enter(&r, hz_of(0), 0.4), *b = enter(&r, hz_of(1), 0.2);
    run(&r, RMI_SEC(1), 1);
    assert_int_equal(rmi_mixer_set_gain_db(a->source, -6.0206F), RM_OK);
    assert_int_equal(rmi_mixer_set_gain_db(b->source, 6.0206F), RM_OK);
    run(&r, RMI_MS(200), 1);
    near(tone_in(r.heard[SOURCES], 1, hz_of(0)), 0.2, 0.004);
    near(tone_in(r.heard[SOURCES], 1, hz_of(1)), 0.4, 0.004);
    near(tone_in(r.heard[1], 1, hz_of(0)), 0.2, 0.004);
    assert_true(tone_in(r.heard[1], 1, hz_of(1)) < 1e-4);
    rmi_mixer_set_muted(a->source, true);
    assert_int_equal(rmi_mixer_set_gain_db(b->source, -60), RM_OK);
    run(&r, RMI_MS(200), 1);
    assert_true(tone_in(r.heard[SOURCES], 1, hz_of(0)) < 1e-6);
    assert_true(tone_in(r.heard[SOURCES], 1, hz_of(1)) < 1e-6);
    assert_in_range(rmi_mixer_source_stats(a->source).level, 10, 12); /* of what it says, muted or not */
    rmi_mixer_set_muted(a->source, false);
    run(&r, RMI_MS(200), 1);
    near(tone_in(r.heard[SOURCES], 1, hz_of(0)), 0.2, 0.004);
    assert_int_equal(rmi_mixer_set_gain_db(a->source, NAN), RM_E_INVALID_ARG);
    assert_int_equal(rmi_mixer_set_gain_db(a->source, 25), RM_E_INVALID_ARG);
    assert_true(r.step_most <= 0.4 * TWO_PI * (hz_of(0) + hz_of(1)) / RATE * 1.1);
    rmi_mixer_destroy(&r.m);
}

/* Ten of full scale stay within it; the wave keeps its shape; below full scale nothing is changed. */
static void sums_are_limited(void **state) {
    (void)state;
    static struct room r;
    open_room(&r, FRAME_US, 1);
    for (size_t i = 0; i < SOURCES; i++)
        enter(&r, 1000, 1); /* whose wave is as long as what newcomers wait: all add up */
    run(&r, RMI_SEC(1), 1);
    assert_true(r.peak <= 1);
    double tone = tone_in(r.heard[SOURCES], 1, 1000);
    near(tone, 0.9, 0.02);
    for (int k = 2; k < 8; k++)
        assert_true(tone_in(r.heard[SOURCES], 1, 1000 * k) < 0.003 * tone);
    for (size_t i = 0; i < SOURCES; i++)
        r.senders[i].level = 0.095;
    run(&r, RMI_SEC(4), 1);
    near(tone_in(r.heard[SOURCES], 1, 1000), 0.95, 0.003);
    for (int k = 2; k < 8; k++)
        assert_true(tone_in(r.heard[SOURCES], 1, 1000 * k) < 1e-4);
    rmi_mixer_destroy(&r.m);
}

static void nonsense_does_no_harm(void **state) {
    (void)state;
    static struct room r;
    struct rmi_mixer_source *bad = NULL;
    static const int64_t times[] = {0, INT64_MAX, 5, INT64_MAX / 2, 1, -1, 999, INT64_MIN};
    open_room(&r, FRAME_US, 2);
    enter(&r, hz_of(0), 0.3)->channels = 2;
    assert_int_equal(rmi_mixer_add(r.m, "bad", 44100, 6, &bad), RM_OK);
    for (size_t t = 0; t < 400; t++) {
        float pcm[6 * 441] = {0};
        pcm[t] = t % 4 == 0 ? NAN : t % 4 == 1 ? INFINITY : t % 4 == 2 ? -INFINITY : 1e30F;
        run(&r, FRAME_US, 2);
        assert_int_equal(rmi_mixer_input(bad, pcm, t % 5 ? 441 : 0, times[t % 8], r.now_us), RM_OK);
    }
    rmi_mixer_remove(&bad);
    run(&r, RMI_SEC(2), 2);
    assert_true(r.peak <= 1);
    near(tone_in(r.heard[SOURCES], 2, hz_of(0)), 0.3, 0.006);
    rmi_mixer_destroy(&r.m);
}

/* The louder one, not at once, and not who is muted or has left. */
static void who_speaks(void **state) {
    (void)state;
    static struct room r;
    open_room(&r, FRAME_US, 1);
    struct sender *a = enter(&r, 500, 0.0001), *b = enter(&r, 700, 0.0001);
    run(&r, RMI_SEC(1), 1);
    assert_null(rmi_mixer_speaker(r.m));
    a->level = 0.1;
    run(&r, RMI_MS(50), 1);
    assert_null(rmi_mixer_speaker(r.m));
    run(&r, RMI_MS(300), 1);
    assert_ptr_equal(rmi_mixer_speaker(r.m), a->source);
    b->level = 0.12; /* hardly louder */
    run(&r, RMI_SEC(3), 1);
    assert_ptr_equal(rmi_mixer_speaker(r.m), a->source);
    b->level = 0.5;
    run(&r, RMI_MS(200), 1);
    assert_ptr_equal(rmi_mixer_speaker(r.m), a->source);
    run(&r, RMI_MS(500), 1);
    assert_ptr_equal(rmi_mixer_speaker(r.m), b->source);
    b->level = 0; /* a pause is not the end */
    a->level = 0;
    run(&r, RMI_SEC(2), 1);
    assert_ptr_equal(rmi_mixer_speaker(r.m), b->source);
    a->level = b->level = 0.1;
    rmi_mixer_set_muted(b->source, true);
    run(&r, RMI_SEC(1), 1);
    assert_ptr_equal(rmi_mixer_speaker(r.m), a->source);
    rmi_mixer_remove(&a->source);
    assert_null(rmi_mixer_speaker(r.m));
    rmi_mixer_destroy(&r.m);
}

/* Once things run, also while clocks are followed, sound is late, and somebody pauses. */
static void frames_make_no_heap_calls(void **state) {
    (void)state;
    static struct room r;
    open_room(&r, FRAME_US, 2);
    for (size_t i = 0; i < 4; i++) {
        struct sender *s = enter(&r, hz_of(i), 0.1);
        s->ppm = 100.0 * (double)i;
        s->jitter_us = 15000;
        s->rate = i == 2 ? 16000 : RATE;
    }
    run(&r, RMI_SEC(10), 2);
    const size_t before = atomic_load(&heap_calls);
#ifndef HEAP_IS_ANOTHERS
    assert_true(before > 0); /* it does count */
#endif
    for (size_t i = 0; i < 5; i++) {
        run(&r, RMI_SEC(4), 2);
        r.senders[i % 4].start_us += RMI_MS(300);
        r.senders[i % 4].arrived_us = 0;
    }
    assert_int_equal(atomic_load(&heap_calls), before);
    rmi_mixer_destroy(&r.m);
}

static void limits_are_kept(void **state) {
    (void)state;
    struct rmi_mixer_config c = {
        .rate_hz = RATE, .channels = 1, .frame_us = FRAME_US, .sources_max = 2, .ahead_ms = 200};
    struct rmi_mixer *m = NULL;
    struct rmi_mixer_source *a = NULL, *b = NULL, *more = NULL;
    const float pcm[FRAME] = {0};
    char id[RMI_MIXER_ID_MAX + 1];
    struct rmi_mixer_config bad[] = {c, c, c, c, c};
    bad[0].rate_hz = 7999;
    bad[1].channels = 3;
    bad[2].frame_us = 100001;
    bad[3].sources_max = 0;
    bad[4].ahead_ms = 49;
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(rmi_mixer_create(&bad[i], &m), RM_E_INVALID_ARG);
    assert_int_equal(rmi_mixer_create(&c, &m), RM_OK);
    memset(id, 'x', sizeof id);
    id[sizeof id - 1] = 0;
    assert_int_equal(rmi_mixer_add(m, id, RATE, 1, &a), RM_E_INVALID_ARG);
    assert_int_equal(rmi_mixer_add(m, "a", 999, 1, &a), RM_E_INVALID_ARG);
    assert_int_equal(rmi_mixer_add(m, "a", RATE, 1, &a), RM_OK);
    assert_int_equal(rmi_mixer_add(m, "a", RATE, 1, &b), RM_E_EXISTS);
    assert_int_equal(rmi_mixer_add(m, "b", RATE, 1, &b), RM_OK);
    assert_int_equal(rmi_mixer_add(m, "c", RATE, 1, &more), RM_E_LIMIT);
    assert_int_equal(rmi_mixer_input(a, pcm, FRAME, -1, 10), RM_OK);
    rmi_mixer_remove(&a); /* fading out: its place is given away when it is needed */
    assert_null(a);
    assert_int_equal(rmi_mixer_add(m, "c", RATE, 1, &more), RM_OK);
    assert_ptr_equal(rmi_mixer_find(m, "b"), b);
    assert_ptr_equal(rmi_mixer_find(m, "c"), more);
    assert_true(rmi_mixer_at(m, 0) && rmi_mixer_at(m, 1));
    assert_null(rmi_mixer_at(m, 2));
    rmi_mixer_remove(&b);
    rmi_mixer_remove(&b);
    rmi_mixer_destroy(&m);
    rmi_mixer_destroy(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_hear_each_other),
        cmocka_unit_test(sizes_rates_and_channels_may_differ),
        cmocka_unit_test(clocks_that_drift_are_followed),
        cmocka_unit_test(joining_and_leaving_do_not_click),
        cmocka_unit_test(lateness_is_concealed),
        cmocka_unit_test(who_is_too_far_ahead_is_cut),
        cmocka_unit_test(one_source_is_not_touched),
        cmocka_unit_test(equal_clocks_stay_together),
        cmocka_unit_test(gains_and_mute_change_smoothly),
        cmocka_unit_test(sums_are_limited),
        cmocka_unit_test(nonsense_does_no_harm),
        cmocka_unit_test(who_speaks),
        cmocka_unit_test(frames_make_no_heap_calls),
        cmocka_unit_test(limits_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
