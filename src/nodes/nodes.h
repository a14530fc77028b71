/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_NODES_NODES_H
#define RMI_NODES_NODES_H

#include <remotemedia/node.h>

/* The built-in nodes; each is a file of its own. */
extern const rm_node_class rmi_node_pass_through, rmi_node_calculator, rmi_node_audio_gain, rmi_node_audio_level,
    rmi_node_silence_detector, rmi_node_audio_chunker, rmi_node_video_flip;
extern const rm_node_class rmi_node_video_scaler, rmi_node_video_format_converter, rmi_node_video_encoder,
    rmi_node_video_decoder, rmi_node_fast_resample, rmi_node_audio_mixer;
extern const rm_node_class rmi_node_background_blur, rmi_node_video_overlay;

/* Head of every class: version and size of the interface. */
#define RMI_NODE_CLASS_HEAD .abi_version = RM_NODE_ABI_VERSION, .struct_size = sizeof(rm_node_class)

#define RMI_NODE_PARAM_COUNT(params) (sizeof(params) / sizeof((params)[0]))

/* Streams that a node keeps apart by their stream id. */
#define RMI_NODE_STREAMS_MAX 16

struct rmi_node_streams {
    char ids[RMI_NODE_STREAMS_MAX][RM_STREAM_ID_MAX];
    size_t count;
    size_t next; /* the one that gives way when all are in use */
};

/* The slot of a stream (NULL: the one without an id). `*fresh`: it was not there; what the slot held belongs to a
 * stream that gave way, or to none. */
size_t rmi_node_stream(struct rmi_node_streams *streams, const char *id, bool *fresh);

#endif
