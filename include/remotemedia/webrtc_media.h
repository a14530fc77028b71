/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REMOTEMEDIA_WEBRTC_MEDIA_H
#define REMOTEMEDIA_WEBRTC_MEDIA_H

#include <remotemedia/data.h>
#include <remotemedia/manifest.h>
#include <remotemedia/node.h>
#include <remotemedia/router.h>
#include <remotemedia/runner.h>
#include <remotemedia/webrtc.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sound and pictures of a mesh participant (rm_webrtc): sending, receiving, and a pipeline in the middle.
 *
 * What peers send comes decoded to config.on_media: sound as chunks as long as the sender's packets (48 kHz floats),
 * pictures as I420. With rm_webrtc_set_pipeline each peer has a session of its own instead, whose sound and pictures go
 * back to that peer.
 *
 * Encoding is done once for all peers that share a codec; a peer that is sent something of its own (peer_id given) has
 * an encoder of its own from then on, and gets nothing of that kind that is sent to all; one that a pipeline answers,
 * as long as there is a pipeline. */

/* Sends one chunk of sound of any length, rate and channel count, or one picture: raw in any format, or encoded already
 * in the codec that is sent (rm_stream_stats.codec of video_out); receivers of another codec miss it then. peer_id
 * NULL: to every peer. The calling thread encodes sound and sends what is encoded already; a raw picture waits for its
 * encoder's thread, at most two of them: the older is dropped. The data is referenced, not copied.
 *
 *  RM_OK             also when nobody is connected yet: there is nobody to miss it
 *  RM_E_INVALID_ARG  NULL, or another kind of data
 *  RM_E_NOT_FOUND    peer_id is not connected
 *  RM_E_UNSUPPORTED  this kind of media was not negotiated with it; a pixel format or codec that cannot be sent
 *  RM_E_STATE        not started
 *  RM_E_CLOSED       stopped
 *  RM_E_NO_MEMORY    */
RM_API rm_err rm_webrtc_send_audio(rm_webrtc *t, const char *peer_id, rm_runtime_data *audio);
RM_API rm_err rm_webrtc_send_video(rm_webrtc *t, const char *peer_id, rm_runtime_data *video);
/* Either, by the kind of data; other kinds: RM_E_UNSUPPORTED. */
RM_API rm_err rm_webrtc_send_to_peer(rm_webrtc *t, const char *peer_id, rm_runtime_data *data);

typedef struct rm_send_result {
    char peer_id[RM_PEER_ID_MAX];
    rm_err err; /* RM_OK: on its way */
} rm_send_result;

/* To every peer, told for each: fills at most `cap` results and sets *count to the number of connected peers. */
RM_API rm_err rm_webrtc_broadcast(rm_webrtc *t, rm_runtime_data *data, rm_send_result *results, size_t cap,
                                  size_t *count);

/* How pictures are encoded, for all peers (peer_id NULL) or one that is sent pictures of its own. Takes effect with the
 * next picture, without a restart of the stream. */
typedef struct rm_video_settings {
    uint32_t bitrate_bps;           /* 10,000..100,000,000 */
    uint32_t framerate_fps;         /* pictures that come faster are skipped; 1..240 */
    uint32_t max_width, max_height; /* larger pictures are scaled down; 16..4096 */
} rm_video_settings;
/* RM_E_INVALID_ARG, RM_E_NOT_FOUND (no such peer), RM_E_STATE, RM_E_NO_MEMORY. */
RM_API rm_err rm_webrtc_set_video(rm_webrtc *t, const char *peer_id, const rm_video_settings *settings);
/* Asks a peer for a key frame (PLI). RM_E_NOT_FOUND, RM_E_STATE, RM_E_CLOSED, RM_E_NO_MEMORY. */
RM_API rm_err rm_webrtc_request_key_frame(rm_webrtc *t, const char *peer_id);

/* What is taken of a peer's media. What is not is not decoded here, and the peer is asked not to send it, or to send it
 * in a lower quality; a peer of this library does so at once and until it is asked otherwise, through changes of
 * network, and after a reconnection again. Others (browsers) go on sending, and it is thrown away here. */
typedef struct rm_subscription {
    bool audio, video;
    rm_quality max; /* of pictures, e.g. rm_quality_of(RM_TIER_LOW); zeros: no limit */
} rm_subscription;
#define RM_SUBSCRIPTIONS_MAX 256 /* peers with one of their own */

/* For one peer, connected or not, now and later; peer_id NULL: for all that have none of their own. `subscription`
 * NULL: as for all others again, or everything. Copied. When pictures are taken again they begin with a key frame. Any
 * time, any thread. RM_E_INVALID_ARG  an empty or too long id, a limit with a 0 in it or beyond that of router.h
 *  RM_E_LIMIT        RM_SUBSCRIPTIONS_MAX peers have one
 *  RM_E_CLOSED       stopped
 * On the wire it is a message of the channel "control" (webrtc_control.h): {"action":"Custom","message_type":
 * "media_wish","data":{"audio":true,"video":true,"max":{"bitrate_kbps":500,"width":854,"height":480}}}, where what is
 * missing is wanted. A wish that cannot be read changes nothing and is answered as refused actions are: RM_E_PARSE. */
