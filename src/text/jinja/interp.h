// Runs a parsed template over a context. One Interp renders once.
//
//   JINJA_TRY(Program program, parse("{{ greeting }}, {{ name | upper }}!"));
//   Interp interp(program, context, {});
//   JINJA_TRY(std::string text, interp.render());
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/jinja/ast.h"
#include "text/jinja/value.h"

namespace weft::jinja {

class Interp;

struct Args {
  std::vector<Value> positional;
  std::vector<std::pair<std::string_view, Value>> named;
  std::vector<Value> keep;  // strings that `named` looks into
};
// Every built-in thing that can be called: a filter or test gets what it is applied to as `self`, a method its object,
// a global function nothing.
using Native = Maybe<Value> (*)(Interp&, const Value& self, const Args& args);
struct Named {
  std::string_view name;
  Native call;
};

struct Scope : Object {
  Scope() : Object(Kind::scope) {}
  void clear() override {
    variables.clear();
    parent = {};
  }
  void assign(int symbol, Value value);
  const Value* find(int symbol) const;  // here or in a parent
  std::vector<std::pair<int, Value>> variables;
  Ref<Scope> parent;
};

struct Function : Object {
  Function() : Object(Kind::function) {}
  void clear() override {
    self = {};
    closure = {};
  }
  std::string_view name;
  Native native = nullptr;
  Value self;
  const Macro* macro = nullptr;  // instead of `native`
  Ref<Scope> closure;
};

struct Loop : Object {
  Loop() : Object(Kind::loop) {}
  void clear() override {
    items.clear();
    ready.clear();
    current = before = changed = {};
    scope = {};
  }
  const Stmt* stmt = nullptr;
  Ref<Scope> scope;          // where the loop stands
  std::vector<Value> items;  // before the filter
  size_t taken = 0;          // of items
  std::vector<Value> ready;  // passed the filter ahead of time, because loop.last, .nextitem or .length was asked
  size_t given = 0;          // of ready
  int64_t index0 = -1;
  int64_t depth0 = 0;
  Value current, before, changed;
};

// cycler() and joiner().
struct Cycler : Object {
  explicit Cycler(Kind object_kind) : Object(object_kind) {}
  void clear() override { items.clear(); }
  std::vector<Value> items;
  size_t at = 0;
};

struct Limits {
  int64_t steps = 10'000'000;         // expressions evaluated, plus one for each 64 bytes or 4 items made
  int depth = 800;                    // evaluations within evaluations; a macro that calls itself takes 3 or 4
  size_t output = size_t{64} << 20;   // bytes, of the result and of each string on the way
  size_t memory = size_t{256} << 20;  // bytes of values alive at once
};

constexpr size_t kMaxItems = 1'000'000;  // of a list made by one operation

struct Globals {
  std::vector<std::pair<std::string, std::string>> variables;  // below the context: bos_token and so on
  std::string now;  // "2024-07-26T12:00:00"; empty: strftime_now is not defined
};

enum class Flow : uint8_t { normal, broken, continued };

class Interp {
 public:
  Interp(const Program& program, const OrderedJson& context, Globals globals, Limits limits = {});
  Maybe<std::string> render();

  Heap& heap() { return heap_; }
  const Limits& limits() const { return limits_; }
  const std::string& now() const { return globals_.now; }

  // Costs `count` steps; error when the steps or the memory are used up.
  Done spend(int64_t count);
  Maybe<Value> new_string(std::string text, bool markup = false);  // with the limit on strings
  Done check_size(size_t bytes) const;                             // of a string to be made
  Done check_items(size_t count) const;                            // of a list to be made
  Maybe<Value> new_list(std::vector<Value> items);

  Maybe<Value> call(const Value& callee, const Args& args);
  Maybe<Value> attribute(const Value& object, std::string_view name);
  Maybe<Value> item(const Value& object, const Value& key);
  Maybe<Value> apply_filter(std::string_view name, const Value& value, const Args& args);
  Maybe<bool> apply_test(std::string_view name, const Value& value, const Args& args);
  Maybe<std::vector<Value>> iterate(const Value& value);
  Maybe<Value> loop_attribute(Loop& loop, std::string_view name);
  Maybe<Value> undefined_attribute(const Value& object, std::string_view name);
  Value bind_method(const Named& method, const Value& self);

  Maybe<Value> binary(Op op, const Value& left, const Value& right);
  Maybe<bool> compare(Op op, const Value& left, const Value& right);
  Maybe<Value> slice(const Value& object, const Value& start, const Value& stop, const Value& step);

