/* SPDX-License-Identifier: Apache-2.0 */
#include "sink_private.h"

#include <libavutil/samplefmt.h>

#define STEREO 2
#define FALLBACK_RATE 48000 /* every audio encoder of the table has it */
#define BITRATE_PER_CHANNEL 64000
#define SLACK_US 40000 /* times of chunks are rounded, and drift; more is a gap, or comes twice */
#define RAW_FRAME 1024 /* samples in a packet, where the encoder does not say */

static enum AVSampleFormat choose_format(const AVCodec *codec) {
    const enum AVSampleFormat *f = codec->sample_fmts;
    for (size_t i = 0; f && f[i] != AV_SAMPLE_FMT_NONE; i++)
        if (f[i] == AV_SAMPLE_FMT_FLT || f[i] == AV_SAMPLE_FMT_FLTP)
            return f[i];
    return f ? f[0] : AV_SAMPLE_FMT_FLT;
}

static int choose_rate(const AVCodec *codec, int wanted) {
    const int *r = codec->supported_samplerates;
    for (size_t i = 0; r && r[i]; i++)
        if (r[i] == wanted)
            return wanted;
    return r ? FALLBACK_RATE : wanted;
}

static int open_encoder(struct rmf_sink *s, const AVCodec *codec, const rm_audio *audio) {
    AVCodecContext *e = avcodec_alloc_context3(codec);
    if (!e)
        return AVERROR(ENOMEM);
    int channels = (int)FFMIN(audio->channels, STEREO);
    e->sample_fmt = choose_format(codec);
    e->sample_rate = choose_rate(codec, (int)audio->sample_rate);
    e->time_base = (AVRational){1, e->sample_rate};
    e->bit_rate = s->config.audio_bitrate ? s->config.audio_bitrate : (int64_t)BITRATE_PER_CHANNEL * channels;
    av_channel_layout_default(&e->ch_layout, channels);
    if (av_guess_format(s->container->muxer, NULL, NULL)->flags & AVFMT_GLOBALHEADER)
        e->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    int err = avcodec_open2(e, codec, NULL);
    if (err < 0) {
        avcodec_free_context(&e);
        return err;
    }
    s->audio.encoder = e;
    s->fifo = av_audio_fifo_alloc(e->sample_fmt, channels, e->sample_rate);
    s->audio_frame = av_frame_alloc();
    return s->fifo && s->audio_frame ? 0 : AVERROR(ENOMEM);
}

static int grow_scratch(struct rmf_sink *s, int frames) {
    if (frames <= s->scratch_frames)
        return 0;
    if (s->scratch)
        av_freep(&s->scratch[0]);
    av_freep(&s->scratch);
    s->scratch_frames = 0;
    int err = av_samples_alloc_array_and_samples(&s->scratch, NULL, s->audio.encoder->ch_layout.nb_channels, frames,
                                                 s->audio.encoder->sample_fmt, 0);
    if (err >= 0)
        s->scratch_frames = frames;
    return err < 0 ? err : 0;
}

static int prepare_swr(struct rmf_sink *s, const rm_audio *a) {
    AVCodecContext *e = s->audio.encoder;
    AVChannelLayout in = {0};
    if (s->swr && s->in_rate == (int)a->sample_rate && s->in_channels == (int)a->channels)
        return 0;
    swr_free(&s->swr);
    av_channel_layout_default(&in, (int)a->channels);
    int err = swr_alloc_set_opts2(&s->swr, &e->ch_layout, e->sample_fmt, e->sample_rate, &in, AV_SAMPLE_FMT_FLT,
                                  (int)a->sample_rate, 0, NULL);
    if (err >= 0)
        err = swr_init(s->swr);
    s->in_rate = (int)a->sample_rate;
    s->in_channels = (int)a->channels;
    av_channel_layout_uninit(&in);
    return err < 0 ? err : 0;
}

/* Whole packets' worth of what waits; with `all` the rest too. */
static int encode(struct rmf_sink *s, bool all) {
    AVCodecContext *e = s->audio.encoder;
    AVFrame *f = s->audio_frame;
    int size = e->frame_size > 0 ? e->frame_size : RAW_FRAME, waiting, err = 0;
    bool short_last = e->frame_size <= 0 || (e->codec->capabilities & AV_CODEC_CAP_SMALL_LAST_FRAME);
    while (!err && (waiting = av_audio_fifo_size(s->fifo)) >= (all ? 1 : size)) {
        int take = FFMIN(waiting, size);
        av_frame_unref(f);
        f->nb_samples = short_last ? take : size;
        f->format = e->sample_fmt;
        f->sample_rate = e->sample_rate;
        err = av_channel_layout_copy(&f->ch_layout, &e->ch_layout);
        if (err >= 0)
            err = av_frame_get_buffer(f, 0);
        if (err < 0)
            break;
        if (av_audio_fifo_read(s->fifo, (void **)f->extended_data, take) < take)
            return AVERROR_BUG;
        av_samples_set_silence(f->extended_data, take, f->nb_samples - take, e->ch_layout.nb_channels, e->sample_fmt);
        f->pts = s->fifo_pts;
        s->fifo_pts += take;
        err = rmf_sink_encode(s, &s->audio, f);
    }
    av_frame_unref(f);
    return err;
}

