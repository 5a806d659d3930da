#include "ports/zmtp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BODY_MAX ((size_t)1 << 20)

/* What libzmq 4.3.4 says as a DEALER, and what follows. */
static const unsigned char libzmq_greeting[] = {0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 1, 'N', 'U', 'L', 'L'};
static const char libzmq_ready[] = "\4\51\5READY\13Socket-Type\0\0\0\6DEALER\10Identity\0\0\0\0";

static struct fault why;

/* Exactly so many bytes on the heap: a sanitizer sees a read beyond them. */
static char *exactly(const void *bytes, size_t len)
{
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    return copy;
}

static enum err greet(const void *bytes, size_t len)
{
    char *copy = exactly(bytes, len);
    enum err err = zmtp_check_greeting(copy, len, &why);
    free(copy);
    return err;
}

static void whole_greeting(unsigned char out[ZMTP_GREETING])
{
    memset(out, 0, ZMTP_GREETING);
    memcpy(out, libzmq_greeting, sizeof libzmq_greeting);
}

/* ---- greetings ---- */

static void a_greeting_is_right_so_far_until_it_is_whole(void **state)
{
    (void)state;
    unsigned char greeting[ZMTP_GREETING];
    whole_greeting(greeting);
    for (size_t len = 0; len < ZMTP_GREETING; len++)
        assert_int_equal(greet(greeting, len), ERR_END);
    assert_int_equal(greet(greeting, ZMTP_GREETING), ERR_OK);
    assert_int_equal(greet(zmtp_greeting, ZMTP_GREETING), ERR_OK);
}

static void what_follows_a_greeting_does_not_matter_to_it(void **state)
{
    (void)state;
    unsigned char more[ZMTP_GREETING + 1];
    whole_greeting(more);
    more[ZMTP_GREETING] = 0xFF;
    assert_int_equal(greet(more, sizeof more), ERR_OK);
}

static void our_greeting_is_that_of_version_3_without_security(void **state)
{
    (void)state;
    unsigned char expected[ZMTP_GREETING] = {0xFF, [9] = 0x7F, [10] = 3, 0, 'N', 'U', 'L', 'L'};
    assert_memory_equal(zmtp_greeting, expected, ZMTP_GREETING);
}

/* As soon as the byte at that place is there, and whatever comes after. */
static void expect_refused(size_t place, unsigned char byte, const char *reason)
{
    unsigned char greeting[ZMTP_GREETING];
    whole_greeting(greeting);
    greeting[place] = byte;
    assert_int_equal(greet(greeting, place), ERR_END);
    for (size_t len = place + 1; len <= ZMTP_GREETING; len++) {
        why = (struct fault){.text = ""};
        assert_int_equal(greet(greeting, len), ERR_PROTOCOL);
        assert_string_equal(why.text, reason);
    }
}

static void a_wrong_greeting_is_refused_at_its_first_wrong_byte(void **state)
{
    (void)state;
    expect_refused(0, 'G', "not ZeroMQ");
    expect_refused(0, 0x01, "not ZeroMQ"); /* ZMTP 1.0: the length of an identity */
    expect_refused(9, 0x00, "not ZeroMQ"); /* ZMTP 1.0: the flags of a long frame */
    expect_refused(10, 0, "ZMTP before version 3");
    expect_refused(10, 1, "ZMTP before version 3"); /* ZMTP 2.0: libzmq 3.2 */
    expect_refused(10, 2, "ZMTP before version 3");
    expect_refused(12, 'P', "a security mechanism other than NULL");
    expect_refused(12, 'C', "a security mechanism other than NULL");
    expect_refused(15, 'X', "a security mechanism other than NULL");
    expect_refused(16, 'S', "a security mechanism other than NULL");
    expect_refused(31, 1, "a security mechanism other than NULL");
}

static void later_versions_and_the_padding_are_nobody_s_business(void **state)
{
    (void)state;
    unsigned char greeting[ZMTP_GREETING];
    whole_greeting(greeting);
    greeting[10] = 4;
    greeting[11] = 200;
    memset(greeting + 1, 0xEE, 8);
    memset(greeting + 32, 0xEE, 32);
    assert_int_equal(greet(greeting, ZMTP_GREETING), ERR_OK);
}

