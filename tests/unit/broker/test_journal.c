/* The journal's files: what is written reads back, and what is damaged, foreign, older or cut off is known as such. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/journal.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENT (8 * JOURNAL_BLOCK)

struct fixture {
    char folder[64], path[128];
    struct journal *journal;
    struct journal_history history;
    uint64_t kept;
    struct fault why;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->folder, "/dev/shm/sheetwire-journal-XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    snprintf(f->path, sizeof f->path, "%s/chat.db", f->folder);
    f->history = (struct journal_history){77, 3};
    *state = f;
    if (journal_open(&f->journal, f->path, &f->why) != ERR_OK)
        return -1;
    return journal_begin(f->journal, &f->history, SEGMENT, &f->why) == ERR_OK ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    journal_remove(&f->journal);
    int failed = rmdir(f->folder);
    free(f);
    return failed;
}

/* A record whose payload is its number as text, filled up to len. */
static enum err append(struct fixture *f, const char *text, size_t len)
{
    struct buf record = BUF_INIT(1 << 20);
    uint64_t number = 0;
    char *at = NULL;
    assert_int_equal(journal_record(&record), ERR_OK);
    assert_int_equal(buf_extend(&record, len, &at), ERR_OK);
    memset(at, '.', len);
    memcpy(at, text, strlen(text));
    enum err err = journal_append(f->journal, &record, f->kept, &number, &f->why);
    buf_fini(&record);
    return err;
}

static void append_ok(struct fixture *f, const char *text)
{
    assert_int_equal(append(f, text, strlen(text)), ERR_OK);
}

struct heard {
    uint64_t newest;
    char text[256];
    enum err answer;
};

static enum err hear(void *context, uint64_t number, struct bytes payload, struct fault *why)
{
    struct heard *heard = context;
    heard->newest = number;
    strncat(heard->text, payload.at, payload.len < 8 ? payload.len : 8);
    return fault_set(why, heard->answer, "of no use");
}

static enum err replay(struct fixture *f, const struct journal_history *of, uint64_t after, struct heard *heard)
{
    struct journal *again = NULL;
    *heard = (struct heard){.answer = heard->answer};
    assert_int_equal(journal_open(&again, f->path, &f->why), ERR_OK);
    enum err err = journal_replay(again, of, after, hear, heard, &f->why);
    journal_close(&again);
    return err;
}

static void assert_replay(struct fixture *f, uint64_t after, const char *want)
{
    struct heard heard = {.answer = ERR_OK};
    enum err err = replay(f, &f->history, after, &heard);
    if (err != ERR_OK)
        fail_msg("%s", f->why.text);
    assert_string_equal(heard.text, want);
}

static char *segment(const struct fixture *f, int which)
{
    static char name[160];
    snprintf(name, sizeof name, "%s.journal%d", f->path, which);
    return name;
}

static void write_at(const struct fixture *f, int which, size_t at, const void *bytes, size_t len)
{
    int fd = open(segment(f, which), O_WRONLY);
    assert_int_equal(pwrite(fd, bytes, len, (off_t)at), (ssize_t)len);
    close(fd);
}

static void read_at(const struct fixture *f, int which, size_t at, void *bytes, size_t len)
{
    int fd = open(segment(f, which), O_RDONLY);
    assert_int_equal(pread(fd, bytes, len, (off_t)at), (ssize_t)len);
    close(fd);
}

static void records_read_back_in_order(void **state)
{
    struct fixture *f = *state;
    assert_replay(f, 0, "");
    append_ok(f, "one ");
    append_ok(f, "two ");
    append_ok(f, "three ");
    assert_replay(f, 0, "one two three ");
    assert_replay(f, 2, "three ");
    assert_replay(f, 3, "");
    assert_replay(f, 4, "");
}

