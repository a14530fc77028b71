/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/utf8.h"

#include "base/cursor.h"

#define CONTINUATION_MASK 0xC0u
#define CONTINUATION 0x80u

/* RFC 3629 section 4: bytes that follow the first, and the range of the second, which excludes overlong forms and
 * surrogates. */
static const struct {
    uint8_t first_low, first_high;
    uint8_t second_low, second_high;
    uint8_t follow;
} forms[] = {
    {0x00, 0x7F, 0x00, 0x00, 0}, {0xC2, 0xDF, 0x80, 0xBF, 1}, {0xE0, 0xE0, 0xA0, 0xBF, 2},
    {0xE1, 0xEC, 0x80, 0xBF, 2}, {0xED, 0xED, 0x80, 0x9F, 2}, {0xEE, 0xEF, 0x80, 0xBF, 2},
    {0xF0, 0xF0, 0x90, 0xBF, 3}, {0xF1, 0xF3, 0x80, 0xBF, 3}, {0xF4, 0xF4, 0x80, 0x8F, 3},
};

static bool character(struct rmi_rd *rd) {
    const uint8_t first = rmi_rd_u8(rd);
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (first < forms[i].first_low || first > forms[i].first_high)
            continue;
        for (uint8_t k = 0; k < forms[i].follow; k++) {
            const uint8_t next = rmi_rd_u8(rd);
            const bool fits = k == 0 ? next >= forms[i].second_low && next <= forms[i].second_high
                                     : (next & CONTINUATION_MASK) == CONTINUATION;
            if (rd->failed || !fits)
                return false;
        }
        return true;
    }
    return false;
}

bool rmi_utf8_valid(const char *text, size_t size) {
    struct rmi_rd rd = rmi_rd_init(text, size);
    while (rmi_rd_left(&rd) > 0)
        if (!character(&rd))
            return false;
    return true;
}
