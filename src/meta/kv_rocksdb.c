/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The key-value store in RocksDB.
 *
 * The happy path: a transaction is a write batch with an index, so that reads
 * and iterators see its writes over the database. A commit is one write of the
 * batch: into the write-ahead log always (it survives kill -9), synced when
 * asked. kv_sync() syncs the log for all commits before it.
 *
 * Possible failure modes are:
 *
 * - Another process, or this one, has the database open: -EBUSY.
 *
 * - A commit fails (full disk, EIO). RocksDB refuses every later write then,
 *   so the database is closed and opened anew at the next kv_begin(). While
 *   that fails it is open for reading (kv_commit() gives the cause), or not at
 *   all (kv_begin() does). What was committed is in the log and comes back. A
 *   commit whose sync failed may come back too: the device had it, but never
 *   said so.
 *
 * - A block fails its checksum: -EIO for the call that met it.
 *
 * - In a hurry: a block is not in memory, RocksDB wants writers to wait, or the
 *   database has to be opened anew: -EAGAIN. Nothing was read or written, and
 *   nothing is closed.
 *
 * - The log is damaged, or files are gone: RocksDB takes what comes before the
 *   damage and drops the rest without a word, as it must when a loss of power
 *   has torn the end. So the store is first opened for reading, which changes
 *   nothing, and must hold what its mark says (kv_mark.h): else it stays closed
 *   with -EIO, as it was found.
 *
 * RocksDB's text of an error is logged, once, where it is mapped to a code. Its
 * own log, the file LOG, holds the options and nothing else: where RocksDB is
 * built with assertions, as Debian's is, a write to LOG that failed on a full
 * device makes the next one abort the process (writable_file_writer.h). For
 * the same reason a database is not opened anew before the device has room.
 */
#include "meta/kv.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "meta/kv_mark.h"

#include <assert.h>
#include <errno.h>
#include <rocksdb/c.h>
#include <string.h>
#include <sys/statvfs.h>

#define WRITE_BUFFER_BYTES ((size_t)8 << 20)
#define WRITE_BUFFERS 2
#define CACHE_BYTES ((size_t)16 << 20)
#define LOG_TOTAL_BYTES ((uint64_t)32 << 20) /* write-ahead log files */
#define REOPEN_BYTES ((uint64_t)16 << 20)    /* free, to open anew */
#define REOPEN_NS NS_PER_SEC /* between two attempts at that */
#define OPEN_FILES 128
#define BACKGROUND_JOBS 2
#define BLOOM_BITS 10
#define INFO_LEVEL_HEADER 5 /* rocksdb::InfoLogLevel::HEADER_LEVEL */
#define MEMORY_TIER 1       /* rocksdb::ReadTier::kBlockCacheTier */
#define INCOMPLETE "Result incomplete" /* it would have had to wait */

struct kv_rocks {
    struct kv kv; /* first */
    char *directory;
    rocksdb_options_t *options;
    rocksdb_readoptions_t *reads;
    rocksdb_readoptions_t *hurried_reads;
    rocksdb_writeoptions_t *writes;
    rocksdb_writeoptions_t *hurried_writes;
    rocksdb_writeoptions_t *synced_writes;
    rocksdb_t *db;     /* NULL: a commit failed, to be opened anew */
    int refusal;       /* not 0: db is open for reading only, and why */
    uint64_t retry_ns; /* not to be opened anew before */
    struct kv_mark mark;
    rocksdb_writebatch_wi_t *batch;
    bool is_begun;
};

static struct kv_rocks *rocks_of(struct kv *kv)
{
    assert(kv->driver == &kv_rocksdb);
    return (struct kv_rocks *)kv;
}

/* Map RocksDB's text to a code, log it and free it. NULL: no error. */
static int take_error(const struct kv_rocks *rocks, const char *what,
                      char *text)
{
    int code = -EIO;

    if (text == NULL)
        return 0;
    if (strstr(text, "No space left") != NULL)
        code = -ENOSPC;
    else if (strstr(text, "LOCK") != NULL || strstr(text, "lock hold") != NULL)
        code = -EBUSY;
    log_error("names in %s: %s failed: %s", rocks->directory, what, text);
    rocksdb_free(text);
    return code;
}

/* Was it only that the device would have had to be waited for? Frees the text
 * then. */
static bool has_missed(struct kv_rocks *rocks, char *text)
{
    if (!rocks->kv.is_hurried || text == NULL ||
        strncmp(text, INCOMPLETE, strlen(INCOMPLETE)) != 0)
        return false;
    rocksdb_free(text);
    kv_miss(&rocks->kv);
    return true;
}

/*
 * Open and close.
 */

/*
 * After a failed write we close and open anew. RocksDB's own recovery would at
 * the same time flush into the full device, and may leave a manifest that names
 * a table it has removed. The C API sets these two by name only.
 */
