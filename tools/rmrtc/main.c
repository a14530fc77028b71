/* SPDX-License-Identifier: Apache-2.0 */
#include "rmrtc.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>

#define SIDE_MAX 4096 /* of a test picture */

static const struct command *const commands[] = {&cmd_demo,  &cmd_signal,   &cmd_join,    &cmd_load,
                                                 &cmd_send,  &cmd_control,  &cmd_execute, &cmd_serve,
                                                 &cmd_bench, &cmd_validate, &cmd_nodes};

static void usage(FILE *out) {
    fprintf(out, "usage: rmrtc COMMAND [OPTIONS]\n\ncommands:\n");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        fprintf(out, "  %-9s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(out, "\n`rmrtc COMMAND --help` lists a command's options.\n"
                 "Environment: RM_LOG sets log levels, e.g. RM_LOG=info,ice:debug\n"
                 "Try `rmrtc demo`, or in three terminals:\n"
                 "  rmrtc signal\n"
                 "  rmrtc join ws://127.0.0.1:8080/ws --pipeline FILE\n"
                 "  rmrtc join ws://127.0.0.1:8080/ws --publish test\n");
}

bool parse_listen(const char *text, char *host, size_t host_size, unsigned short *port) {
    const char *colon = strrchr(text, ':');
    long number;
    if (!colon || colon == text || !parse_number("--listen", colon + 1, 0, 65535, &number))
        return false;
    size_t n = (size_t)(colon - text);
    if (text[0] == '[' && text[n - 1] == ']') {
        text++;
        n -= 2;
    }
    if (n >= host_size)
        return false;
    memcpy(host, text, n);
    host[n] = '\0';
    *port = (unsigned short)number;
    return true;
}

bool parse_number(const char *option, const char *text, long lo, long hi, long *out) {
    char *end;
    errno = 0;
    long v = strtol(text, &end, 10);
    if (errno || end == text || *end || v < lo || v > hi) {
        fprintf(stderr, "rmrtc: %s: \"%s\" is not a number from %ld to %ld\n", option, text, lo, hi);
        return false;
    }
    *out = v;
    return true;
}

bool parse_size(const char *option, const char *text, uint32_t least_width, uint32_t least_height, uint32_t *width,
                uint32_t *height) {
    unsigned w, h;
    char end;
    if (sscanf(text, "%4ux%4u%c", &w, &h, &end) == 2 && w >= least_width && h >= least_height && w <= SIDE_MAX &&
        h <= SIDE_MAX && w % 2 == 0 && h % 2 == 0) {
        *width = w;
        *height = h;
        return true;
    }
    fprintf(stderr, "rmrtc: %s: \"%s\" is not WxH with even sides from %ux%u to %dx%d\n", option, text, least_width,
            least_height, SIDE_MAX, SIDE_MAX);
    return false;
}

int open_signal_fd(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &set, NULL))
        return -1;
    return signalfd(-1, &set, SFD_CLOEXEC);
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN); /* a closed pipe or socket is an error return, not the end */
    if (argc < 2) {
        usage(stderr);
        return EXIT_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        usage(stdout);
        return EXIT_SUCCESS;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (!strcmp(argv[1], commands[i]->name))
            return commands[i]->run(argc - 1, argv + 1);
    fprintf(stderr, "rmrtc: there is no command \"%s\"\n\n", argv[1]);
    usage(stderr);
    return EXIT_USAGE;
}
