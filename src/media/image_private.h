/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_MEDIA_IMAGE_PRIVATE_H
#define RMI_MEDIA_IMAGE_PRIVATE_H

#include "media/image.h"

#define RMI_IMAGE_RGB24_BYTES 3
#define RMI_IMAGE_RGBA_BYTES 4

/* Bytes in a row and rows of a plane. False: the format has no such plane. */
bool rmi_image_plane_size(enum rmi_image_format format, int width, int height, int plane, int *bytes, int *rows);
bool rmi_image_valid(const struct rmi_image *image);

#endif
