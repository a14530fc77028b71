/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes.h"
#include "sink.h"

#include <stdlib.h>
#include <string.h>

#define US_PER_MS 1000
#define SESSION "{session}"

struct writer {
    char *path;
    struct rmf_sink *sink; /* NULL: writing has failed, and the caller was told */
    bool told_audio, told_video;
};

static rm_err process(void *state, rm_node_context *context, rm_runtime_data *input) {
    struct writer *w = state;
    struct rmf_fault fault = {""};
    rm_err err = RM_OK;
    bool audio = rm_runtime_data_audio(input) != NULL;
    bool *told = audio ? &w->told_audio : &w->told_video;
    if (w->sink)
        err = audio ? rmf_sink_audio(w->sink, input, &fault) : rmf_sink_video(w->sink, input, &fault);
    if (err && err != RM_E_UNSUPPORTED)
        rmf_sink_close(&w->sink); /* completes what can be completed */
    if (err && !(err == RM_E_UNSUPPORTED && *told)) {
        *told = true;
        rm_node_fail(context, "%s", fault.text);
        return err;
    }
    return rm_node_emit(context, rm_runtime_data_ref(input));
}

static rm_err flush(void *state, rm_node_context *context) {
    struct writer *w = state;
    struct rmf_fault fault = {""};
    rm_err err = w->sink ? rmf_sink_finish(w->sink, &fault) : RM_OK;
    if (err)
        rm_node_fail(context, "%s", fault.text);
    rmf_sink_close(&w->sink);
    return err;
}

static void destroy(void *state) {
    struct writer *w = state;
    rmf_sink_close(&w->sink);
    free(w->path);
    free(w);
}

/* The path with the session's id in it: several sessions may run one manifest. */
static char *expand(const char *path, const char *session_id) {
    const char *mark = strstr(path, SESSION);
    size_t head = mark ? (size_t)(mark - path) : strlen(path);
    size_t size = strlen(path) + strlen(session_id) + 1;
    char *out = calloc(1, size);
    if (!out)
        return NULL;
    memcpy(out, path, head);
    if (mark) {
        strcat(out, session_id);
        strcat(out, mark + strlen(SESSION));
    }
    return out;
}

static rm_err create(rm_node_context *context, const rm_node_params *params, void **state) {
    struct rmf_fault fault = {""};
    struct writer *w = calloc(1, sizeof *w);
    if (!w)
        return RM_E_NO_MEMORY;
    w->path = expand(rm_node_params_string(params, "path", ""), rm_node_session_id(context));
    const struct rmf_sink_config config = {
        .path = w->path,
        .video_bitrate = rm_node_params_int(params, "video_bitrate", 0),
        .audio_bitrate = rm_node_params_int(params, "audio_bitrate", 0),
        .framerate = rm_node_params_number(params, "framerate", 30),
        .threads = (int)rm_node_params_int(params, "threads", 1),
        .wait_us = rm_node_params_int(params, "wait_ms", 10000) * US_PER_MS,
    };
    rm_err err = w->path ? rmf_sink_open(&config, &w->sink, &fault) : RM_E_NO_MEMORY;
    if (err) {
        if (fault.text[0])
            rm_node_fail(context, "%s", fault.text);
        destroy(w);
        return err;
    }
    *state = w;
    return RM_OK;
}

static const rm_node_param params[] = {
    {.name = "path",
     .type = RM_PARAM_STRING,
     .required = true,
     .summary = "the file: .mkv, .mp4, .mov, .webm, .wav or .y4m; {session} becomes the session's id"},
    {.name = "video_bitrate",
     .type = RM_PARAM_INT,
     .default_json = "0",
     .max = 100000000,
     .summary = "bit/s; 0: by the size of the pictures"},
    {.name = "audio_bitrate",
     .type = RM_PARAM_INT,
     .default_json = "0",
     .max = 1000000,
     .summary = "bit/s; 0: 64000 for each channel"},
    {.name = "framerate",
     .type = RM_PARAM_NUMBER,
     .default_json = "30",
     .min = 1,
     .max = 240,
     .summary = "pictures per second that are expected; .y4m gets exactly so many"},
    {.name = "threads",
     .type = RM_PARAM_INT,
     .default_json = "1",
     .min = 1,
     .max = 16,
     .summary = "threads of the video encoder"},
    {.name = "wait_ms",
     .type = RM_PARAM_INT,
     .default_json = "10000",
     .max = 600000,
     .summary = "how long sound may begin after pictures, or pictures after sound, in ms"},
};

const rm_node_class rmf_media_writer = {.abi_version = RM_NODE_ABI_VERSION,
                                        .struct_size = sizeof(rm_node_class),
                                        .name = "MediaWriterNode",
                                        .summary = "writes sound and raw pictures to a media file, and passes them on",
                                        .accepts = "audio video",
                                        .flags = RM_NODE_OWN_THREAD,
                                        .params = params,
                                        .param_count = sizeof params / sizeof params[0],
                                        .create = create,
                                        .process = process,
                                        .flush = flush,
                                        .destroy = destroy};
