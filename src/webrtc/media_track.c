/* SPDX-License-Identifier: Apache-2.0 */
/* What is sent: sound is encoded by the calling thread, pictures by one thread for each track, once in each codec that
 * somebody receives. */
#include "webrtc/media_private.h"

#include "session/picture.h"
#include <stdlib.h>
#include <string.h>

/* An encoder nobody needed for so long is freed: VP9's takes 85 MB (measured, 720p). */
#define ENCODER_IDLE_US RMI_SEC(5)
/* Short frames are asked for by who counts milliseconds: 2.5 ms of look-ahead instead of 6.5, and a third of the CPU
 * time. What the other modes have more, in-band FEC, is made up for by copies in later packets
 * (peer/rtp_session_red.c), which are as good as the first and for each peer as many as its losses call for. For peers
 * that do not know these and lose much, the encoder gives way to one with FEC. */
#define LOW_DELAY_FRAME_US 10000
#define FEC_FRAME_US 10000 /* shorter ones are CELT's alone, which has none (RFC 6716 2.1.4, 2.1.7) */
#define KEY_APART_US                                                                                                   \
    RMI_MS(500)        /* key frames of one encoder, however many peers ask: they cost several pictures each */
#define SMOOTH_SHIFT 3 /* over about eight pictures */

static const struct {
    const char *name;
    uint32_t width, height;
} resolutions[] = {{"480p", 854, 480}, {"720p", 1280, 720}, {"1080p", 1920, 1080}};

void rmi_media_default_settings(const rm_webrtc_config *config, struct rmi_video_sender_settings *out) {
    out->bitrate_bps = config->target_bitrate_kbps * 1000;
    out->max_fps = config->video_framerate_fps;
    for (size_t i = 0; i < sizeof resolutions / sizeof resolutions[0]; i++)
        if (!strcmp(config->max_video_resolution, resolutions[i].name)) {
            out->max_width = resolutions[i].width;
            out->max_height = resolutions[i].height;
        }
}

rm_err rmi_media_track_init(struct rmi_media_track *track, struct rmi_media *m, struct rmi_media_peer *peer,
                            struct rmi_media_output *output) {
    track->media = m;
    track->peer = peer;
    track->output = output;
    atomic_init(&track->full, true);
    pthread_mutex_init(&track->mutex, NULL);
    rmi_media_default_settings(&m->t->config, &track->settings);
    return rmi_media_cond_init(&track->wake);
}

void rmi_media_track_configure(struct rmi_media_track *track, const struct rmi_video_sender_settings *settings) {
    pthread_mutex_lock(&track->mutex);
    track->settings = *settings;
    pthread_mutex_unlock(&track->mutex);
}

void rmi_media_track_stop(struct rmi_media_track *track) {
    pthread_mutex_lock(&track->mutex);
    track->stop = true;
    pthread_cond_signal(&track->wake);
    pthread_mutex_unlock(&track->mutex);
}

static void close_video(struct rmi_media_track *track, int format) {
    if (track->video[format])
        atomic_fetch_sub(&track->media->encoders, 1);
    rmi_video_sender_destroy(&track->video[format]);
}

void rmi_media_track_fini(struct rmi_media_track *track) {
    rmi_audio_sender_destroy(&track->audio);
    for (unsigned i = 0; i < track->queued; i++)
        rm_runtime_data_unref(&track->queue[i]);
    for (int f = 0; f < RMI_MEDIA_FORMATS; f++)
        close_video(track, f);
    pthread_cond_destroy(&track->wake);
    pthread_mutex_destroy(&track->mutex);
}

/* ---- to the network thread ---- */

static void post(struct rmi_media_track *track, const struct rmi_rtp_batch *batch, bool narrow) {
    struct rmi_media *m = track->media;
    struct rmi_media_item *item = rmi_pool_get(m->items);
    pthread_mutex_lock(&m->mutex);
    if (!item || !m->running) {
        m->outbox_full += item == NULL;
        pthread_mutex_unlock(&m->mutex);
        rmi_pool_put(m->items, item);
        return;
    }
    *item = (struct rmi_media_item){.batch = rmi_rtp_batch_ref(batch),
                                    .peer = track->peer ? rmi_media_peer_ref(track->peer) : NULL,
                                    .output = track->output ? rmi_media_output_ref(track->output) : NULL,
                                    .rung = track->rung,
                                    .narrow = narrow};
    bool first = rmi_list_empty(&m->outbox);
    rmi_list_push_back(&m->outbox, &item->node);
    if (first)
        rmi_loop_ask(m->t->loop, &m->flush);
    pthread_mutex_unlock(&m->mutex);
}

