/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sbuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void starts_empty(void **state) {
    (void)state;
    struct rmi_sbuf s = {0};
    assert_string_equal(rmi_sbuf_text(&s), "");
    rmi_sbuf_add(&s, "");
    assert_null(s.data);
    char *text = rmi_sbuf_take(&s);
    assert_string_equal(text, "");
    free(text);
    rmi_sbuf_fini(&s);
}

/* Every way of adding at every fill level: a fault at a capacity border shows under the sanitizer. */
static void grows(void **state) {
    (void)state;
    struct rmi_sbuf s = {0};
    char expected[4001];
    size_t n = 0;
    for (size_t i = 0; n + 3 < sizeof expected - 1; i++) {
        switch (i % 3) {
        case 0:
            rmi_sbuf_add(&s, "a");
            expected[n++] = 'a';
            break;
        case 1:
            rmi_sbuf_add_n(&s, "bcd", 2);
            expected[n++] = 'b';
            expected[n++] = 'c';
            break;
        default:
            rmi_sbuf_addf(&s, "%03d", 7);
            memcpy(expected + n, "007", 3);
            n += 3;
        }
        expected[n] = '\0';
        assert_int_equal(s.len, n);
        assert_string_equal(rmi_sbuf_text(&s), expected);
    }
    rmi_sbuf_fini(&s);
    assert_null(s.data);
}

static void one_large_formatted_piece(void **state) {
    (void)state;
    struct rmi_sbuf s = {0};
    rmi_sbuf_addf(&s, "%*d", 100000, 5);
    assert_int_equal(s.len, 100000);
    assert_int_equal(s.data[99999], '5');
    rmi_sbuf_clear(&s);
    assert_string_equal(rmi_sbuf_text(&s), "");
    rmi_sbuf_add(&s, "again");
    char *text = rmi_sbuf_take(&s);
    assert_string_equal(text, "again");
    assert_int_equal(s.len, 0);
    assert_null(s.data);
    free(text);
}

static void failure_is_sticky(void **state) {
    (void)state;
    struct rmi_sbuf s = {0};
    rmi_sbuf_add(&s, "kept");
    rmi_sbuf_add_n(&s, "x", SIZE_MAX / 2); /* refused by size before anything is read */
    assert_true(s.failed);
    rmi_sbuf_add(&s, "more");
    assert_string_equal(rmi_sbuf_text(&s), "kept");
    assert_null(rmi_sbuf_take(&s));
    assert_null(s.data);
    rmi_sbuf_add(&s, "new");
    assert_string_equal(rmi_sbuf_text(&s), "new");
    rmi_sbuf_fini(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_empty),
        cmocka_unit_test(grows),
        cmocka_unit_test(one_large_formatted_piece),
        cmocka_unit_test(failure_is_sticky),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
