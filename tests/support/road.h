/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMT_ROAD_H
#define RMT_ROAD_H

#include "support/mesh.h"
#include "support/sim_main.h"
#include "support/tcp_model.h"

/* Media flows between complete peers over one bottleneck, or several in a row, to judge congestion control (RFC 8867):
 * the senders stand behind a NAT whose wires are the bottleneck; behind another NAT, there are two. Encoders are
 * synthetic: pictures of the bitrate they are told, 30 a second, that differ by a fifth; sound of 20 kbit/s. All else
 * is what ships. */

#define ROAD_FLOWS 10
#define ROAD_TCPS 10
#define ROAD_HOPS 3

struct road_flow_config {
    int64_t owd_us;     /* one way, besides the bottleneck's; 0: none */
    double weight;      /* 0 = 1 */
    double most_bps;    /* of pictures; 0 = 1.5 Mbit/s (RFC 8867 4.3) */
    double least_bps;   /* of pictures; 0 = 150 kbit/s */
    double start_bps;   /* 0 = 150 kbit/s */
    double ceiling_bps; /* of congestion control; 0 = four times most_bps, as src/webrtc has it */
    bool backward;      /* from the public side through the bottleneck's other direction */
    size_t peers;       /* one sender to so many receivers, a flow each; 0 = 1 */
    size_t first_hop;   /* the sender stands behind this one, */
    size_t last_hop;    /* and the receiver beyond that one (<= first_hop) */
};

struct road_flow {
    struct road *road;
    struct road_flow_config config;
    char name[RMT_NAME_MAX], receiver_name[RMT_NAME_MAX];
    struct rmt_peer *sender, *receiver;
    struct rmi_rtp_session *rtp; /* the sender's; NULL: not connected */
    struct rmi_frame_pool *pool;
    bool paused;
    int64_t from_us;
    double video_bps;
    uint64_t picture_task, sound_task;
    uint32_t pictures, sounds;
    uint64_t bytes, packets[RMI_RTP_KINDS]; /* that arrived, payload */
    uint64_t sounds_in_time;                /* those, or copies of them soon enough to be played */
    uint32_t newest_sound;                  /* timestamp */
    struct rmt_samples rate;                /* bits that arrived in each second of the run, from its start on */
    uint64_t second_bytes;
    double target_bps;
};

struct road_hop {
    struct rmt_nat *nat;
    int64_t queue_us, owd_us;
    struct rmt_samples queue[2]; /* of both directions, each 10 ms since road_judge */
    double capacity_bits[2];     /* since road_judge */
    double out_bytes[2];         /* of the wires at road_judge */
};

struct road {
    struct rmt_vnet *v;
    struct rmt_sim *sim;
    struct rmt_mesh *mesh;
    struct rmi_prng prng;
    int64_t start_us;
    struct road_hop hop[ROAD_HOPS]; /* 0 is the outermost */
    size_t hops;
    struct road_flow flow[ROAD_FLOWS];
    size_t flows;
    struct tcp_flow *tcp[ROAD_TCPS];
    size_t tcps;
    int64_t judged_us;
    bool ecn;
    struct rmt_link ecn_link;   /* what the bottlenecks do to ECN fields; the rest of it does not count */
    struct road_series *series; /* NULL: none is asked for */
};

/* Capacity of both directions, queue and delay of the bottleneck. */
void road_open(struct road *r, struct rmt_sim *sim, uint64_t seed, double bps, int64_t queue_us, int64_t owd_us);
/* One more, behind those there are. */
void road_add_hop(struct road *r, double bps, int64_t queue_us, int64_t owd_us);
void road_capacity(struct road *r, enum rmt_dir dir, double bps); /* of the outermost */
/* Flows that are added from now on use ECN, and the bottlenecks do with it as this link does. */
void road_ecn(struct road *r, const struct rmt_link *like);
/* Added in order; it begins now. The first of several, which follow it in struct road. */
struct road_flow *road_add(struct road *r, const struct road_flow_config *config);
void road_pause(struct road_flow *f, bool paused);
struct tcp_flow *road_tcp(struct road *r);
void road_run(struct road *r, double seconds);
void road_judge(struct road *r); /* figures begin anew */
void road_close(struct road *r);

/* Since road_judge: part of the capacity, or of `most_bps` where that is less (0: not), that left the queue; the
 * queue's 95th percentile. */
double road_use(struct road *r, enum rmt_dir dir, double most_bps);
int64_t road_queue_p95_us(struct road *r, enum rmt_dir dir);
int64_t road_hop_queue_p95_us(struct road *r, size_t hop, enum rmt_dir dir);
double road_rate(struct road_flow *f, double from_s, double to_s); /* of the run, bit/s of payload */
uint64_t road_lost_sounds(struct road_flow *f); /* packets of sound that were sent and did not come, ever */
/* Of all that were sent, 0..1: those that did not come and no copy of theirs in time. The flow falls silent for it. */
double road_missing_sounds(struct road_flow *f);
double road_jain(struct road *r, size_t first, size_t count, double from_s, double to_s);

/* What is judged by a figure, "5.1 use at 2.5 Mbit/s": what each seed holds, and the pass line of the evaluation. NAN:
 * none. */
struct road_line {
    double held, line;
    bool at_least;
};
void road_figure(struct rmt_sim *sim, double value, const char *unit, struct road_line line, const char *metric, ...)
    RM_PRINTF(5, 6);

/* Used by road.c: rates, queues and losses over time into sim->series (road_series.c). */
struct road_series *road_series_open(struct road *r);
void road_series_close(struct road *r);

#endif
