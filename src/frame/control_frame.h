/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_FRAME_CONTROL_FRAME_H
#define RMI_FRAME_CONTROL_FRAME_H

#include "base/buf.h"
#include <remotemedia/transport_data.h>

/* The protobuf messages of the data channel "remotemedia-control": `ControlFrame` from the client, `ControlEvent` to
 * it. Both are plain values; data in them is owned: end them with their clear function. All zero is empty. */

#define RMI_CONTROL_ID_MAX 129     /* session, attachment, node, port: 128 bytes and a NUL; longer ones are refused */
#define RMI_CONTROL_DETAIL_MAX 513 /* sentences; longer ones are cut when written */

enum rmi_control_direction { RMI_CONTROL_IN = 1, RMI_CONTROL_OUT = 2 };
enum rmi_control_node_state { RMI_CONTROL_ENABLED = 1, RMI_CONTROL_BYPASS = 2, RMI_CONTROL_DISABLED = 3 };
enum rmi_control_decision { RMI_CONTROL_PASS = 1, RMI_CONTROL_REPLACE = 2, RMI_CONTROL_DROP = 3 };
enum rmi_control_error {
    RMI_CONTROL_ERROR_SESSION_NOT_FOUND = 1,
    RMI_CONTROL_ERROR_UNKNOWN_NODE = 2,
    RMI_CONTROL_ERROR_INVALID_ADDRESS = 3,
    RMI_CONTROL_ERROR_PROTOCOL = 4,
    RMI_CONTROL_ERROR_UNAUTHORIZED = 5,
    RMI_CONTROL_ERROR_INTERNAL = 6
};
enum rmi_control_close { RMI_CONTROL_CLOSE_NORMAL = 1, RMI_CONTROL_CLOSE_ERROR = 2 };

struct rmi_control_addr {
    char node_id[RMI_CONTROL_ID_MAX];
    char port[RMI_CONTROL_ID_MAX];        /* "": the main one */
    enum rmi_control_direction direction; /* 0: not said */
};

enum rmi_control_op { /* the numbers of the wire */
                      RMI_CONTROL_HELLO = 1,
                      RMI_CONTROL_SUBSCRIBE = 2,
                      RMI_CONTROL_UNSUBSCRIBE = 3,
                      RMI_CONTROL_PUBLISH = 4,
                      RMI_CONTROL_INTERCEPT = 5,
                      RMI_CONTROL_REMOVE_INTERCEPT = 6,
                      RMI_CONTROL_INTERCEPT_REPLY = 7,
                      RMI_CONTROL_SET_NODE_STATE = 8,
                      RMI_CONTROL_CLEAR_NODE_STATE = 9
};

struct rmi_control_frame {
    enum rmi_control_op op;
    char session_id[RMI_CONTROL_ID_MAX]; /* hello */
    char attach_id[RMI_CONTROL_ID_MAX];
    struct rmi_control_addr addr;           /* subscribe, unsubscribe, publish, intercept, remove intercept */
    rm_runtime_data *data;                  /* publish; reply that replaces. NULL otherwise */
    rm_metadata *metadata;                  /* of data; NULL: none */
    uint32_t deadline_ms;                   /* intercept; 0: the default, 50 ms */
    uint64_t correlation_id;                /* intercept reply */
    enum rmi_control_decision decision;     /* intercept reply */
    char node_id[RMI_CONTROL_ID_MAX];       /* set, clear node state */
    enum rmi_control_node_state node_state; /* set node state */
};

enum rmi_control_event_kind { /* the numbers of the wire */
                              RMI_CONTROL_EV_ATTACHED = 1,
                              RMI_CONTROL_EV_TAP = 2,
                              RMI_CONTROL_EV_INTERCEPT_REQUEST = 3,
                              RMI_CONTROL_EV_ERROR = 4,
                              RMI_CONTROL_EV_SESSION_CLOSED = 5
};

struct rmi_control_event {
    enum rmi_control_event_kind kind;
    char session_id[RMI_CONTROL_ID_MAX]; /* attached */
    char attach_id[RMI_CONTROL_ID_MAX];
    struct rmi_control_addr addr;        /* tap, intercept request; error: node_id "" when there is none */
    rm_runtime_data *data;               /* tap, intercept request */
    rm_metadata *metadata;               /* of data; NULL: none */
    uint64_t correlation_id;             /* intercept request */
    enum rmi_control_error error;        /* error */
    enum rmi_control_close reason;       /* session closed */
    char detail[RMI_CONTROL_DETAIL_MAX]; /* error, session closed */
};

/* RM_E_PARSE: no such message, none or several of the kinds in it, a number that stands for nothing, or data that is
 * refused; and what rmi_data_buffer_read gives. `out` is overwritten, and empty on an error. */
rm_err rmi_control_frame_read(const uint8_t *bytes, size_t len, struct rmi_control_frame *out);
rm_err rmi_control_event_read(const uint8_t *bytes, size_t len, struct rmi_control_event *out);
/* RM_E_INVALID_ARG: a kind that is none, or without its data; RM_E_NO_MEMORY. */
rm_err rmi_control_frame_write(const struct rmi_control_frame *frame, struct rmi_buf **out);
rm_err rmi_control_event_write(const struct rmi_control_event *event, struct rmi_buf **out);
void rmi_control_frame_clear(struct rmi_control_frame *frame);
void rmi_control_event_clear(struct rmi_control_event *event);

#endif