static void set_no_resume(rocksdb_options_t *options)
{
    char *error = NULL;

    rocksdb_get_options_from_string(
        options, "max_bgerror_resume_count=0;avoid_flush_during_shutdown=true",
        options, &error);
    assert(error == NULL);
}

static void set_table_options(rocksdb_options_t *options)
{
    rocksdb_block_based_table_options_t *table =
        rocksdb_block_based_options_create();
    rocksdb_cache_t *cache = rocksdb_cache_create_lru(CACHE_BYTES);

    rocksdb_block_based_options_set_block_cache(table, cache);
    rocksdb_block_based_options_set_filter_policy(
        table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
    rocksdb_options_set_block_based_table_factory(options, table);
    rocksdb_block_based_options_destroy(table);
    rocksdb_cache_destroy(cache); /* the options hold it */
}

static rocksdb_options_t *make_options(void)
{
    rocksdb_options_t *options = rocksdb_options_create();

    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_write_buffer_size(options, WRITE_BUFFER_BYTES);
    rocksdb_options_set_max_write_buffer_number(options, WRITE_BUFFERS);
    rocksdb_options_set_max_total_wal_size(options, LOG_TOTAL_BYTES);
    rocksdb_options_set_max_background_jobs(options, BACKGROUND_JOBS);
    rocksdb_options_set_max_open_files(options, OPEN_FILES);
    rocksdb_options_set_info_log_level(options, INFO_LEVEL_HEADER);
    rocksdb_options_set_keep_log_file_num(options, 1);
    rocksdb_options_set_stats_dump_period_sec(options, 0);
    rocksdb_options_set_stats_persist_period_sec(options, 0);
    set_table_options(options);
    set_no_resume(options);
    return options;
}

/* Is it as far as its mark says? */
static int check_mark(struct kv_rocks *rocks, uint64_t machine)
{
    uint64_t least, found;
    char *error = NULL;
    rocksdb_t *db;
    int rc = kv_mark_look(&rocks->mark, rocks->directory, machine, &least);

    if (rc != 0 || least == 0)
        return rc;
    db = rocksdb_open_for_read_only(rocks->options, rocks->directory, 0,
                                    &error);
    if (error != NULL)
        return take_error(rocks, "open", error);
    found = rocksdb_get_latest_sequence_number(db);
    rocksdb_close(db);
    if (found >= least)
        return 0;
    log_error("names in %s: damaged: changes up to %llu were acknowledged, "
              "but only those up to %llu are there (to go on with these, "
              "remove %s.mark)",
              rocks->directory, (unsigned long long)least,
              (unsigned long long)found, rocks->directory);
    return -EIO;
}

static int open_database(struct kv_rocks *rocks)
{
    char *error = NULL;
    int rc;

    rocks->db = rocksdb_open(rocks->options, rocks->directory, &error);
    rc = take_error(rocks, "open", error);
    if (rc == 0)
        rc = kv_mark_open(&rocks->mark, rocks->directory,
                          rocksdb_get_latest_sequence_number(rocks->db));
    return rc;
}

static void close_database(struct kv_rocks *rocks)
{
    if (rocks->db != NULL)
        rocksdb_close(rocks->db);
    rocks->db = NULL;
    rocks->refusal = 0;
}

static void note(struct kv_rocks *rocks, bool is_synced)
{
    kv_mark_note(&rocks->mark, rocksdb_get_latest_sequence_number(rocks->db),
                 is_synced);
}

static void rocks_destroy(struct kv_rocks *rocks)
{
    bool is_orderly = rocks->db != NULL && rocks->refusal == 0;

    close_database(rocks);
    kv_mark_close(&rocks->mark, is_orderly);
    rocksdb_writebatch_wi_destroy(rocks->batch);
    rocksdb_writeoptions_destroy(rocks->synced_writes);
    rocksdb_writeoptions_destroy(rocks->hurried_writes);
    rocksdb_writeoptions_destroy(rocks->writes);
    rocksdb_readoptions_destroy(rocks->hurried_reads);
    rocksdb_readoptions_destroy(rocks->reads);
    rocksdb_options_destroy(rocks->options);
    free(rocks->directory);
    free(rocks);
}

static int rocks_open(const struct kv_config *config, struct kv **kv_out)
{
    struct kv_rocks *rocks = mem_calloc(1, sizeof(*rocks));
    int rc;

    if (rocks == NULL)
        return -ENOMEM;
    rocks->directory = mem_strdup(config->directory);
    if (rocks->directory == NULL) {
        free(rocks);
        return -ENOMEM;
    }
    rocks->kv.driver = &kv_rocksdb;
    rocks->options = make_options();
    rocks->reads = rocksdb_readoptions_create();
    rocks->hurried_reads = rocksdb_readoptions_create();
    rocksdb_readoptions_set_read_tier(rocks->hurried_reads, MEMORY_TIER);
    rocks->writes = rocksdb_writeoptions_create();
    rocks->hurried_writes = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_no_slowdown(rocks->hurried_writes, 1);
    rocks->synced_writes = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(rocks->synced_writes, 1);
    rocks->batch = rocksdb_writebatch_wi_create(0, 1);
    rc = check_mark(rocks, config->machine);
    if (rc == 0)
        rc = open_database(rocks);
    if (rc != 0) {
        rocks_destroy(rocks);
        return rc;
    }
    *kv_out = &rocks->kv;
    return 0;
}

static void rocks_close(struct kv *kv)
{
    rocks_destroy(rocks_of(kv));
}

/*
 * Transactions.
 */

static void open_for_reading(struct kv_rocks *rocks)
{
    char *error = NULL;

    rocks->db = rocksdb_open_for_read_only(rocks->options, rocks->directory, 0,
                                           &error);
    if (take_error(rocks, "open for reading", error) != 0)
        rocks->db = NULL;
}

/* What is open for reading stays so until this has worked. */
static int open_again(struct kv_rocks *rocks)
{
    rocksdb_t *reading = rocks->db;
    int rc = open_database(rocks);

    if (rc != 0 && rocks->db != NULL)
        rocksdb_close(rocks->db);
    if (rc != 0)
        rocks->db = reading;
    else if (reading != NULL)
        rocksdb_close(reading);
    rocks->retry_ns = rc == 0 ? 0 : clock_now(clock_real()) + REOPEN_NS;
    return rc;
}

static int open_anew(struct kv_rocks *rocks)
{
    struct statvfs fs;

    if (statvfs(rocks->directory, &fs) != 0)
        return -EIO;
    if ((uint64_t)fs.f_bavail * fs.f_frsize < REOPEN_BYTES)
        return -ENOSPC;
    if (clock_now(clock_real()) < rocks->retry_ns)
        return rocks->refusal != 0 ? rocks->refusal : -EIO;
    return open_again(rocks);
}

static int rocks_begin(struct kv *kv)
{
    struct kv_rocks *rocks = rocks_of(kv);
    int rc;

    assert(!rocks->is_begun);
    if (rocks->db == NULL || rocks->refusal != 0) {
        if (kv->is_hurried)
            return kv_miss(kv);
        rc = open_anew(rocks);
        if (rc != 0 && rocks->db == NULL)
            open_for_reading(rocks);
        if (rocks->db == NULL)
            return rc;
        rocks->refusal = rc;
    }
    rocks->is_begun = true;
    return 0;
}

static void rocks_rollback(struct kv *kv)
{
    struct kv_rocks *rocks = rocks_of(kv);

    rocksdb_writebatch_wi_clear(rocks->batch);
    rocks->is_begun = false;
}

static int rocks_commit(struct kv *kv, bool sync)
{
    struct kv_rocks *rocks = rocks_of(kv);
    char *error = NULL;
    int rc;

    assert(rocks->is_begun);
    if (rocks->refusal != 0) {
        rocks_rollback(kv);
        return rocks->refusal;
    }
    if (kv->is_hurried && sync) {
        rocks_rollback(kv);
        return kv_miss(kv);
    }
    rocksdb_write_writebatch_wi(rocks->db,
                                sync             ? rocks->synced_writes
                                : kv->is_hurried ? rocks->hurried_writes
                                                 : rocks->writes,
                                rocks->batch, &error);
    if (has_missed(rocks, error)) {
        rocks_rollback(kv);
        return -EAGAIN;
    }
    rc = take_error(rocks, "commit", error);
    rocks_rollback(kv);
    if (rc != 0)
        close_database(rocks);
    else
        note(rocks, sync);
    return rc;
}

static int rocks_sync(struct kv *kv)
{
    struct kv_rocks *rocks = rocks_of(kv);
    char *error = NULL;
    int rc;

    if (rocks->db == NULL || rocks->refusal != 0)
        return -EIO;
    rocksdb_flush_wal(rocks->db, 1, &error);
    rc = take_error(rocks, "sync", error);
    if (rc == 0)
        note(rocks, true);
    else if (!rocks->is_begun)
        close_database(rocks);
    return rc;
}

/*
 * Reads and writes. The batch is empty outside of a transaction.
 */

static int rocks_get(struct kv *kv, const void *key, size_t key_len,
                     void *value, size_t room, size_t *value_len_out)
{
    struct kv_rocks *rocks = rocks_of(kv);
    char *error = NULL, *found;
    size_t found_len = 0;
    int rc;

    if (rocks->db == NULL)
        return -EIO;
    found = rocksdb_writebatch_wi_get_from_batch_and_db(
        rocks->batch, rocks->db,
        kv->is_hurried ? rocks->hurried_reads : rocks->reads, key, key_len,
        &found_len, &error);
    if (has_missed(rocks, error))
        return -EAGAIN;
    rc = take_error(rocks, "get", error);
    if (rc != 0)
        return -EIO;
    if (found == NULL)
        return -ENOENT;
    if (found_len > room) {
        rc = -EOVERFLOW;
    } else {
        if (found_len > 0)
            memcpy(value, found, found_len);
        *value_len_out = found_len;
    }
    rocksdb_free(found);
    return rc;
}

static int rocks_put(struct kv *kv, const void *key, size_t key_len,
                     const void *value, size_t value_len)
{
    struct kv_rocks *rocks = rocks_of(kv);

    assert(rocks->is_begun);
    if (key_len > KV_KEY_MAX || value_len > KV_VALUE_MAX)
        return -EINVAL;
    rocksdb_writebatch_wi_put(rocks->batch, key, key_len, value, value_len);
    return 0;
}

static int rocks_del(struct kv *kv, const void *key, size_t key_len)
{
    struct kv_rocks *rocks = rocks_of(kv);

    assert(rocks->is_begun);
    if (key_len > KV_KEY_MAX)
        return -EINVAL;
    rocksdb_writebatch_wi_delete(rocks->batch, key, key_len);
    return 0;
}

/* The least key above every key with this prefix. @return its length; 0: there
 * is none. */
static size_t end_of_prefix(const void *prefix, size_t len, char *end)
{
    if (len > 0)
        memcpy(end, prefix, len);
    while (len > 0 && (unsigned char)end[len - 1] == 0xff)
        len--;
    if (len > 0)
        end[len - 1]++;
    return len;
}

static bool has_prefix(const char *key, size_t key_len, const void *prefix,
                       size_t prefix_len)
{
    return key_len >= prefix_len &&
           (prefix_len == 0 || memcmp(key, prefix, prefix_len) == 0);
}

static bool is_below(const void *a, size_t a_len, const void *b, size_t b_len)
{
    size_t common = a_len < b_len ? a_len : b_len;
    int order = common == 0 ? 0 : memcmp(a, b, common);

    return order < 0 || (order == 0 && a_len < b_len);
}

static void visit(rocksdb_iterator_t *at, const void *prefix, size_t prefix_len,
                  kv_each_fn *each, void *ctx)
{
    const char *key, *value;
    size_t key_len, value_len;

    for (; rocksdb_iter_valid(at); rocksdb_iter_next(at)) {
        key = rocksdb_iter_key(at, &key_len);
        value = rocksdb_iter_value(at, &value_len);
        if (!has_prefix(key, key_len, prefix, prefix_len) ||
            !each(ctx, key, key_len, value, value_len))
            break;
    }
}

static int rocks_each(struct kv *kv, const void *from, size_t from_len,
                      const void *prefix, size_t prefix_len, kv_each_fn *each,
                      void *ctx)
{
    struct kv_rocks *rocks = rocks_of(kv);
    rocksdb_readoptions_t *reads;
    rocksdb_iterator_t *at;
    char end[KV_KEY_MAX];
    char *error = NULL;
    size_t end_len;
    int rc;

    if (prefix_len > KV_KEY_MAX)
        return -EINVAL;
    if (rocks->db == NULL)
        return -EIO;
    if (is_below(from, from_len, prefix, prefix_len)) {
        from = prefix;
        from_len = prefix_len;
    }
    reads = rocksdb_readoptions_create();
    if (kv->is_hurried)
        rocksdb_readoptions_set_read_tier(reads, MEMORY_TIER);
    end_len = end_of_prefix(prefix, prefix_len, end);
    if (end_len > 0)
        rocksdb_readoptions_set_iterate_upper_bound(reads, end, end_len);
    at = rocksdb_writebatch_wi_create_iterator_with_base(
        rocks->batch, rocksdb_create_iterator(rocks->db, reads));
    rocksdb_iter_seek(at, from, from_len);
    visit(at, prefix, prefix_len, each, ctx);
    rocksdb_iter_get_error(at, &error);
    rc = has_missed(rocks, error) ? -EAGAIN
                                  : take_error(rocks, "iteration", error);
    rocksdb_iter_destroy(at);
    rocksdb_readoptions_destroy(reads);
    return rc == 0 || rc == -EAGAIN ? rc : -EIO;
}

const struct kv_driver kv_rocksdb = {
    .name = "rocksdb",
    .open = rocks_open,
    .close = rocks_close,
    .begin = rocks_begin,
    .get = rocks_get,
    .put = rocks_put,
    .del = rocks_del,
    .each = rocks_each,
    .commit = rocks_commit,
    .rollback = rocks_rollback,
    .sync = rocks_sync,
};
