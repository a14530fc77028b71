/* SPDX-License-Identifier: Apache-2.0 */
#include "packets.h"

#include <errno.h>
#include <libavutil/error.h>
#include <stdlib.h>

struct rmf_packet_link {
    struct rmf_packet_link *next;
    AVPacket *packet;
};

void rmf_packets_init(struct rmf_packets *packets) {
    *packets = (struct rmf_packets){.last = &packets->first};
}

AVPacket *rmf_packets_pop(struct rmf_packets *packets) {
    struct rmf_packet_link *link = packets->first;
    if (!link)
        return NULL;
    AVPacket *packet = link->packet;
    packets->first = link->next;
    if (!packets->first)
        packets->last = &packets->first;
    packets->bytes -= (size_t)packet->size;
    free(link);
    return packet;
}

int rmf_packets_push(struct rmf_packets *packets, AVPacket *packet) {
    struct rmf_packet_link *link = calloc(1, sizeof *link);
    AVPacket *copy = link ? av_packet_alloc() : NULL;
    if (!copy) {
        free(link);
        av_packet_unref(packet);
        return AVERROR(ENOMEM);
    }
    av_packet_move_ref(copy, packet);
    link->packet = copy;
    *packets->last = link;
    packets->last = &link->next;
    packets->bytes += (size_t)copy->size;
    return 0;
}

void rmf_packets_clear(struct rmf_packets *packets) {
    AVPacket *packet;
    while ((packet = rmf_packets_pop(packets)))
        av_packet_free(&packet);
}
