/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/batch.h"
#include <string.h>

/* Payloads are cut into datagrams of RMI_DATAGRAM_MTU or less; the counting pass needs room for one. */
#define MAX_PAYLOAD_MOST 1500
/* Sizes of buffers are rounded up to a power of two: frames differ in size, and a pool whose buffers grow in few steps
 * soon stops allocating. */
#define BUFFER_LEAST 2048

struct measure {
    size_t count;
    size_t bytes;
};

/* A pass over a copy of the packetizer that throws the bytes away: what the table and the payloads take is known only
 * then (a frame of H.264 may be of many tiny units). The frame is in the cache, so this costs a microsecond or two. */
static struct measure measure(struct rmi_packetizer p) {
    uint8_t scratch[MAX_PAYLOAD_MOST];
    struct measure m = {0};
    bool last;
    size_t len;
    while ((len = rmi_packetizer_next(&p, scratch, &last)) > 0) {
        m.count++;
        m.bytes += len;
    }
    return m;
}

static size_t round_up(size_t size) {
    size_t room = BUFFER_LEAST;
    while (room < size)
        room *= 2;
    return room;
}

static void fill(struct rmi_rtp_batch *b, struct rmi_packetizer *p, struct rmi_rtp_payload *table, uint8_t *data) {
    size_t at = 0;
    for (uint32_t i = 0; i < b->count; i++) {
        bool last = false;
        /* Exactly what the first pass measured, so it ends where the buffer does. */
        size_t len = rmi_packetizer_next(p, data + at, &last);
        /* Sound has no frames over several packets; its marker says something else (RFC 7587 4.1). */
        bool marker = last && b->format != RMI_PAYLOAD_OPUS;
        table[i] = (struct rmi_rtp_payload){.offset = (uint32_t)at, .len = (uint16_t)len, .marker = marker};
        at += len;
    }
}

rm_err rmi_rtp_batch_create(struct rmi_frame_pool *pool, const struct rmi_rtp_batch *head,
                            const struct rmi_packetizer_frame *frame, const struct rmi_rtp_batch **out) {
    struct rmi_packetizer p;
    if (frame->max_payload > MAX_PAYLOAD_MOST)
        return RM_E_INVALID_ARG;
    rm_err err = rmi_packetizer_begin(&p, head->format, frame);
    if (err)
        return err;
    const struct measure m = measure(p);
    if (m.count == 0 || m.bytes > UINT32_MAX)
        return RM_E_INVALID_ARG; /* an H.264 frame of start codes alone */
    const size_t table_bytes = m.count * sizeof(struct rmi_rtp_payload);
    rm_buf *buf = NULL;
    err = rmi_frame_pool_buf(pool, round_up(sizeof(struct rmi_rtp_batch) + table_bytes + m.bytes), &buf);
    if (err)
        return err;
    uint8_t *memory = rm_buf_write(buf); /* aligned for anything (RMI_FRAME_ALIGN) */
    struct rmi_rtp_batch *b = (struct rmi_rtp_batch *)memory;
    struct rmi_rtp_payload *table = (struct rmi_rtp_payload *)(memory + sizeof *b);
    uint8_t *data = memory + sizeof *b + table_bytes;
    *b = *head;
    b->count = (uint32_t)m.count;
    b->bytes = m.bytes;
    b->buf = buf;
    b->payload = table;
    b->data = data;
    fill(b, &p, table, data);
    *out = b;
    return RM_OK;
}

const struct rmi_rtp_batch *rmi_rtp_batch_ref(const struct rmi_rtp_batch *batch) {
    if (batch)
        rm_buf_ref(batch->buf);
    return batch;
}

void rmi_rtp_batch_unref(const struct rmi_rtp_batch **batch) {
    if (!batch || !*batch)
        return;
    rm_buf *buf = (*batch)->buf; /* the batch lies in it and goes with it */
    *batch = NULL;
    rm_buf_unref(&buf);
}
