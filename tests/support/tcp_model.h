/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMT_TCP_MODEL_H
#define RMT_TCP_MODEL_H

#include "support/vnet.h"

/* A competitor: Reno with selective acknowledgements (RFC 5681, RFC 6675 in spirit) between two virtual sockets. Data
 * is imaginary; windows, losses, timeouts and the queue it fills are not. */
struct tcp_flow;

struct tcp_flow *tcp_flow_open(struct rmt_host *from, struct rmt_host *to);
void tcp_flow_close(struct tcp_flow **f);
/* Sends so many bytes, 0: without end, from slow start on. */
void tcp_flow_start(struct tcp_flow *f, uint64_t bytes);
void tcp_flow_stop(struct tcp_flow *f);
bool tcp_flow_busy(const struct tcp_flow *f);
uint64_t tcp_flow_acked(const struct tcp_flow *f); /* bytes, ever */

#endif
