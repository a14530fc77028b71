/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/manifest_testkit.h"
#include "runtime/registry.h"
#include <stdio.h>
#include <stdlib.h>

static rm_err never(void *state, rm_node_context *context, rm_runtime_data *input) {
    (void)state, (void)context, (void)input;
    return RM_E_INTERNAL;
}

static const rm_node_param params[] = {
    {.name = "chunk_size", .type = RM_PARAM_INT, .default_json = "512", .min = 1, .max = 65536, .summary = "samples"},
    {.name = "target_rate", .type = RM_PARAM_INT, .min = 8000, .max = 192000, .choices = "auto", .summary = "Hz"},
    {.name = "direction", .type = RM_PARAM_STRING, .default_json = "\"up\"", .choices = "up|down", .summary = "way"},
    {.name = "must", .type = RM_PARAM_BOOL, .required = true, .summary = "has to be said"},
};
static const rm_node_class full = {.abi_version = RM_NODE_ABI_VERSION,
                                   .struct_size = sizeof full,
                                   .name = "FullNode",
                                   .summary = "s",
                                   .params = params,
                                   .param_count = 4,
                                   .process = never};
static const rm_node_class plain = {.abi_version = RM_NODE_ABI_VERSION,
                                    .struct_size = sizeof plain,
                                    .name = "PlainNode",
                                    .summary = "s",
                                    .process = never};

static rm_node_registry *make_registry(void) {
    rm_node_registry *r = NULL;
    assert_int_equal(rmi_registry_create(&r), RM_OK);
    assert_int_equal(rm_node_registry_add(r, &full, NULL, 0), RM_OK);
    assert_int_equal(rm_node_registry_add(r, &plain, NULL, 0), RM_OK);
    return r;
}

/* Parses and compares the fault lines, all of them, as they stand. */
static void expect(const char *text, rm_manifest_format format, rm_err err, const char *lines) {
    rm_node_registry *r = make_registry();
    struct rmi_sbuf faults = {0};
    rm_manifest *m = NULL;
    rm_err got = rmt_parse(text, format, r, &faults, &m);
    assert_string_equal(rmi_sbuf_text(&faults), lines);
    assert_int_equal(got, err);
    assert_true((m != NULL) == (err == RM_OK));
    rm_manifest_unref(&m);
    rmi_sbuf_fini(&faults);
    rm_node_registry_destroy(&r);
}

#define HEAD_JSON "{\"version\":\"v1\",\"metadata\":{\"name\":\"n\"},"

static void test_json_and_yaml_say_the_same(void **state) {
    (void)state;
    static const char json[] =
        HEAD_JSON "\"nodes\":[{\"id\":\"a\",\"node_type\":\"PlainNode\"},"
                  "{\"id\":\"b\",\"node_type\":\"FullNode\",\"params\":{\"must\":true}},"
                  "{\"id\":\"c\",\"node_type\":\"PlainNode\",\"params\":null}],"
                  "\"connections\":[{\"from\":\"a\",\"to\":\"b\"},{\"from\":\"a\",\"to\":\"c\"}]}";
    static const char yaml[] = "# a comment\n"
                               "version: v1\n"
                               "metadata: {name: n}\n"
                               "nodes:\n"
                               "  - id: a\n"
                               "    node_type: PlainNode\n"
                               "  - {id: b, node_type: FullNode, params: {must: true}}\n"
                               "  - id: \"c\"\n"
                               "    node_type: PlainNode\n"
                               "    params:\n"
                               "connections:\n"
                               "  - {from: a, to: b}\n"
                               "  - from: a\n"
                               "    to: c\n";
    const char *const texts[] = {json, yaml};
    for (size_t i = 0; i < 2; i++) {
        rm_node_registry *r = make_registry();
        struct rmi_sbuf faults = {0};
        rm_manifest *m = NULL;
        rm_manifest_node n;
        size_t from, to;
        assert_int_equal(rmt_parse(texts[i], i ? RM_MANIFEST_YAML : RM_MANIFEST_JSON, r, &faults, &m), RM_OK);
        assert_int_equal(faults.len, 0);
        assert_string_equal(rm_manifest_name(m), "n");
        assert_string_equal(rm_manifest_description(m), "");
        assert_int_equal(rm_manifest_node_count(m), 3);
        assert_int_equal(rm_manifest_get_node(m, 1, &n), RM_OK);
        assert_string_equal(n.id, "b");
        assert_string_equal(n.node_type, "FullNode");
        assert_false(n.is_source);
        assert_true(n.is_sink);
        assert_int_equal(rm_manifest_get_node(m, 0, &n), RM_OK);
        assert_true(n.is_source);
        assert_false(n.is_sink);
        assert_int_equal(rm_manifest_get_node(m, 3, &n), RM_E_NOT_FOUND);
        assert_int_equal(rm_manifest_connection_count(m), 2);
        assert_int_equal(rm_manifest_get_connection(m, 1, &from, &to), RM_OK);
        assert_int_equal(from, 0);
        assert_int_equal(to, 2);
        rm_manifest *second = rm_manifest_ref(m);
        rm_manifest_unref(&m);
        assert_null(m);
        assert_string_equal(rm_manifest_name(second), "n");
        rm_manifest_unref(&second);
        rm_node_registry_destroy(&r);
    }
}

