/* SPDX-License-Identifier: Apache-2.0 */
/* What a studio sends, and its peers' coming and going. Judging is in sim_media_heard.c. */
#include "support/sim_media_private.h"

#include "jitter/order.h"
#include "peer/rtp_session_private.h" /* a scenario sets numbers and breaks limits that a peer may not */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define VIDEO_CLOCK_HZ 90000
#define VIDEO_BPS 400000
#define SOUND_BPS 32000
#define PLACE_US RMI_SEC(1)
#define RATE_MIN_BPS 50000 /* as webrtc/media_network.c has it */
#define RATE_MAX_BPS 4000000
#define SIDE_MAX 4096
#define SHORT_FRAME_US 10000
#define TONE_AMPLITUDE 0.3
#define VOICE_HZ 140
#define VOICE_OVERTONES 10
#define SYLLABLES_HZ 4
#define TAU 6.28318530717958647692
/* How far before the end numbers begin: both wrap within the first seconds, apart from one another. */
#define SEQ_TO_GO 300
#define TICKS_TO_GO_S 5

void rmt_studio_fail(const struct rmt_studio *s, rm_err err, const char *what) {
    if (err)
        rmt_vnet_fail(s->v, "%s: %s: %s", rmt_host_name(s->host), what, rm_strerror(err));
}

bool rmt_studio_alive(const struct rmt_studio *s) {
    return rmt_peer_endpoint(s->peer) != NULL;
}

/* ---- batches to peers ---- */

/* As src/webrtc/media_output.c does. */
static bool gets(struct rmt_studio *s, struct studio_line *l, struct studio_rung *rung,
                 const struct rmi_rtp_batch *batch) {
    const int64_t key_us = l->place.rung == RMI_RUNG_NONE ? 0 : s->rungs[l->place.rung].key_us;
    const enum rmi_rung_pass pass =
        rmi_rungs_pass(&l->place, (int)(rung - s->rungs), batch->key_frame, batch->capture_us, key_us);
    if (pass == RMI_RUNG_LATE)
        rung->asked = true;
    return pass == RMI_RUNG_SEND;
}

/* `rung`: of pictures; `narrow`: of sound. */
static void send_all(struct rmt_studio *s, struct studio_rung *rung, bool narrow, const struct rmi_rtp_batch *batch) {
    int64_t now_us = rmt_host_now(s->host);
    for (size_t i = 0; i < RMT_STUDIO_REMOTES; i++) {
        struct studio_line *l = &s->lines[i];
        enum rmi_payload_format format;
        enum rmi_rtp_kind kind = batch->format == RMI_PAYLOAD_OPUS ? RMI_RTP_AUDIO : RMI_RTP_VIDEO;
        if (!l->rtp || !rmi_rtp_session_send_format(l->rtp, kind, &format) || format != batch->format)
            continue;
        if (rung ? gets(s, l, rung, batch) : rmi_audio_share_pass(&l->share, narrow, batch))
            rmi_rtp_session_send(l->rtp, now_us, batch); /* while a path is missing it is refused, as in life */
    }
}

static void on_picture_batch(void *ctx, const struct rmi_rtp_batch *batch) {
    struct studio_rung *rung = ctx;
    rung->studio->key_frames += batch->key_frame;
    send_all(rung->studio, rung, false, batch);
}

static void on_late(void *ctx, int64_t now_us) {
    struct rmt_studio *s = ctx;
    (void)now_us;
    const struct rmi_rtp_batch *batch = s->late[s->late_first++ % STUDIO_LATE];
    if (rmt_studio_alive(s)) {
        send_all(s, NULL, false, batch);
        rmt_peer_pump(s->peer);
    }
    rmi_rtp_batch_unref(&batch);
}

