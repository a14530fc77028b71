/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_WEBRTC_SIGNALING_HOST_H
#define RMI_WEBRTC_SIGNALING_HOST_H

#include "base/log.h"
#include "io/loop.h"
#include "signaling/server.h"
#include <remotemedia/error.h>
#include <stdint.h>

/* The signaling server core on a real WebSocket: development, tests and the demo. One loop thread. */
struct rmi_signaling_host;

/* A file of the web page. GET answers for exactly these paths, so there is no directory to walk out of. */
struct rmi_web_file {
    const char *path; /* "/" for the page itself */
    const char *type; /* Content-Type */
    const void *data;
    size_t len;
};

struct rmi_signaling_host_config {
    const char *host;      /* numeric address to bind */
    uint16_t port;         /* 0 = any free one */
    const char *cert_file; /* PEM, for wss; NULL with key_file NULL = ws */
    const char *key_file;
    const char *token;            /* NULL = none asked for */
    size_t max_peers;             /* in a room; 0 = 10 */
    uint32_t messages_per_second; /* of one connection before it is closed for flooding; 0 = the default of the core */
    const struct rmi_web_file *files; /* served beside the WebSocket, on its port; kept by the caller; NULL = none */
    size_t file_n;
    struct rmi_log *log;
};

/* RM_E_IO: cannot bind or read the certificate. RM_E_CONFIG, RM_E_NO_MEMORY. */
rm_err rmi_signaling_host_create(struct rmi_loop *loop, const struct rmi_signaling_host_config *config,
                                 struct rmi_signaling_host **out);
/* Accepts NULL. Legal on the loop thread or once the loop has stopped. */
void rmi_signaling_host_destroy(struct rmi_signaling_host **host);
uint16_t rmi_signaling_host_port(const struct rmi_signaling_host *host);

#endif
