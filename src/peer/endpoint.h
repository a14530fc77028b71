/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_PEER_ENDPOINT_H
#define RMI_PEER_ENDPOINT_H

#include "base/log.h"
#include "base/rng.h"
#include "ice/gather.h"
#include "peer/connection.h"
#include "peer/reconnect.h"
#include "peer/rtp_session.h"
#include "sctp/channels.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One participant of a mesh: signaling client, candidate gathering, packet demultiplexing and all its peer connections,
 * as one pure object. The facade drives it with real sockets, the simulator with virtual ones. One thread. */
struct rmi_endpoint;

#define RMI_PEER_ID_MAX 65    /* ^[A-Za-z0-9_-]{1,64}$ and a NUL */
#define RMI_MESH_PEERS_MAX 64 /* hard ceiling of max_peers */

/* What the endpoint asks of its surroundings. Called from inside its functions; must not call back into it. */
struct rmi_endpoint_io {
    struct rmi_sink sink;            /* datagrams; base is a host base. With send_ect for ECN */
    void (*socket_open)(void *ctx);  /* open the signaling WebSocket, answer with rmi_endpoint_signaling_up/_down */
    void (*socket_close)(void *ctx); /* no answer is due */
    void (*socket_send)(void *ctx, const char *text, size_t len);
    /* Resolve a host name of a remote candidate; answer once with rmi_endpoint_resolved. */
    void (*resolve)(void *ctx, const char *hostname, const char *peer_id, uint32_t resolve_id);
    /* A certificate for a new connection, or NULL when that fails; the reference becomes the endpoint's. The pointer
     * may be NULL: every connection uses the endpoint's certificate. */
    struct rmi_dtls_cert *(*new_cert)(void *ctx);
    void *ctx;
};

/* Who sends and receives media. Called from inside the endpoint's functions; may use the session handed out and must
 * not call the endpoint. */
struct rmi_endpoint_media_ops {
    /* A connection is up for the first time: its media can flow. The result names it in the calls below; NULL: no
     * media with this peer. */
    void *(*peer_up)(void *ctx, const char *peer_id, struct rmi_rtp_session *rtp);
    void (*peer_changed)(void *ctx, void *peer); /* formats may have changed with a negotiation */
    void (*peer_down)(void *ctx, void *peer);    /* the last call for it: its session goes away */
    void (*packet)(void *ctx, void *peer, const struct rmi_rtp_in *packet);
    void (*key_request)(void *ctx, void *peer, int64_t now_us);
    void (*sender_report)(void *ctx, void *peer, enum rmi_rtp_kind kind, uint64_t ntp, uint32_t timestamp);
    /* What may be sent to it is another rate now. May be NULL. */
    void (*rate)(void *ctx, void *peer, int64_t now_us, const struct rmi_rtp_rate *rate);
    void *ctx;
};

/* Who uses data channels. Called from inside the endpoint's functions; may use the channels handed out, but not poll
 * them, and must not call the endpoint. Messages are valid during the call. */
struct rmi_endpoint_data_ops {
    /* The association with a peer is made; channels can be opened. The result names it below; NULL: there is no memory
     * for this peer's channels. `message_max`: bytes of one message that the peer takes. */
    void *(*peer_up)(void *ctx, const char *peer_id, struct rmi_channels *channels, size_t message_max);
    void (*event)(void *ctx, void *peer, const struct rmi_channels_event *event);
    void (*peer_down)(void *ctx, void *peer); /* the last call for it: its channels go away */
    void *ctx;
};

/* The channel of RemoteMedia's mesh: the side that offered opens it. */
#define RMI_EP_CHANNEL "control"

