/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cursor.h"
#include "base/rng.h"
#include "base/time.h"
#include "ice/gather.h"
#include "ice/stun.h"
#include <stdlib.h>
#include <string.h>

/* A stateful target: the input is a script of what a hostile TURN server and the application do to a gatherer that has
 * an allocation. A step is one byte of kind, one of length, and that many bytes. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum step { STEP_RAW, STEP_GRANT, STEP_REFUSE, STEP_SEND, STEP_WAIT, STEP_COUNT };

#define SENT_MAX 16

struct rig {
    struct rmi_gather *g;
    struct rmi_addr server, host;
    int64_t now;
    struct {
        uint16_t method;
        uint8_t txid[RMI_STUN_TXID];
    } sent[SENT_MAX]; /* the last requests, in a ring */
    size_t sent_count;
};

static void note(void *ctx, rmi_base_id base, const struct rmi_addr *to, uint8_t *data, size_t len) {
    struct rig *r = ctx;
    struct rmi_stun_msg m;
    (void)base, (void)to;
    if (rmi_stun_parse(data, len, &m) == RM_OK && m.cls == RMI_STUN_REQUEST) {
        r->sent[r->sent_count % SENT_MAX].method = m.method;
        memcpy(r->sent[r->sent_count++ % SENT_MAX].txid, m.txid, RMI_STUN_TXID);
    } else if (data[0] < 4 && rmi_stun_parse(data, len, &m) != RM_OK) {
        abort(); /* what we send is well-formed */
    }
}

static void feed(struct rig *r, const uint8_t *data, size_t len) {
    struct rmi_gather_inner inner = {0};
    uint8_t *copy = malloc(len ? len : 1);
    if (!copy)
        return;
    if (len > 0)
        memcpy(copy, data, len);
    enum rmi_gather_verdict v = rmi_gather_input(r->g, r->now, 1, &r->server, copy, len, &inner);
    if (v == RMI_GATHER_RELAYED && (inner.data < copy || inner.data + inner.len > copy + len || inner.base < 0x10000))
        abort();
    free(copy);
    struct rmi_gather_event e;
    while (rmi_gather_poll_event(r->g, &e))
        if (e.type > RMI_GATHER_ERROR)
            abort();
}

/* An answer with the right key to one of the last requests; `extra` are raw attributes in front of the signature. */
static void answer(struct rig *r, size_t which, enum rmi_stun_class cls, uint16_t code, const uint8_t *extra,
                   size_t extra_len) {
    uint8_t buf[1024], key[16];
    struct rmi_stun_builder b;
    if (r->sent_count == 0 || !rmi_stun_long_term_key("user", "realm", "secret", key))
        return;
    size_t i = (r->sent_count - 1 - which % SENT_MAX) % SENT_MAX;
    rmi_stun_begin(&b, buf, sizeof buf, cls, r->sent[i].method, r->sent[i].txid);
    if (cls == RMI_STUN_ERROR)
        rmi_stun_add_error(&b, code, "");
    if (code == 401 || code == 438) {
        rmi_stun_add_bytes(&b, RMI_STUN_A_REALM, "realm", 5);
        rmi_stun_add_bytes(&b, RMI_STUN_A_NONCE, extra, extra_len);
    } else {
        rmi_stun_add_bytes(&b, RMI_STUN_A_SOFTWARE, extra, extra_len);
    }
    if (cls == RMI_STUN_SUCCESS) {
        static const uint8_t ip[] = {198, 51, 100, 1};
        struct rmi_addr relayed = rmi_addr_from_bytes(ip, sizeof ip, 50000);
        rmi_stun_add_xor_addr(&b, RMI_STUN_A_XOR_RELAYED_ADDRESS, &relayed);
        rmi_stun_add_xor_addr(&b, RMI_STUN_A_XOR_MAPPED_ADDRESS, &r->host);
        rmi_stun_add_u32(&b, RMI_STUN_A_LIFETIME, extra_len > 0 ? (uint32_t)extra[0] * 10 : 600);
    }
    size_t len = rmi_stun_finish(&b, code == 401 || code == 438 ? NULL : key, sizeof key, false);
    if (len > 0)
        feed(r, buf, len);
}

static void send_payload(struct rig *r, uint8_t port, const uint8_t *data, size_t len) {
    static const uint8_t ip[] = {192, 0, 2, 7};
    uint8_t room[RMI_HEADROOM + 256 + RMI_HEADROOM];
    struct rmi_addr to = rmi_addr_from_bytes(ip, sizeof ip, 7000 + (port & 7u));
    if (len > 0)
        memcpy(room + RMI_HEADROOM, data, len);
    rmi_gather_send(r->g, r->now, 0x10000, &to, room + RMI_HEADROOM, len);
}

static void run_step(struct rig *r, uint8_t op, const uint8_t *data, size_t len) {
    static const uint16_t codes[] = {401, 438, 300, 400, 403, 437, 486, 508};
    switch (op % STEP_COUNT) {
    case STEP_RAW:
        feed(r, data, len);
        break;
    case STEP_GRANT:
        answer(r, op / STEP_COUNT, RMI_STUN_SUCCESS, 0, data, len);
        break;
    case STEP_REFUSE:
        answer(r, op / STEP_COUNT, RMI_STUN_ERROR, codes[len % 8], data, len);
        break;
    case STEP_SEND:
        send_payload(r, op / STEP_COUNT, data, len);
        break;
    default:
        r->now += RMI_MS(100) * (int64_t)len * (op / STEP_COUNT);
        for (int i = 0; i < 64 && rmi_gather_next_deadline(r->g) <= r->now; i++)
            rmi_gather_timeout(r->g, r->now);
        if (rmi_gather_next_deadline(r->g) <= r->now)
            abort(); /* a loop would spin */
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t server_ip[] = {198, 51, 100, 1}, host_ip[] = {10, 0, 0, 2}, nonce[] = {'n'};
    struct rig r = {.server = rmi_addr_from_bytes(server_ip, sizeof server_ip, 3478),
                    .host = rmi_addr_from_bytes(host_ip, sizeof host_ip, 5000)};
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 1);
    struct rmi_gather_config config = {.rng = rmi_prng_rng(&prng), .sink = {.send = note, .ctx = &r}};
    struct rmi_turn_server turn = {.addr = r.server, .username = "user", .password = "secret"};
    if (rmi_gather_create(&config, &r.g))
        return 0;
    (void)rmi_gather_add_host(r.g, 0, 1, &r.host, 1);
    (void)rmi_gather_add_turn(r.g, &turn);
    rmi_gather_start(r.g, 0);
    answer(&r, 0, RMI_STUN_ERROR, 401, nonce, sizeof nonce);
    answer(&r, 0, RMI_STUN_SUCCESS, 0, NULL, 0);
    if (!rmi_gather_has_relay(r.g))
        abort(); /* the honest beginning works */
    struct rmi_rd rd = rmi_rd_init(data, size);
    while (rmi_rd_left(&rd) >= 2) {
        uint8_t op = rmi_rd_u8(&rd);
        size_t len = rmi_rd_u8(&rd);
        if (len > rmi_rd_left(&rd))
            len = rmi_rd_left(&rd);
        run_step(&r, op, rmi_rd_bytes(&rd, len), len);
    }
    rmi_gather_close(r.g, r.now);
    rmi_gather_destroy(&r.g);
    return 0;
}
