/* SPDX-License-Identifier: Apache-2.0 */
#include "source_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PIXELS_MAX (INT64_C(8192) * 4352) /* of a picture, looked at before it is decoded */
#define FIFO_START_FRAMES 4096            /* it grows when a file needs it */
#define US_PER_S 1000000
#define DEFAULT_FRAME_US 33333
#define LOOP_TAIL_US 500000 /* sound after the last picture that a loop does without: the picture would stand still */

/* Formats that carry their media themselves. Not among them: playlists and scripts, which name other files. */
static const char formats[] = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,ogg,wav,w64,aiff,au,flac,mp3,"
                              "aac,ac3,yuv4mpegpipe,ivf,h264,hevc,m4v,asf";

static int interrupted(void *opaque) {
    const struct rmf_source *s = opaque;
    return s->config.cancelled(s->config.user);
}

/* A file only: no protocol that the path may name, and nothing that blocks for ever when it is read. */
static rm_err make_url(struct rmf_source *s, struct rmf_fault *fault) {
    const struct rmf_source_config *c = &s->config;
    struct stat st;
    if (stat(c->path, &st))
        return rmf_fail_av(fault, AVERROR(errno), "cannot read", c->path, "check the path");
    if (!S_ISREG(st.st_mode))
        return rmf_fail(fault, RM_E_IO, "cannot read %s: it is not a regular file", rmf_short(c->path));
    bool part = c->offset > 0 || c->length >= 0;
    int64_t end = c->length >= 0 && c->offset <= INT64_MAX - c->length ? c->offset + c->length : 0;
    int len = part ? asprintf(&s->url, "subfile,,start,%" PRId64 ",end,%" PRId64 ",,:file:%s", c->offset, end, c->path)
                   : asprintf(&s->url, "file:%s", c->path);
    if (len < 0) {
        s->url = NULL;
        return rmf_fail(fault, RM_E_NO_MEMORY, "no memory to read %s", rmf_short(c->path));
    }
    return RM_OK;
}

static rm_err open_format(struct rmf_source *s, struct rmf_fault *fault) {
    AVDictionary *options = NULL;
    s->format = avformat_alloc_context();
    if (!s->format)
        return rmf_fail_av(fault, AVERROR(ENOMEM), "cannot read", s->config.path, NULL);
    s->format->interrupt_callback = (AVIOInterruptCB){.callback = interrupted, .opaque = s};
    av_dict_set(&options, "protocol_whitelist", "file,subfile", 0);
    av_dict_set(&options, "format_whitelist", formats, 0);
    int err = avformat_open_input(&s->format, s->url, NULL, &options); /* frees the context when it fails */
    av_dict_free(&options);
    if (err >= 0)
        err = avformat_find_stream_info(s->format, NULL);
    if (err == AVERROR(EINVAL) || err == AVERROR_EOF) /* not one of the formats; nothing in it */
        err = AVERROR_INVALIDDATA;
    if (err < 0)
        return rmf_fail_av(fault, err, "cannot read", s->config.path, "is it a media file, and whole?");
    return RM_OK;
}

/* Leaves stream->av NULL when the file has none of this type. */
static rm_err open_stream(struct rmf_source *s, enum AVMediaType type, struct rmf_stream *stream,
                          struct rmf_fault *fault) {
    const AVCodec *codec = NULL;
    int index = av_find_best_stream(s->format, type, -1, -1, &codec, 0);
    if (index < 0 || (s->format->streams[index]->disposition & AV_DISPOSITION_ATTACHED_PIC))
        return RM_OK;
    AVStream *av = s->format->streams[index];
    stream->decoder = avcodec_alloc_context3(codec);
    int err = stream->decoder ? avcodec_parameters_to_context(stream->decoder, av->codecpar) : AVERROR(ENOMEM);
    if (err >= 0) {
        stream->decoder->pkt_timebase = av->time_base;
        stream->decoder->max_pixels = PIXELS_MAX;
        stream->decoder->thread_count = type == AVMEDIA_TYPE_VIDEO ? s->config.threads : 1;
        err = avcodec_open2(stream->decoder, codec, NULL);
    }
    if (err < 0)
        return rmf_fail_av(fault, err, "cannot decode", s->config.path, NULL);
    av->discard = AVDISCARD_DEFAULT;
    stream->av = av;
    return RM_OK;
}

