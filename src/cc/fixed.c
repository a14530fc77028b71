/* SPDX-License-Identifier: Apache-2.0 */
/* A rate that nothing changes: for links whose rate is known, and to compare with. */
#include "cc/cc.h"
#include "cc/pacer.h"
#include <stdlib.h>

struct fixed {
    struct rmi_cc_limits limits;
    int64_t rtt_us;
    double loss;
};

static rm_err create(const struct rmi_cc_limits *limits, int64_t now_us, void **out) {
    (void)now_us;
    struct fixed *f = calloc(1, sizeof *f);
    if (!f)
        return RM_E_NO_MEMORY;
    f->limits = *limits;
    *out = f;
    return RM_OK;
}

static void set_limits(void *self, int64_t now_us, const struct rmi_cc_limits *limits) {
    (void)now_us;
    ((struct fixed *)self)->limits = *limits;
}

static void sent(void *self, int64_t now_us, uint32_t bytes) {
    (void)self, (void)now_us, (void)bytes;
}

static void feedback(void *self, int64_t now_us, struct rmi_cc_result *results, size_t count) {
    struct fixed *f = self;
    size_t lost = 0;
    for (size_t i = 0; i < count; i++) {
        if (results[i].arrived_us == RMI_CC_LOST)
            lost++;
        else
            f->rtt_us = now_us - results[i].sent_us;
    }
    f->loss = (double)lost / (double)count;
}

static void report(void *self, int64_t now_us, double fraction_lost, int64_t rtt_us) {
    struct fixed *f = self;
    (void)now_us;
    f->loss = fraction_lost;
    f->rtt_us = rtt_us ? rtt_us : f->rtt_us;
}

static void ignore_rate(void *self, int64_t now_us, double bps) {
    (void)self, (void)now_us, (void)bps;
}

static bool poll_probe(void *self, int64_t now_us, struct rmi_cc_probe *out) {
    (void)self, (void)now_us, (void)out;
    return false;
}

static int64_t next_deadline(const void *self, bool can_probe) {
    (void)self, (void)can_probe;
    return RMI_NEVER;
}

static void timeout(void *self, int64_t now_us) {
    (void)self, (void)now_us;
}

static void get(const void *self, struct rmi_cc_status *out) {
    const struct fixed *f = self;
    *out = (struct rmi_cc_status){.target_bps = f->limits.start_bps,
                                  .pacing_bps = f->limits.start_bps * RMI_PACER_FACTOR,
                                  .loss = f->loss,
                                  .rtt_us = f->rtt_us,
                                  .limited_by = RMI_CC_BY_MAX};
}

const struct rmi_cc_ops rmi_cc_fixed = {.name = "fixed",
                                        .create = create,
                                        .destroy = free,
                                        .set_limits = set_limits,
                                        .sent = sent,
                                        .feedback = feedback,
                                        .report = report,
                                        .remb = ignore_rate,
                                        .set_rate = ignore_rate,
                                        .poll_probe = poll_probe,
                                        .next_deadline = next_deadline,
                                        .timeout = timeout,
                                        .get = get};