static void test_all_faults_at_once(void **state) {
    (void)state;
    expect("version: v2\n"
           "metadata: []\n"
           "nodes:\n"
           "  - {id: mic, node_type: PlainNod}\n"
           "  - {id: mic, type: FullNode}\n"
           "  - id: c\n"
           "    node_type: FullNode\n"
           "    params:\n"
           "      chunkSize: 70000\n"
           "      targetRate: outo\n"
           "      direction: don\n"
           "      chunk_sise: 5\n"
           "    is_streaming: maybe\n"
           "connections:\n"
           "  - {from: mik, to: c}\n"
           "  - {from: mic}\n",
           RM_MANIFEST_YAML, RM_E_CONFIG,
           "m:1:10: version: unsupported manifest version \"v2\"; write \"v1\"\n"
           "m:2:11: metadata: must be an object, is a list\n"
           "m:4:26: nodes[0].node_type: unknown node type \"PlainNod\", did you mean \"PlainNode\"?\n"
           "m:5:5: nodes[1].node_type: missing; did you mean \"type\" to be \"node_type\"?\n"
           "m:5:10: nodes[1].id: duplicate node id \"mic\", first used in line 4\n"
           "m:9:7: nodes[2].params.must: missing parameter \"must\": has to be said\n"
           "m:9:18: nodes[2].params.chunkSize: must be a whole number from 1 to 65536, is 70000\n"
           "m:10:19: nodes[2].params.targetRate: must be a whole number from 8000 to 192000 or auto, is \"outo\"; did "
           "you mean \"auto\"?\n"
           "m:11:18: nodes[2].params.direction: must be up or down, is \"don\"; did you mean \"down\"?\n"
           "m:12:19: warning: nodes[2].params.chunk_sise: FullNode has no such parameter, ignored; did you mean "
           "\"chunk_size\"?\n"
           "m:13:19: nodes[2].is_streaming: must be true or false, is a text\n"
           "m:15:12: connections[0].from: there is no node \"mik\", did you mean \"mic\"?\n"
           "m:16:5: connections[1].to: missing\n");
}

static void test_places_in_json(void **state) {
    (void)state;
    expect("{\n"
           "  \"version\": \"v1\",\n"
           "  \"metadata\": {\"name\": \"\\u00fc\\\"x\", \"description\": \"\xc3\xbc\"}, \"nodes\": 5,\n"
           "  \"connections\": [ {\"from\":1, \"to\": \"a\\\\\" } ]\n"
           "}",
           RM_MANIFEST_JSON, RM_E_CONFIG,
           "m:3:67: nodes: must be a list, is a number\n"
           "m:4:28: connections[0].from: must be a text, is a number\n"
           "m:4:37: connections[0].to: there is no node \"a\\\"\n");
}

static void test_version(void **state) {
    (void)state;
    static const char tail[] =
        ",\"metadata\":{},\"nodes\":[{\"id\":\"a\",\"node_type\":\"PlainNode\"}],\"connections\":[]}";
    static const char warning[] = "m:1:12: warning: version: 1.0 is read as \"v1\"; please write \"v1\"\n";
    static const struct {
        const char *version, *lines;
        rm_err err;
    } rows[] = {
        {"\"v1\"", "", RM_OK},
        {"\"1.0\"", warning, RM_OK},
        {"1.0", warning, RM_OK},
        {"1", warning, RM_OK},
        {"\"V1\"", "m:1:12: version: unsupported manifest version \"V1\"; write \"v1\"\n", RM_E_CONFIG},
        {"2", "m:1:12: version: must be the text \"v1\", is a number\n", RM_E_CONFIG},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "{\"version\":%s%s", rows[i].version, tail);
        expect(text, RM_MANIFEST_JSON, rows[i].err, rows[i].lines);
    }
}

