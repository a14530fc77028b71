/* SPDX-License-Identifier: Apache-2.0 */
#include "io/ws_channel.h"
#include "io/random.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HIGH_WATER 65536 /* bytes in the stream above which messages wait here, behind which pongs need not wait */
#define PING_TEXT "rm"
#define MASK_LEN 4
#define CODE_LEN 2

struct message {
    struct rmi_list node;
    size_t len;
    uint8_t data[]; /* room for the frame's head, then the text */
};

void rmi_ws_channel_init(struct rmi_ws_channel *ch, bool is_client, size_t max_message,
                         const struct rmi_ws_channel_callbacks *cb) {
    *ch = (struct rmi_ws_channel){.is_client = is_client, .cb = *cb, .why = RM_E_SIGNALING};
    snprintf(ch->detail, sizeof ch->detail, "connection lost");
    rmi_list_init(&ch->out);
    rmi_ws_decoder_init(&ch->decoder, !is_client, max_message ? max_message : RMI_WS_MAX_MESSAGE);
}

static void drop_messages(struct rmi_ws_channel *ch) {
    for (struct rmi_list *node = rmi_list_pop_front(&ch->out); node; node = rmi_list_pop_front(&ch->out))
        free(RMI_CONTAINER_OF(node, struct message, node));
    ch->stats.queued_bytes = 0;
}

void rmi_ws_channel_fini(struct rmi_ws_channel *ch) {
    drop_messages(ch);
    rmi_ws_decoder_fini(&ch->decoder);
    ch->stream = NULL;
}

static void note(struct rmi_ws_channel *ch, rm_err why, const char *detail) {
    ch->why = why;
    snprintf(ch->detail, sizeof ch->detail, "%s", detail);
}

/* The payload stands at room + RMI_WS_FRAME_HEAD_MAX; the head is put right in front of it, so that one write (and one
 * TCP segment, if it is short) carries both. */
static void send_frame(struct rmi_ws_channel *ch, enum rmi_ws_opcode opcode, uint8_t *room, size_t len) {
    uint8_t head[RMI_WS_FRAME_HEAD_MAX], mask[MASK_LEN];
    uint8_t *payload = room + RMI_WS_FRAME_HEAD_MAX;
    if (ch->is_client) { /* 5.3: from a strong source, anew for each frame */
        struct rmi_rng rng = rmi_system_rng();
        rmi_rng_fill(&rng, mask, sizeof mask);
        rmi_ws_mask(payload, len, mask, 0);
    }
    size_t n = rmi_ws_frame_head(head, opcode, len, ch->is_client ? mask : NULL);
    memcpy(payload - n, head, n);
    rmi_stream_write(ch->stream, payload - n, n + len);
}

static void send_control(struct rmi_ws_channel *ch, enum rmi_ws_opcode opcode, const void *data, size_t len) {
    uint8_t room[RMI_WS_FRAME_HEAD_MAX + RMI_WS_CONTROL_MAX];
    memcpy(room + RMI_WS_FRAME_HEAD_MAX, data, len);
    send_frame(ch, opcode, room, len);
}

static void send_close(struct rmi_ws_channel *ch, uint16_t code, const char *reason) {
    uint8_t payload[RMI_WS_CONTROL_MAX];
    struct rmi_wr w = rmi_wr_init(payload, sizeof payload);
    if (code != RMI_WS_CODE_NONE) {
        rmi_wr_u16(&w, code);
        rmi_wr_bytes(&w, reason, strlen(reason));
    }
    ch->close_sent = true;
    send_control(ch, RMI_WS_OP_CLOSE, payload, w.pos);
}

rm_err rmi_ws_channel_push(struct rmi_ws_channel *ch, const char *text, size_t len) {
    if (len > RMI_WS_MAX_QUEUED || ch->stats.queued_bytes > RMI_WS_MAX_QUEUED - len)
        return RM_E_LIMIT;
    struct message *m = malloc(sizeof *m + RMI_WS_FRAME_HEAD_MAX + len);
    if (!m)
        return RM_E_NO_MEMORY;
    m->node = (struct rmi_list){0};
    m->len = len;
    if (len > 0)
        memcpy(m->data + RMI_WS_FRAME_HEAD_MAX, text, len);
    rmi_list_push_back(&ch->out, &m->node);
    ch->stats.queued_bytes += len;
    rmi_ws_channel_pump(ch);
    return RM_OK;
}

void rmi_ws_channel_ping(struct rmi_ws_channel *ch) {
    ch->ping_due = true;
    rmi_ws_channel_pump(ch);
}

