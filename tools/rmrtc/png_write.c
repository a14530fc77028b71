/* SPDX-License-Identifier: Apache-2.0 */
#include "png_write.h"

#include "media/image.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COLOUR_BITS 8
#define COMPRESSION 3  /* zlib's: a third of the time of its default for a tenth more bytes */
#define TEMP_TRIES 16  /* names left behind by a process that was killed */
#define TEMP_SUFFIX 32 /* bytes for ".PID.TRY" */
#define FILE_MODE 0666 /* less the umask, as for any file a program makes */

static bool image_of(const rm_video *v, struct rmi_image *out) {
    static const int formats[] = {
        [RM_PIXEL_UNSPECIFIED] = -1,      [RM_PIXEL_YUV420P] = RMI_IMAGE_I420, [RM_PIXEL_I420] = RMI_IMAGE_I420,
        [RM_PIXEL_NV12] = RMI_IMAGE_NV12, [RM_PIXEL_RGB24] = RMI_IMAGE_RGB24,  [RM_PIXEL_RGBA32] = RMI_IMAGE_RGBA};
    if ((size_t)v->format >= sizeof formats / sizeof *formats || formats[v->format] < 0 || v->plane_count == 0)
        return false;
    if (v->width > RMI_IMAGE_SIDE_MAX || v->height > RMI_IMAGE_SIDE_MAX)
        return false;
    *out = (struct rmi_image){
        .format = (enum rmi_image_format)formats[v->format], .width = (int)v->width, .height = (int)v->height};
    for (uint32_t p = 0; p < v->plane_count; p++) {
        if (v->strides[p] > INT_MAX)
            return false;
        out->plane[p] = (uint8_t *)v->planes[p]; /* only read */
        out->stride[p] = (int)v->strides[p];
    }
    return true;
}

/* Tightly packed RGB or RGBA, to be freed. */
static rm_err packed_pixels(const rm_video *video, struct rmi_image *out) {
    struct rmi_image from;
    if (!video || !image_of(video, &from))
        return RM_E_INVALID_ARG;
    enum rmi_image_format format = from.format == RMI_IMAGE_RGBA ? RMI_IMAGE_RGBA : RMI_IMAGE_RGB24;
    size_t size = rmi_image_bytes(format, from.width, from.height);
    size_t scratch_size = rmi_image_convert_scratch(from.format, format, from.width, from.height);
    if (size == 0)
        return RM_E_INVALID_ARG;
    void *pixels = malloc(size), *scratch = scratch_size ? malloc(scratch_size) : NULL;
    rm_err err = pixels && (scratch || !scratch_size) ? RM_OK : RM_E_NO_MEMORY;
    err = err ? err : rmi_image_wrap(out, format, from.width, from.height, pixels, size);
    err = err ? err : rmi_image_convert(&from, out, scratch);
    free(scratch);
    if (err)
        free(pixels);
    return err;
}

/* ---- libpng, which leaves by longjmp --------------------------------------------------------------------------- */

static void forget_warning(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

static void stop(png_structp png, png_const_charp text) {
    (void)text;
    png_longjmp(png, 1);
}

/* No variable of this function changes after setjmp. */
static bool encode(png_structp png, png_infop info, FILE *file, const struct rmi_image *image) {
    if (setjmp(png_jmpbuf(png)))
        return false;
    png_init_io(png, file);
    png_set_compression_level(png, COMPRESSION);
    png_set_IHDR(png, info, (png_uint_32)image->width, (png_uint_32)image->height, COLOUR_BITS,
                 image->format == RMI_IMAGE_RGBA ? PNG_COLOR_TYPE_RGB_ALPHA : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (int y = 0; y < image->height; y++)
        png_write_row(png, image->plane[0] + (size_t)y * (size_t)image->stride[0]);
    png_write_end(png, NULL);
    return true;
}

static rm_err write_file(FILE *file, const struct rmi_image *image) {
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, stop, forget_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    rm_err err = RM_E_NO_MEMORY;
    if (info) {
        errno = 0;
        err = encode(png, info, file, image) ? RM_OK : ferror(file) ? RM_E_IO : RM_E_NO_MEMORY;
    }
    int reason = errno;
    png_destroy_write_struct(&png, &info);
    errno = reason;
    return err;
}

/* ---- the file -------------------------------------------------------------------------------------------------- */

/* A new file beside `path`, which rename can move there. */
static FILE *open_temp(const char *path, char *temp, size_t size) {
    int fd = -1;
    for (int i = 0; fd < 0 && i < TEMP_TRIES; i++) {
        snprintf(temp, size, "%s.%ld.%d", path, (long)getpid(), i);
        fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
        if (fd < 0 && errno != EEXIST)
            return NULL;
    }
    FILE *file = fd < 0 ? NULL : fdopen(fd, "wb");
    if (!file && fd >= 0) {
        int reason = errno;
        close(fd);
        unlink(temp);
        errno = reason;
    }
    return file;
}

static rm_err write_and_rename(const char *path, char *temp, size_t size, const struct rmi_image *image) {
    FILE *file = open_temp(path, temp, size);
    if (!file)
        return RM_E_IO;
    rm_err err = write_file(file, image);
    int reason = errno;
    if (fclose(file) && !err) { /* writes what is still in memory: a full disk shows here at the latest */
        err = RM_E_IO;
        reason = errno;
    }
    if (!err && rename(temp, path)) {
        err = RM_E_IO;
        reason = errno;
    }
    if (err)
        unlink(temp);
    errno = reason;
    return err;
}

rm_err png_write(const char *path, const rm_video *video) {
    struct rmi_image image;
    rm_err err = packed_pixels(video, &image);
    if (err)
        return err;
    size_t size = strlen(path) + TEMP_SUFFIX;
    char *temp = malloc(size);
    err = temp ? write_and_rename(path, temp, size, &image) : RM_E_NO_MEMORY;
    int reason = errno;
    free(temp);
    free(image.plane[0]);
    errno = reason;
    return err;
}
