/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/governor.h"
#include "base/time.h"
#include "codec/video.h"

#define WEIGHT 8                /* pictures the average remembers */
#define HOLD_US RMI_SEC(1)      /* after a change, until the average is of the new setting */
#define CALM_US RMI_SEC(5)      /* low for so long before more quality is tried */
#define CALM_MAX_US RMI_SEC(60) /* doubled up to this each time the try failed: no oscillation */
#define MARGIN_PCT 80           /* of the budget: what the next step up is expected to take at most */
#define PCT 100

static const struct {
    struct rmi_governor_setting setting;
    int above_pct; /* what the step above costs, of this one: by measurement for speed, by area for size */
} steps[] = {
    {{.speed = 8, .scale_num = 1, .scale_den = 1}, 100}, {{.speed = 9, .scale_num = 1, .scale_den = 1}, 125},
    {{.speed = 9, .scale_num = 3, .scale_den = 4}, 178}, {{.speed = 9, .scale_num = 1, .scale_den = 2}, 225},
    {{.speed = 9, .scale_num = 1, .scale_den = 4}, 400},
};
#define STEPS ((int)(sizeof steps / sizeof *steps))

void rmi_governor_init(struct rmi_governor *g, int64_t budget_us, int64_t now_us) {
    *g = (struct rmi_governor){
        .budget_us = budget_us > 0 ? budget_us : RMI_GOVERNOR_BUDGET_US,
        .changed_us = now_us,
        .low_since_us = RMI_NEVER,
        .calm_us = CALM_US,
    };
}

static bool change(struct rmi_governor *g, int64_t now_us, int by) {
    g->step += by;
    g->stepped_up = by < 0;
    g->changed_us = now_us;
    g->low_since_us = RMI_NEVER;
    g->average_us = 0;
    return true;
}

static bool relieve(struct rmi_governor *g, int64_t now_us) {
    /* Back where it came from soon after a try: wait longer before the next. */
    if (g->stepped_up)
        g->calm_us = now_us - g->changed_us < g->calm_us ? rmi_min64(2 * g->calm_us, CALM_MAX_US) : CALM_US;
    return change(g, now_us, 1);
}

bool rmi_governor_input(struct rmi_governor *g, int64_t now_us, int64_t encode_us) {
    encode_us = rmi_min64(rmi_max64(encode_us, 1), RMI_SEC(1));
    g->average_us = g->average_us ? (g->average_us * (WEIGHT - 1) + encode_us) / WEIGHT : encode_us;
    bool low = g->average_us * steps[g->step].above_pct / PCT < g->budget_us * MARGIN_PCT / PCT;
    if (!low)
        g->low_since_us = RMI_NEVER;
    else if (g->low_since_us == RMI_NEVER)
        g->low_since_us = now_us;
    if (now_us - g->changed_us < HOLD_US)
        return false;
    if (g->average_us > g->budget_us && g->step + 1 < STEPS)
        return relieve(g, now_us);
    if (low && g->step > 0 && now_us - g->low_since_us >= g->calm_us)
        return change(g, now_us, -1);
    return false;
}

struct rmi_governor_setting rmi_governor_setting(const struct rmi_governor *g) {
    return steps[g->step].setting;
}

static int scaled(int side, const struct rmi_governor_setting *s) {
    int out = side * s->scale_num / s->scale_den & ~1;
    return out < RMI_VIDEO_SIDE_MIN ? RMI_VIDEO_SIDE_MIN : out;
}

void rmi_governor_scale(const struct rmi_governor *g, int width, int height, int *scaled_width, int *scaled_height) {
    const struct rmi_governor_setting *s = &steps[g->step].setting;
    bool full = s->scale_num == s->scale_den;
    *scaled_width = full ? width : scaled(width, s);
    *scaled_height = full ? height : scaled(height, s);
}
