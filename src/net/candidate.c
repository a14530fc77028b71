/* SPDX-License-Identifier: Apache-2.0 */
#include "net/candidate.h"

#include <inttypes.h>
#include <remotemedia/export.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define COMPONENT_MAX 256 /* RFC 8839 5.1 */
#define PRIORITY_MAX INT32_MAX
#define UNDISCLOSED_PORT 9 /* RFC 8839 5.1: the discard port stands for a related port that is kept private */

static const char *const type_names[] = {
    [RMI_CAND_HOST] = "host",
    [RMI_CAND_SRFLX] = "srflx",
    [RMI_CAND_PRFLX] = "prflx",
    [RMI_CAND_RELAY] = "relay",
};
#define TYPE_COUNT (sizeof type_names / sizeof type_names[0])

/* A piece of the line between single spaces. */
struct token {
    const char *text;
    size_t len;
};

struct line {
    const char *at; /* NULL once the last token is taken */
    const char *end;
};

static bool next_token(struct line *l, struct token *t) {
    *t = (struct token){.text = "", .len = 0};
    if (!l->at)
        return false;
    const char *space = memchr(l->at, ' ', (size_t)(l->end - l->at));
    t->text = l->at;
    t->len = (size_t)((space ? space : l->end) - l->at);
    l->at = space ? space + 1 : NULL;
    return true;
}

