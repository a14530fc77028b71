/* SPDX-License-Identifier: Apache-2.0 */
/* Join a room and tell who connects. usage: 00_join [ws://HOST:PORT/ws] */
#include <remotemedia/webrtc.h>
#include <stdio.h>

int main(int argc, char **argv) {
    rm_webrtc_config config;
    rm_webrtc_config_init(&config);
    if (argc > 1)
        config.signaling_url = argv[1];
    rm_webrtc *t = NULL;
    if (rm_webrtc_create(&config, &t) || rm_webrtc_start(t))
        return 1;
    rm_event ev;
    while (rm_webrtc_poll(t, &ev, -1) == RM_OK && ev.signaling != RM_SIGNALING_FAILED)
        if (ev.type == RM_EV_PEER_STATE)
            printf("%s is %s\n", ev.peer_id, rm_peer_state_name(ev.peer_state));
    rm_webrtc_destroy(&t);
    return 0;
}
