/* SPDX-License-Identifier: Apache-2.0 */
/* Data channels between the endpoint and the application: what comes, opening, pictures. Sending is in data_queue.c. */
#include "webrtc/data_private.h"

#include "frame/utf8.h"
#include "webrtc/message.h"
#include "webrtc/webrtc_private.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define US_PER_MS 1000.0

_Static_assert(RM_CHANNELS_MAX == RMI_SCTP_STREAMS && RM_CHANNEL_TEXT_MAX == RMI_CHANNEL_TEXT_MAX, "public limits");
_Static_assert((int)RM_CHANNEL_CONNECTING == (int)RMI_CHANNEL_CONNECTING &&
                   (int)RM_CHANNEL_OPEN == (int)RMI_CHANNEL_OPEN &&
                   (int)RM_CHANNEL_CLOSING == (int)RMI_CHANNEL_CLOSING &&
                   (int)RM_CHANNEL_CLOSED == (int)RMI_CHANNEL_CLOSED,
               "rm_channel_state mirrors rmi_channel_state");

void rmi_data_emit(struct rmi_data_channel *c, rm_event_type type, rm_err err, const char *detail) {
    rm_event ev = {.type = type, .err = err, .channel = c->id};
    snprintf(ev.peer_id, sizeof ev.peer_id, "%s", c->peer->id);
    snprintf(ev.detail, sizeof ev.detail, "%s", detail);
    rmi_webrtc_emit(c->peer->data->t, &ev);
}

/* ---- channels come and go ---- */

/* Those of the label, or those for what has none. */
static void find_hooks(struct rmi_data_channel *c) {
    const struct rmi_data *d = c->peer->data;
    for (size_t i = 0; i < d->hook_count; i++)
        if (d->hooks[i].label && !strcmp(d->hooks[i].label, c->label))
            c->hooks[c->hook_count++] = &d->hooks[i];
    for (size_t i = 0; i < d->hook_count && (c->hook_count == 0 || !c->hooks[0]->label); i++)
        if (!d->hooks[i].label)
            c->hooks[c->hook_count++] = &d->hooks[i];
}

/* The label as a text for everybody: what the peer sends may hold NULs, which would make it look like another one, and
 * need not be UTF-8. */
static void copy_label(const struct rmi_channel_info *info, char *out) {
    const bool utf8 = rmi_utf8_valid(info->label, info->label_len);
    for (size_t i = 0; i < info->label_len; i++) {
        const unsigned char c = (unsigned char)info->label[i];
        out[i] = c < ' ' || c == 0x7f || (c > 0x7f && !utf8) ? '?' : (char)c;
    }
    out[info->label_len] = '\0';
}

static struct rmi_data_channel *add_channel(struct rmi_data_peer *p, uint16_t id, const struct rmi_channel_info *info) {
    struct rmi_data_channel *c = calloc(1, sizeof *c + info->label_len + 1);
    if (!c)
        return NULL;
    c->peer = p;
    c->id = id;
    copy_label(info, c->label);
    c->is_control = !strcmp(c->label, RMI_EP_CHANNEL);
    c->lifetime_ms = info->limit_lifetime ? info->max_lifetime_ms : RMI_DATA_FOR_EVER;
    c->low = c->threshold = RMI_DATA_NO_LOW;
    (void)rmi_channels_set_low(p->channels, id, c->threshold);
    rmi_list_init(&c->queue);
    find_hooks(c);
    pthread_mutex_lock(&p->data->mutex);
    p->at[id] = c;
    pthread_mutex_unlock(&p->data->mutex);
    return c;
}

/* Messages go out on "control", on any other until it is there. */
static void choose_main(struct rmi_data_peer *p) {
    p->main = NULL;
    for (size_t i = 0; i < RMI_SCTP_STREAMS; i++) {
        struct rmi_data_channel *c = p->at[i];
        if (!c || !c->told_open || c->closing)
            continue;
        if (!p->main || c->is_control)
            p->main = c;
        if (c->is_control)
            return;
    }
}

