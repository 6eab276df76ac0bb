/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The check of the namespace: collect, compare, look once more, repair.
 *
 * The happy path: every target tells all its entries, inodes, directories,
 * changes, locks and orphans, and its objects last, page by page; sorted by
 * number they are compared. What is wrong in a first pass and still wrong in a
 * second, some seconds later, is a problem: changes under way come and go
 * between the two.
 *
 * Repair, only what needs no guess: an entry without an inode goes; an inode
 * without a name comes to /lost+found under its number; counts are counted
 * anew; a lock whose change is forgotten is lifted. Not repaired: damaged
 * records, impossible layouts, directories with several names, checksums (a
 * damaged head is made anew when the object is touched); nor is data freed whose
 * inode is gone, for it may be all that is left of a file.
 *
 * Possible failure modes are: a target that does not answer (no verdict); more
 * names than fit memory.
 */
#include "client/lookup.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_NS (3 * NS_PER_SEC)
#define SUSPECTS_MAX 65536u

/* One record, with its text behind the texts' offset. */
struct thing {
    uint8_t kind;
    uint8_t type;
    uint8_t state;
    uint16_t target;
    uint32_t n;
    uint64_t a, b;
    uint64_t text; /* where, in texts */
};

struct suspect {
    enum capstan_problem_kind kind;
    struct thing thing;
    uint64_t wanted;
};

struct check {
    struct capstan_session *session;
    const struct capstan_check_options *options;
    struct capstan_check_counts counts;
    uint64_t deadline_ns;
    struct thing *things;
    size_t nthings, room;
    char *texts;
    size_t texts_len, texts_room;
    size_t entries_end; /* things are sorted by kind, then number */
    struct suspect *suspects, *before;
    size_t nsuspects, nbefore;
    uint16_t target; /* asked now */
    uint8_t key[512];
    uint32_t key_len;
    bool is_end;
};

/*
 * Collecting.
 */

static int grow(void **memory, size_t *room, size_t need, size_t size)
{
    size_t more = *room == 0 ? 1024 : *room;
    void *grown;

    if (need <= *room)
        return 0;
    while (more < need)
        more *= 2;
    grown = realloc(*memory, more * size);
    if (grown == NULL)
        return -ENOMEM;
    *memory = grown;
    *room = more;
    return 0;
}

static int keep(struct check *check, const struct proto_check *record)
{
    size_t len = record->text.len;
    struct thing *thing;
    int rc = grow((void **)&check->things, &check->room, check->nthings + 1,
                  sizeof(*check->things));

    if (rc == 0)
        rc = grow((void **)&check->texts, &check->texts_room,
                  check->texts_len + len + 1, 1);
    if (rc != 0)
        return rc;
    thing = &check->things[check->nthings++];
    *thing = (struct thing){record->kind, record->type, record->state,
                            check->target, record->n, record->a,
                            record->b, check->texts_len};
    if (len > 0)
        memcpy(check->texts + check->texts_len, record->text.data, len);
    check->texts[check->texts_len + len] = '\0';
    check->texts_len += len + 1;
    return 0;
}

static int take_page(void *ctx, const union proto_rep *rep)
{
    const struct proto_bytes *records = &rep->check.records;
    const uint8_t *at = records->data;
    struct check *check = ctx;
    struct proto_check record;
    int rc;

    while ((rc = proto_check_decode(&at, records->data + records->len,
                                    &record)) == 0) {
        rc = keep(check, &record);
        if (rc != 0)
            return rc;
        if (record.key.len > sizeof(check->key))
            return -ERR_PROTOCOL;
        memcpy(check->key, record.key.data, record.key.len);
        check->key_len = record.key.len;
    }
    check->is_end = rep->check.is_end != 0;
    if (records->len == 0 && !check->is_end)
        return -ERR_PROTOCOL;
    return rc == -ENOENT ? 0 : rc;
}

