/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The files of a store that are open or in use, found by inode number: a fixed
 * number of slots, so that nothing is allocated on the data path.
 *
 * A file is busy from file_table_get() to file_table_put(). A quiet file that
 * is open stays, least recently used first to go; one that is closed is
 * forgotten. That a file does not exist is remembered apart, for the last
 * FILE_ABSENT_MAX or so: many objects are never written.
 *
 * Units    inode numbers, file descriptors.
 * Threads  one owner thread.
 * Failure  only file_table_init() can fail.
 */
#ifndef CAPSTAN_STORE_FILE_TABLE_H
#define CAPSTAN_STORE_FILE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILE_ABSENT_MAX 32768u /* of each part */
#define FILE_PARTS 2u
#define FILE_PATH_LEN 24 /* "ab/0123456789abcdef.sum" with its end */

struct obj_io;

struct file {
    uint64_t ino;
    uint8_t part;
    int fd;                 /* -1: closed */
    int direct_fd;          /* the same with O_DIRECT; -1: not opened */
    unsigned transfers;     /* so far, of those that the owner counts */
    unsigned registered;    /* the owner's: 1 for fd, 2 for direct_fd */
    char *map;              /* the owner's: the file's bytes, or NULL */
    uint64_t map_len;
    bool is_busy;           /* the table's: got and not put */
    bool is_opening;        /* an open is under way */
    bool is_creating;       /* and would create the file */
    bool is_absent;         /* known not to exist */
    bool is_read_only;      /* fd is, for the file system is */
    bool is_held;           /* no operation may start now */
    unsigned running;       /* operations that have started */
    struct obj_io *waiting; /* operations that have not, in order */
    struct obj_io **waiting_end;
    struct file *chain; /* same bucket, or next free slot */
    struct file *newer; /* the order of use, while quiet */
    struct file *older;
    char path[FILE_PATH_LEN]; /* below the objects directory */
};

struct file_table {
    struct file *files;
    struct file **buckets;
    size_t bucket_mask;
    struct file *free;
    uint64_t *absent;  /* [part][place by number]: an inode number, or 0 */
    struct file quiet; /* ring: .newer is the oldest, .older the newest */
    unsigned nquiet;
    unsigned quiet_max;
    void (*closing)(void *ctx, struct file *file); /* NULL, or called before */
    void *closing_ctx;
};

/** Which of the table's files it is: 0 .. busy_max + quiet_max - 1. */
static inline unsigned file_index(const struct file_table *table,
                                  const struct file *file)
{
    return (unsigned)(file - table->files);
}

/**
 * Make a table for busy_max busy and quiet_max quiet files.
 *
 * @return 0 or -ENOMEM.
 */
int file_table_init(struct file_table *table, unsigned busy_max,
                    unsigned quiet_max);

/** Close the quiet files and free the table; none may be busy. */
void file_table_fini(struct file_table *table);

/** The file of an object if it is in the table, as it is; else NULL. */
struct file *file_table_find(struct file_table *table, uint64_t ino,
                             uint8_t part);

/** Find a part of an object, or take a slot for it; at most busy_max may be
 *  busy. */
struct file *file_table_get(struct file_table *table, uint64_t ino,
                            uint8_t part);

/** A busy file has nothing left to do. */
void file_table_put(struct file_table *table, struct file *file);

/** Nothing but what is done through this table makes the file that is not
 * there: file_table_get() then says so. */
void file_table_note_absent(struct file_table *table, uint64_t ino,
                            uint8_t part);

/** It was made. */
void file_table_note_made(struct file_table *table, uint64_t ino, uint8_t part);

/** Close the file that was quiet for longest. @return false if none is. */
bool file_table_evict(struct file_table *table);

/** Close the descriptors that are open. */
void file_close(struct file_table *table, struct file *file);

/** The shard directory of an inode number. */
unsigned file_shard(uint64_t ino);

#endif
