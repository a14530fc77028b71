/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/payload/red.h"
#include <stdlib.h>
#include <string.h>

/* One payload with redundant copies: every block lies within it, and what is written of it reads the same. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok) {
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rmi_red red;
    static uint8_t out[UINT16_MAX + 1];
    if (size > sizeof out || rmi_red_parse(data, size, &red) != RM_OK)
        return 0;
    require(red.count >= 1 && red.count <= RMI_RED_BLOCKS_MAX);
    for (size_t i = 0; i < red.count; i++) {
        const struct rmi_red_block *b = &red.block[i];
        require(b->data >= data && b->data + b->len <= data + size);
    }
    struct rmi_wr w = rmi_wr_init(out, sizeof out);
    rmi_red_write(&w, &red);
    require(!w.failed && w.pos == size && memcmp(out, data, size) == 0);
    return 0;
}
