/* SPDX-License-Identifier: Apache-2.0 */
#include "cc/share.h"
#include <math.h>

/* Queues that overflow are felt by all within a round trip and a feedback interval. */
#define TOGETHER_US RMI_MS(400)
#define TOGETHER_MOST 3
#define TOGETHER_AT 2           /* once is chance */
#define TOGETHER_SHARE 0.5      /* of those who might have noticed */
#define EVIDENCE_US RMI_SEC(30) /* without a new sign the bottleneck is taken to be gone */
#define SHARE_EVERY_US RMI_MS(200)
#define SHARE_STEP 0.1 /* of the difference: no jumps, so that a wrong verdict does little harm */
/* Nine connections that began with 1 Mbit/s each on an uplink of 2 lost all sound of their first second. */
#define START_US RMI_SEC(1)
#define START_LEAST_BPS 200e3 /* sound, and pictures of a kind; probes soon find more */
#define JUMP 1.1              /* more than growth between two updates: a probe */
#define SHARE_NOISE 0.01      /* less is not worth a change */

void rmi_cc_share_init(struct rmi_cc_share *s) {
    *s = (struct rmi_cc_share){.judge_us = RMI_NEVER};
    rmi_list_init(&s->members);
}

void rmi_cc_share_join(struct rmi_cc_share *s, struct rmi_cc_member *m) {
    m->share = s;
    rmi_list_push_back(&s->members, &m->node);
}

void rmi_cc_share_leave(struct rmi_cc_member *m) {
    if (!m->share)
        return;
    if (m->share->prober == m)
        m->share->prober = NULL;
    rmi_list_remove(&m->node);
    m->share = NULL;
}

/* ---- beginning ---- */

double rmi_cc_share_start_bps(const struct rmi_cc_share *s, int64_t now_us, double start_bps) {
    unsigned count = 1;
    for (const struct rmi_list *n = s->members.next; n != &s->members; n = n->next)
        count += now_us - RMI_CONTAINER_OF(n, struct rmi_cc_member, node)->joined_us < START_US;
    return fmax(start_bps / count, fmin(start_bps, START_LEAST_BPS));
}

/* ---- probes ---- */

static bool held_by_other(const struct rmi_cc_member *m) {
    const struct rmi_cc_member *p = m->share->prober;
    return p && p != m && p->uplink == m->uplink;
}

bool rmi_cc_share_may_probe(struct rmi_cc_member *m, int64_t now_us, int64_t hold_us) {
    if (!m->share)
        return true;
    if (held_by_other(m) && now_us < m->share->probe_until_us)
        return false;
    m->share->prober = m;
    m->share->probe_until_us = now_us + hold_us;
    return true;
}

int64_t rmi_cc_share_probe_deadline(const struct rmi_cc_member *m) {
    return m->share && held_by_other(m) ? m->share->probe_until_us : 0;
}

/* ---- who shares a bottleneck ---- */

bool rmi_cc_share_is_shared(const struct rmi_cc_member *m, int64_t now_us) {
    return m->together >= TOGETHER_AT && now_us - m->together_us < EVIDENCE_US;
}

static bool was_cut(const struct rmi_cc_member *m, int64_t since_us) {
    return m->cut_us != 0 && m->cut_us >= since_us;
}

/* Of one uplink: those that were cut since then, among those that send enough to notice. */
static void judge(struct rmi_cc_share *s, const struct rmi_cc_member *of, int64_t since_us, int64_t now_us) {
    unsigned cut = 0, all = 0;
    RMI_LIST_FOREACH (node, next, &s->members) {
        const struct rmi_cc_member *m = RMI_CONTAINER_OF(node, struct rmi_cc_member, node);
        if (m->uplink != of->uplink || !m->told)
            continue;
        cut += was_cut(m, since_us);
        all += was_cut(m, since_us) || !m->app_limited;
    }
    const bool together = cut > 1 && cut >= TOGETHER_SHARE * all;
    RMI_LIST_FOREACH (node, next, &s->members) {
        struct rmi_cc_member *m = RMI_CONTAINER_OF(node, struct rmi_cc_member, node);
        if (m->uplink != of->uplink || m->done || !was_cut(m, since_us))
            continue;
        m->done = true;
        m->together += together ? m->together < TOGETHER_MOST : -(m->together > 0);
        if (together)
            m->together_us = now_us;
    }
}

