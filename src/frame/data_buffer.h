/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_FRAME_DATA_BUFFER_H
#define RMI_FRAME_DATA_BUFFER_H

#include "base/buf.h"
#include <remotemedia/transport_data.h>

/* RemoteMedia's protobuf message `DataBuffer`: one runtime data of any kind, and names and texts that travel along.
 *
 * What that message has no place for travels in metadata whose keys begin with "rm.", which are taken out again when it
 * is read: stream ids, times of sound, the kind of an image (sent as binary with its MIME type), metadata of tensors. A
 * receiver that does not know them loses just these. */

/* The message. `metadata` may be NULL. RM_E_INVALID_ARG: no data; RM_E_LIMIT: more names than rm_metadata can hold;
 * RM_E_NO_MEMORY. */
rm_err rmi_data_buffer_write(const rm_runtime_data *data, const rm_metadata *metadata, struct rmi_buf **out);

/* What somebody sent. *metadata (may be NULL: not wanted) is NULL when there is none. Bytes are copied once.
 *  RM_E_PARSE        no such message, no data in it or several, or fields that do not fit each other (sizes, shapes,
 *                    UTF-8, JSON)
 *  RM_E_UNSUPPORTED  a pixel format, codec or encoding that runtime data cannot hold
 *  RM_E_TOO_BIG      more names, dimensions or nested JSON than are accepted
 *  RM_E_NO_MEMORY */
rm_err rmi_data_buffer_read(const uint8_t *bytes, size_t len, rm_runtime_data **out, rm_metadata **metadata);
/* Only the metadata, without looking at the data or copying it; NULL when there is none. */
rm_err rmi_data_buffer_read_metadata(const uint8_t *bytes, size_t len, rm_metadata **metadata);

#endif
