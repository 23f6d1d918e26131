/* test_rql.c - Connect's query language: what parses, what matches, what is printed. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "base/rql.h"
#include "json_text.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static struct rql *parse(const char *text)
{
    struct rql *q = NULL;
    struct why why = {""};
    enum err e = rql_parse(text, strlen(text), &q, &why);
    if (e != ERR_OK)
        fail_msg("%s: %s: %s", text, err_name(e), why.text);
    return q;
}

static bool matches(const struct rql *q, struct json_object *root, const struct rql_var *vars)
{
    bool yes = false;
    assert_err(rql_match(q, root, vars, &yes), ERR_OK);
    return yes;
}

static bool holds(const char *query, struct json_object *root, const struct rql_var *vars)
{
    struct rql *q = parse(query);
    bool yes = matches(q, root, vars);
    rql_free(q);
    return yes;
}

#define assert_holds(query, root)                           \
    do {                                                    \
        if (!holds(query, root, NULL))                      \
            fail_msg("%s should hold and does not", query); \
    } while (0)
#define assert_fails(query, root)                           \
    do {                                                    \
        if (holds(query, root, NULL))                       \
            fail_msg("%s should not hold and does", query); \
    } while (0)

static void assert_all_hold(const char *const *queries, size_t n, struct json_object *root)
{
    for (size_t i = 0; i < n; i++)
        assert_holds(queries[i], root);
}

static void assert_all_fail(const char *const *queries, size_t n, struct json_object *root)
{
    for (size_t i = 0; i < n; i++)
        assert_fails(queries[i], root);
}

static struct json_object *request(void)
{
    return json("{\"id\":\"PR-1\",\"type\":\"purchase\",\"status\":\"pending\",\"note\":\"\","
                "\"reason\":null,"
                "\"answered\":false,\"created\":\"2021-04-08T06:33:56+00:00\",\"external_id\":1234,"
                "\"asset\":{\"id\":\"AS-1\",\"connection\":{\"type\":\"test\"},"
                "\"items\":[{\"id\":\"a\",\"quantity\":\"100\",\"period\":null},"
                "{\"id\":\"b\",\"quantity\":\"unlimited\"},{\"id\":\"c\",\"quantity\":8.0}],"
                "\"params\":[{\"id\":\"email\",\"value\":\"Jo@Example.com\"},"
                "{\"id\":\"subscription_id\",\"value\":\"\"},"
                "{\"id\":\"features\",\"structured_value\":{\"Long name\":true,\"other\":false}}],"
                "\"tags\":[\"red\",\"blue\"],\"none\":[],\"tiers\":{\"tier2\":{}}}}");
}

/* ----------------------------------------------------------------- wrong inputs */

static void refuses_what_is_no_query(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "a",
        "a=",
        "=a",
        "=",
        "&",
        "a=b&",
        "&a=b",
        "a=b&&c=d",
        "a=b,",
        "(",
        ")",
        "()",
        "(a=b",
        "a=b)",
        "((a=b)",
        "eq",
        "eq(",
        "eq()",
        "eq(a",
        "eq(a,",
        "eq(a,)",
        "eq(a,b",
        "eq(a,b))",
        "eq(a,b,c)",
        "eq(,b)",
        "equals(a,b)",
        "and()",
        "and(a=b)",
        "or(a=b)",
        "or(a=b,",
        "not()",
        "not(a=b,c=d)",
        "a=b|c=d",
        "a=b;c=d",
        "(a=b|c=d;e=f)",
        "(a=b,c=d|e=f)",
        "in(a,b)",
        "in(a,())",
        "in(a,(b)",
        "in(a,(b,))",
        "out(a)",
        "a=in=(b,c)",
        "a=like=*b*",
        "like(a,null())",
        "ilike(a,empty())",
        "lt(a,t(b=c))",
        "a=t()",
        "a=\"b",
        "a='b",
        "a=b c\"d\"",
        "a=b'c",
        "a=b/c",
        "a=$",
        "a=$b.",
        "a=$b c",
        "in(a,($b,$))",
        "like(a,$b)",
        "ilike(a,$object.b)",
        "a=.5",
        "a=(b)",
        "a=null(",
        "5=5",
        ".a=b",
        "a.=b",
        "a..b=c",
        "a__=b",
        "a[=b",
        "a[]=b",
        "a[b=c",
        "a[b]c=d",
        "a]=b",
        "$=b",
        "$.a=b",
        "a b=c",
        "and =ge=or",
        "and=b",
        "not=ne=b",
        "eq=1",
        "eq(in,1)",
        "in(out,(1))",
        "ordering=-created",
        "select=id",
        "gt(a,abc)",
        "a=lt=b",
        "a=ge=null()",
        "le(a,empty())",
        "gt(a,12e4)",
        "gt(a,007)",
        "gt(a,'')",
        "gt(a,2021-13-01)",
        "a=t(lt(b,many))",
        "a=\xff",
        "a=\"\xc3\"",
        "limit=",
        "limit=ten",
        "limit=-1",
        "limit=1.5",
        "limit=1000000000000000000000",
        "limit=null()",
        "lt(limit,5)",
        "limit(5)",
        "(limit=5)",
        "or(a=b,limit=5)",
        "not(offset=5)",
        "ordering",
        "ordering(",
        "ordering(a",
        "ordering(a,)",
        "ordering(--a)",
        "ordering(a=b)",
        "and(a=b,ordering(a))",
        "(select(a)|a=b)",
        "\x01",
        "a=b\x7f",
        "a=\"b\x1b\"",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct rql *q = NULL;
        struct why why = {""};
        enum err e = rql_parse(bad[i], strlen(bad[i]), &q, &why);
        if (e != ERR_SYNTAX || q != NULL || strncmp(why.text, "column ", 7) != 0)
            fail_msg("%s: %s (%s)", bad[i], err_name(e), why.text);
    }
    struct rql *q = NULL;
    assert_err(rql_parse("a=b\0c", 5, &q, NULL), ERR_SYNTAX);
    assert_null(q);
}

