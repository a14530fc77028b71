/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_WEB_FILES_H
#define RMRTC_WEB_FILES_H

#include "webrtc/signaling_host.h"

/* The files of web/, written into the program by cmake/embed.cmake. */
extern const struct rmi_web_file web_files[];
extern const size_t web_file_n;

#endif
