/* SPDX-License-Identifier: Apache-2.0 */
#include "io/ws_frame.h"
#include <stdlib.h>
#include <string.h>

#define FIN 0x80
#define RESERVED 0x70 /* RSV1 to RSV3: no extension is ever negotiated */
#define OPCODE 0x0f
#define CONTROL 0x8 /* opcodes with this bit are control frames */
#define MASKED 0x80
#define LENGTH 0x7f
#define LENGTH_16 126 /* 5.2: the length follows in 16 bits */
#define LENGTH_64 127
#define HEAD_MIN 2
#define MASK_LEN 4
#define TEXT_FIRST 1024 /* first allocation for a message */
#define TEXT_KEEP 16384 /* a larger buffer is not kept for the next message */

bool rmi_utf8_feed(struct rmi_utf8 *u, const uint8_t *data, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint8_t b = data[i];
        if (u->need > 0) {
            if (b < u->lo || b > u->hi)
                return false;
            *u = (struct rmi_utf8){(uint8_t)(u->need - 1), 0x80, 0xbf};
        } else if (b >= 0x80) {
            if (b < 0xc2 || b > 0xf4)
                return false;
            u->need = b < 0xe0 ? 1 : b < 0xf0 ? 2 : 3;
            /* no over-long forms, no surrogates, nothing above U+10FFFF */
            u->lo = b == 0xe0 ? 0xa0 : b == 0xf0 ? 0x90 : 0x80;
            u->hi = b == 0xed ? 0x9f : b == 0xf4 ? 0x8f : 0xbf;
        }
    }
    return true;
}

