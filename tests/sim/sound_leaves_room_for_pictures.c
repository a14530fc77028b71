/* SPDX-License-Identifier: Apache-2.0 */
/* Sound of 64 kbit/s and pictures over 100 to 300 kbit/s: the sound is whole and not late, for it becomes as narrow as
 * the path calls for; from 200 kbit/s on there are pictures beside it, on 300 none stands still for a second. When the
 * path widens, sound is soon again what was configured. */
#include "support/sim_duet.h"

#include <inttypes.h>

#define SETTLE_S 15
#define RUN_S 30
#define SOUND_BPS 64000
#define WIDEN_S 40 /* probes find it, and sound that is new to it waits four seconds; later, longer */
#define CONCEALED_MOST 0.01
#define AGE_MOST_US RMI_MS(400) /* 95 %, with lips in step; half of it without */
#define FPS 15

static const struct row {
    int64_t rate_bps;
    uint32_t frame_ms;
    uint64_t pictures; /* at least */
    int64_t freeze_us;
} rows[] = {
    {100000, 10, 0, RMI_NEVER},     {150000, 10, 0, RMI_NEVER},
    {200000, 10, RUN_S, RMI_NEVER}, {300000, 10, RUN_S *FPS / 2, RMI_SEC(1)},
    {100000, 20, 0, RMI_NEVER},     {150000, 20, 0, RMI_NEVER},
    {200000, 20, RUN_S, RMI_NEVER}, {300000, 20, RUN_S *FPS / 2, RMI_SEC(1)},
};
#define ROWS (sizeof rows / sizeof *rows)

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    const struct row *row = &rows[(seed - 1) % ROWS];
    const struct rmt_link link = {.delay_us = RMI_MS(20), .jitter_us = RMI_MS(2), .rate_bps = row->rate_bps};
    const struct rmt_studio_config alice = {.sound = true,
                                            .sound_ms = row->frame_ms,
                                            .sound_bps = SOUND_BPS,
                                            .pictures = true,
                                            .width = 640,
                                            .height = 360,
                                            .fps = FPS,
                                            .rungs = {.count = 2, .rung = {{640, 360, 600000}, {320, 180, 200000}}}};
    const struct rmt_duet_config config = {.up = link,
                                           .down = {.delay_us = RMI_MS(20)},
                                           .video_first = RMI_JSEP_H264,
                                           .alice = alice,
                                           .bob = {.any_size = true}};
    struct rmt_duet d;
    rmt_duet_open(&d, sim, seed, &config, RMI_SEC(SETTLE_S));
    struct rmt_reception *r = rmt_studio_from(d.bob, "alice");
    const double samples = (double)r->sound.samples, concealed = (double)r->sound.concealed_samples;
    rmt_vnet_run_for(d.v, RMI_SEC(RUN_S));
    r = rmt_studio_from(d.bob, "alice");
    const double share = ((double)r->sound.concealed_samples - concealed) / ((double)r->sound.samples - samples);
    const int64_t age_us = rmt_samples_percentile(&r->sound_age_us, 95000);
    rmt_vnet_note(d.v,
                  "%" PRId64 " kbit/s, %" PRIu32 " ms: sound %s of %u bit/s, concealed %.2f %%, gap %" PRId64
                  " ms, age %" PRId64 " ms of %zu, buffer %" PRId64 " ms; %" PRIu64 " pictures, freeze %" PRId64 " ms",
                  row->rate_bps / 1000, row->frame_ms, rmt_studio_narrow(d.alice, "bob") ? "narrow" : "full",
                  rmt_studio_narrow_bps(d.alice), share * 100, r->longest_gap_us / 1000, age_us / 1000,
                  r->sound_age_us.n, r->sound.buffer.target_us / 1000, r->pictures, r->longest_freeze_us / 1000);
    RMT_CHECK(d.v, rmt_studio_narrow(d.alice, "bob"));
    RMT_CHECK(d.v, share <= CONCEALED_MOST && r->sound_disorder == 0);
    RMT_CHECK(d.v, r->sound_age_us.n > RUN_S && age_us <= AGE_MOST_US);
    RMT_CHECK(d.v, r->pictures >= row->pictures && r->longest_freeze_us <= row->freeze_us);
    rmt_host_set_links(d.alice_host, &config.down, &config.down);
    int widen_s = 0;
    while (rmt_studio_narrow(d.alice, "bob") && widen_s++ < WIDEN_S)
        rmt_vnet_run_for(d.v, RMI_SEC(1));
    rmt_vnet_note(d.v, "sound as configured %d s after the path widened", widen_s);
    RMT_CHECK(d.v, widen_s <= WIDEN_S);
    RMT_CHECK_INT(d.v, rmt_studio_from(d.bob, "alice")->sound_disorder, 0);
    rmt_duet_close(&d, sim);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, ROWS, "sound_leaves_room_for_pictures");
}
