/* SPDX-License-Identifier: Apache-2.0 */
/* Life cycle, packets in, and the pace of the pulls.
 *
 * A pull at the moment when its packets are due by the jitter buffer's target costs no delay beyond that target and
 * finds the store empty, so that packets are decoded straight into chunks. That moment wanders: with the target, with
 * the sender's clock, with lip sync. The pulls wander after it instead of the samples being resampled or stretched,
 * for what comes next is a pipeline or an encoder, and no sound card that must be fed at its own pace. */
#include "session/audio_receiver.h"
#include "base/time.h"
#include "frame/utf8.h"
#include "jitter/order.h"
#include "rtp/payload/opus.h"
#include "session/audio_receiver_private.h"
#include <stdlib.h>
#include <string.h>

#define US_PER_S 1000000
#define DEFAULT_RATE_HZ 48000
#define CHUNK_MAX_US RMI_MS(20)
#define CHUNK_FIRST_US RMI_MS(10)
/* Packets in a row of another length that make it the stream's. */
#define OTHER_LENGTHS 10
/* Chunks that nodes and queues hold at a time: 640 ms of 10 ms chunks. */
#define CHUNKS_MAX 64
/* Without a packet for so long the sender is gone; the jitter buffer says the same. */
#define GONE_US RMI_SEC(1)
/* While a stream waits to begin. */
#define POLL_US 2500
/* Nothing is known about a new stream's jitter; from here the pace comes down to what it needs within ten chunks. */
#define BEGIN_LATER_US RMI_MS(2)
/* A late packet is waited for so long: its chunk comes late then, and whoever takes it next sees jitter. Sound invented
 * instead would lengthen the stream for good, as nothing behind here plays at a pace of its own. */
#define LATE_MAX_US RMI_MS(40)
/* What was sent together does not come at one moment: a packet and the copies in it are entered one by one, and packets
 * overtake each other. Sound that is still missing when a later packet ends the wait may follow for so long. */
#define TOGETHER_US 500
/* Of the pace: later at once, as something is missing; earlier by a fiftieth, so that a packet late now and then does
 * not move it much and the next receiver sees no jitter. A large delay is worth more haste. */
#define LATER_MAX_US RMI_MS(2)
#define EARLIER_PART 50
#define EARLIER_PART_MOST 8
#define EARLIER_OF_DELAY 64
/* Pulls that were missed are made up for at once up to here; beyond, delay that has built up goes by haste. */
#define MISSED_MAX_US RMI_MS(100)
/* Opus packets of discontinuous transmission are the TOC byte, and at most one byte more. */
#define DTX_BYTES_MAX 2

static uint32_t chunk_lengths_us(size_t i) {
    static const uint32_t lengths[] = {20000, 10000, 5000, 2500};
    return i < sizeof lengths / sizeof *lengths ? lengths[i] : 0;
}

static bool chunk_valid(uint32_t us) {
    for (size_t i = 0; chunk_lengths_us(i); i++)
        if (us == chunk_lengths_us(i))
            return true;
    return us == 0;
}

static void set_chunk(struct rmi_audio_receiver *r, uint32_t us) {
    if (rmi_audio_buffer_set_chunk(r->buffer, (uint32_t)rmi_us_to_ticks(us, RMI_OPUS_CLOCK_HZ)))
        return;
    r->chunk = (size_t)((uint64_t)r->rate * us / US_PER_S);
    r->stats.chunk_us = us;
}

static int64_t us_of(const struct rmi_audio_receiver *r, size_t samples) {
    return (int64_t)((uint64_t)samples * US_PER_S / r->rate);
}

