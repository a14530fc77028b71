/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_WEBRTC_PRIVATE_H
#define RMI_WEBRTC_PRIVATE_H

#include "base/list.h"
#include "base/log.h"
#include "io/interfaces.h"
#include "io/loop.h"
#include "io/mailbox.h"
#include "io/resolve.h"
#include "io/udp.h"
#include "io/websocket.h"
#include "peer/endpoint.h"
#include "webrtc/media.h"
#include "webrtc/serve.h"
#include "webrtc/server_url.h"
#include <pthread.h>
#include <remotemedia/webrtc.h>
#include <stdatomic.h>
#include <stdbool.h>

#define RMI_WEBRTC_SOCKETS_MAX 16  /* one a local address; further addresses are not used */
#define RMI_WEBRTC_EVENTS_MAX 1024 /* as documented at rm_webrtc_poll */

struct rmi_data;
struct rmi_control;
struct rmi_execute;

struct rmi_webrtc_socket {
    struct rm_webrtc *owner;
    struct rmi_udp *udp; /* NULL: free slot */
    rmi_base_id base;
    struct rmi_addr ip; /* port 0 */
};

enum rmi_lookup_kind { RMI_LOOKUP_STUN, RMI_LOOKUP_TURN, RMI_LOOKUP_CANDIDATE };

/* A name being resolved. Lives on the heap until its answer or the end of the transport. */
struct rmi_webrtc_lookup {
    struct rmi_list node;
    struct rm_webrtc *owner;
    struct rmi_resolve *handle;
    enum rmi_lookup_kind kind;
    struct rmi_server_url server;
    char peer_id[RMI_PEER_ID_MAX];
    uint32_t resolve_id;
    char hostname[RMI_CAND_HOST_MAX];
};

struct rm_webrtc {
    rm_webrtc_config config; /* own copies of all strings */
    char peer_id[RM_PEER_ID_MAX];
    struct rmi_log *log;
    struct rmi_mailbox *events; /* NULL with on_event */
    struct rmi_media *media;
    struct rmi_data *data;
    struct rmi_serve *serve; /* NULL: no server; set before start */
    struct rmi_control *control;
    struct rmi_execute *execute;

    /* Guarded by mutex: what several threads look at. */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool started, shutdown_asked;
    struct rmi_list commands; /* posted, not run yet */
    bool stopped;             /* the network thread turns its loop no more */

    pthread_t thread;
    bool has_thread;
    atomic_bool destroying; /* no callback from now on */
    bool free_at_end;       /* destroyed inside a callback: the network thread frees everything */

    /* Network thread only, from here on (set up by rm_webrtc_start before that thread exists). */
    struct rmi_loop *loop;
    struct rmi_timer *timer;
    struct rmi_endpoint *ep;
    struct rmi_ws *ws;
    struct rmi_interfaces_watch *watch;
    struct rmi_webrtc_socket sockets[RMI_WEBRTC_SOCKETS_MAX];
    rmi_base_id next_base;
    struct rmi_list lookups;
};

/* config.c */
rm_err rmi_webrtc_config_copy(const rm_webrtc_config *from, rm_webrtc_config *to);
void rmi_webrtc_config_free(rm_webrtc_config *config);

/* webrtc.c: answer(ctx) on the network thread, waited for; at once when this is it. RM_E_STATE, RM_E_CLOSED,
 * RM_E_NO_MEMORY. */
rm_err rmi_webrtc_call(struct rm_webrtc *t, void (*answer)(void *ctx), void *ctx);
bool rmi_webrtc_on_network_thread(const struct rm_webrtc *t);

/* network.c: everything that happens on the network thread */
rm_err rmi_webrtc_net_open(struct rm_webrtc *t); /* before the thread runs; undone by net_close on failure too */
void rmi_webrtc_net_run(struct rm_webrtc *t);    /* until shut down */
void rmi_webrtc_net_close(struct rm_webrtc *t);
void rmi_webrtc_net_shutdown(void *t);      /* posted */
void rmi_webrtc_after(struct rm_webrtc *t); /* after any use of the endpoint: events out, timer armed */

/* data.c: data channels (data_private.h, channel_hook.h) */
rm_err rmi_data_create(struct rm_webrtc *t, struct rmi_data **out);
void rmi_data_destroy(struct rmi_data **data);
struct rmi_endpoint_data_ops rmi_data_ops(struct rmi_data *d);
void rmi_data_start(struct rmi_data *d); /* the loop exists */
void rmi_data_stop(struct rmi_data *d);  /* and is about to go: calls get RM_E_CLOSED from here on */
void rmi_data_run(struct rmi_data *d);   /* network thread, not inside the endpoint: does what was asked for */

/* execute.c: one input through a peer's pipeline, and of peers through ours */
rm_err rmi_execute_create(struct rm_webrtc *t, struct rmi_execute **out);
void rmi_execute_stop(struct rmi_execute *e); /* network thread: nothing runs or waits any more */
void rmi_execute_destroy(struct rmi_execute **execute);

/* events.c */
void rmi_webrtc_emit(struct rm_webrtc *t, rm_event *ev);
void rmi_webrtc_drain_events(struct rm_webrtc *t);
void rmi_webrtc_fill_info(const struct rm_webrtc *t, const struct rmi_peer_snapshot *s, rm_peer_info *out);

#endif
