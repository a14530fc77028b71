/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cursor.h"
#include "codec/codec.h"
#include <stdlib.h>
#include <string.h>

/* A stream of frames, each behind its length in two bytes, into a whole decoder: what our checks let through, the
 * libraries must survive. The first byte says which codec. Every pixel of what comes out is read. */

#define SIDE_MAX 128

static const enum rmi_codec_id codecs[] = {RMI_CODEC_VP8, RMI_CODEC_VP9, RMI_CODEC_H264};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const struct rmi_codec_picture *p) {
    volatile unsigned sum = 0;
    if (p->width > SIDE_MAX || p->height > SIDE_MAX)
        abort();
    for (int i = 0; i < 3; i++) {
        int width = i ? (p->width + 1) / 2 : p->width, height = i ? (p->height + 1) / 2 : p->height;
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                sum = sum + p->plane[i][y * p->stride[i] + x];
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rmi_video_decoder_config config = {
        .limits = {.max_width = SIDE_MAX, .max_height = SIDE_MAX, .max_pixels_per_s = 100000000}};
    struct rmi_video_decoder *d = NULL;
    struct rmi_rd r = rmi_rd_init(data, size);
    enum rmi_codec_id id = codecs[rmi_rd_u8(&r) % (sizeof codecs / sizeof *codecs)];
    if (rmi_video_decoder_create(id, &config, &d))
        return 0;
    while (rmi_rd_left(&r) > 2) {
        size_t len = rmi_rd_u16(&r), left = rmi_rd_left(&r);
        len = len < left ? len : left;
        const uint8_t *frame = rmi_rd_bytes(&r, len);
        uint8_t *copy = malloc(len ? len : 1); /* exact bounds are checked */
        if (!copy || !frame)
            abort();
        memcpy(copy, frame, len);
        struct rmi_codec_picture out;
        if (rmi_video_decoder_decode(d, copy, len, 0, &out) == RM_OK)
            read_all(&out);
        free(copy);
    }
    rmi_video_decoder_destroy(&d);
    return 0;
}
