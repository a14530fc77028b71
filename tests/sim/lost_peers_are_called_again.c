/* SPDX-License-Identifier: Apache-2.0 */
/* A connection that fails is tried again, first by the side that offered it, with growing delays, while the peer is in
 * the room: until it is back, the peer leaves, the user ends it, or the attempts are used up. Never two connections at
 * once. */
#include "support/mesh.h"
#include "support/sim_main.h"

#define CONSENT_S 32 /* RFC 7675: 30 s after the last answer, noticed by then */
#define STEP RMI_MS(50)

static const struct rmi_reconnect_policy standard = {
    .max_retries = 5, .initial_us = RMI_SEC(1), .max_us = RMI_SEC(30), .multiplier = 2.0};

struct room {
    struct rmt_vnet *v;
    struct rmt_mesh *m;
    struct rmt_host *ha, *hb;
    struct rmt_peer *a, *b; /* bob comes later and offers */
};

static struct room open_room(uint64_t seed, struct rmt_sim *sim, int64_t signaling_us,
                             const struct rmi_reconnect_policy *policy, bool by_hand) {
    struct room r = {.v = rmt_sim_vnet(sim, seed)};
    r.m = rmt_mesh_create(
        r.v, &(struct rmt_mesh_config){.signaling_delay_us = signaling_us, .signaling_jitter_us = signaling_us / 2});
    r.ha = rmt_host_add(r.v, &(struct rmt_host_config){.name = "alice", .ips = {"192.0.2.1"}, .skew_ppm = 200});
    r.hb = rmt_host_add(r.v, &(struct rmt_host_config){.name = "bob", .ips = {"198.51.100.1"}, .skew_ppm = -200});
    struct rmt_link link = {.delay_us = RMI_MS(20), .jitter_us = RMI_MS(5)};
    rmt_host_set_links(r.ha, &link, &link);
    rmt_host_set_links(r.hb, &link, &link);
    struct rmt_peer_options o = {.reconnect = *policy, .no_auto_connect = by_hand};
    r.a = rmt_mesh_add(r.m, r.ha, &o);
    r.b = rmt_mesh_add(r.m, r.hb, &o);
    rmt_peer_start(r.a);
    rmt_vnet_run_for(r.v, RMI_SEC(2));
    rmt_peer_start(r.b);
    return r;
}

static void close_room(struct room *r, struct rmt_sim *sim) {
    rmt_mesh_destroy(&r->m);
    rmt_sim_done(sim, &r->v);
}

static uint32_t connections(const struct rmt_peer *p) {
    struct rmi_endpoint_stats s = {0};
    if (rmt_peer_endpoint(p))
        rmi_endpoint_get_stats(rmt_peer_endpoint(p), &s);
    return s.peers;
}

/* Runs in small steps, looking for a second connection in each. */
static bool run_until(struct room *r, bool (*pred)(void *), void *ctx, int64_t limit_us) {
    while (!pred(ctx)) {
        if (rmt_vnet_now(r->v) >= limit_us)
            return false;
        rmt_vnet_run_for(r->v, STEP);
        RMT_CHECK(r->v, connections(r->a) <= 1 && connections(r->b) <= 1);
    }
    return true;
}

static bool never(void *ctx) {
    (void)ctx;
    return false;
}

static bool connected(void *ctx) {
    const struct room *r = ctx;
    return rmt_mesh_all_connected(r->m);
}

static bool bob_waits(void *ctx) { /* the connection is gone, and an attempt announced */
    const struct room *r = ctx;
    return rmt_peer_state(r->b, "alice") == RMI_PC_NEW && rmt_peer_reconnecting(r->b, NULL) > 0;
}

static void connect_first(struct room *r) {
    RMT_CHECK(r->v, run_until(r, connected, r, rmt_vnet_now(r->v) + RMI_SEC(5)));
    RMT_CHECK_INT(r->v, rmt_peer_reconnecting(r->a, NULL) + rmt_peer_reconnecting(r->b, NULL), 0);
}

static void cut_until_bob_waits(struct room *r, int64_t to_us) {
    int64_t t = rmt_vnet_now(r->v);
    rmt_host_blackhole(r->ha, t, to_us);
    RMT_CHECK(r->v, run_until(r, bob_waits, r, t + RMI_SEC(CONSENT_S)));
    struct rmi_peer_snapshot s; /* not the last error heard of: that may be signaling's */
    RMT_CHECK(r->v, rmi_endpoint_snapshot(rmt_peer_endpoint(r->b), 0, &s) && s.ended && s.err == RM_E_ICE_CONSENT);
}

