/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/room.h"

#include "base/log.h"

#include <sys/statvfs.h>

void room_init(struct room *room, int fd)
{
    room->fd = fd;
    room->taken = 0;
    room->look_ns = 0;
    atomic_init(&room->is_low, false);
}

/* A full device that has room again after a removal must be seen soon, and so
 * must one that fills: hence both a time and an amount. */
static void look(struct room *room)
{
    uint64_t total, left, reserve = ROOM_RESERVE;
    struct statvfs fs;
    bool is_low;

    if (fstatvfs(room->fd, &fs) != 0)
        return;
    total = (uint64_t)fs.f_blocks * fs.f_frsize;
    left = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (total / 3 < reserve)
        reserve = total / 3;
    is_low = left < reserve;
    if (is_low != room_is_low(room))
        log_warn("%llu MiB left: data and new names are %s",
                 (unsigned long long)(left >> 20),
                 is_low ? "refused" : "taken again");
    atomic_store_explicit(&room->is_low, is_low, memory_order_relaxed);
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
