/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "codec/codec.h"
#include "nodes/nodes.h"
#include "nodes/video_image.h"

#include <stdlib.h>
#include <string.h>

#define PLANES 3 /* of I420 */
/* The caps on size hold for each frame. A cap on the rate would need a clock: how fast frames come is limited by the
 * queue in front of this node, which loses what it cannot keep up with. */
#define PIXELS_PER_S_MAX UINT64_C(1000000000000)

struct stream {
    struct rmi_video_decoder *decoder;
    rm_codec codec;
};

struct decoder {
    rm_codec expected; /* raw: any */
    rm_pixel_format format;
    bool strict;
    struct rmi_video_decoder_config config;
    struct rmi_node_streams ids;
    struct stream streams[RMI_NODE_STREAMS_MAX];
};

static bool codec_id(rm_codec codec, enum rmi_codec_id *out) {
    switch (codec) {
    case RM_CODEC_VP8:
        *out = RMI_CODEC_VP8;
        return true;
    case RM_CODEC_VP9:
        *out = RMI_CODEC_VP9;
        return true;
    case RM_CODEC_H264:
        *out = RMI_CODEC_H264;
        return true;
    default:
        return false;
    }
}

static rm_codec codec_of(const char *name) {
    static const rm_codec codecs[] = {RM_CODEC_VP8, RM_CODEC_H264, RM_CODEC_VP9, RM_CODEC_AV1};
    for (size_t i = 0; name && i < sizeof codecs / sizeof codecs[0]; i++)
        if (!strcmp(name, rm_codec_name(codecs[i])))
            return codecs[i];
    return RM_CODEC_RAW;
}

static rm_err create(rm_node_context *context, const rm_node_params *params, void **state) {
    struct decoder *d = calloc(1, sizeof *d);
    enum rmi_codec_id id;
    if (!d)
        return RM_E_NO_MEMORY;
    d->expected = codec_of(rm_node_params_string(params, "expected_codec", NULL));
    if (d->expected != RM_CODEC_RAW && !codec_id(d->expected, &id)) {
        rm_node_fail(context, "there is no %s decoder; expected_codec may be Vp8, Vp9 or H264",
                     rm_codec_name(d->expected));
        free(d);
        return RM_E_UNSUPPORTED;
    }
    d->format = rmi_node_pixel_format(rm_node_params_string(params, "output_format", ""));
    d->strict = !strcmp(rm_node_params_string(params, "error_resilience", ""), "strict");
    d->config.limits.max_width = (uint32_t)rm_node_params_int(params, "max_width", 0);
    d->config.limits.max_height = (uint32_t)rm_node_params_int(params, "max_height", 0);
    d->config.limits.max_pixels_per_s = PIXELS_PER_S_MAX;
    *state = d;
    return RM_OK;
}

static void destroy(void *state) {
    struct decoder *d = state;
    for (size_t i = 0; i < RMI_NODE_STREAMS_MAX; i++)
        rmi_video_decoder_destroy(&d->streams[i].decoder);
    free(d);
}

/* The codec of a frame, which may leave it to the manifest to say it. */
static rm_err choose_codec(const struct decoder *d, rm_node_context *context, const rm_video *v, rm_codec *out) {
    enum rmi_codec_id id;
    if (v->format != RM_PIXEL_ENCODED) {
        rm_node_fail(context, "the input is %s video, not encoded", rm_pixel_format_name(v->format));
        return RM_E_UNSUPPORTED;
    }
    *out = v->codec == RM_CODEC_RAW ? d->expected : v->codec;
    if (*out == RM_CODEC_RAW) {
        rm_node_fail(context, "the frame does not say its codec; give expected_codec");
        return RM_E_UNSUPPORTED;
    }
    if (d->expected != RM_CODEC_RAW && *out != d->expected) {
        rm_node_fail(context, "the frame is %s, expected_codec is %s", rm_codec_name(*out), rm_codec_name(d->expected));
        return RM_E_UNSUPPORTED;
    }
    if (!codec_id(*out, &id)) {
        rm_node_fail(context, "there is no %s decoder", rm_codec_name(*out));
        return RM_E_UNSUPPORTED;
    }
    return RM_OK;
}

static rm_err get_decoder(struct decoder *d, const rm_runtime_data *input, rm_codec codec,
                          struct rmi_video_decoder **out) {
    bool fresh;
    enum rmi_codec_id id = RMI_CODEC_VP8;
    struct stream *s = &d->streams[rmi_node_stream(&d->ids, rm_runtime_data_stream_id(input), &fresh)];
    rm_err err = RM_OK;
    if (fresh || s->codec != codec)
        rmi_video_decoder_destroy(&s->decoder);
    s->codec = codec;
    if (!s->decoder)
        err = codec_id(codec, &id) ? rmi_video_decoder_create(id, &d->config, &s->decoder) : RM_E_UNSUPPORTED;
    *out = s->decoder;
    return err;
}

/* VP9 decodes into memory that may be kept: it only gets a name. The decoder goes on reading it, so nobody may write;
 * as it holds a reference of its own, nobody can. */
static rm_err keep(const struct decoder *d, rm_node_context *context, const struct rmi_codec_picture *p,
                   int64_t time_us, rm_runtime_data **out) {
    size_t offsets[PLANES], strides[PLANES];
    for (int i = 0; i < PLANES; i++) {
        offsets[i] = (size_t)(p->plane[i] - p->buf->data);
        strides[i] = (size_t)p->stride[i];
    }
    return rmi_node_wrap_raw(context, p->buf, offsets, strides, d->format, (uint32_t)p->width, (uint32_t)p->height,
                             time_us, out);
}

