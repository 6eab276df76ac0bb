/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * obj_uring: the contract, with transfers cut so short that they resume, and
 * what only files and a ring can show.
 */
#define TRANSFER_MAX ((size_t)3001)
#include "store/verbs_uring.c"

#include "store/obj_uring.c"

#include "base/pool.h"
#include "tests/store/obj_contract.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>

#define INO 0x00010000000002cdull

struct obj_fixture obj_fixture;
static char directory[256];

static void note_end(struct obj_io *io)
{
}

static void path_of(uint64_t ino, char path[512])
{
    snprintf(path, 512, "%s/objects/%02x/%016llx", directory, file_shard(ino),
             (unsigned long long)ino);
}

static void test_object_is_a_file_at_its_documented_place(void)
{
    struct obj_store *store = fixture_open();
    char path[512];

    path_of(INO, path);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "a", 1), 1);
    CU_ASSERT_EQUAL(access(path, F_OK), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(path, "/00010000000002cd"));
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    CU_ASSERT_EQUAL(access(path, F_OK), -1);
    obj_close(store);
}

static void test_reading_makes_no_file(void)
{
    struct obj_store *store = fixture_open();
    char path[512], byte;

    path_of(INO, path);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, &byte, 1), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_SYNC, INO, 0, NULL, 0), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_TRUNCATE, INO, 0, NULL, 0), 0);
    CU_ASSERT_EQUAL(access(path, F_OK), -1);
    obj_close(store);
}

/* On a file system that cannot, nothing may be said to be there. */
static void test_storage_is_there_after_an_allocation(void)
{
    struct obj_store *store = fixture_open();
    struct stat st;
    char path[512];
    int64_t rc;

    path_of(INO, path);
    rc = do_io(store, OBJ_ALLOCATE, INO, 0, NULL, 1 << 20);
    CU_ASSERT(rc == 0 || rc == -EOPNOTSUPP);
    CU_ASSERT_EQUAL(stat(path, &st), 0);
    CU_ASSERT_EQUAL(st.st_size, 0);
    if (rc == 0)
        CU_ASSERT(st.st_blocks * 512 >= 1 << 20);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

/* And for nothing else: a sparse file stays sparse. */
static void test_storage_is_there_for_the_part_alone(void)
{
    struct obj_store *store = fixture_open();
    struct stat st;
    char path[512];
    int64_t rc;

    path_of(INO, path);
    rc = do_io(store, OBJ_ALLOCATE, INO, 64 << 20, NULL, 1 << 20);
    CU_ASSERT(rc == 0 || rc == -EOPNOTSUPP);
    CU_ASSERT_EQUAL(stat(path, &st), 0);
    if (rc == 0)
        CU_ASSERT(st.st_blocks * 512 >= 1 << 20);
    CU_ASSERT(st.st_blocks * 512 < 8 << 20);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

static void ended(struct obj_io *io)
{
    CU_ASSERT(io->result <= 0);
}

static int64_t allocate_with_spare(struct obj_store *store, size_t length,
                                   uint64_t spare)
{
    struct obj_io io = {.verb = OBJ_ALLOCATE,
                        .ino = INO,
                        .length = length,
                        .spare = spare,
                        .done = ended};

    obj_submit(store, &io);
    drain_to(store, 0);
    return io.result;
}

/* What is to be left over counts, unless the file has all that it wants. */
static void test_an_allocation_leaves_room(void)
{
    struct obj_store *store = fixture_open();
    uint64_t total, left;

    CU_ASSERT_EQUAL(obj_space(store, &total, &left), 0);
    CU_ASSERT_EQUAL(allocate_with_spare(store, 1 << 20, total), -ENOSPC);
    CU_ASSERT_EQUAL(do_io(store, OBJ_ALLOCATE, INO, 0, NULL, 1 << 20), 0);
    CU_ASSERT_EQUAL(allocate_with_spare(store, 1 << 20, total), 0);
    CU_ASSERT_EQUAL(allocate_with_spare(store, 2 << 20, total), -ENOSPC);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

/* A file that somebody puts there behind our back shows that nobody looks. */
static void test_a_fresh_number_is_not_looked_for(void)
{
    struct obj_store *store = fixture_open();
    char path[512], bytes[2];
    int fd;

    obj_fresh(store, INO);
    path_of(INO, path);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    CU_ASSERT_EQUAL(write(fd, "zz", 2), 2);
    close(fd);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, bytes, 2), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    CU_ASSERT_EQUAL(access(path, F_OK), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "a", 1), 1);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, bytes, 2), 2);
    CU_ASSERT_EQUAL(memcmp(bytes, "az", 2), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    CU_ASSERT_EQUAL(access(path, F_OK), -1);
    obj_close(store);
}

