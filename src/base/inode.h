/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a name stands for: inode number, attributes and layout, and where the
 * bytes of a file lie. Shared by the wire, the name store, client and server.
 *
 * Units    bytes; times in nanoseconds since the epoch.
 * Threads  pure functions; any thread.
 * Failure  none of the mapping functions fails; layout_check says -EINVAL.
 */
#ifndef CAPSTAN_BASE_INODE_H
#define CAPSTAN_BASE_INODE_H

#include <stdbool.h>
#include <stdint.h>

#define NAME_LEN_MAX 255       /* bytes in one name */
#define PATH_LEN_MAX 4096      /* bytes in one path */
#define LAYOUT_WIDTH_MAX 64    /* targets of one file */
#define FANOUT_MAX 8           /* targets of one directory's entries */
#define TARGETS_MAX 65535      /* target ids are 1 .. 65535 */
#define STRIPE_SIZE_MIN 4096u  /* and a multiple of it */
#define STRIPE_SIZE_MAX (1u << 30)
#define INO_ROOT 1ull

#define SYMLINK_MAX 4095      /* bytes of a symbolic link's text */
#define LINKS_MAX 65000u      /* names of one inode */

/* On disk and on the wire too. */
enum inode_type {
    INODE_FILE = 1,
    INODE_DIR = 2,
    INODE_SYMLINK = 3,
    INODE_FIFO = 4,
    INODE_SOCKET = 5,
    INODE_CHAR = 6,
    INODE_BLOCK = 7,
};
#define INODE_TYPE_MAX INODE_BLOCK

/**
 * Where a file's bytes lie. Column c is targets[c]; stripe s lies on column
 * s % width. A stuffed file has all of its bytes on column 0.
 */
struct layout {
    uint32_t stripe_size;
    uint16_t width;    /* number of columns; 0: no file */
    uint16_t replicas; /* copies of each stripe: 1 */
    bool is_striped;   /* false: stuffed */
    uint16_t targets[LAYOUT_WIDTH_MAX];
};

struct inode {
    uint64_t ino;
    enum inode_type type;
    uint32_t mode; /* permission bits only */
    uint32_t uid;
    uint32_t gid;
    uint32_t nlink;   /* names; of a directory 2, without its children */
    uint64_t parent;  /* of a directory */
    uint64_t special; /* device number; length of a symbolic link's text; of a
                         file or directory: may have extended attributes */
    int64_t atime_ns;
    int64_t mtime_ns;
    int64_t ctime_ns;
    uint64_t object_ns; /* objects changed no later say nothing of mtime: it
                           was set after that */
    struct layout layout;
};

/** Is every field in range? @return 0 or -EINVAL. */
int layout_check(const struct layout *layout);

/** How many columns hold bytes: 1 while stuffed, else the width. */
static inline unsigned layout_columns(const struct layout *layout)
{
    return layout->is_striped ? layout->width : 1;
}

/**
 * The extent of a column's object that ends at the file's byte `size`:
 * how long that object is if the file is exactly `size` bytes without holes.
 *
 * @param columns  layout_columns().
 */
uint64_t layout_object_size(uint32_t stripe_size, unsigned columns,
                            unsigned column, uint64_t size);

/** The file's end as seen by one column whose object is object_size long. */
uint64_t layout_file_end(uint32_t stripe_size, unsigned columns,
                         unsigned column, uint64_t object_size);

/**
 * Find the first byte at or after file offset `offset` that lies on `column`.
 *
 * @param object_offset_out  where it lies in that column's object.
 * @param length_out         bytes from there to the end of its stripe.
 * @return its file offset.
 */
uint64_t layout_map(uint32_t stripe_size, unsigned columns, unsigned column,
                    uint64_t offset, uint64_t *object_offset_out,
                    uint64_t *length_out);

/** The target that issued an inode number (its owner at creation). */
static inline uint16_t ino_target(uint64_t ino)
{
    return (uint16_t)(ino >> 48);
}

/**
 * The target that keeps an inode, for ever: the one that issued its number. The
 * root is kept by the first of the cluster's targets.
 */
static inline uint16_t ino_home(uint64_t ino, const uint16_t *targets)
{
    return ino == INO_ROOT ? targets[0] : ino_target(ino);
}

/** The n-th number (1 .. 2^48 - 1) that a target issues. */
static inline uint64_t ino_make(uint16_t target, uint64_t n)
{
    return ((uint64_t)target << 48) | n;
}

#endif
