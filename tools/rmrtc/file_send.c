/* SPDX-License-Identifier: Apache-2.0 */
#include "file_send.h"
#include "file_wire.h"
#include "progress.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MS_PER_S 1000

struct sending {
    struct peer_link *link;
    int fd;
    struct file_header header;
    EVP_MD_CTX *hash;
    struct progress progress;
    uint16_t channel;
    size_t piece; /* bytes of one message */
    uint64_t sent;
    bool closed;

    pthread_mutex_t mutex; /* the answer comes on the network thread */
    bool answered, accepted;
    char detail[RM_DETAIL_MAX];
};

static void on_answer(const char *peer_id, uint16_t channel, const char *label, bool binary, const uint8_t *data,
                      size_t size, void *user) {
    struct sending *s = user;
    bool ok;
    char detail[RM_DETAIL_MAX];
    (void)channel;
    if (binary || strcmp(label, FILE_CHANNEL) != 0 || strcmp(peer_id, s->link->peer) != 0 ||
        file_answer_read(data, size, &ok, detail, sizeof detail))
        return;
    pthread_mutex_lock(&s->mutex);
    s->answered = true;
    s->accepted = ok;
    snprintf(s->detail, sizeof s->detail, "%s", detail);
    pthread_mutex_unlock(&s->mutex);
}

static bool is_answered(struct sending *s) {
    pthread_mutex_lock(&s->mutex);
    const bool answered = s->answered;
    pthread_mutex_unlock(&s->mutex);
    return answered;
}

/* Until there is room, or the channel is closed: the receiver closes it behind its answer. */
static rm_err wait_for(struct sending *s, rm_event_type type) {
    rm_event ev;
    for (;;) {
        const rm_err err = peer_link_event(s->link, &ev, (int)s->link->timeout_s * MS_PER_S);
        if (err == RM_E_AGAIN) {
            peer_link_tell(s->link, RM_E_TIMEOUT, "nothing moves any more");
            return RM_E_TIMEOUT;
        }
        if (err)
            return err;
        if (ev.channel != s->channel || strcmp(ev.peer_id, s->link->peer) != 0)
            continue;
        s->closed = s->closed || ev.type == RM_EV_CHANNEL_CLOSED;
        if (s->closed || ev.type == type)
            return RM_OK;
    }
}

static rm_err send_buf(struct sending *s, bool binary, rm_buf *buf, size_t size) {
    struct peer_link *l = s->link;
    rm_err err = RM_E_AGAIN;
    while (err == RM_E_AGAIN && !s->closed && !is_answered(s)) {
        err = rm_webrtc_send_data_buf(l->t, l->peer, s->channel, binary, buf, 0, size);
        const rm_err waited = err == RM_E_AGAIN ? wait_for(s, RM_EV_CHANNEL_WRITABLE) : RM_OK;
        if (waited)
            return waited;
    }
    if (err == RM_E_AGAIN || err == RM_E_NOT_FOUND || err == RM_E_STATE)
        return RM_OK; /* the receiver has ended it: its answer says why */
    if (err)
        peer_link_tell(l, err, "");
    return err;
}

static rm_err send_text(struct sending *s, char *text) {
    rm_buf *buf = NULL;
    rm_err err = text ? rm_buf_copy(text, strlen(text), &buf) : RM_E_NO_MEMORY;
    if (!err)
        err = send_buf(s, false, buf, strlen(text));
    rm_buf_unref(&buf);
    free(text);
    return err;
}

/* Each piece in a buffer of its own, which goes down to the protocol without a copy. */
static rm_err send_piece(struct sending *s, uint64_t left) {
    const size_t want = left < s->piece ? (size_t)left : s->piece;
    rm_buf *buf = NULL;
    rm_err err = rm_buf_create(want, &buf);
    if (err)
        return err;
    uint8_t *bytes = rm_buf_write(buf);
    size_t have = 0;
    while (have < want) {
        const ssize_t n = read(s->fd, bytes + have, want - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            fprintf(stderr, "rmrtc send: %s: %s\n", s->header.name,
                    n ? strerror(errno) : "the file became shorter while it was sent");
            rm_buf_unref(&buf);
            return RM_E_IO;
        }
        have += (size_t)n;
    }
    EVP_DigestUpdate(s->hash, bytes, want);
    err = send_buf(s, true, buf, want);
    rm_buf_unref(&buf);
    s->sent += want;
    return err;
}

static uint64_t gone(struct sending *s) {
    size_t waiting = 0;
    (void)rm_webrtc_channel_buffered(s->link->t, s->link->peer, s->channel, &waiting);
    return waiting < s->sent ? s->sent - waiting : 0;
}

