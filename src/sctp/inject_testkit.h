/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SCTP_INJECT_TESTKIT_H
#define RMI_SCTP_INJECT_TESTKIT_H

#include "sctp/association_private.h"
#include "sctp/pair_testkit.h"

/* Packets of a peer that does as a test says, to one end of a connected pair. */

struct test_packet_out {
    uint8_t bytes[RMI_SCTP_PACKET_MAX + 1];
    struct rmi_wr w;
};

static inline struct rmi_wr *test_inject_begin(struct test_packet_out *o, const struct rmi_sctp *to) {
    o->w = rmi_wr_init(o->bytes, sizeof o->bytes);
    rmi_sctp_header_write(&o->w, RMI_SCTP_PORT, RMI_SCTP_PORT, to->local_tag);
    return &o->w;
}

static inline void test_inject(struct test_packet_out *o, struct rmi_sctp *to, int64_t now_us) {
    if (o->w.failed)
        abort();
    rmi_sctp_checksum_set(o->bytes, o->w.pos);
    rmi_sctp_input(to, now_us, o->bytes, o->w.pos);
}

static inline void test_inject_data(struct rmi_sctp *to, int64_t now_us, const struct rmi_sctp_data *d) {
    struct test_packet_out o;
    rmi_sctp_data_write(test_inject_begin(&o, to), to->interleaving, d);
    test_inject(&o, to, now_us);
}

/* RFC 3758 3.2 without streams, as for unordered DATA. */
static inline void test_inject_forward(struct rmi_sctp *to, int64_t now_us, uint32_t tsn) {
    struct test_packet_out o;
    struct rmi_wr *w = test_inject_begin(&o, to);
    const size_t at = rmi_sctp_chunk_begin(w, RMI_SCTP_FORWARD_TSN, 0);
    rmi_wr_u32(w, tsn);
    rmi_sctp_tlv_end(w, at);
    test_inject(&o, to, now_us);
}

/* Before the association is started. */
static inline void test_set_first_tsn(struct rmi_sctp *a, uint32_t tsn) {
    a->first_tsn = a->next_tsn = a->reset_seq = tsn;
    a->cum_ack = a->highest_ack = a->advanced = a->forward_sent = tsn - 1;
}

#endif
