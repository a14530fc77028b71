/* SPDX-License-Identifier: Apache-2.0 */
#include "session/video_receiver.h"
#include "base/time.h"
#include "frame/pool.h"
#include "jitter/order.h"
#include "rtp/payload/peek.h"
#include "session/freeze.h"
#include "session/picture.h"
#include <stdlib.h>
#include <string.h>

#define CLOCK_HZ 90000
#define PACKETS 2048    /* held at most: a second at 20 Mbit/s */
#define POOL_BUFFERS 16 /* frames in use at one time: half a second in the queues behind */
#define ENCODED_LEAST 4096
#define MAX_FRAME_BYTES ((size_t)1 << 26) /* the depacketizer's own limit */
#define WEIGHT 8                          /* frames that averages remember */
/* Media time and arrival time of neighbours differ by more only where the sender's clock leapt. */
#define MAX_LEAP_US RMI_SEC(2)
/* Each codec starts with a second's allowance of pixels (codec/video.h): who changes it with every frame would get
 * round the limit. */
#define SWITCH_INTERVAL_US RMI_SEC(1)

struct rmi_video_receiver {
    struct rmi_video_receiver_config config; /* limits and stream_id resolved */
    char stream_id[RM_STREAM_ID_MAX];
    struct rmi_video_buffer *buffer;
    uint8_t formats[PACKETS]; /* of the packets in the buffer, by sequence number */
    struct rmi_frame_pool *pool;
    struct rmi_freeze freeze;

    bool has_format;
    enum rmi_payload_format format; /* of the two below */
    int64_t switched_us;
    struct rmi_depacketizer *depacketizer;
    struct rmi_video_decoder *decoder;
    struct rmi_video_decoder_stats decoders_before;
    uint16_t seq; /* for the depacketizer: without padding, and without a gap where the buffer sees no loss */

    bool has_time;
    uint32_t ssrc, timestamp; /* of the frame before */
    int64_t arrival_us;
    int64_t ticks; /* since the first frame */

    bool needs_key; /* encoded output */
    uint32_t width, height;
    uint8_t *scratch;
    size_t scratch_cap;

    uint64_t number;
    struct rmi_video_receiver_stats stats;
};

/* ---- life cycle ---- */

static bool limits_valid(struct rmi_codec_limits *l) {
    if (l->max_width == 0 && l->max_height == 0 && l->max_pixels_per_s == 0)
        *l = rmi_codec_limits_default();
    return l->max_width > 0 && l->max_height > 0 && l->max_pixels_per_s > 0;
}

/* Asked of an object that may have one, so that no frame fails for it later. */
static rm_err check_stream_id(const char *id) {
    const uint8_t byte = 0;
    rm_buf *buf = NULL;
    rm_runtime_data *data = NULL;
    rm_err err = rm_buf_copy(&byte, sizeof byte, &buf);
    if (!err)
        err = rm_runtime_data_create_encoded(buf, 0, sizeof byte, RM_CODEC_RAW, 1, 1, false, 0, 0, &data);
    if (!err)
        err = rm_runtime_data_set_stream_id(data, id);
    rm_runtime_data_unref(&data);
    rm_buf_unref(&buf);
    return err;
}

static rm_err set_up(struct rmi_video_receiver *r, const struct rmi_video_receiver_config *config) {
    const struct rmi_video_buffer_config buffer = {
        .clock_rate = CLOCK_HZ,
        .packets = PACKETS,
        .max_delay_us = config->max_delay_us,
        .repair = config->repair,
    };
    const struct rmi_frame_pool_config pool = {.max_buffers = POOL_BUFFERS};
    r->config = *config;
    r->config.stream_id = NULL;
    r->needs_key = true;
    if (!limits_valid(&r->config.limits))
        return RM_E_INVALID_ARG;
    rm_err err = config->stream_id ? check_stream_id(config->stream_id) : RM_OK;
    if (!err && config->stream_id) {
        memcpy(r->stream_id, config->stream_id, strlen(config->stream_id) + 1); /* its length was checked */
        r->config.stream_id = r->stream_id;
    }
    if (!err)
        err = rmi_video_buffer_create(&buffer, &r->buffer);
    return err ? err : rmi_frame_pool_create(&pool, &r->pool);
}