static void judge_all(struct rmi_cc_share *s, int64_t now_us) {
    const int64_t since_us = s->judge_us - 2 * TOGETHER_US;
    if (now_us < s->judge_us)
        return;
    s->judge_us = RMI_NEVER;
    RMI_LIST_FOREACH (node, next, &s->members)
        RMI_CONTAINER_OF(node, struct rmi_cc_member, node)->done = false;
    RMI_LIST_FOREACH (node, next, &s->members) {
        const struct rmi_cc_member *m = RMI_CONTAINER_OF(node, struct rmi_cc_member, node);
        if (!m->done && was_cut(m, since_us))
            judge(s, m, since_us, now_us);
    }
}

/* ---- what each gets ---- */

static bool takes_part(const struct rmi_cc_member *m, const struct rmi_cc_member *of, int64_t now_us) {
    return m->uplink == of->uplink && m->told && rmi_cc_share_is_shared(m, now_us);
}

/* The rate per weight at which the sum is used up, when nobody gets more than it has use for or less than its floor. */
static double level(const struct rmi_cc_share *s, const struct rmi_cc_member *of, int64_t now_us) {
    double low = 0, high = 0, sum = 0;
    const struct rmi_list *head = &s->members;
    for (const struct rmi_list *n = head->next; n != head; n = n->next) {
        const struct rmi_cc_member *m = RMI_CONTAINER_OF(n, struct rmi_cc_member, node);
        if (!takes_part(m, of, now_us))
            continue;
        sum += m->rate_bps;
        high = fmax(high, m->most_bps / m->weight);
    }
    for (int i = 0; i < 40; i++) { /* bisection: exact to a millionth of a bit */
        const double middle = (low + high) / 2;
        double used = 0;
        for (const struct rmi_list *n = head->next; n != head; n = n->next) {
            const struct rmi_cc_member *m = RMI_CONTAINER_OF(n, struct rmi_cc_member, node);
            if (takes_part(m, of, now_us))
                used += fmax(fmin(middle * m->weight, m->most_bps), m->floor_bps);
        }
        if (used > sum)
            high = middle;
        else
            low = middle;
    }
    return low;
}

static void share_out(struct rmi_cc_share *s, const struct rmi_cc_member *of, int64_t now_us) {
    const double per_weight = level(s, of, now_us);
    RMI_LIST_FOREACH (node, next, &s->members) {
        struct rmi_cc_member *m = RMI_CONTAINER_OF(node, struct rmi_cc_member, node);
        if (!takes_part(m, of, now_us))
            continue;
        const double fair = fmax(fmin(per_weight * m->weight, m->most_bps), m->floor_bps);
        const double step = SHARE_STEP * (fair - m->rate_bps);
        if (fabs(fair - m->rate_bps) < SHARE_NOISE * m->rate_bps)
            continue;
        m->rate_bps += step;
        m->set_rate(m->ctx, now_us, m->rate_bps);
    }
}

/* A probe of one finds the room that all have: when several begin together, each would take all of it. So a rate that
 * jumps goes no further than to the part of what the probe and the others' rates add up to. */
static void split_jump(struct rmi_cc_member *m, int64_t now_us, double from_bps) {
    double sum = m->rate_bps, weights = m->weight;
    if (!m->told || m->rate_bps <= JUMP * from_bps)
        return;
    RMI_LIST_FOREACH (node, next, &m->share->members) {
        const struct rmi_cc_member *other = RMI_CONTAINER_OF(node, struct rmi_cc_member, node);
        if (other == m || other->uplink != m->uplink || !other->told)
            continue;
        sum += other->rate_bps;
        weights += other->weight;
    }
    const double most = fmax(from_bps, sum * m->weight / weights);
    if (m->rate_bps <= most)
        return;
    m->rate_bps = most;
    m->set_rate(m->ctx, now_us, most);
}

void rmi_cc_share_update(struct rmi_cc_member *m, int64_t now_us, double rate_bps, double most_bps, uint32_t reductions,
                         bool app_limited) {
    struct rmi_cc_share *s = m->share;
    if (!s)
        return;
    if (m->told && reductions != m->reductions) {
        m->cut_us = now_us;
        s->judge_us = rmi_min64(s->judge_us, now_us + TOGETHER_US);
    }
    const double from_bps = m->rate_bps;
    m->rate_bps = rate_bps;
    split_jump(m, now_us, from_bps);
    m->told = true;
    m->reductions = reductions;
    m->most_bps = fmax(most_bps, m->floor_bps);
    m->app_limited = app_limited;
    judge_all(s, now_us);
    if (now_us - s->shared_us < SHARE_EVERY_US || !rmi_cc_share_is_shared(m, now_us))
        return;
    s->shared_us = now_us;
    share_out(s, m, now_us);
}
