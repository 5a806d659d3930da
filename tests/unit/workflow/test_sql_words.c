#include "operations/sql/sql_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void reserves(const char *word, uint8_t dialects)
{
    for (uint8_t one = SQL_RESERVED_POSTGRESQL; one <= SQL_RESERVED_SQLITE; one = (uint8_t)(one << 1))
        if (sql_reserved(word, strlen(word), one) != ((dialects & one) != 0))
            fail_msg("%s in dialect %u", word, one);
}

static void words_are_found_wherever_they_stand(void **state)
{
    (void)state;
    reserves("accessible", SQL_RESERVED_MYSQL);
    reserves("all", SQL_RESERVED_POSTGRESQL | SQL_RESERVED_MYSQL | SQL_RESERVED_SQLITE);
    reserves("analyse", SQL_RESERVED_POSTGRESQL);
    reserves("current_date", SQL_RESERVED_POSTGRESQL | SQL_RESERVED_MYSQL | SQL_RESERVED_SQLITE);
    reserves("no_write_to_binlog", SQL_RESERVED_MYSQL);
    reserves("nothing", SQL_RESERVED_SQLITE);
    reserves("sql_small_result", SQL_RESERVED_MYSQL);
    reserves("user", SQL_RESERVED_POSTGRESQL);
    reserves("zerofill", SQL_RESERVED_MYSQL);
}

static void case_does_not_matter_and_other_words_are_free(void **state)
{
    (void)state;
    reserves("SeLeCt", SQL_RESERVED_POSTGRESQL | SQL_RESERVED_MYSQL | SQL_RESERVED_SQLITE);
    reserves("name", 0);
    reserves("selec", 0);
    reserves("selects", 0);
    reserves("", 0);
    reserves("a_word_that_is_longer_than_any_reserved_word_there_is", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_found_wherever_they_stand),
        cmocka_unit_test(case_does_not_matter_and_other_words_are_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