static void on_sound_batch(void *ctx, const struct rmi_rtp_batch *batch) {
    struct rmt_studio *s = ctx;
    if (!s->config.sound_late_us) {
        send_all(s, NULL, false, batch);
        return;
    }
    RMT_CHECK(s->v, s->late_next - s->late_first < STUDIO_LATE);
    s->late[s->late_next++ % STUDIO_LATE] = rmi_rtp_batch_ref(batch);
    rmt_host_at(s->host, rmt_host_now(s->host) + s->config.sound_late_us, on_late, s);
}

static void on_narrow_batch(void *ctx, const struct rmi_rtp_batch *batch) {
    send_all(ctx, NULL, true, batch);
}

static void on_echo_batch(void *ctx, const struct rmi_rtp_batch *batch) {
    struct studio_line *l = ctx;
    if (l->rtp)
        rmi_rtp_session_send(l->rtp, rmt_host_now(l->studio->host), batch);
}

/* ---- senders ---- */

/* As src/webrtc/media_track.c does. */
static void choose_sound(const struct rmt_studio *s, int fec_percent, struct rmi_audio_encoder_config *out) {
    out->frame_us = s->config.sound_ms * 1000;
    out->bitrate_bps = s->config.sound_bps;
    out->complexity = 0; /* nobody listens */
    out->fec = fec_percent > 0;
    out->loss_percent = fec_percent;
    out->use = out->frame_us <= SHORT_FRAME_US && !out->fec ? RMI_AUDIO_USE_LOW_DELAY : RMI_AUDIO_USE_VOICE;
}

static void open_sound(struct rmt_studio *s, rmi_batch_fn on_batch, void *ctx, struct rmi_audio_sender **out) {
    struct rmi_audio_sender_config sc;
    rmi_audio_sender_config_init(&sc);
    choose_sound(s, (int)s->config.fec_loss_percent, &sc.encoder);
    sc.on_batch = on_batch;
    sc.on_narrow = on_batch == on_sound_batch && !s->config.sound_late_us ? on_narrow_batch : NULL;
    sc.ctx = ctx;
    rmt_studio_fail(s, rmi_audio_sender_create(&sc, out), "audio sender");
}

static struct rmi_video_sender_settings sender_settings(void) {
    return (struct rmi_video_sender_settings){
        .bitrate_bps = VIDEO_BPS, .max_fps = TEST_VIDEO_FPS_MAX, .max_width = SIDE_MAX, .max_height = SIDE_MAX};
}

static void open_pictures(struct rmt_studio *s, enum rmi_payload_format format, rmi_batch_fn on_batch, void *ctx,
                          struct rmi_video_sender **out) {
    struct rmi_video_sender_config sc;
    rmi_video_sender_config_init(&sc);
    sc.format = format;
    sc.settings = sender_settings();
    sc.on_batch = on_batch;
    sc.ctx = ctx;
    rmt_studio_fail(s, rmi_video_sender_create(&sc, out), "video sender");
}

void rmt_studio_echo(struct studio_line *l, rm_runtime_data *data, int64_t now_us) {
    struct rmt_studio *s = l->studio;
    enum rmi_payload_format format;
    if (!l->rtp)
        return;
    if (rm_runtime_data_audio(data)) {
        if (!l->echo_sound)
            open_sound(s, on_echo_batch, l, &l->echo_sound);
        rmt_studio_fail(s, rmi_audio_sender_input(l->echo_sound, data, now_us), "sound to send back");
    } else if (rmi_rtp_session_send_format(l->rtp, RMI_RTP_VIDEO, &format)) {
        if (!l->echo_pictures)
            open_pictures(s, format, on_echo_batch, l, &l->echo_pictures);
        rm_err err = rmi_video_sender_input(l->echo_pictures, data, now_us);
        rmt_studio_fail(s, err == RM_E_AGAIN ? RM_OK : err, "picture to send back");
    }
}

/* ---- rungs ---- */

static const struct rmi_rungs *rungs_of(const struct rmt_studio *s) {
    static const struct rmi_rungs one = {.count = 1, .rung = {{SIDE_MAX, SIDE_MAX, VIDEO_BPS}}};
    return s->config.rungs.count ? &s->config.rungs : &one;
}

