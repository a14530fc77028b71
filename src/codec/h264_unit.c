/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cursor.h"
#include "codec/limits.h"
#include <string.h>

/* H.264 table 7-1 */
enum { NAL_SLICE = 1, NAL_PART_A = 2, NAL_PART_C = 4, NAL_IDR = 5, NAL_SPS = 7, NAL_PPS = 8 };
#define NAL_TYPE_BITS 0x1f
#define NAL_FORBIDDEN 0x80
#define START_BYTES 3 /* 00 00 01; a zero byte in front belongs to the gap */

static const uint8_t start_code[] = {0, 0, 0, 1};

/* Position of the next 00 00 01 at or after `at`, or len. The one search over bare bytes: frames are large. */
static size_t find_start(const uint8_t *data, size_t len, size_t at) {
    while (at + START_BYTES <= len) {
        const uint8_t *one = memchr(data + at + 2, 1, len - at - 2);
        if (!one)
            return len;
        size_t start = (size_t)(one - data) - 2;
        if (data[start] == 0 && data[start + 1] == 0)
            return start;
        at = start + 1;
    }
    return len;
}

static rm_err take_sps(struct rmi_h264_unit *u, const uint8_t *nal, size_t len) {
    if (u->slices)
        return RM_E_PARSE; /* parameters that change within a picture */
    if (u->sps)
        return len == u->sps_len && memcmp(nal, u->sps, len) == 0 ? RM_OK : RM_E_PARSE;
    rm_err err = rmi_h264_parse_sps(nal, len, &u->sps_info);
    if (err)
        return err;
    u->sps = nal;
    u->sps_len = len;
    return RM_OK;
}

static rm_err take_nal(struct rmi_h264_unit *u, const uint8_t *nal, size_t len, struct rmi_wr *w) {
    struct rmi_rd r = rmi_rd_init(nal, len);
    uint8_t header = rmi_rd_u8(&r);
    int type = header & NAL_TYPE_BITS;
    rm_err err = RM_OK;
    if (r.failed || (header & NAL_FORBIDDEN))
        return RM_E_PARSE;
    if (type >= NAL_PART_A && type <= NAL_PART_C)
        return RM_E_UNSUPPORTED;
    if (type != NAL_SLICE && type != NAL_IDR && type != NAL_SPS && type != NAL_PPS)
        return RM_OK; /* SEI, delimiters, layers of SVC and MVC: nothing a decoder of the base needs */
    if (type == NAL_SPS)
        err = take_sps(u, nal, len);
    u->slices = u->slices || type == NAL_SLICE || type == NAL_IDR;
    u->idr = u->idr || type == NAL_IDR;
    rmi_wr_bytes(w, start_code, sizeof start_code);
    rmi_wr_bytes(w, nal, len);
    return err;
}

rm_err rmi_h264_normalise(const uint8_t *data, size_t len, struct rmi_h264_unit *unit, uint8_t *out, size_t *out_len) {
    struct rmi_h264_unit u = {0};
    struct rmi_wr w = rmi_wr_init(out, RMI_H264_NORMAL_MAX(len));
    size_t at = find_start(data, len, 0);
    if (at == len)
        return RM_E_PARSE;
    while (at < len) {
        size_t begin = at + START_BYTES, end = find_start(data, len, begin);
        at = end;
        while (end > begin && data[end - 1] == 0) /* trailing_zero_8bits, and the first zero of a long start code */
            end--;
        rm_err err = take_nal(&u, data + begin, end - begin, &w);
        if (err)
            return err;
    }
    if (w.failed)
        return RM_E_TOO_BIG;
    *unit = u;
    *out_len = w.pos;
    return RM_OK;
}