static void refuses_what_is_given_twice(void **state)
{
    (void)state;
    static const char *const bad[] = {"limit=1&limit=2", "offset=1&a=b&offset=1",
                                      "ordering(a)&ordering(b)", "select(a),select(b)"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct rql *q = NULL;
        assert_err(rql_parse(bad[i], strlen(bad[i]), &q, NULL), ERR_DUPLICATE);
    }
}

static void says_where_and_what_to_do(void **state)
{
    (void)state;
    static const struct {
        const char *query, *column, *hint;
    } cases[] = {
        {"eq(a,b)&status=", "column 16:", "value"},
        {"a=b|c=d", "column 4:", "(a|b)"},
        {"a=b&frob(c,d)", "column 5:", "frob"},
        {"in(a,b)", "column 6:", "in(field,(a,b))"},
        {"a=like=b", "column 8:", "like(a,"},
        {"and(eq(a,),eq(b,c))", "column 10:", "empty()"},
        {"url=http://x", "column 10:", "quotes"},
        {"eq(url,/x)", "column 8:", "quotes"},
        {"status=pending and =ge=or", "column 20:", "quotes"},
        {"x=1&and =ge=or", "column 5:", "and is an operator"},
        {"x=1&gt(items.quantity, unlimited)", "column 24:", "neither"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rql *q = NULL;
        struct why why = {""};
        assert_err(rql_parse(cases[i].query, strlen(cases[i].query), &q, &why), ERR_SYNTAX);
        if (strstr(why.text, cases[i].column) != why.text ||
            strstr(why.text, cases[i].hint) == NULL)
            fail_msg("%s: %s", cases[i].query, why.text);
    }
}

/* `open`, n times, then `middle`, then `close`, n times. Owned. */
static char *nested(const char *open, const char *middle, const char *close, int n)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < n; i++)
        buf_addstr(&b, open);
    buf_addstr(&b, middle);
    for (int i = 0; i < n; i++)
        buf_addstr(&b, close);
    return buf_steal(&b);
}

static void refuses_hostile_depth(void **state)
{
    (void)state;
    static const char *const open[] = {"(", "not(", "and(a=b,", "or(", "a=t("};
    for (size_t i = 0; i < COUNT(open); i++) {
        struct rql *q = NULL;
        char *text = nested(open[i], "a=b", ")", RQL_DEPTH_MAX + 1);
        assert_err(rql_parse(text, strlen(text), &q, NULL), ERR_TOO_DEEP);
        free(text);
        text = nested(open[i], "", "", 1500);
        assert_err(rql_parse(text, strlen(text), &q, NULL), ERR_TOO_DEEP);
        free(text);
    }
    char *text = nested("not(", "a=b", ")", RQL_DEPTH_MAX);
    struct json_object *o = json("{\"a\":\"b\"}");
    assert_holds(text, o);
    json_object_put(o);
    free(text);
}

static void refuses_hostile_size(void **state)
{
    (void)state;
    struct rql *q = NULL;
    char *text = nested("a=b&", "a=b", "", RQL_NODES_MAX);
    assert_err(rql_parse(text, strlen(text), &q, NULL), ERR_TOO_BIG);
    free(text);
    text = nested("b,", "b", "", RQL_NODES_MAX);
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_printf(&b, "in(a,(%s))", text);
    assert_err(rql_parse(b.data, b.len, &q, NULL), ERR_TOO_BIG);
    buf_reset(&b);
    buf_printf(&b, "ordering(%s)", text);
    assert_err(rql_parse(b.data, b.len, &q, NULL), ERR_TOO_BIG);
    buf_free(&b);
    free(text);
    text = nested("", "a=b", " ", RQL_LEN_MAX);
    assert_err(rql_parse(text, strlen(text), &q, NULL), ERR_TOO_BIG);
    assert_err(rql_parse_url(text, strlen(text), &q, NULL), ERR_TOO_BIG);
    assert_err(rql_parse(text, RQL_LEN_MAX, &q, NULL), ERR_OK);
    rql_free(q);
    free(text);
    text = nested("", "a=b", "c", RQL_KEY_MAX); /* a long value is fine, a long key is not */
    rql_free(parse(text));
    free(text);
    text = nested("k", "=b", "", RQL_KEY_MAX);
    assert_err(rql_parse(text, strlen(text), &q, NULL), ERR_SYNTAX);
    free(text);
}

static void refuses_bad_percent_encoding(void **state)
{
    (void)state;
    static const char *const bad[] = {"a=%", "a=%4", "a=%zz", "a=%4g", "a=b%00", "%61%3D", "a=%0"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct rql *q = NULL;
        assert_err(rql_parse_url(bad[i], strlen(bad[i]), &q, NULL), ERR_SYNTAX);
    }
}

/* --------------------------------------------------------------------- matching */

static void matches_everything_when_empty(void **state)
{
    (void)state;
    struct json_object *o = request();
    static const char *const yes[] = {"", "  ", "limit=5", "ordering(-created)&offset=3"};
    assert_all_hold(yes, COUNT(yes), o);
    json_object_put(o);
}

