#include "table/xml_scan.h"

#include "buf.h"
#include "table_text.h"

struct stream {
    const char *bytes;
    size_t left, block;
};

static enum err read_stream(void *from, void *to, size_t room, size_t *len, struct fault *why)
{
    (void)why;
    struct stream *self = from;
    *len = self->left < self->block ? self->left : self->block;
    *len = *len < room ? *len : room;
    memcpy(to, self->bytes, *len);
    self->bytes += *len;
    self->left -= *len;
    return ERR_OK;
}

static void show_token(struct xml_scan *scan, enum xml_token token, struct buf *out, struct fault *why)
{
    char text[1000];
    size_t len;
    switch (token) {
    case XML_OPEN:
        table_must(buf_printf(out, "<%.*s", (int)scan->name_len, scan->name) == ERR_OK);
        for (uint32_t i = 0; i < scan->attribute_count; i++) {
            const struct xml_attribute *attribute = &scan->attribute[i];
            table_must(buf_printf(out, " %.*s=%.*s", (int)attribute->name_len, attribute->name,
                                  (int)attribute->value_len, attribute->value) == ERR_OK);
        }
        table_must(buf_add_text(out, ">") == ERR_OK);
        break;
    case XML_CLOSE: table_must(buf_printf(out, "</%.*s>", (int)scan->name_len, scan->name) == ERR_OK); break;
    case XML_TEXT:
        table_must(scan->text_len <= sizeof text);
        why->code = xml_scan_text(scan, text, &len, why);
        table_must(why->code != ERR_OK || buf_add(out, text, len) == ERR_OK);
        break;
    case XML_END: break;
    }
}

/* All tokens as text, or "!" and the fault. */
static char *show(const char *xml, size_t block, size_t window)
{
    struct stream stream = {.bytes = xml, .left = strlen(xml), .block = block};
    struct buf out = BUF_INIT(1u << 20);
    struct fault why = {.code = ERR_OK};
    struct xml_scan scan;
    assert_int_equal(xml_scan_init(&scan, read_stream, &stream, window, &why), ERR_OK);
    for (enum xml_token token = XML_TEXT; token != XML_END && why.code == ERR_OK;) {
        if (xml_scan_next(&scan, &token, &why) == ERR_OK)
            show_token(&scan, token, &out, &why);
    }
    xml_scan_fini(&scan);
    if (why.code != ERR_OK) {
        buf_clear(&out);
        table_must(buf_printf(&out, "!%s", why.text) == ERR_OK);
    }
    table_must(buf_text(&out) != NULL);
    size_t len;
    return buf_steal(&out, &len);
}

static void check(const char *xml, const char *expected)
{
    for (size_t window = XML_WINDOW_BYTES_MIN; window < 160; window++)
        for (size_t block = 1; block < 80; block += 13) {
            char *got = show(xml, block, window);
            if (strcmp(got, expected) != 0)
                fail_msg("window %zu, block %zu: %s was read as %s, not %s", window, block, xml, got, expected);
            free(got);
        }
}

static void markup_is_read_wherever_the_window_ends(void **state)
{
    (void)state;
    check("<a/>", "<a></a>");
    check("<?xml-like encoding='UTF-7'?><a/>", "<a></a>");
    check("<?x encoding='UTF-7'?><a/>", "<a></a>");
    check("<?xml version=\"1.0\" encoding='UTF-8' ?>\n<!-- <x> -- >--><p:a xmlns:p = 'u>' b=\"/>'\"  c='\"'\n>"
          "t1<x:b x:d=''/><![CDATA[]]><![CDATA[<a>&amp;]]]]>t2<?pi <>?></p:a  >\n<!-- end -->",
          "<a p=u> b=/>' c=\">t1<b d=></b><a>&amp;]]t2</a>");
}

static void texts_are_decoded_wherever_the_window_ends(void **state)
{
    (void)state;
    check(
        "<a>0123456789012345678901234567890123456789012345678901234567890123456789&amp;&lt;&gt;&quot;&apos;&#65;&#x42;"
        "&#x1F600;\r\n\r\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC&#13;&#10;\r\r\n"
        "\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xC3\xA9]]</a>",
        "<a>0123456789012345678901234567890123456789012345678901234567890123456789&<>\"'AB\xF0\x9F\x98\x80\n\n"
        "\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\r\n\n\n"
        "\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xC3\xA9]]</a>");
}

