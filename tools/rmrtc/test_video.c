/* SPDX-License-Identifier: Apache-2.0 */
#include "test_video.h"

#include "base/rng.h"
#include "base/time.h"
#include "frame/pool.h"
#include "stamp.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIDE_MAX 4096
#define POOL_BUFFERS 64 /* two seconds at 30 a second may wait in queues */
#define PI 3.14159265358979323846
#define NEUTRAL 128
#define TEXTURE_SEED 20
#define TEXTURE_NOISE 9 /* levels; more would be noise that costs bits without looking like a room */
#define BAR_PARTS 8     /* the bars fill the lowest eighth, eight of them */

struct plane {
    uint8_t *data;
    uint32_t width, height;
};

/* The person: a picture of its own, and for each row the part of it that is opaque. */
struct span {
    uint32_t from, to; /* from = to: nothing */
};

struct test_video {
    uint32_t width, height, fps;
    uint64_t next;
    int64_t due_us;
    struct rmi_frame_pool *pool;
    struct plane background[RM_PLANES_MAX];
    struct plane person[RM_PLANES_MAX];
    struct span *spans[RM_PLANES_MAX];
};

static const uint8_t bars[BAR_PARTS][RM_PLANES_MAX] = {/* 75 % bars in BT.601: white to black */
                                                       {180, 128, 128}, {162, 44, 142}, {131, 156, 44}, {112, 72, 58},
                                                       {84, 184, 198},  {65, 100, 212}, {35, 212, 114}, {16, 128, 128}};
static const uint8_t skin[RM_PLANES_MAX] = {150, 112, 152}, cloth[RM_PLANES_MAX] = {70, 140, 116};

static rm_err make_planes(struct plane planes[RM_PLANES_MAX], uint32_t width, uint32_t height) {
    for (int p = 0; p < RM_PLANES_MAX; p++) {
        uint32_t half = p > 0 ? 2 : 1;
        planes[p] = (struct plane){.width = width / half, .height = height / half};
        planes[p].data = calloc(planes[p].width, planes[p].height);
        if (!planes[p].data)
            return RM_E_NO_MEMORY;
    }
    return RM_OK;
}

static uint8_t level(double v) {
    return (uint8_t)(v < 16 ? 16 : v > 235 ? 235 : v);
}

/* Waves of several sizes and some grain, as walls and shelves have; each size of picture shows the same room. */
static uint8_t room(int p, double x, double y, uint64_t noise) {
    if (p == 1)
        return level(NEUTRAL + 14 * sin(2 * PI * (x + 0.3 * y)));
    if (p == 2)
        return level(NEUTRAL + 12 * cos(2 * PI * (0.7 * y - x)));
    double shelf = sin(2 * PI * 9 * x) > 0.6 ? 28 : 0, board = sin(2 * PI * 6 * y) > 0.9 ? -30 : 0;
    double v = 105 + 25 * sin(2 * PI * (1.5 * x + y)) + 12 * sin(2 * PI * 23 * x) * cos(2 * PI * 17 * y);
    return level(v + shelf + board + (double)(noise % TEXTURE_NOISE) - TEXTURE_NOISE / 2);
}

static void draw_background(struct test_video *tv) {
    struct rmi_prng prng;
    rmi_prng_seed(&prng, TEXTURE_SEED);
    for (int p = 0; p < RM_PLANES_MAX; p++) {
        struct plane *b = &tv->background[p];
        uint32_t stamp = (stamp_rows(tv->height) + 1) / (p > 0 ? 2 : 1);
        for (uint32_t y = 0; y < b->height; y++)
            for (uint32_t x = 0; x < b->width; x++) {
                uint8_t *out = &b->data[(size_t)y * b->width + x];
                if (y >= b->height - b->height / BAR_PARTS)
                    *out = bars[x * BAR_PARTS / b->width][p];
                else if (p > 0 && y < stamp)
                    *out = NEUTRAL;
                else
                    *out = room(p, (double)x / b->width, (double)y / b->height, rmi_prng_next(&prng));
            }
    }
}

