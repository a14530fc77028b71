/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REMOTEMEDIA_DATA_JSON_H
#define REMOTEMEDIA_DATA_JSON_H

#include <remotemedia/data.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Runtime data as RemoteMedia's JSON: one member that names the variant, e.g. {"Text":"hello"} or
 * {"Audio":{"samples":[0.5],"sample_rate":48000,"channels":1}}. Bytes are arrays of integers there. Absent optional
 * fields are left out, and tolerated as missing or null; unknown fields are ignored.
 * The VP9 codec ("Vp9") is an addition of this library. Whole numbers over 2^63 - 1 are refused. */

/* Limits of what is read, so that a text cannot claim more memory than it is worth. A 720p raw frame fits. */
#define RM_JSON_TEXT_MAX ((size_t)16 << 20) /* bytes */
#define RM_JSON_VALUES_MAX ((size_t)1 << 21)
#define RM_JSON_DEPTH_MAX 64

/* The text, NUL-terminated, to be freed with rm_json_free. Rows of raw frames are packed.
 * RM_E_INVALID_ARG: a sample is not a finite number, which JSON cannot say; RM_E_TOO_BIG: could not be
 * read back under the limits; RM_E_NO_MEMORY.
 * `detail` (may be NULL) gets a sentence that names the field on failure. */
RM_API rm_err rm_runtime_data_to_json(const rm_runtime_data *data, char **out, size_t *out_size, char *detail,
                                      size_t detail_size);
RM_API void rm_json_free(char **text); /* nulls the pointer */

/* RM_E_PARSE: no JSON, no known variant, or a field is missing, of the wrong type or out of range; RM_E_TOO_BIG: over a
 * limit; RM_E_NO_MEMORY. `detail` (may be NULL) then names the place: "Audio.samples[3]: ...". */
RM_API rm_err rm_runtime_data_from_json(const char *text, size_t size, rm_runtime_data **out, char *detail,
                                        size_t detail_size);

/* Data for one port of a node other than its main input, wrapped in a JSON variant:
 * {"__aux_port__":"<port>","payload":...} with JSON as it is, {"text":...} or {"binary_b64":...}.
 * `port`: 1..64 bytes. RM_E_UNSUPPORTED: `payload` is not JSON, text or binary. */
RM_API rm_err rm_runtime_data_create_aux(const char *port, const rm_runtime_data *payload, rm_runtime_data **out);
/* The port's name if `data` is such an envelope, else NULL. */
RM_API const char *rm_runtime_data_aux_port(const rm_runtime_data *data);
/* What is in the envelope. RM_E_INVALID_ARG: `data` is none; RM_E_PARSE: its base64 is broken. */
RM_API rm_err rm_runtime_data_aux_payload(const rm_runtime_data *data, rm_runtime_data **out);

#ifdef __cplusplus
}
#endif

#endif
