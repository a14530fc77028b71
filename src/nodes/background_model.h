/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_NODES_BACKGROUND_MODEL_H
#define RMI_NODES_BACKGROUND_MODEL_H

#include <remotemedia/error.h>
#include <stdint.h>

/* Which cells of a picture (8 x 8 pixels, say) belong to the person in front of the camera: those that differ from what
 * was there for long, and those where a person sits who is filmed for a call. For one stream. */
struct rmi_background;

struct rmi_background_config {
    double threshold; /* difference, in steps of 255 beyond the noise of the cell, from which on it counts; above 0 */
    double rate;      /* per second: how fast the background follows what is seen */
};

/* One value of each plane for each cell. */
struct rmi_background_cells {
    const uint8_t *y, *u, *v;
    int width, height;
    int stride; /* of all three; a multiple of RMI_BLUR_ALIGN, and all of it may be read */
};

/* RM_E_INVALID_ARG, RM_E_NO_MEMORY. */
rm_err rmi_background_create(const struct rmi_background_config *config, struct rmi_background **out);
void rmi_background_destroy(struct rmi_background **background);
/* Learns from one picture and tells for each cell how much of it is foreground: 255 all, 0 nothing; rows as far apart
 * as `stride`, the caller's to change until the next call. Another size, or another scene, starts anew.
 * RM_E_INVALID_ARG, RM_E_NO_MEMORY. */
rm_err rmi_background_update(struct rmi_background *background, const struct rmi_background_cells *cells,
                             int64_t time_us, uint8_t **mask);

#endif
