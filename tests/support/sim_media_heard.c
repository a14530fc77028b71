/* SPDX-License-Identifier: Apache-2.0 */
/* What a studio receives: packets to receivers, receivers at their deadlines, and judging what they give. */
#include "support/sim_media_private.h"

#include "quality.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SYNC_INTERVAL_US RMI_MS(250)
#define PSNR_EVERY 4 /* pictures */
#define TAU 6.28318530717958647692
#define MARKER_TWICE_US (MARKER_SPACING_US / 2) /* two markers this near in their recording are one heard twice */
#define MARKER_ALIKE 0.95                       /* concealment may go on with a marker, but not so well (0.90 seen) */
#define FREEZE_FRAMES 2                         /* a viewer may notice */
#define FREEZE_SLACK_US RMI_MS(2)
#define QUIET_POWER 1e-6 /* mean square below which a chunk has no tone to look for */
/* A thread runs so much after its deadline; what came at that very moment it finds there. */
#define WAKE_US 20
enum { FATE_CAME = 1, FATE_FEC = 2 };

/* ---- sound packets and their fate ---- */

static void count_fate(const struct studio_line *l, uint64_t *sent, uint64_t *lost, uint64_t *for_good) {
    *sent = l->has_seq ? (uint64_t)l->seq_at + 1 : 0;
    *lost = *for_good = 0;
    for (uint32_t i = 0; l->has_seq && i < l->seq_at; i++) {
        *lost += !(l->fate[i] & FATE_CAME);
        *for_good += !(l->fate[i] & FATE_CAME) && !(l->fate[i + 1] & FATE_FEC);
    }
}

static void forget_fate(struct studio_line *l) {
    if (l->fate)
        memset(l->fate, 0, STUDIO_PACKETS);
    l->has_seq = false;
    l->seq_at = 0;
}

static void note_fate(struct studio_line *l, const struct rmi_rtp_in *in) {
    if (!l->fate) {
        l->fate = calloc(STUDIO_PACKETS, 1);
        RMT_CHECK(l->studio->v, l->fate != NULL);
    }
    if (!l->has_seq) {
        l->has_seq = true;
        l->seq = in->seq;
    }
    int16_t ahead = (int16_t)(in->seq - l->seq);
    if (ahead < 0 && (uint32_t)-ahead > l->seq_at)
        return; /* before the first */
    uint32_t at = l->seq_at + (uint32_t)ahead;
    RMT_CHECK(l->studio->v, at < STUDIO_PACKETS);
    l->fate[at] |= FATE_CAME | (rmi_opus_packet_has_fec(in->payload, in->len) ? FATE_FEC : 0);
    if (ahead > 0) {
        l->seq = in->seq;
        l->seq_at = at;
    }
}

/* ---- judging ---- */

/* The share of a chunk's power that is a tone (Goertzel's sums, written out). */
static double tone_share(const rm_audio *a, double hz) {
    double re = 0, im = 0, power = 0;
    for (size_t i = 0; i < a->frame_count; i++) {
        double x = a->samples[i * a->channels], phase = TAU * hz * (double)i / a->sample_rate;
        re += x * cos(phase);
        im += x * sin(phase);
        power += x * x;
    }
    if (power < QUIET_POWER * (double)a->frame_count)
        return 0;
    return 2 * (re * re + im * im) / (power * (double)a->frame_count);
}

/* Now, on the clock that tells ages. */
static int64_t age_clock(const struct studio_line *l, int64_t now_us) {
    return l->r.clock ? rmt_host_now(l->r.clock) : now_us;
}

static void judge_markers(struct studio_line *l, const rm_audio *a, int64_t now_us) {
    struct rmt_reception *r = &l->r;
    struct marker_heard heard;
    if (!l->detector)
        rmt_studio_fail(l->studio, marker_detector_create(a->sample_rate, &l->detector), "marker detector");
    rmt_studio_fail(l->studio, marker_detector_feed(l->detector, a, now_us), "marker detector");
    while (marker_detector_next(l->detector, &heard)) {
        int64_t age_us = marker_latency_us(&heard), recorded_us = heard.heard_us - age_us;
        r->sound_disorder +=
            heard.similarity > MARKER_ALIKE && l->last_marker_us && recorded_us < l->last_marker_us + MARKER_TWICE_US;
        l->last_marker_us = recorded_us;
        r->markers++;
        rmt_samples_add(&r->sound_age_us, age_us);
    }
}

