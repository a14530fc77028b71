/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/base64.h"

#include "base/cursor.h"
#include <string.h>

#define GROUP_BYTES 3
#define GROUP_CHARS 4
#define BITS 6
#define MASK 0x3Fu
#define LONG 1024 /* bytes: worth a table */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t rmi_base64_encoded_size(size_t size) {
    return (size + GROUP_BYTES - 1) / GROUP_BYTES * GROUP_CHARS;
}

void rmi_base64_encode(const uint8_t *data, size_t size, char *out) {
    for (size_t at = 0; at < size; at += GROUP_BYTES, out += GROUP_CHARS) {
        const size_t n = size - at < GROUP_BYTES ? size - at : GROUP_BYTES;
        uint32_t group = (uint32_t)data[at] << 16;
        group |= n > 1 ? (uint32_t)data[at + 1] << 8 : 0;
        group |= n > 2 ? data[at + 2] : 0;
        for (size_t i = 0; i < GROUP_CHARS; i++)
            out[i] = i <= n ? alphabet[group >> (BITS * (GROUP_CHARS - 1 - i)) & MASK] : '=';
    }
}

static int value_of(uint8_t c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

struct table {
    uint8_t value[UINT8_MAX + 1]; /* NO_VALUE: not of the alphabet */
};
#define NO_VALUE 0x80

/* The groups without padding, which are all but the last. Made anew for each text: cheap beside one that is long. */
static size_t plain_groups(struct rmi_rd *rd, uint8_t *out) {
    struct table t;
    size_t total = 0;
    for (int c = 0; c <= UINT8_MAX; c++)
        t.value[c] = value_of((uint8_t)c) < 0 ? NO_VALUE : (uint8_t)value_of((uint8_t)c);
    while (rmi_rd_left(rd) > GROUP_CHARS) {
        struct rmi_rd ahead = *rd;
        const uint8_t *in = rmi_rd_bytes(&ahead, GROUP_CHARS);
        const uint8_t a = t.value[in[0]], b = t.value[in[1]], c = t.value[in[2]], d = t.value[in[3]];
        if ((a | b | c | d) & NO_VALUE)
            break;
        out[total] = (uint8_t)(a << 2 | b >> 4);
        out[total + 1] = (uint8_t)(b << 4 | c >> 2);
        out[total + 2] = (uint8_t)(c << BITS | d);
        total += GROUP_BYTES;
        *rd = ahead;
    }
    return total;
}

/* Bytes in this group; 0: malformed. */
static size_t group(struct rmi_rd *rd, uint8_t out[GROUP_BYTES]) {
    uint32_t bits = 0;
    size_t chars = 0;
    for (size_t i = 0; i < GROUP_CHARS; i++) {
        const uint8_t c = rmi_rd_u8(rd);
        const int value = value_of(c);
        if (value < 0 && c != '=')
            return 0;
        if (value >= 0 && chars != i) /* something behind padding */
            return 0;
        chars += value >= 0;
        bits = bits << BITS | (value >= 0 ? (uint32_t)value : 0);
    }
    if (rd->failed || chars < 2)
        return 0;
    out[0] = (uint8_t)(bits >> 16);
    out[1] = (uint8_t)(bits >> 8);
    out[2] = (uint8_t)bits;
    const size_t n = chars - 1;
    const bool stray = (n < 2 && out[1]) || (n < GROUP_BYTES && out[2]);
    return stray ? 0 : n;
}

rm_err rmi_base64_decode(const char *text, size_t size, uint8_t *out, size_t *out_size) {
    struct rmi_rd rd = rmi_rd_init(text, size);
    size_t total = size > LONG ? plain_groups(&rd, out) : 0;
    while (rmi_rd_left(&rd) > 0) {
        const size_t n = group(&rd, out + total);
        if (n == 0 || (n < GROUP_BYTES && rmi_rd_left(&rd) > 0))
            return RM_E_PARSE;
        total += n;
    }
    *out_size = total;
    return RM_OK;
}
