/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RUNTIME_RUNNER_H
#define RMI_RUNTIME_RUNNER_H

#include "base/rng.h"
#include <pthread.h>
#include <remotemedia/runner.h>

/* rm_pipeline_runner_create with what the application need not care for. */
struct rmi_runner_config {
    rm_node_registry *registry; /* held by the runner */
    struct rmi_rng rng;         /* for session ids; called under a lock */
    uint32_t max_sessions;
};

rm_err rmi_runner_create(const struct rmi_runner_config *config, rm_pipeline_runner **out);
/* One more hold, given up by rm_pipeline_runner_destroy; returns runner. */
rm_pipeline_runner *rmi_runner_ref(rm_pipeline_runner *runner);
/* Of the runner, as long as it lives. */
rm_node_registry *rmi_runner_registry(const rm_pipeline_runner *runner);

/* Keeps the memory of a session that is destroyed meanwhile: what is sent to it is refused then. */
void rmi_session_ref(rm_stream_session *s);
void rmi_session_unref(rm_stream_session *s);

/* rm_pipeline_runner_execute_unary that another thread can end. All zero but the mutex to begin with. */
struct rmi_unary {
    pthread_mutex_t mutex;
    rm_stream_session *session; /* that runs */
    bool cancelled;
};
/* RM_E_CLOSED: cancelled. */
rm_err rmi_runner_execute(rm_pipeline_runner *runner, rm_manifest *manifest, const rm_transport_data *input,
                          int timeout_ms, rm_transport_data *output, char *detail, size_t detail_size,
                          struct rmi_unary *unary);
void rmi_unary_cancel(struct rmi_unary *unary);

#endif