RM_API rm_err rm_webrtc_subscribe(rm_webrtc *t, const char *peer_id, const rm_subscription *subscription);

/* From now on every peer's media runs through a session of `manifest` of its own, and its sound and pictures go back to
 * that peer. NULL: no pipeline. Peers that are connected change over as soon as the new session is ready. The manifest
 * is tried at once (a session is made and thrown away); `registry` NULL: the built-in nodes. References are taken. Also
 * before rm_webrtc_start. With a pipeline, on_media is not called; outputs of any kind are shown to on_output.
 *  RM_E_CONFIG  the manifest does not fit the registry, or a node refused its parameters: `detail` (may be NULL) says
 *               which, and nothing has changed
 *  RM_E_INVALID_ARG, RM_E_NO_MEMORY, RM_E_CLOSED, and whatever error a node returns */
RM_API rm_err rm_webrtc_set_pipeline(rm_webrtc *t, rm_manifest *manifest, rm_node_registry *registry, char *detail,
                                     size_t detail_size);

/* ---- statistics: names and meanings as in W3C's webrtc-stats where it has them ---- */

typedef struct rm_stream_stats {
    bool active;       /* something was sent or received */
    const char *codec; /* "opus" "VP8" "VP9" "H264", "" while inactive */
    uint32_t width, height;
    double fps, bitrate_bps; /* over the last second */
    uint64_t packets, bytes, frames, key_frames;
    int64_t packets_lost;
    double fraction_lost; /* 0..1, last report */
    double jitter_ms;
    uint64_t nack_count, pli_count, fir_count, retransmitted_packets;
    uint64_t packets_with_ce; /* marked as congestion (enable_ecn): that came; of ours, as the peer reports */
    uint64_t frames_dropped;  /* out: skipped or superseded before encoding; in: incomplete or not decodable */
} rm_stream_stats;

typedef struct rm_media_stats {
    char peer_id[RM_PEER_ID_MAX];
    rm_stream_stats audio_in, audio_out, video_in, video_out;
    double rtt_ms; /* of RTCP; 0: unknown */
    /* Where the time goes, milliseconds, smoothed; 0: unknown. Capture is the wait for the encoder,
     * network half the round trip. */
    double audio_encode_ms, audio_jitter_buffer_ms, audio_pipeline_ms;
    double video_capture_ms, video_encode_ms, network_ms, video_jitter_buffer_ms, video_decode_ms, video_pipeline_ms;
    double av_skew_ms;                          /* how much later than sound the picture is */
    uint64_t total_samples, concealed_samples;  /* of sound received */
    uint64_t pipeline_inputs, pipeline_outputs; /* of its session */
    uint64_t pipeline_errors, pipeline_dropped; /* node errors; items lost in front of slow nodes */
    uint64_t audio_chunk_allocations;  /* heap calls for received sound since the start: constant when steady */
    double target_bitrate_bps;         /* of the video encoder that serves it; 0: no pictures for now */
    double available_outgoing_bitrate; /* bits a second for all that is sent to it, as estimated; 0: unknown */
    double audio_level; /* of sound received, as its latest packet says: 0 silence, or not told, .. 1 full scale */
    uint64_t concealment_events;   /* of sound received: times it began */
    uint64_t freeze_count;         /* of pictures received, */
    double total_freezes_duration; /* and how long together, seconds */
    uint64_t redundant_audio_in;   /* lost frames of sound that came with later packets (RED, RFC 2198), */
    uint64_t redundant_audio_out;  /* and copies sent for the peer */
    double packet_loss_rate;       /* 0..1, before repairs: the worse of what we and what the peer last reported */
    /* Of the last seconds, 0..100; 50 and more is acceptable. Sound after ITU-T G.107's E-model, by delay and the share
     * that had to be concealed; pictures by freezes, rate and delay; the score is the worse of both, less two for each
     * per cent of packets lost above five. 0 of what does not come; the score of a peer that sends nothing is made of
     * what it reports of ours. */
    double audio_quality_score, video_quality_score, quality_score;
    /* Of the pictures sent to it: 0 the best, 1 and on those of config.video_rungs that are in use here; -1: none. */
    int32_t video_rung;
    uint32_t video_encoders; /* of pictures that this transport has, for all peers; unused ones go after 5 s */
} rm_media_stats;

/* Of a connected peer. RM_E_NOT_FOUND, RM_E_STATE (not started), RM_E_CLOSED, RM_E_INVALID_ARG. */
RM_API rm_err rm_webrtc_get_stats(rm_webrtc *t, const char *peer_id, rm_media_stats *out);

#ifdef __cplusplus
}
#endif

#endif
