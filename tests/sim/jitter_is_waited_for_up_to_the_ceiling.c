/* SPDX-License-Identifier: Apache-2.0 */
/* A calm path, then one with 0 to 60 ms of jitter, then calm again: the delay of sound grows to what is needed, never
 * beyond its ceiling, and comes down again. */
#include "support/sim_duet.h"

#define CALM_US RMI_SEC(4)
#define ROUGH_US RMI_SEC(15)
#define RECOVERY_US RMI_SEC(12) /* of the delay estimate: 8 s after the jitter (src/jitter/delay.h), and down */
#define JITTER_US RMI_MS(30)    /* either way */
#define CEILING_LOW_US RMI_MS(40)
#define CEILING_HIGH_US RMI_MS(200)
#define SLACK_US RMI_MS(25) /* a chunk under way, one concealed, and what a chunk of capture and codec take */
#define COPY_US RMI_MS(20)  /* what overtakes makes copies of what was overtaken of use: those are waited for */
#define CALM_AGE_US RMI_MS(60)
#define CONCEALED_MOST 0.03

static void watch(struct rmt_duet *d, int64_t duration_us, int64_t ceiling_us, int64_t *most_us) {
    *most_us = 0;
    for (int64_t t = 0; t < duration_us; t += RMI_MS(100)) {
        rmt_vnet_run_for(d->v, RMI_MS(100));
        struct rmt_reception *r = rmt_studio_from(d->bob, "alice");
        RMT_CHECK(d->v, r->sound.buffer.target_us <= ceiling_us);
        *most_us = rmi_max64(*most_us, r->sound.buffer.target_us);
    }
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    const int64_t ceiling_us = seed % 2 ? CEILING_HIGH_US : CEILING_LOW_US;
    const struct rmt_link calm = {.delay_us = JITTER_US},
                          rough = {.delay_us = JITTER_US, .jitter_us = JITTER_US, .allow_reorder = seed % 3 == 0};
    const struct rmt_duet_config config = {
        .up = calm, .no_video = true, .alice = {.sound = true}, .bob = {.max_delay_us = ceiling_us}};
    struct rmt_duet d;
    int64_t most_us;
    rmt_duet_open(&d, sim, seed, &config, RMI_SEC(1));
    struct rmt_reception *r = rmt_studio_from(d.bob, "alice");
    watch(&d, CALM_US, ceiling_us, &most_us);
    RMT_CHECK(d.v, most_us <= RMI_MS(2));
    RMT_CHECK_INT(d.v, r->sound.concealed_samples, 0);
    RMT_CHECK(d.v, rmt_samples_max(&r->sound_age_us) < CALM_AGE_US);

    rmt_host_set_links(d.alice_host, &rough, &calm);
    watch(&d, ROUGH_US, ceiling_us, &most_us);
    RMT_CHECK(d.v, most_us >= rmi_min64(JITTER_US, ceiling_us));
    RMT_CHECK(d.v, ceiling_us < CEILING_HIGH_US || rmt_concealed_share(r) < CONCEALED_MOST);
    /* The fastest path is 0 ms: capture, codec, the ceiling or the jitter, and what one chunk adds. */
    const int64_t oldest_us = rmi_min64(ceiling_us, 2 * JITTER_US) + 2 * SLACK_US;
    RMT_CHECK(d.v, rmt_samples_max(&r->sound_age_us) <= oldest_us + (rough.allow_reorder ? COPY_US : 0));

    rmt_host_set_links(d.alice_host, &calm, &calm);
    rmt_vnet_run_for(d.v, RECOVERY_US);
    rmt_studio_forget(d.bob);
    rmt_vnet_run_for(d.v, RMI_SEC(3));
    r = rmt_studio_from(d.bob, "alice");
    RMT_CHECK(d.v, r->markers >= 5);
    RMT_CHECK(d.v, rmt_samples_max(&r->sound_age_us) < CALM_AGE_US);
    rmt_reception_check_order(d.v, r);
    rmt_duet_close(&d, sim);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 6, "jitter_is_waited_for_up_to_the_ceiling");
}
