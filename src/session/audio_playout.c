/* SPDX-License-Identifier: Apache-2.0 */
/* From the buffer's decisions to the samples of a chunk. In the steady state a packet is decoded where its chunk lies;
 * the store is for what does not end with the chunk. */
#include "base/time.h"
#include "jitter/order.h"
#include "media/stretch.h"
#include "rtp/payload/opus.h"
#include "session/audio_receiver_private.h"
#include <stdlib.h>
#include <string.h>

/* The pulls come later by themselves (audio_receiver.c); only what takes them longer than four chunks is worth a
 * stretch. */
#define PACE_COPES_US RMI_MS(8)
/* To lengthen is urgent: what fits less well is still better than a hole. */
#define FIT_URGENT 0.6
/* Each refusal (one in 10 ms) makes it less choosy: after half a second anything goes. */
#define FIT_STEP 0.03
/* What is left over in the store goes at the next good place, looked for so often, but not while delay is growing. */
#define TIDY_EVERY_US RMI_MS(50)
#define SMOOTHING 16

static bool reserve(struct rmi_audio_store *s, size_t values) {
    if (s->cap >= values)
        return true;
    float *pcm = realloc(s->pcm, values * sizeof *pcm);
    if (!pcm)
        return false;
    s->pcm = pcm;
    s->cap = values;
    return true;
}

/* Moves from the store to the chunk. */
static size_t drain(struct rmi_audio_receiver *r, float *chunk, size_t filled) {
    const size_t room = r->chunk - filled, n = r->store.n < room ? r->store.n : room, channels = (size_t)r->channels;
    if (n == 0)
        return filled;
    memcpy(chunk + filled * channels, r->store.pcm + r->store.at * channels, n * channels * sizeof *chunk);
    r->store.at += n;
    r->store.n -= n;
    return filled + n;
}

static void invent(struct rmi_audio_receiver *r, float *pcm, size_t n) {
    if (rmi_audio_decoder_conceal(r->decoder, pcm, n))
        memset(pcm, 0, n * (size_t)r->channels * sizeof *pcm);
}

static void note_time(struct rmi_audio_receiver *r, const struct rmi_audio_decision *d, int64_t now_us) {
    r->near_ticks = rmi_unwrap32(r->near_ticks, d->timestamp);
    r->end_ticks = r->near_ticks + d->duration;
    if (d->action == RMI_AUDIO_CONCEAL)
        return;
    r->arrival_us = rmi_max64(r->arrival_us, now_us - d->waited_us);
    if (d->action == RMI_AUDIO_PLAY)
        r->stats.waited_us += (d->waited_us - r->stats.waited_us) / SMOOTHING;
}

static void note_concealed(struct rmi_audio_receiver *r, bool concealed, size_t n) {
    r->stats.concealments += concealed && !r->concealing;
    r->stats.concealed_samples += concealed ? n : 0;
    r->concealing = concealed;
}

/* `n` samples as decided. */
static void decode(struct rmi_audio_receiver *r, const struct rmi_audio_decision *d, float *pcm, size_t n) {
    const uint8_t *data = d->buf ? d->buf->data + d->offset : NULL;
    size_t got = n;
    rm_err err = RM_OK;
    if (d->action == RMI_AUDIO_PLAY)
        err = rmi_audio_decoder_decode(r->decoder, data, d->len, pcm, n, &got);
    else if (d->action == RMI_AUDIO_FEC)
        err = rmi_audio_decoder_decode_fec(r->decoder, data, d->len, pcm, n);
    else
        invent(r, pcm, n);
    const bool good = !err && got == n;
    note_concealed(r, !good || (d->action == RMI_AUDIO_CONCEAL && !d->comfort_noise), n);
    if (good)
        return;
    r->stats.malformed++;
    invent(r, pcm, n);
}

/* A chunk in the making. */
struct filling {
    float *pcm;
    size_t n;         /* samples that are there */
    size_t left_over; /* of these, from the store, until the first packet comes */
    int64_t now_us;
    bool stored;
};

/* By how much this pull comes before the time when the packets it needs, from `d` on, are due. */
static int64_t missing_us(const struct rmi_audio_receiver *r, const struct rmi_audio_decision *d,
                          const struct filling *f) {
    const size_t before_last = (r->chunk - f->n - 1) / r->packet * r->packet;
    const int64_t ticks = (int64_t)(before_last * r->ticks) - d->duration; /* what is due next comes behind `d` */
    return rmi_audio_buffer_next_due(r->buffer) + rmi_ticks_to_us(ticks, RMI_OPUS_CLOCK_HZ) - f->now_us;
}

