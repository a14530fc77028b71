/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_PEER_CONNECTION_PRIVATE_H
#define RMI_PEER_CONNECTION_PRIVATE_H

#include "base/list.h"
#include "base/time.h"
#include "peer/connection.h"

#define RMI_PC_NAME_MAX 80
#define RMI_PC_EVENTS_MAX 256 /* queued events; a peer that makes more in one input is cut off */
#define RMI_PC_STASH_MAX 8    /* early DTLS datagrams: a fragmented ClientHello is at most 3, plus retransmissions */
#define RMI_PC_RESOLVE_MAX 8  /* names being resolved at once: browsers send one per interface and family */
#define RMI_PC_UFRAGS_MAX 3   /* the generation offered, the current one and the one before it */
#define RMI_PC_PENDING_MAX 64 /* candidates that came before the description: as many as ICE keeps */

struct rmi_pc_local_cand {
    rmi_base_id base;
    struct rmi_candidate cand;
};

struct rmi_pc_stashed {
    rmi_base_id base;
    struct rmi_addr from;
    size_t len;
    uint8_t data[RMI_DATAGRAM_MAX];
};

struct rmi_pc_resolving {
    bool used;
    uint32_t id;
    struct rmi_candidate cand;
};

/* A copy of a handshake datagram that goes out a second time (see rmi_pc_echo_send). */
struct rmi_pc_echo {
    int64_t due_us;
    size_t len;
    uint8_t data[RMI_HEADROOM + RMI_DATAGRAM_MTU + 64];
};
#define RMI_PC_ECHO_MAX 4 /* datagrams of one DTLS flight: a server flight with an ECDSA certificate is one or two */

struct rmi_pc_event_node {
    struct rmi_list node;
    struct rmi_pc_event ev;
};

struct rmi_pc {
    struct rmi_pc_config config;
    char name[RMI_PC_NAME_MAX];
    char fingerprint[RMI_FINGERPRINT_TEXT_MAX];

    struct rmi_jsep *jsep;
    struct rmi_ice_agent *ice;
    struct rmi_dtls *dtls;
    struct rmi_srtp *srtp;
    enum rmi_srtp_profile profile;

    enum rmi_pc_state state;
    rm_err err, relay_err;
    char err_detail[256];
    struct rmi_pc_steps steps;
    struct rmi_pc_stats stats;

    struct rmi_list events;
    size_t event_count;
    int64_t media_us; /* last sound or picture of either direction; 0: none yet */
    int64_t now_us;   /* of the call in progress: the DTLS output callback has no clock of its own */

    struct rmi_pc_local_cand locals[RMI_ICE_LOCAL_MAX];
    size_t local_count;
    bool local_done, described, restart_pending, dtls_done, remote_known;
    char ufrags[RMI_PC_UFRAGS_MAX][RMI_ICE_UFRAG_LEN + 1]; /* newest first */

    char (*pending)[RMI_CAND_TEXT_MAX]; /* allocated on first need */
    size_t pending_count;
    struct rmi_pc_stashed *stash; /* allocated on first need, freed once DTLS is connected */
    size_t stash_count;
    struct rmi_pc_resolving resolving[RMI_PC_RESOLVE_MAX];
    uint32_t next_resolve_id;
    struct rmi_pc_echo *echo; /* allocated on first need, freed once DTLS is connected */
    size_t echo_count;

    uint32_t negotiations;
    uint64_t remote_session; /* o= session id of the remote description */
    struct rmi_fingerprint remote_fps[RMI_SDP_FINGERPRINT_MAX];
    size_t remote_fp_count;

    rmi_pc_packet_fn on_packet;
    void *on_packet_ctx;
    rmi_pc_data_fn on_data;
    void *on_data_ctx;
};

/* connection.c */
struct rmi_pc_event *rmi_pc_post(struct rmi_pc *pc, enum rmi_pc_event_type type); /* NULL: queue full or no memory */
void rmi_pc_set_state(struct rmi_pc *pc, enum rmi_pc_state state, rm_err err, const char *reason);
void rmi_pc_fail(struct rmi_pc *pc, rm_err err, const char *detail);
void rmi_pc_update(struct rmi_pc *pc); /* after any mutation: drains ICE and DTLS events, derives the state */

/* connection_secure.c */
void rmi_pc_secure_step(struct rmi_pc *pc); /* starts DTLS when it may, drains its events */
void rmi_pc_secure_input(struct rmi_pc *pc, rmi_base_id base, const struct rmi_addr *from, const uint8_t *data,
                         size_t len);
void rmi_pc_secure_media(struct rmi_pc *pc, rmi_base_id base, const struct rmi_addr *from, bool rtcp, enum rmi_ecn ecn,
                         uint8_t *data, size_t len);
void rmi_pc_echo_timeout(struct rmi_pc *pc);
int64_t rmi_pc_echo_deadline(const struct rmi_pc *pc);
void rmi_pc_secure_fini(struct rmi_pc *pc);

/* connection_negotiation.c */
void rmi_pc_register_ufrag(struct rmi_pc *pc);
rm_err rmi_pc_add_remote(struct rmi_pc *pc, const struct rmi_candidate *c);
void rmi_pc_label_candidate(const struct rmi_pc *pc, struct rmi_pc_event *ev); /* fills mid and mline */

#endif
