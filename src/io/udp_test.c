/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/io_test.h"
#include "io/udp.h"
#include "net/datagram.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#define CYCLES 200
#define BURST 200 /* several super-datagrams */
#define BURST_BYTES 1200
#define DESCRIPTORS 256 /* more than this process has */

struct inbox {
    struct rmi_udp *udp;
    int want, got, wrong, done;
    size_t last_len;
    struct rmi_addr last_from;
    bool close_at_first;
    int batches;
    /* answers each datagram, which shows whether that waits for the end of the turn */
    bool answers;
    uint64_t calls_inside;
    int marked[RMI_ECN_MASK + 1]; /* by ECN field */
};

static struct rmi_addr loopback4(void) {
    return (struct rmi_addr){.family = 4, .ip = {127, 0, 0, 1}};
}

static void on_recv(void *ctx, int64_t now_us, const struct rmi_addr *from, uint8_t *data, size_t len) {
    struct inbox *in = ctx;
    assert_true(now_us <= rmi_now_us());
    if (len >= 4) {
        uint32_t number;
        memcpy(&number, data, sizeof number);
        in->wrong += number != (uint32_t)in->got;
        memset(data, 0xff, len); /* ours to change */
    }
    if (in->answers) {
        struct rmi_udp_stats stats;
        rmi_udp_send(in->udp, from, data, len);
        rmi_udp_get_stats(in->udp, &stats);
        in->calls_inside = stats.send_calls;
    }
    if (in->udp)
        in->marked[rmi_udp_received_ecn(in->udp)]++;
    in->last_len = len;
    in->last_from = *from;
    in->done = ++in->got >= in->want;
    if (in->close_at_first)
        rmi_udp_close(&in->udp);
}

static void on_batch(void *ctx, int64_t now_us) {
    struct inbox *in = ctx;
    assert_true(now_us <= rmi_now_us());
    in->batches++;
}

struct pair {
    struct rmi_loop *loop;
    struct rmi_udp *a;
    struct inbox a_in, b;
};

static void open_pair(struct pair *p) {
    struct rmi_addr any = loopback4();
    *p = (struct pair){0};
    assert_int_equal(rmi_loop_create(&p->loop), RM_OK);
    assert_int_equal(rmi_udp_open(p->loop, &any, on_recv, &p->a_in, &p->a), RM_OK);
    assert_int_equal(rmi_udp_open(p->loop, &any, on_recv, &p->b, &p->b.udp), RM_OK);
    assert_int_not_equal(rmi_udp_local_addr(p->a)->port, 0);
}

static void close_pair(struct pair *p) {
    rmi_udp_close(&p->a);
    rmi_udp_close(&p->b.udp);
    rmi_udp_close(&p->b.udp);
    rmi_udp_close(NULL);
    rmi_loop_destroy(&p->loop);
}

static void datagrams_arrive_in_order_with_their_sender(void **state) {
    (void)state;
    struct pair p;
    open_pair(&p);
    p.b.want = 100;
    uint8_t data[1200] = {0};
    for (uint32_t i = 0; i < 100; i++) {
        memcpy(data, &i, sizeof i);
        assert_int_equal(rmi_udp_send(p.a, rmi_udp_local_addr(p.b.udp), data, sizeof data), RM_OK);
    }
    assert_int_equal(wait_for(p.loop, &p.b.done), RM_OK);
    assert_int_equal(p.b.got, 100);
    assert_int_equal(p.b.wrong, 0);
    assert_int_equal(p.b.last_len, sizeof data);
    assert_true(rmi_addr_equal(&p.b.last_from, rmi_udp_local_addr(p.a)));
    struct rmi_udp_stats stats;
    rmi_udp_get_stats(p.a, &stats);
    assert_int_equal(stats.send_packets, 100);
    rmi_udp_get_stats(p.b.udp, &stats);
    assert_int_equal(stats.recv_packets, 100);
    assert_int_equal(stats.recv_bytes, 100 * sizeof data);
    assert_true(stats.rcvbuf_bytes > 0);
    close_pair(&p);
}

