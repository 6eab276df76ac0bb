/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hints: from key and value to struct adio_hints, and back to text for
 * MPI_File_get_info. The keys are ROMIO's, and capstan_*.
 *
 * Units    as ROMIO's: sizes in bytes, toggles enable/disable/automatic.
 * Threads  pure, but for struct hint_warned: its owner serialises.
 * Failure  a value that is no good changes nothing.
 */
#ifndef CAPSTAN_ADIO_HINTS_H
#define CAPSTAN_ADIO_HINTS_H

#include "adio/common/adio.h"

#include <stdbool.h>
#include <stddef.h>

#define HINT_VALUE_MAX 256
#define HINT_WARNED_MAX 32
#define HINT_KEY_MAX 64
#define HINT_FILE_MAX 65536 /* bytes of a hints file that are read */

enum hint_verdict {
    HINT_TAKEN,
    HINT_FOREIGN,   /* somebody else's: ignored */
    HINT_UNKNOWN,   /* romio_* or capstan_*, but no such hint */
    HINT_BAD_VALUE, /* our hint, but not such a value */
};

/* Which keys a warning was printed for: each once, and a bounded number. */
struct hint_warned {
    char keys[HINT_WARNED_MAX][HINT_KEY_MAX];
    unsigned nkeys;
};

/** The defaults; CAPSTAN_REPORT=1 switches the report on. */
void hints_init(struct adio_hints *hints);

/** Set one hint. */
enum hint_verdict hints_set(struct adio_hints *hints, const char *key,
                            const char *value);

/** As hints_set(), and warn once of what is unknown or no good. */
void hints_take(struct adio_hints *hints, const char *key, const char *value,
                struct hint_warned *warned);

/** Take "key value" lines; '#' starts a comment. Of lines with the same key
 *  the first counts. text is cut into pieces. */
void hints_take_text(struct adio_hints *hints, char *text,
                     struct hint_warned *warned);

/** Take the file that ROMIO_HINTS names, if it names one. A file that cannot be
 *  read is warned of. */
void hints_take_file(struct adio_hints *hints, struct hint_warned *warned);

/** How many hints there are; their keys are hints_key(0) and so on. */
size_t hints_count(void);
const char *hints_key(size_t i);

/** Print hint i into value[HINT_VALUE_MAX]. @return false: nothing to tell. */
bool hints_print(const struct adio_hints *hints, size_t i, char *value);

/** The word for a strategy, as capstan_strategy takes it. */
const char *hints_strategy_name(enum adio_strategy strategy);

#endif