static rm_err set_up(struct rmi_audio_receiver *r, const struct rmi_audio_receiver_config *c) {
    const uint32_t chunk_us = c->chunk_us ? c->chunk_us : CHUNK_FIRST_US;
    const struct rmi_audio_buffer_config buffer = {.clock_rate = RMI_OPUS_CLOCK_HZ,
                                                   .chunk_ticks =
                                                       (uint32_t)rmi_us_to_ticks(chunk_us, RMI_OPUS_CLOCK_HZ),
                                                   .max_delay_us = c->max_delay_us,
                                                   .ignore_own_drift = true};
    const struct rmi_audio_decoder_config decoder = {.rate_hz = r->rate, .channels = r->channels};
    const struct rmi_frame_pool_config pool = {.max_buffers = CHUNKS_MAX};
    rm_err err = rmi_audio_decoder_create(RMI_CODEC_OPUS, &decoder, &r->decoder);
    err = err ? err : rmi_audio_buffer_create(&buffer, &r->buffer);
    err = err ? err : rmi_frame_pool_create(&pool, &r->pool);
    if (err)
        return err;
    set_chunk(r, chunk_us);
    r->stats.chunk_us = c->chunk_us;
    r->ticks = RMI_OPUS_CLOCK_HZ / r->rate;
    r->packet = r->chunk;
    r->next_us = r->planned_us = RMI_NEVER;
    const size_t most = (size_t)((int64_t)r->rate * CHUNK_MAX_US / US_PER_S) * (size_t)r->channels;
    r->spare = calloc(most, sizeof *r->spare);
    return r->spare ? RM_OK : RM_E_NO_MEMORY;
}

rm_err rmi_audio_receiver_create(const struct rmi_audio_receiver_config *config, struct rmi_audio_receiver **out) {
    if (!config || !out || !chunk_valid(config->chunk_us))
        return RM_E_INVALID_ARG;
    const char *id = config->stream_id ? config->stream_id : "";
    const size_t id_len = strlen(id);
    if (id_len >= RM_STREAM_ID_MAX || !rmi_utf8_valid(id, id_len))
        return RM_E_INVALID_ARG;
    struct rmi_audio_receiver *r = calloc(1, sizeof *r);
    if (!r)
        return RM_E_NO_MEMORY;
    memcpy(r->stream_id, id, id_len);
    r->rate = config->rate_hz ? config->rate_hz : DEFAULT_RATE_HZ;
    r->channels = config->channels ? config->channels : 1;
    r->copy = config->copy;
    r->adapt_chunk = config->chunk_us == 0;
    const rm_err err = set_up(r, config);
    if (err) {
        rmi_audio_receiver_destroy(&r);
        return err;
    }
    *out = r;
    return RM_OK;
}

void rmi_audio_receiver_destroy(struct rmi_audio_receiver **receiver) {
    if (!receiver || !*receiver)
        return;
    struct rmi_audio_receiver *r = *receiver;
    rmi_audio_buffer_destroy(&r->buffer);
    rmi_audio_decoder_destroy(&r->decoder);
    rmi_frame_pool_destroy(&r->pool);
    free(r->store.pcm);
    free(r->scratch.pcm);
    free(r->spare);
    free(r);
    *receiver = NULL;
}

/* ---- pace ---- */

int64_t rmi_audio_receiver_due(const struct rmi_audio_receiver *r) {
    const int64_t due = rmi_audio_buffer_next_due(r->buffer);
    if (due == RMI_NEVER)
        return r->next_us;
    const size_t ahead = r->store.n / r->chunk, need = r->chunk - r->store.n % r->chunk;
    const size_t before_last = (need - 1) / r->packet * r->packet;
    return due + us_of(r, before_last) - us_of(r, ahead * r->chunk);
}

static void pace(struct rmi_audio_receiver *r, int64_t now_us) {
    const int64_t chunk_us = us_of(r, r->chunk);
    const int64_t next = rmi_max64(r->next_us + chunk_us, now_us - MISSED_MAX_US);
    const int64_t off = rmi_audio_receiver_due(r) - next;
    const int64_t haste =
        rmi_max64(chunk_us / EARLIER_PART, rmi_min64(-off / EARLIER_OF_DELAY, chunk_us / EARLIER_PART_MOST));
    r->next_us = next + rmi_max64(rmi_min64(off, LATER_MAX_US), -haste);
}

int64_t rmi_audio_receiver_next_pull(const struct rmi_audio_receiver *r) {
    return r->next_us;
}

bool rmi_audio_receiver_is_waiting(const struct rmi_audio_receiver *r) {
    return r->planned_us != RMI_NEVER;
}

