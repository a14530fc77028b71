/* SPDX-License-Identifier: Apache-2.0 */
#include "io/ws_handshake.h"
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455 1.3 */
#define VERSION "13"

void rmi_ws_key(const uint8_t nonce[RMI_WS_NONCE_LEN], char out[RMI_WS_KEY_TEXT]) {
    EVP_EncodeBlock((unsigned char *)out, nonce, RMI_WS_NONCE_LEN);
}

bool rmi_ws_accept(struct rmi_http_text key, char out[RMI_WS_ACCEPT_TEXT]) {
    char text[RMI_WS_KEY_TEXT + sizeof GUID];
    unsigned char digest[SHA_DIGEST_LENGTH];
    if (key.len != RMI_WS_KEY_TEXT - 1)
        return false;
    int n = snprintf(text, sizeof text, "%.*s" GUID, (int)key.len, key.at);
    if (EVP_Digest(text, (size_t)n, digest, NULL, EVP_sha1(), NULL) != 1)
        return false;
    EVP_EncodeBlock((unsigned char *)out, digest, sizeof digest);
    return true;
}

/* 24 characters that are base64 of 16 bytes. */
static bool is_key(struct rmi_http_text key) {
    unsigned char bytes[(RMI_WS_KEY_TEXT - 1) / 4 * 3];
    if (key.len != RMI_WS_KEY_TEXT - 1 || key.at[21] == '=' || key.at[22] != '=' || key.at[23] != '=')
        return false;
    return EVP_DecodeBlock(bytes, (const unsigned char *)key.at, (int)key.len) == (int)sizeof bytes;
}

int rmi_ws_check_request(const struct rmi_http_head *head, char accept[RMI_WS_ACCEPT_TEXT]) {
    struct rmi_http_text host, key, version;
    if (!rmi_http_single(head, "host", &host)) /* RFC 9112 3.2 */
        return RMI_HTTP_BAD_REQUEST;
    if (head->method.len != 3 || memcmp(head->method.at, "GET", 3) != 0)
        return RMI_HTTP_METHOD;
    if (!rmi_http_has_token(head, "upgrade", "websocket") || !rmi_http_has_token(head, "connection", "upgrade"))
        return RMI_HTTP_OK;
    if (!rmi_http_single(head, "sec-websocket-version", &version) || !rmi_http_text_is(version, VERSION))
        return RMI_HTTP_UPGRADE_REQUIRED;
    if (!rmi_http_single(head, "sec-websocket-key", &key) || !is_key(key))
        return RMI_HTTP_BAD_REQUEST;
    return rmi_ws_accept(key, accept) ? RMI_HTTP_SWITCHING : RMI_HTTP_INTERNAL;
}

rm_err rmi_ws_check_answer(const struct rmi_http_head *head, const char key[RMI_WS_KEY_TEXT], char *detail,
                           size_t cap) {
    struct rmi_http_text accept;
    char expected[RMI_WS_ACCEPT_TEXT];
    if (head->status != RMI_HTTP_SWITCHING) {
        snprintf(detail, cap, "the server answered with HTTP status %d", head->status);
        return RM_E_SIGNALING;
    }
    /* 4.1: whatever was not asked for ends the connection, as extensions and subprotocols here. */
    bool ok = rmi_http_has_token(head, "upgrade", "websocket") && rmi_http_has_token(head, "connection", "upgrade") &&
              !rmi_http_has(head, "sec-websocket-extensions") && !rmi_http_has(head, "sec-websocket-protocol") &&
              rmi_http_single(head, "sec-websocket-accept", &accept) &&
              rmi_ws_accept((struct rmi_http_text){key, RMI_WS_KEY_TEXT - 1}, expected) &&
              accept.len == RMI_WS_ACCEPT_TEXT - 1 && memcmp(accept.at, expected, accept.len) == 0;
    if (!ok)
        snprintf(detail, cap, "the server's handshake is faulty");
    return ok ? RM_OK : RM_E_SIGNALING;
}
