/* SPDX-License-Identifier: Apache-2.0 */
/* What to play next.
 *
 * The delay of the stream is steered at the first packet of each pull. Two things are looked at: the slack, by which
 * the last packet that this pull needs could have come later than the fastest (beyond what is wanted), and the store
 * left over at that moment. A pull happens on a fixed grid, so slack moves in steps of a packet or a chunk; the store
 * that is left over is delay that buys nothing. With clocks that agree it is removed. With clocks that do not, the
 * arrivals wander through the grid, the left-over store must wander with them, and the delay stands still at one chunk
 * over what is wanted.
 *
 * Small errors are mended by resampling, large ones by stretching a packet. */
#include "base/time.h"
#include "jitter/audio_private.h"
#include <math.h>
#include <string.h>

/* Without a packet for so long the stream counts as ended: decoders have faded to silence long before. */
#define GIVE_UP_US RMI_SEC(1)
/* Between growing and shrinking, so that a target that moves by a few bins does not make both follow each other. */
#define HYSTERESIS_US RMI_MS(2)
/* Clocks apart by less slip a chunk only every 500 s. */
#define DRIFTING_PPM 20.0
#define NOT_DRIFTING_PPM 10.0
/* Beyond the ceiling by this much, packets are dropped instead of played ever faster. */
#define HOPELESS_US RMI_MS(100)
/* A player's timer is on time now and then; see lateness_of_pull. */
#define LOW_SLICE_US RMI_SEC(1)
/* At most a quarter of a packet is added or removed, as with other time stretchers half as much is hardly heard. */
#define STRETCH_SHARE 4
/* Trim: 500 ppm for a whole 10 ms, and never a resampler that runs for less than it can do. */
#define TRIM_PPM_PER_US 0.05
#define TRIM_MAX_PPM 500.0
/* Left over on purpose, so that rounding in the resampler does not empty the store a sample too early. */
#define KEEP_US 500

static int64_t delay_of(const struct rmi_audio_buffer *b, int64_t now_us, int64_t ts) {
    return now_us - rmi_delay_earliest(&b->delay, rmi_audio_us(b, ts));
}

static struct rmi_audio_slot *head_of(struct rmi_audio_buffer *b) {
    if (b->held == 0)
        return NULL;
    for (int64_t seq = b->last_seq + 1; seq <= b->newest_seq; seq++) {
        struct rmi_audio_slot *slot = rmi_audio_slot(b, seq);
        if (slot->seq == seq && slot->state == RMI_AUDIO_SLOT_HELD)
            return slot;
    }
    return NULL;
}

/* Whether a packet is too late to be played while something better is here. When the newest is as late because the path
 * has got longer, there is not: late sound is more than none, and what follows it will be no earlier. */
static bool is_hopeless(struct rmi_audio_buffer *b, int64_t now_us, const struct rmi_audio_slot *head) {
    const int64_t chunk_us = rmi_audio_us(b, b->config.chunk_ticks);
    /* What was concealed already is not worth a delay over the ceiling. */
    const int64_t over = b->playing && b->debt > 0 ? rmi_audio_us(b, head->duration) + chunk_us : HOPELESS_US;
    const int64_t most = rmi_audio_ceiling_us(b) + over;
    if (delay_of(b, now_us, head->ts) <= most)
        return false;
    const bool newest_too = delay_of(b, now_us, rmi_audio_slot(b, b->newest_seq)->ts) > most;
    return !(newest_too && rmi_delay_has_grown(&b->delay));
}

/* Drops what cannot or must not be played any more, and returns the first packet that can. */
static struct rmi_audio_slot *playable_head(struct rmi_audio_buffer *b, int64_t now_us) {
    struct rmi_audio_slot *head;
    while ((head = head_of(b)) != NULL) {
        const int64_t end = head->ts + head->duration;
        const bool overtaken = b->playing && end <= b->next_ts;
        /* A repair of what was filled in already would only lengthen the stream: what comes behind it is there. */
        const bool filled_in = b->playing && head->redundant && b->debt > 0 && end <= b->next_ts + b->debt;
        if (!overtaken && !filled_in && !is_hopeless(b, now_us, head))
            return head;
        if (b->playing && !overtaken) {
            b->debt = rmi_max64(b->debt - (end - b->next_ts), 0);
            b->next_ts = end;
        }
        const int64_t seq = head->seq;
        b->stats.skipped++;
        rmi_audio_drop(b, head, RMI_AUDIO_SLOT_MISSED);
        rmi_audio_pass(b, seq);
    }
    return NULL;
}

struct error {
    int64_t slack_us, step_us;
    int64_t us; /* > 0: that much delay can go; < 0: it has to grow */
};

/* Timestamp of the last packet that fills the chunk, if it begins with `head`. */
static int64_t last_needed_ts(const struct rmi_audio_buffer *b, int64_t store, const struct rmi_audio_slot *head) {
    const int64_t need = b->config.chunk_ticks - store;
    return head->ts + (need - 1) / head->duration * head->duration;
}

