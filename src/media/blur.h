/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_MEDIA_BLUR_H
#define RMI_MEDIA_BLUR_H

#include "media/image.h"

/* Wide blur of I420 pictures at small scale: halve until a few taps are wide enough, blur there, double back. What it
 * costs hardly depends on how wide it is. The halved pictures are there for others to look at meanwhile. */

#define RMI_BLUR_LEVELS_MAX 6

struct rmi_blur {
    int width, height;
    int built;                                   /* levels that hold the picture */
    struct rmi_image level[RMI_BLUR_LEVELS_MAX]; /* level[i]: sides divided by 2^(i+1), rounded up */
    uint8_t *scratch;
};

/* Rows of each level begin at multiples of this, */
#define RMI_BLUR_ALIGN 64
/* with at least so many bytes behind them that are overwritten at will. */
#define RMI_BLUR_PADDING 32
/* Bytes from one row to the next of a plane that has both. */
int rmi_blur_stride(int width);

/* Bytes for pictures of this size; 0 when a side is not in 1..RMI_IMAGE_SIDE_MAX. */
size_t rmi_blur_bytes(int width, int height);
/* `memory`: at least rmi_blur_bytes(), at a multiple of RMI_BLUR_ALIGN; stays the caller's. RM_E_INVALID_ARG. */
rm_err rmi_blur_init(struct rmi_blur *blur, int width, int height, void *memory, size_t len);

/* How many levels a blur of this standard deviation (pixels of the whole picture) needs: 1..RMI_BLUR_LEVELS_MAX. */
int rmi_blur_levels(double sigma);
/* Fills the first `levels` levels. RM_E_INVALID_ARG: not an I420 picture of the size told, levels out of range. */
rm_err rmi_blur_down(struct rmi_blur *blur, const struct rmi_image *from, int levels);
/* Makes level[0] the blurred picture, at half its size: rmi_blend_doubled() takes it from there. The other levels are
 * used up. `sigma` below 1 counts as 1, the least that halving does. RM_E_STATE: it needs more levels than there are.
 */
rm_err rmi_blur_half(struct rmi_blur *blur, double sigma);

/* Blurs one plane where it is, by a variance in its own pixels. `stride` is a multiple of RMI_BLUR_ALIGN; what lies
 * between width and stride is overwritten. `scratch`: rmi_blur_plane_scratch() bytes. */
size_t rmi_blur_plane_scratch(int stride, int height);
void rmi_blur_plane(uint8_t *plane, int stride, int width, int height, double variance, uint8_t *scratch);

/* A plane of twice the size, interpolated; `from` has (width + 1) / 2 x (height + 1) / 2 pixels. Quick where both have
 * RMI_BLUR_PADDING, which is overwritten then. */
void rmi_blur_double(uint8_t *from, int from_stride, uint8_t *to, int to_stride, int width, int height);

#endif
