/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The way to the kernel: a mounted session of libfuse whose first exchange we
 * read along.
 *
 * Since 6.6 Linux can map files that are otherwise read past its page cache, if
 * asked for it in the answer to INIT, by a flag that libfuse 3.14 does not
 * know.
 *
 * Threads  channel_mount() in the main one, before the crew starts.
 * Failure  libfuse says it on stderr.
 */
#ifndef CAPSTAN_POSIX_FUSE_CHANNEL_H
#define CAPSTAN_POSIX_FUSE_CHANNEL_H

#include "posix/fuse_fs.h"

/** Mount. @return 0 or -1. */
int channel_mount(struct fuse_session *fuse, const char *point);

/** What the mount wants of the kernel: for the operation `init`. */
void channel_want(struct fuse_fs *fs, struct fuse_conn_info *conn);

#endif
