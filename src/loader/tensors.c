/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading files of tensors.
 *
 * The first bytes say what it is: a commit record, or the length of a
 * safetensors header. Either leads to JSON that names the tensors; all ranks
 * read it alike, and parse it alike.
 *
 * Possible failure modes are: lengths and places that do not fit the file
 * (nothing of it is believed then), no memory on one rank (all fail), a read
 * that is short.
 */
#include "loader/tensors_priv.h"

#include "loader/json.h"

#include "base/mem.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NO_END UINT64_MAX

struct capstan_tensors {
    MPI_Comm comm;
    MPI_File file; /* MPI_FILE_NULL: it could not be opened */
    char *path;
    uint64_t size;
    uint64_t data; /* that offsets count from */
    uint64_t generation;
    struct capstan_tensor *list;
    size_t count, room;
    struct note note;
};

/* Types of safetensors and their bytes. */
static const struct {
    char name[8];
    uint64_t size;
} types[] = {{"F64", 8},    {"F32", 4}, {"F16", 2},     {"BF16", 2},
             {"I64", 8},    {"I32", 4}, {"I16", 2},     {"I8", 1},
             {"U64", 8},    {"U32", 4}, {"U16", 2},     {"U8", 1},
             {"BOOL", 1},   {"C64", 8}, {"F8_E4M3", 1}, {"F8_E5M2", 1},
             {"F8_E8M0", 1}};

static uint64_t element_size(const struct capstan_tensors *file,
                             const char *type)
{
    if (file->generation > 0)
        return type_size(type);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(types[i].name, type) == 0)
            return types[i].size;
    return 0;
}

static void read_shape(struct json *json, struct capstan_tensor *tensor)
{
    for (json_open(json, '['); json_more(json, ']');) {
        uint64_t n = 0;

        json_u64(json, &n);
        if (tensor->ndims == CAPSTAN_TENSOR_DIMS_MAX)
            json->is_bad = true;
        else
            tensor->dims[tensor->ndims++] = n;
    }
}

/* {"dtype", "shape", and "data_offsets" or "offset"}. *end_out: NO_END if there
 * is an offset only. */
static void read_entry(struct json *json, struct capstan_tensor *tensor,
                       uint64_t *end_out)
{
    char key[64];

    *end_out = NO_END;
    for (json_open(json, '{'); json_more(json, '}');) {
        if (!json_key(json, key, sizeof(key)))
            break;
        if (strcmp(key, "dtype") == 0) {
            json_string(json, tensor->type, sizeof(tensor->type));
        } else if (strcmp(key, "shape") == 0) {
            tensor->ndims = 0;
            read_shape(json, tensor);
        } else if (strcmp(key, "offset") == 0) {
            json_u64(json, &tensor->offset);
        } else if (strcmp(key, "data_offsets") == 0) {
            json_open(json, '[');
            if (json_more(json, ']') && json_u64(json, &tensor->offset) &&
                json_more(json, ']') && json_u64(json, end_out) &&
                json_more(json, ']'))
                json->is_bad = true;
        } else {
            json_skip(json);
        }
    }
}

/* Does it lie in the file, and end where it says? Sets the rows. */
static bool check_entry(const struct capstan_tensors *file,
                        struct capstan_tensor *tensor, uint64_t end)
{
    uint64_t bytes;

    tensor->row_length = element_size(file, tensor->type);
    tensor->rows = tensor->ndims > 0 ? tensor->dims[0] : 1;
    if (tensor->row_length == 0)
        return false;
    for (unsigned i = 1; i < tensor->ndims; i++)
        if (__builtin_mul_overflow(tensor->row_length, tensor->dims[i],
                                   &tensor->row_length))
            return false;
    return !__builtin_mul_overflow(tensor->row_length, tensor->rows, &bytes) &&
           (end == NO_END || end - tensor->offset == bytes) &&
           !__builtin_add_overflow(tensor->offset, file->data,
                                   &tensor->offset) &&
           tensor->offset <= file->size && bytes <= file->size - tensor->offset;
}

