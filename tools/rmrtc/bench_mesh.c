/* SPDX-License-Identifier: Apache-2.0 */
/* SC-004: ten `rmrtc join` and `rmrtc signal` as processes of their own, all with all, sound and small pictures. What
 * one participant more costs everybody, and whether the mesh holds. */
#include "bench.h"
#include "demo.h"

#include "base/time.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PEERS 10
#define LOOK_US RMI_MS(50)
#define CONNECT_US RMI_SEC(30) /* processes that start beside nine busy ones need seconds on a loaded machine */
#define STAGE_SETTLE_US RMI_SEC(4)
#define STAGE_US RMI_SEC(10) /* a line a second: ten samples of CPU time */
#define SAMPLES_MAX 64
#define SETTLE "8"              /* seconds without ages: key frames, adaptation */
#define WARM_US RMI_SEC(20)     /* pools and jitter buffers have grown to what they need */
#define WINDOW_US RMI_SEC(5)    /* of resident memory, whose median counts */
#define ATTEMPTS 3              /* of the stages: CPU time of equal work differs by ten per cent on shared cores */
#define RATIO_LIMIT 1.5         /* the requirement */
#define COST_MIN_PERCENT 0.1    /* less is noise: a participant more costs all others about one per cent of a core */
#define RSS_GROWTH_PERCENT 5.0  /* likewise */
#define SOUND_LIMIT_MS 50.0     /* likewise */
#define PROGRESS_US RMI_SEC(60) /* a sign of life */

struct member {
    struct mesh *mesh;
    size_t index;
    struct demo_child child;
    json_t *line; /* the latest; NULL: none yet */
    double cpu_s, wall_s;
    double cpu_percent[SAMPLES_MAX], rss_mb[SAMPLES_MAX];
    size_t samples;
};

struct mesh {
    struct demo_child server;
    char url[64];
    struct member members[PEERS];
    size_t count;
    bool watching; /* all are connected: whoever is not from here on is lost */
    bool sampling;
    bool lost[PEERS][PEERS];
};

/* ---- lines ---- */

static void take_url(enum demo_pipe which, const char *line, void *ctx) {
    struct mesh *m = ctx;
    const char *url = strstr(line, "ws://");
    if (which == DEMO_OUT && url && !m->url[0])
        snprintf(m->url, sizeof m->url, "%.*s", (int)strcspn(url, " "), url);
}

static size_t index_of(const char *peer_id) {
    char *end;
    long i = strtol(peer_id + 1, &end, 10); /* "p7" */
    return *end || i < 0 || i >= PEERS ? PEERS : (size_t)i;
}

/* Who is connected with it, by its latest line. */
static size_t connected(const struct member *b, bool *with) {
    size_t i, n = 0;
    json_t *peer;
    memset(with, 0, PEERS * sizeof *with);
    json_array_foreach(json_object_get(b->line, "peers"), i, peer) {
        const char *id = json_string_value(json_object_get(peer, "peer_id"));
        const char *state = json_string_value(json_object_get(peer, "state"));
        size_t k = id && id[0] == 'p' ? index_of(id) : PEERS;
        if (k < PEERS && state && !strcmp(state, "connected")) {
            with[k] = true;
            n++;
        }
    }
    return n;
}

