/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_NET_DATAGRAM_H
#define RMI_NET_DATAGRAM_H

#include "net/addr.h"
#include <stddef.h>
#include <stdint.h>

/* A local place datagrams leave from and arrive at: a UDP socket, or a TURN allocation reached through one.
 * Base ids are small positive numbers, unique within one endpoint and never reused. 0 = none. */
typedef uint32_t rmi_base_id;

/* Largest datagram we build: IPv6 minimum MTU less headers gives 1232; 1200 is the common WebRTC choice (RFC 8831 5).
 * Received ones may be up to 2048. */
#define RMI_DATAGRAM_MTU 1200
#define RMI_DATAGRAM_MAX 2048
/* Free bytes kept in front of outgoing payloads, so a relay can prepend its header without a copy: a Send indication
 * with an IPv6 XOR-PEER-ADDRESS and the DATA attribute header takes 20 + 24 + 4 (RFC 8656 11.1). */
#define RMI_HEADROOM 64

/* The ECN field of the IP header (RFC 3168 5). ECT: whoever sent it slows down when it is told of CE, so that a queue
 * that grows may mark the datagram instead of dropping it. */
enum rmi_ecn { RMI_ECN_NOT_ECT, RMI_ECN_ECT1, RMI_ECN_ECT0, RMI_ECN_CE };
#define RMI_ECN_MASK 3 /* of an octet of the type of service, or of the traffic class */

/* An outgoing datagram: data stays owned by whoever produced it and is valid until that object's next call. */
struct rmi_datagram {
    rmi_base_id base;
    struct rmi_addr to;
    const uint8_t *data;
    size_t len;
};

/* Where pure objects put datagrams to send: called zero or more times inside a call, `data` valid during the call.
 * `data` has RMI_HEADROOM writable bytes in front of it and 64 behind it (relay headers, padding). */
struct rmi_sink {
    void (*send)(void *ctx, rmi_base_id base, const struct rmi_addr *to, uint8_t *data, size_t len);
    void *ctx;
    /* The same with ECT(0). NULL: nothing is sent so. */
    void (*send_ect)(void *ctx, rmi_base_id base, const struct rmi_addr *to, uint8_t *data, size_t len);
};

#endif
