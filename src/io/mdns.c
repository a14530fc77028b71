/* SPDX-License-Identifier: Apache-2.0 */
#include "io/mdns.h"
#include "base/cursor.h"
#include <string.h>
#include <strings.h>

#define LABEL_MAX 63      /* RFC 1035 2.3.4 */
#define WIRE_NAME_MAX 255 /* RFC 1035 2.3.4 */
#define POINTER_BITS 0xc0 /* RFC 1035 4.1.4: compression */
#define POINTER_MASK 0x3fff
#define HOPS_MAX 16          /* compression pointers followed in one name; real messages use one or two */
#define RECORDS_MAX 128      /* records looked at; a datagram of 2,048 bytes cannot hold more useful ones */
#define TYPE_A 1             /* RFC 1035 3.2.2 */
#define TYPE_AAAA 28         /* RFC 3596 2.1 */
#define CLASS_IN 1           /* RFC 1035 3.2.4 */
#define CLASS_TOP_BIT 0x8000 /* RFC 6762 10.2: cache-flush, not part of the class */
#define FLAG_RESPONSE 0x8000 /* RFC 1035 4.1.1: QR */
#define RCODE_MASK 0x000f

/* A name as on the wire, without compression: length-prefixed labels and the root's zero. */
struct wire_name {
    uint8_t data[WIRE_NAME_MAX];
    size_t len;
};

bool rmi_mdns_is_local(const char *host) {
    static const char suffix[] = ".local";
    size_t len = strlen(host);
    if (len > 0 && host[len - 1] == '.')
        len--;
    size_t n = sizeof suffix - 1;
    return len > n && strncasecmp(host + len - n, suffix, n) == 0;
}

static bool name_from_text(const char *text, struct wire_name *out) {
    struct rmi_wr w = rmi_wr_init(out->data, sizeof out->data);
    while (*text) {
        size_t n = strcspn(text, ".");
        if (n == 0 || n > LABEL_MAX)
            return false;
        rmi_wr_u8(&w, (uint8_t)n);
        rmi_wr_bytes(&w, text, n);
        text += n;
        if (*text == '.')
            text++;
    }
    bool empty = w.pos == 0;
    rmi_wr_u8(&w, 0);
    out->len = w.pos;
    return !w.failed && !empty;
}

