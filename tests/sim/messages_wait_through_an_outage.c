/* SPDX-License-Identifier: Apache-2.0 */
/* Two peers send each other messages on reliable channels all the time, while the network of one goes away for 0.2 to
 * 20 s, and signaling with it or not, or its address changes. What was queued meanwhile arrives after it, each message
 * once and in order, on the same channels. */
#include "sctp/channels.h"
#include "support/mesh.h"
#include "support/sim_main.h"
#include <stdlib.h>
#include <string.h>

#define MESSAGE_US RMI_MS(50)
#define MESSAGE_MOST 4000
#define WAITING_MOST 1000        /* messages: 20 s and the time to make up for it */
#define NOTICE_US RMI_MS(100)    /* until a host's owner hears of a change of its interfaces */
#define CAUGHT_UP_US RMI_SEC(30) /* on 4 Mbit/s; signaling may be back late, too */
#define SENDING_AFTER_US RMI_SEC(2)
#define LINK_BPS 4000000

enum kind { CUT, ONE_WAY, DOWN_AND_UP, NEW_ADDRESS, KINDS };

struct side {
    struct world *w;
    struct rmt_host *host;
    struct rmt_peer *peer;
    const char *other;
    struct rmi_channels *channels;
    uint16_t channel;
    bool open;
    uint32_t made, sent, got; /* messages */
    int ups, downs;
};

struct world {
    struct rmt_vnet *v;
    struct rmt_mesh *m;
    struct side side[2];
    struct rmi_prng prng;
    uint32_t held; /* most messages that waited for a side to have room for them */
};

static uint64_t below(struct world *w, uint64_t n) {
    return rmi_prng_next(&w->prng) % n;
}

/* Its number, its length by the number, and a pattern by both. */
static size_t message(uint8_t *out, uint32_t number) {
    const size_t len = sizeof number + (number * 2654435761u) % (MESSAGE_MOST - sizeof number);
    memcpy(out, &number, sizeof number);
    for (size_t i = sizeof number; i < len; i++)
        out[i] = (uint8_t)(number * 31 + i * 7);
    return len;
}

static void *up(void *ctx, const char *peer_id, struct rmi_channels *channels, size_t message_max) {
    struct side *s = ctx;
    const struct rmi_channel_options options = {.label = s->other, .id = RMI_CHANNEL_ANY};
    (void)peer_id, (void)message_max;
    s->ups++;
    s->channels = channels;
    RMT_CHECK_INT(s->w->v, rmi_channels_open(channels, rmt_peer_now(s->peer), &options, &s->channel), RM_OK);
    return s;
}

static void down(void *ctx, void *peer) {
    struct side *s = ctx;
    (void)peer;
    s->downs++;
    s->channels = NULL;
}

static void event(void *ctx, void *peer, const struct rmi_channels_event *ev) {
    struct side *s = ctx;
    uint8_t expected[MESSAGE_MOST];
    struct rmi_channel_info info;
    (void)peer;
    if (ev->type == RMI_CHANNELS_EV_OPEN && ev->channel == s->channel)
        s->open = true;
    if (ev->type != RMI_CHANNELS_EV_MESSAGE)
        return;
    RMT_CHECK_INT(s->w->v, rmi_channels_get(s->channels, ev->channel, &info), RM_OK);
    RMT_CHECK(s->w->v, info.by_peer && !info.unordered);
    const size_t len = message(expected, s->got++);
    RMT_CHECK(s->w->v, ev->len == len && memcmp(ev->data, expected, len) == 0);
}

/* Those that are due, as far as there is room for them. */
static void send(struct side *s) {
    uint8_t bytes[MESSAGE_MOST];
    rm_err err = RM_OK;
    while (s->sent < s->made && !err) {
        const size_t len = message(bytes, s->sent);
        err = rmi_channels_send(s->channels, rmt_peer_now(s->peer), s->channel, true, bytes, len);
        RMT_CHECK(s->w->v, !err || err == RM_E_AGAIN); /* which leaves it with us */
        s->sent += !err;
    }
    rmi_endpoint_data_flush(rmt_peer_endpoint(s->peer), rmt_peer_now(s->peer), s->other);
    rmt_peer_pump(s->peer);
}

static void talk_until(struct world *w, int64_t until_us) {
    while (rmt_vnet_now(w->v) < until_us) {
        for (int i = 0; i < 2; i++) {
            struct side *s = &w->side[i];
            s->made++;
            RMT_CHECK_INT(w->v, s->downs, 0);
            send(s);
            const uint32_t waiting = s->made - w->side[!i].got;
            w->held = waiting > w->held ? waiting : w->held;
            RMT_CHECK(w->v, waiting < WAITING_MOST);
        }
        rmt_vnet_run_until(w->v, rmi_min64(rmt_vnet_now(w->v) + MESSAGE_US, until_us));
    }
}