struct rmi_endpoint_config {
    struct rmi_rng rng;
    struct rmi_log *log;
    struct rmi_endpoint_io io;
    struct rmi_dtls_cert *cert;         /* a reference is taken */
    const char *peer_id, *room, *token; /* copied; room and token may be NULL */
    uint32_t max_peers;                 /* remote peers at once, 1..RMI_MESH_PEERS_MAX */
    const char *allowed, *denied;       /* whom it connects with (peer/access.h); copied */
    bool auto_connect;                  /* offer to everybody the announce result names */
    bool relay_only;
    bool audio, video, data;
    enum rmi_jsep_codec_id video_first;
    int64_t liveness_us;    /* 0 = 2 s */
    int64_t ice_timeout_us; /* 0 = 9.5 s */
    struct rmi_reconnect_policy reconnect;
    struct rmi_endpoint_media_ops media;   /* peer_up NULL: packets of media are counted and dropped */
    struct rmi_endpoint_data_ops channels; /* event NULL: no association is made */
    bool channels_unreliable;              /* ours is unordered and nothing is sent twice */
    struct rmi_cc_limits rates;            /* of each connection's media; zeros: no congestion control */
    double weight;                         /* of each connection against those of others; 0 = 1 */
    const struct rmi_cc_ops *cc;           /* NULL: rmi_cc_gcc */
    bool ecn;              /* of media, where the remote wants it, too: rmi_endpoint_datagram is told the ECN fields */
    int64_t sound_wait_us; /* see peer/rtp_session.h */
    bool rtcp_reports;     /* see peer/rtp_session.h */
    int64_t rtcp_interval_us;
    int64_t unix_offset_us;
};

enum rmi_endpoint_event_type {
    RMI_EP_EV_SIGNALING,  /* signaling: state; err, detail when it failed or retries */
    RMI_EP_EV_PEER_FOUND, /* peer_id is present in the room */
    RMI_EP_EV_PEER_STATE, /* peer_id, state, err, detail */
    RMI_EP_EV_PEER_GONE,  /* peer_id: connection removed; its resources are free */
    RMI_EP_EV_PEER_LEFT,  /* peer_id left the signaling server (its connection may go on) */
    RMI_EP_EV_ERROR,      /* err, detail, peer_id or "": a request or a server failed; nothing else changed */
    /* peer_id, attempt, duration_us until it. Attempt 0: the path is silent, ICE restarts on the same connection;
     * from 1: after a failure, a new connection. Signaling that is down holds an attempt up. */
    RMI_EP_EV_RECONNECTING,
    RMI_EP_EV_RECOVERED /* peer_id, attempt (how many were made here), duration_us since the loss was noticed */
};
enum rmi_ep_signaling { RMI_EP_SIG_DOWN, RMI_EP_SIG_CONNECTING, RMI_EP_SIG_READY, RMI_EP_SIG_FAILED };

struct rmi_endpoint_event {
    enum rmi_endpoint_event_type type;
    char peer_id[RMI_PEER_ID_MAX];
    enum rmi_ep_signaling signaling;
    enum rmi_pc_state state;
    rm_err err;
    char detail[256];
    uint32_t attempt;
    int64_t duration_us;
};

struct rmi_endpoint_stats {
    uint64_t datagrams_in, datagrams_unowned; /* nobody's: dropped */
    uint64_t drop_signaling;                  /* spoofed, unexpected or malformed signaling messages */
    uint64_t refused_peers;                   /* offers beyond max_peers, or of those not permitted */
    uint32_t peers;
};

rm_err rmi_endpoint_create(const struct rmi_endpoint_config *config, int64_t now_us, struct rmi_endpoint **out);
/* No callback of io is made any more once this returns. */
void rmi_endpoint_destroy(struct rmi_endpoint **ep);
/* Open signaling and begin gathering. */
void rmi_endpoint_start(struct rmi_endpoint *ep, int64_t now_us);
/* Say goodbye: peer.disconnect, close_notify, TURN refresh 0. Idempotent. Datagrams and texts leave inside the call. */
void rmi_endpoint_close(struct rmi_endpoint *ep, int64_t now_us);

/* Local sockets and servers: pass-through to the gatherer (see ice/gather.h for errors). */
rm_err rmi_endpoint_add_host(struct rmi_endpoint *ep, int64_t now_us, rmi_base_id base, const struct rmi_addr *addr,
                             uint16_t local_pref);
void rmi_endpoint_remove_host(struct rmi_endpoint *ep, int64_t now_us, rmi_base_id base);
/* After add_host and remove_host for a change of interfaces: connections without a path restart ICE at once, servers
 * are asked for our addresses anew, and so is the signaling server; signaling_moved: the local address of its
 * connection is gone. */
