/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sorted arrays: objects by number, pages by index. Appending, the usual case,
 * moves nothing.
 *
 * The only failure mode is want of memory. A write takes all of its pages
 * before it copies a byte; pages taken by a write that then failed are zeros
 * within the size, and are freed with the object.
 */
#include "store/image_mem.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>

/* The first object whose number is ino or more. */
static size_t object_slot(const struct image *image, uint64_t ino)
{
    size_t low = 0, high = image->nobjects;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (image->objects[middle].ino < ino)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t page_slot(const struct image_object *object, uint64_t index)
{
    size_t low = 0, high = object->npages;

    if (high > 0 && object->pages[high - 1].index < index)
        return high;
    while (low < high) {
        size_t middle = (low + high) / 2;

        if (object->pages[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct image_object *image_find(const struct image *image, uint64_t ino)
{
    size_t at = object_slot(image, ino);

    if (at == image->nobjects || image->objects[at].ino != ino)
        return NULL;
    return &image->objects[at];
}

static struct image_page *page_find(const struct image_object *object,
                                    uint64_t index)
{
    size_t at = page_slot(object, index);

    if (at == object->npages || object->pages[at].index != index)
        return NULL;
    return &object->pages[at];
}

/* Room for one more thing of an array. */
static void *with_room(void *array, size_t used, size_t *room, size_t size)
{
    size_t wanted = used < 8 ? 8 : used * 2;

    if (used < *room)
        return array;
    array = mem_grow(array, wanted, size);
    if (array != NULL)
        *room = wanted;
    return array;
}

static struct image_object *object_make(struct image *image, uint64_t ino)
{
    size_t at = object_slot(image, ino);
    struct image_object *objects;

    if (at < image->nobjects && image->objects[at].ino == ino)
        return &image->objects[at];
    objects = with_room(image->objects, image->nobjects, &image->room,
                        sizeof(*objects));
    if (objects == NULL)
        return NULL;
    image->objects = objects;
    memmove(&objects[at + 1], &objects[at],
            (image->nobjects - at) * sizeof(*objects));
    memset(&objects[at], 0, sizeof(*objects));
    objects[at].ino = ino;
    image->nobjects++;
    return &objects[at];
}

static struct image_page *page_make(struct image *image,
                                    struct image_object *object, uint64_t index)
{
    size_t at = page_slot(object, index);
    struct image_page *pages;
    char *bytes;

    if (at < object->npages && object->pages[at].index == index)
        return &object->pages[at];
    pages =
        with_room(object->pages, object->npages, &object->room, sizeof(*pages));
    if (pages == NULL)
        return NULL;
    object->pages = pages;
    bytes = mem_calloc(1, IMAGE_PAGE);
    if (bytes == NULL)
        return NULL;
    memmove(&pages[at + 1], &pages[at], (object->npages - at) * sizeof(*pages));
    pages[at].index = index;
    pages[at].bytes = bytes;
    object->npages++;
    image->npages++;
    return &pages[at];
}

/* Free the pages from a slot on. */
static void drop_pages(struct image *image, struct image_object *object,
                       size_t from)
{
    for (size_t i = from; i < object->npages; i++)
        free(object->pages[i].bytes);
    image->npages -= object->npages - from;
    object->npages = from;
}

void image_fini(struct image *image)
{
    for (size_t i = 0; i < image->nobjects; i++) {
        drop_pages(image, &image->objects[i], 0);
        free(image->objects[i].pages);
    }
    free(image->objects);
    memset(image, 0, sizeof(*image));
}

static int object_copy(struct image *copy, const struct image_object *from)
{
    struct image_object *to = object_make(copy, from->ino);

    if (to == NULL)
        return -ENOMEM;
    to->size = from->size;
    to->mtime_ns = from->mtime_ns;
    for (size_t i = 0; i < from->npages; i++) {
        struct image_page *page = page_make(copy, to, from->pages[i].index);

        if (page == NULL)
            return -ENOMEM;
        memcpy(page->bytes, from->pages[i].bytes, IMAGE_PAGE);
    }
    return 0;
}

int image_copy(const struct image *image, struct image *copy)
{
    for (size_t i = 0; i < image->nobjects; i++) {
        if (object_copy(copy, &image->objects[i]) != 0) {
            image_fini(copy);
            return -ENOMEM;
        }
    }
    return 0;
}

uint64_t image_missing_pages(const struct image *image, uint64_t ino,
                             uint64_t offset, size_t length)
{
    const struct image_object *object = image_find(image, ino);
    uint64_t first = offset / IMAGE_PAGE;
    uint64_t end = length == 0 ? first : (offset + length - 1) / IMAGE_PAGE + 1;

    if (object == NULL)
        return end - first;
    return end - first - (page_slot(object, end) - page_slot(object, first));
}

static size_t part_in_page(uint64_t at, size_t left)
{
    size_t part = IMAGE_PAGE - at % IMAGE_PAGE;

    return part < left ? part : left;
}

size_t image_read(const struct image *image, uint64_t ino, uint64_t offset,
                  void *memory, size_t length)
{
    const struct image_object *object = image_find(image, ino);
    size_t done = 0, part;

    if (object == NULL || offset >= object->size)
        return 0;
    if (length > object->size - offset)
        length = (size_t)(object->size - offset);
    for (; done < length; done += part) {
        uint64_t at = offset + done;
        const struct image_page *page = page_find(object, at / IMAGE_PAGE);

        part = part_in_page(at, length - done);
        if (page == NULL)
            memset((char *)memory + done, 0, part);
        else
            memcpy((char *)memory + done, page->bytes + at % IMAGE_PAGE, part);
    }
    return length;
}

int image_write(struct image *image, uint64_t ino, uint64_t offset,
                const void *memory, size_t length)
{
    struct image_object *object;
    size_t done, part;

    if (length == 0)
        return 0;
    object = object_make(image, ino);
    if (object == NULL)
        return -ENOMEM;
    for (done = 0; done < length; done += part) {
        part = part_in_page(offset + done, length - done);
        if (page_make(image, object, (offset + done) / IMAGE_PAGE) == NULL)
            return -ENOMEM;
    }
    for (done = 0; done < length; done += part) {
        uint64_t at = offset + done;

        part = part_in_page(at, length - done);
        memcpy(page_find(object, at / IMAGE_PAGE)->bytes + at % IMAGE_PAGE,
               (const char *)memory + done, part);
    }
    if (object->size < offset + length)
        object->size = offset + length;
    return 0;
}

int image_truncate(struct image *image, uint64_t ino, uint64_t size)
{
    struct image_object *object = image_find(image, ino);
    struct image_page *last;

    if (object == NULL && size == 0)
        return 0;
    object = object_make(image, ino);
    if (object == NULL)
        return -ENOMEM;
    drop_pages(image, object,
               page_slot(object, (size + IMAGE_PAGE - 1) / IMAGE_PAGE));
    last = page_find(object, size / IMAGE_PAGE);
    if (last != NULL)
        memset(last->bytes + size % IMAGE_PAGE, 0,
               IMAGE_PAGE - size % IMAGE_PAGE);
    object->size = size;
    return 0;
}

void image_destroy(struct image *image, uint64_t ino)
{
    struct image_object *object = image_find(image, ino);
    size_t at;

    if (object == NULL)
        return;
    at = (size_t)(object - image->objects);
    drop_pages(image, object, 0);
    free(object->pages);
    memmove(object, object + 1, (image->nobjects - at - 1) * sizeof(*object));
    image->nobjects--;
}
