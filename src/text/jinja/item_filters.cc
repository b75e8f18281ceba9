// Filters over lists and mappings.
#include <algorithm>

#include "text/jinja/filters.h"
#include "text/jinja/numbers.h"
#include "text/jinja/unicode.h"

namespace weft::jinja {

// Merge sort, because comparing may fail; at most n log2 n comparisons.
Done sort_by_key(Interp& interp, std::vector<std::pair<Value, Value>>& keyed, bool reverse) {
  size_t count = keyed.size();
  std::vector<std::pair<Value, Value>> merged(count);
  for (size_t run = 1; run < count; run *= 2) {
    JINJA_CHECK(interp.spend(static_cast<int64_t>(count)));
    for (size_t begin = 0; begin < count; begin += 2 * run) {
      size_t left = begin, middle = std::min(begin + run, count), right = middle,
             end = std::min(begin + 2 * run, count);
      for (size_t to = begin; to < end; ++to) {
        bool take_right = left == middle;
        if (!take_right && right < end) {
          JINJA_TRY(take_right, reverse ? less(keyed[left].first, keyed[right].first)
                                        : less(keyed[right].first, keyed[left].first));
        }
        merged[to] = std::move(keyed[take_right ? right++ : left++]);
      }
    }
    keyed.swap(merged);
  }
  return {};
}

namespace {

// The value at a path such as "address.city" or 0; `otherwise`, where given, replaces what is missing on the way.
Maybe<Value> at_path(Interp& interp, Value item, const Value& path, const Value& otherwise = {}) {
  if (path.none_or_missing()) return item;
  std::vector<Value> parts = {path};
  if (path.is(Kind::string)) {
    parts.clear();
    std::string_view rest = path.text();
    while (true) {
      size_t dot = rest.find('.');
      std::string_view part = rest.substr(0, dot);
      bool digits = !part.empty() && part.size() < 10 && part.find_first_not_of("0123456789") == part.npos;
      parts.push_back(digits ? Value::integer(parse_whole(part, 10).value_or(0))
                             : interp.heap().string(std::string(part)));
      if (dot == rest.npos) break;
      rest.remove_prefix(dot + 1);
    }
  }
  for (const Value& part : parts) {
    JINJA_TRY(item, interp.item(item, part));
    if (item.undefined() && !otherwise.none_or_missing()) item = otherwise;
  }
  return item;
}

Value fold_case(Interp& interp, const Value& value, bool case_sensitive) {
  if (case_sensitive || !value.is(Kind::string)) return value;
  return interp.heap().string(to_lower(value.text()));
}

Maybe<Value> length(Interp&, const Value& self, const Args&) {
  switch (self.kind()) {
    case Kind::undefined:
      return Value::integer(0);
    case Kind::string:
      return Value::integer(static_cast<int64_t>(text_length(self)));
    case Kind::list:
    case Kind::tuple:
    case Kind::range:
    case Kind::view:
      return Value::integer(static_cast<int64_t>(self.items().size()));
    case Kind::dict:
      return Value::integer(static_cast<int64_t>(self.dict().items.size()));
    default:
      return raise("object of type '" + std::string(type_name(self)) + "' has no len()");
  }
}

Maybe<Value> default_to(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("default", args, {"default_value", "boolean"}));
  if (self.undefined() || (truthy(bound[1]) && !truthy(self)))
    return bound[0].given() ? bound[0] : interp.heap().string("");
  return self;
}

Maybe<Value> items(Interp& interp, const Value& self, const Args&) {
  std::vector<Value> pairs;
  if (self.undefined()) return interp.heap().generator({});
  if (!self.is(Kind::dict)) return raise("Can only get item pairs from a mapping.");
  for (const auto& [key, value] : self.dict().items) pairs.push_back(interp.heap().tuple({key, value}));
  return interp.heap().generator(std::move(pairs));
}

Maybe<Value> list(Interp& interp, const Value& self, const Args&) {
  JINJA_TRY(std::vector<Value> all, interp.iterate(self));
  return interp.new_list(std::move(all));
}

Maybe<Value> first(Interp& interp, const Value& self, const Args&) {
  if (self.is(Kind::generator)) {  // takes one item only
    auto& generator = self.as<Sequence>();
    if (generator.taken < generator.items.size()) return generator.items[generator.taken++];
    return interp.heap().undefined("No first item, sequence was empty.");
  }
  JINJA_TRY(std::vector<Value> all, interp.iterate(self));
  return all.empty() ? interp.heap().undefined("No first item, sequence was empty.") : all.front();
}

Maybe<Value> last(Interp& interp, const Value& self, const Args&) {
  if (self.is(Kind::generator)) return raise("'" + std::string(type_name(self)) + "' object is not reversible");
  if (self.undefined()) return raise(self.as<Undefined>().message);
  JINJA_TRY(std::vector<Value> all, interp.iterate(self));
  return all.empty() ? interp.heap().undefined("No last item, sequence was empty.") : all.back();
}

Maybe<Value> reverse(Interp& interp, const Value& self, const Args&) {
  if (self.is(Kind::string)) return interp.slice(self, {}, {}, Value::integer(-1));
  JINJA_TRY(std::vector<Value> all, interp.iterate(self));
  std::ranges::reverse(all);
  if (self.is(Kind::generator) || self.undefined()) return interp.new_list(std::move(all));
  return interp.heap().generator(std::move(all), self.is(Kind::list) ? "list_reverseiterator" : "reversed");
}

Maybe<Value> join(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("join", args, {"d", "attribute"}));
  JINJA_TRY(std::vector<Value> all, interp.iterate(self));
  std::string between, out;
  if (bound[0].given()) {
    JINJA_TRY(between, str(bound[0]));
  }
  for (size_t i = 0; i < all.size(); ++i) {
    JINJA_TRY(Value item, at_path(interp, all[i], bound[1]));
    JINJA_TRY(std::string text, str(item));
    JINJA_CHECK(interp.check_size(out.size() + between.size() + text.size()));
    if (i) out += between;
    out += text;
  }
  return interp.new_string(std::move(out));
}

