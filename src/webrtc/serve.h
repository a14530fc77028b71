/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_WEBRTC_SERVE_H
#define RMI_WEBRTC_SERVE_H

#include <remotemedia/serve.h>
#include <remotemedia/transport_data.h>

/* Server mode, as the rest of the transport sees it. */
struct rmi_serve;

/* Network thread, or before and after it. */
rm_err rmi_serve_open(struct rmi_serve *s);                       /* the loop exists: listens */
void rmi_serve_close(struct rmi_serve *s);                        /* nobody else runs any more */
void rmi_serve_free(struct rmi_serve **s);                        /* accepts NULL */
void rmi_serve_event(struct rmi_serve *s, const rm_event *event); /* the endpoint's */
/* What the endpoint wants of its signaling socket: here it is a queue to the server in this process. */
void rmi_serve_socket_open(struct rmi_serve *s);
void rmi_serve_socket_close(struct rmi_serve *s);
void rmi_serve_socket_send(struct rmi_serve *s, const char *text, size_t len);

/* Any thread. */
enum rmi_serve_news {
    RMI_SERVE_INITIALIZING, /* a session is being made */
    RMI_SERVE_LOADING_NODE, /* node */
    RMI_SERVE_READY,        /* it can be found from now on */
    RMI_SERVE_ERROR,        /* node or "", message */
    RMI_SERVE_ROOM          /* it takes input again */
};
void rmi_serve_tell(struct rmi_serve *s, const char *peer_id, enum rmi_serve_news news, const char *node,
                    const char *message);
/* What the session of a peer put out, other than sound and pictures. RM_E_NOT_FOUND: there is no channel for it;
 * RM_E_AGAIN: and no room in it. */
rm_err rmi_serve_output(struct rmi_serve *s, const char *peer_id, const rm_transport_data *output);

#endif