/* Chunks in a row with nothing in them that came. */
static void judge_gap(struct studio_line *l, const rm_audio *a) {
    struct rmi_audio_receiver_stats stats;
    rmi_audio_receiver_get_stats(l->sound, &stats);
    const uint64_t invented = stats.concealed_samples - l->concealed;
    l->concealed = stats.concealed_samples;
    l->gap_us = invented >= a->frame_count ? l->gap_us + (int64_t)(a->frame_count * RMI_SEC(1) / a->sample_rate) : 0;
    l->r.longest_gap_us = rmi_max64(l->r.longest_gap_us, l->gap_us);
}

static void judge_sound(struct studio_line *l, const rm_runtime_data *data, int64_t now_us) {
    struct rmt_reception *r = &l->r;
    const rm_audio *a = rm_runtime_data_audio(data);
    int64_t time_us = rm_runtime_data_timestamp_us(data);
    r->sound_disorder += l->has_time && time_us < l->last_time_us;
    l->has_time = true;
    l->last_time_us = time_us;
    if (r->last_chunk_us)
        r->longest_pause_us = rmi_max64(r->longest_pause_us, now_us - r->last_chunk_us);
    r->last_chunk_us = now_us;
    r->chunks++;
    judge_gap(l, a);
    if (r->expect_hz > 0)
        r->tone_share = fmin(r->tone_share, tone_share(a, r->expect_hz));
    else
        judge_markers(l, a, age_clock(l, now_us));
}

static void judge_quality(struct studio_line *l, const rm_video *v, uint8_t frame, int64_t stamp_us) {
    struct rmt_reception *r = &l->r;
    rm_runtime_data *reference = NULL;
    if (l->studio->config.any_size || l->psnr_turn++ % PSNR_EVERY)
        return;
    rmt_studio_fail(l->studio, test_video_reference(l->studio->video, frame, stamp_us, &reference), "reference");
    double db = quality_psnr_db(v, rm_runtime_data_video(reference));
    rm_runtime_data_unref(&reference);
    if (!(db >= 0))
        rmt_vnet_fail(l->studio->v, "a picture of another size or format");
    r->psnr_least = r->psnr_count ? fmin(r->psnr_least, db) : db;
    r->psnr_sum += db;
    r->psnr_count++;
}

static void judge_picture(struct studio_line *l, const rm_runtime_data *data, int64_t now_us) {
    struct rmt_reception *r = &l->r;
    const rm_video *v = rm_runtime_data_video(data);
    int64_t stamp_us;
    uint8_t frame;
    if (r->last_picture_us) {
        r->longest_freeze_us = rmi_max64(r->longest_freeze_us, now_us - r->last_picture_us);
        if (now_us - r->last_picture_us > FREEZE_FRAMES * RMI_SEC(1) / l->studio->config.fps + FREEZE_SLACK_US)
            rmt_samples_add(&r->freezes_us, now_us - r->last_picture_us);
    }
    r->last_picture_us = now_us;
    r->widths += r->width && r->width != v->width;
    r->width = v->width;
    r->pictures++;
    if (!stamp_read(v, &stamp_us, &frame)) {
        r->unreadable++;
        return;
    }
    r->picture_disorder += l->has_stamp && stamp_us <= l->last_stamp_us;
    l->has_stamp = true;
    l->last_stamp_us = stamp_us;
    rmt_samples_add(&r->picture_age_us, stamp_age_us(age_clock(l, now_us), stamp_us));
    judge_quality(l, v, frame, stamp_us);
}

/* ---- receivers at their deadlines ---- */

static void on_sound_task(void *ctx, int64_t now_us);
static void on_picture_task(void *ctx, int64_t now_us);

static void arm(struct studio_line *l, uint64_t *task, int64_t at_us, rmt_task_fn fn) {
    if (*task)
        rmt_vnet_cancel(l->studio->v, *task);
    *task = at_us == RMI_NEVER ? 0 : rmt_host_at(l->studio->host, at_us + WAKE_US, fn, l);
}

