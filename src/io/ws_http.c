/* SPDX-License-Identifier: Apache-2.0 */
#include "io/ws_http.h"
#include <string.h>
#include <strings.h>

#define STATUS_DIGITS 3

rm_err rmi_http_read(struct rmi_http_reader *reader, struct rmi_rd *r) {
    static const char end[] = "\r\n\r\n";
    while (rmi_rd_left(r) > 0) {
        char c = (char)rmi_rd_u8(r);
        if (((unsigned char)c < ' ' && c != '\r' && c != '\n' && c != '\t') || c == 0x7f)
            return RM_E_PARSE;
        if (reader->len == sizeof reader->data)
            return RM_E_TOO_BIG;
        reader->data[reader->len++] = c;
        if (c == end[reader->matched])
            reader->matched++;
        else
            reader->matched = c == '\r';
        if (reader->matched == sizeof end - 1)
            return RM_OK;
    }
    return RM_E_AGAIN;
}

static bool is_token_char(char c) { /* RFC 9110 5.6.2 */
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct rmi_http_text text) {
    for (size_t i = 0; i < text.len; i++)
        if (!is_token_char(text.at[i]))
            return false;
    return text.len > 0;
}

static struct rmi_http_text trim(struct rmi_http_text text) {
    while (text.len > 0 && (*text.at == ' ' || *text.at == '\t'))
        text.at++, text.len--;
    while (text.len > 0 && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* Up to `stop`, which is consumed; without it the cursor fails. */
static struct rmi_http_text until(struct rmi_rd *r, char stop) {
    struct rmi_http_text text = {(const char *)r->data + r->pos, 0};
    while (!r->failed) {
        if ((char)rmi_rd_u8(r) == stop && !r->failed)
            return text;
        text.len++;
    }
    return (struct rmi_http_text){"", 0};
}

/* A line without its CR LF. A CR or LF by itself is refused: readers that disagree on line ends can be played off
 * against each other. */
static struct rmi_http_text take_line(struct rmi_rd *r) {
    struct rmi_http_text line = until(r, '\r');
    if (rmi_rd_u8(r) != '\n' || memchr(line.at, '\n', line.len))
        r->failed = true;
    return line;
}

static rm_err parse_fields(struct rmi_rd *r, struct rmi_http_head *out) {
    for (;;) {
        struct rmi_http_text line = take_line(r);
        if (r->failed)
            return RM_E_PARSE;
        if (line.len == 0)
            return RM_OK;
        if (out->field_n == RMI_HTTP_FIELDS_MAX)
            return RM_E_TOO_BIG;
        struct rmi_rd l = rmi_rd_init(line.at, line.len);
        struct rmi_http_field *f = &out->fields[out->field_n];
        f->name = until(&l, ':');
        if (l.failed || !is_token(f->name)) /* so no blank before the colon, and no folded line */
            return RM_E_PARSE;
        f->value = trim((struct rmi_http_text){line.at + l.pos, rmi_rd_left(&l)});
        out->field_n++;
    }
}

static bool is_version(struct rmi_http_text text) {
    return text.len == 8 && memcmp(text.at, "HTTP/1.1", 8) == 0;
}

rm_err rmi_http_parse_request(const struct rmi_http_reader *reader, struct rmi_http_head *out) {
    *out = (struct rmi_http_head){0};
    struct rmi_rd r = rmi_rd_init(reader->data, reader->len);
    struct rmi_http_text line = take_line(&r);
    struct rmi_rd l = rmi_rd_init(line.at, line.len);
    out->method = until(&l, ' ');
    out->target = until(&l, ' ');
    struct rmi_http_text version = {line.at + l.pos, rmi_rd_left(&l)};
    if (r.failed || l.failed || !is_token(out->method) || !is_version(version))
        return RM_E_PARSE;
    if (out->target.len == 0 || *out->target.at != '/') /* origin form: this is no proxy */
        return RM_E_PARSE;
    for (size_t i = 0; i < out->target.len; i++)
        if (out->target.at[i] <= ' ' || out->target.at[i] >= 0x7f)
            return RM_E_PARSE;
    return parse_fields(&r, out);
}

rm_err rmi_http_parse_response(const struct rmi_http_reader *reader, struct rmi_http_head *out) {
    *out = (struct rmi_http_head){0};
    struct rmi_rd r = rmi_rd_init(reader->data, reader->len);
    struct rmi_http_text line = take_line(&r);
    struct rmi_rd l = rmi_rd_init(line.at, line.len);
    struct rmi_http_text version = until(&l, ' ');
    for (int i = 0; i < STATUS_DIGITS; i++) {
        uint8_t digit = rmi_rd_u8(&l);
        if (digit < '0' || digit > '9')
            return RM_E_PARSE;
        out->status = out->status * 10 + (digit - '0');
    }
    /* The reason may be absent, with or without its blank. */
    if (r.failed || l.failed || !is_version(version) || (rmi_rd_left(&l) > 0 && rmi_rd_u8(&l) != ' '))
        return RM_E_PARSE;
    return parse_fields(&r, out);
}

bool rmi_http_text_is(struct rmi_http_text text, const char *word) {
    return text.len == strlen(word) && strncasecmp(text.at, word, text.len) == 0;
}

bool rmi_http_single(const struct rmi_http_head *head, const char *name, struct rmi_http_text *out) {
    size_t n = 0;
    for (size_t i = 0; i < head->field_n; i++) {
        if (rmi_http_text_is(head->fields[i].name, name)) {
            *out = head->fields[i].value;
            n++;
        }
    }
    return n == 1;
}

bool rmi_http_has(const struct rmi_http_head *head, const char *name) {
    for (size_t i = 0; i < head->field_n; i++)
        if (rmi_http_text_is(head->fields[i].name, name))
            return true;
    return false;
}

static bool list_has(struct rmi_http_text list, const char *token) {
    for (;;) {
        const char *comma = memchr(list.at, ',', list.len);
        size_t n = comma ? (size_t)(comma - list.at) : list.len;
        if (rmi_http_text_is(trim((struct rmi_http_text){list.at, n}), token))
            return true;
        if (!comma)
            return false;
        list.at += n + 1;
        list.len -= n + 1;
    }
}

bool rmi_http_has_token(const struct rmi_http_head *head, const char *name, const char *token) {
    for (size_t i = 0; i < head->field_n; i++)
        if (rmi_http_text_is(head->fields[i].name, name) && list_has(head->fields[i].value, token))
            return true;
    return false;
}

const char *rmi_http_reason(int status) {
    switch (status) {
    case RMI_HTTP_SWITCHING:
        return "Switching Protocols";
    case RMI_HTTP_OK:
        return "OK";
    case RMI_HTTP_BAD_REQUEST:
        return "Bad Request";
    case RMI_HTTP_NOT_FOUND:
        return "Not Found";
    case RMI_HTTP_METHOD:
        return "Method Not Allowed";
    case RMI_HTTP_UPGRADE_REQUIRED:
        return "Upgrade Required";
    case RMI_HTTP_INTERNAL:
        return "Internal Server Error";
    case RMI_HTTP_UNAVAILABLE:
        return "Service Unavailable";
    default:
        return ""; /* RFC 9112 section 4: the reason may be empty */
    }
}
