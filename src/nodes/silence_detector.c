/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/audio_event.h"
#include "nodes/nodes.h"

#include <stdlib.h>
#include <string.h>

#define DROPOUTS_MAX 256 /* remembered for one stream */
#define US_PER_MS 1000.0
#define US_PER_S 1000000

struct stream {
    bool was_silent;
    int64_t silence_us;             /* how long the present silence lasts */
    int64_t heard_us;               /* sound heard in all: the clock of dropouts, for chunks may carry no time */
    int64_t dropouts[DROPOUTS_MAX]; /* when silence began, oldest first */
    size_t dropout_count;
};

struct detector {
    double threshold_db, sustained_ms, window_ms;
    int64_t dropout_limit;
    bool pass_audio;
    struct rmi_node_streams ids;
    struct stream streams[RMI_NODE_STREAMS_MAX];
};

static rm_err create(rm_node_context *context, const rm_node_params *params, void **state) {
    (void)context;
    struct detector *d = calloc(1, sizeof *d);
    if (!d)
        return RM_E_NO_MEMORY;
    d->threshold_db = rm_node_params_number(params, "silence_threshold_db", 0);
    d->sustained_ms = rm_node_params_number(params, "sustained_silence_ms", 0);
    d->window_ms = rm_node_params_number(params, "dropout_window_ms", 0);
    d->dropout_limit = rm_node_params_int(params, "dropout_count_threshold", 0);
    d->pass_audio = rm_node_params_bool(params, "pass_audio", false);
    *state = d;
    return RM_OK;
}

static void note_dropout(const struct detector *d, struct stream *s, bool begins) {
    size_t old = 0;
    while (old < s->dropout_count && (double)(s->heard_us - s->dropouts[old]) >= d->window_ms * US_PER_MS)
        old++;
    if (begins && old == 0 && s->dropout_count == DROPOUTS_MAX)
        old = 1;
    s->dropout_count -= old;
    memmove(s->dropouts, s->dropouts + old, s->dropout_count * sizeof s->dropouts[0]);
    if (begins)
        s->dropouts[s->dropout_count++] = s->heard_us;
}

static rm_err process(void *state, rm_node_context *context, rm_runtime_data *input) {
    struct detector *d = state;
    const rm_audio *audio = rm_runtime_data_audio(input);
    double rms_db, peak_db;
    bool fresh;
    struct stream *s = &d->streams[rmi_node_stream(&d->ids, rm_runtime_data_stream_id(input), &fresh)];
    if (fresh)
        memset(s, 0, sizeof *s);
    rmi_audio_event_levels(audio, &rms_db, &peak_db);
    bool silent = rms_db <= d->threshold_db;
    int64_t length_us = (int64_t)(audio->frame_count * US_PER_S / audio->sample_rate);
    note_dropout(d, s, silent && !s->was_silent);
    s->was_silent = silent;
    s->heard_us += length_us;
    s->silence_us = silent ? s->silence_us + length_us : 0;
    double silence_ms = (double)s->silence_us / US_PER_MS;
    bool sustained = silent && silence_ms >= d->sustained_ms;
    double health = !silent ? 1.0 : sustained ? 0.0 : 1.0 - silence_ms / d->sustained_ms;
    json_t *event =
        json_pack("{s:b, s:f, s:f, s:b, s:i, s:b, s:f}", "is_silent", silent, "rms_db", rms_db, "silence_duration_ms",
                  silence_ms, "is_sustained_silence", sustained, "dropout_count", (int)s->dropout_count,
                  "has_intermittent_dropouts", (int64_t)s->dropout_count >= d->dropout_limit, "health", health);
    return rmi_audio_event_emit(context, input, "silence_event", event, d->pass_audio);
}

static const rm_node_param params[] = {
    {.name = "silence_threshold_db",
     .type = RM_PARAM_NUMBER,
     .default_json = "-50",
     .min = -120,
     .max = 0,
     .summary = "at or below this RMS level (dB, 0 = full scale) it is silence"},
    {.name = "sustained_silence_ms",
     .type = RM_PARAM_NUMBER,
     .default_json = "500",
     .min = 1,
     .max = 3600000,
     .summary = "silence of this length is sustained"},
    {.name = "dropout_count_threshold",
     .type = RM_PARAM_INT,
     .default_json = "3",
     .min = 1,
     .max = DROPOUTS_MAX,
     .summary = "so many beginnings of silence within the window are intermittent dropouts"},
    {.name = "dropout_window_ms",
     .type = RM_PARAM_NUMBER,
     .default_json = "5000",
     .min = 1,
     .max = 3600000,
     .summary = "length of that window"},
    {.name = "pass_audio",
     .type = RM_PARAM_BOOL,
     .default_json = "false",
     .summary = "emit the audio too, after the event"},
};

const rm_node_class rmi_node_silence_detector = {RMI_NODE_CLASS_HEAD,
                                                 .name = "SilenceDetectorNode",
                                                 .summary = "silence and dropouts of each audio stream, as JSON",
                                                 .accepts = "audio",
                                                 .params = params,
                                                 .param_count = RMI_NODE_PARAM_COUNT(params),
                                                 .create = create,
                                                 .process = process,
                                                 .destroy = free};
