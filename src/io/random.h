/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_IO_RANDOM_H
#define RMI_IO_RANDOM_H

#include "base/rng.h"

/* The system's cryptographic generator (getrandom). Stateless: copies are equal, any thread. */
struct rmi_rng rmi_system_rng(void);

#endif
