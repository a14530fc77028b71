/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/turn_private.h"

#include "net/demux.h"
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIFETIME_DEFAULT 600 /* seconds, RFC 8656 7.2; taken when the server does not say */
#define REFRESH_MISSES 4     /* outages are forgiven for as long as consent lives (30 s of 8 s each) */
#define LIFETIME_MAX 86400   /* an answer beyond a day is not believed, so that sums of times stay in range */

rm_err rmi_turn_create(const struct rmi_turn_config *config, struct rmi_turn **out) {
    const struct rmi_turn_server *s = &config->server;
    if (!memchr(s->username, 0, sizeof s->username) || !memchr(s->password, 0, sizeof s->password))
        return RM_E_INVALID_ARG;
    struct rmi_turn *t = calloc(1, sizeof *t);
    if (!t)
        return RM_E_NO_MEMORY;
    t->cfg = *config;
    t->refresh_at = t->deadline = t->sweep_at = RMI_NEVER;
    t->next_channel = TURN_CHANNEL_FIRST;
    rmi_rng_fill(&t->cfg.rng, t->indication_id, sizeof t->indication_id);
    rmi_list_init(&t->perms);
    rmi_list_init(&t->dests);
    *out = t;
    return RM_OK;
}

void rmi_turn_destroy(struct rmi_turn **t) {
    if (!t || !*t)
        return;
    rmi_turn_peers_clear(*t);
    OPENSSL_cleanse(*t, sizeof **t);
    free(*t);
    *t = NULL;
}

static void set_state(struct rmi_turn *t, enum rmi_turn_state state, const char *reason) {
    static const char *const names[] = {"new", "allocating", "ready", "failed", "closed"};
    char server[RMI_ADDR_TEXT_MAX];
    rmi_log(t->cfg.log, RMI_LOG_TURN, RM_LOG_INFO, "server=%s turn %s->%s (%s)",
            rmi_addr_text(&t->cfg.server.addr, server), names[t->state], names[state], reason);
    t->state = state;
}

/* All that runs in the allocation ends here. */
static void stop(struct rmi_turn *t) {
    rmi_turn_peers_clear(t);
    t->txn.active = false;
    t->refresh_at = t->deadline = t->sweep_at = RMI_NEVER;
}

static rm_err err_of(uint16_t code) {
    switch (code) {
    case 0:
        return RM_E_TURN_TIMEOUT;
    case 401:
    case 441: /* wrong credentials, RFC 8656 19 */
        return RM_E_TURN_AUTH;
    case 486: /* allocation quota reached */
    case 508: /* insufficient capacity */
        return RM_E_TURN_QUOTA;
    default:
        return RM_E_TURN_REFUSED;
    }
}

void rmi_turn_fail(struct rmi_turn *t, rm_err err, const char *what, uint16_t code) {
    t->err = err;
    if (code)
        snprintf(t->detail, sizeof t->detail, "%s: code %u", what, code);
    else
        snprintf(t->detail, sizeof t->detail, "%s: %s", what, err == RM_E_TURN_TIMEOUT ? "no answer" : "bad answer");
    stop(t);
    set_state(t, RMI_TURN_FAILED, t->detail);
}

void rmi_turn_start(struct rmi_turn *t, int64_t now_us, int64_t at_us, int64_t give_up_us) {
    if (t->state != RMI_TURN_NEW)
        return;
    set_state(t, RMI_TURN_ALLOCATING, "start");
    rmi_turn_txn_start(t, &t->txn, TURN_ALLOCATE, now_us, at_us, give_up_us);
}

void rmi_turn_close(struct rmi_turn *t, int64_t now_us) {
    if (t->state == RMI_TURN_FAILED || t->state == RMI_TURN_CLOSED)
        return;
    /* While allocating with credentials the server may have answered already: that allocation is given back, too. */
    bool asked = t->state == RMI_TURN_READY || (t->txn.active && t->txn.sends > 0 && t->have_key);
    stop(t);
    set_state(t, RMI_TURN_CLOSED, "close");
    if (asked)
        rmi_turn_txn_start(t, &t->txn, TURN_REFRESH, now_us, now_us, now_us + t->cfg.timeout_us);
    stop(t);
}

