/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_FRAME_JSON_FIELDS_H
#define RMI_FRAME_JSON_FIELDS_H

#include "base/buf.h"
#include <jansson.h>
#include <remotemedia/data.h>

/* Members of one JSON object, read one after the other. The first fault stays: later reads give neutral values and do
 * nothing, so that a whole object is read without a branch for each member. Null counts as absent. */
struct rmi_fields {
    const json_t *object;
    const char *path; /* of the object, for messages */
    char *detail;
    size_t detail_size;
    rm_err err;
};

/* Notes "path.member: ..." unless there is a fault already. */
void rmi_fields_fail(struct rmi_fields *f, const char *member, const char *format, ...) RM_PRINTF(3, 4);
/* NULL: not there. */
json_t *rmi_fields_get(const struct rmi_fields *f, const char *member);
int64_t rmi_fields_int(struct rmi_fields *f, const char *member, int64_t low, int64_t high);
/* 0..INT64_MAX, or RM_NO_VALUE when absent. */
int64_t rmi_fields_optional(struct rmi_fields *f, const char *member);
bool rmi_fields_bool(struct rmi_fields *f, const char *member);
/* Without NULs inside, never NULL. */
const char *rmi_fields_text(struct rmi_fields *f, const char *member);
const char *rmi_fields_optional_text(struct rmi_fields *f, const char *member);
/* An array of whole numbers 0..255. NULL after a fault; else the caller owns it. */
rm_buf *rmi_fields_bytes(struct rmi_fields *f, const char *member);
/* An array of numbers, as floats. */
rm_buf *rmi_fields_floats(struct rmi_fields *f, const char *member);
/* Up to RM_DIMS_MAX whole numbers; gives their count. */
size_t rmi_fields_list(struct rmi_fields *f, const char *member, int64_t low, int64_t high,
                       int64_t values[RM_DIMS_MAX]);
/* The value itself may be such an array. `member` is only its name. */
rm_buf *rmi_fields_bytes_of(struct rmi_fields *f, const char *member, const json_t *array);

#endif
