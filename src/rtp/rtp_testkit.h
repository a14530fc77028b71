/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RTP_TESTKIT_H
#define RMI_RTP_TESTKIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* after the headers it needs */

/* Something that reads hostile bytes and checks for itself that what it accepts makes sense. */
typedef void (*rtp_reader)(const uint8_t *data, size_t len, void *ctx);

/* Read from a heap block of exactly this size, so that the address sanitizer sees one byte too many. */
static inline void rtp_boxed(rtp_reader read, const uint8_t *data, size_t len, void *ctx) {
    uint8_t *box = malloc(len ? len : 1);
    assert_non_null(box);
    if (len)
        memcpy(box, data, len);
    read(box, len, ctx);
    free(box);
}

/* Every length 0..len, and at full length every byte with each bit turned, all turned, and with the extremes. */
static inline void rtp_sweep(rtp_reader read, const uint8_t *data, size_t len, void *ctx) {
    uint8_t *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    for (size_t n = 0; n <= len; n++)
        rtp_boxed(read, data, n, ctx);
    for (size_t i = 0; i < len; i++) {
        memcpy(copy, data, len);
        for (unsigned bit = 0; bit < 8; bit++) {
            copy[i] = (uint8_t)(data[i] ^ 1U << bit);
            rtp_boxed(read, copy, len, ctx);
        }
        static const uint8_t values[] = {0, 0x7f, 0x80, 0xff};
        for (size_t v = 0; v < sizeof values; v++) {
            copy[i] = values[v];
            rtp_boxed(read, copy, len, ctx);
        }
    }
    free(copy);
}

#endif
