/* SPDX-License-Identifier: Apache-2.0 */
#include "session/audio_sender.h"
#include "base/time.h"
#include "media/level.h"
#include "media/mix.h"
#include "media/resample.h"
#include <stdlib.h>
#include <string.h>

#define US_PER_S 1000000
#define CHANNELS_MAX 2
#define RATE_MAX_HZ 48000
/* The longest frame, 60 ms. */
#define PENDING_SAMPLES (RATE_MAX_HZ / 1000 * 60)
/* Conversion goes in blocks, so that its memory does not depend on the chunks. */
#define BLOCK_SAMPLES 480
#define BLOCK_OUT_SAMPLES 2048
/* The same room for header, extensions and authentication tag as a video payload leaves in a datagram. */
#define PAYLOAD_MAX 1160
/* Batches at a time, in all peers' queues: over a second of the shortest Opus frames (2.5 ms). Their memory is
 * allocated when they are needed. */
#define BATCHES_MAX 512
#define GAP_US RMI_MS(20)
/* Without times on the data: a source that hands over its sound unevenly is no silence. */
#define PAUSE_US RMI_MS(500)
#define TIME_MAX_US (INT64_MAX / 4)
#define SMOOTHING 8
/* Nothing here tells voice from other sound (the V bit of RFC 6464): what is louder than this may be voice. */
#define MAYBE_VOICE_DBOV 50

/* The encoder for narrow paths. Its frames are made of whole frames of the other. */
struct narrow {
    struct rmi_audio_encoder *encoder; /* NULL: none */
    bool warm;                         /* it has heard the frame before the one that is being collected */
    bool silent;
    size_t filled; /* samples of its frame so far */
    struct rmi_rtp_batch head;
    float pcm[PENDING_SAMPLES * CHANNELS_MAX];
};

struct rmi_audio_sender {
    struct rmi_audio_sender_config config;
    struct rmi_audio_encoder *encoder; /* NULL until the first chunk */
    struct rmi_audio_encoder *next;    /* for another use: takes over after the next frame; NULL: none */
    struct rmi_resampler *resampler;   /* NULL: the source has the encoder's rate */
    struct rmi_frame_pool *pool;
    uint32_t source_rate;
    int channels;
    uint32_t rate;
    enum rmi_audio_use use; /* of `encoder` */

    uint32_t timestamp; /* of the first pending sample, or the next one */
    int64_t tail_us;    /* from the end of what was pushed to the end of the chunk */
    int64_t now_us;
    bool has_time, has_pause;
    int64_t due_us, last_us; /* the data's own time expected next; end of the last chunk by the local clock */
    uint64_t due_rest;       /* of due_us, in 1/source_rate microseconds */

    bool silent; /* nothing is sent just now */
    size_t pending;
    struct rmi_audio_make wanted;
    bool has_full; /* `encoder` is in use, */
    bool warm;     /* or could be, for it has heard the frame before */
    bool change;   /* somebody waits for a place to change over */
    struct narrow narrow;
    struct rmi_audio_sender_stats stats;
    uint8_t packet[PAYLOAD_MAX];
    float pcm[PENDING_SAMPLES * CHANNELS_MAX];
    float mixed[BLOCK_SAMPLES * CHANNELS_MAX];
    float resampled[BLOCK_OUT_SAMPLES * CHANNELS_MAX];
};

void rmi_audio_sender_config_init(struct rmi_audio_sender_config *config) {
    *config = (struct rmi_audio_sender_config){.on_batch = NULL};
    rmi_audio_encoder_config_init(&config->encoder);
    config->encoder.rate_hz = 0;
    config->encoder.channels = 0;
}

/* Whether an encoder takes these settings, as far as they are known. */
static rm_err check(const struct rmi_audio_encoder_config *config) {
    struct rmi_audio_encoder *probe = NULL;
    struct rmi_audio_encoder_config c = *config;
    c.rate_hz = c.rate_hz ? c.rate_hz : RATE_MAX_HZ;
    c.channels = c.channels ? c.channels : 1;
    const rm_err err = rmi_audio_encoder_create(RMI_CODEC_OPUS, &c, &probe);
    rmi_audio_encoder_destroy(&probe);
    return err;
}