/* ---- packets ---- */

/* The longest chunk that packets of this length are a multiple of. */
static uint32_t chunk_for(uint32_t ticks) {
    const int64_t us = rmi_ticks_to_us(ticks, RMI_OPUS_CLOCK_HZ);
    size_t i = 0;
    while (chunk_lengths_us(i + 1) && us % chunk_lengths_us(i) != 0)
        i++;
    return chunk_lengths_us(i);
}

static void note_length(struct rmi_audio_receiver *r, uint32_t ticks) {
    const size_t samples = ticks / r->ticks;
    if (r->known && samples == r->packet) {
        r->other_lengths = 0;
        return;
    }
    if (r->known && ++r->other_lengths < OTHER_LENGTHS)
        return;
    r->known = true;
    r->other_lengths = 0;
    r->packet = samples;
    if (r->adapt_chunk)
        set_chunk(r, chunk_for(ticks));
}

/* Another stream, or this one from another place: the time of chunks goes on by the local clock. */
static void begin_stream(struct rmi_audio_receiver *r, uint32_t timestamp, int64_t arrival_us) {
    rmi_audio_decoder_reset(r->decoder);
    r->near_ticks = r->origin_ticks = r->end_ticks = timestamp;
    r->origin_us = r->stats.chunks > 0 ? r->chunk_end_us + rmi_max64(arrival_us - r->pulled_us, 0) : 0;
    r->next_us = r->planned_us = RMI_NEVER;
    r->refused = 0;
}

/* For a late packet, or for what comes behind it. */
static void end_wait(struct rmi_audio_receiver *r, uint32_t timestamp, int64_t arrival_us) {
    const bool next = timestamp == (uint32_t)r->end_ticks;
    const int64_t at_us = rmi_max64(r->planned_us, arrival_us + (next ? 0 : TOGETHER_US));
    r->next_us = rmi_min64(r->next_us, at_us);
}

void rmi_audio_receiver_insert(struct rmi_audio_receiver *r, uint32_t ssrc, uint16_t seq, uint32_t timestamp,
                               int64_t arrival_us, struct rmi_buf *buf, uint32_t offset, uint32_t len, bool repaired) {
    size_t ticks = 0;
    if (buf && offset <= buf->len && len <= buf->len - offset)
        ticks = rmi_opus_packet_samples(buf->data + offset, len, RMI_OPUS_CLOCK_HZ);
    if (ticks == 0) {
        r->stats.malformed++;
        return;
    }
    const struct rmi_audio_packet packet = {.ssrc = ssrc,
                                            .timestamp = timestamp,
                                            .seq = seq,
                                            .duration = (uint32_t)ticks,
                                            .fec = rmi_opus_packet_has_fec(buf->data + offset, len),
                                            .dtx = len <= DTX_BYTES_MAX,
                                            .redundant = repaired,
                                            .arrival_us = arrival_us,
                                            .buf = buf,
                                            .offset = offset,
                                            .len = len};
    const enum rmi_audio_verdict verdict = rmi_audio_buffer_insert(r->buffer, &packet);
    const uint64_t restarts = rmi_audio_buffer_get_stats(r->buffer).restarts;
    if (restarts != r->restarts) {
        r->restarts = restarts;
        r->known = false;
        begin_stream(r, timestamp, arrival_us);
    }
    if (verdict != RMI_AUDIO_STORED)
        return;
    note_length(r, (uint32_t)ticks);
    r->last_arrival_us = arrival_us;
    if (r->next_us == RMI_NEVER)
        r->next_us = rmi_max64(rmi_audio_receiver_due(r), arrival_us) + BEGIN_LATER_US;
    if (rmi_audio_receiver_is_waiting(r) && !rmi_audio_buffer_is_dry(r->buffer))
        end_wait(r, timestamp, arrival_us);
}

/* ---- chunks ---- */

static void mark(struct rmi_audio_receiver *r, rm_runtime_data *chunk, int64_t time_us) {
    rm_runtime_data_set_timestamp_us(chunk, time_us);
    if (r->arrival_us >= 0)
        rm_runtime_data_set_arrival_us(chunk, r->arrival_us);
    if (r->stream_id[0])
        rm_runtime_data_set_stream_id(chunk, r->stream_id);
}

