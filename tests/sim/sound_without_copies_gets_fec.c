/* SPDX-License-Identifier: Apache-2.0 */
/* A peer that takes no copies of sound (RFC 2198) loses a tenth of it: reports of that turn Opus's own FEC on, which
 * mends most of what is lost, and turn it off again when the losses end. Without losses there is none, and none for a
 * peer that takes copies. */
#include "support/sim_duet.h"

#include <inttypes.h>

#define LOSS_PPM (RMT_PPM_ONE / 10)
#define CALM_S 8
#define ON_S 8 /* reports, and two seconds that they stay */
#define LOSS_S 30
#define OFF_S 60 /* the mean of the losses falls slowly, and then ten seconds */
#define LOST_LEAST 0.07
#define CONCEALED_OF_LOST 0.7 /* a fifth at 32 kbit/s; FEC finds less room at 16, where losses may bring the rate */
#define BUFFER_US RMI_MS(100)

static void lose(struct rmt_duet *d, uint32_t ppm) {
    const struct rmt_link up = {.delay_us = RMI_MS(20), .loss_ppm = ppm}, down = {.delay_us = RMI_MS(20)};
    rmt_host_set_links(d->alice_host, &up, &down);
}

/* Seconds until it is on, or off; at most so many. */
static int wait_for_fec(struct rmt_duet *d, bool on, int seconds) {
    int waited = 0;
    while ((rmt_studio_fec(d->alice) > 0) != on && waited++ < seconds)
        rmt_vnet_run_for(d->v, RMI_SEC(1));
    return waited;
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    const uint32_t frame_ms = seed % 2 ? 10 : 20;
    const bool copies = seed % 4 == 0;
    const struct rmt_studio_config alice = {
        .sound = true, .voice = true, .sound_ms = frame_ms, .no_copies = !copies, .max_delay_us = BUFFER_US};
    const struct rmt_duet_config config = {.no_video = true, .alice = alice, .bob = {.max_delay_us = BUFFER_US}};
    struct rmt_duet d;
    rmt_duet_open(&d, sim, seed, &config, RMI_SEC(1));
    lose(&d, 0);
    rmt_vnet_run_for(d.v, RMI_SEC(CALM_S));
    RMT_CHECK_INT(d.v, rmt_studio_fec(d.alice), 0);
    lose(&d, LOSS_PPM);
    const int on_s = wait_for_fec(&d, true, ON_S);
    RMT_CHECK(d.v, copies ? on_s > ON_S : on_s <= ON_S);
    struct rmt_reception *r = rmt_studio_from(d.bob, "alice");
    const double samples = (double)r->sound.samples, concealed = (double)r->sound.concealed_samples,
                 packets = (double)r->sound_packets, lost = (double)r->rtp.in[RMI_RTP_AUDIO].packets_lost;
    rmt_vnet_run_for(d.v, RMI_SEC(LOSS_S));
    r = rmt_studio_from(d.bob, "alice");
    const double of_samples = ((double)r->sound.concealed_samples - concealed) / ((double)r->sound.samples - samples);
    const double of_packets =
        ((double)r->rtp.in[RMI_RTP_AUDIO].packets_lost - lost) / ((double)r->sound_packets - packets);
    const uint32_t narrow_bps = rmt_studio_narrow_bps(d.alice);
    lose(&d, 0);
    const int off_s = wait_for_fec(&d, false, OFF_S);
    rmt_vnet_note(
        d.v, "%" PRIu32 " ms, %s: FEC on after %d s, lost %.1f %%, concealed %.1f %%, off after %d s; narrow: %u bit/s",
        frame_ms, copies ? "copies" : "no copies", on_s, of_packets * 100, of_samples * 100, off_s, narrow_bps);
    RMT_CHECK(d.v, of_packets > LOST_LEAST);
    RMT_CHECK(d.v, of_samples < CONCEALED_OF_LOST * of_packets);
    RMT_CHECK(d.v, off_s <= OFF_S);
    RMT_CHECK_INT(d.v, r->sound_disorder, 0);
    rmt_duet_close(&d, sim);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 8, "sound_without_copies_gets_fec");
}