static void reads_every_form_of_equality(void **state)
{
    (void)state;
    struct json_object *o = request();
    static const char *const yes[] = {
        "status=pending",
        "status=eq=pending",
        "eq(status,pending)",
        "eq(status,\"pending\")",
        "eq(status,'pending')",
        "status=\"pending\"",
        " eq ( status , pending ) ",
        "eq(\n  status,\n  pending\n)",
        "asset.connection.type=test",
        "asset__connection__type=test",
        "status=ne=failed",
        "ne(status,failed)",
        "answered=false",
        "type=purchase&status=pending",
        "type=purchase,status=pending",
        "(type=purchase,status=pending)",
        "((type=purchase)&(status=pending))",
        "and(eq(type,purchase),eq(status,pending),ne(id,eq))",
        "(type=change|type=purchase)",
        "(type=change;type=purchase)",
        "or(type=change,type=purchase)",
        "status=pending&(type=change|type=purchase)",
        "(type=change|type=purchase&status=pending)",
        "not(type=change)",
        "not(or(type=change,type=cancel))",
        "not((type=change|type=cancel))",
        "in(type,(change,purchase))",
        "in(type,(purchase))",
        "out(type,(change,cancel))",
        "t(type=purchase,status=pending)",
    };
    static const char *const no[] = {
        "status=Pending",
        "status=pendin",
        "status=pending1",
        "type=purchase&status=failed",
        "and(type=change,status=pending)",
        "(type=change|type=cancel)",
        "not(type=purchase)",
        "in(type,(change,cancel))",
        "out(type,(change,purchase))",
        "ne(status,pending)",
        "status=ne=pending",
        "t(type=purchase,status=failed)",
        "(type=change|type=purchase&status=failed)",
    };
    assert_all_hold(yes, COUNT(yes), o);
    assert_all_fail(no, COUNT(no), o);
    json_object_put(o);
}

static void tells_null_from_empty(void **state)
{
    (void)state;
    struct json_object *o = request();
    static const char *const yes[] = {
        "reason=null()",
        "nothing=null()",
        "asset.nothing.at.all=null()",
        "note=empty()",
        "asset.tiers.tier2=empty()",
        "asset.none=empty()",
        "ne(note,null())",
        "ne(reason,empty())",
        "in(reason,(null(),empty()))",
        "in(note,(null(),empty()))",
        "out(status,(null(),empty()))",
        "asset.none.id=null()",
        "eq(note,\"\")",
        "ne(reason,x)",
        "asset.items.period=null()",
        "asset.params[nobody].value=null()",
        "id.below.a.text=null()",
    };
    static const char *const no[] = {
        "note=null()",        "reason=empty()", "asset.tiers.tier2=null()",
        "asset=null()",       "asset=empty()",  "eq(reason,\"null()\")",
        "lt(reason,5)",       "ge(nothing,-1)", "gt(note,0)",
        "like(reason,*)",     "nothing=x",      "eq(asset.params[nobody].value,empty())",
        "asset.items=null()",
    };
    assert_all_hold(yes, COUNT(yes), o);
    assert_all_fail(no, COUNT(no), o);
    json_object_put(o);
}

static void goes_through_arrays(void **state)
{
    (void)state;
    struct json_object *o = request();
    static const char *const yes[] = {
        "asset.items.id=b",
        "asset.items.quantity=unlimited",
        "asset.tags=blue",
        "in(asset.tags,(green,red))",
        "out(asset.tags,(green,black))",
        "ne(asset.tags,green)",
        "not(asset.tags=green)",
        "asset.params[email].value=Jo@Example.com",
        "asset.params[subscription_id].value=empty()",
        "asset.params.id=email&asset.params.value=empty()",
        "asset.params[features].structured_value[Long name]=true",
        "asset.params[features].structured_value.other=false",
        "asset.params=t(id=subscription_id,value=empty())",
        "eq(asset.items,t(id=c,gt(quantity,5)))",
        "ne(asset.params,t(id=email,value=empty()))",
        "asset=t(id=AS-1,connection=t(type=test))",
        "asset.items[a].quantity=100",
        "asset[id]=AS-1",
    };
    static const char *const no[] = {
        "asset.items.id=d",
        "ne(asset.tags,red)",    /* one element is equal: "not any", not "any is not" */
        "out(asset.tags,(red))", /* the same */
        "asset.params[email].value=empty()",
        "asset.params=t(id=email,value=empty())",
        "ne(asset.params,t(id=subscription_id,value=empty()))",
        "asset.tags=t(id=red)",
        "asset.items[d].quantity=100",
        "asset.params[features].structured_value=true",
    };
    assert_all_hold(yes, COUNT(yes), o);
    assert_all_fail(no, COUNT(no), o);
    json_object_put(o);
}

static void compares_numbers_as_numbers(void **state)
{
    (void)state;
    struct json_object *o = json(
        "{\"n\":100,\"s\":\"100\",\"d\":8.0,\"tenth\":0.1,\"big\":\"12345678901234567890\",\"max\":"
        "18446744073709551615,\"min\":-9223372036854775808,\"zip\":\"00123\",\"phone\":\"+34600\","
        "\"huge\":1e300,\"minus\":\"-5\",\"zero\":\"-0.0\",\"hex\":\"12e4\",\"word\":\"abc\","
        "\"long\":"
        "1234567890123456789012345,\"fine\":0.12345678901234567891}");
    static const char *const yes[] = {
        "n=100",
        "n=100.0",
        "s=100.00",
        "gt(s,99)",
        "lt(n,1000)",
        "gt(n,9)",
        "le(s,100)",
        "ge(s,100)",
        "d=8",
        "lt(d,8.5)",
        "tenth=0.1",
        "gt(tenth,0.05)",
        "lt(minus,-4.5)",
        "lt(minus,3)",
        "gt(minus,-5.01)",
        "zero=0",
        "le(zero,0)",
        "ge(zero,0)",
        "big=12345678901234567890",
        "ne(big,12345678901234567891)",
        "lt(big,12345678901234567891)",
        "max=18446744073709551615",
        "long=1234567890123456789012345",
        "lt(long,1234567890123456789012346)",
        "fine=0.12345678901234567891",
        "min=-9223372036854775808",
        "ne(zip,123)",
        "zip=00123",
        "eq(phone,+34600)",
        "ne(phone,34600)",
        "gt(huge,5)",
        "ne(hex,120000)",
    };
    static const char *const no[] = {"gt(s,100)",
                                     "lt(s,100)",
                                     "lt(n,9)",
                                     "lt(d,8)",
                                     "n=10",
                                     "n=1000",
                                     "minus=5",
                                     "gt(minus,-5)",
                                     "lt(zero,0)",
                                     "lt(huge,5)",
                                     "lt(s,99)",
                                     "max=18446744073709551614",
                                     "long=1234567890123456789012346",
                                     "fine=0.1234567890123456789"};
    assert_all_hold(yes, COUNT(yes), o);
    assert_all_fail(no, COUNT(no), o);
    json_object_put(o);
}

