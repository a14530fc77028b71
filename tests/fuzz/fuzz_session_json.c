/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots of shared sessions. */
#include "webrtc/session_private.h"
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rmi_session_snapshot s = {0};
    char detail[64];
    if (!rmi_session_read((const char *)data, size, &s, detail, sizeof detail) && !rmi_session_snapshot_id(&s))
        __builtin_trap();
    rmi_session_snapshot_fini(&s);
    return 0;
}
