/* SPDX-License-Identifier: Apache-2.0 */
#include "demo.h"
#include "rmrtc.h"

#include "base/time.h"
#include "io/loop.h"
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char help[] =
    "usage: rmrtc demo [OPTIONS]\n"
    "\n"
    "Sound and pictures go to a peer, through its pipeline, and come back. Runs a signaling server (rmrtc signal), a\n"
    "peer \"blur\" with a pipeline and a peer \"camera\" that publishes (rmrtc join), shows what they measure, and "
    "ends\n"
    "with a report: each figure beside its limit and goal. Ages are read from times in the pixels and in the sound.\n"
    "The exit code is 0 only when every figure is within its limit.\n"
    "\n"
    "  --publish SOURCE   \"test\" (default) or a media file, sent in a loop\n"
    "  --pipeline FILE    manifest of the pipeline; default examples/pipelines/blur.yaml\n"
    "  --video-codec C    h264 (default), vp8 or vp9\n"
    "  --duration S       5..86400 seconds; default 20, on a terminal until Ctrl-C\n"
    "  --output DIR       folder of demo-after.png, the last picture that came back, and of demo-before.png, what it "
    "was\n"
    "                     made of; default: this one\n"
    "  --listen HOST:PORT of the signaling server and its web page; default 127.0.0.1:0, any free port\n"
    "  --example FILE     whose lines are counted; default examples/01_blur_call.c\n";

#define ROOM "demo"
#define SIZE "1280x720" /* size and rate are what SC-003 and SC-006 speak of */
#define BITRATE_KBPS "1500"
#define SETTLE_S "1" /* as rmrtc bench does */
#define DEFAULT_DURATION_S 20
#define DURATION_MIN_S 5     /* less has no steady state */
#define READY_US RMI_SEC(15) /* for a process to be there; on a busy machine it takes seconds */
#define LEAVE_US RMI_SEC(10) /* for a process to end */
#define ADDRESS_MAX 256
#define LOOK_MS 100 /* at the clock, while waiting for lines */

const char *const demo_names[DEMO_ROLES] = {"signal", "blur", "camera"};

struct demo {
    const char *publish, *pipeline, *video_codec, *output, *listen, *example;
    long duration_s; /* 0: until a signal */
    struct demo_child child[DEMO_ROLES];
    struct demo_figures figures;
    struct demo_view view;
    char url[ADDRESS_MAX], page[ADDRESS_MAX], before[PATH_MAX], after[PATH_MAX];
    int signal_fd;
    bool interrupted, leaving;
};

struct role_of { /* context of on_line */
    struct demo *d;
    enum demo_role role;
};

/* ---- processes ---- */

static void take_address(char *out, const char *line, const char *before) {
    if (!strncmp(line, before, strlen(before)))
        snprintf(out, ADDRESS_MAX, "%s", line + strlen(before));
}

static void on_line(enum demo_pipe which, const char *line, void *ctx) {
    const struct role_of *r = ctx;
    struct demo *d = r->d;
    if (which == DEMO_ERR) {
        demo_view_say(&d->view, demo_names[r->role], line);
    } else if (r->role == DEMO_SIGNAL) {
        take_address(d->url, line, "listening on ");
        take_address(d->page, line, "page: ");
    } else {
        demo_figures_line(&d->figures, r->role, d->child[r->role].pid, line, rmi_now_us());
    }
}

/* Waits for lines, a signal, or the time; takes what there is. */
static void take_lines(struct demo *d) {
    struct pollfd p[DEMO_ROLES * DEMO_PIPES + 1] = {{.fd = d->interrupted ? -1 : d->signal_fd, .events = POLLIN}};
    nfds_t n = 1;
    for (int role = 0; role < DEMO_ROLES; role++)
        for (int i = 0; d->child[role].started && i < DEMO_PIPES; i++)
            p[n++] = (struct pollfd){.fd = d->child[role].pipes[i].fd, .events = POLLIN};
    poll(p, n, LOOK_MS);
    d->interrupted = d->interrupted || (p[0].revents & POLLIN);
    for (int role = 0; role < DEMO_ROLES; role++)
        if (d->child[role].started)
            demo_child_read(&d->child[role], on_line, &(struct role_of){d, (enum demo_role)role});
}

