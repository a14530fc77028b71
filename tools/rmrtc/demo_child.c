/* SPDX-License-Identifier: Apache-2.0 */
#include "demo.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_BYTES 4096
#define LINE_MAX_BYTES (1024 * 1024) /* a room of 64 peers is far below */
#define EXIT_NOT_STARTED 127         /* as a shell says it */

static void become(const char *const *argv, const int *write_end, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) /* it was killed before the line above */
        _exit(EXIT_NOT_STARTED);
    setpgid(0, 0); /* Ctrl-C comes to the parent alone, which ends its children in order */
    if (dup2(write_end[DEMO_OUT], STDOUT_FILENO) < 0 || dup2(write_end[DEMO_ERR], STDERR_FILENO) < 0)
        _exit(EXIT_NOT_STARTED);
    execv("/proc/self/exe", (char *const *)(const void *)argv);
    _exit(EXIT_NOT_STARTED);
}

static bool open_pipes(struct demo_child *c, int *write_end) {
    int ends[2];
    for (int i = 0; i < DEMO_PIPES; i++) {
        if (pipe2(ends, O_CLOEXEC))
            return false;
        c->pipes[i].fd = ends[0];
        write_end[i] = ends[1];
        fcntl(ends[0], F_SETFL, O_NONBLOCK);
    }
    return true;
}

bool demo_child_start(struct demo_child *c, const char *const *argv) {
    int write_end[DEMO_PIPES] = {-1, -1};
    *c = (struct demo_child){.started = true, .pipes = {{.fd = -1}, {.fd = -1}}};
    pid_t parent = getpid(), pid = open_pipes(c, write_end) ? fork() : -1;
    if (pid == 0)
        become(argv, write_end, parent);
    for (int i = 0; i < DEMO_PIPES; i++)
        if (write_end[i] >= 0)
            close(write_end[i]);
    c->pid = pid > 0 ? pid : 0;
    return c->pid;
}

static void end(struct demo_lines *l) {
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

static bool make_room(struct demo_lines *l) {
    if (l->capacity - l->length > READ_BYTES)
        return true;
    size_t capacity = l->capacity + 2 * READ_BYTES;
    char *text = capacity <= LINE_MAX_BYTES ? realloc(l->text, capacity) : NULL;
    if (!text)
        return false;
    l->text = text;
    l->capacity = capacity;
    return true;
}

static void take_lines(struct demo_lines *l, enum demo_pipe which, demo_line_fn on_line, void *ctx) {
    char *begin = l->text, *newline;
    while ((newline = memchr(begin, '\n', l->length - (size_t)(begin - l->text)))) {
        *newline = '\0';
        on_line(which, begin, ctx);
        begin = newline + 1;
    }
    l->length -= (size_t)(begin - l->text);
    memmove(l->text, begin, l->length);
}

void demo_child_read(struct demo_child *c, demo_line_fn on_line, void *ctx) {
    for (int i = 0; i < DEMO_PIPES; i++) {
        struct demo_lines *l = &c->pipes[i];
        while (l->fd >= 0) {
            ssize_t n = make_room(l) ? read(l->fd, l->text + l->length, READ_BYTES) : 0;
            if (n < 0 && errno == EINTR)
                continue;
            if (n < 0 && errno == EAGAIN)
                break;
            if (n <= 0) {
                end(l);
                break;
            }
            l->length += (size_t)n;
            take_lines(l, (enum demo_pipe)i, on_line, ctx);
        }
    }
}

bool demo_child_is_silent(const struct demo_child *c) {
    return c->pipes[DEMO_OUT].fd < 0 && c->pipes[DEMO_ERR].fd < 0;
}

void demo_child_signal(struct demo_child *c, int signal) {
    if (c->pid)
        kill(c->pid, signal);
}

void demo_child_wait(struct demo_child *c) {
    while (c->pid && waitpid(c->pid, &c->status, 0) < 0 && errno == EINTR)
        continue;
    c->pid = 0;
}

void demo_child_free(struct demo_child *c) {
    for (int i = 0; c->started && i < DEMO_PIPES; i++) {
        end(&c->pipes[i]);
        free(c->pipes[i].text);
        c->pipes[i].text = NULL;
    }
}
