/* SPDX-License-Identifier: Apache-2.0 */
#include "sink_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define WAITING_BYTES_MAX (64 * 1024 * 1024) /* of packets that wait for the header */
#define H264 "libx264", "libopenh264", "mpeg4"

static const struct rmf_container containers[] = {
    {".mp4", "mp4", {H264}, {"aac"}, false},
    {".mov", "mov", {H264}, {"aac"}, false},
    {".mkv", "matroska", {H264}, {"libopus", "aac"}, false},
    {".webm", "webm", {"libvpx", "libvpx-vp9"}, {"libopus", "libvorbis"}, false},
    {".wav", "wav", {NULL}, {"pcm_s16le"}, true},
    {".y4m", "yuv4mpegpipe", {"wrapped_avframe"}, {NULL}, true},
};

static const struct rmf_container *find_container(const char *path) {
    size_t len = strlen(path);
    for (size_t i = 0; i < FF_ARRAY_ELEMS(containers); i++) {
        size_t n = strlen(containers[i].extension);
        if (len > n && !strcasecmp(path + len - n, containers[i].extension))
            return &containers[i];
    }
    return NULL;
}

/* Whether the file can be written, without touching what is in it: better known now than in mid-call. */
static int probe(struct rmf_sink *s) {
    int fd = open(s->config.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    s->created = fd >= 0;
    if (fd < 0 && errno == EEXIST)
        fd = open(s->config.path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return AVERROR(errno);
    close(fd);
    return 0;
}

rm_err rmf_sink_open(const struct rmf_sink_config *config, struct rmf_sink **out, struct rmf_fault *fault) {
    const struct rmf_container *container = find_container(config->path);
    if (!container)
        return rmf_fail(fault, RM_E_CONFIG,
                        "cannot write %s: the name must end in .mkv, .mp4, .mov, .webm, .wav or .y4m",
                        rmf_short(config->path));
    struct rmf_sink *s = calloc(1, sizeof *s);
    if (!s)
        return rmf_fail_av(fault, AVERROR(ENOMEM), "cannot write", config->path, NULL);
    s->config = *config;
    s->container = container;
    s->zero_us = RMF_NEVER;
    rmf_packets_init(&s->audio.packets);
    rmf_packets_init(&s->video.packets);
    int err = asprintf(&s->url, "file:%s", config->path) < 0 ? AVERROR(ENOMEM) : 0;
    if (err)
        s->url = NULL;
    s->packet = av_packet_alloc();
    if (!err)
        err = s->packet ? probe(s) : AVERROR(ENOMEM);
    if (err) {
        rmf_fail_av(fault, err, "cannot write", config->path, "check that the folder exists and may be written to");
        s->finished = true; /* there is nothing to complete */
        rmf_sink_close(&s);
        return err == AVERROR(ENOMEM) ? RM_E_NO_MEMORY : RM_E_IO;
    }
    *out = s;
    return RM_OK;
}

int64_t rmf_sink_time(struct rmf_sink *sink, const struct rmf_track *track, int64_t timestamp_us) {
    if (timestamp_us == RM_NO_VALUE)
        timestamp_us = sink->zero_us == RMF_NEVER ? 0 : sink->zero_us;
    if (sink->zero_us == RMF_NEVER)
        sink->zero_us = timestamp_us;
    return timestamp_us - sink->zero_us + track->skew_us;
}

const AVCodec *rmf_sink_encoder(const char *const names[RMF_ENCODERS_MAX]) {
    for (size_t i = 0; i < RMF_ENCODERS_MAX && names[i]; i++) {
        const AVCodec *codec = avcodec_find_encoder_by_name(names[i]);
        if (codec)
            return codec;
    }
    return NULL;
}

/* Takes the packet. */
static int mux(struct rmf_sink *s, const struct rmf_track *t, AVPacket *packet) {
    AVRational base = t->encoder->time_base;
    int64_t shift = av_rescale_q(-s->origin_us, AV_TIME_BASE_Q, base);
    packet->stream_index = t->av->index;
    if (packet->pts != AV_NOPTS_VALUE)
        packet->pts += shift;
    if (packet->dts != AV_NOPTS_VALUE)
        packet->dts += shift;
    av_packet_rescale_ts(packet, base, t->av->time_base);
    int err = av_interleaved_write_frame(s->format, packet);
    return err < 0 ? err : 0;
}

int rmf_sink_encode(struct rmf_sink *s, struct rmf_track *t, const AVFrame *frame) {
    int err = avcodec_send_frame(t->encoder, frame);
    while (err >= 0) {
        err = avcodec_receive_packet(t->encoder, s->packet);
        if (err == AVERROR(EAGAIN) || err == AVERROR_EOF)
            return 0;
        if (err >= 0)
            err = s->header_written ? mux(s, t, s->packet) : rmf_packets_push(&t->packets, s->packet);
    }
    return err;
}

static int add_stream(struct rmf_sink *s, struct rmf_track *t) {
    if (!t->encoder)
        return 0;
    t->av = avformat_new_stream(s->format, NULL);
    if (!t->av)
        return AVERROR(ENOMEM);
    t->av->time_base = t->encoder->time_base;
    t->av->avg_frame_rate = t->encoder->framerate;
    int err = avcodec_parameters_from_context(t->av->codecpar, t->encoder);
    return err < 0 ? err : 0;
}

static int write_header(struct rmf_sink *s) {
    struct rmf_track *tracks[] = {&s->video, &s->audio};
    int err = avformat_alloc_output_context2(&s->format, NULL, s->container->muxer, s->url);
    for (int i = 0; i < 2 && err >= 0; i++)
        err = add_stream(s, tracks[i]);
    if (err >= 0)
        err = avio_open(&s->format->pb, s->url, AVIO_FLAG_WRITE);
    if (err >= 0)
        err = avformat_write_header(s->format, NULL);
    if (err < 0)
        return err;
    s->header_written = true;
    s->origin_us = INT64_MAX;
    for (int i = 0; i < 2; i++)
        if (tracks[i]->encoder)
            s->origin_us = FFMIN(s->origin_us, tracks[i]->first_us);
    for (int i = 0; i < 2; i++) {
        AVPacket *packet;
        while (err >= 0 && (packet = rmf_packets_pop(&tracks[i]->packets))) {
            err = mux(s, tracks[i], packet);
            av_packet_free(&packet);
        }
    }
    return err < 0 ? err : 0;
}

int rmf_sink_advance(struct rmf_sink *s, int64_t now_us) {
    bool complete = (s->audio.encoder || !s->container->audio[0]) && (s->video.encoder || !s->container->video[0]);
    bool long_enough =
        now_us >= s->config.wait_us || s->audio.packets.bytes + s->video.packets.bytes > WAITING_BYTES_MAX;
    return !s->header_written && (complete || long_enough) ? write_header(s) : 0;
}

rm_err rmf_sink_failed(struct rmf_sink *sink, int av_error, struct rmf_fault *fault) {
    const char *remedy = "the recording ends here";
    if (av_error == AVERROR_ENCODER_NOT_FOUND)
        remedy = "this FFmpeg has no encoder for it, choose another container";
    rm_err err = rmf_fail_av(fault, av_error, "cannot write", sink->config.path, remedy);
    return err == RM_E_PARSE ? RM_E_IO : err;
}

rm_err rmf_sink_finish(struct rmf_sink *s, struct rmf_fault *fault) {
    if (s->finished)
        return RM_OK;
    s->finished = true;
    if (s->zero_us == RMF_NEVER) {
        if (s->created)
            unlink(s->config.path);
        return rmf_fail(fault, RM_E_NOT_FOUND, "%s was not written: neither sound nor pictures came",
                        rmf_short(s->config.path));
    }
    int err = rmf_sink_audio_drain(s);
    int more = rmf_sink_video_drain(s);
    err = err ? err : more;
    if (!s->format && (s->audio.encoder || s->video.encoder)) {
        more = write_header(s);
        err = err ? err : more;
    }
    if (s->header_written) {
        more = av_write_trailer(s->format);
        err = err ? err : FFMIN(more, 0);
    }
    if (s->format && s->format->pb) {
        more = avio_closep(&s->format->pb);
        err = err ? err : FFMIN(more, 0);
    }
    return err ? rmf_sink_failed(s, err, fault) : RM_OK;
}

void rmf_sink_close(struct rmf_sink **sink) {
    struct rmf_sink *s = *sink;
    struct rmf_fault ignored;
    if (!s)
        return;
    rmf_sink_finish(s, &ignored);
    rmf_packets_clear(&s->audio.packets);
    rmf_packets_clear(&s->video.packets);
    avcodec_free_context(&s->audio.encoder);
    avcodec_free_context(&s->video.encoder);
    if (s->format && s->format->pb)
        avio_closep(&s->format->pb);
    avformat_free_context(s->format);
    swr_free(&s->swr);
    sws_freeContext(s->sws);
    if (s->fifo)
        av_audio_fifo_free(s->fifo);
    if (s->scratch)
        av_freep(&s->scratch[0]);
    av_freep(&s->scratch);
    av_frame_free(&s->audio_frame);
    av_frame_free(&s->video_frame);
    av_packet_free(&s->packet);
    free(s->url);
    free(s);
    *sink = NULL;
}