static void open_rung(struct rmt_studio *s, struct studio_line *l) {
    struct studio_rung *rung = &s->rungs[l->place.rung];
    enum rmi_payload_format format;
    rung->studio = s;
    if (!rung->sender && rmi_rtp_session_send_format(l->rtp, RMI_RTP_VIDEO, &format))
        open_pictures(s, format, on_picture_batch, rung, &rung->sender);
    rung->asked = true;
    rung->key_us = 0;
}

/* Which peer gets which; none at all is no picture. */
static void place_all(struct rmt_studio *s, int64_t now_us) {
    struct rmi_rung_peer *peers[RMT_STUDIO_REMOTES];
    struct studio_line *lines[RMT_STUDIO_REMOTES];
    struct rmi_rung_use use[RMI_RUNGS_MAX];
    int before[RMT_STUDIO_REMOTES];
    size_t count = 0;
    for (size_t i = 0; i < RMT_STUDIO_REMOTES; i++) {
        enum rmi_payload_format format;
        struct studio_line *l = &s->lines[i];
        if (!s->config.pictures || !l->rtp || !rmi_rtp_session_send_format(l->rtp, RMI_RTP_VIDEO, &format))
            continue;
        before[count] = l->place.rung;
        lines[count] = l;
        peers[count++] = &l->place;
    }
    rmi_rungs_place(rungs_of(s), &s->memory, peers, count, now_us, use);
    for (size_t i = 0; i < count; i++)
        if (peers[i]->rung != before[i] && peers[i]->rung != RMI_RUNG_NONE && peers[i]->rung != peers[i]->sending)
            open_rung(s, lines[i]);
    for (int r = 0; r < RMI_RUNGS_MAX; r++) {
        bool leaving = false; /* gets it until it changes over */
        for (size_t i = 0; i < count; i++)
            leaving = leaving || peers[i]->sending == r;
        if (use[r].peers > 0 || !leaving)
            s->rungs[r].bps = use[r].bps;
    }
}

/* How much of their paths the sound may take: as media_output.c has it. */
static void place_sound(struct rmt_studio *s, int64_t now_us) {
    struct rmi_audio_share_peer *peers[RMT_STUDIO_REMOTES];
    const struct rmi_audio_full full = {.frame_us = s->config.sound_ms * 1000, .bitrate_bps = s->config.sound_bps};
    size_t count = 0;
    for (size_t i = 0; i < RMT_STUDIO_REMOTES; i++) {
        struct studio_line *l = &s->lines[i];
        struct rmi_rtp_rate rate;
        if (!l->rtp)
            continue;
        l->share.path_bps = rmi_rtp_session_get_rate(l->rtp, &rate) ? rate.target_bps : 0;
        l->share.copies = rmi_rtp_session_copies(l->rtp);
        l->share.pictures = s->config.pictures;
        peers[count++] = &l->share;
    }
    rmi_audio_share_place(&full, peers, count, now_us, &s->make);
    if (s->sound)
        rmi_audio_sender_make(s->sound, &s->make);
}

/* FEC for those that lose sound and take no copies: as media_output.c has it, once a second. */
static void step_fec(struct rmt_studio *s, int64_t now_us) {
    double worst = 0;
    for (size_t i = 0; i < RMT_STUDIO_REMOTES; i++) {
        struct rmi_rtp_session_stats stats;
        struct rmi_rtp_session *rtp = s->lines[i].rtp;
        if (!rtp || !rmi_rtp_session_needs_fec(rtp))
            continue;
        rmi_rtp_session_get_stats(rtp, &stats);
        worst = fmax(worst, stats.out[RMI_RTP_AUDIO].loss);
    }
    const int percent = rmi_audio_fec_step(&s->fec, now_us, worst);
    if (percent == s->fec_percent || s->config.fec_loss_percent)
        return;
    struct rmi_audio_sender_config sc;
    rmi_audio_sender_config_init(&sc);
    choose_sound(s, percent, &sc.encoder);
    rmt_studio_fail(s, rmi_audio_sender_configure(s->sound, &sc.encoder), "FEC");
    s->fec_percent = percent;
}

