/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/packet.h"
#include "rtp/rtcp_private.h"
#include "rtp/twcc.h"

#define NOT_RECEIVED (-1)
#define FIRST_NUMBER 0x10000 /* so that a packet older than the first one has a number, too */
#define TICKS_OF_REFERENCE (RMI_TWCC_REFERENCE_US / RMI_TWCC_TICK_US)
#define REFERENCE_MASK 0xffffffU
#define SMALL_MAX 255
#define HEADER_BYTES 20
#define RUN_SYMBOL_SHIFT 13
#define ONE_BIT_VECTOR 0x8000
#define TWO_BIT_VECTOR 0xc000
#define ONE_BIT_SYMBOLS 14
#define TWO_BIT_SYMBOLS 7

enum { SYMBOL_LOST, SYMBOL_SMALL, SYMBOL_LARGE };

static int64_t *slot(struct rmi_twcc_recorder *r, int64_t number) {
    return &r->arrival_ticks[number % RMI_TWCC_WINDOW];
}

/* The window is written when the first packet comes: a connection without media does not have its pages. */
void rmi_twcc_recorder_init(struct rmi_twcc_recorder *r) {
    r->started = false;
    r->feedback_count = 0;
    r->next = r->newest = 0;
}

static void start(struct rmi_twcc_recorder *r, int64_t number) {
    r->started = true;
    r->next = r->newest = number;
    for (size_t i = 0; i < RMI_TWCC_WINDOW; i++)
        r->arrival_ticks[i] = NOT_RECEIVED;
}

static void advance(struct rmi_twcc_recorder *r, int64_t number) {
    int64_t from = r->newest + 1;
    if (number - from >= RMI_TWCC_WINDOW)
        from = number - RMI_TWCC_WINDOW + 1;
    for (; from <= number; from++)
        *slot(r, from) = NOT_RECEIVED;
    r->newest = number;
    if (r->next <= number - RMI_TWCC_WINDOW)
        r->next = number - RMI_TWCC_WINDOW + 1;
}

void rmi_twcc_record(struct rmi_twcc_recorder *r, uint16_t seq, int64_t now_us) {
    if (!r->started)
        start(r, FIRST_NUMBER + seq);
    int64_t number = r->newest + rmi_seq_diff(seq, (uint16_t)r->newest);
    if (number > r->newest)
        advance(r, number);
    if (number <= r->newest - RMI_TWCC_WINDOW || *slot(r, number) != NOT_RECEIVED)
        return;
    *slot(r, number) = now_us / RMI_TWCC_TICK_US;
    if (number < r->next)
        r->next = number; /* it was reported lost: report again from here */
}

bool rmi_twcc_pending(const struct rmi_twcc_recorder *r) {
    return r->started && r->next <= r->newest;
}

/* What one feedback says, before it is packed. */
struct content {
    size_t count;
    size_t delta_bytes;
    int64_t reference;
    uint8_t symbol[RMI_TWCC_WINDOW];
    int16_t delta[RMI_TWCC_WINDOW];
};

static void collect(struct rmi_twcc_recorder *r, size_t cap, struct content *c) {
    bool any = false;
    int64_t last = 0;
    c->count = c->delta_bytes = 0;
    c->reference = 0;
    for (int64_t number = r->next; number <= r->newest; number++, c->count++) {
        /* As if all chunks were of the least dense kind. */
        size_t chunk_bytes = (c->count / TWO_BIT_SYMBOLS + 1) * sizeof(uint16_t);
        if (HEADER_BYTES + chunk_bytes + c->delta_bytes + sizeof(int16_t) + RMI_RTCP_WORD > cap)
            break;
        int64_t ticks = *slot(r, number);
        c->symbol[c->count] = SYMBOL_LOST;
        if (ticks == NOT_RECEIVED)
            continue;
        if (!any) {
            c->reference = ticks / TICKS_OF_REFERENCE;
            last = c->reference * TICKS_OF_REFERENCE;
            any = true;
        }
        int64_t delta = ticks - last;
        if (delta < INT16_MIN || delta > INT16_MAX)
            break; /* over 8 s: a feedback of its own, with a new reference */
        bool small = delta >= 0 && delta <= SMALL_MAX;
        c->symbol[c->count] = small ? SYMBOL_SMALL : SYMBOL_LARGE;
        c->delta[c->count] = (int16_t)delta;
        c->delta_bytes += small ? 1 : sizeof(int16_t);
        last = ticks;
    }
}

