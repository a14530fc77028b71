/* SPDX-License-Identifier: Apache-2.0 */
#include "png_write.h"

#include "base/rng.h"
#include "media/image.h"
#include "test_video.h"
#include <dirent.h>
#include <errno.h>
#include <png.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { W = 98, H = 62, PATH_SIZE = 400 };

struct place {
    char dir[64];
};

static int enter(void **state) {
    static struct place place;
    snprintf(place.dir, sizeof place.dir, "/tmp/rmrtc-png-XXXXXX");
    *state = &place;
    return mkdtemp(place.dir) ? 0 : -1;
}

static const char *path_in(void **state, const char *name, char *out) {
    const struct place *place = *state;
    snprintf(out, PATH_SIZE, "%s/%s", place->dir, name);
    return out;
}

static int count_files(void **state, bool remove_them) {
    const struct place *place = *state;
    DIR *dir = opendir(place->dir);
    char path[PATH_SIZE];
    int n = 0;
    assert_non_null(dir);
    for (const struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        if (e->d_name[0] == '.')
            continue;
        n++;
        if (remove_them)
            remove(path_in(state, e->d_name, path));
    }
    closedir(dir);
    return n;
}

static int leave(void **state) {
    const struct place *place = *state;
    count_files(state, true);
    return rmdir(place->dir);
}

/* A picture in this format, with `gap` bytes between rows; *data to be freed. */
static rm_video new_picture(enum rmi_image_format format, size_t gap, uint8_t **data) {
    static const rm_pixel_format formats[] = {[RMI_IMAGE_I420] = RM_PIXEL_I420,
                                              [RMI_IMAGE_NV12] = RM_PIXEL_NV12,
                                              [RMI_IMAGE_RGB24] = RM_PIXEL_RGB24,
                                              [RMI_IMAGE_RGBA] = RM_PIXEL_RGBA32};
    static const uint32_t planes[] = {3, 2, 1, 1}, bytes[][3] = {{W, W / 2, W / 2}, {W, W}, {3 * W}, {4 * W}};
    rm_video v = {.width = W, .height = H, .format = formats[format], .plane_count = planes[format]};
    size_t size = (4 * W + gap) * H * 2, used = 0;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, (uint64_t)format + 1);
    *data = malloc(size);
    assert_non_null(*data);
    for (size_t i = 0; i < size; i++)
        (*data)[i] = (uint8_t)rmi_prng_next(&prng);
    for (uint32_t p = 0; p < v.plane_count; p++) {
        v.planes[p] = *data + used;
        v.strides[p] = bytes[format][p] + gap;
        used += v.strides[p] * (p ? H / 2 : H);
    }
    return v;
}

static uint8_t *converted(const rm_video *v, enum rmi_image_format from_format, enum rmi_image_format to_format) {
    struct rmi_image from = {.format = from_format, .width = W, .height = H}, to;
    for (uint32_t p = 0; p < v->plane_count; p++) {
        from.plane[p] = (uint8_t *)v->planes[p];
        from.stride[p] = (int)v->strides[p];
    }
    size_t size = rmi_image_bytes(to_format, W, H);
    uint8_t *pixels = malloc(size), *scratch = malloc(rmi_image_convert_scratch(from_format, to_format, W, H) + 1);
    assert_true(pixels && scratch);
    assert_int_equal(rmi_image_wrap(&to, to_format, W, H, pixels, size), RM_OK);
    assert_int_equal(rmi_image_convert(&from, &to, scratch), RM_OK);
    free(scratch);
    return pixels;
}

/* By libpng's reader: the size, whether there is alpha, and each byte. */
static void assert_file_holds(const char *path, const uint8_t *pixels, bool alpha) {
    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_true(png_image_begin_read_from_file(&image, path));
    assert_int_equal(image.width, W);
    assert_int_equal(image.height, H);
    assert_int_equal((image.format & PNG_FORMAT_FLAG_ALPHA) != 0, alpha);
    image.format = alpha ? PNG_FORMAT_RGBA : PNG_FORMAT_RGB;
    uint8_t *read = malloc(PNG_IMAGE_SIZE(image));
    assert_non_null(read);
    assert_true(png_image_finish_read(&image, NULL, read, 0, NULL));
    assert_memory_equal(read, pixels, PNG_IMAGE_SIZE(image));
    free(read);
}

static void what_is_written_is_read(void **state) {
    char path[PATH_SIZE];
    path_in(state, "a.png", path);
    for (int f = 0; f < RMI_IMAGE_FORMAT_COUNT; f++)
        for (size_t gap = 0; gap < 20; gap += 7) {
            bool alpha = f == RMI_IMAGE_RGBA;
            uint8_t *data = NULL;
            rm_video v = new_picture((enum rmi_image_format)f, gap, &data);
            uint8_t *expected = converted(&v, (enum rmi_image_format)f, alpha ? RMI_IMAGE_RGBA : RMI_IMAGE_RGB24);
            assert_int_equal(png_write(path, &v), RM_OK);
            assert_file_holds(path, expected, alpha);
            assert_int_equal(count_files(state, false), 1); /* nothing is left beside it */
            free(expected);
            free(data);
        }
}

