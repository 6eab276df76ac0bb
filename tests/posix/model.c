/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random operations on files and directories, from a seed, done twice: below
 * the directory under test and below a local one, the oracle. After each the
 * two must have said the same (result, errno, bytes read, attributes), and at
 * the end of a seed the two trees must be the same.
 *
 *     model DIR ORACLE FIRST COUNT [OPS]
 *
 * The program knows nothing of Capstan: DIR lies on a mount, or below the
 * prefix of the preload library. When something differs it prints the seed, the
 * step, both answers and the last operations before it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES 6         /* open at once */
#define SIZE_MAX_ 70000 /* of a file, about */
#define BUFFER 40000
#define HISTORY 12
#define LISTING 4096

static const char *const names[] = {"a", "b", "c", "d", "e"};
#define NAMES (sizeof(names) / sizeof(names[0]))

struct answer {
    long rc;
    int error; /* 0 if rc >= 0 */
};

struct pair {
    int fd[2]; /* [0] under test, [1] oracle; -1: closed */
};

static struct {
    uint64_t random;
    uint64_t seed;
    unsigned step;
    const char *root[2];
    struct pair files[FILES];
    char history[HISTORY][256];
    unsigned nhistory;
    char data[2][BUFFER];
} t;

static uint64_t next_random(void)
{
    uint64_t z = (t.random += 0x9e3779b97f4a7c15ull);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static unsigned below(unsigned limit)
{
    return (unsigned)(next_random() % limit);
}

static void __attribute__((format(printf, 1, 2))) note(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(t.history[t.nhistory++ % HISTORY], sizeof(t.history[0]), format,
              args);
    va_end(args);
}

static void __attribute__((noreturn)) fail(const char *what)
{
    unsigned first = t.nhistory > HISTORY ? t.nhistory - HISTORY : 0;

    printf("FAIL: seed %llu, step %u: %s\n", (unsigned long long)t.seed, t.step,
           what);
    for (unsigned i = first; i < t.nhistory; i++)
        printf("    %s\n", t.history[i % HISTORY]);
    exit(1);
}

static struct answer answer(long rc)
{
    return (struct answer){rc, rc < 0 ? errno : 0};
}

/* Two errors that POSIX allows for one another. */
static bool is_same_error(int one, int two)
{
    return one == two || (one == EEXIST && two == ENOTEMPTY) ||
           (one == ENOTEMPTY && two == EEXIST) ||
           (one == EPERM && two == EISDIR) || (one == EISDIR && two == EPERM);
}

static void same(struct answer answers[2])
{
    char text[256];

    if (answers[0].rc == answers[1].rc &&
        is_same_error(answers[0].error, answers[1].error))
        return;
    snprintf(text, sizeof(text), "said %ld (%s), the oracle %ld (%s)",
             answers[0].rc, strerror(answers[0].error), answers[1].rc,
             strerror(answers[1].error));
    fail(text);
}

/* A call with two paths may find first what is wrong with either. */
static void same_of_two(struct answer answers[2])
{
    bool is_either = answers[0].error == ENOENT ||
                     answers[0].error == ENOTDIR || answers[0].error == ELOOP;
    /* a file onto a directory that it is below: Linux says it is not empty */
    bool is_onto_above =
        answers[0].error == EISDIR && answers[1].error == ENOTEMPTY;

    if (answers[0].rc < 0 && answers[1].rc < 0 && (is_either || is_onto_above))
        return;
    same(answers);
}

/* A path of one to three names, the same below both roots. */
static void choose_path(char path[2][PATH_MAX])
{
    unsigned depth = 1 + below(10) / 5 + below(10) / 8;
    char tail[64] = "";

    for (unsigned i = 0; i < depth; i++) {
        strcat(tail, "/");
        strcat(tail, names[below(NAMES)]);
    }
    for (int i = 0; i < 2; i++)
        snprintf(path[i], PATH_MAX, "%s%s", t.root[i], tail);
}

static const char *tail_of(char path[2][PATH_MAX])
{
    return path[1] + strlen(t.root[1]);
}

static bool choose_file(struct pair **pair_out)
{
    struct pair *pair = &t.files[below(FILES)];

    *pair_out = pair;
    return pair->fd[0] >= 0;
}

static void fill(size_t len)
{
    for (size_t i = 0; i < len; i += 8) {
        uint64_t word = next_random();

        memcpy(t.data[0] + i, &word, len - i < 8 ? len - i : 8);
    }
    memcpy(t.data[1], t.data[0], len);
}

static void op_open(void)
{
    static const int ways[] = {O_RDONLY, O_WRONLY, O_RDWR, O_RDWR};
    static const int extras[] = {
        0,       O_CREAT, O_CREAT,  O_CREAT | O_EXCL,
        O_TRUNC, O_CREAT, O_APPEND, O_CREAT | O_APPEND};
    struct pair *pair = &t.files[below(FILES)];
    int flags = ways[below(4)];
    int extra = extras[below(8)];
    mode_t mode = below(2) ? 0644 : 0600;
    struct answer answers[2];
    char path[2][PATH_MAX];

    choose_path(path);
    if ((extra & O_TRUNC) && flags == O_RDONLY)
        flags = O_RDWR;
    flags |= extra | (below(8) == 0 ? O_NOFOLLOW : 0);
    note("open %s flags %o mode %o as %d", tail_of(path), flags, mode,
         (int)(pair - t.files));
    for (int i = 0; i < 2; i++) {
        if (pair->fd[i] >= 0)
            close(pair->fd[i]);
        pair->fd[i] = open(path[i], flags, mode);
        answers[i] = answer(pair->fd[i] < 0 ? -1 : 0);
    }
    same(answers);
}

static void op_close(void)
{
    struct answer answers[2];
    struct pair *pair;

    if (!choose_file(&pair))
        return;
    note("close %d", (int)(pair - t.files));
    for (int i = 0; i < 2; i++) {
        answers[i] = answer(close(pair->fd[i]));
        pair->fd[i] = -1;
    }
    same(answers);
}

static void op_dup(void)
{
    struct pair *to = &t.files[below(FILES)];
    struct pair *pair;

    if (!choose_file(&pair) || pair == to)
        return;
    note("dup %d as %d", (int)(pair - t.files), (int)(to - t.files));
    for (int i = 0; i < 2; i++) {
        if (to->fd[i] >= 0)
            close(to->fd[i]);
        to->fd[i] = dup(pair->fd[i]);
        if (to->fd[i] < 0)
            fail("dup");
    }
}

static void same_data(struct answer answers[2])
{
    same(answers);
    if (answers[0].rc > 0 &&
        memcmp(t.data[0], t.data[1], (size_t)answers[0].rc) != 0)
        fail("other bytes");
}

static void op_read(void)
{
    size_t len = below(4) == 0 ? below(BUFFER) : below(5000);
    off_t at = below(SIZE_MAX_);
    bool is_at = below(2);
    struct answer answers[2];
    struct pair *pair;

    if (!choose_file(&pair))
        return;
    note("%s %d len %zu at %lld", is_at ? "pread" : "read",
         (int)(pair - t.files), len, is_at ? (long long)at : -1ll);
    for (int i = 0; i < 2; i++)
        answers[i] = answer(is_at ? pread(pair->fd[i], t.data[i], len, at)
                                  : read(pair->fd[i], t.data[i], len));
    same_data(answers);
}

static void op_readv(void)
{
    size_t len = 1 + below(3000);
    struct answer answers[2];
    struct pair *pair;

    if (!choose_file(&pair))
        return;
    note("readv %d 2 x %zu", (int)(pair - t.files), len);
    for (int i = 0; i < 2; i++) {
        struct iovec iov[2] = {{t.data[i], len}, {t.data[i] + len, len}};

        answers[i] = answer(readv(pair->fd[i], iov, 2));
    }
    same_data(answers);
}

static void op_write(void)
{
    size_t len = below(4) == 0 ? below(BUFFER) : below(5000);
    off_t at = below(SIZE_MAX_ - BUFFER);
    bool is_at = below(2);
    struct answer answers[2];
    struct pair *pair;

    if (!choose_file(&pair))
        return;
    /* Linux appends with pwrite too, against POSIX: left alone */
    if (is_at && (fcntl(pair->fd[1], F_GETFL) & O_APPEND))
        is_at = false;
    fill(len);
    note("%s %d len %zu at %lld", is_at ? "pwrite" : "write",
         (int)(pair - t.files), len, is_at ? (long long)at : -1ll);
    for (int i = 0; i < 2; i++)
        answers[i] = answer(is_at ? pwrite(pair->fd[i], t.data[i], len, at)
                                  : write(pair->fd[i], t.data[i], len));
    same(answers);
}

static void op_seek(void)
{
    static const int whences[] = {SEEK_SET, SEEK_CUR, SEEK_END};
    int whence = whences[below(3)];
    off_t at = (off_t)below(SIZE_MAX_ - BUFFER) -
               (whence == SEEK_SET ? 0 : SIZE_MAX_ / 2);
    struct answer answers[2];
    struct stat attr;
    struct pair *pair;

    /* where a directory ends is nobody's business */
    if (!choose_file(&pair) || fstat(pair->fd[1], &attr) != 0 ||
        S_ISDIR(attr.st_mode))
        return;
    note("lseek %d to %lld whence %d", (int)(pair - t.files), (long long)at,
         whence);
    for (int i = 0; i < 2; i++)
        answers[i] = answer(lseek(pair->fd[i], at, whence));
    same(answers);
    if (answers[0].rc > SIZE_MAX_)
        for (int i = 0; i < 2; i++)
            lseek(pair->fd[i], 0, SEEK_SET);
}

static void op_truncate(void)
{
    off_t size = below(SIZE_MAX_);
    bool is_fd = below(2);
    struct answer answers[2];
    char path[2][PATH_MAX];
    struct pair *pair = NULL;

    choose_path(path);
    if (is_fd && !choose_file(&pair))
        return;
    if (is_fd)
        note("ftruncate %d to %lld", (int)(pair - t.files), (long long)size);
    else
        note("truncate %s to %lld", tail_of(path), (long long)size);
    for (int i = 0; i < 2; i++)
        answers[i] = answer(is_fd ? ftruncate(pair->fd[i], size)
                                  : truncate(path[i], size));
    same(answers);
}

/* Some local file systems cannot: then there is nothing to compare. */
static void op_allocate(void)
{
    int mode = below(2) ? FALLOC_FL_KEEP_SIZE : 0;
    off_t at = below(SIZE_MAX_ - BUFFER);
    off_t len = below(8) == 0 ? 0 : below(BUFFER);
    struct answer answers[2];
    struct pair *pair;

    if (!choose_file(&pair))
        return;
    note("fallocate %d mode %d at %lld len %lld", (int)(pair - t.files), mode,
         (long long)at, (long long)len);
    answers[1] = answer(fallocate(pair->fd[1], mode, at, len));
    if (answers[1].error == EOPNOTSUPP)
        return;
    answers[0] = answer(fallocate(pair->fd[0], mode, at, len));
    same(answers);
}

static void op_map(void)
{
    struct stat attr;
    struct pair *pair;
    void *maps[2];

    if (!choose_file(&pair) || fstat(pair->fd[1], &attr) != 0 ||
        !S_ISREG(attr.st_mode) || attr.st_size == 0 ||
        (fcntl(pair->fd[1], F_GETFL) & O_ACCMODE) == O_WRONLY)
        return;
    note("mmap %d", (int)(pair - t.files));
    for (int i = 0; i < 2; i++) {
        maps[i] = mmap(NULL, (size_t)attr.st_size, PROT_READ, MAP_PRIVATE,
                       pair->fd[i], 0);
        if (maps[i] == MAP_FAILED)
            fail("mmap");
    }
    if (memcmp(maps[0], maps[1], (size_t)attr.st_size) != 0)
        fail("other bytes in memory");
    for (int i = 0; i < 2; i++)
        munmap(maps[i], (size_t)attr.st_size);
}

static void same_attr(const struct stat attr[2])
{
    char text[256];

    if (attr[0].st_mode == attr[1].st_mode &&
        (S_ISDIR(attr[1].st_mode) || (attr[0].st_size == attr[1].st_size &&
                                      attr[0].st_nlink == attr[1].st_nlink)))
        return;
    snprintf(text, sizeof(text),
             "mode %o size %lld links %lu, the oracle %o %lld %lu",
             attr[0].st_mode, (long long)attr[0].st_size,
             (unsigned long)attr[0].st_nlink, attr[1].st_mode,
             (long long)attr[1].st_size, (unsigned long)attr[1].st_nlink);
    fail(text);
}

static void op_stat(void)
{
    unsigned how = below(3);
    struct answer answers[2];
    struct stat attr[2];
    char path[2][PATH_MAX];
    struct pair *pair = NULL;

    choose_path(path);
    if (how == 2 && !choose_file(&pair))
        return;
    if (how == 2)
        note("fstat %d", (int)(pair - t.files));
    else
        note("%s %s", how == 0 ? "stat" : "lstat", tail_of(path));
    for (int i = 0; i < 2; i++)
        answers[i] = answer(how == 0   ? stat(path[i], &attr[i])
                            : how == 1 ? lstat(path[i], &attr[i])
                                       : fstat(pair->fd[i], &attr[i]));
    same(answers);
    if (answers[0].rc == 0)
        same_attr(attr);
}

typedef int path_fn(const char *path);

static int do_mkdir(const char *path)
{
    return mkdir(path, 0755);
}

static int do_chmod(const char *path)
{
    return chmod(path, t.step % 2 ? 0640 : 0711);
}

static int do_access(const char *path)
{
    return access(path, F_OK);
}

static int do_utime(const char *path)
{
    const struct timespec times[2] = {{t.step, 5},
                                      {1000000 + t.step, 123456789}};
    struct stat attr;

    if (utimensat(AT_FDCWD, path, times, 0) != 0)
        return -1;
    if (stat(path, &attr) != 0 || attr.st_mtim.tv_sec != times[1].tv_sec ||
        attr.st_mtim.tv_nsec != times[1].tv_nsec ||
        attr.st_atim.tv_sec != times[0].tv_sec)
        fail("utimensat is not what stat says");
    return 0;
}

static int do_symlink(const char *path)
{
    return symlink(names[t.step % NAMES], path);
}

static int do_readlink(const char *path)
{
    char text[64];

    return (int)readlink(path, text, sizeof(text));
}

static void op_path(void)
{
    static const struct {
        const char *name;
        path_fn *act;
    } acts[] = {{"mkdir", do_mkdir},     {"mkdir", do_mkdir},
                {"rmdir", rmdir},        {"unlink", unlink},
                {"unlink", unlink},      {"chmod", do_chmod},
                {"utimensat", do_utime}, {"access", do_access},
                {"symlink", do_symlink}, {"readlink", do_readlink}};
    unsigned which = below(sizeof(acts) / sizeof(acts[0]));
    struct answer answers[2];
    char path[2][PATH_MAX];

    choose_path(path);
    note("%s %s", acts[which].name, tail_of(path));
    for (int i = 0; i < 2; i++)
        answers[i] = answer(acts[which].act(path[i]));
    same(answers);
}

static void op_two(void)
{
    bool is_link = below(3) == 0;
    char from[2][PATH_MAX], to[2][PATH_MAX];
    struct answer answers[2];

    choose_path(from);
    choose_path(to);
    note("%s %s to %s", is_link ? "link" : "rename", tail_of(from),
         tail_of(to));
    for (int i = 0; i < 2; i++)
        answers[i] =
            answer(is_link ? link(from[i], to[i]) : rename(from[i], to[i]));
    same_of_two(answers);
}

static int by_name(const void *one, const void *two)
{
    return strcmp(*(char *const *)one, *(char *const *)two);
}

/* The names in a directory, in order, with their types. @return < 0: errno. */
static long list(const char *path, char text[LISTING])
{
    char *found[64];
    size_t count = 0, len = 0;
    struct dirent *entry;
    DIR *dir = opendir(path);

    if (dir == NULL)
        return -1;
    while ((entry = readdir(dir)) != NULL && count < 64) {
        char line[300];

        snprintf(line, sizeof(line), "%s(%d) ", entry->d_name, entry->d_type);
        found[count++] = strdup(line);
    }
    closedir(dir);
    qsort(found, count, sizeof(found[0]), by_name);
    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        len += (size_t)snprintf(text + len, LISTING - len, "%s", found[i]);
        free(found[i]);
    }
    return (long)count;
}