/* Writes one chunk for the symbols from `at` and returns how many it covers. */
static size_t write_chunk(struct rmi_wr *w, const struct content *c, size_t at) {
    size_t left = c->count - at, run = 1, one_bit = 0;
    while (run < left && c->symbol[at + run] == c->symbol[at])
        run++;
    while (one_bit < left && one_bit < ONE_BIT_SYMBOLS && c->symbol[at + one_bit] != SYMBOL_LARGE)
        one_bit++;
    bool vector_of_one_bit = one_bit == ONE_BIT_SYMBOLS || (one_bit == left && one_bit > TWO_BIT_SYMBOLS);
    size_t vector = vector_of_one_bit ? one_bit : left < TWO_BIT_SYMBOLS ? left : TWO_BIT_SYMBOLS;
    if (run >= vector) { /* at most the window, so 13 bits hold it */
        rmi_wr_u16(w, (uint16_t)(c->symbol[at] << RUN_SYMBOL_SHIFT | run));
        return run;
    }
    unsigned chunk = vector_of_one_bit ? ONE_BIT_VECTOR : TWO_BIT_VECTOR;
    for (size_t i = 0; i < vector; i++)
        chunk |= vector_of_one_bit ? (unsigned)c->symbol[at + i] << (ONE_BIT_SYMBOLS - 1 - i)
                                   : (unsigned)c->symbol[at + i] << 2 * (TWO_BIT_SYMBOLS - 1 - i);
    rmi_wr_u16(w, (uint16_t)chunk);
    return vector;
}

size_t rmi_twcc_build(struct rmi_twcc_recorder *r, uint32_t sender_ssrc, uint32_t media_ssrc, uint8_t *out,
                      size_t cap) {
    struct content c;
    if (!rmi_twcc_pending(r) || cap < RMI_TWCC_BUILD_MIN)
        return 0;
    collect(r, cap, &c);
    struct rmi_wr w = rmi_wr_init(out, cap);
    rmi_wr_u8(&w, RMI_RTCP_VERSION << RMI_RTCP_VERSION_SHIFT | RMI_RTCP_FMT_TWCC);
    rmi_wr_u8(&w, RMI_RTCP_PT_RTPFB);
    size_t length_at = w.pos;
    rmi_wr_u16(&w, 0);
    rmi_wr_u32(&w, sender_ssrc);
    rmi_wr_u32(&w, media_ssrc);
    rmi_wr_u16(&w, (uint16_t)r->next);
    rmi_wr_u16(&w, (uint16_t)c.count);
    rmi_wr_u24(&w, (uint32_t)c.reference & REFERENCE_MASK);
    rmi_wr_u8(&w, r->feedback_count);
    for (size_t at = 0; at < c.count;)
        at += write_chunk(&w, &c, at);
    for (size_t i = 0; i < c.count; i++) {
        if (c.symbol[i] == SYMBOL_SMALL)
            rmi_wr_u8(&w, (uint8_t)c.delta[i]);
        else if (c.symbol[i] == SYMBOL_LARGE)
            rmi_wr_u16(&w, (uint16_t)c.delta[i]);
    }
    rmi_wr_zero(&w, (RMI_RTCP_WORD - w.pos % RMI_RTCP_WORD) % RMI_RTCP_WORD);
    rmi_wr_patch_u16(&w, length_at, (uint16_t)(w.pos / RMI_RTCP_WORD - 1));
    if (w.failed)
        return 0;
    r->next += (int64_t)c.count;
    r->feedback_count++;
    return w.pos;
}
