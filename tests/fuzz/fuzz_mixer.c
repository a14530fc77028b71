/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cursor.h"
#include "base/time.h"
#include "media/mixer.h"
#include <math.h>
#include <stdlib.h>

/* Chunks of up to eight sources of several rates, with any timestamps, sizes and samples, coming at any pace; joining,
 * leaving, gains. Frames go forward, never hold anything but numbers in -1..1, and never wait for long. */

#define RATE 8000
#define FRAME_US 10000
#define SOURCES 8
#define SAMPLES_MAX 2048
#define SECOND_US 1000000
#define STEP_US 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
    if (!holds)
        abort();
}

struct state {
    struct rmi_mixer *m;
    struct rmi_mixer_source *sources[SOURCES];
    int64_t clock_us[SOURCES];
    uint32_t rates[SOURCES];
    float pcm[SAMPLES_MAX * 2];
    int64_t now_us;
};

static void listen(struct state *st) {
    size_t values = rmi_mixer_frame_samples(st->m);
    for (size_t who = 0; who <= SOURCES; who++) {
        if (who < SOURCES && !st->sources[who])
            continue;
        const float *heard = who < SOURCES ? rmi_mixer_minus(st->sources[who]) : rmi_mixer_mix(st->m);
        for (size_t i = 0; i < values; i++)
            must(fabsf(heard[i]) <= 1); /* false for not-a-number */
    }
}

static void pull(struct state *st) {
    while (rmi_mixer_pull(st->m, st->now_us))
        listen(st);
    must(rmi_mixer_next_deadline(st->m) > st->now_us);
}

static void input(struct state *st, struct rmi_rd *r, uint8_t head, size_t which) {
    static const uint32_t rates[] = {8000, 8000, 16000, 44100};
    char id[] = {(char)('a' + which), 0};
    if (!st->sources[which]) {
        st->rates[which] = rates[which % 4];
        must(!rmi_mixer_add(st->m, id, st->rates[which], 1 + (int)(which % 2), &st->sources[which]));
    }
    size_t samples = rmi_rd_u16(r) % (SAMPLES_MAX + 1);
    int64_t time_us = -1;
    if (head & 0x08)
        time_us = (int64_t)((uint64_t)rmi_rd_u32(r) << 32 | rmi_rd_u32(r));
    else if (head & 0x10)
        time_us = st->clock_us[which] + (int64_t)rmi_rd_u16(r) * STEP_US - SECOND_US;
    else if (head & 0x20)
        time_us = st->clock_us[which];
    st->clock_us[which] += (int64_t)samples * SECOND_US / st->rates[which];
    must(!rmi_mixer_input(st->sources[which], st->pcm, samples, time_us, st->now_us));
}

static void step(struct state *st, struct rmi_rd *r) {
    uint8_t head = rmi_rd_u8(r);
    size_t which = head % SOURCES;
    if ((head & 0xc0) != 0xc0) {
        input(st, r, head, which);
    } else if (head & 0x20) {
        rmi_mixer_remove(&st->sources[which]);
    } else if (st->sources[which]) {
        uint8_t value = rmi_rd_u8(r);
        rmi_mixer_set_muted(st->sources[which], value & 1);
        must(!rmi_mixer_set_gain_db(st->sources[which], (float)value / 4 - 40));
    }
    if (head & 0x40)
        st->now_us += (int64_t)rmi_rd_u16(r) * STEP_US;
    pull(st);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct rmi_mixer_config config = {
        .rate_hz = RATE, .channels = 1, .frame_us = FRAME_US, .sources_max = SOURCES, .ahead_ms = 300, .slack_us = 0};
    struct rmi_rd r = rmi_rd_init(data, size);
    struct state *st = calloc(1, sizeof *st);
    must(st && !rmi_mixer_create(&config, &st->m));
    for (size_t i = 0; i < SAMPLES_MAX * 2; i++)
        st->pcm[i] = i % 97 == 0 ? NAN : i % 89 == 0 ? INFINITY : (float)(i % 50) / 25 - 1;
    for (size_t i = 0; i < SOURCES; i++)
        st->clock_us[i] = 10 * SECOND_US;
    while (rmi_rd_left(&r) > 0)
        step(st, &r);
    size_t rest = 0;
    for (; rmi_mixer_flush(st->m); rest++) {
        must(rmi_mixer_frame_filled(st->m) > 0);
        listen(st);
    }
    /* What may wait: ahead_ms, a pause of a second, a chunk. */
    must(rest <= (size_t)(2 * SECOND_US / FRAME_US));
    rmi_mixer_destroy(&st->m);
    free(st);
    return 0;
}
