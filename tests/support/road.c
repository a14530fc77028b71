/* SPDX-License-Identifier: Apache-2.0 */
#include "support/road.h"
#include "rtp/batch.h"
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define FPS 30
#define SOUND_US RMI_MS(20)
#define SOUND_BYTES 50 /* 20 kbit/s */
#define SOUND_TICKS 960
#define SOUND_LATE (3 * SOUND_TICKS) /* behind the newest: what a receiver's buffer waits for */
#define IN_FLIGHT_S 3                /* until all has come, out of a queue of a second, too */
#define VIDEO_HZ 90000
#define MOST_BPS 1500000.0
#define START_BPS 150000.0
#define LEAST_BPS 150000.0      /* RFC 8867 4.3: the encoder makes no less */
#define FLOOR_EXTRA_BPS 60000.0 /* sound and all headers, besides the pictures' least */
#define CEILING_FACTOR 4.0
#define SPREAD_LOW 0.95 /* RFC 8867 4.3: +-5 % */
#define SPREAD 0.1
#define FRAME_MOST 65536
#define MAX_PAYLOAD 1140
#define SAMPLE_US RMI_MS(10)
#define OVERHEAD 28
#define CLIENTS 100 /* their numbers begin here */

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
    send_batch(f, RMI_PAYLOAD_OPUS, f->sounds++ * SOUND_TICKS, SOUND_BYTES);
    rmt_peer_pump(f->sender);
}

static void on_picture(void *ctx, int64_t now_us) {
    struct road_flow *f = ctx;
    f->picture_task = rmt_vnet_at(f->road->v, now_us + RMI_SEC(1) / FPS, on_picture, f);
    if (!f->rtp || f->paused)
        return;
    const double draw = (double)(rmi_prng_next(&f->road->prng) % 1000) / 1000;
    const double bps = fmin(fmax(f->video_bps, f->config.least_bps), f->config.most_bps) * (SPREAD_LOW + SPREAD * draw);
    send_batch(f, RMI_PAYLOAD_VP8, f->pictures++ * (VIDEO_HZ / FPS), (size_t)(bps / 8 / FPS));
    rmt_peer_pump(f->sender);
}

/* The sender's: ctx is its first flow, the others follow. Peers have the names of their hosts. */
static void *sender_up(void *ctx, const char *peer_id, struct rmi_rtp_session *rtp) {
    struct road_flow *f = ctx;
    struct rmi_rtp_rate rate = {0};
    while (strcmp(peer_id, f->receiver_name) != 0)
        f++;
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
    (void)ctx;
    ((struct road_flow *)peer)->rtp = NULL;
}

static void receiver_packet(void *ctx, void *peer, const struct rmi_rtp_in *in) {
    struct road_flow *f = ctx;
    (void)peer;
    f->packets[in->kind]++;
    if (in->kind == RMI_RTP_AUDIO) {
        const int32_t ahead = f->packets[RMI_RTP_AUDIO] > 1 ? (int32_t)(in->timestamp - f->newest_sound) : 1;
        f->newest_sound = ahead > 0 ? in->timestamp : f->newest_sound;
        f->sounds_in_time += ahead >= -SOUND_LATE;
    }
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
    struct road_flow *f = peer;
    (void)ctx, (void)now_us;
    f->video_bps = rate->video_bps;
    f->target_bps = rate->target_bps;
}

/* ---- the road ---- */

static void sample_hop(struct road_hop *h) {
    for (int d = 0; d < 2; d++) {
        struct rmt_wire *w = rmt_nat_wire(h->nat, (enum rmt_dir)d);
        rmt_samples_add(&h->queue[d], rmt_wire_wait_us(w));
        h->capacity_bits[d] += (double)rmt_wire_get(w).rate_bps * (double)SAMPLE_US / 1e6;
    }
}

static void sample(void *ctx, int64_t now_us) {
    struct road *r = ctx;
    (void)rmt_vnet_at(r->v, now_us + SAMPLE_US, sample, r);
    for (size_t i = 0; i < r->hops; i++)
        sample_hop(&r->hop[i]);
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
                      (double)rmt_wire_wait_us(rmt_nat_wire(r->hop[0].nat, RMT_UP)) / 1000);
    }
}

void road_open(struct road *r, struct rmt_sim *sim, uint64_t seed, double bps, int64_t queue_us, int64_t owd_us) {
    *r = (struct road){.sim = sim, .v = rmt_sim_vnet(sim, seed)};
    rmi_prng_seed(&r->prng, rmt_vnet_sub_seed(r->v, "encoders"));
    r->mesh = rmt_mesh_create(r->v, &(struct rmt_mesh_config){.signaling_delay_us = RMI_MS(5)});
    r->start_us = rmt_vnet_now(r->v);
    road_add_hop(r, bps, queue_us, owd_us);
    sample(r, r->start_us);
    (void)rmt_vnet_at(r->v, r->start_us + RMI_SEC(1), each_second, r);
    r->series = road_series_open(r);
    road_judge(r);
}

