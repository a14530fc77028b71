/* SPDX-License-Identifier: Apache-2.0 */
/* Callbacks of the application from shared sessions: when they may begin, and who waits for their end. */
#include "webrtc/session_private.h"

#include <stdio.h>

bool rmi_session_enter(rm_webrtc_session *s, struct rmi_media_call *own, struct rmi_media_call *media) {
    if (!rmi_media_enter(s->media, media))
        return false;
    *own = (struct rmi_media_call){.thread = pthread_self()};
    pthread_mutex_lock(&s->mutex);
    const bool open = !atomic_load(&s->closing);
    if (open)
        rmi_list_push_back(&s->calls, &own->node);
    pthread_mutex_unlock(&s->mutex);
    if (!open)
        rmi_media_leave(s->media, media);
    return open;
}

void rmi_session_leave(rm_webrtc_session *s, struct rmi_media_call *own, struct rmi_media_call *media) {
    pthread_mutex_lock(&s->mutex);
    rmi_list_remove(&own->node);
    pthread_cond_broadcast(&s->left);
    pthread_mutex_unlock(&s->mutex);
    rmi_media_leave(s->media, media);
}

static bool others_call(const rm_webrtc_session *s) {
    RMI_LIST_FOREACH (node, next, (struct rmi_list *)&s->calls) {
        if (!pthread_equal(RMI_CONTAINER_OF(node, struct rmi_media_call, node)->thread, pthread_self()))
            return true;
    }
    return false;
}

void rmi_session_await_calls(rm_webrtc_session *s) {
    pthread_mutex_lock(&s->mutex);
    while (others_call(s))
        pthread_cond_wait(&s->left, &s->mutex);
    pthread_mutex_unlock(&s->mutex);
}

static void tell(rm_webrtc_session *s, rm_err err, const char *text) {
    struct rmi_media_call own, media;
    rm_event ev = {.type = RM_EV_PIPELINE, .err = err};
    snprintf(ev.detail, sizeof ev.detail, "%s: %.180s", s->id, text);
    rmi_session_hold(s); /* the application may answer with its end */
    if (rmi_session_enter(s, &own, &media)) {
        rmi_webrtc_emit(s->media->t, &ev);
        rmi_session_leave(s, &own, &media);
    }
    rmi_session_release(s);
}

void rmi_session_on_event(const rm_run_event *event, void *user) {
    rm_webrtc_session *s = user;
    const bool failed = event->type == RM_RUN_EV_NODE_ERROR || event->type == RM_RUN_EV_STOPPED;
    rm_err err = event->err;
    char text[RM_DETAIL_MAX];
    if (failed) {
        pthread_mutex_lock(&s->mutex);
        s->node_errors++;
        pthread_mutex_unlock(&s->mutex);
    }
    switch (event->type) {
    case RM_RUN_EV_NODE_ERROR:
        snprintf(text, sizeof text, "node %s: %s", event->node_id, event->detail);
        break;
    case RM_RUN_EV_STOPPED:
        snprintf(text, sizeof text, "ended by node %s: %s", event->node_id, event->detail);
        break;
    case RM_RUN_EV_NODE_SLOW:
        err = RM_E_LIMIT;
        snprintf(text, sizeof text, "node %s is slower than its input: %llu items dropped so far", event->node_id,
                 (unsigned long long)event->count);
        break;
    default:
        return;
    }
    tell(s, err, text);
}
