/* SPDX-License-Identifier: Apache-2.0 */
/* RUNGS: one source of 720p, to one viewer and then to one more at a time, up to nine. What each adds to the source's
 * CPU time, and how many encoders it has. */
#include "bench.h"
#include "bench_call.h"
#include "bench_child.h"

#include <stdio.h>

#define VIEWERS 9
#define SETTLE_MS 6000 /* a newcomer's rate is found, and it has come to its rung */
#define WINDOW_MS 5000
#define COST_LIMIT_PERCENT 0.5 /* of a core for each viewer more: the requirement */

struct hall {
    struct rmi_signaling_thread server;
    bool has_server;
    char url[sizeof((struct rmi_signaling_thread *)NULL)->url + 4];
    struct bench_child source, viewers[VIEWERS];
    double cpu[VIEWERS], encoders, bps; /* percent of a core; most of them; to all, at the end */
};

static bool start_source(struct hall *h) {
    h->has_server = bench_server_start(&h->server);
    if (!h->has_server)
        return false;
    snprintf(h->url, sizeof h->url, "url=%s", h->server.url);
    const char *const args[] = {h->url, "id=source", "publish=test", NULL};
    return bench_child_start(&h->source, args);
}

static bool add_viewer(struct hall *h, size_t i) {
    char id[32];
    snprintf(id, sizeof id, "id=viewer-%zu", i);
    const char *const args[] = {h->url, id, "allow=source", NULL};
    return bench_child_start(&h->viewers[i], args) && !isnan(bench_child_number(&h->viewers[i], "connected", "cpu_s"));
}

static void end(struct hall *h) {
    for (size_t i = 0; i < VIEWERS; i++)
        if (h->viewers[i].pid)
            bench_child_stop(&h->viewers[i]);
    if (h->source.pid)
        bench_child_stop(&h->source);
    if (h->has_server)
        rmi_signaling_thread_stop(&h->server);
}

static bool look(struct hall *h, size_t i) {
    struct bench_window w = {0};
    bench_sleep(SETTLE_MS);
    if (!bench_window_take(&w, &h->source, WINDOW_MS))
        return false;
    h->cpu[i] = bench_window_cpu(&w);
    h->encoders = fmax(h->encoders, json_number_value(json_object_get(w.after, "encoders")));
    h->bps = json_number_value(json_object_get(w.after, "video_bps"));
    fprintf(stderr, "RUNGS: %zu viewers: %.2f %% of a core, %.0f kbit/s to all, %.0f encoders\n", i + 1, h->cpu[i],
            h->bps / 1000, json_number_value(json_object_get(w.after, "encoders")));
    bench_window_free(&w);
    return true;
}

/* Of the line nearest to all points: no single window counts for much. */
static double slope(const double *y, size_t n) {
    const double middle = (double)(n - 1) / 2;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        sum += ((double)i - middle) * y[i];
        squares += ((double)i - middle) * ((double)i - middle);
    }
    return sum / squares;
}

bool bench_rungs(struct bench *b) {
    double each[BENCH_RUNS_MAX], one[BENCH_RUNS_MAX], encoders = 0, bps = 0;
    const size_t runs = b->runs_given ? b->runs : 1; /* of a hundred seconds */
    for (size_t run = 0; run < runs; run++) {
        struct hall h = {0};
        bool ok = start_source(&h);
        for (size_t i = 0; ok && i < VIEWERS; i++)
            ok = add_viewer(&h, i) && look(&h, i);
        end(&h);
        if (!ok)
            return false;
        each[run] = slope(h.cpu, VIEWERS);
        one[run] = h.cpu[0];
        encoders = fmax(encoders, h.encoders);
        bps = h.bps / VIEWERS;
    }
    bench_report(b, &(struct figure){"RUNGS", "cpu_for_one_viewer_more", "%", bench_percentile(each, runs, 50),
                                     COST_LIMIT_PERCENT, NAN, runs * VIEWERS});
    bench_report(
        b, &(struct figure){"RUNGS", "cpu_for_the_first_viewer", "%", bench_percentile(one, runs, 50), NAN, NAN, runs});
    bench_report(b, &(struct figure){"RUNGS", "encoders_for_nine_alike", "", encoders, 1, NAN, runs});
    bench_report(b, &(struct figure){"RUNGS", "rate_of_each", "bps", bps, NAN, NAN, runs});
    return true;
}
