/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/pb_span.h"

#include "base/cursor.h"
#include "frame/data_buffer.pb.h"
#include "frame/utf8.h"
#include <stdlib.h>
#include <string.h>

static bool read_bytes(pb_istream_t *stream, pb_byte_t *out, size_t count) {
    const uint8_t *bytes = rmi_rd_bytes(stream->state, count);
    if (bytes && out)
        memcpy(out, bytes, count);
    return bytes != NULL;
}

/* What is left of `in` as one span. A field that is a number instead comes in a stream of nanopb's own, which is gone
 * after the call, and is refused. */
static bool take_span(pb_istream_t *in, struct rmi_pb_span *out) {
    if (in->callback != read_bytes)
        return false;
    const size_t len = in->bytes_left;
    const uint8_t *bytes = rmi_rd_bytes(in->state, len);
    if (!bytes)
        return false;
    *out = (struct rmi_pb_span){.data = bytes, .len = len};
    in->bytes_left = 0;
    return true;
}

static bool put_span(pb_ostream_t *out, const pb_field_iter_t *field, const struct rmi_pb_span *span) {
    return !span->data || (pb_encode_tag_for_field(out, field) && pb_encode_string(out, span->data, span->len));
}

bool rmi_pb_span_field(pb_istream_t *in, pb_ostream_t *out, const pb_field_iter_t *field) {
    return in ? take_span(in, field->pData) : put_span(out, field, field->pData);
}

/* ---- metadata ---- */

static bool span_is(struct rmi_pb_span span, const char *text) {
    return span.len == strlen(text) && memcmp(span.data, text, span.len) == 0;
}

static bool no_text(struct rmi_pb_span span) {
    return span.len > 0 && (memchr(span.data, '\0', span.len) || !rmi_utf8_valid((const char *)span.data, span.len));
}

static rm_err set_pair(rm_metadata **values, const struct rmi_pb_pair *pair) {
    if (no_text(pair->key) || no_text(pair->value) || pair->key.len == 0)
        return RM_E_PARSE;
    if (pair->key.len > RM_METADATA_KEY_MAX || pair->value.len > RM_METADATA_VALUE_MAX)
        return RM_E_TOO_BIG;
    rm_err err = *values ? RM_OK : rm_metadata_create(values);
    char *texts = err ? NULL : calloc(1, pair->key.len + pair->value.len + 2);
    if (!texts)
        return RM_E_NO_MEMORY;
    char *value = texts + pair->key.len + 1;
    memcpy(texts, pair->key.data, pair->key.len);
    if (pair->value.len > 0)
        memcpy(value, pair->value.data, pair->value.len);
    err = rm_metadata_set(*values, texts, value);
    free(texts);
    return err == RM_E_LIMIT ? RM_E_TOO_BIG : err;
}

static rm_err keep_pair(struct rmi_pb_metadata *m, const struct rmi_pb_pair *pair) {
    for (size_t i = 0; m->names && m->names[i]; i++)
        if (span_is(pair->key, m->names[i])) {
            m->extras[i] = *pair;
            return RM_OK;
        }
    return set_pair(&m->values, pair);
}

static bool read_pair(pb_istream_t *in, struct rmi_pb_metadata *m) {
    rmi_pb_DataBuffer_MetadataEntry entry;
    memset(&entry, 0, sizeof entry);
    if (!pb_decode(in, rmi_pb_DataBuffer_MetadataEntry_fields, &entry))
        return false;
    m->err = keep_pair(m, &(struct rmi_pb_pair){.key = entry.key, .value = entry.value});
    return m->err == RM_OK;
}

static bool write_pair(pb_ostream_t *out, const pb_field_iter_t *field, struct rmi_pb_span key,
                       struct rmi_pb_span value) {
    rmi_pb_DataBuffer_MetadataEntry entry;
    memset(&entry, 0, sizeof entry);
    entry.key = key;
    entry.value = value;
    return pb_encode_tag_for_field(out, field) &&
           pb_encode_submessage(out, rmi_pb_DataBuffer_MetadataEntry_fields, &entry);
}

static bool write_pairs(pb_ostream_t *out, const pb_field_iter_t *field, const struct rmi_pb_metadata *m) {
    const char *key, *value;
    bool ok = true;
    for (size_t i = 0; ok && !rm_metadata_at(m->values, i, &key, &value); i++)
        ok = write_pair(out, field, rmi_pb_text(key), rmi_pb_text(value));
    for (size_t i = 0; ok && i < RMI_PB_EXTRAS_MAX; i++)
        if (m->extras[i].key.data) /* behind the others: of two with one name the last counts */
            ok = write_pair(out, field, m->extras[i].key, m->extras[i].value);
    return ok;
}

bool rmi_pb_metadata_field(pb_istream_t *in, pb_ostream_t *out, const pb_field_iter_t *field) {
    return in ? read_pair(in, field->pData) : write_pairs(out, field, field->pData);
}

/* ---- messages ---- */

rm_err rmi_pb_read(const uint8_t *bytes, size_t len, const pb_msgdesc_t *type, void *message) {
    struct rmi_rd r = rmi_rd_init(bytes, len);
    pb_istream_t stream = {.callback = read_bytes, .state = &r, .bytes_left = len};
    return pb_decode(&stream, type, message) ? RM_OK : RM_E_PARSE;
}

rm_err rmi_pb_write(const pb_msgdesc_t *type, const void *message, struct rmi_buf **out) {
    size_t size = 0;
    if (!pb_get_encoded_size(&size, type, message))
        return RM_E_INTERNAL;
    struct rmi_buf *buf = rmi_buf_alloc(size, NULL);
    if (!buf)
        return RM_E_NO_MEMORY;
    pb_ostream_t stream = pb_ostream_from_buffer(buf->data, size);
    if (!pb_encode(&stream, type, message)) {
        rmi_buf_unref(&buf);
        return RM_E_INTERNAL;
    }
    buf->len = stream.bytes_written;
    *out = buf;
    return RM_OK;
}

struct rmi_pb_span rmi_pb_text(const char *text) {
    if (!text || !text[0])
        return (struct rmi_pb_span){0};
    return (struct rmi_pb_span){.data = (const uint8_t *)text, .len = strlen(text)};
}

bool rmi_pb_copy_text(struct rmi_pb_span span, char *out, size_t size) {
    if (span.len >= size || no_text(span))
        return false;
    if (span.len > 0)
        memcpy(out, span.data, span.len);
    out[span.len] = '\0';
    return true;
}
