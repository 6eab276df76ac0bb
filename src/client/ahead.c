/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Small files that come along when they are opened.
 *
 * The happy path: the open asked for the first CLI_AHEAD_MAX bytes, and they
 * were all there is; reads within CLI_DIRS_TTL_NS are answered from them.
 *
 * Possible failure modes are: the file is larger, or striped, or changed by this
 * session, or the time is over: the servers are asked as always.
 */
#include "client/file.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

static void drop(struct capstan_file *file)
{
    free(file->ahead);
    file->ahead = NULL;
}

bool cli_ahead_read(struct capstan_file *file, uint64_t offset, void *memory,
                    size_t length, size_t *done_out)
{
    size_t done = 0;

    if (file->ahead == NULL)
        return false;
    if (clock_now(file->session->clock) >= file->ahead_until_ns) {
        drop(file);
        return false;
    }
    if (offset < file->ahead_len)
        done = file->ahead_len - offset < length ? file->ahead_len - offset
                                                 : length;
    if (done > 0)
        memcpy(memory, file->ahead + offset, done);
    file->session->bytes_read += done;
    *done_out = done;
    return true;
}

void cli_ahead_drop(struct capstan_session *session, uint64_t ino)
{
    struct capstan_file *file;

    DL_FOREACH(session->files, file)
        if (file->inode.ino == ino && file->ahead != NULL)
            drop(file);
}