/* ---- frames ---- */

static enum err read_frame(const void *bytes, size_t len, struct zmtp_frame *out)
{
    char *copy = exactly(bytes, len);
    enum err err = zmtp_read_frame(copy, len, BODY_MAX, out);
    if (err == ERR_OK)
        out->body.at = (const char *)bytes + (out->body.at - copy);
    free(copy);
    return err;
}

static void frames_come_back_as_they_were(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 254, 255, 256, 257, 65535, 65536, BODY_MAX};
    static const unsigned kinds[] = {0, ZMTP_MORE, ZMTP_COMMAND};
    static char body[BODY_MAX];
    for (size_t i = 0; i < BODY_MAX; i++)
        body[i] = (char)(i * 7 + i / 256);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t k = 0; k < 3; k++) {
            struct buf out = BUF_INIT(2 * BODY_MAX);
            struct zmtp_frame frame;
            assert_int_equal(zmtp_write_frame(&out, kinds[k], (struct bytes){body, sizes[i]}), ERR_OK);
            assert_int_equal(out.len, sizes[i] + (sizes[i] < 256 ? 2 : ZMTP_HEAD_MAX));
            assert_int_equal(read_frame(out.data, out.len, &frame), ERR_OK);
            assert_int_equal(frame.flags, kinds[k]);
            assert_int_equal(frame.size, out.len);
            assert_int_equal(frame.body.len, sizes[i]);
            assert_memory_equal(frame.body.at, body, sizes[i]);
            buf_fini(&out);
        }
}

static void heads_are_those_of_the_standard(void **state)
{
    (void)state;
    static const char body[300];
    struct buf out = BUF_INIT(4096);
    assert_int_equal(zmtp_write_frame(&out, ZMTP_MORE, (struct bytes){body, 255}), ERR_OK);
    assert_memory_equal(out.data, "\1\377", 2);
    buf_clear(&out);
    assert_int_equal(zmtp_write_frame(&out, ZMTP_MORE, (struct bytes){body, 256}), ERR_OK);
    assert_memory_equal(out.data, "\3\0\0\0\0\0\0\1\0", ZMTP_HEAD_MAX);
    buf_clear(&out);
    assert_int_equal(zmtp_write_frame(&out, ZMTP_COMMAND, (struct bytes){body, 300}), ERR_OK);
    assert_memory_equal(out.data, "\6\0\0\0\0\0\0\1\54", ZMTP_HEAD_MAX);
    buf_fini(&out);
}

static void a_short_body_behind_a_long_head_is_read(void **state)
{
    (void)state;
    struct zmtp_frame frame;
    assert_int_equal(read_frame("\3\0\0\0\0\0\0\0\2hi", 11, &frame), ERR_OK);
    assert_int_equal(frame.flags, ZMTP_MORE);
    assert_int_equal(frame.size, 11);
    assert_int_equal(frame.body.len, 2);
    assert_memory_equal(frame.body.at, "hi", 2);
}

static void a_frame_is_awaited_at_every_length_short_of_it(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 5, 300};
    static const char body[300];
    for (size_t i = 0; i < 3; i++) {
        struct buf out = BUF_INIT(4096);
        struct zmtp_frame frame;
        assert_int_equal(zmtp_write_frame(&out, 0, (struct bytes){body, sizes[i]}), ERR_OK);
        for (size_t len = 0; len < out.len; len++)
            assert_int_equal(read_frame(out.data, len, &frame), ERR_END);
        assert_int_equal(read_frame(out.data, out.len, &frame), ERR_OK);
        buf_fini(&out);
    }
}

static void only_the_first_frame_is_read(void **state)
{
    (void)state;
    struct zmtp_frame frame;
    assert_int_equal(read_frame("\1\1a\0\1b\377", 7, &frame), ERR_OK);
    assert_int_equal(frame.size, 3);
    assert_memory_equal(frame.body.at, "a", 1);
}

