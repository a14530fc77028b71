/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/codec.h"
#include "nodes/nodes.h"
#include "nodes/video_image.h"

#include <stdlib.h>
#include <string.h>

struct stream {
    struct rmi_video_encoder *encoder;
    int64_t since_key; /* frames */
};

struct encoder {
    enum rmi_codec_id id;
    rm_codec codec;
    struct rmi_video_encoder_config config;
    int64_t keyframe_interval; /* 0: the first only */
    struct rmi_node_scratch picture, scratch;
    struct rmi_node_streams ids;
    struct stream streams[RMI_NODE_STREAMS_MAX];
};

/* The names that x264 gave to speeds. What VP8 and VP9 make of them: measured at 720p, VP8 falls apart in motion beyond
 * 12, VP9 takes most of a core below 7. openh264 has one speed that is worth having. */
struct preset {
    const char *name;
    int vp8, vp9;
};
static const struct preset presets[] = {
    {"ultrafast", 12, 9}, {"superfast", 12, 9}, {"veryfast", 12, 9}, {"faster", 10, 9},  {"fast", 10, 9},
    {"medium", 8, 8},     {"slow", 6, 7},       {"slower", 4, 6},    {"veryslow", 4, 5},
};
#define PRESET_CHOICES "ultrafast|superfast|veryfast|faster|fast|medium|slow|slower|veryslow"

static int speed_of(enum rmi_codec_id id, const char *name) {
    for (size_t i = 0; i < sizeof presets / sizeof presets[0]; i++)
        if (!strcmp(presets[i].name, name))
            return id == RMI_CODEC_VP8 ? presets[i].vp8 : id == RMI_CODEC_VP9 ? presets[i].vp9 : 0;
    return 0;
}

static bool choose_codec(struct encoder *e, const char *name) {
    static const struct {
        const char *name;
        enum rmi_codec_id id;
        rm_codec codec;
    } codecs[] = {{"Vp8", RMI_CODEC_VP8, RM_CODEC_VP8},
                  {"Vp9", RMI_CODEC_VP9, RM_CODEC_VP9},
                  {"H264", RMI_CODEC_H264, RM_CODEC_H264}};
    for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++)
        if (!strcmp(codecs[i].name, name)) {
            e->id = codecs[i].id;
            e->codec = codecs[i].codec;
            return true;
        }
    return false;
}

static rm_err create(rm_node_context *context, const rm_node_params *params, void **state) {
    const char *codec = rm_node_params_string(params, "codec", "");
    struct encoder *e = calloc(1, sizeof *e);
    if (!e)
        return RM_E_NO_MEMORY;
    if (!choose_codec(e, codec)) {
        rm_node_fail(context, "there is no %s encoder; codec may be Vp8, Vp9 or H264", codec);
        free(e);
        return RM_E_UNSUPPORTED;
    }
    e->config.bitrate_bps = (uint32_t)rm_node_params_int(params, "bitrate", 0);
    e->config.fps = (double)rm_node_params_int(params, "framerate", 0);
    e->config.speed = speed_of(e->id, rm_node_params_string(params, "quality_preset", ""));
    e->keyframe_interval = rm_node_params_int(params, "keyframe_interval", 0);
    *state = e;
    return RM_OK;
}

static void destroy(void *state) {
    struct encoder *e = state;
    for (size_t i = 0; i < RMI_NODE_STREAMS_MAX; i++)
        rmi_video_encoder_destroy(&e->streams[i].encoder);
    rmi_node_scratch_fini(&e->picture);
    rmi_node_scratch_fini(&e->scratch);
    free(e);
}

static rm_err check(rm_node_context *context, const rm_video *v) {
    if (v->plane_count == 0) {
        rm_node_fail(context, "the input is %s video already", rm_pixel_format_name(v->format));
        return RM_E_UNSUPPORTED;
    }
    if (v->width < RMI_VIDEO_SIDE_MIN || v->height < RMI_VIDEO_SIDE_MIN || v->width > RMI_VIDEO_SIDE_MAX ||
        v->height > RMI_VIDEO_SIDE_MAX) {
        rm_node_fail(context, "cannot encode %ux%u: sides may have %d to %d pixels", v->width, v->height,
                     RMI_VIDEO_SIDE_MIN, RMI_VIDEO_SIDE_MAX);
        return RM_E_UNSUPPORTED;
    }
    return RM_OK;
}

