// Setting up and limits; the context's way into the template.
#include "text/jinja/interp.h"

#include "text/jinja/filters.h"

namespace weft::jinja {

Interp::Interp(const Program& program, const OrderedJson& context, Globals globals, Limits limits)
    : program_(program), context_(context), globals_(std::move(globals)), limits_(limits) {
  cached_globals_.resize(program.symbols.size());
  cached_strings_.resize(static_cast<size_t>(program.slots));
}

Maybe<std::string> Interp::render() {
  std::string out;
  out_ = &out;
  root_ = heap_.make<Scope>(0);
  scope_ = root_;
  JINJA_TRY(Flow flow, exec(program_.body));
  (void)flow;
  return out;
}

Done Interp::spend(int64_t count) {
  steps_ += count;
  if (steps_ > limits_.steps) {
    return raise("the template takes more than " + std::to_string(limits_.steps) + " steps", Code::limit);
  }
  if (heap_.live_bytes() > limits_.memory) {
    return raise("the template's values take more than " + std::to_string(limits_.memory >> 20) + " MiB", Code::limit);
  }
  return {};
}

Done Interp::check_size(size_t bytes) const {
  if (bytes <= limits_.output) return {};
  return raise("a text of more than " + std::to_string(limits_.output >> 20) + " MiB", Code::limit);
}

Done Interp::check_items(size_t count) const {
  if (count <= kMaxItems) return {};
  return raise("a list of more than " + std::to_string(kMaxItems) + " items", Code::limit);
}

Maybe<Value> Interp::new_string(std::string text, bool markup) {
  JINJA_CHECK(check_size(text.size()));
  JINJA_CHECK(spend(static_cast<int64_t>(text.size() / 64)));
  return heap_.string(std::move(text), markup);
}

Maybe<Value> Interp::new_list(std::vector<Value> items) {
  JINJA_CHECK(spend(static_cast<int64_t>(items.size() / 4)));
  return heap_.list(std::move(items));
}

Maybe<std::vector<Value>> Interp::iterate(const Value& value) {
  if (value.is(Kind::string)) JINJA_CHECK(check_items(text_length(value)));
  JINJA_TRY(std::vector<Value> items, jinja::iterate(heap_, value));
  JINJA_CHECK(spend(static_cast<int64_t>(items.size() / 4)));
  return items;
}

Maybe<Value> Interp::apply_filter(std::string_view name, const Value& value, const Args& args) {
  const Filter* filter = find_filter(name);
  if (!filter) return raise("no filter named '" + std::string(name) + "'");
  return filter->call(*this, value, args);
}

Maybe<bool> Interp::apply_test(std::string_view name, const Value& value, const Args& args) {
  const Test* test = find_test(name);
  if (!test) return raise("no test named '" + std::string(name) + "'");
  JINJA_TRY(Value result, test->call(*this, value, args));
  return truthy(result);
}

// Depth is bounded where JSON is parsed (parse_ordered_json).
Maybe<Value> Interp::from_json(const OrderedJson& json) {
  JINJA_CHECK(spend(1));
  switch (json.type()) {
    case OrderedJson::value_t::boolean:
      return Value::boolean(*json.get_ptr<const bool*>());
    case OrderedJson::value_t::number_integer:
      return Value::integer(*json.get_ptr<const int64_t*>());
    case OrderedJson::value_t::number_unsigned: {
      uint64_t number = *json.get_ptr<const uint64_t*>();
      if (number > INT64_MAX) return raise("the number " + std::to_string(number) + " in the context exceeds 64 bits");
      return Value::integer(static_cast<int64_t>(number));
    }
    case OrderedJson::value_t::number_float:
      return Value::real(*json.get_ptr<const double*>());
    case OrderedJson::value_t::string:
      return new_string(*json.get_ptr<const std::string*>());
    case OrderedJson::value_t::array: {
      std::vector<Value> items;
      items.reserve(json.size());
      for (const auto& each : json) {
        JINJA_TRY(Value item, from_json(each));
        items.push_back(std::move(item));
      }
      return heap_.list(std::move(items));
    }
    case OrderedJson::value_t::object: {
      auto dict = heap_.dict();
      for (auto each = json.begin(); each != json.end(); ++each) {
        JINJA_TRY(Value item, from_json(each.value()));
        dict->set_text(heap_.string(each.key()), std::move(item));
      }
      return Value(dict);
    }
    default:
      return Value::none();
  }
}

// A name that no scope holds: from the context, the caller's variables, or the language.
Maybe<Value> Interp::global(int symbol) {
  Value& cached = cached_globals_[static_cast<size_t>(symbol)];
  if (cached.given()) return cached;
  const std::string& name = program_.symbols[static_cast<size_t>(symbol)];
  if (const OrderedJson* json = json_member(context_, name)) {
    JINJA_TRY(cached, from_json(*json));
    return cached;
  }
  for (const auto& [variable, text] : globals_.variables) {
    if (variable != name) continue;
    cached = heap_.string(text);
    return cached;
  }
  const Named* function = name == "strftime_now" && globals_.now.empty() ? nullptr : find_global(name);
  cached = function ? bind_method(*function, {}) : heap_.undefined(repr_text(name) + " is undefined");
  return cached;
}

Maybe<std::vector<Value>> bind(std::string_view callee, const Args& args, std::span<const std::string_view> names,
                               size_t required) {
  std::vector<Value> values(names.size());
  if (args.positional.size() > names.size()) {
    return raise(std::string(callee) + "() takes at most " + std::to_string(names.size()) + " argument(s), " +
                 std::to_string(args.positional.size()) + " given");
  }
  std::copy(args.positional.begin(), args.positional.end(), values.begin());
  for (const auto& [name, value] : args.named) {
    size_t at = 0;
    while (at < names.size() && names[at] != name) ++at;
    if (at == names.size()) {
      return raise(std::string(callee) + "() got an unexpected keyword argument " + repr_text(name));
    }
    if (values[at].given())
      return raise(std::string(callee) + "() got multiple values for argument " + repr_text(name));
    values[at] = value;
  }
  for (size_t i = 0; i < required; ++i) {
    std::string_view name = names[i].starts_with('*') ? names[i].substr(1) : names[i];
    if (!values[i].given()) return raise(std::string(callee) + "() missing required argument " + repr_text(name));
  }
  return values;
}

}  // namespace weft::jinja
