/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/nodes.h"
#include "nodes/video_image.h"
#include "nodes/video_overlay_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEMPLATE_MAX 256 /* bytes of the parameter */
#define TEXT_MAX 1024    /* of what is drawn; placeholders grow */
#define VALUE_MAX 32     /* of one placeholder */
#define AUTO_HEIGHT 240  /* pixels of the picture for each of scale: text of 24 pixels at 720 */
#define SCALE_MAX 64

#define US_PER_MS 1000
#define US_PER_S INT64_C(1000000)
#define S_PER_MINUTE 60
#define S_PER_HOUR 3600
#define S_PER_DAY 86400

struct video_overlay {
    char text[TEMPLATE_MAX + 1];
    enum rmi_overlay_position position;
    int scale; /* 0: by height */
    int opacity;
    bool utc;
    struct rmi_node_streams streams;
    int64_t first_us[RMI_NODE_STREAMS_MAX];
};

/* In the order of enum rmi_overlay_position. */
static const char *const positions[] = {"top_left", "top_right", "bottom_left", "bottom_right", "center"};

/* One byte for each character: what is not printable ASCII becomes a question mark. */
static void to_ascii(const char *utf8, char *out) {
    for (; *utf8; utf8++) {
        unsigned char c = (unsigned char)*utf8;
        if ((c & 0xc0) == 0x80) /* the rest of a character */
            continue;
        *out++ = (char)(c == '\n' || (c >= ' ' && c <= '~') ? c : '?');
    }
    *out = '\0';
}

static rm_err create(rm_node_context *context, const rm_node_params *params, void **state) {
    const char *text = rm_node_params_string(params, "text", "");
    const char *position = rm_node_params_string(params, "position", positions[0]);
    if (strlen(text) > TEMPLATE_MAX) {
        rm_node_fail(context, "text is longer than %d bytes", TEMPLATE_MAX);
        return RM_E_CONFIG;
    }
    struct video_overlay *o = calloc(1, sizeof *o);
    if (!o)
        return RM_E_NO_MEMORY;
    to_ascii(text, o->text);
    for (size_t i = 0; i < sizeof positions / sizeof positions[0]; i++)
        if (!strcmp(position, positions[i]))
            o->position = (enum rmi_overlay_position)i;
    o->scale = (int)rm_node_params_int(params, "scale", 0);
    o->opacity = (int)(rm_node_params_number(params, "opacity", 0) * RMI_OVERLAY_OPAQUE);
    o->utc = !strcmp(rm_node_params_string(params, "clock", ""), "utc");
    *state = o;
    return RM_OK;
}

static void destroy(void *state) {
    free(state);
}

/* The frame's time in its stream, or of the day. */
static int64_t clock_us(struct video_overlay *o, const rm_runtime_data *input) {
    int64_t time_us = rm_runtime_data_timestamp_us(input);
    if (o->utc)
        return time_us % (S_PER_DAY * US_PER_S);
    bool fresh;
    size_t slot = rmi_node_stream(&o->streams, rm_runtime_data_stream_id(input), &fresh);
    if (fresh || time_us < o->first_us[slot])
        o->first_us[slot] = time_us;
    return time_us - o->first_us[slot];
}

static void print_clock(int64_t us, char out[VALUE_MAX]) {
    int64_t s = us / US_PER_S;
    snprintf(out, VALUE_MAX, "%02" PRId64 ":%02d:%02d.%03d", s / S_PER_HOUR, (int)(s % S_PER_HOUR / S_PER_MINUTE),
             (int)(s % S_PER_MINUTE), (int)(us % US_PER_S / US_PER_MS));
}

/* The length of the placeholder at `at`, and its value; 0: there is none. */
static size_t expand_one(struct video_overlay *o, const rm_runtime_data *input, const char *at, char out[VALUE_MAX]) {
    static const char *const names[] = {"{frame}", "{time}", "{size}"};
    const rm_video *v = rm_runtime_data_video(input);
    size_t i = 0, count = sizeof names / sizeof names[0];
    while (i < count && strncmp(at, names[i], strlen(names[i])) != 0)
        i++;
    if (i == 0)
        snprintf(out, VALUE_MAX, "%" PRIu64, v->frame_number);
    else if (i == 1)
        print_clock(clock_us(o, input), out);
    else if (i == 2)
        snprintf(out, VALUE_MAX, "%" PRIu32 "x%" PRIu32, v->width, v->height);
    return i < count ? strlen(names[i]) : 0;
}

