/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SESSION_AUDIO_RECEIVER_H
#define RMI_SESSION_AUDIO_RECEIVER_H

#include "jitter/audio.h"
#include "jitter/sync.h"
#include <remotemedia/data.h>

/* One incoming stream of sound: Opus packets in, chunks of float samples out at an even pace. Jitter buffer, in-band
 * FEC, concealment, time-stretch and drift correction. Pure: told the time; one thread.
 *
 * Nobody's sound card sets the pace, so it is the sender's: the pulls follow the packets' own cadence, a clock that
 * drifts included, and the samples are left alone. Only what the pace cannot even out is stretched. */
struct rmi_audio_receiver;

struct rmi_audio_receiver_config {
    uint32_t rate_hz;      /* of the chunks: 8000, 12000, 16000, 24000, 48000; 0 = 48000 */
    int channels;          /* 1 or 2; 0 = 1 */
    uint32_t chunk_us;     /* 2500, 5000, 10000, 20000; 0 = as long as the sender's packets (at most 20 ms) */
    int64_t max_delay_us;  /* ceiling of the adaptive delay (jitter_buffer_size_ms), 0..1 s */
    bool copy;             /* decode into memory of the receiver and copy to a heap object, as a build without zero-copy
                              would: only to measure what zero-copy saves */
    const char *stream_id; /* set on every chunk; NULL: none; copied */
};

/* RM_E_INVALID_ARG, RM_E_NO_MEMORY. */
rm_err rmi_audio_receiver_create(const struct rmi_audio_receiver_config *config, struct rmi_audio_receiver **out);
void rmi_audio_receiver_destroy(struct rmi_audio_receiver **receiver);
/* One packet's payload; `buf` holds it at offset..offset+len and a reference is taken. `repaired`: not first-hand, thus
 * later than the network made it. Malformed Opus is counted and dropped. */
void rmi_audio_receiver_insert(struct rmi_audio_receiver *r, uint32_t ssrc, uint16_t seq, uint32_t timestamp,
                               int64_t arrival_us, struct rmi_buf *buf, uint32_t offset, uint32_t len, bool repaired);
/* When to pull next; RMI_NEVER before the first packet, and again after a second without any. Ask after inserts and
 * pulls. Steps of a chunk, that end where packets need not wait: one that must be later comes up to 2 ms later, one
 * that may be earlier by 2 %, or by up to an eighth while there is much delay
 * to make up for. */
int64_t rmi_audio_receiver_next_pull(const struct rmi_audio_receiver *r);
/* Whether a packet is late whose sound the last pull did not want to invent: the next pull is when it is given up, and
 * a packet that is inserted may bring it forward. */
bool rmi_audio_receiver_is_waiting(const struct rmi_audio_receiver *r);
/* One chunk, in a pooled buffer (the caller's reference). Its time is the sender's RTP time of its first sample in
 * microseconds since the stream's first packet (it goes on when another stream takes over), its arrival
 * (rm_runtime_data_arrival_us) that of the newest packet in it.
 * RM_E_AGAIN: nothing to play (not begun, or the sender is gone): no chunk this time. RM_E_LIMIT: the pool's cap is
 * reached, the chunk is lost and counted; RM_E_NO_MEMORY likewise. */
rm_err rmi_audio_receiver_pull(struct rmi_audio_receiver *r, int64_t now_us, rm_runtime_data **out);

void rmi_audio_receiver_set_sync_delay(struct rmi_audio_receiver *r, int64_t delay_us);
void rmi_audio_receiver_timing(const struct rmi_audio_receiver *r, struct rmi_av_timing *out);

struct rmi_audio_receiver_stats {
    struct rmi_audio_buffer_stats buffer;
    uint64_t chunks, lost_chunks, malformed;
    uint64_t copied_chunks;              /* that came by way of the store instead of straight from the decoder */
    uint64_t samples, concealed_samples; /* W3C totalSamplesReceived, concealedSamples */
    uint64_t concealments;               /* W3C concealmentEvents: times it began */
    uint64_t stretched_samples;          /* added or left out */
    int64_t waited_us;                   /* in the jitter buffer, smoothed: W3C jitterBufferDelay / emitted */
    uint32_t chunk_us;                   /* 0: not known yet */
    size_t pool_allocations;
};
void rmi_audio_receiver_get_stats(const struct rmi_audio_receiver *r, struct rmi_audio_receiver_stats *out);

#endif