static void a_segment_is_used_again_when_it_is_kept_elsewhere(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 16; i++)
        append_ok(f, i < 8 ? "a" : "b");
    assert_int_equal(journal_left_behind(f->journal), 8);
    f->kept = 7;
    assert_int_equal(append(f, "c", 1), ERR_FULL);
    assert_replay(f, 0, "aaaaaaaabbbbbbbb");
    f->kept = 8;
    append_ok(f, "c");
    assert_int_equal(journal_left_behind(f->journal), 16);
    assert_replay(f, 8, "bbbbbbbbc");
    assert_replay(f, 12, "bbbbc");
}

static void large_records_turn_early_and_too_large_ones_not_at_all(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(append(f, "A", SEGMENT - JOURNAL_HEAD + 1), ERR_TOO_LARGE);
    assert_int_equal(append(f, "A", SEGMENT - JOURNAL_HEAD), ERR_OK);
    append_ok(f, "b");
    assert_int_equal(append(f, "C", SEGMENT - JOURNAL_HEAD), ERR_FULL);
    append_ok(f, "d"); /* what is too large for now holds up nobody who is not */
    assert_replay(f, 1, "bd");
    f->kept = 3;
    assert_int_equal(append(f, "E", SEGMENT - JOURNAL_HEAD), ERR_OK);
    assert_replay(f, 3, "E.......");
}

/* After every number of bytes of a write to the second block of a segment. */
static void cut_off_everywhere(struct fixture *f, uint64_t newest)
{
    enum { WHOLE = JOURNAL_HEAD + JOURNAL_BLOCK + 99 };
    char before[2 * JOURNAL_BLOCK], after[2 * JOURNAL_BLOCK];
    size_t told_apart = 0;
    read_at(f, 0, JOURNAL_BLOCK, before, sizeof before);
    assert_int_equal(append(f, "last", WHOLE - JOURNAL_HEAD), ERR_OK);
    read_at(f, 0, JOURNAL_BLOCK, after, sizeof after);
    for (size_t cut = 0; cut <= WHOLE; cut++) {
        write_at(f, 0, JOURNAL_BLOCK, after, cut);
        write_at(f, 0, JOURNAL_BLOCK + cut, before + cut, sizeof before - cut);
        bool whole = memcmp(before + cut, after + cut, WHOLE - cut) == 0;
        assert_replay(f, newest, whole ? "last...." : "");
        told_apart += !whole;
    }
    assert_int_equal(told_apart, WHOLE);
}

static void a_write_that_was_cut_off_is_the_end(void **state)
{
    struct fixture *f = *state;
    append_ok(f, "old");
    cut_off_everywhere(f, 1);
}

static void a_write_that_was_cut_off_over_older_records_is_the_end(void **state)
{
    struct fixture *f = *state;
    for (f->kept = 0; f->kept < 17; f->kept++)
        append_ok(f, "old");
    cut_off_everywhere(f, 17);
}

static void damage_before_whole_records_is_an_error_that_names_it(void **state)
{
    struct fixture *f = *state;
    struct heard heard = {.answer = ERR_OK};
    char byte;
    append_ok(f, "one ");
    append_ok(f, "two ");
    append_ok(f, "three ");
    for (size_t at = JOURNAL_BLOCK; at < JOURNAL_BLOCK + JOURNAL_HEAD + 4; at++) {
        read_at(f, 0, at, &byte, 1);
        write_at(f, 0, at, &(char){(char)(byte ^ 1)}, 1);
        assert_int_equal(replay(f, &f->history, 0, &heard), ERR_INVALID);
        assert_non_null(strstr(f->why.text, "chat.db.journal0: damaged: batch 3 is there, batch 2 is not"));
        assert_replay(f, 2, "three ");
        write_at(f, 0, at, &byte, 1);
    }
    assert_replay(f, 0, "one two three ");
}

