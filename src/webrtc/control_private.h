/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_WEBRTC_CONTROL_PRIVATE_H
#define RMI_WEBRTC_CONTROL_PRIVATE_H

#include "webrtc/control.h"
#include <pthread.h>
#include <remotemedia/manifest.h>
#include <stdint.h>

#define RMI_CONTROL_PINGS 16 /* under way at once; of more, the oldest are forgotten */
/* A text or binary message longer than this is not looked at: a manifest and as much for its quoting. */
#define RMI_CONTROL_TEXT_MAX ((size_t)2 * RM_MANIFEST_BYTES_MAX)

struct rmi_control_right {
    char peer_id[RM_PEER_ID_MAX];
    bool allow;
};

struct rmi_control_ping {
    uint64_t request; /* 0: free */
    char peer_id[RM_PEER_ID_MAX];
    int64_t timestamp_ms, sent_us;
};

struct rmi_control {
    struct rm_webrtc *t;
    pthread_mutex_t mutex; /* of all below */
    struct rmi_control_right rights[RM_CONTROL_PEERS_MAX];
    size_t right_count;
    uint64_t requests; /* numbers given so far */
    struct rmi_control_ping pings[RMI_CONTROL_PINGS];
    size_t next_ping;
    int64_t last_ping_ms;
};

int64_t rmi_control_wall_ms(void);
/* RM_E_LIMIT. */
rm_err rmi_control_set_right(struct rmi_control *c, const char *peer_id, bool allow);

#endif
