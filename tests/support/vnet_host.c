/* SPDX-License-Identifier: Apache-2.0 */
#include "net/datagram.h"
#include "support/vnet_private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ephemeral ports as RFC 6335 section 6 has them. */
#define EPHEMERAL_FIRST 49152
#define EPHEMERAL_COUNT (UINT16_MAX - EPHEMERAL_FIRST + 1)
#define TIMER_AHEAD_MAX_US                                                                                             \
    RMI_SEC(30 * 86400) /* keeps clock arithmetic inside 64 bits; the timer is then set again                          \
                         */
#define SKEW_MAX_PPM 100000

/* ---- clocks ---- */

static int64_t skewed(int64_t dt_us, int32_t ppm) {
    int64_t extra = dt_us * ppm; /* 100 days at 10 % are 8.6e17 */
    int64_t q = extra / RMT_PPM_ONE;
    return dt_us + (extra % RMT_PPM_ONE < 0 ? q - 1 : q);
}

int64_t rmt_host_now(const struct rmt_host *h) {
    return h->host_base_us + skewed(h->v->now_us - h->net_base_us, h->skew_ppm);
}

int64_t rmt_host_wall(const struct rmt_host *h) {
    return rmt_host_now(h) + h->wall_offset_us;
}

void rmt_host_step_wall(struct rmt_host *h, int64_t by_us) {
    h->wall_offset_us += by_us;
}

static void check_skew(const struct rmt_vnet *v, int32_t ppm) {
    if (ppm < -SKEW_MAX_PPM || ppm > SKEW_MAX_PPM)
        rmt_vnet_fail(v, "clock skew beyond %d ppm", SKEW_MAX_PPM);
}

void rmt_host_set_skew(struct rmt_host *h, int32_t skew_ppm) {
    check_skew(h->v, skew_ppm);
    h->host_base_us = rmt_host_now(h);
    h->net_base_us = h->v->now_us;
    h->skew_ppm = skew_ppm;
    rmt_queue_retime(h);
}

int64_t rmt_host_to_net(const struct rmt_host *h, int64_t host_us) {
    int64_t now = rmt_host_now(h);
    if (host_us <= now)
        return h->v->now_us;
    host_us = rmi_min64(host_us, now + TIMER_AHEAD_MAX_US);
    int64_t target = host_us - h->host_base_us;
    /* The quotient is right within a microsecond or two; the loops make it exact. */
    int64_t whole = target / (RMT_PPM_ONE + h->skew_ppm), rest = target % (RMT_PPM_ONE + h->skew_ppm);
    int64_t dt = whole * RMT_PPM_ONE + rest * RMT_PPM_ONE / (RMT_PPM_ONE + h->skew_ppm);
    while (skewed(dt, h->skew_ppm) < target)
        dt++;
    while (dt > 0 && skewed(dt - 1, h->skew_ppm) >= target)
        dt--;
    return h->net_base_us + dt;
}

/* ---- hosts and interfaces ---- */

static struct rmt_iface *iface_of(struct rmt_host *h, int iface) {
    if (iface < 0 || iface >= h->iface_count)
        rmt_vnet_fail(h->v, "host %s has no interface %d", h->name, iface);
    return &h->ifaces[iface];
}

static void check_unique(const struct rmt_vnet *v, const struct rmt_iface *mine) {
    for (const struct rmt_host *h = v->hosts; h; h = h->next)
        for (int i = 0; i < h->iface_count; i++)
            if (&h->ifaces[i] != mine && h->ifaces[i].nat == mine->nat &&
                rmi_addr_equal_ip(&h->ifaces[i].addr, &mine->addr)) {
                char text[RMI_ADDR_TEXT_MAX];
                rmt_vnet_fail(v, "address %s is host %s's", rmi_addr_ip_text(&mine->addr, text), h->name);
            }
}

static void add_iface(struct rmt_host *h, const struct rmt_host_config *config, int i) {
    static const char *const names[2] = {"up", "down"};
    struct rmt_iface *f = &h->ifaces[i];
    f->addr = rmt_ip(h->v, config->ips[i]);
    f->up = true;
    f->nat = config->publics[i] ? NULL : config->nats[i] ? config->nats[i] : config->nat;
    for (int d = RMT_UP; d <= RMT_DOWN; d++) {
        char name[2 * RMT_NAME_MAX];
        snprintf(name, sizeof name, "%s.%d.%s", h->name, i, names[d]);
        rmt_wire_init(&f->wires[d], h->v, name);
    }
    h->iface_count = i + 1;
    check_unique(h->v, f);
}

