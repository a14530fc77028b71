/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/registry.h"
#include "runtime/params.h"
#include "runtime/suggest.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLASS_NAME_MAX 64
#define PLUGIN_CLASSES_MAX 1024
#define PARAMS_MAX 256

struct rm_node_registry {
    atomic_size_t refs;
    pthread_mutex_t mutex; /* guards the lists */
    const rm_node_class **classes;
    size_t class_count;
    void **plugins; /* dlopen handles; closed last, because classes and code live in them */
    size_t plugin_count;
};

rm_err rmi_registry_create(rm_node_registry **out) {
    struct rm_node_registry *r = calloc(1, sizeof *r);
    if (!r || pthread_mutex_init(&r->mutex, NULL)) {
        free(r);
        return RM_E_NO_MEMORY;
    }
    atomic_init(&r->refs, 1);
    *out = r;
    return RM_OK;
}

rm_node_registry *rmi_registry_ref(rm_node_registry *registry) {
    atomic_fetch_add_explicit(&registry->refs, 1, memory_order_relaxed);
    return registry;
}

void rm_node_registry_destroy(rm_node_registry **registry) {
    struct rm_node_registry *r = registry ? *registry : NULL;
    if (!r)
        return;
    *registry = NULL;
    if (atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1)
        return;
    while (r->plugin_count > 0)
        dlclose(r->plugins[--r->plugin_count]);
    free(r->plugins);
    free(r->classes);
    pthread_mutex_destroy(&r->mutex);
    free(r);
}

static rm_err fail(char *detail, size_t size, rm_err err, const char *format, ...) {
    va_list args;
    if (!detail || size == 0)
        return err;
    va_start(args, format);
    vsnprintf(detail, size, format, args);
    va_end(args);
    return err;
}

static bool name_valid(const char *name) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    return name && name[0] && strlen(name) <= CLASS_NAME_MAX && strspn(name, allowed) == strlen(name);
}

static rm_err check_class(const rm_node_class *c, char *detail, size_t size) {
    if (!c)
        return fail(detail, size, RM_E_INVALID_ARG, "the class is NULL");
    if (c->abi_version != RM_NODE_ABI_VERSION || c->struct_size < sizeof *c)
        return fail(detail, size, RM_E_UNSUPPORTED,
                    "made for version %u of the node interface, this library has version %d; build it anew",
                    (unsigned)c->abi_version, RM_NODE_ABI_VERSION);
    if (!name_valid(c->name))
        return fail(detail, size, RM_E_INVALID_ARG, "the name of a node type must be 1..64 letters, digits, _ - .");
    if (!c->process || !c->summary || (c->param_count > 0 && !c->params) || c->param_count > PARAMS_MAX)
        return fail(detail, size, RM_E_INVALID_ARG, "%s: summary, process or params is missing", c->name);
    for (size_t i = 0; i < c->param_count; i++)
        if (!rmi_param_valid(&c->params[i]))
            return fail(detail, size, RM_E_INVALID_ARG, "%s: parameter %zu (%s) is not well formed", c->name, i,
                        c->params[i].name ? c->params[i].name : "no name");
    return RM_OK;
}

static const rm_node_class *find_locked(const struct rm_node_registry *r, const char *name) {
    for (size_t i = 0; i < r->class_count; i++)
        if (!strcmp(r->classes[i]->name, name))
            return r->classes[i];
    return NULL;
}

