/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_NET_ADDR_H
#define RMI_NET_ADDR_H

#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An IP address and UDP port, independent of the operating system's structures. An IPv4-mapped IPv6 address
 * (::ffff:a.b.c.d) is always held as IPv4, so that filters cannot be by-passed by another spelling. */
struct rmi_addr {
    uint8_t family; /* 4, 6, or 0 = none */
    uint8_t ip[16]; /* network order; IPv4 uses the first four */
    uint16_t port;  /* host order */
    uint32_t scope; /* interface index of an IPv6 link-local address, else 0 */
};

#define RMI_ADDR_TEXT_MAX 64 /* "[ipv6%scope]:port" and a NUL */

/* What an address is good for; a link-local or loopback address still works between neighbours. */
enum rmi_addr_class {
    RMI_ADDR_GLOBAL,
    RMI_ADDR_PRIVATE,    /* RFC 1918, RFC 6598 (100.64/10), fc00::/7 */
    RMI_ADDR_LINK_LOCAL, /* 169.254/16, fe80::/10 */
    RMI_ADDR_LOOPBACK,   /* 127/8, ::1 */
    RMI_ADDR_UNUSABLE /* unspecified, multicast, broadcast, 0/8, 240/4, 6to4/NAT64 of such, port 0 is not judged here */
};

/* Numeric IPv4 or IPv6 text without a port ("192.0.2.1", "2001:db8::1", optional %scope digits). RM_E_PARSE otherwise.
 */
rm_err rmi_addr_parse(const char *text, uint16_t port, struct rmi_addr *out);
/* "192.0.2.1:5000" or "[2001:db8::1]:5000". RM_E_PARSE otherwise. */
rm_err rmi_addr_parse_hostport(const char *text, struct rmi_addr *out);
struct rmi_addr rmi_addr_from_bytes(const uint8_t *ip, size_t ip_len,
                                    uint16_t port); /* ip_len 4 or 16; else family 0 */
/* With port: "192.0.2.1:5000"/"[..]:5000". Writes at most RMI_ADDR_TEXT_MAX; returns out. */
const char *rmi_addr_text(const struct rmi_addr *a, char out[RMI_ADDR_TEXT_MAX]);
/* Without port or brackets, as in a candidate line. */
const char *rmi_addr_ip_text(const struct rmi_addr *a, char out[RMI_ADDR_TEXT_MAX]);
bool rmi_addr_equal(const struct rmi_addr *a, const struct rmi_addr *b);    /* family, ip, port (scope is ignored) */
bool rmi_addr_equal_ip(const struct rmi_addr *a, const struct rmi_addr *b); /* family, ip */
uint64_t rmi_addr_hash(const struct rmi_addr *a);
enum rmi_addr_class rmi_addr_classify(const struct rmi_addr *a);

#endif
