/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_IO_WS_FRAME_H
#define RMI_IO_WS_FRAME_H

#include "base/cursor.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* WebSocket frames (RFC 6455 section 5). Pure: bytes in, messages out; the writing twin below. */

#define RMI_WS_FRAME_HEAD_MAX 14 /* 5.2: two bytes, eight of length, four of mask */
#define RMI_WS_CONTROL_MAX 125   /* 5.5: payload of a control frame */

enum rmi_ws_opcode {
    RMI_WS_OP_CONTINUATION = 0x0,
    RMI_WS_OP_TEXT = 0x1,
    RMI_WS_OP_BINARY = 0x2,
    RMI_WS_OP_CLOSE = 0x8,
    RMI_WS_OP_PING = 0x9,
    RMI_WS_OP_PONG = 0xa,
};

enum rmi_ws_code { /* 7.4.1 */
                   RMI_WS_CODE_NORMAL = 1000,
                   RMI_WS_CODE_GOING_AWAY = 1001,
                   RMI_WS_CODE_PROTOCOL = 1002,
                   RMI_WS_CODE_NONE = 1005, /* stands for a close frame without a code, never sent */
                   RMI_WS_CODE_NOT_UTF8 = 1007,
                   RMI_WS_CODE_TOO_BIG = 1009,
                   RMI_WS_CODE_UNEXPECTED = 1011,
};

enum rmi_ws_item_kind {
    RMI_WS_ITEM_TEXT,   /* a whole message, NUL-terminated, UTF-8 */
    RMI_WS_ITEM_BINARY, /* one went by; its bytes are not kept */
    RMI_WS_ITEM_PING,
    RMI_WS_ITEM_PONG,
    RMI_WS_ITEM_CLOSE,  /* `code`, and the reason as data */
    RMI_WS_ITEM_BROKEN, /* `code` is what to close with, `err` and `detail` what to report; nothing follows */
};

struct rmi_ws_item {
    enum rmi_ws_item_kind kind;
    const void *data; /* valid until the next call */
    size_t len;
    uint16_t code;
    rm_err err;
    const char *detail;
};

/* Incremental UTF-8 check (Unicode 3.9, table 3-7). Zeroed is the start; `need` is 0 between characters. */
struct rmi_utf8 {
    uint8_t need, lo, hi;
};
bool rmi_utf8_feed(struct rmi_utf8 *u, const uint8_t *data, size_t n);

struct rmi_ws_decoder {
    bool masked; /* a server takes masked frames only, a client unmasked ones only (5.1) */
    size_t max_message;
    bool dead; /* after a close frame or a fault */
    uint8_t head[RMI_WS_FRAME_HEAD_MAX];
    size_t head_len;
    bool in_payload, fin;
    uint8_t opcode;  /* of the frame */
    uint8_t message; /* of the message under way, 0 = none */
    uint64_t left;   /* payload to come */
    uint8_t mask[4];
    size_t mask_at;
    char *text;
    size_t text_len, text_cap;
    struct rmi_utf8 utf8;
    uint8_t control[RMI_WS_CONTROL_MAX];
    size_t control_len;
};

void rmi_ws_decoder_init(struct rmi_ws_decoder *d, bool masked, size_t max_message);
void rmi_ws_decoder_fini(struct rmi_ws_decoder *d);
/* Take bytes from `r` up to the end of the next item. False: all are used up, no item is complete. */
bool rmi_ws_decode(struct rmi_ws_decoder *d, struct rmi_rd *r, struct rmi_ws_item *out);

/* The head of an unfragmented frame; `mask` is four bytes, or NULL from a server. Returns its length. */
size_t rmi_ws_frame_head(uint8_t out[RMI_WS_FRAME_HEAD_MAX], enum rmi_ws_opcode opcode, uint64_t len,
                         const uint8_t *mask);
/* Mask or unmask in place; `at` is the offset of data in the payload. */
void rmi_ws_mask(uint8_t *data, size_t n, const uint8_t mask[4], size_t at);
/* Whether a code may stand in a close frame (7.4.1, 7.4.2 and the IANA registry). */
bool rmi_ws_code_is_valid(uint16_t code);

#endif
