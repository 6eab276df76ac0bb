/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Appending.
 *
 * The happy path: a lock at the file's first target, on a place that no byte of
 * a file can have, so that appenders exclude each other and nobody else; the
 * size is asked, the bytes are written there, the lock goes.
 *
 * Possible failure modes are: the lock was lost while the bytes were written
 * (-ESTALE: another may have appended at the same place; the caller may read
 * and see).
 */
#include "client/file.h"

#define APPEND_AT ((uint64_t)INT64_MAX - 1)

static int take_lock(struct capstan_file *file, struct capstan_lock **lock_out)
{
    struct capstan_session *session = file->session;
    uint64_t deadline = cli_deadline(session);
    char target[CLI_TARGET_TEXT_MAX];
    bool is_held = false;
    int rc = capstan_file_lock_start(file, APPEND_AT, 1, false, lock_out);

    if (rc != 0)
        return rc;
    while (rc == 0 && !is_held) {
        rc = capstan_lock_test(*lock_out, &is_held);
        if (rc != 0 || is_held)
            break;
        if (clock_now(session->clock) > deadline)
            rc = cli_fail(session, -ETIMEDOUT, "append to %s: lock at %s",
                          file->path,
                          cli_target_text(session,
                                          file->inode.layout.targets[0],
                                          target));
        else
            cli_turn(session, deadline);
    }
    if (rc != 0)
        capstan_lock_end(lock_out);
    return rc;
}

int capstan_file_append(struct capstan_file *file, const void *memory,
                        size_t length, uint64_t *end_out)
{
    struct capstan_lock *lock;
    uint64_t size = 0;
    size_t done;
    int rc, unlocked;

    if (!(file->flags & CAPSTAN_OPEN_WRITE))
        return cli_fail(file->session, -EBADF, "append to %s", file->path);
    rc = take_lock(file, &lock);
    if (rc != 0)
        return rc;
    rc = capstan_file_size(file, &size);
    if (rc == 0)
        rc = capstan_file_write(file, size, memory, length, &done);
    unlocked = capstan_lock_end(&lock);
    if (rc == 0)
        rc = unlocked;
    if (rc == 0 && end_out != NULL)
        *end_out = size + length;
    return rc;
}
