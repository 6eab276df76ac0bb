/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Objects: the part of each file that one target holds, named by inode number.
 * One ops table, real (obj_uring: files on the device's file system through
 * io_uring) or simulated (obj_mem: memory that forgets what was not synced).
 *
 * The happy path: obj_submit() queues operations; obj_poll() hands the queue
 * to the device in one batch, reaps what has ended and calls back.
 *
 * An object springs into being when first written and reads as zeros below its
 * size where nothing was written; an object that does not exist has size 0.
 *
 * Possible failure modes are those of the device: -ENOSPC, -EIO, -EROFS,
 * -EFBIG. They concern one operation; the store lives on.
 *
 * Units    bytes. Offsets and lengths need no alignment.
 * Threads  one owner thread a store. Callbacks run in obj_poll() only.
 * Failure  obj_submit() cannot fail; every operation's callback runs once.
 */
#ifndef CAPSTAN_STORE_OBJ_H
#define CAPSTAN_STORE_OBJ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OBJ_SHARDS 256u

struct obj_store;
struct obj_io;

enum obj_verb {
    OBJ_READ,     /* result: bytes read; short only at the object's end */
    OBJ_WRITE,    /* result: bytes written, always all of them */
    OBJ_STAT,     /* size_out and mtime_ns_out; size 0 if there is none */
    OBJ_TRUNCATE, /* to `offset` bytes, shorter or longer */
    OBJ_SYNC,     /* what was written before is durable when this ends */
    OBJ_DESTROY,  /* free it; no error if there is none */
    OBJ_ALLOCATE, /* storage for `length` bytes from `offset` on, with `spare`
                     bytes of the device left over; size and bytes stay */
};

/** Does it change what is read? */
static inline bool obj_changes(enum obj_verb verb)
{
    return verb == OBJ_WRITE || verb == OBJ_TRUNCATE || verb == OBJ_DESTROY;
}

/** The end of an operation: io->result is bytes or a negative code. */
typedef void obj_done_fn(struct obj_io *io);

/** One operation on one extent. Belongs to the caller until done() runs. */
struct obj_io {
    enum obj_verb verb;
    uint8_t part; /* 0; drivers keep a second file an object, 1, for sums.h */
    bool is_durable; /* WRITE: ends when the device has it for good */
    uint64_t ino;
    uint64_t offset;
    size_t length;
    void *memory; /* READ, WRITE: best inside the registered pool */
    uint64_t spare; /* ALLOCATE */
    /* sums.h: NULL, or one for each block of 4 KiB that the extent touches.
     * READ sets them; WRITE takes those of whole blocks as given. */
    uint32_t *sums;
    bool is_compared_later; /* READ: the caller compares the whole blocks */
    /* READ, of whole blocks that are compared later: the caller gets the bytes
     * by obj_lend(). `memory` is set or not, but may be. */
    bool is_lent;
    obj_done_fn *done;
    int64_t result;
    uint64_t bad_offset;   /* sums.h, -ERR_CORRUPT: of the block */
    uint64_t size_out;     /* STAT */
    uint64_t mtime_ns_out; /* STAT */
    struct obj_io *next;   /* the store's */
    void *driver[6];       /* the store's */
};

struct obj_config {
    const char *directory; /* obj_uring: an existing directory */
    unsigned queue_depth;  /* operations at the device at once */
    bool is_direct; /* obj_uring: past the page cache, what is aligned */
    void *pool;            /* obj_uring: memory to register, or NULL */
    size_t pool_size;
    void *disk; /* obj_mem: the struct obj_mem_disk */
};

struct obj_driver {
    const char *name;
    int (*open)(const struct obj_config *config, struct obj_store **store_out);
    void (*close)(struct obj_store *store);
    void (*submit)(struct obj_store *store, struct obj_io *io);
    int (*poll)(struct obj_store *store);
    unsigned (*pending)(const struct obj_store *store);
    int (*wait_fd)(struct obj_store *store);
    int (*space)(struct obj_store *store, uint64_t *total_out,
                 uint64_t *free_out);
    int (*list)(struct obj_store *store, unsigned shard, uint64_t after,
                uint64_t *inos, unsigned room, unsigned *count_out);
    void (*fresh)(struct obj_store *store, uint64_t ino);
    const void *(*lend)(struct obj_store *store, uint64_t ino, uint64_t offset,
                        size_t length); /* NULL: it never does */
};

