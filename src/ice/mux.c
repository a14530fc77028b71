/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/mux.h"

#include "base/cursor.h"
#include "base/list.h"
#include "ice/stun.h"
#include "net/demux.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SOURCES_PER_OWNER 256 /* mux.h: a peer that keeps changing its address cannot grow the table */
#define BUCKETS_FIRST 64      /* a power of two; the table doubles when it holds more sources than buckets */
#define UFRAG_MAX 256         /* RFC 8839 5.4 */
#define BASE_MIX UINT64_C(0x9E3779B97F4A7C15) /* 2^64 / golden ratio: spreads small base numbers over all bits */

struct source {
    struct source *chain; /* next in the bucket */
    struct rmi_list node; /* in its owner's list, oldest first */
    struct owner *owner;
    uint64_t hash;
    rmi_base_id base;
    struct rmi_addr addr;
};

struct owner {
    struct rmi_list node; /* in the mux */
    void *who;
    struct rmi_list sources;
    size_t source_count;
};

struct name {
    struct rmi_list node;
    void *who;
    size_t len;
    char text[]; /* not NUL-terminated */
};

struct tag {
    struct rmi_list node;
    void *who;
    uint32_t value;
};

struct rmi_mux {
    struct rmi_list owners, names, tags;
    struct source **buckets;
    size_t bucket_count; /* a power of two */
    size_t source_count;
};

rm_err rmi_mux_create(struct rmi_mux **out) {
    struct rmi_mux *m = calloc(1, sizeof *m);
    if (!m)
        return RM_E_NO_MEMORY;
    m->bucket_count = BUCKETS_FIRST;
    m->buckets = calloc(m->bucket_count, sizeof(struct source *));
    if (!m->buckets) {
        free(m);
        return RM_E_NO_MEMORY;
    }
    rmi_list_init(&m->owners);
    rmi_list_init(&m->names);
    rmi_list_init(&m->tags);
    *out = m;
    return RM_OK;
}

/* --- sources --- */

static uint64_t hash_of(rmi_base_id base, const struct rmi_addr *from) {
    uint64_t h = rmi_addr_hash(from) ^ (base * BASE_MIX);
    return h ^ (h >> 32);
}

static struct source **bucket_of(const struct rmi_mux *m, uint64_t hash) {
    return &m->buckets[hash & (m->bucket_count - 1)];
}

static struct source *find_source(const struct rmi_mux *m, rmi_base_id base, const struct rmi_addr *from) {
    uint64_t hash = hash_of(base, from);
    for (struct source *s = *bucket_of(m, hash); s; s = s->chain)
        if (s->hash == hash && s->base == base && rmi_addr_equal(&s->addr, from))
            return s;
    return NULL;
}

static void drop_source(struct rmi_mux *m, struct source *s) {
    struct source **at = bucket_of(m, s->hash);
    while (*at != s)
        at = &(*at)->chain;
    *at = s->chain;
    rmi_list_remove(&s->node);
    s->owner->source_count--;
    m->source_count--;
    free(s);
}

/* A table that cannot grow only gets slower. */
static void grow(struct rmi_mux *m) {
    size_t count = m->bucket_count * 2;
    struct source **buckets = calloc(count, sizeof(struct source *));
    if (!buckets)
        return;
    for (size_t i = 0; i < m->bucket_count; i++) {
        for (struct source *s = m->buckets[i], *next; s; s = next) {
            next = s->chain;
            s->chain = buckets[s->hash & (count - 1)];
            buckets[s->hash & (count - 1)] = s;
        }
    }
    free(m->buckets);
    m->buckets = buckets;
    m->bucket_count = count;
}

static struct owner *owner_of(struct rmi_mux *m, void *who, bool make) {
    RMI_LIST_FOREACH (node, tmp, &m->owners) {
        struct owner *o = RMI_CONTAINER_OF(node, struct owner, node);
        if (o->who == who)
            return o;
    }
    struct owner *o = make ? calloc(1, sizeof *o) : NULL;
    if (o) {
        o->who = who;
        rmi_list_init(&o->sources);
        rmi_list_push_back(&m->owners, &o->node);
    }
    return o;
}

rm_err rmi_mux_learn(struct rmi_mux *m, rmi_base_id base, const struct rmi_addr *from, void *owner) {
    struct owner *o = owner_of(m, owner, true);
    if (!o)
        return RM_E_NO_MEMORY;
    struct source *s = find_source(m, base, from);
    if (s) {
        rmi_list_remove(&s->node);
        s->owner->source_count--;
    } else {
        s = calloc(1, sizeof *s);
        if (!s)
            return RM_E_NO_MEMORY;
        if (m->source_count >= m->bucket_count)
            grow(m);
        s->hash = hash_of(base, from);
        s->base = base;
        s->addr = *from;
        s->chain = *bucket_of(m, s->hash);
        *bucket_of(m, s->hash) = s;
        m->source_count++;
    }
    s->owner = o;
    rmi_list_push_back(&o->sources, &s->node);
    if (++o->source_count > SOURCES_PER_OWNER)
        drop_source(m, RMI_CONTAINER_OF(o->sources.next, struct source, node));
    return RM_OK;
}

/* --- names and tags --- */

static struct name *find_name(const struct rmi_mux *m, const char *text, size_t len) {
    RMI_LIST_FOREACH (node, tmp, &m->names) {
        struct name *n = RMI_CONTAINER_OF(node, struct name, node);
        if (n->len == len && memcmp(n->text, text, len) == 0)
            return n;
    }
    return NULL;
}