static void set_capacity(const struct road *r, const struct road_hop *h, enum rmt_dir dir, double bps) {
    struct rmt_link link = r->ecn_link;
    link.rate_bps = (int64_t)bps;
    link.delay_us = h->owd_us;
    link.queue_us = h->queue_us;
    link.overhead = OVERHEAD;
    rmt_wire_set(rmt_nat_wire(h->nat, dir), &link);
}

void road_add_hop(struct road *r, double bps, int64_t queue_us, int64_t owd_us) {
    RMT_CHECK(r->v, r->hops < ROAD_HOPS && r->flows == 0);
    const size_t i = r->hops++;
    char name[RMT_NAME_MAX], ip[32];
    snprintf(name, sizeof name, "%sbottleneck", i == 0 ? "" : i == 1 ? "inner " : "innermost ");
    snprintf(ip, sizeof ip, i == 0 ? "203.0.113.1" : "10.%zu.0.254", i - 1);
    r->hop[i] = (struct road_hop){.queue_us = queue_us, .owd_us = owd_us};
    r->hop[i].nat =
        rmt_nat_add(r->v, &(struct rmt_nat_config){.name = name, .outer_ip = ip, .via = i ? r->hop[i - 1].nat : NULL});
    set_capacity(r, &r->hop[i], RMT_UP, bps);
    set_capacity(r, &r->hop[i], RMT_DOWN, bps);
}

void road_capacity(struct road *r, enum rmt_dir dir, double bps) {
    set_capacity(r, &r->hop[0], dir, bps);
}

void road_ecn(struct road *r, const struct rmt_link *like) {
    r->ecn = true;
    r->ecn_link = *like;
    for (size_t i = 0; i < r->hops; i++)
        for (int d = 0; d < 2; d++) {
            struct rmt_wire *w = rmt_nat_wire(r->hop[i].nat, (enum rmt_dir)d);
            set_capacity(r, &r->hop[i], (enum rmt_dir)d, (double)rmt_wire_get(w).rate_bps);
        }
}

/* Behind this many hops. */
static struct rmt_host *host(struct road *r, const char *kind, size_t i, size_t behind, int64_t owd_us) {
    char name[RMT_NAME_MAX], ip[32];
    snprintf(name, sizeof name, "%s%zu", kind, i);
    if (behind)
        snprintf(ip, sizeof ip, "10.%zu.0.%zu", behind - 1, i + 1);
    else
        snprintf(ip, sizeof ip, "198.51.100.%zu", i + 1);
    struct rmt_host *h = rmt_host_add(
        r->v, &(struct rmt_host_config){.name = name, .ips = {ip}, .nat = behind ? r->hop[behind - 1].nat : NULL});
    const struct rmt_link link = {.delay_us = owd_us};
    rmt_host_set_links(h, &link, &link);
    return h;
}

/* With the defaults in place. Its tasks run from now on. */
static struct road_flow *new_flow(struct road *r, const struct road_flow_config *config) {
    RMT_CHECK(r->v, r->flows < ROAD_FLOWS);
    const size_t i = r->flows++;
    struct road_flow *f = &r->flow[i];
    const struct rmi_frame_pool_config pool = {.max_buffers = 1024};
    f->road = r;
    f->config = *config;
    f->config.most_bps = config->most_bps > 0 ? config->most_bps : MOST_BPS;
    f->config.least_bps = config->least_bps > 0 ? config->least_bps : LEAST_BPS;
    snprintf(f->name, sizeof f->name, "flow%zu", i);
    snprintf(f->receiver_name, sizeof f->receiver_name, "receiver%zu", i);
    f->from_us = rmt_vnet_now(r->v);
    for (int64_t at = r->start_us + RMI_SEC(1); at <= f->from_us; at += RMI_SEC(1))
        rmt_samples_add(&f->rate, 0);
    RMT_CHECK_INT(r->v, rmi_frame_pool_create(&pool, &f->pool), RM_OK);
    return f;
}

static struct rmi_cc_limits limits_of(const struct road_flow_config *c) {
    const double floor_bps = c->least_bps + FLOOR_EXTRA_BPS;
    return (struct rmi_cc_limits){.min_bps = floor_bps,
                                  .start_bps = fmax(c->start_bps > 0 ? c->start_bps : START_BPS, floor_bps),
                                  .max_bps = c->ceiling_bps > 0 ? c->ceiling_bps : CEILING_FACTOR * c->most_bps};
}

