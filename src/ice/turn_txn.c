/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/turn_private.h"

#include <string.h>

#define RTO_FIRST RMI_MS(500)     /* RFC 8445 14.3: at least so long */
#define SENDS_MAX 7               /* Rc, RFC 8489 6.2.1 */
#define STALE_MAX 3               /* fresh nonces taken for one request before the server is disbelieved */
#define MESSAGE_MAX 1024          /* our requests: header, user name, realm, nonce, an address, HMAC: below 650 */
#define TRANSPORT_UDP (17u << 24) /* RFC 8656 18.7 */
#define FAMILY_IPV6 (2u << 24)    /* RFC 8656 18.6 */

static const uint16_t methods[] = {[TURN_ALLOCATE] = RMI_STUN_ALLOCATE,
                                   [TURN_REFRESH] = RMI_STUN_REFRESH,
                                   [TURN_PERMIT] = RMI_STUN_CREATE_PERMISSION,
                                   [TURN_BIND] = RMI_STUN_CHANNEL_BIND};

int64_t rmi_turn_txn_deadline(const struct turn_txn *x) {
    return x->active ? rmi_min64(x->next_at, x->give_up_at) : RMI_NEVER;
}

void rmi_turn_transmit(struct rmi_turn *t, int64_t now_us, uint8_t *data, size_t len) {
    t->last_sent = now_us;
    t->cfg.sink.send(t->cfg.sink.ctx, t->cfg.host_base, &t->cfg.server.addr, data, len);
}

static void add_request(const struct rmi_turn *t, const struct turn_txn *x, struct rmi_stun_builder *b) {
    switch (x->kind) {
    case TURN_ALLOCATE:
        rmi_stun_add_u32(b, RMI_STUN_A_REQUESTED_TRANSPORT, TRANSPORT_UDP);
        if (t->cfg.server.addr.family == 6)
            rmi_stun_add_u32(b, RMI_STUN_A_REQUESTED_ADDRESS_FAMILY, FAMILY_IPV6);
        break;
    case TURN_REFRESH:
        if (t->state == RMI_TURN_CLOSED)
            rmi_stun_add_u32(b, RMI_STUN_A_LIFETIME, 0);
        break;
    case TURN_PERMIT:
        rmi_stun_add_xor_addr(b, RMI_STUN_A_XOR_PEER_ADDRESS, &x->perm->ip);
        break;
    case TURN_BIND:
        rmi_stun_add_u32(b, RMI_STUN_A_CHANNEL_NUMBER, (uint32_t)x->dest->channel << 16);
        rmi_stun_add_xor_addr(b, RMI_STUN_A_XOR_PEER_ADDRESS, &x->dest->addr);
        break;
    }
}

/* A retransmission is built anew from the same inputs; only a nonce that another request renewed can differ. */
static void transmit(struct rmi_turn *t, struct turn_txn *x, int64_t now_us) {
    uint8_t buf[RMI_HEADROOM + MESSAGE_MAX + RMI_HEADROOM];
    struct rmi_stun_builder b;
    rmi_stun_begin(&b, buf + RMI_HEADROOM, MESSAGE_MAX, RMI_STUN_REQUEST, methods[x->kind], x->txid);
    add_request(t, x, &b);
    if (x->authed) {
        rmi_stun_add_bytes(&b, RMI_STUN_A_USERNAME, t->cfg.server.username, strlen(t->cfg.server.username));
        rmi_stun_add_bytes(&b, RMI_STUN_A_REALM, t->realm, strlen(t->realm));
        rmi_stun_add_bytes(&b, RMI_STUN_A_NONCE, t->nonce, t->nonce_len);
    }
    size_t len = rmi_stun_finish(&b, x->authed ? t->key : NULL, sizeof t->key, false);
    if (len > 0)
        rmi_turn_transmit(t, now_us, buf + RMI_HEADROOM, len);
}

