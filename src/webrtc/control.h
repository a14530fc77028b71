/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_WEBRTC_CONTROL_H
#define RMI_WEBRTC_CONTROL_H

#include <jansson.h>
#include <remotemedia/webrtc_control.h>
#include <stdbool.h>

/* Control of pipeline sessions: RemoteMedia's messages on the channel "control", both sides of them. */
struct rmi_control;

/* Also has it listen on the channel. */
rm_err rmi_control_create(struct rm_webrtc *t, struct rmi_control **out);
void rmi_control_destroy(struct rmi_control **control);

/* The next of a list of ids separated by commas; false: there is none. One that is too long is cut, and so no id. */
bool rmi_control_next_peer(const char **rest, char id[RM_PEER_ID_MAX]);

/* Sends Custom{message_type, data} with the number of the request it answers. Takes over `data` (NULL: no memory). */
void rmi_control_answer(struct rm_webrtc *t, const char *peer_id, const char *message_type, const json_t *request,
                        json_t *data);
/* The answer to what is not done. */
void rmi_control_refuse(struct rm_webrtc *t, const char *peer_id, const json_t *request, const char *action, rm_err err,
                        const char *detail);

#endif
