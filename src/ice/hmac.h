/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_ICE_HMAC_H
#define RMI_ICE_HMAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RMI_ICE_HMAC_LEN 20 /* of SHA-1 */

/* HMAC-SHA1 of `head` and `rest` behind each other. False: OpenSSL failed. No heap call: consent is asked for and given
 * as long as a connection lives. */
bool rmi_ice_hmac(const uint8_t *key, size_t key_len, const uint8_t *head, size_t head_len, const uint8_t *rest,
                  size_t rest_len, uint8_t out[RMI_ICE_HMAC_LEN]);

#endif
