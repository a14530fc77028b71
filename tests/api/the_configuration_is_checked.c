/* SPDX-License-Identifier: Apache-2.0 */
/* Every fault of a configuration is reported at once, by field; the calls refuse what their header says they refuse. */
#include "support/api.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool names(const char *faults, const char *field) {
    const char *at = strstr(faults, field);
    return at && (at == faults || at[-1] == '\n');
}

static void faults_have_their_fields(void) {
    static const char *const fields[] = {"signaling_url:",
                                         "peer_id:",
                                         "room:",
                                         "bind_address:",
                                         "stun_servers[0]:",
                                         "turn_servers[0].url:",
                                         "max_peers:",
                                         "liveness_ms:",
                                         "ice_timeout_ms:",
                                         "enable_audio, enable_video",
                                         "max_reconnect_retries:",
                                         "reconnect_backoff_initial_ms:",
                                         "reconnect_backoff_max_ms:",
                                         "reconnect_backoff_multiplier:"};
    char faults[2048];
    rm_webrtc_config c;
    rm_webrtc_config_init(&c);
    RMT_REQUIRE(rm_webrtc_config_check(&c, faults, sizeof faults) == RM_OK && faults[0] == '\0');
    c.signaling_url = "http://x";
    c.peer_id = "not an id";
    c.room = "a/b";
    c.bind_address = "localhost";
    c.stun_servers[c.stun_server_count++] = "stun.example";
    c.turn_servers[c.turn_server_count++] = (rm_turn_server){.url = "turn:u:secret@"};
    c.max_peers = 0;
    c.liveness_ms = 1;
    c.ice_timeout_ms = 1;
    c.max_reconnect_retries = 101;
    c.reconnect_backoff_initial_ms = 99;
    c.reconnect_backoff_max_ms = 600001;
    c.reconnect_backoff_multiplier = NAN;
    c.enable_audio = c.enable_video = c.enable_data_channel = false;
    RMT_REQUIRE(rm_webrtc_config_check(&c, faults, sizeof faults) == RM_E_CONFIG);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        RMT_REQUIRE(names(faults, fields[i]));
    RMT_REQUIRE(!strstr(faults, "secret")); /* a password is not repeated */
    char tiny[8];
    RMT_REQUIRE(rm_webrtc_config_check(&c, tiny, sizeof tiny) == RM_E_CONFIG && strlen(tiny) == 7);
    RMT_REQUIRE(rm_webrtc_config_check(&c, NULL, 0) == RM_E_CONFIG);
    c.log_level = RM_LOG_NONE;
    rm_webrtc *t = NULL;
    RMT_REQUIRE(rm_webrtc_create(&c, &t) == RM_E_CONFIG && t == NULL);
    memset(&c, 0, sizeof c);
    RMT_REQUIRE(rm_webrtc_create(&c, &t) == RM_E_CONFIG && t == NULL);
    rm_webrtc_config_init(&c);
    c.relay_only = true;
    RMT_REQUIRE(rm_webrtc_config_check(&c, faults, sizeof faults) == RM_E_CONFIG && names(faults, "relay_only:"));
    rm_webrtc_config_init(&c);
    c.reconnect_backoff_initial_ms = 2000;
    c.reconnect_backoff_max_ms = 1000;
    RMT_REQUIRE(rm_webrtc_config_check(&c, faults, sizeof faults) == RM_E_CONFIG);
    RMT_REQUIRE(names(faults, "reconnect_backoff_max_ms:"));
}

