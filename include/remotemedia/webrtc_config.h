/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REMOTEMEDIA_WEBRTC_CONFIG_H
#define REMOTEMEDIA_WEBRTC_CONFIG_H

#include <remotemedia/error.h>
#include <remotemedia/export.h>
#include <remotemedia/log.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a mesh participant is made with: limits, callbacks, the configuration and its presets. Included by
 * <remotemedia/webrtc.h>.
 *
 * Threads: the functions here may be called from any thread. */

#define RM_PEER_ID_MAX 65     /* 1..64 characters of A-Z a-z 0-9 _ - and a NUL */
#define RM_SERVERS_MAX 8      /* STUN servers, and TURN servers */
#define RM_PEERS_MAX 64       /* ceiling of max_peers */
#define RM_PEERS_MESH 10      /* what a mesh is made for: more are allowed, and warned of */
#define RM_ACCESS_IDS_MAX 256 /* ids in allowed_peers, and in denied_peers */
#define RM_DETAIL_MAX 256

typedef enum rm_video_codec { RM_VIDEO_VP9 = 0, RM_VIDEO_VP8 = 1, RM_VIDEO_H264 = 2 } rm_video_codec;

typedef enum rm_data_channel_mode {
    RM_DATA_CHANNEL_RELIABLE = 0,  /* ordered, nothing lost */
    RM_DATA_CHANNEL_UNRELIABLE = 1 /* in any order, nothing is sent twice */
} rm_data_channel_mode;

typedef struct rm_turn_server {
    const char *url;        /* "turn:HOST[:PORT]", UDP, port 3478 when absent; or "turn:USER:PASSWORD@HOST[:PORT]" */
    const char *username;   /* NULL when the URL has it */
    const char *credential; /* password; NULL when the URL has it. Never logged */
} rm_turn_server;

typedef enum rm_audio_codec { RM_AUDIO_OPUS = 0 } rm_audio_codec;

struct rm_runtime_data;
struct rm_transport_data;
/* Sound or pictures of a peer, decoded (see webrtc_media.h). Called on a media thread of the transport, sound of all
 * peers on one, pictures on one for each peer; must return soon. `data` stays the library's: take a reference to keep
 * it. Every function of webrtc.h and webrtc_media.h may be called inside it, rm_webrtc_destroy included. */
typedef void (*rm_media_fn)(const char *peer_id, struct rm_runtime_data *data, void *user);
/* What a peer's pipeline session put out, of any kind; on a thread of that session. Same rules. */
typedef void (*rm_output_fn)(const char *peer_id, const struct rm_transport_data *output, void *user);

/* A message of a peer (see webrtc_data.h): JSON, text or binary. On the network thread; must not block. `label` is that
 * of the data channel. Same rules. */
typedef void (*rm_message_fn)(const char *peer_id, const char *label, struct rm_runtime_data *message, void *user);
/* One message as it came on a data channel other than "control" (see webrtc_data.h). `data` is the library's, during
 * the call, and not NULL. Same rules. */
typedef void (*rm_channel_data_fn)(const char *peer_id, uint16_t channel, const char *label, bool binary,
                                   const uint8_t *data, size_t size, void *user);

struct rm_control_answer;
/* What a peer answers to a call of webrtc_control.h. On the network thread; must not block. Same rules. */
typedef void (*rm_control_fn)(const struct rm_control_answer *answer, void *user);

struct rm_event;
/* Called on the network thread (RM_EV_PIPELINE and RM_EV_CONTROL: on a media thread, at the same time perhaps); must
 * not block. Every function of webrtc.h may be called inside it, rm_webrtc_destroy included. */
typedef void (*rm_event_fn)(const struct rm_event *event, void *user);

/* A lower quality of pictures, for peers whose connections carry much less than others'. */
#define RM_VIDEO_RUNGS_MAX 3
typedef struct rm_video_rung {
    uint32_t max_width, max_height; /* 16..4096; either way round: larger pictures are scaled down */
    uint32_t max_bitrate_kbps;      /* 10..50000 */
} rm_video_rung;