static void the_test_picture_becomes_a_file(void **state) {
    char path[PATH_SIZE];
    struct test_video *tv = NULL;
    rm_runtime_data *data = NULL;
    assert_int_equal(test_video_create(W * 10, H * 10, 30, &tv), RM_OK);
    assert_int_equal(test_video_reference(tv, 1, 2, &data), RM_OK);
    assert_int_equal(png_write(path_in(state, "picture.png", path), rm_runtime_data_video(data)), RM_OK);
    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_true(png_image_begin_read_from_file(&image, path));
    assert_int_equal(image.width, W * 10);
    assert_int_equal(image.height, H * 10);
    png_image_free(&image);
    rm_runtime_data_unref(&data);
    test_video_destroy(&tv);
}

static void a_file_is_made_with_the_rights_of_any_other(void **state) {
    char path[PATH_SIZE];
    uint8_t *data = NULL;
    struct stat st;
    rm_video v = new_picture(RMI_IMAGE_I420, 0, &data);
    mode_t before = umask(027);
    assert_int_equal(png_write(path_in(state, "mode.png", path), &v), RM_OK);
    umask(before);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    free(data);
}

/* Names as a process of the same number may have left them when it was killed. */
static void leftovers_are_stepped_over(void **state) {
    char path[PATH_SIZE], left[PATH_SIZE + 32];
    uint8_t *data = NULL;
    rm_video v = new_picture(RMI_IMAGE_RGB24, 0, &data);
    path_in(state, "b.png", path);
    for (int i = 0; i < 3; i++) {
        snprintf(left, sizeof left, "%s.%ld.%d", path, (long)getpid(), i);
        FILE *f = fopen(left, "w");
        assert_non_null(f);
        fclose(f);
    }
    assert_int_equal(png_write(path, &v), RM_OK);
    assert_file_holds(path, data, false);
    free(data);
}

/* The disk is full, as far as this process goes. */
static void a_failure_leaves_the_old_file_and_nothing_else(void **state) {
    char path[PATH_SIZE];
    uint8_t *data = NULL, *other = NULL;
    rm_video v = new_picture(RMI_IMAGE_RGB24, 0, &data), noise = new_picture(RMI_IMAGE_RGBA, 0, &other);
    path_in(state, "c.png", path);
    count_files(state, true);
    assert_int_equal(png_write(path, &v), RM_OK);
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    for (rlim_t limit = 0; limit <= 16384; limit += 4096) { /* at once, in the middle, and when stdio empties itself */
        small = (struct rlimit){.rlim_cur = limit, .rlim_max = old.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        errno = 0;
        rm_err err = png_write(path, &noise);
        int reason = errno;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(err, RM_E_IO);
        assert_int_equal(reason, EFBIG);
        assert_file_holds(path, data, false);
        assert_int_equal(count_files(state, false), 1);
    }
    signal(SIGXFSZ, handler);
    free(data);
    free(other);
}

static void what_cannot_be_written_is_refused(void **state) {
    char path[PATH_SIZE];
    uint8_t *data = NULL;
    rm_video v = new_picture(RMI_IMAGE_I420, 0, &data);
    count_files(state, true);
    errno = 0;
    assert_int_equal(png_write(path_in(state, "no/such/folder.png", path), &v), RM_E_IO);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(mkdir(path_in(state, "folder", path), 0777), 0);
    assert_int_equal(png_write(path, &v), RM_E_IO);
    assert_int_equal(errno, EISDIR);
    assert_int_equal(rmdir(path), 0);
    path_in(state, "d.png", path);
    rm_video encoded = {.data = data, .size = 100, .width = W, .height = H, .format = RM_PIXEL_ENCODED};
    assert_int_equal(png_write(path, &encoded), RM_E_INVALID_ARG);
    assert_int_equal(png_write(path, &(rm_video){0}), RM_E_INVALID_ARG);
    assert_int_equal(png_write(path, NULL), RM_E_INVALID_ARG);
    rm_video narrow = v;
    narrow.strides[0] = W - 1;
    assert_int_equal(png_write(path, &narrow), RM_E_INVALID_ARG);
    assert_int_equal(count_files(state, false), 0);
    free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(the_test_picture_becomes_a_file),
        cmocka_unit_test(a_file_is_made_with_the_rights_of_any_other),
        cmocka_unit_test(leftovers_are_stepped_over),
        cmocka_unit_test(a_failure_leaves_the_old_file_and_nothing_else),
        cmocka_unit_test(what_cannot_be_written_is_refused),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
