/* SPDX-License-Identifier: Apache-2.0 */
#include "io/ws_host.h"
#include "base/cursor.h"
#include "io/loop_private.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 2048   /* sockets of one loop; sizes two tables of 16 kB that are searched linearly */
#define SERVICE_BUFFER 16384   /* bytes read at a time */
#define CLOSE_STEPS 4          /* turns until the close callbacks of all handles of the context have run, plus one */
#define CLOSE_REASON_SHOWN 120 /* a close frame holds up to 123 bytes of text (RFC 6455 5.5) */
#define INITIAL_MESSAGE 1024

struct rmi_ws_host {
    struct rmi_list node;
    struct rmi_loop *loop;
    struct lws_context *context;
    int pipe_fd;
    bool taken; /* the context of a server, or the one all clients share */
    bool shared;
    uv_idle_t step;
    unsigned steps;
};

static void on_step_closed(uv_handle_t *handle) {
    struct rmi_ws_host *host = handle->data;
    if (++host->steps < CLOSE_STEPS) {
        uv_idle_init(&host->loop->uv, &host->step);
        uv_close((uv_handle_t *)&host->step, on_step_closed);
        return;
    }
    lws_context_destroy(host->context); /* the second call frees it */
    free(host);
}

/* The loop is being destroyed; every client and server has let go of its timers by now. */
static void close_host(struct rmi_ws_host *host) {
    rmi_list_remove(&host->node);
    lws_context_destroy(host->context);
    if (host->pipe_fd >= 0) {
        int placeholder = fcntl(host->pipe_fd, F_GETFD) == -1
                              ? fcntl(uv_backend_fd(&host->loop->uv), F_DUPFD_CLOEXEC, host->pipe_fd)
                              : -1;
        if (placeholder >= 0 && placeholder != host->pipe_fd)
            close(placeholder);
    }
    host->step.data = host;
    uv_idle_init(&host->loop->uv, &host->step);
    uv_close((uv_handle_t *)&host->step, on_step_closed);
}

struct walk {
    int fd;
};

/* The event pipe is the context's only descriptor on the loop just after creation: the newest poll handle. */
static void find_newest_poll(uv_handle_t *handle, void *arg) {
    struct walk *walk = arg;
    uv_os_fd_t fd = -1;
    if (handle->type == UV_POLL && !uv_is_closing(handle) && uv_fileno(handle, &fd) == 0)
        walk->fd = fd; /* handles are walked in the order of their creation */
}

static void close_hosts(struct rmi_loop *loop) {
    RMI_LIST_FOREACH (node, tmp, &loop->ws_hosts) {
        close_host(RMI_CONTAINER_OF(node, struct rmi_ws_host, node));
    }
}

static rm_err create_host(struct rmi_loop *loop, struct rmi_ws_host **out) {
    struct rmi_ws_host *host = calloc(1, sizeof *host);
    if (!host)
        return RM_E_NO_MEMORY;
    host->loop = loop;
    lws_set_log_level(0, NULL);
    void *loops[1] = {&loop->uv};
    struct lws_context_creation_info info = {0};
    info.port = CONTEXT_PORT_NO_LISTEN;
    info.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
                   LWS_SERVER_OPTION_SKIP_SERVER_CANONICAL_NAME | LWS_SERVER_OPTION_VALIDATE_UTF8;
    info.foreign_loops = loops;
    info.fd_limit_per_thread = CONNECTIONS_MAX;
    info.pt_serv_buf_size = SERVICE_BUFFER;
    info.gid = (gid_t)-1;
    info.uid = (uid_t)-1;
    host->context = lws_create_context(&info);
    if (!host->context) {
        free(host);
        return RM_E_INTERNAL;
    }
    struct walk walk = {.fd = -1};
    uv_walk(&loop->uv, find_newest_poll, &walk);
    host->pipe_fd = walk.fd;
    rmi_list_push_back(&loop->ws_hosts, &host->node);
    loop->ws_hosts_close = close_hosts;
    rmi_loop_kick(loop);
    *out = host;
    return RM_OK;
}

rm_err rmi_ws_host_take(struct rmi_loop *loop, bool shared, struct rmi_ws_host **out) {
    *out = NULL;
    RMI_LIST_FOREACH (node, tmp, &loop->ws_hosts) {
        struct rmi_ws_host *host = RMI_CONTAINER_OF(node, struct rmi_ws_host, node);
        if (shared ? host->shared : !host->taken) {
            *out = host;
            break;
        }
    }
    rm_err err = *out ? RM_OK : create_host(loop, out);
    if (err == RM_OK) {
        (*out)->taken = true;
        (*out)->shared = shared;
    }
    return err;
}

struct lws_context *rmi_ws_host_context(const struct rmi_ws_host *host) {
    return host->context;
}

void rmi_ws_host_give_back(struct rmi_ws_host *host) {
    if (!host->shared)
        host->taken = false;
}

void rmi_ws_vhost_info(struct lws_context_creation_info *info, const struct lws_protocols *protocols, void *user) {
    *info = (struct lws_context_creation_info){0};
    info->protocols = protocols;
    info->user = user;
    info->options = LWS_SERVER_OPTION_VALIDATE_UTF8 | LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS;
    info->extensions = NULL;       /* no permessage-deflate, neither offered nor accepted */
    info->http_proxy_address = ""; /* else the environment's http_proxy is used */
    info->alpn = "http/1.1";       /* WebSocket over HTTP/2 is not wanted */
}

