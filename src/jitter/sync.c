/* SPDX-License-Identifier: Apache-2.0 */
#include "jitter/sync.h"
#include "base/time.h"
#include "jitter/drift.h"
#include "jitter/order.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A report this far from what the earlier ones foretell does not belong to them (a stepped clock, or nonsense).
 * Senders' reports scatter by a few milliseconds, video by up to a frame. */
#define ODD_US RMI_MS(60)
/* Odd reports that agree with each other for so long win: five of them are 20 s of a stream that began a new clock. */
#define ODD_ENOUGH 5
/* Both streams stepped by the same: the sender's clock was set, two reports of each tell. */
#define ODD_TOGETHER 2
/* The line's slope is used when reports span so much; before, the nominal clock rate. */
#define SLOPE_SPAN_US RMI_SEC(20)
#define SLOPE_MAX_PPM 1000.0
/* Streams of one call cannot be so far apart; one of the clocks is wrong. */
#define ABSURD_US RMI_SEC(5)
/* Held-back delays move slowly, so that a stretcher can follow, and not at all for less than anyone can notice. */
#define SLEW_US_PER_S RMI_MS(100)
#define DEAD_ZONE_US RMI_MS(3)
#define SYNCED_US RMI_MS(20)

void rmi_av_sync_init(struct rmi_av_sync *s, uint32_t audio_clock_rate, uint32_t video_clock_rate) {
    memset(s, 0, sizeof *s);
    s->source[RMI_AV_AUDIO].clock_rate = audio_clock_rate;
    s->source[RMI_AV_VIDEO].clock_rate = video_clock_rate;
}

void rmi_av_sync_restart(struct rmi_av_sync *s, enum rmi_av_kind kind) {
    const uint32_t rate = s->source[kind].clock_rate;
    s->source[kind] = (struct rmi_av_source){.clock_rate = rate};
}

/* NTP times a - b; right across 2036, where the 32 bits of seconds wrap, and for any epoch a sender chose. */
static int64_t ntp_diff_us(uint64_t a, uint64_t b) {
    const uint64_t diff = a - b;
    const bool negative = diff >> 63;
    const uint64_t size = negative ? 0 - diff : diff;
    const int64_t us = (int64_t)((size >> 32) * (uint64_t)RMI_SEC(1) + (((size & UINT32_MAX) * 1000000U) >> 32));
    return negative ? -us : us;
}

/* Capture time of `ts` by the sender's clock, relative to `ntp`. */
static int64_t capture_us(const struct rmi_av_source *src, int64_t ts, uint64_t ntp) {
    const struct rmi_av_report *newest = &src->reports[src->count - 1];
    const int64_t since = rmi_ticks_to_us(ts - newest->ts, src->clock_rate);
    return ntp_diff_us(newest->ntp, ntp) + src->offset_us + since + (int64_t)((double)since * src->ppm / 1e6);
}

/* Fits a line through the reports: what the sender's clock shows beyond the nominal time of the media clock. */
static void fit(struct rmi_av_source *src) {
    struct rmi_drift_point points[RMI_AV_SYNC_REPORTS];
    const struct rmi_av_report *newest = &src->reports[src->count - 1];
    double slope = 0, offset = 0, error;
    for (size_t i = 0; i < src->count; i++) {
        const int64_t x = rmi_ticks_to_us(src->reports[i].ts - newest->ts, src->clock_rate);
        points[i].x = (double)x / 1e6;
        points[i].y = (double)(ntp_diff_us(src->reports[i].ntp, newest->ntp) - x);
    }
    const bool long_enough = rmi_ticks_to_us(newest->ts - src->reports[0].ts, src->clock_rate) >= SLOPE_SPAN_US;
    if (!long_enough || !rmi_fit_line(points, src->count, &slope, &offset, &error)) {
        slope = offset = 0;
        for (size_t i = 0; i < src->count; i++)
            offset += points[i].y / (double)src->count;
    }
    src->ppm = fmax(-SLOPE_MAX_PPM, fmin(SLOPE_MAX_PPM, slope));
    src->offset_us = (int64_t)offset;
}

static void add(struct rmi_av_source *src, const struct rmi_av_report *r) {
    if (src->count == RMI_AV_SYNC_REPORTS) {
        memmove(src->reports, src->reports + 1, (RMI_AV_SYNC_REPORTS - 1) * sizeof *r);
        src->count--;
    }
    src->reports[src->count++] = *r;
    fit(src);
}

static void start_over(struct rmi_av_sync *s, struct rmi_av_source *src) {
    src->count = 0;
    src->odd_count = 0;
    add(src, &src->odd);
    s->steps++;
}