static void expand(struct video_overlay *o, const rm_runtime_data *input, char out[TEXT_MAX]) {
    size_t used = 0;
    for (const char *at = o->text; *at;) {
        char value[VALUE_MAX] = {*at, '\0'};
        size_t taken = *at == '{' ? expand_one(o, input, at, value) : 0, len = strlen(value);
        at += taken ? taken : 1;
        if (used + len >= TEXT_MAX)
            break;
        memcpy(out + used, value, len);
        used += len;
    }
    out[used] = '\0';
}

/* The input itself when nobody else holds it, else a copy; to be released. */
static rm_err writable(rm_node_context *context, rm_runtime_data *input, const struct rmi_image *from,
                       rm_runtime_data **out, struct rmi_image *to) {
    const rm_video *v = rm_runtime_data_video(input);
    if (rm_runtime_data_write_plane(input, 0)) {
        *out = rm_runtime_data_ref(input);
        *to = *from;
        return RM_OK;
    }
    rm_err err =
        rmi_node_new_image(context, v->format, v->width, v->height, rm_runtime_data_timestamp_us(input), out, to);
    return err ? err : rmi_image_flip(from, to, false, false);
}

static rm_err process(void *state, rm_node_context *context, rm_runtime_data *input) {
    struct video_overlay *o = state;
    char text[TEXT_MAX];
    struct rmi_image from, to;
    rm_runtime_data *output = NULL;
    if (!rmi_node_image(rm_runtime_data_video(input), &from)) {
        rm_node_fail(context, "cannot draw on %s video; decode it first",
                     rm_pixel_format_name(rm_runtime_data_video(input)->format));
        return RM_E_UNSUPPORTED;
    }
    expand(o, input, text);
    rm_err err = writable(context, input, &from, &output, &to);
    if (err) {
        rm_runtime_data_unref(&output);
        return err;
    }
    int scale = o->scale > 0 ? o->scale : from.height / AUTO_HEIGHT;
    struct rmi_overlay overlay = {
        .text = text, .position = o->position, .scale = scale > 0 ? scale : 1, .opacity = o->opacity};
    rmi_overlay_draw(&overlay, &to);
    return rm_node_emit(context, output);
}

static const rm_node_param params[] = {
    {.name = "text",
     .type = RM_PARAM_STRING,
     .default_json = "\"{time}\"",
     .summary = "ASCII, at most 256 bytes; {frame}, {time} and {size} stand for what they say"},
    {.name = "clock",
     .type = RM_PARAM_STRING,
     .default_json = "\"running\"",
     .choices = "running|utc",
     .summary = "{time} since the stream's first frame, or the time of day that the frame's time has as Unix time"},
    {.name = "position",
     .type = RM_PARAM_STRING,
     .default_json = "\"top_left\"",
     .choices = "top_left|top_right|bottom_left|bottom_right|center",
     .summary = "corner of the picture, or its center"},
    {.name = "scale",
     .type = RM_PARAM_INT,
     .default_json = "0",
     .min = 0,
     .max = SCALE_MAX,
     .summary = "size of a glyph's pixels (glyphs are 5 x 7); 0: by the height of the picture"},
    {.name = "opacity",
     .type = RM_PARAM_NUMBER,
     .default_json = "0.6",
     .min = 0,
     .max = 1,
     .summary = "of the dark box behind the text; 0: no box"},
};

const rm_node_class rmi_node_video_overlay = {
    RMI_NODE_CLASS_HEAD, .name = "VideoOverlayNode", .summary = "draws text or a clock on raw video",
    .accepts = "video",  .params = params,           .param_count = RMI_NODE_PARAM_COUNT(params),
    .create = create,    .process = process,         .destroy = destroy};