static double resident_mb(pid_t pid) {
    char path[64];
    long pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *f = fopen(path, "r");
    if (f && fscanf(f, "%*d %ld", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1024 / 1024;
}

static void take_line(enum demo_pipe which, const char *line, void *ctx) {
    struct member *b = ctx;
    struct mesh *m = b->mesh;
    bool with[PEERS];
    if (which != DEMO_OUT) {
        fprintf(stderr, "p%zu: %s\n", b->index, line);
        return;
    }
    json_t *o = json_loads(line, 0, NULL);
    if (!json_object_get(o, "time_s")) { /* the summary, when it is told to leave */
        json_decref(o);
        return;
    }
    json_decref(b->line);
    b->line = o;
    const double cpu_s = demo_number(o, "cpu_s", NULL), wall_s = demo_number(o, "wall_s", NULL);
    if (m->sampling && b->samples < SAMPLES_MAX && wall_s > b->wall_s) {
        b->rss_mb[b->samples] = resident_mb(b->child.pid);
        b->cpu_percent[b->samples++] = 100 * (cpu_s - b->cpu_s) / (wall_s - b->wall_s);
    }
    b->cpu_s = cpu_s;
    b->wall_s = wall_s;
    connected(b, with);
    for (size_t i = 0; m->watching && i < m->count; i++)
        if (i != b->index && !with[i])
            m->lost[b->index][i] = true;
}

static void read_all(struct mesh *m) {
    for (size_t i = 0; i < m->count; i++)
        demo_child_read(&m->members[i].child, take_line, &m->members[i]);
}

/* A participant that has ended is lost to all. */
static bool all_live(struct mesh *m) {
    bool live = true;
    for (size_t i = 0; i < m->count; i++)
        if (demo_child_is_silent(&m->members[i].child)) {
            for (size_t k = 0; k < m->count; k++)
                m->lost[k][i] = m->lost[i][k] = k != i;
            live = false;
        }
    return live;
}

/* ---- processes ---- */

static void wait_us(struct mesh *m, int64_t us) {
    const int64_t end_us = rmi_now_us() + us;
    while (rmi_now_us() < end_us && all_live(m)) {
        read_all(m);
        usleep((useconds_t)rmi_min64(LOOK_US, rmi_max64(end_us - rmi_now_us(), 1)));
    }
}

static bool start_server(struct mesh *m) {
    static const char *const argv[] = {"rmrtc", "signal", "--listen", "127.0.0.1:0", NULL};
    memset(m, 0, sizeof *m);
    const int64_t end_us = rmi_now_us() + CONNECT_US;
    bool ok = demo_child_start(&m->server, argv);
    while (ok && !m->url[0] && rmi_now_us() < end_us && !demo_child_is_silent(&m->server)) {
        demo_child_read(&m->server, take_url, m);
        usleep((useconds_t)LOOK_US);
    }
    if (!m->url[0])
        fprintf(stderr, "rmrtc bench: SC-004: no signaling server\n");
    return m->url[0];
}

static bool start_member(struct mesh *m) {
    struct member *b = &m->members[m->count];
    char id[RM_PEER_ID_MAX];
    snprintf(id, sizeof id, "p%zu", m->count);
    const char *const argv[] = {"rmrtc",     "join",          m->url,   "--peer-id", id,      "--bind", "127.0.0.1",
                                "--publish", "test",          "--size", "320x180",   "--fps", "15",     "--bitrate",
                                "150",       "--video-codec", "h264",   "--settle",  SETTLE,  "--json", NULL};
    b->mesh = m;
    b->index = m->count;
    if (!demo_child_start(&b->child, argv))
        return false;
    m->count++;
    return true;
}

static bool all_connected(const struct mesh *m) {
    bool with[PEERS];
    for (size_t i = 0; i < m->count; i++)
        if (connected(&m->members[i], with) + 1 < m->count)
            return false;
    return true;
}

/* Until there are `count`, all with all. */
static bool grow(struct mesh *m, size_t count) {
    m->watching = false;
    while (m->count < count)
        if (!start_member(m))
            return false;
    const int64_t end_us = rmi_now_us() + CONNECT_US;
    while (!all_connected(m) && rmi_now_us() < end_us && all_live(m))
        wait_us(m, LOOK_US);
    if (!all_connected(m)) {
        fprintf(stderr, "rmrtc bench: SC-004: %zu participants did not connect all with all\n", count);
        return false;
    }
    m->watching = true;
    return true;
}

static void stop(struct mesh *m) {
    m->watching = false;
    for (size_t i = 0; i < m->count; i++)
        demo_child_signal(&m->members[i].child, SIGTERM);
    const int64_t end_us = rmi_now_us() + CONNECT_US; /* whoever hangs by then is killed */
    for (size_t i = 0; i < m->count; i++) {
        struct member *b = &m->members[i];
        while (!demo_child_is_silent(&b->child) && rmi_now_us() < end_us) {
            read_all(m);
            usleep((useconds_t)LOOK_US);
        }
        if (!demo_child_is_silent(&b->child))
            demo_child_signal(&b->child, SIGKILL);
        demo_child_wait(&b->child);
        demo_child_free(&b->child);
        json_decref(b->line);
    }
    demo_child_signal(&m->server, SIGTERM);
    demo_child_wait(&m->server);
    demo_child_free(&m->server);
}

/* ---- figures ---- */

static void sample(struct mesh *m, int64_t us) {
    for (size_t i = 0; i < m->count; i++)
        m->members[i].samples = 0;
    m->sampling = true;
    wait_us(m, us);
    m->sampling = false;
}

/* Of one participant, in percent of a core: the mean of all of their median second. */
static double cpu_each(struct mesh *m) {
    double sum = 0;
    sample(m, STAGE_US);
    for (size_t i = 0; i < m->count; i++)
        sum += bench_percentile(m->members[i].cpu_percent, m->members[i].samples, 50);
    return sum / (double)m->count;
}

/* What the last one of 10 adds to everybody's work, against the last one of 3. False: no mesh. */
static bool marginal_cost(double *ratio) {
    static const size_t sizes[] = {2, 3, 9, 10};
    double each[4];
    struct mesh m;
    bool ok = start_server(&m);
    for (size_t i = 0; ok && i < 4; i++) {
        ok = grow(&m, sizes[i]);
        if (ok) {
            wait_us(&m, STAGE_SETTLE_US);
            each[i] = cpu_each(&m);
            fprintf(stderr, "SC-004: %zu participants: %.2f %% of a core each\n", sizes[i], each[i]);
        }
    }
    stop(&m);
    *ratio = ok ? (each[3] - each[2]) / fmax(each[1] - each[0], COST_MIN_PERCENT) : NAN;
    return ok;
}

static bool report_marginal_cost(struct bench *b) {
    double ratios[ATTEMPTS], median = NAN;
    size_t n = 0;
    do {
        if (!marginal_cost(&ratios[n]))
            return false;
        n++;
        median = bench_percentile(ratios, n, 50);
    } while (n < ATTEMPTS && !(median <= RATIO_LIMIT));
    bench_report(b, &(struct figure){"SC-004", "cost_of_10th_over_3rd", "x", median, RATIO_LIMIT, NAN, n});
    return true;
}

static size_t count_lost(const struct mesh *m) {
    size_t n = 0;
    for (size_t i = 0; i < PEERS; i++)
        for (size_t k = 0; k < PEERS; k++)
            n += m->lost[i][k];
    return n;
}

/* 95th percentiles of what somebody heard (or saw) from somebody; how many. */
static size_t ages_of_pairs(const struct mesh *m, const char *kind, double ms[PEERS * PEERS]) {
    size_t k, n = 0;
    json_t *from;
    for (size_t i = 0; i < m->count; i++)
        json_array_foreach(json_object_get(json_object_get(m->members[i].line, "media"), "from"), k, from) {
            const double p95 = demo_number(from, kind, "p95", NULL);
            if (!isnan(p95) && n < (size_t)PEERS * PEERS)
                ms[n++] = p95;
        }
    return n;
}

static double cpu_total_s(const struct mesh *m) {
    double sum = 0;
    for (size_t i = 0; i < m->count; i++)
        sum += m->members[i].cpu_s;
    return sum;
}

/* CPU seconds taken by everything on this machine since it started, and by what shares its cores with it: a virtual
 * machine's host gives some of them to others (`steal` in proc(5)). */
static double machine_cpu_s(void) {
    unsigned long long user = 0, nice = 0, system = 0, steal = 0;
    FILE *f = fopen("/proc/stat", "r");
    if (f && fscanf(f, "cpu %llu %llu %llu %*u %*u %*u %*u %llu", &user, &nice, &system, &steal) != 4)
        user = nice = system = steal = 0;
    if (f)
        fclose(f);
    return (double)(user + nice + system + steal) / (double)sysconf(_SC_CLK_TCK);
}

static void resident(struct mesh *m, double *mb) {
    sample(m, WINDOW_US);
    for (size_t i = 0; i < m->count; i++)
        mb[i] = bench_percentile(m->members[i].rss_mb, m->members[i].samples, 50);
}

/* Of all together: what leaks does so in each, and one whose buffers grew after a stall is not yet a leak. */
static double growth_percent(const double *before, const double *after) {
    double was = 0, is = 0;
    for (size_t i = 0; i < PEERS; i++) {
        was += before[i];
        is += after[i];
    }
    return 100 * (is - was) / was;
}

static void run_on(struct mesh *m, int64_t us) {
    const int64_t end_us = rmi_now_us() + us;
    for (int64_t left; (left = end_us - rmi_now_us()) > 0 && all_live(m);) {
        fprintf(stderr, "SC-004: %.0f s to go, %zu of %d connections lost\n", (double)left / 1e6, count_lost(m),
                PEERS * (PEERS - 1));
        wait_us(m, rmi_min64(left, PROGRESS_US));
    }
}

static void report_endurance(struct bench *b, const struct mesh *m, double seconds, double own_cpu_s,
                             double other_cpu_s) {
    const size_t ends = (size_t)PEERS * (PEERS - 1);
    double sound[PEERS * PEERS], pictures[PEERS * PEERS];
    const size_t heard = ages_of_pairs(m, "audio_age_ms", sound), seen = ages_of_pairs(m, "video_age_ms", pictures);
    bench_report(b, &(struct figure){"SC-004", "connections_lost", "", (double)count_lost(m), 0, 0, ends});
    bench_report(b, &(struct figure){"SC-004", "senders_not_heard", "", (double)(ends - heard), 0, 0, ends});
    bench_report(b, &(struct figure){"SC-004", "senders_not_seen", "", (double)(ends - seen), 0, 0, ends});
    bench_report(b, &(struct figure){"SC-004", "audio_p95_worst_pair", "ms", bench_percentile(sound, heard, 100),
                                     SOUND_LIMIT_MS, NAN, heard});
    bench_report(b, &(struct figure){"SC-004", "audio_p95_median_pair", "ms", bench_percentile(sound, heard, 50), NAN,
                                     NAN, heard});
    bench_report(b, &(struct figure){"SC-004", "video_p95_worst_pair", "ms", bench_percentile(pictures, seen, 100), NAN,
                                     NAN, seen});
    bench_report(b, &(struct figure){"SC-004", "cpu_of_all", "%", 100 * own_cpu_s / seconds, NAN, NAN, PEERS});
    /* Of one core: where it is more than a little, ages are those of a busy machine. */
    bench_report(b, &(struct figure){"SC-004", "cpu_of_other_programs", "%", 100 * other_cpu_s / seconds, NAN, NAN, 1});
}

static bool endurance(struct bench *b) {
    double before[PEERS], after[PEERS];
    struct mesh m;
    bool ok = start_server(&m) && grow(&m, PEERS);
    if (ok) {
        wait_us(&m, WARM_US);
        resident(&m, before);
        const double own_s = cpu_total_s(&m), machine_s = machine_cpu_s();
        const int64_t begin_us = rmi_now_us();
        run_on(&m, RMI_SEC(60 * (int64_t)b->minutes) - WARM_US - 2 * WINDOW_US);
        resident(&m, after);
        const double own_cpu_s = cpu_total_s(&m) - own_s, seconds = (double)(rmi_now_us() - begin_us) / 1e6;
        report_endurance(b, &m, seconds, own_cpu_s, fmax(machine_cpu_s() - machine_s - own_cpu_s, 0));
        bench_report(b, &(struct figure){"SC-004", "rss_growth", "%", growth_percent(before, after), RSS_GROWTH_PERCENT,
                                         NAN, PEERS});
        bench_report(
            b, &(struct figure){"SC-004", "rss_each", "MB", bench_percentile(after, PEERS, 100), NAN, NAN, PEERS});
    }
    stop(&m);
    return ok;
}

bool bench_mesh(struct bench *b) {
    const bool ok = report_marginal_cost(b);
    return endurance(b) && ok;
}
