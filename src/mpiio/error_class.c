/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Negative codes become MPI errors: the one place that knows both.
 *
 * MPI lets an implementation return any code of its own as long as
 * MPI_Error_class() of it is a class of the standard (MPI-3.1, 8.4). So each
 * failure gets a code made by MPI_Add_error_code() whose string is the whole
 * sentence: file, operation, cause. A class has FACE_CODES_PER_CLASS codes at
 * most, used in turn; the same sentence gets the same code again. So a program
 * that fails for ever does not grow, and a text is good until that many other
 * failures of its class have happened.
 *
 * Possible failure modes are: Open MPI cannot make a code: the class itself is
 * returned, with the class's own text.
 */
#include "face.h"

#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* X(class, codes...): the first class that lists a code is its class. */
#define CLASS_TABLE(X)                                                         \
    X(MPI_ERR_NO_SUCH_FILE, ENOENT)                                            \
    X(MPI_ERR_FILE_EXISTS, EEXIST)                                             \
    X(MPI_ERR_ACCESS, EACCES, EPERM)                                           \
    X(MPI_ERR_NO_SPACE, ENOSPC, EFBIG)                                         \
    X(MPI_ERR_QUOTA, EDQUOT)                                                   \
    X(MPI_ERR_READ_ONLY, EROFS, FACE_READ_ONLY)                                \
    X(MPI_ERR_FILE_IN_USE, EBUSY, ETXTBSY)                                     \
    X(MPI_ERR_BAD_FILE, ENAMETOOLONG, ENOTDIR, EISDIR, ELOOP)                  \
    X(MPI_ERR_NO_MEM, ENOMEM)                                                  \
    X(MPI_ERR_UNSUPPORTED_OPERATION, ENOTSUP, ENOSYS)                          \
    X(MPI_ERR_CONVERSION, FACE_CONVERSION)                                     \
    X(MPI_ERR_UNSUPPORTED_DATAREP, FACE_DATAREP)                               \
    X(MPI_ERR_AMODE, FACE_AMODE)                                               \
    X(MPI_ERR_NOT_SAME, ENOTUNIQ)                                              \
    X(MPI_ERR_TYPE, FACE_TYPE)                                                 \
    X(MPI_ERR_ARG, FACE_ARG, EINVAL, EOVERFLOW)                                \
    X(MPI_ERR_IO, EIO)

#define CODES_MAX 6

static const struct {
    int class;
    int codes[CODES_MAX];
} classes[] = {
#define X(class, ...) {class, {__VA_ARGS__}},
    CLASS_TABLE(X)
#undef X
};

#define NCLASSES (sizeof(classes) / sizeof(classes[0]))

/* Codes made so far; guarded by the component's lock. */
struct class_codes {
    unsigned next;
    struct {
        int code; /* 0: not made yet */
        char text[MPI_MAX_ERROR_STRING];
    } slots[FACE_CODES_PER_CLASS];
};

/* Which row of the table is a code in? What is in none is MPI_ERR_IO. */
static size_t find_row(int code)
{
    for (size_t i = 0; i < NCLASSES; i++)
        for (size_t k = 0; k < CODES_MAX && classes[i].codes[k] != 0; k++)
            if (classes[i].codes[k] == -code)
                return i;
    return NCLASSES - 1;
}

int face_class(int code)
{
    return code == 0 ? MPI_SUCCESS : classes[find_row(code)].class;
}

void face_refuse(struct adio_error *error, int code, const char *format, ...)
{
    va_list args;

    error->code = code;
    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
}

/* The end of a sentence that is too long holds the cause: cut the front. */
static void fit_text(char *fitted, const char *text)
{
    size_t length = strlen(text);

    if (length < MPI_MAX_ERROR_STRING)
        snprintf(fitted, MPI_MAX_ERROR_STRING, "%s", text);
    else
        snprintf(fitted, MPI_MAX_ERROR_STRING, "...%s",
                 text + length - (MPI_MAX_ERROR_STRING - 4));
}

/* The code that carries a text, made or taken over from an older text. */
static int code_with_text(struct class_codes *codes, int class,
                          const char *text)
{
    unsigned i;

    for (i = 0; i < FACE_CODES_PER_CLASS; i++)
        if (codes->slots[i].code != 0 &&
            strcmp(codes->slots[i].text, text) == 0)
            return codes->slots[i].code;
    i = codes->next++ % FACE_CODES_PER_CLASS;
    if (codes->slots[i].code == 0 &&
        PMPI_Add_error_code(class, &codes->slots[i].code) != MPI_SUCCESS) {
        codes->slots[i].code = 0;
        return class;
    }
    snprintf(codes->slots[i].text, sizeof(codes->slots[i].text), "%s", text);
    PMPI_Add_error_string(codes->slots[i].code, codes->slots[i].text);
    return codes->slots[i].code;
}

int face_code(const struct adio_error *error)
{
    static struct class_codes table[NCLASSES];
    char text[MPI_MAX_ERROR_STRING];
    size_t row;
    int code;

    if (error->code == 0)
        return MPI_SUCCESS;
    log_info("%s", error->text);
    row = find_row(error->code);
    fit_text(text, error->text);
    OPAL_THREAD_LOCK(&mca_io_capstan_component.lock);
    code = code_with_text(&table[row], classes[row].class, text);
    OPAL_THREAD_UNLOCK(&mca_io_capstan_component.lock);
    return code;
}
