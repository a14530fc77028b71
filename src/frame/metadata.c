/* SPDX-License-Identifier: Apache-2.0 */
#include <remotemedia/transport_data.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    char *value;
    char key[]; /* `value` follows the key in the same allocation */
};

struct rm_metadata {
    atomic_uint refs;
    size_t count;
    struct entry *entries[RM_METADATA_ENTRIES_MAX]; /* in order of the keys */
};

rm_err rm_metadata_create(rm_metadata **out) {
    rm_metadata *m = out ? calloc(1, sizeof *m) : NULL;
    if (!m)
        return out ? RM_E_NO_MEMORY : RM_E_INVALID_ARG;
    atomic_init(&m->refs, 1);
    *out = m;
    return RM_OK;
}

rm_metadata *rm_metadata_ref(rm_metadata *metadata) {
    if (metadata)
        atomic_fetch_add_explicit(&metadata->refs, 1, memory_order_relaxed);
    return metadata;
}

void rm_metadata_unref(rm_metadata **metadata) {
    if (!metadata || !*metadata)
        return;
    rm_metadata *m = *metadata;
    *metadata = NULL;
    if (atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < m->count; i++)
        free(m->entries[i]);
    free(m);
}

/* Where the key is, or would be. */
static size_t position(const rm_metadata *m, const char *key, bool *found) {
    size_t i = 0;
    int order = 1;
    while (i < m->count && (order = strcmp(m->entries[i]->key, key)) < 0)
        i++;
    *found = i < m->count && order == 0;
    return i;
}

static struct entry *make_entry(const char *key, size_t key_size, const char *value, size_t value_size) {
    struct entry *e = malloc(sizeof *e + key_size + 1 + value_size + 1);
    if (!e)
        return NULL;
    e->value = e->key + key_size + 1;
    memcpy(e->key, key, key_size + 1);
    memcpy(e->value, value, value_size + 1);
    return e;
}

rm_err rm_metadata_set(rm_metadata *metadata, const char *key, const char *value) {
    if (!metadata || !key || !value || !key[0])
        return RM_E_INVALID_ARG;
    const size_t key_size = strnlen(key, RM_METADATA_KEY_MAX + 1);
    const size_t value_size = strnlen(value, RM_METADATA_VALUE_MAX + 1);
    if (key_size > RM_METADATA_KEY_MAX || value_size > RM_METADATA_VALUE_MAX)
        return RM_E_TOO_BIG;
    if (atomic_load_explicit(&metadata->refs, memory_order_acquire) != 1)
        return RM_E_STATE;
    bool found = false;
    const size_t at = position(metadata, key, &found);
    if (!found && metadata->count == RM_METADATA_ENTRIES_MAX)
        return RM_E_LIMIT;
    struct entry *e = make_entry(key, key_size, value, value_size);
    if (!e)
        return RM_E_NO_MEMORY;
    if (found) {
        free(metadata->entries[at]);
    } else {
        memmove(&metadata->entries[at + 1], &metadata->entries[at], (metadata->count - at) * sizeof(struct entry *));
        metadata->count++;
    }
    metadata->entries[at] = e;
    return RM_OK;
}

const char *rm_metadata_get(const rm_metadata *metadata, const char *key) {
    if (!metadata || !key)
        return NULL;
    bool found = false;
    const size_t at = position(metadata, key, &found);
    return found ? metadata->entries[at]->value : NULL;
}

size_t rm_metadata_count(const rm_metadata *metadata) {
    return metadata ? metadata->count : 0;
}

rm_err rm_metadata_at(const rm_metadata *metadata, size_t index, const char **key, const char **value) {
    if (index >= rm_metadata_count(metadata))
        return RM_E_NOT_FOUND;
    *key = metadata->entries[index]->key;
    *value = metadata->entries[index]->value;
    return RM_OK;
}

void rm_transport_data_copy(const rm_transport_data *in, rm_transport_data *out) {
    *out = *in;
    rm_runtime_data_ref(out->data);
    rm_metadata_ref(out->metadata);
}

void rm_transport_data_clear(rm_transport_data *data) {
    if (!data)
        return;
    rm_runtime_data_unref(&data->data);
    rm_metadata_unref(&data->metadata);
    *data = (rm_transport_data){0};
}

void rm_transport_data_answer(const rm_transport_data *in, rm_runtime_data *data, rm_transport_data *out) {
    *out = (rm_transport_data){
        .data = rm_runtime_data_ref(data),
        .metadata = rm_metadata_ref(in->metadata),
        .sequence = in->sequence,
        .has_sequence = in->has_sequence,
    };
}
