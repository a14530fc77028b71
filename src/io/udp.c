/* SPDX-License-Identifier: Apache-2.0 */
#include "io/udp.h"
#include "io/loop_private.h"
#include "io/sockaddr.h"
#include "net/datagram.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 32        /* recvmmsg amortises its cost well before this; 32 slots are 70 kB a socket */
#define READ_ROUNDS 4   /* batches read before other sockets get their turn */
#define ERROR_ROUNDS 16 /* pending ICMP errors taken off the socket before reading again in the next turn */
#define SOCKET_BUFFER (4 * 1024 * 1024) /* a key frame for ten peers fits; the kernel grants what it is allowed to */
#define SLOT (RMI_HEADROOM + RMI_DATAGRAM_MAX + RMI_HEADROOM)

struct rmi_udp {
    struct rmi_loop_child child;
    uv_poll_t poll;
    int fd;
    bool closed;
    struct rmi_addr local;
    rmi_udp_recv_fn recv;
    void *ctx;
    struct rmi_udp_stats stats;

    unsigned batch_depth;
    unsigned out_n;
    size_t out_len[BATCH];
    struct sockaddr_storage out_to[BATCH];
    socklen_t out_to_len[BATCH];

    struct sockaddr_storage in_from[BATCH];
    struct iovec in_iov[BATCH];
    struct mmsghdr in_msg[BATCH];
    uint8_t in_data[BATCH][SLOT];
    uint8_t out_data[BATCH][RMI_DATAGRAM_MAX];
};

static bool is_icmp(int error) {
    return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH || error == ECONNRESET ||
           error == EHOSTDOWN || error == EPROTO;
}

static void prepare_receive(struct rmi_udp *udp) {
    for (unsigned i = 0; i < BATCH; i++) {
        udp->in_iov[i] = (struct iovec){.iov_base = udp->in_data[i] + RMI_HEADROOM, .iov_len = RMI_DATAGRAM_MAX};
        udp->in_msg[i].msg_hdr = (struct msghdr){.msg_name = &udp->in_from[i],
                                                 .msg_namelen = sizeof udp->in_from[i],
                                                 .msg_iov = &udp->in_iov[i],
                                                 .msg_iovlen = 1};
    }
}

static void deliver(struct rmi_udp *udp, unsigned n) {
    int64_t now_us = rmi_now_us();
    for (unsigned i = 0; i < n && !udp->closed; i++) {
        struct rmi_addr from = rmi_addr_from_sockaddr((const struct sockaddr *)&udp->in_from[i]);
        size_t len = udp->in_msg[i].msg_len;
        udp->stats.recv_packets++;
        udp->stats.recv_bytes += len;
        if (udp->in_msg[i].msg_hdr.msg_flags & MSG_TRUNC)
            udp->stats.recv_truncated++;
        else if (from.family != 0)
            udp->recv(udp->ctx, now_us, &from, udp->in_data[i] + RMI_HEADROOM, len);
    }
}

static void on_readable(uv_poll_t *handle, int status, int events) {
    struct rmi_udp *udp = handle->data;
    (void)status; /* an error shows in the read as well, which also clears it */
    (void)events;
    unsigned errors = 0;
    for (unsigned round = 0; round < READ_ROUNDS && !udp->closed;) {
        prepare_receive(udp);
        int n = recvmmsg(udp->fd, udp->in_msg, BATCH, MSG_DONTWAIT, NULL);
        if (n < 0) {
            if (errno == EAGAIN || errno == EWOULDBLOCK || ++errors > ERROR_ROUNDS)
                return;
            if (is_icmp(errno))
                udp->stats.icmp_errors++;
            else if (errno != EINTR)
                udp->stats.recv_errors++;
            continue;
        }
        deliver(udp, (unsigned)n);
        if (n < BATCH)
            return;
        round++;
    }
}

static void set_buffers(struct rmi_udp *udp) {
    int want = SOCKET_BUFFER;
    (void)setsockopt(udp->fd, SOL_SOCKET, SO_RCVBUF, &want, sizeof want);
    (void)setsockopt(udp->fd, SOL_SOCKET, SO_SNDBUF, &want, sizeof want);
    socklen_t len = sizeof udp->stats.rcvbuf_bytes;
    (void)getsockopt(udp->fd, SOL_SOCKET, SO_RCVBUF, &udp->stats.rcvbuf_bytes, &len);
    len = sizeof udp->stats.sndbuf_bytes;
    (void)getsockopt(udp->fd, SOL_SOCKET, SO_SNDBUF, &udp->stats.sndbuf_bytes, &len);
}

