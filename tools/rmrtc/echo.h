/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_ECHO_H
#define RMRTC_ECHO_H

#include <remotemedia/webrtc_data.h>

/* Sends what comes on data channels back. Nothing is lost when a peer sends faster than it reads: its channel is paused
 * until the message at hand could be sent. */
struct echo;

struct echo *echo_create(void); /* NULL: no memory */
void echo_destroy(struct echo **e);
void echo_data(struct echo *e, rm_webrtc *t, const char *peer_id, uint16_t channel, bool binary, const uint8_t *data,
               size_t size);                                       /* in on_channel_data */
void echo_event(struct echo *e, rm_webrtc *t, const rm_event *ev); /* of any type */

#endif