rm_err rmi_audio_sender_create(const struct rmi_audio_sender_config *config, struct rmi_audio_sender **out) {
    if (!config || !config->on_batch || !out)
        return RM_E_INVALID_ARG;
    rm_err err = check(&config->encoder);
    if (err)
        return err;
    struct rmi_audio_sender *s = calloc(1, sizeof *s);
    if (!s)
        return RM_E_NO_MEMORY;
    s->config = *config;
    s->wanted.full = s->has_full = true;
    const struct rmi_frame_pool_config pool = {.max_buffers = BATCHES_MAX};
    err = rmi_frame_pool_create(&pool, &s->pool);
    if (err) {
        free(s);
        return err;
    }
    *out = s;
    return RM_OK;
}

void rmi_audio_sender_destroy(struct rmi_audio_sender **sender) {
    if (!sender || !*sender)
        return;
    rmi_audio_encoder_destroy(&(*sender)->encoder);
    rmi_audio_encoder_destroy(&(*sender)->next);
    rmi_audio_encoder_destroy(&(*sender)->narrow.encoder);
    rmi_resampler_destroy(&(*sender)->resampler);
    rmi_frame_pool_destroy(&(*sender)->pool);
    free(*sender);
    *sender = NULL;
}

static void drop_narrow(struct rmi_audio_sender *s) {
    rmi_audio_encoder_destroy(&s->narrow.encoder);
    s->narrow.warm = s->narrow.silent = false;
    s->narrow.filled = 0;
}

void rmi_audio_sender_make(struct rmi_audio_sender *s, const struct rmi_audio_make *make) {
    s->wanted = *make;
    s->change = s->change || make->change;
    if (!s->config.on_narrow)
        s->wanted = (struct rmi_audio_make){.full = true};
}

/* The running encoder keeps its use, and takes the rest; for another use there is another one beside it. */
static rm_err reconfigure(struct rmi_audio_sender *s, const struct rmi_audio_encoder_config *config) {
    struct rmi_audio_encoder *next = NULL;
    struct rmi_audio_encoder_config same = *config;
    same.use = s->use;
    if (config->rate_hz != s->rate || config->channels != s->channels)
        return RM_E_INVALID_ARG;
    rm_err err = config->use == s->use ? RM_OK : rmi_audio_encoder_create(RMI_CODEC_OPUS, config, &next);
    err = err ? err : rmi_audio_encoder_configure(s->encoder, &same);
    if (err) {
        rmi_audio_encoder_destroy(&next);
        return err;
    }
    rmi_audio_encoder_destroy(&s->next);
    s->next = next;
    if (config->frame_us != s->config.encoder.frame_us)
        drop_narrow(s); /* its frames would not be whole ones; it begins anew */
    return RM_OK;
}

rm_err rmi_audio_sender_configure(struct rmi_audio_sender *s, const struct rmi_audio_encoder_config *encoder) {
    struct rmi_audio_encoder_config c = *encoder;
    c.rate_hz = c.rate_hz ? c.rate_hz : s->config.encoder.rate_hz;
    c.channels = c.channels ? c.channels : s->config.encoder.channels;
    rm_err err;
    if (s->encoder)
        err = reconfigure(s, &c);
    else
        err = c.rate_hz == s->config.encoder.rate_hz && c.channels == s->config.encoder.channels ? check(&c)
                                                                                                 : RM_E_INVALID_ARG;
    if (!err)
        s->config.encoder = c;
    return err;
}

/* ---- encoding ---- */

static int64_t us_of(uint64_t samples, uint32_t rate) {
    return (int64_t)(samples * US_PER_S / rate);
}

static int64_t clock_of(const struct rmi_audio_sender *s) {
    return s->config.clock_us ? s->config.clock_us(s->config.ctx) : 0;
}

static void send(struct rmi_audio_sender *s, size_t len, const struct rmi_rtp_batch *head, rmi_batch_fn to) {
    const struct rmi_packetizer_frame frame = {.data = s->packet, .len = len, .max_payload = PAYLOAD_MAX};
    const struct rmi_rtp_batch *batch = NULL;
    if (rmi_rtp_batch_create(s->pool, head, &frame, &batch)) {
        s->stats.exhausted++;
        return;
    }
    s->stats.frames++;
    s->stats.bytes += batch->bytes;
    to(s->config.ctx, batch);
    rmi_rtp_batch_unref(&batch);
}

