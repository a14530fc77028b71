/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/inject_testkit.h"
#include <stdlib.h>
#include <string.h>

/* Two associations that know each other, with a link each way, and a script of what happens to them. First byte: bit 0
 * DATA instead of I-DATA, bit 1 numbers near their ends, bit 2 the peer may go mad. Without the last, what arrives is
 * checked: reliable messages once and in order, all of them when the links are mended. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STREAMS 6
#define MESSAGE_MAX 16384
#define SEND_BUFFER 65536
#define STEPS_MAX 256
#define EVENTS_MAX 20000 /* of links and timers in one input */
#define HEADER 8         /* of a message: its number, and whether it is reliable */
#define LOSS_MAX 300

enum { PASS, SEND, RESET, LINK, TAMPER, INJECT, READ, PACKET, SHAPE, END, OPERATIONS };

struct world {
    struct test_pair p;
    uint32_t sent[2][STREAMS], next[2][STREAMS]; /* numbers; of the sending side */
    uint32_t reliable_sent, reliable_got;
    bool mad, failed;
    int events;
};

static void require(bool ok) {
    if (!ok)
        abort();
}

static uint8_t pattern(uint32_t number, size_t at) {
    return (uint8_t)(number * 31 + at * 7);
}

static void on_event(struct test_pair *p, int side, const struct rmi_sctp_event *e) {
    struct world *w = p->user;
    w->failed = w->failed || e->type == RMI_SCTP_EV_FAILED;
    if (e->type != RMI_SCTP_EV_MESSAGE)
        return;
    volatile uint8_t touch = 0; /* every byte is readable */
    for (size_t i = 0; i < e->len; i++)
        touch ^= e->data[i];
    (void)touch;
    if (w->mad)
        return;
    uint32_t number, kind;
    require(e->stream < STREAMS && e->len >= HEADER);
    memcpy(&number, e->data, sizeof number);
    memcpy(&kind, e->data + sizeof number, sizeof kind);
    require(number < w->sent[!side][e->stream]);
    for (size_t i = HEADER; i < e->len; i++)
        require(e->data[i] == pattern(number, i));
    if (e->stream % 2 == 0) { /* the ordered ones */
        require(number >= w->next[!side][e->stream]);
        w->next[!side][e->stream] = number + 1;
    }
    w->reliable_got += kind;
}

static void check(const struct world *w) {
    for (int i = 0; i < 2; i++) {
        struct rmi_sctp_stats s;
        rmi_sctp_get_stats(w->p.end[i].a, &s);
        require(s.recv_held <= 2 * MESSAGE_MAX + 4096 && s.buffered <= SEND_BUFFER && s.in_flight <= s.buffered);
    }
}

static void pass(struct world *w, int64_t us) {
    const int64_t until_us = w->p.now_us + us;
    while (w->events < EVENTS_MAX && test_pair_step(&w->p, until_us))
        w->events++;
    w->p.now_us = rmi_max64(w->p.now_us, until_us);
}

static void send_message(struct world *w, struct rmi_rd *r) {
    static uint8_t bytes[MESSAGE_MAX];
    const uint8_t who = rmi_rd_u8(r), how = rmi_rd_u8(r);
    const size_t len = HEADER + rmi_rd_u16(r) % (MESSAGE_MAX - HEADER);
    const int side = who & 1;
    const uint16_t stream = who / 2 % STREAMS;
    const uint32_t number = w->sent[side][stream], reliable = (how & 6) == 0;
    const struct rmi_sctp_send_options o = {.unordered = stream % 2,
                                            .limit_retransmits = how & 2,
                                            .max_retransmits = how / 8 % 4,
                                            .max_lifetime_us = how & 4 ? RMI_MS(10) * (how / 8 + 1) : 0};
    memcpy(bytes, &number, sizeof number);
    memcpy(bytes + sizeof number, &reliable, sizeof reliable);
    for (size_t i = HEADER; i < len; i++)
        bytes[i] = pattern(number, i);
    if (rmi_sctp_send(w->p.end[side].a, w->p.now_us, stream, 53, &o, bytes, len))
        return;
    w->sent[side][stream]++;
    w->reliable_sent += reliable;
    rmi_sctp_flush(w->p.end[side].a, w->p.now_us);
}

/* One byte of a packet under way, as if the peer had made it so. */
static void tamper(struct world *w, struct rmi_rd *r) {
    const uint8_t which = rmi_rd_u8(r), value = rmi_rd_u8(r);
    const uint16_t at = rmi_rd_u16(r);
    struct test_link *l = &w->p.end[which & 1].out;
    if (!w->mad || l->count == 0)
        return;
    struct test_packet *packet = &l->heap[which / 2 % l->count];
    if (packet->len <= RMI_SCTP_HEADER_BYTES)
        return;
    packet->data[RMI_SCTP_HEADER_BYTES + at % (packet->len - RMI_SCTP_HEADER_BYTES)] ^= value;
    rmi_sctp_checksum_set(packet->data, packet->len);
}

