/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_FILE_SEND_H
#define RMRTC_FILE_SEND_H

#include "peer_link.h"

/* Connects, sends a file and waits for its confirmation. The error is told on standard error. */
rm_err file_send(struct peer_link *l, const char *url, const char *peer, const char *path, const char *mime_type);

#endif
