/* SPDX-License-Identifier: Apache-2.0 */
/* What is wanted of peers, and what they want of us: media that nobody takes is neither decoded nor sent. */
#include "webrtc/media_private.h"
#include "webrtc/wish.h"

#include <remotemedia/webrtc_control.h>
#include <string.h>

static const rm_subscription everything = {.audio = true, .video = true};

void rmi_media_wishes_init(struct rmi_media_wishes *w) {
    w->others = everything;
}

/* ---- ours ---- */

static struct rmi_media_wish *find(struct rmi_media_wishes *w, const char *peer_id) {
    for (size_t i = 0; i < w->count; i++)
        if (!strcmp(w->of[i].peer_id, peer_id))
            return &w->of[i];
    return NULL;
}

static rm_err set(struct rmi_media_wishes *w, const char *peer_id, const rm_subscription *s) {
    struct rmi_media_wish *own = peer_id ? find(w, peer_id) : NULL;
    if (!peer_id)
        w->others = s ? *s : everything;
    else if (own && !s)
        *own = w->of[--w->count];
    else if (own)
        own->wish = *s;
    else if (s && w->count == RM_SUBSCRIPTIONS_MAX)
        return RM_E_LIMIT;
    else if (s) {
        own = &w->of[w->count++];
        memcpy(own->peer_id, peer_id, strlen(peer_id) + 1); /* its length was checked */
        own->wish = *s;
    }
    return RM_OK;
}

rm_err rm_webrtc_subscribe(rm_webrtc *t, const char *peer_id, const rm_subscription *subscription) {
    if (!t || (subscription && !rmi_wish_valid(subscription)) ||
        (peer_id && (!peer_id[0] || strlen(peer_id) >= RM_PEER_ID_MAX)))
        return RM_E_INVALID_ARG;
    struct rmi_media *m = t->media;
    pthread_mutex_lock(&m->mutex);
    const rm_err err = m->stopped ? RM_E_CLOSED : set(&m->wishes, peer_id, subscription);
    pthread_mutex_unlock(&m->mutex);
    if (!err)
        rmi_media_ask_network(m, true);
    return err;
}

static rm_err tell(struct rmi_media_peer *p, const rm_subscription *wish) {
    struct rmi_buf *text = NULL;
    json_t *value = rmi_wish_write(wish);
    rm_err err = value ? rmi_json_text_dump(value, &text) : RM_E_NO_MEMORY;
    json_decref(value);
    if (!err)
        err = rm_webrtc_send_custom(p->media->t, p->id, RMI_WISH, (const char *)text->data, text->len);
    rmi_buf_unref(&text);
    return err;
}

void rmi_media_follow_wishes(struct rmi_media *m) {
    RMI_LIST_FOREACH (node, next, &m->peers) {
        struct rmi_media_peer *p = RMI_CONTAINER_OF(node, struct rmi_media_peer, node);
        pthread_mutex_lock(&m->mutex);
        const struct rmi_media_wish *own = find(&m->wishes, p->id);
        const rm_subscription wish = own ? own->wish : m->wishes.others;
        pthread_mutex_unlock(&m->mutex);
        if (wish.video && !p->hears[RMI_RTP_VIDEO])
            atomic_store(&p->ask_key, true); /* of who goes on sending, too */
        p->hears[RMI_RTP_AUDIO] = wish.audio;
        p->hears[RMI_RTP_VIDEO] = wish.video;
        if (atomic_exchange(&p->video_unwanted, !wish.video) != !wish.video)
            rmi_media_wake_lane(p);
        /* Without a channel yet, or with a full one, it is tried again soon. */
        if (!rmi_wish_same(&wish, &p->told_wish) && !tell(p, &wish))
            p->told_wish = wish;
    }
}

/* ---- theirs, on the network thread ---- */

void rmi_media_set_wish(struct rmi_media *m, const char *peer_id, const rm_subscription *wish) {
    struct rmi_media_peer *p = rmi_media_find(m, peer_id);
    if (!p)
        return;
    if (!rmi_wish_same(wish, &p->wish)) {
        p->wish = *wish;
        p->place.rung = RMI_RUNG_NONE; /* found anew, at once */
        rmi_media_refresh(m);
    }
    rmi_media_peer_unref(p);
}

void rmi_media_peer_wishes_init(struct rmi_media_peer *p) {
    p->wish = p->told_wish = everything;
    p->hears[RMI_RTP_AUDIO] = p->hears[RMI_RTP_VIDEO] = true;
}

bool rmi_media_wanted(const struct rmi_media_peer *p, int kind) {
    return kind == RMI_RTP_AUDIO ? p->wish.audio : p->wish.video;
}

static uint32_t least(uint32_t a, uint32_t b) {
    return a == 0 ? b : b == 0 || a < b ? a : b;
}

rm_quality rmi_media_cap(const struct rmi_media_peer *p) {
    const rm_quality *a = &p->cap, *b = &p->wish.max;
    const bool has = b->tier != RM_TIER_NONE, had = a->tier != RM_TIER_NONE;
    if (!has || !had)
        return has ? *b : had ? *a : (rm_quality){0};
    return (rm_quality){.tier = RM_TIER_CUSTOM,
                        .bitrate_kbps = least(a->bitrate_kbps, b->bitrate_kbps),
                        .width = least(a->width, b->width),
                        .height = least(a->height, b->height)};
}