/* Half the width of the person at height y of 0..1: an oval head, a neck, shoulders. In widths of the sprite. */
static double half_width(double y) {
    double head = (y - 0.31) / 0.29, shoulder = (y - 1.02) / 0.36;
    double w = fabs(head) < 1 ? 0.24 * sqrt(1 - head * head) : 0;
    if (y > 0.5)
        w = fmax(w, 0.1);
    if (fabs(shoulder) < 1)
        w = fmax(w, 0.48 * sqrt(1 - shoulder * shoulder));
    return w;
}

static uint8_t person_pixel(int p, double x, double y) {
    bool dressed = y > 0.72, hair = y < 0.15 + 0.06 * cos(2 * PI * x);
    if (p > 0)
        return dressed ? cloth[p] : hair ? NEUTRAL : skin[p];
    if (dressed)
        return level(cloth[0] + 18 * sin(2 * PI * 14 * x)); /* stripes */
    if (hair)
        return level(45 + 12 * sin(2 * PI * 40 * x));
    bool eye = fabs(y - 0.27) < 0.02 && fabs(fabs(x - 0.5) - 0.09) < 0.035;
    return eye ? 30 : level(skin[0] + 60 * (x - 0.5)); /* light from the right */
}

static rm_err draw_person(struct test_video *tv) {
    for (int p = 0; p < RM_PLANES_MAX; p++) {
        struct plane *s = &tv->person[p];
        tv->spans[p] = calloc(s->height, sizeof *tv->spans[p]);
        if (!tv->spans[p])
            return RM_E_NO_MEMORY;
        for (uint32_t y = 0; y < s->height; y++) {
            double half = half_width((double)y / s->height) * s->width, middle = s->width / 2.0;
            tv->spans[p][y] = (struct span){(uint32_t)(middle - half), (uint32_t)(middle + half)};
            for (uint32_t x = 0; x < s->width; x++)
                s->data[(size_t)y * s->width + x] = person_pixel(p, (double)x / s->width, (double)y / s->height);
        }
    }
    return RM_OK;
}

rm_err test_video_create(uint32_t width, uint32_t height, uint32_t fps, struct test_video **out) {
    bool valid = width >= STAMP_WIDTH_MIN && height >= STAMP_HEIGHT_MIN && width <= SIDE_MAX && height <= SIDE_MAX;
    if (!valid || width % 2 || height % 2 || fps < 1 || fps > TEST_VIDEO_FPS_MAX)
        return RM_E_INVALID_ARG;
    struct test_video *tv = calloc(1, sizeof *tv);
    if (!tv)
        return RM_E_NO_MEMORY;
    tv->width = width;
    tv->height = height;
    tv->fps = fps;
    tv->due_us = INT64_MIN;
    /* As high as two thirds of the picture and as wide as high, but never wider than half of it. */
    uint32_t tall = height * 2 / 3 / 4 * 4, wide = tall < width / 2 ? tall : width / 8 * 4;
    rm_err err = rmi_frame_pool_create(&(struct rmi_frame_pool_config){.max_buffers = POOL_BUFFERS}, &tv->pool);
    err = err ? err : make_planes(tv->background, width, height);
    err = err ? err : make_planes(tv->person, wide, tall);
    err = err ? err : draw_person(tv);
    if (err) {
        test_video_destroy(&tv);
        return err;
    }
    draw_background(tv);
    *out = tv;
    return RM_OK;
}

void test_video_destroy(struct test_video **tv) {
    if (!tv || !*tv)
        return;
    for (int p = 0; p < RM_PLANES_MAX; p++) {
        free((*tv)->background[p].data);
        free((*tv)->person[p].data);
        free((*tv)->spans[p]);
    }
    rmi_frame_pool_destroy(&(*tv)->pool);
    free(*tv);
    *tv = NULL;
}

/* ---- one picture ---------------------------------------------------------------------------------------------- */

