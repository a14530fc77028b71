/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin_path.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef RM_INSTALL_LIBDIR
#define RM_INSTALL_LIBDIR "lib"
#endif

static bool try_path(char *out, size_t size, const char *base, const char *dir, const char *file) {
    int n = snprintf(out, size, "%s%s%s/%s", base, base[0] ? "/" : "", dir, file);
    return n > 0 && (size_t)n < size && access(out, R_OK) == 0;
}

bool plugin_find(const char *file, char *out, size_t size) {
    const char *named = getenv("RM_PLUGINS");
    if (named && named[0])
        return try_path(out, size, "", named, file);
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n <= 0)
        return false;
    exe[n] = '\0';
    char *slash = strrchr(exe, '/');
    if (slash)
        *slash = '\0';
    return try_path(out, size, exe, "../plugins", file) ||
           try_path(out, size, exe, "../" RM_INSTALL_LIBDIR "/remotemedia", file);
}

rm_node_registry *plugin_registry(void) {
    rm_node_registry *registry = NULL;
    char path[PATH_MAX], detail[512];
    if (rm_node_registry_create(&registry))
        return NULL;
    if (plugin_find("rm_ffmpeg.so", path, sizeof path) && rm_node_registry_load(registry, path, detail, sizeof detail))
        fprintf(stderr, "rmrtc: %s: %s\n", path, detail);
    return registry;
}
