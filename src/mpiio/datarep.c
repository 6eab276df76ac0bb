/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The representations, and the file's form of a datatype.
 *
 * The happy path: a datatype is taken apart by MPI_Type_get_contents, its
 * predefined types are replaced by as many bytes as they have in the file, and
 * the same constructors put it together again.
 *
 * Possible failure modes are: a name that nobody registered; a predefined type
 * without a form in the file; the program's functions.
 */
#include "datarep.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct face_rep external32 = {.name = "external32",
                                     .is_external32 = true};

/* The program's, for as long as it runs; the standard has no way to end one.
 * Guarded by the component's lock while it grows. */
static struct face_rep users[DATAREP_USERS_MAX];
static unsigned nusers;

int datarep_find(const char *name, const struct face_rep **rep_out)
{
    *rep_out = NULL;
    if (strcasecmp(name, "native") == 0 || strcasecmp(name, "internal") == 0)
        return 0;
    if (strcasecmp(name, "external32") == 0) {
        *rep_out = &external32;
        return 0;
    }
    for (unsigned i = 0; i < nusers; i++)
        if (strcmp(name, users[i].name) == 0) {
            *rep_out = &users[i];
            return 0;
        }
    return -FACE_DATAREP;
}

static int add(const struct face_rep *rep)
{
    const struct face_rep *known;

    if (datarep_find(rep->name, &known) == 0)
        return MPI_ERR_DUP_DATAREP;
    if (nusers == DATAREP_USERS_MAX)
        return MPI_ERR_NO_MEM;
    users[nusers++] = *rep;
    return MPI_SUCCESS;
}

int datarep_register(const char *name,
                     MPI_Datarep_conversion_function *read_fn,
                     MPI_Datarep_conversion_function *write_fn,
                     MPI_Datarep_extent_function *extent_fn, void *state)
{
    struct face_rep rep = {.read_fn = read_fn,
                           .write_fn = write_fn,
                           .extent_fn = extent_fn,
                           .state = state};
    int rc;

    if (extent_fn == NULL || strlen(name) >= sizeof(rep.name))
        return MPI_ERR_ARG;
    memcpy(rep.name, name, strlen(name) + 1);
    OPAL_THREAD_LOCK(&mca_io_capstan_component.lock);
    rc = add(&rep);
    OPAL_THREAD_UNLOCK(&mca_io_capstan_component.lock);
    return rc;
}

static int leaf(const struct face_rep *rep, MPI_Datatype type,
                MPI_Datatype *type_out)
{
    MPI_Aint size = 0;

    if (rep->is_external32)
        size = (MPI_Aint)external32_size(type);
    else if (rep->extent_fn(type, &size, rep->state) != MPI_SUCCESS)
        size = 0;
    if (size <= 0 || size > INT32_MAX)
        return -FACE_CONVERSION;
    PMPI_Type_contiguous((int)size, MPI_BYTE, type_out);
    return 0;
}

/* What a derived datatype was made of. */
struct parts {
    int combiner;
    int nints, naddrs, ntypes;
    int *ints;
    MPI_Aint *addrs;
    MPI_Datatype *types;
};

static void drop_types(MPI_Datatype *types, int ntypes)
{
    int nints, naddrs, ninner, combiner;

    for (int i = 0; i < ntypes; i++) {
        if (types[i] == MPI_DATATYPE_NULL)
            continue;
        PMPI_Type_get_envelope(types[i], &nints, &naddrs, &ninner, &combiner);
        if (combiner != MPI_COMBINER_NAMED)
            PMPI_Type_free(&types[i]);
    }
}

/* The same constructor over other types. */
static int build(const struct parts *parts, MPI_Datatype *types,
                 MPI_Datatype *type_out)
{
    int *i = parts->ints;
    MPI_Aint *a = parts->addrs;
    int n = parts->nints > 0 ? i[0] : 0;

    switch (parts->combiner) {
    case MPI_COMBINER_DUP:
        return PMPI_Type_dup(types[0], type_out);
    case MPI_COMBINER_CONTIGUOUS:
        return PMPI_Type_contiguous(n, types[0], type_out);
    case MPI_COMBINER_VECTOR:
        return PMPI_Type_vector(n, i[1], i[2], types[0], type_out);
    case MPI_COMBINER_HVECTOR:
        return PMPI_Type_create_hvector(n, i[1], a[0], types[0], type_out);
    case MPI_COMBINER_INDEXED:
        return PMPI_Type_indexed(n, i + 1, i + 1 + n, types[0], type_out);
    case MPI_COMBINER_HINDEXED:
        return PMPI_Type_create_hindexed(n, i + 1, a, types[0], type_out);
    case MPI_COMBINER_INDEXED_BLOCK:
        return PMPI_Type_create_indexed_block(n, i[1], i + 2, types[0],
                                              type_out);
    case MPI_COMBINER_HINDEXED_BLOCK:
        return PMPI_Type_create_hindexed_block(n, i[1], a, types[0], type_out);
    case MPI_COMBINER_STRUCT:
        return PMPI_Type_create_struct(n, i + 1, a, types, type_out);
    case MPI_COMBINER_SUBARRAY:
        return PMPI_Type_create_subarray(n, i + 1, i + 1 + n, i + 1 + 2 * n,
                                         i[1 + 3 * n], types[0], type_out);
    case MPI_COMBINER_DARRAY:
        n = i[2];
        return PMPI_Type_create_darray(i[0], i[1], n, i + 3, i + 3 + n,
                                       i + 3 + 2 * n, i + 3 + 3 * n,
                                       i[3 + 4 * n], types[0], type_out);
    case MPI_COMBINER_RESIZED:
        return PMPI_Type_create_resized(types[0], a[0], a[1], type_out);
    default:
        return MPI_ERR_TYPE;
    }
}

