/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_CODEC_CODEC_TESTKIT_H
#define RMI_CODEC_CODEC_TESTKIT_H

#include "base/rng.h"
#include "codec/codec.h"
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A moving picture for the tests of this folder: a texture that scrolls and a bright box that bounces. `detail` is how
 * much noise is in the texture (0..255): more needs more bits. */

#define KIT_TEXTURE 256

struct kit_source {
    uint8_t texture[KIT_TEXTURE][KIT_TEXTURE];
    uint8_t *data;
    int width, height;
};

static inline void kit_source_size(struct kit_source *s, int width, int height) {
    size_t luma = (size_t)width * (size_t)height, chroma = (size_t)((width + 1) / 2) * (size_t)((height + 1) / 2);
    free(s->data);
    s->data = malloc(luma + 2 * chroma);
    if (!s->data)
        abort();
    s->width = width;
    s->height = height;
}

static inline void kit_source_init(struct kit_source *s, int width, int height, int detail) {
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 7);
    s->data = NULL;
    for (int y = 0; y < KIT_TEXTURE; y++)
        for (int x = 0; x < KIT_TEXTURE; x++) {
            double wave = sin(x * 6.2831853 / 64) * 50 + cos(y * 6.2831853 / 128) * 40;
            int noise = detail ? (int)(rmi_prng_next(&prng) % (uint64_t)detail) - detail / 2 : 0;
            int v = 120 + (int)wave + noise;
            s->texture[y][x] = (uint8_t)(v < 16 ? 16 : v > 235 ? 235 : v);
        }
    kit_source_size(s, width, height);
}

static inline void kit_source_fini(struct kit_source *s) {
    free(s->data);
    s->data = NULL;
}

static inline struct rmi_codec_picture kit_source_picture(const struct kit_source *s) {
    int cw = (s->width + 1) / 2, ch = (s->height + 1) / 2;
    const uint8_t *u = s->data + (size_t)s->width * (size_t)s->height;
    return (struct rmi_codec_picture){
        .width = s->width,
        .height = s->height,
        .plane = {s->data, u, u + (size_t)cw * (size_t)ch},
        .stride = {s->width, cw, cw},
    };
}

static inline struct rmi_codec_picture kit_source_draw(struct kit_source *s, int t) {
    int cw = (s->width + 1) / 2, ch = (s->height + 1) / 2;
    int side = s->height / 4, bx = (t * 5) % (s->width - side), by = (t * 3) % (s->height - side);
    for (int y = 0; y < s->height; y++)
        for (int x = 0; x < s->width; x++) {
            int in = x >= bx && x < bx + side && y >= by && y < by + side;
            s->data[(size_t)y * (size_t)s->width + (size_t)x] =
                in ? 220 : s->texture[(y + t) % KIT_TEXTURE][(x + 2 * t) % KIT_TEXTURE];
        }
    uint8_t *u = s->data + (size_t)s->width * (size_t)s->height, *v = u + (size_t)cw * (size_t)ch;
    for (int y = 0; y < ch; y++)
        for (int x = 0; x < cw; x++) {
            u[y * cw + x] = (uint8_t)(64 + (x + t) % 128);
            v[y * cw + x] = (uint8_t)(64 + (y + 2 * t) % 128);
        }
    return kit_source_picture(s);
}

/* Of the luma, over the area both have. */
static inline double kit_psnr(const struct rmi_codec_picture *a, const struct rmi_codec_picture *b) {
    int width = a->width < b->width ? a->width : b->width, height = a->height < b->height ? a->height : b->height;
    double sum = 0;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            double d = (double)a->plane[0][y * a->stride[0] + x] - b->plane[0][y * b->stride[0] + x];
            sum += d * d;
        }
    double mse = sum / ((double)width * height);
    return mse > 0 ? 10 * log10(255.0 * 255.0 / mse) : 99;
}

/* Bits for hand-made headers. */
struct kit_bits {
    uint8_t data[64];
    size_t bits;
};

static inline void kit_put(struct kit_bits *b, uint32_t v, int n) {
    for (int i = n - 1; i >= 0; i--, b->bits++)
        b->data[b->bits / 8] |= (uint8_t)((v >> i & 1) << (7 - b->bits % 8));
}

static inline void kit_put_ue(struct kit_bits *b, uint32_t v) {
    int n = 0;
    while ((UINT64_C(1) << (n + 1)) <= (uint64_t)v + 1)
        n++;
    kit_put(b, 0, n);
    kit_put(b, v + 1, n + 1);
}

static inline size_t kit_bytes(const struct kit_bits *b) {
    return (b->bits + 7) / 8;
}

#endif