/* Chunks from the input; the number that a receiver compares counts from what this one expects. */
static void inject(struct world *w, struct rmi_rd *r) {
    const uint8_t who = rmi_rd_u8(r), len = rmi_rd_u8(r);
    const size_t n = len < rmi_rd_left(r) ? len : rmi_rd_left(r);
    const uint8_t *bytes = rmi_rd_bytes(r, n);
    struct rmi_sctp *to = w->p.end[who & 1].a;
    struct test_packet_out o;
    if (!bytes || n == 0 || !w->mad)
        return;
    const bool reset = bytes[0] == RMI_SCTP_RE_CONFIG; /* behind the header of its parameter */
    const size_t at = reset ? 2 * RMI_SCTP_CHUNK_HEADER_BYTES : RMI_SCTP_CHUNK_HEADER_BYTES;
    rmi_wr_bytes(test_inject_begin(&o, to), bytes, n);
    if (n >= at + sizeof(uint32_t)) {
        struct rmi_rd given = rmi_rd_init(bytes + at, sizeof(uint32_t));
        struct rmi_wr patch = rmi_wr_init(o.bytes + RMI_SCTP_HEADER_BYTES + at, sizeof(uint32_t));
        rmi_wr_u32(&patch, rmi_rd_u32(&given) + (reset                       ? to->reset_peer_seq
                                                 : bytes[0] == RMI_SCTP_SACK ? to->cum_ack
                                                                             : to->recv_cum + 1));
    }
    test_inject(&o, to, w->p.now_us);
    test_pair_drain(&w->p, who & 1);
}

static void on_packet(struct world *w, uint8_t b) {
    struct test_link *l = &w->p.end[b & 1].out;
    if (l->count == 0)
        return;
    struct test_packet packet = test_link_pop(l);
    if (b & 2) {
        test_link_push(l, w->p.now_us + RMI_MS(b / 4), packet.data, packet.len);
        test_link_push(l, packet.at_us, packet.data, packet.len);
    }
    free(packet.data);
}

static void operate(struct world *w, struct rmi_rd *r) {
    const uint8_t operation = rmi_rd_u8(r) % OPERATIONS;
    if (operation == SEND || operation == TAMPER || operation == INJECT) {
        (operation == SEND ? send_message : operation == TAMPER ? tamper : inject)(w, r);
        return;
    }
    const uint8_t b = rmi_rd_u8(r);
    struct test_end *end = &w->p.end[b & 1];
    if (operation == PASS) {
        pass(w, RMI_MS(b));
    } else if (operation == RESET && w->mad) { /* numbers begin anew, which the check does not follow */
        (void)rmi_sctp_reset_stream(end->a, w->p.now_us, b / 2 % STREAMS);
    } else if (operation == LINK) {
        end->out.c.loss_permille = b / 2 * LOSS_MAX / 127;
        end->out.c.reorder_permille = b;
    } else if (operation == READ) {
        w->p.no_reading[b & 1] = b & 2;
        test_pair_drain(&w->p, b & 1);
    } else if (operation == PACKET) {
        on_packet(w, b);
    } else if (operation == SHAPE) {
        (void)rmi_sctp_set_weight(end->a, b / 2 % STREAMS, b);
        (void)rmi_sctp_set_buffered_low(end->a, b / 2 % STREAMS, b);
    } else if (operation == END && w->mad && b > 250) {
        rmi_sctp_shutdown(end->a, w->p.now_us);
    }
}

static void open_world(struct world *w, uint8_t first) {
    const struct test_link_config link = {.rate_bps = 20000000, .delay_us = RMI_MS(10), .queue_us = RMI_MS(100)};
    struct rmi_sctp_config config[2];
    for (int i = 0; i < 2; i++)
        config[i] = (struct rmi_sctp_config){.no_interleaving = first & 1,
                                             .message_in_max = MESSAGE_MAX,
                                             .message_out_max = MESSAGE_MAX,
                                             .send_buffer = SEND_BUFFER,
                                             .recv_buffer = 1}; /* twice the largest message */
    w->mad = first & 4;
    w->p.on_event = on_event;
    w->p.user = w;
    test_pair_open(&w->p, 1, &link, config);
    for (int i = 0; i < 2 && (first & 2); i++)
        test_set_first_tsn(w->p.end[i].a, UINT32_MAX - 20);
    test_pair_start(&w->p);
    pass(w, RMI_MS(200));
    require(rmi_sctp_state_of(w->p.end[0].a) == RMI_SCTP_ESTABLISHED);
    require(rmi_sctp_state_of(w->p.end[1].a) == RMI_SCTP_ESTABLISHED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rmi_rd r = rmi_rd_init(data, size);
    struct world *w = calloc(1, sizeof *w);
    if (!w)
        return 0;
    open_world(w, rmi_rd_u8(&r));
    for (int i = 0; i < STEPS_MAX && rmi_rd_left(&r) > 0 && w->events < EVENTS_MAX; i++) {
        operate(w, &r);
        check(w);
    }
    for (int i = 0; i < 2; i++) {
        w->p.end[i].out.c.loss_permille = w->p.end[i].out.c.reorder_permille = 0;
        w->p.no_reading[i] = false;
        test_pair_drain(&w->p, i);
    }
    pass(w, RMI_SEC(100));
    require(w->mad || w->failed || w->events == EVENTS_MAX || w->reliable_got == w->reliable_sent);
    test_pair_close(&w->p);
    free(w);
    return 0;
}
