/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/queue.h"

#include <stdlib.h>
#include <string.h>

rm_err rmi_queue_init(struct rmi_queue *q, size_t capacity) {
    memset(q, 0, sizeof *q);
    q->items = calloc(capacity, sizeof *q->items);
    q->dead = calloc(capacity + 1, sizeof *q->dead);
    if (!q->items || !q->dead) {
        rmi_queue_fini(q);
        return RM_E_NO_MEMORY;
    }
    q->capacity = capacity;
    return RM_OK;
}

void rmi_queue_fini(struct rmi_queue *q) {
    rmi_queue_drop_all(q);
    for (size_t i = 0; i < q->dead_count; i++)
        rm_transport_data_clear(&q->dead[i]);
    free(q->items);
    free(q->dead);
    memset(q, 0, sizeof *q);
}

static rm_transport_data *at(const struct rmi_queue *q, size_t i) {
    return &q->items[(q->head + i) % q->capacity];
}

static bool is_media(const rm_runtime_data *data) {
    rm_data_type type = rm_runtime_data_type(data);
    return type == RM_DATA_AUDIO || type == RM_DATA_VIDEO;
}

static bool is_encoded(const rm_runtime_data *data) {
    const rm_video *v = rm_runtime_data_video(data);
    return v && v->format == RM_PIXEL_ENCODED;
}

static bool is_key(const rm_runtime_data *data) {
    return rm_runtime_data_video(data)->is_keyframe;
}

static uint32_t stream_of(const rm_runtime_data *data) {
    uint32_t h = 2166136261u; /* FNV-1a */
    const char *id = rm_runtime_data_stream_id(data);
    for (; id && *id; id++)
        h = (h ^ (unsigned char)*id) * 16777619u;
    return h;
}

/* Takes the references. When several threads lose at once before one of them has released, there may be no room: then
 * it must be done here. */
static void bury(struct rmi_queue *q, rm_transport_data *item) {
    if (q->dead_count <= q->capacity)
        q->dead[q->dead_count++] = *item;
    else
        rm_transport_data_clear(item);
}

size_t rmi_queue_take_dead(struct rmi_queue *q, rm_transport_data *out, size_t max) {
    size_t n = q->dead_count < max ? q->dead_count : max;
    q->dead_count -= n;
    memcpy(out, q->dead + q->dead_count, n * sizeof *out);
    return n;
}

static void remove_at(struct rmi_queue *q, size_t i) {
    bury(q, at(q, i));
    for (; i + 1 < q->count; i++)
        *at(q, i) = *at(q, i + 1);
    memset(at(q, q->count - 1), 0, sizeof *q->items);
    q->count--;
    q->lost++;
}

static bool is_skipping(const struct rmi_queue *q, uint32_t stream) {
    for (size_t i = 0; i < q->skip_count; i++)
        if (q->skipping[i] == stream)
            return true;
    return false;
}

static void set_skipping(struct rmi_queue *q, uint32_t stream, bool skip) {
    size_t i = 0;
    while (i < q->skip_count && q->skipping[i] != stream)
        i++;
    if (!skip && i < q->skip_count)
        q->skipping[i] = q->skipping[--q->skip_count];
    if (!skip || i < q->skip_count)
        return;
    if (q->skip_count == RMI_QUEUE_STREAMS_MAX) { /* forget the oldest: at worst its decoder asks for a key frame */
        memmove(q->skipping, q->skipping + 1, sizeof q->skipping - sizeof q->skipping[0]);
        q->skip_count--;
    }
    q->skipping[q->skip_count++] = stream;
}

/* Loses the frames of an encoded stream from the `first` of the queue on, up to its next key frame there. */
static void lose_encoded(struct rmi_queue *q, size_t first) {
    uint32_t stream = stream_of(at(q, first)->data);
    remove_at(q, first);
    for (size_t i = first; i < q->count;) {
        const rm_runtime_data *data = at(q, i)->data;
        if (!is_encoded(data) || stream_of(data) != stream) {
            i++;
            continue;
        }
        if (is_key(data))
            return;
        remove_at(q, i);
    }
    set_skipping(q, stream, true);
}

static size_t oldest_media(const struct rmi_queue *q) {
    size_t i = 0;
    while (i < q->count && !is_media(at(q, i)->data))
        i++;
    return i;
}

bool rmi_queue_refuses(const struct rmi_queue *q, const rm_runtime_data *data) {
    return q->count == q->capacity && !is_media(data) && oldest_media(q) == q->count;
}

rm_err rmi_queue_push(struct rmi_queue *q, const rm_transport_data *item) {
    if (q->count == q->capacity) {
        size_t victim = oldest_media(q);
        if (victim < q->count) {
            if (is_encoded(at(q, victim)->data))
                lose_encoded(q, victim);
            else
                remove_at(q, victim);
        } else if (!is_media(item->data)) {
            return RM_E_AGAIN;
        }
    }
    if (is_encoded(item->data)) {
        uint32_t stream = stream_of(item->data);
        if (is_key(item->data) && q->count < q->capacity)
            set_skipping(q, stream, false);
        else if (q->count == q->capacity)
            set_skipping(q, stream, true);
        if (is_skipping(q, stream)) {
            q->lost++;
            return RM_OK;
        }
    }
    if (q->count == q->capacity) { /* media before a queue full of data */
        q->lost++;
        return RM_OK;
    }
    rm_transport_data_copy(item, at(q, q->count));
    q->count++;
    return RM_OK;
}

bool rmi_queue_pop(struct rmi_queue *q, rm_transport_data *out) {
    if (q->count == 0)
        return false;
    *out = *at(q, 0);
    memset(at(q, 0), 0, sizeof *q->items);
    q->head = (q->head + 1) % q->capacity;
    q->count--;
    return true;
}

size_t rmi_queue_drop_audio(struct rmi_queue *q) {
    size_t kept = 0, count = q->count;
    for (size_t i = 0; i < count; i++) {
        rm_transport_data item = *at(q, i);
        memset(at(q, i), 0, sizeof *q->items);
        if (rm_runtime_data_type(item.data) == RM_DATA_AUDIO)
            bury(q, &item);
        else
            *at(q, kept++) = item;
    }
    q->count = kept;
    return count - kept;
}

void rmi_queue_drop_all(struct rmi_queue *q) {
    rm_transport_data item;
    while (rmi_queue_pop(q, &item))
        bury(q, &item);
}
