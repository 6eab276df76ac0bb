/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libfuse lets us do its reads and writes. INIT is the first request and its
 * answer the first write; all others pass through unseen.
 *
 * Possible failure modes are: a kernel that does not offer the flag. Then files
 * are read through the page cache, which is emptied when a file is opened and
 * when its time or size has changed since the kernel last looked.
 */
#include "posix/fuse_channel.h"

#include <linux/fuse.h>
#include <stddef.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define DIRECT_IO_ALLOW_MMAP2 (1u << 4) /* 1 << 36, in flags2 */
#define MAX_BACKGROUND                                                         \
    12u /* of the crew's threads; the others stay free for                     \
           what a program waits for */

static bool offers_mmap(const char *request, ssize_t len)
{
    struct fuse_in_header header;
    struct fuse_init_in init;
    size_t need = sizeof(header) + offsetof(struct fuse_init_in, unused);

    if (len < (ssize_t)need)
        return false;
    memcpy(&header, request, sizeof(header));
    memcpy(&init, request + sizeof(header), need - sizeof(header));
    return header.opcode == FUSE_INIT && (init.flags & FUSE_INIT_EXT) &&
           (init.flags2 & DIRECT_IO_ALLOW_MMAP2);
}

static ssize_t channel_read(int fd, void *buffer, size_t room, void *ctx)
{
    struct fuse_fs *fs = ctx;
    ssize_t len = read(fd, buffer, room);

    if (!fs->is_started)
        fs->is_mmap_direct = offers_mmap(buffer, len);
    return len;
}

/* The answer to INIT, as libfuse made it: add our flag. */
static void ask_mmap(struct iovec *iov, int count)
{
    struct fuse_init_out *init;

    if (count < 2 || iov[1].iov_len < sizeof(*init))
        return;
    init = iov[1].iov_base;
    init->flags |= FUSE_INIT_EXT;
    init->flags2 |= DIRECT_IO_ALLOW_MMAP2;
}

static ssize_t channel_writev(int fd, struct iovec *iov, int count, void *ctx)
{
    struct fuse_fs *fs = ctx;

    if (!fs->is_started) {
        if (fs->is_mmap_direct)
            ask_mmap(iov, count);
        fs->is_started = true;
    }
    return writev(fd, iov, count);
}

int channel_mount(struct fuse_session *fuse, const char *point)
{
    static const struct fuse_custom_io io = {.read = channel_read,
                                             .writev = channel_writev};

    if (fuse_session_mount(fuse, point) != 0)
        return -1;
    return fuse_session_custom_io(fuse, &io, fuse_session_fd(fuse)) == 0 ? 0
                                                                         : -1;
}

void channel_want(struct fuse_fs *fs, struct fuse_conn_info *conn)
{
    unsigned want = FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_PARALLEL_DIROPS |
                    FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_ASYNC_DIO |
                    FUSE_CAP_HANDLE_KILLPRIV;
    unsigned refuse = FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
                      FUSE_CAP_SPLICE_MOVE | FUSE_CAP_WRITEBACK_CACHE |
                      FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO;

    /* without a cache the attributes of a listing would be thrown away */
    if (fs->cache_sec > 0)
        want |= FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO;
    conn->want &= ~refuse;
    conn->want |= want & conn->capable;
    conn->max_write = CREW_IO_MAX;
    conn->max_read = CREW_IO_MAX;
    conn->max_background = MAX_BACKGROUND;
    conn->time_gran = 1;
    if (!fs->is_mmap_direct)
        fs->has_pages = true;
}
