/* SPDX-License-Identifier: Apache-2.0 */
/* The network thread: real sockets, signaling and name lookups around one endpoint. */
#include "webrtc/webrtc_private.h"

#include "base/time.h"
#include "io/random.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOKUP_TIMEOUT_US RMI_SEC(5)
#define SIGNALING_MAX_MESSAGE ((size_t)256 * 1024) /* the protocol's limit (remotemedia signaling) */

static void on_timer(void *ctx, int64_t now_us) {
    struct rm_webrtc *t = ctx;
    rmi_endpoint_timeout(t->ep, now_us);
    rmi_webrtc_after(t);
}

void rmi_webrtc_after(struct rm_webrtc *t) {
    rmi_data_run(t->data);
    rmi_webrtc_drain_events(t);
    rmi_timer_set_at(t->timer, rmi_endpoint_next_deadline(t->ep));
}

/* ---- datagrams ---- */

static void send_as(struct rm_webrtc *t, rmi_base_id base, const struct rmi_addr *to, const uint8_t *data, size_t len,
                    enum rmi_ecn ecn) {
    for (size_t i = 0; i < RMI_WEBRTC_SOCKETS_MAX; i++)
        if (t->sockets[i].udp && t->sockets[i].base == base) {
            rmi_udp_send_marked(t->sockets[i].udp, to, data, len, ecn); /* refusals are counted there; ICE notices */
            return;
        }
}

static void sink_send(void *ctx, rmi_base_id base, const struct rmi_addr *to, uint8_t *data, size_t len) {
    send_as(ctx, base, to, data, len, RMI_ECN_NOT_ECT);
}

static void sink_send_ect(void *ctx, rmi_base_id base, const struct rmi_addr *to, uint8_t *data, size_t len) {
    send_as(ctx, base, to, data, len, RMI_ECN_ECT0);
}

static void on_datagram(void *ctx, int64_t now_us, const struct rmi_addr *from, uint8_t *data, size_t len) {
    struct rmi_webrtc_socket *s = ctx;
    rmi_endpoint_batch_begin(s->owner->ep);
    rmi_endpoint_datagram(s->owner->ep, now_us, s->base, from, rmi_udp_received_ecn(s->udp), data, len);
}

static void on_batch(void *ctx, int64_t now_us) {
    struct rmi_webrtc_socket *s = ctx;
    rmi_endpoint_batch_end(s->owner->ep, now_us);
    rmi_webrtc_after(s->owner);
}

static bool has_socket(const struct rm_webrtc *t, const struct rmi_addr *ip) {
    for (size_t i = 0; i < RMI_WEBRTC_SOCKETS_MAX; i++)
        if (t->sockets[i].udp && rmi_addr_equal_ip(&t->sockets[i].ip, ip))
            return true;
    return false;
}

static rm_err open_socket(struct rm_webrtc *t, const struct rmi_addr *ip, uint16_t prefer) {
    struct rmi_webrtc_socket *s = NULL;
    for (size_t i = 0; i < RMI_WEBRTC_SOCKETS_MAX && !s; i++)
        if (!t->sockets[i].udp)
            s = &t->sockets[i];
    if (!s)
        return RM_E_LIMIT;
    struct rmi_addr bind = *ip;
    bind.port = 0;
    s->owner = t;
    s->ip = bind;
    rm_err err = rmi_udp_open(t->loop, &bind, on_datagram, s, &s->udp);
    if (err)
        return err;
    rmi_udp_on_batch(s->udp, on_batch);
    if (t->config.enable_ecn) /* where this fails we report no marks, and the remote does without */
        (void)rmi_udp_read_ecn(s->udp, true);
    s->base = ++t->next_base;
    err = rmi_endpoint_add_host(t->ep, rmi_now_us(), s->base, rmi_udp_local_addr(s->udp), prefer);
    if (err)
        rmi_udp_close(&s->udp);
    return err;
}

static bool signaling_is_local(const struct rm_webrtc *t) {
    if (t->serve)
        return true; /* clients on this host, too */
    const char *host = strstr(t->config.signaling_url, "://") + 3;
    return !strncmp(host, "127.", 4) || !strncmp(host, "localhost", 9) || !strncmp(host, "[::1]", 5);
}

