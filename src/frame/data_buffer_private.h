/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_FRAME_DATA_BUFFER_PRIVATE_H
#define RMI_FRAME_DATA_BUFFER_PRIVATE_H

#include "frame/data_buffer.pb.h"
#include <remotemedia/data.h>

/* What the message has no field for, as metadata. Places in rmi_data_buffer_names. */
enum rmi_data_buffer_extra {
    RMI_EXTRA_STREAM_ID, /* audio, video, image */
    RMI_EXTRA_TIMESTAMP, /* audio, image */
    RMI_EXTRA_ARRIVAL,   /* audio, video */
    RMI_EXTRA_METADATA,  /* image, tensor: JSON */
    RMI_EXTRA_DTYPE,     /* tensor: a number that the message has none for */
    RMI_EXTRA_IMAGE,     /* binary that is an image: its format, or the pixel format of a raw one */
    RMI_EXTRA_WIDTH,
    RMI_EXTRA_HEIGHT,
    RMI_EXTRA_SIZE, /* file: 0 stands for "not said" in the message */
    RMI_EXTRA_OFFSET,
    RMI_EXTRA_LENGTH,
    RMI_EXTRAS
};

extern const char *const rmi_data_buffer_names[RMI_EXTRAS + 1]; /* ended by NULL */

/* Between the numbers of the message and those of <remotemedia/data.h>. False: there is none. */
bool rmi_pixels_to_wire(rm_pixel_format format, rmi_pb_Pixels *out);
bool rmi_pixels_from_wire(rmi_pb_Pixels wire, rm_pixel_format *out);
bool rmi_dtype_to_wire(int32_t dtype, rmi_pb_Dtype *out);
/* Also the bytes of one element. */
bool rmi_dtype_from_wire(rmi_pb_Dtype wire, int32_t *out, size_t *item_bytes);

/* "Jpeg" "Png" "WebP"; NULL: raw. */
const char *rmi_image_format_name(rm_image_format format);
const char *rmi_image_mime_type(rm_image_format format);

#endif
