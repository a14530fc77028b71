/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_IO_SOCKADDR_H
#define RMI_IO_SOCKADDR_H

#include "net/addr.h"
#include <sys/socket.h>

/* Fills the system's structure; returns its length, 0 for an address without a family. */
socklen_t rmi_addr_to_sockaddr(const struct rmi_addr *a, struct sockaddr_storage *out);
/* Family 0 for anything but IPv4 and IPv6; an IPv4-mapped address becomes IPv4. */
struct rmi_addr rmi_addr_from_sockaddr(const struct sockaddr *sa);

#endif
