/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cursor.h"
#include "ice/stun.h"
#include "net/datagram.h"
#include "support/sim_main.h"
#include "support/vnet_inbox.h"
#include "support/vnet_stun.h"
#include <string.h>

/* The model of a STUN and TURN server, driven by hand-made requests: what it grants, and each of its faults. */

struct client {
    struct rmt_vnet *v;
    struct rmt_stun_server *server;
    struct rmt_socket *socket;
    struct rmi_addr to;
    struct rmi_prng prng;
    char nonce[RMI_STUN_NONCE_MAX + 1];
    uint8_t key[16];
    uint8_t raw[RMI_DATAGRAM_MAX]; /* last answer */
    size_t raw_len;
    int answers;
};

struct world {
    struct rmt_vnet *v;
    struct rmt_host *srv;
    struct rmt_stun_server *server;
    struct client c;
    struct rmt_socket *peer;
    struct rmt_inbox at_peer;
};

static void on_answer(void *ctx, int64_t now_us, const struct rmi_addr *from, uint8_t *data, size_t len) {
    struct client *c = ctx;
    (void)now_us;
    RMT_CHECK(c->v, rmi_addr_equal(from, &c->to) && len <= sizeof c->raw);
    memcpy(c->raw, data, len);
    c->raw_len = len;
    c->answers++;
}

static void build(struct world *w, struct rmt_sim *sim, uint64_t seed, struct rmt_stun_config config) {
    *w = (struct world){.v = rmt_sim_vnet(sim, seed)};
    w->srv = rmt_host_add(w->v, &(struct rmt_host_config){.name = "srv", .ips = {"203.0.113.1"}});
    config.ip = "203.0.113.1";
    config.turn = true;
    w->server = rmt_stun_server_create(w->srv, &config);
    struct rmt_nat_config sym = {.name = "n",
                                 .outer_ip = "198.51.100.1",
                                 .mapping = RMT_NAT_ADDRESS_PORT,
                                 .filtering = RMT_NAT_ADDRESS_PORT,
                                 .random_ports = true};
    struct rmt_nat *nat = rmt_nat_add(w->v, &sym);
    struct rmt_host_config hc = {.name = "client", .ips = {"192.168.1.2"}, .nat = nat};
    struct rmt_host *client = rmt_host_add(w->v, &hc);
    struct rmt_host *peer = rmt_host_add(w->v, &(struct rmt_host_config){.name = "peer", .ips = {"192.0.2.9"}});
    w->at_peer.v = w->v;
    w->peer = rmt_socket_open(peer, "192.0.2.9", 9000, rmt_inbox_recv, &w->at_peer);
    w->c = (struct client){.v = w->v, .server = w->server, .to = rmt_stun_server_addr(w->server)};
    w->c.socket = rmt_socket_open(client, "192.168.1.2", 0, on_answer, &w->c);
    rmi_prng_seed(&w->c.prng, rmt_vnet_sub_seed(w->v, "client txid"));
    RMT_CHECK(w->v, rmi_stun_long_term_key("user", "lab", "pass", w->c.key));
}

static void finish(struct world *w, struct rmt_sim *sim) {
    rmt_stun_server_destroy(&w->server);
    rmt_inbox_clear(&w->at_peer);
    rmt_sim_done(sim, &w->v);
}

struct request {
    uint16_t method;
    const struct rmi_addr *peer;
    uint16_t channel;
    int lifetime; /* -1 = none */
    const char *password;
    bool no_transport;
};

static void begin(struct client *c, struct rmi_stun_builder *b, void *buf, enum rmi_stun_class cls, uint16_t method) {
    uint8_t txid[RMI_STUN_TXID];
    struct rmi_rng rng = rmi_prng_rng(&c->prng);
    rmi_rng_fill(&rng, txid, sizeof txid);
    rmi_stun_begin(b, buf, RMI_DATAGRAM_MAX, cls, method, txid);
}