static void compares_times_as_instants(void **state)
{
    (void)state;
    struct json_object *o = json("{\"t\":\"2021-04-08T06:33:56+00:00\",\"d\":\"2021-04-08\"}");
    static const char *const yes[] = {
        "t=2021-04-08T06:33:56Z",
        "t=2021-04-08T09:33:56+03:00",
        "eq(t,'2021-04-08 06:33:56')",
        "eq(t,2021-04-08 06:33:56.000000+00:00)",
        "ge(t,2021-04-08)",
        "lt(t,2021-04-09)",
        "gt(t,2021-04-08T09:00:00+03:00)",
        "d=2021-04-08T00:00:00Z",
    };
    static const char *const no[] = {"gt(t,2021-04-08T06:33:56Z)", "lt(t,2021-04-08T06:33:56.000Z)",
                                     "t=2021-04-08", "gt(t,2021-04-08T09:33:56+02:00)"};
    assert_all_hold(yes, COUNT(yes), o);
    assert_all_fail(no, COUNT(no), o);
    json_object_put(o);
}

/* "unlimited" is neither more nor less than 100, whichever way round one asks. */
static void orders_nothing_but_numbers_and_times(void **state)
{
    (void)state;
    struct json_object *o = json(
        "{\"seats\":\"unlimited\",\"n\":5,\"time\":\"2021-04-08T06:33:56Z\",\"zip\":\"00123\","
        "\"yes\":true,\"none\":null,\"tree\":{\"a\":1},\"abc\":\"abc\",\"abd\":\"abd\"}");
    static const char *const no[] = {
        "gt(seats,100)",
        "lt(seats,100)",
        "ge(seats,100)",
        "le(seats,100)",
        "gt(time,5)",
        "lt(time,5)",
        "gt(n,2021-01-01)",
        "lt(n,2021-01-01)",
        "gt(zip,100)",
        "lt(zip,200)",
        "gt(yes,0)",
        "lt(yes,2)",
        "ge(none,0)",
        "le(none,0)",
        "gt(tree,0)",
        "le(missing,0)",
        "gt(abd,$object.abc)",
        "lt(abc,$object.abd)",
        "lt(n,$object.seats)",
        "gt(n,$object.seats)",
        "ge(none,$object.none)",
        "le(seats,$object.seats)",
    };
    assert_all_fail(no, COUNT(no), o);
    json_object_put(o);
}

static void compares_with_paths(void **state)
{
    (void)state;
    struct json_object *o = json(
        "{\"a\":\"x\",\"b\":\"x\",\"c\":\"y\",\"n\":\"10\",\"m\":9,\"list\":[\"z\",\"x\"],\"no\":"
        "null,"
        "\"old\":\"2021-04-08T06:33:56Z\",\"new\":\"2021-04-08T06:33:57+00:00\",\"e\":[],\"f\":{},"
        "\"text\":\"$object.a\"}");
    struct json_object *event = json("{\"a\":\"x\",\"n\":3}");
    const struct rql_var vars[] = {{"event", event}, {NULL, NULL}};
    static const char *const yes[] = {
        "a=$object.b",
        "eq($object.a,$object.b)",
        "ne(a,$object.c)",
        "gt(n,$object.m)",
        "m=lt=$object.n",
        "gt(new,$object.old)",
        "in(a,(q,$object.c,$object.b))",
        "a=$object.list",
        "list=$object.a",
        "out(c,($object.a,$object.list))",
        "no=$object.missing",
        "e=$object.f",
        "a=$event.a",
        "gt(m,$event.n)",
        "$event.a=$object.a",
        "text='$object.a'",
        "text=\"$object.a\"",
        "ne(text,$object.a)",
        "list=$object.list",
        "not(gt(m,$object.n))",
        "ne($event,$object)",
    };
    static const char *const no[] = {
        "a=$object.c",         "a=$object.no",      "gt(m,$object.n)",
        "lt(new,$object.old)", "ne(a,$object.b)",   "text=$object.a",
        "a=$nobody.a",         "a=$object.missing", "out(a,($object.list))",
    };
    for (size_t i = 0; i < COUNT(yes); i++)
        if (!holds(yes[i], o, vars))
            fail_msg("%s should hold and does not", yes[i]);
    for (size_t i = 0; i < COUNT(no); i++)
        if (holds(no[i], o, vars))
            fail_msg("%s should not hold and does", no[i]);
    json_object_put(event);
    json_object_put(o);
}

