/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/interfaces.h"
#include "io/io_test.h"
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CYCLES 200

static void loopback_is_listed_last_and_preferences_differ(void **state) {
    (void)state;
    struct rmi_interface list[64];
    size_t n = 0;
    assert_int_equal(rmi_interfaces_list(list, 64, &n), RM_OK);
    assert_true(n > 0);
    bool has_loopback = false;
    for (size_t i = 0; i < n; i++) {
        char text[RMI_ADDR_TEXT_MAX];
        print_message("%s %u %s prefer %u\n", list[i].name, list[i].index, rmi_addr_ip_text(&list[i].addr, text),
                      list[i].prefer);
        assert_int_equal(list[i].index, if_nametoindex(list[i].name));
        assert_int_equal(list[i].addr.port, 0);
        has_loopback |= list[i].is_loopback && list[i].addr.family == 4;
        if (i > 0) {
            assert_true(list[i].prefer < list[i - 1].prefer);
            assert_false(list[i - 1].is_loopback && !list[i].is_loopback);
        }
    }
    assert_true(has_loopback);
    struct rmi_interface first;
    size_t one = 0;
    assert_int_equal(rmi_interfaces_list(&first, 1, &one), RM_OK);
    assert_int_equal(one, 1);
    assert_true(rmi_addr_equal_ip(&first.addr, &list[0].addr));
    assert_int_equal(rmi_interfaces_list(NULL, 0, &one), RM_OK);
    assert_int_equal(one, 0);
}

struct changes {
    int count;
    struct rmi_interfaces_watch *watch;
};

static void on_change(void *ctx) {
    struct changes *c = ctx;
    c->count++;
    rmi_interfaces_watch_stop(&c->watch); /* legal in the callback */
}

enum child_result { CHILD_OK, CHILD_FAILED, CHILD_NO_NAMESPACE };

/* In a network namespace of its own, bring loopback up; exits with what was seen. */
static enum child_result child_main(void) {
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        return CHILD_NO_NAMESPACE;
    struct rmi_loop *loop = NULL;
    struct changes c = {0};
    struct rmi_interface list[8];
    size_t n = 1;
    if (rmi_interfaces_list(list, 8, &n) != RM_OK || n != 0 || rmi_loop_create(&loop) != RM_OK ||
        rmi_interfaces_watch_start(loop, on_change, &c, &c.watch) != RM_OK)
        return CHILD_FAILED;
    struct ifreq request = {0};
    strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (ioctl(fd, SIOCSIFFLAGS, &request) != 0)
        return CHILD_NO_NAMESPACE;
    int64_t began = rmi_now_us();
    close(fd);
    if (wait_for(loop, &c.count) != RM_OK || c.count != 1 || rmi_now_us() - began < RMI_MS(90))
        return CHILD_FAILED;
    if (rmi_interfaces_list(list, 8, &n) != RM_OK || n == 0 || !list[0].is_loopback)
        return CHILD_FAILED;
    rmi_loop_destroy(&loop);
    return c.watch ? CHILD_FAILED : CHILD_OK;
}

static void a_change_is_told_once_after_things_are_quiet(void **state) {
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(child_main());
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CHILD_NO_NAMESPACE)
        skip();
    assert_int_equal(WEXITSTATUS(status), CHILD_OK);
}

static void cycles_leave_nothing_behind(void **state) {
    (void)state;
    struct rmi_loop *loop = NULL;
    struct changes c = {0};
    assert_int_equal(rmi_loop_create(&loop), RM_OK);
    int fds = count_entries("/proc/self/fd");
    for (int i = 0; i < CYCLES; i++) {
        assert_int_equal(rmi_interfaces_watch_start(loop, on_change, &c, &c.watch), RM_OK);
        rmi_interfaces_watch_stop(&c.watch);
        rmi_interfaces_watch_stop(&c.watch);
        assert_int_equal(rmi_loop_process(loop), RM_OK);
    }
    assert_int_equal(count_entries("/proc/self/fd"), fds);
    assert_int_equal(rmi_interfaces_watch_start(loop, on_change, &c, &c.watch), RM_OK);
    rmi_loop_destroy(&loop);
    assert_int_equal(c.count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_is_listed_last_and_preferences_differ),
        cmocka_unit_test(a_change_is_told_once_after_things_are_quiet),
        cmocka_unit_test(cycles_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
