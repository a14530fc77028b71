/* SPDX-License-Identifier: Apache-2.0 */
#include "support/road.h"
#include "rtp/batch.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FPS 30
#define SOUND_US RMI_MS(20)
#define SOUND_BYTES 50 /* 20 kbit/s */
#define VIDEO_HZ 90000
#define MOST_BPS 1500000.0
#define START_BPS 150000.0
#define LEAST_BPS 150000.0 /* RFC 8867 4.3: the encoder makes no less */
#define FLOOR_BPS 210000.0 /* with sound and all headers */
#define CEILING_FACTOR 4.0
#define SPREAD_LOW 0.95 /* RFC 8867 4.3: +-5 % */
#define SPREAD 0.1
#define FRAME_MOST 65536
#define MAX_PAYLOAD 1140
#define SAMPLE_US RMI_MS(10)
#define OVERHEAD 28

/* ---- one flow ---- */

static void send_batch(struct road_flow *f, enum rmi_payload_format format, uint32_t timestamp, size_t len) {
    static const uint8_t zeros[FRAME_MOST];
    uint8_t sound[SOUND_BYTES] = {0x78}; /* one frame of 20 ms */
    const struct rmi_packetizer_frame frame = {
        .data = format == RMI_PAYLOAD_OPUS ? sound : zeros, .len = len, .max_payload = MAX_PAYLOAD, .key_frame = false};
    const struct rmi_rtp_batch head = {.format = format, .timestamp = timestamp, .capture_us = rmt_peer_now(f->sender)};
    const struct rmi_rtp_batch *batch = NULL;
    RMT_CHECK_INT(f->road->v, rmi_rtp_batch_create(f->pool, &head, &frame, &batch), RM_OK);
    (void)rmi_rtp_session_send(f->rtp, rmt_peer_now(f->sender), batch);
    rmi_rtp_batch_unref(&batch);
}

static void on_sound(void *ctx, int64_t now_us) {
    struct road_flow *f = ctx;
    f->sound_task = rmt_vnet_at(f->road->v, now_us + SOUND_US, on_sound, f);
    if (!f->rtp || f->paused)
        return;
    send_batch(f, RMI_PAYLOAD_OPUS, f->sounds++ * 960, SOUND_BYTES);
    rmt_peer_pump(f->sender);
}

static void on_picture(void *ctx, int64_t now_us) {
    struct road_flow *f = ctx;
    f->picture_task = rmt_vnet_at(f->road->v, now_us + RMI_SEC(1) / FPS, on_picture, f);
    if (!f->rtp || f->paused)
        return;
    const double draw = (double)(rmi_prng_next(&f->road->prng) % 1000) / 1000;
    const double bps = fmin(fmax(f->video_bps, LEAST_BPS), f->config.most_bps) * (SPREAD_LOW + SPREAD * draw);
    send_batch(f, RMI_PAYLOAD_VP8, f->pictures++ * (VIDEO_HZ / FPS), (size_t)(bps / 8 / FPS));
    rmt_peer_pump(f->sender);
}

static void *sender_up(void *ctx, const char *peer_id, struct rmi_rtp_session *rtp) {
    struct road_flow *f = ctx;
    struct rmi_rtp_rate rate = {0};
    (void)peer_id;
    f->rtp = rtp;
    (void)rmi_rtp_session_get_rate(rtp, &rate);
    f->video_bps = rate.video_bps;
    return f;
}

static void *receiver_up(void *ctx, const char *peer_id, struct rmi_rtp_session *rtp) {
    (void)peer_id, (void)rtp;
    return ctx;
}

static void changed(void *ctx, void *peer) {
    (void)ctx, (void)peer;
}

static void down(void *ctx, void *peer) {
    (void)peer;
    ((struct road_flow *)ctx)->rtp = NULL;
}

static void receiver_packet(void *ctx, void *peer, const struct rmi_rtp_in *in) {
    struct road_flow *f = ctx;
    (void)peer;
    f->packets[in->kind]++;
    f->bytes += in->len;
    f->second_bytes += in->len;
}

static void sender_packet(void *ctx, void *peer, const struct rmi_rtp_in *in) {
    (void)ctx, (void)peer, (void)in;
}

static void on_key(void *ctx, void *peer, int64_t now_us) {
    (void)ctx, (void)peer, (void)now_us;
}

static void on_report(void *ctx, void *peer, enum rmi_rtp_kind kind, uint64_t ntp, uint32_t timestamp) {
    (void)ctx, (void)peer, (void)kind, (void)ntp, (void)timestamp;
}

static void on_rate(void *ctx, void *peer, int64_t now_us, const struct rmi_rtp_rate *rate) {
    struct road_flow *f = ctx;
    (void)peer, (void)now_us;
    f->video_bps = rate->video_bps;
    f->target_bps = rate->target_bps;
}

