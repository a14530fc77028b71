/* SPDX-License-Identifier: Apache-2.0 */
/* Two peers call each other, talk on a channel, send sound and pictures and hang up, and one allocation on the way
 * fails: the one that has the seed's number. Nothing breaks, nothing is left behind, and as the heap works again the
 * call comes about all the same, or an error tells what does not.
 *
 * jansson's and OpenSSL's allocations are counted but do not fail: theirs are tried in signaling/oom_test.c and left to
 * OpenSSL's own tests. A sanitizer has a heap of its own and finds crashes and leaks of the call without a failure. */
#include "frame/pool.h"
#include "peer/rtp_session.h"
#include "rtp/batch.h"
#include "sctp/channels.h"
#include "support/heap_is_anothers.h"
#include "support/mesh.h"
#include "support/sim_main.h"
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_BYTES 3000
#define FRAMES 20
#define FRAME_BYTES 6000
#define SOUND_BYTES 80
#define MAX_PAYLOAD 1100
#define ALLOCATIONS 400             /* of a call, about: more numbers than it has */
#define AGAIN_WITHIN_US RMI_SEC(60) /* time-outs of negotiation, and a call again */

/* The process's, as the heap is. volatile: compilers know what malloc and free look at. */
static volatile long calls, live, fail_at; /* fail_at 0: none fails */

#ifndef HEAP_IS_ANOTHERS
/* What glibc's own functions of these names do. Visible, so that libraries find these in place of glibc's. */
#define HEAP_API __attribute__((visibility("default")))
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t align, size_t size);
extern void __libc_free(void *p);

static bool fails(void) {
    return rmt_scenery == 0 && (calls += 1) == fail_at;
}

static void *counted(void *p) {
    live += p != NULL;
    return p;
}

HEAP_API void *malloc(size_t size) {
    return fails() ? NULL : counted(__libc_malloc(size));
}

HEAP_API void *calloc(size_t count, size_t size) {
    return fails() ? NULL : counted(__libc_calloc(count, size));
}

HEAP_API void *realloc(void *old, size_t size) {
    if (fails())
        return NULL;
    return old ? __libc_realloc(old, size) : counted(__libc_realloc(old, size));
}

HEAP_API void *aligned_alloc(size_t align, size_t size) {
    return fails() ? NULL : counted(__libc_memalign(align, size));
}

HEAP_API void free(void *p) {
    live -= p != NULL;
    __libc_free(p);
}

static void *others_malloc(size_t size) {
    return counted(__libc_malloc(size));
}

static void *openssl_malloc(size_t size, const char *file, int line) {
    (void)file, (void)line;
    return others_malloc(size);
}

static void *openssl_realloc(void *old, size_t size, const char *file, int line) {
    (void)file, (void)line;
    return old ? __libc_realloc(old, size) : others_malloc(size);
}

static void openssl_free(void *p, const char *file, int line) {
    (void)file, (void)line;
    free(p);
}
#endif

struct side {
    const char *other;
    struct rmt_peer *peer;
    struct rmi_channels *channels;
    struct rmi_rtp_session *rtp;
    unsigned packets[RMI_RTP_KINDS]; /* that came */
    bool heard;
    bool told; /* that the channel, or all of them, ended */
};

static void *up(void *ctx, const char *peer_id, struct rmi_channels *channels, size_t message_max) {
    const struct rmi_channel_options options = {.label = "talk", .id = RMI_CHANNEL_ANY};
    struct side *s = ctx;
    uint16_t id;
    (void)peer_id, (void)message_max;
    s->channels = channels;
    while (rmi_channels_open(channels, rmt_peer_now(s->peer), &options, &id) == RM_E_NO_MEMORY) {
    }
    return s;
}

static void down(void *ctx, void *peer) {
    struct side *s = ctx;
    (void)peer;
    s->channels = NULL;
}