static unsigned open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;

    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

static void test_open_descriptors_are_bounded(void)
{
    enum { N = 200 };
    struct obj_store *store;
    struct rlimit limit, low;
    unsigned before;
    char byte;

    getrlimit(RLIMIT_NOFILE, &limit);
    low = limit;
    low.rlim_cur = 64; /* a quarter of it, 16, is kept open */
    setrlimit(RLIMIT_NOFILE, &low);
    store = fixture_open();
    before = open_descriptors();
    for (unsigned i = 0; i < N; i++)
        CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO + i, 0, "a", 1), 1);
    CU_ASSERT(open_descriptors() <= before + QUIET_MIN);
    for (unsigned i = 0; i < N; i++) {
        CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO + i, 0, &byte, 1), 1);
        CU_ASSERT_EQUAL(do_io(store, OBJ_SYNC, INO + i, 0, NULL, 0), 0);
        CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO + i, 0, NULL, 0), 0);
    }
    CU_ASSERT_EQUAL(open_descriptors(), before);
    obj_close(store);
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* Does nobody have the file open? A lease tells. Waits for it a while, since
 * the kernel lets go of registered files in the background. */
static bool is_let_go(const char *path)
{
    int fd = open(path, O_RDWR);
    bool is = false;

    for (unsigned i = 0; !is && i < 500; i++) {
        is = fcntl(fd, F_SETLEASE, F_WRLCK) == 0;
        if (!is)
            poll(NULL, 0, 10);
    }
    close(fd);
    return is;
}

static void test_a_file_in_use_is_registered_and_let_go(void)
{
    struct obj_store *store = fixture_open();
    struct uring_store *uring = store_of(store);
    struct file *file;
    char path[512], byte;

    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "a", 1), 1);
    for (unsigned i = 0; i < 2 * REGISTER_AFTER; i++)
        CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, &byte, 1), 1);
    CU_ASSERT_EQUAL(byte, 'a');
    file = file_table_get(&uring->table, INO, 0);
    CU_ASSERT_EQUAL(file->registered & 1,
                    uring->nplaces > 0 && !uring->is_memory);
    file_table_put(&uring->table, file);
    CU_ASSERT(file_table_evict(&uring->table));
    path_of(INO, path);
    CU_ASSERT(is_let_go(path));
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, &byte, 1), 1);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

/* More busy objects than descriptors: some fail, all end, the store lives. */
static void test_want_of_descriptors_concerns_one_operation(void)
{
    enum { N = 64 };
    static struct obj_io ios[N];
    struct obj_store *store = fixture_open();
    struct rlimit limit, low;
    unsigned failed = 0;

    getrlimit(RLIMIT_NOFILE, &limit);
    low = limit;
    low.rlim_cur = open_descriptors() + 4;
    setrlimit(RLIMIT_NOFILE, &low);
    for (unsigned i = 0; i < N; i++) {
        ios[i] = (struct obj_io){.verb = OBJ_WRITE,
                                 .ino = INO + i,
                                 .memory = "a",
                                 .length = 1,
                                 .done = note_end};
        obj_submit(store, &ios[i]);
    }
    drain_to(store, 0);
    setrlimit(RLIMIT_NOFILE, &limit);
    for (unsigned i = 0; i < N; i++) {
        CU_ASSERT(ios[i].result == 1 || ios[i].result == -EMFILE);
        failed += ios[i].result != 1;
        CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO + i, 0, NULL, 0), 0);
    }
    CU_ASSERT(failed < N);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "a", 1), 1);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

