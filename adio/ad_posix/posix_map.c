/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The happy path: cover() maps a window around what is wanted, is_resident()
 * asks the kernel about its pages, move() copies under a guard, and looks at
 * the end whether the file is as long as at the start. A file that has grown is
 * covered by the same window, which reaches beyond its end.
 *
 * Possible failure modes: pages give way (another process cuts the file, the
 * device fails, memory is bad), or the guard is gone: move() says so, wherever
 * it had come to. Pages that are dropped between the question and the copy are
 * read again by whoever touches them first.
 */
#include "adio/ad_posix/posix_map.h"

#include "base/guarded.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW_ALIGN (64ull << 20)
#define PAGES_ASKED 4096 /* by one call */
/* Not worth a call to leave out what lies between. */
#define NEAR (256ull << 10)

/* As the kernel decides (mm/mincore.c): who may not gets "all are". */
bool posix_map_may_ask(int fd)
{
    char path[64];
    struct stat st;

    if (fstat(fd, &st) != 0)
        return false;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return st.st_uid == geteuid() ||
           faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0;
}

static uint64_t size_of(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static bool map_anew(struct posix_map *map, int fd, uint64_t lo, uint64_t hi)
{
    uint64_t begin = lo / WINDOW_ALIGN * WINDOW_ALIGN;
    uint64_t length =
        (hi - begin + WINDOW_ALIGN - 1) / WINDOW_ALIGN * WINDOW_ALIGN;
    void *base;

    posix_map_close(map);
    if (length > POSIX_MAP_MAX)
        return false;
    base = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, (off_t)begin);
    if (base == MAP_FAILED)
        return false;
    *map = (struct posix_map){.base = base, .offset = begin, .length = length};
    return true;
}

bool posix_map_cover(struct posix_map *map, int fd, const struct run *runs,
                     size_t nruns)
{
    uint64_t lo = UINT64_MAX, hi = 0, size = size_of(fd);

    for (size_t i = 0; i < nruns; i++) {
        if (runs[i].offset < lo)
            lo = runs[i].offset;
        if (run_end(&runs[i]) > hi)
            hi = run_end(&runs[i]);
    }
    if (hi > size)
        hi = size;
    if (lo < hi &&
        (map->base == NULL || lo < map->offset ||
         hi > map->offset + map->length) &&
        !map_anew(map, fd, lo, hi))
        return false;
    map->end = lo < hi ? hi : 0;
    return true;
}

static bool is_range_resident(const struct posix_map *map, uint64_t lo,
                              uint64_t hi)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    unsigned char states[PAGES_ASKED];

    for (lo = lo / page * page; lo < hi; lo += PAGES_ASKED * page) {
        uint64_t length = hi - lo;

        if (length > PAGES_ASKED * page)
            length = PAGES_ASKED * page;
        if (mincore(map->base + (lo - map->offset), length, states) != 0)
            return false;
        for (uint64_t i = 0; i * page < length; i++)
            if ((states[i] & 1) == 0)
                return false;
    }
    return true;
}

bool posix_map_is_resident(const struct posix_map *map, const struct run *runs,
                           size_t nruns, uint64_t end)
{
    for (size_t i = 0; i < nruns && runs[i].offset < end; i++) {
        uint64_t lo = runs[i].offset, hi = run_end(&runs[i]);

        while (i + 1 < nruns && runs[i + 1].offset <= hi + NEAR)
            if (run_end(&runs[++i]) > hi)
                hi = run_end(&runs[i]);
        if (!is_range_resident(map, lo, hi < end ? hi : end))
            return false;
    }
    return true;
}

void posix_map_start(const struct posix_map *map, struct posix_io *io, int fd,
                     const struct run *runs, size_t nruns)
{
    posix_io_start(io, fd, false, runs, nruns, 0);
    io->end = map->end;
}

struct copy {
    const struct posix_map *map;
    struct posix_io *io;
    uint64_t slice;
};

static void copy_blocks(void *arg)
{
    struct copy *copy = arg;
    struct posix_io *io = copy->io;
    uint64_t offset, length;
    void *mem;

    while (copy->slice > 0 && posix_io_peek(io, &offset, &length, &mem)) {
        if (length > copy->slice)
            length = copy->slice;
        memcpy(mem, copy->map->base + (offset - copy->map->offset), length);
        posix_io_advance(io, length);
        copy->slice -= length;
    }
}

int posix_map_move(const struct posix_map *map, struct posix_io *io,
                   uint64_t slice, bool *done_out)
{
    struct copy copy = {.map = map, .io = io, .slice = slice};
    bool is_whole = io->end == 0;

    /* The program may have done something about SIGBUS since the last slice. */
    if (io->end > 0 && guarded_is_possible())
        is_whole = guarded_call(map->base, map->length, copy_blocks, &copy);
    /* What is cut off within a page reads as zeros, without a fault. */
    *done_out = !is_whole || copy.slice > 0;
    if (!is_whole || (*done_out && size_of(io->fd) < io->end))
        return -EAGAIN;
    return 0;
}

void posix_map_close(struct posix_map *map)
{
    if (map->base != NULL)
        munmap(map->base, map->length);
    *map = (struct posix_map){0};
}
