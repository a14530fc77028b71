/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/background_model.h"
#include "media/blur.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Figures below were set by hand on synthetic people and talking heads; none of them is critical. */

#define FULL 255.0F
#define CHROMA_WEIGHT 2.0F /* colours differ by fewer steps than brightness does; shadows do not change them */
#define NOISE_START 2.0F
#define NOISE_MAX 16 /* of a cell that always changes, as leaves do */
#define NOISE_TIMES 2.0F
/* Where the picture differs, the background follows this much slower: it is told from the person by being there for
 * long. Slowest where a person is to be expected, who may sit still for minutes. */
#define SLOWER_FOREGROUND 0.03F
#define SLOWER_PERSON 0.01F
#define LEARN_US 1000000 /* at the start and after a cut, the noise is not known yet */
#define LEARN_RATE 4.0   /* per second */
/* More of the picture than this, beside the person, is different at once: the camera moved, or the light. */
#define CUT_SHARE 0.4
#define ATTACK_US 80000.0   /* the mask follows what appears ... */
#define RELEASE_US 300000.0 /* ... faster than what goes, so that edges do not flicker */
#define STEP_MAX_US 200000
#define STEP_USUAL_US 33333 /* when times do not go forward */
#define SHOWN_ONE 256
#define FEATHER 1.5 /* variance, in cells, of the edge of the mask */
/* A cell whose neighbours are not different is noise: after smoothing, evidence counts from here on, doubled. */
#define LONELY 64
#define BLOCK 16 /* cells at a time; divides RMI_BLUR_ALIGN */

/* Neighbours along a row. Arrays of a constant length in one place are what gcc -O2 makes vectors of. */
struct block {
    float y[BLOCK], u[BLOCK], v[BLOCK], noise[BLOCK]; /* the background */
    int32_t shown[BLOCK];                             /* the mask, smoothed in time; in 1/SHOWN_ONE */
    uint8_t person[BLOCK];                            /* where one is to be expected */
    uint8_t difference[BLOCK];                        /* from the background */
};

struct rmi_background {
    struct rmi_background_config config;
    int width, height, stride;
    size_t blocks;             /* padding of the rows included */
    int64_t time_us, learn_us; /* of the last picture; how long to go on learning quickly */
    struct block *block;
    uint8_t *evidence; /* of foreground; a plane, as the mask is */
    uint8_t *mask, *scratch;
};

rm_err rmi_background_create(const struct rmi_background_config *config, struct rmi_background **out) {
    if (!(config->threshold > 0) || !(config->rate >= 0))
        return RM_E_INVALID_ARG;
    struct rmi_background *b = calloc(1, sizeof *b);
    if (!b)
        return RM_E_NO_MEMORY;
    b->config = *config;
    *out = b;
    return RM_OK;
}

void rmi_background_destroy(struct rmi_background **background) {
    struct rmi_background *b = *background;
    if (b)
        free(b->block);
    free(b);
    *background = NULL;
}

/* Two ellipses at the lower centre: a head, and shoulders that go on below the picture. Lengths are in heights of the
 * picture, or in 3/4 of its width where it is narrower than 4:3. */
#define PERSON_ASPECT (4.0F / 3)
#define HEAD_UP 0.66F /* from the bottom to its centre */
#define HEAD_X 0.15F  /* half axes */
#define HEAD_Y 0.21F
#define TORSO_UP (-0.02F)
#define TORSO_X 0.40F
#define TORSO_Y 0.47F
/* The squared distance from the centre, relative to the ellipse, where the expectation is certain and where it ends. */
#define PERSON_INNER 0.8F
#define PERSON_OUTER 1.3F

static float ellipse(float dx, float dy, float rx, float ry) {
    float at = dx * dx / (rx * rx) + dy * dy / (ry * ry);
    float value = (PERSON_OUTER - at) / (PERSON_OUTER - PERSON_INNER);
    return value < 0 ? 0 : value > 1 ? 1 : value;
}

static uint8_t *person_at(const struct rmi_background *b, int x, int y) {
    size_t at = (size_t)y * (size_t)b->stride + (size_t)x;
    return &b->block[at / BLOCK].person[at % BLOCK];
}

