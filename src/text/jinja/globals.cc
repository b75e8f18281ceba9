// Functions that every template has.
#include "text/jinja/interp.h"

namespace weft::jinja {

namespace {

constexpr int64_t kMaxRange = 100000;  // Jinja2's sandbox allows no longer ones

Maybe<Value> make_range(Interp& interp, const Value&, const Args& args) {
  if (!args.named.empty()) return raise("range() takes no keyword arguments");
  JINJA_TRY(auto bound, bind("range", args, {"start", "stop", "step"}, 1));
  for (const Value& value : bound) {
    if (value.undefined()) return raise(value.as<Undefined>().message);
    if (value.given() && !value.whole()) {
      return raise("'" + std::string(type_name(value)) + "' object cannot be interpreted as an integer");
    }
  }
  int64_t start = bound[1].given() ? bound[0].as_int() : 0;
  int64_t stop = bound[1].given() ? bound[1].as_int() : bound[0].as_int();
  int64_t step = bound[2].given() ? bound[2].as_int() : 1;
  if (step == 0) return raise("range() arg 3 must not be zero");
  std::vector<Value> items;
  for (int64_t at = start; step > 0 ? at < stop : at > stop;) {
    if (static_cast<int64_t>(items.size()) >= kMaxRange) {
      return raise("range() of more than " + std::to_string(kMaxRange) + " items", Code::limit);
    }
    items.push_back(Value::integer(at));
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  JINJA_CHECK(interp.spend(static_cast<int64_t>(items.size() / 4)));
  Value range = interp.heap().sequence(Kind::range, std::move(items));
  auto& object = range.as<Sequence>();
  object.start = start;
  object.stop = stop;
  object.step = step;
  return range;
}

Done fill(Interp& interp, Dict& dict, std::string_view callee, const Args& args) {
  if (args.positional.size() > 1) {
    return raise(std::string(callee) + " expected at most 1 argument, got " + std::to_string(args.positional.size()));
  }
  if (!args.positional.empty()) {
    const Value& from = args.positional[0];
    if (from.is(Kind::dict)) {
      for (const auto& [key, value] : from.dict().items) JINJA_CHECK(dict.set(key, value));
    } else {
      JINJA_TRY(std::vector<Value> pairs, interp.iterate(from));
      for (const Value& pair : pairs) {
        JINJA_TRY(std::vector<Value> both, interp.iterate(pair));
        if (both.size() != 2)
          return raise("dictionary update sequence element has length " + std::to_string(both.size()) +
                       "; 2 is required");
        JINJA_CHECK(dict.set(both[0], both[1]));
      }
    }
  }
  for (const auto& [name, value] : args.named) dict.set_text(interp.heap().string(std::string(name)), value);
  return interp.spend(static_cast<int64_t>(dict.items.size() / 4));
}

Maybe<Value> make_dict(Interp& interp, const Value&, const Args& args) {
  auto dict = interp.heap().dict();
  JINJA_CHECK(fill(interp, *dict, "dict", args));
  return Value(dict);
}

Maybe<Value> make_namespace(Interp& interp, const Value&, const Args& args) {
  auto space = interp.heap().dict(Kind::space);
  JINJA_CHECK(fill(interp, *space, "namespace", args));
  return Value(space);
}

Maybe<Value> make_cycler(Interp& interp, const Value&, const Args& args) {
  if (args.positional.empty() || !args.named.empty()) return raise("at least one item has to be provided to cycler()");
  auto cycler = interp.heap().make<Cycler>(args.positional.size() * sizeof(Value), Kind::cycler);
  cycler->items = args.positional;
  return Value(cycler);
}

Maybe<Value> make_joiner(Interp& interp, const Value&, const Args& args) {
  JINJA_TRY(auto bound, bind("joiner", args, {"sep"}));
  auto joiner = interp.heap().make<Cycler>(0, Kind::joiner);
  joiner->items = {bound[0].given() ? bound[0] : interp.heap().string(", ")};
  return Value(joiner);
}

Maybe<Value> raise_exception(Interp&, const Value&, const Args& args) {
  JINJA_TRY(auto bound, bind("raise_exception", args, {"message"}, 1));
  JINJA_TRY(std::string text, str(bound[0]));
  return raise(std::move(text));
}

Maybe<Value> strftime_now(Interp& interp, const Value&, const Args& args) {
  JINJA_TRY(auto bound, bind("strftime_now", args, {"format"}, 1));
  if (!bound[0].is(Kind::string)) return raise("strftime_now() needs a string");
  return interp.new_string(strftime(bound[0].text(), interp.now()));
}

}  // namespace

Maybe<Value> call_cycler(Interp& interp, const Value& self, const Args&) {
  auto& joiner = self.as<Cycler>();
  return joiner.at++ == 0 ? interp.heap().string("") : joiner.items[0];
}

const Named* find_global(std::string_view name) {
  static constexpr Named kGlobals[] = {
      {"range", make_range},          {"dict", make_dict},     {"namespace", make_namespace},
      {"cycler", make_cycler},        {"joiner", make_joiner}, {"raise_exception", raise_exception},
      {"strftime_now", strftime_now},
  };
  for (const Named& global : kGlobals) {
    if (global.name == name) return &global;
  }
  return nullptr;
}

}  // namespace weft::jinja
