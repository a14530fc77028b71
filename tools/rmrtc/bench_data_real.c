/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include "bench.h"
#include "publish.h"
#include "sink.h"

#include <remotemedia/webrtc_data.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* What data channels carry over the loopback of this machine, through the public functions of two participants in this
 * process: its CPU time is that of both ends, of the thread that sends, and of comparing each byte that comes with what
 * was sent. Each message begins with its number. */

#define BYTES_MAX (256 * 1024)
#define NUMBER_BYTES 4
#define WARM_US RMI_MS(300)
#define WINDOW_US RMI_SEC(1)
#define SMALL_WINDOW_US RMI_SEC(2)
#define SMALL_EVERY_US RMI_MS(10)
#define SMALL_MAX 4096
#define SOUND_BEGIN_US RMI_SEC(1) /* left out of the ages */
#define SOUND_US RMI_SEC(10)      /* a marker each half second */
#define WAIT_MS 10000
#define POLL_MS 10
#define SENDS_PER_LOOK 16 /* at the clock */
#define CPUS_FOR_RATE 2
#define P95 95
#define MEDIAN 50
#define NAME_BYTES 64
#define RATE_GOAL 85 /* MB/s at 64 KiB: the fastest of the other stacks on two cores */
#define SMALL_GOAL_MS 5
#define SOUND_RISE_LIMIT_MS 5

struct load {
    struct rmi_signaling_thread server;
    bool has_server;
    rm_webrtc *a, *b;
    struct sink *sink;
    struct publisher *publisher;
    uint16_t bulk, small;
    uint8_t *pattern, *out;
    size_t size; /* of a bulk message; changed while none is under way */
    uint32_t sent;
    atomic_size_t opened;
    /* at the receiver */
    uint32_t next;
    atomic_uint_least64_t bytes, messages, wrong;
    atomic_size_t small_count;
    double small_ms[SMALL_MAX];
};

/* ---- receiving, on the network thread of b ---- */

static void on_bulk(struct load *l, const uint8_t *data, size_t size) {
    uint32_t number = 0;
    if (size >= NUMBER_BYTES)
        memcpy(&number, data, sizeof number);
    if (size != l->size || number != l->next ||
        memcmp(data + NUMBER_BYTES, l->pattern + NUMBER_BYTES, size - NUMBER_BYTES) != 0)
        atomic_fetch_add(&l->wrong, 1);
    l->next = number + 1;
    atomic_fetch_add(&l->bytes, size);
    atomic_fetch_add(&l->messages, 1);
}

static void on_data(const char *peer_id, uint16_t channel, const char *label, bool binary, const uint8_t *data,
                    size_t size, void *user) {
    struct load *l = user;
    (void)peer_id, (void)channel, (void)binary;
    if (!strcmp(label, "bulk")) {
        on_bulk(l, data, size);
        return;
    }
    int64_t sent_us = 0;
    const size_t n = atomic_load(&l->small_count);
    if (size != sizeof sent_us || n == SMALL_MAX) {
        atomic_fetch_add(&l->wrong, size != sizeof sent_us);
        return;
    }
    memcpy(&sent_us, data, sizeof sent_us);
    l->small_ms[n] = (double)(rmi_now_us() - sent_us) / (double)RMI_MS(1);
    atomic_store(&l->small_count, n + 1);
}

static void on_media(const char *peer_id, rm_runtime_data *data, void *user) {
    struct load *l = user;
    sink_media(peer_id, data, l->sink);
}

/* ---- life ---- */

static rm_webrtc *join(struct load *l, const char *id, bool receives) {
    rm_webrtc_config c;
    rm_webrtc *t = NULL;
    rm_webrtc_config_init(&c);
    c.signaling_url = l->server.url;
    c.peer_id = id;
    c.bind_address = "127.0.0.1";
    c.enable_video = false;
    c.audio_frame_us = 10000;
    c.user = l;
    if (receives) {
        c.on_channel_data = on_data;
        c.on_media = on_media;
    }
    rm_err err = rm_webrtc_create(&c, &t);
    if (!err)
        err = rm_webrtc_start(t);
    if (!err)
        return t;
    fprintf(stderr, "rmrtc bench: %s: %s\n", id, rm_strerror(err));
    rm_webrtc_destroy(&t);
    return NULL;
}

/* The next event of this kind at the sender. */
static bool wait_event(struct load *l, rm_event_type type, int timeout_ms) {
    const int64_t end_us = rmi_now_us() + RMI_MS(timeout_ms);
    rm_event ev;
    for (int64_t left_us; (left_us = end_us - rmi_now_us()) > 0;)
        if (!rm_webrtc_poll(l->a, &ev, (int)(left_us / RMI_MS(1)) + 1) && ev.type == type)
            return true;
    return false;
}

