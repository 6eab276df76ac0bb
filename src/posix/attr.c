/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One table of types, read both ways.
 */
#include "posix/attr.h"

#include "base/clock.h"

#include <string.h>

#define SECTOR 512u     /* of st_blocks */
#define BLOCK 4096u     /* of statvfs */
#define IO_SIZE 1048576 /* st_blksize: what is best read and written at once   \
                         */
#define NAME_LEN_MAX 255

static const struct {
    enum capstan_type ours;
    mode_t theirs;
} types[] = {
    {CAPSTAN_FILE, S_IFREG},    {CAPSTAN_DIRECTORY, S_IFDIR},
    {CAPSTAN_SYMLINK, S_IFLNK}, {CAPSTAN_FIFO, S_IFIFO},
    {CAPSTAN_SOCKET, S_IFSOCK}, {CAPSTAN_CHAR, S_IFCHR},
    {CAPSTAN_BLOCK, S_IFBLK},
};

#define TYPES (sizeof(types) / sizeof(types[0]))

mode_t attr_type(enum capstan_type type)
{
    for (size_t i = 0; i < TYPES; i++)
        if (types[i].ours == type)
            return types[i].theirs;
    return S_IFREG;
}

enum capstan_type attr_type_of(mode_t mode)
{
    for (size_t i = 0; i < TYPES; i++)
        if (types[i].theirs == (mode & S_IFMT))
            return types[i].ours;
    return CAPSTAN_FILE;
}

void attr_set(struct stat *attr_out, const struct capstan_stat *stat)
{
    *attr_out = (struct stat){
        .st_ino = stat->ino,
        .st_mode = attr_type(stat->type) | (stat->mode & 07777),
        .st_nlink = stat->nlink,
        .st_uid = stat->uid,
        .st_gid = stat->gid,
        .st_rdev = stat->rdev,
        .st_size = (off_t)stat->size,
        .st_blksize = IO_SIZE,
        .st_blocks = (blkcnt_t)((stat->size + SECTOR - 1) / SECTOR),
        .st_atim = clock_timespec(stat->atime_ns),
        .st_mtim = clock_timespec(stat->mtime_ns),
        .st_ctim = clock_timespec(stat->ctime_ns),
    };
}

void attr_statvfs_set(struct statvfs *out, const struct capstan_statfs *space)
{
    memset(out, 0, sizeof(*out));
    out->f_bsize = BLOCK;
    out->f_frsize = BLOCK;
    out->f_blocks = space->total_bytes / BLOCK;
    out->f_bfree = space->free_bytes / BLOCK;
    out->f_bavail = out->f_bfree;
    out->f_namemax = NAME_LEN_MAX;
}
