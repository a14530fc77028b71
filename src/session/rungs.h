/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SESSION_RUNGS_H
#define RMI_SESSION_RUNGS_H

#define RMI_RUNGS_MAX 4 /* qualities in which a source is encoded at one time */
#define RMI_RUNG_NONE (-1)

#endif