static bool caught_up(void *ctx) {
    const struct world *w = ctx;
    return w->side[0].got == w->side[1].made && w->side[1].got == w->side[0].made;
}

static void open_world(struct world *w, uint64_t seed, struct rmt_sim *sim) {
    static const char *const names[] = {"alice", "bob"}, *const ips[] = {"192.0.2.1", "203.0.113.20"};
    *w = (struct world){.v = rmt_sim_vnet(sim, seed)};
    rmi_prng_seed(&w->prng, rmt_vnet_sub_seed(w->v, "outage"));
    const int64_t delay_us = RMI_MS(5 + below(w, 60));
    w->m = rmt_mesh_create(w->v, &(struct rmt_mesh_config){.signaling_delay_us = delay_us, .signaling_moves = true});
    const struct rmt_link link = {
        .rate_bps = LINK_BPS, .delay_us = delay_us, .loss_ppm = (uint32_t)below(w, 20000), .overhead = 28};
    for (int i = 0; i < 2; i++) {
        struct side *s = &w->side[i];
        s->w = w;
        s->other = names[!i];
        s->host = rmt_host_add(w->v, &(struct rmt_host_config){.name = names[i], .ips = {ips[i]}});
        rmt_host_set_links(s->host, &link, &link);
        const struct rmt_peer_options o = {.channels = {.peer_up = up, .event = event, .peer_down = down, .ctx = s}};
        s->peer = rmt_mesh_add(w->m, s->host, &o);
        rmt_peer_start(s->peer);
    }
    rmt_vnet_run_for(w->v, RMI_SEC(3));
    RMT_CHECK(w->v, rmt_mesh_all_connected(w->m) && w->side[0].open && w->side[1].open);
}

static void outage(struct world *w, enum kind kind) {
    struct side *s = &w->side[below(w, 2)];
    const int64_t from_us = rmt_vnet_now(w->v);
    const int64_t lasts_us = (int64_t)(RMI_MS(200) << below(w, 7)), to_us = from_us + rmi_min64(lasts_us, RMI_SEC(20));
    const bool interface = kind == DOWN_AND_UP || kind == NEW_ADDRESS, with_signaling = interface || below(w, 2);
    if (with_signaling)
        rmt_peer_signaling_cut(s->peer);
    if (kind == ONE_WAY)
        rmt_wire_blackhole(rmt_host_wire(s->host, 0, below(w, 2) ? RMT_UP : RMT_DOWN), from_us, to_us);
    else
        rmt_host_blackhole(s->host, from_us, to_us);
    if (interface) {
        rmt_host_set_up(s->host, 0, false);
        talk_until(w, rmi_min64(from_us + NOTICE_US, to_us));
        rmt_peer_interfaces_changed(s->peer);
    }
    talk_until(w, to_us);
    if (with_signaling)
        rmt_peer_signaling_mend(s->peer, interface ? 0 : (int64_t)below(w, (uint64_t)(to_us - from_us)));
    if (interface) {
        if (kind == NEW_ADDRESS)
            rmt_host_set_addr(s->host, 0, "192.0.2.77");
        rmt_host_set_up(s->host, 0, true);
        talk_until(w, to_us + NOTICE_US);
        rmt_peer_interfaces_changed(s->peer);
    }
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    struct world w;
    open_world(&w, seed, sim);
    talk_until(&w, rmt_vnet_now(w.v) + RMI_SEC(1) + (int64_t)below(&w, RMI_SEC(2)));
    outage(&w, (enum kind)(seed % KINDS));
    talk_until(&w, rmt_vnet_now(w.v) + SENDING_AFTER_US);
    const int64_t end_us = rmt_vnet_now(w.v) + CAUGHT_UP_US;
    while (!caught_up(&w)) {
        RMT_CHECK(w.v, rmt_vnet_now(w.v) < end_us);
        rmt_vnet_run_for(w.v, RMI_MS(10));
        send(&w.side[0]);
        send(&w.side[1]);
    }
    rmt_vnet_note(w.v, "%u messages each way, up to %u waited", w.side[0].made, w.held);
    rmt_vnet_run_for(w.v, RMI_SEC(2)); /* none comes twice */
    RMT_CHECK(w.v, caught_up(&w));
    for (int i = 0; i < 2; i++)
        RMT_CHECK(w.v, w.side[i].ups == 1 && w.side[i].downs == 0);
    rmt_mesh_destroy(&w.m);
    rmt_sim_done(sim, &w.v);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 60, "messages_wait_through_an_outage");
}
