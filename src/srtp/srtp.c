/* SPDX-License-Identifier: Apache-2.0 */
#include "srtp/srtp.h"
#include "base/cursor.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <srtp2/srtp.h>
#include <stdlib.h>
#include <string.h>

/* IANA DTLS-SRTP protection profiles */
#define PROFILE_AES128_CM_SHA1_80 0x0001
#define PROFILE_AEAD_AES_128_GCM 0x0007
#define KEY_BYTES_CM 30  /* RFC 5764 4.1.2: 16 + 14 */
#define KEY_BYTES_GCM 28 /* RFC 7714 14.2: 16 + 12 */
#define TAG_BYTES_CM 10
#define TAG_BYTES_GCM 16
#define RTP_HEADER 12 /* RFC 3550 5.1 */
#define RTCP_HEADER 8 /* RFC 3711 3.4: header and SSRC of the sender stay in the clear */
#define SRTCP_INDEX 4 /* RFC 3711 3.4: E bit and index */
#define EXTENSION_BIT 0x10
#define CSRC_COUNT_MASK 0x0f
#define VERSION_SHIFT 6
#define RTP_VERSION 2
/* A peer may invent a new SSRC for each packet; libsrtp keeps a context (replay window, counters) for each. The one
 * unused longest makes room. */
#define SOURCES_MAX 128

struct source {
    uint32_t ssrc;
    uint64_t used; /* packet count at the last use */
};

struct rmi_srtp {
    srtp_t out, in; /* libsrtp has one template per session, so one session a direction */
    size_t tag;
    struct rmi_srtp_stats stats;
    struct source sources[SOURCES_MAX]; /* inbound, authenticated */
    size_t source_count, last_source;
    uint64_t clock;
};

/* ---- libsrtp's process-wide set-up ----
 * The one exception to "no global state": the library has a kernel of its own that must be initialised once. It is
 * never shut down, for another user of libsrtp in the process could still need it. */

static pthread_once_t init_once = PTHREAD_ONCE_INIT;
static srtp_err_status_t init_status;

static void init_library(void) {
    init_status = srtp_init();
}

/* ---- creation ---- */

static bool set_policy(srtp_policy_t *policy, uint16_t profile, size_t key_len) {
    memset(policy, 0, sizeof *policy);
    if (profile == PROFILE_AES128_CM_SHA1_80 && key_len == KEY_BYTES_CM) {
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy->rtp);
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy->rtcp);
    } else if (profile == PROFILE_AEAD_AES_128_GCM && key_len == KEY_BYTES_GCM) {
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy->rtp);
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy->rtcp);
    } else {
        return false;
    }
    policy->window_size = RMI_SRTP_REPLAY_WINDOW;
    policy->allow_repeat_tx = 1; /* a packet sent again because of a NACK */
    return true;
}

static srtp_err_status_t create_session(srtp_t *out, srtp_policy_t policy, srtp_ssrc_type_t type, const uint8_t *key) {
    uint8_t copy[SRTP_MAX_KEY_LEN] = {0};
    memcpy(copy, key, KEY_BYTES_CM < policy.rtp.cipher_key_len ? KEY_BYTES_CM : (size_t)policy.rtp.cipher_key_len);
    policy.ssrc.type = type;
    policy.key = copy;
    srtp_err_status_t status = srtp_create(out, &policy);
    explicit_bzero(copy, sizeof copy);
    return status;
}

rm_err rmi_srtp_create(const struct rmi_srtp_keying *keying, struct rmi_srtp **out) {
    srtp_policy_t policy;
    if (!keying || !keying->local || !keying->remote || !out)
        return RM_E_INVALID_ARG;
    if (!set_policy(&policy, keying->profile, keying->len))
        return RM_E_SRTP_PROFILE;
    pthread_once(&init_once, init_library);
    if (init_status != srtp_err_status_ok)
        return RM_E_INTERNAL;
    struct rmi_srtp *s = calloc(1, sizeof *s);
    if (!s)
        return RM_E_NO_MEMORY;
    s->tag = keying->profile == PROFILE_AEAD_AES_128_GCM ? TAG_BYTES_GCM : TAG_BYTES_CM;
    srtp_err_status_t status = create_session(&s->out, policy, ssrc_any_outbound, keying->local);
    if (status == srtp_err_status_ok)
        status = create_session(&s->in, policy, ssrc_any_inbound, keying->remote);
    if (status != srtp_err_status_ok) {
        rmi_srtp_destroy(&s);
        return status == srtp_err_status_alloc_fail ? RM_E_NO_MEMORY : RM_E_INTERNAL;
    }
    *out = s;
    return RM_OK;
}

void rmi_srtp_destroy(struct rmi_srtp **s) {
    if (!s || !*s)
        return;
    if ((*s)->out)
        srtp_dealloc((*s)->out);
    if ((*s)->in)
        srtp_dealloc((*s)->in);
    free(*s);
    *s = NULL;
}

/* ---- what libsrtp may see ---- */

/* Whether `data` starts with a whole RTP header, CSRCs and extension included, and `trailer` bytes fit after it. */
static bool rtp_ok(const uint8_t *data, size_t len, size_t trailer, uint32_t *ssrc) {
    struct rmi_rd r = rmi_rd_init(data, len);
    uint8_t first = rmi_rd_u8(&r);
    rmi_rd_skip(&r, 7); /* payload type, sequence number, timestamp */
    *ssrc = rmi_rd_u32(&r);
    rmi_rd_skip(&r, (size_t)(first & CSRC_COUNT_MASK) * 4);
    if (first & EXTENSION_BIT) {
        rmi_rd_skip(&r, 2);
        rmi_rd_skip(&r, (size_t)rmi_rd_u16(&r) * 4); /* counted in words, RFC 3550 5.3.1 */
    }
    rmi_rd_skip(&r, trailer);
    return !r.failed && first >> VERSION_SHIFT == RTP_VERSION;
}