/* A report that is off by `step`: kept aside until it is clear what to make of it. */
static void note_odd(struct rmi_av_sync *s, struct rmi_av_source *src, const struct rmi_av_report *r, int64_t step) {
    const bool agrees = src->odd_count > 0 && llabs(step - src->odd_step_us) <= ODD_US;
    src->odd_count = agrees ? src->odd_count + 1 : 1;
    src->odd_step_us = step;
    src->odd = *r;
    s->ignored++;
    struct rmi_av_source *a = &s->source[RMI_AV_AUDIO], *v = &s->source[RMI_AV_VIDEO];
    if (a->odd_count >= ODD_TOGETHER && v->odd_count >= ODD_TOGETHER &&
        llabs(a->odd_step_us - v->odd_step_us) <= ODD_US) {
        start_over(s, a);
        start_over(s, v);
    } else if (src->odd_count >= ODD_ENOUGH) {
        start_over(s, src);
    }
}

void rmi_av_sync_report(struct rmi_av_sync *s, enum rmi_av_kind kind, uint64_t ntp, uint32_t timestamp) {
    struct rmi_av_source *src = &s->source[kind];
    if (ntp == 0) { /* RFC 3550 6.4.1: the sender has no clock */
        s->ignored++;
        return;
    }
    const int64_t near = src->count ? src->reports[src->count - 1].ts : (int64_t)1 << 32;
    struct rmi_av_report r = {.ntp = ntp, .ts = rmi_unwrap32(near, timestamp)};
    if (src->count == 0) {
        add(src, &r);
        return;
    }
    const struct rmi_av_report *newest = &src->reports[src->count - 1];
    const int64_t step = -capture_us(src, r.ts, r.ntp);
    if (step > ODD_US || step < -ODD_US) {
        note_odd(s, src, &r, step);
        return;
    }
    src->odd_count = 0;
    if (r.ts == newest->ts || ntp_diff_us(r.ntp, newest->ntp) <= 0) /* a copy, or overtaken */
        return;
    add(src, &r);
}

static int64_t approach(int64_t from, int64_t to, int64_t step) {
    if (to > from)
        return rmi_min64(to, from + step);
    return rmi_max64(to, from - step);
}

/* How much later than the sound's the picture's delay-free playout is, for samples captured at the same moment. */
static int64_t offset_between(const struct rmi_av_sync *s, const struct rmi_av_timing *a,
                              const struct rmi_av_timing *v) {
    const struct rmi_av_source *as = &s->source[RMI_AV_AUDIO], *vs = &s->source[RMI_AV_VIDEO];
    const uint64_t epoch = as->reports[as->count - 1].ntp;
    const int64_t ats = rmi_unwrap32(as->reports[as->count - 1].ts, a->timestamp);
    const int64_t vts = rmi_unwrap32(vs->reports[vs->count - 1].ts, v->timestamp);
    return (v->earliest_us - capture_us(vs, vts, epoch)) - (a->earliest_us - capture_us(as, ats, epoch));
}

static void move(struct rmi_av_sync *s, enum rmi_av_kind kind, int64_t goal, int64_t own, int64_t most) {
    /* Up from what the stream does by itself: the first steps would have no effect otherwise. */
    const int64_t from = rmi_max64(s->delay_us[kind], own);
    if (goal <= own && s->delay_us[kind] <= own)
        s->delay_us[kind] = 0;
    else if (llabs(goal - from) > DEAD_ZONE_US)
        s->delay_us[kind] = approach(from, goal, most);
}

struct rmi_av_result rmi_av_sync_update(struct rmi_av_sync *s, int64_t now_us, const struct rmi_av_timing *audio,
                                        const struct rmi_av_timing *video) {
    struct rmi_av_result out = {.state = RMI_AV_UNSYNCED};
    const int64_t passed = s->updated ? rmi_min64(rmi_max64(now_us - s->updated_us, 0), RMI_SEC(1)) : 0;
    const int64_t most = passed * SLEW_US_PER_S / RMI_SEC(1);
    s->updated = true;
    s->updated_us = now_us;
    const bool known = audio->valid && video->valid && s->source[RMI_AV_AUDIO].count && s->source[RMI_AV_VIDEO].count;
    const int64_t offset = known ? offset_between(s, audio, video) : 0;
    if (known && llabs(offset) < ABSURD_US) {
        /* The earlier one waits for the later, as far as the tolerance goes. */
        const int64_t sound = audio->own_delay_us, picture = offset + video->own_delay_us;
        const int64_t sound_at = rmi_max64(sound, picture - s->tolerance_us);
        const int64_t picture_at = rmi_max64(picture, sound - s->tolerance_us);
        move(s, RMI_AV_AUDIO, rmi_min64(sound_at, RMI_AV_SYNC_MAX_US), audio->own_delay_us, most);
        move(s, RMI_AV_VIDEO, rmi_min64(picture_at - offset, RMI_AV_SYNC_MAX_US), video->own_delay_us, most);
        out.skew_us = offset + video->delay_us - audio->delay_us;
        out.state = llabs(out.skew_us) <= s->tolerance_us + SYNCED_US ? RMI_AV_SYNCED : RMI_AV_SYNCING;
    }
    memcpy(out.delay_us, s->delay_us, sizeof out.delay_us);
    return out;
}
