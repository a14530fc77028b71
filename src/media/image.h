/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_MEDIA_IMAGE_H
#define RMI_MEDIA_IMAGE_H

#include <remotemedia/data.h>
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Pictures in somebody's memory. Chroma planes of odd sizes are rounded up. */

enum rmi_image_format {
    RMI_IMAGE_I420,  /* Y, U, V */
    RMI_IMAGE_NV12,  /* Y, UV interleaved */
    RMI_IMAGE_RGB24, /* bytes R, G, B */
    RMI_IMAGE_RGBA,  /* bytes R, G, B, A */
    RMI_IMAGE_FORMAT_COUNT
};

#define RMI_IMAGE_PLANES 3
#define RMI_IMAGE_SIDE_MAX 16384

struct rmi_image {
    enum rmi_image_format format;
    int width, height;
    uint8_t *plane[RMI_IMAGE_PLANES]; /* only read where it is a source */
    int stride[RMI_IMAGE_PLANES];
};

/* False: not a raw format. */
bool rmi_image_format_of(rm_pixel_format format, enum rmi_image_format *out);
/* Bytes of a tightly packed picture; 0 when a side is not in 1..RMI_IMAGE_SIDE_MAX. */
size_t rmi_image_bytes(enum rmi_image_format format, int width, int height);
/* Planes and strides over tightly packed bytes. RM_E_INVALID_ARG: sides, or fewer than rmi_image_bytes(). */
rm_err rmi_image_wrap(struct rmi_image *image, enum rmi_image_format format, int width, int height, void *data,
                      size_t len);

/* All of these: RM_E_INVALID_ARG when an image has a missing plane, a stride below its width, a size out of range or
 * not the one needed. No plane of `to` may overlap `from`. YUV is BT.601 limited range, as WebRTC has it. */

/* Same size, any format to any other. `scratch` holds rmi_image_convert_scratch() bytes, NULL where that is 0. */
size_t rmi_image_convert_scratch(enum rmi_image_format from, enum rmi_image_format to, int width, int height);
rm_err rmi_image_convert(const struct rmi_image *from, struct rmi_image *to, void *scratch);
/* Same format, any sizes. Box is bilinear where more than 256 pixels become one, and none is for NV12. */
enum rmi_image_filter { RMI_IMAGE_FILTER_NONE, RMI_IMAGE_FILTER_BILINEAR, RMI_IMAGE_FILTER_BOX };
size_t rmi_image_scale_scratch(enum rmi_image_format format, int from_width, int from_height, int to_width,
                               int to_height);
rm_err rmi_image_scale(const struct rmi_image *from, struct rmi_image *to, enum rmi_image_filter filter, void *scratch);
/* Same format and size. Both: rotation by 180 degrees. None: a copy. */
rm_err rmi_image_flip(const struct rmi_image *from, struct rmi_image *to, bool horizontal, bool vertical);

#endif
