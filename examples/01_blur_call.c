/* SPDX-License-Identifier: Apache-2.0 */
/* Blurs the background of everybody in a room: each peer's picture goes back to it through a session of its own.
 * usage: 01_blur_call ws://HOST:PORT/ws ROOM PIPELINE.yaml (e.g. examples/pipelines/blur.yaml); ends with Ctrl-C */
#include <remotemedia/webrtc_media.h>
#include <signal.h>
#include <stdio.h>

static volatile sig_atomic_t stop;

static void on_signal(int number) {
    (void)number;
    stop = 1;
}

static void on_fault(const rm_manifest_fault *fault, void *user) {
    (void)user;
    fprintf(stderr, "%s\n", fault->text);
}

int main(int argc, char **argv) {
    rm_webrtc_config config;
    rm_manifest_options options;
    rm_manifest *blur = NULL;
    rm_webrtc *t = NULL;
    rm_event ev;
    char detail[RM_DETAIL_MAX] = "";

    if (argc != 4)
        return fprintf(stderr, "usage: 01_blur_call URL ROOM PIPELINE\n"), 2;
    rm_webrtc_config_init(&config);
    config.signaling_url = argv[1];
    config.room = argv[2];
    rm_manifest_options_init(&options);
    options.on_fault = on_fault;

    if (rm_manifest_load(argv[3], &options, &blur) || rm_webrtc_create(&config, &t) ||
        rm_webrtc_set_pipeline(t, blur, NULL, detail, sizeof detail) || rm_webrtc_start(t))
        return fprintf(stderr, "%s\n", detail), 1;
    signal(SIGINT, on_signal);
    while (!stop)
        if (rm_webrtc_poll(t, &ev, 200) == RM_OK && (ev.type == RM_EV_PEER_STATE || ev.type == RM_EV_PIPELINE))
            printf("%s: %s\n", ev.peer_id, ev.type == RM_EV_PIPELINE ? ev.detail : rm_peer_state_name(ev.peer_state));
    rm_webrtc_destroy(&t);
    rm_manifest_unref(&blur);
    return 0;
}
