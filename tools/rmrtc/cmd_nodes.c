/* SPDX-License-Identifier: Apache-2.0 */
#include "rmrtc.h"

#include "runtime/params.h"
#include "runtime/registry.h"
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] = "usage: rmrtc nodes [list] [OPTIONS]\n"
                           "       rmrtc nodes info NAME [OPTIONS]\n"
                           "\n"
                           "List the node types that pipelines can use, or show one with its parameters.\n"
                           "\n"
                           "  --load FILE.so   know the node types of this shared object too; any number of times\n"
                           "  --json           one JSON object for each node type\n";

bool load_nodes(rm_node_registry *registry, const char *path) {
    char detail[512] = "";
    rm_err err = rm_node_registry_load(registry, path, detail, sizeof detail);
    if (err)
        fprintf(stderr, "rmrtc: --load: %s\n", detail[0] ? detail : rm_strerror(err));
    return !err;
}

static json_t *param_object(const rm_node_param *p) {
    static const char *const kinds[] = {"", "bool", "int", "number", "string", "json"};
    json_t *o = json_pack("{s:s, s:s, s:b, s:s}", "name", p->name, "type", kinds[p->type], "required", p->required,
                          "summary", p->summary ? p->summary : "");
    if (p->default_json)
        json_object_set_new(o, "default", json_loads(p->default_json, JSON_DECODE_ANY, NULL));
    if (p->min != 0 || p->max != 0) {
        json_object_set_new(o, "min", json_real(p->min));
        json_object_set_new(o, "max", json_real(p->max));
    }
    if (p->choices)
        json_object_set_new(o, "choices", json_string(p->choices));
    return o;
}

static void print_json(const rm_node_class *c) {
    json_t *list = json_array();
    for (size_t i = 0; i < c->param_count; i++)
        json_array_append_new(list, param_object(&c->params[i]));
    for (size_t i = 0; i < rmi_common_param_count; i++)
        json_array_append_new(list, param_object(&rmi_common_params[i]));
    json_t *o =
        json_pack("{s:s, s:s, s:s, s:b, s:o}", "node_type", c->name, "summary", c->summary, "accepts",
                  c->accepts ? c->accepts : "any", "own_thread", (c->flags & RM_NODE_OWN_THREAD) != 0, "params", list);
    char *text = o ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    if (text)
        puts(text);
    free(text);
    json_decref(o);
}

static void print_param(const rm_node_param *p) {
    char camel[80];
    rmi_camel_case(p->name, camel, sizeof camel);
    printf("  %s", p->name);
    if (strcmp(camel, p->name))
        printf(" (or %s)", camel);
    if (p->choices)
        printf(", %s", p->choices);
    if (p->min != 0 || p->max != 0)
        printf(", %.15g..%.15g", p->min, p->max);
    else if (p->type == RM_PARAM_BOOL)
        printf(", true|false");
    if (p->default_json)
        printf(", default %s", p->default_json);
    printf("%s\n      %s\n", p->required ? ", required" : "", p->summary ? p->summary : "");
}

static void print_info(const rm_node_class *c) {
    printf("%s: %s\n", c->name, c->summary);
    if (c->accepts)
        printf("works on %s; other data passes unchanged\n", c->accepts);
    if (c->flags & RM_NODE_OWN_THREAD)
        printf("runs on a thread of its own\n");
    printf("\nparameters:\n");
    for (size_t i = 0; i < c->param_count; i++)
        print_param(&c->params[i]);
    if (c->param_count == 0)
        printf("  none of its own\n");
    printf("\nas every node:\n");
    for (size_t i = 0; i < rmi_common_param_count; i++)
        print_param(&rmi_common_params[i]);
}

static int show_info(const rm_node_registry *registry, const char *name, bool json) {
    const rm_node_class *c = rm_node_registry_find(registry, name);
    if (!c) {
        const char *near = rmi_registry_near(registry, name);
        if (near)
            fprintf(stderr, "rmrtc nodes: there is no node type \"%s\", did you mean \"%s\"?\n", name, near);
        else
            fprintf(stderr, "rmrtc nodes: there is no node type \"%s\"; `rmrtc nodes` lists them\n", name);
        return EXIT_FAILURE;
    }
    if (json)
        print_json(c);
    else
        print_info(c);
    return EXIT_SUCCESS;
}

static int show_list(const rm_node_registry *registry, bool json) {
    for (size_t i = 0; i < rm_node_registry_count(registry); i++) {
        const rm_node_class *c = rm_node_registry_get(registry, i);
        if (json)
            print_json(c);
        else
            printf("%-22s %s\n", c->name, c->summary);
    }
    return EXIT_SUCCESS;
}

static int run(int argc, char **argv) {
    static const struct option options[] = {{"load", required_argument, NULL, 'l'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    rm_node_registry *registry = NULL;
    bool json = false;
    int status = -1, o;
    if (rm_node_registry_create(&registry))
        return EXIT_FAILURE;
    while (status < 0 && (o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (o == 'l')
            status = load_nodes(registry, optarg) ? -1 : EXIT_FAILURE;
        else if (o == 'j')
            json = true;
        else
            status = o == 'h' ? EXIT_SUCCESS : EXIT_USAGE;
    }
    int words = argc - optind;
    bool list = words == 0 || (words == 1 && !strcmp(argv[optind], "list"));
    bool info = words == 2 && !strcmp(argv[optind], "info");
    if (status < 0 && !list && !info)
        status = EXIT_USAGE;
    if (status == EXIT_USAGE || status == EXIT_SUCCESS)
        fputs(help, status ? stderr : stdout);
    else if (status < 0)
        status = info ? show_info(registry, argv[optind + 1], json) : show_list(registry, json);
    rm_node_registry_destroy(&registry);
    return status;
}

const struct command cmd_nodes = {"nodes", "node types that pipelines can use", run};
