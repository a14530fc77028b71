/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/bits.h"
#include "codec/limits.h"

/* ---- VP8: RFC 6386 9.1 ---- */

#define VP8_VERSION_MAX 3
#define VP8_START_CODE 0x9d012a
#define VP8_SIZE_BITS 0x3fff

rm_err rmi_vp8_parse_header(const uint8_t *data, size_t len, struct rmi_video_header *out) {
    struct rmi_rd r = rmi_rd_init(data, len);
    struct rmi_video_header h = {.pictures = 1};
    uint8_t first = rmi_rd_u8(&r);
    uint32_t tag = first | (uint32_t)rmi_rd_u8(&r) << 8;
    tag |= (uint32_t)rmi_rd_u8(&r) << 16;
    uint32_t first_partition = tag >> 5;
    h.key = !(tag & 1);
    if (r.failed || (tag >> 1 & 7) > VP8_VERSION_MAX)
        return RM_E_PARSE;
    if (h.key) {
        uint32_t code = rmi_rd_u24(&r);
        uint32_t width = rmi_rd_u8(&r), height;
        width |= (uint32_t)rmi_rd_u8(&r) << 8;
        height = rmi_rd_u8(&r);
        height |= (uint32_t)rmi_rd_u8(&r) << 8;
        if (r.failed || code != VP8_START_CODE)
            return RM_E_PARSE;
        h.has_size = true;
        h.width = width & VP8_SIZE_BITS; /* the two bits above are a scale for display, which nobody uses */
        h.height = height & VP8_SIZE_BITS;
        if (h.width == 0 || h.height == 0)
            return RM_E_PARSE;
    }
    if (first_partition > rmi_rd_left(&r))
        return RM_E_PARSE;
    *out = h;
    return RM_OK;
}

/* ---- VP9: bitstream specification 0.6, 6.2 and annex B ---- */

#define VP9_FRAME_MARKER 2
#define VP9_SYNC_CODE 0x498342
#define VP9_COLOR_RGB 7
#define VP9_REFS 3
#define VP9_REF_BITS 4 /* 3 of index, 1 of sign bias */
#define VP9_REFRESH_BITS 8
#define VP9_SIZE_BITS 16
#define VP9_INDEX_MARKER 6

struct vp9_frame {
    bool key, shows_existing, has_size;
    uint32_t width, height;
};

static void vp9_size(struct rmi_bits *b, struct vp9_frame *f) {
    f->width = rmi_bits_get(b, VP9_SIZE_BITS) + 1;
    f->height = rmi_bits_get(b, VP9_SIZE_BITS) + 1;
    f->has_size = true;
}

static void vp9_inter_size(struct rmi_bits *b, struct vp9_frame *f) {
    rmi_bits_get(b, VP9_REFRESH_BITS);
    for (int i = 0; i < VP9_REFS; i++)
        rmi_bits_get(b, VP9_REF_BITS);
    for (int i = 0; i < VP9_REFS; i++)
        if (rmi_bits_flag(b)) /* the size of a reference, which was admitted before */
            return;
    vp9_size(b, f);
}

