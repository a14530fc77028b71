/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_PNG_WRITE_H
#define RMRTC_PNG_WRITE_H

#include <remotemedia/data.h>

/* A raw picture (I420, YUV420P, NV12, RGB24, RGBA) as a PNG file. The file appears complete or not at all, and one
 * that was there before stays until then. RM_E_INVALID_ARG: an encoded frame, or no picture. RM_E_NO_MEMORY.
 * RM_E_IO: errno says why. */
rm_err png_write(const char *path, const rm_video *video);

#endif
