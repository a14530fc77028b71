/* SPDX-License-Identifier: Apache-2.0 */
#include "io/stream.h"
#include "io/loop_private.h"
#include "io/sockaddr.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE 16384     /* one TLS record (RFC 8446 5.1) */
#define READS_A_TURN 4      /* then the other descriptors have their turn */
#define OUT_FIRST 4096      /* first allocation of the send queue */
#define OUT_KEEP 65536      /* a larger one is freed when it has become empty */
#define ANSWERS_MAX 8388608 /* queued bytes above which TLS' own answers end the connection: nobody reads them */
#define DETAIL_MAX 256

enum state { STREAM_CONNECTING, STREAM_SECURING, STREAM_OPEN, STREAM_ENDED };

struct rmi_stream {
    uv_poll_t poll; /* the memory goes with its close callback */
    struct rmi_loop *loop;
    int fd;
    struct rmi_stream_callbacks cb;
    struct rmi_tls *tls;
    enum state state;
    bool closed;     /* no callback any more */
    bool shutting;   /* rmi_stream_shutdown was called */
    bool shut;       /* and the socket knows */
    bool broken;     /* a write failed; the reason comes with the next event of the socket */
    bool no_memory;  /* and this is the reason */
    bool input_over; /* the other side has ended, but not all is sent */
    int events;      /* asked for */
    uint8_t *out;
    size_t out_at, out_len, out_cap; /* bytes [out_at, out_len) are to be sent */
};

static void on_poll(uv_poll_t *handle, int status, int events);

static bool is_over(const struct rmi_stream *s) {
    return s->closed || s->state == STREAM_ENDED;
}

/* The end, told once. */
static void end(struct rmi_stream *s, rm_err why, const char *detail) {
    if (is_over(s))
        return;
    s->state = STREAM_ENDED;
    uv_poll_stop(&s->poll);
    s->cb.on_end(s->cb.ctx, why, detail);
}

static void end_lost(struct rmi_stream *s, int error) {
    if (s->no_memory) {
        end(s, RM_E_NO_MEMORY, "no memory for what is to be sent");
        return;
    }
    char detail[DETAIL_MAX];
    const char *what = s->state == STREAM_CONNECTING ? "cannot connect"
                       : s->state == STREAM_SECURING ? "lost in the TLS handshake"
                                                     : "connection lost";
    snprintf(detail, sizeof detail, "%s: %s", what, error ? uv_strerror(-error) : "closed by the other side");
    end(s, RM_E_SIGNALING, detail);
}

static void update_events(struct rmi_stream *s) {
    if (is_over(s))
        return;
    bool writable = s->state == STREAM_CONNECTING || (s->out_at < s->out_len && !s->broken);
    bool readable = s->state != STREAM_CONNECTING && !s->input_over;
    int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
    if (events == s->events)
        return;
    s->events = events;
    uv_poll_start(&s->poll, events, on_poll);
    rmi_loop_kick(s->loop);
}

static void drop_queue(struct rmi_stream *s) {
    s->out_at = s->out_len = 0;
    if (s->out_cap > OUT_KEEP) {
        free(s->out);
        s->out = NULL;
        s->out_cap = 0;
    }
}

/* Nothing more can be sent; makes sure that the socket reports an end. */
static void break_off(struct rmi_stream *s) {
    s->broken = true;
    (void)shutdown(s->fd, SHUT_RDWR);
}

/* How much of data the socket takes; nothing once it is broken. */
static size_t send_now(struct rmi_stream *s, const uint8_t *data, size_t len) {
    size_t sent = 0;
    while (sent < len && !s->broken) {
        ssize_t n = send(s->fd, data + sent, len - sent, MSG_NOSIGNAL);
        if (n >= 0)
            sent += (size_t)n;
        else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == ENOMEM)
            break;
        else if (errno != EINTR)
            break_off(s);
    }
    return sent;
}

/* Room for n more bytes at the end of the queue. */
static bool reserve(struct rmi_stream *s, size_t n) {
    if (s->out_at > 0) {
        memmove(s->out, s->out + s->out_at, s->out_len - s->out_at);
        s->out_len -= s->out_at;
        s->out_at = 0;
    }
    if (n <= s->out_cap - s->out_len)
        return true;
    size_t cap = s->out_cap ? s->out_cap : OUT_FIRST;
    while (cap - s->out_len < n)
        cap *= 2;
    uint8_t *out = realloc(s->out, cap);
    if (!out)
        return false;
    s->out = out;
    s->out_cap = cap;
    return true;
}