static uint8_t lower(uint8_t c) {
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

/* Length octets are below 64 and so never letters: one loop serves labels and lengths. */
static bool name_equal(const struct wire_name *a, const struct wire_name *b) {
    if (a->len != b->len)
        return false;
    for (size_t i = 0; i < a->len; i++)
        if (lower(a->data[i]) != lower(b->data[i]))
            return false;
    return true;
}

/* Read a possibly compressed name at r, leaving r behind it. Pointers must lead backwards, which rules out loops. */
static void read_name(struct rmi_rd *r, struct wire_name *out) {
    struct rmi_wr w = rmi_wr_init(out->data, sizeof out->data);
    struct rmi_rd at = *r;
    bool jumped = false;
    size_t before = at.pos;
    unsigned hops = 0;
    for (;;) {
        uint8_t n = rmi_rd_u8(&at);
        if ((n & POINTER_BITS) == POINTER_BITS) {
            size_t target = (size_t)((n << 8 | rmi_rd_u8(&at)) & POINTER_MASK);
            if (!jumped)
                *r = at;
            jumped = true;
            if (at.failed || target >= before || ++hops > HOPS_MAX)
                break;
            before = at.pos = target;
            continue;
        }
        const uint8_t *label = rmi_rd_bytes(&at, n);
        if (at.failed || n > LABEL_MAX)
            break;
        rmi_wr_u8(&w, n);
        rmi_wr_bytes(&w, label, n);
        if (w.failed)
            break;
        if (n == 0) {
            if (!jumped)
                *r = at;
            out->len = w.pos;
            return;
        }
    }
    r->failed = true;
    out->len = 0;
}

static void write_question(struct rmi_wr *w, const struct wire_name *name, uint16_t type) {
    rmi_wr_bytes(w, name->data, name->len);
    rmi_wr_u16(w, type);
    rmi_wr_u16(w, CLASS_IN); /* answers to a port other than 5353 come by unicast anyway (RFC 6762 6.7) */
}

size_t rmi_mdns_query(const char *host, int family, uint16_t id, uint8_t *out, size_t cap) {
    struct wire_name name;
    if (!name_from_text(host, &name))
        return 0;
    struct rmi_wr w = rmi_wr_init(out, cap);
    rmi_wr_u16(&w, id);
    rmi_wr_u16(&w, 0);
    rmi_wr_u16(&w, family == 0 ? 2 : 1);
    rmi_wr_zero(&w, 6);
    size_t name_at = w.pos;
    write_question(&w, &name, family == 6 ? TYPE_AAAA : TYPE_A);
    if (family == 0) {
        rmi_wr_u16(&w, (uint16_t)(POINTER_BITS << 8 | name_at));
        rmi_wr_u16(&w, TYPE_AAAA);
        rmi_wr_u16(&w, CLASS_IN);
    }
    return w.failed ? 0 : w.pos;
}

struct collect {
    struct wire_name want;
    int family;
    struct rmi_addr *addrs;
    size_t cap, n;
};

static void take_record(struct rmi_rd *r, struct collect *c) {
    struct wire_name name;
    read_name(r, &name);
    uint16_t type = rmi_rd_u16(r);
    uint16_t class = (uint16_t)(rmi_rd_u16(r) & ~CLASS_TOP_BIT);
    rmi_rd_skip(r, 4); /* time to live: used at once, never cached */
    uint16_t len = rmi_rd_u16(r);
    const uint8_t *data = rmi_rd_bytes(r, len);
    if (r->failed || class != CLASS_IN || !name_equal(&name, &c->want))
        return;
    bool is_a = type == TYPE_A && len == 4 && c->family != 6;
    bool is_aaaa = type == TYPE_AAAA && len == 16 && c->family != 4;
    if (!is_a && !is_aaaa)
        return;
    struct rmi_addr addr = rmi_addr_from_bytes(data, len, 0);
    /* An IPv4-mapped address in an AAAA record is IPv4 to us: nobody announces that in good faith. */
    if (addr.family != (is_a ? 4 : 6) || rmi_addr_classify(&addr) == RMI_ADDR_UNUSABLE)
        return;
    for (size_t i = 0; i < c->n; i++)
        if (rmi_addr_equal_ip(&c->addrs[i], &addr))
            return;
    if (c->n < c->cap)
        c->addrs[c->n++] = addr;
}

rm_err rmi_mdns_parse(const uint8_t *data, size_t len, const char *host, int family, uint16_t id,
                      struct rmi_addr *addrs, size_t cap, size_t *n) {
    *n = 0;
    struct collect c = {.family = family, .addrs = addrs, .cap = cap};
    if (!name_from_text(host, &c.want))
        return RM_E_PARSE;
    struct rmi_rd r = rmi_rd_init(data, len);
    uint16_t got_id = rmi_rd_u16(&r);
    uint16_t flags = rmi_rd_u16(&r);
    unsigned questions = rmi_rd_u16(&r);
    unsigned records = rmi_rd_u16(&r);
    records += rmi_rd_u16(&r);
    records += rmi_rd_u16(&r);
    if (r.failed || !(flags & FLAG_RESPONSE) || (got_id != id && got_id != 0))
        return RM_E_PARSE;
    if (flags & RCODE_MASK)
        return RM_E_NOT_FOUND;
    for (unsigned i = 0; i < questions && !r.failed; i++) {
        struct wire_name name;
        read_name(&r, &name);
        rmi_rd_skip(&r, 4);
    }
    for (unsigned i = 0; i < records && i < RECORDS_MAX && !r.failed; i++)
        take_record(&r, &c);
    if (r.failed)
        return RM_E_PARSE;
    *n = c.n;
    return c.n > 0 ? RM_OK : RM_E_NOT_FOUND;
}