static rm_err open_streams(struct rmf_source *s, struct rmf_fault *fault) {
    for (unsigned i = 0; i < s->format->nb_streams; i++)
        s->format->streams[i]->discard = AVDISCARD_ALL;
    rm_err err = open_stream(s, AVMEDIA_TYPE_VIDEO, &s->video.stream, fault);
    if (!err)
        err = open_stream(s, AVMEDIA_TYPE_AUDIO, &s->audio.stream, fault);
    if (err)
        return err;
    if (!s->video.stream.av && !s->audio.stream.av)
        return rmf_fail(fault, RM_E_UNSUPPORTED, "%s has neither sound nor pictures that can be decoded",
                        rmf_short(s->config.path));
    s->packet = av_packet_alloc();
    s->frame = av_frame_alloc();
    s->video.current = av_frame_alloc();
    s->video.next = av_frame_alloc();
    if (s->audio.stream.av)
        s->audio.fifo = av_audio_fifo_alloc(AV_SAMPLE_FMT_FLT, s->config.audio_channels, FIFO_START_FRAMES);
    if (!s->packet || !s->frame || !s->video.current || !s->video.next || (s->audio.stream.av && !s->audio.fifo))
        return rmf_fail(fault, RM_E_NO_MEMORY, "no memory to read %s", rmf_short(s->config.path));
    AVRational rate = {0, 1};
    if (s->video.stream.av)
        rate = av_guess_frame_rate(s->format, s->video.stream.av, NULL);
    s->video.frame_us = rate.num > 0 && rate.den > 0 ? av_rescale(US_PER_S, rate.den, rate.num) : DEFAULT_FRAME_US;
    return RM_OK;
}

/* To start_us, or back to the beginning. A file that cannot be sought at first is read up to there. */
static int seek_start(struct rmf_source *s) {
    int64_t begin = s->format->start_time == AV_NOPTS_VALUE ? 0 : s->format->start_time;
    int64_t start = begin + s->config.start_us;
    s->skip_until_us = s->config.start_us > 0 ? start : RMF_NEVER;
    return avformat_seek_file(s->format, -1, INT64_MIN, start, start, 0);
}

static void begin_pass(struct rmf_source *s) {
    struct rmf_stream *streams[] = {&s->audio.stream, &s->video.stream};
    for (int i = 0; i < 2; i++) {
        rmf_packets_clear(&streams[i]->packets);
        streams[i]->drained = false;
        if (streams[i]->decoder)
            avcodec_flush_buffers(streams[i]->decoder);
    }
    rmf_audio_reset(&s->audio);
    rmf_video_reset(&s->video);
    s->file_ended = false;
    s->origin_us = RMF_NEVER;
}

rm_err rmf_source_open(const struct rmf_source_config *config, struct rmf_source **out, struct rmf_fault *fault) {
    struct rmf_source *s = calloc(1, sizeof *s);
    if (!s)
        return rmf_fail(fault, RM_E_NO_MEMORY, "no memory to read %s", rmf_short(config->path));
    s->config = *config;
    rmf_packets_init(&s->audio.stream.packets);
    rmf_packets_init(&s->video.stream.packets);
    rm_err err = make_url(s, fault);
    if (!err)
        err = open_format(s, fault);
    if (!err)
        err = open_streams(s, fault);
    if (err) {
        rmf_source_close(&s);
        return err;
    }
    s->skip_until_us = RMF_NEVER;
    if (s->config.start_us > 0)
        (void)seek_start(s);
    begin_pass(s);
    *out = s;
    return RM_OK;
}

