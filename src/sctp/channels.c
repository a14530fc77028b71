/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/channels.h"
#include "sctp/dcep.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRIORITY_DEFAULT 256
#define NAME_MAX_BYTES 64
#define OPEN_MAX (RMI_DCEP_OPEN_FIXED + 2 * RMI_CHANNEL_TEXT_MAX)

struct channel {
    struct rmi_channel_info info;
    bool open_sent, ack_wanted, acked; /* acked: what is unordered needs no order behind OPEN any more */
    bool reset_asked, reset_out, reset_in;
    bool told_new;
    rm_err err;
    char text[]; /* label, NUL, protocol, NUL */
};

struct rmi_channels {
    struct rmi_sctp *a;
    struct rmi_log *log;
    char name[NAME_MAX_BYTES];
    bool client, up, down, work; /* work: something waits to be sent or told */
    struct channel *at[RMI_SCTP_STREAMS];
};

rm_err rmi_channels_create(struct rmi_sctp *a, bool dtls_client, struct rmi_log *log, const char *name,
                           struct rmi_channels **out) {
    struct rmi_channels *c = calloc(1, sizeof *c);
    if (!c)
        return RM_E_NO_MEMORY;
    c->a = a;
    c->client = dtls_client;
    c->log = log;
    snprintf(c->name, sizeof c->name, "%s", name ? name : "");
    *out = c;
    return RM_OK;
}

void rmi_channels_destroy(struct rmi_channels **c) {
    if (!c || !*c)
        return;
    for (size_t i = 0; i < RMI_SCTP_STREAMS; i++)
        free((*c)->at[i]);
    free(*c);
    *c = NULL;
}

static struct channel *find(const struct rmi_channels *c, uint16_t id) {
    return id < RMI_SCTP_STREAMS ? c->at[id] : NULL;
}

static void set_state(struct rmi_channels *c, uint16_t id, enum rmi_channel_state state, const char *reason) {
    static const char *const names[] = {"connecting", "open", "closing", "closed"};
    struct channel *ch = c->at[id];
    rmi_log(c->log, RMI_LOG_SCTP, RM_LOG_DEBUG, "%s: channel %u %s->%s (%s)", c->name, id, names[ch->info.state],
            names[state], reason);
    ch->info.state = state;
}

static struct channel *add(struct rmi_channels *c, uint16_t id, const char *label, size_t label_len,
                           const char *protocol, size_t protocol_len) {
    struct channel *ch = calloc(1, sizeof *ch + label_len + protocol_len + 2);
    if (!ch)
        return NULL;
    memcpy(ch->text, label, label_len);
    memcpy(ch->text + label_len + 1, protocol, protocol_len);
    ch->info.label = ch->text;
    ch->info.label_len = label_len;
    ch->info.protocol = ch->text + label_len + 1;
    ch->info.protocol_len = protocol_len;
    c->at[id] = ch;
    return ch;
}

static bool ours(const struct rmi_channels *c, uint16_t id) {
    return (id % 2 == 0) == c->client;
}

static uint16_t free_id(const struct rmi_channels *c) {
    const uint16_t end = c->up ? rmi_sctp_streams_out(c->a) : RMI_SCTP_STREAMS;
    for (uint16_t id = c->client ? 0 : 1; id < end; id = (uint16_t)(id + 2))
        if (!c->at[id])
            return id;
    return RMI_CHANNEL_ANY;
}

static rm_err check_options(const struct rmi_channels *c, const struct rmi_channel_options *o) {
    if (o->limit_retransmits && o->limit_lifetime)
        return RM_E_INVALID_ARG;
    if (o->id != RMI_CHANNEL_ANY ? o->id >= RMI_SCTP_STREAMS || (!o->negotiated && !ours(c, o->id)) : o->negotiated)
        return RM_E_INVALID_ARG;
    return c->down ? RM_E_STATE : RM_OK;
}

