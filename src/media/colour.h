/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_MEDIA_COLOUR_H
#define RMI_MEDIA_COLOUR_H

#include "media/image.h"

/* What the numbers of a YUV picture stand for. */
enum rmi_colour_matrix { RMI_COLOUR_BT601, RMI_COLOUR_BT709, RMI_COLOUR_BT2020, RMI_COLOUR_MATRIX_COUNT };

struct rmi_colour {
    enum rmi_colour_matrix matrix;
    bool full_range; /* luma 0..255; else 16..235, with chroma 16..240 */
};

/* rmi_image_convert with another meaning of the YUV side; between two YUV or two RGB formats it is the same. `scratch`
 * and errors are those of rmi_image_convert. RGB to YUV takes the mean of four pixels for a chroma sample, and is plain
 * C for all but limited BT.601 (1280 x 720: 3.4 ms). YUV to RGB is libyuv's, whose blue is up to 16 off in saturated
 * colours of limited BT.709 and BT.2020. */
rm_err rmi_image_convert_colour(const struct rmi_image *from, struct rmi_image *to, const struct rmi_colour *colour,
                                void *scratch);

#endif
