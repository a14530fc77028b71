/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_CODEC_BITS_H
#define RMI_CODEC_BITS_H

#include "base/cursor.h"
#include <stdbool.h>
#include <stdint.h>

/* Bits, most significant first, over the byte cursor; sticky error, zeros after it. */
struct rmi_bits {
    struct rmi_rd rd;
    uint8_t byte;
    int left;     /* unread bits of `byte` */
    bool escaped; /* drop H.264 emulation prevention bytes (H.264 7.3.1.1) */
    int zeros;    /* zero bytes in a row just read */
    bool failed;
};

struct rmi_bits rmi_bits_init(const void *data, size_t len, bool escaped);
/* n of 0..32 */
uint32_t rmi_bits_get(struct rmi_bits *b, int n);
bool rmi_bits_flag(struct rmi_bits *b);
/* Exp-Golomb codes (H.264 9.1); longer than 32 bits is an error. */
uint32_t rmi_bits_ue(struct rmi_bits *b);
int32_t rmi_bits_se(struct rmi_bits *b);

#endif
