/* SPDX-License-Identifier: Apache-2.0 */
#include "webrtc/server_url.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define DEFAULT_PORT 3478

static bool copy(char *out, size_t cap, const char *from, size_t n) {
    if (n >= cap)
        return false;
    memcpy(out, from, n);
    out[n] = '\0';
    return true;
}

static bool parse_port(const char *text, const char *end, uint16_t *out) {
    uint32_t v = 0;
    if (text == end || end - text > 5)
        return false;
    for (; text < end; text++) {
        if (*text < '0' || *text > '9')
            return false;
        v = v * 10 + (uint32_t)(*text - '0');
    }
    *out = (uint16_t)v;
    return v >= 1 && v <= 65535;
}

/* HOST, HOST:PORT, [IPV6] or [IPV6]:PORT between text and end. */
static bool parse_host(const char *text, const char *end, struct rmi_server_url *out) {
    const char *host = text, *host_end, *port = NULL;
    if (text >= end)
        return false;
    if (*text == '[') {
        host = text + 1;
        host_end = memchr(host, ']', (size_t)(end - host));
        if (!host_end)
            return false;
        if (host_end + 1 < end) {
            if (host_end[1] != ':')
                return false;
            port = host_end + 2;
        }
    } else {
        host_end = memchr(text, ':', (size_t)(end - text));
        if (host_end)
            port = host_end + 1;
        else
            host_end = end;
    }
    out->port = DEFAULT_PORT;
    if (host_end == host || !copy(out->host, sizeof out->host, host, (size_t)(host_end - host)))
        return false;
    return !port || parse_port(port, end, &out->port);
}

rm_err rmi_stun_url_parse(const char *text, struct rmi_server_url *out) {
    memset(out, 0, sizeof *out);
    if (!text)
        return RM_E_PARSE;
    if (!strncmp(text, "stuns:", 6))
        return RM_E_UNSUPPORTED;
    if (strncmp(text, "stun:", 5))
        return RM_E_PARSE;
    text += 5;
    return parse_host(text, text + strlen(text), out) ? RM_OK : RM_E_PARSE;
}

rm_err rmi_turn_url_parse(const char *text, struct rmi_server_url *out) {
    memset(out, 0, sizeof *out);
    if (!text)
        return RM_E_PARSE;
    if (!strncmp(text, "turns:", 6))
        return RM_E_UNSUPPORTED;
    if (strncmp(text, "turn:", 5))
        return RM_E_PARSE;
    text += 5;
    const char *end = text + strlen(text), *query = strchr(text, '?');
    if (query) {
        if (strcmp(query, "?transport=udp"))
            return strncmp(query, "?transport=", 11) ? RM_E_PARSE : RM_E_UNSUPPORTED;
        end = query;
    }
    const char *at = NULL; /* the last one: a password may contain @ */
    for (const char *p = text; p < end; p++)
        if (*p == '@')
            at = p;
    if (at) {
        const char *colon = memchr(text, ':', (size_t)(at - text));
        if (!colon || colon == text || !copy(out->username, sizeof out->username, text, (size_t)(colon - text)) ||
            !copy(out->password, sizeof out->password, colon + 1, (size_t)(at - colon - 1)))
            return RM_E_PARSE;
        text = at + 1;
    }
    return parse_host(text, end, out) ? RM_OK : RM_E_PARSE;
}
