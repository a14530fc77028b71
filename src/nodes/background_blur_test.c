/* SPDX-License-Identifier: Apache-2.0 */
/* A room with a pattern on its walls, filmed with and without somebody in it. */
#include "nodes/nodes_testkit.h"

#include <math.h>

#define WIDTH 320
#define HEIGHT 180
#define FRAME_US 33333
#define FPS 30

/* What is filmed; places and sizes are in heights of the picture, so that it looks alike at any size. */
struct scene {
    uint32_t seed;          /* of the walls */
    int shift;              /* pixels that the camera has turned by */
    bool person;            /* a head and shoulders */
    double person_x;        /* from the left */
    bool box;               /* a thing with sides of 0.4 at the upper left */
    int box_step;           /* how much brighter than the wall it is; 0: another pattern */
    double light;           /* 1: as ever */
    int speckle;            /* noise of the camera, +- steps */
    uint32_t frame;         /* changes the noise */
    rm_pixel_format format; /* unspecified: I420 */
    uint32_t width, height; /* 0: WIDTH, HEIGHT */
    size_t gap;             /* behind each row */
};

static uint32_t mixed(uint32_t a, uint32_t b, uint32_t c) {
    uint32_t h = a * 0x9e3779b1U ^ b * 0x85ebca77U ^ c * 0xc2b2ae3dU;
    h ^= h >> 15;
    h *= 0x2c1b3c6dU;
    return h ^ h >> 12;
}

/* A pattern with energy in every pixel, and a slow change over the picture. */
static int pattern(uint32_t seed, int x, int y) {
    return 90 + (int)(mixed(seed, (uint32_t)(x / 24), (uint32_t)(y / 24)) % 60) +
           (int)(mixed(seed + 1, (uint32_t)x, (uint32_t)y) % 50);
}

static bool in_ellipse(double dx, double dy, double rx, double ry) {
    return dx * dx / (rx * rx) + dy * dy / (ry * ry) < 1;
}

/* Smaller than what the node expects, as people are not ellipses: all of it must stay sharp. */
static bool in_person(double x, double y, double person_x) {
    return in_ellipse(x - person_x, y - 0.36, 0.12, 0.17) || in_ellipse(x - person_x, y - 1.0, 0.32, 0.4);
}

static bool in_box(double x, double y) {
    return x > 0.08 && x < 0.48 && y > 0.08 && y < 0.48;
}

static int luma(const struct scene *s, int x, int y, double height) {
    double px = (x + 0.5) / height, py = (y + 0.5) / height;
    int value = pattern(s->seed, x + s->shift, y);
    if (s->person && in_person(px, py, s->person_x)) /* the pattern of the clothes moves along */
        value = 40 + (int)(mixed(77, (uint32_t)(x - (int)(s->person_x * height)), (uint32_t)y) % 50);
    else if (s->box && in_box(px, py))
        value = s->box_step ? value + s->box_step : 205 + (int)(mixed(5, (uint32_t)x, (uint32_t)y) % 50);
    value = (int)(value * s->light);
    if (s->speckle)
        value += (int)(mixed(s->frame + 1000, (uint32_t)x, (uint32_t)y) % (uint32_t)(2 * s->speckle + 1)) - s->speckle;
    return value < 0 ? 0 : value > 255 ? 255 : value;
}

static rm_runtime_data *film(const struct scene *s, int64_t time_us, const char *stream) {
    uint32_t width = s->width ? s->width : WIDTH, height = s->height ? s->height : HEIGHT;
    size_t strides[3] = {width + s->gap, width / 2 + s->gap, width / 2 + s->gap};
    size_t offsets[3] = {0, strides[0] * height, strides[0] * height + strides[1] * (height / 2)};
    rm_buf *buf = NULL;
    rm_runtime_data *d = NULL;
    assert_int_equal(rm_buf_create(offsets[2] + strides[2] * (height / 2), &buf), RM_OK);
    uint8_t *at = rm_buf_write(buf);
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++)
            at[y * strides[0] + x] = (uint8_t)luma(s, (int)x, (int)y, height);
    memset(at + offsets[1], 128, 2 * strides[1] * (height / 2));
    assert_int_equal(rm_runtime_data_create_video_planes(buf, offsets, strides, s->format ? s->format : RM_PIXEL_I420,
                                                         width, height, s->frame, time_us, &d),
                     RM_OK);
    assert_int_equal(rm_runtime_data_set_stream_id(d, stream), RM_OK);
    rm_buf_unref(&buf);
    return d;
}

