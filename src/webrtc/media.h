/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_WEBRTC_MEDIA_H
#define RMI_WEBRTC_MEDIA_H

#include "peer/endpoint.h"
#include <remotemedia/webrtc_media.h>

/* The media threads of a transport, between the RTP sessions of the network thread, the application, and pipelines:
 * one thread for the sound of all peers, one for the pictures and the pipeline of each peer (its lane), one for each
 * video encoder. Made with the transport; threads exist between start and stop. */
struct rmi_media;
struct rm_webrtc;

rm_err rmi_media_create(struct rm_webrtc *t, struct rmi_media **out);
/* After rmi_media_stop, or instead of start. Accepts NULL. */
void rmi_media_destroy(struct rmi_media **media);

/* Before start: received sound is copied on its way, as in a build without zero-copy; to measure what that saves. */
void rmi_media_copy_sound(struct rmi_media *media);

/* ---- network thread ---- */

/* Before the endpoint is created: what to give it. */
struct rmi_endpoint_media_ops rmi_media_ops(struct rmi_media *media);
/* For congestion control of each connection; zeros: none. */
struct rmi_cc_limits rmi_media_limits(const rm_webrtc_config *config);
/* The loop and its timer exist. RM_E_IO: no thread. */
rm_err rmi_media_start(struct rmi_media *media);
/* All peers are down. Waits for every thread; calls of the public functions get RM_E_CLOSED from here on. */
void rmi_media_stop(struct rmi_media *media);

/* Whether the calling thread is inside a callback of the application made from here. */
bool rmi_media_in_callback(struct rmi_media *media);

#endif