/* By how much this pull comes later in its cadence than the earliest of the last one or two seconds. */
static int64_t lateness_of_pull(struct rmi_audio_buffer *b, int64_t now_us, int64_t delay_us) {
    if (now_us - b->low_start_us >= LOW_SLICE_US) {
        b->low_us[1] = now_us - b->low_start_us < 2 * LOW_SLICE_US ? b->low_us[0] : INT64_MAX;
        b->low_us[0] = INT64_MAX;
        b->low_start_us = now_us;
    }
    b->low_us[0] = rmi_min64(b->low_us[0], delay_us);
    return delay_us - rmi_min64(b->low_us[0], b->low_us[1]);
}

/* Where the delay stands; see the top of this file. */
static struct error judge(struct rmi_audio_buffer *b, int64_t now_us, int64_t store,
                          const struct rmi_audio_slot *head) {
    const int64_t chunk = b->config.chunk_ticks, need = chunk - store;
    const int64_t last_ts = last_needed_ts(b, store, head), delay = delay_of(b, now_us, last_ts);
    struct error e = {.slack_us = delay - rmi_audio_wanted_us(b),
                      .step_us = rmi_audio_us(b, rmi_min64(head->duration, chunk))};
    /* A pull that is late must not take away what one on time needs. */
    const int64_t late = lateness_of_pull(b, now_us, delay), low = e.slack_us - late;
    if (b->drifting)
        e.us = delay_of(b, now_us, head->ts - store) - late - rmi_audio_wanted_us(b) - rmi_audio_us(b, chunk);
    else if (e.slack_us < 0) /* to the next step of the grid, clearly over its edge, and as many more as it takes */
        e.us = -rmi_audio_us(b, need - (last_ts - head->ts)) - KEEP_US - (-e.slack_us - 1) / e.step_us * e.step_us;
    else if (low >= e.step_us + HYSTERESIS_US)
        e.us = rmi_audio_us(b, store) + (low - HYSTERESIS_US) / e.step_us * e.step_us;
    else
        e.us = rmi_max64(rmi_audio_us(b, store) - KEEP_US, 0);
    return e;
}

static void note_drift(struct rmi_audio_buffer *b, double *ppm) {
    const bool known = rmi_drift_ppm(&b->drift, ppm);
    if (b->config.ignore_own_drift) {
        *ppm = 0;
        b->drifting = false;
        return;
    }
    b->drifting = known && fabs(*ppm) > (b->drifting ? NOT_DRIFTING_PPM : DRIFTING_PPM);
}

static int32_t stretch_for(struct rmi_audio_buffer *b, int64_t now_us, const struct error *e, uint32_t duration) {
    const bool grow = e->slack_us < 0 && e->us < 0;
    /* What is left over in the store goes by resampling, if that is to be had. */
    const bool shrink = e->us >= (b->config.ignore_own_drift ? e->step_us / 2 : e->step_us + HYSTERESIS_US);
    const int64_t unit = b->config.clock_rate / RMI_AUDIO_UNITS_PER_S;
    /* Of packets under 10 ms only some are changed, by one unit: no pitch period is shorter. */
    const int64_t least = rmi_min64(unit, duration / 2), most = rmi_max64(duration / STRETCH_SHARE, least);
    if ((!grow && !shrink) || now_us - b->stretched_us < rmi_audio_us(b, STRETCH_SHARE * unit))
        return 0;
    const int64_t ticks = rmi_min64(rmi_us_to_ticks(e->us < 0 ? -e->us : e->us, b->config.clock_rate), most);
    if (ticks == 0 || (ticks < least && !grow))
        return 0;
    b->stretched_us = now_us;
    if (grow)
        b->stats.grown_ticks += (uint64_t)ticks;
    else
        b->stats.shrunk_ticks += (uint64_t)ticks;
    return (int32_t)(grow ? ticks : -ticks);
}

static void steer(struct rmi_audio_buffer *b, int64_t now_us, int64_t store, const struct rmi_audio_slot *head,
                  struct rmi_audio_decision *out) {
    double ppm;
    note_drift(b, &ppm);
    const struct error e = judge(b, now_us, store, head);
    b->stats.delay_us = delay_of(b, now_us, head->ts - store);
    out->stretch_ticks = stretch_for(b, now_us, &e, head->duration);
    if (b->config.ignore_own_drift)
        return;
    const double trim = fmax(-TRIM_MAX_PPM, fmin(TRIM_MAX_PPM, (double)e.us * TRIM_PPM_PER_US));
    b->resample_ppm = fmax(-RMI_DRIFT_MAX_PPM, fmin(RMI_DRIFT_MAX_PPM, (b->drifting ? ppm : 0) + trim));
}

static void hand_over(const struct rmi_audio_slot *slot, int64_t now_us, struct rmi_audio_decision *out) {
    out->buf = slot->buf ? rmi_buf_ref(slot->buf) : NULL;
    out->offset = slot->offset;
    out->len = slot->len;
    out->duration = slot->duration;
    out->timestamp = (uint32_t)slot->ts;
    out->seq = (uint16_t)slot->seq;
    out->waited_us = now_us - slot->arrival_us;
}