/* The name of a process that has ended although nobody asked it to; NULL: none. */
static const char *somebody_ended(const struct demo *d) {
    for (int role = 0; role < DEMO_ROLES; role++)
        if (d->child[role].started && demo_child_is_silent(&d->child[role]))
            return demo_names[role];
    return NULL;
}

static bool is_there(const struct demo *d, enum demo_role role) {
    return role == DEMO_SIGNAL ? d->url[0] && d->page[0] : demo_figures_ready(&d->figures, role);
}

/* Starts a process and waits until it is there. False: the message is printed, or it was interrupted. */
static bool start(struct demo *d, enum demo_role role, const char *const *argv, bool wait) {
    if (!demo_child_start(&d->child[role], argv)) {
        fprintf(stderr, "rmrtc demo: %s was not started: %s\n", demo_names[role], strerror(errno));
        return false;
    }
    int64_t deadline_us = rmi_now_us() + READY_US;
    while (wait && !is_there(d, role)) {
        take_lines(d);
        if (d->interrupted)
            return false;
        if (somebody_ended(d) || rmi_now_us() > deadline_us) {
            fprintf(stderr, "rmrtc demo: %s %s\n", demo_names[role],
                    somebody_ended(d) ? "has ended" : "was not ready in time");
            return false;
        }
    }
    return true;
}

static bool start_signal(struct demo *d) {
    const char *const argv[] = {"rmrtc", "signal", "--listen", d->listen, NULL};
    return start(d, DEMO_SIGNAL, argv, true);
}

static bool start_blur(struct demo *d) {
    const char *const argv[] = {"rmrtc",        "join",      d->url,       "--room",    ROOM,
                                "--peer-id",    "blur",      "--pipeline", d->pipeline, "--video-codec",
                                d->video_codec, "--bitrate", BITRATE_KBPS, "--json",    NULL};
    return start(d, DEMO_BLUR, argv, true);
}

static bool start_camera(struct demo *d) {
    const char *const argv[] = {"rmrtc",           "join",      d->url,       "--room",     ROOM,
                                "--peer-id",       "camera",    "--publish",  d->publish,   "--stamp",
                                "--settle",        SETTLE_S,    "--size",     SIZE,         "--video-codec",
                                d->video_codec,    "--bitrate", BITRATE_KBPS, "--snapshot", d->after,
                                "--snapshot-sent", d->before,   "--json",     NULL};
    d->figures.camera_started_us = rmi_now_us();
    return start(d, DEMO_CAMERA, argv, false);
}

/* Asks a process to leave, takes its last lines, and waits for its end. False: it did not end well. */
static bool stop(struct demo *d, enum demo_role role) {
    struct demo_child *c = &d->child[role];
    if (!c->started)
        return true;
    int64_t deadline_us = rmi_now_us() + LEAVE_US;
    demo_child_signal(c, SIGINT);
    while (!demo_child_is_silent(c) && rmi_now_us() < deadline_us)
        take_lines(d);
    bool late = !demo_child_is_silent(c);
    if (late) {
        fprintf(stderr, "rmrtc demo: %s did not leave\n", demo_names[role]);
        demo_child_signal(c, SIGKILL);
    }
    demo_child_wait(c);
    return !late && WIFEXITED(c->status) && WEXITSTATUS(c->status) == EXIT_SUCCESS;
}

/* ---- the course of it ---- */

static void introduce(const struct demo *d) {
    const char *slash = strrchr(d->publish, '/');
    printf("\n"
           "Sound and pictures of \"camera\" go to \"blur\", through its pipeline, and come back:\n"
           "\n"
           "  signal   rmrtc signal               URL: %s\n"
           "  blur     rmrtc join URL --room " ROOM " --pipeline %s\n"
           "  camera   rmrtc join URL --room " ROOM " --publish %s --stamp\n"
           "  page     %s?room=" ROOM "   join there to see yourself processed\n"
           "\n",
           d->url, d->pipeline, slash ? slash + 1 : d->publish, d->page);
    fflush(stdout);
}

/* False: a process has ended. */
static bool watch(struct demo *d) {
    const int64_t end_us = d->duration_s ? d->figures.camera_started_us + RMI_SEC(d->duration_s) : INT64_MAX;
    while (!d->interrupted && rmi_now_us() < end_us) {
        take_lines(d);
        const char *name = somebody_ended(d);
        if (name) {
            fprintf(stderr, "rmrtc demo: %s has ended\n", name);
            return false;
        }
        demo_view_draw(&d->view, &d->figures, rmi_now_us());
    }
    return true;
}