// The remaining arguments, after the first `count` positional ones.
Args after(const Args& args, size_t count) {
  Args rest = args;
  rest.positional.erase(rest.positional.begin(), rest.positional.begin() + static_cast<std::ptrdiff_t>(count));
  return rest;
}

Maybe<Value> map(Interp& interp, const Value& self, const Args& args) {
  if (!truthy(self)) return interp.heap().generator({});
  std::vector<Value> out;
  JINJA_TRY(std::vector<Value> all, interp.iterate(self));
  if (args.positional.empty()) {
    JINJA_TRY(auto bound, bind("map", args, {"attribute", "default"}));
    if (!bound[0].given()) return raise("map requires a filter argument");
    for (const Value& item : all) {
      JINJA_TRY(Value mapped, at_path(interp, item, bound[0], bound[1]));
      out.push_back(std::move(mapped));
    }
  } else {
    if (!args.positional[0].is(Kind::string)) return raise("map: the name of a filter must be a string");
    Args rest = after(args, 1);
    for (const Value& item : all) {
      JINJA_CHECK(interp.spend(1));
      JINJA_TRY(Value mapped, interp.apply_filter(args.positional[0].text(), item, rest));
      out.push_back(std::move(mapped));
    }
  }
  return interp.heap().generator(std::move(out));
}

Maybe<Value> select_items(Interp& interp, const Value& self, const Args& args, bool keep, bool by_attribute) {
  if (!truthy(self)) return interp.heap().generator({});
  std::vector<Value> out;
  JINJA_TRY(std::vector<Value> all, interp.iterate(self));
  size_t name_at = by_attribute ? 1 : 0;
  if (args.positional.size() < name_at) return raise("missing parameter for attribute name");
  bool tested = args.positional.size() > name_at;
  if (tested && !args.positional[name_at].is(Kind::string)) return raise("the name of a test must be a string");
  Args rest = tested ? after(args, name_at + 1) : Args();
  for (const Value& item : all) {
    JINJA_CHECK(interp.spend(1));
    JINJA_TRY(Value value, at_path(interp, item, by_attribute ? args.positional[0] : Value()));
    bool holds = truthy(value);
    if (tested) {
      JINJA_TRY(holds, interp.apply_test(args.positional[name_at].text(), value, rest));
    }
    if (holds == keep) out.push_back(item);
  }
  return interp.heap().generator(std::move(out));
}
template <bool kKeep, bool kAttribute>
Maybe<Value> select(Interp& interp, const Value& self, const Args& args) {
  return select_items(interp, self, args, kKeep, kAttribute);
}

