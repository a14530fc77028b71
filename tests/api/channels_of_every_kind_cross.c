/* SPDX-License-Identifier: Apache-2.0 */
/* Data channels of the application: every kind, opened by either side, used at once, every size up to 16 MiB and empty
 * ones both ways, closed by either side or both at once, and their numbers used again; what is wrong is refused. */
#include "support/channels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST ((size_t)16 << 20)

struct kind {
    const char *label;
    bool unordered;
    int32_t retransmits, lifetime_ms;
    rm_channel_priority priority;
};
static const struct kind kinds[] = {{"reliable", false, -1, -1, RM_CHANNEL_PRIORITY_HIGH},
                                    {"unordered", true, -1, -1, RM_CHANNEL_PRIORITY_LOW},
                                    {"few tries", false, 5, -1, RM_CHANNEL_PRIORITY_VERY_LOW},
                                    {"short life", true, -1, 60000, RM_CHANNEL_PRIORITY_MEDIUM},
                                    {"Stra\xc3\x9f"
                                     "e",
                                     true, 65535, -1, RM_CHANNEL_PRIORITY_LOW}};

static void info_of(struct rmt_side *s, uint16_t id, rm_channel_info *out) {
    rm_channel_info all[16];
    size_t count = 0;
    RMT_REQUIRE(rm_webrtc_channels(s->t, s->other, all, 16, &count) == RM_OK && count <= 16);
    for (size_t i = 0; i < count; i++)
        if (all[i].id == id) {
            *out = all[i];
            return;
        }
    RMT_REQUIRE(!"no such channel");
}

static uint8_t *pattern(size_t size) {
    uint8_t *bytes = malloc(size + 1);
    RMT_REQUIRE(bytes != NULL);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 131 + (i >> 9));
    return bytes;
}

static void cross(struct rmt_side *from, struct rmt_side *to, uint16_t id, bool binary, const uint8_t *bytes,
                  size_t size) {
    pthread_mutex_lock(&to->mutex);
    const uint64_t before = to->at[id].messages,
                   hash = rmt_hash(to->at[id].opened ? to->at[id].hash : RMT_HASH_BEGIN, bytes, size);
    pthread_mutex_unlock(&to->mutex);
    rmt_send_all(from, id, binary, bytes, size);
    RMT_AWAIT(to, to->at[id].messages == before + 1);
    RMT_REQUIRE(to->at[id].last_size == size && to->at[id].last_binary == binary && to->at[id].hash == hash);
}

static void one_kind(struct rmt_couple *c, const struct kind *k, int opener) {
    static const size_t sizes[] = {0, 1, 1000, 1152, 65536, 262144};
    struct rmt_side *me = &c->side[opener], *peer = &c->side[!opener];
    rm_channel_options o;
    rm_channel_options_init(&o);
    o.label = k->label;
    o.protocol = "test";
    o.unordered = k->unordered;
    o.max_retransmits = k->retransmits;
    o.max_lifetime_ms = k->lifetime_ms;
    o.priority = k->priority;
    uint16_t id = RM_CHANNELS_MAX;
    RMT_REQUIRE(rm_webrtc_open_channel(me->t, me->other, &o, &id) == RM_OK && id < RM_CHANNELS_MAX);
    const int closed = peer->at[id].closed, my_closed = me->at[id].closed; /* as often as opened before */
    uint8_t *bytes = pattern(LARGEST);
    cross(me, peer, id, false, bytes, 5); /* behind the opening, before the answer to it */
    RMT_REQUIRE(peer->at[id].opened == closed + 1);
    RMT_AWAIT(me, me->at[id].opened == my_closed + 1);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int binary = 0; binary < 2; binary++) {
            cross(me, peer, id, binary, bytes, sizes[i]);
            cross(peer, me, id, binary, bytes, sizes[i]);
        }
    if (!k->unordered && k->retransmits < 0)
        cross(me, peer, id, true, bytes, LARGEST);
    free(bytes);
    rm_channel_info mine, theirs;
    info_of(me, id, &mine);
    info_of(peer, id, &theirs);
    RMT_REQUIRE(mine.state == RM_CHANNEL_OPEN && theirs.state == RM_CHANNEL_OPEN && !mine.by_peer && theirs.by_peer);
    RMT_REQUIRE(!strcmp(theirs.label, k->label) && !strcmp(theirs.protocol, "test"));
    RMT_REQUIRE(theirs.unordered == k->unordered && theirs.max_retransmits == k->retransmits &&
                theirs.max_lifetime_ms == k->lifetime_ms && theirs.priority == k->priority);
    RMT_REQUIRE(mine.messages_out == theirs.messages_in && mine.bytes_out == theirs.bytes_in &&
                mine.messages_in == theirs.messages_out);
    RMT_REQUIRE(rm_webrtc_close_channel(opener ? peer->t : me->t, opener ? peer->other : me->other, id) == RM_OK);
    RMT_AWAIT(me, me->at[id].closed == my_closed + 1 && me->at[id].closed_err == RM_OK);
    RMT_AWAIT(peer, peer->at[id].closed == closed + 1 && peer->at[id].closed_err == RM_OK);
    RMT_REQUIRE(rm_webrtc_send_data(me->t, me->other, id, true, "x", 1) == RM_E_NOT_FOUND);
}

