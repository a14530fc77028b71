/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RUNTIME_MANIFEST_TESTKIT_H
#define RMI_RUNTIME_MANIFEST_TESTKIT_H

#include "base/sbuf.h"
#include <remotemedia/manifest.h>
#include <string.h>

/* Collects the fault lines of a parse. */
static inline void rmt_take_fault(const rm_manifest_fault *fault, void *user) {
    rmi_sbuf_addf(user, "%s\n", fault->text);
}

static inline rm_err rmt_parse(const char *text, rm_manifest_format format, const rm_node_registry *registry,
                               struct rmi_sbuf *faults, rm_manifest **out) {
    rm_manifest_options o;
    rm_manifest_options_init(&o);
    o.format = format;
    o.file = "m";
    o.registry = registry;
    o.on_fault = rmt_take_fault;
    o.user = faults;
    return rm_manifest_parse(text, strlen(text), &o, out);
}

#endif