/* Out of the table, so that nobody finds it, then told: the end of it, and what was not sent. */
static void end_channel(struct rmi_data_channel *c, rm_err err, const char *why) {
    struct rmi_data_peer *p = c->peer;
    struct rmi_data *d = p->data;
    char detail[RM_DETAIL_MAX];
    pthread_mutex_lock(&d->mutex);
    p->at[c->id] = NULL;
    rmi_list_remove(&c->ready);
    if (p->main == c)
        choose_main(p);
    const size_t count = c->queued_count, bytes = c->queued_bytes;
    pthread_mutex_unlock(&d->mutex);
    if (count > 0 && !err)
        err = RM_E_CLOSED;
    if (count > 0)
        snprintf(detail, sizeof detail, "%.120s; %zu messages (%zu bytes) were not sent", why, count, bytes);
    else
        snprintf(detail, sizeof detail, "%s", err ? why : "");
    for (size_t i = 0; i < c->hook_count && c->told_open; i++)
        if (c->hooks[i]->closed)
            c->hooks[i]->closed(c->hooks[i]->ctx, p->id, c->id);
    rmi_data_emit(c, RM_EV_CHANNEL_CLOSED, err, detail);
    rmi_data_drop_queue(c);
    free(c);
}

static void on_open(struct rmi_data_peer *p, uint16_t id) {
    struct rmi_channel_info info;
    if (rmi_channels_get(p->channels, id, &info))
        return;
    struct rmi_data_channel *c = p->at[id] ? p->at[id] : add_channel(p, id, &info);
    if (!c) {
        rmi_log(p->data->t->log, RMI_LOG_APP, RM_LOG_ERROR, "peer=%s channel %u closed: no memory", p->id, id);
        (void)rmi_channels_close(p->channels, rmi_now_us(), id);
        return;
    }
    pthread_mutex_lock(&p->data->mutex);
    c->told_open = true;
    choose_main(p);
    if (c->queued_count > 0 || c->closing)
        rmi_data_ask(c);
    pthread_mutex_unlock(&p->data->mutex);
    for (size_t i = 0; i < c->hook_count; i++)
        if (c->hooks[i]->open)
            c->hooks[i]->open(c->hooks[i]->ctx, p->id, id, c->label, info.protocol);
    rmi_data_emit(c, RM_EV_CHANNEL, RM_OK, c->label);
}

/* The association has room, or is there at last. */
static void on_room(struct rmi_data_peer *p) {
    pthread_mutex_lock(&p->data->mutex);
    for (size_t i = 0; i < RMI_SCTP_STREAMS; i++)
        if (p->at[i] && (p->at[i]->queued_count > 0 || p->at[i]->closing))
            rmi_data_ask(p->at[i]);
    pthread_mutex_unlock(&p->data->mutex);
}

static void on_low(struct rmi_data_channel *c) {
    pthread_mutex_lock(&c->peer->data->mutex);
    rmi_data_ask(c);
    pthread_mutex_unlock(&c->peer->data->mutex);
}

/* ---- messages in ---- */

static bool is_over(const struct rmi_data *d) {
    return atomic_load(&d->t->destroying);
}

static void on_message(struct rmi_data_channel *c, const struct rmi_channels_event *ev) {
    struct rm_webrtc *t = c->peer->data->t;
    const rm_webrtc_config *config = &t->config;
    const char *peer_id = c->peer->id;
    for (size_t i = 0; i < c->hook_count; i++)
        if (c->hooks[i]->data && c->hooks[i]->data(c->hooks[i]->ctx, peer_id, c->id, ev->binary, ev->data, ev->len))
            return;
    if (config->on_channel_data && !c->is_control) {
        config->on_channel_data(peer_id, c->id, c->label, ev->binary, ev->data, ev->len, config->user);
        return;
    }
    bool wanted = config->on_message != NULL;
    for (size_t i = 0; i < c->hook_count; i++)
        wanted = wanted || c->hooks[i]->message;
    if (!wanted)
        return;
    rm_runtime_data *message = NULL;
    const rm_err err = rmi_message_read(ev->binary, ev->data, ev->len, &message);
    if (err) {
        rmi_log(t->log, RMI_LOG_APP, RM_LOG_WARN, "peer=%s channel=%s message of %zu bytes dropped: %s", peer_id,
                c->label, ev->len, rm_strerror(err));
        return;
    }
    bool taken = false;
    for (size_t i = 0; i < c->hook_count && !taken; i++)
        taken = c->hooks[i]->message && c->hooks[i]->message(c->hooks[i]->ctx, peer_id, c->id, message);
    if (!taken && config->on_message && !is_over(c->peer->data))
        config->on_message(peer_id, c->label, message, config->user);
    rm_runtime_data_unref(&message);
}

/* ---- the endpoint ---- */

static void *peer_up(void *ctx, const char *peer_id, struct rmi_channels *channels, size_t message_max) {
    struct rmi_data *d = ctx;
    struct rmi_data_peer *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->data = d;
    snprintf(p->id, sizeof p->id, "%s", peer_id);
    p->channels = channels;
    p->message_max = message_max < RM_MESSAGE_BYTES_MAX ? message_max : RM_MESSAGE_BYTES_MAX;
    pthread_mutex_lock(&d->mutex);
    rmi_list_push_back(&d->peers, &p->node);
    pthread_mutex_unlock(&d->mutex);
    return p;
}

