/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Overlay is not coherent: a mapping stays with the lower file when that is
 * copied up; nor is zfs, which has a cache of its own.
 */
#include "adio/ad_posix/posix_fs.h"

#include <stddef.h>
#include <sys/vfs.h>

static const struct {
    unsigned long type;
    enum posix_fs kind;
} known[] = {
    {0xef53 /* ext */, POSIX_FS_COHERENT},
    {0x58465342 /* xfs */, POSIX_FS_COHERENT},
    {0x9123683e /* btrfs */, POSIX_FS_COHERENT},
    {0xf2f52010 /* f2fs */, POSIX_FS_COHERENT},
    {0x01021994 /* tmpfs */, POSIX_FS_COHERENT},
    {0x794c7630 /* overlay */, POSIX_FS_LOCAL},
    {0x2fc12fc1 /* zfs */, POSIX_FS_LOCAL},
};

enum posix_fs posix_fs_of(int fd)
{
    struct statfs fs;

    if (fstatfs(fd, &fs) != 0)
        return POSIX_FS_ANYWHERE;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if ((unsigned long)fs.f_type == known[i].type)
            return known[i].kind;
    return POSIX_FS_ANYWHERE;
}
