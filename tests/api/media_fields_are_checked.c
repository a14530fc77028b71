/* SPDX-License-Identifier: Apache-2.0 */
/* The media fields of a configuration: every fault is told at once by its field, with the range; every border is legal;
 * the presets hold the values of their purpose. */
#include "support/api.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct range {
    const char *field;
    size_t offset;
    uint32_t least, most;
} ranges[] = {
    {"jitter_buffer_size_ms", offsetof(rm_webrtc_config, jitter_buffer_size_ms), 50, 200},
    {"rtcp_interval_ms", offsetof(rm_webrtc_config, rtcp_interval_ms), 1000, 10000},
    {"media_weight_percent", offsetof(rm_webrtc_config, media_weight_percent), 25, 400},
    {"target_bitrate_kbps", offsetof(rm_webrtc_config, target_bitrate_kbps), 50, 50000},
    {"video_framerate_fps", offsetof(rm_webrtc_config, video_framerate_fps), 1, 60},
    {"video_rungs[1].max_width", offsetof(rm_webrtc_config, video_rungs[1].max_width), 16, 4096},
    {"video_rungs[1].max_height", offsetof(rm_webrtc_config, video_rungs[1].max_height), 16, 4096},
    {"video_rungs[0].max_bitrate_kbps", offsetof(rm_webrtc_config, video_rungs[0].max_bitrate_kbps), 10, 50000},
    {"audio_bitrate_bps", offsetof(rm_webrtc_config, audio_bitrate_bps), 6000, 510000},
};

struct faults {
    char text[2048];
};

static struct faults check(const rm_webrtc_config *c, rm_err expected) {
    struct faults f;
    RMT_REQUIRE(rm_webrtc_config_check(c, f.text, sizeof f.text) == expected);
    return f;
}

static void set(rm_webrtc_config *c, const struct range *r, uint32_t value) {
    memcpy((char *)c + r->offset, &value, sizeof value);
}

/* One line, "FIELD: VALUE is ...". */
static void require_fault(struct faults f, const char *field, const char *value) {
    char line[128];
    snprintf(line, sizeof line, "%s: %s is ", field, value);
    const char *found = strstr(f.text, line);
    if (!found)
        fprintf(stderr, "\"%s\" is not in:\n%s", line, f.text);
    RMT_REQUIRE(found && (found == f.text || found[-1] == '\n'));
}

static void ranges_are_kept(void) {
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        const struct range *r = &ranges[i];
        rm_webrtc_config c;
        char value[16];
        rm_webrtc_config_init(&c);
        set(&c, r, r->least);
        check(&c, RM_OK);
        set(&c, r, r->most);
        check(&c, RM_OK);
        for (int above = 0; above < 2; above++) {
            uint32_t bad = above ? r->most + 1 : r->least - 1;
            snprintf(value, sizeof value, "%u", bad);
            set(&c, r, bad);
            require_fault(check(&c, RM_E_CONFIG), r->field, value);
        }
    }
}

static void choices_are_kept(void) {
    static const uint32_t frames[] = {2500, 5000, 10000, 20000, 40000, 60000};
    static const char *const sizes[] = {"480p", "720p", "1080p"};
    rm_webrtc_config c;
    rm_webrtc_config_init(&c);
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        c.audio_frame_us = frames[i];
        check(&c, RM_OK);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        c.max_video_resolution = sizes[i];
        check(&c, RM_OK);
    }
    for (int codec = RM_VIDEO_VP9; codec <= RM_VIDEO_H264; codec++) {
        c.video_codec = (rm_video_codec)codec;
        check(&c, RM_OK);
    }
    c.audio_frame_us = 15000;
    c.max_video_resolution = "4k";
    c.video_codec = (rm_video_codec)3;
    c.audio_codec = (rm_audio_codec)1;
    struct faults faults = check(&c, RM_E_CONFIG); /* all at once */
    require_fault(faults, "audio_frame_us", "15000");
    require_fault(faults, "max_video_resolution", "\"4k\"");
    require_fault(faults, "video_codec", "3");
    require_fault(faults, "audio_codec", "1");
    c.max_video_resolution = NULL;
    require_fault(check(&c, RM_E_CONFIG), "max_video_resolution", "\"(null)\"");
}

static void presets_have_the_values_of_their_purpose(void) {
    static const struct {
        void (*init)(rm_webrtc_config *);
        rm_video_codec codec;
        uint32_t jitter_ms, rtcp_ms, kbps, fps, peers;
        const char *size;
    } presets[] = {
        {rm_webrtc_config_init, RM_VIDEO_H264, 50, 5000, 2000, 30, 10, "720p"},
        {rm_webrtc_config_init_low_latency, RM_VIDEO_VP8, 50, 2000, 1500, 30, 10, "720p"},
        {rm_webrtc_config_init_high_quality, RM_VIDEO_VP9, 100, 5000, 4000, 30, 10, "1080p"},
        {rm_webrtc_config_init_mobile_network, RM_VIDEO_VP8, 150, 3000, 800, 24, 5, "480p"},
    };
    for (size_t i = 0; i < sizeof presets / sizeof presets[0]; i++) {
        rm_webrtc_config c;
        presets[i].init(&c);
        check(&c, RM_OK);
        RMT_REQUIRE(c.struct_size == sizeof c);
        RMT_REQUIRE(c.video_codec == presets[i].codec && c.audio_codec == RM_AUDIO_OPUS);
        RMT_REQUIRE(c.jitter_buffer_size_ms == presets[i].jitter_ms && c.rtcp_interval_ms == presets[i].rtcp_ms);
        RMT_REQUIRE(c.target_bitrate_kbps == presets[i].kbps && c.video_framerate_fps == presets[i].fps);
        RMT_REQUIRE(c.max_peers == presets[i].peers && !strcmp(c.max_video_resolution, presets[i].size));
        RMT_REQUIRE(c.enable_audio && c.enable_video && c.enable_data_channel);
        RMT_REQUIRE(c.enable_rtcp && c.adaptive_bitrate_enabled);
        RMT_REQUIRE(c.audio_frame_us == 10000 && c.audio_bitrate_bps == 64000 && !c.on_media && !c.on_output);
    }
}

int main(void) {
    ranges_are_kept();
    choices_are_kept();
    presets_have_the_values_of_their_purpose();
    return 0;
}
