/* SPDX-License-Identifier: Apache-2.0 */
/* A peer reconfigures its session over and over while its sound runs through: every input is answered, by the old
 * session or the new one, in order; and nothing is left behind. */
#include "support/media.h"
#include "support/resources.h"

#include <pthread.h>
#include <remotemedia/transport_data.h>
#include <remotemedia/webrtc_control.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TIMES 150
#else
#define TIMES 1000
#endif
#define WARM_UP 50
#define FILL_MS 2500 /* until histories of packets and of their feedback are as long as they get */
#define PATIENCE_MS 20000
/* Histories and queues that breathe, whatever the number of times; a session takes several times as much. */
#define BYTES_TOLERATED (128 * 1024)

static const char *const manifests[] = {
    "{\"version\":\"v1\",\"metadata\":{\"name\":\"one\"},\"connections\":[],\"nodes\":[{\"id\":\"one\",\"node_type\":"
    "\"PassThrough\"}]}",
    "{\"version\":\"v1\",\"metadata\":{\"name\":\"two\"},\"connections\":[{\"from\":\"one\",\"to\":\"two\"}],\"nodes\":"
    "["
    "{\"id\":\"one\",\"node_type\":\"AudioGainNode\",\"params\":{\"gain_db\":-6}},{\"id\":\"two\",\"node_type\":"
    "\"PassThrough\",\"params\":{\"own_thread\":true}}]}",
};

struct watcher {
    rm_webrtc *a, *b;
    pthread_mutex_t mutex;
    uint64_t outputs, gaps, next; /* of "b": what the sessions put out, and the number that has to come */
    uint64_t inputs;              /* as many as there were outputs */
    uint64_t answers, wanted;     /* of "a" */
    bool refused;
};

static void on_output(const char *peer_id, const rm_transport_data *output, void *user) {
    struct watcher *w = user;
    (void)peer_id;
    pthread_mutex_lock(&w->mutex);
    w->outputs++;
    w->gaps += !output->has_sequence || output->sequence != w->next;
    w->next = output->sequence + 1;
    pthread_mutex_unlock(&w->mutex);
}

/* As fast as they are answered. */
static void on_control(const rm_control_answer *answer, void *user) {
    struct watcher *w = user;
    pthread_mutex_lock(&w->mutex);
    w->answers++;
    w->refused = w->refused || answer->type != RM_CONTROL_DONE;
    const uint64_t done = w->answers;
    const bool more = done < w->wanted;
    pthread_mutex_unlock(&w->mutex);
    const char *manifest = manifests[done % 2];
    if (more)
        RMT_REQUIRE(rm_webrtc_reconfigure_peer(w->a, "b", manifest, strlen(manifest), NULL) == RM_OK);
}

static bool is_done(void *ctx) {
    struct watcher *w = ctx;
    pthread_mutex_lock(&w->mutex);
    const bool done = w->answers >= w->wanted || w->refused;
    pthread_mutex_unlock(&w->mutex);
    return done;
}

static void reconfigure(struct watcher *w, struct rmt_source *sound, uint64_t times) {
    pthread_mutex_lock(&w->mutex);
    w->wanted += times;
    pthread_mutex_unlock(&w->mutex);
    RMT_REQUIRE(rm_webrtc_reconfigure_peer(w->a, "b", manifests[0], strlen(manifests[0]), NULL) == RM_OK);
    RMT_REQUIRE(rmt_play(sound, 1, is_done, w, 300000));
    RMT_REQUIRE(!w->refused);
}

static bool all_came_out(void *ctx) {
    struct watcher *w = ctx;
    const uint64_t inputs = rmt_stats(w->b, "a").pipeline_inputs;
    pthread_mutex_lock(&w->mutex);
    const bool all = w->outputs == inputs;
    w->inputs = inputs;
    pthread_mutex_unlock(&w->mutex);
    return all;
}

/* With the events read that wait for us, which are many. */
static struct rmt_resources measure(struct watcher *w) {
    rm_event ev;
    while (rm_webrtc_poll(w->b, &ev, 0) == RM_OK)
        RMT_REQUIRE((ev.type == RM_EV_CONTROL || ev.type == RM_EV_BANDWIDTH) && ev.err == RM_OK);
    return rmt_measure();
}

int main(int argc, char **argv) {
    (void)argc;
    rmt_count_exactly(argv);
    struct rmi_signaling_thread s;
    struct watcher w = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    struct rmt_source none = {0};
    rm_webrtc_config c;
    rm_event ev;
    rmt_server_start(&s);
    rmt_config(&c, &s, "b");
    c.control_peers = "a";
    c.on_output = on_output;
    c.user = &w;
    RMT_REQUIRE(rm_webrtc_create(&c, &w.b) == RM_OK);
    rm_manifest *m = rmt_manifest(manifests[1]);
    RMT_REQUIRE(rm_webrtc_set_pipeline(w.b, m, NULL, NULL, 0) == RM_OK);
    rm_manifest_unref(&m);
    RMT_REQUIRE(rm_webrtc_start(w.b) == RM_OK);
    RMT_REQUIRE(rmt_wait(w.b, RM_EV_SIGNALING, RM_SIGNALING_READY, &ev, PATIENCE_MS));
    rmt_config(&c, &s, "a");
    c.on_control = on_control;
    c.user = &w;
    c.audio_frame_us = 2500;
    w.a = rmt_join(&c);
    RMT_REQUIRE(rmt_wait(w.a, RM_EV_CHANNEL, 0, &ev, PATIENCE_MS));
    struct rmt_source sound = {.t = w.a, .sound_us = 2500, .amplitude = 0.5f};
    reconfigure(&w, &sound, WARM_UP);
    RMT_REQUIRE(rmt_play(&sound, 1, NULL, NULL, FILL_MS));
    RMT_REQUIRE(rmt_wait(w.b, RM_EV_CONTROL, 0, &ev, PATIENCE_MS)); /* behind those of the connection */
    const struct rmt_resources before = measure(&w);
    reconfigure(&w, &sound, TIMES);
    RMT_REQUIRE(rmt_play(&none, 1, all_came_out, &w, PATIENCE_MS));
    const struct rmt_resources after = measure(&w);
    const rm_media_stats stats = rmt_stats(w.b, "a");
    pthread_mutex_lock(&w.mutex);
    printf("%d reconfigurations, %llu chunks in order, %zu bytes before, %zu after\n", TIMES,
           (unsigned long long)w.outputs, before.bytes, after.bytes);
    RMT_REQUIRE(w.outputs >= w.inputs && w.inputs > 0 && w.gaps == 0 && stats.pipeline_errors == 0);
    pthread_mutex_unlock(&w.mutex);
    RMT_REQUIRE(after.descriptors == before.descriptors && after.threads <= before.threads + 1);
    RMT_REQUIRE(after.bytes < before.bytes + BYTES_TOLERATED);
    rm_webrtc_destroy(&w.a);
    rm_webrtc_destroy(&w.b);
    rmi_signaling_thread_stop(&s);
    return 0;
}
