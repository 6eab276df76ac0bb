/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Attributes in their public form.
 *
 * Threads  pure; any.
 * Failure  none.
 */
#ifndef CAPSTAN_CLIENT_NAMES_H
#define CAPSTAN_CLIENT_NAMES_H

#include "client/cli.h"

/** Public attributes of an inode whose data has this size and time. */
void cli_stat_set(struct capstan_stat *stat, const struct inode *inode,
                  uint64_t size, uint64_t mtime_ns);

#endif