/* A part of the picture, in pixels of WIDTH x HEIGHT. */
struct area {
    int x, y, width, height;
};

static const struct area head = {WIDTH / 2 - 14, 44, 28, 40}, body = {WIDTH / 2 - 40, 130, 80, 48},
                         left_wall = {4, 4, 60, 80}, right_wall = {WIDTH - 64, 4, 60, 80}, box = {32, 32, 36, 36};

/* Differences of neighbours: what a blur takes away. */
static double sharpness(const rm_runtime_data *data, const struct area *a) {
    const rm_video *v = rm_runtime_data_video(data);
    double sum = 0;
    for (int y = a->y; y < a->y + a->height; y++)
        for (int x = a->x; x < a->x + a->width; x++) {
            const uint8_t *p = v->planes[0] + (size_t)y * v->strides[0] + x;
            double across = p[1] - p[0], down = p[v->strides[0]] - p[0];
            sum += across * across + down * down;
        }
    return sum;
}

/* How much of the sharpness of `in` is left in `out`. */
static double left_of(const rm_runtime_data *in, const rm_runtime_data *out, const struct area *a) {
    return sharpness(out, a) / sharpness(in, a);
}

struct camera {
    struct kit_rig rig;
    int64_t time_us;
    rm_runtime_data *in, *out; /* of the last frame */
};

static void camera_open(struct camera *c, const char *params) {
    *c = (struct camera){.time_us = 1000000};
    assert_int_equal(kit_open_one(&c->rig, "BackgroundBlurNode", params), RM_OK);
}

static void camera_close(struct camera *c) {
    rm_runtime_data_unref(&c->in);
    rm_runtime_data_unref(&c->out);
    assert_int_equal(c->rig.errors, 0);
    kit_close(&c->rig);
}

/* `frames` pictures of a scene that stands still, but for the noise. */
static void shoot(struct camera *c, struct scene *s, int frames) {
    for (int i = 0; i < frames; i++) {
        rm_runtime_data_unref(&c->in);
        rm_runtime_data_unref(&c->out);
        c->in = film(s, c->time_us, "cam");
        c->out = kit_pass(&c->rig, rm_runtime_data_ref(c->in));
        c->time_us += FRAME_US;
        s->frame++;
    }
}

#define assert_sharp(camera, area) assert_true(left_of((camera)->in, (camera)->out, area) > 0.85)
#define assert_blurred(camera, area) assert_true(left_of((camera)->in, (camera)->out, area) < 0.1)

static const struct scene room = {.seed = 1, .light = 1, .speckle = 3, .person_x = WIDTH / 2.0 / HEIGHT};

static void test_a_person_in_the_middle_stays_sharp(void **state) {
    (void)state;
    struct camera c;
    struct scene s = room;
    s.person = true;
    camera_open(&c, "{}");
    for (int i = 0; i < 4 * FPS; i++) {
        s.person_x = room.person_x + 0.08 * sin(i * 0.15); /* sways */
        shoot(&c, &s, 1);
        if (i % 7 == 0) {
            assert_sharp(&c, &head);
            assert_sharp(&c, &body);
            assert_blurred(&c, &left_wall);
            assert_blurred(&c, &right_wall);
        }
    }
    camera_close(&c);
}

