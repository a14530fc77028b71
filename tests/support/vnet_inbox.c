/* SPDX-License-Identifier: Apache-2.0 */
#include "support/vnet_inbox.h"
#include "base/cursor.h"
#include "net/datagram.h"
#include "support/vnet_private.h"
#include <stdlib.h>

void rmt_inbox_recv(void *ctx, int64_t now_us, const struct rmi_addr *from, uint8_t *data, size_t len) {
    struct rmt_inbox *in = ctx;
    if (in->n == in->cap) {
        in->cap = in->cap ? 2 * in->cap : 32;
        in->got = rmt_grow(in->got, in->cap, sizeof in->got[0]);
    }
    struct rmi_rd r = rmi_rd_init(data, len);
    struct rmt_letter *l = &in->got[in->n++];
    *l = (struct rmt_letter){.net_us = rmt_vnet_now(in->v), .host_us = now_us, .from = *from, .len = len};
    l->number = rmi_rd_u32(&r);
    for (size_t i = sizeof l->number; i < len; i++) {
        unsigned wrong = data[i] ^ (i < 2 * sizeof l->number ? data[i - sizeof l->number] : 0u);
        for (; wrong; wrong >>= 1)
            l->bits_wrong += wrong & 1;
    }
}

void rmt_inbox_clear(struct rmt_inbox *in) {
    free(in->got);
    *in = (struct rmt_inbox){.v = in->v};
}

rm_err rmt_send_number(struct rmt_socket *s, const struct rmi_addr *to, uint32_t number, size_t len) {
    uint8_t data[RMI_DATAGRAM_MAX] = {0};
    struct rmi_wr w = rmi_wr_init(data, sizeof data);
    rmi_wr_u32(&w, number);
    rmi_wr_u32(&w, number);
    return rmt_socket_send(s, to, data, len);
}

struct rmi_addr rmt_addr(const char *ip, uint16_t port) {
    struct rmi_addr addr = rmt_ip(NULL, ip);
    addr.port = port;
    return addr;
}
