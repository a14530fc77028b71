/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cursor.h"
#include "base/time.h"
#include "sctp/channels.h"
#include "sctp/chunk.h"
#include <stdlib.h>
#include <string.h>

/* First byte: bit 0 DATA instead of I-DATA, bit 1 the association is up (with a peer of our own), bit 2 packets get the
 * right tag. Then packets: two bytes of length, a byte of 10 ms that pass before, the bytes from the chunks on. The TSN
 * of the first chunk counts from the peer's first one, of a SACK from ours. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PACKETS_MAX 64
#define PACKET_CAP 1500
#define STEPS_MAX 2000
#define TIMEOUTS_MAX 10000

struct wire {
    uint8_t bytes[PACKETS_MAX][RMI_SCTP_PACKET_MAX + 1];
    size_t len[PACKETS_MAX];
    size_t count;
    uint32_t tag; /* what the other one wants to see */
    uint32_t first_tsn;
};
struct ends {
    struct rmi_sctp *a[2];
    struct rmi_channels *c;
    struct wire wire[2]; /* from side i */
    int64_t now_us;
};

static void require(bool ok) {
    if (!ok)
        abort();
}

static void out(void *ctx, int64_t now_us, const uint8_t *data, size_t len) {
    struct wire *w = ctx;
    struct rmi_rd r = rmi_rd_init(data, len);
    struct rmi_sctp_header h;
    (void)now_us;
    require(len <= RMI_SCTP_PACKET_MAX && len % 4 == 0 && rmi_sctp_header_parse(&r, &h));
    if (h.tag)
        w->tag = h.tag;
    struct rmi_sctp_chunk c;
    struct rmi_sctp_init init;
    if (rmi_sctp_chunk_next(&r, &c) && c.type == RMI_SCTP_INIT && rmi_sctp_init_parse(&c, &init))
        w->first_tsn = init.tsn;
    if (w->count == PACKETS_MAX)
        return;
    memcpy(w->bytes[w->count], data, len);
    w->len[w->count++] = len;
}

static void drain(struct ends *e) {
    struct rmi_channels_event event;
    struct rmi_sctp_event other;
    while (rmi_channels_poll_event(e->c, e->now_us, &event))
        if (event.type == RMI_CHANNELS_EV_MESSAGE)
            (void)rmi_channels_send(e->c, e->now_us, event.channel, event.binary, event.data, event.len);
    while (rmi_sctp_poll_event(e->a[1], &other)) {
    }
    rmi_sctp_flush(e->a[0], e->now_us);
}

static void pass(struct ends *e) {
    for (int step = 0; step < STEPS_MAX && e->wire[0].count + e->wire[1].count > 0; step++) {
        const int from = e->wire[0].count > 0 ? 0 : 1;
        const struct wire now = e->wire[from];
        e->wire[from].count = 0;
        for (size_t i = 0; i < now.count; i++)
            rmi_sctp_input(e->a[!from], e->now_us, now.bytes[i], now.len[i]);
        drain(e);
    }
}

static void pass_time(struct ends *e, int64_t until_us) {
    int timeouts = 0;
    for (int64_t at; (at = rmi_sctp_next_deadline(e->a[0])) <= until_us;) {
        require(++timeouts < TIMEOUTS_MAX);
        e->now_us = rmi_max64(e->now_us, at);
        rmi_sctp_timeout(e->a[0], e->now_us);
        drain(e);
    }
    e->now_us = until_us;
}

/* A number at the place where these chunks have their first TSN becomes one that the receiver may expect. */
static void shift_tsn(const struct ends *e, uint8_t *packet, size_t len) {
    struct rmi_rd r = rmi_rd_init(packet, len);
    struct rmi_sctp_header h;
    struct rmi_sctp_chunk c;
    if (!rmi_sctp_header_parse(&r, &h) || !rmi_sctp_chunk_next(&r, &c) || rmi_rd_left(&c.value) < sizeof(uint32_t))
        return;
    uint32_t tsn = rmi_rd_u32(&c.value);
    if (c.type == RMI_SCTP_SACK || c.type == RMI_SCTP_SHUTDOWN)
        tsn += e->wire[0].first_tsn;
    else if (c.type == RMI_SCTP_DATA || c.type == RMI_SCTP_I_DATA || c.type == RMI_SCTP_FORWARD_TSN ||
             c.type == RMI_SCTP_I_FORWARD_TSN)
        tsn += e->wire[1].first_tsn;
    struct rmi_wr w = rmi_wr_init(packet + RMI_SCTP_HEADER_BYTES + RMI_SCTP_CHUNK_HEADER_BYTES, sizeof tsn);
    rmi_wr_u32(&w, tsn);
}

static void feed(struct ends *e, struct rmi_rd *rd, bool tagged) {
    while (rmi_rd_left(rd) > 0) {
        uint8_t packet[PACKET_CAP];
        const size_t len = rmi_rd_u16(rd) % (PACKET_CAP - RMI_SCTP_HEADER_BYTES);
        pass_time(e, e->now_us + RMI_MS(10) * rmi_rd_u8(rd));
        const size_t n = len < rmi_rd_left(rd) ? len : rmi_rd_left(rd);
        const uint8_t *bytes = rmi_rd_bytes(rd, n);
        if (rd->failed)
            return;
        struct rmi_wr w = rmi_wr_init(packet, sizeof packet);
        rmi_sctp_header_write(&w, RMI_SCTP_PORT, RMI_SCTP_PORT, tagged ? e->wire[1].tag : 0);
        rmi_wr_bytes(&w, bytes, n);
        shift_tsn(e, packet, w.pos);
        rmi_sctp_input(e->a[0], e->now_us, packet, w.pos);
        drain(e);
        e->wire[0].count = e->wire[1].count = 0;
        struct rmi_sctp_stats s;
        rmi_sctp_get_stats(e->a[0], &s);
        require(s.recv_held <= 2 * 256 * 1024 + 4096 && s.in_flight <= s.buffered);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rmi_rd rd = rmi_rd_init(data, size);
    const uint8_t first = rmi_rd_u8(&rd);
    struct ends *e = calloc(1, sizeof *e);
    struct rmi_prng prng;
    if (!e)
        return 0;
    e->now_us = RMI_SEC(1);
    rmi_prng_seed(&prng, 1);
    for (int i = 0; i < 2; i++) {
        const struct rmi_sctp_config config = {.rng = rmi_prng_rng(&prng),
                                               .no_interleaving = first & 1,
                                               .recv_buffer = 1, /* twice the largest message */
                                               .send = out,
                                               .send_ctx = &e->wire[i]};
        require(rmi_sctp_create(&config, &e->a[i]) == RM_OK);
    }
    require(rmi_channels_create(e->a[0], false, NULL, "fuzz", &e->c) == RM_OK);
    const struct rmi_channel_options o = {.label = "ours", .id = RMI_CHANNEL_ANY, .limit_retransmits = true};
    require(rmi_channels_open(e->c, e->now_us, &o, NULL) == RM_OK);
    rmi_sctp_start(e->a[0], e->now_us);
    if (first & 2) {
        rmi_sctp_start(e->a[1], e->now_us);
        pass(e);
        require(rmi_sctp_state_of(e->a[0]) == RMI_SCTP_ESTABLISHED);
    }
    feed(e, &rd, first & 4);
    rmi_channels_destroy(&e->c);
    rmi_sctp_destroy(&e->a[0]);
    rmi_sctp_destroy(&e->a[1]);
    free(e);
    return 0;
}