rm_err rmi_channels_open(struct rmi_channels *c, int64_t now_us, const struct rmi_channel_options *o, uint16_t *id) {
    const rm_err err = check_options(c, o);
    if (err)
        return err;
    (void)now_us;
    const char *label = o->label ? o->label : "", *protocol = o->protocol ? o->protocol : "";
    if (strlen(label) > RMI_CHANNEL_TEXT_MAX || strlen(protocol) > RMI_CHANNEL_TEXT_MAX)
        return RM_E_TOO_BIG;
    const uint16_t at = o->id != RMI_CHANNEL_ANY ? o->id : free_id(c);
    if (at == RMI_CHANNEL_ANY)
        return RM_E_LIMIT;
    if (c->at[at])
        return RM_E_EXISTS;
    struct channel *ch = add(c, at, label, strlen(label), protocol, strlen(protocol));
    if (!ch)
        return RM_E_NO_MEMORY;
    ch->info.unordered = o->unordered;
    ch->info.limit_retransmits = o->limit_retransmits;
    ch->info.max_retransmits = o->max_retransmits;
    ch->info.limit_lifetime = o->limit_lifetime;
    ch->info.max_lifetime_ms = o->max_lifetime_ms;
    ch->info.priority = o->priority ? o->priority : PRIORITY_DEFAULT;
    ch->info.negotiated = o->negotiated;
    ch->acked = o->negotiated;
    c->work = true;
    if (id)
        *id = at;
    return RM_OK;
}

/* ---- sending ---- */

static struct rmi_sctp_send_options reliability(const struct channel *ch) {
    struct rmi_sctp_send_options o = {.unordered = ch->info.unordered && ch->acked,
                                      .limit_retransmits = ch->info.limit_retransmits,
                                      .max_retransmits = ch->info.max_retransmits};
    if (ch->info.limit_lifetime) /* none at all is tried once, for a moment */
        o.max_lifetime_us = ch->info.max_lifetime_ms ? (int64_t)ch->info.max_lifetime_ms * 1000 : 1;
    return o;
}

/* What could not go at once, because the association was not there or its buffer full, is tried again. */
static bool send_open(struct rmi_channels *c, int64_t now_us, uint16_t id) {
    struct channel *ch = c->at[id];
    uint8_t bytes[OPEN_MAX];
    const struct rmi_dcep_open open = {.unordered = ch->info.unordered,
                                       .limit_retransmits = ch->info.limit_retransmits,
                                       .max_retransmits = ch->info.max_retransmits,
                                       .limit_lifetime = ch->info.limit_lifetime,
                                       .max_lifetime_ms = ch->info.max_lifetime_ms,
                                       .priority = ch->info.priority,
                                       .label = ch->info.label,
                                       .label_len = ch->info.label_len,
                                       .protocol = ch->info.protocol,
                                       .protocol_len = ch->info.protocol_len};
    const size_t len = rmi_dcep_open_write(&open, bytes, sizeof bytes);
    (void)rmi_sctp_set_weight(c->a, id, ch->info.priority);
    const rm_err err = rmi_sctp_send(c->a, now_us, id, RMI_PPID_DCEP, NULL, bytes, len);
    if (err == RM_OK)
        ch->open_sent = true;
    else if (err != RM_E_AGAIN && err != RM_E_NO_MEMORY) { /* the peer has fewer streams, or takes no such message */
        ch->err = err;
        c->work = true;
        set_state(c, id, RMI_CHANNEL_CLOSED, "cannot be opened");
    }
    return err != RM_E_AGAIN && err != RM_E_NO_MEMORY;
}

rm_err rmi_channels_send(struct rmi_channels *c, int64_t now_us, uint16_t id, bool binary, const void *data,
                         size_t len) {
    static const uint8_t nothing[1] = {0}; /* RFC 8831 6.6: SCTP has no empty messages, one zero byte stands for it */
    struct channel *ch = find(c, id);
    if (!ch)
        return RM_E_NOT_FOUND;
    if (c->up && ch->info.state == RMI_CHANNEL_CONNECTING && !ch->open_sent && !ch->info.negotiated &&
        !send_open(c, now_us, id))
        return RM_E_AGAIN;
    if (ch->info.state != RMI_CHANNEL_OPEN && !(ch->info.state == RMI_CHANNEL_CONNECTING && ch->open_sent))
        return RM_E_STATE;
    const struct rmi_sctp_send_options o = reliability(ch);
    const uint32_t ppid = len > 0 ? (binary ? RMI_PPID_BINARY : RMI_PPID_STRING)
                                  : (binary ? RMI_PPID_BINARY_EMPTY : RMI_PPID_STRING_EMPTY);
    const rm_err err = rmi_sctp_send(c->a, now_us, id, ppid, &o, len > 0 ? data : nothing, len > 0 ? len : 1);
    if (err)
        return err;
    ch->info.messages_out++;
    ch->info.bytes_out += len;
    return RM_OK;
}

