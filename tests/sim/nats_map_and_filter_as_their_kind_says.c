/* SPDX-License-Identifier: Apache-2.0 */
#include "support/sim_main.h"
#include "support/vnet_inbox.h"

/* RFC 4787 behaviour of every mapping x filtering, seen from servers at two addresses and two ports; then time-out,
 * rebinding, hairpins, a NAT behind a NAT, a blocked NAT. */

#define PORT 4000
enum { S1A, S1B, S2A, SERVERS };

struct world {
    struct rmt_vnet *v;
    struct rmt_nat *nat;
    struct rmt_host *inside, *neighbour;
    struct rmt_socket *servers[SERVERS], *client;
    struct rmi_addr server_addr[SERVERS];
    struct rmt_inbox at_server[SERVERS], at_client;
};

static void build(struct world *w, struct rmt_sim *sim, uint64_t seed, struct rmt_nat_config nat) {
    static const char *const ips[SERVERS] = {"203.0.113.1", "203.0.113.1", "203.0.113.2"};
    *w = (struct world){.v = rmt_sim_vnet(sim, seed)};
    struct rmt_host *s1 = rmt_host_add(w->v, &(struct rmt_host_config){.name = "s1", .ips = {ips[S1A]}});
    struct rmt_host *s2 = rmt_host_add(w->v, &(struct rmt_host_config){.name = "s2", .ips = {ips[S2A]}});
    nat.name = "n";
    nat.outer_ip = "198.51.100.1";
    w->nat = rmt_nat_add(w->v, &nat);
    struct rmt_host_config h = {.name = "h", .ips = {"192.168.1.2"}, .nat = w->nat};
    w->inside = rmt_host_add(w->v, &h);
    struct rmt_host_config h2 = {.name = "h2", .ips = {"192.168.1.3"}, .nat = w->nat};
    w->neighbour = rmt_host_add(w->v, &h2);
    for (int i = 0; i < SERVERS; i++) {
        w->at_server[i].v = w->v;
        w->server_addr[i] = rmt_addr(ips[i], (uint16_t)(PORT + (i == S1B)));
        w->servers[i] = rmt_socket_open_addr(i == S2A ? s2 : s1, &w->server_addr[i], rmt_inbox_recv, &w->at_server[i]);
    }
    w->at_client.v = w->v;
    w->client = rmt_socket_open(w->inside, "192.168.1.2", 5000, rmt_inbox_recv, &w->at_client);
}

static void finish(struct world *w, struct rmt_sim *sim) {
    for (int i = 0; i < SERVERS; i++)
        rmt_inbox_clear(&w->at_server[i]);
    rmt_inbox_clear(&w->at_client);
    rmt_sim_done(sim, &w->v);
}

/* The client writes to a server; returns the address the server saw. */
static struct rmi_addr ping(struct world *w, int server) {
    size_t before = w->at_server[server].n;
    RMT_CHECK_INT(w->v, rmt_send_number(w->client, &w->server_addr[server], 1, 32), RM_OK);
    rmt_vnet_run_for(w->v, RMI_MS(1));
    RMT_CHECK_INT(w->v, w->at_server[server].n, before + 1);
    return w->at_server[server].got[before].from;
}

/* Whether a datagram of the server's reaches the client through that outer address. */
static bool reaches(struct world *w, int server, struct rmi_addr outer) {
    size_t before = w->at_client.n;
    RMT_CHECK_INT(w->v, rmt_send_number(w->servers[server], &outer, 2, 32), RM_OK);
    rmt_vnet_run_for(w->v, RMI_MS(1));
    RMT_CHECK(w->v, w->at_client.n <= before + 1);
    if (w->at_client.n == before)
        return false;
    RMT_CHECK(w->v, rmi_addr_equal(&w->at_client.got[before].from, &w->server_addr[server]));
    return true;
}