/* Sends a request; returns the error code of the answer, 0 for success, -1 for silence. */
static int ask(struct client *c, struct request r, struct rmi_stun_msg *answer) {
    uint8_t buf[RMI_DATAGRAM_MAX];
    struct rmi_stun_builder b;
    begin(c, &b, buf, RMI_STUN_REQUEST, r.method);
    if (r.method == RMI_STUN_ALLOCATE && !r.no_transport)
        rmi_stun_add_u32(&b, RMI_STUN_A_REQUESTED_TRANSPORT, (uint32_t)17 << 24);
    if (r.peer)
        rmi_stun_add_xor_addr(&b, RMI_STUN_A_XOR_PEER_ADDRESS, r.peer);
    if (r.channel)
        rmi_stun_add_u32(&b, RMI_STUN_A_CHANNEL_NUMBER, (uint32_t)r.channel << 16);
    if (r.lifetime >= 0)
        rmi_stun_add_u32(&b, RMI_STUN_A_LIFETIME, (uint32_t)r.lifetime);
    bool sign = c->nonce[0] && r.method != RMI_STUN_BINDING;
    uint8_t key[16];
    memcpy(key, c->key, sizeof key);
    if (r.password)
        RMT_CHECK(c->v, rmi_stun_long_term_key("user", "lab", r.password, key));
    if (sign) {
        rmi_stun_add_bytes(&b, RMI_STUN_A_USERNAME, "user", 4);
        rmi_stun_add_bytes(&b, RMI_STUN_A_REALM, "lab", 3);
        rmi_stun_add_bytes(&b, RMI_STUN_A_NONCE, c->nonce, strlen(c->nonce));
    }
    size_t n = rmi_stun_finish(&b, sign ? key : NULL, sizeof key, true);
    RMT_CHECK(c->v, n > 0);
    int before = c->answers;
    RMT_CHECK_INT(c->v, rmt_socket_send(c->socket, &c->to, buf, n), RM_OK);
    rmt_vnet_run_for(c->v, RMI_MS(1));
    if (c->answers == before)
        return -1;
    RMT_CHECK_INT(c->v, rmi_stun_parse(c->raw, c->raw_len, answer), RM_OK);
    RMT_CHECK(c->v, memcmp(answer->txid, b.txid, sizeof b.txid) == 0 && answer->method == r.method);
    if (answer->nonce) {
        memcpy(c->nonce, answer->nonce, answer->nonce_len);
        c->nonce[answer->nonce_len] = '\0';
    }
    if (answer->cls == RMI_STUN_ERROR)
        return answer->error_code;
    RMT_CHECK_INT(c->v, answer->cls, RMI_STUN_SUCCESS);
    RMT_CHECK(c->v, !sign || rmi_stun_check_integrity(answer, c->key, sizeof c->key));
    return 0;
}

static struct rmi_addr allocated(struct client *c) {
    struct rmi_stun_msg m;
    struct request r = {.method = RMI_STUN_ALLOCATE, .lifetime = -1};
    if (!c->nonce[0])
        RMT_CHECK_INT(c->v, ask(c, r, &m), 401);
    RMT_CHECK_INT(c->v, ask(c, r, &m), 0);
    RMT_CHECK_INT(c->v, m.lifetime, 600);
    RMT_CHECK(c->v, m.xor_relayed.port != 0 && m.xor_mapped.family == 4);
    return m.xor_relayed;
}

