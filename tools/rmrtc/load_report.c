/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include "base/time.h"
#include "bench.h"
#include "io/loop.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct row {
    size_t connections;
    double connected_ms; /* NAN: it was with nobody */
    double in_kbps, out_kbps, loss, score;
    struct sink_stats heard;
};

struct sums {
    struct load_bytes bytes;
    uint64_t packets, lost;
    double score; /* the lowest; NAN: none */
};

static bool is_ours(const struct load *l, const char *peer_id) {
    for (size_t i = 0; i < l->count; i++)
        if (!strcmp(l->peers[i].id, peer_id))
            return true;
    return false;
}

size_t load_connections(const struct load *l, const struct load_peer *p) {
    rm_peer_info seen[RM_PEERS_MAX];
    size_t count = 0, connected = 0;
    if (!p->t || rm_webrtc_peers(p->t, seen, RM_PEERS_MAX, &count))
        return 0;
    for (size_t i = 0; i < count && i < RM_PEERS_MAX; i++)
        connected += seen[i].state == RM_PEER_CONNECTED && is_ours(l, seen[i].peer_id);
    return connected;
}

static void add_in(struct sums *s, const rm_stream_stats *in) {
    s->bytes.in += in->bytes;
    s->packets += in->packets;
    s->lost += in->packets_lost > 0 ? (uint64_t)in->packets_lost : 0;
}

static void sum_up(const struct load_peer *p, struct sums *s) {
    rm_peer_info seen[RM_PEERS_MAX];
    rm_media_stats m;
    size_t count = 0;
    *s = (struct sums){.score = NAN};
    if (!p->t || rm_webrtc_peers(p->t, seen, RM_PEERS_MAX, &count))
        return;
    for (size_t i = 0; i < count && i < RM_PEERS_MAX; i++) {
        if (rm_webrtc_get_stats(p->t, seen[i].peer_id, &m))
            continue;
        add_in(s, &m.audio_in);
        add_in(s, &m.video_in);
        s->bytes.out += m.audio_out.bytes + m.video_out.bytes;
        if (m.audio_in.active || m.video_in.active)
            s->score = fmin(m.quality_score, s->score);
    }
}

