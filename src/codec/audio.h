/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_CODEC_AUDIO_H
#define RMI_CODEC_AUDIO_H

#include "codec/codec_id.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Samples are interleaved floats in -1..1; counts of samples are per channel. One thread per object. */

#define RMI_AUDIO_BITRATE_MIN_BPS 6000
#define RMI_AUDIO_BITRATE_MAX_BPS 510000
#define RMI_AUDIO_PACKET_MAX 1275     /* bytes of one Opus frame: RFC 6716 3.4 */
#define RMI_AUDIO_FRAME_MAX_US 120000 /* what one packet can hold: RFC 6716 3.2.5 */

enum rmi_audio_use {
    RMI_AUDIO_USE_VOICE,     /* speech; in-band FEC is at its best here */
    RMI_AUDIO_USE_MUSIC,     /* everything else */
    RMI_AUDIO_USE_LOW_DELAY, /* 2.5 ms of look-ahead instead of 6.5; no in-band FEC */
};

struct rmi_audio_encoder;

struct rmi_audio_encoder_config {
    enum rmi_audio_use use;
    uint32_t rate_hz;     /* 8000, 12000, 16000, 24000, 48000 */
    int channels;         /* 1, 2 */
    uint32_t frame_us;    /* 2500, 5000, 10000, 20000, 40000, 60000 */
    uint32_t bitrate_bps; /* RMI_AUDIO_BITRATE_MIN_BPS..MAX_BPS */
    int complexity;       /* 0..10; 5 for an encoder per receiver, 9 for one alone (measured) */
    int loss_percent;     /* expected loss, 0..100: how much goes into FEC */
    bool fec; /* in-band FEC: a packet carries a coarse copy of the frame before (frames of 10 ms and more) */
    bool dtx; /* send next to nothing in silence */
};

/* 48 kHz, mono, voice, 10 ms, 32 kbit/s, complexity 5, FEC and DTX off. */
void rmi_audio_encoder_config_init(struct rmi_audio_encoder_config *config);
/* RM_E_INVALID_ARG, RM_E_UNSUPPORTED (not an audio codec), RM_E_NO_MEMORY. */
rm_err rmi_audio_encoder_create(enum rmi_codec_id codec, const struct rmi_audio_encoder_config *config,
                                struct rmi_audio_encoder **out);
void rmi_audio_encoder_destroy(struct rmi_audio_encoder **e);
/* One frame of rmi_audio_encoder_frame_samples() samples. `cap` of RMI_AUDIO_PACKET_MAX always suffices. *len of 0:
 * discontinuous transmission, nothing need be sent. RM_E_INVALID_ARG: another number of samples. RM_E_TOO_BIG: cap. */
rm_err rmi_audio_encoder_encode(struct rmi_audio_encoder *e, const float *pcm, size_t samples, uint8_t *out, size_t cap,
                                size_t *len);
size_t rmi_audio_encoder_frame_samples(const struct rmi_audio_encoder *e);
/* Samples by which the encoder delays the sound. */
size_t rmi_audio_encoder_lookahead_samples(const struct rmi_audio_encoder *e);
/* The frame before the first one, which another encoder has encoded: this one goes on from there, and its first packet
 * needs nothing of those before it. As rmi_audio_encoder_encode, without a result. */
rm_err rmi_audio_encoder_warm(struct rmi_audio_encoder *e, const float *pcm, size_t samples);
/* The next packet needs nothing of those before it. */
rm_err rmi_audio_encoder_restart(struct rmi_audio_encoder *e);
/* From the next frame on. Rate, channels and use stay: RM_E_INVALID_ARG on a change of those, or out of range. */
rm_err rmi_audio_encoder_configure(struct rmi_audio_encoder *e, const struct rmi_audio_encoder_config *config);

struct rmi_audio_decoder;

struct rmi_audio_decoder_config {
    uint32_t rate_hz; /* of the output, whatever was encoded */
    int channels;     /* likewise */
};

rm_err rmi_audio_decoder_create(enum rmi_codec_id codec, const struct rmi_audio_decoder_config *config,
                                struct rmi_audio_decoder **out);
void rmi_audio_decoder_destroy(struct rmi_audio_decoder **d);
/* `cap` is in samples per channel. RM_E_PARSE: malformed. RM_E_TOO_BIG: the packet holds more than `cap`. */
rm_err rmi_audio_decoder_decode(struct rmi_audio_decoder *d, const uint8_t *data, size_t len, float *pcm, size_t cap,
                                size_t *samples);
/* The frame before this packet was lost: its `samples` from the copy in the packet, or concealment where there is no
 * copy. Then decode the packet itself. RM_E_INVALID_ARG: not a multiple of 2.5 ms, or over 120 ms. */
rm_err rmi_audio_decoder_decode_fec(struct rmi_audio_decoder *d, const uint8_t *data, size_t len, float *pcm,
                                    size_t samples);
/* Nothing there: `samples` that continue the sound and fade out. */
rm_err rmi_audio_decoder_conceal(struct rmi_audio_decoder *d, float *pcm, size_t samples);
/* Forget the sound so far (new stream). */
void rmi_audio_decoder_reset(struct rmi_audio_decoder *d);

/* Samples in an Opus packet at this rate, 0 when malformed. */
size_t rmi_opus_packet_samples(const uint8_t *data, size_t len, uint32_t rate_hz);
/* Whether it carries a copy of the frame before it. */
bool rmi_opus_packet_has_fec(const uint8_t *data, size_t len);

#endif
