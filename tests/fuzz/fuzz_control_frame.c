/* SPDX-License-Identifier: Apache-2.0 */
/* Control frames and events; the first byte says which. What is read can be written, and that is read again. */
#include "frame/control_frame.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void frame(const uint8_t *data, size_t size) {
    struct rmi_control_frame f, g;
    struct rmi_buf *buf = NULL;
    if (rmi_control_frame_read(data, size, &f))
        return;
    if (rmi_control_frame_write(&f, &buf) || rmi_control_frame_read(buf->data, buf->len, &g) || f.op != g.op)
        abort();
    rmi_buf_unref(&buf);
    rmi_control_frame_clear(&f);
    rmi_control_frame_clear(&g);
}

static void event(const uint8_t *data, size_t size) {
    struct rmi_control_event e, f;
    struct rmi_buf *buf = NULL;
    if (rmi_control_event_read(data, size, &e))
        return;
    if (rmi_control_event_write(&e, &buf) || rmi_control_event_read(buf->data, buf->len, &f) || e.kind != f.kind)
        abort();
    rmi_buf_unref(&buf);
    rmi_control_event_clear(&e);
    rmi_control_event_clear(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 0 && data[0] & 1)
        event(data + 1, size - 1);
    else if (size > 0)
        frame(data + 1, size - 1);
    return 0;
}
