// Expressions.
#include "text/jinja/filters.h"
#include "text/jinja/interp.h"

namespace weft::jinja {

struct Interp::Deeper {
  explicit Deeper(int& depth) : depth_(depth) { ++depth_; }
  ~Deeper() { --depth_; }
  int& depth_;
};

Maybe<Value> Interp::eval(const Expr& expr) {
  Deeper deeper(depth_);
  if (depth_ > limits_.depth) return raise("calls and blocks are nested too deep (endless recursion?)", Code::limit);
  JINJA_CHECK(spend(1));
  Maybe<Value> value = eval_kind(expr);
  if (!value && value.error().trouble->line == 0) value.error().trouble->line = expr.line;
  return value;
}

Maybe<Value> Interp::eval_kind(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::literal:
      return eval_literal(expr);
    case ExprKind::name:
      return eval_name(expr);
    case ExprKind::tuple:
    case ExprKind::list:
      return eval_items(expr);
    case ExprKind::dict:
      return eval_dict(expr);
    case ExprKind::negate:
    case ExprKind::plus:
      return eval_sign(expr);
    case ExprKind::not_:
    case ExprKind::and_:
    case ExprKind::or_:
      return eval_logic(expr);
    case ExprKind::binary:
      return eval_binary(expr);
    case ExprKind::compare:
      return eval_compare(expr);
    case ExprKind::concat:
      return eval_concat(expr);
    case ExprKind::choose:
      return eval_choose(expr);
    case ExprKind::filter:
      return eval_filter(expr);
    case ExprKind::test:
      return eval_test(expr);
    case ExprKind::call:
      return eval_call(expr);
    case ExprKind::attribute:
    case ExprKind::item:
    case ExprKind::slice:
      return eval_access(expr);
    case ExprKind::space_attribute:
      break;
  }
  return raise("this can only be assigned to");
}

Maybe<bool> Interp::condition(const Expr& expr) {
  JINJA_TRY(Value value, eval(expr));
  return truthy(value);
}

Maybe<Value> Interp::eval_literal(const Expr& expr) {
  switch (expr.literal) {
    case Kind::boolean:
      return Value::boolean(expr.integer != 0);
    case Kind::integer:
      return Value::integer(expr.integer);
    case Kind::real:
      return Value::real(expr.real);
    case Kind::string: {
      Value& cached = cached_strings_[static_cast<size_t>(expr.slot)];
      if (!cached.given()) cached = heap_.string(expr.text);
      return cached;
    }
    default:
      return Value::none();
  }
}

Maybe<Value> Interp::eval_name(const Expr& expr) {
  if (const Value* value = scope_->find(expr.symbol)) return *value;
  return global(expr.symbol);
}

Maybe<Value> Interp::eval_items(const Expr& expr) {
  std::vector<Value> items;
  items.reserve(expr.parts.size());
  for (const Expr* part : expr.parts) {
    JINJA_TRY(Value item, eval(*part));
    items.push_back(std::move(item));
  }
  return heap_.sequence(expr.kind == ExprKind::list ? Kind::list : Kind::tuple, std::move(items));
}

Maybe<Value> Interp::eval_dict(const Expr& expr) {
  auto dict = heap_.dict();
  for (size_t i = 0; i + 1 < expr.parts.size(); i += 2) {
    JINJA_TRY(Value key, eval(*expr.parts[i]));
    JINJA_TRY(Value value, eval(*expr.parts[i + 1]));
    JINJA_CHECK(dict->set(std::move(key), std::move(value)));
  }
  return Value(dict);
}

Maybe<Value> Interp::eval_sign(const Expr& expr) {
  JINJA_TRY(Value value, eval(*expr.parts[0]));
  bool negate = expr.kind == ExprKind::negate;
  if (value.undefined()) return raise(value.as<Undefined>().message);
  if (value.is(Kind::real)) return Value::real(negate ? -value.as_real() : value.as_real());
  if (!value.whole()) {
    return raise(std::string("bad operand type for unary ") + (negate ? "-" : "+") + ": '" +
                 std::string(type_name(value)) + "'");
  }
  if (negate && value.as_int() == INT64_MIN) return raise("integer overflow: numbers have 64 bits");
  return Value::integer(negate ? -value.as_int() : value.as_int());
}

Maybe<Value> Interp::eval_logic(const Expr& expr) {
  JINJA_TRY(Value left, eval(*expr.parts[0]));
  if (expr.kind == ExprKind::not_) return Value::boolean(!truthy(left));
  if (truthy(left) == (expr.kind == ExprKind::or_)) return left;
  return eval(*expr.parts[1]);
}

