/* SPDX-License-Identifier: Apache-2.0 */
/* A node from a shared object, as a user writes it: texts in capitals. */
#include <ctype.h>
#include <remotemedia/node.h>
#include <stdlib.h>
#include <string.h>

static rm_err create(rm_node_context *context, const rm_node_params *params, void **state) {
    (void)context;
    const char *suffix = rm_node_params_string(params, "suffix", "");
    *state = strdup(suffix);
    return *state ? RM_OK : RM_E_NO_MEMORY;
}

static rm_err process(void *state, rm_node_context *context, rm_runtime_data *input) {
    const char *suffix = state;
    const rm_text *text = rm_runtime_data_text(input);
    rm_runtime_data *output = NULL;
    size_t extra = strlen(suffix);
    char *shout = malloc(text->size + extra);
    if (!shout)
        return RM_E_NO_MEMORY;
    for (size_t i = 0; i < text->size; i++)
        shout[i] = (char)toupper((unsigned char)text->text[i]);
    memcpy(shout + text->size, suffix, extra);
    rm_err err = rm_runtime_data_create_text(shout, text->size + extra, NULL, &output);
    free(shout);
    return err ? err : rm_node_emit(context, output);
}

static const rm_node_param params[] = {
    {.name = "suffix", .type = RM_PARAM_STRING, .default_json = "\"!\"", .summary = "what follows each text"}};

static const rm_node_class shout = {.abi_version = RM_NODE_ABI_VERSION,
                                    .struct_size = sizeof(rm_node_class),
                                    .name = "ShoutNode",
                                    .summary = "texts in capitals",
                                    .accepts = "text",
                                    .params = params,
                                    .param_count = 1,
                                    .create = create,
                                    .process = process,
                                    .destroy = free};

RM_NODE_EXPORT const rm_node_class *const *rm_node_plugin(uint32_t abi_version, size_t *count);

const rm_node_class *const *rm_node_plugin(uint32_t abi_version, size_t *count) {
    static const rm_node_class *const classes[] = {&shout};
    *count = sizeof classes / sizeof classes[0];
    return abi_version == RM_NODE_ABI_VERSION ? classes : NULL;
}