static void test_file_too_big_concerns_one_operation(void)
{
    struct obj_store *store = fixture_open();
    struct rlimit limit, low;
    char bytes[8192] = {0};

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    low = limit;
    low.rlim_cur = 10000;
    setrlimit(RLIMIT_FSIZE, &low);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, bytes, 8192), 8192);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 8192, bytes, 8192), -EFBIG);
    CU_ASSERT_EQUAL(do_io(store, OBJ_TRUNCATE, INO, 20000, NULL, 0), -EFBIG);
    setrlimit(RLIMIT_FSIZE, &limit);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 8192, bytes, 8192), 8192);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

static void test_first_sync_covers_the_directory(void)
{
    struct obj_store *base = fixture_open();
    struct shard *shard = &store_of(base)->shards[file_shard(INO)];

    CU_ASSERT_EQUAL(shard->synced, 0);
    CU_ASSERT_EQUAL(do_io(base, OBJ_WRITE, INO, 0, "a", 1), 1);
    CU_ASSERT_EQUAL(shard->changed, 2);
    CU_ASSERT_EQUAL(do_io(base, OBJ_SYNC, INO, 0, NULL, 0), 0);
    CU_ASSERT_EQUAL(shard->synced, 2);
    CU_ASSERT_EQUAL(do_io(base, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    CU_ASSERT_EQUAL(shard->changed, 3);
    CU_ASSERT_EQUAL(do_io(base, OBJ_SYNC, INO, 0, NULL, 0), 0);
    CU_ASSERT_EQUAL(shard->synced, 3);
    obj_close(base);
}

/* A pipe takes no fsync: the file's own code is told, not that of the directory
 * whose sync then did not begin, and the directory is synced another time. */
static void test_a_failed_sync_leaves_the_directory_to_the_next(void)
{
    struct obj_store *base = fixture_open();
    struct uring_store *store = store_of(base);
    struct shard *shard = &store->shards[file_shard(INO)];
    struct file *file;
    int ends[2], fd;

    CU_ASSERT_EQUAL(do_io(base, OBJ_WRITE, INO, 0, "a", 1), 1);
    file = file_table_get(&store->table, INO, 0);
    fd = file->fd;
    file_table_put(&store->table, file);
    CU_ASSERT_EQUAL_FATAL(pipe2(ends, O_CLOEXEC), 0);
    file->fd = ends[1];
    CU_ASSERT_EQUAL(do_io(base, OBJ_SYNC, INO, 0, NULL, 0), -EINVAL);
    CU_ASSERT_EQUAL(shard->synced, 0);
    file->fd = fd;
    CU_ASSERT_EQUAL(do_io(base, OBJ_SYNC, INO, 0, NULL, 0), 0);
    CU_ASSERT_EQUAL(shard->synced, shard->changed);
    CU_ASSERT_EQUAL(do_io(base, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    close(ends[0]);
    close(ends[1]);
    obj_close(base);
}

static void test_registered_memory_moves_bytes(void)
{
    struct obj_store *store;
    struct pool pool;
    char *buffer, *other;

    CU_ASSERT_EQUAL_FATAL(pool_init(&pool, 4, 65536), 0);
    obj_fixture.config.pool = pool.base;
    obj_fixture.config.pool_size = 4 * 65536;
    store = fixture_open();
    buffer = pool_get(&pool);
    other = pool_get(&pool);
    memset(buffer, 'r', 65536);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 1, buffer, 65536), 65536);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 2, other, 65000), 65000);
    CU_ASSERT_EQUAL(memcmp(buffer, other, 65000), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
    obj_fixture.config.pool = NULL;
    obj_fixture.config.pool_size = 0;
    pool_fini(&pool);
}

/* Memory that cannot be registered (nothing is mapped there). */
static void test_refused_registration_is_no_error(void)
{
    struct obj_store *store;

    obj_fixture.config.pool = (void *)4096;
    obj_fixture.config.pool_size = 65536;
    store = fixture_open();
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "a", 1), 1);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
    obj_fixture.config.pool = NULL;
    obj_fixture.config.pool_size = 0;
}