static void expect_person(struct rmi_background *b) {
    float w = (float)b->width, h = (float)b->height;
    float unit = h < w * PERSON_ASPECT ? h : w * PERSON_ASPECT;
    for (int y = 0; y < b->height; y++)
        for (int x = 0; x < b->width; x++) {
            float dx = ((float)x + 0.5F - w / 2) / unit, up = (h - (float)y - 0.5F) / unit;
            float head = ellipse(dx, up - HEAD_UP, HEAD_X, HEAD_Y);
            float torso = ellipse(dx, up - TORSO_UP, TORSO_X, TORSO_Y);
            *person_at(b, x, y) = (uint8_t)(FULL * (head > torso ? head : torso));
        }
}

static rm_err resize(struct rmi_background *b, const struct rmi_background_cells *c) {
    size_t cells = (size_t)c->stride * (size_t)c->height, blocks = cells / BLOCK;
    size_t bytes = blocks * sizeof(struct block) + 2 * cells + rmi_blur_plane_scratch(c->stride, c->height);
    bytes = (bytes + RMI_BLUR_ALIGN - 1) / RMI_BLUR_ALIGN * RMI_BLUR_ALIGN;
    struct block *block = aligned_alloc(RMI_BLUR_ALIGN, bytes);
    if (!block)
        return RM_E_NO_MEMORY;
    memset(block, 0, bytes);
    free(b->block);
    b->block = block;
    b->blocks = blocks;
    b->evidence = (uint8_t *)(block + blocks);
    b->mask = b->evidence + cells;
    b->scratch = b->mask + cells;
    b->width = c->width;
    b->height = c->height;
    b->stride = c->stride;
    expect_person(b);
    return RM_OK;
}

/* What is seen now is the background, for all we know. */
static void start_anew(struct rmi_background *b, const struct rmi_background_cells *c) {
    for (size_t i = 0; i < b->blocks; i++) {
        struct block *k = &b->block[i];
        for (size_t j = 0; j < BLOCK; j++) {
            k->y[j] = c->y[i * BLOCK + j];
            k->u[j] = c->u[i * BLOCK + j];
            k->v[j] = c->v[i * BLOCK + j];
            k->noise[j] = NOISE_START;
            k->difference[j] = 0;
        }
    }
    memset(b->evidence, 0, b->blocks * BLOCK);
    b->learn_us = LEARN_US;
}

static int limit(int value) {
    int positive = value > 0 ? value : 0;
    return positive < UINT8_MAX ? positive : UINT8_MAX;
}

/* Limits are those of integers: loops that compare floats do not become vectors. */
static void compare(struct block *restrict k, const uint8_t *restrict y, const uint8_t *restrict u,
                    const uint8_t *restrict v, float threshold, uint8_t *restrict evidence) {
    const float scale = FULL / threshold;
    for (int i = 0; i < BLOCK; i++) {
        float color = fabsf((float)u[i] - k->u[i]) + fabsf((float)v[i] - k->v[i]);
        float d = fabsf((float)y[i] - k->y[i]) + CHROMA_WEIGHT * color;
        float e = (d - NOISE_TIMES * k->noise[i] - threshold) * scale;
        k->difference[i] = (uint8_t)limit((int)d);
        evidence[i] = (uint8_t)limit((int)e);
    }
}

/* Whether most of the picture beside the person is different. */
static bool is_cut(const struct rmi_background *b) {
    uint64_t all = 0, different = 0;
    for (int y = 0; y < b->height; y++) {
        const uint8_t *evidence = b->evidence + (size_t)y * (size_t)b->stride;
        for (int x = 0; x < b->width; x++) {
            uint32_t elsewhere = UINT8_MAX - (uint32_t)*person_at(b, x, y);
            all += elsewhere;
            different += elsewhere * evidence[x];
        }
    }
    return all > 0 && (double)different > CUT_SHARE * UINT8_MAX * (double)all;
}

