/* SPDX-License-Identifier: Apache-2.0 */
/* An agent in one of several states is given arbitrary datagrams and the passing of time. First byte: state. Then
 * records: control byte, length byte, bytes. Control bits 0-1: as given | signed as a check to us | signed as an answer
 * to our last check | time passes; bit 2: from another address; bits 3-7: more of the time. */
#include "base/time.h"
#include "ice/agent.h"
#include "ice/stun.h"
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 64

struct ctx {
    uint8_t txid[RMI_STUN_TXID];
    struct rmi_prng prng;
};

static const char remote_pwd[] = "0123456789abcdefghijklmn";

static void keep_txid(void *user, rmi_base_id base, const struct rmi_addr *to, uint8_t *data, size_t len) {
    struct ctx *c = user;
    struct rmi_stun_msg m;
    (void)base;
    (void)to;
    if (rmi_stun_parse(data, len, &m) != RM_OK)
        abort(); /* what we send has to be right */
    if (m.cls == RMI_STUN_REQUEST)
        memcpy(c->txid, m.txid, sizeof c->txid);
}

static struct rmi_addr address(uint8_t last) {
    const uint8_t ip[4] = {192, 0, 2, last};
    return rmi_addr_from_bytes(ip, sizeof ip, 1000);
}

static struct rmi_candidate candidate(uint8_t last) {
    struct rmi_candidate c;
    memset(&c, 0, sizeof c);
    c.foundation[0] = '1';
    c.component = 1;
    c.udp = true;
    c.priority = rmi_candidate_priority(RMI_CAND_HOST, last, 1);
    c.addr = address(last);
    return c;
}

/* The record's bytes as attributes (type, length, value) of a rightly signed message, so that fuzzing gets past the
 * message integrity. */
static size_t sign(const struct rmi_ice_agent *a, const struct ctx *c, bool answer, const uint8_t *data, size_t len,
                   uint8_t *out, size_t cap) {
    struct rmi_stun_builder b;
    const char *key = answer ? remote_pwd : rmi_ice_local_pwd(a);
    const bool error = answer && len && data[0] & 1;
    rmi_stun_begin(&b, out, cap,
                   !answer ? RMI_STUN_REQUEST
                   : error ? RMI_STUN_ERROR
                           : RMI_STUN_SUCCESS,
                   RMI_STUN_BINDING, c->txid);
    if (!answer) {
        char username[64];
        const size_t n = strlen(rmi_ice_local_ufrag(a));
        memcpy(username, rmi_ice_local_ufrag(a), n);
        memcpy(username + n, ":abcd", 5);
        rmi_stun_add_bytes(&b, RMI_STUN_A_USERNAME, username, n + 5);
    } else if (error) {
        rmi_stun_add_error(&b, data[0] & 2 ? 487 : 400, "x");
    } else {
        const struct rmi_addr mapped = address(1);
        rmi_stun_add_xor_addr(&b, RMI_STUN_A_XOR_MAPPED_ADDRESS, &mapped);
    }
    for (size_t i = 1; i + 3 <= len;) {
        const uint16_t type = (uint16_t)(data[i] << 8 | data[i + 1]);
        size_t n = data[i + 2] & 15;
        i += 3;
        if (n > len - i)
            n = len - i;
        rmi_stun_add_bytes(&b, type, data + i, n);
        i += n;
    }
    return rmi_stun_finish(&b, (const uint8_t *)key, strlen(key), true);
}

static struct rmi_ice_agent *agent_in(uint8_t state, struct ctx *c, int64_t now) {
    struct rmi_ice_agent *a = NULL;
    const struct rmi_ice_config config = {
        .rng = rmi_prng_rng(&c->prng), .sink = {.send = keep_txid, .ctx = c}, .controlling = state & 1, .tag = 7};
    if (rmi_ice_create(&config, &a) != RM_OK)
        abort();
    const struct rmi_candidate local = candidate(1);
    const struct rmi_candidate remote = candidate(2);
    (void)rmi_ice_add_local(a, now, 1, &local);
    if (state & 2) {
        (void)rmi_ice_set_remote(a, now, "abcd", remote_pwd, state & 4);
        (void)rmi_ice_add_remote(a, now, &remote);
    }
    if (state & 8) { /* connected, when controlling */
        uint8_t buf[512];
        const struct rmi_addr from = address(2);
        const size_t n = sign(a, c, true, NULL, 0, buf, sizeof buf);
        rmi_ice_input(a, now, 1, &from, buf, n);
    }
    if (state & 16)
        rmi_ice_restart(a, now);
    return a;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    struct ctx c;
    memset(&c, 0, sizeof c);
    rmi_prng_seed(&c.prng, 1);
    int64_t now = RMI_SEC(1);
    struct rmi_ice_agent *a = agent_in(data[0], &c, now);
    size_t pos = 1;
    for (int step = 0; step < STEPS_MAX && size - pos >= 2; step++) {
        const uint8_t control = data[pos];
        size_t len = data[pos + 1];
        pos += 2;
        if (len > size - pos)
            len = size - pos;
        const struct rmi_addr from = address(control & 4 ? control : 2);
        uint8_t buf[1024];
        size_t n = len;
        if ((control & 3) == 0)
            memcpy(buf, data + pos, len);
        else if ((control & 3) == 3)
            now += RMI_MS(1) << (control >> 4);
        else
            n = sign(a, &c, (control & 3) == 2, data + pos, len, buf, sizeof buf);
        pos += len;
        if ((control & 3) != 3)
            rmi_ice_input(a, now, 1, &from, buf, n);
        for (int guard = 0; rmi_ice_next_deadline(a) <= now; guard++) {
            if (guard > 1)
                abort(); /* a deadline that does not move is a busy loop */
            rmi_ice_timeout(a, now);
        }
    }
    struct rmi_ice_event ev;
    while (rmi_ice_poll_event(a, &ev))
        ;
    rmi_ice_destroy(&a);
    return 0;
}