/* Without rungs the encoder begins at its full rate and follows changes of congestion control's; `picture` is NULL. */
static void tune(struct rmt_studio *s, struct studio_rung *rung, const rm_runtime_data *picture, int64_t now_us) {
    const struct rmi_rung *r = &rungs_of(s)->rung[rung - s->rungs];
    const rm_video *v = picture ? rm_runtime_data_video(picture) : NULL;
    struct rmi_video_sender_settings set = sender_settings(), out;
    set.max_width = r->max_width;
    set.max_height = r->max_height;
    if (s->config.rungs.count) {
        set.bitrate_bps = r->max_bps;
        set.max_fps = s->config.fps;
    }
    out = set;
    out.bitrate_bps = (uint32_t)fmax(rung->bps, RMI_VIDEO_BITRATE_MIN_BPS);
    if (v)
        rmi_video_ladder_apply(&rung->ladder, now_us, &set, (uint32_t)rung->bps, v->width, v->height, &out);
    rmt_studio_fail(s, rmi_video_sender_configure(rung->sender, &out), "bitrate");
}

/* ---- sources ---- */

static double sample(const struct rmt_studio *s, double t) {
    if (!s->config.voice)
        return TONE_AMPLITUDE * sin(TAU * s->config.tone_hz * t);
    /* A pitch that rises and falls, with the overtones of an open mouth, in syllables. */
    double phase = TAU * (VOICE_HZ * t + 4 * sin(TAU * 0.7 * t)), sum = 0;
    for (int k = 1; k <= VOICE_OVERTONES; k++)
        sum += sin(k * phase) / k;
    return TONE_AMPLITUDE * sum * (0.5 - 0.5 * cos(TAU * SYLLABLES_HZ * t));
}

static rm_runtime_data *drawn_chunk(struct rmt_studio *s, int64_t first_us) {
    size_t n = TEST_AUDIO_RATE_HZ / 1000 * s->config.sound_ms;
    rm_buf *buf = NULL;
    rm_runtime_data *data = NULL;
    rmt_studio_fail(s, rm_buf_create(n * sizeof(float), &buf), "sound");
    float *out = (float *)(void *)rm_buf_write(buf);
    for (size_t i = 0; i < n; i++, s->tone_at++)
        out[i] = (float)sample(s, (double)s->tone_at / TEST_AUDIO_RATE_HZ);
    rmt_studio_fail(s, rm_runtime_data_create_audio(buf, 0, n, TEST_AUDIO_RATE_HZ, 1, &data), "sound");
    rmt_studio_fail(s, rm_runtime_data_set_timestamp_us(data, first_us), "sound");
    rm_buf_unref(&buf);
    return data;
}

static void on_sound_due(void *ctx, int64_t now_us) {
    struct rmt_studio *s = ctx;
    rm_runtime_data *chunk = NULL;
    if (!rmt_studio_alive(s))
        return;
    int64_t due_us = test_audio_due_us(s->audio);
    rmt_studio_fail(s, test_audio_next(s->audio, &chunk), "test sound");
    if (s->config.voice || s->config.tone_hz > 0) {
        int64_t first_us = rm_runtime_data_timestamp_us(chunk);
        rm_runtime_data_unref(&chunk);
        chunk = drawn_chunk(s, first_us);
    }
    if (now_us >= s->sound_look_us) {
        s->sound_look_us = now_us + PLACE_US;
        place_sound(s, now_us);
        step_fec(s, now_us);
    }
    rmt_studio_fail(s, rmi_audio_sender_input(s->sound, chunk, rmi_max64(due_us, now_us)), "sound");
    rm_runtime_data_unref(&chunk);
    rmt_host_at(s->host, test_audio_due_us(s->audio), on_sound_due, s);
    rmt_peer_pump(s->peer);
}

