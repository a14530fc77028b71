/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SESSION_VIDEO_TESTKIT_H
#define RMI_SESSION_VIDEO_TESTKIT_H

#include "base/time.h"
#include "codec/codec_testkit.h"
#include "media/image.h"
#include "session/video_receiver.h"
#include "session/video_sender.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h> /* after the headers it needs */

/* A camera, a sender, a wire with faults, and a receiver, in virtual time. */

#define FRAME_US 33333
#define TRIP_US RMI_MS(20)
#define WIRE_PACKETS 4096

struct wire_packet {
    const struct rmi_rtp_batch *batch;
    uint32_t index;
    uint16_t seq;
};

struct path {
    struct kit_source source;
    int t; /* frames drawn */
    rm_pixel_format pixels;
    struct rmi_video_sender *sender;
    struct rmi_video_receiver *receiver;
    int64_t now_us;
    uint32_t ssrc, timestamp_offset;
    uint16_t seq;

    struct wire_packet wire[WIRE_PACKETS];
    size_t on_wire;
    bool (*lose)(struct path *p, const struct wire_packet *w); /* NULL: nothing is lost */
    bool shuffle;
    bool answer_requests; /* key frame requests reach the sender */
    unsigned lost, requests;
    int64_t spent_us; /* on a clock that only its readers move */

    size_t batches, sent_bytes;
    bool last_key;
    uint32_t last_timestamp;
    int64_t last_capture_us;

    size_t frames; /* came out */
    size_t errors;
    double psnr, psnr_least;
    int64_t first_out_us, last_out_us, last_time_us;
    rm_runtime_data *kept; /* the newest frame */
};

static inline void path_on_batch(void *ctx, const struct rmi_rtp_batch *batch) {
    struct path *p = ctx;
    p->batches++;
    p->sent_bytes += batch->bytes;
    p->last_key = batch->key_frame;
    p->last_timestamp = batch->timestamp;
    p->last_capture_us = batch->capture_us;
    assert_true(batch->count > 0);
    for (uint32_t i = 0; i < batch->count; i++) {
        assert_int_equal(batch->payload[i].marker, i + 1 == batch->count);
        assert_true(p->on_wire < WIRE_PACKETS);
        p->wire[p->on_wire++] = (struct wire_packet){rmi_rtp_batch_ref(batch), i, p->seq++};
    }
}

static inline struct rmi_video_sender_config path_sender_config(enum rmi_payload_format format) {
    struct rmi_video_sender_config config;
    rmi_video_sender_config_init(&config);
    config.format = format;
    config.on_batch = path_on_batch;
    return config;
}

static inline void path_new_sender(struct path *p, const struct rmi_video_sender_config *config) {
    struct rmi_video_sender_config c = *config;
    c.ctx = p;
    rmi_video_sender_destroy(&p->sender);
    assert_int_equal(rmi_video_sender_create(&c, &p->sender), RM_OK);
}

static inline struct path *path_create(enum rmi_payload_format format, int width, int height) {
    const struct rmi_video_receiver_config config = {
        .max_delay_us = RMI_MS(200), .repair = true, .decode = true, .stream_id = "camera"};
    const struct rmi_video_sender_config sender = path_sender_config(format);
    struct path *p = calloc(1, sizeof *p);
    assert_non_null(p);
    kit_source_init(&p->source, width, height, 8);
    p->pixels = RM_PIXEL_I420;
    p->now_us = RMI_SEC(1000);
    p->ssrc = 17;
    p->seq = 65500; /* wraps soon */
    p->timestamp_offset = 0xffff0000;
    p->answer_requests = true;
    p->psnr_least = 99;
    path_new_sender(p, &sender);
    assert_int_equal(rmi_video_receiver_create(&config, &p->receiver), RM_OK);
    return p;
}

static inline void path_destroy(struct path *p) {
    assert_int_equal(p->on_wire, 0);
    rm_runtime_data_unref(&p->kept);
    rmi_video_sender_destroy(&p->sender);
    rmi_video_receiver_destroy(&p->receiver);
    kit_source_fini(&p->source);
    free(p);
}

/* ---- the wire ---- */

static inline void path_insert(struct path *p, const struct wire_packet *w) {
    const struct rmi_rtp_batch *b = w->batch;
    const struct rmi_rtp_payload *payload = &b->payload[w->index];
    const struct rmi_video_in in = {
        .format = b->format,
        .ssrc = p->ssrc,
        .timestamp = b->timestamp + p->timestamp_offset,
        .seq = w->seq,
        .marker = payload->marker,
        .arrival_us = p->now_us + TRIP_US,
        .buf = b->buf,
        .offset = (uint32_t)((size_t)(b->data - rm_buf_data(b->buf)) + payload->offset),
        .len = payload->len,
    };
    rmi_video_receiver_insert(p->receiver, &in);
}

