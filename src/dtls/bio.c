/* SPDX-License-Identifier: Apache-2.0 */
#include "dtls/dtls_private.h"
#include <string.h>

/* A fixed type number below those that BIO_get_new_index hands out: that counter is process-wide and ends at 255. */
#define RMI_DTLS_BIO_TYPE (BIO_TYPE_SOURCE_SINK | 126)

static int bio_write(BIO *bio, const char *data, int len) {
    struct rmi_dtls_bio *state = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (len <= 0)
        return 0;
    state->write(state->ctx, (const uint8_t *)data, (size_t)len);
    return len;
}

static int bio_read(BIO *bio, char *out, int cap) {
    struct rmi_dtls_bio *state = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    state->reads++;
    if (!state->in || cap <= 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    /* As with a socket, what does not fit is lost; OpenSSL reads with the size of a whole record. */
    size_t n = state->in_len < (size_t)cap ? state->in_len : (size_t)cap;
    memcpy(out, state->in, n);
    state->in = NULL;
    state->in_len = 0;
    return (int)n;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer) {
    const struct rmi_dtls_bio *state = BIO_get_data(bio);
    (void)number, (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH:
    case BIO_CTRL_DGRAM_SET_CONNECTED:
    case BIO_CTRL_DGRAM_SET_PEER:
    case BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT: /* the caller's clock drives the timer */
        return 1;
    case BIO_CTRL_PENDING:
        return state->in ? (long)state->in_len : 0;
    case BIO_CTRL_DGRAM_QUERY_MTU:
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
    case BIO_CTRL_DGRAM_GET_MTU:
        return RMI_DATAGRAM_MTU;
    default: /* WPENDING: nothing is ever kept; GET_MTU_OVERHEAD: the MTU is that of the payload already */
        return 0;
    }
}

static int bio_create(BIO *bio) {
    BIO_set_init(bio, 1);
    return 1;
}

BIO_METHOD *rmi_dtls_bio_method_new(void) {
    BIO_METHOD *method = BIO_meth_new(RMI_DTLS_BIO_TYPE, "datagrams of the caller");
    if (!method)
        return NULL;
    if (!BIO_meth_set_write(method, bio_write) || !BIO_meth_set_read(method, bio_read) ||
        !BIO_meth_set_ctrl(method, bio_ctrl) || !BIO_meth_set_create(method, bio_create)) {
        BIO_meth_free(method);
        return NULL;
    }
    return method;
}

BIO *rmi_dtls_bio_new(const BIO_METHOD *method, struct rmi_dtls_bio *state) {
    BIO *bio = BIO_new(method);
    if (bio)
        BIO_set_data(bio, state);
    return bio;
}