/* Fill with rm_webrtc_config_init, then change what is needed. Strings are copied by rm_webrtc_create. */
typedef struct rm_webrtc_config {
    uint32_t struct_size;      /* set by rm_webrtc_config_init: keeps older programs working with newer libraries */
    const char *signaling_url; /* ws://HOST[:PORT][/PATH] or wss://...; default ws://127.0.0.1:8080/ws */
    const char *peer_id;       /* NULL (default): "peer-" and a UUID */
    const char *room;          /* NULL (default): the server's common room. Our extension of peer.announce */
    const char *token;         /* NULL (default): none. Sent in peer.announce, never logged */
    const char *ca_file;       /* PEM file of certificate authorities for wss://; NULL (default): the system's */
    const char *stun_servers[RM_SERVERS_MAX]; /* "stun:HOST[:PORT]"; default none: enough on a LAN and on loopback */
    size_t stun_server_count;
    rm_turn_server turn_servers[RM_SERVERS_MAX]; /* default none */
    size_t turn_server_count;
    bool relay_only;           /* use TURN relays only, hiding our addresses; default false; needs a TURN server */
    bool certificate_per_peer; /* a new DTLS certificate for each connection, so that peers cannot tell by it that they
                                  talk to  the same participant; default false: one for the transport */
    bool auto_connect;         /* connect to every peer already in the room; default true */
    /* Remote peers at once, 1..RM_PEERS_MAX; default 10. More than RM_PEERS_MESH are warned of in the log: each one
     * costs as much again to send to. One too many is refused before anything is made for it, and is told RM_E_LIMIT.
     */
    uint32_t max_peers;
    /* Whom it connects with: ids separated by commas, or "*"; at most RM_ACCESS_IDS_MAX. Others in the room are seen
     * and not called; if they call, they are refused before anything is made for them, and told RM_E_DENIED. */
    const char *allowed_peers;              /* NULL (default): everybody; "": nobody */
    const char *denied_peers;               /* NULL (default): nobody; goes before allowed_peers */
    bool enable_audio;                      /* negotiate Opus; default true */
    bool enable_video;                      /* negotiate video; default true */
    bool enable_data_channel;               /* negotiate data channels, and open one named "control"; default true */
    bool enable_ecn;                        /* ECN of media (RFC 6679) where peer and path bear it; default false */
    rm_data_channel_mode data_channel_mode; /* of the channel that we open; default RM_DATA_CHANNEL_RELIABLE */
    rm_audio_codec audio_codec;             /* default RM_AUDIO_OPUS, the only one */
    rm_video_codec
        video_codec; /* preferred codec; the others stay acceptable; default RM_VIDEO_H264, which costs least */
    uint32_t jitter_buffer_size_ms;   /* ceiling of the receivers' adaptive delay, 50..200; default 50 */
    bool enable_rtcp;                 /* send reports; default true. Without them no peer knows losses or round trips */
    uint32_t rtcp_interval_ms;        /* mean time between reports, 1000..10000; default 5000 */
    bool adaptive_bitrate_enabled;    /* congestion control: rate, pace, probes; false: all leaves as it comes at the
                                         bitrate set; default true */
    uint32_t media_weight_percent;    /* of a bottleneck that it shares with media of others, or TCP, a connection takes
                                         about this much of what it would; 25..400; default 100 */
    uint32_t target_bitrate_kbps;     /* of video, and its ceiling when adaptive; 50..50000; default 2000 */
    const char *max_video_resolution; /* "480p", "720p" (default), "1080p": larger pictures are scaled down */
    uint32_t video_framerate_fps;     /* ceiling, 1..60; default 30 */
    /* What pictures are encoded in below max_video_resolution and target_bitrate_kbps, in falling order, when peers
     * differ so much that one would get less than half of what it could, for another's sake: peers that are alike share
     * one encoder, and what nobody gets is not encoded. Those that are not clearly smaller than the one above are left
     * out. Default 640x360 at 600 kbit/s, 320x180 at 200; 0 of them: all peers get what the worst connection carries.
     */
    rm_video_rung video_rungs[RM_VIDEO_RUNGS_MAX];
    size_t video_rung_count;
    uint32_t audio_frame_us;            /* length of an Opus packet: 2500, 5000, 10000 (default), 20000, 40000, 60000 */
    uint32_t audio_bitrate_bps;         /* 6000..510000; default 64000 */
    rm_media_fn on_media;               /* NULL (default): incoming media is not decoded */
    rm_message_fn on_message;           /* NULL (default): messages of peers are dropped */
    rm_channel_data_fn on_channel_data; /* NULL (default): what comes on further channels goes to on_message */
    rm_output_fn on_output;             /* NULL (default): outputs of pipelines other than media are dropped */
    rm_control_fn on_control;           /* NULL (default): answers are dropped, custom messages go to on_message */
    const char *control_peers;          /* who may control the pipeline session it has here (webrtc_control.h): ids
                                           separated by commas, or "*"; NULL (default): nobody */
    /* When a connection fails, the side that made its offer calls again while the peer is in the room: after
     * initial, initial * multiplier, ... milliseconds, at most max, and up to a quarter more at random. */
    uint32_t max_reconnect_retries;        /* new connections, in a row, 0..100; default 5; 0 = never */
    uint32_t reconnect_backoff_initial_ms; /* 100..60000; default 1000 */
    uint32_t reconnect_backoff_max_ms;     /* 100..600000, not below initial; default 30000 */
    double reconnect_backoff_multiplier;   /* 1..10; default 2 */
    uint32_t liveness_ms;    /* "disconnected" after this long without hearing the peer, 500..30000; default 2000 */
    uint32_t ice_timeout_ms; /* give up connecting after this, 1000..120000; default 9500 */
    const char
        *bind_address;      /* numeric local address to use alone, e.g. "127.0.0.1"; NULL (default): every interface */
    rm_event_fn on_event;   /* NULL (default): events are queued for rm_webrtc_poll */
    rm_log_fn on_log;       /* NULL (default): standard error */
    void *user;             /* handed to all callbacks */
    rm_log_level log_level; /* default RM_LOG_WARN */
    const char *log_spec;   /* per module, e.g. "ice:debug,dtls:trace"; NULL (default): environment variable RM_LOG */
} rm_webrtc_config;

