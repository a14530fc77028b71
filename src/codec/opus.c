/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cursor.h"
#include "codec/audio.h"
#include "codec/codec_private.h"
#include <opus/opus.h>
#include <stdlib.h>

#define US_PER_S 1000000
#define DTX_BYTES_MAX 2 /* the library's mark for "need not be sent" */
#define STEP_US 2500    /* every duration is a multiple: RFC 6716 2.1.4 */
#define SAMPLES_PER_S_MAX 48000
#define DEFAULT_RATE_HZ 48000
#define DEFAULT_FRAME_US 10000
#define DEFAULT_BITRATE_BPS 32000
#define DEFAULT_COMPLEXITY 5
#define COMPLEXITY_MAX 10
#define PERCENT_MAX 100

struct rmi_audio_encoder {
    struct rmi_audio_encoder_config config;
    OpusEncoder *lib;
    bool alone; /* the next packet needs none before it */
};

struct rmi_audio_decoder {
    struct rmi_audio_decoder_config config;
    OpusDecoder *lib;
};

static rm_err error_of(int err) {
    switch (err) {
    case OPUS_BUFFER_TOO_SMALL:
        return RM_E_TOO_BIG;
    case OPUS_INVALID_PACKET:
        return RM_E_PARSE;
    case OPUS_ALLOC_FAIL:
        return RM_E_NO_MEMORY;
    case OPUS_BAD_ARG:
        return RM_E_INVALID_ARG;
    default:
        return err < 0 ? RM_E_INTERNAL : RM_OK;
    }
}

static bool rate_valid(uint32_t rate) {
    return rate == 8000 || rate == 12000 || rate == 16000 || rate == 24000 || rate == 48000;
}

static bool channels_valid(int channels) {
    return channels == 1 || channels == 2;
}

/* ---- encoder ---- */

void rmi_audio_encoder_config_init(struct rmi_audio_encoder_config *config) {
    *config = (struct rmi_audio_encoder_config){
        .use = RMI_AUDIO_USE_VOICE,
        .rate_hz = DEFAULT_RATE_HZ,
        .channels = 1,
        .frame_us = DEFAULT_FRAME_US,
        .bitrate_bps = DEFAULT_BITRATE_BPS,
        .complexity = DEFAULT_COMPLEXITY,
    };
}

static bool frame_valid(uint32_t us) {
    return us == 2500 || us == 5000 || us == 10000 || us == 20000 || us == 40000 || us == 60000;
}

static bool config_valid(const struct rmi_audio_encoder_config *c) {
    return c->use >= RMI_AUDIO_USE_VOICE && c->use <= RMI_AUDIO_USE_LOW_DELAY && rate_valid(c->rate_hz) &&
           channels_valid(c->channels) && frame_valid(c->frame_us) && c->bitrate_bps >= RMI_AUDIO_BITRATE_MIN_BPS &&
           c->bitrate_bps <= RMI_AUDIO_BITRATE_MAX_BPS && c->complexity >= 0 && c->complexity <= COMPLEXITY_MAX &&
           c->loss_percent >= 0 && c->loss_percent <= PERCENT_MAX;
}

static int application(enum rmi_audio_use use) {
    if (use == RMI_AUDIO_USE_VOICE)
        return OPUS_APPLICATION_VOIP;
    return use == RMI_AUDIO_USE_MUSIC ? OPUS_APPLICATION_AUDIO : OPUS_APPLICATION_RESTRICTED_LOWDELAY;
}

static rm_err apply(struct rmi_audio_encoder *e) {
    const struct rmi_audio_encoder_config *c = &e->config;
    int err = opus_encoder_ctl(e->lib, OPUS_SET_BITRATE((opus_int32)c->bitrate_bps));
    err = err ? err : opus_encoder_ctl(e->lib, OPUS_SET_COMPLEXITY(c->complexity));
    err = err ? err : opus_encoder_ctl(e->lib, OPUS_SET_INBAND_FEC(c->fec ? 1 : 0));
    err = err ? err : opus_encoder_ctl(e->lib, OPUS_SET_PACKET_LOSS_PERC(c->loss_percent));
    err = err ? err : opus_encoder_ctl(e->lib, OPUS_SET_DTX(c->dtx ? 1 : 0));
    return error_of(err);
}

