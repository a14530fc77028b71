/* SPDX-License-Identifier: Apache-2.0 */
#include "mix.h"

#include "pipeline.h"
#include <stdio.h>
#include <string.h>

/* As examples/pipelines/mix.yaml. */
static const char manifest_text[] =
    "{\"version\":\"v1\",\"metadata\":{\"name\":\"mix\"},\"nodes\":[{\"id\":\"mix\",\"node_type\":\"AudioMixerNode\","
    "\"params\":{\"mode\":\"both\",\"chunk_ms\":10,\"sample_rate\":48000,\"channels\":1,\"clock\":\"arrival\","
    "\"max_ahead_ms\":200,\"levels\":true}}],\"connections\":[]}";

/* What answers somebody has that one's stream id. */
static void on_output(rm_webrtc_session *session, const char *output_id, const char *origin,
                      const rm_transport_data *output, void *user) {
    (void)session;
    (void)output_id;
    (void)origin;
    if (!rm_runtime_data_stream_id(output->data))
        sink_media("mix", output->data, user);
}

bool mix_open(rm_webrtc *t, const struct mix_config *config, rm_webrtc_session **out) {
    rm_webrtc_session_config c;
    char detail[RM_DETAIL_MAX] = "";
    rm_err err = RM_OK;
    rm_webrtc_session_config_init(&c);
    if (config->pipeline)
        c.manifest = pipeline_load(config->command, config->pipeline, config->loads, config->load_count, &c.registry);
    else
        err = rm_manifest_parse(manifest_text, sizeof manifest_text - 1, NULL, &c.manifest);
    c.session_id = "mix";
    c.policy = RM_ROUTING_UNICAST;
    c.listeners = true;
    c.take_video = config->pipeline != NULL; /* the one built in has no use for pictures */
    c.on_output = on_output;
    c.user = config->sink;
    if (c.manifest)
        err = rm_webrtc_create_session(t, &c, out, detail, sizeof detail);
    if (err)
        fprintf(stderr, "rmrtc %s: %s: %s\n", config->command, config->pipeline ? config->pipeline : "--mix",
                detail[0] ? detail : rm_strerror(err));
    const bool ok = c.manifest && !err;
    rm_manifest_unref(&c.manifest);
    rm_node_registry_destroy(&c.registry);
    return ok;
}
