/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors and NumPy arrays. */
#include "frame/data_private.h"
#include "frame/utf8.h"
#include <string.h>

#define DTYPE_MAX 64 /* bytes of a type's name; structured types beyond are not for exchange */

/* NumPy's names, and the codes of its array interface without the byte order. */
static const struct {
    const char *name;
    const char *code;
    size_t bytes;
} dtypes[] = {
    {"float32", "f4", 4}, {"float64", "f8", 8}, {"float16", "f2", 2},   {"int8", "i1", 1},         {"int16", "i2", 2},
    {"int32", "i4", 4},   {"int64", "i8", 8},   {"uint8", "u1", 1},     {"uint16", "u2", 2},       {"uint32", "u4", 4},
    {"uint64", "u8", 8},  {"bool", "b1", 1},    {"complex64", "c8", 8}, {"complex128", "c16", 16},
};

size_t rmi_numpy_item_bytes(const char *dtype) {
    const char *code = strchr("<>|=", dtype[0]) && dtype[0] ? dtype + 1 : dtype;
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++)
        if (strcmp(dtype, dtypes[i].name) == 0 || strcmp(code, dtypes[i].code) == 0)
            return dtypes[i].bytes;
    return 0;
}

rm_err rm_runtime_data_create_tensor(rm_buf *buf, size_t offset, size_t size, const int32_t *shape, size_t dims,
                                     int32_t dtype, rm_runtime_data **out) {
    if (!buf || !out || dims > RM_DIMS_MAX || (!shape && dims > 0))
        return RM_E_INVALID_ARG;
    for (size_t i = 0; i < dims; i++)
        if (shape[i] < 0)
            return RM_E_INVALID_ARG;
    rm_runtime_data *d = NULL;
    const rm_err err = rmi_data_new(NULL, RM_DATA_TENSOR, buf, offset, size, &d);
    if (err)
        return err;
    d->extra = rmi_buf_alloc(dims * sizeof *shape, NULL);
    if (!d->extra) {
        rm_runtime_data_unref(&d);
        return RM_E_NO_MEMORY;
    }
    if (dims > 0)
        memcpy(d->extra->data, shape, dims * sizeof *shape);
    d->u.tensor = (rm_tensor){.data = buf->data + offset,
                              .size = size,
                              .shape = (const int32_t *)(const void *)d->extra->data,
                              .dims = dims,
                              .dtype = dtype};
    *out = d;
    return RM_OK;
}

/* Strides of C order; false: the product leaves 63 bits. */
static bool c_strides(const int64_t *shape, size_t dims, size_t item, int64_t *strides) {
    int64_t step = (int64_t)item;
    for (size_t i = dims; i-- > 0;) {
        strides[i] = step;
        if (shape[i] > 0 && step > INT64_MAX / shape[i])
            return false;
        step *= shape[i] > 0 ? shape[i] : 1;
    }
    return true;
}

/* Whether every element lies inside `size` bytes, so that nobody who walks the array leaves it. */
static bool elements_inside(const int64_t *shape, const int64_t *strides, size_t dims, size_t item, size_t size) {
    uint64_t last = 0;
    for (size_t i = 0; i < dims; i++) {
        if (shape[i] == 0)
            return true;
        const uint64_t steps = (uint64_t)shape[i] - 1, stride = (uint64_t)strides[i];
        if (steps > 0 && stride > ((uint64_t)size - last) / steps)
            return false;
        last += steps * stride;
    }
    return item <= size - last;
}

static bool none_negative(const int64_t *values, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (values[i] < 0)
            return false;
    return true;
}

/* Checks shape and strides against the bytes; computes the strides where they are not given. `known`: there are some.
 */
static bool layout(const int64_t *shape, size_t dims, const char *dtype, const int64_t *given, size_t size,
                   int64_t *strides, bool *known) {
    const size_t item = rmi_numpy_item_bytes(dtype);
    *known = given || item > 0;
    if (!none_negative(shape, dims))
        return false;
    if (!*known)
        return true;
    if (given && !none_negative(given, dims))
        return false;
    if (given && dims > 0)
        memcpy(strides, given, dims * sizeof *given);
    if (!given && !c_strides(shape, dims, item, strides))
        return false;
    return elements_inside(shape, strides, dims, item > 0 ? item : 1, size);
}

rm_err rm_runtime_data_create_numpy(rm_buf *buf, size_t offset, size_t size, const int64_t *shape, size_t dims,
                                    const char *dtype, const int64_t *strides, bool c_contiguous, bool f_contiguous,
                                    rm_runtime_data **out) {
    int64_t steps[RM_DIMS_MAX];
    bool known = false;
    const size_t name = dtype ? strnlen(dtype, DTYPE_MAX + 1) : 0;
    if (!buf || !out || dims > RM_DIMS_MAX || (!shape && dims > 0) || name == 0 || name > DTYPE_MAX ||
        !rmi_utf8_valid(dtype, name) || !layout(shape, dims, dtype, strides, size, steps, &known))
        return RM_E_INVALID_ARG;
    rm_runtime_data *d = NULL;
    const rm_err err = rmi_data_new(NULL, RM_DATA_NUMPY, buf, offset, size, &d);
    if (err)
        return err;
    const size_t list = dims * sizeof *shape;
    d->extra = rmi_buf_alloc(2 * list + name + 1, NULL);
    if (!d->extra) {
        rm_runtime_data_unref(&d);
        return RM_E_NO_MEMORY;
    }
    uint8_t *at = d->extra->data;
    if (dims > 0)
        memcpy(at, shape, list);
    if (dims > 0 && known)
        memcpy(at + list, steps, list);
    memcpy(at + 2 * list, dtype, name + 1);
    d->u.numpy = (rm_numpy){.data = buf->data + offset,
                            .size = size,
                            .shape = (const int64_t *)(const void *)at,
                            .dims = dims,
                            .strides = known ? (const int64_t *)(const void *)(at + list) : NULL,
                            .dtype = (const char *)(at + 2 * list),
                            .c_contiguous = c_contiguous,
                            .f_contiguous = f_contiguous};
    *out = d;
    return RM_OK;
}