rm_err rmi_opus_encoder_create(const struct rmi_audio_encoder_config *config, struct rmi_audio_encoder **out) {
    if (!config_valid(config))
        return RM_E_INVALID_ARG;
    struct rmi_audio_encoder *e = calloc(1, sizeof *e);
    if (!e)
        return RM_E_NO_MEMORY;
    int lib_err = OPUS_OK;
    e->config = *config;
    e->lib = opus_encoder_create((opus_int32)config->rate_hz, config->channels, application(config->use), &lib_err);
    rm_err err = e->lib ? apply(e) : error_of(lib_err);
    if (err) {
        rmi_audio_encoder_destroy(&e);
        return err;
    }
    *out = e;
    return RM_OK;
}

void rmi_audio_encoder_destroy(struct rmi_audio_encoder **e) {
    if (!e || !*e)
        return;
    if ((*e)->lib)
        opus_encoder_destroy((*e)->lib);
    free(*e);
    *e = NULL;
}

size_t rmi_audio_encoder_frame_samples(const struct rmi_audio_encoder *e) {
    return (size_t)((uint64_t)e->config.rate_hz * e->config.frame_us / US_PER_S);
}

size_t rmi_audio_encoder_lookahead_samples(const struct rmi_audio_encoder *e) {
    opus_int32 samples = 0;
    if (opus_encoder_ctl(e->lib, OPUS_GET_LOOKAHEAD(&samples)) != OPUS_OK)
        return 0;
    return samples > 0 ? (size_t)samples : 0;
}

rm_err rmi_audio_encoder_encode(struct rmi_audio_encoder *e, const float *pcm, size_t samples, uint8_t *out, size_t cap,
                                size_t *len) {
    if (samples != rmi_audio_encoder_frame_samples(e) || cap == 0)
        return RM_E_INVALID_ARG;
    opus_int32 room = cap > RMI_AUDIO_PACKET_MAX ? RMI_AUDIO_PACKET_MAX : (opus_int32)cap;
    opus_int32 n = opus_encode_float(e->lib, pcm, (int)samples, out, room);
    if (n < 0)
        return error_of(n);
    if (e->alone)
        opus_encoder_ctl(e->lib, OPUS_SET_PREDICTION_DISABLED(0));
    e->alone = false;
    *len = e->config.dtx && n <= DTX_BYTES_MAX ? 0 : (size_t)n;
    return RM_OK;
}

rm_err rmi_audio_encoder_restart(struct rmi_audio_encoder *e) {
    const int err = opus_encoder_ctl(e->lib, OPUS_SET_PREDICTION_DISABLED(1));
    e->alone = err == OPUS_OK;
    return error_of(err);
}

rm_err rmi_audio_encoder_warm(struct rmi_audio_encoder *e, const float *pcm, size_t samples) {
    uint8_t unheard[RMI_AUDIO_PACKET_MAX];
    if (samples != rmi_audio_encoder_frame_samples(e))
        return RM_E_INVALID_ARG;
    const rm_err err = rmi_audio_encoder_restart(e);
    if (err)
        return err;
    const opus_int32 n = opus_encode_float(e->lib, pcm, (int)samples, unheard, sizeof unheard);
    return n < 0 ? error_of(n) : RM_OK;
}

rm_err rmi_audio_encoder_configure(struct rmi_audio_encoder *e, const struct rmi_audio_encoder_config *config) {
    if (!config_valid(config) || config->use != e->config.use || config->rate_hz != e->config.rate_hz ||
        config->channels != e->config.channels)
        return RM_E_INVALID_ARG;
    e->config = *config;
    return apply(e);
}

/* ---- decoder ---- */

rm_err rmi_opus_decoder_create(const struct rmi_audio_decoder_config *config, struct rmi_audio_decoder **out) {
    if (!rate_valid(config->rate_hz) || !channels_valid(config->channels))
        return RM_E_INVALID_ARG;
    struct rmi_audio_decoder *d = calloc(1, sizeof *d);
    if (!d)
        return RM_E_NO_MEMORY;
    int lib_err = OPUS_OK;
    d->config = *config;
    d->lib = opus_decoder_create((opus_int32)config->rate_hz, config->channels, &lib_err);
    if (!d->lib) {
        free(d);
        return error_of(lib_err);
    }
    *out = d;
    return RM_OK;
}

