/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures with 0 to 10 % of all packets lost both ways, 100 ms there and back: NACK and RTX repair what is lost, and
 * 95 % of the times without a picture end within 300 ms. */
#include "support/sim_duet.h"

#include <inttypes.h>

#define PERCENT (RMT_PPM_ONE / 100)
#define ONE_WAY_US RMI_MS(50)
#define SETTLE_S 5
#define FPS 30
#define FREEZE_US RMI_MS(300)
#define LONGEST_US RMI_SEC(2) /* repairs and the key frame behind them lost as well */
#define SHOWN_LEAST 0.9

/* Loss in per cent, and how long for so many freezes that their 95th percentile means something. */
static const struct { uint32_t percent, run_s; } rows[] = {{0, 20}, {1, 100}, {2, 80}, {5, 50}, {10, 40}};
#define ROWS (sizeof rows / sizeof *rows)

struct tally {
    struct rmt_samples freezes_us;
    uint64_t shown, sent, nacks, repaired, plis;
};

static void add(struct rmt_vnet *v, struct tally *t, const struct rmt_reception *r, uint64_t sent) {
    rmt_reception_check_order(v, r);
    for (size_t i = 0; i < r->freezes_us.n; i++)
        rmt_samples_add(&t->freezes_us, r->freezes_us.v[i]);
    t->shown += r->pictures;
    t->sent += sent;
    t->nacks += r->rtp.in[RMI_RTP_VIDEO].nacks;
    t->repaired += r->rtp.in[RMI_RTP_VIDEO].retransmitted;
    t->plis += r->rtp.in[RMI_RTP_VIDEO].plis;
}

/* Of both directions and codecs: 95 % of a few freezes would be the longest of them. */
static void check(struct rmt_vnet *v, uint32_t percent, struct tally *t) {
    const int64_t p50 = rmt_samples_percentile(&t->freezes_us, 50000),
                  p95 = rmt_samples_percentile(&t->freezes_us, 95000), most = rmt_samples_max(&t->freezes_us);
    const double shown = (double)t->shown / (double)t->sent;
    rmt_vnet_note(v,
                  "loss %2" PRIu32 " %%: shown %5.1f %%, freezes %3zu p50 %3" PRId64 " p95 %3" PRId64 " max %4" PRId64
                  " ms, NACKs %" PRIu64 " repaired %" PRIu64 " PLI %" PRIu64,
                  percent, 100 * shown, t->freezes_us.n, p50 / 1000, p95 / 1000, most / 1000, t->nacks, t->repaired,
                  t->plis);
    RMT_CHECK(v, percent > 0 || t->freezes_us.n == 0);
    RMT_CHECK(v, p95 < FREEZE_US);
    RMT_CHECK(v, most <= LONGEST_US);
    RMT_CHECK(v, shown >= SHOWN_LEAST);
    rmt_samples_fini(&t->freezes_us);
}

static void play(uint64_t seed, struct rmt_sim *sim, enum rmi_jsep_codec_id codec, bool last, struct tally *t) {
    const uint32_t percent = rows[seed % ROWS].percent;
    const struct rmt_link link = {.delay_us = ONE_WAY_US, .loss_ppm = percent * PERCENT};
    const struct rmt_studio_config studio = {.sound = true, .pictures = true, .fps = FPS};
    const struct rmt_duet_config config = {
        .up = link, .down = link, .video_first = codec, .alice = studio, .bob = studio};
    struct rmt_duet d;
    rmt_duet_open(&d, sim, seed, &config, RMI_SEC(SETTLE_S));
    const uint64_t a = rmt_studio_pictures_sent(d.alice), b = rmt_studio_pictures_sent(d.bob);
    rmt_vnet_run_for(d.v, RMI_SEC(rows[seed % ROWS].run_s));
    add(d.v, t, rmt_studio_from(d.bob, "alice"), rmt_studio_pictures_sent(d.alice) - a);
    add(d.v, t, rmt_studio_from(d.alice, "bob"), rmt_studio_pictures_sent(d.bob) - b);
    if (last)
        check(d.v, percent, t);
    rmt_duet_close(&d, sim);
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    struct tally t = {.sent = 0};
    play(seed, sim, RMI_JSEP_VP8, false, &t);
    play(seed, sim, RMI_JSEP_VP9, true, &t);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, ROWS, "pictures_hardly_freeze_at_a_tenth_lost");
}
