/* SPDX-License-Identifier: Apache-2.0 */
/* A peer's wish; what is read is in range, and reads the same when it is written again. */
#include "frame/json_text.h"
#include "webrtc/wish.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    json_t *value = NULL;
    const char *fault = NULL;
    rm_subscription wish, again;
    if (rmi_json_text_load((const char *)data, size, &value, NULL, 0))
        return 0;
    const rm_err err = rmi_wish_read(value, &wish, &fault);
    if ((err != RM_OK) != (fault != NULL) || (!err && !rmi_wish_valid(&wish)))
        abort();
    json_decref(value);
    if (err)
        return 0;
    value = rmi_wish_write(&wish);
    if (!value || rmi_wish_read(value, &again, &fault) || !rmi_wish_same(&wish, &again))
        abort();
    json_decref(value);
    return 0;
}