static void play(struct rmi_audio_buffer *b, int64_t now_us, int64_t store, struct rmi_audio_slot *head,
                 struct rmi_audio_decision *out) {
    if (!b->ticked || b->tick_us != now_us)
        steer(b, now_us, store, head, out);
    b->ticked = true;
    b->tick_us = now_us;
    out->action = RMI_AUDIO_PLAY;
    hand_over(head, now_us, out);
    b->stats.played++;
    b->stats.played_ticks += head->duration;
    b->playing = true;
    b->starving = false;
    b->silence = head->dtx;
    b->next_ts = head->ts + head->duration;
    b->debt = 0;
    const int64_t seq = head->seq;
    rmi_audio_drop(b, head, RMI_AUDIO_SLOT_PLAYED);
    rmi_audio_pass(b, seq);
}

static void conceal(struct rmi_audio_buffer *b, int64_t ticks, bool comfort, struct rmi_audio_decision *out) {
    out->action = RMI_AUDIO_CONCEAL;
    out->duration = (uint32_t)ticks;
    out->comfort_noise = comfort;
    out->timestamp = (uint32_t)(b->next_ts + b->debt);
    b->debt += ticks;
    if (comfort)
        b->stats.comfort_ticks += (uint64_t)ticks;
    else
        b->stats.concealed_ticks += (uint64_t)ticks;
}

/* Ticks up to the end of the chunk, in whole units. */
static int64_t rest_of_chunk(const struct rmi_audio_buffer *b, int64_t store) {
    const int64_t unit = b->config.clock_rate / RMI_AUDIO_UNITS_PER_S;
    return (b->config.chunk_ticks - store + unit - 1) / unit * unit;
}

static void starve(struct rmi_audio_buffer *b, int64_t now_us, int64_t store, struct rmi_audio_decision *out) {
    if (!b->playing)
        return;
    if (now_us - b->last_arrival > GIVE_UP_US) {
        b->playing = false;
        return;
    }
    if (!b->starving && !b->silence)
        b->stats.starved++;
    b->starving = true;
    conceal(b, rest_of_chunk(b, store), b->silence, out);
    /* What is missing may still come, and be played as if no time had passed; then time must not go back. */
    if (!b->silence)
        out->timestamp = (uint32_t)b->next_ts;
}

/* Packets before `head` are missing, for `gap` ticks more. False: too little to fill. */
static bool repair(struct rmi_audio_buffer *b, int64_t now_us, int64_t store, struct rmi_audio_slot *head, int64_t gap,
                   struct rmi_audio_decision *out) {
    const int64_t unit = b->config.clock_rate / RMI_AUDIO_UNITS_PER_S;
    const bool has_copy = head->fec && !head->fec_used;
    const int64_t plain = (has_copy && gap > head->duration - unit) ? gap - head->duration : gap;
    if (plain < unit && plain != gap) {
        out->action = RMI_AUDIO_FEC;
        hand_over(head, now_us, out);
        out->timestamp = (uint32_t)(head->ts - head->duration);
        out->seq = (uint16_t)(head->seq - 1);
        head->fec_used = true;
        b->debt += head->duration;
        b->stats.fec_played++;
        b->stats.fec_ticks += head->duration;
        return true;
    }
    if (plain < unit)
        return false;
    conceal(b, rmi_min64(rest_of_chunk(b, store), plain / unit * unit), false, out);
    return true;
}

void rmi_audio_buffer_pull(struct rmi_audio_buffer *b, int64_t now_us, uint32_t store_ticks,
                           struct rmi_audio_decision *out) {
    memset(out, 0, sizeof *out);
    out->action = RMI_AUDIO_WAIT;
    out->resample_ppm = b->resample_ppm;
    const int64_t store = store_ticks;
    if (store >= b->config.chunk_ticks)
        return;
    struct rmi_audio_slot *head = playable_head(b, now_us);
    if (!head) {
        starve(b, now_us, store, out);
        out->resample_ppm = b->resample_ppm;
        return;
    }
    const bool early = delay_of(b, now_us, head->ts) < rmi_audio_wanted_us(b);
    if (!b->playing) {
        if (delay_of(b, now_us, last_needed_ts(b, store, head)) >= rmi_audio_wanted_us(b))
            play(b, now_us, store, head, out);
    } else {
        const int64_t gap = head->ts - b->next_ts - b->debt;
        const bool lost = head->seq != b->last_seq + 1;
        /* A gap the sender made (silence) may be as long as suits the delay. */
        if (gap > 0 && !lost && early)
            conceal(b, rest_of_chunk(b, store), true, out);
        else if (gap <= 0 || !lost || !repair(b, now_us, store, head, gap, out))
            play(b, now_us, store, head, out);
    }
    out->resample_ppm = b->resample_ppm;
}
