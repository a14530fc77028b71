/* SPDX-License-Identifier: Apache-2.0 */
#include "webrtc/control.h"
#include "webrtc/media_private.h"

#include "base/sbuf.h"
#include "net/addr.h"
#include "peer/access.h"
#include "signaling/dialect.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_URL "ws://127.0.0.1:8080/ws"
#define DEFAULT_MAX_PEERS RM_PEERS_MESH
#define DEFAULT_LIVENESS_MS 2000
#define DEFAULT_ICE_TIMEOUT_MS 9500 /* a failure is reported within 10 s, the way to the user included */
#define DEFAULT_RECONNECTS 5        /* this and the waits: values of RemoteMedia */
#define DEFAULT_BACKOFF_INITIAL_MS 1000
#define DEFAULT_BACKOFF_MAX_MS 30000
#define DEFAULT_BACKOFF_MULTIPLIER 2.0
#define DEFAULT_JITTER_MS 50
#define DEFAULT_RTCP_MS 5000
#define DEFAULT_BITRATE_KBPS 2000
#define DEFAULT_FPS 30
#define DEFAULT_RUNGS                                                                                                  \
    {                                                                                                                  \
        {640, 360, 600}, {                                                                                             \
            320, 180, 200                                                                                              \
        }                                                                                                              \
    }
#define DEFAULT_AUDIO_FRAME_US 10000 /* 20 ms frames alone would take the latency over its 50 ms budget (measured) */
#define DEFAULT_AUDIO_BPS 64000
/* Ranges of RemoteMedia's transport configuration. */
#define JITTER_MIN_MS 50
#define JITTER_MAX_MS 200
#define RTCP_MIN_MS 1000
#define RTCP_MAX_MS 10000
#define BITRATE_MIN_KBPS 50
#define BITRATE_MAX_KBPS 50000
#define FPS_MAX 60
#define RUNG_MIN_KBPS 10
#define LIVENESS_MIN_MS 500
#define LIVENESS_MAX_MS 30000
#define ICE_TIMEOUT_MIN_MS 1000
#define ICE_TIMEOUT_MAX_MS 120000
#define RECONNECTS_MAX 100
#define BACKOFF_MIN_MS 100 /* an offer holds a whole description: fewer than ten a second */
#define BACKOFF_INITIAL_MAX_MS 60000
#define BACKOFF_MAX_MS 600000
#define BACKOFF_MULTIPLIER_MAX 10.0
#define DEFAULT_WEIGHT_PERCENT 100
#define WEIGHT_MIN_PERCENT                                                                                             \
    25 /* as far as W3C's priorities go from "low": down to a half, up to four times; and once more */
#define WEIGHT_MAX_PERCENT 400

void rm_webrtc_config_init(rm_webrtc_config *c) {
    memset(c, 0, sizeof *c);
    c->struct_size = (uint32_t)sizeof *c;
    c->signaling_url = DEFAULT_URL;
    c->auto_connect = true;
    c->max_peers = DEFAULT_MAX_PEERS;
    c->enable_audio = c->enable_video = c->enable_data_channel = true;
    c->audio_codec = RM_AUDIO_OPUS;
    c->video_codec = RM_VIDEO_H264;
    c->jitter_buffer_size_ms = DEFAULT_JITTER_MS;
    c->enable_rtcp = true;
    c->rtcp_interval_ms = DEFAULT_RTCP_MS;
    c->adaptive_bitrate_enabled = true;
    c->media_weight_percent = DEFAULT_WEIGHT_PERCENT;
    c->target_bitrate_kbps = DEFAULT_BITRATE_KBPS;
    c->max_video_resolution = "720p";
    c->video_framerate_fps = DEFAULT_FPS;
    const rm_video_rung rungs[] = DEFAULT_RUNGS;
    c->video_rung_count = sizeof rungs / sizeof rungs[0];
    memcpy(c->video_rungs, rungs, sizeof rungs);
    c->audio_frame_us = DEFAULT_AUDIO_FRAME_US;
    c->audio_bitrate_bps = DEFAULT_AUDIO_BPS;
    c->max_reconnect_retries = DEFAULT_RECONNECTS;
    c->reconnect_backoff_initial_ms = DEFAULT_BACKOFF_INITIAL_MS;
    c->reconnect_backoff_max_ms = DEFAULT_BACKOFF_MAX_MS;
    c->reconnect_backoff_multiplier = DEFAULT_BACKOFF_MULTIPLIER;
    c->liveness_ms = DEFAULT_LIVENESS_MS;
    c->ice_timeout_ms = DEFAULT_ICE_TIMEOUT_MS;
    c->log_level = RM_LOG_WARN;
}

