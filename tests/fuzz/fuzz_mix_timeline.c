/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cursor.h"
#include "nodes/audio_mixer_private.h"
#include <stdlib.h>

/* Chunks of up to eight streams with any times and sizes, in any order, some chunks of the mix left for later. The time
 * line goes forward, in order, and never far from what came in. */

#define RATE 8000
#define CHUNK 80
#define STREAMS 8
#define FRAMES_MAX 2048
#define SECOND_US 1000000
/* What can wait: the pieces of a source, with a pause of a second before each. */
#define MADE_MAX (RMI_MIX_PIECES_MAX * (RATE + FRAMES_MAX) / CHUNK)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
    if (!holds)
        abort();
}

static void check(const struct rmi_mix_timeline *t) {
    for (size_t i = 0; i < RMI_MIX_SOURCES_MAX; i++) {
        const struct rmi_mix_source *s = &t->sources[i];
        int64_t at = t->position;
        must(s->count <= RMI_MIX_PIECES_MAX && (s->used || s->count == 0));
        for (size_t k = 0; k < s->count; k++) {
            const struct rmi_mix_piece *p = &s->pieces[(s->first + k) % RMI_MIX_PIECES_MAX];
            must(p->data && p->samples > 0);
            must(p->skip + p->samples <= rm_runtime_data_audio(p->data)->frame_count);
            must((k == 0 || p->begin >= at) && p->begin + (int64_t)p->samples > t->position);
            at = p->begin + (int64_t)p->samples;
        }
        must(s->count == 0 || s->end >= at);
    }
}

static void drain(struct rmi_mix_timeline *t, bool flush) {
    size_t samples, made = 0;
    int64_t position = t->position;
    while (rmi_mix_due(t, flush, &samples)) {
        must(samples > 0 && samples <= CHUNK && t->position >= position);
        position = t->position + (int64_t)samples;
        rmi_mix_advance(t, samples);
        must(t->position == position);
        must(flush || ++made <= MADE_MAX);
        check(t);
    }
}

static void input(struct rmi_mix_timeline *t, rm_buf *buf, struct rmi_rd *r, int64_t clock_us[STREAMS]) {
    uint8_t head = rmi_rd_u8(r);
    size_t frames = rmi_rd_u16(r) % (FRAMES_MAX + 1), which = head % STREAMS;
    int64_t time_us = RM_NO_VALUE;
    char id[] = {(char)('a' + which), 0};
    bool fresh;
    if (head & 0x08)
        time_us = (int64_t)(((uint64_t)rmi_rd_u32(r) << 32 | rmi_rd_u32(r)) >> 1);
    else if (head & 0x10)
        time_us = clock_us[which] + (int64_t)rmi_rd_u16(r) * 64 - SECOND_US;
    else if (head & 0x20)
        time_us = clock_us[which];
    clock_us[which] += (int64_t)frames * SECOND_US / RATE;
    rm_runtime_data *d = NULL;
    struct rmi_mix_source *s = rmi_mix_source(t, which ? id : NULL, &fresh);
    must(s != NULL && !rm_runtime_data_create_audio(buf, 0, frames, RATE, 1, &d));
    if (time_us >= 0)
        must(!rm_runtime_data_set_timestamp_us(d, time_us));
    rmi_mix_input(t, s, d);
    rm_runtime_data_unref(&d);
    check(t);
    if (!(head & 0x40))
        drain(t, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rmi_rd r = rmi_rd_init(data, size);
    struct rmi_mix_timeline *t = calloc(1, sizeof *t);
    int64_t clock_us[STREAMS];
    rm_buf *buf = NULL;
    must(t && !rm_buf_create(FRAMES_MAX * sizeof(float), &buf));
    t->rate = RATE;
    t->chunk = CHUNK;
    for (size_t i = 0; i < STREAMS; i++)
        clock_us[i] = 10 * SECOND_US;
    while (rmi_rd_left(&r) > 0)
        input(t, buf, &r, clock_us);
    drain(t, true);
    rmi_mix_timeline_fini(t);
    free(t);
    rm_buf_unref(&buf);
    return 0;
}
