/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SCTP_CHANNELS_H
#define RMI_SCTP_CHANNELS_H

#include "sctp/association.h"

/* Data channels (RFC 8831, RFC 8832) over one association, which they drive: the owner hands packets, times and starts
 * to the association, and takes events here instead of there. A channel is known by its stream id. */
struct rmi_channels;

#define RMI_CHANNEL_TEXT_MAX 1024 /* bytes of a label, and of a protocol */
#define RMI_CHANNEL_ANY UINT16_MAX

enum rmi_channel_state { RMI_CHANNEL_CONNECTING, RMI_CHANNEL_OPEN, RMI_CHANNEL_CLOSING, RMI_CHANNEL_CLOSED };

struct rmi_channel_options {
    const char *label;    /* UTF-8; NULL is "" */
    const char *protocol; /* NULL is "" */
    bool unordered;
    bool limit_retransmits; /* not together with limit_lifetime */
    uint16_t max_retransmits;
    bool limit_lifetime;
    uint16_t max_lifetime_ms;
    uint16_t priority; /* 128 very low, 256 low, 512 medium, 1024 high (RFC 8831 6.4); 0 is 256 */
    bool negotiated;   /* both sides give the id; nothing is sent to open it */
    uint16_t id;       /* negotiated: 0..1023; else RMI_CHANNEL_ANY or one of our parity */
};

enum rmi_channels_event_type {
    RMI_CHANNELS_EV_UP,      /* the association is there; negotiated channels are open, others are being opened */
    RMI_CHANNELS_EV_NEW,     /* channel: the peer opened it; rmi_channels_get has its label */
    RMI_CHANNELS_EV_OPEN,    /* channel: ours is open */
    RMI_CHANNELS_EV_MESSAGE, /* channel, binary, data, len; an unordered one can come before OPEN */
    RMI_CHANNELS_EV_CLOSED,  /* channel: by either side; its id may come again. err: how it failed */
    RMI_CHANNELS_EV_LOW,     /* channel: buffered fell to the threshold */
    RMI_CHANNELS_EV_WRITABLE,
    RMI_CHANNELS_EV_DOWN /* err, detail: the association ended and all channels with it; RM_OK when by SHUTDOWN */
};
struct rmi_channels_event {
    enum rmi_channels_event_type type;
    uint16_t channel;
    rm_err err;
    bool binary;
    const uint8_t *data; /* until the next call */
    size_t len;
    const char *detail;
};

struct rmi_channel_info {
    enum rmi_channel_state state;
    const char *label, *protocol; /* until the channel is closed; NUL-terminated, label_len counts NULs inside too */
    size_t label_len, protocol_len;
    bool unordered, limit_retransmits, limit_lifetime, negotiated, by_peer;
    uint16_t max_retransmits, max_lifetime_ms, priority;
    uint64_t messages_in, messages_out, bytes_in, bytes_out;
};

/* `dtls_client` decides the parity of ids: the client's are even (RFC 8832 section 6). The association stays the
 * caller's and must outlive this. RM_E_NO_MEMORY. */
rm_err rmi_channels_create(struct rmi_sctp *a, bool dtls_client, struct rmi_log *log, const char *name,
                           struct rmi_channels **out);
void rmi_channels_destroy(struct rmi_channels **c);
/* Before or after the association is up. RM_E_INVALID_ARG, RM_E_TOO_BIG (a text), RM_E_EXISTS (the id), RM_E_LIMIT (no
 * id is free), RM_E_STATE (the association has ended), RM_E_NO_MEMORY. */
rm_err rmi_channels_open(struct rmi_channels *c, int64_t now_us, const struct rmi_channel_options *options,
                         uint16_t *id);
/* RM_E_NOT_FOUND; RM_E_STATE: not open (ours may be written to before the peer's answer once the association is up);
 * RM_E_AGAIN: full, the message stays the caller's, RMI_CHANNELS_EV_WRITABLE follows; RM_E_TOO_BIG; RM_E_NO_MEMORY. An
 * empty message is fine. Call rmi_sctp_flush after one or several. */
rm_err rmi_channels_send(struct rmi_channels *c, int64_t now_us, uint16_t id, bool binary, const void *data,
                         size_t len);
/* What is queued goes first. RM_E_NOT_FOUND; idempotent until CLOSED. */
rm_err rmi_channels_close(struct rmi_channels *c, int64_t now_us, uint16_t id);
rm_err rmi_channels_set_low(struct rmi_channels *c, uint16_t id, size_t bytes); /* RM_E_NOT_FOUND, RM_E_NO_MEMORY */
size_t rmi_channels_buffered(const struct rmi_channels *c, uint16_t id);
/* Keeps messages of the channel back: they fill the receive window. RM_E_NOT_FOUND, RM_E_NO_MEMORY. */
rm_err rmi_channels_pause(struct rmi_channels *c, uint16_t id, bool pause);
void rmi_channels_flush(struct rmi_channels *c, int64_t now_us); /* rmi_sctp_flush */
void rmi_channels_stats(const struct rmi_channels *c, struct rmi_sctp_stats *out);
bool rmi_channels_up(const struct rmi_channels *c); /* between UP and DOWN */
rm_err rmi_channels_get(const struct rmi_channels *c, uint16_t id, struct rmi_channel_info *out); /* RM_E_NOT_FOUND */
/* Drain it after each call of rmi_sctp_input, rmi_sctp_timeout and of this module. */
bool rmi_channels_poll_event(struct rmi_channels *c, int64_t now_us, struct rmi_channels_event *out);

#endif