static void synchronise(struct studio_line *l, int64_t now_us) {
    if (now_us - l->synced_us < SYNC_INTERVAL_US || !l->pictures)
        return;
    l->synced_us = now_us;
    struct rmi_av_timing sound, pictures;
    rmi_audio_receiver_timing(l->sound, &sound);
    rmi_video_receiver_timing(l->pictures, &pictures);
    struct rmi_av_result r = rmi_av_sync_update(&l->sync, now_us, &sound, &pictures);
    rmi_audio_receiver_set_sync_delay(l->sound, r.delay_us[RMI_AV_AUDIO]);
    l->video_delay_us = r.delay_us[RMI_AV_VIDEO];
    l->r.skew_us = r.skew_us;
}

static void deliver(struct studio_line *l, rm_runtime_data *data, int64_t now_us) {
    if (rm_runtime_data_audio(data))
        judge_sound(l, data, now_us);
    else
        judge_picture(l, data, now_us);
    if (l->studio->config.echo)
        rmt_studio_echo(l, data, now_us);
}

static void on_sound_task(void *ctx, int64_t now_us) {
    struct studio_line *l = ctx;
    l->sound_task = 0;
    while (rmi_audio_receiver_next_pull(l->sound) <= now_us) {
        rm_runtime_data *chunk = NULL;
        if (rmi_audio_receiver_pull(l->sound, now_us, &chunk) == RM_OK)
            deliver(l, chunk, now_us);
        rm_runtime_data_unref(&chunk);
        synchronise(l, now_us);
    }
    arm(l, &l->sound_task, rmi_audio_receiver_next_pull(l->sound), on_sound_task);
    rmt_peer_pump(l->studio->peer);
}

static void on_picture_task(void *ctx, int64_t now_us) {
    struct studio_line *l = ctx;
    struct rmi_rtp_session_stats rtp;
    l->picture_task = 0;
    rmi_rtp_session_get_stats(l->rtp, &rtp);
    rmi_video_receiver_set_rtt(l->pictures, rtp.rtt_us);
    rmi_video_receiver_set_sync_delay(l->pictures, l->video_delay_us);
    rm_runtime_data *picture = NULL;
    for (rm_err err; (err = rmi_video_receiver_pop(l->pictures, now_us, &picture)) != RM_E_AGAIN;) {
        if (!err)
            deliver(l, picture, now_us);
        rm_runtime_data_unref(&picture);
    }
    if (rmi_video_receiver_take_key_request(l->pictures, now_us))
        rmi_rtp_session_ask_key(l->rtp, now_us);
    arm(l, &l->picture_task, rmi_video_receiver_next_deadline(l->pictures, now_us), on_picture_task);
    rmt_peer_pump(l->studio->peer);
}

/* ---- packets ---- */

static struct rmi_buf *payload_copy(struct studio_line *l, const struct rmi_rtp_in *in) {
    struct rmi_buf *buf = rmi_buf_alloc(in->len + 1, NULL);
    RMT_CHECK(l->studio->v, buf != NULL);
    if (in->len)
        memcpy(buf->data, in->payload, in->len);
    buf->len = in->len;
    return buf;
}

/* Numbers began high; small ones come after the wrap only. */
static void note_wrap(struct studio_line *l, const struct rmi_rtp_in *in) {
    bool sound = in->kind == RMI_RTP_AUDIO;
    if (in->seq < UINT16_MAX / 2)
        l->wrapped |= sound ? RMT_WRAPPED_SEQ_SOUND : RMT_WRAPPED_SEQ_PICTURES;
    if (in->timestamp < UINT32_MAX / 2)
        l->wrapped |= sound ? RMT_WRAPPED_TIME_SOUND : RMT_WRAPPED_TIME_PICTURES;
}

