/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/nodes.h"
#include "runtime/registry.h"

static const rm_node_class *const classes[] = {
    &rmi_node_pass_through,  &rmi_node_calculator,       &rmi_node_audio_gain,
    &rmi_node_audio_level,   &rmi_node_silence_detector, &rmi_node_audio_chunker,
    &rmi_node_video_flip,    &rmi_node_video_scaler,     &rmi_node_video_format_converter,
    &rmi_node_video_encoder, &rmi_node_video_decoder,    &rmi_node_fast_resample,
    &rmi_node_audio_mixer,   &rmi_node_background_blur,  &rmi_node_video_overlay,
};

rm_err rm_node_registry_create(rm_node_registry **out) {
    rm_node_registry *registry = NULL;
    if (!out)
        return RM_E_INVALID_ARG;
    rm_err err = rmi_registry_create(&registry);
    for (size_t i = 0; !err && i < sizeof classes / sizeof classes[0]; i++)
        err = rm_node_registry_add(registry, classes[i], NULL, 0);
    if (err)
        rm_node_registry_destroy(&registry);
    else
        *out = registry;
    return err;
}