static int collect_kind(struct check *check, uint8_t kind)
{
    struct capstan_session *session = check->session;

    check->key_len = 0;
    check->is_end = false;
    while (!check->is_end) {
        struct cli_call call = {
            .target = check->target,
            .opcode = PROTO_OP_check,
            .req.check = {kind, {check->key, check->key_len}},
            .take = take_page,
            .take_ctx = check,
        };

        if (cli_call(session, &call, cli_deadline(session)) != 0)
            return cli_call_fail(session, &call, "check");
        if (check->options->progress != NULL)
            check->options->progress(check->options->ctx, check->nthings);
    }
    return 0;
}

/* Kinds are the first bytes of keys: see the on-disk format. */
static int collect(struct check *check)
{
    const struct cluster *cluster = check->session->cluster;
    int rc = 0;

    check->nthings = check->texts_len = 0;
    for (unsigned i = 0; rc == 0 && i < cluster->ntargets; i++) {
        check->target = cluster->target_ids[i];
        for (const char *kind = "eafmpo"; rc == 0 && *kind != '\0'; kind++)
            rc = collect_kind(check, (uint8_t)*kind);
    }
    for (unsigned i = 0; rc == 0 && i < cluster->ntargets; i++) {
        check->target = cluster->target_ids[i];
        rc = collect_kind(check, PROTO_CHECK_OBJECT);
    }
    return rc;
}

/*
 * Comparing.
 */

/* What things are found by: entries by the inode they stand for. */
static uint64_t number_of(const struct thing *thing)
{
    return thing->kind == 'e' ? thing->b : thing->a;
}

static int order(const void *a, const void *b)
{
    const struct thing *x = a, *y = b;
    uint64_t m = number_of(x), n = number_of(y);

    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return m < n ? -1 : m > n;
}

/* The first thing of a kind with a number; n_out: how many there are. */
static const struct thing *find(const struct check *check, uint8_t kind,
                                uint64_t number, size_t *n_out)
{
    size_t low = 0, high = check->nthings, middle;
    const struct thing *thing;

    while (low < high) {
        middle = low + (high - low) / 2;
        thing = &check->things[middle];
        if (thing->kind < kind ||
            (thing->kind == kind && number_of(thing) < number))
            low = middle + 1;
        else
            high = middle;
    }
    for (*n_out = 0; low + *n_out < check->nthings; ++*n_out) {
        thing = &check->things[low + *n_out];
        if (thing->kind != kind || number_of(thing) != number)
            break;
    }
    return *n_out > 0 ? &check->things[low] : NULL;
}

static void suspect(struct check *check, enum capstan_problem_kind kind,
                    const struct thing *thing, uint64_t wanted)
{
    if (check->nsuspects < SUSPECTS_MAX)
        check->suspects[check->nsuspects++] =
            (struct suspect){kind, *thing, wanted};
}

static void judge_entry(struct check *check, const struct thing *entry)
{
    size_t n;

    check->counts.entries++;
    if (find(check, 'a', entry->b, &n) == NULL)
        suspect(check, CAPSTAN_PROBLEM_DANGLING, entry, 0);
}

static void judge_inode(struct check *check, const struct thing *inode)
{
    size_t names, orphans;
    const struct thing *entry = find(check, 'e', inode->a, &names);

    check->counts.inodes++;
    if (inode->state == PROTO_CHECK_LAYOUT)
        suspect(check, CAPSTAN_PROBLEM_LAYOUT, inode, 0);
    if (inode->a == INO_ROOT)
        return;
    find(check, 'o', inode->a, &orphans);
    if (names == 0 && orphans == 0)
        suspect(check, CAPSTAN_PROBLEM_LOST, inode, 0);
    else if (inode->type == INODE_DIR && names > 1)
        suspect(check, CAPSTAN_PROBLEM_DOUBLE, inode, names);
    else if (inode->type == INODE_DIR && entry->a != inode->b)
        suspect(check, CAPSTAN_PROBLEM_PARENT, inode, entry->a);
    else if (inode->type != INODE_DIR && names != inode->n)
        suspect(check, CAPSTAN_PROBLEM_NLINK, inode, names);
}

