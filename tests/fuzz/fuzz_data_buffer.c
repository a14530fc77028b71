/* SPDX-License-Identifier: Apache-2.0 */
/* The DataBuffer message: what is read can be written and read again, and is the same then. */
#include "frame/data_buffer.h"
#include <remotemedia/data_json.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As text, for comparing; NULL where it cannot be said in JSON. */
static char *text_of(const rm_runtime_data *d) {
    char *text = NULL;
    size_t size = 0;
    return rm_runtime_data_to_json(d, &text, &size, NULL, 0) ? NULL : text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rm_runtime_data *d = NULL, *again = NULL;
    rm_metadata *metadata = NULL, *metadata_again = NULL;
    struct rmi_buf *buf = NULL;
    if (rmi_data_buffer_read(data, size, &d, &metadata))
        return 0;
    if (rmi_data_buffer_write(d, metadata, &buf) ||
        rmi_data_buffer_read(buf->data, buf->len, &again, &metadata_again) ||
        rm_metadata_count(metadata) != rm_metadata_count(metadata_again))
        abort();
    char *a = text_of(d), *b = text_of(again);
    if ((a == NULL) != (b == NULL) || (a && strcmp(a, b) != 0))
        abort();
    rm_json_free(&a);
    rm_json_free(&b);
    rmi_buf_unref(&buf);
    rm_metadata_unref(&metadata);
    rm_metadata_unref(&metadata_again);
    rm_runtime_data_unref(&d);
    rm_runtime_data_unref(&again);
    return 0;
}
