/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SDP_SDP_PRIVATE_H
#define RMI_SDP_SDP_PRIVATE_H

#include "base/cursor.h"
#include "sdp/sdp.h"

/* A token is a cursor over a part of one line: `data` and `len`, nothing consumed yet. */

/* The text up to the next `sep` (which is consumed too) or the end of the line. */
struct rmi_rd rmi_sdp_until(struct rmi_rd *line, char sep);
/* What is left of the line. */
struct rmi_rd rmi_sdp_rest(struct rmi_rd *line);
/* The next word after any number of spaces; empty at the end. */
struct rmi_rd rmi_sdp_word(struct rmi_rd *line);
struct rmi_rd rmi_sdp_trim(struct rmi_rd token);
bool rmi_sdp_token_is(const struct rmi_rd *token, const char *text);
bool rmi_sdp_token_is_nocase(const struct rmi_rd *token, const char *text);
/* Digits only, at most `max`; false otherwise (no sign, no overflow). */
bool rmi_sdp_token_number(const struct rmi_rd *token, uint64_t max, uint64_t *out);
bool rmi_sdp_text_is_nocase(const char *a, const char *b);

/* What the parser knows while it goes through the lines. */
struct rmi_sdp_parser {
    struct rmi_sdp *sdp;
    struct rmi_sdp_media session; /* collects what the session level hands down */
    struct rmi_sdp_media *media;  /* the section being read, NULL before the first */
    struct rmi_sdp_fault *fault;
    size_t line;
    bool session_has_direction, media_has_direction;
};

/* Note the reason in the fault and give the error back. */
rm_err rmi_sdp_fail(struct rmi_sdp_parser *p, rm_err err, const char *fmt, ...) RM_PRINTF(3, 4);
/* One line after "a=". */
rm_err rmi_sdp_parse_attribute(struct rmi_sdp_parser *p, struct rmi_rd line);
/* Copy of a token that must be 1..RMI_SDP_TOKEN_MAX characters without control characters. */
rm_err rmi_sdp_copy_token(struct rmi_sdp_parser *p, const struct rmi_rd *token, const char *what, const char **out);

#endif