static void reserved_flags_are_no_frame(void **state)
{
    (void)state;
    struct zmtp_frame frame;
    for (unsigned flags = 0; flags < 256; flags++) {
        const char head[ZMTP_HEAD_MAX] = {(char)flags};
        bool command = flags & ZMTP_COMMAND;
        bool right = flags < 8 && !(command && flags & ZMTP_MORE);
        assert_int_equal(read_frame(head, ZMTP_HEAD_MAX, &frame), right ? ERR_OK : ERR_PROTOCOL);
        assert_int_equal(read_frame(head, 1, &frame), right ? ERR_END : ERR_PROTOCOL); /* not a byte later */
    }
}

static void a_body_beyond_the_limit_is_refused_by_its_head(void **state)
{
    (void)state;
    struct zmtp_frame frame;
    assert_int_equal(zmtp_read_frame("\0\12", 2, 9, &frame), ERR_TOO_LARGE);
    assert_int_equal(zmtp_read_frame("\0\12", 2, 10, &frame), ERR_END);
    assert_int_equal(zmtp_read_frame("\4\12", 2, 9, &frame), ERR_TOO_LARGE);
    assert_int_equal(zmtp_read_frame("\2\0\0\0\0\0\0\1\0", 8, 255, &frame), ERR_END);
    assert_int_equal(zmtp_read_frame("\2\0\0\0\0\0\0\1\0", 9, 255, &frame), ERR_TOO_LARGE);
    assert_int_equal(zmtp_read_frame("\2\0\0\0\0\0\0\1\0", 9, 256, &frame), ERR_END);
}

static void lengths_of_64_bits_do_not_wrap(void **state)
{
    (void)state;
    static const char *const huge[] = {
        "\2\377\377\377\377\377\377\377\377",         /* 2^64 - 1: with its head it would be 8 */
        "\2\377\377\377\377\377\377\377\367",         /* with its head exactly 2^64 */
        "\2\200\0\0\0\0\0\0\0", "\2\0\0\0\1\0\0\0\1", /* 2^32 + 1 */
    };
    struct zmtp_frame frame;
    for (size_t i = 0; i < sizeof huge / sizeof *huge; i++)
        assert_int_equal(read_frame(huge[i], ZMTP_HEAD_MAX, &frame), ERR_TOO_LARGE);
    /* without a limit they are only not here yet */
    assert_int_equal(zmtp_read_frame(huge[0], ZMTP_HEAD_MAX, SIZE_MAX, &frame), ERR_END);
}

static void a_frame_that_does_not_fit_changes_nothing(void **state)
{
    (void)state;
    static const char body[8];
    struct buf out = BUF_INIT(10);
    assert_int_equal(zmtp_write_frame(&out, 0, (struct bytes){body, 8}), ERR_OK);
    assert_int_equal(zmtp_write_frame(&out, 0, (struct bytes){"", 0}), ERR_FULL);
    assert_int_equal(out.len, 10);
    buf_fini(&out);
}

/* ---- commands ---- */

static enum err read_command(const char *text, size_t len, enum zmtp_command *out, size_t *rest_len)
{
    struct bytes rest = {NULL, 0};
    char *copy = exactly(text, len);
    enum err err = zmtp_read_command((struct bytes){copy, len}, out, &rest);
    *rest_len = rest.len;
    if (err == ERR_OK)
        assert_ptr_equal(rest.at + rest.len, copy + len);
    free(copy);
    return err;
}

static void commands_are_known_by_their_names(void **state)
{
    (void)state;
    enum zmtp_command command;
    size_t rest;
    assert_int_equal(read_command("\5READYabc", 9, &command, &rest), ERR_OK);
    assert_int_equal(command, ZMTP_READY);
    assert_int_equal(rest, 3);
    assert_int_equal(read_command("\4PING\0\1", 7, &command, &rest), ERR_OK);
    assert_int_equal(command, ZMTP_PING);
    assert_int_equal(rest, 2);
    static const char *const others[] = {"\4PONG", "\5ERROR\3why", "\6READYX", "\4READY", "\5ready", "\1P"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_equal(read_command(others[i], strlen(others[i]), &command, &rest), ERR_OK);
        assert_int_equal(command, ZMTP_OTHER);
    }
}

