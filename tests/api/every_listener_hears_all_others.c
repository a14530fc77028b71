/* SPDX-License-Identifier: Apache-2.0 */
/* A conference of participants who each send a tone of their own: everybody hears all others and not itself, and who
 * has left is gone at once. Once with one of them as the mixer of all (mix-minus), and once in a mesh, where each mixes
 * for itself. An argument sets how many send (default 5, up to 9). */
#include "base/time.h"
#include "io/loop.h"
#include "support/media.h"
#include "support/tones.h"
#include <jansson.h>
#include <math.h>
#include <remotemedia/webrtc_session.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define SENDERS_MAX 9
#define AMPLITUDE 0.09F /* of nine together below full scale: nothing is limited */
#define LOUD 2
#define PATIENCE_MS 120000
#define CHUNK_US RMI_MS(10)
#define NEAR_DB 3.0
#define ITSELF_DB (-60.0)
#define LEVEL_DB 3.0
#define GONE_MS 100
#define GONE_DB (-20.0) /* of a tone, in one chunk: what is left is no more heard beside the others */

static const char mix[] = "version: v1\n"
                          "metadata: {name: mix}\n"
                          "nodes:\n"
                          "  - id: mix\n"
                          "    node_type: AudioMixerNode\n"
                          "    params: {mode: both, chunk_ms: 10, sample_rate: 48000, channels: 1, clock: arrival,\n"
                          "             max_ahead_ms: 200, levels: true}\n"
                          "connections: []\n";

struct person {
    char id[8];
    unsigned tone;
    atomic_int loudness; /* times AMPLITUDE */
    rm_webrtc *t;
    rm_webrtc_session *session; /* of the mesh */
    struct rmt_tape tape;       /* what it hears */
    uint64_t chunks;            /* sent */
    atomic_bool gone;
    /* Chunks after the departure of `leaver` that had its tone: not until the last one, as the sound of another that
     * is torn has a little of every tone. */
    atomic_int leaver; /* tone of who was told to have gone last, or -1 */
    atomic_uint heard_after;
    atomic_bool ready;
    atomic_uint connected; /* peers, so far */
    /* Of the mixer. */
    struct rmt_tape sum;
    pthread_mutex_t mutex;
    char speaker[RM_PEER_ID_MAX];
    double level[SENDERS_MAX]; /* dBov, as the mixer says */
};

static double db(double amplitude) {
    return 20 * log10(amplitude > 1e-9 ? amplitude : 1e-9);
}

/* Without an id: p and the number of its tone. */
static void person_init(struct person *p, const char *id, unsigned tone) {
    memset(p, 0, sizeof *p);
    memcpy(p->id, id ? id : (char[]){'p', (char)('0' + tone), '\0'}, id ? strlen(id) + 1 : 3);
    p->tone = tone;
    atomic_init(&p->loudness, 1);
    atomic_init(&p->leaver, -1);
    rmt_tape_init(&p->tape);
    rmt_tape_init(&p->sum);
    pthread_mutex_init(&p->mutex, NULL);
}

/* ---- what is heard ---- */

static void look_for_leaver(struct person *p, const rm_audio *a) {
    const int leaver = atomic_load(&p->leaver);
    if (leaver < 0)
        return;
    if (db(rmt_tone_amplitude(a->samples, a->frame_count, RMT_TONE_HZ(leaver))) > db((double)AMPLITUDE) + GONE_DB)
        atomic_fetch_add(&p->heard_after, 1);
}

static void on_event(const rm_event *ev, void *user) {
    struct person *p = user;
    if (ev->type == RM_EV_SIGNALING && ev->signaling == RM_SIGNALING_READY)
        atomic_store(&p->ready, true);
    if (ev->type == RM_EV_PEER_STATE && ev->peer_state == RM_PEER_CONNECTED)
        atomic_fetch_add(&p->connected, 1);
    if (ev->type == RM_EV_PEER_STATE && ev->peer_state == RM_PEER_CLOSED && ev->peer_id[0] == 'p')
        atomic_store(&p->leaver, atoi(ev->peer_id + 1));
}

static void on_media(const char *peer_id, rm_runtime_data *data, void *user) {
    struct person *p = user;
    (void)peer_id;
    if (!rm_runtime_data_audio(data))
        return;
    rmt_tape_add(&p->tape, rm_runtime_data_audio(data));
}

static void read_levels(struct person *p, const char *metadata) {
    json_t *root = metadata ? json_loads(metadata, 0, NULL) : NULL, *all = json_object_get(root, "audio_mixer");
    const char *speaker = json_string_value(json_object_get(all, "speaker")), *id;
    json_t *level;
    pthread_mutex_lock(&p->mutex);
    snprintf(p->speaker, sizeof p->speaker, "%s", speaker ? speaker : "");
    json_object_foreach(json_object_get(all, "levels"), id, level) {
        if (id[0] == 'p' && atoi(id + 1) < SENDERS_MAX)
            p->level[atoi(id + 1)] = json_number_value(level);
    }
    pthread_mutex_unlock(&p->mutex);
    json_decref(root);
}

