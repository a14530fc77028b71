/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMT_VNET_INBOX_H
#define RMT_VNET_INBOX_H

#include "support/vnet.h"

/* Remembers every datagram a socket receives: pass rmt_inbox_recv and the inbox to rmt_socket_open. */
struct rmt_letter {
    int64_t net_us, host_us;
    struct rmi_addr from;
    size_t len;
    uint32_t number;     /* first four bytes, big-endian: rmt_send_number writes them */
    uint32_t bits_wrong; /* against the pattern of rmt_send_number */
};
struct rmt_inbox {
    struct rmt_vnet *v;
    struct rmt_letter *got;
    size_t n, cap;
};
void rmt_inbox_recv(void *inbox, int64_t now_us, const struct rmi_addr *from, uint8_t *data, size_t len);
void rmt_inbox_clear(struct rmt_inbox *inbox);
/* A datagram of len bytes (at least 8): a number, the same again, then zeros. */
rm_err rmt_send_number(struct rmt_socket *s, const struct rmi_addr *to, uint32_t number, size_t len);
struct rmi_addr rmt_addr(const char *ip, uint16_t port);

#endif
