/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_loop.h"

#include "base/time.h"
#include "bench.h"
#include "codec/video.h"
#include "io/loop.h"
#include "test_video.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define FRAMES 60 /* whoever joins, or asks for a key frame, waits for it two seconds at most */

struct bench_loop {
    rm_runtime_data *frames[FRAMES];
    rm_webrtc *const *transports;
    size_t count;
    bool has_thread;
    pthread_t thread;
    atomic_bool stop;
};

static rm_err keep(const struct rmi_encoded_video *e, rm_codec codec, uint64_t n, rm_runtime_data **out) {
    rm_buf *buf = NULL;
    rm_err err = rm_buf_copy(e->data, e->len, &buf);
    if (!err) /* a time that stands still is none: the frame is sent with that of its sending */
        err = rm_runtime_data_create_encoded(buf, 0, e->len, codec, BENCH_WIDTH, BENCH_HEIGHT, e->key, n, 0, out);
    rm_buf_unref(&buf);
    return err;
}

static rm_err encode(struct bench_loop *l, struct rmi_video_encoder *encoder, rm_codec codec) {
    struct test_video *source = NULL;
    rm_err err = test_video_create(BENCH_WIDTH, BENCH_HEIGHT, BENCH_FPS, &source);
    for (size_t i = 0; !err && i < FRAMES; i++) {
        rm_runtime_data *picture = NULL;
        int64_t at_us = (int64_t)i * RMI_SEC(1) / BENCH_FPS;
        err = test_video_next(source, at_us, &picture);
        if (err)
            break;
        const rm_video *v = rm_runtime_data_video(picture);
        struct rmi_codec_picture in = {.width = BENCH_WIDTH, .height = BENCH_HEIGHT};
        for (int p = 0; p < 3; p++) {
            in.plane[p] = v->planes[p];
            in.stride[p] = (int)v->strides[p];
        }
        struct rmi_encoded_video e;
        err = rmi_video_encoder_encode(encoder, &in, at_us, &e);
        if (!err)
            err = keep(&e, codec, i, &l->frames[i]);
        else if (err == RM_E_AGAIN)
            err = RM_OK; /* skipped by the rate control */
        rm_runtime_data_unref(&picture);
    }
    test_video_destroy(&source);
    return err;
}

rm_err bench_loop_create(rm_video_codec codec, uint32_t bitrate_bps, struct bench_loop **out) {
    static const struct {
        enum rmi_codec_id id;
        rm_codec codec;
    } codecs[] = {[RM_VIDEO_VP9] = {RMI_CODEC_VP9, RM_CODEC_VP9},
                  [RM_VIDEO_VP8] = {RMI_CODEC_VP8, RM_CODEC_VP8},
                  [RM_VIDEO_H264] = {RMI_CODEC_H264, RM_CODEC_H264}};
    struct rmi_video_encoder_config ec = {.bitrate_bps = bitrate_bps, .fps = BENCH_FPS};
    struct rmi_video_encoder *encoder = NULL;
    struct bench_loop *l = calloc(1, sizeof *l);
    if (!l)
        return RM_E_NO_MEMORY;
    rm_err err = rmi_video_encoder_create(codecs[codec].id, &ec, &encoder);
    if (!err)
        err = encode(l, encoder, codecs[codec].codec);
    rmi_video_encoder_destroy(&encoder);
    if (err)
        bench_loop_destroy(&l);
    else
        *out = l;
    return err;
}

static void *loop_main(void *ctx) {
    struct bench_loop *l = ctx;
    int64_t start_us = rmi_now_us();
    for (uint64_t n = 0; !atomic_load(&l->stop); n++) {
        int64_t at_us = start_us + (int64_t)(n * RMI_SEC(1) / BENCH_FPS);
        struct timespec at = {.tv_sec = (time_t)(at_us / RMI_SEC(1)), .tv_nsec = (long)(at_us % RMI_SEC(1)) * 1000};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
        rm_runtime_data *frame = l->frames[n % FRAMES];
        for (size_t i = 0; frame && i < l->count; i++)
            rm_webrtc_send_video(l->transports[i], NULL, frame); /* the receiver's figures tell what did not come */
    }
    return NULL;
}

rm_err bench_loop_start(struct bench_loop *l, rm_webrtc *const *transports, size_t count) {
    l->transports = transports;
    l->count = count;
    l->has_thread = !pthread_create(&l->thread, NULL, loop_main, l);
    return l->has_thread ? RM_OK : RM_E_IO;
}

void bench_loop_destroy(struct bench_loop **loop) {
    struct bench_loop *l = *loop;
    if (!l)
        return;
    *loop = NULL;
    atomic_store(&l->stop, true);
    if (l->has_thread)
        pthread_join(l->thread, NULL);
    for (size_t i = 0; i < FRAMES; i++)
        rm_runtime_data_unref(&l->frames[i]);
    free(l);
}

rm_err bench_write_pictures(const char *path, size_t count) {
    struct test_video *source = NULL;
    size_t size = rm_video_packed_size(RM_PIXEL_I420, BENCH_WIDTH, BENCH_HEIGHT);
    uint8_t *packed = malloc(size);
    FILE *f = packed ? fopen(path, "wb") : NULL;
    rm_err err = !packed ? RM_E_NO_MEMORY : f ? RM_OK : RM_E_IO;
    if (!err)
        err = test_video_create(BENCH_WIDTH, BENCH_HEIGHT, BENCH_FPS, &source);
    for (size_t i = 0; !err && i < count; i++) {
        rm_runtime_data *picture = NULL;
        size_t written;
        err = test_video_next(source, (int64_t)i * RMI_SEC(1) / BENCH_FPS, &picture);
        if (!err)
            err = rm_video_pack(rm_runtime_data_video(picture), packed, size, &written);
        if (!err && fwrite(packed, 1, size, f) != size)
            err = RM_E_IO;
        rm_runtime_data_unref(&picture);
    }
    test_video_destroy(&source);
    if (f && fclose(f) && !err)
        err = RM_E_IO;
    free(packed);
    return err;
}
