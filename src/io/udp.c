/* SPDX-License-Identifier: Apache-2.0 */
#include "io/udp.h"
#include "io/loop_private.h"
#include "io/sockaddr.h"
#include "net/datagram.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Received: with UDP_GRO one slot holds up to a full super-datagram. Two of them already carry more than a turn should
 * handle; without coalescing, eight datagrams a call make the call's own cost small beside theirs. */
#define SLOTS 8
#define SLOT_BYTES (RMI_HEADROOM + 65536)
#define TURN_DATAGRAMS 128 /* taken in a row before other sockets get their turn */
#define ERROR_ROUNDS 16    /* pending ICMP errors taken off the socket before reading again in the next turn */
/* Sent: equal sizes to one address leave as one super-datagram (UDP_SEGMENT), cut apart behind the IP layer or, on
 * loopback to a socket with UDP_GRO, never. Bulk data over loopback took 0.4 us of system time a datagram, both ends
 * together, instead of 5.5 with sendto and recvmmsg. */
#define RUNS 32
#define SEGMENTS_MAX 64                 /* of one run: UDP_MAX_SEGMENTS of Linux before 6.9 */
#define RUN_BYTES_MAX 65000             /* below 65,535 less any headers */
#define OUT_BYTES 131072                /* two full runs between two flushes */
#define MESSAGES 64                     /* of one sendmmsg */
#define SOCKET_BUFFER (4 * 1024 * 1024) /* a key frame for ten peers fits; the kernel grants what it is allowed to */

/* Datagrams of one size to one address, one after the other in `out_data`; the last may be shorter. */
struct run {
    struct rmi_addr to;
    struct sockaddr_storage sa;
    socklen_t sa_len;
    size_t offset, bytes, segment;
    unsigned count;
    enum rmi_ecn ecn;
};

struct control {
    _Alignas(size_t) uint8_t bytes[2 * CMSG_SPACE(sizeof(int))]; /* as struct cmsghdr wants it: a size, an ECN field */
};

struct rmi_udp {
    struct rmi_loop_child child;
    struct rmi_loop *loop;
    struct rmi_turn_end turn_end; /* sends what the turn collected */
    uv_poll_t poll;
    int fd;
    bool closed;
    bool segments; /* UDP_SEGMENT works as far as known */
    enum rmi_ecn received_ecn;
    struct rmi_addr local;
    rmi_udp_recv_fn recv;
    rmi_udp_batch_fn batch;
    void *ctx;
    struct rmi_udp_stats stats;

    unsigned batch_depth;
    unsigned run_count;
    size_t out_len;
    struct run runs[RUNS];

    struct sockaddr_storage in_from[SLOTS];
    struct control in_control[SLOTS];
    struct iovec in_iov[SLOTS];
    struct mmsghdr in_msg[SLOTS];
    uint8_t out_data[OUT_BYTES]; /* pages that are never used are never there */
    uint8_t in_data[SLOTS][SLOT_BYTES];
};

static bool is_icmp(int error) {
    return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH || error == ECONNRESET ||
           error == EHOSTDOWN || error == EPROTO;
}

/* ---- receiving ---- */

static void prepare_receive(struct rmi_udp *udp) {
    for (unsigned i = 0; i < SLOTS; i++) {
        udp->in_iov[i] =
            (struct iovec){.iov_base = udp->in_data[i] + RMI_HEADROOM, .iov_len = SLOT_BYTES - RMI_HEADROOM};
        udp->in_msg[i].msg_hdr = (struct msghdr){.msg_name = &udp->in_from[i],
                                                 .msg_namelen = sizeof udp->in_from[i],
                                                 .msg_iov = &udp->in_iov[i],
                                                 .msg_iovlen = 1,
                                                 .msg_control = &udp->in_control[i],
                                                 .msg_controllen = sizeof udp->in_control[i]};
    }
}

/* What the kernel tells of the datagrams in a slot: the size of each, where there are several, and the ECN field, which
 * is the same for all (others are not joined). */
static void read_control(struct msghdr *msg, size_t *segment, enum rmi_ecn *ecn) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        int value = 0;
        uint8_t octet = 0;
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS && c->cmsg_len >= CMSG_LEN(sizeof octet)) {
            memcpy(&octet, CMSG_DATA(c), sizeof octet); /* the one that is not an int */
            *ecn = (enum rmi_ecn)(octet & RMI_ECN_MASK);
        }
        if (c->cmsg_len < CMSG_LEN(sizeof value))
            continue;
        memcpy(&value, CMSG_DATA(c), sizeof value);
        if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO && value > 0)
            *segment = (size_t)value;
        if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS)
            *ecn = (enum rmi_ecn)(value & RMI_ECN_MASK);
    }
}

