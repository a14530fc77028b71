/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RUNTIME_MANIFEST_JSON_H
#define RMI_RUNTIME_MANIFEST_JSON_H

#include <jansson.h>
#include <remotemedia/manifest.h>

/* The whole document as it was read; nobody changes it. Lives as long as the manifest. */
const json_t *rmi_manifest_json(const rm_manifest *manifest);

#endif
