/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include "codec/codec_private.h"
#include <stdlib.h>

#define PTS_STEP_MIN_US RMI_MS(1)
#define PTS_STEP_MAX_US RMI_SEC(1)

/* ---- encoder ---- */

static bool config_valid(const struct rmi_video_encoder_ops *ops, const struct rmi_video_encoder_config *c) {
    return c->bitrate_bps >= RMI_VIDEO_BITRATE_MIN_BPS && c->bitrate_bps <= RMI_VIDEO_BITRATE_MAX_BPS && c->fps >= 1 &&
           c->fps <= RMI_VIDEO_FPS_MAX && (c->speed == 0 || (c->speed >= ops->speed_min && c->speed <= ops->speed_max));
}

static void set_config(struct rmi_video_encoder *e, const struct rmi_video_encoder_config *config) {
    e->config = *config;
    if (e->config.speed == 0)
        e->config.speed = e->ops->speed_default;
}

rm_err rmi_video_encoder_new(const struct rmi_video_encoder_ops *ops, const struct rmi_video_encoder_config *config,
                             struct rmi_video_encoder **out) {
    if (!config_valid(ops, config))
        return RM_E_INVALID_ARG;
    struct rmi_video_encoder *e = calloc(1, ops->object_bytes);
    if (!e)
        return RM_E_NO_MEMORY;
    e->ops = ops;
    set_config(e, config);
    *out = e;
    return RM_OK;
}

static void encoder_close(struct rmi_video_encoder *e) {
    e->ops->close(e);
    e->is_open = false;
}

void rmi_video_encoder_destroy(struct rmi_video_encoder **e) {
    if (!e || !*e)
        return;
    encoder_close(*e);
    if ((*e)->ops->release)
        (*e)->ops->release(*e);
    free(*e);
    *e = NULL;
}

static bool picture_valid(const struct rmi_codec_picture *p) {
    if (p->width < RMI_VIDEO_SIDE_MIN || p->height < RMI_VIDEO_SIDE_MIN || p->width > RMI_VIDEO_SIDE_MAX ||
        p->height > RMI_VIDEO_SIDE_MAX)
        return false;
    int chroma = (p->width + 1) / 2;
    return p->plane[0] && p->plane[1] && p->plane[2] && p->stride[0] >= p->width && p->stride[1] >= chroma &&
           p->stride[2] >= chroma;
}

static void advance_clock(struct rmi_video_encoder *e, int64_t pts_us) {
    int64_t step = (int64_t)((double)RMI_SEC(1) / e->config.fps);
    if (e->has_pts && pts_us > e->last_pts_us) {
        uint64_t given = (uint64_t)pts_us - (uint64_t)e->last_pts_us; /* may exceed the signed range */
        if (given >= (uint64_t)PTS_STEP_MIN_US && given <= (uint64_t)PTS_STEP_MAX_US)
            step = (int64_t)given;
    }
    e->clock_us += e->has_pts ? step : 0;
    e->has_pts = true;
    e->last_pts_us = pts_us;
}

rm_err rmi_video_encoder_encode(struct rmi_video_encoder *e, const struct rmi_codec_picture *picture, int64_t pts_us,
                                struct rmi_encoded_video *out) {
    if (!picture_valid(picture))
        return RM_E_INVALID_ARG;
    if (e->is_open && (picture->width != e->width || picture->height != e->height))
        encoder_close(e);
    advance_clock(e, pts_us);
    if (!e->is_open) {
        e->width = picture->width;
        e->height = picture->height;
        rm_err err = e->ops->open(e);
        if (err) {
            encoder_close(e);
            return err;
        }
        e->is_open = true;
    }
    struct rmi_encoded_video frame = {0};
    rm_err err = e->ops->encode(e, picture, e->want_key, &frame);
    if (err == RM_E_AGAIN)
        return err; /* a key frame that was asked for is still owed */
    if (err) {
        encoder_close(e);
        return err;
    }
    e->want_key = e->want_key && !frame.key;
    *out = frame;
    return RM_OK;
}

rm_err rmi_video_encoder_configure(struct rmi_video_encoder *e, const struct rmi_video_encoder_config *config) {
    if (!config_valid(e->ops, config))
        return RM_E_INVALID_ARG;
    set_config(e, config);
    if (!e->is_open)
        return RM_OK;
    rm_err err = e->ops->configure(e);
    if (err)
        encoder_close(e); /* the next picture opens one with the new configuration */
    return RM_OK;
}

