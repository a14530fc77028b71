/* SPDX-License-Identifier: Apache-2.0 */
#include "peer_link.h"
#include "rmrtc.h"

#include <remotemedia/data_json.h>
#include <remotemedia/webrtc_control.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: rmrtc execute URL PEER (--json TEXT | --text TEXT | --file FILE | --data TEXT) [OPTIONS]\n"
    "\n"
    "Join a room on the signaling server at URL, connect to PEER alone and run one input through its pipeline. The "
    "first\n"
    "output is printed as RemoteMedia's JSON; the exit code is 0 when there was one, else 1 with a line that says "
    "why.\n"
    "\n"
    "  --json TEXT        JSON as input\n"
    "  --text TEXT        text as input\n"
    "  --file FILE        the bytes of a file as input, up to 16 MiB\n"
    "  --data TEXT        any kind in RemoteMedia's JSON, e.g. '{\"Text\":\"hello\"}'\n"
    "  --output FILE      write the bytes of the output instead\n"
    "\n" PEER_LINK_HELP;

#define FILE_MAX ((size_t)16 << 20)

struct execute {
    struct peer_link link;
    const char *json, *text, *file, *data, *output;
};

static bool set_option(struct execute *x, int o, const char *arg) {
    switch (o) {
    case 'j':
        x->json = arg;
        return true;
    case 'x':
        x->text = arg;
        return true;
    case 'f':
        x->file = arg;
        return true;
    case 'd':
        x->data = arg;
        return true;
    case 'o':
        x->output = arg;
        return true;
    default:
        return peer_link_option(&x->link, o, arg);
    }
}

static rm_err read_file(const char *path, rm_runtime_data **out) {
    rm_buf *buf = NULL;
    FILE *f = fopen(path, "rb");
    rm_err err = f ? rm_buf_create(FILE_MAX + 1, &buf) : RM_E_IO;
    const size_t size = err ? 0 : fread(rm_buf_write(buf), 1, FILE_MAX + 1, f);
    if (!err && ferror(f))
        err = RM_E_IO;
    if (!err && size > FILE_MAX)
        err = RM_E_TOO_BIG;
    if (!err)
        err = rm_runtime_data_create_binary(buf, 0, size, out);
    if (f)
        fclose(f);
    rm_buf_unref(&buf);
    return err;
}

static rm_err make_input(const struct execute *x, rm_runtime_data **out) {
    char detail[RM_DETAIL_MAX] = "";
    rm_err err = x->json   ? rm_runtime_data_create_json(x->json, strlen(x->json), out)
                 : x->text ? rm_runtime_data_create_text(x->text, strlen(x->text), NULL, out)
                 : x->data ? rm_runtime_data_from_json(x->data, strlen(x->data), out, detail, sizeof detail)
                           : read_file(x->file, out);
    if (err)
        fprintf(stderr, "rmrtc execute: the input: %s: %s\n", rm_err_name(err), detail[0] ? detail : rm_strerror(err));
    return err;
}

static rm_err show(const struct execute *x, const rm_runtime_data *output) {
    char detail[RM_DETAIL_MAX] = "", *json = NULL;
    size_t size = 0;
    rm_err err = RM_OK;
    if (x->output) {
        const uint8_t *bytes = rm_runtime_data_bytes(output, &size);
        FILE *f = fopen(x->output, "wb");
        err = !f || (size > 0 && fwrite(bytes, 1, size, f) != size) ? RM_E_IO : RM_OK;
        if (f && fclose(f))
            err = RM_E_IO;
    } else if (!(err = rm_runtime_data_to_json(output, &json, &size, detail, sizeof detail))) {
        printf("%s\n", json);
    }
    if (err)
        fprintf(stderr, "rmrtc execute: %s: %s: %s\n", x->output ? x->output : "the output", rm_err_name(err),
                detail[0] ? detail : rm_strerror(err));
    rm_json_free(&json);
    return err;
}

static rm_err execute(struct execute *x, const char *url, const char *peer) {
    rm_transport_data input = {0}, output = {0};
    char detail[RM_DETAIL_MAX] = "";
    rm_err err = make_input(x, &input.data);
    if (!err)
        err = peer_link_open(&x->link, url, peer);
    if (!err && (err = rm_webrtc_execute(x->link.t, peer, &input, (int)x->link.timeout_s * 1000, &output, detail,
                                         sizeof detail)))
        peer_link_tell(&x->link, err, detail);
    if (!err)
        err = show(x, output.data);
    rm_transport_data_clear(&input);
    rm_transport_data_clear(&output);
    return err;
}

static int run(int argc, char **argv) {
    static const struct option options[] = {PEER_LINK_OPTIONS,
                                            {"json", required_argument, NULL, 'j'},
                                            {"text", required_argument, NULL, 'x'},
                                            {"file", required_argument, NULL, 'f'},
                                            {"data", required_argument, NULL, 'd'},
                                            {"output", required_argument, NULL, 'o'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct execute x = {0};
    peer_link_init(&x.link, "execute");
    int o;
    while ((o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (o == 'h') {
            fputs(help, stdout);
            return EXIT_SUCCESS;
        }
        if (!set_option(&x, o, optarg))
            return EXIT_USAGE;
    }
    if (argc - optind != 2 || !x.json + !x.text + !x.file + !x.data != 3) {
        fprintf(stderr, "rmrtc execute: a URL, a peer's id and one of --json, --text, --file and --data are needed\n");
        return EXIT_USAGE;
    }
    const rm_err err = execute(&x, argv[optind], argv[optind + 1]);
    peer_link_close(&x.link);
    return err == RM_E_CONFIG ? EXIT_USAGE : err ? EXIT_FAILURE : EXIT_SUCCESS;
}

const struct command cmd_execute = {"execute", "run one input through a peer's pipeline", run};
