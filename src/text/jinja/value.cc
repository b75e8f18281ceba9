#include "text/jinja/value.h"

#include <cmath>
#include <functional>

#include "base/utf8.h"

namespace weft::jinja {

std::unexpected<Fault> raise(std::string text, Code code) {
  return std::unexpected<Fault>(Fault{std::make_unique<Trouble>(code, std::move(text), 0)});
}

void retain(Object* object) { ++object->references; }

// Freeing one object can free its children: they are queued, so that a long chain does not exhaust the stack.
void release(Object* object) {
  if (--object->references != 0) return;
  Heap& heap = *object->heap;
  heap.dead_.push_back(object);
  if (heap.freeing_) return;
  heap.freeing_ = true;
  while (!heap.dead_.empty()) {
    Object* dead = heap.dead_.back();
    heap.dead_.pop_back();
    (dead->previous ? dead->previous->next : heap.first_) = dead->next;
    if (dead->next) dead->next->previous = dead->previous;
    heap.live_ -= dead->bytes;
    delete dead;
  }
  heap.freeing_ = false;
}

Heap::~Heap() {
  // Whatever is left refers to itself in a circle: hold everything, cut the references, then free.
  for (Object* object = first_; object; object = object->next) ++object->references;
  for (Object* object = first_; object; object = object->next) object->clear();
  while (first_) {
    Object* object = first_;
    first_ = object->next;
    delete object;
  }
}

void Heap::adopt(Object* object, size_t bytes) {
  object->heap = this;
  object->next = first_;
  if (first_) first_->previous = object;
  first_ = object;
  charge(object, bytes);
}

void Heap::charge(Object* object, size_t bytes) {
  object->bytes += bytes;
  live_ += bytes;
}

Value Heap::string(std::string text, bool markup) {
  auto object = make<String>(text.size());
  object->text = std::move(text);
  object->markup = markup;
  return Value(object);
}

Value Heap::undefined(std::string message) {
  auto object = make<Undefined>(message.size());
  object->message = std::move(message);
  return Value(object);
}

Value Heap::sequence(Kind kind, std::vector<Value> items, std::string_view type) {
  auto object = make<Sequence>(items.size() * sizeof(Value), kind);
  object->items = std::move(items);
  object->type = type;
  return Value(object);
}

Value Value::boolean(bool value) {
  Value result(Kind::boolean);
  result.number_.whole = value ? 1 : 0;
  return result;
}
Value Value::integer(int64_t value) {
  Value result(Kind::integer);
  result.number_.whole = value;
  return result;
}
Value Value::real(double value) {
  Value result(Kind::real);
  result.number_.real = value;
  return result;
}
Value::Value(Object* object) : kind_(object->kind) {
  number_.object = object;
  retain(object);
}
Value::Value(const Value& other) : kind_(other.kind_), number_(other.number_) {
  if (Object* object = this->object()) retain(object);
}
Value::Value(Value&& other) noexcept : kind_(other.kind_), number_(other.number_) {
  other.kind_ = Kind::missing;
  other.number_.whole = 0;
}
Value& Value::operator=(Value other) noexcept {
  std::swap(kind_, other.kind_);
  std::swap(number_, other.number_);
  return *this;
}
Value::~Value() {
  if (Object* object = this->object()) release(object);
}
const std::string& Value::text() const { return as<String>().text; }
std::vector<Value>& Value::items() const { return as<Sequence>().items; }
Dict& Value::dict() const { return as<Dict>(); }

namespace {

constexpr size_t kIndexFrom = 12;  // below this many items a scan is faster than a table

}  // namespace

const Value* Dict::find(std::string_view key) const {
  if (index_.empty()) {
    for (const auto& [name, value] : items) {
      if (name.is(Kind::string) && name.text() == key) return &value;
    }
    return nullptr;
  }
  auto [at, end] = index_.equal_range(std::hash<std::string_view>()(key));
  for (; at != end; ++at) {
    const auto& [name, value] = items[at->second];
    if (name.is(Kind::string) && name.text() == key) return &value;
  }
  return nullptr;
}

Maybe<const Value*> Dict::find(const Value& key) const {
  if (key.is(Kind::string)) return find(std::string_view(key.text()));
  JINJA_TRY(size_t wanted, hash(key));
  if (index_.empty()) {
    for (const auto& [name, value] : items) {
      JINJA_TRY(bool same, equal(name, key));
      if (same) return &value;
    }
    return nullptr;
  }
  auto [at, end] = index_.equal_range(wanted);
  for (; at != end; ++at) {
    const auto& [name, value] = items[at->second];
    JINJA_TRY(bool same, equal(name, key));
    if (same) return &value;
  }
  return nullptr;
}

void Dict::append(size_t key_hash, Value key, Value value) {
  items.emplace_back(std::move(key), std::move(value));
  heap->charge(this, 2 * sizeof(Value));
  if (items.size() < kIndexFrom) return;
  if (items.size() == kIndexFrom) {
    for (size_t i = 0; i + 1 < items.size(); ++i) index_.emplace(*hash(items[i].first), static_cast<uint32_t>(i));
  }
  index_.emplace(key_hash, static_cast<uint32_t>(items.size() - 1));
}

Done Dict::set(Value key, Value value) {
  JINJA_TRY(size_t key_hash, hash(key));
  JINJA_TRY(const Value* old, find(key));
  if (old) {
    *const_cast<Value*>(old) = std::move(value);
  } else {
    append(key_hash, std::move(key), std::move(value));
  }
  return {};
}

void Dict::set_text(Value key, Value value) {
  if (const Value* old = find(std::string_view(key.text()))) {
    *const_cast<Value*>(old) = std::move(value);
    return;
  }
  size_t key_hash = std::hash<std::string_view>()(key.text());
  append(key_hash, std::move(key), std::move(value));
}

std::string_view type_name(const Value& value) {
  switch (value.kind()) {
    case Kind::missing:
    case Kind::undefined:
      return "Undefined";
    case Kind::none:
      return "NoneType";
    case Kind::boolean:
      return "bool";
    case Kind::integer:
      return "int";
    case Kind::real:
      return "float";
    case Kind::string:
      return value.as<String>().markup ? "Markup" : "str";
    case Kind::list:
      return "list";
    case Kind::tuple:
      return value.as<Sequence>().type == "group" ? "_GroupTuple" : "tuple";
    case Kind::range:
      return "range";
    case Kind::view:
    case Kind::generator:
      return value.as<Sequence>().type;
    case Kind::dict:
      return "dict";
    case Kind::space:
      return "Namespace";
    case Kind::function:
      return "function";
    case Kind::loop:
      return "LoopContext";
    case Kind::cycler:
      return "Cycler";
    case Kind::joiner:
      return "Joiner";
    case Kind::scope:
      return "scope";
  }
  return "object";
}

std::string describe_type(const Value& value) {
  if (value.is(Kind::none)) return "None";
  if (value.is(Kind::space)) return "jinja2.utils.Namespace object";
  return std::string(type_name(value)) + " object";
}

bool truthy(const Value& value) {
  switch (value.kind()) {
    case Kind::missing:
    case Kind::undefined:
    case Kind::none:
      return false;
    case Kind::boolean:
    case Kind::integer:
      return value.as_int() != 0;
    case Kind::real:
      return value.as_real() != 0;
    case Kind::string:
      return !value.text().empty();
    case Kind::list:
    case Kind::tuple:
    case Kind::range:
    case Kind::view:
      return !value.items().empty();
    case Kind::dict:
      return !value.dict().items.empty();
    default:
      return true;
  }
}

size_t text_length(const Value& string) {
  const auto& object = string.as<String>();
  if (object.length < 0) {
    int64_t count = 0;
    for (size_t at = 0; at < object.text.size(); at += static_cast<size_t>(decode_utf8(object.text, at).size)) ++count;
    object.length = count;
  }
  return static_cast<size_t>(object.length);
}

Maybe<bool> equal(const Value& a, const Value& b, int depth) {
  if (depth > kValueDepth) return raise("values nested too deep to compare", Code::limit);
  if (a.whole() && b.whole()) return a.as_int() == b.as_int();
  if (a.number() && b.number()) return a.as_real() == b.as_real();
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::undefined:
    case Kind::none:
      return true;
    case Kind::string:
      return a.text() == b.text();
    case Kind::list:
    case Kind::tuple:
    case Kind::range: {
      const auto &left = a.items(), &right = b.items();
      if (left.size() != right.size()) return false;
      if (&left == &right) return true;
      for (size_t i = 0; i < left.size(); ++i) {
        JINJA_TRY(bool same, equal(left[i], right[i], depth + 1));
        if (!same) return false;
      }
      return true;
    }
    case Kind::dict: {
      const auto &left = a.dict(), &right = b.dict();
      if (left.items.size() != right.items.size()) return false;
      for (const auto& [key, value] : left.items) {
        JINJA_TRY(const Value* other, right.find(key));
        if (!other) return false;
        JINJA_TRY(bool same, equal(value, *other, depth + 1));
        if (!same) return false;
      }
      return true;
    }
    default:
      return a.object() == b.object();
  }
}