static inline struct rmi_codec_picture path_picture_of(const rm_video *v) {
    struct rmi_codec_picture out = {.width = (int)v->width, .height = (int)v->height};
    for (int i = 0; i < 3; i++) {
        out.plane[i] = v->planes[i];
        out.stride[i] = (int)v->strides[i];
    }
    return out;
}

/* Compares with what was drawn last: exact while nothing waits. */
static inline void path_take(struct path *p) {
    rm_runtime_data *data = NULL;
    rm_err err;
    while ((err = rmi_video_receiver_pop(p->receiver, p->now_us + TRIP_US, &data)) != RM_E_AGAIN) {
        if (err) {
            p->errors++;
            continue;
        }
        const rm_video *v = rm_runtime_data_video(data);
        if (v->format == RM_PIXEL_I420) {
            struct rmi_codec_picture got = path_picture_of(v), drawn = kit_source_picture(&p->source);
            if (got.width == (drawn.width & ~1) && got.height == (drawn.height & ~1)) {
                p->psnr = kit_psnr(&got, &drawn);
                p->psnr_least = p->psnr < p->psnr_least ? p->psnr : p->psnr_least;
            }
        }
        assert_string_equal(rm_runtime_data_stream_id(data), "camera");
        assert_int_equal(v->frame_number, p->frames);
        p->last_time_us = rm_runtime_data_timestamp_us(data);
        p->last_out_us = p->now_us;
        p->first_out_us = p->frames++ ? p->first_out_us : p->now_us;
        rm_runtime_data_unref(&p->kept);
        p->kept = data;
        data = NULL;
    }
    assert_null(data);
    if (rmi_video_receiver_take_key_request(p->receiver, p->now_us + TRIP_US)) {
        p->requests++;
        if (p->answer_requests)
            rmi_video_sender_request_key(p->sender);
    }
}

static inline void path_deliver(struct path *p) {
    for (size_t i = 0; i < p->on_wire; i++) {
        struct wire_packet *w = &p->wire[p->shuffle ? i ^ 1 : i];
        if (w >= p->wire + p->on_wire)
            w = &p->wire[i];
        if (p->lose && p->lose(p, w))
            p->lost++;
        else
            path_insert(p, w);
    }
    for (size_t i = 0; i < p->on_wire; i++)
        rmi_rtp_batch_unref(&p->wire[i].batch);
    p->on_wire = 0;
    path_take(p);
}

/* ---- the camera ---- */

static inline rm_runtime_data *path_frame(struct path *p) {
    const struct rmi_codec_picture drawn = kit_source_draw(&p->source, p->t++);
    struct rmi_image from = {.format = RMI_IMAGE_I420, .width = drawn.width, .height = drawn.height};
    enum rmi_image_format format = p->pixels == RM_PIXEL_NV12     ? RMI_IMAGE_NV12
                                   : p->pixels == RM_PIXEL_RGB24  ? RMI_IMAGE_RGB24
                                   : p->pixels == RM_PIXEL_RGBA32 ? RMI_IMAGE_RGBA
                                                                  : RMI_IMAGE_I420;
    size_t size = rmi_image_bytes(format, drawn.width, drawn.height);
    struct rmi_image to;
    rm_buf *buf = NULL;
    rm_runtime_data *data = NULL;
    for (int i = 0; i < 3; i++) {
        from.plane[i] = (uint8_t *)(uintptr_t)drawn.plane[i];
        from.stride[i] = drawn.stride[i];
    }
    assert_int_equal(rm_buf_create(size, &buf), RM_OK);
    assert_int_equal(rmi_image_wrap(&to, format, drawn.width, drawn.height, rm_buf_write(buf), size), RM_OK);
    assert_int_equal(rmi_image_convert(&from, &to, NULL), RM_OK);
    assert_int_equal(rm_runtime_data_create_video(buf, 0, p->pixels, (uint32_t)drawn.width, (uint32_t)drawn.height, 0,
                                                  p->now_us, &data),
                     RM_OK);
    rm_buf_unref(&buf);
    return data;
}

/* One picture from end to end, and time goes on. */
static inline rm_err path_step_by(struct path *p, int64_t interval_us) {
    rm_runtime_data *frame = path_frame(p);
    rm_err err = rmi_video_sender_input(p->sender, frame, p->now_us);
    rm_runtime_data_unref(&frame);
    path_deliver(p);
    p->now_us += interval_us;
    return err;
}

static inline void path_run(struct path *p, int frames) {
    for (int i = 0; i < frames; i++)
        assert_int_equal(path_step_by(p, FRAME_US), RM_OK);
}

static inline struct rmi_video_receiver_stats path_stats(const struct path *p) {
    struct rmi_video_receiver_stats stats;
    rmi_video_receiver_get_stats(p->receiver, &stats);
    return stats;
}

#endif
