/* SPDX-License-Identifier: Apache-2.0 */
/* Packets, pulls and sender reports in any order, for both buffers and the lip sync. First byte: ceiling; then events,
 * each a byte (low 3 bits: kind, the rest: time that passes) and its fields. */
#include "base/cursor.h"
#include "base/time.h"
#include "jitter/audio.h"
#include "jitter/video.h"
#include <stdlib.h>

#define RATE 48000
#define CHUNK 480
#define VIDEO_PACKETS 64
#define AUDIO_PACKETS 256
#define MAX_PULLS 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct state {
    struct rmi_audio_buffer *audio;
    struct rmi_video_buffer *video;
    struct rmi_av_sync sync;
    struct rmi_buf *buf;
    int64_t now, asked;
};

static void check(bool good) {
    if (!good)
        abort();
}

static void audio_packet(struct state *s, struct rmi_rd *r) {
    const uint8_t flags = rmi_rd_u8(r);
    struct rmi_audio_packet p = {.ssrc = flags >> 6, .fec = flags & 1, .dtx = flags & 2, .redundant = flags & 4};
    p.seq = rmi_rd_u16(r);
    p.timestamp = flags & 8 ? rmi_rd_u32(r) : p.seq * 960U;
    p.duration = flags & 16 ? rmi_rd_u16(r) : 960;
    p.arrival_us = s->now;
    p.buf = s->buf;
    (void)rmi_audio_buffer_insert(s->audio, &p);
    check(rmi_audio_buffer_get_stats(s->audio).held <= AUDIO_PACKETS);
}

static void video_packet(struct state *s, struct rmi_rd *r) {
    const uint8_t flags = rmi_rd_u8(r);
    struct rmi_video_packet p = {.ssrc = flags >> 7,
                                 .marker = flags & 1,
                                 .first = flags & 2,
                                 .key = flags & 4,
                                 .disposable = flags & 8,
                                 .padding = flags & 16};
    p.seq = rmi_rd_u16(r);
    p.timestamp = flags & 32 ? rmi_rd_u32(r) : p.seq / 4 * 3000U;
    p.arrival_us = s->now;
    p.buf = s->buf;
    (void)rmi_video_buffer_insert(s->video, &p);
    check(rmi_video_buffer_get_stats(s->video).held <= VIDEO_PACKETS);
}

static void play(struct state *s, uint32_t store) {
    for (unsigned turns = 0; store < CHUNK; turns++) {
        struct rmi_audio_decision d;
        check(turns < MAX_PULLS);
        rmi_audio_buffer_pull(s->audio, s->now, store, &d);
        if (d.action == RMI_AUDIO_WAIT)
            return;
        check(d.duration > 0 && (int64_t)d.duration + d.stretch_ticks > 0);
        check(d.resample_ppm >= -1000 && d.resample_ppm <= 1000);
        store += d.duration;
        rmi_buf_unref(&d.buf);
    }
}

static void show(struct state *s) {
    struct rmi_video_frame frame;
    while (rmi_video_buffer_pop(s->video, s->now, &frame)) {
        check(frame.count > 0 && frame.count <= VIDEO_PACKETS);
        rmi_video_frame_release(&frame);
    }
    if (rmi_video_buffer_take_keyframe_request(s->video, s->now)) {
        check(s->now - s->asked >= RMI_MS(500));
        s->asked = s->now;
    }
    check(rmi_video_buffer_next_deadline(s->video, s->now) >= s->now);
}

static void align(struct state *s) {
    struct rmi_av_timing a, v;
    rmi_audio_buffer_timing(s->audio, &a);
    rmi_video_buffer_timing(s->video, &v);
    const struct rmi_av_result out = rmi_av_sync_update(&s->sync, s->now, &a, &v);
    for (int k = 0; k < RMI_AV_KINDS; k++)
        check(out.delay_us[k] >= 0 && out.delay_us[k] <= RMI_AV_SYNC_MAX_US);
    rmi_audio_buffer_set_sync_delay(s->audio, out.delay_us[RMI_AV_AUDIO]);
    rmi_video_buffer_set_sync_delay(s->video, out.delay_us[RMI_AV_VIDEO]);
}

static void event(struct state *s, struct rmi_rd *r) {
    const uint8_t head = rmi_rd_u8(r);
    const int64_t step = head >> 3;
    s->now += step * step * step * 100; /* 0 .. 3 s */
    switch (head & 7) {
    case 0:
    case 1:
        audio_packet(s, r);
        break;
    case 2:
    case 3:
        video_packet(s, r);
        break;
    case 4:
        play(s, rmi_rd_u8(r));
        break;
    case 5:
        show(s);
        break;
    case 6: {
        const uint64_t ntp = rmi_rd_u64(r);
        rmi_av_sync_report(&s->sync, step & 1 ? RMI_AV_VIDEO : RMI_AV_AUDIO, ntp, rmi_rd_u32(r));
        break;
    }
    default:
        align(s);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rmi_rd r = rmi_rd_init(data, size);
    const int64_t ceiling = RMI_MS(rmi_rd_u8(&r));
    struct state s = {.buf = rmi_buf_alloc(1, NULL), .asked = -RMI_SEC(1)};
    const struct rmi_audio_buffer_config ac = {.clock_rate = RATE, .chunk_ticks = CHUNK, .max_delay_us = ceiling};
    const struct rmi_video_buffer_config vc = {
        .clock_rate = 90000, .packets = VIDEO_PACKETS, .max_delay_us = RMI_MS(200), .repair = ceiling & 1};
    check(s.buf && rmi_audio_buffer_create(&ac, &s.audio) == RM_OK && rmi_video_buffer_create(&vc, &s.video) == RM_OK);
    rmi_av_sync_init(&s.sync, RATE, 90000);
    while (rmi_rd_left(&r) > 0)
        event(&s, &r);
    rmi_audio_buffer_destroy(&s.audio);
    rmi_video_buffer_destroy(&s.video);
    check(rmi_buf_is_single(s.buf));
    rmi_buf_unref(&s.buf);
    return 0;
}