/* As without zero-copy. */
static rm_err copy_spare(struct rmi_audio_receiver *r, rm_runtime_data **out) {
    rm_buf *buf = NULL;
    const size_t values = r->chunk * (size_t)r->channels;
    rm_err err = rm_buf_copy(r->spare, values * sizeof *r->spare, &buf);
    err = err ? err : rm_runtime_data_create_audio(buf, 0, values, r->rate, (uint32_t)r->channels, out);
    rm_buf_unref(&buf);
    return err;
}

static int64_t finish(struct rmi_audio_receiver *r, int64_t now_us) {
    const int64_t ticks = (int64_t)((r->chunk + r->store.n) * r->ticks);
    const int64_t at = r->end_ticks - ticks - r->origin_ticks;
    const int64_t time_us = rmi_max64(r->origin_us + rmi_ticks_to_us(at, RMI_OPUS_CLOCK_HZ), 0);
    r->chunk_end_us = time_us + us_of(r, r->chunk);
    r->pulled_us = now_us;
    r->stats.chunks++;
    r->stats.samples += r->chunk;
    if (r->planned_us != RMI_NEVER) /* the chunks behind it keep their times */
        r->next_us = r->planned_us;
    r->planned_us = RMI_NEVER;
    pace(r, now_us);
    return time_us;
}

/* Whether to wait for a late packet rather than to invent its sound. */
static bool wait_for_late(struct rmi_audio_receiver *r, int64_t now_us) {
    if (r->store.n >= r->chunk || !rmi_audio_buffer_is_dry(r->buffer))
        return false;
    if (r->planned_us == RMI_NEVER)
        r->planned_us = r->next_us;
    if (now_us - r->planned_us >= LATE_MAX_US)
        return false;
    r->next_us = r->planned_us + LATE_MAX_US;
    return true;
}

static void wait(struct rmi_audio_receiver *r, int64_t now_us) {
    r->planned_us = RMI_NEVER;
    r->next_us = now_us - r->last_arrival_us > GONE_US ? RMI_NEVER : now_us + POLL_US;
}

rm_err rmi_audio_receiver_pull(struct rmi_audio_receiver *r, int64_t now_us, rm_runtime_data **out) {
    rm_runtime_data *chunk = NULL;
    rm_err lost = RM_OK;
    if (r->next_us == RMI_NEVER || wait_for_late(r, now_us))
        return RM_E_AGAIN;
    if (!r->copy)
        lost = rmi_frame_pool_audio(r->pool, r->chunk * (size_t)r->channels, r->rate, (uint32_t)r->channels, &chunk);
    const rm_err err = rmi_audio_receiver_fill(r, now_us, chunk ? rm_runtime_data_write_samples(chunk) : r->spare);
    if (err == RM_E_AGAIN) {
        rm_runtime_data_unref(&chunk);
        wait(r, now_us);
        return err;
    }
    const int64_t time_us = finish(r, now_us);
    if (r->copy && !err)
        lost = copy_spare(r, &chunk);
    if (err || lost) {
        rm_runtime_data_unref(&chunk);
        r->stats.lost_chunks++;
        return err ? err : lost;
    }
    mark(r, chunk, time_us);
    *out = chunk;
    return RM_OK;
}

void rmi_audio_receiver_set_sync_delay(struct rmi_audio_receiver *r, int64_t delay_us) {
    rmi_audio_buffer_set_sync_delay(r->buffer, delay_us);
}

void rmi_audio_receiver_timing(const struct rmi_audio_receiver *r, struct rmi_av_timing *out) {
    rmi_audio_buffer_timing(r->buffer, out);
}

void rmi_audio_receiver_get_stats(const struct rmi_audio_receiver *r, struct rmi_audio_receiver_stats *out) {
    *out = r->stats;
    out->buffer = rmi_audio_buffer_get_stats(r->buffer);
    out->pool_allocations = rmi_frame_pool_stats(r->pool).allocations;
}
