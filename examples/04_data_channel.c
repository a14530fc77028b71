/* SPDX-License-Identifier: Apache-2.0 */
/* Opens a data channel to everybody in a room, says a word on it, and tells what comes on any channel.
 * usage: 04_data_channel ws://HOST:PORT/ws WORD (try it with `rmrtc join ... --echo`) */
#include <remotemedia/webrtc_data.h>
#include <stdio.h>
#include <string.h>

static void on_data(const char *peer, uint16_t channel, const char *label, bool binary, const uint8_t *data,
                    size_t size, void *user) {
    (void)channel;
    (void)user;
    printf("%s on %s: %.*s\n", peer, label, binary ? 0 : (int)size, (const char *)data);
    fflush(stdout);
}

int main(int argc, char **argv) {
    rm_webrtc_config config;
    rm_channel_options options;
    rm_webrtc *t = NULL;
    rm_event ev;
    uint16_t channel;

    if (argc != 3)
        return fprintf(stderr, "usage: 04_data_channel URL WORD\n"), 2;
    rm_webrtc_config_init(&config);
    config.signaling_url = argv[1];
    config.enable_audio = config.enable_video = false;
    config.on_channel_data = on_data;
    rm_channel_options_init(&options);
    options.label = "words";

    if (rm_webrtc_create(&config, &t) || rm_webrtc_start(t))
        return 1;
    while (rm_webrtc_poll(t, &ev, -1) == RM_OK && ev.signaling != RM_SIGNALING_FAILED) {
        if (ev.type == RM_EV_CHANNEL && !strcmp(ev.detail, "control") && /* the connection is ready for more */
            !rm_webrtc_open_channel(t, ev.peer_id, &options, &channel))
            rm_webrtc_send_data(t, ev.peer_id, channel, false, argv[2], strlen(argv[2]));
        else if (ev.type == RM_EV_CHANNEL_CLOSED && ev.err)
            fprintf(stderr, "%s: %s\n", ev.peer_id, ev.detail); /* something that we sent did not arrive */
    }
    rm_webrtc_destroy(&t);
    return 0;
}