void rmi_endpoint_network_changed(struct rmi_endpoint *ep, int64_t now_us, bool signaling_moved);
rm_err rmi_endpoint_add_stun(struct rmi_endpoint *ep, const struct rmi_addr *server);
rm_err rmi_endpoint_add_turn(struct rmi_endpoint *ep, const struct rmi_turn_server *server);
/* Servers that are still being resolved hold back end-of-candidates: begin/end bracket that time. */
void rmi_endpoint_hold_gathering(struct rmi_endpoint *ep);
void rmi_endpoint_release_gathering(struct rmi_endpoint *ep, int64_t now_us);

void rmi_endpoint_datagram(struct rmi_endpoint *ep, int64_t now_us, rmi_base_id base, const struct rmi_addr *from,
                           enum rmi_ecn ecn, uint8_t *data, size_t len);
/* Around datagrams that came together: what data channels have to answer and to tell goes out at the end, or every few
 * dozen packets. Other calls in between are fine. */
void rmi_endpoint_batch_begin(struct rmi_endpoint *ep);
void rmi_endpoint_batch_end(struct rmi_endpoint *ep, int64_t now_us);
void rmi_endpoint_signaling_up(struct rmi_endpoint *ep, int64_t now_us);
void rmi_endpoint_signaling_down(struct rmi_endpoint *ep, int64_t now_us, rm_err why, const char *detail);
void rmi_endpoint_signaling_text(struct rmi_endpoint *ep, int64_t now_us, const char *text, size_t len);
void rmi_endpoint_resolved(struct rmi_endpoint *ep, int64_t now_us, const char *peer_id, uint32_t resolve_id,
                           const struct rmi_addr *addr);

/* Whom it connects with from now on (peer/access.h): connections with others end with RM_E_DENIED, which they are told,
 * and are not tried again. Errors of rmi_access_set. */
rm_err rmi_endpoint_set_access(struct rmi_endpoint *ep, int64_t now_us, const char *allowed, const char *denied);

/* RM_E_EXISTS, RM_E_LIMIT (max_peers), RM_E_DENIED, RM_E_STATE (signaling not ready), RM_E_INVALID_ARG. Between
 * attempts to reconnect: the next one is made now, and their count begins anew. */
rm_err rmi_endpoint_connect_peer(struct rmi_endpoint *ep, int64_t now_us, const char *peer_id);
/* Ends attempts to reconnect, too. RM_E_NOT_FOUND. */
rm_err rmi_endpoint_disconnect_peer(struct rmi_endpoint *ep, int64_t now_us, const char *peer_id);
rm_err rmi_endpoint_restart_ice(struct rmi_endpoint *ep, int64_t now_us, const char *peer_id); /* RM_E_NOT_FOUND */

/* After any use of a peer's channels outside of the calls above: sends what may be sent, tells what happened. A peer
 * that is gone is no error. */
void rmi_endpoint_data_flush(struct rmi_endpoint *ep, int64_t now_us, const char *peer_id);

int64_t rmi_endpoint_next_deadline(const struct rmi_endpoint *ep);
void rmi_endpoint_timeout(struct rmi_endpoint *ep, int64_t now_us);
bool rmi_endpoint_poll_event(struct rmi_endpoint *ep, struct rmi_endpoint_event *out);

/* Live connections in order of creation, then up to RMI_EP_ENDED_MAX peers whose last connection failed or closed,
 * newest last. */
#define RMI_EP_ENDED_MAX 16
struct rmi_peer_snapshot {
    char peer_id[RMI_PEER_ID_MAX];
    enum rmi_pc_state state;
    rm_err err;
    char detail[256];
    bool ended;
    bool has_pair;
    struct rmi_ice_pair_info pair;
    enum rmi_srtp_profile srtp_profile;
    struct rmi_pc_steps steps;
    struct rmi_pc_stats stats;
    struct rmi_ice_stats ice;
};
size_t rmi_endpoint_snapshot_count(const struct rmi_endpoint *ep);
bool rmi_endpoint_snapshot(const struct rmi_endpoint *ep, size_t index, struct rmi_peer_snapshot *out);
struct rmi_pc *rmi_endpoint_peer(const struct rmi_endpoint *ep, const char *peer_id); /* live ones; NULL: none */
/* When signaling became ready (announce answered) for the first time; 0 = not yet. */
int64_t rmi_endpoint_ready_us(const struct rmi_endpoint *ep);
void rmi_endpoint_get_stats(const struct rmi_endpoint *ep, struct rmi_endpoint_stats *out);

#endif
