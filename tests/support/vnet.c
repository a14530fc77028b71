/* SPDX-License-Identifier: Apache-2.0 */
#include "net/datagram.h"
#include "support/vnet_private.h"
#include <stdlib.h>
#include <string.h>

volatile unsigned rmt_scenery; /* compilers know that calloc looks at nothing */

void *rmt_alloc(size_t n) {
    rmt_scenery++;
    void *p = calloc(1, n);
    rmt_scenery--;
    if (!p)
        rmt_vnet_fail(NULL, "no memory");
    return p;
}

void *rmt_grow(void *p, size_t count, size_t size) {
    rmt_scenery++;
    void *q = reallocarray(p, count, size);
    rmt_scenery--;
    if (!q)
        rmt_vnet_fail(NULL, "no memory");
    return q;
}

void rmt_copy_name(char out[RMT_NAME_MAX], const char *name) {
    if (strlen(name) >= RMT_NAME_MAX)
        rmt_vnet_fail(NULL, "name too long: %s", name);
    memcpy(out, name, strlen(name) + 1);
}

struct rmi_addr rmt_ip(const struct rmt_vnet *v, const char *text) {
    struct rmi_addr addr = {0};
    if (rmi_addr_parse(text, 0, &addr) != RM_OK)
        rmt_vnet_fail(v, "not an IP address: %s", text);
    return addr;
}

struct rmt_vnet *rmt_vnet_create(uint64_t seed) {
    struct rmt_vnet *v = rmt_alloc(sizeof *v);
    v->seed = seed;
    v->now_us = RMT_START_US;
    v->hosts_end = &v->hosts;
    v->nats_end = &v->nats;
    return v;
}

void rmt_vnet_destroy(struct rmt_vnet **vp) {
    struct rmt_vnet *v = *vp;
    if (!v)
        return;
    rmt_queue_fini(&v->queue);
    rmt_pipe_free_all(v);
    for (struct rmt_host *h = v->hosts, *next; h; h = next) {
        next = h->next;
        rmt_host_free(h);
    }
    for (struct rmt_nat *n = v->nats, *next; n; n = next) {
        next = n->next;
        rmt_nat_free(n);
    }
    free(v);
    *vp = NULL;
}

uint64_t rmt_vnet_seed(const struct rmt_vnet *v) {
    return v->seed;
}

uint64_t rmt_vnet_sub_seed(const struct rmt_vnet *v, const char *name) {
    return rmt_mix_bytes(rmt_mix(0, v->seed), name, strlen(name));
}

struct rmt_vnet_stats rmt_vnet_stats(const struct rmt_vnet *v) {
    return v->stats;
}

void rmt_vnet_set_tap(struct rmt_vnet *v, rmt_tap_fn fn, void *ctx) {
    v->tap = fn;
    v->tap_ctx = ctx;
}

struct rmt_packet *rmt_packet_new(struct rmt_vnet *v, const struct rmi_addr *from, const struct rmi_addr *to,
                                  const void *data, size_t len) {
    struct rmt_packet *p = rmt_alloc(sizeof *p + RMI_HEADROOM + len + RMI_HEADROOM);
    p->v = v;
    p->from = *from;
    p->to = *to;
    p->len = len;
    p->data = p->room + RMI_HEADROOM;
    if (len)
        memcpy(p->data, data, len);
    return p;
}

void rmt_packet_free(void *packet) {
    free(packet);
}

/* ---- routing ---- */

static bool to_host(struct rmt_packet *p, struct rmt_nat *realm) {
    for (struct rmt_host *h = p->v->hosts; h; h = h->next)
        for (int i = 0; i < h->iface_count; i++)
            if (h->ifaces[i].nat == realm && h->ifaces[i].up && rmi_addr_equal_ip(&h->ifaces[i].addr, &p->to)) {
                p->to_host = h;
                p->to_iface = &h->ifaces[i];
                return true;
            }
    return false;
}

static void down_to_host(void *packet, int64_t now_us) {
    (void)now_us;
    struct rmt_packet *p = packet;
    /* Never direct: a socket's callback must not run inside another one's send. */
    rmt_wire_pass(&p->to_iface->wires[RMT_DOWN], p, rmt_deliver, false);
}

static void over_path(struct rmt_packet *p) {
    for (struct rmt_path *path = p->origin ? p->origin->paths : NULL; path; path = path->next)
        if (path->to == p->to_host) {
            rmt_wire_pass(&path->wire, p, down_to_host, true);
            return;
        }
    down_to_host(p, p->v->now_us);
}

static void into_nat(void *packet, int64_t now_us) {
    struct rmt_packet *p = packet;
    if (!rmt_nat_in(p->nat, p)) {
        rmt_packet_free(p);
        return;
    }
    p->realm = p->nat;
    rmt_route(p, now_us);
}

static void out_of_nat(void *packet, int64_t now_us) {
    struct rmt_packet *p = packet;
    p->realm = p->nat->via;
    rmt_route(p, now_us);
}

static void leave_realm(struct rmt_packet *p, struct rmt_nat *n, int64_t now_us) {
    p->nat = n;
    if (!rmt_nat_out(n, p)) {
        rmt_packet_free(p);
        return;
    }
    if (!rmi_addr_equal_ip(rmt_nat_outer(n, &p->to), &p->to)) {
        rmt_wire_pass(&n->wires[RMT_UP], p, out_of_nat, true);
    } else if (n->config.hairpin) {
        into_nat(p, now_us);
    } else {
        n->stats.hairpin_dropped++;
        rmt_trace_drop(p->v, p, n->name, "hairpin");
        rmt_packet_free(p);
    }
}

void rmt_route(void *packet, int64_t now_us) {
    struct rmt_packet *p = packet;
    struct rmt_nat *realm = p->realm;
    if (to_host(p, realm)) {
        over_path(p);
        return;
    }
    for (struct rmt_nat *n = p->v->nats; n; n = n->next)
        if (n->via == realm && rmi_addr_equal_ip(rmt_nat_outer(n, &p->to), &p->to)) {
            p->nat = n;
            rmt_wire_pass(&n->wires[RMT_DOWN], p, into_nat, true);
            return;
        }
    if (realm) {
        leave_realm(p, realm, now_us);
        return;
    }
    p->v->stats.unrouted++;
    rmt_trace_drop(p->v, p, "public", "unrouted");
    rmt_packet_free(p);
}

void rmt_vnet_inject(struct rmt_vnet *v, const struct rmi_addr *from, const struct rmi_addr *to, const void *data,
                     size_t len, int64_t delay_us) {
    struct rmt_packet *p = rmt_packet_new(v, from, to, data, len);
    struct rmt_event e = {.when = v->now_us + delay_us, .fn = rmt_route, .ctx = p, .drop = rmt_packet_free};
    rmt_queue_add(v, e);
}
