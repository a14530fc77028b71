/* SPDX-License-Identifier: Apache-2.0 */
#include "webrtc/wish.h"

json_t *rmi_wish_write(const rm_subscription *wish) {
    json_t *out = json_pack("{s:b, s:b}", "audio", wish->audio, "video", wish->video);
    const rm_quality *max = &wish->max;
    if (!out || max->tier == RM_TIER_NONE)
        return out;
    if (json_object_set_new(out, "max",
                            json_pack("{s:I, s:I, s:I}", "bitrate_kbps", (json_int_t)max->bitrate_kbps, "width",
                                      (json_int_t)max->width, "height", (json_int_t)max->height))) {
        json_decref(out);
        return NULL;
    }
    return out;
}

static bool in_range(json_int_t value, json_int_t most) {
    return value >= 1 && value <= most;
}

bool rmi_wish_valid(const rm_subscription *wish) {
    const rm_quality *max = &wish->max;
    if (max->tier == RM_TIER_NONE)
        return true;
    return max->tier <= RM_TIER_CUSTOM && in_range(max->bitrate_kbps, RM_ROUTER_BITRATE_KBPS_MAX) &&
           in_range(max->width, RM_ROUTER_SIDE_MAX) && in_range(max->height, RM_ROUTER_SIDE_MAX);
}

static bool read_flag(const json_t *in, const char *name, bool *out) {
    const json_t *value = json_object_get(in, name);
    if (value)
        *out = json_is_true(value);
    return !value || json_is_boolean(value);
}

static bool read_number(const json_t *in, const char *name, json_int_t most, uint32_t *out) {
    const json_t *value = json_object_get(in, name);
    if (!json_is_integer(value) || !in_range(json_integer_value(value), most))
        return false;
    *out = (uint32_t)json_integer_value(value);
    return true;
}

rm_err rmi_wish_read(const json_t *in, rm_subscription *out, const char **fault) {
    rm_subscription wish = {.audio = true, .video = true};
    const json_t *max = json_object_get(in, "max");
    *fault = NULL;
    if (!json_is_object(in))
        *fault = "data: not an object";
    else if (!read_flag(in, "audio", &wish.audio))
        *fault = "audio: neither true nor false";
    else if (!read_flag(in, "video", &wish.video))
        *fault = "video: neither true nor false";
    else if (max && !json_is_null(max)) {
        wish.max.tier = RM_TIER_CUSTOM;
        if (!read_number(max, "bitrate_kbps", RM_ROUTER_BITRATE_KBPS_MAX, &wish.max.bitrate_kbps))
            *fault = "max.bitrate_kbps: not a number in 1..1000000";
        else if (!read_number(max, "width", RM_ROUTER_SIDE_MAX, &wish.max.width))
            *fault = "max.width: not a number in 1..16384";
        else if (!read_number(max, "height", RM_ROUTER_SIDE_MAX, &wish.max.height))
            *fault = "max.height: not a number in 1..16384";
    }
    if (*fault)
        return RM_E_PARSE;
    *out = wish;
    return RM_OK;
}

bool rmi_wish_same(const rm_subscription *a, const rm_subscription *b) {
    const bool none = a->max.tier == RM_TIER_NONE, none_b = b->max.tier == RM_TIER_NONE;
    return a->audio == b->audio && a->video == b->video && none == none_b &&
           (none || (a->max.bitrate_kbps == b->max.bitrate_kbps && a->max.width == b->max.width &&
                     a->max.height == b->max.height));
}