static bool send_ack(struct rmi_channels *c, int64_t now_us, uint16_t id) {
    uint8_t bytes[1];
    const size_t len = rmi_dcep_ack_write(bytes, sizeof bytes);
    const rm_err err = rmi_sctp_send(c->a, now_us, id, RMI_PPID_DCEP, NULL, bytes, len);
    c->at[id]->ack_wanted = err == RM_E_AGAIN || err == RM_E_NO_MEMORY;
    return !c->at[id]->ack_wanted;
}

static void ask_reset(struct rmi_channels *c, int64_t now_us, uint16_t id) {
    struct channel *ch = c->at[id];
    if (ch->reset_asked)
        return;
    ch->reset_asked = true;
    if (rmi_sctp_reset_stream(c->a, now_us, id) != RM_OK) /* a peer without it: ours alone is closed */
        ch->reset_out = ch->reset_in = true;
    c->work = true;
}

rm_err rmi_channels_close(struct rmi_channels *c, int64_t now_us, uint16_t id) {
    struct channel *ch = find(c, id);
    if (!ch)
        return RM_E_NOT_FOUND;
    if (ch->info.state >= RMI_CHANNEL_CLOSING)
        return RM_OK;
    const bool never_used = !c->up || (ch->info.state == RMI_CHANNEL_CONNECTING && !ch->open_sent);
    set_state(c, id, never_used ? RMI_CHANNEL_CLOSED : RMI_CHANNEL_CLOSING, "closed here");
    (void)rmi_sctp_pause_stream(c->a, id, false); /* what still comes is dropped, and the peer's reset is heard */
    if (!never_used)
        ask_reset(c, now_us, id);
    c->work = true;
    return RM_OK;
}

rm_err rmi_channels_set_low(struct rmi_channels *c, uint16_t id, size_t bytes) {
    return find(c, id) ? rmi_sctp_set_buffered_low(c->a, id, bytes) : RM_E_NOT_FOUND;
}

size_t rmi_channels_buffered(const struct rmi_channels *c, uint16_t id) {
    return rmi_sctp_buffered(c->a, id);
}

rm_err rmi_channels_pause(struct rmi_channels *c, uint16_t id, bool pause) {
    const struct channel *ch = find(c, id);
    if (!ch)
        return RM_E_NOT_FOUND;
    return ch->info.state < RMI_CHANNEL_CLOSING ? rmi_sctp_pause_stream(c->a, id, pause) : RM_OK;
}

void rmi_channels_flush(struct rmi_channels *c, int64_t now_us) {
    rmi_sctp_flush(c->a, now_us);
}

void rmi_channels_stats(const struct rmi_channels *c, struct rmi_sctp_stats *out) {
    rmi_sctp_get_stats(c->a, out);
}

bool rmi_channels_up(const struct rmi_channels *c) {
    return c->up;
}

rm_err rmi_channels_get(const struct rmi_channels *c, uint16_t id, struct rmi_channel_info *out) {
    const struct channel *ch = find(c, id);
    if (!ch)
        return RM_E_NOT_FOUND;
    *out = ch->info;
    return RM_OK;
}

/* ---- what the peer says ---- */

/* The wrong parity, or an id in use: the stream is closed and nothing acknowledged (RFC 8832 section 6). */
static void refuse(struct rmi_channels *c, int64_t now_us, uint16_t id, const char *why) {
    rmi_log(c->log, RMI_LOG_SCTP, RM_LOG_WARN, "%s: the peer's channel %u is refused: %s", c->name, id, why);
    if (c->at[id])
        (void)rmi_channels_close(c, now_us, id);
    else
        (void)rmi_sctp_reset_stream(c->a, now_us, id);
}

