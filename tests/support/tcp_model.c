/* SPDX-License-Identifier: Apache-2.0 */
#include "support/tcp_model.h"
#include <stdlib.h>
#include <string.h>

#define SEGMENT 1460
#define HEADER 12 /* of 20: eight are UDP's, which the link counts */
#define WINDOW 4096
#define INITIAL_WINDOW 10.0 /* RFC 6928 */
#define RTO_LEAST_US RMI_MS(200)
#define RTO_MOST_US RMI_SEC(10)
#define DUPLICATES 3

struct tcp_flow {
    struct rmt_host *host;
    struct rmt_socket *out, *in;
    bool busy;
    uint64_t left;         /* segments to send for the first time; UINT64_MAX: no end */
    uint32_t next, oldest; /* numbers of segments: oldest is the first one not acknowledged */
    uint32_t high;         /* highest acknowledged, plus one */
    uint32_t recover;      /* losses below this belong to the last cut */
    bool acked[WINDOW], lost[WINDOW];
    int64_t sent_us[WINDOW];
    uint32_t flight;
    double window, threshold;
    int64_t rtt_us, deviation_us, rto_us;
    uint64_t timer;
    uint64_t acked_bytes;
    struct rmi_addr peer;
};

static void on_timer(void *ctx, int64_t now_us);

static void arm(struct tcp_flow *f) {
    struct rmt_vnet *v = rmt_host_vnet(f->host);
    if (f->timer)
        (void)rmt_vnet_cancel(v, f->timer);
    f->timer = f->busy && f->flight > 0 ? rmt_vnet_at(v, rmt_vnet_now(v) + f->rto_us, on_timer, f) : 0;
}

static void send_segment(struct tcp_flow *f, uint32_t number) {
    uint8_t data[SEGMENT + HEADER] = {0};
    memcpy(data, &number, sizeof number);
    f->sent_us[number % WINDOW] = rmt_vnet_now(rmt_host_vnet(f->host));
    f->lost[number % WINDOW] = false;
    f->flight++;
    (void)rmt_socket_send(f->out, &f->peer, data, sizeof data);
}

static void fill(struct tcp_flow *f) {
    for (uint32_t n = f->oldest; n != f->next && f->flight < (uint32_t)f->window; n++)
        if (!f->acked[n % WINDOW] && f->lost[n % WINDOW])
            send_segment(f, n);
    while (f->busy && f->left > 0 && f->flight < (uint32_t)f->window && f->next - f->oldest < WINDOW) {
        f->acked[f->next % WINDOW] = false;
        send_segment(f, f->next++);
        f->left -= f->left != UINT64_MAX;
    }
    arm(f);
}

static void cut(struct tcp_flow *f, double window) {
    f->threshold = f->window / 2 > 2 ? f->window / 2 : 2;
    f->window = window > 0 ? window : f->threshold;
    f->recover = f->next;
}

static void on_timer(void *ctx, int64_t now_us) {
    struct tcp_flow *f = ctx;
    (void)now_us;
    f->timer = 0;
    for (uint32_t n = f->oldest; n != f->next; n++)
        f->lost[n % WINDOW] = !f->acked[n % WINDOW];
    f->flight = 0;
    f->rto_us = rmi_min64(2 * f->rto_us, RTO_MOST_US);
    cut(f, 1);
    fill(f);
}

static void note_rtt(struct tcp_flow *f, int64_t rtt_us) {
    const int64_t off = rtt_us - f->rtt_us;
    f->deviation_us = f->rtt_us ? f->deviation_us + ((off < 0 ? -off : off) - f->deviation_us) / 4 : rtt_us / 2;
    f->rtt_us = f->rtt_us ? f->rtt_us + off / 8 : rtt_us;
    f->rto_us = rmi_max64(f->rtt_us + 4 * f->deviation_us, RTO_LEAST_US);
}

