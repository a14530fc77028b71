/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMF_SOURCE_PRIVATE_H
#define RMF_SOURCE_PRIVATE_H

#include "packets.h"
#include "source.h"
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/audio_fifo.h>
#include <libswresample/swresample.h>
#include <libswscale/swscale.h>

struct rmf_stream {
    AVStream *av; /* NULL: the file has none */
    AVCodecContext *decoder;
    struct rmf_packets packets; /* one stream of a file may be far ahead of the other */
    bool drained;               /* nothing more comes out of the decoder */
    uint64_t decoded;
};

struct rmf_audio {
    struct rmf_stream stream;
    SwrContext *swr;
    AVChannelLayout layout; /* and format and rate that swr was made for */
    int format, rate;
    AVAudioFifo *fifo;
    int64_t base_us;   /* time of sample 0 in `taken` */
    int64_t taken;     /* frames handed out since base_us */
    int64_t jump_at;   /* after so many frames... */
    int64_t jump_us;   /* ...time goes on here; RMF_NEVER: no gap ahead */
    uint8_t **scratch; /* converted samples */
    int scratch_frames;
};

struct rmf_video {
    struct rmf_stream stream;
    struct SwsContext *sws;
    AVFrame *current, *next; /* `next` is used with a frame rate of our own only */
    int64_t current_us, next_us;
    bool has_current, has_next;
    int64_t frame_us; /* duration of one picture */
    int64_t slot, first_us;
};

struct rmf_source {
    struct rmf_source_config config;
    char *url;
    AVFormatContext *format;
    AVPacket *packet;
    AVFrame *frame;
    struct rmf_audio audio;
    struct rmf_video video;
    bool file_ended;
    int read_error;          /* AVERROR that ended the file early, or 0 */
    int64_t skip_until_us;   /* time in the file at which sound and pictures begin; RMF_NEVER: at its start */
    int64_t origin_us;       /* time in the file of this pass's first item; RMF_NEVER: not known yet */
    int64_t shift_us;        /* where this pass begins */
    int64_t end_us;          /* where it ends, as far as known */
    int64_t pictures_end_us; /* the same, of pictures only */
};

/* source_demux.c */
/* One more decoded frame in source->frame. 0; AVERROR(EAGAIN): the other stream is too far behind in the file;
 * AVERROR_EOF: no more. */
int rmf_decode(struct rmf_source *source, struct rmf_stream *stream);
/* Time of source->frame in the file; `otherwise` when it has none. */
int64_t rmf_frame_us(const struct rmf_source *source, const struct rmf_stream *stream, int64_t otherwise);

/* source_audio.c: the time of the next whole chunk, or RMF_NEVER. Return as of rmf_decode. */
int rmf_audio_head(struct rmf_source *source, int64_t *head_us);
void rmf_audio_reset(struct rmf_audio *audio);
void rmf_audio_free(struct rmf_audio *audio);

/* source_video.c: the same for pictures. */
int rmf_video_head(struct rmf_source *source, int64_t *head_us);
void rmf_video_size(const struct rmf_source *source, int *width, int *height);
void rmf_video_taken(struct rmf_source *source);
void rmf_video_reset(struct rmf_video *video);
void rmf_video_free(struct rmf_video *video);

#endif