/* How many datagrams there were. */
static unsigned deliver_slot(struct rmi_udp *udp, int64_t now_us, unsigned i) {
    struct rmi_addr from = rmi_addr_from_sockaddr((const struct sockaddr *)&udp->in_from[i]);
    size_t left = udp->in_msg[i].msg_len;
    size_t segment = left;
    udp->received_ecn = RMI_ECN_NOT_ECT;
    read_control(&udp->in_msg[i].msg_hdr, &segment, &udp->received_ecn);
    uint8_t *data = udp->in_data[i] + RMI_HEADROOM;
    unsigned n = 0;
    do {
        size_t len = left < segment ? left : segment;
        udp->stats.recv_packets++;
        udp->stats.recv_bytes += len;
        if (len > RMI_DATAGRAM_MAX)
            udp->stats.recv_truncated++;
        else if (from.family != 0)
            udp->recv(udp->ctx, now_us, &from, data, len);
        data += len;
        left -= len;
        n++;
    } while (left > 0 && !udp->closed);
    return n;
}

static unsigned deliver(struct rmi_udp *udp, unsigned slots) {
    int64_t now_us = rmi_now_us();
    unsigned n = 0;
    for (unsigned i = 0; i < slots && !udp->closed; i++)
        n += deliver_slot(udp, now_us, i);
    if (udp->batch && !udp->closed)
        udp->batch(udp->ctx, now_us);
    return n;
}

static void on_readable(uv_poll_t *handle, int status, int events) {
    struct rmi_udp *udp = handle->data;
    (void)status; /* an error shows in the read as well, which also clears it */
    (void)events;
    unsigned errors = 0;
    for (unsigned taken = 0; taken < TURN_DATAGRAMS && !udp->closed;) {
        prepare_receive(udp);
        int n = recvmmsg(udp->fd, udp->in_msg, SLOTS, MSG_DONTWAIT, NULL);
        if (n < 0) {
            if (errno == EAGAIN || errno == EWOULDBLOCK || ++errors > ERROR_ROUNDS)
                return;
            if (is_icmp(errno))
                udp->stats.icmp_errors++;
            else if (errno != EINTR)
                udp->stats.recv_errors++;
            continue;
        }
        udp->stats.recv_calls++;
        taken += deliver(udp, (unsigned)n);
        if (n < SLOTS)
            return;
    }
}

/* ---- sending ---- */

/* What became of refused datagrams. */
static rm_err count_refusal(struct rmi_udp *udp, int error, unsigned n) {
    if (error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS) {
        udp->stats.send_dropped += n;
        return RM_E_AGAIN;
    }
    udp->stats.send_errors += n;
    return RM_E_IO;
}

/* `value` behind what `msg` has already; its buffer has room for it. */
static void add_control(struct msghdr *msg, struct control *control, int level, int type, const void *value,
                        size_t len) {
    struct cmsghdr *c = (struct cmsghdr *)(void *)(control->bytes + msg->msg_controllen);
    msg->msg_control = control;
    msg->msg_controllen += CMSG_SPACE(len);
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(len);
    memcpy(CMSG_DATA(c), value, len);
}

static void add_ecn(const struct rmi_udp *udp, struct msghdr *msg, struct control *control, enum rmi_ecn ecn) {
    const int value = (int)ecn;
    if (ecn == RMI_ECN_NOT_ECT)
        return;
    if (udp->local.family == 4)
        add_control(msg, control, IPPROTO_IP, IP_TOS, &value, sizeof value);
    else
        add_control(msg, control, IPPROTO_IPV6, IPV6_TCLASS, &value, sizeof value);
}