/* Both streams have ended. */
static rm_err finish_pass(struct rmf_source *s, struct rmf_item *item, struct rmf_fault *fault) {
    const char *path = rmf_short(s->config.path);
    item->kind = RMF_ITEM_END;
    if (s->read_error)
        return rmf_fail_av(fault, s->read_error, "stopped reading", s->config.path, "it is damaged or cut short");
    if (s->origin_us != RMF_NEVER)
        return RM_OK;
    if (s->config.start_us > 0)
        return rmf_fail(fault, RM_E_CONFIG, "%s ends before start_ms %" PRId64 "; choose an earlier start", path,
                        s->config.start_us / 1000);
    return rmf_fail(fault, RM_E_PARSE, "nothing in %s could be decoded; is it whole?", path);
}

/* Whether what follows is only the short tail of sound that encoders leave behind the last picture. */
static bool is_loop_tail(const struct rmf_source *s, int64_t time_us) {
    int64_t pictures_us = s->pictures_end_us - s->shift_us;
    return s->config.loop && pictures_us > 0 && time_us >= s->pictures_end_us && s->format->duration > 0 &&
           s->format->duration - s->config.start_us - pictures_us < LOOP_TAIL_US;
}

rm_err rmf_source_next(struct rmf_source *s, struct rmf_item *item, struct rmf_fault *fault) {
    int64_t audio_us, video_us;
    int errors[2] = {rmf_audio_head(s, &audio_us), 0};
    errors[1] = rmf_video_head(s, &video_us);
    for (int i = 0; i < 2; i++)
        if (errors[i] && errors[i] != AVERROR_EOF && errors[i] != AVERROR(EAGAIN))
            return rmf_fail_av(fault, errors[i], "cannot read", s->config.path, NULL);
    if (errors[0] && errors[1])
        return finish_pass(s, item, fault);
    bool audio = !errors[0] && (errors[1] || audio_us <= video_us);
    int64_t at = audio ? audio_us : video_us;
    if (s->origin_us == RMF_NEVER) {
        s->origin_us = at;
        s->shift_us = s->end_us;
    }
    /* A stream that lay far behind in the file may come late, never before the origin. */
    item->time_us = s->shift_us + FFMAX(at - s->origin_us, 0);
    item->kind = audio ? RMF_ITEM_AUDIO : RMF_ITEM_VIDEO;
    int64_t lasts = audio                     ? av_rescale(s->config.chunk_frames, US_PER_S, s->config.audio_rate)
                    : s->config.framerate > 0 ? (int64_t)(US_PER_S / s->config.framerate)
                                              : s->video.frame_us;
    if (audio && errors[1] == AVERROR_EOF && is_loop_tail(s, item->time_us))
        return finish_pass(s, item, fault);
    s->end_us = FFMAX(s->end_us, item->time_us + lasts);
    if (!audio) {
        s->pictures_end_us = item->time_us + lasts;
        rmf_video_size(s, &item->width, &item->height);
    }
    return RM_OK;
}

rm_err rmf_source_rewind(struct rmf_source *s, struct rmf_fault *fault) {
    int err = seek_start(s);
    if (err < 0 && s->config.start_us == 0) /* a bare stream has no times to seek by */
        err = avformat_seek_file(s->format, -1, 0, 0, 0, AVSEEK_FLAG_BYTE);
    if (err < 0)
        return rmf_fail_av(fault, err, "cannot begin again", s->config.path, "set loop to false");
    begin_pass(s);
    return RM_OK;
}

void rmf_source_close(struct rmf_source **source) {
    struct rmf_source *s = *source;
    if (!s)
        return;
    rmf_packets_clear(&s->audio.stream.packets);
    rmf_packets_clear(&s->video.stream.packets);
    rmf_audio_free(&s->audio);
    rmf_video_free(&s->video);
    avcodec_free_context(&s->audio.stream.decoder);
    avcodec_free_context(&s->video.stream.decoder);
    av_packet_free(&s->packet);
    av_frame_free(&s->frame);
    avformat_close_input(&s->format);
    free(s->url);
    free(s);
    *source = NULL;
}
