/* SPDX-License-Identifier: Apache-2.0 */
#include "net/demux.h"
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    enum rmi_packet_kind kind = rmi_packet_kind_of(data, size);
    if (kind > RMI_PACKET_RTCP || (kind != RMI_PACKET_UNKNOWN && size < 4))
        abort();
    return 0;
}
