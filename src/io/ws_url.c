/* SPDX-License-Identifier: Apache-2.0 */
#include "io/ws_url.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PORT_WS 80 /* RFC 6455 section 3 */
#define PORT_WSS 443
#define PORT_MAX 65535

static bool copy(char *out, size_t cap, const char *from, size_t n) {
    if (n == 0 || n >= cap)
        return false;
    memcpy(out, from, n);
    out[n] = '\0';
    return true;
}

/* Anything else in a URL is percent-encoded; a line break would let it write request headers of its own. */
static bool is_clean(const char *text) {
    for (; *text; text++)
        if (*text <= ' ' || *text >= 0x7f || *text == '#')
            return false;
    return true;
}

static bool parse_port(const char *text, size_t n, uint16_t *port) {
    unsigned value = 0;
    if (n == 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text[i] - '0');
        if (value > PORT_MAX)
            return false;
    }
    *port = (uint16_t)value;
    return value != 0;
}

/* "host", "host:port", "[v6]" or "[v6]:port" */
static bool parse_authority(const char *text, size_t n, struct rmi_ws_url *out) {
    const char *end = text + n;
    const char *after;
    if (memchr(text, '@', n))
        return false;
    if (n > 0 && *text == '[') {
        const char *close = memchr(text, ']', n);
        if (!close || !copy(out->host, sizeof out->host, text + 1, (size_t)(close - text) - 1))
            return false;
        out->is_ipv6 = true;
        after = close + 1;
    } else {
        const char *colon = memchr(text, ':', n);
        after = colon ? colon : end;
        if (!copy(out->host, sizeof out->host, text, (size_t)(after - text)))
            return false;
    }
    if (after == end)
        return true;
    return *after == ':' && parse_port(after + 1, (size_t)(end - after) - 1, &out->port);
}

rm_err rmi_ws_url_parse(const char *text, struct rmi_ws_url *out) {
    *out = (struct rmi_ws_url){0};
    if (!text || !is_clean(text))
        return RM_E_CONFIG;
    if (strncasecmp(text, "ws://", 5) == 0)
        text += 5;
    else if (strncasecmp(text, "wss://", 6) == 0) {
        text += 6;
        out->tls = true;
    } else {
        return RM_E_CONFIG;
    }
    uint16_t standard = out->tls ? PORT_WSS : PORT_WS;
    out->port = standard;
    size_t n = strcspn(text, "/?");
    if (!parse_authority(text, n, out))
        return RM_E_CONFIG;
    text += n;
    int len = snprintf(out->path, sizeof out->path, "%s%s", *text == '/' ? "" : "/", text);
    if (len < 0 || (size_t)len >= sizeof out->path)
        return RM_E_CONFIG;
    len = snprintf(out->header, sizeof out->header, out->is_ipv6 ? "[%s]" : "%s", out->host);
    if (out->port != standard)
        snprintf(out->header + len, sizeof out->header - (size_t)len, ":%u", out->port);
    return RM_OK;
}