void rmi_audio_decoder_destroy(struct rmi_audio_decoder **d) {
    if (!d || !*d)
        return;
    opus_decoder_destroy((*d)->lib);
    free(*d);
    *d = NULL;
}

rm_err rmi_audio_decoder_decode(struct rmi_audio_decoder *d, const uint8_t *data, size_t len, float *pcm, size_t cap,
                                size_t *samples) {
    size_t held = rmi_opus_packet_samples(data, len, d->config.rate_hz);
    if (held == 0)
        return RM_E_PARSE; /* in particular, the library takes no data for a loss */
    if (held > cap)
        return RM_E_TOO_BIG;
    int n = opus_decode_float(d->lib, data, (opus_int32)len, pcm, (int)held, 0);
    if (n < 0)
        return error_of(n);
    *samples = (size_t)n;
    return RM_OK;
}

static bool gap_valid(const struct rmi_audio_decoder *d, size_t samples) {
    size_t step = (size_t)((uint64_t)d->config.rate_hz * STEP_US / US_PER_S);
    size_t most = (size_t)((uint64_t)d->config.rate_hz * RMI_AUDIO_FRAME_MAX_US / US_PER_S);
    return samples > 0 && samples <= most && samples % step == 0;
}

rm_err rmi_audio_decoder_decode_fec(struct rmi_audio_decoder *d, const uint8_t *data, size_t len, float *pcm,
                                    size_t samples) {
    if (!gap_valid(d, samples))
        return RM_E_INVALID_ARG;
    if (rmi_opus_packet_samples(data, len, d->config.rate_hz) == 0)
        return RM_E_PARSE;
    int n = opus_decode_float(d->lib, data, (opus_int32)len, pcm, (int)samples, 1);
    return n < 0 ? error_of(n) : RM_OK;
}

rm_err rmi_audio_decoder_conceal(struct rmi_audio_decoder *d, float *pcm, size_t samples) {
    if (!gap_valid(d, samples))
        return RM_E_INVALID_ARG;
    int n = opus_decode_float(d->lib, NULL, 0, pcm, (int)samples, 0);
    return n < 0 ? error_of(n) : RM_OK;
}

void rmi_audio_decoder_reset(struct rmi_audio_decoder *d) {
    opus_decoder_ctl(d->lib, OPUS_RESET_STATE);
}

/* ---- packets: RFC 6716 ---- */

size_t rmi_opus_packet_samples(const uint8_t *data, size_t len, uint32_t rate_hz) {
    unsigned char toc;
    opus_int16 sizes[48]; /* frames of at least 2.5 ms in at most 120 ms */
    if (len == 0 || len > INT32_MAX || rate_hz == 0 || rate_hz > SAMPLES_PER_S_MAX)
        return 0;
    int frames = opus_packet_parse(data, (opus_int32)len, &toc, NULL, sizes, NULL);
    if (frames <= 0)
        return 0;
    int n = opus_packet_get_nb_samples(data, (opus_int32)len, (opus_int32)rate_hz);
    return n > 0 ? (size_t)n : 0;
}

/* 4.2.3: after the TOC byte each SILK frame begins, for each channel, with a voice activity flag per 20 ms and one flag
 * for the copy (LBRR). These are coded with probability one half, thus lie in the first bits as they are. */
#define TOC_CELT 0x80
#define TOC_CONFIG_SHIFT 3
#define CONFIG_HYBRID 12
#define TOC_STEREO 0x04

bool rmi_opus_packet_has_fec(const uint8_t *data, size_t len) {
    unsigned char toc;
    const unsigned char *frames[48];
    opus_int16 sizes[48];
    if (len == 0 || len > INT32_MAX || opus_packet_parse(data, (opus_int32)len, &toc, frames, sizes, NULL) <= 0)
        return false;
    if ((toc & TOC_CELT) || sizes[0] <= 0)
        return false;
    int config = toc >> TOC_CONFIG_SHIFT, silk_frames = 1;
    if (config < CONFIG_HYBRID && (config & 3) > 1)
        silk_frames = config & 3; /* 40 and 60 ms: two and three */
    struct rmi_rd r = rmi_rd_init(frames[0], (size_t)sizes[0]);
    uint8_t first = rmi_rd_u8(&r);
    bool mid = first >> (7 - silk_frames) & 1, side = first >> (6 - 2 * silk_frames) & 1;
    return mid || ((toc & TOC_STEREO) && side);
}
