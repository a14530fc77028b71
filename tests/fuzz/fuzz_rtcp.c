/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/source.h"
#include "rtp/twcc.h"
#include <stdlib.h>
#include <string.h>

/* One RTCP datagram, with all its lists read to the end: work stays in proportion to its length. What is read of NACKs
 * and reports is written and must read the same. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok) {
    if (!ok)
        abort();
}

static void check_text(const struct rmi_rtcp_text *t, const uint8_t *data, size_t size) {
    require(!t->data || (t->data >= data && t->data + t->len <= data + size));
}

static void read_again(const uint8_t *data, size_t size, struct rmi_rtcp_item *out) {
    struct rmi_rtcp_reader r;
    require(rmi_rtcp_begin(&r, data, size) == RM_OK && rmi_rtcp_next(&r, out) == RM_OK);
}

static void try_nack(const struct rmi_rtcp_item *item, size_t size) {
    struct rmi_rtcp_nack_reader nack;
    uint16_t seqs[64], again[64];
    size_t n, total = 0;
    rmi_rtcp_nack_begin(&nack, item);
    while ((n = rmi_rtcp_nack_next(&nack, seqs, 17)) > 0) {
        uint8_t out[256];
        struct rmi_wr w = rmi_wr_init(out, sizeof out);
        struct rmi_rtcp_item copy;
        total += n;
        require(rmi_rtcp_write_nack(&w, 1, 2, seqs, n) == n && !w.failed);
        read_again(out, w.pos, &copy);
        struct rmi_rtcp_nack_reader second;
        rmi_rtcp_nack_begin(&second, &copy);
        size_t m = rmi_rtcp_nack_next(&second, again, 64);
        require(m <= n && m > 0 && again[0] == seqs[0]);
    }
    require(total <= size / 4 * 17);
}

static void try_reports(const struct rmi_rtcp_item *item) {
    uint8_t out[1024];
    struct rmi_wr w = rmi_wr_init(out, sizeof out);
    struct rmi_rtcp_item copy;
    int64_t rtt;
    if (item->kind == RMI_RTCP_SR)
        rmi_rtcp_write_sr(&w, item->sender_ssrc, &item->sender, item->u.report, item->count);
    else
        rmi_rtcp_write_rr(&w, item->sender_ssrc, item->u.report, item->count);
    require(!w.failed);
    read_again(out, w.pos, &copy);
    require(copy.kind == item->kind && copy.count == item->count);
    for (size_t i = 0; i < item->count; i++) {
        require(memcmp(&copy.u.report[i].lost, &item->u.report[i].lost, sizeof(int32_t)) == 0);
        if (rmi_rtcp_round_trip_us(0x80000000U, &item->u.report[i], &rtt))
            require(rtt >= 0 && rtt <= 60000000);
    }
}

static void try_ecn(const struct rmi_rtcp_item *item) {
    uint8_t out[1024];
    struct rmi_wr w = rmi_wr_init(out, sizeof out);
    struct rmi_rtcp_item copy;
    rmi_rtcp_write_ecn_summary(&w, item->sender_ssrc, item->u.ecn, item->count);
    require(!w.failed);
    read_again(out, w.pos, &copy);
    require(copy.kind == RMI_RTCP_ECN && copy.count == item->count);
    for (size_t i = 0; i < item->count; i++)
        require(copy.u.ecn[i].ssrc == item->u.ecn[i].ssrc && copy.u.ecn[i].ce == item->u.ecn[i].ce &&
                copy.u.ecn[i].duplicates == item->u.ecn[i].duplicates);
}

static void try_item(const struct rmi_rtcp_item *item, const uint8_t *data, size_t size) {
    struct rmi_twcc_reader twcc;
    struct rmi_twcc_arrival arrival;
    uint32_t ssrc;
    uint8_t command;
    size_t n = 0;
    while (rmi_rtcp_fir_at(item, n, &ssrc, &command) || rmi_rtcp_remb_at(item, n, &ssrc))
        require(++n <= size / 4);
    check_text(&item->reason, data, size);
    for (size_t i = 0; item->kind == RMI_RTCP_SDES && i < item->count; i++) {
        check_text(&item->u.sdes[i].cname, data, size);
        check_text(&item->u.sdes[i].mid, data, size);
    }
    if (item->kind == RMI_RTCP_NACK)
        try_nack(item, size);
    if (item->kind == RMI_RTCP_SR || item->kind == RMI_RTCP_RR)
        try_reports(item);
    if (item->kind == RMI_RTCP_ECN)
        try_ecn(item);
    if (rmi_twcc_begin(&twcc, item) == RM_OK) {
        for (n = 0; rmi_twcc_next(&twcc, &arrival);)
            require(++n <= size);
        require(!twcc.chunks.failed && !twcc.deltas.failed && rmi_rd_left(&twcc.deltas) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rmi_rtcp_reader r;
    struct rmi_rtcp_item item;
    size_t packets = 0;
    rm_err err;
    if (rmi_rtcp_begin(&r, data, size) != RM_OK)
        return 0;
    while ((err = rmi_rtcp_next(&r, &item)) != RM_E_AGAIN) {
        require(++packets <= size / 4);
        if (err == RM_OK)
            try_item(&item, data, size);
    }
    return 0;
}