/* What a vendor asks of a change: did any item grow? */
static void compares_within_the_same_element(void **state)
{
    (void)state;
    struct json_object *o = json(
        "{\"items\":[{\"id\":\"a\",\"quantity\":\"5\",\"old_quantity\":\"5\"},"
        "{\"id\":\"b\",\"quantity\":\"2\",\"old_quantity\":\"8\",\"limits\":[{\"now\":1,\"was\":1},"
        "{\"now\":7,\"was\":9}]},"
        "{\"id\":\"c\",\"quantity\":\"unlimited\",\"old_quantity\":\"9\"}],"
        "\"asset\":{\"params\":[{\"id\":\"x.y\",\"value\":\"3\"},{\"id\":\"x.z\",\"value\":\"4\"}]}"
        ","
        "\"limit\":\"5\",\"max\":4}");
    static const char *const yes[] = {
        "lt(items.quantity,$object.items.old_quantity)",
        "eq(items.quantity,$object.items.old_quantity)",
        "lt(items[b].quantity,$object.items[b].old_quantity)",
        "lt(items[b].quantity,$object.items[a].quantity)",
        "gt(items[a].quantity,$object.items[b].quantity)",
        "items=t(id=b,lt(quantity,$object.items.old_quantity))",
        "items=t(id=a,quantity=$object.limit)",
        "items=t(id=a,gt(quantity,$object.max))",
        "items=t(id=a,quantity=$object.items[a].old_quantity)",
        "gt(asset.params[x.z].value,$object.asset.params[x.y].value)",
        "lt(items.limits.now,$object.items.limits.was)",
        "items=t(id=b,limits=t(now=7,lt(now,$object.items.limits.was)))",
        "ge(items.quantity,$object.limit)",
    };
    static const char *const no[] = {
        "gt(items.quantity,$object.items.old_quantity)", /* 8 and 9 are of other items */
        "gt(items.limits.now,$object.items.limits.was)",
        "items=t(id=a,lt(quantity,$object.items.old_quantity))",
        "items=t(id=b,quantity=$object.limit)",
        "gt(asset.params[x.y].value,$object.asset.params[x.z].value)",
        "items=t(id=b,limits=t(now=1,lt(now,$object.items.limits.was)))",
        "not(lt(items.quantity,$object.items.old_quantity))",
        "gt(items[nobody].quantity,$object.items[nobody].old_quantity)",
    };
    assert_all_hold(yes, COUNT(yes), o);
    assert_all_fail(no, COUNT(no), o);
    json_object_put(o);
}

static void folds_case_in_every_script(void **state)
{
    (void)state;
    struct json_object *o = json(
        "{\"de\":\"M\u00fcller Stra\u00dfe\",\"gr\":\"\u039f\u03b4\u03cc\u03c2\",\"ru\":"
        "\"\u041c\u043e\u0441\u043a\u0432\u0430\",\"nfd\":\"Rene\u0301\",\"tr\":\"\u0130\"}");
    static const char *const yes[] = {
        "ilike(de,MÜLLER STRASSE)", "ilike(de,*straße)", "ilike(de,*ÜLL*)", "ilike(de,mü*)",
        "ilike(gr,ΟΔΌΣ)",           "ilike(ru,*осК*)",   "ilike(nfd,RENÉ)", "search=МОСКВА",
        "search=STRASSE",           "like(de,M*Straße)",
    };
    static const char *const no[] = {
        "like(de,m*)", "like(de,*ÜLL*)", "ilike(de,*strase)", "ilike(ru,*Х*)", "ilike(tr,i)",
    };
    assert_all_hold(yes, COUNT(yes), o);
    assert_all_fail(no, COUNT(no), o);
    json_object_put(o);
}

static void matches_patterns(void **state)
{
    (void)state;
    struct json_object *o = json(
        "{\"s\":\"Purchase of 5* at 100%\",\"e\":\"\",\"a\":\"abcabc\",\"n\":100}");
    static const char *const yes[] = {
        "like(s,Purchase*)",  "like(s,'*100%*')", "like(s,\"*100%\")",     "like(s,*of*at*)",
        "like(s,*)",          "like(s,**)",       "ilike(s,purchase*AT*)", "like(s,*5\\* at*)",
        "like(e,*)",          "like(a,abc*abc)",  "like(a,a*b*c)",         "like(a,*a*b*c*a*b*c*)",
        "like(a,abcabc)",     "ilike(a,ABCABC)",  "ilike(a,*CAB*)",        "like(n,1*)",
        "ilike(s,*OF 5\\**)",
    };
    static const char *const no[] = {
        "like(s,purchase*)", "like(s,*of)",   "like(a,abc)",       "like(a,abcabcabc*)",
        "like(a,*abcd*)",    "like(e,*a*)",   "like(a,abca*cabc)", "like(a,*c*c*c*)",
        "like(s,*at\\**)",   "ilike(a,*AC*)", "like(s,abc\\*)",
    };
    assert_all_hold(yes, COUNT(yes), o);
    assert_all_fail(no, COUNT(no), o);
    json_object_put(o);
}

static void is_quick_on_a_hostile_pattern(void **state)
{
    (void)state;
    char *text = nested("a", "", "", 200000), *pattern = nested("*a", "*b", "", 4000);
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "s", json_object_new_string(text));
    struct buf b;
    buf_init(&b, RQL_LEN_MAX);
    buf_printf(&b, "like(s,%s)", pattern);
    assert_fails(b.data, o);
    buf_reset(&b);
    buf_printf(&b, "ilike(s,%s)", pattern);
    assert_fails(b.data, o);
    buf_free(&b);
    json_object_put(o);
    free(pattern);
    free(text);
}

static void searches_every_text(void **state)
{
    (void)state;
    struct json_object *o = request();
    static const char *const yes[] = {"search=example.COM", "search=AS-1", "like(search,*Example*)",
                                      "ilike(search,AS-1)", "status=pending&search=unlimit"};
    static const char *const no[] = {"search=nobody", "like(search,*example*)", "like(search,AS)",
                                     "search=connection"};
    assert_all_hold(yes, COUNT(yes), o);
    assert_all_fail(no, COUNT(no), o);
    json_object_put(o);
}