/* Loopback is a path only to peers on this host: used when signaling is here too, when asked for, or when there is
 * nothing else. */
static bool wanted(const struct rm_webrtc *t, const struct rmi_interface *i, bool only_loopback) {
    struct rmi_addr bind;
    if (t->config.bind_address)
        return !rmi_addr_parse(t->config.bind_address, 0, &bind) && rmi_addr_equal_ip(&bind, &i->addr);
    return !i->is_loopback || only_loopback || signaling_is_local(t);
}

static size_t list_wanted(const struct rm_webrtc *t, struct rmi_interface *out, size_t cap) {
    size_t n = 0, kept = 0;
    if (rmi_interfaces_list(out, cap, &n))
        return 0;
    bool only_loopback = true;
    for (size_t i = 0; i < n; i++)
        only_loopback = only_loopback && out[i].is_loopback;
    for (size_t i = 0; i < n; i++)
        if (wanted(t, &out[i], only_loopback))
            out[kept++] = out[i];
    return kept;
}

static size_t open_sockets(struct rm_webrtc *t) {
    struct rmi_interface list[RMI_WEBRTC_SOCKETS_MAX];
    size_t n = list_wanted(t, list, RMI_WEBRTC_SOCKETS_MAX), opened = 0;
    for (size_t i = 0; i < n; i++) {
        if (has_socket(t, &list[i].addr))
            continue;
        char text[RMI_ADDR_TEXT_MAX];
        rm_err err = open_socket(t, &list[i].addr, list[i].prefer);
        if (err)
            rmi_log(t->log, RMI_LOG_IO, RM_LOG_WARN, "no socket on %s (%s): %s", rmi_addr_ip_text(&list[i].addr, text),
                    list[i].name, rm_strerror(err));
        else
            opened++;
    }
    return opened;
}

/* Its packets have no way any more, and nothing tells so for minutes. */
static bool signaling_lost_its_address(const struct rm_webrtc *t) {
    struct rmi_interface list[RMI_WEBRTC_SOCKETS_MAX];
    struct rmi_addr local;
    size_t n = 0;
    if (!t->ws || !rmi_ws_local_addr(t->ws, &local) || rmi_interfaces_list(list, RMI_WEBRTC_SOCKETS_MAX, &n))
        return false;
    for (size_t i = 0; i < n; i++)
        if (rmi_addr_equal_ip(&list[i].addr, &local))
            return false;
    return n < RMI_WEBRTC_SOCKETS_MAX; /* else the list may not be all */
}

static void on_interfaces_changed(void *ctx) {
    struct rm_webrtc *t = ctx;
    struct rmi_interface list[RMI_WEBRTC_SOCKETS_MAX];
    size_t n = list_wanted(t, list, RMI_WEBRTC_SOCKETS_MAX);
    for (size_t i = 0; i < RMI_WEBRTC_SOCKETS_MAX; i++) {
        struct rmi_webrtc_socket *s = &t->sockets[i];
        bool kept = !s->udp;
        for (size_t k = 0; k < n && !kept; k++)
            kept = rmi_addr_equal_ip(&s->ip, &list[k].addr);
        if (kept)
            continue;
        rmi_endpoint_remove_host(t->ep, rmi_now_us(), s->base);
        rmi_udp_close(&s->udp);
    }
    open_sockets(t);
    rmi_endpoint_network_changed(t->ep, rmi_now_us(), signaling_lost_its_address(t));
    rmi_webrtc_after(t);
}

/* ---- names ---- */

