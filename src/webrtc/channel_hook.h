/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_WEBRTC_CHANNEL_HOOK_H
#define RMI_WEBRTC_CHANNEL_HOOK_H

#include <remotemedia/data.h>
#include <remotemedia/webrtc.h>

/* Data channels that the library itself listens to, by label. All functions are called on the network thread, without a
 * lock held, may be NULL, and may call what webrtc_data.h has: a reader that is full pauses the channel. Hooks of the
 * same label are asked in the order in which they came. */
struct rmi_channel_hook {
    const char *label; /* a constant; NULL: every label of which there is no other hook */
    void (*open)(void *ctx, const char *peer_id, uint16_t channel, const char *label, const char *protocol);
    /* As it came. True: done with it, false: it goes on to `message` and to the application. */
    bool (*data)(void *ctx, const char *peer_id, uint16_t channel, bool binary, const uint8_t *data, size_t size);
    /* In RemoteMedia's form, read already. True: done with it. */
    bool (*message)(void *ctx, const char *peer_id, uint16_t channel, rm_runtime_data *message);
    void (*writable)(void *ctx, const char *peer_id, uint16_t channel); /* there is room after RM_E_AGAIN */
    void (*closed)(void *ctx, const char *peer_id, uint16_t channel);   /* for each open; the connection's end, too */
    void *ctx;
};

#define RMI_CHANNEL_HOOKS_MAX 8

/* Before rm_webrtc_start. RM_E_LIMIT. */
rm_err rmi_webrtc_hook_channels(struct rm_webrtc *t, const struct rmi_channel_hook *hook);

#endif
