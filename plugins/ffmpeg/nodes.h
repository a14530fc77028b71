/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMF_NODES_H
#define RMF_NODES_H

#include <remotemedia/node.h>

extern const rm_node_class rmf_media_reader;
extern const rm_node_class rmf_media_writer;

#endif
