/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/codec_private.h"
#include <stdlib.h>
#include <string.h>
#include <wels/codec_api.h>

/* openh264's decoder has overrun its buffers when a stream changed its size between an SPS and the next IDR picture
 * (CVE-2025-27091 and later reports). So it sees one SPS in its life: another one means another decoder, which gets
 * nothing before an IDR picture. */
struct h264_decoder {
    struct rmi_video_decoder base;
    ISVCDecoder *lib;
    uint8_t *copy; /* the access unit under way: only the NAL units the decoder needs */
    size_t copy_cap, copy_len;
    struct rmi_h264_unit unit;
    uint8_t sps[RMI_H264_SPS_MAX]; /* that the decoder was fed */
    size_t sps_len;
    bool opened;
};

static void close_decoder(struct h264_decoder *h) {
    if (!h->lib)
        return;
    (*h->lib)->Uninitialize(h->lib);
    WelsDestroyDecoder(h->lib);
    h->lib = NULL;
    h->sps_len = 0;
}

static rm_err open_decoder(struct h264_decoder *h) {
    SDecodingParam params;
    memset(&params, 0, sizeof params);
    params.eEcActiveIdc = ERROR_CON_DISABLE; /* frames come whole or not at all */
    params.sVideoProperty.size = sizeof params.sVideoProperty;
    params.sVideoProperty.eVideoBsType = VIDEO_BITSTREAM_AVC;
    if (WelsCreateDecoder(&h->lib) || !h->lib)
        return RM_E_NO_MEMORY;
    h->base.stats.restarts += h->opened;
    h->opened = true;
    int quiet = WELS_LOG_QUIET;
    (*h->lib)->SetOption(h->lib, DECODER_OPTION_TRACE_LEVEL, &quiet);
    return (*h->lib)->Initialize(h->lib, &params) ? RM_E_NO_MEMORY : RM_OK;
}

static rm_err h264_inspect(struct rmi_video_decoder *d, const uint8_t *data, size_t len,
                           struct rmi_video_header *header) {
    struct h264_decoder *h = (struct h264_decoder *)(void *)d;
    if (len > INT32_MAX / 2)
        return RM_E_PARSE;
    if (RMI_H264_NORMAL_MAX(len) > h->copy_cap) {
        size_t cap = 2 * RMI_H264_NORMAL_MAX(len);
        uint8_t *grown = realloc(h->copy, cap);
        if (!grown)
            return RM_E_NO_MEMORY;
        h->copy = grown;
        h->copy_cap = cap;
    }
    rm_err err = rmi_h264_normalise(data, len, &h->unit, h->copy, &h->copy_len);
    if (err)
        return err;
    header->key = h->unit.idr && (h->unit.sps || h->sps_len > 0);
    header->has_size = h->unit.sps != NULL;
    header->width = h->unit.sps_info.width;
    header->height = h->unit.sps_info.height;
    header->pictures = h->unit.slices ? 1 : 0;
    return RM_OK;
}

static void h264_prepare(struct rmi_video_decoder *d) {
    struct h264_decoder *h = (struct h264_decoder *)(void *)d;
    const struct rmi_h264_unit *u = &h->unit;
    if (!u->sps || (u->sps_len == h->sps_len && memcmp(u->sps, h->sps, u->sps_len) == 0))
        return;
    close_decoder(h);
    d->needs_key = true;
}

static rm_err h264_decode(struct rmi_video_decoder *d, const uint8_t *data, size_t len, struct rmi_codec_picture *out) {
    struct h264_decoder *h = (struct h264_decoder *)(void *)d;
    (void)data, (void)len; /* inspected: the copy is what counts */
    if (!h->lib) {
        rm_err err = open_decoder(h);
        if (err) {
            close_decoder(h);
            return err;
        }
    }
    if (h->unit.sps) {
        memcpy(h->sps, h->unit.sps, h->unit.sps_len); /* at most RMI_H264_SPS_MAX: parsed */
        h->sps_len = h->unit.sps_len;
    }
    if (h->copy_len == 0)
        return RM_E_AGAIN; /* nothing but SEI and the like */
    unsigned char *plane[3] = {NULL, NULL, NULL};
    SBufferInfo info;
    memset(&info, 0, sizeof info);
    DECODING_STATE state = (*h->lib)->DecodeFrameNoDelay(h->lib, h->copy, (int)h->copy_len, plane, &info);
    if (state != dsErrorFree) {
        close_decoder(h); /* what it holds now is of no use, and not to be trusted with more */
        return state & dsOutOfMemory ? RM_E_NO_MEMORY : RM_E_PARSE;
    }
    if (info.iBufferStatus != 1 || !plane[0])
        return RM_E_AGAIN;
    const SSysMEMBuffer *m = &info.UsrData.sSystemBuffer;
    *out = (struct rmi_codec_picture){
        .width = m->iWidth,
        .height = m->iHeight,
        .plane = {plane[0], plane[1], plane[2]},
        .stride = {m->iStride[0], m->iStride[1], m->iStride[1]},
    };
    return RM_OK;
}

static void h264_release(struct rmi_video_decoder *d) {
    struct h264_decoder *h = (struct h264_decoder *)(void *)d;
    close_decoder(h);
    free(h->copy);
}

static const struct rmi_video_decoder_ops ops = {
    .id = RMI_CODEC_H264,
    .object_bytes = sizeof(struct h264_decoder),
    .inspect = h264_inspect,
    .prepare = h264_prepare,
    .decode = h264_decode,
    .release = h264_release,
};

rm_err rmi_h264_decoder_create(const struct rmi_video_decoder_config *config, struct rmi_video_decoder **out) {
    return rmi_video_decoder_new(&ops, config, out);
}