/* Entries are sorted by what they stand for, so this walks them all: once a
 * directory would be too slow, so the counts are made beforehand. */
struct tally {
    uint64_t dir;
    uint16_t target;
    uint64_t entries, subdirs;
};

static int tally_order(const void *a, const void *b)
{
    const struct tally *x = a, *y = b;

    if (x->dir != y->dir)
        return x->dir < y->dir ? -1 : 1;
    return (x->target > y->target) - (x->target < y->target);
}

/* One tally an entry, sorted and then united. @return how many, or -ENOMEM. */
static int make_tallies(const struct check *check, struct tally **tallies_out,
                        size_t *n_out)
{
    struct tally *tallies = mem_calloc(check->nthings + 1, sizeof(*tallies));
    size_t i, n = 0, used = 0;

    if (tallies == NULL)
        return -ENOMEM;
    for (i = 0; i < check->nthings; i++) {
        const struct thing *thing = &check->things[i];

        if (thing->kind == 'e')
            tallies[n++] = (struct tally){thing->a, thing->target, 1,
                                          thing->type == INODE_DIR};
    }
    qsort(tallies, n, sizeof(*tallies), tally_order);
    for (i = 0; i < n; i++) {
        if (used > 0 && tally_order(&tallies[used - 1], &tallies[i]) == 0) {
            tallies[used - 1].entries++;
            tallies[used - 1].subdirs += tallies[i].subdirs;
        } else {
            tallies[used++] = tallies[i];
        }
    }
    *tallies_out = tallies;
    *n_out = used;
    return 0;
}

static void judge_dir(struct check *check, const struct thing *dir,
                      const struct tally *tallies, size_t ntallies)
{
    struct tally key = {.dir = dir->a, .target = dir->target};
    const struct tally *tally = bsearch(&key, tallies, ntallies,
                                        sizeof(*tallies), tally_order);
    uint64_t entries = tally != NULL ? tally->entries : 0;
    uint64_t subdirs = tally != NULL ? tally->subdirs : 0;
    size_t n;

    if (dir->b != entries || dir->n != (uint32_t)subdirs)
        suspect(check, CAPSTAN_PROBLEM_COUNTS, dir, entries);
    if (dir->type != 0 && find(check, 'a', dir->a, &n) != NULL)
        suspect(check, CAPSTAN_PROBLEM_FROZEN, dir, 0);
}

/* Objects are listed when all records are: so those of a file that was removed
 * meanwhile have an orphan, or are gone. */
static void judge_object(struct check *check, const struct thing *object)
{
    size_t n;

    if (object->state == PROTO_CHECK_SUMS)
        suspect(check, CAPSTAN_PROBLEM_SUMS, object, 0);
    else if (object->state == PROTO_CHECK_FORMAT)
        suspect(check, CAPSTAN_PROBLEM_FORMAT, object, 0);
    if (object->a == 0) /* the list of boots */
        return;
    if (find(check, 'a', object->a, &n) == NULL &&
        find(check, 'o', object->a, &n) == NULL)
        suspect(check, CAPSTAN_PROBLEM_STRAY, object, 0);
}

