/* SPDX-License-Identifier: Apache-2.0 */
#include "support/vnet_private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_TIMEOUT_US RMI_SEC(120) /* RFC 4787 REQ-5: not under two minutes */
#define PORT_FIRST 1024
#define PORT_COUNT (UINT16_MAX - PORT_FIRST + 1)
#define PORT_DRAWS 64 /* random tries before the ports are searched in order */

struct rmt_nat *rmt_nat_add(struct rmt_vnet *v, const struct rmt_nat_config *config) {
    struct rmt_nat *n = rmt_alloc(sizeof *n);
    n->v = v;
    rmt_copy_name(n->name, config->name);
    n->config = *config;
    n->via = config->via;
    if (config->outer_ip)
        n->outer4 = rmt_ip(v, config->outer_ip);
    if (config->outer_ip6)
        n->outer6 = rmt_ip(v, config->outer_ip6);
    if (n->config.timeout_us == 0)
        n->config.timeout_us = DEFAULT_TIMEOUT_US;
    char name[RMT_NAME_MAX + 16];
    snprintf(name, sizeof name, "nat %s.up", n->name);
    rmt_wire_init(&n->wires[RMT_UP], v, name);
    snprintf(name, sizeof name, "nat %s.down", n->name);
    rmt_wire_init(&n->wires[RMT_DOWN], v, name);
    snprintf(name, sizeof name, "nat %s ports", n->name);
    rmi_prng_seed(&n->ports, rmt_vnet_sub_seed(v, name));
    *v->nats_end = n;
    v->nats_end = &n->next;
    return n;
}

static void remove_mapping(struct rmt_nat *n, size_t i) {
    free(n->maps[i].permits);
    memmove(&n->maps[i], &n->maps[i + 1], (n->map_count - i - 1) * sizeof n->maps[0]);
    n->map_count--;
}

void rmt_nat_free(struct rmt_nat *n) {
    while (n->map_count)
        remove_mapping(n, n->map_count - 1);
    free(n->maps);
    free(n);
}

struct rmt_wire *rmt_nat_wire(struct rmt_nat *n, enum rmt_dir dir) {
    return &n->wires[dir];
}

struct rmt_nat_stats rmt_nat_stats(const struct rmt_nat *n) {
    return n->stats;
}

const struct rmi_addr *rmt_nat_outer(const struct rmt_nat *n, const struct rmi_addr *like) {
    return like->family == n->outer4.family ? &n->outer4 : &n->outer6;
}

void rmt_nat_set_outer(struct rmt_nat *n, const char *ip) {
    struct rmi_addr addr = rmt_ip(n->v, ip);
    *(addr.family == 4 ? &n->outer4 : &n->outer6) = addr;
}

void rmt_nat_set_blocked(struct rmt_nat *n, bool udp_blocked) {
    n->config.udp_blocked = udp_blocked;
}

static bool fresh(const struct rmt_nat *n, int64_t used_us) {
    return n->v->now_us - used_us < n->config.timeout_us;
}

size_t rmt_nat_mappings(const struct rmt_nat *n) {
    size_t count = 0;
    for (size_t i = 0; i < n->map_count; i++)
        count += !n->maps[i].dead && fresh(n, n->maps[i].used_us);
    return count;
}

static void expire(struct rmt_nat *n) {
    for (size_t i = n->map_count; i-- > 0;)
        if (!n->maps[i].dead && !fresh(n, n->maps[i].used_us))
            remove_mapping(n, i);
}

void rmt_nat_rebind(struct rmt_nat *n) {
    for (size_t i = n->map_count; i-- > 0;) {
        if (n->maps[i].dead)
            remove_mapping(n, i);
        else
            n->maps[i].dead = true;
    }
}

/* As much of a remote address as a rule distinguishes. */
static struct rmi_addr part(const struct rmi_addr *remote, enum rmt_nat_rule rule) {
    struct rmi_addr a = *remote;
    a.scope = 0;
    if (rule == RMT_NAT_ENDPOINT)
        return (struct rmi_addr){0};
    if (rule == RMT_NAT_ADDRESS)
        a.port = 0;
    return a;
}

static bool port_taken(const struct rmt_nat *n, uint8_t family, uint16_t port) {
    for (size_t i = 0; i < n->map_count; i++)
        if (n->maps[i].inside.family == family && n->maps[i].port == port)
            return true;
    return false;
}

