/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/bits.h"

#define BITS_PER_BYTE 8
#define ESCAPE_AFTER_ZEROS 2
#define ESCAPE_BYTE 3
#define GOLOMB_ZEROS_MAX 31

struct rmi_bits rmi_bits_init(const void *data, size_t len, bool escaped) {
    return (struct rmi_bits){.rd = rmi_rd_init(data, len), .escaped = escaped};
}

static void next_byte(struct rmi_bits *b) {
    b->byte = rmi_rd_u8(&b->rd);
    if (b->escaped && b->zeros >= ESCAPE_AFTER_ZEROS && b->byte == ESCAPE_BYTE) {
        b->zeros = 0;
        b->byte = rmi_rd_u8(&b->rd);
    }
    b->zeros = b->byte == 0 ? b->zeros + 1 : 0;
    b->left = BITS_PER_BYTE;
    b->failed = b->failed || b->rd.failed;
}

bool rmi_bits_flag(struct rmi_bits *b) {
    if (b->left == 0)
        next_byte(b);
    if (b->failed)
        return false;
    b->left--;
    return b->byte >> b->left & 1;
}

uint32_t rmi_bits_get(struct rmi_bits *b, int n) {
    uint32_t v = 0;
    for (int i = 0; i < n; i++)
        v = v << 1 | rmi_bits_flag(b);
    return b->failed ? 0 : v;
}

uint32_t rmi_bits_ue(struct rmi_bits *b) {
    int zeros = 0;
    while (!b->failed && !rmi_bits_flag(b))
        if (++zeros > GOLOMB_ZEROS_MAX)
            b->failed = true;
    uint32_t rest = rmi_bits_get(b, zeros);
    return b->failed ? 0 : (uint32_t)((UINT64_C(1) << zeros) - 1 + rest);
}

int32_t rmi_bits_se(struct rmi_bits *b) {
    uint32_t v = rmi_bits_ue(b);
    int64_t half = ((int64_t)v + 1) / 2;
    return (int32_t)(v & 1 ? half : -half);
}
