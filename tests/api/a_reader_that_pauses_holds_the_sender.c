/* SPDX-License-Identifier: Apache-2.0 */
/* A receiver that does not read while a sender never stops: the sender is told to wait, memory stays bounded on both
 * sides, the other direction goes on, and after it all arrives once, in order. */
#include "support/channels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE 50000
#define HELD_MAX ((uint64_t)8 << 20) /* what a paused reader holds: 4 MiB offered, and what was under way */
#define GROWTH_MAX ((long)100 << 20) /* of the process; a tenth of it is used, sanitizers take more */
#define AGAIN_TURNS 200

static long resident_bytes(void) {
    long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    RMT_REQUIRE(f && fscanf(f, "%ld %ld", &pages, &resident) == 2);
    fclose(f);
    return resident * sysconf(_SC_PAGESIZE);
}

static uint64_t held_by(struct rmt_side *s) {
    rm_data_stats stats;
    RMT_REQUIRE(rm_webrtc_data_stats(s->t, s->other, &stats) == RM_OK);
    return stats.receive_held;
}

static bool last_has_size(struct rmt_side *s, uint16_t id, size_t size) {
    (void)usleep(20000); /* the pace of trying again */
    pthread_mutex_lock(&s->mutex);
    const bool seen = s->at[id].last_size == size;
    pthread_mutex_unlock(&s->mutex);
    return seen;
}

struct stream {
    uint64_t hash, messages;
    uint8_t bytes[PIECE];
};

static rm_err send_next(struct rmt_side *a, uint16_t id, struct stream *s) {
    memcpy(s->bytes, &s->messages, sizeof s->messages);
    const rm_err err = rm_webrtc_send_data(a->t, a->other, id, true, s->bytes, PIECE);
    if (!err) {
        s->hash = rmt_hash(s->hash, s->bytes, PIECE);
        s->messages++;
    }
    return err;
}

/* Until nothing is taken any more although time goes by. */
static void fill(struct rmt_side *a, struct rmt_side *b, uint16_t id, struct stream *s) {
    for (int turns = 0; turns < AGAIN_TURNS;) {
        const rm_err err = send_next(a, id, s);
        RMT_REQUIRE(err == RM_OK || err == RM_E_AGAIN);
        turns = err ? turns + 1 : 0;
        RMT_REQUIRE(held_by(b) <= HELD_MAX); /* each waits for the network thread of the reader, which goes on */
        if (err)
            (void)usleep(1000); /* what is measured is that nothing moves: the limit is a number of turns */
    }
}

/* Messages with a short life make room for others although nobody reads, and are counted. */
static void old_messages_give_way(struct rmt_couple *c) {
    struct rmt_side *a = &c->side[0], *b = &c->side[1];
    static const uint8_t bytes[PIECE];
    rm_channel_info info[8];
    rm_channel_options o;
    size_t count = 0;
    uint16_t id;
    rm_err err = RM_OK;
    rm_channel_options_init(&o);
    o.max_lifetime_ms = 50;
    RMT_REQUIRE(rm_webrtc_open_channel(a->t, "b", &o, &id) == RM_OK);
    RMT_AWAIT(b, b->at[id].opened > b->at[id].closed);
    RMT_REQUIRE(rm_webrtc_pause_channel(b->t, "a", id, true) == RM_OK);
    uint64_t expired = 0;
    for (int round = 0; round < 100 && expired == 0; round++) {
        const int writable = a->at[id].writable;
        for (err = RM_OK; !err;)
            err = rm_webrtc_send_data(a->t, "b", id, true, bytes, PIECE);
        RMT_REQUIRE(err == RM_E_AGAIN);
        RMT_AWAIT(a, a->at[id].writable > writable);
        RMT_REQUIRE(rm_webrtc_channels(a->t, "b", info, 8, &count) == RM_OK && count <= 8);
        for (size_t i = 0; i < count; i++)
            expired += info[i].id == id ? info[i].expired : 0;
    }
    printf("%llu messages expired before their turn\n", (unsigned long long)expired);
    RMT_REQUIRE(expired > 0);
    RMT_REQUIRE(rm_webrtc_pause_channel(b->t, "a", id, false) == RM_OK);
    do /* one that is lost to its age is followed by another */
        RMT_REQUIRE((err = rm_webrtc_send_data(a->t, "b", id, false, "last", 4)) == RM_OK || err == RM_E_AGAIN);
    while (!last_has_size(b, id, 4));
}

int main(void) {
    static struct rmt_couple c;
    static struct stream s = {.hash = RMT_HASH_BEGIN};
    struct rmi_signaling_thread server;
    rmt_server_start(&server);
    rmt_couple_open(&c, &server, "pause", NULL);
    struct rmt_side *a = &c.side[0], *b = &c.side[1];
    rm_channel_options o;
    rm_channel_options_init(&o);
    o.label = "bulk";
    uint16_t id, back;
    RMT_REQUIRE(rm_webrtc_open_channel(a->t, "b", &o, &id) == RM_OK);
    o.label = "back";
    RMT_REQUIRE(rm_webrtc_open_channel(b->t, "a", &o, &back) == RM_OK);
    RMT_AWAIT(b, b->at[id].opened == 1);
    for (int i = 0; i < 20; i++)
        RMT_REQUIRE(send_next(a, id, &s) == RM_OK);
    RMT_AWAIT(b, b->at[id].messages == 20);
    const long before = resident_bytes();
    RMT_REQUIRE(rm_webrtc_pause_channel(b->t, "a", id, true) == RM_OK);
    RMT_REQUIRE(rm_webrtc_pause_channel(b->t, "a", id, true) == RM_OK);
    fill(a, b, id, &s);
    const uint64_t held = held_by(b);
    const long growth = resident_bytes() - before;
    printf("held %llu bytes, the process grew by %ld; %llu messages under way\n", (unsigned long long)held, growth,
           (unsigned long long)s.messages);
    RMT_REQUIRE(held > (1 << 20) && growth < GROWTH_MAX);
    const uint64_t seen = b->at[id].messages;
    RMT_REQUIRE(seen < s.messages);
    /* From the paused side to the other all goes on. */
    for (int i = 0; i < 100; i++)
        rmt_send_all(b, back, false, "still here", 10);
    RMT_AWAIT(a, a->at[back].messages == 100);
    RMT_REQUIRE(b->at[id].messages == seen);
    const int writable = a->at[id].writable;
    RMT_REQUIRE(rm_webrtc_pause_channel(b->t, "a", id, false) == RM_OK);
    RMT_AWAIT(a, a->at[id].writable > writable);
    RMT_AWAIT(b, b->at[id].messages == s.messages);
    RMT_REQUIRE(b->at[id].hash == s.hash);
    RMT_REQUIRE(held_by(b) == 0);
    /* Closed by the side that paused: what was held is dropped and the end heard. */
    RMT_REQUIRE(rm_webrtc_pause_channel(b->t, "a", id, true) == RM_OK);
    for (int i = 0; i < 10; i++)
        RMT_REQUIRE(send_next(a, id, &s) == RM_OK);
    RMT_REQUIRE(rm_webrtc_close_channel(b->t, "a", id) == RM_OK);
    RMT_AWAIT(a, a->at[id].closed == 1);
    RMT_AWAIT(b, b->at[id].closed == 1);
    RMT_REQUIRE(held_by(b) == 0);
    old_messages_give_way(&c);
    rmt_couple_close(&c);
    rmi_signaling_thread_stop(&server);
    puts("a reader that pauses holds the sender");
    return 0;
}
