/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SRTP_SRTP_TESTKIT_H
#define RMI_SRTP_SRTP_TESTKIT_H

#include "srtp/srtp.h"
#include <string.h>

#define BUFFER 2048
enum { CM = 0x0001, GCM = 0x0007 };
static const uint16_t profiles[] = {CM, GCM};

struct ends {
    struct rmi_srtp *a, *b;
    uint8_t key_a[30], key_b[30];
};

static inline struct ends ends_create(uint16_t profile) {
    struct ends e;
    for (size_t i = 0; i < sizeof e.key_a; i++) {
        e.key_a[i] = (uint8_t)(i * 5 + 1);
        e.key_b[i] = (uint8_t)(200 - i);
    }
    size_t len = profile == GCM ? 28 : 30;
    struct rmi_srtp_keying a = {profile, e.key_a, e.key_b, len}, b = {profile, e.key_b, e.key_a, len};
    assert_int_equal(rmi_srtp_create(&a, &e.a), RM_OK);
    assert_int_equal(rmi_srtp_create(&b, &e.b), RM_OK);
    return e;
}

static inline void ends_destroy(struct ends *e) {
    rmi_srtp_destroy(&e->a);
    rmi_srtp_destroy(&e->b);
}

static inline size_t make_rtp(uint8_t *out, uint32_t ssrc, uint16_t seq, size_t payload) {
    memset(out, 0, 12);
    out[0] = 0x80;
    out[1] = 96;
    out[2] = (uint8_t)(seq >> 8);
    out[3] = (uint8_t)seq;
    for (int i = 0; i < 4; i++)
        out[8 + i] = (uint8_t)(ssrc >> (24 - 8 * i));
    for (size_t i = 0; i < payload; i++)
        out[12 + i] = (uint8_t)(i ^ seq);
    return 12 + payload;
}

static inline size_t make_rtcp(uint8_t *out, uint32_t ssrc, size_t payload) {
    size_t n = make_rtp(out, 0, 0, payload);
    out[1] = 200;
    for (int i = 0; i < 4; i++)
        out[4 + i] = (uint8_t)(ssrc >> (24 - 8 * i));
    return n;
}

static inline size_t sent(struct rmi_srtp *s, uint8_t *out, uint32_t ssrc, uint16_t seq) {
    size_t len = make_rtp(out, ssrc, seq, 40);
    assert_int_equal(rmi_srtp_protect_rtp(s, out, &len, BUFFER), RM_OK);
    return len;
}

static inline rm_err received(struct rmi_srtp *s, const uint8_t *packet, size_t len) {
    uint8_t copy[BUFFER];
    memcpy(copy, packet, len);
    return rmi_srtp_unprotect_rtp(s, copy, &len);
}

static inline size_t unhex(const char *text, uint8_t *out) {
    size_t n = 0;
    for (; *text; text++) {
        if (*text == ' ')
            continue;
        int v = *text <= '9' ? *text - '0' : (*text | 32) - 'a' + 10;
        out[n / 2] = (uint8_t)(n % 2 ? out[n / 2] | v : v << 4);
        n++;
    }
    return n / 2;
}

#endif
