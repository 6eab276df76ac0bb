/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * external32 (MPI-3.1, 13.5.2): big-endian, IEEE, sizes by the standard's table.
 *
 * The happy path: the signature of a datatype, its basic types in order with
 * neighbours of a kind counted together, is walked once for each instance over
 * packed native bytes and bytes of the file.
 *
 * It is not made of Open MPI's external32 convertor, which (4.1) writes
 * MPI_WCHAR with 4 bytes and MPI_LONG_DOUBLE as no number at all.
 *
 * Possible failure modes are: a type that the table does not know; a long or a
 * wide character that does not fit in the file's size (-FACE_CONVERSION); no
 * memory.
 */
#include "datarep.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* How one basic type changes. */
enum change { SWAP, LONG, UNSIGNED_LONG, WIDE, QUAD };

struct item {
    enum change change;
    uint8_t native; /* bytes */
    uint8_t file;
    uint64_t count;
};

struct signature {
    struct item *items;
    size_t nitems, room;
};

#define SWAP_OF(n, count) {SWAP, n, n, count}
#define LONG_ITEM {LONG, sizeof(long), 4, 1}
#define QUAD_OF(count) {QUAD, sizeof(long double), 16, count}

/* Those that are not one number of the same size in the file. */
static const struct {
    MPI_Datatype type;
    struct item items[2];
} specials[] = {
    {MPI_LONG, {LONG_ITEM}},
    {MPI_UNSIGNED_LONG, {{UNSIGNED_LONG, sizeof(long), 4, 1}}},
    {MPI_WCHAR, {{WIDE, sizeof(wchar_t), 2, 1}}},
    {MPI_LONG_DOUBLE, {QUAD_OF(1)}},
    {MPI_C_COMPLEX, {SWAP_OF(4, 2)}},
    {MPI_C_DOUBLE_COMPLEX, {SWAP_OF(8, 2)}},
    {MPI_C_LONG_DOUBLE_COMPLEX, {QUAD_OF(2)}},
    {MPI_CXX_FLOAT_COMPLEX, {SWAP_OF(4, 2)}},
    {MPI_CXX_DOUBLE_COMPLEX, {SWAP_OF(8, 2)}},
    {MPI_CXX_LONG_DOUBLE_COMPLEX, {QUAD_OF(2)}},
    {MPI_COMPLEX, {SWAP_OF(4, 2)}},
    {MPI_DOUBLE_COMPLEX, {SWAP_OF(8, 2)}},
    {MPI_COMPLEX8, {SWAP_OF(4, 2)}},
    {MPI_COMPLEX16, {SWAP_OF(8, 2)}},
    {MPI_FLOAT_INT, {SWAP_OF(4, 1), SWAP_OF(4, 1)}},
    {MPI_DOUBLE_INT, {SWAP_OF(8, 1), SWAP_OF(4, 1)}},
    {MPI_LONG_INT, {LONG_ITEM, SWAP_OF(4, 1)}},
    {MPI_SHORT_INT, {SWAP_OF(2, 1), SWAP_OF(4, 1)}},
    {MPI_2INT, {SWAP_OF(4, 2)}},
    {MPI_LONG_DOUBLE_INT, {QUAD_OF(1), SWAP_OF(4, 1)}},
    {MPI_2REAL, {SWAP_OF(4, 2)}},
    {MPI_2DOUBLE_PRECISION, {SWAP_OF(8, 2)}},
    {MPI_2INTEGER, {SWAP_OF(4, 2)}},
};

/* The one or two items of a predefined type. @return false: it has none. */
static bool find_items(MPI_Datatype type, struct item items[2])
{
    size_t size = type->super.size;

    memset(items, 0, 2 * sizeof(*items));
    for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++)
        if (specials[i].type == type) {
            memcpy(items, specials[i].items, 2 * sizeof(*items));
            return true;
        }
    if (size != 1 && size != 2 && size != 4 && size != 8)
        return false;
    items[0] = (struct item){SWAP, (uint8_t)size, (uint8_t)size, 1};
    return true;
}

uint64_t external32_size(MPI_Datatype type)
{
    struct item items[2];

    if (!find_items(type, items))
        return 0;
    return items[0].file * items[0].count + items[1].file * items[1].count;
}

static int push(struct signature *sig, const struct item *item, uint64_t times)
{
    struct item *last = sig->nitems > 0 ? &sig->items[sig->nitems - 1] : NULL;

    if (item->count == 0 || times == 0)
        return 0;
    if (last != NULL && last->change == item->change &&
        last->native == item->native) {
        last->count += item->count * times;
        return 0;
    }
    if (sig->nitems == sig->room) {
        size_t room = sig->room > 0 ? 2 * sig->room : 8;
        struct item *items = realloc(sig->items, room * sizeof(*items));

        if (items == NULL)
            return -ENOMEM;
        sig->items = items;
        sig->room = room;
    }
    sig->items[sig->nitems] = *item;
    sig->items[sig->nitems++].count = item->count * times;
    return 0;
}

static int push_all(struct signature *sig, const struct signature *inner,
                    uint64_t times)
{
    int rc = 0;

    if (inner->nitems == 1)
        return push(sig, &inner->items[0], times);
    for (uint64_t i = 0; i < times; i++)
        for (size_t k = 0; k < inner->nitems && rc == 0; k++)
            rc = push(sig, &inner->items[k], 1);
    return rc;
}

