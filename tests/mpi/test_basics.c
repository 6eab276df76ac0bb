/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each MPI_File call once, and each error class once: access modes, sizes,
 * pointers, views, infos, ends of files, split and nonblocking calls.
 */
#include "mpi_test.h"

#include <string.h>
#include <sys/stat.h>

struct mpi_test test;

#define RDWR_NEW (MPI_MODE_RDWR | MPI_MODE_CREATE)

static MPI_File open_file(const char *name, int amode)
{
    MPI_File file;

    OK(MPI_File_open(MPI_COMM_WORLD, test_path(name), amode, MPI_INFO_NULL,
                     &file));
    test_is_ours(file);
    return file;
}

static int try_open(const char *name, int amode)
{
    MPI_File file;
    int rc = MPI_File_open(MPI_COMM_WORLD, test_path(name), amode,
                           MPI_INFO_NULL, &file);

    if (rc == MPI_SUCCESS)
        OK(MPI_File_close(&file));
    return rc;
}

/* Rank 0 deletes; the others wait. */
static void delete_file(const char *name)
{
    MPI_Barrier(MPI_COMM_WORLD);
    if (test.rank == 0)
        OK(MPI_File_delete(test_path(name), MPI_INFO_NULL));
    MPI_Barrier(MPI_COMM_WORLD);
}

/* A file of 1000 ints, int i is i. */
static void make_numbers(const char *name)
{
    MPI_File file = open_file(name, RDWR_NEW);
    int numbers[1000];

    for (int i = 0; i < 1000; i++)
        numbers[i] = i;
    if (test.rank == 0)
        OK(MPI_File_write_at(file, 0, numbers, 1000, MPI_INT,
                             MPI_STATUS_IGNORE));
    OK(MPI_File_close(&file));
}

static void test_open_errors(void)
{
    FAILS(MPI_ERR_NO_SUCH_FILE, try_open("none", MPI_MODE_RDONLY));
    FAILS(MPI_ERR_AMODE, try_open("none", MPI_MODE_RDONLY | MPI_MODE_RDWR));
    FAILS(MPI_ERR_AMODE, try_open("none", MPI_MODE_CREATE));
    FAILS(MPI_ERR_AMODE, try_open("none", MPI_MODE_RDONLY | MPI_MODE_CREATE));
    FAILS(MPI_ERR_AMODE, try_open("none", MPI_MODE_RDONLY | MPI_MODE_EXCL));
    FAILS(MPI_ERR_AMODE, try_open("none", MPI_MODE_RDWR | MPI_MODE_SEQUENTIAL));
    OK(try_open("excl", RDWR_NEW | MPI_MODE_EXCL));
    FAILS(MPI_ERR_FILE_EXISTS, try_open("excl", RDWR_NEW | MPI_MODE_EXCL));
    delete_file("excl");
    FAILS(MPI_ERR_NO_SUCH_FILE,
          MPI_File_delete(test_path("excl"), MPI_INFO_NULL));
    if (test.size > 1)
        FAILS(
            MPI_ERR_NOT_SAME,
            try_open("none", test.rank == 0 ? MPI_MODE_RDONLY : MPI_MODE_RDWR));
}

static void test_error_text_says_why(void)
{
    char text[MPI_MAX_ERROR_STRING];
    int length, rc = try_open("none", MPI_MODE_RDONLY);

    OK(MPI_Error_string(rc, text, &length));
    CHECK(strstr(text, "none") != NULL);
    CHECK(strstr(text, "open") != NULL);
    CHECK(strstr(text, "No such file") != NULL);
    /* A program that fails for ever gets the same codes again. */
    for (int i = 0; i < 100; i++)
        CHECK(try_open("none", MPI_MODE_RDONLY) == rc);
}