/* All begin at the same time, as the threads of src/webrtc do. */
static void encode_all(struct rmt_studio *s, rm_runtime_data *picture, int64_t now_us) {
    const int64_t time_us = rmi_media_clock_step(&s->clock, rm_runtime_data_timestamp_us(picture), now_us);
    bool sent = false;
    s->encoders = 0;
    place_all(s, now_us);
    for (int r = 0; r < RMI_RUNGS_MAX; r++) {
        struct studio_rung *rung = &s->rungs[r];
        if (!rung->sender || rung->bps <= 0)
            continue;
        if (s->config.rungs.count)
            tune(s, rung, picture, now_us);
        if (rung->asked) {
            rmi_video_sender_request_key(rung->sender);
            rung->key_us = time_us;
        }
        rung->asked = false;
        s->encoders++;
    }
    for (int r = 0; r < RMI_RUNGS_MAX; r++) { /* nobody to encode for: none is */
        struct studio_rung *rung = &s->rungs[r];
        if (!rung->sender || rung->bps <= 0)
            continue;
        const rm_err err = rmi_video_sender_input_at(rung->sender, picture, time_us, now_us);
        rmt_studio_fail(s, err == RM_E_AGAIN ? RM_OK : err, "picture");
        sent = sent || err == RM_OK;
        if (err)
            rung->key_us = 0;
    }
    s->pictures_sent += sent;
}

static void on_picture_due(void *ctx, int64_t now_us) {
    struct rmt_studio *s = ctx;
    rm_runtime_data *picture = NULL;
    if (!rmt_studio_alive(s))
        return;
    rmt_studio_fail(s, test_video_next(s->video, now_us, &picture), "test picture");
    encode_all(s, picture, now_us);
    rm_runtime_data_unref(&picture);
    rmt_host_at(s->host, test_video_due_us(s->video), on_picture_due, s);
    rmt_peer_pump(s->peer);
}

/* ---- peers ---- */

/* Numbers that soon begin anew at 0. The first packets are not lost then: SRTP's receiver takes the first number that
 * it sees as in turn 0 (RFC 3711 3.3.1). */
static void wrap_soon(struct rmi_rtp_session *rtp, int64_t now_us) {
    for (int k = 0; k < RMI_RTP_KINDS; k++) {
        struct rtps_out *o = &rtp->out[k];
        o->seq = o->rtx_seq = (uint16_t)(0 - SEQ_TO_GO);
        o->timestamp_offset = 0 - TICKS_TO_GO_S * rtps_clock((enum rmi_rtp_kind)k);
        if (k == RMI_RTP_VIDEO) /* whose timestamps are the local clock's */
            o->timestamp_offset -= (uint32_t)rmi_us_to_ticks(now_us, rtps_clock(RMI_RTP_VIDEO));
    }
}

static void take_no_copies(struct rmi_rtp_session *rtp) {
    for (size_t i = 0; i < RTPS_LINES_MAX; i++)
        for (size_t c = 0; rtp->line[i].kind == RMI_RTP_AUDIO && c < rtp->line[i].codec_count; c++)
            rtp->line[i].codec[c].rtx_send = RMI_SDP_NO_PT;
}

static struct studio_line *line_of(struct rmt_studio *s, const char *id) {
    for (size_t i = 0; i < RMT_STUDIO_REMOTES; i++) {
        struct studio_line *l = &s->lines[i];
        if (!l->r.id[0])
            snprintf(l->r.id, sizeof l->r.id, "%s", id);
        if (!strcmp(l->r.id, id))
            return l;
    }
    rmt_vnet_fail(s->v, "%s: more than %d remote peers", rmt_host_name(s->host), RMT_STUDIO_REMOTES);
    return NULL;
}

/* Without rungs it sends pictures always, few as the bits may be. */
static double target_of(const struct rmt_studio *s, double video_bps) {
    return s->config.rungs.count ? video_bps : fmax(video_bps, RMI_VIDEO_BITRATE_MIN_BPS);
}