static void a_command_without_a_whole_name_is_none(void **state)
{
    (void)state;
    enum zmtp_command command;
    size_t rest;
    assert_int_equal(read_command("", 0, &command, &rest), ERR_PROTOCOL);
    assert_int_equal(read_command("\0READY", 6, &command, &rest), ERR_PROTOCOL);
    assert_int_equal(read_command("\5READ", 5, &command, &rest), ERR_PROTOCOL);
    assert_int_equal(read_command("\377", 1, &command, &rest), ERR_PROTOCOL);
}

/* ---- READY ---- */

static enum err check_ready(const char *properties, size_t len)
{
    char *copy = exactly(properties, len);
    why = (struct fault){.text = ""};
    enum err err = zmtp_check_ready((struct bytes){copy, len}, &why);
    free(copy);
    return err;
}

#define CHECK_READY(literal) check_ready(literal, sizeof literal - 1)

static void libzmq_s_own_ready_is_accepted(void **state)
{
    (void)state;
    struct zmtp_frame frame;
    enum zmtp_command command;
    struct bytes rest;
    assert_int_equal(read_frame(libzmq_ready, sizeof libzmq_ready - 1, &frame), ERR_OK);
    assert_int_equal(frame.flags, ZMTP_COMMAND);
    assert_int_equal(frame.size, sizeof libzmq_ready - 1);
    assert_int_equal(zmtp_read_command(frame.body, &command, &rest), ERR_OK);
    assert_int_equal(command, ZMTP_READY);
    assert_int_equal(check_ready(rest.at, rest.len), ERR_OK);
}

static void dealers_requesters_and_routers_may_speak(void **state)
{
    (void)state;
    assert_int_equal(CHECK_READY("\13Socket-Type\0\0\0\6DEALER"), ERR_OK);
    assert_int_equal(CHECK_READY("\13Socket-Type\0\0\0\3REQ"), ERR_OK);
    assert_int_equal(CHECK_READY("\13Socket-Type\0\0\0\6ROUTER"), ERR_OK);
    assert_int_equal(CHECK_READY("\10Identity\0\0\0\3abc\13Socket-Type\0\0\0\6DEALER\6X-Name\0\0\0\1v"), ERR_OK);
}

static void others_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(CHECK_READY("\13Socket-Type\0\0\0\3SUB"), ERR_PROTOCOL);
    assert_string_equal(why.text, "a SUB cannot speak to a ROUTER");
    assert_int_equal(CHECK_READY("\13Socket-Type\0\0\0\7DEALERS"), ERR_PROTOCOL);
    assert_int_equal(CHECK_READY("\13Socket-Type\0\0\0\5DEALE"), ERR_PROTOCOL);
    assert_int_equal(CHECK_READY("\13Socket-Type\0\0\0\0"), ERR_PROTOCOL);
    assert_int_equal(CHECK_READY("\13Socket-Type\0\0\0\3REP\13Socket-Type\0\0\0\3REQ"), ERR_PROTOCOL);
    assert_int_equal(CHECK_READY("\13Socket-Type\0\0\0\44a name that is far too long to repeat"), ERR_PROTOCOL);
    assert_string_equal(why.text, "a a name that is f cannot speak to a ROUTER");
}

static void a_ready_must_name_a_type(void **state)
{
    (void)state;
    assert_int_equal(check_ready("", 0), ERR_PROTOCOL);
    assert_string_equal(why.text, "its READY names no Socket-Type");
    assert_int_equal(CHECK_READY("\10Identity\0\0\0\6DEALER"), ERR_PROTOCOL);
    assert_string_equal(why.text, "its READY names no Socket-Type");
}

static void a_cut_ready_is_refused_wherever_it_is_cut(void **state)
{
    (void)state;
    static const char whole[] = "\10Identity\0\0\0\3abc\13Socket-Type\0\0\0\6DEALER";
    for (size_t len = 0; len < sizeof whole - 1; len++)
        assert_int_equal(check_ready(whole, len), ERR_PROTOCOL);
    static const char trailing[] = "\13Socket-Type\0\0\0\6DEALER\10Identity\0\0\0\0";
    for (size_t len = 22 + 1; len < sizeof trailing - 1; len++) {
        assert_int_equal(check_ready(trailing, len), ERR_PROTOCOL);
        assert_string_equal(why.text, "its READY cannot be read");
    }
    assert_int_equal(CHECK_READY(trailing), ERR_OK);
}

