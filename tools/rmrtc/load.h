/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_LOAD_H
#define RMRTC_LOAD_H

#include "publish.h"
#include "sink.h"
#include <remotemedia/webrtc_media.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `rmrtc load`: participants of a mesh in one process, and what they saw. */

struct load_bytes { /* of all its connections */
    uint64_t in, out;
};

struct load_peer {
    char id[RM_PEER_ID_MAX];
    rm_webrtc *t;
    struct sink *sink;
    int64_t started_us;
    _Atomic int64_t last_connected_us; /* when its latest connection was there; 0: none yet */
    atomic_bool refused;               /* by the server, for good */
    atomic_int last_error;             /* of a connection or of signaling */
    struct load_bytes begin;           /* when measuring began */
};

struct load {
    rm_webrtc_config config;
    struct publisher_config publish; /* source NULL: nothing is sent */
    long ramp_ms, duration_s;
    bool json;
    size_t count;
    struct load_peer peers[RM_PEERS_MAX];
    rm_webrtc *others[RM_PEERS_MAX]; /* all but the first one's */
    bool own_server;
    struct publisher *publisher;
    int64_t begun_us; /* measuring; 0: not yet */
    double begun_cpu_s;
};

/* Connections of one participant to the others of this process that stand. */
size_t load_connections(const struct load *l, const struct load_peer *p);
/* Ages, bytes and CPU time count from here on. */
void load_begin(struct load *l);
/* "CPU 93 % of a core, 78 MB" since load_begin. */
void load_totals_text(const struct load *l, char *out, size_t size);
/* A row for each participant and the totals. */
void load_report(struct load *l);

#endif