static rm_err open_channel(struct load *l, const char *label, rm_channel_priority priority, uint16_t *id) {
    rm_channel_options o;
    rm_channel_options_init(&o);
    o.label = label;
    o.priority = priority;
    const rm_err err = rm_webrtc_open_channel(l->a, "b", &o, id);
    return err ? err : wait_event(l, RM_EV_CHANNEL, WAIT_MS) ? RM_OK : RM_E_TIMEOUT;
}

static bool load_start(struct load *l) {
    char detail[RM_DETAIL_MAX] = "";
    const struct sink_config sc = {0};
    l->pattern = malloc(BYTES_MAX);
    l->out = malloc(BYTES_MAX);
    l->has_server = l->pattern && l->out && bench_server_start(&l->server);
    if (!l->has_server || sink_create(&sc, &l->sink, detail, sizeof detail))
        return false;
    for (size_t i = 0; i < BYTES_MAX; i++) /* neither constant nor periodic in the size of a packet */
        l->pattern[i] = l->out[i] = (uint8_t)((i * 2654435761U) >> 16);
    l->b = join(l, "b", true);
    l->a = l->b ? join(l, "a", false) : NULL;
    if (!l->a || !wait_event(l, RM_EV_CHANNEL, WAIT_MS)) /* "control" */
        return false;
    rm_err err = open_channel(l, "bulk", RM_CHANNEL_PRIORITY_LOW, &l->bulk);
    if (!err)
        err = open_channel(l, "small", RM_CHANNEL_PRIORITY_LOW, &l->small);
    if (err)
        fprintf(stderr, "rmrtc bench: no channel: %s\n", rm_strerror(err));
    return !err;
}

static void load_stop(struct load *l) {
    publisher_stop(&l->publisher);
    rm_webrtc_destroy(&l->a);
    rm_webrtc_destroy(&l->b);
    sink_destroy(&l->sink);
    if (l->has_server)
        rmi_signaling_thread_stop(&l->server);
    free(l->pattern);
    free(l->out);
}

/* ---- sending ---- */

/* One message, or a wait for room in the queue; false: the channel is broken. */
static bool send_one(struct load *l) {
    memcpy(l->out, &l->sent, sizeof l->sent);
    const rm_err err = rm_webrtc_send_data(l->a, "b", l->bulk, true, l->out, l->size);
    if (!err) {
        l->sent++;
        return true;
    }
    if (err == RM_E_AGAIN) {
        rm_event ev;
        (void)rm_webrtc_poll(l->a, &ev, POLL_MS); /* RM_EV_CHANNEL_WRITABLE, or the next small message is due */
        return true;
    }
    fprintf(stderr, "rmrtc bench: sending: %s\n", rm_strerror(err));
    return false;
}

/* Keeps the queue full. */
static bool pump(struct load *l, int64_t for_us, bool small) {
    int64_t now_us = rmi_now_us(), small_us = now_us;
    for (const int64_t end_us = now_us + for_us; now_us < end_us; now_us = rmi_now_us()) {
        if (small && now_us >= small_us) {
            small_us += SMALL_EVERY_US;
            if (rm_webrtc_send_data(l->a, "b", l->small, true, &now_us, sizeof now_us))
                return false;
        }
        for (int i = 0; i < SENDS_PER_LOOK; i++)
            if (!send_one(l))
                return false;
    }
    return true;
}

/* All that was sent has come. */
static bool settle(struct load *l) {
    const int64_t end_us = rmi_now_us() + RMI_MS(WAIT_MS);
    rm_event ev;
    while (atomic_load(&l->messages) < l->sent && rmi_now_us() < end_us)
        (void)rm_webrtc_poll(l->a, &ev, POLL_MS);
    return atomic_load(&l->messages) == l->sent;
}

/* ---- figures ---- */

static struct figure figure(const char *metric, const char *unit, double value, size_t n) {
    return (struct figure){
        .id = "DATA", .metric = metric, .unit = unit, .value = value, .limit = NAN, .goal = NAN, .n = n};
}

