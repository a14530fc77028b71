/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_NODES_AUDIO_EVENT_H
#define RMI_NODES_AUDIO_EVENT_H

#include <jansson.h>
#include <remotemedia/node.h>

/* RemoteMedia's floor for the level of digital silence. */
#define RMI_AUDIO_EVENT_FLOOR_DB (-120.0)

/* Root mean square and peak of an audio chunk in dB below full scale. */
void rmi_audio_event_levels(const rm_audio *audio, double *rms_db, double *peak_db);
/* Emits `event` (a reference that is taken; NULL: no memory) as JSON with `_schema`, and the input's stream id and
 * time; then, with pass_audio, the input. */
rm_err rmi_audio_event_emit(rm_node_context *context, rm_runtime_data *input, const char *schema, json_t *event,
                            bool pass_audio);

#endif
