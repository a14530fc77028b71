/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sbuf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 128 /* most messages and lines fit without growing */

/* Room for n more characters and the NUL. */
static bool grow(struct rmi_sbuf *s, size_t n) {
    if (s->failed)
        return false;
    if (n < s->cap - s->len)
        return true;
    if (n >= SIZE_MAX / 2 - s->len) {
        s->failed = true;
        return false;
    }
    size_t cap = s->cap ? s->cap : FIRST_CAPACITY;
    while (cap - s->len <= n)
        cap *= 2;
    char *data = realloc(s->data, cap);
    if (!data) {
        s->failed = true;
        return false;
    }
    s->data = data;
    s->cap = cap;
    return true;
}

void rmi_sbuf_add_n(struct rmi_sbuf *s, const char *text, size_t n) {
    if (n == 0 || !grow(s, n))
        return;
    memcpy(s->data + s->len, text, n);
    s->len += n;
    s->data[s->len] = '\0';
}

void rmi_sbuf_add(struct rmi_sbuf *s, const char *text) {
    rmi_sbuf_add_n(s, text, strlen(text));
}

void rmi_sbuf_addf(struct rmi_sbuf *s, const char *fmt, ...) {
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0)
        s->failed = true;
    else if (grow(s, (size_t)n)) {
        (void)vsnprintf(s->data + s->len, (size_t)n + 1, fmt, again);
        s->len += (size_t)n;
    }
    va_end(again);
}

const char *rmi_sbuf_text(const struct rmi_sbuf *s) {
    return s->data ? s->data : "";
}

char *rmi_sbuf_take(struct rmi_sbuf *s) {
    if (!s->failed && grow(s, 0)) {
        char *text = s->data;
        text[s->len] = '\0';
        *s = (struct rmi_sbuf){0};
        return text;
    }
    rmi_sbuf_fini(s);
    return NULL;
}

void rmi_sbuf_clear(struct rmi_sbuf *s) {
    s->len = 0;
    s->failed = false;
    if (s->data)
        s->data[0] = '\0';
}

void rmi_sbuf_fini(struct rmi_sbuf *s) {
    free(s->data);
    *s = (struct rmi_sbuf){0};
}
