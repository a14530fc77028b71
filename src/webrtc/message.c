/* SPDX-License-Identifier: Apache-2.0 */
#include "webrtc/message.h"

#include "frame/base64.h"
#include "frame/json_text.h"
#include <remotemedia/webrtc_data.h>
#include <stdio.h>
#include <string.h>

/* As everybody writes it; other spellings of the same JSON are read too, by the parser. */
#define HEAD "{\"type\":\"%s\",\"payload\":"
#define HEAD_MAX 32
#define TAIL "}"

static const char *const names[] = {"Json", "Text", "Binary"};
enum { JSON, TEXT, BINARY, KINDS };

/* HEAD, room for `size` bytes, TAIL and a NUL. *payload: where the room begins. */
static struct rmi_buf *frame(int kind, size_t size, char **payload) {
    char head[HEAD_MAX];
    const size_t n = (size_t)snprintf(head, sizeof head, HEAD, names[kind]);
    struct rmi_buf *buf = rmi_buf_alloc(n + size + sizeof TAIL, NULL);
    if (!buf)
        return NULL;
    memcpy(buf->data, head, n);
    memcpy(buf->data + n + size, TAIL, sizeof TAIL);
    buf->len = n + size + sizeof TAIL - 1;
    *payload = (char *)buf->data + n;
    return buf;
}

static struct rmi_buf *write_json(const uint8_t *text, size_t size) {
    char *at;
    struct rmi_buf *buf = frame(JSON, size, &at);
    if (buf)
        memcpy(at, text, size);
    return buf;
}

static struct rmi_buf *write_text(const uint8_t *text, size_t size) {
    char *at;
    json_t *value = json_stringn((const char *)text, size);
    const size_t n = value ? json_dumpb(value, NULL, 0, JSON_ENCODE_ANY) : 0;
    struct rmi_buf *buf = n > 0 ? frame(TEXT, n, &at) : NULL;
    if (buf && json_dumpb(value, at, n, JSON_ENCODE_ANY) != n)
        rmi_buf_unref(&buf);
    json_decref(value);
    return buf;
}

static struct rmi_buf *write_binary(const uint8_t *bytes, size_t size) {
    char *at;
    const size_t n = rmi_base64_encoded_size(size);
    struct rmi_buf *buf = frame(BINARY, n + 2, &at);
    if (!buf)
        return NULL;
    at[0] = at[n + 1] = '"';
    rmi_base64_encode(bytes, size, at + 1);
    return buf;
}

rm_err rmi_message_write(const rm_runtime_data *data, struct rmi_buf **out) {
    size_t size;
    const uint8_t *bytes = rm_runtime_data_bytes(data, &size);
    const rm_data_type type = rm_runtime_data_type(data);
    if (type != RM_DATA_JSON && type != RM_DATA_TEXT && type != RM_DATA_BINARY)
        return RM_E_UNSUPPORTED;
    if (size > RM_MESSAGE_PAYLOAD_MAX)
        return RM_E_TOO_BIG;
    *out = type == RM_DATA_JSON   ? write_json(bytes, size)
           : type == RM_DATA_TEXT ? write_text(bytes, size)
                                  : write_binary(bytes, size);
    return *out ? RM_OK : RM_E_NO_MEMORY;
}

static rm_err read_binary(const uint8_t *data, size_t len, rm_runtime_data **out) {
    rm_buf *buf = NULL;
    rm_err err = rm_buf_copy(data, len, &buf);
    if (!err)
        err = rm_runtime_data_create_binary(buf, 0, len, out);
    rm_buf_unref(&buf);
    return err;
}

static rm_err read_base64(const char *text, size_t size, rm_runtime_data **out) {
    struct rmi_buf *buf = rmi_buf_alloc(size / 4 * 3 + 1, NULL);
    if (!buf)
        return RM_E_NO_MEMORY;
    rm_err err = rmi_base64_decode(text, size, buf->data, &buf->len);
    if (!err)
        err = rm_runtime_data_create_binary(buf, 0, buf->len, out);
    rmi_buf_unref(&buf);
    return err;
}

