/* SPDX-License-Identifier: Apache-2.0 */
#include "cc/probe_rate.h"

#define ENOUGH 0.8 /* of packets, and of bytes */
#define SPAN_MAX_US RMI_SEC(1)
#define RATIO_MAX 2.0 /* received faster than sent: they waited for something else on the way */
#define SATURATED 0.9 /* received slower than this part of the sent rate: it is the capacity, and */
#define HEADROOM 0.95 /* this part of it is used */
#define BITS_US 8e6

void rmi_cc_probe_rate_begin(struct rmi_cc_probe_rate *r, const struct rmi_cc_probe *probe) {
    r->cluster[r->next] =
        (struct rmi_cc_cluster){.id = probe->cluster, .bytes_wanted = probe->bytes, .packets_wanted = probe->packets};
    r->next = (r->next + 1) % RMI_CC_CLUSTERS;
}

static struct rmi_cc_cluster *find(struct rmi_cc_probe_rate *r, uint32_t id) {
    for (unsigned i = 0; i < RMI_CC_CLUSTERS; i++)
        if (r->cluster[i].id == id)
            return &r->cluster[i];
    return NULL;
}

static void add(struct rmi_cc_cluster *c, const struct rmi_cc_result *p) {
    if (c->packets == 0 || p->sent_us < c->first_sent_us)
        c->first_sent_us = p->sent_us;
    if (c->packets == 0 || p->sent_us > c->last_sent_us) {
        c->last_sent_us = p->sent_us;
        c->last_bytes = p->bytes;
    }
    if (c->packets == 0 || p->arrived_us < c->first_arrived_us) {
        c->first_arrived_us = p->arrived_us;
        c->first_bytes = p->bytes;
    }
    if (c->packets == 0 || p->arrived_us > c->last_arrived_us)
        c->last_arrived_us = p->arrived_us;
    c->packets++;
    c->bytes += p->bytes;
}

double rmi_cc_probe_rate_input(struct rmi_cc_probe_rate *r, const struct rmi_cc_result *packet) {
    struct rmi_cc_cluster *c = packet->cluster == RMI_CC_NO_PROBE ? NULL : find(r, packet->cluster);
    if (!c || packet->arrived_us == RMI_CC_LOST)
        return 0;
    add(c, packet);
    if (c->packets < ENOUGH * c->packets_wanted || (double)c->bytes < ENOUGH * (double)c->bytes_wanted)
        return 0;
    const int64_t sent = c->last_sent_us - c->first_sent_us, arrived = c->last_arrived_us - c->first_arrived_us;
    if (sent <= 0 || sent > SPAN_MAX_US || arrived <= 0 || arrived > SPAN_MAX_US)
        return 0;
    /* Between n packets lie n - 1 intervals: the last one sent and the first one to arrive do not count. */
    const double sent_bps = (double)(c->bytes - c->last_bytes) * BITS_US / (double)sent;
    const double arrived_bps = (double)(c->bytes - c->first_bytes) * BITS_US / (double)arrived;
    if (arrived_bps > RATIO_MAX * sent_bps)
        return 0;
    if (arrived_bps < SATURATED * sent_bps)
        return HEADROOM * arrived_bps;
    return arrived_bps < sent_bps ? arrived_bps : sent_bps;
}
