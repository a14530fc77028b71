/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cursor.h"
#include "codec/codec_private.h"
#include <stdlib.h>
#include <string.h>
#include <vpx/vp8dx.h>
#include <vpx/vpx_decoder.h>
#include <vpx/vpx_frame_buffer.h>

/* VP9 decodes into these: eight references, one at work, and what the application still holds. More are possible and
 * cost an allocation each. */
#define SLOTS 24
#define INDEX_MAX 6 /* bytes of the index of a superframe of one */
#define INDEX_MARKER_ONE 0xc0
#define INDEX_SIZE_SHIFT 3
#define SIZE_BYTES 4
/* libvpx pads a picture by 160 pixels on each side, and rows to 32 bytes; twice that is a bound for its request. */
#define BORDER_BOUND 640

struct vpx_decoder {
    struct rmi_video_decoder base;
    vpx_codec_ctx_t ctx;
    bool has_ctx, opened;
    uint8_t *copy; /* VP9: the frame with an index */
    size_t copy_cap;
    struct rmi_buf *slots[SLOTS]; /* each holds one reference of its own */
};

static rm_err vp8_inspect(struct rmi_video_decoder *d, const uint8_t *data, size_t len,
                          struct rmi_video_header *header) {
    (void)d;
    return rmi_vp8_parse_header(data, len, header);
}

static rm_err vp9_inspect(struct rmi_video_decoder *d, const uint8_t *data, size_t len,
                          struct rmi_video_header *header) {
    (void)d;
    return rmi_vp9_parse_header(data, len, header);
}

/* ---- frame buffers of VP9 ---- */

static size_t buffer_bound(const struct rmi_codec_limits *limits) {
    return ((size_t)limits->max_width + BORDER_BOUND) * ((size_t)limits->max_height + BORDER_BOUND) * 3 / 2;
}

/* An unused slot's buffer that is large enough. Zeroed once, as libvpx wants it; it writes before it reads after. */
static struct rmi_buf *take_slot(struct vpx_decoder *v, size_t bytes) {
    struct rmi_buf **spare = NULL;
    for (int i = 0; i < SLOTS; i++) {
        struct rmi_buf **slot = &v->slots[i];
        if (*slot && rmi_buf_is_single(*slot) && (*slot)->cap >= bytes)
            return rmi_buf_ref(*slot);
        if (!spare && (!*slot || rmi_buf_is_single(*slot)))
            spare = slot;
    }
    struct rmi_buf *fresh = rmi_buf_alloc(bytes, NULL);
    if (!fresh)
        return NULL;
    memset(fresh->data, 0, bytes);
    fresh->len = bytes; /* all of it may be read by whoever keeps the picture */
    if (spare) {
        rmi_buf_unref(spare);
        *spare = rmi_buf_ref(fresh);
    }
    return fresh;
}

static int get_buffer(void *priv, size_t min_size, vpx_codec_frame_buffer_t *fb) {
    struct vpx_decoder *v = priv;
    if (min_size > buffer_bound(&v->base.limits))
        return -1; /* the header was read twice and differently: never seen */
    struct rmi_buf *buf = take_slot(v, min_size);
    if (!buf)
        return -1;
    fb->data = buf->data;
    fb->size = buf->cap;
    fb->priv = buf;
    return 0;
}

static int release_buffer(void *priv, vpx_codec_frame_buffer_t *fb) {
    struct rmi_buf *buf = fb->priv;
    (void)priv;
    rmi_buf_unref(&buf);
    fb->priv = NULL;
    return 0;
}

/* ---- both ---- */

static void close_decoder(struct vpx_decoder *v) {
    if (v->has_ctx)
        vpx_codec_destroy(&v->ctx);
    v->has_ctx = false;
}

static rm_err open_decoder(struct vpx_decoder *v) {
    bool vp9 = v->base.ops->id == RMI_CODEC_VP9;
    vpx_codec_dec_cfg_t config = {.threads = 1};
    vpx_codec_iface_t *iface = vp9 ? vpx_codec_vp9_dx() : vpx_codec_vp8_dx();
    if (vpx_codec_dec_init(&v->ctx, iface, &config, 0))
        return RM_E_NO_MEMORY;
    v->has_ctx = true;
    v->base.stats.restarts += v->opened;
    v->opened = true;
    if (vp9 && vpx_codec_set_frame_buffer_functions(&v->ctx, get_buffer, release_buffer, v))
        return RM_E_INTERNAL;
    return RM_OK;
}

/* libvpx takes bytes behind a VP9 frame for one more, whose header nobody has looked at, unless an index says how long
 * each is. So each frame without an index gets one. */