static void what_is_wrong_is_refused(void **state)
{
    (void)state;
    check("", "!not well-formed XML at byte 0: it ends too early");
    check("<a>", "!not well-formed XML at byte 3: it ends too early");
    check("<a", "!not well-formed XML at byte 0: a tag has no end or is too long");
    check("<a></b>", "!not well-formed XML at byte 3: a wrong tag");
    check("<p:a></q:a>", "!not well-formed XML at byte 5: a wrong tag");
    check("<a/><b/>", "!not well-formed XML at byte 4: a wrong tag");
    check("</a>", "!not well-formed XML at byte 0: a wrong tag");
    check("<a b/>", "!not well-formed XML at byte 0: a wrong tag");
    check("<a b=c/>", "!not well-formed XML at byte 0: a wrong tag");
    check("<a =\"c\"/>", "!not well-formed XML at byte 0: a wrong tag");
    check("x<a/>", "!not well-formed XML at byte 1: text outside the root element");
    check("<a>&b;</a>", "!not well-formed XML at byte 3: an unknown entity or a wrong character reference");
    check("<a>&#0;</a>", "!not well-formed XML at byte 3: an unknown entity or a wrong character reference");
    check("<a>&#xD800;</a>", "!not well-formed XML at byte 3: an unknown entity or a wrong character reference");
    check("<a>&#99999999999;</a>", "!not well-formed XML at byte 3: an unknown entity or a wrong character reference");
    check("<a>\x01</a>", "!not well-formed XML at byte 3: a control character");
    check("<a>\xC3</a>", "!not well-formed XML at byte 3: it is not valid UTF-8");
    check("<a><!-- </a>", "!not well-formed XML at byte 10: a comment or instruction has no end");
    check("<a><![CDATA[ </a>", "!not well-formed XML at byte 17: a CDATA section has no end");
    check("<!DOCTYPE a><a/>", "!a document type declaration (DTD) is not allowed");
    check("<a><!ELEMENT b></a>", "!not well-formed XML at byte 3: unknown markup");
    check("<?xml version='1.0' encoding='ISO-8859-1'?><a/>", "!the part is not encoded in UTF-8");
    check("\xFF\xFE<", "!the part is not encoded in UTF-8");
}

static void limits_are_kept(void **state)
{
    (void)state;
    char deep[3 * (XML_DEPTH_MAX + 1) + 1] = "";
    for (size_t i = 0; i <= XML_DEPTH_MAX; i++)
        memcpy(deep + 3 * i, "<a>", 4);
    check(deep, "!elements are nested too deeply");
    check("<a b='0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
          "0123456789012345678901234567890123456789012345678901234567890123456789'/>",
          "!not well-formed XML at byte 0: a tag has no end or is too long");
}

static void an_element_is_skipped_whole(void **state)
{
    (void)state;
    static const char xml[] = "<a><b><b/><c>x</c></b><d/></a>";
    struct stream stream = {.bytes = xml, .left = sizeof xml - 1, .block = 7};
    struct fault why;
    struct xml_scan scan;
    enum xml_token token;
    assert_int_equal(xml_scan_init(&scan, read_stream, &stream, 0, &why), ERR_OK);
    assert_int_equal(xml_scan_next(&scan, &token, &why), ERR_OK);
    assert_int_equal(xml_scan_next(&scan, &token, &why), ERR_OK);
    assert_true(token == XML_OPEN && XML_IS(&scan, "b"));
    assert_int_equal(xml_scan_skip(&scan, &why), ERR_OK);
    assert_int_equal(xml_scan_next(&scan, &token, &why), ERR_OK);
    assert_true(token == XML_OPEN && XML_IS(&scan, "d"));
    assert_int_equal(xml_scan_skip(&scan, &why), ERR_OK);
    assert_int_equal(xml_scan_next(&scan, &token, &why), ERR_OK);
    assert_true(token == XML_CLOSE && XML_IS(&scan, "a"));
    xml_scan_fini(&scan);
}

static void a_leaf_is_taken_at_once_only_when_it_is_plain(void **state)
{
    (void)state;
    static const struct {
        const char *xml, *text; /* of <v>, NULL: no short cut */
    } cases[] = {
        {"<a><v>1&amp;</v></a>", "1&"},
        {"<a><v></v></a>", ""},
        {"<a><v x=''>1</v></a>", NULL},
        {"<a><v >1</v></a>", NULL},
        {"<a><v>1<b/></v></a>", NULL},
        {"<a><w>1</w></a>", NULL},
        {"<a><v>1</v ></a>", NULL},
        {"<a/>", NULL},
        {"<a> <v>1</v></a>", NULL},
        {"<a><v>1</", NULL},
        {"<a><v", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stream stream = {.bytes = cases[i].xml, .left = strlen(cases[i].xml), .block = 100};
        struct fault why;
        struct xml_scan scan;
        enum xml_token token;
        char text[100];
        size_t len;
        assert_int_equal(xml_scan_init(&scan, read_stream, &stream, 0, &why), ERR_OK);
        assert_int_equal(xml_scan_next(&scan, &token, &why), ERR_OK);
        assert_int_equal(XML_LEAF(&scan, "v"), cases[i].text != NULL);
        if (cases[i].text) {
            assert_int_equal(xml_scan_text(&scan, text, &len, &why), ERR_OK);
            assert_int_equal(len, strlen(cases[i].text));
            assert_memory_equal(text, cases[i].text, len);
            assert_int_equal(xml_scan_next(&scan, &token, &why), ERR_OK);
            assert_true(token == XML_CLOSE && XML_IS(&scan, "a"));
        }
        xml_scan_fini(&scan);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(markup_is_read_wherever_the_window_ends),
        cmocka_unit_test(texts_are_decoded_wherever_the_window_ends),
        cmocka_unit_test(what_is_wrong_is_refused),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(an_element_is_skipped_whole),
        cmocka_unit_test(a_leaf_is_taken_at_once_only_when_it_is_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