static int add(struct capstan_tensors *file,
               const struct capstan_tensor *tensor)
{
    if (file->count == file->room) {
        size_t room = file->room == 0 ? 16 : 2 * file->room;
        void *grown = mem_grow(file->list, room, sizeof(*file->list));

        if (grown == NULL)
            return -ENOMEM;
        file->list = grown;
        file->room = room;
    }
    file->list[file->count] = *tensor;
    file->list[file->count].name = mem_strdup(tensor->name);
    if (file->list[file->count].name == NULL)
        return -ENOMEM;
    file->count++;
    return 0;
}

static void read_tensors(struct capstan_tensors *file, struct json *json)
{
    char name[CAPSTAN_TENSOR_NAME_MAX];

    for (json_open(json, '{'); json_more(json, '}');) {
        struct capstan_tensor tensor = {.name = name};
        uint64_t end;

        if (!json_key(json, name, sizeof(name)))
            break;
        if (file->generation == 0 && strcmp(name, "__metadata__") == 0) {
            json_skip(json);
            continue;
        }
        read_entry(json, &tensor, &end);
        if (json->is_bad || !check_entry(file, &tensor, end)) {
            json->is_bad = true;
            note_set(&file->note, -EPROTO,
                     "%s: tensor %s: its type is not known, or does not agree "
                     "with its shape and place",
                     file->path, name);
        } else if (add(file, &tensor) != 0) {
            note_set(&file->note, -ENOMEM, "%s: no memory for its tensors",
                     file->path);
        }
    }
}

static int by_place(const void *left, const void *right)
{
    const struct capstan_tensor *a = left, *b = right;

    return a->offset != b->offset ? (a->offset > b->offset ? 1 : -1)
                                  : strcmp(a->name, b->name);
}

/* The whole of a safetensors header, or "tensors" of a checkpoint's index. */
static void parse(struct capstan_tensors *file, const char *text, size_t length)
{
    struct json json;
    char key[64];

    json_init(&json, text, length);
    if (file->generation == 0)
        read_tensors(file, &json);
    else
        for (json_open(&json, '{'); json_more(&json, '}');)
            if (json_key(&json, key, sizeof(key)) &&
                strcmp(key, "tensors") == 0)
                read_tensors(file, &json);
            else
                json_skip(&json);
    if (!json_is_over(&json))
        note_set(&file->note, -EPROTO, "%s: its table of tensors is damaged",
                 file->path);
    if (file->count > 0)
        qsort(file->list, file->count, sizeof(*file->list), by_place);
}

/* @return whether it is one. */
static bool open_checkpoint(struct capstan_tensors *file, bool has_magic)
{
    struct commit commit;

    commit_find(file->comm, file->file, file->path, &commit, &file->note);
    if (file->note.code != 0)
        return true;
    if (commit.index == NULL && has_magic)
        note_set(&file->note, -ENODATA, "%s: no complete checkpoint",
                 file->path);
    if (commit.index == NULL)
        return has_magic;
    file->generation = commit.record.generation;
    parse(file, commit.index, commit.record.length);
    free(commit.index);
    return true;
}

static void open_safetensors(struct capstan_tensors *file, uint64_t length)
{
    char *header;

    if (length > TENSORS_INDEX_MAX || length > file->size - 8) {
        note_set(&file->note, -EPROTO,
                 "%s: not safetensors, nor checkpoints: a header of %llu bytes",
                 file->path, (unsigned long long)length);
        return;
    }
    header = mem_calloc(1, length + 1);
    if (header == NULL)
        note_set(&file->note, -ENOMEM, "%s: no memory for its header",
                 file->path);
    file->data = 8 + length;
    if (note_agree(&file->note, file->comm) == 0 &&
        tensors_move(file->comm, file->file, false, 8, header, length,
                     file->path, &file->note) == 0)
        parse(file, header, length);
    free(header);
}