static void op_list(void)
{
    char text[2][LISTING], both[600];
    struct answer answers[2];
    char path[2][PATH_MAX];

    choose_path(path);
    if (below(3) == 0)
        for (int i = 0; i < 2; i++)
            snprintf(path[i], PATH_MAX, "%s", t.root[i]);
    note("list %s", tail_of(path));
    for (int i = 0; i < 2; i++)
        answers[i] = answer(list(path[i], text[i]));
    same(answers);
    if (answers[0].rc < 0 || strcmp(text[0], text[1]) == 0)
        return;
    snprintf(both, sizeof(both), "lists %.250s, the oracle %.250s", text[0],
             text[1]);
    fail(both);
}

static void op_sync(void)
{
    struct answer answers[2];
    struct pair *pair;

    if (!choose_file(&pair))
        return;
    note("fsync %d", (int)(pair - t.files));
    for (int i = 0; i < 2; i++)
        answers[i] = answer(fsync(pair->fd[i]));
    same(answers);
}

static void one_step(void)
{
    static void (*const ops[])(void) = {
        op_open,  op_open,  op_open,  op_close, op_read, op_read,
        op_readv, op_write, op_write, op_write, op_seek, op_truncate,
        op_map,   op_stat,  op_stat,  op_path,  op_path, op_path,
        op_path,  op_two,   op_two,   op_list,  op_dup,  op_allocate};

    ops[below(sizeof(ops) / sizeof(ops[0]))]();
    if (below(100) == 0)
        op_sync();
}

