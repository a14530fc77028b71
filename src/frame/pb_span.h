/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_FRAME_PB_SPAN_H
#define RMI_FRAME_PB_SPAN_H

#include "base/buf.h"
#include <pb_decode.h>
#include <pb_encode.h>
#include <remotemedia/transport_data.h>

/* How nanopb's messages hold what has no fixed size: texts and bytes as a place in the message that is read, or in what
 * is written; so nothing is allocated for them, however long they claim to be. data NULL: absent. */
struct rmi_pb_span {
    const uint8_t *data;
    size_t len;
};

struct rmi_pb_pair {
    struct rmi_pb_span key, value;
};

#define RMI_PB_EXTRAS_MAX 16

/* Metadata with, apart, the pairs that are ours: keys that begin with "rm.". Of those only the ones of a known name are
 * kept when a message is read (`names`, ended by NULL); what else begins so is like any other. */
struct rmi_pb_metadata {
    rm_metadata *values; /* owned by whoever reads; borrowed when written, where NULL is none */
    const char *const *names;
    struct rmi_pb_pair extras[RMI_PB_EXTRAS_MAX]; /* read: in the order of `names`; written: those that have a key */
    rm_err err;                                   /* why it was refused, when it was that */
};

/* The callbacks that the generated code names. */
bool rmi_pb_span_field(pb_istream_t *in, pb_ostream_t *out, const pb_field_iter_t *field);
bool rmi_pb_metadata_field(pb_istream_t *in, pb_ostream_t *out, const pb_field_iter_t *field);

/* A whole message into a zeroed struct; spans in it lead into `bytes`. RM_E_PARSE. */
rm_err rmi_pb_read(const uint8_t *bytes, size_t len, const pb_msgdesc_t *type, void *message);
/* RM_E_NO_MEMORY. */
rm_err rmi_pb_write(const pb_msgdesc_t *type, const void *message, struct rmi_buf **out);

/* A text, NULL or "": absent. */
struct rmi_pb_span rmi_pb_text(const char *text);
/* Copies a text, with a NUL. False: longer than size - 1, not UTF-8, or a NUL in it; absent is "". */
bool rmi_pb_copy_text(struct rmi_pb_span span, char *out, size_t size);

#endif