/* Both sides give the number; nothing is said to open it. */
static void negotiated(struct rmt_couple *c) {
    rm_channel_options o;
    rm_channel_options_init(&o);
    o.label = "agreed";
    o.negotiated = true;
    o.id = 777;
    uint16_t id = 0;
    for (int i = 0; i < 2; i++) {
        RMT_REQUIRE(rm_webrtc_open_channel(c->side[i].t, c->side[i].other, &o, &id) == RM_OK && id == 777);
        RMT_REQUIRE(rm_webrtc_open_channel(c->side[i].t, c->side[i].other, &o, &id) == RM_E_EXISTS);
    }
    for (int i = 0; i < 2; i++)
        RMT_AWAIT(&c->side[i], c->side[i].at[777].opened == 1);
    cross(&c->side[0], &c->side[1], 777, true, (const uint8_t *)"one", 3);
    cross(&c->side[1], &c->side[0], 777, false, NULL, 0);
    for (int i = 0; i < 2; i++) /* both at once */
        RMT_REQUIRE(rm_webrtc_close_channel(c->side[i].t, c->side[i].other, 777) == RM_OK);
    for (int i = 0; i < 2; i++)
        RMT_AWAIT(&c->side[i], c->side[i].at[777].closed == 1);
}

/* All that was queued arrives before the end of the channel; its number comes again and again. */
static void closed_behind_what_was_sent(struct rmt_couple *c) {
    struct rmt_side *a = &c->side[0], *b = &c->side[1];
    uint8_t *bytes = pattern(40000);
    uint16_t first = 0;
    for (int round = 0; round < 20; round++) {
        rm_channel_options o;
        rm_channel_options_init(&o);
        o.label = "short";
        uint16_t id;
        RMT_REQUIRE(rm_webrtc_open_channel(a->t, a->other, &o, &id) == RM_OK);
        RMT_REQUIRE(round == 0 || id == first);
        first = id;
        const uint64_t before = b->at[id].messages;
        const int closed = b->at[id].closed, mine = a->at[id].closed;
        for (int i = 0; i < 50; i++)
            rmt_send_all(a, id, true, bytes, 40000);
        RMT_REQUIRE(rm_webrtc_close_channel(a->t, a->other, id) == RM_OK);
        RMT_REQUIRE(rm_webrtc_close_channel(a->t, a->other, id) == RM_OK);
        RMT_REQUIRE(rm_webrtc_send_data(a->t, a->other, id, true, "x", 1) == RM_E_STATE);
        RMT_AWAIT(a, a->at[id].closed == mine + 1 && a->at[id].closed_err == RM_OK);
        RMT_AWAIT(b, b->at[id].closed == closed + 1 && b->at[id].messages == before + 50);
    }
    free(bytes);
}

static void low_and_buffered(struct rmt_couple *c) {
    struct rmt_side *a = &c->side[0], *b = &c->side[1];
    rm_channel_options o;
    rm_channel_options_init(&o);
    uint16_t id;
    size_t bytes = 1;
    RMT_REQUIRE(rm_webrtc_open_channel(a->t, a->other, &o, &id) == RM_OK);
    RMT_REQUIRE(a->at[id].low == 0);
    RMT_REQUIRE(rm_webrtc_set_buffered_low(a->t, a->other, id, 0) == RM_OK);
    uint8_t *data = pattern(3000000);
    const uint64_t before = b->at[id].messages;
    RMT_REQUIRE(rm_webrtc_send_data(a->t, a->other, id, true, data, 3000000) == RM_OK);
    RMT_AWAIT(a, a->at[id].low >= 1);
    RMT_REQUIRE(rm_webrtc_channel_buffered(a->t, a->other, id, &bytes) == RM_OK && bytes == 0);
    RMT_AWAIT(b, b->at[id].messages == before + 1);
    RMT_REQUIRE(rm_webrtc_set_buffered_low(a->t, a->other, id, 1000000) == RM_OK);
    const int low = a->at[id].low;
    rmt_send_all(a, id, true, data, 3000000); /* alone more than that: it is above at once */
    RMT_AWAIT(a, a->at[id].low > low);
    free(data);
    const int closed = b->at[id].closed;
    RMT_REQUIRE(rm_webrtc_close_channel(a->t, a->other, id) == RM_OK);
    RMT_AWAIT(b, b->at[id].closed == closed + 1);
}

