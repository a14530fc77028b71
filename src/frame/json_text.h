/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_FRAME_JSON_TEXT_H
#define RMI_FRAME_JSON_TEXT_H

#include "base/buf.h"
#include <jansson.h>
#include <remotemedia/data_json.h>

/* Only the limits. RM_E_TOO_BIG; RM_E_PARSE where that shows on the way. `detail` is not NULL. */
rm_err rmi_json_text_check(const char *text, size_t size, char *detail, size_t detail_size);
/* JSON from anywhere, under the limits of <remotemedia/data_json.h>, which are checked before a value is allocated. No
 * duplicate keys; \u0000 is allowed in strings. The caller owns *out. RM_E_PARSE, RM_E_TOO_BIG, RM_E_NO_MEMORY;
 * `detail` (may be NULL) says where. */
rm_err rmi_json_text_load(const char *text, size_t size, json_t **out, char *detail, size_t detail_size);
/* Compact text with a NUL behind it (len without). RM_E_NO_MEMORY. */
rm_err rmi_json_text_dump(const json_t *value, struct rmi_buf **out);

/* Bytes as a string. NULL: no memory. */
json_t *rmi_json_base64(const void *data, size_t size);

/* A printed finite number with JSON's decimal point, in place. The separator that printf writes belongs to the
 * application's locale and can be several bytes: anything that is no part of a number stands for it. */
void rmi_json_plain_number(char *text);

/* The JSON variant from a value and back. The value is shared, and nobody may change it from then on. */
rm_err rmi_runtime_data_create_json_value(json_t *value, rm_runtime_data **out);
const json_t *rmi_runtime_data_json_value(const rm_runtime_data *data); /* NULL: another variant */

#endif