static int append_silence(struct rmf_sink *s, int64_t samples) {
    int err = 0;
    while (!err && samples > 0) {
        int part = (int)FFMIN(samples, s->audio.encoder->sample_rate);
        if ((err = grow_scratch(s, part)))
            break;
        av_samples_set_silence(s->scratch, 0, part, s->audio.encoder->ch_layout.nb_channels,
                               s->audio.encoder->sample_fmt);
        if (av_audio_fifo_write(s->fifo, (void **)s->scratch, part) < part)
            return AVERROR(ENOMEM);
        samples -= part;
        err = encode(s, false);
    }
    return err;
}

/* Brings the end of what was written to the time of the next chunk; *skip: frames of it that were there before. */
static int place(struct rmf_sink *s, int64_t *now_us, int *skip) {
    struct rmf_track *t = &s->audio;
    int rate = t->encoder->sample_rate, err;
    int64_t end_us = av_rescale(s->fifo_pts + av_audio_fifo_size(s->fifo), RMF_US_PER_S, rate);
    int64_t gap_us = *now_us - end_us;
    *skip = 0;
    if (gap_us < -RMF_BACK_MAX_US || (s->container->constant && gap_us > RMF_FILL_MAX_US)) {
        t->skew_us -= gap_us;
        *now_us = end_us;
        return 0;
    }
    if (gap_us < -SLACK_US)
        *skip = (int)av_rescale(-gap_us, rate, RMF_US_PER_S);
    if (gap_us <= SLACK_US)
        return 0;
    if (gap_us <= RMF_FILL_MAX_US)
        return append_silence(s, av_rescale(gap_us, rate, RMF_US_PER_S));
    err = encode(s, true); /* so long a silence is left to the times in the file */
    s->fifo_pts = av_rescale(*now_us, rate, RMF_US_PER_S);
    return err;
}

static int begin(struct rmf_sink *s, const rm_audio *a, int64_t now_us) {
    const AVCodec *codec = rmf_sink_encoder(s->container->audio);
    int err = codec ? open_encoder(s, codec, a) : AVERROR_ENCODER_NOT_FOUND;
    if (!err)
        s->fifo_pts = av_rescale(now_us, s->audio.encoder->sample_rate, RMF_US_PER_S);
    s->audio.first_us = now_us;
    return err;
}

static int convert(struct rmf_sink *s, const rm_audio *a, int skip) {
    const uint8_t *in[] = {(const uint8_t *)a->samples};
    int count = (int)a->frame_count, room = swr_get_out_samples(s->swr, count);
    int err = room < 0 ? room : grow_scratch(s, FFMAX(room, 1));
    if (err)
        return err;
    int got = swr_convert(s->swr, s->scratch, room, in, count);
    if (got <= skip)
        return FFMIN(got, 0);
    const AVCodecContext *e = s->audio.encoder;
    int planes = av_sample_fmt_is_planar(e->sample_fmt) ? e->ch_layout.nb_channels : 1;
    int step = av_get_bytes_per_sample(e->sample_fmt) * (planes > 1 ? 1 : e->ch_layout.nb_channels);
    void *from[STEREO];
    for (int p = 0; p < planes; p++)
        from[p] = s->scratch[p] + (ptrdiff_t)skip * step;
    return av_audio_fifo_write(s->fifo, from, got - skip) < got - skip ? AVERROR(ENOMEM) : 0;
}

rm_err rmf_sink_audio(struct rmf_sink *s, const rm_runtime_data *data, struct rmf_fault *fault) {
    const rm_audio *a = rm_runtime_data_audio(data);
    int64_t timestamp_us = rm_runtime_data_timestamp_us(data), now_us;
    int err = 0, skip = 0;
    if (!s->container->audio[0])
        return rmf_fail(fault, RM_E_UNSUPPORTED, "%s holds no sound; use .mkv, .mp4, .webm or .wav",
                        rmf_short(s->config.path));
    if (!s->audio.av && s->header_written)
        return rmf_fail(fault, RM_E_UNSUPPORTED, "sound began too late for %s; raise wait_ms",
                        rmf_short(s->config.path));
    if (a->frame_count == 0)
        return RM_OK;
    if (timestamp_us == RM_NO_VALUE && s->audio.encoder) /* follows what was before */
        now_us = av_rescale(s->fifo_pts + av_audio_fifo_size(s->fifo), RMF_US_PER_S, s->audio.encoder->sample_rate);
    else
        now_us = rmf_sink_time(s, &s->audio, timestamp_us);
    if (!s->audio.encoder)
        err = begin(s, a, now_us);
    if (!err)
        err = prepare_swr(s, a);
    if (!err)
        err = place(s, &now_us, &skip);
    if (!err)
        err = convert(s, a, skip);
    if (!err)
        err = encode(s, false);
    if (!err)
        err = rmf_sink_advance(s, now_us);
    return err ? rmf_sink_failed(s, err, fault) : RM_OK;
}

int rmf_sink_audio_drain(struct rmf_sink *sink) {
    if (!sink->audio.encoder || !sink->fifo || !sink->audio_frame)
        return 0;
    int room = sink->swr ? swr_get_out_samples(sink->swr, 0) : 0;
    int err = room > 0 ? grow_scratch(sink, room) : 0;
    if (!err && room > 0) {
        int got = swr_convert(sink->swr, sink->scratch, room, NULL, 0);
        if (got > 0 && av_audio_fifo_write(sink->fifo, (void **)sink->scratch, got) < got)
            err = AVERROR(ENOMEM);
    }
    if (!err)
        err = encode(sink, true);
    return err ? err : rmf_sink_encode(sink, &sink->audio, NULL);
}
