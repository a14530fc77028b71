/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/association.h"
#include "sctp/link_testkit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <usrsctp.h>

/* What usrsctp makes of the links that `rmrtc bench DATA` gives to our association: the same packets' size, headers,
 * rate, delay, queue, loss and seeds, two of its sockets, virtual time. Set up as libdatachannel does, with buffers as
 * large as ours, and its timers each 10 ms as in its own thread. Prints the payload in bytes that came in the measured
 * time, and the 95th percentile in microseconds of small messages on another stream (-1: none were sent).
 *
 * A program of its own, because the stack is one global object that reads the clock, which is therefore ours. */

#define TICK_US RMI_MS(10)
#define BUFFER_BYTES (4 << 20)
#define SMALL_EVERY_US RMI_MS(50)
#define SMALL_BYTES 16
#define LATENCIES 4096
#define BULK 1
#define SMALL 2

enum { MBIT, LOSS_PERMILLE, RTT, QUEUE, WARM, MEASURED, MESSAGE, WITH_SMALL, ARGUMENTS };

struct end {
    struct test_link out;
    struct socket *socket;
};
static struct {
    struct end end[2];
    int64_t now_us, ticked_us;
    uint64_t got;
    int64_t latency_us[LATENCIES];
    size_t latencies;
} w; /* usrsctp's callbacks and the clock have no context */

__attribute__((visibility("default"))) int gettimeofday(struct timeval *restrict tv, void *restrict zone);
int gettimeofday(struct timeval *restrict tv, void *restrict zone) {
    (void)zone;
    tv->tv_sec = 1000 + w.now_us / 1000000;
    tv->tv_usec = w.now_us % 1000000;
    return 0;
}

static void require(int ok, const char *what) {
    if (ok)
        return;
    fprintf(stderr, "usrsctp_link: %s failed\n", what);
    exit(EXIT_FAILURE);
}

static int out(void *address, void *data, size_t len, uint8_t tos, uint8_t df) {
    struct end *e = address;
    (void)tos;
    (void)df;
    test_link_send(&e->out, w.now_us, data, len);
    return 0;
}

static int in(struct socket *s, union sctp_sockstore from, void *data, size_t len, struct sctp_rcvinfo info, int flags,
              void *ctx) {
    (void)s;
    (void)from;
    (void)ctx;
    if (!data)
        return 1;
    if (!(flags & MSG_NOTIFICATION) && info.rcv_sid == BULK)
        w.got += len;
    if (!(flags & MSG_NOTIFICATION) && info.rcv_sid == SMALL && w.latencies < LATENCIES) {
        int64_t sent_us;
        memcpy(&sent_us, data, sizeof sent_us);
        w.latency_us[w.latencies++] = w.now_us - sent_us;
    }
    free(data);
    return 1;
}

static void set(struct socket *s, int level, int option, const void *value, size_t len) {
    require(usrsctp_setsockopt(s, level, option, value, (socklen_t)len) == 0, "setsockopt");
}

