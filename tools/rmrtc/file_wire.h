/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_FILE_WIRE_H
#define RMRTC_FILE_WIRE_H

#include <jansson.h>
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stdint.h>

/* Files on data channels, one channel each: a text {"name","size","mime_type"}, the bytes in binary messages, a text
 * {"sha256"}. The receiver answers {"ok":true} or {"ok":false,"error","detail"} at any time, which ends it, and closes
 * the channel. */
#define FILE_CHANNEL "rmrtc-file"
#define FILE_PIECE_MAX ((size_t)64 << 10)
#define FILE_NAME_MAX 200  /* bytes, so that a name for the unfinished file has room too */
#define FILE_HASH_CHARS 64 /* SHA-256 in hexadecimal */
#define FILE_TEXT_MAX 4096 /* of each text */

struct file_header {
    char name[FILE_NAME_MAX + 1];
    uint64_t size;
    char mime_type[128];
};

/* Texts to be freed; NULL: no memory. */
char *file_header_write(const struct file_header *header);
char *file_end_write(const char *hash);
char *file_answer_write(rm_err err, const char *detail);
/* RM_E_PARSE: malformed; RM_E_INVALID_ARG: a name that is not safe as a file's in a directory. */
rm_err file_header_read(const uint8_t *text, size_t size, struct file_header *out);
rm_err file_end_read(const uint8_t *text, size_t size, char hash[FILE_HASH_CHARS + 1]);
/* *ok; else detail, "NAME: sentence". */
rm_err file_answer_read(const uint8_t *text, size_t size, bool *ok, char *detail, size_t detail_size);
/* 1..FILE_NAME_MAX bytes of UTF-8 without '/', control characters, or a dot in front. */
bool file_name_is_safe(const char *name);

#endif