/* Values of RemoteMedia's presets (reference). */
void rm_webrtc_config_init_low_latency(rm_webrtc_config *c) {
    rm_webrtc_config_init(c);
    c->data_channel_mode = RM_DATA_CHANNEL_UNRELIABLE;
    c->video_codec = RM_VIDEO_VP8;
    c->rtcp_interval_ms = 2000;
    c->target_bitrate_kbps = 1500;
    c->max_reconnect_retries = 10;
    c->reconnect_backoff_initial_ms = 500;
    c->reconnect_backoff_max_ms = 10000;
    c->reconnect_backoff_multiplier = 1.5;
    c->ice_timeout_ms = 15000;
}

void rm_webrtc_config_init_high_quality(rm_webrtc_config *c) {
    rm_webrtc_config_init(c);
    c->video_codec = RM_VIDEO_VP9;
    c->jitter_buffer_size_ms = 100;
    c->target_bitrate_kbps = 4000;
    c->max_video_resolution = "1080p";
    c->ice_timeout_ms = 30000;
}

void rm_webrtc_config_init_mobile_network(rm_webrtc_config *c) {
    rm_webrtc_config_init(c);
    c->max_peers = 5;
    c->video_codec = RM_VIDEO_VP8;
    c->jitter_buffer_size_ms = 150;
    c->rtcp_interval_ms = 3000;
    c->target_bitrate_kbps = 800;
    c->max_video_resolution = "480p";
    c->video_framerate_fps = 24;
    c->max_reconnect_retries = 15;
    c->reconnect_backoff_initial_ms = 2000;
    c->reconnect_backoff_max_ms = 60000;
    c->reconnect_backoff_multiplier = 1.5;
    c->ice_timeout_ms = 45000;
}

static void check_servers(const rm_webrtc_config *c, struct rmi_sbuf *f) {
    struct rmi_server_url u;
    for (size_t i = 0; i < c->stun_server_count && i < RM_SERVERS_MAX; i++)
        if (rmi_stun_url_parse(c->stun_servers[i], &u))
            rmi_sbuf_addf(f, "stun_servers[%zu]: \"%s\" is not stun:HOST[:PORT]\n", i,
                          c->stun_servers[i] ? c->stun_servers[i] : "(null)");
    for (size_t i = 0; i < c->turn_server_count && i < RM_SERVERS_MAX; i++) {
        const rm_turn_server *s = &c->turn_servers[i];
        rm_err err = rmi_turn_url_parse(s->url, &u);
        if (err == RM_E_UNSUPPORTED)
            rmi_sbuf_addf(f, "turn_servers[%zu].url: only TURN over UDP is supported\n", i);
        else if (err) /* the text is not repeated: it may hold a password */
            rmi_sbuf_addf(f, "turn_servers[%zu].url: not turn:[USER:PASSWORD@]HOST[:PORT]\n", i);
        else if (!u.username[0] && !(s->username && s->username[0]))
            rmi_sbuf_addf(f, "turn_servers[%zu].username: missing\n", i);
        if ((s->username && strlen(s->username) >= sizeof u.username) ||
            (s->credential && strlen(s->credential) >= sizeof u.password))
            rmi_sbuf_addf(f, "turn_servers[%zu]: username or credential is longer than %zu bytes\n", i,
                          sizeof u.username - 1);
    }
    if (c->stun_server_count > RM_SERVERS_MAX)
        rmi_sbuf_addf(f, "stun_server_count: %zu is more than %d\n", c->stun_server_count, RM_SERVERS_MAX);
    if (c->turn_server_count > RM_SERVERS_MAX)
        rmi_sbuf_addf(f, "turn_server_count: %zu is more than %d\n", c->turn_server_count, RM_SERVERS_MAX);
    if (c->relay_only && c->turn_server_count == 0)
        rmi_sbuf_add(f, "relay_only: needs at least one entry in turn_servers\n");
}

static void check_control_peers(const rm_webrtc_config *c, struct rmi_sbuf *f) {
    char id[RM_PEER_ID_MAX];
    const char *rest = c->control_peers;
    size_t count = 0;
    while (rest && rmi_control_next_peer(&rest, id)) {
        count++;
        if (strcmp(id, "*") != 0 && !rmi_sig_id_valid(id))
            rmi_sbuf_addf(f, "control_peers: entry %zu is neither \"*\" nor 1..64 characters of A-Z a-z 0-9 _ -\n",
                          count);
    }
    if (count > RM_CONTROL_PEERS_MAX)
        rmi_sbuf_addf(f, "control_peers: %zu are more than %d\n", count, RM_CONTROL_PEERS_MAX);
}

_Static_assert(RM_ACCESS_IDS_MAX == RMI_ACCESS_IDS_MAX, "one limit");