rm_err rmi_video_receiver_create(const struct rmi_video_receiver_config *config, struct rmi_video_receiver **out) {
    if (!config || !out)
        return RM_E_INVALID_ARG;
    struct rmi_video_receiver *r = calloc(1, sizeof *r);
    if (!r)
        return RM_E_NO_MEMORY;
    rm_err err = set_up(r, config);
    if (err)
        rmi_video_receiver_destroy(&r);
    else
        *out = r;
    return err;
}

void rmi_video_receiver_destroy(struct rmi_video_receiver **receiver) {
    if (!receiver || !*receiver)
        return;
    struct rmi_video_receiver *r = *receiver;
    rmi_video_buffer_destroy(&r->buffer);
    rmi_depacketizer_destroy(&r->depacketizer);
    rmi_video_decoder_destroy(&r->decoder);
    rmi_frame_pool_destroy(&r->pool);
    free(r->scratch);
    free(r);
    *receiver = NULL;
}

/* ---- packets in ---- */

void rmi_video_receiver_insert(struct rmi_video_receiver *r, const struct rmi_video_in *in) {
    struct rmi_payload_flags flags = {0};
    bool padding = in->padding || in->len == 0;
    if (!padding && (!in->buf || in->offset > in->buf->len || in->len > in->buf->len - in->offset))
        return;
    /* A malformed one is kept: it fills its number, and its frame fails when it is put together. */
    if (!padding && !rmi_payload_peek(in->format, in->buf->data + in->offset, in->len, &flags))
        r->stats.malformed++;
    const struct rmi_video_packet packet = {
        .ssrc = in->ssrc,
        .timestamp = in->timestamp,
        .seq = in->seq,
        .marker = in->marker,
        .first = flags.first,
        .key = flags.key,
        .disposable = flags.disposable,
        .padding = padding,
        .arrival_us = in->arrival_us,
        .buf = padding ? NULL : in->buf,
        .offset = in->offset,
        .len = in->len,
    };
    if (rmi_video_buffer_insert(r->buffer, &packet) == RMI_VIDEO_STORED)
        r->formats[in->seq % PACKETS] = (uint8_t)in->format;
}

/* ---- frames out ---- */

static int64_t smooth(int64_t average, int64_t value) {
    return average ? (average * (WEIGHT - 1) + value) / WEIGHT : value;
}

static bool codec_of(enum rmi_payload_format format, enum rmi_codec_id *id, rm_codec *name) {
    switch (format) {
    case RMI_PAYLOAD_VP8:
        *id = RMI_CODEC_VP8;
        *name = RM_CODEC_VP8;
        return true;
    case RMI_PAYLOAD_VP9:
        *id = RMI_CODEC_VP9;
        *name = RM_CODEC_VP9;
        return true;
    case RMI_PAYLOAD_H264:
        *id = RMI_CODEC_H264;
        *name = RM_CODEC_H264;
        return true;
    case RMI_PAYLOAD_OPUS:
        break;
    }
    return false;
}

static void add_stats(struct rmi_video_decoder_stats *to, const struct rmi_video_decoder *decoder) {
    struct rmi_video_decoder_stats s = {0};
    if (decoder)
        rmi_video_decoder_get_stats(decoder, &s);
    to->decoded += s.decoded;
    to->dropped_waiting += s.dropped_waiting;
    to->malformed += s.malformed;
    to->refused += s.refused;
    to->restarts += s.restarts;
}

