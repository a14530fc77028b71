/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RTP_PAYLOAD_SPLIT_H
#define RMI_RTP_PAYLOAD_SPLIT_H

#include <stddef.h>

/* How much of `left` bytes goes into this packet, so that those of a frame are about equal: a short last packet wastes
 * a header. `room` in this packet, `room_later` in each following one, both above 0. */
static inline size_t rmi_split_size(size_t left, size_t room, size_t room_later) {
    if (left <= room)
        return left;
    size_t packets = 1 + (left - room + room_later - 1) / room_later;
    size_t n = (left + packets - 1) / packets;
    return n < room ? n : room;
}

#endif