struct rmt_host *rmt_host_add(struct rmt_vnet *v, const struct rmt_host_config *config) {
    if (!config->name || rmt_host_find(v, config->name))
        rmt_vnet_fail(v, "host without a name of its own: %s", config->name ? config->name : "(none)");
    check_skew(v, config->skew_ppm);
    struct rmt_host *h = rmt_alloc(sizeof *h);
    h->v = v;
    rmt_copy_name(h->name, config->name);
    h->net_base_us = v->now_us;
    h->host_base_us = v->now_us + config->clock_offset_us;
    h->wall_offset_us = config->wall_offset_us;
    h->skew_ppm = config->skew_ppm;
    rmi_list_init(&h->sockets);
    *v->hosts_end = h;
    v->hosts_end = &h->next;
    for (int i = 0; i < RMT_IFACES_MAX && config->ips[i]; i++)
        add_iface(h, config, i);
    return h;
}

void rmt_host_free(struct rmt_host *h) {
    RMI_LIST_FOREACH (node, tmp, &h->sockets)
        free(RMI_CONTAINER_OF(node, struct rmt_socket, node));
    for (struct rmt_path *p = h->paths, *next; p; p = next) {
        next = p->next;
        free(p);
    }
    free(h);
}

struct rmt_host *rmt_host_find(struct rmt_vnet *v, const char *name) {
    for (struct rmt_host *h = v->hosts; h; h = h->next)
        if (strcmp(h->name, name) == 0)
            return h;
    return NULL;
}

const char *rmt_host_name(const struct rmt_host *h) {
    return h->name;
}

struct rmt_vnet *rmt_host_vnet(struct rmt_host *h) {
    return h->v;
}

int rmt_host_iface_count(const struct rmt_host *h) {
    return h->iface_count;
}

struct rmt_addr_view rmt_host_iface(const struct rmt_host *h, int iface) {
    if (iface < 0 || iface >= h->iface_count)
        return (struct rmt_addr_view){0};
    return (struct rmt_addr_view){.addr = h->ifaces[iface].addr, .up = h->ifaces[iface].up};
}

struct rmt_wire *rmt_host_wire(struct rmt_host *h, int iface, enum rmt_dir dir) {
    return &iface_of(h, iface)->wires[dir];
}

struct rmt_wire *rmt_path_wire(struct rmt_host *from, struct rmt_host *to) {
    for (struct rmt_path *p = from->paths; p; p = p->next)
        if (p->to == to)
            return &p->wire;
    struct rmt_path *p = rmt_alloc(sizeof *p);
    char name[2 * RMT_NAME_MAX + 16];
    snprintf(name, sizeof name, "%s>%s", from->name, to->name);
    rmt_wire_init(&p->wire, from->v, name);
    p->to = to;
    p->next = from->paths;
    from->paths = p;
    return &p->wire;
}

void rmt_host_set_links(struct rmt_host *h, const struct rmt_link *up, const struct rmt_link *down) {
    for (int i = 0; i < h->iface_count; i++) {
        if (up)
            rmt_wire_set(&h->ifaces[i].wires[RMT_UP], up);
        if (down)
            rmt_wire_set(&h->ifaces[i].wires[RMT_DOWN], down);
    }
}

void rmt_host_blackhole(struct rmt_host *h, int64_t from_us, int64_t to_us) {
    for (int i = 0; i < h->iface_count; i++)
        for (int d = RMT_UP; d <= RMT_DOWN; d++)
            rmt_wire_blackhole(&h->ifaces[i].wires[d], from_us, to_us);
}

static void changed(void *ctx, int64_t now_us) {
    struct rmt_host *h = ctx;
    if (h->change_fn)
        h->change_fn(h->change_ctx, now_us);
}

void rmt_host_on_change(struct rmt_host *h, rmt_task_fn fn, void *ctx) {
    h->change_fn = fn;
    h->change_ctx = ctx;
}

void rmt_host_move(struct rmt_host *h, int iface, const char *ip, struct rmt_nat *nat) {
    struct rmt_iface *f = iface_of(h, iface);
    f->addr = rmt_ip(h->v, ip);
    f->nat = nat;
    check_unique(h->v, f);
    rmt_host_at(h, rmt_host_now(h), changed, h);
}

void rmt_host_set_addr(struct rmt_host *h, int iface, const char *ip) {
    rmt_host_move(h, iface, ip, iface_of(h, iface)->nat);
}

void rmt_host_set_up(struct rmt_host *h, int iface, bool up) {
    struct rmt_iface *f = iface_of(h, iface);
    if (f->up == up)
        return;
    f->up = up;
    rmt_host_at(h, rmt_host_now(h), changed, h);
}

/* ---- sockets ---- */

static struct rmt_iface *iface_with(struct rmt_host *h, const struct rmi_addr *addr) {
    for (int i = 0; i < h->iface_count; i++)
        if (h->ifaces[i].up && rmi_addr_equal_ip(&h->ifaces[i].addr, addr))
            return &h->ifaces[i];
    return NULL;
}

