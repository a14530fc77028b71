/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include "codec/codec_private.h"
#include <string.h>
#include <vpx/vp8cx.h>
#include <vpx/vpx_encoder.h>

/* Settings for live video, one thread: measured against others at equal bitrates; all differ from libvpx's defaults or
 * hold them down. */
#define TIMEBASE_HZ 90000
#define MIN_Q 2
#define VP8_MAX_Q 56
#define VP9_MAX_Q 52
#define VP8_UNDERSHOOT_PCT 100
#define VP8_OVERSHOOT_PCT 15
#define VP9_SHOOT_PCT 50
#define BUFFER_INITIAL_MS 500
#define BUFFER_OPTIMAL_MS 600
#define BUFFER_MS 1000
#define STATIC_THRESHOLD 1
#define MAX_INTRA_PCT 900  /* of an average frame, else a key frame takes the rate of a second */
#define KEY_LIMITED_MS 200 /* of the bitrate for it where there is room for no more */
#define MS_PER_S 1000
#define PERCENT 100
#define VP9_AQ_CYCLIC 3
/* Of the buffer. After a fall of the rate the picture behind a key frame took half a second of it (640 x 360 at 240
 * kbit/s); together with VP9E_SET_POSTENCODE_DROP that one is left out, and the next one fits. */
#define VP9_DROP_PCT 30
#define VP8_SPEED_MAX 16
#define VP9_SPEED_MIN 5 /* slower ones cost most of a core at 720p */
#define VP9_SPEED_MAX 9
#define SPEED_DEFAULT 8 /* of both */
#define BPS_PER_KBPS 1000

struct vpx_encoder {
    struct rmi_video_encoder base;
    vpx_codec_ctx_t ctx;
    vpx_codec_enc_cfg_t cfg;
    bool has_ctx, drops;
    unsigned key_percent; /* as it was told */
};

static bool is_vp9(const struct rmi_video_encoder *e) {
    return e->ops->id == RMI_CODEC_VP9;
}

static rm_err error_of(vpx_codec_err_t err) {
    if (err == VPX_CODEC_OK)
        return RM_OK;
    return err == VPX_CODEC_MEM_ERROR ? RM_E_NO_MEMORY : RM_E_INTERNAL;
}

static void set_rate(struct vpx_encoder *v) {
    v->cfg.rc_target_bitrate = (v->base.config.bitrate_bps + BPS_PER_KBPS / 2) / BPS_PER_KBPS;
    v->cfg.rc_dropframe_thresh = is_vp9(&v->base) && v->base.config.limited ? VP9_DROP_PCT : 0;
}

static void fill_config(struct vpx_encoder *v) {
    bool vp9 = is_vp9(&v->base);
    vpx_codec_enc_cfg_t *c = &v->cfg;
    c->g_w = (unsigned)v->base.width;
    c->g_h = (unsigned)v->base.height;
    c->g_timebase = (vpx_rational_t){1, TIMEBASE_HZ};
    c->g_threads = 1; /* and stays so: libvpx has failed on changes */
    c->g_lag_in_frames = 0;
    c->g_error_resilient = 0;
    c->g_pass = VPX_RC_ONE_PASS;
    c->rc_end_usage = VPX_CBR;
    c->rc_resize_allowed = 0;
    c->rc_min_quantizer = MIN_Q;
    c->rc_max_quantizer = vp9 ? VP9_MAX_Q : VP8_MAX_Q;
    c->rc_undershoot_pct = vp9 ? VP9_SHOOT_PCT : VP8_UNDERSHOOT_PCT;
    c->rc_overshoot_pct = vp9 ? VP9_SHOOT_PCT : VP8_OVERSHOOT_PCT;
    c->rc_buf_initial_sz = BUFFER_INITIAL_MS;
    c->rc_buf_optimal_sz = BUFFER_OPTIMAL_MS;
    c->rc_buf_sz = BUFFER_MS;
    c->kf_mode = VPX_KF_DISABLED;
    set_rate(v);
}

static vpx_codec_err_t set_speed(struct vpx_encoder *v) {
    /* VP8 searches by the clock for positive numbers; negative ones fix the speed. */
    int speed = v->base.config.speed;
    return vpx_codec_control(&v->ctx, VP8E_SET_CPUUSED, is_vp9(&v->base) ? speed : -speed);
}

/* Told only what is new: libvpx sets up its rate control anew with each control. */
static vpx_codec_err_t set_limits(struct vpx_encoder *v) {
    const bool limited = v->base.config.limited;
    const unsigned small = (unsigned)(v->base.config.fps * KEY_LIMITED_MS * PERCENT / MS_PER_S);
    const unsigned percent = !limited ? MAX_INTRA_PCT : small > PERCENT ? small : PERCENT;
    vpx_codec_err_t err = VPX_CODEC_OK;
    if (percent != v->key_percent)
        err = vpx_codec_control(&v->ctx, VP8E_SET_MAX_INTRA_BITRATE_PCT, percent);
    if (!err && is_vp9(&v->base) && limited != v->drops)
        err = vpx_codec_control(&v->ctx, VP9E_SET_POSTENCODE_DROP, limited);
    v->key_percent = percent;
    v->drops = limited;
    return err;
}

