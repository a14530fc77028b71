/* SPDX-License-Identifier: Apache-2.0 */
#include "peer_link.h"
#include "rmrtc.h"

#include "io/loop.h"
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_TIMEOUT_S 30
#define TIMEOUT_MAX_S 3600
#define US_PER_S INT64_C(1000000)
#define LOOK_MS 10 /* between looks at what is not acknowledged yet */

void peer_link_init(struct peer_link *l, const char *command) {
    *l = (struct peer_link){.command = command, .timeout_s = DEFAULT_TIMEOUT_S, .signal_fd = -1};
    rm_webrtc_config_init(&l->config);
    l->config.enable_audio = l->config.enable_video = false;
    l->config.auto_connect = false;
}

void peer_link_tell(const struct peer_link *l, rm_err err, const char *detail) {
    fprintf(stderr, "rmrtc %s: %s: %s: %s\n", l->command, l->peer, rm_err_name(err),
            detail && detail[0] ? detail : rm_strerror(err));
}

static bool add_server(struct peer_link *l, bool turn, const char *url) {
    rm_webrtc_config *c = &l->config;
    size_t *count = turn ? &c->turn_server_count : &c->stun_server_count;
    if (*count == RM_SERVERS_MAX) {
        fprintf(stderr, "rmrtc %s: at most %d %s servers\n", l->command, RM_SERVERS_MAX, turn ? "TURN" : "STUN");
        return false;
    }
    if (turn)
        c->turn_servers[(*count)++].url = url;
    else
        c->stun_servers[(*count)++] = url;
    return true;
}

bool peer_link_option(struct peer_link *l, int option, const char *arg) {
    switch (option) {
    case 'p':
        l->config.peer_id = arg;
        return true;
    case 'r':
        l->config.room = arg;
        return true;
    case 'k':
        l->config.token = arg;
        return true;
    case 's':
    case 't':
        return add_server(l, option == 't', arg);
    case 'R':
        l->config.relay_only = true;
        return true;
    case 'b':
        l->config.bind_address = arg;
        return true;
    case 'c':
        l->config.ca_file = arg;
        return true;
    case 'W':
        return parse_number("--timeout", arg, 1, TIMEOUT_MAX_S, &l->timeout_s);
    default:
        return false;
    }
}

/* One event or the end of the wait, with signals. */
static rm_err wait_event(struct peer_link *l, rm_event *ev, int timeout_ms) {
    rm_err err = rm_webrtc_poll(l->t, ev, 0);
    if (err != RM_E_AGAIN)
        return err;
    struct pollfd p[2] = {{.fd = rm_webrtc_fd(l->t), .events = POLLIN}, {.fd = l->signal_fd, .events = POLLIN}};
    poll(p, 2, timeout_ms);
    if (p[1].revents & POLLIN) {
        l->interrupted = true;
        fprintf(stderr, "rmrtc %s: interrupted\n", l->command);
        return RM_E_CLOSED;
    }
    return rm_webrtc_poll(l->t, ev, 0);
}

rm_err peer_link_event(struct peer_link *l, rm_event *ev, int timeout_ms) {
    rm_err err = wait_event(l, ev, timeout_ms);
    if (err)
        return err;
    const bool ours = !strcmp(ev->peer_id, l->peer);
    /* RM_E_EXISTS: both came into the room just now, and the peer has called first. */
    if (ev->type == RM_EV_SIGNALING && ev->signaling == RM_SIGNALING_FAILED) {
        peer_link_tell(l, ev->err, ev->detail);
        return RM_E_CLOSED;
    }
    if ((ev->type == RM_EV_PEER_STATE && ours && ev->peer_state >= RM_PEER_FAILED) ||
        (ev->type == RM_EV_ERROR && ev->err != RM_E_EXISTS && (ours || !ev->peer_id[0]))) {
        peer_link_tell(l, ev->err ? ev->err : RM_E_CLOSED, ev->err ? ev->detail : "the peer has ended the connection");
        return RM_E_CLOSED;
    }
    return RM_OK;
}

/* One step of connecting: true once "control" is open. */
static bool connected(struct peer_link *l, const rm_event *ev) {
    if (strcmp(ev->peer_id, l->peer) != 0)
        return false;
    if (ev->type == RM_EV_PEER_FOUND)
        (void)rm_webrtc_connect_peer(l->t, l->peer);
    if (ev->type != RM_EV_CHANNEL || strcmp(ev->detail, "control") != 0)
        return false;
    l->control = ev->channel;
    return true;
}

static rm_err await_control(struct peer_link *l) {
    const int64_t end_us = rmi_now_us() + l->timeout_s * US_PER_S;
    bool found = false;
    rm_event ev;
    for (;;) {
        const int64_t left_ms = (end_us - rmi_now_us()) / 1000;
        const rm_err err = left_ms > 0 ? peer_link_event(l, &ev, (int)left_ms) : RM_E_TIMEOUT;
        if (err == RM_E_TIMEOUT)
            peer_link_tell(l, found ? RM_E_CONNECTION_TIMEOUT : RM_E_PEER_NOT_FOUND,
                           found ? "" : "no such peer came into the room");
        if (err && err != RM_E_AGAIN)
            return err;
        if (err)
            continue;
        found = found || (ev.type == RM_EV_PEER_FOUND && !strcmp(ev.peer_id, l->peer));
        if (connected(l, &ev))
            return RM_OK;
    }
}

rm_err peer_link_open(struct peer_link *l, const char *url, const char *peer) {
    char faults[1024];
    l->config.signaling_url = url;
    l->peer = peer;
    rm_err err = rm_webrtc_config_check(&l->config, faults, sizeof faults);
    if (err) {
        fprintf(stderr, "rmrtc %s:\n%s", l->command, faults);
        return err;
    }
    l->signal_fd = open_signal_fd();
    err = rm_webrtc_create(&l->config, &l->t);
    if (!err)
        err = rm_webrtc_start(l->t);
    if (err) {
        peer_link_tell(l, err, "");
        return err;
    }
    return await_control(l);
}

static bool all_delivered(struct peer_link *l, uint64_t *left) {
    rm_data_stats s;
    rm_channel_info info[8];
    size_t count = 0;
    *left = 0;
    if (rm_webrtc_data_stats(l->t, l->peer, &s) || rm_webrtc_channels(l->t, l->peer, info, 8, &count))
        return false;
    *left = s.buffered;
    for (size_t i = 0; i < count && i < 8; i++)
        *left += info[i].queued_bytes + info[i].queued_messages;
    return *left == 0;
}

rm_err peer_link_delivered(struct peer_link *l) {
    uint64_t left, before = UINT64_MAX;
    int64_t moved_us = rmi_now_us();
    rm_event ev;
    while (!all_delivered(l, &left)) {
        const rm_err err = peer_link_event(l, &ev, LOOK_MS);
        if (err && err != RM_E_AGAIN)
            return err;
        if (left != before)
            moved_us = rmi_now_us();
        before = left;
        if (rmi_now_us() - moved_us > l->timeout_s * US_PER_S) {
            peer_link_tell(l, RM_E_TIMEOUT, "the peer does not acknowledge");
            return RM_E_TIMEOUT;
        }
    }
    return RM_OK;
}

void peer_link_close(struct peer_link *l) {
    rm_webrtc_destroy(&l->t);
    if (l->signal_fd >= 0)
        close(l->signal_fd);
}
