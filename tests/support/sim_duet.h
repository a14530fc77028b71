/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMT_SIM_DUET_H
#define RMT_SIM_DUET_H

#include "support/sim_media.h"

/* Two peers with media, "alice" and "bob": what most scenarios of media need. */
struct rmt_duet_config {
    struct rmt_link up, down; /* of alice; bob's links are ideal */
    int32_t bob_skew_ppm;
    int64_t wall_offset_us;             /* of both hosts: the day on which it happens */
    bool no_video;                      /* not negotiated */
    enum rmi_jsep_codec_id video_first; /* RMI_JSEP_OPUS = 0: VP9 */
    struct rmt_studio_config alice, bob;
    struct rmi_endpoint_data_ops alice_channels, bob_channels; /* zeros: none */
};

struct rmt_duet {
    struct rmt_vnet *v;
    struct rmt_mesh *mesh;
    struct rmt_host *alice_host, *bob_host;
    struct rmt_peer_options options;
    struct rmt_studio *alice, *bob;
};

/* Both are connected, and `settle_us` has passed since; judging begins then. */
void rmt_duet_open(struct rmt_duet *d, struct rmt_sim *sim, uint64_t seed, const struct rmt_duet_config *config,
                   int64_t settle_us);
/* Figures of both go into the trace, for people. */
void rmt_duet_close(struct rmt_duet *d, struct rmt_sim *sim);
/* One reception into the trace. */
void rmt_reception_note(struct rmt_vnet *v, const char *listener, struct rmt_reception *r);
/* Nothing came twice, out of order, or damaged. */
void rmt_reception_check_order(struct rmt_vnet *v, const struct rmt_reception *r);
double rmt_concealed_share(const struct rmt_reception *r); /* of all samples on this connection */

#endif
