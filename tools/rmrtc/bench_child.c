/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_child.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MS 20000 /* encoding a loop of pictures beforehand takes seconds on a busy machine */
#define ANSWER_MAX 8192

extern char **environ;

static bool spawn(struct bench_child *c, const char *const *args, int in, int out) {
    const char *argv[BENCH_CHILD_ARGS + 4] = {"rmrtc", "bench", "--role"};
    size_t n = 3;
    for (size_t i = 0; args[i] && i < BENCH_CHILD_ARGS; i++)
        argv[n++] = args[i];
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions))
        return false;
    int failed = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO) ||
                 posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO) ||
                 posix_spawn(&c->pid, "/proc/self/exe", &actions, NULL, (char *const *)(const void *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed)
        c->pid = 0;
    return !failed;
}

bool bench_child_start(struct bench_child *c, const char *const *args) {
    int in[2] = {-1, -1}, out[2] = {-1, -1};
    memset(c, 0, sizeof *c);
    bool ok = !pipe2(in, O_CLOEXEC) && !pipe2(out, O_CLOEXEC) && spawn(c, args, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    c->to = ok ? fdopen(in[1], "w") : NULL;
    c->from = ok ? fdopen(out[0], "r") : NULL;
    if (!c->to)
        close(in[1]);
    if (!c->from)
        close(out[0]);
    if (!c->to || !c->from) {
        fprintf(stderr, "rmrtc bench: no process: %s\n", strerror(errno));
        bench_child_stop(c);
        return false;
    }
    json_t *ready = bench_child_ask(c, "look"); /* the first answer comes when it is in the room */
    json_decref(ready);
    if (!ready)
        bench_child_stop(c);
    return ready != NULL;
}

json_t *bench_child_ask(struct bench_child *c, const char *word) {
    char line[ANSWER_MAX];
    if (!c->to)
        return NULL;
    fprintf(c->to, "%s\n", word);
    fflush(c->to);
    struct pollfd p = {.fd = fileno(c->from), .events = POLLIN};
    json_t *answer = NULL;
    if (poll(&p, 1, ANSWER_MS) == 1 && fgets(line, sizeof line, c->from))
        answer = json_loads(line, 0, NULL);
    if (!answer)
        fprintf(stderr, "rmrtc bench: a participant did not answer \"%s\"\n", word);
    return answer;
}

double bench_child_number(struct bench_child *c, const char *word, const char *name) {
    json_t *answer = bench_child_ask(c, word), *value = json_object_get(answer, name);
    double number = json_is_number(value) ? json_number_value(value) : NAN;
    json_decref(answer);
    return number;
}

void bench_child_stop(struct bench_child *c) {
    if (c->to)
        fclose(c->to); /* the end of its input ends it */
    if (c->pid) {
        struct pollfd p = {.fd = c->from ? fileno(c->from) : -1};
        if (!c->from || poll(&p, 1, ANSWER_MS) != 1 || !(p.revents & POLLHUP))
            kill(c->pid, SIGKILL);
        while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    if (c->from)
        fclose(c->from);
    memset(c, 0, sizeof *c);
}
