/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes.h"
#include "source.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define US_PER_S 1000000
#define US_PER_MS 1000
#define NS_PER_US 1000
#define SLICE_US 10000       /* sleeping, it looks whether the session is being closed */
#define BEHIND_MAX_US 500000 /* later than this (a suspended machine), it goes on from now rather than catching up */

struct reader {
    char *path; /* NULL: each input names its file */
    bool loop, pace, started;
    struct rmf_source_config source;
    uint64_t frame_number;
    int64_t zero_us; /* when the item of time 0 is due */
};

static int64_t clock_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * US_PER_S + t.tv_nsec / NS_PER_US;
}

static bool cancelled(void *user) {
    return rm_node_cancelled(user);
}

/* Until the item is due. False: the session is being closed. */
static bool wait_until_due(struct reader *r, rm_node_context *context, int64_t time_us) {
    int64_t left;
    while (!rm_node_cancelled(context)) {
        left = r->zero_us + time_us - clock_us();
        if (left < -BEHIND_MAX_US)
            r->zero_us -= left;
        if (left <= 0)
            return true;
        left = left < SLICE_US ? left : SLICE_US;
        nanosleep(&(struct timespec){.tv_nsec = (long)(left * NS_PER_US)}, NULL);
    }
    return false;
}

static rm_err emit_audio(struct reader *r, rm_node_context *context, struct rmf_source *source,
                         const struct rmf_item *item) {
    rm_runtime_data *data = NULL;
    size_t samples = (size_t)r->source.chunk_frames * (size_t)r->source.audio_channels;
    rm_err err =
        rm_node_new_audio(context, samples, (uint32_t)r->source.audio_rate, (uint32_t)r->source.audio_channels, &data);
    if (err)
        return err;
    rmf_source_take_audio(source, rm_runtime_data_write_samples(data));
    rm_runtime_data_set_timestamp_us(data, item->time_us);
    rm_runtime_data_set_arrival_us(data, RM_NO_VALUE); /* the input's, not this one's */
    return rm_node_emit(context, data);
}

static rm_err emit_video(struct reader *r, rm_node_context *context, struct rmf_source *source,
                         const struct rmf_item *item, struct rmf_fault *fault) {
    rm_runtime_data *data = NULL;
    uint8_t *planes[RM_PLANES_MAX];
    int strides[RM_PLANES_MAX];
    rm_err err = rm_node_new_video(context, (uint32_t)item->width, (uint32_t)item->height, item->time_us, &data);
    if (err == RM_E_INVALID_ARG)
        return rmf_fail(fault, err, "pictures of %dx%d are too large; set width and height", item->width, item->height);
    if (err)
        return err;
    for (uint32_t p = 0; p < RM_PLANES_MAX; p++) {
        planes[p] = rm_runtime_data_write_plane(data, p);
        strides[p] = (int)rm_runtime_data_video(data)->strides[p];
    }
    err = rmf_source_take_video(source, planes, strides, fault);
    if (err) {
        rm_runtime_data_unref(&data);
        return err;
    }
    rm_runtime_data_set_frame_number(data, r->frame_number++);
    rm_runtime_data_set_arrival_us(data, RM_NO_VALUE);
    return rm_node_emit(context, data);
}

/* From the beginning to the end of the file, once or for ever. */
static rm_err play(struct reader *r, rm_node_context *context, struct rmf_source *source, struct rmf_fault *fault) {
    struct rmf_item item;
    r->zero_us = clock_us();
    for (;;) {
        rm_err err = rmf_source_next(source, &item, fault);
        if (!err && item.kind == RMF_ITEM_END) {
            if (!r->loop)
                return RM_OK;
            err = rmf_source_rewind(source, fault);
            if (!err)
                continue;
        }
        if (err)
            return err;
        if (r->pace ? !wait_until_due(r, context, item.time_us) : rm_node_cancelled(context))
            return RM_E_CLOSED;
        err = item.kind == RMF_ITEM_AUDIO ? emit_audio(r, context, source, &item)
                                          : emit_video(r, context, source, &item, fault);
        if (err)
            return err;
    }
}

/* What the input asks to be read; false: nothing. */
static bool choose(struct reader *r, const rm_runtime_data *input, struct rmf_source_config *config, char **text) {
    const rm_file *file = rm_runtime_data_file(input);
    const rm_text *t = rm_runtime_data_text(input);
    *config = r->source;
    config->path = r->path;
    config->length = RM_NO_VALUE;
    if (file) {
        config->path = file->path;
        config->offset = file->offset > 0 ? file->offset : 0;
        config->length = file->length;
    } else if (t && t->size > 0) {
        config->path = *text = strndup(t->text, t->size);
    } else if (r->started) {
        return false; /* media that flows in starts it, once */
    }
    r->started = true;
    return true;
}

