/* SPDX-License-Identifier: Apache-2.0 */
#include <remotemedia/manifest.h>
#include <stdlib.h>
#include <string.h>

/* One text is read as JSON and as YAML, against the built-in nodes. What is accepted must hold together. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_fault(const rm_manifest_fault *fault, void *user) {
    if (fault->line < 1 || fault->column < 1 || !fault->text[0] || !fault->message[0])
        abort();
    *(size_t *)user += !fault->warning;
}

static void check_manifest(const rm_manifest *m) {
    size_t nodes = rm_manifest_node_count(m), from, to;
    if (nodes < 1 || nodes > RM_MANIFEST_NODES_MAX)
        abort();
    for (size_t i = 0; i < nodes; i++) {
        rm_manifest_node n;
        if (rm_manifest_get_node(m, i, &n) || !n.id[0] || !n.node_type)
            abort();
    }
    for (size_t i = 0; i < rm_manifest_connection_count(m); i++)
        if (rm_manifest_get_connection(m, i, &from, &to) || from >= nodes || to >= nodes || from == to)
            abort();
}

static void parse(const uint8_t *data, size_t size, rm_manifest_format format, const rm_node_registry *registry) {
    rm_manifest *m = NULL;
    size_t errors = 0;
    rm_manifest_options o;
    rm_manifest_options_init(&o);
    o.format = format;
    o.registry = registry;
    o.on_fault = check_fault;
    o.user = &errors;
    rm_err err = rm_manifest_parse((const char *)data, size, &o, &m);
    if ((err == RM_OK) != (m != NULL) || (err == RM_OK) != (errors == 0))
        abort();
    if (m)
        check_manifest(m);
    rm_manifest_unref(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rm_node_registry *registry = NULL;
    if (rm_node_registry_create(&registry))
        return 0;
    parse(data, size, RM_MANIFEST_JSON, registry);
    parse(data, size, RM_MANIFEST_YAML, registry);
    rm_node_registry_destroy(&registry);
    return 0;
}