static void reads_variables(void **state)
{
    (void)state;
    struct json_object *o = request(), *event = json("{\"data\":{\"region\":\"eu\"}}");
    struct json_object *attempt = json_object_new_int(3);
    const struct rql_var vars[] = {
        {"event", event}, {"attempt", attempt}, {"none", NULL}, {NULL, NULL}};
    assert_true(holds("$event.data.region=eu", o, vars));
    assert_true(holds("gt($attempt,2)", o, vars));
    assert_true(holds("$none.x=null()&$other.x=null()&$none=null()", o, vars));
    assert_true(holds("asset=t($event.data.region=eu)", o, vars));
    assert_false(holds("$event.data.region=us", o, vars));
    assert_true(holds("$event.data.region=null()", o, NULL));
    assert_string_equal(json_object_get_string(rql_lookup("$event.data.region", o, vars)), "eu");
    assert_ptr_equal(rql_lookup("$attempt", o, vars), attempt);
    assert_null(rql_lookup("$event.nothing", o, vars));
    json_object_put(attempt);
    json_object_put(event);
    json_object_put(o);
}

static void looks_values_up(void **state)
{
    (void)state;
    struct json_object *o = request();
    assert_string_equal(json_object_get_string(rql_lookup("asset.params[email].value", o, NULL)),
                        "Jo@Example.com");
    assert_string_equal(json_object_get_string(rql_lookup("asset.items.id", o, NULL)), "a");
    assert_true(json_object_is_type(rql_lookup("asset.items", o, NULL), json_type_array));
    assert_null(rql_lookup("reason", o, NULL));
    assert_null(rql_lookup("asset.nothing", o, NULL));
    assert_null(rql_lookup("", o, NULL));
    assert_null(rql_lookup("asset.", o, NULL));
    assert_null(rql_lookup("asset.params[email", o, NULL));
    assert_null(rql_lookup("id", NULL, NULL));
    json_object_put(o);
}

static bool add_path(void *ctx, const char *path)
{
    buf_printf(ctx, "%s ", path);
    return strcmp(path, "stop") != 0;
}

static void names_the_paths_of_a_filter(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    struct rql *q = parse("ordering(z)&a__b=1&or(c=$w.z,not(d=2))&in(e,(1,$u))&p=t(id=x,$v.y=1)&"
                          "stop=1&never=1&limit=1");
    rql_each_path(q, add_path, &b);
    assert_string_equal(b.data, "a.b c $w.z d e $u p $v.y stop ");
    rql_free(q);
    buf_free(&b);
}

/* ---------------------------------------------------------------- the rest of it */

static void reads_order_and_page(void **state)
{
    (void)state;
    struct rql *q = parse("select(-asset.params,+id)&status=pending&ordering(-created,+asset__id)"
                          "&limit=10&eq(offset,5)");
    assert_int_equal(rql_limit(q, 7), 10);
    assert_int_equal(rql_offset(q, 7), 5);
    assert_string_equal(rql_ordering(q, 0), "-created");
    assert_string_equal(rql_ordering(q, 1), "asset.id");
    assert_null(rql_ordering(q, 2));
    assert_string_equal(rql_select(q, 0), "-asset.params");
    assert_string_equal(rql_select(q, 1), "id");
    assert_null(rql_select(q, 2));
    rql_free(q);
    q = parse("ordering()&limit=0");
    assert_int_equal(rql_limit(q, 7), 0);
    assert_int_equal(rql_offset(q, 7), 7);
    assert_null(rql_ordering(q, 0));
    rql_free(q);
    rql_free(NULL);
}

static void orders_documents(void **state)
{
    (void)state;
    struct json_object *a = json("{\"c\":\"2021-01-01T00:00:00+02:00\",\"n\":\"9\",\"x\":1}");
    struct json_object *b = json("{\"c\":\"2020-12-31T23:00:00Z\",\"n\":10}");
    struct rql *q = parse("ordering(c)");
    assert_true(rql_compare(q, a, b) < 0);
    assert_true(rql_compare(q, b, a) > 0);
    rql_free(q);
    q = parse("ordering(-n)");
    assert_true(rql_compare(q, a, b) > 0);
    rql_free(q);
    q = parse("ordering(x,n)"); /* missing is least */
    assert_true(rql_compare(q, b, a) < 0);
    rql_free(q);
    q = parse("ordering(y,n)");
    assert_true(rql_compare(q, a, b) < 0);
    assert_int_equal(rql_compare(q, a, a), 0);
    rql_free(q);
    q = parse("a=b");
    assert_int_equal(rql_compare(q, a, b), 0);
    rql_free(q);
    json_object_put(a);
    json_object_put(b);
}

static char *printed(const struct rql *q)
{
    struct buf b;
    buf_init(&b, 4 * RQL_LEN_MAX);
    assert_err(rql_print(&b, q), ERR_OK);
    return buf_steal(&b);
}

