/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/inode.h"

#include <errno.h>

int layout_check(const struct layout *layout)
{
    unsigned i;

    if (layout->width == 0 || layout->width > LAYOUT_WIDTH_MAX)
        return -EINVAL;
    if (layout->stripe_size < STRIPE_SIZE_MIN ||
        layout->stripe_size > STRIPE_SIZE_MAX ||
        layout->stripe_size % STRIPE_SIZE_MIN != 0)
        return -EINVAL;
    for (i = 0; i < layout->width; i++)
        if (layout->targets[i] == 0)
            return -EINVAL;
    return 0;
}

uint64_t layout_object_size(uint32_t stripe_size, unsigned columns,
                            unsigned column, uint64_t size)
{
    uint64_t row = (uint64_t)stripe_size * columns;
    uint64_t full = size / row * stripe_size;
    uint64_t rest = size % row;
    uint64_t start = (uint64_t)column * stripe_size;

    if (columns == 1)
        return size;
    if (rest <= start)
        return full;
    rest -= start;
    return full + (rest < stripe_size ? rest : stripe_size);
}

uint64_t layout_file_end(uint32_t stripe_size, unsigned columns,
                         unsigned column, uint64_t object_size)
{
    uint64_t last;

    if (columns == 1 || object_size == 0)
        return object_size;
    last = object_size - 1;
    return (last / stripe_size * columns + column) * stripe_size +
           last % stripe_size + 1;
}

uint64_t layout_map(uint32_t stripe_size, unsigned columns, unsigned column,
                    uint64_t offset, uint64_t *object_offset_out,
                    uint64_t *length_out)
{
    uint64_t stripe = offset / stripe_size;
    uint64_t within = offset % stripe_size;
    uint64_t row = stripe / columns;
    unsigned at = (unsigned)(stripe % columns);

    if (columns == 1) {
        *object_offset_out = offset;
        *length_out = UINT64_MAX - offset;
        return offset;
    }
    if (at != column) {
        within = 0;
        row += at > column ? 1 : 0;
    }
    *object_offset_out = row * stripe_size + within;
    *length_out = stripe_size - within;
    return (row * columns + column) * stripe_size + within;
}