static void a_batch_takes_few_system_calls(void **state) {
    (void)state;
    struct pair p;
    open_pair(&p);
    p.b.want = 100;
    rmi_udp_batch_begin(p.a);
    rmi_udp_batch_begin(p.a);
    for (uint32_t i = 0; i < 100; i++) {
        uint8_t data[200] = {0}; /* copied: gone before it is sent */
        memcpy(data, &i, sizeof i);
        assert_int_equal(rmi_udp_send(p.a, rmi_udp_local_addr(p.b.udp), data, sizeof data), RM_OK);
    }
    rmi_udp_batch_end(p.a);
    struct rmi_udp_stats stats;
    rmi_udp_get_stats(p.a, &stats);
    assert_true(stats.send_packets < 100); /* the inner end sends nothing */
    rmi_udp_batch_end(p.a);
    assert_int_equal(wait_for(p.loop, &p.b.done), RM_OK);
    assert_int_equal(p.b.wrong, 0);
    rmi_udp_get_stats(p.a, &stats);
    assert_int_equal(stats.send_packets, 100);
    assert_int_equal(stats.send_bytes, 100 * 200);
    assert_true(stats.send_calls <= 4);
    close_pair(&p);
}

static void a_refused_datagram_in_a_batch_does_not_hold_up_the_rest(void **state) {
    (void)state;
    struct pair p;
    open_pair(&p);
    p.b.want = 2;
    struct rmi_addr nowhere = {.family = 4, .ip = {255, 255, 255, 255}, .port = 9}; /* EACCES without SO_BROADCAST */
    uint32_t number = 0;
    rmi_udp_batch_begin(p.a);
    rmi_udp_send(p.a, rmi_udp_local_addr(p.b.udp), (uint8_t *)&number, sizeof number);
    rmi_udp_send(p.a, &nowhere, (uint8_t *)&number, sizeof number);
    number = 1;
    rmi_udp_send(p.a, rmi_udp_local_addr(p.b.udp), (uint8_t *)&number, sizeof number);
    rmi_udp_batch_end(p.a);
    assert_int_equal(wait_for(p.loop, &p.b.done), RM_OK);
    assert_int_equal(p.b.wrong, 0);
    struct rmi_udp_stats stats;
    rmi_udp_get_stats(p.a, &stats);
    assert_int_equal(stats.send_errors, 1);
    assert_int_equal(stats.send_packets, 2);
    assert_int_equal(rmi_udp_send(p.a, &nowhere, (uint8_t *)&number, sizeof number), RM_E_IO);
    close_pair(&p);
}

static void an_unreachable_port_does_not_break_the_socket(void **state) {
    (void)state;
    struct pair p;
    open_pair(&p);
    struct rmi_addr gone = *rmi_udp_local_addr(p.b.udp);
    rmi_udp_close(&p.b.udp);
    uint32_t number = 0;
    for (int i = 0; i < 5; i++)
        assert_int_equal(rmi_udp_send(p.a, &gone, (uint8_t *)&number, sizeof number), RM_OK);
    p.a_in.want = 1;
    assert_int_equal(rmi_udp_send(p.a, rmi_udp_local_addr(p.a), (uint8_t *)&number, sizeof number), RM_OK);
    assert_int_equal(wait_for(p.loop, &p.a_in.done), RM_OK);
    close_pair(&p);
}

static void arguments_and_sizes_are_checked(void **state) {
    (void)state;
    struct pair p;
    open_pair(&p);
    uint8_t data[RMI_DATAGRAM_MAX + 1] = {0};
    struct rmi_addr v6 = {.family = 6, .ip = {[15] = 1}, .port = 9};
    struct rmi_addr none = {0};
    struct rmi_udp *out = NULL;
    assert_int_equal(rmi_udp_send(p.a, &v6, data, 4), RM_E_INVALID_ARG);
    assert_int_equal(rmi_udp_send(p.a, rmi_udp_local_addr(p.b.udp), data, sizeof data), RM_E_TOO_BIG);
    assert_int_equal(rmi_udp_open(p.loop, &none, on_recv, &p.b, &out), RM_E_INVALID_ARG);
    assert_int_equal(rmi_udp_open(p.loop, rmi_udp_local_addr(p.a), on_recv, &p.b, &out), RM_E_IO); /* port taken */
    assert_null(out);
    p.b.want = 1;
    assert_int_equal(rmi_udp_send(p.a, rmi_udp_local_addr(p.b.udp), data, RMI_DATAGRAM_MAX), RM_OK);
    assert_int_equal(wait_for(p.loop, &p.b.done), RM_OK);
    assert_int_equal(p.b.last_len, RMI_DATAGRAM_MAX);
    p.b.want = 2;
    p.b.done = 0;
    p.b.got = 1;
    assert_int_equal(rmi_udp_send(p.a, rmi_udp_local_addr(p.b.udp), data, 0), RM_OK); /* empty, and legal */
    assert_int_equal(wait_for(p.loop, &p.b.done), RM_OK);
    assert_int_equal(p.b.last_len, 0);
    close_pair(&p);
}