static rm_err begin_codec(struct rmi_video_receiver *r, enum rmi_payload_format format) {
    enum rmi_codec_id id;
    rm_codec name;
    struct rmi_depacketizer *depacketizer = NULL;
    struct rmi_video_decoder *decoder = NULL;
    const struct rmi_codec_limits *l = &r->config.limits;
    const struct rmi_video_decoder_config config = {.limits = *l};
    /* No sensible frame is larger than its pixels. */
    uint64_t most = (uint64_t)l->max_width * l->max_height * 3 / 2 + ENCODED_LEAST;
    if (!codec_of(format, &id, &name))
        return RM_E_UNSUPPORTED;
    rm_err err =
        rmi_depacketizer_create(format, most < MAX_FRAME_BYTES ? (size_t)most : MAX_FRAME_BYTES, &depacketizer);
    if (!err && r->config.decode)
        err = rmi_video_decoder_create(id, &config, &decoder);
    if (err) {
        rmi_depacketizer_destroy(&depacketizer);
        return err;
    }
    add_stats(&r->decoders_before, r->decoder);
    rmi_depacketizer_destroy(&r->depacketizer);
    rmi_video_decoder_destroy(&r->decoder);
    r->depacketizer = depacketizer;
    r->decoder = decoder;
    r->format = format;
    r->has_format = r->needs_key = true;
    return RM_OK;
}

/* The codec is that of the frame; another one begins with a key frame. */
static rm_err follow_codec(struct rmi_video_receiver *r, const struct rmi_video_frame *frame, int64_t now_us) {
    uint8_t format = r->formats[frame->packets[0].seq % PACKETS];
    for (size_t i = 1; i < frame->count; i++)
        if (r->formats[frame->packets[i].seq % PACKETS] != format)
            return RM_E_PARSE;
    if (r->has_format && format == r->format)
        return RM_OK;
    if (!frame->key)
        return RM_E_STATE;
    if (r->has_format && now_us - r->switched_us < SWITCH_INTERVAL_US)
        return RM_E_LIMIT;
    bool is_switch = r->has_format;
    rm_err err = begin_codec(r, (enum rmi_payload_format)format);
    if (!err && is_switch)
        r->switched_us = now_us;
    return err;
}

static rm_err put_together(struct rmi_video_receiver *r, const struct rmi_video_frame *frame,
                           struct rmi_depacketizer_frame *out) {
    rm_err err = RM_E_PARSE;
    if (frame->after_loss)
        r->seq++;
    for (size_t i = 0; i < frame->count; i++) {
        const struct rmi_video_packet *p = &frame->packets[i];
        const struct rmi_rtp_packet packet = {
            .seq = r->seq++,
            .timestamp = frame->timestamp,
            .marker = i + 1 == frame->count, /* some senders set none */
            .payload = p->buf->data + p->offset,
            .payload_len = p->len,
        };
        err = rmi_depacketizer_input(r->depacketizer, &packet, out);
        if (err != RM_E_AGAIN)
            break;
    }
    return err == RM_E_AGAIN ? RM_E_PARSE : err;
}

/* The frame's time on the sender's clock, which goes on evenly where that clock leaps or another source takes over. */
static int64_t frame_time(struct rmi_video_receiver *r, const struct rmi_video_frame *frame) {
    if (r->has_time) {
        uint32_t forward = frame->timestamp - r->timestamp;
        int64_t ticks = rmi_unwrap32(0, forward);
        int64_t media = rmi_ticks_to_us(ticks, CLOCK_HZ), real = frame->first_arrival_us - r->arrival_us;
        bool leaps = media < 0 || media - real > MAX_LEAP_US || real - media > MAX_LEAP_US;
        if (leaps || frame->packets[0].ssrc != r->ssrc)
            ticks = rmi_us_to_ticks(rmi_max64(real, RMI_MS(1)), CLOCK_HZ);
        r->ticks += ticks;
    }
    r->has_time = true;
    r->ssrc = frame->packets[0].ssrc;
    r->timestamp = frame->timestamp;
    r->arrival_us = frame->first_arrival_us;
    return rmi_ticks_to_us(r->ticks, CLOCK_HZ);
}

/* Nothing decodes before the next key frame. */
static rm_err lost(struct rmi_video_receiver *r, rm_err err, int64_t now_us) {
    if (err == RM_E_AGAIN)
        return err;
    r->stats.decode_errors += err != RM_E_STATE;
    r->needs_key = true;
    if (r->decoder)
        rmi_video_decoder_wait_for_key(r->decoder);
    rmi_video_buffer_require_keyframe(r->buffer, now_us);
    return err;
}