static void lookup_done(struct rmi_webrtc_lookup *l, const struct rmi_addr *addrs, size_t n) {
    struct rm_webrtc *t = l->owner;
    bool seen[2] = {false, false}; /* one address of each family */
    for (size_t i = 0; i < n && l->kind != RMI_LOOKUP_CANDIDATE; i++) {
        bool *family = &seen[addrs[i].family == 6];
        if (*family)
            continue;
        *family = true;
        if (l->kind == RMI_LOOKUP_STUN) {
            rmi_endpoint_add_stun(t->ep, &addrs[i]);
        } else {
            struct rmi_turn_server turn = {.addr = addrs[i]};
            snprintf(turn.username, sizeof turn.username, "%s", l->server.username);
            snprintf(turn.password, sizeof turn.password, "%s", l->server.password);
            rmi_endpoint_add_turn(t->ep, &turn);
        }
    }
    if (l->kind == RMI_LOOKUP_CANDIDATE) {
        rmi_endpoint_resolved(t->ep, rmi_now_us(), l->peer_id, l->resolve_id, n ? &addrs[0] : NULL);
    } else {
        if (!n) {
            rm_event ev = {.type = RM_EV_ERROR, .err = RM_E_RESOLVE};
            snprintf(ev.detail, sizeof ev.detail, "%s server %.200s could not be resolved",
                     l->kind == RMI_LOOKUP_STUN ? "STUN" : "TURN", l->server.host);
            rmi_webrtc_emit(t, &ev);
        }
        rmi_endpoint_release_gathering(t->ep, rmi_now_us());
    }
    rmi_list_remove(&l->node);
    free(l);
    rmi_webrtc_after(t);
}

static void on_resolved(void *ctx, rm_err err, const struct rmi_addr *addrs, size_t n) {
    lookup_done(ctx, addrs, err ? 0 : n);
}

static void on_lookup_failed(void *ctx) { /* posted: the endpoint must not be called from inside its own callback */
    lookup_done(ctx, NULL, 0);
}

static void start_lookup(struct rmi_webrtc_lookup *l, const char *host, uint16_t port) {
    rmi_list_push_back(&l->owner->lookups, &l->node);
    if (rmi_resolve(l->owner->loop, host, port, 0, on_resolved, l, LOOKUP_TIMEOUT_US, &l->handle))
        rmi_loop_post(l->owner->loop, on_lookup_failed, l);
}

static void lookup_server(struct rm_webrtc *t, enum rmi_lookup_kind kind, const char *url, const rm_turn_server *turn) {
    struct rmi_webrtc_lookup *l = calloc(1, sizeof *l);
    rm_err err = !l                        ? RM_E_NO_MEMORY
                 : kind == RMI_LOOKUP_STUN ? rmi_stun_url_parse(url, &l->server)
                                           : rmi_turn_url_parse(url, &l->server);
    if (err) { /* config_check has parsed it before: only memory can be short */
        rmi_log(t->log, RMI_LOG_APP, RM_LOG_ERROR, "server skipped: %s", rm_strerror(err));
        free(l);
        return;
    }
    l->owner = t;
    l->kind = kind;
    if (turn && turn->username)
        snprintf(l->server.username, sizeof l->server.username, "%s", turn->username);
    if (turn && turn->credential)
        snprintf(l->server.password, sizeof l->server.password, "%s", turn->credential);
    rmi_endpoint_hold_gathering(t->ep);
    start_lookup(l, l->server.host, l->server.port);
}

static void io_resolve(void *ctx, const char *hostname, const char *peer_id, uint32_t resolve_id) {
    struct rm_webrtc *t = ctx;
    struct rmi_webrtc_lookup *l = calloc(1, sizeof *l);
    if (!l)
        return; /* the candidate stays unresolved, which skips it */
    l->owner = t;
    l->kind = RMI_LOOKUP_CANDIDATE;
    l->resolve_id = resolve_id;
    snprintf(l->peer_id, sizeof l->peer_id, "%s", peer_id);
    snprintf(l->hostname, sizeof l->hostname, "%s", hostname);
    start_lookup(l, l->hostname, 0);
}

/* ---- signaling socket ---- */

static void on_ws_open(void *ctx) {
    struct rm_webrtc *t = ctx;
    rmi_endpoint_signaling_up(t->ep, rmi_now_us());
    rmi_webrtc_after(t);
}

static void on_ws_text(void *ctx, const char *text, size_t len) {
    struct rm_webrtc *t = ctx;
    rmi_endpoint_signaling_text(t->ep, rmi_now_us(), text, len);
    rmi_webrtc_after(t);
}