/* Pixels that came through as they were. */
static double untouched(const struct camera *c) {
    const rm_video *a = rm_runtime_data_video(c->in), *b = rm_runtime_data_video(c->out);
    int same = 0;
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            same += a->planes[0][(size_t)y * a->strides[0] + (size_t)x] ==
                    b->planes[0][(size_t)y * b->strides[0] + (size_t)x];
    return (double)same / (WIDTH * HEIGHT);
}

static void test_most_of_the_picture_is_background(void **state) {
    (void)state;
    struct camera c;
    struct scene s = room;
    camera_open(&c, "{}");
    for (int i = 0; i < 3 * FPS; i++) {
        shoot(&c, &s, 1);
        assert_true(untouched(&c) > 0.08 && untouched(&c) < 0.35);
    }
    camera_close(&c);
}

/* Somebody comes in and sits down off the centre, where nobody was expected, and does not move for half a minute. */
static void sit_at_the_side(const char *params, double *first, double *last, double *wall) {
    static const struct area shoulder = {36, 150, 22, 26};
    struct camera c;
    struct scene s = room;
    camera_open(&c, params);
    shoot(&c, &s, 2 * FPS);
    assert_blurred(&c, &shoulder);
    s.person = true;
    for (s.person_x = -0.3; s.person_x < 0.45; s.person_x += 0.03)
        shoot(&c, &s, 1);
    shoot(&c, &s, FPS);
    *first = left_of(c.in, c.out, &shoulder);
    shoot(&c, &s, 29 * FPS);
    *last = left_of(c.in, c.out, &shoulder);
    *wall = left_of(c.in, c.out, &right_wall);
    camera_close(&c);
}

static void test_who_sits_still_stays_sharp_for_half_a_minute(void **state) {
    (void)state;
    double first, last, wall;
    sit_at_the_side("{}", &first, &last, &wall);
    assert_true(first > 0.85 && last > 0.85 && wall < 0.1);
    sit_at_the_side("{adaptation_rate: 4}", &first, &last, &wall); /* becomes background, as told */
    assert_true(first > 0.85 && last < 0.1 && wall < 0.1);
}

static void test_what_comes_in_is_foreground_and_what_leaves_is_not(void **state) {
    (void)state;
    struct camera c;
    struct scene s = room;
    camera_open(&c, "{}");
    shoot(&c, &s, 2 * FPS);
    assert_blurred(&c, &box);
    s.box = true;
    shoot(&c, &s, FPS / 2);
    assert_sharp(&c, &box);
    assert_blurred(&c, &right_wall);
    s.box = false;
    shoot(&c, &s, 2 * FPS);
    assert_blurred(&c, &box);
    camera_close(&c);
}

static void test_the_threshold_decides_how_different_it_must_be(void **state) {
    (void)state;
    static const char *const params[] = {"{threshold: 4}", "{threshold: 60}"};
    for (int i = 0; i < 2; i++) {
        struct camera c;
        struct scene s = room;
        camera_open(&c, params[i]);
        shoot(&c, &s, 2 * FPS);
        s.box = true;
        s.box_step = 20;
        shoot(&c, &s, FPS / 2);
        if (i == 0)
            assert_sharp(&c, &box);
        else
            assert_blurred(&c, &box);
        camera_close(&c);
    }
}

/* Nothing flashes: the walls are never sharp while the camera turns, and the person always is. */
static void test_a_cut_and_a_turn_of_the_camera(void **state) {
    (void)state;
    struct camera c;
    struct scene s = room;
    s.person = true;
    camera_open(&c, "{}");
    shoot(&c, &s, 2 * FPS);
    for (int i = 0; i < 6 * FPS; i++) {
        if (i == 0)
            s.seed = 9;
        if (i == 2 * FPS)
            s.light = 0.6;
        if (i >= 4 * FPS && i < 4 * FPS + 20)
            s.shift += 9;
        shoot(&c, &s, 1);
        bool settled = i % (2 * FPS) >= FPS + (i >= 4 * FPS ? 20 : 0); /* within a second */
        double limit = settled ? 0.1 : 0.25;
        assert_true(left_of(c.in, c.out, &left_wall) < limit);
        assert_true(left_of(c.in, c.out, &right_wall) < limit);
        assert_sharp(&c, &head);
        assert_sharp(&c, &body);
    }
    camera_close(&c);
}

