/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REMOTEMEDIA_WEBRTC_DATA_H
#define REMOTEMEDIA_WEBRTC_DATA_H

#include <remotemedia/data.h>
#include <remotemedia/webrtc.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Messages between participants, on a data channel beside sound and pictures (RFC 8831). The side that makes the offer
 * opens a channel named "control" once the connection stands; RM_EV_CHANNEL tells both. On the wire a message is what
 * RemoteMedia's mesh has: one JSON object {"type":"Json","payload":...}, {"type":"Text","payload":"..."} or
 * {"type":"Binary","payload":"<base64>"}. What comes in another form is given to config.on_message as text or binary.
 */

#define RM_MESSAGE_BYTES_MAX 262144 /* of one message on the wire, or less if the peer says so (RFC 8841 6) */

/* Sends JSON, text or binary to a peer. The data is copied.
 *  RM_E_INVALID_ARG  NULL
 *  RM_E_UNSUPPORTED  another kind of data; data channels are switched off (enable_data_channel)
 *  RM_E_NOT_FOUND    peer_id is not connected
 *  RM_E_STATE        not started, or no channel with this peer is open (yet)
 *  RM_E_AGAIN        too much is queued for it: try again later, the message was not taken
 *  RM_E_TOO_BIG      longer than the peer or we take
 *  RM_E_CLOSED, RM_E_NO_MEMORY
 * Waits for the network thread (not inside its callbacks, where it works at once). */
RM_API rm_err rm_webrtc_send_message(rm_webrtc *t, const char *peer_id, const rm_runtime_data *message);

#ifdef __cplusplus
}
#endif

#endif
