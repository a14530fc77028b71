/* SPDX-License-Identifier: Apache-2.0 */
#include "webrtc/message.h"

#include "frame/base64.h"
#include "frame/json_text.h"
#include <stdlib.h>
#include <string.h>

static json_t *payload_of(const rm_runtime_data *data) {
    size_t size;
    const uint8_t *bytes = rm_runtime_data_bytes(data, &size);
    const rm_text *text = rm_runtime_data_text(data);
    if (rm_runtime_data_type(data) == RM_DATA_JSON)
        return json_incref((json_t *)(uintptr_t)rmi_runtime_data_json_value(data)); /* only written out */
    if (text)
        return json_stringn(text->raw, text->raw_size);
    size_t encoded = rmi_base64_encoded_size(size);
    char *base64 = malloc(encoded + 1);
    if (!base64)
        return NULL;
    rmi_base64_encode(bytes, size, base64);
    json_t *value = json_stringn(base64, encoded);
    free(base64);
    return value;
}

rm_err rmi_message_write(const rm_runtime_data *data, struct rmi_buf **out) {
    const rm_data_type type = rm_runtime_data_type(data);
    const char *name = type == RM_DATA_JSON     ? "Json"
                       : type == RM_DATA_TEXT   ? "Text"
                       : type == RM_DATA_BINARY ? "Binary"
                                                : NULL;
    if (!name)
        return RM_E_UNSUPPORTED;
    json_t *message = json_pack("{s:s, s:o}", "type", name, "payload", payload_of(data));
    rm_err err = message ? rmi_json_text_dump(message, out) : RM_E_NO_MEMORY;
    json_decref(message);
    return err;
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
    uint8_t *bytes = malloc(size / 4 * 3 + 1);
    size_t n = 0;
    rm_err err = bytes ? rmi_base64_decode(text, size, bytes, &n) : RM_E_NO_MEMORY;
    if (!err)
        err = read_binary(bytes, n, out);
    free(bytes);
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

rm_err rmi_message_read(bool binary, const uint8_t *data, size_t len, rm_runtime_data **out) {
    json_t *object = NULL;
    rm_err err = binary ? RM_E_NOT_FOUND : rmi_json_text_load((const char *)data, len, &object, NULL, 0);
    if (!err)
        err = read_object(object, out);
    else if (err == RM_E_PARSE)
        err = RM_E_NOT_FOUND;
    json_decref(object);
    if (err != RM_E_NOT_FOUND)
        return err;
    if (binary)
        return read_binary(data, len, out);
    return rm_runtime_data_create_text((const char *)data, len, NULL, out);
}
