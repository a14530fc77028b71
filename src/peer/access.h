/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_PEER_ACCESS_H
#define RMI_PEER_ACCESS_H

#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>

/* Whom an endpoint connects with: lists of peer ids, separated by commas; "*" in one means everybody. */

#define RMI_ACCESS_IDS_MAX 256 /* as many as a room of the signaling server holds at most */

struct rmi_access {
    char *allowed; /* NULL: everybody; "": nobody */
    char *denied;  /* NULL: nobody; goes before `allowed` */
};

/* RM_E_INVALID_ARG: entry *entry (from 1) is neither "*" nor an id. RM_E_LIMIT: *entry ids. NULL and "" are fine. */
rm_err rmi_access_check(const char *list, size_t *entry);
/* Copies both. RM_E_NO_MEMORY or as above: `a` is unchanged. */
rm_err rmi_access_set(struct rmi_access *a, const char *allowed, const char *denied);
void rmi_access_fini(struct rmi_access *a);
bool rmi_access_permits(const struct rmi_access *a, const char *peer_id);

#endif