static void find_losses(struct tcp_flow *f) {
    bool fresh = false;
    for (uint32_t n = f->oldest; (int32_t)(f->high - n) > DUPLICATES; n++) {
        const int64_t age_us = rmt_vnet_now(rmt_host_vnet(f->host)) - f->sent_us[n % WINDOW];
        if (f->acked[n % WINDOW] || f->lost[n % WINDOW] || age_us < f->rtt_us)
            continue;
        f->lost[n % WINDOW] = true;
        f->flight -= f->flight > 0;
        fresh = fresh || (int32_t)(n - f->recover) >= 0;
    }
    if (fresh)
        cut(f, 0);
}

static void on_ack(void *ctx, int64_t now_us, const struct rmi_addr *from, uint8_t *data, size_t len) {
    struct tcp_flow *f = ctx;
    uint32_t number;
    (void)from, (void)now_us;
    if (len < sizeof number)
        return;
    memcpy(&number, data, sizeof number);
    if (number - f->oldest >= f->next - f->oldest || f->acked[number % WINDOW])
        return;
    note_rtt(f, rmt_vnet_now(rmt_host_vnet(f->host)) - f->sent_us[number % WINDOW]);
    f->acked[number % WINDOW] = true;
    f->flight -= f->flight > 0 && !f->lost[number % WINDOW];
    f->acked_bytes += SEGMENT;
    f->high = (int32_t)(number + 1 - f->high) > 0 ? number + 1 : f->high;
    while (f->oldest != f->next && f->acked[f->oldest % WINDOW])
        f->oldest++;
    find_losses(f);
    f->window += f->window < f->threshold ? 1 : 1 / f->window;
    if (f->oldest == f->next && f->left == 0)
        f->busy = false;
    fill(f);
}

static void on_segment(void *ctx, int64_t now_us, const struct rmi_addr *from, uint8_t *data, size_t len) {
    struct tcp_flow *f = ctx;
    uint8_t ack[40 - 8] = {0};
    (void)now_us;
    if (len < sizeof(uint32_t))
        return;
    memcpy(ack, data, sizeof(uint32_t));
    (void)rmt_socket_send(f->in, from, ack, sizeof ack);
}

struct tcp_flow *tcp_flow_open(struct rmt_host *from, struct rmt_host *to) {
    struct tcp_flow *f = calloc(1, sizeof *f);
    RMT_CHECK(rmt_host_vnet(from), f != NULL);
    f->host = from;
    char text[RMI_ADDR_TEXT_MAX];
    struct rmi_addr addr = rmt_host_iface(from, 0).addr;
    f->out = rmt_socket_open_addr(from, &addr, on_ack, f);
    addr = rmt_host_iface(to, 0).addr;
    f->in = rmt_socket_open_addr(to, &addr, on_segment, f);
    if (!f->out || !f->in)
        rmt_vnet_fail(rmt_host_vnet(from), "no socket on %s", rmi_addr_text(&addr, text));
    f->peer = rmt_socket_addr(f->in);
    f->rto_us = RMI_SEC(1);
    return f;
}

void tcp_flow_close(struct tcp_flow **flow) {
    struct tcp_flow *f = *flow;
    *flow = NULL;
    if (!f)
        return;
    f->busy = false;
    if (f->timer)
        (void)rmt_vnet_cancel(rmt_host_vnet(f->host), f->timer);
    rmt_socket_close(&f->out);
    rmt_socket_close(&f->in);
    free(f);
}

void tcp_flow_start(struct tcp_flow *f, uint64_t bytes) {
    f->busy = true;
    f->left = bytes ? (bytes + SEGMENT - 1) / SEGMENT : UINT64_MAX;
    f->window = INITIAL_WINDOW;
    f->threshold = WINDOW;
    f->recover = f->high = f->next;
    fill(f);
}

void tcp_flow_stop(struct tcp_flow *f) {
    f->left = 0;
}

bool tcp_flow_busy(const struct tcp_flow *f) {
    return f->busy;
}

uint64_t tcp_flow_acked(const struct tcp_flow *f) {
    return f->acked_bytes;
}
