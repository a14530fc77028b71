/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_SINK_H
#define RMRTC_SINK_H

#include <remotemedia/webrtc_media.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Takes what peers send: keeps the last picture, records into files, and reads the age of stamped pictures and marked
 * sound (both clocks being this machine's monotonic one). */
struct sink;

struct sink_config {
    const char *record; /* file of the first peer; others' get their id before the extension. NULL: none */
};

rm_err sink_create(const struct sink_config *config, struct sink **out, char *detail, size_t detail_size);
/* Ends recordings; their files are complete then. No callback may run any more. */
void sink_destroy(struct sink **sink);
/* An rm_media_fn; `user` is the sink. */
void sink_media(const char *peer_id, rm_runtime_data *data, void *sink);

struct sink_latency {
    size_t n;
    double p50_ms, p95_ms, max_ms;
};
struct sink_stats {
    uint64_t pictures, chunks;
    int64_t first_picture_us; /* when it came; 0: none yet */
    struct sink_latency video, audio;
    double threads_cpu_s; /* of the threads that bring sound and pictures: receiving, decoding, and taking them here */
    rm_err record_error;
    char record_detail[RM_RUN_DETAIL_MAX];
};
void sink_get_stats(struct sink *sink, struct sink_stats *out);
struct sink_source { /* what came from one peer */
    char peer_id[RM_PEER_ID_MAX];
    struct sink_latency video, audio; /* percentiles up to 3.2 % too high, never too low */
};
/* Of everybody who has sent something; the number filled in. */
size_t sink_get_sources(struct sink *sink, struct sink_source *out, size_t cap);
/* Ages count from here on: what a call's beginning took is left out. */
void sink_forget_ages(struct sink *sink);
/* The last picture received, from anybody; the caller's reference. NULL: none yet. */
rm_runtime_data *sink_last_picture(struct sink *sink);

#endif
