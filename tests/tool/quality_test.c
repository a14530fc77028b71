/* SPDX-License-Identifier: Apache-2.0 */
#include "quality.h"

#include "base/rng.h"
#include <math.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { W = 64, H = 32, STRIDE = 70 };

static rm_video picture(const uint8_t *data, rm_pixel_format format) {
    rm_video v = {.width = W, .height = H, .format = format, .plane_count = 3};
    v.planes[0] = data;
    v.strides[0] = STRIDE;
    return v;
}

static void psnr_is_as_defined(void **state) {
    (void)state;
    static uint8_t a[STRIDE * H], b[STRIDE * H];
    memset(a, 100, sizeof a);
    memset(b, 100, sizeof b);
    rm_video v = picture(a, RM_PIXEL_I420), w = picture(b, RM_PIXEL_NV12);
    for (int y = 0; y < H; y++)
        memset(b + y * STRIDE + W, 0, STRIDE - W); /* between rows is no picture */
    assert_true(quality_psnr_db(&v, &w) == QUALITY_PSNR_MAX_DB);
    for (int y = 0; y < H; y++)
        memset(b + y * STRIDE, 110, W);
    assert_true(fabs(quality_psnr_db(&v, &w) - 20 * log10(255.0 / 10)) < 1e-9);
    memset(b, 100, sizeof b);
    b[5] = 101; /* one level in one pixel */
    assert_true(fabs(quality_psnr_db(&v, &w) - 10 * log10(255.0 * 255 * W * H)) < 1e-9);
    memset(a, 0, sizeof a);
    memset(b, 255, sizeof b);
    assert_true(fabs(quality_psnr_db(&v, &w)) < 1e-9);
}

static void pictures_that_cannot_be_compared_give_nothing(void **state) {
    (void)state;
    static uint8_t a[STRIDE * H];
    rm_video v = picture(a, RM_PIXEL_I420), w = v;
    w.width = W - 2;
    assert_true(isnan(quality_psnr_db(&v, &w)));
    w = picture(a, RM_PIXEL_RGB24);
    assert_true(isnan(quality_psnr_db(&v, &w)));
    w = (rm_video){.format = RM_PIXEL_ENCODED, .width = W, .height = H};
    assert_true(isnan(quality_psnr_db(&w, &v)));
}

static void delayed_sound_is_found(void **state) {
    enum { N = 4000, LAG_MAX = 200 };
    (void)state;
    static float a[N], b[N], noise[N];
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 1);
    for (int i = 0; i < N; i++) {
        a[i] = (float)(rmi_prng_next(&prng) % 2001) / 1000 - 1;
        noise[i] = (float)(rmi_prng_next(&prng) % 2001) / 1000 - 1;
    }
    static const int lags[] = {0, 1, -1, 137, -137, LAG_MAX, -LAG_MAX};
    for (size_t k = 0; k < sizeof lags / sizeof *lags; k++) {
        for (int i = 0; i < N; i++)
            b[i] = i - lags[k] >= 0 && i - lags[k] < N ? 0.25f * a[i - lags[k]] : 0;
        long lag = 12345;
        assert_true(quality_similarity(a, b, N, LAG_MAX, &lag) > 0.9999);
        assert_int_equal(lag, lags[k]);
    }
    for (int i = 0; i < N; i++)
        b[i] = a[i] + noise[i]; /* as loud as the sound itself: 1 / sqrt(2) */
    assert_true(fabs(quality_similarity(a, b, N, LAG_MAX, NULL) - sqrt(0.5)) < 0.05);
    assert_true(quality_similarity(a, noise, N, LAG_MAX, NULL) < 0.1);
    memset(b, 0, sizeof b);
    assert_true(isnan(quality_similarity(a, b, N, LAG_MAX, NULL)));
    assert_true(isnan(quality_similarity(a, a, LAG_MAX, LAG_MAX, NULL)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(psnr_is_as_defined),
        cmocka_unit_test(pictures_that_cannot_be_compared_give_nothing),
        cmocka_unit_test(delayed_sound_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
