/* SPDX-License-Identifier: Apache-2.0 */
#include "support/mesh.h"

#include "support/virtual_crypto.h"
#include "support/vnet_private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOCKETS_MAX 32 /* over a life with address changes */
#define CONNS_MAX 512  /* signaling connections over a run */
#define RTP_HEADER 12
#define SYN_AGAIN_US RMI_SEC(1) /* RFC 6298 2.1 */
#define RTP_BYTES 64

struct sock {
    struct rmt_peer *peer;
    struct rmt_socket *s;
    rmi_base_id base;
    struct rmi_addr ip;
};

/* One signaling connection: a pipe with the peer at end 0 and the server at end 1. */
struct conn {
    struct rmt_mesh *mesh;
    struct rmt_peer *peer; /* NULL: that side is gone */
    struct rmt_pipe *pipe;
    uint64_t core;
    bool server_side;
};

struct rmt_peer {
    struct rmt_mesh *mesh;
    struct rmt_host *host;
    struct rmi_endpoint *ep;
    char id[RMI_PEER_ID_MAX];
    struct sock socks[SOCKETS_MAX];
    size_t sock_count;
    struct conn *conn;
    struct rmi_addr conn_ip; /* at which it began */
    bool blocked;            /* to the signaling server */
    uint64_t timer, opening;
    uint32_t entered[RMI_PC_CLOSED + 1];
    uint32_t reconnecting, recovered;
    struct rmi_endpoint_event last_reconnecting, last_recovered;
    char err_peer[RMI_PEER_ID_MAX];
    rm_err err;
    char detail[256];
    uint64_t rtp_received;
    struct rmi_prng prng;
    bool media, dead;
};

struct rmt_mesh {
    struct rmt_vnet *v;
    struct rmt_mesh_config config;
    struct rmt_host *server_host;
    struct rmi_sig_server *core;
    uint64_t timer;
    bool down;
    struct rmt_peer *peers[RMT_MESH_PEERS_MAX];
    size_t peer_count;
    struct conn *conns[CONNS_MAX];
    size_t conn_count;
    struct rmi_prng prng;
};

/* ---- the server ---- */

static void server_rearm(struct rmt_mesh *m);

static void on_server_timer(void *ctx, int64_t now_us) {
    struct rmt_mesh *m = ctx;
    m->timer = 0;
    rmt_scenery++;
    rmi_sig_server_timeout(m->core, now_us);
    rmt_scenery--;
    server_rearm(m);
}

static void server_rearm(struct rmt_mesh *m) {
    if (m->timer)
        rmt_vnet_cancel(m->v, m->timer);
    int64_t t = rmi_sig_server_next_deadline(m->core);
    m->timer = t == RMI_NEVER ? 0 : rmt_host_at(m->server_host, t, on_server_timer, m);
}

static struct conn *conn_by_core(struct rmt_mesh *m, uint64_t core) {
    for (size_t i = 0; i < m->conn_count; i++)
        if (m->conns[i]->server_side && m->conns[i]->core == core)
            return m->conns[i];
    return NULL;
}

static void core_send(void *ctx, uint64_t core, const char *text, size_t len) {
    struct conn *c = conn_by_core(ctx, core);
    if (c)
        rmt_pipe_send(c->pipe, 1, text, len);
}

static void core_close(void *ctx, uint64_t core, int code, const char *reason) {
    struct conn *c = conn_by_core(ctx, core);
    (void)code;
    (void)reason;
    if (c) {
        c->server_side = false;
        rmt_pipe_close(c->pipe, 1);
    }
}

/* The WebSocket layer answers pings by itself: here, as long as the pipe is whole. */
static void core_ping(void *ctx, uint64_t core) {
    struct rmt_mesh *m = ctx;
    struct conn *c = conn_by_core(m, core);
    if (c && rmt_pipe_is_open(c->pipe) && c->peer)
        rmi_sig_server_activity(m->core, rmt_host_now(m->server_host), core);
}