static int make_file_type(const struct face_rep *rep, MPI_Datatype type,
                          MPI_Datatype *type_out);

static int rebuild(const struct face_rep *rep, const struct parts *parts,
                   MPI_Datatype *type_out)
{
    MPI_Datatype *types = mem_calloc((size_t)parts->ntypes, sizeof(*types));
    int rc = types == NULL ? -ENOMEM : 0;

    for (int i = 0; types != NULL && i < parts->ntypes; i++)
        types[i] = MPI_DATATYPE_NULL;
    for (int i = 0; rc == 0 && i < parts->ntypes; i++)
        rc = make_file_type(rep, parts->types[i], &types[i]);
    if (rc == 0 && build(parts, types, type_out) != MPI_SUCCESS)
        rc = -FACE_CONVERSION;
    if (types != NULL)
        drop_types(types, parts->ntypes);
    free(types);
    return rc;
}

/* Uncommitted. */
static int make_file_type(const struct face_rep *rep, MPI_Datatype type,
                          MPI_Datatype *type_out)
{
    struct parts parts = {0};
    int rc = -ENOMEM;

    PMPI_Type_get_envelope(type, &parts.nints, &parts.naddrs, &parts.ntypes,
                           &parts.combiner);
    if (parts.combiner == MPI_COMBINER_NAMED)
        return leaf(rep, type, type_out);
    parts.ints = mem_calloc((size_t)parts.nints + 1, sizeof(*parts.ints));
    parts.addrs = mem_calloc((size_t)parts.naddrs + 1, sizeof(*parts.addrs));
    parts.types = mem_calloc((size_t)parts.ntypes + 1, sizeof(*parts.types));
    if (parts.ints != NULL && parts.addrs != NULL && parts.types != NULL) {
        PMPI_Type_get_contents(type, parts.nints, parts.naddrs, parts.ntypes,
                               parts.ints, parts.addrs, parts.types);
        rc = rebuild(rep, &parts, type_out);
        drop_types(parts.types, parts.ntypes);
    }
    free(parts.ints);
    free(parts.addrs);
    free(parts.types);
    return rc;
}

int datarep_file_type(const struct face_rep *rep, MPI_Datatype type,
                      MPI_Datatype *type_out)
{
    int rc = make_file_type(rep, type, type_out);

    if (rc == 0)
        PMPI_Type_commit(type_out);
    return rc;
}

/* Between memory and packed native bytes. */
static int pack(void *memory, MPI_Datatype type, uint64_t count, void *packed,
                bool is_unpack)
{
    struct iovec iov = {packed, type->super.size * count};
    opal_convertor_t convertor;
    size_t moved = iov.iov_len;
    uint32_t n = 1;
    int rc;

    if (iov.iov_len == 0)
        return 0;
    OBJ_CONSTRUCT(&convertor, opal_convertor_t);
    if (is_unpack) {
        rc = opal_convertor_copy_and_prepare_for_recv(
            ompi_mpi_local_convertor, &type->super, count, memory, 0,
            &convertor);
        if (rc == OPAL_SUCCESS)
            rc = opal_convertor_unpack(&convertor, &iov, &n, &moved);
    } else {
        rc = opal_convertor_copy_and_prepare_for_send(
            ompi_mpi_local_convertor, &type->super, count, memory, 0,
            &convertor);
        if (rc == OPAL_SUCCESS)
            rc = opal_convertor_pack(&convertor, &iov, &n, &moved);
    }
    OBJ_DESTRUCT(&convertor);
    return rc < 0 ? -FACE_CONVERSION : 0;
}

static int convert_external32(void *memory, MPI_Datatype type, uint64_t count,
                              void *file, bool is_to_file)
{
    uint64_t size = type->super.size * count;
    void *packed = mem_calloc(1, size > 0 ? size : 1);
    int rc = packed == NULL ? -ENOMEM : 0;

    if (rc == 0 && is_to_file)
        rc = pack(memory, type, count, packed, false);
    if (rc == 0)
        rc = external32_convert(type, count, is_to_file, packed, file);
    if (rc == 0 && !is_to_file)
        rc = pack(memory, type, count, packed, true);
    free(packed);
    return rc;
}

static int call(MPI_Datarep_conversion_function *fn, void *memory,
                MPI_Datatype type, uint64_t count, void *file, void *state)
{
    if (count > INT32_MAX ||
        fn(memory, type, (int)count, file, 0, state) != MPI_SUCCESS)
        return -FACE_CONVERSION;
    return 0;
}

int datarep_to_file(const struct face_rep *rep, const void *memory,
                    MPI_Datatype type, uint64_t count, void *file)
{
    if (rep->is_external32)
        return convert_external32((void *)memory, type, count, file, true);
    if (rep->write_fn == NULL)
        return pack((void *)memory, type, count, file, false);
    return call(rep->write_fn, (void *)memory, type, count, file, rep->state);
}

int datarep_from_file(const struct face_rep *rep, void *memory,
                      MPI_Datatype type, uint64_t count, const void *file)
{
    if (rep->is_external32)
        return convert_external32(memory, type, count, (void *)file, false);
    if (rep->read_fn == NULL)
        return pack(memory, type, count, (void *)file, true);
    return call(rep->read_fn, memory, type, count, (void *)file, rep->state);
}
