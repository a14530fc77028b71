/* SPDX-License-Identifier: Apache-2.0 */
#include "net/addr.h"

#include <string.h>

#define FNV_OFFSET UINT64_C(0xcbf29ce484222325) /* FNV-1a, 64 bits */
#define FNV_PRIME UINT64_C(0x100000001b3)

static size_t ip_bytes(uint8_t family) {
    return family == 4 ? 4 : family == 6 ? 16 : 0;
}

struct rmi_addr rmi_addr_from_bytes(const uint8_t *ip, size_t ip_len, uint16_t port) {
    static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff}; /* RFC 4291 2.5.5.2 */
    struct rmi_addr a = {.port = port};
    if (!ip || (ip_len != 4 && ip_len != 16))
        return a;
    bool mapped = ip_len == 16 && memcmp(ip, mapped_prefix, sizeof mapped_prefix) == 0;
    if (mapped)
        ip += sizeof mapped_prefix;
    a.family = mapped || ip_len == 4 ? 4 : 6;
    memcpy(a.ip, ip, ip_bytes(a.family));
    return a;
}

bool rmi_addr_equal_ip(const struct rmi_addr *a, const struct rmi_addr *b) {
    return a->family == b->family && memcmp(a->ip, b->ip, ip_bytes(a->family)) == 0;
}

bool rmi_addr_equal(const struct rmi_addr *a, const struct rmi_addr *b) {
    return a->port == b->port && rmi_addr_equal_ip(a, b);
}

uint64_t rmi_addr_hash(const struct rmi_addr *a) {
    uint64_t h = (FNV_OFFSET ^ a->family) * FNV_PRIME;
    for (size_t i = 0; i < ip_bytes(a->family); i++)
        h = (h ^ a->ip[i]) * FNV_PRIME;
    h = (h ^ (a->port >> 8)) * FNV_PRIME;
    h = (h ^ (a->port & 0xff)) * FNV_PRIME;
    return h ^ h >> 32; /* tables take the low bits */
}

static enum rmi_addr_class classify4(const uint8_t ip[4]) {
    if (ip[0] == 0 || ip[0] >= 224)
        return RMI_ADDR_UNUSABLE; /* RFC 6890: this network, multicast, reserved, broadcast */
    if (ip[0] == 127)
        return RMI_ADDR_LOOPBACK;
    if (ip[0] == 169 && ip[1] == 254)
        return RMI_ADDR_LINK_LOCAL;
    if (ip[0] == 10 || (ip[0] == 172 && (ip[1] & 0xf0) == 16) || (ip[0] == 192 && ip[1] == 168))
        return RMI_ADDR_PRIVATE;
    if (ip[0] == 100 && (ip[1] & 0xc0) == 64)
        return RMI_ADDR_PRIVATE;
    return RMI_ADDR_GLOBAL;
}

static enum rmi_addr_class classify6(const uint8_t ip[16]) {
    static const uint8_t zero[16];
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b}; /* 64:ff9b::/96, RFC 6052 2.1 */
    if (memcmp(ip, zero, 15) == 0 && ip[15] == 1)
        return RMI_ADDR_LOOPBACK;
    if (memcmp(ip, zero, 12) == 0)
        return RMI_ADDR_UNUSABLE; /* unspecified, and the IPv4-compatible form that RFC 4291 2.5.5.1 retired */
    if (ip[0] == 0xff)
        return RMI_ADDR_UNUSABLE;
    if (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80)
        return RMI_ADDR_LINK_LOCAL;
    if ((ip[0] & 0xfe) == 0xfc || (ip[0] == 0xfe && (ip[1] & 0xc0) == 0xc0))
        return RMI_ADDR_PRIVATE; /* unique local, and the site-local range it replaced (RFC 3879) */
    /* An IPv4 address in translated form is what the IPv4 address is, or a filter could be by-passed. */
    if (memcmp(ip, nat64, sizeof nat64) == 0)
        return classify4(ip + sizeof nat64);
    if (ip[0] == 0x20 && ip[1] == 0x02)
        return classify4(ip + 2); /* 6to4, RFC 3056 section 2 */
    return RMI_ADDR_GLOBAL;
}

enum rmi_addr_class rmi_addr_classify(const struct rmi_addr *a) {
    if (a->family == 4)
        return classify4(a->ip);
    if (a->family == 6) {
        struct rmi_addr canonical = rmi_addr_from_bytes(a->ip, sizeof a->ip, 0);
        return canonical.family == 4 ? classify4(canonical.ip) : classify6(a->ip);
    }
    return RMI_ADDR_UNUSABLE;
}