static void on_ws_close(void *ctx, rm_err why, const char *detail) {
    struct rm_webrtc *t = ctx;
    rmi_ws_close(&t->ws);
    rmi_endpoint_signaling_down(t->ep, rmi_now_us(), why ? why : RM_E_SIGNALING, detail);
    rmi_webrtc_after(t);
}

static void on_ws_refused(void *ctx) {
    struct rm_webrtc *t = ctx;
    rmi_endpoint_signaling_down(t->ep, rmi_now_us(), RM_E_SIGNALING,
                                "the connection could not be started; is the URL right?");
    rmi_webrtc_after(t);
}

static void io_socket_open(void *ctx) {
    struct rm_webrtc *t = ctx;
    if (t->serve) {
        rmi_serve_socket_open(t->serve);
        return;
    }
    struct rmi_ws_config wc = {
        .url = t->config.signaling_url,
        .ca_file = t->config.ca_file,
        .max_message = SIGNALING_MAX_MESSAGE,
        .log = t->log,
        .cb = {.ctx = t, .on_open = on_ws_open, .on_text = on_ws_text, .on_close = on_ws_close},
    };
    rmi_ws_close(&t->ws);
    if (rmi_ws_connect(t->loop, &wc, &t->ws))
        rmi_loop_post(t->loop, on_ws_refused, t);
}

static void io_socket_close(void *ctx) {
    struct rm_webrtc *t = ctx;
    if (t->serve)
        rmi_serve_socket_close(t->serve);
    rmi_ws_close(&t->ws);
}

static void io_socket_send(void *ctx, const char *text, size_t len) {
    struct rm_webrtc *t = ctx;
    if (t->serve)
        rmi_serve_socket_send(t->serve, text, len);
    else if (t->ws)
        rmi_ws_send(t->ws, text, len); /* a dying socket says so by on_close, and signaling begins anew */
}

/* ---- life ---- */

static struct rmi_dtls_cert *io_new_cert(void *ctx) {
    struct rm_webrtc *t = ctx;
    struct rmi_dtls_cert *cert = NULL;
    rm_err err = rmi_dtls_cert_create((int64_t)time(NULL), &cert);
    if (err)
        rmi_log(t->log, RMI_LOG_DTLS, RM_LOG_ERROR, "no certificate: %s", rm_strerror(err));
    return cert;
}

/* From the monotonic clock to the time of day. */
static int64_t unix_offset_us(void) {
    struct timespec ts = {0};
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * RMI_SEC(1) + ts.tv_nsec / 1000 - rmi_now_us();
}

