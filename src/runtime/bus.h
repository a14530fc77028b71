/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RUNTIME_BUS_H
#define RMI_RUNTIME_BUS_H

#include "base/list.h"
#include <pthread.h>
#include <remotemedia/bus.h>
#include <remotemedia/transport_data.h>
#include <stdatomic.h>

struct rmi_run_node;

enum rmi_bus_side { RMI_BUS_IN = 1, RMI_BUS_OUT = 2 }; /* bits of rmi_run_node.watch */

#define RMI_BUS_PORT_MAX 64 /* bytes, as of the envelope (frame/aux_port.c) */

/* Of a session. */
struct rmi_bus {
    pthread_mutex_t mutex; /* taken before that of a tap, never together with the session's */
    struct rmi_list taps;
    size_t count;
    bool closed;
};

/* Where a topic points. */
struct rmi_bus_address {
    struct rmi_run_node *node;
    enum rmi_bus_side side;
    const char *port; /* "": the main one */
};

rm_err rmi_bus_init(struct rmi_bus *bus);
void rmi_bus_fini(struct rmi_bus *bus);
/* Taps end; nobody waits for an answer any more. Not under the session's mutex. */
void rmi_bus_close(struct rm_stream_session *s);
/* RM_E_INVALID_ARG: malformed; RM_E_NOT_FOUND: no such node. The port points into `topic`. */
rm_err rmi_bus_address(struct rm_stream_session *s, const char *topic, struct rmi_bus_address *out);
/* The same before there is a session. */
rm_err rmi_bus_check_topic(const struct rm_manifest *m, const char *topic, enum rmi_bus_side *side);
struct rmi_run_node *rmi_bus_node(const struct rm_stream_session *s, const char *id);

/* Shows an item to those who look at this side of the node, after an intercept has decided. False: dropped. Otherwise
 * item->data may be another now. Only when node->watch has the side's bit. */
bool rmi_bus_show(struct rmi_run_node *n, enum rmi_bus_side side, rm_transport_data *item);

#endif
