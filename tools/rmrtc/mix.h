/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_MIX_H
#define RMRTC_MIX_H

#include "sink.h"
#include <remotemedia/webrtc_session.h>

/* `join --mix`: a session in which each peer is answered with the sum of all others. */
struct mix_config {
    const char *command;  /* for messages */
    const char *pipeline; /* file of another manifest, NULL: the one built in */
    const char *const *loads;
    size_t load_count;
    struct sink *sink; /* gets the sum of all, as from the peer "mix"; outlives the session */
};

/* Lives until rm_webrtc_destroy. False: what is wrong stands on standard error. */
bool mix_open(rm_webrtc *t, const struct mix_config *config, rm_webrtc_session **out);

#endif