static void check_recovered(struct room *r, uint32_t times) {
    RMT_CHECK_INT(r->v, rmt_peer_recovered(r->a, NULL), times);
    RMT_CHECK_INT(r->v, rmt_peer_recovered(r->b, NULL), times);
    run_until(r, never, NULL, rmt_vnet_now(r->v) + RMI_SEC(60)); /* and it stays */
    RMT_CHECK(r->v, connected(r));
    RMT_CHECK_INT(r->v, rmt_peer_recovered(r->a, NULL), times);
    RMT_CHECK_INT(r->v, rmt_peer_recovered(r->b, NULL), times);
    struct rmi_peer_snapshot s;
    RMT_CHECK_INT(r->v, rmi_endpoint_snapshot_count(rmt_peer_endpoint(r->b)), 1); /* no failed one beside it */
    RMT_CHECK(r->v, rmi_endpoint_snapshot(rmt_peer_endpoint(r->b), 0, &s) && s.state == RMI_PC_CONNECTED);
}

/* No path when they meet: the first attempt fails, the second finds the network back. */
static void a_network_that_comes_late(uint64_t seed, struct rmt_sim *sim) {
    struct room r = open_room(seed, sim, RMI_MS(10), &standard, false);
    int64_t t = rmt_vnet_now(r.v);
    rmt_host_blackhole(r.ha, t, t + RMI_SEC(15));
    RMT_CHECK(r.v, run_until(&r, connected, &r, t + RMI_SEC(18)));
    RMT_CHECK(r.v, rmt_vnet_now(r.v) - t >= RMI_SEC(15));
    struct rmi_endpoint_event wait, done;
    RMT_CHECK_INT(r.v, rmt_peer_reconnecting(r.b, &wait), 1);
    RMT_CHECK_INT(r.v, wait.attempt, 1);
    RMT_CHECK(r.v, wait.duration_us >= RMI_SEC(1) && wait.duration_us <= RMI_MS(1250));
    RMT_CHECK(r.v, rmt_peer_entered(r.a, RMI_PC_CONNECTING) == 2); /* the side that offered was faster */
    rmt_peer_recovered(r.b, &done);
    RMT_CHECK_INT(r.v, done.attempt, 1);
    RMT_CHECK(r.v, done.duration_us > RMI_SEC(4) && done.duration_us < RMI_SEC(8)); /* since 9.5 s */
    RMT_CHECK_INT(r.v, rmt_peer_entered(r.a, RMI_PC_FAILED), 1);
    check_recovered(&r, 1);
    close_room(&r, sim);
}

/* 15 s of silence are not the end of a connection that stood, and nobody calls anew. */
static void a_short_silence(uint64_t seed, struct rmt_sim *sim) {
    struct room r = open_room(seed, sim, RMI_MS(10), &standard, false);
    connect_first(&r);
    int64_t t = rmt_vnet_now(r.v);
    rmt_host_blackhole(r.ha, t, t + RMI_SEC(15));
    run_until(&r, never, NULL, t + RMI_SEC(14));
    RMT_CHECK(r.v, !connected(&r));
    RMT_CHECK(r.v, run_until(&r, connected, &r, t + RMI_SEC(18)));
    RMT_CHECK_INT(r.v, rmt_peer_reconnecting(r.b, NULL), 0);
    check_recovered(&r, 1);
    close_room(&r, sim);
}

/* Consent expires on both sides, at times of their own; the attempts go on until the path is back. Then again. */
static void a_long_silence(uint64_t seed, struct rmt_sim *sim) {
    struct room r = open_room(seed, sim, RMI_MS(10), &standard, false);
    connect_first(&r);
    for (uint32_t round = 1; round <= 2; round++) {
        int64_t t = rmt_vnet_now(r.v), back = t + RMI_SEC(55);
        uint32_t before = rmt_peer_reconnecting(r.b, NULL);
        rmt_host_blackhole(r.ha, t, back);
        run_until(&r, never, NULL, back);
        RMT_CHECK(r.v, !connected(&r));
        struct rmi_endpoint_event wait;
        /* 30 s of consent, 1 s, 9.5 s of ICE, 2 s, 9.5 s: the third attempt waits or runs */
        RMT_CHECK(r.v, rmt_peer_reconnecting(r.b, &wait) - before >= 2 && wait.attempt >= 2);
        RMT_CHECK(r.v, run_until(&r, connected, &r, back + RMI_SEC(12)));
        check_recovered(&r, round);
    }
    close_room(&r, sim);
}

