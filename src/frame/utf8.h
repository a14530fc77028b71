/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_FRAME_UTF8_H
#define RMI_FRAME_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the bytes are UTF-8 as of RFC 3629: shortest forms, no surrogates, nothing over U+10FFFF. NUL is a
 * character. */
bool rmi_utf8_valid(const char *text, size_t size);

#endif