static void test_amode_is_enforced(void)
{
    MPI_File file;
    int number = 5, amode;

    make_numbers("amode");
    file = open_file("amode", MPI_MODE_RDONLY);
    OK(MPI_File_get_amode(file, &amode));
    CHECK(amode == MPI_MODE_RDONLY);
    FAILS(MPI_ERR_READ_ONLY,
          MPI_File_write_at(file, 0, &number, 1, MPI_INT, MPI_STATUS_IGNORE));
    FAILS(MPI_ERR_READ_ONLY, MPI_File_write_at_all(file, 0, &number, 1, MPI_INT,
                                                   MPI_STATUS_IGNORE));
    FAILS(MPI_ERR_READ_ONLY, MPI_File_set_size(file, 0));
    OK(MPI_File_close(&file));
    file = open_file("amode", MPI_MODE_WRONLY);
    FAILS(MPI_ERR_ACCESS,
          MPI_File_read_at(file, 0, &number, 1, MPI_INT, MPI_STATUS_IGNORE));
    FAILS(MPI_ERR_ACCESS,
          MPI_File_read_all(file, &number, 1, MPI_INT, MPI_STATUS_IGNORE));
    OK(MPI_File_close(&file));
    file = open_file("amode", MPI_MODE_RDWR | MPI_MODE_APPEND |
                                  MPI_MODE_DELETE_ON_CLOSE);
    MPI_Offset place;
    OK(MPI_File_get_position(file, &place));
    CHECK(place == 4000);
    OK(MPI_File_close(&file));
    FAILS(MPI_ERR_NO_SUCH_FILE, try_open("amode", MPI_MODE_RDONLY));
}

/* One rank's bad argument is everybody's failure, and nobody waits. */
static void test_one_bad_rank_fails_all(void)
{
    MPI_File file = open_file("bad", RDWR_NEW | MPI_MODE_DELETE_ON_CLOSE);
    int number = 7;
    MPI_Offset at = test.rank == test.size - 1 ? -1 : 0;

    FAILS(MPI_ERR_ARG, MPI_File_read_at_all(file, at, &number, 1, MPI_INT,
                                            MPI_STATUS_IGNORE));
    FAILS(MPI_ERR_ARG, MPI_File_set_view(file, at, MPI_INT, MPI_INT, "native",
                                         MPI_INFO_NULL));
    OK(MPI_File_write_at_all(file, test.rank, &number, 1, MPI_BYTE,
                             MPI_STATUS_IGNORE));
    OK(MPI_File_close(&file));
}

/* The storage is there, if the file is one of this machine. */
static void check_storage(const char *name, off_t size)
{
    struct stat st;

    if (test_path(name)[0] == '/')
        CHECK(stat(test_path(name), &st) == 0 && st.st_blocks * 512 >= size);
}

static void test_sizes(void)
{
    MPI_File file = open_file("size", RDWR_NEW | MPI_MODE_DELETE_ON_CLOSE);
    MPI_Offset size;

    OK(MPI_File_get_size(file, &size));
    CHECK(size == 0);
    OK(MPI_File_set_size(file, 12345));
    OK(MPI_File_get_size(file, &size));
    CHECK(size == 12345);
    MPI_Barrier(MPI_COMM_WORLD);
    OK(MPI_File_preallocate(file, 100));
    OK(MPI_File_get_size(file, &size));
    CHECK(size == 12345);
    MPI_Barrier(MPI_COMM_WORLD);
    OK(MPI_File_preallocate(file, 20000));
    OK(MPI_File_get_size(file, &size));
    CHECK(size == 20000);
    check_storage("size", 20000);
    MPI_Barrier(MPI_COMM_WORLD);
    FAILS(MPI_ERR_NO_SPACE, MPI_File_preallocate(file, (MPI_Offset)1 << 62));
    OK(MPI_File_get_size(file, &size));
    CHECK(size == 20000);
    FAILS(MPI_ERR_ARG, MPI_File_set_size(file, -5));
    if (test.size > 1)
        FAILS(MPI_ERR_NOT_SAME, MPI_File_set_size(file, test.rank));
    OK(MPI_File_close(&file));
}

