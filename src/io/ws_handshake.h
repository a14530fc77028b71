/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_IO_WS_HANDSHAKE_H
#define RMI_IO_WS_HANDSHAKE_H

#include "io/ws_http.h"

/* The opening handshake (RFC 6455 section 4), both sides. Pure. */

#define RMI_WS_NONCE_LEN 16
#define RMI_WS_KEY_TEXT 25    /* 24 characters and a NUL */
#define RMI_WS_ACCEPT_TEXT 29 /* 28 characters and a NUL */

void rmi_ws_key(const uint8_t nonce[RMI_WS_NONCE_LEN], char out[RMI_WS_KEY_TEXT]);
/* The answer to a key (4.2.2). False: no memory for the hash. */
bool rmi_ws_accept(struct rmi_http_text key, char out[RMI_WS_ACCEPT_TEXT]);

/* Judge a client's request: RMI_HTTP_SWITCHING with `accept` filled, RMI_HTTP_OK for a request without an upgrade, or
 * the status to refuse with. */
int rmi_ws_check_request(const struct rmi_http_head *head, char accept[RMI_WS_ACCEPT_TEXT]);
/* Judge a server's answer to `key`. RM_E_SIGNALING with one line in `detail`. */
rm_err rmi_ws_check_answer(const struct rmi_http_head *head, const char key[RMI_WS_KEY_TEXT], char *detail, size_t cap);

#endif
