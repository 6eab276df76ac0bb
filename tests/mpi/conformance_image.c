/* SPDX-License-Identifier: BSD-3-Clause */
#include "conformance_image.h"

#include "conformance_type.h"

#include <stdlib.h>
#include <string.h>

static struct image_page *find(struct image *image, int64_t number)
{
    struct image_page *page = image->last;

    if (page != NULL && page->number == number)
        return page;
    page = image->buckets[number % IMAGE_BUCKETS];
    while (page != NULL && page->number != number)
        page = page->next;
    if (page != NULL)
        image->last = page;
    return page;
}

static struct image_page *find_or_add(struct image *image, int64_t number)
{
    struct image_page *page = find(image, number);

    if (page != NULL)
        return page;
    page = must_alloc(sizeof(*page));
    page->number = number;
    page->next = image->buckets[number % IMAGE_BUCKETS];
    image->buckets[number % IMAGE_BUCKETS] = page;
    image->last = page;
    return page;
}

/* How many of n bytes at a place are on its page. */
static size_t on_page(int64_t at, int64_t n)
{
    int64_t room = IMAGE_PAGE - at % IMAGE_PAGE;

    return (size_t)(n < room ? n : room);
}

/* bytes may be NULL: they stay as they are. */
static void define(struct image *image, int64_t at, const unsigned char *bytes,
                   int64_t n)
{
    for (size_t length; n > 0; at += (int64_t)length, n -= (int64_t)length) {
        struct image_page *page = find_or_add(image, at / IMAGE_PAGE);

        length = on_page(at, n);
        memset(page->is_defined + at % IMAGE_PAGE, 1, length);
        if (bytes == NULL)
            continue;
        memcpy(page->bytes + at % IMAGE_PAGE, bytes, length);
        bytes += length;
    }
    if (at > image->size)
        image->size = at;
}

void image_put(struct image *image, int64_t at, const unsigned char *bytes,
               int64_t n)
{
    define(image, at, bytes, n);
}

void image_mark(struct image *image, int64_t at, int64_t n)
{
    define(image, at, NULL, n);
}

void image_get(struct image *image, int64_t at, int64_t n, unsigned char *bytes,
               bool *is_defined)
{
    for (size_t length; n > 0; at += (int64_t)length, n -= (int64_t)length) {
        const struct image_page *page = find(image, at / IMAGE_PAGE);
        int64_t from = at % IMAGE_PAGE;

        length = on_page(at, n);
        for (size_t i = 0; i < length; i++) {
            is_defined[i] = page != NULL && page->is_defined[from + (int)i];
            bytes[i] = is_defined[i] ? page->bytes[from + (int)i] : 0;
        }
        bytes += length;
        is_defined += length;
    }
}

bool image_is_blank(struct image *image, int64_t at, int64_t n)
{
    for (size_t length; n > 0; at += (int64_t)length, n -= (int64_t)length) {
        const struct image_page *page = find(image, at / IMAGE_PAGE);

        length = on_page(at, n);
        if (page != NULL &&
            memchr(page->is_defined + at % IMAGE_PAGE, 1, length) != NULL)
            return false;
    }
    return true;
}

static void cut(struct image_page *page, int64_t size)
{
    int64_t keep = size - page->number * IMAGE_PAGE;

    if (keep >= IMAGE_PAGE)
        return;
    if (keep < 0)
        keep = 0;
    memset(page->is_defined + keep, 0, (size_t)(IMAGE_PAGE - keep));
}

void image_resize(struct image *image, int64_t size)
{
    for (int i = 0; i < IMAGE_BUCKETS; i++)
        for (struct image_page *page = image->buckets[i]; page != NULL;
             page = page->next)
            cut(page, size);
    image->size = size;
}

void image_clear(struct image *image)
{
    for (int i = 0; i < IMAGE_BUCKETS; i++)
        while (image->buckets[i] != NULL) {
            struct image_page *page = image->buckets[i];

            image->buckets[i] = page->next;
            free(page);
        }
    memset(image, 0, sizeof(*image));
}