/* Goodbyes and offers cross: signaling takes far longer than the delay. */
static void slow_signaling(uint64_t seed, struct rmt_sim *sim) {
    static const struct rmi_reconnect_policy hasty = {
        .max_retries = 20, .initial_us = RMI_MS(100), .max_us = RMI_SEC(1), .multiplier = 1.5};
    struct room r = open_room(seed, sim, RMI_MS(400), &hasty, false);
    RMT_CHECK(r.v, run_until(&r, connected, &r, rmt_vnet_now(r.v) + RMI_SEC(20)));
    int64_t t = rmt_vnet_now(r.v);
    rmt_host_blackhole(r.ha, t, t + RMI_SEC(45));
    RMT_CHECK(r.v, run_until(&r, bob_waits, &r, t + RMI_SEC(CONSENT_S + 2)));
    run_until(&r, never, NULL, t + RMI_SEC(45));
    RMT_CHECK(r.v, run_until(&r, connected, &r, t + RMI_SEC(45 + 15)));
    check_recovered(&r, 1);
    close_room(&r, sim);
}

static void the_peer_leaves_meanwhile(uint64_t seed, struct rmt_sim *sim) {
    struct room r = open_room(seed, sim, RMI_MS(10), &standard, false);
    connect_first(&r);
    cut_until_bob_waits(&r, RMI_NEVER);
    rmt_peer_kill(r.a);
    uint32_t attempts = rmt_peer_reconnecting(r.b, NULL), tried = rmt_peer_entered(r.b, RMI_PC_CONNECTING);
    run_until(&r, never, NULL, rmt_vnet_now(r.v) + RMI_SEC(120));
    RMT_CHECK_INT(r.v, rmt_peer_reconnecting(r.b, NULL), attempts);
    RMT_CHECK_INT(r.v, rmt_peer_entered(r.b, RMI_PC_CONNECTING), tried);
    close_room(&r, sim);
}

static void the_user_ends_it(uint64_t seed, struct rmt_sim *sim) {
    struct room r = open_room(seed, sim, RMI_MS(10), &standard, false);
    connect_first(&r);
    cut_until_bob_waits(&r, RMI_NEVER);
    RMT_CHECK_INT(r.v, rmi_endpoint_disconnect_peer(rmt_peer_endpoint(r.b), rmt_peer_now(r.b), "alice"), RM_OK);
    RMT_CHECK_INT(r.v, rmi_endpoint_disconnect_peer(rmt_peer_endpoint(r.b), rmt_peer_now(r.b), "alice"),
                  RM_E_NOT_FOUND);
    rmt_peer_pump(r.b);
    RMT_CHECK_INT(r.v, rmt_peer_entered(r.b, RMI_PC_CLOSED), 1);
    uint32_t tried = rmt_peer_entered(r.b, RMI_PC_CONNECTING);
    run_until(&r, never, NULL, rmt_vnet_now(r.v) + RMI_SEC(120));
    RMT_CHECK_INT(r.v, rmt_peer_reconnecting(r.b, NULL), 1);
    RMT_CHECK_INT(r.v, rmt_peer_entered(r.b, RMI_PC_CONNECTING), tried);
    close_room(&r, sim);
}

