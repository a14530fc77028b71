/* SPDX-License-Identifier: Apache-2.0 */
/* Sound over links that lose up to 30 % of all packets at random, or in bursts, near and far: what is concealed is
 * hardly more than what no copy and no repair brought, and up to 20 % no gap is long. With the default jitter buffer.
 */
#include "support/sim_duet.h"

#include <inttypes.h>

#define PERCENT (RMT_PPM_ONE / 100)
#define NEAR_US RMI_MS(5) /* one way: repairs that are asked for come in time */
#define FAR_US RMI_MS(50) /* and here only copies */
#define BUFFER_US RMI_MS(50)
#define SETTLE_S 8 /* losses are known */
#define RUN_S 20
#define CONCEALED_OF_LEFT 1.3
#define FEW 5 /* packets: a share of so few is chance */
#define GAP_US RMI_MS(120)

struct row {
    uint32_t loss; /* per cent, random; or, with `burst`, of the whole, all lost in bursts */
    uint32_t burst;
    double left; /* share of packets left unrepaired at most: far away, by copies only */
};

static const struct row rows[] = {
    {0, 0, 0},     {1, 0, 0.015},  {2, 0, 0.025}, {5, 0, 0.01},  {10, 0, 0.005}, {15, 0, 0.01},
    {20, 0, 0.02}, {30, 0, 0.045}, {3, 2, 0.03},  {5, 2, 0.035}, {10, 2, 0.04},  {20, 2, 0.07},
};
#define ROWS (sizeof rows / sizeof *rows)
/* Near with frames of 10 ms, far with those of 20; the rest with more seeds than CTest runs. */
#define VARIANTS 4
#define VARIANTS_TESTED 2

/* Gilbert-Elliott with everything lost while bad: share = enter / (enter + leave), mean burst = 1 / leave. */
static struct rmt_link link_of(const struct row *row, int64_t delay_us) {
    struct rmt_link l = {.delay_us = delay_us};
    if (row->burst == 0) {
        l.loss_ppm = row->loss * PERCENT;
        return l;
    }
    l.ge_bad = RMT_PPM_ONE;
    l.ge_leave = RMT_PPM_ONE / row->burst;
    l.ge_enter = l.ge_leave * row->loss / (100 - row->loss);
    return l;
}

struct tally {
    uint64_t sent, left, lost;
    double concealed, samples;
};

static struct tally tally_of(struct rmt_reception *r) {
    return (struct tally){.sent = r->sound_packets,
                          .left = r->sound_lost_for_good,
                          .lost = (uint64_t)r->rtp.in[RMI_RTP_AUDIO].packets_lost,
                          .concealed = (double)r->sound.concealed_samples,
                          .samples = (double)r->sound.samples};
}

static void check(struct rmt_vnet *v, const struct row *row, bool far, uint32_t frame_ms, const struct tally *a,
                  struct rmt_reception *r) {
    const struct tally b = tally_of(r);
    const double sent = (double)(b.sent - a->sent), left = (double)(b.left - a->left) / sent,
                 lost = (double)(b.lost - a->lost) / sent,
                 concealed = (b.concealed - a->concealed) / (b.samples - a->samples), few = FEW / sent;
    rmt_vnet_note(v,
                  "%s %2" PRIu32 " %% %s, %2" PRIu32 " ms: lost %5.2f %% left %5.2f %% concealed %5.2f %% gap %3" PRId64
                  " ms, delay %2" PRId64 " ms, copies %4.2f, NACKs %" PRIu64,
                  row->burst ? "bursts" : "random", row->loss, far ? "far " : "near", frame_ms, lost * 100, left * 100,
                  concealed * 100, r->longest_gap_us / 1000, r->sound.buffer.target_us / 1000,
                  (double)r->rtp.out[RMI_RTP_AUDIO].redundant / (double)r->rtp.out[RMI_RTP_AUDIO].packets,
                  r->rtp.in[RMI_RTP_AUDIO].nacks);
    RMT_CHECK(v, concealed <= CONCEALED_OF_LEFT * left + few);
    RMT_CHECK(v, left <= row->left + few);
    RMT_CHECK(v, row->loss > 20 || r->longest_gap_us <= GAP_US);
    RMT_CHECK(v, r->sound_disorder == 0);
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    const struct row *row = &rows[(seed - 1) % ROWS];
    const unsigned variant = (unsigned)((seed - 1) / ROWS % VARIANTS);
    const bool far = variant % 2;
    const uint32_t frame_ms = far == (variant < 2) ? 20 : 10;
    const struct rmt_link link = link_of(row, far ? FAR_US : NEAR_US);
    const struct rmt_studio_config studio = {
        .sound = true, .voice = true, .sound_ms = frame_ms, .max_delay_us = BUFFER_US};
    const struct rmt_duet_config config = {.up = link, .down = link, .no_video = true, .alice = studio, .bob = studio};
    struct rmt_duet d;
    rmt_duet_open(&d, sim, seed, &config, RMI_SEC(SETTLE_S));
    struct tally a = tally_of(rmt_studio_from(d.bob, "alice")), b = tally_of(rmt_studio_from(d.alice, "bob"));
    rmt_vnet_run_for(d.v, RMI_SEC(RUN_S));
    check(d.v, row, far, frame_ms, &a, rmt_studio_from(d.bob, "alice"));
    check(d.v, row, far, frame_ms, &b, rmt_studio_from(d.alice, "bob"));
    rmt_duet_close(&d, sim);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, ROWS * VARIANTS_TESTED, "sound_is_repaired_up_to_a_third_lost");
}
