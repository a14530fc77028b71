/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REMOTEMEDIA_WEBRTC_DATA_H
#define REMOTEMEDIA_WEBRTC_DATA_H

#include <remotemedia/data.h>
#include <remotemedia/webrtc.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Data between participants, beside sound and pictures, on data channels (RFC 8831).
 *
 * The side that makes the offer opens a channel labelled "control" once the connection stands. It carries messages in
 * RemoteMedia's form: one JSON object {"type":"Json","payload":...}, {"type":"Text","payload":"..."} or
 * {"type":"Binary","payload":"<base64>"}; rm_webrtc_send_message writes it and config.on_message gets it.
 * Further channels are the application's: rm_webrtc_open_channel on either side, RM_EV_CHANNEL on both, then bytes or
 * text as they are with rm_webrtc_send_data and config.on_channel_data. (Without on_channel_data what comes on them
 * goes to on_message, too. Labels that begin with "remotemedia-" are the library's.)
 *
 * A channel is named by its peer and a number, 0..1023, which may come again once RM_EV_CHANNEL_CLOSED was there.
 * Threads: any, also inside callbacks; sending, pausing and closing do not wait for the network thread. What is sent is
 * in a queue of its channel; what fails later is told by RM_EV_CHANNEL_CLOSED or RM_EV_ERROR, never lost in silence.
 *
 * Each function below can give
 *  RM_E_INVALID_ARG  NULL, or a value out of its range
 *  RM_E_UNSUPPORTED  data channels are switched off (enable_data_channel)
 *  RM_E_NOT_FOUND    peer_id has no data channels (is it connected?), or there is no such channel
 *  RM_E_STATE        not started
 *  RM_E_CLOSED       stopped
 *  RM_E_NO_MEMORY */

#define RM_MESSAGE_PAYLOAD_MAX ((size_t)16 << 20) /* of rm_webrtc_send_message: RemoteMedia's limit */
/* Of one message on the wire, or less if the peer says so (RFC 8841 6): the payload in base64 with some room. */
#define RM_MESSAGE_BYTES_MAX ((size_t)24 << 20)
#define RM_CHANNEL_QUEUE_MAX ((size_t)4 << 20) /* bytes that wait in the queue of a channel; a longer message alone */
#define RM_CHANNELS_MAX 1024                   /* with one peer */
#define RM_CHANNEL_TEXT_MAX 1024               /* bytes of a label, and of a protocol */

/* RFC 8831 section 6.4: a share of what can be sent, relative to the other channels that have something to send. */
typedef enum rm_channel_priority {
    RM_CHANNEL_PRIORITY_VERY_LOW = 128,
    RM_CHANNEL_PRIORITY_LOW = 256,
    RM_CHANNEL_PRIORITY_MEDIUM = 512,
    RM_CHANNEL_PRIORITY_HIGH = 1024
} rm_channel_priority;

/* Fill with rm_channel_options_init, then change what is needed. Strings are copied. */
typedef struct rm_channel_options {
    uint32_t struct_size;
    const char *label;            /* UTF-8; default "" */
    const char *protocol;         /* UTF-8; default "" */
    bool unordered;               /* default false */
    int32_t max_retransmits;      /* 0..65535; default -1: as often as needed. Not together with the next */
    int32_t max_lifetime_ms;      /* 0..65535, from the call that sends; default -1: for ever */
    rm_channel_priority priority; /* default RM_CHANNEL_PRIORITY_LOW (a browser's "low" is the same) */
    bool negotiated;              /* both sides open it with the same id, nothing is sent for that; default false */
    uint16_t id;                  /* with negotiated: 0..1023 */
} rm_channel_options;

RM_API void rm_channel_options_init(rm_channel_options *options);

/* Opens a channel; *id is set and may be used at once, what is sent then arrives behind the opening. RM_EV_CHANNEL
 * follows when the peer has it, or RM_EV_CHANNEL_CLOSED. Waits for the network thread, a moment.
 *  RM_E_TOO_BIG  label or protocol
 *  RM_E_EXISTS   the negotiated id is in use
 *  RM_E_LIMIT    no number is free
 *  RM_E_STATE    also: the data channels with this peer have ended */
RM_API rm_err rm_webrtc_open_channel(rm_webrtc *t, const char *peer_id, const rm_channel_options *options,
                                     uint16_t *id);
/* Closes it when what is queued has been sent and delivered; nothing more can be sent or is received meanwhile.
 * RM_EV_CHANNEL_CLOSED follows, on both sides. Idempotent until then. */
RM_API rm_err rm_webrtc_close_channel(rm_webrtc *t, const char *peer_id, uint16_t channel);

/* Sends one message as it is, as binary or text (UTF-8, not checked here). Empty ones are fine. The data is copied.
 *  RM_E_AGAIN    the channel's queue is full: the message stays yours, RM_EV_CHANNEL_WRITABLE follows
 *  RM_E_TOO_BIG  longer than RM_MESSAGE_BYTES_MAX or than what the peer takes (rm_data_stats.message_max): send it in
 *                pieces
 *  RM_E_STATE    also: the channel is being closed */
RM_API rm_err rm_webrtc_send_data(rm_webrtc *t, const char *peer_id, uint16_t channel, bool binary, const void *data,
                                  size_t size);
/* The same without a copy: size bytes from offset of `buf`, to which a reference is taken. */
RM_API rm_err rm_webrtc_send_data_buf(rm_webrtc *t, const char *peer_id, uint16_t channel, bool binary, rm_buf *buf,
                                      size_t offset, size_t size);

/* Sends JSON, text or binary in RemoteMedia's form on "control", or on the first open channel of this peer when it has
 * no such one.
 *  RM_E_UNSUPPORTED  also: another kind of data
 *  RM_E_STATE        also: no channel with this peer is open (yet)
 *  RM_E_AGAIN        too much is queued: try again later, the message was not taken
 *  RM_E_TOO_BIG      a payload over RM_MESSAGE_PAYLOAD_MAX, or on the wire over what the peer takes: send it in pieces
 */
RM_API rm_err rm_webrtc_send_message(rm_webrtc *t, const char *peer_id, const rm_runtime_data *message);

/* Bytes that wait in the channel's queue or were not sent for the first time yet. Waits for the network thread. */
RM_API rm_err rm_webrtc_channel_buffered(rm_webrtc *t, const char *peer_id, uint16_t channel, size_t *bytes);
/* RM_EV_CHANNEL_LOW follows each time these bytes fall from above to `bytes` (below SIZE_MAX) or fewer; never before
 * the first call. */
RM_API rm_err rm_webrtc_set_buffered_low(rm_webrtc *t, const char *peer_id, uint16_t channel, size_t bytes);
/* While paused, nothing that came is given to the application: it stays in a buffer of limited size, and when this is
 * full the peer has to wait, with all its channels. Going on delivers it on the network thread, not inside this call.
 */
RM_API rm_err rm_webrtc_pause_channel(rm_webrtc *t, const char *peer_id, uint16_t channel, bool pause);

typedef enum rm_channel_state { /* W3C RTCDataChannelState */
                                RM_CHANNEL_CONNECTING = 0,
                                RM_CHANNEL_OPEN = 1,
                                RM_CHANNEL_CLOSING = 2,
                                RM_CHANNEL_CLOSED = 3
} rm_channel_state;

typedef struct rm_channel_info {
    uint16_t id;
    rm_channel_state state;
    char label[RM_DETAIL_MAX], protocol[RM_DETAIL_MAX]; /* cut to this; NULs and what is no UTF-8 shown as '?' */
    bool unordered, negotiated, by_peer, paused;
    int32_t max_retransmits, max_lifetime_ms; /* -1: no limit */
    uint16_t priority;
    uint64_t messages_in, messages_out, bytes_in, bytes_out; /* handed over to or taken from the protocol */
    uint64_t expired;                       /* messages given up before that: older than max_lifetime_ms */
    uint64_t queued_messages, queued_bytes; /* waiting before it */
} rm_channel_info;

/* Fills at most `cap` entries, sets *count to the number there are. Waits for the network thread. */
RM_API rm_err rm_webrtc_channels(rm_webrtc *t, const char *peer_id, rm_channel_info *out, size_t cap, size_t *count);

/* Of all data channels with one peer together: their SCTP association. */
typedef struct rm_data_stats {
    double rtt_ms, min_rtt_ms, rto_ms;                      /* 0: not known yet */
    uint64_t packets_in, packets_out, bytes_in, bytes_out;  /* SCTP packets */
    uint64_t messages_in, messages_out;                     /* those that open channels included */
    uint64_t payload_in, payload_out;                       /* bytes of messages */
    uint64_t retransmissions, timeouts, abandoned, dropped; /* parts, times, messages given up, parts not taken */
    uint64_t congestion_window, in_flight, peer_window;     /* bytes */
    uint64_t pacing_bytes_per_s;                            /* 0: not known yet */
    uint64_t buffered;                                      /* taken from the queues, not acknowledged */
    uint64_t receive_held;                                  /* memory of what came and was not given out yet */
    uint64_t message_max;                                   /* bytes of one message that the peer takes */
    bool connected, interleaving, zero_checksum, partial_reliability, stream_reset; /* in use */
} rm_data_stats;

/* Waits for the network thread. */
RM_API rm_err rm_webrtc_data_stats(rm_webrtc *t, const char *peer_id, rm_data_stats *out);

RM_API const char *rm_channel_state_name(rm_channel_state state); /* "open" ...; never NULL */

#ifdef __cplusplus
}
#endif

#endif