/* `part`: of the way from the background to what is seen. */
static void learn(struct block *restrict k, const uint8_t *restrict y, const uint8_t *restrict u,
                  const uint8_t *restrict v, const uint8_t *restrict evidence, float part) {
    for (int i = 0; i < BLOCK; i++) {
        float e = (float)evidence[i] * (1 / FULL), p = (float)k->person[i] * (1 / FULL);
        float slower = SLOWER_FOREGROUND + (SLOWER_PERSON - SLOWER_FOREGROUND) * p;
        float a = part * (1 - e + e * slower), b = part * (1 - e + e * SLOWER_PERSON);
        int n = k->difference[i] < NOISE_MAX ? k->difference[i] : NOISE_MAX;
        k->y[i] += a * ((float)y[i] - k->y[i]);
        k->u[i] += a * ((float)u[i] - k->u[i]);
        k->v[i] += a * ((float)v[i] - k->v[i]);
        k->noise[i] += b * ((float)n - k->noise[i]);
    }
}

/* `attack`, `release`: parts of the way to go, in 1/SHOWN_ONE. */
static void show(struct block *restrict k, const uint8_t *restrict evidence, int attack, int release,
                 uint8_t *restrict mask) {
    for (int i = 0; i < BLOCK; i++) {
        int p = k->person[i], e = limit(2 * (evidence[i] - LONELY));
        int to_go = p * SHOWN_ONE + (UINT8_MAX - p) * e - k->shown[i];
        int now = k->shown[i] + to_go * (to_go > 0 ? attack : release) / SHOWN_ONE;
        k->shown[i] = now;
        mask[i] = (uint8_t)limit(now / SHOWN_ONE);
    }
}

static bool cells_valid(const struct rmi_background_cells *c) {
    return c->y && c->u && c->v && c->width > 0 && c->height > 0 && c->stride >= c->width &&
           c->stride % RMI_BLUR_ALIGN == 0;
}

static float part_of_step(double rate_per_second, int64_t step_us) {
    return (float)(1 - exp(-rate_per_second * (double)step_us * 1e-6));
}

rm_err rmi_background_update(struct rmi_background *background, const struct rmi_background_cells *cells,
                             int64_t time_us, uint8_t **mask) {
    struct rmi_background *b = background;
    if (!cells_valid(cells))
        return RM_E_INVALID_ARG;
    bool first = cells->width != b->width || cells->height != b->height || cells->stride != b->stride;
    rm_err err = first ? resize(b, cells) : RM_OK;
    if (err)
        return err;
    int64_t step = time_us - b->time_us;
    if (step <= 0)
        step = STEP_USUAL_US;
    else if (step > STEP_MAX_US)
        step = STEP_MAX_US;
    b->time_us = time_us;
    for (size_t i = 0, at = 0; !first && i < b->blocks; i++, at += BLOCK)
        compare(&b->block[i], cells->y + at, cells->u + at, cells->v + at, (float)b->config.threshold,
                b->evidence + at);
    if (first || is_cut(b))
        start_anew(b, cells);
    bool learning = b->learn_us > 0 && b->config.rate < LEARN_RATE;
    float part = part_of_step(learning ? LEARN_RATE : b->config.rate, step);
    b->learn_us -= learning ? step : 0;
    for (size_t i = 0, at = 0; i < b->blocks; i++, at += BLOCK)
        learn(&b->block[i], cells->y + at, cells->u + at, cells->v + at, b->evidence + at, part);
    rmi_blur_plane(b->evidence, b->stride, b->width, b->height, 1, b->scratch);
    int attack = first ? SHOWN_ONE : (int)(SHOWN_ONE * part_of_step(1e6 / ATTACK_US, step));
    int release = first ? SHOWN_ONE : (int)(SHOWN_ONE * part_of_step(1e6 / RELEASE_US, step));
    for (size_t i = 0; i < b->blocks; i++)
        show(&b->block[i], b->evidence + i * BLOCK, attack, release, b->mask + i * BLOCK);
    rmi_blur_plane(b->mask, b->stride, b->width, b->height, FEATHER, b->scratch);
    *mask = b->mask;
    return RM_OK;
}
