/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/payload/red.h"

/* RFC 2198 3: follows (1), payload type (7), offset (14), length (10); of the last block the first eight bits only. */
#define FOLLOWS 0x80
#define PT_MASK 0x7f
#define OFFSET_SHIFT 10

/* The headers; the lengths of copies come with them, their data behind all headers. */
static rm_err read_headers(struct rmi_rd *r, struct rmi_red *out) {
    for (out->count = 0; out->count < RMI_RED_BLOCKS_MAX;) {
        struct rmi_red_block *b = &out->block[out->count++];
        const uint8_t first = rmi_rd_u8(r);
        *b = (struct rmi_red_block){.pt = first & PT_MASK};
        if (!(first & FOLLOWS))
            return r->failed ? RM_E_PARSE : RM_OK;
        const uint32_t rest = rmi_rd_u24(r);
        b->offset = (uint16_t)(rest >> OFFSET_SHIFT);
        b->len = rest & RMI_RED_LEN_MAX;
    }
    return RM_E_LIMIT;
}

rm_err rmi_red_parse(const uint8_t *data, size_t len, struct rmi_red *out) {
    struct rmi_rd r = rmi_rd_init(data, len);
    const rm_err err = read_headers(&r, out);
    if (err)
        return err;
    struct rmi_red_block *own = &out->block[out->count - 1];
    for (struct rmi_red_block *b = out->block; b != own; b++)
        b->data = rmi_rd_bytes(&r, b->len);
    if (r.failed || rmi_rd_left(&r) > UINT16_MAX)
        return RM_E_PARSE;
    own->len = (uint16_t)rmi_rd_left(&r);
    own->data = rmi_rd_bytes(&r, own->len);
    return RM_OK;
}

void rmi_red_write(struct rmi_wr *w, const struct rmi_red *red) {
    if (red->count == 0 || red->count > RMI_RED_BLOCKS_MAX) {
        w->failed = true;
        return;
    }
    const struct rmi_red_block *own = &red->block[red->count - 1];
    for (const struct rmi_red_block *b = red->block; b != own; b++) {
        if (b->offset > RMI_RED_OFFSET_MAX || b->len > RMI_RED_LEN_MAX)
            w->failed = true;
        rmi_wr_u8(w, FOLLOWS | (b->pt & PT_MASK));
        rmi_wr_u24(w, (uint32_t)b->offset << OFFSET_SHIFT | b->len);
    }
    rmi_wr_u8(w, own->pt & PT_MASK);
    for (const struct rmi_red_block *b = red->block; b <= own; b++)
        rmi_wr_bytes(w, b->data, b->len);
}
