/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Data representations: external32 byte for byte by the standard's table and
 * back, through views with holes, alone, together and nonblocking; short reads;
 * numbers that do not fit; representations of the program's own.
 */
#include "mpi_test.h"

#include <stddef.h>
#include <string.h>
#include <wchar.h>

struct mpi_test test;

#define RDWR_NEW (MPI_MODE_RDWR | MPI_MODE_CREATE)

static MPI_File open_file(const char *name)
{
    MPI_File file;

    OK(MPI_File_open(MPI_COMM_WORLD, test_path(name),
                     RDWR_NEW | MPI_MODE_DELETE_ON_CLOSE, MPI_INFO_NULL,
                     &file));
    test_is_ours(file);
    return file;
}

static void view(MPI_File file, MPI_Datatype etype, MPI_Datatype type,
                 const char *datarep)
{
    OK(MPI_File_set_view(file, 0, etype, type, datarep, MPI_INFO_NULL));
}

/* Write one value as external32, look at its bytes, read it back. */
static void check_form(MPI_Datatype type, const void *value, size_t size,
                       const unsigned char *bytes, int nbytes)
{
    MPI_File file = open_file("form");
    unsigned char found[32] = {0}, back[32] = {0};
    MPI_Status status;
    MPI_Aint extent;
    int count;

    view(file, type, type, "external32");
    OK(MPI_File_get_type_extent(file, type, &extent));
    CHECK(extent == nbytes);
    OK(MPI_File_write_at_all(file, test.rank, value, 1, type, &status));
    MPI_Get_count(&status, type, &count);
    CHECK(count == 1);
    OK(MPI_File_sync(file));
    MPI_Barrier(MPI_COMM_WORLD);
    OK(MPI_File_sync(file));
    OK(MPI_File_read_at(file, test.size - 1, back, 1, type, &status));
    CHECK(memcmp(back, value, size) == 0);
    view(file, MPI_BYTE, MPI_BYTE, "native");
    OK(MPI_File_read_at(file, test.rank * nbytes, found, nbytes, MPI_BYTE,
                        &status));
    CHECK(memcmp(found, bytes, (size_t)nbytes) == 0);
    OK(MPI_File_close(&file));
}

static void test_forms_are_the_standards(void)
{
    static const struct {
        double number;
        int rank;
    } pair = {1.0, 258};
    const short s = 0x0102;
    const int i = -2;
    const long l = -2;
    const long long ll = 0x0102030405060708;
    const unsigned long ul = 0xfffffffe;
    const float f = 1.0f;
    const double d = -2.0;
    const long double ld = 1.5L;
    const wchar_t w = 0x0102;
    const double complex[2] = {1.0, -2.0};
    const char c = 'x';

    check_form(MPI_CHAR, &c, 1, (const unsigned char *)"x", 1);
    check_form(MPI_SHORT, &s, 2, (const unsigned char *)"\1\2", 2);
    check_form(MPI_INT, &i, 4, (const unsigned char *)"\377\377\377\376", 4);
    check_form(MPI_LONG, &l, sizeof(l),
               (const unsigned char *)"\377\377\377\376", 4);
    check_form(MPI_UNSIGNED_LONG, &ul, sizeof(ul),
               (const unsigned char *)"\377\377\377\376", 4);
    check_form(MPI_LONG_LONG, &ll, 8,
               (const unsigned char *)"\1\2\3\4\5\6\7\10", 8);
    check_form(MPI_FLOAT, &f, 4, (const unsigned char *)"\x3f\x80\0\0", 4);
    check_form(MPI_DOUBLE, &d, 8,
               (const unsigned char *)"\xc0\0\0\0\0\0\0\0", 8);
    check_form(MPI_LONG_DOUBLE, &ld, 10,
               (const unsigned char
                    *)"\x3f\xff\x80\0\0\0\0\0\0\0\0\0\0\0\0\0",
               16);
    check_form(MPI_WCHAR, &w, sizeof(w), (const unsigned char *)"\1\2", 2);
    check_form(MPI_C_DOUBLE_COMPLEX, complex, 16,
               (const unsigned char
                    *)"\x3f\xf0\0\0\0\0\0\0\xc0\0\0\0\0\0\0\0",
               16);
    check_form(MPI_DOUBLE_INT, &pair, 12,
               (const unsigned char *)"\x3f\xf0\0\0\0\0\0\0\0\0\1\2",
               12);
}

