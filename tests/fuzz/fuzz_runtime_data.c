/* SPDX-License-Identifier: Apache-2.0 */
/* A text of somebody else as runtime data. What is accepted must come back the same from its own JSON, and every byte
 * that its view promises must be there. */
#include "frame/json_text.h"
#include <remotemedia/data_json.h>
#include <stdlib.h>
#include <string.h>

#define DETAIL 128

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned touch(const void *bytes, size_t size) {
    unsigned sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += ((const uint8_t *)bytes)[i];
    return sum;
}

/* Walks an array by its strides, corner by corner. */
static unsigned touch_numpy(const rm_numpy *n) {
    const uint8_t *last = n->data;
    for (size_t i = 0; i < n->dims; i++) {
        if (n->shape[i] == 0)
            return 0;
        if (n->strides)
            last += (n->shape[i] - 1) * n->strides[i];
    }
    return n->strides ? *last : 0;
}

static unsigned touch_views(const rm_runtime_data *d) {
    size_t size = 0;
    const uint8_t *bytes = rm_runtime_data_bytes(d, &size);
    unsigned sum = touch(bytes, size);
    const rm_audio *a = rm_runtime_data_audio(d);
    if (a)
        sum += touch(a->samples, a->frame_count * a->channels * sizeof(float));
    const rm_video *v = rm_runtime_data_video(d);
    for (uint32_t i = 0; v && i < v->plane_count; i++)
        sum += touch(v->planes[i], v->strides[i] * (i == 0 ? v->height : v->height / 2));
    const rm_numpy *n = rm_runtime_data_numpy(d);
    if (n)
        sum += touch_numpy(n);
    const rm_text *t = rm_runtime_data_text(d);
    if (t)
        sum += touch(t->channel, t->channel_size) + touch(t->text, t->size + 1);
    return sum;
}

static void envelope(const rm_runtime_data *d) {
    rm_runtime_data *payload = NULL, *again = NULL;
    const char *port = rm_runtime_data_aux_port(d);
    if (!port || rm_runtime_data_aux_payload(d, &payload))
        return;
    if (rm_runtime_data_create_aux(port, payload, &again))
        abort();
    if (strcmp(rm_runtime_data_aux_port(again), port) != 0)
        abort();
    rm_runtime_data_unref(&payload);
    rm_runtime_data_unref(&again);
}

static void round_trip(const rm_runtime_data *d) {
    rm_runtime_data *again = NULL, *copy = NULL;
    char *one = NULL, *two = NULL;
    size_t one_size = 0, two_size = 0;
    if (rm_runtime_data_to_json(d, &one, &one_size, NULL, 0))
        abort();
    if (rm_runtime_data_from_json(one, one_size, &again, NULL, 0) || rm_runtime_data_copy(again, &copy))
        abort();
    if (rm_runtime_data_to_json(copy, &two, &two_size, NULL, 0) || one_size != two_size ||
        memcmp(one, two, one_size) != 0)
        abort();
    if (touch_views(d) != touch_views(copy))
        abort();
    rm_json_free(&one);
    rm_json_free(&two);
    rm_runtime_data_unref(&again);
    rm_runtime_data_unref(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* A block of its own, so that the sanitizer sees each read past the end. */
    char *text = malloc(size ? size : 1);
    if (!text)
        abort();
    if (size > 0)
        memcpy(text, data, size);
    rm_runtime_data *d = NULL;
    char detail[DETAIL] = "";
    const rm_err err = rm_runtime_data_from_json(text, size, &d, detail, sizeof detail);
    if (err && (d || !detail[0]))
        abort();
    if (!err) {
        round_trip(d);
        envelope(d);
    }
    rm_runtime_data_unref(&d);
    free(text);
    return 0;
}