/* Of the session that mixes: the sum has no stream id. */
static void on_output(rm_webrtc_session *session, const char *output_id, const char *origin,
                      const rm_transport_data *output, void *user) {
    struct person *p = user;
    const rm_audio *a = rm_runtime_data_audio(output->data);
    RMT_REQUIRE(session != NULL && !strcmp(output_id, "mix") && a != NULL);
    if (rm_runtime_data_stream_id(output->data)) {
        RMT_REQUIRE(!origin[0] || !strcmp(origin, rm_runtime_data_stream_id(output->data)));
        return;
    }
    RMT_REQUIRE(!origin[0]);
    rmt_tape_add(&p->sum, a);
    look_for_leaver(p, a);
    read_levels(p, rm_runtime_data_metadata(output->data));
}

/* ---- playing ---- */

/* All who are there send in real time, on a thread: judging what is heard must not make gaps. */
struct band {
    struct person *people;
    size_t count;
    atomic_bool stop;
    pthread_t thread;
};

static void play_round(struct person *people, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct person *p = &people[i];
        if (atomic_load(&p->gone))
            continue;
        rm_runtime_data *chunk = rmt_tone_chunk(p->tone, AMPLITUDE * (float)atomic_load(&p->loudness), p->chunks++);
        rm_webrtc_send_audio(p->t, NULL, chunk);
        rm_runtime_data_unref(&chunk);
    }
}

static void *band_main(void *ctx) {
    struct band *b = ctx;
    for (int64_t at_us = rmi_now_us(); !atomic_load(&b->stop);) {
        play_round(b->people, b->count);
        at_us = rmi_max64(at_us + CHUNK_US, rmi_now_us() - RMI_MS(50));
        struct timespec at = {.tv_sec = (time_t)(at_us / RMI_SEC(1)), .tv_nsec = (long)(at_us % RMI_SEC(1)) * 1000};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
    }
    return NULL;
}

static void band_start(struct band *b, struct person *people, size_t count) {
    *b = (struct band){.people = people, .count = count};
    RMT_REQUIRE(!pthread_create(&b->thread, NULL, band_main, b));
}

static void band_stop(struct band *b) {
    atomic_store(&b->stop, true);
    pthread_join(b->thread, NULL);
}

/* One who listens: to all but itself (SENDERS_MAX: to all). */
struct listener {
    const char *id;
    struct rmt_tape *tape;
    unsigned itself;
};

/* Until each of them has heard so much more. */
static void listen_for(const struct listener *listeners, size_t count, unsigned ms) {
    const int64_t end_us = rmi_now_us() + RMI_MS(PATIENCE_MS);
    for (size_t i = 0; i < count; i++) {
        const uint64_t until = rmt_tape_length(listeners[i].tape) + (uint64_t)ms * (RMT_TONE_RATE / 1000);
        while (rmt_tape_length(listeners[i].tape) < until) {
            RMT_REQUIRE(rmi_now_us() < end_us);
            usleep(5000);
        }
    }
}

/* Tones of all who are there at their own levels, and no other. *absent: the loudest of the others, beside them. */
static bool hears_right(const struct listener *l, const struct person *people, size_t count, bool tell,
                        double *absent) {
    double least = 0;
    bool right = true;
    for (size_t i = 0; i < count; i++) {
        if (atomic_load(&people[i].gone) || people[i].tone == l->itself)
            continue;
        const double level = db(rmt_tape_tone(l->tape, RMT_TONE_HZ(people[i].tone))),
                     sent = db((double)AMPLITUDE * atomic_load(&people[i].loudness));
        if (tell)
            fprintf(stderr, "%s hears %s at %.1f dB, sent %.1f\n", l->id, people[i].id, level, sent);
        right &= fabs(level - sent) <= NEAR_DB;
        least = fmin(least, level);
    }
    for (size_t i = 0; i < count; i++) {
        if (!atomic_load(&people[i].gone) && people[i].tone != l->itself)
            continue;
        const double level = db(rmt_tape_absent(l->tape, RMT_TONE_HZ(people[i].tone))) - least;
        if (tell)
            fprintf(stderr, "%s hears %s at %.1f dB beside the others\n", l->id,
                    people[i].tone == l->itself ? "itself" : people[i].id, level);
        right &= level < ITSELF_DB;
        *absent = fmax(*absent, level);
    }
    return right;
}