static void test_pointers(void)
{
    MPI_File file;
    MPI_Offset place;
    int numbers[10];

    make_numbers("seek");
    file = open_file("seek", MPI_MODE_RDWR | MPI_MODE_DELETE_ON_CLOSE);
    OK(MPI_File_set_view(file, 40, MPI_INT, MPI_INT, "native", MPI_INFO_NULL));
    OK(MPI_File_read(file, numbers, 10, MPI_INT, MPI_STATUS_IGNORE));
    CHECK(numbers[0] == 10 && numbers[9] == 19);
    OK(MPI_File_get_position(file, &place));
    CHECK(place == 10);
    OK(MPI_File_seek(file, 5, MPI_SEEK_CUR));
    OK(MPI_File_read(file, numbers, 1, MPI_INT, MPI_STATUS_IGNORE));
    CHECK(numbers[0] == 25);
    OK(MPI_File_seek(file, -1, MPI_SEEK_END));
    OK(MPI_File_get_position(file, &place));
    CHECK(place == 989);
    OK(MPI_File_read_all(file, numbers, 1, MPI_INT, MPI_STATUS_IGNORE));
    CHECK(numbers[0] == 999);
    OK(MPI_File_get_byte_offset(file, 3, &place));
    CHECK(place == 52);
    FAILS(MPI_ERR_ARG, MPI_File_seek(file, -1, MPI_SEEK_SET));
    FAILS(MPI_ERR_ARG,
          MPI_File_read_at(file, -1, numbers, 1, MPI_INT, MPI_STATUS_IGNORE));
    FAILS(MPI_ERR_TYPE,
          MPI_File_read_at(file, 0, numbers, 3, MPI_BYTE, MPI_STATUS_IGNORE));
    OK(MPI_File_close(&file));
}

static void test_reads_at_the_end_are_short(void)
{
    MPI_File file;
    MPI_Status status;
    MPI_Datatype every_other;
    int numbers[100], count;

    make_numbers("short");
    file = open_file("short", MPI_MODE_RDONLY | MPI_MODE_DELETE_ON_CLOSE);
    OK(MPI_File_read_at(file, 3960, numbers, 100, MPI_INT, &status));
    MPI_Get_count(&status, MPI_INT, &count);
    CHECK(count == 10);
    OK(MPI_File_read_at_all(file, 3998, numbers, 4, MPI_BYTE, &status));
    MPI_Get_count(&status, MPI_BYTE, &count);
    CHECK(count == 2);
    OK(MPI_File_read_at_all(file, 4000, numbers, 100, MPI_INT, &status));
    MPI_Get_count(&status, MPI_INT, &count);
    CHECK(count == 0);
    OK(MPI_File_read_at(file, 400000, numbers, 1, MPI_INT, &status));
    MPI_Get_count(&status, MPI_INT, &count);
    CHECK(count == 0);

    OK(MPI_Type_create_resized(MPI_INT, 0, 8, &every_other));
    OK(MPI_Type_commit(&every_other));
    OK(MPI_File_set_view(file, 3900, MPI_INT, every_other, "native",
                         MPI_INFO_NULL));
    OK(MPI_File_read_all(file, numbers, 100, MPI_INT, &status));
    MPI_Get_count(&status, MPI_INT, &count);
    CHECK(count == 13); /* ints 975, 977, ... 999 */
    CHECK(numbers[0] == 975 && numbers[12] == 999);
    MPI_Type_free(&every_other);
    OK(MPI_File_close(&file));
}

/* Memory that runs against the file, through aggregators. */
static void test_memory_may_run_backward(void)
{
    MPI_File file;
    MPI_Info info;
    MPI_Datatype backward;
    unsigned char bytes[101];
    int starts[101];

    make_numbers("backward");
    OK(MPI_Info_create(&info));
    OK(MPI_Info_set(info, "capstan_strategy", "two_phase"));
    OK(MPI_File_open(MPI_COMM_WORLD, test_path("backward"),
                     MPI_MODE_RDONLY | MPI_MODE_DELETE_ON_CLOSE, info, &file));
    for (int i = 0; i < 101; i++)
        starts[i] = 100 - i;
    OK(MPI_Type_create_indexed_block(101, 1, starts, MPI_BYTE, &backward));
    OK(MPI_Type_commit(&backward));
    OK(MPI_File_read_at_all(file, 4 * test.rank, bytes, 1, backward,
                            MPI_STATUS_IGNORE));
    for (int i = 0; i < 101; i++)
        CHECK(bytes[100 - i] == (i % 4 == 0 ? test.rank + i / 4 : 0));
    MPI_Type_free(&backward);
    MPI_Info_free(&info);
    OK(MPI_File_close(&file));
}

