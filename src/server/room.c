/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/room.h"

#include "base/log.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

void room_init(struct room *room, int fd)
{
    room->fd = fd;
    room->taken = 0;
    room->look_ns = 0;
    atomic_init(&room->is_low, false);
    atomic_init(&room->is_gone, false);
}

static bool is_removed(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && st.st_nlink == 0;
}

static void look_for_file(struct room *room)
{
    if (room_code(room) == -EIO || !is_removed(room->fd))
        return;
    log_error("the directory was removed: nothing is taken any more");
    atomic_store_explicit(&room->is_gone, true, memory_order_relaxed);
    atomic_store_explicit(&room->is_low, true, memory_order_relaxed);
}

/* Is less left than is kept, or than a third of what there is at all? A file
 * system that makes its inodes as it needs them says that it has none. */
static bool is_short(uint64_t left, uint64_t total, uint64_t reserve)
{
    return total > 0 && left < (total / 3 < reserve ? total / 3 : reserve);
}

/* A full device that has room again after a removal must be seen soon, and so
 * must one that fills: hence both a time and an amount. */
static void look(struct room *room)
{
    uint64_t left;
    struct statvfs fs;
    bool is_low;

    look_for_file(room);
    if (room_code(room) == -EIO || fstatvfs(room->fd, &fs) != 0)
        return;
    left = (uint64_t)fs.f_bavail * fs.f_frsize;
    is_low = is_short(left, (uint64_t)fs.f_blocks * fs.f_frsize,
                      ROOM_RESERVE) ||
             is_short(fs.f_favail, fs.f_files, ROOM_INODES);
    if (is_low != room_is_low(room))
        log_warn("%llu MiB and %llu inodes left: data and new names are %s",
                 (unsigned long long)(left >> 20),
                 (unsigned long long)fs.f_favail,
                 is_low ? "refused" : "taken again");
    atomic_store_explicit(&room->is_low, is_low, memory_order_relaxed);
}

uint64_t room_reserve(const struct room *room)
{
    struct statvfs fs;
    uint64_t third;

    if (room->fd < 0 || fstatvfs(room->fd, &fs) != 0)
        return 0;
    third = (uint64_t)fs.f_blocks * fs.f_frsize / 3;
    return third < ROOM_RESERVE ? third : ROOM_RESERVE;
}

bool room_take(struct room *room, uint64_t bytes, uint64_t now_ns)
{
    if (room->fd < 0)
        return true;
    room->taken += bytes;
    if (room->taken >= ROOM_LOOK_BYTES || now_ns >= room->look_ns) {
        look(room);
        room->taken = 0;
        room->look_ns = now_ns + ROOM_LOOK_NS;
    }
    return !room_is_low(room);
}