/* Until all of what everybody heard last is right: a machine that is busy for a moment tears holes. */
static void all_hear_right(const struct listener *listeners, size_t listener_count, const struct person *people,
                           size_t count) {
    const int64_t end_us = rmi_now_us() + RMI_MS(PATIENCE_MS);
    for (bool right = false; !right;) {
        const bool last = rmi_now_us() > end_us;
        double absent = -INFINITY;
        listen_for(listeners, listener_count, 500);
        right = true;
        for (size_t i = 0; i < listener_count; i++)
            right &= hears_right(&listeners[i], people, count, last, &absent);
        RMT_REQUIRE(right || !last);
        if (right)
            printf("%zu listeners hear all that they should, and else nothing above %.1f dB\n", listener_count, absent);
    }
}

/* ---- joining and leaving ---- */

static void await(bool (*is)(const struct person *p, unsigned what), const struct person *p, unsigned what) {
    const int64_t end_us = rmi_now_us() + RMI_MS(PATIENCE_MS);
    while (!is(p, what)) {
        RMT_REQUIRE(rmi_now_us() < end_us);
        usleep(5000);
    }
}

static bool is_ready(const struct person *p, unsigned what) {
    (void)what;
    return atomic_load(&p->ready);
}

static bool has_connected(const struct person *p, unsigned what) {
    return atomic_load(&p->connected) >= what;
}

static bool misses(const struct person *p, unsigned what) {
    return atomic_load(&p->leaver) == (int)what;
}

static void join(struct person *p, const struct rmi_signaling_thread *s, const char *room, const char *allowed) {
    rm_webrtc_config c;
    rmt_config(&c, s, p->id);
    c.max_peers = RM_PEERS_MESH;
    c.room = room;
    c.enable_video = false;
    c.allowed_peers = allowed;
    c.audio_bitrate_bps = 256000; /* what the codec adds to tones is not what is looked for */
    c.on_media = on_media;
    c.on_event = on_event;
    c.user = p;
    p->t = rmt_join(&c);
    await(is_ready, p, 0);
}

static rm_webrtc_session *open_session(struct person *p, rm_routing_policy policy) {
    rm_webrtc_session_config c;
    rm_webrtc_session *session = NULL;
    char detail[RM_DETAIL_MAX];
    rm_webrtc_session_config_init(&c);
    c.manifest = rmt_manifest(mix);
    c.policy = policy;
    c.take_video = false;
    c.on_output = on_output;
    c.user = p;
    RMT_REQUIRE(rm_webrtc_create_session(p->t, &c, &session, detail, sizeof detail) == RM_OK);
    rm_manifest_unref(&c.manifest);
    return session;
}

/* Leaves; how long its tone is in the mixes of `where` from the moment on that its departure is known there. */
static void leave(struct person *leaver, struct person *where, size_t where_count, const struct listener *listeners,
                  size_t listener_count) {
    atomic_store(&leaver->gone, true);
    rm_webrtc_shutdown(leaver->t);
    for (size_t i = 0; i < where_count; i++)
        if (&where[i] != leaver)
            await(misses, &where[i], leaver->tone);
    listen_for(listeners, listener_count, 2000);
    for (size_t i = 0; i < where_count; i++) {
        if (&where[i] == leaver)
            continue;
        const unsigned ms = 10 * atomic_load(&where[i].heard_after);
        printf("%s: the tone of %s is gone after %u ms\n", where[i].id, leaver->id, ms);
        RMT_REQUIRE(ms <= GONE_MS);
    }
}

static double cpu_s(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* ---- one mixes for all ---- */

static void levels_are_told(struct person *mixer, const struct person *people, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (atomic_load(&people[i].gone))
            continue;
        const double sent = db((double)AMPLITUDE * atomic_load(&people[i].loudness) * M_SQRT1_2);
        const double rtp = db(rmt_stats(mixer->t, people[i].id).audio_level); /* the extension of RFC 6464 */
        pthread_mutex_lock(&mixer->mutex);
        const double level = mixer->level[i];
        pthread_mutex_unlock(&mixer->mutex);
        if (fabs(level - sent) > LEVEL_DB || fabs(rtp - sent) > LEVEL_DB)
            fprintf(stderr, "%s: level %.1f, in packets %.1f, sent %.1f dBov\n", people[i].id, level, rtp, sent);
        RMT_REQUIRE(fabs(level - sent) <= LEVEL_DB && fabs(rtp - sent) <= LEVEL_DB);
    }
}

static bool speaks(struct person *mixer, const char *id) {
    pthread_mutex_lock(&mixer->mutex);
    const bool it_is = !strcmp(mixer->speaker, id);
    pthread_mutex_unlock(&mixer->mutex);
    return it_is;
}

static uint64_t concealed(const struct person *p, const char *of) {
    return rmt_stats(p->t, of).concealed_samples;
}

