/* SPDX-License-Identifier: Apache-2.0 */
#include "io/mdns.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first half of the input up to a NUL is the name asked for, the rest the message; "a.local" where there is none.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char host[RMI_MDNS_NAME_MAX + 2] = "a.local";
    const uint8_t *nul = size > 0 ? memchr(data, 0, size) : NULL;
    size_t name_len = nul ? (size_t)(nul - data) : 0;
    if (name_len > 0 && name_len < sizeof host) {
        memcpy(host, data, name_len + 1);
        data += name_len + 1;
        size -= name_len + 1;
    }
    uint8_t query[RMI_MDNS_QUERY_MAX];
    struct rmi_addr addrs[4];
    for (int family = 0; family <= 6; family += family ? 2 : 4) {
        size_t n = 0;
        rm_err err = rmi_mdns_parse(data, size, host, family, 0, addrs, 4, &n);
        if (n > 4 || (err == RM_OK) != (n > 0))
            abort();
        for (size_t i = 0; i < n; i++)
            if ((family != 0 && addrs[i].family != family) || rmi_addr_classify(&addrs[i]) == RMI_ADDR_UNUSABLE)
                abort();
        size_t len = rmi_mdns_query(host, family, 1, query, sizeof query);
        /* A query is never taken for an answer. */
        if (len > 0 && rmi_mdns_parse(query, len, host, family, 1, addrs, 4, &n) != RM_E_PARSE)
            abort();
    }
    (void)rmi_mdns_is_local(host);
    return 0;
}
