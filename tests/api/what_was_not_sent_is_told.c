/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that were taken and could not be sent any more are told with the end of their channel, however it ends; the
 * number of messages told and that of those that came are never more than were taken. Labels that are no text do not
 * pass for others. */
#include "support/channels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE 60000

static uint64_t told(const struct rmt_channel *c) {
    const char *at = strstr(c->closed_detail, "; ");
    return at ? strtoull(at + 2, NULL, 10) : 0;
}

static uint16_t paused_and_full(struct rmt_couple *c, uint64_t *taken) {
    static const uint8_t bytes[PIECE];
    struct rmt_side *a = &c->side[0], *b = &c->side[1];
    rm_channel_options o;
    uint16_t id;
    rm_channel_options_init(&o);
    o.label = "doomed";
    RMT_REQUIRE(rm_webrtc_open_channel(a->t, "b", &o, &id) == RM_OK);
    RMT_AWAIT(b, b->at[id].opened > b->at[id].closed);
    RMT_REQUIRE(rm_webrtc_pause_channel(b->t, "a", id, true) == RM_OK);
    rm_channel_info info[8];
    size_t count;
    RMT_REQUIRE(rm_webrtc_channels(b->t, "a", info, 8, &count) == RM_OK); /* behind the pause */
    for (*taken = 0; rm_webrtc_send_data(a->t, "b", id, true, bytes, PIECE) == RM_OK;)
        ++*taken;
    return id;
}

static void ends(const struct rmi_signaling_thread *server, const char *how) {
    static struct rmt_couple c;
    uint64_t taken;
    rmt_couple_open(&c, server, how, NULL);
    struct rmt_side *a = &c.side[0], *b = &c.side[1];
    const uint16_t id = paused_and_full(&c, &taken);
    if (!strcmp(how, "the-peer-closes"))
        RMT_REQUIRE(rm_webrtc_close_channel(b->t, "a", id) == RM_OK);
    else if (!strcmp(how, "the-peer-goes"))
        rm_webrtc_destroy(&b->t);
    else if (!strcmp(how, "we-disconnect"))
        RMT_REQUIRE(rm_webrtc_disconnect_peer(a->t, "b") == RM_OK);
    else
        rm_webrtc_shutdown(a->t);
    RMT_AWAIT(a, a->at[id].closed == 1);
    printf("%s: %llu taken, \"%s\"\n", how, (unsigned long long)taken, a->at[id].closed_detail);
    RMT_REQUIRE(a->at[id].closed_err == RM_E_CLOSED && told(&a->at[id]) > 0 && told(&a->at[id]) <= taken);
    RMT_REQUIRE(told(&a->at[id]) + b->at[id].messages <= taken);
    rmt_couple_close(&c);
}

static void strange_labels(const struct rmi_signaling_thread *server) {
    static struct rmt_couple c;
    rm_channel_options o;
    uint16_t id;
    rmt_couple_open(&c, server, "labels", NULL);
    rm_channel_options_init(&o);
    o.label = "control\xff\x01";
    o.protocol = "\xfe";
    RMT_REQUIRE(rm_webrtc_open_channel(c.side[0].t, "b", &o, &id) == RM_OK);
    RMT_AWAIT(&c.side[1], c.side[1].at[id].opened == 1);
    RMT_REQUIRE(!strcmp(c.side[1].at[id].label, "control??"));
    RMT_REQUIRE(rm_webrtc_send_data(c.side[0].t, "b", id, false, "x", 1) == RM_OK);
    RMT_AWAIT(&c.side[1], c.side[1].at[id].messages == 1); /* not read as a message of "control" */
    RMT_REQUIRE(c.side[1].messages == 0);
    rmt_couple_close(&c);
}

int main(void) {
    struct rmi_signaling_thread server;
    rmt_server_start(&server);
    ends(&server, "the-peer-closes");
    ends(&server, "the-peer-goes");
    ends(&server, "we-disconnect");
    ends(&server, "we-shut-down");
    strange_labels(&server);
    rmi_signaling_thread_stop(&server);
    puts("what was not sent is told");
    return 0;
}