static rm_err send_body(struct sending *s) {
    rm_err err = RM_OK;
    while (!err && s->sent < s->header.size && !s->closed && !is_answered(s)) {
        err = send_piece(s, s->header.size - s->sent);
        if (s->sent % ((uint64_t)s->piece * 16) == 0) /* asks the network thread: not for each piece */
            progress_show(&s->progress, gone(s));
    }
    return err;
}

static rm_err send_end(struct sending *s) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    char text[FILE_HASH_CHARS + 1] = "";
    EVP_DigestFinal_ex(s->hash, digest, &n);
    for (unsigned i = 0; i < n && i * 2 < FILE_HASH_CHARS; i++)
        snprintf(text + (size_t)i * 2, 3, "%02x", digest[i]);
    return send_text(s, file_end_write(text));
}

static rm_err await_answer(struct sending *s) {
    rm_err err = RM_OK;
    uint64_t before = 0;
    while (!err && !s->closed) {
        rm_event ev;
        err = peer_link_event(s->link, &ev, MS_PER_S);
        s->closed = !err && ev.type == RM_EV_CHANNEL_CLOSED && ev.channel == s->channel;
        const uint64_t now = gone(s);
        progress_show(&s->progress, now);
        if (err == RM_E_AGAIN)
            err = now == before && now == s->sent ? wait_for(s, RM_EV_CHANNEL_CLOSED) : RM_OK;
        before = now;
    }
    progress_end(&s->progress, gone(s));
    if (err)
        return err;
    if (!s->answered)
        peer_link_tell(s->link, RM_E_CLOSED,
                       "the peer closed the channel without an answer: does it run --save-files?");
    else if (!s->accepted)
        peer_link_tell(s->link, RM_E_CLOSED, s->detail);
    return s->accepted ? RM_OK : RM_E_CLOSED;
}

static rm_err open_channel(struct sending *s) {
    rm_channel_options o;
    rm_data_stats stats;
    rm_channel_options_init(&o);
    o.label = FILE_CHANNEL;
    o.priority = RM_CHANNEL_PRIORITY_VERY_LOW;
    rm_err err = rm_webrtc_data_stats(s->link->t, s->link->peer, &stats);
    if (!err)
        err = rm_webrtc_open_channel(s->link->t, s->link->peer, &o, &s->channel);
    if (err)
        peer_link_tell(s->link, err, "");
    else
        s->piece = stats.message_max < FILE_PIECE_MAX ? (size_t)stats.message_max : FILE_PIECE_MAX;
    return err;
}

static rm_err transfer(struct sending *s, const char *url, const char *peer) {
    s->link->config.on_channel_data = on_answer;
    s->link->config.user = s;
    rm_err err = peer_link_open(s->link, url, peer);
    if (!err)
        err = open_channel(s);
    if (err)
        return err;
    progress_begin(&s->progress, s->header.size);
    err = send_text(s, file_header_write(&s->header));
    if (!err)
        err = send_body(s);
    if (!err)
        err = send_end(s);
    return err ? err : await_answer(s);
}

static rm_err open_file(struct sending *s, const char *path, const char *mime_type) {
    struct stat st;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    s->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0 || fstat(s->fd, &st)) {
        fprintf(stderr, "rmrtc send: %s: %s\n", path, strerror(errno));
        return RM_E_IO;
    }
    if (!S_ISREG(st.st_mode) || !file_name_is_safe(name)) {
        fprintf(stderr, "rmrtc send: %s: %s\n", path,
                S_ISREG(st.st_mode) ? "its name has a dot in front, is too long or no UTF-8: rename it"
                                    : "this is no regular file");
        return RM_E_INVALID_ARG;
    }
    snprintf(s->header.name, sizeof s->header.name, "%s", name);
    snprintf(s->header.mime_type, sizeof s->header.mime_type, "%s", mime_type);
    s->header.size = (uint64_t)st.st_size;
    return RM_OK;
}

rm_err file_send(struct peer_link *l, const char *url, const char *peer, const char *path, const char *mime_type) {
    struct sending s = {.link = l, .fd = -1, .hash = EVP_MD_CTX_new()};
    pthread_mutex_init(&s.mutex, NULL);
    rm_err err = s.hash && EVP_DigestInit_ex(s.hash, EVP_sha256(), NULL) ? RM_OK : RM_E_NO_MEMORY;
    if (!err)
        err = open_file(&s, path, mime_type);
    if (!err)
        err = transfer(&s, url, peer);
    rm_webrtc_destroy(&l->t); /* no callback after this */
    if (s.fd >= 0)
        close(s.fd);
    EVP_MD_CTX_free(s.hash);
    pthread_mutex_destroy(&s.mutex);
    return err;
}