/* RM_E_NOT_FOUND: valid JSON, but no message. */
static rm_err read_object(const json_t *object, rm_runtime_data **out) {
    const char *type = json_string_value(json_object_get(object, "type"));
    json_t *payload = json_object_get(object, "payload");
    if (!type || !payload)
        return RM_E_NOT_FOUND;
    if (!strcmp(type, "Json"))
        return rmi_runtime_data_create_json_value(payload, out);
    if (strcmp(type, "Text") && strcmp(type, "Binary"))
        return RM_E_NOT_FOUND;
    if (!json_is_string(payload))
        return RM_E_PARSE;
    const char *text = json_string_value(payload);
    const size_t size = json_string_length(payload);
    return !strcmp(type, "Text") ? rm_runtime_data_create_text(text, size, NULL, out) : read_base64(text, size, out);
}

/* The kind, and what is between head and tail; KINDS: in another spelling, or no message. */
static int split(const char *text, size_t len, const char **payload, size_t *size) {
    char head[HEAD_MAX];
    for (int kind = 0; kind < KINDS; kind++) {
        const size_t n = (size_t)snprintf(head, sizeof head, HEAD, names[kind]);
        if (len <= n || memcmp(text, head, n) != 0 || text[len - 1] != '}')
            continue;
        *payload = text + n;
        *size = len - n - 1;
        return kind;
    }
    return KINDS;
}

static rm_err read_json_payload(const char *text, size_t size, rm_runtime_data **out) {
    json_t *value = NULL;
    rm_err err = rmi_json_text_load(text, size, &value, NULL, 0);
    if (!err)
        err = rmi_runtime_data_create_json_value(value, out);
    json_decref(value);
    return err;
}

/* A string costs no more than its text: it needs none of the limits of JSON. */
static rm_err read_string_payload(const char *text, size_t size, rm_runtime_data **out) {
    json_t *value = size > 0 && text[0] == '"' ? json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;
    if (!value)
        return RM_E_PARSE;
    rm_err err = rm_runtime_data_create_text(json_string_value(value), json_string_length(value), NULL, out);
    json_decref(value);
    return err;
}

/* Without a copy of the whole message, which can be long. RM_E_PARSE: let the parser say what it is. */
static rm_err read_plain(const char *text, size_t len, rm_runtime_data **out) {
    const char *payload = NULL;
    size_t size = 0;
    switch (split(text, len, &payload, &size)) {
    case JSON:
        return read_json_payload(payload, size, out);
    case TEXT:
        return read_string_payload(payload, size, out);
    case BINARY:
        return size >= 2 && payload[0] == '"' && payload[size - 1] == '"' ? read_base64(payload + 1, size - 2, out)
                                                                          : RM_E_PARSE;
    default:
        return RM_E_PARSE;
    }
}

/* In any spelling; RM_E_NOT_FOUND: no message. */
static rm_err read_any(const char *text, size_t len, rm_runtime_data **out) {
    json_t *object = NULL;
    rm_err err = rmi_json_text_load(text, len, &object, NULL, 0);
    if (!err)
        err = read_object(object, out);
    else if (err == RM_E_PARSE)
        err = RM_E_NOT_FOUND;
    json_decref(object);
    return err;
}

rm_err rmi_message_read(bool binary, const uint8_t *data, size_t len, rm_runtime_data **out) {
    const char *text = (const char *)data;
    size_t size;
    if (binary)
        return len > RM_MESSAGE_PAYLOAD_MAX ? RM_E_TOO_BIG : read_binary(data, len, out);
    rm_err err = read_plain(text, len, out);
    if (err == RM_E_PARSE)
        err = read_any(text, len, out);
    if (err == RM_E_NOT_FOUND)
        err = rm_runtime_data_create_text(text, len, NULL, out);
    if (!err && (rm_runtime_data_bytes(*out, &size), size > RM_MESSAGE_PAYLOAD_MAX)) {
        rm_runtime_data_unref(out);
        err = RM_E_TOO_BIG;
    }
    return err;
}
