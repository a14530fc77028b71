/* SPDX-License-Identifier: Apache-2.0 */
/* What comes in on a WebSocket's TCP connection: first byte 0 or 1, frames to a client or server; 2 or 3, the head of a
 * request or of an answer, and frames after it. In one piece and byte by byte, the outcome must be the same. */
#include "io/ws_frame.h"
#include "io/ws_handshake.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MAX_MESSAGE 512
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t mix(uint64_t h, const void *data, size_t n) {
    const uint8_t *p = data;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 0x100000001b3; /* FNV-1a */
    return h;
}

static uint64_t frames(struct rmi_ws_decoder *d, struct rmi_rd *r, uint64_t h) {
    struct rmi_ws_item item;
    while (rmi_ws_decode(d, r, &item)) {
        h = mix(h, &item.kind, sizeof item.kind);
        h = mix(h, &item.code, sizeof item.code);
        h = mix(h, item.data, item.len);
        struct rmi_utf8 u = {0};
        if (item.kind == RMI_WS_ITEM_TEXT &&
            (item.len > MAX_MESSAGE || !rmi_utf8_feed(&u, item.data, item.len) || u.need > 0))
            abort();
        if (item.kind == RMI_WS_ITEM_BROKEN && (item.err == RM_OK || !rmi_ws_code_is_valid(item.code)))
            abort();
    }
    return h;
}

struct pass {
    struct rmi_ws_decoder decoder;
    struct rmi_http_reader reader;
    bool in_head, response;
    uint64_t hash;
};

static void head_done(struct pass *p) {
    struct rmi_http_head head;
    char accept[RMI_WS_ACCEPT_TEXT] = "", detail[128] = "";
    if (p->response && rmi_http_parse_response(&p->reader, &head) == RM_OK) {
        p->hash = mix(p->hash, rmi_ws_check_answer(&head, KEY, detail, sizeof detail) == RM_OK ? "y" : "n", 1);
    } else if (!p->response && rmi_http_parse_request(&p->reader, &head) == RM_OK) {
        int status = rmi_ws_check_request(&head, accept);
        if (status == RMI_HTTP_SWITCHING && strlen(accept) != sizeof accept - 1)
            abort();
        p->hash = mix(p->hash, &status, sizeof status);
    }
}

static void input(struct pass *p, const uint8_t *data, size_t n) {
    struct rmi_rd r = rmi_rd_init(data, n);
    if (p->in_head) {
        rm_err err = rmi_http_read(&p->reader, &r);
        if (err == RM_OK)
            head_done(p);
        else if (err != RM_E_AGAIN)
            p->decoder.dead = true;
        p->in_head = err == RM_E_AGAIN;
    }
    if (!p->in_head)
        p->hash = frames(&p->decoder, &r, p->hash);
}

static uint64_t run(uint8_t mode, const uint8_t *data, size_t size, size_t step) {
    struct pass p = {.in_head = mode >= 2, .response = mode == 3};
    rmi_ws_decoder_init(&p.decoder, mode % 2 == (mode < 2), MAX_MESSAGE);
    for (size_t at = 0; at < size; at += step)
        input(&p, data + at, size - at < step ? size - at : step);
    rmi_ws_decoder_fini(&p.decoder);
    return p.hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    uint8_t mode = data[0] % 4;
    if (run(mode, data + 1, size - 1, size) != run(mode, data + 1, size - 1, 1))
        abort();
    return 0;
}
