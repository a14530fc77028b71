/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SESSION_PICTURE_H
#define RMI_SESSION_PICTURE_H

#include "codec/video.h"
#include "frame/pool.h"

/* Between the pictures of codecs and the frames of pipelines. Frames have even sides: an odd last row or column is
 * left out. */

/* A decoder's picture as a frame: the buffer itself where the decoder gives it away, a copy in the pool's memory
 * otherwise. Errors of the pool; RM_E_UNSUPPORTED: a side of one pixel. */
rm_err rmi_picture_to_frame(struct rmi_frame_pool *pool, const struct rmi_codec_picture *picture, int64_t timestamp_us,
                            rm_runtime_data **out);

/* Memory of conversions, kept from picture to picture. Zeroed at the start. */
struct rmi_picture_room {
    uint8_t *data;
    size_t cap;
};
struct rmi_picture_maker {
    struct rmi_picture_room converted, scaled;
};
void rmi_picture_maker_fini(struct rmi_picture_maker *m);
/* Whether these pixels can become a picture. */
bool rmi_picture_accepts(rm_pixel_format format);
/* A raw frame as a picture of this even size, valid until the next call: where it lies when it is I420 of that size.
 * RM_E_UNSUPPORTED: pixel format. RM_E_INVALID_ARG: sizes. RM_E_NO_MEMORY. */
rm_err rmi_picture_from_frame(struct rmi_picture_maker *m, const rm_video *video, int width, int height,
                              struct rmi_codec_picture *out);

/* The size for a picture that has to fit into max_long by max_short, either way round: its own, made even; one of the
 * ratios that libyuv scales fast, if that comes near the limit; else what fits. At least RMI_VIDEO_SIDE_MIN. */
void rmi_picture_fit(uint32_t width, uint32_t height, uint32_t max_long, uint32_t max_short, int *out_width,
                     int *out_height);

#endif