static rm_err copy(const struct decoder *d, rm_node_context *context, const struct rmi_codec_picture *p,
                   int64_t time_us, rm_runtime_data **out) {
    struct rmi_image from = {.format = RMI_IMAGE_I420, .width = p->width, .height = p->height}, to;
    for (int i = 0; i < PLANES; i++) {
        from.plane[i] = (uint8_t *)(uintptr_t)p->plane[i]; /* a source is only read */
        from.stride[i] = p->stride[i];
    }
    rm_err err = rmi_node_new_image(context, d->format, (uint32_t)p->width, (uint32_t)p->height, time_us, out, &to);
    return err ? err : rmi_image_convert(&from, &to, NULL); /* needs no scratch from I420 */
}

static rm_err emit(const struct decoder *d, rm_node_context *context, const rm_runtime_data *input,
                   struct rmi_codec_picture *p) {
    enum rmi_image_format layout;
    rm_runtime_data *output = NULL;
    p->width &= ~1; /* frames of the 4:2:0 formats have even sides */
    p->height &= ~1;
    bool as_it_is = p->buf && rmi_image_format_of(d->format, &layout) && layout == RMI_IMAGE_I420;
    int64_t time_us = rm_runtime_data_timestamp_us(input);
    rm_err err = as_it_is ? keep(d, context, p, time_us, &output) : copy(d, context, p, time_us, &output);
    if (!err)
        return rm_node_emit(context, output);
    rm_runtime_data_unref(&output);
    return err;
}

/* Why a frame gave no picture. Lenient: what is damaged or cannot be decoded for want of a key frame is left out. */
static rm_err explain(const struct decoder *d, rm_node_context *context, rm_err err) {
    if (err == RM_E_AGAIN) /* nothing to show, as is normal */
        return RM_OK;
    if (err == RM_E_TOO_BIG) {
        rm_node_fail(context, "the picture is larger than max_width x max_height (%u x %u)", d->config.limits.max_width,
                     d->config.limits.max_height);
        return err;
    }
    if (err == RM_E_UNSUPPORTED) {
        rm_node_fail(context, "the frame is not 8 bit 4:2:0, progressive");
        return err;
    }
    bool missing = err == RM_E_STATE;
    if (!missing && err != RM_E_PARSE)
        return err;
    if (!d->strict)
        return RM_OK;
    rm_node_fail(context, missing ? "a key frame is awaited" : "the frame is damaged");
    return err;
}

static rm_err process(void *state, rm_node_context *context, rm_runtime_data *input) {
    struct decoder *d = state;
    struct rmi_video_decoder *decoder = NULL;
    struct rmi_codec_picture picture;
    rm_codec codec;
    const rm_video *v = rm_runtime_data_video(input);
    rm_err err = choose_codec(d, context, v, &codec);
    if (!err)
        err = get_decoder(d, input, codec, &decoder);
    if (err)
        return err;
    err = rmi_video_decoder_decode(decoder, v->data, v->size, rm_runtime_data_timestamp_us(input), &picture);
    return err ? explain(d, context, err) : emit(d, context, input, &picture);
}

static const rm_node_param params[] = {
    {.name = "expected_codec",
     .type = RM_PARAM_STRING,
     .choices = "Vp8|H264|Vp9|Av1",
     .summary =
         "refuse frames of another codec, and take frames that do not say theirs for this one; Av1 is not there"},
    {.name = "output_format",
     .type = RM_PARAM_STRING,
     .default_json = "\"Yuv420p\"",
     .choices = RMI_NODE_RAW_FORMATS,
     .summary = "pixel format of the output; pictures of VP9 are not copied for Yuv420p and I420"},
    {.name = "error_resilience",
     .type = RM_PARAM_STRING,
     .default_json = "\"lenient\"",
     .choices = "strict|lenient",
     .summary = "strict: a damaged frame, and each until the next key frame, is an error; lenient: it is left out"},
    {.name = "max_width",
     .type = RM_PARAM_INT,
     .default_json = "1920",
     .min = 16,
     .max = RMI_VIDEO_SIDE_MAX,
     .summary = "pixels; with max_height, either way round: larger pictures are refused before any memory is taken"},
    {.name = "max_height",
     .type = RM_PARAM_INT,
     .default_json = "1088",
     .min = 16,
     .max = RMI_VIDEO_SIDE_MAX,
     .summary = "pixels"},
    {.name = "hardware_accel",
     .type = RM_PARAM_BOOL,
     .default_json = "true",
     .summary = "no effect: decoders are software"},
    {.name = "threads",
     .type = RM_PARAM_INT,
     .default_json = "0",
     .min = 0,
     .max = 64,
     .summary = "no effect: each decoder has one thread"},
};

const rm_node_class rmi_node_video_decoder = {RMI_NODE_CLASS_HEAD,
                                              .name = "VideoDecoder",
                                              .summary = "VP8, VP9 or H.264 to raw video, each stream for itself",
                                              .accepts = "video",
                                              .flags = RM_NODE_OWN_THREAD,
                                              .params = params,
                                              .param_count = RMI_NODE_PARAM_COUNT(params),
                                              .create = create,
                                              .process = process,
                                              .destroy = destroy};
