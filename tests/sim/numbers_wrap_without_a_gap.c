/* SPDX-License-Identifier: Apache-2.0 */
/* Sequence numbers and RTP timestamps of sound and pictures, and the numbers of retransmissions, pass the end of their
 * range in mid-stream, SRTP counts a turn more, NTP's seconds begin their second era (2036), and so do the TSNs of data
 * channels: nothing is lost, concealed or frozen, lips stay with the sound, messages come in order; and with losses
 * pictures are repaired across the wrap as everywhere. */
#include "support/sim_duet.h"

#include "peer/endpoint_private.h"
#include "sctp/inject_testkit.h"
#include "support/virtual_crypto.h"
#include <string.h>

#define FPS 30
#define RUN_S 12 /* sound wraps after 3 s, timestamps after 5 s, pictures within 10 s */
#define LOSS_PPM 50000
#define PICTURES_LEAST 0.93 /* a repair that is lost, too, may cost 0.7 s, until the next key frame */
#define CONCEALED_MOST 0.08
#define ERA_S INT64_C(2085978496) /* Unix time at which NTP's 32 bits of seconds wrap (RFC 5905 6) */
#define ERA_AFTER_US RMI_SEC(7)   /* from the beginning of the run: reports have come before and come after */
#define SKEW_MOST_US RMI_MS(45)   /* what nobody notices; sound that waits for repairs takes most of it */
#define RTT_MOST_US RMI_MS(40)
#define TSNS_TO_GO 30
#define MESSAGE_EACH_US RMI_MS(100)

/* Numbers that one side sends on a channel of its own, and those that it gets. */
struct counter {
    struct rmt_duet *d;
    struct rmt_studio **own; /* in d; known once it is made */
    struct rmi_sctp *sctp;
    struct rmi_channels *channels;
    const char *other;
    uint16_t channel;
    bool open;
    uint32_t sent, got;
};

/* Before the association is started: its numbers have nearly run out. */
static void *up(void *ctx, const char *peer_id, struct rmi_channels *channels, size_t message_max) {
    struct counter *c = ctx;
    const struct rmi_channel_options options = {.label = "numbers", .id = RMI_CHANNEL_ANY};
    (void)message_max;
    c->channels = channels;
    c->sctp = rmi_ep_find(rmt_peer_endpoint(rmt_studio_peer(*c->own)), peer_id)->sctp;
    test_set_first_tsn(c->sctp, UINT32_MAX - TSNS_TO_GO);
    RMT_CHECK_INT(c->d->v, rmi_channels_open(channels, rmt_vnet_now(c->d->v), &options, &c->channel), RM_OK);
    return c;
}

static void heard(void *ctx, void *peer, const struct rmi_channels_event *ev) {
    struct counter *c = ctx;
    uint32_t number;
    (void)peer;
    c->open = c->open || (ev->type == RMI_CHANNELS_EV_OPEN && ev->channel == c->channel);
    if (ev->type != RMI_CHANNELS_EV_MESSAGE)
        return;
    RMT_CHECK_INT(c->d->v, ev->len, sizeof number);
    memcpy(&number, ev->data, sizeof number);
    RMT_CHECK_INT(c->d->v, number, c->got);
    c->got++;
}

static void down(void *ctx, void *peer) {
    (void)ctx;
    (void)peer;
}

static void count_on(void *ctx, int64_t now_us) {
    struct counter *c = ctx;
    struct rmt_peer *p = rmt_studio_peer(*c->own);
    RMT_CHECK(c->d->v, c->open);
    RMT_CHECK_INT(c->d->v, rmi_channels_send(c->channels, rmt_peer_now(p), c->channel, true, &c->sent, sizeof c->sent),
                  RM_OK);
    c->sent++;
    rmi_endpoint_data_flush(rmt_peer_endpoint(p), rmt_peer_now(p), c->other);
    rmt_peer_pump(p);
    if (c->sent < RMI_SEC(RUN_S - 1) / MESSAGE_EACH_US)
        rmt_vnet_at(c->d->v, now_us + MESSAGE_EACH_US, count_on, c);
}

