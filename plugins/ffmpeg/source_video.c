/* SPDX-License-Identifier: Apache-2.0 */
#include "source_private.h"

#include <libavutil/imgutils.h>

#define US_PER_S 1000000

/* The next decoded picture into `to`. */
static int load(struct rmf_source *s, AVFrame *to, int64_t last_us, int64_t *time_us) {
    struct rmf_video *v = &s->video;
    int64_t start_us = s->skip_until_us;
    for (;;) {
        int err = rmf_decode(s, &v->stream);
        if (err)
            return err;
        int64_t follows = last_us == RMF_NEVER ? 0 : last_us + v->frame_us;
        int64_t at = rmf_frame_us(s, &v->stream, follows);
        if (last_us != RMF_NEVER && at <= last_us)
            at = follows;
        av_frame_unref(to);
        av_frame_move_ref(to, s->frame);
        *time_us = at;
        if (start_us == RMF_NEVER || at + v->frame_us / 2 >= start_us)
            return 0;
        last_us = at;
        if (s->config.cancelled(s->config.user))
            return AVERROR_EXIT;
    }
}

static int64_t slot_us(const struct rmf_source *s) {
    return s->video.first_us + (int64_t)((double)s->video.slot * US_PER_S / s->config.framerate + 0.5);
}

/* With a frame rate of our own: the picture that is shown at the next slot becomes the current one. */
static int settle(struct rmf_source *s) {
    struct rmf_video *v = &s->video;
    for (;;) {
        if (!v->has_next && !v->stream.drained) {
            int err = load(s, v->next, v->current_us, &v->next_us);
            if (err && err != AVERROR_EOF)
                return err;
            v->has_next = !err;
        }
        if (!v->has_next || v->next_us > slot_us(s))
            break;
        FFSWAP(AVFrame *, v->current, v->next);
        v->current_us = v->next_us;
        v->has_next = false;
    }
    v->has_current = v->has_next || slot_us(s) < v->current_us + v->frame_us;
    return v->has_current ? 0 : AVERROR_EOF;
}

int rmf_video_head(struct rmf_source *source, int64_t *head_us) {
    struct rmf_video *v = &source->video;
    *head_us = RMF_NEVER;
    if (!v->stream.av)
        return AVERROR_EOF;
    if (!v->has_current) {
        int err = load(source, v->current, v->current_us, &v->current_us);
        if (err)
            return err;
        v->has_current = true;
        v->first_us = v->first_us == RMF_NEVER ? v->current_us : v->first_us;
    }
    if (source->config.framerate > 0) {
        int err = settle(source);
        *head_us = err ? RMF_NEVER : slot_us(source);
        return err;
    }
    *head_us = v->current_us;
    return 0;
}

void rmf_video_taken(struct rmf_source *source) {
    source->video.slot++;
    source->video.has_current = source->config.framerate > 0;
}

static int even(int64_t n) {
    return (int)FFMAX(n & ~INT64_C(1), 2);
}

void rmf_video_size(const struct rmf_source *source, int *width, int *height) {
    const struct rmf_source_config *c = &source->config;
    const AVFrame *f = source->video.current;
    *width = even(c->width ? c->width : c->height ? av_rescale(f->width, c->height, f->height) : f->width);
    *height = even(c->height ? c->height : c->width ? av_rescale(f->height, c->width, f->width) : f->height);
}

/* swscale knows full-range pictures by these names. */
static enum AVPixelFormat ranged_format(const AVFrame *f) {
    if (f->color_range != AVCOL_RANGE_JPEG)
        return f->format;
    switch (f->format) {
    case AV_PIX_FMT_YUV420P:
        return AV_PIX_FMT_YUVJ420P;
    case AV_PIX_FMT_YUV422P:
        return AV_PIX_FMT_YUVJ422P;
    case AV_PIX_FMT_YUV444P:
        return AV_PIX_FMT_YUVJ444P;
    default:
        return f->format;
    }
}

rm_err rmf_source_take_video(struct rmf_source *source, uint8_t *const planes[3], const int strides[3],
                             struct rmf_fault *fault) {
    struct rmf_video *v = &source->video;
    const AVFrame *f = v->current;
    enum AVPixelFormat from = ranged_format(f);
    int width, height;
    rmf_video_size(source, &width, &height);
    if (from == AV_PIX_FMT_YUV420P && even(f->width) == width && even(f->height) == height) {
        for (int p = 0; p < 3; p++)
            av_image_copy_plane(planes[p], strides[p], f->data[p], f->linesize[p], p ? width / 2 : width,
                                p ? height / 2 : height);
    } else {
        v->sws = sws_getCachedContext(v->sws, f->width, f->height, from, width, height, AV_PIX_FMT_YUV420P,
                                      SWS_BILINEAR, NULL, NULL, NULL);
        if (!v->sws ||
            sws_scale(v->sws, (const uint8_t *const *)f->data, f->linesize, 0, f->height, planes, strides) < height)
            return rmf_fail(fault, RM_E_UNSUPPORTED, "cannot turn the pictures of %s into I420",
                            rmf_short(source->config.path));
    }
    rmf_video_taken(source);
    return RM_OK;
}

void rmf_video_reset(struct rmf_video *video) {
    av_frame_unref(video->current);
    av_frame_unref(video->next);
    video->has_current = video->has_next = false;
    video->current_us = video->first_us = RMF_NEVER;
    video->slot = 0;
}

void rmf_video_free(struct rmf_video *video) {
    av_frame_free(&video->current);
    av_frame_free(&video->next);
    sws_freeContext(video->sws);
    video->sws = NULL;
}