static void on_open(struct rmi_channels *c, int64_t now_us, uint16_t id, const struct rmi_dcep_open *open) {
    if (c->at[id] || ours(c, id)) {
        refuse(c, now_us, id, c->at[id] ? "its id is in use" : "its id is one of ours");
        return;
    }
    if (open->label_len > RMI_CHANNEL_TEXT_MAX || open->protocol_len > RMI_CHANNEL_TEXT_MAX) {
        refuse(c, now_us, id, "its label or protocol is too long");
        return;
    }
    struct channel *ch = add(c, id, open->label, open->label_len, open->protocol, open->protocol_len);
    if (!ch) {
        refuse(c, now_us, id, "no memory");
        return;
    }
    ch->info.by_peer = true;
    ch->info.unordered = open->unordered;
    ch->info.limit_retransmits = open->limit_retransmits;
    ch->info.max_retransmits = open->max_retransmits > UINT16_MAX ? UINT16_MAX : (uint16_t)open->max_retransmits;
    ch->info.limit_lifetime = open->limit_lifetime;
    ch->info.max_lifetime_ms = open->max_lifetime_ms > UINT16_MAX ? UINT16_MAX : (uint16_t)open->max_lifetime_ms;
    ch->info.priority = open->priority;
    ch->acked = true;
    (void)rmi_sctp_set_weight(c->a, id, open->priority ? open->priority : PRIORITY_DEFAULT);
    set_state(c, id, RMI_CHANNEL_OPEN, "opened by the peer");
    ch->ack_wanted = true;
    c->work = true;
}

static void on_dcep(struct rmi_channels *c, int64_t now_us, const struct rmi_sctp_event *e) {
    enum rmi_dcep_type type;
    struct rmi_dcep_open open;
    const rm_err err = rmi_dcep_parse(e->data, e->len, &type, &open);
    if (err == RM_E_UNSUPPORTED)
        return;
    if (err) {
        refuse(c, now_us, e->stream, "malformed");
        return;
    }
    struct channel *ch = c->at[e->stream];
    if (type == RMI_DCEP_OPEN)
        on_open(c, now_us, e->stream, &open);
    else if (ch && ch->open_sent && !ch->acked) {
        ch->acked = true;
        c->work = true;
    }
}

static bool on_message(struct rmi_channels *c, int64_t now_us, const struct rmi_sctp_event *e,
                       struct rmi_channels_event *out) {
    if (e->ppid == RMI_PPID_DCEP) {
        on_dcep(c, now_us, e);
        return false;
    }
    struct channel *ch = c->at[e->stream];
    const bool empty = e->ppid == RMI_PPID_STRING_EMPTY || e->ppid == RMI_PPID_BINARY_EMPTY;
    const bool binary = e->ppid == RMI_PPID_BINARY || e->ppid == RMI_PPID_BINARY_EMPTY;
    if (!ch || ch->info.state >= RMI_CHANNEL_CLOSING || (!empty && !binary && e->ppid != RMI_PPID_STRING))
        return false; /* of no channel, or of a kind that nobody sends any more */
    if (ch->info.state == RMI_CHANNEL_CONNECTING && ch->open_sent) { /* unordered data overtook the answer */
        ch->acked = true;
        c->work = true;
    }
    ch->info.messages_in++;
    ch->info.bytes_in += empty ? 0 : e->len;
    *out = (struct rmi_channels_event){.type = RMI_CHANNELS_EV_MESSAGE,
                                       .channel = e->stream,
                                       .binary = binary,
                                       .data = e->data,
                                       .len = empty ? 0 : e->len};
    return true;
}

/* RFC 8831 6.7: a reset of one direction is answered with that of the other. */
static void on_reset_in(struct rmi_channels *c, int64_t now_us, uint16_t id) {
    struct channel *ch = c->at[id];
    if (!ch)
        return;
    ch->reset_in = c->work = true;
    if (ch->info.state < RMI_CHANNEL_CLOSING)
        set_state(c, id, RMI_CHANNEL_CLOSING, "closed by the peer");
    ask_reset(c, now_us, id);
    /* A peer that has seen our reset may use the id again before we know that it has: that waits. */
    if (!ch->reset_out)
        (void)rmi_sctp_pause_stream(c->a, id, true);
}

