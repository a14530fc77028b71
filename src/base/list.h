/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_BASE_LIST_H
#define RMI_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* Intrusive doubly linked list: a node sits inside its owner. A zeroed node is in no list. */
struct rmi_list {
    struct rmi_list *next, *prev;
};

#define RMI_CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Safe against removal of `node` inside the loop body. */
#define RMI_LIST_FOREACH(node, tmp, head)                                                                              \
    for (struct rmi_list *node = (head)->next, *tmp = node->next; node != (head); node = tmp, tmp = node->next)

static inline void rmi_list_init(struct rmi_list *head) {
    head->next = head->prev = head;
}
static inline bool rmi_list_empty(const struct rmi_list *head) {
    return head->next == head;
}
static inline void rmi_list_push_back(struct rmi_list *head, struct rmi_list *node) {
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}
static inline void rmi_list_push_front(struct rmi_list *head, struct rmi_list *node) {
    rmi_list_push_back(head->next, node);
}
/* Harmless on a node that is in no list. */
static inline void rmi_list_remove(struct rmi_list *node) {
    if (node->next) {
        node->prev->next = node->next;
        node->next->prev = node->prev;
        node->next = node->prev = NULL;
    }
}
static inline struct rmi_list *rmi_list_pop_front(struct rmi_list *head) {
    if (rmi_list_empty(head))
        return NULL;
    struct rmi_list *node = head->next;
    rmi_list_remove(node);
    return node;
}

#endif