void rmi_video_encoder_request_key(struct rmi_video_encoder *e) {
    e->want_key = true;
}

/* ---- decoder ---- */

rm_err rmi_video_decoder_new(const struct rmi_video_decoder_ops *ops, const struct rmi_video_decoder_config *config,
                             struct rmi_video_decoder **out) {
    struct rmi_codec_limits limits = config->limits;
    if (limits.max_width == 0 && limits.max_height == 0 && limits.max_pixels_per_s == 0)
        limits = rmi_codec_limits_default();
    if (limits.max_width == 0 || limits.max_height == 0 || limits.max_pixels_per_s == 0)
        return RM_E_INVALID_ARG;
    struct rmi_video_decoder *d = calloc(1, ops->object_bytes);
    if (!d)
        return RM_E_NO_MEMORY;
    d->ops = ops;
    d->limits = limits;
    d->needs_key = true;
    *out = d;
    return RM_OK;
}

void rmi_video_decoder_destroy(struct rmi_video_decoder **d) {
    if (!d || !*d)
        return;
    (*d)->ops->release(*d);
    free(*d);
    *d = NULL;
}

/* The allowance holds at most one second's pixels, so a burst after a silence is fine, a steady excess is not. */
static bool take_pixels(struct rmi_video_decoder *d, int64_t now_us, uint64_t pixels) {
    uint64_t rate = d->limits.max_pixels_per_s;
    if (!d->has_clock) {
        d->has_clock = true;
        d->allowance = rate;
    } else if (now_us > d->filled_us) {
        uint64_t passed = (uint64_t)now_us - (uint64_t)d->filled_us;
        if (passed >= (uint64_t)RMI_SEC(1))
            d->allowance = rate;
        else
            d->allowance += (uint64_t)((double)rate * (double)passed / (double)RMI_SEC(1));
    }
    if (d->allowance > rate)
        d->allowance = rate;
    d->filled_us = now_us;
    if (pixels > d->allowance)
        return false;
    d->allowance -= pixels;
    return true;
}

static rm_err admit(struct rmi_video_decoder *d, const struct rmi_video_header *h, int64_t now_us) {
    if (h->has_size && !rmi_codec_limits_admit(&d->limits, h->width, h->height))
        return RM_E_TOO_BIG;
    if (d->ops->prepare)
        d->ops->prepare(d);
    if (d->needs_key && !h->key && h->pictures > 0)
        return RM_E_STATE;
    uint32_t width = h->has_size ? h->width : d->width, height = h->has_size ? h->height : d->height;
    if (!take_pixels(d, now_us, (uint64_t)width * height * h->pictures))
        return RM_E_LIMIT;
    d->width = width;
    d->height = height;
    return RM_OK;
}

static rm_err decode(struct rmi_video_decoder *d, const uint8_t *data, size_t len, int64_t now_us,
                     struct rmi_codec_picture *out) {
    struct rmi_video_header header = {0};
    struct rmi_codec_picture picture = {0};
    rm_err err = len > 0 ? d->ops->inspect(d, data, len, &header) : RM_E_PARSE;
    if (!err)
        err = admit(d, &header, now_us);
    if (!err)
        err = d->ops->decode(d, data, len, &picture);
    if ((!err || err == RM_E_AGAIN) && header.key)
        d->needs_key = false;
    if (!err)
        *out = picture;
    return err;
}

rm_err rmi_video_decoder_decode(struct rmi_video_decoder *d, const uint8_t *data, size_t len, int64_t now_us,
                                struct rmi_codec_picture *out) {
    rm_err err = decode(d, data, len, now_us, out);
    if (!err)
        d->stats.decoded++;
    else if (err == RM_E_STATE)
        d->stats.dropped_waiting++;
    else if (err == RM_E_PARSE)
        d->stats.malformed++;
    else if (err != RM_E_AGAIN)
        d->stats.refused++;
    if (err && err != RM_E_AGAIN)
        d->needs_key = true;
    return err;
}

void rmi_video_decoder_wait_for_key(struct rmi_video_decoder *d) {
    d->needs_key = true;
}

bool rmi_video_decoder_needs_key(const struct rmi_video_decoder *d) {
    return d->needs_key;
}

void rmi_video_decoder_get_stats(const struct rmi_video_decoder *d, struct rmi_video_decoder_stats *out) {
    *out = d->stats;
}
