/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SESSION_STREAM_CHOICE_H
#define RMI_SESSION_STREAM_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

/* Which of several streams of a kind a peer is sent, where it can be sent only one: that of the highest priority, of
 * equals the one that was first, as long as it is not silent. One for each peer and kind; all zero to begin with. */
struct rmi_stream_choice {
    uint64_t stream; /* its number; 0: none */
    uint32_t priority;
    int64_t heard_us; /* its last item */
};

/* A stream that brought nothing for so long gives its place to the next: longer than pictures of a slow source lie
 * apart, shorter than a listener's patience. */
#define RMI_STREAM_SILENT_US 1000000

/* An item of `stream` (not 0) is there. True: it is the one, or has become it. */
bool rmi_stream_choose(struct rmi_stream_choice *c, uint64_t stream, uint32_t priority, int64_t now_us);
/* It is not sent any more. True: it was the one. */
bool rmi_stream_unchoose(struct rmi_stream_choice *c, uint64_t stream);

#endif
