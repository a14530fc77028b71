/* SPDX-License-Identifier: Apache-2.0 */
/* Packets of a stranger into unprotect, and any plaintext through protect and back. First byte: profile (bit 0); then
 * packets, each after a byte (bit 0: RTCP, bit 1: protect it first) and a 16-bit length. */
#include "base/cursor.h"
#include "srtp/srtp.h"
#include <stdlib.h>
#include <string.h>

#define PACKET_MAX 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rmi_srtp *create(uint8_t choice, uint8_t local, uint8_t remote) {
    uint8_t keys[2][30];
    struct rmi_srtp *s = NULL;
    memset(keys[0], local, sizeof keys[0]);
    memset(keys[1], remote, sizeof keys[1]);
    struct rmi_srtp_keying keying = {.profile = choice & 1 ? 7 : 1, .local = keys[0], .remote = keys[1]};
    keying.len = choice & 1 ? 28 : 30;
    if (rmi_srtp_create(&keying, &s) != RM_OK)
        abort();
    return s;
}

static void there_and_back(struct rmi_srtp *from, struct rmi_srtp *to, bool rtcp, const uint8_t *data, size_t size) {
    uint8_t packet[PACKET_MAX + RMI_SRTP_TRAILER_MAX];
    size_t len = size;
    memcpy(packet, data, size);
    rm_err err = rtcp ? rmi_srtp_protect_rtcp(from, packet, &len, sizeof packet)
                      : rmi_srtp_protect_rtp(from, packet, &len, sizeof packet);
    if (err != RM_OK)
        return;
    if (len > size + RMI_SRTP_TRAILER_MAX)
        abort();
    err = rtcp ? rmi_srtp_unprotect_rtcp(to, packet, &len) : rmi_srtp_unprotect_rtp(to, packet, &len);
    if (err == RM_OK ? len != size || memcmp(packet, data, size) != 0 : err != RM_E_SRTP_REPLAY)
        abort();
}

static void stranger(struct rmi_srtp *to, bool rtcp, const uint8_t *data, size_t size) {
    uint8_t *exact = malloc(size ? size : 1); /* so that a sanitizer sees any read past it */
    if (!exact)
        return;
    memcpy(exact, data, size);
    size_t len = size;
    if ((rtcp ? rmi_srtp_unprotect_rtcp(to, exact, &len) : rmi_srtp_unprotect_rtp(to, exact, &len)) == RM_OK)
        abort();
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rmi_rd r = rmi_rd_init(data, size);
    uint8_t choice = rmi_rd_u8(&r);
    struct rmi_srtp *from = create(choice, 1, 2), *to = create(choice, 2, 1);
    while (rmi_rd_left(&r) > 0) {
        uint8_t kind = rmi_rd_u8(&r);
        size_t len = rmi_rd_u16(&r);
        const uint8_t *packet = rmi_rd_bytes(&r, len);
        if (!packet || len > PACKET_MAX)
            break;
        if (kind & 2)
            there_and_back(from, to, kind & 1, packet, len);
        else
            stranger(to, kind & 1, packet, len);
    }
    rmi_srtp_destroy(&from);
    rmi_srtp_destroy(&to);
    return 0;
}
