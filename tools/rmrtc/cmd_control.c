/* SPDX-License-Identifier: Apache-2.0 */
#include "peer_link.h"
#include "rmrtc.h"

#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <remotemedia/manifest.h>
#include <remotemedia/webrtc_control.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static const char help[] =
    "usage: rmrtc control URL PEER ACTION [OPTIONS]\n"
    "\n"
    "Join a room on the signaling server at URL, connect to PEER alone and control the pipeline session that it runs "
    "for\n"
    "this connection. The answer is printed as one line of JSON; the exit code is 0 when the action was done, else 1.\n"
    "Changing the session needs PEER's leave (`rmrtc join --allow-control`), so name yourself with --peer-id.\n"
    "\n"
    "  reconfigure FILE   another manifest, JSON or YAML; refused with every fault in it\n"
    "  params NODE JSON   other parameters of one node, e.g. '{\"gain_db\":-6}'\n"
    "  pause, resume\n"
    "  status             its state and nodes\n"
    "  ping               the round trip, in ms\n"
    "  custom TYPE [JSON] a message for the application at the other side, which need not answer\n"
    "\n" PEER_LINK_HELP;

struct control {
    struct peer_link link;
    int done_fd; /* counts answers */
    atomic_bool refused;
};

/* On the network thread. */
static void on_control(const rm_control_answer *a, void *user) {
    static const char *const names[] = {[RM_CONTROL_DONE] = "done",
                                        [RM_CONTROL_REFUSED] = "refused",
                                        [RM_CONTROL_STATUS] = "status",
                                        [RM_CONTROL_PONG] = "pong"};
    struct control *c = user;
    if (!a->request || a->type < RM_CONTROL_DONE || a->type > RM_CONTROL_PONG)
        return; /* nothing that was asked for here */
    json_t *line = json_pack("{s:s, s:s}", "answer", names[a->type], "peer", a->peer_id);
    if (a->action[0])
        json_object_set_new(line, "action", json_string(a->action));
    if (a->err)
        json_object_set_new(line, "error", json_string(rm_err_name(a->err)));
    if (a->detail[0])
        json_object_set_new(line, "detail", json_string(a->detail));
    if (a->session_id[0])
        json_object_set_new(line, "session_id", json_string(a->session_id));
    if (a->state[0])
        json_object_set_new(line, "state", json_string(a->state));
    if (a->type == RM_CONTROL_STATUS)
        json_object_set_new(line, "active_nodes", json_integer((json_int_t)a->node_count));
    json_t *nodes = a->nodes ? json_array() : NULL;
    for (size_t i = 0; nodes && i < a->node_count; i++)
        json_array_append_new(nodes, json_string(a->nodes[i]));
    if (nodes)
        json_object_set_new(line, "nodes", nodes);
    if (a->type == RM_CONTROL_PONG)
        json_object_set_new(line, "rtt_ms", json_real(a->rtt_ms));
    char *text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(6));
    printf("%s\n", text ? text : "{}");
    fflush(stdout);
    free(text);
    json_decref(line);
    atomic_store(&c->refused, a->type == RM_CONTROL_REFUSED);
    (void)!write(c->done_fd, &(uint64_t){1}, sizeof(uint64_t));
}

static rm_err read_manifest(const char *path, char **text, size_t *size) {
    FILE *f = fopen(path, "rb");
    *text = malloc(RM_MANIFEST_BYTES_MAX + 1);
    *size = f && *text ? fread(*text, 1, RM_MANIFEST_BYTES_MAX + 1, f) : 0;
    const rm_err err = !*text ? RM_E_NO_MEMORY : !f || ferror(f) ? RM_E_IO : RM_OK;
    if (f)
        fclose(f);
    if (err)
        fprintf(stderr, "rmrtc control: %s: %s\n", path, err == RM_E_IO ? "cannot be read" : rm_strerror(err));
    return err;
}

