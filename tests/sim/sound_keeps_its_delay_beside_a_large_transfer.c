/* SPDX-License-Identifier: Apache-2.0 */
/* 100 MB go over a data channel beside sound, on a path whose queue could hold 100 ms: sound is hardly later than
 * before, none of it is lost, and each byte of the transfer arrives in order. */
#include "support/sim_duet.h"

#include "sctp/channels.h"
#include <stdlib.h>
#include <string.h>

#define MESSAGE_BYTES ((size_t)65536)
#define TRANSFER_BYTES 100000000
#define MESSAGES ((TRANSFER_BYTES + MESSAGE_BYTES - 1) / MESSAGE_BYTES)
#define LOW_BYTES (2 * MESSAGE_BYTES) /* 50 ms of this path */
#define RATE_BPS 20000000
#define QUEUE_US RMI_MS(100)
#define SETTLE_US RMI_SEC(3)
#define ALONE_US RMI_SEC(20) /* a marker each half second */
#define MOST_US RMI_SEC(50)  /* 43 s at the full rate with all headers */
#define RISE_US RMI_MS(5)
#define P95 95000

/* Both ends of the transfer. */
struct transfer {
    struct rmt_duet *d;
    struct rmi_channels *channels; /* of the sender */
    uint16_t channel;
    bool open, begun;
    uint32_t sent, got, wrong;
    uint8_t bytes[MESSAGE_BYTES];
};

/* A message is its number and a pattern that depends on it. */
static void fill(uint8_t *bytes, uint32_t number) {
    for (size_t i = 0; i < MESSAGE_BYTES; i++)
        bytes[i] = (uint8_t)(number * 31 + i * 7 + (i >> 8));
    memcpy(bytes, &number, sizeof number);
}

static void more(struct transfer *t) {
    while (t->begun && t->sent < MESSAGES && rmi_channels_buffered(t->channels, t->channel) <= LOW_BYTES) {
        fill(t->bytes, t->sent);
        RMT_CHECK_INT(t->d->v,
                      rmi_channels_send(t->channels, rmt_vnet_now(t->d->v), t->channel, true, t->bytes, MESSAGE_BYTES),
                      RM_OK);
        t->sent++;
    }
}

static void *sender_up(void *ctx, const char *peer_id, struct rmi_channels *channels, size_t message_max) {
    struct transfer *t = ctx;
    const struct rmi_channel_options options = {.label = "bulk", .id = RMI_CHANNEL_ANY};
    (void)peer_id, (void)message_max;
    t->channels = channels;
    RMT_CHECK_INT(t->d->v, rmi_channels_open(channels, rmt_vnet_now(t->d->v), &options, &t->channel), RM_OK);
    RMT_CHECK_INT(t->d->v, rmi_channels_set_low(channels, t->channel, LOW_BYTES), RM_OK);
    return t;
}

static void sender_event(void *ctx, void *peer, const struct rmi_channels_event *ev) {
    struct transfer *t = ctx;
    (void)peer;
    if (ev->type == RMI_CHANNELS_EV_OPEN && ev->channel == t->channel)
        t->open = true;
    if (ev->type == RMI_CHANNELS_EV_LOW)
        more(t);
}

static void *receiver_up(void *ctx, const char *peer_id, struct rmi_channels *channels, size_t message_max) {
    (void)peer_id, (void)channels, (void)message_max;
    return ctx;
}

static void receiver_event(void *ctx, void *peer, const struct rmi_channels_event *ev) {
    struct transfer *t = ctx;
    uint8_t *expected = t->bytes; /* free between two messages of the sender, which is the same thread */
    (void)peer;
    if (ev->type != RMI_CHANNELS_EV_MESSAGE)
        return;
    fill(expected, t->got++);
    t->wrong += ev->len != MESSAGE_BYTES || memcmp(ev->data, expected, MESSAGE_BYTES) != 0;
}

static void down(void *ctx, void *peer) {
    (void)ctx, (void)peer;
}

static bool all_came(void *ctx) {
    const struct transfer *t = ctx;
    return t->got == MESSAGES;
}

static void begin(struct transfer *t, struct rmt_peer *alice) {
    t->begun = true;
    more(t);
    rmi_endpoint_data_flush(rmt_peer_endpoint(alice), rmt_peer_now(alice), "bob");
    rmt_peer_pump(alice);
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    const struct rmt_link link = {
        .rate_bps = RATE_BPS, .delay_us = seed % 2 ? RMI_MS(10) : RMI_MS(50), .queue_us = QUEUE_US};
    const struct rmt_studio_config studio = {.sound = true};
    struct transfer *t = calloc(1, sizeof *t);
    struct rmt_duet d = {0};
    t->d = &d;
    const struct rmt_duet_config config = {
        .up = link,
        .down = link,
        .no_video = true,
        .alice = studio,
        .bob = studio,
        .alice_channels = {.peer_up = sender_up, .event = sender_event, .peer_down = down, .ctx = t},
        .bob_channels = {.peer_up = receiver_up, .event = receiver_event, .peer_down = down, .ctx = t}};
    rmt_duet_open(&d, sim, seed, &config, SETTLE_US);
    RMT_CHECK(d.v, t->open);
    rmt_vnet_run_for(d.v, ALONE_US);
    struct rmt_reception *heard = rmt_studio_from(d.bob, "alice");
    const int64_t alone_us = rmt_samples_percentile(&heard->sound_age_us, P95);
    RMT_CHECK(d.v, heard->markers > 0);
    rmt_studio_forget(d.bob);
    begin(t, rmt_studio_peer(d.alice));
    RMT_CHECK(d.v, rmt_vnet_run_while_not(d.v, all_came, t, rmt_vnet_now(d.v) + MOST_US));
    RMT_CHECK_INT(d.v, t->wrong, 0);
    heard = rmt_studio_from(d.bob, "alice");
    const int64_t beside_us = rmt_samples_percentile(&heard->sound_age_us, P95);
    rmt_vnet_note(d.v, "sound alone %lld us, beside the transfer %lld us, %llu markers", (long long)alone_us,
                  (long long)beside_us, (unsigned long long)heard->markers);
    rmt_reception_check_order(d.v, heard);
    RMT_CHECK_INT(d.v, heard->sound_packets_lost, 0);
    RMT_CHECK(d.v, heard->markers > 0 && beside_us - alone_us < RISE_US);
    rmt_duet_close(&d, sim);
    free(t);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 2, "sound_keeps_its_delay_beside_a_large_transfer");
}
