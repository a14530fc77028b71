/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/ext.h"
#include "rtp/rtx.h"
#include <stdlib.h>
#include <string.h>

/* One packet: what parses stays within its bounds, is the same after being written and parsed again, and survives the
 * way through a retransmission. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIZE_LIMIT 4096

static void require(bool ok) {
    if (!ok)
        abort();
}

static bool same(const struct rmi_rtp_packet *p, const struct rmi_rtp_packet *q) {
    bool ok = p->marker == q->marker && p->timestamp == q->timestamp && p->csrc_count == q->csrc_count &&
              memcmp(p->csrc, q->csrc, sizeof p->csrc) == 0 && p->ext_count == q->ext_count &&
              p->payload_len == q->payload_len && memcmp(p->payload, q->payload, p->payload_len) == 0;
    for (size_t i = 0; ok && i < p->ext_count; i++)
        ok = p->ext[i].id == q->ext[i].id && p->ext[i].len == q->ext[i].len &&
             memcmp(p->ext[i].data, q->ext[i].data, p->ext[i].len) == 0;
    return ok;
}

static void try_packet(const struct rmi_rtp_packet *p, const uint8_t *data, size_t size) {
    static const struct rmi_rtp_ext_ids ids = {4, 3, 2, 1};
    struct rmi_rtp_packet q;
    struct rmi_rtp_ext_values values;
    uint8_t out[2 * SIZE_LIMIT], back[2 * SIZE_LIMIT];
    require(p->header_len + p->payload_len + p->padding == size);
    for (size_t i = 0; i < p->ext_count; i++)
        require(p->ext[i].data >= data && p->ext[i].data + p->ext[i].len <= data + p->header_len);
    rmi_rtp_ext_read(p, &ids, &values);
    require(strlen(values.mid) <= RMI_RTP_MID_MAX && values.audio_level <= RMI_RTP_AUDIO_SILENT);
    size_t n = rmi_rtp_write(p, out, sizeof out);
    require(n > 0 && rmi_rtp_parse(out, n, &q) == RM_OK && same(p, &q) && p->padding == q.padding);
    size_t m;
    require(rmi_rtx_wrap(data, size, 97, 1, 2, out, sizeof out, &n) == RM_OK);
    require(rmi_rtx_unwrap(out, n, p->pt, p->ssrc, back, sizeof back, &m) == RM_OK);
    require(rmi_rtp_parse(back, m, &q) == RM_OK && same(p, &q) && q.seq == p->seq && q.ssrc == p->ssrc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rmi_rtp_packet p;
    uint8_t out[2 * SIZE_LIMIT];
    size_t n;
    if (size > SIZE_LIMIT)
        return 0;
    if (rmi_rtp_parse(data, size, &p) == RM_OK)
        try_packet(&p, data, size);
    if (rmi_rtx_unwrap(data, size, 96, 1, out, sizeof out, &n) == RM_OK)
        require(rmi_rtp_parse(out, n, &p) == RM_OK);
    return 0;
}
