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
    struct rmi_sig_server_mode mode;                           /* peer_id NULL (default): no peer of the server's own */
    void (*own_send)(void *ctx, const char *text, size_t len); /* to that peer; must not call back */
    void *own_ctx;
};

/* RM_E_IO: cannot bind or read the certificate. RM_E_CONFIG, RM_E_NO_MEMORY. */
rm_err rmi_signaling_host_create(struct rmi_loop *loop, const struct rmi_signaling_host_config *config,
                                 struct rmi_signaling_host **out);
/* Accepts NULL. Legal on the loop thread or once the loop has stopped. */
void rmi_signaling_host_destroy(struct rmi_signaling_host **host);
uint16_t rmi_signaling_host_port(const struct rmi_signaling_host *host);

/* With a peer of the server's own: its connection, and messages from it. Not inside a callback of this object. */
rm_err rmi_signaling_host_open_own(struct rmi_signaling_host *host);
/* `took`: how many messages of own_send it had taken when it wrote this. */
void rmi_signaling_host_own_input(struct rmi_signaling_host *host, const char *text, size_t len, uint64_t took);
void rmi_signaling_host_close_own(struct rmi_signaling_host *host);
/* A notification to an announced peer. Takes `params`. RM_E_NOT_FOUND. */
rm_err rmi_signaling_host_tell(struct rmi_signaling_host *host, const char *peer_id, const char *method,
                               json_t *params);
/* Its offer, if one waits for the answer, has failed; `reason` is the name of an error. */
void rmi_signaling_host_offer_failed(struct rmi_signaling_host *host, const char *peer_id, const char *reason);
/* Bytes that wait to be sent to it; 0 for an unknown one. */
size_t rmi_signaling_host_waiting(const struct rmi_signaling_host *host, const char *peer_id);

#endif