static void check_access(struct rmi_sbuf *f, const char *field, const char *list) {
    size_t entry;
    rm_err err = rmi_access_check(list, &entry);
    if (err == RM_E_LIMIT)
        rmi_sbuf_addf(f, "%s: %zu are more than %d\n", field, entry, RM_ACCESS_IDS_MAX);
    else if (err)
        rmi_sbuf_addf(f, "%s: entry %zu is neither \"*\" nor 1..64 characters of A-Z a-z 0-9 _ -\n", field, entry);
}

static void check_range(struct rmi_sbuf *f, const char *field, uint32_t value, uint32_t lo, uint32_t hi) {
    if (value < lo || value > hi)
        rmi_sbuf_addf(f, "%s: %u is outside %u..%u\n", field, value, lo, hi);
}

static void check_reconnect(const rm_webrtc_config *c, struct rmi_sbuf *f) {
    check_range(f, "max_reconnect_retries", c->max_reconnect_retries, 0, RECONNECTS_MAX);
    check_range(f, "reconnect_backoff_initial_ms", c->reconnect_backoff_initial_ms, BACKOFF_MIN_MS,
                BACKOFF_INITIAL_MAX_MS);
    check_range(f, "reconnect_backoff_max_ms", c->reconnect_backoff_max_ms, BACKOFF_MIN_MS, BACKOFF_MAX_MS);
    if (c->reconnect_backoff_max_ms < c->reconnect_backoff_initial_ms)
        rmi_sbuf_add(f, "reconnect_backoff_max_ms: is less than reconnect_backoff_initial_ms\n");
    if (!(c->reconnect_backoff_multiplier >= 1.0 && c->reconnect_backoff_multiplier <= BACKOFF_MULTIPLIER_MAX))
        rmi_sbuf_add(f, "reconnect_backoff_multiplier: is outside 1..10\n"); /* so is what is no number */
}

static void check_rungs(const rm_webrtc_config *c, struct rmi_sbuf *f) {
    if (c->video_rung_count > RM_VIDEO_RUNGS_MAX)
        rmi_sbuf_addf(f, "video_rung_count: %zu is more than %d\n", c->video_rung_count, RM_VIDEO_RUNGS_MAX);
    for (size_t i = 0; i < c->video_rung_count && i < RM_VIDEO_RUNGS_MAX; i++) {
        const rm_video_rung *r = &c->video_rungs[i];
        char field[40];
        snprintf(field, sizeof field, "video_rungs[%zu].max_width", i);
        check_range(f, field, r->max_width, RMI_VIDEO_SIDE_MIN, RMI_VIDEO_SIDE_MAX);
        snprintf(field, sizeof field, "video_rungs[%zu].max_height", i);
        check_range(f, field, r->max_height, RMI_VIDEO_SIDE_MIN, RMI_VIDEO_SIDE_MAX);
        snprintf(field, sizeof field, "video_rungs[%zu].max_bitrate_kbps", i);
        check_range(f, field, r->max_bitrate_kbps, RUNG_MIN_KBPS, BITRATE_MAX_KBPS);
    }
}

static void check_media(const rm_webrtc_config *c, struct rmi_sbuf *f) {
    static const uint32_t frames[] = {2500, 5000, 10000, 20000, 40000, 60000};
    check_range(f, "data_channel_mode", (uint32_t)c->data_channel_mode, RM_DATA_CHANNEL_RELIABLE,
                RM_DATA_CHANNEL_UNRELIABLE);
    check_range(f, "audio_codec", (uint32_t)c->audio_codec, RM_AUDIO_OPUS, RM_AUDIO_OPUS);
    check_range(f, "video_codec", (uint32_t)c->video_codec, RM_VIDEO_VP9, RM_VIDEO_H264);
    check_range(f, "jitter_buffer_size_ms", c->jitter_buffer_size_ms, JITTER_MIN_MS, JITTER_MAX_MS);
    check_range(f, "rtcp_interval_ms", c->rtcp_interval_ms, RTCP_MIN_MS, RTCP_MAX_MS);
    check_range(f, "media_weight_percent", c->media_weight_percent, WEIGHT_MIN_PERCENT, WEIGHT_MAX_PERCENT);
    check_range(f, "target_bitrate_kbps", c->target_bitrate_kbps, BITRATE_MIN_KBPS, BITRATE_MAX_KBPS);
    check_range(f, "video_framerate_fps", c->video_framerate_fps, 1, FPS_MAX);
    check_range(f, "audio_bitrate_bps", c->audio_bitrate_bps, RMI_AUDIO_BITRATE_MIN_BPS, RMI_AUDIO_BITRATE_MAX_BPS);
    struct rmi_video_sender_settings size = {0};
    if (c->max_video_resolution)
        rmi_media_default_settings(c, &size);
    if (!size.max_width)
        rmi_sbuf_addf(f, "max_video_resolution: \"%.20s\" is not 480p, 720p or 1080p\n",
                      c->max_video_resolution ? c->max_video_resolution : "(null)");
    check_rungs(c, f);
    bool known = false;
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++)
        known = known || c->audio_frame_us == frames[i];
    if (!known)
        rmi_sbuf_addf(f, "audio_frame_us: %u is not 2500, 5000, 10000, 20000, 40000 or 60000\n", c->audio_frame_us);
}