static int by_name(const void *a, const void *b) {
    const rm_node_class *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* All or none. */
static rm_err add_all(struct rm_node_registry *r, const rm_node_class *const *classes, size_t count, char *detail,
                      size_t size) {
    rm_err err = RM_OK;
    for (size_t i = 0; !err && i < count; i++) {
        err = check_class(classes[i], detail, size);
        for (size_t k = 0; !err && k < i; k++)
            if (!strcmp(classes[k]->name, classes[i]->name))
                err = fail(detail, size, RM_E_EXISTS, "node type \"%s\" is there twice", classes[i]->name);
    }
    if (err)
        return err;
    pthread_mutex_lock(&r->mutex);
    for (size_t i = 0; !err && i < count; i++)
        if (find_locked(r, classes[i]->name))
            err = fail(detail, size, RM_E_EXISTS, "node type \"%s\" is already known", classes[i]->name);
    const rm_node_class **grown = err ? NULL : realloc(r->classes, (r->class_count + count) * sizeof *grown);
    if (!err && !grown)
        err = fail(detail, size, RM_E_NO_MEMORY, "no memory");
    if (!err) {
        r->classes = grown;
        memcpy(grown + r->class_count, classes, count * sizeof *grown);
        r->class_count += count;
        qsort(grown, r->class_count, sizeof *grown, by_name);
    }
    pthread_mutex_unlock(&r->mutex);
    return err;
}

rm_err rm_node_registry_add(rm_node_registry *registry, const rm_node_class *node_class, char *detail,
                            size_t detail_size) {
    if (!registry)
        return RM_E_INVALID_ARG;
    return add_all(registry, &node_class, 1, detail, detail_size);
}

static rm_err keep_plugin(struct rm_node_registry *r, void *handle) {
    pthread_mutex_lock(&r->mutex);
    void **grown = realloc(r->plugins, (r->plugin_count + 1) * sizeof *grown);
    if (grown) {
        r->plugins = grown;
        grown[r->plugin_count++] = handle;
    }
    pthread_mutex_unlock(&r->mutex);
    return grown ? RM_OK : RM_E_NO_MEMORY;
}

static rm_err load(struct rm_node_registry *r, void *handle, const char *path, char *detail, size_t size) {
    rm_node_plugin_fn plugin;
    void *symbol = dlsym(handle, RM_NODE_PLUGIN_SYMBOL);
    if (!symbol)
        return fail(detail, size, RM_E_NOT_FOUND, "%s does not export " RM_NODE_PLUGIN_SYMBOL, path);
    memcpy(&plugin, &symbol, sizeof plugin); /* POSIX: data and code pointers are of one size; ISO C has no cast */
    size_t count = 0;
    const rm_node_class *const *classes = plugin(RM_NODE_ABI_VERSION, &count);
    if (!classes)
        return fail(detail, size, RM_E_UNSUPPORTED, "%s does not serve version %d of the node interface", path,
                    RM_NODE_ABI_VERSION);
    if (count == 0 || count > PLUGIN_CLASSES_MAX)
        return fail(detail, size, RM_E_NOT_FOUND, "%s names %zu node types", path, count);
    return add_all(r, classes, count, detail, size);
}

rm_err rm_node_registry_load(rm_node_registry *registry, const char *path, char *detail, size_t detail_size) {
    if (!registry || !path || !strchr(path, '/'))
        return fail(detail, detail_size, RM_E_INVALID_ARG, "write the path with a slash, e.g. ./nodes.so");
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        const char *reason = dlerror();
        return fail(detail, detail_size, RM_E_IO, "%s", reason ? reason : path);
    }
    /* Kept before its classes are known to anybody; a plug-in that is refused is let go again. */
    rm_err err = keep_plugin(registry, handle);
    if (err) {
        dlclose(handle);
        return err;
    }
    err = load(registry, handle, path, detail, detail_size);
    if (err) {
        pthread_mutex_lock(&registry->mutex);
        for (size_t i = registry->plugin_count; i-- > 0;)
            if (registry->plugins[i] == handle) {
                registry->plugins[i] = registry->plugins[--registry->plugin_count];
                break;
            }
        pthread_mutex_unlock(&registry->mutex);
        dlclose(handle);
    }
    return err;
}

/* The lock does not change what the caller sees: const for the interface, not for the mutex. */
static pthread_mutex_t *lock_of(const rm_node_registry *registry) {
    return &((struct rm_node_registry *)registry)->mutex;
}

size_t rm_node_registry_count(const rm_node_registry *registry) {
    pthread_mutex_lock(lock_of(registry));
    size_t count = registry->class_count;
    pthread_mutex_unlock(lock_of(registry));
    return count;
}

const rm_node_class *rm_node_registry_get(const rm_node_registry *registry, size_t index) {
    pthread_mutex_lock(lock_of(registry));
    const rm_node_class *c = index < registry->class_count ? registry->classes[index] : NULL;
    pthread_mutex_unlock(lock_of(registry));
    return c;
}

const rm_node_class *rm_node_registry_find(const rm_node_registry *registry, const char *name) {
    pthread_mutex_lock(lock_of(registry));
    const rm_node_class *c = name ? find_locked(registry, name) : NULL;
    pthread_mutex_unlock(lock_of(registry));
    return c;
}

const char *rmi_registry_near(const rm_node_registry *registry, const char *name) {
    struct rmi_suggest s = rmi_suggest_init(name);
    pthread_mutex_lock(lock_of(registry));
    for (size_t i = 0; i < registry->class_count; i++)
        rmi_suggest_offer(&s, registry->classes[i]->name);
    pthread_mutex_unlock(lock_of(registry));
    return s.best;
}
