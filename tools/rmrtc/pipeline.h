/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_PIPELINE_H
#define RMRTC_PIPELINE_H

#include <remotemedia/webrtc_media.h>

/* A manifest for the nodes named below, and these. NULL: what is wrong stands on standard error, after the name of the
 * command. Both are the caller's. */
rm_manifest *pipeline_load(const char *command, const char *path, const char *const *loads, size_t load_count,
                           rm_node_registry **registry);
/* Gives the transport the pipeline of a manifest, with the built-in nodes, those of rm_ffmpeg.so and those of shared
 * objects. False: what is wrong stands on standard error, after the name of the command. */
bool pipeline_set(const char *command, rm_webrtc *t, const char *path, const char *const *loads, size_t load_count);

#endif