static void test_wait_fd_wakes_epoll(void)
{
    struct obj_store *store = fixture_open();
    struct obj_io io = {.verb = OBJ_WRITE,
                        .ino = INO,
                        .memory = "a",
                        .length = 1,
                        .done = note_end};
    struct obj_io sync = {.verb = OBJ_SYNC, .ino = INO, .done = note_end};
    struct epoll_event event = {.events = EPOLLIN};
    int fd = epoll_create1(EPOLL_CLOEXEC);
    int n;

    CU_ASSERT_EQUAL(epoll_ctl(fd, EPOLL_CTL_ADD, obj_wait_fd(store), &event),
                    0);
    obj_submit(store, &io);
    obj_submit(store, &sync);
    while (obj_pending(store) > 0) {
        if (obj_poll(store) > 0)
            continue;
        n = epoll_wait(fd, &event, 1, 20000);
        CU_ASSERT_FATAL(n == 1 || (n == -1 && errno == EINTR));
    }
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
    close(fd);
}

static void test_open_names_the_cause(void)
{
    struct obj_config config = {.directory = "/nonexistent/target"};
    struct obj_store *store = NULL;

    CU_ASSERT_EQUAL(obj_open(&obj_uring, &config, &store), -ENOENT);
    CU_ASSERT_PTR_NULL(store);
}

/* An open file without a name is read, but nothing in it will last. */
static void test_a_removed_file_is_not_synced(void)
{
    struct obj_store *store = fixture_open();
    char path[512], bytes[8];

    path_of(INO, path);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "abc", 3), 3);
    CU_ASSERT_EQUAL(do_io(store, OBJ_SYNC, INO, 0, NULL, 0), 0);
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, bytes, 8), 3);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "abc", 3), 3);
    CU_ASSERT_EQUAL(do_io(store, OBJ_SYNC, INO, 0, NULL, 0), -EIO);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

static void test_a_removed_directory_is_an_error(void)
{
    struct obj_store *store = fixture_open();
    char path[512], byte;

    path_of(INO, path);
    *strrchr(path, '/') = '\0';
    CU_ASSERT_EQUAL(rmdir(path), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, &byte, 1), -EIO);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "a", 1), -EIO);
    CU_ASSERT_EQUAL(do_io(store, OBJ_STAT, INO, 0, NULL, 0), -EIO);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO + 1, 0, &byte, 1), 0);
    CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "a", 1), 1);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

static void set_read_only(const char *path, bool is_read_only)
{
    CU_ASSERT_EQUAL(mount(NULL, path, NULL,
                          MS_REMOUNT | (is_read_only ? MS_RDONLY : 0), NULL),
                    0);
}

/* In the tiny file system of the next test, empty. */
static void read_only_device(const char *tiny)
{
    struct obj_store *store = fixture_open();
    char bytes[8];

    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "abc", 3), 3);
    obj_close(store);
    store = fixture_open();
    set_read_only(tiny, true);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, bytes, 8), 3);
    CU_ASSERT_EQUAL(memcmp(bytes, "abc", 3), 0);
    CU_ASSERT_EQUAL(size_of(store, INO), 3);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "d", 1), -EROFS);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO + 1, 0, "d", 1), -EROFS);
    CU_ASSERT_EQUAL(do_io(store, OBJ_TRUNCATE, INO, 0, NULL, 0), -EROFS);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO + 1, 0, bytes, 8), 0);
    set_read_only(tiny, false);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 1, "xyz", 3), 3);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, bytes, 8), 4);
    CU_ASSERT_EQUAL(memcmp(bytes, "axyz", 4), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

static void test_full_device_concerns_one_operation(void)
{
    static char bytes[1 << 20];
    struct obj_config old = obj_fixture.config;
    struct obj_store *store;
    char tiny[300];
    uint64_t total, left;

    snprintf(tiny, sizeof(tiny), "%s/tiny", directory);
    if (!unit_tiny_fs_mount(tiny, "1536k"))
        return;
    obj_fixture.config.directory = tiny;
    store = fixture_open();
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, bytes, 1 << 20), 1 << 20);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO + 1, 0, bytes, 1 << 20),
                    -ENOSPC);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, bytes, 1 << 20), 1 << 20);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO + 1, 0, NULL, 0), 0);
    CU_ASSERT_EQUAL(obj_space(store, &total, &left), 0);
    CU_ASSERT_EQUAL(total, 1536 << 10);
    CU_ASSERT(left < 1 << 20);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO + 1, 0, bytes, 4096), 4096);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO + 1, 0, NULL, 0), 0);
    obj_close(store);
    read_only_device(tiny);
    obj_fixture.config = old;
    unit_tiny_fs_umount(tiny);
}