static rm_err send_now(struct rmi_udp *udp, const struct rmi_addr *to, const uint8_t *data, size_t len,
                       enum rmi_ecn ecn) {
    int error = 0;
    struct sockaddr_storage sa;
    struct control control;
    struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len}; /* which is only read */
    struct msghdr msg = {
        .msg_name = &sa, .msg_namelen = rmi_addr_to_sockaddr(to, &sa), .msg_iov = &iov, .msg_iovlen = 1};
    add_ecn(udp, &msg, &control, ecn);
    /* A pending ICMP error for an earlier datagram is reported once instead of sending: the second try sends. */
    for (unsigned attempt = 0; attempt < 2; attempt++) {
        udp->stats.send_calls++;
        if (sendmsg(udp->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
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
    return count_refusal(udp, error, 1);
}

/* Where sending has got to: whole runs as one message each, or datagram by datagram. */
struct position {
    unsigned run, datagram;
};

struct messages {
    struct mmsghdr msg[MESSAGES];
    struct iovec iov[MESSAGES];
    struct control control[MESSAGES];
    unsigned datagrams[MESSAGES]; /* in each */
};

/* The next message at `at`, which moves on. */
static void build_one(struct rmi_udp *udp, struct messages *m, unsigned i, struct position *at) {
    struct run *r = &udp->runs[at->run];
    const size_t done = at->datagram * r->segment, left = r->bytes - done;
    const bool whole = udp->segments && r->count - at->datagram > 1;
    m->datagrams[i] = whole ? r->count - at->datagram : 1;
    m->iov[i] = (struct iovec){.iov_base = udp->out_data + r->offset + done,
                               .iov_len = whole || left < r->segment ? left : r->segment};
    m->msg[i].msg_hdr =
        (struct msghdr){.msg_name = &r->sa, .msg_namelen = r->sa_len, .msg_iov = &m->iov[i], .msg_iovlen = 1};
    if (whole) {
        const uint16_t segment = (uint16_t)r->segment;
        add_control(&m->msg[i].msg_hdr, &m->control[i], SOL_UDP, UDP_SEGMENT, &segment, sizeof segment);
    }
    add_ecn(udp, &m->msg[i].msg_hdr, &m->control[i], r->ecn);
    at->datagram += m->datagrams[i];
    if (at->datagram == r->count)
        *at = (struct position){.run = at->run + 1};
}

static void pass(struct rmi_udp *udp, const struct messages *m, unsigned n, struct position *at) {
    for (unsigned i = 0; i < n; i++) {
        at->datagram += m->datagrams[i];
        udp->stats.send_packets += m->datagrams[i];
        udp->stats.send_bytes += m->iov[i].iov_len;
        if (at->datagram == udp->runs[at->run].count)
            *at = (struct position){.run = at->run + 1};
    }
}

/* Not to be cut by this kernel, device or route: EIO without a checksum offload, EINVAL or EMSGSIZE where the route is
 * narrower than a datagram, the others before Linux 4.18. */
static bool is_offload_error(int error) {
    return error == EIO || error == EINVAL || error == EMSGSIZE || error == ENOPROTOOPT || error == EOPNOTSUPP;
}

static void flush(struct rmi_udp *udp) {
    struct messages m;
    struct position at = {0};
    unsigned retries = 0;
    while (at.run < udp->run_count) {
        struct position next = at;
        unsigned n = 0;
        while (n < MESSAGES && next.run < udp->run_count)
            build_one(udp, &m, n++, &next);
        udp->stats.send_calls++;
        int sent = sendmmsg(udp->fd, m.msg, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            pass(udp, &m, (unsigned)sent, &at);
            retries = 0;
            continue;
        }
        int error = sent < 0 ? errno : EIO;
        if (m.datagrams[0] > 1 && is_offload_error(error)) {
            udp->segments = false; /* once and for all: what is sent from here goes one by one */
            continue;
        }
        if (error == ECONNREFUSED)
            udp->stats.icmp_errors++;
        if ((error == ECONNREFUSED || error == EINTR) && retries++ == 0)
            continue;
        (void)count_refusal(udp, error, m.datagrams[0]); /* the first of the rest was refused: go on behind it */
        at.datagram += m.datagrams[0];
        if (at.datagram == udp->runs[at.run].count)
            at = (struct position){.run = at.run + 1};
        retries = 0;
    }
    udp->run_count = 0;
    udp->out_len = 0;
}

/* Whether a datagram can be one more of this run. */
static bool continues(const struct run *r, const struct rmi_addr *to, size_t len, enum rmi_ecn ecn) {
    return len > 0 && ecn == r->ecn && len <= r->segment && r->bytes == r->count * r->segment &&
           r->count < SEGMENTS_MAX && r->bytes + len <= RUN_BYTES_MAX && rmi_addr_equal(&r->to, to);
}

static void collect(struct rmi_udp *udp, const struct rmi_addr *to, const uint8_t *data, size_t len, enum rmi_ecn ecn) {
    struct run *r = udp->run_count ? &udp->runs[udp->run_count - 1] : NULL;
    const bool more = r && continues(r, to, len, ecn);
    if (OUT_BYTES - udp->out_len < len || (!more && udp->run_count == RUNS)) {
        flush(udp);
        r = NULL;
    }
    if (!r || !more) {
        r = &udp->runs[udp->run_count++];
        *r = (struct run){.to = *to, .offset = udp->out_len, .segment = len, .ecn = ecn};
        r->sa_len = rmi_addr_to_sockaddr(to, &r->sa);
    }
    if (len > 0)
        memcpy(udp->out_data + udp->out_len, data, len);
    udp->out_len += len;
    r->bytes += len;
    r->count++;
}

rm_err rmi_udp_send_marked(struct rmi_udp *udp, const struct rmi_addr *to, const uint8_t *data, size_t len,
                           enum rmi_ecn ecn) {
    if (to->family != udp->local.family)
        return RM_E_INVALID_ARG;
    if (len > RMI_DATAGRAM_MAX)
        return RM_E_TOO_BIG;
    if (udp->batch_depth == 0 && !rmi_loop_at_turn_end(udp->loop, &udp->turn_end))
        return send_now(udp, to, data, len, ecn);
    collect(udp, to, data, len, ecn);
    return RM_OK;
}

rm_err rmi_udp_send(struct rmi_udp *udp, const struct rmi_addr *to, const uint8_t *data, size_t len) {
    return rmi_udp_send_marked(udp, to, data, len, RMI_ECN_NOT_ECT);
}

void rmi_udp_batch_begin(struct rmi_udp *udp) {
    udp->batch_depth++;
}

void rmi_udp_batch_end(struct rmi_udp *udp) {
    if (udp->batch_depth > 0 && --udp->batch_depth == 0)
        flush(udp);
}

/* ---- life ---- */

static void set_buffers(struct rmi_udp *udp) {
    int want = SOCKET_BUFFER;
    (void)setsockopt(udp->fd, SOL_SOCKET, SO_RCVBUF, &want, sizeof want);
    (void)setsockopt(udp->fd, SOL_SOCKET, SO_SNDBUF, &want, sizeof want);
    socklen_t len = sizeof udp->stats.rcvbuf_bytes;
    (void)getsockopt(udp->fd, SOL_SOCKET, SO_RCVBUF, &udp->stats.rcvbuf_bytes, &len);
    len = sizeof udp->stats.sndbuf_bytes;
    (void)getsockopt(udp->fd, SOL_SOCKET, SO_SNDBUF, &udp->stats.sndbuf_bytes, &len);
}

void rmi_udp_set_offload(struct rmi_udp *udp, bool on) {
    int value = on;
    udp->segments = on; /* whether the kernel can is seen at the first use */
    (void)setsockopt(udp->fd, SOL_UDP, UDP_GRO, &value, sizeof value); /* without it datagrams come one by one */
}

bool rmi_udp_read_ecn(struct rmi_udp *udp, bool on) {
    const int value = on;
    if (udp->local.family == 4)
        return setsockopt(udp->fd, IPPROTO_IP, IP_RECVTOS, &value, sizeof value) == 0;
    return setsockopt(udp->fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &value, sizeof value) == 0;
}

enum rmi_ecn rmi_udp_received_ecn(const struct rmi_udp *udp) {
    return udp->received_ecn;
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
    rmi_udp_set_offload(udp, true);
    udp->local = rmi_addr_from_sockaddr((const struct sockaddr *)&sa);
    return RM_OK;
}

static void free_handle(uv_handle_t *handle) {
    free(handle->data);
}

static void shut(struct rmi_udp *udp) {
    udp->closed = true;
    rmi_list_remove(&udp->child.node);
    rmi_list_remove(&udp->turn_end.node);
    /* libuv takes the descriptor out of epoll here: after close() the number may be another thread's already. */
    uv_close((uv_handle_t *)&udp->poll, free_handle);
    close(udp->fd); /* the port is free at once; the memory stays until libuv lets go of it */
}

static void on_turn_end(void *ctx) {
    flush(ctx);
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
    udp->loop = loop;
    udp->turn_end = (struct rmi_turn_end){.fn = on_turn_end, .ctx = udp};
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

void rmi_udp_on_batch(struct rmi_udp *udp, rmi_udp_batch_fn fn) {
    udp->batch = fn;
}

const struct rmi_addr *rmi_udp_local_addr(const struct rmi_udp *udp) {
    return &udp->local;
}

void rmi_udp_get_stats(const struct rmi_udp *udp, struct rmi_udp_stats *out) {
    *out = udp->stats;
}

void rmi_udp_close(struct rmi_udp **udp_ptr) {
    if (!udp_ptr || !*udp_ptr)
        return;
    struct rmi_udp *udp = *udp_ptr;
    *udp_ptr = NULL;
    flush(udp);
    shut(udp);
}
