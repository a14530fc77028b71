/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_ICE_STUN_H
#define RMI_ICE_STUN_H

#include "net/addr.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* STUN messages (RFC 8489) with the ICE (RFC 8445) and TURN (RFC 8656) attributes this library uses. */

#define RMI_STUN_COOKIE 0x2112A442u
#define RMI_STUN_HEADER 20
#define RMI_STUN_TXID 12

enum rmi_stun_class { RMI_STUN_REQUEST = 0, RMI_STUN_INDICATION = 1, RMI_STUN_SUCCESS = 2, RMI_STUN_ERROR = 3 };

enum rmi_stun_method {
    RMI_STUN_BINDING = 0x001,
    RMI_STUN_ALLOCATE = 0x003,
    RMI_STUN_REFRESH = 0x004,
    RMI_STUN_SEND = 0x006,
    RMI_STUN_DATA = 0x007,
    RMI_STUN_CREATE_PERMISSION = 0x008,
    RMI_STUN_CHANNEL_BIND = 0x009
};

#define RMI_STUN_USERNAME_MAX 513 /* RFC 8489 14.3: at most 508 bytes; ICE needs up to 256 + 1 + 256 */
#define RMI_STUN_REALM_MAX 128
#define RMI_STUN_NONCE_MAX 256

/* A parsed message: pointers go into the input, which must stay. */
struct rmi_stun_msg {
    enum rmi_stun_class cls;
    uint16_t method;
    uint8_t txid[RMI_STUN_TXID];
    const uint8_t *raw; /* whole message, exactly raw_len = header + length field */
    size_t raw_len;

    const char *username; /* not NUL-terminated */
    size_t username_len;
    const char *realm;
    size_t realm_len;
    const char *nonce;
    size_t nonce_len;
    const uint8_t *data; /* DATA attribute */
    size_t data_len;
    struct rmi_addr xor_mapped, xor_relayed, xor_peer,
        alternate;       /* family 0 = absent; MAPPED-ADDRESS fills xor_mapped too */
    uint16_t error_code; /* 300..699; 0 = absent */
    uint32_t priority;
    uint32_t lifetime; /* seconds */
    uint64_t tiebreaker;
    uint16_t channel;
    uint16_t unknown_attr; /* first comprehension-required attribute we do not know; 0 = none */
    bool has_priority, has_lifetime, has_data, has_channel;
    bool use_candidate, ice_controlling, ice_controlled;
    bool has_integrity, has_fingerprint;
    size_t integrity_at; /* offset of the MESSAGE-INTEGRITY attribute */
};

/* Structure only: lengths, cookie, attribute bounds; FINGERPRINT, when present, must be right (RM_E_PARSE). Attributes
 * after MESSAGE-INTEGRITY other than FINGERPRINT are ignored (RFC 8489 14.5). Trailing bytes beyond the header's
 * length: RM_E_PARSE. */
rm_err rmi_stun_parse(const uint8_t *data, size_t len, struct rmi_stun_msg *out);

/* Constant-time check of MESSAGE-INTEGRITY (HMAC-SHA1). key: the password for short-term credentials, the MD5 key of
 * rmi_stun_long_term_key otherwise. False when absent or wrong. */
bool rmi_stun_check_integrity(const struct rmi_stun_msg *m, const uint8_t *key, size_t key_len);

/* RFC 8489 9.2.2: MD5(username ":" realm ":" password). False when OpenSSL offers no MD5 (FIPS mode). */
bool rmi_stun_long_term_key(const char *username, const char *realm, const char *password, uint8_t out[16]);

/* Building: begin, attributes in order, then finish. Everything is bounds-checked and sticky; finish reports it. */
struct rmi_stun_builder {
    uint8_t *data;
    size_t cap, len;
    bool failed;
    uint8_t txid[RMI_STUN_TXID];
};
void rmi_stun_begin(struct rmi_stun_builder *b, void *buf, size_t cap, enum rmi_stun_class cls, uint16_t method,
                    const uint8_t txid[RMI_STUN_TXID]);
void rmi_stun_add_bytes(struct rmi_stun_builder *b, uint16_t attr, const void *data, size_t len);
void rmi_stun_add_u32(struct rmi_stun_builder *b, uint16_t attr, uint32_t v);
void rmi_stun_add_u64(struct rmi_stun_builder *b, uint16_t attr, uint64_t v);
void rmi_stun_add_xor_addr(struct rmi_stun_builder *b, uint16_t attr, const struct rmi_addr *a);
void rmi_stun_add_error(struct rmi_stun_builder *b, uint16_t code, const char *reason);
/* key NULL: no MESSAGE-INTEGRITY. Returns the message length, 0 after any failure. */
size_t rmi_stun_finish(struct rmi_stun_builder *b, const uint8_t *key, size_t key_len, bool fingerprint);

/* Attribute numbers (IANA "STUN Attributes"). */
enum rmi_stun_attr {
    RMI_STUN_A_MAPPED_ADDRESS = 0x0001,
    RMI_STUN_A_USERNAME = 0x0006,
    RMI_STUN_A_MESSAGE_INTEGRITY = 0x0008,
    RMI_STUN_A_ERROR_CODE = 0x0009,
    RMI_STUN_A_UNKNOWN_ATTRIBUTES = 0x000A,
    RMI_STUN_A_CHANNEL_NUMBER = 0x000C,
    RMI_STUN_A_LIFETIME = 0x000D,
    RMI_STUN_A_XOR_PEER_ADDRESS = 0x0012,
    RMI_STUN_A_DATA = 0x0013,
    RMI_STUN_A_REALM = 0x0014,
    RMI_STUN_A_NONCE = 0x0015,
    RMI_STUN_A_XOR_RELAYED_ADDRESS = 0x0016,
    RMI_STUN_A_REQUESTED_ADDRESS_FAMILY = 0x0017,
    RMI_STUN_A_REQUESTED_TRANSPORT = 0x0019,
    RMI_STUN_A_XOR_MAPPED_ADDRESS = 0x0020,
    RMI_STUN_A_PRIORITY = 0x0024,
    RMI_STUN_A_USE_CANDIDATE = 0x0025,
    RMI_STUN_A_SOFTWARE = 0x8022,
    RMI_STUN_A_ALTERNATE_SERVER = 0x8023,
    RMI_STUN_A_FINGERPRINT = 0x8028,
    RMI_STUN_A_ICE_CONTROLLED = 0x8029,
    RMI_STUN_A_ICE_CONTROLLING = 0x802A
};

#endif
