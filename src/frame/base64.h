/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_FRAME_BASE64_H
#define RMI_FRAME_BASE64_H

#include <remotemedia/error.h>
#include <stddef.h>
#include <stdint.h>

/* Base64 of RFC 4648 section 4, with padding. */
size_t rmi_base64_encoded_size(size_t size);
void rmi_base64_encode(const uint8_t *data, size_t size, char *out); /* no NUL at the end */

/* Decoding is strict: padding is needed, other characters and stray bits are refused. `out` has room for
 * size / 4 * 3 bytes. RM_E_PARSE. */
rm_err rmi_base64_decode(const char *text, size_t size, uint8_t *out, size_t *out_size);

#endif