static void a_value_longer_than_the_frame_is_refused(void **state)
{
    (void)state;
    assert_int_equal(CHECK_READY("\13Socket-Type\377\377\377\377DEALER"), ERR_PROTOCOL);
    assert_int_equal(CHECK_READY("\13Socket-Type\0\0\0\7DEALER"), ERR_PROTOCOL);
    assert_int_equal(CHECK_READY("\377Socket-Type\0\0\0\6DEALER"), ERR_PROTOCOL);
}

static void our_ready_says_what_we_are(void **state)
{
    (void)state;
    static const char expected[] = "\4\34\5READY\13Socket-Type\0\0\0\6ROUTER";
    struct buf out = BUF_INIT(100);
    assert_int_equal(zmtp_write_ready(&out, "ROUTER"), ERR_OK);
    assert_int_equal(out.len, sizeof expected - 1);
    assert_memory_equal(out.data, expected, out.len);
    buf_fini(&out);
}

/* ---- PING ---- */

static void expect_pong(const char *ping, size_t ping_len, const char *expected, size_t len)
{
    struct buf out = BUF_INIT(100);
    char *copy = exactly(ping, ping_len);
    assert_int_equal(zmtp_write_pong(&out, (struct bytes){copy, ping_len}), ERR_OK);
    assert_int_equal(out.len, len);
    assert_memory_equal(out.data, expected, len);
    free(copy);
    buf_fini(&out);
}

static void a_ping_is_answered_with_its_context(void **state)
{
    (void)state;
    expect_pong("\0\144", 2, "\4\5\4PONG", 7);
    expect_pong("\0\0context", 9, "\4\14\4PONGcontext", 14);
    expect_pong("\0\0sixteen bytes ok", 18, "\4\25\4PONGsixteen bytes ok", 23);
}

static void a_ping_too_short_or_too_long_is_none(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(100);
    assert_int_equal(zmtp_write_pong(&out, (struct bytes){"", 0}), ERR_PROTOCOL);
    assert_int_equal(zmtp_write_pong(&out, (struct bytes){"\0", 1}), ERR_PROTOCOL);
    assert_int_equal(zmtp_write_pong(&out, (struct bytes){"\0\0seventeen bytes.", 19}), ERR_PROTOCOL);
    assert_int_equal(out.len, 0);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_greeting_is_right_so_far_until_it_is_whole),
        cmocka_unit_test(what_follows_a_greeting_does_not_matter_to_it),
        cmocka_unit_test(our_greeting_is_that_of_version_3_without_security),
        cmocka_unit_test(a_wrong_greeting_is_refused_at_its_first_wrong_byte),
        cmocka_unit_test(later_versions_and_the_padding_are_nobody_s_business),
        cmocka_unit_test(frames_come_back_as_they_were),
        cmocka_unit_test(heads_are_those_of_the_standard),
        cmocka_unit_test(a_short_body_behind_a_long_head_is_read),
        cmocka_unit_test(a_frame_is_awaited_at_every_length_short_of_it),
        cmocka_unit_test(only_the_first_frame_is_read),
        cmocka_unit_test(reserved_flags_are_no_frame),
        cmocka_unit_test(a_body_beyond_the_limit_is_refused_by_its_head),
        cmocka_unit_test(lengths_of_64_bits_do_not_wrap),
        cmocka_unit_test(a_frame_that_does_not_fit_changes_nothing),
        cmocka_unit_test(commands_are_known_by_their_names),
        cmocka_unit_test(a_command_without_a_whole_name_is_none),
        cmocka_unit_test(libzmq_s_own_ready_is_accepted),
        cmocka_unit_test(dealers_requesters_and_routers_may_speak),
        cmocka_unit_test(others_are_told_apart),
        cmocka_unit_test(a_ready_must_name_a_type),
        cmocka_unit_test(a_cut_ready_is_refused_wherever_it_is_cut),
        cmocka_unit_test(a_value_longer_than_the_frame_is_refused),
        cmocka_unit_test(our_ready_says_what_we_are),
        cmocka_unit_test(a_ping_is_answered_with_its_context),
        cmocka_unit_test(a_ping_too_short_or_too_long_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
