/* SPDX-License-Identifier: Apache-2.0 */
#include "io/mailbox.h"

#include "base/list.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct item {
    struct rmi_list node;
    unsigned char bytes[];
};

struct rmi_mailbox {
    pthread_mutex_t mutex;
    struct rmi_list items;
    size_t count, max_items, item_bytes;
    bool closed;
    int fd;
};

rm_err rmi_mailbox_create(size_t item_bytes, size_t max_items, struct rmi_mailbox **out) {
    struct rmi_mailbox *m = calloc(1, sizeof *m);
    if (!m)
        return RM_E_NO_MEMORY;
    m->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (m->fd < 0 || pthread_mutex_init(&m->mutex, NULL)) {
        if (m->fd >= 0)
            close(m->fd);
        free(m);
        return RM_E_IO;
    }
    rmi_list_init(&m->items);
    m->item_bytes = item_bytes;
    m->max_items = max_items;
    *out = m;
    return RM_OK;
}

void rmi_mailbox_destroy(struct rmi_mailbox **pm) {
    struct rmi_mailbox *m = *pm;
    if (!m)
        return;
    RMI_LIST_FOREACH (node, next, &m->items) {
        free(RMI_CONTAINER_OF(node, struct item, node));
    }
    pthread_mutex_destroy(&m->mutex);
    close(m->fd);
    free(m);
    *pm = NULL;
}

/* The descriptor is readable exactly while items wait or the box is closed; both are changed under the mutex. */
static void raise_fd(struct rmi_mailbox *m) {
    uint64_t one = 1;
    while (write(m->fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

static void lower_fd(struct rmi_mailbox *m) {
    uint64_t value;
    while (read(m->fd, &value, sizeof value) < 0 && errno == EINTR)
        continue;
}

rm_err rmi_mailbox_push(struct rmi_mailbox *m, const void *bytes) {
    struct item *it = malloc(sizeof *it + m->item_bytes);
    if (!it)
        return RM_E_NO_MEMORY;
    memset(&it->node, 0, sizeof it->node);
    memcpy(it->bytes, bytes, m->item_bytes);
    struct rmi_list *dropped = NULL;
    pthread_mutex_lock(&m->mutex);
    bool closed = m->closed;
    if (!closed) {
        if (m->count == m->max_items)
            dropped = rmi_list_pop_front(&m->items);
        else if (m->count++ == 0)
            raise_fd(m);
        rmi_list_push_back(&m->items, &it->node);
    }
    pthread_mutex_unlock(&m->mutex);
    if (dropped)
        free(RMI_CONTAINER_OF(dropped, struct item, node));
    if (closed)
        free(it);
    return closed ? RM_E_CLOSED : RM_OK;
}

static rm_err try_pop(struct rmi_mailbox *m, void *bytes) {
    pthread_mutex_lock(&m->mutex);
    rm_err err = m->closed ? RM_E_CLOSED : RM_E_AGAIN;
    struct rmi_list *node = rmi_list_pop_front(&m->items);
    if (node) {
        if (--m->count == 0 && !m->closed)
            lower_fd(m);
        err = RM_OK;
    }
    pthread_mutex_unlock(&m->mutex);
    if (node) {
        struct item *it = RMI_CONTAINER_OF(node, struct item, node);
        memcpy(bytes, it->bytes, m->item_bytes);
        free(it);
    }
    return err;
}

static int64_t monotonic_ms(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

rm_err rmi_mailbox_pop(struct rmi_mailbox *m, void *bytes, int timeout_ms) {
    int64_t end = timeout_ms > 0 ? monotonic_ms() + timeout_ms : 0;
    for (;;) {
        rm_err err = try_pop(m, bytes);
        if (err != RM_E_AGAIN || timeout_ms == 0)
            return err;
        int wait = -1;
        if (timeout_ms > 0) {
            int64_t left = end - monotonic_ms();
            if (left <= 0)
                return RM_E_AGAIN;
            wait = (int)left;
        }
        struct pollfd p = {.fd = m->fd, .events = POLLIN};
        if (poll(&p, 1, wait) < 0 && errno != EINTR)
            return RM_E_IO;
    }
}

void rmi_mailbox_close(struct rmi_mailbox *m) {
    pthread_mutex_lock(&m->mutex);
    if (!m->closed) {
        m->closed = true;
        raise_fd(m);
    }
    pthread_mutex_unlock(&m->mutex);
}

int rmi_mailbox_fd(const struct rmi_mailbox *m) {
    return m->fd;
}
