/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/access.h"

#include "signaling/dialect.h"
#include <stdlib.h>
#include <string.h>

/* The next entry of *rest, not terminated; false at the end. An empty list has none, an empty entry is one. */
static bool next_entry(const char **rest, const char **entry, size_t *len) {
    if (!*rest || !**rest)
        return false;
    *entry = *rest;
    *len = strcspn(*rest, ",");
    const char *after = *rest + *len;
    *rest = *after ? after + 1 : NULL;
    return true;
}

static bool is(const char *entry, size_t len, const char *text) {
    return strlen(text) == len && !memcmp(entry, text, len);
}

static bool valid(const char *entry, size_t len) {
    char id[RMI_SIG_MAX_ID + 1];
    if (len > RMI_SIG_MAX_ID)
        return false;
    memcpy(id, entry, len);
    id[len] = '\0';
    return !strcmp(id, "*") || rmi_sig_id_valid(id);
}

rm_err rmi_access_check(const char *list, size_t *entry) {
    const char *at;
    size_t len;
    rm_err err = RM_OK;
    *entry = 0;
    while (!err && next_entry(&list, &at, &len)) {
        ++*entry;
        if (!valid(at, len))
            err = RM_E_INVALID_ARG;
    }
    return err ? err : *entry > RMI_ACCESS_IDS_MAX ? RM_E_LIMIT : RM_OK;
}

rm_err rmi_access_set(struct rmi_access *a, const char *allowed, const char *denied) {
    size_t entry;
    struct rmi_access copy = {0};
    rm_err err = rmi_access_check(allowed, &entry);
    if (!err)
        err = rmi_access_check(denied, &entry);
    if (err)
        return err;
    if ((allowed && !(copy.allowed = strdup(allowed))) || (denied && !(copy.denied = strdup(denied)))) {
        rmi_access_fini(&copy);
        return RM_E_NO_MEMORY;
    }
    rmi_access_fini(a);
    *a = copy;
    return RM_OK;
}

void rmi_access_fini(struct rmi_access *a) {
    free(a->allowed);
    free(a->denied);
    *a = (struct rmi_access){0};
}

static bool has(const char *list, const char *peer_id) {
    const char *at;
    size_t len;
    while (next_entry(&list, &at, &len))
        if (is(at, len, peer_id) || is(at, len, "*"))
            return true;
    return false;
}

bool rmi_access_permits(const struct rmi_access *a, const char *peer_id) {
    return (!a->allowed || has(a->allowed, peer_id)) && !has(a->denied, peer_id);
}
