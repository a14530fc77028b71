/* SPDX-License-Identifier: Apache-2.0 */
#include "webrtc/signaling_thread.h"

#include <stdio.h>
#include <string.h>

static void *server_main(void *ctx) {
    struct rmi_signaling_thread *s = ctx;
    rmi_loop_run(s->loop);
    return NULL;
}

rm_err rmi_signaling_thread_start(struct rmi_signaling_thread *s, const struct rmi_signaling_host_config *config) {
    memset(s, 0, sizeof *s);
    rm_err err = rmi_loop_create(&s->loop);
    if (!err)
        err = rmi_signaling_host_create(s->loop, config, &s->host);
    if (!err) {
        snprintf(s->url, sizeof s->url, "%s://%s:%u/ws", config->cert_file ? "wss" : "ws", config->host,
                 rmi_signaling_host_port(s->host));
        err = pthread_create(&s->thread, NULL, server_main, s) ? RM_E_IO : RM_OK;
    }
    if (err) {
        rmi_signaling_host_destroy(&s->host);
        rmi_loop_destroy(&s->loop);
    }
    return err;
}

void rmi_signaling_thread_stop(struct rmi_signaling_thread *s) {
    rmi_loop_stop(s->loop);
    pthread_join(s->thread, NULL);
    rmi_signaling_host_destroy(&s->host);
    rmi_loop_destroy(&s->loop);
}
