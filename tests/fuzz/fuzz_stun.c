/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cursor.h"
#include "base/rng.h"
#include "ice/gather.h"
#include "ice/mux.h"
#include "ice/stun.h"
#include <stdlib.h>
#include <string.h>

/* One datagram against everything that reads STUN before anyone is authenticated: the parser, the peer mux, and a
 * gatherer with a STUN and a TURN request under way. Its transaction ids come from a seeded generator, so the fuzzer
 * can learn them. What the parser accepts is built again and must be accepted again. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void discard(void *ctx, rmi_base_id base, const struct rmi_addr *to, uint8_t *data, size_t len) {
    (void)ctx, (void)base, (void)to, (void)data, (void)len;
}

static void try_parser(const uint8_t *data, size_t size) {
    static const uint8_t key[] = "key";
    struct rmi_stun_msg m;
    if (rmi_stun_parse(data, size, &m) != RM_OK)
        return;
    (void)rmi_stun_check_integrity(&m, key, sizeof key);
    uint8_t out[RMI_DATAGRAM_MAX];
    struct rmi_stun_builder b;
    rmi_stun_begin(&b, out, sizeof out, m.cls, m.method, m.txid);
    if (m.username)
        rmi_stun_add_bytes(&b, RMI_STUN_A_USERNAME, m.username, m.username_len);
    if (m.xor_peer.family)
        rmi_stun_add_xor_addr(&b, RMI_STUN_A_XOR_PEER_ADDRESS, &m.xor_peer);
    size_t len = rmi_stun_finish(&b, key, sizeof key, true);
    struct rmi_stun_msg again;
    if (len == 0)
        return; /* did not fit */
    if (rmi_stun_parse(out, len, &again) != RM_OK || !rmi_stun_check_integrity(&again, key, sizeof key) ||
        again.method != m.method || again.cls != m.cls || again.username_len != m.username_len ||
        (m.xor_peer.family && !rmi_addr_equal(&again.xor_peer, &m.xor_peer)))
        abort();
}

static void try_mux(const struct rmi_addr *from, const uint8_t *data, size_t size) {
    struct rmi_mux *m = NULL;
    int owner;
    if (rmi_mux_create(&m))
        return;
    (void)rmi_mux_add_ufrag(m, "abcd", &owner);
    (void)rmi_mux_add_tag(m, 0, &owner);
    (void)rmi_mux_learn(m, 1, from, &owner);
    void *found = rmi_mux_find(m, 1, from, data, size);
    if (found && found != &owner)
        abort();
    rmi_mux_destroy(&m);
}

static void try_gather(const struct rmi_addr *server, const struct rmi_addr *host, uint8_t *data, size_t size) {
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 1);
    struct rmi_gather_config config = {.rng = rmi_prng_rng(&prng), .sink = {.send = discard}};
    struct rmi_gather *g = NULL;
    if (rmi_gather_create(&config, &g))
        return;
    struct rmi_turn_server turn = {.addr = *server, .username = "user", .password = "secret"};
    (void)rmi_gather_add_host(g, 0, 1, host, 1);
    (void)rmi_gather_add_stun(g, server);
    (void)rmi_gather_add_turn(g, &turn);
    rmi_gather_start(g, 0);
    rmi_gather_timeout(g, 5000); /* the paced second request leaves, too */
    struct rmi_gather_inner inner;
    if (rmi_gather_input(g, 6000, 1, server, data, size, &inner) == RMI_GATHER_RELAYED)
        abort(); /* there is no allocation */
    (void)rmi_gather_input(g, 6000, 1, host, data, size, &inner);
    rmi_gather_timeout(g, rmi_gather_next_deadline(g));
    rmi_gather_close(g, 20000000);
    rmi_gather_destroy(&g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t server_ip[] = {198, 51, 100, 1}, host_ip[] = {10, 0, 0, 2};
    struct rmi_addr server = rmi_addr_from_bytes(server_ip, sizeof server_ip, 3478);
    struct rmi_addr host = rmi_addr_from_bytes(host_ip, sizeof host_ip, 5000);
    if (size > RMI_DATAGRAM_MAX)
        return 0;
    uint8_t *copy = malloc(size ? size : 1); /* inputs are written to in place; and exact bounds are checked */
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    try_parser(copy, size);
    try_mux(&host, copy, size);
    try_gather(&server, &host, copy, size);
    free(copy);
    return 0;
}