static void create_core(struct rmt_mesh *m) {
    struct rmi_sig_server_config sc;
    rmi_sig_server_config_init(&sc);
    if (m->config.room_max_peers)
        sc.max_peers = m->config.room_max_peers;
    sc.log = m->config.log;
    sc.cb.ctx = m;
    sc.cb.send = core_send;
    sc.cb.close = core_close;
    sc.cb.ping = core_ping;
    RMT_CHECK_INT(m->v, rmi_sig_server_create(&sc, &m->core), RM_OK);
}

static void server_on_pipe(void *ctx, int64_t now_us, const char *data, size_t len) {
    struct conn *c = ctx;
    if (!c->server_side)
        return;
    rmt_scenery++;
    if (data) {
        rmi_sig_server_input(c->mesh->core, now_us, c->core, data, len);
    } else {
        c->server_side = false;
        rmi_sig_server_closed(c->mesh->core, now_us, c->core);
    }
    rmt_scenery--;
    server_rearm(c->mesh);
}

struct rmt_mesh *rmt_mesh_create(struct rmt_vnet *v, const struct rmt_mesh_config *config) {
    struct rmt_mesh *m = rmt_alloc(sizeof *m);
    m->v = v;
    m->config = *config;
    rmi_prng_seed(&m->prng, rmt_vnet_sub_seed(v, "mesh"));
    rmt_virtual_rand_seed(rmt_vnet_sub_seed(v, "crypto"));
    rmt_virtual_time_set(rmt_vnet_now(v));
    m->server_host = rmt_host_add(v, &(struct rmt_host_config){.name = "signaling", .ips = {"203.0.113.250"}});
    create_core(m);
    return m;
}

void rmt_mesh_destroy(struct rmt_mesh **pm) {
    struct rmt_mesh *m = *pm;
    for (size_t i = 0; i < m->peer_count; i++) {
        rmi_endpoint_destroy(&m->peers[i]->ep);
        free(m->peers[i]);
    }
    rmi_sig_server_destroy(&m->core);
    for (size_t i = 0; i < m->conn_count; i++)
        free(m->conns[i]);
    free(m);
    *pm = NULL;
}

/* ---- a peer's surroundings ---- */

static void enter(struct rmt_peer *p) { /* OpenSSL reads this host's clock from now on */
    rmt_virtual_time_set(rmt_host_wall(p->host));
}

static void on_timer(void *ctx, int64_t now_us) {
    struct rmt_peer *p = ctx;
    p->timer = 0;
    enter(p);
    rmi_endpoint_timeout(p->ep, now_us);
    rmt_peer_pump(p);
}

static void note_event(struct rmt_peer *p, const struct rmi_endpoint_event *ev) {
    if (ev->type == RMI_EP_EV_PEER_STATE) {
        p->entered[ev->state]++;
        rmt_vnet_note(p->mesh->v, "%s: %s %s %s", p->id, ev->peer_id, rmi_pc_state_name(ev->state), ev->detail);
    }
    if (ev->type == RMI_EP_EV_RECONNECTING && ev->attempt) {
        p->reconnecting++;
        p->last_reconnecting = *ev;
        rmt_vnet_note(p->mesh->v, "%s: %s reconnecting, %s", p->id, ev->peer_id, ev->detail);
    }
    if (ev->type == RMI_EP_EV_RECOVERED) {
        p->recovered++;
        p->last_recovered = *ev;
        rmt_vnet_note(p->mesh->v, "%s: %s recovered", p->id, ev->peer_id);
    }
    if (ev->err) {
        p->err = ev->err;
        memcpy(p->err_peer, ev->peer_id, sizeof p->err_peer);
        memcpy(p->detail, ev->detail, sizeof p->detail);
        rmt_vnet_note(p->mesh->v, "%s: %s %s: %s", p->id, ev->peer_id, rm_err_name(ev->err), ev->detail);
    }
}

