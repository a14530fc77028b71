/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_IO_UDP_H
#define RMI_IO_UDP_H

#include "net/addr.h"
#include "net/datagram.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rmi_loop;
struct rmi_udp;

/* `data` may be changed in place and is valid during the call; it has RMI_HEADROOM bytes of room in front, and none
 * behind: the next datagram may follow. now_us is read once per batch of datagrams. */
typedef void (*rmi_udp_recv_fn)(void *ctx, int64_t now_us, const struct rmi_addr *from, uint8_t *data, size_t len);
/* After each batch of them, with the same now_us. */
typedef void (*rmi_udp_batch_fn)(void *ctx, int64_t now_us);

struct rmi_udp_stats {
    uint64_t recv_packets, recv_bytes;
    uint64_t recv_truncated; /* longer than RMI_DATAGRAM_MAX: dropped */
    uint64_t recv_errors;
    uint64_t send_packets, send_bytes;
    uint64_t send_dropped;           /* socket buffer or queue full (EAGAIN, ENOBUFS) */
    uint64_t send_errors;            /* unreachable, not permitted, message too long ... */
    uint64_t icmp_errors;            /* reported for earlier datagrams (ECONNREFUSED ...): counted, without effect */
    uint64_t send_calls, recv_calls; /* system calls that carried datagrams */
    int rcvbuf_bytes, sndbuf_bytes;  /* what the kernel granted */
};

/* Bind a non-blocking socket; port 0 takes any. IPv6 sockets are IPv6 only. Asks for 4 MiB socket buffers and takes
 * what the system grants. RM_E_INVALID_ARG (no address), RM_E_IO (cannot bind), RM_E_NO_MEMORY. */
rm_err rmi_udp_open(struct rmi_loop *loop, const struct rmi_addr *bind, rmi_udp_recv_fn recv, void *ctx,
                    struct rmi_udp **out);
/* The bound address with its real port. */
const struct rmi_addr *rmi_udp_local_addr(const struct rmi_udp *udp);

void rmi_udp_on_batch(struct rmi_udp *udp, rmi_udp_batch_fn fn);

/* Send one datagram: within a turn of the loop at its end, with all others of the turn, otherwise now; between
 * batch_begin and batch_end when the batch ends. `data` is copied when it is sent later. Never blocks:
 * RM_E_AGAIN when the socket's buffer is full (dropped and counted, as the network would), RM_E_IO for other refusals,
 * RM_E_TOO_BIG above RMI_DATAGRAM_MAX, RM_E_INVALID_ARG for another address family than the socket's. Of what is sent
 * later refusals show in the statistics only. */
rm_err rmi_udp_send(struct rmi_udp *udp, const struct rmi_addr *to, const uint8_t *data, size_t len);
/* The same with this ECN field; rmi_udp_send has it not-ECT. */
rm_err rmi_udp_send_marked(struct rmi_udp *udp, const struct rmi_addr *to, const uint8_t *data, size_t len,
                           enum rmi_ecn ecn);
/* Batches nest; the outermost end sends everything collected, in order, with as few system calls as possible. */
void rmi_udp_batch_begin(struct rmi_udp *udp);
void rmi_udp_batch_end(struct rmi_udp *udp);
/* Whether the kernel cuts and joins datagrams of one size (UDP_SEGMENT, UDP_GRO). On from the start, and switched off
 * by itself where it does not work. */
void rmi_udp_set_offload(struct rmi_udp *udp, bool on);

/* Reads the ECN field of what is received; off from the start. False: this system does not tell it. */
bool rmi_udp_read_ecn(struct rmi_udp *udp, bool on);
/* Of the datagram that the receive function is called with; not-ECT where it is not read. */
enum rmi_ecn rmi_udp_received_ecn(const struct rmi_udp *udp);

void rmi_udp_get_stats(const struct rmi_udp *udp, struct rmi_udp_stats *out);
/* Sends what is batched, closes. Idempotent, accepts NULL, legal inside the callback; no callback afterwards. */
void rmi_udp_close(struct rmi_udp **udp);

#endif