static void relays(struct rmt_sim *sim, uint64_t seed) {
    struct world w;
    build(&w, sim, seed, (struct rmt_stun_config){0});
    struct rmi_stun_msg m;
    RMT_CHECK_INT(w.v, ask(&w.c, (struct request){.method = RMI_STUN_BINDING, .lifetime = -1}, &m), 0);
    struct rmi_addr outer = rmt_addr("198.51.100.1", 0);
    RMT_CHECK(w.v, rmi_addr_equal_ip(&m.xor_mapped, &outer));
    struct rmi_addr relay = allocated(&w.c), peer = rmt_socket_addr(w.peer);
    RMT_CHECK_INT(w.v, rmt_send_number(w.peer, &relay, 1, 100), RM_OK); /* no permission yet */
    rmt_vnet_run_for(w.v, RMI_MS(1));
    RMT_CHECK_INT(w.v, rmt_stun_server_stats(w.server).no_permission, 1);

    int before = w.c.answers;
    RMT_CHECK_INT(w.v, ask(&w.c, (struct request){RMI_STUN_CREATE_PERMISSION, &peer, 0, -1, NULL, false}, &m), 0);
    RMT_CHECK_INT(w.v, rmt_send_number(w.peer, &relay, 2, 100), RM_OK);
    rmt_vnet_run_for(w.v, RMI_MS(1));
    RMT_CHECK_INT(w.v, w.c.answers, before + 2);
    RMT_CHECK_INT(w.v, rmi_stun_parse(w.c.raw, w.c.raw_len, &m), RM_OK);
    RMT_CHECK(w.v, m.cls == RMI_STUN_INDICATION && m.method == RMI_STUN_DATA && rmi_addr_equal(&m.xor_peer, &peer));
    RMT_CHECK(w.v, m.data_len == 100 && m.data[3] == 2);

    uint8_t buf[RMI_DATAGRAM_MAX];
    struct rmi_stun_builder b;
    begin(&w.c, &b, buf, RMI_STUN_INDICATION, RMI_STUN_SEND);
    rmi_stun_add_xor_addr(&b, RMI_STUN_A_XOR_PEER_ADDRESS, &peer);
    rmi_stun_add_bytes(&b, RMI_STUN_A_DATA, "\0\0\0\7", 4);
    size_t n = rmi_stun_finish(&b, NULL, 0, false);
    RMT_CHECK_INT(w.v, rmt_socket_send(w.c.socket, &w.c.to, buf, n), RM_OK);
    rmt_vnet_run_for(w.v, RMI_MS(1));
    RMT_CHECK(w.v, w.at_peer.n == 1 && w.at_peer.got[0].number == 7);
    RMT_CHECK(w.v, rmi_addr_equal(&w.at_peer.got[0].from, &relay));

    struct request bind = {RMI_STUN_CHANNEL_BIND, &peer, 0x4001, -1, NULL, false};
    RMT_CHECK_INT(w.v, ask(&w.c, bind, &m), 0);
    bind.channel = 0x4002; /* the peer has a channel already */
    RMT_CHECK_INT(w.v, ask(&w.c, bind, &m), 400);
    RMT_CHECK_INT(w.v, rmt_socket_send(w.c.socket, &w.c.to, "\x40\x01\0\4\0\0\0\x08", 8), RM_OK);
    RMT_CHECK_INT(w.v, rmt_send_number(w.peer, &relay, 9, 50), RM_OK);
    rmt_vnet_run_for(w.v, RMI_MS(1));
    RMT_CHECK(w.v, w.at_peer.n == 2 && w.at_peer.got[1].number == 8);
    struct rmi_rd r = rmi_rd_init(w.c.raw, w.c.raw_len);
    RMT_CHECK_INT(w.v, rmi_rd_u16(&r), 0x4001);
    RMT_CHECK_INT(w.v, rmi_rd_u16(&r), 50);
    RMT_CHECK_INT(w.v, rmi_rd_u32(&r), 9);

    rmt_vnet_run_for(w.v, RMI_SEC(301)); /* the permission is over, the channel's binding is not */
    RMT_CHECK_INT(w.v, rmt_send_number(w.peer, &relay, 10, 50), RM_OK);
    rmt_vnet_run_for(w.v, RMI_MS(1));
    RMT_CHECK_INT(w.v, rmt_stun_server_stats(w.server).no_permission, 2);
    finish(&w, sim);
}

static void lifetimes(struct rmt_sim *sim, uint64_t seed) {
    struct world w;
    build(&w, sim, seed, (struct rmt_stun_config){.quota = 1});
    struct rmi_stun_msg m;
    allocated(&w.c);
    struct request again = {.method = RMI_STUN_ALLOCATE, .lifetime = -1};
    RMT_CHECK_INT(w.v, ask(&w.c, again, &m), 437); /* the mapping exists */
    rmt_vnet_run_for(w.v, RMI_SEC(100));
    RMT_CHECK_INT(w.v, ask(&w.c, (struct request){.method = RMI_STUN_REFRESH, .lifetime = 600}, &m), 0);
    RMT_CHECK_INT(w.v, m.lifetime, 600);
    rmt_vnet_run_for(w.v, RMI_SEC(110)); /* kept alive at the NAT, too */
    RMT_CHECK_INT(w.v, rmt_stun_server_allocations(w.server), 1);
    RMT_CHECK_INT(w.v, ask(&w.c, (struct request){.method = RMI_STUN_REFRESH, .lifetime = 0}, &m), 0);
    RMT_CHECK_INT(w.v, rmt_stun_server_allocations(w.server), 0);
    RMT_CHECK_INT(w.v, ask(&w.c, (struct request){.method = RMI_STUN_REFRESH, .lifetime = 600}, &m), 437);
    allocated(&w.c);
    rmt_vnet_run_for(w.v, RMI_SEC(599));
    RMT_CHECK_INT(w.v, rmt_stun_server_allocations(w.server), 1);
    rmt_vnet_run_for(w.v, RMI_SEC(1));
    RMT_CHECK_INT(w.v, rmt_stun_server_allocations(w.server), 0);
    allocated(&w.c);
    RMT_CHECK_INT(w.v, rmt_stun_server_allocations(w.server), 1);
    finish(&w, sim);
}

