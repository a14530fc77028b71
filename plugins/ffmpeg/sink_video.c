/* SPDX-License-Identifier: Apache-2.0 */
#include "sink_private.h"

#include <libavutil/opt.h>
#include <string.h>

#define TICKS_PER_S 60000  /* whole numbers for 24, 25, 30, 50 and 60 Hz; MPEG-4 takes no more than 65535 */
#define BITS_PER_PIXEL 0.1 /* good pictures with H.264 at its fast settings: 720p30 2.8 Mbit/s */
#define BITRATE_MIN 200000
#define KEY_FRAME_S 2
#define RAW_RATE_DEN_MAX 100000

/* Options for an encoder that keeps up with real time; others go without. */
static const struct {
    const char *encoder, *options;
} settings[] = {
    {"libx264", "preset=superfast"},
    {"libvpx", "deadline=realtime:cpu-used=8:lag-in-frames=0"},
    {"libvpx-vp9", "deadline=realtime:cpu-used=8:lag-in-frames=0:row-mt=1"},
};

static int open_encoder(struct rmf_sink *s, const AVCodec *codec, int width, int height) {
    const struct rmf_sink_config *c = &s->config;
    AVDictionary *options = NULL;
    AVCodecContext *e = avcodec_alloc_context3(codec);
    if (!e)
        return AVERROR(ENOMEM);
    e->width = width;
    e->height = height;
    e->pix_fmt = AV_PIX_FMT_YUV420P;
    e->color_range = AVCOL_RANGE_MPEG;
    e->framerate = av_d2q(c->framerate, RAW_RATE_DEN_MAX);
    e->time_base = s->container->constant ? av_inv_q(e->framerate) : (AVRational){1, TICKS_PER_S};
    e->gop_size = (int)(c->framerate * KEY_FRAME_S + 0.5);
    e->max_b_frames = 0;
    e->thread_count = c->threads;
    double bits = BITS_PER_PIXEL * width * height * c->framerate;
    e->bit_rate = c->video_bitrate ? c->video_bitrate : (int64_t)FFMAX(bits, BITRATE_MIN);
#if LIBAVCODEC_VERSION_MAJOR < 61
    if (!strncmp(codec->name, "libvpx", strlen("libvpx"))) /* its duration of a picture */
        e->ticks_per_frame = (int)(TICKS_PER_S / c->framerate);
#endif
    if (av_guess_format(s->container->muxer, NULL, NULL)->flags & AVFMT_GLOBALHEADER)
        e->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    int err = 0;
    for (size_t i = 0; i < FF_ARRAY_ELEMS(settings); i++)
        if (!strcmp(settings[i].encoder, codec->name))
            err = av_dict_parse_string(&options, settings[i].options, "=", ":", 0);
    if (err >= 0)
        err = avcodec_open2(e, codec, &options);
    av_dict_free(&options);
    if (err >= 0)
        s->video.encoder = e;
    else
        avcodec_free_context(&e);
    return err < 0 ? err : 0;
}

static void release(void *opaque, uint8_t *data) {
    rm_runtime_data *held = opaque;
    (void)data;
    rm_runtime_data_unref(&held);
}

/* The planes of the data themselves, which it keeps alive. */
static int wrap(const struct rmf_sink *s, rm_runtime_data *data, AVFrame *f) {
    const rm_video *v = rm_runtime_data_video(data);
    f->buf[0] = av_buffer_create((uint8_t *)v->planes[0], v->strides[0] * v->height, release, rm_runtime_data_ref(data),
                                 AV_BUFFER_FLAG_READONLY); /* by this flag nobody writes */
    if (!f->buf[0]) {
        rm_runtime_data *held = data;
        rm_runtime_data_unref(&held);
        return AVERROR(ENOMEM);
    }
    for (uint32_t p = 0; p < v->plane_count; p++) {
        f->data[p] = (uint8_t *)v->planes[p];
        f->linesize[p] = (int)v->strides[p];
    }
    f->format = s->video.encoder->pix_fmt;
    f->width = (int)v->width;
    f->height = (int)v->height;
    return 0;
}

static int scale(struct rmf_sink *s, const rm_video *v, AVFrame *f) {
    const AVCodecContext *e = s->video.encoder;
    int strides[RM_PLANES_MAX] = {0};
    for (uint32_t p = 0; p < v->plane_count; p++)
        strides[p] = (int)v->strides[p];
    f->format = e->pix_fmt;
    f->width = e->width;
    f->height = e->height;
    int err = av_frame_get_buffer(f, 0);
    if (err < 0)
        return err;
    s->sws = sws_getCachedContext(s->sws, (int)v->width, (int)v->height, rmf_pix_fmt(v->format), e->width, e->height,
                                  e->pix_fmt, SWS_BILINEAR, NULL, NULL, NULL);
    if (!s->sws)
        return AVERROR(EINVAL);
    err = sws_scale(s->sws, v->planes, strides, 0, (int)v->height, f->data, f->linesize);
    return err < 0 ? err : 0;
}

