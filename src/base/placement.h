/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which target owns a directory entry. Client and servers compute the same
 * answer from the same target list, so nobody is asked.
 *
 * Units    targets are ids, ascending, as the cluster map lists them.
 * Threads  pure; any.
 * Failure  none; a list of no targets is a bug of the caller.
 */
#ifndef CAPSTAN_BASE_PLACEMENT_H
#define CAPSTAN_BASE_PLACEMENT_H

#include "base/inode.h"

#include <stddef.h>
#include <stdint.h>

/**
 * The fan-out of a directory: the targets over which its entries are hashed.
 * They follow one another in the list, from a place chosen by the directory.
 *
 * @param targets     every target id of the cluster, ascending; n >= 1.
 * @param fanout_out  min(FANOUT_MAX, n) distinct ids.
 * @return how many.
 */
unsigned placement_fanout(uint64_t dir_ino, const uint16_t *targets, unsigned n,
                          uint16_t fanout_out[FANOUT_MAX]);

/** The target that owns the record of a name in a directory. */
uint16_t placement_owner(uint64_t parent, const char *text, size_t len,
                         const uint16_t *targets, unsigned n);

/**
 * The targets of a new file. Its record keeps them, so nobody computes them
 * again.
 *
 * @param owner        its entry's owner: column 0; the others follow in the ring.
 * @param width        1 .. min(n, LAYOUT_WIDTH_MAX).
 * @param columns_out  width distinct ids.
 */
void placement_columns(uint16_t owner, const uint16_t *targets, unsigned n,
                       unsigned width, uint16_t *columns_out);

#endif