static rm_err decode(struct rmi_video_receiver *r, const struct rmi_depacketizer_frame *frame, int64_t now_us,
                     struct rmi_codec_picture *out) {
    int64_t (*clock_us)(void *) = r->config.clock_us;
    int64_t before = clock_us ? clock_us(r->config.ctx) : 0;
    rm_err err = rmi_video_decoder_decode(r->decoder, frame->data, frame->len, now_us, out);
    if (clock_us)
        r->stats.decode_us = smooth(r->stats.decode_us, clock_us(r->config.ctx) - before);
    return err;
}

static rm_err read_h264(struct rmi_video_receiver *r, const struct rmi_depacketizer_frame *frame,
                        struct rmi_video_header *out, uint32_t *shown_width, uint32_t *shown_height) {
    struct rmi_h264_unit unit = {0};
    size_t need = RMI_H264_NORMAL_MAX(frame->len), len;
    *out = (struct rmi_video_header){.key = frame->key_frame};
    if (!frame->has_sps)
        return RM_OK;
    if (need > r->scratch_cap) {
        free(r->scratch);
        r->scratch_cap = 0;
        r->scratch = malloc(2 * need);
        if (!r->scratch)
            return RM_E_NO_MEMORY;
        r->scratch_cap = 2 * need;
    }
    rm_err err = rmi_h264_normalise(frame->data, frame->len, &unit, r->scratch, &len);
    if (err)
        return err;
    out->key = unit.idr;
    out->has_size = unit.sps != NULL;
    out->width = unit.sps_info.width;
    out->height = unit.sps_info.height;
    *shown_width = unit.sps_info.shown_width;
    *shown_height = unit.sps_info.shown_height;
    return RM_OK;
}

/* A frame that stays encoded is held to the same limits: somebody will decode it. */
static rm_err inspect(struct rmi_video_receiver *r, const struct rmi_depacketizer_frame *frame, bool *key) {
    struct rmi_video_header h = {0};
    uint32_t shown_width = 0, shown_height = 0; /* H.264 crops */
    rm_err err;
    if (r->format == RMI_PAYLOAD_VP8)
        err = rmi_vp8_parse_header(frame->data, frame->len, &h);
    else if (r->format == RMI_PAYLOAD_VP9)
        err = rmi_vp9_parse_header(frame->data, frame->len, &h);
    else
        err = read_h264(r, frame, &h, &shown_width, &shown_height);
    if (err)
        return err;
    if (h.has_size && !rmi_codec_limits_admit(&r->config.limits, h.width, h.height))
        return RM_E_TOO_BIG;
    if (h.has_size) {
        r->width = shown_width ? shown_width : h.width;
        r->height = shown_height ? shown_height : h.height;
    }
    *key = h.key;
    if (r->width == 0 || (r->needs_key && !h.key))
        return RM_E_STATE;
    r->needs_key = false;
    return RM_OK;
}

static rm_err encoded_frame(struct rmi_video_receiver *r, const struct rmi_depacketizer_frame *frame, bool key,
                            int64_t time_us, rm_runtime_data **out) {
    enum rmi_codec_id id;
    rm_codec codec = RM_CODEC_RAW;
    rm_buf *buf = NULL;
    size_t room = ENCODED_LEAST; /* in few sizes, so that the pool soon stops allocating */
    (void)codec_of(r->format, &id, &codec);
    while (room < frame->len)
        room *= 2;
    rm_err err = rmi_frame_pool_buf(r->pool, room, &buf);
    if (err)
        return err;
    memcpy(rm_buf_write(buf), frame->data, frame->len);
    err = rmi_frame_pool_wrap_encoded(r->pool, buf, 0, frame->len, codec, r->width, r->height, key, r->number, time_us,
                                      out);
    rm_buf_unref(&buf);
    return err;
}

