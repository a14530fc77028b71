/* SPDX-License-Identifier: Apache-2.0 */
#include "rmrtc.h"

#include <getopt.h>
#include <jansson.h>
#include <remotemedia/manifest.h>
#include <stdio.h>
#include <stdlib.h>

static const char help[] =
    "usage: rmrtc validate [OPTIONS] MANIFEST...\n"
    "\n"
    "Check pipeline manifests (JSON, or YAML when the name ends in .yaml or .yml) against the known node types. Every "
    "fault\n"
    "is one line, FILE:LINE:COLUMN: FIELD: what is wrong. The exit code is 0 when all are valid; warnings do not "
    "count.\n"
    "\n"
    "  --load FILE.so   know the node types of this shared object too; any number of times\n"
    "  --quiet          only faults, nothing about valid files\n"
    "  --json           one JSON object for each fault, and one for each file\n";

struct validate {
    rm_manifest_options options;
    bool quiet, json;
};

static void print_object(json_t *object) {
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    if (text)
        puts(text);
    free(text);
    json_decref(object);
}

static void print_fault(const rm_manifest_fault *f, void *user) {
    const struct validate *v = user;
    if (!v->json)
        puts(f->text);
    else
        print_object(json_pack("{s:s, s:i, s:i, s:s, s:s, s:s}", "file", f->file, "line", (int)f->line, "column",
                               (int)f->column, "severity", f->warning ? "warning" : "error", "field", f->field,
                               "message", f->message));
}

static bool validate_file(const struct validate *v, const char *path) {
    rm_manifest *m = NULL;
    rm_err err = rm_manifest_load(path, &v->options, &m);
    size_t nodes = m ? rm_manifest_node_count(m) : 0, connections = m ? rm_manifest_connection_count(m) : 0;
    if (v->json)
        print_object(json_pack("{s:s, s:b, s:s, s:i, s:i}", "file", path, "valid", !err, "error", rm_err_name(err),
                               "nodes", (int)nodes, "connections", (int)connections));
    else if (!err && !v->quiet)
        printf("%s: valid, %zu node%s, %zu connection%s\n", path, nodes, nodes == 1 ? "" : "s", connections,
               connections == 1 ? "" : "s");
    else if (err == RM_E_NO_MEMORY)
        fprintf(stderr, "rmrtc validate: %s: %s\n", path, rm_strerror(err));
    rm_manifest_unref(&m);
    return !err;
}

static int run(int argc, char **argv) {
    static const struct option options[] = {{"load", required_argument, NULL, 'l'},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct validate v = {0};
    rm_node_registry *registry = NULL;
    bool all = true;
    int status = -1, o;
    if (rm_node_registry_create(&registry))
        return EXIT_FAILURE;
    while (status < 0 && (o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (o == 'l')
            status = load_nodes(registry, optarg) ? -1 : EXIT_FAILURE;
        else if (o == 'q')
            v.quiet = true;
        else if (o == 'j')
            v.json = true;
        else
            status = o == 'h' ? EXIT_SUCCESS : EXIT_USAGE;
    }
    if (status < 0 && optind == argc)
        status = EXIT_USAGE;
    if (status == EXIT_USAGE || status == EXIT_SUCCESS)
        fputs(help, status ? stderr : stdout);
    rm_manifest_options_init(&v.options);
    v.options.registry = registry;
    v.options.on_fault = print_fault;
    v.options.user = &v;
    for (int i = optind; status < 0 && i < argc; i++)
        all &= validate_file(&v, argv[i]);
    rm_node_registry_destroy(&registry);
    return status >= 0 ? status : all ? EXIT_SUCCESS : EXIT_FAILURE;
}

const struct command cmd_validate = {"validate", "check pipeline manifests", run};