static void end_all(struct rmi_data_peer *p, rm_err err, const char *why) {
    for (uint16_t id = 0; id < RMI_SCTP_STREAMS; id++)
        if (p->at[id])
            end_channel(p->at[id], err, why);
}

static void peer_down(void *ctx, void *peer) {
    struct rmi_data *d = ctx;
    struct rmi_data_peer *p = peer;
    pthread_mutex_lock(&d->mutex);
    rmi_list_remove(&p->node);
    pthread_mutex_unlock(&d->mutex);
    end_all(p, RM_E_CLOSED, "the connection has ended");
    free(p);
}

static void on_event(void *ctx, void *peer, const struct rmi_channels_event *ev) {
    struct rmi_data_peer *p = peer;
    (void)ctx;
    if (is_over(p->data) && ev->type == RMI_CHANNELS_EV_MESSAGE)
        return;
    switch (ev->type) {
    case RMI_CHANNELS_EV_NEW:
    case RMI_CHANNELS_EV_OPEN:
        on_open(p, ev->channel);
        break;
    case RMI_CHANNELS_EV_MESSAGE:
        if (!p->at[ev->channel]) /* sent without order, it can come before the answer to our opening */
            on_open(p, ev->channel);
        if (p->at[ev->channel])
            on_message(p->at[ev->channel], ev);
        break;
    case RMI_CHANNELS_EV_CLOSED:
        if (p->at[ev->channel])
            end_channel(p->at[ev->channel], ev->err,
                        ev->err ? "the channel could not be opened" : "the peer has closed the channel");
        break;
    case RMI_CHANNELS_EV_LOW:
        if (p->at[ev->channel])
            on_low(p->at[ev->channel]);
        break;
    case RMI_CHANNELS_EV_UP:
    case RMI_CHANNELS_EV_WRITABLE:
        on_room(p);
        break;
    case RMI_CHANNELS_EV_DOWN:
        end_all(p, ev->err ? ev->err : RM_E_CLOSED, ev->detail ? ev->detail : "the data channels were shut down");
        break;
    }
}

struct rmi_endpoint_data_ops rmi_data_ops(struct rmi_data *d) {
    return (struct rmi_endpoint_data_ops){.peer_up = peer_up, .event = on_event, .peer_down = peer_down, .ctx = d};
}

/* ---- life ---- */

static void run_job(void *ctx) {
    struct rmi_data *d = ctx;
    rmi_webrtc_after(d->t); /* which runs what was asked for */
}

rm_err rmi_data_create(struct rm_webrtc *t, struct rmi_data **out) {
    struct rmi_data *d = calloc(1, sizeof *d);
    if (!d)
        return RM_E_NO_MEMORY;
    d->t = t;
    d->job = (struct rmi_job){.fn = run_job, .ctx = d};
    rmi_list_init(&d->peers);
    rmi_list_init(&d->ready);
    pthread_mutex_init(&d->mutex, NULL);
    *out = d;
    return RM_OK;
}

void rmi_data_destroy(struct rmi_data **data) {
    if (!*data)
        return;
    pthread_mutex_destroy(&(*data)->mutex);
    free(*data);
    *data = NULL;
}

static void set_running(struct rmi_data *d, bool running) {
    pthread_mutex_lock(&d->mutex);
    d->running = running;
    pthread_mutex_unlock(&d->mutex);
}

void rmi_data_start(struct rmi_data *d) {
    set_running(d, true);
}

void rmi_data_stop(struct rmi_data *d) {
    set_running(d, false);
}

rm_err rmi_webrtc_hook_channels(struct rm_webrtc *t, const struct rmi_channel_hook *hook) {
    struct rmi_data *d = t->data;
    if (d->hook_count == RMI_CHANNEL_HOOKS_MAX)
        return RM_E_LIMIT;
    d->hooks[d->hook_count++] = *hook;
    return RM_OK;
}

/* ---- questions to the network thread ---- */

struct question {
    struct rmi_data *d;
    const char *peer_id;
    uint16_t channel;
    rm_err err;
    rmi_loop_fn answer;
    void *result;
    size_t cap, count;
};

static void find_and_answer(void *ctx) {
    struct question *q = ctx;
    if (rmi_data_find(q->d, q->peer_id)) /* no other thread changes what it looks at */
        q->answer(q);
    else
        q->err = RM_E_NOT_FOUND;
}