static void on_batch(void *ctx, const struct rmi_rtp_batch *batch) {
    post(ctx, batch, false);
}

static void on_narrow(void *ctx, const struct rmi_rtp_batch *batch) {
    post(ctx, batch, true);
}

/* The first use of a track takes its peer off the track of all. */
static void note_use(struct rmi_media_track *track) {
    if (!atomic_load(&track->used) && !atomic_exchange(&track->used, true) && track->peer)
        rmi_media_ask_network(track->media, true);
}

static int64_t clock_us(void *ctx) {
    (void)ctx;
    return rmi_now_us();
}

/* ---- sound ---- */

static void choose_audio(const struct rmi_media_track *track, int fec_percent, struct rmi_audio_encoder_config *out) {
    const rm_webrtc_config *c = &track->media->t->config;
    out->frame_us = c->audio_frame_us;
    out->bitrate_bps = c->audio_bitrate_bps;
    out->fec = fec_percent > 0 && c->audio_frame_us >= FEC_FRAME_US;
    out->loss_percent = out->fec ? fec_percent : 0;
    out->use = c->audio_frame_us <= LOW_DELAY_FRAME_US && !out->fec ? RMI_AUDIO_USE_LOW_DELAY : RMI_AUDIO_USE_VOICE;
}

/* The encoder, as losses call for it. One that cannot be had for want of memory is tried again with the next sound, and
 * the one before goes on. */
static rm_err ready_audio(struct rmi_media_track *track) {
    const int fec_percent = atomic_load(&track->fec_percent);
    if (track->audio && fec_percent == track->fec_applied)
        return RM_OK;
    struct rmi_audio_sender_config sc;
    rmi_audio_sender_config_init(&sc);
    choose_audio(track, fec_percent, &sc.encoder);
    sc.clock_us = clock_us;
    sc.on_batch = on_batch;
    sc.on_narrow = on_narrow;
    sc.ctx = track;
    const bool open = track->audio != NULL;
    const rm_err err =
        open ? rmi_audio_sender_configure(track->audio, &sc.encoder) : rmi_audio_sender_create(&sc, &track->audio);
    if (!err)
        track->fec_applied = fec_percent;
    return open ? RM_OK : err;
}

rm_err rmi_media_track_audio(struct rmi_media_track *track, rm_runtime_data *audio) {
    note_use(track);
    if (!atomic_load(&track->formats))
        return RM_OK; /* nobody to encode for */
    pthread_mutex_lock(&track->mutex);
    rm_err err = ready_audio(track);
    if (!err) {
        const struct rmi_audio_make make = {.full = atomic_load(&track->full),
                                            .narrow_bps = atomic_load(&track->narrow_bps),
                                            .change = atomic_exchange(&track->change, false)};
        rmi_audio_sender_make(track->audio, &make);
    }
    if (!err)
        err = rmi_audio_sender_input(track->audio, audio, rmi_now_us());
    if (track->audio)
        rmi_audio_sender_get_stats(track->audio, &track->audio_stats);
    pthread_mutex_unlock(&track->mutex);
    return err;
}

/* ---- pictures ---- */

static rm_err open_video(struct rmi_media_track *track, int format, const struct rmi_video_sender_settings *settings) {
    struct rmi_video_sender_config sc;
    rmi_video_sender_config_init(&sc);
    sc.format = (enum rmi_payload_format)format;
    sc.settings = *settings;
    sc.clock_us = clock_us;
    sc.on_batch = on_batch;
    sc.ctx = track;
    track->applied[format] = *settings;
    rm_err err = rmi_video_sender_create(&sc, &track->video[format]);
    if (!err)
        atomic_fetch_add(&track->media->encoders, 1);
    return err;
}

static void encode_in(struct rmi_media_track *track, int format, const struct rmi_video_sender_settings *settings,
                      rm_runtime_data *video, int64_t time_us, int64_t at_us) {
    if (!track->video[format] && open_video(track, format, settings))
        return;
    if (memcmp(&track->applied[format], settings, sizeof *settings) &&
        !rmi_video_sender_configure(track->video[format], settings))
        track->applied[format] = *settings;
    unsigned bit = 1u << format;
    int64_t *key_at_us = &track->key_at_us[format];
    const bool due = *key_at_us == 0 || at_us - *key_at_us >= KEY_APART_US;
    const bool asked = due && (atomic_fetch_and(&track->keys, ~bit) & bit);
    if (asked) {
        *key_at_us = at_us;
        atomic_store(&track->key_time_us, time_us);
        rmi_video_sender_request_key(track->video[format]);
    }
    track->wanted_at_us[format] = at_us;
    struct rmi_video_sender_stats before, after;
    rmi_video_sender_get_stats(track->video[format], &before);
    rmi_video_sender_input_at(track->video[format], video, time_us, at_us); /* its statistics count errors */
    rmi_video_sender_get_stats(track->video[format], &after);
    if (asked && after.key_frames == before.key_frames)
        atomic_store(&track->key_time_us, 0); /* skipped: a later one becomes it */
    pthread_mutex_lock(&track->mutex);
    track->video_stats = after;
    pthread_mutex_unlock(&track->mutex);
}

