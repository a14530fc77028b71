/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SESSION_GATHER_H
#define RMI_SESSION_GATHER_H

#include <stddef.h>
#include <stdint.h>

/* When a thread that serves several streams shall wake: what is due shortly after the first one is served with it, at
 * the last of these times, so that nothing is served before it is due, and each wake serves several. `due_us` are the
 * times of the next pull of each, RMI_NEVER of those that have none. One stream alone is served when it is due; the
 * more there are, the longer the first of a group may wait, up to RMI_GATHER_MAX_US. RMI_NEVER: none is due. */
#define RMI_GATHER_MAX_US 2000
int64_t rmi_gather(const int64_t *due_us, size_t count);

#endif