static rm_err process(void *state, rm_node_context *context, rm_runtime_data *input) {
    struct reader *r = state;
    struct rmf_source_config config;
    struct rmf_source *source = NULL;
    struct rmf_fault fault = {""};
    char *text = NULL;
    if (!choose(r, input, &config, &text))
        return RM_OK;
    if (!config.path) {
        free(text);
        rm_node_fail(context, "there is nothing to read: set the parameter path, or send a file or a text with a path");
        return RM_E_CONFIG;
    }
    config.cancelled = cancelled;
    config.user = context;
    rm_err err = rmf_source_open(&config, &source, &fault);
    if (!err)
        err = play(r, context, source, &fault);
    rmf_source_close(&source);
    free(text);
    if (err && fault.text[0])
        rm_node_fail(context, "%s", fault.text);
    return err;
}

static void destroy(void *state) {
    struct reader *r = state;
    free(r->path);
    free(r);
}

static rm_err create(rm_node_context *context, const rm_node_params *params, void **state) {
    const char *path = rm_node_params_string(params, "path", NULL);
    int64_t rate = rm_node_params_int(params, "audio_rate", 48000);
    int64_t chunk_ms = rm_node_params_int(params, "audio_chunk_ms", 10);
    if (rate * chunk_ms % 1000 || (chunk_ms != 5 && chunk_ms != 10 && chunk_ms != 20)) {
        rm_node_fail(context,
                     "audio_chunk_ms is 5, 10 or 20 and makes a whole number of samples; %d ms at %d Hz do not",
                     (int)chunk_ms, (int)rate);
        return RM_E_CONFIG;
    }
    struct reader *r = calloc(1, sizeof *r);
    if (!r || (path && !(r->path = strdup(path)))) {
        free(r);
        return RM_E_NO_MEMORY;
    }
    r->loop = rm_node_params_bool(params, "loop", false);
    r->pace = rm_node_params_bool(params, "pace", true);
    r->source = (struct rmf_source_config){
        .loop = r->loop,
        .width = (int)rm_node_params_int(params, "width", 0),
        .height = (int)rm_node_params_int(params, "height", 0),
        .framerate = rm_node_params_number(params, "framerate", 0),
        .audio_rate = (int)rate,
        .audio_channels = (int)rm_node_params_int(params, "audio_channels", 1),
        .chunk_frames = (int)(rate * chunk_ms / 1000),
        .start_us = rm_node_params_int(params, "start_ms", 0) * US_PER_MS,
        .threads = (int)rm_node_params_int(params, "threads", 1),
    };
    *state = r;
    return RM_OK;
}

static const rm_node_param params[] = {
    {.name = "path", .type = RM_PARAM_STRING, .summary = "the file; an input that is a file or a text names another"},
    {.name = "loop", .type = RM_PARAM_BOOL, .default_json = "false", .summary = "begin again at the end"},
    {.name = "pace",
     .type = RM_PARAM_BOOL,
     .default_json = "true",
     .summary = "in real time; false: as fast as it can, so that slower nodes lose media"},
    {.name = "width",
     .type = RM_PARAM_INT,
     .default_json = "0",
     .max = RM_VIDEO_SIDE_MAX,
     .summary = "pixels; 0: as in the file, or by the height"},
    {.name = "height",
     .type = RM_PARAM_INT,
     .default_json = "0",
     .max = RM_VIDEO_SIDE_MAX,
     .summary = "pixels; 0: as in the file, or by the width"},
    {.name = "framerate",
     .type = RM_PARAM_NUMBER,
     .default_json = "0",
     .max = 240,
     .summary = "pictures per second, repeated or left out; 0: as in the file"},
    {.name = "audio_rate",
     .type = RM_PARAM_INT,
     .default_json = "48000",
     .min = 8000,
     .max = 192000,
     .summary = "samples per second"},
    {.name = "audio_channels",
     .type = RM_PARAM_INT,
     .default_json = "1",
     .min = 1,
     .max = 8,
     .summary = "channels, mixed as needed"},
    {.name = "audio_chunk_ms",
     .type = RM_PARAM_INT,
     .default_json = "10",
     .min = 5,
     .max = 20,
     .summary = "length of a chunk: 5, 10 or 20 ms"},
    {.name = "start_ms",
     .type = RM_PARAM_INT,
     .default_json = "0",
     .max = 86400000,
     .summary = "where in the file to begin, in ms"},
    {.name = "threads",
     .type = RM_PARAM_INT,
     .default_json = "1",
     .min = 1,
     .max = 16,
     .summary = "threads of the video decoder"},
};

const rm_node_class rmf_media_reader = {.abi_version = RM_NODE_ABI_VERSION,
                                        .struct_size = sizeof(rm_node_class),
                                        .name = "MediaReaderNode",
                                        .summary = "plays a media file as f32 sound and I420 pictures",
                                        .flags = RM_NODE_OWN_THREAD,
                                        .params = params,
                                        .param_count = sizeof params / sizeof params[0],
                                        .create = create,
                                        .process = process,
                                        .destroy = destroy};
