/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REMOTEMEDIA_TRANSPORT_DATA_H
#define REMOTEMEDIA_TRANSPORT_DATA_H

#include <remotemedia/data.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Names and texts that travel with data: an immutable list once shared, in order of the names. Reference-counted: ref
 * and unref on any thread, changes by the holder of the only reference. */
typedef struct rm_metadata rm_metadata;

#define RM_METADATA_ENTRIES_MAX 64
#define RM_METADATA_KEY_MAX 256     /* bytes */
#define RM_METADATA_VALUE_MAX 65536 /* bytes */

RM_API rm_err rm_metadata_create(rm_metadata **out);
RM_API rm_metadata *rm_metadata_ref(rm_metadata *metadata); /* returns metadata; NULL is harmless */
RM_API void rm_metadata_unref(rm_metadata **metadata);      /* nulls; NULL and a null pointer are harmless */
/* Adds or replaces; both are copied. RM_E_STATE: shared; RM_E_LIMIT: too many; RM_E_TOO_BIG: too long;
 * RM_E_INVALID_ARG: NULL, an empty key; RM_E_NO_MEMORY. */
RM_API rm_err rm_metadata_set(rm_metadata *metadata, const char *key, const char *value);
/* NULL: no such key. `metadata` may be NULL here and below, and is empty then. */
RM_API const char *rm_metadata_get(const rm_metadata *metadata, const char *key);
RM_API size_t rm_metadata_count(const rm_metadata *metadata);
/* RM_E_NOT_FOUND: index is not below the count. */
RM_API rm_err rm_metadata_at(const rm_metadata *metadata, size_t index, const char **key, const char **value);

/* What enters and leaves a pipeline. A plain value that owns a reference to each of its parts: copy it with
 * rm_transport_data_copy, end it with rm_transport_data_clear. All zero is empty. */
typedef struct rm_transport_data {
    rm_runtime_data *data;
    rm_metadata *metadata; /* NULL: none */
    uint64_t sequence;
    bool has_sequence;
} rm_transport_data;

/* More references to the same parts. `out` is overwritten, not cleared first. */
RM_API void rm_transport_data_copy(const rm_transport_data *in, rm_transport_data *out);
/* Drops the references and empties it. NULL is harmless. */
RM_API void rm_transport_data_clear(rm_transport_data *data);
/* The answer to `in`: other data with the same sequence and metadata. Takes a reference of its own to `data`; `out` is
 * overwritten. */
RM_API void rm_transport_data_answer(const rm_transport_data *in, rm_runtime_data *data, rm_transport_data *out);

#ifdef __cplusplus
}
#endif

#endif