static double cpu_s(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

struct size {
    const char *name;
    size_t bytes;
    double cpu_limit, rate_goal; /* MB a CPU second, twice the best of the other stacks; MB/s */
};
static const struct size sizes[] = {{"1000B", 1000, 100, NAN},
                                    {"16KiB", 16 * 1024, NAN, NAN},
                                    {"64KiB", 64 * 1024, 170, RATE_GOAL},
                                    {"256KiB", BYTES_MAX, NAN, NAN}};

static bool measure_size(struct bench *b, struct load *l, const struct size *s) {
    double per_cpu[BENCH_RUNS_MAX], rate[BENCH_RUNS_MAX];
    char name[NAME_BYTES];
    const uint64_t first = atomic_load(&l->messages);
    l->size = s->bytes;
    for (size_t i = 0; i < b->runs; i++) {
        if (!pump(l, WARM_US, false))
            return false;
        const uint64_t bytes = atomic_load(&l->bytes);
        const double cpu = cpu_s();
        const int64_t from_us = rmi_now_us();
        if (!pump(l, WINDOW_US, false))
            return false;
        const double mb = (double)(atomic_load(&l->bytes) - bytes) / 1e6;
        per_cpu[i] = mb / (cpu_s() - cpu);
        rate[i] = mb * (double)RMI_SEC(1) / (double)(rmi_now_us() - from_us);
        if (!settle(l))
            return false;
    }
    const size_t n = (size_t)(atomic_load(&l->messages) - first);
    snprintf(name, sizeof name, "loopback_%s_per_cpu_second", s->name);
    struct figure f = figure(name, "MB", bench_percentile(per_cpu, b->runs, MEDIAN), n);
    f.limit = s->cpu_limit;
    bench_report_at_least(b, &f);
    snprintf(name, sizeof name, "loopback_%s_rate", s->name);
    f = figure(name, "MB/s", bench_percentile(rate, b->runs, MEDIAN), n);
    f.goal = sysconf(_SC_NPROCESSORS_ONLN) >= CPUS_FOR_RATE ? s->rate_goal : NAN;
    bench_report_at_least(b, &f);
    return true;
}

/* From the call that sends to the callback at the other side. */
static bool measure_small(struct bench *b, struct load *l) {
    rm_data_stats stats;
    l->size = 64 * 1024;
    if (!pump(l, WARM_US, false) || !pump(l, SMALL_WINDOW_US, true) || rm_webrtc_data_stats(l->a, "b", &stats) ||
        !settle(l))
        return false;
    const size_t n = atomic_load(&l->small_count);
    struct figure f = figure("loopback_small_p95_beside_bulk", "ms", bench_percentile(l->small_ms, n, P95), n);
    f.goal = SMALL_GOAL_MS;
    bench_report(b, &f);
    f = figure("loopback_rtt_beside_bulk", "ms", stats.rtt_ms, 1);
    bench_report(b, &f);
    return true;
}

static double sound_p95_ms(struct load *l, size_t *n) {
    struct sink_stats s;
    sink_get_stats(l->sink, &s);
    *n = s.audio.n;
    return s.audio.n ? s.audio.p95_ms : NAN;
}

static bool measure_sound(struct bench *b, struct load *l) {
    char detail[RM_RUN_DETAIL_MAX] = "";
    const struct publisher_config pc = {.transport = l->a, .source = "test", .audio = true, .audio_chunk_ms = 10};
    if (publisher_start(&pc, &l->publisher, detail, sizeof detail)) {
        fprintf(stderr, "rmrtc bench: %s\n", detail);
        return false;
    }
    usleep((useconds_t)SOUND_BEGIN_US);
    sink_forget_ages(l->sink);
    usleep((useconds_t)SOUND_US);
    size_t n_alone, n_beside;
    const double alone_ms = sound_p95_ms(l, &n_alone);
    const uint64_t bytes = atomic_load(&l->bytes);
    if (!pump(l, WARM_US, false))
        return false;
    sink_forget_ages(l->sink);
    if (!pump(l, SOUND_US, false))
        return false;
    const double beside_ms = sound_p95_ms(l, &n_beside);
    if (!settle(l))
        return false;
    struct figure f = figure("sound_p95_alone", "ms", alone_ms, n_alone);
    bench_report(b, &f);
    f = figure("sound_p95_beside_bulk", "ms", beside_ms, n_beside);
    bench_report(b, &f);
    f = figure("sound_p95_rise", "ms", beside_ms - alone_ms, n_beside);
    f.limit = SOUND_RISE_LIMIT_MS;
    bench_report(b, &f);
    f = figure("bulk_beside_sound", "MB", (double)(atomic_load(&l->bytes) - bytes) / 1e6, n_beside);
    f.goal = 100;
    bench_report_at_least(b, &f);
    return true;
}

bool bench_data_real(struct bench *b) {
    struct load *l = calloc(1, sizeof *l);
    if (!l)
        return false;
    bool ok = load_start(l);
    for (size_t i = 0; ok && i < sizeof sizes / sizeof sizes[0]; i++)
        ok = measure_size(b, l, &sizes[i]);
    ok = ok && measure_small(b, l) && measure_sound(b, l);
    if (ok) {
        struct figure f = figure("loopback_messages_wrong", "", (double)atomic_load(&l->wrong), l->sent);
        f.limit = 0;
        bench_report(b, &f);
    }
    load_stop(l);
    free(l);
    return ok;
}
