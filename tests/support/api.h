/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMT_API_H
#define RMT_API_H

#include "webrtc/signaling_thread.h"
#include <remotemedia/webrtc.h>
#include <stdbool.h>
#include <stddef.h>

/* Tests of the public interface over real sockets on loopback. A failed step ends the process with its place and
 * exit 1. */
#define RMT_REQUIRE(cond) rmt_require((cond), #cond, __FILE__, __LINE__)
void rmt_require(bool ok, const char *what, const char *file, int line);

void rmt_server_start(struct rmi_signaling_thread *s); /* ws on loopback, any free port */
/* Configuration with loopback sockets and a high peer limit. */
void rmt_config(rm_webrtc_config *c, const struct rmi_signaling_thread *s, const char *peer_id);
rm_webrtc *rmt_join(const rm_webrtc_config *c);
/* Waits for an event of this type (and peer state, for RM_EV_PEER_STATE) and returns it in *ev; false after timeout_ms.
 */
bool rmt_wait(rm_webrtc *t, rm_event_type type, int state, rm_event *ev, int timeout_ms);
long rmt_open_descriptors(void);
long rmt_threads(void);

#endif