Maybe<bool> less(const Value& a, const Value& b, std::string_view sign, int depth) {
  if (depth > kValueDepth) return raise("values nested too deep to compare", Code::limit);
  if (a.whole() && b.whole()) return a.as_int() < b.as_int();
  if (a.number() && b.number()) return a.as_real() < b.as_real();
  if (a.is(Kind::string) && b.is(Kind::string)) return a.text() < b.text();  // UTF-8 sorts as code points do
  for (const Value* side : {&a, &b}) {
    if (side->undefined()) return raise(side->as<Undefined>().message);
  }
  if ((a.is(Kind::list) && b.is(Kind::list)) || (a.is(Kind::tuple) && b.is(Kind::tuple))) {
    const auto &left = a.items(), &right = b.items();
    for (size_t i = 0; i < left.size() && i < right.size(); ++i) {
      JINJA_TRY(bool same, equal(left[i], right[i], depth + 1));
      if (!same) return less(left[i], right[i], sign, depth + 1);
    }
    return left.size() < right.size();
  }
  return raise("'" + std::string(sign) + "' not supported between instances of '" + std::string(type_name(a)) +
               "' and '" + std::string(type_name(b)) + "'");
}

Maybe<size_t> hash(const Value& value, int depth) {
  if (depth > kValueDepth) return raise("values nested too deep to hash", Code::limit);
  switch (value.kind()) {
    case Kind::boolean:
    case Kind::integer:
      return std::hash<int64_t>()(value.as_int());
    case Kind::real: {
      double real = value.as_real();
      if (std::trunc(real) == real && std::fabs(real) < 9e18) return std::hash<int64_t>()(static_cast<int64_t>(real));
      return std::hash<double>()(real);
    }
    case Kind::string:
      return std::hash<std::string_view>()(value.text());
    case Kind::tuple: {
      size_t all = 17;
      for (const Value& item : value.items()) {
        JINJA_TRY(size_t one, hash(item, depth + 1));
        all = all * 31 + one;
      }
      return all;
    }
    case Kind::list:
    case Kind::dict:
      return raise("unhashable type: '" + std::string(type_name(value)) + "'");
    case Kind::none:
    case Kind::undefined:
    case Kind::missing:
      return static_cast<size_t>(value.kind());
    default:
      return std::hash<const void*>()(value.object());
  }
}