static void test_strength(void **state) {
    (void)state;
    static const char *const params[] = {"{strength: 0.1}", "{strength: 0.3}", "{strength: 1}"};
    double last = 1;
    for (int i = 0; i < 3; i++) {
        struct camera c;
        struct scene s = room;
        camera_open(&c, params[i]);
        shoot(&c, &s, 1);
        double left = left_of(c.in, c.out, &left_wall);
        assert_true(left < last / 2);
        last = left;
        camera_close(&c);
    }
    struct camera c;
    struct scene s = room;
    camera_open(&c, "{strength: 0}");
    shoot(&c, &s, 1);
    assert_ptr_equal(c.in, c.out); /* not even a copy */
    camera_close(&c);
}

static void test_sizes_change_in_mid_stream(void **state) {
    (void)state;
    static const struct {
        uint32_t width, height;
    } sizes[] = {{320, 180}, {16, 16}, {640, 360}, {2, 2}, {18, 22}, {2, 200}, {200, 2}, {322, 182}, {320, 180}};
    struct camera c;
    struct scene s = room;
    camera_open(&c, "{strength: 1}");
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        s.width = sizes[i].width;
        s.height = sizes[i].height;
        s.gap = i % 3 * 7;
        s.format = i % 2 ? RM_PIXEL_YUV420P : RM_PIXEL_I420;
        for (int k = 0; k < 5; k++) {
            shoot(&c, &s, 1);
            const rm_video *v = rm_runtime_data_video(c.out);
            assert_int_equal(v->width, s.width);
            assert_int_equal(v->height, s.height);
            assert_int_equal(v->format, s.format);
            assert_int_equal(v->frame_number, s.frame - 1);
            assert_int_equal(rm_runtime_data_timestamp_us(c.out), c.time_us - FRAME_US);
            assert_string_equal(rm_runtime_data_stream_id(c.out), "cam");
            for (int p = 1; p < 3; p++) /* there is no colour anywhere */
                for (uint32_t y = 0; y < s.height / 2; y++)
                    for (uint32_t x = 0; x < s.width / 2; x++)
                        assert_int_equal(v->planes[p][y * v->strides[p] + x], 128);
        }
    }
    assert_sharp(&c, &head);
    assert_blurred(&c, &left_wall);
    camera_close(&c);
}

/* Times that stand still, go back or leap change nothing for good. */
static void test_odd_times(void **state) {
    (void)state;
    static const int64_t times[] = {0, 0, 5, 4, 10000000000, 3, INT64_MAX - FRAME_US, 0};
    struct camera c;
    struct scene s = room;
    camera_open(&c, "{}");
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        c.time_us = times[i];
        shoot(&c, &s, 1);
        assert_sharp(&c, &head);
        assert_blurred(&c, &left_wall);
    }
    shoot(&c, &s, 2 * FPS);
    s.box = true;
    shoot(&c, &s, FPS / 2);
    assert_sharp(&c, &box);
    camera_close(&c);
}

/* A camera and a screen in turn: each has a background of its own. More streams than are kept start anew. */
static void test_streams_are_kept_apart(void **state) {
    (void)state;
    struct camera c;
    struct scene a = room, b = room;
    b.seed = 44;
    camera_open(&c, "{}");
    for (int i = 0; i < 3 * FPS; i++) {
        a.box = i >= 2 * FPS;
        for (int k = 0; k < 2; k++) {
            rm_runtime_data *in = film(k ? &b : &a, c.time_us, k ? "screen" : NULL);
            rm_runtime_data *out = kit_pass(&c.rig, rm_runtime_data_ref(in));
            double left = left_of(in, out, &box);
            assert_true(k == 0 && i > 2 * FPS + FPS / 2 ? left > 0.85 : i < 2 * FPS || k == 1 ? left < 0.1 : true);
            rm_runtime_data_unref(&in);
            rm_runtime_data_unref(&out);
        }
        c.time_us += FRAME_US;
        a.frame++;
        b.frame++;
    }
    for (int i = 0; i < 40; i++) {
        char id[16];
        snprintf(id, sizeof id, "s%d", i);
        rm_runtime_data *in = film(&a, c.time_us, id), *out = kit_pass(&c.rig, rm_runtime_data_ref(in));
        assert_true(left_of(in, out, &box) < 0.1); /* there from the first frame on: background */
        rm_runtime_data_unref(&in);
        rm_runtime_data_unref(&out);
    }
    camera_close(&c);
}