static void test_cycles_are_named(void **state) {
    (void)state;
    expect("version: v1\nmetadata: {}\nnodes:\n"
           "  - {id: a, node_type: PlainNode}\n  - {id: b, node_type: PlainNode}\n"
           "  - {id: c, node_type: PlainNode}\n  - {id: d, node_type: PlainNode}\n"
           "connections:\n"
           "  - {from: a, to: b}\n  - {from: b, to: c}\n  - {from: c, to: d}\n  - {from: d, to: b}\n",
           RM_MANIFEST_YAML, RM_E_CONFIG, "m:9:3: connections: the nodes form a cycle: b -> c -> d -> b\n");
    expect("version: v1\nmetadata: {}\nnodes: [{id: a, node_type: PlainNode}]\nconnections: [{from: a, to: a}]\n",
           RM_MANIFEST_YAML, RM_E_CONFIG, "m:4:14: connections: the nodes form a cycle: a -> a\n");
}

static void test_odd_but_accepted(void **state) {
    (void)state;
    expect(HEAD_JSON "\"nodes\":[{\"id\":\"a\",\"node_type\":\"PlainNode\",\"x\":{\"y\":[1,2]},\"is_streamin\":true,"
                     "\"docker\":{}},{\"id\":\"b\",\"node_type\":\"PlainNode\"}],"
                     "\"connections\":[{\"from\":\"a\",\"to\":\"b\"},{\"from\":\"a\",\"to\":\"b\"}],\"whatever\":null}",
           RM_MANIFEST_JSON, RM_OK,
           "m:1:114: warning: nodes[0].is_streamin: unknown key, ignored; did you mean \"is_streaming\"?\n"
           "m:1:205: warning: connections[1]: the same connection again, ignored\n");
}

static void test_policy_in_the_wrong_place(void **state) {
    (void)state;
    expect("version: v1\nmetadata: {}\nconnections: []\nnodes: [{id: a, node_type: PlainNode, on_error: mute}]\n",
           RM_MANIFEST_YAML, RM_OK,
           "m:4:49: warning: nodes[0].on_error: ignored here; write it in the node's params\n");
}

static void test_missing_parts(void **state) {
    (void)state;
    expect("{}", RM_MANIFEST_JSON, RM_E_CONFIG,
           "m:1:1: version: missing\nm:1:1: metadata: missing\nm:1:1: nodes: missing\nm:1:1: connections: missing\n");
    expect("[]", RM_MANIFEST_JSON, RM_E_CONFIG, "m:1:1: must be an object, is a list\n");
    expect("~", RM_MANIFEST_YAML, RM_E_CONFIG, "m:1:1: must be an object, is null\n");
    expect(HEAD_JSON "\"nodes\":[],\"connections\":[]}", RM_MANIFEST_JSON, RM_E_CONFIG,
           "m:1:49: nodes: a pipeline needs at least one node\n");
    expect(HEAD_JSON "\"nodes\":[{\"id\":\"\",\"node_type\":\"Zzz\"},7],\"connections\":[3]}", RM_MANIFEST_JSON,
           RM_E_CONFIG,
           "m:1:56: nodes[0].id: must have 1..64 bytes\n"
           "m:1:71: nodes[0].node_type: unknown node type \"Zzz\"; `rmrtc nodes` lists the known ones\n"
           "m:1:78: nodes[1]: must be an object, is a number\n"
           "m:1:96: connections[0]: must be an object, is a number\n");
}

