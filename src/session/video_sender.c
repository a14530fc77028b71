/* SPDX-License-Identifier: Apache-2.0 */
#include "session/video_sender.h"
#include "base/time.h"
#include "codec/governor.h"
#include "jitter/order.h"
#include "session/media_clock.h"
#include "session/picture.h"
#include <stdlib.h>

#define CLOCK_HZ 90000
#define BITS 8.0
#define MAX_PAYLOAD 1140
#define MIN_PAYLOAD 64   /* the packetizers' */
#define POOL_BATCHES 512 /* kept for retransmission by every peer: allocated as they are needed */
#define WEIGHT 8
#define DEFAULT_BITRATE_BPS 1500000
#define DEFAULT_FPS 30
#define DEFAULT_WIDTH 1280
#define DEFAULT_HEIGHT 720
/* The encoder divides its bitrate by the frame rate it is told: what comes, where that is less than the limit. */
#define RATE_WINDOW_US RMI_SEC(1)
#define RATE_WINDOW_MAX_US RMI_SEC(2) /* longer: the source paused, which says nothing */
#define RATE_NEAR 0.85
/* What was made beyond the bitrate is waited for where that is all there is: encoders take up to a second to make up
 * for it, and after a fall of the rate their key frames fill the queue on the way, in which sound waits, too. A key
 * frame is allowed most of this (codec/vpx_enc.c). */
#define AHEAD_US RMI_MS(250)

struct rmi_video_sender {
    struct rmi_video_sender_config config;
    enum rmi_codec_id codec;
    rm_codec codec_name;
    struct rmi_video_encoder *encoder;
    struct rmi_video_encoder_config tuned; /* as the encoder has it */
    struct rmi_picture_maker maker;
    struct rmi_frame_pool *pool;

    bool started;
    struct rmi_media_clock clock;
    int64_t last_us; /* of the last frame */
    int64_t due_us;  /* of the next frame, by the limit of the rate */
    int64_t window_us;
    unsigned window_frames;
    double window_fps; /* of the window before */
    struct rmi_governor governor;
    int64_t ahead_us; /* how long what was made takes at the bitrate it was made for, at */
    int64_t ahead_at_us;

    bool passing; /* the last input was encoded already */
    bool has_key; /* since then */
    uint16_t picture_id;
    uint8_t frame_index; /* VP9: TL0PICIDX */
    struct rmi_video_sender_stats stats;
};

/* ---- life cycle and settings ---- */

void rmi_video_sender_config_init(struct rmi_video_sender_config *config) {
    *config = (struct rmi_video_sender_config){
        .format = RMI_PAYLOAD_VP9,
        .settings = {DEFAULT_BITRATE_BPS, DEFAULT_FPS, DEFAULT_WIDTH, DEFAULT_HEIGHT, false},
        .h264_mode = 1,
    };
}

static bool settings_valid(const struct rmi_video_sender_settings *s) {
    return s->bitrate_bps >= RMI_VIDEO_BITRATE_MIN_BPS && s->bitrate_bps <= RMI_VIDEO_BITRATE_MAX_BPS &&
           s->max_fps >= 1 && s->max_fps <= RMI_VIDEO_FPS_MAX && s->max_width >= RMI_VIDEO_SIDE_MIN &&
           s->max_height >= RMI_VIDEO_SIDE_MIN && s->max_width <= RMI_VIDEO_SIDE_MAX &&
           s->max_height <= RMI_VIDEO_SIDE_MAX;
}

static bool set_codec(struct rmi_video_sender *s) {
    switch (s->config.format) {
    case RMI_PAYLOAD_VP8:
        s->codec = RMI_CODEC_VP8;
        s->codec_name = RM_CODEC_VP8;
        return true;
    case RMI_PAYLOAD_VP9:
        s->codec = RMI_CODEC_VP9;
        s->codec_name = RM_CODEC_VP9;
        return true;
    case RMI_PAYLOAD_H264:
        s->codec = RMI_CODEC_H264;
        s->codec_name = RM_CODEC_H264;
        return true;
    case RMI_PAYLOAD_OPUS:
        break;
    }
    return false;
}

static bool governed(const struct rmi_video_sender *s) {
    return s->config.clock_us && s->codec != RMI_CODEC_H264; /* which has no speeds */
}

