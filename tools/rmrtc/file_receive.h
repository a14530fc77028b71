/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_FILE_RECEIVE_H
#define RMRTC_FILE_RECEIVE_H

#include <remotemedia/webrtc_data.h>

/* Files that peers send (file_wire.h) into a directory: under their own name when that is safe and free, whole or not
 * at all. Written by a thread of its own; a disk that is slow pauses the channel. */
struct file_receiver;

#define FILE_SIZE_MAX_DEFAULT ((uint64_t)4 << 30)

/* RM_E_IO: the directory cannot be used; RM_E_NO_MEMORY. `detail` says why. */
rm_err file_receiver_create(const char *directory, uint64_t size_max, struct file_receiver **out, char *detail,
                            size_t detail_size);
/* Before the first of those below. */
void file_receiver_start(struct file_receiver *r, rm_webrtc *t);
/* A message of a channel labelled FILE_CHANNEL; in on_channel_data. */
void file_receiver_data(struct file_receiver *r, const char *peer_id, uint16_t channel, bool binary,
                        const uint8_t *data, size_t size);
void file_receiver_event(struct file_receiver *r, const rm_event *ev); /* of any type */
/* Unfinished files are removed. Before the transport is destroyed, which may go on calling until then. */
void file_receiver_stop(struct file_receiver *r);
void file_receiver_destroy(struct file_receiver **r);

#endif