/* Numbered datagrams of one size, then a shorter one, in one batch. */
static void send_burst(struct rmi_udp *from, const struct rmi_addr *to) {
    uint8_t data[BURST_BYTES] = {0};
    rmi_udp_batch_begin(from);
    for (uint32_t i = 0; i < BURST; i++) {
        memcpy(data, &i, sizeof i);
        assert_int_equal(rmi_udp_send(from, to, data, i + 1 < BURST ? sizeof data : sizeof data / 2), RM_OK);
    }
    rmi_udp_batch_end(from);
}

static void ipv6_works_where_there_is_any(void **state) {
    (void)state;
    struct rmi_loop *loop = NULL;
    struct inbox in = {.want = 1};
    struct rmi_addr any = {.family = 6, .ip = {[15] = 1}};
    assert_int_equal(rmi_loop_create(&loop), RM_OK);
    if (rmi_udp_open(loop, &any, on_recv, &in, &in.udp) != RM_OK) {
        rmi_loop_destroy(&loop);
        skip();
    }
    uint32_t number = 0;
    assert_int_equal(rmi_udp_send(in.udp, rmi_udp_local_addr(in.udp), (uint8_t *)&number, sizeof number), RM_OK);
    assert_int_equal(wait_for(loop, &in.done), RM_OK);
    assert_int_equal(in.last_from.family, 6);
    in.got = in.done = 0;
    in.want = BURST;
    send_burst(in.udp, rmi_udp_local_addr(in.udp));
    assert_int_equal(wait_for(loop, &in.done), RM_OK);
    assert_int_equal(in.wrong, 0);
    rmi_udp_close(&in.udp);
    rmi_loop_destroy(&loop);
}

/* Runs of each ECN field in one batch, which must not be joined, and one alone, which leaves at once. */
static void send_marks(struct rmi_udp *from, const struct rmi_addr *to, uint32_t first) {
    uint8_t data[BURST_BYTES] = {0};
    rmi_udp_batch_begin(from);
    for (uint32_t i = 0; i < BURST; i++) {
        const enum rmi_ecn ecn = (enum rmi_ecn)(i * (RMI_ECN_MASK + 1) / BURST);
        const uint32_t number = first + i;
        memcpy(data, &number, sizeof number);
        assert_int_equal(rmi_udp_send_marked(from, to, data, sizeof data, ecn), RM_OK);
    }
    rmi_udp_batch_end(from);
    const uint32_t last = first + BURST;
    memcpy(data, &last, sizeof last);
    assert_int_equal(rmi_udp_send_marked(from, to, data, sizeof data, RMI_ECN_ECT0), RM_OK);
}

static void check_marks(struct rmi_loop *loop, struct inbox *in, bool segments) {
    for (int reads = 0; reads < 2; reads++) {
        *in = (struct inbox){.udp = in->udp, .want = BURST + 1};
        rmi_udp_set_offload(in->udp, segments);
        if (!rmi_udp_read_ecn(in->udp, reads))
            skip();
        send_marks(in->udp, rmi_udp_local_addr(in->udp), 0);
        assert_int_equal(wait_for(loop, &in->done), RM_OK);
        assert_int_equal(in->wrong, 0);
        assert_int_equal(in->marked[RMI_ECN_NOT_ECT], reads ? BURST / 4 : BURST + 1);
        assert_int_equal(in->marked[RMI_ECN_ECT0], reads ? BURST / 4 + 1 : 0);
        assert_int_equal(in->marked[RMI_ECN_ECT1], reads ? BURST / 4 : 0);
        assert_int_equal(in->marked[RMI_ECN_CE], reads ? BURST / 4 : 0);
    }
}

static void ecn_fields_arrive_as_they_were_sent(void **state) {
    (void)state;
    struct rmi_loop *loop = NULL;
    struct inbox in = {0};
    const struct rmi_addr any[] = {loopback4(), {.family = 6, .ip = {[15] = 1}}};
    assert_int_equal(rmi_loop_create(&loop), RM_OK);
    for (size_t i = 0; i < sizeof any / sizeof any[0]; i++) {
        if (rmi_udp_open(loop, &any[i], on_recv, &in, &in.udp) != RM_OK && any[i].family == 6)
            continue; /* no IPv6 here */
        check_marks(loop, &in, true);
        check_marks(loop, &in, false);
        rmi_udp_close(&in.udp);
    }
    rmi_loop_destroy(&loop);
}

