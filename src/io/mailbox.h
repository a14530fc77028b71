/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_IO_MAILBOX_H
#define RMI_IO_MAILBOX_H

#include <remotemedia/error.h>
#include <stddef.h>

/* A bounded queue of equally sized items from one thread to another, with a descriptor that is readable while items
 * wait. Every function may be called from any thread, except destroy. */
struct rmi_mailbox;

/* RM_E_NO_MEMORY, RM_E_IO (no descriptor left). */
rm_err rmi_mailbox_create(size_t item_bytes, size_t max_items, struct rmi_mailbox **out);
/* Nobody may be waiting. Accepts NULL. */
void rmi_mailbox_destroy(struct rmi_mailbox **mailbox);
/* Copies the item in; the oldest one goes when the box is full. RM_E_NO_MEMORY, RM_E_CLOSED. */
rm_err rmi_mailbox_push(struct rmi_mailbox *mailbox, const void *item);
/* Copies the oldest item out. timeout_ms 0 = do not wait, negative = for ever. RM_E_AGAIN: none in that time.
 * RM_E_CLOSED: closed and empty. */
rm_err rmi_mailbox_pop(struct rmi_mailbox *mailbox, void *item, int timeout_ms);
/* No more pushes; waiters wake once it is empty. The descriptor stays readable. */
void rmi_mailbox_close(struct rmi_mailbox *mailbox);
int rmi_mailbox_fd(const struct rmi_mailbox *mailbox);

#endif