/* --- the allocation's life --- */

static void set_lifetime(struct rmi_turn *t, int64_t now_us, const struct rmi_stun_msg *m) {
    uint32_t seconds = m->has_lifetime ? m->lifetime : LIFETIME_DEFAULT;
    if (seconds > LIFETIME_MAX)
        seconds = LIFETIME_MAX;
    t->refresh_misses = 0;
    t->expires_at = now_us + RMI_SEC(seconds);
    t->refresh_at = now_us + RMI_SEC(seconds) / 2;
    t->deadline = rmi_min64(t->deadline, t->refresh_at);
}

static void allocated(struct rmi_turn *t, int64_t now_us, const struct rmi_stun_msg *m) {
    if (m->xor_relayed.family != t->cfg.server.addr.family || m->xor_relayed.port == 0 ||
        rmi_addr_classify(&m->xor_relayed) == RMI_ADDR_UNUSABLE || (m->has_lifetime && m->lifetime == 0)) {
        rmi_turn_fail(t, RM_E_TURN_REFUSED, "allocate", 0);
        return;
    }
    t->relayed = m->xor_relayed;
    t->mapped = m->xor_mapped;
    set_lifetime(t, now_us, m);
    set_state(t, RMI_TURN_READY, "allocated");
}

static void refreshed(struct rmi_turn *t, int64_t now_us, const struct rmi_stun_msg *m) {
    if (m->has_lifetime && m->lifetime == 0)
        rmi_turn_fail(t, RM_E_TURN_REFUSED, "refresh", 0);
    else
        set_lifetime(t, now_us, m);
}

void rmi_turn_granted(struct rmi_turn *t, int64_t now_us, struct turn_txn *x, const struct rmi_stun_msg *m) {
    switch (x->kind) {
    case TURN_ALLOCATE:
        allocated(t, now_us, m);
        break;
    case TURN_REFRESH:
        refreshed(t, now_us, m);
        break;
    case TURN_PERMIT:
        rmi_turn_perm_granted(t, now_us, x->perm);
        break;
    case TURN_BIND:
        rmi_turn_channel_bound(t, now_us, x->dest);
        break;
    }
}

void rmi_turn_refused(struct rmi_turn *t, int64_t now_us, struct turn_txn *x, uint16_t code) {
    static const uint16_t allocation_mismatch = 437; /* RFC 8656 19: the server has no such allocation any more */
    if (x->kind == TURN_ALLOCATE)
        rmi_turn_fail(t, err_of(code), "allocate", code);
    else if (x->kind == TURN_REFRESH && code == 0 && t->refresh_misses++ < REFRESH_MISSES)
        rmi_turn_probe(t, now_us);
    else if (x->kind == TURN_REFRESH)
        rmi_turn_fail(t, err_of(code), "refresh", code);
    else if (code == allocation_mismatch)
        rmi_turn_fail(t, err_of(code), "allocation lost", code);
    else if (x->kind == TURN_PERMIT)
        rmi_turn_perm_refused(t, now_us, x->perm, code);
    else
        rmi_turn_channel_refused(t, now_us, x->dest, code);
}

void rmi_turn_probe(struct rmi_turn *t, int64_t now_us) {
    t->refresh_at = rmi_min64(t->refresh_at, now_us);
    t->deadline = rmi_min64(t->deadline, t->refresh_at);
}

/* --- input, time --- */

bool rmi_turn_owns(struct rmi_turn *t, const uint8_t txid[12]) {
    return rmi_turn_find_txn(t, txid) != NULL;
}

