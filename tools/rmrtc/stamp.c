/* SPDX-License-Identifier: Apache-2.0 */
#include "stamp.h"

#include <stdlib.h>
#include <string.h>

#define COLUMNS 32
#define BIT_ROWS 2
#define STRIPS 4   /* two rows of bits and their negatives */
#define HEIGHTS 45 /* a strip is this part of the picture's height: 16 rows, one macroblock, of 720 */
#define FINE 4     /* cells are judged by their inner half, in quarters */
#define BLACK 16   /* limited range, as the codecs have it */
#define WHITE 235
#define CONTRAST_MIN 32 /* of WHITE - BLACK = 219 between a cell and its negative; noise of the same mean has less */
#define CRC8_POLY 0x07  /* x^8+x^2+x+1 (ITU-T I.432.1): finds up to three wrong bits in 64 */
#define PAYLOAD_BITS 56
#define TIME_MASK ((UINT64_C(1) << STAMP_TIME_BITS) - 1)
/* Mixes black and white where the bits are alike (the upper ones of a time); 2^64 divided by the golden ratio. */
#define WHITENING UINT64_C(0x9E3779B97F4A7C15)

static uint8_t crc8(uint64_t bits) {
    uint8_t crc = 0;
    for (int shift = PAYLOAD_BITS - 8; shift >= 0; shift -= 8) {
        crc ^= (uint8_t)(bits >> shift);
        for (int i = 0; i < 8; i++)
            crc = (uint8_t)(crc & 0x80 ? crc << 1 ^ CRC8_POLY : crc << 1);
    }
    return crc;
}

/* The strip that has a bit of this row and column, and the one with its negative. Pairs lie otherwise in the right half
 * than in the left one: a mirrored stamp is none until it is mirrored back. */
static int strip_of(int row, int column) {
    return column < COLUMNS / 2 ? 2 * row : row;
}

static int negative_of(int row, int column) {
    return column < COLUMNS / 2 ? 2 * row + 1 : row + BIT_ROWS;
}

static int bit_at(uint64_t bits, int row, int column) {
    return (int)(bits >> (BIT_ROWS * COLUMNS - 1 - row * COLUMNS - column) & 1);
}

static bool size_fits(uint32_t width, uint32_t height) {
    return width >= STAMP_WIDTH_MIN && height >= STAMP_HEIGHT_MIN && width <= RM_VIDEO_SIDE_MAX &&
           height <= RM_VIDEO_SIDE_MAX;
}

uint32_t stamp_rows(uint32_t height) {
    return height * STRIPS / HEIGHTS;
}

bool stamp_draw(uint8_t *luma, size_t stride, uint32_t width, uint32_t height, int64_t time_us, uint8_t frame) {
    if (!size_fits(width, height) || stride < width)
        return false;
    uint64_t payload = ((uint64_t)time_us & TIME_MASK) << 8 | frame;
    uint64_t bits = (payload << 8 | crc8(payload)) ^ WHITENING;
    uint8_t cells[STRIPS][COLUMNS];
    for (int row = 0; row < BIT_ROWS; row++)
        for (int c = 0; c < COLUMNS; c++) {
            int bit = bit_at(bits, row, c);
            cells[strip_of(row, c)][c] = bit ? WHITE : BLACK;
            cells[negative_of(row, c)][c] = bit ? BLACK : WHITE;
        }
    for (uint32_t s = 0; s < STRIPS; s++) {
        uint32_t y = s * height / HEIGHTS, end = (s + 1) * height / HEIGHTS;
        uint8_t *first = luma + y * stride;
        for (uint32_t c = 0; c < COLUMNS; c++) {
            uint32_t x = c * width / COLUMNS;
            memset(first + x, cells[s][c], (c + 1) * width / COLUMNS - x);
        }
        while (++y < end)
            memcpy(luma + y * stride, first, width);
    }
    return true;
}

/* ---- reading -------------------------------------------------------------------------------------------------- */

struct view {
    const uint8_t *plane;
    size_t stride, pixel; /* bytes */
    uint32_t width, height;
    bool rgb, mirrored, upside_down;
};

static bool view_of(const rm_video *v, struct view *out) {
    if (!v || v->plane_count == 0 || !v->planes[0] || !size_fits(v->width, v->height))
        return false;
    *out = (struct view){
        .plane = v->planes[0], .stride = v->strides[0], .pixel = 1, .width = v->width, .height = v->height};
    if (v->format == RM_PIXEL_RGB24 || v->format == RM_PIXEL_RGBA32) {
        out->rgb = true;
        out->pixel = v->format == RM_PIXEL_RGB24 ? 3 : 4;
    }
    return true;
}

static unsigned luma_of(const uint8_t *p, bool rgb) {
    return rgb ? (2u * p[0] + 5u * p[1] + p[2]) / 8 : p[0]; /* about BT.601's weights */
}

/* Mean of the inner half of a cell. */
static int cell_level(const struct view *v, uint32_t strip, uint32_t column) {
    uint32_t x = (FINE * column + 1) * v->width / (FINE * COLUMNS);
    uint32_t x_end = (FINE * column + 3) * v->width / (FINE * COLUMNS);
    uint32_t y = (FINE * strip + 1) * v->height / (FINE * HEIGHTS);
    uint32_t y_end = (FINE * strip + 3) * v->height / (FINE * HEIGHTS);
    y_end = y_end > y ? y_end : y + 1;
    uint32_t left = v->mirrored ? v->width - x_end : x;
    uint64_t sum = 0;
    for (uint32_t i = y; i < y_end; i++) {
        const uint8_t *p = v->plane + (v->upside_down ? v->height - 1 - i : i) * v->stride + left * v->pixel;
        for (uint32_t n = x_end - x; n > 0; n--, p += v->pixel)
            sum += luma_of(p, v->rgb);
    }
    return (int)(sum / ((uint64_t)(x_end - x) * (y_end - y)));
}

static bool read_view(const struct view *v, uint64_t *payload) {
    uint64_t bits = 0;
    for (int row = 0; row < BIT_ROWS; row++)
        for (int c = 0; c < COLUMNS; c++) {
            int level = cell_level(v, (uint32_t)strip_of(row, c), (uint32_t)c);
            int contrast = level - cell_level(v, (uint32_t)negative_of(row, c), (uint32_t)c);
            if (abs(contrast) < CONTRAST_MIN)
                return false;
            bits = bits << 1 | (contrast > 0);
        }
    bits ^= WHITENING;
    *payload = bits >> 8;
    return crc8(*payload) == (uint8_t)bits;
}

bool stamp_read(const rm_video *video, int64_t *time_us, uint8_t *frame) {
    struct view v;
    uint64_t payload;
    if (!view_of(video, &v))
        return false;
    for (int turn = 0; turn < 4; turn++) {
        v.mirrored = turn & 1;
        v.upside_down = turn & 2;
        if (!read_view(&v, &payload))
            continue;
        *time_us = (int64_t)(payload >> 8);
        *frame = (uint8_t)payload;
        return true;
    }
    return false;
}

int64_t stamp_age_us(int64_t now_us, int64_t stamped_us) {
    uint64_t age = ((uint64_t)now_us - (uint64_t)stamped_us) & TIME_MASK;
    return age > TIME_MASK / 2 ? (int64_t)age - (int64_t)TIME_MASK - 1 : (int64_t)age;
}
