/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SCTP_ASSOCIATION_H
#define RMI_SCTP_ASSOCIATION_H

#include "base/log.h"
#include "base/rng.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One SCTP association over DTLS (RFC 9260 as RFC 8261 uses it). Both sides call rmi_sctp_start. Sans-I/O: packets,
 * time and randomness are handed in, packets go out through `send`. One thread per object; `send` must not call back.
 *
 * After any call: drain rmi_sctp_poll_event, then ask rmi_sctp_next_deadline. */
struct rmi_sctp;

#define RMI_SCTP_PORT 5000    /* what WebRTC signals */
#define RMI_SCTP_STREAMS 1024 /* ids 0..1023, each created when first used */
#define RMI_SCTP_PACKET_MAX 1163

enum rmi_sctp_state {
    RMI_SCTP_NEW,
    RMI_SCTP_COOKIE_WAIT,
    RMI_SCTP_COOKIE_ECHOED,
    RMI_SCTP_ESTABLISHED,
    RMI_SCTP_SHUTDOWN_PENDING,
    RMI_SCTP_SHUTDOWN_SENT,
    RMI_SCTP_SHUTDOWN_RECEIVED,
    RMI_SCTP_SHUTDOWN_ACK_SENT,
    RMI_SCTP_CLOSED,
    RMI_SCTP_FAILED
};

/* 0 in a number takes the default. */
struct rmi_sctp_config {
    struct rmi_rng rng;
    struct rmi_log *log;
    const char *name; /* for log lines; copied */
    uint16_t local_port, remote_port;
    int64_t rtt_us;         /* of the ICE pair, for the first retransmissions; 0 is 333 ms */
    size_t packet_max;      /* bytes of one packet, 256 to RMI_SCTP_PACKET_MAX, which is the default */
    size_t message_in_max;  /* a longer one ends the association; 256 KiB */
    size_t message_out_max; /* a=max-message-size of the peer; 64 KiB (RFC 8841) */
    size_t send_buffer;     /* bytes not acknowledged that rmi_sctp_send takes; 4 MiB */
    size_t recv_buffer;     /* bytes held for the application or until whole; 4 MiB, at least message_in_max */
    bool no_interleaving;   /* DATA although the peer has I-DATA (RFC 8260) */
    bool no_zero_checksum;  /* CRC32c although the peer takes zero, and none accepted (RFC 9653) */
    void (*send)(void *ctx, int64_t now_us, const uint8_t *data, size_t len);
    void *send_ctx;
};

enum rmi_sctp_event_type {
    RMI_SCTP_EV_CONNECTED,
    RMI_SCTP_EV_MESSAGE, /* stream, ppid, data, len */
    /* stream: the peer closed its direction; a later message is of a new use. err RM_E_TIMEOUT: ours is closed, and
     * the peer neither closed its own nor sent anything on it for ten seconds. */
    RMI_SCTP_EV_RESET_IN,
    /* stream: our direction is closed, by rmi_sctp_reset_stream or because the peer asked for it; the id may be used
     * again. err: RM_E_UNSUPPORTED, the peer refused; RM_E_TIMEOUT, it did not answer for half a minute. */
    RMI_SCTP_EV_RESET_OUT,
    RMI_SCTP_EV_BUFFERED_LOW, /* stream: unsent bytes fell to the threshold */
    RMI_SCTP_EV_WRITABLE,     /* after RM_E_AGAIN: there is room again */
    RMI_SCTP_EV_CLOSED,       /* by SHUTDOWN */
    RMI_SCTP_EV_FAILED        /* err: RM_E_TIMEOUT, RM_E_CLOSED (ABORT received), RM_E_TOO_BIG, RM_E_PARSE, ... */
};
struct rmi_sctp_event {
    enum rmi_sctp_event_type type;
    rm_err err;
    uint16_t stream;
    uint32_t ppid;
    const uint8_t *data; /* until the next call with this association; never NULL in a message */
    size_t len;
    const char *detail; /* of FAILED and CLOSED: a constant */
};

/* How hard a message is tried (RFC 3758). All zero is reliable and ordered. */
struct rmi_sctp_send_options {
    bool unordered;
    bool limit_retransmits;
    uint16_t max_retransmits; /* of each part, with limit_retransmits */
    int64_t max_lifetime_us;  /* 0: no limit */
};

struct rmi_sctp_stats {
    uint64_t packets_in, packets_out, bytes_in, bytes_out; /* SCTP packets, headers included */
    uint64_t messages_in, messages_out, payload_in, payload_out;
    uint64_t drops;     /* packets and chunks ignored as malformed, foreign or out of place */
    uint64_t abandoned; /* messages given up (RFC 3758) */
    uint64_t retransmissions, timeouts, probes;
    uint64_t cwnd, in_flight, peer_window;
    uint64_t pacing_bytes_per_s; /* 0: not known yet */
    int64_t srtt_us, min_rtt_us, rto_us;
    uint64_t buffered;  /* taken by rmi_sctp_send, not acknowledged */
    uint64_t recv_held; /* memory of what came and was not taken yet */
    bool interleaving, zero_checksum_out, partial_reliability, stream_reset;
};

