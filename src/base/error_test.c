/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const rm_err all[] = {
#define RM_ERROR_VALUE(name, value, text) name,
    RM_ERROR_LIST(RM_ERROR_VALUE)
#undef RM_ERROR_VALUE
};
#define COUNT (sizeof all / sizeof all[0])

static void names_and_sentences_are_distinct(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(all[i] <= 0);
        assert_true(strlen(rm_strerror(all[i])) > 5);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(rm_err_name(all[i]), rm_err_name(all[k]));
            assert_string_not_equal(rm_strerror(all[i]), rm_strerror(all[k]));
        }
    }
}

static void known_values(void **state) {
    (void)state;
    assert_int_equal(RM_OK, 0);
    assert_string_equal(rm_err_name(RM_E_TIMEOUT), "RM_E_TIMEOUT");
    assert_string_equal(rm_strerror(RM_OK), "success");
    assert_string_equal(rm_err_name((rm_err)-9999), "RM_E_UNKNOWN");
    assert_non_null(rm_strerror((rm_err)1));
}

static void names_lead_back(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(rmi_err_by_name(rm_err_name(all[i]), RM_E_CLOSED), all[i] == RM_OK ? RM_E_CLOSED : all[i]);
    assert_int_equal(rmi_err_by_name("", RM_E_LIMIT), RM_E_LIMIT);
    assert_int_equal(rmi_err_by_name("RM_E_TIMEOUT ", RM_E_LIMIT), RM_E_LIMIT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_sentences_are_distinct),
        cmocka_unit_test(known_values),
        cmocka_unit_test(names_lead_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
