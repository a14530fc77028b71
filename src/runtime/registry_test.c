/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/runner_testkit.h"

#include "runtime/params.h"
#include "runtime/suggest.h"

/* RM_TEST_PLUGIN: path of tests/plugins/shout_node.c as a shared object, from the build. */

static void test_a_node_from_a_shared_object(void **state) {
    (void)state;
    char detail[256] = "";
    rm_node_registry *registry = NULL;
    rm_pipeline_runner *runner = NULL;
    assert_int_equal(rm_node_registry_create(&registry), RM_OK);
    size_t builtin = rm_node_registry_count(registry);
    rm_err err = rm_node_registry_load(registry, RM_TEST_PLUGIN, detail, sizeof detail);
    assert_string_equal(detail, "");
    assert_int_equal(err, RM_OK);
    assert_int_equal(rm_node_registry_count(registry), builtin + 1);
    assert_int_equal(rm_node_registry_load(registry, RM_TEST_PLUGIN, detail, sizeof detail), RM_E_EXISTS);
    assert_string_equal(detail, "node type \"ShoutNode\" is already known");
    assert_int_equal(rm_node_registry_count(registry), builtin + 1);

    rmi_prng_seed(&prng, 1);
    struct rmi_runner_config config = {.registry = registry, .rng = rmi_prng_rng(&prng), .max_sessions = 4};
    assert_int_equal(rmi_runner_create(&config, &runner), RM_OK);
    rm_node_registry_destroy(&registry); /* the code of the node stays loaded as long as the runner */
    rm_manifest *m =
        rmt_manifest("", "{id: a, node_type: ShoutNode}, {id: b, node_type: PassThrough}", "{from: a, to: b}");
    rm_transport_data in = rmt_text("hello", 1), out = {0};
    assert_int_equal(rm_pipeline_runner_execute_unary(runner, m, &in, RMT_LONG_MS, &out, detail, sizeof detail), RM_OK);
    assert_string_equal(rm_runtime_data_text(out.data)->text, "HELLO!");
    rm_transport_data_clear(&in);
    rm_transport_data_clear(&out);
    in = rmt_audio(1); /* not what it accepts: passes */
    assert_int_equal(rm_pipeline_runner_execute_unary(runner, m, &in, RMT_LONG_MS, &out, detail, sizeof detail), RM_OK);
    assert_non_null(rm_runtime_data_audio(out.data));
    rm_transport_data_clear(&in);
    rm_transport_data_clear(&out);
    rm_manifest_unref(&m);
    rm_pipeline_runner_destroy(&runner);
}

static void test_what_cannot_be_loaded(void **state) {
    (void)state;
    char detail[256] = "";
    rm_node_registry *r = NULL;
    assert_int_equal(rmi_registry_create(&r), RM_OK);
    assert_int_equal(rm_node_registry_load(r, "/nonexistent/x.so", detail, sizeof detail), RM_E_IO);
    assert_non_null(strstr(detail, "/nonexistent/x.so"));
    assert_int_equal(rm_node_registry_load(r, "x.so", detail, sizeof detail), RM_E_INVALID_ARG);
    assert_string_equal(detail, "write the path with a slash, e.g. ./nodes.so");
    assert_int_equal(rm_node_registry_load(r, NULL, NULL, 0), RM_E_INVALID_ARG);
    assert_int_equal(rm_node_registry_count(r), 0);
    assert_null(rm_node_registry_get(r, 0));
    assert_null(rm_node_registry_find(r, "ShoutNode"));
    rm_node_registry_destroy(&r);
    rm_node_registry_destroy(&r);
}

static void test_classes_are_checked(void **state) {
    (void)state;
    static const rm_node_param bad_default[] = {
        {.name = "x", .type = RM_PARAM_INT, .default_json = "9", .min = 1, .max = 5, .summary = "s"}};
    rm_node_class c = rmt_classes[0];
    char detail[256];
    rm_node_registry *r = NULL;
    assert_int_equal(rmi_registry_create(&r), RM_OK);
    assert_int_equal(rm_node_registry_add(r, NULL, detail, sizeof detail), RM_E_INVALID_ARG);
    c.abi_version = RM_NODE_ABI_VERSION + 1;
    assert_int_equal(rm_node_registry_add(r, &c, detail, sizeof detail), RM_E_UNSUPPORTED);
    c = rmt_classes[0];
    c.struct_size--;
    assert_int_equal(rm_node_registry_add(r, &c, detail, sizeof detail), RM_E_UNSUPPORTED);
    c = rmt_classes[0];
    c.name = "with space";
    assert_int_equal(rm_node_registry_add(r, &c, detail, sizeof detail), RM_E_INVALID_ARG);
    c = rmt_classes[0];
    c.process = NULL;
    assert_int_equal(rm_node_registry_add(r, &c, detail, sizeof detail), RM_E_INVALID_ARG);
    c = rmt_classes[0];
    c.params = bad_default;
    c.param_count = 1;
    assert_int_equal(rm_node_registry_add(r, &c, detail, sizeof detail), RM_E_INVALID_ARG);
    assert_string_equal(detail, "Pass: parameter 0 (x) is not well formed");
    assert_int_equal(rm_node_registry_add(r, &rmt_classes[0], NULL, 0), RM_OK);
    assert_int_equal(rm_node_registry_add(r, &rmt_classes[0], detail, sizeof detail), RM_E_EXISTS);
    assert_int_equal(rm_node_registry_count(r), 1);
    rm_node_registry_destroy(&r);
}

static void test_suggestions(void **state) {
    (void)state;
    assert_int_equal(rmi_edit_distance("", ""), 0);
    assert_int_equal(rmi_edit_distance("abc", ""), 3);
    assert_int_equal(rmi_edit_distance("kitten", "sitting"), 3);
    assert_int_equal(rmi_edit_distance("ab", "ba"), 1);
    assert_int_equal(rmi_edit_distance("PassThrough", "passthrough"), 0);
    struct rmi_suggest s = rmi_suggest_init("VideoFlop");
    rmi_suggest_offer(&s, "VideoScaler");
    rmi_suggest_offer(&s, "VideoFlip");
    assert_string_equal(s.best, "VideoFlip");
    s = rmi_suggest_init("x");
    rmi_suggest_offer(&s, "y"); /* nothing in common */
    rmi_suggest_offer(&s, "VideoFlip");
    assert_null(s.best);
    char camel[16];
    rmi_camel_case("low_volume_db", camel, sizeof camel);
    assert_string_equal(camel, "lowVolumeDb");
    rmi_camel_case("a_rather_long_name_to_be_cut", camel, sizeof camel);
    assert_int_equal(strlen(camel), sizeof camel - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_node_from_a_shared_object),
        cmocka_unit_test(test_what_cannot_be_loaded),
        cmocka_unit_test(test_classes_are_checked),
        cmocka_unit_test(test_suggestions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
