/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SESSION_AUDIO_SENDER_H
#define RMI_SESSION_AUDIO_SENDER_H

#include "codec/audio.h"
#include "rtp/batch.h"
#include "session/audio_share.h"
#include <remotemedia/data.h>

/* One outgoing stream of sound: chunks of any length, rate and channel count in, Opus packets out. Made once for all
 * peers it goes to. One thread at a time. */
struct rmi_audio_sender;

/* Gets each batch; takes a reference if it keeps it. */
typedef void (*rmi_batch_fn)(void *ctx, const struct rmi_rtp_batch *batch);

struct rmi_audio_sender_config {
    struct rmi_audio_encoder_config encoder; /* rate_hz and channels of 0: as the first chunk's (nearest Opus rate at or
                                                above; 1 or 2 channels) */
    int64_t (*clock_us)(void *ctx);          /* measures encoding; NULL: not measured */
    rmi_batch_fn on_batch;
    rmi_batch_fn on_narrow; /* the narrow encoder's, below; NULL: there is none */
    void *ctx;              /* of all */
};

/* The encoder's defaults with rate and channels 0. */
void rmi_audio_sender_config_init(struct rmi_audio_sender_config *config);
/* RM_E_INVALID_ARG, RM_E_NO_MEMORY. */
rm_err rmi_audio_sender_create(const struct rmi_audio_sender_config *config, struct rmi_audio_sender **out);
void rmi_audio_sender_destroy(struct rmi_audio_sender **sender);
/* Encodes what makes whole frames and keeps the rest. `now_us`: when the chunk's last sample was taken. A chunk that is
 * one frame at the encoder's rate is encoded where it lies. A time (rm_runtime_data_timestamp_us) that runs ahead of
 * the samples by over 20 ms is a gap: the RTP timestamp jumps likewise. So is half a second without sound, for chunks
 * that have no time. RM_E_INVALID_ARG: no audio, or a rate that nothing converts; errors of the encoder. */
rm_err rmi_audio_sender_input(struct rmi_audio_sender *s, const rm_runtime_data *audio, int64_t now_us);
/* From the next frame on: bitrate, complexity, loss, FEC, DTX and frame length of `encoder`; from the one after it on:
 * its use, for which another encoder takes over. The time goes on; the sound is late by as much as that one looks
 * further ahead. RM_E_INVALID_ARG: another rate or number of channels (0: as they are), or out of range;
 * RM_E_NO_MEMORY; nothing changed. */
rm_err rmi_audio_sender_configure(struct rmi_audio_sender *s, const struct rmi_audio_encoder_config *encoder);

/* For receivers whose paths the sound as configured would fill, another encoder beside that one, or in its place
 * (session/audio_share.h): the same sound at the same times, in frames of 20 ms, or longer ones if those are
 * configured. From the next frame of it on. It begins where one of the other's frames begins; there, and whenever
 * somebody asks to `change`, a batch of the other's is a key frame: both encoders' frames begin here and need nothing
 * of those before, so that receivers can change over. Where it cannot be made there is the other. */
void rmi_audio_sender_make(struct rmi_audio_sender *s, const struct rmi_audio_make *make);

struct rmi_audio_sender_stats {
    uint64_t frames, silent_frames, bytes; /* sent, not sent for being silent (DTX), of the frames sent; of both */
    uint64_t gaps, exhausted;              /* exhausted: frames lost because peers hold all memory of batches */
    int64_t encode_us;                     /* smoothed over about eight frames; 0 without a clock */
    int64_t lookahead_us; /* by which encoder and resampler delay the sound; 0 before the first chunk */
};
void rmi_audio_sender_get_stats(const struct rmi_audio_sender *s, struct rmi_audio_sender_stats *out);

#endif
