/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The last of a device's space and inodes, kept for the names.
 *
 * A target that data had filled to the last byte, or the last file, could write
 * no name either: the name store closes when its log finds no room, and does not
 * open before there is some. Then nothing could be removed, and nothing read. So
 * data and new names are refused with -ENOSPC while little is left, and only
 * removing and changing go on.
 *
 * A directory that somebody removed under its server keeps nothing any more: what
 * would change it is refused with -EIO.
 *
 * Units    bytes, nanoseconds.
 * Threads  room_take() on the reactor; room_is_low() anywhere.
 * Failure  a file system that does not tell its space has room.
 */
#ifndef CAPSTAN_SERVER_ROOM_H
#define CAPSTAN_SERVER_ROOM_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define ROOM_RESERVE ((uint64_t)64 << 20)   /* or a third of a small device */
#define ROOM_INODES 4096u                   /* likewise */
#define ROOM_LOOK_BYTES ((uint64_t)4 << 20) /* taken between two looks */
#define ROOM_LOOK_NS (100000000ull)         /* and how old a look may be */

struct room {
    int fd; /* of a file in the target's directory; borrowed. -1: there is always
               room */
    uint64_t taken;
    uint64_t look_ns; /* when to look again; 0: at once */
    atomic_bool is_low;
    atomic_bool is_gone; /* the directory was removed; then is_low too */
};

void room_init(struct room *room, int fd);

/** May this many bytes be written? Looks at the device now and then. */
bool room_take(struct room *room, uint64_t bytes, uint64_t now_ns);

/** How much of the device is to be left: what room_take() goes by. */
uint64_t room_reserve(const struct room *room);

/** The code with which to refuse when there is none. */
static inline int room_code(const struct room *room)
{
    return atomic_load_explicit(&room->is_gone, memory_order_relaxed) ? -EIO
                                                                      : -ENOSPC;
}

/** What the last look saw. */
static inline bool room_is_low(const struct room *room)
{
    return atomic_load_explicit(&room->is_low, memory_order_relaxed);
}

#endif
