/* SPDX-License-Identifier: Apache-2.0 */
#include "file_receive.h"
#include "file_wire.h"

#include "base/list.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 16                   /* at a time */
#define PENDING_HIGH ((size_t)4 << 20) /* bytes of one file that wait for the disk: its channel is paused */
#define PENDING_LOW ((size_t)1 << 20)  /* and goes on */
#define PART_NAME_MAX (FILE_NAME_MAX + 40)

/* One file on its way. Fields without a note belong to the writer's thread. */
struct incoming {
    struct rmi_list node; /* guarded */
    char peer_id[RM_PEER_ID_MAX];
    uint16_t channel;
    size_t pending; /* guarded */
    bool paused;    /* guarded */
    bool begun, over;
    int fd;
    struct file_header header;
    char part[PART_NAME_MAX];
    uint64_t written;
    EVP_MD_CTX *hash;
};

enum what { TEXT, BYTES, CLOSED };
struct item {
    struct rmi_list node;
    struct incoming *file;
    enum what what;
    size_t size;
    uint8_t data[];
};

struct file_receiver {
    int directory;
    uint64_t size_max;
    unsigned parts; /* for names */
    rm_webrtc *t;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool stop; /* guarded, and so are: */
    struct rmi_list files, items;
    size_t file_count;
};

/* ---- the writer's thread ---- */

static void drop_part(struct file_receiver *r, struct incoming *f) {
    if (f->fd >= 0) {
        close(f->fd);
        (void)unlinkat(r->directory, f->part, 0);
    }
    f->fd = -1;
}

/* Tells the sender and ends the channel behind that. */
static void answer(struct file_receiver *r, struct incoming *f, rm_err err, const char *detail) {
    char *text = file_answer_write(err, detail);
    f->over = true;
    drop_part(r, f);
    if (text)
        (void)rm_webrtc_send_data(r->t, f->peer_id, f->channel, false, text, strlen(text));
    (void)rm_webrtc_close_channel(r->t, f->peer_id, f->channel);
    free(text);
    if (err)
        fprintf(stderr, "rmrtc join: file \"%s\" of %s refused: %s: %s\n", f->header.name, f->peer_id, rm_err_name(err),
                detail);
    else
        fprintf(stderr, "rmrtc join: saved \"%s\" of %s: %llu bytes, %s\n", f->header.name, f->peer_id,
                (unsigned long long)f->header.size, f->header.mime_type);
}

static void begin(struct file_receiver *r, struct incoming *f, const struct item *i) {
    const rm_err err = file_header_read(i->data, i->size, &f->header);
    struct stat st;
    if (err) {
        answer(r, f, err, err == RM_E_PARSE ? "no header of a file" : "the name is not safe");
        return;
    }
    f->begun = true;
    if (f->header.size > r->size_max) {
        answer(r, f, RM_E_TOO_BIG, "larger than files may be here");
        return;
    }
    if (!fstatat(r->directory, f->header.name, &st, AT_SYMLINK_NOFOLLOW)) {
        answer(r, f, RM_E_EXISTS, "a file of this name is there");
        return;
    }
    snprintf(f->part, sizeof f->part, ".%s.%ld-%u.part", f->header.name, (long)getpid(), r->parts++);
    f->fd = openat(r->directory, f->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    f->hash = EVP_MD_CTX_new();
    if (f->fd < 0)
        answer(r, f, RM_E_IO, strerror(errno));
    else if (!f->hash || !EVP_DigestInit_ex(f->hash, EVP_sha256(), NULL))
        answer(r, f, RM_E_NO_MEMORY, "");
}

static void add_bytes(struct file_receiver *r, struct incoming *f, const struct item *i) {
    if (!f->begun || i->size > f->header.size - f->written) {
        answer(r, f, RM_E_PARSE, f->begun ? "more bytes than were announced" : "bytes before the header");
        return;
    }
    for (size_t at = 0; at < i->size;) {
        const ssize_t n = write(f->fd, i->data + at, i->size - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            answer(r, f, RM_E_IO, strerror(errno));
            return;
        }
        at += (size_t)n;
    }
    EVP_DigestUpdate(f->hash, i->data, i->size);
    f->written += i->size;
}

static bool hash_is(struct incoming *f, const char *want) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    char text[FILE_HASH_CHARS + 1] = "";
    unsigned n = 0;
    EVP_DigestFinal_ex(f->hash, digest, &n);
    for (unsigned i = 0; i < n && i * 2 < FILE_HASH_CHARS; i++)
        snprintf(text + (size_t)i * 2, 3, "%02x", digest[i]);
    return !strcmp(text, want);
}

