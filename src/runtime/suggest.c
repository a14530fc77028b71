/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/suggest.h"

#include <stdint.h>
#include <string.h>

#define NAME_MAX_LEN 64

static int lower(char c) {
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : (unsigned char)c;
}

static size_t min3(size_t a, size_t b, size_t c) {
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

size_t rmi_edit_distance(const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b);
    size_t rows[3][NAME_MAX_LEN + 1]; /* the row being made, the one before, and the one before that */
    if (n > NAME_MAX_LEN || m > NAME_MAX_LEN)
        return SIZE_MAX;
    size_t *now = rows[0], *before = rows[1], *earlier = rows[2];
    for (size_t j = 0; j <= m; j++)
        now[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *spare = earlier;
        earlier = before;
        before = now;
        now = spare;
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t differ = lower(a[i - 1]) != lower(b[j - 1]);
            now[j] = min3(before[j] + 1, now[j - 1] + 1, before[j - 1] + differ);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]) &&
                earlier[j - 2] + 1 < now[j])
                now[j] = earlier[j - 2] + 1;
        }
    }
    return now[m];
}

struct rmi_suggest rmi_suggest_init(const char *written) {
    return (struct rmi_suggest){.written = written, .distance = SIZE_MAX};
}

void rmi_suggest_offer(struct rmi_suggest *s, const char *candidate) {
    size_t d = rmi_edit_distance(s->written, candidate);
    size_t longer = strlen(s->written) > strlen(candidate) ? strlen(s->written) : strlen(candidate);
    /* One slip in three letters, two in six and so on; more is another word. */
    if (d < s->distance && d <= (longer + 2) / 3 && d < longer) {
        s->distance = d;
        s->best = candidate;
    }
}