/* Where the person stands in picture `frame` of the loop: behind the bars. */
static void place(const struct test_video *tv, uint8_t frame, uint32_t *x, uint32_t *y) {
    double t = 2 * PI * frame / TEST_VIDEO_LOOP;
    uint32_t room_x = tv->width - tv->person[0].width, ground = tv->height - tv->height / BAR_PARTS;
    *x = (uint32_t)(room_x / 2.0 + room_x / 4.0 * sin(2 * t)) & ~1u;
    *y = (uint32_t)(ground - tv->person[0].height + tv->height / 60.0 * (1 + sin(7 * t))) & ~1u;
}

/* The mouth opens and closes about four times a second, as in speech. */
static void draw_mouth(const struct test_video *tv, uint8_t frame, uint8_t *luma, size_t stride, uint32_t x,
                       uint32_t y) {
    const struct plane *s = &tv->person[0];
    double open = 0.012 + 0.022 * (1 - cos(2 * PI * 32 * frame / TEST_VIDEO_LOOP));
    int radius = (int)(open * s->height), middle = (int)(y + s->height * 0.45);
    for (int dy = -radius; dy <= radius; dy++) {
        double half = 0.08 * s->width * sqrt(1 - (double)dy * dy / ((double)radius * radius + 1));
        uint32_t left = (uint32_t)(x + s->width / 2.0 - half);
        memset(luma + (size_t)(middle + dy) * stride + left, 40, (size_t)(2 * half));
    }
}

static void copy_rows(uint8_t *out, size_t stride, const struct plane *from) {
    for (uint32_t y = 0; y < from->height; y++)
        memcpy(out + y * stride, from->data + (size_t)y * from->width, from->width);
}

static void draw(const struct test_video *tv, uint8_t frame, int64_t time_us, rm_runtime_data *data) {
    const rm_video *v = rm_runtime_data_video(data);
    uint32_t x, y;
    place(tv, frame, &x, &y);
    for (uint32_t p = 0; p < RM_PLANES_MAX; p++) {
        const struct plane *s = &tv->person[p];
        uint8_t *out = rm_runtime_data_write_plane(data, p);
        size_t stride = v->strides[p];
        uint32_t half = p > 0 ? 2 : 1;
        copy_rows(out, stride, &tv->background[p]);
        uint32_t ground = tv->background[p].height - tv->background[p].height / BAR_PARTS;
        for (uint32_t row = 0; row < s->height && y / half + row < ground; row++) {
            const struct span *span = &tv->spans[p][row];
            memcpy(out + (y / half + row) * stride + x / half + span->from,
                   s->data + (size_t)row * s->width + span->from, span->to - span->from);
        }
        if (p == 0) {
            draw_mouth(tv, frame, out, stride, x, y);
            stamp_draw(out, stride, tv->width, tv->height, time_us, frame);
        }
    }
}

rm_err test_video_reference(struct test_video *tv, uint8_t frame, int64_t time_us, rm_runtime_data **out) {
    rm_runtime_data *data = NULL;
    rm_err err = rmi_frame_pool_video(tv->pool, tv->width, tv->height, time_us, &data);
    if (err)
        return err;
    draw(tv, frame, time_us, data);
    *out = data;
    return RM_OK;
}

int64_t test_video_due_us(const struct test_video *tv) {
    return tv->due_us;
}

/* When picture n + 1 is due: whole seconds first, so that no fraction of a microsecond adds up. */
static int64_t interval_us(const struct test_video *tv) {
    uint64_t n = tv->next % tv->fps;
    return (int64_t)((n + 1) * (uint64_t)RMI_SEC(1) / tv->fps - n * (uint64_t)RMI_SEC(1) / tv->fps);
}

rm_err test_video_next(struct test_video *tv, int64_t now_us, rm_runtime_data **out) {
    rm_runtime_data *data = NULL;
    int64_t interval = interval_us(tv);
    bool late = tv->due_us == INT64_MIN || now_us - tv->due_us > interval;
    tv->due_us = (late ? now_us : tv->due_us) + interval;
    rm_err err = test_video_reference(tv, (uint8_t)(tv->next % TEST_VIDEO_LOOP), now_us, &data);
    tv->next++;
    if (err)
        return err;
    rm_runtime_data_set_frame_number(data, tv->next - 1);
    *out = data;
    return RM_OK;
}