static void *peer_up(void *ctx, const char *peer_id, struct rmi_rtp_session *rtp) {
    struct rmt_studio *s = ctx;
    struct studio_line *l = line_of(s, peer_id);
    RMT_CHECK(s->v, !l->rtp);
    if (s->config.numbers_wrap)
        wrap_soon(rtp, rmt_host_now(s->host));
    if (s->config.no_copies)
        take_no_copies(rtp);
    l->studio = s;
    l->rtp = rtp;
    l->r.up = true;
    l->r.ups++;
    struct rmi_rtp_rate now;
    l->share = (struct rmi_audio_share_peer){.sending = RMI_AUDIO_NOTHING};
    l->place = (struct rmi_rung_peer){.rung = RMI_RUNG_NONE, .sending = RMI_RUNG_NONE};
    l->place.target_bps = target_of(s, rmi_rtp_session_get_rate(rtp, &now) ? now.video_bps : VIDEO_BPS);
    rmi_av_sync_init(&l->sync, RMI_OPUS_CLOCK_HZ, VIDEO_CLOCK_HZ);
    l->sync.tolerance_us = RMI_AV_SYNC_UNNOTICED_US;
    rmt_line_begin(l);
    place_all(s, rmt_host_now(s->host));
    place_sound(s, rmt_host_now(s->host));
    return l;
}

static void peer_changed(void *ctx, void *peer) {
    struct studio_line *l = peer;
    if (l->studio->config.no_copies)
        take_no_copies(l->rtp);
    l->place.rung = l->place.sending = RMI_RUNG_NONE; /* perhaps in another codec */
    place_all(ctx, rmt_host_now(l->studio->host));
}

static void peer_down(void *ctx, void *peer) {
    struct studio_line *l = peer;
    (void)ctx;
    rmt_line_end(l);
    l->rtp = NULL;
    l->r.up = false;
    rmi_audio_sender_destroy(&l->echo_sound);
    rmi_video_sender_destroy(&l->echo_pictures);
}

static void key_request(void *ctx, void *peer, int64_t now_us) {
    struct rmt_studio *s = ctx;
    struct studio_line *l = peer;
    (void)now_us;
    l->r.key_requests++;
    if (l->echo_pictures)
        rmi_video_sender_request_key(l->echo_pictures);
    const int rung = l->place.sending != RMI_RUNG_NONE ? l->place.sending : l->place.rung;
    if (rung != RMI_RUNG_NONE)
        s->rungs[rung].asked = true;
}

static void rate(void *ctx, void *peer, int64_t now_us, const struct rmi_rtp_rate *rate) {
    struct rmt_studio *s = ctx;
    struct studio_line *l = peer;
    l->place.target_bps = target_of(s, rate->video_bps);
    place_all(s, now_us);
    place_sound(s, now_us);
    if (s->rungs[0].sender && !s->config.rungs.count)
        tune(s, &s->rungs[0], NULL, now_us);
}

