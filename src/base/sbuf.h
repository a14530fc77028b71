/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_BASE_SBUF_H
#define RMI_BASE_SBUF_H

#include <remotemedia/error.h>
#include <remotemedia/export.h>
#include <stdbool.h>
#include <stddef.h>

/* A growing, NUL-terminated text buffer with a sticky out-of-memory flag. Zero-initialised is an empty buffer. */
struct rmi_sbuf {
    char *data; /* NULL while empty */
    size_t len;
    size_t cap;
    bool failed;
};

void rmi_sbuf_add(struct rmi_sbuf *s, const char *text);
void rmi_sbuf_add_n(struct rmi_sbuf *s, const char *text, size_t n);
void rmi_sbuf_addf(struct rmi_sbuf *s, const char *fmt, ...) RM_PRINTF(2, 3);
/* Text so far, never NULL ("" while empty). Owned by the buffer; valid until the next change. */
const char *rmi_sbuf_text(const struct rmi_sbuf *s);
/* Hand the text to the caller (free()), leaving the buffer empty. NULL after an allocation failure. */
char *rmi_sbuf_take(struct rmi_sbuf *s);
void rmi_sbuf_clear(struct rmi_sbuf *s);
void rmi_sbuf_fini(struct rmi_sbuf *s);

#endif
