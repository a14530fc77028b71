/* SPDX-License-Identifier: Apache-2.0 */
/* A conference in one place: each peer of a room hears the sum of all others, and who only listens the sum of all.
 * usage: 02_conference ws://HOST:PORT/ws ROOM examples/pipelines/mix.yaml; others: rmrtc join URL --room ROOM
 * --peer-id NAME --publish test --allow-peers mixer. Tells once a second how many items came and went. */
#include <remotemedia/webrtc_session.h>
#include <stdio.h>

static void on_fault(const rm_manifest_fault *fault, void *user) {
    (void)user;
    fprintf(stderr, "%s\n", fault->text);
}

int main(int argc, char **argv) {
    rm_webrtc_config config;
    rm_manifest_options options;
    rm_webrtc_session_config conference;
    rm_webrtc_session *session = NULL;
    rm_session_info info;
    rm_webrtc *t = NULL;
    rm_event ev;
    char detail[RM_DETAIL_MAX] = "";

    if (argc != 4)
        return fprintf(stderr, "usage: 02_conference URL ROOM PIPELINE\n"), 2;
    rm_webrtc_config_init(&config);
    config.signaling_url = argv[1];
    config.room = argv[2];
    config.peer_id = "mixer";
    rm_manifest_options_init(&options);
    options.on_fault = on_fault;
    rm_webrtc_session_config_init(&conference);
    conference.policy = RM_ROUTING_UNICAST; /* to whom it answers: the sum without that one */
    conference.listeners = true;            /* the sum of all to who sends nothing */
    conference.take_video = false;
    if (rm_manifest_load(argv[3], &options, &conference.manifest) || rm_webrtc_create(&config, &t) ||
        rm_webrtc_create_session(t, &conference, &session, detail, sizeof detail) || rm_webrtc_start(t))
        return fprintf(stderr, "%s\n", detail), 1;
    for (rm_err err = RM_OK; err != RM_E_CLOSED;) {
        err = rm_webrtc_poll(t, &ev, 1000);
        if (err == RM_OK && ev.type == RM_EV_PEER_STATE)
            printf("%s is %s\n", ev.peer_id, rm_peer_state_name(ev.peer_state));
        if (err == RM_E_AGAIN && !rm_webrtc_session_get_info(session, &info))
            printf("%zu connected, %llu in, %llu out\n", info.connected, (unsigned long long)info.inputs,
                   (unsigned long long)info.sent);
    }
    rm_webrtc_destroy(&t); /* ends the session, too */
    rm_manifest_unref(&conference.manifest);
    return 0;
}