/* Somebody stops without a word, as a dead peer does: the mix waits for it a moment and goes on. */
static void one_falls_silent(struct person *people, size_t count, size_t silent, const struct listener *listeners,
                             size_t listener_count) {
    const uint64_t before = concealed(&people[0], "mixer");
    atomic_store(&people[silent].gone, true);
    all_hear_right(listeners, listener_count, people, count);
    printf("%s fell silent: another listener had %.0f ms concealed\n", people[silent].id,
           (double)(concealed(&people[0], "mixer") - before) / (RMT_TONE_RATE / 1000));
}

static void one_mixes_for_all(const struct rmi_signaling_thread *s, size_t count) {
    static struct person mixer, people[SENDERS_MAX];
    struct listener listeners[SENDERS_MAX + 1];
    struct band band;
    rm_session_info info;
    person_init(&mixer, "mixer", SENDERS_MAX);
    join(&mixer, s, "star", NULL);
    mixer.session = open_session(&mixer, RM_ROUTING_UNICAST);
    for (size_t i = 0; i < count; i++) {
        person_init(&people[i], NULL, (unsigned)i);
        join(&people[i], s, "star", "mixer");
        listeners[i] = (struct listener){people[i].id, &people[i].tape, (unsigned)i};
    }
    listeners[count] = (struct listener){"the mixer", &mixer.sum, SENDERS_MAX};
    await(has_connected, &mixer, (unsigned)count);
    band_start(&band, people, count);
    all_hear_right(listeners, count + 1, people, count);
    levels_are_told(&mixer, people, count);
    const double cpu = cpu_s();
    const int64_t from_us = rmi_now_us();
    listen_for(listeners, count + 1, 2000);
    printf("a conference of %zu in one process: %.1f %% of a core\n", count + 1,
           (cpu_s() - cpu) / ((double)(rmi_now_us() - from_us) / 1e6) * 100);

    /* Who speaks louder is the speaker. */
    atomic_store(&people[1].loudness, LOUD);
    for (int round = 0; !speaks(&mixer, "p1"); round++) {
        RMT_REQUIRE(round < 20);
        listen_for(listeners, count + 1, 500);
    }
    all_hear_right(listeners, count + 1, people, count);
    levels_are_told(&mixer, people, count);

    listeners[2] = listeners[count];
    leave(&people[2], &mixer, 1, listeners, count);
    all_hear_right(listeners, count, people, count);
    RMT_REQUIRE(rm_webrtc_session_get_info(mixer.session, &info) == RM_OK);
    RMT_REQUIRE(info.active && info.connected == count - 1 && info.peers == count - 1 && info.failed == 0);
    RMT_REQUIRE(info.sent > 0 && info.node_errors == 0 && info.streams == count - 1);
    one_falls_silent(people, count, 3, listeners, count);
    band_stop(&band);
    rm_webrtc_destroy_session(&mixer.session);
    for (size_t i = 0; i < count; i++)
        rm_webrtc_destroy(&people[i].t);
    rm_webrtc_destroy(&mixer.t);
}

/* ---- each mixes for itself ---- */

static void each_mixes_for_itself(const struct rmi_signaling_thread *s, size_t count) {
    static struct person people[SENDERS_MAX];
    struct listener listeners[SENDERS_MAX];
    struct band band;
    for (size_t i = 0; i < count; i++) {
        person_init(&people[i], NULL, (unsigned)i);
        join(&people[i], s, "mesh", NULL);
        people[i].session = open_session(&people[i], RM_ROUTING_SELECTIVE);
        listeners[i] = (struct listener){people[i].id, &people[i].sum, (unsigned)i};
    }
    for (size_t i = 0; i < count; i++)
        await(has_connected, &people[i], (unsigned)count - 1);
    band_start(&band, people, count);
    all_hear_right(listeners, count, people, count);
    const size_t last = count - 1;
    leave(&people[last], people, count, listeners, last);
    all_hear_right(listeners, last, people, count);
    band_stop(&band);
    for (size_t i = 0; i < last; i++) {
        rm_session_info info;
        RMT_REQUIRE(rm_webrtc_session_get_info(people[i].session, &info) == RM_OK);
        RMT_REQUIRE(info.sent == 0 && info.streams == 0 && info.unwanted == info.outputs); /* nobody gets the mix */
    }
    for (size_t i = 0; i < count; i++)
        rm_webrtc_destroy(&people[i].t); /* ends its session */
}

int main(int argc, char **argv) {
    struct rmi_signaling_thread s;
    const int senders = argc > 1 ? atoi(argv[1]) : 5;
    RMT_REQUIRE(senders >= 4 && senders <= SENDERS_MAX);
    rmt_server_start(&s);
    one_mixes_for_all(&s, (size_t)senders);
    each_mixes_for_itself(&s, 4);
    rmi_signaling_thread_stop(&s);
    return 0;
}