static struct rmt_socket *socket_at(struct rmt_host *h, const struct rmi_addr *addr) {
    RMI_LIST_FOREACH (node, tmp, &h->sockets) {
        struct rmt_socket *s = RMI_CONTAINER_OF(node, struct rmt_socket, node);
        if (rmi_addr_equal(&s->addr, addr))
            return s;
    }
    return NULL;
}

static bool choose_port(struct rmt_host *h, struct rmi_addr *addr) {
    for (int i = 0; addr->port == 0 && i < EPHEMERAL_COUNT; i++) {
        addr->port = (uint16_t)(EPHEMERAL_FIRST + h->next_port);
        h->next_port = (uint16_t)((h->next_port + 1) % EPHEMERAL_COUNT);
        if (socket_at(h, addr))
            addr->port = 0;
    }
    return addr->port != 0 && !socket_at(h, addr);
}

struct rmt_socket *rmt_socket_open_addr(struct rmt_host *h, const struct rmi_addr *addr, rmt_recv_fn fn, void *ctx) {
    struct rmi_addr at = *addr;
    struct rmt_iface *iface = iface_with(h, &at);
    if (!iface && rmi_addr_classify(&at) != RMI_ADDR_LOOPBACK)
        return NULL;
    if (!choose_port(h, &at))
        return NULL;
    struct rmt_socket *s = rmt_alloc(sizeof *s);
    s->host = h;
    s->iface = iface;
    s->addr = at;
    s->fn = fn;
    s->ctx = ctx;
    rmi_list_push_back(&h->sockets, &s->node);
    return s;
}

struct rmt_socket *rmt_socket_open(struct rmt_host *h, const char *ip, uint16_t port, rmt_recv_fn fn, void *ctx) {
    struct rmi_addr addr = rmt_ip(h->v, ip);
    addr.port = port;
    return rmt_socket_open_addr(h, &addr, fn, ctx);
}

void rmt_socket_close(struct rmt_socket **s) {
    if (!*s)
        return;
    rmi_list_remove(&(*s)->node);
    free(*s);
    *s = NULL;
}

struct rmi_addr rmt_socket_addr(const struct rmt_socket *s) {
    return s->addr;
}

static bool usable(const struct rmt_socket *s) {
    return !s->iface || (s->iface->up && rmi_addr_equal_ip(&s->iface->addr, &s->addr));
}

/* Last stop: the host's socket, if it is still there. */
void rmt_deliver(void *ctx, int64_t now_us) {
    struct rmt_packet *p = ctx;
    struct rmt_vnet *v = p->v;
    if (v->tap && !v->tap(v->tap_ctx, now_us, &p->from, &p->to, p->data, &p->len)) {
        v->stats.tapped++;
        rmt_trace_drop(v, p, p->to_host->name, "tap");
        rmt_packet_free(p);
        return;
    }
    struct rmt_socket *s = socket_at(p->to_host, &p->to);
    if (s && usable(s) && (!p->to_iface || s->iface == p->to_iface)) {
        v->stats.delivered++;
        rmt_trace_packet(v, p);
        v->received_ecn = p->ecn;
        s->fn(s->ctx, rmt_host_now(p->to_host), &p->from, p->data, p->len);
    } else {
        v->stats.no_socket++;
        rmt_trace_drop(v, p, p->to_host->name, "no socket");
    }
    rmt_packet_free(p);
}

rm_err rmt_socket_send_marked(struct rmt_socket *s, const struct rmi_addr *to, const void *data, size_t len,
                              enum rmi_ecn ecn) {
    struct rmt_host *h = s->host;
    if (to->family != s->addr.family || to->port == 0)
        return RM_E_INVALID_ARG;
    if (len > RMI_DATAGRAM_MAX)
        return RM_E_TOO_BIG;
    if (!usable(s))
        return RM_E_IO;
    bool local = rmi_addr_classify(to) == RMI_ADDR_LOOPBACK || iface_with(h, to);
    if (!local && !s->iface)
        return RM_E_IO;
    h->v->stats.sent++;
    struct rmt_packet *p = rmt_packet_new(h->v, &s->addr, to, data, len);
    p->origin = h;
    p->ecn = ecn;
    if (local) {
        p->to_host = h;
        struct rmt_event e = {
            .when = h->v->now_us + RMT_LOOPBACK_US, .fn = rmt_deliver, .ctx = p, .drop = rmt_packet_free};
        rmt_queue_add(h->v, e);
        return RM_OK;
    }
    p->realm = s->iface->nat;
    rmt_wire_pass(&s->iface->wires[RMT_UP], p, rmt_route, true);
    return RM_OK;
}

rm_err rmt_socket_send(struct rmt_socket *s, const struct rmi_addr *to, const void *data, size_t len) {
    return rmt_socket_send_marked(s, to, data, len, RMI_ECN_NOT_ECT);
}

enum rmi_ecn rmt_vnet_received_ecn(const struct rmt_vnet *v) {
    return v->received_ecn;
}
