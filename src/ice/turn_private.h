/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_ICE_TURN_PRIVATE_H
#define RMI_ICE_TURN_PRIVATE_H

#include "base/list.h"
#include "base/time.h"
#include "ice/stun.h"
#include "ice/turn.h"

/* turn.c: the allocation; turn_txn.c: requests and answers; turn_peers.c: permissions, channels, payloads. */

#define TURN_DESTS_MAX 1024                /* transport addresses kept; 16 peers with 64 candidates each */
#define TURN_QUEUE_MAX 8                   /* gather.h */
#define TURN_PERMISSION_LIFE RMI_SEC(300)  /* RFC 8656 9 */
#define TURN_PERMISSION_RENEW RMI_SEC(240) /* a minute is left for retransmissions */
#define TURN_CHANNEL_LIFE RMI_SEC(600)     /* RFC 8656 12 */
#define TURN_CHANNEL_RENEW RMI_SEC(480)
#define TURN_CHANNEL_QUARANTINE RMI_SEC(300) /* RFC 8656 12: no other binding of either side so long after expiry */
#define TURN_CHANNEL_FIRST 0x4000            /* RFC 8656 12 */
#define TURN_CHANNEL_LAST 0x4FFF
#define TURN_IDLE RMI_SEC(300)      /* gather.h: kept while used so recently */
#define TURN_SWEEP RMI_SEC(60)      /* how often idle destinations are looked for */
#define TURN_RENEW_AGAIN RMI_SEC(5) /* after an unanswered renewal */

enum turn_kind { TURN_ALLOCATE, TURN_REFRESH, TURN_PERMIT, TURN_BIND };

struct turn_perm;
struct turn_dest;

struct turn_txn {
    bool active;
    bool authed; /* carries MESSAGE-INTEGRITY, so its answer must, too */
    enum turn_kind kind;
    uint8_t txid[RMI_STUN_TXID];
    int64_t next_at, give_up_at, rto;
    unsigned sends, stale;
    uint16_t unsigned_code; /* an error that came without MESSAGE-INTEGRITY: no answer, but the reason of a timeout */
    struct turn_perm *perm; /* TURN_PERMIT */
    struct turn_dest *dest; /* TURN_BIND */
};

enum turn_perm_state { TURN_PERM_ASKING, TURN_PERM_GRANTED, TURN_PERM_REFUSED };

/* One per IP address (RFC 8656 9: ports do not count). */
struct turn_perm {
    struct rmi_list node;
    struct rmi_addr ip;
    enum turn_perm_state state;
    int64_t until; /* GRANTED or REFUSED: for so long */
    int64_t renew_at, last_used;
    size_t users;
    struct turn_txn txn;
};

enum turn_channel_state { TURN_CHANNEL_NONE, TURN_CHANNEL_BINDING, TURN_CHANNEL_BOUND, TURN_CHANNEL_REFUSED };

struct turn_dest {
    struct rmi_list node; /* most recently used first */
    struct rmi_addr addr;
    struct turn_perm *perm;
    uint16_t channel; /* 0 = none was ever asked for */
    enum turn_channel_state channel_state;
    int64_t bound_until;   /* usable for so long */
    int64_t channel_until; /* the server may hold it for so long, whether we know it or not */
    int64_t renew_at, last_used;
    struct turn_txn txn;
    struct rmi_list queue;
    size_t queued;
};

struct rmi_turn {
    struct rmi_turn_config cfg;
    enum rmi_turn_state state;
    rm_err err;
    char detail[96];

    char realm[RMI_STUN_REALM_MAX + 1];
    uint8_t nonce[RMI_STUN_NONCE_MAX];
    size_t nonce_len;
    uint8_t key[16];
    bool have_key;

    struct rmi_addr relayed, mapped;
    int64_t expires_at, refresh_at;
    unsigned refresh_misses;
    struct turn_txn txn; /* Allocate or Refresh */

    struct rmi_list perms, dests;
    uint16_t next_channel;
    uint8_t indication_id[RMI_STUN_TXID];
    uint32_t indications;
    int64_t last_sent, sweep_at;
    int64_t deadline; /* cached; may be early, never late */
    struct rmi_turn_stats stats;
};

/* turn_txn.c */
void rmi_turn_txn_start(struct rmi_turn *t, struct turn_txn *x, enum turn_kind kind, int64_t now_us, int64_t at_us,
                        int64_t give_up_us);
void rmi_turn_txn_tick(struct rmi_turn *t, struct turn_txn *x, int64_t now_us);
void rmi_turn_on_response(struct rmi_turn *t, int64_t now_us, struct turn_txn *x, const struct rmi_stun_msg *m);
int64_t rmi_turn_txn_deadline(const struct turn_txn *x);
/* Hand a message to the server; buf has the room that struct rmi_sink asks for. */
void rmi_turn_transmit(struct rmi_turn *t, int64_t now_us, uint8_t *data, size_t len);

/* turn.c */
void rmi_turn_fail(struct rmi_turn *t, rm_err err, const char *what, uint16_t code);
/* code 0: nothing came in time. */
void rmi_turn_refused(struct rmi_turn *t, int64_t now_us, struct turn_txn *x, uint16_t code);
void rmi_turn_granted(struct rmi_turn *t, int64_t now_us, struct turn_txn *x, const struct rmi_stun_msg *m);

/* turn_peers.c */
void rmi_turn_perm_granted(struct rmi_turn *t, int64_t now_us, struct turn_perm *p);
void rmi_turn_perm_refused(struct rmi_turn *t, int64_t now_us, struct turn_perm *p, uint16_t code);
void rmi_turn_channel_bound(struct rmi_turn *t, int64_t now_us, struct turn_dest *d);
void rmi_turn_channel_refused(struct rmi_turn *t, int64_t now_us, struct turn_dest *d, uint16_t code);
void rmi_turn_peers_tick(struct rmi_turn *t, int64_t now_us);
int64_t rmi_turn_peers_deadline(const struct rmi_turn *t);
void rmi_turn_peers_clear(struct rmi_turn *t);
struct turn_txn *rmi_turn_find_txn(struct rmi_turn *t, const uint8_t *txid);
enum rmi_gather_verdict rmi_turn_on_channel_data(struct rmi_turn *t, uint8_t *data, size_t len,
                                                 struct rmi_gather_inner *inner);
enum rmi_gather_verdict rmi_turn_on_data(struct rmi_turn *t, uint8_t *data, const struct rmi_stun_msg *m,
                                         struct rmi_gather_inner *inner);

#endif