/* In discontinuous transmission the first empty frame is sent, one byte, so that the receiver takes what follows for
 * silence and not for loss. */
static size_t silence_to_send(struct rmi_audio_sender *s, const struct rmi_audio_encoder *e, bool first) {
    const size_t whole = rmi_audio_encoder_frame_samples(e);
    return first && rmi_opus_packet_samples(s->packet, 1, s->rate) == whole ? 1 : 0;
}

/* `silent`: nothing of this encoder is sent just now. */
static rm_err encode_with(struct rmi_audio_sender *s, struct rmi_audio_encoder *e, bool *silent, const float *pcm,
                          const struct rmi_rtp_batch *head, rmi_batch_fn to) {
    const int64_t start = clock_of(s);
    size_t len = 0;
    const rm_err err =
        rmi_audio_encoder_encode(e, pcm, rmi_audio_encoder_frame_samples(e), s->packet, sizeof s->packet, &len);
    if (err)
        return err;
    s->stats.encode_us += (clock_of(s) - start - s->stats.encode_us) / SMOOTHING;
    if (len == 0) {
        len = silence_to_send(s, e, !*silent);
        *silent = true;
        if (len == 0) {
            s->stats.silent_frames++;
            return RM_OK;
        }
    }
    *silent = *silent && len == 1;
    send(s, len, head, to);
    return RM_OK;
}

/* Encoders cannot change their use (of low delay), so another takes over: it has heard the frame before its first one,
 * and the receiver's decoder glides from one into the other. When it fails the old one goes on. */
static void change_over(struct rmi_audio_sender *s, const float *pcm, size_t samples) {
    struct rmi_audio_encoder *next = s->next;
    s->next = NULL;
    if (rmi_audio_encoder_warm(next, pcm, samples)) {
        rmi_audio_encoder_destroy(&next);
        return;
    }
    rmi_audio_encoder_destroy(&s->encoder);
    s->encoder = next;
    s->use = s->config.encoder.use;
}

/* ---- the narrow encoder ---- */

static void describe(struct rmi_rtp_batch *head, const float *pcm, size_t values) {
    const struct rmi_level level = rmi_level_measure(pcm, values);
    head->audio_level = rmi_level_rfc6464(&level);
    head->voice = head->audio_level < MAYBE_VOICE_DBOV;
}

static void tune_narrow(struct rmi_audio_sender *s) {
    struct rmi_audio_encoder_config c = s->config.encoder;
    c.use = RMI_AUDIO_USE_VOICE; /* low delay has nothing good below 32 kbit/s, and no FEC */
    c.frame_us = c.frame_us > RMI_AUDIO_NARROW_FRAME_US ? c.frame_us : RMI_AUDIO_NARROW_FRAME_US;
    c.bitrate_bps = s->wanted.narrow_bps;
    if (s->narrow.encoder)
        (void)rmi_audio_encoder_configure(s->narrow.encoder, &c); /* it had all of this but the bitrate and FEC */
    else
        (void)rmi_audio_encoder_create(RMI_CODEC_OPUS, &c, &s->narrow.encoder); /* else there is the full one */
}

/* Where frames of both begin: what is wanted from here on. True: receivers can change over here. */
static bool begin_frames(struct rmi_audio_sender *s) {
    struct narrow *n = &s->narrow;
    if (s->wanted.narrow_bps == 0)
        drop_narrow(s);
    else
        tune_narrow(s);
    const bool full = (s->wanted.full && (s->has_full || s->warm)) || !n->encoder || !n->warm;
    const bool both = full && n->encoder && n->warm, turn = both && (s->change || !s->has_full);
    s->has_full = full;
    if (!turn || rmi_audio_encoder_restart(s->encoder) || rmi_audio_encoder_restart(n->encoder))
        return false;
    s->change = false;
    return true;
}

