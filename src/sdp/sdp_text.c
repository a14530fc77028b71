/* SPDX-License-Identifier: Apache-2.0 */
#include "sdp/sdp_private.h"
#include <string.h>

struct rmi_rd rmi_sdp_until(struct rmi_rd *line, char sep) {
    size_t left = rmi_rd_left(line);
    struct rmi_rd ahead = *line;
    const uint8_t *start = rmi_rd_bytes(&ahead, left);
    const uint8_t *found = left ? memchr(start, sep, left) : NULL;
    struct rmi_rd token = rmi_rd_sub(line, found ? (size_t)(found - start) : left);
    if (found)
        rmi_rd_skip(line, 1);
    return token;
}

struct rmi_rd rmi_sdp_rest(struct rmi_rd *line) {
    return rmi_rd_sub(line, rmi_rd_left(line));
}

static bool is_blank(uint8_t c) {
    return c == ' ' || c == '\t';
}

struct rmi_rd rmi_sdp_trim(struct rmi_rd token) {
    size_t from = 0, to = token.len;
    while (from < to && is_blank(token.data[from]))
        from++;
    while (to > from && is_blank(token.data[to - 1]))
        to--;
    rmi_rd_skip(&token, from);
    return rmi_rd_sub(&token, to - from);
}

struct rmi_rd rmi_sdp_word(struct rmi_rd *line) {
    for (;;) {
        struct rmi_rd word = rmi_sdp_until(line, ' ');
        if (word.len || !rmi_rd_left(line))
            return word;
    }
}

bool rmi_sdp_token_is(const struct rmi_rd *token, const char *text) {
    return token->len == strlen(text) && (token->len == 0 || memcmp(token->data, text, token->len) == 0);
}

static int lower(int c) {
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

bool rmi_sdp_token_is_nocase(const struct rmi_rd *token, const char *text) {
    if (token->len != strlen(text))
        return false;
    for (size_t i = 0; i < token->len; i++) {
        if (lower(token->data[i]) != lower((unsigned char)text[i]))
            return false;
    }
    return true;
}

bool rmi_sdp_text_is_nocase(const char *a, const char *b) {
    struct rmi_rd token = rmi_rd_init(a, strlen(a));
    return rmi_sdp_token_is_nocase(&token, b);
}

bool rmi_sdp_token_number(const struct rmi_rd *token, uint64_t max, uint64_t *out) {
    uint64_t value = 0;
    if (token->len == 0)
        return false;
    for (size_t i = 0; i < token->len; i++) {
        if (token->data[i] < '0' || token->data[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(token->data[i] - '0');
        if (digit > max || value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}