/* The values of RemoteMedia's presets, each of which is a valid configuration. */
static void presets_reconnect_as_their_purpose_says(void) {
    static const struct {
        void (*init)(rm_webrtc_config *);
        uint32_t retries, initial_ms, max_ms, ice_ms;
        double multiplier;
    } presets[] = {
        {rm_webrtc_config_init, 5, 1000, 30000, 9500, 2.0},
        {rm_webrtc_config_init_low_latency, 10, 500, 10000, 15000, 1.5},
        {rm_webrtc_config_init_high_quality, 5, 1000, 30000, 30000, 2.0},
        {rm_webrtc_config_init_mobile_network, 15, 2000, 60000, 45000, 1.5},
    };
    for (size_t i = 0; i < sizeof presets / sizeof presets[0]; i++) {
        rm_webrtc_config c;
        presets[i].init(&c);
        RMT_REQUIRE(rm_webrtc_config_check(&c, NULL, 0) == RM_OK);
        RMT_REQUIRE(c.max_reconnect_retries == presets[i].retries && c.ice_timeout_ms == presets[i].ice_ms);
        RMT_REQUIRE(c.reconnect_backoff_initial_ms == presets[i].initial_ms);
        RMT_REQUIRE(c.reconnect_backoff_max_ms == presets[i].max_ms);
        RMT_REQUIRE(c.reconnect_backoff_multiplier == presets[i].multiplier);
    }
}

static void calls_refuse_what_they_must(void) {
    rm_webrtc_config c;
    rm_event ev;
    rm_peer_info info;
    size_t count;
    rm_webrtc *t = NULL;
    rm_webrtc_config_init(&c);
    c.signaling_url = "ws://127.0.0.1:1/ws"; /* nobody listens there */
    RMT_REQUIRE(rm_webrtc_create(NULL, &t) == RM_E_INVALID_ARG);
    RMT_REQUIRE(rm_webrtc_create(&c, NULL) == RM_E_INVALID_ARG);
    RMT_REQUIRE(rm_webrtc_create(&c, &t) == RM_OK);
    RMT_REQUIRE(!strncmp(rm_webrtc_local_peer_id(t), "peer-", 5) && strlen(rm_webrtc_local_peer_id(t)) == 41);
    RMT_REQUIRE(rm_webrtc_connect_peer(t, "x") == RM_E_STATE);
    RMT_REQUIRE(rm_webrtc_peers(t, &info, 1, &count) == RM_E_STATE);
    RMT_REQUIRE(rm_webrtc_poll(t, &ev, 0) == RM_E_AGAIN);
    RMT_REQUIRE(rm_webrtc_start(NULL) == RM_E_INVALID_ARG);
    RMT_REQUIRE(rm_webrtc_start(t) == RM_OK);
    RMT_REQUIRE(rm_webrtc_start(t) == RM_E_STATE);
    RMT_REQUIRE(rm_webrtc_connect_peer(t, "not an id") == RM_E_INVALID_ARG);
    RMT_REQUIRE(rmt_wait(t, RM_EV_SIGNALING, RM_SIGNALING_DOWN, &ev, 5000));
    RMT_REQUIRE(ev.err == RM_E_SIGNALING && ev.detail[0]);
    RMT_REQUIRE(rm_webrtc_connect_peer(t, "someone") == RM_OK);
    RMT_REQUIRE(rmt_wait(t, RM_EV_ERROR, 0, &ev, 5000) && ev.err == RM_E_STATE && !strcmp(ev.peer_id, "someone"));
    RMT_REQUIRE(rm_webrtc_disconnect_peer(t, "someone") == RM_OK);
    RMT_REQUIRE(rmt_wait(t, RM_EV_ERROR, 0, &ev, 5000) && ev.err == RM_E_NOT_FOUND);
    rm_webrtc_shutdown(t);
    RMT_REQUIRE(rmt_wait(t, RM_EV_STOPPED, 0, &ev, 5000));
    RMT_REQUIRE(rm_webrtc_connect_peer(t, "someone") == RM_E_CLOSED);
    RMT_REQUIRE(rm_webrtc_peers(t, &info, 1, &count) == RM_E_CLOSED);
    rm_webrtc_destroy(&t);
    rm_webrtc_destroy(&t);
    rm_webrtc_destroy(NULL);
    RMT_REQUIRE(rm_webrtc_poll(NULL, &ev, 0) == RM_E_INVALID_ARG);
    RMT_REQUIRE(rm_webrtc_fd(NULL) == -1);
}

int main(void) {
    faults_have_their_fields();
    presets_reconnect_as_their_purpose_says();
    calls_refuse_what_they_must();
    return 0;
}
