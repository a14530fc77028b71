/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_CC_SHARE_H
#define RMI_CC_SHARE_H

#include "base/list.h"
#include "cc/cc.h"

/* What the connections of one host have in common: its uplink. Their estimates know nothing of one another, so that in
 * a mesh they would probe all at once and split the uplink by chance. Here they take turns to probe, and those that are
 * seen to meet the same bottleneck (they have to slow down at the same time, again and again) share the sum of their
 * rates by weight (after RFC 8699's flow state exchange; RFC 8382 looks for shared bottlenecks by the same idea). */

struct rmi_cc_member {
    struct rmi_list node;
    struct rmi_cc_share *share;
    uint32_t uplink; /* members of one local interface */
    double weight;   /* > 0 */
    double floor_bps;
    int64_t joined_us;
    /* Called from within rmi_cc_share_update of any member. */
    void (*set_rate)(void *ctx, int64_t now_us, double bps);
    void *ctx;
    /* as last told */
    double rate_bps, most_bps;
    uint32_t reductions;
    bool told, app_limited;
    int64_t cut_us; /* 0: never */
    int together;   /* how often lately it was cut with most of the others, less how often alone */
    int64_t together_us;
    bool done; /* while rates are shared out */
};

struct rmi_cc_share {
    struct rmi_list members;
    const struct rmi_cc_member *prober;
    int64_t probe_until_us;
    int64_t shared_us; /* when rates were last shared out */
    int64_t judge_us;  /* when to see who was cut together; RMI_NEVER: nobody was */
};

void rmi_cc_share_init(struct rmi_cc_share *s);
/* The member's own fields up to ctx are set; the rest is zeroed. */
void rmi_cc_share_join(struct rmi_cc_share *s, struct rmi_cc_member *m);
void rmi_cc_share_leave(struct rmi_cc_member *m); /* harmless on one that has not joined */
/* What another one is to begin with when alone it would with `start_bps`: less while others have just begun. */
double rmi_cc_share_start_bps(const struct rmi_cc_share *s, int64_t now_us, double start_bps);
/* Whether it may probe now; then nobody else on its uplink may for hold_us. */
bool rmi_cc_share_may_probe(struct rmi_cc_member *m, int64_t now_us, int64_t hold_us);
/* When to ask again, after a refusal. */
int64_t rmi_cc_share_probe_deadline(const struct rmi_cc_member *m);
/* After each change: its rate, the most it has use for, and as in struct rmi_cc_status. May call set_rate of any. */
void rmi_cc_share_update(struct rmi_cc_member *m, int64_t now_us, double rate_bps, double most_bps, uint32_t reductions,
                         bool app_limited);
/* Whether it is taken to share a bottleneck with others. */
bool rmi_cc_share_is_shared(const struct rmi_cc_member *m, int64_t now_us);

#endif
