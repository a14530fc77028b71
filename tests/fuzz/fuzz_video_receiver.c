/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cursor.h"
#include "base/time.h"
#include "session/video_receiver.h"
#include <stdlib.h>

/* First byte: bit 0 frames stay encoded, bit 1 repairs are expected. Then packets: flags (bits 0-1 format, bit 2
 * marker, bit 3 new timestamp, bit 4 another SSRC, bit 5 padding, bits 6-7 packets missing before it), a byte of
 * milliseconds since the one before, two bytes of length, the payload. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIDE 128
#define FORMAT_MASK 3
#define GAP_SHIFT 6
#define FRAME_TICKS 3000
#define KEPT 4

static void require(bool ok) {
    if (!ok)
        abort();
}

/* Reads every byte that is said to be there. */
static void look_at(const rm_runtime_data *frame, bool decode) {
    const rm_video *v = rm_runtime_data_video(frame);
    unsigned sum = 0;
    require(v && v->width > 0 && v->height > 0 && v->width <= SIDE && v->height <= SIDE);
    require((v->format == RM_PIXEL_I420) == decode && rm_runtime_data_timestamp_us(frame) >= 0);
    for (size_t i = 0; !decode && i < v->size; i++)
        sum += v->data[i];
    for (uint32_t p = 0; p < v->plane_count; p++)
        for (uint32_t y = 0; y < v->height >> (p > 0); y++)
            for (uint32_t x = 0; x < v->width >> (p > 0); x++)
                sum += v->planes[p][y * v->strides[p] + x];
    volatile unsigned seen = sum;
    (void)seen;
}

static void take_all(struct rmi_video_receiver *r, int64_t now_us, bool decode, rm_runtime_data **kept, size_t *at) {
    rm_runtime_data *frame = NULL;
    rm_err err;
    while ((err = rmi_video_receiver_pop(r, now_us, &frame)) != RM_E_AGAIN) {
        require((err == RM_OK) == (frame != NULL));
        if (frame)
            look_at(frame, decode);
        rm_runtime_data_unref(&kept[*at % KEPT]); /* some are kept, as a pipeline does */
        kept[(*at)++ % KEPT] = frame;
        frame = NULL;
    }
    (void)rmi_video_receiver_take_key_request(r, now_us);
    int64_t deadline = rmi_video_receiver_next_deadline(r, now_us);
    require(deadline >= now_us);
}

static bool read_packet(struct rmi_rd *rd, struct rmi_video_in *in) {
    uint8_t flags = rmi_rd_u8(rd);
    int64_t passed = RMI_MS(rmi_rd_u8(rd));
    size_t len = rmi_rd_u16(rd);
    const uint8_t *bytes = rmi_rd_bytes(rd, len);
    if (rd->failed || rm_buf_copy(bytes, len, &in->buf))
        return false;
    in->format = (enum rmi_payload_format)(flags & FORMAT_MASK);
    in->marker = flags & 4;
    in->timestamp += flags & 8 ? FRAME_TICKS : 0;
    in->ssrc += flags & 16 ? 1 : 0;
    in->padding = flags & 32;
    in->seq = (uint16_t)(in->seq + 1 + (flags >> GAP_SHIFT));
    in->arrival_us += passed;
    in->len = (uint32_t)len;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rmi_rd rd = rmi_rd_init(data, size);
    uint8_t first = rmi_rd_u8(&rd);
    const struct rmi_video_receiver_config config = {.max_delay_us = RMI_MS(50),
                                                     .decode = !(first & 1),
                                                     .repair = first & 2,
                                                     .limits = {SIDE, SIDE, (uint64_t)SIDE * SIDE * RMI_CODEC_MAX_FPS}};
    struct rmi_video_receiver *r = NULL;
    struct rmi_video_in in = {.seq = 65530, .arrival_us = 1};
    rm_runtime_data *kept[KEPT] = {NULL};
    size_t at = 0;
    if (rmi_video_receiver_create(&config, &r))
        return 0;
    while (rmi_rd_left(&rd) > 0 && read_packet(&rd, &in)) {
        rmi_video_receiver_insert(r, &in);
        rm_buf_unref(&in.buf);
        take_all(r, in.arrival_us, config.decode, kept, &at);
    }
    take_all(r, in.arrival_us + RMI_SEC(1), config.decode, kept, &at);
    struct rmi_video_receiver_stats stats;
    rmi_video_receiver_get_stats(r, &stats);
    require(stats.frames <= at && stats.exhausted == 0);
    rmi_video_receiver_destroy(&r);
    for (size_t i = 0; i < KEPT; i++)
        rm_runtime_data_unref(&kept[i]);
    return 0;
}