Maybe<std::vector<Value>> iterate(Heap& heap, const Value& value) {
  switch (value.kind()) {
    case Kind::undefined:
      return std::vector<Value>{};
    case Kind::list:
    case Kind::tuple:
    case Kind::range:
    case Kind::view:
      return value.items();
    case Kind::generator: {
      auto& generator = value.as<Sequence>();
      std::vector<Value> rest(generator.items.begin() + static_cast<std::ptrdiff_t>(generator.taken),
                              generator.items.end());
      generator.taken = generator.items.size();
      return rest;
    }
    case Kind::dict: {
      std::vector<Value> keys;
      keys.reserve(value.dict().items.size());
      for (const auto& [key, ignored] : value.dict().items) keys.push_back(key);
      return keys;
    }
    case Kind::string: {
      const std::string& text = value.text();
      std::vector<Value> characters;
      characters.reserve(text_length(value));
      for (size_t at = 0; at < text.size();) {
        size_t size = static_cast<size_t>(decode_utf8(text, at).size);
        characters.push_back(heap.string(text.substr(at, size), value.as<String>().markup));
        at += size;
      }
      return characters;
    }
    default:
      return raise("'" + std::string(type_name(value)) + "' object is not iterable");
  }
}

std::string escape_html(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '"':
        out += "&#34;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace weft::jinja