static rm_err open_socket(struct rmi_udp *udp, const struct rmi_addr *bind_to) {
    struct sockaddr_storage sa = {0};
    socklen_t len = rmi_addr_to_sockaddr(bind_to, &sa);
    udp->fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (udp->fd < 0)
        return RM_E_IO;
    int on = 1;
    if (bind_to->family == 6 && setsockopt(udp->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0)
        return RM_E_IO;
    set_buffers(udp);
    if (bind(udp->fd, (const struct sockaddr *)&sa, len) != 0)
        return RM_E_IO;
    len = sizeof sa;
    if (getsockname(udp->fd, (struct sockaddr *)&sa, &len) != 0)
        return RM_E_IO;
    udp->local = rmi_addr_from_sockaddr((const struct sockaddr *)&sa);
    return RM_OK;
}

static void free_handle(uv_handle_t *handle) {
    free(handle->data);
}

static void shut(struct rmi_udp *udp) {
    udp->closed = true;
    rmi_list_remove(&udp->child.node);
    /* libuv takes the descriptor out of epoll here: after close() the number may be another thread's already. */
    uv_close((uv_handle_t *)&udp->poll, free_handle);
    close(udp->fd); /* the port is free at once; the memory stays until libuv lets go of it */
}

static void on_abort(struct rmi_loop_child *child) {
    shut(RMI_CONTAINER_OF(child, struct rmi_udp, child));
}

rm_err rmi_udp_open(struct rmi_loop *loop, const struct rmi_addr *bind_to, rmi_udp_recv_fn recv, void *ctx,
                    struct rmi_udp **out) {
    *out = NULL;
    if (bind_to->family != 4 && bind_to->family != 6)
        return RM_E_INVALID_ARG;
    struct rmi_udp *udp = calloc(1, sizeof *udp);
    if (!udp)
        return RM_E_NO_MEMORY;
    udp->recv = recv;
    udp->ctx = ctx;
    udp->poll.data = udp;
    rm_err err = open_socket(udp, bind_to);
    if (err == RM_OK && uv_poll_init(&loop->uv, &udp->poll, udp->fd) != 0)
        err = RM_E_IO;
    if (err != RM_OK) {
        if (udp->fd >= 0)
            close(udp->fd);
        free(udp);
        return err;
    }
    udp->child.abort = on_abort;
    if (uv_poll_start(&udp->poll, UV_READABLE, on_readable) != 0) {
        shut(udp);
        return RM_E_IO;
    }
    rmi_loop_adopt(loop, &udp->child);
    *out = udp;
    return RM_OK;
}

const struct rmi_addr *rmi_udp_local_addr(const struct rmi_udp *udp) {
    return &udp->local;
}

/* What became of one refused datagram. */
static rm_err count_refusal(struct rmi_udp *udp, int error) {
    if (error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS) {
        udp->stats.send_dropped++;
        return RM_E_AGAIN;
    }
    udp->stats.send_errors++;
    return RM_E_IO;
}

static rm_err send_now(struct rmi_udp *udp, const struct sockaddr_storage *to, socklen_t to_len, const uint8_t *data,
                       size_t len) {
    int error = 0;
    /* A pending ICMP error for an earlier datagram is reported once instead of sending: the second try sends. */
    for (unsigned attempt = 0; attempt < 2; attempt++) {
        udp->stats.send_calls++;
        if (sendto(udp->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)to, to_len) >= 0) {
            udp->stats.send_packets++;
            udp->stats.send_bytes += len;
            return RM_OK;
        }
        error = errno;
        if (error == ECONNREFUSED)
            udp->stats.icmp_errors++;
        else if (error != EINTR)
            break;
    }
    return count_refusal(udp, error);
}

static void flush(struct rmi_udp *udp) {
    struct iovec iov[BATCH];
    struct mmsghdr msg[BATCH] = {0};
    for (unsigned i = 0; i < udp->out_n; i++) {
        iov[i] = (struct iovec){.iov_base = udp->out_data[i], .iov_len = udp->out_len[i]};
        msg[i].msg_hdr = (struct msghdr){
            .msg_name = &udp->out_to[i], .msg_namelen = udp->out_to_len[i], .msg_iov = &iov[i], .msg_iovlen = 1};
    }
    unsigned done = 0;
    unsigned retries = 0;
    while (done < udp->out_n) {
        udp->stats.send_calls++;
        int n = sendmmsg(udp->fd, msg + done, udp->out_n - done, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) {
            for (unsigned i = done; i < done + (unsigned)n; i++)
                udp->stats.send_bytes += udp->out_len[i];
            udp->stats.send_packets += (unsigned)n;
            done += (unsigned)n;
            retries = 0;
            continue;
        }
        int error = n < 0 ? errno : EIO;
        if (error == ECONNREFUSED)
            udp->stats.icmp_errors++;
        if ((error == ECONNREFUSED || error == EINTR) && retries++ == 0)
            continue;
        (void)count_refusal(udp, error); /* the first of the rest was refused: go on behind it */
        done++;
        retries = 0;
    }
    udp->out_n = 0;
}

rm_err rmi_udp_send(struct rmi_udp *udp, const struct rmi_addr *to, const uint8_t *data, size_t len) {
    if (to->family != udp->local.family)
        return RM_E_INVALID_ARG;
    if (len > RMI_DATAGRAM_MAX)
        return RM_E_TOO_BIG;
    if (udp->batch_depth == 0) {
        struct sockaddr_storage sa;
        socklen_t sa_len = rmi_addr_to_sockaddr(to, &sa);
        return send_now(udp, &sa, sa_len, data, len);
    }
    if (udp->out_n == BATCH)
        flush(udp);
    unsigned i = udp->out_n++;
    udp->out_to_len[i] = rmi_addr_to_sockaddr(to, &udp->out_to[i]);
    udp->out_len[i] = len;
    if (len > 0)
        memcpy(udp->out_data[i], data, len);
    return RM_OK;
}

void rmi_udp_batch_begin(struct rmi_udp *udp) {
    udp->batch_depth++;
}

void rmi_udp_batch_end(struct rmi_udp *udp) {
    if (udp->batch_depth > 0 && --udp->batch_depth == 0 && udp->out_n > 0)
        flush(udp);
}

void rmi_udp_get_stats(const struct rmi_udp *udp, struct rmi_udp_stats *out) {
    *out = udp->stats;
}

void rmi_udp_close(struct rmi_udp **udp_ptr) {
    if (!udp_ptr || !*udp_ptr)
        return;
    struct rmi_udp *udp = *udp_ptr;
    *udp_ptr = NULL;
    if (udp->out_n > 0)
        flush(udp);
    shut(udp);
}