static void check_counter(struct rmt_vnet *v, const struct counter *from, const struct counter *to) {
    RMT_CHECK(v, from->sctp->next_tsn < UINT32_MAX / 2); /* begun anew */
    RMT_CHECK(v, from->sent > TSNS_TO_GO);
    RMT_CHECK_INT(v, to->got, from->sent);
}

static void check(struct rmt_vnet *v, struct rmt_reception *r, bool lossy) {
    rmt_reception_check_order(v, r);
    RMT_CHECK_INT(v, r->sound.buffer.restarts, 1);
    RMT_CHECK_INT(v, r->video.buffer.restarts, 1);
    RMT_CHECK(v, r->skew_us > -SKEW_MOST_US && r->skew_us < SKEW_MOST_US);
    RMT_CHECK(v, r->rtp.rtt_us > 0 && r->rtp.rtt_us < RTT_MOST_US);
    if (lossy) {
        RMT_CHECK(v, (double)r->pictures >= PICTURES_LEAST * FPS * RUN_S);
        RMT_CHECK(v, r->rtp.in[RMI_RTP_VIDEO].rtx_packets > 0);
        RMT_CHECK(v, rmt_concealed_share(r) < CONCEALED_MOST);
        return;
    }
    RMT_CHECK(v, r->pictures >= FPS * RUN_S - 1);
    RMT_CHECK(v, r->longest_freeze_us < 2 * RMI_SEC(1) / FPS);
    RMT_CHECK_INT(v, r->sound.concealed_samples, 0);
    RMT_CHECK_INT(v, r->sound_packets_lost, 0);
    RMT_CHECK_INT(v, r->rtp.in[RMI_RTP_VIDEO].packets_lost, 0);
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    const bool lossy = seed % 2;
    const struct rmt_link calm = {.delay_us = RMI_MS(10)},
                          link = {.delay_us = RMI_MS(10), .loss_ppm = lossy ? LOSS_PPM : 0};
    const struct rmt_studio_config studio = {.sound = true, .pictures = true, .fps = FPS, .numbers_wrap = true};
    struct rmt_duet d;
    struct counter alice = {.d = &d, .own = &d.alice, .other = "bob"}, bob = {.d = &d, .own = &d.bob, .other = "alice"};
    const struct rmt_duet_config config = {.up = calm,
                                           .down = calm,
                                           .wall_offset_us =
                                               RMI_SEC(ERA_S - RMT_VIRTUAL_EPOCH_S) - RMT_START_US - ERA_AFTER_US,
                                           .alice_channels = {up, heard, down, &alice},
                                           .bob_channels = {up, heard, down, &bob},
                                           .video_first = seed % 3 ? RMI_JSEP_VP8 : RMI_JSEP_VP9,
                                           .alice = studio,
                                           .bob = studio};
    rmt_duet_open(&d, sim, seed, &config, RMI_SEC(1));
    rmt_host_set_links(d.alice_host, &link, &link);
    count_on(&alice, rmt_vnet_now(d.v));
    count_on(&bob, rmt_vnet_now(d.v));
    rmt_vnet_run_for(d.v, RMI_SEC(RUN_S));
    RMT_CHECK(d.v, rmt_host_wall(d.alice_host) > RMI_SEC(ERA_S - RMT_VIRTUAL_EPOCH_S));
    check_counter(d.v, &alice, &bob);
    check_counter(d.v, &bob, &alice);
    RMT_CHECK_INT(d.v, rmt_studio_wrapped(d.alice, "bob"), RMT_WRAPPED_ALL);
    RMT_CHECK_INT(d.v, rmt_studio_wrapped(d.bob, "alice"), RMT_WRAPPED_ALL);
    check(d.v, rmt_studio_from(d.bob, "alice"), lossy);
    check(d.v, rmt_studio_from(d.alice, "bob"), lossy);
    rmt_duet_close(&d, sim);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 6, "numbers_wrap_without_a_gap");
}