 private:
  struct Deeper;
  // eval.cc
  Maybe<Value> eval(const Expr& expr);
  Maybe<Value> eval_kind(const Expr& expr);
  Maybe<Value> eval_literal(const Expr& expr);
  Maybe<Value> eval_name(const Expr& expr);
  Maybe<Value> eval_items(const Expr& expr);
  Maybe<Value> eval_dict(const Expr& expr);
  Maybe<Value> eval_sign(const Expr& expr);
  Maybe<Value> eval_logic(const Expr& expr);
  Maybe<Value> eval_binary(const Expr& expr);
  Maybe<Value> eval_compare(const Expr& expr);
  Maybe<Value> eval_concat(const Expr& expr);
  Maybe<Value> eval_choose(const Expr& expr);
  Maybe<Value> eval_filter(const Expr& expr);
  Maybe<Value> eval_test(const Expr& expr);
  Maybe<Value> eval_call(const Expr& expr);
  Maybe<Value> eval_access(const Expr& expr);
  Maybe<Args> eval_arguments(const Arguments& arguments);
  Maybe<bool> condition(const Expr& expr);
  // exec.cc
  Maybe<Flow> exec(const Block& block);
  Maybe<Flow> exec_stmt(const Stmt& stmt);
  Maybe<Flow> exec_output(const Stmt& stmt);
  Maybe<Flow> exec_if(const Stmt& stmt);
  Maybe<Flow> exec_for(const Stmt& stmt);
  Maybe<Flow> exec_set(const Stmt& stmt);
  Maybe<Flow> exec_captured(const Stmt& stmt);
  Maybe<Flow> exec_macro(const Stmt& stmt);
  Maybe<Flow> exec_call_block(const Stmt& stmt);
  Maybe<Flow> exec_with(const Stmt& stmt);
  Maybe<Flow> run_loop(Loop& loop);
  Maybe<bool> advance_loop(Loop& loop, Value& item);
  Maybe<bool> pull(Loop& loop, Value& item);
  Done fill_ahead(Loop& loop, bool all);
  Maybe<Value> recurse(Loop& loop, const Args& args);
  Ref<Loop> new_loop(const Stmt& stmt, Ref<Scope> scope, std::vector<Value> items, int64_t depth0);
  Maybe<Value> call_macro(const Function& function, const Args& args);
  Value macro_value(const Macro& macro);
  Ref<Scope> new_scope(const Ref<Scope>& parent);
  Done assign(const Expr& target, Value value);
  Done emit(std::string_view text);
  // Runs `body` in `scope` with its output going to `out`.
  Maybe<Flow> capture(const Ref<Scope>& scope, const Block& body, std::string& out);

  Maybe<Value> from_json(const OrderedJson& json);
  Maybe<Value> global(int symbol);

  Heap heap_;  // first: everything below refers to its objects
  const Program& program_;
  const OrderedJson& context_;
  Globals globals_;
  Limits limits_;
  int64_t steps_ = 0;
  int depth_ = 0;
  std::string* out_ = nullptr;
  Ref<Scope> root_, scope_;
  std::vector<Value> cached_globals_;  // by symbol
  std::vector<Value> cached_strings_;  // by slot of a literal
  Value filter_input_;                 // what {% filter %} and {% set %} chains begin with
};

// Arguments in the order of `names`; those not given have Kind::missing. The first `required` must be given. A name
// beginning with '*' can be given by position only.
Maybe<std::vector<Value>> bind(std::string_view callee, const Args& args, std::span<const std::string_view> names,
                               size_t required);
inline Maybe<std::vector<Value>> bind(std::string_view callee, const Args& args,
                                      std::initializer_list<std::string_view> names, size_t required = 0) {
  return bind(callee, args, std::span(names.begin(), names.size()), required);
}

// Tables of what exists; nullptr when there is nothing of that name.
const Named* find_method(const Value& object, std::string_view name);  // methods.cc
bool is_mutator(const Value& object, std::string_view name);
const Named* find_global(std::string_view name);  // globals.cc
// Python's stable sort of (key, item) pairs; `reverse` keeps the order of equal keys too.
Done sort_by_key(Interp& interp, std::vector<std::pair<Value, Value>>& keyed, bool reverse);  // item_filters.cc
Maybe<Value> call_cycler(Interp& interp, const Value& self, const Args& args);

// A number in Python's format language ([[fill]align][sign][#][0][width][,][.precision][type]).
Maybe<std::string> format_value(const Value& value, std::string_view spec);                   // format.cc
Maybe<std::string> format_percent(Interp& interp, const Value& format, const Value& values);  // format.cc
Maybe<std::string> format_fields(Interp& interp, std::string_view format, const Args& args);
Maybe<std::string> to_json(Interp& interp, const Value& value, const Args& args);  // tojson.cc
std::string strftime(std::string_view format, std::string_view iso_time);          // strftime.cc

}  // namespace weft::jinja