/* 0: none is left. */
static uint16_t choose_port(struct rmt_nat *n, const struct rmi_addr *inside) {
    if (!n->config.random_ports && !port_taken(n, inside->family, inside->port))
        return inside->port;
    for (int i = 0; i < PORT_DRAWS; i++) {
        uint16_t port = (uint16_t)(PORT_FIRST + rmt_below(&n->ports, PORT_COUNT));
        if (!port_taken(n, inside->family, port))
            return port;
    }
    for (uint32_t port = PORT_FIRST; port <= UINT16_MAX; port++)
        if (!port_taken(n, inside->family, (uint16_t)port))
            return (uint16_t)port;
    return 0;
}

static struct rmt_mapping *mapping_for(struct rmt_nat *n, const struct rmi_addr *inside, const struct rmi_addr *to) {
    struct rmi_addr remote = part(to, n->config.mapping);
    for (size_t i = 0; i < n->map_count; i++) {
        struct rmt_mapping *m = &n->maps[i];
        if (!m->dead && rmi_addr_equal(&m->inside, inside) && rmi_addr_equal(&m->remote, &remote))
            return m;
    }
    uint16_t port = choose_port(n, inside);
    if (port == 0)
        return NULL;
    if (n->map_count == n->map_cap) {
        n->map_cap = n->map_cap ? 2 * n->map_cap : 16;
        n->maps = rmt_grow(n->maps, n->map_cap, sizeof n->maps[0]);
    }
    struct rmt_mapping *m = &n->maps[n->map_count++];
    *m = (struct rmt_mapping){.inside = *inside, .remote = remote, .port = port};
    return m;
}

static void permit(struct rmt_nat *n, struct rmt_mapping *m, const struct rmi_addr *remote) {
    struct rmi_addr key = part(remote, n->config.filtering);
    m->used_us = n->v->now_us;
    for (size_t i = 0; i < m->permit_count; i++)
        if (rmi_addr_equal(&m->permits[i].remote, &key)) {
            m->permits[i].used_us = n->v->now_us;
            return;
        }
    if (m->permit_count == m->permit_cap) {
        m->permit_cap = m->permit_cap ? 2 * m->permit_cap : 4;
        m->permits = rmt_grow(m->permits, m->permit_cap, sizeof m->permits[0]);
    }
    m->permits[m->permit_count++] = (struct rmt_permit){.remote = key, .used_us = n->v->now_us};
}

static bool permitted(const struct rmt_nat *n, const struct rmt_mapping *m, const struct rmi_addr *remote) {
    struct rmi_addr key = part(remote, n->config.filtering);
    for (size_t i = 0; i < m->permit_count; i++)
        if (rmi_addr_equal(&m->permits[i].remote, &key))
            return fresh(n, m->permits[i].used_us);
    return false;
}

static bool refuse(struct rmt_nat *n, struct rmt_packet *p, uint64_t *counter, const char *why) {
    (*counter)++;
    rmt_trace_drop(n->v, p, n->name, why);
    return false;
}

bool rmt_nat_out(struct rmt_nat *n, struct rmt_packet *p) {
    if (n->config.udp_blocked)
        return refuse(n, p, &n->stats.blocked, "UDP blocked");
    const struct rmi_addr *outer = rmt_nat_outer(n, &p->from);
    if (outer->family == 0)
        return refuse(n, p, &n->stats.unmapped, "no outer address of this family");
    expire(n);
    struct rmt_mapping *m = mapping_for(n, &p->from, &p->to);
    if (!m)
        return refuse(n, p, &n->stats.exhausted, "no port left");
    permit(n, m, &p->to);
    p->from = *outer;
    p->from.port = m->port;
    n->stats.out++;
    return true;
}

bool rmt_nat_in(struct rmt_nat *n, struct rmt_packet *p) {
    if (n->config.udp_blocked)
        return refuse(n, p, &n->stats.blocked, "UDP blocked");
    expire(n);
    for (size_t i = 0; i < n->map_count; i++) {
        const struct rmt_mapping *m = &n->maps[i];
        if (m->dead || m->port != p->to.port || m->inside.family != p->to.family)
            continue;
        if (!permitted(n, m, &p->from))
            return refuse(n, p, &n->stats.filtered, "filtered");
        p->to = m->inside;
        n->stats.in++;
        return true;
    }
    return refuse(n, p, &n->stats.unmapped, "no mapping");
}