/* Returns whether the NAT kept the inside port. */
static bool table_cell(struct rmt_sim *sim, uint64_t seed, enum rmt_nat_rule mapping, enum rmt_nat_rule filtering,
                       bool random_ports) {
    struct world w;
    uint64_t own = seed * 16 + (uint64_t)(mapping * 3 + filtering); /* or all cells would draw the same ports */
    build(&w, sim, own,
          (struct rmt_nat_config){.mapping = mapping, .filtering = filtering, .random_ports = random_ports});
    struct rmi_addr first = ping(&w, S1A);
    bool kept = first.port == 5000;
    RMT_CHECK(w.v, kept || random_ports);
    RMT_CHECK(w.v, reaches(&w, S1A, first));
    RMT_CHECK_INT(w.v, reaches(&w, S1B, first), filtering != RMT_NAT_ADDRESS_PORT);
    RMT_CHECK_INT(w.v, reaches(&w, S2A, first), filtering == RMT_NAT_ENDPOINT);
    RMT_CHECK_INT(w.v, rmt_nat_stats(w.nat).filtered, filtering);

    struct rmi_addr other_port = ping(&w, S1B), other_ip = ping(&w, S2A);
    RMT_CHECK_INT(w.v, rmi_addr_equal(&first, &other_port), mapping != RMT_NAT_ADDRESS_PORT);
    RMT_CHECK_INT(w.v, rmi_addr_equal(&first, &other_ip), mapping == RMT_NAT_ENDPOINT);
    RMT_CHECK(w.v, mapping == RMT_NAT_ENDPOINT || other_port.port != other_ip.port);
    RMT_CHECK_INT(w.v, rmt_nat_mappings(w.nat), 1 + (mapping != RMT_NAT_ENDPOINT) + (mapping == RMT_NAT_ADDRESS_PORT));
    RMT_CHECK(w.v, reaches(&w, S1B, other_port) && reaches(&w, S2A, other_ip));
    RMT_CHECK(w.v, rmi_addr_equal_ip(&first, &other_ip));
    finish(&w, sim);
    return kept;
}

static void mappings_end(struct rmt_sim *sim, uint64_t seed) {
    struct world w;
    build(&w, sim, seed, (struct rmt_nat_config){.filtering = RMT_NAT_ADDRESS_PORT, .timeout_us = RMI_SEC(30)});
    struct rmi_addr outer = ping(&w, S1A);
    rmt_vnet_run_for(w.v, RMI_SEC(30) - RMI_MS(2));
    RMT_CHECK(w.v, reaches(&w, S1A, outer)); /* this refreshes nothing: */
    rmt_vnet_run_for(w.v, RMI_MS(2));
    RMT_CHECK(w.v, !reaches(&w, S1A, outer));
    RMT_CHECK_INT(w.v, rmt_nat_mappings(w.nat), 0);
    RMT_CHECK_INT(w.v, rmt_nat_stats(w.nat).unmapped, 1);

    outer = ping(&w, S1A); /* kept alive from inside it lasts */
    for (int i = 0; i < 5; i++) {
        rmt_vnet_run_for(w.v, RMI_SEC(25));
        struct rmi_addr again = ping(&w, S1A);
        RMT_CHECK(w.v, rmi_addr_equal(&outer, &again));
    }
    rmt_nat_rebind(w.nat);
    RMT_CHECK(w.v, !reaches(&w, S1A, outer));
    struct rmi_addr rebound = ping(&w, S1A);
    RMT_CHECK(w.v, rebound.port != outer.port && reaches(&w, S1A, rebound));

    rmt_nat_set_outer(w.nat, "198.51.100.9");
    RMT_CHECK(w.v, !reaches(&w, S1A, rebound));
    struct rmi_addr moved = ping(&w, S1A), want = rmt_addr("198.51.100.9", rebound.port);
    RMT_CHECK(w.v, rmi_addr_equal(&moved, &want));

    rmt_nat_set_blocked(w.nat, true);
    size_t before = w.at_server[S1A].n;
    RMT_CHECK_INT(w.v, rmt_send_number(w.client, &w.server_addr[S1A], 1, 32), RM_OK);
    RMT_CHECK(w.v, !reaches(&w, S1A, moved));
    RMT_CHECK_INT(w.v, w.at_server[S1A].n, before);
    RMT_CHECK_INT(w.v, rmt_nat_stats(w.nat).blocked, 2);
    finish(&w, sim);
}

static void two_inside_hosts(struct rmt_sim *sim, uint64_t seed, bool hairpin) {
    struct world w;
    build(&w, sim, seed, (struct rmt_nat_config){.hairpin = hairpin});
    struct rmt_inbox at_neighbour = {.v = w.v};
    struct rmt_socket *n = rmt_socket_open(w.neighbour, "192.168.1.3", 5000, rmt_inbox_recv, &at_neighbour);
    struct rmi_addr direct = rmt_socket_addr(n), mine = ping(&w, S1A);
    RMT_CHECK_INT(w.v, rmt_send_number(n, &w.server_addr[S1A], 1, 32), RM_OK);
    rmt_vnet_run_for(w.v, RMI_MS(1));
    struct rmi_addr theirs = w.at_server[S1A].got[1].from;
    RMT_CHECK(w.v, mine.port == 5000 && theirs.port != 5000); /* the port was taken */

    RMT_CHECK_INT(w.v, rmt_send_number(w.client, &direct, 3, 32), RM_OK);
    RMT_CHECK_INT(w.v, rmt_send_number(w.client, &theirs, 4, 32), RM_OK);
    rmt_vnet_run_for(w.v, RMI_MS(1));
    RMT_CHECK_INT(w.v, at_neighbour.n, hairpin ? 2 : 1);
    struct rmi_addr inside = rmt_socket_addr(w.client);
    RMT_CHECK(w.v, rmi_addr_equal(&at_neighbour.got[0].from, &inside));
    if (hairpin)
        RMT_CHECK(w.v, rmi_addr_equal(&at_neighbour.got[1].from, &mine)); /* RFC 4787 REQ-9: external source */
    RMT_CHECK_INT(w.v, rmt_nat_stats(w.nat).hairpin_dropped, !hairpin);
    rmt_inbox_clear(&at_neighbour);
    finish(&w, sim);
}

