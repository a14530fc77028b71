/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_WEBRTC_WISH_H
#define RMI_WEBRTC_WISH_H

#include <jansson.h>
#include <remotemedia/webrtc_media.h>

/* What a peer wants of our sound and pictures, as it crosses: {"audio":true,"video":true,"max":{"bitrate_kbps":500,
 * "width":854,"height":480}}. What is missing is wanted, without a limit. */
#define RMI_WISH "media_wish" /* the message_type */

/* The caller's, NULL: no memory. */
json_t *rmi_wish_write(const rm_subscription *wish);
/* Of a peer: RM_E_PARSE, with the member that is wrong in *fault. */
rm_err rmi_wish_read(const json_t *in, rm_subscription *out, const char **fault);
bool rmi_wish_valid(const rm_subscription *wish);
bool rmi_wish_same(const rm_subscription *a, const rm_subscription *b);

#endif