Maybe<Value> Interp::eval_binary(const Expr& expr) {
  JINJA_TRY(Value left, eval(*expr.parts[0]));
  JINJA_TRY(Value right, eval(*expr.parts[1]));
  return binary(expr.ops[0], left, right);
}

Maybe<Value> Interp::eval_compare(const Expr& expr) {
  JINJA_TRY(Value left, eval(*expr.parts[0]));
  for (size_t i = 0; i < expr.ops.size(); ++i) {
    JINJA_TRY(Value right, eval(*expr.parts[i + 1]));
    JINJA_TRY(bool holds, compare(expr.ops[i], left, right));
    if (!holds) return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

Maybe<Value> Interp::eval_concat(const Expr& expr) {
  std::string text;
  for (const Expr* part : expr.parts) {
    JINJA_TRY(Value value, eval(*part));
    JINJA_TRY(std::string piece, str(value));
    JINJA_CHECK(check_size(text.size() + piece.size()));
    text += piece;
  }
  return new_string(std::move(text));
}

Maybe<Value> Interp::eval_choose(const Expr& expr) {
  JINJA_TRY(bool holds, condition(*expr.parts[0]));
  if (holds) return eval(*expr.parts[1]);
  if (expr.parts[2]) return eval(*expr.parts[2]);
  return heap_.undefined("the inline if-expression on line " + std::to_string(expr.line) +
                         " evaluated to false and no else section was defined");
}

Maybe<Args> Interp::eval_arguments(const Arguments& arguments) {
  Args args;
  args.positional.reserve(arguments.positional.size());
  for (const Expr* expr : arguments.positional) {
    JINJA_TRY(Value value, eval(*expr));
    args.positional.push_back(std::move(value));
  }
  for (const auto& [name, expr] : arguments.named) {
    JINJA_TRY(Value value, eval(*expr));
    args.named.emplace_back(name, std::move(value));
  }
  if (arguments.star) {
    JINJA_TRY(Value value, eval(*arguments.star));
    JINJA_TRY(std::vector<Value> more, iterate(value));
    for (Value& each : more) args.positional.push_back(std::move(each));
  }
  if (arguments.star_star) {
    JINJA_TRY(Value value, eval(*arguments.star_star));
    if (!value.is(Kind::dict))
      return raise("argument after ** must be a mapping, not " + std::string(type_name(value)));
    for (const auto& [key, each] : value.dict().items) {
      if (!key.is(Kind::string)) return raise("keywords must be strings");
      for (const auto& [name, ignored] : args.named) {
        if (name == key.text()) return raise("got multiple values for keyword argument " + repr_text(name));
      }
      args.named.emplace_back(std::string_view(key.text()), each);
      args.keep.push_back(key);
    }
  }
  return args;
}

Maybe<Value> Interp::eval_filter(const Expr& expr) {
  if (!expr.filter) return raise("no filter named '" + expr.text + "'");
  Value input = filter_input_;
  if (expr.parts[0]) {
    JINJA_TRY(input, eval(*expr.parts[0]));
  }
  JINJA_TRY(Args args, eval_arguments(expr.arguments));
  return expr.filter->call(*this, input, args);
}

Maybe<Value> Interp::eval_test(const Expr& expr) {
  if (!expr.test) return raise("no test named '" + expr.text + "'");
  JINJA_TRY(Value input, eval(*expr.parts[0]));
  JINJA_TRY(Args args, eval_arguments(expr.arguments));
  return expr.test->call(*this, input, args);
}

Maybe<Value> Interp::eval_call(const Expr& expr) {
  const Expr& callee = *expr.parts[0];
  if (callee.kind == ExprKind::attribute) {  // a method: without making a value of it first
    JINJA_TRY(Value object, eval(*callee.parts[0]));
    const Named* method = is_mutator(object, callee.text) ? nullptr : find_method(object, callee.text);
    if (method) {
      JINJA_TRY(Args args, eval_arguments(expr.arguments));
      return method->call(*this, object, args);
    }
    JINJA_TRY(Value function, attribute(object, callee.text));
    JINJA_TRY(Args args, eval_arguments(expr.arguments));
    return call(function, args);
  }
  JINJA_TRY(Value function, eval(callee));
  JINJA_TRY(Args args, eval_arguments(expr.arguments));
  return call(function, args);
}

Maybe<Value> Interp::eval_access(const Expr& expr) {
  JINJA_TRY(Value object, eval(*expr.parts[0]));
  if (expr.kind == ExprKind::attribute) return attribute(object, expr.text);
  Value keys[3];
  for (size_t i = 1; i < expr.parts.size(); ++i) {
    if (!expr.parts[i]) continue;
    JINJA_TRY(keys[i - 1], eval(*expr.parts[i]));
  }
  if (expr.kind == ExprKind::item) return item(object, keys[0]);
  return slice(object, keys[0], keys[1], keys[2]);
}

Maybe<Value> Interp::call(const Value& callee, const Args& args) {
  switch (callee.kind()) {
    case Kind::undefined:
      return raise(callee.as<Undefined>().message);
    case Kind::function: {
      const auto& function = callee.as<Function>();
      return function.macro ? call_macro(function, args) : function.native(*this, function.self, args);
    }
    case Kind::loop:
      return recurse(callee.as<Loop>(), args);
    case Kind::joiner:
      return call_cycler(*this, callee, args);
    default:
      return raise("'" + std::string(type_name(callee)) + "' object is not callable");
  }
}

Value Interp::bind_method(const Named& method, const Value& self) {
  auto function = heap_.make<Function>(0);
  function->name = method.name;
  function->native = method.call;
  function->self = self;
  return Value(function);
}

Maybe<Value> Interp::undefined_attribute(const Value& object, std::string_view name) {
  return heap_.undefined(repr_text(describe_type(object)) + " has no attribute " + repr_text(name));
}

Maybe<Value> Interp::attribute(const Value& object, std::string_view name) {
  if (object.undefined()) return raise(object.as<Undefined>().message);
  if (is_mutator(object, name) || (name.starts_with("__") && name.ends_with("__") && name.size() > 4)) {
    return heap_.undefined("access to attribute " + repr_text(name) + " of " + repr_text(type_name(object)) +
                           " object is unsafe.");
  }
  if (const Named* method = find_method(object, name)) return bind_method(*method, object);
  switch (object.kind()) {
    case Kind::loop:
      return loop_attribute(object.as<Loop>(), name);
    case Kind::dict:
    case Kind::space:
      if (const Value* value = object.dict().find(name)) return *value;
      break;
    case Kind::tuple:
      if (object.as<Sequence>().type == "group" && (name == "grouper" || name == "list")) {
        return object.items()[name == "list" ? 1 : 0];
      }
      break;
    case Kind::cycler:
      if (name == "current") return object.as<Cycler>().items[object.as<Cycler>().at];
      break;
    case Kind::function:
      if (const Macro* macro = object.as<Function>().macro) {
        if (name == "name") return heap_.string(macro->name);
        if (name == "caller") return Value::boolean(macro->uses_caller);
        if (name == "catch_kwargs") return Value::boolean(macro->uses_kwargs);
        if (name == "catch_varargs") return Value::boolean(macro->uses_varargs);
        if (name == "arguments") {
          std::vector<Value> names;
          for (auto each : macro->names) names.push_back(heap_.string(std::string(each)));
          return heap_.tuple(std::move(names));
        }
      }
      break;
    default:
      break;
  }
  return undefined_attribute(object, name);
}

Maybe<Value> Interp::item(const Value& object, const Value& key) {
  if (object.undefined()) return raise(object.as<Undefined>().message);
  switch (object.kind()) {
    case Kind::string:
      if (key.whole()) {
        auto size = static_cast<int64_t>(text_length(object)), at = key.as_int();
        if (at < 0) at += size;
        if (at >= 0 && at < size) return slice(object, Value::integer(at), Value::integer(at + 1), Value::none());
      }
      break;
    case Kind::list:
    case Kind::tuple:
    case Kind::range:
      if (key.whole()) {
        auto size = static_cast<int64_t>(object.items().size()), at = key.as_int();
        if (at < 0) at += size;
        if (at >= 0 && at < size) return object.items()[static_cast<size_t>(at)];
      }
      break;
    case Kind::dict: {
      auto found = object.dict().find(key);
      if (!found && found.error().trouble->code == Code::limit) return std::unexpected<Fault>(std::move(found).error());
      if (found && *found) return **found;
      break;
    }
    default:
      break;
  }
  if (key.is(Kind::string)) {
    if (object.is(Kind::dict) && !find_method(object, key.text()) && !is_mutator(object, key.text())) {
      return undefined_attribute(object, key.text());
    }
    return attribute(object, key.text());
  }
  JINJA_TRY(std::string name, repr(key));
  return heap_.undefined(describe_type(object) + " has no element " + name);
}

}  // namespace weft::jinja