static void judge_thing(struct check *check, const struct thing *thing,
                        const struct tally *tallies, size_t ntallies)
{
    size_t n;

    if (thing->state == PROTO_CHECK_DAMAGED) {
        suspect(check, CAPSTAN_PROBLEM_DAMAGED, thing, 0);
        return;
    }
    switch (thing->kind) {
    case 'e':
        judge_entry(check, thing);
        break;
    case 'a':
        judge_inode(check, thing);
        break;
    case 'f':
        judge_dir(check, thing, tallies, ntallies);
        break;
    case 'm':
        suspect(check, CAPSTAN_PROBLEM_UNSETTLED, thing, 0);
        break;
    case 'p':
        if (find(check, 'm', thing->b, &n) == NULL)
            suspect(check, CAPSTAN_PROBLEM_LOCKED, thing, 0);
        break;
    case 'o': /* one that is held open has its inode */
        if (find(check, 'a', thing->a, &n) == NULL)
            suspect(check, CAPSTAN_PROBLEM_ORPHAN, thing, 0);
        break;
    case PROTO_CHECK_OBJECT:
        judge_object(check, thing);
        break;
    default:
        break;
    }
}

static int compare(struct check *check)
{
    struct tally *tallies;
    size_t ntallies;
    int rc;

    if (check->nthings > 0)
        qsort(check->things, check->nthings, sizeof(*check->things), order);
    rc = make_tallies(check, &tallies, &ntallies);
    if (rc != 0)
        return rc;
    check->counts.entries = check->counts.inodes = 0;
    check->nsuspects = 0;
    for (size_t i = 0; i < check->nthings; i++)
        judge_thing(check, &check->things[i], tallies, ntallies);
    free(tallies);
    return 0;
}

/*
 * Repairing.
 */

static int send_repair(struct check *check, uint16_t target,
                       const struct proto_req_repair *req)
{
    struct capstan_session *session = check->session;
    struct cli_call call = {
        .target = target, .opcode = PROTO_OP_repair, .req.repair = *req};

    if (cli_call(session, &call, cli_deadline(session)) != 0)
        return cli_call_fail(session, &call, "repair");
    return 0;
}

static struct proto_bytes text_of(const struct check *check,
                                  const struct thing *thing)
{
    const char *text = check->texts + thing->text;

    return (struct proto_bytes){(const uint8_t *)text, (uint32_t)strlen(text)};
}

static int lost_and_found(struct check *check, uint64_t *dir_out)
{
    int rc = capstan_mkdir(check->session, "/lost+found", 0700);

    if (rc != 0 && rc != -EEXIST)
        return rc;
    return capstan_resolve(check->session, "/lost+found", 0, dir_out);
}

/* A name for what has none; then the inode hears how many it has. */
static int rename_lost(struct check *check, const struct thing *inode)
{
    struct capstan_session *session = check->session;
    char text[32];
    struct cli_name name = {.text = text};
    struct proto_req_repair req = {.what = PROTO_REPAIR_NAME,
                                   .b = inode->a,
                                   .n = inode->type};
    int rc = lost_and_found(check, &name.parent);

    if (rc != 0)
        return rc;
    name.len = (size_t)snprintf(text, sizeof(text), "#%016llx",
                                (unsigned long long)inode->a);
    req.a = name.parent;
    req.text = cli_text(&name);
    rc = send_repair(check, cli_name_owner(session, &name), &req);
    if (rc != 0)
        return rc;
    req = (struct proto_req_repair){
        .what = inode->type == INODE_DIR ? PROTO_REPAIR_PARENT
                                         : PROTO_REPAIR_NLINK,
        .a = inode->a,
        .b = name.parent,
        .n = 1,
    };
    return send_repair(check, inode->target, &req);
}

