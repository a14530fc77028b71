/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_PEER_ENDPOINT_PRIVATE_H
#define RMI_PEER_ENDPOINT_PRIVATE_H

#include "base/list.h"
#include "base/time.h"
#include "peer/access.h"
#include "peer/endpoint.h"
#include "sctp/channels.h"
#include "signaling/client.h"

#define RMI_EP_EVENTS_MAX 1024 /* a user that never polls loses the oldest */

struct rmi_ep_peer {
    struct rmi_list node;
    char id[RMI_PEER_ID_MAX];
    struct rmi_endpoint *ep;
    struct rmi_pc *pc;
    struct rmi_rtp_session *rtp; /* NULL: nobody wants media */
    struct rmi_sctp *sctp;       /* NULL: no data channels with it */
    struct rmi_channels *channels;
    void *data; /* as from channels.peer_up */
    bool no_channels;
    bool draining;         /* its channels' events are being told */
    unsigned held_packets; /* of SCTP, taken and not answered yet */
    void *media;           /* as from media.peer_up */
    uint32_t negotiations; /* applied to rtp */
    bool left;             /* gone from the signaling server */
    int64_t left_us;
    bool resend_candidates; /* the server refused some before the answer */
    bool tell;              /* say peer.disconnect when it ends here */
    bool offerer;           /* the first offer that stands was made here */
    char *offer;            /* the first one, as it was sent, while it matters */
    bool superseded;        /* ends because another connection takes its place */
    int64_t deadline_us;    /* to be connected the first time */
    int64_t lost_us;        /* its path has been silent since; 0 = it is not */
    int64_t restart_us;     /* of the next ICE restart; RMI_NEVER: none is due */
    int64_t restarted_us;   /* the last one was begun; 0 = none */
    uint32_t restarts;      /* since it was lost */
    uint64_t heard;         /* messages of the signaling server, at the last of them */
};

struct rmi_ep_event_node {
    struct rmi_list node;
    struct rmi_endpoint_event ev;
};

struct rmi_endpoint {
    struct rmi_endpoint_config config;
    char peer_id[RMI_PEER_ID_MAX];
    struct rmi_gather *gather;
    struct rmi_mux *mux;
    struct rmi_sig_client *sig;
    struct rmi_list peers;
    size_t peer_count;
    struct rmi_access access;
    struct rmi_cc_share share;  /* of the connections' media */
    struct rmi_list recoveries; /* endpoint_reconnect.c */
    size_t recovery_count;
    struct rmi_list early; /* endpoint_early.c */
    size_t early_count;
    struct rmi_list events;
    size_t event_count;
    struct rmi_peer_snapshot ended[RMI_EP_ENDED_MAX];
    size_t ended_count;
    struct rmi_endpoint_stats stats;
    int64_t now_us; /* of the call in progress, for callbacks of the modules below */
    int64_t ready_us;
    int64_t refreshed_us; /* servers were asked for our addresses, out of turn */
    rm_err relay_err;     /* the last TURN failure while no relay is at hand */
    uint32_t gather_holds;
    bool gather_started, closed;
    bool holding; /* between rmi_endpoint_batch_begin and _end */
};

/* endpoint.c */
struct rmi_endpoint_event *rmi_ep_post(struct rmi_endpoint *ep, enum rmi_endpoint_event_type type, const char *peer_id);
struct rmi_ep_peer *rmi_ep_find(const struct rmi_endpoint *ep, const char *peer_id);
/* RM_E_DENIED, RM_E_LIMIT, RM_E_NO_MEMORY; nothing has been made then. */
rm_err rmi_ep_add_peer(struct rmi_endpoint *ep, const char *peer_id, bool offerer, struct rmi_ep_peer **out);
/* Takes what a connection has to say, and removes it when it has ended. `p` may be gone afterwards. */
void rmi_ep_drain_peer(struct rmi_endpoint *ep, struct rmi_ep_peer *p);
void rmi_ep_settle(struct rmi_endpoint *ep); /* drains everything; ends every public call that is not per packet */