static void test_what_it_cannot_blur(void **state) {
    (void)state;
    static const rm_pixel_format formats[] = {RM_PIXEL_NV12, RM_PIXEL_RGB24, RM_PIXEL_RGBA32};
    struct kit_rig rig;
    char sentence[128];
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        snprintf(sentence, sizeof sentence, "cannot blur %s video, only I420 and Yuv420p; convert or decode it first",
                 rm_pixel_format_name(formats[i]));
        assert_int_equal(kit_open_one(&rig, "BackgroundBlurNode", "{}"), RM_OK);
        kit_refused(&rig, kit_video(formats[i], 16, 16, 1), RM_E_UNSUPPORTED, sentence);
        kit_close(&rig);
    }
    assert_int_equal(kit_open_one(&rig, "BackgroundBlurNode", "{strength: 0}"), RM_OK);
    kit_refused(&rig, kit_encoded("x", 1, RM_CODEC_VP8, 16, 16), RM_E_UNSUPPORTED,
                "cannot blur Encoded video, only I420 and Yuv420p; convert or decode it first");
    kit_close(&rig);
}

static rm_err parse(const char *params) {
    char text[256];
    rm_node_registry *registry = NULL;
    rm_manifest *m = NULL;
    rm_manifest_options o;
    assert_int_equal(rm_node_registry_create(&registry), RM_OK);
    rm_manifest_options_init(&o);
    o.registry = registry;
    o.format = RM_MANIFEST_YAML;
    snprintf(
        text, sizeof text,
        "{version: v1, metadata: {}, nodes: [{id: n, node_type: BackgroundBlurNode, params: %s}], connections: []}",
        params);
    rm_err err = rm_manifest_parse(text, strlen(text), &o, &m);
    rm_manifest_unref(&m);
    rm_node_registry_destroy(&registry);
    return err;
}

static void test_the_ranges_of_its_parameters(void **state) {
    (void)state;
    static const char *const good[] = {"{}", "{strength: 0, threshold: 1, adaptationRate: 0}",
                                       "{strength: 1, threshold: 255, adaptation_rate: 20}"};
    static const char *const bad[] = {"{strength: 1.1}",     "{strength: -0.1}",      "{threshold: 0.5}",
                                      "{threshold: 256}",    "{adaptation_rate: -1}", "{adaptation_rate: 21}",
                                      "{strength: \"much\"}"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(parse(good[i]), RM_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_not_equal(parse(bad[i]), RM_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_person_in_the_middle_stays_sharp),
        cmocka_unit_test(test_most_of_the_picture_is_background),
        cmocka_unit_test(test_who_sits_still_stays_sharp_for_half_a_minute),
        cmocka_unit_test(test_what_comes_in_is_foreground_and_what_leaves_is_not),
        cmocka_unit_test(test_the_threshold_decides_how_different_it_must_be),
        cmocka_unit_test(test_a_cut_and_a_turn_of_the_camera),
        cmocka_unit_test(test_strength),
        cmocka_unit_test(test_sizes_change_in_mid_stream),
        cmocka_unit_test(test_odd_times),
        cmocka_unit_test(test_streams_are_kept_apart),
        cmocka_unit_test(test_what_it_cannot_blur),
        cmocka_unit_test(test_the_ranges_of_its_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
