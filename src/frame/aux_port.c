/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/base64.h"
#include "frame/data_private.h"
#include "frame/json_text.h"
#include "frame/utf8.h"
#include <string.h>

#define PORT_KEY "__aux_port__"
#define PAYLOAD_KEY "payload"
#define TEXT_KEY "text"
#define BINARY_KEY "binary_b64"
#define PORT_MAX 64 /* bytes */

/* A new reference; NULL: no memory. */
static json_t *payload_value(const rm_runtime_data *d) {
    if (d->type == RM_DATA_JSON)
        return json_incref(d->value);
    if (d->type == RM_DATA_TEXT)
        return json_pack("{s:o}", TEXT_KEY, json_stringn_nocheck(d->u.text.raw, d->u.text.raw_size));
    return json_pack("{s:o}", BINARY_KEY, rmi_json_base64(d->buf->data + d->offset, d->size));
}

rm_err rm_runtime_data_create_aux(const char *port, const rm_runtime_data *payload, rm_runtime_data **out) {
    const size_t size = port ? strnlen(port, PORT_MAX + 1) : 0;
    if (size == 0 || size > PORT_MAX || !rmi_utf8_valid(port, size) || !payload || !out)
        return RM_E_INVALID_ARG;
    if (payload->type != RM_DATA_JSON && payload->type != RM_DATA_TEXT && payload->type != RM_DATA_BINARY)
        return RM_E_UNSUPPORTED;
    json_t *inner = payload_value(payload);
    json_t *envelope = inner ? json_pack("{s:s,s:O}", PORT_KEY, port, PAYLOAD_KEY, inner) : NULL;
    const rm_err err = envelope ? rmi_runtime_data_create_json_value(envelope, out) : RM_E_NO_MEMORY;
    json_decref(envelope);
    json_decref(inner);
    return err;
}

const char *rm_runtime_data_aux_port(const rm_runtime_data *data) {
    const json_t *port = json_object_get(data->value, PORT_KEY);
    const size_t size = json_string_length(port);
    if (size == 0 || size > PORT_MAX || !json_object_get(data->value, PAYLOAD_KEY))
        return NULL;
    const char *name = json_string_value(port);
    return strlen(name) == size ? name : NULL;
}

static rm_err decode_binary(const json_t *text, rm_runtime_data **out) {
    const size_t size = json_string_length(text);
    rm_buf *buf = NULL;
    rm_err err = rm_buf_create(rmi_base64_encoded_size(size), &buf); /* more than needed */
    if (err)
        return err;
    size_t bytes = 0;
    err = rmi_base64_decode(json_string_value(text), size, buf->data, &bytes);
    if (!err)
        err = rm_runtime_data_create_binary(buf, 0, bytes, out);
    rm_buf_unref(&buf);
    return err;
}

rm_err rm_runtime_data_aux_payload(const rm_runtime_data *data, rm_runtime_data **out) {
    if (!data || !out || !rm_runtime_data_aux_port(data))
        return RM_E_INVALID_ARG;
    json_t *payload = json_object_get(data->value, PAYLOAD_KEY);
    /* An object of just one of these members is the mark of text and bytes; any other value is JSON itself. */
    const bool single = json_object_size(payload) == 1;
    const json_t *text = json_object_get(payload, TEXT_KEY);
    const json_t *binary = json_object_get(payload, BINARY_KEY);
    if (single && json_is_string(text))
        return rm_runtime_data_create_text(json_string_value(text), json_string_length(text), NULL, out);
    if (single && json_is_string(binary))
        return decode_binary(binary, out);
    return rmi_runtime_data_create_json_value(payload, out);
}
