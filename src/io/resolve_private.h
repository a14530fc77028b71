/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_IO_RESOLVE_PRIVATE_H
#define RMI_IO_RESOLVE_PRIVATE_H

#include "io/resolve.h"

/* rmi_resolve for a .local name with the multicast group replaced by `server` (tests). */
rm_err rmi_resolve_mdns(struct rmi_loop *loop, const char *host, uint16_t port, int family, rmi_resolve_fn fn,
                        void *ctx, int64_t timeout_us, const struct rmi_addr *server, struct rmi_resolve **handle);

#endif