static rm_err end_narrow_frame(struct rmi_audio_sender *s) {
    struct narrow *n = &s->narrow;
    const size_t samples = rmi_audio_encoder_frame_samples(n->encoder);
    n->filled = 0;
    describe(&n->head, n->pcm, samples * (size_t)s->channels);
    if (n->warm)
        return encode_with(s, n->encoder, &n->silent, n->pcm, &n->head, s->config.on_narrow);
    const rm_err err = rmi_audio_encoder_warm(n->encoder, n->pcm, samples);
    n->warm = s->change = err == RM_OK;
    return err;
}

/* A frame of the other encoder's. */
static rm_err push_narrow(struct rmi_audio_sender *s, const float *pcm, size_t samples,
                          const struct rmi_rtp_batch *head) {
    struct narrow *n = &s->narrow;
    const size_t channels = (size_t)s->channels;
    if (!n->encoder)
        return RM_OK;
    if (n->filled == 0)
        n->head = *head;
    memcpy(n->pcm + n->filled * channels, pcm, samples * channels * sizeof *pcm);
    n->filled += samples;
    return n->filled < rmi_audio_encoder_frame_samples(n->encoder) ? RM_OK : end_narrow_frame(s);
}

/* A gap comes, which is longer than what is missing of the frame. */
static rm_err flush_narrow(struct rmi_audio_sender *s) {
    struct narrow *n = &s->narrow;
    if (n->filled == 0)
        return RM_OK;
    const size_t missing = rmi_audio_encoder_frame_samples(n->encoder) - n->filled, channels = (size_t)s->channels;
    memset(n->pcm + n->filled * channels, 0, missing * channels * sizeof *n->pcm);
    return end_narrow_frame(s);
}

/* ---- frames ---- */

/* The full encoder rests. Before it is used again it hears the frame before. */
static rm_err rest(struct rmi_audio_sender *s, const float *pcm, size_t samples) {
    const struct narrow *n = &s->narrow;
    const bool last = n->filled + samples == rmi_audio_encoder_frame_samples(n->encoder);
    s->warm = false;
    if (s->next)
        change_over(s, pcm, samples);
    if (!s->wanted.full || !last)
        return RM_OK;
    const rm_err err = rmi_audio_encoder_warm(s->encoder, pcm, samples);
    s->warm = err == RM_OK;
    return err;
}

/* One frame; `behind` samples come after it in what is being pushed. */
static rm_err encode(struct rmi_audio_sender *s, const float *pcm, size_t behind) {
    const size_t samples = rmi_audio_encoder_frame_samples(s->encoder);
    struct rmi_rtp_batch head = {.format = RMI_PAYLOAD_OPUS,
                                 .timestamp = s->timestamp,
                                 .capture_us = s->now_us - s->tail_us - us_of(samples + behind, s->rate),
                                 .has_audio_level = true};
    rm_err err;
    s->timestamp += (uint32_t)((uint64_t)samples * RMI_OPUS_CLOCK_HZ / s->rate);
    if (s->narrow.filled == 0)
        head.key_frame = begin_frames(s);
    if (s->has_full) {
        describe(&head, pcm, samples * (size_t)s->channels);
        err = encode_with(s, s->encoder, &s->silent, pcm, &head, s->config.on_batch);
        if (s->next)
            change_over(s, pcm, samples);
    } else {
        err = rest(s, pcm, samples);
    }
    head.key_frame = false;
    const rm_err narrow = push_narrow(s, pcm, samples, &head);
    return err ? err : narrow;
}

/* Sound in the encoder's form. */
static rm_err push(struct rmi_audio_sender *s, const float *pcm, size_t n) {
    const size_t channels = (size_t)s->channels, frame_bytes = channels * sizeof *pcm;
    rm_err first = RM_OK;
    for (;;) {
        const size_t frame = rmi_audio_encoder_frame_samples(s->encoder);
        const float *whole = pcm;
        if (s->pending > 0 || n < frame) {
            const size_t room = s->pending < frame ? frame - s->pending : 0, take = n < room ? n : room;
            if (take > 0)
                memcpy(s->pcm + s->pending * channels, pcm, take * frame_bytes);
            s->pending += take;
            pcm += take * channels;
            n -= take;
            if (s->pending < frame)
                return first;
            whole = s->pcm;
        }
        const size_t rest = whole == s->pcm ? s->pending - frame : n - frame;
        const rm_err err = encode(s, whole, whole == s->pcm ? rest + n : rest);
        first = first ? first : err;
        if (whole == s->pcm) {
            memmove(s->pcm, s->pcm + frame * channels, rest * frame_bytes);
            s->pending = rest; /* of a longer frame before */
        } else {
            pcm += frame * channels;
            n = rest;
        }
    }
}

