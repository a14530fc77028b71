/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/json_fields.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PLACE_MAX 64               /* a member's name and an index */
#define FLOAT_LIMIT 0x1.ffffffp127 /* from here on doubles round to infinity: FLT_MAX and half a step */

static void fail_with(struct rmi_fields *f, rm_err err, const char *member, const char *format, va_list args) {
    if (f->err)
        return;
    f->err = err;
    const int n =
        snprintf(f->detail, f->detail_size, "%s%s%s: ", f->path, member[0] && member[0] != '[' ? "." : "", member);
    if (n > 0 && (size_t)n < f->detail_size)
        (void)vsnprintf(f->detail + n, f->detail_size - (size_t)n, format, args);
}

void rmi_fields_fail(struct rmi_fields *f, const char *member, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fail_with(f, RM_E_PARSE, member, format, args);
    va_end(args);
}

static void RM_PRINTF(3, 4) no_memory(struct rmi_fields *f, const char *member, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fail_with(f, RM_E_NO_MEMORY, member, format, args);
    va_end(args);
}

/* As rmi_fields_fail, for one element of an array. */
static void fail_element(struct rmi_fields *f, const char *member, size_t index, const char *sentence) {
    char place[PLACE_MAX];
    (void)snprintf(place, sizeof place, "%s[%zu]", member, index);
    rmi_fields_fail(f, place, "%s", sentence);
}

json_t *rmi_fields_get(const struct rmi_fields *f, const char *member) {
    json_t *value = json_object_get(f->object, member);
    return json_is_null(value) ? NULL : value;
}

static const char *kind(const json_t *value) {
    if (!value)
        return "nothing";
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "a whole number";
    case JSON_REAL:
        return "a number with a fraction or exponent";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    default:
        return "null";
    }
}

static int64_t int_value(struct rmi_fields *f, const char *member, const json_t *value, int64_t low, int64_t high) {
    if (!json_is_integer(value)) {
        rmi_fields_fail(f, member, "a whole number is expected, this is %s", kind(value));
        return low;
    }
    const int64_t number = json_integer_value(value);
    if (number < low || number > high) {
        rmi_fields_fail(f, member, "%" PRId64 " is not in %" PRId64 "..%" PRId64, number, low, high);
        return low;
    }
    return number;
}

int64_t rmi_fields_int(struct rmi_fields *f, const char *member, int64_t low, int64_t high) {
    return int_value(f, member, rmi_fields_get(f, member), low, high);
}

int64_t rmi_fields_optional(struct rmi_fields *f, const char *member) {
    const json_t *value = rmi_fields_get(f, member);
    return value ? int_value(f, member, value, 0, INT64_MAX) : RM_NO_VALUE;
}

bool rmi_fields_bool(struct rmi_fields *f, const char *member) {
    const json_t *value = rmi_fields_get(f, member);
    if (!json_is_boolean(value))
        rmi_fields_fail(f, member, "true or false is expected, this is %s", kind(value));
    return json_is_true(value);
}

const char *rmi_fields_text(struct rmi_fields *f, const char *member) {
    const json_t *value = rmi_fields_get(f, member);
    if (!json_is_string(value)) {
        rmi_fields_fail(f, member, "a string is expected, this is %s", kind(value));
        return "";
    }
    if (strlen(json_string_value(value)) != json_string_length(value)) {
        rmi_fields_fail(f, member, "a NUL character inside");
        return "";
    }
    return json_string_value(value);
}

const char *rmi_fields_optional_text(struct rmi_fields *f, const char *member) {
    return rmi_fields_get(f, member) ? rmi_fields_text(f, member) : NULL;
}

static bool is_array(struct rmi_fields *f, const char *member, const json_t *value) {
    if (!json_is_array(value))
        rmi_fields_fail(f, member, "an array is expected, this is %s", kind(value));
    return !f->err;
}

static rm_buf *room(struct rmi_fields *f, const char *member, size_t size) {
    rm_buf *buf = rmi_buf_alloc(size, NULL);
    if (buf)
        buf->len = size;
    else
        no_memory(f, member, "no memory for %zu bytes", size);
    return buf;
}

rm_buf *rmi_fields_bytes_of(struct rmi_fields *f, const char *member, const json_t *array) {
    rm_buf *buf = is_array(f, member, array) ? room(f, member, json_array_size(array)) : NULL;
    for (size_t i = 0; buf && i < buf->len; i++) {
        const json_t *value = json_array_get(array, i);
        const json_int_t number = json_is_integer(value) ? json_integer_value(value) : -1;
        if (number < 0 || number > UINT8_MAX) {
            fail_element(f, member, i, "a whole number in 0..255 is expected");
            rm_buf_unref(&buf);
        } else {
            buf->data[i] = (uint8_t)number;
        }
    }
    return buf;
}

rm_buf *rmi_fields_bytes(struct rmi_fields *f, const char *member) {
    return rmi_fields_bytes_of(f, member, rmi_fields_get(f, member));
}

rm_buf *rmi_fields_floats(struct rmi_fields *f, const char *member) {
    const json_t *array = rmi_fields_get(f, member);
    rm_buf *buf = is_array(f, member, array) ? room(f, member, json_array_size(array) * sizeof(float)) : NULL;
    const size_t count = buf ? buf->len / sizeof(float) : 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(array, i);
        const double number = json_number_value(value);
        if (!json_is_number(value) || !(fabs(number) < FLOAT_LIMIT)) {
            fail_element(f, member, i, "a number that a 32-bit float can hold is expected");
            rm_buf_unref(&buf);
            return NULL;
        }
        ((float *)(void *)buf->data)[i] = (float)number;
    }
    return buf;
}

size_t rmi_fields_list(struct rmi_fields *f, const char *member, int64_t low, int64_t high,
                       int64_t values[RM_DIMS_MAX]) {
    const json_t *array = rmi_fields_get(f, member);
    if (!is_array(f, member, array))
        return 0;
    const size_t count = json_array_size(array);
    if (count > RM_DIMS_MAX) {
        rmi_fields_fail(f, member, "%zu dimensions, at most %d are possible", count, RM_DIMS_MAX);
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        char place[PLACE_MAX];
        (void)snprintf(place, sizeof place, "%s[%zu]", member, i);
        values[i] = int_value(f, place, json_array_get(array, i), low, high);
    }
    return f->err ? 0 : count;
}
