/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REMOTEMEDIA_TRANSPORT_H
#define REMOTEMEDIA_TRANSPORT_H

#include <remotemedia/runner.h>
#include <remotemedia/webrtc.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What RemoteMedia calls a PipelineTransport: something that runs pipelines, whatever lies in between. An application
 * written against it does not care whether that is a runner in this process or a WebRTC transport. */
typedef struct rm_pipeline_transport_ops {
    uint32_t struct_size;
    /* One input, the first output; as rm_pipeline_runner_execute_unary. */
    rm_err (*execute)(void *self, rm_manifest *manifest, const rm_transport_data *input, int timeout_ms,
                      rm_transport_data *output, char *detail, size_t detail_size);
    /* A session; as rm_pipeline_runner_create_stream_session. */
    rm_err (*stream)(void *self, rm_manifest *manifest, const rm_stream_session_config *config, rm_stream_session **out,
                     char *detail, size_t detail_size);
} rm_pipeline_transport_ops;

/* A borrowed reference: valid as long as what it was got from. */
typedef struct rm_pipeline_transport {
    const rm_pipeline_transport_ops *ops;
    void *self;
} rm_pipeline_transport;

RM_API rm_pipeline_transport rm_pipeline_runner_transport(rm_pipeline_runner *runner);
/* Runs pipelines in this process, with the built-in nodes. What peers send is run by rm_webrtc_set_pipeline. */
RM_API rm_pipeline_transport rm_webrtc_pipeline_transport(rm_webrtc *t);

static inline rm_err rm_pipeline_transport_execute(rm_pipeline_transport t, rm_manifest *manifest,
                                                   const rm_transport_data *input, int timeout_ms,
                                                   rm_transport_data *output, char *detail, size_t detail_size) {
    return t.ops->execute(t.self, manifest, input, timeout_ms, output, detail, detail_size);
}
static inline rm_err rm_pipeline_transport_stream(rm_pipeline_transport t, rm_manifest *manifest,
                                                  const rm_stream_session_config *config, rm_stream_session **out,
                                                  char *detail, size_t detail_size) {
    return t.ops->stream(t.self, manifest, config, out, detail, detail_size);
}

#ifdef __cplusplus
}
#endif

#endif
