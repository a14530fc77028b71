/* SPDX-License-Identifier: Apache-2.0 */
#include "media/blend.h"
#include "media/image_private.h"

#include <libyuv.h>

rm_err rmi_blend(struct rmi_image *under, const struct rmi_image *over, const struct rmi_blend_mask *mask) {
    int half = (under->width + 1) / 2;
    if (!rmi_image_valid(under) || !rmi_image_valid(over) || under->format != RMI_IMAGE_I420 ||
        over->format != RMI_IMAGE_I420 || under->width != over->width || under->height != over->height || !mask->full ||
        !mask->half || mask->full_stride < under->width || mask->half_stride < half)
        return RM_E_INVALID_ARG;
    for (int p = 0; p < RMI_IMAGE_PLANES; p++)
        BlendPlane(over->plane[p], over->stride[p], under->plane[p], under->stride[p], p == 0 ? mask->full : mask->half,
                   p == 0 ? mask->full_stride : mask->half_stride, under->plane[p], under->stride[p],
                   p == 0 ? under->width : half, p == 0 ? under->height : (under->height + 1) / 2);
    return RM_OK;
}
