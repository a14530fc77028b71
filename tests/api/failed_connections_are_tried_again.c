/* SPDX-License-Identifier: Apache-2.0 */
/* max_reconnect_retries and reconnect_backoff_*: how often a connection without a path is tried, after which waits, and
 * what ends that. */
#include "support/api.h"

#include <string.h>

#define ICE_MS 1000
#define WAIT_MS 15000 /* generous: machines are slow at times */

/* The one with neither path nor relay, who calls. */
static rm_webrtc *join_caller(const struct rmi_signaling_thread *s, const char *id, uint32_t retries,
                              uint32_t initial_ms) {
    rm_webrtc_config c;
    rmt_config(&c, s, id);
    c.relay_only = true;
    c.turn_servers[c.turn_server_count++] = (rm_turn_server){.url = "turn:user:pass@127.0.0.1:9"}; /* nobody there */
    c.ice_timeout_ms = ICE_MS;
    c.max_reconnect_retries = retries;
    c.reconnect_backoff_initial_ms = initial_ms;
    c.reconnect_backoff_max_ms = initial_ms;
    c.reconnect_backoff_multiplier = 1.0;
    return rmt_join(&c);
}

/* The next event that says what becomes of the connection. */
static void next(rm_webrtc *t, rm_event *ev) {
    do
        RMT_REQUIRE(rm_webrtc_poll(t, ev, WAIT_MS) == RM_OK);
    while (!(ev->type == RM_EV_RECONNECTING || ev->type == RM_EV_RECOVERED ||
             (ev->type == RM_EV_PEER_STATE && ev->peer_state != RM_PEER_CONNECTING) ||
             (ev->type == RM_EV_ERROR && ev->err == RM_E_NOT_FOUND)));
}

static void expect_failure(rm_webrtc *t) {
    rm_event ev;
    next(t, &ev);
    RMT_REQUIRE(ev.type == RM_EV_PEER_STATE && ev.peer_state == RM_PEER_FAILED && ev.err != RM_OK);
    RMT_REQUIRE(!strcmp(ev.peer_id, "host"));
}

/* Nothing is left to end: nothing was announced after the failure. */
static void expect_nothing_more(rm_webrtc *t) {
    rm_event ev;
    RMT_REQUIRE(rm_webrtc_disconnect_peer(t, "host") == RM_OK);
    next(t, &ev);
    RMT_REQUIRE(ev.type == RM_EV_ERROR && ev.err == RM_E_NOT_FOUND);
}

static void attempts_are_counted_and_waited_for(const struct rmi_signaling_thread *s) {
    rm_webrtc *t = join_caller(s, "twice", 2, 200);
    for (uint32_t attempt = 1; attempt <= 2; attempt++) {
        rm_event wait, begun;
        expect_failure(t);
        next(t, &wait);
        RMT_REQUIRE(wait.type == RM_EV_RECONNECTING && wait.attempt == attempt && !strcmp(wait.peer_id, "host"));
        RMT_REQUIRE(wait.delay_ms >= 200 && wait.delay_ms <= 250);
        RMT_REQUIRE(rmt_wait(t, RM_EV_PEER_STATE, RM_PEER_CONNECTING, &begun, WAIT_MS));
        RMT_REQUIRE(begun.time_us - wait.time_us >= 190000);
    }
    expect_failure(t);
    expect_nothing_more(t);
    rm_webrtc_destroy(&t);
}

static void zero_is_off(const struct rmi_signaling_thread *s) {
    rm_webrtc *t = join_caller(s, "never", 0, 200);
    expect_failure(t);
    expect_nothing_more(t);
    rm_webrtc_destroy(&t);
}

static void disconnecting_ends_the_wait(const struct rmi_signaling_thread *s) {
    rm_webrtc *t = join_caller(s, "patient", 5, 60000);
    rm_event ev;
    expect_failure(t);
    next(t, &ev);
    RMT_REQUIRE(ev.type == RM_EV_RECONNECTING && ev.delay_ms >= 60000 && ev.delay_ms <= 75000);
    RMT_REQUIRE(rm_webrtc_disconnect_peer(t, "host") == RM_OK);
    next(t, &ev);
    RMT_REQUIRE(ev.type == RM_EV_PEER_STATE && ev.peer_state == RM_PEER_CLOSED && !strcmp(ev.peer_id, "host"));
    expect_nothing_more(t);
    rm_webrtc_destroy(&t);
}

int main(void) {
    struct rmi_signaling_thread s;
    rmt_server_start(&s);
    rm_webrtc_config c;
    rmt_config(&c, &s, "host");
    c.ice_timeout_ms = 2 * ICE_MS;
    rm_webrtc *host = rmt_join(&c);
    rm_event ev;
    RMT_REQUIRE(rmt_wait(host, RM_EV_SIGNALING, RM_SIGNALING_READY, &ev, WAIT_MS));
    attempts_are_counted_and_waited_for(&s);
    zero_is_off(&s);
    disconnecting_ends_the_wait(&s);
    rm_webrtc_destroy(&host);
    rmi_signaling_thread_stop(&s);
    return 0;
}
