/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lending an object's bytes from a mapping of its file (obj_lend).
 *
 * Threads  the store's owner.
 * Failure  what cannot be lent is NULL, and is read.
 */
#ifndef CAPSTAN_STORE_LEND_URING_H
#define CAPSTAN_STORE_LEND_URING_H

#include "store/verbs_uring.h"

/** The driver's lend(). */
const void *lend_bytes(struct uring_store *store, uint64_t ino, uint64_t offset,
                       size_t length);

/** Drop the mapping: the file is closed or cut. */
void lend_end(struct file *file);

#endif
