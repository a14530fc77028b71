/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REMOTEMEDIA_SERVE_H
#define REMOTEMEDIA_SERVE_H

#include <remotemedia/error.h>
#include <remotemedia/export.h>
#include <remotemedia/webrtc.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* RemoteMedia's server mode: a transport that is its own signaling server and waits for clients, as the SDK's browser,
 * Python and Node clients expect it. Each client that makes an offer to the peer "remotemedia-server" gets a session of
 * the pipeline of its own.
 *
 *     rm_webrtc_create(&config, &t);                              // config.signaling_url and room are not used
 *     rm_webrtc_set_pipeline(t, manifest, NULL, NULL, 0);
 *     rm_serve_config serve;
 *     rm_serve_config_init(&serve);
 *     rm_webrtc_serve(t, &serve);
 *     rm_webrtc_start(t);                                         // listens
 *
 * WebSocket, JSON-RPC 2.0: peer.announce, peer.offer (the answer is in its result), peer.ice_candidate,
 * peer.disconnect, peer.list, server.info; peer.state_change is told. Clients may also call one another through it.
 * Limits: 256 KiB a message, config.max_peers clients.
 *
 * Data channels: one binary message is one protobuf DataBuffer. What comes goes into the client's session; what the
 * session puts out, other than sound and pictures, goes to the channel that was opened last. A full session holds the
 * client's channel back. Texts on data channels are the application's (on_message). An output for which there is no
 * room is lost, which RM_EV_PIPELINE tells with RM_E_LIMIT. Sound that a session puts out faster than it is heard, as a
 * node that speaks does, goes out at the pace of its playing; a minute of it may wait, and control.flush_audio drops
 * it.
 *
 * Control bus of the client's own session (see bus.h): JSON-RPC control.subscribe, unsubscribe, publish,
 * set_node_state, flush_audio with control.event back; and protobuf ControlFrame and ControlEvent on the data channel
 * "remotemedia-control". */
typedef struct rm_serve_config {
    uint32_t struct_size;  /* set by rm_serve_config_init */
    const char *address;   /* numeric, to listen on; default "127.0.0.1"; "0.0.0.0" or "::": every one */
    uint16_t port;         /* default 8080; 0: any free one */
    const char *cert_file; /* PEM chain and key for wss://; NULL (default): ws:// */
    const char *key_file;
    const char *token; /* clients need it in peer.announce; NULL (default): none asked for */
} rm_serve_config;

RM_API void rm_serve_config_init(rm_serve_config *config);

/* Makes the transport a server; once, before rm_webrtc_start, which listens then (RM_E_IO: the address cannot be had,
 * or a file not be read). Strings are copied. Without config.peer_id the peer's id is "remotemedia-server", which
 * clients of the SDK rely on. RM_E_INVALID_ARG, RM_E_STATE, RM_E_NO_MEMORY. */
RM_API rm_err rm_webrtc_serve(rm_webrtc *t, const rm_serve_config *config);
/* The port it listens on, after rm_webrtc_start; 0: none. */
RM_API uint16_t rm_webrtc_served_port(const rm_webrtc *t);

#ifdef __cplusplus
}
#endif

#endif
