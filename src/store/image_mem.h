/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Objects in memory: what a simulated device holds. Sparse, in pages of 4 KiB.
 *
 * Units    bytes; pages where the name says so.
 * Threads  one owner thread.
 * Failure  -ENOMEM, with every object's bytes and size as they were.
 */
#ifndef CAPSTAN_STORE_IMAGE_MEM_H
#define CAPSTAN_STORE_IMAGE_MEM_H

#include <stddef.h>
#include <stdint.h>

#define IMAGE_PAGE 4096u

struct image_page {
    uint64_t index; /* in the object */
    char *bytes;
};

struct image_object {
    uint64_t ino;
    uint64_t size;
    uint64_t mtime_ns;        /* the owner's to set */
    struct image_page *pages; /* sorted; a missing page is zeros */
    size_t npages;
    size_t room;
};

struct image {
    struct image_object *objects; /* sorted by ino */
    size_t nobjects;
    size_t room;
    uint64_t npages; /* of all objects */
};

/** Free every object. A zeroed image is an empty one. */
void image_fini(struct image *image);

/** Make copy, which is empty, equal to image. @return 0 or -ENOMEM. */
int image_copy(const struct image *image, struct image *copy);

/** The object, or NULL; valid until the next change of the image. */
struct image_object *image_find(const struct image *image, uint64_t ino);

/** How many pages a write would add. */
uint64_t image_missing_pages(const struct image *image, uint64_t ino,
                             uint64_t offset, size_t length);

/** Read up to the object's end. @return bytes read. */
size_t image_read(const struct image *image, uint64_t ino, uint64_t offset,
                  void *memory, size_t length);

/** Write; the object is made when missing. @return 0 or -ENOMEM. */
int image_write(struct image *image, uint64_t ino, uint64_t offset,
                const void *memory, size_t length);

/** Set the size; a size above 0 makes a missing object. @return 0, -ENOMEM. */
int image_truncate(struct image *image, uint64_t ino, uint64_t size);

/** Free an object, if there is one. */
void image_destroy(struct image *image, uint64_t ino);

#endif
