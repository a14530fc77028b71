/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/audio.h"
#include "codec/limits.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What is read from a remote frame before a decoder sees it: the first byte says as what. What the H.264 reader puts
 * out must be accepted again and come out the same. */

enum { AS_VP8, AS_VP9, AS_SPS, AS_H264, AS_OPUS, KINDS };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_size(rm_err err, const struct rmi_video_header *h) {
    if (!err && (h->pictures == 0 || (h->has_size && (h->width == 0 || h->height == 0))))
        abort();
}

static void try_unit(const uint8_t *data, size_t size) {
    struct rmi_h264_unit unit, again;
    size_t len, len_again, cap = RMI_H264_NORMAL_MAX(size);
    uint8_t *out = malloc(cap), *out_again = malloc(RMI_H264_NORMAL_MAX(cap));
    if (!out || !out_again)
        abort();
    if (rmi_h264_normalise(data, size, &unit, out, &len) == RM_OK) {
        if (len > cap || (unit.sps && unit.sps_len > RMI_H264_SPS_MAX))
            abort();
        if (len > 0 && (rmi_h264_normalise(out, len, &again, out_again, &len_again) || len_again != len ||
                        memcmp(out, out_again, len) != 0 || again.idr != unit.idr || again.slices != unit.slices ||
                        again.sps_info.width != unit.sps_info.width))
            abort();
    }
    free(out);
    free(out_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rmi_video_header header;
    struct rmi_h264_sps sps;
    if (size == 0)
        return 0;
    const uint8_t *rest = data + 1;
    size_t len = size - 1;
    switch (data[0] % KINDS) {
    case AS_VP8:
        check_size(rmi_vp8_parse_header(rest, len, &header), &header);
        break;
    case AS_VP9:
        check_size(rmi_vp9_parse_header(rest, len, &header), &header);
        break;
    case AS_SPS:
        if (rmi_h264_parse_sps(rest, len, &sps) == RM_OK &&
            (sps.shown_width == 0 || sps.shown_width > sps.width || sps.shown_height == 0 ||
             sps.shown_height > sps.height || sps.width > 16384 || sps.height > 16384))
            abort();
        break;
    case AS_H264:
        try_unit(rest, len);
        break;
    default:
        if (rmi_opus_packet_samples(rest, len, 48000) > 5760)
            abort();
        (void)rmi_opus_packet_has_fec(rest, len);
    }
    return 0;
}
