/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_WEBRTC_SIGNALING_THREAD_H
#define RMI_WEBRTC_SIGNALING_THREAD_H

#include "webrtc/signaling_host.h"
#include <pthread.h>

/* A signaling server on a thread of its own, for benchmarks and tests in one process. */
struct rmi_signaling_thread {
    struct rmi_loop *loop;
    struct rmi_signaling_host *host;
    pthread_t thread;
    char url[64]; /* ws://... or wss://... */
};

/* Errors as rmi_signaling_host_create; RM_E_IO also when no thread can be had. */
rm_err rmi_signaling_thread_start(struct rmi_signaling_thread *s, const struct rmi_signaling_host_config *config);
/* Closes every connection and frees everything. */
void rmi_signaling_thread_stop(struct rmi_signaling_thread *s);

#endif
