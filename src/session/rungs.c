/* SPDX-License-Identifier: Apache-2.0 */
#include "session/rungs.h"
#include "base/time.h"
#include <math.h>
#include <string.h>

#define CLEARLY 0.75 /* a rung has at most this part of the bitrate of the one above it, and so many of its lines */
#define KEEPS 0.5    /* of what the best of a rung can take: who has less would hold it back too much */
#define RISES 0.7    /* of it, for who comes from below */
#define RISE_WAIT_US RMI_SEC(3)
#define RISE_WAIT_MAX_US RMI_SEC(48)
#define FELL_SOON_US RMI_SEC(30) /* after it rose: the next time it waits twice as long */
#define GUESS_US RMI_SEC(1)
/* So soon after it began, what the best of a rung could take for a moment counts: a probe has shown it, the queue that
 * the probe made has cut it, and the encoder at a lesser one's rate lets nothing prove it again. */
#define YOUNG_US RMI_SEC(5)
#define MEMORY_US                                                                                                      \
    RMI_SEC(10) /* in which what is remembered of the best falls to a third: a few turns of congestion                 \
                   control's saw */

static uint32_t long_side(uint32_t w, uint32_t h) {
    return w > h ? w : h;
}

static uint32_t short_side(uint32_t w, uint32_t h) {
    return w > h ? h : w;
}

void rmi_rungs_build(const struct rmi_rung *top, const struct rmi_rung *below, size_t count, struct rmi_rungs *out) {
    *out = (struct rmi_rungs){.count = 1, .rung = {*top}};
    for (size_t i = 0; i < count && out->count < RMI_RUNGS_MAX; i++) {
        const struct rmi_rung *above = &out->rung[out->count - 1], *r = &below[i];
        const bool smaller =
            short_side(r->max_width, r->max_height) <= CLEARLY * short_side(above->max_width, above->max_height) &&
            long_side(r->max_width, r->max_height) <= CLEARLY * long_side(above->max_width, above->max_height);
        if (smaller && r->max_bps <= CLEARLY * above->max_bps)
            out->rung[out->count++] = *r;
    }
}

/* The highest rung that its wish allows. */
static int first_of(const struct rmi_rungs *rungs, const struct rmi_rung_peer *p) {
    const uint32_t l = long_side(p->cap_width, p->cap_height), s = short_side(p->cap_width, p->cap_height);
    int r = 0;
    while (s > 0 && r < rungs->count - 1 &&
           (long_side(rungs->rung[r].max_width, rungs->rung[r].max_height) > l ||
            short_side(rungs->rung[r].max_width, rungs->rung[r].max_height) > s))
        r++;
    return r;
}

static double takes(const struct rmi_rung_peer *p) {
    return p->cap_bps > 0 && p->target_bps > p->cap_bps ? p->cap_bps : p->target_bps;
}

struct placing {
    const struct rmi_rungs *rungs;
    struct rmi_rung_memory *memory;
    struct rmi_rung_peer *const *peers;
    size_t count;
    int64_t now_us;
    double forgets; /* what is left of the memory by now */
};

/* Who is below `r` and must wait before it comes up says nothing about what the others there hold back. */
static bool is_below(const struct rmi_rung_peer *p, int r) {
    return p->rung != RMI_RUNG_NONE && p->rung > r;
}

/* What the best of rung `r` can take, of those that have no place yet; and, for who wants to come up, could lately. */
static double best_of(const struct placing *s, int r, double *lately) {
    double best = 0, waiting = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct rmi_rung_peer *p = s->peers[i];
        if (p->next != RMI_RUNG_NONE || first_of(s->rungs, p) > r)
            continue;
        double *of = is_below(p, r) ? &waiting : &best;
        *of = takes(p) > *of ? takes(p) : *of;
    }
    const double most = s->rungs->rung[r].max_bps, now = fmin(best > 0 ? best : waiting, most);
    double *remembered = &s->memory->best_bps[r];
    *remembered = best > 0 ? fmin(fmax(*remembered * s->forgets, now), most) : 0;
    *lately = fmax(*remembered, now);
    return now;
}

static bool may_rise(const struct rmi_rung_peer *p, int r, int64_t now_us) {
    return p->has_room && r >= p->room_rung && now_us - p->room_since_us >= p->wait_us;
}

