/* SPDX-License-Identifier: Apache-2.0 */
#include "srtp/srtp_private.h"
#include <stdlib.h>
#include <string.h>

#define SEQ_RANGE UINT64_C(0x10000)
#define SEQ_HALF 0x8000
#define WORD_BITS 64
#define FIRST_SOURCES 4 /* audio and video, each perhaps with a retransmission stream */

/* ---- indices and replay (RFC 3711 3.3.1, 3.3.2) ---- */

bool rmi_srtp_guess_index(const struct rmi_srtp_window *w, uint16_t seq, uint64_t *index) {
    uint64_t guess = w->newest - w->newest % SEQ_RANGE + seq;
    if (!w->started) {
        guess = seq;
    } else if (w->newest > guess && w->newest - guess > SEQ_HALF) {
        guess += SEQ_RANGE;
    } else if (guess > w->newest && guess - w->newest > SEQ_HALF && guess >= SEQ_RANGE) {
        guess -= SEQ_RANGE; /* there is no rollover counter below 0: then it is a leap forward */
    }
    *index = guess;
    return guess <= RMI_SRTP_INDEX_MAX;
}

bool rmi_srtp_window_reaches(const struct rmi_srtp_window *w, uint64_t index) {
    return !w->started || index > w->newest || w->newest - index < RMI_SRTP_REPLAY_WINDOW;
}

static uint64_t *word_of(struct rmi_srtp_window *w, uint64_t index, uint64_t *mask) {
    *mask = UINT64_C(1) << index % WORD_BITS;
    return &w->seen[index % RMI_SRTP_REPLAY_WINDOW / WORD_BITS];
}

bool rmi_srtp_window_admits(const struct rmi_srtp_window *w, uint64_t index) {
    if (!rmi_srtp_window_reaches(w, index))
        return false;
    if (!w->started || index > w->newest)
        return true;
    return !(w->seen[index % RMI_SRTP_REPLAY_WINDOW / WORD_BITS] >> index % WORD_BITS & 1);
}

void rmi_srtp_window_add(struct rmi_srtp_window *w, uint64_t index) {
    uint64_t mask;
    if (!w->started || (index > w->newest && index - w->newest >= RMI_SRTP_REPLAY_WINDOW)) {
        memset(w->seen, 0, sizeof w->seen);
    } else {
        for (uint64_t i = w->newest + 1; i < index; i++) { /* skipped ones take the places of old ones */
            uint64_t *word = word_of(w, i, &mask);
            *word &= ~mask;
        }
    }
    if (!w->started || index > w->newest)
        w->newest = index;
    w->started = true;
    *word_of(w, index, &mask) |= mask;
}

/* ---- the table ---- */

struct rmi_srtp_source *rmi_srtp_sources_find(struct rmi_srtp_sources *t, uint32_t ssrc) {
    if (t->last < t->count && t->list[t->last].ssrc == ssrc)
        return &t->list[t->last];
    for (size_t i = 0; i < t->count; i++) {
        if (t->list[i].ssrc == ssrc) {
            t->last = i;
            return &t->list[i];
        }
    }
    return NULL;
}

static bool grow(struct rmi_srtp_sources *t, size_t max) {
    size_t cap = t->cap ? t->cap * 2 : FIRST_SOURCES;
    if (cap > max)
        cap = max;
    struct rmi_srtp_source *list = realloc(t->list, cap * sizeof *list);
    if (!list)
        return false;
    t->list = list;
    t->cap = cap;
    return true;
}

struct rmi_srtp_source *rmi_srtp_sources_add(struct rmi_srtp_sources *t, uint32_t ssrc, size_t max) {
    if (t->count == t->cap && t->cap < max && !grow(t, max))
        return NULL;
    size_t i = t->count;
    if (t->count < t->cap) {
        t->count++;
    } else {
        i = 0;
        for (size_t k = 1; k < t->count; k++)
            if (t->list[k].used < t->list[i].used)
                i = k;
    }
    memset(&t->list[i], 0, sizeof t->list[i]);
    t->list[i].ssrc = ssrc;
    t->last = i;
    return &t->list[i];
}

void rmi_srtp_sources_touch(struct rmi_srtp_sources *t, struct rmi_srtp_source *source) {
    source->used = ++t->clock;
}

void rmi_srtp_sources_release(struct rmi_srtp_sources *t) {
    free(t->list);
    memset(t, 0, sizeof *t);
}