static void test_syntax_and_limits(void **state) {
    (void)state;
    static const struct {
        rm_manifest_format format;
        const char *text, *lines;
    } rows[] = {
        {RM_MANIFEST_JSON, "{\"a\":1,\n\"a\":2}", "m:2:3: duplicate object key near '\"a\"'\n"},
        {RM_MANIFEST_JSON, "{\"a\":11111111111111111111111111111111111.5}",
         "m:1:6: a number of more than 32 characters\n"},
        {RM_MANIFEST_YAML, "a: 1\na: 2\n", "m:2:1: duplicate key \"a\"\n"},
        {RM_MANIFEST_YAML, "a: &x 1\n", "m:1:4: anchors are not accepted\n"},
        {RM_MANIFEST_YAML, "a: *x\n", "m:1:4: aliases are not accepted\n"},
        {RM_MANIFEST_YAML, "a: !!int 5\n", "m:1:4: tags other than !!str are not accepted\n"},
        {RM_MANIFEST_YAML, "a: .inf\n", "m:1:4: infinity and not-a-number are no values here\n"},
        {RM_MANIFEST_YAML, "a: 0xfffffffffffffffff\n", "m:1:4: a number that is too large\n"},
        {RM_MANIFEST_YAML, "a: \"x\\0y\"\n", "m:1:4: a NUL character\n"},
        {RM_MANIFEST_YAML, "{}\n---\n{}\n", "m:2:1: a second document in one text\n"},
        {RM_MANIFEST_YAML, "", "m:1:1: the text is empty\n"},
        {RM_MANIFEST_YAML, "[a]: b\n", "m:1:1: a key that is not a text\n"},
        {RM_MANIFEST_YAML, "a: [1, 2\nb: 3\n",
         "m:2:2: did not find expected ',' or ']' while parsing a flow sequence\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect(rows[i].text, rows[i].format, RM_E_PARSE, rows[i].lines);
}

static void test_depth_and_size(void **state) {
    (void)state;
    char text[2 * RM_MANIFEST_DEPTH_MAX + 3];
    for (int format = RM_MANIFEST_JSON; format <= RM_MANIFEST_YAML; format++)
        for (size_t depth = RM_MANIFEST_DEPTH_MAX; depth <= RM_MANIFEST_DEPTH_MAX + 1; depth++) {
            memset(text, '[', depth);
            memset(text + depth, ']', depth);
            text[2 * depth] = '\0';
            struct rmi_sbuf faults = {0};
            rm_manifest *m = NULL;
            rm_err err = rmt_parse(text, (rm_manifest_format)format, NULL, &faults, &m);
            assert_int_equal(err, depth > RM_MANIFEST_DEPTH_MAX ? RM_E_PARSE : RM_E_CONFIG);
            rmi_sbuf_fini(&faults);
        }
    char *big = calloc(1, RM_MANIFEST_BYTES_MAX + 2);
    assert_non_null(big);
    memset(big, ' ', RM_MANIFEST_BYTES_MAX + 1);
    big[0] = '{';
    big[RM_MANIFEST_BYTES_MAX - 1] = '}';
    rm_manifest *m = NULL;
    assert_int_equal(rm_manifest_parse(big, RM_MANIFEST_BYTES_MAX, NULL, &m), RM_E_CONFIG);
    assert_int_equal(rm_manifest_parse(big, RM_MANIFEST_BYTES_MAX + 1, NULL, &m), RM_E_TOO_BIG);
    assert_null(m);
    free(big);
}

static void test_more_faults_than_are_listed(void **state) {
    (void)state;
    struct rmi_sbuf text = {0}, faults = {0};
    rm_manifest *m = NULL;
    rmi_sbuf_add(&text, HEAD_JSON "\"connections\":[],\"nodes\":[0");
    for (int i = 1; i < 100; i++)
        rmi_sbuf_add(&text, ",0");
    rmi_sbuf_add(&text, "]}");
    assert_int_equal(rmt_parse(rmi_sbuf_text(&text), RM_MANIFEST_JSON, NULL, &faults, &m), RM_E_CONFIG);
    assert_non_null(strstr(rmi_sbuf_text(&faults), "and 36 more\n"));
    size_t lines = 0;
    for (const char *p = rmi_sbuf_text(&faults); *p; p++)
        lines += *p == '\n';
    assert_int_equal(lines, RM_MANIFEST_FAULTS_MAX + 1);
    rmi_sbuf_fini(&text);
    rmi_sbuf_fini(&faults);
}

static void test_yaml_values(void **state) {
    (void)state;
    static const struct {
        const char *written;
        bool fits;
    } rows[] = {{"512", true},    {"+512", true},  {"0512", true},  {"0x200", true},    {"0o10", true},
                {"5.12e2", true}, {"512.", true},  {"5.5", false},  {"\"512\"", false}, {"0", false},
                {".5", false},    {"1e99", false}, {"true", false}, {"5_12", false},    {"65536", true},
                {"65537", false}, {"null", true},  {"~", true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[256];
        struct rmi_sbuf faults = {0};
        rm_manifest *m = NULL;
        rm_node_registry *r = make_registry();
        snprintf(
            text, sizeof text,
            "version: v1\nmetadata: {}\nconnections: []\nnodes: [{id: a, node_type: FullNode, params: {must: true, "
            "chunk_size: %s}}]\n",
            rows[i].written);
        rm_err err = rmt_parse(text, RM_MANIFEST_YAML, r, &faults, &m);
        if ((err == RM_OK) != rows[i].fits)
            fail_msg("%s: %s\n%s", rows[i].written, rm_err_name(err), rmi_sbuf_text(&faults));
        rm_manifest_unref(&m);
        rmi_sbuf_fini(&faults);
        rm_node_registry_destroy(&r);
    }
}

static void test_files(void **state) {
    (void)state;
    rm_manifest *m = NULL;
    struct rmi_sbuf faults = {0};
    rm_manifest_options o;
    rm_manifest_options_init(&o);
    o.on_fault = rmt_take_fault;
    o.user = &faults;
    assert_int_equal(rm_manifest_load("/nonexistent/x.yaml", &o, &m), RM_E_IO);
    assert_string_equal(rmi_sbuf_text(&faults), "/nonexistent/x.yaml:1:1: the file cannot be opened; check its name\n");
    rmi_sbuf_fini(&faults);
    assert_int_equal(rm_manifest_load("/tmp", &o, &m), RM_E_IO);
    rmi_sbuf_fini(&faults);
    o.struct_size = 3;
    assert_int_equal(rm_manifest_load("/tmp", &o, &m), RM_E_INVALID_ARG);
}

/* Every length, and every byte changed: never a crash, and a manifest exactly when RM_OK. */
static void test_truncation_and_flips(void **state) {
    (void)state;
    static const char yaml[] =
        "version: v1\nmetadata: {name: \"x\\u00e9\"}\nnodes:\n  - id: a\n    node_type: FullNode\n"
        "    params: {must: true, chunk_size: 0x10}\nconnections: [{from: a, to: a}]\n";
    static const char json[] =
        HEAD_JSON "\"nodes\":[{\"id\":\"a\",\"node_type\":\"FullNode\",\"params\":{\"must\":true}}],"
                  "\"connections\":[{\"from\":\"a\",\"to\":\"b\"}]}";
    const char *const texts[] = {json, yaml};
    rm_node_registry *r = make_registry();
    rm_manifest_options o;
    rm_manifest_options_init(&o);
    o.registry = r;
    for (size_t t = 0; t < 2; t++) {
        size_t len = strlen(texts[t]);
        o.format = t ? RM_MANIFEST_YAML : RM_MANIFEST_JSON;
        for (size_t i = 0; i <= len; i++)
            for (int flip = 0; flip < 9; flip++) {
                size_t n = flip == 8 ? i : len;
                char *copy = malloc(n + 1); /* of its own, so that reading past the end shows */
                assert_non_null(copy);
                memcpy(copy, texts[t], n);
                if (flip < 8 && i < n)
                    copy[i] = (char)(copy[i] ^ (1 << flip));
                rm_manifest *m = NULL;
                rm_err err = rm_manifest_parse(copy, n, &o, &m);
                assert_true((err == RM_OK) == (m != NULL));
                rm_manifest_unref(&m);
                free(copy);
            }
    }
    rm_node_registry_destroy(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_and_yaml_say_the_same),
        cmocka_unit_test(test_all_faults_at_once),
        cmocka_unit_test(test_places_in_json),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_cycles_are_named),
        cmocka_unit_test(test_odd_but_accepted),
        cmocka_unit_test(test_policy_in_the_wrong_place),
        cmocka_unit_test(test_missing_parts),
        cmocka_unit_test(test_syntax_and_limits),
        cmocka_unit_test(test_depth_and_size),
        cmocka_unit_test(test_more_faults_than_are_listed),
        cmocka_unit_test(test_yaml_values),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_truncation_and_flips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