/* ---- the source's form ---- */

static uint32_t opus_rate(uint32_t source_rate) {
    static const uint32_t rates[] = {8000, 12000, 16000, 24000};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
        if (source_rate <= rates[i])
            return rates[i];
    return RATE_MAX_HZ;
}

static rm_err prepare(struct rmi_audio_sender *s, const rm_audio *a) {
    if (!s->encoder) {
        struct rmi_audio_encoder_config c = s->config.encoder;
        c.rate_hz = c.rate_hz ? c.rate_hz : opus_rate(a->sample_rate);
        c.channels = c.channels ? c.channels : (a->channels > 1 ? CHANNELS_MAX : 1);
        const rm_err err = rmi_audio_encoder_create(RMI_CODEC_OPUS, &c, &s->encoder);
        if (err)
            return err;
        s->config.encoder = c;
        s->rate = c.rate_hz;
        s->channels = c.channels;
        s->use = c.use;
        s->source_rate = c.rate_hz;
    }
    if (a->sample_rate == s->source_rate)
        return RM_OK;
    struct rmi_resampler *fresh = NULL;
    if (a->sample_rate != s->rate) {
        const rm_err err =
            rmi_resampler_create(a->sample_rate, s->rate, s->channels, RMI_RESAMPLE_QUALITY_LIVE, &fresh);
        if (err)
            return err;
    }
    rmi_resampler_destroy(&s->resampler);
    s->resampler = fresh;
    s->source_rate = a->sample_rate;
    s->due_rest = 0;
    return RM_OK;
}

/* Left and right, each with half of what the others have together; all within full scale. */
static void down_to_stereo(float *out, const float *in, uint32_t channels, size_t samples) {
    const float others = (float)(channels - CHANNELS_MAX);
    for (size_t i = 0; i < samples; i++, in += channels) {
        float sum = 0;
        for (uint32_t c = CHANNELS_MAX; c < channels; c++)
            sum += in[c];
        for (int c = 0; c < CHANNELS_MAX; c++)
            *out++ = (in[c] + sum / others / 2) / 1.5F;
    }
}

/* `n` samples, at most a block. */
static const float *with_channels(struct rmi_audio_sender *s, const float *in, uint32_t channels, size_t n) {
    if (channels == (uint32_t)s->channels)
        return in;
    if (channels > CHANNELS_MAX && s->channels == CHANNELS_MAX)
        down_to_stereo(s->mixed, in, channels, n);
    else
        rmi_mix_channels(s->mixed, s->channels, in, (int)channels, n);
    return s->mixed;
}

static rm_err push_resampled(struct rmi_audio_sender *s, const float *in, size_t n) {
    rm_err first = RM_OK;
    while (n > 0) {
        size_t taken = n, given = BLOCK_OUT_SAMPLES;
        rm_err err = rmi_resampler_run(s->resampler, in, &taken, s->resampled, &given);
        if (err || (taken == 0 && given == 0))
            return err ? err : RM_E_INTERNAL;
        in += taken * (size_t)s->channels;
        n -= taken;
        s->tail_us += us_of(n, s->source_rate);
        err = push(s, s->resampled, given);
        s->tail_us -= us_of(n, s->source_rate);
        first = first ? first : err;
    }
    return first;
}