/* ---- the road ---- */

static void sample(void *ctx, int64_t now_us) {
    struct road *r = ctx;
    (void)rmt_vnet_at(r->v, now_us + SAMPLE_US, sample, r);
    for (int d = 0; d < 2; d++) {
        struct rmt_wire *w = rmt_nat_wire(r->nat, (enum rmt_dir)d);
        rmt_samples_add(&r->queue[d], rmt_wire_wait_us(w));
        r->capacity_bits[d] += (double)rmt_wire_get(w).rate_bps * (double)SAMPLE_US / 1e6;
    }
}

static void each_second(void *ctx, int64_t now_us) {
    struct road *r = ctx;
    (void)rmt_vnet_at(r->v, now_us + RMI_SEC(1), each_second, r);
    for (size_t i = 0; i < r->flows; i++) {
        struct road_flow *f = &r->flow[i];
        rmt_samples_add(&f->rate, (int64_t)f->second_bytes * 8);
        f->second_bytes = 0;
        rmt_vnet_note(r->v, "%s: %.0f kbit/s, target %.0f, queue %.0f ms", f->name,
                      (double)f->rate.v[f->rate.n - 1] / 1000, f->target_bps / 1000,
                      (double)rmt_wire_wait_us(rmt_nat_wire(r->nat, RMT_UP)) / 1000);
    }
}

void road_open(struct road *r, struct rmt_sim *sim, uint64_t seed, double bps, int64_t queue_us, int64_t owd_us) {
    *r = (struct road){.sim = sim, .v = rmt_sim_vnet(sim, seed), .queue_us = queue_us, .owd_us = owd_us};
    rmi_prng_seed(&r->prng, rmt_vnet_sub_seed(r->v, "encoders"));
    r->mesh = rmt_mesh_create(r->v, &(struct rmt_mesh_config){.signaling_delay_us = RMI_MS(5)});
    r->nat = rmt_nat_add(r->v, &(struct rmt_nat_config){.name = "bottleneck", .outer_ip = "203.0.113.1"});
    road_capacity(r, RMT_UP, bps);
    road_capacity(r, RMT_DOWN, bps);
    r->start_us = rmt_vnet_now(r->v);
    sample(r, r->start_us);
    (void)rmt_vnet_at(r->v, r->start_us + RMI_SEC(1), each_second, r);
    road_judge(r);
}

void road_capacity(struct road *r, enum rmt_dir dir, double bps) {
    const struct rmt_link link = {
        .rate_bps = (int64_t)bps, .delay_us = r->owd_us, .queue_us = r->queue_us, .overhead = OVERHEAD};
    rmt_wire_set(rmt_nat_wire(r->nat, dir), &link);
}

static struct rmt_host *host(struct road *r, const char *kind, size_t i, bool inside, int64_t owd_us) {
    char name[RMT_NAME_MAX], ip[32];
    snprintf(name, sizeof name, "%s%zu", kind, i);
    snprintf(ip, sizeof ip, inside ? "10.0.0.%zu" : "198.51.100.%zu", i + 1);
    struct rmt_host *h =
        rmt_host_add(r->v, &(struct rmt_host_config){.name = name, .ips = {ip}, .nat = inside ? r->nat : NULL});
    const struct rmt_link link = {.delay_us = owd_us};
    rmt_host_set_links(h, &link, &link);
    return h;
}

struct road_flow *road_add(struct road *r, const struct road_flow_config *config) {
    RMT_CHECK(r->v, r->flows < ROAD_FLOWS);
    const size_t i = r->flows++;
    struct road_flow *f = &r->flow[i];
    const struct rmi_frame_pool_config pool = {.max_buffers = 1024};
    f->road = r;
    f->config = *config;
    f->config.most_bps = config->most_bps > 0 ? config->most_bps : MOST_BPS;
    snprintf(f->name, sizeof f->name, "flow%zu", i);
    f->from_us = rmt_vnet_now(r->v);
    for (int64_t at = r->start_us + RMI_SEC(1); at <= f->from_us; at += RMI_SEC(1))
        rmt_samples_add(&f->rate, 0);
    RMT_CHECK_INT(r->v, rmi_frame_pool_create(&pool, &f->pool), RM_OK);
    struct rmi_endpoint_media_ops ops = {.peer_up = sender_up,
                                         .peer_changed = changed,
                                         .peer_down = down,
                                         .packet = sender_packet,
                                         .key_request = on_key,
                                         .sender_report = on_report,
                                         .rate = on_rate,
                                         .ctx = f};
    struct rmt_peer_options o = {.room = f->name, .video_first = RMI_JSEP_VP8, .no_data = true, .media = &ops};
    const double start = config->start_bps > 0 ? config->start_bps : START_BPS;
    o.rates = (struct rmi_cc_limits){.min_bps = FLOOR_BPS,
                                     .start_bps = fmax(start, FLOOR_BPS),
                                     .max_bps = config->ceiling_bps > 0 ? config->ceiling_bps
                                                                        : CEILING_FACTOR * f->config.most_bps};
    f->sender = rmt_mesh_add(r->mesh, host(r, "sender", i, !config->backward, config->owd_us), &o);
    ops.peer_up = receiver_up;
    ops.packet = receiver_packet;
    ops.rate = NULL;
    ops.peer_down = changed;
    f->receiver = rmt_mesh_add(r->mesh, host(r, "receiver", i, config->backward, 0), &o);
    rmt_peer_start(f->receiver);
    rmt_peer_start(f->sender);
    on_sound(f, rmt_vnet_now(r->v));
    on_picture(f, rmt_vnet_now(r->v) + (int64_t)(rmi_prng_next(&r->prng) % 1000));
    return f;
}

