/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_IO_RESOLVE_H
#define RMI_IO_RESOLVE_H

#include "net/addr.h"
#include <remotemedia/error.h>
#include <stddef.h>
#include <stdint.h>

struct rmi_loop;
struct rmi_resolve;

#define RMI_RESOLVE_MAX 16 /* addresses handed out for one name */

/* RM_OK with n >= 1 addresses (port filled in, the resolver's order), or RM_E_RESOLVE / RM_E_TIMEOUT with n = 0. The
 * handle has become NULL before the call. `addrs` is valid during the call. */
typedef void (*rmi_resolve_fn)(void *ctx, rm_err err, const struct rmi_addr *addrs, size_t n);

/* Look up a name or numeric address; family 4, 6 or 0 for both. Never blocks; the callback comes exactly once, from a
 * later turn of the loop, unless rmi_resolve_cancel came first. Names under .local are asked for by multicast DNS (RFC
 * 6762 section 5.1) and end in RM_E_RESOLVE when nobody answers within one second (or timeout_us, if shorter).
 * *handle is written here and cleared before the callback, so it must stay valid until then.
 * RM_E_INVALID_ARG (empty or over-long name), RM_E_NO_MEMORY, RM_E_IO: no callback comes. */
rm_err rmi_resolve(struct rmi_loop *loop, const char *host, uint16_t port, int family, rmi_resolve_fn fn, void *ctx,
                   int64_t timeout_us, struct rmi_resolve **handle);
/* No callback afterwards. Idempotent, accepts NULL. */
void rmi_resolve_cancel(struct rmi_resolve **handle);

#endif
