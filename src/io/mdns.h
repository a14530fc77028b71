/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_IO_MDNS_H
#define RMI_IO_MDNS_H

#include "net/addr.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RMI_MDNS_PORT 5353     /* RFC 6762 section 3 */
#define RMI_MDNS_NAME_MAX 253  /* RFC 1035 2.3.4: 255 octets on the wire, less the outer length and root octets */
#define RMI_MDNS_QUERY_MAX 300 /* header 12, name 255, type and class 4 for the second question 2 + 4 */

/* Whether `host` lies under .local (RFC 6762 section 3), any case, with or without a final dot. */
bool rmi_mdns_is_local(const char *host);

/* A one-shot query (RFC 6762 section 5.1) for A (family 4), AAAA (6) or both (0) of `host`. Returns its length, 0 when
 * the name cannot be written (an empty or over-long label, over-long name) or cap is too small. */
size_t rmi_mdns_query(const char *host, int family, uint16_t id, uint8_t *out, size_t cap);

/* Addresses for `host` in a response with this id (or 0), at most cap, in *n. RM_OK: at least one found.
 * RM_E_NOT_FOUND: a well-formed message without one. RM_E_PARSE: not a DNS response. Addresses that cannot be a peer's
 * are left out. */
rm_err rmi_mdns_parse(const uint8_t *data, size_t len, const char *host, int family, uint16_t id,
                      struct rmi_addr *addrs, size_t cap, size_t *n);

#endif