static double cpu_s(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static double measured_s(const struct load *l) {
    return l->begun_us ? (double)(rmi_now_us() - l->begun_us) / 1e6 : NAN;
}

static double cpu_percent(const struct load *l) {
    return 100 * (cpu_s() - l->begun_cpu_s) / measured_s(l);
}

void load_begin(struct load *l) {
    for (size_t i = 0; i < l->count; i++) {
        struct sums s;
        sum_up(&l->peers[i], &s);
        l->peers[i].begin = s.bytes;
        sink_forget_ages(l->peers[i].sink);
    }
    l->begun_us = rmi_now_us();
    l->begun_cpu_s = cpu_s();
}

void load_totals_text(const struct load *l, char *out, size_t size) {
    snprintf(out, size, "CPU %.0f %% of a core, %.0f MB", cpu_percent(l), (double)bench_rss_kib() / 1024);
}

/* NAN: nothing was measured. A connection made anew counts from 0 again. */
static double kbps(uint64_t from, uint64_t to, double s) {
    return isnan(s) ? NAN : to > from ? (double)(to - from) * 8 / 1000 / s : 0;
}

static struct row row_of(const struct load *l, const struct load_peer *p) {
    const int64_t connected_us = atomic_load(&p->last_connected_us);
    const double s = measured_s(l);
    struct sums sums;
    sum_up(p, &sums);
    struct row row = {.connections = load_connections(l, p),
                      .connected_ms = connected_us ? (double)(connected_us - p->started_us) / 1000 : NAN,
                      .in_kbps = kbps(p->begin.in, sums.bytes.in, s),
                      .out_kbps = kbps(p->begin.out, sums.bytes.out, s),
                      .loss = sums.packets ? 100.0 * (double)sums.lost / (double)(sums.packets + sums.lost) : NAN,
                      .score = sums.score};
    if (p->sink)
        sink_get_stats(p->sink, &row.heard);
    return row;
}

static void cell(double value, int width, int decimals) {
    if (isnan(value))
        printf(" %*s", width, "-");
    else
        printf(" %*.*f", width, decimals, value);
}

static void print_row(const struct load *l, const struct load_peer *p, const struct row *row) {
    printf("%-16s", p->id);
    cell(row->connected_ms, 9, 0);
    printf(" %6zu/%-2zu", row->connections, l->count - 1);
    cell(row->in_kbps, 7, 0);
    cell(row->out_kbps, 7, 0);
    cell(row->loss, 6, 2);
    const struct sink_latency *sound = &row->heard.audio, *pictures = &row->heard.video;
    cell(sound->n ? sound->p50_ms : NAN, 7, 1);
    cell(sound->n ? sound->p95_ms : NAN, 6, 1);
    cell(pictures->n ? pictures->p50_ms : NAN, 9, 1);
    cell(pictures->n ? pictures->p95_ms : NAN, 6, 1);
    cell(row->score, 6, 0);
    putchar('\n');
}

static json_t *number(double value) {
    return isnan(value) ? json_null() : json_real(value);
}

static json_t *ages(const struct sink_latency *a) {
    return a->n ? json_pack("{s:I, s:f, s:f, s:f}", "n", (json_int_t)a->n, "p50", a->p50_ms, "p95", a->p95_ms, "max",
                            a->max_ms)
                : json_null();
}

static void print_json(json_t *o) {
    char *text = o ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    if (text)
        puts(text);
    free(text);
    json_decref(o);
}

static void print_row_json(const struct load *l, const struct load_peer *p, const struct row *row) {
    const rm_err err = (rm_err)atomic_load(&p->last_error);
    print_json(json_pack("{s:s, s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "peer_id", p->id, "connected_ms",
                         number(row->connected_ms), "connections", (json_int_t)row->connections, "expected",
                         (json_int_t)(l->count - 1), "kbps_in", number(row->in_kbps), "kbps_out", number(row->out_kbps),
                         "loss_percent", number(row->loss), "audio_age_ms", ages(&row->heard.audio), "video_age_ms",
                         ages(&row->heard.video), "score", number(row->score), "last_error",
                         err ? json_string(rm_err_name(err)) : json_null()));
}

static void print_totals(const struct load *l, size_t pairs, size_t wanted) {
    struct publisher_stats source = {0};
    if (l->publisher)
        publisher_get_stats(l->publisher, &source);
    if (l->json) {
        print_json(json_pack("{s:b, s:I, s:I, s:I, s:o, s:o, s:f, s:f}", "totals", 1, "peers", (json_int_t)l->count,
                             "pairs", (json_int_t)pairs, "pairs_expected", (json_int_t)wanted, "seconds",
                             number(measured_s(l)), "cpu_percent", number(l->begun_us ? cpu_percent(l) : NAN),
                             "source_cpu_s", source.source_cpu_s, "rss_mb", (double)bench_rss_kib() / 1024));
        return;
    }
    char text[64] = "";
    if (l->begun_us)
        load_totals_text(l, text, sizeof text);
    printf("%zu of %zu pairs connected%s%s", pairs, wanted, text[0] ? "; " : "", text);
    if (l->begun_us)
        printf(", %.1f %% for each participant", cpu_percent(l) / (double)l->count);
    putchar('\n');
}

void load_report(struct load *l) {
    size_t ends = 0;
    if (!l->json)
        printf("%-16s %9s %9s %7s %7s %6s %14s %16s %6s\n%-16s %9s %9s %7s %7s %6s %7s %6s %9s %6s\n", "peer",
               "connected", "with", "in", "out", "lost", "sound ms", "pictures ms", "score", "", "ms", "", "kbit/s",
               "kbit/s", "%", "p50", "p95", "p50", "p95");
    for (size_t i = 0; i < l->count; i++) {
        struct load_peer *p = &l->peers[i];
        struct row row = row_of(l, p);
        ends += row.connections;
        if (l->json)
            print_row_json(l, p, &row);
        else
            print_row(l, p, &row);
        const rm_err err = (rm_err)atomic_load(&p->last_error);
        if (err && row.connections < l->count - 1)
            fprintf(stderr, "rmrtc load: %s: %s: %s\n", p->id, rm_err_name(err), rm_strerror(err));
    }
    print_totals(l, ends / 2, l->count * (l->count - 1) / 2);
    fflush(stdout);
}
