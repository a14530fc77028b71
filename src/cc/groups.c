/* SPDX-License-Identifier: Apache-2.0 */
#include "cc/groups.h"
#include "base/time.h"

#define GROUP_US RMI_MS(5)
/* A queue that empties at once (Wi-Fi aggregates frames) delivers several groups in a burst: one group. */
#define BURST_GAP_US RMI_MS(5)
#define BURST_MOST_US RMI_MS(100)
#define CLOCK_JUMP_US RMI_SEC(3)
#define BACKWARDS_MAX 3

static bool in_burst(const struct rmi_cc_group *g, int64_t sent_us, int64_t arrived_us) {
    const int64_t sent = sent_us - g->sent_us, arrived = arrived_us - g->arrived_us;
    if (sent == 0)
        return true;
    return arrived - sent < 0 && arrived <= BURST_GAP_US && arrived_us - g->first_arrived_us < BURST_MOST_US;
}

/* The difference of the two groups that are complete. False: they cannot be compared. */
static bool compare(struct rmi_cc_groups *g, struct rmi_cc_delta *out) {
    const int64_t told = g->now.told_us - g->before.told_us;
    *out = (struct rmi_cc_delta){.sent_us = g->now.sent_us - g->before.sent_us,
                                 .arrived_us = g->now.arrived_us - g->before.arrived_us};
    if (out->arrived_us - told >= CLOCK_JUMP_US) { /* the remote's clock was set */
        *g = (struct rmi_cc_groups){0};
        return false;
    }
    if (out->arrived_us >= 0) {
        g->backwards = 0;
        return true;
    }
    if (++g->backwards >= BACKWARDS_MAX)
        *g = (struct rmi_cc_groups){0};
    return false;
}

bool rmi_cc_groups_input(struct rmi_cc_groups *g, int64_t sent_us, int64_t arrived_us, int64_t now_us,
                         struct rmi_cc_delta *out) {
    const struct rmi_cc_group fresh = {.any = true,
                                       .first_sent_us = sent_us,
                                       .sent_us = sent_us,
                                       .first_arrived_us = arrived_us,
                                       .arrived_us = arrived_us,
                                       .told_us = now_us};
    if (!g->now.any) {
        g->now = fresh;
        return false;
    }
    if (sent_us < g->now.first_sent_us)
        return false; /* overtaken */
    if (sent_us - g->now.first_sent_us <= GROUP_US || in_burst(&g->now, sent_us, arrived_us)) {
        g->now.sent_us = rmi_max64(g->now.sent_us, sent_us);
        g->now.arrived_us = arrived_us;
        g->now.told_us = now_us;
        return false;
    }
    const bool comparable = g->before.any && compare(g, out);
    if (g->now.any) /* not after a reset */
        g->before = g->now;
    g->now = fresh;
    return comparable;
}
