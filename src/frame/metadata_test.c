/* SPDX-License-Identifier: Apache-2.0 */
#include <remotemedia/transport_data.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_sorted_map(void **state) {
    (void)state;
    rm_metadata *m = NULL;
    assert_int_equal(rm_metadata_create(&m), RM_OK);
    assert_int_equal(rm_metadata_set(m, "b", "2"), RM_OK);
    assert_int_equal(rm_metadata_set(m, "c", "3"), RM_OK);
    assert_int_equal(rm_metadata_set(m, "a", "1"), RM_OK);
    assert_int_equal(rm_metadata_set(m, "b", "two"), RM_OK);
    assert_int_equal(rm_metadata_count(m), 3);
    const char *key = NULL, *value = NULL;
    static const char *const expected[][2] = {{"a", "1"}, {"b", "two"}, {"c", "3"}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(rm_metadata_at(m, i, &key, &value), RM_OK);
        assert_string_equal(key, expected[i][0]);
        assert_string_equal(value, expected[i][1]);
    }
    assert_int_equal(rm_metadata_at(m, 3, &key, &value), RM_E_NOT_FOUND);
    assert_string_equal(rm_metadata_get(m, "b"), "two");
    assert_null(rm_metadata_get(m, "bb"));
    assert_null(rm_metadata_get(NULL, "b"));
    assert_int_equal(rm_metadata_count(NULL), 0);
    rm_metadata *second = rm_metadata_ref(m);
    assert_int_equal(rm_metadata_set(m, "d", "4"), RM_E_STATE);
    rm_metadata_unref(&second);
    assert_int_equal(rm_metadata_set(m, "", "4"), RM_E_INVALID_ARG);
    assert_int_equal(rm_metadata_set(m, "d", NULL), RM_E_INVALID_ARG);
    rm_metadata_unref(&m);
    rm_metadata_unref(&m);
}

static void limits(void **state) {
    (void)state;
    rm_metadata *m = NULL;
    assert_int_equal(rm_metadata_create(&m), RM_OK);
    char key[RM_METADATA_KEY_MAX + 2];
    for (int i = 0; i < RM_METADATA_ENTRIES_MAX; i++) {
        (void)snprintf(key, sizeof key, "%d", i);
        assert_int_equal(rm_metadata_set(m, key, "x"), RM_OK);
    }
    assert_int_equal(rm_metadata_set(m, "more", "x"), RM_E_LIMIT);
    assert_int_equal(rm_metadata_set(m, "63", "y"), RM_OK); /* replacing still goes */
    memset(key, 'k', sizeof key);
    key[sizeof key - 1] = '\0';
    assert_int_equal(rm_metadata_set(m, key, "x"), RM_E_TOO_BIG);
    char *value = malloc(RM_METADATA_VALUE_MAX + 2);
    assert_non_null(value);
    memset(value, 'v', RM_METADATA_VALUE_MAX + 1);
    value[RM_METADATA_VALUE_MAX + 1] = '\0';
    assert_int_equal(rm_metadata_set(m, "1", value), RM_E_TOO_BIG);
    value[RM_METADATA_VALUE_MAX] = '\0';
    assert_int_equal(rm_metadata_set(m, "1", value), RM_OK);
    assert_string_equal(rm_metadata_get(m, "1"), value);
    free(value);
    rm_metadata_unref(&m);
}

static void an_answer_keeps_sequence_and_metadata(void **state) {
    (void)state;
    rm_transport_data in = {.sequence = 42, .has_sequence = true}, copy, answer;
    assert_int_equal(rm_runtime_data_create_text("question", 8, NULL, &in.data), RM_OK);
    assert_int_equal(rm_metadata_create(&in.metadata), RM_OK);
    assert_int_equal(rm_metadata_set(in.metadata, "trace", "7"), RM_OK);
    rm_transport_data_copy(&in, &copy);
    rm_runtime_data *text = NULL;
    assert_int_equal(rm_runtime_data_create_text("reply", 5, NULL, &text), RM_OK);
    rm_transport_data_answer(&in, text, &answer);
    rm_runtime_data_unref(&text);
    rm_transport_data_clear(&in);
    assert_null(in.data);
    assert_false(in.has_sequence);
    assert_string_equal(rm_runtime_data_text(copy.data)->text, "question");
    rm_transport_data_clear(&copy);
    assert_string_equal(rm_runtime_data_text(answer.data)->text, "reply");
    assert_true(answer.has_sequence);
    assert_int_equal(answer.sequence, 42);
    assert_string_equal(rm_metadata_get(answer.metadata, "trace"), "7");
    assert_int_equal(rm_metadata_set(answer.metadata, "more", "1"), RM_OK); /* the last reference */
    rm_transport_data_clear(&answer);
    rm_transport_data_clear(&answer);
    rm_transport_data_clear(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sorted_map),
        cmocka_unit_test(limits),
        cmocka_unit_test(an_answer_keeps_sequence_and_metadata),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