static void test_views_are_given_back(void)
{
    MPI_File file = open_file("view", RDWR_NEW | MPI_MODE_DELETE_ON_CLOSE);
    MPI_Datatype vector, etype, filetype;
    MPI_Offset disp;
    MPI_Aint lb, extent;
    char datarep[MPI_MAX_DATAREP_STRING];
    int blocks[2] = {1, 1}, starts[2] = {5, 0};

    OK(MPI_File_get_view(file, &disp, &etype, &filetype, datarep));
    CHECK(disp == 0 && etype == MPI_BYTE && filetype == MPI_BYTE);
    OK(MPI_Type_vector(3, 1, 2, MPI_INT, &vector));
    OK(MPI_Type_commit(&vector));
    OK(MPI_File_set_view(file, 16, MPI_INT, vector, "native", MPI_INFO_NULL));
    MPI_Type_free(&vector);
    OK(MPI_File_get_view(file, &disp, &etype, &filetype, datarep));
    CHECK(disp == 16 && etype == MPI_INT && strcmp(datarep, "native") == 0);
    MPI_Type_get_extent(filetype, &lb, &extent);
    CHECK(extent == 20);
    MPI_Type_free(&filetype);
    OK(MPI_File_get_type_extent(file, MPI_DOUBLE, &extent));
    CHECK(extent == 8);
    FAILS(MPI_ERR_UNSUPPORTED_DATAREP,
          MPI_File_set_view(file, 0, MPI_INT, MPI_INT, "elsewhere",
                            MPI_INFO_NULL));
    FAILS(MPI_ERR_TYPE, MPI_File_set_view(file, 0, MPI_DOUBLE, MPI_INT,
                                          "native", MPI_INFO_NULL));
    OK(MPI_Type_indexed(2, blocks, starts, MPI_INT, &vector));
    OK(MPI_Type_commit(&vector));
    FAILS(MPI_ERR_TYPE,
          MPI_File_set_view(file, 0, MPI_INT, vector, "native", MPI_INFO_NULL));
    MPI_Type_free(&vector);
    OK(MPI_File_get_view(file, &disp, &etype, &filetype, datarep));
    CHECK(disp == 16);
    MPI_Type_free(&filetype);
    OK(MPI_File_close(&file));
}

static void check_info(MPI_File file, const char *key, const char *want)
{
    char value[MPI_MAX_INFO_VAL + 1] = "";
    MPI_Info info;
    int is_there;

    OK(MPI_File_get_info(file, &info));
    OK(MPI_Info_get(info, key, MPI_MAX_INFO_VAL, value, &is_there));
    if (!is_there || strcmp(value, want) != 0) {
        fprintf(stderr, "%s is \"%s\", not \"%s\"\n", key, value, want);
        test_fail(__FILE__, __LINE__, "info");
    }
    OK(MPI_Info_free(&info));
}

/* Programs hand on what they were told: MPI_Info_set takes no empty value. */
static void copy_info(MPI_File file)
{
    char key[MPI_MAX_INFO_KEY + 1], value[MPI_MAX_INFO_VAL + 1];
    MPI_Info info, copy;
    int nkeys, is_there;

    OK(MPI_File_get_info(file, &info));
    OK(MPI_Info_create(&copy));
    OK(MPI_Info_get_nkeys(info, &nkeys));
    CHECK(nkeys > 0);
    for (int i = 0; i < nkeys; i++) {
        OK(MPI_Info_get_nthkey(info, i, key));
        OK(MPI_Info_get(info, key, MPI_MAX_INFO_VAL, value, &is_there));
        OK(MPI_Info_set(copy, key, value));
    }
    OK(MPI_File_set_info(file, copy));
    OK(MPI_Info_free(&copy));
    OK(MPI_Info_free(&info));
}

