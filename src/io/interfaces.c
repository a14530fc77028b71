/* SPDX-License-Identifier: Apache-2.0 */
#include "io/interfaces.h"
#include "base/time.h"
#include "io/loop_private.h"
#include "io/sockaddr.h"
#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One change of address comes as a burst of messages over some 100 ms; each report costs one look at the interfaces. */
#define QUIET_US RMI_MS(100)
#define LATEST_US RMI_MS(500) /* calls stand still meanwhile */
#define ORDER_BITS 11         /* low bits of `prefer`: the order the system lists them in keeps values apart */
#define ORDER_MAX ((1 << ORDER_BITS) - 1)

enum kind { KIND_LOOPBACK, KIND_VIRTUAL, KIND_LINK };

/* Bridges and tunnels mostly lead to containers of this host or detour: worth trying, after real links. */
static bool is_virtual(const char *name, unsigned flags) {
    static const char *const prefixes[] = {"docker", "br-", "virbr", "veth",   "tun",
                                           "tap",    "wg",  "lxc",   "podman", "cni"};
    if (flags & IFF_POINTOPOINT)
        return true;
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

static uint16_t rank(const struct rmi_interface *e, unsigned flags, size_t order) {
    enum kind kind = e->is_loopback ? KIND_LOOPBACK : is_virtual(e->name, flags) ? KIND_VIRTUAL : KIND_LINK;
    unsigned global = rmi_addr_classify(&e->addr) == RMI_ADDR_GLOBAL;
    unsigned v6 = e->addr.family == 6;
    unsigned low = order < ORDER_MAX ? (unsigned)(ORDER_MAX - order) : 0;
    return (uint16_t)((unsigned)kind << (ORDER_BITS + 2) | global << (ORDER_BITS + 1) | v6 << ORDER_BITS | low);
}

static bool is_link_local_v6(const struct rmi_addr *a) {
    return a->family == 6 && rmi_addr_classify(a) == RMI_ADDR_LINK_LOCAL;
}

/* Whether `ifa` is worth listing; fills *e. */
static bool take(const struct ifaddrs *ifa, size_t order, struct rmi_interface *e) {
    if (!ifa->ifa_addr || !(ifa->ifa_flags & IFF_UP))
        return false;
    *e = (struct rmi_interface){.addr = rmi_addr_from_sockaddr(ifa->ifa_addr)};
    if (e->addr.family == 0 || rmi_addr_classify(&e->addr) == RMI_ADDR_UNUSABLE)
        return false;
    strncpy(e->name, ifa->ifa_name, sizeof e->name - 1);
    e->index = if_nametoindex(ifa->ifa_name);
    e->is_loopback = (ifa->ifa_flags & IFF_LOOPBACK) != 0;
    e->prefer = rank(e, ifa->ifa_flags, order);
    return true;
}

static int by_preference(const void *a, const void *b) {
    return (int)((const struct rmi_interface *)b)->prefer - (int)((const struct rmi_interface *)a)->prefer;
}

rm_err rmi_interfaces_list(struct rmi_interface *out, size_t cap, size_t *n) {
    *n = 0;
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) != 0)
        return errno == ENOMEM ? RM_E_NO_MEMORY : RM_E_IO;
    size_t total = 0;
    for (const struct ifaddrs *ifa = all; ifa; ifa = ifa->ifa_next)
        total++;
    struct rmi_interface *found = calloc(total + 1, sizeof *found);
    if (!found) {
        freeifaddrs(all);
        return RM_E_NO_MEMORY;
    }
    size_t count = 0;
    size_t order = 0;
    bool has_real = false;
    for (const struct ifaddrs *ifa = all; ifa; ifa = ifa->ifa_next, order++) {
        if (!take(ifa, order, &found[count]))
            continue;
        has_real |= !found[count].is_loopback && !is_link_local_v6(&found[count].addr);
        count++;
    }
    freeifaddrs(all);
    qsort(found, count, sizeof *found, by_preference);
    for (size_t i = 0; i < count && *n < cap; i++)
        if (!has_real || !is_link_local_v6(&found[i].addr))
            out[(*n)++] = found[i];
    free(found);
    return RM_OK;
}

struct rmi_interfaces_watch {
    struct rmi_loop_child child;
    uv_poll_t poll;
    int fd;
    struct rmi_timer *timer;
    int64_t first_us; /* of the burst not yet reported; 0 = none */
    void (*changed)(void *ctx);
    void *ctx;
};

static void on_netlink(uv_poll_t *handle, int status, int events) {
    struct rmi_interfaces_watch *watch = handle->data;
    (void)status;
    (void)events;
    /* Only that something changed matters, so the messages are not read; ENOBUFS (some were lost) says it as well. */
    uint8_t message[8192];
    for (;;) {
        ssize_t n = recv(watch->fd, message, sizeof message, MSG_DONTWAIT);
        if (n < 0 && errno != ENOBUFS && errno != EINTR)
            break;
    }
    int64_t now_us = rmi_now_us();
    if (watch->first_us == 0)
        watch->first_us = now_us;
    rmi_timer_set_at(watch->timer, rmi_min64(now_us + QUIET_US, watch->first_us + LATEST_US));
}

static void on_quiet(void *ctx, int64_t now_us) {
    struct rmi_interfaces_watch *watch = ctx;
    (void)now_us;
    watch->first_us = 0;
    watch->changed(watch->ctx);
}

static int open_netlink(void) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0)
        return -1;
    struct sockaddr_nl sa = {.nl_family = AF_NETLINK,
                             .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
    if (bind(fd, (const struct sockaddr *)&sa, sizeof sa) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void free_handle(uv_handle_t *handle) {
    free(handle->data);
}

static void shut(struct rmi_interfaces_watch *watch) {
    rmi_list_remove(&watch->child.node);
    rmi_timer_destroy(&watch->timer);
    uv_close((uv_handle_t *)&watch->poll, free_handle); /* before close(), see rmi_udp_close */
    close(watch->fd);
}

static void on_abort(struct rmi_loop_child *child) {
    shut(RMI_CONTAINER_OF(child, struct rmi_interfaces_watch, child));
}

rm_err rmi_interfaces_watch_start(struct rmi_loop *loop, void (*changed)(void *ctx), void *ctx,
                                  struct rmi_interfaces_watch **out) {
    *out = NULL;
    struct rmi_interfaces_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return RM_E_NO_MEMORY;
    watch->changed = changed;
    watch->ctx = ctx;
    watch->poll.data = watch;
    watch->child.abort = on_abort;
    rm_err err = rmi_timer_create(loop, on_quiet, watch, &watch->timer);
    watch->fd = err == RM_OK ? open_netlink() : -1;
    if (watch->fd < 0 || uv_poll_init(&loop->uv, &watch->poll, watch->fd) != 0) {
        if (watch->fd >= 0)
            close(watch->fd);
        rmi_timer_destroy(&watch->timer);
        free(watch);
        return err != RM_OK ? err : RM_E_IO;
    }
    if (uv_poll_start(&watch->poll, UV_READABLE, on_netlink) != 0) {
        shut(watch);
        return RM_E_IO;
    }
    rmi_loop_adopt(loop, &watch->child);
    *out = watch;
    return RM_OK;
}

void rmi_interfaces_watch_stop(struct rmi_interfaces_watch **watch) {
    if (!watch || !*watch)
        return;
    shut(*watch);
    *watch = NULL;
}