/* Sends the action; RM_E_INVALID_ARG: it is none. */
static rm_err ask(struct control *c, char **words, int count) {
    rm_webrtc *t = c->link.t;
    const char *peer = c->link.peer, *action = words[0];
    uint64_t request;
    if (!strcmp(action, "pause"))
        return rm_webrtc_pause_peer(t, peer, &request);
    if (!strcmp(action, "resume"))
        return rm_webrtc_resume_peer(t, peer, &request);
    if (!strcmp(action, "status"))
        return rm_webrtc_get_peer_status(t, peer, &request);
    if (!strcmp(action, "ping"))
        return rm_webrtc_ping_peer(t, peer, &request);
    if (!strcmp(action, "params"))
        return rm_webrtc_set_peer_params(t, peer, words[1], words[2], strlen(words[2]), &request);
    if (!strcmp(action, "custom")) {
        const char *json = count > 2 ? words[2] : NULL;
        return rm_webrtc_send_custom(t, peer, words[1], json, json ? strlen(json) : 0);
    }
    char *text = NULL;
    size_t size = 0;
    rm_err err = read_manifest(words[1], &text, &size);
    if (!err)
        err = rm_webrtc_reconfigure_peer(t, peer, text, size, &request);
    free(text);
    return err;
}

static bool is_action(char **words, int count) {
    static const struct {
        const char *name;
        int from, to; /* words, the action included */
    } actions[] = {{"reconfigure", 2, 2}, {"params", 3, 3}, {"pause", 1, 1}, {"resume", 1, 1},
                   {"status", 1, 1},      {"ping", 1, 1},   {"custom", 2, 3}};
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (count > 0 && !strcmp(words[0], actions[i].name))
            return count >= actions[i].from && count <= actions[i].to;
    return false;
}

static rm_err await_answer(struct control *c) {
    struct pollfd p[2] = {{.fd = c->done_fd, .events = POLLIN}, {.fd = c->link.signal_fd, .events = POLLIN}};
    const int n = poll(p, 2, (int)c->link.timeout_s * 1000);
    if (n > 0 && p[0].revents)
        return atomic_load(&c->refused) ? RM_E_DENIED : RM_OK;
    if (n > 0)
        return RM_E_CLOSED; /* interrupted */
    peer_link_tell(&c->link, RM_E_TIMEOUT, "no answer");
    return RM_E_TIMEOUT;
}

static int run(int argc, char **argv) {
    static const struct option options[] = {PEER_LINK_OPTIONS, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    struct control c = {.done_fd = -1};
    peer_link_init(&c.link, "control");
    int o;
    while ((o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (o == 'h') {
            fputs(help, stdout);
            return EXIT_SUCCESS;
        }
        if (!peer_link_option(&c.link, o, optarg))
            return EXIT_USAGE;
    }
    if (argc - optind < 3 || !is_action(argv + optind + 2, argc - optind - 2)) {
        fprintf(stderr, "rmrtc control: a URL, a peer's id and an action are needed, e.g. ws://127.0.0.1:8080/ws bob "
                        "status; see --help\n");
        return EXIT_USAGE;
    }
    char **words = argv + optind + 2;
    c.link.config.enable_audio = true; /* a session is there for media */
    c.link.config.on_control = on_control;
    c.link.config.user = &c;
    c.done_fd = eventfd(0, EFD_CLOEXEC);
    rm_err err = c.done_fd < 0 ? RM_E_IO : peer_link_open(&c.link, argv[optind], argv[optind + 1]);
    if (!err && (err = ask(&c, words, argc - optind - 2)))
        peer_link_tell(&c.link, err, err == RM_E_PARSE ? "this is not JSON" : "");
    if (!err)
        err = strcmp(words[0], "custom") ? await_answer(&c) : peer_link_delivered(&c.link);
    peer_link_close(&c.link);
    if (c.done_fd >= 0)
        close(c.done_fd);
    return err == RM_E_CONFIG ? EXIT_USAGE : err ? EXIT_FAILURE : EXIT_SUCCESS;
}

const struct command cmd_control = {"control", "reconfigure, pause or ask a peer's pipeline", run};