static void test_infos_tell_what_is_in_force(void)
{
    MPI_Info info;
    MPI_File file;
    char ranks[16];
    char byte = 1;

    OK(MPI_Info_create(&info));
    OK(MPI_Info_set(info, "cb_buffer_size", "1048576"));
    OK(MPI_Info_set(info, "romio_cb_read", "perhaps"));
    OK(MPI_Info_set(info, "cb_nodes", "1000"));
    snprintf(ranks, sizeof(ranks), "%d", test.size);
    OK(MPI_Info_set(info, "access_style", "random"));
    OK(MPI_File_open(MPI_COMM_WORLD, test_path("info"),
                     RDWR_NEW | MPI_MODE_DELETE_ON_CLOSE, info, &file));
    copy_info(file);
    check_info(file, "cb_buffer_size", "1048576");
    check_info(file, "romio_cb_read", "automatic");
    check_info(file, "romio_no_indep_rw", "false");
    check_info(file, "cb_nodes", ranks); /* there are no more */
    OK(MPI_Info_set(info, "cb_buffer_size", "65536"));
    OK(MPI_Info_set(info, "romio_cb_read", "enable"));
    OK(MPI_File_set_info(file, info));
    check_info(file, "cb_buffer_size", "65536");
    check_info(file, "romio_cb_read", "enable");
    OK(MPI_Info_set(info, "cb_buffer_size", "131072"));
    OK(MPI_File_set_view(file, 0, MPI_BYTE, MPI_BYTE, "native", info));
    check_info(file, "cb_buffer_size", "131072");
    OK(MPI_File_write_at_all(file, test.rank, &byte, 1, MPI_BYTE,
                             MPI_STATUS_IGNORE));
    check_info(file, "cb_buffer_size", "131072");
    check_info(file, "capstan_total_collectives", "1");
    check_info(file, "capstan_last_bytes_delivered", "1");
    OK(MPI_Info_free(&info));
    OK(MPI_File_close(&file));
}

/* The file that ROMIO_HINTS names is for who cannot change the program. */
static void test_the_hints_file_wins(void)
{
    char path[] = "/tmp/capstan-hints.XXXXXX";
    MPI_Info info;
    MPI_File file;
    FILE *hints = fdopen(mkstemp(path), "w");

    CHECK(hints != NULL);
    fputs("cb_buffer_size 65536\ncb_buffer_size 4096\n", hints);
    fclose(hints);
    setenv("ROMIO_HINTS", path, 1);
    OK(MPI_Info_create(&info));
    OK(MPI_Info_set(info, "cb_buffer_size", "1048576"));
    OK(MPI_Info_set(info, "romio_cb_read", "disable"));
    OK(MPI_File_open(MPI_COMM_WORLD, test_path("hinted"),
                     RDWR_NEW | MPI_MODE_DELETE_ON_CLOSE, info, &file));
    check_info(file, "cb_buffer_size", "65536");
    check_info(file, "romio_cb_read", "disable");
    OK(MPI_File_close(&file));
    OK(MPI_Info_free(&info));
    unsetenv("ROMIO_HINTS");
    remove(path);
}

static void test_split_collectives(void)
{
    MPI_File file = open_file("split", RDWR_NEW | MPI_MODE_DELETE_ON_CLOSE);
    MPI_Status status;
    int number = test.rank, back = -1, count;

    OK(MPI_File_write_at_all_begin(file, 4 * test.rank, &number, 1, MPI_INT));
    FAILS(MPI_ERR_ARG, MPI_File_write_all_begin(file, &back, 1, MPI_INT));
    FAILS(MPI_ERR_ARG, MPI_File_write_at_all_end(file, &back, &status));
    OK(MPI_File_write_at_all_end(file, &number, &status));
    MPI_Get_count(&status, MPI_INT, &count);
    CHECK(count == 1);
    FAILS(MPI_ERR_ARG, MPI_File_write_at_all_end(file, &number, &status));
    OK(MPI_File_seek(file, 4 * test.rank, MPI_SEEK_SET));
    OK(MPI_File_read_all_begin(file, &back, 1, MPI_INT));
    OK(MPI_File_read_all_end(file, &back, &status));
    CHECK(back == number);
    OK(MPI_File_close(&file));
}