static void count_packet(void *ctx, int64_t now_us, bool rtcp, enum rmi_ecn ecn, uint8_t *data, size_t len) {
    struct rmt_peer *p = ctx;
    (void)now_us;
    (void)ecn;
    (void)data;
    if (!rtcp && len == RTP_BYTES)
        p->rtp_received++;
}

void rmt_peer_pump(struct rmt_peer *p) {
    struct rmi_endpoint_event ev;
    while (rmi_endpoint_poll_event(p->ep, &ev)) {
        note_event(p, &ev);
        struct rmi_pc *pc = !p->media && ev.type == RMI_EP_EV_PEER_STATE ? rmi_endpoint_peer(p->ep, ev.peer_id) : NULL;
        if (pc)
            rmi_pc_on_packet(pc, count_packet, p);
    }
    if (p->timer)
        rmt_vnet_cancel(p->mesh->v, p->timer);
    int64_t t = rmi_endpoint_next_deadline(p->ep);
    p->timer = t == RMI_NEVER ? 0 : rmt_host_at(p->host, t, on_timer, p);
}

static void on_datagram(void *ctx, int64_t now_us, const struct rmi_addr *from, uint8_t *data, size_t len) {
    struct sock *s = ctx;
    enter(s->peer);
    rmi_endpoint_datagram(s->peer->ep, now_us, s->base, from, rmt_vnet_received_ecn(s->peer->mesh->v), data, len);
    rmt_peer_pump(s->peer);
}

static void send_as(struct rmt_peer *p, rmi_base_id base, const struct rmi_addr *to, const uint8_t *data, size_t len,
                    enum rmi_ecn ecn) {
    for (size_t i = 0; i < p->sock_count; i++)
        if (p->socks[i].s && p->socks[i].base == base)
            rmt_socket_send_marked(p->socks[i].s, to, data, len, ecn);
}

static void sink_send(void *ctx, rmi_base_id base, const struct rmi_addr *to, uint8_t *data, size_t len) {
    send_as(ctx, base, to, data, len, RMI_ECN_NOT_ECT);
}

static void sink_send_ect(void *ctx, rmi_base_id base, const struct rmi_addr *to, uint8_t *data, size_t len) {
    send_as(ctx, base, to, data, len, RMI_ECN_ECT0);
}

static void peer_on_pipe(void *ctx, int64_t now_us, const char *data, size_t len) {
    struct conn *c = ctx;
    struct rmt_peer *p = c->peer;
    if (!p || p->conn != c)
        return;
    enter(p);
    if (data) {
        rmi_endpoint_signaling_text(p->ep, now_us, data, len);
    } else {
        p->conn = NULL;
        c->peer = NULL;
        rmi_endpoint_signaling_down(p->ep, now_us, RM_E_SIGNALING, "connection reset");
    }
    rmt_peer_pump(p);
}

/* The address it would connect from; NULL: no interface is up. */
static const struct rmi_addr *up_address(struct rmt_peer *p) {
    for (size_t i = 0; i < p->sock_count; i++)
        if (p->socks[i].s)
            return &p->socks[i].ip;
    return NULL;
}

static bool has_address(const struct rmt_peer *p, const struct rmi_addr *ip) {
    for (int i = 0; i < rmt_host_iface_count(p->host); i++) {
        struct rmt_addr_view view = rmt_host_iface(p->host, i);
        if (view.up && rmi_addr_equal_ip(&view.addr, ip))
            return true;
    }
    return false;
}

static struct conn *ended_conn(const struct rmt_mesh *m) {
    for (size_t i = 0; m->config.reuse_pipes && i < m->conn_count; i++)
        if (!m->conns[i]->server_side && !m->conns[i]->peer && rmt_pipe_reopen(m->conns[i]->pipe))
            return m->conns[i];
    return NULL;
}