/* By how much to change the sound, for the buffer's reasons or for the store's. */
static struct rmi_stretch stretch_for(struct rmi_audio_receiver *r, const struct rmi_audio_decision *d,
                                      const struct filling *f) {
    const size_t step = r->chunk < r->packet ? r->chunk : r->packet;
    struct rmi_stretch s = {.rate_hz = r->rate, .channels = r->channels, .want = d->stretch_ticks / (int32_t)r->ticks};
    if (s.want == 0 && (d->action != RMI_AUDIO_PLAY || f->left_over == 0))
        return s;
    const int64_t short_us = missing_us(r, d, f);
    if (s.want > 0) {
        if (short_us <= PACE_COPES_US)
            s.want = 0;
        s.most = (size_t)rmi_max64(s.want, (int64_t)step);
        s.fit = FIT_URGENT - FIT_STEP * r->refused;
    } else if (s.want < 0) {
        /* The buffer asks for it only when half a step or more can go. */
        s.most = (size_t)rmi_max64(-s.want, (int64_t)step / 2);
        s.fit = RMI_STRETCH_FIT_GOOD - FIT_STEP * r->refused;
    } else if (short_us <= 0 && f->now_us - r->stretched_us > TIDY_EVERY_US) {
        s.want = -(ptrdiff_t)f->left_over;
        s.fit = RMI_STRETCH_FIT_GOOD - FIT_STEP * r->untidy;
        r->untidy++;
        r->stretched_us = f->now_us;
    }
    return s;
}

/* Changes what is in the chunk together with the samples to come, by way of the store. */
static rm_err stretch(struct rmi_audio_receiver *r, const struct rmi_audio_decision *d, struct rmi_stretch *s,
                      struct filling *f, size_t n) {
    const size_t channels = (size_t)r->channels, samples = f->n + n;
    if (!reserve(&r->scratch, samples * channels) || !reserve(&r->store, (samples + s->most) * channels))
        return RM_E_NO_MEMORY;
    memcpy(r->scratch.pcm, f->pcm, f->n * channels * sizeof *f->pcm);
    decode(r, d, r->scratch.pcm + f->n * channels, n);
    s->pcm = r->scratch.pcm;
    s->samples = samples;
    const ptrdiff_t done = rmi_stretch_run(s, r->store.pcm);
    if (d->stretch_ticks)
        r->refused = done ? 0 : r->refused + 1;
    if (done) {
        r->stretched_us = f->now_us;
        r->untidy = 0;
    }
    r->stats.stretched_samples += (uint64_t)(done < 0 ? -done : done);
    r->store.at = 0;
    r->store.n = (size_t)((ptrdiff_t)samples + done);
    f->n = drain(r, f->pcm, 0);
    return RM_OK;
}

static rm_err carry_out(struct rmi_audio_receiver *r, const struct rmi_audio_decision *d, struct filling *f) {
    const size_t n = d->duration / r->ticks, channels = (size_t)r->channels;
    struct rmi_stretch s = stretch_for(r, d, f);
    f->left_over = 0;
    note_time(r, d, f->now_us);
    if (s.want == 0 && n <= r->chunk - f->n) {
        decode(r, d, f->pcm + f->n * channels, n);
        f->n += n;
        return RM_OK;
    }
    f->stored = true;
    if (s.want != 0)
        return stretch(r, d, &s, f, n);
    if (!reserve(&r->store, n * channels))
        return RM_E_NO_MEMORY;
    decode(r, d, r->store.pcm, n);
    r->store.at = 0;
    r->store.n = n;
    f->n = drain(r, f->pcm, f->n);
    return RM_OK;
}

rm_err rmi_audio_receiver_fill(struct rmi_audio_receiver *r, int64_t now_us, float *chunk) {
    struct filling f = {.pcm = chunk, .now_us = now_us};
    f.n = f.left_over = drain(r, chunk, 0);
    f.stored = f.n > 0;
    while (f.n < r->chunk) {
        struct rmi_audio_decision d;
        rmi_audio_buffer_pull(r->buffer, now_us, (uint32_t)(f.n * r->ticks), &d);
        if (d.action == RMI_AUDIO_WAIT) {
            if (f.n == 0)
                return RM_E_AGAIN;
            const size_t rest = r->chunk - f.n;
            memset(chunk + f.n * (size_t)r->channels, 0, rest * (size_t)r->channels * sizeof *chunk);
            r->end_ticks += (int64_t)(rest * r->ticks);
            break;
        }
        const rm_err err = carry_out(r, &d, &f);
        rmi_buf_unref(&d.buf);
        if (err)
            return err;
    }
    r->stats.copied_chunks += f.stored;
    return RM_OK;
}