void rmt_line_packet(void *studio, void *line, const struct rmi_rtp_in *in) {
    struct studio_line *l = line;
    struct rmi_buf *buf = payload_copy(l, in);
    (void)studio;
    note_wrap(l, in);
    if (in->kind == RMI_RTP_AUDIO) {
        note_fate(l, in);
        rmi_audio_receiver_insert(l->sound, in->ssrc, in->seq, in->timestamp, in->arrival_us, buf, 0, (uint32_t)in->len,
                                  in->repaired);
        /* Otherwise it comes when it said, as a sleeping thread does. */
        if (!l->sound_task || rmi_audio_receiver_is_waiting(l->sound))
            arm(l, &l->sound_task, in->arrival_us, on_sound_task);
    } else {
        const struct rmi_video_in v = {.format = in->format,
                                       .ssrc = in->ssrc,
                                       .timestamp = in->timestamp,
                                       .seq = in->seq,
                                       .marker = in->marker,
                                       .padding = in->padding,
                                       .arrival_us = in->arrival_us,
                                       .buf = buf,
                                       .len = (uint32_t)in->len};
        rmi_video_receiver_insert(l->pictures, &v);
        if (in->marker || in->repaired || !l->picture_task)
            arm(l, &l->picture_task, in->arrival_us, on_picture_task);
    }
    rmi_buf_unref(&buf);
}

void rmt_line_report(void *studio, void *line, enum rmi_rtp_kind kind, uint64_t ntp, uint32_t timestamp) {
    struct studio_line *l = line;
    (void)studio;
    rmi_av_sync_report(&l->sync, kind == RMI_RTP_AUDIO ? RMI_AV_AUDIO : RMI_AV_VIDEO, ntp, timestamp);
}

/* ---- life ---- */

void rmt_line_begin(struct studio_line *l) {
    const struct rmt_studio_config *c = &l->studio->config;
    rmt_studio_fail(
        l->studio,
        rmi_audio_receiver_create(
            &(struct rmi_audio_receiver_config){.max_delay_us = c->max_delay_us, .stream_id = l->r.id}, &l->sound),
        "audio receiver");
    rmt_studio_fail(l->studio,
                    rmi_video_receiver_create(
                        &(struct rmi_video_receiver_config){
                            .max_delay_us = c->max_delay_us, .repair = true, .decode = true, .stream_id = l->r.id},
                        &l->pictures),
                    "video receiver");
    l->has_time = false; /* another stream counts from 0 */
    l->concealed = 0;
}

void rmt_line_take_stats(struct studio_line *l) {
    struct rmt_reception *r = &l->r;
    uint64_t sent, lost, for_good;
    rmi_audio_receiver_get_stats(l->sound, &r->sound);
    rmi_video_receiver_get_stats(l->pictures, &r->video);
    rmi_rtp_session_get_stats(l->rtp, &r->rtp);
    count_fate(l, &sent, &lost, &for_good);
    r->sound_packets = l->sent_before + sent;
    r->sound_packets_lost = l->lost_before + lost;
    r->sound_lost_for_good = l->for_good_before + for_good;
}

void rmt_line_end(struct studio_line *l) {
    rmt_line_take_stats(l);
    l->sent_before = l->r.sound_packets;
    l->lost_before = l->r.sound_packets_lost;
    l->for_good_before = l->r.sound_lost_for_good;
    forget_fate(l);
    arm(l, &l->sound_task, RMI_NEVER, on_sound_task);
    arm(l, &l->picture_task, RMI_NEVER, on_picture_task);
    rmi_audio_receiver_destroy(&l->sound);
    rmi_video_receiver_destroy(&l->pictures);
}

void rmt_line_fini(struct studio_line *l) {
    marker_detector_destroy(&l->detector);
    free(l->fate);
    rmt_samples_fini(&l->r.sound_age_us);
    rmt_samples_fini(&l->r.picture_age_us);
    rmt_samples_fini(&l->r.freezes_us);
}

void rmt_line_forget(struct studio_line *l) {
    struct rmt_reception *r = &l->r;
    rmt_samples_fini(&r->sound_age_us);
    rmt_samples_fini(&r->picture_age_us);
    rmt_samples_fini(&r->freezes_us);
    r->sound_age_us = r->picture_age_us = r->freezes_us = (struct rmt_samples){0};
    r->markers = r->chunks = r->pictures = r->unreadable = r->sound_disorder = r->picture_disorder = 0;
    r->last_chunk_us = r->longest_pause_us = r->last_picture_us = r->longest_freeze_us = r->longest_gap_us = 0;
    r->psnr_least = r->psnr_sum = 0;
    r->psnr_count = 0;
    r->widths = 0;
    r->tone_share = 1;
    l->last_marker_us = 0;
}