/* endpoint_media.c */
rm_err rmi_ep_media_open(struct rmi_endpoint *ep, struct rmi_ep_peer *p);
void rmi_ep_media_close(struct rmi_endpoint *ep, struct rmi_ep_peer *p);
/* After anything that may have negotiated or connected. */
void rmi_ep_media_step(struct rmi_endpoint *ep, struct rmi_ep_peer *p);
/* Ends the streams and the connection. */
void rmi_ep_media_end(struct rmi_endpoint *ep, struct rmi_ep_peer *p);

/* endpoint_reconnect.c */
void rmi_ep_recovery_failed(struct rmi_endpoint *ep, const struct rmi_ep_peer *p); /* its connection, for good */
void rmi_ep_recovery_up(struct rmi_endpoint *ep, const struct rmi_ep_peer *p);
void rmi_ep_recovery_begun(struct rmi_endpoint *ep, const char *peer_id); /* somebody's offer is under way */
/* What was under way came to nothing without a failure: call again at once. */
void rmi_ep_recovery_resume(struct rmi_endpoint *ep, const char *peer_id);
void rmi_ep_recovery_asked(struct rmi_endpoint *ep, const char *peer_id); /* the user connects: count anew */
/* No more attempts; true: one was due. */
bool rmi_ep_recovery_cancel(struct rmi_endpoint *ep, const char *peer_id);
/* Who is in the room is about to be told anew. */
void rmi_ep_recovery_all_away(struct rmi_endpoint *ep);
void rmi_ep_recovery_here(struct rmi_endpoint *ep, const char *peer_id);
void rmi_ep_recovery_clear(struct rmi_endpoint *ep);
int64_t rmi_ep_recovery_deadline(const struct rmi_endpoint *ep);
void rmi_ep_recovery_run(struct rmi_endpoint *ep);

/* endpoint_early.c */
/* A candidate of a peer without a connection: its offer may follow. */
void rmi_ep_early_keep(struct rmi_endpoint *ep, const char *peer_id, const char *text);
void rmi_ep_early_take(struct rmi_endpoint *ep, struct rmi_ep_peer *p); /* its offer has come */
void rmi_ep_early_clear(struct rmi_endpoint *ep);

/* endpoint_path.c */
void rmi_ep_path_doubted(struct rmi_endpoint *ep, struct rmi_ep_peer *p);
void rmi_ep_path_lost(struct rmi_endpoint *ep, struct rmi_ep_peer *p);
void rmi_ep_path_back(struct rmi_endpoint *ep, struct rmi_ep_peer *p);
void rmi_ep_path_retry(struct rmi_endpoint *ep, struct rmi_ep_peer *p); /* a restart now, if the path is lost */
/* Something out there answers again: signaling need not wait for its own timers. */
void rmi_ep_path_network_back(struct rmi_endpoint *ep);
int64_t rmi_ep_path_deadline(const struct rmi_endpoint *ep, const struct rmi_ep_peer *p);
void rmi_ep_path_run(struct rmi_endpoint *ep, struct rmi_ep_peer *p);

/* endpoint_data.c */
void rmi_ep_data_step(struct rmi_endpoint *ep, struct rmi_ep_peer *p); /* makes the association once it can be */
void rmi_ep_data_close(struct rmi_ep_peer *p);
void rmi_ep_data_release(struct rmi_ep_peer *p, int64_t now_us);
int64_t rmi_ep_data_deadline(const struct rmi_ep_peer *p);
void rmi_ep_data_timeout(struct rmi_endpoint *ep, struct rmi_ep_peer *p);

/* endpoint_signaling.c */
void rmi_ep_drain_signaling(struct rmi_endpoint *ep);
void rmi_ep_signal_description(struct rmi_endpoint *ep, struct rmi_ep_peer *p, enum rmi_sdp_type type, const char *sdp);
rm_err rmi_ep_offer_to(struct rmi_endpoint *ep, const char *peer_id);

#endif
