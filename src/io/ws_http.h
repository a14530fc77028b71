/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_IO_WS_HTTP_H
#define RMI_IO_WS_HTTP_H

#include "base/cursor.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As much of HTTP/1.1 (RFC 9112) as a WebSocket handshake and static pages need: the head of one message. Pure. */

#define RMI_HTTP_HEAD_MAX 8192 /* usual limit of HTTP servers; a handshake has some 500 bytes */
#define RMI_HTTP_FIELDS_MAX 64

enum rmi_http_status {
    RMI_HTTP_SWITCHING = 101,
    RMI_HTTP_OK = 200,
    RMI_HTTP_BAD_REQUEST = 400,
    RMI_HTTP_NOT_FOUND = 404,
    RMI_HTTP_METHOD = 405,
    RMI_HTTP_UPGRADE_REQUIRED = 426,
    RMI_HTTP_INTERNAL = 500,
    RMI_HTTP_UNAVAILABLE = 503,
};

/* A piece of the reader's buffer. */
struct rmi_http_text {
    const char *at;
    size_t len;
};

struct rmi_http_field {
    struct rmi_http_text name, value;
};

struct rmi_http_head {
    struct rmi_http_text method, target; /* of a request */
    int status;                          /* of a response */
    struct rmi_http_field fields[RMI_HTTP_FIELDS_MAX];
    size_t field_n;
};

struct rmi_http_reader {
    size_t len;
    unsigned matched; /* of the four bytes at the end */
    char data[RMI_HTTP_HEAD_MAX];
};

/* Take bytes from `r` up to the end of the head. RM_OK: complete, the rest is left in `r`. RM_E_AGAIN. RM_E_PARSE: a
 * byte that no head contains. RM_E_TOO_BIG. */
rm_err rmi_http_read(struct rmi_http_reader *reader, struct rmi_rd *r);
/* Take a complete head apart; the pieces point into the reader. RM_E_PARSE. RM_E_TOO_BIG: too many fields. */
rm_err rmi_http_parse_request(const struct rmi_http_reader *reader, struct rmi_http_head *out);
rm_err rmi_http_parse_response(const struct rmi_http_reader *reader, struct rmi_http_head *out);

bool rmi_http_text_is(struct rmi_http_text text, const char *word); /* ASCII letters of either case */
/* The value of a field that occurs exactly once. */
bool rmi_http_single(const struct rmi_http_head *head, const char *name, struct rmi_http_text *out);
bool rmi_http_has(const struct rmi_http_head *head, const char *name);
/* Whether a comma-separated list, in one field or several of the name, contains the token. */
bool rmi_http_has_token(const struct rmi_http_head *head, const char *name, const char *token);
const char *rmi_http_reason(int status);

#endif
