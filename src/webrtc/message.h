/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_WEBRTC_MESSAGE_H
#define RMI_WEBRTC_MESSAGE_H

#include "base/buf.h"
#include <remotemedia/data.h>

/* The messages of RemoteMedia's mesh: {"type":"Json"|"Text"|"Binary","payload":...}, binary as base64. */

/* The text. RM_E_UNSUPPORTED: another kind of data; RM_E_TOO_BIG: over RM_MESSAGE_PAYLOAD_MAX; RM_E_NO_MEMORY. */
rm_err rmi_message_write(const rm_runtime_data *data, struct rmi_buf **out);
/* What a peer sent. `binary`: not as text; then, and where it is no such object, it is binary or text as it is.
 * RM_E_PARSE: such an object with a broken payload, or text that is no UTF-8; RM_E_TOO_BIG; RM_E_NO_MEMORY. */
rm_err rmi_message_read(bool binary, const uint8_t *data, size_t len, rm_runtime_data **out);

#endif
