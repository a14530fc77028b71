/* SPDX-License-Identifier: Apache-2.0 */
/* Known attacks while two peers connect and talk: sprayed ClientHellos, forged checks, junk of every kind and forged
 * media from other addresses and from the peer's own address. Set-up still ends in time, nothing forged is delivered,
 * nobody is cut off. */
#include "support/mesh.h"
#include "support/sim_main.h"

#include <string.h>

struct attack {
    struct rmt_vnet *v;
    struct rmi_prng prng;
    struct rmi_addr victim, peer;
    uint64_t sent;
};

/* A DTLS 1.2 ClientHello that offers only TLS_NULL_WITH_NULL_NULL: the victim's stack must never see it, or it would
 * answer with an alert and end the call (known as the DTLS hello race). */
static size_t client_hello(uint8_t *out) {
    static const uint8_t hello[] = {
        22, 0xfe, 0xfd, 0,  0,  0,  0,  0,  0,  0,  0,  0,  54,         /* record: handshake, epoch 0, 54 bytes */
        1,  0,    0,    42, 0,  0,  0,  0,  0,  0,  0,  42, 0xfe, 0xfd, /* ClientHello, 42 bytes, version */
        0,  1,    2,    3,  4,  5,  6,  7,  8,  9,  10, 11, 12,   13,   14, 15, /* random */
        16, 17,   18,   19, 20, 21, 22, 23, 24, 25, 26, 27, 28,   29,   30, 31,
        0,  0,    0,    2,  0,  0,  1,  0, /* no session, no cookie, one null suite */
    };
    memcpy(out, hello, sizeof hello);
    return sizeof hello;
}

static size_t make_packet(struct attack *a, uint8_t *out) {
    switch (rmi_prng_next(&a->prng) % 5) {
    case 0:
        return client_hello(out);
    case 1: { /* RTP-like */
        struct rmi_rng rng = rmi_prng_rng(&a->prng);
        rmi_rng_fill(&rng, out, 120);
        out[0] = 0x80;
        out[1] = 111;
        return 120;
    }
    case 2: { /* a DTLS alert: fatal, handshake failure */
        static const uint8_t alert[] = {21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40};
        memcpy(out, alert, sizeof alert);
        return sizeof alert;
    }
    default: { /* noise with every first byte, STUN and TURN channel included */
        struct rmi_rng rng = rmi_prng_rng(&a->prng);
        size_t n = rmi_prng_next(&a->prng) % 200;
        rmi_rng_fill(&rng, out, n);
        if (n)
            out[0] = (uint8_t)rmi_prng_next(&a->prng);
        return n;
    }
    }
}

static void spray(void *ctx, int64_t now_us) {
    struct attack *a = ctx;
    (void)now_us;
    uint8_t packet[256];
    for (int i = 0; i < 10; i++) {
        struct rmi_addr from;
        size_t n = make_packet(a, packet);
        rmi_addr_parse("203.0.113.66", (uint16_t)(1024 + rmi_prng_next(&a->prng) % 60000), &from);
        rmt_vnet_inject(a->v, &from, &a->victim, packet, n, 0);
        /* From the peer's own address only what DTLS and SRTP must refuse by themselves: not a plaintext alert, which
         * during the handshake is as good as the peer's. */
        if (n && packet[0] != 21 && packet[0] != 22)
            rmt_vnet_inject(a->v, &a->peer, &a->victim, packet, n, 0);
        a->sent += 2;
    }
    rmt_vnet_at(a->v, rmt_vnet_now(a->v) + RMI_MS(1), spray, a);
}

static bool learn_addresses(void *ctx, int64_t now_us, const struct rmi_addr *from, const struct rmi_addr *to,
                            uint8_t *data, size_t *len) {
    struct attack *a = ctx;
    struct rmi_addr bob;
    (void)now_us;
    (void)data;
    (void)len;
    rmi_addr_parse("198.51.100.1", 0, &bob);
    if (!a->victim.family && rmi_addr_equal_ip(to, &bob)) { /* the first datagram to bob tells who talks to whom */
        a->victim = *to;
        a->peer = *from;
        rmt_vnet_at(a->v, rmt_vnet_now(a->v), spray, a);
    }
    return true;
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    struct rmt_vnet *v = rmt_sim_vnet(sim, seed);
    struct attack attack = {.v = v};
    rmi_prng_seed(&attack.prng, rmt_vnet_sub_seed(v, "attack"));
    struct rmt_mesh *m = rmt_mesh_create(v, &(struct rmt_mesh_config){.signaling_delay_us = RMI_MS(10)});
    struct rmt_host *ha = rmt_host_add(v, &(struct rmt_host_config){.name = "alice", .ips = {"192.0.2.1"}});
    struct rmt_host *hb = rmt_host_add(v, &(struct rmt_host_config){.name = "bob", .ips = {"198.51.100.1"}});
    struct rmt_link link = {.delay_us = RMI_MS(20)};
    rmt_host_set_links(ha, &link, &link);
    rmt_host_set_links(hb, &link, &(struct rmt_link){0}); /* the attacker's packets come without delay */
    struct rmt_peer *a = rmt_mesh_add(m, ha, &(struct rmt_peer_options){0});
    struct rmt_peer *b = rmt_mesh_add(m, hb, &(struct rmt_peer_options){0});
    rmt_vnet_set_tap(v, learn_addresses, &attack);
    rmt_peer_start(a);
    rmt_vnet_run_for(v, RMI_MS(300));
    rmt_peer_start(b);
    RMT_CHECK(v, rmt_vnet_run_while_not(v, rmt_mesh_all_connected, m, rmt_vnet_now(v) + RMI_SEC(2)));
    for (uint16_t i = 0; i < 100; i++) {
        RMT_CHECK_INT(v, rmt_peer_send_rtp(a, "bob", i), RM_OK);
        rmt_vnet_run_for(v, RMI_MS(10));
    }
    rmt_vnet_run_for(v, RMI_MS(100));
    RMT_CHECK_INT(v, rmt_peer_rtp_received(b), 100);
    RMT_CHECK(v, rmt_mesh_all_connected(m));
    RMT_CHECK(v, attack.sent > 10000);
    RMT_CHECK_INT(v, rmt_peer_entered(b, RMI_PC_DISCONNECTED) + rmt_peer_entered(b, RMI_PC_FAILED), 0);
    struct rmi_endpoint_stats stats;
    rmi_endpoint_get_stats(rmt_peer_endpoint(b), &stats);
    RMT_CHECK(v, stats.datagrams_unowned > attack.sent / 4);
    rmt_mesh_destroy(&m);
    rmt_sim_done(sim, &v);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 20, "strangers_cannot_disturb_a_call");
}