Maybe<Value> sort(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("sort", args, {"reverse", "case_sensitive", "attribute"}));
  JINJA_TRY(std::vector<Value> all, interp.iterate(self));
  std::vector<Value> paths;
  if (bound[2].is(Kind::string)) {
    std::string_view rest = bound[2].text();
    for (size_t comma = 0; comma != rest.npos; rest.remove_prefix(comma == rest.npos ? 0 : comma + 1)) {
      comma = rest.find(',');
      paths.push_back(interp.heap().string(std::string(rest.substr(0, comma))));
    }
  } else {
    paths.push_back(bound[2]);
  }
  std::vector<std::pair<Value, Value>> keyed;
  for (const Value& item : all) {
    std::vector<Value> key;
    for (const Value& path : paths) {
      JINJA_TRY(Value part, at_path(interp, item, path));
      key.push_back(fold_case(interp, part, truthy(bound[1])));
    }
    keyed.emplace_back(interp.heap().list(std::move(key)), item);
  }
  JINJA_CHECK(sort_by_key(interp, keyed, truthy(bound[0])));
  std::vector<Value> out;
  for (auto& [key, item] : keyed) out.push_back(std::move(item));
  return interp.new_list(std::move(out));
}

Maybe<Value> dict_sort(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("dictsort", args, {"case_sensitive", "by", "reverse"}));
  bool by_value = bound[1].is(Kind::string) && bound[1].text() == "value";
  if (bound[1].given() && !by_value && !(bound[1].is(Kind::string) && bound[1].text() == "key")) {
    return raise("You can only sort by either \"key\" or \"value\"");
  }
  if (self.undefined()) return raise(self.as<Undefined>().message);
  if (!self.is(Kind::dict)) return raise(repr_text(describe_type(self)) + " has no attribute 'items'");
  std::vector<std::pair<Value, Value>> keyed;
  for (const auto& [key, value] : self.dict().items) {
    keyed.emplace_back(fold_case(interp, by_value ? value : key, truthy(bound[0])), interp.heap().tuple({key, value}));
  }
  JINJA_CHECK(sort_by_key(interp, keyed, truthy(bound[2])));
  std::vector<Value> out;
  for (auto& [key, item] : keyed) out.push_back(std::move(item));
  return interp.new_list(std::move(out));
}

Maybe<Value> group_by(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("groupby", args, {"attribute", "default", "case_sensitive"}, 1));
  JINJA_TRY(std::vector<Value> all, interp.iterate(self));
  std::vector<std::pair<Value, Value>> keyed;
  for (const Value& item : all) {
    JINJA_TRY(Value key, at_path(interp, item, bound[0], bound[1]));
    keyed.emplace_back(fold_case(interp, key, truthy(bound[2])), item);
  }
  JINJA_CHECK(sort_by_key(interp, keyed, false));
  std::vector<Value> groups;
  for (size_t from = 0, to = 0; from < keyed.size(); from = to) {
    std::vector<Value> members;
    for (to = from; to < keyed.size(); ++to) {
      JINJA_TRY(bool same, equal(keyed[from].first, keyed[to].first));
      if (!same) break;
      members.push_back(keyed[to].second);
    }
    JINJA_TRY(Value key, at_path(interp, members[0], bound[0], bound[1]));
    groups.push_back(interp.heap().sequence(Kind::tuple, {key, interp.heap().list(std::move(members))}, "group"));
  }
  return interp.new_list(std::move(groups));
}

Maybe<Value> unique(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("unique", args, {"case_sensitive", "attribute"}));
  JINJA_TRY(std::vector<Value> all, interp.iterate(self));
  auto seen = interp.heap().dict();
  std::vector<Value> out;
  for (const Value& item : all) {
    JINJA_TRY(Value key, at_path(interp, item, bound[1]));
    key = fold_case(interp, key, truthy(bound[0]));
    JINJA_TRY(const Value* old, seen->find(key));
    if (old) continue;
    JINJA_CHECK(seen->set(key, Value::none()));
    out.push_back(item);
  }
  return interp.heap().generator(std::move(out));
}

Maybe<Value> extreme_item(Interp& interp, const Value& self, const Args& args, bool max) {
  JINJA_TRY(auto bound, bind(max ? "max" : "min", args, {"case_sensitive", "attribute"}));
  JINJA_TRY(std::vector<Value> all, interp.iterate(self));
  Value best, best_key;
  for (const Value& item : all) {
    JINJA_TRY(Value key, at_path(interp, item, bound[1]));
    key = fold_case(interp, key, truthy(bound[0]));
    bool better = !best.given();
    if (!better) {
      JINJA_TRY(better, max ? less(best_key, key, ">") : less(key, best_key));
    }
    if (!better) continue;
    best = item;
    best_key = key;
  }
  return best.given() ? best : interp.heap().undefined("No aggregated item, sequence was empty.");
}
template <bool kMax>
Maybe<Value> extreme(Interp& interp, const Value& self, const Args& args) {
  return extreme_item(interp, self, args, kMax);
}