static void closing_inside_the_callback_ends_it(void **state) {
    (void)state;
    struct pair p;
    open_pair(&p);
    p.b.want = 1;
    p.b.close_at_first = true;
    for (uint32_t i = 0; i < 10; i++)
        rmi_udp_send(p.a, rmi_udp_local_addr(p.b.udp), (uint8_t *)&i, sizeof i);
    assert_int_equal(wait_for(p.loop, &p.b.done), RM_OK);
    assert_null(p.b.udp);
    int never = 0;
    assert_int_equal(rmi_loop_run_until(p.loop, &never, rmi_now_us() + RMI_MS(5)), RM_E_TIMEOUT);
    assert_int_equal(p.b.got, 1);
    close_pair(&p);
}

static void cycles_leave_nothing_behind(void **state) {
    (void)state;
    struct rmi_loop *loop = NULL;
    struct rmi_addr any = loopback4();
    struct inbox in = {0};
    assert_int_equal(rmi_loop_create(&loop), RM_OK);
    int fds = count_entries("/proc/self/fd");
    for (int i = 0; i < CYCLES; i++) {
        assert_int_equal(rmi_udp_open(loop, &any, on_recv, &in, &in.udp), RM_OK);
        rmi_udp_close(&in.udp);
        assert_int_equal(rmi_loop_process(loop), RM_OK);
    }
    assert_int_equal(count_entries("/proc/self/fd"), fds);
    assert_int_equal(rmi_udp_open(loop, &any, on_recv, &in, &in.udp), RM_OK);
    rmi_loop_destroy(&loop); /* closes what was left open */
    assert_true(count_entries("/proc/self/fd") < fds);
}

static void check_burst(struct pair *p) {
    struct rmi_udp_stats stats;
    p->b.want = BURST;
    send_burst(p->a, rmi_udp_local_addr(p->b.udp));
    assert_int_equal(wait_for(p->loop, &p->b.done), RM_OK);
    assert_int_equal(p->b.got, BURST);
    assert_int_equal(p->b.wrong, 0);
    assert_int_equal(p->b.last_len, BURST_BYTES / 2);
    rmi_udp_get_stats(p->a, &stats);
    assert_int_equal(stats.send_packets, BURST);
    assert_int_equal(stats.send_bytes, (BURST - 1) * BURST_BYTES + BURST_BYTES / 2);
    assert_int_equal(stats.send_errors + stats.send_dropped, 0);
    rmi_udp_get_stats(p->b.udp, &stats);
    assert_int_equal(stats.recv_packets, BURST);
    assert_int_equal(stats.recv_bytes, (BURST - 1) * BURST_BYTES + BURST_BYTES / 2);
}

static void a_burst_is_cut_and_joined_by_the_kernel(void **state) {
    (void)state;
    struct pair p;
    struct rmi_udp_stats stats;
    open_pair(&p);
    rmi_udp_on_batch(p.b.udp, on_batch);
    check_burst(&p);
    rmi_udp_get_stats(p.a, &stats);
    assert_true(stats.send_calls <= 8);
    rmi_udp_get_stats(p.b.udp, &stats);
    assert_int_equal(p.b.batches, (int)stats.recv_calls);
    close_pair(&p);
}

static void a_burst_goes_one_by_one_when_that_is_switched_off(void **state) {
    (void)state;
    for (int who = 0; who < 3; who++) { /* the sender, the receiver, both */
        struct pair p;
        open_pair(&p);
        if (who != 1)
            rmi_udp_set_offload(p.a, false);
        if (who != 0)
            rmi_udp_set_offload(p.b.udp, false);
        check_burst(&p);
        close_pair(&p);
    }
}

static int descriptor_of(const struct rmi_udp *udp) {
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        struct sockaddr_in sa;
        socklen_t len = sizeof sa;
        if (!getsockname(fd, (struct sockaddr *)&sa, &len) && sa.sin_family == AF_INET &&
            ntohs(sa.sin_port) == rmi_udp_local_addr(udp)->port)
            return fd;
    }
    return -1;
}

static void where_the_kernel_cannot_cut_nothing_is_lost(void **state) {
    (void)state;
    struct pair p;
    open_pair(&p);
    int on = 1; /* without checksums Linux refuses to cut: EINVAL or EIO */
    assert_int_equal(setsockopt(descriptor_of(p.a), SOL_SOCKET, SO_NO_CHECK, &on, sizeof on), 0);
    check_burst(&p);
    struct rmi_udp_stats stats;
    rmi_udp_get_stats(p.a, &stats);
    uint64_t calls = stats.send_calls;
    assert_true(calls > BURST / 64); /* it was refused */
    p.b.got = p.b.done = 0;
    send_burst(p.a, rmi_udp_local_addr(p.b.udp));
    assert_int_equal(wait_for(p.loop, &p.b.done), RM_OK);
    rmi_udp_get_stats(p.a, &stats);
    assert_true(stats.send_calls - calls < calls); /* and is not tried again */
    close_pair(&p);
}