static bool rtcp_ok(const uint8_t *data, size_t len, size_t trailer, uint32_t *ssrc) {
    struct rmi_rd r = rmi_rd_init(data, len);
    uint8_t first = rmi_rd_u8(&r);
    rmi_rd_skip(&r, 3);
    *ssrc = rmi_rd_u32(&r);
    rmi_rd_skip(&r, trailer);
    return !r.failed && first >> VERSION_SHIFT == RTP_VERSION;
}

static rm_err from_status(srtp_err_status_t status) {
    switch (status) {
    case srtp_err_status_ok:
        return RM_OK;
    case srtp_err_status_replay_fail:
    case srtp_err_status_replay_old:
    case srtp_err_status_pkt_idx_old:
        return RM_E_SRTP_REPLAY;
    case srtp_err_status_bad_param:
    case srtp_err_status_parse_err:
        return RM_E_PARSE;
    case srtp_err_status_alloc_fail:
        return RM_E_NO_MEMORY;
    case srtp_err_status_key_expired:
        return RM_E_LIMIT;
    default: /* whatever else it is: nothing vouches for these bytes */
        return RM_E_SRTP_AUTH;
    }
}

static rm_err count(struct rmi_srtp *s, rm_err err, uint64_t *good) {
    switch (err) {
    case RM_OK:
        ++*good;
        break;
    case RM_E_SRTP_AUTH:
        s->stats.auth_failures++;
        break;
    case RM_E_SRTP_REPLAY:
        s->stats.replays++;
        break;
    default:
        s->stats.malformed++;
        break;
    }
    return err;
}

/* ---- sources ---- */

static size_t find_source(const struct rmi_srtp *s, uint32_t ssrc) {
    if (s->last_source < s->source_count && s->sources[s->last_source].ssrc == ssrc)
        return s->last_source;
    size_t i = 0;
    while (i < s->source_count && s->sources[i].ssrc != ssrc)
        i++;
    return i;
}

/* An authenticated packet of `ssrc` came in. */
static void note_source(struct rmi_srtp *s, uint32_t ssrc) {
    size_t i = find_source(s, ssrc);
    if (i == s->source_count && s->source_count < SOURCES_MAX)
        s->source_count++;
    if (i == SOURCES_MAX) {
        i = 0;
        for (size_t k = 1; k < SOURCES_MAX; k++)
            if (s->sources[k].used < s->sources[i].used)
                i = k;
        (void)srtp_remove_stream(s->in, htonl(s->sources[i].ssrc)); /* it wants network order */
    }
    s->sources[i] = (struct source){.ssrc = ssrc, .used = ++s->clock};
    s->last_source = i;
}

/* ---- packets ---- */

typedef srtp_err_status_t (*transform)(srtp_t session, void *data, int *len);

static rm_err protect(struct rmi_srtp *s, uint8_t *data, size_t *len, size_t cap, bool ok, transform f) {
    if (!ok)
        return count(s, RM_E_PARSE, &s->stats.protected_packets);
    if (*len > INT16_MAX || cap < *len || cap - *len < RMI_SRTP_TRAILER_MAX)
        return RM_E_TOO_BIG;
    int n = (int)*len;
    rm_err err = from_status(f(s->out, data, &n));
    if (err == RM_OK)
        *len = (size_t)n;
    return count(s, err, &s->stats.protected_packets);
}

static rm_err unprotect(struct rmi_srtp *s, uint8_t *data, size_t *len, bool ok, uint32_t ssrc, transform f) {
    if (!ok || *len > INT16_MAX)
        return count(s, RM_E_PARSE, &s->stats.unprotected_packets);
    int n = (int)*len;
    rm_err err = from_status(f(s->in, data, &n));
    if (err == RM_OK) {
        *len = (size_t)n;
        note_source(s, ssrc);
    }
    return count(s, err, &s->stats.unprotected_packets);
}

rm_err rmi_srtp_protect_rtp(struct rmi_srtp *s, uint8_t *data, size_t *len, size_t cap) {
    uint32_t ssrc;
    return protect(s, data, len, cap, rtp_ok(data, *len, 0, &ssrc), srtp_protect);
}

rm_err rmi_srtp_protect_rtcp(struct rmi_srtp *s, uint8_t *data, size_t *len, size_t cap) {
    uint32_t ssrc;
    return protect(s, data, len, cap, rtcp_ok(data, *len, 0, &ssrc), srtp_protect_rtcp);
}

rm_err rmi_srtp_unprotect_rtp(struct rmi_srtp *s, uint8_t *data, size_t *len) {
    uint32_t ssrc;
    bool ok = rtp_ok(data, *len, s->tag, &ssrc);
    return unprotect(s, data, len, ok, ssrc, srtp_unprotect);
}

rm_err rmi_srtp_unprotect_rtcp(struct rmi_srtp *s, uint8_t *data, size_t *len) {
    uint32_t ssrc;
    bool ok = rtcp_ok(data, *len, s->tag + SRTCP_INDEX, &ssrc);
    return unprotect(s, data, len, ok, ssrc, srtp_unprotect_rtcp);
}

void rmi_srtp_get_stats(const struct rmi_srtp *s, struct rmi_srtp_stats *out) {
    *out = s->stats;
}
