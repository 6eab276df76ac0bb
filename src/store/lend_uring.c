/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The happy path: a file on tmpfs is mapped when its bytes are first lent, up
 * to its first hole, and the mapping grows with it. It goes when the file is
 * closed or truncated.
 *
 * Only tmpfs: a page of a file on a device may have to be fetched, and the copy
 * would wait for that with the whole target.
 *
 * Possible failure modes are: the file is not open (the read that follows opens
 * it), a hole (a touch would give it memory), an object that has been cut, no
 * room for a mapping.
 */
#include "store/lend_uring.h"

#include <sys/mman.h>
#include <unistd.h>

void lend_end(struct file *file)
{
    if (file->map != NULL)
        munmap(file->map, file->map_len);
    file->map = NULL;
    file->map_len = 0;
}

/* Up to where the file now has no hole. */
static void grow(struct file *file)
{
    off_t whole = lseek(file->fd, (off_t)file->map_len, SEEK_HOLE);
    void *map;

    if (whole < 0 || (uint64_t)whole <= file->map_len)
        return;
    if (file->map == NULL)
        map = mmap(NULL, (size_t)whole, PROT_READ, MAP_SHARED, file->fd, 0);
    else
        map = mremap(file->map, file->map_len, (size_t)whole, MREMAP_MAYMOVE);
    if (map == MAP_FAILED)
        return;
    file->map = map;
    file->map_len = (uint64_t)whole;
}

const void *lend_bytes(struct uring_store *store, uint64_t ino, uint64_t offset,
                       size_t length)
{
    struct file *file = file_table_find(&store->table, ino, 0);

    if (!store->is_memory || file == NULL || file->fd < 0 || length == 0)
        return NULL;
    if (offset > INT64_MAX - length)
        return NULL;
    if (offset + length > file->map_len)
        grow(file);
    return offset + length <= file->map_len ? file->map + offset : NULL;
}
