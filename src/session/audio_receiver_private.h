/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SESSION_AUDIO_RECEIVER_PRIVATE_H
#define RMI_SESSION_AUDIO_RECEIVER_PRIVATE_H

#include "codec/audio.h"
#include "frame/pool.h"
#include "session/audio_receiver.h"

/* Of the chunk's samples, per channel, one is so many ticks of the RTP clock. */
struct rmi_audio_store {
    float *pcm;
    size_t cap; /* values */
    size_t at, n;
};

struct rmi_audio_receiver {
    uint32_t rate;
    int channels;
    bool copy, adapt_chunk;
    char stream_id[RM_STREAM_ID_MAX];
    uint32_t ticks; /* of the RTP clock in one sample */
    struct rmi_audio_buffer *buffer;
    struct rmi_audio_decoder *decoder;
    struct rmi_frame_pool *pool;

    size_t chunk;  /* samples */
    size_t packet; /* samples of the newest packet */
    unsigned other_lengths;
    bool known; /* what the stream's packets are like */

    int64_t next_us;
    int64_t planned_us; /* when the pull was to be that waits for a late packet; RMI_NEVER: none waits */
    int64_t last_arrival_us;

    struct rmi_audio_store store; /* decoded, not played */
    struct rmi_audio_store scratch;
    float *spare; /* one chunk of 20 ms that nobody gets as it is */
    int64_t stretched_us;
    /* In a row, what would have been heard: stretches asked for, and attempts to empty the store. */
    unsigned refused, untidy;
    bool concealing; /* what came out last */

    uint64_t restarts;
    int64_t near_ticks;   /* some recent timestamp without wraps */
    int64_t origin_ticks; /* that is origin_us in the time of chunks */
    int64_t origin_us;
    int64_t end_ticks; /* of all that was decoded */
    int64_t chunk_end_us, pulled_us;
    int64_t arrival_us; /* of the newest packet decoded */

    struct rmi_audio_receiver_stats stats;
};

/* The next chunk's samples. RM_E_AGAIN: none; RM_E_NO_MEMORY. */
rm_err rmi_audio_receiver_fill(struct rmi_audio_receiver *r, int64_t now_us, float *chunk);
/* When the packets that the next chunk after the one at `next_us` needs are due; for a stream that has begun. */
int64_t rmi_audio_receiver_due(const struct rmi_audio_receiver *r);

#endif