static void event(void *ctx, void *peer, const struct rmi_channels_event *ev) {
    static const uint8_t bytes[MESSAGE_BYTES];
    struct side *s = ctx;
    (void)peer;
    s->heard = s->heard || ev->type == RMI_CHANNELS_EV_MESSAGE;
    s->told = s->told || ev->type == RMI_CHANNELS_EV_CLOSED || ev->type == RMI_CHANNELS_EV_DOWN;
    if (ev->type == RMI_CHANNELS_EV_OPEN)
        while (rmi_channels_send(s->channels, rmt_peer_now(s->peer), ev->channel, true, bytes, sizeof bytes) ==
               RM_E_NO_MEMORY) {
        }
}

/* ---- sound and pictures ---- */

static void *media_up(void *ctx, const char *peer_id, struct rmi_rtp_session *rtp) {
    struct side *s = ctx;
    (void)peer_id;
    s->rtp = rtp;
    return s;
}

static void media_changed(void *ctx, void *peer) {
    (void)ctx, (void)peer;
}

static void media_down(void *ctx, void *peer) {
    struct side *s = ctx;
    (void)peer;
    s->rtp = NULL;
}

static void packet(void *ctx, void *peer, const struct rmi_rtp_in *in) {
    struct side *s = ctx;
    (void)peer;
    s->packets[in->kind]++;
}

static void key_request(void *ctx, void *peer, int64_t now_us) {
    (void)ctx, (void)peer, (void)now_us;
}

static void sender_report(void *ctx, void *peer, enum rmi_rtp_kind kind, uint64_t ntp, uint32_t timestamp) {
    (void)ctx, (void)peer, (void)kind, (void)ntp, (void)timestamp;
}

/* One frame of each kind. What it lies in is the application's, and does not fail. */
static void send_media(struct rmt_vnet *v, struct side *s, struct rmi_frame_pool *pool, uint32_t n) {
    static const uint8_t bytes[FRAME_BYTES] = {0x78}; /* of Opus: one frame of 20 ms */
    for (int kind = 0; kind < RMI_RTP_KINDS && s->rtp; kind++) {
        const bool sound = kind == RMI_RTP_AUDIO;
        const struct rmi_packetizer_frame frame = {
            .data = bytes, .len = sound ? SOUND_BYTES : FRAME_BYTES, .max_payload = MAX_PAYLOAD, .key_frame = n == 0};
        const struct rmi_rtp_batch head = {.format = sound ? RMI_PAYLOAD_OPUS : RMI_PAYLOAD_VP8,
                                           .timestamp = n * (sound ? 960 : 1800),
                                           .capture_us = rmt_peer_now(s->peer),
                                           .key_frame = n == 0};
        const struct rmi_rtp_batch *batch = NULL;
        rmt_scenery++;
        RMT_CHECK_INT(v, rmi_rtp_batch_create(pool, &head, &frame, &batch), RM_OK);
        rmt_scenery--;
        (void)rmi_rtp_session_send(s->rtp, rmt_peer_now(s->peer), batch);
        rmi_rtp_batch_unref(&batch);
    }
    rmt_peer_pump(s->peer);
}

struct world {
    struct rmt_mesh *m;
    struct side side[2];
};

/* They hear each other, or are told what does not work: who was there to be called has no memory, or a channel ended.
 */
static bool settled(void *ctx) {
    const struct world *w = ctx;
    bool refused = false, ended = false, heard = true;
    for (int i = 0; i < 2; i++) {
        const struct side *s = &w->side[i];
        refused = refused || rmt_peer_error(s->peer, s->other) == RM_E_NO_MEMORY;
        ended = ended || s->told;
        heard = heard && s->heard;
    }
    return refused || (rmt_mesh_all_connected(w->m) && (heard || ended));
}