static void faults(struct rmt_sim *sim, uint64_t seed) {
    struct world w;
    build(&w, sim, seed, (struct rmt_stun_config){0});
    struct rmi_stun_msg m;
    struct rmt_stun_faults *f = rmt_stun_server_faults(w.server);
    struct request alloc = {.method = RMI_STUN_ALLOCATE, .lifetime = -1}, bad = alloc, bare = alloc;
    bad.password = "wrong";
    bare.no_transport = true;
    f->silent = true;
    RMT_CHECK_INT(w.v, ask(&w.c, alloc, &m), -1);
    f->silent = false;
    RMT_CHECK_INT(w.v, ask(&w.c, alloc, &m), 401);
    RMT_CHECK_INT(w.v, ask(&w.c, bad, &m), 401);
    RMT_CHECK_INT(w.v, ask(&w.c, bare, &m), 400);
    f->refuse_credentials = true;
    RMT_CHECK_INT(w.v, ask(&w.c, alloc, &m), 401);
    *f = (struct rmt_stun_faults){.stale_always = true};
    RMT_CHECK_INT(w.v, ask(&w.c, alloc, &m), 438);
    RMT_CHECK_INT(w.v, ask(&w.c, alloc, &m), 438);
    *f = (struct rmt_stun_faults){.quota_full = true};
    RMT_CHECK_INT(w.v, ask(&w.c, alloc, &m), 486);
    *f = (struct rmt_stun_faults){.alternate_port = 3479};
    RMT_CHECK_INT(w.v, ask(&w.c, alloc, &m), 300);
    struct rmi_addr other = rmt_addr("203.0.113.1", 3479), peer = rmt_socket_addr(w.peer);
    RMT_CHECK(w.v, rmi_addr_equal(&m.alternate, &other));
    *f = (struct rmt_stun_faults){.refuse_permissions = true};
    allocated(&w.c);
    struct request permission = {RMI_STUN_CREATE_PERMISSION, &peer, 0, -1, NULL, false};
    RMT_CHECK_INT(w.v, ask(&w.c, permission, &m), 403);
    *f = (struct rmt_stun_faults){.stale_after = 2};
    int stale = 0;
    for (int i = 0; i < 9; i++)
        stale += ask(&w.c, permission, &m) == 438;
    RMT_CHECK_INT(w.v, stale, 3); /* the nonce had served before: stale, two served, and so on */
    rmt_stun_server_restart(w.server);
    RMT_CHECK_INT(w.v, ask(&w.c, permission, &m), 438);
    RMT_CHECK_INT(w.v, ask(&w.c, permission, &m), 437);
    allocated(&w.c);
    *f = (struct rmt_stun_faults){.die_at_us = rmt_vnet_now(w.v) + RMI_SEC(5)};
    rmt_vnet_run_for(w.v, RMI_SEC(4));
    RMT_CHECK_INT(w.v, ask(&w.c, permission, &m), 0);
    rmt_vnet_run_for(w.v, RMI_SEC(1));
    RMT_CHECK_INT(w.v, ask(&w.c, permission, &m), -1);
    RMT_CHECK_INT(w.v, rmt_stun_server_allocations(w.server), 0);
    finish(&w, sim);
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    relays(sim, seed);
    lifetimes(sim, seed);
    faults(sim, seed);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 10, "a_turn_server_relays_and_refuses_as_told");
}