static rm_err set_up(struct rmi_video_sender *s, const struct rmi_video_sender_config *config) {
    const struct rmi_frame_pool_config pool = {.max_buffers = POOL_BATCHES, .max_objects = 1};
    s->config = *config;
    if (s->config.max_payload == 0)
        s->config.max_payload = MAX_PAYLOAD;
    if (!config->on_batch || !settings_valid(&config->settings) || s->config.max_payload < MIN_PAYLOAD ||
        config->h264_mode > 1 || !set_codec(s))
        return RM_E_INVALID_ARG;
    s->tuned = (struct rmi_video_encoder_config){.bitrate_bps = config->settings.bitrate_bps,
                                                 .fps = config->settings.max_fps,
                                                 .limited = config->settings.limited};
    rm_err err = rmi_video_encoder_create(s->codec, &s->tuned, &s->encoder);
    return err ? err : rmi_frame_pool_create(&pool, &s->pool);
}

rm_err rmi_video_sender_create(const struct rmi_video_sender_config *config, struct rmi_video_sender **out) {
    if (!config || !out)
        return RM_E_INVALID_ARG;
    struct rmi_video_sender *s = calloc(1, sizeof *s);
    if (!s)
        return RM_E_NO_MEMORY;
    rm_err err = set_up(s, config);
    if (err)
        rmi_video_sender_destroy(&s);
    else
        *out = s;
    return err;
}

void rmi_video_sender_destroy(struct rmi_video_sender **sender) {
    if (!sender || !*sender)
        return;
    struct rmi_video_sender *s = *sender;
    rmi_video_encoder_destroy(&s->encoder);
    rmi_picture_maker_fini(&s->maker);
    rmi_frame_pool_destroy(&s->pool);
    free(s);
    *sender = NULL;
}

/* Tells the encoder what has changed: settings, the rate frames come at, the governor's speed. */
static rm_err tune(struct rmi_video_sender *s, double fps) {
    struct rmi_video_encoder_config wanted = {
        .bitrate_bps = s->config.settings.bitrate_bps, .fps = fps, .limited = s->config.settings.limited};
    if (governed(s) && s->started)
        wanted.speed = rmi_governor_setting(&s->governor).speed;
    if (wanted.bitrate_bps == s->tuned.bitrate_bps && wanted.fps == s->tuned.fps && wanted.speed == s->tuned.speed &&
        wanted.limited == s->tuned.limited)
        return RM_OK;
    rm_err err = rmi_video_encoder_configure(s->encoder, &wanted);
    if (!err)
        s->tuned = wanted;
    return err;
}

rm_err rmi_video_sender_configure(struct rmi_video_sender *s, const struct rmi_video_sender_settings *settings) {
    if (!settings_valid(settings))
        return RM_E_INVALID_ARG;
    bool same_rate = settings->max_fps == s->config.settings.max_fps;
    s->config.settings = *settings;
    s->due_us = rmi_min64(s->due_us, s->last_us); /* was computed with another interval */
    return tune(s, same_rate ? s->tuned.fps : settings->max_fps);
}

void rmi_video_sender_request_key(struct rmi_video_sender *s) {
    rmi_video_encoder_request_key(s->encoder);
}

/* ---- when ---- */

/* Frames may come half an interval early: the grid keeps the mean, and jitter costs no frames. */
static bool is_due(struct rmi_video_sender *s, int64_t time_us) {
    int64_t interval = (int64_t)((double)RMI_SEC(1) / s->config.settings.max_fps);
    if (time_us + interval / 2 < s->due_us)
        return false;
    s->due_us = time_us > s->due_us + interval ? time_us + interval : s->due_us + interval;
    return true;
}

static void note_rate(struct rmi_video_sender *s, int64_t time_us) {
    int64_t passed = time_us - s->window_us;
    s->window_frames++;
    if (passed < RATE_WINDOW_US)
        return;
    if (passed <= RATE_WINDOW_MAX_US) {
        double fps = (s->window_frames - 1) * (double)RMI_SEC(1) / (double)passed;
        double most = s->config.settings.max_fps;
        /* Down only after two windows: a pause must not make the frames after it large. */
        double rate = fps > s->window_fps ? fps : s->window_fps;
        s->window_fps = fps;
        rate = rate > most ? most : rate < 1 ? 1 : rate;
        if (rate < s->tuned.fps * RATE_NEAR || rate * RATE_NEAR > s->tuned.fps)
            (void)tune(s, rate); /* in range */
    }
    s->window_us = time_us;
    s->window_frames = 1;
}