/* The picture as a frame of the encoder's size in s->video_frame. */
static int make_frame(struct rmf_sink *s, rm_runtime_data *data) {
    const rm_video *v = rm_runtime_data_video(data);
    const AVCodecContext *e = s->video.encoder;
    bool fits = (int)v->width == e->width && (int)v->height == e->height;
    av_frame_unref(s->video_frame);
    return fits && rmf_pix_fmt(v->format) == (int)e->pix_fmt ? wrap(s, data, s->video_frame)
                                                             : scale(s, v, s->video_frame);
}

/* In a file without times the last picture stands until the next one. */
static int repeat_last(struct rmf_sink *s, int64_t pts) {
    int err = 0;
    while (!err && ++s->last_pts < pts) {
        s->video_frame->pts = s->last_pts;
        err = rmf_sink_encode(s, &s->video, s->video_frame);
    }
    return err;
}

/* The time of the next picture in the encoder's ticks; RMF_NEVER: it has no place, and is left out. */
static int64_t place(struct rmf_sink *s, int64_t *now_us) {
    struct rmf_track *t = &s->video;
    AVRational base = t->encoder->time_base;
    int64_t frame_us = (int64_t)(RMF_US_PER_S / s->config.framerate);
    int64_t pts = av_rescale_q(*now_us, AV_TIME_BASE_Q, base);
    if (s->last_pts == RMF_NEVER)
        return pts;
    int64_t last_us = av_rescale_q(s->last_pts, base, AV_TIME_BASE_Q);
    int64_t longest_us = s->container->constant ? RMF_FILL_MAX_US : INT64_MAX;
    if (*now_us < last_us - RMF_BACK_MAX_US || *now_us - last_us > longest_us) {
        t->skew_us += last_us + frame_us - *now_us;
        *now_us = last_us + frame_us;
        pts = av_rescale_q(*now_us, AV_TIME_BASE_Q, base);
    }
    return pts > s->last_pts ? pts : RMF_NEVER;
}

static int begin(struct rmf_sink *s, const rm_video *v) {
    const AVCodec *codec = rmf_sink_encoder(s->container->video);
    s->last_pts = RMF_NEVER;
    s->video_frame = s->video_frame ? s->video_frame : av_frame_alloc();
    if (!s->video_frame)
        return AVERROR(ENOMEM);
    return codec ? open_encoder(s, codec, (int)v->width & ~1, (int)v->height & ~1) : AVERROR_ENCODER_NOT_FOUND;
}

rm_err rmf_sink_video(struct rmf_sink *s, rm_runtime_data *data, struct rmf_fault *fault) {
    const rm_video *v = rm_runtime_data_video(data);
    struct rmf_track *t = &s->video;
    int err = 0;
    if (!s->container->video[0])
        return rmf_fail(fault, RM_E_UNSUPPORTED, "%s holds no pictures; use .mkv, .mp4 or .webm",
                        rmf_short(s->config.path));
    if (rmf_pix_fmt(v->format) == AV_PIX_FMT_NONE || v->width < 2 || v->height < 2)
        return rmf_fail(fault, RM_E_UNSUPPORTED,
                        "%s %s pictures cannot be written; put a VideoDecoder before this node",
                        rm_pixel_format_name(v->format), rm_codec_name(v->codec));
    if (!t->av && s->header_written)
        return rmf_fail(fault, RM_E_UNSUPPORTED, "pictures began too late for %s; raise wait_ms",
                        rmf_short(s->config.path));
    int64_t now_us = rmf_sink_time(s, t, rm_runtime_data_timestamp_us(data));
    if (!t->encoder) {
        t->first_us = now_us;
        err = begin(s, v);
    }
    int64_t pts = err ? RMF_NEVER : place(s, &now_us);
    if (!err && pts == RMF_NEVER)
        return RM_OK;
    if (!err && s->container->constant && s->last_pts != RMF_NEVER)
        err = repeat_last(s, pts);
    if (!err)
        err = make_frame(s, data);
    if (!err) {
        s->last_pts = s->video_frame->pts = pts;
        err = rmf_sink_encode(s, t, s->video_frame);
    }
    if (!s->container->constant && s->video_frame) /* nothing is kept but what is needed again */
        av_frame_unref(s->video_frame);
    if (!err)
        err = rmf_sink_advance(s, now_us);
    return err ? rmf_sink_failed(s, err, fault) : RM_OK;
}

int rmf_sink_video_drain(struct rmf_sink *sink) {
    return sink->video.encoder ? rmf_sink_encode(sink, &sink->video, NULL) : 0;
}
