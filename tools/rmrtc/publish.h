/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_PUBLISH_H
#define RMRTC_PUBLISH_H

#include <remotemedia/webrtc_session.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sends a moving test picture with test sound, or a media file in a loop, to every peer, in real time. */
struct publisher;

struct publisher_config {
    rm_webrtc *transport;   /* outlives the publisher */
    rm_webrtc_session *mix; /* its sound goes into this session, not to its peers; NULL: there is none */
    rm_webrtc **others;     /* these send the same, each with encoders of its own; they outlive it too */
    size_t other_count;
    const char *source;     /* "test", or a file */
    uint32_t width, height; /* 0: 1280 x 720 for the test picture, a file as it is */
    uint32_t fps;           /* 0: 30, a file as it is */
    uint32_t audio_chunk_ms;
    bool audio, video;
    bool stamp; /* files too get stamps (stamp.h) and markers (marker.h), so that whoever receives them knows their age;
                   the test source always has them */
    bool keep;  /* so many pictures that publisher_picture finds the one that a processed one was made of */
};

/* Errors are told in `detail`. */
rm_err publisher_start(const struct publisher_config *config, struct publisher **out, char *detail, size_t detail_size);
void publisher_stop(struct publisher **publisher);

struct publisher_stats {
    uint64_t pictures, chunks, refused; /* refused: send calls that failed */
    rm_err last_error;
    double source_cpu_s; /* of drawing or decoding pictures and sound, which a camera would not take */
};
/* Whether it has ended by itself, and why: the file is no media file, cannot be read on, ... */
bool publisher_failed(struct publisher *publisher, char *detail, size_t detail_size);
/* The sent picture with the stamp of `like`; the last one if there is none, or `like` is NULL. The caller's reference.
 * NULL: none was sent. */
rm_runtime_data *publisher_picture(struct publisher *publisher, const rm_video *like);
void publisher_get_stats(const struct publisher *publisher, struct publisher_stats *out);

#endif