/* Takes its name only now, and only if nobody has it: a link fails where a rename would replace. */
static void finish(struct file_receiver *r, struct incoming *f, const struct item *i) {
    char want[FILE_HASH_CHARS + 1];
    if (file_end_read(i->data, i->size, want) || f->written != f->header.size)
        answer(r, f, RM_E_PARSE, "the end came before all bytes, or is malformed");
    else if (!hash_is(f, want))
        answer(r, f, RM_E_PARSE, "the hash differs");
    else if (linkat(r->directory, f->part, r->directory, f->header.name, 0))
        answer(r, f, errno == EEXIST ? RM_E_EXISTS : RM_E_IO, strerror(errno));
    else
        answer(r, f, RM_OK, "");
}

static void end_file(struct file_receiver *r, struct incoming *f) {
    if (f->begun && !f->over)
        fprintf(stderr, "rmrtc join: file \"%s\" of %s was not finished: %llu of %llu bytes\n", f->header.name,
                f->peer_id, (unsigned long long)f->written, (unsigned long long)f->header.size);
    drop_part(r, f);
    EVP_MD_CTX_free(f->hash);
    free(f);
}

static void handle(struct file_receiver *r, const struct item *i) {
    struct incoming *f = i->file;
    if (i->what == CLOSED)
        end_file(r, f);
    else if (f->over)
        return;
    else if (i->what == BYTES)
        add_bytes(r, f, i);
    else if (!f->begun)
        begin(r, f, i);
    else
        finish(r, f, i);
}

static void *writer_main(void *ctx) {
    struct file_receiver *r = ctx;
    pthread_mutex_lock(&r->mutex);
    for (;;) {
        while (!r->stop && rmi_list_empty(&r->items))
            pthread_cond_wait(&r->changed, &r->mutex);
        if (r->stop)
            break;
        struct item *i = RMI_CONTAINER_OF(rmi_list_pop_front(&r->items), struct item, node);
        struct incoming *f = i->file;
        f->pending -= i->size;
        const bool go_on = f->paused && f->pending <= PENDING_LOW;
        f->paused = f->paused && !go_on;
        pthread_mutex_unlock(&r->mutex);
        if (go_on && i->what != CLOSED)
            (void)rm_webrtc_pause_channel(r->t, f->peer_id, f->channel, false);
        handle(r, i);
        free(i);
        pthread_mutex_lock(&r->mutex);
    }
    pthread_mutex_unlock(&r->mutex);
    return NULL;
}

/* ---- what comes ---- */

/* With the mutex held. */
static struct incoming *find(struct file_receiver *r, const char *peer_id, uint16_t channel) {
    RMI_LIST_FOREACH (node, next, &r->files) {
        struct incoming *f = RMI_CONTAINER_OF(node, struct incoming, node);
        if (f->channel == channel && !strcmp(f->peer_id, peer_id))
            return f;
    }
    return NULL;
}

static void push(struct file_receiver *r, struct incoming *f, struct item *i, enum what what) {
    i->file = f;
    i->what = what;
    rmi_list_push_back(&r->items, &i->node);
    pthread_cond_signal(&r->changed);
}

static struct incoming *add_file(struct file_receiver *r, const char *peer_id, uint16_t channel) {
    struct incoming *f = r->file_count < FILES_MAX ? calloc(1, sizeof *f) : NULL;
    if (!f)
        return NULL;
    snprintf(f->peer_id, sizeof f->peer_id, "%s", peer_id);
    f->channel = channel;
    f->fd = -1;
    rmi_list_push_back(&r->files, &f->node);
    r->file_count++;
    return f;
}