/* Without a device there is nothing to wait for: no ring. */
static void test_memory_is_copied_at_once(void)
{
    static char bytes[100000], back[100000];
    struct obj_config old = obj_fixture.config;
    char path[] = "/dev/shm/capstan-test-XXXXXX";
    struct obj_store *store;

    if (mkdtemp(path) == NULL)
        return;
    obj_fixture.config.directory = path;
    store = fixture_open();
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i % 251);
    CU_ASSERT_EQUAL(((struct uring_store *)store)->is_memory,
                    is_in_memory(((struct uring_store *)store)->dir_fd));
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 7, bytes, sizeof(bytes)),
                    sizeof(bytes));
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 7, back, sizeof(back)),
                    sizeof(back));
    CU_ASSERT_EQUAL(memcmp(bytes, back, sizeof(back)), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 99999, back, 4096), 8);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 1 << 20, back, 4096), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
    obj_fixture.config = old;
    unit_tempdir_remove(path);
}

/* May the kernel copy from there? A touch of ours could be a SIGBUS. */
static bool can_be_copied(const void *lent, size_t length)
{
    static char bytes[1 << 16];
    struct iovec from = {(void *)(uintptr_t)lent, length};
    struct iovec to = {bytes, length};

    return process_vm_writev(getpid(), &from, 1, &to, 1, 0) == (ssize_t)length;
}

static void check_lending(struct obj_store *store)
{
    static char bytes[3 * 4096];
    const void *lent;
    struct stat st;
    char path[512];

    path_of(INO, path);
    memset(bytes, 'x', sizeof(bytes));
    CU_ASSERT_PTR_NULL(obj_lend(store, INO, 0, 4096));
    do_io(store, OBJ_WRITE, INO, 0, bytes, sizeof(bytes));
    lent = obj_lend(store, INO, 0, sizeof(bytes));
    CU_ASSERT_PTR_NOT_NULL_FATAL(lent);
    CU_ASSERT_EQUAL(memcmp(lent, bytes, sizeof(bytes)), 0);
    CU_ASSERT_PTR_NULL(obj_lend(store, INO, 8192, 8192));
    CU_ASSERT_PTR_NULL(obj_lend(store, INO, UINT64_MAX - 4095, 8192));
    /* it grows, at first with no hole */
    do_io(store, OBJ_WRITE, INO, sizeof(bytes), bytes, sizeof(bytes));
    lent = obj_lend(store, INO, 4096, 5 * 4096);
    CU_ASSERT_PTR_NOT_NULL_FATAL(lent);
    CU_ASSERT_EQUAL(memcmp(lent, bytes, sizeof(bytes)), 0);
    /* a hole is not touched */
    do_io(store, OBJ_WRITE, INO, 1 << 20, bytes, sizeof(bytes));
    CU_ASSERT_PTR_NULL(obj_lend(store, INO, 4096, 1 << 20));
    CU_ASSERT_EQUAL(stat(path, &st), 0);
    CU_ASSERT_EQUAL(st.st_blocks, 9 * 8);
    /* shorter, and longer again */
    do_io(store, OBJ_TRUNCATE, INO, 4096, NULL, 0);
    do_io(store, OBJ_TRUNCATE, INO, 8192, NULL, 0);
    CU_ASSERT_PTR_NULL(obj_lend(store, INO, 0, 8192));
    lent = obj_lend(store, INO, 0, 4096);
    CU_ASSERT_PTR_NOT_NULL_FATAL(lent);
    CU_ASSERT(can_be_copied(lent, 4096));
    /* cut by another hand */
    CU_ASSERT_EQUAL(truncate(path, 0), 0);
    lent = obj_lend(store, INO, 0, 4096);
    CU_ASSERT(lent == NULL || !can_be_copied(lent, 4096));
    do_io(store, OBJ_DESTROY, INO, 0, NULL, 0);
    CU_ASSERT_PTR_NULL(obj_lend(store, INO, 0, 4096));
}

