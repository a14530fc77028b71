/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_IO_WS_HOST_H
#define RMI_IO_WS_HOST_H

#include "base/list.h"
#include "io/websocket.h"
#include <libwebsockets.h>

/* libwebsockets on the loop. Facts about 4.1.6 that shape this (read in its sources):
 * - lws_vhost_destroy never finishes while a connection or listener is bound to the vhost. So every client and server
 *   has a vhost of its own without a listener (the server accepts by itself and hands sockets over), counts its
 *   connections by WSI_CREATE/WSI_DESTROY, and destroys the vhost when there are none.
 * - A request is bound to the first vhost of the context that has the same port number, which is -2 for all of ours.
 *   So every server has a context of its own; clients share one.
 * - Destroying a context on a foreign libuv loop closes the descriptor of its event pipe twice, a turn apart. So
 * contexts are kept for the next server and destroyed with the loop only, where a placeholder takes the second close.
 * - Returning -1 from a writeable callback drops the connection; only from elsewhere does it send the close frame.
 * - A time-out set outside its callbacks may not reach the libuv timer: deadlines are timers of ours.
 * - Its global TLS initialisation takes new OpenSSL index numbers at each context, which breaks connections and leaks
 *   the certificates' stores of earlier ones. OpenSSL 3 needs none: vhosts set that option, contexts do not.
 * - Its external poll interface is compiled out in Debian, and it logs through one process-wide function: off. */
struct rmi_loop;

/* A context on the loop: the clients' (shared), or one for a server. RM_E_INTERNAL: libwebsockets cannot start, most
 * likely for want of its libuv module. RM_E_NO_MEMORY. Give a server's back when its vhost is gone. */
struct rmi_ws_host;
rm_err rmi_ws_host_take(struct rmi_loop *loop, bool shared, struct rmi_ws_host **out);
struct lws_context *rmi_ws_host_context(const struct rmi_ws_host *host);
void rmi_ws_host_give_back(struct rmi_ws_host *host);

/* Options common to every vhost of ours. */
void rmi_ws_vhost_info(struct lws_context_creation_info *info, const struct lws_protocols *protocols, void *user);

/* Start the closing handshake with the reason set before, or end a connection that has none yet. Not inside a callback
 * of the connection. */
void rmi_ws_end(struct lws *wsi);
/* The same without waiting for anything: libwebsockets would first flush what the other side does not read. */
void rmi_ws_cut(struct lws *wsi);

/* Messages on their way out and the one being received, of either side. */
struct rmi_ws_channel {
    struct rmi_list out;
    size_t max_message;
    char *in;
    size_t in_len, in_cap;
    struct rmi_ws_stats stats;
};

void rmi_ws_channel_init(struct rmi_ws_channel *ch, size_t max_message);
void rmi_ws_channel_fini(struct rmi_ws_channel *ch);
rm_err rmi_ws_channel_push(struct rmi_ws_channel *ch, const char *text, size_t len);
/* Write the next message, if any; false: the connection is broken. */
bool rmi_ws_channel_write(struct rmi_ws_channel *ch, struct lws *wsi);
/* Take one fragment. RM_OK: a whole text message is in ch->in. RM_E_AGAIN: not yet. RM_E_TOO_BIG, RM_E_NO_MEMORY: a
 * close reason is set and the callback is to return -1. */
rm_err rmi_ws_channel_receive(struct rmi_ws_channel *ch, struct lws *wsi, const void *data, size_t len);

/* Why the other side closed, from the payload of its close frame; detail gets a line. */
rm_err rmi_ws_peer_close(const void *data, size_t len, char *detail, size_t cap);

#endif