static rm_err create_endpoint(struct rm_webrtc *t) {
    static const enum rmi_jsep_codec_id codecs[] = {
        [RM_VIDEO_VP9] = RMI_JSEP_VP9, [RM_VIDEO_VP8] = RMI_JSEP_VP8, [RM_VIDEO_H264] = RMI_JSEP_H264};
    struct rmi_dtls_cert *cert = io_new_cert(t);
    if (!cert)
        return RM_E_INTERNAL;
    struct rmi_endpoint_config ec = {
        .rng = rmi_system_rng(),
        .log = t->log,
        .io = {.sink = {.send = sink_send, .ctx = t, .send_ect = t->config.enable_ecn ? sink_send_ect : NULL},
               .socket_open = io_socket_open,
               .socket_close = io_socket_close,
               .socket_send = io_socket_send,
               .resolve = io_resolve,
               .new_cert = t->config.certificate_per_peer ? io_new_cert : NULL,
               .ctx = t},
        .cert = cert,
        .peer_id = t->peer_id,
        .room = t->config.room,
        .token = t->config.token,
        .max_peers = t->config.max_peers,
        .allowed = t->config.allowed_peers,
        .denied = t->config.denied_peers,
        .auto_connect = t->config.auto_connect,
        .relay_only = t->config.relay_only,
        .audio = t->config.enable_audio,
        .video = t->config.enable_video,
        .data = t->config.enable_data_channel,
        .video_first = codecs[t->config.video_codec],
        .liveness_us = RMI_MS(t->config.liveness_ms),
        .ice_timeout_us = RMI_MS(t->config.ice_timeout_ms),
        .reconnect = {.max_retries = t->config.max_reconnect_retries,
                      .initial_us = RMI_MS(t->config.reconnect_backoff_initial_ms),
                      .max_us = RMI_MS(t->config.reconnect_backoff_max_ms),
                      .multiplier = t->config.reconnect_backoff_multiplier},
        .media = rmi_media_ops(t->media),
        .channels = t->config.enable_data_channel ? rmi_data_ops(t->data) : (struct rmi_endpoint_data_ops){0},
        .channels_unreliable = t->config.data_channel_mode == RM_DATA_CHANNEL_UNRELIABLE,
        .sound_wait_us = RMI_MS(t->config.jitter_buffer_size_ms),
        .rates = rmi_media_limits(&t->config),
        .weight = t->config.media_weight_percent / 100.0,
        .ecn = t->config.enable_ecn,
        .rtcp_reports = t->config.enable_rtcp,
        .rtcp_interval_us = RMI_MS(t->config.rtcp_interval_ms),
        .unix_offset_us = unix_offset_us(),
    };
    rm_err err = rmi_endpoint_create(&ec, rmi_now_us(), &t->ep);
    rmi_dtls_cert_unref(&cert);
    return err;
}

rm_err rmi_webrtc_net_open(struct rm_webrtc *t) {
    rmi_list_init(&t->lookups);
    rm_err err = rmi_loop_create(&t->loop);
    if (!err)
        err = rmi_timer_create(t->loop, on_timer, t, &t->timer);
    if (!err)
        err = create_endpoint(t);
    if (!err && !open_sockets(t))
        err = RM_E_IO;
    if (!err && t->serve)
        err = rmi_serve_open(t->serve);
    if (!err)
        err = rmi_media_start(t->media);
    if (!err)
        rmi_data_start(t->data);
    return err;
}

void rmi_webrtc_net_run(struct rm_webrtc *t) {
    if (!t->config.bind_address)
        rmi_interfaces_watch_start(t->loop, on_interfaces_changed, t, &t->watch); /* without it: static addresses */
    for (size_t i = 0; i < t->config.stun_server_count; i++)
        lookup_server(t, RMI_LOOKUP_STUN, t->config.stun_servers[i], NULL);
    for (size_t i = 0; i < t->config.turn_server_count; i++)
        lookup_server(t, RMI_LOOKUP_TURN, t->config.turn_servers[i].url, &t->config.turn_servers[i]);
    rmi_endpoint_start(t->ep, rmi_now_us());
    rmi_webrtc_after(t);
    rmi_loop_run(t->loop);
}

void rmi_webrtc_net_shutdown(void *ctx) {
    struct rm_webrtc *t = ctx;
    rmi_endpoint_close(t->ep, rmi_now_us());
    rmi_webrtc_drain_events(t);
    rmi_loop_stop(t->loop);
}

void rmi_webrtc_net_close(struct rm_webrtc *t) {
    if (t->lookups.next) {
        RMI_LIST_FOREACH (node, next, &t->lookups) {
            struct rmi_webrtc_lookup *l = RMI_CONTAINER_OF(node, struct rmi_webrtc_lookup, node);
            rmi_resolve_cancel(&l->handle);
            free(l);
        }
        rmi_list_init(&t->lookups);
    }
    rmi_interfaces_watch_stop(&t->watch);
    rmi_ws_close(&t->ws);
    rmi_data_stop(t->data);
    rmi_endpoint_destroy(&t->ep);
    rmi_execute_stop(t->execute);
    rmi_media_stop(t->media);
    if (t->serve)
        rmi_serve_close(t->serve);
    for (size_t i = 0; i < RMI_WEBRTC_SOCKETS_MAX; i++)
        rmi_udp_close(&t->sockets[i].udp);
    rmi_timer_destroy(&t->timer);
    rmi_loop_destroy(&t->loop);
}