/* After the last attempt the failure stands; a connection asked for by hand has all attempts again. */
static void attempts_are_used_up(uint64_t seed, struct rmt_sim *sim) {
    static const struct rmi_reconnect_policy three = {
        .max_retries = 3, .initial_us = RMI_SEC(1), .max_us = RMI_SEC(3), .multiplier = 2.0};
    struct room r = open_room(seed, sim, RMI_MS(10), &three, false);
    rmt_host_blackhole(r.ha, rmt_vnet_now(r.v), RMI_NEVER);
    run_until(&r, never, NULL, rmt_vnet_now(r.v) + RMI_SEC(120));
    struct rmi_endpoint_event last;
    RMT_CHECK_INT(r.v, rmt_peer_reconnecting(r.b, &last), 3);
    RMT_CHECK_INT(r.v, last.attempt, 3);
    RMT_CHECK(r.v, last.duration_us >= RMI_SEC(3) && last.duration_us <= RMI_MS(3750));
    RMT_CHECK_INT(r.v, rmt_peer_entered(r.b, RMI_PC_FAILED), 4);
    RMT_CHECK_INT(r.v, connections(r.b) + connections(r.a), 0);
    struct rmi_peer_snapshot s;
    RMT_CHECK_INT(r.v, rmi_endpoint_snapshot_count(rmt_peer_endpoint(r.b)), 1);
    RMT_CHECK(r.v, rmi_endpoint_snapshot(rmt_peer_endpoint(r.b), 0, &s) && s.state == RMI_PC_FAILED && s.err);
    RMT_CHECK_INT(r.v, rmi_endpoint_disconnect_peer(rmt_peer_endpoint(r.b), rmt_peer_now(r.b), "alice"),
                  RM_E_NOT_FOUND);
    RMT_CHECK_INT(r.v, rmi_endpoint_connect_peer(rmt_peer_endpoint(r.b), rmt_peer_now(r.b), "alice"), RM_OK);
    rmt_peer_pump(r.b);
    run_until(&r, never, NULL, rmt_vnet_now(r.v) + RMI_SEC(120));
    RMT_CHECK_INT(r.v, rmt_peer_reconnecting(r.b, NULL), 6);
    close_room(&r, sim);
}

/* The server is away when the connection fails and when the attempt is due: it waits. The peers find each other again
 * by themselves (auto_connect), or by the attempt that waited. */
static void signaling_is_down(uint64_t seed, struct rmt_sim *sim, bool by_hand) {
    struct room r = open_room(seed, sim, RMI_MS(10), &standard, by_hand);
    if (by_hand) {
        rmt_vnet_run_for(r.v, RMI_SEC(1));
        RMT_CHECK_INT(r.v, rmi_endpoint_connect_peer(rmt_peer_endpoint(r.b), rmt_peer_now(r.b), "alice"), RM_OK);
        rmt_peer_pump(r.b);
    }
    connect_first(&r);
    rmt_mesh_server_down(r.m);
    int64_t t = rmt_vnet_now(r.v);
    cut_until_bob_waits(&r, t + RMI_SEC(40));
    run_until(&r, never, NULL, t + RMI_SEC(60));
    RMT_CHECK(r.v, !connected(&r));
    RMT_CHECK_INT(r.v, rmt_peer_reconnecting(r.b, NULL), 1); /* no attempt was spent */
    rmt_mesh_server_up(r.m);
    RMT_CHECK(r.v, run_until(&r, connected, &r, t + RMI_SEC(60 + 10)));
    RMT_CHECK_INT(r.v, rmt_peer_reconnecting(r.b, NULL), 1);
    check_recovered(&r, 1);
    close_room(&r, sim);
}

/* The server goes while an attempt's offer is under way: that attempt is made again. */
static void signaling_goes_during_an_attempt(uint64_t seed, struct rmt_sim *sim) {
    struct room r = open_room(seed, sim, RMI_MS(50), &standard, true);
    rmt_vnet_run_for(r.v, RMI_SEC(1));
    RMT_CHECK_INT(r.v, rmi_endpoint_connect_peer(rmt_peer_endpoint(r.b), rmt_peer_now(r.b), "alice"), RM_OK);
    rmt_peer_pump(r.b);
    connect_first(&r);
    cut_until_bob_waits(&r, rmt_vnet_now(r.v) + RMI_SEC(31));
    while (rmt_peer_state(r.b, "alice") == RMI_PC_NEW)
        rmt_vnet_run_for(r.v, RMI_MS(10));
    rmt_mesh_server_down(r.m);
    rmt_vnet_run_for(r.v, RMI_SEC(3));
    rmt_mesh_server_up(r.m);
    RMT_CHECK(r.v, run_until(&r, connected, &r, rmt_vnet_now(r.v) + RMI_SEC(10)));
    check_recovered(&r, 1);
    close_room(&r, sim);
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    a_network_that_comes_late(seed, sim);
    a_short_silence(seed, sim);
    a_long_silence(seed, sim);
    slow_signaling(seed, sim);
    the_peer_leaves_meanwhile(seed, sim);
    the_user_ends_it(seed, sim);
    attempts_are_used_up(seed, sim);
    signaling_is_down(seed, sim, false);
    signaling_is_down(seed, sim, true);
    signaling_goes_during_an_attempt(seed, sim);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 20, "lost_peers_are_called_again");
}
