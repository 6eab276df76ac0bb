/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A word beside a mount point: the target of this directory lies on what is
 * mounted there. If the mount is missing when the server starts, the empty
 * directory below must not pass for a target that was never started.
 *
 * The file <directory>.mount lies in the directory above. Who wants to begin
 * the target anew, without a mount, removes it.
 *
 * Threads  any.
 * Failure  a mark that cannot be written is none.
 */
#ifndef CAPSTAN_SERVER_MOUNT_MARK_H
#define CAPSTAN_SERVER_MOUNT_MARK_H

#include <stdbool.h>
#include <stdint.h>

/** Does the mark say that a file system is missing here? */
bool mount_mark_misses(const char *directory, uint64_t cluster,
                       uint16_t target);

/** The target is there: leave a mark if it lies on a mount of its own. */
void mount_mark_leave(const char *directory, uint64_t cluster,
                      uint16_t target);

#endif
