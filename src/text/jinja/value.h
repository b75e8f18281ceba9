// Values of the template language: what Python objects are to Jinja2.
//
//   Heap heap;
//   Value greeting = heap.string("hi");
//   Value list = heap.list({greeting, Value::integer(3)});
//   JINJA_TRY(std::string text, repr(list));        // ['hi', 3]
//
// A Value is 16 bytes: a kind and a number or a counted reference to an Object. All objects of one rendering belong to
// one Heap, which counts their bytes, frees them without recursion and ends the cycles that namespaces can make. A Heap
// and its values belong to one thread.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"

namespace weft::jinja {

// What went wrong in a template. The line is filled in where the error passes the first statement or call.
struct Trouble {
  Code code = Code::bad_template;
  std::string text;
  int line = 0;
};
struct Fault {
  std::unique_ptr<Trouble> trouble;
};
template <class T>
using Maybe = std::expected<T, Fault>;
using Done = Maybe<void>;
[[nodiscard]] std::unexpected<Fault> raise(std::string text, Code code = Code::bad_template);

#define JINJA_TRY(binding, ...) JINJA_TRY_AS(WEFT_CONCAT(jinja_maybe_, __LINE__), binding, __VA_ARGS__)
#define JINJA_TRY_AS(name, binding, ...)                             \
  auto name = (__VA_ARGS__);                                         \
  if (!name) return std::unexpected<Fault>(std::move(name).error()); \
  binding = *std::move(name)
#define JINJA_CHECK(...)                                                           \
  do {                                                                             \
    if (auto jinja_done = (__VA_ARGS__); !jinja_done)                              \
      return std::unexpected<::weft::jinja::Fault>(std::move(jinja_done).error()); \
  } while (0)

enum class Kind : uint8_t {
  missing,  // no value at all: an argument that was not given
  undefined,
  none,
  boolean,
  integer,
  real,
  string,
  list,
  tuple,
  range,
  view,       // dict.keys(), .values(), .items()
  generator,  // what lazy filters return: can be iterated once, has no length
  dict,
  space,  // namespace()
  function,
  loop,
  cycler,
  joiner,
  scope,  // never seen by templates
};

class Heap;

struct Object {
  explicit Object(Kind object_kind) : kind(object_kind) {}
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  virtual ~Object() = default;
  virtual void clear() {}  // drops what it refers to

  Heap* heap = nullptr;
  Object* previous = nullptr;
  Object* next = nullptr;
  size_t bytes = 0;
  uint32_t references = 0;
  Kind kind;
};

void retain(Object* object);
void release(Object* object);

template <class T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(T* object) : object_(object) {
    if (object_) retain(object_);
  }
  Ref(const Ref& other) : Ref(other.object_) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_) release(object_);
  }
  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  T* object_ = nullptr;
};

struct String;
struct Sequence;
struct Dict;

class Value {
 public:
  Value() { number_.whole = 0; }
  static Value none() { return Value(Kind::none); }
  static Value boolean(bool value);
  static Value integer(int64_t value);
  static Value real(double value);
  template <class T>
  explicit Value(const Ref<T>& object) : Value(static_cast<Object*>(object.get())) {}
  explicit Value(Object* object);
  Value(const Value& other);
  Value(Value&& other) noexcept;
  Value& operator=(Value other) noexcept;
  ~Value();

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  bool given() const { return kind_ != Kind::missing; }
  bool undefined() const { return kind_ == Kind::undefined; }
  bool none_or_missing() const { return kind_ == Kind::none || kind_ == Kind::missing; }
  bool whole() const { return kind_ == Kind::integer || kind_ == Kind::boolean; }  // Python's int, of which bool is one
  bool number() const { return whole() || kind_ == Kind::real; }
  bool sequence() const { return kind_ >= Kind::list && kind_ <= Kind::generator; }
  bool as_bool() const { return number_.whole != 0; }
  int64_t as_int() const { return number_.whole; }
  double as_real() const { return kind_ == Kind::real ? number_.real : static_cast<double>(number_.whole); }
  Object* object() const { return kind_ >= Kind::string || kind_ == Kind::undefined ? number_.object : nullptr; }
  const std::string& text() const;    // of a string
  std::vector<Value>& items() const;  // of a sequence
  Dict& dict() const;                 // of a dict or namespace
  template <class T>
  T& as() const {
    return *static_cast<T*>(number_.object);
  }

