/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of files on data channels (tools/rmrtc/file_wire.h): the first byte chooses which. A header that is taken names
 * a file inside the directory, and can be written and read again. */
#include "file_wire.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void header(const uint8_t *data, size_t size) {
    struct file_header h, again;
    if (file_header_read(data, size, &h))
        return;
    char *text = file_header_write(&h);
    if (!file_name_is_safe(h.name) || strchr(h.name, '/') || h.name[0] == '.')
        abort();
    if (text && (file_header_read((uint8_t *)text, strlen(text), &again) || strcmp(again.name, h.name) != 0 ||
                 again.size != h.size || strcmp(again.mime_type, h.mime_type) != 0))
        abort();
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char hash[FILE_HASH_CHARS + 1], detail[64];
    bool ok;
    if (size == 0)
        return 0;
    if (data[0] % 3 == 0)
        header(data + 1, size - 1);
    else if (data[0] % 3 == 1)
        (void)file_end_read(data + 1, size - 1, hash);
    else
        (void)file_answer_read(data + 1, size - 1, &ok, detail, sizeof detail);
    return 0;
}