/* Sets struct_size and every default. */
RM_API void rm_webrtc_config_init(rm_webrtc_config *config);
/* The same for a purpose; the presets of RemoteMedia. Low latency: VP8, 1.5 Mbit/s, reports each 2 s; 10 calls again,
 * from 0.5 s times 1.5 to 10 s; 15 s for ICE. High quality: VP9, 4 Mbit/s, 1080p, 100 ms of jitter buffer; 30 s for
 * ICE. Mobile network: VP8, 800 kbit/s, 480p at 24 fps, 150 ms, 5 peers; 15 calls again, from 2 s times 1.5 to 60 s;
 * 45 s for ICE. */
RM_API void rm_webrtc_config_init_low_latency(rm_webrtc_config *config);
RM_API void rm_webrtc_config_init_high_quality(rm_webrtc_config *config);
RM_API void rm_webrtc_config_init_mobile_network(rm_webrtc_config *config);

/* Checks every field; RM_OK or RM_E_CONFIG. `faults` (may be NULL) receives one line per fault, "field: what is wrong",
 * cut to faults_size bytes and always NUL-terminated. */
RM_API rm_err rm_webrtc_config_check(const rm_webrtc_config *config, char *faults, size_t faults_size);

#ifdef __cplusplus
}
#endif

#endif
