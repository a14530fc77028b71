/* SPDX-License-Identifier: Apache-2.0 */
#include "file_wire.h"

#include "frame/utf8.h"
#include <stdio.h>
#include <string.h>

static char *dump(json_t *object) {
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    return text;
}

char *file_header_write(const struct file_header *h) {
    return dump(json_pack("{s:s, s:I, s:s}", "name", h->name, "size", (json_int_t)h->size, "mime_type", h->mime_type));
}

char *file_end_write(const char *hash) {
    return dump(json_pack("{s:s}", "sha256", hash));
}

char *file_answer_write(rm_err err, const char *detail) {
    return dump(err ? json_pack("{s:b, s:s, s:s}", "ok", 0, "error", rm_err_name(err), "detail",
                                detail && detail[0] ? detail : rm_strerror(err))
                    : json_pack("{s:b}", "ok", 1));
}

bool file_name_is_safe(const char *name) {
    const size_t size = strlen(name);
    if (size == 0 || size > FILE_NAME_MAX || name[0] == '.' || !rmi_utf8_valid(name, size))
        return false;
    for (const char *c = name; *c; c++)
        if (*c == '/' || *c == '\\' || (unsigned char)*c < ' ' || *c == 0x7f)
            return false;
    return true;
}

/* NULL: no object. The texts are short: no limit of depth is needed beyond the parser's own. */
static json_t *load(const uint8_t *text, size_t size) {
    json_t *object = size <= FILE_TEXT_MAX ? json_loadb((const char *)text, size, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (object && !json_is_object(object)) {
        json_decref(object);
        object = NULL;
    }
    return object;
}

static const char *string_of(const json_t *object, const char *key, size_t max) {
    const json_t *value = json_object_get(object, key);
    return json_is_string(value) && json_string_length(value) <= max ? json_string_value(value) : NULL;
}

rm_err file_header_read(const uint8_t *text, size_t size, struct file_header *out) {
    json_t *object = load(text, size);
    const char *name = string_of(object, "name", FILE_TEXT_MAX);
    const char *mime = string_of(object, "mime_type", sizeof out->mime_type - 1);
    const json_t *bytes = json_object_get(object, "size");
    rm_err err = name && json_is_integer(bytes) && json_integer_value(bytes) >= 0 ? RM_OK : RM_E_PARSE;
    if (!err && !file_name_is_safe(name))
        err = RM_E_INVALID_ARG;
    if (!err) {
        *out = (struct file_header){.size = (uint64_t)json_integer_value(bytes)};
        snprintf(out->name, sizeof out->name, "%s", name);
        snprintf(out->mime_type, sizeof out->mime_type, "%s", mime ? mime : "");
    }
    json_decref(object);
    return err;
}

rm_err file_end_read(const uint8_t *text, size_t size, char hash[FILE_HASH_CHARS + 1]) {
    json_t *object = load(text, size);
    const char *value = string_of(object, "sha256", FILE_HASH_CHARS);
    const bool ok = value && strlen(value) == FILE_HASH_CHARS;
    if (ok)
        memcpy(hash, value, FILE_HASH_CHARS + 1);
    json_decref(object);
    return ok ? RM_OK : RM_E_PARSE;
}

rm_err file_answer_read(const uint8_t *text, size_t size, bool *ok, char *detail, size_t detail_size) {
    json_t *object = load(text, size);
    const json_t *value = json_object_get(object, "ok");
    const rm_err err = json_is_boolean(value) ? RM_OK : RM_E_PARSE;
    const char *name = string_of(object, "error", FILE_TEXT_MAX), *why = string_of(object, "detail", FILE_TEXT_MAX);
    *ok = json_is_true(value);
    snprintf(detail, detail_size, "%s: %s", name ? name : "RM_E_UNKNOWN", why ? why : "");
    json_decref(object);
    return err;
}
