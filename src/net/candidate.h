/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_NET_CANDIDATE_H
#define RMI_NET_CANDIDATE_H

#include "net/addr.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rmi_cand_type { RMI_CAND_HOST, RMI_CAND_SRFLX, RMI_CAND_PRFLX, RMI_CAND_RELAY };

#define RMI_FOUNDATION_MAX 32 /* RFC 8839 5.1: 1*32ice-char */
#define RMI_CAND_HOST_MAX 80  /* "<uuid>.local" is 42 */
#define RMI_CAND_TEXT_MAX 512

/* One candidate attribute (RFC 8839 section 5.1). */
struct rmi_candidate {
    char foundation[RMI_FOUNDATION_MAX + 1];
    uint32_t component;               /* 1..256; only 1 is used (rtcp-mux) */
    bool udp;                         /* false: another transport; parsed, and skipped by the agent */
    uint32_t priority;                /* 1..2^31-1 */
    struct rmi_addr addr;             /* family 0 while only a host name is known; port is always set */
    char hostname[RMI_CAND_HOST_MAX]; /* "" or a name such as "....local" (mDNS) */
    enum rmi_cand_type type;
    struct rmi_addr related; /* raddr/rport; family 0 = absent */
    char ufrag[257];         /* the ufrag extension (generation of ICE), "" = absent */
};

/* Accepts "candidate:...", "a=candidate:..." and either with a trailing CR/LF; unknown extensions are skipped.
 * RM_E_PARSE: malformed. RM_E_TOO_BIG: longer than RMI_CAND_TEXT_MAX. `text` need not be NUL-terminated. */
rm_err rmi_candidate_parse(const char *text, size_t len, struct rmi_candidate *out);
/* "candidate:..." with a NUL, no "a=". Returns its length, or 0 when cap is too small, or `c` is not a UDP candidate or
 * has no address. A host name stands in place of the address when there is one; a reflexive or relayed candidate
 * without a related address gets the undisclosed one of RFC 8839 5.1 (0.0.0.0 or ::, port 9). */
size_t rmi_candidate_write(const struct rmi_candidate *c, char *out, size_t cap);
const char *rmi_cand_type_name(enum rmi_cand_type type); /* "host" "srflx" "prflx" "relay" */
/* RFC 8445 5.1.2.1 with the recommended type preferences (host 126, prflx 110, srflx 100, relay 0). */
uint32_t rmi_candidate_priority(enum rmi_cand_type type, uint16_t local_pref, uint32_t component);

#endif