static struct conn *new_conn(struct rmt_mesh *m) {
    RMT_CHECK(m->v, m->conn_count < CONNS_MAX);
    struct conn *c = rmt_alloc(sizeof *c);
    m->conns[m->conn_count++] = c;
    c->mesh = m;
    char name[RMT_NAME_MAX];
    snprintf(name, sizeof name, "sig%zu", m->conn_count);
    c->pipe = rmt_pipe_create(m->v, &(struct rmt_pipe_config){.name = name,
                                                              .delay_us = m->config.signaling_delay_us,
                                                              .jitter_us = m->config.signaling_jitter_us,
                                                              .dup_p = m->config.signaling_dup_ppm,
                                                              .reorder_p = m->config.signaling_reorder_ppm});
    return c;
}

static void open_now(void *ctx, int64_t now_us) {
    struct rmt_peer *p = ctx;
    struct rmt_mesh *m = p->mesh;
    p->opening = 0;
    enter(p);
    if (p->blocked) {
        p->opening = rmt_host_at(p->host, now_us + SYN_AGAIN_US, open_now, p);
        return;
    }
    if (m->down || !up_address(p)) {
        rmi_endpoint_signaling_down(p->ep, now_us, RM_E_SIGNALING, m->down ? "connection refused" : "no route");
        rmt_peer_pump(p);
        return;
    }
    struct conn *c = ended_conn(m);
    if (!c)
        c = new_conn(m);
    c->peer = p;
    rmt_pipe_attach(c->pipe, 0, p->host, peer_on_pipe, c);
    rmt_pipe_attach(c->pipe, 1, m->server_host, server_on_pipe, c);
    rmt_scenery++;
    RMT_CHECK_INT(m->v, rmi_sig_server_open(m->core, rmt_host_now(m->server_host), &c->core), RM_OK);
    rmt_scenery--;
    c->server_side = true;
    p->conn = c;
    p->conn_ip = *up_address(p);
    server_rearm(m);
    rmi_endpoint_signaling_up(p->ep, now_us);
    rmt_peer_pump(p);
}

/* TCP and WebSocket handshakes: two round trips. */
static void io_socket_open(void *ctx) {
    struct rmt_peer *p = ctx;
    int64_t wait = 4 * p->mesh->config.signaling_delay_us;
    p->opening = rmt_host_at(p->host, rmt_host_now(p->host) + wait, open_now, p);
}

static void io_socket_close(void *ctx) {
    struct rmt_peer *p = ctx;
    if (p->opening)
        rmt_vnet_cancel(p->mesh->v, p->opening);
    p->opening = 0;
    if (p->conn) {
        p->conn->peer = NULL;
        if (p->blocked || (p->mesh->config.signaling_moves && !has_address(p, &p->conn_ip)))
            rmt_pipe_stall(p->conn->pipe, true); /* the server does not hear of it */
        else
            rmt_pipe_close(p->conn->pipe, 0);
    }
    p->conn = NULL;
}

static void io_socket_send(void *ctx, const char *text, size_t len) {
    struct rmt_peer *p = ctx;
    if (p->conn)
        rmt_pipe_send(p->conn->pipe, 0, text, len);
}

static void io_resolve(void *ctx, const char *hostname, const char *peer_id, uint32_t resolve_id) {
    (void)ctx;
    (void)hostname;
    (void)peer_id;
    (void)resolve_id; /* no name service here: the candidate stays unresolved */
}

/* ---- peers ---- */

static void open_sockets(struct rmt_peer *p) {
    for (int i = 0; i < rmt_host_iface_count(p->host); i++) {
        struct rmt_addr_view view = rmt_host_iface(p->host, i);
        bool have = !view.up;
        for (size_t k = 0; k < p->sock_count && !have; k++)
            have = p->socks[k].s && rmi_addr_equal_ip(&p->socks[k].ip, &view.addr);
        if (have)
            continue;
        RMT_CHECK(p->mesh->v, p->sock_count < SOCKETS_MAX);
        struct sock *s = &p->socks[p->sock_count++];
        s->peer = p;
        s->ip = view.addr;
        s->base = (rmi_base_id)p->sock_count;
        s->s = rmt_socket_open_addr(p->host, &view.addr, on_datagram, s);
        RMT_CHECK(p->mesh->v, s->s != NULL);
        struct rmi_addr bound = rmt_socket_addr(s->s);
        RMT_CHECK_INT(p->mesh->v,
                      rmi_endpoint_add_host(p->ep, rmt_host_now(p->host), s->base, &bound, (uint16_t)(65535 - i)),
                      RM_OK);
    }
}

