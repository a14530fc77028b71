/* SPDX-License-Identifier: Apache-2.0 */
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct item {
    int value;
    struct rmi_list node;
};

static int value_of(struct rmi_list *node) {
    return RMI_CONTAINER_OF(node, struct item, node)->value;
}

static void keeps_order_and_survives_removal(void **state) {
    (void)state;
    struct rmi_list head;
    struct item items[5] = {0};
    rmi_list_init(&head);
    assert_true(rmi_list_empty(&head));
    assert_null(rmi_list_pop_front(&head));
    for (int i = 1; i < 5; i++) {
        items[i].value = i;
        rmi_list_push_back(&head, &items[i].node);
    }
    rmi_list_push_front(&head, &items[0].node);
    int expected = 0;
    RMI_LIST_FOREACH (node, tmp, &head) {
        assert_int_equal(value_of(node), expected++);
        if (value_of(node) % 2)
            rmi_list_remove(node);
    }
    assert_int_equal(expected, 5);
    assert_int_equal(value_of(rmi_list_pop_front(&head)), 0);
    assert_int_equal(value_of(rmi_list_pop_front(&head)), 2);
    assert_int_equal(value_of(rmi_list_pop_front(&head)), 4);
    assert_true(rmi_list_empty(&head));
    rmi_list_remove(&items[0].node); /* in no list: harmless */
    assert_true(rmi_list_empty(&head));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(keeps_order_and_survives_removal)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