struct sample {
    char tag;
    long key;
    short parts[3];
};

static MPI_Datatype sample_type(void)
{
    int lengths[3] = {1, 1, 3};
    MPI_Aint disps[3] = {offsetof(struct sample, tag),
                         offsetof(struct sample, key),
                         offsetof(struct sample, parts)};
    MPI_Datatype types[3] = {MPI_CHAR, MPI_LONG, MPI_SHORT}, raw, type;

    OK(MPI_Type_create_struct(3, lengths, disps, types, &raw));
    OK(MPI_Type_create_resized(raw, 0, sizeof(struct sample), &type));
    OK(MPI_Type_commit(&type));
    OK(MPI_Type_free(&raw));
    return type;
}

/* Each rank every size-th pair of longs; the vector scales to 4 bytes each. */
static void test_views_scale(void)
{
    MPI_File file = open_file("scale");
    MPI_Datatype type, tile;
    unsigned char bytes[8];
    long longs[20], back[20] = {0};
    MPI_Request request;
    MPI_Status status;
    int count;

    OK(MPI_Type_vector(1, 2, 2, MPI_LONG, &type));
    OK(MPI_Type_create_resized(type, 0, (MPI_Aint)8 * test.size, &tile));
    OK(MPI_Type_commit(&tile));
    OK(MPI_File_set_view(file, (MPI_Offset)8 * test.rank, MPI_LONG, tile,
                         "external32", MPI_INFO_NULL));
    for (int i = 0; i < 20; i++)
        longs[i] = i * 1000 - test.rank;
    OK(MPI_File_write_all(file, longs, 10, MPI_LONG, &status));
    OK(MPI_File_iwrite(file, longs + 10, 10, MPI_LONG, &request));
    OK(MPI_Wait(&request, &status));
    MPI_Get_count(&status, MPI_LONG, &count);
    CHECK(count == 10);
    OK(MPI_File_iread_at_all(file, 0, back, 20, MPI_LONG, &request));
    OK(MPI_Wait(&request, &status));
    CHECK(memcmp(back, longs, sizeof(longs)) == 0);
    OK(MPI_File_write_ordered(file, longs, 0, MPI_LONG, &status));
    MPI_Barrier(MPI_COMM_WORLD);
    view(file, MPI_BYTE, MPI_BYTE, "internal");
    OK(MPI_File_read_at(file, 8 * test.size + 8 * test.rank, bytes, 8, MPI_BYTE,
                        &status));
    CHECK((bytes[6] << 8 | bytes[7]) == ((3000 - test.rank) & 0xffff));
    OK(MPI_Type_free(&tile));
    OK(MPI_Type_free(&type));
    OK(MPI_File_close(&file));
}

static void test_structs_and_short_reads(void)
{
    MPI_Datatype type = sample_type();
    MPI_File file = open_file("struct");
    struct sample in[5], out[9];
    MPI_Offset size;
    MPI_Status status;
    int count;

    memset(in, 0, sizeof(in));
    memset(out, 0, sizeof(out));
    for (int i = 0; i < 5; i++) {
        in[i].tag = (char)('a' + i);
        in[i].key = -i - 100000;
        in[i].parts[2] = (short)(i * 1000);
    }
    view(file, MPI_BYTE, MPI_BYTE, "external32");
    if (test.rank == 0)
        OK(MPI_File_write_at(file, 0, in, 5, type, MPI_STATUS_IGNORE));
    MPI_Barrier(MPI_COMM_WORLD);
    OK(MPI_File_get_size(file, &size));
    CHECK(size == 5 * (1 + 4 + 6));
    OK(MPI_File_read_at(file, 0, out, 9, type, &status));
    MPI_Get_count(&status, type, &count);
    CHECK(count == 5);
    CHECK(memcmp(in, out, sizeof(in)) == 0);
    OK(MPI_Type_free(&type));
    OK(MPI_File_close(&file));
}

