/* SPDX-License-Identifier: Apache-2.0 */
#include "sdp/sdp.h"
#include "sdp/sdp_private.h"
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

/* Memory of a description comes from a chain of blocks that are freed together. 2 KiB holds the strings of a common
 * three-section offer in a few blocks. */
#define BLOCK_SIZE 2048
#define FIRST_CAPACITY 4

struct rmi_sdp_block {
    struct rmi_sdp_block *next;
    size_t used, size;
    alignas(max_align_t) unsigned char data[];
};

struct rmi_sdp *rmi_sdp_create(void) {
    return calloc(1, sizeof(struct rmi_sdp));
}

void rmi_sdp_free(struct rmi_sdp *sdp) {
    if (!sdp)
        return;
    struct rmi_sdp_block *block = sdp->blocks;
    while (block) {
        struct rmi_sdp_block *next = block->next;
        free(block);
        block = next;
    }
    free(sdp);
}

void *rmi_sdp_alloc(struct rmi_sdp *sdp, size_t size) {
    const size_t align = alignof(max_align_t);
    size = (size + align - 1) / align * align;
    struct rmi_sdp_block *block = sdp->blocks;
    if (!block || block->size - block->used < size) {
        size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
        block = calloc(1, sizeof *block + room);
        if (!block)
            return NULL;
        block->size = room;
        block->next = sdp->blocks;
        sdp->blocks = block;
    }
    void *memory = block->data + block->used;
    block->used += size;
    return memory;
}

const char *rmi_sdp_text(struct rmi_sdp *sdp, const char *text, size_t n) {
    if (n == 0)
        return "";
    char *copy = rmi_sdp_alloc(sdp, n + 1);
    if (copy)
        memcpy(copy, text, n);
    return copy;
}

static bool is_power_of_two(size_t n) {
    return (n & (n - 1)) == 0;
}

/* A list with `count` entries has room for FIRST_CAPACITY, then for powers of two: the capacity follows from the count.
 * Outgrown arrays stay in their block until the description ends. */
static void *append(struct rmi_sdp *sdp, void *list_pointer, size_t *count, size_t max, size_t entry_size) {
    void *list;
    memcpy(&list, list_pointer, sizeof list);
    if (*count >= max)
        return NULL;
    bool full = *count == 0 || (*count >= FIRST_CAPACITY && is_power_of_two(*count));
    if (full) {
        size_t capacity = *count == 0 ? FIRST_CAPACITY : *count * 2;
        void *bigger = rmi_sdp_alloc(sdp, capacity * entry_size);
        if (!bigger)
            return NULL;
        if (*count)
            memcpy(bigger, list, *count * entry_size);
        list = bigger;
        memcpy(list_pointer, &list, sizeof list);
    }
    return (char *)list + (*count)++ * entry_size;
}

struct rmi_sdp_media *rmi_sdp_add_media(struct rmi_sdp *sdp, const char *kind_name) {
    static const struct {
        const char *name;
        enum rmi_media_kind kind;
    } kinds[] = {{"audio", RMI_MEDIA_AUDIO}, {"video", RMI_MEDIA_VIDEO}, {"application", RMI_MEDIA_DATA}};
    const char *name = rmi_sdp_text(sdp, kind_name, strlen(kind_name));
    if (!name)
        return NULL;
    struct rmi_sdp_media *m = append(sdp, &sdp->media, &sdp->media_count, RMI_SDP_MEDIA_MAX, sizeof *m);
    if (!m)
        return NULL;
    m->kind = RMI_MEDIA_OTHER;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, name) == 0)
            m->kind = kinds[i].kind;
    }
    m->kind_name = name;
    m->proto = m->fmt = m->mid = m->ice_ufrag = m->ice_pwd = m->tls_id = m->msid_stream = m->msid_track = "";
    m->direction = RMI_DIR_SENDRECV;
    m->sctp_port = -1;
    m->max_message_size = -1;
    return m;
}

struct rmi_sdp_codec *rmi_sdp_add_codec(struct rmi_sdp *sdp, struct rmi_sdp_media *m) {
    struct rmi_sdp_codec *c = append(sdp, &m->codecs, &m->codec_count, RMI_SDP_CODEC_MAX, sizeof *c);
    if (c) {
        c->name = c->fmtp = "";
        c->channels = 1;
        c->apt = RMI_SDP_NO_PT;
    }
    return c;
}

struct rmi_sdp_extmap *rmi_sdp_add_extmap(struct rmi_sdp *sdp, struct rmi_sdp_media *m) {
    struct rmi_sdp_extmap *e = append(sdp, &m->extmaps, &m->extmap_count, RMI_SDP_EXTMAP_MAX, sizeof *e);
    if (e) {
        e->uri = "";
        e->direction = RMI_DIR_SENDRECV;
    }
    return e;
}

struct rmi_sdp_ssrc *rmi_sdp_add_ssrc(struct rmi_sdp *sdp, struct rmi_sdp_media *m) {
    struct rmi_sdp_ssrc *s = append(sdp, &m->ssrcs, &m->ssrc_count, RMI_SDP_SSRC_MAX, sizeof *s);
    if (s)
        s->cname = "";
    return s;
}

struct rmi_sdp_fid *rmi_sdp_add_fid(struct rmi_sdp *sdp, struct rmi_sdp_media *m) {
    return append(sdp, &m->fids, &m->fid_count, RMI_SDP_FID_MAX, sizeof(struct rmi_sdp_fid));
}

struct rmi_candidate *rmi_sdp_add_candidate(struct rmi_sdp *sdp, struct rmi_sdp_media *m) {
    return append(sdp, &m->candidates, &m->candidate_count, RMI_SDP_CANDIDATE_MAX, sizeof(struct rmi_candidate));
}

bool rmi_sdp_bundled(const struct rmi_sdp *sdp, const char *mid) {
    if (!mid[0])
        return false;
    for (size_t i = 0; i < sdp->bundle_count; i++) {
        if (strcmp(sdp->bundle[i], mid) == 0)
            return true;
    }
    return false;
}

const struct rmi_sdp_codec *rmi_sdp_codec_by_pt(const struct rmi_sdp_media *m, int pt) {
    for (size_t i = 0; i < m->codec_count; i++) {
        if (m->codecs[i].pt == pt)
            return &m->codecs[i];
    }
    return NULL;
}

const char *rmi_sdp_fmtp_param(const char *fmtp, const char *name, size_t *len) {
    struct rmi_rd all = rmi_rd_init(fmtp, strlen(fmtp));
    while (rmi_rd_left(&all)) {
        struct rmi_rd parameter = rmi_sdp_until(&all, ';');
        struct rmi_rd key = rmi_sdp_trim(rmi_sdp_until(&parameter, '='));
        if (rmi_sdp_token_is_nocase(&key, name)) {
            struct rmi_rd value = rmi_sdp_trim(rmi_sdp_rest(&parameter));
            *len = value.len;
            return (const char *)value.data;
        }
    }
    *len = 0;
    return NULL;
}
