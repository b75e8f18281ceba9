// Methods of lists, mappings, numbers and namespaces; those of strings are in string_methods.cc.
#include <algorithm>
#include <cmath>

#include "text/jinja/interp.h"
#include "text/jinja/string_methods.h"

namespace weft::jinja {

namespace {

Maybe<Value> dict_get(Interp&, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("get", args, {"*key", "*default"}, 1));
  JINJA_TRY(const Value* found, self.dict().find(bound[0]));
  if (found) return *found;
  return bound[1].given() ? bound[1] : Value::none();
}
Maybe<Value> dict_items(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("items", args, {}));
  std::vector<Value> pairs;
  for (const auto& [key, value] : self.dict().items) pairs.push_back(interp.heap().tuple({key, value}));
  return interp.heap().sequence(Kind::view, std::move(pairs), "dict_items");
}
Maybe<Value> dict_keys(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("keys", args, {}));
  JINJA_TRY(std::vector<Value> keys, interp.iterate(self));
  return interp.heap().sequence(Kind::view, std::move(keys), "dict_keys");
}
Maybe<Value> dict_values(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("values", args, {}));
  std::vector<Value> values;
  for (const auto& [key, value] : self.dict().items) values.push_back(value);
  return interp.heap().sequence(Kind::view, std::move(values), "dict_values");
}
Maybe<Value> copy(Interp&, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("copy", args, {}));
  return self;  // values cannot be changed, so a copy cannot be told apart
}

Maybe<Value> list_count(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("count", args, {"*value"}, 1));
  int64_t count = 0;
  for (const Value& item : self.items()) {
    JINJA_TRY(bool same, equal(item, bound[0]));
    count += same ? 1 : 0;
  }
  JINJA_CHECK(interp.spend(static_cast<int64_t>(self.items().size() / 4)));
  return Value::integer(count);
}
Maybe<Value> list_index(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("index", args, {"*value", "*start", "*stop"}, 1));
  JINJA_CHECK(interp.spend(static_cast<int64_t>(self.items().size() / 4)));
  auto size = static_cast<int64_t>(self.items().size());
  auto place = [&](const Value& value, int64_t otherwise) {
    if (!value.whole()) return otherwise;
    int64_t at = value.as_int() < 0 ? std::max<int64_t>(0, value.as_int() + size) : value.as_int();
    return std::min(at, size);
  };
  for (int64_t at = place(bound[1], 0), end = place(bound[2], size); at < end; ++at) {
    JINJA_TRY(bool same, equal(self.items()[static_cast<size_t>(at)], bound[0]));
    if (same) return Value::integer(at);
  }
  JINJA_TRY(std::string text, repr(bound[0]));
  return raise(text + " is not in " + std::string(type_name(self)));
}

Maybe<Value> is_integer(Interp&, const Value& self, const Args&) {
  double value = self.as_real();
  return Value::boolean(value == static_cast<double>(static_cast<int64_t>(std::abs(value) < 9e18 ? value : 0)) ||
                        (std::abs(value) >= 9e18 && value - value == 0));
}

Maybe<Value> cycler_next(Interp&, const Value& self, const Args&) {
  auto& cycler = self.as<Cycler>();
  Value now = cycler.items[cycler.at];
  cycler.at = (cycler.at + 1) % cycler.items.size();
  return now;
}
Maybe<Value> cycler_reset(Interp&, const Value& self, const Args&) {
  self.as<Cycler>().at = 0;
  return Value::none();
}

constexpr Named kDict[] = {
    {"get", dict_get}, {"items", dict_items}, {"keys", dict_keys}, {"values", dict_values}, {"copy", copy}};
constexpr Named kList[] = {{"count", list_count}, {"index", list_index}, {"copy", copy}};
constexpr Named kTuple[] = {{"count", list_count}, {"index", list_index}};
constexpr Named kReal[] = {{"is_integer", is_integer}};
constexpr Named kCycler[] = {{"next", cycler_next}, {"reset", cycler_reset}};

std::span<const Named> methods_of(Kind kind) {
  switch (kind) {
    case Kind::string:
      return string_methods();
    case Kind::dict:
      return kDict;
    case Kind::list:
      return kList;
    case Kind::tuple:
    case Kind::range:
      return kTuple;
    case Kind::real:
      return kReal;
    case Kind::cycler:
      return kCycler;
    default:
      return {};
  }
}

}  // namespace

const Named* find_method(const Value& object, std::string_view name) {
  for (const Named& method : methods_of(object.kind())) {
    if (method.name == name) return &method;
  }
  return nullptr;
}

// What Jinja2's immutable sandbox refuses: methods that would change a list or mapping.
bool is_mutator(const Value& object, std::string_view name) {
  static constexpr std::string_view kListNames[] = {"append", "clear", "pop",    "reverse",
                                                    "insert", "sort",  "extend", "remove"};
  static constexpr std::string_view kDictNames[] = {"clear", "pop", "popitem", "setdefault", "update"};
  std::span<const std::string_view> names;
  if (object.is(Kind::list)) names = kListNames;
  if (object.is(Kind::dict)) names = kDictNames;
  for (auto each : names) {
    if (each == name) return true;
  }
  return false;
}

}  // namespace weft::jinja
