/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMF_SINK_PRIVATE_H
#define RMF_SINK_PRIVATE_H

#include "packets.h"
#include "sink.h"
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/audio_fifo.h>
#include <libswresample/swresample.h>
#include <libswscale/swscale.h>
#include <stdbool.h>

#define RMF_US_PER_S 1000000
#define RMF_BACK_MAX_US RMF_US_PER_S        /* times that go back further: the stream began again */
#define RMF_FILL_MAX_US (10 * RMF_US_PER_S) /* longest gap that is filled with silence or repeated pictures */
#define RMF_ENCODERS_MAX 4

struct rmf_container {
    const char *extension, *muxer;
    const char *video[RMF_ENCODERS_MAX]; /* encoders, best first; none: no such stream in this container */
    const char *audio[RMF_ENCODERS_MAX];
    bool constant; /* has no times: what is missing is filled up */
};

struct rmf_track {
    AVCodecContext *encoder; /* NULL: not begun */
    AVStream *av;            /* NULL: the header is not written, or was without it */
    struct rmf_packets packets;
    int64_t first_us; /* since the sink's zero_us; may be a little less than 0 */
    int64_t skew_us;  /* added to times, after the stream began again or a gap was shortened */
};

struct rmf_sink {
    struct rmf_sink_config config;
    const struct rmf_container *container;
    char *url;
    AVFormatContext *format;
    AVPacket *packet;
    bool created, header_written, finished;
    int64_t zero_us;   /* time of the first data; RMF_NEVER: none came */
    int64_t origin_us; /* what is time 0 of the file, since zero_us; known with the header */
    struct rmf_track audio, video;
    /* sound */
    SwrContext *swr;
    int in_rate, in_channels;
    AVAudioFifo *fifo;
    int64_t fifo_pts; /* of the first sample in it */
    uint8_t **scratch;
    int scratch_frames;
    AVFrame *audio_frame;
    /* pictures */
    struct SwsContext *sws;
    AVFrame *video_frame; /* the last one */
    int64_t last_pts;
};

/* sink.c */
/* Time of the data since the first of all. */
int64_t rmf_sink_time(struct rmf_sink *sink, const struct rmf_track *track, int64_t timestamp_us);
/* The first of the encoders that this FFmpeg has; NULL: none. */
const AVCodec *rmf_sink_encoder(const char *const names[RMF_ENCODERS_MAX]);
/* Into the encoder (NULL: it is all) and out to the file. AVERROR. */
int rmf_sink_encode(struct rmf_sink *sink, struct rmf_track *track, const AVFrame *frame);
/* After media of time `now_us` was taken: whether the header can be written now. */
int rmf_sink_advance(struct rmf_sink *sink, int64_t now_us);
rm_err rmf_sink_failed(struct rmf_sink *sink, int av_error, struct rmf_fault *fault);

int rmf_sink_audio_drain(struct rmf_sink *sink);
int rmf_sink_video_drain(struct rmf_sink *sink);

#endif