static uint32_t at_most(uint32_t value, uint32_t limit) {
    limit = limit < RMI_VIDEO_SIDE_MIN ? RMI_VIDEO_SIDE_MIN : limit;
    return value < limit ? value : limit;
}

/* Limits hold either way round. */
static void limit_size(struct rmi_media_track *track, struct rmi_video_sender_settings *s) {
    const uint32_t w = atomic_load(&track->max_width), h = atomic_load(&track->max_height);
    uint32_t *max_long = s->max_width > s->max_height ? &s->max_width : &s->max_height;
    uint32_t *max_short = s->max_width > s->max_height ? &s->max_height : &s->max_width;
    if (w == 0 || h == 0)
        return;
    *max_long = at_most(*max_long, w > h ? w : h);
    *max_short = at_most(*max_short, w > h ? h : w);
}

static void encode(struct rmi_media_track *track, rm_runtime_data *video, int64_t time_us, int64_t at_us) {
    pthread_mutex_lock(&track->mutex);
    track->waited_us += (rmi_now_us() - at_us - track->waited_us) / (1 << SMOOTH_SHIFT);
    struct rmi_video_sender_settings settings = track->settings;
    pthread_mutex_unlock(&track->mutex);
    unsigned target_bps = atomic_load(&track->target_bps), formats = atomic_load(&track->formats);
    if (target_bps == RMI_MEDIA_NO_PICTURES)
        return;
    if (target_bps == 0 || target_bps > settings.bitrate_bps)
        target_bps = settings.bitrate_bps;
    const rm_video *picture = rm_runtime_data_video(video);
    limit_size(track, &settings);
    const struct rmi_video_sender_settings set = settings;
    if (picture->format == RM_PIXEL_ENCODED)
        settings.bitrate_bps = target_bps; /* nothing else can be made of it */
    else
        rmi_video_ladder_apply(&track->ladder, at_us, &set, target_bps, picture->width, picture->height, &settings);
    for (int f = 0; f < RMI_MEDIA_FORMATS; f++) {
        if (f == RMI_PAYLOAD_OPUS)
            continue;
        if (formats & 1u << f)
            encode_in(track, f, &settings, video, time_us, at_us);
        else if (track->video[f] && at_us - track->wanted_at_us[f] > ENCODER_IDLE_US)
            close_video(track, f);
    }
}

/* The oldest picture in the queue, with the track's mutex; its reference is the caller's. */
static rm_runtime_data *take_first(struct rmi_media_track *track) {
    rm_runtime_data *video = track->queue[0];
    memmove(track->queue, track->queue + 1, (RMI_MEDIA_QUEUE - 1) * sizeof track->queue[0]);
    memmove(track->queued_at_us, track->queued_at_us + 1, (RMI_MEDIA_QUEUE - 1) * sizeof(int64_t));
    memmove(track->queued_time_us, track->queued_time_us + 1, (RMI_MEDIA_QUEUE - 1) * sizeof(int64_t));
    track->queued--;
    return video;
}

static void hold_owner(struct rmi_media_track *track) {
    if (track->peer)
        rmi_media_peer_ref(track->peer);
    else
        rmi_media_output_ref(track->output);
}

static void drop_owner(struct rmi_media_track *track) {
    if (track->peer)
        rmi_media_peer_unref(track->peer);
    else
        rmi_media_output_unref(track->output);
}

/* Waits for a picture or the end, with the mutex. Nobody gets the last ones any more, and no others come: then its
 * encoders go. */
static void wait_for_picture(struct rmi_media_track *track) {
    while ((track->queued == 0 || track->encoding) && !track->stop) {
        bool open = false;
        for (int f = 0; f < RMI_MEDIA_FORMATS; f++)
            open = open || track->video[f];
        const int64_t idle_us = track->encoded_us + ENCODER_IDLE_US;
        if (!open || track->encoding) {
            pthread_cond_wait(&track->wake, &track->mutex);
        } else if (rmi_now_us() < idle_us) {
            rmi_media_wait(&track->wake, &track->mutex, idle_us);
        } else {
            track->encoded_us = rmi_now_us();
            for (int f = 0; f < RMI_MEDIA_FORMATS && !atomic_load(&track->formats); f++)
                close_video(track, f);
        }
    }
}