static struct tag *find_tag(const struct rmi_mux *m, uint32_t value) {
    RMI_LIST_FOREACH (node, tmp, &m->tags) {
        struct tag *t = RMI_CONTAINER_OF(node, struct tag, node);
        if (t->value == value)
            return t;
    }
    return NULL;
}

rm_err rmi_mux_add_ufrag(struct rmi_mux *m, const char *ufrag, void *owner) {
    size_t len = strlen(ufrag);
    if (len == 0 || len > UFRAG_MAX || memchr(ufrag, ':', len) || !owner)
        return RM_E_INVALID_ARG;
    if (find_name(m, ufrag, len))
        return RM_E_EXISTS;
    struct name *n = malloc(sizeof *n + len);
    if (!n)
        return RM_E_NO_MEMORY;
    n->node = (struct rmi_list){0};
    n->who = owner;
    n->len = len;
    memcpy(n->text, ufrag, len);
    rmi_list_push_back(&m->names, &n->node);
    return RM_OK;
}

void rmi_mux_remove_ufrag(struct rmi_mux *m, const char *ufrag) {
    struct name *n = find_name(m, ufrag, strlen(ufrag));
    if (n)
        rmi_list_remove(&n->node);
    free(n);
}

rm_err rmi_mux_add_tag(struct rmi_mux *m, uint32_t tag, void *owner) {
    if (!owner)
        return RM_E_INVALID_ARG;
    if (find_tag(m, tag))
        return RM_E_EXISTS;
    struct tag *t = calloc(1, sizeof *t);
    if (!t)
        return RM_E_NO_MEMORY;
    t->value = tag;
    t->who = owner;
    rmi_list_push_back(&m->tags, &t->node);
    return RM_OK;
}

static void remove_owner_record(struct rmi_mux *m, struct owner *o) {
    while (!rmi_list_empty(&o->sources))
        drop_source(m, RMI_CONTAINER_OF(o->sources.next, struct source, node));
    rmi_list_remove(&o->node);
    free(o);
}

void rmi_mux_remove_owner(struct rmi_mux *m, const void *owner) {
    RMI_LIST_FOREACH (node, tmp, &m->names) {
        struct name *n = RMI_CONTAINER_OF(node, struct name, node);
        if (n->who == owner) {
            rmi_list_remove(node);
            free(n);
        }
    }
    RMI_LIST_FOREACH (tag_node, tag_tmp, &m->tags) {
        struct tag *t = RMI_CONTAINER_OF(tag_node, struct tag, node);
        if (t->who == owner) {
            rmi_list_remove(tag_node);
            free(t);
        }
    }
    RMI_LIST_FOREACH (owner_node, owner_tmp, &m->owners) {
        struct owner *o = RMI_CONTAINER_OF(owner_node, struct owner, node);
        if (o->who == owner)
            remove_owner_record(m, o);
    }
}

void rmi_mux_destroy(struct rmi_mux **m) {
    if (!m || !*m)
        return;
    struct rmi_list *node;
    while ((node = rmi_list_pop_front(&(*m)->names)) != NULL)
        free(RMI_CONTAINER_OF(node, struct name, node));
    while ((node = rmi_list_pop_front(&(*m)->tags)) != NULL)
        free(RMI_CONTAINER_OF(node, struct tag, node));
    while (!rmi_list_empty(&(*m)->owners))
        remove_owner_record(*m, RMI_CONTAINER_OF((*m)->owners.next, struct owner, node));
    free((*m)->buckets);
    free(*m);
    *m = NULL;
}

/* --- finding --- */

/* The receiver's ufrag stands before the colon (RFC 8445 7.2.2). Judging the message is the agent's affair; here only
 * the way to the agent is found. */
static void *find_by_username(const struct rmi_mux *m, struct rmi_rd *r) {
    while (rmi_rd_left(r) > 0) {
        uint16_t type = rmi_rd_u16(r);
        uint16_t n = rmi_rd_u16(r);
        const char *value = (const char *)rmi_rd_bytes(r, n);
        if (!value)
            return NULL;
        if (type == RMI_STUN_A_USERNAME) {
            const char *colon = memchr(value, ':', n);
            const struct name *found = colon ? find_name(m, value, (size_t)(colon - value)) : NULL;
            return found ? found->who : NULL;
        }
        rmi_rd_skip(r, (4u - (n & 3u)) & 3u);
    }
    return NULL;
}

void *rmi_mux_find(const struct rmi_mux *m, rmi_base_id base, const struct rmi_addr *from, const uint8_t *data,
                   size_t len) {
    enum { CLASS_BITS = 0x0110, REQUEST = 0, INDICATION = 0x0010 }; /* RFC 8489 5 */
    if (rmi_packet_kind_of(data, len) == RMI_PACKET_STUN) {
        struct rmi_rd r = rmi_rd_init(data, len);
        uint16_t cls = rmi_rd_u16(&r) & CLASS_BITS;
        rmi_rd_skip(&r, 2 + 4);
        struct rmi_rd txid = rmi_rd_sub(&r, RMI_STUN_TXID);
        if (cls == REQUEST)
            return find_by_username(m, &r);
        if (cls != INDICATION) {
            const struct tag *t = find_tag(m, rmi_rd_u32(&txid));
            return t && !txid.failed ? t->who : NULL;
        }
    }
    const struct source *s = find_source(m, base, from);
    return s ? s->owner->who : NULL;
}
