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

void image_put(struct image *image, int64_t at, unsigned char byte)
{
    int64_t number = at / IMAGE_PAGE;
    struct image_page *page = find(image, number);

    if (page == NULL) {
        page = must_alloc(sizeof(*page));
        page->number = number;
        page->next = image->buckets[number % IMAGE_BUCKETS];
        image->buckets[number % IMAGE_BUCKETS] = page;
        image->last = page;
    }
    page->bytes[at % IMAGE_PAGE] = byte;
    page->is_defined[at % IMAGE_PAGE] = true;
    if (at >= image->size)
        image->size = at + 1;
}

unsigned char image_get(struct image *image, int64_t at, bool *is_defined_out)
{
    struct image_page *page = find(image, at / IMAGE_PAGE);

    *is_defined_out = page != NULL && page->is_defined[at % IMAGE_PAGE];
    return *is_defined_out ? page->bytes[at % IMAGE_PAGE] : 0;
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
