/* SPDX-License-Identifier: BSD-3-Clause */
/* Members of a tar sample, out of its bytes. */
#include "loader/tar.h"

#include "loader/public.h"

#include <errno.h>
#include <string.h>

static void set_name(struct capstan_field *field, const char *name,
                     size_t length)
{
    size_t key = tar_key_length(name, length);

    field->name = name;
    field->name_length = length;
    field->extension = name + (key < length ? key + 1 : length);
    field->extension_length = key < length ? length - key - 1 : 0;
}

/* The name in the header itself is not ended where it fills its field, and may
 * be in two parts: then only the last, which has the key and extension. */
static void set_header_name(struct capstan_field *field, const char *block)
{
    set_name(field, block, strnlen(block, 100));
}

int capstan_sample_field(const struct capstan_sample *sample, size_t *at_inout,
                         struct capstan_field *field_out)
{
    const char *bytes = sample->data;
    struct capstan_field field = {.name = NULL};
    struct tar_header header;
    size_t at = *at_inout, length;

    while (at < sample->length) {
        const char *block = bytes + at;

        if (sample->length - at < TAR_BLOCK ||
            tar_header_decode(block, &header) != 0 || header.is_end ||
            header.size > sample->length - at - TAR_BLOCK)
            return -EPROTO;
        field.data = block + TAR_BLOCK;
        field.length = (size_t)header.size;
        at += TAR_BLOCK + (size_t)tar_padded(header.size);
        if (header.type == 'L') {
            set_name(&field, field.data, strnlen(field.data, field.length));
        } else if (header.type == 'x') {
            const char *name = tar_pax_path(field.data, field.length, &length);

            if (name != NULL)
                set_name(&field, name, length);
        } else if (header.type == '0' || header.type == '7') {
            if (field.name == NULL)
                set_header_name(&field, block);
            *at_inout = at;
            *field_out = field;
            return 0;
        } else {
            field.name = NULL;
        }
    }
    return -ENODATA;
}
