/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_WEBRTC_SERVER_URL_H
#define RMI_WEBRTC_SERVER_URL_H

#include <remotemedia/error.h>
#include <stdint.h>

/* A STUN or TURN server as users write it (RFC 7064, RFC 7065), with credentials in front of the host as an extra. */
struct rmi_server_url {
    char host[256];
    uint16_t port; /* 3478 when absent (RFC 8489 18.6) */
    char username[128];
    char password[128];
};

/* "stun:HOST[:PORT]". RM_E_PARSE: malformed. RM_E_UNSUPPORTED: stuns:. */
rm_err rmi_stun_url_parse(const char *text, struct rmi_server_url *out);
/* "turn:[USER:PASSWORD@]HOST[:PORT][?transport=udp]". RM_E_PARSE; RM_E_UNSUPPORTED: turns: or another transport. */
rm_err rmi_turn_url_parse(const char *text, struct rmi_server_url *out);

#endif