static void send_or_keep(struct rmi_stream *s, const uint8_t *data, size_t len) {
    size_t sent = s->out_at == s->out_len ? send_now(s, data, len) : 0;
    if (s->broken || sent == len)
        return;
    if (!reserve(s, len - sent)) { /* a piece is missing: nothing may follow */
        s->no_memory = true;
        break_off(s);
        return;
    }
    memcpy(s->out + s->out_len, data + sent, len - sent);
    s->out_len += len - sent;
}

static void send_tls(struct rmi_stream *s) {
    const void *data = NULL;
    size_t n = rmi_tls_to_send(s->tls, &data);
    if (n > 0)
        send_or_keep(s, data, n);
    rmi_tls_sent(s->tls);
}

/* Tell the socket of the end, once everything is out. */
static void shut_if_drained(struct rmi_stream *s) {
    if (!s->shutting || s->shut || s->out_at < s->out_len || is_over(s))
        return;
    s->shut = true;
    (void)shutdown(s->fd, SHUT_WR);
}

static void flush(struct rmi_stream *s) {
    if (s->out_at == s->out_len)
        return;
    s->out_at += send_now(s, s->out + s->out_at, s->out_len - s->out_at);
    if (s->broken)
        drop_queue(s);
    if (s->out_at < s->out_len)
        return;
    drop_queue(s);
    shut_if_drained(s);
    if (s->input_over)
        end(s, RM_OK, "closed by the other side");
    else if (!s->broken && !s->shutting && s->state == STREAM_OPEN && s->cb.on_drain)
        s->cb.on_drain(s->cb.ctx);
}

/* A failure of TLS: its alert leaves if the socket takes it now. */
static void end_tls(struct rmi_stream *s, rm_err err) {
    char detail[RMI_TLS_DETAIL_MAX];
    send_tls(s);
    snprintf(detail, sizeof detail, "%s", err == RM_E_TLS ? rmi_tls_detail(s->tls) : "no memory for a TLS connection");
    end(s, err, detail); /* may free the TLS object */
}

static void read_tls(struct rmi_stream *s) {
    uint8_t plain[READ_SIZE];
    rm_err err = RM_OK;
    while (err == RM_OK && !is_over(s) && !s->shutting) {
        size_t n = 0;
        err = rmi_tls_read(s->tls, plain, sizeof plain, &n);
        if (err == RM_OK)
            s->cb.on_data(s->cb.ctx, plain, n);
    }
    if (is_over(s))
        return;
    if (err == RM_E_TLS) {
        end_tls(s, err);
        return;
    }
    send_tls(s); /* TLS has answers of its own, to a key update for one */
    if (s->out_len - s->out_at > ANSWERS_MAX)
        end(s, RM_E_SIGNALING, "the other side does not read");
    else if (err == RM_E_CLOSED)
        end(s, RM_OK, "closed by the other side");
}

static void secure(struct rmi_stream *s) {
    rm_err err = rmi_tls_handshake(s->tls);
    if (err == RM_E_TLS) {
        end_tls(s, err);
        return;
    }
    send_tls(s);
    if (err == RM_E_AGAIN)
        return;
    s->state = STREAM_OPEN;
    if (s->cb.on_open)
        s->cb.on_open(s->cb.ctx);
    if (!is_over(s))
        read_tls(s); /* data may have come along with the end of the handshake */
}

static void take_input(struct rmi_stream *s, const uint8_t *data, size_t n) {
    if (s->shutting)
        return;
    if (!s->tls) {
        s->cb.on_data(s->cb.ctx, data, n);
        return;
    }
    rm_err err = rmi_tls_feed(s->tls, data, n);
    if (err != RM_OK)
        end_tls(s, err);
    else if (s->state == STREAM_SECURING)
        secure(s);
    else
        read_tls(s);
}

/* With `to_end` the socket reported an error, and there will be no further event: what came before it counts. */
static void read_socket(struct rmi_stream *s, bool to_end) {
    uint8_t data[READ_SIZE];
    for (unsigned i = 0; (to_end || i < READS_A_TURN) && !is_over(s); i++) {
        ssize_t n = recv(s->fd, data, sizeof data, 0);
        if (n > 0) {
            take_input(s, data, (size_t)n);
            continue;
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            if (to_end)
                end_lost(s, ECONNRESET);
            return;
        }
        s->input_over = n == 0 && s->shutting && s->out_at < s->out_len && !to_end;
        if (s->input_over)
            return;
        if (n == 0 && s->state == STREAM_OPEN && !s->broken)
            end(s, RM_OK, "closed by the other side");
        else
            end_lost(s, n < 0 ? errno : s->broken ? ECONNRESET : 0);
    }
}

/* False: the stream has ended. */
static bool finish_connecting(struct rmi_stream *s) {
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error) {
        end_lost(s, error);
        return false;
    }
    s->state = s->tls ? STREAM_SECURING : STREAM_OPEN;
    if (s->tls)
        secure(s);
    else if (s->cb.on_open)
        s->cb.on_open(s->cb.ctx);
    return !is_over(s);
}

