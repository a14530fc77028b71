/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RUNTIME_RUNNER_H
#define RMI_RUNTIME_RUNNER_H

#include "base/rng.h"
#include <remotemedia/runner.h>

/* rm_pipeline_runner_create with what the application need not care for. */
struct rmi_runner_config {
    rm_node_registry *registry; /* held by the runner */
    struct rmi_rng rng;         /* for session ids; called under a lock */
    uint32_t max_sessions;
};

rm_err rmi_runner_create(const struct rmi_runner_config *config, rm_pipeline_runner **out);

#endif
