/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_MEDIA_BLEND_H
#define RMI_MEDIA_BLEND_H

#include "media/image.h"

/* How much of the upper picture shows: 255 all, 0 nothing. */
struct rmi_blend_mask {
    const uint8_t *full, *half; /* one byte a pixel of the luma, and of the chroma plane */
    int full_stride, half_stride;
};

/* Lays `over` on `under`, both I420 of one size, in place. RM_E_INVALID_ARG. */
rm_err rmi_blend(struct rmi_image *under, const struct rmi_image *over, const struct rmi_blend_mask *mask);

#endif
