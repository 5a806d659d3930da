#include "table/xlsx_cell_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROOM 400

/* A row with the given cell in it, and so much behind it that the window ends far away. */
struct stream {
    char text[ROOM];
    size_t len, at;
};

static enum err read_stream(void *from, void *to, size_t room, size_t *len, struct fault *why)
{
    (void)why;
    struct stream *self = from;
    *len = self->len - self->at < room ? self->len - self->at : room;
    memcpy(to, self->text + self->at, *len);
    self->at += *len;
    return ERR_OK;
}

static void start(struct stream *stream, struct xml_scan *scan, const char *cell, size_t len)
{
    static const char behind[] = "<c r=\"D7\"><v>9</v></c></row>                                                    ";
    memcpy(stream->text, "<row>", 5);
    memcpy(stream->text + 5, cell, len);
    memcpy(stream->text + 5 + len, behind, sizeof behind - 1);
    stream->len = 5 + len + sizeof behind - 1;
    stream->at = 0;
    struct fault why;
    enum xml_token token;
    if (xml_scan_init(scan, read_stream, stream, XML_WINDOW_BYTES, &why) != ERR_OK ||
        xml_scan_next(scan, &token, &why) != ERR_OK || token != XML_OPEN)
        abort();
}

/* The same cell token by token; false: it is no cell that ends well. */
static bool read_slowly(struct xml_scan *scan, struct xlsx_cell_head *head, char *text, size_t *len)
{
    struct fault why;
    enum xml_token token;
    *len = 0;
    if (xml_scan_next(scan, &token, &why) != ERR_OK || token != XML_OPEN || !XML_IS(scan, "c") ||
        xlsx_cell_head_read(scan, head, &why) != ERR_OK)
        return false;
    while (scan->depth > 1) {
        if (xml_scan_next(scan, &token, &why) != ERR_OK)
            return false;
        if (token == XML_TEXT) {
            memcpy(text + *len, scan->text, scan->text_len);
            *len += scan->text_len;
        }
    }
    return true;
}

/* Whatever is taken at once is what would have been read token by token. */
static bool check(const char *cell, size_t cell_len)
{
    struct stream fast_stream, slow_stream;
    struct xml_scan fast, slow;
    struct xlsx_cell_head head = {.column = 99}, slow_head = {.column = 99};
    start(&fast_stream, &fast, cell, cell_len);
    bool taken = xlsx_cell_head_take(&fast, &head);
    if (taken) {
        char text[ROOM];
        size_t len;
        start(&slow_stream, &slow, cell, cell_len);
        if (!read_slowly(&slow, &slow_head, text, &len) || head.column != slow_head.column ||
            head.type != slow_head.type || head.format != slow_head.format || len != fast.text_len ||
            memcmp(text, fast.text, len) != 0 || fast.pos != slow.pos)
            fail_msg("'%.*s' is taken wrongly", (int)cell_len, cell);
        xml_scan_fini(&slow);
    } else if (head.column != 99 || fast.pos != 5) {
        fail_msg("'%.*s' is taken in part", (int)cell_len, cell);
    }
    xml_scan_fini(&fast);
    return taken;
}

static const char *const common[] = {
    "<c r=\"A1\"><v>5</v></c>",
    "<c r=\"XFD1048576\" s=\"65535\" t=\"inlineStr\"><is><t>a text &amp; more</t></is></c>",
    "<c r=\"B2\" t=\"s\"><v>0</v></c>",
    "<c r=\"AA20\" s=\"3\" t=\"n\"><v>-1.5E-7</v></c>",
    "<c r=\"C3\" t=\"str\"><v></v></c>",
    "<c r=\"C3\" t=\"b\"><v>1</v></c>",
    "<c r=\"C3\" t=\"e\"><v>#N/A</v></c>",
    "<c r=\"C3\" s=\"12\" t=\"d\"><v>2024-01-15</v></c>",
};

static const char *const uncommon[] = {
    "<c r=\"A1\"/>",
    "<c><v>5</v></c>",
    "<c r='A1'><v>5</v></c>",
    "<c r=\"1\"><v>5</v></c>",
    "<c r=\"A\"><v>5</v></c>",
    "<c r=\"a1\"><v>5</v></c>",
    "<c r=\"XFE1\"><v>5</v></c>",
    "<c r=\"AAAA1\"><v>5</v></c>",
    "<c r=\"A12345678\"><v>5</v></c>",
    "<c r=\"A1\" s=\"\"><v>5</v></c>",
    "<c r=\"A1\" s=\"123456\"><v>5</v></c>",
    "<c r=\"A1\" t=\"x\"><v>5</v></c>",
    "<c r=\"A1\" t=\"s\" s=\"1\"><v>5</v></c>",
    "<c r=\"A1\" ><v>5</v></c>",
    "<c r=\"A1\"><f>1+1</f><v>5</v></c>",
    "<c r=\"A1\"><v>5</v><v>6</v></c>",
    "<c r=\"A1\"><v>5<!-- --></v></c>",
    "<c r=\"A1\"><v><![CDATA[5]]></v></c>",
    "<c r=\"A1\"><v>5</v ></c>",
    "<c r=\"A1\"><x:v>5</x:v></c>",
    "<c r=\"A1\" t=\"inlineStr\"><v>5</v></c>",
    "<c r=\"A1\" t=\"inlineStr\"><is><t xml:space=\"preserve\">5</t></is></c>",
    "<c r=\"A1\" t=\"inlineStr\"><is><r><t>5</t></r></is></c>",
    "<cc r=\"A1\"><v>5</v></cc>",
    "text",
};

static void the_commonest_cells_are_taken_at_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        if (!check(common[i], strlen(common[i])))
            fail_msg("%s is not taken", common[i]);
}

static void other_cells_are_left_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof uncommon / sizeof *uncommon; i++)
        if (check(uncommon[i], strlen(uncommon[i])))
            fail_msg("%s is taken", uncommon[i]);
}

static void damaged_cells_are_never_taken_wrongly(void **state)
{
    (void)state;
    static const char bytes[] = "<>/\"' =:&;rstvc1A0z\n_";
    for (size_t i = 0; i < sizeof common / sizeof *common; i++) {
        char cell[ROOM];
        size_t len = strlen(common[i]);
        for (size_t at = 0; at < len * (sizeof bytes - 1); at++) {
            memcpy(cell, common[i], len);
            cell[at % len] = bytes[at / len];
            check(cell, len);
        }
        for (size_t at = 0; at < len; at++) { /* one byte is missing */
            memcpy(cell, common[i], at);
            memcpy(cell + at, common[i] + at + 1, len - at - 1);
            check(cell, len - 1);
        }
    }
}

/* Too near to the window's end: the scanner must fetch more first. */
static void a_cell_at_the_end_of_the_window_is_left_alone(void **state)
{
    (void)state;
    struct stream stream;
    struct xml_scan scan;
    struct xlsx_cell_head head;
    static const char cell[] = "<c r=\"A1\"><v>5</v></c>";
    start(&stream, &scan, cell, sizeof cell - 1);
    for (size_t end = scan.pos; end < scan.pos + 60; end++) {
        scan.end = end;
        assert_false(xlsx_cell_head_take(&scan, &head));
    }
    xml_scan_fini(&scan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_commonest_cells_are_taken_at_once),
        cmocka_unit_test(other_cells_are_left_alone),
        cmocka_unit_test(damaged_cells_are_never_taken_wrongly),
        cmocka_unit_test(a_cell_at_the_end_of_the_window_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