static void open_file(struct capstan_tensors *file, MPI_Info info)
{
    struct note *note = &file->note;
    MPI_Offset size = 0;
    char first[8] = "";
    uint64_t length;

    note_mpi(note,
             MPI_File_open(file->comm, file->path, MPI_MODE_RDONLY, info,
                           &file->file),
             "open", file->path);
    if (note_agree(note, file->comm) != 0)
        return;
    note_mpi(note, MPI_File_get_size(file->file, &size), "ask the size of",
             file->path);
    file->size = (uint64_t)size;
    if (note->code == 0 && size < 8)
        note_set(note, -EPROTO, "%s: %lld bytes are no tensors", file->path,
                 (long long)size);
    if (note_agree(note, file->comm) != 0 ||
        tensors_move(file->comm, file->file, false, 0, first, 8, file->path,
                     note) != 0)
        return;
    memcpy(&length, first, 8);
    /* The first record may be damaged, and the second good. */
    if (!open_checkpoint(file, memcmp(first, "CAPCKPT1", 8) == 0))
        open_safetensors(file, le64toh(length));
}

/* On all ranks, or none. */
static struct capstan_tensors *create(MPI_Comm comm, const char *path)
{
    struct capstan_tensors *file = mem_calloc(1, sizeof(*file));
    int have = 0, least;

    if (file != NULL)
        file->path = mem_strdup(path);
    have = file != NULL && file->path != NULL;
    MPI_Allreduce(&have, &least, 1, MPI_INT, MPI_MIN, comm);
    if (least != 0)
        return file;
    if (file != NULL)
        free(file->path);
    free(file);
    return NULL;
}

int capstan_tensors_open(MPI_Comm comm, const char *path, MPI_Info info,
                         struct capstan_tensors **file_out)
{
    struct capstan_tensors *file = create(comm, path);

    if (file == NULL)
        return -ENOMEM;
    MPI_Comm_dup(comm, &file->comm);
    file->file = MPI_FILE_NULL;
    open_file(file, info);
    *file_out = file;
    return note_agree(&file->note, file->comm);
}

void capstan_tensors_close(struct capstan_tensors **file_p)
{
    struct capstan_tensors *file = *file_p;

    if (file == NULL)
        return;
    *file_p = NULL;
    if (file->file != MPI_FILE_NULL)
        MPI_File_close(&file->file);
    MPI_Comm_free(&file->comm);
    for (size_t i = 0; i < file->count; i++)
        free(file->list[i].name);
    free(file->list);
    free(file->path);
    free(file);
}

const struct capstan_tensor *
capstan_tensors_list(const struct capstan_tensors *file, size_t *count_out)
{
    *count_out = file->count;
    return file->list;
}

const struct capstan_tensor *
capstan_tensors_find(const struct capstan_tensors *file, const char *name)
{
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->list[i].name, name) == 0)
            return &file->list[i];
    return NULL;
}

uint64_t capstan_tensors_generation(const struct capstan_tensors *file)
{
    return file->generation;
}

int capstan_tensors_read(struct capstan_tensors *file,
                         const struct capstan_tensor *tensor,
                         uint64_t first_row, uint64_t rows, void *buffer)
{
    struct note note = {0};

    if (first_row > tensor->rows || rows > tensor->rows - first_row)
        note_set(&note, -EINVAL, "%s: %s has %llu rows", file->path,
                 tensor->name, (unsigned long long)tensor->rows);
    if (note_agree(&note, file->comm) == 0)
        tensors_move(file->comm, file->file, false,
                     tensor->offset + first_row * tensor->row_length, buffer,
                     rows * tensor->row_length, file->path, &note);
    file->note = note;
    return note.code;
}

const char *capstan_tensors_error(const struct capstan_tensors *file)
{
    return file != NULL ? file->note.text : "no memory for a file of tensors";
}