/* @return 0: it is right now; else it is not. */
static int repair(struct check *check, const struct suspect *suspect)
{
    const struct thing *thing = &suspect->thing;
    struct proto_req_repair req = {.a = thing->a, .b = thing->b};

    switch (suspect->kind) {
    case CAPSTAN_PROBLEM_DANGLING:
        req.what = PROTO_REPAIR_ENTRY;
        req.text = text_of(check, thing);
        break;
    case CAPSTAN_PROBLEM_LOST:
        return rename_lost(check, thing);
    case CAPSTAN_PROBLEM_NLINK:
        req.what = PROTO_REPAIR_NLINK;
        req.n = (uint32_t)suspect->wanted;
        break;
    case CAPSTAN_PROBLEM_PARENT:
        req.what = PROTO_REPAIR_PARENT;
        req.b = suspect->wanted;
        break;
    case CAPSTAN_PROBLEM_COUNTS:
        req.what = PROTO_REPAIR_COUNTS;
        break;
    case CAPSTAN_PROBLEM_FROZEN:
        req.what = PROTO_REPAIR_THAW;
        break;
    case CAPSTAN_PROBLEM_LOCKED:
        req.what = PROTO_REPAIR_LOCK;
        req.text = text_of(check, thing);
        break;
    default:
        return -ENOTSUP;
    }
    return send_repair(check, thing->target, &req);
}

/*
 * Telling.
 */

static const struct {
    const char *name, *prose;
} kinds[] = {
#define X(NAME, name, prose) {name, prose},
    CAPSTAN_PROBLEMS(X)
#undef X
};

static bool is_same(const struct suspect *a, const struct suspect *b)
{
    return a->kind == b->kind && a->thing.target == b->thing.target &&
           a->thing.a == b->thing.a && a->thing.b == b->thing.b &&
           a->thing.n == b->thing.n && a->wanted == b->wanted;
}

static bool was_before(const struct check *check, const struct suspect *suspect)
{
    for (size_t i = 0; i < check->nbefore; i++)
        if (is_same(&check->before[i], suspect))
            return true;
    return false;
}

static void tell(struct check *check, const struct suspect *suspect)
{
    const struct thing *thing = &suspect->thing;
    bool is_entry = thing->kind == 'e' || thing->kind == 'p';
    struct capstan_problem problem = {
        .kind = suspect->kind,
        .name = kinds[suspect->kind].name,
        .prose = kinds[suspect->kind].prose,
        .target = thing->target,
        .ino = thing->kind == 'p' ? 0 : number_of(thing),
        .dir = is_entry ? thing->a : 0,
        .text = check->texts + thing->text,
    };

    if (check->options->is_repair)
        problem.is_repaired = repair(check, suspect) == 0;
    check->counts.problems++;
    check->counts.repaired += problem.is_repaired;
    if (check->options->problem != NULL)
        check->options->problem(check->options->ctx, &problem);
}

static void wait_a_little(struct capstan_session *session)
{
    uint64_t until = clock_now(session->clock) + AGAIN_NS;

    while (clock_now(session->clock) < until)
        cli_turn(session, until);
}

static int run(struct check *check)
{
    struct suspect *swap;
    int rc = collect(check);

    if (rc == 0)
        rc = compare(check);
    if (rc != 0 || check->nsuspects == 0)
        return rc;
    swap = check->before;
    check->before = check->suspects;
    check->nbefore = check->nsuspects;
    check->suspects = swap;
    wait_a_little(check->session);
    rc = collect(check);
    if (rc == 0)
        rc = compare(check);
    for (size_t i = 0; rc == 0 && i < check->nsuspects; i++)
        if (was_before(check, &check->suspects[i]))
            tell(check, &check->suspects[i]);
    return rc;
}

int capstan_check(struct capstan_session *session,
                  const struct capstan_check_options *options,
                  struct capstan_check_counts *counts_out)
{
    struct check check = {.session = session, .options = options};
    int rc = cli_enter(session);

    if (rc != 0)
        return rc;
    check.suspects = mem_calloc(SUSPECTS_MAX, sizeof(*check.suspects));
    check.before = mem_calloc(SUSPECTS_MAX, sizeof(*check.before));
    rc = check.suspects == NULL || check.before == NULL ? -ENOMEM : run(&check);
    free(check.suspects);
    free(check.before);
    free(check.things);
    free(check.texts);
    if (rc == -ENOMEM)
        return cli_fail(session, rc, "check");
    if (rc == 0)
        *counts_out = check.counts;
    return rc;
}
