/* SPDX-License-Identifier: Apache-2.0 */
#include "io/sockaddr.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

socklen_t rmi_addr_to_sockaddr(const struct rmi_addr *a, struct sockaddr_storage *out) {
    if (a->family == 4) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};
        memcpy(&in.sin_addr, a->ip, sizeof in.sin_addr);
        memcpy(out, &in, sizeof in);
        return sizeof in;
    }
    if (a->family == 6) {
        struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = htons(a->port), .sin6_scope_id = a->scope};
        memcpy(&in.sin6_addr, a->ip, sizeof in.sin6_addr);
        memcpy(out, &in, sizeof in);
        return sizeof in;
    }
    return 0;
}

struct rmi_addr rmi_addr_from_sockaddr(const struct sockaddr *sa) {
    struct rmi_addr a = {0};
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof in);
        a = rmi_addr_from_bytes((const uint8_t *)&in.sin_addr, sizeof in.sin_addr, ntohs(in.sin_port));
    } else if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, sa, sizeof in);
        a = rmi_addr_from_bytes((const uint8_t *)&in.sin6_addr, sizeof in.sin6_addr, ntohs(in.sin6_port));
        if (a.family == 6)
            a.scope = in.sin6_scope_id;
    }
    return a;
}
