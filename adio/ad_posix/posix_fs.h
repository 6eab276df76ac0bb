/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a file system says of where a file's pages are cached (statfs(2)).
 *
 * Threads  any.
 * Failure  none: what is not known may be anywhere.
 */
#ifndef CAPSTAN_ADIO_POSIX_FS_H
#define CAPSTAN_ADIO_POSIX_FS_H

enum posix_fs {
    POSIX_FS_ANYWHERE, /* on other machines too */
    POSIX_FS_LOCAL,    /* on this machine alone */
    POSIX_FS_COHERENT, /* and a mapping is the same pages that a read looks at
                        */
};

/** Of which kind is the file system of an open file? */
enum posix_fs posix_fs_of(int fd);

#endif