struct rmt_studio *rmt_studio_add(struct rmt_mesh *mesh, struct rmt_host *host, const struct rmt_peer_options *options,
                                  const struct rmt_studio_config *config) {
    struct rmt_studio *s = calloc(1, sizeof *s);
    RMT_CHECK(rmt_host_vnet(host), s != NULL);
    s->v = rmt_host_vnet(host);
    s->host = host;
    s->config = *config;
    struct rmt_studio_config *c = &s->config;
    c->sound_ms = c->sound_ms ? c->sound_ms : 10;
    c->sound_bps = c->sound_bps ? c->sound_bps : SOUND_BPS;
    c->width = c->width ? c->width : STAMP_WIDTH_MIN;
    c->height = c->height ? c->height : STAMP_HEIGHT_MIN;
    c->fps = c->fps ? c->fps : 15;
    c->max_delay_us = c->max_delay_us ? c->max_delay_us : RMI_MS(200);
    const struct rmi_endpoint_media_ops ops = {.peer_up = peer_up,
                                               .peer_changed = peer_changed,
                                               .peer_down = peer_down,
                                               .packet = rmt_line_packet,
                                               .key_request = key_request,
                                               .sender_report = rmt_line_report,
                                               .rate = rate,
                                               .ctx = s};
    struct rmt_peer_options o = *options;
    o.media = &ops;
    o.sound_wait_us = c->max_delay_us;
    if (o.rates.max_bps <= 0)
        o.rates = (struct rmi_cc_limits){.min_bps = RATE_MIN_BPS, .start_bps = VIDEO_BPS, .max_bps = RATE_MAX_BPS};
    s->peer = rmt_mesh_add(mesh, host, &o);
    int64_t now_us = rmt_host_now(host);
    rmt_studio_fail(s, test_video_create(c->width, c->height, c->fps, &s->video), "test pictures");
    if (c->sound) {
        rmt_studio_fail(s, test_audio_create(1, c->sound_ms, now_us, &s->audio), "test sound");
        open_sound(s, on_sound_batch, s, &s->sound);
        rmt_host_at(host, test_audio_due_us(s->audio), on_sound_due, s);
    }
    if (c->pictures)
        rmt_host_at(host, now_us, on_picture_due, s);
    return s;
}

void rmt_studio_destroy(struct rmt_studio **studio) {
    struct rmt_studio *s = *studio;
    *studio = NULL;
    if (!s)
        return;
    while (s->late_first != s->late_next)
        rmi_rtp_batch_unref(&s->late[s->late_first++ % STUDIO_LATE]);
    for (size_t i = 0; i < RMT_STUDIO_REMOTES; i++)
        rmt_line_fini(&s->lines[i]);
    rmi_audio_sender_destroy(&s->sound);
    for (int r = 0; r < RMI_RUNGS_MAX; r++)
        rmi_video_sender_destroy(&s->rungs[r].sender);
    test_audio_destroy(&s->audio);
    test_video_destroy(&s->video);
    free(s);
}

struct rmt_peer *rmt_studio_peer(const struct rmt_studio *s) {
    return s->peer;
}

struct rmt_reception *rmt_studio_from(struct rmt_studio *s, const char *id) {
    struct studio_line *l = line_of(s, id);
    if (l->rtp)
        rmt_line_take_stats(l);
    return &l->r;
}

void rmt_studio_forget(struct rmt_studio *s) {
    for (size_t i = 0; i < RMT_STUDIO_REMOTES; i++)
        rmt_line_forget(&s->lines[i]);
}

void rmt_studio_ask_key(struct rmt_studio *s, const char *id, bool storm) {
    struct studio_line *l = line_of(s, id);
    RMT_CHECK(s->v, l->rtp != NULL);
    if (storm)
        l->rtp->in[RMI_RTP_VIDEO].has_asked = false;
    rmi_rtp_session_ask_key(l->rtp, rmt_host_now(s->host));
    rmt_peer_pump(s->peer);
}

uint64_t rmt_studio_key_frames(const struct rmt_studio *s) {
    return s->key_frames;
}

uint64_t rmt_studio_pictures_sent(const struct rmt_studio *s) {
    return s->pictures_sent;
}

int rmt_studio_rung(struct rmt_studio *s, const char *id) {
    return line_of(s, id)->place.sending;
}

unsigned rmt_studio_encoders(const struct rmt_studio *s) {
    return s->encoders;
}

bool rmt_studio_narrow(struct rmt_studio *s, const char *id) {
    return line_of(s, id)->share.sending == RMI_AUDIO_NARROW;
}

uint32_t rmt_studio_narrow_bps(const struct rmt_studio *s) {
    return s->make.narrow_bps;
}

int rmt_studio_fec(const struct rmt_studio *s) {
    return s->fec_percent;
}

unsigned rmt_studio_wrapped(struct rmt_studio *s, const char *id) {
    return line_of(s, id)->wrapped;
}
