/* SPDX-License-Identifier: Apache-2.0 */
#include "cc/cc.h"

static bool valid(const struct rmi_cc_limits *l) {
    return l->min_bps > 0 && l->min_bps <= l->start_bps && l->start_bps <= l->max_bps;
}

rm_err rmi_cc_create(const struct rmi_cc_ops *ops, const struct rmi_cc_limits *limits, int64_t now_us,
                     struct rmi_cc *out) {
    if (!valid(limits))
        return RM_E_INVALID_ARG;
    out->ops = ops;
    return ops->create(limits, now_us, &out->self);
}

void rmi_cc_destroy(struct rmi_cc *cc) {
    if (cc->self)
        cc->ops->destroy(cc->self);
    cc->self = NULL;
}

void rmi_cc_set_limits(struct rmi_cc *cc, int64_t now_us, const struct rmi_cc_limits *limits) {
    if (valid(limits))
        cc->ops->set_limits(cc->self, now_us, limits);
}

void rmi_cc_sent(struct rmi_cc *cc, int64_t now_us, uint32_t bytes) {
    cc->ops->sent(cc->self, now_us, bytes);
}

void rmi_cc_feedback(struct rmi_cc *cc, int64_t now_us, struct rmi_cc_result *results, size_t count) {
    if (count > 0 && count <= RMI_CC_RESULTS_MAX)
        cc->ops->feedback(cc->self, now_us, results, count);
}

void rmi_cc_report(struct rmi_cc *cc, int64_t now_us, double fraction_lost, int64_t rtt_us) {
    cc->ops->report(cc->self, now_us, fraction_lost, rtt_us);
}

void rmi_cc_remb(struct rmi_cc *cc, int64_t now_us, double bps) {
    cc->ops->remb(cc->self, now_us, bps);
}

void rmi_cc_marked(struct rmi_cc *cc, int64_t now_us) {
    if (cc->ops->marked)
        cc->ops->marked(cc->self, now_us);
}

void rmi_cc_unmarked(struct rmi_cc *cc, int64_t now_us) {
    if (cc->ops->marked)
        cc->ops->unmarked(cc->self, now_us);
}

bool rmi_cc_answers_marks(const struct rmi_cc *cc) {
    return cc->ops->marked != NULL;
}

void rmi_cc_set_rate(struct rmi_cc *cc, int64_t now_us, double bps) {
    cc->ops->set_rate(cc->self, now_us, bps);
}

void rmi_cc_set_weight(struct rmi_cc *cc, double weight) {
    if (weight > 0 && cc->ops->set_weight)
        cc->ops->set_weight(cc->self, weight);
}

bool rmi_cc_poll_probe(struct rmi_cc *cc, int64_t now_us, struct rmi_cc_probe *out) {
    return cc->ops->poll_probe(cc->self, now_us, out);
}

int64_t rmi_cc_next_deadline(const struct rmi_cc *cc, bool can_probe) {
    return cc->ops->next_deadline(cc->self, can_probe);
}

void rmi_cc_timeout(struct rmi_cc *cc, int64_t now_us) {
    cc->ops->timeout(cc->self, now_us);
}

void rmi_cc_get(const struct rmi_cc *cc, struct rmi_cc_status *out) {
    cc->ops->get(cc->self, out);
}
