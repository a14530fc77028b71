/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_BASE_ERR_H
#define RMI_BASE_ERR_H

#include <remotemedia/error.h>

/* The error with this name ("RM_E_TIMEOUT"), as peers tell each other why they end a connection; `otherwise` for any
 * other text, RM_OK's name included. */
rm_err rmi_err_by_name(const char *name, rm_err otherwise);

#endif