static void nat_behind_nat(struct rmt_sim *sim, uint64_t seed) {
    struct world w;
    build(&w, sim, seed, (struct rmt_nat_config){.filtering = RMT_NAT_ADDRESS});
    struct rmt_nat_config home = {.name = "home", .outer_ip = "192.168.1.7", .via = w.nat, .random_ports = true};
    struct rmt_nat *inner = rmt_nat_add(w.v, &home);
    struct rmt_inbox in = {.v = w.v};
    /* The same private address as a host of the outer realm: realms keep them apart. */
    struct rmt_host_config deep_config = {.name = "deep", .ips = {"192.168.1.2"}, .nat = inner};
    struct rmt_host *deep = rmt_host_add(w.v, &deep_config);
    struct rmt_socket *s = rmt_socket_open(deep, "192.168.1.2", 6000, rmt_inbox_recv, &in);
    RMT_CHECK_INT(w.v, rmt_send_number(s, &w.server_addr[S2A], 1, 32), RM_OK);
    rmt_vnet_run_for(w.v, RMI_MS(1));
    struct rmi_addr outer = w.at_server[S2A].got[0].from, want = rmt_addr("198.51.100.1", 0);
    RMT_CHECK(w.v, rmi_addr_equal_ip(&outer, &want));
    RMT_CHECK_INT(w.v, rmt_nat_mappings(inner), 1);
    RMT_CHECK_INT(w.v, rmt_nat_mappings(w.nat), 1);
    RMT_CHECK_INT(w.v, rmt_send_number(w.servers[S2A], &outer, 2, 32), RM_OK);
    RMT_CHECK_INT(w.v, rmt_send_number(w.servers[S1A], &outer, 3, 32), RM_OK); /* the outer NAT filters it */
    rmt_vnet_run_for(w.v, RMI_MS(1));
    RMT_CHECK_INT(w.v, in.n, 1);
    RMT_CHECK_INT(w.v, in.got[0].number, 2);
    rmt_inbox_clear(&in);
    finish(&w, sim);
}

static void spoofed(struct rmt_sim *sim, uint64_t seed) {
    struct world w;
    build(&w, sim, seed, (struct rmt_nat_config){.filtering = RMT_NAT_ADDRESS_PORT});
    struct rmi_addr outer = ping(&w, S1A);
    rmt_vnet_inject(w.v, &w.server_addr[S1A], &outer, "spoof", 5, RMI_MS(3)); /* a source the NAT lets in */
    rmt_vnet_inject(w.v, &w.server_addr[S2A], &outer, "spoof", 5, RMI_MS(3));
    int64_t t = rmt_vnet_now(w.v);
    rmt_vnet_run_for(w.v, RMI_MS(5));
    RMT_CHECK_INT(w.v, w.at_client.n, 1);
    RMT_CHECK_INT(w.v, w.at_client.got[0].net_us, t + RMI_MS(3));
    RMT_CHECK(w.v, rmi_addr_equal(&w.at_client.got[0].from, &w.server_addr[S1A]));
    finish(&w, sim);
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    int drawn_5000 = 0;
    for (int mapping = RMT_NAT_ENDPOINT; mapping <= RMT_NAT_ADDRESS_PORT; mapping++)
        for (int filtering = RMT_NAT_ENDPOINT; filtering <= RMT_NAT_ADDRESS_PORT; filtering++) {
            table_cell(sim, seed, (enum rmt_nat_rule)mapping, (enum rmt_nat_rule)filtering, false);
            drawn_5000 += table_cell(sim, seed, (enum rmt_nat_rule)mapping, (enum rmt_nat_rule)filtering, true);
        }
    RMT_CHECK(NULL, drawn_5000 < 9); /* all nine random NATs drew the inside port: they keep it */
    mappings_end(sim, seed);
    two_inside_hosts(sim, seed, false);
    two_inside_hosts(sim, seed, true);
    nat_behind_nat(sim, seed);
    spoofed(sim, seed);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 20, "nats_map_and_filter_as_their_kind_says");
}
