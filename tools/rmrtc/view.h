/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_VIEW_H
#define RMRTC_VIEW_H

#include "publish.h"
#include "sink.h"
#include <jansson.h>
#include <remotemedia/webrtc_media.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What `rmrtc join` shows: on a terminal one line a peer, rewritten in place; in a file a line for each change; with
 * --json one object a second. */
#define VIEW_PEERS_MAX (RM_PEERS_MAX + 16) /* live ones and the remembered ended ones */

struct view {
    rm_webrtc *t;
    struct sink *sink;           /* NULL: nothing is taken */
    struct publisher *publisher; /* NULL: nothing is sent */
    int64_t started_us;
    int64_t settle_us; /* ages count from so long after the first picture on; 0: all do */
    bool settled;
    bool json, tty;
    bool dirty;            /* something changed since it was last shown */
    bool signaling_failed; /* for good */
    bool ever_connected;
    rm_signaling_state signaling;
    rm_err last_err;
    char last_detail[RM_DETAIL_MAX];
    size_t lines; /* on the terminal now */
    size_t connected_now;
    rm_peer_info peers[VIEW_PEERS_MAX];
    rm_media_stats media[VIEW_PEERS_MAX]; /* of peers[i]; peer_id "" = none */
    size_t peer_count;
    struct sink_stats received;
    struct sink_source sources[RM_PEERS_MAX];
    size_t source_count;
    bool finished;
};

void view_init(struct view *v, rm_webrtc *t, bool json);
/* Lines of the media table for one peer; "" = nothing to say. view_media.c */
#define VIEW_MEDIA_LINES 4
void view_media_line(const rm_media_stats *m, int line, char *out, size_t size);
/* One line about stamped pictures and marked sound; "" = none came. */
void view_latency_line(const struct sink_stats *s, char *out, size_t size);
json_t *view_media_json(const rm_media_stats *m);
json_t *view_sink_json(const struct view *v);

void view_event(struct view *v, const rm_event *ev);
void view_refresh(struct view *v);                  /* redraws when something changed */
void view_tick(struct view *v, int64_t elapsed_us); /* once a second */
void view_finish(struct view *v);                   /* keep this picture for the summary */
void view_summary(struct view *v);

#endif
