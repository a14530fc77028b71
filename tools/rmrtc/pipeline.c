/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline.h"

#include "plugin_path.h"
#include "rmrtc.h"
#include <stdio.h>

static void print_fault(const rm_manifest_fault *f, void *user) {
    (void)user;
    fprintf(stderr, "%s\n", f->text);
}

/* NULL: its faults are printed. */
static rm_manifest *load_manifest(const char *command, const char *path, const rm_node_registry *registry) {
    rm_manifest_options options;
    rm_manifest_options_init(&options);
    options.registry = registry;
    options.on_fault = print_fault;
    rm_manifest *manifest = NULL;
    rm_err err = rm_manifest_load(path, &options, &manifest);
    if (err == RM_E_NO_MEMORY)
        fprintf(stderr, "rmrtc %s: %s: %s\n", command, path, rm_strerror(err));
    return manifest;
}

rm_manifest *pipeline_load(const char *command, const char *path, const char *const *loads, size_t load_count,
                           rm_node_registry **registry) {
    *registry = plugin_registry();
    bool ok = *registry != NULL;
    for (size_t i = 0; ok && i < load_count; i++)
        ok = load_nodes(*registry, loads[i]);
    rm_manifest *manifest = ok ? load_manifest(command, path, *registry) : NULL;
    if (!manifest)
        rm_node_registry_destroy(registry);
    return manifest;
}

bool pipeline_set(const char *command, rm_webrtc *t, const char *path, const char *const *loads, size_t load_count) {
    rm_node_registry *registry = NULL;
    rm_manifest *manifest = pipeline_load(command, path, loads, load_count, &registry);
    char detail[RM_DETAIL_MAX] = "";
    rm_err err = manifest ? rm_webrtc_set_pipeline(t, manifest, registry, detail, sizeof detail) : RM_E_CONFIG;
    if (manifest && err)
        fprintf(stderr, "rmrtc %s: %s: %s\n", command, path, detail[0] ? detail : rm_strerror(err));
    rm_manifest_unref(&manifest);
    rm_node_registry_destroy(&registry);
    return !err;
}