static bool make_folder(struct demo *d) {
    struct stat st;
    if (stat(d->output, &st) && mkdir(d->output, 0777)) {
        fprintf(stderr, "rmrtc demo: --output: %s: %s\n", d->output, strerror(errno));
        return false;
    }
    int n = snprintf(d->before, sizeof d->before, "%s/demo-before.png", d->output);
    int m = snprintf(d->after, sizeof d->after, "%s/demo-after.png", d->output);
    return n > 0 && m > 0 && (size_t)n < sizeof d->before && (size_t)m < sizeof d->after;
}

static bool conclude(const struct demo *d) {
    bool good = demo_report(&d->figures, &(struct demo_report_config){d->video_codec, d->example});
    double load;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (getloadavg(&load, 1) == 1 && load > (double)cores)
        printf("The machine has %ld cores and a load of %.1f, so times are longer than they need be.\n", cores, load);
    printf("Pictures: %s, %s\n", d->before, d->after);
    return good;
}

static int demo(struct demo *d) {
    d->signal_fd = open_signal_fd();
    if (!make_folder(d))
        return EXIT_FAILURE;
    demo_figures_init(&d->figures);
    demo_view_init(&d->view, rmi_now_us());
    bool ran = start_signal(d) && start_blur(d);
    if (ran) {
        introduce(d);
        demo_view_init(&d->view, rmi_now_us());
        ran = start_camera(d) && watch(d);
    }
    bool left = true;
    for (int role = DEMO_ROLES - 1; role >= 0; role--)
        left = stop(d, (enum demo_role)role) && left;
    if (ran && !left)
        fprintf(stderr, "rmrtc demo: not every process ended as it should\n");
    bool good = ran && conclude(d) && left;
    for (int role = 0; role < DEMO_ROLES; role++)
        demo_child_free(&d->child[role]);
    demo_figures_free(&d->figures);
    close(d->signal_fd);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- options ---- */

/* False: the message is printed. */
static bool set_option(struct demo *d, int o, const char *arg) {
    char host[64];
    unsigned short port;
    switch (o) {
    case 'P':
        d->publish = arg;
        return true;
    case 'L':
        d->pipeline = arg;
        return true;
    case 'v':
        d->video_codec = arg;
        if (!strcmp(arg, "h264") || !strcmp(arg, "vp8") || !strcmp(arg, "vp9"))
            return true;
        fprintf(stderr, "rmrtc demo: --video-codec: \"%s\" is none of h264, vp8, vp9\n", arg);
        return false;
    case 'd':
        return parse_number("--duration", arg, DURATION_MIN_S, 24L * 3600, &d->duration_s);
    case 'o':
        d->output = arg;
        return true;
    case 'l':
        d->listen = arg;
        if (parse_listen(arg, host, sizeof host, &port))
            return true;
        fprintf(stderr, "rmrtc demo: --listen: \"%s\" is not HOST:PORT\n", arg);
        return false;
    case 'e':
        d->example = arg;
        return true;
    default:
        fputs(help, stderr);
        return false;
    }
}

static int run(int argc, char **argv) {
    static const struct option options[] = {{"publish", required_argument, NULL, 'P'},
                                            {"pipeline", required_argument, NULL, 'L'},
                                            {"video-codec", required_argument, NULL, 'v'},
                                            {"duration", required_argument, NULL, 'd'},
                                            {"output", required_argument, NULL, 'o'},
                                            {"listen", required_argument, NULL, 'l'},
                                            {"example", required_argument, NULL, 'e'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct demo d = {.publish = "test",
                     .pipeline = "examples/pipelines/blur.yaml",
                     .video_codec = "h264",
                     .output = ".",
                     .listen = "127.0.0.1:0",
                     .example = "examples/01_blur_call.c",
                     .duration_s = isatty(STDOUT_FILENO) ? 0 : DEFAULT_DURATION_S};
    int o;
    while ((o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (o == 'h') {
            fputs(help, stdout);
            return EXIT_SUCCESS;
        }
        if (!set_option(&d, o, optarg))
            return EXIT_USAGE;
    }
    if (optind < argc) {
        fprintf(stderr, "rmrtc demo: unexpected argument \"%s\"\n", argv[optind]);
        return EXIT_USAGE;
    }
    return demo(&d);
}

const struct command cmd_demo = {"demo", "see it work: a call through a pipeline, measured", run};