static void damage_in_one_segment_shows_by_the_other(void **state)
{
    struct fixture *f = *state;
    struct heard heard = {.answer = ERR_OK};
    for (int i = 0; i < 9; i++)
        append_ok(f, "x");
    write_at(f, 0, 7 * JOURNAL_BLOCK + 8, "?", 1);
    assert_int_equal(replay(f, &f->history, 0, &heard), ERR_INVALID);
    assert_non_null(strstr(f->why.text, "chat.db.journal1: damaged: batch 9 is there, batch 8 is not"));
}

static void an_earlier_term_is_over(void **state)
{
    struct fixture *f = *state;
    append_ok(f, "one");
    append_ok(f, "two");
    f->history.term++;
    assert_int_equal(journal_begin(f->journal, &f->history, SEGMENT, &f->why), ERR_OK);
    assert_replay(f, 0, "");
    append_ok(f, "new"); /* over the first; the second lies behind it with the number that would be next */
    assert_replay(f, 0, "new");
}

static void a_foreign_journal_is_not_touched(void **state)
{
    struct fixture *f = *state;
    struct heard heard = {.answer = ERR_OK};
    append_ok(f, "one");
    assert_int_equal(replay(f, &(struct journal_history){78, 9}, 0, &heard), ERR_CONFLICT);
    assert_non_null(strstr(f->why.text, "another record"));
    assert_int_equal(replay(f, &(struct journal_history){77, 2}, 0, &heard), ERR_CONFLICT);
    assert_int_equal(replay(f, &(struct journal_history){77, 4}, 0, &heard), ERR_OK);
    assert_string_equal(heard.text, "");
}

static void what_cannot_be_replayed_is_named(void **state)
{
    struct fixture *f = *state;
    struct heard heard = {.answer = ERR_INTERNAL};
    append_ok(f, "one");
    append_ok(f, "two");
    assert_int_equal(replay(f, &f->history, 1, &heard), ERR_INTERNAL);
    assert_non_null(strstr(f->why.text, "chat.db.journal0: batch 2 at byte 4096: of no use"));
    assert_string_equal(heard.text, "two");
}

static void files_of_any_length_are_read_and_made_whole(void **state)
{
    struct fixture *f = *state;
    struct stat now;
    append_ok(f, "one ");
    append_ok(f, "two ");
    journal_close(&f->journal);
    assert_int_equal(truncate(segment(f, 0), JOURNAL_BLOCK + 26), 0); /* in the middle of a head */
    assert_int_equal(truncate(segment(f, 1), 0), 0);
    assert_replay(f, 0, "one ");
    assert_int_equal(journal_open(&f->journal, f->path, &f->why), ERR_OK);
    f->history.term++;
    assert_int_equal(journal_begin(f->journal, &f->history, SEGMENT, &f->why), ERR_OK);
    for (int i = 0; i < JOURNAL_SEGMENTS; i++) {
        assert_int_equal(stat(segment(f, i), &now), 0);
        assert_int_equal(now.st_size, SEGMENT);
    }
    append_ok(f, "three ");
    assert_replay(f, 0, "three ");
}

static void a_folder_that_is_not_there_is_named(void **state)
{
    struct fixture *f = *state;
    struct journal *other = NULL;
    assert_int_equal(journal_open(&other, "/nowhere/chat.db", &f->why), ERR_NOT_FOUND);
    assert_null(other);
    assert_non_null(strstr(f->why.text, "/nowhere/chat.db.journal0"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(records_read_back_in_order),
        CASE(a_segment_is_used_again_when_it_is_kept_elsewhere),
        CASE(large_records_turn_early_and_too_large_ones_not_at_all),
        CASE(a_write_that_was_cut_off_is_the_end),
        CASE(a_write_that_was_cut_off_over_older_records_is_the_end),
        CASE(damage_before_whole_records_is_an_error_that_names_it),
        CASE(damage_in_one_segment_shows_by_the_other),
        CASE(an_earlier_term_is_over),
        CASE(a_foreign_journal_is_not_touched),
        CASE(what_cannot_be_replayed_is_named),
        CASE(files_of_any_length_are_read_and_made_whole),
        CASE(a_folder_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