static void prints_one_form_for_all(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"", ""},
        {"a=b", "eq(a,b)"},
        {" a =  b c ", "eq(a,\"b c\")"},
        {"a=ge=5,b=c", "and(ge(a,5),eq(b,c))"},
        {"(a=1|b=2&c=3)", "or(eq(a,1),and(eq(b,2),eq(c,3)))"},
        {"not((a__b=1;c=2))", "not(or(eq(a.b,1),eq(c,2)))"},
        {"in(a,(b,\"c,d\",null(),empty(),'null()'))",
         "in(a,(b,\"c,d\",null(),empty(),\"null()\"))"},
        {"limit=5&a='x\"y'&ordering(-b,+c)&offset=0&select(d)",
         "select(d)&eq(a,'x\"y')&ordering(-b,c)&limit=5&offset=0"},
        {"like(a,*b\\*c**)", "like(a,*b\\*c**)"},
        {"ilike(a,\"b c*\")", "ilike(a,\"b c*\")"},
        {"a=t(id=x,v=1)", "eq(a,t(eq(id,x),eq(v,1)))"},
        {"ne(a,t(id=x))", "not(eq(a,t(eq(id,x))))"},
        {"limit=1", "limit=1"},
        {"a[x y].b=1", "eq(a[x y].b,1)"},
        {"a=\"\"", "eq(a,\"\")"},
        {"a='.5'", "eq(a,\".5\")"},
        {"a=$object.b__c[d.e]", "eq(a,$object.b.c[d.e])"},
        {"in(a,($b,'$b'))", "in(a,($b,\"$b\"))"},
        {"ilike(a,*ÉT\\*)", "ilike(a,\"*ét\\*\")"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rql *q = parse(cases[i].from);
        char *text = printed(q);
        assert_string_equal(text, cases[i].to);
        free(text);
        rql_free(q);
    }
}

static void prints_what_pages_have_in_common(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"", ""},
        {"limit=5&offset=10", ""},
        {"select(d)&limit=5", ""},
        {"a=b&limit=5", "eq(a,b)"},
        {"offset=10&ordering(-b,c)&a=b&select(d)&limit=5", "eq(a,b)&ordering(-b,c)"},
        {"ordering(b)&limit=0", "ordering(b)"},
        {"a='limit=5'&offset=0", "eq(a,\"limit=5\")"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rql *q = parse(cases[i].from);
        struct buf b;
        buf_init(&b, RQL_LEN_MAX);
        assert_err(rql_print_list(&b, q), ERR_OK);
        assert_string_equal(b.data, cases[i].to);
        buf_free(&b);
        rql_free(q);
    }
}

/* A random query, from a seed: a small grammar turned the other way round. */
static unsigned next(unsigned *seed, unsigned n)
{
    *seed = *seed * 1103515245U + 12345U;
    return (*seed >> 16) % n;
}

static void make_query(struct buf *b, unsigned *seed, int depth)
{
    static const char *const paths[] = {"a", "b.c", "b__d", "e[x].f", "$v.g", "search", "equal"};
    static const char *const values[] = {
        "1",        "x",     "\"a b\"", "'q\"q'",  "null()",
        "empty()",  "-5.50", "and",     "'(x,y)'", "2021-01-01T00:00:00+01:00",
        "\"it's\"", "\\",    "*x*",     "$v.g",    "$object.e[x].f"};
    static const char *const ordered[] = {"1", "-5.50", "2021-01-01T00:00:00+01:00", "$object.b.c"};
    static const char *const orders[] = {"lt", "le", "gt", "ge"};
    static const char *const patterns[] = {"*", "*a*", "x\\*y*", "'a b*'", "plain", "\\\\*"};
    const char *path = paths[next(seed, COUNT(paths))];
    switch (next(seed, depth > 0 ? 9 : 4)) {
    case 0:
        if (next(seed, 2))
            buf_printf(b, "%s(%s,%s)", next(seed, 2) ? "eq" : "ne", path,
                       values[next(seed, COUNT(values))]);
        else
            buf_printf(b, "%s(%s,%s)", orders[next(seed, COUNT(orders))], path,
                       ordered[next(seed, COUNT(ordered))]);
        break;
    case 1:
        buf_printf(b, "%s=%s", path, values[next(seed, COUNT(values))]);
        break;
    case 2:
        buf_printf(b, "%s(%s,%s)", next(seed, 2) ? "like" : "ilike", path,
                   patterns[next(seed, COUNT(patterns))]);
        break;
    case 3:
        buf_printf(b, "%s(%s,(%s,%s))", next(seed, 2) ? "in" : "out", path,
                   values[next(seed, COUNT(values))], values[next(seed, COUNT(values))]);
        break;
    case 4:
        buf_addstr(b, "not(");
        make_query(b, seed, depth - 1);
        buf_addc(b, ')');
        break;
    case 5:
        buf_printf(b, "%s%s=t(", path, next(seed, 2) ? "" : "=ne");
        make_query(b, seed, depth - 1);
        buf_addc(b, ')');
        break;
    default: {
        static const char *const open[] = {"and(", "or(", "(", "(", "("};
        static const char *const separators[] = {",", ",", "|", ";", "&"};
        unsigned form = next(seed, COUNT(open));
        buf_addstr(b, open[form]);
        make_query(b, seed, depth - 1);
        buf_addstr(b, separators[form]);
        make_query(b, seed, depth - 1);
        buf_addc(b, ')');
    }
    }
}

static void prints_what_parses_to_the_same(void **state)
{
    (void)state;
    unsigned seed = 20261124;
    struct buf b;
    buf_init(&b, RQL_LEN_MAX);
    struct json_object *o = json(
        "{\"a\":\"x\",\"b\":{\"c\":[1,2],\"d\":\"a b\"},\"e\":[{\"id\":\"x\","
        "\"f\":\"2021-01-01\"}],\"equal\":null}");
    for (int i = 0; i < 5000; i++) {
        buf_reset(&b);
        make_query(&b, &seed, 4);
        struct rql *once = parse(b.data);
        char *first = printed(once);
        struct rql *again = parse(first);
        char *second = printed(again);
        assert_string_equal(first, second);
        assert_int_equal(matches(once, o, NULL), matches(again, o, NULL));
        free(first);
        free(second);
        rql_free(once);
        rql_free(again);
    }
    json_object_put(o);
    buf_free(&b);
}

