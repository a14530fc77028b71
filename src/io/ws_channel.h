/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_IO_WS_CHANNEL_H
#define RMI_IO_WS_CHANNEL_H

#include "base/list.h"
#include "io/stream.h"
#include "io/websocket.h"
#include "io/ws_frame.h"

/* A WebSocket connection after the handshake, of either side: queue, pings, closing handshake (RFC 6455 sections 5 to
 * 7). The owner has the stream, the deadlines and the last word. */

#define RMI_WS_REASON_MAX 124 /* 5.5: 125 octets less the code, and a NUL */
#define RMI_WS_DETAIL_MAX 256

struct rmi_ws_channel_callbacks {
    void *ctx;
    void (*on_text)(void *ctx, const char *text, size_t len);
    void (*on_pong)(void *ctx);
};

struct rmi_ws_channel {
    struct rmi_stream *stream; /* the owner's; NULL before the connection is open and after its end */
    bool is_client;
    struct rmi_ws_channel_callbacks cb;
    struct rmi_list out;
    struct rmi_ws_decoder decoder;
    struct rmi_ws_stats stats;
    bool ping_due, pong_due;
    uint8_t pong[RMI_WS_CONTROL_MAX]; /* to the latest ping (5.5.3) */
    size_t pong_len;
    bool closing; /* from here: nothing is accepted for sending, no text is delivered */
    bool close_sent;
    uint16_t close_code;
    char close_reason[RMI_WS_REASON_MAX];
    rm_err why; /* what the end is to be reported as */
    char detail[RMI_WS_DETAIL_MAX];
};

void rmi_ws_channel_init(struct rmi_ws_channel *ch, bool is_client, size_t max_message,
                         const struct rmi_ws_channel_callbacks *cb);
void rmi_ws_channel_fini(struct rmi_ws_channel *ch);
/* RM_E_LIMIT, RM_E_NO_MEMORY. Sent when the stream is there and takes it. */
rm_err rmi_ws_channel_push(struct rmi_ws_channel *ch, const char *text, size_t len);
void rmi_ws_channel_ping(struct rmi_ws_channel *ch);
/* Send a close frame after what is queued. */
void rmi_ws_channel_close(struct rmi_ws_channel *ch, uint16_t code, const char *reason);
/* Send what is due; to be called when the stream is there, and when it has drained. */
void rmi_ws_channel_pump(struct rmi_ws_channel *ch);
/* Bytes that came in. True: the connection is over (`why`, `detail`), and the stream is to be shut down. */
bool rmi_ws_channel_input(struct rmi_ws_channel *ch, struct rmi_rd *r);
/* The stream ended without a closing handshake. */
void rmi_ws_channel_lost(struct rmi_ws_channel *ch, rm_err why, const char *detail);

#endif
