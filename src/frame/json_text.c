/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/json_text.h"

#include "frame/base64.h"

#include "base/cursor.h"
#include "frame/data_private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A member costs jansson about four times the memory of an array's element (its key and a hash table's entry). */
#define MEMBER_WEIGHT 3

struct scan {
    struct rmi_rd rd;
    size_t depth;
    size_t values;
};

static rm_err scan_string(struct rmi_rd *rd) {
    for (;;) {
        const uint8_t c = rmi_rd_u8(rd);
        if (rd->failed)
            return RM_E_PARSE;
        if (c == '"')
            return RM_OK;
        if (c == '\\')
            (void)rmi_rd_u8(rd);
    }
}

/* Only counts: that brackets match and the rest is JSON is left to the parser. */
static rm_err scan_byte(struct scan *s, uint8_t c) {
    switch (c) {
    case '"':
        return scan_string(&s->rd);
    case '{':
    case '[':
        s->values++;
        return ++s->depth > RM_JSON_DEPTH_MAX ? RM_E_TOO_BIG : RM_OK;
    case '}':
    case ']':
        return s->depth-- == 0 ? RM_E_PARSE : RM_OK;
    case ',':
        s->values++;
        return RM_OK;
    case ':':
        s->values += MEMBER_WEIGHT;
        return RM_OK;
    default:
        return RM_OK;
    }
}

rm_err rmi_json_text_check(const char *text, size_t size, char *detail, size_t detail_size) {
    if (size > RM_JSON_TEXT_MAX) {
        (void)snprintf(detail, detail_size, "%zu bytes of JSON, at most %zu are read", size, RM_JSON_TEXT_MAX);
        return RM_E_TOO_BIG;
    }
    struct scan s = {.rd = rmi_rd_init(text, size)};
    while (rmi_rd_left(&s.rd) > 0) {
        rm_err err = scan_byte(&s, rmi_rd_u8(&s.rd));
        if (!err && s.values > RM_JSON_VALUES_MAX)
            err = RM_E_TOO_BIG;
        if (err == RM_E_TOO_BIG)
            (void)snprintf(detail, detail_size, "byte %zu: too many values, or nested over %d levels", s.rd.pos,
                           RM_JSON_DEPTH_MAX);
        else if (err)
            (void)snprintf(detail, detail_size, "byte %zu: an unfinished string or a bracket too many", s.rd.pos);
        if (err)
            return err;
    }
    return RM_OK;
}

rm_err rmi_json_text_load(const char *text, size_t size, json_t **out, char *detail, size_t detail_size) {
    char unused[1];
    if (!detail || detail_size == 0) {
        detail = unused;
        detail_size = sizeof unused;
    }
    const rm_err err = rmi_json_text_check(text, size, detail, detail_size);
    if (err)
        return err;
    json_error_t fault = {0};
    json_t *value = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &fault);
    if (!value) {
        /* jansson says nothing at all in most places where memory runs out. */
        const bool no_memory = !fault.text[0] || json_error_code(&fault) == json_error_out_of_memory;
        (void)snprintf(detail, detail_size, "line %d, column %d: %s", fault.line, fault.column,
                       no_memory ? "no memory" : fault.text);
        return no_memory ? RM_E_NO_MEMORY : RM_E_PARSE;
    }
    *out = value;
    return RM_OK;
}

rm_err rmi_json_text_dump(const json_t *value, struct rmi_buf **out) {
    const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
    const size_t size = json_dumpb(value, NULL, 0, flags);
    struct rmi_buf *buf = size > 0 ? rmi_buf_alloc(size + 1, NULL) : NULL;
    if (!buf)
        return RM_E_NO_MEMORY;
    if (json_dumpb(value, (char *)buf->data, size, flags) != size) {
        rmi_buf_unref(&buf);
        return RM_E_NO_MEMORY;
    }
    buf->data[size] = '\0';
    buf->len = size;
    *out = buf;
    return RM_OK;
}

rm_err rmi_runtime_data_create_json_value(json_t *value, rm_runtime_data **out) {
    if (!value || !out)
        return RM_E_INVALID_ARG;
    struct rmi_buf *text = NULL;
    rm_err err = rmi_json_text_dump(value, &text);
    if (err)
        return err;
    rm_runtime_data *d = NULL;
    err = rmi_data_new(NULL, RM_DATA_JSON, text, 0, text->len, &d);
    rmi_buf_unref(&text);
    if (err)
        return err;
    d->value = json_incref(value);
    *out = d;
    return RM_OK;
}

const json_t *rmi_runtime_data_json_value(const rm_runtime_data *data) {
    return data->value;
}

rm_err rm_runtime_data_create_json(const char *text, size_t size, rm_runtime_data **out) {
    if (!out || (!text && size > 0))
        return RM_E_INVALID_ARG;
    json_t *value = NULL;
    rm_err err = rmi_json_text_load(text, size, &value, NULL, 0);
    if (!err)
        err = rmi_runtime_data_create_json_value(value, out);
    json_decref(value);
    return err;
}

json_t *rmi_json_base64(const void *data, size_t size) {
    const size_t length = rmi_base64_encoded_size(size);
    char *text = malloc(length + 1);
    if (!text)
        return NULL;
    rmi_base64_encode(data, size, text);
    json_t *value = json_stringn_nocheck(text, length);
    free(text);
    return value;
}
