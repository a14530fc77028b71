/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void lists_say_who_is_permitted(void **state) {
    (void)state;
    static const struct {
        const char *allowed, *denied, *id;
        bool permits;
    } cases[] = {
        {NULL, NULL, "ann", true},        {"", NULL, "ann", false},        {NULL, "", "ann", true},
        {"ann", NULL, "ann", true},       {"ann", NULL, "ben", false},     {"ann,ben", NULL, "ben", true},
        {"ann,ben", "ben", "ben", false}, {NULL, "ben", "ann", true},      {NULL, "ben", "ben", false},
        {"*", NULL, "ann", true},         {"*", "*", "ann", false},        {NULL, "an,anna,Ann", "ann", true},
        {"ben,*", "cleo", "ann", true},   {"an,anna", NULL, "ann", false},
    };
    struct rmi_access a = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(rmi_access_set(&a, cases[i].allowed, cases[i].denied), RM_OK);
        assert_int_equal(rmi_access_permits(&a, cases[i].id), cases[i].permits);
    }
    rmi_access_fini(&a);
}

static void faults_name_the_entry_and_change_nothing(void **state) {
    (void)state;
    static const struct {
        const char *list;
        size_t entry;
    } bad[] = {{"a b", 1}, {"ann,,ben", 2}, {"ann,b\xc3\xa9", 2}, {",", 1}, {"**", 1}};
    struct rmi_access a = {0};
    size_t entry;
    assert_int_equal(rmi_access_set(&a, "ann", NULL), RM_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(rmi_access_check(bad[i].list, &entry), RM_E_INVALID_ARG);
        assert_int_equal(entry, bad[i].entry);
        assert_int_equal(rmi_access_set(&a, bad[i].list, NULL), RM_E_INVALID_ARG);
        assert_int_equal(rmi_access_set(&a, NULL, bad[i].list), RM_E_INVALID_ARG);
    }
    char id[80];
    memset(id, 'x', sizeof id - 1);
    id[65] = '\0';
    assert_int_equal(rmi_access_check(id, &entry), RM_E_INVALID_ARG);
    id[64] = '\0';
    assert_int_equal(rmi_access_check(id, &entry), RM_OK);
    char *many = calloc(RMI_ACCESS_IDS_MAX + 1, 2);
    assert_non_null(many);
    for (size_t i = 0; i < RMI_ACCESS_IDS_MAX; i++)
        memcpy(many + 2 * i, "a,", 2);
    assert_int_equal(rmi_access_check(many, &entry), RM_OK);
    many[2 * RMI_ACCESS_IDS_MAX] = 'a';
    assert_int_equal(rmi_access_check(many, &entry), RM_E_LIMIT);
    assert_int_equal(entry, RMI_ACCESS_IDS_MAX + 1);
    free(many);
    assert_true(rmi_access_permits(&a, "ann"));
    assert_false(rmi_access_permits(&a, "ben"));
    rmi_access_fini(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_say_who_is_permitted),
        cmocka_unit_test(faults_name_the_entry_and_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
