/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_BASE_TIME_H
#define RMI_BASE_TIME_H

#include <stdint.h>

/* Times are microseconds on a monotonic clock that the caller hands in. */
#define RMI_MS(n) ((int64_t)(n)*1000)
#define RMI_SEC(n) ((int64_t)(n)*1000000)
/* "No deadline": later than any other time. */
#define RMI_NEVER INT64_MAX

static inline int64_t rmi_min64(int64_t a, int64_t b) {
    return a < b ? a : b;
}
static inline int64_t rmi_max64(int64_t a, int64_t b) {
    return a > b ? a : b;
}

#endif