void rmi_turn_txn_tick(struct rmi_turn *t, struct turn_txn *x, int64_t now_us) {
    if (!x->active)
        return;
    if (now_us >= x->give_up_at) {
        x->active = false;
        rmi_turn_refused(t, now_us, x, x->unsigned_code);
    } else if (now_us >= x->next_at) {
        transmit(t, x, now_us);
        x->next_at = ++x->sends < SENDS_MAX ? now_us + x->rto : RMI_NEVER;
        x->rto *= 2;
    }
}

static void begin(struct rmi_turn *t, struct turn_txn *x, int64_t now_us, int64_t at_us) {
    rmi_rng_fill(&t->cfg.rng, x->txid, sizeof x->txid);
    x->active = true;
    x->authed = t->have_key;
    x->next_at = at_us;
    x->rto = RTO_FIRST;
    x->sends = 0;
    x->unsigned_code = 0;
    t->deadline = rmi_min64(t->deadline, at_us);
    rmi_turn_txn_tick(t, x, now_us);
}

void rmi_turn_txn_start(struct rmi_turn *t, struct turn_txn *x, enum turn_kind kind, int64_t now_us, int64_t at_us,
                        int64_t give_up_us) {
    x->kind = kind;
    x->stale = 0;
    x->give_up_at = give_up_us;
    begin(t, x, now_us, at_us);
}

/* Realm and nonce of a 401 or 438. False when they are missing or longer than what is kept. */
static bool take_challenge(struct rmi_turn *t, const struct rmi_stun_msg *m) {
    if (m->realm) {
        if (m->realm_len > RMI_STUN_REALM_MAX || memchr(m->realm, 0, m->realm_len))
            return false;
        memcpy(t->realm, m->realm, m->realm_len);
        t->realm[m->realm_len] = 0;
    }
    if (!m->nonce || m->nonce_len > RMI_STUN_NONCE_MAX || (!m->realm && !t->have_key))
        return false;
    memcpy(t->nonce, m->nonce, m->nonce_len);
    t->nonce_len = m->nonce_len;
    t->have_key = rmi_stun_long_term_key(t->cfg.server.username, t->realm, t->cfg.server.password, t->key);
    return t->have_key;
}

/* A 401 asks for credentials once; the second one refuses them. A 438 only asks for a newer nonce. */
static bool may_try_again(const struct turn_txn *x, uint16_t code) {
    return (code == 401 && !x->authed) || (code == 438 && x->stale < STALE_MAX);
}

/* Whether the answer to a signed request counts (RFC 8489 9.2.5): challenges come unsigned, all else is signed. */
static bool is_trusted(struct rmi_turn *t, struct turn_txn *x, const struct rmi_stun_msg *m) {
    if (!x->authed || (m->has_integrity && rmi_stun_check_integrity(m, t->key, sizeof t->key)))
        return true;
    if (!m->has_integrity && m->cls == RMI_STUN_ERROR && (m->error_code == 401 || m->error_code == 438))
        return true;
    if (!m->has_integrity && m->cls == RMI_STUN_ERROR)
        x->unsigned_code = m->error_code;
    t->stats.drop_integrity++;
    return false;
}

void rmi_turn_on_response(struct rmi_turn *t, int64_t now_us, struct turn_txn *x, const struct rmi_stun_msg *m) {
    if (m->method != methods[x->kind] || m->unknown_attr != 0 || (m->cls == RMI_STUN_ERROR && m->error_code == 0)) {
        t->stats.drop_malformed++;
        return;
    }
    if (x->sends == 0 || !is_trusted(t, x, m))
        return;
    if (m->cls == RMI_STUN_SUCCESS) {
        x->active = false;
        rmi_turn_granted(t, now_us, x, m);
    } else if (may_try_again(x, m->error_code) && take_challenge(t, m)) {
        x->stale += m->error_code == 438;
        begin(t, x, now_us, now_us);
    } else {
        x->active = false;
        rmi_turn_refused(t, now_us, x, m->error_code);
    }
}
