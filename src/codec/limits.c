/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/limits.h"

struct rmi_codec_limits rmi_codec_limits_default(void) {
    return (struct rmi_codec_limits){
        .max_width = RMI_CODEC_MAX_WIDTH,
        .max_height = RMI_CODEC_MAX_HEIGHT,
        .max_pixels_per_s = (uint64_t)RMI_CODEC_MAX_WIDTH * RMI_CODEC_MAX_HEIGHT * RMI_CODEC_MAX_FPS,
    };
}

bool rmi_codec_limits_admit(const struct rmi_codec_limits *limits, uint32_t width, uint32_t height) {
    bool lying = width <= limits->max_width && height <= limits->max_height;
    bool standing = width <= limits->max_height && height <= limits->max_width;
    return width > 0 && height > 0 && (lying || standing);
}