void file_receiver_data(struct file_receiver *r, const char *peer_id, uint16_t channel, bool binary,
                        const uint8_t *data, size_t size) {
    struct item *i = malloc(sizeof *i + size);
    pthread_mutex_lock(&r->mutex);
    struct incoming *f = r->stop ? NULL : find(r, peer_id, channel);
    if (!f && !r->stop)
        f = add_file(r, peer_id, channel);
    const bool refused = !i || !f;
    bool pause = false;
    if (!refused) {
        i->size = size;
        memcpy(i->data, data, size);
        f->pending += size;
        pause = !f->paused && f->pending > PENDING_HIGH;
        f->paused = f->paused || pause;
        push(r, f, i, binary ? BYTES : TEXT);
    }
    pthread_mutex_unlock(&r->mutex);
    if (pause)
        (void)rm_webrtc_pause_channel(r->t, peer_id, channel, true);
    if (refused) { /* too many files, or no memory */
        free(i);
        (void)rm_webrtc_close_channel(r->t, peer_id, channel);
    }
}

void file_receiver_event(struct file_receiver *r, const rm_event *ev) {
    if (ev->type != RM_EV_CHANNEL_CLOSED)
        return;
    struct item *i = calloc(1, sizeof *i);
    pthread_mutex_lock(&r->mutex);
    struct incoming *f = i ? find(r, ev->peer_id, ev->channel) : NULL;
    if (f) {
        rmi_list_remove(&f->node);
        r->file_count--;
        push(r, f, i, CLOSED);
        i = NULL;
    }
    pthread_mutex_unlock(&r->mutex);
    free(i);
}

/* ---- life ---- */

rm_err file_receiver_create(const char *directory, uint64_t size_max, struct file_receiver **out, char *detail,
                            size_t detail_size) {
    struct file_receiver *r = calloc(1, sizeof *r);
    if (!r)
        return RM_E_NO_MEMORY;
    r->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r->directory < 0 || faccessat(r->directory, ".", W_OK, 0)) {
        snprintf(detail, detail_size, "%s: %s", directory, strerror(errno));
        if (r->directory >= 0)
            close(r->directory);
        free(r);
        return RM_E_IO;
    }
    r->size_max = size_max;
    rmi_list_init(&r->files);
    rmi_list_init(&r->items);
    pthread_mutex_init(&r->mutex, NULL);
    pthread_cond_init(&r->changed, NULL);
    *out = r;
    return RM_OK;
}

void file_receiver_start(struct file_receiver *r, rm_webrtc *t) {
    r->t = t;
    pthread_mutex_lock(&r->mutex); /* the thread looks at `stop` at once */
    r->has_thread = pthread_create(&r->thread, NULL, writer_main, r) == 0;
    r->stop = !r->has_thread;
    pthread_mutex_unlock(&r->mutex);
}

void file_receiver_stop(struct file_receiver *r) {
    if (!r)
        return;
    pthread_mutex_lock(&r->mutex);
    r->stop = true;
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->mutex);
    if (r->has_thread)
        pthread_join(r->thread, NULL);
    r->has_thread = false;
    pthread_mutex_lock(&r->mutex);
    RMI_LIST_FOREACH (node, next, &r->items) {
        struct item *i = RMI_CONTAINER_OF(node, struct item, node);
        if (i->what == CLOSED)
            end_file(r, i->file);
        rmi_list_remove(node);
        free(i);
    }
    RMI_LIST_FOREACH (other, following, &r->files) {
        rmi_list_remove(other);
        end_file(r, RMI_CONTAINER_OF(other, struct incoming, node));
    }
    pthread_mutex_unlock(&r->mutex);
}

void file_receiver_destroy(struct file_receiver **pr) {
    struct file_receiver *r = *pr;
    if (!r)
        return;
    file_receiver_stop(r);
    close(r->directory);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->mutex);
    free(r);
    *pr = NULL;
}
