/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_IO_WS_URL_H
#define RMI_IO_WS_URL_H

#include <remotemedia/error.h>
#include <stdbool.h>
#include <stdint.h>

#define RMI_WS_HOST_MAX 254 /* a DNS name of full length (RFC 1035 2.3.4) and a NUL */
#define RMI_WS_PATH_MAX 1024

/* A ws:// or wss:// URL (RFC 6455 section 3), taken apart. */
struct rmi_ws_url {
    bool tls;
    bool is_ipv6;                      /* host is an IPv6 literal */
    char host[RMI_WS_HOST_MAX];        /* for the resolver, without brackets */
    char header[RMI_WS_HOST_MAX + 16]; /* for the Host header: brackets, port unless it is the default one */
    char path[RMI_WS_PATH_MAX];        /* "/..." with the query */
    uint16_t port;
};

/* RM_E_CONFIG: another scheme, user info, a fragment, control characters or spaces, port 0 or above 65535, too long. */
rm_err rmi_ws_url_parse(const char *text, struct rmi_ws_url *out);

#endif