/* The input itself when it is I420, else a copy in BT.601, as WebRTC has it. */
static rm_err to_picture(struct encoder *e, const rm_video *v, struct rmi_codec_picture *out) {
    struct rmi_image from = {0}, to = {0};
    void *memory = NULL, *scratch = NULL;
    rm_err err = rmi_node_image(v, &from) ? RM_OK : RM_E_INTERNAL;
    if (!err && from.format != RMI_IMAGE_I420) {
        size_t size = rmi_image_bytes(RMI_IMAGE_I420, from.width, from.height);
        err = rmi_node_scratch_get(&e->picture, size, &memory);
        if (!err)
            err = rmi_node_scratch_get(
                &e->scratch, rmi_image_convert_scratch(from.format, RMI_IMAGE_I420, from.width, from.height), &scratch);
        if (!err)
            err = rmi_image_wrap(&to, RMI_IMAGE_I420, from.width, from.height, memory, size);
        if (!err)
            err = rmi_image_convert(&from, &to, scratch);
        from = to;
    }
    if (err)
        return err;
    *out = (struct rmi_codec_picture){.width = from.width, .height = from.height};
    for (int i = 0; i < RMI_IMAGE_PLANES; i++) {
        out->plane[i] = from.plane[i];
        out->stride[i] = from.stride[i];
    }
    return RM_OK;
}

static rm_err get_stream(struct encoder *e, const rm_runtime_data *input, struct stream **out) {
    bool fresh;
    struct stream *s = &e->streams[rmi_node_stream(&e->ids, rm_runtime_data_stream_id(input), &fresh)];
    *out = s;
    if (fresh)
        rmi_video_encoder_destroy(&s->encoder);
    if (s->encoder)
        return RM_OK;
    s->since_key = 0;
    return rmi_video_encoder_create(e->id, &e->config, &s->encoder);
}

static rm_err emit(const struct encoder *e, rm_node_context *context, const rm_runtime_data *input,
                   const struct rmi_encoded_video *frame) {
    const rm_video *v = rm_runtime_data_video(input);
    rm_runtime_data *output = NULL;
    struct rmi_node_encoded f = {.data = frame->data,
                                 .len = frame->len,
                                 .codec = e->codec,
                                 .width = v->width & ~1U, /* what odd sides are cropped to (RGB has them) */
                                 .height = v->height & ~1U,
                                 .is_keyframe = frame->key,
                                 .frame_number = v->frame_number,
                                 .timestamp_us = rm_runtime_data_timestamp_us(input)};
    rm_err err = rmi_node_new_encoded(context, &f, &output);
    return err ? err : rm_node_emit(context, output);
}

static rm_err process(void *state, rm_node_context *context, rm_runtime_data *input) {
    struct encoder *e = state;
    struct rmi_codec_picture picture;
    struct rmi_encoded_video frame;
    struct stream *s = NULL;
    const rm_video *v = rm_runtime_data_video(input);
    rm_err err = check(context, v);
    if (!err)
        err = get_stream(e, input, &s);
    if (!err)
        err = to_picture(e, v, &picture);
    if (err)
        return err;
    if (e->keyframe_interval > 0 && s->since_key >= e->keyframe_interval)
        rmi_video_encoder_request_key(s->encoder);
    s->since_key++;
    picture.width &= ~1;
    picture.height &= ~1;
    err = rmi_video_encoder_encode(s->encoder, &picture, rm_runtime_data_timestamp_us(input), &frame);
    if (err == RM_E_AGAIN) /* skipped to hold the rate */
        return RM_OK;
    if (err)
        return err;
    if (frame.key)
        s->since_key = 1;
    return emit(e, context, input, &frame);
}

static const rm_node_param params[] = {
    {.name = "codec",
     .type = RM_PARAM_STRING,
     .default_json = "\"Vp8\"",
     .choices = "Vp8|H264|Vp9|Av1",
     .summary = "Av1 is known but not there: it is refused when the session opens"},
    {.name = "bitrate",
     .type = RM_PARAM_INT,
     .default_json = "1000000",
     .min = 100000,
     .max = 50000000,
     .summary = "target in bits per second"},
    {.name = "framerate",
     .type = RM_PARAM_INT,
     .default_json = "30",
     .min = 1,
     .max = 120,
     .summary = "expected pictures per second"},
    {.name = "keyframe_interval",
     .type = RM_PARAM_INT,
     .default_json = "60",
     .min = 0,
     .max = 1000000,
     .summary = "a key frame every so many frames; 0: only the first"},
    {.name = "quality_preset",
     .type = RM_PARAM_STRING,
     .default_json = "\"medium\"",
     .choices = PRESET_CHOICES,
     .summary = "less or more time for a picture; no effect on H264"},
    {.name = "hardware_accel",
     .type = RM_PARAM_BOOL,
     .default_json = "true",
     .summary = "no effect: encoders are software"},
    {.name = "threads",
     .type = RM_PARAM_INT,
     .default_json = "0",
     .min = 0,
     .max = 64,
     .summary = "no effect: each encoder has one thread, as results are the same then"},
};

const rm_node_class rmi_node_video_encoder = {RMI_NODE_CLASS_HEAD,
                                              .name = "VideoEncoder",
                                              .summary = "raw video to VP8, VP9 or H.264, each stream for itself",
                                              .accepts = "video",
                                              .flags = RM_NODE_OWN_THREAD,
                                              .params = params,
                                              .param_count = RMI_NODE_PARAM_COUNT(params),
                                              .create = create,
                                              .process = process,
                                              .destroy = destroy};