 private:
  explicit Value(Kind kind) : kind_(kind) { number_.whole = 0; }
  Kind kind_ = Kind::missing;
  union {
    int64_t whole;
    double real;
    Object* object;
  } number_;
};

struct Undefined : Object {
  Undefined() : Object(Kind::undefined) {}
  std::string message;  // what using the value reports
};
struct String : Object {
  String() : Object(Kind::string) {}
  std::string text;             // UTF-8
  bool markup = false;          // made by |safe or |escape: adding to it escapes
  mutable int64_t length = -1;  // in code points, once counted
};
struct Sequence : Object {
  explicit Sequence(Kind object_kind) : Object(object_kind) {}
  void clear() override { items.clear(); }
  std::vector<Value> items;
  std::string_view type;                  // Python's name of a view or generator; "group" for a pair made by |groupby
  size_t taken = 0;                       // items a generator has already given
  int64_t start = 0, stop = 0, step = 1;  // of a range
};
struct Dict : Object {
  explicit Dict(Kind object_kind) : Object(object_kind) {}
  void clear() override { items.clear(); }
  const Value* find(std::string_view key) const;
  Maybe<const Value*> find(const Value& key) const;  // nullptr when absent; error for an unhashable key
  Done set(Value key, Value value);
  void set_text(Value key, Value value);       // the key is a string
  std::vector<std::pair<Value, Value>> items;  // in order of insertion

 private:
  void append(size_t hash, Value key, Value value);
  std::unordered_multimap<size_t, uint32_t> index_;  // filled once there are more than a few items
};

// Owns the objects of one rendering.
class Heap {
 public:
  Heap() = default;
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;
  ~Heap();

  // `extra` are bytes the object will hold besides itself.
  template <class T, class... Args>
  Ref<T> make(size_t extra, Args&&... args) {
    T* object = new T(std::forward<Args>(args)...);
    adopt(object, sizeof(T) + extra);
    return Ref<T>(object);
  }
  Value string(std::string text, bool markup = false);
  Value undefined(std::string message);
  Value sequence(Kind kind, std::vector<Value> items, std::string_view type = {});
  Value list(std::vector<Value> items) { return sequence(Kind::list, std::move(items)); }
  Value tuple(std::vector<Value> items) { return sequence(Kind::tuple, std::move(items)); }
  Value generator(std::vector<Value> items, std::string_view type = "generator") {
    return sequence(Kind::generator, std::move(items), type);
  }
  Ref<Dict> dict(Kind kind = Kind::dict) { return make<Dict>(0, kind); }
  void charge(Object* object, size_t bytes);  // the object grew
  size_t live_bytes() const { return live_; }

 private:
  friend void retain(Object* object);
  friend void release(Object* object);
  void adopt(Object* object, size_t bytes);
  Object* first_ = nullptr;
  std::vector<Object*> dead_;
  bool freeing_ = false;
  size_t live_ = 0;
};

constexpr int kValueDepth = 400;  // nesting that printing, comparing and hashing follow

std::string_view type_name(const Value& value);  // "str", "NoneType", …
std::string describe_type(const Value& value);   // "str object", or "None": Jinja's own words
bool truthy(const Value& value);
size_t text_length(const Value& string);  // in code points
Maybe<bool> equal(const Value& a, const Value& b, int depth = 0);
Maybe<bool> less(const Value& a, const Value& b, std::string_view sign = "<", int depth = 0);
Maybe<size_t> hash(const Value& value, int depth = 0);
Maybe<std::string> str(const Value& value);
Maybe<std::string> repr(const Value& value);
std::string repr_text(std::string_view text);
std::string repr_real(double value);
// Items to iterate over; consumes a generator. Error for what Python cannot iterate.
Maybe<std::vector<Value>> iterate(Heap& heap, const Value& value);
std::string escape_html(std::string_view text);

}  // namespace weft::jinja
