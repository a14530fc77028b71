/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_JITTER_AUDIO_H
#define RMI_JITTER_AUDIO_H

#include "base/buf.h"
#include "jitter/sync.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stdint.h>

/* Playout of one received audio stream: packets in as they come, decisions out at a fixed cadence.
 *
 * The caller keeps the decoded samples it has not played yet (its store). Once per chunk:
 *
 *     while (store < chunk) {
 *         rmi_audio_buffer_pull(buffer, now_us, store, &d);
 *         if (d.action == RMI_AUDIO_WAIT) { fill the chunk with silence; break; }
 *         decode as told, stretch by d.stretch_ticks, resample by d.resample_ppm, add to the store
 *         rmi_buf_unref(&d.buf);
 *     }
 *     play chunk
 *
 * with one `now_us` for all pulls of a chunk. Because the store is told anew each time, a stretcher may change more or
 * less than it was asked for. All durations are in ticks of the RTP clock. */
struct rmi_audio_buffer;

struct rmi_audio_buffer_config {
    uint32_t clock_rate;   /* Hz, 8000..192000 */
    uint32_t chunk_ticks;  /* played per pull; 1/1000 .. 1/8 second */
    int64_t max_delay_us;  /* ceiling of the adaptive delay, 0..1 s */
    int64_t min_delay_us;  /* floor of it, for a pull whose own timing is rough; 0..max_delay_us */
    bool ignore_own_drift; /* never asks for resampling: the caller stretches only */
};

struct rmi_audio_packet {
    uint32_t ssrc, timestamp;
    uint16_t seq;
    uint32_t duration; /* ticks; at most 120 ms (RFC 7587 4.2) */
    bool fec;          /* carries a copy of the packet before it (Opus in-band FEC) */
    bool dtx;          /* nothing but silence follows until the next packet (Opus: 1 or 2 bytes) */
    bool redundant;    /* a repair: its own number and timestamp, entered after what it came with (RFC 2198), or sent
                          again. Its arrival says nothing of the network */
    int64_t arrival_us;
    struct rmi_buf *buf; /* the buffer takes a reference of its own when it stores the packet; may be NULL */
    uint32_t offset, len;
};

enum rmi_audio_verdict {
    RMI_AUDIO_STORED,
    RMI_AUDIO_DUPLICATE,
    RMI_AUDIO_LATE,        /* its moment has passed */
    RMI_AUDIO_IMPLAUSIBLE, /* does not fit the stream, or a duration out of range */
};

enum rmi_audio_action {
    RMI_AUDIO_WAIT,    /* nothing to play yet, or no more: silence */
    RMI_AUDIO_PLAY,    /* decode `buf` */
    RMI_AUDIO_FEC,     /* decode the copy inside `buf` of the packet before it; `buf` itself comes later */
    RMI_AUDIO_CONCEAL, /* let the decoder invent `duration` ticks, a multiple of 2.5 ms */
};

struct rmi_audio_decision {
    enum rmi_audio_action action;
    struct rmi_buf *buf; /* a reference that is now the caller's */
    uint32_t offset, len;
    uint32_t duration;
    uint32_t timestamp;
    uint16_t seq;
    bool comfort_noise;    /* CONCEAL: the sender is silent, nothing was lost */
    int32_t stretch_ticks; /* PLAY: lengthen (> 0) or shorten (< 0) these samples smoothly; 0: leave alone */
    double resample_ppm;   /* > 0: play faster; at most RMI_DRIFT_MAX_PPM either way */
    int64_t waited_us;     /* PLAY, FEC: in here since its arrival */
};

struct rmi_audio_buffer_stats {
    uint64_t packets, played, duplicates, late, implausible, restarts, skipped, fec_played;
    uint64_t concealed_ticks, comfort_ticks, fec_ticks, played_ticks, grown_ticks, shrunk_ticks;
    uint64_t starved; /* times it ran dry */
    int64_t target_us, delay_us;
    double drift_ppm;
    size_t held, held_peak;
};

/* RM_E_INVALID_ARG, RM_E_NO_MEMORY. */
rm_err rmi_audio_buffer_create(const struct rmi_audio_buffer_config *config, struct rmi_audio_buffer **out);
/* Nulls the pointer; gives back what is held. */
void rmi_audio_buffer_destroy(struct rmi_audio_buffer **buffer);
/* From the next pull on. RM_E_INVALID_ARG: out of range. */
rm_err rmi_audio_buffer_set_chunk(struct rmi_audio_buffer *b, uint32_t chunk_ticks);
enum rmi_audio_verdict rmi_audio_buffer_insert(struct rmi_audio_buffer *b, const struct rmi_audio_packet *packet);
/* `store_ticks`: decoded and not yet played; a call with a whole chunk in store waits. */
void rmi_audio_buffer_pull(struct rmi_audio_buffer *b, int64_t now_us, uint32_t store_ticks,
                           struct rmi_audio_decision *out);
/* The extra delay that rmi_av_sync_update asks for; above the ceiling if need be (at most RMI_AV_SYNC_MAX_US). */
void rmi_audio_buffer_set_sync_delay(struct rmi_audio_buffer *b, int64_t delay_us);
/* Where this stream stands, for rmi_av_sync_update. */
void rmi_audio_buffer_timing(const struct rmi_audio_buffer *b, struct rmi_av_timing *out);
/* When the next packet is due by the target delay: a caller that is free to choose the phase of its cadence places a
 * pull there and loses nothing to rounding. RMI_NEVER before the first packet. */
int64_t rmi_audio_buffer_next_due(const struct rmi_audio_buffer *b);
/* Whether a pull now would have to invent sound because the next packet is late or lost and nothing behind it is here:
 * a caller that feeds no sound card may wait for it. False in a silence that the sender made. */
bool rmi_audio_buffer_is_dry(const struct rmi_audio_buffer *b);
struct rmi_audio_buffer_stats rmi_audio_buffer_get_stats(const struct rmi_audio_buffer *b);

#endif
