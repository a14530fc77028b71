/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/priority.h"
#include <pthread.h>

struct seen {
    int before, preferred, child;
};

static void *child_main(void *ctx) {
    struct seen *s = ctx;
    s->child = rmi_thread_priority();
    return NULL;
}

static void *preferred_main(void *ctx) {
    struct seen *s = ctx;
    pthread_t child;
    s->before = rmi_thread_priority();
    rmi_prefer_this_thread();
    s->preferred = rmi_thread_priority();
    assert_int_equal(pthread_create(&child, NULL, child_main, s), 0);
    assert_int_equal(pthread_join(child, NULL), 0);
    return NULL;
}

static void what_a_preferred_thread_makes_is_ordinary(void **state) {
    (void)state;
    struct seen s = {0};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, preferred_main, &s), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    if (s.preferred >= s.before || s.before < 0) {
        print_message("skipped: this user may not prefer a thread\n");
        skip();
    }
    assert_true(s.child >= 0);
}

static void its_maker_stays_as_it_was(void **state) {
    (void)state;
    struct seen s = {0};
    pthread_t thread;
    const int before = rmi_thread_priority();
    assert_int_equal(pthread_create(&thread, NULL, preferred_main, &s), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(rmi_thread_priority(), before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_preferred_thread_makes_is_ordinary),
        cmocka_unit_test(its_maker_stays_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