static rm_err make_output(struct rmi_video_receiver *r, const struct rmi_depacketizer_frame *frame, int64_t time_us,
                          int64_t now_us, rm_runtime_data **out) {
    bool key = frame->key_frame;
    struct rmi_codec_picture picture = {0};
    rm_err err = r->config.decode ? decode(r, frame, now_us, &picture) : inspect(r, frame, &key);
    if (err)
        return lost(r, err, now_us);
    if (r->config.decode)
        err = rmi_picture_to_frame(r->pool, &picture, time_us, out);
    else
        err = encoded_frame(r, frame, key, time_us, out);
    if (err) {
        r->stats.exhausted += err == RM_E_LIMIT;
        /* The decoder has the picture, and goes on; a reader of encoded frames misses it. */
        return r->config.decode ? err : lost(r, err, now_us);
    }
    if (r->config.decode) {
        r->width = rm_runtime_data_video(*out)->width;
        r->height = rm_runtime_data_video(*out)->height;
    }
    r->stats.frames++;
    r->stats.key_frames += key;
    return RM_OK;
}

static rm_err take_frame(struct rmi_video_receiver *r, const struct rmi_video_frame *frame, int64_t now_us,
                         rm_runtime_data **out) {
    struct rmi_depacketizer_frame whole;
    int64_t time_us = frame_time(r, frame);
    rm_err err = follow_codec(r, frame, now_us);
    if (!err)
        err = put_together(r, frame, &whole);
    if (err)
        return lost(r, err, now_us);
    /* H.264: parameter sets promised a key frame that did not follow, and what it refers to is lost. */
    if (frame->after_loss && frame->key && !whole.key_frame)
        return lost(r, RM_E_STATE, now_us);
    rm_runtime_data *data = NULL;
    err = make_output(r, &whole, time_us, now_us, &data);
    if (err)
        return err;
    (void)rm_runtime_data_set_frame_number(data, r->number++);
    (void)rm_runtime_data_set_arrival_us(data, frame->first_arrival_us);
    if (r->config.stream_id)
        (void)rm_runtime_data_set_stream_id(data, r->config.stream_id);
    r->stats.waited_us = smooth(r->stats.waited_us, now_us - frame->first_arrival_us);
    rmi_freeze_shown(&r->freeze, now_us);
    *out = data;
    return RM_OK;
}

rm_err rmi_video_receiver_pop(struct rmi_video_receiver *r, int64_t now_us, rm_runtime_data **out) {
    struct rmi_video_frame frame;
    rm_err err = RM_E_AGAIN;
    while (err == RM_E_AGAIN && rmi_video_buffer_pop(r->buffer, now_us, &frame)) {
        err = take_frame(r, &frame, now_us, out);
        rmi_video_frame_release(&frame);
    }
    return err;
}

/* ---- the rest is the buffer's ---- */

bool rmi_video_receiver_take_key_request(struct rmi_video_receiver *r, int64_t now_us) {
    return rmi_video_buffer_take_keyframe_request(r->buffer, now_us);
}

int64_t rmi_video_receiver_next_deadline(const struct rmi_video_receiver *r, int64_t now_us) {
    return rmi_video_buffer_next_deadline(r->buffer, now_us);
}

void rmi_video_receiver_set_rtt(struct rmi_video_receiver *r, int64_t rtt_us) {
    rmi_video_buffer_set_rtt(r->buffer, rtt_us);
}

void rmi_video_receiver_set_sync_delay(struct rmi_video_receiver *r, int64_t delay_us) {
    rmi_video_buffer_set_sync_delay(r->buffer, delay_us);
}

void rmi_video_receiver_timing(const struct rmi_video_receiver *r, struct rmi_av_timing *out) {
    rmi_video_buffer_timing(r->buffer, out);
}

void rmi_video_receiver_get_stats(const struct rmi_video_receiver *r, struct rmi_video_receiver_stats *out) {
    *out = r->stats;
    out->buffer = rmi_video_buffer_get_stats(r->buffer);
    out->decoder = r->decoders_before;
    add_stats(&out->decoder, r->decoder);
    out->freezes = r->freeze.count;
    out->frozen_us = r->freeze.total_us;
    out->width = r->width;
    out->height = r->height;
    out->pool_allocations = rmi_frame_pool_stats(r->pool).allocations;
}
