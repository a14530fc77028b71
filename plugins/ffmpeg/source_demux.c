/* SPDX-License-Identifier: Apache-2.0 */
#include "source_private.h"

#define PACKET_BYTES_MAX (32 * 1024 * 1024) /* waiting because the other stream lies far behind in the file */

/* The next packet of the file into its stream's queue. */
static int read_packet(struct rmf_source *s) {
    struct rmf_stream *streams[] = {&s->audio.stream, &s->video.stream};
    if (s->config.cancelled(s->config.user))
        return AVERROR_EXIT;
    if (streams[0]->packets.bytes + streams[1]->packets.bytes > PACKET_BYTES_MAX)
        return AVERROR(EAGAIN);
    int err = av_read_frame(s->format, s->packet);
    if (err == AVERROR(EAGAIN))
        return 0;
    if (err == AVERROR_EXIT)
        return err;
    if (err < 0) {
        s->file_ended = true;
        s->read_error = err == AVERROR_EOF ? 0 : err;
        return 0;
    }
    for (int i = 0; i < 2; i++)
        if (streams[i]->av && streams[i]->av->index == s->packet->stream_index)
            return rmf_packets_push(&streams[i]->packets, s->packet);
    av_packet_unref(s->packet);
    return 0;
}

/* Gives the decoder one packet, or tells it that there are no more. */
static int feed(struct rmf_source *s, struct rmf_stream *stream) {
    while (!stream->packets.first && !s->file_ended) {
        int err = read_packet(s);
        if (err)
            return err;
    }
    AVPacket *packet = rmf_packets_pop(&stream->packets);
    int err = avcodec_send_packet(stream->decoder, packet);
    av_packet_free(&packet);
    /* A damaged packet costs its picture or sound, not the rest of the file. */
    return err == AVERROR(ENOMEM) ? err : 0;
}

int rmf_decode(struct rmf_source *source, struct rmf_stream *stream) {
    while (stream->av && !stream->drained) {
        int err = avcodec_receive_frame(stream->decoder, source->frame);
        stream->decoded += err == 0;
        if (err == 0 || err == AVERROR(ENOMEM))
            return err;
        stream->drained = err == AVERROR_EOF;
        if (!stream->drained && (err = feed(source, stream)))
            return err;
    }
    return AVERROR_EOF;
}

int64_t rmf_frame_us(const struct rmf_source *source, const struct rmf_stream *stream, int64_t otherwise) {
    int64_t pts = source->frame->best_effort_timestamp;
    return pts == AV_NOPTS_VALUE ? otherwise : av_rescale_q(pts, stream->av->time_base, AV_TIME_BASE_Q);
}
