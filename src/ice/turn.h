/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_ICE_TURN_H
#define RMI_ICE_TURN_H

#include "ice/gather.h"

/* A TURN client over UDP for one allocation (RFC 8656, long-term credentials of RFC 8489 9.2 with MESSAGE-INTEGRITY).
 * Used by the gatherer only. Pure, one thread. */
struct rmi_turn;

struct rmi_turn_config {
    struct rmi_rng rng;
    struct rmi_log *log;
    struct rmi_sink sink;
    rmi_base_id host_base;         /* where datagrams to the server leave and answers arrive */
    struct rmi_turn_server server; /* its address family is also the family asked for */
    int64_t timeout_us;            /* for the allocation as a whole, and for each later request */
    int64_t keepalive_us;          /* a Binding indication goes to a server that we sent nothing for so long */
};

enum rmi_turn_state {
    RMI_TURN_NEW,
    RMI_TURN_ALLOCATING,
    RMI_TURN_READY,
    RMI_TURN_FAILED, /* refused or silent, at the start or later: rmi_turn_error says why */
    RMI_TURN_CLOSED
};

struct rmi_turn_stats {
    uint64_t sent_channel, sent_indication, received_channel, received_indication;
    uint64_t drop_channel;    /* channel data on a number that we did not bind */
    uint64_t drop_permission; /* a payload of a sender that we permitted nothing, or to one the server refuses */
    uint64_t drop_queue;      /* more waited than fit, or more destinations than are kept */
    uint64_t drop_integrity;  /* answers without or with wrong MESSAGE-INTEGRITY */
    uint64_t drop_malformed;
    uint32_t permissions, destinations; /* kept now */
};

/* RM_E_NO_MEMORY; RM_E_INVALID_ARG: user name or password not terminated. */
rm_err rmi_turn_create(const struct rmi_turn_config *config, struct rmi_turn **out);
void rmi_turn_destroy(struct rmi_turn **t);
/* Begin at `at_us`, which may lie ahead (pacing), and give up at give_up_us. */
void rmi_turn_start(struct rmi_turn *t, int64_t now_us, int64_t at_us, int64_t give_up_us);
/* Something unanswered makes the server suspect: ask it for a sign of life now. */
void rmi_turn_probe(struct rmi_turn *t, int64_t now_us);
/* Refresh with lifetime 0, once, when there may be an allocation. */
void rmi_turn_close(struct rmi_turn *t, int64_t now_us);

/* A datagram that came from the server's address on the host base. RMI_GATHER_RELAYED fills inner except its base. */
enum rmi_gather_verdict rmi_turn_input(struct rmi_turn *t, int64_t now_us, uint8_t *data, size_t len,
                                       struct rmi_gather_inner *inner);
/* Whether a request with this transaction id awaits an answer. */
bool rmi_turn_owns(struct rmi_turn *t, const uint8_t txid[12]);
/* As rmi_gather_send. Nothing is sent unless READY. */
void rmi_turn_send(struct rmi_turn *t, int64_t now_us, const struct rmi_addr *to, uint8_t *data, size_t len);

int64_t rmi_turn_next_deadline(const struct rmi_turn *t);
void rmi_turn_timeout(struct rmi_turn *t, int64_t now_us);

enum rmi_turn_state rmi_turn_state_of(const struct rmi_turn *t);
const struct rmi_addr *rmi_turn_relayed(const struct rmi_turn *t);
const struct rmi_addr *rmi_turn_mapped(const struct rmi_turn *t); /* family 0 when the server did not say */
rm_err rmi_turn_error(const struct rmi_turn *t);                  /* RM_OK unless FAILED */
const char *rmi_turn_detail(const struct rmi_turn *t);
void rmi_turn_get_stats(const struct rmi_turn *t, struct rmi_turn_stats *out);

#endif
