/* SPDX-License-Identifier: Apache-2.0 */
#include "source_private.h"

#include <libavutil/opt.h>
#include <libavutil/samplefmt.h>

#define US_PER_S 1000000
#define GAP_US 100000 /* times in files are rounded, and drift; a hole in the sound is longer */

static int64_t to_us(const struct rmf_source *s, int64_t frames) {
    return av_rescale(frames, US_PER_S, s->config.audio_rate);
}

static int64_t to_frames(const struct rmf_source *s, int64_t us) {
    return av_rescale(us, s->config.audio_rate, US_PER_S);
}

/* A converter for the frame at hand; what the last one still holds is given up (files change format at gaps). */
static int prepare_swr(struct rmf_source *s) {
    struct rmf_audio *a = &s->audio;
    const AVFrame *f = s->frame;
    AVChannelLayout out = {0};
    if (a->swr && a->rate == f->sample_rate && a->format == f->format &&
        av_channel_layout_compare(&a->layout, &f->ch_layout) == 0)
        return 0;
    swr_free(&a->swr);
    av_channel_layout_uninit(&a->layout);
    int err = av_channel_layout_copy(&a->layout, &f->ch_layout);
    if (err >= 0 && a->layout.order == AV_CHANNEL_ORDER_UNSPEC)
        av_channel_layout_default(&a->layout, f->ch_layout.nb_channels);
    av_channel_layout_default(&out, s->config.audio_channels);
    if (err >= 0)
        err = swr_alloc_set_opts2(&a->swr, &out, AV_SAMPLE_FMT_FLT, s->config.audio_rate, &a->layout, f->format,
                                  f->sample_rate, 0, NULL);
    if (err >= 0)
        err = swr_init(a->swr);
    a->rate = f->sample_rate;
    a->format = f->format;
    if (a->layout.order != f->ch_layout.order) { /* compare with what frames say */
        av_channel_layout_uninit(&a->layout);
        if (err >= 0)
            err = av_channel_layout_copy(&a->layout, &f->ch_layout);
    }
    av_channel_layout_uninit(&out);
    return err < 0 ? err : 0;
}

static int grow_scratch(struct rmf_source *s, int frames) {
    struct rmf_audio *a = &s->audio;
    if (frames <= a->scratch_frames)
        return 0;
    if (a->scratch)
        av_freep(&a->scratch[0]);
    av_freep(&a->scratch);
    a->scratch_frames = 0;
    int err =
        av_samples_alloc_array_and_samples(&a->scratch, NULL, s->config.audio_channels, frames, AV_SAMPLE_FMT_FLT, 0);
    if (err < 0)
        return err;
    a->scratch_frames = frames;
    return 0;
}

/* Appends `count` converted frames that begin at frame `from` of the scratch. */
static int append(struct rmf_source *s, int from, int count) {
    float *samples = (float *)(void *)s->audio.scratch[0] + (ptrdiff_t)from * s->config.audio_channels;
    void *planes[] = {samples};
    return count > 0 && av_audio_fifo_write(s->audio.fifo, planes, count) < count ? AVERROR(ENOMEM) : 0;
}

/* Silence up to a whole chunk, so that what follows begins one. */
static int pad(struct rmf_source *s) {
    struct rmf_audio *a = &s->audio;
    int rest = av_audio_fifo_size(a->fifo) % s->config.chunk_frames;
    int missing = rest ? s->config.chunk_frames - rest : 0;
    int err = grow_scratch(s, missing);
    if (err || missing == 0)
        return err;
    av_samples_set_silence(a->scratch, 0, missing, s->config.audio_channels, AV_SAMPLE_FMT_FLT);
    return append(s, 0, missing);
}

/* Where the frame at hand lies on the time line: sets the base, finds gaps, and how many frames are before the start.
 */
