/* SPDX-License-Identifier: Apache-2.0 */
/* The public runner: built-in nodes, a manifest from memory, one call and one stream; session ids are random UUIDs. */
#include "support/api.h"

#include <remotemedia/runner.h>
#include <string.h>

static const char text[] = "version: v1\n"
                           "metadata: {name: sum}\n"
                           "nodes: [{id: sum, node_type: CalculatorNode}, {id: pass, node_type: PassThrough}]\n"
                           "connections: [{from: sum, to: pass}]\n";
static const char request[] = "{\"operation\":\"add\",\"operands\":[10,20]}";

static void check_config(void) {
    rm_pipeline_runner *runner = NULL;
    rm_pipeline_runner_config c;
    rm_pipeline_runner_config_init(&c);
    RMT_REQUIRE(rm_pipeline_runner_create(NULL, NULL) == RM_E_INVALID_ARG);
    c.max_sessions = 0;
    RMT_REQUIRE(rm_pipeline_runner_create(&c, &runner) == RM_E_CONFIG);
    c.max_sessions = 100001;
    RMT_REQUIRE(rm_pipeline_runner_create(&c, &runner) == RM_E_CONFIG);
    c.max_sessions = 1;
    c.struct_size--;
    RMT_REQUIRE(rm_pipeline_runner_create(&c, &runner) == RM_E_CONFIG);
    RMT_REQUIRE(runner == NULL);
}

int main(void) {
    rm_pipeline_runner *runner = NULL;
    rm_manifest *manifest = NULL;
    rm_stream_session *a = NULL, *b = NULL;
    rm_transport_data in = {.sequence = 7, .has_sequence = true}, out = {0};
    rm_manifest_options o;
    char detail[RM_RUN_DETAIL_MAX];
    check_config();
    rm_manifest_options_init(&o);
    o.format = RM_MANIFEST_YAML;
    RMT_REQUIRE(rm_manifest_parse(text, strlen(text), &o, &manifest) == RM_OK);
    RMT_REQUIRE(rm_pipeline_runner_create(NULL, &runner) == RM_OK);
    RMT_REQUIRE(rm_runtime_data_create_json(request, strlen(request), &in.data) == RM_OK);

    RMT_REQUIRE(rm_pipeline_runner_execute_unary(runner, manifest, &in, 10000, &out, detail, sizeof detail) == RM_OK);
    RMT_REQUIRE(strstr(rm_runtime_data_json(out.data), "\"result\":30.0"));
    RMT_REQUIRE(out.has_sequence && out.sequence == 7);
    rm_transport_data_clear(&out);

    RMT_REQUIRE(rm_pipeline_runner_create_stream_session(runner, manifest, NULL, &a, NULL, 0) == RM_OK);
    RMT_REQUIRE(rm_pipeline_runner_create_stream_session(runner, manifest, NULL, &b, NULL, 0) == RM_OK);
    RMT_REQUIRE(strlen(rm_stream_session_id(a)) == RM_SESSION_ID_MAX - 1);
    RMT_REQUIRE(strcmp(rm_stream_session_id(a), rm_stream_session_id(b)) != 0);
    for (uint64_t i = 0; i < 100; i++) {
        in.sequence = i;
        RMT_REQUIRE(rm_stream_session_send_input(i % 2 ? a : b, &in) == RM_OK);
        RMT_REQUIRE(rm_stream_session_recv_output(i % 2 ? a : b, &out, 10000) == RM_OK);
        RMT_REQUIRE(out.sequence == i);
        rm_transport_data_clear(&out);
    }
    rm_transport_data_clear(&in);
    rm_pipeline_runner_destroy(&runner);
    rm_manifest_unref(&manifest);
    rm_stream_session_destroy(&a);
    rm_stream_session_destroy(&b);
    return 0;
}