static rm_err push_chunk(struct rmi_audio_sender *s, const rm_audio *a) {
    const int64_t delay_us = s->resampler ? us_of(rmi_resampler_delay(s->resampler), s->rate) : 0;
    s->tail_us = delay_us;
    if (!s->resampler && a->channels == (uint32_t)s->channels)
        return push(s, a->samples, a->frame_count);
    rm_err first = RM_OK;
    for (size_t at = 0; at < a->frame_count;) {
        const size_t left = a->frame_count - at, n = left < BLOCK_SAMPLES ? left : BLOCK_SAMPLES;
        const float *block = with_channels(s, a->samples + at * a->channels, a->channels, n);
        at += n;
        s->tail_us = delay_us + us_of(a->frame_count - at, s->source_rate);
        const rm_err err = s->resampler ? push_resampled(s, block, n) : push(s, block, n);
        first = first ? first : err;
    }
    return first;
}

/* ---- time ---- */

/* Sound is missing before the chunk that begins `tail_us` ago: what is pending goes out with silence behind it. */
static rm_err skip(struct rmi_audio_sender *s, int64_t gap_us, int64_t chunk_us) {
    rm_err err = RM_OK;
    s->stats.gaps++;
    if (s->pending > 0) {
        const size_t frame = rmi_audio_encoder_frame_samples(s->encoder);
        const size_t room = s->pending < frame ? frame - s->pending : 0;
        const uint64_t missing = (uint64_t)rmi_min64(gap_us, US_PER_S) * s->rate / US_PER_S;
        const size_t fill = missing < room ? (size_t)missing : room;
        memset(s->pcm + s->pending * (size_t)s->channels, 0, fill * (size_t)s->channels * sizeof *s->pcm);
        s->pending += fill;
        gap_us = rmi_max64(gap_us - us_of(fill, s->rate), 0);
        if (s->pending < frame)
            return RM_OK;
        s->tail_us = gap_us + chunk_us;
        err = push(s, NULL, 0);
    }
    const rm_err narrow = flush_narrow(s);
    err = err ? err : narrow;
    const uint64_t ticks_per_ms = RMI_OPUS_CLOCK_HZ / 1000;
    s->timestamp +=
        (uint32_t)((uint64_t)(gap_us / 1000) * ticks_per_ms + (uint64_t)(gap_us % 1000) * ticks_per_ms / 1000);
    return err;
}

static rm_err follow_time(struct rmi_audio_sender *s, const rm_audio *a, int64_t own_us, int64_t now_us) {
    const int64_t chunk_us = us_of(a->frame_count, a->sample_rate);
    rm_err err = RM_OK;
    if (own_us < 0 || own_us > TIME_MAX_US) {
        const int64_t pause = now_us - chunk_us - s->last_us;
        if (s->has_pause && pause > PAUSE_US)
            err = skip(s, pause, chunk_us);
        s->has_time = false;
    } else {
        const int64_t ahead = own_us - s->due_us;
        if (s->has_time && ahead > GAP_US)
            err = skip(s, ahead, chunk_us);
        if (!s->has_time || ahead > GAP_US || ahead < -GAP_US) {
            s->due_us = own_us;
            s->due_rest = 0;
        }
        const uint64_t length = (uint64_t)a->frame_count * US_PER_S + s->due_rest;
        s->due_us += (int64_t)(length / a->sample_rate);
        s->due_rest = length % a->sample_rate;
        s->has_time = true;
    }
    s->has_pause = true;
    s->last_us = now_us;
    return err;
}

rm_err rmi_audio_sender_input(struct rmi_audio_sender *s, const rm_runtime_data *audio, int64_t now_us) {
    const rm_audio *a = rm_runtime_data_audio(audio);
    if (!a || a->sample_rate == 0 || a->channels == 0)
        return RM_E_INVALID_ARG;
    if (a->frame_count == 0)
        return RM_OK;
    const rm_err err = prepare(s, a);
    if (err)
        return err;
    s->now_us = now_us;
    const rm_err before = follow_time(s, a, rm_runtime_data_timestamp_us(audio), now_us);
    const rm_err now = push_chunk(s, a);
    return before ? before : now;
}

void rmi_audio_sender_get_stats(const struct rmi_audio_sender *s, struct rmi_audio_sender_stats *out) {
    *out = s->stats;
    if (!s->encoder)
        return;
    out->lookahead_us = us_of(rmi_audio_encoder_lookahead_samples(s->encoder), s->rate);
    if (s->resampler)
        out->lookahead_us += us_of(rmi_resampler_delay(s->resampler), s->rate);
}
