/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_ICE_MUX_H
#define RMI_ICE_MUX_H

#include "net/addr.h"
#include "net/datagram.h"
#include <remotemedia/error.h>
#include <stddef.h>
#include <stdint.h>

/* Finds the peer of a datagram when ten peers share one socket: STUN requests by the local ufrag in USERNAME
 * ("local:remote", RFC 8445 7.2.2), STUN responses by the tag in their transaction id, everything else by (base,
 * source) that an authenticated check taught. Holds opaque owner pointers; never dereferences them. */
struct rmi_mux;

rm_err rmi_mux_create(struct rmi_mux **out);
void rmi_mux_destroy(struct rmi_mux **m);
/* RM_E_EXISTS: ufrag already registered. An owner may have several ufrags (restart). */
rm_err rmi_mux_add_ufrag(struct rmi_mux *m, const char *ufrag, void *owner);
void rmi_mux_remove_ufrag(struct rmi_mux *m, const char *ufrag);
rm_err rmi_mux_add_tag(struct rmi_mux *m, uint32_t tag, void *owner); /* RM_E_EXISTS */
/* Learn or move a source. At most 256 per owner; the oldest goes. */
rm_err rmi_mux_learn(struct rmi_mux *m, rmi_base_id base, const struct rmi_addr *from, void *owner);
/* Forget everything of an owner. */
void rmi_mux_remove_owner(struct rmi_mux *m, const void *owner);
/* NULL: nobody's; drop. */
void *rmi_mux_find(const struct rmi_mux *m, rmi_base_id base, const struct rmi_addr *from, const uint8_t *data,
                   size_t len);

#endif
