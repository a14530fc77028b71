/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMT_MESH_H
#define RMT_MESH_H

#include "peer/endpoint.h"
#include "signaling/server.h"
#include "support/vnet.h"
#include "support/vnet_stun.h"
#include <stdbool.h>

/* Complete peers on a simulated network: the very endpoint that ships, with virtual sockets, a virtual signaling server
 * (the shipping core behind pipes) and virtual crypto. Errors of the scenario end the process. */
struct rmt_mesh;
struct rmt_peer;

#define RMT_MESH_PEERS_MAX 64

struct rmt_mesh_config {
    int64_t signaling_delay_us; /* one way between a peer and the server */
    int64_t signaling_jitter_us;
    uint32_t signaling_dup_ppm,
        signaling_reorder_ppm; /* of the messages each way; no WebSocket does that, proxies may */
    bool signaling_moves;      /* signaling connections break unnoticed with the address they began at, as TCP does */
    size_t room_max_peers;     /* 0 = the server's default */
    bool reuse_pipes;          /* of signaling connections that ended: for long runs */
    struct rmi_log *log;       /* NULL = silent; or rmt_mesh_log of an earlier step */
};

/* Seeds OpenSSL too. The server's host is added to the network as "signaling". */
struct rmt_mesh *rmt_mesh_create(struct rmt_vnet *v, const struct rmt_mesh_config *config);
void rmt_mesh_destroy(struct rmt_mesh **mesh); /* before the network */

struct rmt_peer_options {
    const char *id;             /* NULL = the host's name */
    const char *room, *token;   /* NULL = none */
    struct rmi_addr stun, turn; /* family 0 = none */
    const char *turn_password;  /* NULL = "pass" */
    bool relay_only, no_auto_connect;
    bool no_video, no_data;
    uint32_t max_peers; /* 0 = 10 */
    int64_t liveness_us;
    struct rmi_reconnect_policy reconnect; /* zeros: off */
    enum rmi_jsep_codec_id video_first;    /* RMI_JSEP_OPUS = 0: VP9 */
    struct rmi_cc_limits rates;            /* zeros: no congestion control */
    double weight;                         /* of its media; 0 = 1 */
    const struct rmi_cc_ops *cc;           /* NULL: rmi_cc_gcc */
    bool ecn;
    int64_t sound_wait_us;                      /* see peer/rtp_session.h */
    const struct rmi_endpoint_media_ops *media; /* copied; NULL: packets are counted (rmt_peer_rtp_received) */
    struct rmi_endpoint_data_ops channels;      /* zeros: no association is made */
};
/* One socket on each interface that is up. Not started. */
struct rmt_peer *rmt_mesh_add(struct rmt_mesh *mesh, struct rmt_host *host, const struct rmt_peer_options *options);
void rmt_peer_start(struct rmt_peer *p);
void rmt_peer_close(struct rmt_peer *p); /* says goodbye */
void rmt_peer_kill(struct rmt_peer *p);  /* the process dies: nothing is said, its sockets vanish */
void rmt_peer_free(struct rmt_peer **p); /* after close or kill; else the mesh does it at its end */

struct rmi_endpoint *rmt_peer_endpoint(const struct rmt_peer *p); /* NULL after close or kill */
int64_t rmt_peer_now(const struct rmt_peer *p);                   /* its host's clock */
/* Call after using the endpoint directly: takes events, arms the timer. */
void rmt_peer_pump(struct rmt_peer *p);
/* State towards another id; RMI_PC_NEW when there is no connection. */
enum rmi_pc_state rmt_peer_state(const struct rmt_peer *p, const char *other_id);
/* The last final error reported for a peer id, RM_OK = none. */
rm_err rmt_peer_error(const struct rmt_peer *p, const char *other_id);
const char *rmt_peer_detail(const struct rmt_peer *p);
size_t rmt_peer_connected(const struct rmt_peer *p); /* connections in state connected */
/* How often any connection entered this state. */
uint32_t rmt_peer_entered(const struct rmt_peer *p, enum rmi_pc_state state);
/* How many events of this kind came, and the newest; reconnecting: new connections, not ICE restarts. */
uint32_t rmt_peer_reconnecting(const struct rmt_peer *p, struct rmi_endpoint_event *last);
uint32_t rmt_peer_recovered(const struct rmt_peer *p, struct rmi_endpoint_event *last);
/* The newest end of set-up seen here: from signaling ready to DTLS done, microseconds; -1 = none yet. */
int64_t rmt_peer_setup_us(const struct rmt_peer *p, const char *other_id);
/* RTP received in the clear over all connections. */
uint64_t rmt_peer_rtp_received(const struct rmt_peer *p);
/* Send one RTP packet with a counter as payload. */
rm_err rmt_peer_send_rtp(struct rmt_peer *p, const char *other_id, uint16_t sequence);
/* The interfaces changed: closes dead sockets, opens new ones (as the facade does on the system's notice). */
void rmt_peer_interfaces_changed(struct rmt_peer *p);

/* Its way to the signaling server is cut: messages wait and connections do not come about, as over TCP. */
void rmt_peer_signaling_cut(struct rmt_peer *p);
/* It is back; the connection there was goes on after `tcp_wait_us`, as TCP has doubled its waits. */
void rmt_peer_signaling_mend(struct rmt_peer *p, int64_t tcp_wait_us);

bool rmt_mesh_all_connected(void *mesh);          /* every living peer with every other; usable as a predicate */
void rmt_mesh_server_down(struct rmt_mesh *mesh); /* connections break, new ones are refused */
void rmt_mesh_server_up(struct rmt_mesh *mesh);   /* with an empty roster, as after a restart */
struct rmi_sig_server_stats rmt_mesh_server_stats(const struct rmt_mesh *mesh);

#endif
