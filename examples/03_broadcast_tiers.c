/* SPDX-License-Identifier: Apache-2.0 */
/* A moving picture for three viewers, each in a quality of its own: one encoder for each quality, not for each viewer.
 * usage: 03_broadcast_tiers ws://HOST:PORT/ws HIGH MEDIUM LOW (ids; viewers: rmrtc join URL --peer-id HIGH) */
#include <remotemedia/webrtc_session.h>
#include <string.h>

enum { WIDTH = 1280, HEIGHT = 720, FRAME_MS = 40 };
static const char manifest[] = "{\"version\":\"v1\",\"metadata\":{\"name\":\"show\"},\"connections\":[],"
                               "\"nodes\":[{\"id\":\"camera\",\"node_type\":\"PassThrough\"}]}";

/* In the place of a camera. */
static void send_picture(rm_webrtc_session *session, int64_t n) {
    rm_buf *buf = NULL;
    rm_runtime_data *picture = NULL;
    if (rm_buf_create(rm_video_packed_size(RM_PIXEL_I420, WIDTH, HEIGHT), &buf))
        return;
    memset(rm_buf_write(buf), 128, rm_buf_size(buf)); /* grey, and a white bar that falls */
    memset(rm_buf_write(buf) + n * 8 % (HEIGHT - 80) * WIDTH, 235, 80 * WIDTH);
    if (!rm_runtime_data_create_video(buf, 0, RM_PIXEL_I420, WIDTH, HEIGHT, (uint64_t)n, n * FRAME_MS * 1000, &picture))
        rm_webrtc_session_send_input(session, picture);
    rm_runtime_data_unref(&picture);
    rm_buf_unref(&buf);
}

int main(int argc, char **argv) {
    rm_webrtc_config config;
    rm_webrtc_session_config show;
    rm_webrtc_session *session = NULL;
    rm_webrtc *t = NULL;
    rm_output_route route;
    rm_event ev;
    rm_webrtc_config_init(&config);
    rm_webrtc_session_config_init(&show);
    config.signaling_url = argc > 1 ? argv[1] : config.signaling_url;
    show.policy = RM_ROUTING_SELECTIVE; /* who has no route gets nothing */
    if (rm_manifest_parse(manifest, strlen(manifest), NULL, &show.manifest) || rm_webrtc_create(&config, &t) ||
        rm_webrtc_create_session(t, &show, &session, NULL, 0) || rm_webrtc_start(t))
        return 1;
    for (int i = 2; i < argc && i < 5; i++) { /* they need not be there yet */
        rm_output_route_init(&route);
        route.output_id = "camera", route.target_peers = (const char *const *)&argv[i], route.target_count = 1;
        route.quality = rm_quality_of((rm_quality_tier)(RM_TIER_HIGH + i - 2));
        rm_webrtc_session_add_route(session, &route, NULL);
    }
    for (int64_t n = 0; rm_webrtc_poll(t, &ev, FRAME_MS) != RM_E_CLOSED; n++)
        send_picture(session, n);
    rm_webrtc_destroy(&t);
    rm_manifest_unref(&show.manifest);
    return 0;
}
