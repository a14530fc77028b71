/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of data channels: the first byte says whether as binary. What is read can be written and read again. */
#include "webrtc/message.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rm_runtime_data *d = NULL, *again = NULL;
    struct rmi_buf *buf = NULL;
    if (size == 0 || rmi_message_read(data[0] & 1, data + 1, size - 1, &d))
        return 0;
    if (!rmi_message_write(d, &buf)) {
        size_t n = 0, m = 0;
        rm_err err = rmi_message_read(false, buf->data, buf->len, &again);
        if (!err) {
            const uint8_t *a = rm_runtime_data_bytes(d, &n), *b = rm_runtime_data_bytes(again, &m);
            if (n != m || (n && memcmp(a, b, n) != 0))
                abort();
        } else if (err != RM_E_TOO_BIG && err != RM_E_NO_MEMORY) {
            abort();
        }
    }
    rmi_buf_unref(&buf);
    rm_runtime_data_unref(&again);
    rm_runtime_data_unref(&d);
    return 0;
}