static vpx_codec_err_t set_controls(struct vpx_encoder *v) {
    vpx_codec_ctx_t *ctx = &v->ctx;
    vpx_codec_err_t err = set_speed(v);
    err = err ? err : vpx_codec_control(ctx, VP8E_SET_STATIC_THRESHOLD, STATIC_THRESHOLD);
    err = err ? err : set_limits(v);
    if (!is_vp9(&v->base)) {
        err = err ? err : vpx_codec_control(ctx, VP8E_SET_NOISE_SENSITIVITY, 0);
        return err ? err : vpx_codec_control(ctx, VP8E_SET_TOKEN_PARTITIONS, VP8_ONE_TOKENPARTITION);
    }
    err = err ? err : vpx_codec_control(ctx, VP9E_SET_COLOR_SPACE, VPX_CS_BT_601);
    err = err ? err : vpx_codec_control(ctx, VP9E_SET_AQ_MODE, VP9_AQ_CYCLIC);
    err = err ? err : vpx_codec_control(ctx, VP9E_SET_ROW_MT, 0);
    err = err ? err : vpx_codec_control(ctx, VP9E_SET_TILE_COLUMNS, 0);
    err = err ? err : vpx_codec_control(ctx, VP9E_SET_FRAME_PARALLEL_DECODING, 0);
    err = err ? err : vpx_codec_control(ctx, VP9E_SET_NOISE_SENSITIVITY, 0);
    err = err ? err : vpx_codec_control(ctx, VP9E_SET_TUNE_CONTENT, VP9E_CONTENT_DEFAULT);
    err = err ? err : vpx_codec_control(ctx, VP9E_SET_FRAME_PERIODIC_BOOST, 0);
    return err ? err : vpx_codec_control(ctx, VP9E_SET_GF_CBR_BOOST_PCT, 0);
}

static rm_err vpx_open(struct rmi_video_encoder *e) {
    struct vpx_encoder *v = (struct vpx_encoder *)(void *)e;
    vpx_codec_iface_t *iface = is_vp9(e) ? vpx_codec_vp9_cx() : vpx_codec_vp8_cx();
    vpx_codec_err_t err = vpx_codec_enc_config_default(iface, &v->cfg, 0);
    if (err)
        return error_of(err);
    fill_config(v);
    err = vpx_codec_enc_init(&v->ctx, iface, &v->cfg, 0);
    if (err)
        return error_of(err);
    v->has_ctx = true;
    v->key_percent = 0;
    v->drops = false;
    return error_of(set_controls(v));
}

static rm_err vpx_encode(struct rmi_video_encoder *e, const struct rmi_codec_picture *picture, bool key,
                         struct rmi_encoded_video *out) {
    struct vpx_encoder *v = (struct vpx_encoder *)(void *)e;
    vpx_image_t image;
    /* Wrapped, never written to: the interface merely has no const. */
    if (!vpx_img_wrap(&image, VPX_IMG_FMT_I420, (unsigned)picture->width, (unsigned)picture->height, 1,
                      (unsigned char *)(uintptr_t)picture->plane[0]))
        return RM_E_INTERNAL;
    for (int i = 0; i < 3; i++) {
        image.planes[i] = (unsigned char *)(uintptr_t)picture->plane[i];
        image.stride[i] = picture->stride[i];
    }
    vpx_codec_pts_t pts = e->clock_us * TIMEBASE_HZ / RMI_SEC(1);
    unsigned long duration = (unsigned long)(TIMEBASE_HZ / e->config.fps);
    vpx_codec_err_t err =
        vpx_codec_encode(&v->ctx, &image, pts, duration, key ? VPX_EFLAG_FORCE_KF : 0, VPX_DL_REALTIME);
    if (err)
        return error_of(err);
    vpx_codec_iter_t iter = NULL;
    const vpx_codec_cx_pkt_t *packet;
    while ((packet = vpx_codec_get_cx_data(&v->ctx, &iter)))
        if (packet->kind == VPX_CODEC_CX_FRAME_PKT) {
            out->data = packet->data.frame.buf;
            out->len = packet->data.frame.sz;
            out->key = (packet->data.frame.flags & VPX_FRAME_IS_KEY) != 0;
            return RM_OK; /* without look-ahead there is one for each picture */
        }
    return RM_E_AGAIN;
}

static rm_err vpx_configure(struct rmi_video_encoder *e) {
    struct vpx_encoder *v = (struct vpx_encoder *)(void *)e;
    set_rate(v); /* the frame rate follows from times and durations */
    vpx_codec_err_t err = vpx_codec_enc_config_set(&v->ctx, &v->cfg);
    err = err ? err : set_speed(v);
    return error_of(err ? err : set_limits(v));
}

static void vpx_close(struct rmi_video_encoder *e) {
    struct vpx_encoder *v = (struct vpx_encoder *)(void *)e;
    if (v->has_ctx)
        vpx_codec_destroy(&v->ctx);
    memset(&v->ctx, 0, sizeof v->ctx);
    v->has_ctx = false;
}

static const struct rmi_video_encoder_ops vp8_ops = {
    .id = RMI_CODEC_VP8,
    .object_bytes = sizeof(struct vpx_encoder),
    .speed_min = 1,
    .speed_max = VP8_SPEED_MAX,
    .speed_default = SPEED_DEFAULT,
    .open = vpx_open,
    .encode = vpx_encode,
    .configure = vpx_configure,
    .close = vpx_close,
};
static const struct rmi_video_encoder_ops vp9_ops = {
    .id = RMI_CODEC_VP9,
    .object_bytes = sizeof(struct vpx_encoder),
    .speed_min = VP9_SPEED_MIN,
    .speed_max = VP9_SPEED_MAX,
    .speed_default = SPEED_DEFAULT,
    .open = vpx_open,
    .encode = vpx_encode,
    .configure = vpx_configure,
    .close = vpx_close,
};

rm_err rmi_vp8_encoder_create(const struct rmi_video_encoder_config *config, struct rmi_video_encoder **out) {
    return rmi_video_encoder_new(&vp8_ops, config, out);
}

rm_err rmi_vp9_encoder_create(const struct rmi_video_encoder_config *config, struct rmi_video_encoder **out) {
    return rmi_video_encoder_new(&vp9_ops, config, out);
}
