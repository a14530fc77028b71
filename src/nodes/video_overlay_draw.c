/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/video_overlay_private.h"

#include <string.h>

/* In pixels of glyphs. */
#define ADVANCE (RMI_GLYPH_COLUMNS + 1)
#define LINE (RMI_GLYPH_ROWS + 2)
#define PADDING 2 /* around the text, inside the box */
#define MARGIN 4  /* between the box and the edge of the picture */

/* BT.601, limited range. */
#define LUMA_BLACK 16
#define LUMA_WHITE 235
#define CHROMA_NONE 128

static int max(int a, int b) {
    return a > b ? a : b;
}

static int min(int a, int b) {
    return a < b ? a : b;
}

static int even(int value) {
    return value - value % 2;
}

/* Columns and lines of the text. */
static void measure(const char *text, int *columns, int *lines) {
    int column = 0;
    *columns = 0;
    *lines = 1;
    for (; *text; text++) {
        column = *text == '\n' ? 0 : column + 1;
        *lines += *text == '\n';
        *columns = max(*columns, column);
    }
}

/* Where `size` pixels begin of `room`. `at`: -1 first, 0 middle, 1 last. */
static int place(int size, int room, int margin, int at) {
    int begin = at < 0 ? margin : at > 0 ? room - margin - size : (room - size) / 2;
    return even(max(0, min(begin, room - size)));
}

struct rmi_overlay_box rmi_overlay_box(const struct rmi_overlay *o, int width, int height) {
    static const struct {
        int x, y;
    } at[] = {[RMI_OVERLAY_TOP_LEFT] = {-1, -1},
              [RMI_OVERLAY_TOP_RIGHT] = {1, -1},
              [RMI_OVERLAY_BOTTOM_LEFT] = {-1, 1},
              [RMI_OVERLAY_BOTTOM_RIGHT] = {1, 1},
              [RMI_OVERLAY_CENTER] = {0, 0}};
    int columns, lines;
    measure(o->text, &columns, &lines);
    if (columns == 0)
        return (struct rmi_overlay_box){0, 0, 0, 0};
    /* the gap behind the last column and line is not needed */
    int w = (columns * ADVANCE - 1 + 2 * PADDING) * o->scale, h = (lines * LINE - 2 + 2 * PADDING) * o->scale;
    struct rmi_overlay_box box = {.width = even(w + 1), .height = even(h + 1)};
    box.x = place(box.width, width, MARGIN * o->scale, at[o->position].x);
    box.y = place(box.height, height, MARGIN * o->scale, at[o->position].y);
    box.width = min(box.width, width - box.x);
    box.height = min(box.height, height - box.y);
    return box;
}

/* What one plane is made of. */
struct layer {
    uint8_t *bytes;
    int stride;
    int pixel; /* bytes from one to the next, the first `used` of them written */
    int used;
    int shrink; /* 2: half as many pixels either way */
    int dark, light;
};

/* Layers of a format; 0 behind the last. */
static int layers_of(const struct rmi_image *image, struct layer out[RMI_IMAGE_PLANES]) {
    struct layer rgb = {.shrink = 1, .dark = 0, .light = UINT8_MAX};
    struct layer luma = {.pixel = 1, .used = 1, .shrink = 1, .dark = LUMA_BLACK, .light = LUMA_WHITE};
    struct layer chroma = {.pixel = 1, .used = 1, .shrink = 2, .dark = CHROMA_NONE, .light = CHROMA_NONE};
    int count = 1;
    out[0] = luma;
    switch (image->format) {
    case RMI_IMAGE_I420:
        count = 3;
        out[1] = out[2] = chroma;
        break;
    case RMI_IMAGE_NV12:
        count = 2;
        chroma.pixel = chroma.used = 2;
        out[1] = chroma;
        break;
    default:
        rgb.used = 3;
        rgb.pixel = image->format == RMI_IMAGE_RGBA ? 4 : 3;
        out[0] = rgb;
    }
    for (int i = 0; i < count; i++) {
        out[i].bytes = image->plane[i];
        out[i].stride = image->stride[i];
    }
    return count;
}

static void shade(const struct layer *l, const struct rmi_overlay_box *box, int opacity) {
    for (int y = box->y / l->shrink; y < (box->y + box->height) / l->shrink; y++) {
        uint8_t *p = l->bytes + (size_t)y * (size_t)l->stride + (size_t)(box->x / l->shrink * l->pixel);
        for (int x = 0; x < box->width / l->shrink; x++, p += l->pixel)
            for (int i = 0; i < l->used; i++)
                p[i] = (uint8_t)(p[i] + (l->dark - p[i]) * opacity / RMI_OVERLAY_OPAQUE);
    }
}

/* The part of a glyph's pixel that lies inside the box, in every layer. */
static void dot(const struct layer *layers, int count, const struct rmi_overlay_box *box, int x, int y, int size) {
    int right = min(x + size, box->x + box->width), bottom = min(y + size, box->y + box->height);
    if (x >= right || y >= bottom)
        return;
    for (int k = 0; k < count; k++) {
        const struct layer *l = &layers[k];
        int from = x / l->shrink, to = (right + l->shrink - 1) / l->shrink;
        for (int row = y / l->shrink; row < (bottom + l->shrink - 1) / l->shrink; row++)
            for (int column = from; column < to; column++)
                memset(l->bytes + (size_t)row * (size_t)l->stride + (size_t)(column * l->pixel), l->light,
                       (size_t)l->used);
    }
}

static void draw_glyph(const struct layer *layers, int count, const struct rmi_overlay_box *box, char c, int x, int y,
                       int scale) {
    const uint8_t *rows = rmi_glyph(c);
    for (int row = 0; row < RMI_GLYPH_ROWS; row++)
        for (int column = 0; column < RMI_GLYPH_COLUMNS; column++)
            if (rows[row] >> (RMI_GLYPH_COLUMNS - 1 - column) & 1)
                dot(layers, count, box, x + column * scale, y + row * scale, scale);
}

void rmi_overlay_draw(const struct rmi_overlay *o, struct rmi_image *image) {
    struct layer layers[RMI_IMAGE_PLANES];
    int count = layers_of(image, layers);
    struct rmi_overlay_box box = rmi_overlay_box(o, image->width, image->height);
    if (o->opacity > 0)
        for (int i = 0; i < count; i++)
            shade(&layers[i], &box, o->opacity);
    int left = box.x + PADDING * o->scale, x = left, y = box.y + PADDING * o->scale;
    for (const char *c = o->text; *c; c++) {
        if (*c == '\n') {
            x = left;
            y += LINE * o->scale;
            continue;
        }
        if (x < box.x + box.width && y < box.y + box.height)
            draw_glyph(layers, count, &box, *c, x, y, o->scale);
        x += ADVANCE * o->scale;
    }
}