enum rmi_gather_verdict rmi_turn_input(struct rmi_turn *t, int64_t now_us, uint8_t *data, size_t len,
                                       struct rmi_gather_inner *inner) {
    enum rmi_packet_kind kind = rmi_packet_kind_of(data, len);
    if (kind == RMI_PACKET_TURN_CHANNEL)
        return rmi_turn_on_channel_data(t, data, len, inner);
    if (kind != RMI_PACKET_STUN)
        return RMI_GATHER_NOT_MINE;
    struct rmi_stun_msg m;
    if (rmi_stun_parse(data, len, &m) != RM_OK) {
        t->stats.drop_malformed++;
        return RMI_GATHER_CONSUMED;
    }
    if (m.cls == RMI_STUN_INDICATION && m.method == RMI_STUN_DATA)
        return rmi_turn_on_data(t, data, &m, inner);
    if (m.cls == RMI_STUN_REQUEST || m.cls == RMI_STUN_INDICATION)
        return RMI_GATHER_NOT_MINE;
    struct turn_txn *x = rmi_turn_find_txn(t, m.txid);
    if (!x)
        return RMI_GATHER_NOT_MINE;
    rmi_turn_on_response(t, now_us, x, &m);
    return RMI_GATHER_CONSUMED;
}

/* NAT mappings on the way live from 30 s upward without traffic (RFC 8445 11, RFC 4787 REQ-5). */
static void keep_alive(struct rmi_turn *t, int64_t now_us) {
    uint8_t buf[RMI_HEADROOM + RMI_STUN_HEADER + RMI_HEADROOM];
    struct rmi_stun_builder b;
    uint8_t txid[RMI_STUN_TXID];
    if (now_us < t->last_sent + t->cfg.keepalive_us)
        return;
    rmi_rng_fill(&t->cfg.rng, txid, sizeof txid);
    rmi_stun_begin(&b, buf + RMI_HEADROOM, RMI_STUN_HEADER, RMI_STUN_INDICATION, RMI_STUN_BINDING, txid);
    size_t len = rmi_stun_finish(&b, NULL, 0, false);
    if (len > 0)
        rmi_turn_transmit(t, now_us, buf + RMI_HEADROOM, len);
}

static void plan(struct rmi_turn *t) {
    t->deadline = rmi_turn_txn_deadline(&t->txn);
    if (t->state != RMI_TURN_READY)
        return;
    if (!t->txn.active)
        t->deadline = rmi_min64(t->deadline, t->refresh_at);
    t->deadline = rmi_min64(t->deadline, t->last_sent + t->cfg.keepalive_us);
    t->deadline = rmi_min64(t->deadline, rmi_turn_peers_deadline(t));
}

int64_t rmi_turn_next_deadline(const struct rmi_turn *t) {
    return t->deadline;
}

void rmi_turn_timeout(struct rmi_turn *t, int64_t now_us) {
    if (now_us < t->deadline)
        return;
    rmi_turn_txn_tick(t, &t->txn, now_us);
    if (t->state == RMI_TURN_READY) {
        if (now_us >= t->expires_at)
            rmi_turn_fail(t, RM_E_TURN_TIMEOUT, "refresh", 0);
        else if (now_us >= t->refresh_at && !t->txn.active) {
            t->refresh_at = RMI_NEVER;
            rmi_turn_txn_start(t, &t->txn, TURN_REFRESH, now_us, now_us, now_us + t->cfg.timeout_us);
        }
    }
    if (t->state == RMI_TURN_READY)
        rmi_turn_peers_tick(t, now_us);
    if (t->state == RMI_TURN_READY)
        keep_alive(t, now_us);
    plan(t);
}

enum rmi_turn_state rmi_turn_state_of(const struct rmi_turn *t) {
    return t->state;
}

const struct rmi_addr *rmi_turn_relayed(const struct rmi_turn *t) {
    return &t->relayed;
}

const struct rmi_addr *rmi_turn_mapped(const struct rmi_turn *t) {
    return &t->mapped;
}

rm_err rmi_turn_error(const struct rmi_turn *t) {
    return t->err;
}

const char *rmi_turn_detail(const struct rmi_turn *t) {
    return t->detail;
}

void rmi_turn_get_stats(const struct rmi_turn *t, struct rmi_turn_stats *out) {
    *out = t->stats;
}