static void sizes_and_addresses_mixed_keep_their_order(void **state) {
    (void)state;
    struct pair p;
    struct rmi_udp_stats stats;
    uint8_t data[RMI_DATAGRAM_MAX] = {0};
    size_t bytes = 0;
    open_pair(&p);
    p.b.want = BURST;
    p.a_in.want = BURST / 10;
    uint32_t own = 0;
    rmi_udp_batch_begin(p.a);
    for (uint32_t i = 0; i < BURST; i++) {
        size_t len = 4 + i * 7919U % (sizeof data - 3); /* up and down */
        memcpy(data, &i, sizeof i);
        assert_int_equal(rmi_udp_send(p.a, rmi_udp_local_addr(p.b.udp), data, len), RM_OK);
        bytes += len;
        if (i % 10 == 0) {
            memcpy(data, &own, sizeof own);
            own++;
            assert_int_equal(rmi_udp_send(p.a, rmi_udp_local_addr(p.a), data, len), RM_OK);
        }
    }
    rmi_udp_batch_end(p.a);
    assert_int_equal(wait_for(p.loop, &p.b.done), RM_OK);
    assert_int_equal(wait_for(p.loop, &p.a_in.done), RM_OK);
    assert_int_equal(p.b.wrong + p.a_in.wrong, 0);
    rmi_udp_get_stats(p.b.udp, &stats);
    assert_int_equal(stats.recv_bytes, bytes);
    close_pair(&p);
}

static void answers_leave_together_at_the_end_of_the_turn(void **state) {
    (void)state;
    struct pair p;
    struct rmi_udp_stats stats;
    open_pair(&p);
    p.b.want = p.a_in.want = BURST / 10;
    p.b.answers = true;
    for (uint32_t i = 0; i < BURST / 10; i++)
        assert_int_equal(rmi_udp_send(p.a, rmi_udp_local_addr(p.b.udp), (uint8_t *)&i, sizeof i), RM_OK);
    assert_int_equal(wait_for(p.loop, &p.a_in.done), RM_OK);
    rmi_udp_get_stats(p.b.udp, &stats);
    assert_int_equal(stats.send_packets, BURST / 10);
    assert_true(stats.send_calls > p.b.calls_inside); /* the last went out after the callbacks */
    assert_true(stats.send_calls <= 3);
    close_pair(&p);
}

static void a_datagram_over_the_limit_is_counted_and_dropped(void **state) {
    (void)state;
    struct pair p;
    struct rmi_udp_stats stats;
    static const uint8_t big[RMI_DATAGRAM_MAX + 1];
    open_pair(&p);
    const struct rmi_addr *to = rmi_udp_local_addr(p.b.udp);
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(to->port)};
    memcpy(&sa.sin_addr, to->ip, sizeof sa.sin_addr);
    assert_int_equal(sendto(descriptor_of(p.a), big, sizeof big, 0, (struct sockaddr *)&sa, sizeof sa), sizeof big);
    p.b.want = 1;
    uint32_t number = 0;
    assert_int_equal(rmi_udp_send(p.a, to, (uint8_t *)&number, sizeof number), RM_OK);
    assert_int_equal(wait_for(p.loop, &p.b.done), RM_OK);
    assert_int_equal(p.b.got, 1);
    rmi_udp_get_stats(p.b.udp, &stats);
    assert_int_equal(stats.recv_truncated, 1);
    close_pair(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams_arrive_in_order_with_their_sender),
        cmocka_unit_test(a_batch_takes_few_system_calls),
        cmocka_unit_test(a_refused_datagram_in_a_batch_does_not_hold_up_the_rest),
        cmocka_unit_test(an_unreachable_port_does_not_break_the_socket),
        cmocka_unit_test(arguments_and_sizes_are_checked),
        cmocka_unit_test(ipv6_works_where_there_is_any),
        cmocka_unit_test(ecn_fields_arrive_as_they_were_sent),
        cmocka_unit_test(a_burst_is_cut_and_joined_by_the_kernel),
        cmocka_unit_test(a_burst_goes_one_by_one_when_that_is_switched_off),
        cmocka_unit_test(where_the_kernel_cannot_cut_nothing_is_lost),
        cmocka_unit_test(sizes_and_addresses_mixed_keep_their_order),
        cmocka_unit_test(answers_leave_together_at_the_end_of_the_turn),
        cmocka_unit_test(a_datagram_over_the_limit_is_counted_and_dropped),
        cmocka_unit_test(closing_inside_the_callback_ends_it),
        cmocka_unit_test(cycles_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
