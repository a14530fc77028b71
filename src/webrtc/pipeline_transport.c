/* SPDX-License-Identifier: Apache-2.0 */
/* The pipeline transports there are: a runner, and a WebRTC transport, which has one of its own. */
#include <remotemedia/transport.h>

#include "webrtc/media_private.h"

static rm_err run(void *self, rm_manifest *manifest, const rm_transport_data *input, int timeout_ms,
                  rm_transport_data *output, char *detail, size_t detail_size) {
    return rm_pipeline_runner_execute_unary(self, manifest, input, timeout_ms, output, detail, detail_size);
}

static rm_err open_session(void *self, rm_manifest *manifest, const rm_stream_session_config *config,
                           rm_stream_session **out, char *detail, size_t detail_size) {
    return rm_pipeline_runner_create_stream_session(self, manifest, config, out, detail, detail_size);
}

rm_pipeline_transport rm_pipeline_runner_transport(rm_pipeline_runner *runner) {
    static const rm_pipeline_transport_ops ops = {.struct_size = sizeof ops, .execute = run, .stream = open_session};
    return (rm_pipeline_transport){.ops = &ops, .self = runner};
}

static rm_err webrtc_run(void *self, rm_manifest *manifest, const rm_transport_data *input, int timeout_ms,
                         rm_transport_data *output, char *detail, size_t detail_size) {
    rm_pipeline_runner *runner = NULL;
    rm_err err = self ? rm_pipeline_runner_create(NULL, &runner) : RM_E_INVALID_ARG;
    if (!err)
        err = run(runner, manifest, input, timeout_ms, output, detail, detail_size);
    rm_pipeline_runner_destroy(&runner); /* a session keeps what it needs */
    return err;
}

static rm_err webrtc_open_session(void *self, rm_manifest *manifest, const rm_stream_session_config *config,
                                  rm_stream_session **out, char *detail, size_t detail_size) {
    rm_pipeline_runner *runner = NULL;
    rm_err err = self ? rm_pipeline_runner_create(NULL, &runner) : RM_E_INVALID_ARG;
    if (!err)
        err = open_session(runner, manifest, config, out, detail, detail_size);
    rm_pipeline_runner_destroy(&runner);
    return err;
}

rm_pipeline_transport rm_webrtc_pipeline_transport(rm_webrtc *t) {
    static const rm_pipeline_transport_ops ops = {
        .struct_size = sizeof ops, .execute = webrtc_run, .stream = webrtc_open_session};
    return (rm_pipeline_transport){.ops = &ops, .self = t};
}