/* --- the trees at the end --------------------------------------------------
 */

static void same_bytes(char path[2][PATH_MAX])
{
    long len[2];

    for (int i = 0; i < 2; i++) {
        int fd = open(path[i], O_RDONLY);

        len[i] = -1;
        if (fd >= 0) {
            len[i] = read(fd, t.data[i], BUFFER);
            close(fd);
        }
    }
    if (len[0] != len[1] ||
        (len[0] > 0 && memcmp(t.data[0], t.data[1], (size_t)len[0]) != 0))
        fail("other bytes at the end");
}

static void same_trees(char path[2][PATH_MAX])
{
    char text[2][LISTING], below_[2][PATH_MAX];
    struct stat attr[2];

    for (int i = 0; i < 2; i++)
        if (lstat(path[i], &attr[i]) != 0)
            fail("an entry is gone at the end");
    note("at the end %s", tail_of(path));
    same_attr(attr);
    if (S_ISREG(attr[0].st_mode))
        same_bytes(path);
    if (!S_ISDIR(attr[0].st_mode))
        return;
    for (int i = 0; i < 2; i++)
        if (list(path[i], text[i]) < 0)
            fail("a directory cannot be listed at the end");
    if (strcmp(text[0], text[1]) != 0)
        fail("other names at the end");
    for (size_t n = 0; n < NAMES; n++) {
        struct stat ignored;

        for (int i = 0; i < 2; i++)
            if ((size_t)snprintf(below_[i], PATH_MAX, "%s/%s", path[i],
                                 names[n]) >= PATH_MAX)
                return;
        if (lstat(below_[1], &ignored) == 0)
            same_trees(below_);
    }
}