static void test_bytes_in_memory_are_lent(void)
{
    char path[] = "/dev/shm/capstan-test-XXXXXX", before[256];
    struct obj_store *store;

    if (mkdtemp(path) == NULL)
        return;
    memcpy(before, directory, sizeof(before));
    memcpy(directory, path, sizeof(path)); /* the fixture's too */
    store = fixture_open();
    if (((struct uring_store *)store)->is_memory)
        check_lending(store);
    obj_close(store);
    memcpy(directory, before, sizeof(before));
    unit_tempdir_remove(path);
}

/* A copy would wait for the device. */
static void test_bytes_of_a_device_are_not_lent(void)
{
    struct obj_store *store = fixture_open();

    do_io(store, OBJ_WRITE, INO, 0, "a", 1);
    CU_ASSERT_EQUAL(obj_lend(store, INO, 0, 1) != NULL,
                    ((struct uring_store *)store)->is_memory);
    do_io(store, OBJ_DESTROY, INO, 0, NULL, 0);
    obj_close(store);
}

int main(void)
{
    static const struct unit_test tests[] = {
        OBJ_CONTRACT,
        UNIT_TEST(test_memory_is_copied_at_once),
        UNIT_TEST(test_bytes_in_memory_are_lent),
        UNIT_TEST(test_bytes_of_a_device_are_not_lent),
        UNIT_TEST(test_object_is_a_file_at_its_documented_place),
        UNIT_TEST(test_reading_makes_no_file),
        UNIT_TEST(test_storage_is_there_after_an_allocation),
        UNIT_TEST(test_storage_is_there_for_the_part_alone),
        UNIT_TEST(test_an_allocation_leaves_room),
        UNIT_TEST(test_a_fresh_number_is_not_looked_for),
        UNIT_TEST(test_open_descriptors_are_bounded),
        UNIT_TEST(test_a_file_in_use_is_registered_and_let_go),
        UNIT_TEST(test_want_of_descriptors_concerns_one_operation),
        UNIT_TEST(test_file_too_big_concerns_one_operation),
        UNIT_TEST(test_first_sync_covers_the_directory),
        UNIT_TEST(test_a_failed_sync_leaves_the_directory_to_the_next),
        UNIT_TEST(test_registered_memory_moves_bytes),
        UNIT_TEST(test_refused_registration_is_no_error),
        UNIT_TEST(test_wait_fd_wakes_epoll),
        UNIT_TEST(test_open_names_the_cause),
        UNIT_TEST(test_a_removed_file_is_not_synced),
        UNIT_TEST(test_a_removed_directory_is_an_error),
        UNIT_TEST(test_full_device_concerns_one_operation),
    };
    struct obj_store *store;
    int rc;

    unit_tempdir_make(directory);
    obj_fixture = (struct obj_fixture){
        .driver = &obj_uring,
        .config = {.directory = directory, .queue_depth = 32},
        .rounds = 100,
    };
    if (obj_open(&obj_uring, &obj_fixture.config, &store) == -ENOSYS) {
        printf("skipped: no io_uring here\n");
        unit_tempdir_remove(directory);
        return UNIT_SKIPPED;
    }
    obj_close(store);
    rc = UNIT_MAIN("store/obj_uring", tests);
    unit_tempdir_remove(directory);
    return rc;
}
