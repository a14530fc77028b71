/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_H
#define RMRTC_H

#include <remotemedia/node.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXIT_USAGE 2 /* the command line is wrong */

struct command {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
};

extern const struct command cmd_demo, cmd_signal, cmd_join, cmd_load, cmd_send, cmd_control, cmd_execute, cmd_serve,
    cmd_bench, cmd_validate, cmd_nodes;

/* Adds the node types of a shared object. False with a message on standard error. */
bool load_nodes(rm_node_registry *registry, const char *path);

/* "HOST:PORT" or "[V6]:PORT" into its parts. False: malformed. */
bool parse_listen(const char *text, char *host, size_t host_size, unsigned short *port);
/* A whole decimal number in lo..hi. False otherwise, with a message that names the option. */
bool parse_number(const char *option, const char *text, long lo, long hi, long *out);
/* "WxH", even sides from the least up to 4096. False otherwise, with a message that names the option. */
bool parse_size(const char *option, const char *text, uint32_t least_width, uint32_t least_height, uint32_t *width,
                uint32_t *height);
/* A descriptor that becomes readable on SIGINT and SIGTERM, which are blocked for the process; -1 on failure. Call
 * before any thread starts. */
int open_signal_fd(void);

#endif