void road_pause(struct road_flow *f, bool paused) {
    f->paused = paused;
}

struct tcp_flow *road_tcp(struct road *r) {
    RMT_CHECK(r->v, r->tcps < ROAD_TCPS);
    const size_t i = r->tcps++;
    r->tcp[i] = tcp_flow_open(host(r, "client", 100 + i, true, 0), host(r, "server", 100 + i, false, 0));
    return r->tcp[i];
}

void road_run(struct road *r, double seconds) {
    rmt_vnet_run_for(r->v, (int64_t)(seconds * 1e6));
}

void road_judge(struct road *r) {
    r->judged_us = rmt_vnet_now(r->v);
    for (int d = 0; d < 2; d++) {
        rmt_samples_fini(&r->queue[d]);
        r->queue[d] = (struct rmt_samples){0};
        r->capacity_bits[d] = 0;
        const struct rmt_link_stats s = rmt_wire_stats(rmt_nat_wire(r->nat, (enum rmt_dir)d));
        r->out_bytes[d] = s.out_bytes + s.out * OVERHEAD;
    }
}

double road_use(struct road *r, enum rmt_dir dir, double most_bps) {
    const struct rmt_link_stats s = rmt_wire_stats(rmt_nat_wire(r->nat, dir));
    const double bits = 8.0 * (double)(s.out_bytes + s.out * OVERHEAD - r->out_bytes[dir]);
    const double seconds = (double)(rmt_vnet_now(r->v) - r->judged_us) / 1e6;
    return bits / (most_bps > 0 ? fmin(most_bps * seconds, r->capacity_bits[dir]) : r->capacity_bits[dir]);
}

int64_t road_queue_p95_us(struct road *r, enum rmt_dir dir) {
    return rmt_samples_percentile(&r->queue[dir], 95000);
}

double road_rate(struct road_flow *f, double from_s, double to_s) {
    double sum = 0;
    size_t n = 0;
    RMT_CHECK(f->road->v, !f->rate.sorted);
    for (size_t i = (size_t)from_s; i < f->rate.n && i < (size_t)to_s; i++, n++)
        sum += (double)f->rate.v[i];
    return n ? sum / (double)n : 0;
}

uint64_t road_lost_sounds(struct road_flow *f) {
    struct rmi_rtp_session_stats stats;
    if (!f->rtp)
        return f->sounds - f->packets[RMI_RTP_AUDIO];
    rmi_rtp_session_get_stats(f->rtp, &stats);
    const int64_t lost = stats.out[RMI_RTP_AUDIO].packets_lost; /* as the receiver reports */
    return lost > 0 ? (uint64_t)lost : 0;
}

double road_jain(struct road *r, size_t first, size_t count, double from_s, double to_s) {
    double sum = 0, squares = 0;
    for (size_t i = first; i < first + count; i++) {
        const double bps = road_rate(&r->flow[i], from_s, to_s);
        sum += bps;
        squares += bps * bps;
    }
    return squares > 0 ? sum * sum / ((double)count * squares) : 0;
}

void road_close(struct road *r) {
    for (size_t i = 0; i < r->tcps; i++)
        tcp_flow_close(&r->tcp[i]);
    rmt_mesh_destroy(&r->mesh);
    for (size_t i = 0; i < r->flows; i++) {
        struct road_flow *f = &r->flow[i];
        f->rtp = NULL;
        rmt_samples_fini(&f->rate);
        RMT_CHECK_INT(r->v, rmi_frame_pool_stats(f->pool).in_use, 0); /* no batch is forgotten */
        rmi_frame_pool_destroy(&f->pool);
    }
    for (int d = 0; d < 2; d++)
        rmt_samples_fini(&r->queue[d]);
    rmt_sim_done(r->sim, &r->v);
}
