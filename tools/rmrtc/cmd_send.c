/* SPDX-License-Identifier: Apache-2.0 */
#include "file_send.h"
#include "peer_link.h"
#include "rmrtc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] = "usage: rmrtc send URL PEER (--json TEXT | --text TEXT | --file FILE) [OPTIONS]\n"
                           "\n"
                           "Join a room on the signaling server at URL, connect to PEER alone, send and wait until all "
                           "of it is delivered. The\n"
                           "exit code is 0 when it was, else 1 with a line that says why.\n"
                           "\n"
                           "  --json TEXT        a message of JSON, as RemoteMedia's on channel \"control\"\n"
                           "  --text TEXT        the same with text\n"
                           "  --channel LABEL    send TEXT as it is, on a channel of this label that is opened for it\n"
                           "  --count N          send the message N times, 1..1000000\n"
                           "  --file FILE        a file of any size, which a peer with `rmrtc join --save-files DIR` "
                           "stores; confirmed by its\n"
                           "                     SHA-256\n"
                           "  --mime TYPE        of the file; default application/octet-stream\n"
                           "\n" PEER_LINK_HELP;

#define COUNT_MAX 1000000

struct send {
    struct peer_link link;
    const char *json, *text, *file, *mime, *channel;
    long count;
};

/* Sends one message, however long there is no room. */
static rm_err send_one(struct send *s, uint16_t channel, rm_runtime_data *message, const char *text) {
    struct peer_link *l = &s->link;
    rm_event ev;
    for (;;) {
        rm_err err = message ? rm_webrtc_send_message(l->t, l->peer, message)
                             : rm_webrtc_send_data(l->t, l->peer, channel, false, text, strlen(text));
        if (err != RM_E_AGAIN) {
            if (err)
                peer_link_tell(l, err, err == RM_E_TOO_BIG ? "longer than the peer takes: send it as a file" : "");
            return err;
        }
        do {
            err = peer_link_event(l, &ev, (int)l->timeout_s * 1000);
            if (err == RM_E_AGAIN)
                peer_link_tell(l, err = RM_E_TIMEOUT, "the peer does not read");
            if (err)
                return err;
        } while (ev.type != RM_EV_CHANNEL_WRITABLE);
    }
}

static rm_err open_channel(struct send *s, uint16_t *id) {
    rm_channel_options o;
    rm_channel_options_init(&o);
    o.label = s->channel;
    rm_err err = rm_webrtc_open_channel(s->link.t, s->link.peer, &o, id);
    if (err)
        peer_link_tell(&s->link, err, "");
    return err;
}

static rm_err make_message(const struct send *s, rm_runtime_data **out) {
    const rm_err err = s->json ? rm_runtime_data_create_json(s->json, strlen(s->json), out)
                               : rm_runtime_data_create_text(s->text, strlen(s->text), NULL, out);
    if (err)
        fprintf(stderr, "rmrtc send: %s: %s: %s\n", s->json ? "--json" : "--text", rm_err_name(err),
                s->json ? "this is not JSON" : rm_strerror(err));
    return err;
}

static rm_err send_messages(struct send *s) {
    uint16_t id = 0;
    rm_runtime_data *message = NULL;
    rm_err err = make_message(s, &message);
    if (!err && s->channel) {
        rm_runtime_data_unref(&message); /* it was only checked */
        err = open_channel(s, &id);
    }
    for (long i = 0; i < s->count && !err; i++)
        err = send_one(s, id, message, s->json ? s->json : s->text);
    rm_runtime_data_unref(&message);
    return err ? err : peer_link_delivered(&s->link);
}

static bool set_option(struct send *s, int o, const char *arg) {
    switch (o) {
    case 'j':
        s->json = arg;
        return true;
    case 'x':
        s->text = arg;
        return true;
    case 'f':
        s->file = arg;
        return true;
    case 'm':
        s->mime = arg;
        return true;
    case 'C':
        s->channel = arg;
        return true;
    case 'n':
        return parse_number("--count", arg, 1, COUNT_MAX, &s->count);
    default:
        return peer_link_option(&s->link, o, arg);
    }
}

static int usage_fault(const char *text) {
    fprintf(stderr, "rmrtc send: %s\n", text);
    return EXIT_USAGE;
}

static int check(const struct send *s, int arguments) {
    if (arguments != 2)
        return usage_fault("a URL and a peer's id are needed, e.g. ws://127.0.0.1:8080/ws bob");
    if (!s->json + !s->text + !s->file != 2)
        return usage_fault("exactly one of --json, --text and --file is needed");
    if (s->file && (s->channel || s->count != 1))
        return usage_fault("--channel and --count go with --json or --text");
    if (!s->file && s->mime)
        return usage_fault("--mime goes with --file");
    return 0;
}

static int run(int argc, char **argv) {
    static const struct option options[] = {PEER_LINK_OPTIONS,
                                            {"json", required_argument, NULL, 'j'},
                                            {"text", required_argument, NULL, 'x'},
                                            {"file", required_argument, NULL, 'f'},
                                            {"mime", required_argument, NULL, 'm'},
                                            {"channel", required_argument, NULL, 'C'},
                                            {"count", required_argument, NULL, 'n'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct send s = {.count = 1};
    peer_link_init(&s.link, "send");
    int o;
    while ((o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (o == 'h') {
            fputs(help, stdout);
            return EXIT_SUCCESS;
        }
        if (!set_option(&s, o, optarg))
            return EXIT_USAGE;
    }
    const int fault = check(&s, argc - optind);
    if (fault)
        return fault;
    const char *url = argv[optind], *peer = argv[optind + 1];
    rm_err err;
    if (s.file) {
        err = file_send(&s.link, url, peer, s.file, s.mime ? s.mime : "application/octet-stream");
    } else {
        err = peer_link_open(&s.link, url, peer);
        if (!err)
            err = send_messages(&s);
    }
    peer_link_close(&s.link);
    return err == RM_E_CONFIG ? EXIT_USAGE : err ? EXIT_FAILURE : EXIT_SUCCESS;
}

const struct command cmd_send = {"send", "send messages or a file to a peer", run};
