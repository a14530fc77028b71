/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SRTP_SRTP_PRIVATE_H
#define RMI_SRTP_SRTP_PRIVATE_H

#include "srtp/srtp.h"
#include <openssl/evp.h>
#include <openssl/sha.h>

/* IANA DTLS-SRTP protection profiles */
#define RMI_SRTP_PROFILE_CM 0x0001
#define RMI_SRTP_PROFILE_GCM 0x0007
#define RMI_SRTP_KEY_BYTES 16      /* master and session key, both profiles */
#define RMI_SRTP_SALT_BYTES_CM 14  /* RFC 3711 8.2 */
#define RMI_SRTP_SALT_BYTES_GCM 12 /* RFC 7714 12 */
#define RMI_SRTP_AUTH_KEY_BYTES 20 /* RFC 3711 8.2: HMAC-SHA1 */
#define RMI_SRTP_TAG_BYTES_CM 10
#define RMI_SRTP_TAG_BYTES_GCM 16
#define RMI_SRTP_INDEX_BYTES 4 /* RFC 3711 3.4: E bit and SRTCP index */

/* ---- hmac.c ---- */

/* HMAC-SHA1 with the padded key already hashed. */
struct rmi_srtp_hmac {
    SHA_CTX inner, outer;
};

bool rmi_srtp_hmac_init(struct rmi_srtp_hmac *h, const uint8_t key[RMI_SRTP_AUTH_KEY_BYTES]);
/* The MAC of `data`, then the four bytes of `word`. */
bool rmi_srtp_hmac(const struct rmi_srtp_hmac *h, const uint8_t *data, size_t len, const uint8_t word[4],
                   uint8_t out[SHA_DIGEST_LENGTH]);

/* ---- cipher.c ---- */

struct rmi_srtp_session_key {
    uint8_t key[RMI_SRTP_KEY_BYTES], salt[RMI_SRTP_SALT_BYTES_CM], auth[RMI_SRTP_AUTH_KEY_BYTES];
};

/* Seals or opens packets of one direction and kind. All SSRCs share the session keys (derivation rate 0), so they share
 * this as well; the IV alone tells packets apart. */
struct rmi_srtp_cipher {
    EVP_CIPHER_CTX *evp; /* key schedule kept; a packet only sets the IV */
    struct rmi_srtp_hmac hmac;
    uint8_t salt[RMI_SRTP_SALT_BYTES_CM];
    bool gcm, rtcp;
};

/* RFC 3711 4.3.1 for key derivation rate 0. `ctr` is AES-CTR holding the master key; a salt of 12 bytes counts as
 * padded with zeros (RFC 7714 11). */
bool rmi_srtp_derive(EVP_CIPHER_CTX *ctr, const uint8_t *master_salt, size_t salt_len, uint8_t label, uint8_t *out,
                     size_t n);
/* `type` is AES-128-CTR or AES-128-GCM, as `gcm` says. On failure the object is still to be released. */
rm_err rmi_srtp_cipher_init(struct rmi_srtp_cipher *c, const EVP_CIPHER *type, bool gcm, bool rtcp, bool seals,
                            const struct rmi_srtp_session_key *key);
void rmi_srtp_cipher_release(struct rmi_srtp_cipher *c);
/* `clear` bytes stay readable, the rest of `len` is encrypted in place; tag and SRTCP index follow. Returns the new
 * length, 0 when the cryptographic library failed. */
size_t rmi_srtp_seal(const struct rmi_srtp_cipher *c, uint32_t ssrc, uint64_t index, uint8_t *data, size_t clear,
                     size_t len);
/* The reverse; `len` is without tag and SRTCP index, which follow. False: not authentic, the bytes are void. */
bool rmi_srtp_open(const struct rmi_srtp_cipher *c, uint32_t ssrc, uint64_t index, uint8_t *data, size_t clear,
                   size_t len);

/* ---- keys.c ---- */

struct rmi_srtp_direction {
    struct rmi_srtp_cipher rtp, rtcp;
};

/* `master` is key and salt, of the length the profile asks for. */
rm_err rmi_srtp_direction_init(struct rmi_srtp_direction *d, bool gcm, bool seals, const uint8_t *master);
void rmi_srtp_direction_release(struct rmi_srtp_direction *d);

/* ---- sources.c ---- */

#define RMI_SRTP_INDEX_MAX ((UINT64_C(1) << 48) - 1) /* RFC 3711 3.2.1: rollover counter and sequence number */
#define RMI_SRTCP_INDEX_MAX ((UINT64_C(1) << 31) - 1)

/* The newest index and which of those just below it were seen. */
struct rmi_srtp_window {
    uint64_t newest;
    bool started;
    uint64_t seen[RMI_SRTP_REPLAY_WINDOW / 64]; /* bit = index modulo the window */
};

/* Whether `index` is neither older than the window nor seen. */
bool rmi_srtp_window_admits(const struct rmi_srtp_window *w, uint64_t index);
bool rmi_srtp_window_reaches(const struct rmi_srtp_window *w, uint64_t index); /* seen or not */
void rmi_srtp_window_add(struct rmi_srtp_window *w, uint64_t index);
/* The index that `seq` most likely belongs to, RFC 3711 3.3.1. False: it would be past RMI_SRTP_INDEX_MAX. */
bool rmi_srtp_guess_index(const struct rmi_srtp_window *w, uint16_t seq, uint64_t *index);

struct rmi_srtp_source {
    uint32_t ssrc;
    uint64_t used; /* clock of the table at the last use */
    struct rmi_srtp_window rtp, rtcp;
};

struct rmi_srtp_sources {
    struct rmi_srtp_source *list;
    size_t count, cap, last; /* last: the one found last */
    uint64_t clock;
};

/* NULL when not there. The pointer holds until the next add. */
struct rmi_srtp_source *rmi_srtp_sources_find(struct rmi_srtp_sources *t, uint32_t ssrc);
/* A new one, in place of the one unused longest when there are `max`. NULL: no memory. */
struct rmi_srtp_source *rmi_srtp_sources_add(struct rmi_srtp_sources *t, uint32_t ssrc, size_t max);
void rmi_srtp_sources_touch(struct rmi_srtp_sources *t, struct rmi_srtp_source *source);
void rmi_srtp_sources_release(struct rmi_srtp_sources *t);

/* ---- srtp.c ---- */

/* A peer may invent a new SSRC for each packet; each costs memory. The one unused longest makes room. */
#define RMI_SRTP_SOURCES_IN_MAX 128
/* Own SSRCs are never forgotten, for a counter that starts again uses a nonce again; so there is an end to them. */
#define RMI_SRTP_SOURCES_OUT_MAX 4096

struct rmi_srtp {
    struct rmi_srtp_direction out, in;
    struct rmi_srtp_sources sources_out, sources_in;
    size_t tag;
    struct rmi_srtp_stats stats;
};

#endif