static void test_what_does_not_fit_is_an_error(void)
{
    MPI_File file = open_file("fit");
    long much = 1l << 40;
    MPI_Offset size;

    view(file, MPI_LONG, MPI_LONG, "external32");
    FAILS(MPI_ERR_CONVERSION,
          MPI_File_write_at(file, 0, &much, 1, MPI_LONG, MPI_STATUS_IGNORE));
    FAILS(MPI_ERR_CONVERSION,
          MPI_File_write_at_all(file, 0, &much, 1, MPI_LONG,
                                MPI_STATUS_IGNORE));
    OK(MPI_File_get_size(file, &size));
    CHECK(size == 0);
    FAILS(MPI_ERR_UNSUPPORTED_DATAREP,
          MPI_File_set_view(file, 0, MPI_INT, MPI_INT, "nobody's",
                            MPI_INFO_NULL));
    OK(MPI_File_close(&file));
}

/* The program's own: an int is its negative, in 8 bytes of the file. */
static int own_extent(MPI_Datatype type, MPI_Aint *extent, void *state)
{
    (void)state;
    *extent = 8;
    return type == MPI_INT ? MPI_SUCCESS : MPI_ERR_TYPE;
}

static int own_write(void *user, MPI_Datatype type, int count, void *file,
                     MPI_Offset position, void *state)
{
    for (int i = 0; i < count; i++)
        ((long long *)file)[i] = -((int *)user)[position + i];
    ++*(int *)state;
    return type == MPI_INT ? MPI_SUCCESS : MPI_ERR_TYPE;
}

static int own_read(void *user, MPI_Datatype type, int count, void *file,
                    MPI_Offset position, void *state)
{
    for (int i = 0; i < count; i++)
        ((int *)user)[position + i] = (int)-((long long *)file)[i];
    ++*(int *)state;
    return type == MPI_INT ? MPI_SUCCESS : MPI_ERR_TYPE;
}

static void test_own_representations(bool is_alone)
{
    static int calls;
    MPI_File file = open_file("own");
    int rc = MPI_Register_datarep("own", own_read, own_write, own_extent,
                                  &calls);
    char name[MPI_MAX_DATAREP_STRING];
    int ints[4] = {1, 2, 3, 4}, back[4] = {0};
    MPI_Datatype etype, type;
    MPI_Offset disp;
    long long raw = 0;
    MPI_Aint extent;

    /* Other components of Open MPI are asked too, and may say no. */
    CHECK(!is_alone || rc == MPI_SUCCESS);
    if (is_alone)
        FAILS(MPI_ERR_DUP_DATAREP,
              MPI_Register_datarep("own", own_read, own_write, own_extent,
                                   &calls));
    view(file, MPI_INT, MPI_INT, "own");
    OK(MPI_File_get_view(file, &disp, &etype, &type, name));
    CHECK(strcmp(name, "own") == 0);
    OK(MPI_File_get_type_extent(file, MPI_INT, &extent));
    CHECK(extent == 8);
    OK(MPI_File_write_at_all(file, 4 * test.rank, ints, 4, MPI_INT,
                             MPI_STATUS_IGNORE));
    OK(MPI_File_read_at_all(file, 4 * test.rank, back, 4, MPI_INT,
                            MPI_STATUS_IGNORE));
    CHECK(memcmp(ints, back, sizeof(ints)) == 0 && calls == 2);
    FAILS(MPI_ERR_CONVERSION, MPI_File_write_at(file, 0, ints, 1, MPI_FLOAT,
                                                MPI_STATUS_IGNORE));
    view(file, MPI_BYTE, MPI_BYTE, "native");
    OK(MPI_File_read_at(file, 32 * test.rank + 8, &raw, 8, MPI_BYTE,
                        MPI_STATUS_IGNORE));
    CHECK(raw == -2);
    OK(MPI_File_close(&file));
}

int main(int argc, char **argv)
{
    const char *io = getenv("OMPI_MCA_io");

    test_start(&argc, &argv);
    test_forms_are_the_standards();
    test_views_scale();
    test_structs_and_short_reads();
    test_what_does_not_fit_is_an_error();
    test_own_representations(io != NULL && strcmp(io, "capstan") == 0);
    MPI_Finalize();
    return 0;
}
