/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cursor.h"
#include "base/time.h"
#include "codec/codec_private.h"
#include <stdlib.h>
#include <string.h>
#include <wels/codec_api.h>

struct h264_encoder {
    struct rmi_video_encoder base;
    ISVCEncoder *lib;
    uint8_t *out; /* the layers of a frame in one piece */
    size_t out_cap;
};

#define MACROBLOCK 16
#define LEVEL_3_1_MACROBLOCKS 3600 /* H.264 table A-1: 1280 x 720 */
#define LEVEL_4_1_MACROBLOCKS 8192 /* 1920 x 1088 */

/* By the size alone. Left to itself the library takes the lowest level that allows the rate as well, and raising the
 * rate would cost a new SPS and a key frame. 3.1 is what WebRTC's 42e01f promises. */
static ELevelIdc level_for(int width, int height) {
    int macroblocks = ((width + MACROBLOCK - 1) / MACROBLOCK) * ((height + MACROBLOCK - 1) / MACROBLOCK);
    if (macroblocks <= LEVEL_3_1_MACROBLOCKS)
        return LEVEL_3_1;
    return macroblocks <= LEVEL_4_1_MACROBLOCKS ? LEVEL_4_1 : LEVEL_5_2;
}

/* Measured settings: LOW complexity without background detection, adaptive quantisation and scene changes has the best
 * picture for its time; without frame skipping every picture comes out. Constrained baseline, parameter sets in band.
 */
static void fill_params(const struct h264_encoder *h, SEncParamExt *p) {
    p->iUsageType = CAMERA_VIDEO_REAL_TIME;
    p->iPicWidth = h->base.width & ~1; /* 4:2:0 without cropping */
    p->iPicHeight = h->base.height & ~1;
    p->iRCMode = RC_BITRATE_MODE;
    p->iTargetBitrate = p->iMaxBitrate = (int)h->base.config.bitrate_bps;
    p->fMaxFrameRate = (float)h->base.config.fps;
    p->iComplexityMode = LOW_COMPLEXITY;
    p->iMultipleThreadIdc = 1;
    p->iTemporalLayerNum = 1;
    p->iSpatialLayerNum = 1;
    p->uiIntraPeriod = 0;
    p->iNumRefFrame = 1;
    p->eSpsPpsIdStrategy = CONSTANT_ID;
    p->iEntropyCodingModeFlag = 0;
    p->bEnableFrameSkip = 0;
    p->bEnableLongTermReference = 0;
    p->bEnableDenoise = 0;
    p->bEnableBackgroundDetection = 0;
    p->bEnableAdaptiveQuant = 0;
    p->bEnableSceneChangeDetect = 0;
    SSpatialLayerConfig *layer = &p->sSpatialLayers[0];
    layer->iVideoWidth = p->iPicWidth;
    layer->iVideoHeight = p->iPicHeight;
    layer->fFrameRate = p->fMaxFrameRate;
    layer->iSpatialBitrate = layer->iMaxSpatialBitrate = p->iTargetBitrate;
    layer->uiProfileIdc = PRO_BASELINE;
    layer->uiLevelIdc = level_for(p->iPicWidth, p->iPicHeight);
    layer->sSliceArgument.uiSliceMode = SM_SINGLE_SLICE;
    /* Unsaid, Chromium takes H.264 for BT.709, and our colours are BT.601 (media/image.h). */
    layer->bVideoSignalTypePresent = layer->bColorDescriptionPresent = true;
    layer->uiVideoFormat = VF_UNDEF;
    layer->bFullRange = false;
    layer->uiColorPrimaries = CP_SMPTE170M;
    layer->uiTransferCharacteristics = TRC_SMPTE170M;
    layer->uiColorMatrix = CM_SMPTE170M;
}

static rm_err h264_open(struct rmi_video_encoder *e) {
    struct h264_encoder *h = (struct h264_encoder *)(void *)e;
    SEncParamExt params;
    memset(&params, 0, sizeof params);
    if (WelsCreateSVCEncoder(&h->lib) || !h->lib)
        return RM_E_NO_MEMORY;
    int quiet = WELS_LOG_QUIET;
    (*h->lib)->SetOption(h->lib, ENCODER_OPTION_TRACE_LEVEL, &quiet);
    if ((*h->lib)->GetDefaultParams(h->lib, &params))
        return RM_E_INTERNAL;
    fill_params(h, &params);
    return (*h->lib)->InitializeExt(h->lib, &params) ? RM_E_INTERNAL : RM_OK;
}

/* The C header of openh264 2.3 leaves out the second argument of this method (codec_api.h, line 323 against 489):
 * called as declared, the library would read a layer number from whatever is in that register. */
static int force_idr(ISVCEncoder *lib) {
    typedef int (*method)(ISVCEncoder *, bool idr, int layer);
    method real = (method)(void (*)(void))(*lib)->ForceIntraFrame;
    return real(lib, true, -1);
}

