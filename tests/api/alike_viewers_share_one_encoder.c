/* SPDX-License-Identifier: Apache-2.0 */
/* One source and nine viewers whose connections are alike: one encoder, at the best rung. A tenth comes: it sees
 * pictures soon, and the others miss none. */
#include "support/media.h"

#include <stdio.h>
#include <string.h>

#define VIEWERS 10
#define PATIENCE_MS 60000
#define PICTURES 60
#define MISSED 10 /* pictures that may be on their way, or be dropped on a busy machine */

struct hall {
    rm_webrtc *source;
    rm_webrtc *viewer[VIEWERS];
    struct rmt_ear ear[VIEWERS];
    size_t count;
    uint64_t pictures; /* that all shall have had */
};

static void add_viewer(struct hall *h, const struct rmi_signaling_thread *s) {
    rm_webrtc_config c;
    rm_event ev;
    char id[RM_PEER_ID_MAX];
    snprintf(id, sizeof id, "viewer-%zu", h->count);
    rmt_config(&c, s, id);
    rmt_ear_init(&h->ear[h->count]);
    c.on_media = rmt_on_media;
    c.user = &h->ear[h->count];
    c.allowed_peers = "source";
    h->viewer[h->count++] = rmt_join(&c);
    do
        RMT_REQUIRE(rmt_wait(h->source, RM_EV_PEER_STATE, RM_PEER_CONNECTED, &ev, PATIENCE_MS));
    while (strcmp(ev.peer_id, id) != 0);
}

static uint64_t pictures_of(struct hall *h, size_t viewer) {
    return rmt_heard_of(&h->ear[viewer], "source").pictures;
}

static bool all_have(void *ctx) {
    struct hall *h = ctx;
    for (size_t i = 0; i < h->count; i++)
        if (pictures_of(h, i) < h->pictures)
            return false;
    return true;
}

/* Who came last, in its first seconds, may still have been on another one. */
static bool one_encoder(void *ctx) {
    struct hall *h = ctx;
    for (size_t i = 0; i < h->count; i++) {
        char id[RM_PEER_ID_MAX];
        snprintf(id, sizeof id, "viewer-%zu", i);
        const rm_media_stats s = rmt_stats(h->source, id);
        if (s.video_rung != 0 || s.video_encoders != 1 || s.video_out.width != 320)
            return false;
    }
    return true;
}

static bool last_has(void *ctx) {
    struct hall *h = ctx;
    return pictures_of(h, h->count - 1) > 0;
}

int main(void) {
    struct rmi_signaling_thread server;
    struct hall h = {.pictures = PICTURES};
    rm_webrtc_config c;
    rmt_server_start(&server);
    rmt_config(&c, &server, "source");
    h.source = rmt_join(&c);
    while (h.count < VIEWERS - 1)
        add_viewer(&h, &server);
    struct rmt_source source = {.t = h.source, .width = 320, .height = 180, .fps = 30, .noisy = true};
    RMT_REQUIRE(rmt_play(&source, 1, all_have, &h, PATIENCE_MS));
    RMT_REQUIRE(rmt_play(&source, 1, one_encoder, &h, PATIENCE_MS));

    add_viewer(&h, &server);
    uint64_t before[VIEWERS];
    const uint64_t sent = source.pictures;
    for (size_t i = 0; i < VIEWERS; i++)
        before[i] = pictures_of(&h, i);
    RMT_REQUIRE(rmt_play(&source, 1, last_has, &h, PATIENCE_MS));
    printf("the tenth viewer saw its first picture after %llu\n", (unsigned long long)(source.pictures - sent));
    RMT_REQUIRE(rmt_play(&source, 1, NULL, NULL, 2000));
    for (size_t i = 0; i + 1 < VIEWERS; i++)
        RMT_REQUIRE(pictures_of(&h, i) - before[i] + MISSED >= source.pictures - sent);
    RMT_REQUIRE(rmt_play(&source, 1, one_encoder, &h, PATIENCE_MS));
    RMT_REQUIRE(source.refused == 0);

    for (size_t i = 0; i < VIEWERS; i++) {
        rm_webrtc_destroy(&h.viewer[i]);
        rmt_ear_fini(&h.ear[i]);
    }
    rm_webrtc_destroy(&h.source);
    rmi_signaling_thread_stop(&server);
    return 0;
}
