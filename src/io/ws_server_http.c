/* SPDX-License-Identifier: Apache-2.0 */
#include "io/ws_server_private.h"
#include <stdlib.h>
#include <string.h>

#define HEADERS_MAX 2048
#define CHUNK 16384
#define STATUS_NOT_FOUND 404
#define STATUS_METHOD 405
#define STATUS_MIN 200
#define STATUS_MAX 599

/* Page written by libwebsockets itself; the connection is not kept. */
static int refuse(struct rmi_ws_conn *conn, unsigned status) {
    (void)lws_return_http_status(conn->wsi, status, NULL);
    return -1;
}

int rmi_ws_http_request(struct rmi_ws_server *srv, struct rmi_ws_conn *conn, const char *path) {
    if (lws_hdr_total_length(conn->wsi, WSI_TOKEN_GET_URI) <= 0)
        return refuse(conn, STATUS_METHOD);
    struct rmi_ws_http_reply reply = {.status = STATUS_NOT_FOUND};
    if (srv->cb.on_http && !srv->detached)
        srv->cb.on_http(srv->cb.ctx, path, &reply);
    if (reply.status < STATUS_MIN || reply.status > STATUS_MAX)
        reply.status = STATUS_NOT_FOUND;
    if (reply.status == STATUS_NOT_FOUND && reply.body_len == 0)
        return refuse(conn, STATUS_NOT_FOUND);
    free(conn->body);
    conn->body = malloc(LWS_PRE + reply.body_len + 1);
    if (!conn->body)
        return -1;
    if (reply.body_len > 0)
        memcpy(conn->body + LWS_PRE, reply.body, reply.body_len);
    conn->body_len = reply.body_len;
    conn->body_at = 0;
    uint8_t buffer[LWS_PRE + HEADERS_MAX];
    uint8_t *start = buffer + LWS_PRE;
    uint8_t *p = start;
    uint8_t *end = buffer + sizeof buffer - 1;
    const char *type = reply.content_type ? reply.content_type : "text/plain";
    static const char nosniff[] = "nosniff";
    if (lws_add_http_common_headers(conn->wsi, (unsigned)reply.status, type, reply.body_len, &p, end) ||
        lws_add_http_header_by_name(conn->wsi, (const unsigned char *)"x-content-type-options:",
                                    (const unsigned char *)nosniff, sizeof nosniff - 1, &p, end) ||
        lws_finalize_write_http_header(conn->wsi, start, &p, end))
        return -1;
    lws_callback_on_writable(conn->wsi);
    return 0;
}

int rmi_ws_http_writeable(struct rmi_ws_conn *conn) {
    if (!conn->body)
        return 0;
    size_t n = conn->body_len - conn->body_at;
    if (n > CHUNK)
        n = CHUNK;
    bool last = conn->body_at + n == conn->body_len;
    /* libwebsockets may use the LWS_PRE bytes in front: those of later chunks have been sent already. */
    if (lws_write(conn->wsi, conn->body + LWS_PRE + conn->body_at, n, last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < 0)
        return -1;
    conn->body_at += n;
    if (!last) {
        lws_callback_on_writable(conn->wsi);
        return 0;
    }
    free(conn->body);
    conn->body = NULL;
    return lws_http_transaction_completed(conn->wsi) ? -1 : 0;
}