struct road_flow *road_add(struct road *r, const struct road_flow_config *config) {
    const size_t first = r->flows, count = config->peers ? config->peers : 1;
    for (size_t i = 0; i < count; i++)
        new_flow(r, config);
    struct road_flow *f = &r->flow[first];
    const size_t behind = config->first_hop + 1, beyond = config->last_hop;
    struct rmi_endpoint_media_ops ops = {.peer_up = sender_up,
                                         .peer_changed = changed,
                                         .peer_down = down,
                                         .packet = sender_packet,
                                         .key_request = on_key,
                                         .sender_report = on_report,
                                         .rate = on_rate,
                                         .ctx = f};
    struct rmt_peer_options o = {.room = f->name,
                                 .video_first = RMI_JSEP_VP8,
                                 .no_data = true,
                                 .media = &ops,
                                 .rates = limits_of(&f->config),
                                 .weight = config->weight,
                                 .ecn = r->ecn};
    struct rmt_host *h = host(r, "sender", first, config->backward ? beyond : behind, config->owd_us);
    struct rmt_peer *sender = rmt_mesh_add(r->mesh, h, &o);
    ops.peer_up = receiver_up;
    ops.packet = receiver_packet;
    ops.rate = NULL;
    ops.peer_down = changed;
    o.no_auto_connect = true; /* the sender calls */
    for (size_t i = 0; i < count; i++) {
        ops.ctx = &f[i];
        h = host(r, "receiver", first + i, config->backward ? behind : beyond, 0);
        f[i].receiver = rmt_mesh_add(r->mesh, h, &o);
        rmt_peer_start(f[i].receiver);
    }
    rmt_peer_start(sender);
    const int64_t picture_us = rmt_vnet_now(r->v) + (int64_t)(rmi_prng_next(&r->prng) % 1000); /* one camera */
    for (size_t i = 0; i < count; i++) {
        f[i].sender = sender;
        on_sound(&f[i], rmt_vnet_now(r->v));
        on_picture(&f[i], picture_us);
    }
    return f;
}

void road_pause(struct road_flow *f, bool paused) {
    f->paused = paused;
}

struct tcp_flow *road_tcp(struct road *r) {
    RMT_CHECK(r->v, r->tcps < ROAD_TCPS);
    const size_t i = r->tcps++;
    r->tcp[i] = tcp_flow_open(host(r, "client", CLIENTS + i, 1, 0), host(r, "server", CLIENTS + i, 0, 0));
    return r->tcp[i];
}

void road_run(struct road *r, double seconds) {
    rmt_vnet_run_for(r->v, (int64_t)(seconds * 1e6));
}

static double out_bytes(const struct road_hop *h, enum rmt_dir dir) {
    const struct rmt_link_stats s = rmt_wire_stats(rmt_nat_wire(h->nat, dir));
    return (double)(s.out_bytes + s.out * OVERHEAD);
}

static void forget(struct road_hop *h) {
    for (int d = 0; d < 2; d++) {
        rmt_samples_fini(&h->queue[d]);
        h->capacity_bits[d] = 0;
        h->out_bytes[d] = out_bytes(h, (enum rmt_dir)d);
    }
}

void road_judge(struct road *r) {
    r->judged_us = rmt_vnet_now(r->v);
    for (size_t i = 0; i < r->hops; i++)
        forget(&r->hop[i]);
}

double road_use(struct road *r, enum rmt_dir dir, double most_bps) {
    const struct road_hop *h = &r->hop[0];
    const double bits = 8.0 * (out_bytes(h, dir) - h->out_bytes[dir]);
    const double seconds = (double)(rmt_vnet_now(r->v) - r->judged_us) / 1e6;
    return bits / (most_bps > 0 ? fmin(most_bps * seconds, h->capacity_bits[dir]) : h->capacity_bits[dir]);
}

int64_t road_queue_p95_us(struct road *r, enum rmt_dir dir) {
    return road_hop_queue_p95_us(r, 0, dir);
}

int64_t road_hop_queue_p95_us(struct road *r, size_t hop, enum rmt_dir dir) {
    return rmt_samples_percentile(&r->hop[hop].queue[dir], 95000);
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

double road_missing_sounds(struct road_flow *f) {
    road_pause(f, true);
    road_run(f->road, IN_FLIGHT_S);
    RMT_CHECK(f->road->v, f->sounds > 0 && f->sounds_in_time <= f->sounds);
    return 1 - (double)f->sounds_in_time / (double)f->sounds;
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

void road_figure(struct rmt_sim *sim, double value, const char *unit, struct road_line line, const char *metric, ...) {
    char text[96];
    va_list args;
    va_start(args, metric);
    vsnprintf(text, sizeof text, metric, args);
    va_end(args);
    rmt_sim_figure(sim, &(struct rmt_figure){.id = "RFC8867",
                                             .metric = text,
                                             .unit = unit,
                                             .value = value,
                                             .limit = line.held,
                                             .goal = line.line,
                                             .higher_is_better = line.at_least,
                                             .n = 1});
}

void road_close(struct road *r) {
    road_series_close(r);
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
    for (size_t i = 0; i < r->hops; i++)
        for (int d = 0; d < 2; d++)
            rmt_samples_fini(&r->hop[i].queue[d]);
    rmt_sim_done(r->sim, &r->v);
}
