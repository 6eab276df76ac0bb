/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The identity of a target's directory: the file <directory>/target says which
 * cluster and target the objects and names beside it belong to, so that a
 * wrong path or a device that is not mounted cannot pass for an empty target.
 *
 *     capstan target
 *     format 1
 *     cluster 7d3c1a55
 *     target 3
 *     check 0123456789abcdef     # XXH64 of the lines before, seed 0
 *
 * Threads  any.
 * Failure  refused with a text that names the directory and the reason; a
 *          directory that is refused is not changed.
 */
#ifndef CAPSTAN_SERVER_IDENTITY_H
#define CAPSTAN_SERVER_IDENTITY_H

#include <stddef.h>
#include <stdint.h>

#define IDENTITY_TEXT_MAX 512

/**
 * Check the identity of a directory, or give it one if it is empty, and lock
 * it against other processes.
 *
 * @param text    IDENTITY_TEXT_MAX bytes: on failure, why.
 * @param fd_out  the locked identity file; close(2) unlocks.
 * @return 0, -EINVAL (another identity, damaged, or other things are there),
 *         -ENODEV (its mount is missing), -EBUSY (locked), or -errno of a system call.
 */
int identity_claim(const char *directory, uint64_t cluster, uint16_t target,
                   char *text, int *fd_out);

#endif