/* Every prefix and every changed byte of good queries either parses or is refused, no more. */
static void survives_mutilation(void **state)
{
    (void)state;
    static const char *const good[] = {
        "select(-a)&and(eq(a__b,\"x,y\"),or(like(c,*d\\**),not(in(e[f],(g,null())))))&ordering(-z)"
        "&limit=5",
        "(a=ge=5|b=t(id=x,v=empty());c='q')",
    };
    static const char bytes[] = "(),&|;=\"'*\\[]$._-t \x80";
    for (size_t g = 0; g < COUNT(good); g++) {
        size_t len = strlen(good[g]);
        for (size_t cut = 0; cut < len; cut++) {
            struct rql *q = NULL;
            if (rql_parse(good[g], cut, &q, NULL) == ERR_OK)
                rql_free(q);
        }
        char *copy = strdup(good[g]);
        for (size_t at = 0; at < len; at++) {
            for (size_t i = 0; i < sizeof bytes; i++) {
                copy[at] = bytes[i];
                struct rql *q = NULL;
                if (rql_parse(copy, len, &q, NULL) == ERR_OK) {
                    free(printed(q));
                    rql_free(q);
                }
            }
            copy[at] = good[g][at];
        }
        free(copy);
    }
}

static void decodes_a_query_that_is_encoded_as_a_whole(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"%28eq%28product.id%2CPRD-000-000-000%29%26eq%28status%2Cpending%29%29%26limit%3D2%"
         "26offset"
         "%3D0",
         "and(eq(product.id,PRD-000-000-000),eq(status,pending))&limit=2&offset=0"},
        {"created=ge=2021-05-27T12:54:03+03:00", "ge(created,2021-05-27T12:54:03+03:00)"},
        {"created=ge=2021-05-27T12:54:03%2B03:00", "ge(created,2021-05-27T12:54:03+03:00)"},
        {"name=a%20b", "eq(name,\"a b\")"},
        {"name=%22a%26b%22", "eq(name,\"a&b\")"},
        {"name=\"100%25\"", "eq(name,\"100%\")"},
        {"", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rql *q = NULL;
        assert_err(rql_parse_url(cases[i].from, strlen(cases[i].from), &q, NULL), ERR_OK);
        char *text = printed(q);
        assert_string_equal(text, cases[i].to);
        free(text);
        rql_free(q);
    }
}

static void writes_values_that_read_back(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    assert_err(rql_add_value(&b, "a\nb"), ERR_INVALID);
    assert_err(rql_add_value(&b, "a\x7f"), ERR_INVALID);
    assert_err(rql_add_value(&b, "both ' and \""), ERR_INVALID);
    assert_int_equal(b.len, 0);
    static const char *const values[] = {
        "PRD-578-226-824",
        "a b",
        "a,b&c=(d)|e;f",
        "it's",
        "say \"x\"",
        "100%",
        "50%25",
        "null()",
        "empty()",
        "+34 600",
        "-",
        ".hidden",
        "\\",
        "*",
        "\xc3\xa9t\xc3\xa9",
        "a/b?c#d",
        " lead",
        "t(",
        "2021-05-27T12:54:03+03:00",
    };
    for (size_t i = 0; i < COUNT(values); i++) {
        buf_reset(&b);
        buf_addstr(&b, "v=");
        assert_err(rql_add_value(&b, values[i]), ERR_OK);
        assert_int_equal(strcspn(b.data, " \"'&|;()%#?/") < b.len,
                         strchr(b.data, '%') != NULL); /* only '%' itself is left of those */
        struct rql *q = NULL;
        assert_err(rql_parse_url(b.data, b.len, &q, NULL), ERR_OK);
        struct json_object *o = json_object_new_object();
        json_object_object_add(o, "v", json_object_new_string(values[i]));
        assert_true(matches(q, o, NULL));
        json_object_object_add(o, "v", json_object_new_string("other"));
        assert_false(matches(q, o, NULL));
        json_object_put(o);
        rql_free(q);
    }
    buf_reset(&b);
    assert_err(rql_add_value(&b, ""), ERR_OK);
    assert_string_equal(b.data, "empty()");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_no_query),
        cmocka_unit_test(refuses_what_is_given_twice),
        cmocka_unit_test(says_where_and_what_to_do),
        cmocka_unit_test(refuses_hostile_depth),
        cmocka_unit_test(refuses_hostile_size),
        cmocka_unit_test(refuses_bad_percent_encoding),
        cmocka_unit_test(matches_everything_when_empty),
        cmocka_unit_test(reads_every_form_of_equality),
        cmocka_unit_test(tells_null_from_empty),
        cmocka_unit_test(goes_through_arrays),
        cmocka_unit_test(compares_numbers_as_numbers),
        cmocka_unit_test(compares_times_as_instants),
        cmocka_unit_test(orders_nothing_but_numbers_and_times),
        cmocka_unit_test(compares_with_paths),
        cmocka_unit_test(compares_within_the_same_element),
        cmocka_unit_test(folds_case_in_every_script),
        cmocka_unit_test(matches_patterns),
        cmocka_unit_test(is_quick_on_a_hostile_pattern),
        cmocka_unit_test(searches_every_text),
        cmocka_unit_test(reads_variables),
        cmocka_unit_test(looks_values_up),
        cmocka_unit_test(names_the_paths_of_a_filter),
        cmocka_unit_test(reads_order_and_page),
        cmocka_unit_test(orders_documents),
        cmocka_unit_test(prints_one_form_for_all),
        cmocka_unit_test(prints_what_pages_have_in_common),
        cmocka_unit_test(prints_what_parses_to_the_same),
        cmocka_unit_test(survives_mutilation),
        cmocka_unit_test(decodes_a_query_that_is_encoded_as_a_whole),
        cmocka_unit_test(writes_values_that_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
