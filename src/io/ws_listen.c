/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include "io/interfaces.h"
#include "io/sockaddr.h"
#include "io/ws_server_private.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ACCEPTS_A_TURN 32
#define BACKLOG 128
#define EXTRA_SOCKETS 64     /* plain HTTP and handshakes beside the WebSocket connections */
#define RETRY_US RMI_MS(100) /* after running out of descriptors: accept would fail in a busy loop */
#define INTERFACES_MAX 64

/* On the heap by itself: libuv needs the handle until its close callback, when the server may be gone already. */
struct listener {
    uv_poll_t poll;
    struct rmi_ws_server *srv;
    int fd;
};

static void on_readable(uv_poll_t *handle, int status, int events) {
    struct listener *l = handle->data;
    struct rmi_ws_server *srv = l->srv;
    (void)status;
    (void)events;
    for (unsigned i = 0; i < ACCEPTS_A_TURN; i++) {
        struct sockaddr_storage sa = {0};
        socklen_t len = sizeof sa;
        int fd = accept4(l->fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0 && srv->sockets >= srv->max_connections + EXTRA_SOCKETS) {
            close(fd);
            continue;
        }
        if (fd >= 0) {
            struct rmi_addr remote = rmi_addr_from_sockaddr((const struct sockaddr *)&sa);
            rmi_ws_conn_accept(srv, fd, &remote);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            rmi_log(srv->log, RMI_LOG_SIGNALING, RM_LOG_WARN, "no descriptor or memory for a connection: waiting");
            uv_poll_stop(&l->poll);
            rmi_timer_set_at(srv->resume, rmi_now_us() + RETRY_US);
            return;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return;
    }
}

void rmi_ws_listen_resume(void *ctx, int64_t now_us) {
    struct rmi_ws_server *srv = ctx;
    (void)now_us;
    if (srv->listener)
        uv_poll_start(&srv->listener->poll, UV_READABLE, on_readable);
}

/* `host` is NULL, a numeric address or an interface's name (its best address). */
static rm_err choose_address(const char *host, uint16_t port, struct rmi_addr *out) {
    *out = (struct rmi_addr){.family = 6, .port = port};
    if (!host || rmi_addr_parse(host, port, out) == RM_OK)
        return RM_OK;
    struct rmi_interface list[INTERFACES_MAX];
    size_t n = 0;
    rm_err err = rmi_interfaces_list(list, INTERFACES_MAX, &n);
    if (err != RM_OK)
        return err;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i].name, host) == 0) {
            *out = list[i].addr;
            out->port = port;
            return RM_OK;
        }
    }
    return RM_E_CONFIG;
}

static int bind_socket(const struct rmi_addr *addr, bool dual) {
    struct sockaddr_storage sa = {0};
    socklen_t len = rmi_addr_to_sockaddr(addr, &sa);
    int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int on = 1;
    int v6only = !dual;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on); /* restart while old connections linger */
    if (addr->family == 6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only);
    if (bind(fd, (const struct sockaddr *)&sa, len) != 0 || listen(fd, BACKLOG) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void free_listener(uv_handle_t *handle) {
    free(handle->data);
}

static rm_err watch(struct rmi_ws_server *srv, int fd) {
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof sa;
    struct listener *l = calloc(1, sizeof *l);
    if (!l)
        return RM_E_NO_MEMORY;
    if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0 || uv_poll_init(&srv->loop->uv, &l->poll, fd) != 0) {
        free(l);
        return RM_E_IO;
    }
    l->poll.data = l;
    l->srv = srv;
    l->fd = fd;
    srv->listener = l;
    srv->port = rmi_addr_from_sockaddr((const struct sockaddr *)&sa).port;
    uv_poll_start(&l->poll, UV_READABLE, on_readable);
    return RM_OK;
}

rm_err rmi_ws_listen_open(struct rmi_ws_server *srv, const char *host, uint16_t port) {
    struct rmi_addr addr;
    rm_err err = choose_address(host, port, &addr);
    if (err != RM_OK)
        return err;
    int fd = bind_socket(&addr, !host);
    if (fd < 0 && !host) { /* a kernel without IPv6 */
        addr = (struct rmi_addr){.family = 4, .port = port};
        fd = bind_socket(&addr, false);
    }
    if (fd < 0)
        return RM_E_IO;
    err = watch(srv, fd);
    if (err != RM_OK)
        close(fd);
    return err;
}

void rmi_ws_listen_close(struct rmi_ws_server *srv) {
    struct listener *l = srv->listener;
    if (!l)
        return;
    srv->listener = NULL;
    uv_close((uv_handle_t *)&l->poll, free_listener); /* before close(), see rmi_stream_close */
    close(l->fd);
}
