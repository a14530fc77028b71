/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <remotemedia/data.h>
#include <string.h>

rm_err rm_buf_create(size_t size, rm_buf **out) {
    if (!out)
        return RM_E_INVALID_ARG;
    struct rmi_buf *buf = rmi_buf_alloc(size, NULL);
    if (!buf)
        return RM_E_NO_MEMORY;
    memset(buf->data, 0, size);
    buf->len = size;
    *out = buf;
    return RM_OK;
}

rm_err rm_buf_copy(const void *data, size_t size, rm_buf **out) {
    if (!out || (!data && size > 0))
        return RM_E_INVALID_ARG;
    struct rmi_buf *buf = rmi_buf_alloc(size, NULL);
    if (!buf)
        return RM_E_NO_MEMORY;
    if (size > 0)
        memcpy(buf->data, data, size);
    buf->len = size;
    *out = buf;
    return RM_OK;
}

rm_err rm_buf_wrap(void *data, size_t size, rm_buf_free_fn free_fn, void *user, rm_buf **out) {
    if (!out || (!data && size > 0))
        return RM_E_INVALID_ARG;
    struct rmi_buf *buf = rmi_buf_wrap(data, size, free_fn, user);
    if (!buf)
        return RM_E_NO_MEMORY;
    *out = buf;
    return RM_OK;
}

rm_buf *rm_buf_ref(rm_buf *buf) {
    return buf ? rmi_buf_ref(buf) : NULL;
}

void rm_buf_unref(rm_buf **buf) {
    rmi_buf_unref(buf);
}

const uint8_t *rm_buf_data(const rm_buf *buf) {
    return buf ? buf->data : NULL;
}

size_t rm_buf_size(const rm_buf *buf) {
    return buf ? buf->len : 0;
}

uint8_t *rm_buf_write(rm_buf *buf) {
    return buf && rmi_buf_is_single(buf) ? buf->data : NULL;
}