/* Drivers embed this first. */
struct obj_store {
    const struct obj_driver *driver;
};

extern const struct obj_driver obj_uring;
extern const struct obj_driver obj_mem;

/**
 * Open the objects of a target.
 *
 * @return 0, -ENOENT/-EACCES/-EROFS (directory; logged), -ENOSYS (no
 *         io_uring here), -ENOMEM.
 */
static inline int obj_open(const struct obj_driver *driver,
                           const struct obj_config *config,
                           struct obj_store **store_out)
{
    return driver->open(config, store_out);
}

/** Close; waits for the device to end what is under way (callbacks run). */
static inline void obj_close(struct obj_store *store)
{
    store->driver->close(store);
}

/**
 * Queue one operation. Operations may end in any order; but within one object
 * SYNC, TRUNCATE and DESTROY begin when everything queued before them has
 * ended, and nothing begins during a DESTROY.
 */
static inline void obj_submit(struct obj_store *store, struct obj_io *io)
{
    store->driver->submit(store, io);
}

/** Submit and reap without blocking. @return operations ended; if any did,
 *  poll again before sleeping on obj_wait_fd(): a callback may have queued. */
static inline int obj_poll(struct obj_store *store)
{
    return store->driver->poll(store);
}

/** The number was never given out before: there is no object of it. That saves
 *  a look, which the file system may make a thread wait for. */
static inline void obj_fresh(struct obj_store *store, uint64_t ino)
{
    store->driver->fresh(store, ino);
}

/** Operations queued or at the device. */
static inline unsigned obj_pending(const struct obj_store *store)
{
    return store->driver->pending(store);
}

/**
 * A descriptor that becomes readable when something ended, or -1.
 *
 * io_uring may also interrupt the sleep of the owner thread without a signal:
 * -EINTR from epoll_wait(2) is a reason to poll like any other.
 */
static inline int obj_wait_fd(struct obj_store *store)
{
    return store->driver->wait_fd(store);
}

/** Bytes of the device below: total and free. @return 0 or -errno. */
static inline int obj_space(struct obj_store *store, uint64_t *total_out,
                            uint64_t *free_out)
{
    return store->driver->space(store, total_out, free_out);
}

/**
 * List objects of one of OBJ_SHARDS shards, those above `after`, ascending.
 *
 * @param inos  room for `room` of them; fewer are told only at the end.
 * @return 0 or -errno (the shard cannot be read).
 */
static inline int obj_list(struct obj_store *store, unsigned shard,
                           uint64_t after, uint64_t *inos, unsigned room,
                           unsigned *count_out)
{
    return store->driver->list(store, shard, after, inos, room, count_out);
}

/*
 * The simulated device: outlives the stores opened on it, so that a test can
 * crash a server and start it again. A crash undoes, from a seed, any subset of
 * the writes since the last sync when power is lost, and none when a process
 * is killed.
 */
struct obj_mem_disk;

int obj_mem_disk_create(uint64_t capacity, struct obj_mem_disk **disk_out);
void obj_mem_disk_destroy(struct obj_mem_disk **disk_p);

/** Times of modification come from this clock; without one they count changes.
 */
struct clock;
void obj_mem_disk_clock(struct obj_mem_disk *disk, const struct clock *clock);

/** Lose power: a seeded subset of unsynced writes is undone, some torn. */
void obj_mem_disk_power_loss(struct obj_mem_disk *disk, uint64_t seed);

/** Flip a bit of a page that is there, of bytes or of sums, from a seed. @return
 *  whether there was one. */
bool obj_mem_disk_flip(struct obj_mem_disk *disk, uint64_t seed);

/** Let n more operations succeed, then fail one with -code; -1: off. */
void obj_mem_disk_fault(struct obj_mem_disk *disk, int n, int code);

/**
 * Bytes of an object where they are, for the kernel to copy from: for nobody
 * else, since another hand may cut the file, and a touch would then be a
 * SIGBUS where a system call has -EFAULT. Nothing is compared with sums.
 *
 * @return memory, good until the next call of this store; NULL: read them.
 */
static inline const void *obj_lend(struct obj_store *store, uint64_t ino,
                                   uint64_t offset, size_t length)
{
    return store->driver->lend == NULL
               ? NULL
               : store->driver->lend(store, ino, offset, length);
}

#endif