/* ---- how much ---- */

/* Whether the rate has caught up with what was made, so that there may be more. */
static bool has_room(struct rmi_video_sender *s, int64_t time_us) {
    s->ahead_us = rmi_max64(s->ahead_us - rmi_max64(time_us - s->ahead_at_us, 0), 0);
    s->ahead_at_us = time_us;
    return !s->config.settings.limited || s->ahead_us <= AHEAD_US;
}

static void note_made(struct rmi_video_sender *s, const struct rmi_encoded_video *encoded) {
    s->ahead_us += (int64_t)(BITS * (double)encoded->len * (double)RMI_SEC(1) / s->config.settings.bitrate_bps);
}

static void begin(struct rmi_video_sender *s, int64_t time_us, int64_t now_us) {
    if (s->started)
        return;
    s->started = true;
    s->due_us = s->window_us = time_us;
    s->window_fps = s->config.settings.max_fps;
    rmi_governor_init(&s->governor, s->config.encode_budget_us, now_us);
}

/* ---- what ---- */

static void describe(const struct rmi_video_sender *s, const struct rmi_encoded_video *encoded, uint32_t width,
                     uint32_t height, struct rmi_packetizer_frame *out) {
    *out = (struct rmi_packetizer_frame){
        .data = encoded->data, .len = encoded->len, .max_payload = s->config.max_payload, .key_frame = encoded->key};
    if (s->codec == RMI_CODEC_VP8)
        out->u.vp8 = (struct rmi_vp8_send){.has_picture_id = true, .picture_id = s->picture_id};
    else if (s->codec == RMI_CODEC_VP9)
        out->u.vp9 = (struct rmi_vp9_send){.picture_id = s->picture_id,
                                           .tl0_index = s->frame_index,
                                           .width = (uint16_t)width,
                                           .height = (uint16_t)height};
    else
        out->u.h264_mode = s->config.h264_mode;
}

static rm_err send_frame(struct rmi_video_sender *s, const struct rmi_encoded_video *encoded, uint32_t width,
                         uint32_t height, int64_t time_us) {
    struct rmi_packetizer_frame frame;
    const struct rmi_rtp_batch *batch = NULL;
    const struct rmi_rtp_batch head = {
        .format = s->config.format,
        .timestamp = (uint32_t)rmi_us_to_ticks(time_us, CLOCK_HZ),
        .capture_us = time_us,
        .key_frame = encoded->key,
    };
    describe(s, encoded, width, height, &frame);
    rm_err err = rmi_rtp_batch_create(s->pool, &head, &frame, &batch);
    if (err) {
        s->stats.exhausted += err == RM_E_LIMIT;
        s->stats.errors += err != RM_E_LIMIT;
        /* Frames to come refer to this one, which nobody gets. */
        rmi_video_encoder_request_key(s->encoder);
        s->has_key = false;
        return err;
    }
    s->picture_id = (uint16_t)((s->picture_id + 1) & RMI_VP8_PICTURE_ID_MAX);
    s->frame_index++;
    s->stats.frames++;
    s->stats.key_frames += encoded->key;
    s->stats.bytes += batch->bytes;
    s->stats.width = width;
    s->stats.height = height;
    s->config.on_batch(s->config.ctx, batch);
    rmi_rtp_batch_unref(&batch);
    return RM_OK;
}

/* ---- raw input ---- */

static rm_err encode(struct rmi_video_sender *s, const struct rmi_codec_picture *picture, int64_t time_us,
                     int64_t now_us, struct rmi_encoded_video *out) {
    int64_t (*clock_us)(void *) = s->config.clock_us;
    int64_t before = clock_us ? clock_us(s->config.ctx) : 0;
    rm_err err = rmi_video_encoder_encode(s->encoder, picture, time_us, out);
    if (err || !clock_us)
        return err;
    int64_t took = clock_us(s->config.ctx) - before;
    s->stats.encode_us = s->stats.encode_us ? (s->stats.encode_us * (WEIGHT - 1) + took) / WEIGHT : took;
    if (governed(s) && !out->key && rmi_governor_input(&s->governor, now_us, took))
        (void)tune(s, s->tuned.fps); /* its speeds are in range */
    return RM_OK;
}

