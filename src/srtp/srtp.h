/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SRTP_SRTP_H
#define RMI_SRTP_SRTP_H

#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* SRTP and SRTCP for one peer connection (RFC 3711, RFC 7714), both directions. One thread per object. */
struct rmi_srtp;

#define RMI_SRTP_TRAILER_MAX 24     /* GCM tag 16 + SRTCP index 4, or SHA1-80 tag 10 + index 4; rounded up */
#define RMI_SRTP_REPLAY_WINDOW 1024 /* packets; known-failures 2b.16 */

struct rmi_srtp_keying {
    uint16_t profile;     /* IANA value: 0x0001 AES128_CM_SHA1_80, 0x0007 AEAD_AES_128_GCM; others RM_E_SRTP_PROFILE */
    const uint8_t *local; /* master key and salt, 30 or 28 bytes */
    const uint8_t *remote;
    size_t len;
};
struct rmi_srtp_stats {
    uint64_t protected_packets, unprotected_packets, auth_failures, replays, malformed;
};

rm_err rmi_srtp_create(const struct rmi_srtp_keying *keying, struct rmi_srtp **out);
void rmi_srtp_destroy(struct rmi_srtp **s);
/* In place. *len grows by at most RMI_SRTP_TRAILER_MAX; RM_E_TOO_BIG when cap does not hold that. RM_E_PARSE: not RTP.
 * RM_E_SRTP_REPLAY: a window or more behind the newest of this SSRC. RM_E_LIMIT: the SSRC has used up its indices (2^48
 * RTP, 2^31 - 1 RTCP packets) or there are too many SSRCs (4,096): new keys are needed. On any error the bytes must not
 * be sent. The same SSRC and sequence number may come again only with the very same bytes (README). */
rm_err rmi_srtp_protect_rtp(struct rmi_srtp *s, uint8_t *data, size_t *len, size_t cap);
rm_err rmi_srtp_protect_rtcp(struct rmi_srtp *s, uint8_t *data, size_t *len, size_t cap);
/* In place. RM_E_PARSE: too short or broken header; RM_E_SRTP_AUTH; RM_E_SRTP_REPLAY. On any error the bytes must be
 * dropped. */
rm_err rmi_srtp_unprotect_rtp(struct rmi_srtp *s, uint8_t *data, size_t *len);
rm_err rmi_srtp_unprotect_rtcp(struct rmi_srtp *s, uint8_t *data, size_t *len);
void rmi_srtp_get_stats(const struct rmi_srtp *s, struct rmi_srtp_stats *out);

#endif