rm_err rm_webrtc_config_check(const rm_webrtc_config *c, char *faults, size_t faults_size) {
    struct rmi_sbuf f = {0};
    if (!c || c->struct_size != sizeof *c) {
        rmi_sbuf_add(&f, "struct_size: call rm_webrtc_config_init first\n");
    } else {
        struct rmi_addr addr;
        if (!c->signaling_url || (strncmp(c->signaling_url, "ws://", 5) && strncmp(c->signaling_url, "wss://", 6)))
            rmi_sbuf_addf(&f, "signaling_url: \"%s\" does not begin with ws:// or wss://\n",
                          c->signaling_url ? c->signaling_url : "(null)");
        if (c->peer_id && !rmi_sig_id_valid(c->peer_id))
            rmi_sbuf_addf(&f, "peer_id: \"%.80s\" is not 1..64 characters of A-Z a-z 0-9 _ -\n", c->peer_id);
        if (c->room && c->room[0] && !rmi_sig_id_valid(c->room))
            rmi_sbuf_addf(&f, "room: \"%.80s\" is not 1..64 characters of A-Z a-z 0-9 _ -\n", c->room);
        if (c->bind_address && rmi_addr_parse(c->bind_address, 0, &addr))
            rmi_sbuf_addf(&f, "bind_address: \"%.80s\" is not a numeric IP address\n", c->bind_address);
        check_servers(c, &f);
        check_control_peers(c, &f);
        check_access(&f, "allowed_peers", c->allowed_peers);
        check_access(&f, "denied_peers", c->denied_peers);
        check_range(&f, "max_peers", c->max_peers, 1, RM_PEERS_MAX);
        check_range(&f, "liveness_ms", c->liveness_ms, LIVENESS_MIN_MS, LIVENESS_MAX_MS);
        check_range(&f, "ice_timeout_ms", c->ice_timeout_ms, ICE_TIMEOUT_MIN_MS, ICE_TIMEOUT_MAX_MS);
        check_reconnect(c, &f);
        check_media(c, &f);
        if (!c->enable_audio && !c->enable_video && !c->enable_data_channel)
            rmi_sbuf_add(&f, "enable_audio, enable_video, enable_data_channel: at least one must be on\n");
    }
    bool ok = f.len == 0 && !f.failed;
    if (faults && faults_size)
        snprintf(faults, faults_size, "%s", rmi_sbuf_text(&f));
    rmi_sbuf_fini(&f);
    return ok ? RM_OK : RM_E_CONFIG;
}

static bool dup_text(const char **text) {
    if (!*text)
        return true;
    *text = strdup(*text);
    return *text != NULL;
}

/* Every string of the configuration, in one place for copying and freeing. */
static size_t strings_of(rm_webrtc_config *c, const char **out[]) {
    size_t n = 0;
    out[n++] = &c->signaling_url;
    out[n++] = &c->peer_id;
    out[n++] = &c->room;
    out[n++] = &c->token;
    out[n++] = &c->ca_file;
    out[n++] = &c->bind_address;
    out[n++] = &c->log_spec;
    out[n++] = &c->max_video_resolution;
    out[n++] = &c->control_peers;
    out[n++] = &c->allowed_peers;
    out[n++] = &c->denied_peers;
    for (size_t i = 0; i < RM_SERVERS_MAX; i++)
        out[n++] = &c->stun_servers[i];
    for (size_t i = 0; i < RM_SERVERS_MAX; i++) {
        out[n++] = &c->turn_servers[i].url;
        out[n++] = &c->turn_servers[i].username;
        out[n++] = &c->turn_servers[i].credential;
    }
    return n;
}
#define CONFIG_STRINGS (11 + 4 * RM_SERVERS_MAX)

rm_err rmi_webrtc_config_copy(const rm_webrtc_config *from, rm_webrtc_config *to) {
    const char **strings[CONFIG_STRINGS];
    *to = *from;
    size_t n = strings_of(to, strings);
    for (size_t i = 0; i < n; i++)
        if (!dup_text(strings[i])) {
            for (size_t k = i; k < n; k++) /* not ours */
                *strings[k] = NULL;
            rmi_webrtc_config_free(to);
            return RM_E_NO_MEMORY;
        }
    return RM_OK;
}

void rmi_webrtc_config_free(rm_webrtc_config *c) {
    const char **strings[CONFIG_STRINGS];
    size_t n = strings_of(c, strings);
    for (size_t i = 0; i < n; i++) {
        free((char *)(uintptr_t)*strings[i]);
        *strings[i] = NULL;
    }
}