static int place(struct rmf_source *s, int *skip) {
    struct rmf_audio *a = &s->audio;
    bool begun = a->base_us != RMF_NEVER;
    int64_t expected = begun ? a->base_us + to_us(s, a->taken + av_audio_fifo_size(a->fifo)) : 0;
    int64_t at = rmf_frame_us(s, &a->stream, begun ? expected : 0);
    *skip = 0;
    if (begun && at - expected > GAP_US && a->jump_us == RMF_NEVER) {
        int err = pad(s);
        if (err)
            return err;
        a->jump_at = a->taken + av_audio_fifo_size(a->fifo);
        a->jump_us = at;
    }
    if (!begun) {
        if (s->skip_until_us != RMF_NEVER && at < s->skip_until_us) {
            *skip = (int)FFMIN(to_frames(s, s->skip_until_us - at), INT32_MAX);
            at = s->skip_until_us;
        }
        a->base_us = at;
    }
    return 0;
}

/* Converts the frame at hand (`frame` NULL: what the converter still holds) and appends it. */
static int convert(struct rmf_source *s, const AVFrame *frame) {
    struct rmf_audio *a = &s->audio;
    int skip = 0, err = frame ? prepare_swr(s) : 0;
    if (!a->swr || err || (!frame && a->base_us == RMF_NEVER))
        return err;
    int room = swr_get_out_samples(a->swr, frame ? frame->nb_samples : 0);
    err = room < 0 ? room : grow_scratch(s, room);
    if (err || room == 0)
        return err;
    if (frame && (err = place(s, &skip)))
        return err;
    if ((err = grow_scratch(s, room)))
        return err;
    int got = swr_convert(a->swr, a->scratch, room, frame ? (const uint8_t **)frame->extended_data : NULL,
                          frame ? frame->nb_samples : 0);
    if (got < 0)
        return got;
    if (skip >= got) { /* wholly before the start: the next frame is placed anew */
        if (skip > 0)
            a->base_us = RMF_NEVER;
        return skip > 0 ? 0 : append(s, 0, got);
    }
    return append(s, skip, got - skip);
}

int rmf_audio_head(struct rmf_source *source, int64_t *head_us) {
    struct rmf_audio *a = &source->audio;
    *head_us = RMF_NEVER;
    while (a->fifo && av_audio_fifo_size(a->fifo) < source->config.chunk_frames) {
        int err = rmf_decode(source, &a->stream);
        if (err == AVERROR_EOF) {
            err = convert(source, NULL);
            swr_free(&a->swr);
            if (!err)
                err = pad(source);
            if (err || av_audio_fifo_size(a->fifo) == 0)
                return err ? err : AVERROR_EOF;
            break;
        }
        if (err)
            return err;
        err = convert(source, source->frame);
        av_frame_unref(source->frame);
        if (err)
            return err;
    }
    if (!a->fifo)
        return AVERROR_EOF;
    if (a->jump_us != RMF_NEVER && a->taken >= a->jump_at) {
        a->base_us = a->jump_us;
        a->taken -= a->jump_at;
        a->jump_us = RMF_NEVER;
    }
    *head_us = a->base_us + to_us(source, a->taken);
    return 0;
}

void rmf_source_take_audio(struct rmf_source *source, float *samples) {
    void *planes[] = {samples};
    source->audio.taken += av_audio_fifo_read(source->audio.fifo, planes, source->config.chunk_frames);
}

void rmf_audio_reset(struct rmf_audio *audio) {
    swr_free(&audio->swr);
    if (audio->fifo)
        av_audio_fifo_reset(audio->fifo);
    audio->base_us = RMF_NEVER;
    audio->jump_us = RMF_NEVER;
    audio->taken = 0;
}

void rmf_audio_free(struct rmf_audio *audio) {
    swr_free(&audio->swr);
    av_channel_layout_uninit(&audio->layout);
    if (audio->fifo)
        av_audio_fifo_free(audio->fifo);
    audio->fifo = NULL;
    if (audio->scratch)
        av_freep(&audio->scratch[0]);
    av_freep(&audio->scratch);
}
