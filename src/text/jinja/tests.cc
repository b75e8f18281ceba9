// Tests: what may follow `is`.
#include "text/jinja/filters.h"
#include "text/jinja/unicode.h"

namespace weft::jinja {

namespace {

using Ask = bool (*)(const Value&);
template <Ask kAsk>
Maybe<Value> simple(Interp&, const Value& self, const Args& args) {
  if (!args.positional.empty() || !args.named.empty()) return raise("this test takes no arguments");
  return Value::boolean(kAsk(self));
}

bool is_defined(const Value& v) { return !v.undefined(); }
bool is_undefined(const Value& v) { return v.undefined(); }
bool is_none(const Value& v) { return v.is(Kind::none); }
bool is_boolean(const Value& v) { return v.is(Kind::boolean); }
bool is_true(const Value& v) { return v.is(Kind::boolean) && v.as_bool(); }
bool is_false(const Value& v) { return v.is(Kind::boolean) && !v.as_bool(); }
bool is_integer(const Value& v) { return v.is(Kind::integer); }
bool is_float(const Value& v) { return v.is(Kind::real); }
bool is_number(const Value& v) { return v.number(); }
bool is_string(const Value& v) { return v.is(Kind::string); }
bool is_mapping(const Value& v) { return v.is(Kind::dict); }
bool is_escaped(const Value& v) { return v.is(Kind::string) && v.as<String>().markup; }
bool is_callable(const Value& v) {
  // Namespaces and undefined values count: their Python classes define __call__ or answer every attribute.
  return v.is(Kind::function) || v.is(Kind::loop) || v.is(Kind::joiner) || v.undefined();
}
bool is_iterable(const Value& v) {
  return v.undefined() || v.is(Kind::string) || v.sequence() || v.is(Kind::dict) || v.is(Kind::loop);
}
bool is_sequence(const Value& v) {
  return v.undefined() || v.is(Kind::string) || v.is(Kind::list) || v.is(Kind::tuple) || v.is(Kind::range) ||
         v.is(Kind::dict);
}

template <Op kOp>
Maybe<Value> compares(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("test", args, {"other"}, 1));
  return interp.compare(kOp, self, bound[0]).transform(Value::boolean);
}

Maybe<Value> divisible_by(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("divisibleby", args, {"num"}, 1));
  JINJA_TRY(Value rest, interp.binary(Op::mod, self, bound[0]));
  return equal(rest, Value::integer(0)).transform(Value::boolean);
}
template <int kRest>
Maybe<Value> parity(Interp& interp, const Value& self, const Args&) {
  JINJA_TRY(Value rest, interp.binary(Op::mod, self, Value::integer(2)));
  return equal(rest, Value::integer(kRest)).transform(Value::boolean);
}
Maybe<Value> same_as(Interp&, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("sameas", args, {"other"}, 1));
  const Value& other = bound[0];
  if (self.kind() != other.kind()) return Value::boolean(false);
  if (self.is(Kind::string) || self.object() == nullptr) return equal(self, other).transform(Value::boolean);
  return Value::boolean(self.object() == other.object());
}
Maybe<Value> has_case(const Value& self, bool upper) {
  JINJA_TRY(std::string text, str(self));
  std::string changed = upper ? to_upper(text) : to_lower(text);
  return Value::boolean(changed == text && (upper ? to_lower(text) : to_upper(text)) != text);
}
Maybe<Value> is_lower_case(Interp&, const Value& self, const Args&) { return has_case(self, false); }
Maybe<Value> is_upper_case(Interp&, const Value& self, const Args&) { return has_case(self, true); }
Maybe<Value> is_filter(Interp&, const Value& self, const Args&) {
  return Value::boolean(self.is(Kind::string) && find_filter(self.text()));
}
Maybe<Value> is_test(Interp&, const Value& self, const Args&) {
  return Value::boolean(self.is(Kind::string) && find_test(self.text()));
}

constexpr Test kTests[] = {
    {{"defined", simple<is_defined>}},
    {{"undefined", simple<is_undefined>}},
    {{"none", simple<is_none>}},
    {{"boolean", simple<is_boolean>}},
    {{"true", simple<is_true>}},
    {{"false", simple<is_false>}},
    {{"integer", simple<is_integer>}},
    {{"float", simple<is_float>}},
    {{"number", simple<is_number>}},
    {{"string", simple<is_string>}},
    {{"mapping", simple<is_mapping>}},
    {{"iterable", simple<is_iterable>}},
    {{"sequence", simple<is_sequence>}},
    {{"callable", simple<is_callable>}},
    {{"escaped", simple<is_escaped>}},
    {{"lower", is_lower_case}},
    {{"upper", is_upper_case}},
    {{"even", parity<0>}},
    {{"odd", parity<1>}},
    {{"divisibleby", divisible_by}},
    {{"sameas", same_as}},
    {{"filter", is_filter}},
    {{"test", is_test}},
    {{"in", compares<Op::in>}},
    {{"eq", compares<Op::eq>}},
    {{"equalto", compares<Op::eq>}},
    {{"==", compares<Op::eq>}},
    {{"ne", compares<Op::ne>}},
    {{"!=", compares<Op::ne>}},
    {{"lt", compares<Op::lt>}},
    {{"lessthan", compares<Op::lt>}},
    {{"<", compares<Op::lt>}},
    {{"le", compares<Op::le>}},
    {{"<=", compares<Op::le>}},
    {{"gt", compares<Op::gt>}},
    {{"greaterthan", compares<Op::gt>}},
    {{">", compares<Op::gt>}},
    {{"ge", compares<Op::ge>}},
    {{">=", compares<Op::ge>}},
};

}  // namespace

const Test* find_test(std::string_view name) {
  for (const Test& test : kTests) {
    if (test.name == name) return &test;
  }
  return nullptr;
}

const Filter* find_filter(std::string_view name) {
  for (auto table : {text_filters(), item_filters()}) {
    for (const Filter& filter : table) {
      if (filter.name == name) return &filter;
    }
  }
  return nullptr;
}

}  // namespace weft::jinja