static rm_err add_index(struct vpx_decoder *v, const uint8_t **data, size_t *len) {
    if (*len > UINT32_MAX - INDEX_MAX)
        return RM_E_PARSE;
    if (*len + INDEX_MAX > v->copy_cap) {
        uint8_t *grown = realloc(v->copy, 2 * (*len + INDEX_MAX));
        if (!grown)
            return RM_E_NO_MEMORY;
        v->copy = grown;
        v->copy_cap = 2 * (*len + INDEX_MAX);
    }
    uint8_t marker = INDEX_MARKER_ONE | (SIZE_BYTES - 1) << INDEX_SIZE_SHIFT;
    struct rmi_wr w = rmi_wr_init(v->copy, v->copy_cap);
    rmi_wr_bytes(&w, *data, *len);
    rmi_wr_u8(&w, marker);
    for (int i = 0; i < SIZE_BYTES; i++)
        rmi_wr_u8(&w, (uint8_t)(*len >> (8 * i)));
    rmi_wr_u8(&w, marker);
    *data = v->copy;
    *len = w.pos;
    return RM_OK;
}

/* The newest picture of the frame just decoded. */
static rm_err get_picture(struct vpx_decoder *v, struct rmi_codec_picture *out) {
    vpx_codec_iter_t iter = NULL;
    const vpx_image_t *image = NULL, *next;
    while ((next = vpx_codec_get_frame(&v->ctx, &iter)))
        image = next;
    int corrupted = 0;
    if (vpx_codec_control(&v->ctx, VP8D_GET_FRAME_CORRUPTED, &corrupted) == VPX_CODEC_OK && corrupted)
        return RM_E_PARSE;
    if (!image)
        return RM_E_AGAIN;
    if (image->fmt != VPX_IMG_FMT_I420 || image->bit_depth != 8)
        return RM_E_UNSUPPORTED;
    out->width = (int)image->d_w;
    out->height = (int)image->d_h;
    for (int i = 0; i < 3; i++) {
        out->plane[i] = image->planes[i];
        out->stride[i] = image->stride[i];
    }
    out->buf = v->base.ops->id == RMI_CODEC_VP9 ? image->fb_priv : NULL;
    return RM_OK;
}

static rm_err vpx_decode(struct rmi_video_decoder *d, const uint8_t *data, size_t len, struct rmi_codec_picture *out) {
    struct vpx_decoder *v = (struct vpx_decoder *)(void *)d;
    rm_err err = v->has_ctx ? RM_OK : open_decoder(v);
    if (!err && d->ops->id == RMI_CODEC_VP9 && !rmi_vp9_has_index(data, len))
        err = add_index(v, &data, &len);
    if (err)
        return err;
    if (len > UINT32_MAX)
        return RM_E_PARSE;
    vpx_codec_err_t res = vpx_codec_decode(&v->ctx, data, (unsigned)len, NULL, 0);
    if (res)
        err = res == VPX_CODEC_MEM_ERROR ? RM_E_NO_MEMORY : RM_E_PARSE;
    else
        err = get_picture(v, out);
    /* libvpx 1.12 loses frame buffers to damaged VP9 frames and after a dozen or so refuses good ones. What it knows is
     * of no use now anyway: a key frame comes next. */
    if (err && err != RM_E_AGAIN)
        close_decoder(v);
    return err;
}

static void vpx_release(struct rmi_video_decoder *d) {
    struct vpx_decoder *v = (struct vpx_decoder *)(void *)d;
    close_decoder(v);
    for (int i = 0; i < SLOTS; i++)
        rmi_buf_unref(&v->slots[i]);
    free(v->copy);
}

static const struct rmi_video_decoder_ops vp8_ops = {
    .id = RMI_CODEC_VP8,
    .object_bytes = sizeof(struct vpx_decoder),
    .inspect = vp8_inspect,
    .decode = vpx_decode,
    .release = vpx_release,
};
static const struct rmi_video_decoder_ops vp9_ops = {
    .id = RMI_CODEC_VP9,
    .object_bytes = sizeof(struct vpx_decoder),
    .inspect = vp9_inspect,
    .decode = vpx_decode,
    .release = vpx_release,
};

rm_err rmi_vp8_decoder_create(const struct rmi_video_decoder_config *config, struct rmi_video_decoder **out) {
    return rmi_video_decoder_new(&vp8_ops, config, out);
}

rm_err rmi_vp9_decoder_create(const struct rmi_video_decoder_config *config, struct rmi_video_decoder **out) {
    return rmi_video_decoder_new(&vp9_ops, config, out);
}
