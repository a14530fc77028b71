/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams of a stranger into a DTLS client or server, before, in the middle of and after a handshake with the real
 * peer. First byte: which; then datagrams, each after a 16-bit length. None of them may verify anybody, or end an
 * established connection. */
#include "base/cursor.h"
#include "base/time.h"
#include "support/dtls_pair.h"
#include "support/virtual_crypto.h"
#include <stdlib.h>

#define DELAY_US RMI_MS(10)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rmi_dtls_cert *cert[2];

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    rmt_virtual_rand_seed(1);
    for (int side = 0; side < 2; side++)
        if (rmi_dtls_cert_create(RMT_VIRTUAL_EPOCH_S, &cert[side]) != RM_OK)
            abort();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* started; the server has answered; the client has answered that; connected */
    static const int64_t stages[] = {0, DELAY_US + 1, 2 * DELAY_US + 1, RMI_SEC(5)};
    struct rmi_rd r = rmi_rd_init(data, size);
    uint8_t choice = rmi_rd_u8(&r);
    enum rmt_dtls_side side = choice & 1;
    int64_t stage = stages[choice >> 1 & 3];
    struct rmt_dtls_options options = {
        .seed = 1, .delay_us = DELAY_US, .rtt_us = 2 * DELAY_US, .cert = {cert[0], cert[1]}};
    struct rmt_dtls_pair pair;
    rmt_dtls_pair_init(&pair, &options);
    rmt_dtls_pair_start(&pair);
    rmt_dtls_pair_run_all(&pair, stage);
    bool connected = rmt_dtls_pair_connected(&pair);
    while (rmi_rd_left(&r) > 0) {
        size_t len = rmi_rd_u16(&r);
        const uint8_t *datagram = rmi_rd_bytes(&r, len);
        if (!datagram)
            break;
        rmt_dtls_pair_inject(&pair, side, datagram, len);
        rmi_dtls_timeout(pair.end[side].dtls, pair.now_us += RMI_MS(5));
    }
    if (rmt_dtls_pair_connected(&pair) != connected || pair.end[side].messages > 0)
        abort();
    rmt_dtls_pair_fini(&pair);
    return 0;
}
