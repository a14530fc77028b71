/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_PEER_LINK_H
#define RMRTC_PEER_LINK_H

#include <getopt.h>
#include <remotemedia/webrtc_data.h>

/* A connection to one peer of a room for data alone: what commands that talk to a peer have in common. */
struct peer_link {
    const char *command; /* for messages: "send" */
    rm_webrtc_config config;
    const char *peer;
    long timeout_s; /* to be connected, and without any progress then */
    rm_webrtc *t;
    int signal_fd;
    bool interrupted;
    uint16_t control; /* the channel of this label */
};

#define PEER_LINK_OPTIONS                                                                                              \
    {"peer-id", required_argument, NULL, 'p'}, {"room", required_argument, NULL, 'r'},                                 \
        {"token", required_argument, NULL, 'k'}, {"stun", required_argument, NULL, 's'},                               \
        {"turn", required_argument, NULL, 't'}, {"relay-only", no_argument, NULL, 'R'},                                \
        {"bind", required_argument, NULL, 'b'}, {"ca", required_argument, NULL, 'c'}, {                                \
        "timeout", required_argument, NULL, 'W'                                                                        \
    }
#define PEER_LINK_HELP                                                                                                 \
    "  --timeout S        give up after S seconds without a connection or progress, 1..3600; default 30\n"             \
    "  --peer-id ID, --room R, --token TEXT, --stun URL, --turn URL, --relay-only, --bind ADDRESS, --ca FILE\n"        \
    "                     as of `rmrtc join`\n"

/* Defaults; `command` is a constant. */
void peer_link_init(struct peer_link *l, const char *command);
/* One of PEER_LINK_OPTIONS. False: another option, or a wrong value, which is told. */
bool peer_link_option(struct peer_link *l, int option, const char *arg);
/* Connects and waits for the data channels. The error is told on standard error. */
rm_err peer_link_open(struct peer_link *l, const char *url, const char *peer);
/* The next event. RM_E_AGAIN: none within timeout_ms; RM_E_CLOSED: interrupted, or the connection is over (told). */
rm_err peer_link_event(struct peer_link *l, rm_event *ev, int timeout_ms);
/* Waits until the peer has acknowledged everything. RM_E_TIMEOUT, RM_E_CLOSED. */
rm_err peer_link_delivered(struct peer_link *l);
void peer_link_close(struct peer_link *l);
/* "rmrtc send: peer: RM_E_...: detail" */
void peer_link_tell(const struct peer_link *l, rm_err err, const char *detail);

#endif