bool rmi_ws_code_is_valid(uint16_t code) {
    if (code >= 3000 && code <= 4999)
        return true;
    return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

void rmi_ws_mask(uint8_t *data, size_t n, const uint8_t mask[4], size_t at) {
    for (size_t i = 0; i < n; i++)
        data[i] ^= mask[(at + i) % MASK_LEN];
}

size_t rmi_ws_frame_head(uint8_t out[RMI_WS_FRAME_HEAD_MAX], enum rmi_ws_opcode opcode, uint64_t len,
                         const uint8_t *mask) {
    struct rmi_wr w = rmi_wr_init(out, RMI_WS_FRAME_HEAD_MAX);
    uint8_t masked = mask ? MASKED : 0;
    rmi_wr_u8(&w, (uint8_t)(FIN | opcode));
    if (len < LENGTH_16) {
        rmi_wr_u8(&w, (uint8_t)(masked | len));
    } else if (len <= UINT16_MAX) {
        rmi_wr_u8(&w, masked | LENGTH_16);
        rmi_wr_u16(&w, (uint16_t)len);
    } else {
        rmi_wr_u8(&w, masked | LENGTH_64);
        rmi_wr_u64(&w, len);
    }
    if (mask)
        rmi_wr_bytes(&w, mask, MASK_LEN);
    return w.pos;
}

void rmi_ws_decoder_init(struct rmi_ws_decoder *d, bool masked, size_t max_message) {
    *d = (struct rmi_ws_decoder){.masked = masked, .max_message = max_message};
}

void rmi_ws_decoder_fini(struct rmi_ws_decoder *d) {
    free(d->text);
    d->text = NULL;
    d->dead = true;
}

static bool broken(struct rmi_ws_decoder *d, struct rmi_ws_item *out, uint16_t code, rm_err err, const char *detail) {
    d->dead = true;
    *out = (struct rmi_ws_item){.kind = RMI_WS_ITEM_BROKEN, .code = code, .err = err, .detail = detail};
    return true;
}

static bool protocol_error(struct rmi_ws_decoder *d, struct rmi_ws_item *out, const char *detail) {
    return broken(d, out, RMI_WS_CODE_PROTOCOL, RM_E_SIGNALING, detail);
}

static bool not_utf8(struct rmi_ws_decoder *d, struct rmi_ws_item *out) {
    return broken(d, out, RMI_WS_CODE_NOT_UTF8, RM_E_SIGNALING, "text that is not UTF-8");
}

/* Length of the head as far as its first two bytes tell it. */
static size_t head_needs(const struct rmi_ws_decoder *d) {
    if (d->head_len < HEAD_MIN)
        return HEAD_MIN;
    uint8_t length = d->head[1] & LENGTH;
    size_t extended = length == LENGTH_16 ? 2 : length == LENGTH_64 ? 8 : 0;
    return HEAD_MIN + extended + (d->head[1] & MASKED ? MASK_LEN : 0);
}

/* Checks that need no more than the first byte and the length; true: the frame is refused. */
static bool refuse_frame(struct rmi_ws_decoder *d, uint8_t first, struct rmi_ws_item *out) {
    if (first & RESERVED)
        return protocol_error(d, out, "reserved bits are set");
    switch (d->opcode) {
    case RMI_WS_OP_CONTINUATION:
        if (d->message == 0)
            return protocol_error(d, out, "a continuation without a beginning");
        break;
    case RMI_WS_OP_TEXT:
    case RMI_WS_OP_BINARY:
        if (d->message != 0)
            return protocol_error(d, out, "a new message before the end of the last one");
        break;
    case RMI_WS_OP_CLOSE:
    case RMI_WS_OP_PING:
    case RMI_WS_OP_PONG:
        if (!d->fin || d->left > RMI_WS_CONTROL_MAX)
            return protocol_error(d, out, "a control frame in pieces or too long");
        break;
    default:
        return protocol_error(d, out, "an unknown opcode");
    }
    return false;
}

static void begin_message(struct rmi_ws_decoder *d) {
    d->message = d->opcode;
    d->text_len = 0;
    d->utf8 = (struct rmi_utf8){0};
    if (d->text_cap > TEXT_KEEP) {
        free(d->text);
        d->text = NULL;
        d->text_cap = 0;
    }
}

/* The whole head is there. True: an item (a fault) is in *out. */
static bool take_head(struct rmi_ws_decoder *d, struct rmi_ws_item *out) {
    struct rmi_rd r = rmi_rd_init(d->head, d->head_len);
    uint8_t first = rmi_rd_u8(&r);
    uint8_t second = rmi_rd_u8(&r);
    uint8_t length = second & LENGTH;
    d->fin = first & FIN;
    d->opcode = first & OPCODE;
    d->left = length == LENGTH_16 ? rmi_rd_u16(&r) : length == LENGTH_64 ? rmi_rd_u64(&r) : length;
    if ((length == LENGTH_16 && d->left < LENGTH_16) || (length == LENGTH_64 && d->left <= UINT16_MAX) ||
        d->left > INT64_MAX) /* 5.2: the shortest form, and the top bit is zero */
        return protocol_error(d, out, "a faulty frame length");
    if (!(second & MASKED) == d->masked)
        return protocol_error(d, out, d->masked ? "a frame without a mask" : "a masked frame from a server");
    const uint8_t *mask = d->masked ? rmi_rd_bytes(&r, MASK_LEN) : NULL;
    if (mask)
        memcpy(d->mask, mask, MASK_LEN);
    if (refuse_frame(d, first, out))
        return true;
    if (d->opcode & CONTROL)
        d->control_len = 0;
    else if (d->opcode != RMI_WS_OP_CONTINUATION)
        begin_message(d);
    /* What is announced counts, so that an over-long message is refused before its bytes arrive. */
    if (!(d->opcode & CONTROL) && d->message == RMI_WS_OP_TEXT &&
        (d->left > d->max_message || d->text_len > d->max_message - d->left))
        return broken(d, out, RMI_WS_CODE_TOO_BIG, RM_E_TOO_BIG, "message over the size limit");
    d->head_len = 0;
    d->mask_at = 0;
    d->in_payload = true;
    return false;
}

/* Room for n more bytes and a NUL. */
static bool grow(struct rmi_ws_decoder *d, size_t n) {
    size_t need = d->text_len + n + 1;
    if (need <= d->text_cap)
        return true;
    size_t cap = d->text_cap ? d->text_cap : TEXT_FIRST;
    while (cap < need)
        cap *= 2;
    char *text = realloc(d->text, cap);
    if (!text)
        return false;
    d->text = text;
    d->text_cap = cap;
    return true;
}

/* n bytes of payload, n > 0. True: a fault is in *out. */
static bool take_payload(struct rmi_ws_decoder *d, const uint8_t *data, size_t n, struct rmi_ws_item *out) {
    uint8_t *to;
    d->left -= n;
    if (d->opcode & CONTROL) {
        to = d->control + d->control_len;
        d->control_len += n;
    } else if (d->message == RMI_WS_OP_TEXT) {
        if (!grow(d, n))
            return broken(d, out, RMI_WS_CODE_UNEXPECTED, RM_E_NO_MEMORY, "no memory for a message");
        to = (uint8_t *)d->text + d->text_len;
        d->text_len += n;
    } else {
        return false;
    }
    memcpy(to, data, n);
    if (d->masked)
        rmi_ws_mask(to, n, d->mask, d->mask_at);
    d->mask_at += n;
    if (!(d->opcode & CONTROL) && !rmi_utf8_feed(&d->utf8, to, n))
        return not_utf8(d, out);
    return false;
}

static bool close_item(struct rmi_ws_decoder *d, struct rmi_ws_item *out) {
    struct rmi_rd r = rmi_rd_init(d->control, d->control_len);
    uint16_t code = RMI_WS_CODE_NONE;
    if (d->control_len > 0) {
        code = rmi_rd_u16(&r);
        if (r.failed || !rmi_ws_code_is_valid(code))
            return protocol_error(d, out, "a faulty close code");
    }
    size_t n = rmi_rd_left(&r);
    const uint8_t *reason = rmi_rd_bytes(&r, n);
    struct rmi_utf8 u = {0};
    if (n > 0 && (!rmi_utf8_feed(&u, reason, n) || u.need > 0))
        return not_utf8(d, out);
    d->dead = true;
    *out = (struct rmi_ws_item){.kind = RMI_WS_ITEM_CLOSE, .data = reason, .len = n, .code = code};
    return true;
}

/* The frame is complete. True: so is an item. */
static bool end_frame(struct rmi_ws_decoder *d, struct rmi_ws_item *out) {
    d->in_payload = false;
    if (d->opcode == RMI_WS_OP_CLOSE)
        return close_item(d, out);
    if (d->opcode & CONTROL) {
        bool ping = d->opcode == RMI_WS_OP_PING;
        *out = (struct rmi_ws_item){
            .kind = ping ? RMI_WS_ITEM_PING : RMI_WS_ITEM_PONG, .data = d->control, .len = d->control_len};
        return true;
    }
    if (!d->fin)
        return false;
    bool binary = d->message == RMI_WS_OP_BINARY;
    d->message = 0;
    if (binary) {
        *out = (struct rmi_ws_item){.kind = RMI_WS_ITEM_BINARY};
        return true;
    }
    if (d->utf8.need > 0)
        return not_utf8(d, out);
    if (!grow(d, 0)) /* an empty message */
        return broken(d, out, RMI_WS_CODE_UNEXPECTED, RM_E_NO_MEMORY, "no memory for a message");
    d->text[d->text_len] = '\0';
    *out = (struct rmi_ws_item){.kind = RMI_WS_ITEM_TEXT, .data = d->text, .len = d->text_len};
    return true;
}

bool rmi_ws_decode(struct rmi_ws_decoder *d, struct rmi_rd *r, struct rmi_ws_item *out) {
    while (!d->dead) {
        if (!d->in_payload) {
            while (d->head_len < head_needs(d) && rmi_rd_left(r) > 0)
                d->head[d->head_len++] = rmi_rd_u8(r);
            if (d->head_len < head_needs(d))
                return false;
            if (take_head(d, out))
                return true;
        }
        size_t n = rmi_rd_left(r);
        if (n > d->left)
            n = (size_t)d->left;
        if (n > 0 && take_payload(d, rmi_rd_bytes(r, n), n, out))
            return true;
        if (d->left > 0)
            return false;
        if (end_frame(d, out))
            return true;
    }
    rmi_rd_skip(r, rmi_rd_left(r));
    return false;
}
