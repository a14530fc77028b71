/* SPDX-License-Identifier: Apache-2.0 */
#include "media/image.h"
#include "media/image_private.h"
#include <libyuv.h>

/* libyuv names packed formats after a little-endian word: its RAW is our RGB24 (bytes R, G, B) and its ABGR our RGBA.
 * Its RGB24ToARGB appends a byte to three and does not look at their order. */

#define Y(i) (i)->plane[0], (i)->stride[0]
#define U(i) (i)->plane[1], (i)->stride[1]
#define V(i) (i)->plane[2], (i)->stride[2]
#define SIZE(i) (i)->width, (i)->height

static int from_i420(const struct rmi_image *a, struct rmi_image *b) {
    switch (b->format) {
    case RMI_IMAGE_NV12:
        return I420ToNV12(Y(a), U(a), V(a), Y(b), U(b), SIZE(a));
    case RMI_IMAGE_RGB24:
        return I420ToRAW(Y(a), U(a), V(a), Y(b), SIZE(a));
    case RMI_IMAGE_RGBA:
        return I420ToABGR(Y(a), U(a), V(a), Y(b), SIZE(a));
    default:
        return I420Copy(Y(a), U(a), V(a), Y(b), U(b), V(b), SIZE(a));
    }
}

static int from_nv12(const struct rmi_image *a, struct rmi_image *b) {
    switch (b->format) {
    case RMI_IMAGE_I420:
        return NV12ToI420(Y(a), U(a), Y(b), U(b), V(b), SIZE(a));
    case RMI_IMAGE_RGB24:
        return NV12ToRAW(Y(a), U(a), Y(b), SIZE(a));
    case RMI_IMAGE_RGBA:
        return NV12ToABGR(Y(a), U(a), Y(b), SIZE(a));
    default:
        return NV12Copy(Y(a), U(a), Y(b), U(b), SIZE(a));
    }
}

static int from_rgb24(const struct rmi_image *a, struct rmi_image *b, void *scratch) {
    struct rmi_image middle;
    switch (b->format) {
    case RMI_IMAGE_I420:
        return RAWToI420(Y(a), Y(b), U(b), V(b), SIZE(a));
    case RMI_IMAGE_RGBA:
        return RGB24ToARGB(Y(a), Y(b), SIZE(a));
    case RMI_IMAGE_NV12: /* libyuv has no direct way */
        if (rmi_image_wrap(&middle, RMI_IMAGE_I420, a->width, a->height, scratch,
                           rmi_image_bytes(RMI_IMAGE_I420, a->width, a->height)))
            return -1;
        return RAWToI420(Y(a), Y(&middle), U(&middle), V(&middle), SIZE(a)) || from_i420(&middle, b);
    default:
        CopyPlane(Y(a), Y(b), RMI_IMAGE_RGB24_BYTES * a->width, a->height);
        return 0;
    }
}

static int from_rgba(const struct rmi_image *a, struct rmi_image *b) {
    switch (b->format) {
    case RMI_IMAGE_I420:
        return ABGRToI420(Y(a), Y(b), U(b), V(b), SIZE(a));
    case RMI_IMAGE_NV12:
        return ABGRToNV12(Y(a), Y(b), U(b), SIZE(a));
    case RMI_IMAGE_RGB24:
        return ARGBToRGB24(Y(a), Y(b), SIZE(a));
    default:
        return ARGBCopy(Y(a), Y(b), SIZE(a));
    }
}

size_t rmi_image_convert_scratch(enum rmi_image_format from, enum rmi_image_format to, int width, int height) {
    return from == RMI_IMAGE_RGB24 && to == RMI_IMAGE_NV12 ? rmi_image_bytes(RMI_IMAGE_I420, width, height) : 0;
}

rm_err rmi_image_convert(const struct rmi_image *from, struct rmi_image *to, void *scratch) {
    int failed;
    if (!rmi_image_valid(from) || !rmi_image_valid(to) || from->width != to->width || from->height != to->height ||
        (!scratch && rmi_image_convert_scratch(from->format, to->format, from->width, from->height) > 0))
        return RM_E_INVALID_ARG;
    if (from->format == RMI_IMAGE_I420)
        failed = from_i420(from, to);
    else if (from->format == RMI_IMAGE_NV12)
        failed = from_nv12(from, to);
    else if (from->format == RMI_IMAGE_RGB24)
        failed = from_rgb24(from, to, scratch);
    else
        failed = from_rgba(from, to);
    return failed ? RM_E_INTERNAL : RM_OK;
}
