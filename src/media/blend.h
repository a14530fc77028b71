/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_MEDIA_BLEND_H
#define RMI_MEDIA_BLEND_H

#include "media/image.h"

/* A picture that is laid under another one, and where: both half as large as the result, sides rounded up. Rows as
 * rmi_blur_stride() has them are quick, and what lies behind them is overwritten. */
struct rmi_blend_under {
    struct rmi_image picture; /* I420 */
    uint8_t *mask;            /* of (width + 1) / 2 x (height + 1) / 2 pixels: 255 shows all of `over`, 0 nothing */
    int mask_stride;
};

/* Bytes to work in for results of this width. */
size_t rmi_blend_scratch(int width);
/* Doubles both and lays `over` on top, a few rows at a time, so that each byte of the result is written once. All
 * pictures are I420, and apart from each other in memory. RM_E_INVALID_ARG. */
rm_err rmi_blend_doubled(const struct rmi_blend_under *under, const struct rmi_image *over, struct rmi_image *to,
                         void *scratch);

#endif
