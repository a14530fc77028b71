/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/bits.h"
#include "codec/limits.h"
#include <string.h>

/* H.264 7.3.2.1.1, 7.4.2.1.1 */
#define NAL_TYPE_BITS 0x1f
#define NAL_FORBIDDEN 0x80
#define NAL_SPS 7
#define SPS_ID_MAX 31
#define REF_FRAMES_MAX 16
#define CHROMA_420 1
#define POC_CYCLE_MAX 255
#define LOG2_MINUS4_MAX 12
#define MACROBLOCK 16
#define MACROBLOCKS_SIDE_MAX 1024 /* 16,384 pixels: beyond level 6.2; keeps the products below in 32 bits */
#define DPB_MACROBLOCKS_MAX 32768 /* table A-1, level 4.1: four references of 1920 x 1088; a cap on memory */
#define PROFILE_BASELINE 66
#define PROFILE_MAIN 77
#define PROFILE_EXTENDED 88
#define PROFILE_HIGH 100
#define SCALING_LISTS 8 /* for 4:2:0 */
#define SCALING_LISTS_4X4 6

static void skip_scaling_list(struct rmi_bits *b, int coefficients) {
    int last = 8, next = 8;
    for (int i = 0; i < coefficients && !b->failed; i++) {
        if (next != 0)
            next = (last + rmi_bits_se(b) % 256 + 256) % 256;
        last = next == 0 ? last : next;
    }
}

/* What only the high profiles have. */
static rm_err high_part(struct rmi_bits *b) {
    uint32_t chroma = rmi_bits_ue(b);
    if (b->failed)
        return RM_E_PARSE;
    if (chroma != CHROMA_420 || rmi_bits_ue(b) != 0 || rmi_bits_ue(b) != 0) /* bit depths over 8 */
        return RM_E_UNSUPPORTED;
    rmi_bits_flag(b);       /* qpprime_y_zero_transform_bypass_flag */
    if (rmi_bits_flag(b)) { /* seq_scaling_matrix_present_flag */
        for (int i = 0; i < SCALING_LISTS; i++)
            if (rmi_bits_flag(b))
                skip_scaling_list(b, i < SCALING_LISTS_4X4 ? 16 : 64);
    }
    return b->failed ? RM_E_PARSE : RM_OK;
}

static rm_err picture_order(struct rmi_bits *b) {
    if (rmi_bits_ue(b) > LOG2_MINUS4_MAX) /* log2_max_frame_num_minus4 */
        return RM_E_PARSE;
    uint32_t type = rmi_bits_ue(b);
    if (type > 2)
        return RM_E_PARSE;
    if (type == 0 && rmi_bits_ue(b) > LOG2_MINUS4_MAX)
        return RM_E_PARSE;
    if (type == 1) {
        rmi_bits_flag(b);
        rmi_bits_se(b);
        rmi_bits_se(b);
        uint32_t cycle = rmi_bits_ue(b);
        if (cycle > POC_CYCLE_MAX)
            return RM_E_PARSE;
        for (uint32_t i = 0; i < cycle; i++)
            rmi_bits_se(b);
    }
    return b->failed ? RM_E_PARSE : RM_OK;
}

static rm_err frame_size(struct rmi_bits *b, struct rmi_h264_sps *s) {
    s->ref_frames = rmi_bits_ue(b);
    rmi_bits_flag(b); /* gaps_in_frame_num_value_allowed_flag */
    uint32_t width = rmi_bits_ue(b), height = rmi_bits_ue(b);
    if (b->failed || s->ref_frames > REF_FRAMES_MAX || width >= MACROBLOCKS_SIDE_MAX || height >= MACROBLOCKS_SIDE_MAX)
        return RM_E_PARSE;
    s->width = (width + 1) * MACROBLOCK;
    s->height = (height + 1) * MACROBLOCK;
    bool frames_only = rmi_bits_flag(b);
    rmi_bits_flag(b);       /* direct_8x8_inference_flag */
    uint32_t crop[4] = {0}; /* left, right, top, bottom, in units of two pixels of 4:2:0 */
    if (rmi_bits_flag(b))
        for (int i = 0; i < 4; i++)
            crop[i] = rmi_bits_ue(b);
    if (b->failed)
        return RM_E_PARSE;
    if (!frames_only || (width + 1) * (height + 1) * s->ref_frames > DPB_MACROBLOCKS_MAX)
        return RM_E_UNSUPPORTED;
    uint64_t across = 2 * ((uint64_t)crop[0] + crop[1]), down = 2 * ((uint64_t)crop[2] + crop[3]);
    if (across >= s->width || down >= s->height)
        return RM_E_PARSE;
    s->shown_width = s->width - (uint32_t)across;
    s->shown_height = s->height - (uint32_t)down;
    return RM_OK;
}

rm_err rmi_h264_parse_sps(const uint8_t *nal, size_t len, struct rmi_h264_sps *out) {
    if (len > RMI_H264_SPS_MAX)
        return RM_E_PARSE;
    struct rmi_bits b = rmi_bits_init(nal, len, true);
    struct rmi_h264_sps s = {0};
    uint32_t header = rmi_bits_get(&b, 8);
    s.profile_idc = (uint8_t)rmi_bits_get(&b, 8);
    s.constraints = (uint8_t)rmi_bits_get(&b, 8);
    s.level_idc = (uint8_t)rmi_bits_get(&b, 8);
    uint32_t id = rmi_bits_ue(&b);
    if (b.failed || (header & NAL_FORBIDDEN) || (header & NAL_TYPE_BITS) != NAL_SPS || id > SPS_ID_MAX)
        return RM_E_PARSE;
    s.id = (uint8_t)id;
    rm_err err = RM_OK;
    if (s.profile_idc == PROFILE_HIGH)
        err = high_part(&b);
    else if (s.profile_idc != PROFILE_BASELINE && s.profile_idc != PROFILE_MAIN && s.profile_idc != PROFILE_EXTENDED)
        err = RM_E_UNSUPPORTED;
    if (!err)
        err = picture_order(&b);
    if (!err)
        err = frame_size(&b, &s);
    if (!err)
        *out = s;
    return err;
}