static void test_nonblocking_calls(void)
{
    MPI_File file = open_file("request", RDWR_NEW | MPI_MODE_DELETE_ON_CLOSE);
    MPI_Request requests[2];
    MPI_Status statuses[2];
    int numbers[2] = {test.rank, -test.rank}, back[2] = {0}, count;

    OK(MPI_File_iwrite_at(file, 8 * test.rank, &numbers[0], 1, MPI_INT,
                          &requests[0]));
    OK(MPI_File_seek(file, 8 * test.rank + 4, MPI_SEEK_SET));
    OK(MPI_File_iwrite(file, &numbers[1], 1, MPI_INT, &requests[1]));
    OK(MPI_Waitall(2, requests, statuses));
    MPI_Get_count(&statuses[1], MPI_INT, &count);
    CHECK(count == 1);
    OK(MPI_File_iread_at(file, 8 * test.rank, back, 2, MPI_INT, &requests[0]));
    OK(MPI_Wait(&requests[0], &statuses[0]));
    MPI_Get_count(&statuses[0], MPI_INT, &count);
    CHECK(count == 2 && back[0] == numbers[0] && back[1] == numbers[1]);
    OK(MPI_File_iread_at(file, -1, back, 2, MPI_INT, &requests[0]));
    FAILS(MPI_ERR_ARG, MPI_Wait(&requests[0], &statuses[0]));
    OK(MPI_File_close(&file));
}

/* Two files, several operations each, waited for in another order by odd
 * ranks, and other collectives in between. */
static void test_nonblocking_collectives(void)
{
    MPI_File files[2] = {
        open_file("all0", RDWR_NEW | MPI_MODE_DELETE_ON_CLOSE),
        open_file("all1", RDWR_NEW | MPI_MODE_DELETE_ON_CLOSE)};
    MPI_Request requests[8];
    MPI_Status status;
    int numbers[8][100], back[8][100], count,
        next = (test.rank + 1) % test.size;

    for (int i = 0; i < 8; i++) {
        for (int k = 0; k < 100; k++)
            numbers[i][k] = i * 10000 + test.rank * 100 + k;
        OK(MPI_File_iwrite_at_all(files[i % 2],
                                  400 * (i * test.size + test.rank), numbers[i],
                                  100, MPI_INT, &requests[i]));
    }
    for (int i = 0; i < 8; i++) {
        OK(MPI_Wait(&requests[test.rank % 2 == 1 ? 7 - i : i], &status));
        MPI_Get_count(&status, MPI_INT, &count);
        CHECK(count == 100);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    for (int i = 0; i < 8; i++) {
        OK(MPI_File_seek(files[i % 2], 400 * (i * test.size + next),
                         MPI_SEEK_SET));
        OK(MPI_File_iread_all(files[i % 2], back[i], 100, MPI_INT,
                              &requests[i]));
        if (i == 3 && test.rank % 2 == 0)
            OK(MPI_Wait(&requests[3], MPI_STATUS_IGNORE));
        if (i == 3)
            OK(MPI_File_sync(files[1]));
    }
    OK(MPI_Waitall(8, requests, MPI_STATUSES_IGNORE));
    for (int i = 0; i < 8; i++)
        for (int k = 0; k < 100; k++)
            CHECK(back[i][k] == i * 10000 + next * 100 + k);
    OK(MPI_File_iread_at_all(files[0], test.rank == 0 ? -1 : 0, back[0], 1,
                             MPI_INT, &requests[0]));
    FAILS(MPI_ERR_ARG, MPI_Wait(&requests[0], &status));
    OK(MPI_File_close(&files[1]));
    OK(MPI_File_close(&files[0]));
}

int main(int argc, char **argv)
{
    test_start(&argc, &argv);
    test_open_errors();
    test_error_text_says_why();
    test_amode_is_enforced();
    test_one_bad_rank_fails_all();
    test_sizes();
    test_pointers();
    test_reads_at_the_end_are_short();
    test_memory_may_run_backward();
    test_views_are_given_back();
    test_infos_tell_what_is_in_force();
    test_the_hints_file_wins();
    test_split_collectives();
    test_nonblocking_calls();
    test_nonblocking_collectives();
    MPI_Finalize();
    return 0;
}