static bool token_is(const struct token *t, const char *word) {
    size_t n = strlen(word);
    if (t->len != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = t->text[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a'); /* RFC 8839 5.1 writes UDP, browsers udp; names compare without case */
        if (c != word[i])
            return false;
    }
    return true;
}

static bool token_number(const struct token *t, uint32_t min, uint32_t max, uint32_t *out) {
    uint64_t v = 0;
    for (size_t i = 0; i < t->len; i++) {
        if (t->text[i] < '0' || t->text[i] > '9')
            return false;
        v = v * 10 + (uint64_t)(t->text[i] - '0');
        if (v > max)
            return false;
    }
    if (t->len == 0 || v < min)
        return false;
    *out = (uint32_t)v;
    return true;
}

static bool is_letter_or_digit(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* 1 to `max` ice-chars (RFC 8839 5.4), copied with a NUL. */
static bool token_ice_chars(const struct token *t, char *out, size_t max) {
    if (t->len == 0 || t->len > max)
        return false;
    for (size_t i = 0; i < t->len; i++)
        if (!is_letter_or_digit(t->text[i]) && t->text[i] != '+' && t->text[i] != '/')
            return false;
    memcpy(out, t->text, t->len);
    out[t->len] = '\0';
    return true;
}

/* A numeric address. A zone is dropped: it names an interface of the sender's machine, not of ours. */
static bool token_ip(const struct token *t, uint16_t port, struct rmi_addr *out) {
    const char *zone = memchr(t->text, '%', t->len);
    size_t n = zone ? (size_t)(zone - t->text) : t->len;
    char text[RMI_ADDR_TEXT_MAX];
    if (n >= sizeof text)
        return false;
    memcpy(text, t->text, n);
    text[n] = '\0';
    return rmi_addr_parse(text, port, out) == RM_OK;
}

/* A host name (RFC 1123 2.1, and the underscore seen in practice). All digits and dots would be a broken address. */
static bool token_hostname(const struct token *t, char out[RMI_CAND_HOST_MAX]) {
    bool letter = false;
    if (t->len == 0 || t->len >= RMI_CAND_HOST_MAX || t->text[0] == '.' || t->text[0] == '-')
        return false;
    for (size_t i = 0; i < t->len; i++) {
        char c = t->text[i];
        if (!is_letter_or_digit(c) && c != '-' && c != '_' && c != '.')
            return false;
        if (c == '.' && i + 1 < t->len && t->text[i + 1] == '.')
            return false;
        letter = letter || (c > '9' && c != '_');
    }
    if (!letter)
        return false;
    memcpy(out, t->text, t->len);
    out[t->len] = '\0';
    return true;
}

/* foundation component transport priority address port "typ" type */
static bool parse_base(struct line *l, struct rmi_candidate *c) {
    struct token t, address;
    uint32_t port;
    if (!next_token(l, &t) || !token_ice_chars(&t, c->foundation, RMI_FOUNDATION_MAX))
        return false;
    if (!next_token(l, &t) || !token_number(&t, 1, COMPONENT_MAX, &c->component))
        return false;
    if (!next_token(l, &t) || t.len == 0)
        return false;
    c->udp = token_is(&t, "udp");
    if (!next_token(l, &t) || !token_number(&t, 1, PRIORITY_MAX, &c->priority))
        return false;
    if (!next_token(l, &address) || !next_token(l, &t) || !token_number(&t, 0, UINT16_MAX, &port))
        return false;
    if (!token_ip(&address, (uint16_t)port, &c->addr)) {
        c->addr.port = (uint16_t)port;
        if (!token_hostname(&address, c->hostname))
            return false;
    }
    if (!next_token(l, &t) || !token_is(&t, "typ") || !next_token(l, &t))
        return false;
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        if (token_is(&t, type_names[i])) {
            c->type = (enum rmi_cand_type)i;
            return true;
        }
    }
    return false;
}

/* raddr, rport, ufrag, and pairs of names and values that are skipped. A value may be empty (RFC 8839 5.1: *VCHAR). */
static bool parse_extensions(struct line *l, struct rmi_candidate *c) {
    struct token name, value;
    uint32_t related_port = 0;
    while (next_token(l, &name)) {
        if (name.len == 0)
            return false;
        bool given = next_token(l, &value) && value.len > 0;
        if (token_is(&name, "raddr")) {
            char ignored[RMI_CAND_HOST_MAX];
            if (!given || (!token_ip(&value, 0, &c->related) && !token_hostname(&value, ignored)))
                return false;
        } else if (token_is(&name, "rport")) {
            if (!given || !token_number(&value, 0, UINT16_MAX, &related_port))
                return false;
        } else if (given && token_is(&name, "ufrag")) {
            if (!token_ice_chars(&value, c->ufrag, sizeof c->ufrag - 1))
                return false;
        }
    }
    if (c->related.family)
        c->related.port = (uint16_t)related_port;
    return true;
}

static bool skip_prefix(struct line *l, const char *prefix) {
    size_t n = strlen(prefix);
    if ((size_t)(l->end - l->at) < n || memcmp(l->at, prefix, n) != 0)
        return false;
    l->at += n;
    return true;
}

rm_err rmi_candidate_parse(const char *text, size_t len, struct rmi_candidate *out) {
    if (len > RMI_CAND_TEXT_MAX)
        return RM_E_TOO_BIG;
    while (len > 0 && (text[len - 1] == '\r' || text[len - 1] == '\n' || text[len - 1] == ' '))
        len--;
    for (size_t i = 0; i < len; i++)
        if (text[i] < ' ' || text[i] > '~')
            return RM_E_PARSE; /* NUL and line breaks inside would let the line mean two things */
    struct line l = {.at = text, .end = text + len};
    struct rmi_candidate c = {.type = RMI_CAND_HOST};
    if (len == 0)
        return RM_E_PARSE;
    (void)skip_prefix(&l, "a=");
    if (!skip_prefix(&l, "candidate:") || !parse_base(&l, &c) || !parse_extensions(&l, &c))
        return RM_E_PARSE;
    *out = c;
    return RM_OK;
}

static void append(char *out, size_t cap, size_t *at, const char *fmt, ...) RM_PRINTF(4, 5);

/* Appends formatted text at *at; *at becomes cap when it does not fit. */
static void append(char *out, size_t cap, size_t *at, const char *fmt, ...) {
    if (*at >= cap)
        return;
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(out + *at, cap - *at, fmt, args);
    va_end(args);
    *at = n < 0 || (size_t)n >= cap - *at ? cap : *at + (size_t)n;
}

size_t rmi_candidate_write(const struct rmi_candidate *c, char *out, size_t cap) {
    char ip[RMI_ADDR_TEXT_MAX];
    size_t at = 0;
    if (!c->udp || (!c->addr.family && !c->hostname[0]))
        return 0;
    const char *address = c->hostname[0] ? c->hostname : rmi_addr_ip_text(&c->addr, ip);
    append(out, cap, &at, "candidate:%s %" PRIu32 " udp %" PRIu32 " %s %u typ %s", c->foundation, c->component,
           c->priority, address, (unsigned)c->addr.port, rmi_cand_type_name(c->type));
    if (c->related.family)
        append(out, cap, &at, " raddr %s rport %u", rmi_addr_ip_text(&c->related, ip), (unsigned)c->related.port);
    else if (c->type != RMI_CAND_HOST) /* required there; RFC 8839 5.1 has this value for an address kept private */
        append(out, cap, &at, " raddr %s rport %d", c->addr.family == 6 ? "::" : "0.0.0.0", UNDISCLOSED_PORT);
    if (c->ufrag[0])
        append(out, cap, &at, " ufrag %s", c->ufrag);
    return at < cap ? at : 0;
}

const char *rmi_cand_type_name(enum rmi_cand_type type) {
    return (unsigned)type < TYPE_COUNT ? type_names[type] : "unknown";
}

uint32_t rmi_candidate_priority(enum rmi_cand_type type, uint16_t local_pref, uint32_t component) {
    static const uint8_t preference[TYPE_COUNT] = {
        [RMI_CAND_HOST] = 126, [RMI_CAND_SRFLX] = 100, [RMI_CAND_PRFLX] = 110, [RMI_CAND_RELAY] = 0};
    uint32_t type_pref = (unsigned)type < TYPE_COUNT ? preference[type] : 0;
    return type_pref << 24 | (uint32_t)local_pref << 8 | (256 - component);
}
