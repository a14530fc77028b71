/* SPDX-License-Identifier: Apache-2.0 */
/* Text forms of an address. No operating system call: inet_pton and its kin differ between systems and drag in its
 * headers. */
#include "net/addr.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define GROUPS 8 /* 16-bit groups of an IPv6 address */

/* A decimal number of at most `max`, no sign, no superfluous zero. Returns the first character after it, or NULL. */
static const char *parse_decimal(const char *p, uint32_t max, uint32_t *out) {
    uint64_t v = 0;
    const char *start = p;
    for (; *p >= '0' && *p <= '9'; p++) {
        v = v * 10 + (uint64_t)(*p - '0');
        if (v > max)
            return NULL;
    }
    if (p == start || (*start == '0' && p - start > 1))
        return NULL; /* 010 would be 8 to some readers, 10 to others */
    *out = (uint32_t)v;
    return p;
}

/* Dotted quad; returns the first character after it, or NULL. */
static const char *parse_ip4(const char *p, uint8_t out[4]) {
    for (size_t i = 0; i < 4; i++) {
        uint32_t v;
        if (i > 0 && *p++ != '.')
            return NULL;
        p = parse_decimal(p, UINT8_MAX, &v);
        if (!p)
            return NULL;
        out[i] = (uint8_t)v;
    }
    return p;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* One to four hexadecimal digits; returns the first character after them, or NULL. */
static const char *parse_group(const char *p, uint8_t out[2]) {
    unsigned v = 0;
    size_t digits = 0;
    for (; hex_digit(*p) >= 0; p++, digits++) {
        if (digits == 4)
            return NULL;
        v = v << 4 | (unsigned)hex_digit(*p);
    }
    if (digits == 0)
        return NULL;
    out[0] = (uint8_t)(v >> 8);
    out[1] = (uint8_t)v;
    return p;
}

/* RFC 4291 section 2.2; returns the first character after the address, or NULL. */
static const char *parse_ip6(const char *p, uint8_t out[16]) {
    size_t at = 0, gap = SIZE_MAX; /* bytes so far; where "::" stood */
    if (p[0] == ':') {
        if (p[1] != ':')
            return NULL;
        p += 2;
        gap = 0;
    }
    while (at < 16 && hex_digit(*p) >= 0) {
        const char *dotted = at <= 12 ? parse_ip4(p, out + at) : NULL;
        if (dotted) {
            p = dotted;
            at += 4;
            break;
        }
        p = parse_group(p, out + at);
        if (!p)
            return NULL;
        at += 2;
        if (p[0] != ':')
            break;
        p++;
        if (*p == ':') {
            if (gap != SIZE_MAX)
                return NULL;
            gap = at;
            p++;
        } else if (hex_digit(*p) < 0) {
            return NULL; /* a single colon at the end */
        }
    }
    if (gap == SIZE_MAX)
        return at == 16 ? p : NULL;
    if (at == 16)
        return NULL; /* "::" stands for at least one group */
    memmove(out + 16 - (at - gap), out + gap, at - gap);
    memset(out + gap, 0, 16 - at);
    return p;
}

static rm_err parse_ip(const char *text, uint16_t port, struct rmi_addr *out) {
    uint8_t ip[16];
    const char *end = parse_ip4(text, ip);
    if (end) {
        *out = rmi_addr_from_bytes(ip, 4, port);
        return *end == '\0' ? RM_OK : RM_E_PARSE;
    }
    end = parse_ip6(text, ip);
    if (!end)
        return RM_E_PARSE;
    *out = rmi_addr_from_bytes(ip, sizeof ip, port);
    if (*end == '%') {
        uint32_t scope;
        end = parse_decimal(end + 1, UINT32_MAX, &scope);
        if (!end)
            return RM_E_PARSE;
        if (rmi_addr_classify(out) == RMI_ADDR_LINK_LOCAL)
            out->scope = scope; /* means nothing on an address that is unique without it */
    }
    return *end == '\0' ? RM_OK : RM_E_PARSE;
}

rm_err rmi_addr_parse(const char *text, uint16_t port, struct rmi_addr *out) {
    struct rmi_addr a;
    rm_err err = parse_ip(text, port, &a);
    if (!err)
        *out = a;
    return err;
}

rm_err rmi_addr_parse_hostport(const char *text, struct rmi_addr *out) {
    char ip[RMI_ADDR_TEXT_MAX];
    bool bracket = text[0] == '[';
    const char *start = bracket ? text + 1 : text;
    size_t n = strcspn(start, bracket ? "]" : ":");
    if (n >= sizeof ip || start[n] == '\0')
        return RM_E_PARSE;
    memcpy(ip, start, n);
    ip[n] = '\0';
    if (bracket != (strchr(ip, ':') != NULL))
        return RM_E_PARSE; /* brackets are for IPv6 */
    const char *p = start + n + (bracket ? 1 : 0);
    uint32_t port;
    if (*p != ':' || !(p = parse_decimal(p + 1, UINT16_MAX, &port)) || *p != '\0')
        return RM_E_PARSE;
    return rmi_addr_parse(ip, (uint16_t)port, out);
}

/* The longest run of two or more zero groups, leftmost of equals (RFC 5952 section 4.2). */
static void longest_zero_run(const uint16_t g[GROUPS], size_t *at, size_t *len) {
    *at = GROUPS;
    *len = 1;
    for (size_t i = 0; i < GROUPS; i++) {
        size_t n = 0;
        while (i + n < GROUPS && g[i + n] == 0)
            n++;
        if (n > *len) {
            *at = i;
            *len = n;
        }
        i += n;
    }
}

const char *rmi_addr_ip_text(const struct rmi_addr *a, char out[RMI_ADDR_TEXT_MAX]) {
    if (a->family == 4) {
        snprintf(out, RMI_ADDR_TEXT_MAX, "%u.%u.%u.%u", a->ip[0], a->ip[1], a->ip[2], a->ip[3]);
        return out;
    }
    if (a->family != 6) {
        snprintf(out, RMI_ADDR_TEXT_MAX, "none");
        return out;
    }
    uint16_t g[GROUPS];
    for (size_t i = 0; i < GROUPS; i++)
        g[i] = (uint16_t)(a->ip[2 * i] << 8 | a->ip[2 * i + 1]);
    size_t run_at, run_len;
    longest_zero_run(g, &run_at, &run_len);
    size_t n = 0;
    for (size_t i = 0; i < GROUPS;) {
        if (i == run_at) {
            n += (size_t)snprintf(out + n, RMI_ADDR_TEXT_MAX - n, "::");
            i += run_len;
            continue;
        }
        const char *colon = i == 0 || i == run_at + run_len ? "" : ":";
        n += (size_t)snprintf(out + n, RMI_ADDR_TEXT_MAX - n, "%s%x", colon, (unsigned)g[i++]);
    }
    return out;
}

const char *rmi_addr_text(const struct rmi_addr *a, char out[RMI_ADDR_TEXT_MAX]) {
    char ip[RMI_ADDR_TEXT_MAX];
    rmi_addr_ip_text(a, ip);
    if (a->family == 4)
        snprintf(out, RMI_ADDR_TEXT_MAX, "%.15s:%u", ip, (unsigned)a->port);
    else if (a->family == 6 && a->scope)
        snprintf(out, RMI_ADDR_TEXT_MAX, "[%.39s%%%" PRIu32 "]:%u", ip, a->scope, (unsigned)a->port);
    else if (a->family == 6)
        snprintf(out, RMI_ADDR_TEXT_MAX, "[%.39s]:%u", ip, (unsigned)a->port);
    else
        snprintf(out, RMI_ADDR_TEXT_MAX, "none");
    return out;
}