Maybe<Value> sum(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("sum", args, {"attribute", "start"}));
  JINJA_TRY(std::vector<Value> all, interp.iterate(self));
  Value total = bound[1].given() ? bound[1] : Value::integer(0);
  if (total.is(Kind::string)) return raise("sum() can't sum strings [use ''.join(seq) instead]");
  for (const Value& item : all) {
    JINJA_TRY(Value value, at_path(interp, item, bound[0]));
    JINJA_TRY(total, interp.binary(Op::add, total, value));
  }
  return total;
}

Maybe<int64_t> whole_argument(const Value& value, std::string_view name) {
  if (!value.whole()) return raise(std::string(name) + " must be an integer");
  return value.as_int();
}

Maybe<Value> batch(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("batch", args, {"linecount", "fill_with"}, 1));
  JINJA_TRY(int64_t width, whole_argument(bound[0], "batch: linecount"));
  JINJA_TRY(std::vector<Value> all, interp.iterate(self));
  std::vector<Value> out, row;
  for (Value& item : all) {
    if (static_cast<int64_t>(row.size()) == width) out.push_back(interp.heap().list(std::exchange(row, {})));
    row.push_back(std::move(item));
  }
  if (!row.empty() && !bound[1].none_or_missing()) {
    int64_t missing = width - static_cast<int64_t>(row.size());
    if (missing > 0) JINJA_CHECK(interp.check_items(static_cast<size_t>(missing)));
    for (; missing > 0; --missing) row.push_back(bound[1]);
  }
  if (!row.empty()) out.push_back(interp.heap().list(std::move(row)));
  return interp.heap().generator(std::move(out));
}

Maybe<Value> slices(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("slice", args, {"slices", "fill_with"}, 1));
  JINJA_TRY(int64_t count, whole_argument(bound[0], "slice: slices"));
  JINJA_TRY(std::vector<Value> all, interp.iterate(self));
  if (count == 0) return raise("integer division or modulo by zero");
  if (count < 0) return interp.heap().generator({});
  JINJA_CHECK(interp.check_items(static_cast<size_t>(count)));
  auto total = static_cast<int64_t>(all.size());
  std::vector<Value> out;
  auto from = all.begin();
  for (int64_t i = 0; i < count; ++i) {
    bool extra = i < total % count;
    auto to = from + total / count + (extra ? 1 : 0);
    std::vector<Value> part(from, to);
    if (!bound[1].none_or_missing() && !extra) part.push_back(bound[1]);
    out.push_back(interp.heap().list(std::move(part)));
    from = to;
  }
  return interp.heap().generator(std::move(out));
}

Maybe<Value> attr(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("attr", args, {"name"}, 1));
  if (!bound[0].is(Kind::string))
    return raise("attribute name must be string, not '" + std::string(type_name(bound[0])) + "'");
  const std::string& name = bound[0].text();
  if (self.is(Kind::dict) && !find_method(self, name) && !is_mutator(self, name))
    return interp.undefined_attribute(self, name);
  return interp.attribute(self, name);
}

constexpr Filter kFilters[] = {
    {{"length", length}},
    {{"count", length}},
    {{"default", default_to}},
    {{"d", default_to}},
    {{"items", items}},
    {{"list", list}},
    {{"first", first}},
    {{"last", last}},
    {{"reverse", reverse}},
    {{"join", join}},
    {{"map", map}},
    {{"select", select<true, false>}},
    {{"reject", select<false, false>}},
    {{"selectattr", select<true, true>}},
    {{"rejectattr", select<false, true>}},
    {{"sort", sort}},
    {{"dictsort", dict_sort}},
    {{"groupby", group_by}},
    {{"unique", unique}},
    {{"min", extreme<false>}},
    {{"max", extreme<true>}},
    {{"sum", sum}},
    {{"batch", batch}},
    {{"slice", slices}},
    {{"attr", attr}},
};

}  // namespace

std::span<const Filter> item_filters() { return kFilters; }

}  // namespace weft::jinja
