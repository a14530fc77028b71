/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_IO_STREAM_H
#define RMI_IO_STREAM_H

#include "io/tls.h"
#include "net/addr.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rmi_loop;
struct rmi_stream;

/* A TCP connection on the loop, with or without TLS. Callbacks come from the loop only, never from within a call. */
struct rmi_stream_callbacks {
    void *ctx;
    void (*on_open)(void *ctx); /* connected, and the TLS handshake is done */
    void (*on_data)(void *ctx, const uint8_t *data, size_t len);
    void (*on_drain)(void *ctx); /* what had to wait was sent */
    /* Once, as the last one. RM_OK: the other side ended. RM_E_SIGNALING: not reachable, or lost, also in the TLS
     * handshake. RM_E_TLS, RM_E_NO_MEMORY. The object then only waits for rmi_stream_close. */
    void (*on_end)(void *ctx, rm_err why, const char *detail);
};

/* With a context the stream speaks TLS, and as a client checks that the certificate is for `host`. RM_E_SIGNALING:
 * refused at once (no route, say), RM_E_IO (no descriptor), RM_E_NO_MEMORY. */
rm_err rmi_stream_connect(struct rmi_loop *loop, const struct rmi_addr *addr, const struct rmi_tls_context *context,
                          const char *host, const struct rmi_stream_callbacks *cb, struct rmi_stream **out);
/* Takes the accepted, non-blocking socket in any case. Without TLS it is open at once, without on_open. */
rm_err rmi_stream_accept(struct rmi_loop *loop, int fd, const struct rmi_tls_context *context,
                         const struct rmi_stream_callbacks *cb, struct rmi_stream **out);
/* Send, or keep (copied) what the socket does not take now. Not before on_open. When that fails, also for want of
 * memory, the stream is broken: on_end comes in a later turn. */
void rmi_stream_write(struct rmi_stream *s, const void *data, size_t len);
size_t rmi_stream_queued(const struct rmi_stream *s);
/* The address it is bound to here. False: none yet, or no longer. */
bool rmi_stream_local_addr(const struct rmi_stream *s, struct rmi_addr *out);
/* End this direction after what is queued. What still comes in is thrown away; on_end tells when the other side has
 * ended too: whoever closes earlier, with input unread, makes the system send a reset, which may overtake the data. */
void rmi_stream_shutdown(struct rmi_stream *s);
/* At once. Idempotent, accepts NULL, legal inside a callback; no callback afterwards. */
void rmi_stream_close(struct rmi_stream **s);

#endif