struct rmt_peer *rmt_mesh_add(struct rmt_mesh *m, struct rmt_host *host, const struct rmt_peer_options *o) {
    RMT_CHECK(m->v, m->peer_count < RMT_MESH_PEERS_MAX);
    struct rmt_peer *p = rmt_alloc(sizeof *p);
    m->peers[m->peer_count++] = p;
    p->mesh = m;
    p->host = host;
    snprintf(p->id, sizeof p->id, "%s", o->id ? o->id : rmt_host_name(host));
    rmi_prng_seed(&p->prng, rmt_vnet_sub_seed(m->v, p->id) + m->peer_count);
    enter(p);
    struct rmi_dtls_cert *cert = NULL;
    RMT_CHECK_INT(m->v, rmi_dtls_cert_create(rmt_host_wall(host) / 1000000 + RMT_VIRTUAL_EPOCH_S, &cert), RM_OK);
    struct rmi_endpoint_config ec = {
        .rng = rmi_prng_rng(&p->prng),
        .log = m->config.log,
        .io = {.sink = {.send = sink_send, .ctx = p, .send_ect = sink_send_ect},
               .socket_open = io_socket_open,
               .socket_close = io_socket_close,
               .socket_send = io_socket_send,
               .resolve = io_resolve,
               .ctx = p},
        .cert = cert,
        .peer_id = p->id,
        .room = o->room,
        .token = o->token,
        .max_peers = o->max_peers ? o->max_peers : 10,
        .auto_connect = !o->no_auto_connect,
        .relay_only = o->relay_only,
        .audio = true,
        .video = !o->no_video,
        .data = !o->no_data,
        .video_first = o->video_first == RMI_JSEP_OPUS ? RMI_JSEP_VP9 : o->video_first,
        .liveness_us = o->liveness_us,
        .reconnect = o->reconnect,
        .channels = o->channels,
    };
    if (o->media) {
        p->media = true;
        ec.media = *o->media;
        ec.rates = o->rates;
        ec.weight = o->weight;
        ec.cc = o->cc;
        ec.ecn = o->ecn;
        ec.sound_wait_us = o->sound_wait_us;
        ec.rtcp_reports = true;
        ec.unix_offset_us = RMI_SEC(RMT_VIRTUAL_EPOCH_S) + rmt_host_wall(host) - rmt_host_now(host);
    }
    RMT_CHECK_INT(m->v, rmi_endpoint_create(&ec, rmt_host_now(host), &p->ep), RM_OK);
    rmi_dtls_cert_unref(&cert);
    open_sockets(p);
    if (o->stun.family)
        RMT_CHECK_INT(m->v, rmi_endpoint_add_stun(p->ep, &o->stun), RM_OK);
    if (o->turn.family) {
        struct rmi_turn_server t = {.addr = o->turn, .username = "user"};
        snprintf(t.password, sizeof t.password, "%s", o->turn_password ? o->turn_password : "pass");
        RMT_CHECK_INT(m->v, rmi_endpoint_add_turn(p->ep, &t), RM_OK);
    }
    return p;
}

void rmt_peer_start(struct rmt_peer *p) {
    enter(p);
    rmi_endpoint_start(p->ep, rmt_host_now(p->host));
    rmt_peer_pump(p);
}