static rm_err join_layers(struct h264_encoder *h, const SFrameBSInfo *info, size_t *len) {
    size_t need = info->iFrameSizeInBytes > 0 ? (size_t)info->iFrameSizeInBytes : 0;
    if (need > h->out_cap) {
        uint8_t *grown = realloc(h->out, 2 * need);
        if (!grown)
            return RM_E_NO_MEMORY;
        h->out = grown;
        h->out_cap = 2 * need;
    }
    struct rmi_wr w = rmi_wr_init(h->out, h->out_cap);
    for (int i = 0; i < info->iLayerNum; i++) {
        const SLayerBSInfo *layer = &info->sLayerInfo[i];
        size_t n = 0;
        for (int j = 0; j < layer->iNalCount; j++)
            n += (size_t)layer->pNalLengthInByte[j];
        rmi_wr_bytes(&w, layer->pBsBuf, n);
    }
    *len = w.pos;
    return w.failed ? RM_E_INTERNAL : RM_OK;
}

static rm_err h264_encode(struct rmi_video_encoder *e, const struct rmi_codec_picture *picture, bool key,
                          struct rmi_encoded_video *out) {
    struct h264_encoder *h = (struct h264_encoder *)(void *)e;
    SFrameBSInfo info;
    SSourcePicture source;
    memset(&info, 0, sizeof info);
    memset(&source, 0, sizeof source);
    source.iColorFormat = videoFormatI420;
    source.iPicWidth = picture->width & ~1;
    source.iPicHeight = picture->height & ~1;
    source.uiTimeStamp = e->clock_us / RMI_MS(1); /* the rate control drifts on made-up times */
    for (int i = 0; i < 3; i++) {
        source.pData[i] = (unsigned char *)(uintptr_t)picture->plane[i]; /* only read */
        source.iStride[i] = picture->stride[i];
    }
    if (key && force_idr(h->lib))
        return RM_E_INTERNAL;
    if ((*h->lib)->EncodeFrame(h->lib, &source, &info) != cmResultSuccess)
        return RM_E_INTERNAL;
    if (info.eFrameType == videoFrameTypeSkip || info.eFrameType == videoFrameTypeInvalid)
        return RM_E_AGAIN;
    rm_err err = join_layers(h, &info, &out->len);
    if (err)
        return err;
    out->data = h->out;
    out->key = info.eFrameType == videoFrameTypeIDR;
    return out->len > 0 ? RM_OK : RM_E_AGAIN;
}

static rm_err h264_configure(struct rmi_video_encoder *e) {
    struct h264_encoder *h = (struct h264_encoder *)(void *)e;
    SBitrateInfo target = {.iLayer = SPATIAL_LAYER_0, .iBitrate = (int)e->config.bitrate_bps};
    SBitrateInfo now = {.iLayer = SPATIAL_LAYER_0};
    float fps = (float)e->config.fps;
    if ((*h->lib)->GetOption(h->lib, ENCODER_OPTION_BITRATE, &now))
        return RM_E_INTERNAL;
    /* The library refuses a target above the maximum, so the order depends on the direction; "all layers" would not
     * move the maximum of the one layer there is. */
    bool up = target.iBitrate > now.iBitrate;
    ENCODER_OPTION first = up ? ENCODER_OPTION_MAX_BITRATE : ENCODER_OPTION_BITRATE;
    ENCODER_OPTION second = up ? ENCODER_OPTION_BITRATE : ENCODER_OPTION_MAX_BITRATE;
    if ((*h->lib)->SetOption(h->lib, ENCODER_OPTION_FRAME_RATE, &fps) || (*h->lib)->SetOption(h->lib, first, &target) ||
        (*h->lib)->SetOption(h->lib, second, &target))
        return RM_E_INTERNAL;
    return RM_OK;
}

static void h264_close(struct rmi_video_encoder *e) {
    struct h264_encoder *h = (struct h264_encoder *)(void *)e;
    if (!h->lib)
        return;
    (*h->lib)->Uninitialize(h->lib);
    WelsDestroySVCEncoder(h->lib);
    h->lib = NULL;
}

static void h264_release(struct rmi_video_encoder *e) {
    free(((struct h264_encoder *)(void *)e)->out);
}

static const struct rmi_video_encoder_ops ops = {
    .id = RMI_CODEC_H264,
    .object_bytes = sizeof(struct h264_encoder),
    .open = h264_open,
    .encode = h264_encode,
    .configure = h264_configure,
    .close = h264_close,
    .release = h264_release,
};

rm_err rmi_h264_encoder_create(const struct rmi_video_encoder_config *config, struct rmi_video_encoder **out) {
    return rmi_video_encoder_new(&ops, config, out);
}