static bool belongs(const struct placing *s, struct rmi_rung_peer *p, int r, double best, double lately) {
    const bool guess = s->now_us - p->begun_us < GUESS_US;
    if (r == s->rungs->count - 1)
        return true;
    const bool young = s->now_us - p->begun_us < YOUNG_US;
    if (!is_below(p, r))
        return takes(p) >= KEEPS * (young && takes(p) < best ? lately : best) ||
               (guess && (p->rung == RMI_RUNG_NONE || p->rung == r));
    if (takes(p) < RISES * lately)
        return false;
    if (p->up == RMI_RUNG_NONE)
        p->up = r;
    return may_rise(p, r, s->now_us);
}

static void note_room(struct rmi_rung_peer *p, int64_t now_us) {
    if (p->up == RMI_RUNG_NONE) {
        p->has_room = false;
    } else if (!p->has_room) {
        p->has_room = true;
        p->room_since_us = now_us;
        p->room_rung = p->up;
    } else if (p->up > p->room_rung) {
        p->room_rung = p->up;
    }
}

static void move(struct rmi_rung_peer *p, int64_t now_us) {
    const int from = p->rung;
    p->rung = p->next;
    if (p->rung == RMI_RUNG_NONE)
        p->sending = RMI_RUNG_NONE; /* it misses some now */
    if (from == p->rung) {
        note_room(p, now_us);
        return;
    }
    p->has_room = false;
    if (from == RMI_RUNG_NONE || p->rung == RMI_RUNG_NONE)
        return;
    if (p->rung < from) {
        p->rose = true;
        p->rose_us = now_us;
    } else if (p->rose && now_us - p->rose_us < FELL_SOON_US) {
        p->wait_us = rmi_min64(2 * p->wait_us, RISE_WAIT_MAX_US);
    } else {
        p->wait_us = RISE_WAIT_US;
    }
}

static void begin(struct rmi_rung_peer *p, int64_t now_us) {
    p->next = p->up = RMI_RUNG_NONE;
    if (p->begun || takes(p) <= 0)
        return;
    p->begun = true;
    p->begun_us = now_us;
    p->wait_us = RISE_WAIT_US;
}

void rmi_rungs_place(const struct rmi_rungs *rungs, struct rmi_rung_memory *memory, struct rmi_rung_peer *const *peers,
                     size_t count, int64_t now_us, struct rmi_rung_use use[RMI_RUNGS_MAX]) {
    const struct placing s = {.rungs = rungs,
                              .memory = memory,
                              .peers = peers,
                              .count = count,
                              .now_us = now_us,
                              .forgets = exp(-(double)(now_us - memory->at_us) / (double)MEMORY_US)};
    memory->at_us = now_us;
    memset(use, 0, RMI_RUNGS_MAX * sizeof *use);
    for (size_t i = 0; i < count; i++)
        begin(peers[i], now_us);
    for (int r = 0; r < rungs->count; r++) {
        double lately;
        const double best = best_of(&s, r, &lately);
        for (size_t i = 0; i < count; i++) {
            struct rmi_rung_peer *p = peers[i];
            if (takes(p) <= 0 || p->next != RMI_RUNG_NONE || first_of(rungs, p) > r || !belongs(&s, p, r, best, lately))
                continue;
            p->next = r;
            use[r].bps = use[r].peers == 0 || takes(p) < use[r].bps ? takes(p) : use[r].bps;
            use[r].peers++;
        }
        if (use[r].bps > rungs->rung[r].max_bps)
            use[r].bps = rungs->rung[r].max_bps;
    }
    for (size_t i = 0; i < count; i++)
        move(peers[i], now_us);
}

enum rmi_rung_pass rmi_rungs_pass(struct rmi_rung_peer *p, int rung, bool key_frame, int64_t capture_us,
                                  int64_t key_us) {
    if (p->rung == RMI_RUNG_NONE)
        return RMI_RUNG_SKIP;
    if (rung == p->sending) {
        if (rung != p->rung && key_us != 0 && capture_us >= key_us)
            return RMI_RUNG_SKIP;
    } else if (rung != p->rung || !key_frame) {
        return RMI_RUNG_SKIP;
    } else if (p->sending != RMI_RUNG_NONE && capture_us <= p->sent_us) {
        return RMI_RUNG_LATE;
    }
    p->sending = rung;
    p->sent_us = capture_us;
    return RMI_RUNG_SEND;
}
