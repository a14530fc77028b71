/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/runner.h"
#include "io/random.h"

#define SESSIONS_MAX 100000

/* The runner is pure but for its threads; what it needs of the system is given to it here. */
rm_err rm_pipeline_runner_create(const rm_pipeline_runner_config *config, rm_pipeline_runner **out) {
    rm_pipeline_runner_config c;
    rm_pipeline_runner_config_init(&c);
    if (!out)
        return RM_E_INVALID_ARG;
    if (config) {
        if (config->struct_size != sizeof *config || config->max_sessions < 1 || config->max_sessions > SESSIONS_MAX)
            return RM_E_CONFIG;
        c = *config;
    }
    struct rmi_runner_config rc = {.registry = c.registry, .rng = rmi_system_rng(), .max_sessions = c.max_sessions};
    rm_node_registry *builtin = NULL;
    if (!rc.registry) {
        rm_err err = rm_node_registry_create(&builtin);
        if (err)
            return err;
        rc.registry = builtin;
    }
    rm_err err = rmi_runner_create(&rc, out);
    rm_node_registry_destroy(&builtin);
    return err;
}
