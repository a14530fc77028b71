/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_IO_INTERFACES_H
#define RMI_IO_INTERFACES_H

#include "net/addr.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rmi_loop;
struct rmi_interfaces_watch;

#define RMI_IFNAME_MAX 16 /* IF_NAMESIZE */

/* One address of an interface that is up. */
struct rmi_interface {
    char name[RMI_IFNAME_MAX];
    struct rmi_addr addr; /* port 0 */
    unsigned index;
    bool is_loopback;
    /* Higher is better, 0..65535, unlike for any two entries: usable as the local preference of RFC 8445 5.1.2.1.
     * Ethernet-like before bridges and tunnels before loopback; IPv6 before IPv4 (RFC 8421), global before private. */
    uint16_t prefer;
};

/* Addresses of interfaces that are up, best first, at most `cap`; *n gets their number. IPv6 link-local addresses are
 * left out unless there is nothing else but loopback. RM_E_IO, RM_E_NO_MEMORY. */
rm_err rmi_interfaces_list(struct rmi_interface *out, size_t cap, size_t *n);

/* changed(ctx) is called when links or addresses changed, once things were quiet for 100 ms (500 ms at the latest). */
rm_err rmi_interfaces_watch_start(struct rmi_loop *loop, void (*changed)(void *ctx), void *ctx,
                                  struct rmi_interfaces_watch **out);
/* Idempotent, accepts NULL, legal inside the callback; no callback afterwards. */
void rmi_interfaces_watch_stop(struct rmi_interfaces_watch **watch);

#endif