static void open_end(struct end *e) {
    const int on = 1, bytes = BUFFER_BYTES;
    struct sockaddr_conn address = {.sconn_family = AF_CONN, .sconn_port = htons(RMI_SCTP_PORT), .sconn_addr = e};
    struct sctp_paddrparams params = {.spp_flags = SPP_PMTUD_DISABLE, .spp_pathmtu = RMI_SCTP_PACKET_MAX & ~3U};
    usrsctp_register_address(e);
    e->socket = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, in, NULL, 0, NULL);
    require(e->socket != NULL, "socket");
    usrsctp_set_non_blocking(e->socket, 1);
    set(e->socket, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    set(e->socket, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    set(e->socket, IPPROTO_SCTP, SCTP_NODELAY, &on, sizeof on);
    require(usrsctp_bind(e->socket, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    usrsctp_connect(e->socket, (struct sockaddr *)&address, sizeof address); /* in progress */
    memcpy(&params.spp_address, &address, sizeof address);
    set(e->socket, IPPROTO_SCTP, SCTP_PEER_ADDR_PARAMS, &params, sizeof params);
}

static int give(uint16_t stream, const void *data, size_t len) {
    struct sctp_sndinfo info = {.snd_sid = stream, .snd_flags = SCTP_EOR, .snd_ppid = htonl(53)};
    return usrsctp_sendv(w.end[0].socket, data, len, NULL, 0, &info, sizeof info, SCTP_SENDV_SNDINFO, 0) > 0;
}

static void run(int64_t until_us, const uint8_t *message, const long *value) {
    for (int64_t small_us = w.now_us; w.now_us < until_us;) {
        while (give(BULK, message, (size_t)value[MESSAGE])) {
        }
        uint8_t small[SMALL_BYTES] = {0};
        memcpy(small, &w.now_us, sizeof w.now_us);
        if (value[WITH_SMALL] && w.now_us >= small_us && give(SMALL, small, sizeof small))
            small_us = w.now_us + SMALL_EVERY_US;
        int64_t next_us = rmi_min64(w.ticked_us + TICK_US, until_us);
        for (int i = 0; i < 2; i++)
            next_us = rmi_min64(next_us, test_link_next(&w.end[i].out));
        w.now_us = rmi_max64(w.now_us, next_us);
        for (int i = 0; i < 2; i++)
            while (test_link_next(&w.end[i].out) <= w.now_us) {
                struct test_packet p = test_link_pop(&w.end[i].out);
                usrsctp_conninput(&w.end[!i], p.data, p.len, 0);
                free(p.data);
            }
        if (w.now_us >= w.ticked_us + TICK_US) {
            usrsctp_handle_timers((uint32_t)((w.now_us - w.ticked_us) / 1000));
            w.ticked_us = w.now_us;
        }
    }
}

static void start_stack(void) {
    usrsctp_init_nothreads(0, out, NULL);
    usrsctp_sysctl_set_sctp_ecn_enable(0);
    usrsctp_sysctl_set_sctp_asconf_enable(0);
    usrsctp_sysctl_set_sctp_auth_enable(0);
    usrsctp_sysctl_set_sctp_max_chunks_on_queue(10 * 1024);
    usrsctp_sysctl_set_sctp_initial_cwnd(10);
    usrsctp_sysctl_set_sctp_max_burst_default(10);
    usrsctp_sysctl_set_sctp_delayed_sack_time_default(20);
    usrsctp_sysctl_set_sctp_rto_min_default(200);
    usrsctp_sysctl_set_sctp_rto_max_default(10000);
}

static int by_value(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    long value[ARGUMENTS];
    if (argc != ARGUMENTS + 1) {
        fprintf(stderr, "usage: usrsctp_link MBIT LOSS_PERMILLE RTT_US QUEUE_US WARM_US MEASURED_US MESSAGE SMALL\n");
        return 2;
    }
    for (int i = 0; i < ARGUMENTS; i++)
        value[i] = strtol(argv[i + 1], NULL, 10);
    require(value[MBIT] > 0 && value[RTT] > 0 && value[MEASURED] > 0 && value[MESSAGE] > 0, "reading the numbers");
    uint8_t *message = calloc(1, (size_t)value[MESSAGE]);
    require(message != NULL, "memory");
    start_stack();
    w.now_us = w.ticked_us = RMI_SEC(1);
    for (int i = 0; i < 2; i++) {
        w.end[i].out.c = (struct test_link_config){.rate_bps = value[MBIT] * 1000000LL,
                                                   .delay_us = value[RTT] / 2,
                                                   .queue_us = value[QUEUE],
                                                   .headers = TEST_HEADERS,
                                                   .loss_permille = (int)value[LOSS_PERMILLE]};
        rmi_prng_seed(&w.end[i].out.prng, 4 + (uint64_t)i);
        open_end(&w.end[i]);
    }
    run(w.now_us + value[WARM], message, value);
    const uint64_t before = w.got;
    run(w.now_us + value[MEASURED], message, value);
    qsort(w.latency_us, w.latencies, sizeof w.latency_us[0], by_value);
    printf("%llu %lld\n", (unsigned long long)(w.got - before),
           w.latencies ? (long long)w.latency_us[(w.latencies - 1) * 95 / 100] : -1LL);
    fflush(stdout);
    _Exit(EXIT_SUCCESS); /* the stack takes virtual seconds to close */
}
