/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/twcc.h"

/* Chunk layout (draft-holmer-rmcat-transport-wide-cc-extensions-01, 3.1.3 and 3.1.4). */
#define VECTOR_BIT 0x8000
#define TWO_BIT_VECTOR 0x4000
#define RUN_SYMBOL_SHIFT 13
#define RUN_LENGTH_MASK 0x1fff
#define SYMBOL_MASK 3
#define ONE_BIT_SYMBOLS 14
#define TWO_BIT_SYMBOLS 7
#define REFERENCE_SIGN 0x800000
#define REFERENCE_RANGE 0x1000000

enum { SYMBOL_LOST, SYMBOL_SMALL, SYMBOL_LARGE, SYMBOL_RESERVED };

static uint16_t symbols_in(uint16_t chunk) {
    if (!(chunk & VECTOR_BIT))
        return chunk & RUN_LENGTH_MASK;
    return chunk & TWO_BIT_VECTOR ? TWO_BIT_SYMBOLS : ONE_BIT_SYMBOLS;
}

/* `left`: symbols of the chunk from this one on. */
static unsigned symbol_of(uint16_t chunk, uint16_t left) {
    if (!(chunk & VECTOR_BIT))
        return chunk >> RUN_SYMBOL_SHIFT & SYMBOL_MASK;
    if (chunk & TWO_BIT_VECTOR)
        return chunk >> 2 * (left - 1) & SYMBOL_MASK;
    return chunk >> (left - 1) & 1;
}

/* Size of the deltas the chunk's first n symbols ask for, or -1 with the reserved symbol among them. */
static long delta_bytes(uint16_t chunk, uint16_t n) {
    if (!(chunk & VECTOR_BIT)) {
        unsigned symbol = symbol_of(chunk, 0);
        return symbol == SYMBOL_RESERVED ? -1 : (long)(symbol * n);
    }
    long bytes = 0;
    uint16_t all = symbols_in(chunk);
    for (uint16_t i = 0; i < n; i++) {
        unsigned symbol = symbol_of(chunk, (uint16_t)(all - i));
        if (symbol == SYMBOL_RESERVED)
            return -1;
        bytes += (long)symbol;
    }
    return bytes;
}

rm_err rmi_twcc_begin(struct rmi_twcc_reader *r, const struct rmi_rtcp_item *item) {
    struct rmi_rd rd = item->fci;
    *r = (struct rmi_twcc_reader){.chunks = rmi_rd_init(NULL, 0), .deltas = rmi_rd_init(NULL, 0)};
    if (item->kind != RMI_RTCP_TWCC)
        return RM_E_PARSE;
    uint16_t base_seq = rmi_rd_u16(&rd), count = rmi_rd_u16(&rd);
    uint32_t reference = rmi_rd_u24(&rd);
    uint8_t feedback_count = rmi_rd_u8(&rd);
    if (rd.failed || count == 0 || count > RMI_TWCC_SPAN_MAX)
        return RM_E_PARSE;
    struct rmi_rd chunks = rd;
    size_t deltas = 0;
    for (uint16_t left = count; left > 0;) {
        uint16_t chunk = rmi_rd_u16(&rd), n = symbols_in(chunk);
        n = n < left ? n : left;
        long bytes = delta_bytes(chunk, n);
        if (rd.failed || bytes < 0)
            return RM_E_PARSE;
        deltas += (size_t)bytes;
        left = (uint16_t)(left - n);
    }
    struct rmi_rd delta_rd = rmi_rd_sub(&rd, deltas); /* what follows is padding */
    if (rd.failed)
        return RM_E_PARSE;
    r->base_seq = base_seq;
    r->count = count;
    r->feedback_count = feedback_count;
    r->reference = reference & REFERENCE_SIGN ? (int32_t)reference - REFERENCE_RANGE : (int32_t)reference;
    r->chunks = chunks;
    r->deltas = delta_rd;
    return RM_OK;
}

static int16_t read_large(struct rmi_rd *rd) {
    int32_t v = rmi_rd_u16(rd);
    return (int16_t)(v > INT16_MAX ? v - 0x10000 : v);
}

bool rmi_twcc_next(struct rmi_twcc_reader *r, struct rmi_twcc_arrival *out) {
    while (r->index < r->count) {
        if (r->chunk_left == 0) {
            r->chunk = rmi_rd_u16(&r->chunks);
            r->chunk_left = symbols_in(r->chunk);
            if (r->chunks.failed)
                return false; /* not after rmi_twcc_begin */
            continue;
        }
        unsigned symbol = symbol_of(r->chunk, r->chunk_left);
        if (symbol == SYMBOL_LOST && !(r->chunk & VECTOR_BIT)) {
            r->index += r->chunk_left; /* the whole run in one step */
            r->chunk_left = 0;
            continue;
        }
        uint16_t seq = (uint16_t)(r->base_seq + r->index);
        r->index++;
        r->chunk_left--;
        if (symbol == SYMBOL_LOST)
            continue;
        r->ticks += symbol == SYMBOL_SMALL ? rmi_rd_u8(&r->deltas) : read_large(&r->deltas);
        *out = (struct rmi_twcc_arrival){.seq = seq, .since_reference_us = r->ticks * RMI_TWCC_TICK_US};
        return true;
    }
    return false;
}

int64_t rmi_twcc_unwrap_reference(int64_t last, int32_t reference) {
    int64_t diff = (reference - last) % REFERENCE_RANGE;
    if (diff < -REFERENCE_SIGN)
        diff += REFERENCE_RANGE;
    else if (diff >= REFERENCE_SIGN)
        diff -= REFERENCE_RANGE;
    return last + diff;
}
