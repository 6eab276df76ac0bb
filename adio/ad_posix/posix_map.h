/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A file's pages in the page cache as memory: what ranks of a node share
 * already. A window of the file is mapped, and kept from one read to the next
 * with its page tables.
 *
 * Units    bytes.
 * Threads  as adio.h: one thread at a time a file.
 * Failure  nothing is ever wrong without the mapping: whoever is told "no"
 *          reads by system calls.
 */
#ifndef CAPSTAN_ADIO_POSIX_MAP_H
#define CAPSTAN_ADIO_POSIX_MAP_H

#include "adio/ad_posix/posix_io.h"

struct posix_map {
    char *base;      /* NULL: nothing is mapped */
    uint64_t offset; /* in the file */
    uint64_t length;
    uint64_t end; /* below it the file's bytes were found to be there */
};

#define POSIX_MAP_MAX (1ull << 30) /* of a window */

/** Map what the file has of these runs, unless it is, and set map->end. @return
 *  false: it cannot be. */
bool posix_map_cover(struct posix_map *map, int fd, const struct run *runs,
                     size_t nruns);

/** May this process be told which pages of the file are in memory? */
bool posix_map_may_ask(int fd);

/** Are the blocks of ascending runs below `end`, which is mapped, in memory,
 * with what lies between them? */
bool posix_map_is_resident(const struct posix_map *map, const struct run *runs,
                           size_t nruns, uint64_t end);

/** As posix_io_start(), for posix_map_move(). */
void posix_map_start(const struct posix_map *map, struct posix_io *io, int fd,
                     const struct run *runs, size_t nruns);

/**
 * As posix_io_move(), out of the mapping.
 *
 * @return -EAGAIN: the pages gave way, the file has become shorter, or the thread
 *         cannot be guarded any more (base/guarded.h).
 */
int posix_map_move(const struct posix_map *map, struct posix_io *io,
                   uint64_t slice, bool *done_out);

void posix_map_close(struct posix_map *map);

#endif
