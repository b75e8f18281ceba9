// Python's operators: arithmetic, comparison, slices.
#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "text/jinja/interp.h"

namespace weft::jinja {

namespace {

constexpr std::string_view kSigns[] = {"+", "-", "*", "/", "//", "%", "** or pow()"};

std::unexpected<Fault> unsupported(Op op, const Value& left, const Value& right) {
  return raise("unsupported operand type(s) for " + std::string(kSigns[static_cast<size_t>(op)]) + ": '" +
               std::string(type_name(left)) + "' and '" + std::string(type_name(right)) + "'");
}
std::unexpected<Fault> overflow() { return raise("integer overflow: numbers have 64 bits"); }

Maybe<Value> power(int64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) return raise("0.0 cannot be raised to a negative power");
    return Value::real(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  int64_t result = 1;
  if (base == 0 || base == 1) return Value::integer(exponent == 0 ? 1 : base);
  if (base == -1) return Value::integer(exponent % 2 ? -1 : 1);
  for (; exponent > 0; --exponent) {  // at most 63 rounds before it overflows
    if (__builtin_mul_overflow(result, base, &result)) return overflow();
  }
  return Value::integer(result);
}

Maybe<Value> whole_arithmetic(Op op, int64_t a, int64_t b) {
  int64_t result = 0;
  bool over = false;
  switch (op) {
    case Op::add:
      over = __builtin_add_overflow(a, b, &result);
      break;
    case Op::sub:
      over = __builtin_sub_overflow(a, b, &result);
      break;
    case Op::mul:
      over = __builtin_mul_overflow(a, b, &result);
      break;
    case Op::div:
      if (b == 0) return raise("division by zero");
      return Value::real(static_cast<double>(a) / static_cast<double>(b));
    case Op::floordiv:
    case Op::mod: {
      if (b == 0) return raise("integer division or modulo by zero");
      if (a == INT64_MIN && b == -1) {
        if (op == Op::mod) return Value::integer(0);
        return overflow();
      }
      int64_t quotient = a / b, rest = a % b;
      if (rest != 0 && (rest < 0) != (b < 0)) {
        --quotient;
        rest += b;
      }
      result = op == Op::floordiv ? quotient : rest;
      break;
    }
    default:
      return power(a, b);
  }
  if (over) return overflow();
  return Value::integer(result);
}

Maybe<Value> real_arithmetic(Op op, double a, double b) {
  switch (op) {
    case Op::add:
      return Value::real(a + b);
    case Op::sub:
      return Value::real(a - b);
    case Op::mul:
      return Value::real(a * b);
    case Op::div:
      if (b == 0) return raise("float division by zero");
      return Value::real(a / b);
    case Op::floordiv:
    case Op::mod: {
      if (b == 0) return raise(op == Op::mod ? "float modulo" : "float floor division by zero");
      double rest = std::fmod(a, b);
      double quotient = (a - rest) / b;
      if (rest != 0 && (rest < 0) != (b < 0)) {
        rest += b;
        quotient -= 1;
      } else if (rest == 0) {
        rest = std::copysign(0.0, b);
      }
      if (op == Op::mod) return Value::real(rest);
      double floored = std::floor(quotient);
      if (quotient - floored > 0.5) floored += 1;
      return Value::real(quotient == 0 ? std::copysign(0.0, a / b) : floored);
    }
    default: {
      if (a == 0 && b < 0) return raise("0.0 cannot be raised to a negative power");
      if (a < 0 && std::floor(b) != b) return raise("complex numbers are not supported");
      double result = std::pow(a, b);
      if (std::isinf(result) && std::isfinite(a) && std::isfinite(b)) return raise("numerical result out of range");
      return Value::real(result);
    }
  }
}

bool slot(const Value& value) { return value.is(Kind::list) || value.is(Kind::tuple); }

}  // namespace

Maybe<Value> Interp::binary(Op op, const Value& left, const Value& right) {
  for (const Value* side : {&left, &right}) {
    if (side->undefined() && !(op == Op::mod && left.is(Kind::string))) return raise(side->as<Undefined>().message);
  }
  if (left.whole() && right.whole()) return whole_arithmetic(op, left.as_int(), right.as_int());
  if (left.number() && right.number()) return real_arithmetic(op, left.as_real(), right.as_real());
  if (op == Op::mod && left.is(Kind::string)) {
    JINJA_TRY(std::string text, format_percent(*this, left, right));
    return new_string(std::move(text), left.as<String>().markup);
  }
  if (op == Op::add) {
    if (left.is(Kind::string) && right.is(Kind::string)) {
      bool left_markup = left.as<String>().markup, right_markup = right.as<String>().markup;
      JINJA_CHECK(check_size(left.text().size() + right.text().size()));
      if (left_markup == right_markup) return new_string(left.text() + right.text(), left_markup);
      return new_string(left_markup ? left.text() + escape_html(right.text()) : escape_html(left.text()) + right.text(),
                        true);
    }
    if (left.kind() == right.kind() && slot(left)) {
      std::vector<Value> items = left.items();
      items.insert(items.end(), right.items().begin(), right.items().end());
      JINJA_CHECK(spend(static_cast<int64_t>(items.size() / 4)));
      return heap_.sequence(left.kind(), std::move(items));
    }
    if (left.is(Kind::string) || slot(left)) {
      return raise("can only concatenate " + std::string(type_name(left)) + " (not \"" + std::string(type_name(right)) +
                   "\") to " + std::string(type_name(left)));
    }
  }
  if (op == Op::mul && (left.whole() || right.whole())) {
    const Value& many = left.whole() ? right : left;
    int64_t times = std::max<int64_t>(0, left.whole() ? left.as_int() : right.as_int());
    if (many.is(Kind::string)) {
      const std::string& text = many.text();
      if (!text.empty() && static_cast<uint64_t>(times) > limits_.output / text.size()) {
        JINJA_CHECK(check_size(SIZE_MAX));
      }
      std::string out;
      out.reserve(text.size() * static_cast<size_t>(times));
      for (int64_t i = 0; i < times && !text.empty(); ++i) out += text;
      return new_string(std::move(out), many.as<String>().markup);
    }
    if (slot(many)) {
      size_t size = many.items().size();
      if (size > 0)
        JINJA_CHECK(
            check_items(static_cast<uint64_t>(times) > kMaxItems ? SIZE_MAX : size * static_cast<size_t>(times)));
      std::vector<Value> items;
      for (int64_t i = 0; i < times && size > 0; ++i)
        items.insert(items.end(), many.items().begin(), many.items().end());
      JINJA_CHECK(spend(static_cast<int64_t>(items.size() / 4)));
      return heap_.sequence(many.kind(), std::move(items));
    }
  }
  return unsupported(op, left, right);
}

Maybe<bool> Interp::compare(Op op, const Value& left, const Value& right) {
  switch (op) {
    case Op::eq:
      return equal(left, right);
    case Op::ne:
      return equal(left, right).transform([](bool same) { return !same; });
    case Op::lt:
      return less(left, right, "<");
    case Op::gt:
      return less(right, left, ">");
    case Op::le: {
      if (left.is(Kind::real) || right.is(Kind::real)) {  // NaN is neither less nor greater
        if (left.number() && right.number()) return left.as_real() <= right.as_real();
      }
      return less(right, left, "<=").transform([](bool greater) { return !greater; });
    }
    case Op::ge: {
      if (left.number() && right.number() && (left.is(Kind::real) || right.is(Kind::real))) {
        return left.as_real() >= right.as_real();
      }
      return less(left, right, ">=").transform([](bool smaller) { return !smaller; });
    }
    case Op::not_in:
      return compare(Op::in, left, right).transform([](bool inside) { return !inside; });
    default:
      break;
  }
  if (right.is(Kind::string)) {
    if (!left.is(Kind::string)) {
      return raise("'in <string>' requires string as left operand, not " + std::string(type_name(left)));
    }
    JINJA_CHECK(spend(static_cast<int64_t>(right.text().size() / 64)));
    return right.text().find(left.text()) != std::string::npos;
  }
  if (right.is(Kind::dict)) {
    JINJA_TRY(const Value* found, right.dict().find(left));
    return found != nullptr;
  }
  if (!right.sequence() && !right.undefined()) {
    return raise("argument of type '" + std::string(type_name(right)) + "' is not iterable");
  }
  JINJA_TRY(std::vector<Value> items, iterate(right));
  for (const Value& item : items) {
    JINJA_TRY(bool same, equal(item, left));
    if (same) return true;
  }
  return false;
}

Maybe<Value> Interp::slice(const Value& object, const Value& start, const Value& stop, const Value& step) {
  if (object.undefined()) return raise(object.as<Undefined>().message);
  bool text = object.is(Kind::string);
  if (object.is(Kind::dict)) return raise("unhashable type: 'slice'");
  if (!text && !slot(object) && !object.is(Kind::range)) {
    return raise("'" + std::string(type_name(object)) + "' object is not subscriptable");
  }
  for (const Value* each : {&start, &stop, &step}) {
    if (!each->none_or_missing() && !each->whole()) return raise("slice indices must be integers or None");
  }
  auto size = static_cast<int64_t>(text ? text_length(object) : object.items().size());
  int64_t by = step.none_or_missing() ? 1 : step.as_int();
  if (by == 0) return raise("slice step cannot be zero");
  by = std::max(by, -INT64_MAX);
  auto bound = [&](const Value& value, int64_t otherwise) {
    if (value.none_or_missing()) return otherwise;
    int64_t at = value.as_int();
    if (at < 0) at = at < -size ? -1 : at + size;
    if (at < 0) return by < 0 ? int64_t{-1} : int64_t{0};
    return std::min(at, by < 0 ? size - 1 : size);
  };
  int64_t from = bound(start, by < 0 ? size - 1 : 0), to = bound(stop, by < 0 ? -1 : size);
  if (text && by == 1) {
    const std::string& all = object.text();
    if (from >= to) return new_string("", object.as<String>().markup);
    size_t begin = static_cast<size_t>(from), end = static_cast<size_t>(to);
    if (all.size() != static_cast<size_t>(size)) {  // not ASCII: count characters
      size_t at = 0;
      int64_t index = 0;
      for (; index < from; ++index) at += static_cast<size_t>(decode_utf8(all, at).size);
      begin = at;
      for (; index < to; ++index) at += static_cast<size_t>(decode_utf8(all, at).size);
      end = at;
      JINJA_CHECK(spend(static_cast<int64_t>(end / 16)));
    }
    return new_string(all.substr(begin, end - begin), object.as<String>().markup);
  }
  std::vector<Value> items = text ? std::vector<Value>() : object.items();
  if (text) {
    JINJA_TRY(items, iterate(object));
  }
  std::vector<Value> picked;
  std::string joined;
  for (int64_t at = from; by > 0 ? at < to : at > to;) {
    const Value& item = items[static_cast<size_t>(at)];
    if (text) {
      joined += item.text();
    } else {
      picked.push_back(item);
    }
    if (__builtin_add_overflow(at, by, &at)) break;
  }
  if (text) return new_string(std::move(joined), object.as<String>().markup);
  JINJA_CHECK(spend(static_cast<int64_t>(picked.size() / 4)));
  Value result = heap_.sequence(object.kind(), std::move(picked));
  if (object.is(Kind::range)) {
    const auto& whole = object.as<Sequence>();
    auto& part = result.as<Sequence>();
    part.start = whole.start + from * whole.step;
    part.stop = whole.start + to * whole.step;
    part.step = whole.step * by;
  }
  return result;
}

}  // namespace weft::jinja