void rmi_ws_end(struct lws *wsi) {
    lws_set_timeout(wsi, PENDING_TIMEOUT_CLOSE_SEND, LWS_TO_KILL_SYNC);
}

void rmi_ws_cut(struct lws *wsi) {
    /* With buffered output the call below only waits for the socket to take it; now that fails, and ends it. */
    (void)shutdown(lws_get_socket_fd(wsi), SHUT_RDWR);
    rmi_ws_end(wsi);
}

struct message {
    struct rmi_list node;
    size_t len;
    unsigned char data[]; /* LWS_PRE bytes for the header, then the text */
};

void rmi_ws_channel_init(struct rmi_ws_channel *ch, size_t max_message) {
    *ch = (struct rmi_ws_channel){.max_message = max_message ? max_message : RMI_WS_MAX_MESSAGE};
    rmi_list_init(&ch->out);
}

void rmi_ws_channel_fini(struct rmi_ws_channel *ch) {
    for (struct rmi_list *node = rmi_list_pop_front(&ch->out); node; node = rmi_list_pop_front(&ch->out))
        free(RMI_CONTAINER_OF(node, struct message, node));
    free(ch->in);
    ch->in = NULL;
}

rm_err rmi_ws_channel_push(struct rmi_ws_channel *ch, const char *text, size_t len) {
    if (len > RMI_WS_MAX_QUEUED || ch->stats.queued_bytes > RMI_WS_MAX_QUEUED - len)
        return RM_E_LIMIT;
    struct message *m = malloc(sizeof *m + LWS_PRE + len);
    if (!m)
        return RM_E_NO_MEMORY;
    m->node = (struct rmi_list){0};
    m->len = len;
    if (len > 0)
        memcpy(m->data + LWS_PRE, text, len);
    rmi_list_push_back(&ch->out, &m->node);
    ch->stats.queued_bytes += len;
    return RM_OK;
}

bool rmi_ws_channel_write(struct rmi_ws_channel *ch, struct lws *wsi) {
    struct rmi_list *node = rmi_list_pop_front(&ch->out);
    if (!node)
        return true;
    struct message *m = RMI_CONTAINER_OF(node, struct message, node);
    int n = lws_write(wsi, m->data + LWS_PRE, m->len, LWS_WRITE_TEXT); /* keeps what the socket does not take */
    ch->stats.queued_bytes -= m->len;
    bool ok = n >= 0;
    if (ok) {
        ch->stats.sent_messages++;
        ch->stats.sent_bytes += m->len;
    }
    free(m);
    return ok;
}

/* Room for `len` more bytes and a NUL. */
static bool grow(struct rmi_ws_channel *ch, size_t len) {
    size_t need = ch->in_len + len + 1;
    if (need <= ch->in_cap)
        return true;
    size_t cap = ch->in_cap ? ch->in_cap : INITIAL_MESSAGE;
    while (cap < need)
        cap *= 2;
    char *in = realloc(ch->in, cap);
    if (!in)
        return false;
    ch->in = in;
    ch->in_cap = cap;
    return true;
}

rm_err rmi_ws_channel_receive(struct rmi_ws_channel *ch, struct lws *wsi, const void *data, size_t len) {
    bool last = lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0;
    if (lws_frame_is_binary(wsi)) {
        ch->stats.binary_dropped += last;
        return RM_E_AGAIN;
    }
    if (lws_is_first_fragment(wsi))
        ch->in_len = 0;
    /* The announced rest of the frame counts, so an over-long message is refused before its bytes arrive. */
    if (ch->in_len + len + lws_remaining_packet_payload(wsi) > ch->max_message) {
        lws_close_reason(wsi, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, NULL, 0);
        return RM_E_TOO_BIG;
    }
    if (!grow(ch, len)) {
        lws_close_reason(wsi, LWS_CLOSE_STATUS_UNEXPECTED_CONDITION, NULL, 0);
        return RM_E_NO_MEMORY;
    }
    if (len > 0)
        memcpy(ch->in + ch->in_len, data, len);
    ch->in_len += len;
    if (!last)
        return RM_E_AGAIN;
    ch->in[ch->in_len] = '\0';
    ch->stats.recv_messages++;
    ch->stats.recv_bytes += ch->in_len;
    return RM_OK;
}

rm_err rmi_ws_peer_close(const void *data, size_t len, char *detail, size_t cap) {
    struct rmi_rd r = rmi_rd_init(data, len);
    uint16_t code = len >= 2 ? rmi_rd_u16(&r) : LWS_CLOSE_STATUS_NO_STATUS;
    char text[CLOSE_REASON_SHOWN + 1] = "";
    size_t n = rmi_rd_left(&r);
    const uint8_t *bytes = rmi_rd_bytes(&r, n);
    size_t out = 0;
    for (; bytes && out < n && out < CLOSE_REASON_SHOWN; out++)
        text[out] = (char)(bytes[out] < ' ' || bytes[out] == 0x7f ? '?' : bytes[out]); /* goes into logs */
    text[out] = '\0';
    snprintf(detail, cap, "closed by the other side with code %u%s%s", code, out > 0 ? ": " : "", text);
    bool orderly = code == LWS_CLOSE_STATUS_NORMAL || code == LWS_CLOSE_STATUS_GOINGAWAY;
    return orderly ? RM_OK : RM_E_SIGNALING;
}