static void on_poll(uv_poll_t *handle, int status, int events) {
    struct rmi_stream *s = handle->data;
    if (is_over(s))
        return;
    if (s->state == STREAM_CONNECTING && !finish_connecting(s))
        return;
    if (status < 0) { /* libuv has stopped watching */
        read_socket(s, true);
        return;
    }
    if (events & UV_WRITABLE)
        flush(s);
    if ((events & UV_READABLE) && !is_over(s))
        read_socket(s, false);
    update_events(s);
}

static void free_stream(uv_handle_t *handle) {
    free(handle->data);
}

/* Takes fd in any case. */
static rm_err create(struct rmi_loop *loop, int fd, const struct rmi_tls_context *context, const char *host,
                     const struct rmi_stream_callbacks *cb, struct rmi_stream **out) {
    struct rmi_stream *s = calloc(1, sizeof *s);
    rm_err err = s ? RM_OK : RM_E_NO_MEMORY;
    if (err == RM_OK && context)
        err = rmi_tls_create(context, host, &s->tls);
    if (err == RM_OK && uv_poll_init(&loop->uv, &s->poll, fd) != 0)
        err = RM_E_IO;
    if (err != RM_OK) {
        if (s)
            rmi_tls_destroy(&s->tls);
        free(s);
        close(fd);
        return err;
    }
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    s->poll.data = s;
    s->loop = loop;
    s->fd = fd;
    s->cb = *cb;
    *out = s;
    return RM_OK;
}

rm_err rmi_stream_connect(struct rmi_loop *loop, const struct rmi_addr *addr, const struct rmi_tls_context *context,
                          const char *host, const struct rmi_stream_callbacks *cb, struct rmi_stream **out) {
    *out = NULL;
    struct sockaddr_storage sa = {0};
    socklen_t len = rmi_addr_to_sockaddr(addr, &sa);
    int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno == EAFNOSUPPORT ? RM_E_SIGNALING : RM_E_IO;
    if (connect(fd, (const struct sockaddr *)&sa, len) != 0 && errno != EINPROGRESS) {
        close(fd);
        return RM_E_SIGNALING;
    }
    rm_err err = create(loop, fd, context, host, cb, out);
    if (err == RM_OK)
        update_events(*out);
    return err;
}

rm_err rmi_stream_accept(struct rmi_loop *loop, int fd, const struct rmi_tls_context *context,
                         const struct rmi_stream_callbacks *cb, struct rmi_stream **out) {
    *out = NULL;
    rm_err err = create(loop, fd, context, NULL, cb, out);
    if (err != RM_OK)
        return err;
    (*out)->state = context ? STREAM_SECURING : STREAM_OPEN;
    update_events(*out);
    return RM_OK;
}

void rmi_stream_write(struct rmi_stream *s, const void *data, size_t len) {
    if (is_over(s) || s->broken || s->shutting)
        return;
    if (!s->tls) {
        send_or_keep(s, data, len);
    } else if (rmi_tls_write(s->tls, data, len) == RM_OK) {
        send_tls(s);
    } else { /* records may be missing now: nothing may follow */
        s->no_memory = true;
        break_off(s);
    }
    if (s->broken)
        drop_queue(s);
    update_events(s);
}

bool rmi_stream_local_addr(const struct rmi_stream *s, struct rmi_addr *out) {
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    if (s->closed || getsockname(s->fd, (struct sockaddr *)&ss, &len) != 0)
        return false;
    *out = rmi_addr_from_sockaddr((const struct sockaddr *)&ss);
    return out->family != 0;
}

size_t rmi_stream_queued(const struct rmi_stream *s) {
    return s->out_len - s->out_at;
}

void rmi_stream_shutdown(struct rmi_stream *s) {
    if (is_over(s) || s->shutting)
        return;
    if (s->tls && s->state == STREAM_OPEN) {
        rmi_tls_shutdown(s->tls);
        send_tls(s);
    }
    s->shutting = true;
    shut_if_drained(s);
    update_events(s);
}

void rmi_stream_close(struct rmi_stream **s_ptr) {
    if (!s_ptr || !*s_ptr)
        return;
    struct rmi_stream *s = *s_ptr;
    *s_ptr = NULL;
    s->closed = true;
    /* libuv takes the descriptor out of epoll here: after close() the number may be another thread's already. */
    uv_close((uv_handle_t *)&s->poll, free_stream);
    close(s->fd);
    rmi_tls_destroy(&s->tls);
    free(s->out);
    s->out = NULL;
    s->out_at = s->out_len = s->out_cap = 0;
}