static void *video_main(void *ctx) {
    struct rmi_media_track *track = ctx;
    struct rmi_media *m = track->media;
    pthread_mutex_lock(&track->mutex);
    for (;;) {
        wait_for_picture(track);
        if (track->stop)
            break;
        int64_t at_us = track->queued_at_us[0], time_us = track->queued_time_us[0];
        rm_runtime_data *video = take_first(track);
        track->encoding = true;
        pthread_mutex_unlock(&track->mutex);
        encode(track, video, time_us, at_us);
        rm_runtime_data_unref(&video);
        pthread_mutex_lock(&track->mutex);
        track->encoding = false;
        track->encoded_us = rmi_now_us();
    }
    pthread_mutex_unlock(&track->mutex);
    drop_owner(track);
    rmi_media_thread_end(m);
    return NULL;
}

static rm_err start_thread(struct rmi_media_track *track) { /* with its mutex */
    if (track->has_thread || track->stop)
        return track->stop ? RM_E_CLOSED : RM_OK;
    hold_owner(track); /* its caller has one, too */
    rm_err err = rmi_media_thread_start(track->media, video_main, track);
    if (err)
        drop_owner(track);
    track->has_thread = !err;
    return err;
}

/* What its encoder would refuse later, when nobody can be told any more. */
static bool can_send(const rm_video *video, unsigned formats) {
    if (video->format != RM_PIXEL_ENCODED)
        return rmi_picture_accepts(video->format);
    unsigned bit = video->codec == RM_CODEC_VP8    ? 1u << RMI_PAYLOAD_VP8
                   : video->codec == RM_CODEC_VP9  ? 1u << RMI_PAYLOAD_VP9
                   : video->codec == RM_CODEC_H264 ? 1u << RMI_PAYLOAD_H264
                                                   : 0;
    return bit && (!formats || formats & bit);
}

/* What is encoded already needs no thread to wait for it: waking one costs more than cutting a frame into packets
 * (measured: 0.3 % of a core at 30 frames a second). False: others are before it. */
static bool pass_on(struct rmi_media_track *track, rm_runtime_data *video, int64_t time_us) {
    pthread_mutex_lock(&track->mutex);
    bool first = track->queued == 0 && !track->encoding && !track->stop;
    track->encoding = track->encoding || first;
    pthread_mutex_unlock(&track->mutex);
    if (!first)
        return false;
    encode(track, video, time_us, rmi_now_us());
    pthread_mutex_lock(&track->mutex);
    track->encoding = false;
    if (track->queued > 0)
        pthread_cond_signal(&track->wake);
    pthread_mutex_unlock(&track->mutex);
    return true;
}

rm_err rmi_media_track_video(struct rmi_media_track *track, rm_runtime_data *video) {
    pthread_mutex_lock(&track->mutex);
    const int64_t time_us = rmi_media_clock_step(&track->clock, rm_runtime_data_timestamp_us(video), rmi_now_us());
    pthread_mutex_unlock(&track->mutex);
    return rmi_media_track_video_at(track, video, time_us);
}

rm_err rmi_media_track_video_at(struct rmi_media_track *track, rm_runtime_data *video, int64_t time_us) {
    unsigned formats = atomic_load(&track->formats);
    if (!can_send(rm_runtime_data_video(video), formats)) {
        pthread_mutex_lock(&track->mutex);
        track->refused++;
        pthread_mutex_unlock(&track->mutex);
        return RM_E_UNSUPPORTED;
    }
    note_use(track);
    atomic_store(&track->offered, true);
    if (!formats)
        return RM_OK; /* unused encoders cost nothing */
    if (rm_runtime_data_video(video)->format == RM_PIXEL_ENCODED && pass_on(track, video, time_us))
        return RM_OK;
    rm_runtime_data *dropped = NULL;
    pthread_mutex_lock(&track->mutex);
    rm_err err = start_thread(track);
    if (!err) {
        if (track->queued == RMI_MEDIA_QUEUE) {
            dropped = take_first(track);
            track->superseded++;
        }
        track->queue[track->queued] = rm_runtime_data_ref(video);
        track->queued_time_us[track->queued] = time_us;
        track->queued_at_us[track->queued++] = rmi_now_us();
        pthread_cond_signal(&track->wake);
    }
    pthread_mutex_unlock(&track->mutex);
    rm_runtime_data_unref(&dropped);
    return err;
}
