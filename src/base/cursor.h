/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_BASE_CURSOR_H
#define RMI_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The one way to read bytes from the network: bounds-checked, big-endian, with a sticky error. After a read past the
 * end `failed` is set, every later read gives zero or NULL, and the position stays. Check `failed` once at the end. */
struct rmi_rd {
    const uint8_t *data;
    size_t len;
    size_t pos;
    bool failed;
};

struct rmi_rd rmi_rd_init(const void *data, size_t len);
size_t rmi_rd_left(const struct rmi_rd *r);
uint8_t rmi_rd_u8(struct rmi_rd *r);
uint16_t rmi_rd_u16(struct rmi_rd *r);
uint32_t rmi_rd_u24(struct rmi_rd *r);
uint32_t rmi_rd_u32(struct rmi_rd *r);
uint64_t rmi_rd_u64(struct rmi_rd *r);
/* Pointer to the next n bytes inside the input (not copied), or NULL with `failed` set. n = 0 gives a non-NULL pointer.
 */
const uint8_t *rmi_rd_bytes(struct rmi_rd *r, size_t n);
void rmi_rd_skip(struct rmi_rd *r, size_t n);
/* A cursor over the next n bytes, which are consumed here; a failed one when they are not there. */
struct rmi_rd rmi_rd_sub(struct rmi_rd *r, size_t n);

/* The writing twin: fixed capacity, sticky error, nothing written past the end. */
struct rmi_wr {
    uint8_t *data;
    size_t cap;
    size_t pos;
    bool failed;
};

struct rmi_wr rmi_wr_init(void *data, size_t cap);
void rmi_wr_u8(struct rmi_wr *w, uint8_t v);
void rmi_wr_u16(struct rmi_wr *w, uint16_t v);
void rmi_wr_u24(struct rmi_wr *w, uint32_t v);
void rmi_wr_u32(struct rmi_wr *w, uint32_t v);
void rmi_wr_u64(struct rmi_wr *w, uint64_t v);
void rmi_wr_bytes(struct rmi_wr *w, const void *data, size_t n);
void rmi_wr_zero(struct rmi_wr *w, size_t n);
/* Overwrite two bytes already written at `at` (length fields). Sets `failed` when at + 2 > pos. */
void rmi_wr_patch_u16(struct rmi_wr *w, size_t at, uint16_t v);

#endif
