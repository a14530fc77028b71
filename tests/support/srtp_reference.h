/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMT_SUPPORT_SRTP_REFERENCE_H
#define RMT_SUPPORT_SRTP_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A second SRTP sender, written from RFC 3711 and RFC 7714 on OpenSSL's primitives alone, to check the first against.
 */
struct rmt_srtp_session_keys {
    bool gcm;
    uint8_t key[16], salt[14], auth[20]; /* GCM: salt 12, no auth */
};

/* RFC 3711 4.3.3: AES-CM key derivation, derivation rate 0. `salt_len` 14, or 12 padded with zeros (RFC 7714 11). */
void rmt_srtp_derive(const uint8_t master_key[16], const uint8_t *master_salt, size_t salt_len, uint8_t label,
                     uint8_t *out, size_t n);
/* Session keys from `master` = key then salt. */
struct rmt_srtp_session_keys rmt_srtp_session(bool gcm, bool rtcp, const uint8_t *master);
/* In place; returns the new length. `header` = bytes of the RTP header with CSRCs and extension. */
size_t rmt_srtp_protect(const struct rmt_srtp_session_keys *keys, uint8_t *data, size_t len, size_t header,
                        uint32_t roc);
size_t rmt_srtp_protect_rtcp(const struct rmt_srtp_session_keys *keys, uint8_t *data, size_t len, uint32_t index);

#endif