void rmi_ws_channel_close(struct rmi_ws_channel *ch, uint16_t code, const char *reason) {
    if (ch->closing)
        return;
    ch->closing = true;
    ch->close_code = code;
    /* A cut reason must not end inside a character. */
    size_t n = reason ? strlen(reason) : 0;
    if (n > sizeof ch->close_reason - 1)
        for (n = sizeof ch->close_reason - 1; n > 0 && ((uint8_t)reason[n] & 0xc0) == 0x80; n--) {
        }
    if (n > 0)
        memcpy(ch->close_reason, reason, n);
    ch->close_reason[n] = '\0';
    note(ch, RM_OK, "closed here");
    rmi_ws_channel_pump(ch);
}

static void send_message(struct rmi_ws_channel *ch) {
    struct message *m = RMI_CONTAINER_OF(rmi_list_pop_front(&ch->out), struct message, node);
    ch->stats.queued_bytes -= m->len;
    ch->stats.sent_messages++;
    ch->stats.sent_bytes += m->len;
    send_frame(ch, RMI_WS_OP_TEXT, m->data, m->len);
    free(m);
}

void rmi_ws_channel_pump(struct rmi_ws_channel *ch) {
    while (ch->stream && !ch->close_sent && rmi_stream_queued(ch->stream) < HIGH_WATER) {
        if (ch->pong_due) {
            ch->pong_due = false;
            send_control(ch, RMI_WS_OP_PONG, ch->pong, ch->pong_len);
        } else if (ch->ping_due) {
            ch->ping_due = false;
            send_control(ch, RMI_WS_OP_PING, PING_TEXT, sizeof PING_TEXT - 1);
        } else if (!rmi_list_empty(&ch->out)) {
            send_message(ch);
        } else {
            if (ch->closing)
                send_close(ch, ch->close_code, ch->close_reason);
            return;
        }
    }
}

/* Text of the other side on its way into logs. */
static void describe_close(struct rmi_ws_channel *ch, const struct rmi_ws_item *item) {
    char text[RMI_WS_REASON_MAX] = "";
    struct rmi_rd r = rmi_rd_init(item->data, item->len);
    size_t n = 0;
    for (; n < item->len && n + 1 < sizeof text; n++) {
        char c = (char)rmi_rd_u8(&r);
        text[n] = (unsigned char)c < ' ' || c == 0x7f ? '?' : c;
    }
    text[n] = '\0';
    bool orderly = item->code == RMI_WS_CODE_NORMAL || item->code == RMI_WS_CODE_GOING_AWAY;
    ch->why = orderly ? RM_OK : RM_E_SIGNALING;
    snprintf(ch->detail, sizeof ch->detail, "closed by the other side with code %u%s%s", item->code, n > 0 ? ": " : "",
             text);
}

/* The closing handshake from the other side's end. What was queued will not be read any more. */
static void answer_close(struct rmi_ws_channel *ch, const struct rmi_ws_item *item) {
    if (!ch->closing)
        describe_close(ch, item);
    if (!ch->close_sent)
        send_close(ch, item->code, "");
    ch->closing = true;
    drop_messages(ch);
}

/* True: over. */
static bool take(struct rmi_ws_channel *ch, const struct rmi_ws_item *item) {
    switch (item->kind) {
    case RMI_WS_ITEM_TEXT:
        if (ch->closing)
            return false;
        ch->stats.recv_messages++;
        ch->stats.recv_bytes += item->len;
        ch->cb.on_text(ch->cb.ctx, item->data, item->len);
        return false;
    case RMI_WS_ITEM_BINARY:
        ch->stats.binary_dropped++;
        return false;
    case RMI_WS_ITEM_PING:
        memcpy(ch->pong, item->data, item->len);
        ch->pong_len = item->len;
        ch->pong_due = true;
        rmi_ws_channel_pump(ch);
        return false;
    case RMI_WS_ITEM_PONG:
        if (!ch->closing && ch->cb.on_pong)
            ch->cb.on_pong(ch->cb.ctx);
        return false;
    case RMI_WS_ITEM_CLOSE:
        answer_close(ch, item);
        return true;
    case RMI_WS_ITEM_BROKEN:
        if (!ch->closing)
            note(ch, item->err, item->detail);
        if (!ch->close_sent)
            send_close(ch, item->code, "");
        ch->closing = true;
        drop_messages(ch);
        return true;
    }
    return false;
}

bool rmi_ws_channel_input(struct rmi_ws_channel *ch, struct rmi_rd *r) {
    struct rmi_ws_item item;
    while (ch->stream && rmi_ws_decode(&ch->decoder, r, &item))
        if (take(ch, &item))
            return true;
    return false;
}

void rmi_ws_channel_lost(struct rmi_ws_channel *ch, rm_err why, const char *detail) {
    if (!ch->closing && ch->why == RM_E_SIGNALING) {
        if (why == RM_OK)
            note(ch, RM_E_SIGNALING, "connection lost: ended without a close frame");
        else
            note(ch, why, detail);
    }
    ch->closing = true;
    ch->stream = NULL;
}