static rm_err vp9_frame(const uint8_t *data, size_t len, struct vp9_frame *out) {
    struct rmi_bits b = rmi_bits_init(data, len, false);
    struct vp9_frame f = {0};
    if (rmi_bits_get(&b, 2) != VP9_FRAME_MARKER)
        return RM_E_PARSE;
    bool low = rmi_bits_flag(&b), high = rmi_bits_flag(&b);
    if (b.failed)
        return RM_E_PARSE;
    if (low || high)
        return RM_E_UNSUPPORTED; /* profiles 1 to 3: other chroma formats, more bits */
    f.shows_existing = rmi_bits_flag(&b);
    if (f.shows_existing) {
        rmi_bits_get(&b, 3);
        *out = f;
        return b.failed ? RM_E_PARSE : RM_OK;
    }
    f.key = !rmi_bits_flag(&b);
    bool show = rmi_bits_flag(&b), resilient = rmi_bits_flag(&b);
    if (f.key) {
        if (rmi_bits_get(&b, 24) != VP9_SYNC_CODE)
            return RM_E_PARSE;
        if (rmi_bits_get(&b, 3) == VP9_COLOR_RGB)
            return RM_E_PARSE; /* not in profile 0 */
        rmi_bits_flag(&b);     /* color_range */
        vp9_size(&b, &f);
    } else {
        bool intra_only = show ? false : rmi_bits_flag(&b);
        if (!resilient)
            rmi_bits_get(&b, 2); /* reset_frame_context */
        if (intra_only) {
            if (rmi_bits_get(&b, 24) != VP9_SYNC_CODE)
                return RM_E_PARSE;
            rmi_bits_get(&b, VP9_REFRESH_BITS);
            vp9_size(&b, &f);
        } else {
            vp9_inter_size(&b, &f);
        }
    }
    if (b.failed)
        return RM_E_PARSE;
    *out = f;
    return RM_OK;
}

static rm_err vp9_add(const uint8_t *data, size_t len, struct rmi_video_header *h) {
    struct vp9_frame f;
    rm_err err = vp9_frame(data, len, &f);
    if (err)
        return err;
    if (h->pictures++ == 0)
        h->key = f.key;
    if (f.has_size) {
        /* the largest of each side: a bound for all of them */
        h->width = f.width > h->width ? f.width : h->width;
        h->height = f.height > h->height ? f.height : h->height;
        h->has_size = true;
    }
    return RM_OK;
}

static uint32_t little_endian(struct rmi_rd *r, int bytes) {
    uint32_t v = 0;
    for (int i = 0; i < bytes; i++)
        v |= (uint32_t)rmi_rd_u8(r) << (8 * i);
    return v;
}

/* The index stands at the end, between two copies of its marker byte. False: there is none. */
static bool vp9_index(const uint8_t *data, size_t len, struct rmi_rd *index, int *frames, int *size_bytes) {
    struct rmi_rd r = rmi_rd_init(data, len);
    if (len == 0)
        return false;
    rmi_rd_skip(&r, len - 1);
    uint8_t marker = rmi_rd_u8(&r);
    *frames = (marker & 7) + 1;
    *size_bytes = (marker >> 3 & 3) + 1;
    size_t index_len = 2 + (size_t)*frames * (size_t)*size_bytes;
    if (marker >> 5 != VP9_INDEX_MARKER || index_len > len)
        return false;
    r = rmi_rd_init(data, len);
    rmi_rd_skip(&r, len - index_len);
    if (rmi_rd_u8(&r) != marker)
        return false;
    *index = r;
    return true;
}

rm_err rmi_vp9_parse_header(const uint8_t *data, size_t len, struct rmi_video_header *out) {
    struct rmi_video_header h = {0};
    struct rmi_rd index, r = rmi_rd_init(data, len);
    int frames, size_bytes;
    rm_err err = RM_OK;
    if (!vp9_index(data, len, &index, &frames, &size_bytes)) {
        err = vp9_add(data, len, &h);
    } else {
        size_t room = len - (2 + (size_t)frames * (size_t)size_bytes);
        for (int i = 0; i < frames && !err; i++) {
            uint32_t n = little_endian(&index, size_bytes);
            const uint8_t *frame = n == 0 || n > room ? NULL : rmi_rd_bytes(&r, n);
            if (!frame)
                return RM_E_PARSE;
            room -= n;
            err = vp9_add(frame, n, &h);
        }
    }
    if (err)
        return err;
    *out = h;
    return RM_OK;
}

bool rmi_vp9_has_index(const uint8_t *data, size_t len) {
    struct rmi_rd index;
    int frames, size_bytes;
    return vp9_index(data, len, &index, &frames, &size_bytes);
}
