// The template language, one small case for each feature. Every expected text was checked against Jinja2 3.1 with
// Hugging Face's settings.
#include <string>
#include <vector>

#include "support/support.h"
#include "text/chat_template.h"

namespace weft {
namespace {

constexpr const char* kContext = R"({"s": "Hello World", "u": "éléphant 🐘", "n": null, "t": true, "i": 7, "x": 2.5,
  "l": [3, 1, 2], "ls": ["b", "A", "c"], "d": {"b": 1, "a": 2, "items": 3}, "ml": "line1\n  line2\n\nline4",
  "html": "<a href='x'>&</a>", "tree": [{"v": 1, "c": [{"v": 2, "c": []}]}],
  "users": [{"name": "Bob", "age": 30, "g": "x"}, {"name": "amy", "age": 25, "g": "y"}, {"name": "Cid", "age": 30, "g": "x"}]})";

Result<std::string> render(const std::string& source) {
  WEFT_TRY(ChatTemplate chat, ChatTemplate::parse(source, "test"));
  WEFT_TRY(OrderedJson context, parse_ordered_json(kContext, "context"));
  return chat.render(context, {.bos_token = "<s>", .eos_token = {}, .now_iso = "2024-07-06T09:05:03"});
}

struct Case {
  const char* source;
  const char* text;
};
void check(const std::vector<Case>& cases) {
  for (const Case& each : cases) {
    auto text = render(each.source);
    ASSERT_TRUE(text.has_value()) << each.source << "\n" << text.error().message();
    EXPECT_EQ(*text, each.text) << each.source;
  }
}
// Templates that must fail, with a part of the message.
void check_errors(const std::vector<Case>& cases, Code code = Code::bad_template) {
  for (const Case& each : cases) {
    std::string source = each.source;
    auto text = render(source);
    ASSERT_FALSE(text.has_value()) << source.substr(0, 200) << " gave " << text->substr(0, 100);
    std::string report = source.substr(0, 200) + "\n" + text.error().message();
    EXPECT_EQ(code_name(text.error().code), code_name(code)) << report;
    EXPECT_NE(text.error().message().find(each.text), std::string::npos) << report;
  }
}
std::string repeat(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST(Jinja, Literals) {
  check({{"{{ 1 }} {{ 1_000 }} {{ 0x1f }} {{ 0b11 }} {{ 0o17 }} {{ 1.5e3 }}", "1 1000 31 3 15 1500.0"},
         {"{{ 'a' 'b' \"c\" }}", "abc"},
         {R"({{ 'a\tb\x41\u00e9\'\q\101' }})", "a\tbAé'\\qA"},
         {"{{ [1, 'a', none, true, 2.0] }} {{ (1,) }} {{ () }} {{ {'k': [1], 2: 'x'} }}",
          "[1, 'a', None, True, 2.0] (1,) () {'k': [1], 2: 'x'}"},
         {"{{ [\"it's\", 'say \"x\"', 'a\\nb'] }}", "[\"it's\", 'say \"x\"', 'a\\nb']"},
         {"{{ true }} {{ True }} {{ none }} {{ None }} {{ nothing }}|", "True True None None |"},
         {"{{ 1e16 }} {{ 1e15 }} {{ 0.0001 }} {{ 0.00001 }} {{ 0.1 + 0.2 }} {{ -0.0 }}",
          "1e+16 1000000000000000.0 0.0001 1e-05 0.30000000000000004 -0.0"},
         {"{{ 1, 2 }}", "(1, 2)"}});
}

TEST(Jinja, Operators) {
  check({{"{{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }}", "3 -4 2 3.5 1024 0.5"},
         {"{{ 2 ** 3 ** 2 }} {{ 1 + 2 * 3 }} {{ (1 + 2) * 3 }} {{ -2 ** 2 }}", "64 7 9 4"},
         {"{{ 1 ~ 'a' ~ none ~ 2.0 }} {{ 1 ~ 2 * 3 }}", "1aNone2.0 16"},
         {"{{ 'ab' * 3 }} {{ [1] * 2 }} {{ [1] + [2] }} {{ 'a' + 'b' }}", "ababab [1, 1] [1, 2] ab"},
         {"{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 == 1.0 }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }}",
          "True False True True True"},
         {"{{ 1 in [1] }} {{ 'b' in d }} {{ 'ell' in s }} {{ 9 not in l }}", "True True True True"},
         {"{{ 0 or 'x' }} {{ 1 and 'y' }} {{ not 0 }} {{ nope or 'd' }}", "x y True d"},
         {"{{ 'a' if t else 'b' }} {{ 'a' if n else 'b' }} {{ 'a' if n }}|", "a b |"},
         {"{{ true + 1 }} {{ 5 - true }} {{ 3 * 1.5 }} {{ 10 % 4.5 }}", "2 4 4.5 1.0"},
         {"{{ '%s is %05.1f or %d%%' % ('x', 2.25, 7) }} {{ '%(a)s' % d }}", "x is 002.2 or 7% 2"}});
  check_errors({{"{{ 'a' + 1 }}", "can only concatenate str"},
                {"{{ n + 'a' }}", "unsupported operand type(s) for +: 'NoneType' and 'str'"},
                {"{{ 1 / 0 }}", "division by zero"},
                {"{{ 1 < 'a' }}", "'<' not supported between instances of 'int' and 'str'"},
                {"{{ 9223372036854775807 + 1 }}", "64 bits"},
                {"{{ 1 in 'a' }}", "requires string as left operand"},
                {"{{ 1 in n }}", "argument of type 'NoneType' is not iterable"}});
}

TEST(Jinja, Access) {
  check({{"{{ d.b }} {{ d['a'] }} {{ d['items'] }} {{ l[0] }} {{ l[-1] }} {{ l.1 }}", "1 2 3 3 2 1"},
         {"{{ l[1:] }} {{ l[:-1] }} {{ l[::-1] }} {{ s[1:4] }} {{ s[::-2] }} {{ l[5:] }}",
          "[1, 2] [3, 1] [2, 1, 3] ell drWolH []"},
         {"{{ u[0] }} {{ u[-1] }} {{ u[1:3] }} {{ u|length }}", "é 🐘 lé 10"},
         {"{{ d.nope is defined }} {{ l[9] is defined }} {{ d.nope }}|", "False False |"},
         {"{{ d.items() | list }} {{ d.keys() | list }} {{ d.values() | list }}",
          "[('b', 1), ('a', 2), ('items', 3)] ['b', 'a', 'items'] [1, 2, 3]"},
         {"{{ d.get('a') }} {{ d.get('zz') }} {{ d.get('zz', 5) }}", "2 None 5"},
         {"{{ l.count(1) }} {{ l.index(2) }} {{ d.keys() }}", "1 2 dict_keys(['b', 'a', 'items'])"}});
  check_errors({{"{{ nope.x }}", "'nope' is undefined"},
                {"{{ d.zz.y }}", "'dict object' has no attribute 'zz'"},
                {"{{ n.strip() }}", "'None' has no attribute 'strip'"},
                {"{{ l.append(1) }}", "access to attribute 'append' of 'list' object is unsafe"},
                {"{{ d.update({}) }}", "is unsafe"},
                {"{{ s.__class__.x }}", "is unsafe"},
                {"{{ l[::0] }}", "slice step cannot be zero"},
                {"{{ 5() }}", "'int' object is not callable"}});
}

TEST(Jinja, WhiteSpaceControl) {
  check({{"a\n  {% if t %}\nb\n  {% endif %}\nc\n", "a\nb\nc"},
         {"a  {%- if t -%}  b  {%- endif -%}  c", "abc"},
         {"a\n  {%+ if t %}b{% endif +%}\nc", "a\n  b\nc"},
         {"a {{- ' b ' -}} c", "a b c"},
         {"  {{ 1 }}\n", "  1"},
         {"x\n\n", "x\n"},
         {"a{# note #}b\n  {# line #}\nc {#- x -#} d", "ab\ncd"},
         {"{% raw %}{{ x }}{% if %}{% endraw %}|{%- raw -%} {% y %} {%- endraw -%} |", "{{ x }}{% if %}|{% y %}|"},
         {"a\r\nb\rc", "a\nb\nc"},
         {"{{ '}}' }}{{ {'a': {}}['a'] }}", "}}{}"}});
}

TEST(Jinja, If) {
  check({{"{% if n %}a{% elif t %}b{% else %}c{% endif %}", "b"},
         {"{% if n %}a{% else %}c{% endif %}", "c"},
         {"{% if t %}{% set z = 1 %}{% endif %}{{ z }}", "1"},
         {"{% if false %}{{ s|nofilter }}{% endif %}ok", "ok"}});
}

TEST(Jinja, For) {
  check({{"{% for a in l %}{{ loop.index }}/{{ loop.length }}:{{ a }}{{ ',' if not loop.last }}{% endfor %}",
          "1/3:3,2/3:1,3/3:2"},
         {"{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "b=1;a=2;items=3;"},
         {"{% for a in [] %}x{% else %}none{% endfor %}", "none"},
         {"{% for a in l if a > 1 %}{{ loop.index }}{{ a }}{{ loop.last }};{% endfor %}", "13False;22True;"},
         {"{% for a in l %}{{ loop.previtem }}<{{ a }}>{{ loop.nextitem }} {% endfor %}", "<3>1 3<1>2 1<2> "},
         {"{% for a in l %}{{ loop.first }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.index0 }}{% endfor %}",
          "True320False211False102"},
         {"{% for a in l %}{{ loop.cycle('o', 'e') }}{{ loop.changed(a > 1) }}{% endfor %}", "oTrueeTrueoTrue"},
         {"{% for a in range(5) %}{% if a == 1 %}{% continue %}{% endif %}{% if a == 3 %}{% break %}{% endif %}{{ a "
          "}}{% endfor %}",
          "02"},
         {"{% set z = 1 %}{% for a in l %}{% set z = a %}{% endfor %}{{ z }}", "1"},
         {"{% set ns = namespace(z=1) %}{% for a in l %}{% set ns.z = ns.z + a %}{% endfor %}{{ ns.z }}", "7"},
         {"{% for x in tree recursive %}{{ x.v }}@{{ loop.depth }}({{ loop(x.c) }}){% endfor %}", "1@1(2@2())"},
         {"{% for (a, b), c in [((1, 2), 3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "123"},
         {"{% for c in 'né' %}[{{ c }}]{% endfor %}{% for k in d %}{{ k }}{% endfor %}", "[n][é]baitems"},
         {"{% for a in nope %}x{% endfor %}|", "|"}});
  check_errors({{"{% for a in 5 %}{% endfor %}", "'int' object is not iterable"},
                {"{% for a, b in [[1]] %}{% endfor %}", "not enough values to unpack (expected 2, got 1)"},
                {"{% break %}", "outside of a loop"},
                {"{% for loop in l %}{% endfor %}", "loop"}});
}

TEST(Jinja, SetAndScopes) {
  check({{"{% set a, b = 1, 2 %}{{ a }}{{ b }}", "12"},
         {"{% set x %}<{{ i }}>{% endset %}{{ x }}{{ x|length }}", "<7>3"},
         {"{% set x | upper | replace('A', 'b') %}a{% endset %}{{ x }}", "b"},
         {"{% filter upper %}a{{ s }}{% endfilter %}", "AHELLO WORLD"},
         {"{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a }}|", "3|"},
         {"{% set ns = namespace({'q': 1}, r=2) %}{% set ns.w = 3 %}{{ ns.q }}{{ ns.r }}{{ ns.w }}{{ ns.zz }}{{ "
          "ns['q'] }}",
          "1231"},
         {"{% block one %}b{% endblock one %}{% generation %}g{% endgeneration %}", "bg"},
         {"{% set c = cycler(1, 2) %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}", "1212"},
         {"{% set j = joiner('|') %}{{ j() }}a{{ j() }}b", "a|b"},
         {"{{ dict(a=1, b=2) }} {{ dict([('x', 1)]) }} {{ range(1, 7, 2)|list }} {{ range(3) }}",
          "{'a': 1, 'b': 2} {'x': 1} [1, 3, 5] range(0, 3)"}});
  check_errors({{"{% set d.x = 1 %}", "cannot assign attribute on non-namespace object"},
                {"{% set 1 = 2 %}", "cannot assign"},
                {"{% include 'a' %}", "needs other templates"}});
}

TEST(Jinja, Macros) {
  check(
      {{"{% macro m(a, b=2, c=a) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, c=5) }} {{ m(b=3, a=4) }}",
        "121 125 434"},
       {"{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, k=3) }}", "(1, 2){'k': 3}"},
       {"{% macro m(a) %}[{{ caller(a) }}]{% endmacro %}{% call(x) m(5) %}got {{ x }}{% endcall %}", "[got 5]"},
       {"{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}", "3210"},
       {"{% macro m() %}{{ later }}{% endmacro %}{% set later = 1 %}{{ m() }}", "1"},
       {"{% macro m(a) %}{{ a is defined }}{% endmacro %}{{ m() }} {{ m.name }}", "False m"},
       {"{% macro m(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ m(*[1, 2]) }}{{ m(**{'a': 3, 'b': 4}) }}", "1234"},
       {"{% set ns = namespace() %}{% for a in l %}{% macro m() %}{{ a }}{% endmacro %}{{ m() }}{% endfor %}", "312"}});
  check_errors({{"{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "takes not more than 1 argument(s)"},
                {"{% macro m(a) %}{% endmacro %}{{ m(b=2) }}", "takes no keyword argument 'b'"},
                {"{% macro m(a=1, b) %}{% endmacro %}", "non-default argument"}});
}

TEST(Jinja, TextFilters) {
  check({{"{{ s|upper }} {{ s|lower }} {{ 'a b-c'|title }} {{ 'hELLO'|capitalize }}",
          "HELLO WORLD hello world A B-C Hello"},
         {"{{ '  x '|trim }}|{{ 'xxaxx'|trim('x') }}|{{ 'a'|center(5) }}|", "x|a|  a  |"},
         {"{{ 'aaa'|replace('a', 'b', 2) }} {{ 'abc'|replace('', '-') }}", "bba -a-b-c-"},
         {"{{ ml|indent }}|{{ ml|indent(2, true) }}", "line1\n      line2\n\n    line4|  line1\n    line2\n\n  line4"},
         {"{{ html|escape }} {{ html|safe }}", "&lt;a href=&#39;x&#39;&gt;&amp;&lt;/a&gt; <a href='x'>&</a>"},
         {"{{ ('<'|safe) + '<' }}", "<&lt;"},
         {"{{ 'foo bar baz qux'|truncate(9) }} {{ 'foo bar baz qux'|truncate(9, True) }}", "foo... foo ba..."},
         {"{{ 'a b  c'|wordcount }} {{ '%s-%s'|format(1, 'x') }} {{ 'a b/ü'|urlencode }}", "3 1-x a%20b/%C3%BC"},
         {"{{ '42'|int }} {{ 'x'|int(5) }} {{ '1.9'|int }} {{ 'ff'|int(0, 16) }} {{ '2'|float }} {{ 'x'|float }}",
          "42 5 1 255 2.0 0.0"},
         {"{{ 2.5|round }} {{ 3.5|round }} {{ 42.556|round(2) }} {{ 42.1|round(method='ceil') }} {{ 7|round }}",
          "2.0 4.0 42.56 43.0 7"},
         {"{{ -3|abs }} {{ 1000000|filesizeformat }} {{ n|string }} {{ 5|string|length }}", "3 1.0 MB None 1"},
         {"{{ {'a': 1, 'b': none}|xmlattr }}", " a=\"1\""}});
}

TEST(Jinja, ItemFilters) {
  check(
      {{"{{ l|length }} {{ l|first }} {{ l|last }} {{ l|min }} {{ l|max }} {{ l|sum }}", "3 3 2 1 3 6"},
       {"{{ l|sort }} {{ ls|sort }} {{ ls|sort(case_sensitive=true) }} {{ l|sort(reverse=true) }}",
        "[1, 2, 3] ['A', 'b', 'c'] ['A', 'b', 'c'] [3, 2, 1]"},
       {"{{ users|sort(attribute='age,name')|map(attribute='name')|join(' ') }}", "amy Bob Cid"},
       {"{{ users|selectattr('age', 'gt', 26)|map(attribute='name')|list }} {{ users|rejectattr('g', 'equalto', "
        "'x')|list|length }}",
        "['Bob', 'Cid'] 1"},
       {"{{ l|select('odd')|list }} {{ l|reject('odd')|list }} {{ [0, 1, '']|select|list }}", "[3, 1] [2] [1]"},
       {"{{ ls|map('upper')|join(',') }} {{ users|map(attribute='zz', default='-')|join }}", "B,A,C ---"},
       {"{% for g in users|groupby('g') %}{{ g.grouper }}{{ g.list|length }}{% endfor %}", "x2y1"},
       {"{{ d|dictsort }} {{ d|dictsort(by='value', reverse=true)|first }} {{ d|items|list }}",
        "[('a', 2), ('b', 1), ('items', 3)] ('items', 3) [('b', 1), ('a', 2), ('items', 3)]"},
       {"{{ [1, 2, 1, 'A', 'a']|unique|list }} {{ l|reverse|list }} {{ 'abc'|reverse }}", "[1, 2, 'A'] [2, 1, 3] cba"},
       {"{{ range(5)|batch(2, 0)|list }} {{ range(5)|slice(2)|list }}", "[[0, 1], [2, 3], [4, 0]] [[0, 1, 2], [3, 4]]"},
       {"{{ nope|default('d') }} {{ ''|default('d') }} {{ ''|d('d', true) }} {{ n|default('d') }}", "d  d None"},
       {"{{ [1, 2]|join('-') }} {{ users|join(',', attribute='age') }} {{ 'ab'|list }}", "1-2 30,25,30 ['a', 'b']"},
       {"{{ users|sum(attribute='age') }} {{ users|max(attribute='age') == users[0] }} {{ []|max is defined }}",
        "85 True False"}});
  check_errors({{"{{ n|length }}", "object of type 'NoneType' has no len()"},
                {"{{ l|select('odd')|length }}", "object of type 'generator' has no len()"},
                {"{{ s|items|list }}", "Can only get item pairs from a mapping."},
                {"{{ [1, 'a']|sort }}", "not supported between"},
                {"{{ s|nofilter }}", "no filter named 'nofilter'"}});
}

TEST(Jinja, ToJson) {
  check(
      {{"{{ d|tojson }} {{ users[0]|tojson(separators=(',', ':')) }}",
        "{\"b\": 1, \"a\": 2, \"items\": 3} {\"name\":\"Bob\",\"age\":30,\"g\":\"x\"}"},
       {"{{ [1, {'a': []}]|tojson(indent=2) }}", "[\n  1,\n  {\n    \"a\": []\n  }\n]"},
       {"{{ u|tojson }} {{ u|tojson(ensure_ascii=true) }}", "\"éléphant 🐘\" \"\\u00e9l\\u00e9phant \\ud83d\\udc18\""},
       {"{{ 'a\"\\\\\\n\\x01</>'|tojson }} {{ [none, true, 1.0, 1e20]|tojson }}",
        "\"a\\\"\\\\\\n\\u0001</>\" [null, true, 1.0, 1e+20]"},
       {"{{ {'b': 1, 'a': 2, 3: 4}|items|map('first')|list|tojson }} {{ d|tojson(sort_keys=true) }}",
        "[\"b\", \"a\", 3] {\"a\": 2, \"b\": 1, \"items\": 3}"},
       {"{{ {1: 2, none: 3, true: 4}|tojson }}", "{\"1\": 4, \"null\": 3}"}});
  check_errors({{"{{ nope|tojson }}", "Object of type Undefined is not JSON serializable"},
                {"{{ l|map('string')|tojson }}", "Object of type generator is not JSON serializable"}});
}

TEST(Jinja, Tests) {
  check(
      {{"{{ s is string }} {{ l is sequence }} {{ d is mapping }} {{ d is iterable }} {{ 5 is iterable }}",
        "True True True True False"},
       {"{{ i is number }} {{ i is integer }} {{ x is float }} {{ t is boolean }} {{ t is integer }} {{ t is number }}",
        "True True True True False True"},
       {"{{ n is none }} {{ n is not none }} {{ nope is undefined }} {{ n is defined }}", "True False True True"},
       {"{{ 4 is even }} {{ 4 is odd }} {{ 9 is divisibleby 3 }} {{ 9 is divisibleby(2) }}", "True False True False"},
       {"{{ 1 is in [1, 2] }} {{ 2 is eq 2 }} {{ 2 is gt(1) }} {{ 'a' is sameas 'b' }} {{ true is true }} {{ 1 is true "
        "}}",
        "True True True False True False"},
       {"{{ 'ab' is lower }} {{ 'AB' is upper }} {{ range is callable }} {{ 'upper' is filter }} {{ 'odd' is test }}",
        "True True True True True"},
       {"{{ not s is string }} {{ 'x' if s is defined and s is string else 'y' }}", "False x"}});
}

TEST(Jinja, StringMethods) {
  check(
      {{"{{ ' a b '.strip() }}|{{ 'xax'.lstrip('x') }}|{{ 'xax'.rstrip('x') }}|", "a b|ax|xa|"},
       {"{{ 'a,b,c'.split(',') }} {{ ' a  b '.split() }} {{ 'a,b,c'.split(',', 1) }} {{ 'a,b,c'.rsplit(',', 1)[-1] }}",
        "['a', 'b', 'c'] ['a', 'b'] ['a', 'b,c'] c"},
       {"{{ s.startswith('He') }} {{ s.endswith(('x', 'ld')) }} {{ s.replace('l', 'L') }} {{ s.find('o') }} {{ "
        "s.rfind('o') }} {{ s.count('l') }}",
        "True True HeLLo WorLd 4 7 3"},
       {"{{ 'a b'.title() }} {{ 'ab'.upper() }} {{ 'straße'.upper() }} {{ 'ÉA'.lower() }} {{ 'ab'.capitalize() }}",
        "A B AB STRASSE éa Ab"},
       {"{{ 'a-b'.partition('-') }} {{ 'x.py'.removesuffix('.py') }} {{ 'x.py'.removeprefix('x') }} {{ "
        "'a\\nb\\r\\nc'.splitlines() }}",
        "('a', '-', 'b') x .py ['a', 'b', 'c']"},
       {"{{ ', '.join(['a', 'b']) }} {{ '7'.zfill(3) }} {{ 'a'.ljust(3, '.') }} {{ 'a'.rjust(3) }} {{ '12'.isdigit() "
        "}} {{ 'a1'.isalnum() }}",
        "a, b 007 a..   a True True"},
       {"{{ '{} {1}'.format(1, 2) if false else '{0} {1} {a} {b[x]} {0!r:>5} {2:.2f}'.format('p', 2, 3.14159, a='A', "
        "b={'x': 'X'}) }}",
        "p 2 A X   'p' 3.14"},
       {"{{ '{:>5}|{:<5}|{:^5}|{:05d}|{:,}|{:x}|{:+}|{:%}'.format('a', 'b', 'c', 42, 1234567, 255, 3, 0.5) }}",
        "    a|b    |  c  |00042|1,234,567|ff|+3|50.000000%"},
       {"{{ u.index('p') }} {{ u.upper() }} {{ u.find('🐘') }}", "3 ÉLÉPHANT 🐘 9"}});
  check_errors({{"{{ ','.join([1]) }}", "expected str instance, int found"}, {"{{ s.split('') }}", "empty separator"}});
}

TEST(Jinja, Functions) {
  check({{"{{ strftime_now('%d %B %Y, %a %H:%M:%S %j %-d') }}", "06 July 2024, Sat 09:05:03 188 6"},
         {"{{ bos_token }}{{ eos_token is defined }}", "<s>False"},
         {"{{ strftime_now is defined }}{{ raise_exception is defined }}", "TrueTrue"}});
  auto text = render("line 1\n{{ raise_exception('only ' ~ i ~ ' here') }}");
  ASSERT_FALSE(text.has_value());
  EXPECT_EQ(text.error().code, Code::bad_template);
  EXPECT_EQ(text.error().where, "test, line 2");
  EXPECT_EQ(text.error().what, "only 7 here");
}

TEST(Jinja, WithoutATimeThereIsNoStrftime) {
  ASSERT_OK_AND(ChatTemplate chat, ChatTemplate::parse("{{ strftime_now is defined }}{{ bos_token is defined }}", "t"));
  ASSERT_OK_AND(std::string text, chat.render(OrderedJson::object()));
  EXPECT_EQ(text, "FalseFalse");
  EXPECT_ERROR(Code::invalid_argument, chat.render(OrderedJson::array()));
}

TEST(Jinja, SyntaxErrorsNameTheLine) {
  check_errors({{"a\nb\n{% if %}", "line 3"},
                {"{% if t %}", "expected 'elif' or 'else' or 'endif'"},
                {"{% for a in l %}{% endif %}", "misplaced tag 'endif'"},
                {"{% nonsense %}", "nonsense"},
                {"{{ 'abc }}", "unterminated string"},
                {"{{ (1 }}", "unexpected '}', expected ')'"},
                {"{{ 1", "unterminated tag"},
                {"{% raw %}", "missing end of raw block"},
                {"{# x", "missing end of comment"},
                {"{{ }}", "expected an expression"},
                {"{{ 1 2 }}", "expected '}}', found '2'"},
                {"{{ a..b }}", "expected a name"},
                {"{{ $ }}", "unexpected character '$'"},
                {"{{ f(a=1, 2) }}", "order of arguments"},
                {"{{ '\\ud800' }}", "bad escape"},
                {"{{ 99999999999999999999 }}", "does not fit in 64 bits"},
                {"\xff", "not valid UTF-8"}});
}

TEST(Jinja, HostileTemplatesMeetLimits) {
  const int many = 100000;
  check_errors({{("{{ " + repeat("(", many) + "1" + repeat(")", many) + " }}").c_str(), "nested"},
                {("{{ " + repeat("[", many) + repeat("]", many) + " }}").c_str(), "nested"},
                {("{{ " + repeat("not ", many) + "1 }}").c_str(), "nested"},
                {("{{ " + repeat("-", many) + "1 }}").c_str(), "nested"},
                {("{{ 1" + repeat(" + 1", many) + " }}").c_str(), "levels"},
                {("{{ a" + repeat(".a", many) + " }}").c_str(), "levels"},
                {("{{ a" + repeat("|e", many) + " }}").c_str(), "levels"},
                {(repeat("{% if t %}", many) + repeat("{% endif %}", many)).c_str(), "nested"},
                {("{% set " + repeat("(", many) + "a" + repeat(")", many) + " = 1 %}").c_str(), "nested"}},
               Code::limit);
}

TEST(Jinja, HostileRunsMeetLimits) {
  check_errors(
      {{"{{ range(10**12)|list }}", "100000"},
       {"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "nested too deep"},
       {"{% macro m() %}{{ caller() }}{% endmacro %}{% macro r() %}{% call m() %}{{ r() }}{% endcall %}{% endmacro "
        "%}{{ r() }}",
        "nested too deep"},
       {"{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "nested too deep"},
       {"{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "MiB"},
       {"{{ 'x' * 10**12 }}", "MiB"},
       {"{{ [0] * 10**12 }}", "items"},
       {"{{ 'x'.ljust(10**12) }}", "MiB"},
       {"{{ '%999999999d' % 1 }}", "width"},
       {"{{ ('x' * 10**6).replace('x', 'y' * 10**6) }}", "MiB"},
       {"{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", "steps"},
       {"{% set ns = namespace(l=[]) %}{% for i in range(1000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}",
        "nested too deep"},
       {"{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}", "nested too deep"}},
      Code::limit);
  // Deep and circular values are freed without recursion and without leaks.
  check({{"{% set ns = namespace(l=[]) %}{% for i in range(100000) %}{% set ns.l = [ns.l] %}{% endfor %}ok", "ok"},
         {"{% set ns = namespace() %}{% set ns.a = [ns] %}{% macro m() %}{{ ns }}{% endmacro %}{% set ns.m = m %}ok",
          "ok"},
         {"{% for a in l %}{% set x = loop.changed(loop) %}{% endfor %}ok", "ok"}});
}

}  // namespace
}  // namespace weft