static rm_err ask(rm_webrtc *t, struct question *q) {
    if (!t || !q->peer_id || !q->result)
        return RM_E_INVALID_ARG;
    if (!t->config.enable_data_channel)
        return RM_E_UNSUPPORTED;
    q->d = t->data;
    const rm_err err = rmi_webrtc_call(t, find_and_answer, q);
    return err ? err : q->err;
}

static int32_t or_minus_one(bool set, uint16_t value) {
    return set ? value : -1;
}

/* UTF-8 is checked by the byte only: what is shown is for people. */
static void show(const char *text, size_t len, char out[RM_DETAIL_MAX]) {
    const size_t n = len < RM_DETAIL_MAX - 1 ? len : RM_DETAIL_MAX - 1;
    for (size_t i = 0; i < n; i++)
        out[i] = (char)(((unsigned char)text[i] < ' ' || text[i] == 0x7f) ? '?' : text[i]);
    out[n] = '\0';
}

static void fill_info(const struct rmi_data_channel *c, const struct rmi_channel_info *in, rm_channel_info *out) {
    *out = (rm_channel_info){.id = c->id,
                             .state = c->closing ? RM_CHANNEL_CLOSING : (rm_channel_state)in->state,
                             .unordered = in->unordered,
                             .negotiated = in->negotiated,
                             .by_peer = in->by_peer,
                             .paused = c->paused,
                             .max_retransmits = or_minus_one(in->limit_retransmits, in->max_retransmits),
                             .max_lifetime_ms = or_minus_one(in->limit_lifetime, in->max_lifetime_ms),
                             .priority = in->priority,
                             .messages_in = in->messages_in,
                             .messages_out = in->messages_out,
                             .bytes_in = in->bytes_in,
                             .bytes_out = in->bytes_out,
                             .expired = c->expired,
                             .queued_messages = c->queued_count,
                             .queued_bytes = c->queued_bytes};
    show(in->label, in->label_len, out->label);
    show(in->protocol, in->protocol_len, out->protocol);
}

static void list_channels(void *ctx) {
    struct question *q = ctx;
    const struct rmi_data_peer *p = rmi_data_find(q->d, q->peer_id);
    rm_channel_info *out = q->result;
    struct rmi_channel_info info;
    pthread_mutex_lock(&q->d->mutex);
    for (uint16_t id = 0; id < RMI_SCTP_STREAMS; id++) {
        if (!p->at[id] || rmi_channels_get(p->channels, id, &info))
            continue;
        if (q->count < q->cap)
            fill_info(p->at[id], &info, &out[q->count]);
        q->count++;
    }
    pthread_mutex_unlock(&q->d->mutex);
}

rm_err rm_webrtc_channels(rm_webrtc *t, const char *peer_id, rm_channel_info *out, size_t cap, size_t *count) {
    rm_channel_info none;
    if (!count || (cap > 0 && !out))
        return RM_E_INVALID_ARG;
    struct question q = {.peer_id = peer_id, .answer = list_channels, .result = cap > 0 ? out : &none, .cap = cap};
    const rm_err err = ask(t, &q);
    if (!err)
        *count = q.count;
    return err;
}

static void take_stats(void *ctx) {
    struct question *q = ctx;
    const struct rmi_data_peer *p = rmi_data_find(q->d, q->peer_id);
    struct rmi_sctp_stats s;
    rmi_channels_stats(p->channels, &s);
    *(rm_data_stats *)q->result = (rm_data_stats){.rtt_ms = (double)s.srtt_us / US_PER_MS,
                                                  .min_rtt_ms = (double)s.min_rtt_us / US_PER_MS,
                                                  .rto_ms = (double)s.rto_us / US_PER_MS,
                                                  .packets_in = s.packets_in,
                                                  .packets_out = s.packets_out,
                                                  .bytes_in = s.bytes_in,
                                                  .bytes_out = s.bytes_out,
                                                  .messages_in = s.messages_in,
                                                  .messages_out = s.messages_out,
                                                  .payload_in = s.payload_in,
                                                  .payload_out = s.payload_out,
                                                  .retransmissions = s.retransmissions,
                                                  .timeouts = s.timeouts,
                                                  .abandoned = s.abandoned,
                                                  .dropped = s.drops,
                                                  .congestion_window = s.cwnd,
                                                  .in_flight = s.in_flight,
                                                  .peer_window = s.peer_window,
                                                  .pacing_bytes_per_s = s.pacing_bytes_per_s,
                                                  .buffered = s.buffered,
                                                  .receive_held = s.recv_held,
                                                  .message_max = p->message_max,
                                                  .connected = rmi_channels_up(p->channels),
                                                  .interleaving = s.interleaving,
                                                  .zero_checksum = s.zero_checksum_out,
                                                  .partial_reliability = s.partial_reliability,
                                                  .stream_reset = s.stream_reset};
}

