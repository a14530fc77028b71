/* SPDX-License-Identifier: Apache-2.0 */
/* ECN of media over real sockets: where both ask for it the path is tried and found good, so that all is marked; where
 * one does, nothing is, and the call is the same. */
#include "support/media.h"

#include <stdio.h>

#define PATIENCE_MS 30000
#define PACKETS 300

struct wanted {
    struct rmt_call *call;
    bool marks;
};

static bool came(void *ctx) {
    const struct wanted *w = ctx;
    const struct rmt_heard h = rmt_heard_of(&w->call->ear_b, "a");
    const bool marks = rmt_rtp_stats(w->call->a, "b").ecn == RMI_ECN_MARKS;
    return h.pictures > 30 && h.chunks > 100 && marks == w->marks &&
           rmt_stats(w->call->b, "a").audio_in.packets > PACKETS;
}

static void call(const struct rmi_signaling_thread *s, bool ecn_a, bool ecn_b) {
    struct rmt_call call;
    struct wanted w = {.call = &call, .marks = ecn_a && ecn_b};
    rmt_call_prepare(&call, s, "marks");
    call.config_a.enable_ecn = ecn_a;
    call.config_b.enable_ecn = ecn_b;
    rmt_call_connect(&call);
    struct rmt_source source = {
        .t = call.a, .width = 320, .height = 180, .fps = 30, .sound_us = 10000, .amplitude = 0.5F};
    RMT_REQUIRE(rmt_play(&source, 1, came, &w, PATIENCE_MS));
    const struct rmi_rtp_session_stats stats = rmt_rtp_stats(call.a, "b");
    const rm_media_stats public = rmt_stats(call.b, "a");
    printf("ecn %d %d: state %d, failures %u\n", ecn_a, ecn_b, (int)stats.ecn, stats.ecn_failures);
    RMT_REQUIRE(stats.ecn == (w.marks ? RMI_ECN_MARKS : RMI_ECN_OFF));
    RMT_REQUIRE(stats.ecn_failures == 0 && stats.rtcp_malformed == 0);
    RMT_REQUIRE(public.audio_in.packets_with_ce == 0 && public.video_in.packets_with_ce == 0); /* an idle loopback */
    rmt_call_end(&call);
}

int main(void) {
    struct rmi_signaling_thread s;
    rmt_server_start(&s);
    call(&s, true, true);
    call(&s, true, false);
    call(&s, false, true);
    rmi_signaling_thread_stop(&s);
    return 0;
}
