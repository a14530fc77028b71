/* SPDX-License-Identifier: Apache-2.0 */
#include "session/stream_choice.h"

bool rmi_stream_choose(struct rmi_stream_choice *c, uint64_t stream, uint32_t priority, int64_t now_us) {
    const bool free = c->stream == 0 || now_us - c->heard_us >= RMI_STREAM_SILENT_US;
    if (c->stream != stream && !free && priority <= c->priority)
        return false;
    *c = (struct rmi_stream_choice){.stream = stream, .priority = priority, .heard_us = now_us};
    return true;
}

bool rmi_stream_unchoose(struct rmi_stream_choice *c, uint64_t stream) {
    if (c->stream != stream)
        return false;
    *c = (struct rmi_stream_choice){0};
    return true;
}
