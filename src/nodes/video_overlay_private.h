/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_NODES_VIDEO_OVERLAY_PRIVATE_H
#define RMI_NODES_VIDEO_OVERLAY_PRIVATE_H

#include "media/image.h"

#define RMI_GLYPH_ROWS 7
#define RMI_GLYPH_COLUMNS 5

/* RMI_GLYPH_ROWS rows, the leftmost pixel in bit RMI_GLYPH_COLUMNS - 1; a question mark for what is not there. */
const uint8_t *rmi_glyph(char c);

enum rmi_overlay_position {
    RMI_OVERLAY_TOP_LEFT,
    RMI_OVERLAY_TOP_RIGHT,
    RMI_OVERLAY_BOTTOM_LEFT,
    RMI_OVERLAY_BOTTOM_RIGHT,
    RMI_OVERLAY_CENTER
};

struct rmi_overlay {
    const char *text; /* lines, one character a byte */
    enum rmi_overlay_position position;
    int scale;   /* pixels for each of a glyph's, at least 1 */
    int opacity; /* of the dark box behind, 0..RMI_OVERLAY_OPAQUE */
};
#define RMI_OVERLAY_OPAQUE 256

struct rmi_overlay_box {
    int x, y, width, height; /* even, and inside the picture */
};

/* The part of the picture that rmi_overlay_draw changes: text that does not fit is cut off at the right and below. */
struct rmi_overlay_box rmi_overlay_box(const struct rmi_overlay *overlay, int width, int height);
/* White text on a dark box; alpha stays. The image is valid and has even sides if it is YUV. */
void rmi_overlay_draw(const struct rmi_overlay *overlay, struct rmi_image *image);

#endif