rm_err rm_webrtc_data_stats(rm_webrtc *t, const char *peer_id, rm_data_stats *out) {
    struct question q = {.peer_id = peer_id, .answer = take_stats, .result = out};
    return ask(t, &q);
}

static void count_buffered(void *ctx) {
    struct question *q = ctx;
    const struct rmi_data_peer *p = rmi_data_find(q->d, q->peer_id);
    if (q->channel >= RMI_SCTP_STREAMS || !p->at[q->channel]) {
        q->err = RM_E_NOT_FOUND;
        return;
    }
    pthread_mutex_lock(&q->d->mutex);
    *(size_t *)q->result = p->at[q->channel]->queued_bytes + rmi_channels_buffered(p->channels, q->channel);
    pthread_mutex_unlock(&q->d->mutex);
}

rm_err rm_webrtc_channel_buffered(rm_webrtc *t, const char *peer_id, uint16_t channel, size_t *bytes) {
    struct question q = {.peer_id = peer_id, .channel = channel, .answer = count_buffered, .result = bytes};
    return ask(t, &q);
}

/* ---- opening ---- */

void rm_channel_options_init(rm_channel_options *o) {
    *o = (rm_channel_options){.struct_size = (uint32_t)sizeof *o,
                              .label = "",
                              .protocol = "",
                              .max_retransmits = -1,
                              .max_lifetime_ms = -1,
                              .priority = RM_CHANNEL_PRIORITY_LOW};
}

const char *rm_channel_state_name(rm_channel_state state) {
    static const char *const names[] = {"connecting", "open", "closing", "closed"};
    return (unsigned)state < sizeof names / sizeof names[0] ? names[state] : "?";
}

struct opening {
    const rm_channel_options *options;
    uint16_t id;
};

static bool options_fit(const rm_channel_options *o) {
    const int32_t priority = (int32_t)o->priority;
    return o->struct_size == sizeof *o && o->max_retransmits >= -1 && o->max_retransmits <= UINT16_MAX &&
           o->max_lifetime_ms >= -1 && o->max_lifetime_ms <= UINT16_MAX &&
           (o->max_retransmits < 0 || o->max_lifetime_ms < 0) && priority > 0 && priority <= UINT16_MAX &&
           (!o->negotiated || o->id < RM_CHANNELS_MAX);
}

static void open_channel(void *ctx) {
    struct question *q = ctx;
    struct opening *opening = q->result;
    const rm_channel_options *o = opening->options;
    struct rmi_data_peer *p = rmi_data_find(q->d, q->peer_id);
    const struct rmi_channel_options in = {
        .label = o->label,
        .protocol = o->protocol,
        .unordered = o->unordered,
        .limit_retransmits = o->max_retransmits >= 0,
        .max_retransmits = (uint16_t)(o->max_retransmits < 0 ? 0 : o->max_retransmits),
        .limit_lifetime = o->max_lifetime_ms >= 0,
        .max_lifetime_ms = (uint16_t)(o->max_lifetime_ms < 0 ? 0 : o->max_lifetime_ms),
        .priority = (uint16_t)o->priority,
        .negotiated = o->negotiated,
        .id = o->negotiated ? o->id : RMI_CHANNEL_ANY};
    struct rmi_channel_info info;
    q->err = rmi_channels_open(p->channels, rmi_now_us(), &in, &opening->id);
    if (q->err || rmi_channels_get(p->channels, opening->id, &info))
        return;
    struct rmi_data_channel *c = add_channel(p, opening->id, &info);
    if (!c) {
        (void)rmi_channels_close(p->channels, rmi_now_us(), opening->id);
        q->err = RM_E_NO_MEMORY;
        return;
    }
    pthread_mutex_lock(&q->d->mutex);
    rmi_data_ask(c); /* its opening is sent */
    pthread_mutex_unlock(&q->d->mutex);
}

rm_err rm_webrtc_open_channel(rm_webrtc *t, const char *peer_id, const rm_channel_options *options, uint16_t *id) {
    if (!options || !id || !options_fit(options))
        return RM_E_INVALID_ARG;
    struct opening opening = {.options = options};
    struct question q = {.peer_id = peer_id, .answer = open_channel, .result = &opening};
    const rm_err err = ask(t, &q);
    if (!err)
        *id = opening.id;
    return err;
}