static void remove_tree(const char *path)
{
    struct stat attr;
    char below_[PATH_MAX];

    if (lstat(path, &attr) != 0)
        return;
    if (!S_ISDIR(attr.st_mode)) {
        unlink(path);
        return;
    }
    for (size_t n = 0; n < NAMES; n++)
        if ((size_t)snprintf(below_, sizeof(below_), "%s/%s", path, names[n]) <
            sizeof(below_))
            remove_tree(below_);
    if (rmdir(path) != 0 && path != t.root[0] && path != t.root[1])
        fail("a directory cannot be removed");
}

static void close_files(void)
{
    for (unsigned f = 0; f < FILES; f++)
        for (int i = 0; i < 2; i++) {
            if (t.files[f].fd[i] >= 0)
                close(t.files[f].fd[i]);
            t.files[f].fd[i] = -1;
        }
}

static void run_seed(uint64_t seed, unsigned ops)
{
    char path[2][PATH_MAX];

    t.seed = t.random = seed;
    t.nhistory = 0;
    for (int i = 0; i < 2; i++)
        if (mkdir(t.root[i], 0755) != 0) {
            perror(t.root[i]);
            exit(1);
        }
    for (t.step = 0; t.step < ops; t.step++)
        one_step();
    for (int i = 0; i < 2; i++)
        snprintf(path[i], PATH_MAX, "%s", t.root[i]);
    same_trees(path);
    close_files();
    same_trees(path);
    for (int i = 0; i < 2; i++)
        remove_tree(t.root[i]);
}

int main(int argc, char **argv)
{
    char roots[2][PATH_MAX];
    uint64_t first, count;
    unsigned ops;

    if (argc < 5) {
        fprintf(stderr, "usage: %s DIR ORACLE FIRST COUNT [OPS]\n", argv[0]);
        return 2;
    }
    first = strtoull(argv[3], NULL, 10);
    count = strtoull(argv[4], NULL, 10);
    ops = argc > 5 ? (unsigned)strtoul(argv[5], NULL, 10) : 200;
    umask(022);
    for (int i = 0; i < 2; i++) {
        snprintf(roots[i], PATH_MAX, "%s/model.%d", argv[1 + i], (int)getpid());
        t.root[i] = roots[i];
    }
    for (unsigned f = 0; f < FILES; f++)
        t.files[f].fd[0] = t.files[f].fd[1] = -1;
    for (uint64_t seed = first; seed < first + count; seed++)
        run_seed(seed, ops);
    printf("ok: seeds %llu to %llu, %u operations each\n",
           (unsigned long long)first, (unsigned long long)(first + count - 1),
           ops);
    return 0;
}