/* ---- events ---- */

/* One channel's next news, if it has any; what it still has to send goes first. */
static bool next_of(struct rmi_channels *c, int64_t now_us, uint16_t id, struct rmi_channels_event *out, bool *more) {
    struct channel *ch = c->at[id];
    *out = (struct rmi_channels_event){.channel = id};
    if (ch->info.by_peer && !ch->told_new) {
        ch->told_new = true;
        out->type = RMI_CHANNELS_EV_NEW;
        return true;
    }
    if (c->up && ch->ack_wanted && ch->info.state == RMI_CHANNEL_OPEN && !send_ack(c, now_us, id))
        *more = true;
    if (c->up && ch->info.state == RMI_CHANNEL_CONNECTING && !ch->open_sent && !ch->info.negotiated &&
        !send_open(c, now_us, id))
        *more = true;
    if (c->up && ch->info.state == RMI_CHANNEL_CONNECTING && ch->acked) {
        (void)rmi_sctp_set_weight(c->a, id, ch->info.priority);
        set_state(c, id, RMI_CHANNEL_OPEN, ch->info.negotiated ? "negotiated" : "acknowledged");
        out->type = RMI_CHANNELS_EV_OPEN;
        return true;
    }
    if (ch->info.state == RMI_CHANNEL_CLOSED || (ch->reset_in && ch->reset_out)) {
        out->type = RMI_CHANNELS_EV_CLOSED;
        out->err = ch->err;
        if (ch->info.state != RMI_CHANNEL_CLOSED)
            set_state(c, id, RMI_CHANNEL_CLOSED, "both directions are closed");
        free(ch);
        c->at[id] = NULL;
        return true;
    }
    return false;
}

static bool next_work(struct rmi_channels *c, int64_t now_us, struct rmi_channels_event *out) {
    bool more = false;
    if (!c->work)
        return false;
    for (uint16_t id = 0; id < RMI_SCTP_STREAMS; id++)
        if (c->at[id] && next_of(c, now_us, id, out, &more))
            return true;
    c->work = false; /* what waits for room is looked at again when there is some */
    rmi_sctp_flush(c->a, now_us);
    return false;
}

static bool on_event(struct rmi_channels *c, int64_t now_us, const struct rmi_sctp_event *e,
                     struct rmi_channels_event *out) {
    *out = (struct rmi_channels_event){.channel = e->stream, .err = e->err, .detail = e->detail};
    switch (e->type) {
    case RMI_SCTP_EV_CONNECTED:
        c->up = c->work = true;
        out->type = RMI_CHANNELS_EV_UP;
        return true;
    case RMI_SCTP_EV_MESSAGE:
        return on_message(c, now_us, e, out);
    case RMI_SCTP_EV_RESET_IN:
        on_reset_in(c, now_us, e->stream);
        return false;
    case RMI_SCTP_EV_RESET_OUT:
        if (c->at[e->stream] && c->at[e->stream]->reset_asked) {
            c->at[e->stream]->reset_out = true;
            (void)rmi_sctp_pause_stream(c->a, e->stream, false);
            if (e->err) /* the peer has no such stream open */
                c->at[e->stream]->reset_in = true;
            c->work = true;
        }
        return false;
    case RMI_SCTP_EV_BUFFERED_LOW:
        out->type = RMI_CHANNELS_EV_LOW;
        return c->at[e->stream] != NULL;
    case RMI_SCTP_EV_WRITABLE:
        c->work = true;
        out->type = RMI_CHANNELS_EV_WRITABLE;
        return true;
    case RMI_SCTP_EV_CLOSED:
    case RMI_SCTP_EV_FAILED:
        c->down = true;
        c->up = false;
        out->type = RMI_CHANNELS_EV_DOWN;
        return true;
    }
    return false;
}

bool rmi_channels_poll_event(struct rmi_channels *c, int64_t now_us, struct rmi_channels_event *out) {
    struct rmi_sctp_event e;
    if (next_work(c, now_us, out))
        return true;
    while (rmi_sctp_poll_event(c->a, &e)) {
        if (on_event(c, now_us, &e, out))
            return true;
        if (next_work(c, now_us, out))
            return true;
    }
    return false;
}