static void bury(struct rmt_peer *p) {
    if (p->timer)
        rmt_vnet_cancel(p->mesh->v, p->timer);
    if (p->opening)
        rmt_vnet_cancel(p->mesh->v, p->opening);
    p->timer = p->opening = 0;
    for (size_t i = 0; i < p->sock_count; i++)
        if (p->socks[i].s)
            rmt_socket_close(&p->socks[i].s);
    rmi_endpoint_destroy(&p->ep);
    p->dead = true;
}

void rmt_peer_close(struct rmt_peer *p) {
    enter(p);
    rmi_endpoint_close(p->ep, rmt_host_now(p->host));
    struct rmi_endpoint_event ev;
    while (rmi_endpoint_poll_event(p->ep, &ev))
        note_event(p, &ev);
    bury(p);
}

void rmt_peer_kill(struct rmt_peer *p) {
    if (p->conn) { /* the kernel closes a dead process's sockets */
        p->conn->peer = NULL;
        rmt_pipe_close(p->conn->pipe, 0);
        p->conn = NULL;
    }
    bury(p);
}

void rmt_peer_free(struct rmt_peer **pp) {
    struct rmt_peer *p = *pp;
    struct rmt_mesh *m = p->mesh;
    RMT_CHECK(m->v, p->dead);
    for (size_t i = 0; i < m->peer_count; i++)
        if (m->peers[i] == p) {
            m->peer_count--;
            memmove(m->peers + i, m->peers + i + 1, (m->peer_count - i) * sizeof m->peers[0]);
            break;
        }
    free(p);
    *pp = NULL;
}

void rmt_peer_interfaces_changed(struct rmt_peer *p) {
    enter(p);
    for (size_t i = 0; i < p->sock_count; i++) {
        struct sock *s = &p->socks[i];
        bool alive = !s->s;
        for (int k = 0; k < rmt_host_iface_count(p->host) && !alive; k++) {
            struct rmt_addr_view view = rmt_host_iface(p->host, k);
            alive = view.up && rmi_addr_equal_ip(&view.addr, &s->ip);
        }
        if (alive)
            continue;
        rmi_endpoint_remove_host(p->ep, rmt_host_now(p->host), s->base);
        rmt_socket_close(&s->s);
    }
    open_sockets(p);
    const bool moved = p->mesh->config.signaling_moves && p->conn && !has_address(p, &p->conn_ip);
    rmi_endpoint_network_changed(p->ep, rmt_host_now(p->host), moved);
    rmt_peer_pump(p);
}

void rmt_peer_signaling_cut(struct rmt_peer *p) {
    p->blocked = true;
    if (p->conn)
        rmt_pipe_stall(p->conn->pipe, true);
}

static void flow_again(void *ctx, int64_t now_us) {
    struct conn *c = ctx;
    (void)now_us;
    if (!c->peer || !c->peer->blocked)
        rmt_pipe_stall(c->pipe, false);
}

void rmt_peer_signaling_mend(struct rmt_peer *p, int64_t tcp_wait_us) {
    p->blocked = false;
    if (p->conn)
        rmt_vnet_at(p->mesh->v, rmt_vnet_now(p->mesh->v) + tcp_wait_us, flow_again, p->conn);
}

struct rmi_endpoint *rmt_peer_endpoint(const struct rmt_peer *p) {
    return p->ep;
}

int64_t rmt_peer_now(const struct rmt_peer *p) {
    return rmt_host_now(p->host);
}

enum rmi_pc_state rmt_peer_state(const struct rmt_peer *p, const char *other_id) {
    struct rmi_pc *pc = p->ep ? rmi_endpoint_peer(p->ep, other_id) : NULL;
    return pc ? rmi_pc_state_of(pc) : RMI_PC_NEW;
}

rm_err rmt_peer_error(const struct rmt_peer *p, const char *other_id) {
    return !strcmp(p->err_peer, other_id) ? p->err : RM_OK;
}

const char *rmt_peer_detail(const struct rmt_peer *p) {
    return p->detail;
}