static void stats(struct rmt_couple *c) {
    rm_data_stats s;
    for (int i = 0; i < 2; i++) {
        RMT_REQUIRE(rm_webrtc_data_stats(c->side[i].t, c->side[i].other, &s) == RM_OK);
        RMT_REQUIRE(s.connected && s.interleaving && s.zero_checksum && s.partial_reliability && s.stream_reset);
        RMT_REQUIRE(s.message_max == RM_MESSAGE_BYTES_MAX && s.rtt_ms > 0 && s.packets_in > 0 && s.payload_out > 0);
        RMT_REQUIRE(s.receive_held == 0);
    }
}

static void refused(struct rmt_couple *c) {
    rm_webrtc *t = c->side[0].t;
    rm_channel_options o;
    uint16_t id = 0;
    size_t n;
    rm_data_stats s;
    rm_channel_options_init(&o);
    RMT_REQUIRE(rm_webrtc_open_channel(t, "nobody", &o, &id) == RM_E_NOT_FOUND);
    RMT_REQUIRE(rm_webrtc_open_channel(NULL, "b", &o, &id) == RM_E_INVALID_ARG);
    RMT_REQUIRE(rm_webrtc_open_channel(t, NULL, &o, &id) == RM_E_INVALID_ARG);
    RMT_REQUIRE(rm_webrtc_open_channel(t, "b", NULL, &id) == RM_E_INVALID_ARG);
    RMT_REQUIRE(rm_webrtc_open_channel(t, "b", &o, NULL) == RM_E_INVALID_ARG);
    o.max_retransmits = o.max_lifetime_ms = 1;
    RMT_REQUIRE(rm_webrtc_open_channel(t, "b", &o, &id) == RM_E_INVALID_ARG);
    rm_channel_options_init(&o);
    o.max_retransmits = 65536;
    RMT_REQUIRE(rm_webrtc_open_channel(t, "b", &o, &id) == RM_E_INVALID_ARG);
    rm_channel_options_init(&o);
    o.negotiated = true;
    o.id = RM_CHANNELS_MAX;
    RMT_REQUIRE(rm_webrtc_open_channel(t, "b", &o, &id) == RM_E_INVALID_ARG);
    rm_channel_options_init(&o);
    o.struct_size = 0;
    RMT_REQUIRE(rm_webrtc_open_channel(t, "b", &o, &id) == RM_E_INVALID_ARG);
    char *text = (char *)pattern(RM_CHANNEL_TEXT_MAX + 1);
    memset(text, 'l', RM_CHANNEL_TEXT_MAX + 1);
    text[RM_CHANNEL_TEXT_MAX + 1] = '\0';
    rm_channel_options_init(&o);
    o.label = text;
    RMT_REQUIRE(rm_webrtc_open_channel(t, "b", &o, &id) == RM_E_TOO_BIG);
    free(text);
    RMT_REQUIRE(rm_webrtc_send_data(t, "b", 900, true, "x", 1) == RM_E_NOT_FOUND);
    RMT_REQUIRE(rm_webrtc_send_data(t, "b", RM_CHANNELS_MAX, true, "x", 1) == RM_E_NOT_FOUND);
    RMT_REQUIRE(rm_webrtc_send_data(t, "nobody", 0, true, "x", 1) == RM_E_NOT_FOUND);
    RMT_REQUIRE(rm_webrtc_send_data(t, "b", 0, true, NULL, 1) == RM_E_INVALID_ARG);
    RMT_REQUIRE(rm_webrtc_close_channel(t, "b", 900) == RM_E_NOT_FOUND);
    RMT_REQUIRE(rm_webrtc_pause_channel(t, "b", 900, true) == RM_E_NOT_FOUND);
    RMT_REQUIRE(rm_webrtc_set_buffered_low(t, "b", 900, 1) == RM_E_NOT_FOUND);
    RMT_REQUIRE(rm_webrtc_channel_buffered(t, "b", 900, &n) == RM_E_NOT_FOUND);
    RMT_REQUIRE(rm_webrtc_channel_buffered(t, "b", 0, NULL) == RM_E_INVALID_ARG);
    RMT_REQUIRE(rm_webrtc_channels(t, "nobody", NULL, 0, &n) == RM_E_NOT_FOUND);
    RMT_REQUIRE(rm_webrtc_channels(t, "b", NULL, 0, &n) == RM_OK && n == 1);
    RMT_REQUIRE(rm_webrtc_data_stats(t, "nobody", &s) == RM_E_NOT_FOUND);
}

int main(void) {
    static struct rmt_couple c;
    struct rmi_signaling_thread server;
    rmt_server_start(&server);
    rmt_couple_open(&c, &server, "channels", NULL);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        for (int opener = 0; opener < 2; opener++)
            one_kind(&c, &kinds[i], opener);
    negotiated(&c);
    closed_behind_what_was_sent(&c);
    low_and_buffered(&c);
    stats(&c);
    refused(&c);
    rmt_couple_close(&c);
    rmi_signaling_thread_stop(&server);
    puts("channels of every kind cross");
    return 0;
}