/* RM_E_INVALID_ARG, RM_E_NO_MEMORY. */
rm_err rmi_sctp_create(const struct rmi_sctp_config *config, struct rmi_sctp **out);
void rmi_sctp_destroy(struct rmi_sctp **a);
/* Sends INIT; the peer may have begun already, or do it at the same time. Once. */
void rmi_sctp_start(struct rmi_sctp *a, int64_t now_us);
/* The payload of one DTLS record. Not before the handshake is done. An INIT before rmi_sctp_start is answered. */
void rmi_sctp_input(struct rmi_sctp *a, int64_t now_us, const uint8_t *data, size_t len);
/* One of several packets that came together: what there is to answer leaves with rmi_sctp_flush after the last. */
void rmi_sctp_input_more(struct rmi_sctp *a, int64_t now_us, const uint8_t *data, size_t len);
int64_t rmi_sctp_next_deadline(const struct rmi_sctp *a);
void rmi_sctp_timeout(struct rmi_sctp *a, int64_t now_us);

/* Queues one message, copied. On an error it stays the caller's.
 * RM_E_AGAIN: the send buffer is full (each stream has a small share of its own), RMI_SCTP_EV_WRITABLE follows.
 * RM_E_STATE: not connected, or the stream is being reset. RM_E_INVALID_ARG: no such stream or no bytes. RM_E_TOO_BIG:
 * over message_out_max. RM_E_UNSUPPORTED: limited reliability, and the peer has none. RM_E_NO_MEMORY. Call
 * rmi_sctp_flush after one or several. */
rm_err rmi_sctp_send(struct rmi_sctp *a, int64_t now_us, uint16_t stream, uint32_t ppid,
                     const struct rmi_sctp_send_options *options, const void *data, size_t len);
/* The path works again after an outage: what waits for the timers, which have doubled meanwhile, is sent at once. */
void rmi_sctp_path_back(struct rmi_sctp *a, int64_t now_us);
/* Sends what may be sent now. */
void rmi_sctp_flush(struct rmi_sctp *a, int64_t now_us);
/* Sound and pictures take the same way: look for more rate by small steps, whose queues they hardly notice, and leave
 * them room. Costs a slower start (a quarter a round trip instead of a doubling) and 2 % of the rate. */
void rmi_sctp_set_gentle(struct rmi_sctp *a, bool gentle);
/* Share of this stream when several wait, 1..65535, 256 to begin with. RM_E_INVALID_ARG, RM_E_NO_MEMORY. */
rm_err rmi_sctp_set_weight(struct rmi_sctp *a, uint16_t stream, uint16_t weight);
/* RMI_SCTP_EV_BUFFERED_LOW when the unsent bytes of this stream fall from above to `bytes` or fewer. The same errors.
 */
rm_err rmi_sctp_set_buffered_low(struct rmi_sctp *a, uint16_t stream, size_t bytes);
/* Bytes of this stream not sent for the first time yet. */
size_t rmi_sctp_buffered(const struct rmi_sctp *a, uint16_t stream);
/* Streams that can be used: what the peer allows, at most RMI_SCTP_STREAMS. 0 before CONNECTED. */
uint16_t rmi_sctp_streams_out(const struct rmi_sctp *a);

bool rmi_sctp_poll_event(struct rmi_sctp *a, struct rmi_sctp_event *out);
/* Keeps what comes on this stream back from the above: it is held, and fills the receive window down to nothing, of
 * which only a part is offered then. Poll after going on. RM_E_INVALID_ARG, RM_E_NO_MEMORY. */
rm_err rmi_sctp_pause_stream(struct rmi_sctp *a, uint16_t stream, bool pause);

/* Closes our direction of a stream (RFC 6525) once all of it is delivered: RMI_SCTP_EV_RESET_OUT. RM_E_STATE: not
 * connected, or under way already. RM_E_UNSUPPORTED: not with this peer. RM_E_INVALID_ARG. */
rm_err rmi_sctp_reset_stream(struct rmi_sctp *a, int64_t now_us, uint16_t stream);
/* Ends when all is delivered: RMI_SCTP_EV_CLOSED. Idempotent. */
void rmi_sctp_shutdown(struct rmi_sctp *a, int64_t now_us);
/* Ends at once and tells the peer. No event. Idempotent. */
void rmi_sctp_abort(struct rmi_sctp *a, int64_t now_us);
enum rmi_sctp_state rmi_sctp_state_of(const struct rmi_sctp *a);
void rmi_sctp_get_stats(const struct rmi_sctp *a, struct rmi_sctp_stats *out);

#endif