static rm_err input_raw(struct rmi_video_sender *s, const rm_video *video, int64_t time_us, int64_t now_us) {
    const struct rmi_video_sender_settings *limit = &s->config.settings;
    uint32_t max_long = limit->max_width > limit->max_height ? limit->max_width : limit->max_height;
    uint32_t max_short = limit->max_width > limit->max_height ? limit->max_height : limit->max_width;
    struct rmi_codec_picture picture;
    struct rmi_encoded_video encoded;
    int width, height;
    if (!is_due(s, time_us)) {
        s->stats.skipped++;
        return RM_E_AGAIN;
    }
    note_rate(s, time_us);
    if (!has_room(s, time_us)) {
        s->stats.skipped++;
        s->stats.held++;
        return RM_E_AGAIN;
    }
    rmi_picture_fit(video->width, video->height, max_long, max_short, &width, &height);
    if (governed(s))
        rmi_governor_scale(&s->governor, width, height, &width, &height);
    rm_err err = rmi_picture_from_frame(&s->maker, video, width, height, &picture);
    if (!err) {
        if (s->passing)
            rmi_video_encoder_request_key(s->encoder); /* what was passed on is unknown to it */
        s->passing = false;
        err = encode(s, &picture, time_us, now_us, &encoded);
    }
    if (err) {
        s->stats.skipped += err == RM_E_AGAIN;
        s->stats.errors += err != RM_E_AGAIN;
        return err;
    }
    note_made(s, &encoded);
    return send_frame(s, &encoded, (uint32_t)width, (uint32_t)height, time_us);
}

/* ---- encoded input ---- */

/* What the frame is by its own header; H.264 is taken by its word. */
static rm_err read_header(const struct rmi_video_sender *s, const rm_video *video, struct rmi_video_header *out) {
    *out = (struct rmi_video_header){.key = video->is_keyframe};
    rm_err err = RM_OK;
    if (s->codec == RMI_CODEC_VP8)
        err = rmi_vp8_parse_header(video->data, video->size, out);
    else if (s->codec == RMI_CODEC_VP9)
        err = rmi_vp9_parse_header(video->data, video->size, out);
    if (!err && !out->has_size) {
        out->width = video->width;
        out->height = video->height;
    }
    return err;
}

static rm_err input_encoded(struct rmi_video_sender *s, const rm_video *video, int64_t time_us) {
    struct rmi_video_header header;
    rm_err err = read_header(s, video, &header);
    if (err) {
        s->stats.errors++;
        return err;
    }
    if (!s->passing)
        s->has_key = false; /* the encoder's frames are no references for these */
    s->passing = true;
    if (!s->has_key && !header.key)
        return RM_E_STATE;
    s->has_key = true;
    const struct rmi_encoded_video encoded = {.data = video->data, .len = video->size, .key = header.key};
    return send_frame(s, &encoded, header.width, header.height, time_us);
}

rm_err rmi_video_sender_input_at(struct rmi_video_sender *s, const rm_runtime_data *data, int64_t time_us,
                                 int64_t now_us) {
    const rm_video *video = rm_runtime_data_video(data);
    if (!video)
        return RM_E_INVALID_ARG;
    bool is_encoded = video->format == RM_PIXEL_ENCODED;
    if (is_encoded ? video->codec != s->codec_name : !rmi_picture_accepts(video->format))
        return RM_E_UNSUPPORTED;
    s->last_us = time_us;
    begin(s, time_us, now_us);
    return is_encoded ? input_encoded(s, video, time_us) : input_raw(s, video, time_us, now_us);
}

rm_err rmi_video_sender_input(struct rmi_video_sender *s, const rm_runtime_data *data, int64_t now_us) {
    if (!rm_runtime_data_video(data))
        return RM_E_INVALID_ARG;
    return rmi_video_sender_input_at(
        s, data, rmi_media_clock_step(&s->clock, rm_runtime_data_timestamp_us(data), now_us), now_us);
}

void rmi_video_sender_get_stats(const struct rmi_video_sender *s, struct rmi_video_sender_stats *out) {
    *out = s->stats;
    out->governor_step = governed(s) ? s->governor.step : 0;
}
