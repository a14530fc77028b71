/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_PLUGIN_PATH_H
#define RMRTC_PLUGIN_PATH_H

#include <remotemedia/node.h>
#include <stdbool.h>
#include <stddef.h>

/* Where a node plug-in of this project lies: $RM_PLUGINS, beside a build's bin/ (../plugins), or installed
 * (../lib/remotemedia, ../lib/TRIPLET/remotemedia). False: in none of them. */
bool plugin_find(const char *file, char *out, size_t size);
/* A registry with the built-in nodes, and those of rm_ffmpeg.so if it is there. NULL: no memory. */
rm_node_registry *plugin_registry(void);

#endif