static void call(struct rmt_sim *sim, uint64_t seed) {
    static const char *const names[] = {"alice", "bob"}, *const ips[] = {"192.0.2.1", "203.0.113.20"};
    const struct rmt_link link = {.delay_us = RMI_MS(10)};
    struct rmt_vnet *v = rmt_sim_vnet(sim, 1);
    struct rmi_frame_pool *pool = NULL;
    RMT_CHECK_INT(v, rmi_frame_pool_create(&(struct rmi_frame_pool_config){.max_buffers = 8 * FRAMES}, &pool), RM_OK);
    struct world w = {.m = rmt_mesh_create(v, &(struct rmt_mesh_config){.signaling_delay_us = RMI_MS(10)})};
    for (int i = 0; i < 2; i++) {
        struct side *s = &w.side[i];
        struct rmt_host *host = rmt_host_add(v, &(struct rmt_host_config){.name = names[i], .ips = {ips[i]}});
        const struct rmi_endpoint_media_ops media = {.peer_up = media_up,
                                                     .peer_changed = media_changed,
                                                     .peer_down = media_down,
                                                     .packet = packet,
                                                     .key_request = key_request,
                                                     .sender_report = sender_report,
                                                     .ctx = s};
        const struct rmt_peer_options o = {
            .media = &media,
            .video_first = RMI_JSEP_VP8,
            .rates = {.min_bps = 100e3, .start_bps = 3e6, .max_bps = 5e6},
            .channels = {.peer_up = up, .event = event, .peer_down = down, .ctx = s},
            .reconnect = {.max_retries = 8, .initial_us = RMI_SEC(1), .max_us = RMI_SEC(1), .multiplier = 1}};
        rmt_host_set_links(host, &link, &link);
        s->other = names[!i];
        s->peer = rmt_mesh_add(w.m, host, &o);
    }
    calls = 0;
    fail_at = (long)seed;
    rmt_peer_start(w.side[0].peer);
    rmt_peer_start(w.side[1].peer);
    const bool over = rmt_vnet_run_while_not(v, settled, &w, rmt_vnet_now(v) + AGAIN_WITHIN_US);
    for (uint32_t n = 0; n < FRAMES && over; n++) {
        send_media(v, &w.side[0], pool, n);
        send_media(v, &w.side[1], pool, n);
        rmt_vnet_run_for(v, RMI_MS(20));
    }
    rmt_vnet_run_for(v, RMI_SEC(1)); /* what waits for its time to be sent */
    const unsigned *got = w.side[0].packets;
    const bool came = got[RMI_RTP_AUDIO] == FRAMES && got[RMI_RTP_VIDEO] >= FRAMES * (FRAME_BYTES / MAX_PAYLOAD);
    if (over && !came)
        rmt_vnet_note(v, "%u packets of sound, %u of pictures came", got[RMI_RTP_AUDIO], got[RMI_RTP_VIDEO]);
    rmt_peer_close(w.side[0].peer);
    rmt_vnet_run_for(v, RMI_SEC(5));
    fail_at = 0;
    RMT_CHECK(v, over);
    if (sim->last)
        rmt_vnet_note(v, "%ld allocations", calls);
    RMT_CHECK(v, came || (seed > 0 && seed <= (uint64_t)calls));
    rmt_mesh_destroy(&w.m);
    rmi_frame_pool_destroy(&pool);
    rmt_sim_done(sim, &v);
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    static bool warm;
    for (int i = 0; i < 2 && !warm; i++) /* what is set up once in a process, and grows once */
        call(sim, 0);
    warm = true;
    const long before = live;
    call(sim, seed);
    const long left = live - before;
    if (left != 0)
        snprintf(sim->broken, sizeof sim->broken, "%ld allocations were left behind", left);
}

int main(int argc, char **argv) {
#ifndef HEAP_IS_ANOTHERS
    json_set_alloc_funcs(others_malloc, free);
    if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) != 1)
        return EXIT_FAILURE;
    const unsigned seeds = ALLOCATIONS;
#else
    const unsigned seeds = 1;
#endif
    return rmt_sim_main(argc, argv, scenario, NULL, seeds, "each_allocation_of_a_call_may_fail");
}