static int push_type(struct signature *sig, MPI_Datatype type, uint64_t times);

/* A derived type holds its inner types so often that the sizes agree; only a
 * struct says how often each. */
static int push_derived(struct signature *sig, MPI_Datatype type,
                        uint64_t times, int nints, int naddrs, int ntypes,
                        int combiner)
{
    int *ints = mem_calloc((size_t)nints + 1, sizeof(*ints));
    MPI_Aint *addrs = mem_calloc((size_t)naddrs + 1, sizeof(*addrs));
    MPI_Datatype *types = mem_calloc((size_t)ntypes + 1, sizeof(*types));
    struct signature inner = {0};
    int a, b, c, kind, rc = -ENOMEM;

    if (ints == NULL || addrs == NULL || types == NULL)
        goto out;
    PMPI_Type_get_contents(type, nints, naddrs, ntypes, ints, addrs, types);
    rc = 0;
    for (int i = 0; i < ntypes; i++) {
        uint64_t size = types[i]->super.size;
        uint64_t n = combiner == MPI_COMBINER_STRUCT ? (uint64_t)ints[1 + i]
                     : size > 0 ? type->super.size / size
                                : 0;

        if (rc == 0)
            rc = push_type(&inner, types[i], n);
        PMPI_Type_get_envelope(types[i], &a, &b, &c, &kind);
        if (kind != MPI_COMBINER_NAMED)
            PMPI_Type_free(&types[i]);
    }
    if (rc == 0)
        rc = push_all(sig, &inner, times);
out:
    free(inner.items);
    free(ints);
    free(addrs);
    free(types);
    return rc;
}

static int push_type(struct signature *sig, MPI_Datatype type, uint64_t times)
{
    struct signature inner = {0};
    int nints, naddrs, ntypes, combiner, rc;
    struct item items[2];

    PMPI_Type_get_envelope(type, &nints, &naddrs, &ntypes, &combiner);
    if (combiner != MPI_COMBINER_NAMED)
        return push_derived(sig, type, times, nints, naddrs, ntypes, combiner);
    if (!find_items(type, items))
        return -FACE_CONVERSION;
    rc = push(&inner, &items[0], 1);
    if (rc == 0)
        rc = push(&inner, &items[1], 1);
    if (rc == 0)
        rc = push_all(sig, &inner, times);
    free(inner.items);
    return rc;
}

static void swap(const uint8_t *from, uint8_t *to, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        to[i] = from[size - 1 - i];
}

/* A number of `from_size` bytes, little-endian, in `size` bytes. @return does
 * it fit? */
static bool narrow(const uint8_t *from, unsigned from_size, unsigned size,
                   bool is_signed, uint8_t *to)
{
    uint8_t fill = is_signed && (from[size - 1] & 0x80) ? 0xff : 0;

    for (unsigned i = size; i < from_size; i++)
        if (from[i] != fill)
            return false;
    swap(from, to, size);
    return true;
}

static void widen(const uint8_t *from, unsigned size, unsigned to_size,
                  bool is_signed, uint8_t *to)
{
    memset(to, is_signed && (from[0] & 0x80) ? 0xff : 0, to_size);
    swap(from, to, size);
}

static void quad(bool is_to_file, uint8_t *native, uint8_t *file)
{
    uint8_t bytes[16];
    long double number;
    __float128 wide;

    static_assert(sizeof(wide) == sizeof(bytes), "quad is 16 bytes");
    if (is_to_file) {
        memcpy(&number, native, sizeof(number));
        wide = number;
        memcpy(bytes, &wide, sizeof(bytes));
        swap(bytes, file, sizeof(bytes));
    } else {
        swap(file, bytes, sizeof(bytes));
        memcpy(&wide, bytes, sizeof(bytes));
        number = (long double)wide;
        memset(native, 0, sizeof(number));
        memcpy(native, &number, sizeof(number));
    }
}

static bool change_one(const struct item *item, bool is_to_file,
                       uint8_t *native, uint8_t *file)
{
    bool is_signed = item->change == LONG;

    if (item->change == QUAD)
        quad(is_to_file, native, file);
    else if (item->change == SWAP && is_to_file)
        swap(native, file, item->file);
    else if (item->change == SWAP)
        swap(file, native, item->file);
    else if (is_to_file)
        return narrow(native, item->native, item->file, is_signed, file);
    else
        widen(file, item->file, item->native, is_signed, native);
    return true;
}

int external32_convert(MPI_Datatype type, uint64_t count, bool is_to_file,
                       void *native, void *file)
{
    uint8_t *from = native, *to = file;
    struct signature sig = {0};
    int rc = push_type(&sig, type, 1);

    for (uint64_t n = 0; n < count && rc == 0; n++)
        for (size_t k = 0; k < sig.nitems && rc == 0; k++)
            for (uint64_t i = 0; i < sig.items[k].count && rc == 0; i++) {
                if (!change_one(&sig.items[k], is_to_file, from, to))
                    rc = -FACE_CONVERSION;
                from += sig.items[k].native;
                to += sig.items[k].file;
            }
    free(sig.items);
    return rc;
}
