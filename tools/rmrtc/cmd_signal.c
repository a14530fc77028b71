/* SPDX-License-Identifier: Apache-2.0 */
#include "rmrtc.h"

#include "web_files.h"
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const char help[] =
    "usage: rmrtc signal [OPTIONS]\n"
    "\n"
    "A small WebSocket signaling server for development and tests: JSON-RPC 2.0, methods peer.announce, peer.offer,\n"
    "peer.answer, peer.ice_candidate, peer.disconnect, peer.list, with and without their prefix. Any path is "
    "accepted.\n"
    "\n"
    "The same port serves a web page, to join a room from a browser and see its mesh. Its address is in the second "
    "line\n"
    "of output; what follows it is optional: ?room=R&name=N&source=camera|test&codec=vp9|vp8|h264&autojoin=1. "
    "Browsers\n"
    "give cameras to pages from this machine or over https only (--cert, --key).\n"
    "\n"
    "  --listen HOST:PORT   numeric address and port, default 127.0.0.1:8080; port 0 takes any free one\n"
    "  --max-peers N        peers in one room, 1..256; default 10\n"
    "  --token TEXT         require this `token` member in peer.announce\n"
    "  --cert FILE          PEM certificate chain: serve wss:// and https:// (with --key)\n"
    "  --key FILE           PEM private key\n"
    "  --verbose            log every connection (the same as RM_LOG=debug)\n";

struct stopper {
    struct rmi_loop *loop;
    int fd;
};

static void *wait_for_signal(void *ctx) {
    struct stopper *s = ctx;
    struct signalfd_siginfo info;
    while (read(s->fd, &info, sizeof info) < 0)
        continue;
    rmi_loop_stop(s->loop);
    return NULL;
}

static int64_t log_now(void *ctx) {
    (void)ctx;
    return rmi_now_us();
}

/* An address to listen on that stands for all of them is none to connect to: then this machine's own. */
static const char *page_host(const char *host) {
    return strcmp(host, "0.0.0.0") == 0 ? "127.0.0.1" : strcmp(host, "::") == 0 ? "::1" : host;
}

static void print_addresses(const struct rmi_signaling_host_config *config, uint16_t port) {
    const char *tls = config->cert_file ? "s" : "";
    const bool v6 = strchr(config->host, ':') != NULL;
    const char *open = v6 ? "[" : "", *close = v6 ? "]" : "";
    printf("listening on ws%s://%s%s%s:%u/ws\n", tls, open, config->host, close, port);
    printf("page: http%s://%s%s%s:%u/\n", tls, open, page_host(config->host), close, port);
    fflush(stdout);
}

static int serve(struct rmi_signaling_host_config *config, bool verbose) {
    struct rmi_log *log = NULL;
    struct rmi_loop *loop = NULL;
    struct rmi_signaling_host *host = NULL;
    struct rmi_log_config lc = {
        .now = log_now, .level = verbose ? RM_LOG_DEBUG : RM_LOG_WARN, .spec = getenv("RM_LOG")};
    struct stopper stopper = {.fd = open_signal_fd()};
    rm_err err = rmi_log_create(&lc, &log);
    if (err)
        fprintf(stderr, "rmrtc signal: RM_LOG is not understood; write e.g. RM_LOG=info or RM_LOG=signaling:debug\n");
    config->log = log;
    config->files = web_files;
    config->file_n = web_file_n;
    if (!err)
        err = rmi_loop_create(&loop);
    if (!err) {
        err = rmi_signaling_host_create(loop, config, &host);
        if (err)
            fprintf(stderr, "rmrtc signal: cannot listen on %s:%u: %s\n", config->host, config->port, rm_strerror(err));
    }
    if (!err) {
        print_addresses(config, rmi_signaling_host_port(host));
        pthread_t thread;
        stopper.loop = loop;
        if (pthread_create(&thread, NULL, wait_for_signal, &stopper) == 0) {
            err = rmi_loop_run(loop);
            pthread_join(thread, NULL);
        }
    }
    rmi_signaling_host_destroy(&host);
    rmi_loop_destroy(&loop);
    rmi_log_destroy(&log);
    close(stopper.fd);
    return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run(int argc, char **argv) {
    static const struct option options[] = {
        {"listen", required_argument, NULL, 'l'}, {"max-peers", required_argument, NULL, 'm'},
        {"token", required_argument, NULL, 't'},  {"cert", required_argument, NULL, 'c'},
        {"key", required_argument, NULL, 'k'},    {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};
    char host[64] = "127.0.0.1";
    struct rmi_signaling_host_config config = {.host = host, .port = 8080};
    bool verbose = false;
    long number;
    int o;
    while ((o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (o) {
        case 'l':
            if (!parse_listen(optarg, host, sizeof host, &config.port)) {
                fprintf(stderr, "rmrtc signal: --listen: \"%s\" is not HOST:PORT\n", optarg);
                return EXIT_USAGE;
            }
            break;
        case 'm':
            if (!parse_number("--max-peers", optarg, 1, 256, &number))
                return EXIT_USAGE;
            config.max_peers = (size_t)number;
            break;
        case 't':
            config.token = optarg;
            break;
        case 'c':
            config.cert_file = optarg;
            break;
        case 'k':
            config.key_file = optarg;
            break;
        case 'v':
            verbose = true;
            break;
        case 'h':
            fputs(help, stdout);
            return EXIT_SUCCESS;
        default:
            fputs(help, stderr);
            return EXIT_USAGE;
        }
    }
    if (optind < argc || !config.cert_file != !config.key_file) {
        fprintf(stderr,
                optind < argc ? "rmrtc signal: unexpected argument\n" : "rmrtc signal: --cert and --key go together\n");
        return EXIT_USAGE;
    }
    return serve(&config, verbose);
}

const struct command cmd_signal = {"signal", "run a signaling server for development", run};
