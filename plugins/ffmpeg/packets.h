/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMF_PACKETS_H
#define RMF_PACKETS_H

#include <libavcodec/packet.h>
#include <stddef.h>

/* Encoded packets that wait, first come, first served. */
struct rmf_packets {
    struct rmf_packet_link *first, **last;
    size_t bytes;
};

void rmf_packets_init(struct rmf_packets *packets);
/* Takes what is in `packet`, also when it fails: 0 or AVERROR(ENOMEM). */
int rmf_packets_push(struct rmf_packets *packets, AVPacket *packet);
/* The caller's to free; NULL: none. */
AVPacket *rmf_packets_pop(struct rmf_packets *packets);
void rmf_packets_clear(struct rmf_packets *packets);

#endif