size_t rmt_peer_connected(const struct rmt_peer *p) {
    size_t n = 0;
    for (size_t i = 0; p->ep && i < p->mesh->peer_count; i++)
        n += p->mesh->peers[i] != p && !p->mesh->peers[i]->dead &&
             rmt_peer_state(p, p->mesh->peers[i]->id) == RMI_PC_CONNECTED;
    return n;
}

uint32_t rmt_peer_entered(const struct rmt_peer *p, enum rmi_pc_state state) {
    return p->entered[state];
}

uint32_t rmt_peer_reconnecting(const struct rmt_peer *p, struct rmi_endpoint_event *last) {
    if (last)
        *last = p->last_reconnecting;
    return p->reconnecting;
}

uint32_t rmt_peer_recovered(const struct rmt_peer *p, struct rmi_endpoint_event *last) {
    if (last)
        *last = p->last_recovered;
    return p->recovered;
}

int64_t rmt_peer_setup_us(const struct rmt_peer *p, const char *other_id) {
    struct rmi_pc *pc = p->ep ? rmi_endpoint_peer(p->ep, other_id) : NULL;
    const struct rmi_pc_steps *s = pc ? rmi_pc_steps_of(pc) : NULL;
    if (!s || !s->connected_us)
        return -1;
    return s->connected_us - rmi_max64(s->created_us, rmi_endpoint_ready_us(p->ep));
}

uint64_t rmt_peer_rtp_received(const struct rmt_peer *p) {
    return p->rtp_received;
}

rm_err rmt_peer_send_rtp(struct rmt_peer *p, const char *other_id, uint16_t sequence) {
    struct rmi_pc *pc = p->ep ? rmi_endpoint_peer(p->ep, other_id) : NULL;
    if (!pc)
        return RM_E_NOT_FOUND;
    uint8_t room[RMI_HEADROOM + RTP_BYTES + RMI_SRTP_TRAILER_MAX + RMI_HEADROOM] = {0};
    uint8_t *rtp = room + RMI_HEADROOM;
    rtp[0] = 0x80; /* version 2, no padding, extension or CSRC (RFC 3550 5.1) */
    rtp[1] = 111;
    rtp[2] = (uint8_t)(sequence >> 8);
    rtp[3] = (uint8_t)sequence;
    memcpy(rtp + 8, p->id, 4); /* an SSRC of its own */
    enter(p);
    rm_err err = rmi_pc_send(pc, rmt_host_now(p->host), false, rtp, RTP_BYTES, RTP_BYTES + RMI_SRTP_TRAILER_MAX);
    rmt_peer_pump(p);
    return err;
}

/* ---- the mesh ---- */

bool rmt_mesh_all_connected(void *ctx) {
    struct rmt_mesh *m = ctx;
    for (size_t i = 0; i < m->peer_count; i++)
        for (size_t k = 0; k < m->peer_count; k++) {
            const struct rmt_peer *a = m->peers[i], *b = m->peers[k];
            if (i != k && !a->dead && !b->dead && rmt_peer_state(a, b->id) != RMI_PC_CONNECTED)
                return false;
        }
    return true;
}

void rmt_mesh_server_down(struct rmt_mesh *m) {
    m->down = true;
    for (size_t i = 0; i < m->conn_count; i++) {
        struct conn *c = m->conns[i];
        if (c->server_side)
            rmt_pipe_kill(c->pipe);
        c->server_side = false;
    }
    if (m->timer)
        rmt_vnet_cancel(m->v, m->timer);
    m->timer = 0;
    rmi_sig_server_destroy(&m->core);
    create_core(m);
}

void rmt_mesh_server_up(struct rmt_mesh *m) {
    m->down = false;
}

struct rmi_sig_server_stats rmt_mesh_server_stats(const struct rmt_mesh *m) {
    struct rmi_sig_server_stats s;
    rmi_sig_server_stats(m->core, &s);
    return s;
}
