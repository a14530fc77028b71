/* SPDX-License-Identifier: Apache-2.0 */
#include "support/sim_duet.h"

#include <inttypes.h>

void rmt_reception_note(struct rmt_vnet *v, const char *listener, struct rmt_reception *r) {
    rmt_vnet_note(v,
                  "%s from %s: sound p50 %" PRId64 " p95 %" PRId64 " max %" PRId64 " us, %" PRIu64 " markers, %" PRIu64
                  " chunks, concealed %.4f (lost %" PRIu64 ", for good %" PRIu64 " of %" PRIu64 "), target %" PRId64
                  " delay %" PRId64 " us, pause %" PRId64 " us, starved %" PRIu64 " late %" PRIu64 " fec %" PRIu64,
                  listener, r->id, rmt_samples_percentile(&r->sound_age_us, 50000),
                  rmt_samples_percentile(&r->sound_age_us, 95000), rmt_samples_max(&r->sound_age_us), r->markers,
                  r->chunks, rmt_concealed_share(r), r->sound_packets_lost, r->sound_lost_for_good, r->sound_packets,
                  r->sound.buffer.target_us, r->sound.buffer.delay_us, r->longest_pause_us, r->sound.buffer.starved,
                  r->sound.buffer.late, r->sound.buffer.fec_played);
    rmt_vnet_note(v,
                  "%s from %s: pictures %" PRIu64 " p50 %" PRId64 " p95 %" PRId64 " us, freeze %" PRId64
                  " us, PSNR least %.1f mean %.1f dB, key frames %" PRIu64 ", NACKs %" PRIu64 " RTX %" PRIu64
                  ", PLI sent %" PRIu64 " answered to %" PRIu64 ", skew %" PRId64 " us, disorder %" PRIu64 " %" PRIu64
                  " unreadable %" PRIu64,
                  listener, r->id, r->pictures, rmt_samples_percentile(&r->picture_age_us, 50000),
                  rmt_samples_percentile(&r->picture_age_us, 95000), r->longest_freeze_us, r->psnr_least,
                  r->psnr_count ? r->psnr_sum / (double)r->psnr_count : 0, r->video.key_frames,
                  r->rtp.in[RMI_RTP_VIDEO].nacks, r->rtp.in[RMI_RTP_VIDEO].rtx_packets, r->rtp.in[RMI_RTP_VIDEO].plis,
                  r->key_requests, r->skew_us, r->sound_disorder, r->picture_disorder, r->unreadable);
}

void rmt_reception_check_order(struct rmt_vnet *v, const struct rmt_reception *r) {
    RMT_CHECK_INT(v, r->sound_disorder, 0);
    RMT_CHECK_INT(v, r->picture_disorder, 0);
    RMT_CHECK_INT(v, r->unreadable, 0);
}

double rmt_concealed_share(const struct rmt_reception *r) {
    return r->sound.samples ? (double)r->sound.concealed_samples / (double)r->sound.samples : 0;
}

void rmt_duet_open(struct rmt_duet *d, struct rmt_sim *sim, uint64_t seed, const struct rmt_duet_config *config,
                   int64_t settle_us) {
    *d = (struct rmt_duet){.v = rmt_sim_vnet(sim, seed)};
    d->mesh = rmt_mesh_create(d->v, &(struct rmt_mesh_config){.signaling_delay_us = RMI_MS(5)});
    d->alice_host = rmt_host_add(
        d->v,
        &(struct rmt_host_config){.name = "alice", .ips = {"192.0.2.1"}, .wall_offset_us = config->wall_offset_us});
    d->bob_host = rmt_host_add(d->v, &(struct rmt_host_config){.name = "bob",
                                                               .ips = {"198.51.100.1"},
                                                               .skew_ppm = config->bob_skew_ppm,
                                                               .wall_offset_us = config->wall_offset_us});
    rmt_host_set_links(d->alice_host, &config->up, &config->down);
    d->options = (struct rmt_peer_options){.no_video = config->no_video, .video_first = config->video_first};
    d->options.channels = config->alice_channels;
    d->alice = rmt_studio_add(d->mesh, d->alice_host, &d->options, &config->alice);
    d->options.channels = config->bob_channels;
    d->bob = rmt_studio_add(d->mesh, d->bob_host, &d->options, &config->bob);
    rmt_peer_start(rmt_studio_peer(d->alice));
    rmt_vnet_run_for(d->v, RMI_MS(seed % 10 * 10)); /* the phase of their clocks against one another */
    rmt_peer_start(rmt_studio_peer(d->bob));
    RMT_CHECK(d->v, rmt_vnet_run_while_not(d->v, rmt_mesh_all_connected, d->mesh, rmt_vnet_now(d->v) + RMI_SEC(10)));
    rmt_vnet_run_for(d->v, settle_us);
    rmt_studio_forget(d->alice);
    rmt_studio_forget(d->bob);
}

void rmt_duet_close(struct rmt_duet *d, struct rmt_sim *sim) {
    rmt_reception_note(d->v, "alice", rmt_studio_from(d->alice, "bob"));
    rmt_reception_note(d->v, "bob", rmt_studio_from(d->bob, "alice"));
    rmt_mesh_destroy(&d->mesh);
    rmt_studio_destroy(&d->alice);
    rmt_studio_destroy(&d->bob);
    rmt_sim_done(sim, &d->v);
}
